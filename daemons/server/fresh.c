/* fresh.c - by what it can be told that what this front has answered still stands: the index of the
 * newest version, and what that version says of one name. */
#include "route.h"

#include "rpc/endpoints.h"

#define UNSURE (UINT64_C(1) << 63) /* no index has it */

uint64_t server__stamp(const struct catalog_reader *reader, const struct endpoint *e,
                       const void *request)
{
    if (e == &endpoints[ENDPOINT_HEALTH_SERVICE_NODES]) {
        return catalog_stamp_service(reader, request);
    }
    if (e == &endpoints[ENDPOINT_CATALOG_NODE_SERVICES]) {
        return catalog_stamp_node(reader, ((const struct catalog_node_request *)request)->node);
    }
    return 0;
}

/* Would a stale read be answered here, and is the answer new enough? */
static bool is_current(const struct server_front *f, uint64_t contact_max_ns)
{
    uint64_t now = loop_now_ns(), contact = atomic_load(&f->server->last_contact_at_ns);
    return raft_node_lease_until(f->server->raft) > now ||
           (contact != 0 && (now < contact || now - contact <= contact_max_ns));
}

/* NULL: nothing that stands is to be read here, or out of memory. */
static struct catalog_reader *take_reader(struct server_front *f, uint64_t contact_max_ns)
{
    return is_current(f, contact_max_ns) ? route__take_reader(f) : NULL;
}

static uint64_t version(void *user, uint64_t contact_max_ns)
{
    struct server_front *f = user;
    struct catalog_reader *r = take_reader(f, contact_max_ns);
    if (!r) {
        return UNSURE | ++f->unsure;
    }
    catalog_read_begin(r);
    uint64_t index = catalog_read_index(r);
    catalog_read_end(r);
    route__return_reader(f, r);
    return index;
}

static uint64_t stamp(void *user, const struct endpoint *e, const void *request,
                      uint64_t contact_max_ns)
{
    struct server_front *f = user;
    struct catalog_reader *r = take_reader(f, contact_max_ns);
    if (!r) {
        return 0;
    }
    catalog_read_begin(r);
    uint64_t of_it = server__stamp(r, e, request);
    catalog_read_end(r);
    route__return_reader(f, r);
    return of_it;
}

struct call_fresh server_front_fresh(struct server *s, size_t number)
{
    return (struct call_fresh){&s->fronts[number], version, stamp};
}
