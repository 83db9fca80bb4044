#include "proxy/run.h"

#include "base/files.h"
#include "base/log.h"
#include "base/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MODULE         "connect.proxy"
#define HANDSHAKES_MAX 128 /* some 5 MiB of mbedTLS's buffers, and less than 10 s of work */

struct run {
    const struct proxy_settings *settings;
    const struct proxy_agent *agent;
    struct loop *loop;
    struct ca_identity *identity;
    struct proxy *proxy; /* from the first certificate on */
    struct event *signals[2], *deadline;
    uint64_t drain_max_ns;
    bool ending;
    int code;
};

static void stop(void *user)
{
    struct run *r = user;
    loop_stop(r->loop);
}

static void on_deadline(evutil_socket_t fd, short what, void *user)
{
    (void)fd;
    (void)what;
    stop(user);
}

static void on_signal(evutil_socket_t number, short what, void *user)
{
    struct run *r = user;
    (void)what;
    (void)number;
    if (r->ending || !r->proxy) {
        stop(r);
        return;
    }
    struct timeval tv = {.tv_sec = (time_t)(r->drain_max_ns / MU_SEC)};
    struct proxy_counters counters;
    proxy_counters(r->proxy, &counters);
    log_info(MODULE, "takes no more connections; %zu are still open", counters.open);
    r->ending = true;
    event_add(r->deadline, &tv);
    proxy_drain(r->proxy);
}

static bool serve(struct run *r, char *why, size_t whylen)
{
    const struct proxy_settings *s = r->settings;
    struct proxy_config c = {.base = loop_base(r->loop),
                             .identity = r->identity,
                             .agent_host = r->agent->host,
                             .agent_port = r->agent->port,
                             .token = r->agent->token,
                             .has_inbound = s->has_inbound,
                             .listen = s->listen,
                             .local = s->local,
                             .local_timeout_ns = s->local_timeout_ns,
                             .handshake_timeout_ns = s->handshake_timeout_ns,
                             .handshakes_max = HANDSHAKES_MAX,
                             .upstream_count = s->upstream_count,
                             .idle = stop,
                             .user = r};
    for (size_t i = 0; i < s->upstream_count; i++) {
        const struct settings_upstream *u = &s->upstreams[i];
        c.upstreams[i] = (struct proxy_upstream_config){u->service, u->datacenter, u->listen,
                                                        u->connect_timeout_ns};
    }
    r->proxy = proxy_create(&c, why, whylen);
    return r->proxy != NULL;
}

/* Listens once there is something to show: who comes before that is told so by TCP. */
static void on_state(void *user, enum ca_identity_state state, const char *why)
{
    struct run *r = user;
    char text[SETTINGS_WHY_MAX];
    log_write(state == CA_IDENTITY_FRESH ? MU_INFO : MU_WARN, MODULE, "identity is %s%s%s",
              ca_identity_state_name(state), *why ? ": " : "", why);
    if (state == CA_IDENTITY_FRESH && !r->proxy) {
        if (!serve(r, text, sizeof text)) {
            log_error(MODULE, "%s", text);
            r->code = 1;
            stop(r);
            return;
        }
        log_info(MODULE, "Proxy loaded config and ready to serve");
    }
}

static void on_log(void *user, enum mu_level level, const char *line)
{
    (void)user;
    log_write(level, "connect.identity", "%s", line);
}

static bool create_identity(struct run *r)
{
    struct ca_identity_config c;
    struct ca_diag diag;
    char agent[300];
    snprintf(agent, sizeof agent, strchr(r->agent->host, ':') ? "[%s]:%u" : "%s:%u", r->agent->host,
             r->agent->port);
    ca_identity_config_init(&c);
    c.base = loop_base(r->loop);
    c.agent = agent;
    c.service = r->settings->service;
    c.token = *r->agent->token ? r->agent->token : NULL;
    c.state = on_state;
    c.log = on_log;
    c.user = r;
    int code = ca_identity_create(&c, &r->identity, &diag);
    if (code) {
        log_error(MODULE, "%s: %s", ca_identity_strerror(code), diag.text);
    }
    return code == 0;
}

static bool add_events(struct run *r)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    r->deadline = evtimer_new(loop_base(r->loop), on_deadline, r);
    for (size_t i = 0; i < 2; i++) {
        r->signals[i] = evsignal_new(loop_base(r->loop), numbers[i], on_signal, r);
        if (!r->signals[i] || event_add(r->signals[i], NULL)) {
            return false;
        }
    }
    return r->deadline != NULL;
}

static void free_event(struct event *e)
{
    if (e) {
        event_free(e);
    }
}

int proxy_run(const struct proxy_settings *s, const struct proxy_agent *agent,
              uint64_t drain_max_ns)
{
    struct run r = {.settings = s, .agent = agent, .drain_max_ns = drain_max_ns};
    signal(SIGPIPE, SIG_IGN);
    files_raise_limit();
    r.loop = loop_create("proxy");
    if (!r.loop || !add_events(&r) || !create_identity(&r)) {
        r.code = 1;
    } else {
        loop_run(r.loop);
    }
    proxy_destroy(r.proxy);
    ca_identity_destroy(r.identity);
    free_event(r.signals[0]);
    free_event(r.signals[1]);
    free_event(r.deadline);
    loop_destroy(r.loop);
    return r.code;
}
