#include "connection.h"

#include <mbedtls/version.h>
#include <string.h>

/* ---- What the peer shows ---- */

/* Copies the chain; CA_V_TRUSTED, or why it is not to be had. */
static enum ca_verdict keep_shown(struct ca_connection *c, const mbedtls_x509_crt *chain)
{
    size_t len = chain->raw.len, count = 0; /* and room for the id's text, which is in the leaf */
    for (const mbedtls_x509_crt *x = chain; x; x = x->next) {
        if (++count > IDENTITY_CHAIN_MAX || x->raw.len > CA_CERTIFICATE_MAX) {
            return CA_V_TOO_LONG;
        }
        len += x->raw.len;
    }
    unsigned char *at = mu__realloc(&c->identity->allocator, c->shown, len, 1);
    if (!at) {
        return CA_V_TOO_LONG;
    }
    c->shown = at;
    c->shown_len = len;
    c->count = 0;
    for (const mbedtls_x509_crt *x = chain; x; x = x->next) {
        memcpy(at, x->raw.p, x->raw.len);
        c->certificates[c->count++] = (struct mu_str){(const char *)at, x->raw.len};
        at += x->raw.len;
    }
    return CA_V_TRUSTED;
}

/* Reads who it is out of the leaf that was kept. */
static int read_peer(struct ca_connection *c, struct ca_certificate_info *info)
{
    struct ca_certificate *leaf;
    const struct mu_str der = c->certificates[0];
    int rc = ca_certificate_parse(der, &c->identity->allocator, &leaf, NULL);
    if (rc != CA_OK) {
        return rc;
    }
    *info = *ca_certificate_info(leaf);
    const char *at = info->uri.len ? memmem(der.p, der.len, info->uri.p, info->uri.len) : NULL;
    c->peer.uri = (struct mu_str){at, info->uri.len};
    ca_certificate_destroy(leaf);
    info->uri = c->peer.uri;
    return at ? ca_id_parse(c->peer.uri, (char *)c->shown + c->shown_len - der.len, &c->peer.id)
              : CA_EID;
}

static bool is_expected(const struct ca_connection *c)
{
    const struct ca_id *id = &c->peer.id;
    return !*c->service || (id->kind == CA_ID_SERVICE && id->name.len == strlen(c->service) &&
                            memcmp(id->name.p, c->service, id->name.len) == 0);
}

static struct identity__trust *newest_trust(struct ca_identity *i)
{
    pthread_mutex_lock(&i->lock);
    struct identity__trust *t = identity__trust_get(i);
    pthread_mutex_unlock(&i->lock);
    return t;
}

/* mbedTLS asks from the top down to the leaf, whose answer alone counts: ca_verify's. What mbedTLS
 * itself has found, with the leaf for its only root, is dropped. */
static int on_verify(void *user, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct ca_connection *c = user;
    *flags = 0;
    if (depth > 0) {
        return 0;
    }
    struct ca_certificate_info info;
    struct identity__trust *trust = newest_trust(c->identity);
    c->verdict = keep_shown(c, crt);
    if (c->verdict == CA_V_TRUSTED) {
        c->verdict = identity__judge_shown(c, trust, &c->peer.not_after_unix_s);
    }
    if (c->verdict == CA_V_TRUSTED && read_peer(c, &info) != CA_OK) {
        c->verdict = CA_V_SPIFFE_ID;
    }
    identity__trust_release(trust);
    if (c->verdict != CA_V_TRUSTED || !is_expected(c)) {
        *flags |= MBEDTLS_X509_BADCERT_OTHER;
    }
    return 0;
}

/* ---- Beginning and end ---- */

static int ready(struct ca_identity *i, struct identity__material **m)
{
    int rc = CA_OK;
    *m = NULL;
    pthread_mutex_lock(&i->lock);
    if (!i->material || !i->rules) {
        rc = CA_IDENTITY_ENOTREADY;
    } else if (identity__now(i) > i->material->not_after_unix_s) {
        rc = CA_IDENTITY_EEXPIRED;
    } else {
        *m = identity__material_get(i);
    }
    pthread_mutex_unlock(&i->lock);
    return rc;
}

static void link_in(struct ca_connection *c)
{
    struct ca_identity *i = c->identity;
    pthread_mutex_lock(&i->lock);
    c->next = i->connections;
    if (c->next) {
        c->next->prev = c;
    }
    i->connections = c;
    i->connection_count++;
    pthread_mutex_unlock(&i->lock);
}

