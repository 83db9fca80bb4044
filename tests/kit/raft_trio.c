/* raft_trio.c - see raft_trio.h. */
#include "raft_trio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX  ((size_t)1 << 20)
#define INBOX_BYTES (8 * PACKET_MAX)

static void *count_alloc(void *user, size_t size)
{
    ++*(size_t *)user;
    return malloc(size);
}

static void *count_realloc(void *user, void *p, size_t size)
{
    ++*(size_t *)user;
    return realloc(p, size);
}

static void count_free(void *user, void *p)
{
    (void)user;
    free(p);
}

void trio_must(int rc)
{
    if (rc != RAFT_OK) {
        fprintf(stderr, "raft_trio: %s\n", raft_strerror(rc));
        abort();
    }
}

static void put_packet(struct trio *t, const struct raft_message *m)
{
    struct trio_server *s = &t->servers[m->to[0] - 'a'];
    size_t len;
    if (INBOX_BYTES - s->to < PACKET_MAX) {
        return; /* lost, as on a network */
    }
    trio_must(raft_message_encode(m, s->in + s->to + sizeof len, PACKET_MAX - sizeof len, &len));
    memcpy(s->in + s->to, &len, sizeof len);
    s->to += sizeof len + len;
    t->messages++;
}

static void take_packet(struct trio *t, struct trio_server *s)
{
    size_t len;
    struct raft_message m;
    memcpy(&len, s->in + s->from, sizeof len);
    trio_must(raft_message_decode(s->in + s->from + sizeof len, len, t->decoded,
                                  RAFT_MESSAGE_ENTRIES_MAX, &m));
    trio_must(raft_step(s->r, t->now, &m));
    s->from += sizeof len + len;
}

static void take_snapshot(struct trio *t, struct trio_server *s, raft_index applied)
{
    struct raft_snapshot_meta meta;
    trio_must(raft_snapshot_meta(s->r, applied, &meta));
    raft_snapshot_done(s->r, t->now, applied);
    s->snapshot_at = applied + t->snapshot_every;
}

static void drain(struct trio *t, struct trio_server *s)
{
    const struct raft_update *u;
    for (;;) {
        trio_must(raft_next_update(s->r, &u));
        if (!u) {
            return;
        }
        for (size_t i = 0; i < u->n_messages; i++) {
            put_packet(t, &u->messages[i]);
        }
        t->reads += u->n_reads;
        uint64_t written = u->persist ? u->persist->id : 0;
        raft_index applied = u->n_apply ? u->apply[u->n_apply - 1].index : 0;
        if (written) {
            raft_persisted(s->r, t->now, written);
        }
        if (applied) {
            raft_applied(s->r, t->now, applied);
        }
        if (t->snapshot_every && applied >= s->snapshot_at) {
            take_snapshot(t, s, applied);
        }
    }
}

void trio_run(struct trio *t)
{
    for (bool busy = true; busy;) {
        busy = false;
        for (unsigned i = 0; i < TRIO; i++) {
            struct trio_server *s = &t->servers[i];
            busy |= s->from < s->to;
            while (s->from < s->to) {
                take_packet(t, s);
            }
            s->from = s->to = 0;
            drain(t, s);
        }
    }
}

void trio_tick(struct trio *t)
{
    t->now += MU_MSEC;
    for (unsigned i = 0; i < TRIO; i++) {
        raft_advance(t->servers[i].r, t->now);
    }
    trio_run(t);
}

static void elect(struct trio *t)
{
    while (!t->leader) {
        trio_tick(t);
        for (unsigned i = 0; i < TRIO; i++) {
            struct raft *r = t->servers[i].r;
            t->leader = raft_role(r) == RAFT_LEADER ? r : t->leader;
        }
    }
}

void trio_create(struct trio *t, const struct raft_config *common)
{
    const struct mu_allocator a = {&t->allocations, count_alloc, count_realloc, count_free};
    const struct raft_server servers[TRIO] = {{.id = "a"}, {.id = "b"}, {.id = "c"}};
    for (unsigned i = 0; i < TRIO; i++) {
        struct trio_server *s = &t->servers[i];
        struct raft_config cfg = *common;
        cfg.id = servers[i].id;
        cfg.seed = i;
        cfg.allocator = &a;
        s->in = malloc(INBOX_BYTES);
        if (!s->in) {
            trio_must(RAFT_ENOMEM);
        }
        s->snapshot_at = t->snapshot_every + t->snapshot_every * i / 30; /* not all at once */
        trio_must(raft_create(&cfg, &s->r));
        raft_start(s->r, 0);
        trio_must(raft_bootstrap(s->r, 0, servers, TRIO));
    }
    elect(t);
}

void trio_destroy(struct trio *t)
{
    for (unsigned i = 0; i < TRIO; i++) {
        raft_destroy(t->servers[i].r);
        free(t->servers[i].in);
    }
}
