/* stamp.c - has an answer changed? Told from indexes that the store keeps anyway, without a walk.
 */
#include <muster/catalog.h>

#include "query.h"

/* What a restore brought may bear indexes of another time. */
static uint64_t since_restore(const struct catalog__version *v, uint64_t index)
{
    return index > v->floor ? index : v->floor;
}

/* Of instances of several services, some behind gateways that config entries name. */
static uint64_t of_tables(const struct catalog__version *v)
{
    static const enum catalog__table tables[] = {CATALOG__TABLE_NODES, CATALOG__TABLE_SERVICES,
                                                 CATALOG__TABLE_CHECKS, CATALOG__TABLE_GATEWAYS,
                                                 CATALOG__TABLE_CONFIG};
    uint64_t newest = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        newest = v->table[tables[i]] > newest ? v->table[tables[i]] : newest;
    }
    return newest;
}

/* Every entry that changes an instance, its checks or its node marks the service with its index;
 * the mark goes with the last instance, and one that is made later is newer. */
uint64_t catalog_stamp_service(const struct catalog_reader *r,
                               const struct catalog_service_request *request)
{
    const struct catalog__version *v = r->version;
    bool named = !request->connect && !(request->ingress && !request->tag_filter) &&
                 request->service_name.len > 0;
    if (!named) {
        return since_restore(v, catalog__reported(of_tables(v)));
    }
    const struct catalog__mark *mark = catalog__get_service_index(v, request->service_name);
    return mark ? since_restore(v, mark->index) : 0;
}

uint64_t catalog_stamp_node(const struct catalog_reader *r, struct mu_str name)
{
    const struct catalog_node *node = catalog__get_node(r->version, name);
    return node ? since_restore(r->version, node->modify_index) : 0;
}
