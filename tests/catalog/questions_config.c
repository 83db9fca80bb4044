/* questions_config.c - questions about config entries, gateways and prepared queries. */
#include "questions.h"

#include <stdlib.h>

/* ---- The lists ---- */

/* "kind/name" */
static struct mu_str kind_of(const struct question *q)
{
    return (struct mu_str){q->about, strcspn(q->about, "/")};
}

static struct mu_str name_of(const struct question *q)
{
    return mu__cstr(strchr(q->about, '/') + 1);
}

static void put_entry(struct mu__writer *w, const struct catalog_config_entry *e)
{
    if (e) {
        question_put_str(w, e->kind);
        mu__schema_encode(catalog_config_schema(e->kind), e, w);
    }
}

static void put_entries(const struct model *m, struct mu_str kind, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->config.n; i++) {
        const struct catalog_config_entry *e = m->config.items[i];
        if (kind.len == 0 || mu__str_eq(e->kind, kind)) {
            all[n++] = (struct sorted){e->kind, e->name, e, NULL};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        put_entry(w, all[i].record);
    }
}

static void put_pair(struct mu__writer *w, const struct catalog_gateway_service *s)
{
    mu__schema_encode(catalog_gateway_service_schema(), s, w);
}

static void put_named(const struct model *m, struct mu_str service, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)service.len, service.p);
    size_t n = question_instances(m, name, false, all);
    for (size_t i = 0; i < n; i++) {
        question_put_instance(m, all[i].instance, w);
    }
}

/* In these histories nothing but a service's own defaults says what it speaks. */
static bool is_spoken(const struct model *m, const struct catalog_gateway_service *s)
{
    const struct catalog_service_defaults *d =
        (const void *)model_find_config(m, S("service-defaults"), s->service.name);
    return s->protocol.len == 0 || mu__str_eq(s->protocol, d ? d->protocol : S("tcp"));
}

static int by_port(const void *x, const void *y)
{
    const struct sorted *a = x, *b = y;
    const struct catalog_gateway_service *s = a->record, *t = b->record;
    int c = question_by_names(x, y);
    return c ? c
             : (s->port > t->port) -
                   (s->port < t->port); /* 0, 80, 90: in the order of their keys */
}

static void put_behind(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->gateways.n; i++) {
        const struct catalog_gateway_service *s = m->gateways.items[i];
        if (mu__str_ieq(s->gateway.name, mu__cstr(q->about)) && is_spoken(m, s)) {
            all[n++] = (struct sorted){s->service.name, {NULL, 0}, s, NULL};
        }
    }
    qsort(all, n, sizeof *all, by_port);
    for (size_t i = 0; i < n; i++) {
        const struct catalog_gateway_service *s = all[i].record;
        put_pair(w, s);
        if (q->kind == DUMP) {
            put_named(m, s->service.name, w);
        }
    }
}

void question_put_gateways(const struct model *m, const char *service, struct mu_str kind,
                           struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->gateways.n; i++) {
        const struct catalog_gateway_service *s = m->gateways.items[i];
        if (mu__str_eq(s->gateway_kind, kind) && mu__str_ieq(s->service.name, mu__cstr(service))) {
            all[n++] = (struct sorted){s->gateway.name, {NULL, 0}, s, NULL};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !mu__str_ieq(all[i].a, all[i - 1].a)) {
            put_named(m, all[i].a, w);
        }
    }
}

static void put_queries(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->queries.n; i++) {
        const struct catalog_prepared_query *x = m->queries.items[i];
        if (q->kind == PREPARED_ALL || mu__str_ieq(x->id, mu__cstr(q->about))) {
            all[n++] = (struct sorted){x->id, {NULL, 0}, x, NULL};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        question_put(w, CATALOG_PREPARED_QUERY, all[i].record);
    }
}

/* How well a query answers to a name: by its id, its name, or as a template by what it begins
 * with. */
static size_t fitness(const struct catalog_prepared_query *q, struct mu_str name)
{
    struct mu_str head = {name.p, mu__min(name.len, q->name.len)};
    if (mu__str_ieq(q->id, name)) {
        return 1001;
    }
    if (q->template_.type.len) {
        return mu__str_ieq(head, q->name) ? 1 + head.len : 0;
    }
    return q->name.len && mu__str_ieq(q->name, name) ? 1000 : 0;
}

static void put_explained(const struct model *m, struct mu_str name, struct mu__writer *w)
{
    const struct catalog_prepared_query *best = NULL;
    for (size_t i = 0; i < m->queries.n; i++) {
        const struct catalog_prepared_query *x = m->queries.items[i];
        size_t fits = fitness(x, name);
        if (fits && (!best || fits > fitness(best, name))) {
            best = x;
        }
    }
    /* A template is asked for by name alone */
    if (best && !(best->template_.type.len && mu__str_ieq(best->id, name))) {
        question_put_str(w, best->id);
        question_put_str(w, best->service.service);
    }
}

