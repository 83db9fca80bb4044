/* swim.c - a swim is made, fed with datagrams and time, and taken apart. */
#include "core.h"

#include <assert.h>
#include <string.h>

enum { COMPRESS_LEAST = 256 }; /* shorter datagrams hardly ever become shorter still */
static const uint8_t own_vsn[SWIM__VSN_LEN] = {1, 5, 2,
                                               2, 5, 4}; /* pmin pmax pcur dmin dmax dcur */

/* ---- time ---- */

void swim__enter(struct swim *s, uint64_t now_ns)
{
    assert(now_ns >= s->now);
    s->now = now_ns;
}

enum { OWN_TIMERS = 9 }; /* that live as long as the swim; some of them stand still at times */

/* Keeps room for our own timers as well, so that setting one of those cannot fail. */
bool swim__timer_set(struct swim *s, struct swim__timer *t, uint64_t at)
{
    struct mu__heap *h = &s->timers;
    return mu__reserve(&h->allocator, (void **)&h->items, &h->cap, h->len + 1 + OWN_TIMERS,
                       sizeof(void *)) &&
           mu__heap_set(h, &t->item, at);
}

/* For our own timers, and for those that are in the heap or were until now. */
void swim__timer_reset(struct swim *s, struct swim__timer *t, uint64_t at)
{
    bool ok = mu__heap_set(&s->timers, &t->item, at);
    assert(ok);
    (void)ok;
}

void swim__timer_stop(struct swim *s, struct swim__timer *t)
{
    mu__heap_remove(&s->timers, &t->item);
}

void swim_advance(struct swim *s, uint64_t now_ns)
{
    swim__enter(s, now_ns);
    struct mu__heap_item *item;
    while ((item = mu__heap_min(&s->timers)) != NULL && item->at <= s->now) {
        struct swim__timer *t = (struct swim__timer *)item;
        mu__heap_remove(&s->timers, item);
        t->fire(s, t);
    }
}

uint64_t swim_next_deadline(const struct swim *s)
{
    const struct mu__heap_item *item = mu__heap_min(&s->timers);
    return item ? item->at : MU_NEVER;
}

/* ---- datagrams ---- */

static int handle(struct swim *s, const struct swim_addr *from, struct mu_str raw)
{
    struct swim__msg msg;
    if (!swim__msg_decode(raw.p, raw.len, &msg)) {
        return SWIM_EPROTO;
    }
    switch (msg.type) {
    case SWIM__MSG_PING:
        swim__ping(s, from, &msg.ping);
        return SWIM_OK;
    case SWIM__MSG_INDIRECT_PING:
        swim__indirect_ping(s, from, &msg.indirect_ping);
        return SWIM_OK;
    case SWIM__MSG_ACK:
        if (!swim__probe_ack(s, &msg.ack) && !swim__relay_ack(s, msg.ack.seq_no) &&
            !swim__name_ack(s, msg.ack.seq_no)) {
            s->stats.acks_late++;
        }
        return SWIM_OK;
    case SWIM__MSG_NACK:
        (void)swim__probe_nack(s, msg.nack.seq_no);
        return SWIM_OK;
    case SWIM__MSG_SUSPECT:
        return swim__suspect(s, &msg.suspect);
    case SWIM__MSG_ALIVE:
        return swim__alive(s, &msg.alive, SWIM__FROM_GOSSIP);
    case SWIM__MSG_DEAD:
        return swim__dead(s, &msg.dead);
    case SWIM__MSG_USER:
        return swim__serf_receive(s, from, msg.user);
    default:
        return SWIM_EPROTO;
    }
}

static int open_failed(struct swim *s, const struct swim_addr *from, enum swim__open_result r)
{
    if (r != SWIM__OPEN_NOMEM) {
        swim__note_unreadable(s, from, r);
    }
    switch (r) {
    case SWIM__OPEN_NOMEM:
        s->stats.packets_dropped++;
        return SWIM_ENOMEM;
    case SWIM__OPEN_UNDECRYPTED:
    case SWIM__OPEN_PLAIN:
    case SWIM__OPEN_ENCRYPTED:
        s->stats.packets_undecryptable++;
        return SWIM_ECRYPT;
    default:
        s->stats.packets_malformed++;
        return SWIM_EPROTO;
    }
}

