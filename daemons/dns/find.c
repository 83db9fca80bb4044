/* find.c - lookups: each becomes a call or two, and what they bring an answer in time. */
#include "internal.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "lookup.h"
#include "rpc/call_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MODULE      "agent.dns"
#define SERVERS_MAX 3u          /* name servers in an answer */
#define REPLY_MAX   (64u << 20) /* bytes that one lookup's answer may take */
#define STALE_NS    (5 * (int64_t)MU_SEC)
/* No resolver waits longer: who hears SERVFAIL by then can still ask another agent. */
#define PATIENCE_NS (5 * MU_SEC)

struct dns_find {
    struct dns *dns;
    struct dns_find *older, *newer;
    struct dnsfront_pending *pending;
    const struct dnsfront_lookup *lookup; /* lent until it is supplied */
    struct call *call;
    uint64_t deadline_ns;
    unsigned step;
    bool no_copy;   /* asked again, since what is kept here was too old */
    bool of_leader; /* likewise, what a server knew */
};

/* ---- In order of their deadlines ---- */

/* The timer is left alone as long as it is set: most lookups are over long before. */
static void arm(struct dns *d)
{
    uint64_t now = loop_now_ns();
    if (d->is_armed || !d->oldest) {
        return;
    }
    uint64_t left = d->oldest->deadline_ns > now ? d->oldest->deadline_ns - now : 0;
    struct timeval tv = {.tv_sec = (time_t)(left / MU_SEC),
                         .tv_usec = (suseconds_t)(left % MU_SEC / MU_USEC + 1)};
    d->is_armed = event_add(d->deadline, &tv) == 0;
}

static void append(struct dns *d, struct dns_find *f)
{
    f->older = d->newest;
    *(f->older ? &f->older->newer : &d->oldest) = f;
    d->newest = f;
    arm(d);
}

static void take_out(struct dns_find *f)
{
    struct dns *d = f->dns;
    *(f->older ? &f->older->newer : &d->oldest) = f->newer;
    *(f->newer ? &f->newer->older : &d->newest) = f->older;
}

/* ---- What was found ---- */

/* The lookup ends with it; another one may begin before this returns. */
static void supply(struct dns_find *f, const struct dnsfront_found *found)
{
    struct dnsfront_pending *p = f->pending;
    take_out(f);
    free(f);
    dnsfront_node_supply(p, found);
}

static void supply_nothing(struct dns_find *f, enum dnsfront_status status)
{
    struct dnsfront_found found = {.size = sizeof found, .status = status};
    supply(f, &found);
}

static struct lookup_place place_of(const struct dns_find *f)
{
    const struct dns_terms *t = &f->dns->settings->terms;
    struct mu_str dc = f->lookup->datacenter;
    return (struct lookup_place){dc, t->translate_wan && !mu__str_ieq(dc, t->datacenter)};
}

/* What is of use for longer than this answer: nothing that is empty, since names that strangers
 * make up would take the place of others; nothing that is to be counted as stale. */
static uint64_t stamp_of(const struct dns_find *f, const struct call *c, size_t count)
{
    const struct catalog_query_meta *m = endpoint_meta(c->endpoint, c->reply);
    bool keep = count > 0 && f->dns->settings->terms.allow_stale && c->cached_age_ns == 0 && m &&
                m->last_contact_ns <= STALE_NS;
    return keep ? c->stamp : 0;
}

static void supply_instances(struct dns_find *f, struct call *c)
{
    const struct catalog_indexed_check_service_nodes *reply = c->reply;
    struct lookup_place place = place_of(f);
    struct dnsfront_found found = {.size = sizeof found};
    found.instances = lookup_service(&reply->nodes, &place, &c->arena, &found.count);
    found.status = found.instances ? DNSFRONT_FOUND : DNSFRONT_FAILED;
    found.stamp = stamp_of(f, c, found.count);
    supply(f, &found);
}

