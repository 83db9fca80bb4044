/* ca.h - a certificate authority for services: roots, intermediates, short-lived leafs.
 *
 * A service's certificate carries one name, a SPIFFE id in a URI SAN. An issuer is a CA certificate
 * with its private key; it signs what its host has authorized, and takes from a CSR nothing but the
 * public key:
 *
 *     ca_key_create(CA_EC, 256, &random, NULL, &key);
 *     ca_root_create(key, &terms, &random, &root, NULL);
 *     ca_issuer_create(&cfg, &issuer, NULL);               (cfg: key, root, trust domain, random)
 *     ca_csr_parse(pem, NULL, &csr, &diag);                (checks the CSR's own signature)
 *     ... may the sender have ca_csr_uri(csr)? The host decides ...
 *     ca_issuer_sign_leaf(issuer, csr, &request, &leaf, &diag);
 *
 * A root is replaced without a break by ca_issuer_cross_sign: the old root signs the new one's key,
 * leafs of the new root travel with that certificate, and who knows only the old root verifies them
 * still. ca_verify.h verifies chains.
 *
 * Sources: RFC 5280 (certificates), 2986 (CSRs), 5480, 5758 (EC), 8017 (RSA), 7468 (PEM);
 *          SPIFFE-ID and X509-SVID; Consul 1.8.7 for names and key usages.
 * Time:    the library reads no clock; times are Unix seconds, UTC.
 * Entropy: the caller's function.
 * Secrets: private keys are wiped when freed, and are in no error text.
 * Threads: one thread at a time per key, issuer, certificate and CSR; distinct objects share
 * nothing. A certificate that is only read may be read by many. Memory:  what is allocated here
 * comes from the allocator that is named; arithmetic on keys allocates through mbedTLS, which has
 * one allocator a process. */
#ifndef MUSTER_CA_H
#define MUSTER_CA_H

#include <muster/mu.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CA_VERSION "0.1.0"
MU_API const char *ca_version(void); /* static */

enum ca_err {
    CA_OK = 0,
    CA_ENOMEM = -4001,
    CA_EINVAL = -4002,       /* an argument or a config field is out of its range */
    CA_EMALFORMED = -4003,   /* not the DER or PEM that was asked for */
    CA_EUNSUPPORTED = -4004, /* an algorithm, a curve or a key size that is not accepted */
    CA_EREFUSED = -4005,     /* well-formed, but against the rules */
    CA_ESIGNATURE = -4006,   /* a signature is wrong */
    CA_EKEY = -4007,         /* the key does not belong to the certificate */
    CA_EVALIDITY = -4008,    /* expired, or not yet valid */
    CA_ERANDOM = -4009,      /* the random source failed */
    CA_ENOBUFS = -4010,      /* the buffer is too small; the length says how much is needed */
    CA_EID = -4011,          /* not a SPIFFE id of the kinds below */
    CA_EUNTRUSTED = -4012    /* ca_verify: the verdict says why */
};
MU_API const char *ca_strerror(int code); /* static; "unknown error" for others */
MU_API enum mu_err_class ca_err_class(int code);

/* Why, in a sentence for people; written on failure only. Never holds key material. */
struct ca_diag {
    char text[200];
};

/* Fills out with len random bytes and returns 0; anything else fails the call with CA_ERANDOM. */
struct ca_random {
    int (*fill)(void *user, unsigned char *out, size_t len);
    void *user;
};

/* ---- SPIFFE ids ---- */

#define CA_URI_MAX 2048 /* bytes of an id, SPIFFE-ID 2.3 */
#define CA_CN_MAX  64   /* bytes of a common name, RFC 5280 A.1 */

enum ca_id_kind {
    CA_ID_TRUST_DOMAIN, /* spiffe://<trust domain>, of those who sign */
    CA_ID_SERVICE,      /* .../ns/<namespace>/dc/<datacenter>/svc/<name> */
    CA_ID_AGENT         /* .../agent/client/dc/<datacenter>/id/<name> */
};
/* The parts as they are meant, without percent signs. Parts that the kind lacks are empty. */
struct ca_id {
    enum ca_id_kind kind;
    struct mu_str trust_domain; /* 1 to 255 of a-z 0-9 . - _, no empty label */
    struct mu_str ns;
    struct mu_str datacenter;
    struct mu_str name; /* UTF-8 without control characters and '/'; neither "." nor ".." */
};
/* Writes the one spelling of id that ca_id_parse accepts: bytes that Consul escapes are escaped,
 * with upper-case digits, and no others. *len (may be NULL) counts without the zero that is added.
 * Errors: CA_EID (a part is not as said above, or the id is longer than CA_URI_MAX), CA_ENOBUFS. */
