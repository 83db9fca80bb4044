#include "crypto.h"

#include "der.h"
#include "oid.h"

#include <assert.h>
#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>

/* ---- Signature algorithms ---- */

struct scheme {
    struct mu_str oid;
    mbedtls_md_type_t md;
    mbedtls_pk_type_t pk;
};
static const struct scheme SCHEMES[] = {
    [CA__ECDSA_SHA256] = {OID_INIT(OID_ECDSA_SHA256), MBEDTLS_MD_SHA256, MBEDTLS_PK_ECDSA},
    [CA__ECDSA_SHA384] = {OID_INIT(OID_ECDSA_SHA384), MBEDTLS_MD_SHA384, MBEDTLS_PK_ECDSA},
    [CA__ECDSA_SHA512] = {OID_INIT(OID_ECDSA_SHA512), MBEDTLS_MD_SHA512, MBEDTLS_PK_ECDSA},
    [CA__RSA_SHA256] = {OID_INIT(OID_RSA_SHA256), MBEDTLS_MD_SHA256, MBEDTLS_PK_RSA},
    [CA__RSA_SHA384] = {OID_INIT(OID_RSA_SHA384), MBEDTLS_MD_SHA384, MBEDTLS_PK_RSA},
    [CA__RSA_SHA512] = {OID_INIT(OID_RSA_SHA512), MBEDTLS_MD_SHA512, MBEDTLS_PK_RSA},
};
enum { SCHEME_COUNT = sizeof SCHEMES / sizeof *SCHEMES };

bool ca__read_signature_algorithm(struct mu__reader *r, enum ca__signature *out,
                                  struct mu_str *whole)
{
    struct mu_str oid, value;
    uint8_t tag;
    if (!ca__der_raw(r, DER_SEQUENCE, whole)) {
        return false;
    }
    struct mu__reader outer = ca__der(*whole), in = ca__der_enter(&outer, DER_SEQUENCE);
    if (!ca__der_oid(&in, &oid)) {
        return false;
    }
    bool null = ca__der_peek(&in, DER_NULL), none = !ca__der_more(&in);
    if (!none && (!ca__der_any(&in, &tag, &value, NULL) || (null && value.len != 0))) {
        return false;
    }
    *out = CA__SIGNATURE_OTHER;
    for (int i = 1; i < SCHEME_COUNT; i++) {
        bool rsa = SCHEMES[i].pk == MBEDTLS_PK_RSA; /* NULL with RSA alone: RFC 5758 3.2, 4055 5 */
        if (ca__same(oid, SCHEMES[i].oid) && (rsa ? null : none)) {
            *out = (enum ca__signature)i;
        }
    }
    return ca__der_done(&in);
}

void ca__write_signature_algorithm(struct mu__writer *w, enum ca__signature s)
{
    assert(s > CA__SIGNATURE_OTHER && (int)s < SCHEME_COUNT);
    size_t at = ca__der_begin(w, DER_SEQUENCE);
    ca__der_put(w, DER_OID, SCHEMES[s].oid);
    if (SCHEMES[s].pk == MBEDTLS_PK_RSA) {
        ca__der_put(w, DER_NULL, ca__str(NULL, 0));
    }
    ca__der_end(w, at);
}

/* ---- Public keys ---- */

/* An EC key: a named curve, and a point that is not compressed (RFC 5480 2.1.1, 2.2). */
static void judge_ec(struct mu_str curve, struct mu_str point, struct ca__public_key *out)
{
    static const struct {
        struct mu_str oid;
        unsigned bits;
    } curves[] = {{OID_INIT(OID_P256), 256}, {OID_INIT(OID_P384), 384}, {OID_INIT(OID_P521), 521}};
    out->algorithm = CA_EC;
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        if (ca__same(curve, curves[i].oid)) {
            out->bits = curves[i].bits;
            out->accepted = point.len == 1 + 2 * ((out->bits + 7) / 8) && point.p[0] == 4;
        }
    }
}

static unsigned bit_length(struct mu_str number)
{
    unsigned bits = (unsigned)(number.len * 8);
    for (unsigned b = (uint8_t)number.p[0]; bits > 0 && !(b & 0x80); b <<= 1) {
        bits--;
        if (!b) {
            return 0;
        }
    }
    return bits;
}

static bool judge_rsa(struct mu_str key, struct ca__public_key *out)
{
    struct mu_str modulus, exponent;
    struct mu__reader outer = ca__der(key), in = ca__der_enter(&outer, DER_SEQUENCE);
    if (!ca__der_unsigned(&in, &modulus) || !ca__der_unsigned(&in, &exponent) ||
        !ca__der_done(&in) || !ca__der_done(&outer)) {
        return false;
    }
    out->algorithm = CA_RSA;
    out->bits = bit_length(modulus);
    /* FIPS 186-5 A.1.1: 2^16 < e, odd; more than 4 bytes are nobody's, and slow */
    bool sane = exponent.len >= 3 && exponent.len <= 4 && (exponent.p[exponent.len - 1] & 1) &&
                (modulus.p[modulus.len - 1] & 1);
    out->accepted = sane && out->bits >= 2048 && out->bits <= 8192;
    return true;
}

