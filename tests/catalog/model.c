/* model.c - how entries change the lists. */
#include "model.h"

static const struct mu_allocator *const heap = &mu__malloc_allocator;

static void *copy(enum catalog_type t, const void *record)
{
    void *clone = mu__schema_clone(catalog_schema(t), record, heap);
    assert_non_null(clone);
    return clone;
}

static bool same(enum catalog_type t, const void *a, const void *b)
{
    return mu__schema_equal(catalog_schema(t), a, b);
}

void model_append(struct model_list *l, void *record)
{
    assert_true(l->n < MODEL_MAX);
    l->items[l->n++] = record;
}

void model_drop(struct model_list *l, size_t i)
{
    mu__free(heap, l->items[i]);
    l->items[i] = l->items[--l->n];
}

/* ---- Keys ---- */

static struct catalog_dir_entry *find_key(const struct model *m, struct mu_str key)
{
    for (size_t i = 0; i < m->keys.n; i++) {
        struct catalog_dir_entry *e = m->keys.items[i];
        if (mu__str_eq(e->key, key)) {
            return e;
        }
    }
    return NULL;
}

static void remove_keys(struct model *m, struct mu_str key, bool tree)
{
    for (size_t i = m->keys.n; i-- > 0;) {
        const struct catalog_dir_entry *e = m->keys.items[i];
        struct mu_str head = {e->key.p, mu__min(e->key.len, key.len)};
        if (tree ? mu__str_eq(head, key) : mu__str_eq(e->key, key)) {
            model_drop(&m->keys, i);
        }
    }
}

/* Nothing happens, not even to the index, when nothing would change. */
static void write_key(struct model *m, uint64_t index, struct catalog_dir_entry e)
{
    const struct catalog_dir_entry *before = find_key(m, e.key);
    e.create_index = before ? before->create_index : index;
    e.modify_index = before ? before->modify_index : index;
    if (before && same(CATALOG_DIR_ENTRY, before, &e)) {
        return;
    }
    e.modify_index = index;
    void *record = copy(CATALOG_DIR_ENTRY, &e);
    remove_keys(m, e.key, false);
    model_append(&m->keys, record);
}

/* Gives what the condition comes to; true without one. */
static bool write_keys(struct model *m, uint64_t index, const struct catalog_kvs_request *r)
{
    struct catalog_dir_entry e = r->dir_ent;
    const struct catalog_dir_entry *before = find_key(m, e.key);
    uint64_t at = before ? before->modify_index : 0;
    bool holds = before && before->session.len && mu__str_eq(before->session, e.session);
    if (mu__str_eq(r->op, S("delete-tree"))) {
        remove_keys(m, e.key, true);
        return true;
    }
    if (mu__str_eq(r->op, S("delete")) || mu__str_eq(r->op, S("delete-cas"))) {
        if (mu__str_eq(r->op, S("delete-cas")) && before && at != e.modify_index) {
            return false;
        }
        remove_keys(m, e.key, false);
        return true;
    }
    if (mu__str_eq(r->op, S("lock"))) {
        if (before && before->session.len && !holds) {
            return false;
        }
        e.lock_index = (before ? before->lock_index : 0) + !holds;
    } else if (mu__str_eq(r->op, S("unlock"))) {
        if (!holds) {
            return false;
        }
        e.lock_index = before->lock_index;
        e.session = (struct mu_str){NULL, 0};
    } else {
        if (mu__str_eq(r->op, S("cas")) && at != e.modify_index) {
            return false;
        }
        e.session = before ? before->session : (struct mu_str){NULL, 0};
    }
    write_key(m, index, e);
    return true;
}

/* ---- Sessions ---- */

static void end_session(struct model *m, uint64_t index, size_t i)
{
    struct catalog_session *s = m->sessions.items[i];
    for (size_t k = m->keys.n; k-- > 0;) {
        struct catalog_dir_entry e = *(struct catalog_dir_entry *)m->keys.items[k];
        if (!mu__str_ieq(e.session, s->id)) {
            continue;
        }
        if (mu__str_eq(s->behavior, S("delete"))) {
            model_drop(&m->keys, k);
            continue;
        }
        e.session = (struct mu_str){NULL, 0};
        e.modify_index = index;
        void *record = copy(CATALOG_DIR_ENTRY, &e);
        mu__free(heap, m->keys.items[k]);
        m->keys.items[k] = record;
    }
    model_end_queries(m, s->id);
    model_drop(&m->sessions, i);
}

