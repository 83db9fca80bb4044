#include "key.h"

#include "compat.h"
#include "der.h"

#include <assert.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/rsa.h>

#define PEM_MAX 16384 /* of RSA with 8192 bits there are 6400 */

static struct ca_key *make(const struct mu_allocator *allocator)
{
    struct mu_allocator a = mu__allocator_or_default(allocator);
    struct ca_key *k = mu__calloc(&a, 1, sizeof *k);
    if (k) {
        k->allocator = a;
        mbedtls_pk_init(&k->pk);
    }
    return k;
}

void ca_key_destroy(struct ca_key *k)
{
    if (k) {
        struct mu_allocator a = k->allocator;
        mbedtls_pk_free(&k->pk); /* wipes its numbers */
        mbedtls_platform_zeroize(k, sizeof *k);
        mu__free(&a, k);
    }
}

/* Fills in the public half of what was generated or parsed. */
static int find_public(struct ca_key *k)
{
    int n = mbedtls_pk_write_pubkey_der(&k->pk, k->bytes, sizeof k->bytes); /* at the end */
    if (n <= 0) {
        return ca__crypto_error(n, NULL, CA_EUNSUPPORTED);
    }
    struct mu__reader r = mu__reader(k->bytes + sizeof k->bytes - n, (size_t)n);
    if (!ca__read_public_key(&r, &k->public_key) || !k->public_key.accepted) {
        return CA_EUNSUPPORTED;
    }
    return CA_OK;
}

/* ---- Creation ---- */

static int generate(struct ca_key *k, enum ca_key_algorithm algorithm, unsigned bits,
                    struct ca__entropy *e)
{
    bool ec = algorithm == CA_EC;
    int rc =
        mbedtls_pk_setup(&k->pk, mbedtls_pk_info_from_type(ec ? MBEDTLS_PK_ECKEY : MBEDTLS_PK_RSA));
    if (rc == 0 && ec) {
        rc = mbedtls_ecp_gen_key(bits == 256 ? MBEDTLS_ECP_DP_SECP256R1 : MBEDTLS_ECP_DP_SECP384R1,
                                 mbedtls_pk_ec(k->pk), ca__entropy_fill, e);
    } else if (rc == 0) {
        rc = mbedtls_rsa_gen_key(mbedtls_pk_rsa(k->pk), ca__entropy_fill, e, bits, 65537);
    }
    return rc ? ca__crypto_error(rc, e, CA_ERANDOM) : CA_OK;
}

int ca_key_create(enum ca_key_algorithm algorithm, unsigned bits, const struct ca_random *random,
                  const struct mu_allocator *allocator, struct ca_key **out)
{
    *out = NULL;
    bool good = algorithm == CA_EC
                    ? bits == 256 || bits == 384
                    : algorithm == CA_RSA && (bits == 2048 || bits == 3072 || bits == 4096);
    if (!good || !random || !random->fill) {
        return CA_EINVAL;
    }
    struct ca_key *k = make(allocator);
    if (!k) {
        return CA_ENOMEM;
    }
    struct ca__entropy e = {.source = random};
    int rc = generate(k, algorithm, bits, &e);
    if (rc == CA_OK) {
        rc = find_public(k);
    }
    if (rc != CA_OK) {
        ca_key_destroy(k);
        return rc;
    }
    *out = k;
    return CA_OK;
}

/* ---- Import and export ---- */

/* The halves belong together if one verifies what the other signs. */
static int check_pair(struct ca_key *k, const struct ca_random *random)
{
    static const struct mu_str text = {"muster", 6};
    uint8_t sig[CA__SIGNATURE_MAX];
    size_t len = 0;
    int rc = ca__key_sign(k, random, text, sig, &len);
    if (rc == CA_OK) {
        rc = ca__verify_with(&k->public_key, ca__key_signature(k), text, ca__str(sig, len));
    }
    return rc == CA_ENOMEM || rc == CA_ERANDOM ? rc : rc ? CA_EKEY : CA_OK;
}

static int parse(struct ca_key *k, struct mu_str pem, const struct ca_random *random)
{
    struct ca__entropy e = {.source = random};
    uint8_t *text = mu__alloc(&k->allocator, pem.len + 1);
    if (!text) {
        return CA_ENOMEM;
    }
    memcpy(text, pem.p, pem.len);
    text[pem.len] = '\0';
    int rc = ca__pk_parse_key(&k->pk, text, pem.len + 1, ca__entropy_fill, &e);
    mbedtls_platform_zeroize(text, pem.len + 1);
    mu__free(&k->allocator, text);
    return rc ? ca__crypto_error(rc, &e, CA_EMALFORMED) : CA_OK;
}