bool ca__read_public_key(struct mu__reader *r, struct ca__public_key *out)
{
    struct mu_str oid, key, curve;
    *out = (struct ca__public_key){.accepted = false};
    if (!ca__der_raw(r, DER_SEQUENCE, &out->spki)) {
        return false;
    }
    struct mu__reader outer = ca__der(out->spki), in = ca__der_enter(&outer, DER_SEQUENCE);
    struct mu__reader algorithm = ca__der_enter(&in, DER_SEQUENCE);
    if (!ca__der_oid(&algorithm, &oid) || !ca__der_bits(&in, &key) || !ca__der_done(&in)) {
        return false;
    }
    if (OID_IS(oid, OID_EC_PUBLIC_KEY)) {
        if (ca__der_peek(&algorithm, DER_OID) && ca__der_oid(&algorithm, &curve) &&
            ca__der_done(&algorithm)) {
            judge_ec(curve, key, out);
        } /* parameters spelled out, or none: RFC 5480 forbids them (CVE-2020-0601) */
        return !algorithm.failed;
    }
    if (OID_IS(oid, OID_RSA_PUBLIC_KEY)) {
        struct mu_str null;
        return ca__der_get(&algorithm, DER_NULL, &null) && null.len == 0 &&
               ca__der_done(&algorithm) && judge_rsa(key, out);
    }
    return true;
}

int ca__load_public_key(const struct ca__public_key *key, mbedtls_pk_context *pk)
{
    uint8_t copy[CA__SPKI_MAX], *p = copy; /* mbedTLS wants a pointer to what is not const */
    mbedtls_pk_init(pk);
    if (!key->accepted || key->spki.len > sizeof copy) {
        return CA_EUNSUPPORTED;
    }
    memcpy(copy, key->spki.p, key->spki.len);
    int rc = mbedtls_pk_parse_subpubkey(&p, copy + key->spki.len, pk);
    return rc ? ca__crypto_error(rc, NULL, CA_EUNSUPPORTED) : CA_OK;
}

/* ---- Signatures ---- */

int ca__verify_signature(mbedtls_pk_context *pk, enum ca__signature s, struct mu_str signed_bytes,
                         struct mu_str signature)
{
    uint8_t hash[MBEDTLS_MD_MAX_SIZE];
    assert(s > CA__SIGNATURE_OTHER && (int)s < SCHEME_COUNT);
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(SCHEMES[s].md);
    if (!mbedtls_pk_can_do(pk, SCHEMES[s].pk)) {
        return CA_ESIGNATURE;
    }
    int rc = mbedtls_md(md, (const uint8_t *)signed_bytes.p, signed_bytes.len, hash);
    if (!rc) {
        rc = mbedtls_pk_verify(pk, SCHEMES[s].md, hash, mbedtls_md_get_size(md),
                               (const uint8_t *)signature.p, signature.len);
    }
    return rc ? ca__crypto_error(rc, NULL, CA_ESIGNATURE) : CA_OK;
}

int ca__verify_with(const struct ca__public_key *key, enum ca__signature s,
                    struct mu_str signed_bytes, struct mu_str signature)
{
    mbedtls_pk_context pk;
    int rc = ca__load_public_key(key, &pk);
    if (rc == CA_OK) {
        rc = ca__verify_signature(&pk, s, signed_bytes, signature);
    }
    mbedtls_pk_free(&pk);
    return rc;
}

/* ---- The rest ---- */

int ca__entropy_fill(void *entropy, unsigned char *out, size_t len)
{
    struct ca__entropy *e = entropy;
    if (e->source->fill(e->source->user, out, len) != 0) {
        e->failed = true;
        return MBEDTLS_ERR_PK_INVALID_ALG;
    }
    return 0;
}

/* mbedTLS adds an error of a low layer (7 bits) to one of a high layer. */
int ca__crypto_error(int mbedtls, const struct ca__entropy *e, int otherwise)
{
    enum { LOW = 0x7f };
    int code = -mbedtls, low = code & LOW, high = code & ~LOW;
    if (e && e->failed) {
        return CA_ERANDOM;
    }
    if (low == -MBEDTLS_ERR_MPI_ALLOC_FAILED || low == -MBEDTLS_ERR_ASN1_ALLOC_FAILED ||
        high == -MBEDTLS_ERR_PK_ALLOC_FAILED || high == -MBEDTLS_ERR_ECP_ALLOC_FAILED ||
        high == -MBEDTLS_ERR_MD_ALLOC_FAILED) {
        return CA_ENOMEM;
    }
    return otherwise;
}

static void hash(mbedtls_md_type_t type, struct mu_str s, uint8_t *out)
{
    int rc = mbedtls_md(mbedtls_md_info_from_type(type), (const uint8_t *)s.p, s.len, out);
    assert(rc == 0);
    (void)rc;
}

void ca__sha1(struct mu_str s, uint8_t out[20])
{
    hash(MBEDTLS_MD_SHA1, s, out);
}

void ca__sha256(struct mu_str s, uint8_t out[32])
{
    hash(MBEDTLS_MD_SHA256, s, out);
}
