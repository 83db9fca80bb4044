/* config_entry.c - the kinds of config entries, and what all have in common. */
#include "config_entry.h"

#include <muster/catalog.h>
#include <stdlib.h>
#include <string.h>

#include "key.h"
#include "types.h"

#define META_PAIRS_MAX 64u
#define META_KEY_MAX   128u
#define META_VALUE_MAX 512u

/* ---- Kinds ---- */

static const struct {
    const char *name;
    const struct mu__schema *schema;
} kinds[] = {
    {CATALOG_KIND_SERVICE_DEFAULTS, &catalog__service_defaults_schema},
    {CATALOG_KIND_PROXY_DEFAULTS, &catalog__proxy_defaults_schema},
    {CATALOG_KIND_SERVICE_ROUTER, &catalog__service_router_schema},
    {CATALOG_KIND_SERVICE_SPLITTER, &catalog__service_splitter_schema},
    {CATALOG_KIND_SERVICE_RESOLVER, &catalog__service_resolver_schema},
    {CATALOG_KIND_INGRESS_GATEWAY, &catalog__ingress_gateway_schema},
    {CATALOG_KIND_TERMINATING_GATEWAY, &catalog__terminating_gateway_schema},
};

const struct mu__schema *catalog_config_schema(struct mu_str kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (mu__str_eq(kind, mu__cstr(kinds[i].name))) {
            return kinds[i].schema;
        }
    }
    return NULL;
}

static bool is_kind(const struct catalog_config_entry *e, const char *kind)
{
    return mu__str_eq(e->kind, mu__cstr(kind));
}

/* ---- Refusals ---- */

bool catalog__refused(struct catalog__preparation *p, const char *why)
{
    p->text.len = 0;
    catalog__say(&p->text, why);
    return false;
}

bool catalog__refused_quoting(struct catalog__preparation *p, const char *before,
                              struct mu_str quoted, const char *after)
{
    p->text.len = 0;
    catalog__say(&p->text, before);
    catalog__say_quoted(&p->text, quoted);
    catalog__say(&p->text, after);
    return false;
}

/* ---- Tools ---- */

