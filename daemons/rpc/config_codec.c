#include "config_codec.h"

#include "msgpack.h"
#include "types.h"

#include <muster/catalog.h>

#include <string.h>

/* ---- Tools ---- */

static const struct mu__field meta_fields[] = {
    {.name = "Index", .kind = MU_UINT, .offset = offsetof(struct catalog_query_meta, index)},
    {.name = "LastContact",
     .kind = MU_DURATION,
     .offset = offsetof(struct catalog_query_meta, last_contact_ns)},
    {.name = "KnownLeader",
     .kind = MU_BOOL,
     .offset = offsetof(struct catalog_query_meta, known_leader)},
    {.name = "ConsistencyLevel",
     .kind = MU_STR,
     .offset = offsetof(struct catalog_query_meta, consistency_level)},
};
static const uint8_t meta_wire[] = {3, 0, 2, 1};
static const struct mu__schema meta_schema = {
    "QueryMeta", meta_fields, 4, meta_wire, sizeof meta_wire, sizeof(struct catalog_query_meta)};

static bool is_proxy(struct mu_str kind)
{
    return mu__str_is(kind, CATALOG_KIND_PROXY_DEFAULTS);
}

/* What has been written into inner, as one raw. */
static void write_wrapped(struct mu__writer *w, struct mu__writer *inner)
{
    w->failed = w->failed || inner->failed;
    mu__mp_write_raw(w, inner->data, inner->failed ? 0 : inner->len);
    mu__writer_fini(inner);
}

/* A reader of what a raw holds; empty and failed if there is none. */
static struct mu__reader unwrap(struct mu__reader *r)
{
    struct mu_str bytes = mu__mp_read_bytes(r);
    return mu__reader(bytes.p, bytes.len);
}

static bool done(struct mu__reader *r, const struct mu__reader *inner)
{
    if (inner->failed) {
        mu__reader_fail(r);
    }
    return !r->failed;
}

static struct mu_str kept(struct mu__reader *r, struct mu__arena *a, bool lend, struct mu_str s)
{
    if (!lend && s.len) {
        s.p = mu__arena_memdup(a, s.p, s.len);
        if (!s.p) {
            mu__reader_fail(r);
            s.len = 0;
        }
    }
    return s;
}

/* ---- Entries ---- */

/* One entry, encoded already. */
static void write_encoded(struct mu__writer *w, struct mu_str kind, struct mu_str entry)
{
    if (entry.len == 0) {
        mu__mp_write_nil(w);
    } else if (is_proxy(kind)) {
        mu__mp_write_raw(w, entry.p, entry.len);
    } else {
        mu__write_bytes(w, entry.p, entry.len);
    }
}

static void write_entry(struct mu__writer *w, const struct catalog_config_entry *e)
{
    const struct mu__schema *schema = catalog_config_schema(e->kind);
    if (!schema) {
        mu__mp_write_nil(w);
    } else if (is_proxy(e->kind)) {
        struct mu__writer inner = mu__writer_growing(&mu__malloc_allocator);
        mu__schema_encode(schema, e, &inner);
        write_wrapped(w, &inner);
    } else {
        mu__schema_encode(schema, e, w);
    }
}

/* The kind that an entry itself names. */
static struct mu_str kind_within(struct mu__reader r)
{
    struct mu_str kind = {NULL, 0};
    if (mu__mp_peek(&r) != MU_MP_MAP) {
        return kind;
    }
    for (size_t n = mu__mp_read_map(&r); n > 0 && !r.failed; n--) {
        if (mu__str_is(mu__mp_read_bytes(&r), "Kind")) {
            return mu__mp_read_bytes(&r);
        }
        mu__mp_skip(&r);
    }
    return kind;
}

static struct catalog_config_entry *read_map(struct mu__reader *r, struct mu__arena *a, bool lend,
                                             struct mu_str kind)
{
    const struct mu__schema *schema = catalog_config_schema(kind.len ? kind : kind_within(*r));
    struct catalog_config_entry *e = schema ? mu__arena_calloc(a, 1, schema->size) : NULL;
    if (!e) {
        mu__reader_fail(r);
        return NULL;
    }
    mu__schema_decode(schema, r, a, lend, e);
    return r->failed ? NULL : e;
}