static bool names_check(const struct catalog_session *s, struct mu_str check)
{
    bool found = false;
    for (size_t i = 0; i < s->checks.len; i++) {
        found |= mu__str_ieq(s->checks.items[i], check);
    }
    for (size_t i = 0; i < s->node_checks.len; i++) {
        found |= mu__str_ieq(s->node_checks.items[i], check);
    }
    for (size_t i = 0; i < s->service_checks.len; i++) {
        found |=
            mu__str_ieq(((struct catalog_service_check *)s->service_checks.items[i])->id, check);
    }
    return found;
}

/* Of the node; with a check, those that name it. */
static void end_sessions(struct model *m, uint64_t index, struct mu_str node,
                         const struct mu_str *check)
{
    for (size_t i = m->sessions.n; i-- > 0;) {
        const struct catalog_session *s = m->sessions.items[i];
        if (mu__str_ieq(s->node, node) && (!check || names_check(s, *check))) {
            end_session(m, index, i);
        }
    }
}

static void session(struct model *m, uint64_t index, struct catalog_session_request *r)
{
    char text[256];
    assert_null(catalog_session_prepare(r, text, sizeof text));
    if (mu__str_eq(r->op, S("create"))) {
        r->session.create_index = r->session.modify_index = index;
        model_append(&m->sessions, copy(CATALOG_SESSION, &r->session));
        return;
    }
    for (size_t i = m->sessions.n; i-- > 0;) {
        if (mu__str_ieq(((struct catalog_session *)m->sessions.items[i])->id, r->session.id)) {
            end_session(m, index, i);
        }
    }
}

/* ---- Nodes, services and checks ---- */

static struct catalog_node *find_node(const struct model *m, struct mu_str name, struct mu_str id)
{
    for (size_t i = 0; i < m->nodes.n; i++) {
        struct catalog_node *n = m->nodes.items[i];
        if (id.len ? mu__str_ieq(n->id, id) : mu__str_ieq(n->node, name)) {
            return n;
        }
    }
    return NULL;
}

static struct model_instance *find_instance(struct model *m, struct mu_str node, struct mu_str id)
{
    for (size_t i = 0; i < m->ninstances; i++) {
        struct model_instance *x = &m->instances[i];
        if (mu__str_ieq(mu__cstr(x->node), node) && mu__str_ieq(x->service->id, id)) {
            return x;
        }
    }
    return NULL;
}

static void remove_checks(struct model *m, uint64_t index, struct mu_str node,
                          const struct mu_str *service, const struct mu_str *id)
{
    for (size_t i = m->checks.n; i-- > 0;) {
        struct catalog_check *k = m->checks.items[i];
        if (mu__str_ieq(k->node, node) && (!service || mu__str_ieq(k->service_id, *service)) &&
            (!id || mu__str_ieq(k->check_id, *id))) {
            end_sessions(m, index, k->node, &k->check_id);
            model_drop(&m->checks, i);
        }
    }
}

static void remove_instance(struct model *m, uint64_t index, struct mu_str node, struct mu_str id)
{
    struct model_instance *x = find_instance(m, node, id);
    if (x) {
        remove_checks(m, index, node, &id, NULL);
        mu__free(heap, x->service);
        *x = m->instances[--m->ninstances];
        model_follow_gateways(m, index);
        model_follow_virtual(m);
    }
}

