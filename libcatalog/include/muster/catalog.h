/* catalog.h - the replicated state: nodes, services, checks and keys; many versions, one writer,
 * free readers.
 *
 * A catalog is a deterministic state machine. It is fed log entries in order of their index and
 * publishes a new version after each batch; every version is immutable, and readers use the newest
 * one without waiting for anybody. The same entries give the same catalog, byte for byte in its
 * snapshot, wherever and whenever they are applied.
 *
 * Time:    none. Ids, times and whatever else could differ between two machines come in the
 *          entries.
 * Threads: one thread at a time calls the functions that take a struct catalog (the writer). Each
 *          struct catalog_reader and each struct catalog_watches belongs to one thread at a time,
 *          and any number of them work beside the writer; only catalog_reader_create and
 *          catalog_reader_destroy may be called by any thread at any time. A struct catalog_touched
 *          is immutable and may be shared by threads.
 * Memory:  through config.allocator, which must be safe to use from several threads (NULL: malloc).
 *          What a version replaced is freed by the writer, once no reader is on an older version: a
 *          reader that stays open holds memory, but never holds up the writer.
 * Names:   of nodes, services and checks, and service ids, compare with ASCII letters folded; keys
 *          byte by byte. Names and ids must not contain a zero byte.
 *
 * The writer:                                      A thread that serves reads:
 *
 *     catalog_apply_begin(c);                          catalog_read_begin(r);
 *     for each committed entry:                        catalog_query_nodes(r, &request,
 *         catalog_apply(c, index, entry, len,                              &reply, &keys);
 *                       &result);                      ... use the reply ...
 *     catalog_apply_end(c, &touched);                  catalog_watches_add(w, &keys, wake, arg,
 *     post touched to each thread that                                     &waiter);
 *     serves reads, which calls                        catalog_read_end(r);
 *         catalog_watches_notify(w, touched); */
#ifndef MUSTER_CATALOG_H
#define MUSTER_CATALOG_H

#include <muster/catalog_config.h>
#include <muster/catalog_types.h>
#include <muster/mu.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CATALOG_VERSION "0.1.0"
MU_API const char *catalog_version(void); /* of the library that runs */

enum catalog_err {
    CATALOG_OK = 0,
    CATALOG_ENOMEM = -3001, /* out of memory */
    CATALOG_EINVAL = -3002, /* an argument or a config field is out of its range */
    /* An entry of a type that this release does not know and must not ignore */
    CATALOG_EUNKNOWN = -3003,
    CATALOG_ESNAPSHOT = -3004, /* a snapshot is damaged or cut short */
    CATALOG_ENEWER = -3005,    /* a snapshot was written by a newer release */
    CATALOG_EIO = -3006,       /* the caller's read or write function failed */
    CATALOG_ENOBUFS = -3007    /* a buffer is too small; the length that is needed was told */
};
MU_API const char *catalog_strerror(int code); /* static text */
MU_API enum mu_err_class catalog_err_class(int code);

struct catalog;
struct catalog_reader;
struct catalog_touched;
struct catalog_watches;
struct catalog_waiter;

struct catalog_config {
    size_t size; /* set by catalog_config_init; later fields are added at the end only */
    const struct mu_allocator *allocator; /* copied; default NULL: malloc and free */
};
#define catalog_config_init(cfg) catalog_config_init_sized((cfg), sizeof *(cfg))
MU_API void catalog_config_init_sized(struct catalog_config *cfg, size_t size);

/* Copies cfg (NULL: all defaults). On success gives *out, an empty catalog at index 0, to be freed
 * with catalog_destroy; on failure *out is NULL. Errors: CATALOG_EINVAL (size), CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_create(const struct catalog_config *cfg, struct catalog **out);
/* Frees the catalog with all versions. All its readers must have been destroyed. NULL is
 * allowed. */
MU_API void catalog_destroy(struct catalog *c);

