#include "forward.h"

#include <stdlib.h>
#include <string.h>

/* So many forged replies to one try mean that somebody has found its port and guesses the ID; over
 * TCP there is nothing to guess. */
#define STRANGERS_MAX 20u

static void finish(struct ask *a, const uint8_t *reply, size_t len);

/* ---- Tries ---- */

static void stamp_id(struct ask *a)
{
    uint16_t id = dnsfront__draw(&a->f->draw);
    a->wire[2] = (uint8_t)(id >> 8);
    a->wire[3] = (uint8_t)id;
}

/* Tries the recursor before `tried` over the ask's transport, or goes on to the next. */
static bool try_once(struct ask *a)
{
    uint64_t ns = a->recursors->timeout_ns;
    struct timeval wait = {.tv_sec = (time_t)(ns / MU_SEC),
                           .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC)};
    dnsfront__exchange_end(a);
    a->strangers = 0;
    stamp_id(a);
    a->f->stats->forward_sent++;
    return event_add(a->timer, &wait) == 0 &&
           dnsfront__exchange_begin(a, &a->recursors->items[a->order[a->tried - 1]]);
}

/* Sends to the next recursor that can be sent to; without one the ask has failed. */
static void begin(struct ask *a)
{
    while (a->tried < a->recursors->count) {
        a->tried++;
        a->tcp = a->mode == FORWARD_TCP;
        if (try_once(a)) {
            return;
        }
    }
    finish(a, NULL, 0);
}

static void retry_over_tcp(struct ask *a)
{
    a->tcp = true;
    if (!try_once(a)) {
        dnsfront__ask_failed(a);
    }
}

void dnsfront__ask_failed(struct ask *a)
{
    if (a->truncated) { /* better than nothing */
        finish(a, a->truncated, a->truncated_len);
    } else {
        begin(a);
    }
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct ask *a = arg;
    (void)fd;
    (void)what;
    a->f->stats->forward_timeouts++;
    dnsfront__ask_failed(a);
}

/* ---- Replies ---- */

static bool keep_truncated(struct ask *a, const uint8_t *reply, size_t len)
{
    a->truncated = malloc(len);
    if (a->truncated) {
        memcpy(a->truncated, reply, len);
        a->truncated_len = len;
    }
    return a->truncated != NULL;
}

static void on_truncated(struct ask *a, uint8_t *reply, size_t len)
{
    if (!dnsfront__reply_is_sound(reply, len)) { /* cut in the middle of a record */
        len = dnsfront__reply_cut(reply, len);
    }
    if (a->mode == FORWARD_RESOLVE && !a->tcp && keep_truncated(a, reply, len)) {
        retry_over_tcp(a);
    } else {
        finish(a, reply, len);
    }
}

bool dnsfront__ask_reply(struct ask *a, uint8_t *reply, size_t len)
{
    switch (dnsfront__reply_check(a->wire + 2, a->len, reply, len)) {
    case REPLY_STRANGER:
        a->f->stats->forward_strangers++;
        if (a->tcp || ++a->strangers < STRANGERS_MAX) {
            return true;
        }
        retry_over_tcp(a);
        return false;
    case REPLY_FAILED:
        dnsfront__ask_failed(a);
        return false;
    case REPLY_TRUNCATED:
        on_truncated(a, reply, len);
        return false;
    default:
        finish(a, reply, len);
        return false;
    }
}

/* ---- Asks ---- */

/* Behind the ID; len - 2 bytes. */
static void write_key(const uint8_t *query, size_t len, uint8_t *key)
{
    size_t name_end = dnsfront__question_end(query, len) - 4;
    for (size_t i = 2; i < len; i++) {
        key[i - 2] = i >= HEADER_LEN && i < name_end ? dnsfront__fold(query[i]) : query[i];
    }
}

static void free_ask(struct ask *a)
{
    dnsfront__exchange_end(a);
    if (a->timer) {
        event_free(a->timer);
    }
    dnsfront__recursors_release(a->recursors);
    free(a->truncated);
    free(a);
}

static void unlink_ask(struct ask *a)
{
    struct forwarder *f = a->f;
    mu__map_remove(&f->by_query[a->mode], a->key, a->len - 2);
    if (a->prev) {
        a->prev->next = a->next;
    } else {
        f->asks = a->next;
    }
    if (a->next) {
        a->next->prev = a->prev;
    }
    f->count--;
}

