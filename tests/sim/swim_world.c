#include "swim_world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_LINES = 200, TRACE_WIDTH = 160, PORT = 8301 };

enum event_kind { EV_WAKE, EV_RESUME, EV_PACKET, EV_CONNECT, EV_REPLY, EV_CLOSE };

struct event {
    struct mu__heap_item item; /* first */
    enum event_kind kind;
    size_t node;   /* whom it happens to */
    uint64_t life; /* of the node: an earlier one's event is void */
    size_t from;
    uint32_t stream; /* the id on the node's side */
    uint32_t partner_stream;
    uint64_t partner_life;
    size_t len;
    uint8_t *data; /* right behind the event */
};

struct node {
    struct swim *swim;
    uint64_t life;         /* grows with each start */
    uint64_t paused_until; /* 0: runs */
    uint64_t blocked_until;
    struct event wake;
    struct mu__prng entropy;
    struct world_counts counts;
    uint32_t *incarnations; /* the highest it saw of each other: none may go back */
};

enum { CUT_NONE, CUT_DATAGRAMS, CUT_ALL };

struct world {
    struct world_options o;
    uint64_t now;
    struct mu__heap heap;
    struct mu__prng net, own;
    struct node *nodes;
    uint8_t *cuts; /* [from * nodes + to] */
    uint64_t hash;
    struct world_traffic traffic;
    world_event_fn on_event;
    void *on_event_user;
    char trace[TRACE_LINES][TRACE_WIDTH];
    size_t traced;
};

/* ---- names, addresses, trace ---- */

const char *world_name(size_t node)
{
    static char names[4][16];
    static size_t next;
    char *name = names[next++ % 4];
    (void)snprintf(name, sizeof names[0], "n%zu", node);
    return name;
}

size_t world_index(struct mu_str name)
{
    size_t v = 0;
    for (size_t i = 1; i < name.len; i++) {
        v = v * 10 + (size_t)(name.p[i] - '0');
    }
    return v;
}

static struct swim_addr address(size_t node)
{
    return (struct swim_addr){
        .ip = {10, 0, (uint8_t)(node >> 8), (uint8_t)node}, .len = 4, .port = PORT};
}

static size_t index_of(const struct swim_addr *a)
{
    return (size_t)a->ip[2] << 8 | a->ip[3];
}

static void mix(struct world *w, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) { /* FNV-1a */
        w->hash = (w->hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
}

void world_trace(struct world *w, const char *fmt, ...)
{
    char *line = w->trace[w->traced++ % TRACE_LINES];
    int n = snprintf(line, TRACE_WIDTH, "[%9.3f] ", (double)w->now / 1e9);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line + n, TRACE_WIDTH - (size_t)n, fmt, args);
    va_end(args);
    mix(w, line, strlen(line));
    if (w->o.verbose) {
        puts(line);
    }
}

void world_dump(const struct world *w, FILE *out)
{
    size_t n = w->traced < TRACE_LINES ? w->traced : TRACE_LINES;
    for (size_t i = w->traced - n; i < w->traced; i++) {
        (void)fprintf(out, "%s\n", w->trace[i % TRACE_LINES]);
    }
}

/* ---- events ---- */

static struct event *event_create(enum event_kind kind, size_t node, const void *data, size_t len)
{
    struct event *e = calloc(1, sizeof *e + len);
    assert(e);
    e->item.slot = MU_HEAP_NONE;
    e->kind = kind;
    e->node = node;
    e->len = len;
    e->data = (uint8_t *)(e + 1);
    if (len > 0) {
        memcpy(e->data, data, len);
    }
    return e;
}

static void schedule(struct world *w, struct event *e, uint64_t at)
{
    e->life = w->nodes[e->node].life;
    bool ok = mu__heap_set(&w->heap, &e->item, at > w->now ? at : w->now);
    assert(ok);
    (void)ok;
}

static uint64_t delay(struct world *w)
{
    return mu__prng_between(&w->net, w->o.delay_min_ns, w->o.delay_max_ns);
}

