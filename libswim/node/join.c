/* join.c - joins: each address of a list becomes an attempt, a name as many as it has addresses. A
 * few run at a time; when all are over, whoever asked is told how many worked or why none did. */
#include "node.h"

#include "cursor.h"

#include <stdio.h>
#include <string.h>

enum { AT_A_TIME = 16, HOST_MAX = 256, ATTEMPTS_MAX = 4096 };

enum progress { LOOKING_UP, READY, RUNNING, SUCCEEDED, FAILED };

struct attempt {
    enum progress progress;
    struct swim_addr addr;
    uint32_t stream;
    struct name *name; /* while it is looked up */
    char *error;
};

struct join {
    struct swim_node *n;
    struct join *next;
    struct attempt *attempts;
    size_t count, cap;
    bool first_only; /* one after the other, until one works */
    swim_node_join_fn fn;
    void *user;
};

/* A name that is being looked up. Attempts move when the array grows, so it knows its number. */
struct name {
    struct join *join;
    size_t at;
    char *entry; /* as it was given */
    struct lookup *lookup;
};

static void free_name(const struct mu_allocator *a, struct name *name)
{
    if (name) {
        mu__free(a, name->entry);
        mu__free(a, name);
    }
}

static void free_join(struct join *j)
{
    const struct mu_allocator *a = &j->n->allocator;
    for (size_t i = 0; i < j->count; i++) {
        struct name *name = j->attempts[i].name;
        if (name) {
            swim_node__lookup_cancel(name->lookup);
            free_name(a, name);
        }
        mu__free(a, j->attempts[i].error);
    }
    mu__free(a, j->attempts);
    mu__free(a, j);
}

static struct attempt *add_attempt(struct join *j)
{
    void *items = j->attempts;
    if (j->count == ATTEMPTS_MAX ||
        !mu__reserve(&j->n->allocator, &items, &j->cap, j->count + 1, sizeof *j->attempts)) {
        return NULL;
    }
    j->attempts = items;
    struct attempt *t = &j->attempts[j->count++];
    *t = (struct attempt){.progress = READY};
    return t;
}

static void fail(struct join *j, struct attempt *t, const char *error)
{
    t->progress = FAILED;
    if (!t->error) { /* an earlier word is closer to the cause */
        t->error = mu__strndup(&j->n->allocator, error, strlen(error));
    }
}

/* ---- names ---- */

static void fail_lookup(struct join *j, struct attempt *t, const char *entry, const char *error)
{
    char text[512];
    snprintf(text, sizeof text, "Failed to resolve %.200s: %s", entry, error);
    fail(j, t, text);
    swim_node__log(j->n, MU_WARN, "memberlist: %s", text);
}

static void advance(struct join *j);

static void on_looked_up(void *arg, const struct swim_addr *addrs, size_t n, const char *error)
{
    struct name *name = arg;
    struct join *j = name->join;
    struct swim_node *node = j->n;
    struct attempt *t = &j->attempts[name->at];
    t->name = NULL;
    if (n == 0) {
        fail_lookup(j, t, name->entry, error);
    } else {
        t->progress = READY;
        t->addr = addrs[0];
    }
    for (size_t i = 1; i < n; i++) {
        struct attempt *more = add_attempt(j);
        if (more) {
            more->addr = addrs[i];
        }
    }
    free_name(&node->allocator, name);
    advance(j);
    swim_node__work(node);
}

static void look_up(struct join *j, size_t at, const char *entry, const char *host, uint16_t port)
{
    const struct mu_allocator *a = &j->n->allocator;
    struct attempt *t = &j->attempts[at];
    struct name *name = mu__calloc(a, 1, sizeof *name);
    if (name) {
        *name = (struct name){.join = j, .at = at, .entry = mu__strndup(a, entry, strlen(entry))};
        name->lookup = name->entry ? swim_node__lookup(j->n, host, port, on_looked_up, name) : NULL;
    }
    if (name && name->lookup) {
        t->progress = LOOKING_UP;
        t->name = name;
        return;
    }
    free_name(a, name);
    fail_lookup(j, t, entry, "cannot start a lookup");
}

/* Makes an attempt of one entry of the list. False when out of memory. */
static bool add_entry(struct join *j, const char *entry)
{
    char host[HOST_MAX], text[HOST_MAX + 2];
    uint16_t port;
    struct attempt *t = add_attempt(j);
    if (!t) {
        return false;
    }
    if (!swim_node__split_host(entry, j->n->bound.port, host, sizeof host, &port)) {
        fail_lookup(j, t, entry, "malformed address");
        return true;
    }
    snprintf(text, sizeof text, strchr(host, ':') ? "[%s]" : "%s", host);
    if (!swim_node_parse_addr(text, port, &t->addr)) {
        look_up(j, j->count - 1, entry, host, port);
    }
    return true;
}

/* ---- the end ---- */

static size_t count_in(const struct join *j, enum progress p)
{
    size_t n = 0;
    for (size_t i = 0; i < j->count; i++) {
        n += j->attempts[i].progress == p ? 1 : 0;
    }
    return n;
}

