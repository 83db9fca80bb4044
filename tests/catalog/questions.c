/* questions.c - the questions of model.h, answered by the lists and by a catalog. */
#include "questions.h"

#include <stdlib.h>

static const struct question questions[] = {
    {INSTANCES, "web"},
    {INSTANCES, "db"},
    {INSTANCES, "nosuch"},
    {CONNECT, "web"},
    {CONNECT, "db"},
    {SERVICE_NODES, "web"},
    {SERVICE_NODES, "db"},
    {SERVICE_CHECKS, "web"},
    {SERVICE_CHECKS, "db"},
    {SERVICE_CHECKS, "nosuch"},
    {IN_STATE, "any"},
    {IN_STATE, "passing"},
    {IN_STATE, "critical"},
    {IN_STATE, "warning"},
    {NODE_SERVICES, "n1"},
    {NODE_SERVICES, "N2"},
    {NODE_SERVICES, "n3"},
    {NODE_SERVICES, "aaaaaaaa"},
    {NODE_CHECKS, "n1"},
    {NODE_CHECKS, "n2"},
    {NODE_CHECKS, "n3"},
    {KEY, "a/b"},
    {KEY, "a/missing"},
    {KEY, "b"},
    {KEY, "a"},
    {TREE, ""},
    {TREE, "a/"},
    {TREE, "a/b/"},
    {TREE, "a"},
    {NAMES, ""},
    {NAMES, "a/"},
    {NODES, ""},
    {SERVICES, ""},
    {SESSIONS, ""},
    {SESSION, "bbbbbbbb-0000-0000-0000-000000000001"},
    {SESSION, "bbbbbbbb-0000-0000-0000-000000000002"},
    {SESSION, "bbbbbbbb-0000-0000-0000-000000000003"},
    {NODE_SESSIONS, "n1"},
    {NODE_SESSIONS, "n2"},
    {NODE_SESSIONS, "n3"},
    {COORDINATES, ""},
    {COORDINATE, "n1"},
    {COORDINATE, "n2"},
    {AUTOPILOT, ""},
    {NODE_CHECKS, "nosuch"},
    {CONFIG, "service-defaults/web"},
    {CONFIG, "service-splitter/db"},
    {CONFIG, "ingress-gateway/ing"},
    {CONFIG, "terminating-gateway/nosuch"},
    {CONFIGS, "service-defaults"},
    {CONFIGS, "terminating-gateway"},
    {CONFIGS, ""},
    {GATEWAY, "ing"},
    {GATEWAY, "TGW"},
    {GATEWAY, "nosuch"},
    {INGRESS, "web"},
    {INGRESS, "db"},
    {DUMP, "ing"},
    {DUMP, "tgw"},
    {PREPARED, RANDOM_QUERY "1"},
    {PREPARED, RANDOM_QUERY "2"},
    {PREPARED_ALL, ""},
    {EXPLAIN, "q"},
    {EXPLAIN, "q-long"},
    {EXPLAIN, RANDOM_QUERY "3"},
    {NODES_AT, "1"},
    {NODES_AT, "2"},
    {INSTANCES_AT, "s"},
    {INSTANCES_AT, "S"},
    {VIRTUAL, "web"},
    {VIRTUAL, "DB"},
    {INTENTIONS, ">"},
    {INTENTIONS, "web>"},
    {INTENTIONS, ">db"},
    {INTENTIONS, ">nosuch"},
    {VERDICT, "web>db"},
    {VERDICT, "Web>DB"},
    {VERDICT, "nosuch>web"},
};
_Static_assert(sizeof questions / sizeof *questions == QUESTIONS, "each has its line");

void question_text(int q, char *out, size_t size)
{
    static const char *const names[] = {"instances of",
                                        "connect to",
                                        "nodes of service",
                                        "checks of service",
                                        "checks in state",
                                        "services of",
                                        "checks of",
                                        "key",
                                        "keys below",
                                        "names below",
                                        "nodes",
                                        "services",
                                        "sessions",
                                        "session",
                                        "sessions of",
                                        "coordinates",
                                        "where is",
                                        "autopilot",
                                        "config entry",
                                        "config entries of kind",
                                        "services behind",
                                        "ingress to",
                                        "instances behind",
                                        "query",
                                        "queries",
                                        "explanation of",
                                        "nodes at",
                                        "instances at",
                                        "virtual address of",
                                        "intentions",
                                        "verdict about"};
    snprintf(out, size, "%s %s", names[questions[q].kind], questions[q].about);
}

