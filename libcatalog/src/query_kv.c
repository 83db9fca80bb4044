/* query_kv.c - keys one by one, by prefix, and by name up to a separator. */
#include <string.h>

#include "query.h"

static uint64_t table_index(const struct catalog__version *v)
{
    return catalog__max_index(v, CATALOG__TABLE_KEYS, CATALOG__TABLE_TOMBSTONES);
}

int catalog_query_key(struct catalog_reader *r, const struct catalog_key_request *request,
                      struct catalog_indexed_dir_entries *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    *out = (struct catalog_indexed_dir_entries){.meta.index = 0};
    if (!catalog__keys_add(r, keys, CATALOG__WATCH_KEY, request->key, false)) {
        return CATALOG_ENOMEM;
    }
    const struct catalog_dir_entry *entry = catalog__get_key(r->version, request->key);
    if (!entry) {
        out->meta.index = catalog__reported(table_index(r->version));
        return 0;
    }
    struct catalog__list one = catalog__list(r);
    bool failed = false;
    catalog__list_add(&one, entry);
    out->entries = catalog__list_end(&one, &failed);
    out->meta.index = entry->modify_index;
    return failed ? CATALOG_ENOMEM : 0;
}

/* The newest deletion that bears on a prefix: of something at or below it, or of a tree that it is
 * part of. 0: none is remembered. */
static uint64_t newest_tombstone(struct catalog_reader *r, struct mu_str prefix, bool *failed)
{
    const struct catalog__radix *tombstones = r->version->root[CATALOG__TOMBSTONES];
    uint64_t newest = 0;
    struct catalog__radix_iter it;
    catalog__radix_prefix(&it, &r->catalog->allocator, tombstones, prefix);
    for (const struct catalog__mark *mark; (mark = catalog__radix_next(&it)) != NULL;) {
        newest = mark->index > newest ? mark->index : newest;
    }
    *failed |= it.failed;
    catalog__radix_end(&it);

    struct catalog__radix_path path = catalog__radix_path(tombstones, prefix);
    bool is_whole;
    for (const struct catalog__mark *mark;
         (mark = catalog__radix_path_next(&path, &is_whole)) != NULL;) {
        newest = mark->tree_index > newest ? mark->tree_index : newest;
    }
    return newest;
}

/* The index of a list: the newest of what is there and what was deleted there. Without a prefix,
 * and when nothing is known below it, that of the table. */
static uint64_t list_index(struct catalog_reader *r, struct mu_str prefix, uint64_t newest,
                           bool *failed)
{
    if (prefix.len) {
        uint64_t deleted = newest_tombstone(r, prefix, failed);
        newest = deleted > newest ? deleted : newest;
    } else {
        newest = table_index(r->version);
    }
    return catalog__reported(newest ? newest : table_index(r->version));
}

int catalog_query_keys(struct catalog_reader *r, const struct catalog_key_request *request,
                       struct catalog_indexed_dir_entries *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    *out = (struct catalog_indexed_dir_entries){.meta.index = 0};
    struct catalog__list entries = catalog__list(r);
    struct catalog__radix_iter it;
    uint64_t newest = 0;
    bool failed = !catalog__keys_add(r, keys, CATALOG__WATCH_KEY, request->key, true);
    catalog__radix_prefix(&it, &r->catalog->allocator, r->version->root[CATALOG__KEYS],
                          request->key);
    for (const struct catalog_dir_entry *entry; (entry = catalog__radix_next(&it)) != NULL;) {
        newest = entry->modify_index > newest ? entry->modify_index : newest;
        catalog__list_add(&entries, entry);
    }
    failed |= it.failed | entries.failed;
    catalog__radix_end(&it);
    out->entries = entries.list; /* nil when nothing was added */
    out->meta.index = list_index(r, request->key, newest, &failed);
    return failed ? CATALOG_ENOMEM : 0;
}

/* ---- Names ---- */

struct names {
    struct mu__arena *arena;
    struct mu_strs strs;
    size_t cap;
    bool failed;
};

static void add_name(struct names *n, struct mu_str name)
{
    if (n->strs.len == n->cap && !n->failed) {
        size_t cap = n->cap ? n->cap * 2 : 8;
        struct mu_str *items = mu__arena_calloc(n->arena, cap, sizeof *items);
        if (!items) {
            n->failed = true;
            return;
        }
        if (n->strs.len) {
            memcpy(items, n->strs.items, n->strs.len * sizeof *items);
        }
        n->strs.items = items;
        n->cap = cap;
    }
    if (!n->failed) {
        n->strs.items[n->strs.len++] = name;
    }
}

/* A key up to and with the first separator behind the prefix. */
static struct mu_str cut(struct mu_str key, size_t prefix, struct mu_str separator)
{
    if (separator.len == 0) {
        return key;
    }
    for (size_t at = prefix; at + separator.len <= key.len; at++) {
        if (memcmp(key.p + at, separator.p, separator.len) == 0) {
            return (struct mu_str){key.p, at + separator.len};
        }
    }
    return key;
}

int catalog_query_key_names(struct catalog_reader *r,
                            const struct catalog_key_list_request *request,
                            struct catalog_indexed_key_list *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    *out = (struct catalog_indexed_key_list){.meta.index = 0};
    struct names names = {.arena = catalog__scratch(r)};
    struct catalog__radix_iter it;
    uint64_t newest = 0;
    bool failed = !catalog__keys_add(r, keys, CATALOG__WATCH_KEY, request->prefix, true);
    catalog__radix_prefix(&it, &r->catalog->allocator, r->version->root[CATALOG__KEYS],
                          request->prefix);
    for (const struct catalog_dir_entry *entry; (entry = catalog__radix_next(&it)) != NULL;) {
        newest = entry->modify_index > newest ? entry->modify_index : newest;
        struct mu_str name = cut(entry->key, request->prefix.len, request->separator);
        if (names.strs.len == 0 || !mu__str_eq(names.strs.items[names.strs.len - 1], name)) {
            add_name(&names, name);
        }
    }
    failed |= it.failed | names.failed;
    catalog__radix_end(&it);
    out->keys = names.strs;
    out->meta.index = list_index(r, request->prefix, newest, &failed);
    return failed ? CATALOG_ENOMEM : 0;
}