int ca_key_import(struct mu_str pem, const struct ca_random *random,
                  const struct mu_allocator *allocator, struct ca_key **out)
{
    *out = NULL;
    if (!random || !random->fill) {
        return CA_EINVAL;
    }
    /* mbedTLS would take DER as well; a key that goes around as bytes is none of ours */
    if (pem.len == 0 || pem.len > PEM_MAX || memchr(pem.p, '\0', pem.len) ||
        !memchr(pem.p, '-', pem.len)) {
        return CA_EMALFORMED;
    }
    struct ca_key *k = make(allocator);
    if (!k) {
        return CA_ENOMEM;
    }
    int rc = parse(k, pem, random);
    if (rc == CA_OK) {
        rc = find_public(k);
    }
    if (rc == CA_OK) {
        rc = check_pair(k, random);
    }
    if (rc != CA_OK) {
        ca_key_destroy(k);
        return rc;
    }
    *out = k;
    return CA_OK;
}

/* mbedTLS writes a key and changes nothing in it, but asks for a pointer to what is not const. */
static mbedtls_pk_context *unconst(const struct ca_key *k)
{
    union {
        const mbedtls_pk_context *lent;
        mbedtls_pk_context *pk;
    } p = {.lent = &k->pk};
    return p.pk;
}

int ca_key_write_pem(const struct ca_key *k, char *buf, size_t cap, size_t *len)
{
    uint8_t *text = mu__alloc(&k->allocator, PEM_MAX);
    if (!text) {
        return CA_ENOMEM;
    }
    int rc = mbedtls_pk_write_key_pem(unconst(k), text, PEM_MAX);
    if (rc) {
        rc = ca__crypto_error(rc, NULL, CA_ENOMEM);
    } else {
        *len = strlen((char *)text);
        if (*len >= cap) {
            rc = CA_ENOBUFS;
        } else {
            memcpy(buf, text, *len + 1);
        }
    }
    mbedtls_platform_zeroize(text, PEM_MAX);
    mu__free(&k->allocator, text);
    return rc;
}

/* ---- Use ---- */

enum ca_key_algorithm ca_key_algorithm(const struct ca_key *k)
{
    return k->public_key.algorithm;
}

unsigned ca_key_bits(const struct ca_key *k)
{
    return k->public_key.bits;
}

void ca_key_id(const struct ca_key *k, uint8_t out[32])
{
    ca__sha256(k->public_key.spki, out);
}

enum ca__signature ca__key_signature(const struct ca_key *k)
{
    if (k->public_key.algorithm == CA_RSA) {
        return CA__RSA_SHA256;
    }
    return k->public_key.bits == 256   ? CA__ECDSA_SHA256
           : k->public_key.bits == 384 ? CA__ECDSA_SHA384
                                       : CA__ECDSA_SHA512;
}

static mbedtls_md_type_t digest(const struct ca_key *k)
{
    switch (ca__key_signature(k)) {
    case CA__ECDSA_SHA384:
        return MBEDTLS_MD_SHA384;
    case CA__ECDSA_SHA512:
        return MBEDTLS_MD_SHA512;
    default:
        return MBEDTLS_MD_SHA256;
    }
}

int ca__key_sign(struct ca_key *k, const struct ca_random *random, struct mu_str bytes,
                 uint8_t *sig, size_t *len)
{
    uint8_t hash[MBEDTLS_MD_MAX_SIZE];
    struct ca__entropy e = {.source = random};
    mbedtls_md_type_t type = digest(k);
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(type);
    int rc = mbedtls_md(md, (const uint8_t *)bytes.p, bytes.len, hash);
    if (rc == 0) {
        rc = ca__pk_sign(&k->pk, type, hash, mbedtls_md_get_size(md), sig, CA__SIGNATURE_MAX, len,
                         ca__entropy_fill, &e);
    }
    return rc ? ca__crypto_error(rc, &e, CA_EKEY) : CA_OK;
}

int ca__signed_write(struct mu__writer *w, struct ca_key *key, const struct ca_random *random,
                     struct mu_str bytes)
{
    uint8_t sig[CA__SIGNATURE_MAX];
    size_t len = 0;
    int rc = ca__key_sign(key, random, bytes, sig, &len);
    if (rc != CA_OK) {
        return rc;
    }
    size_t whole = ca__der_begin(w, DER_SEQUENCE);
    mu__write_bytes(w, bytes.p, bytes.len);
    ca__write_signature_algorithm(w, ca__key_signature(key));
    ca__der_put_bits(w, ca__str(sig, len));
    ca__der_end(w, whole);
    return w->failed ? CA_ENOMEM : CA_OK;
}