/* More servers than an answer has room for are drawn each time. */
static void supply_servers(struct dns_find *f, struct call *c)
{
    const struct catalog_indexed_check_service_nodes *reply = c->reply;
    struct lookup_place place = place_of(f);
    struct dnsfront_found found = {.size = sizeof found};
    size_t healthy;
    found.instances = lookup_servers(&reply->nodes, &place, SERVERS_MAX,
                                     mu__prng_next(&f->dns->prng), &c->arena, &healthy);
    found.status = found.instances ? DNSFRONT_FOUND : DNSFRONT_FAILED;
    found.count = healthy < SERVERS_MAX ? healthy : SERVERS_MAX;
    found.stamp = healthy <= SERVERS_MAX ? stamp_of(f, c, healthy) : 0;
    supply(f, &found);
}

/* The catalog also finds nodes by what their ID begins with; a whole ID names a node, a beginning
 * of one would by chance. */
static void supply_node(struct dns_find *f, struct call *c)
{
    const struct catalog_indexed_node_services *reply = c->reply;
    const struct catalog_node *node = reply->node_services ? reply->node_services->node : NULL;
    struct lookup_place place = place_of(f);
    struct dnsfront_found found = {.size = sizeof found, .status = DNSFRONT_NOT_FOUND};
    if (node &&
        (mu__str_ieq(node->node, f->lookup->name) || mu__str_ieq(node->id, f->lookup->name))) {
        found.instances = lookup_node(node, &place, &c->arena);
        found.count = found.instances ? 1 : 0;
        found.status = found.instances ? DNSFRONT_FOUND : DNSFRONT_FAILED;
        found.stamp = stamp_of(f, c, found.count);
    }
    supply(f, &found);
}

/* The servers have put them in order: by distance, or at random. */
static void supply_query(struct dns_find *f, struct call *c)
{
    const struct catalog_query_execute_response *reply = c->reply;
    struct lookup_place place = {.datacenter = reply->datacenter};
    place.wan = f->dns->settings->terms.translate_wan &&
                !mu__str_ieq(reply->datacenter, f->dns->settings->terms.datacenter);
    struct dnsfront_found found = {
        .size = sizeof found, .ordered = true, .service = reply->service};
    int64_t ttl_ns;
    if (reply->dns.ttl.len && mu__duration_parse(reply->dns.ttl.p, reply->dns.ttl.len, &ttl_ns) &&
        ttl_ns >= 0) {
        found.has_ttl = true;
        found.ttl_s = (uint32_t)(ttl_ns / (int64_t)MU_SEC);
    }
    found.instances = lookup_service(&reply->nodes, &place, &c->arena, &found.count);
    found.status = found.instances ? DNSFRONT_FOUND : DNSFRONT_FAILED;
    supply(f, &found);
}

static bool ask(struct dns_find *f);

/* A node first; whether an instance has the address is the second question. */
static void supply_reverse(struct dns_find *f, struct call *c)
{
    const struct catalog_indexed_nodes *nodes = c->reply;
    const struct catalog_indexed_service_nodes *services = c->reply;
    const struct mu_list *list = f->step == 0 ? &nodes->nodes : &services->service_nodes;
    struct lookup_place place = {.datacenter = f->dns->settings->terms.datacenter};
    if (list->len == 0) {
        f->step++;
        if (f->step > 1 || !ask(f)) {
            supply_nothing(f, f->step > 1 ? DNSFRONT_NOT_FOUND : DNSFRONT_FAILED);
        }
        return;
    }
    struct dnsfront_found found = {.size = sizeof found};
    found.instances = f->step == 0 ? lookup_reverse_node(list, &place, &c->arena)
                                   : lookup_reverse_service(list, &place, &c->arena);
    found.count = found.instances ? 1 : 0;
    found.status = found.instances ? DNSFRONT_FOUND : DNSFRONT_FAILED;
    supply(f, &found);
}

static void supply_virtual(struct dns_find *f, struct call *c)
{
    const struct mu_str *address = c->reply;
    struct dnsfront_instance one = {.datacenter = f->lookup->datacenter,
                                    .service_address = *address};
    struct dnsfront_found found = {.size = sizeof found,
                                   .status = address->len ? DNSFRONT_FOUND : DNSFRONT_NOT_FOUND,
                                   .instances = &one,
                                   .count = address->len ? 1 : 0};
    supply(f, &found);
}

