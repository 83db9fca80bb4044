/* ca_settings.h - what the configuration of the built-in authority says, read as the original reads
 * it: keys in any case, text and numbers for one another. */
#pragma once

#include "arena.h"
#include "schema.h"

struct ca_settings {
    struct mu_str private_key, root_cert; /* PEM; empty: made here */
    int64_t leaf_ttl_ns, intermediate_ttl_ns;
    double csr_per_second;  /* 0: no such limit */
    int64_t csr_concurrent; /* counts without csr_per_second; 0: no limit */
    bool skip_validate, disable_cross_signing;
    struct mu_str key_type; /* "ec" or "rsa" */
    int64_t key_bits;
    bool names_key; /* type or bits were given */
};

#define CA_SETTINGS_ERROR_MAX 1024u
/* Reads one msgpack map, or nil; out lends from it. False: err says why, in the original's
 * words. */
bool ca_settings_read(struct mu_str config, struct ca_settings *out, char *err, size_t errlen);
/* What else must hold of them; NULL, or why not (in err). */
const char *ca_settings_check(const struct ca_settings *s, char *err, size_t errlen);
/* The same map without the private key, in the arena. False: out of memory. */
bool ca_settings_public(struct mu_str config, struct mu__arena *a, struct mu_str *out);
