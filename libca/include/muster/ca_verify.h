/* ca_verify.h - strict verification of a service's certificate chain.
 *
 * What is asked: does this chain end in one of our roots, is every certificate in it valid now and
 * fit for its place, and whose is the leaf? RFC 5280 6.1 without policies and revocation, and
 * X509-SVID 4 and 5 on top. Where they leave a choice, the stricter one is taken: SHA-2 only, RSA
 * from 2048 bits, P-256, P-384 and P-521, DER and nothing like it, usages present and fitting,
 * exactly one URI SAN, which is a service's or an agent's id in our trust domain in its one
 * spelling.
 *
 * Time:    Unix seconds are an argument.
 * Threads: one thread at a time per trust.
 * Memory:  ca_verify allocates nothing itself; the signature check allocates through mbedTLS. */
#ifndef MUSTER_CA_VERIFY_H
#define MUSTER_CA_VERIFY_H

#include <muster/ca.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first thing that is wrong: of the leaf by itself in this order, then on the way up. */
enum ca_verdict {
    CA_V_TRUSTED = 0,
    CA_V_MALFORMED,           /* a certificate is not DER of RFC 5280 */
    CA_V_VERSION,             /* not version 3 */
    CA_V_CRITICAL_EXTENSION,  /* critical, and unknown to us */
    CA_V_SIGNATURE_ALGORITHM, /* not ECDSA or RSA PKCS#1 v1.5 with SHA-256, 384 or 512 */
    CA_V_WEAK_KEY,            /* a key of another kind or size than said above */
    CA_V_LEAF_IS_CA,
    CA_V_KEY_USAGE,     /* a leaf without digitalSignature, or with certSign or cRLSign */
    CA_V_EXT_KEY_USAGE, /* the purpose is missing, in the leaf or in what a CA may issue */
    CA_V_URI_COUNT,     /* not exactly one URI SAN */
    CA_V_SPIFFE_ID,     /* the URI is no id of a service or an agent */
    CA_V_TRUST_DOMAIN,  /* of another trust domain */
    CA_V_NOT_YET_VALID,
    CA_V_EXPIRED,
    CA_V_UNKNOWN_ISSUER,   /* no way up to a root */
    CA_V_ISSUER_NOT_CA,    /* basicConstraints */
    CA_V_ISSUER_KEY_USAGE, /* may not sign certificates */
    CA_V_ISSUER_ID,        /* a CA whose SPIFFE id has a path, or is none */
    CA_V_PATH_LENGTH,
    CA_V_NAME_CONSTRAINT,
    CA_V_BAD_SIGNATURE,
    CA_V_TOO_LONG /* too many certificates, or too many ways to try */
};
#define CA_VERDICT_COUNT (CA_V_TOO_LONG + 1)
/* "trusted", "bad-signature", ...: stable, for logs and for the kit of certificates. Static. */
MU_API const char *ca_verdict_name(enum ca_verdict v);
/* In words, "the certificate has expired". Static. */
MU_API const char *ca_verdict_text(enum ca_verdict v);

struct ca_trust; /* roots, and whose they are */
struct ca_trust_config {
    size_t size;                          /* set by ca_trust_config_init */
    struct mu_str trust_domain;           /* copied */
    size_t roots_max;                     /* 1 to 256; default 64 */
    const struct mu_allocator *allocator; /* copied; default NULL: malloc and free */
};
#define ca_trust_config_init(cfg) ca_trust_config_init_sized((cfg), sizeof *(cfg))
MU_API void ca_trust_config_init_sized(struct ca_trust_config *cfg, size_t size);
/* A trust without roots: it trusts nobody. Gives *out, to be freed with ca_trust_destroy.
 * Errors: CA_EID (trust domain), CA_EINVAL, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_trust_create(const struct ca_trust_config *cfg, struct ca_trust **out);
/* Trusts one more root (copied); one that is trusted already changes nothing. Its fitness as a CA
 * and its validity are looked at in each verification.
 * Errors: CA_EREFUSED (roots_max are in it), CA_ENOMEM. */
MU_API MU_MUST_USE int ca_trust_add(struct ca_trust *t, const struct ca_certificate *root);
MU_API size_t ca_trust_count(const struct ca_trust *t);
MU_API void ca_trust_destroy(struct ca_trust *t); /* NULL is allowed */

enum ca_purpose { CA_PURPOSE_SERVER, CA_PURPOSE_CLIENT }; /* what the peer acts as */

#define CA_INTERMEDIATES_MAX 8

struct ca_verify_request {
    struct mu_str leaf;                 /* DER */
    const struct mu_str *intermediates; /* DER, in any order; a root among them does no harm */
    size_t intermediate_count;          /* more than CA_INTERMEDIATES_MAX: CA_V_TOO_LONG */
    int64_t now_unix_s;
    enum ca_purpose purpose;
};
struct ca_verified {
    enum ca_verdict verdict;
    unsigned depth; /* which certificate of the chain is wrong: 0 the leaf, 1 who signed it ... */
    /* All below only if trusted. id and uri point into this struct and the request's leaf. */
    struct ca_id id;
    struct mu_str uri;
    struct mu_str serial; /* of the leaf */
    /* The earliest end of all certificates on the way: until then the verdict holds, unless roots
     * change */
    int64_t not_after_unix_s;
    size_t root; /* which of the roots, in the order they were added */
    char text[CA_URI_MAX];
};
/* Errors: CA_EUNTRUSTED (out->verdict says why, and out->depth where), CA_ENOMEM. *out is written
 * in any case. CA_OK is the only answer that means trust. */
MU_API MU_MUST_USE int ca_verify(struct ca_trust *t, const struct ca_verify_request *request,
                                 struct ca_verified *out);

#ifdef __cplusplus
}
#endif
#endif