MU_API MU_MUST_USE int ca_id_write(const struct ca_id *id, char *buf, size_t cap, size_t *len);
/* Reads exactly what ca_id_write writes; upper case in scheme or trust domain, ports, queries,
 * empty segments, dots and needless escapes are refused. out's parts point into uri, or into text
 * where something was escaped. text has room for uri.len bytes.
 * Errors: CA_EID. */
MU_API MU_MUST_USE int ca_id_parse(struct mu_str uri, char *text, struct ca_id *out);
/* The subject that Consul gives such a certificate, e.g. web.svc.default.11111111.consul: lower
 * case letters, digits; the name is cut so that all of it has at most CA_CN_MAX bytes. For a trust
 * domain, which Consul names at random, <the first 8 bytes of it>.consul. Adds a zero. */
MU_API void ca_id_common_name(const struct ca_id *id, char buf[CA_CN_MAX + 1]);

/* ---- Private keys ---- */

enum ca_key_algorithm { CA_EC = 0, CA_RSA };
struct ca_key;
/* EC of 256 or 384 bits, RSA of 2048, 3072 or 4096 (which takes seconds). Gives *out, to be freed
 * with ca_key_destroy. allocator NULL: malloc and free. Errors: CA_EINVAL (bits), CA_ERANDOM,
 * CA_ENOMEM. */
MU_API MU_MUST_USE int ca_key_create(enum ca_key_algorithm algorithm, unsigned bits,
                                     const struct ca_random *random,
                                     const struct mu_allocator *allocator, struct ca_key **out);
/* PEM ("EC PRIVATE KEY", "RSA PRIVATE KEY", "PRIVATE KEY") without a password. EC on P-256, P-384
 * or P-521, RSA of 2048 to 8192 bits. The halves of the key are checked against each other.
 * Errors: CA_EMALFORMED, CA_EUNSUPPORTED, CA_EKEY (the halves differ), CA_ERANDOM, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_key_import(struct mu_str pem, const struct ca_random *random,
                                     const struct mu_allocator *allocator, struct ca_key **out);
/* Writes the key as PEM ("EC PRIVATE KEY" or "RSA PRIVATE KEY") and a zero; *len counts without it.
 * The caller wipes buf. Errors: CA_ENOBUFS, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_key_write_pem(const struct ca_key *k, char *buf, size_t cap, size_t *len);
MU_API enum ca_key_algorithm ca_key_algorithm(const struct ca_key *k);
MU_API unsigned ca_key_bits(const struct ca_key *k);
/* SHA-256 of the public key (SubjectPublicKeyInfo), which our certificates have as key id. */
MU_API void ca_key_id(const struct ca_key *k, uint8_t out[32]);
MU_API void ca_key_destroy(struct ca_key *k); /* wipes it; NULL is allowed */

/* ---- Certificates ---- */

#define CA_CERTIFICATE_MAX 16384 /* bytes of DER */

struct ca_certificate_info { /* lent by the certificate */
    struct mu_str serial;    /* big-endian, 1 to 20 bytes, without needless zeros in front */
    int64_t not_before_unix_s, not_after_unix_s;
    struct mu_str subject_key_id, authority_key_id; /* bytes; empty: not given */
    struct mu_str subject, issuer;                  /* DER */
    struct mu_str uri; /* of the SANs, if there is exactly one URI; empty otherwise */
    bool is_ca;
    int path_length; /* of a CA; -1: no limit */
    enum ca_key_algorithm key_algorithm;
    unsigned key_bits;
    uint8_t sha1[20]; /* of the DER: Consul's id of a root */
};
struct ca_certificate;
/* Reads one certificate, DER or PEM, and keeps a copy. It is read strictly (version 3, DER, known
 * algorithms and critical extensions), but nothing is verified. Gives *out, to be freed with
 * ca_certificate_destroy.
 * Errors: CA_EMALFORMED, CA_EUNSUPPORTED, CA_EREFUSED (unknown critical extension, version),
 * CA_ENOMEM. */
MU_API MU_MUST_USE int ca_certificate_parse(struct mu_str bytes,
                                            const struct mu_allocator *allocator,
                                            struct ca_certificate **out, struct ca_diag *diag);
