#include "trust.h"

#include "id.h"

#include <assert.h>

enum {
    PATH_MAX_CERTS = CA_INTERMEDIATES_MAX + 2, /* a leaf, intermediates, a root */
    /* Signatures that one verification may cost: the names and key ids of rubbish can be chosen so
     * that every certificate seems to have signed every other. */
    SIGNATURES_MAX = 24
};

/* ---- One certificate by itself ---- */

enum ca_verdict ca__validity(const struct ca__cert *c, int64_t now_unix_s)
{
    if (now_unix_s < c->not_before_unix_s) {
        return CA_V_NOT_YET_VALID;
    }
    return now_unix_s > c->not_after_unix_s ? CA_V_EXPIRED : CA_V_TRUSTED;
}

static bool serves(const struct ca__extensions *e, enum ca_purpose purpose)
{
    return purpose == CA_PURPOSE_SERVER ? e->server_auth : e->client_auth;
}

/* X509-SVID 4: what a leaf must be, whoever signed it. */
static enum ca_verdict judge_leaf(const struct ca_trust *t, const struct ca__cert *c,
                                  enum ca_purpose purpose, struct ca_verified *out)
{
    const struct ca__extensions *e = &c->ext;
    if (e->is_ca) {
        return CA_V_LEAF_IS_CA;
    }
    if (!(e->key_usage & CA__KU_DIGITAL_SIGNATURE) ||
        (e->key_usage & (CA__KU_CERT_SIGN | CA__KU_CRL_SIGN))) {
        return CA_V_KEY_USAGE;
    }
    if (!serves(e, purpose)) {
        return CA_V_EXT_KEY_USAGE;
    }
    if (e->uri_count != 1) {
        return CA_V_URI_COUNT;
    }
    if (ca_id_parse(e->uri, out->text, &out->id) != CA_OK || out->id.kind == CA_ID_TRUST_DOMAIN) {
        return CA_V_SPIFFE_ID;
    }
    return ca__same(out->id.trust_domain, ca__str(t->trust_domain, t->trust_domain_len))
               ? CA_V_TRUSTED
               : CA_V_TRUST_DOMAIN;
}

/* A CA's SPIFFE id is its trust domain, without a path (X509-SVID 4.1, 3.1). CAs of other worlds
 * have no such id, and may have other URIs. */
static bool has_issuer_id(const struct ca__cert *c)
{
    char text[CA_URI_MAX];
    struct ca_id id;
    struct mu__reader r = ca__der(c->ext.names);
    while (ca__der_more(&r)) {
        uint8_t tag;
        struct mu_str name;
        bool spiffe = ca__der_any(&r, &tag, &name, NULL) && tag == CA__NAME_URI && name.len >= 7 &&
                      memcmp(name.p, "spiffe:", 7) == 0;
        if (spiffe && (name.len > CA_URI_MAX || ca_id_parse(name, text, &id) != CA_OK ||
                       id.kind != CA_ID_TRUST_DOMAIN)) {
            return false;
        }
    }
    return true;
}

enum ca_verdict ca__issuer_fitness(const struct ca__cert *c, int64_t now_unix_s, size_t below)
{
    if (!c->ext.is_ca) {
        return CA_V_ISSUER_NOT_CA;
    }
    if (!(c->ext.key_usage & CA__KU_CERT_SIGN)) {
        return CA_V_ISSUER_KEY_USAGE;
    }
    if (!has_issuer_id(c)) {
        return CA_V_ISSUER_ID;
    }
    if (c->ext.path_length >= 0 && (size_t)c->ext.path_length < below) {
        return CA_V_PATH_LENGTH;
    }
    return ca__validity(c, now_unix_s);
}

/* ---- The way up ---- */

struct search {
    struct ca_trust *trust;
    const struct ca_verify_request *request;
    struct ca__cert intermediates[CA_INTERMEDIATES_MAX];
    enum ca_verdict soft[CA_INTERMEDIATES_MAX]; /* what reading them said */
    size_t intermediate_count;
    struct ca__cert leaf;
    const struct ca__cert *path[PATH_MAX_CERTS]; /* leaf first */
    size_t next[PATH_MAX_CERTS]; /* the candidate to try above path[i]: roots, then intermediates */
    size_t length;
    unsigned signatures;
    enum ca_verdict fault; /* of the first way that failed for a better reason than its end */
    unsigned fault_depth;
    int error;
    size_t root;
};