/* ---- Writing ---- */

/* The first byte of a log entry; what follows is the msgpack body of the request (catalog_types.h).
 * The numbers are Consul's. With CATALOG_IGNORABLE set, an entry of an unknown type is skipped. */
enum catalog_entry_type {
    CATALOG_ENTRY_REGISTER = 0,    /* struct catalog_register_request */
    CATALOG_ENTRY_DEREGISTER = 1,  /* struct catalog_deregister_request */
    CATALOG_ENTRY_KVS = 2,         /* struct catalog_kvs_request */
    CATALOG_ENTRY_SESSION = 3,     /* struct catalog_session_request */
    CATALOG_ENTRY_TOMBSTONE = 5,   /* struct catalog_tombstone_request */
    CATALOG_ENTRY_COORDINATES = 6, /* struct catalog_coordinate_batch */
    CATALOG_ENTRY_QUERY = 7,       /* struct catalog_prepared_query_request */
    CATALOG_ENTRY_TXN = 8,         /* struct catalog_txn_request */
    CATALOG_ENTRY_AUTOPILOT = 9,   /* struct catalog_autopilot_set_request */
    CATALOG_ENTRY_INTENTION = 12,  /* struct catalog_intention_request */
    CATALOG_ENTRY_CA = 13,         /* struct catalog_ca_request */
    CATALOG_ENTRY_CA_LEAF = 21,    /* struct catalog_ca_leaf_request */
    CATALOG_ENTRY_CONFIG = 22,     /* struct catalog_config_request */
    CATALOG_IGNORABLE = 128
};

/* What an entry answers to whoever proposed it. */
enum catalog_result_kind {
    CATALOG_RESULT_NONE, /* done; there is nothing to say */
    /* done or not, as `value` says: KVS cas, delete-cas, lock, unlock; AUTOPILOT with cas, CONFIG
       but for deletions, CA */
    CATALOG_RESULT_BOOL,
    CATALOG_RESULT_ERROR, /* refused, nothing was changed; `error` says why, in Consul's words */
    /* TXN: done, or refused with its errors; `reply` is a struct catalog_txn_response. CA_LEAF: a
       struct catalog_issued_cert with its indexes alone */
    CATALOG_RESULT_REPLY
};
struct catalog_result {
    enum catalog_result_kind kind;
    bool value;
    /* Lent until the next catalog_apply, catalog_apply_end or catalog_apply_abort */
    struct mu_str error;
    const void *reply;
    enum catalog_type reply_type; /* of reply */
};

/* Encodes the entry of a type for its request into buf; *len is the room there, and afterwards the
 * length of the entry. Errors: CATALOG_ENOBUFS (*len is what is needed; buf may be NULL when *len
 * is 0), CATALOG_EINVAL (type), CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_encode_entry(enum catalog_entry_type type, const void *request,
                                            void *buf, size_t *len);

/* Opens a batch. Readers see nothing of it before catalog_apply_end. Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_apply_begin(struct catalog *c);

/* Applies one entry inside a batch; index is its place in the log, at least that of the entry
 * before. An entry that is refused (a conflict, a malformed body) is a success that leaves its
 * reason in *result: it is refused on every server alike, and the log goes on.
 * Errors: CATALOG_EUNKNOWN (class FATAL; result->error names the type): this release must not go
 * on, and the batch may be ended with what came before. CATALOG_ENOMEM: the batch is void, only
 * catalog_apply_abort may follow; afterwards all its entries may be applied again. CATALOG_EINVAL:
 * len is 0 or index went back; nothing was done. */
MU_API MU_MUST_USE int catalog_apply(struct catalog *c, uint64_t index, const void *entry,
                                     size_t len, struct catalog_result *result);

/* Publishes the batch as one version. Gives the keys that it touched in *touched, to be given up
 * with catalog_touched_unref; touched may be NULL if nobody watches. A batch without effect gives a
 * set without keys. Never fails. */
