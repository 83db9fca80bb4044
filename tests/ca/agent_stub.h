/* agent_stub.h - an agent in this process, on an event_base: leaf, roots, intentions and self, with
 * blocking queries, as far as ca_identity.h asks for them. A test changes what it holds, or makes
 * it answer rubbish. */
#pragma once

#include "ca_kit.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

enum stub_kind { STUB_LEAF, STUB_ROOTS, STUB_LIST, STUB_MATCH, STUB_SELF, STUB_KINDS };
enum { STUB_WAITING_MAX = 16, STUB_ROOTS_MAX = 4, STUB_TEXT_MAX = 32768 };

struct stub_leaf {
    char name[32];
    uint64_t index; /* of the agent, when it was made */
    char text[STUB_TEXT_MAX];
};

struct stub {
    struct kit kit;
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    char address[64];
    int64_t now; /* of certificates that it signs */
    uint32_t leaf_ttl_s;
    uint64_t index[STUB_KINDS];
    struct ca_issuer *issuers[STUB_ROOTS_MAX]; /* the newest last; each a root */
    size_t first, count;                       /* which of them are given as roots */
    size_t signer;                             /* which one signs leafs */
    struct stub_leaf leafs[2];                 /* web, api */
    const char *intentions;                    /* JSON of web's matches */
    const char *self;
    const char *rubbish[STUB_KINDS]; /* instead of the body; NULL: none */
    int status[STUB_KINDS];          /* 0: 200 */
    unsigned asked[STUB_KINDS];
    struct evhttp_request *waiting[STUB_WAITING_MAX];
    size_t waiting_count;
};

#define STUB_ALLOW "{\"DebugConfig\":{\"ACLsEnabled\":false,\"ACLDefaultPolicy\":\"allow\"}}"
#define STUB_DENY  "{\"DebugConfig\":{\"ACLsEnabled\":true,\"ACLDefaultPolicy\":\"deny\"}}"
#define STUB_INTENTION(source, destination, action)                                                \
    "{\"SourceNS\":\"default\",\"SourceName\":\"" source                                           \
    "\",\"DestinationNS\":\"default\",\"DestinationName\":\"" destination                          \
    "\",\"Action\":\"" action "\"}"

static inline void stub_quote(char *out, struct mu_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '\n') {
            *out++ = '\\';
            *out++ = 'n';
        } else {
            *out++ = text.p[i];
        }
    }
    *out = '\0';
}

/* A leaf and its key, JSON as the agent gives it. */
static inline void stub_make_leaf(struct stub *s, const char *name, struct ca_issuer *issuer,
                                  char *out)
{
    static char uri[256], cert[8192], key_text[8192];
    char pem[4096];
    size_t len;
    struct ca_certificate *leaf;
    struct ca_key *key = kit_key(&s->kit);
    snprintf(uri, sizeof uri, "spiffe://" TD "/ns/default/dc/dc1/svc/%s", name);
    struct ca_csr *csr = kit_csr_of(&s->kit, key, uri);
    struct ca_leaf_request request = {.uri = str(uri),
                                      .terms = {.now_unix_s = s->now, .ttl_s = s->leaf_ttl_s}};
    assert_int_equal(ca_issuer_sign_leaf(issuer, csr, &request, &leaf, NULL), CA_OK);
    assert_int_equal(ca_key_write_pem(key, pem, sizeof pem, &len), CA_OK);
    stub_quote(cert, ca_certificate_pem(leaf));
    stub_quote(key_text, (struct mu_str){pem, len});
    snprintf(
        out, STUB_TEXT_MAX,
        "{\"CertPEM\":\"%s\",\"PrivateKeyPEM\":\"%s\",\"Service\":\"%s\",\"ServiceURI\":\"%s\"}",
        cert, key_text, name, uri);
    ca_certificate_destroy(leaf);
    ca_csr_destroy(csr);
    ca_key_destroy(key);
}

static inline const char *stub_leaf(struct stub *s, const char *name)
{
    struct stub_leaf *l = &s->leafs[strcmp(name, "api") == 0];
    if (l->index != s->index[STUB_LEAF]) {
        l->index = s->index[STUB_LEAF];
        stub_make_leaf(s, name, s->issuers[s->signer], l->text);
    }
    return l->text;
}

static inline const char *stub_roots(struct stub *s)
{
    static char out[STUB_TEXT_MAX], pem[8192];
    size_t n = (size_t)snprintf(out, sizeof out, "{\"TrustDomain\":\"" TD "\",\"Roots\":[");
    for (size_t i = s->first; i < s->count; i++) {
        stub_quote(pem, ca_certificate_pem(ca_issuer_certificate(s->issuers[i])));
        n += (size_t)snprintf(out + n, sizeof out - n,
                              "%s{\"RootCert\":\"%s\",\"IntermediateCerts\":null}",
                              i > s->first ? "," : "", pem);
    }
    snprintf(out + n, sizeof out - n, "]}");
    return out;
}

