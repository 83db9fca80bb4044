#include "agent/check_internal.h"

#include "base/loop.h"

#include <event2/dns.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"passing", "warning", "critical"};

struct mu_str check_status_name(enum check_status s)
{
    return mu__cstr(names[s]);
}

enum check_status check_status_parse(struct mu_str s)
{
    for (int i = CHECK_PASSING; i < CHECK_CRITICAL; i++) {
        if (mu__str_eq(s, mu__cstr(names[i]))) {
            return (enum check_status)i;
        }
    }
    return CHECK_CRITICAL;
}

struct mu_str check_type_name(const struct catalog_check_type *t)
{
    bool script = t->script_args.len;
    return mu__cstr(t->grpc.len                                 ? "grpc"
                    : t->http.len                               ? "http"
                    : t->ttl_ns > 0                             ? "ttl"
                    : t->tcp.len                                ? "tcp"
                    : t->alias_service.len || t->alias_node.len ? "alias"
                    : script && t->docker_container_id.len      ? "docker"
                    : script                                    ? "script"
                                                                : "ttl");
}

/* What runs where a definition names several kinds, as in Consul: not always what the type says. */
static const struct check_kind *kind_of(const struct catalog_check_type *t)
{
    bool script = t->script_args.len;
    return t->http.len                            ? &check__http
           : t->tcp.len                           ? &check__tcp
           : t->grpc.len                          ? &check__grpc
           : script && t->docker_container_id.len ? &check__docker
           : script                               ? &check__script
                                                  : NULL;
}

static void arm(struct check *c, uint64_t after_ns)
{
    struct timeval tv = {.tv_sec = (time_t)(after_ns / MU_SEC),
                         .tv_usec = (suseconds_t)(after_ns % MU_SEC / MU_USEC)};
    event_add(c->timer, &tv);
}

/* The beat after the last one; those that went by while it ran are left out. A timer may ring a
 * little before its time, which must not shift the beat. */
static void arm_next(struct check *c)
{
    uint64_t interval = (uint64_t)c->interval_ns, now = loop_now_ns();
    uint64_t missed = now > c->due_ns ? (now - c->due_ns) / interval : 0;
    c->due_ns += (missed + 1) * interval;
    arm(c, c->due_ns - now);
}

/* ---- Results ---- */

/* What counts after a result, given how many of its kind came in a row, from the first one on
 * (consul PR#10256). Warnings count as successes, as in Consul. */
static bool passes_threshold(struct check *c, enum check_status status)
{
    const struct catalog_check_type *t = c->type;
    if (status == CHECK_CRITICAL) {
        c->successes = 0;
        c->failures++;
    } else {
        c->failures = 0;
        c->successes++;
    }
    if (status == c->last) {
        return true;
    }
    return status == CHECK_CRITICAL ? c->failures >= t->failures_before_critical
                                    : c->successes >= t->success_before_passing;
}

void check__done_with(struct check *c, enum check_status status, struct mu_str output)
{
    bool tell = passes_threshold(c, status);
    c->running = false;
    arm_next(c);
    if (!tell) {
        return;
    }
    c->last = status;
    c->report(c->arg, status, output); /* may destroy the check */
}

void check__done(struct check *c, enum check_status status, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    check__done_with(c, status, mu__cstr(line));
}

void check__done_captured(struct check *c, enum check_status status, struct check__tail *output)
{
    struct mu_str text = check__tail_text(output);
    char *whole = output->total > output->cap ? malloc(text.len + 64) : NULL;
    if (!whole) {
        check__done_with(c, status, text);
        return;
    }
    int n = snprintf(whole, 64, "Captured %zu of %llu bytes\n...\n", text.len,
                     (unsigned long long)output->total);
    memcpy(whole + n, text.p, text.len);
    check__done_with(c, status, (struct mu_str){whole, (size_t)n + text.len});
    free(whole);
}

/* ---- TTL ---- */

