/* trust.h - the roots that are trusted, each with its key ready for use. */
#pragma once

#include "x509.h"

struct ca__root {
    struct ca__cert cert; /* points into der */
    uint8_t *der;
    mbedtls_pk_context pk;
    bool loaded; /* pk is there: its key is accepted */
};

struct ca_trust {
    struct mu_allocator allocator;
    char trust_domain[256];
    size_t trust_domain_len;
    struct ca__root **roots;
    size_t count, cap, max;
};

/* What a CA certificate must be to stand at `below` non-self-issued intermediates above a leaf, as
 * far as it alone says: fit to sign at now. */
enum ca_verdict ca__issuer_fitness(const struct ca__cert *c, int64_t now_unix_s, size_t below);
enum ca_verdict ca__validity(const struct ca__cert *c, int64_t now_unix_s);