static bool happens(struct world *w, uint32_t ppm)
{
    return ppm > 0 && mu__prng_below(&w->net, 1000000) < ppm;
}

static uint8_t cut_of(const struct world *w, size_t from, size_t to)
{
    return w->cuts[from * w->o.nodes + to];
}

/* ---- draining a node ---- */

/* When what a node sends now is on its way. */
static uint64_t departure(const struct world *w, size_t node)
{
    uint64_t blocked_until = w->nodes[node].blocked_until;
    return blocked_until > w->now ? blocked_until : w->now;
}

static void send_packet(struct world *w, size_t from, const struct swim_packet *p)
{
    size_t to = index_of(&p->to);
    if (!w->o.lean) {
        mix(w, p->data, p->len);
    }
    w->traffic.datagrams++;
    w->traffic.datagram_bytes += p->len;
    if (to >= w->o.nodes || cut_of(w, from, to) != CUT_NONE || happens(w, w->o.loss_ppm)) {
        return;
    }
    size_t copies = happens(w, w->o.repeat_ppm) ? 2 : 1;
    for (size_t i = 0; i < copies; i++) {
        struct event *e = event_create(EV_PACKET, to, p->data, p->len);
        e->from = from;
        schedule(w, e, departure(w, from) + delay(w));
    }
}

static void close_later(struct world *w, size_t node, uint32_t stream, uint64_t at)
{
    struct event *e = event_create(EV_CLOSE, node, NULL, 0);
    e->stream = stream;
    schedule(w, e, at);
}

static void open_stream(struct world *w, size_t from, const struct swim_stream *st)
{
    size_t to = index_of(&st->to);
    if (to >= w->o.nodes || cut_of(w, from, to) == CUT_ALL || cut_of(w, to, from) == CUT_ALL) {
        close_later(w, from, st->id, st->deadline_ns);
        return;
    }
    if (!w->nodes[to].swim) { /* connection refused */
        close_later(w, from, st->id, w->now + delay(w));
        return;
    }
    struct event *e = event_create(EV_CONNECT, to, st->data, st->len);
    e->from = from;
    e->partner_stream = st->id;
    e->partner_life = w->nodes[from].life;
    w->traffic.streams++;
    w->traffic.stream_bytes += st->len;
    schedule(w, e, departure(w, from) + delay(w));
    close_later(w, from, st->id, st->deadline_ns);
}

static void count_event(struct world_counts *c, const struct swim_event *ev)
{
    switch (ev->type) {
    case SWIM_EVENT_JOIN:
        c->joins++;
        break;
    case SWIM_EVENT_UPDATE:
        c->updates++;
        break;
    case SWIM_EVENT_LEAVE:
        c->leaves++;
        break;
    case SWIM_EVENT_FAILED:
        c->failures++;
        break;
    case SWIM_EVENT_REAP:
        c->reaps++;
        break;
    case SWIM_EVENT_USER:
        c->users++;
        break;
    case SWIM_EVENT_CONFLICT:
        c->conflicts++;
        break;
    case SWIM_EVENT_LEFT:
        c->lefts++;
        break;
    case SWIM_EVENT_JOIN_RESULT:
        *(ev->err == SWIM_OK ? &c->join_ok : &c->join_failed) += 1;
        break;
    default:
        break;
    }
}