/* Reads up to cap certificates of a PEM bundle, in order; text between them is skipped. Gives
 * out[0..*count). A bundle without a certificate is malformed.
 * Errors: as ca_certificate_parse; CA_ENOBUFS (more than cap; *count says how many), and then
 * nothing is given. */
MU_API MU_MUST_USE int ca_bundle_parse(struct mu_str pem, const struct mu_allocator *allocator,
                                       struct ca_certificate **out, size_t cap, size_t *count,
                                       struct ca_diag *diag);
/* Writes certificates one after the other as PEM, and a zero; *len counts without it.
 * Errors: CA_ENOBUFS. */
MU_API MU_MUST_USE int ca_bundle_write(const struct ca_certificate *const *certificates,
                                       size_t count, char *buf, size_t cap, size_t *len);
MU_API struct mu_str ca_certificate_der(const struct ca_certificate *c); /* lent */
MU_API struct mu_str ca_certificate_pem(const struct ca_certificate *c); /* lent, ends in \n */
MU_API const struct ca_certificate_info *ca_certificate_info(const struct ca_certificate *c);
MU_API void ca_certificate_destroy(struct ca_certificate *c); /* NULL is allowed */

/* ---- Certificate signing requests ---- */

enum ca_name_kind { CA_NAME_DNS, CA_NAME_IP };
struct ca_name {
    enum ca_name_kind kind;
    struct mu_str value; /* DNS: text; IP: 4 or 16 bytes */
};

struct ca_csr;
/* Reads a CSR, DER or PEM, and verifies its signature. It has exactly one URI SAN, whatever that
 * is: a CSR with none or several is refused (CVE-2022-40716). Gives *out, to be freed with
 * ca_csr_destroy.
 * Errors: CA_EMALFORMED, CA_EUNSUPPORTED (key or signature algorithm), CA_ESIGNATURE, CA_EREFUSED
 * (number of URIs), CA_ENOMEM. */
MU_API MU_MUST_USE int ca_csr_parse(struct mu_str bytes, const struct mu_allocator *allocator,
                                    struct ca_csr **out, struct ca_diag *diag);
/* What the sender asks for, which is not yet what it may have. Lent. */
MU_API struct mu_str ca_csr_uri(const struct ca_csr *csr);
/* Walks the DNS names and addresses that are asked for: start with *at = 0; false at the end. */
MU_API bool ca_csr_next_name(const struct ca_csr *csr, size_t *at, struct ca_name *out);
MU_API void ca_csr_destroy(struct ca_csr *csr); /* NULL is allowed */

struct ca_csr_request {
    struct mu_str uri;           /* an id as ca_id_write writes it */
    struct mu_str common_name;   /* at most CA_CN_MAX bytes; empty: ca_id_common_name */
    const struct ca_name *names; /* further SANs */
    size_t name_count;           /* at most 64 */
};
/* Writes a CSR for key as PEM and a zero; *len counts without it.
 * Errors: CA_EID (uri), CA_EINVAL (the others), CA_ENOBUFS, CA_ERANDOM, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_csr_write(const struct ca_key *key, const struct ca_csr_request *request,
                                    const struct ca_random *random, char *buf, size_t cap,
                                    size_t *len);

/* ---- Issuing ---- */

#define CA_TTL_LEAF_S         (72 * 3600) /* as Consul's defaults */
#define CA_TTL_INTERMEDIATE_S (365 * 24 * 3600)
#define CA_TTL_ROOT_S         (10 * 365 * 24 * 3600)
#define CA_TTL_CROSS_S        (7 * 24 * 3600)
#define CA_BACKDATE_S         60 /* for clocks that are behind */

/* What a certificate says beside its names and key. Zero means the default everywhere. */
struct ca_terms {
    int64_t now_unix_s;
    uint32_t ttl_s;      /* default: the constant of its kind above; counted from the beginning */
    uint32_t backdate_s; /* how long before now it begins; UINT32_MAX: not at all; default 60 s */
    /* Counted by the caller, and never given twice by one issuer; 0: 128 random bits */
    uint64_t serial;
    struct mu_str common_name; /* at most CA_CN_MAX bytes; default: as Consul names its kind */
    /* How many intermediates may stand below: 0 to 8, or CA_PATH_UNLIMITED. Roots and intermediates
     * only. Default 0: signs leafs alone. */
    int path_length;
};
#define CA_PATH_UNLIMITED (-1)