static void ttl_expired(struct check *c)
{
    static const char plain[] = "TTL expired";
    static const char with[] = "TTL expired (last output before timeout follows): ";
    if (!c->last_output_len) {
        c->report(c->arg, CHECK_CRITICAL, mu__cstr(plain));
        return;
    }
    size_t len = sizeof with - 1 + c->last_output_len;
    char *text = malloc(len);
    if (!text) {
        c->report(c->arg, CHECK_CRITICAL, mu__cstr(plain));
        return;
    }
    memcpy(text, with, sizeof with - 1);
    memcpy(text + sizeof with - 1, c->last_output, c->last_output_len);
    c->report(c->arg, CHECK_CRITICAL, (struct mu_str){text, len});
    free(text);
}

bool check_is_ttl(const struct check *c)
{
    return !c->kind;
}

uint64_t check_ttl_deadline(const struct check *c)
{
    return c->deadline_ns;
}

void check_ttl_set_deadline(struct check *c, uint64_t at_ns)
{
    uint64_t now = loop_now_ns();
    c->deadline_ns = at_ns;
    arm(c, at_ns > now ? at_ns - now : 0);
}

void check_ttl_reset(struct check *c, struct mu_str output)
{
    char *copy = malloc(output.len + 1);
    if (copy) {
        free(c->last_output);
        if (output.len) {
            memcpy(copy, output.p, output.len);
        }
        c->last_output = copy;
        c->last_output_len = output.len;
    }
    check_ttl_set_deadline(c, loop_now_ns() + (uint64_t)c->type->ttl_ns);
}

/* ---- Life ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct check *c = arg;
    (void)fd, (void)what;
    if (!c->kind) {
        ttl_expired(c);
    } else if (c->running) {
        c->kind->expired(c->own);
    } else {
        c->running = true;
        arm(c, (uint64_t)c->timeout_ns);
        c->kind->run(c->own);
    }
}

static void settle_times(struct check *c)
{
    const struct catalog_check_type *t = c->type;
    int64_t usual = t->script_args.len ? 30 * (int64_t)MU_SEC : 10 * (int64_t)MU_SEC;
    c->interval_ns =
        t->interval_ns < CHECK_INTERVAL_MIN_NS ? CHECK_INTERVAL_MIN_NS : t->interval_ns;
    c->timeout_ns = t->timeout_ns > 0 ? t->timeout_ns : usual;
    c->output_max = c->world->output_max;
    if (t->output_max_size > 0 && (size_t)t->output_max_size < c->output_max) {
        c->output_max = (size_t)t->output_max_size;
    }
}

struct check *check_create(struct check_world *w, const struct catalog_check_type *type,
                           enum check_status status, check_report_fn report, void *arg)
{
    struct check *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    *c = (struct check){
        .world = w, .kind = kind_of(type), .last = status, .report = report, .arg = arg};
    c->type = mu__schema_clone(catalog_schema(CATALOG_CHECK_TYPE), type, &mu__malloc_allocator);
    c->timer = evtimer_new(w->base, on_timer, c);
    if (c->type && c->timer) {
        settle_times(c);
        c->own = c->kind ? c->kind->create(c) : NULL;
    }
    if (!c->type || !c->timer || (c->kind && !c->own)) {
        check_destroy(c);
        return NULL;
    }
    if (c->kind) {
        /* So that a start of many spreads out */
        uint64_t after = mu__prng_below(w->prng, (uint64_t)c->interval_ns);
        c->due_ns = loop_now_ns() + after;
        arm(c, after);
    } else {
        check_ttl_set_deadline(c, loop_now_ns() + (uint64_t)type->ttl_ns);
    }
    return c;
}

void check_destroy(struct check *c)
{
    if (!c) {
        return;
    }
    if (c->own) {
        if (c->running) {
            c->kind->abort(c->own);
        }
        c->kind->destroy(c->own);
    }
    if (c->timer) {
        event_free(c->timer);
    }
    mu__free(&mu__malloc_allocator, c->type);
    free(c->last_output);
    free(c);
}

void check_world_fini(struct check_world *w)
{
    if (w->dns) {
        evdns_base_free(w->dns, 0);
        w->dns = NULL;
    }
    check__tls_destroy(w->tls);
    w->tls = NULL;
}