static void trace_event(struct world *w, size_t node, const struct swim_event *ev)
{
    static const char *const what[] = {
        [SWIM_EVENT_JOIN] = "joined",
        [SWIM_EVENT_UPDATE] = "updated",
        [SWIM_EVENT_LEAVE] = "left",
        [SWIM_EVENT_FAILED] = "failed",
        [SWIM_EVENT_REAP] = "reaped",
        [SWIM_EVENT_USER] = "user event",
        [SWIM_EVENT_QUERY] = "query",
        [SWIM_EVENT_JOIN_RESULT] = "join",
        [SWIM_EVENT_CONFLICT] = "conflict",
        [SWIM_EVENT_KEYS] = "keys",
        [SWIM_EVENT_LEFT] = "has left",
        [SWIM_EVENT_ANSWER] = "answer",
        [SWIM_EVENT_ACK] = "ack",
        [SWIM_EVENT_QUERY_DONE] = "answered",
        [SWIM_EVENT_KEY_RESULT] = "keys of all",
        [SWIM_EVENT_NAME_LOST] = "lost its name",
    };
    struct mu_str about = ev->member.name.len ? ev->member.name : ev->name;
    world_trace(w, "%s > %.*s %s incarnation %u err %d", world_name(node), (int)about.len,
                about.p ? about.p : "", what[ev->type], ev->member.incarnation, ev->err);
}

static void drain(struct world *w, size_t i)
{
    struct node *n = &w->nodes[i];
    struct swim_packet p;
    struct swim_stream st;
    struct swim_event ev;
    while (swim_next_send(n->swim, &p)) {
        send_packet(w, i, &p);
    }
    while (swim_next_stream(n->swim, &st)) {
        open_stream(w, i, &st);
    }
    while (swim_next_event(n->swim, &ev)) {
        count_event(&n->counts, &ev);
        if (!w->o.lean) {
            trace_event(w, i, &ev);
        }
        if (w->on_event) {
            w->on_event(w, w->on_event_user, i, &ev);
        }
    }
    uint64_t due = swim_next_deadline(n->swim);
    bool ok = mu__heap_set(&w->heap, &n->wake.item, due > w->now ? due : w->now);
    assert(ok);
    (void)ok;
}

/* No incarnation goes back: an old one must not override a new one, in nobody's eyes. */
static void check_incarnations(struct world *w, struct node *n)
{
    struct swim_member m;
    for (size_t at = 0; swim_next_member(n->swim, &at, &m);) {
        size_t other = world_index(m.name);
        assert(other < w->o.nodes);
        assert(m.incarnation >= n->incarnations[other]);
        n->incarnations[other] = m.incarnation;
    }
}

static void after_step(struct world *w, size_t i)
{
    drain(w, i);
    if (w->o.check_each_step) {
        swim__check(w->nodes[i].swim);
        check_incarnations(w, &w->nodes[i]);
    }
}

void world_drain(struct world *w, size_t node)
{
    after_step(w, node);
}

/* ---- what happens ---- */

/* Feeds a stream in pieces of random sizes. True when the exchange is complete; *reply then holds
 * what to write. */
static bool feed(struct world *w, struct node *n, uint32_t stream, const uint8_t *data, size_t len,
                 struct swim_reply *reply)
{
    *reply = (struct swim_reply){0};
    while (len > 0 && !reply->done) {
        size_t piece = (size_t)mu__prng_between(&w->net, 1, len);
        int rc = swim_stream_receive(n->swim, w->now, stream, data, piece, reply);
        assert(rc == SWIM_OK || rc == SWIM_ENOENT); /* members never send each other rubbish */
        (void)rc;
        data += piece;
        len -= piece;
    }
    return reply->done;
}

static void handle_connect(struct world *w, const struct event *e)
{
    struct node *n = &w->nodes[e->node];
    struct swim_addr from = address(e->from);
    struct swim_reply reply;
    uint32_t id;
    uint64_t deadline;
    if (swim_stream_accept(n->swim, w->now, &from, &id, &deadline) != SWIM_OK) {
        return;
    }
    bool done = feed(w, n, id, e->data, e->len, &reply);
    if (done && cut_of(w, e->node, e->from) != CUT_ALL &&
        w->nodes[e->from].life == e->partner_life) {
        struct event *r = event_create(EV_REPLY, e->from, reply.data, reply.len);
        r->stream = e->partner_stream;
        w->traffic.stream_bytes += reply.len;
        schedule(w, r, departure(w, e->node) + delay(w));
    }
    swim_stream_end(n->swim, w->now, id);
}