static void remove_node(struct model *m, uint64_t index, struct mu_str given)
{
    char buf[32];
    snprintf(buf, sizeof buf, "%.*s", (int)given.len, given.p); /* which may be the record's */
    struct mu_str name = mu__cstr(buf);
    if (!find_node(m, name, (struct mu_str){NULL, 0})) {
        return;
    }
    for (size_t i = m->ninstances; i-- > 0;) {
        if (mu__str_ieq(mu__cstr(m->instances[i].node), name)) {
            mu__free(heap, m->instances[i].service);
            m->instances[i] = m->instances[--m->ninstances];
        }
    }
    model_follow_gateways(m, index);
    model_follow_virtual(m);
    remove_checks(m, index, name, NULL, NULL);
    end_sessions(m, index, name, NULL);
    for (size_t i = m->coordinates.n; i-- > 0;) {
        if (mu__str_ieq(((struct catalog_coordinate *)m->coordinates.items[i])->node, name)) {
            model_drop(&m->coordinates, i);
        }
    }
    for (size_t i = m->nodes.n; i-- > 0;) {
        if (mu__str_ieq(((struct catalog_node *)m->nodes.items[i])->node, name)) {
            model_drop(&m->nodes, i);
        }
    }
}

/* A known id under another name is that node renamed: the old name goes with all that was on it. */
static void write_node(struct model *m, uint64_t index, struct catalog_node n)
{
    const struct catalog_node *by_id = n.id.len ? find_node(m, n.node, n.id) : NULL;
    const struct catalog_node *before = by_id;
    bool renamed = by_id && !mu__str_eq(by_id->node, n.node);
    if (!before) {
        before = find_node(m, n.node, (struct mu_str){NULL, 0});
    }
    n.create_index = before ? before->create_index : index;
    n.modify_index = before ? before->modify_index : index;
    if (before && !renamed && same(CATALOG_NODE, before, &n)) {
        return;
    }
    n.modify_index = index;
    void *record = copy(CATALOG_NODE, &n);
    if (renamed) {
        remove_node(m, index, by_id->node);
    }
    for (size_t i = m->nodes.n; i-- > 0;) {
        if (mu__str_ieq(((struct catalog_node *)m->nodes.items[i])->node, n.node)) {
            model_drop(&m->nodes, i);
        }
    }
    model_append(&m->nodes, record);
}

static void write_service(struct model *m, uint64_t index, struct mu_str node,
                          const struct catalog_node_service *given)
{
    struct catalog_weights even = {1, 1};
    struct catalog_node_service s = *given;
    struct model_instance *before = find_instance(m, node, s.id);
    s.weights = s.weights ? s.weights : &even;
    s.create_index = before ? before->service->create_index : index;
    s.modify_index = before ? before->service->modify_index : index;
    if (before && mu__str_eq(mu__cstr(before->node), node) &&
        same(CATALOG_NODE_SERVICE, before->service, &s)) {
        return;
    }
    s.modify_index = index;
    struct catalog_node_service *record = copy(CATALOG_NODE_SERVICE, &s);
    if (before) {
        mu__free(heap, before->service);
    } else {
        assert_true(m->ninstances < MODEL_MAX);
        before = &m->instances[m->ninstances++];
    }
    before->service = record;
    snprintf(before->node, sizeof before->node, "%.*s", (int)node.len, node.p);
    model_follow_gateways(m, index); /* a transaction may take it out again */
    model_follow_virtual(m);
}

static void write_check(struct model *m, uint64_t index, struct catalog_check k)
{
    const struct catalog_check *before = NULL;
    if (k.service_id.len) {
        const struct model_instance *x = find_instance(m, k.node, k.service_id);
        assert_non_null(x);
        k.service_name = x->service->service;
        k.service_tags = x->service->tags;
    }
    size_t at = m->checks.n;
    for (size_t i = 0; i < m->checks.n; i++) {
        const struct catalog_check *c = m->checks.items[i];
        if (mu__str_ieq(c->node, k.node) && mu__str_ieq(c->check_id, k.check_id)) {
            before = c;
            at = i;
        }
    }
    k.create_index = before ? before->create_index : index;
    k.modify_index = before ? before->modify_index : index;
    if (before && same(CATALOG_CHECK, before, &k)) {
        return;
    }
    k.modify_index = index;
    void *record = copy(CATALOG_CHECK, &k);
    if (before) {
        model_drop(&m->checks, at);
    }
    model_append(&m->checks, record);
    if (mu__str_eq(k.status, S("critical"))) {
        end_sessions(m, index, k.node, &k.check_id);
    }
}