void question_put(struct mu__writer *w, enum catalog_type t, const void *record)
{
    mu__schema_encode(catalog_schema(t), record, w);
}

void question_put_str(struct mu__writer *w, struct mu_str s)
{
    mu__write_u32be(w, (uint32_t)s.len);
    mu__write_bytes(w, s.p, s.len);
}

void question_put_all(struct mu__writer *w, enum catalog_type t, const struct mu_list *l)
{
    for (size_t i = 0; i < l->len; i++) {
        question_put(w, t, l->items[i]);
    }
}

/* ---- The lists ---- */

static int fold(struct mu_str x, struct mu_str y)
{
    for (size_t i = 0; i < x.len && i < y.len; i++) {
        int a = x.p[i] >= 'A' && x.p[i] <= 'Z' ? x.p[i] + 32 : (unsigned char)x.p[i];
        int b = y.p[i] >= 'A' && y.p[i] <= 'Z' ? y.p[i] + 32 : (unsigned char)y.p[i];
        if (a != b) {
            return a - b;
        }
    }
    return (x.len > y.len) - (x.len < y.len);
}

int question_by_names(const void *x, const void *y)
{
    const struct sorted *a = x, *b = y;
    int c = fold(a->a, b->a);
    return c ? c : fold(a->b, b->b);
}

static int by_bytes(const void *x, const void *y)
{
    return mu__str_cmp(((const struct sorted *)x)->a, ((const struct sorted *)y)->a);
}

static int by_both_bytes(const void *x, const void *y)
{
    int c = by_bytes(x, y);
    return c ? c : mu__str_cmp(((const struct sorted *)x)->b, ((const struct sorted *)y)->b);
}

static bool is_instance_of(const struct model_instance *x, const char *name, bool connect)
{
    const struct catalog_node_service *s = x->service;
    if (!connect) {
        return mu__str_ieq(s->service, mu__cstr(name));
    }
    return mu__str_eq(s->kind, S("connect-proxy")) &&
           mu__str_ieq(s->proxy.destination_service_name, mu__cstr(name));
}

size_t question_instances(const struct model *m, const char *name, bool connect,
                          struct sorted out[MODEL_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < m->ninstances; i++) {
        const struct model_instance *x = &m->instances[i];
        if (is_instance_of(x, name, connect)) {
            out[n++] = (struct sorted){mu__cstr(x->node), x->service->id, NULL, x};
        }
    }
    qsort(out, n, sizeof *out, question_by_names);
    return n;
}

static const struct catalog_node *node_named(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->nodes.n; i++) {
        const struct catalog_node *n = m->nodes.items[i];
        if (mu__str_ieq(n->node, mu__cstr(name))) {
            return n;
        }
    }
    return NULL;
}

/* Checks that a question takes, by node and id. */
static bool takes(const struct catalog_check *k, const struct question *q)
{
    struct mu_str about = mu__cstr(q->about);
    return q->kind == SERVICE_CHECKS ? mu__str_ieq(k->service_name, about)
           : q->kind == NODE_CHECKS  ? mu__str_ieq(k->node, about)
                                     : mu__str_eq(about, S("any")) || mu__str_eq(k->status, about);
}

static void put_checks(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->checks.n; i++) {
        const struct catalog_check *k = m->checks.items[i];
        if (takes(k, q)) {
            all[n++] = (struct sorted){k->node, k->check_id, k, NULL};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        question_put(w, CATALOG_CHECK, all[i].record);
    }
}

static void put_checks_of(const struct model *m, const char *node, struct mu_str service,
                          struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->checks.n; i++) {
        const struct catalog_check *k = m->checks.items[i];
        if (mu__str_ieq(k->node, mu__cstr(node)) && mu__str_ieq(k->service_id, service)) {
            all[n++] = (struct sorted){k->check_id, {NULL, 0}, k, NULL};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        question_put(w, CATALOG_CHECK, all[i].record);
    }
}