int swim_receive(struct swim *s, uint64_t now_ns, const struct swim_addr *from, const void *data,
                 size_t len)
{
    swim__enter(s, now_ns);
    s->stats.packets_in++;
    s->stats.bytes_in += len;
    if (s->leave_stage == SWIM__HAS_LEFT) {
        return SWIM_OK;
    }
    if (len == 0 || len > SWIM_DATAGRAM_MAX) {
        s->stats.packets_malformed++;
        return SWIM_EPROTO;
    }
    struct swim__opener opener;
    enum swim__open_result opened =
        swim__packet_open(&opener, &s->envelope, &s->scratch, data, len);
    int rc = opened == SWIM__OPEN_OK ? SWIM_OK : open_failed(s, from, opened);
    struct mu_str raw;
    size_t bad = 0;
    s->from = *from;
    while (opened == SWIM__OPEN_OK && swim__packet_next(&opener, &raw)) {
        int one = handle(s, from, raw);
        bad += one == SWIM_EPROTO ? 1 : 0;
        rc = one == SWIM_ENOMEM ? one : rc;
    }
    s->from.len = 0;
    if (opened == SWIM__OPEN_OK && (bad > 0 || opener.malformed > 0)) {
        s->stats.packets_malformed++;
        swim__note_unreadable(s, from, SWIM__OPEN_MALFORMED);
        rc = rc == SWIM_OK ? SWIM_EPROTO : rc;
    } else if (opened == SWIM__OPEN_OK) {
        swim__heard(s);
    }
    mu__arena_reset(&s->scratch);
    return rc;
}

/* ---- life ---- */

static void init_parts(struct swim *s, uint64_t seed)
{
    const struct mu_allocator *a = &s->allocator;
    mu__prng_seed(&s->prng, seed);
    s->hash_seed[0] = mu__prng_next(&s->prng);
    s->hash_seed[1] = mu__prng_next(&s->prng);
    mu__heap_init(&s->timers, a);
    mu__arena_init(&s->scratch, a, (size_t)2 * SWIM__PACKET_PLAIN_MAX);
    s->build = mu__writer_growing(a);
    swim__table_init(&s->members, a, s->hash_seed[0]);
    mu__map_init(&s->relays, a, s->hash_seed[0]);
    mu__map_init(&s->early_intents, a, s->hash_seed[0]);
    mu__map_init(&s->open_queries, a, s->hash_seed[0]);
    mu__map_init(&s->asked, a, s->hash_seed[0]);
    mu__map_init(&s->streams, a, s->hash_seed[0]);
    swim__queue_init(&s->updates, a, mu__prng_next(&s->prng));
    swim__queue_init(&s->intents, a, mu__prng_next(&s->prng));
    swim__queue_init(&s->queries, a, mu__prng_next(&s->prng));
    swim__queue_init(&s->user_events, a, mu__prng_next(&s->prng));
    s->out_last = &s->out_first;
    swim__coords_init(&s->coords);
    swim__probe_init(s);
    s->gossip = (struct swim__timer){.item.slot = MU_HEAP_NONE, .fire = swim__gossip_fire};
    s->push_pull = (struct swim__timer){.item.slot = MU_HEAP_NONE, .fire = swim__sync_fire};
    s->reap = (struct swim__timer){.item.slot = MU_HEAP_NONE, .fire = swim__reap_fire};
    s->reconnect = (struct swim__timer){.item.slot = MU_HEAP_NONE, .fire = swim__reconnect_fire};
    s->leave = (struct swim__timer){.item.slot = MU_HEAP_NONE, .fire = swim__leave_fire};
    s->held_members.timer =
        (struct swim__timer){.item.slot = MU_HEAP_NONE, .fire = swim__flush_members};
    s->held_users.timer =
        (struct swim__timer){.item.slot = MU_HEAP_NONE, .fire = swim__flush_users};
}

