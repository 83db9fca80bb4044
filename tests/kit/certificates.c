#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "certificates: %s: -0x%04x\n", what, (unsigned)-rc);
        abort();
    }
}

static void make_key(struct certificate *c)
{
    mbedtls_entropy_init(&c->entropy);
    mbedtls_ctr_drbg_init(&c->random);
    mbedtls_pk_init(&c->key);
    mbedtls_x509_crt_init(&c->crt);
    must(mbedtls_ctr_drbg_seed(&c->random, mbedtls_entropy_func, &c->entropy, NULL, 0), "seed");
    must(mbedtls_pk_setup(&c->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), "key");
    must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(c->key),
                             mbedtls_ctr_drbg_random, &c->random),
         "key");
}

static mbedtls_pk_context *key_of(const struct certificate *c)
{
    return (mbedtls_pk_context *)(uintptr_t)&c->key; /* mbedTLS 2.28 knows no const key */
}

void certificate_make(struct certificate *c, const char *subject,
                      const struct certificate *authority)
{
    make_key(c);
    char issuer[256];
    snprintf(issuer, sizeof issuer, "%s", subject);
    if (authority) { /* "CN=x, OU=y": the form that is read is the form that is written */
        must(mbedtls_x509_dn_gets(issuer, sizeof issuer, &authority->crt.subject), "issuer");
    }
    mbedtls_x509write_cert w;
    mbedtls_mpi serial;
    unsigned char der[2048];
    mbedtls_x509write_crt_init(&w);
    mbedtls_mpi_init(&serial);
    must(mbedtls_mpi_fill_random(&serial, 8, mbedtls_ctr_drbg_random, &c->random), "serial");
    must(mbedtls_x509write_crt_set_serial(&w, &serial), "serial");
    must(mbedtls_x509write_crt_set_validity(&w, "20200101000000", "20491231235959"), "validity");
    must(mbedtls_x509write_crt_set_subject_name(&w, subject), "subject");
    must(mbedtls_x509write_crt_set_issuer_name(&w, issuer), "issuer");
    must(mbedtls_x509write_crt_set_basic_constraints(&w, !authority, -1), "constraints");
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&w, &c->key);
    mbedtls_x509write_crt_set_issuer_key(&w, authority ? key_of(authority) : &c->key);
    int len = mbedtls_x509write_crt_der(&w, der, sizeof der, mbedtls_ctr_drbg_random, &c->random);
    must(len, "sign"); /* it stands at the end of der */
    must(mbedtls_x509_crt_parse_der(&c->crt, der + sizeof der - len, (size_t)len), "parse");
    mbedtls_mpi_free(&serial);
    mbedtls_x509write_crt_free(&w);
}

void certificate_free(struct certificate *c)
{
    mbedtls_x509_crt_free(&c->crt);
    mbedtls_pk_free(&c->key);
    mbedtls_ctr_drbg_free(&c->random);
    mbedtls_entropy_free(&c->entropy);
}
