/* tables.h - changes of single records, with all that hangs on them: every index tree, the counts,
 * the index of the table and of the services concerned, the watch keys.
 *
 * They work on the draft, for the entry c->index, and remember that memory ran out (c->is_void):
 * after that they do nothing, so that a caller goes straight on and looks once at the end. Reasons
 * to refuse something were looked at before; here nothing is refused. Names that are passed may
 * point into the record that is removed. */
#pragma once

#include "records.h"

/* Each copies its record. modify_index and create_index are stored as they are. */
void catalog__put_node(struct catalog *c, const struct catalog_node *node);
void catalog__put_instance(struct catalog *c, const struct catalog__instance *instance);
void catalog__put_check(struct catalog *c, const struct catalog_check *check);
void catalog__put_key(struct catalog *c, const struct catalog_dir_entry *entry);

/* A session that is not there yet, whose node and checks are. */
void catalog__put_session(struct catalog *c, const struct catalog_session *session);
/* Why the session cannot be made: what it hangs on is not there, or is critical; a text in
 * c->scratch. NULL: it can be. */
const char *catalog__session_lacks(struct catalog *c, const struct catalog_session *session);

void catalog__put_autopilot(struct catalog *c, const struct catalog_autopilot_config *config);
void catalog__put_coordinate(struct catalog *c, const struct catalog_coordinate *coordinate);

/* Each removes what it names with all that depends on it, and does nothing if it is not there: a
 * node with its services, checks, sessions and coordinates, a service with its checks, a check with
 * the sessions that name it, a session with its locks. */
void catalog__remove_node(struct catalog *c, struct mu_str given);
void catalog__remove_instance(struct catalog *c, struct mu_str node, struct mu_str id);
void catalog__remove_check(struct catalog *c, struct mu_str node, struct mu_str id);
void catalog__remove_session(struct catalog *c, struct mu_str id);

/* Prepared queries. A query that is put replaces the one of the same id; its name is free and its
 * session exists. */
void catalog__put_query(struct catalog *c, const struct catalog_prepared_query *query);
void catalog__remove_query(struct catalog *c, struct mu_str id);
void catalog__remove_queries_of_session(struct catalog *c, struct mu_str session_key);
struct catalog__text;
/* False: another query has that name, or why else not. */
bool catalog__query_is_free(struct catalog *c, const struct catalog_prepared_query *q,
                            struct catalog__text *why);
const struct catalog_prepared_query *catalog__get_query(const struct catalog__version *v,
                                                        struct mu_str id);
const struct catalog_prepared_query *catalog__get_query_named(const struct catalog__version *v,
                                                              struct mu_str name);
/* The template with the longest name that this one starts with. */
const struct catalog_prepared_query *catalog__get_query_template(const struct catalog__version *v,
                                                                 struct mu_str name);
void catalog__remove_coordinates(struct catalog *c, struct mu_str node); /* in all segments */

/* Removes one key and leaves a tombstone for it. */
void catalog__remove_key(struct catalog *c, struct mu_str key);
/* Removes all keys with the prefix and leaves one tombstone, at the prefix. None for the empty
 * prefix: who lists all keys is told the index of the table. */
void catalog__remove_keys(struct catalog *c, struct mu_str prefix);
/* Forgets the tombstones of deletions up to an index. */
void catalog__reap_tombstones(struct catalog *c, uint64_t up_to);

/* What a restore puts back as it was, without a word to anybody. */
void catalog__restore_mark(struct catalog *c, enum catalog__tree tree,
                           const struct catalog__mark *mark);

/* ---- Shared by the files of the tables ---- */

/* Puts a record under joined names into a primary tree, and gives up the one before it. NULL (out
 * of memory) does nothing. Returns the one before, which lives until the caller's
 * catalog__discard. */
void *catalog__tree_put(struct catalog *c, enum catalog__tree tree, const struct mu_str *names,
                        size_t n, void *record);
void *catalog__tree_remove(struct catalog *c, enum catalog__tree tree, const struct mu_str *names,
                           size_t n);
/* The same in a tree that lends, under a key as it is. */
void catalog__tree_lend(struct catalog *c, enum catalog__tree tree, struct mu_str key,
                        void *record);
void catalog__tree_unlend(struct catalog *c, enum catalog__tree tree, struct mu_str key);
/* Gives up a record that stands in no tree any more. */
void catalog__discard(struct catalog *c, const void *record);

/* A copy to put into a primary tree. NULL: out of memory. */
void *catalog__clone(struct catalog *c, const struct mu__schema *schema, const void *obj);

static inline void catalog__table_changed(struct catalog *c, enum catalog__table t)
{
    c->draft->table[t] = c->index;
}

/* The records of a walk, gathered so that the trees may change while they are gone through. Lent by
 * c->scratch. */
struct catalog__found {
    void **items;
    size_t len;
};
struct catalog__found catalog__gather(struct catalog *c, enum catalog__tree tree,
                                      const struct mu_str *names, size_t n);

/* Takes the keys of a session from it: they stay without a holder, or go. */
void catalog__free_locks(struct catalog *c, struct mu_str session, bool and_delete,
                         uint64_t delay_ns);
/* Ends the sessions that name a check. */
void catalog__end_sessions_of_check(struct catalog *c, const struct catalog_check *check);
void catalog__end_sessions_of_node(struct catalog *c, struct mu_str node);
/* Tells who keeps time. */
void catalog__notice(struct catalog *c, enum catalog_notice_kind kind, struct mu_str name,
                     uint64_t ns);

/* A change that bears on the health of a service: moves its index. */
void catalog__service_changed(struct catalog *c, struct mu_str name);
/* One that bears on all services of a node; with `record`, on their place in the catalog too. */
void catalog__services_of_node_changed(struct catalog *c, struct mu_str node, bool record);