MU_API void catalog_apply_end(struct catalog *c, struct catalog_touched **touched);
/* Drops the batch: the catalog is as it was before catalog_apply_begin. */
MU_API void catalog_apply_abort(struct catalog *c);

/* Of the last entry in the published version; after catalog_restore_entry it may be larger than
 * that entry's place in the log. */
MU_API uint64_t catalog_index(const struct catalog *c);

/* What an entry did to sessions and their locks, for who keeps the time that the catalog does not
 * know: TTLs of sessions, and how long a lock that lost its holder may not be taken. */
enum catalog_notice_kind {
    CATALOG_NOTICE_SESSION_MADE,  /* name: its id; ns: its TTL, 0 for none */
    CATALOG_NOTICE_SESSION_ENDED, /* name: its id; ns: 0 */
    /* name: a key whose holder ended; ns: its lock delay, 1 to CATALOG_LOCK_DELAY_MAX_NS */
    CATALOG_NOTICE_LOCK_LOST
};
struct catalog_notice {
    enum catalog_notice_kind kind;
    struct mu_str name;
    uint64_t ns;
};
#define CATALOG_LOCK_DELAY_MAX_NS                                                                  \
    (60 * MU_SEC) /* what a session asks for above it does not count */
/* Those of the last entry, in order; lent until the next catalog_apply or the end of the batch. A
 * restore gives none: whoever keeps time looks at the sessions that are there. */
MU_API const struct catalog_notice *catalog_notices(const struct catalog *c, size_t *n);

/* Brings a registration into the form in which it is stored: ids default to names, a check to its
 * node and to critical, its type follows from its definition, the single check joins the list.
 * Apply does the same; a leader calls it first so that a request that can only be refused costs no
 * log entry. NULL: it is fine. Otherwise the reason, a static text or one in `text` (at most size
 * bytes with its zero, cut if need be).
 * `checks` is room for request->checks.len + 1 pointers that the list may move to; it must outlive
 * the request. */
MU_API const char *catalog_register_prepare(struct catalog_register_request *request, void **checks,
                                            char *text, size_t size);
/* The same for the other requests: NULL, or why the entry would be refused. */
MU_API const char *catalog_deregister_check(const struct catalog_deregister_request *request);
MU_API const char *catalog_kvs_check(const struct catalog_kvs_request *request);
/* Likewise; the reason is static or in `text`. An empty behavior becomes release. A TTL that does
 * not parse is not looked at, and counts as none. */
MU_API const char *catalog_session_prepare(struct catalog_session_request *request, char *text,
                                           size_t size);
/* Why text cannot be the id of a session, in `text`; NULL: it can. */
#define CATALOG_SESSION_ID_TEXT_MAX 128u
MU_API const char *catalog_session_id_check(struct mu_str id, char *text, size_t size);
/* Why a node's coordinate cannot be one of the pool's, or NULL. */
MU_API const char *
catalog_coordinate_check(const struct catalog_coordinate_update_request *request);
/* The same for a prepared query. text is room for a reason of size bytes. */
MU_API const char *
catalog_prepared_query_check(const struct catalog_prepared_query_request *request, char *text,
                             size_t size);
/* The same for the operations of a transaction (of struct catalog_txn_op), filling in their
 * defaults: how many would be refused, and in errors why; there must be room for ops->len of them.
 * `text` is room for reasons that are no static text, one behind the other, cut if need be; size is
 * at least 1. */
MU_API size_t catalog_txn_prepare(const struct mu_list *ops, struct catalog_txn_error *errors,
                                  char *text, size_t size);

/* ---- Reading ---- */

/* Makes a reader, to be freed with catalog_reader_destroy. Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_reader_create(struct catalog *c, struct catalog_reader **out);
/* NULL is allowed; the reader must not be open. */
MU_API void catalog_reader_destroy(struct catalog_reader *r);