static void register_all(struct model *m, uint64_t index, struct catalog_register_request *r)
{
    char text[256];
    void *room[8];
    assert_null(catalog_register_prepare(r, room, text, sizeof text));
    if (!r->skip_node_update || !find_node(m, r->node, (struct mu_str){NULL, 0})) {
        write_node(m, index,
                   (struct catalog_node){.id = r->id,
                                         .node = r->node,
                                         .address = r->address,
                                         .datacenter = r->datacenter,
                                         .tagged_addresses = r->tagged_addresses,
                                         .meta = r->node_meta});
    }
    if (r->service) {
        write_service(m, index, r->node, r->service);
    }
    for (size_t i = 0; i < r->checks.len; i++) {
        write_check(m, index, *(const struct catalog_check *)r->checks.items[i]);
    }
}

static void deregister(struct model *m, uint64_t index, const struct catalog_deregister_request *r)
{
    if (r->service_id.len) {
        remove_instance(m, index, r->node, r->service_id);
    } else if (r->check_id.len) {
        remove_checks(m, index, r->node, NULL, &r->check_id);
    } else {
        remove_node(m, index, r->node);
    }
}

/* ---- The rest ---- */

static void coordinates(struct model *m, const struct catalog_coordinate_batch *r)
{
    for (size_t i = 0; i < r->updates.len; i++) {
        const struct catalog_coordinate *x = r->updates.items[i];
        if (!x->coord || !find_node(m, x->node, (struct mu_str){NULL, 0})) {
            continue;
        }
        for (size_t k = m->coordinates.n; k-- > 0;) {
            const struct catalog_coordinate *y = m->coordinates.items[k];
            if (mu__str_ieq(x->node, y->node) && mu__str_ieq(x->segment, y->segment)) {
                model_drop(&m->coordinates, k);
            }
        }
        model_append(&m->coordinates, copy(CATALOG_COORDINATE, x));
    }
}

static bool autopilot(struct model *m, uint64_t index,
                      const struct catalog_autopilot_set_request *r)
{
    if (r->cas && !(m->has_autopilot && m->autopilot.modify_index == r->config.modify_index)) {
        return false;
    }
    uint64_t created = m->has_autopilot ? m->autopilot.create_index : index;
    m->autopilot = r->config;
    snprintf(m->zone, sizeof m->zone, "%.*s", (int)r->config.redundancy_zone_tag.len,
             r->config.redundancy_zone_tag.p ? r->config.redundancy_zone_tag.p : "");
    m->autopilot.redundancy_zone_tag = mu__cstr(m->zone);
    m->autopilot.create_index = created;
    m->autopilot.modify_index = index;
    m->has_autopilot = true;
    return true;
}

static bool is_delete(struct mu_str verb)
{
    return mu__str_eq(verb, S("delete")) || mu__str_eq(verb, S("delete-cas"));
}

static bool is_get(struct mu_str verb)
{
    return mu__str_eq(verb, S("get")) || mu__str_eq(verb, S("get-tree"));
}

/* One that was not refused: what it asks for must hold, so it is done, one after the other. */
static bool txn(struct model *m, uint64_t index, const struct catalog_txn_request *r)
{
    for (size_t i = 0; i < r->ops.len; i++) {
        const struct catalog_txn_op *op = r->ops.items[i];
        if (op->kv && !is_get(op->kv->verb)) {
            struct catalog_kvs_request alone = {.op = op->kv->verb, .dir_ent = op->kv->dir_ent};
            if (!write_keys(m, index, &alone)) {
                return false;
            }
        } else if (op->node && is_delete(op->node->verb)) {
            remove_node(m, index, op->node->node.node);
        } else if (op->node && !is_get(op->node->verb)) {
            write_node(m, index, op->node->node);
        } else if (op->service && is_delete(op->service->verb)) {
            remove_instance(m, index, op->service->node, op->service->service.id);
        } else if (op->service && !is_get(op->service->verb)) {
            write_service(m, index, op->service->node, &op->service->service);
        } else if (op->check && is_delete(op->check->verb)) {
            remove_checks(m, index, op->check->check.node, NULL, &op->check->check.check_id);
        } else if (op->check && !is_get(op->check->verb)) {
            write_check(m, index, op->check->check);
        }
    }
    return true;
}