static bool is_on_path(const struct search *s, const struct ca__cert *c)
{
    for (size_t i = 0; i < s->length; i++) {
        if (s->path[i] == c || ca__same(s->path[i]->der, c->der)) {
            return true;
        }
    }
    return false;
}

/* By name, and by key id where both say one (RFC 5280 4.2.1.1). */
static bool could_have_signed(const struct ca__cert *issuer, const struct ca__cert *c)
{
    const struct mu_str want = c->ext.authority_key_id, has = issuer->ext.subject_key_id;
    return ca__same(issuer->subject, c->issuer) &&
           (want.len == 0 || has.len == 0 || ca__same(want, has));
}

/* Intermediates that count towards a path length: those below `issuer` that are not self-issued. */
static size_t count_below(const struct search *s)
{
    size_t n = 0;
    for (size_t i = 1; i < s->length; i++) {
        n += ca__is_self_issued(s->path[i]) ? 0 : 1;
    }
    return n;
}

static bool names_allowed(const struct search *s, const struct ca__cert *issuer)
{
    for (size_t i = 0; i < s->length; i++) {
        bool exempt = i > 0 && ca__is_self_issued(s->path[i]); /* RFC 5280 6.1.3 (b) */
        if (!exempt && !ca__constraints_allow(&issuer->ext, s->path[i])) {
            return false;
        }
    }
    return true;
}

static enum ca_verdict check_signature(struct search *s, const struct ca__cert *issuer,
                                       struct ca__root *root)
{
    const struct ca__cert *c = s->path[s->length - 1];
    if (++s->signatures > SIGNATURES_MAX) {
        return CA_V_TOO_LONG;
    }
    int rc = root ? ca__verify_signature(&root->pk, c->signature_algorithm, c->tbs, c->signature)
                  : ca__verify_with(&issuer->key, c->signature_algorithm, c->tbs, c->signature);
    if (rc == CA_ENOMEM) {
        s->error = rc;
    }
    return rc == CA_OK             ? CA_V_TRUSTED
           : rc == CA_EUNSUPPORTED ? CA_V_WEAK_KEY /* a point that is not on its curve */
                                   : CA_V_BAD_SIGNATURE;
}

/* May issuer stand above the path as it is? soft is what reading it said. */
static enum ca_verdict check_issuer(struct search *s, const struct ca__cert *issuer,
                                    enum ca_verdict soft, struct ca__root *root)
{
    if (soft != CA_V_TRUSTED) {
        return soft;
    }
    enum ca_verdict v = ca__issuer_fitness(issuer, s->request->now_unix_s, count_below(s));
    if (v != CA_V_TRUSTED) {
        return v;
    }
    /* A CA that lists purposes issues for these alone */
    if (issuer->ext.has_ext_key_usage && !serves(&issuer->ext, s->request->purpose)) {
        return CA_V_EXT_KEY_USAGE;
    }
    if (!names_allowed(s, issuer)) {
        return CA_V_NAME_CONSTRAINT;
    }
    return check_signature(s, issuer, root);
}

static void note(struct search *s, enum ca_verdict v)
{
    /* What is wrong with a signature or with names is wrong with the lower certificate */
    bool lower = v == CA_V_BAD_SIGNATURE;
    if (s->fault == CA_V_TRUSTED || v == CA_V_TOO_LONG) {
        s->fault = v;
        s->fault_depth = (unsigned)(lower ? s->length - 1 : s->length);
    }
}

/* The next certificate that could have signed the last of the path; NULL when there is none. */
static const struct ca__cert *next_candidate(struct search *s, enum ca_verdict *soft,
                                             struct ca__root **root)
{
    const struct ca__cert *last = s->path[s->length - 1];
    size_t roots = s->trust->count;
    for (size_t i; (i = s->next[s->length - 1]) < roots + s->intermediate_count;) {
        s->next[s->length - 1]++;
        *root = i < roots ? s->trust->roots[i] : NULL;
        const struct ca__cert *c = *root ? &(*root)->cert : &s->intermediates[i - roots];
        *soft = *root ? ((*root)->loaded ? CA_V_TRUSTED : CA_V_WEAK_KEY) : s->soft[i - roots];
        if (could_have_signed(c, last) && !is_on_path(s, c)) {
            s->root = i;
            return c;
        }
    }
    return NULL;
}

