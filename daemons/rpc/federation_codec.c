#include "federation_codec.h"

#include "msgpack.h"
#include "types.h"
#include "types_federation.h"

#include <string.h>

/* ConsistencyLevel, DatacenterNodes, Index, KnownLeader, LastContact */
static void write_nodes(struct mu__writer *w, const void *obj)
{
    const struct catalog_datacenter_nodes *reply = obj;
    const struct catalog_query_meta *m = &reply->meta;
    mu__mp_write_map(w, 5);
    mu__mp_write_cstr(w, "ConsistencyLevel");
    mu__mp_write_raw(w, m->consistency_level.p, m->consistency_level.len);
    mu__mp_write_cstr(w, "DatacenterNodes");
    mu__mp_write_map(w, reply->datacenters.len);
    for (size_t i = 0; i < reply->datacenters.len; i++) {
        const struct mu_named *dc = &reply->datacenters.items[i];
        const struct mu_list *nodes = dc->value;
        mu__mp_write_raw(w, dc->key.p, dc->key.len);
        mu__mp_write_array(w, nodes->len);
        for (size_t k = 0; k < nodes->len; k++) {
            mu__schema_encode(&catalog__check_service_node_schema, nodes->items[k], w);
        }
    }
    mu__mp_write_cstr(w, "Index");
    mu__mp_write_uint(w, m->index);
    mu__mp_write_cstr(w, "KnownLeader");
    mu__mp_write_bool(w, m->known_leader);
    mu__mp_write_cstr(w, "LastContact");
    mu__mp_write_int(w, m->last_contact_ns);
}

static struct mu_list *read_nodes(struct mu__reader *r, struct mu__arena *a, bool lend)
{
    struct mu_list *l = mu__arena_calloc(a, 1, sizeof *l);
    bool is_nil = mu__mp_peek(r) == MU_MP_NIL;
    size_t n = 0;
    if (is_nil) {
        mu__mp_skip(r);
    } else {
        n = mu__mp_read_array(r);
    }
    if (l) {
        l->items = mu__arena_calloc(a, n + 1, sizeof *l->items);
    }
    if (!l || !l->items) {
        mu__reader_fail(r);
        return NULL;
    }
    for (; l->len < n && !r->failed; l->len++) {
        const struct mu__schema *s = &catalog__check_service_node_schema;
        l->items[l->len] = mu__arena_calloc(a, 1, s->size);
        if (!l->items[l->len] || !mu__schema_decode(s, r, a, lend, l->items[l->len])) {
            mu__reader_fail(r);
        }
    }
    return l;
}

static void read_map(struct mu__reader *r, struct mu__arena *a, bool lend, struct mu_structmap *out)
{
    size_t n = mu__mp_read_map(r);
    out->items = r->failed ? NULL : mu__arena_calloc(a, n + 1, sizeof *out->items);
    if (!out->items) {
        mu__reader_fail(r);
        return;
    }
    for (out->len = 0; out->len < n && !r->failed; out->len++) {
        struct mu_str key = mu__mp_read_str(r);
        char *copy = mu__arena_memdup(a, key.p ? key.p : "", key.len + !key.len);
        if (!copy) {
            mu__reader_fail(r);
        }
        out->items[out->len] = (struct mu_named){{copy, key.len}, read_nodes(r, a, lend)};
    }
}

static bool read_reply(struct mu__reader *r, struct mu__arena *a, bool lend, void *obj)
{
    struct catalog_datacenter_nodes *reply = obj;
    struct mu__reader again = *r;
    mu__schema_decode(&catalog__datacenter_nodes_schema, &again, a, lend, reply);
    reply->datacenters = (struct mu_structmap){NULL, 0};
    for (size_t n = mu__mp_read_map(r); n > 0 && !r->failed; n--) {
        bool is_map = mu__str_is(mu__mp_read_bytes(r), "DatacenterNodes");
        if (is_map && mu__mp_peek(r) == MU_MP_MAP) {
            read_map(r, a, lend, &reply->datacenters);
        } else {
            mu__mp_skip(r);
        }
    }
    return !r->failed && !again.failed;
}

const struct wire_codec datacenter_nodes_codec = {write_nodes, read_reply};