static struct catalog_config_entry *read_entry(struct mu__reader *r, struct mu__arena *a, bool lend,
                                               struct mu_str kind)
{
    if (mu__mp_peek(r) != MU_MP_RAW && mu__mp_peek(r) != MU_MP_BIN) {
        return read_map(r, a, lend, kind);
    }
    struct mu__reader inner = unwrap(r);
    struct catalog_config_entry *e = read_map(&inner, a, lend, kind);
    return done(r, &inner) ? e : NULL;
}

/* ---- Requests ---- */

static void write_request(struct mu__writer *w, const void *obj)
{
    const struct catalog_config_request *q = obj;
    struct mu__writer inner = mu__writer_growing(&mu__malloc_allocator);
    mu__mp_write_raw(&inner, q->kind.p, q->kind.len);
    mu__mp_write_map(&inner, 4);
    mu__mp_write_cstr(&inner, "Datacenter");
    mu__mp_write_raw(&inner, q->datacenter.p, q->datacenter.len);
    mu__mp_write_cstr(&inner, "Entry");
    write_encoded(&inner, q->kind, q->entry);
    mu__mp_write_cstr(&inner, "Op");
    mu__mp_write_raw(&inner, q->op.p, q->op.len);
    mu__mp_write_cstr(&inner, "Token");
    mu__mp_write_raw(&inner, q->token.p, q->token.len);
    write_wrapped(w, &inner);
}

static bool read_request(struct mu__reader *r, struct mu__arena *a, bool lend, void *obj)
{
    struct catalog_config_request *q = obj;
    struct mu__reader inner = unwrap(r);
    struct mu_str kind = kept(&inner, a, lend, mu__mp_read_str(&inner));
    mu__schema_decode(&catalog__config_request_schema, &inner, a, lend, q);
    q->kind = kind;
    if (is_proxy(kind) && q->entry.len) {
        struct mu__reader wrapped = mu__reader(q->entry.p, q->entry.len);
        if (mu__mp_peek(&wrapped) == MU_MP_RAW) {
            q->entry = mu__mp_read_str(&wrapped);
        }
        inner.failed = inner.failed || wrapped.failed;
    }
    return done(r, &inner);
}

const struct wire_codec config_request_codec = {write_request, read_request};

/* ---- One entry ---- */

static void write_reply(struct mu__writer *w, const void *obj)
{
    const struct catalog_config_reply *reply = obj;
    struct mu__writer inner = mu__writer_growing(&mu__malloc_allocator);
    if (reply->entry) {
        mu__mp_write_raw(&inner, reply->entry->kind.p, reply->entry->kind.len);
        write_entry(&inner, reply->entry);
    } else {
        mu__mp_write_cstr(&inner, "");
    }
    mu__schema_encode(&meta_schema, &reply->meta, &inner);
    write_wrapped(w, &inner);
}

static bool read_reply(struct mu__reader *r, struct mu__arena *a, bool lend, void *obj)
{
    struct catalog_config_reply *reply = obj;
    struct mu__reader inner = unwrap(r);
    struct mu_str kind = mu__mp_read_str(&inner);
    if (kind.len) {
        reply->entry = read_entry(&inner, a, lend, kind);
    }
    mu__schema_decode(&meta_schema, &inner, a, lend, &reply->meta);
    return done(r, &inner);
}

const struct wire_codec config_reply_codec = {write_reply, read_reply};

/* ---- Lists ---- */

/* Consul says nothing but the number of an empty list. We go on: its readers stop there, ours learn
 * the index. */
static void write_list(struct mu__writer *w, const void *obj)
{
    const struct catalog_indexed_config_entries *reply = obj;
    const struct catalog_query_meta *m = &reply->meta;
    struct mu__writer inner = mu__writer_growing(&mu__malloc_allocator);
    mu__mp_write_uint(&inner, reply->entries.len);
    mu__mp_write_raw(&inner, reply->kind.p, reply->kind.len);
    mu__mp_write_map(&inner, 6);
    mu__mp_write_cstr(&inner, "ConsistencyLevel");
    mu__mp_write_raw(&inner, m->consistency_level.p, m->consistency_level.len);
    mu__mp_write_cstr(&inner, "Entries");
    mu__mp_write_array(&inner, reply->entries.len);
    for (size_t i = 0; i < reply->entries.len; i++) {
        write_entry(&inner, reply->entries.items[i]);
    }
    mu__mp_write_cstr(&inner, "Index");
    mu__mp_write_uint(&inner, m->index);
    mu__mp_write_cstr(&inner, "Kind");
    mu__mp_write_raw(&inner, reply->kind.p, reply->kind.len);
    mu__mp_write_cstr(&inner, "KnownLeader");
    mu__mp_write_bool(&inner, m->known_leader);
    mu__mp_write_cstr(&inner, "LastContact");
    mu__mp_write_int(&inner, m->last_contact_ns);
    write_wrapped(w, &inner);
}

