#include "agent/remote_exec.h"

#include "agent/remote_exec_internal.h"
#include "base/json.h"
#include "base/log.h"
#include "rpc/endpoints.h"
#include "schema.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE          "agent"
#define JOBS_MAX        16u /* at a time */
#define PAYLOAD_MAX     1024u
#define KEY_MAX         1280u
#define FLUSH_NS        (500 * MU_MSEC)
#define OUTPUTS_MAX     4096u /* of a job: 16 MiB */
#define CODE_NOT_RUN    255
#define DEFAULT_WAIT_NS ((int64_t)(2 * MU_SEC))

struct job {
    struct remote_exec *owner;
    struct job *next, **link;
    struct mu__arena arena;
    struct mu_str prefix, session; /* in the arena */
    struct rexec_spec spec;        /* likewise */
    struct rexec_child child;
    struct event *timer; /* output is to be written now, even if that is nothing */
    unsigned outputs;
    bool stale;     /* any server may have said what the job is */
    bool writing;   /* a key: one after the other */
    bool due, mute; /* mute: nobody listens any more */
};

struct remote_exec {
    struct remote_exec_config given;
    struct core_caller *caller;
    struct job *jobs;
    size_t count;
};

/* ---- What others wrote, which is JSON ---- */

struct event_payload {
    struct mu_str prefix, session;
};
static const struct mu__field payload_fields[] = {
    {.name = "Prefix", .kind = MU_STR, .offset = offsetof(struct event_payload, prefix)},
    {.name = "Session", .kind = MU_STR, .offset = offsetof(struct event_payload, session)},
};
static const struct mu__schema payload_schema = {.name = "remoteExecEvent",
                                                 .fields = payload_fields,
                                                 .nfields = 2,
                                                 .size = sizeof(struct event_payload)};

static const struct mu__field spec_fields[] = {
    {.name = "Command", .kind = MU_STR, .offset = offsetof(struct rexec_spec, command)},
    {.name = "Args", .kind = MU_STRS, .offset = offsetof(struct rexec_spec, args)},
    {.name = "Script", .kind = MU_BYTES, .offset = offsetof(struct rexec_spec, script)},
    {.name = "Wait", .kind = MU_INT, .offset = offsetof(struct rexec_spec, wait_ns)},
};
static const struct mu__schema spec_schema = {.name = "remoteExecSpec",
                                              .fields = spec_fields,
                                              .nfields = 4,
                                              .size = sizeof(struct rexec_spec)};

/* ---- Jobs ---- */

static void job_free(struct job *j)
{
    rexec__child_forget(&j->child);
    if (j->timer) {
        event_free(j->timer);
    }
    *j->link = j->next;
    if (j->next) {
        j->next->link = j->link;
    }
    j->owner->count--;
    mu__arena_fini(&j->arena);
    free(j);
}

static void give_up(struct job *j, const char *what, const char *why)
{
    log_error(MODULE, "remote exec: %s: %s: session=%.*s", what, why, (int)j->session.len,
              j->session.p);
    job_free(j);
}

static void advance(void *arg);

static void arm(struct job *j, uint64_t ns)
{
    struct timeval tv = {.tv_sec = (time_t)(ns / MU_SEC),
                         .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC)};
    j->due = false;
    if (event_add(j->timer, &tv) != 0) {
        abort();
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct job *j = arg;
    (void)fd, (void)what;
    j->due = true;
    advance(j);
}

/* ---- Keys ---- */

/* <prefix>/<session>/<rest> in the arena of a call. */
static struct mu_str key_of(const struct job *j, struct call *c, const char *rest)
{
    char *key = mu__arena_alloc(&c->arena, KEY_MAX);
    if (!key) {
        abort();
    }
    int n = snprintf(key, KEY_MAX, "%.*s/%.*s/%s", (int)j->prefix.len, j->prefix.p,
                     (int)j->session.len, j->session.p, rest);
    return (struct mu_str){key, mu__min((size_t)n, KEY_MAX - 1)};
}

