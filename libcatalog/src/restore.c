/* restore.c - a snapshot becomes the state. It is built as a draft beside the version that is
 * published, with the same table functions as entries, but told to be quiet; then it takes the
 * place of everything at once. */
#include <assert.h>
#include <string.h>

#include "key.h"
#include "planted.h"
#include "snapshot.h"
#include "tables_ca.h"
#include "tables_config.h"
#include "tables_gateway.h"
#include "tables_intention.h"
#include "tables_virtual.h"
#include "text.h"

#define INDEX_MAX (UINT64_C(1) << 60) /* no log is as long; there is room behind it */

/* ---- The bytes ---- */

/* A window on the stream. It grows with what has arrived, never with what a length promises. */
struct source {
    const struct mu_allocator *allocator;
    catalog_read_fn read;
    void *user;
    uint8_t *data;
    size_t pos, len, cap;
    int rc;
};

static void fill(struct source *s)
{
    if (s->pos > 0) {
        memmove(s->data, s->data + s->pos, s->len - s->pos);
        s->len -= s->pos;
        s->pos = 0;
    }
    void *data = s->data;
    if (!mu__reserve(s->allocator, &data, &s->cap, s->len + CATALOG__SNAPSHOT_CHUNK, 1)) {
        s->rc = CATALOG_ENOMEM;
        return;
    }
    s->data = data;
    size_t got = CATALOG__SNAPSHOT_CHUNK;
    if (s->read(s->user, s->data + s->len, &got) != 0) {
        s->rc = CATALOG_EIO;
    } else if (got == 0 || got > CATALOG__SNAPSHOT_CHUNK) {
        s->rc = CATALOG_ESNAPSHOT; /* cut short */
    } else {
        s->len += got;
    }
}

/* The next n bytes, lent until the next call; NULL when they do not come. */
static const uint8_t *take(struct source *s, size_t n)
{
    while (s->rc == 0 && s->len - s->pos < n) {
        fill(s);
    }
    if (s->rc != 0) {
        return NULL;
    }
    s->pos += n;
    return s->data + s->pos - n;
}

static int read_header(struct source *s)
{
    const uint8_t *p = take(s, CATALOG__SNAPSHOT_MAGIC_LEN + 1);
    if (!p) {
        return s->rc;
    }
    if (memcmp(p, CATALOG__SNAPSHOT_MAGIC, CATALOG__SNAPSHOT_MAGIC_LEN) != 0) {
        return CATALOG_ESNAPSHOT;
    }
    return p[CATALOG__SNAPSHOT_MAGIC_LEN] == CATALOG__SNAPSHOT_FORMAT ? 0 : CATALOG_ENEWER;
}

/* ---- The records ---- */

static bool is_id(struct mu_str s)
{
    return s.len > 0 && catalog__is_name(s);
}

static bool load_instance(struct catalog *c, const struct catalog__instance *i)
{
    bool is_whole = is_id(i->service.id) && is_id(i->service.service) && i->service.weights &&
                    catalog__is_name(i->service.proxy.destination_service_name) &&
                    catalog__get_node(c->draft, i->node);
    if (is_whole) {
        catalog__put_instance(c, i);
    }
    return is_whole;
}

static bool load_check(struct catalog *c, const struct catalog_check *k)
{
    bool is_whole = is_id(k->check_id) && is_id(k->status) && catalog__is_name(k->service_id) &&
                    catalog__is_name(k->service_name) && catalog__get_node(c->draft, k->node);
    if (is_whole) {
        catalog__put_check(c, k);
    }
    return is_whole;
}

static bool load_node(struct catalog *c, const struct catalog_node *n)
{
    bool is_whole = is_id(n->node) && catalog__is_name(n->id);
    if (is_whole) {
        catalog__put_node(c, n);
    }
    return is_whole;
}

static bool load_coordinate(struct catalog *c, const struct catalog_coordinate *x)
{
    bool is_whole =
        x->coord && catalog__is_name(x->segment) && catalog__get_node(c->draft, x->node);
    if (is_whole) {
        catalog__put_coordinate(c, x);
    }
    return is_whole;
}

