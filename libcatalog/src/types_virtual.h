/* types_virtual.h - a virtual address as the store keeps it. */
#pragma once

#include <muster/mu.h>

#include "schema.h"

/* Addresses are numbered from 1, and given and taken back from the lower end: there is a record for
 * each number up to the largest that was ever in use at once. */
struct catalog__virtual_ip {
    uint64_t number;
    struct mu_str service; /* empty: it is free */
};
extern const struct mu__schema catalog__virtual_ip_schema;
