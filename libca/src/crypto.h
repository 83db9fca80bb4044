/* crypto.h - what libca asks of mbedTLS: public keys, signatures, hashes. */
#pragma once

#include "common.h"

#include <mbedtls/pk.h>

enum ca__signature { /* signature algorithms that are accepted */
                     CA__SIGNATURE_OTHER,
                     CA__ECDSA_SHA256,
                     CA__ECDSA_SHA384,
                     CA__ECDSA_SHA512,
                     CA__RSA_SHA256,
                     CA__RSA_SHA384,
                     CA__RSA_SHA512
};

/* A SubjectPublicKeyInfo as it was read. */
struct ca__public_key {
    struct mu_str spki; /* DER */
    bool accepted;      /* P-256, P-384, P-521; RSA of 2048 to 8192 bits and a sane exponent */
    enum ca_key_algorithm algorithm;
    unsigned bits;
};

#define CA__SPKI_MAX      1280 /* of RSA with 8192 bits */
#define CA__SIGNATURE_MAX 1024

/* Reads one SubjectPublicKeyInfo; false if it is malformed. One that is merely not accepted is
 * read. */
struct mu__reader;
struct mu__writer;
bool ca__read_public_key(struct mu__reader *r, struct ca__public_key *out);
/* Reads one AlgorithmIdentifier of a signature; whole is its DER. */
bool ca__read_signature_algorithm(struct mu__reader *r, enum ca__signature *out,
                                  struct mu_str *whole);
void ca__write_signature_algorithm(struct mu__writer *w, enum ca__signature s);

/* Loads an accepted public key; free pk with mbedtls_pk_free in any case.
 * Errors: CA_EUNSUPPORTED (a point that is not on the curve, say), CA_ENOMEM. */
int ca__load_public_key(const struct ca__public_key *key, mbedtls_pk_context *pk);
/* Errors: CA_ESIGNATURE, CA_ENOMEM. */
int ca__verify_signature(mbedtls_pk_context *pk, enum ca__signature s, struct mu_str signed_bytes,
                         struct mu_str signature);
/* The same with a key that is loaded for this once. */
int ca__verify_with(const struct ca__public_key *key, enum ca__signature s,
                    struct mu_str signed_bytes, struct mu_str signature);

/* The random source as mbedTLS wants it, with a memory of failure. */
struct ca__entropy {
    const struct ca_random *source;
    bool failed;
};
int ca__entropy_fill(void *entropy, unsigned char *out, size_t len);
/* What an error of mbedTLS is to our callers: no memory, no entropy, or `otherwise`. */
int ca__crypto_error(int mbedtls, const struct ca__entropy *e, int otherwise);

void ca__sha1(struct mu_str s, uint8_t out[20]);
void ca__sha256(struct mu_str s, uint8_t out[32]);
