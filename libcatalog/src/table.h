/* table.h - how types*.c write their schema tables: one line a field.
 *
 * `of` is the record's name without its prefix: SCHEMA(node, "Node") makes catalog__node_schema
 * from node_fields and node_wire for struct catalog_node. */
#pragma once

#include "types.h"

#include <stddef.h>

#define ENTRY(of, kind_, member, text, ...)                                                        \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_, .offset = offsetof(struct catalog_##of, member),       \
        __VA_ARGS__                                                                                \
    }
#define FIELD(of, kind, member, text)           ENTRY(of, kind, member, text, .flags = 0)
#define FLAGGED(of, kind, member, text, flags_) ENTRY(of, kind, member, text, .flags = (flags_))
#define SUB(of, kind, member, text, flags_, other)                                                 \
    ENTRY(of, kind, member, text, .flags = (flags_), .sub = &catalog__##other##_schema)
/* `also`: further keys that JSON input accepts, separated by '|'. */
#define ALIASED(of, kind, member, text, flags_, also)                                              \
    ENTRY(of, kind, member, text, .flags = (flags_), .alias = (also))
#define ALIASED_SUB(of, kind, member, text, flags_, also, other)                                   \
    ENTRY(of, kind, member, text, .flags = (flags_), .alias = (also),                              \
          .sub = &catalog__##other##_schema)

#define OMIT    MU_F_OMIT_EMPTY
#define NO_JSON MU_F_NO_JSON
#define NO_NULL MU_F_EMPTY_NOT_NULL

/* What Go embeds, flattened into the record's own map. */
#define RAFT_INDEX(of)                                                                             \
    FIELD(of, UINT, create_index, "CreateIndex"), FIELD(of, UINT, modify_index, "ModifyIndex")
#define QUERY_OPTIONS(of)                                                                          \
    FIELD(of, STR, options.token, "Token"),                                                        \
        FIELD(of, UINT, options.min_query_index, "MinQueryIndex"),                                 \
        FIELD(of, DURATION, options.max_query_time_ns, "MaxQueryTime"),                            \
        FIELD(of, BOOL, options.allow_stale, "AllowStale"),                                        \
        FIELD(of, BOOL, options.require_consistent, "RequireConsistent"),                          \
        FIELD(of, BOOL, options.use_cache, "UseCache"),                                            \
        FIELD(of, DURATION, options.max_stale_duration_ns, "MaxStaleDuration"),                    \
        FIELD(of, DURATION, options.max_age_ns, "MaxAge"),                                         \
        FIELD(of, BOOL, options.must_revalidate, "MustRevalidate"),                                \
        FIELD(of, DURATION, options.stale_if_error_ns, "StaleIfError"),                            \
        FIELD(of, STR, options.filter, "Filter")
#define QUERY_META(of)                                                                             \
    FIELD(of, UINT, meta.index, "Index"),                                                          \
        FIELD(of, DURATION, meta.last_contact_ns, "LastContact"),                                  \
        FIELD(of, BOOL, meta.known_leader, "KnownLeader"),                                         \
        FIELD(of, STR, meta.consistency_level, "ConsistencyLevel")

#define SCHEMA(of, go)                                                                             \
    const struct mu__schema catalog__##of##_schema = {                                             \
        .name = (go),                                                                              \
        .fields = of##_fields,                                                                     \
        .nfields = sizeof of##_fields / sizeof *of##_fields,                                       \
        .wire = of##_wire,                                                                         \
        .nwire = sizeof of##_wire,                                                                 \
        .size = sizeof(struct catalog_##of),                                                       \
    }
