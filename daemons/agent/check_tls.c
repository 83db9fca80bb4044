#include "agent/check_tls.h"

#include "agent/check_tls_trust.h"
#include "base/loop.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <mbedtls/net_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE       4096u
#define PENDING_MAX (32u << 10) /* of what one side has not taken yet: the other one waits */
#define WHY_MAX     512u

struct check__tls {
    struct loop *loop;
    /* The thread's own. */
    struct check__trust trust;
    struct tunnel *tunnels;
};

struct tunnel {
    struct check__tls *tls;
    struct tunnel *next, **link;
    struct bufferevent *net, *clear;
    char *name; /* expected of the certificate */
    struct check__tls_wish wish;
    struct check__trust_peer peer;
    mbedtls_ssl_context ssl;
    bool open;      /* the handshake is over */
    bool net_ended; /* nothing more comes from the net */
    bool finishing; /* nothing more comes of it: what clear has not taken yet is its last */
};

static void free_tunnel(struct tunnel *t)
{
    *t->link = t->next;
    if (t->next) {
        t->next->link = t->link;
    }
    mbedtls_ssl_free(&t->ssl);
    bufferevent_free(t->net);
    bufferevent_free(t->clear);
    free(t->name);
    free(t);
}

/* ---- TLS over the buffers of libevent ---- */

static int on_send(void *arg, const unsigned char *data, size_t len)
{
    struct tunnel *t = arg;
    if (evbuffer_get_length(bufferevent_get_output(t->net)) > PENDING_MAX) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    return bufferevent_write(t->net, data, len) ? MBEDTLS_ERR_NET_SEND_FAILED : (int)len;
}

static int on_receive(void *arg, unsigned char *data, size_t len)
{
    struct tunnel *t = arg;
    size_t n = bufferevent_read(t->net, data, len);
    if (n) {
        return (int)n;
    }
    return t->net_ended ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
}

static bool is_waiting(int result)
{
    return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* ---- The steps of a connection ---- */

static bool finish(struct tunnel *t)
{
    t->finishing = true;
    bufferevent_disable(t->net, EV_READ);
    return evbuffer_get_length(bufferevent_get_output(t->clear)) > 0;
}

static bool refuse(struct tunnel *t, const char *why)
{
    bufferevent_write(t->clear, why, strcspn(why, "\n"));
    bufferevent_write(t->clear, "\n", 1);
    return finish(t);
}

/* All three: false when the tunnel is to be freed. */
static bool shake_hands(struct tunnel *t)
{
    char why[WHY_MAX];
    int result = mbedtls_ssl_handshake(&t->ssl);
    if (is_waiting(result)) {
        return true;
    }
    if (result) {
        check__trust_explain(result, mbedtls_ssl_get_verify_result(&t->ssl), &t->peer, why,
                             sizeof why);
        return refuse(t, why);
    }
    t->open = true;
    bufferevent_write(t->clear, "\n", 1);
    return true;
}

static bool from_net(struct tunnel *t)
{
    unsigned char piece[PIECE];
    while (evbuffer_get_length(bufferevent_get_output(t->clear)) < PENDING_MAX) {
        int n = mbedtls_ssl_read(&t->ssl, piece, sizeof piece);
        if (is_waiting(n)) {
            return true;
        }
        if (n <= 0) { /* closed in order or not: a check sees an end in both cases */
            return finish(t);
        }
        bufferevent_write(t->clear, piece, (size_t)n);
    }
    return true;
}

/* A record is begun only when on_send takes it: one that has to be tried again must have the same
 * length, and the piece may have grown by then. */
static bool to_net(struct tunnel *t)
{
    struct evbuffer *in = bufferevent_get_input(t->clear);
    struct evbuffer_iovec piece;
    while (evbuffer_get_length(bufferevent_get_output(t->net)) <= PENDING_MAX &&
           evbuffer_peek(in, -1, NULL, &piece, 1) > 0) {
        int n = mbedtls_ssl_write(&t->ssl, piece.iov_base, piece.iov_len);
        if (n <= 0) {
            return is_waiting(n) ? true : finish(t);
        }
        evbuffer_drain(in, (size_t)n);
    }
    return true;
}

static void step(struct tunnel *t)
{
    bool lives = !t->finishing || evbuffer_get_length(bufferevent_get_output(t->clear)) > 0;
    if (lives && !t->finishing && !t->open) {
        lives = shake_hands(t);
    }
    if (lives && !t->finishing && t->open) {
        lives = to_net(t) && (t->finishing || from_net(t));
    }
    if (!lives) {
        free_tunnel(t);
    }
}

static void on_bytes(struct bufferevent *bev, void *arg)
{
    (void)bev;
    step(arg);
}

static void on_net_event(struct bufferevent *bev, short what, void *arg)
{
    struct tunnel *t = arg;
    (void)bev, (void)what;
    t->net_ended = true;
    step(t);
}

/* Says good-bye to the peer, if it can be said at once. */
static void take_leave(struct tunnel *t)
{
    struct evbuffer *out = bufferevent_get_output(t->net);
    if (t->open && !t->net_ended && !mbedtls_ssl_close_notify(&t->ssl)) {
        evbuffer_unfreeze(out, 1);
        evbuffer_write(out, bufferevent_getfd(t->net));
    }
}

/* The check has closed its end: it wants nothing more. */
static void on_clear_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev, (void)what;
    take_leave(arg);
    free_tunnel(arg);
}