static void write_key(struct job *j, const char *what, struct mu_str value, core_call_done_fn done)
{
    const struct remote_exec *x = j->owner;
    char rest[512];
    struct call *c = core_call_create(x->caller, &endpoints[ENDPOINT_KVS_APPLY], done, j);
    if (!c) {
        abort();
    }
    snprintf(rest, sizeof rest, "%.*s/%s", (int)mu__min(x->given.node.len, 400), x->given.node.p,
             what);
    struct catalog_kvs_request *q = c->request;
    q->datacenter = x->given.datacenter;
    q->op = mu__cstr("lock");
    q->dir_ent.key = key_of(j, c, rest);
    q->dir_ent.session =
        (struct mu_str){mu__arena_strndup(&c->arena, j->session.p, j->session.len), j->session.len};
    q->dir_ent.value =
        (struct mu_str){mu__arena_strndup(&c->arena, value.p ? value.p : "", value.len), value.len};
    if (!q->dir_ent.session.p || !q->dir_ent.value.p) {
        abort();
    }
    j->writing = true;
    core_call_start(c);
}

/* Was the key taken? Not when its session has ended: then nobody listens. */
static bool is_written(struct job *j, const char *error, const void *reply)
{
    j->writing = false;
    return !error && *(const bool *)reply;
}

/* ---- The end ---- */

static void on_exit_written(void *arg, const char *error, const void *reply)
{
    struct job *j = arg;
    if (!is_written(j, error, reply)) {
        give_up(j, "cannot write the exit code", error ? error : "the session has ended");
        return;
    }
    job_free(j);
}

static void write_exit(struct job *j)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d", j->child.code);
    write_key(j, "exit", (struct mu_str){text, (size_t)n}, on_exit_written);
}

/* ---- Output ---- */

static void on_output_written(void *arg, const char *error, const void *reply)
{
    struct job *j = arg;
    if (!is_written(j, error, reply) || j->outputs >= OUTPUTS_MAX) {
        log_warn(MODULE, "remote exec: output is not written any more: session=%.*s",
                 (int)j->session.len, j->session.p);
        j->mute = true;
    }
    advance(j);
}

static void write_output(struct job *j)
{
    char what[16];
    snprintf(what, sizeof what, "out/%05x", j->outputs++);
    write_key(j, what, (struct mu_str){j->child.buf, j->child.len}, on_output_written);
    rexec__child_taken(&j->child);
    arm(j, (uint64_t)j->spec.wait_ns);
}

/* Goes on as far as can be without waiting. */
static void advance(void *arg)
{
    struct job *j = arg;
    bool ended = rexec__child_has_ended(&j->child);
    if (j->mute) {
        rexec__child_taken(&j->child);
        if (ended) {
            job_free(j);
        }
        return;
    }
    if (j->writing) {
        return;
    }
    if (j->child.len == sizeof j->child.buf || (j->child.len && ended) || (j->due && !ended)) {
        write_output(j);
    } else if (ended) {
        write_exit(j);
    }
}

/* The first output after a pause is written soon, with what follows it until then. */
static void on_child(void *arg)
{
    struct job *j = arg;
    struct timeval left;
    if (j->child.len && !j->due && event_pending(j->timer, EV_TIMEOUT, &left)) {
        uint64_t soon = FLUSH_NS;
        if (!j->child.lines || (uint64_t)j->spec.wait_ns > soon) {
            arm(j, soon);
        }
    }
    advance(j);
}

/* ---- Beginning ---- */

static void on_acknowledged(void *arg, const char *error, const void *reply)
{
    struct job *j = arg;
    char why[256];
    if (!is_written(j, error, reply)) {
        give_up(j, "cannot acknowledge", error ? error : "the session has ended");
        return;
    }
    j->child.changed = on_child;
    j->child.arg = j;
    if (!rexec__child_start(&j->child, loop_base(j->owner->given.core), &j->spec, why,
                            sizeof why)) {
        log_error(MODULE, "remote exec: %s", why);
        j->child.code = CODE_NOT_RUN;
        write_exit(j);
        return;
    }
    arm(j, (uint64_t)j->spec.wait_ns);
}