static void link_out(struct ca_connection *c)
{
    struct ca_identity *i = c->identity;
    pthread_mutex_lock(&i->lock);
    if (i->cursor == c) {
        i->cursor = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    *(c->prev ? &c->prev->next : &i->connections) = c->next;
    i->connection_count--;
    pthread_mutex_unlock(&i->lock);
}

static void free_connection(struct ca_connection *c)
{
    identity__material_release(c->material);
    mu__free(&c->identity->allocator, c->shown);
    mu__free(&c->identity->allocator, c);
}

static int begin(struct ca_identity *i, mbedtls_ssl_context *ssl, bool is_client,
                 struct ca_connection **out)
{
    struct identity__material *m;
    int rc = ready(i, &m);
    if (rc != CA_OK) {
        return rc;
    }
    struct ca_connection *c = mu__calloc(&i->allocator, 1, sizeof *c);
    if (!c) {
        identity__material_release(m);
        return CA_ENOMEM;
    }
    c->identity = i;
    c->material = m;
    c->ssl = ssl;
    c->is_client = is_client;
    c->verdict = CA_V_UNKNOWN_ISSUER; /* nothing was shown */
    atomic_init(&c->trusted, false);
    if (mbedtls_ssl_setup(ssl, is_client ? &m->client : &m->server) != 0) {
        free_connection(c);
        return CA_IDENTITY_ETLS;
    }
    mbedtls_ssl_set_verify(ssl, on_verify, c);
    *out = c;
    return CA_OK;
}

int ca_identity_accept(struct ca_identity *i, struct mbedtls_ssl_context *ssl,
                       struct ca_connection **out)
{
    *out = NULL;
    int rc = begin(i, ssl, false, out);
    if (rc == CA_OK) {
        link_in(*out);
    }
    return rc;
}

static bool copy_name(char out[IDENTITY_NAME_MAX + 1], struct mu_str name)
{
    bool ok = name.len <= IDENTITY_NAME_MAX && !(name.len && memchr(name.p, 0, name.len));
    if (ok && name.len) {
        memcpy(out, name.p, name.len); /* the zero is there */
    }
    return ok;
}

int ca_identity_connect(struct ca_identity *i, struct mbedtls_ssl_context *ssl,
                        struct mu_str service, struct mu_str session, struct ca_connection **out)
{
    char names[2][IDENTITY_NAME_MAX + 1] = {{0}};
    struct ca_connection *c;
    *out = NULL;
    if (!copy_name(names[0], service) || !copy_name(names[1], session)) {
        return CA_EINVAL;
    }
    int rc = begin(i, ssl, true, &c);
    if (rc != CA_OK) {
        return rc;
    }
    memcpy(c->service, names[0], sizeof c->service);
    memcpy(c->session, names[1], sizeof c->session);
    (void)mbedtls_ssl_set_hostname(ssl, NULL); /* names are SPIFFE's; 3.6 wants to hear so */
    if (*c->session) {
        identity__session_resume(i, c->service, c->session, c->material, ssl);
    }
    link_in(c);
    *out = c;
    return CA_OK;
}

void ca_connection_destroy(struct ca_connection *c)
{
    if (!c) {
        return;
    }
    struct ca_identity *i = c->identity;
    pthread_mutex_lock(&i->calls);
    link_out(c);
    pthread_mutex_unlock(&i->calls);
    free_connection(c);
}

/* ---- After the handshake ---- */

/* A session that was verified when it began, under the same roots: whose is it, and do its
 * certificates hold still? */
static int read_resumed(struct ca_connection *c)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(c->ssl);
    struct ca_certificate_info info;
    c->verdict = crt ? keep_shown(c, crt) : CA_V_UNKNOWN_ISSUER;
    if (c->verdict != CA_V_TRUSTED) {
        return CA_EUNTRUSTED;
    }
    if (read_peer(c, &info) != CA_OK) {
        c->verdict = CA_V_SPIFFE_ID;
        return CA_EUNTRUSTED;
    }
    int64_t now = identity__now(c->identity);
    c->verdict = now > info.not_after_unix_s    ? CA_V_EXPIRED
                 : now < info.not_before_unix_s ? CA_V_NOT_YET_VALID
                                                : CA_V_TRUSTED;
    c->peer.not_after_unix_s = info.not_after_unix_s;
    c->peer.resumed = true;
    c->epoch = c->material->trust->epoch;
    return c->verdict == CA_V_TRUSTED ? CA_OK : CA_EUNTRUSTED;
}

/* Settles it, unless other roots have come since they were asked. */
static bool settle(struct ca_connection *c)
{
    struct ca_identity *i = c->identity;
    pthread_mutex_lock(&i->lock);
    bool same = i->trust->epoch == c->epoch;
    if (same) {
        atomic_store(&c->trusted, true);
        c->established = true;
    }
    pthread_mutex_unlock(&i->lock);
    return same;
}

int ca_connection_established(struct ca_connection *c)
{
    struct ca_identity *i = c->identity;
    if (c->established) {
        return CA_OK;
    }
    int rc = c->count == 0 ? read_resumed(c) : c->verdict == CA_V_TRUSTED ? CA_OK : CA_EUNTRUSTED;
    if (rc == CA_OK && !is_expected(c)) {
        rc = CA_IDENTITY_ESERVICE;
    }
    while (rc == CA_OK && !settle(c)) {
        struct identity__trust *trust = newest_trust(i);
        c->verdict = identity__judge_shown(c, trust, &c->peer.not_after_unix_s);
        identity__trust_release(trust);
        rc = c->verdict == CA_V_TRUSTED ? CA_OK : CA_EUNTRUSTED;
    }
    if (rc == CA_OK && *c->session && c->epoch == c->material->trust->epoch) {
        identity__session_keep(i, c->service, c->session, c->material, c->peer.not_after_unix_s,
                               c->ssl);
    }
    return rc;
}

const struct ca_peer *ca_connection_peer(const struct ca_connection *c)
{
    return c->established ? &c->peer : NULL;
}

enum ca_verdict ca_connection_verdict(const struct ca_connection *c)
{
    return c->verdict;
}

bool ca_connection_authorize(struct ca_connection *c, struct ca_authorization *out)
{
    if (out) {
        *out = (struct ca_authorization){.allowed = false};
    }
    if (!c->established || !atomic_load(&c->trusted)) {
        return false;
    }
    if (c->is_client) {
        if (out) {
            out->allowed = true;
        }
        return true;
    }
    return ca_identity_authorize(c->identity, &c->peer.id, out);
}

bool ca_connection_watch(struct ca_connection *c, ca_connection_changed_fn changed, void *user)
{
    struct ca_identity *i = c->identity;
    pthread_mutex_lock(&i->calls);
    c->changed = changed;
    c->user = user;
    c->told = ca_connection_authorize(c, NULL);
    bool allowed = c->told;
    pthread_mutex_unlock(&i->calls);
    return allowed;
}
