/* query_prepared.c - prepared queries as they are, filled in, and carried out. */
#include "query.h"

#include "msgpack.h"
#include "prng.h"
#include "tables.h"
#include "template.h"

#include <string.h>

/* ---- As they are ---- */

static struct catalog_indexed_prepared_queries empty(const struct catalog_reader *r)
{
    return (struct catalog_indexed_prepared_queries){
        .meta.index = catalog__reported(r->version->table[CATALOG__TABLE_QUERIES])};
}

int catalog_query_prepared_query(struct catalog_reader *r,
                                 const struct catalog_prepared_query_get_request *request,
                                 struct catalog_indexed_prepared_queries *out,
                                 struct catalog_watch_keys *keys, const char **why)
{
    char text[CATALOG_SESSION_ID_TEXT_MAX];
    struct catalog__session_key key;
    catalog__keys_begin(r, keys);
    *out = empty(r);
    const char *bad = catalog_session_id_check(request->query_id, text, sizeof text);
    *why = NULL;
    if (bad) {
        char buf[CATALOG__TEXT_MAX];
        struct catalog__text t = catalog__text(buf, sizeof buf);
        catalog__say(&t, "failed prepared query lookup: ");
        catalog__say(&t, bad + sizeof "failed session lookup: " - 1);
        *why = mu__arena_strndup(catalog__scratch(r), t.p, t.len);
        return *why ? 0 : CATALOG_ENOMEM;
    }
    struct catalog__list one = catalog__list(r);
    const struct catalog_prepared_query *q = catalog__get_query(r->version, request->query_id);
    if (!catalog__keys_add(r, keys, CATALOG__WATCH_QUERY,
                           catalog__session_key(&key, request->query_id), false)) {
        return CATALOG_ENOMEM;
    }
    if (q) {
        catalog__list_add(&one, q);
    } else {
        *why = "Query not found";
    }
    bool failed = false;
    out->queries = catalog__list_end(&one, &failed);
    return failed ? CATALOG_ENOMEM : 0;
}

int catalog_query_prepared_queries(struct catalog_reader *r,
                                   const struct catalog_dc_request *request,
                                   struct catalog_indexed_prepared_queries *out,
                                   struct catalog_watch_keys *keys)
{
    (void)request;
    struct catalog__radix_iter it;
    struct catalog__list all = catalog__list(r);
    bool failed = false;
    catalog__keys_begin(r, keys);
    *out = empty(r);
    failed |= !catalog__keys_add_all(r, keys, CATALOG__WATCH_QUERY);
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__QUERIES, NULL, 0);
    catalog__list_walk(&all, &it, r->version, NULL, NULL);
    out->queries = catalog__list_end(&all, &failed);
    return failed ? CATALOG_ENOMEM : 0;
}

/* ---- Filled in ---- */

static int refuse(struct catalog_reader *r, const struct catalog__text *t, const char **why)
{
    *why = mu__arena_strndup(catalog__scratch(r), t->p, t->len);
    return *why ? 0 : CATALOG_ENOMEM;
}

/* By id, then by name, then by what the name starts with. */
static int resolve(struct catalog_reader *r, const struct catalog_query_execute_request *q,
                   struct catalog_prepared_query *out, const char **why)
{
    const struct catalog_prepared_query *found = NULL;
    struct mu_str wanted = q->query_id_or_name;
    *why = NULL;
    if (catalog__is_session_id(wanted)) {
        found = catalog__get_query(r->version, wanted);
        if (found && catalog__is_template(found)) {
            *why = "prepared query templates can only be resolved up by name, not by ID";
            return 0;
        }
    }
    found = found ? found : catalog__get_query_named(r->version, wanted);
    found = found ? found : catalog__get_query_template(r->version, wanted);
    if (!found) {
        *why = "Query not found";
        return 0;
    }
    *out = *found;
    if (!catalog__is_template(found)) {
        return 0;
    }
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    if (catalog__template_fill(out, wanted, q->agent.segment, &r->patterns, catalog__scratch(r),
                               &t)) {
        return 0;
    }
    return t.len ? refuse(r, &t, why) : CATALOG_ENOMEM;
}

int catalog_query_explain(struct catalog_reader *r,
                          const struct catalog_query_execute_request *request,
                          struct catalog_query_explain_response *out, const char **why)
{
    *out = (struct catalog_query_explain_response){.meta.index = 0};
    return resolve(r, request, &out->query, why);
}

/* ---- Carried out ---- */

static bool has(const struct mu_strs *list, struct mu_str s, bool any_case)
{
    for (size_t i = 0; i < list->len; i++) {
        if (any_case ? mu__str_ieq(list->items[i], s) : mu__str_eq(list->items[i], s)) {
            return true;
        }
    }
    return false;
}

static bool is_healthy(const struct catalog_check_service_node *n,
                       const struct catalog_service_query *q)
{
    for (size_t i = 0; i < n->checks.len; i++) {
        const struct catalog_check *k = n->checks.items[i];
        bool fails = mu__str_is(k->status, "critical") ||
                     (q->only_passing && !mu__str_is(k->status, "passing"));
        if (fails && !has(&q->ignore_check_ids, k->check_id, false)) {
            return false;
        }
    }
    return true;
}

