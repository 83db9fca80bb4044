/* apply_kvs.c - writes to the KV store, its locks, and the reaping of its tombstones. */
#include "apply.h"
#include "msgpack.h"
#include "planted.h"
#include "tables.h"
#include "types.h"

/* Writes an entry that stands in the place of `before` (NULL: of none), unless it would not change
 * anything: then not even its index moves. */
static void put(struct catalog *c, struct catalog_dir_entry entry,
                const struct catalog_dir_entry *before)
{
    entry.create_index = before ? before->create_index : c->index;
    entry.modify_index = before ? before->modify_index : c->index;
    if (!before || !mu__schema_equal(&catalog__dir_entry_schema, before, &entry)) {
        entry.modify_index = c->index;
        catalog__put_key(c, &entry);
    }
}

/* A plain write: keeps who holds the key. */
static void set(struct catalog *c, const struct catalog_dir_entry *given)
{
    struct catalog_dir_entry entry = *given;
    const struct catalog_dir_entry *before = catalog__get_key(c->draft, entry.key);
    entry.session = before ? before->session : (struct mu_str){NULL, 0};
    put(c, entry, before);
}

/* Index 0 asks for a key that is not there yet. */
static bool cas(struct catalog *c, const struct catalog_dir_entry *given)
{
    const struct catalog_dir_entry *before = catalog__get_key(c->draft, given->key);
    if (given->modify_index != (before ? before->modify_index : 0) &&
        !CATALOG__PLANTED(CAS_UNCHECKED)) {
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

/* ---- Locks ---- */

/* Why there is no session of this id; false: there is one. */
static bool lacks_session(struct catalog *c, struct mu_str id, struct catalog__text *why)
{
    char buf[CATALOG_SESSION_ID_TEXT_MAX];
    if (id.len == 0) {
        catalog__say(why, "missing session");
        return true;
    }
    const char *malformed = catalog_session_id_check(id, buf, sizeof buf);
    if (malformed) {
        catalog__say(why, malformed);
        return true;
    }
    if (!catalog__get_session(c->draft, id)) {
        catalog__say(why, "invalid session ");
        catalog__say_quoted(why, id);
        return true;
    }
    return false;
}

/* Writes the entry and makes given->session its holder. False: not done; *why then says why it
 * never can be (no such session), or is empty: somebody else holds the lock. Who holds a key is
 * compared as it was spelled, as in the original. A lock that changes hands, or is taken for the
 * first time, counts up. Whether it is delayed is the leader's to know. */
static bool lock(struct catalog *c, const struct catalog_dir_entry *given,
                 struct catalog__text *why)
{
    if (lacks_session(c, given->session, why)) {
        return false;
    }
    const struct catalog_dir_entry *before = catalog__get_key(c->draft, given->key);
    bool is_held = before && before->session.len > 0;
    if (is_held && !mu__str_eq(before->session, given->session)) {
        return false;
    }
    struct catalog_dir_entry entry = *given;
    entry.lock_index = (before ? before->lock_index : 0) + !is_held;
    put(c, entry, before);
    return true;
}

/* Writes the entry and takes it from its holder, given->session. */
static bool unlock(struct catalog *c, const struct catalog_dir_entry *given,
                   struct catalog__text *why)
{
    if (given->session.len == 0) {
        catalog__say(why, "missing session");
        return false;
    }
    const struct catalog_dir_entry *before = catalog__get_key(c->draft, given->key);
    if (!before || !mu__str_eq(before->session, given->session)) {
        return false;
    }
    struct catalog_dir_entry entry = *given;
    entry.session = (struct mu_str){NULL, 0};
    entry.lock_index = before->lock_index;
    put(c, entry, before);
    return true;
}

typedef bool (*lock_fn)(struct catalog *c, const struct catalog_dir_entry *given,
                        struct catalog__text *why);
static void answer_lock(struct catalog *c, const struct catalog_dir_entry *given, lock_fn change,
                        struct catalog_result *result)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    bool done = change(c, given, &why);
    if (why.len) {
        catalog__refuse(c, result, &why);
    } else {
        catalog__answer(result, done);
    }
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
        answer_lock(c, entry, lock, result);
    } else if (mu__str_is(r->op, "unlock")) {
        answer_lock(c, entry, unlock, result);
    } else {
        catalog__refuse_operation(c, "KVS", r->op, result);
    }
}

void catalog__apply_tombstone(struct catalog *c, const struct catalog_tombstone_request *r,
                              struct catalog_result *result)
{
    if (mu__str_is(r->op, "reap")) {
        catalog__reap_tombstones(c, r->reap_index);
    } else {
        catalog__refuse_operation(c, "Tombstone", r->op, result);
    }
}
