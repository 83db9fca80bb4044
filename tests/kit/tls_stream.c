#include "tls_stream.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <mbedtls/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES 16384u

struct tls_stream {
    struct tls_stream *next;
    struct tls_party *party;
    struct bufferevent *filter, *below;
    mbedtls_ssl_context ssl;
    bool is_open; /* the handshake is over */
    char why[256];
};

/* --- mbedTLS reads from and writes to the buffers of what is below --- */

static int take_below(void *arg, unsigned char *out, size_t len)
{
    struct tls_stream *s = arg;
    int got = evbuffer_remove(bufferevent_get_input(s->below), out, len);
    return got > 0 ? got : MBEDTLS_ERR_SSL_WANT_READ;
}

static int put_below(void *arg, const unsigned char *data, size_t len)
{
    struct tls_stream *s = arg;
    return evbuffer_add(bufferevent_get_output(s->below), data, len) == 0
               ? (int)len
               : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

static bool wants_more(int rc)
{
    return rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static enum bufferevent_filter_result end(struct tls_stream *s, int rc)
{
    short what = BEV_EVENT_READING | BEV_EVENT_ERROR;
    if (rc == 0 || rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        what = BEV_EVENT_READING | BEV_EVENT_EOF;
    } else {
        uint32_t flags = mbedtls_ssl_get_verify_result(&s->ssl);
        if (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED &&
            mbedtls_x509_crt_verify_info(s->why, sizeof s->why, "", flags) > 0) {
            s->why[strcspn(s->why, "\n")] = 0;
        } else {
            mbedtls_strerror(rc, s->why, sizeof s->why);
        }
        /* The alert, before everything is freed. */
        (void)evbuffer_write(bufferevent_get_output(s->below), bufferevent_getfd(s->below));
    }
    bufferevent_trigger_event(s->filter, what, BEV_TRIG_DEFER_CALLBACKS);
    return BEV_ERROR;
}

/* BEV_OK: it is over. */
static enum bufferevent_filter_result shake_hands(struct tls_stream *s)
{
    int rc = s->why[0] ? MBEDTLS_ERR_SSL_WANT_READ : mbedtls_ssl_handshake(&s->ssl);
    if (rc != 0) {
        return wants_more(rc) ? BEV_NEED_MORE : end(s, rc);
    }
    s->is_open = true;
    bufferevent_flush(s->filter, EV_WRITE, BEV_NORMAL); /* what has been waiting for this */
    return BEV_OK;
}

static enum bufferevent_filter_result decrypt(struct evbuffer *from, struct evbuffer *to,
                                              ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                              void *arg)
{
    (void)from;
    (void)limit;
    (void)mode;
    struct tls_stream *s = arg;
    enum bufferevent_filter_result result = s->is_open ? BEV_OK : shake_hands(s);
    if (result != BEV_OK) {
        return result;
    }
    result = BEV_NEED_MORE;
    for (;;) {
        unsigned char plain[RECORD_BYTES];
        int got = mbedtls_ssl_read(&s->ssl, plain, sizeof plain);
        if (wants_more(got)) {
            return result;
        }
        if (got <= 0) {
            return end(s, got);
        }
        evbuffer_add(to, plain, (size_t)got);
        result = BEV_OK;
    }
}

static enum bufferevent_filter_result encrypt(struct evbuffer *from, struct evbuffer *to,
                                              ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                              void *arg)
{
    (void)to;
    (void)limit;
    (void)mode;
    struct tls_stream *s = arg;
    if (!s->is_open) {
        return BEV_NEED_MORE;
    }
    for (size_t left; (left = evbuffer_get_length(from)) > 0;) {
        size_t len = left < RECORD_BYTES ? left : RECORD_BYTES;
        int put = mbedtls_ssl_write(&s->ssl, evbuffer_pullup(from, (ev_ssize_t)len), len);
        if (put <= 0) {
            return wants_more(put) ? BEV_NEED_MORE : end(s, put);
        }
        evbuffer_drain(from, (size_t)put);
    }
    return BEV_OK;
}

static void free_stream(void *arg)
{
    struct tls_stream *s = arg, **at = &s->party->streams;
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    mbedtls_ssl_free(&s->ssl);
    free(s);
}

struct bufferevent *tls_stream_new(struct tls_party *p, struct bufferevent *below, bool is_client)
{
    struct tls_stream *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    mbedtls_ssl_init(&s->ssl);
    s->party = p;
    s->below = below;
    s->next = p->streams;
    p->streams = s;
    if (mbedtls_ssl_setup(&s->ssl, is_client ? &p->client : &p->server) == 0) {
        s->filter =
            bufferevent_filter_new(below, decrypt, encrypt,
                                   BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS, free_stream, s);
    }
    if (!s->filter) {
        free_stream(s);
        return NULL;
    }
    mbedtls_ssl_set_bio(&s->ssl, s, put_below, take_below, NULL);
    if (is_client) {
        shake_hands(s);
    }
    return s->filter;
}

/* --- parties --- */

static void init_config(mbedtls_ssl_config *c, int endpoint, struct certificate *authority,
                        struct certificate *own)
{
    mbedtls_ssl_config_init(c);
    if (mbedtls_ssl_config_defaults(c, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        abort();
    }
    mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(c, &authority->crt, NULL);
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &authority->random);
    if (own && mbedtls_ssl_conf_own_cert(c, &own->crt, &own->key) != 0) {
        abort();
    }
}

void tls_party_init(struct tls_party *p, struct certificate *authority, struct certificate *own)
{
    p->streams = NULL;
    init_config(&p->client, MBEDTLS_SSL_IS_CLIENT, authority, own);
    init_config(&p->server, MBEDTLS_SSL_IS_SERVER, authority, own);
}

void tls_party_fini(struct tls_party *p)
{
    mbedtls_ssl_config_free(&p->client);
    mbedtls_ssl_config_free(&p->server);
}

struct bufferevent *tls_stream_of(const struct tls_stream *s)
{
    return s->filter;
}

static const struct tls_stream *find(const struct tls_party *p, const struct bufferevent *stream)
{
    const struct tls_stream *s = p->streams;
    while (s && s->filter != stream) {
        s = s->next;
    }
    return s;
}

bool tls_stream_subject(const struct tls_party *p, const struct bufferevent *stream, char *out,
                        size_t size)
{
    const struct tls_stream *s = find(p, stream);
    const mbedtls_x509_crt *crt = s && s->is_open ? mbedtls_ssl_get_peer_cert(&s->ssl) : NULL;
    return crt && mbedtls_x509_dn_gets(out, size, &crt->subject) > 0;
}

const char *tls_stream_why(const struct tls_party *p, const struct bufferevent *stream)
{
    const struct tls_stream *s = find(p, stream);
    return s && s->why[0] ? s->why : NULL;
}