static void init_clocks(struct swim *s)
{
    s->member_clock.time = s->event_clock.time = s->query_clock.time = 1;
    swim__clock_witness(&s->member_clock, s->cfg.member_clock);
    swim__clock_witness(&s->event_clock, s->cfg.event_clock);
    swim__clock_witness(&s->query_clock, s->cfg.query_clock);
    s->event_min = s->cfg.event_clock ? s->cfg.event_clock + 1 : 0;
    s->query_min = s->cfg.query_clock ? s->cfg.query_clock + 1 : 0;
}

/* A time from now on within the interval, so that members started together do not beat together. */
static uint64_t soon(struct swim *s, uint64_t interval)
{
    return s->now + mu__prng_below(&s->prng, interval) + 1;
}

/* Room in the heap for the timers that live as long as we do: setting them can fail no more. */
static bool start_timers(struct swim *s)
{
    struct swim__timer *const all[] = {&s->probe.tick,
                                       &s->probe.stage,
                                       &s->gossip,
                                       &s->push_pull,
                                       &s->reap,
                                       &s->reconnect,
                                       &s->leave,
                                       &s->held_members.timer,
                                       &s->held_users.timer};
    _Static_assert(sizeof all / sizeof all[0] == OWN_TIMERS,
                   "each of our own timers has its place");
    for (size_t i = 0; i < OWN_TIMERS; i++) {
        if (!swim__timer_set(s, all[i], MU_NEVER)) {
            return false;
        }
    }
    swim__timer_stop(s, &s->probe.stage);
    swim__timer_stop(s, &s->gossip);
    swim__timer_stop(s, &s->leave);
    swim__timer_stop(s, &s->held_members.timer);
    swim__timer_stop(s, &s->held_users.timer);
    s->gossip_phase =
        s->now - mu__prng_below(&s->prng, mu__min(s->cfg.gossip_interval_ns, s->now + 1));
    swim__timer_reset(s, &s->probe.tick, soon(s, s->cfg.probe_interval_ns));
    swim__timer_reset(s, &s->reap, soon(s, s->cfg.reap_interval_ns));
    swim__timer_reset(s, &s->reconnect, soon(s, s->cfg.reconnect_interval_ns));
    if (s->cfg.push_pull_interval_ns > 0) {
        swim__timer_reset(s, &s->push_pull,
                          soon(s, s->cfg.push_pull_interval_ns) + s->cfg.push_pull_interval_ns);
    } else {
        swim__timer_stop(s, &s->push_pull);
    }
    return true;
}

static int start_self(struct swim *s, const struct swim_config *cfg)
{
    struct swim__member *m =
        swim__table_add(&s->members, (struct mu_str){cfg->name, strlen(cfg->name)});
    if (!m) {
        return SWIM_ENOMEM;
    }
    s->self = m;
    m->addr = cfg->advertise;
    memcpy(m->vsn, own_vsn, sizeof own_vsn);
    if (!swim__table_enlist(&s->members, m, &s->prng) || !swim__events_reserve(s, 4)) {
        return SWIM_ENOMEM;
    }
    int rc = swim__set_own_meta(s, cfg->tags, cfg->ntags);
    if (rc != SWIM_OK) {
        return rc;
    }
    swim__member_set_state(&s->members, m, SWIM_ALIVE, s->now);
    s->incarnation = 1;
    swim__status_up(s, m, false, false);
    return swim__announce(s) ? SWIM_OK : SWIM_ENOMEM;
}

static int start(struct swim *s, const struct swim_config *cfg)
{
    if (!start_timers(s)) {
        return SWIM_ENOMEM;
    }
    int rc = swim__keys_load(s, cfg->keys, cfg->nkeys);
    return rc != SWIM_OK ? rc : start_self(s, cfg);
}

