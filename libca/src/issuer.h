/* issuer.h - a CA certificate with its key. */
#pragma once

#include "certificate.h"
#include "key.h"

struct ca_issuer {
    struct mu_allocator allocator;
    struct ca_random random;
    char trust_domain[256];
    size_t trust_domain_len;
    struct ca_key *key;
    struct ca_certificate *certificate;
    int path_length;          /* what is left for intermediates below: -1 without limit */
    int64_t not_after_unix_s; /* the earliest end of our chain */
};

/* Fills serial and validity of t from terms. Errors: CA_EINVAL, CA_ERANDOM. */
int ca__terms_apply(const struct ca_terms *terms, uint32_t default_ttl_s,
                    const struct ca_random *random, struct ca__tbs *t);
/* Signs what stands in t, and gives the certificate. */
int ca__tbs_sign(const struct ca__tbs *t, const struct ca_key *key, const struct ca_random *random,
                 const struct mu_allocator *a, struct ca_certificate **out);
/* "pri-1a2b3c4d.consul.ca.11111111.consul". Errors: CA_ERANDOM. */
int ca__random_name(const char *prefix, struct mu_str trust_domain, const struct ca_random *random,
                    char buf[CA_CN_MAX + 1]);
