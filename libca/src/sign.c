/* What an issuer signs: leafs, intermediates, other roots. */
#include "csr.h"
#include "id.h"
#include "issuer.h"

static struct mu_str domain_of(const struct ca_issuer *i)
{
    return ca__str(i->trust_domain, i->trust_domain_len);
}

/* Validity, serial and the issuer's side of t. Nothing outlives who signed it: whoever renews at a
 * share of the lifetime would come too late. */
static int begin(const struct ca_issuer *i, const struct ca_terms *terms, uint32_t default_ttl_s,
                 struct ca__tbs *t, struct ca_diag *diag)
{
    const struct ca__cert *own = &i->certificate->cert;
    int rc = ca__terms_apply(terms, default_ttl_s, &i->random, t);
    if (rc != CA_OK) {
        return ca__fail(diag, rc,
                        rc == CA_ERANDOM ? "no random bytes for a serial"
                                         : "a term is out of its range");
    }
    if (terms->now_unix_s > i->not_after_unix_s || terms->now_unix_s < own->not_before_unix_s) {
        return ca__fail(diag, CA_EVALIDITY, "the issuer has expired, or is not valid yet");
    }
    if (t->not_after_unix_s > i->not_after_unix_s) {
        t->not_after_unix_s = i->not_after_unix_s;
    }
    t->issuer = own->subject;
    t->authority_key_id = own->ext.subject_key_id;
    return CA_OK;
}

/* Signs what was begun, for a subject of one common name. */
static int finish(const struct ca_issuer *i, const struct ca__tbs *begun, struct mu_str common_name,
                  struct ca_certificate **out)
{
    uint8_t key_id[32];
    struct ca__tbs t = *begun;
    struct mu__writer subject = mu__writer_growing(&i->allocator);
    ca__name_write(&subject, common_name);
    ca__sha256(t.spki, key_id);
    t.subject_key_id = ca__str(key_id, sizeof key_id);
    t.subject = ca__str(subject.data, subject.len);
    int rc = subject.failed ? CA_ENOMEM : ca__tbs_sign(&t, i->key, &i->random, &i->allocator, out);
    mu__writer_fini(&subject);
    return rc;
}

/* ---- Leafs ---- */

static int check_leaf(const struct ca_issuer *i, const struct ca_csr *csr,
                      const struct ca_leaf_request *request, char *text, struct ca_id *id,
                      struct ca_diag *diag)
{
    if (request->uri.len > CA_URI_MAX || ca_id_parse(request->uri, text, id) != CA_OK ||
        id->kind == CA_ID_TRUST_DOMAIN) {
        return ca__fail(diag, CA_EID, "what is to be signed is no id of a service or an agent");
    }
    if (!ca__same(id->trust_domain, domain_of(i))) {
        return ca__fail(diag, CA_EID, "the id is not of trust domain %s", i->trust_domain);
    }
    if (!ca__same(csr->ext.uri, request->uri)) {
        return ca__fail(diag, CA_EREFUSED, "the CSR asks for another id than was authorized");
    }
    if (!ca__names_are_good(request->names, request->name_count)) {
        return ca__fail(diag, CA_EINVAL, "a further name is none, or there are too many");
    }
    return CA_OK;
}

int ca_issuer_sign_leaf(struct ca_issuer *i, const struct ca_csr *csr,
                        const struct ca_leaf_request *request, struct ca_certificate **out,
                        struct ca_diag *diag)
{
    char text[CA_URI_MAX], name[CA_CN_MAX + 1];
    struct ca_id id;
    struct mu_str cn = request->terms.common_name;
    struct ca__tbs t = {.spki = csr->key.spki,
                        .uri = request->uri,
                        .names = request->names,
                        .name_count = request->name_count};
    *out = NULL;
    int rc = check_leaf(i, csr, request, text, &id, diag);
    if (rc == CA_OK) {
        rc = begin(i, &request->terms, CA_TTL_LEAF_S, &t, diag);
    }
    if (rc != CA_OK) {
        return rc;
    }
    if (cn.len == 0) {
        ca_id_common_name(&id, name);
        cn = ca__str(name, strlen(name));
    }
    return finish(i, &t, cn, out);
}

/* ---- CAs ---- */

/* The path length of a CA that is to stand below us; false if there is no room for it. */
static bool fit_below(const struct ca_issuer *i, int wanted)
{
    return i->path_length < 0 || (wanted >= 0 && wanted < i->path_length);
}

