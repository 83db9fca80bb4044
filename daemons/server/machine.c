/* machine.c - the catalog as Raft's state machine: apply, snapshot, restore. All on the core loop,
 * except saving. */
#include "server.h"

#include "base/log.h"
#include "measure.h"
#include "staging.h"

#include <stdlib.h>
#include <string.h>

#define MODULE "agent.server.fsm"

/* The process ends, but not within this batch; what is left of it must not be applied, nor ever be
 * saved. */
static void die(struct server *s, const char *what, int code)
{
    s->broken = true;
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s: %s", what, catalog_strerror(code));
    log_error(MODULE, "%s", sentence);
    s->on_fatal(s->user, sentence);
}

static void apply_begin(void *user)
{
    struct server *s = user;
    s->committed_ns = loop_now_ns();
    s->batch_entries = 0;
    if (catalog_apply_begin(s->catalog) != CATALOG_OK) {
        abort(); /* out of memory: to go on would be to diverge */
    }
}

void server__free_result(struct write_result *r)
{
    if (r) {
        free(r->reply);
        free(r);
    }
}

static void *keep_result(const struct catalog_result *r)
{
    size_t len = r->kind == CATALOG_RESULT_ERROR ? r->error.len : 0;
    struct write_result *kept = malloc(sizeof *kept + len + 1);
    if (!kept) {
        abort();
    }
    kept->kind = r->kind;
    kept->value = r->value;
    kept->reply = NULL;
    if (r->kind == CATALOG_RESULT_REPLY) {
        kept->reply = mu__schema_clone(catalog_schema(r->reply_type), r->reply, NULL);
        if (!kept->reply) {
            abort();
        }
    }
    if (len) {
        memcpy(kept->error, r->error.p, len);
    }
    kept->error[len] = '\0';
    return kept;
}

static bool is_restore(const void *data, size_t len);
static void apply_restore(struct server *s, raft_index index, const void *data, size_t len,
                          struct catalog_result *r);

static void apply(void *user, raft_index index, raft_term term, const void *data, size_t len,
                  void **result)
{
    struct server *s = user;
    struct catalog_result r = {.kind = CATALOG_RESULT_NONE};
    (void)term;
    uint64_t began = loop_now_ns();
    int rc = CATALOG_OK;
    if (!s->broken && is_restore(data, len)) {
        apply_restore(s, index, data, len, &r);
    } else if (!s->broken) {
        rc = catalog_apply(s->catalog, index, data, len, &r);
    }
    server__measure_entry(s, data, len, began);
    if (rc == CATALOG_ENOMEM) {
        abort();
    }
    if (!s->broken && !is_restore(data, len)) {
        server__sessions_applied(s);
    }
    if (rc != CATALOG_OK) {
        /* Every server meets the same entry; one that does not understand it must not go on without
         * it. */
        die(s, "an entry of the log cannot be applied, a newer release wrote it", rc);
    }
    if (s->broken) {
        r = (struct catalog_result){.kind = CATALOG_RESULT_ERROR,
                                    .error = mu__cstr("the server is out of order")};
    }
    if (result) {
        *result = keep_result(&r);
    }
}

static void tell_fronts(struct server *s, struct catalog_touched *touched);
static void apply_end(void *user);

/* The state changes between two batches: what came before it is published first. */
static const char *restore_gathered(struct server *s, raft_index index)
{
    struct catalog_touched *touched;
    apply_end(s);
    const char *why = staging_restore(&s->staging, s->catalog, index, &touched);
    tell_fronts(s, touched);
    if (!why) {
        server__sessions_restored(s);
    }
    apply_begin(s);
    return why;
}

static void apply_restore(struct server *s, raft_index index, const void *data, size_t len,
                          struct catalog_result *r)
{
    const char *error = NULL;
    if (staging_take(&s->staging, data, len, &error) == STAGING_COMPLETE) {
        error = restore_gathered(s, index);
        log_info(MODULE, "a snapshot was restored%s%s", error ? ", but: " : "", error ? error : "");
        server__restored(s);
    }
    *r = (struct catalog_result){.kind = CATALOG_RESULT_NONE};
    if (error) {
        *r = (struct catalog_result){.kind = CATALOG_RESULT_ERROR, .error = mu__cstr(error)};
    }
}

