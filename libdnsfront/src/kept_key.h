/* kept_key.h - reads a question of the plain form: header, one question of class IN, at most an OPT
 * record without a client subnet. All others are for the ordinary path. */
#pragma once

#include "kept.h"

/* False if it is not of that form. Does not hash. */
bool dnsfront__kept_key_read(const struct dnsfront *d, const struct dnsfront_request *r,
                             struct kept_key *out);
