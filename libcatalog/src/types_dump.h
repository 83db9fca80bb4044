/* types_dump.h - the schema tables of catalog_dump.h. */
#pragma once

#include <muster/catalog_dump.h>

#include "schema.h"

extern const struct mu__schema catalog__node_info_schema;
extern const struct mu__schema catalog__indexed_node_dump_schema;
extern const struct mu__schema catalog__service_dump_request_schema;
