#include "agent/check_tls_trust.h"

#include <arpa/inet.h>
#include <mbedtls/error.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if MBEDTLS_VERSION_MAJOR < 3
#define PARSE_KEYFILE(t, path) mbedtls_pk_parse_keyfile(&(t)->key, path, NULL)
#else
#define PARSE_KEYFILE(t, path)                                                                     \
    mbedtls_pk_parse_keyfile(&(t)->key, path, NULL, mbedtls_ctr_drbg_random, &(t)->rng)
#endif

#define SAN_NAME    0x82 /* dNSName and iPAddress, RFC 5280 4.2.1.6 */
#define SAN_ADDRESS 0x87

static char *copy(const char *s)
{
    return strdup(s ? s : "");
}

static void free_text(const char *s)
{
    union {
        const char *lent;
        char *owned;
    } p = {.lent = s};
    free(p.owned);
}

bool check__trust_init(struct check__trust *t, const struct check__tls_options *o)
{
    memset(t, 0, sizeof *t);
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->rng);
    mbedtls_x509_crt_init(&t->authorities);
    mbedtls_x509_crt_init(&t->own);
    mbedtls_pk_init(&t->key);
    for (size_t i = 0; i < sizeof t->configs / sizeof *t->configs; i++) {
        mbedtls_ssl_config_init(&t->configs[i].config);
    }
    t->options = (struct check__tls_options){copy(o->ca_file), copy(o->ca_path), copy(o->cert_file),
                                             copy(o->key_file), copy(o->server_name)};
    return t->options.ca_file && t->options.ca_path && t->options.cert_file &&
           t->options.key_file && t->options.server_name;
}

void check__trust_fini(struct check__trust *t)
{
    for (size_t i = 0; i < sizeof t->configs / sizeof *t->configs; i++) {
        mbedtls_ssl_config_free(&t->configs[i].config);
    }
    mbedtls_pk_free(&t->key);
    mbedtls_x509_crt_free(&t->own);
    mbedtls_x509_crt_free(&t->authorities);
    mbedtls_ctr_drbg_free(&t->rng);
    mbedtls_entropy_free(&t->entropy);
    free_text(t->options.ca_file);
    free_text(t->options.ca_path);
    free_text(t->options.cert_file);
    free_text(t->options.key_file);
    free_text(t->options.server_name);
}

/* ---- Certificates ---- */

static bool say(char *why, size_t cap, const char *what, const char *path, int error)
{
    char text[128];
    mbedtls_strerror(error, text, sizeof text);
    snprintf(why, cap, "%s %s: %s", what, path, text);
    return false;
}

