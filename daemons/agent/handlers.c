/* What answers each endpoint of agent_endpoints.h, on the core loop. A reply is copied into the
 * call's arena: local state goes on changing while the front prints. */
#include "agent/agent_internal.h"

#include "agent/clone.h"
#include "agent/definitions.h"

#include <stdlib.h>
#include <string.h>

/* ---- Replies ---- */

static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

static void *clone(struct agent_call *ac, const struct mu__schema *s, const void *obj)
{
    return must(clone_into(&ac->call->arena, s, obj));
}

static void *make_reply(struct agent_call *ac)
{
    return ac->call->reply =
               must(mu__arena_calloc(&ac->call->arena, 1, ac->call->endpoint->reply->size));
}

static bool is_proxy(const struct catalog_node_service *s)
{
    return mu__str_eq(s->kind, mu__cstr("connect-proxy")) ||
           mu__str_eq(s->kind, mu__cstr("mesh-gateway")) ||
           mu__str_eq(s->kind, mu__cstr("ingress-gateway")) ||
           mu__str_eq(s->kind, mu__cstr("terminating-gateway"));
}

/* As the API shows a service, in the arena. */
static struct agent_service *show(struct agent_call *ac, const struct local_service *l)
{
    struct catalog_node_service *s = l->service;
    struct agent_service shown = {
        .kind = s->kind,
        .id = s->id,
        .service = s->service,
        .tags = s->tags,
        .meta = s->meta,
        .port = s->port,
        .address = s->address,
        .tagged_addresses = s->tagged_addresses,
        .weights = s->weights ? *s->weights : (struct catalog_weights){1, 1},
        .enable_tag_override = s->enable_tag_override,
        .proxy = is_proxy(s) ? &s->proxy : NULL,
        .connect = s->connect.native ? &s->connect : NULL,
    };
    return clone(ac, &agent_service_schema, &shown);
}

static struct mu_str own(struct agent_call *ac, struct mu_str s)
{
    return (struct mu_str){must(mu__arena_strndup(&ac->call->arena, s.p, s.len)), s.len};
}

static void sort_map(struct agent_call *ac, struct mu_structmap *m)
{
    if (!mu__sort_by_key(&ac->call->arena, m->items, &m->len, sizeof *m->items)) {
        abort();
    }
}

static void answer_services(struct agent_call *ac)
{
    struct local *l = &ac->agent->local;
    struct agent_services_reply *r = make_reply(ac);
    struct mu_structmap *m = &r->services;
    size_t at = 0;
    m->items = must(mu__arena_calloc(&ac->call->arena, l->services.count + 1, sizeof *m->items));
    for (const struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        if (!s->entry.deleted) {
            m->items[m->len++] = (struct mu_named){own(ac, s->entry.id), show(ac, s)};
        }
    }
    sort_map(ac, m);
    agent__finish(ac);
}

static void answer_checks(struct agent_call *ac)
{
    struct local *l = &ac->agent->local;
    struct agent_checks_reply *r = make_reply(ac);
    struct mu_structmap *m = &r->checks;
    size_t at = 0;
    m->items = must(mu__arena_calloc(&ac->call->arena, l->checks.count + 1, sizeof *m->items));
    for (const struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (!c->entry.deleted) {
            m->items[m->len++] = (struct mu_named){
                own(ac, c->entry.id), clone(ac, catalog_schema(CATALOG_CHECK), c->check)};
        }
    }
    sort_map(ac, m);
    agent__finish(ac);
}

/* ---- One service, perhaps not before it has changed ---- */

static struct mu_str content_hash(struct agent_call *ac, const struct agent_service *s)
{
    static const uint64_t seed[2] = {0x6d757374, 0x6572};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    char text[17];
    mu__json_value(&j, &agent_service_schema, s);
    if (w.failed) {
        abort();
    }
    snprintf(text, sizeof text, "%016llx", (unsigned long long)mu__siphash(seed, w.data, w.len));
    mu__writer_fini(&w);
    return own(ac, mu__cstr(text));
}

/* The service, if it is not what the caller knows. */
static bool look_at_service(struct agent_call *ac, bool anyway)
{
    const struct agent_service_request *q = ac->call->request;
    struct agent_service_reply *r = make_reply(ac);
    const struct local_service *s = local_service(&ac->agent->local, q->id);
    if (s) {
        r->service = show(ac, s);
        r->service->content_hash = content_hash(ac, r->service);
    }
    return anyway || !s || !q->hash.len || !mu__str_eq(r->service->content_hash, q->hash);
}

static void answer_service(struct agent_call *ac)
{
    const struct agent_service_request *q = ac->call->request;
    agent__answer_or_wait(ac, look_at_service, q->wait_ns);
}

/* ---- Health of a service ---- */

