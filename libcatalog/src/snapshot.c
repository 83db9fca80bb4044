#include "snapshot.h"

#include <assert.h>

#include "types.h"
#include "types_gateway.h"
#include "types_virtual.h"

#define TABLE(at, text)                                                                            \
    {                                                                                              \
        .name = (text), .kind = MU_UINT,                                                           \
        .offset = offsetof(struct catalog__totals, table) + (at) * sizeof(uint64_t)                \
    }
static const struct mu__field totals_fields[] = {
    {.name = "Index", .kind = MU_UINT, .offset = offsetof(struct catalog__totals, index)},
    TABLE(CATALOG__TABLE_NODES, "Nodes"),
    TABLE(CATALOG__TABLE_SERVICES, "Services"),
    TABLE(CATALOG__TABLE_CHECKS, "Checks"),
    TABLE(CATALOG__TABLE_KEYS, "Keys"),
    TABLE(CATALOG__TABLE_TOMBSTONES, "Tombstones"),
    TABLE(CATALOG__TABLE_EXTINCTION, "Extinction"),
    TABLE(CATALOG__TABLE_AUTOPILOT, "Autopilot"),
    TABLE(CATALOG__TABLE_COORDINATES, "Coordinates"),
    TABLE(CATALOG__TABLE_SESSIONS, "Sessions"),
    TABLE(CATALOG__TABLE_CONFIG, "Config"),
    TABLE(CATALOG__TABLE_QUERIES, "Queries"),
    TABLE(CATALOG__TABLE_GATEWAYS, "Gateways"),
    TABLE(CATALOG__TABLE_VIRTUAL, "Virtual"),
    TABLE(CATALOG__TABLE_INTENTIONS, "Intentions"),
    TABLE(CATALOG__TABLE_CA_CONFIG, "CAConfig"),
    TABLE(CATALOG__TABLE_CA_LEAFS, "CALeafs"),
    TABLE(CATALOG__TABLE_CA_ROOTS, "CARoots"),
    TABLE(CATALOG__TABLE_CA_STATES, "CAStates"),
    {.name = "Base", .kind = MU_UINT, .offset = offsetof(struct catalog__totals, base)},
    {.name = "Floor", .kind = MU_UINT, .offset = offsetof(struct catalog__totals, floor)},
};
static const uint8_t totals_wire[] = {7,  19, 15, 16, 17, 18, 3, 10, 8, 6, 20,
                                      12, 0,  14, 4,  1,  11, 2, 9,  5, 13};
const struct mu__schema catalog__totals_schema = {
    .name = "totals",
    .fields = totals_fields,
    .nfields = sizeof totals_fields / sizeof *totals_fields,
    .wire = totals_wire,
    .nwire = sizeof totals_wire,
    .size = sizeof(struct catalog__totals),
};

static const struct mu__field tail_fields[] = {
    {.name = "Records", .kind = MU_UINT, .offset = offsetof(struct catalog__tail, records)},
};
static const uint8_t tail_wire[] = {0};
const struct mu__schema catalog__tail_schema = {
    .name = "tail",
    .fields = tail_fields,
    .nfields = sizeof tail_fields / sizeof *tail_fields,
    .wire = tail_wire,
    .nwire = sizeof tail_wire,
    .size = sizeof(struct catalog__tail),
};

#define CONFIG(n, of, name)                                                                        \
    {                                                                                              \
        (enum catalog__snapshot_type)(CATALOG__SNAPSHOT_CONFIG + (n)), CATALOG__CONFIG_ENTRIES,    \
            &catalog__##of##_schema, CATALOG_KIND_##name                                           \
    }