/* Where distributions keep the authorities that they trust. */
static const char *system_authorities(void)
{
    static const char *const paths[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem"};
    const char *given = getenv("SSL_CERT_FILE");
    if (given && *given) {
        return given;
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (!access(paths[i], R_OK)) {
            return paths[i];
        }
    }
    return NULL; /* nobody is trusted */
}

/* A bundle may hold a few certificates that we cannot read; what is read counts. */
static bool load_authorities(struct check__trust *t, char *why, size_t cap)
{
    const struct check__tls_options *o = &t->options;
    int error = 0;
    const char *path = *o->ca_file ? o->ca_file : NULL;
    if (t->has_authorities) {
        return true;
    }
    if (!path && *o->ca_path) {
        path = o->ca_path;
        error = mbedtls_x509_crt_parse_path(&t->authorities, path);
    } else {
        path = path ? path : system_authorities();
        error = path ? mbedtls_x509_crt_parse_file(&t->authorities, path) : 0;
    }
    if (error < 0) {
        mbedtls_x509_crt_free(&t->authorities); /* and read anew the next time */
        mbedtls_x509_crt_init(&t->authorities);
        return say(why, cap, "cannot read the authorities in", path, error);
    }
    t->has_authorities = true;
    return true;
}

static bool load_own(struct check__trust *t, char *why, size_t cap)
{
    const struct check__tls_options *o = &t->options;
    if (t->has_own || !*o->cert_file || !*o->key_file) {
        return true;
    }
    int error = mbedtls_x509_crt_parse_file(&t->own, o->cert_file);
    const char *path = o->cert_file;
    if (error == 0) {
        path = o->key_file;
        error = PARSE_KEYFILE(t, path);
    }
    if (error) {
        mbedtls_x509_crt_free(&t->own);
        mbedtls_x509_crt_init(&t->own);
        return say(why, cap, "cannot read", path, error);
    }
    t->has_own = true;
    return true;
}

static bool seed(struct check__trust *t, char *why, size_t cap)
{
    static const unsigned char personal[] = "muster checks";
    if (!t->seeded && mbedtls_ctr_drbg_seed(&t->rng, mbedtls_entropy_func, &t->entropy, personal,
                                            sizeof personal)) {
        snprintf(why, cap, "no entropy");
        return false;
    }
    t->seeded = true;
    return true;
}

const mbedtls_ssl_config *check__trust_config(struct check__trust *t,
                                              const struct check__tls_wish *wish, char *why,
                                              size_t cap)
{
    static const char *h2[] = {"h2", NULL};
    struct check__trust_config *c = &t->configs[wish->skip_verify + 2 * wish->h2];
    if (c->ready) {
        return &c->config;
    }
    if (!seed(t, why, cap) || !load_own(t, why, cap) ||
        (!wish->skip_verify && !load_authorities(t, why, cap))) {
        return NULL;
    }
    int error =
        mbedtls_ssl_config_defaults(&c->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT);
    if (!error && t->has_own) {
        error = mbedtls_ssl_conf_own_cert(&c->config, &t->own, &t->key);
    }
    if (!error && wish->h2) {
        error = mbedtls_ssl_conf_alpn_protocols(&c->config, h2);
    }
    if (error) {
        mbedtls_ssl_config_free(&c->config);
        mbedtls_ssl_config_init(&c->config);
        snprintf(why, cap, "out of memory");
        return NULL;
    }
    mbedtls_ssl_conf_rng(&c->config, mbedtls_ctr_drbg_random, &t->rng);
    mbedtls_ssl_conf_authmode(&c->config, wish->skip_verify ? MBEDTLS_SSL_VERIFY_NONE
                                                            : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&c->config, &t->authorities, NULL);
    c->ready = true;
    return &c->config;
}

/* ---- Names and words ---- */

static size_t parse_address(const char *name, unsigned char out[16])
{
    return inet_pton(AF_INET, name, out) == 1 ? 4 : inet_pton(AF_INET6, name, out) == 1 ? 16 : 0;
}

bool check__trust_is_address(const char *name)
{
    unsigned char address[16];
    return parse_address(name, address) > 0;
}

static void explain_address(bool any, const char *name, char *why, size_t cap)
{
    snprintf(
        why, cap,
        any ? "x509: certificate is not valid for %s"
            : "x509: cannot validate certificate for %s because it doesn't contain any IP SANs",
        name);
}

/* mbedTLS 2.28 does not compare addresses. */
static bool has_address(const mbedtls_x509_crt *cert, const char *name, bool *any)
{
    unsigned char address[16];
    size_t len = parse_address(name, address);
    *any = false;
    for (const mbedtls_x509_sequence *s = &cert->subject_alt_names; s; s = s->next) {
        if (s->buf.tag == SAN_ADDRESS) {
            *any = true;
            if (s->buf.len == len && !memcmp(s->buf.p, address, len)) {
                return true;
            }
        }
    }
    return false;
}

/* "x509: certificate is valid for a, b, not c" */
static void explain_name(const mbedtls_x509_crt *cert, const char *name, char *why, size_t cap)
{
    size_t at = 0;
    for (const mbedtls_x509_sequence *s = &cert->subject_alt_names; s; s = s->next) {
        if (s->buf.tag == SAN_NAME && at < cap / 2) {
            int n =
                snprintf(why + at, cap - at, at ? ", %.*s" : "x509: certificate is valid for %.*s",
                         (int)(s->buf.len < 64 ? s->buf.len : 64), (const char *)s->buf.p);
            at += n > 0 ? (size_t)n : 0;
        }
    }
    if (at) {
        snprintf(why + at, cap - at, ", not %s", name);
    } else {
        snprintf(why, cap, "x509: certificate is not valid for any names, but wanted to match %s",
                 name);
    }
}

int check__trust_look(void *arg, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    struct check__trust_peer *p = arg;
    bool any;
    if (depth) {
        return 0;
    }
    if (!check__trust_is_address(p->name)) {
        if (*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) {
            explain_name(cert, p->name, p->mismatch, sizeof p->mismatch);
        }
    } else if (!has_address(cert, p->name, &any)) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
        explain_address(any, p->name, p->mismatch, sizeof p->mismatch);
    }
    return 0;
}

static void explain_certificate(uint32_t flags, const struct check__trust_peer *peer, char *why,
                                size_t cap)
{
    if (flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) {
        snprintf(why, cap, "x509: certificate has expired or is not yet valid");
    } else if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) {
        snprintf(why, cap, "x509: certificate signed by unknown authority");
    } else if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) {
        snprintf(why, cap, "%s", peer->mismatch);
    } else {
        snprintf(why, cap, "x509: certificate is not acceptable");
    }
}

void check__trust_explain(int error, uint32_t flags, const struct check__trust_peer *peer,
                          char *why, size_t cap)
{
    char text[128];
    if (error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        explain_certificate(flags, peer, why, cap);
    } else if (error == MBEDTLS_ERR_SSL_INVALID_RECORD) {
        snprintf(why, cap, "tls: first record does not look like a TLS handshake");
    } else if (error == MBEDTLS_ERR_SSL_CONN_EOF) {
        snprintf(why, cap, "EOF");
    } else if (error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        snprintf(why, cap, "remote error: tls: the handshake was refused");
    } else {
        mbedtls_strerror(error, text, sizeof text);
        snprintf(why, cap, "tls: %s", text);
    }
}