static bool load_key(struct catalog *c, const struct catalog_dir_entry *entry)
{
    bool is_whole = entry->session.len == 0 || catalog__get_session(c->draft, entry->session);
    if (is_whole) {
        catalog__put_key(c, entry);
    }
    return is_whole;
}

static bool load_session(struct catalog *c, const struct catalog_session *s)
{
    bool is_whole = catalog__is_session_id(s->id) && !catalog__get_session(c->draft, s->id) &&
                    !catalog__session_lacks(c, s);
    if (is_whole) {
        catalog__put_session(c, s);
    }
    return is_whole;
}

static bool is_link(void *user, struct mu_str service)
{
    (void)user;
    return catalog__is_name(service);
}

static bool load_config(struct catalog *c, const char *kind, const struct catalog_config_entry *e)
{
    bool is_whole = mu__str_eq(e->kind, mu__cstr(kind)) && is_id(e->name) &&
                    catalog__config_links(e, is_link, NULL);
    if (is_whole) {
        catalog__put_config(c, e);
    }
    return is_whole;
}

static bool is_left_out(enum catalog__snapshot_type type)
{
    return (CATALOG__PLANTED(RESTORE_NO_COORDINATES) && type == CATALOG__SNAPSHOT_COORDINATE) ||
           (CATALOG__PLANTED(RESTORE_NO_TOMBSTONES) && type == CATALOG__SNAPSHOT_TOMBSTONE) ||
           (CATALOG__PLANTED(RESTORE_NO_GATEWAYS) && type == CATALOG__SNAPSHOT_GATEWAY) ||
           (CATALOG__PLANTED(RESTORE_NO_INTENTIONS) && type == CATALOG__SNAPSHOT_INTENTION) ||
           (CATALOG__PLANTED(RESTORE_NO_VIRTUAL) && type == CATALOG__SNAPSHOT_VIRTUAL);
}

static bool load_query(struct catalog *c, const struct catalog_prepared_query *q)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    bool is_whole = catalog__is_session_id(q->id) && !catalog__get_query(c->draft, q->id) &&
                    catalog__is_name(q->name) && q->name.len < CATALOG__NAME_MAX &&
                    catalog__query_is_free(c, q, &why) &&
                    (q->session.len == 0 || catalog__get_session(c->draft, q->session));
    if (is_whole) {
        catalog__put_query(c, q);
    }
    return is_whole;
}

static bool load_intention(struct catalog *c, const struct catalog_intention *x)
{
    bool is_whole = catalog__is_session_id(x->id) && !catalog__get_intention(c->draft, x->id) &&
                    catalog__intention_has_names(x) &&
                    x->precedence == catalog__intention_precedence(x) &&
                    !catalog__get_intention_for(c->draft, x->source_ns, x->source_name,
                                                x->destination_ns, x->destination_name);
    if (is_whole) {
        catalog__put_intention(c, x);
    }
    return is_whole;
}

static bool load_ca_root(struct catalog *c, const struct catalog_ca_root *root)
{
    bool is_whole = is_id(root->id) && !catalog__get_ca_root(c->draft, root->id);
    if (is_whole) {
        catalog__put_ca_root(c, root);
    }
    return is_whole;
}

static bool load_ca_state(struct catalog *c, const struct catalog_ca_provider_state *state)
{
    bool is_whole = is_id(state->id) && !catalog__get_ca_state(c->draft, state->id);
    if (is_whole) {
        catalog__put_ca_state(c, state);
    }
    return is_whole;
}