void question_put_instance(const struct model *m, const struct model_instance *x,
                           struct mu__writer *w)
{
    question_put(w, CATALOG_NODE, node_named(m, x->node));
    question_put(w, CATALOG_NODE_SERVICE, x->service);
    put_checks_of(m, x->node, (struct mu_str){NULL, 0}, w);
    put_checks_of(m, x->node, x->service->id, w);
}

static void put_flat(const struct model *m, const struct model_instance *x, struct mu__writer *w)
{
    question_put_str(w, node_named(m, x->node)->node);
    question_put_str(w, node_named(m, x->node)->address);
    question_put_str(w, x->service->id);
    mu__write_u64be(w, x->service->modify_index);
}

/* Letter by letter: an address is no name. */
static void put_instances_at(const struct model *m, const char *address, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->ninstances; i++) {
        const struct model_instance *x = &m->instances[i];
        if (mu__str_eq(x->service->address, mu__cstr(address))) {
            all[n++] = (struct sorted){mu__cstr(x->node), x->service->id, NULL, x};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        put_flat(m, all[i].instance, w);
    }
}

static void put_instances(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = question_instances(m, q->about, q->kind == CONNECT, all);
    for (size_t i = 0; i < n; i++) {
        const struct model_instance *x = all[i].instance;
        if (q->kind == SERVICE_NODES) {
            put_flat(m, x, w);
            continue;
        }
        question_put_instance(m, x, w);
    }
    if (q->kind == CONNECT) {
        question_put_gateways(m, q->about, S("terminating-gateway"), w);
    }
}

/* By name, or by the beginning of an id that only one node has. */
static void put_node_services(const struct model *m, const char *about, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0, matching = 0;
    const struct catalog_node *node = node_named(m, about);
    for (size_t i = 0; i < m->nodes.n && !node_named(m, about); i++) {
        const struct catalog_node *x = m->nodes.items[i];
        struct mu_str head = {x->id.p, mu__min(x->id.len, strlen(about))};
        if (mu__str_ieq(head, mu__cstr(about))) {
            node = matching++ ? NULL : x;
        }
    }
    if (!node) {
        return;
    }
    question_put(w, CATALOG_NODE, node);
    for (size_t i = 0; i < m->ninstances; i++) {
        const struct model_instance *x = &m->instances[i];
        if (mu__str_ieq(mu__cstr(x->node), node->node)) {
            all[n++] = (struct sorted){x->service->id, {NULL, 0}, x->service, NULL};
        }
    }
    qsort(all, n, sizeof *all, by_bytes); /* it is an object: by its keys */
    for (size_t i = 0; i < n; i++) {
        question_put(w, CATALOG_NODE_SERVICE, all[i].record);
    }
}

static bool begins(struct mu_str s, const char *prefix)
{
    return s.len >= strlen(prefix) && memcmp(s.p, prefix, strlen(prefix)) == 0;
}

static void put_keys(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    struct mu_str last = {NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < m->keys.n; i++) {
        const struct catalog_dir_entry *e = m->keys.items[i];
        if (q->kind == KEY ? mu__str_eq(e->key, mu__cstr(q->about)) : begins(e->key, q->about)) {
            all[n++] = (struct sorted){e->key, {NULL, 0}, e, NULL};
        }
    }
    if (n) {
        qsort(all, n, sizeof *all, by_bytes);
    }
    for (size_t i = 0; i < n; i++) {
        if (q->kind != NAMES) {
            question_put(w, CATALOG_DIR_ENTRY, all[i].record);
            continue;
        }
        size_t from = strlen(q->about);
        struct mu_str name = all[i].a;
        const char *slash = name.len > from ? memchr(name.p + from, '/', name.len - from) : NULL;
        name.len = slash ? (size_t)(slash - name.p) + 1 : name.len;
        if (!last.p || !mu__str_eq(last, name)) {
            question_put_str(w, name);
        }
        last = name;
    }
}