static void handle_event(struct world *w, struct event *e)
{
    struct node *n = &w->nodes[e->node];
    struct swim_reply reply;
    struct swim_addr from = address(e->from);
    switch (e->kind) {
    case EV_WAKE:
        break;
    case EV_RESUME:
        n->paused_until = 0;
        break;
    case EV_PACKET: {
        int rc = swim_receive(n->swim, w->now, &from, e->data, e->len);
        assert(rc == SWIM_OK); /* members never send each other rubbish */
        (void)rc;
        break;
    }
    case EV_CONNECT:
        handle_connect(w, e);
        break;
    case EV_REPLY:
        (void)feed(w, n, e->stream, e->data, e->len, &reply);
        swim_stream_end(n->swim, w->now, e->stream);
        break;
    case EV_CLOSE:
        swim_stream_end(n->swim, w->now, e->stream);
        break;
    }
    swim_advance(n->swim, w->now);
    after_step(w, e->node);
}

/* A node that sleeps finds what came meanwhile when it wakes up. */
static uint64_t waits_until(const struct node *n, enum event_kind kind)
{
    switch (kind) {
    case EV_RESUME:
        return 0;
    case EV_WAKE:
    case EV_CLOSE:
        return n->paused_until;
    default:
        return n->paused_until > n->blocked_until ? n->paused_until : n->blocked_until;
    }
}

static void step(struct world *w)
{
    struct event *e = (struct event *)mu__heap_min(&w->heap);
    struct node *n = &w->nodes[e->node];
    uint64_t stamp[2] = {e->item.at, (uint64_t)e->node << 8 | e->kind};
    mu__heap_remove(&w->heap, &e->item);
    w->now = e->item.at;
    mix(w, stamp, sizeof stamp);
    bool stale = !n->swim || (e != &n->wake && e->life != n->life);
    uint64_t waits = waits_until(n, e->kind);
    if (!stale && waits > w->now) {
        bool ok = mu__heap_set(&w->heap, &e->item, waits);
        assert(ok);
        (void)ok;
        return;
    }
    if (!stale) {
        handle_event(w, e);
    }
    if (e != &n->wake) {
        free(e);
    }
}

void world_run(struct world *w, uint64_t until_ns)
{
    struct mu__heap_item *next;
    while ((next = mu__heap_min(&w->heap)) != NULL && next->at <= until_ns) {
        step(w);
    }
    w->now = until_ns;
}

void world_run_for(struct world *w, uint64_t ns)
{
    world_run(w, w->now + ns);
}

/* ---- life and death ---- */

static int node_entropy(void *user, void *buf, size_t len)
{
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)mu__prng_next(user);
    }
    return 0;
}

void world_start(struct world *w, size_t node)
{
    static const struct mu_str key = {"0123456789abcdef", 16};
    static const struct swim_tag tags[] = {{{"role", 4}, {"node", 4}}, {{"dc", 2}, {"dc1", 3}}};
    struct node *n = &w->nodes[node];
    assert(!n->swim);
    struct swim_config cfg;
    swim_config_init(&cfg);
    swim_config_profile(&cfg, w->o.profile);
    cfg.name = world_name(node);
    cfg.advertise = address(node);
    cfg.tags = tags;
    cfg.ntags = w->o.lean ? 0 : 2;
    cfg.keys = &key;
    cfg.nkeys = w->o.encrypt ? 1 : 0;
    cfg.entropy = node_entropy;
    cfg.entropy_user = &n->entropy;
    if (w->o.tune) {
        w->o.tune(&cfg, node);
    }
    int rc = swim_create(&cfg, w->now, &n->swim);
    assert(rc == SWIM_OK);
    (void)rc;
    n->life++;
    n->counts = (struct world_counts){0};
    if (n->incarnations) {
        memset(n->incarnations, 0, w->o.nodes * sizeof *n->incarnations);
    }
    if (!w->o.lean) {
        world_trace(w, "%s starts", world_name(node));
    }
    after_step(w, node);
}

