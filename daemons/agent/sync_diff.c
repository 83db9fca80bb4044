#include "agent/sync_diff.h"

#include "base/log.h"

/* ---- The node ---- */

static bool same_map(const struct mu_strmap *a, const struct mu_strmap *b)
{
    bool same = a->len == b->len;
    for (size_t i = 0; i < a->len && same; i++) {
        same = mu__str_eq(a->items[i].key, b->items[i].key) &&
               mu__str_eq(a->items[i].value, b->items[i].value);
    }
    return same;
}

bool sync_diff_node(const struct config *c, struct mu_str node_id,
                    const struct catalog_node *theirs)
{
    return theirs && mu__str_eq(theirs->id, node_id) &&
           mu__str_eq(theirs->address, c->advertise_addr) &&
           same_map(&theirs->tagged_addresses, &c->tagged_addresses) &&
           same_map(&theirs->meta, &c->node_meta);
}

/* ---- Services ---- */

static void mark_missing(const struct mu__map *entries)
{
    size_t at = 0;
    for (struct local_entry *e; (e = mu__map_next(entries, &at));) {
        e->seen = false;
    }
}

/* With EnableTagOverride the catalog's tags are the truth: others may change them there. */
static void adopt_tags(struct local_service *s, const struct catalog_node_service *theirs)
{
    struct catalog_node_service ours = *s->service;
    ours.tags = theirs->tags;
    struct catalog_node_service *copy =
        mu__schema_clone(catalog_schema(CATALOG_NODE_SERVICE), &ours, &mu__malloc_allocator);
    if (copy) {
        mu__free(&mu__malloc_allocator, s->service);
        s->service = copy;
    }
}

static bool same_service(const struct catalog_node_service *ours,
                         const struct catalog_node_service *theirs)
{
    struct catalog_node_service t = *theirs;
    t.create_index = ours->create_index;
    t.modify_index = ours->modify_index;
    t.locally_registered_as_sidecar = ours->locally_registered_as_sidecar;
    return mu__schema_equal(catalog_schema(CATALOG_NODE_SERVICE), ours, &t);
}

static void compare_service(struct local *l, const struct catalog_node_service *theirs)
{
    struct local_service *s = mu__map_get(&l->services, theirs->id.p, theirs->id.len);
    if (!s) {
        if (mu__str_eq(theirs->id, mu__cstr("consul"))) {
            return; /* the leader keeps it for each server */
        }
        log_info("agent", "Deregistering service that is not registered here: service=%.*s",
                 (int)theirs->id.len, theirs->id.p);
        local_ghost_service(l, theirs->id)->entry.seen = true;
        return;
    }
    s->entry.seen = true;
    if (s->entry.deleted) {
        s->entry.in_sync = false;
        return;
    }
    if (s->service->enable_tag_override) {
        adopt_tags(s, theirs);
    }
    s->entry.in_sync = same_service(s->service, theirs);
}

void sync_diff_services(struct local *l, const struct mu_list *theirs)
{
    size_t at = 0;
    mark_missing(&l->services);
    for (size_t i = 0; i < theirs->len; i++) {
        compare_service(l, theirs->items[i]);
    }
    for (struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        if (!s->entry.seen && s->entry.deleted) {
            local_forget_service(l, s);
        } else if (!s->entry.seen) {
            s->entry.in_sync = false;
        }
    }
}

/* ---- Checks ---- */

/* While a change of the output waits for its time, the output does not count. */
static bool same_check(const struct local_check *c, const struct catalog_check *theirs)
{
    struct catalog_check t = *theirs;
    t.create_index = c->check->create_index;
    t.modify_index = c->check->modify_index;
    if (c->defer && evtimer_pending(c->defer, NULL)) {
        t.output = c->check->output;
    }
    return mu__schema_equal(catalog_schema(CATALOG_CHECK), c->check, &t);
}

static void compare_check(struct local *l, const struct catalog_check *theirs)
{
    struct local_check *c = mu__map_get(&l->checks, theirs->check_id.p, theirs->check_id.len);
    if (c) {
        c->entry.seen = true;
        c->entry.in_sync = !c->entry.deleted && same_check(c, theirs);
    } else if (!mu__str_eq(theirs->check_id, mu__cstr("serfHealth"))) {
        log_info("agent", "Deregistering check that is not registered here: check=%.*s",
                 (int)theirs->check_id.len, theirs->check_id.p);
        local_ghost_check(l, theirs->check_id)->entry.seen = true;
    }
}

void sync_diff_checks(struct local *l, const struct mu_list *theirs)
{
    size_t at = 0;
    mark_missing(&l->checks);
    for (size_t i = 0; i < theirs->len; i++) {
        compare_check(l, theirs->items[i]);
    }
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (!c->entry.seen && c->entry.deleted) {
            local_forget_check(l, c);
        } else if (!c->entry.seen) {
            c->entry.in_sync = false;
        }
    }
}

void sync_group_checks(struct local *l)
{
    size_t at = 0;
    for (struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        s->sync_checks = NULL;
    }
    at = 0;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        struct local_service *s = c->entry.deleted || c->entry.in_sync || !c->check->service_id.len
                                      ? NULL
                                      : local_service(l, c->check->service_id);
        if (s) {
            c->sync_next = s->sync_checks;
            s->sync_checks = c;
        }
    }
}