static bool starts_with(struct mu_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && !memcmp(s.p, prefix, n);
}

/* maintenance outdoes critical, that outdoes warning, that outdoes passing. */
static int severity(const struct catalog_check *c)
{
    if (mu__str_eq(c->check_id, mu__cstr("_node_maintenance")) ||
        starts_with(c->check_id, "_service_maintenance:")) {
        return 3;
    }
    return (int)check_status_parse(c->status);
}

static struct agent_service_health *health_of(struct agent_call *ac, const struct local_service *s)
{
    static const char *const words[] = {"passing", "warning", "critical", "maintenance"};
    const struct local *l = &ac->agent->local;
    struct agent_service_health *h = must(mu__arena_calloc(&ac->call->arena, 1, sizeof *h));
    int worst = 0;
    size_t at = 0;
    h->service = show(ac, s);
    h->checks.items =
        must(mu__arena_calloc(&ac->call->arena, l->checks.count + 1, sizeof *h->checks.items));
    for (const struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (!c->entry.deleted &&
            (!c->check->service_id.len || mu__str_eq(c->check->service_id, s->entry.id))) {
            struct catalog_check *copy = clone(ac, catalog_schema(CATALOG_CHECK), c->check);
            copy->type = mu__cstr("");
            h->checks.items[h->checks.len++] = copy;
            worst = severity(copy) > worst ? severity(copy) : worst;
        }
    }
    h->aggregated_status = mu__cstr(words[worst]);
    return h;
}

static int by_id(const void *a, const void *b)
{
    const struct agent_service_health *const *x = a, *const *y = b;
    return mu__str_cmp((*x)->service->id, (*y)->service->id);
}

static void answer_service_health(struct agent_call *ac)
{
    const struct agent_service_health_request *q = ac->call->request;
    const struct local *l = &ac->agent->local;
    struct agent_service_health_reply *r = make_reply(ac);
    size_t at = 0;
    r->instances.items =
        must(mu__arena_calloc(&ac->call->arena, l->services.count + 1, sizeof *r->instances.items));
    for (const struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        bool meant = !s->entry.deleted && (q->id.len ? mu__str_eq(q->id, s->entry.id)
                                                     : mu__str_eq(q->name, s->service->service));
        if (meant) {
            r->instances.items[r->instances.len++] = health_of(ac, s);
        }
    }
    qsort(r->instances.items, r->instances.len, sizeof *r->instances.items, by_id);
    agent__finish(ac);
}

/* ---- Changes: answered when they are on disk ---- */

static void on_saved(void *arg, const char *error)
{
    struct agent_call *ac = arg;
    if (error) {
        agent__fail(ac, "failed to persist: %s", error);
    } else {
        agent__finish(ac);
    }
}

static void answer_when_saved(struct agent_call *ac, bool ok, const char *err)
{
    if (ok) {
        persist_sync(ac->agent->local.persist, on_saved, ac);
    } else {
        agent__fail(ac, "%s", err);
    }
}

static void register_service(struct agent_call *ac)
{
    struct agent_register_service_request *q = ac->call->request;
    char err[LOCAL_ERROR_MAX];
    bool ok = definition_check_service(&q->service, &ac->call->arena, err, sizeof err) &&
              local_add_service(&ac->agent->local, &q->service, q->token,
                                q->replace_existing_checks, SOURCE_REMOTE, err, sizeof err);
    answer_when_saved(ac, ok, err);
}

static void deregister_service(struct agent_call *ac)
{
    const struct agent_deregister_service_request *q = ac->call->request;
    local_remove_service(&ac->agent->local, q->id);
    answer_when_saved(ac, q->id.len > 0, "ServiceID missing");
}

static void register_check(struct agent_call *ac)
{
    struct agent_register_check_request *q = ac->call->request;
    char err[LOCAL_ERROR_MAX];
    bool ok =
        definition_check_check(&q->check, err, sizeof err) &&
        local_add_check(&ac->agent->local, &q->check, q->token, SOURCE_REMOTE, err, sizeof err);
    answer_when_saved(ac, ok, err);
}

static void deregister_check(struct agent_call *ac)
{
    const struct agent_deregister_check_request *q = ac->call->request;
    local_remove_check(&ac->agent->local, q->id);
    answer_when_saved(ac, q->id.len > 0, "CheckID missing");
}

/* Not waited for on disk: a report is the most frequent thing that happens to an agent, and soon
 * outdated. */
static void update_check(struct agent_call *ac)
{
    const struct agent_update_check_request *q = ac->call->request;
    char err[LOCAL_ERROR_MAX];
    if (!definition_is_status(q->status)) {
        agent__fail(ac, "Invalid check status: '%.*s'", (int)q->status.len, q->status.p);
    } else if (!local_update_check(&ac->agent->local, q->id, check_status_parse(q->status),
                                   q->output, err, sizeof err)) {
        agent__fail(ac, "%s", err);
    } else {
        agent__finish(ac);
    }
}

