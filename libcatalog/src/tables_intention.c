#include "tables_intention.h"

#include "key.h"
#include "msgpack.h"
#include "planted.h"
#include "touched.h"
#include "types.h"

#define NAMES(...) ((const struct mu_str[]){__VA_ARGS__})

const struct catalog_intention *catalog__get_intention(const struct catalog__version *v,
                                                       struct mu_str id)
{
    struct catalog__session_key k;
    return id.len ? catalog__radix_get(v->root[CATALOG__INTENTIONS], catalog__session_key(&k, id))
                  : NULL;
}

const struct catalog_intention *catalog__get_intention_for(const struct catalog__version *v,
                                                           struct mu_str source_ns,
                                                           struct mu_str source,
                                                           struct mu_str destination_ns,
                                                           struct mu_str destination)
{
    struct catalog__key key;
    catalog__key_join(&key, NAMES(source_ns, source, destination_ns, destination), 4, false);
    return catalog__radix_get(v->root[CATALOG__INTENTIONS_BY_PAIR], catalog__key_str(&key));
}

bool catalog__intention_has_names(const struct catalog_intention *x)
{
    const struct mu_str names[] = {x->source_ns, x->source_name, x->destination_ns,
                                   x->destination_name};
    bool all = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        all = all && names[i].len > 0 && catalog__is_name(names[i]);
    }
    return all;
}

static int exact(struct mu_str ns, struct mu_str name)
{
    return mu__str_is(ns, "*") ? 0 : mu__str_is(name, "*") ? 1 : 2;
}

int64_t catalog__intention_precedence(const struct catalog_intention *x)
{
    return 3 * (1 + exact(x->destination_ns, x->destination_name)) - 2 +
           exact(x->source_ns, x->source_name);
}

/* A side of intentions: who waits for what bears on it has these keys. */
static void touch_side(struct catalog *c, char kind, struct mu_str ns, struct mu_str name)
{
    struct catalog__key key;
    catalog__key_join(&key, NAMES(ns, name), 2, false);
    catalog__touch(c, kind, catalog__key_str(&key));
}

static void touch(struct catalog *c, const struct catalog_intention *x, struct mu_str key)
{
    catalog__touch(c, CATALOG__WATCH_INTENTION, key);
    touch_side(c, CATALOG__WATCH_SOURCE, x->source_ns, x->source_name);
    touch_side(c, CATALOG__WATCH_DESTINATION, x->destination_ns, x->destination_name);
}

static void unlink_intention(struct catalog *c, const struct catalog_intention *x)
{
    catalog__tree_remove(
        c, CATALOG__INTENTIONS_BY_PAIR,
        NAMES(x->source_ns, x->source_name, x->destination_ns, x->destination_name), 4);
    catalog__tree_remove(
        c, CATALOG__INTENTIONS_BY_DESTINATION,
        NAMES(x->destination_ns, x->destination_name, x->source_ns, x->source_name), 4);
}

static void link_intention(struct catalog *c, struct catalog_intention *x)
{
    catalog__tree_put(c, CATALOG__INTENTIONS_BY_PAIR,
                      NAMES(x->source_ns, x->source_name, x->destination_ns, x->destination_name),
                      4, x);
    catalog__tree_put(c, CATALOG__INTENTIONS_BY_DESTINATION,
                      NAMES(x->destination_ns, x->destination_name, x->source_ns, x->source_name),
                      4, x);
}

void catalog__put_intention(struct catalog *c, const struct catalog_intention *x)
{
    struct catalog__session_key k;
    struct mu_str key = catalog__session_key(&k, x->id);
    struct catalog_intention *record = catalog__clone(c, &catalog__intention_schema, x);
    const struct catalog_intention *old =
        catalog__tree_put(c, CATALOG__INTENTIONS, &key, 1, record);
    if (c->is_void) {
        catalog__discard(c, old);
        return;
    }
    if (old) {
        unlink_intention(c, old);
        touch(c, old, key);
    }
    link_intention(c, record);
    touch(c, record, key);
    c->draft->count[CATALOG__TABLE_INTENTIONS] += !old;
    catalog__table_changed(c, CATALOG__TABLE_INTENTIONS);
    catalog__discard(c, old);
}

void catalog__remove_intention(struct catalog *c, struct mu_str id)
{
    const struct catalog_intention *x = catalog__get_intention(c->draft, id);
    if (!x) {
        return;
    }
    struct catalog__session_key k;
    struct mu_str key = catalog__session_key(&k, x->id);
    unlink_intention(c, x);
    if (!CATALOG__PLANTED(WAKE_MISSED_INTENTION)) {
        touch(c, x, key);
    }
    void *gone = catalog__tree_remove(c, CATALOG__INTENTIONS, &key, 1);
    if (gone) {
        c->draft->count[CATALOG__TABLE_INTENTIONS]--;
    }
    catalog__table_changed(c, CATALOG__TABLE_INTENTIONS);
    catalog__discard(c, gone);
}
