/* routes_ui.c - what the web UI reads: nodes with all that is on them, and a line for each service
 * (http-api 9.4). */
#include "routes.h"

#include "encode.h"
#include "options.h"
#include "routes_ui.h"
#include "rpc/endpoints.h"

#include <muster/catalog_dump.h>
#include <stdlib.h>
#include <string.h>

/* ---- Nodes ---- */

struct mu__schema *ui_vary_schema(struct http_request *r, const struct mu__schema *s,
                                  const char *field, const struct mu__schema *sub)
{
    struct mu__schema *copy = s ? mu__arena_memdup(&r->arena, s, sizeof *s) : NULL;
    struct mu__field *fields =
        copy ? mu__arena_memdup(&r->arena, s->fields, s->nfields * sizeof *fields) : NULL;
    for (size_t i = 0; fields && i < s->nfields; i++) {
        if (strcmp(fields[i].name, field) == 0) {
            fields[i].flags &= sub ? ~0u : ~(unsigned)MU_F_EMPTY_NOT_NULL;
            fields[i].sub = sub ? sub : fields[i].sub;
        }
    }
    if (copy) {
        copy->fields = fields;
    }
    return fields ? copy : NULL;
}

/* Here alone, tags that were never given are null. */
static const struct mu__schema *node_schema(struct http_request *r)
{
    const struct mu__schema *service =
        ui_vary_schema(r, catalog_schema(CATALOG_NODE_SERVICE), "Tags", NULL);
    const struct mu__schema *check =
        ui_vary_schema(r, catalog_schema(CATALOG_CHECK), "ServiceTags", NULL);
    const struct mu__schema *s =
        service && check ? ui_vary_schema(r, catalog_node_info_schema(), "Services", service)
                         : NULL;
    s = s ? ui_vary_schema(r, s, "Checks", check) : NULL;
    return s ? s : catalog_node_info_schema();
}

static void encode_nodes(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_node_dump *reply = c->reply;
    encode_list(r, &reply->dump, node_schema(r));
}

void route_ui_nodes(struct http_request *r)
{
    if (read_call(r, &endpoints[ENDPOINT_INTERNAL_NODE_DUMP], encode_nodes) &&
        read_filter(r, catalog_node_info_schema())) {
        http_call_start(r);
    }
}

static void encode_node(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_node_dump *reply = c->reply;
    if (reply->dump.len == 0) {
        http_drop_headers(r); /* an unknown node has no index */
        http_reply_empty(r, 404);
        return;
    }
    struct mu__json j = http_json(r);
    mu__json_value(&j, node_schema(r), reply->dump.items[0]);
    http_reply_json(r, &j, 200);
}

void route_ui_node(struct http_request *r)
{
    struct catalog_node_request *q =
        read_call(r, &endpoints[ENDPOINT_INTERNAL_NODE_INFO], encode_node);
    if (q && read_name(r, &q->node, "Missing node name")) {
        http_call_start(r);
    }
}

/* ---- Services ---- */

static int compare_strs(const void *a, const void *b)
{
    return mu__str_cmp(*(const struct mu_str *)a, *(const struct mu_str *)b);
}

/* Sorts, and drops repetitions if they are not wanted. */
static void sort_strs(struct mu_strs *s, bool unique)
{
    size_t kept = 0;
    if (s->len == 0) {
        return;
    }
    qsort(s->items, s->len, sizeof *s->items, compare_strs);
    for (size_t i = 0; i < s->len; i++) {
        if (!unique || kept == 0 || !mu__str_eq(s->items[kept - 1], s->items[i])) {
            s->items[kept++] = s->items[i];
        }
    }
    s->len = kept;
}

/* Texts of all instances of a group; nil if there are none. */
typedef struct mu_strs (*texts_fn)(const struct catalog_check_service_node *n,
                                   struct mu_str room[1]);

static struct mu_strs one(struct mu_str s, struct mu_str room[1])
{
    room[0] = s;
    return (struct mu_strs){room, s.len > 0};
}

static struct mu_strs node_of(const struct catalog_check_service_node *n, struct mu_str room[1])
{
    return one(n->node->node, room);
}

static struct mu_strs tags_of(const struct catalog_check_service_node *n, struct mu_str room[1])
{
    (void)room;
    return n->service->tags;
}

static struct mu_strs proxied_by(const struct catalog_check_service_node *n, struct mu_str room[1])
{
    bool is_proxy = mu__str_eq(n->service->kind, mu__cstr("connect-proxy"));
    return one(is_proxy ? n->service->proxy.destination_service_name : (struct mu_str){NULL, 0},
               room);
}

static struct mu_strs source_of(const struct catalog_check_service_node *n, struct mu_str room[1])
{
    for (size_t i = 0; i < n->service->meta.len; i++) {
        if (mu__str_eq(n->service->meta.items[i].key, mu__cstr("external-source"))) {
            return one(n->service->meta.items[i].value, room);
        }
    }
    return (struct mu_strs){NULL, 0};
}