/* Names as they are spelled, each with the tags that any of its instances has. */
static void put_services(const struct model *m, struct mu__writer *w)
{
    struct sorted all[2 * MODEL_MAX]; /* name and tag; a name alone begins its service */
    size_t n = 0;
    for (size_t i = 0; i < m->ninstances; i++) {
        const struct catalog_node_service *s = m->instances[i].service;
        all[n++] = (struct sorted){s->service, {"", 0}, NULL, NULL};
        for (size_t k = 0; k < s->tags.len; k++) {
            all[n++] = (struct sorted){s->service, s->tags.items[k], NULL, NULL};
        }
    }
    qsort(all, n, sizeof *all, by_both_bytes);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || by_both_bytes(&all[i - 1], &all[i]) != 0) {
            question_put_str(w, all[i].b.len ? all[i].b : all[i].a);
        }
    }
}

static void put_sessions(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->sessions.n; i++) {
        const struct catalog_session *s = m->sessions.items[i];
        if (q->kind == SESSIONS ||
            mu__str_ieq(q->kind == SESSION ? s->id : s->node, mu__cstr(q->about))) {
            all[n++] = (struct sorted){s->id, {NULL, 0}, s, NULL};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        question_put(w, CATALOG_SESSION, all[i].record);
    }
}

static void put_coordinates(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->coordinates.n; i++) {
        const struct catalog_coordinate *x = m->coordinates.items[i];
        if (q->kind == COORDINATES || mu__str_ieq(x->node, mu__cstr(q->about))) {
            all[n++] = (struct sorted){x->node, x->segment, x, NULL};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        struct catalog_coordinate x = *(const struct catalog_coordinate *)all[i].record;
        x.node = q->kind == COORDINATE ? mu__cstr(q->about) : x.node; /* as it was asked for */
        question_put(w, CATALOG_COORDINATE, &x);
    }
}

static void put_nodes(const struct model *m, const struct question *q, struct mu__writer *w)
{
    struct sorted all[MODEL_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->nodes.n; i++) {
        const struct catalog_node *x = m->nodes.items[i];
        if (q->kind == NODES || mu__str_eq(x->address, mu__cstr(q->about))) {
            all[n++] = (struct sorted){x->node, {NULL, 0}, x, NULL};
        }
    }
    qsort(all, n, sizeof *all, question_by_names);
    for (size_t i = 0; i < n; i++) {
        question_put(w, CATALOG_NODE, all[i].record);
    }
}

static void put_virtual(const struct model *m, struct mu_str service, struct mu__writer *w)
{
    char text[32] = "";
    int n = model_virtual(m, service);
    if (n >= 0) {
        snprintf(text, sizeof text, "240.0.0.%d", n + 1);
    }
    question_put_str(w, mu__cstr(text));
}

void model_answer(const struct model *m, int n, struct mu__writer *w)
{
    const struct question *q = &questions[n];
    w->len = 0;
    switch (q->kind) {
    case INSTANCES:
    case CONNECT:
    case SERVICE_NODES:
        put_instances(m, q, w);
        break;
    case INSTANCES_AT:
        put_instances_at(m, q->about, w);
        break;
    case INTENTIONS:
    case VERDICT:
        question_put_intentions(m, q, w);
        break;
    case VIRTUAL:
        put_virtual(m, mu__cstr(q->about), w);
        break;
    case SERVICE_CHECKS:
    case IN_STATE:
    case NODE_CHECKS:
        put_checks(m, q, w);
        break;
    case NODE_SERVICES:
        put_node_services(m, q->about, w);
        break;
    case KEY:
    case TREE:
    case NAMES:
        put_keys(m, q, w);
        break;
    case NODES:
    case NODES_AT:
        put_nodes(m, q, w);
        break;
    case SERVICES:
        put_services(m, w);
        break;
    case SESSIONS:
    case SESSION:
    case NODE_SESSIONS:
        put_sessions(m, q, w);
        break;
    case COORDINATES:
    case COORDINATE:
        put_coordinates(m, q, w);
        break;
    case AUTOPILOT:
        question_put(w, CATALOG_AUTOPILOT_CONFIG, &m->autopilot);
        break;
    default:
        question_of_model(m, q, w);
    }
}

/* ---- The catalog ---- */

#define ASK(query, request, reply) assert_int_equal(query(r, request, reply, keys), 0)