/* Tells all who wait. What they ask next may be this very query again, so the ask is gone by
 * then, and its socket with it. */
static void finish(struct ask *a, const uint8_t *reply, size_t len)
{
    unlink_ask(a);
    dnsfront__exchange_end(a);
    if (!reply) {
        a->f->stats->forward_failed++;
    }
    while (a->waiters) {
        struct waiter *w = a->waiters;
        a->waiters = w->next;
        w->done(w->arg, reply, len);
        free(w);
    }
    free_ask(a);
}

static struct ask *make_ask(struct forwarder *f, enum forward_mode mode, const uint8_t *query,
                            size_t len)
{
    struct ask *a = calloc(1, sizeof *a + 2 + len + len - 2);
    if (!a) {
        return NULL;
    }
    a->f = f;
    a->mode = mode;
    a->fd = -1;
    a->len = len;
    a->wire[0] = (uint8_t)(len >> 8);
    a->wire[1] = (uint8_t)len;
    memcpy(a->wire + 2, query, len);
    a->key = a->wire + 2 + len;
    memcpy(a->key, f->key, len - 2);
    a->timer = evtimer_new(f->base, on_timeout, a);
    if (!a->timer || !mu__map_set(&f->by_query[mode], a->key, len - 2, a, NULL)) {
        free_ask(a);
        return NULL;
    }
    a->recursors = dnsfront__recursors_hold(f->recursors);
    dnsfront__recursors_order(a->recursors, &f->draw, a->order);
    a->next = f->asks;
    if (a->next) {
        a->next->prev = a;
    }
    f->asks = a;
    f->count++;
    return a;
}

/* The ask that a query waits for: an equal one under way, or a new one, which has still to begin;
 * NULL if there is no room for one. */
static struct ask *find_or_make(struct forwarder *f, enum forward_mode mode, const uint8_t *query,
                                size_t len, bool *is_new)
{
    *is_new = false;
    if (len > FORWARD_QUERY_MAX || dnsfront__question_end(query, len) == 0) {
        return NULL;
    }
    write_key(query, len, f->key);
    struct ask *a = mu__map_get(&f->by_query[mode], f->key, len - 2);
    if (!a && !f->closing && f->count < f->recursors->queries_max) {
        a = make_ask(f, mode, query, len);
        *is_new = true;
    }
    return a;
}

void dnsfront__forward(struct forwarder *f, enum forward_mode mode, const uint8_t *query,
                       size_t len, forward_done_fn done, void *arg)
{
    bool is_new = false;
    struct waiter *w = calloc(1, sizeof *w);
    struct ask *a = w ? find_or_make(f, mode, query, len, &is_new) : NULL;
    if (!a) {
        f->stats->forward_refused++;
        free(w);
        done(arg, NULL, 0);
        return;
    }
    *w = (struct waiter){.next = a->waiters, .done = done, .arg = arg};
    a->waiters = w;
    if (is_new) {
        begin(a);
    } else {
        f->stats->forward_shared++;
    }
}

/* ---- The forwarder ---- */

static uint64_t draw_seed(struct draw *d)
{
    uint64_t seed = 0;
    for (int i = 0; i < 4; i++) {
        seed = seed << 16 | dnsfront__draw(d);
    }
    return seed;
}

struct forwarder *dnsfront__forwarder_create(struct event_base *base, struct recursors *recursors,
                                             struct dnsfront_node_stats *stats)
{
    struct forwarder *f = calloc(1, sizeof *f);
    if (f) {
        f->base = base;
        f->recursors = dnsfront__recursors_hold(recursors);
        f->stats = stats;
        for (size_t i = 0; i < FORWARD_MODES; i++) {
            mu__map_init(&f->by_query[i], NULL, draw_seed(&f->draw));
        }
    }
    return f;
}

void dnsfront__forwarder_set(struct forwarder *f, struct recursors *recursors)
{
    struct recursors *old = f->recursors;
    f->recursors = dnsfront__recursors_hold(recursors);
    dnsfront__recursors_release(old);
}

void dnsfront__forwarder_destroy(struct forwarder *f)
{
    if (!f) {
        return;
    }
    f->closing = true; /* nobody who is told starts another ask */
    while (f->asks) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the first one takes itself off the list. */
        finish(f->asks, NULL, 0);
    }
    for (size_t i = 0; i < FORWARD_MODES; i++) {
        mu__map_fini(&f->by_query[i]);
    }
    dnsfront__recursors_release(f->recursors);
    free(f);
}
