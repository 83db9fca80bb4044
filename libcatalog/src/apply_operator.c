/* apply_operator.c - the configuration of autopilot: its entry, its one record and its query. */
#include "apply.h"

#include <assert.h>

#include "query.h"
#include "tables.h"
#include "types.h"

static const struct mu_str the_key = {"autopilot", 9};

void catalog__put_autopilot(struct catalog *c, const struct catalog_autopilot_config *config)
{
    void *record = catalog__clone(c, &catalog__autopilot_config_schema, config);
    void *old = catalog__tree_put(c, CATALOG__AUTOPILOT, &the_key, 1, record);
    if (!old && !c->is_void) {
        c->draft->count[CATALOG__TABLE_AUTOPILOT]++;
    }
    catalog__table_changed(c, CATALOG__TABLE_AUTOPILOT);
    catalog__discard(c, old);
}

const struct catalog_autopilot_config *catalog__get_autopilot(const struct catalog__version *v)
{
    return catalog__radix_get(v->root[CATALOG__AUTOPILOT], the_key);
}

/* A condition needs something to hold: the leader has written the first configuration by itself. */
void catalog__apply_autopilot(struct catalog *c, const struct catalog_autopilot_set_request *r,
                              struct catalog_result *result)
{
    const struct catalog_autopilot_config *before = catalog__get_autopilot(c->draft);
    bool holds = !r->cas || (before && before->modify_index == r->config.modify_index);
    if (holds) {
        struct catalog_autopilot_config config = r->config;
        config.create_index = before ? before->create_index : c->index;
        config.modify_index = c->index;
        catalog__put_autopilot(c, &config);
    }
    if (r->cas) {
        catalog__answer(result, holds);
    }
}

const struct catalog_autopilot_config *catalog_find_autopilot(const struct catalog_reader *r)
{
    assert(r->version);
    return catalog__get_autopilot(r->version);
}

int catalog_query_autopilot(struct catalog_reader *r, const struct catalog_dc_request *request,
                            struct catalog_autopilot_config *out, struct catalog_watch_keys *keys)
{
    (void)request;
    catalog__keys_begin(r, keys);
    const struct catalog_autopilot_config *config = catalog__get_autopilot(r->version);
    *out = config ? *config : (struct catalog_autopilot_config){.create_index = 0};
    return 0;
}
