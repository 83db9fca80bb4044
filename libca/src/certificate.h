/* certificate.h - a certificate as an object: its DER, its PEM, and what was read of it. */
#pragma once

#include "x509.h"

struct ca_certificate {
    struct mu_allocator allocator;
    struct ca__cert cert; /* points into der */
    struct ca_certificate_info info;
    struct mu_str pem;
    size_t der_len;
    uint8_t der[]; /* and the PEM behind it */
};

/* Makes one of DER, which is copied. Errors as ca_certificate_parse. */
int ca__certificate_make(struct mu_str der, const struct mu_allocator *a,
                         struct ca_certificate **out, struct ca_diag *diag);
