/* txn.h - the operations of a transaction: what they find, and what becomes of them.
 *
 * Those that only look are the same in a transaction that writes, on the draft, as in one that
 * reads, on a version. */
#pragma once

#include "query.h"
#include "text.h"

struct catalog__txn {
    struct mu__arena *arena;
    const struct mu_allocator *allocator; /* of walks */
    const struct catalog__version *v;     /* what the operations see */
    struct catalog__list results, errors;
    size_t at; /* number of the operation */
};
struct catalog__txn catalog__txn(struct mu__arena *arena, const struct mu_allocator *allocator,
                                 const struct catalog__version *v);

/* Checks the operations without looking at the store; false: there are errors. */
bool catalog__txn_prepare(struct catalog__txn *t, const struct mu_list *ops);
bool catalog__txn_failed(const struct catalog__txn *t); /* out of memory */
/* What the operations gave: a list even if nothing is in it, which a Consul agent shows as [], and
 * none as null. */
struct mu_list catalog__txn_results(const struct catalog__txn *t);

/* An operation that only looks adds its results or an error. False: it is none of these, and
 * nothing was done. */
bool catalog__txn_look(struct catalog__txn *t, const struct catalog_txn_op *op);

/* Errors of the operation at hand. */
void catalog__txn_error(struct catalog__txn *t, const struct catalog__text *what);
void catalog__txn_unknown_verb(struct catalog__txn *t, const char *kind, struct mu_str verb);

/* What became of the operation at hand; record may be NULL, and then there is nothing to show. */
void catalog__txn_add_key(struct catalog__txn *t, const struct catalog_dir_entry *entry,
                          bool with_value);
void catalog__txn_add_node(struct catalog__txn *t, const struct catalog_node *node);
void catalog__txn_add_service(struct catalog__txn *t, const struct catalog__instance *i);
void catalog__txn_add_check(struct catalog__txn *t, const struct catalog_check *check);

/* Of the operation's own record: by id if it gives one, else by name. False: the id is none, and
 * the error has been added. */
bool catalog__txn_find_node(struct catalog__txn *t, const struct catalog_node *wanted,
                            const struct catalog_node **found);
