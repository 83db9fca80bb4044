/* types_gateway.h - the schema tables of catalog_gateway.h. */
#pragma once

#include <muster/catalog_gateway.h>

#include "schema.h"

extern const struct mu__schema catalog__service_name_schema;
extern const struct mu__schema catalog__gateway_service_schema;
extern const struct mu__schema catalog__indexed_gateway_services_schema;
extern const struct mu__schema catalog__service_info_schema;
extern const struct mu__schema catalog__indexed_service_dump_schema;
