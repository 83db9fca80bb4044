/* coordinates.c - where nodes are in the network: the entry that brings coordinates, their table
 * and its queries. */
#include "apply.h"

#include "key.h"
#include "query.h"
#include "tables.h"
#include "touched.h"
#include "types.h"

#include <math.h>

#define DIMENSIONS 8u /* of every pool (gossip wire, 11) */

static bool is_finite(const struct catalog_vivaldi *v)
{
    for (size_t i = 0; i < v->vec.len; i++) {
        if (!isfinite(v->vec.items[i])) {
            return false;
        }
    }
    return isfinite(v->error) && isfinite(v->adjustment) && isfinite(v->height);
}

const char *catalog_coordinate_check(const struct catalog_coordinate_update_request *r)
{
    if (!r->coord || !is_finite(r->coord)) {
        return "invalid coordinate";
    }
    return r->coord->vec.len == DIMENSIONS ? NULL : "incompatible coordinate";
}

/* ---- The table ---- */

void catalog__put_coordinate(struct catalog *c, const struct catalog_coordinate *coordinate)
{
    const struct mu_str names[] = {coordinate->node, coordinate->segment};
    void *record = catalog__clone(c, &catalog__coordinate_schema, coordinate);
    void *old = catalog__tree_put(c, CATALOG__COORDINATES, names, 2, record);
    if (!old && !c->is_void) {
        c->draft->count[CATALOG__TABLE_COORDINATES]++;
    }
    catalog__table_changed(c, CATALOG__TABLE_COORDINATES);
    catalog__touch_name(c, CATALOG__WATCH_COORDINATE, coordinate->node);
    catalog__discard(c, old);
}

void catalog__remove_coordinates(struct catalog *c, struct mu_str node)
{
    struct catalog__found found = catalog__gather(c, CATALOG__COORDINATES, &node, 1);
    for (size_t i = 0; i < found.len; i++) {
        const struct catalog_coordinate *x = found.items[i];
        const struct mu_str names[] = {x->node, x->segment};
        void *gone = catalog__tree_remove(c, CATALOG__COORDINATES, names, 2);
        c->draft->count[CATALOG__TABLE_COORDINATES] -= gone != NULL;
        catalog__table_changed(c, CATALOG__TABLE_COORDINATES);
        catalog__touch_name(c, CATALOG__WATCH_COORDINATE, node);
        catalog__discard(c, gone);
    }
}

/* A node may have gone while its coordinate was on the way: such are passed over. */
void catalog__apply_coordinates(struct catalog *c, const struct catalog_coordinate_batch *r)
{
    for (size_t i = 0; i < r->updates.len; i++) {
        const struct catalog_coordinate *x = r->updates.items[i];
        if (x->coord && catalog__is_name(x->segment) && catalog__is_name(x->node) &&
            catalog__get_node(c->draft, x->node)) {
            catalog__put_coordinate(c, x);
        }
    }
    catalog__table_changed(c, CATALOG__TABLE_COORDINATES);
}

/* ---- Its queries ---- */

/* NULL: of all nodes. */
static int list(struct catalog_reader *r, const struct mu_str *node,
                struct catalog_indexed_coordinates *out)
{
    struct catalog__list l = catalog__list(r);
    struct catalog__radix_iter it;
    bool failed = false;
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__COORDINATES, node,
                   node ? 1 : 0);
    catalog__list_walk(&l, &it, r->version, NULL, NULL);
    *out = (struct catalog_indexed_coordinates){.coordinates = catalog__list_end(&l, &failed)};
    out->meta.index = catalog__reported(r->version->table[CATALOG__TABLE_COORDINATES]);
    return failed ? CATALOG_ENOMEM : 0;
}

int catalog_query_coordinates(struct catalog_reader *r, const struct catalog_dc_request *request,
                              struct catalog_indexed_coordinates *out,
                              struct catalog_watch_keys *keys)
{
    (void)request;
    catalog__keys_begin(r, keys);
    return catalog__keys_add_all(r, keys, CATALOG__WATCH_COORDINATE) ? list(r, NULL, out)
                                                                     : CATALOG_ENOMEM;
}

int catalog_query_coordinate(struct catalog_reader *r, const struct catalog_node_request *request,
                             struct catalog_indexed_coordinates *out,
                             struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    if (!catalog__keys_add_name(r, keys, CATALOG__WATCH_COORDINATE, request->node, false)) {
        return CATALOG_ENOMEM;
    }
    int rc = list(r, &request->node, out);
    for (size_t i = 0; rc == 0 && i < out->coordinates.len; i++) {
        struct catalog_coordinate *copy =
            mu__arena_memdup(catalog__scratch(r), out->coordinates.items[i], sizeof *copy);
        rc = copy ? 0 : CATALOG_ENOMEM;
        if (copy) {
            copy->node = request->node; /* as it was asked for, in whichever case */
            out->coordinates.items[i] = copy;
        }
    }
    return rc;
}
