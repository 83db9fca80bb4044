/* intention_codec.h - the form on the wire of what bears on several names: a list of lists, which
 * no schema table can say. */
#pragma once

#include "config_codec.h"

extern const struct wire_codec
    intention_matches_codec; /* struct catalog_indexed_intention_matches */
