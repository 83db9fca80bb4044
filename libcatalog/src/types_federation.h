/* types_federation.h - the schema tables of catalog_federation.h. */
#pragma once

#include <muster/catalog_federation.h>

#include "schema.h"

extern const struct mu__schema catalog__federation_state_schema;
extern const struct mu__schema catalog__federation_query_schema;
extern const struct mu__schema catalog__federation_reply_schema;
extern const struct mu__schema catalog__indexed_federation_states_schema;
/* Of its meta alone: what is in the map is no struct, and has a form of its own on the wire. */
extern const struct mu__schema catalog__datacenter_nodes_schema;