void question_of_model(const struct model *m, const struct question *q, struct mu__writer *w)
{
    switch (q->kind) {
    case CONFIG:
        put_entry(w, model_find_config(m, kind_of(q), name_of(q)));
        break;
    case CONFIGS:
        put_entries(m, mu__cstr(q->about), w);
        break;
    case GATEWAY:
    case DUMP:
        put_behind(m, q, w);
        break;
    case INGRESS:
        question_put_gateways(m, q->about, S("ingress-gateway"), w);
        break;
    case EXPLAIN:
        put_explained(m, mu__cstr(q->about), w);
        break;
    default:
        put_queries(m, q, w);
        break;
    }
}

/* ---- The catalog ---- */

#define ASK(query, request, reply) assert_int_equal(query(r, request, reply, keys), 0)

static uint64_t ask_config(struct catalog_reader *r, const struct question *q, struct mu__writer *w,
                           struct catalog_watch_keys *keys)
{
    struct catalog_config_query request = {.kind = mu__cstr(q->about)};
    struct catalog_config_reply one;
    struct catalog_indexed_config_entries all;
    if (q->kind == CONFIG) {
        request.kind = kind_of(q);
        request.name = name_of(q);
        ASK(catalog_query_config_entry, &request, &one);
        put_entry(w, one.entry);
        return one.meta.index;
    }
    ASK(catalog_query_config_entries, &request, &all);
    for (size_t i = 0; i < all.entries.len; i++) {
        put_entry(w, all.entries.items[i]);
    }
    return all.meta.index;
}

static void put_whole(struct mu__writer *w, const struct catalog_node *node,
                      const struct catalog_node_service *service, const struct mu_list *checks)
{
    question_put(w, CATALOG_NODE, node);
    question_put(w, CATALOG_NODE_SERVICE, service);
    question_put_all(w, CATALOG_CHECK, checks);
}

static uint64_t ask_dump(struct catalog_reader *r, const struct catalog_service_request *request,
                         struct mu__writer *w, struct catalog_watch_keys *keys)
{
    struct catalog_indexed_service_dump out;
    const struct catalog_gateway_service *last = NULL;
    ASK(catalog_query_gateway_service_dump, request, &out);
    for (size_t i = 0; i < out.dump.len; i++) {
        const struct catalog_service_info *info = out.dump.items[i];
        if (info->gateway_service != last) {
            put_pair(w, info->gateway_service);
            last = info->gateway_service;
        }
        if (info->node) {
            put_whole(w, info->node, info->service, &info->checks);
        }
    }
    return out.meta.index;
}

static uint64_t ask_gateway(struct catalog_reader *r, const struct question *q,
                            struct mu__writer *w, struct catalog_watch_keys *keys)
{
    struct catalog_service_request request = {.service_name = mu__cstr(q->about),
                                              .ingress = q->kind == INGRESS};
    struct catalog_indexed_gateway_services pairs;
    struct catalog_indexed_check_service_nodes whole;
    if (q->kind == DUMP) {
        return ask_dump(r, &request, w, keys);
    }
    if (q->kind == GATEWAY) {
        ASK(catalog_query_gateway_services, &request, &pairs);
        for (size_t i = 0; i < pairs.services.len; i++) {
            put_pair(w, pairs.services.items[i]);
        }
        return pairs.meta.index;
    }
    ASK(catalog_query_check_service_nodes, &request, &whole);
    for (size_t i = 0; i < whole.nodes.len; i++) {
        const struct catalog_check_service_node *x = whole.nodes.items[i];
        put_whole(w, x->node, x->service, &x->checks);
    }
    return whole.meta.index;
}

static uint64_t ask_query(struct catalog_reader *r, const struct question *q, struct mu__writer *w,
                          struct catalog_watch_keys *keys)
{
    struct catalog_prepared_query_get_request one = {.query_id = mu__cstr(q->about)};
    struct catalog_dc_request all = {.datacenter = S("")};
    struct catalog_query_execute_request named = {.query_id_or_name = mu__cstr(q->about)};
    struct catalog_indexed_prepared_queries out;
    struct catalog_query_explain_response explained;
    const char *why;
    if (q->kind == EXPLAIN) {
        assert_int_equal(catalog_query_explain(r, &named, &explained, &why), 0);
        if (!why) {
            question_put_str(w, explained.query.id);
            question_put_str(w, explained.query.service.service);
        }
        return 0;
    }
    if (q->kind == PREPARED_ALL) {
        ASK(catalog_query_prepared_queries, &all, &out);
    } else {
        assert_int_equal(catalog_query_prepared_query(r, &one, &out, keys, &why), 0);
    }
    question_put_all(w, CATALOG_PREPARED_QUERY, &out.queries);
    return out.meta.index;
}

uint64_t question_of_catalog(struct catalog_reader *r, const struct question *q,
                             struct mu__writer *w, struct catalog_watch_keys *keys)
{
    switch (q->kind) {
    case CONFIG:
    case CONFIGS:
        return ask_config(r, q, w, keys);
    case GATEWAY:
    case INGRESS:
    case DUMP:
        return ask_gateway(r, q, w, keys);
    default:
        return ask_query(r, q, w, keys);
    }
}
