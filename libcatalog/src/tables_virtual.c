#include "tables_virtual.h"

#include <stdio.h>

#include "key.h"
#include "planted.h"
#include "touched.h"

/* Numbers as keys: in their order, and without a letter that could be folded. */
struct digits {
    char bytes[9];
};

static struct mu_str digits(struct digits *d, uint64_t number)
{
    int n = snprintf(d->bytes, sizeof d->bytes, "%08x", (unsigned)(number & 0xffffffff));
    return (struct mu_str){d->bytes, (size_t)n};
}

const struct catalog__virtual_ip *catalog__get_virtual(const struct catalog__version *v,
                                                       struct mu_str service)
{
    struct catalog__key key;
    catalog__key_join(&key, &service, 1, false);
    return catalog__radix_get(v->root[CATALOG__VIRTUAL_BY_SERVICE], catalog__key_str(&key));
}

/* The first record of a tree, or the first below a name. NULL: there is none. */
static const void *first(struct catalog *c, enum catalog__tree tree, const struct mu_str *name)
{
    struct catalog__radix_iter it;
    catalog__below(&it, &c->allocator, c->draft, tree, name, name ? 1 : 0);
    const void *record = catalog__radix_next(&it);
    c->is_void |= it.failed;
    catalog__radix_end(&it);
    return record;
}

/* Gives a number to a service, or to none. */
static void put(struct catalog *c, const struct catalog__virtual_ip *ip)
{
    struct digits d;
    struct mu_str key = digits(&d, ip->number);
    struct catalog__virtual_ip *record = catalog__clone(c, &catalog__virtual_ip_schema, ip);
    const struct catalog__virtual_ip *old =
        catalog__tree_put(c, CATALOG__VIRTUAL_IPS, &key, 1, record);
    if (old) {
        bool was_free = old->service.len == 0;
        catalog__tree_remove(c, was_free ? CATALOG__VIRTUAL_FREE : CATALOG__VIRTUAL_BY_SERVICE,
                             was_free ? &key : &old->service, 1);
    }
    if (!c->is_void) {
        bool is_free = record->service.len == 0;
        catalog__tree_put(c, is_free ? CATALOG__VIRTUAL_FREE : CATALOG__VIRTUAL_BY_SERVICE,
                          is_free ? &key : &record->service, 1, record);
        c->draft->count[CATALOG__TABLE_VIRTUAL] += !old;
    }
    catalog__discard(c, old);
}

static void changed(struct catalog *c, struct mu_str service)
{
    catalog__table_changed(c, CATALOG__TABLE_VIRTUAL);
    catalog__touch_name(c, CATALOG__WATCH_VIRTUAL, service);
}

static void give(struct catalog *c, struct mu_str service)
{
    const struct catalog__virtual_ip *free_one = first(c, CATALOG__VIRTUAL_FREE, NULL);
    uint64_t number = free_one ? free_one->number : c->draft->count[CATALOG__TABLE_VIRTUAL] + 1;
    if (c->is_void || number > CATALOG__VIRTUAL_MAX) {
        return; /* a quarter of a billion services, and this one has none */
    }
    put(c, &(struct catalog__virtual_ip){.number = number, .service = service});
    changed(c, service);
}

static void take_back(struct catalog *c, const struct catalog__virtual_ip *ip)
{
    changed(c, ip->service);
    put(c, &(struct catalog__virtual_ip){.number = ip->number});
}

void catalog__virtual_follow(struct catalog *c, struct mu_str service)
{
    if (c->is_quiet || c->is_void || service.len == 0) {
        return;
    }
    const struct catalog__virtual_ip *ip = catalog__get_virtual(c->draft, service);
    bool is_wanted = first(c, CATALOG__SERVICES_BY_TARGET, &service) != NULL;
    if (is_wanted && !ip) {
        give(c, service);
    } else if (!is_wanted && ip && !CATALOG__PLANTED(VIRTUAL_STAYS)) {
        take_back(c, ip);
    }
}

/* ---- Restored ---- */

bool catalog__restore_virtual(struct catalog *c, const struct catalog__virtual_ip *ip)
{
    bool is_next = ip->number <= CATALOG__VIRTUAL_MAX &&
                   ip->number == c->draft->count[CATALOG__TABLE_VIRTUAL] + 1;
    bool is_free = ip->service.len == 0;
    bool is_right = is_next && (is_free || (catalog__is_name(ip->service) &&
                                            !catalog__get_virtual(c->draft, ip->service) &&
                                            first(c, CATALOG__SERVICES_BY_TARGET, &ip->service)));
    if (is_right && !c->is_void) {
        put(c, ip);
    }
    return is_right;
}

void catalog__link_virtual(struct catalog *c)
{
    c->index = c->draft->index;
    struct catalog__found found = catalog__gather(c, CATALOG__SERVICES_BY_TARGET, NULL, 0);
    for (size_t i = 0; i < found.len && !c->is_void; i++) {
        catalog__virtual_follow(c, catalog__instance_target(found.items[i]));
    }
}