static char folded(char c, bool upper)
{
    if (upper) {
        return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool catalog__fold(struct catalog__preparation *p, struct mu_str *s, bool upper)
{
    size_t at = 0;
    while (at < s->len && folded(s->p[at], upper) == s->p[at]) {
        at++;
    }
    if (at == s->len) {
        return true;
    }
    char *copy = mu__alloc(p->room, s->len);
    if (!copy) {
        return catalog__refused(p, "out of memory");
    }
    for (size_t i = 0; i < s->len; i++) {
        copy[i] = folded(s->p[i], upper);
    }
    s->p = copy;
    return true;
}

struct placed {
    const char *item;
    size_t at;
    catalog__order_fn order;
};

static int by_item(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int c = x->order(x->item, y->item);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

size_t catalog__first_repeat(struct catalog__preparation *p, const void *items, size_t n,
                             size_t item_size, catalog__order_fn order)
{
    struct placed *placed = n > 1 ? mu__calloc(p->room, n, sizeof *placed) : NULL;
    size_t first = n;
    if (n > 1 && !placed) {
        catalog__refused(p, "out of memory");
        return SIZE_MAX;
    }
    for (size_t i = 0; placed && i < n; i++) {
        placed[i] = (struct placed){(const char *)items + i * item_size, i, order};
    }
    if (placed) {
        qsort(placed, n, sizeof *placed, by_item);
    }
    for (size_t i = 1; placed && i < n; i++) {
        if (order(placed[i - 1].item, placed[i].item) == 0 && placed[i].at < first) {
            first = placed[i].at;
        }
    }
    return first;
}

/* ---- What all entries share ---- */

/* Counts what is wrong with the metadata; with `say`, says it. */
static unsigned look_at_meta(struct catalog__preparation *p, const struct mu_strmap *meta, bool say)
{
    unsigned n = 0;
    if (meta->len > META_PAIRS_MAX) {
        n++;
        catalog__say(&p->text, say ? "\t* Meta exceeds maximum element count 64\n" : "");
    }
    for (size_t i = 0; i < meta->len; i++) {
        const struct mu_pair *pair = &meta->items[i];
        if (pair->key.len > META_KEY_MAX) {
            n++;
            if (say) {
                catalog__say(&p->text, "\t* Meta key ");
                catalog__say_quoted(&p->text, pair->key);
                catalog__say(&p->text, " exceeds maximum length 128\n");
            }
        }
        if (pair->value.len > META_VALUE_MAX) {
            n++;
            if (say) {
                catalog__say(&p->text, "\t* Meta value for key ");
                catalog__say_quoted(&p->text, pair->key);
                catalog__say(&p->text, " exceeds maximum length 512\n");
            }
        }
    }
    return n;
}

static bool check_meta(struct catalog__preparation *p, const struct mu_strmap *meta)
{
    unsigned n = look_at_meta(p, meta, false);
    if (n == 0) {
        return true;
    }
    p->text.len = 0;
    catalog__say_uint(&p->text, n);
    catalog__say(&p->text, n == 1 ? " error occurred:\n" : " errors occurred:\n");
    look_at_meta(p, meta, true);
    catalog__say(&p->text, "\n");
    return false;
}

static bool is_name(void *user, struct mu_str service)
{
    (void)user;
    return catalog__is_name(service);
}

/* Nothing depends on these but the table of gateways. */
static bool are_linked_names(const struct catalog_terminating_gateway *e)
{
    bool ok = true;
    for (size_t i = 0; i < e->services.len && ok; i++) {
        ok = is_name(NULL, ((const struct catalog_linked_service *)e->services.items[i])->name);
    }
    return ok;
}

static bool check_names(struct catalog__preparation *p, const struct catalog_config_entry *e)
{
    const void *entry = e;
    bool are_names = !is_kind(e, CATALOG_KIND_TERMINATING_GATEWAY) || are_linked_names(entry);
    if (are_names && catalog__is_name(e->name) && catalog__config_links(e, is_name, NULL)) {
        return true;
    }
    return catalog__refused(p, "Names must not contain a zero byte or be longer than 512 bytes");
}

static bool prepare(struct catalog__preparation *p, struct catalog_config_entry *e)
{
    if (is_kind(e, CATALOG_KIND_SERVICE_DEFAULTS)) {
        struct catalog_service_defaults *d = (void *)e;
        return catalog__fold(p, &d->protocol, false);
    }
    if (is_kind(e, CATALOG_KIND_PROXY_DEFAULTS)) {
        e->name = mu__cstr(CATALOG_PROXY_DEFAULTS_NAME);
        return true;
    }
    if (is_kind(e, CATALOG_KIND_INGRESS_GATEWAY)) {
        return catalog__prepare_ingress(p, (void *)e);
    }
    if (is_kind(e, CATALOG_KIND_TERMINATING_GATEWAY)) {
        return catalog__prepare_terminating(p, (void *)e);
    }
    if (e->name.len == 0) {
        return catalog__refused(p, "Name is required");
    }
    if (is_kind(e, CATALOG_KIND_SERVICE_ROUTER)) {
        return catalog__prepare_router(p, (void *)e);
    }
    if (is_kind(e, CATALOG_KIND_SERVICE_SPLITTER)) {
        return catalog__prepare_splitter(p, (void *)e);
    }
    return catalog__prepare_resolver(p, (void *)e);
}

const char *catalog_config_prepare(struct mu_str kind, struct catalog_config_entry *entry,
                                   const struct mu_allocator *room, char *text, size_t size)
{
    struct catalog__preparation p = {.room = room, .text = catalog__text(text, size)};
    if (!catalog_config_schema(kind)) {
        catalog__say(&p.text, "invalid config entry kind: ");
        catalog__say_str(&p.text, kind);
        return text;
    }
    entry->kind = kind;
    bool ok = check_meta(&p, &entry->meta) && prepare(&p, entry) && check_names(&p, entry);
    return ok ? NULL : text;
}

/* ---- Links ---- */

static bool link_router(const struct catalog_service_router *e, catalog__visit_fn visit, void *user)
{
    for (size_t i = 0; i < e->routes.len; i++) {
        const struct catalog_service_route *route = e->routes.items[i];
        if (route->destination && route->destination->service.len &&
            !visit(user, route->destination->service)) {
            return false;
        }
    }
    return true;
}

static bool link_splitter(const struct catalog_service_splitter *e, catalog__visit_fn visit,
                          void *user)
{
    for (size_t i = 0; i < e->splits.len; i++) {
        const struct catalog_service_split *split = e->splits.items[i];
        if (split->service.len && !visit(user, split->service)) {
            return false;
        }
    }
    return true;
}

static bool link_resolver(const struct catalog_service_resolver *e, catalog__visit_fn visit,
                          void *user)
{
    if (e->redirect && e->redirect->service.len && !visit(user, e->redirect->service)) {
        return false;
    }
    for (size_t i = 0; i < e->failover.len; i++) {
        const struct catalog_resolver_failover *f = e->failover.items[i].value;
        if (f->service.len && !visit(user, f->service)) {
            return false;
        }
    }
    return true;
}

static bool link_ingress(const struct catalog_ingress_gateway *e, catalog__visit_fn visit,
                         void *user)
{
    for (size_t i = 0; i < e->listeners.len; i++) {
        const struct catalog_ingress_listener *l = e->listeners.items[i];
        for (size_t k = 0; k < l->services.len; k++) {
            const struct catalog_ingress_service *s = l->services.items[k];
            if (!mu__str_eq(s->name, mu__cstr("*")) && !visit(user, s->name)) {
                return false;
            }
        }
    }
    return true;
}

bool catalog__config_links(const struct catalog_config_entry *e, catalog__visit_fn visit,
                           void *user)
{
    const void *entry = e;
    if (is_kind(e, CATALOG_KIND_SERVICE_ROUTER)) {
        return link_router(entry, visit, user);
    }
    if (is_kind(e, CATALOG_KIND_SERVICE_SPLITTER)) {
        return link_splitter(entry, visit, user);
    }
    if (is_kind(e, CATALOG_KIND_SERVICE_RESOLVER)) {
        return link_resolver(entry, visit, user);
    }
    return !is_kind(e, CATALOG_KIND_INGRESS_GATEWAY) || link_ingress(entry, visit, user);
}