static void read_entries(struct mu__reader *r, struct mu__arena *a, bool lend, struct mu_str kind,
                         struct mu_list *out)
{
    size_t n = mu__mp_read_array(r);
    out->items = mu__arena_calloc(a, n + 1, sizeof *out->items);
    if (!out->items) {
        mu__reader_fail(r);
        return;
    }
    for (out->len = 0; out->len < n && !r->failed; out->len++) {
        out->items[out->len] = read_entry(r, a, lend, kind);
    }
}

static bool read_list(struct mu__reader *r, struct mu__arena *a, bool lend, void *obj)
{
    struct catalog_indexed_config_entries *reply = obj;
    struct mu__reader inner = unwrap(r);
    reply->entries.items = mu__arena_calloc(a, 1, sizeof *reply->entries.items);
    bool is_empty = mu__mp_read_uint(&inner, UINT32_MAX) == 0;
    if (!reply->entries.items || (is_empty && mu__reader_left(&inner) == 0)) {
        return done(r, &inner) && reply->entries.items;
    }
    reply->kind = kept(&inner, a, lend, mu__mp_read_str(&inner));
    struct mu__reader again = inner;
    mu__schema_decode(&meta_schema, &again, a, lend, &reply->meta);
    for (size_t n = mu__mp_read_map(&inner); n > 0 && !inner.failed; n--) {
        if (mu__str_is(mu__mp_read_bytes(&inner), "Entries")) {
            read_entries(&inner, a, lend, reply->kind, &reply->entries);
        } else {
            mu__mp_skip(&inner);
        }
    }
    return done(r, &inner);
}

const struct wire_codec config_list_codec = {write_list, read_list};

/* ---- All kinds: a number, so many kinds with their entries, the meta ---- */

static void write_all(struct mu__writer *w, const void *obj)
{
    const struct catalog_indexed_config_entries *reply = obj;
    struct mu__writer inner = mu__writer_growing(&mu__malloc_allocator);
    mu__mp_write_uint(&inner, reply->entries.len);
    for (size_t i = 0; i < reply->entries.len; i++) {
        const struct catalog_config_entry *e = reply->entries.items[i];
        mu__mp_write_raw(&inner, e->kind.p, e->kind.len);
        write_entry(&inner, e);
    }
    mu__schema_encode(&meta_schema, &reply->meta, &inner);
    write_wrapped(w, &inner);
}

static bool read_all(struct mu__reader *r, struct mu__arena *a, bool lend, void *obj)
{
    struct catalog_indexed_config_entries *reply = obj;
    struct mu__reader inner = unwrap(r);
    /* An entry takes two bytes at least */
    uint64_t n = mu__mp_read_uint(&inner, mu__reader_left(&inner) / 2);
    reply->entries.items = inner.failed ? NULL : mu__arena_calloc(a, n + 1, sizeof(void *));
    if (!reply->entries.items) {
        mu__reader_fail(r);
        return false;
    }
    for (reply->entries.len = 0; reply->entries.len < n && !inner.failed; reply->entries.len++) {
        struct mu_str kind = mu__mp_read_str(&inner);
        reply->entries.items[reply->entries.len] = read_entry(&inner, a, lend, kind);
    }
    mu__schema_decode(&meta_schema, &inner, a, lend, &reply->meta);
    return done(r, &inner);
}

const struct wire_codec config_all_codec = {write_all, read_all};

/* ---- What a proxy is told ---- */

static void write_service_config(struct mu__writer *w, const void *obj)
{
    struct mu__writer inner = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(&catalog__service_config_schema, obj, &inner);
    write_wrapped(w, &inner);
}

static bool read_service_config(struct mu__reader *r, struct mu__arena *a, bool lend, void *obj)
{
    struct mu__reader inner = unwrap(r);
    mu__schema_decode(&catalog__service_config_schema, &inner, a, lend, obj);
    return done(r, &inner);
}

const struct wire_codec service_config_codec = {write_service_config, read_service_config};