static void maintenance(struct agent_call *ac)
{
    const struct agent_maintenance_request *q = ac->call->request;
    char err[LOCAL_ERROR_MAX];
    bool ok = local_set_maintenance(&ac->agent->local, q->service_id, q->enable, q->reason,
                                    q->token, err, sizeof err);
    answer_when_saved(ac, ok, err);
}

/* ---- What the node answers ---- */

static void answer_self(struct agent_call *ac)
{
    const struct agent *a = ac->agent;
    const struct config *c = a->config;
    struct agent_self *r = make_reply(ac);
    r->config = (struct agent_self_config){
        .datacenter = c->datacenter,
        .node_name = c->node_name,
        .node_id = {a->node_id, 36},
        .revision = mu__cstr(""),
        .server = c->server,
        .version = mu__cstr("1.8.7"), /* whose API this is */
    };
    r->meta = c->node_meta;
    if (a->given.node.self) {
        a->given.node.self(a->given.node.user, r, &ac->call->arena);
    }
    ac->call->reply = clone(ac, &agent_self_schema, r);
    agent__finish(ac);
}

static void answer_members(struct agent_call *ac)
{
    const struct agent_node *node = &ac->agent->given.node;
    const struct agent_members_request *q = ac->call->request;
    struct agent_members_reply *r = make_reply(ac);
    struct mu_list list = {NULL, 0};
    if (node->members) {
        list = node->members(node->user, q->wan, &ac->call->arena);
    }
    if (list.items) { /* otherwise there is no such pool: null */
        void **items = must(mu__arena_calloc(&ac->call->arena, list.len + 1, sizeof *items));
        for (size_t i = 0; i < list.len; i++) {
            items[i] = clone(ac, &agent_member_schema, list.items[i]);
        }
        r->members = (struct mu_list){items, list.len};
    }
    agent__finish(ac);
}

static void on_node_done(void *arg, const char *error)
{
    struct agent_call *ac = arg;
    if (error) {
        agent__fail(ac, "%s", error);
    } else {
        agent__finish(ac);
    }
}

static void join(struct agent_call *ac)
{
    const struct agent_node *node = &ac->agent->given.node;
    const struct agent_join_request *q = ac->call->request;
    if (node->join) {
        node->join(node->user, q->address, q->wan, on_node_done, ac);
    } else {
        agent__fail(ac, "join is not supported");
    }
}

static void leave(struct agent_call *ac)
{
    const struct agent_node *node = &ac->agent->given.node;
    if (node->leave) {
        node->leave(node->user, on_node_done, ac);
    } else {
        agent__fail(ac, "leave is not supported");
    }
}

static void force_leave(struct agent_call *ac)
{
    const struct agent_node *node = &ac->agent->given.node;
    const struct agent_force_leave_request *q = ac->call->request;
    if (node->force_leave) {
        node->force_leave(node->user, q->node, q->prune, on_node_done, ac);
    } else {
        agent__fail(ac, "force-leave is not supported");
    }
}

static void reload(struct agent_call *ac)
{
    const struct agent_node *node = &ac->agent->given.node;
    if (node->reload) {
        node->reload(node->user, on_node_done, ac);
    } else {
        agent__fail(ac, "reload is not supported");
    }
}

/* ---- Which is which ---- */

void agent__handle(struct agent_call *ac)
{
    static const struct {
        const struct endpoint *endpoint;
        void (*handle)(struct agent_call *ac);
    } handlers[] = {
        {&endpoint_agent_self, answer_self},
        {&endpoint_agent_members, answer_members},
        {&endpoint_agent_services, answer_services},
        {&endpoint_agent_service, answer_service},
        {&endpoint_agent_checks, answer_checks},
        {&endpoint_agent_service_health, answer_service_health},
        {&endpoint_agent_register_service, register_service},
        {&endpoint_agent_deregister_service, deregister_service},
        {&endpoint_agent_register_check, register_check},
        {&endpoint_agent_deregister_check, deregister_check},
        {&endpoint_agent_update_check, update_check},
        {&endpoint_agent_maintenance, maintenance},
        {&endpoint_agent_events, agent__list_events},
        {&endpoint_agent_connect_leaf, agent__connect_leaf},
        {&endpoint_agent_join, join},
        {&endpoint_agent_leave, leave},
        {&endpoint_agent_force_leave, force_leave},
        {&endpoint_agent_reload, reload},
    };
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (handlers[i].endpoint == ac->call->endpoint) {
            handlers[i].handle(ac);
            return;
        }
    }
    agent__fail(ac, "unknown endpoint %s", ac->call->endpoint->method);
}
