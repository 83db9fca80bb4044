/* tables_kv.c - keys, and the tombstones that keep the index of a list from going back when keys
 * are deleted. */
#include "tables.h"
#include "touched.h"
#include "types.h"

void catalog__put_key(struct catalog *c, const struct catalog_dir_entry *entry)
{
    struct catalog_dir_entry *record = catalog__clone(c, &catalog__dir_entry_schema, entry);
    const struct catalog_dir_entry *old =
        catalog__tree_put(c, CATALOG__KEYS, &entry->key, 1, record);
    if (!old && !c->is_void) {
        c->draft->count[CATALOG__TABLE_KEYS]++;
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
    catalog__touch(c, CATALOG__WATCH_KEY, entry->key);
    void *gone = catalog__tree_remove(c, CATALOG__KEYS, &entry->key, 1);
    if (gone) {
        c->draft->count[CATALOG__TABLE_KEYS]--;
    }
    catalog__table_changed(c, CATALOG__TABLE_KEYS);
    catalog__discard(c, gone);
}

void catalog__remove_key(struct catalog *c, struct mu_str key)
{
    const struct catalog_dir_entry *entry = catalog__get_key(c->draft, key);
    if (entry) {
        put_tombstone(c, key, false);
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
    if (prefix.len) {
        put_tombstone(c, prefix, true);
    }
    for (size_t i = 0; i < found.len; i++) {
        drop_key(c, found.items[i]);
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
