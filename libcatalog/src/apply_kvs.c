/* apply_kvs.c - writes to the KV store and the reaping of its tombstones. */
#include "apply.h"
#include "msgpack.h"
#include "tables.h"
#include "types.h"

/* Writes an entry, unless it would not change anything: then not even its index moves. A plain
 * write keeps who holds the key. */
static void set(struct catalog *c, const struct catalog_dir_entry *given)
{
    struct catalog_dir_entry entry = *given;
    const struct catalog_dir_entry *before = catalog__get_key(c->draft, entry.key);
    entry.session = before ? before->session : (struct mu_str){NULL, 0};
    entry.create_index = before ? before->create_index : c->index;
    entry.modify_index = before ? before->modify_index : c->index;
    if (!before || !mu__schema_equal(&catalog__dir_entry_schema, before, &entry)) {
        entry.modify_index = c->index;
        catalog__put_key(c, &entry);
    }
}

/* Index 0 asks for a key that is not there yet. */
static bool cas(struct catalog *c, const struct catalog_dir_entry *given)
{
    const struct catalog_dir_entry *before = catalog__get_key(c->draft, given->key);
    if (given->modify_index != (before ? before->modify_index : 0)) {
        return false;
    }
    set(c, given);
    return true;
}

/* What is not there need not be deleted. */
static bool delete_cas(struct catalog *c, const struct catalog_dir_entry *given)
{
    const struct catalog_dir_entry *before = catalog__get_key(c->draft, given->key);
    if (before && before->modify_index != given->modify_index) {
        return false;
    }
    catalog__remove_key(c, given->key);
    return true;
}

/* The catalog holds no sessions, so nobody can hold a key: to lock one fails as with any unknown
 * session, and there is never a lock to give back. */
static void lock(struct catalog *c, const struct catalog_dir_entry *given,
                 struct catalog_result *result)
{
    char buf[256];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    if (given->session.len == 0) {
        catalog__say(&t, "missing session");
    } else if (given->session.len != 36) {
        catalog__say(&t, "failed session lookup: index error: UUID must be 36 characters");
    } else {
        catalog__say(&t, "invalid session ");
        catalog__say_quoted(&t, given->session);
    }
    catalog__refuse(c, result, &t);
}

static void unlock(struct catalog *c, const struct catalog_dir_entry *given,
                   struct catalog_result *result)
{
    if (given->session.len == 0) {
        catalog__refuse_cstr(c, result, "missing session");
    } else {
        catalog__answer(result, false);
    }
}

static void refuse_operation(struct catalog *c, const char *what, struct mu_str op,
                             struct catalog_result *result)
{
    char buf[256];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    catalog__say(&t, "Invalid ");
    catalog__say(&t, what);
    catalog__say(&t, " operation '");
    catalog__say_str(&t, op);
    catalog__say(&t, "'");
    catalog__refuse(c, result, &t);
}

void catalog__apply_kvs(struct catalog *c, const struct catalog_kvs_request *r,
                        struct catalog_result *result)
{
    const struct catalog_dir_entry *entry = &r->dir_ent;
    const char *why = catalog_kvs_check(r);
    if (why) {
        catalog__refuse_cstr(c, result, why);
    } else if (mu__str_is(r->op, "set")) {
        set(c, entry);
    } else if (mu__str_is(r->op, "delete")) {
        catalog__remove_key(c, entry->key);
    } else if (mu__str_is(r->op, "delete-tree")) {
        catalog__remove_keys(c, entry->key);
    } else if (mu__str_is(r->op, "cas")) {
        catalog__answer(result, cas(c, entry));
    } else if (mu__str_is(r->op, "delete-cas")) {
        catalog__answer(result, delete_cas(c, entry));
    } else if (mu__str_is(r->op, "lock")) {
        lock(c, entry, result);
    } else if (mu__str_is(r->op, "unlock")) {
        unlock(c, entry, result);
    } else {
        refuse_operation(c, "KVS", r->op, result);
    }
}

void catalog__apply_tombstone(struct catalog *c, const struct catalog_tombstone_request *r,
                              struct catalog_result *result)
{
    if (mu__str_is(r->op, "reap")) {
        catalog__reap_tombstones(c, r->reap_index);
    } else {
        refuse_operation(c, "Tombstone", r->op, result);
    }
}
