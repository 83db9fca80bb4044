/* key.h - a private key and its public half. */
#pragma once

#include "crypto.h"

struct ca_key {
    struct mu_allocator allocator;
    mbedtls_pk_context pk;
    struct ca__public_key public_key; /* spki points into bytes */
    uint8_t bytes[CA__SPKI_MAX];
};

/* The algorithm that the key signs with: SHA-2 as long as its curve. */
enum ca__signature ca__key_signature(const struct ca_key *k);
/* Signs. sig has CA__SIGNATURE_MAX bytes. Errors: CA_ERANDOM, CA_ENOMEM. */
int ca__key_sign(struct ca_key *k, const struct ca_random *random, struct mu_str bytes,
                 uint8_t *sig, size_t *len);

struct mu__writer;
/* Writes SEQUENCE { bytes, algorithm, signature }, which certificates and CSRs are.
 * Errors: CA_ERANDOM, CA_ENOMEM. */
int ca__signed_write(struct mu__writer *w, struct ca_key *key, const struct ca_random *random,
                     struct mu_str bytes);