/* Nobody hears what it would say and be told of the members it was just introduced to. */
static void hush(struct world *w, size_t node)
{
    struct swim *s = w->nodes[node].swim;
    struct swim_event ev;
    while (swim_next_event(s, &ev)) {
    }
    swim__queue_fini(&s->updates);
    swim__queue_init(&s->updates, &s->allocator, mu__prng_next(&w->nodes[node].entropy));
}

/* It is told of all others, as by a full sync; in small portions, so that its queues stay small. */
static void introduce(struct world *w, size_t node)
{
    struct swim *s = w->nodes[node].swim;
    struct swim__alive alive;
    swim__enter(s, w->now);
    for (size_t k = 0; k < w->o.nodes; k++) {
        if (k != node) {
            swim__alive_of(w->nodes[k].swim->self, &alive);
            int rc = swim__alive(s, &alive, SWIM__FROM_SYNC);
            assert(rc == SWIM_OK);
            (void)rc;
        }
        if (k % 64 == 0 || k + 1 == w->o.nodes) {
            hush(w, node);
        }
    }
}

void world_start_formed(struct world *w)
{
    for (size_t i = 0; i < w->o.nodes; i++) {
        world_start(w, i);
    }
    for (size_t i = 0; i < w->o.nodes; i++) {
        introduce(w, i);
        after_step(w, i);
    }
}

void world_crash(struct world *w, size_t node)
{
    struct node *n = &w->nodes[node];
    world_trace(w, "%s crashes", world_name(node));
    swim_destroy(n->swim);
    n->swim = NULL;
    n->paused_until = n->blocked_until = 0;
    n->life++;
    mu__heap_remove(&w->heap, &n->wake.item);
}

void world_pause(struct world *w, size_t node, uint64_t ns)
{
    world_trace(w, "%s pauses for %.3f s", world_name(node), (double)ns / 1e9);
    w->nodes[node].paused_until = w->now + ns;
    schedule(w, event_create(EV_RESUME, node, NULL, 0), w->now + ns);
}

static void set_cut(struct world *w, size_t from, size_t to, uint8_t cut)
{
    w->cuts[from * w->o.nodes + to] = cut;
}

void world_cut(struct world *w, size_t from, size_t to, bool cut)
{
    world_trace(w, "%s to %s %s", world_name(from), world_name(to), cut ? "cut" : "mended");
    set_cut(w, from, to, cut ? CUT_ALL : CUT_NONE);
}

void world_cut_datagrams(struct world *w, size_t from, size_t to, bool cut)
{
    world_trace(w, "%s to %s datagrams %s", world_name(from), world_name(to),
                cut ? "cut" : "mended");
    set_cut(w, from, to, cut ? CUT_DATAGRAMS : CUT_NONE);
}

void world_split(struct world *w, size_t first)
{
    world_trace(w, "split before %s", world_name(first));
    for (size_t i = 0; i < w->o.nodes; i++) {
        for (size_t k = 0; k < w->o.nodes; k++) {
            set_cut(w, i, k, (i < first) != (k < first) ? CUT_ALL : CUT_NONE);
        }
    }
}

void world_heal(struct world *w)
{
    world_trace(w, "all is well again");
    memset(w->cuts, CUT_NONE, w->o.nodes * w->o.nodes);
    w->o.loss_ppm = w->o.repeat_ppm = 0;
    for (size_t i = 0; i < w->o.nodes; i++) {
        w->nodes[i].paused_until = w->nodes[i].blocked_until = 0;
    }
}

void world_block(struct world *w, size_t node, uint64_t ns)
{
    world_trace(w, "%s is starved for %.3f s", world_name(node), (double)ns / 1e9);
    w->nodes[node].blocked_until = w->now + ns;
}

