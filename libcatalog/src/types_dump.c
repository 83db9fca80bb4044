#include "types_dump.h"

#include "table.h"

static const struct mu__field node_info_fields[] = {
    FIELD(node_info, STR, id, "ID"),
    FIELD(node_info, STR, node, "Node"),
    FIELD(node_info, STR, address, "Address"),
    FIELD(node_info, STRMAP, tagged_addresses, "TaggedAddresses"),
    FIELD(node_info, STRMAP, meta, "Meta"),
    SUB(node_info, LIST, services, "Services", NO_NULL, node_service),
    SUB(node_info, LIST, checks, "Checks", NO_NULL, check),
};
static const uint8_t node_info_wire[] = {2, 6, 0, 4, 1, 5, 3};
SCHEMA(node_info, "NodeInfo");

static const struct mu__field indexed_node_dump_fields[] = {
    SUB(indexed_node_dump, LIST, dump, "Dump", 0, node_info),
    QUERY_META(indexed_node_dump),
};
static const uint8_t indexed_node_dump_wire[] = {4, 0, 1, 3, 2};
SCHEMA(indexed_node_dump, "IndexedNodeDump");

static const struct mu__field service_dump_request_fields[] = {
    FIELD(service_dump_request, STR, datacenter, "Datacenter"),
    FIELD(service_dump_request, STR, service_kind, "ServiceKind"),
    FIELD(service_dump_request, BOOL, use_service_kind, "UseServiceKind"),
    SUB(service_dump_request, STRUCT, source, "Source", 0, query_source),
    QUERY_OPTIONS(service_dump_request),
};
/* Of the options, in byte order: AllowStale, Filter, MaxAge, MaxQueryTime, MaxStaleDuration,
 * MinQueryIndex, MustRevalidate, RequireConsistent, StaleIfError, Token, UseCache */
static const uint8_t service_dump_request_wire[] = {
    7, 0, 14, 11, 6, 10, 5, 12, 8, 1, 3, 13, 4, 9, 2,
};
SCHEMA(service_dump_request, "ServiceDumpRequest");

const struct mu__schema *catalog_node_info_schema(void)
{
    return &catalog__node_info_schema;
}
