/* csr.h - a certificate signing request, whose signature has been verified. */
#pragma once

#include "x509.h"

struct ca_csr {
    struct mu_allocator allocator;
    struct mu_str der; /* owned */
    struct ca__public_key key;
    enum ca__signature signature_algorithm;
    struct mu_str info, signature;
    struct ca__extensions ext;
};

/* Are these names that a certificate may carry? */
bool ca__names_are_good(const struct ca_name *names, size_t count);
bool ca__is_common_name(struct mu_str s);