static uint64_t ask_instances(struct catalog_reader *r, const struct question *q,
                              struct mu__writer *w, struct catalog_watch_keys *keys)
{
    struct catalog_service_request request = {.service_name = mu__cstr(q->about),
                                              .connect = q->kind == CONNECT};
    struct catalog_indexed_service_nodes plain;
    struct catalog_indexed_check_service_nodes whole;
    if (q->kind == INSTANCES_AT) {
        request = (struct catalog_service_request){.service_address = mu__cstr(q->about)};
    }
    if (q->kind != INSTANCES && q->kind != CONNECT) {
        ASK(catalog_query_service_nodes, &request, &plain);
        for (size_t i = 0; i < plain.service_nodes.len; i++) {
            const struct catalog_service_node *x = plain.service_nodes.items[i];
            question_put_str(w, x->node);
            question_put_str(w, x->address);
            question_put_str(w, x->service_id);
            mu__write_u64be(w, x->modify_index);
        }
        return plain.meta.index;
    }
    ASK(catalog_query_check_service_nodes, &request, &whole);
    for (size_t i = 0; i < whole.nodes.len; i++) {
        const struct catalog_check_service_node *x = whole.nodes.items[i];
        question_put(w, CATALOG_NODE, x->node);
        question_put(w, CATALOG_NODE_SERVICE, x->service);
        question_put_all(w, CATALOG_CHECK, &x->checks);
    }
    return whole.meta.index;
}

static uint64_t ask_checks(struct catalog_reader *r, const struct question *q, struct mu__writer *w,
                           struct catalog_watch_keys *keys)
{
    struct catalog_service_request service = {.service_name = mu__cstr(q->about)};
    struct catalog_node_request node = {.node = mu__cstr(q->about)};
    struct catalog_checks_in_state_request state = {.state = mu__cstr(q->about)};
    struct catalog_indexed_checks out;
    if (q->kind == SERVICE_CHECKS) {
        ASK(catalog_query_service_checks, &service, &out);
    } else if (q->kind == NODE_CHECKS) {
        ASK(catalog_query_node_checks, &node, &out);
    } else {
        ASK(catalog_query_checks_in_state, &state, &out);
    }
    question_put_all(w, CATALOG_CHECK, &out.health_checks);
    return out.meta.index;
}

static uint64_t ask_node_services(struct catalog_reader *r, const struct question *q,
                                  struct mu__writer *w, struct catalog_watch_keys *keys)
{
    struct catalog_node_request node = {.node = mu__cstr(q->about)};
    struct catalog_indexed_node_services out;
    ASK(catalog_query_node_services, &node, &out);
    if (out.node_services) {
        question_put(w, CATALOG_NODE, out.node_services->node);
        for (size_t i = 0; i < out.node_services->services.len; i++) {
            question_put(w, CATALOG_NODE_SERVICE, out.node_services->services.items[i].value);
        }
    }
    return out.meta.index;
}

static uint64_t ask_keys(struct catalog_reader *r, const struct question *q, struct mu__writer *w,
                         struct catalog_watch_keys *keys)
{
    struct catalog_key_request key = {.key = mu__cstr(q->about)};
    struct catalog_key_list_request list = {.prefix = mu__cstr(q->about), .separator = S("/")};
    struct catalog_indexed_dir_entries out;
    struct catalog_indexed_key_list names;
    if (q->kind == NAMES) {
        ASK(catalog_query_key_names, &list, &names);
        for (size_t i = 0; i < names.keys.len; i++) {
            question_put_str(w, names.keys.items[i]);
        }
        return names.meta.index;
    }
    if (q->kind == KEY) {
        ASK(catalog_query_key, &key, &out);
    } else {
        ASK(catalog_query_keys, &key, &out);
    }
    question_put_all(w, CATALOG_DIR_ENTRY, &out.entries);
    return out.meta.index;
}