static void supply_reply(struct dns_find *f, struct call *c)
{
    switch (f->lookup->kind) {
    case DNSFRONT_VIRTUAL:
        supply_virtual(f, c);
        break;
    case DNSFRONT_NODE:
        supply_node(f, c);
        break;
    case DNSFRONT_QUERY:
        supply_query(f, c);
        break;
    case DNSFRONT_REVERSE:
        supply_reverse(f, c);
        break;
    case DNSFRONT_SERVERS:
        supply_servers(f, c);
        break;
    default:
        supply_instances(f, c);
        break;
    }
}

/* ---- Errors ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* Is it that there is no such thing, rather than that it could not be found out? Of our own
 * datacenter there is always something; Consul's servers have no virtual addresses before 1.11. */
static bool says_unknown(const struct dns_find *f, const char *error)
{
    if (f->lookup->kind == DNSFRONT_QUERY && ends_with(error, "Query not found")) {
        return true;
    }
    if (f->lookup->kind == DNSFRONT_VIRTUAL && strstr(error, "can't find method")) {
        return true;
    }
    return !mu__str_ieq(f->lookup->datacenter, f->dns->settings->terms.datacenter) &&
           strstr(error, "No path to datacenter") != NULL;
}

/* From a server that has not heard of the leader for too long, or for a while. */
static bool is_too_old(const struct dns_find *f, const struct call *c)
{
    const struct catalog_query_meta *m = endpoint_meta(c->endpoint, c->reply);
    bool stale = m && f->dns->settings->terms.allow_stale && !f->of_leader;
    if (stale && (uint64_t)m->last_contact_ns > f->dns->settings->terms.max_stale_ns) {
        return true;
    }
    if (stale && m->last_contact_ns > STALE_NS) {
        metric_count(METRIC_DNS_STALE_QUERIES, 1);
    }
    return false;
}

/* A copy that cannot be kept fresh, since servers are gone, serves for a while (RFC 8767); of a
 * query that is one which could not be carried out anew. */
static bool is_copy_too_old(const struct dns_find *f, struct call *c)
{
    bool is_query = f->lookup->kind == DNSFRONT_QUERY;
    const struct catalog_query_options *o = endpoint_options(c->endpoint, c->request);
    bool stale =
        c->cached_age_ns > 0 &&
        (!is_query || (c->cached == CALL_HIT &&
                       (o->must_revalidate || c->cached_age_ns > (uint64_t)o->max_age_ns)));
    if (!stale) {
        return false;
    }
    if (c->cached_age_ns > f->dns->settings->terms.serve_stale_ns) {
        return true;
    }
    metric_count(METRIC_DNS_STALE_ANSWERS, 1);
    return false;
}

static void ask_again(struct dns_find *f)
{
    f->no_copy = true;
    if (!ask(f)) {
        supply_nothing(f, DNSFRONT_FAILED);
    }
}

static void on_found(struct call *c, void *arg)
{
    struct dns_find *f = arg;
    f->call = NULL;
    if (c->error) {
        log_debug(MODULE, "a lookup failed: %s", c->error);
        supply_nothing(f, says_unknown(f, c->error) ? DNSFRONT_NOT_FOUND : DNSFRONT_FAILED);
    } else if (is_copy_too_old(f, c)) {
        ask_again(f);
    } else if (is_too_old(f, c)) {
        f->of_leader = true;
        ask_again(f);
    } else {
        supply_reply(f, c);
    }
}

/* ---- Questions ---- */

static struct mu_str copy(struct mu__arena *a, struct mu_str s)
{
    char *p = mu__arena_strndup(a, s.p ? s.p : "", s.len);
    return (struct mu_str){p, p ? s.len : 0};
}

/* What the call points at is its own: cancelled, it may outlive the lookup. */
static bool fill(struct dns_find *f, struct call *c)
{
    struct dns_ask *ask = mu__arena_alloc(&c->arena, sizeof *ask);
    const struct dnsfront_lookup *l = f->lookup;
    struct dnsfront_lookup own = *l;
    own.name = copy(&c->arena, l->name);
    own.tag = copy(&c->arena, l->tag);
    own.datacenter = copy(&c->arena, l->datacenter);
    own.client = copy(&c->arena, l->client);
    if (!ask || !own.name.p || !own.tag.p || !own.datacenter.p || !own.client.p ||
        !dns_ask(&f->dns->settings->terms, &own, f->step, ask)) {
        return false;
    }
    memcpy(c->request, &ask->request, c->endpoint->request->size);
    if (f->of_leader) {
        endpoint_options(c->endpoint, c->request)->allow_stale = false;
        endpoint_options(c->endpoint, c->request)->max_stale_duration_ns = 0;
    }
    return true;
}