static bool load(struct catalog *c, enum catalog__snapshot_type type, const void *obj)
{
    if (is_left_out(type)) {
        return true;
    }
    switch (type) {
    case CATALOG__SNAPSHOT_NODE:
        return load_node(c, obj);
    case CATALOG__SNAPSHOT_SERVICE:
        return load_instance(c, obj);
    case CATALOG__SNAPSHOT_CHECK:
        return load_check(c, obj);
    case CATALOG__SNAPSHOT_KEY:
        return load_key(c, obj);
    case CATALOG__SNAPSHOT_TOMBSTONE:
        catalog__restore_mark(c, CATALOG__TOMBSTONES, obj);
        return true;
    case CATALOG__SNAPSHOT_AUTOPILOT:
        catalog__put_autopilot(c, obj);
        return true;
    case CATALOG__SNAPSHOT_COORDINATE:
        return load_coordinate(c, obj);
    case CATALOG__SNAPSHOT_QUERY:
        return load_query(c, obj);
    case CATALOG__SNAPSHOT_SESSION:
        return load_session(c, obj);
    case CATALOG__SNAPSHOT_GATEWAY:
        return catalog__restore_gateway_service(c, obj);
    case CATALOG__SNAPSHOT_INTENTION:
        return load_intention(c, obj);
    case CATALOG__SNAPSHOT_CA_CONFIG:
        catalog__put_ca_config(c, obj);
        return true;
    case CATALOG__SNAPSHOT_CA_ROOT:
        return load_ca_root(c, obj);
    case CATALOG__SNAPSHOT_CA_STATE:
        return load_ca_state(c, obj);
    case CATALOG__SNAPSHOT_VIRTUAL:
        return catalog__restore_virtual(c, obj);
    default:
        assert(type == CATALOG__SNAPSHOT_SERVICE_INDEX);
        catalog__restore_mark(c, CATALOG__SERVICE_INDEXES, obj);
        return is_id(((const struct catalog__mark *)obj)->name);
    }
}

static int decode(struct catalog *c, const struct mu__schema *s, const uint8_t *body, size_t len,
                  void *out)
{
    struct mu__reader r = mu__reader(body, len);
    if (mu__schema_decode(s, &r, &c->scratch, true, out) && mu__reader_left(&r) == 0) {
        return 0;
    }
    return c->is_void ? CATALOG_ENOMEM : CATALOG_ESNAPSHOT;
}

struct progress {
    struct catalog__totals totals;
    bool has_totals, is_done;
    uint64_t records;
};

static int load_totals(struct catalog *c, const uint8_t *body, size_t len, struct progress *p)
{
    p->has_totals = true;
    int rc = decode(c, &catalog__totals_schema, body, len, &p->totals);
    const struct catalog__totals *t = &p->totals;
    bool is_sane = t->index <= INDEX_MAX && t->base <= t->index && t->floor <= t->index;
    return rc == 0 && !is_sane ? CATALOG_ESNAPSHOT : rc;
}

static int load_end(struct catalog *c, const uint8_t *body, size_t len, struct progress *p)
{
    struct catalog__tail tail;
    int rc = decode(c, &catalog__tail_schema, body, len, &tail);
    if (rc == 0 && (tail.records != p->records || !p->has_totals)) {
        rc = CATALOG_ESNAPSHOT;
    }
    p->is_done = rc == 0;
    return rc;
}

static int load_record(struct catalog *c, uint8_t type, const uint8_t *body, size_t len)
{
    union {
        struct catalog_node node;
        struct catalog__instance instance;
        struct catalog_check check;
        struct catalog_dir_entry entry;
        struct catalog__mark mark;
        struct catalog_coordinate coordinate;
        union catalog__any_entry config;
        struct catalog_session session;
        struct catalog_prepared_query query;
        struct catalog_gateway_service gateway;
        struct catalog__virtual_ip virtual_ip;
        struct catalog_intention intention;
        struct catalog_ca_config ca_config;
        struct catalog_ca_root ca_root;
        struct catalog_ca_provider_state ca_state;
    } obj;
    for (size_t i = 0; i < CATALOG__SNAPSHOT_TABLES; i++) {
        const struct catalog__snapshot_table *t = &catalog__snapshot_tables[i];
        if (t->type == (enum catalog__snapshot_type)type) {
            assert(t->schema->size <= sizeof obj);
            int rc = decode(c, t->schema, body, len, &obj);
            if (rc == 0 &&
                !(t->kind ? load_config(c, t->kind, &obj.config.head) : load(c, t->type, &obj))) {
                rc = CATALOG_ESNAPSHOT;
            }
            return c->is_void ? CATALOG_ENOMEM : rc;
        }
    }
    return type & CATALOG__SNAPSHOT_IGNORABLE ? 0 : CATALOG_ENEWER;
}

