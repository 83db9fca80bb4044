/* filter.c - QueryOptions.Filter on the answers of reads (http-semantics 9).
 *
 * A Consul agent sends the filter with its RPC and shows what comes back as it is, so it is applied
 * here, where the records are. The HTTP layer reads filters, too: it must refuse a wrong one before
 * there is a call, and its agent's own lists come from no server. To filter twice gives the
 * same. */
#include "route.h"

#include "http/filter.h"
#include "rpc/endpoints.h"

#include <muster/catalog_dump.h>
#include <muster/catalog_intention.h>
#include <stdio.h>

/* What the filter of an endpoint is about, and where that stands in the reply. */
struct filtered {
    enum endpoint_id id;
    enum catalog_type type;
    /* Of struct mu_list, or NO_OFFSET: the services of catalog_indexed_node_services */
    size_t list_at;
};

static const struct filtered *filtered_of(const struct endpoint *e)
{
    static const struct filtered table[] = {
        {ENDPOINT_CATALOG_LIST_NODES, CATALOG_NODE, offsetof(struct catalog_indexed_nodes, nodes)},
        {ENDPOINT_CATALOG_SERVICE_NODES, CATALOG_SERVICE_NODE,
         offsetof(struct catalog_indexed_service_nodes, service_nodes)},
        {ENDPOINT_CATALOG_NODE_SERVICES, CATALOG_NODE_SERVICE, NO_OFFSET},
        {ENDPOINT_CATALOG_NODE_SERVICE_LIST, CATALOG_NODE_SERVICE,
         offsetof(struct catalog_indexed_node_service_list, node_services.services)},
        {ENDPOINT_HEALTH_NODE_CHECKS, CATALOG_CHECK,
         offsetof(struct catalog_indexed_checks, health_checks)},
        {ENDPOINT_HEALTH_SERVICE_CHECKS, CATALOG_CHECK,
         offsetof(struct catalog_indexed_checks, health_checks)},
        {ENDPOINT_HEALTH_CHECKS_IN_STATE, CATALOG_CHECK,
         offsetof(struct catalog_indexed_checks, health_checks)},
        {ENDPOINT_INTENTION_LIST, CATALOG_INTENTION,
         offsetof(struct catalog_indexed_intentions, intentions)},
        {ENDPOINT_INTERNAL_NODE_DUMP, CATALOG_NODE /* see schema_of */,
         offsetof(struct catalog_indexed_node_dump, dump)},
        {ENDPOINT_INTERNAL_SERVICE_DUMP, CATALOG_CHECK_SERVICE_NODE,
         offsetof(struct catalog_indexed_check_service_nodes, nodes)},
        {ENDPOINT_HEALTH_SERVICE_NODES, CATALOG_CHECK_SERVICE_NODE,
         offsetof(struct catalog_indexed_check_service_nodes, nodes)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (&endpoints[table[i].id] == e) {
            return &table[i];
        }
    }
    return NULL;
}

static const struct mu__schema *schema_of(const struct filtered *what)
{
    return what->id == ENDPOINT_INTERNAL_NODE_DUMP ? catalog_node_info_schema()
                                                   : catalog_schema(what->type);
}

bool route__read_filter(struct route *r, char *err, size_t errlen)
{
    const struct filtered *what = filtered_of(r->call->endpoint);
    const struct catalog_query_options *o = route__options(r);
    if (r->filter || !what || !o || o->filter.len == 0) {
        return true; /* it has been read, or there is none, or, as in Consul, it does not matter */
    }
    char why[FILTER_ERROR_MAX];
    if (filter_parse(schema_of(what), o->filter, &r->call->arena, &r->filter, why, sizeof why)) {
        return true;
    }
    snprintf(err, errlen, "Failed to create boolean expression evaluator: %s", why);
    return false;
}

/* What has been filtered is a list, even if there was none: a Consul agent shows null for nil. */
static void filter_list(const struct http_filter *f, struct mu__arena *a, struct mu_list *l)
{
    if (!l->items) {
        l->items = mu__arena_calloc(a, 1, sizeof *l->items);
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < l->len; i++) {
        if (filter_match(f, l->items[i])) {
            l->items[kept++] = l->items[i];
        }
    }
    l->len = kept;
}

static void filter_map(const struct http_filter *f, struct mu_structmap *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->len; i++) {
        if (filter_match(f, m->items[i].value)) {
            m->items[kept++] = m->items[i];
        }
    }
    m->len = kept;
}

/* There are no services, since there is no such node: nil, which a filter leaves so. */
static bool has_no_node(const struct route *r)
{
    const struct catalog_indexed_node_service_list *reply = r->reply;
    return r->call->endpoint == &endpoints[ENDPOINT_CATALOG_NODE_SERVICE_LIST] &&
           !reply->node_services.node;
}

void route__filter(const struct route *r)
{
    const struct filtered *what = r->filter ? filtered_of(r->call->endpoint) : NULL;
    if (!what || has_no_node(r)) {
        return;
    }
    if (what->list_at != NO_OFFSET) {
        filter_list(r->filter, &r->call->arena, (void *)((char *)r->reply + what->list_at));
        return;
    }
    struct catalog_node_services *of_node =
        ((struct catalog_indexed_node_services *)r->reply)->node_services;
    if (of_node) {
        filter_map(r->filter, &of_node->services);
    }
}
