/* routes_telemetry.c - what the agent counts, and its log as it is written (http-api 2.3, 2.4). */
#include "routes.h"

#include "base/log_tap.h"
#include "base/metrics.h"
#include "internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- Metrics ---- */

static void reply_prometheus(struct http_request *r)
{
    if (!r->server->config.prometheus) {
        http_reply_text(r, 415, "%s",
                        "Prometheus is not enabled since its retention time is not positive");
        return;
    }
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    metrics_write_prometheus(&w);
    metrics_write_process(&w);
    if (w.failed) {
        http_reply_empty(r, 500);
    } else {
        http_reply_bytes(r, 200, "text/plain; version=0.0.4; charset=utf-8",
                         (struct mu_str){(char *)w.data, w.len});
    }
    mu__writer_fini(&w);
}

void route_agent_metrics(struct http_request *r)
{
    if (mu__str_eq(http_param(r, "format"), mu__cstr("prometheus"))) {
        reply_prometheus(r);
        return;
    }
    struct mu__json j = http_json(r);
    metrics_write_json(&j);
    http_reply_json(r, &j, 200);
}

/* ---- Monitor ---- */

/* A client that listens to the log. The tap wakes it by a message to its loop, at most one at a
 * time; a message that arrives when the client has gone frees what is left. */
struct monitor {
    struct http_request *request; /* NULL: gone */
    struct loop *loop;
    struct log_tap *tap;
    atomic_bool is_posted; /* a message is under way */
    uint64_t told;         /* lines that the client knows to be lost */
};

static void send_lines(struct monitor *m)
{
    size_t len;
    if (http_stream_pending(m->request) > 0) {
        return; /* it is slow: the tap keeps lines, and drops what is too much */
    }
    char *lines = log_tap_take(m->tap, &len);
    uint64_t dropped = log_tap_dropped(m->tap);
    bool ok = !lines || http_stream_write(m->request, lines, len);
    free(lines);
    if (ok && dropped > m->told) {
        char line[80];
        int n = snprintf(line, sizeof line, "[WARN]  %llu lines were dropped: read faster\n",
                         (unsigned long long)(dropped - m->told));
        m->told = dropped;
        (void)!http_stream_write(m->request, line, (size_t)n);
    }
}

static void on_woken(void *arg)
{
    struct monitor *m = arg;
    if (!m->request) {
        free(m);
        return;
    }
    atomic_store(&m->is_posted, false);
    send_lines(m);
}

/* Any thread, under the tap's lock; not again before the lines are taken. */
static void wake(void *arg)
{
    struct monitor *m = arg;
    if (!atomic_exchange(&m->is_posted, true)) {
        loop_post(m->loop, on_woken, m);
    }
}

static void on_room(void *user)
{
    send_lines(user);
}

static void on_gone(void *user)
{
    struct monitor *m = user;
    log_tap_destroy(m->tap);
    m->request = NULL;
    if (!atomic_load(&m->is_posted)) {
        free(m);
    }
}

static bool read_level(struct http_request *r, enum mu_level *level)
{
    struct mu_str name = http_param(r, "loglevel");
    *level = MU_INFO;
    if (name.len && !log_parse_level(http_cstr(r, name), level)) {
        http_reply_text(r, 400, "Bad request: Unknown log level: %s", http_cstr(r, name));
        return false;
    }
    return true;
}

void route_agent_monitor(struct http_request *r)
{
    static const struct http_stream stream = {.room = on_room, .gone = on_gone};
    enum mu_level level;
    if (!read_level(r, &level)) {
        return;
    }
    struct monitor *m = r->server->config.loop ? calloc(1, sizeof *m) : NULL;
    struct log_tap *tap = m ? log_tap_create(level, http_has_param(r, "logjson"), wake, m) : NULL;
    if (!tap) {
        free(m);
        http_reply_text(r, 500, "too many listen to the log");
        return;
    }
    m->request = r;
    m->loop = r->server->config.loop;
    m->tap = tap;
    http_stream_begin(r, 200, NULL, &stream, m);
}
