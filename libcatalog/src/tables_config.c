#include "tables_config.h"

#include <assert.h>

#include "key.h"
#include "planted.h"
#include "tables_gateway.h"
#include "touched.h"

#include <muster/catalog.h>

const struct catalog_config_entry *catalog__get_config(const struct catalog__version *v,
                                                       struct mu_str kind, struct mu_str name)
{
    struct catalog__key key;
    catalog__key_join(&key, (const struct mu_str[]){kind, name}, 2, false);
    return catalog__radix_get(v->root[CATALOG__CONFIG_ENTRIES], catalog__key_str(&key));
}

static void touch(struct catalog *c, struct mu_str kind, struct mu_str name)
{
    struct catalog__key key;
    catalog__key_join(&key, (const struct mu_str[]){kind, name}, 2, false);
    catalog__touch(c, CATALOG__WATCH_CONFIG, catalog__key_str(&key));
}

/* ---- The services that entries refer to ---- */

struct linking {
    struct catalog *c;
    void *entry; /* NULL: the links go */
    struct mu_str kind, name;
};

static bool set_link(void *user, struct mu_str service)
{
    struct linking *l = user;
    const struct mu_str names[] = {service, l->kind, l->name};
    if (l->entry) {
        catalog__tree_put(l->c, CATALOG__CONFIG_LINKS, names, 3, l->entry);
    } else {
        catalog__tree_remove(l->c, CATALOG__CONFIG_LINKS, names, 3);
    }
    return true;
}

static void unlink_entry(struct catalog *c, const struct catalog_config_entry *e)
{
    struct linking l = {c, NULL, e->kind, e->name};
    catalog__config_links(e, set_link, &l);
}

static void link_entry(struct catalog *c, struct catalog_config_entry *e)
{
    struct linking l = {c, e, e->kind, e->name};
    catalog__config_links(e, set_link, &l);
}

/* ---- Entries ---- */

void catalog__put_config(struct catalog *c, const struct catalog_config_entry *entry)
{
    const struct mu__schema *schema = catalog_config_schema(entry->kind);
    assert(schema);
    struct catalog_config_entry *record = catalog__clone(c, schema, entry);
    const struct catalog_config_entry *old = catalog__tree_put(
        c, CATALOG__CONFIG_ENTRIES, (const struct mu_str[]){entry->kind, entry->name}, 2, record);
    if (c->is_void) {
        catalog__discard(c, old);
        return;
    }
    if (old) {
        unlink_entry(c, old);
    } else {
        c->draft->count[CATALOG__TABLE_CONFIG]++;
    }
    link_entry(c, record);
    catalog__table_changed(c, CATALOG__TABLE_CONFIG);
    if (!old || !CATALOG__PLANTED(WAKE_MISSED_CONFIG)) {
        touch(c, entry->kind, entry->name);
    }
    catalog__gateway_changed(c, record->kind, record->name, record);
    catalog__discard(c, old);
}

void catalog__remove_config(struct catalog *c, struct mu_str kind, struct mu_str name)
{
    const struct catalog_config_entry *e = catalog__get_config(c->draft, kind, name);
    if (!e) {
        return;
    }
    unlink_entry(c, e);
    touch(c, e->kind, e->name);
    const void *gone = catalog__tree_remove(c, CATALOG__CONFIG_ENTRIES,
                                            (const struct mu_str[]){e->kind, e->name}, 2);
    if (!c->is_void) {
        c->draft->count[CATALOG__TABLE_CONFIG]--;
    }
    catalog__table_changed(c, CATALOG__TABLE_CONFIG);
    catalog__gateway_changed(c, e->kind, e->name, NULL);
    catalog__discard(c, gone);
}
