/* certificates.h - an authority and the certificates it signs, made on the spot with mbedTLS. */
#pragma once

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

/* A key pair, its certificate and a random generator; an authority is one, too. */
struct certificate {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_pk_context key;
    mbedtls_x509_crt crt;
};

/* subject: "CN=server-1,OU=server". authority NULL: signs itself, and may sign others. */
void certificate_make(struct certificate *c, const char *subject,
                      const struct certificate *authority);
void certificate_free(struct certificate *c);
