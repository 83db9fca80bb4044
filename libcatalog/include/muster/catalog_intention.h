/* catalog_intention.h - intentions: which service may open connections to which.
 *
 * An intention allows or denies one source to reach one destination; either may be "*", all names
 * of a namespace, or all of all namespaces ("*" for both). Of those that bear on a connection the
 * most exact one decides, the destination's exactness before the source's: its precedence, from 9
 * (both names) to 1. There is at most one intention for a pair.
 *
 * Pairs compare with ASCII letters folded, like all names; but of a connection's source the
 * spelling counts, as in the original.
 *
 * Queries as in catalog.h: they fill all of *out but what only a server knows, and what they lend
 * is valid until catalog_read_end. */
#ifndef MUSTER_CATALOG_INTENTION_H
#define MUSTER_CATALOG_INTENTION_H

#include <muster/catalog.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CATALOG_INTENTION_HASH 32u /* bytes */

struct catalog_intention { /* Go: Intention */
    struct mu_str id, description;
    struct mu_str source_ns, source_name; /* "*": any */
    struct mu_str destination_ns, destination_name;
    struct mu_str source_type; /* "consul" */
    struct mu_str action;      /* "allow" or "deny" */
    struct mu_str default_addr;
    int64_t default_port;
    struct mu_strmap meta;
    int64_t precedence; /* follows from the names */
    struct mu_time created_at, updated_at;
    struct mu_str hash; /* of the content, made with it: CATALOG_INTENTION_HASH bytes */
    uint64_t create_index, modify_index;
};

struct catalog_intention_request { /* Go: IntentionRequest. Intention.Apply */
    struct mu_str datacenter;
    /* create, update or delete: by id. Of Consul 1.9: upsert, and delete without an id, for the
     * pair; upsert brings the id that a new one gets. */
    struct mu_str op;
    struct catalog_intention *intention;
    struct mu_str token;
};

struct catalog_intention_name { /* Go: IntentionMatchEntry */
    struct mu_str ns, name;
};
struct catalog_intention_match { /* Go: IntentionQueryMatch */
    struct mu_str type;          /* "source" or "destination" */
    struct mu_list entries;      /* of struct catalog_intention_name */
};
struct catalog_intention_pair { /* Go: IntentionQueryCheck; of 1.9 IntentionQueryExact, too */
    struct mu_str source_ns, source_name, destination_ns, destination_name;
    struct mu_str source_type; /* of a check */
};
struct catalog_intention_query { /* Go: IntentionQueryRequest. One of these is set: */
    struct mu_str datacenter;
    struct mu_str intention_id;            /* Intention.Get, or */
    struct catalog_intention_pair *exact;  /* the same by the pair (Consul 1.9) */
    struct catalog_intention_match *match; /* Intention.Match */
    struct catalog_intention_pair *check;  /* Intention.Check */
    struct catalog_query_options options;
};

struct catalog_indexed_intentions {
    struct mu_list intentions; /* of struct catalog_intention */
    struct catalog_query_meta meta;
};
struct catalog_indexed_intention_matches {
    struct mu_list matches; /* of struct mu_list of struct catalog_intention, one for each entry */
    struct catalog_query_meta meta;
};
struct catalog_intention_verdict { /* Go: IntentionQueryCheckResponse */
    bool allowed;
};

/* Brings an intention into the form in which it is stored: its namespaces and type have defaults,
 * precedence and hash follow from the rest. NULL; or why it is refused, in text (size bytes, cut if
 * need be). The hash stands in digest, which must live as long as the intention. Apply does the
 * same; a leader calls it first, so that what can only be refused costs no log entry. */
MU_API const char *catalog_intention_prepare(struct catalog_intention *x,
                                             uint8_t digest[CATALOG_INTENTION_HASH], char *text,
                                             size_t size);

/* Intention.Get: the intention, or why there is none (static text, or in the reader). */
MU_API MU_MUST_USE int catalog_query_intention(struct catalog_reader *r,
                                               const struct catalog_intention_query *request,
                                               struct catalog_indexed_intentions *out,
                                               struct catalog_watch_keys *keys, const char **why);
/* Intention.List: all, those with the highest precedence first. */
MU_API MU_MUST_USE int catalog_query_intentions(struct catalog_reader *r,
                                                const struct catalog_dc_request *request,
                                                struct catalog_indexed_intentions *out,
                                                struct catalog_watch_keys *keys);
/* Intention.Match: for each entry those that bear on it as source or as destination, in the order
 * in which they decide; a nil list if there are none. *why: NULL, or why there is no answer. */
MU_API MU_MUST_USE int
catalog_query_intention_matches(struct catalog_reader *r,
                                const struct catalog_intention_query *request,
                                struct catalog_indexed_intention_matches *out,
                                struct catalog_watch_keys *keys, const char **why);
/* Intention.Check: by_default is what holds where no intention decides. *why likewise. */
MU_API MU_MUST_USE int catalog_query_intention_check(
    struct catalog_reader *r, const struct catalog_intention_query *request, bool by_default,
    struct catalog_intention_verdict *out, struct catalog_watch_keys *keys, const char **why);

/* The intention that decides about a connection, lent; NULL: none does. */
MU_API const struct catalog_intention *
catalog_find_deciding_intention(const struct catalog_reader *r,
                                const struct catalog_intention_pair *pair);
/* Single records: lent, NULL if there is none. */
MU_API const struct catalog_intention *catalog_find_intention(const struct catalog_reader *r,
                                                              struct mu_str id);

#ifdef __cplusplus
}
#endif
#endif