const struct catalog__snapshot_table catalog__snapshot_tables[CATALOG__SNAPSHOT_TABLES] = {
    {CATALOG__SNAPSHOT_NODE, CATALOG__NODES, &catalog__node_schema, NULL},
    {CATALOG__SNAPSHOT_SERVICE, CATALOG__SERVICES, &catalog__instance_schema, NULL},
    {CATALOG__SNAPSHOT_CHECK, CATALOG__CHECKS, &catalog__check_schema, NULL},
    {CATALOG__SNAPSHOT_SESSION, CATALOG__SESSIONS, &catalog__session_schema, NULL},
    {CATALOG__SNAPSHOT_KEY, CATALOG__KEYS, &catalog__dir_entry_schema, NULL},
    {CATALOG__SNAPSHOT_TOMBSTONE, CATALOG__TOMBSTONES, &catalog__mark_schema, NULL},
    {CATALOG__SNAPSHOT_SERVICE_INDEX, CATALOG__SERVICE_INDEXES, &catalog__mark_schema, NULL},
    {CATALOG__SNAPSHOT_AUTOPILOT, CATALOG__AUTOPILOT, &catalog__autopilot_config_schema, NULL},
    {CATALOG__SNAPSHOT_COORDINATE, CATALOG__COORDINATES, &catalog__coordinate_schema, NULL},
    {CATALOG__SNAPSHOT_QUERY, CATALOG__QUERIES, &catalog__prepared_query_schema, NULL},
    CONFIG(0, service_defaults, SERVICE_DEFAULTS),
    CONFIG(1, proxy_defaults, PROXY_DEFAULTS),
    CONFIG(2, service_router, SERVICE_ROUTER),
    CONFIG(3, service_splitter, SERVICE_SPLITTER),
    CONFIG(4, service_resolver, SERVICE_RESOLVER),
    CONFIG(5, ingress_gateway, INGRESS_GATEWAY),
    CONFIG(6, terminating_gateway, TERMINATING_GATEWAY),
    {CATALOG__SNAPSHOT_GATEWAY, CATALOG__GATEWAY_SERVICES, &catalog__gateway_service_schema, NULL},
    {CATALOG__SNAPSHOT_INTENTION, CATALOG__INTENTIONS, &catalog__intention_schema, NULL},
    {CATALOG__SNAPSHOT_CA_CONFIG, CATALOG__CA_CONFIG, &catalog__ca_config_schema, NULL},
    {CATALOG__SNAPSHOT_CA_ROOT, CATALOG__CA_ROOTS, &catalog__ca_root_schema, NULL},
    {CATALOG__SNAPSHOT_CA_STATE, CATALOG__CA_STATES, &catalog__ca_provider_state_schema, NULL},
    {CATALOG__SNAPSHOT_VIRTUAL, CATALOG__VIRTUAL_IPS, &catalog__virtual_ip_schema, NULL},
};

/* Gathers what is encoded and hands it on in pieces. */
struct sink {
    struct mu__writer w;
    catalog_write_fn write;
    void *user;
    uint64_t records;
    int rc;
};

static void flush(struct sink *s, size_t at_least)
{
    if (s->rc != 0) {
        return;
    }
    if (s->w.failed) {
        s->rc = CATALOG_ENOMEM;
    } else if (s->w.len > at_least) {
        s->rc = s->write(s->user, s->w.data, s->w.len) == 0 ? 0 : CATALOG_EIO;
        s->w.len = 0;
    }
}

static void emit(struct sink *s, enum catalog__snapshot_type type, const struct mu__schema *schema,
                 const void *obj)
{
    size_t start = s->w.len;
    mu__write_u8(&s->w, (uint8_t)type);
    mu__write_u32be(&s->w, 0);
    mu__schema_encode(schema, obj, &s->w);
    if (!s->w.failed) {
        size_t len = s->w.len - start - 5;
        assert(len <= UINT32_MAX); /* no entry is as long */
        struct mu__writer at = mu__writer_fixed(s->w.data + start + 1, 4);
        mu__write_u32be(&at, (uint32_t)len);
    }
    s->records++;
    flush(s, CATALOG__SNAPSHOT_CHUNK);
}

static void emit_table(struct sink *s, const struct catalog_reader *r,
                       const struct catalog__snapshot_table *t)
{
    struct catalog__radix_iter it;
    struct mu_str kind = mu__cstr(t->kind);
    catalog__below(&it, &r->catalog->allocator, r->version, t->tree, &kind, t->kind ? 1 : 0);
    for (const void *record; s->rc == 0 && (record = catalog__radix_next(&it)) != NULL;) {
        emit(s, t->type, t->schema, record);
    }
    if (it.failed && s->rc == 0) {
        s->rc = CATALOG_ENOMEM;
    }
    catalog__radix_end(&it);
}

int catalog_snapshot_write(struct catalog_reader *r, catalog_write_fn write, void *user)
{
    const struct catalog__version *v = r->version;
    assert(v);
    struct sink s = {.w = mu__writer_growing(&r->catalog->allocator), .write = write, .user = user};
    mu__write_bytes(&s.w, CATALOG__SNAPSHOT_MAGIC, CATALOG__SNAPSHOT_MAGIC_LEN);
    mu__write_u8(&s.w, CATALOG__SNAPSHOT_FORMAT);
    struct catalog__totals totals = {.index = v->index, .base = v->base, .floor = v->floor};
    for (size_t i = 0; i < CATALOG__TABLES; i++) {
        totals.table[i] = v->table[i];
    }
    emit(&s, CATALOG__SNAPSHOT_TOTALS, &catalog__totals_schema, &totals);
    for (size_t i = 0; i < CATALOG__SNAPSHOT_TABLES; i++) {
        emit_table(&s, r, &catalog__snapshot_tables[i]);
    }
    struct catalog__tail tail = {s.records};
    emit(&s, CATALOG__SNAPSHOT_END, &catalog__tail_schema, &tail);
    flush(&s, 0);
    mu__writer_fini(&s.w);
    return s.rc;
}