/* ---- The beginning of a connection ---- */

struct order {
    struct check__tls *tls;
    int net, clear;
    char *name;
    struct check__tls_wish wish;
};

static struct tunnel *make_tunnel(struct order *o)
{
    struct event_base *base = loop_base(o->tls->loop);
    struct tunnel *t = calloc(1, sizeof *t);
    struct bufferevent *net = bufferevent_socket_new(base, o->net, BEV_OPT_CLOSE_ON_FREE),
                       *clear = bufferevent_socket_new(base, o->clear, BEV_OPT_CLOSE_ON_FREE);
    if (!t || !net || !clear) {
        net ? bufferevent_free(net) : (void)close(o->net);
        clear ? bufferevent_free(clear) : (void)close(o->clear);
        free(o->name);
        free(t);
        return NULL;
    }
    *t = (struct tunnel){
        .tls = o->tls, .net = net, .clear = clear, .name = o->name, .wish = o->wish};
    mbedtls_ssl_init(&t->ssl);
    t->next = o->tls->tunnels;
    t->link = &o->tls->tunnels;
    if (t->next) {
        t->next->link = &t->next;
    }
    o->tls->tunnels = t;
    return t;
}

/* Writing is watched on both sides: it lets the other one go on. What a check says is read whole,
 * as it is one request: its end would not be seen while it had to wait. */
static void listen_to(struct tunnel *t)
{
    bufferevent_setcb(t->net, on_bytes, on_bytes, on_net_event, t);
    bufferevent_setcb(t->clear, on_bytes, on_bytes, on_clear_event, t);
    bufferevent_setwatermark(t->net, EV_READ, 0, PENDING_MAX);
    bufferevent_enable(t->net, EV_READ | EV_WRITE);
    bufferevent_enable(t->clear, EV_READ | EV_WRITE);
}

static void on_begin(void *arg)
{
    struct order *o = arg;
    struct tunnel *t = make_tunnel(o);
    char why[WHY_MAX] = "out of memory";
    if (t) {
        listen_to(t);
        const mbedtls_ssl_config *c =
            check__trust_config(&o->tls->trust, &t->wish, why, sizeof why);
        /* An address is no SNI, and is looked for in the certificate by ourselves */
        const char *name = check__trust_is_address(t->name) ? NULL : t->name;
        if (!c || mbedtls_ssl_setup(&t->ssl, c) || mbedtls_ssl_set_hostname(&t->ssl, name)) {
            refuse(t, why);
        } else {
            t->peer.name = t->name;
            mbedtls_ssl_set_verify(&t->ssl, check__trust_look, &t->peer);
            mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_receive, NULL);
            step(t);
        }
    }
    free(o);
}

bool check__tls_begin(struct check__tls *tls, int net, int clear, const char *host,
                      const struct check__tls_wish *wish)
{
    struct order *o = malloc(sizeof *o);
    const char *given = tls->trust.options.server_name;
    char *name = strdup(*given ? given : host);
    if (!o || !name) {
        free(o);
        free(name);
        return false;
    }
    *o = (struct order){.tls = tls, .net = net, .clear = clear, .name = name, .wish = *wish};
    loop_post(tls->loop, on_begin, o);
    return true;
}

/* ---- Life ---- */

struct check__tls *check__tls_create(const struct check__tls_options *options)
{
    struct check__tls *tls = calloc(1, sizeof *tls);
    if (!tls) {
        return NULL;
    }
    tls->loop = loop_create("checks-tls");
    bool trusts = check__trust_init(&tls->trust, options);
    if (!tls->loop || !trusts || loop_start(tls->loop)) {
        loop_destroy(tls->loop);
        check__trust_fini(&tls->trust);
        free(tls);
        return NULL;
    }
    return tls;
}

void check__tls_destroy(struct check__tls *tls)
{
    if (!tls) {
        return;
    }
    loop_stop(tls->loop);
    loop_join(tls->loop);
    loop_drain(tls->loop); /* what has been ordered meanwhile becomes a tunnel, and ends with it */
    while (tls->tunnels) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the first one takes itself off the list. */
        free_tunnel(tls->tunnels);
    }
    loop_destroy(tls->loop);
    check__trust_fini(&tls->trust);
    free(tls);
}