/* Opens the newest version and stays on it: two atomic stores for begin and end together, whatever
 * the writer does. Everything that the functions below lend is valid until catalog_read_end. A
 * reader may be opened on one thread and used and closed on another, one after the other (a
 * snapshot). */
MU_API void catalog_read_begin(struct catalog_reader *r);
MU_API void catalog_read_end(struct catalog_reader *r);
/* The last entry in the version. */
MU_API uint64_t catalog_read_index(const struct catalog_reader *r);

/* Where a waiter must be registered to learn that an answer may have changed: whole keys of the
 * watch space, or all keys that start with one. The bytes have no meaning for callers. Lent until
 * catalog_read_end. */
struct catalog_watch_key {
    struct mu_str key;
    bool prefix;
};
struct catalog_watch_keys {
    struct catalog_watch_key *items;
    size_t len;
    uint64_t version; /* the version that was read: what an earlier one touched does not wake */
};

/* Queries answer a request as the endpoint of the same name does. They fill all of *out but
 * meta.known_leader, last_contact_ns and consistency_level; meta.index is the index to report (at
 * least 1). Lists and flattened records live in the reader until catalog_read_end and may be
 * changed by the caller (filtered, sorted); the records that they point at are the store's and must
 * not be. keys (may be NULL) gets what to wait for. Options and token are not looked at. Lists of
 * nodes, instances and checks of a service or state are sorted by distance from source.node, if
 * there is one and source.datacenter is the request's.
 * A list with nothing in it is empty, not nil, except where said.
 * Errors: CATALOG_ENOMEM. */

/* Catalog.ListNodes: nodes by name, those that have all the pairs of node_meta_filters. */
MU_API MU_MUST_USE int catalog_query_nodes(struct catalog_reader *r,
                                           const struct catalog_dc_request *request,
                                           struct catalog_indexed_nodes *out,
                                           struct catalog_watch_keys *keys);
/* Those of them whose Address is this text (not empty), without a walk over the others: who waits
 * is woken for them alone. */
MU_API MU_MUST_USE int catalog_query_nodes_at(struct catalog_reader *r,
                                              const struct catalog_dc_request *request,
                                              struct mu_str address,
                                              struct catalog_indexed_nodes *out,
                                              struct catalog_watch_keys *keys);
/* Catalog.ListServices: names with the sorted union of their tags, on the nodes that match. */
MU_API MU_MUST_USE int catalog_query_services(struct catalog_reader *r,
                                              const struct catalog_dc_request *request,
                                              struct catalog_indexed_services *out,
                                              struct catalog_watch_keys *keys);
/* Catalog.ServiceNodes: instances by node and id. Tags (all of them, letters folded) count when
 * tag_filter is set; connect asks for the instances that speak mTLS for service_name, and ignores
 * tags. With service_address alone: the instances that have that address of their own. */
MU_API MU_MUST_USE int catalog_query_service_nodes(struct catalog_reader *r,
                                                   const struct catalog_service_request *request,
                                                   struct catalog_indexed_service_nodes *out,
                                                   struct catalog_watch_keys *keys);
/* Catalog.VirtualIPForService (of Consul 1.11): the address out of 240.0.0.0/4 that stands for
 * service_name as long as something speaks mTLS for it. It is given when the first proxy or native
 * instance is registered, the lowest that is free, and free again when the last has gone. */
struct catalog_virtual_ip {
    struct mu_str address; /* empty: there is none */
    uint64_t index;        /* to report, as meta.index of others */
};
MU_API MU_MUST_USE int catalog_query_virtual_ip(struct catalog_reader *r,
                                                const struct catalog_service_request *request,
                                                struct catalog_virtual_ip *out,
                                                struct catalog_watch_keys *keys);
/* Catalog.NodeServices and Catalog.NodeServiceList: the node by name, or by a prefix of its id of
 * at least two characters that only one node has. Unknown: NULL (and a nil list). */
