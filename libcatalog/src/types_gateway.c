#include "types_gateway.h"

#include "table.h"

static const struct mu__field service_name_fields[] = {
    FIELD(service_name, STR, name, "Name"),
};
static const uint8_t service_name_wire[] = {0};
SCHEMA(service_name, "ServiceName");

static const struct mu__field gateway_service_fields[] = {
    SUB(gateway_service, STRUCT, gateway, "Gateway", 0, service_name),
    SUB(gateway_service, STRUCT, service, "Service", 0, service_name),
    FIELD(gateway_service, STR, gateway_kind, "GatewayKind"),
    FLAGGED(gateway_service, INT, port, "Port", OMIT),
    FLAGGED(gateway_service, STR, protocol, "Protocol", OMIT),
    FLAGGED(gateway_service, STRS, hosts, "Hosts", OMIT),
    FLAGGED(gateway_service, STR, ca_file, "CAFile", OMIT),
    FLAGGED(gateway_service, STR, cert_file, "CertFile", OMIT),
    FLAGGED(gateway_service, STR, key_file, "KeyFile", OMIT),
    FLAGGED(gateway_service, STR, sni, "SNI", OMIT),
    FLAGGED(gateway_service, BOOL, from_wildcard, "FromWildcard", OMIT),
    RAFT_INDEX(gateway_service),
};
/* CAFile, CertFile, CreateIndex, FromWildcard, Gateway, GatewayKind, Hosts, KeyFile, ModifyIndex,
 * Port, Protocol, SNI, Service */
static const uint8_t gateway_service_wire[] = {6, 7, 11, 10, 0, 2, 5, 8, 12, 3, 4, 9, 1};
SCHEMA(gateway_service, "GatewayService");

static const struct mu__field indexed_gateway_services_fields[] = {
    SUB(indexed_gateway_services, LIST, services, "Services", 0, gateway_service),
    QUERY_META(indexed_gateway_services),
};
static const uint8_t indexed_gateway_services_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_gateway_services, "IndexedGatewayServices");

static const struct mu__field service_info_fields[] = {
    SUB(service_info, PTR, node, "Node", 0, node),
    SUB(service_info, PTR, service, "Service", 0, node_service),
    SUB(service_info, LIST, checks, "Checks", 0, check),
    SUB(service_info, PTR, gateway_service, "GatewayService", 0, gateway_service),
};
static const uint8_t service_info_wire[] = {2, 3, 0, 1};
SCHEMA(service_info, "ServiceInfo");

static const struct mu__field indexed_service_dump_fields[] = {
    SUB(indexed_service_dump, LIST, dump, "Dump", 0, service_info),
    QUERY_META(indexed_service_dump),
};
static const uint8_t indexed_service_dump_wire[] = {4, 0, 1, 3, 2};
SCHEMA(indexed_service_dump, "IndexedServiceDump");

const struct mu__schema *catalog_gateway_service_schema(void)
{
    return &catalog__gateway_service_schema;
}
