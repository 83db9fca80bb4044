/* types_session.c - schema tables of sessions, their requests and replies. */
#include "table.h"

static const struct mu__field service_check_fields[] = {
    FIELD(service_check, STR, id, "ID"),
    FIELD(service_check, STR, check_namespace, "Namespace"),
};
static const uint8_t service_check_wire[] = {0, 1};
SCHEMA(service_check, "ServiceCheck");

static const struct mu__field session_fields[] = {
    FIELD(session, STR, id, "ID"),
    FIELD(session, STR, name, "Name"),
    FIELD(session, STR, node, "Node"),
    FLAGGED(session, DURATION, lock_delay_ns, "LockDelay", MU_F_SMALL_SECONDS),
    FIELD(session, STR, behavior, "Behavior"),
    FIELD(session, STR, ttl, "TTL"),
    FIELD(session, STRS, node_checks, "NodeChecks"),
    SUB(session, LIST, service_checks, "ServiceChecks", 0, service_check),
    FLAGGED(session, STRS, checks, "Checks", OMIT),
    RAFT_INDEX(session),
};
static const uint8_t session_wire[] = {4, 8, 9, 0, 3, 10, 1, 2, 6, 7, 5};
SCHEMA(session, "Session");

static const struct mu__field session_request_fields[] = {
    FIELD(session_request, STR, datacenter, "Datacenter"),
    FIELD(session_request, STR, op, "Op"),
    SUB(session_request, STRUCT, session, "Session", 0, session),
    FIELD(session_request, STR, token, "Token"),
};
static const uint8_t session_request_wire[] = {0, 1, 2, 3};
SCHEMA(session_request, "SessionRequest");

static const struct mu__field session_get_request_fields[] = {
    FIELD(session_get_request, STR, datacenter, "Datacenter"),
    FIELD(session_get_request, STR, session_id, "SessionID"),
    FIELD(session_get_request, STR, session, "Session"),
    QUERY_OPTIONS(session_get_request),
};
static const uint8_t session_get_request_wire[] = {6, 0, 13, 10, 5, 9, 4, 11, 7, 2, 1, 12, 3, 8};
SCHEMA(session_get_request, "SessionSpecificRequest");

static const struct mu__field indexed_sessions_fields[] = {
    SUB(indexed_sessions, LIST, sessions, "Sessions", 0, session),
    QUERY_META(indexed_sessions),
};
static const uint8_t indexed_sessions_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_sessions, "IndexedSessions");
