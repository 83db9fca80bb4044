/* types_intention.c - schema tables of muster/catalog_intention.h. */
#include <muster/catalog_intention.h>

#include "table.h"

static const struct mu__field intention_fields[] = {
    FIELD(intention, STR, id, "ID"),
    FIELD(intention, STR, description, "Description"),
    FIELD(intention, STR, source_ns, "SourceNS"),
    FIELD(intention, STR, source_name, "SourceName"),
    FIELD(intention, STR, destination_ns, "DestinationNS"),
    FIELD(intention, STR, destination_name, "DestinationName"),
    FIELD(intention, STR, source_type, "SourceType"),
    FIELD(intention, STR, action, "Action"),
    FIELD(intention, STR, default_addr, "DefaultAddr"),
    FIELD(intention, INT, default_port, "DefaultPort"),
    FLAGGED(intention, STRMAP, meta, "Meta", NO_NULL),
    FIELD(intention, INT, precedence, "Precedence"),
    FIELD(intention, TIME, created_at, "CreatedAt"),
    FIELD(intention, TIME, updated_at, "UpdatedAt"),
    FIELD(intention, BYTES, hash, "Hash"),
    RAFT_INDEX(intention),
};
static const uint8_t intention_wire[] = {7, 15, 12, 8, 9, 1, 4, 5, 14, 0, 10, 16, 11, 2, 3, 6, 13};
SCHEMA(intention, "Intention");

static const struct mu__field intention_request_fields[] = {
    FIELD(intention_request, STR, datacenter, "Datacenter"),
    FIELD(intention_request, STR, op, "Op"),
    SUB(intention_request, PTR, intention, "Intention", 0, intention),
    FIELD(intention_request, STR, token, "Token"),
};
static const uint8_t intention_request_wire[] = {0, 2, 1, 3};
SCHEMA(intention_request, "IntentionRequest");

static const struct mu__field intention_name_fields[] = {
    FIELD(intention_name, STR, ns, "Namespace"),
    FIELD(intention_name, STR, name, "Name"),
};
static const uint8_t intention_name_wire[] = {1, 0};
SCHEMA(intention_name, "IntentionMatchEntry");

static const struct mu__field intention_match_fields[] = {
    FIELD(intention_match, STR, type, "Type"),
    SUB(intention_match, LIST, entries, "Entries", 0, intention_name),
};
static const uint8_t intention_match_wire[] = {1, 0};
SCHEMA(intention_match, "IntentionQueryMatch");

static const struct mu__field intention_pair_fields[] = {
    FIELD(intention_pair, STR, source_ns, "SourceNS"),
    FIELD(intention_pair, STR, source_name, "SourceName"),
    FIELD(intention_pair, STR, destination_ns, "DestinationNS"),
    FIELD(intention_pair, STR, destination_name, "DestinationName"),
    FIELD(intention_pair, STR, source_type, "SourceType"),
};
static const uint8_t intention_pair_wire[] = {2, 3, 0, 1, 4};
SCHEMA(intention_pair, "IntentionQueryCheck");

static const struct mu__field intention_query_fields[] = {
    FIELD(intention_query, STR, datacenter, "Datacenter"),
    FIELD(intention_query, STR, intention_id, "IntentionID"),
    SUB(intention_query, PTR, match, "Match", 0, intention_match),
    SUB(intention_query, PTR, check, "Check", 0, intention_pair),
    SUB(intention_query, PTR, exact, "Exact", MU_F_OMIT_MSGPACK, intention_pair),
    QUERY_OPTIONS(intention_query),
};
static const uint8_t intention_query_wire[] = {8, 3,  0, 4,  15, 1,  2, 12,
                                               7, 11, 6, 13, 9,  14, 5, 10};
SCHEMA(intention_query, "IntentionQueryRequest");

static const struct mu__field indexed_intentions_fields[] = {
    SUB(indexed_intentions, LIST, intentions, "Intentions", 0, intention),
    QUERY_META(indexed_intentions),
};
static const uint8_t indexed_intentions_wire[] = {4, 1, 0, 3, 2};
SCHEMA(indexed_intentions, "IndexedIntentions");

/* Its lists of lists are more than a table can say: daemons/rpc/intention_codec.c. */
static const struct mu__field indexed_intention_matches_fields[] = {
    QUERY_META(indexed_intention_matches),
};
static const uint8_t indexed_intention_matches_wire[] = {3, 0, 2, 1};
SCHEMA(indexed_intention_matches, "IndexedIntentionMatches");

static const struct mu__field intention_verdict_fields[] = {
    FIELD(intention_verdict, BOOL, allowed, "Allowed"),
};
static const uint8_t intention_verdict_wire[] = {0};
SCHEMA(intention_verdict, "IntentionQueryCheckResponse");