int swim_create(const struct swim_config *given, uint64_t now_ns, struct swim **out)
{
    struct swim_config cfg;
    uint64_t seed;
    *out = NULL;
    int rc = swim_config_check(given, NULL, 0);
    if (rc != SWIM_OK || !swim__config_widen(given, &cfg)) {
        return SWIM_EINVAL;
    }
    if (cfg.entropy(cfg.entropy_user, &seed, sizeof seed) != 0) {
        return SWIM_EINVAL;
    }
    struct mu_allocator allocator = mu__allocator_or_default(cfg.allocator);
    struct swim *s = mu__calloc(&allocator, 1, sizeof *s);
    if (!s) {
        return SWIM_ENOMEM;
    }
    s->allocator = allocator;
    s->now = s->heard_ns = now_ns;
    s->cfg = cfg;
    s->cfg.name = NULL;
    s->cfg.tags = NULL;
    s->cfg.keys = NULL;
    s->cfg.label = (struct mu_str){0};
    s->cfg.allocator = NULL;
    s->envelope = (struct swim__envelope){.verify_incoming = cfg.verify_incoming,
                                          .verify_outgoing = cfg.verify_outgoing,
                                          .compress = cfg.compress,
                                          .compress_least = COMPRESS_LEAST};
    if (cfg.label.len > 0) {
        memcpy(s->label, cfg.label.p, cfg.label.len);
        s->envelope.label = (struct mu_str){s->label, cfg.label.len};
    }
    init_parts(s, seed);
    init_clocks(s);
    rc = start(s, &cfg);
    if (rc != SWIM_OK) {
        swim_destroy(s);
        return rc;
    }
    *out = s;
    return SWIM_OK;
}

void swim_destroy(struct swim *s)
{
    if (!s) {
        return;
    }
    struct mu_allocator allocator = s->allocator;
    for (size_t i = 0; i < s->members.len; i++) {
        swim__suspicion_clear(s, s->members.list[i]);
    }
    swim__queue_fini(&s->updates);
    swim__queue_fini(&s->intents);
    swim__queue_fini(&s->queries);
    swim__queue_fini(&s->user_events);
    swim__events_fini(s);
    swim__outbox_fini(s);
    swim__streams_fini(s);
    swim__relays_fini(s);
    swim__early_intents_fini(s);
    swim__queries_fini(s);
    swim__asked_fini(s);
    swim__recent_fini(s, &s->recent_events);
    swim__recent_fini(s, &s->recent_queries);
    swim__peers_fini(s);
    swim__table_fini(&s->members);
    mu__heap_fini(&s->timers);
    mu__arena_fini(&s->scratch);
    mu__writer_fini(&s->build);
    swim__keyring_destroy(s->keyring);
    mu__wipe(s, sizeof *s);
    mu__free(&allocator, s);
}

/* ---- asking ---- */

static void view(const struct swim *s, const struct swim__member *m, struct swim_member *out)
{
    swim__member_view(m, out);
    out->is_self = m == s->self;
}

bool swim_next_member(const struct swim *s, size_t *at, struct swim_member *out)
{
    for (const struct swim__member *m; (m = swim__table_next(&s->members, at)) != NULL;) {
        if (m->status != SWIM_STATUS_NONE) {
            view(s, m, out);
            return true;
        }
    }
    return false;
}

bool swim_find_member(const struct swim *s, const char *name, struct swim_member *out)
{
    const struct swim__member *m =
        swim__table_find(&s->members, (struct mu_str){name, strlen(name)});
    if (!m || m->status == SWIM_STATUS_NONE) {
        return false;
    }
    view(s, m, out);
    return true;
}

void swim_self(const struct swim *s, struct swim_member *out)
{
    view(s, s->self, out);
}

size_t swim_alive(const struct swim *s)
{
    return s->members.statuses[SWIM_STATUS_ALIVE];
}

void swim_coordinate(const struct swim *s, struct swim_coordinate *out)
{
    *out = s->coords.self;
}