/* A self-signed root of key and trust domain: key usages certSign, cRLSign and digitalSignature,
 * URI SAN spiffe://<trust domain>, as Consul's. Consul's has no path length limit, and a root that
 * is to sign intermediates or other roots across needs room for them. allocator NULL: malloc.
 * Errors: CA_EID (trust domain), CA_EINVAL (terms), CA_ERANDOM, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_root_create(const struct ca_key *key, struct mu_str trust_domain,
                                      const struct ca_terms *terms, const struct ca_random *random,
                                      const struct mu_allocator *allocator,
                                      struct ca_certificate **out);

struct ca_issuer_config {
    size_t size; /* set by ca_issuer_config_init; later fields are added at the end only */
    struct mu_str trust_domain;               /* copied; of all ids that are signed */
    struct ca_key *key;                       /* taken */
    const struct ca_certificate *certificate; /* copied; key's */
    /* Copied; what stands above the certificate, in order, its root last. Empty if it is a root. */
    const struct ca_certificate *const *chain;
    size_t chain_length; /* at most 8 */
    int64_t now_unix_s;  /* all of them must be valid then */
    struct ca_random random;
    const struct mu_allocator *allocator; /* copied; default NULL: malloc and free */
};
#define ca_issuer_config_init(cfg) ca_issuer_config_init_sized((cfg), sizeof *(cfg))
MU_API void ca_issuer_config_init_sized(struct ca_issuer_config *cfg, size_t size);

struct ca_issuer;
/* Makes an issuer of a root, or of an intermediate with what is above it; of our own making or an
 * operator's. The certificate must be that of key, a CA's, allowed to sign certificates, and valid;
 * each of the chain must have signed the one before, with room in its path length. Gives *out, to
 * be freed with ca_issuer_destroy; on failure key stays the caller's.
 * Errors: CA_EINVAL (a config field), CA_EID (trust domain), CA_EKEY, CA_EVALIDITY, CA_EREFUSED (no
 * CA; path length; usages; name constraints that rule the trust domain out; a chain that does not
 * end in a self-signed root), CA_ESIGNATURE, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_issuer_create(const struct ca_issuer_config *cfg, struct ca_issuer **out,
                                        struct ca_diag *diag);
MU_API void ca_issuer_destroy(struct ca_issuer *i); /* NULL is allowed */
MU_API const struct ca_certificate *ca_issuer_certificate(const struct ca_issuer *i); /* lent */
MU_API const struct ca_key *ca_issuer_key(const struct ca_issuer *i);                 /* lent */

struct ca_leaf_request {
    struct mu_str uri; /* what was authorized: a service's or an agent's id in our trust domain */
    struct ca_terms terms;
    const struct ca_name *names; /* further SANs, if the host grants any */
    size_t name_count;           /* at most 64 */
};
/* Signs a leaf for the CSR's public key: usages digitalSignature, keyEncipherment,
 * dataEncipherment, keyAgreement, clientAuth and serverAuth, as Consul's. Nothing else is taken
 * from the CSR; its URI must equal the request's. The leaf ends no later than the issuer.
 * Gives *out. Errors: CA_EID (the request's uri), CA_EINVAL (terms, names), CA_EREFUSED (the CSR
 * asks for another URI), CA_EVALIDITY (the issuer has expired), CA_ERANDOM, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_issuer_sign_leaf(struct ca_issuer *i, const struct ca_csr *csr,
                                           const struct ca_leaf_request *request,
                                           struct ca_certificate **out, struct ca_diag *diag);
/* Signs an intermediate of our trust domain for the CSR's public key; the CSR's URI is
 * spiffe://<trust domain>. terms->path_length must leave what the issuer has.
 * Errors: as ca_issuer_sign_leaf, and CA_EREFUSED (the issuer's path length has no room). */
MU_API MU_MUST_USE int ca_issuer_sign_intermediate(struct ca_issuer *i, const struct ca_csr *csr,
                                                   const struct ca_terms *terms,
                                                   struct ca_certificate **out,
                                                   struct ca_diag *diag);
/* Signs the key of another root (self-signed, which is verified) under its own name, so that who
 * trusts this issuer's root trusts that one's leafs. terms->common_name and ->path_length are not
 * used: the root's own are. Errors: CA_EREFUSED (no root; its trust domain is another one; no room
 * in the path length), CA_ESIGNATURE, CA_EVALIDITY, CA_ERANDOM, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_issuer_cross_sign(struct ca_issuer *i, const struct ca_certificate *root,
                                            const struct ca_terms *terms,
                                            struct ca_certificate **out, struct ca_diag *diag);

#ifdef __cplusplus
}
#endif
#endif
