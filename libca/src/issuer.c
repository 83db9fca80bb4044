#include "issuer.h"

#include "id.h"
#include "trust.h"

enum { CHAIN_MAX = 8 };

void ca_issuer_config_init_sized(struct ca_issuer_config *cfg, size_t size)
{
    memset(cfg, 0, size);
    cfg->size = size;
}

/* ---- What an issuer must be ---- */

static int code_of(enum ca_verdict v)
{
    return v == CA_V_EXPIRED || v == CA_V_NOT_YET_VALID ? CA_EVALIDITY : CA_EREFUSED;
}

/* Did `issuer` sign c? */
static int check_signed(const struct ca__cert *c, const struct ca__cert *issuer,
                        struct ca_diag *diag)
{
    if (!ca__same(c->issuer, issuer->subject)) {
        return ca__fail(diag, CA_EREFUSED, "a certificate's issuer is not the next of its chain");
    }
    int rc = ca__verify_with(&issuer->key, c->signature_algorithm, c->tbs, c->signature);
    return rc ? ca__fail(diag, rc, "the signature of a CA's certificate is wrong") : CA_OK;
}

/* Do the constraints of c let its issuer sign for the trust domain? */
static bool may_name(const struct ca__cert *c, struct mu_str trust_domain)
{
    char buf[16 + 256];
    struct ca__cert leaf = {.ext = {.path_length = -1}};
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    size_t at = ca__der_begin(&w, CA__NAME_URI);
    mu__write_cstr(&w, "spiffe://");
    mu__write_bytes(&w, trust_domain.p, trust_domain.len);
    ca__der_end(&w, at);
    leaf.ext.names = ca__str(buf, w.len);
    return !w.failed && ca__constraints_allow(&c->ext, &leaf);
}

/* The certificates of a config, lowest first. */
struct chain {
    const struct ca__cert *certs[CHAIN_MAX + 1];
    size_t count;
};

static int check_one(const struct chain *chain, size_t i, const struct ca_issuer_config *cfg,
                     struct ca_diag *diag)
{
    const struct ca__cert *c = chain->certs[i];
    bool last = i + 1 == chain->count;
    enum ca_verdict v = ca__issuer_fitness(c, cfg->now_unix_s, i);
    if (v != CA_V_TRUSTED) {
        return ca__fail(diag, code_of(v), "%s", ca_verdict_text(v));
    }
    bool named = may_name(c, cfg->trust_domain);
    for (size_t k = 0; k < i; k++) {
        named = named && ca__constraints_allow(&c->ext, chain->certs[k]);
    }
    if (!named) {
        return ca__fail(diag, CA_EREFUSED, "%s", ca_verdict_text(CA_V_NAME_CONSTRAINT));
    }
    if (c->ext.has_ext_key_usage && !(c->ext.server_auth && c->ext.client_auth)) {
        return ca__fail(diag, CA_EREFUSED, "a CA is not for client and server authentication");
    }
    if (last && !ca__is_self_issued(c)) {
        return ca__fail(diag, CA_EREFUSED, "the chain does not end in a root");
    }
    return check_signed(c, last ? c : chain->certs[i + 1], diag);
}

static int check_chain(const struct chain *chain, const struct ca_issuer_config *cfg,
                       struct ca_diag *diag)
{
    int rc = CA_OK;
    for (size_t i = 0; rc == CA_OK && i < chain->count; i++) {
        rc = check_one(chain, i, cfg, diag);
    }
    return rc;
}

/* How many more may stand below the first of the chain; -1 without limit. */
static int room_below(const struct chain *chain)
{
    int room = -1;
    for (size_t i = 0; i < chain->count; i++) {
        int length = chain->certs[i]->ext.path_length;
        if (length >= 0 && (room < 0 || length - (int)i < room)) {
            room = length - (int)i;
        }
    }
    return room;
}

static int64_t earliest_end(const struct chain *chain)
{
    int64_t end = INT64_MAX;
    for (size_t i = 0; i < chain->count; i++) {
        if (chain->certs[i]->not_after_unix_s < end) {
            end = chain->certs[i]->not_after_unix_s;
        }
    }
    return end;
}

/* ---- Life ---- */

static int config_check(const struct ca_issuer_config *cfg, struct chain *chain,
                        struct ca_diag *diag)
{
    if (!cfg->key || !cfg->certificate || !cfg->random.fill || cfg->chain_length > CHAIN_MAX) {
        return ca__fail(diag, CA_EINVAL,
                        "an issuer needs key, certificate, random and at most %d above it",
                        CHAIN_MAX);
    }
    if (!ca__is_trust_domain(cfg->trust_domain)) {
        return ca__fail(diag, CA_EID, "trust_domain is none");
    }
    chain->certs[chain->count++] = &cfg->certificate->cert;
    for (size_t i = 0; i < cfg->chain_length; i++) {
        chain->certs[chain->count++] = &cfg->chain[i]->cert;
    }
    if (!ca__same(cfg->key->public_key.spki, cfg->certificate->cert.key.spki)) {
        return ca__fail(diag, CA_EKEY, "the key does not belong to the certificate");
    }
    return check_chain(chain, cfg, diag);
}

int ca_issuer_create(const struct ca_issuer_config *cfg, struct ca_issuer **out,
                     struct ca_diag *diag)
{
    struct ca_issuer_config full;
    struct chain chain = {.count = 0};
    *out = NULL;
    ca_issuer_config_init(&full);
    if (!ca__widen(cfg, cfg->size, &full, sizeof full)) {
        return ca__fail(diag, CA_EINVAL, "the config is newer than the library");
    }
    int rc = config_check(&full, &chain, diag);
    if (rc != CA_OK) {
        return rc;
    }
    struct mu_allocator a = mu__allocator_or_default(full.allocator);
    struct ca_issuer *i = mu__calloc(&a, 1, sizeof *i);
    if (!i) {
        return CA_ENOMEM;
    }
    i->allocator = a;
    i->random = full.random;
    i->trust_domain_len = full.trust_domain.len;
    memcpy(i->trust_domain, full.trust_domain.p, full.trust_domain.len);
    i->path_length = room_below(&chain);
    i->not_after_unix_s = earliest_end(&chain);
    rc = ca__certificate_make(full.certificate->cert.der, &a, &i->certificate, diag);
    if (rc != CA_OK) {
        ca_issuer_destroy(i);
        return rc;
    }
    i->key = full.key;
    *out = i;
    return CA_OK;
}

void ca_issuer_destroy(struct ca_issuer *i)
{
    if (i) {
        struct mu_allocator a = i->allocator;
        ca_key_destroy(i->key);
        ca_certificate_destroy(i->certificate);
        mu__free(&a, i);
    }
}

const struct ca_certificate *ca_issuer_certificate(const struct ca_issuer *i)
{
    return i->certificate;
}

const struct ca_key *ca_issuer_key(const struct ca_issuer *i)
{
    return i->key;
}