static int load_next(struct catalog *c, struct source *s, struct progress *p)
{
    const uint8_t *head = take(s, 5);
    if (!head) {
        return s->rc;
    }
    uint8_t type = head[0];
    struct mu__reader r = mu__reader(head + 1, 4);
    size_t len = mu__read_u32be(&r);
    const uint8_t *body = take(s, len);
    if (!body) {
        return s->rc;
    }
    catalog__scratch_reset(&c->scratch);
    if (type == CATALOG__SNAPSHOT_END) {
        return load_end(c, body, len, p);
    }
    int rc = type == CATALOG__SNAPSHOT_TOTALS ? load_totals(c, body, len, p)
                                              : load_record(c, type, body, len);
    p->records++;
    return rc;
}

static int load_all(struct catalog *c, struct source *s)
{
    struct progress p = {.records = 0};
    int rc = read_header(s);
    while (rc == 0 && !p.is_done) {
        rc = load_next(c, s, &p);
    }
    if (rc == 0) {
        c->draft->index = p.totals.index;
        c->draft->base = p.totals.base;
        c->draft->floor = p.totals.floor;
    }
    if (rc == 0 && !CATALOG__PLANTED(RESTORE_NO_INDEXES)) {
        memcpy(c->draft->table, p.totals.table, sizeof c->draft->table);
    }
    return rc;
}

/* ---- The exchange ---- */

/* Makes the draft an empty catalog. What it held is still the published version's. */
static void empty(struct catalog__version *draft)
{
    memset(draft->root, 0, sizeof draft->root);
    memset(draft->table, 0, sizeof draft->table);
    memset(draft->count, 0, sizeof draft->count);
    draft->index = draft->base = draft->floor = 0;
}

/* Places the draft behind all that was before it, as entry `index` of the log. */
static void place(struct catalog__version *draft, const struct catalog__version *before,
                  uint64_t index)
{
    uint64_t next = index + before->base;
    draft->index = draft->index >= next ? draft->index + 1 : next;
    draft->base = draft->index - index;
    draft->floor = draft->index;
}

/* A snapshot from before there was a table of gateways has neither its records nor its index; any
 * other without the index has no gateways. One that lacks the table of virtual addresses was
 * written by a release that gave none. */
static int complete(struct catalog *c)
{
    if (c->draft->table[CATALOG__TABLE_GATEWAYS] == 0) {
        catalog__link_gateways(c);
    }
    catalog__link_virtual(c);
    return c->is_void ? CATALOG_ENOMEM : 0;
}

/* index 0: the snapshot is of this log, and stands where it stood. */
static int restore(struct catalog *c, uint64_t index, catalog_read_fn read, void *user,
                   struct catalog_touched **touched)
{
    if (!catalog__batch_begin(c)) {
        return CATALOG_ENOMEM;
    }
    struct catalog__version before = *c->draft;
    struct source s = {.allocator = &c->allocator, .read = read, .user = user};
    empty(c->draft);
    c->is_quiet = true;
    int rc = load_all(c, &s);
    c->is_quiet = false;
    rc = rc == 0 ? complete(c) : rc;
    if (rc == 0 && !catalog__space_reserve(&c->space, CATALOG__TREES)) {
        rc = CATALOG_ENOMEM;
    }
    mu__free(&c->allocator, s.data);
    catalog__scratch_reset(&c->scratch);
    if (rc != 0) {
        catalog__batch_abort(c);
        return rc;
    }
    for (int t = 0; t < CATALOG__TREES; t++) {
        bool is_primary = catalog__tree_is_primary((enum catalog__tree)t);
        catalog__retire_tree(&c->space, before.root[t],
                             is_primary ? CATALOG__RETIRED_RECORDS : CATALOG__RETIRED_TREE);
    }
    if (index) {
        place(c->draft, &before, index);
    }
    c->touched->is_all = true;
    catalog__batch_publish(c, touched);
    return 0;
}

int catalog_restore(struct catalog *c, catalog_read_fn read, void *user,
                    struct catalog_touched **touched)
{
    return restore(c, 0, read, user, touched);
}

int catalog_restore_entry(struct catalog *c, uint64_t index, catalog_read_fn read, void *user,
                          struct catalog_touched **touched)
{
    const struct catalog__version *now = atomic_load(&c->current);
    if (index == 0 || index + now->base < now->index) {
        return CATALOG_EINVAL;
    }
    return restore(c, index, read, user, touched);
}
