/* ca_plan.h - from what stands and what an operator wants to the one log entry that brings it
 * about: another configuration, or with it another root that the one before has signed. */
#pragma once

#include "ca_settings.h"

#include <muster/ca.h>
#include <muster/catalog_ca.h>

#define CA_KEY_PEM_MAX 8192u

struct ca_present { /* borrowed; NULL: there is none */
    const struct catalog_ca_config *config;
    const struct catalog_ca_root *active;
    const struct catalog_ca_provider_state *state;
    struct mu_list roots;
    uint64_t roots_index;
    uint64_t next_index; /* of the log, about: a serial number that no root has yet */
};

struct ca_plan {
    struct catalog_ca_request request; /* lends from below, the arena and what stands */
    struct catalog_ca_config config;
    struct catalog_ca_provider_state state;
    struct catalog_ca_root root;
    char key_pem[CA_KEY_PEM_MAX]; /* secret */
    bool rotates;
};

extern const struct ca_random ca_entropy; /* of the system */

/* NULL, or why it cannot be (in err): the original's words, but never with a key in them. Making a
 * key of RSA takes seconds. The plan is to be wiped in any case. */
const char *ca_plan_make(const struct ca_present *now, const struct catalog_ca_config *wanted,
                         int64_t now_unix_s, struct mu__arena *a, struct ca_plan *out, char *err,
                         size_t errlen);
void ca_plan_wipe(struct ca_plan *plan);

/* "<cluster id>.consul", in the arena; NULL: out of memory. */
const char *ca_trust_domain(struct mu_str cluster_id, struct mu__arena *a);
/* "aa:bb:.." of bytes, likewise. */
struct mu_str ca_hex(const uint8_t *bytes, size_t len, struct mu__arena *a);
struct mu_time ca_time(int64_t unix_s);
/* An issuer of the root and key that the provider has. NULL with a reason in err. */
struct ca_issuer *ca_issuer_of(const struct catalog_ca_provider_state *state,
                               const char *trust_domain, int64_t now_unix_s, char *err,
                               size_t errlen);

/* Is it the active one, or may there be leafs of it yet? Who was rotated out twice the life of a
 * leaf ago has none left. */
bool ca_root_is_needed(const struct catalog_ca_root *root, int64_t leaf_ttl_s, int64_t now_unix_s);
/* The last of 50, 75 and 90 percent of its life that are over; 0: none. */
unsigned ca_root_used_percent(const struct catalog_ca_root *root, int64_t now_unix_s);
