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

/* ---- What others wrote ---- */

static bool was_settled(const struct local_entry *e, uint64_t now_ns)
{
    return e->in_sync && now_ns - e->synced_ns >= SYNC_SETTLED_NS;
}

static void compared(struct local_entry *e, bool is_check, bool same, uint64_t now_ns)
{
    if (same) {
        e->synced_ns = now_ns;
    } else if (was_settled(e, now_ns)) {
        log_warn("agent", "%s was changed in the catalog; putting it right: %s=%.*s",
                 is_check ? "Check" : "Service", is_check ? "check" : "service", (int)e->id.len,
                 e->id.p);
    }
    e->in_sync = same;
}

static void missing(struct local_entry *e, bool is_check, uint64_t now_ns)
{
    const char *what = is_check ? "check" : "service";
    if (was_settled(e, now_ns)) {
        log_warn("agent",
                 "%s is gone from the catalog; registering it again. To be rid of it, deregister "
                 "it with this agent (/v1/agent/%s/deregister/): %s=%.*s",
                 is_check ? "Check" : "Service", what, what, (int)e->id.len, e->id.p);
    }
    e->in_sync = false;
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

static void compare_service(struct local *l, const struct catalog_node_service *theirs,
                            uint64_t now_ns)
{
    struct local_service *s = mu__map_get(&l->services, theirs->id.p, theirs->id.len);
    if (!s) {
        if (mu__str_eq(theirs->id, mu__cstr("consul"))) {
            return; /* the leader keeps it for each server */
        }
        log_info("agent",
                 "Deregistering service that is not registered here; what has an agent is "
                 "registered with it: service=%.*s",
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
    compared(&s->entry, false, same_service(s->service, theirs), now_ns);
}

void sync_diff_services(struct local *l, const struct mu_list *theirs, uint64_t now_ns)
{
    size_t at = 0;
    mark_missing(&l->services);
    for (size_t i = 0; i < theirs->len; i++) {
        compare_service(l, theirs->items[i], now_ns);
    }
    for (struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        if (!s->entry.seen && s->entry.deleted) {
            local_forget_service(l, s);
        } else if (!s->entry.seen) {
            missing(&s->entry, false, now_ns);
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

static void compare_check(struct local *l, const struct catalog_check *theirs, uint64_t now_ns)
{
    struct local_check *c = mu__map_get(&l->checks, theirs->check_id.p, theirs->check_id.len);
    if (c && c->entry.deleted) {
        c->entry.seen = true;
        c->entry.in_sync = false;
    } else if (c) {
        c->entry.seen = true;
        compared(&c->entry, true, same_check(c, theirs), now_ns);
    } else if (!mu__str_eq(theirs->check_id, mu__cstr("serfHealth"))) {
        log_info("agent",
                 "Deregistering check that is not registered here; what has an agent is "
                 "registered with it: check=%.*s",
                 (int)theirs->check_id.len, theirs->check_id.p);
        local_ghost_check(l, theirs->check_id)->entry.seen = true;
    }
}

void sync_diff_checks(struct local *l, const struct mu_list *theirs, uint64_t now_ns)
{
    size_t at = 0;
    mark_missing(&l->checks);
    for (size_t i = 0; i < theirs->len; i++) {
        compare_check(l, theirs->items[i], now_ns);
    }
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (!c->entry.seen && c->entry.deleted) {
            local_forget_check(l, c);
        } else if (!c->entry.seen) {
            missing(&c->entry, true, now_ns);
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
