#include "tables_ca.h"

#include "key.h"
#include "touched.h"
#include "types.h"

static const struct mu_str the_config = {CATALOG__CA_CONFIG_KEY, sizeof CATALOG__CA_CONFIG_KEY - 1};

static void *get(const struct catalog__version *v, enum catalog__tree tree, struct mu_str id)
{
    struct catalog__key k;
    catalog__key_join(&k, &id, 1, false);
    return catalog__radix_get(v->root[tree], catalog__key_str(&k));
}

const struct catalog_ca_config *catalog__get_ca_config(const struct catalog__version *v)
{
    return get(v, CATALOG__CA_CONFIG, the_config);
}

const struct catalog_ca_root *catalog__get_ca_root(const struct catalog__version *v,
                                                   struct mu_str id)
{
    return get(v, CATALOG__CA_ROOTS, id);
}

const struct catalog_ca_provider_state *catalog__get_ca_state(const struct catalog__version *v,
                                                              struct mu_str id)
{
    return get(v, CATALOG__CA_STATES, id);
}

static void put(struct catalog *c, enum catalog__tree tree, enum catalog__table table,
                struct mu_str id, void *record)
{
    void *old = catalog__tree_put(c, tree, &id, 1, record);
    if (!old && !c->is_void) {
        c->draft->count[table]++;
    }
    catalog__table_changed(c, table);
    catalog__discard(c, old);
}

static void take(struct catalog *c, enum catalog__tree tree, enum catalog__table table,
                 struct mu_str id)
{
    void *gone = catalog__tree_remove(c, tree, &id, 1);
    if (gone) {
        c->draft->count[table]--;
    }
    catalog__table_changed(c, table);
    catalog__discard(c, gone);
}

void catalog__put_ca_config(struct catalog *c, const struct catalog_ca_config *config)
{
    put(c, CATALOG__CA_CONFIG, CATALOG__TABLE_CA_CONFIG, the_config,
        catalog__clone(c, &catalog__ca_config_schema, config));
    catalog__touch(c, CATALOG__WATCH_CA, the_config);
}

void catalog__put_ca_root(struct catalog *c, const struct catalog_ca_root *root)
{
    put(c, CATALOG__CA_ROOTS, CATALOG__TABLE_CA_ROOTS, root->id,
        catalog__clone(c, &catalog__ca_root_schema, root));
    catalog__touch(c, CATALOG__WATCH_CA, mu__cstr(CATALOG__CA_ROOTS_KEY));
}

void catalog__remove_ca_root(struct catalog *c, struct mu_str id)
{
    take(c, CATALOG__CA_ROOTS, CATALOG__TABLE_CA_ROOTS, id);
    catalog__touch(c, CATALOG__WATCH_CA, mu__cstr(CATALOG__CA_ROOTS_KEY));
}

void catalog__put_ca_state(struct catalog *c, const struct catalog_ca_provider_state *state)
{
    const struct mu__schema *schema = &catalog__ca_provider_state_schema;
    void *record = catalog__clone(c, schema, state);
    if (record) {
        catalog__record_hide(record, mu__schema_clone_size(schema, state));
    }
    put(c, CATALOG__CA_STATES, CATALOG__TABLE_CA_STATES, state->id, record);
}

void catalog__remove_ca_state(struct catalog *c, struct mu_str id)
{
    take(c, CATALOG__CA_STATES, CATALOG__TABLE_CA_STATES, id);
}
