/* coordinates.c - where nodes are in the network: the leader gathers what they tell and writes it
 * now and then, many together; any server says where the servers are.
 *
 * Of a node only the newest counts. What is written in a period is limited, so that the log's share
 * for coordinates has a ceiling however large the cluster is; what does not fit waits. */
#include "route.h"

#include "base/log.h"
#include "map.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define PERIOD_NS     (5 * MU_SEC)
#define DEV_PERIOD_NS (100 * MU_MSEC)
#define BATCH         128u   /* coordinates in an entry of the log */
#define BATCHES       5u     /* entries in a period */
#define WAITING_MAX   65536u /* nodes; more than a cluster has */

#define MODULE "agent.server"

struct waiting {
    struct catalog_coordinate *coordinate; /* one block */
    size_t key_len;
    char key[]; /* node, zero, segment */
};

struct server_coordinates {
    struct mu__map waiting;
    struct event *timer;
};

static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

static void waiting_free(struct waiting *w)
{
    if (w) {
        mu__free(&mu__malloc_allocator, w->coordinate);
        free(w);
    }
}

/* ---- On the core ---- */

static void drop_all(struct server_coordinates *sc)
{
    size_t at = 0;
    for (struct waiting *w; (w = mu__map_next(&sc->waiting, &at)) != NULL;) {
        mu__map_remove(&sc->waiting, w->key, w->key_len);
        waiting_free(w);
    }
}

static void write_batch(struct server *s)
{
    struct server_coordinates *sc = s->coordinates;
    struct waiting *taken[BATCH];
    void *items[BATCH];
    size_t n = 0, at = 0;
    for (struct waiting *w; n < BATCH && (w = mu__map_next(&sc->waiting, &at)) != NULL; n++) {
        mu__map_remove(&sc->waiting, w->key, w->key_len);
        taken[n] = w;
        items[n] = w->coordinate;
    }
    struct catalog_coordinate_batch batch = {.updates = {items, n}};
    server__propose(s, CATALOG_ENTRY_COORDINATES, CATALOG_COORDINATE_BATCH, &batch);
    for (size_t i = 0; i < n; i++) {
        waiting_free(taken[i]);
    }
}

