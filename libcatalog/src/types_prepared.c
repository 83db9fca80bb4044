/* types_prepared.c - schema tables of prepared queries. */
#include "table.h"

static const struct mu__field query_failover_fields[] = {
    FIELD(query_failover, INT, nearest_n, "NearestN"),
    FIELD(query_failover, STRS, datacenters, "Datacenters"),
};
static const uint8_t query_failover_wire[] = {1, 0};
SCHEMA(query_failover, "QueryDatacenterOptions");

static const struct mu__field service_query_fields[] = {
    FIELD(service_query, STR, service, "Service"),
    SUB(service_query, STRUCT, failover, "Failover", 0, query_failover),
    FIELD(service_query, BOOL, only_passing, "OnlyPassing"),
    FIELD(service_query, STRS, ignore_check_ids, "IgnoreCheckIDs"),
    FIELD(service_query, STR, near, "Near"),
    FIELD(service_query, STRS, tags, "Tags"),
    FIELD(service_query, STRMAP, node_meta, "NodeMeta"),
    FIELD(service_query, STRMAP, service_meta, "ServiceMeta"),
    FIELD(service_query, BOOL, connect, "Connect"),
};
static const uint8_t service_query_wire[] = {8, 1, 3, 4, 6, 2, 0, 7, 5};
SCHEMA(service_query, "ServiceQuery");

static const struct mu__field query_template_fields[] = {
    FIELD(query_template, STR, type, "Type"),
    FIELD(query_template, STR, regexp, "Regexp"),
    FIELD(query_template, BOOL, remove_empty_tags, "RemoveEmptyTags"),
};
static const uint8_t query_template_wire[] = {1, 2, 0};
SCHEMA(query_template, "QueryTemplateOptions");

static const struct mu__field query_dns_fields[] = {
    FIELD(query_dns, STR, ttl, "TTL"),
};
static const uint8_t query_dns_wire[] = {0};
SCHEMA(query_dns, "QueryDNSOptions");

static const struct mu__field prepared_query_fields[] = {
    FIELD(prepared_query, STR, id, "ID"),
    FIELD(prepared_query, STR, name, "Name"),
    FIELD(prepared_query, STR, session, "Session"),
    FIELD(prepared_query, STR, token, "Token"),
    SUB(prepared_query, STRUCT, template_, "Template", 0, query_template),
    SUB(prepared_query, STRUCT, service, "Service", 0, service_query),
    SUB(prepared_query, STRUCT, dns, "DNS", 0, query_dns),
    RAFT_INDEX(prepared_query),
};
static const uint8_t prepared_query_wire[] = {7, 6, 0, 8, 1, 5, 2, 4, 3};
SCHEMA(prepared_query, "PreparedQuery");

static const struct mu__field prepared_query_request_fields[] = {
    FIELD(prepared_query_request, STR, datacenter, "Datacenter"),
    FIELD(prepared_query_request, STR, op, "Op"),
    SUB(prepared_query_request, PTR, query, "Query", 0, prepared_query),
    FIELD(prepared_query_request, STR, token, "Token"),
};
static const uint8_t prepared_query_request_wire[] = {0, 1, 2, 3};
SCHEMA(prepared_query_request, "PreparedQueryRequest");

static const struct mu__field prepared_query_get_request_fields[] = {
    FIELD(prepared_query_get_request, STR, datacenter, "Datacenter"),
    FIELD(prepared_query_get_request, STR, query_id, "QueryID"),
    QUERY_OPTIONS(prepared_query_get_request),
};
static const uint8_t prepared_query_get_request_wire[] = {5, 0, 12, 9, 4, 8, 3, 10, 1, 6, 11, 2, 7};
SCHEMA(prepared_query_get_request, "PreparedQuerySpecificRequest");

static const struct mu__field query_execute_request_fields[] = {
    FIELD(query_execute_request, STR, datacenter, "Datacenter"),
    FIELD(query_execute_request, STR, query_id_or_name, "QueryIDOrName"),
    FIELD(query_execute_request, INT, limit, "Limit"),
    FIELD(query_execute_request, BOOL, connect, "Connect"),
    SUB(query_execute_request, STRUCT, source, "Source", 0, query_source),
    SUB(query_execute_request, STRUCT, agent, "Agent", 0, query_source),
    QUERY_OPTIONS(query_execute_request),
};
static const uint8_t query_execute_request_wire[] = {5, 9,  3, 0,  16, 2,  13, 8, 12,
                                                     7, 14, 1, 10, 4,  15, 6,  11};
SCHEMA(query_execute_request, "PreparedQueryExecuteRequest");

static const struct mu__field indexed_prepared_queries_fields[] = {
    SUB(indexed_prepared_queries, LIST, queries, "Queries", 0, prepared_query),
    QUERY_META(indexed_prepared_queries),
};
static const uint8_t indexed_prepared_queries_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_prepared_queries, "IndexedPreparedQueries");

static const struct mu__field query_execute_response_fields[] = {
    FIELD(query_execute_response, STR, service, "Service"),
    SUB(query_execute_response, LIST, nodes, "Nodes", 0, check_service_node),
    SUB(query_execute_response, STRUCT, dns, "DNS", 0, query_dns),
    FIELD(query_execute_response, STR, datacenter, "Datacenter"),
    FIELD(query_execute_response, INT, failovers, "Failovers"),
    QUERY_META(query_execute_response),
};
static const uint8_t query_execute_response_wire[] = {8, 2, 3, 4, 5, 7, 6, 1, 0};
SCHEMA(query_execute_response, "PreparedQueryExecuteResponse");

static const struct mu__field query_explain_response_fields[] = {
    SUB(query_explain_response, STRUCT, query, "Query", 0, prepared_query),
    QUERY_META(query_explain_response),
};
static const uint8_t query_explain_response_wire[] = {4, 1, 3, 2, 0};
SCHEMA(query_explain_response, "PreparedQueryExplainResponse");