MU_API MU_MUST_USE int catalog_query_node_services(struct catalog_reader *r,
                                                   const struct catalog_node_request *request,
                                                   struct catalog_indexed_node_services *out,
                                                   struct catalog_watch_keys *keys);
MU_API MU_MUST_USE int catalog_query_node_service_list(
    struct catalog_reader *r, const struct catalog_node_request *request,
    struct catalog_indexed_node_service_list *out, struct catalog_watch_keys *keys);
/* Health.NodeChecks: the node by name only. */
MU_API MU_MUST_USE int catalog_query_node_checks(struct catalog_reader *r,
                                                 const struct catalog_node_request *request,
                                                 struct catalog_indexed_checks *out,
                                                 struct catalog_watch_keys *keys);
/* Health.ServiceChecks: the checks of all instances of a service, on the nodes that match. */
MU_API MU_MUST_USE int catalog_query_service_checks(struct catalog_reader *r,
                                                    const struct catalog_service_request *request,
                                                    struct catalog_indexed_checks *out,
                                                    struct catalog_watch_keys *keys);
/* Health.ChecksInState: "any" or one state. */
MU_API MU_MUST_USE int
catalog_query_checks_in_state(struct catalog_reader *r,
                              const struct catalog_checks_in_state_request *request,
                              struct catalog_indexed_checks *out, struct catalog_watch_keys *keys);
/* Health.ServiceNodes: like catalog_query_service_nodes, each instance with the checks of its node
 * and then its own. */
MU_API MU_MUST_USE int catalog_query_check_service_nodes(
    struct catalog_reader *r, const struct catalog_service_request *request,
    struct catalog_indexed_check_service_nodes *out, struct catalog_watch_keys *keys);
/* KVS.Get: one entry, or a nil list. */
MU_API MU_MUST_USE int catalog_query_key(struct catalog_reader *r,
                                         const struct catalog_key_request *request,
                                         struct catalog_indexed_dir_entries *out,
                                         struct catalog_watch_keys *keys);
/* KVS.List: all entries that start with request->key; a nil list if there are none. */
MU_API MU_MUST_USE int catalog_query_keys(struct catalog_reader *r,
                                          const struct catalog_key_request *request,
                                          struct catalog_indexed_dir_entries *out,
                                          struct catalog_watch_keys *keys);
/* KVS.ListKeys: names that start with the prefix, each cut after the first separator (if any is
 * given) that follows the prefix, without repetition; nil if there are none. */
MU_API MU_MUST_USE int catalog_query_key_names(struct catalog_reader *r,
                                               const struct catalog_key_list_request *request,
                                               struct catalog_indexed_key_list *out,
                                               struct catalog_watch_keys *keys);

/* PreparedQuery.Get: one, or an empty list. *why (static text) says that the id is none; NULL
 * otherwise. */
MU_API MU_MUST_USE int
catalog_query_prepared_query(struct catalog_reader *r,
                             const struct catalog_prepared_query_get_request *request,
                             struct catalog_indexed_prepared_queries *out,
                             struct catalog_watch_keys *keys, const char **why);
/* PreparedQuery.List: by id. */
MU_API MU_MUST_USE int catalog_query_prepared_queries(struct catalog_reader *r,
                                                      const struct catalog_dc_request *request,
                                                      struct catalog_indexed_prepared_queries *out,
                                                      struct catalog_watch_keys *keys);
/* PreparedQuery.Explain and Execute: by id, by name, or by the longest template whose name the
 * given one starts with. Nobody waits for them: meta.index is 0. *why (lent) is NULL, or says why
 * there is no answer. Nodes that pass come in an order that seed decides (sorted by distance where
 * the request or the query asks for it), at most request->limit of them; in *out nothing of other
 * datacenters is tried. */
MU_API MU_MUST_USE int catalog_query_explain(struct catalog_reader *r,
                                             const struct catalog_query_execute_request *request,
                                             struct catalog_query_explain_response *out,
                                             const char **why);
