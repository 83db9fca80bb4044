#include "query.h"

#include <assert.h>
#include <string.h>

#include "key.h"

struct catalog__list catalog__list(struct catalog_reader *r)
{
    return (struct catalog__list){.arena = catalog__scratch(r)};
}

void catalog__list_add(struct catalog__list *l, const void *item)
{
    if (l->failed) {
        return;
    }
    if (l->list.len == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        void **items = mu__arena_calloc(l->arena, cap, sizeof *items);
        if (!items) {
            l->failed = true;
            return;
        }
        if (l->list.len) {
            memcpy(items, l->list.items, l->list.len * sizeof *items);
        }
        l->list.items = items;
        l->cap = cap;
    }
    l->list.items[l->list.len++] = catalog__lend(item);
}

struct mu_list catalog__list_end(struct catalog__list *l, bool *failed)
{
    if (!l->list.items && !l->failed) {
        l->list.items = mu__arena_calloc(l->arena, 1, sizeof *l->list.items);
        l->failed = l->list.items == NULL;
    }
    *failed |= l->failed;
    return l->list;
}

void catalog__list_walk(struct catalog__list *l, struct catalog__radix_iter *it,
                        const struct catalog__version *v, catalog__filter_fn filter,
                        const void *arg)
{
    for (const void *record; (record = catalog__radix_next(it)) != NULL;) {
        if (!filter || filter(v, record, arg)) {
            catalog__list_add(l, record);
        }
    }
    l->failed |= it->failed;
    catalog__radix_end(it);
}

bool catalog__has_meta(const struct catalog_node *node, const struct mu_strmap *wanted)
{
    size_t at = 0;
    for (size_t i = 0; i < wanted->len; i++) { /* both are sorted */
        const struct mu_pair *pair = &wanted->items[i];
        while (at < node->meta.len && mu__str_cmp(node->meta.items[at].key, pair->key) < 0) {
            at++;
        }
        if (at == node->meta.len || !mu__str_eq(node->meta.items[at].key, pair->key) ||
            !mu__str_eq(node->meta.items[at].value, pair->value)) {
            return false;
        }
    }
    return true;
}

bool catalog__node_has_meta(const struct catalog__version *v, struct mu_str name,
                            const struct mu_strmap *wanted)
{
    if (wanted->len == 0) {
        return true;
    }
    const struct catalog_node *node = catalog__get_node(v, name);
    return node && catalog__has_meta(node, wanted);
}

void catalog__keys_begin(struct catalog_reader *r, struct catalog_watch_keys *out)
{
    assert(r->version); /* the reader is open */
    if (out) {
        *out = (struct catalog_watch_keys){.version = r->version->seq};
    }
}

/* Two, four, eight keys: few answers need more than two. */
static bool make_room(struct catalog_reader *r, struct catalog_watch_keys *out)
{
    bool is_full = out->len == 0 || (out->len >= 2 && (out->len & (out->len - 1)) == 0);
    if (!is_full) {
        return true;
    }
    struct catalog_watch_key *items =
        mu__arena_calloc(catalog__scratch(r), out->len ? out->len * 2 : 2, sizeof *items);
    if (!items) {
        return false;
    }
    if (out->len) {
        memcpy(items, out->items, out->len * sizeof *items);
    }
    out->items = items;
    return true;
}

bool catalog__keys_add(struct catalog_reader *r, struct catalog_watch_keys *out, char kind,
                       struct mu_str key, bool prefix)
{
    if (!out) {
        return true;
    }
    char *bytes = mu__arena_alloc(catalog__scratch(r), key.len + 1);
    if (!bytes || !make_room(r, out)) {
        return false;
    }
    bytes[0] = kind;
    if (key.len) {
        memcpy(bytes + 1, key.p, key.len);
    }
    out->items[out->len++] = (struct catalog_watch_key){{bytes, key.len + 1}, prefix};
    return true;
}

bool catalog__keys_add_name(struct catalog_reader *r, struct catalog_watch_keys *out, char kind,
                            struct mu_str name, bool prefix)
{
    struct catalog__key key;
    catalog__key_join(&key, &name, 1, false);
    return catalog__keys_add(r, out, kind, catalog__key_str(&key), prefix);
}

uint64_t catalog__max_index(const struct catalog__version *v, enum catalog__table a,
                            enum catalog__table b)
{
    return v->table[a] > v->table[b] ? v->table[a] : v->table[b];
}

/* ---- Single records ---- */

const struct catalog_node *catalog_find_node(const struct catalog_reader *r, struct mu_str name)
{
    assert(r->version);
    return catalog__get_node(r->version, name);
}

const struct catalog_node *catalog_find_node_by_id(const struct catalog_reader *r, struct mu_str id)
{
    assert(r->version);
    return catalog__get_node_by_id(r->version, id);
}

const struct catalog_node_service *
catalog_find_service(const struct catalog_reader *r, struct mu_str node, struct mu_str service_id)
{
    assert(r->version);
    const struct catalog__instance *i = catalog__get_instance(r->version, node, service_id);
    return i ? &i->service : NULL;
}

const struct catalog_check *catalog_find_check(const struct catalog_reader *r, struct mu_str node,
                                               struct mu_str check_id)
{
    assert(r->version);
    return catalog__get_check(r->version, node, check_id);
}

const struct catalog_dir_entry *catalog_find_key(const struct catalog_reader *r, struct mu_str key)
{
    assert(r->version);
    return catalog__get_key(r->version, key);
}