static bool is_restore(const void *data, size_t len)
{
    return len > 0 && *(const uint8_t *)data == SERVER_ENTRY_RESTORE;
}

struct notice {
    struct server_front *front;
    struct catalog_touched *touched;
    uint64_t committed_ns;
};

static void notify(void *arg)
{
    struct notice *n = arg;
    if (n->front->watches) {
        server__front_wake(n->front, n->touched, n->committed_ns);
    }
    catalog_touched_unref(n->touched);
    free(n);
}

/* Fronts without waiters need no message: one that adds its first waiter looks for a newer version
 * itself, after it has said that it has one (reads.c). */
static void tell_fronts(struct server *s, struct catalog_touched *touched)
{
    for (size_t i = 0; touched && !catalog_touched_is_empty(touched) && i < s->nfronts; i++) {
        if (!s->fronts[i].loop || atomic_load(&s->fronts[i].waiters) == 0) {
            continue;
        }
        struct notice *n = malloc(sizeof *n);
        if (!n) {
            abort();
        }
        n->front = &s->fronts[i];
        n->touched = catalog_touched_ref(touched);
        n->committed_ns = s->committed_ns;
        loop_post(s->fronts[i].loop, notify, n);
    }
    catalog_touched_unref(touched);
}

static void apply_end(void *user)
{
    struct server *s = user;
    struct catalog_touched *touched;
    catalog_apply_end(s->catalog, &touched);
    tell_fronts(s, touched);
}

static void *snapshot_begin(void *user)
{
    struct server *s = user;
    uint64_t began = loop_now_ns();
    struct catalog_reader *r;
    if (s->broken || s->staging || catalog_reader_create(s->catalog, &r) != CATALOG_OK) {
        return NULL;
    }
    catalog_read_begin(r);
    s->snapshot_began_ns = began;
    metric_since(METRIC_RAFT_FSM_SNAPSHOT, began);
    return r;
}

static int write_piece(void *user, const void *data, size_t len)
{
    return raft_node_snapshot_write(user, data, len);
}

static int snapshot_save(void *user, void *view, struct raft_node_writer *w)
{
    (void)user;
    uint64_t began = loop_now_ns();
    int rc = catalog_snapshot_write(view, write_piece, w);
    metric_since(METRIC_FSM_PERSIST, began);
    metric_since(METRIC_RAFT_SNAPSHOT_PERSIST, began);
    return rc;
}

static void snapshot_end(void *user, void *view)
{
    struct server *s = user;
    metric_since(METRIC_RAFT_SNAPSHOT_TAKE, s->snapshot_began_ns);
    catalog_read_end(view);
    catalog_reader_destroy(view);
}

static int read_piece(void *user, void *buf, size_t *len)
{
    return raft_node_snapshot_read(user, buf, len);
}

static int restore(void *user, struct raft_node_reader *r)
{
    struct server *s = user;
    struct catalog_touched *touched;
    s->committed_ns = loop_now_ns();
    int rc = catalog_restore(s->catalog, read_piece, r, &touched);
    metric_since(METRIC_RAFT_FSM_RESTORE, s->committed_ns);
    if (rc != CATALOG_OK) {
        log_error(MODULE, "a snapshot cannot be restored: %s", catalog_strerror(rc));
        return rc;
    }
    server__sessions_restored(s);
    tell_fronts(s, touched);
    return 0;
}

struct raft_node_machine server__machine(struct server *s)
{
    return (struct raft_node_machine){
        .user = s,
        .apply_begin = apply_begin,
        .apply = apply,
        .apply_end = apply_end,
        .snapshot_begin = snapshot_begin,
        .snapshot_save = snapshot_save,
        .snapshot_end = snapshot_end,
        .restore = restore,
    };
}
