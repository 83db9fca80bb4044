/* pair.c - one connection from accept to its end.
 *
 *     inbound:  accepted (TLS) -> handshake -> authorized -> dial the local service -> relay
 *     outbound: accepted (plain) -> dial an instance -> handshake -> relay
 *
 * An outbound one that fails before the relay goes on with the next instance. */
#include "base/log.h"
#include "proxy/internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum state { STATE_DIAL, STATE_HANDSHAKE, STATE_RELAY };

struct pair {
    struct pair *next, **at; /* in proxy.pairs */
    struct proxy *proxy;
    struct listener *listener;
    const struct upstream *upstream; /* NULL: inbound */
    enum state state;
    bool counted; /* in listener.handshakes */
    size_t tries;
    struct stream plain, tls;
    struct event deadline;
    mbedtls_ssl_context ssl;
    struct ca_connection *connection;
    struct relay relay;
};

#define MODULE "connect.proxy"

/* ---- Its end ---- */

static void end_tls(struct pair *pair)
{
    mbedtls_ssl_free(&pair->ssl);
    mbedtls_ssl_init(&pair->ssl);
    ca_connection_destroy(pair->connection);
    pair->connection = NULL;
}

static void end_handshake(struct pair *pair)
{
    if (pair->counted) {
        pair->counted = false;
        proxy_handshakes(pair->listener, -1);
    }
}

static void finish(struct pair *pair)
{
    struct proxy *p = pair->proxy;
    end_handshake(pair);
    event_del(&pair->deadline);
    relay_fini(&pair->relay);
    end_tls(pair);
    stream_close(&pair->tls);
    stream_close(&pair->plain);
    *pair->at = pair->next;
    if (pair->next) {
        pair->next->at = pair->at;
    }
    free(pair);
    proxy_pair_gone(p);
}

void pair_abort(struct pair *pair)
{
    stream_abort(&pair->tls);
    stream_abort(&pair->plain);
    finish(pair);
}

/* ---- Relay ---- */

static void run_relay(struct pair *pair)
{
    switch (relay_pump(&pair->relay, pair->proxy->scratch)) {
    case RELAY_WAITS:
        break;
    case RELAY_AGAIN:
        stream_wake(&pair->tls);
        break;
    case RELAY_OVER:
        finish(pair);
        break;
    case RELAY_BROKEN:
        pair_abort(pair);
        break;
    }
}

static void begin_relay(struct pair *pair)
{
    event_del(&pair->deadline);
    pair->state = STATE_RELAY;
    relay_init(&pair->relay, &pair->plain, &pair->tls, &pair->ssl, &pair->proxy->bytes);
    run_relay(pair);
}

/* ---- Dialling ---- */

static void on_ready(void *user, struct stream *s);

static void set_deadline(struct pair *pair, uint64_t ns)
{
    struct timeval tv = {.tv_sec = (time_t)(ns / MU_SEC),
                         .tv_usec = (suseconds_t)(ns % MU_SEC / 1000)};
    event_base_update_cache_time(pair->proxy->base); /* from now, not from when the loop woke up */
    event_add(&pair->deadline, &tv);
}

/* Answers at once, and notices when the other end's machine has gone. */
static void tune(int fd)
{
    static const int on = 1, idle_s = 15, every_s = 15;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
}