/* ---- Entries ---- */

union request {
    struct catalog_register_request reg;
    struct catalog_deregister_request dereg;
    struct catalog_kvs_request kvs;
    struct catalog_session_request session;
    struct catalog_coordinate_batch coordinates;
    struct catalog_autopilot_set_request autopilot;
    struct catalog_txn_request txn;
    struct catalog_config_request config;
    struct catalog_prepared_query_request query;
    struct catalog_intention_request intention;
};

static bool run(struct model *m, uint64_t index, uint8_t type, union request *q)
{
    switch (type) {
    case CATALOG_ENTRY_REGISTER:
        register_all(m, index, &q->reg);
        return true;
    case CATALOG_ENTRY_DEREGISTER:
        deregister(m, index, &q->dereg);
        return true;
    case CATALOG_ENTRY_KVS:
        return write_keys(m, index, &q->kvs);
    case CATALOG_ENTRY_SESSION:
        session(m, index, &q->session);
        return true;
    case CATALOG_ENTRY_COORDINATES:
        coordinates(m, &q->coordinates);
        return true;
    case CATALOG_ENTRY_AUTOPILOT:
        return autopilot(m, index, &q->autopilot);
    case CATALOG_ENTRY_CONFIG:
        model_config(m, index, &q->config);
        return true;
    case CATALOG_ENTRY_INTENTION:
        model_intention(m, index, &q->intention);
        return true;
    case CATALOG_ENTRY_QUERY:
        model_query(m, index, &q->query);
        return true;
    default:
        return txn(m, index, &q->txn);
    }
}

bool model_apply(struct model *m, uint64_t index, const void *entry, size_t len,
                 struct model_verdict verdict, const bool *answer)
{
    static const struct {
        uint8_t entry;
        enum catalog_type request;
    } types[] = {{CATALOG_ENTRY_REGISTER, CATALOG_REGISTER_REQUEST},
                 {CATALOG_ENTRY_DEREGISTER, CATALOG_DEREGISTER_REQUEST},
                 {CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST},
                 {CATALOG_ENTRY_SESSION, CATALOG_SESSION_REQUEST},
                 {CATALOG_ENTRY_COORDINATES, CATALOG_COORDINATE_BATCH},
                 {CATALOG_ENTRY_AUTOPILOT, CATALOG_AUTOPILOT_SET_REQUEST},
                 {CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST},
                 {CATALOG_ENTRY_QUERY, CATALOG_PREPARED_QUERY_REQUEST},
                 {CATALOG_ENTRY_INTENTION, CATALOG_INTENTION_REQUEST},
                 {CATALOG_ENTRY_TXN, CATALOG_TXN_REQUEST}};
    const uint8_t *bytes = entry;
    size_t i = 0;
    if (verdict.is_refused || bytes[0] == CATALOG_ENTRY_TOMBSTONE) {
        return true; /* tombstones are how the catalog remembers, not what it says */
    }
    while (i < sizeof types / sizeof *types && types[i].entry != bytes[0]) {
        i++;
    }
    if (i == sizeof types / sizeof *types) {
        return true; /* of tables that no question is about */
    }
    struct mu__arena a;
    union request q;
    mu__arena_init(&a, NULL, 0);
    struct mu__reader r = mu__reader(bytes + 1, len - 1);
    assert_true(mu__schema_decode(catalog_schema(types[i].request), &r, &a, false, &q));
    bool holds = run(m, index, bytes[0], &q);
    model_follow_gateways(m, index);
    mu__arena_fini(&a);
    return !answer || *answer == holds;
}

void model_fini(struct model *m)
{
    struct model_list *lists[] = {&m->nodes,    &m->checks,      &m->keys,
                                  &m->sessions, &m->coordinates, &m->config,
                                  &m->queries,  &m->gateways,    &m->intentions};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        while (lists[i]->n) {
            model_drop(lists[i], 0);
        }
    }
    while (m->ninstances) {
        mu__free(heap, m->instances[--m->ninstances].service);
    }
}
