/* tables.c - what the tables have in common. */
#include "tables.h"

#include "key.h"
#include "touched.h"

static void *put(struct catalog *c, enum catalog__tree tree, struct mu_str key, void *record)
{
    void *old = NULL;
    if (record && !c->is_void &&
        !catalog__radix_put(&c->space, &c->draft->root[tree], key, record, &old)) {
        c->is_void = true;
    }
    return old;
}

static void *take(struct catalog *c, enum catalog__tree tree, struct mu_str key)
{
    void *old = NULL;
    if (!c->is_void && !catalog__radix_remove(&c->space, &c->draft->root[tree], key, &old)) {
        c->is_void = true;
    }
    return old;
}

/* The key of a record in a tree: names joined, or the bytes of a key or prefix as they are. */
static struct mu_str key_in(struct catalog__key *k, enum catalog__tree tree,
                            const struct mu_str *names, size_t n)
{
    if (tree == CATALOG__KEYS || tree == CATALOG__TOMBSTONES) {
        return names[0];
    }
    catalog__key_join(k, names, n, false);
    return catalog__key_str(k);
}

void *catalog__tree_put(struct catalog *c, enum catalog__tree tree, const struct mu_str *names,
                        size_t n, void *record)
{
    struct catalog__key k;
    void *old = put(c, tree, key_in(&k, tree, names, n), record);
    if (c->is_void && record && catalog__tree_is_primary(tree)) {
        catalog__block_free(&c->allocator,
                            catalog__record_block(record)); /* it stands nowhere yet */
    }
    return old;
}

void *catalog__tree_remove(struct catalog *c, enum catalog__tree tree, const struct mu_str *names,
                           size_t n)
{
    struct catalog__key k;
    return take(c, tree, key_in(&k, tree, names, n));
}

void catalog__tree_lend(struct catalog *c, enum catalog__tree tree, struct mu_str key, void *record)
{
    put(c, tree, key, record);
}

void catalog__tree_unlend(struct catalog *c, enum catalog__tree tree, struct mu_str key)
{
    take(c, tree, key);
}

/* A published record that cannot be listed is simply left to its version, and one from before the
 * savepoint to the rollback: the batch is void, and goes. */
void catalog__discard(struct catalog *c, const void *record)
{
    struct catalog__block *b = catalog__record_block(catalog__lend(record));
    if (!b) {
        return;
    }
    if (catalog__is_fresh(&c->space, b) || catalog__space_reserve(&c->space, 1)) {
        catalog__retire(&c->space, b);
        return;
    }
    c->is_void = true;
    if (b->gen >= c->space.since) {
        catalog__block_free(&c->allocator, b);
    }
}

void *catalog__clone(struct catalog *c, const struct mu__schema *schema, const void *obj)
{
    if (c->is_void) {
        return NULL;
    }
    void *record = catalog__record_clone(&c->space, schema, obj);
    if (!record) {
        c->is_void = true;
    }
    return record;
}

static size_t count(struct catalog *c, enum catalog__tree tree, const struct mu_str *names,
                    size_t n)
{
    struct catalog__radix_iter it;
    size_t len = 0;
    catalog__below(&it, &c->allocator, c->draft, tree, names, n);
    while (catalog__radix_next(&it)) {
        len++;
    }
    c->is_void |= it.failed;
    catalog__radix_end(&it);
    return len;
}

struct catalog__found catalog__gather(struct catalog *c, enum catalog__tree tree,
                                      const struct mu_str *names, size_t n)
{
    struct catalog__found found = {NULL, 0};
    size_t len = count(c, tree, names, n);
    if (len == 0 || c->is_void) {
        return found;
    }
    found.items = mu__arena_calloc(&c->scratch, len, sizeof *found.items);
    if (!found.items) {
        c->is_void = true;
        return found;
    }
    struct catalog__radix_iter it;
    catalog__below(&it, &c->allocator, c->draft, tree, names, n);
    for (void *record; found.len < len && (record = catalog__radix_next(&it)) != NULL;) {
        found.items[found.len++] = record;
    }
    c->is_void |= it.failed;
    catalog__radix_end(&it);
    return found;
}

/* ---- Indexes of services ---- */

void catalog__service_changed(struct catalog *c, struct mu_str name)
{
    if (c->is_quiet) {
        return;
    }
    const struct catalog__mark *before = catalog__get_service_index(c->draft, name);
    if (before && before->index == c->index) {
        return; /* this entry said so already */
    }
    struct catalog__mark *mark = catalog__clone(
        c, &catalog__mark_schema, &(struct catalog__mark){.name = name, .index = c->index});
    catalog__discard(c, catalog__tree_put(c, CATALOG__SERVICE_INDEXES, &name, 1, mark));
    catalog__touch_name(c, CATALOG__WATCH_HEALTH, name);
}

void catalog__services_of_node_changed(struct catalog *c, struct mu_str node, bool record)
{
    if (c->is_quiet) {
        return;
    }
    struct catalog__found found = catalog__gather(c, CATALOG__SERVICES, &node, 1);
    for (size_t i = 0; i < found.len; i++) {
        const struct catalog__instance *instance = found.items[i];
        struct mu_str target = catalog__instance_target(instance);
        catalog__service_changed(c, instance->service.service);
        if (record) {
            catalog__touch_name(c, CATALOG__WATCH_CATALOG, instance->service.service);
        }
        if (record && instance->service.address.len) {
            catalog__touch_name(c, CATALOG__WATCH_AT, catalog__key_part(instance->service.address));
        }
        if (target.len) {
            catalog__touch_name(c, CATALOG__WATCH_TARGET, target);
        }
    }
}

void catalog__restore_mark(struct catalog *c, enum catalog__tree tree,
                           const struct catalog__mark *mark)
{
    void *record = catalog__clone(c, &catalog__mark_schema, mark);
    void *old = catalog__tree_put(c, tree, &mark->name, 1, record);
    if (tree == CATALOG__TOMBSTONES && !old) {
        c->draft->count[CATALOG__TABLE_TOMBSTONES]++;
    }
    catalog__discard(c, old);
}