static bool dial(struct pair *pair, struct stream *s, const struct proxy_address *to)
{
    int fd = socket(to->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    tune(fd);
    if ((connect(fd, (const struct sockaddr *)&to->at, to->len) && errno != EINPROGRESS) ||
        !stream_open(s, pair->proxy->base, fd, on_ready, pair)) {
        close(fd);
        return false;
    }
    pair->state = STATE_DIAL;
    return true;
}

static void dial_local(struct pair *pair)
{
    struct proxy *p = pair->proxy;
    set_deadline(pair, p->local_timeout_ns);
    if (!dial(pair, &pair->plain, &p->local)) {
        p->counters.unreached++;
        log_warn(MODULE, "local service: %s", strerror(errno));
        pair_abort(pair);
    }
}

/* The next instance, as long as there is one that has not been tried. */
static void dial_instance(struct pair *pair)
{
    const struct upstream *up = pair->upstream;
    struct proxy_address to;
    while (pair->tries < discovery_count(up->instances)) {
        pair->tries++;
        if (!discovery_next(up->instances, &to) || !dial(pair, &pair->tls, &to)) {
            continue;
        }
        char name[PROXY_ADDRESS_MAX];
        proxy_address_format(&to, name);
        int code = ca_identity_connect(pair->proxy->identity, &pair->ssl,
                                       (struct mu_str){up->service, strlen(up->service)},
                                       (struct mu_str){name, strlen(name)}, &pair->connection);
        if (code == 0) {
            set_deadline(pair, up->connect_timeout_ns);
            return;
        }
        log_warn(MODULE, "upstream %s: %s", up->service, ca_identity_strerror(code));
        stream_close(&pair->tls);
    }
    pair->proxy->counters.unreached++;
    log_warn(MODULE, "upstream %s: none of %zu instances could be reached", up->service,
             pair->tries);
    pair_abort(pair);
}

/* Before the relay, the way to the other side has failed. */
static void fail(struct pair *pair, const char *why)
{
    if (pair->upstream) {
        log_debug(MODULE, "upstream %s: %s", pair->upstream->service, why);
        end_tls(pair);
        stream_close(&pair->tls);
        dial_instance(pair);
        return;
    }
    if (pair->state == STATE_DIAL) {
        pair->proxy->counters.unreached++;
        log_warn(MODULE, "local service: %s", why);
    } else {
        pair->proxy->counters.refused++;
        log_debug(MODULE, "inbound connection refused: %s", why);
    }
    finish(pair);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    fail(arg, "timeout");
}

/* ---- Handshake ---- */

static void on_decision(void *user, struct ca_connection *c, bool allowed)
{
    struct pair *pair = user;
    if (!allowed) {
        const struct ca_peer *peer = ca_connection_peer(c);
        log_info(MODULE, "connection closed, no longer allowed: %.*s",
                 peer ? (int)peer->uri.len : 0, peer ? peer->uri.p : "");
        pair->proxy->counters.cut++;
        pair_abort(pair);
    }
}

static void deny(struct pair *pair)
{
    const struct ca_peer *peer = ca_connection_peer(pair->connection);
    log_warn(MODULE, "connection denied: %.*s", peer ? (int)peer->uri.len : 0,
             peer ? peer->uri.p : "");
    mbedtls_ssl_close_notify(&pair->ssl);
    fail(pair, "denied");
}

/* Shaken hands: is it whom it must be, and may it? */
static void decide(struct pair *pair)
{
    int code = ca_connection_established(pair->connection);
    if (code) {
        fail(pair, ca_identity_strerror(code));
        return;
    }
    if (!ca_connection_watch(pair->connection, on_decision, pair)) {
        deny(pair);
        return;
    }
    end_handshake(pair);
    if (pair->upstream) {
        begin_relay(pair);
    } else {
        dial_local(pair);
    }
}

static void shake_hands(struct pair *pair)
{
    int code = mbedtls_ssl_handshake(&pair->ssl);
    if (code == 0) {
        decide(pair);
    } else if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE) {
        char why[80];
        enum ca_verdict v = ca_connection_verdict(pair->connection);
        snprintf(why, sizeof why, "handshake: -0x%04x, %s", (unsigned)-code, ca_verdict_name(v));
        fail(pair, why);
    }
}

static void begin_handshake(struct pair *pair)
{
    pair->state = STATE_HANDSHAKE;
    stream_bio(&pair->tls, &pair->ssl);
    shake_hands(pair);
}

/* ---- Events ---- */

static void dialled(struct pair *pair, struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (!s->writable && !s->readable) {
        return;
    }
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
        fail(pair, strerror(error));
    } else if (pair->upstream) {
        begin_handshake(pair);
    } else {
        begin_relay(pair);
    }
}

static void on_ready(void *user, struct stream *s)
{
    struct pair *pair = user;
    switch (pair->state) {
    case STATE_DIAL:
        if (s == (pair->upstream ? &pair->tls : &pair->plain)) {
            dialled(pair, s);
        }
        break;
    case STATE_HANDSHAKE:
        if (s == &pair->tls) {
            shake_hands(pair);
        }
        break;
    case STATE_RELAY:
        run_relay(pair);
        break;
    }
}

static void accept_inbound(struct pair *pair)
{
    struct proxy *p = pair->proxy;
    int code = ca_identity_accept(p->identity, &pair->ssl, &pair->connection);
    pair->state = STATE_HANDSHAKE;
    if (code) {
        fail(pair, ca_identity_strerror(code));
        return;
    }
    set_deadline(pair, p->handshake_timeout_ns);
    begin_handshake(pair);
}

void pair_accept(struct listener *l, int fd)
{
    struct proxy *p = l->proxy;
    const struct upstream *upstream = l->upstream;
    struct pair *pair = calloc(1, sizeof *pair);
    p->counters.accepted++;
    if (!pair) {
        close(fd);
        return;
    }
    pair->proxy = p;
    pair->listener = l;
    pair->upstream = upstream;
    mbedtls_ssl_init(&pair->ssl);
    stream_init(&pair->tls);
    stream_init(&pair->plain);
    evtimer_assign(&pair->deadline, p->base, on_deadline, pair);
    tune(fd);
    if (!stream_open(upstream ? &pair->plain : &pair->tls, p->base, fd, on_ready, pair)) {
        close(fd);
        free(pair);
        return;
    }
    pair->next = p->pairs;
    pair->at = &p->pairs;
    if (pair->next) {
        pair->next->at = &pair->next;
    }
    p->pairs = pair;
    p->counters.open++;
    pair->counted = true;
    proxy_handshakes(l, 1);
    if (upstream) {
        dial_instance(pair);
    } else {
        accept_inbound(pair);
    }
}