static uint64_t ask_sessions(struct catalog_reader *r, const struct question *q,
                             struct mu__writer *w, struct catalog_watch_keys *keys)
{
    struct catalog_session_get_request one = {.session_id = mu__cstr(q->about)};
    struct catalog_node_request node = {.node = mu__cstr(q->about)};
    struct catalog_indexed_sessions out;
    if (q->kind == SESSIONS) {
        ASK(catalog_query_sessions, &one, &out);
    } else if (q->kind == SESSION) {
        ASK(catalog_query_session, &one, &out);
    } else {
        ASK(catalog_query_node_sessions, &node, &out);
    }
    question_put_all(w, CATALOG_SESSION, &out.sessions);
    return out.meta.index;
}

static uint64_t ask_coordinates(struct catalog_reader *r, const struct question *q,
                                struct mu__writer *w, struct catalog_watch_keys *keys)
{
    struct catalog_dc_request all = {.datacenter = S("")};
    struct catalog_node_request node = {.node = mu__cstr(q->about)};
    struct catalog_indexed_coordinates out;
    if (q->kind == COORDINATES) {
        ASK(catalog_query_coordinates, &all, &out);
    } else {
        ASK(catalog_query_coordinate, &node, &out);
    }
    question_put_all(w, CATALOG_COORDINATE, &out.coordinates);
    return out.meta.index;
}

static uint64_t ask_virtual(struct catalog_reader *r, const struct question *q,
                            struct mu__writer *w, struct catalog_watch_keys *keys)
{
    struct catalog_service_request request = {.service_name = mu__cstr(q->about)};
    struct catalog_virtual_ip out;
    ASK(catalog_query_virtual_ip, &request, &out);
    question_put_str(w, out.address);
    return out.index;
}

static uint64_t ask_lists(struct catalog_reader *r, const struct question *q, struct mu__writer *w,
                          struct catalog_watch_keys *keys)
{
    struct catalog_dc_request all = {.datacenter = S("")};
    struct catalog_indexed_nodes nodes;
    struct catalog_indexed_services services;
    struct catalog_autopilot_config config;
    if (q->kind == NODES || q->kind == NODES_AT) {
        int rc = q->kind == NODES
                     ? catalog_query_nodes(r, &all, &nodes, keys)
                     : catalog_query_nodes_at(r, &all, mu__cstr(q->about), &nodes, keys);
        assert_int_equal(rc, 0);
        question_put_all(w, CATALOG_NODE, &nodes.nodes);
        return nodes.meta.index;
    }
    if (q->kind == SERVICES) {
        ASK(catalog_query_services, &all, &services);
        for (size_t i = 0; i < services.services.len; i++) {
            question_put_str(w, services.services.items[i].key);
            for (size_t k = 0; k < services.services.items[i].value.len; k++) {
                question_put_str(w, services.services.items[i].value.items[k]);
            }
        }
        return services.meta.index;
    }
    ASK(catalog_query_autopilot, &all, &config);
    question_put(w, CATALOG_AUTOPILOT_CONFIG, &config);
    return 0;
}

void catalog_answer(struct catalog_reader *r, int n, struct mu__writer *w, uint64_t *index,
                    struct catalog_watch_keys *keys)
{
    const struct question *q = &questions[n];
    w->len = 0;
    switch (q->kind) {
    case INSTANCES:
    case CONNECT:
    case SERVICE_NODES:
    case INSTANCES_AT:
        *index = ask_instances(r, q, w, keys);
        break;
    case SERVICE_CHECKS:
    case IN_STATE:
    case NODE_CHECKS:
        *index = ask_checks(r, q, w, keys);
        break;
    case NODE_SERVICES:
        *index = ask_node_services(r, q, w, keys);
        break;
    case KEY:
    case TREE:
    case NAMES:
        *index = ask_keys(r, q, w, keys);
        break;
    case SESSIONS:
    case SESSION:
    case NODE_SESSIONS:
        *index = ask_sessions(r, q, w, keys);
        break;
    case COORDINATES:
    case COORDINATE:
        *index = ask_coordinates(r, q, w, keys);
        break;
    case INTENTIONS:
    case VERDICT:
        *index = question_of_intentions(r, q, w, keys);
        break;
    case VIRTUAL:
        *index = ask_virtual(r, q, w, keys);
        break;
    case NODES:
    case NODES_AT:
    case SERVICES:
    case AUTOPILOT:
        *index = ask_lists(r, q, w, keys);
        break;
    default:
        *index = question_of_catalog(r, q, w, keys);
    }
}
