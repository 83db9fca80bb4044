/* check_tls_trust.h - whom checks trust over TLS: authorities, own certificate, and the words for
 * a certificate that is not accepted. Of the TLS thread alone. */
#pragma once

#include "agent/check_tls.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <stddef.h>

struct check__trust {
    struct check__tls_options options; /* own copies */
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context rng;
    mbedtls_x509_crt authorities, own;
    mbedtls_pk_context key;
    bool seeded, has_authorities, has_own;
    struct check__trust_config {
        bool ready;
        mbedtls_ssl_config config;
    } configs[4]; /* by skip_verify + 2 * h2 */
};

bool check__trust_init(struct check__trust *t, const struct check__tls_options *options);
void check__trust_fini(struct check__trust *t);

/* Lends the configuration that a wish asks for. NULL: why says what is missing. */
const mbedtls_ssl_config *check__trust_config(struct check__trust *t,
                                              const struct check__tls_wish *wish, char *why,
                                              size_t cap);
bool check__trust_is_address(const char *name); /* certificates name addresses in their own way */

struct check__trust_peer {
    const char *name;   /* expected in the certificate; borrowed */
    char mismatch[256]; /* in Go's words */
};
/* For mbedtls_ssl_set_verify, with a struct check__trust_peer: whose certificate is it? */
int check__trust_look(void *arg, mbedtls_x509_crt *cert, int depth, uint32_t *flags);
/* Why a handshake failed, in Go's words. error: of mbedTLS; flags: of the verification. */
void check__trust_explain(int error, uint32_t flags, const struct check__trust_peer *peer,
                          char *why, size_t cap);
