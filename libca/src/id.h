/* id.h - SPIFFE ids inside the library. */
#pragma once

#include "common.h"

#define CA__TRUST_DOMAIN_MAX 255 /* SPIFFE-ID 2.3 */

bool ca__is_trust_domain(struct mu_str s);
