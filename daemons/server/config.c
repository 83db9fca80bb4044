/* config.c - what a server does with calls about config entries before the store sees them, and
 * discovery chains. */
#include "ca_plan.h"
#include "route.h"

#include "msgpack.h"
#include "rpc/endpoints.h"

#include <stdio.h>
#include <string.h>

/* Where there has never been an authority whose domain it could be (docs/differences.md). */
#define NO_TRUST_DOMAIN "00000000-0000-0000-0000-000000000000.consul"

static void *arena_alloc(void *user, size_t size)
{
    return mu__arena_alloc(user, size);
}

static void arena_free(void *user, void *p)
{
    (void)user; /* goes with the call */
    (void)p;
}

static const char *unknown_kind(struct mu_str kind, char *reason, size_t size)
{
    snprintf(reason, size, "invalid config entry kind: %.*s", (int)mu__min(kind.len, 256), kind.p);
    return reason;
}

static bool encode(struct mu__arena *a, const struct mu__schema *schema, const void *entry,
                   struct mu_str *out)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(schema, entry, &w);
    const char *copy = w.failed ? NULL : mu__arena_memdup(a, w.data, w.len);
    *out = (struct mu_str){copy, copy ? w.len : 0};
    mu__writer_fini(&w);
    return copy != NULL;
}

const char *route__prepare_config(struct call *c, char *reason, size_t size)
{
    struct catalog_config_request *q = c->request;
    const struct mu_allocator room = {&c->arena, arena_alloc, NULL, arena_free};
    const struct mu__schema *schema = catalog_config_schema(q->kind);
    struct mu__reader in = mu__reader(q->entry.p, q->entry.len);
    if (!schema) {
        return unknown_kind(q->kind, reason, size);
    }
    struct catalog_config_entry *entry = mu__arena_calloc(&c->arena, 1, schema->size);
    if (!entry) {
        return "out of memory";
    }
    if (q->entry.len == 0 || !mu__schema_decode(schema, &in, &c->arena, true, entry)) {
        return "failed to decode request";
    }
    entry->kind = q->kind;
    if (c->endpoint == &endpoints[ENDPOINT_CONFIG_ENTRY_DELETE]) {
        q->op = mu__cstr(CATALOG_CONFIG_DELETE);
        return NULL;
    }
    if (!mu__str_eq(q->op, mu__cstr(CATALOG_CONFIG_UPSERT_CAS))) {
        q->op = mu__cstr(CATALOG_CONFIG_UPSERT);
    }
    const char *refused = catalog_config_prepare(q->kind, entry, &room, reason, size);
    if (refused) {
        return refused;
    }
    return encode(&c->arena, schema, entry, &q->entry) ? NULL : "out of memory";
}

const char *route__check_config_read(const struct call *c, char *reason, size_t size)
{
    bool is_list = c->endpoint == &endpoints[ENDPOINT_CONFIG_ENTRY_LIST];
    if (!is_list && c->endpoint != &endpoints[ENDPOINT_CONFIG_ENTRY_GET]) {
        return NULL;
    }
    const struct catalog_config_query *q = c->request;
    bool is_all = is_list && q->kind.len == 0;
    return is_all || catalog_config_schema(q->kind) ? NULL : unknown_kind(q->kind, reason, size);
}

int route__query_chain(const struct route *r, struct catalog_reader *reader, void *reply,
                       struct catalog_watch_keys *keys, char *reason, size_t size)
{
    const struct catalog_ca_config *ca = catalog_find_ca_config(reader);
    const char *domain = ca ? ca_trust_domain(ca->cluster_id, &r->call->arena) : NO_TRUST_DOMAIN;
    if (!ca && r->front->server->config->connect.enabled) { /* it is about to come */
        snprintf(reason, size, "no cluster ca config setup");
        return CATALOG_EINVAL;
    }
    return domain ? catalog_query_chain(reader, r->call->request, mu__cstr(domain), reply, keys,
                                        reason, size)
                  : CATALOG_ENOMEM;
}
