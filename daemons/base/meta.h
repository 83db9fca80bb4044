/* meta.h - what metadata of nodes and services may look like: at most 64 pairs; keys of 1 to 128
 * letters, digits, `_` and
 * `-`; values of at most 512 bytes. Keys that begin with consul- are reserved. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>

/* On refusal err holds Consul's text: `Couldn't load metadata pair ('k', 'v'): ...`, cut to
 * errlen. */
MU_MUST_USE bool meta_check(const struct mu_strmap *meta, char *err, size_t errlen);
