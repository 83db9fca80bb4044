/* chain_graph.c - what is done with the graph of a chain once it stands: circles, splitters of
 * splitters, and what of it is told. */
#include "chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Circles ---- */

/* The nodes that a node leads to; false behind the last. */
static bool next_of(const struct catalog__chain_node *n, size_t at, struct mu_str *next)
{
    if (at < n->node.routes.len) {
        *next = ((const struct catalog_chain_route *)n->node.routes.items[at])->next_node;
        return true;
    }
    if (at < n->node.splits.len) {
        *next = ((const struct catalog_chain_split *)n->node.splits.items[at])->next_node;
        return true;
    }
    return false;
}

struct step {
    struct catalog__chain_node *node;
    size_t left; /* of what it leads to; the last first */
};

static size_t degree(const struct catalog__chain_node *n)
{
    return n->node.routes.len ? n->node.routes.len : n->node.splits.len;
}

static bool refuse_circle(struct catalog__compiler *c, const struct step *way, size_t n)
{
    c->why->len = 0;
    catalog__say(c->why, "detected circular reference: [");
    for (size_t i = 0; i < n; i++) {
        catalog__say_str(c->why, way[i].node->key);
        catalog__say(c->why, " -> ");
    }
    catalog__say_str(c->why, way[n].node->key);
    catalog__say(c->why, "]");
    return false;
}

/* Depth first, each node once: what has been left without a circle is in none. */
bool catalog__chain_check_circles(struct catalog__compiler *c)
{
    struct step *way = catalog__chain_room(c, c->nodes.count + 1, sizeof *way);
    size_t depth = 0;
    if (!way) {
        return false;
    }
    struct catalog__chain_node *first = catalog__chain_node(c, c->start);
    way[0] = (struct step){first, degree(first)};
    first->visits = 1;
    for (;;) {
        struct step *at = &way[depth];
        struct mu_str key;
        if (at->left == 0) {
            at->node->visits = 0;
            at->node->is_reached = true;
            if (depth == 0) {
                return true;
            }
            depth--;
            continue;
        }
        at->left--;
        if (!next_of(at->node, at->left, &key)) {
            continue;
        }
        struct catalog__chain_node *next = catalog__chain_node(c, key);
        if (next->is_reached) {
            continue;
        }
        way[++depth] = (struct step){next, degree(next)};
        if (next->visits++) {
            return refuse_circle(c, way, depth);
        }
    }
}

/* ---- Splitters of splitters ---- */

static bool is_splitter(const struct catalog__chain_node *n)
{
    return mu__str_eq(n->node.type, mu__cstr(CATALOG__CHAIN_SPLITTER));
}

/* How many splits a splitter will have when those that it leads to are in its place. */
static size_t flat_len(const struct catalog__compiler *c, const struct catalog__chain_node *n)
{
    size_t len = 0;
    for (size_t i = 0; i < n->node.splits.len; i++) {
        const struct catalog_chain_split *s = n->node.splits.items[i];
        const struct catalog__chain_node *next = catalog__chain_node(c, s->next_node);
        len += is_splitter(next) ? next->node.splits.len : 1;
    }
    return len;
}

static double hundredths(double weight)
{
    return round(weight * 100.0) / 100.0;
}

static bool flatten(struct catalog__compiler *c, struct catalog__chain_node *n, size_t len)
{
    void **items = catalog__chain_room(c, len, sizeof *items);
    size_t at = 0;
    for (size_t i = 0; items && i < n->node.splits.len; i++) {
        struct catalog_chain_split *outer = n->node.splits.items[i];
        const struct catalog__chain_node *next = catalog__chain_node(c, outer->next_node);
        if (!is_splitter(next)) {
            items[at++] = outer;
            continue;
        }
        for (size_t k = 0; k < next->node.splits.len; k++) {
            const struct catalog_chain_split *inner = next->node.splits.items[k];
            struct catalog_chain_split *both = catalog__chain_room(c, 1, sizeof *both);
            if (!both) {
                return false;
            }
            both->weight = hundredths(outer->weight * inner->weight / 100.0);
            both->next_node = inner->next_node;
            items[at++] = both;
        }
    }
    if (items) {
        n->node.splits = (struct mu_list){items, at};
    }
    return items != NULL;
}

static bool leads_to_splitter(const struct catalog__compiler *c,
                              const struct catalog__chain_node *n)
{
    for (size_t i = 0; i < n->node.splits.len; i++) {
        const struct catalog_chain_split *s = n->node.splits.items[i];
        if (is_splitter(catalog__chain_node(c, s->next_node))) {
            return true;
        }
    }
    return false;
}

/* Splitters that share splitters multiply, so the sum has a limit. There are no circles. */
bool catalog__chain_flatten(struct catalog__compiler *c)
{
    for (bool again = true; again;) {
        size_t at = 0, sum = 0;
        again = false;
        for (struct catalog__chain_node *n; (n = mu__map_next(&c->nodes, &at)) != NULL;) {
            size_t len = is_splitter(n) ? flat_len(c, n) : 0;
            sum += len;
            if (sum > CATALOG__CHAIN_SPLITS_MAX) {
                return catalog__chain_refuse(c, "discovery chain ", c->in->service,
                                             " has too many splits");
            }
            if (is_splitter(n) && leads_to_splitter(c, n)) {
                if (!flatten(c, n, len)) {
                    return false;
                }
                again = true;
            }
        }
    }
    return true;
}