MU_API MU_MUST_USE int
catalog_query_execute(struct catalog_reader *r, const struct catalog_query_execute_request *request,
                      uint64_t seed, struct catalog_query_execute_response *out, const char **why);

/* Txn.Read: what the operations find, one after the other, or all that is wrong with them. One that
 * writes is an error. Its reply has no index and nobody waits for it: meta.index is 0, and keys
 * (may be NULL) gets none. Fills in defaults in the operations. */
MU_API MU_MUST_USE int catalog_query_txn(struct catalog_reader *r,
                                         const struct catalog_txn_read_request *request,
                                         struct catalog_txn_read_response *out,
                                         struct catalog_watch_keys *keys);
/* Session.Get: the session, or a nil list. An id that catalog_session_id_check refuses is unknown.
 */
MU_API MU_MUST_USE int catalog_query_session(struct catalog_reader *r,
                                             const struct catalog_session_get_request *request,
                                             struct catalog_indexed_sessions *out,
                                             struct catalog_watch_keys *keys);
/* Session.List: all by id, or a nil list. */
MU_API MU_MUST_USE int catalog_query_sessions(struct catalog_reader *r,
                                              const struct catalog_session_get_request *request,
                                              struct catalog_indexed_sessions *out,
                                              struct catalog_watch_keys *keys);
/* Session.NodeSessions: those of a node by id, or a nil list. */
MU_API MU_MUST_USE int catalog_query_node_sessions(struct catalog_reader *r,
                                                   const struct catalog_node_request *request,
                                                   struct catalog_indexed_sessions *out,
                                                   struct catalog_watch_keys *keys);

/* Operator.AutopilotGetConfiguration: all zero as long as none has been set. Its reply has no index
 * and nobody waits for it: keys (may be NULL) gets none. */
MU_API MU_MUST_USE int catalog_query_autopilot(struct catalog_reader *r,
                                               const struct catalog_dc_request *request,
                                               struct catalog_autopilot_config *out,
                                               struct catalog_watch_keys *keys);

/* Coordinate.ListNodes and Coordinate.Node: by node and segment, all of them or those of a node,
 * which is then called what the request calls it. */
MU_API MU_MUST_USE int catalog_query_coordinates(struct catalog_reader *r,
                                                 const struct catalog_dc_request *request,
                                                 struct catalog_indexed_coordinates *out,
                                                 struct catalog_watch_keys *keys);
MU_API MU_MUST_USE int catalog_query_coordinate(struct catalog_reader *r,
                                                const struct catalog_node_request *request,
                                                struct catalog_indexed_coordinates *out,
                                                struct catalog_watch_keys *keys);

/* The table of a kind of config entries, for records that begin with struct catalog_config_entry;
 * NULL: there is no such kind. */
MU_API const struct mu__schema *catalog_config_schema(struct mu_str kind);
/* Brings an entry of a kind into the form in which it is stored and checks what can be said about
 * it alone: NULL, or why it is refused (in `text`, size bytes at most). What has to change is
 * allocated from room and must live as long as the entry; the kind is borrowed likewise. Apply does
 * the same. */
MU_API const char *catalog_config_prepare(struct mu_str kind, struct catalog_config_entry *entry,
                                          const struct mu_allocator *room, char *text, size_t size);
/* ConfigEntry.Get: the entry, or NULL. ConfigEntry.List: those of a kind, or of all. */
MU_API MU_MUST_USE int catalog_query_config_entry(struct catalog_reader *r,
                                                  const struct catalog_config_query *request,
                                                  struct catalog_config_reply *out,
                                                  struct catalog_watch_keys *keys);
MU_API MU_MUST_USE int catalog_query_config_entries(struct catalog_reader *r,
                                                    const struct catalog_config_query *request,
                                                    struct catalog_indexed_config_entries *out,
                                                    struct catalog_watch_keys *keys);
