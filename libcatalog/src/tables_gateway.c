#include "tables_gateway.h"

#include <stdlib.h>
#include <string.h>

#include "key.h"
#include "planted.h"
#include "tables_config.h"
#include "touched.h"
#include "types_gateway.h"

static bool is_ingress(struct mu_str kind)
{
    return mu__str_eq(kind, mu__cstr(CATALOG_KIND_INGRESS_GATEWAY));
}

/* ---- Keys ---- */

/* A port in a key: the digits of its zigzag varint, which is how the original sorts them; nothing
 * for 0. */
struct port_text {
    char digits[21];
};

static struct mu_str port_text(struct port_text *t, int64_t port)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t left = ((uint64_t)port << 1) ^ (port < 0 ? UINT64_MAX : 0);
    size_t n = 0;
    while (left) {
        uint8_t byte = (uint8_t)(left & 0x7f) | (left > 0x7f ? 0x80 : 0);
        t->digits[n++] = hex[byte >> 4];
        t->digits[n++] = hex[byte & 15];
        left >>= 7;
    }
    return (struct mu_str){t->digits, n};
}

static const struct catalog_gateway_service *
get(const struct catalog__version *v, struct mu_str gateway, struct mu_str service, int64_t port)
{
    struct port_text room;
    struct catalog__key key;
    catalog__key_join(&key, (const struct mu_str[]){gateway, service, port_text(&room, port)}, 3,
                      false);
    return catalog__radix_get(v->root[CATALOG__GATEWAY_SERVICES], catalog__key_str(&key));
}

/* ---- Single records ---- */

static void changed(struct catalog *c, const struct catalog_gateway_service *s)
{
    catalog__table_changed(c, CATALOG__TABLE_GATEWAYS);
    catalog__touch_name(c, CATALOG__WATCH_GATEWAY, s->gateway.name);
    if (!CATALOG__PLANTED(WAKE_MISSED_GATEWAY)) {
        catalog__touch_name(c, CATALOG__WATCH_BEHIND, s->service.name);
    }
}

static void store(struct catalog *c, const struct catalog_gateway_service *s)
{
    struct port_text room;
    const struct mu_str port = port_text(&room, s->port);
    struct catalog_gateway_service *record = catalog__clone(c, &catalog__gateway_service_schema, s);
    const struct catalog_gateway_service *old = catalog__tree_put(
        c, CATALOG__GATEWAY_SERVICES,
        (const struct mu_str[]){s->gateway.name, s->service.name, port}, 3, record);
    if (!c->is_void) {
        catalog__tree_put(c, CATALOG__GATEWAYS_BY_SERVICE,
                          (const struct mu_str[]){s->service.name, s->gateway.name, port}, 3,
                          record);
        c->draft->count[CATALOG__TABLE_GATEWAYS] += !old;
    }
    catalog__discard(c, old);
}

static void put(struct catalog *c, struct catalog_gateway_service s)
{
    const struct catalog_gateway_service *before =
        get(c->draft, s.gateway.name, s.service.name, s.port);
    s.create_index = before ? before->create_index : c->index;
    s.modify_index = before ? before->modify_index : c->index;
    if (before && mu__schema_equal(&catalog__gateway_service_schema, before, &s)) {
        return;
    }
    s.modify_index = c->index;
    changed(c, &s);
    store(c, &s);
}

static void take_out(struct catalog *c, const struct catalog_gateway_service *s)
{
    struct port_text room;
    const struct mu_str port = port_text(&room, s->port);
    changed(c, s);
    catalog__tree_remove(c, CATALOG__GATEWAYS_BY_SERVICE,
                         (const struct mu_str[]){s->service.name, s->gateway.name, port}, 3);
    const void *gone =
        catalog__tree_remove(c, CATALOG__GATEWAY_SERVICES,
                             (const struct mu_str[]){s->gateway.name, s->service.name, port}, 3);
    if (!c->is_void) {
        c->draft->count[CATALOG__TABLE_GATEWAYS]--;
    }
    catalog__discard(c, gone);
}