/* What is kept here will do, where it is kept fresh by a watch. Queries cannot be watched: they are
 * carried out each time, unless use_cache says that older answers will do; but what they brought
 * last serves when nobody can be asked. Addresses, virtual or not, are asked about each time. */
static void use_copy(const struct dns_find *f, struct call *c)
{
    const struct dns_terms *t = &f->dns->settings->terms;
    if (!f->dns->copies || !t->allow_stale || f->no_copy || !call_cache_takes(c->endpoint)) {
        return;
    }
    c->may_cache = c->may_be_made_up = true;
    if (f->lookup->kind == DNSFRONT_QUERY) {
        struct catalog_query_options *o = endpoint_options(c->endpoint, c->request);
        o->must_revalidate = !t->use_cache || o->max_age_ns <= 0;
        o->stale_if_error_ns = (int64_t)t->serve_stale_ns;
    }
}

/* Makes the call of the lookup's step; the answer may come at once. False: out of memory. */
static bool ask(struct dns_find *f)
{
    struct dns *d = f->dns;
    struct dns_ask what;
    bool can = dns_ask(&d->settings->terms, f->lookup, f->step, &what);
    struct call *c = can ? call_create(what.endpoint, REPLY_MAX, on_found, f) : NULL;
    if (!c || !fill(f, c)) {
        call_free(c);
        return false;
    }
    c->wants_stamp = d->settings->terms.allow_stale;
    use_copy(f, c);
    f->call = c;
    call_start(d->backend, c);
    return true;
}

static void supply_at_once(struct dnsfront_pending *pending, enum dnsfront_status status)
{
    struct dnsfront_found found = {.size = sizeof found, .status = status};
    dnsfront_node_supply(pending, &found);
}

void dns__find(void *user, struct dnsfront_pending *pending, const struct dnsfront_lookup *lookup)
{
    struct dns *d = user;
    struct dns_find *f = calloc(1, sizeof *f);
    if (!f) {
        supply_at_once(pending, DNSFRONT_FAILED);
        return;
    }
    *f = (struct dns_find){
        .dns = d, .pending = pending, .lookup = lookup, .deadline_ns = loop_now_ns() + PATIENCE_NS};
    append(d, f);
    if (!ask(f)) {
        supply_nothing(f, DNSFRONT_FAILED);
    }
}

static void give_up_oldest(struct dns *d)
{
    struct dns_find *f = d->oldest; /* another one each time: what ends leaves the list */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer does not see that it does */
    assert(f->dns == d && !f->older);
    if (f->call) {
        call_cancel(f->call);
    }
    supply_nothing(f, DNSFRONT_FAILED);
}

void dns__on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct dns *d = arg;
    (void)fd, (void)what;
    d->is_armed = false;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): likewise */
    while (d->oldest && d->oldest->deadline_ns <= loop_now_ns()) {
        give_up_oldest(d);
    }
    arm(d);
}

void dns__find_end(struct dns *d)
{
    while (d->oldest) {
        give_up_oldest(d);
    }
}

/* ---- What is kept ---- */

/* How long ago a server may have heard of its leader: what is older is counted, or refused. */
static uint64_t contact_max(const struct dns *d)
{
    uint64_t stale_ns = STALE_NS;
    return mu__min(stale_ns, d->settings->terms.max_stale_ns);
}

uint64_t dns__version(void *user)
{
    struct dns *d = user;
    return d->fresh.version(d->fresh.user, contact_max(d));
}

bool dns__unchanged(void *user, const struct dnsfront_lookup *lookup, uint64_t stamp)
{
    struct dns *d = user;
    struct dns_ask what;
    return d->settings->terms.allow_stale && dns_ask(&d->settings->terms, lookup, 0, &what) &&
           d->fresh.stamp(d->fresh.user, what.endpoint, &what.request, contact_max(d)) == stamp;
}