static inline const char *stub_body(struct stub *s, enum stub_kind kind, const char *name)
{
    static char out[STUB_TEXT_MAX];
    switch (kind) {
    case STUB_LEAF:
        return stub_leaf(s, name);
    case STUB_ROOTS:
        return stub_roots(s);
    case STUB_MATCH:
        snprintf(out, sizeof out, "{\"%s\":%s}", name,
                 strcmp(name, "web") == 0 ? s->intentions : "null");
        return out;
    case STUB_SELF:
        return s->self;
    default:
        return "[]";
    }
}

static inline enum stub_kind stub_kind_of(const char *path, const char *query, const char **name)
{
    static const char leaf[] = "/v1/agent/connect/ca/leaf/", match[] = "by=destination&name=";
    *name = "";
    if (strncmp(path, leaf, sizeof leaf - 1) == 0) {
        *name = path + sizeof leaf - 1;
        return STUB_LEAF;
    }
    if (strcmp(path, "/v1/connect/intentions/match") == 0) {
        assert_non_null(query);
        assert_memory_equal(query, match, sizeof match - 1);
        *name = query + sizeof match - 1;
        return STUB_MATCH;
    }
    if (strcmp(path, "/v1/agent/connect/ca/roots") == 0) {
        return STUB_ROOTS;
    }
    assert_true(strcmp(path, "/v1/agent/self") == 0 || strcmp(path, "/v1/connect/intentions") == 0);
    return path[4] == 'a' ? STUB_SELF : STUB_LIST;
}

/* Answers, or keeps the request until something changes. */
static inline void stub_answer(struct evhttp_request *req, void *user)
{
    struct stub *s = user;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *query = evhttp_uri_get_query(uri), *name;
    enum stub_kind kind = stub_kind_of(evhttp_uri_get_path(uri), query, &name);
    const char *at = query ? strstr(query, "index=") : NULL;
    bool good = !s->rubbish[kind] && !s->status[kind];
    if (good && at && strtoull(at + 6, NULL, 10) == s->index[kind]) {
        assert_true(s->waiting_count < STUB_WAITING_MAX);
        s->waiting[s->waiting_count++] = req;
        return;
    }
    char index[32];
    struct evbuffer *body = evbuffer_new();
    const char *text = s->rubbish[kind] ? s->rubbish[kind] : stub_body(s, kind, name);
    s->asked[kind]++;
    evbuffer_add(body, text, strlen(text));
    snprintf(index, sizeof index, "%llu", (unsigned long long)s->index[kind]);
    if (kind <= STUB_LIST) {
        evhttp_add_header(evhttp_request_get_output_headers(req), "X-Consul-Index", index);
    }
    evhttp_send_reply(req, s->status[kind] ? s->status[kind] : 200, "x", body);
    evbuffer_free(body);
}

/* Something of that kind is another one now. */
static inline void stub_touch(struct stub *s, enum stub_kind kind)
{
    s->index[kind]++;
    size_t n = s->waiting_count;
    struct evhttp_request *waiting[STUB_WAITING_MAX];
    memcpy(waiting, s->waiting, sizeof waiting);
    s->waiting_count = 0;
    for (size_t i = 0; i < n; i++) {
        stub_answer(waiting[i], s);
    }
}

static inline void stub_listen(struct stub *s, uint16_t port)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    s->http = evhttp_new(s->base);
    evhttp_set_gencb(s->http, stub_answer, s);
    s->bound = evhttp_bind_socket_with_handle(s->http, "127.0.0.1", port);
    assert_non_null(s->bound);
    getsockname(evhttp_bound_socket_get_fd(s->bound), (struct sockaddr *)&in, &len);
    snprintf(s->address, sizeof s->address, "127.0.0.1:%u", ntohs(in.sin_port));
}

/* It goes away, and whoever waits loses the connection. */
static inline void stub_vanish(struct stub *s)
{
    s->waiting_count = 0;
    evhttp_free(s->http);
    s->http = NULL;
}

static inline void stub_add_root(struct stub *s)
{
    assert_true(s->count < STUB_ROOTS_MAX);
    s->issuers[s->count++] = kit_issuer(&s->kit);
}

static inline void stub_init(struct stub *s, struct event_base *base, uint64_t seed)
{
    *s = (struct stub){.base = base, .now = NOW, .intentions = "null", .self = STUB_ALLOW};
    kit_init(&s->kit, seed);
    for (size_t n = 0; n < STUB_KINDS; n++) {
        s->index[n] = 10 + n;
    }
    stub_add_root(s);
    stub_listen(s, 0);
}

static inline void stub_fini(struct stub *s)
{
    if (s->http) {
        stub_vanish(s);
    }
    for (size_t n = 0; n < s->count; n++) {
        ca_issuer_destroy(s->issuers[n]);
    }
}
