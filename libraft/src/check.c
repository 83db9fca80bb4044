/* check.c - what must hold between any two calls. */
#include "core.h"

#include <assert.h>
#include <string.h>

static void check_log(const struct raft__log *l)
{
    assert(l->first >= 1 && l->last + 1 >= l->first);
    assert(l->snapshot_index <= l->last && l->snapshot_index + 1 >= l->first);
    assert(l->cache_first >= l->first && l->cache_first + l->n == l->last + 1);
    assert((l->n_runs == 0) == (l->last + 1 == l->first));
}

static void check_entries(const struct raft__log *l)
{
    for (size_t i = 0; i < l->n_runs; i++) {
        assert(i == 0 ? l->runs[0].first == l->first : l->runs[i - 1].first < l->runs[i].first);
        assert(i == 0 || l->runs[i - 1].term < l->runs[i].term);
    }
    size_t bytes = 0, run = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct raft_entry *e = &l->entries[l->start + i];
        assert(e->index == l->cache_first + i);
        while (run + 1 < l->n_runs && l->runs[run + 1].first <= e->index) {
            run++;
        }
        assert(l->runs[run].first <= e->index && l->runs[run].term == e->term);
        bytes += raft__entry_cost(e);
    }
    assert(bytes == l->bytes);
}

static void check_storage(const struct raft *r)
{
    assert(r->durable < r->persist_next && r->persist_next <= r->log.last + 1);
    assert(r->persisted_id < r->next_persist_id && r->records_len <= RAFT__PERSISTS_MAX);
    assert(r->backlog_floor <= r->log.last);
}

static void check_backlog(const struct raft *r)
{
    size_t backlog = 0;
    for (raft_index i = r->backlog_floor + 1; i <= r->log.last; i++) {
        backlog += raft__entry_cost(raft__log_at(&r->log, i));
    }
    assert(backlog == r->backlog_bytes);
}

static void check_indexes(const struct raft *r)
{
    assert(r->log.snapshot_index <= r->applied && r->applied <= r->handed);
    assert(r->handed <= r->commit && r->commit <= r->log.last);
    assert(r->matched <= r->log.last);
    assert(raft__log_last_term(&r->log) <= r->hard.term);
}

static void check_peers(const struct raft *r)
{
    const struct raft_configuration *c = raft__configs_last(&r->configs);
    assert(r->n_peers == c->n);
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct raft__peer *p = &r->peers[i];
        assert(strcmp(p->server.id, c->servers[i].id) == 0);
        assert(p->window.len <= r->cfg.inflight_max);
        if (r->role == RAFT_LEADER && !p->is_self) {
            assert(p->state != RAFT__REPLICATE || p->window.len == 0 ||
                   p->window.items[p->window.head].last > p->match); /* or nothing acks it */
            assert(p->match < p->next && p->match <= r->log.last && p->next <= r->log.last + 1);
            assert((p->state == RAFT__SNAPSHOT) == (p->sending.meta.index != 0));
            assert(p->stamp <= r->stamp);
        }
    }
}

static void check_role(const struct raft *r)
{
    if (r->role == RAFT_LEADER) {
        assert(strcmp(r->leader, r->id) == 0 && strcmp(r->hard.vote, r->id) == 0);
        assert(raft__hard_is_durable(r));
        assert(r->term_start > 0 && r->term_start <= r->log.last);
    } else {
        assert(r->transfer_target[0] == 0 && r->n_reads == 0 && strcmp(r->leader, r->id) != 0);
    }
    if (r->role == RAFT_CANDIDATE) {
        assert(strcmp(r->hard.vote, r->id) == 0 && r->leader[0] == 0);
    }
}

static void check_transfers(const struct raft *r)
{
    const struct raft__receiving *in = &r->receiving;
    uint64_t queued = 0;
    assert(in->n <= r->cfg.snapshot_inflight_max && (in->write_id == 0 || in->n > 0));
    for (size_t i = 0; i < in->n; i++) {
        queued += in->chunks[(in->head + i) % r->cfg.snapshot_inflight_max].len;
    }
    assert(queued == in->bytes && in->received + queued == in->accepted);
    for (size_t k = 0; k < r->n_peers; k++) {
        const struct raft__sending *s = &r->peers[k].sending;
        assert(s->n <= r->cfg.snapshot_inflight_max && (s->chunks || s->n == 0));
        for (size_t i = 0; s->chunks && i + 1 < s->n; i++) {
            const struct raft__chunk
                *c = &s->chunks[(s->head + i) % r->cfg.snapshot_inflight_max],
                *next = &s->chunks[(s->head + i + 1) % r->cfg.snapshot_inflight_max];
            assert(c->offset + c->len == next->offset && !c->last);
            assert(c->is_hashed || !next->is_hashed);
        }
    }
}

void raft__check_state(const struct raft *r)
{
    check_log(&r->log);
    check_storage(r);
    check_indexes(r);
    check_peers(r);
    check_role(r);
    check_transfers(r);
}

void raft__check(const struct raft *r)
{
    raft__check_state(r);
    check_entries(&r->log);
    check_backlog(r);
}
