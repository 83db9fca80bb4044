/* query_federation.c - the mesh gateways of the datacenter, as others are told of them. */
#include <muster/catalog_dump.h>
#include <muster/catalog_federation.h>

#include "query.h"

static int find_gateways(struct catalog_reader *r, struct mu_list *out, uint64_t *index,
                         struct catalog_watch_keys *keys)
{
    const struct catalog_service_dump_request request = {
        .service_kind = {"mesh-gateway", sizeof "mesh-gateway" - 1}, .use_service_kind = true};
    struct catalog_indexed_check_service_nodes found;
    int rc = catalog_query_service_dump(r, &request, &found, keys);
    *out = rc == 0 && found.nodes.len ? found.nodes : (struct mu_list){NULL, 0};
    *index = found.meta.index;
    for (size_t i = 0; i < out->len; i++) { /* no checks are nil here, unlike in health */
        struct catalog_check_service_node *n = out->items[i];
        n->checks = n->checks.len ? n->checks : (struct mu_list){NULL, 0};
    }
    return rc;
}

/* It changes with what it follows from, so its indexes are the answer's. */
static int look_up(struct catalog_reader *r, struct mu_str datacenter, struct mu_time now,
                   struct catalog_federation_state **out, uint64_t *index,
                   struct catalog_watch_keys *keys)
{
    struct catalog_federation_state *s = mu__arena_calloc(catalog__scratch(r), 1, sizeof *s);
    if (!s) {
        return CATALOG_ENOMEM;
    }
    int rc = find_gateways(r, &s->mesh_gateways, index, keys);
    s->datacenter = datacenter;
    s->updated_at = now;
    s->create_index = s->modify_index = s->primary_modify_index = *index;
    *out = s;
    return rc;
}

int catalog_query_federation_states(struct catalog_reader *r,
                                    const struct catalog_dc_request *request, struct mu_time now,
                                    struct catalog_indexed_federation_states *out,
                                    struct catalog_watch_keys *keys)
{
    struct catalog_federation_state *state = NULL;
    struct catalog__list list = catalog__list(r);
    uint64_t index = 0;
    int rc = look_up(r, request->datacenter, now, &state, &index, keys);
    bool failed = rc != 0;
    if (!failed) {
        catalog__list_add(&list, state);
    }
    *out = (struct catalog_indexed_federation_states){.states = catalog__list_end(&list, &failed),
                                                      .meta.index = index};
    return failed ? CATALOG_ENOMEM : 0;
}

int catalog_query_federation_state(struct catalog_reader *r,
                                   const struct catalog_federation_query *request,
                                   struct mu_time now, struct catalog_federation_reply *out,
                                   struct catalog_watch_keys *keys)
{
    struct catalog_federation_state *state = NULL;
    uint64_t index = 0;
    int rc = look_up(r, request->datacenter, now, &state, &index, keys);
    bool is_ours = mu__str_ieq(request->target_datacenter, request->datacenter);
    *out = (struct catalog_federation_reply){.state = is_ours ? state : NULL, .meta.index = index};
    return rc;
}

int catalog_query_mesh_gateways(struct catalog_reader *r, const struct catalog_dc_request *request,
                                struct catalog_datacenter_nodes *out,
                                struct catalog_watch_keys *keys)
{
    struct mu_list *nodes = mu__arena_calloc(catalog__scratch(r), 1, sizeof *nodes);
    struct mu_named *named = mu__arena_calloc(catalog__scratch(r), 1, sizeof *named);
    uint64_t index = 0;
    *out = (struct catalog_datacenter_nodes){.datacenters = {NULL, 0}};
    if (!nodes || !named) {
        return CATALOG_ENOMEM;
    }
    int rc = find_gateways(r, nodes, &index, keys);
    *named = (struct mu_named){request->datacenter, nodes};
    out->datacenters = (struct mu_structmap){named, nodes->len > 0};
    out->meta.index = index;
    return rc;
}
