/* The types of Consul's Go client (api.KVPair, Node, ServiceEntry, HealthCheck, AgentService) as
 * tables over our own structs: what differs from the server's JSON is order and what is left
 * out. */
#include "payload.h"

#include "agent/agent_endpoints.h"

#include <stddef.h>

#define FIELD(of, text, kind_, member, ...)                                                        \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_, .offset = offsetof(struct of, member), __VA_ARGS__     \
    }
#define SCHEMA(table, go, of)                                                                      \
    {                                                                                              \
        .name = (go), .fields = (table), .nfields = sizeof(table) / sizeof *(table),               \
        .size = sizeof(struct of)                                                                  \
    }

#define OMIT MU_F_OMIT_EMPTY
#define TEXT MU_F_DURATION_STRING

static const struct mu__field entry_fields[] = {
    FIELD(catalog_dir_entry, "Key", STR, key, .flags = 0),
    FIELD(catalog_dir_entry, "CreateIndex", UINT, create_index, .flags = 0),
    FIELD(catalog_dir_entry, "ModifyIndex", UINT, modify_index, .flags = 0),
    FIELD(catalog_dir_entry, "LockIndex", UINT, lock_index, .flags = 0),
    FIELD(catalog_dir_entry, "Flags", UINT, flags, .flags = 0),
    FIELD(catalog_dir_entry, "Value", BYTES, value, .flags = 0),
    FIELD(catalog_dir_entry, "Session", STR, session, .flags = 0),
};
const struct mu__schema watch__entry_schema = SCHEMA(entry_fields, "KVPair", catalog_dir_entry);

static const struct mu__field node_fields[] = {
    FIELD(catalog_node, "ID", STR, id, .flags = 0),
    FIELD(catalog_node, "Node", STR, node, .flags = 0),
    FIELD(catalog_node, "Address", STR, address, .flags = 0),
    FIELD(catalog_node, "Datacenter", STR, datacenter, .flags = 0),
    FIELD(catalog_node, "TaggedAddresses", STRMAP, tagged_addresses, .flags = 0),
    FIELD(catalog_node, "Meta", STRMAP, meta, .flags = 0),
    FIELD(catalog_node, "CreateIndex", UINT, create_index, .flags = 0),
    FIELD(catalog_node, "ModifyIndex", UINT, modify_index, .flags = 0),
};
const struct mu__schema watch__node_schema = SCHEMA(node_fields, "Node", catalog_node);

static const struct mu__field definition_fields[] = {
    FIELD(catalog_check_definition, "Interval", DURATION, interval_ns, .flags = TEXT),
    FIELD(catalog_check_definition, "Timeout", DURATION, timeout_ns, .flags = TEXT),
    FIELD(catalog_check_definition, "DeregisterCriticalServiceAfter", DURATION,
          deregister_critical_service_after_ns, .flags = TEXT),
    FIELD(catalog_check_definition, "HTTP", STR, http, .flags = 0),
    FIELD(catalog_check_definition, "Header", STRSMAP, header, .flags = 0),
    FIELD(catalog_check_definition, "Method", STR, method, .flags = 0),
    FIELD(catalog_check_definition, "Body", STR, body, .flags = 0),
    FIELD(catalog_check_definition, "TLSSkipVerify", BOOL, tls_skip_verify, .flags = 0),
    FIELD(catalog_check_definition, "TCP", STR, tcp, .flags = 0),
};
static const struct mu__schema definition_schema =
    SCHEMA(definition_fields, "HealthCheckDefinition", catalog_check_definition);

static const struct mu__field check_fields[] = {
    FIELD(catalog_check, "Node", STR, node, .flags = 0),
    FIELD(catalog_check, "CheckID", STR, check_id, .flags = 0),
    FIELD(catalog_check, "Name", STR, name, .flags = 0),
    FIELD(catalog_check, "Status", STR, status, .flags = 0),
    FIELD(catalog_check, "Notes", STR, notes, .flags = 0),
    FIELD(catalog_check, "Output", STR, output, .flags = 0),
    FIELD(catalog_check, "ServiceID", STR, service_id, .flags = 0),
    FIELD(catalog_check, "ServiceName", STR, service_name, .flags = 0),
    FIELD(catalog_check, "ServiceTags", STRS, service_tags, .flags = 0),
    FIELD(catalog_check, "Type", STR, type, .flags = 0),
    FIELD(catalog_check, "Definition", STRUCT, definition, .sub = &definition_schema),
    FIELD(catalog_check, "CreateIndex", UINT, create_index, .flags = 0),
    FIELD(catalog_check, "ModifyIndex", UINT, modify_index, .flags = 0),
};
const struct mu__schema watch__check_schema = SCHEMA(check_fields, "HealthCheck", catalog_check);

/* ---- Services ---- */

struct watch__service {
    struct agent_service of;
    uint64_t create_index, modify_index;
};

static const struct mu__field service_fields[] = {
    FIELD(watch__service, "Kind", STR, of.kind, .flags = OMIT),
    FIELD(watch__service, "ID", STR, of.id, .flags = 0),
    FIELD(watch__service, "Service", STR, of.service, .flags = 0),
    FIELD(watch__service, "Tags", STRS, of.tags, .flags = 0),
    FIELD(watch__service, "Meta", STRMAP, of.meta, .flags = 0),
    FIELD(watch__service, "Port", INT, of.port, .flags = 0),
    FIELD(watch__service, "Address", STR, of.address, .flags = 0),
    FIELD(watch__service, "TaggedAddresses", STRUCTMAP, of.tagged_addresses, .flags = OMIT,
          .sub = &agent_address_schema),
    FIELD(watch__service, "Weights", STRUCT, of.weights, .sub = &agent_weights_schema),
    FIELD(watch__service, "EnableTagOverride", BOOL, of.enable_tag_override, .flags = 0),
    FIELD(watch__service, "CreateIndex", UINT, create_index, .flags = OMIT),
    FIELD(watch__service, "ModifyIndex", UINT, modify_index, .flags = OMIT),
    FIELD(watch__service, "ContentHash", STR, of.content_hash, .flags = OMIT),
    FIELD(watch__service, "Proxy", PTR, of.proxy, .flags = OMIT, .sub = &agent_proxy_schema),
    FIELD(watch__service, "Connect", PTR, of.connect, .flags = OMIT, .sub = &agent_connect_schema),
};
const struct mu__schema watch__service_schema =
    SCHEMA(service_fields, "AgentService", watch__service);

struct mu_str watch__service_hash(const struct watch__service *s)
{
    return s->of.content_hash;
}

struct health {
    struct catalog_node *node;
    struct watch__service *service;
    struct mu_list checks;
};

static const struct mu__field health_fields[] = {
    FIELD(health, "Node", PTR, node, .sub = &watch__node_schema),
    FIELD(health, "Service", PTR, service, .sub = &watch__service_schema),
    FIELD(health, "Checks", LIST, checks, .sub = &watch__check_schema),
};
const struct mu__schema watch__health_schema = SCHEMA(health_fields, "ServiceEntry", health);