static bool read_spec(struct job *j, struct mu_str value, char *err, size_t errlen)
{
    if (!json_decode(&spec_schema, value.p, value.len, &j->arena, &j->spec, err, errlen)) {
        return false;
    }
    if (j->spec.wait_ns < (int64_t)FLUSH_NS) {
        j->spec.wait_ns = j->spec.wait_ns > 0 ? (int64_t)FLUSH_NS : DEFAULT_WAIT_NS;
    }
    snprintf(err, errlen, "there is nothing to run");
    return j->spec.args.len || j->spec.script.len || j->spec.command.len;
}

static void fetch(struct job *j);

static void on_fetched(void *arg, const char *error, const void *reply)
{
    struct job *j = arg;
    const struct catalog_indexed_dir_entries *found = reply;
    char why[JSON_ERROR_MAX];
    if (error) {
        give_up(j, "cannot read the job", error);
    } else if (found->entries.len == 0 && j->stale) {
        j->stale = false; /* that server may be behind */
        fetch(j);
    } else if (found->entries.len == 0) {
        give_up(j, "cannot read the job", "there is none");
    } else if (!read_spec(j, ((struct catalog_dir_entry *)found->entries.items[0])->value, why,
                          sizeof why)) {
        give_up(j, "cannot understand the job", why);
    } else {
        write_key(j, "ack", (struct mu_str){NULL, 0}, on_acknowledged);
    }
}

/* All agents ask at once, so any server will do. */
static void fetch(struct job *j)
{
    const struct remote_exec *x = j->owner;
    struct call *c = core_call_create(x->caller, &endpoints[ENDPOINT_KVS_GET], on_fetched, j);
    if (!c) {
        abort();
    }
    struct catalog_key_request *q = c->request;
    q->datacenter = x->given.datacenter;
    q->key = key_of(j, c, "job");
    q->options.allow_stale = j->stale;
    core_call_start(c);
}

void remote_exec_start(struct remote_exec *x, struct mu_str payload)
{
    char why[JSON_ERROR_MAX];
    struct event_payload p = {{NULL, 0}, {NULL, 0}};
    struct job *j = x->count < JOBS_MAX && payload.len <= PAYLOAD_MAX ? calloc(1, sizeof *j) : NULL;
    if (!j) {
        log_error(MODULE, "remote exec: refused, %zu jobs are under way", x->count);
        return;
    }
    mu__arena_init(&j->arena, NULL, 0);
    j->owner = x;
    j->link = &x->jobs;
    j->next = x->jobs;
    if (j->next) {
        j->next->link = &j->next;
    }
    x->jobs = j;
    x->count++;
    j->timer = evtimer_new(loop_base(x->given.core), on_timer, j);
    if (!j->timer) {
        abort();
    }
    char *text = mu__arena_strndup(&j->arena, payload.p ? payload.p : "", payload.len);
    if (!text || !json_decode(&payload_schema, text, payload.len, &j->arena, &p, why, sizeof why)) {
        give_up(j, "cannot understand the event", text ? why : "out of memory");
        return;
    }
    j->prefix = p.prefix;
    j->session = p.session;
    j->stale = true;
    log_debug(MODULE, "received remote exec event: session=%.*s", (int)p.session.len, p.session.p);
    fetch(j);
}

struct remote_exec *remote_exec_create(const struct remote_exec_config *c)
{
    struct remote_exec *x = calloc(1, sizeof *x);
    if (!x) {
        return NULL;
    }
    x->given = *c;
    x->caller = core_caller_create(c->core, c->front, c->backend);
    if (!x->caller) {
        free(x);
        return NULL;
    }
    return x;
}

void remote_exec_destroy(struct remote_exec *x)
{
    if (!x) {
        return;
    }
    core_caller_close(x->caller);
    while (x->jobs) {
        job_free(x->jobs);
    }
    free(x);
}
