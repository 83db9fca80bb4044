#include "agent/persist.h"

#include "agent/file.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <mbedtls/md5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE      "agent.persist"
#define PENDING_MAX 256 /* files that are written before their common commit */

static const char *const folders[] = {"services", "checks", "checks/state"};
#define NFOLDERS (sizeof folders / sizeof *folders)

enum op_kind { OP_WRITE, OP_REMOVE, OP_SYNC };

struct op {
    struct persist *persist;
    enum op_kind what;
    enum persist_folder folder;
    char name[33]; /* of the file */
    bool durable;
    char *data;
    size_t len;
    void (*done)(void *arg, const char *error);
    void *arg;
    char *error; /* for done */
    struct op *next;
};

struct persist {
    struct loop *core, *loop;
    char *paths[NFOLDERS];
    bool closing; /* the thread has ended */
    /* The thread's own. */
    struct event *commit;       /* runs when the mailbox has been drained */
    struct op *pending, **last; /* since the last commit, in order; temporary files are written */
    struct file_temp temps[PENDING_MAX];
    size_t npending;
    /* Why a file that must last is not there, until the one who waits for it has been told: the
     * wait may arrive after the batch that held the file. */
    char untold[512];
};

static void name_of(struct mu_str id, char out[33])
{
    unsigned char sum[16];
    mbedtls_md5_ret((const unsigned char *)(id.p ? id.p : ""), id.len, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        snprintf(&out[2 * i], 3, "%02x", sum[i]);
    }
}

static void free_op(struct op *op)
{
    free(op->data);
    free(op->error);
    free(op);
}

/* ---- On the core loop ---- */

static struct op *make(struct persist *p, enum op_kind what, enum persist_folder folder)
{
    struct op *op = calloc(1, sizeof *op);
    if (!op) {
        abort(); /* as loop_post does */
    }
    op->persist = p;
    op->what = what;
    op->folder = folder;
    return op;
}

static void on_thread(void *arg);

void persist_write(struct persist *p, enum persist_folder folder, struct mu_str id, char *data,
                   size_t len, bool durable)
{
    if (!p || !data) {
        free(data);
        return;
    }
    struct op *op = make(p, OP_WRITE, folder);
    op->data = data;
    op->len = len;
    op->durable = durable;
    name_of(id, op->name);
    loop_post(p->loop, on_thread, op);
}

void persist_remove(struct persist *p, enum persist_folder folder, struct mu_str id)
{
    if (p) {
        struct op *op = make(p, OP_REMOVE, folder);
        name_of(id, op->name);
        loop_post(p->loop, on_thread, op);
    }
}

void persist_sync(struct persist *p, void (*done)(void *arg, const char *error), void *arg)
{
    if (!p) {
        done(arg, NULL);
        return;
    }
    struct op *op = make(p, OP_SYNC, PERSIST_SERVICES);
    op->done = done;
    op->arg = arg;
    loop_post(p->loop, on_thread, op);
}

static void on_synced(void *arg)
{
    struct op *op = arg;
    op->done(op->arg, op->error);
    free_op(op);
}

static void tell(struct persist *p, struct op *op)
{
    if (p->closing) {
        on_synced(op); /* this is the core loop */
    } else {
        loop_post(p->core, on_synced, op);
    }
}

/* ---- On the thread ---- */

/* One file of the batch is where it should be, or err says why not. */
static int apply(struct persist *p, const struct op *op, struct file_temp *temp, char *err,
                 size_t errlen)
{
    if (op->what == OP_WRITE) {
        return file_temp_rename(temp, p->paths[op->folder], op->name, err, errlen);
    }
    return file_remove(p->paths[op->folder], op->name, err, errlen);
}

/* Everything pending becomes visible in order, then the folders are synced once, then all who wait
 * are told. */
static void commit(struct persist *p)
{
    char err[512] = "";
    bool touched[NFOLDERS] = {false};
    struct op *op = p->pending;
    p->pending = NULL;
    p->last = &p->pending;
    p->npending = 0;
    size_t i = 0;
    for (struct op *o = op; o; o = o->next) {
        char why[512];
        if (o->what == OP_SYNC) {
            continue;
        }
        touched[o->folder] = touched[o->folder] || o->durable || o->what == OP_REMOVE;
        if (apply(p, o, &p->temps[i++], why, sizeof why)) {
            log_error(MODULE, "%s", why);
            snprintf(o->durable ? p->untold : err, sizeof err, "%s", why);
        }
    }
    for (size_t f = 0; f < NFOLDERS; f++) {
        if (touched[f] && file_sync_folder(p->paths[f], p->untold, sizeof p->untold)) {
            log_error(MODULE, "%s", p->untold);
        }
    }
    bool told = false;
    while (op) {
        struct op *next = op->next;
        if (op->what == OP_SYNC) {
            const char *why = p->untold[0] ? p->untold : err;
            op->error = why[0] ? strdup(why) : NULL;
            told = true;
            tell(p, op);
        } else {
            free_op(op);
        }
        op = next;
    }
    if (told) {
        p->untold[0] = '\0';
    }
}