/* "2 errors occurred:\n\t* one\n\t* two\n\n" */
static void write_errors(const struct join *j, struct mu__writer *w)
{
    char head[64];
    size_t n = count_in(j, FAILED);
    snprintf(head, sizeof head, n == 1 ? "%zu error occurred:\n" : "%zu errors occurred:\n", n);
    mu__write_cstr(w, head);
    for (size_t i = 0; i < j->count; i++) {
        if (j->attempts[i].progress == FAILED) {
            mu__write_cstr(w, "\t* ");
            mu__write_cstr(w, j->attempts[i].error ? j->attempts[i].error : "out of memory");
            mu__write_cstr(w, "\n");
        }
    }
    mu__write_cstr(w, "\n");
    mu__write_u8(w, 0);
}

static void unlink_join(struct join *j)
{
    struct join **at = &j->n->joins;
    while (*at != j) {
        at = &(*at)->next;
    }
    *at = j->next;
}

/* Tells whoever asked, and frees the join. */
static void complete(struct join *j)
{
    struct mu__writer w = mu__writer_growing(&j->n->allocator);
    size_t joined = count_in(j, SUCCEEDED);
    if (joined == 0) {
        write_errors(j, &w);
    }
    unlink_join(j);
    if (j->fn) {
        const char *error = w.failed ? "out of memory" : (const char *)w.data;
        j->fn(j->user, joined, joined > 0 ? NULL : error);
    }
    mu__writer_fini(&w);
    free_join(j);
}

/* ---- progress ---- */

static void start(struct join *j, struct attempt *t)
{
    int rc = swim_join(j->n->swim, swim_node_now(j->n), &t->addr, &t->stream);
    if (rc == SWIM_OK) {
        t->progress = RUNNING;
    } else {
        fail(j, t, swim_strerror(rc));
    }
}

/* Starts what may start; completes the join when nothing is left to wait for. */
static void advance(struct join *j)
{
    size_t running = count_in(j, RUNNING) + count_in(j, LOOKING_UP);
    size_t limit = j->first_only ? 1 : AT_A_TIME;
    bool enough = j->first_only && count_in(j, SUCCEEDED) > 0;
    for (size_t i = 0; i < j->count && running < limit && !enough; i++) {
        if (j->attempts[i].progress == READY) {
            start(j, &j->attempts[i]);
            running += j->attempts[i].progress == RUNNING ? 1 : 0;
        }
    }
    if (running == 0) {
        complete(j);
    }
}

static struct attempt *find_running(struct swim_node *n, uint32_t stream, struct join **join)
{
    for (struct join *j = n->joins; j; j = j->next) {
        for (size_t i = 0; i < j->count; i++) {
            if (j->attempts[i].progress == RUNNING && j->attempts[i].stream == stream) {
                *join = j;
                return &j->attempts[i];
            }
        }
    }
    return NULL;
}

static void fail_join(struct join *j, struct attempt *t, const char *reason)
{
    char ip[IP_TEXT], text[512];
    snprintf(text, sizeof text, "Failed to join %s: %s", swim_node__ip_text(&t->addr, ip), reason);
    if (!t->error) {
        t->error = mu__strndup(&j->n->allocator, text, strlen(text));
        swim_node__log(j->n, MU_DEBUG, "memberlist: %s", text);
    }
}

void swim_node__join_note(struct swim_node *n, uint32_t stream, const char *error)
{
    struct join *j;
    struct attempt *t = find_running(n, stream, &j);
    if (t) {
        fail_join(j, t, error);
    }
}

void swim_node__join_result(struct swim_node *n, uint32_t stream, int err)
{
    struct join *j;
    struct attempt *t = find_running(n, stream, &j);
    if (!t) {
        return;
    }
    if (err == SWIM_OK) {
        t->progress = SUCCEEDED;
    } else {
        fail_join(j, t, swim_strerror(err));
        t->progress = FAILED;
    }
    advance(j);
}

void swim_node__join_advance_all(struct swim_node *n)
{
    struct join *next;
    for (struct join *j = n->joins; j; j = next) {
        next = j->next;
        advance(j);
    }
}

int swim_node__join_start(struct swim_node *n, const char *const *addrs, size_t naddrs,
                          bool first_only, swim_node_join_fn fn, void *user)
{
    struct join *j = mu__calloc(&n->allocator, 1, sizeof *j);
    if (!j) {
        return SWIM_ENOMEM;
    }
    *j = (struct join){.n = n, .first_only = first_only, .fn = fn, .user = user};
    for (size_t i = 0; i < naddrs; i++) {
        if (!add_entry(j, addrs[i])) {
            free_join(j);
            return SWIM_ENOMEM;
        }
    }
    j->next = n->joins;
    n->joins = j;
    swim_node__kick(n); /* from the loop, so that nobody is called back from inside his own call */
    return SWIM_OK;
}

void swim_node__join_abort_all(struct swim_node *n)
{
    while (n->joins) {
        struct join *j = n->joins;
        for (size_t i = 0; i < j->count; i++) {
            if (j->attempts[i].progress != SUCCEEDED) {
                fail(j, &j->attempts[i], "the node is shut down");
            }
        }
        complete(j);
    }
}
