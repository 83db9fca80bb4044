#include "node_kit.h"

void pool_open(struct pool *p)
{
    memset(p, 0, sizeof *p);
    p->base = event_base_new();
    assert_non_null(p->base);
}

void pool_close(struct pool *p)
{
    for (size_t i = 0; i < p->n; i++) {
        swim_node_destroy(p->peers[i]->node);
        free(p->peers[i]);
    }
    event_base_free(p->base);
}

static void on_event(void *user, const struct swim_event *ev)
{
    struct peer *peer = user;
    peer->joins += ev->type == SWIM_EVENT_JOIN;
    peer->failures += ev->type == SWIM_EVENT_FAILED;
    peer->leaves += ev->type == SWIM_EVENT_LEAVE;
    peer->name_lost = peer->name_lost || ev->type == SWIM_EVENT_NAME_LOST;
    if (ev->type == SWIM_EVENT_QUERY) { /* each says who it is */
        char text[64];
        int n = snprintf(text, sizeof text, "I am %s", peer->name);
        assert_int_equal(swim_respond(swim_node_core(peer->node), swim_node_now(peer->node),
                                      ev->query, (struct mu_str){text, (size_t)n}),
                         SWIM_OK);
        return;
    }
    if (ev->type == SWIM_EVENT_USER) {
        peer->user_events++;
        snprintf(peer->last_event, sizeof peer->last_event, "%.*s=%.*s", (int)ev->name.len,
                 ev->name.p, (int)ev->payload.len, ev->payload.p);
    }
}

void pool_config(struct pool *p, struct swim_node_config *cfg, const char *name)
{
    swim_node_config_init(cfg);
    swim_config_profile(&cfg->swim, SWIM_LOCAL);
    cfg->base = p->base;
    cfg->bind = (struct swim_addr){.ip = {127, 0, 0, 1}, .len = 4};
    cfg->swim.name = name;
    cfg->swim.probe_interval_ns = 100 * MU_MSEC;
    cfg->swim.probe_timeout_ns = 50 * MU_MSEC;
    cfg->swim.gossip_interval_ns = 20 * MU_MSEC;
    cfg->swim.leave_propagate_ns = 100 * MU_MSEC;
    cfg->swim.query_timeout_mult = 1000; /* nobody is late on a busy machine */
}

struct peer *pool_add(struct pool *p, const struct swim_node_config *config)
{
    struct swim_node_config cfg = *config;
    char why[256];
    struct peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->name = cfg.swim.name;
    cfg.on_event = on_event;
    cfg.user = peer;
    if (swim_node_create(&cfg, why, sizeof why, &peer->node) != SWIM_OK) {
        fail_msg("%s: %s", cfg.swim.name, why);
    }
    p->peers[p->n++] = peer;
    return peer;
}

struct peer *pool_add_plain(struct pool *p, const char *name)
{
    struct swim_node_config cfg;
    pool_config(p, &cfg, name);
    return pool_add(p, &cfg);
}

void pool_kill(struct pool *p, struct peer *peer)
{
    size_t i = 0;
    while (p->peers[i] != peer) {
        i++;
    }
    p->peers[i] = p->peers[--p->n];
    swim_node_destroy(peer->node);
    free(peer);
}

const char *peer_addr(const struct peer *peer, char out[SWIM_ADDR_TEXT])
{
    return swim_addr_text(swim_node_addr(peer->node), out);
}

static void give_up(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

void pool_run_until(struct pool *p, bool (*cond)(void *arg), void *arg)
{
    bool late = false;
    struct timeval limit = {.tv_sec = 30};
    struct event *e = evtimer_new(p->base, give_up, &late);
    evtimer_add(e, &limit);
    while (!cond(arg) && !late) {
        event_base_loop(p->base, EVLOOP_ONCE);
    }
    event_free(e);
    assert_false(late);
}

bool sees(void *arg)
{
    const struct view *v = arg;
    struct swim_member m;
    return swim_find_member(swim_node_core(v->peer->node), v->name, &m) && m.status == v->status;
}

void pool_wait_for_status(struct pool *p, const struct peer *peer, const char *name,
                          enum swim_status status)
{
    struct view v = {peer, name, status};
    pool_run_until(p, sees, &v);
}

void on_joined(void *arg, size_t count, const char *error)
{
    struct joined *j = arg;
    assert_false(j->done); /* exactly once */
    j->done = true;
    j->count = count;
    assert_int_equal(error == NULL, count > 0);
    snprintf(j->error, sizeof j->error, "%s", error ? error : "");
}

bool is_joined(void *joined)
{
    return ((struct joined *)joined)->done;
}

void pool_join(struct pool *p, struct peer *a, const struct peer *b)
{
    char addr[SWIM_ADDR_TEXT];
    struct joined joined = {0};
    const char *list[] = {peer_addr(b, addr)};
    assert_int_equal(swim_node_join(a->node, list, 1, on_joined, &joined), SWIM_OK);
    pool_run_until(p, is_joined, &joined);
    assert_string_equal(joined.error, "");
    assert_int_equal(joined.count, 1);
}