static bool has_tags(const struct mu_strs *tags, const struct mu_strs *wanted)
{
    for (size_t i = 0; i < wanted->len; i++) {
        struct mu_str tag = wanted->items[i];
        bool is_not = tag.len > 0 && tag.p[0] == '!';
        tag = is_not ? (struct mu_str){tag.p + 1, tag.len - 1} : tag;
        if (has(tags, tag, true) == is_not) {
            return false;
        }
    }
    return true;
}

static bool has_pairs(const struct mu_strmap *map, const struct mu_strmap *wanted)
{
    const struct catalog_node as_node = {.meta = *map};
    return catalog__has_meta(&as_node, wanted);
}

static bool passes(const struct catalog_check_service_node *n,
                   const struct catalog_service_query *q)
{
    return is_healthy(n, q) && has_pairs(&n->node->meta, &q->node_meta) &&
           has_pairs(&n->service->meta, &q->service_meta) && has_tags(&n->service->tags, &q->tags);
}

static void filter(struct mu_list *nodes, const struct catalog_service_query *q)
{
    size_t kept = 0;
    for (size_t i = 0; i < nodes->len; i++) {
        if (passes(nodes->items[i], q)) {
            nodes->items[kept++] = nodes->items[i];
        }
    }
    nodes->len = kept;
}

static void shuffle(struct mu_list *nodes, uint64_t seed)
{
    struct mu__prng p;
    mu__prng_seed(&p, seed);
    for (size_t i = nodes->len; i > 1; i--) {
        size_t k = (size_t)mu__prng_below(&p, i);
        void *swap = nodes->items[i - 1];
        nodes->items[i - 1] = nodes->items[k];
        nodes->items[k] = swap;
    }
}

/* The first node with an address. */
static struct mu_str node_at(struct catalog_reader *r, struct mu_str ip, bool *failed)
{
    struct mu_str name = {NULL, 0};
    struct catalog__radix_iter it;
    catalog__below_address(&it, &r->catalog->allocator, r->version, CATALOG__NODES_BY_ADDRESS, ip);
    for (const struct catalog_node *n; !name.p && (n = catalog__radix_next(&it)) != NULL;) {
        name = mu__str_eq(n->address, ip) ? n->node : name;
    }
    *failed |= it.failed;
    catalog__radix_end(&it);
    return name;
}

/* The node that the others are to be near to; empty: none. */
static struct mu_str centre(struct catalog_reader *r, const struct catalog_query_execute_request *q,
                            struct mu_str near, bool *failed)
{
    struct mu_str node = q->source.node.len ? q->source.node : near;
    if (mu__str_is(node, "_ip")) {
        struct mu_str there = q->source.ip.len ? node_at(r, q->source.ip, failed) : q->source.ip;
        node = there.len ? there : q->agent.node;
    }
    return mu__str_is(node, "_agent") ? q->agent.node : node;
}

static struct mu_str node_of(const void *item)
{
    return ((const struct catalog_check_service_node *)item)->node->node;
}

/* The node itself comes first, whatever its coordinates say. */
static int sort(struct catalog_reader *r, struct mu_str node, struct mu_list *nodes)
{
    if (!node.len) {
        return 0;
    }
    int rc = catalog_sort_near(r, node, nodes, node_of);
    for (size_t i = 1; rc == 0 && i < nodes->len; i++) {
        if (mu__str_eq(node_of(nodes->items[i]), node)) {
            void *it = nodes->items[i];
            nodes->items[i] = nodes->items[0];
            nodes->items[0] = it;
            break;
        }
    }
    return rc;
}

int catalog_query_execute(struct catalog_reader *r,
                          const struct catalog_query_execute_request *request, uint64_t seed,
                          struct catalog_query_execute_response *out, const char **why)
{
    struct catalog_prepared_query q;
    *out = (struct catalog_query_execute_response){.meta.index = 0};
    int rc = resolve(r, request, &q, why);
    if (rc != 0 || *why) {
        return rc;
    }
    struct catalog_service_request find = {.datacenter = request->datacenter,
                                           .service_name = q.service.service,
                                           .connect = q.service.connect || request->connect};
    struct catalog_indexed_check_service_nodes found;
    bool failed = false;
    rc = catalog_query_check_service_nodes(r, &find, &found, NULL);
    if (rc != 0) {
        return rc;
    }
    filter(&found.nodes, &q.service);
    shuffle(&found.nodes, seed);
    rc = sort(r, centre(r, request, q.service.near, &failed), &found.nodes);
    if (request->limit > 0 && found.nodes.len > (uint64_t)request->limit) {
        found.nodes.len = (size_t)request->limit;
    }
    out->service = q.service.service;
    out->nodes = found.nodes;
    out->dns = q.dns;
    out->datacenter = request->datacenter;
    return failed ? CATALOG_ENOMEM : rc;
}
