/* model_config.c - config entries, prepared queries, and what follows from entries and instances
 * for gateways: made anew from all there is, each time. */
#include "model.h"

#include <strings.h>

static const struct mu_allocator *const heap = &mu__malloc_allocator;

static void *copy(const struct mu__schema *s, const void *record)
{
    void *clone = mu__schema_clone(s, record, heap);
    assert_non_null(clone);
    return clone;
}

/* ---- Config entries ---- */

const struct catalog_config_entry *model_find_config(const struct model *m, struct mu_str kind,
                                                     struct mu_str name)
{
    for (size_t i = 0; i < m->config.n; i++) {
        const struct catalog_config_entry *e = m->config.items[i];
        if (mu__str_eq(e->kind, kind) && mu__str_ieq(e->name, name)) {
            return e;
        }
    }
    return NULL;
}

static void remove_config(struct model *m, struct mu_str kind, struct mu_str name)
{
    for (size_t i = m->config.n; i-- > 0;) {
        if (m->config.items[i] == model_find_config(m, kind, name)) {
            model_drop(&m->config, i);
            return;
        }
    }
}

static void *room_alloc(void *user, size_t size)
{
    return mu__arena_alloc(user, size);
}

static void room_free(void *user, void *p)
{
    (void)user, (void)p;
}

void model_config(struct model *m, uint64_t index, const struct catalog_config_request *r)
{
    struct mu__arena a;
    char text[256];
    union {
        struct catalog_config_entry head;
        char room[1024];
    } e;
    const struct mu__schema *s = catalog_config_schema(r->kind);
    struct mu__reader in = mu__reader(r->entry.p, r->entry.len);
    const struct mu_allocator room = {&a, room_alloc, NULL, room_free};
    mu__arena_init(&a, NULL, 0);
    assert_true(s->size <= sizeof e);
    assert_true(mu__schema_decode(s, &in, &a, false, &e));
    e.head.kind = r->kind;
    if (mu__str_eq(r->op, S(CATALOG_CONFIG_DELETE))) {
        remove_config(m, e.head.kind, e.head.name);
    } else {
        assert_null(catalog_config_prepare(r->kind, &e.head, &room, text, sizeof text));
        const struct catalog_config_entry *before = model_find_config(m, e.head.kind, e.head.name);
        e.head.create_index = before ? before->create_index : index;
        e.head.modify_index = index;
        void *record = copy(s, &e);
        remove_config(m, e.head.kind, e.head.name);
        model_append(&m->config, record);
    }
    mu__arena_fini(&a);
}

/* ---- Prepared queries ---- */

void model_query(struct model *m, uint64_t index, const struct catalog_prepared_query_request *r)
{
    struct catalog_prepared_query q = *r->query;
    q.create_index = q.modify_index = index;
    for (size_t i = m->queries.n; i-- > 0;) {
        const struct catalog_prepared_query *before = m->queries.items[i];
        if (mu__str_ieq(before->id, q.id)) {
            q.create_index = before->create_index;
            model_drop(&m->queries, i);
        }
    }
    if (!mu__str_eq(r->op, S("delete"))) {
        model_append(&m->queries, copy(catalog_schema(CATALOG_PREPARED_QUERY), &q));
    }
}

void model_end_queries(struct model *m, struct mu_str session)
{
    for (size_t i = m->queries.n; i-- > 0;) {
        if (mu__str_ieq(((struct catalog_prepared_query *)m->queries.items[i])->session, session)) {
            model_drop(&m->queries, i);
        }
    }
}

/* ---- Gateways ---- */

static bool is_pair(const struct catalog_gateway_service *a,
                    const struct catalog_gateway_service *b)
{
    return mu__str_ieq(a->gateway.name, b->gateway.name) &&
           mu__str_ieq(a->service.name, b->service.name) && a->port == b->port;
}

/* A pair with its indexes, in the place of one that stands there. */
static void set_pair(struct model_list *l, const struct model_list *before,
                     struct catalog_gateway_service s, uint64_t index)
{
    const struct mu__schema *schema = catalog_gateway_service_schema();
    s.create_index = s.modify_index = index;
    for (size_t i = 0; i < before->n; i++) {
        const struct catalog_gateway_service *b = before->items[i];
        if (is_pair(b, &s)) {
            s.create_index = b->create_index;
            s.modify_index = b->modify_index;
            s.modify_index = mu__schema_equal(schema, b, &s) ? b->modify_index : index;
        }
    }
    void *record = copy(schema, &s);
    for (size_t i = l->n; i-- > 0;) {
        if (is_pair(l->items[i], &s)) {
            model_drop(l, i);
        }
    }
    model_append(l, record);
}

static int before_node(const struct model_instance *a, const struct model_instance *b)
{
    int c = strcasecmp(a->node, b->node);
    char x[32], y[32];
    snprintf(x, sizeof x, "%.*s", (int)a->service->id.len, a->service->id.p);
    snprintf(y, sizeof y, "%.*s", (int)b->service->id.len, b->service->id.p);
    return c ? c < 0 : strcasecmp(x, y) < 0;
}

