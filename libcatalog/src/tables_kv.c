/* tables_kv.c - keys, and the tombstones that keep the index of a list from going back when keys
 * are deleted. */
#include "planted.h"
#include "tables.h"
#include "touched.h"
#include "types.h"

#include <string.h>

/* Where a held key stands among those of its session; len 0: out of memory. */
static struct mu_str lock_key(struct catalog *c, const struct catalog_dir_entry *entry)
{
    struct catalog__session_key session;
    struct mu_str id = catalog__session_key(&session, entry->session);
    char *bytes = mu__arena_alloc(&c->scratch, id.len + 1 + entry->key.len);
    if (!bytes) {
        c->is_void = true;
        return (struct mu_str){NULL, 0};
    }
    memcpy(bytes, id.p, id.len);
    bytes[id.len] = '\0';
    if (entry->key.len) {
        memcpy(bytes + id.len + 1, entry->key.p, entry->key.len);
    }
    return (struct mu_str){bytes, id.len + 1 + entry->key.len};
}

static void link_lock(struct catalog *c, struct catalog_dir_entry *entry)
{
    struct mu_str key = entry && entry->session.len ? lock_key(c, entry) : (struct mu_str){NULL, 0};
    if (key.len) {
        catalog__tree_lend(c, CATALOG__KEYS_BY_SESSION, key, entry);
    }
}

static void unlink_lock(struct catalog *c, const struct catalog_dir_entry *entry)
{
    struct mu_str key = entry && entry->session.len ? lock_key(c, entry) : (struct mu_str){NULL, 0};
    if (key.len) {
        catalog__tree_unlend(c, CATALOG__KEYS_BY_SESSION, key);
    }
}

void catalog__put_key(struct catalog *c, const struct catalog_dir_entry *entry)
{
    struct catalog_dir_entry *record = catalog__clone(c, &catalog__dir_entry_schema, entry);
    const struct catalog_dir_entry *old =
        catalog__tree_put(c, CATALOG__KEYS, &entry->key, 1, record);
    if (!old && !c->is_void) {
        c->draft->count[CATALOG__TABLE_KEYS]++;
    }
    unlink_lock(c, old);
    if (!c->is_void) { /* or the record is gone already */
        link_lock(c, record);
    }
    catalog__table_changed(c, CATALOG__TABLE_KEYS);
    catalog__touch(c, CATALOG__WATCH_KEY, entry->key);
    catalog__discard(c, old);
}

static void put_tombstone(struct catalog *c, struct mu_str key, bool is_tree)
{
    const struct catalog__mark *before =
        catalog__radix_get(c->draft->root[CATALOG__TOMBSTONES], key);
    struct catalog__mark mark = {.name = key, .index = c->index};
    mark.tree_index = is_tree ? c->index : before ? before->tree_index : 0;
    void *record = catalog__clone(c, &catalog__mark_schema, &mark);
    void *old = catalog__tree_put(c, CATALOG__TOMBSTONES, &key, 1, record);
    if (!old && !c->is_void) {
        c->draft->count[CATALOG__TABLE_TOMBSTONES]++;
    }
    catalog__table_changed(c, CATALOG__TABLE_TOMBSTONES);
    catalog__discard(c, old);
}

static void drop_key(struct catalog *c, const struct catalog_dir_entry *entry)
{
    if (!CATALOG__PLANTED(WAKE_MISSED_KEY)) {
        catalog__touch(c, CATALOG__WATCH_KEY, entry->key);
    }
    void *gone = catalog__tree_remove(c, CATALOG__KEYS, &entry->key, 1);
    if (gone) {
        c->draft->count[CATALOG__TABLE_KEYS]--;
        unlink_lock(c, gone);
    }
    catalog__table_changed(c, CATALOG__TABLE_KEYS);
    catalog__discard(c, gone);
}

void catalog__remove_key(struct catalog *c, struct mu_str key)
{
    const struct catalog_dir_entry *entry = catalog__get_key(c->draft, key);
    if (entry) {
        if (!CATALOG__PLANTED(TOMBSTONE_FORGOTTEN)) {
            put_tombstone(c, key, false);
        }
        drop_key(c, entry);
    }
}

/* The records of a tree that start with a prefix, in the scratch of the entry. */
static struct catalog__found gather_prefix(struct catalog *c, enum catalog__tree tree,
                                           struct mu_str prefix)
{
    struct catalog__found found = {NULL, 0};
    size_t cap = 0;
    struct catalog__radix_iter it;
    catalog__radix_prefix(&it, &c->allocator, c->draft->root[tree], prefix);
    for (void *record; (record = catalog__radix_next(&it)) != NULL;) {
        if (found.len == cap) {
            void **items = mu__arena_calloc(&c->scratch, cap ? cap * 2 : 16, sizeof *items);
            if (!items) {
                c->is_void = true;
                break;
            }
            for (size_t i = 0; i < found.len; i++) {
                items[i] = found.items[i];
            }
            found.items = items;
            cap = cap ? cap * 2 : 16;
        }
        found.items[found.len++] = record;
    }
    c->is_void |= it.failed;
    catalog__radix_end(&it);
    return found;
}

void catalog__remove_keys(struct catalog *c, struct mu_str prefix)
{
    struct catalog__found found = gather_prefix(c, CATALOG__KEYS, prefix);
    if (found.len == 0) {
        return;
    }
    if (prefix.len && !CATALOG__PLANTED(TOMBSTONE_OF_TREE)) {
        put_tombstone(c, prefix, true);
    }
    for (size_t i = 0; i < found.len; i++) {
        drop_key(c, found.items[i]);
    }
}

void catalog__free_locks(struct catalog *c, struct mu_str session, bool and_delete,
                         uint64_t delay_ns)
{
    struct mu_str of_session = lock_key(c, &(struct catalog_dir_entry){.session = session});
    if (c->is_void || CATALOG__PLANTED(CASCADE_LOCKS)) {
        return;
    }
    struct catalog__found found = gather_prefix(c, CATALOG__KEYS_BY_SESSION, of_session);
    for (size_t i = 0; i < found.len && !c->is_void; i++) {
        struct catalog_dir_entry entry = *(const struct catalog_dir_entry *)found.items[i];
        if (delay_ns) {
            catalog__notice(c, CATALOG_NOTICE_LOCK_LOST, entry.key, delay_ns);
        }
        if (and_delete) {
            catalog__remove_key(c, entry.key);
            continue;
        }
        entry.session = (struct mu_str){NULL, 0};
        entry.modify_index = c->index;
        catalog__put_key(c, &entry);
    }
}

void catalog__reap_tombstones(struct catalog *c, uint64_t up_to)
{
    struct catalog__found found = gather_prefix(c, CATALOG__TOMBSTONES, (struct mu_str){NULL, 0});
    for (size_t i = 0; i < found.len; i++) {
        const struct catalog__mark *mark = found.items[i];
        if (mark->index > up_to) {
            continue;
        }
        void *gone = catalog__tree_remove(c, CATALOG__TOMBSTONES, &mark->name, 1);
        if (gone) {
            c->draft->count[CATALOG__TABLE_TOMBSTONES]--;
        }
        catalog__discard(c, gone);
    }
}
