/* compat.h - all that differs between mbedTLS 2.28 and 3.6 for us. */
#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/version.h>

typedef int (*ca__rng_fn)(void *user, unsigned char *out, size_t len);

static inline int ca__pk_sign(mbedtls_pk_context *pk, mbedtls_md_type_t md, const uint8_t *hash,
                              size_t hash_len, uint8_t *sig, size_t cap, size_t *len,
                              ca__rng_fn rng, void *user)
{
#if MBEDTLS_VERSION_MAJOR < 3
    (void)cap;
    return mbedtls_pk_sign(pk, md, hash, hash_len, sig, len, rng, user);
#else
    return mbedtls_pk_sign(pk, md, hash, hash_len, sig, cap, len, rng, user);
#endif
}

/* text[len - 1] is zero, as PEM wants it there. */
static inline int ca__pk_parse_key(mbedtls_pk_context *pk, const uint8_t *text, size_t len,
                                   ca__rng_fn rng, void *user)
{
#if MBEDTLS_VERSION_MAJOR < 3
    (void)rng, (void)user;
    return mbedtls_pk_parse_key(pk, text, len, NULL, 0);
#else
    return mbedtls_pk_parse_key(pk, text, len, NULL, 0, rng, user);
#endif
}
