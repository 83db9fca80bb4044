/* entry.h - which request an entry type carries. */
#pragma once

#include <muster/catalog.h>

#include "schema.h"

const struct mu__schema *catalog__entry_schema(uint8_t type); /* NULL: not known to this release */