bool catalog__restore_gateway_service(struct catalog *c, const struct catalog_gateway_service *s)
{
    if (!catalog__is_name(s->service.name) || s->service.name.len == 0 ||
        !catalog__get_config(c->draft, s->gateway_kind, s->gateway.name)) {
        return false;
    }
    store(c, s);
    return true;
}

/* ---- What "*" stands for ---- */

static bool is_linked(const struct catalog__instance *i)
{
    return i->service.kind.len == 0 && !mu__str_eq(i->service.service, mu__cstr("consul")) &&
           !catalog__is_wildcard(i->service.service);
}

/* The first instance of the service that "*" links; NULL: there is none. */
static const struct catalog__instance *linked_instance(struct catalog *c, struct mu_str service)
{
    struct catalog__radix_iter it;
    const struct catalog__instance *i;
    catalog__below(&it, &c->allocator, c->draft, CATALOG__SERVICES_BY_NAME, &service, 1);
    do {
        i = catalog__radix_next(&it);
    } while (i && !is_linked(i));
    c->is_void |= it.failed;
    catalog__radix_end(&it);
    return i;
}

static struct catalog_gateway_service expand(const struct catalog_gateway_service *wildcard,
                                             struct mu_str service)
{
    struct catalog_gateway_service s = *wildcard;
    s.service.name = service;
    s.from_wildcard = true;
    return s;
}

void catalog__gateways_follow(struct catalog *c, struct mu_str service)
{
    static const struct mu_str all = {"*", 1};
    if (c->is_quiet || !c->draft->root[CATALOG__GATEWAYS_BY_SERVICE]) {
        return;
    }
    struct catalog__found wildcards = catalog__gather(c, CATALOG__GATEWAYS_BY_SERVICE, &all, 1);
    const struct catalog__instance *i = wildcards.len ? linked_instance(c, service) : NULL;
    for (size_t n = 0; n < wildcards.len && !c->is_void; n++) {
        const struct catalog_gateway_service *w = wildcards.items[n];
        const struct catalog_gateway_service *now =
            get(c->draft, w->gateway.name, service, w->port);
        if (now && !now->from_wildcard) {
            continue; /* what the entry names is as it says */
        }
        if (i && (now || !CATALOG__PLANTED(WILDCARD_MISSES_SERVICE))) {
            put(c, expand(w, i->service.service));
        } else if (!i && now) {
            take_out(c, now);
        }
    }
}

/* ---- What an entry says ---- */

struct link {
    struct mu_str key;
    size_t order; /* of two with one key the later one counts */
    struct catalog_gateway_service service;
};

struct links {
    struct catalog *c;
    struct link *items;
    size_t len, cap;
};

static void add_link(struct links *l, const struct catalog_gateway_service *s)
{
    struct port_text room;
    struct catalog__key key;
    struct mu_str names[] = {s->gateway.name, s->service.name, port_text(&room, s->port)};
    if (!catalog__is_name(s->service.name)) {
        return; /* of an old snapshot: entries of the log are looked at before */
    }
    catalog__key_join(&key, names, 3, false);
    char *copy = mu__arena_memdup(&l->c->scratch, key.bytes, key.len);
    if (!copy ||
        !mu__reserve(&l->c->allocator, (void **)&l->items, &l->cap, l->len + 1, sizeof *l->items)) {
        l->c->is_void = true;
        return;
    }
    l->items[l->len] = (struct link){{copy, key.len}, l->len, *s};
    l->len++;
}

/* All services, each once. */
static void add_expanded(struct links *l, const struct catalog_gateway_service *wildcard)
{
    struct catalog *c = l->c;
    struct catalog__radix_iter it;
    struct mu_str last = {NULL, 0};
    catalog__below(&it, &c->allocator, c->draft, CATALOG__SERVICES_BY_NAME, NULL, 0);
    for (const struct catalog__instance *i; !c->is_void && (i = catalog__radix_next(&it));) {
        if (is_linked(i) && !mu__str_ieq(i->service.service, last)) {
            last = i->service.service;
            struct catalog_gateway_service s = expand(wildcard, last);
            add_link(l, &s);
        }
    }
    c->is_void |= it.failed;
    catalog__radix_end(&it);
}

