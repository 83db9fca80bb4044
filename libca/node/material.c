/* material.c - trust, certificate with key, and rules: made once, never changed, counted. */
#include "identity.h"

#include <errno.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int identity__random(void *user, unsigned char *out, size_t len)
{
    (void)user;
    for (size_t got = 0; got < len;) {
        ssize_t n = getrandom(out + got, len - got, 0);
        if (n < 0 && errno != EINTR) {
            return MBEDTLS_ERR_PK_BAD_INPUT_DATA;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* True for the last user. */
static bool leave(atomic_uint *users)
{
    return atomic_fetch_sub_explicit(users, 1, memory_order_acq_rel) == 1;
}

/* ---- Trust ---- */

struct identity__trust *identity__trust_create(const struct mu_allocator *a,
                                               const char *trust_domain)
{
    struct identity__trust *t = mu__calloc(a, 1, sizeof *t);
    if (!t) {
        return NULL;
    }
    t->allocator = *a;
    atomic_init(&t->users, 1);
    snprintf(t->trust_domain, sizeof t->trust_domain, "%s", trust_domain);
    struct ca_trust_config cfg;
    ca_trust_config_init(&cfg);
    cfg.trust_domain = identity__str(t->trust_domain);
    cfg.roots_max = IDENTITY_ROOTS_MAX;
    cfg.allocator = a;
    if (ca_trust_create(&cfg, &t->ca) != CA_OK) {
        mu__free(a, t);
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    mbedtls_ssl_ticket_init(&t->tickets);
    return t;
}

const char *identity__trust_ready(struct identity__trust *t, uint32_t ticket_lifetime_s)
{
    for (size_t i = 0; i < t->count; i++) {
        if (ca_trust_add(t->ca, t->roots[i]) != CA_OK) {
            return "out of memory";
        }
    }
    return mbedtls_ssl_ticket_setup(&t->tickets, identity__random, NULL, MBEDTLS_CIPHER_AES_256_GCM,
                                    ticket_lifetime_s) == 0
               ? NULL
               : "no key for session tickets";
}

void identity__trust_release(struct identity__trust *t)
{
    if (!t || !leave(&t->users)) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        ca_certificate_destroy(t->roots[i]);
    }
    for (size_t i = 0; i < t->between_count; i++) {
        ca_certificate_destroy(t->between[i]);
    }
    mbedtls_ssl_ticket_free(&t->tickets);
    ca_trust_destroy(t->ca);
    pthread_mutex_destroy(&t->lock);
    mu__free(&t->allocator, t);
}

static bool same_certificates(struct ca_certificate *const *a, struct ca_certificate *const *b,
                              size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mu_str x = ca_certificate_der(a[i]), y = ca_certificate_der(b[i]);
        if (x.len != y.len || memcmp(x.p, y.p, x.len) != 0) {
            return false;
        }
    }
    return true;
}

bool identity__trust_same(const struct identity__trust *a, const struct identity__trust *b)
{
    return a->count == b->count && a->between_count == b->between_count &&
           strcmp(a->trust_domain, b->trust_domain) == 0 &&
           same_certificates(a->roots, b->roots, a->count) &&
           same_certificates(a->between, b->between, a->between_count);
}

int identity__verify(struct identity__trust *t, const struct ca_verify_request *request,
                     struct ca_verified *out)
{
    pthread_mutex_lock(&t->lock);
    int rc = ca_verify(t->ca, request, out);
    pthread_mutex_unlock(&t->lock);
    return rc;
}

/* ---- Rules ---- */

void identity__rules_release(struct identity__rules *r)
{
    if (r && leave(&r->users)) {
        ca_intentions_destroy(r->table);
        mu__free(&r->allocator, r);
    }
}

/* ---- Certificate and key ---- */

void identity__material_release(struct identity__material *m)
{
    if (!m || !leave(&m->users)) {
        return;
    }
    mbedtls_ssl_config_free(&m->server);
    mbedtls_ssl_config_free(&m->client);
    mbedtls_pk_free(&m->key); /* wipes it */
    mbedtls_x509_crt_free(&m->chain);
    identity__trust_release(m->trust);
    struct mu_allocator a = m->allocator;
    mu__free(&a, m);
}

/* What is fast where AES is in hardware, and on TLS 1.2 what Consul's proxies speak as well. */
static const int ciphersuites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                   MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                   MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                   MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                   MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                   MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                   0};

/* A connection that was not made by ca_identity_accept or _connect trusts nobody. */
static int refuse(void *user, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    (void)user, (void)crt, (void)depth;
    *flags |= MBEDTLS_X509_BADCERT_OTHER;
    return 0;
}

static int configure(struct identity__material *m, mbedtls_ssl_config *conf, int endpoint)
{
    int rc = mbedtls_ssl_config_defaults(conf, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc != 0) {
        return rc;
    }
#if MBEDTLS_VERSION_MAJOR < 3
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#else
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
    mbedtls_ssl_conf_ciphersuites(conf, ciphersuites);
    mbedtls_ssl_conf_rng(conf, identity__random, NULL);
    mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_verify(conf, refuse, NULL);
    /* ca_verify is the judge, in the verify callback. mbedTLS wants some CA for its own search; the
     * leaf is one that signs nothing, so no signature is checked twice. */
    mbedtls_ssl_conf_ca_chain(conf, &m->chain, NULL);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    if (endpoint == MBEDTLS_SSL_IS_SERVER) {
        mbedtls_ssl_conf_cert_req_ca_list(conf, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
        mbedtls_ssl_conf_session_tickets_cb(conf, mbedtls_ssl_ticket_write,
                                            mbedtls_ssl_ticket_parse, &m->trust->tickets);
    }
    return mbedtls_ssl_conf_own_cert(conf, &m->chain, &m->key);
}

static struct identity__material *material_new(const struct mu_allocator *a,
                                               struct identity__trust *trust)
{
    struct identity__material *m = mu__calloc(a, 1, sizeof *m);
    if (m) {
        m->allocator = *a;
        atomic_init(&m->users, 1);
        m->trust = trust;
        atomic_fetch_add(&trust->users, 1);
        mbedtls_x509_crt_init(&m->chain);
        mbedtls_pk_init(&m->key);
        mbedtls_ssl_config_init(&m->server);
        mbedtls_ssl_config_init(&m->client);
    }
    return m;
}

/* One signature now: 2.28 computes a table with a key's first one and keeps it in the key, which
 * threads that share the key must not do at the same time. It also shows that the key works. */
static int sign_once(mbedtls_pk_context *key)
{
    unsigned char hash[32] = {1}, sig[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t len;
#if MBEDTLS_VERSION_MAJOR < 3
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, sizeof hash, sig, &len, identity__random,
                           NULL);
#else
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, sizeof hash, sig, sizeof sig, &len,
                           identity__random, NULL);
#endif
}

static int load_key(struct identity__material *m, const unsigned char *bytes, size_t len)
{
#if MBEDTLS_VERSION_MAJOR < 3
    int rc = mbedtls_pk_parse_key(&m->key, bytes, len, NULL, 0);
    rc = rc ? rc : mbedtls_pk_check_pair(&m->chain.pk, &m->key);
#else
    int rc = mbedtls_pk_parse_key(&m->key, bytes, len, NULL, 0, identity__random, NULL);
    rc = rc ? rc : mbedtls_pk_check_pair(&m->chain.pk, &m->key, identity__random, NULL);
#endif
    return rc ? rc : sign_once(&m->key);
}

static bool finish(struct identity__material *m)
{
    return configure(m, &m->server, MBEDTLS_SSL_IS_SERVER) == 0 &&
           configure(m, &m->client, MBEDTLS_SSL_IS_CLIENT) == 0;
}

static void describe(struct identity__material *m, const struct ca_certificate *leaf)
{
    const struct ca_certificate_info *info = ca_certificate_info(leaf);
    snprintf(m->uri, sizeof m->uri, "%.*s", (int)info->uri.len, info->uri.p ? info->uri.p : "");
    m->not_after_unix_s = info->not_after_unix_s;
}

/* Ours, as a server and as a client, for all who have these roots. */
static const char *judge(struct ca_identity *i, const struct identity__leaf *leaf,
                         struct identity__trust *trust)
{
    struct mu_str between[IDENTITY_CHAIN_MAX];
    for (size_t n = 1; n < leaf->count; n++) {
        between[n - 1] = ca_certificate_der(leaf->chain[n]);
    }
    struct ca_verify_request request = {.leaf = ca_certificate_der(leaf->chain[0]),
                                        .intermediates = between,
                                        .intermediate_count = leaf->count - 1,
                                        .now_unix_s = identity__now(i)};
    for (int p = 0; p < 2; p++) {
        struct ca_verified v;
        request.purpose = p ? CA_PURPOSE_CLIENT : CA_PURPOSE_SERVER;
        if (identity__verify(trust, &request, &v) != CA_OK) {
            return ca_verdict_text(v.verdict);
        }
        if (v.id.kind != CA_ID_SERVICE || v.id.name.len != strlen(i->service) ||
            memcmp(v.id.name.p, i->service, v.id.name.len) != 0) {
            return "its SPIFFE id is another service's";
        }
    }
    return NULL;
}

struct identity__material *identity__material_create(struct ca_identity *i,
                                                     const struct identity__leaf *leaf,
                                                     struct identity__trust *trust, bool keep,
                                                     struct ca_diag *diag)
{
    struct identity__material *m = material_new(&i->allocator, trust);
    const char *why = m ? judge(i, leaf, trust) : "out of memory";
    if (m) {
        describe(m, leaf->chain[0]);
        m->vouched = !why;
        why = keep ? NULL : why;
    }
    for (size_t n = 0; !why && n < leaf->count; n++) {
        struct mu_str der = ca_certificate_der(leaf->chain[n]);
        if (mbedtls_x509_crt_parse_der(&m->chain, (const unsigned char *)der.p, der.len) != 0) {
            why = "mbedTLS cannot read it";
        }
    }
    if (!why && load_key(m, (const unsigned char *)leaf->key_pem, strlen(leaf->key_pem) + 1) != 0) {
        why = "its private key is not that of the certificate";
    }
    if (!why && !finish(m)) {
        why = "mbedTLS is out of memory";
    }
    if (why) {
        snprintf(diag->text, sizeof diag->text, "the leaf: %.150s", why);
        identity__material_release(m);
        return NULL;
    }
    return m;
}