void world_forge(struct world *w, size_t from, size_t to, const struct swim__msg *msg)
{
    const struct swim__envelope plain = {.verify_incoming = false};
    const struct swim__packet_options options = {.with_crc = false};
    struct mu__writer one = mu__writer_growing(&mu__malloc_allocator);
    struct mu__writer packet = mu__writer_growing(&mu__malloc_allocator);
    swim__msg_encode(&one, msg);
    struct mu_str part = {(const char *)one.data, one.len};
    bool ok = swim__packet_seal(&plain, &options, &part, 1, &mu__malloc_allocator, &packet) &&
              !packet.failed;
    assert(ok);
    (void)ok;
    struct event *e = event_create(EV_PACKET, to, packet.data, packet.len);
    e->from = from;
    schedule(w, e, w->now);
    mu__writer_fini(&one);
    mu__writer_fini(&packet);
}

void world_set_loss(struct world *w, uint32_t loss_ppm)
{
    w->o.loss_ppm = loss_ppm;
}

/* ---- the world itself ---- */

struct world *world_create(const struct world_options *o)
{
    assert(o->nodes >= 1 && o->nodes <= WORLD_NODES_MAX && o->delay_min_ns <= o->delay_max_ns);
    struct world *w = calloc(1, sizeof *w);
    assert(w);
    w->o = *o;
    w->now = MU_SEC;
    w->hash = UINT64_C(0xcbf29ce484222325);
    mu__heap_init(&w->heap, NULL);
    mu__prng_seed(&w->net, o->seed);
    mu__prng_seed(&w->own, o->seed ^ UINT64_C(0x5ce7a210));
    w->nodes = calloc(o->nodes, sizeof *w->nodes);
    w->cuts = calloc(o->nodes, o->nodes);
    assert(w->nodes && w->cuts);
    for (size_t i = 0; i < o->nodes; i++) {
        struct node *n = &w->nodes[i];
        n->wake = (struct event){.item.slot = MU_HEAP_NONE, .kind = EV_WAKE, .node = i};
        mu__prng_seed(&n->entropy, o->seed * 31 + i + 1);
        if (o->check_each_step) {
            n->incarnations = calloc(o->nodes, sizeof *n->incarnations);
            assert(n->incarnations);
        }
    }
    return w;
}

void world_destroy(struct world *w)
{
    struct mu__heap_item *item;
    while ((item = mu__heap_min(&w->heap)) != NULL) {
        struct event *e = (struct event *)item;
        mu__heap_remove(&w->heap, item);
        if (e != &w->nodes[e->node].wake) {
            free(e);
        }
    }
    for (size_t i = 0; i < w->o.nodes; i++) {
        swim_destroy(w->nodes[i].swim);
        free(w->nodes[i].incarnations);
    }
    mu__heap_fini(&w->heap);
    free(w->nodes);
    free(w->cuts);
    free(w);
}

uint64_t world_now(const struct world *w)
{
    return w->now;
}

struct mu__prng *world_prng(struct world *w)
{
    return &w->own;
}

uint64_t world_hash(const struct world *w)
{
    return w->hash;
}

const struct world_traffic *world_traffic(const struct world *w)
{
    return &w->traffic;
}

struct swim *world_swim(struct world *w, size_t node)
{
    return w->nodes[node].swim;
}

bool world_is_up(const struct world *w, size_t node)
{
    return w->nodes[node].swim != NULL;
}

void world_join(struct world *w, size_t node, size_t peer)
{
    struct swim_addr to = address(peer);
    int rc = swim_join(w->nodes[node].swim, w->now, &to, NULL);
    assert(rc == SWIM_OK);
    (void)rc;
    after_step(w, node);
}

const struct world_counts *world_counts(const struct world *w, size_t node)
{
    return &w->nodes[node].counts;
}

void world_on_event(struct world *w, world_event_fn fn, void *user)
{
    w->on_event = fn;
    w->on_event_user = user;
}

enum swim_status world_status(struct world *w, size_t node, size_t other)
{
    struct swim_member m;
    return swim_find_member(w->nodes[node].swim, world_name(other), &m) ? m.status
                                                                        : SWIM_STATUS_NONE;
}