typedef void (*add_fn)(struct links *l, const struct catalog_gateway_service *s);

static void each_ingress(struct links *l, const struct catalog_ingress_gateway *e, add_fn named,
                         add_fn wildcard)
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
            (catalog__is_wildcard(to->name) ? wildcard : named)(l, &s);
        }
    }
}

static void each_terminating(struct links *l, const struct catalog_terminating_gateway *e,
                             add_fn named, add_fn wildcard)
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
        (catalog__is_wildcard(to->name) ? wildcard : named)(l, &s);
    }
}

static void each_link(struct links *l, const struct catalog_config_entry *e, add_fn named,
                      add_fn wildcard)
{
    const void *entry = e;
    if (is_ingress(e->kind)) {
        each_ingress(l, entry, named, wildcard);
    } else {
        each_terminating(l, entry, named, wildcard);
    }
}

static void skip(struct links *l, const struct catalog_gateway_service *s)
{
    (void)l, (void)s;
}

static int by_key(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    int c = mu__str_cmp(x->key, y->key);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Sorted; first what "*" stands for, so that what is named goes before it. */
static void read_links(struct links *l, const struct catalog_config_entry *e)
{
    each_link(l, e, skip, add_expanded);
    each_link(l, e, add_link, add_link);
    if (l->len == 0) {
        return;
    }
    qsort(l->items, l->len, sizeof *l->items, by_key);
    size_t kept = 0;
    for (size_t i = 0; i < l->len; i++) {
        if (i + 1 == l->len || !mu__str_eq(l->items[i].key, l->items[i + 1].key)) {
            l->items[kept++] = l->items[i];
        }
    }
    l->len = kept;
}

/* Takes out those before the key, and goes past the one that has it. NULL: behind all. */
static void drop_before(struct catalog *c, const struct catalog__found *now, size_t *at,
                        const struct mu_str *key)
{
    for (; *at < now->len && !c->is_void; ++*at) {
        const struct catalog_gateway_service *s = now->items[*at];
        struct port_text room;
        struct catalog__key k;
        struct mu_str names[] = {s->gateway.name, s->service.name, port_text(&room, s->port)};
        catalog__key_join(&k, names, 3, false);
        int order = key ? mu__str_cmp(catalog__key_str(&k), *key) : -1;
        if (order >= 0) {
            *at += order == 0;
            return;
        }
        take_out(c, s);
    }
}

void catalog__gateway_changed(struct catalog *c, struct mu_str kind, struct mu_str name,
                              const struct catalog_config_entry *entry)
{
    bool is_gateway =
        is_ingress(kind) || mu__str_eq(kind, mu__cstr(CATALOG_KIND_TERMINATING_GATEWAY));
    if (c->is_quiet || c->is_void || !is_gateway ||
        (!entry && CATALOG__PLANTED(GATEWAY_SERVICES_STAY))) {
        return;
    }
    struct links wanted = {.c = c};
    if (entry) {
        read_links(&wanted, entry);
    }
    struct catalog__found now = catalog__gather(c, CATALOG__GATEWAY_SERVICES, &name, 1);
    size_t at = 0;
    for (size_t i = 0; i < wanted.len && !c->is_void; i++) {
        drop_before(c, &now, &at, &wanted.items[i].key);
        put(c, wanted.items[i].service);
    }
    drop_before(c, &now, &at, NULL);
    mu__free(&c->allocator, wanted.items);
}

void catalog__link_gateways(struct catalog *c)
{
    static const char *const kinds[] = {CATALOG_KIND_INGRESS_GATEWAY,
                                        CATALOG_KIND_TERMINATING_GATEWAY};
    c->index = c->draft->index;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct mu_str kind = mu__cstr(kinds[k]);
        struct catalog__found found = catalog__gather(c, CATALOG__CONFIG_ENTRIES, &kind, 1);
        for (size_t i = 0; i < found.len && !c->is_void; i++) {
            const struct catalog_config_entry *e = found.items[i];
            catalog__gateway_changed(c, e->kind, e->name, e);
        }
    }
}