static bool is_plain(const struct model_instance *x)
{
    return x->service->kind.len == 0 && !mu__str_eq(x->service->service, S("consul")) &&
           !mu__str_eq(x->service->service, S("*"));
}

/* All plain services, spelled as the first instance of each is. */
static void set_all(const struct model *m, struct model_list *l,
                    struct catalog_gateway_service wildcard, uint64_t index)
{
    wildcard.from_wildcard = true;
    for (size_t i = 0; i < m->ninstances; i++) {
        const struct model_instance *first = &m->instances[i];
        for (size_t k = 0; k < m->ninstances; k++) {
            const struct model_instance *x = &m->instances[k];
            if (is_plain(x) && mu__str_ieq(x->service->service, first->service->service) &&
                (!is_plain(first) || before_node(x, first))) {
                first = x;
            }
        }
        wildcard.service.name = first->service->service;
        if (is_plain(first)) {
            set_pair(l, &m->gateways, wildcard, index);
        }
    }
}

static void set_one(const struct model *m, struct model_list *l,
                    const struct catalog_gateway_service *s, bool wildcards, uint64_t index)
{
    bool is_all = mu__str_eq(s->service.name, S("*"));
    if (is_all && wildcards) {
        set_all(m, l, *s, index);
    } else if (!is_all && !wildcards) {
        set_pair(l, &m->gateways, *s, index);
    }
}

static void set_ingress(const struct model *m, struct model_list *l,
                        const struct catalog_ingress_gateway *e, bool wildcards, uint64_t index)
{
    for (size_t i = 0; i < e->listeners.len; i++) {
        const struct catalog_ingress_listener *at = e->listeners.items[i];
        for (size_t k = 0; k < at->services.len; k++) {
            const struct catalog_ingress_service *to = at->services.items[k];
            const struct catalog_gateway_service s = {.gateway.name = e->head.name,
                                                      .service.name = to->name,
                                                      .gateway_kind = e->head.kind,
                                                      .port = at->port,
                                                      .protocol = at->protocol,
                                                      .hosts = to->hosts};
            set_one(m, l, &s, wildcards, index);
        }
    }
}

static void set_terminating(const struct model *m, struct model_list *l,
                            const struct catalog_terminating_gateway *e, bool wildcards,
                            uint64_t index)
{
    for (size_t i = 0; i < e->services.len; i++) {
        const struct catalog_linked_service *to = e->services.items[i];
        const struct catalog_gateway_service s = {.gateway.name = e->head.name,
                                                  .service.name = to->name,
                                                  .gateway_kind = e->head.kind,
                                                  .ca_file = to->ca_file,
                                                  .cert_file = to->cert_file,
                                                  .key_file = to->key_file,
                                                  .sni = to->sni};
        set_one(m, l, &s, wildcards, index);
    }
}

void model_follow_gateways(struct model *m, uint64_t index)
{
    struct model_list l = {.n = 0};
    for (int named = 0; named < 2; named++) { /* what is named takes the place of "*" */
        for (size_t i = 0; i < m->config.n; i++) {
            const struct catalog_config_entry *e = m->config.items[i];
            if (mu__str_eq(e->kind, S("ingress-gateway"))) {
                set_ingress(m, &l, m->config.items[i], !named, index);
            } else if (mu__str_eq(e->kind, S("terminating-gateway"))) {
                set_terminating(m, &l, m->config.items[i], !named, index);
            }
        }
    }
    while (m->gateways.n) {
        model_drop(&m->gateways, 0);
    }
    m->gateways = l;
}

/* ---- Virtual addresses ---- */

static bool is_target(const struct model *m, struct mu_str service)
{
    for (size_t i = 0; i < m->ninstances; i++) {
        const struct catalog_node_service *s = m->instances[i].service;
        if (mu__str_eq(s->kind, S("connect-proxy")) &&
            mu__str_ieq(s->proxy.destination_service_name, service)) {
            return true;
        }
    }
    return false;
}

int model_virtual(const struct model *m, struct mu_str service)
{
    for (int i = 0; i < (int)MODEL_MAX; i++) {
        if (m->virtual[i][0] && mu__str_ieq(mu__cstr(m->virtual[i]), service)) {
            return i;
        }
    }
    return -1;
}

void model_follow_virtual(struct model *m)
{
    for (size_t i = 0; i < m->ninstances; i++) {
        struct mu_str service = m->instances[i].service->proxy.destination_service_name;
        if (is_target(m, service) && model_virtual(m, service) < 0) {
            size_t lowest = 0;
            while (m->virtual[lowest][0]) {
                lowest++;
            }
            snprintf(m->virtual[lowest], sizeof *m->virtual, "%.*s", (int)service.len, service.p);
        }
    }
    for (size_t i = 0; i < MODEL_MAX; i++) {
        if (!is_target(m, mu__cstr(m->virtual[i]))) {
            m->virtual[i][0] = '\0';
        }
    }
}