/* ConfigEntry.ResolveServiceConfig. */
MU_API MU_MUST_USE int
catalog_query_service_config(struct catalog_reader *r,
                             const struct catalog_service_config_request *request,
                             struct catalog_service_config *out, struct catalog_watch_keys *keys);
/* DiscoveryChain.Get, with the name that the targets' identities end with. Also fails with
 * CATALOG_EINVAL when the entries make no chain; text (of size bytes) says why then. */
MU_API MU_MUST_USE int
catalog_query_chain(struct catalog_reader *r, const struct catalog_chain_request *request,
                    struct mu_str trust_domain, struct catalog_chain_reply *out,
                    struct catalog_watch_keys *keys, char *text, size_t size);

/* Estimated round-trip time between two coordinates in seconds; infinite when either is NULL or
 * they have different dimensions. */
MU_API double catalog_distance_s(const struct catalog_vivaldi *a, const struct catalog_vivaldi *b);
/* Sorts any list of records by the round-trip times from a node to theirs, as ?near= does: the
 * nearest first, those without a coordinate last, equals as they stood. Nothing is done when `from`
 * has no coordinate. A record's node is what node_of says. Errors: CATALOG_ENOMEM. */
typedef struct mu_str (*catalog_node_of_fn)(const void *record);
MU_API MU_MUST_USE int catalog_sort_near(struct catalog_reader *r, struct mu_str from,
                                         const struct mu_list *list, catalog_node_of_fn node_of);

/* For whoever keeps an answer: a number that is another one as soon as the answer may be, and costs
 * neither a walk nor memory. Of the health of a service (catalog_query_check_service_nodes), where
 * options, node meta and source do not count; and of a node's own record, found by its name. 0:
 * there is no such name, and nothing can be told. */
MU_API uint64_t catalog_stamp_service(const struct catalog_reader *r,
                                      const struct catalog_service_request *request);
MU_API uint64_t catalog_stamp_node(const struct catalog_reader *r, struct mu_str name);

/* Single records: lent, NULL if there is none. */
MU_API const struct catalog_autopilot_config *
catalog_find_autopilot(const struct catalog_reader *r);
MU_API const struct catalog_node *catalog_find_node(const struct catalog_reader *r,
                                                    struct mu_str name);
MU_API const struct catalog_node *catalog_find_node_by_id(const struct catalog_reader *r,
                                                          struct mu_str id);
MU_API const struct catalog_node_service *
catalog_find_service(const struct catalog_reader *r, struct mu_str node, struct mu_str service_id);
MU_API const struct catalog_check *catalog_find_check(const struct catalog_reader *r,
                                                      struct mu_str node, struct mu_str check_id);
MU_API const struct catalog_dir_entry *catalog_find_key(const struct catalog_reader *r,
                                                        struct mu_str key);

MU_API const struct catalog_session *catalog_find_session(const struct catalog_reader *r,
                                                          struct mu_str id);

struct catalog_stats {
    uint64_t index;                                     /* the last entry */
    uint64_t nodes, services, checks, keys, tombstones; /* records in the version */
    uint64_t tombstones_newest; /* index of the newest deletion that is remembered; 0: none */
    uint64_t sessions;
};
MU_API void catalog_read_stats(const struct catalog_reader *r, struct catalog_stats *out);

/* ---- Watching ---- */

/* The keys that a version touched. Shared: each holder has a reference. */
MU_API struct catalog_touched *catalog_touched_ref(struct catalog_touched *t);
MU_API void catalog_touched_unref(struct catalog_touched *t);          /* NULL is allowed */
MU_API bool catalog_touched_is_empty(const struct catalog_touched *t); /* it can wake nobody */
/* It comes of catalog_restore: every waiter is woken, and indexes may have gone back. */
MU_API bool catalog_touched_is_all(const struct catalog_touched *t);