/* Depth first, without recursion: path[0..length) is the way so far. True when it reached a root.
 */
static bool climb(struct search *s)
{
    s->path[0] = &s->leaf;
    s->next[0] = 0;
    s->length = 1;
    unsigned highest = 0;
    while (s->length > 0 && !s->error && s->fault != CA_V_TOO_LONG) {
        enum ca_verdict soft;
        struct ca__root *root;
        const struct ca__cert *c = next_candidate(s, &soft, &root);
        if (!c) {
            s->length--;
            continue;
        }
        enum ca_verdict v = check_issuer(s, c, soft, root);
        if (v != CA_V_TRUSTED) {
            note(s, v);
            continue;
        }
        assert(s->length < PATH_MAX_CERTS);
        s->path[s->length] = c;
        s->next[s->length] = 0;
        if (root) {
            s->length++;
            return true;
        }
        highest = (unsigned)mu__max(highest, s->length);
        s->length++;
    }
    if (s->fault == CA_V_TRUSTED) {
        s->fault = CA_V_UNKNOWN_ISSUER;
        s->fault_depth = highest;
    }
    return false;
}

/* ---- Together ---- */

static enum ca_verdict read_all(struct search *s, unsigned *depth)
{
    const struct ca_verify_request *r = s->request;
    enum ca_verdict v = ca__cert_read(r->leaf, &s->leaf);
    *depth = 0;
    if (v != CA_V_TRUSTED) {
        return v;
    }
    if (r->intermediate_count > CA_INTERMEDIATES_MAX) {
        return CA_V_TOO_LONG;
    }
    for (size_t i = 0; i < r->intermediate_count; i++) {
        s->soft[i] = ca__cert_read(r->intermediates[i], &s->intermediates[i]);
        if (s->soft[i] == CA_V_MALFORMED) {
            *depth = (unsigned)i + 1;
            return CA_V_MALFORMED;
        }
    }
    s->intermediate_count = r->intermediate_count;
    return CA_V_TRUSTED;
}

static void tell(const struct search *s, struct ca_verified *out)
{
    out->uri = s->leaf.ext.uri;
    out->serial = s->leaf.serial;
    out->root = s->root;
    out->not_after_unix_s = s->leaf.not_after_unix_s;
    for (size_t i = 1; i < s->length; i++) {
        if (s->path[i]->not_after_unix_s < out->not_after_unix_s) {
            out->not_after_unix_s = s->path[i]->not_after_unix_s;
        }
    }
}

/* Is the leaf's key a key? Of a point that is not on its curve only the arithmetic can tell. */
static bool load_leaf_key(struct search *s)
{
    mbedtls_pk_context pk;
    int rc = ca__load_public_key(&s->leaf.key, &pk);
    mbedtls_pk_free(&pk);
    s->error = rc == CA_ENOMEM ? rc : s->error;
    s->fault = CA_V_WEAK_KEY;
    s->fault_depth = 0;
    return rc == CA_OK;
}

static int refuse(struct ca_verified *out, enum ca_verdict v, unsigned depth)
{
    out->verdict = v;
    out->depth = depth;
    memset(&out->id, 0, sizeof out->id); /* nobody who forgets to look at the verdict gets a name */
    return CA_EUNTRUSTED;
}

int ca_verify(struct ca_trust *t, const struct ca_verify_request *request, struct ca_verified *out)
{
    struct search s = {.trust = t, .request = request};
    unsigned depth;
    memset(out, 0, offsetof(struct ca_verified, text));
    enum ca_verdict v = read_all(&s, &depth);
    if (v == CA_V_TRUSTED) {
        v = judge_leaf(t, &s.leaf, request->purpose, out);
    }
    if (v == CA_V_TRUSTED) {
        v = ca__validity(&s.leaf, request->now_unix_s);
    }
    if (v != CA_V_TRUSTED) {
        return refuse(out, v, depth);
    }
    if (!climb(&s) || !load_leaf_key(&s)) {
        (void)refuse(out, s.fault, s.fault_depth);
        return s.error ? s.error : CA_EUNTRUSTED;
    }
    tell(&s, out);
    return CA_OK;
}