static void arm(const struct server *s)
{
    const struct server_coordinates *sc = s->coordinates;
    uint64_t period = s->coordinates_period_ns;
    struct timeval tv = {.tv_sec = (time_t)(period / MU_SEC),
                         .tv_usec = (suseconds_t)(period % MU_SEC / MU_USEC)};
    if (!evtimer_pending(sc->timer, NULL) && event_add(sc->timer, &tv) != 0) {
        abort();
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    struct server_coordinates *sc = s->coordinates;
    (void)fd;
    (void)what;
    if (!raft_node_is_leader(s->raft)) {
        drop_all(sc); /* agents tell the new leader */
        return;
    }
    for (unsigned i = 0; i < BATCHES && sc->waiting.count > 0; i++) {
        write_batch(s);
    }
    if (sc->waiting.count > 0) {
        arm(s);
    }
}

void server__coordinates_start(struct server *s)
{
    struct server_coordinates *sc = s->coordinates = must(calloc(1, sizeof *sc));
    mu__map_init(&sc->waiting, &mu__malloc_allocator, (uint64_t)loop_now_unix_ns());
    sc->timer = must(evtimer_new(loop_base(s->core), on_timer, s));
    s->coordinates_period_ns = s->config->dev ? DEV_PERIOD_NS : PERIOD_NS;
}

void server__coordinates_stop(struct server *s)
{
    struct server_coordinates *sc = s->coordinates;
    if (sc) {
        drop_all(sc);
        mu__map_fini(&sc->waiting);
        event_free(sc->timer);
        free(sc);
        s->coordinates = NULL;
    }
}

/* ---- From the front to the core ---- */

struct delivery {
    struct server *server;
    struct waiting *waiting;
};

static struct waiting *waiting_of(const struct catalog_coordinate_update_request *q)
{
    const struct catalog_coordinate x = {.node = q->node, .segment = q->segment, .coord = q->coord};
    size_t len = q->node.len + 1 + q->segment.len;
    struct waiting *w = malloc(sizeof *w + len);
    if (!w) {
        return NULL;
    }
    w->coordinate = mu__schema_clone(catalog_schema(CATALOG_COORDINATE), &x, &mu__malloc_allocator);
    if (!w->coordinate) {
        free(w);
        return NULL;
    }
    struct mu__writer key = mu__writer_fixed(w->key, len);
    mu__write_bytes(&key, q->node.p, q->node.len);
    mu__write_u8(&key, 0);
    mu__write_bytes(&key, q->segment.p, q->segment.len);
    w->key_len = len;
    return w;
}

static void on_core(void *arg)
{
    struct delivery *d = arg;
    struct server *server = d->server;
    struct server_coordinates *sc = server->coordinates; /* NULL: about to end */
    struct waiting *w = d->waiting, *old = NULL;
    free(d);
    /* The key is the value's own, so the former one leaves with its value. */
    if (sc) {
        old = mu__map_remove(&sc->waiting, w->key, w->key_len);
    }
    waiting_free(old);
    if (!sc || sc->waiting.count >= WAITING_MAX ||
        !mu__map_set(&sc->waiting, w->key, w->key_len, w, NULL)) {
        waiting_free(w);
        return;
    }
    arm(server);
}

void route__take_coordinate(struct route *r)
{
    struct call *c = r->call;
    struct server_front *f = r->front;
    const char *why = catalog_coordinate_check(c->request);
    struct delivery *d = why ? NULL : malloc(sizeof *d);
    if (d) {
        *d = (struct delivery){f->server, waiting_of(c->request)};
    }
    route__free(r);
    if (!d || !d->waiting) {
        free(d);
        call_fail(c, "%s", why ? why : "out of memory");
        return;
    }
    loop_post(f->server->core, on_core, d);
    call_finish(c);
}

/* ---- Where the servers are ---- */

/* Of a node that has not told it yet: where all begin (gossip wire, 11). */
static struct catalog_coordinate *unmoved(struct mu__arena *a, struct mu_str node)
{
    struct catalog_coordinate *x = mu__arena_calloc(a, 1, sizeof *x);
    struct catalog_vivaldi *v = mu__arena_calloc(a, 1, sizeof *v);
    double *vec = mu__arena_calloc(a, 8, sizeof *vec);
    if (!x || !v || !vec) {
        return NULL;
    }
    *v = (struct catalog_vivaldi){.vec = {vec, 8}, .error = 1.5, .height = 10e-6};
    *x = (struct catalog_coordinate){.node = node, .coord = v};
    return x;
}

static void *coordinate_of(struct catalog_reader *reader, struct mu__arena *a, struct mu_str node)
{
    const struct catalog_node_request q = {.node = node};
    struct catalog_indexed_coordinates found;
    if (catalog_query_coordinate(reader, &q, &found, NULL) == CATALOG_OK && found.coordinates.len) {
        return found.coordinates.items[0];
    }
    return unmoved(a, node);
}

static bool place_servers(const struct server *s, struct catalog_reader *reader,
                          struct mu__arena *a, struct mu_list *out)
{
    const struct catalog_service_request q = {.service_name = mu__cstr("consul")};
    struct catalog_indexed_service_nodes servers;
    if (catalog_query_service_nodes(reader, &q, &servers, NULL) != CATALOG_OK) {
        return false;
    }
    out->items = mu__arena_calloc(a, servers.service_nodes.len + 1, sizeof *out->items);
    for (size_t i = 0; out->items && i < servers.service_nodes.len; i++) {
        const struct catalog_service_node *node = servers.service_nodes.items[i];
        out->items[out->len] = coordinate_of(reader, a, node->node);
        out->len += out->items[out->len] != NULL;
    }
    if (out->items && out->len == 0) { /* none is registered yet, but we are one */
        out->items[0] = unmoved(a, s->config->node_name);
        out->len = out->items[0] != NULL;
    }
    return out->items && out->len > 0;
}

void route__list_datacenters(struct route *r)
{
    struct call *c = r->call;
    struct server_front *f = r->front;
    struct catalog_reader *reader = route__take_reader(f);
    struct mu_list *list = mu__arena_calloc(&c->arena, 1, sizeof *list);
    struct catalog_datacenter_map *dc = mu__arena_calloc(&c->arena, 1, sizeof *dc);
    void **items = mu__arena_calloc(&c->arena, 1, sizeof *items);
    route__free(r);
    if (reader) {
        catalog_read_begin(reader);
    }
    if (!reader || !list || !dc || !items ||
        !place_servers(f->server, reader, &c->arena, &dc->coordinates)) {
        call_fail(c, "out of memory");
    } else {
        dc->datacenter = f->server->config->datacenter;
        dc->area_id = mu__cstr("wan");
        items[0] = dc;
        *list = (struct mu_list){items, 1};
        c->reply = list;
        call_finish(c); /* the reply lends from the version */
    }
    if (reader) {
        catalog_read_end(reader);
        route__return_reader(f, reader);
    }
}