static void own_uri(const struct ca_issuer *i, char buf[CA_URI_MAX], struct ca__tbs *t)
{
    const struct ca_id id = {.kind = CA_ID_TRUST_DOMAIN, .trust_domain = domain_of(i)};
    size_t len = 0;
    if (ca_id_write(&id, buf, CA_URI_MAX, &len) == CA_OK) {
        t->uri = ca__str(buf, len);
    }
}

int ca_issuer_sign_intermediate(struct ca_issuer *i, const struct ca_csr *csr,
                                const struct ca_terms *terms, struct ca_certificate **out,
                                struct ca_diag *diag)
{
    char uri[CA_URI_MAX], name[CA_CN_MAX + 1];
    struct mu_str cn = terms->common_name;
    struct ca__tbs t = {.spki = csr->key.spki, .is_ca = true, .path_length = terms->path_length};
    *out = NULL;
    own_uri(i, uri, &t);
    if (!ca__same(csr->ext.uri, t.uri)) {
        return ca__fail(diag, CA_EREFUSED, "the CSR does not ask for %s's id", i->trust_domain);
    }
    int rc = begin(i, terms, CA_TTL_INTERMEDIATE_S, &t, diag);
    if (rc == CA_OK && !fit_below(i, terms->path_length)) {
        rc = ca__fail(diag, CA_EREFUSED, "the issuer's path length leaves no room");
    }
    if (rc == CA_OK && cn.len == 0) {
        rc = ca__random_name("sec", domain_of(i), &i->random, name);
        cn = ca__str(name, rc == CA_OK ? strlen(name) : 0);
    }
    return rc == CA_OK ? finish(i, &t, cn, out) : rc;
}

/* A root that signs itself, can sign others, and is not of another trust domain. */
static int check_root(const struct ca_issuer *i, const struct ca__cert *root, struct mu_str own,
                      int64_t now_unix_s, struct ca_diag *diag)
{
    bool foreign = root->ext.uri_count > 0 && root->ext.uri.len >= 7 &&
                   memcmp(root->ext.uri.p, "spiffe:", 7) == 0 && !ca__same(root->ext.uri, own);
    if (!root->ext.is_ca || !(root->ext.key_usage & CA__KU_CERT_SIGN) ||
        !ca__is_self_issued(root)) {
        return ca__fail(diag, CA_EREFUSED, "what is to be cross-signed is no root");
    }
    if (foreign) {
        return ca__fail(diag, CA_EREFUSED, "the root is not of trust domain %s", i->trust_domain);
    }
    if (ca__same(root->key.spki, i->key->public_key.spki)) {
        return ca__fail(diag, CA_EREFUSED, "the root has the issuer's own key");
    }
    if (now_unix_s > root->not_after_unix_s) {
        return ca__fail(diag, CA_EVALIDITY, "the root has expired");
    }
    int rc = ca__verify_with(&root->key, root->signature_algorithm, root->tbs, root->signature);
    return rc ? ca__fail(diag, rc, "the root's signature is wrong") : CA_OK;
}

/* Its own path length, as far as ours leaves room for that. */
static int narrowed(const struct ca_issuer *i, int own)
{
    int room = i->path_length < 0 ? CA_PATH_UNLIMITED : i->path_length - 1;
    return room < 0 ? own : own < 0 || own > room ? room : own;
}

int ca_issuer_cross_sign(struct ca_issuer *i, const struct ca_certificate *root,
                         const struct ca_terms *terms, struct ca_certificate **out,
                         struct ca_diag *diag)
{
    char uri[CA_URI_MAX];
    uint8_t key_id[32];
    const struct ca__cert *c = &root->cert;
    struct ca__tbs t = {.spki = c->key.spki, .subject = c->subject, .is_ca = true};
    struct ca_terms plain = *terms;
    *out = NULL;
    own_uri(i, uri, &t);
    int rc = check_root(i, c, t.uri, terms->now_unix_s, diag);
    if (rc != CA_OK) {
        return rc;
    }
    plain.path_length = 0; /* the root's own counts */
    plain.common_name = ca__str(NULL, 0);
    rc = begin(i, &plain, CA_TTL_CROSS_S, &t, diag);
    if (rc != CA_OK) {
        return rc;
    }
    if (i->path_length == 0) {
        return ca__fail(diag, CA_EREFUSED, "the issuer's path length leaves no room");
    }
    ca__sha256(c->key.spki, key_id);
    t.subject_key_id =
        c->ext.subject_key_id.len > 0 ? c->ext.subject_key_id : ca__str(key_id, sizeof key_id);
    t.path_length = narrowed(i, c->ext.path_length);
    return ca__tbs_sign(&t, i->key, &i->random, &i->allocator, out);
}
