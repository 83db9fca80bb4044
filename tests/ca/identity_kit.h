/* identity_kit.h - two identities, web and api, at one agent_stub, and TLS between them in memory.
 */
#pragma once

#include "agent_stub.h"

#include <mbedtls/ssl.h>
#include <muster/ca_identity.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>

struct world;
struct party {
    struct world *world;
    struct ca_identity *identity;
    enum ca_identity_state state;
    char why[256];
};
struct world {
    struct event_base *base;
    struct stub stub;
    _Atomic int64_t now;
    struct party web, api;
};

static inline int64_t world_now(void *user)
{
    struct party *p = user;
    return atomic_load(&p->world->now);
}

static inline void party_state(void *user, enum ca_identity_state state, const char *why)
{
    struct party *p = user;
    p->state = state;
    snprintf(p->why, sizeof p->why, "%s", why);
}

static inline struct ca_identity_config party_config(struct world *w, struct party *p,
                                                     const char *service)
{
    struct ca_identity_config cfg;
    p->world = w;
    ca_identity_config_init(&cfg);
    cfg.base = w->base;
    cfg.agent = w->stub.address;
    cfg.service = service;
    cfg.retry_min_ns = MU_MSEC;
    cfg.retry_max_ns = 5 * MU_MSEC;
    cfg.check_ns = 5 * MU_MSEC;
    cfg.now_unix_s = world_now;
    cfg.state = party_state;
    cfg.user = p;
    return cfg;
}

static inline void party_start(struct world *w, struct party *p, const char *service)
{
    struct ca_identity_config cfg = party_config(w, p, service);
    struct ca_diag why = {{0}};
    int rc = ca_identity_create(&cfg, &p->identity, &why);
    if (rc != CA_OK) {
        print_error("%s\n", why.text);
    }
    assert_int_equal(rc, CA_OK);
}

/* Runs the loop until it holds; the test's own time limit is the only one. */
#define UNTIL(w, condition)                                                                        \
    while (!(condition)) {                                                                         \
        assert_int_equal(event_base_loop((w)->base, EVLOOP_ONCE), 0);                              \
    }
#define FRESH(p) ((p)->state == CA_IDENTITY_FRESH)

static inline void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    signal(SIGPIPE, SIG_IGN);
    w->base = event_base_new();
    atomic_init(&w->now, NOW);
    stub_init(&w->stub, w->base, seed);
}

static inline void world_start(struct world *w, uint64_t seed)
{
    world_init(w, seed);
    party_start(w, &w->web, "web");
    party_start(w, &w->api, "api");
    UNTIL(w, FRESH(&w->web) && FRESH(&w->api));
}

static inline void world_end(struct world *w)
{
    ca_identity_destroy(w->web.identity);
    ca_identity_destroy(w->api.identity);
    stub_fini(&w->stub);
    event_base_free(w->base);
}

static inline uint64_t generation(struct party *p)
{
    struct ca_identity_info info;
    ca_identity_info(p->identity, &info);
    return info.generation;
}

/* ---- TLS in memory: what one end writes the other one reads ---- */

struct pipe_end {
    unsigned char bytes[65536];
    size_t len;
    struct pipe_end *other;
};
static inline int pipe_send(void *user, const unsigned char *p, size_t len)
{
    struct pipe_end *to = ((struct pipe_end *)user)->other;
    if (len > sizeof to->bytes - to->len) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    memcpy(to->bytes + to->len, p, len);
    to->len += len;
    return (int)len;
}
static inline int pipe_recv(void *user, unsigned char *p, size_t len)
{
    struct pipe_end *e = user;
    size_t n = e->len < len ? e->len : len;
    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(p, e->bytes, n);
    memmove(e->bytes, e->bytes + n, e->len - n);
    e->len -= n;
    return (int)n;
}

struct call { /* from a client to a server */
    struct pipe_end ends[2];
    mbedtls_ssl_context client_ssl, server_ssl;
    struct ca_connection *client, *server;
    int client_rc, server_rc; /* of the handshake, then of ca_connection_established */
    unsigned changes;
    bool allowed;
};

static inline void call_changed(void *user, struct ca_connection *c, bool allowed)
{
    struct call *call = user;
    (void)c;
    call->changes++;
    call->allowed = allowed;
}

/* Begins both ends; false: one was refused, and *rc says why. */
static inline bool call_begin(struct call *call, struct ca_identity *client,
                              struct ca_identity *server, const char *expected, const char *session,
                              int *rc)
{
    memset(call, 0, sizeof *call);
    call->ends[0].other = &call->ends[1];
    call->ends[1].other = &call->ends[0];
    mbedtls_ssl_init(&call->client_ssl);
    mbedtls_ssl_init(&call->server_ssl);
    *rc = ca_identity_accept(server, &call->server_ssl, &call->server);
    if (*rc == CA_OK) {
        *rc = ca_identity_connect(client, &call->client_ssl, str(expected), str(session),
                                  &call->client);
    }
    if (*rc != CA_OK) {
        return false;
    }
    mbedtls_ssl_set_bio(&call->client_ssl, &call->ends[0], pipe_send, pipe_recv, NULL);
    mbedtls_ssl_set_bio(&call->server_ssl, &call->ends[1], pipe_send, pipe_recv, NULL);
    return true;
}

static inline bool waits(int rc)
{
    return rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* The whole handshake, and what both ends say to it. */
static inline bool call_finish(struct call *call)
{
    call->client_rc = call->server_rc = MBEDTLS_ERR_SSL_WANT_READ;
    for (int n = 0; n < 100 && (waits(call->client_rc) || waits(call->server_rc)); n++) {
        if (waits(call->client_rc)) {
            call->client_rc = mbedtls_ssl_handshake(&call->client_ssl);
        }
        if (waits(call->server_rc)) {
            call->server_rc = mbedtls_ssl_handshake(&call->server_ssl);
        }
    }
    if (call->client_rc == 0) {
        call->client_rc = ca_connection_established(call->client);
    }
    if (call->server_rc == 0) {
        call->server_rc = ca_connection_established(call->server);
    }
    return call->client_rc == 0 && call->server_rc == 0;
}

static inline bool call_make(struct call *call, struct ca_identity *client,
                             struct ca_identity *server, const char *expected, const char *session)
{
    int rc;
    return call_begin(call, client, server, expected, session, &rc) && call_finish(call);
}

static inline bool call_says(struct call *call, mbedtls_ssl_context *from, mbedtls_ssl_context *to)
{
    unsigned char byte[4] = {0};
    (void)call;
    return mbedtls_ssl_write(from, (const unsigned char *)"ping", 4) == 4 &&
           mbedtls_ssl_read(to, byte, sizeof byte) == 4 && memcmp(byte, "ping", 4) == 0;
}

static inline bool call_works(struct call *call)
{
    return call_says(call, &call->client_ssl, &call->server_ssl) &&
           call_says(call, &call->server_ssl, &call->client_ssl);
}

static inline void call_end(struct call *call)
{
    mbedtls_ssl_free(&call->client_ssl);
    mbedtls_ssl_free(&call->server_ssl);
    ca_connection_destroy(call->client);
    ca_connection_destroy(call->server);
    call->client = call->server = NULL;
}