static void on_commit(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    commit(arg);
}

static void on_thread(void *arg)
{
    struct op *op = arg;
    struct persist *p = op->persist;
    if (op->what != OP_SYNC) {
        if (p->npending == PENDING_MAX) {
            commit(p);
        }
        struct file_temp *temp = &p->temps[p->npending++];
        *temp = (struct file_temp){0};
        if (op->what == OP_WRITE) { /* a failure shows when the file is to be renamed */
            file_temp_write(temp, p->paths[op->folder], op->data, op->len, op->durable);
        }
    }
    *p->last = op;
    p->last = &op->next;
    if (p->commit) {
        event_active(p->commit, EV_TIMEOUT, 0);
    }
}

/* ---- Life ---- */

static int make_folders(struct persist *p, const char *data_dir, char *err, size_t errlen)
{
    if (file_make_folder(data_dir, err, errlen)) {
        return -1;
    }
    for (size_t i = 0; i < NFOLDERS; i++) {
        size_t len = strlen(data_dir) + strlen(folders[i]) + 2;
        p->paths[i] = malloc(len);
        if (!p->paths[i]) {
            snprintf(err, errlen, "out of memory");
            return -1;
        }
        snprintf(p->paths[i], len, "%s/%s", data_dir, folders[i]);
        if (file_make_folder(p->paths[i], err, errlen)) {
            return -1;
        }
    }
    return 0;
}

int persist_create(const char *data_dir, struct loop *core, struct persist **out, char *err,
                   size_t errlen)
{
    struct persist *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p) {
        snprintf(err, errlen, "out of memory");
        return -1;
    }
    p->core = core;
    p->last = &p->pending;
    if (make_folders(p, data_dir, err, errlen)) {
        persist_destroy(p);
        return -1;
    }
    p->loop = loop_create("persist");
    p->commit = p->loop ? event_new(loop_base(p->loop), -1, 0, on_commit, p) : NULL;
    if (!p->commit || loop_start(p->loop)) {
        snprintf(err, errlen, "cannot start a thread");
        persist_destroy(p);
        return -1;
    }
    *out = p;
    return 0;
}

void persist_destroy(struct persist *p)
{
    if (!p) {
        return;
    }
    if (p->loop) {
        loop_stop(p->loop); /* after it has run what was posted before */
        loop_join(p->loop);
    }
    if (p->commit) {
        event_free(p->commit);
        p->commit = NULL;
    }
    loop_destroy(p->loop);
    p->closing = true;
    commit(p);
    for (size_t i = 0; i < NFOLDERS; i++) {
        free(p->paths[i]);
    }
    free(p);
}

/* ---- Reading ---- */

static bool is_our_name(const char *name)
{
    return strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
}

static void set_aside(const char *path, const char *why)
{
    char aside[4096];
    int n = snprintf(aside, sizeof aside, "%s.damaged", path);
    bool moved = n > 0 && (size_t)n < sizeof aside && !rename(path, aside);
    log_error(MODULE, "cannot read %s: %s; %s", path, why,
              moved ? "it was renamed to end in .damaged" : "it stays where it is");
}

static void load_file(const char *path, bool (*load)(void *, const char *, size_t, char *, size_t),
                      void *arg)
{
    char err[512] = "";
    size_t len = 0;
    char *text = file_read(path, FILE_BYTES_MAX, &len, err, sizeof err);
    if (!text || !load(arg, text, len, err, sizeof err)) {
        set_aside(path, err);
    }
    free(text);
}

void persist_load(const struct persist *p, enum persist_folder folder,
                  bool (*load)(void *arg, const char *text, size_t len, char *err, size_t errlen),
                  void *arg)
{
    char path[4096];
    struct dirent **entries;
    int n = p ? scandir(p->paths[folder], &entries, NULL, alphasort) : 0;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        int len = snprintf(path, sizeof path, "%s/%s", p->paths[folder], name);
        bool fits = len > 0 && (size_t)len < sizeof path;
        if (fits && is_our_name(name)) {
            load_file(path, load, arg);
        } else if (fits && file_is_temp(name)) {
            unlink(path); /* of a write that a crash cut short */
        }
        free(entries[i]);
    }
    if (n > 0) {
        free(entries);
    }
}
