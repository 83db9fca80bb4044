#include "metric_sink.h"

#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE       "agent.telemetry"
#define PACKET_BYTES 1400u                /* of one datagram: whole lines */
#define UNSENT_MAX   ((size_t)256 * 1024) /* bytes that wait for a slow statsite */

struct metric_sink {
    enum metric_sink_kind kind;
    struct event_base *base;
    const char *key;
    const struct mu_strs *tags;
    struct sockaddr_storage to;
    socklen_t to_len;
    int udp;                 /* connected; -1: none */
    struct bufferevent *tcp; /* NULL: none, and the next interval makes one */
    bool has_failed;         /* and it was said */
};

static void say_failure(struct metric_sink *s, const char *why)
{
    if (!s->has_failed) {
        s->has_failed = true;
        log_warn(MODULE, "%s cannot be reached: %s", s->key, why);
    }
}

/* ---- UDP ---- */

/* Lost datagrams are lost. */
static void send_packets(struct metric_sink *s, const char *p, size_t left)
{
    while (left > 0) {
        size_t n = left < PACKET_BYTES ? left : PACKET_BYTES;
        while (n < left && n > 0 && p[n - 1] != '\n') {
            n--;
        }
        n = n ? n : left;
        if (send(s->udp, p, n, MSG_NOSIGNAL) < 0) {
            say_failure(s, strerror(errno));
        }
        p += n;
        left -= n;
    }
}

/* ---- TCP ---- */

static void hang_up(struct metric_sink *s)
{
    if (s->tcp) {
        bufferevent_free(s->tcp);
        s->tcp = NULL;
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct metric_sink *s = arg;
    (void)bev;
    if (what & BEV_EVENT_CONNECTED) {
        s->has_failed = false;
        return;
    }
    int err = EVUTIL_SOCKET_ERROR();
    say_failure(s, what & BEV_EVENT_ERROR ? strerror(err) : "the connection was closed");
    hang_up(s);
}

/* It says nothing that we want to hear. */
static void on_read(struct bufferevent *bev, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    (void)arg;
    evbuffer_drain(in, evbuffer_get_length(in));
}

static bool dial(struct metric_sink *s)
{
    s->tcp = bufferevent_socket_new(s->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!s->tcp) {
        return false;
    }
    bufferevent_setcb(s->tcp, on_read, NULL, on_event, s);
    bufferevent_enable(s->tcp, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect(s->tcp, (struct sockaddr *)&s->to, (int)s->to_len) != 0) {
        say_failure(s, strerror(errno));
        hang_up(s);
    }
    return s->tcp != NULL;
}

static void send_stream(struct metric_sink *s, const void *data, size_t len)
{
    if (!s->tcp && !dial(s)) {
        return;
    }
    if (evbuffer_get_length(bufferevent_get_output(s->tcp)) + len > UNSENT_MAX) {
        say_failure(s, "it does not read");
        hang_up(s);
        return;
    }
    bufferevent_write(s->tcp, data, len);
}

void metric_sink_send(struct metric_sink *s)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    metrics_write_statsd(&w, s->tags);
    if (!w.failed && w.len > 0) {
        if (s->kind == SINK_STATSITE) {
            send_stream(s, w.data, w.len);
        } else {
            send_packets(s, (const char *)w.data, w.len);
        }
    }
    mu__writer_fini(&w);
}

/* ---- Life ---- */

static bool look_up(struct metric_sink *s, const char *address)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    if (!colon || !colon[1] || (size_t)(colon - address) >= sizeof host) {
        log_warn(MODULE, "%s \"%s\" is not host:port", s->key, address);
        return false;
    }
    int n = (int)(colon - address);
    bool bracketed = n > 1 && address[0] == '[' && address[n - 1] == ']';
    snprintf(host, sizeof host, "%.*s", bracketed ? n - 2 : n, address + bracketed);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = s->kind == SINK_STATSITE ? SOCK_STREAM : SOCK_DGRAM},
                    *found = NULL;
    int rc = getaddrinfo(host[0] ? host : "127.0.0.1", colon + 1, &hints, &found);
    if (rc != 0) {
        log_warn(MODULE, "%s \"%s\": %s", s->key, address, gai_strerror(rc));
        return false;
    }
    memcpy(&s->to, found->ai_addr, found->ai_addrlen);
    s->to_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool open_udp(struct metric_sink *s, const char *address)
{
    s->udp = socket(s->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->udp >= 0 && connect(s->udp, (struct sockaddr *)&s->to, s->to_len) == 0) {
        return true;
    }
    log_warn(MODULE, "%s \"%s\": %s", s->key, address, strerror(errno));
    return false;
}

struct metric_sink *metric_sink_create(enum metric_sink_kind kind, struct event_base *base,
                                       const char *key, const char *address,
                                       const struct mu_strs *tags)
{
    struct metric_sink *s = calloc(1, sizeof *s);
    if (!s) {
        abort();
    }
    *s = (struct metric_sink){.kind = kind, .base = base, .key = key, .udp = -1};
    s->tags = kind == SINK_DOGSTATSD ? tags : NULL;
    if (!look_up(s, address) || (kind != SINK_STATSITE && !open_udp(s, address))) {
        metric_sink_destroy(s);
        return NULL;
    }
    return s;
}

void metric_sink_destroy(struct metric_sink *s)
{
    if (!s) {
        return;
    }
    hang_up(s);
    if (s->udp >= 0) {
        close(s->udp);
    }
    free(s);
}