/* False when out of memory. */
static bool gather(struct http_request *r, const struct ui_service *g, texts_fn texts, bool unique,
                   struct mu_strs *out)
{
    struct mu_str room[1];
    size_t total = 0;
    *out = (struct mu_strs){NULL, 0};
    for (size_t i = 0; i < g->len; i++) {
        total += texts(g->items[i], room).len;
    }
    if (total == 0) {
        return true;
    }
    out->items = mu__arena_calloc(&r->arena, total, sizeof *out->items);
    for (size_t i = 0; out->items && i < g->len; i++) {
        struct mu_strs more = texts(g->items[i], room);
        for (size_t k = 0; k < more.len; k++) {
            out->items[out->len++] = more.items[k];
        }
    }
    sort_strs(out, unique);
    return out->items != NULL;
}

static void say_strs(struct mu__json *j, const char *key, struct mu_strs s)
{
    mu__json_ckey(j, key);
    mu__json_strs(j, s);
}

static uint64_t count_checks(const struct ui_service *g, const char *status)
{
    uint64_t n = 0;
    for (size_t i = 0; i < g->len; i++) {
        for (size_t k = 0; k < g->items[i]->checks.len; k++) {
            const struct catalog_check *check = g->items[i]->checks.items[k];
            n += mu__str_eq(check->status, mu__cstr(status));
        }
    }
    return n;
}

static void say_count(struct mu__json *j, const char *key, uint64_t n)
{
    mu__json_ckey(j, key);
    mu__json_uint(j, n);
}

bool ui_say_service(struct http_request *r, struct mu__json *j, const struct ui_service *g)
{
    struct mu_strs nodes, tags, proxied, sources;
    const struct catalog_node_service *last = g->len ? g->items[g->len - 1]->service : NULL;
    if (!gather(r, g, node_of, false, &nodes) || !gather(r, g, tags_of, true, &tags) ||
        !gather(r, g, proxied_by, true, &proxied) || !gather(r, g, source_of, true, &sources)) {
        return false;
    }
    mu__json_item(j);
    mu__json_object(j);
    if (last && last->kind.len) {
        mu__json_ckey(j, "Kind");
        mu__json_str(j, last->kind);
    }
    mu__json_ckey(j, "Name");
    mu__json_str(j, last ? last->service : g->name);
    say_strs(j, "Tags", tags);
    say_strs(j, "Nodes", nodes);
    say_count(j, "InstanceCount", g->len);
    if (proxied.len) {
        say_strs(j, "ProxyFor", proxied);
    }
    say_count(j, "ChecksPassing", count_checks(g, "passing"));
    say_count(j, "ChecksWarning", count_checks(g, "warning"));
    say_count(j, "ChecksCritical", count_checks(g, "critical"));
    say_strs(j, "ExternalSources", sources);
    mu__json_ckey(j, "GatewayConfig");
    mu__json_object(j);
    if (g->addresses.len) {
        say_strs(j, "Addresses", g->addresses);
    }
    mu__json_object_end(j);
    mu__json_object_end(j);
    return true;
}

static int compare_instances(const void *a, const void *b)
{
    const struct catalog_check_service_node *x = *(void *const *)a, *y = *(void *const *)b;
    int c = mu__str_cmp(x->service->service, y->service->service);
    c = c ? c : mu__str_cmp(x->node->node, y->node->node);
    return c ? c : mu__str_cmp(x->service->id, y->service->id);
}

/* Those that pass the filter, by name. */
static struct ui_service sorted(struct http_request *r, const struct mu_list *l)
{
    struct catalog_check_service_node **items =
        mu__arena_calloc(&r->arena, l->len + 1, sizeof *items);
    size_t n = 0;
    for (size_t i = 0; items && i < l->len; i++) {
        if (!r->filter || filter_match(r->filter, l->items[i])) {
            items[n++] = l->items[i];
        }
    }
    if (n) {
        qsort(items, n, sizeof *items, compare_instances);
    }
    return (struct ui_service){.items = items, .len = n};
}

static void encode_services(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_check_service_nodes *reply = c->reply;
    struct ui_service all = sorted(r, &reply->nodes);
    bool ok = all.items != NULL;
    struct mu__json j = http_json(r);
    mu__json_list(&j);
    for (size_t at = 0; ok && at < all.len;) {
        struct ui_service g = {.items = all.items + at, .len = 1};
        while (at + g.len < all.len &&
               mu__str_eq(g.items[0]->service->service, g.items[g.len]->service->service)) {
            g.len++;
        }
        ok = ui_say_service(r, &j, &g);
        at += g.len;
    }
    mu__json_list_end(&j);
    if (ok) {
        http_reply_json(r, &j, 200);
    } else {
        http_reply_empty(r, 500);
    }
}

void route_ui_services(struct http_request *r)
{
    if (read_call(r, &endpoints[ENDPOINT_INTERNAL_SERVICE_DUMP], encode_services) &&
        read_filter(r, catalog_schema(CATALOG_CHECK_SERVICE_NODE))) {
        http_call_start(r);
    }
}
