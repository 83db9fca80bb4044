/* federation_codec.h - the form on the wire of mesh gateways by datacenter: a map of lists, which
 * no schema table can say. */
#pragma once

#include "config_codec.h"

extern const struct wire_codec datacenter_nodes_codec; /* struct catalog_datacenter_nodes */