/* The waiters of one thread, found by key. 100,000 of them cost memory (some 300 bytes each) and
 * nothing else.
 *
 * No wake-up is lost if a thread that serves reads does three things: it is sent every touched set
 * (or every set since its first waiter); it handles those messages one at a time; and it adds a
 * waiter with the keys of a query before it handles its next message. Then a version that was
 * published after the read has its touched set still in the mailbox when the waiter is added. */
typedef void (*catalog_wake_fn)(void *arg);

/* Gives *out, to be freed with catalog_watches_destroy. allocator is copied; NULL: malloc. Errors:
 * CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_watches_create(const struct mu_allocator *allocator,
                                              struct catalog_watches **out);
/* With all waiters, none woken; NULL is allowed. */
MU_API void catalog_watches_destroy(struct catalog_watches *w);
MU_API size_t catalog_watches_count(const struct catalog_watches *w); /* waiters */

/* Adds a waiter on any of the keys, which are copied. It is woken at most once: by then it is gone,
 * and *out must not be used any more. out may be NULL if it is never removed by hand.
 * Errors: CATALOG_ENOMEM, CATALOG_EINVAL (no keys); nothing was added. */
MU_API MU_MUST_USE int catalog_watches_add(struct catalog_watches *w,
                                           const struct catalog_watch_keys *keys,
                                           catalog_wake_fn wake, void *arg,
                                           struct catalog_waiter **out);
/* Not woken. */
MU_API void catalog_watches_remove(struct catalog_watches *w, struct catalog_waiter *waiter);

/* Wakes each waiter that waits on a touched key or on a prefix of one, once, in no particular order
 * of arrival but always the same for the same history; returns how many. wake may add and remove
 * waiters: what it adds is not woken by this call. */
MU_API size_t catalog_watches_notify(struct catalog_watches *w,
                                     const struct catalog_touched *touched);

/* ---- Snapshots ---- */

/* Takes len bytes; 0, or anything else to give up. */
typedef int (*catalog_write_fn)(void *user, const void *data, size_t len);
/* Fills buf with the next bytes: *len is how many fit, and afterwards how many there are; 0 of
 * them: the end. Returns 0, or anything else to give up. */
typedef int (*catalog_read_fn)(void *user, void *buf, size_t *len);

/* Writes the version that r has open, in pieces of at most some 64 KiB and larger records whole.
 * The same state gives the same bytes. Errors: CATALOG_EIO (write gave up), CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_snapshot_write(struct catalog_reader *r, catalog_write_fn write,
                                              void *user);

/* Replaces the whole state by a snapshot and publishes it as one version; outside of batches only.
 * Readers that are open keep their version. *touched (may be NULL) wakes every waiter. On failure
 * the catalog is as it was. Errors: CATALOG_ESNAPSHOT, CATALOG_ENEWER, CATALOG_EIO,
 * CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_restore(struct catalog *c, catalog_read_fn read, void *user,
                                       struct catalog_touched **touched);

/* Like catalog_restore, but of an older state, or of another catalog's, in the midst of a log: the
 * snapshot takes the place of everything as entry `index` would. Records keep their indexes, and
 * those of the catalog never go back: from here on an entry of the log counts as one behind both
 * the snapshot's index and all that this catalog has ever told, by an offset that is part of its
 * state, and no answer should tell an index below catalog_read_floor. Errors: as catalog_restore,
 * and CATALOG_EINVAL (index went back). */
MU_API MU_MUST_USE int catalog_restore_entry(struct catalog *c, uint64_t index,
                                             catalog_read_fn read, void *user,
                                             struct catalog_touched **touched);
/* 0, or what the last catalog_restore_entry has made the index. An index to report must be raised
 * to it: those who wait have been told larger ones than the restored records have. */
MU_API uint64_t catalog_read_floor(const struct catalog_reader *r);

#ifdef __cplusplus
}
#endif
#endif