/* ---- What is left ---- */

/* Marks the nodes that are reached from the start. Their number is bounded, and each goes on the
 * list once. */
static bool mark_reached(struct catalog__compiler *c)
{
    struct catalog__chain_node **todo = catalog__chain_room(c, c->nodes.count + 1, sizeof *todo);
    size_t len = 0, at = 0;
    if (!todo) {
        return false;
    }
    for (struct catalog__chain_node *n; (n = mu__map_next(&c->nodes, &at)) != NULL;) {
        n->is_reached = false;
    }
    todo[len++] = catalog__chain_node(c, c->start);
    todo[0]->is_reached = true;
    for (size_t i = 0; i < len; i++) {
        struct mu_str key;
        for (size_t k = 0; next_of(todo[i], k, &key); k++) {
            struct catalog__chain_node *next = catalog__chain_node(c, key);
            if (!next->is_reached) {
                next->is_reached = true;
                todo[len++] = next;
            }
        }
    }
    return true;
}

static int by_key(const void *a, const void *b)
{
    return mu__str_cmp(((const struct mu_named *)a)->key, ((const struct mu_named *)b)->key);
}

static bool tell_nodes(struct catalog__compiler *c, struct mu_structmap *out)
{
    size_t at = 0;
    out->items = catalog__chain_room(c, c->nodes.count, sizeof *out->items);
    for (struct catalog__chain_node *n; out->items && (n = mu__map_next(&c->nodes, &at)) != NULL;) {
        if (n->is_reached) {
            out->items[out->len++] = (struct mu_named){n->key, &n->node};
        }
    }
    if (out->items) {
        qsort(out->items, out->len, sizeof *out->items, by_key);
    }
    return out->items != NULL;
}

static bool tell_targets(struct catalog__compiler *c, struct mu_structmap *out)
{
    size_t at = 0;
    out->items = catalog__chain_room(c, c->targets.count, sizeof *out->items);
    for (struct catalog__chain_target *t;
         out->items && (t = mu__map_next(&c->targets, &at)) != NULL;) {
        if (t->is_used) {
            out->items[out->len++] = (struct mu_named){t->target.id, &t->target};
        }
    }
    if (out->items) {
        qsort(out->items, out->len, sizeof *out->items, by_key);
    }
    return out->items != NULL;
}

/* ---- The hash of what was overridden ----
 *
 * Clients only compare it, but Consul's proxies name things by it: FNV-1 over names and values of
 * the fields, as the original hashes a struct. */

static uint64_t fnv1(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++) {
        h = h * UINT64_C(1099511628211) ^ bytes[i];
    }
    return h;
}

static uint64_t fnv1_str(struct mu_str s)
{
    return fnv1(s.p, s.len);
}

static void put_le(uint8_t *out, uint64_t v)
{
    for (size_t i = 0; i < 8; i++) {
        out[i] = (uint8_t)(v >> (8 * i));
    }
}

static uint64_t fnv1_u64(uint64_t v)
{
    uint8_t bytes[8];
    put_le(bytes, v);
    return fnv1(bytes, sizeof bytes);
}

static uint64_t field(const char *name, uint64_t value)
{
    uint8_t bytes[16];
    put_le(bytes, fnv1_str(mu__cstr(name)));
    put_le(bytes + 8, value);
    return fnv1(bytes, sizeof bytes);
}

static struct mu_str customization(struct catalog__compiler *c)
{
    static const char hex[] = "0123456789abcdef";
    struct mu_str none = {NULL, 0};
    if (!c->by_mesh_gateway && !c->by_protocol && !c->by_timeout) {
        return none;
    }
    uint64_t gateway =
        fnv1_str(mu__cstr("MeshGatewayConfig")) ^
        field("Mode", fnv1_str(c->by_mesh_gateway ? c->in->override_mesh_gateway : none));
    uint64_t h =
        fnv1_str(none) ^ field("OverrideMeshGateway", gateway) ^
        field("OverrideProtocol", fnv1_str(c->by_protocol ? c->in->override_protocol : none)) ^
        field("OverrideConnectTimeout",
              fnv1_u64((uint64_t)(c->by_timeout ? c->in->override_connect_timeout_ns : 0)));
    char *text = catalog__chain_room(c, 9, 1);
    unsigned shift = 60;
    while (shift > 28 && h >> shift == 0) { /* digits begin with the first that is not zero */
        shift -= 4;
    }
    for (size_t i = 0; text && i < 8; i++) {
        text[i] = hex[h >> (shift - 4 * i) & 15];
    }
    return (struct mu_str){text, text ? 8 : 0};
}

bool catalog__chain_finish(struct catalog__compiler *c, struct catalog_chain *out)
{
    *out = (struct catalog_chain){
        .service_name = c->in->service,
        .name_space = mu__cstr("default"),
        .datacenter = c->in->datacenter,
        .customization_hash = customization(c),
        .protocol = c->protocol,
        .start_node = c->start,
    };
    return mark_reached(c) && tell_nodes(c, &out->nodes) && tell_targets(c, &out->targets) &&
           !c->no_memory;
}
