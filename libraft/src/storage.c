/* storage.c - what is written, what is on its way to the disk, and what is durable.
 *
 * Entries:  1 ........ durable ........ persist_next ........ last
 *                        `- in records -'      `- not handed out -'
 *
 * A record is one raft_persist that the host has and did not confirm. Confirmations are cumulative.
 * When entries are truncated while a record that holds them is under way, the record's claim
 * shrinks: durability of an entry that is no longer in the log means nothing, though the same index
 * may come again with another term. */
#include "core.h"

#include <assert.h>

void raft__set_hard(struct raft *r, raft_term term, const char *vote)
{
    assert(term >= r->hard.term);
    bool new_term = term > r->hard.term;
    r->hard.term = term;
    raft__copy_id(r->hard.vote, vote);
    r->hard_dirty = true;
    if (new_term) {
        r->matched = r->commit;
        r->settled_stamp = 0;
        r->status_changed = true;
        raft__outbox_drop_replies(r);
        raft__trace(r, RAFT_TRACE_TERM, NULL, NULL, term, 0);
    }
}

uint64_t raft__gate_hard(const struct raft *r)
{
    if (r->hard_dirty) {
        return r->next_persist_id;
    }
    return r->hard_id > r->persisted_id ? r->hard_id : 0;
}

bool raft__hard_is_durable(const struct raft *r)
{
    return raft__gate_hard(r) == 0;
}

static const struct raft__persist_record *record(const struct raft *r, size_t i)
{
    return &r->records[(r->records_head + i) % RAFT__PERSISTS_MAX];
}

uint64_t raft__gate_entry(const struct raft *r, raft_index last)
{
    uint64_t hard = raft__gate_hard(r);
    if (last <= r->durable) {
        return hard;
    }
    uint64_t entries = r->next_persist_id;
    for (size_t i = 0; i < r->records_len; i++) {
        if (record(r, i)->last >= last) {
            entries = record(r, i)->id;
            break;
        }
    }
    return entries > hard ? entries : hard;
}

static int push_configuration(struct raft *r, const struct raft_entry *e)
{
    struct raft_configuration c;
    int rc = raft_configuration_decode(e->data, e->len, e->index, &c);
    if (rc == RAFT_OK && !raft__configs_push(&r->configs, &c)) {
        rc = RAFT_ENOMEM;
    }
    return rc;
}

int raft__append(struct raft *r, const struct raft_entry *e)
{
    if (!raft__log_append(&r->log, e)) {
        return RAFT_ENOMEM;
    }
    if (e->type == RAFT_ENTRY_CONFIG) {
        int rc = push_configuration(r, e);
        if (rc != RAFT_OK) {
            raft__log_truncate(&r->log, e->index);
            return rc;
        }
    }
    r->backlog_bytes += raft__entry_cost(e);
    r->stats.entries_appended++;
    if (e->type == RAFT_ENTRY_CONFIG) {
        raft__configuration_changed(r);
    }
    return RAFT_OK;
}

static void shrink_records(struct raft *r, raft_index last)
{
    for (size_t i = 0; i < r->records_len; i++) {
        struct raft__persist_record *rec = &r->records[(r->records_head + i) % RAFT__PERSISTS_MAX];
        rec->last = rec->last < last ? rec->last : last;
    }
}

void raft__truncate(struct raft *r, raft_index from)
{
    assert(from > r->commit);
    if (from > r->log.last) {
        return;
    }
    for (raft_index i = from; i <= r->log.last; i++) {
        if (i > r->backlog_floor && i >= r->log.cache_first) {
            r->backlog_bytes -= raft__entry_cost(raft__log_at(&r->log, i));
        }
    }
    raft__trace(r, RAFT_TRACE_TRUNCATE, NULL, NULL, from, 0);
    r->stats.entries_truncated += r->log.last - from + 1;
    raft__log_truncate(&r->log, from);
    r->backlog_floor = r->backlog_floor < from ? r->backlog_floor : from - 1;
    r->persist_next = r->persist_next < from ? r->persist_next : from;
    r->durable = r->durable < from ? r->durable : from - 1;
    r->matched = r->matched < from ? r->matched : from - 1;
    shrink_records(r, from - 1);
    if (raft__configs_truncate(&r->configs, from)) {
        raft__configuration_changed(r);
    }
}

void raft__reset_log(struct raft *r, raft_index index, raft_term term)
{
    raft__log_reset(&r->log, index, term);
    r->backlog_bytes = 0;
    r->backlog_floor = index;
    r->persist_next = index + 1;
    r->durable = index;
    r->matched = index;
    r->reset_to = index;
    shrink_records(r, 0);
}

const struct raft_persist *raft__next_persist(struct raft *r)
{
    bool entries = r->persist_next <= r->log.last;
    if ((!entries && !r->hard_dirty && !r->reset_to) || r->records_len == RAFT__PERSISTS_MAX) {
        return NULL;
    }
    struct raft_persist *p = &r->persist;
    *p = (struct raft_persist){.id = r->next_persist_id++, .reset_to = r->reset_to};
    if (r->hard_dirty) {
        r->persist_hard = r->hard;
        if (RAFT__PLANTED(VOTE_NOT_PERSISTED)) {
            r->persist_hard.vote[0] = 0;
        }
        p->hard = &r->persist_hard;
        r->hard_dirty = false;
        r->hard_id = p->id;
    }
    if (entries) {
        p->entries =
            raft__log_slice(&r->log, r->persist_next, r->log.last, SIZE_MAX, SIZE_MAX, &p->n);
        assert(p->n == r->log.last - r->persist_next + 1);
        r->persist_next = r->log.last + 1;
    }
    r->reset_to = 0;
    r->records[(r->records_head + r->records_len) % RAFT__PERSISTS_MAX] =
        (struct raft__persist_record){
            .id = p->id, .last = entries ? r->log.last : 0, .given_ns = r->now};
    r->records_len++;
    return p;
}

void raft_persisted(struct raft *r, uint64_t now_ns, uint64_t id)
{
    raft__set_now(r, now_ns);
    assert(id < r->next_persist_id);
    bool hard_was_durable = raft__hard_is_durable(r);
    while (r->records_len > 0 && record(r, 0)->id <= id) {
        raft_index last = record(r, 0)->last;
        r->durable = r->durable > last ? r->durable : last;
        r->records_head = (r->records_head + 1) % RAFT__PERSISTS_MAX;
        r->records_len--;
    }
    r->persisted_id = r->persisted_id > id ? r->persisted_id : id;
    if (!hard_was_durable && raft__hard_is_durable(r)) {
        raft__own_vote_is_durable(r);
    }
    if (r->role == RAFT_LEADER) {
        raft__maybe_commit(r);
    }
    raft__trim(r);
}

bool raft__is_stalled(const struct raft *r)
{
    return r->records_len > 0 && r->cfg.persist_stall_ns != MU_NEVER &&
           !RAFT__PLANTED(STALL_IGNORED) &&
           r->now - record(r, 0)->given_ns >= r->cfg.persist_stall_ns;
}

void raft__trim(struct raft *r)
{
    raft_index floor = r->durable < r->applied ? r->durable : r->applied;
    while (r->backlog_floor < floor) {
        r->backlog_floor++;
        r->backlog_bytes -= raft__entry_cost(raft__log_at(&r->log, r->backlog_floor));
    }
    raft__log_evict(&r->log, r->backlog_floor, r->cfg.cache_bytes_max);
}

bool raft__has_backlog_room(const struct raft *r, size_t bytes)
{
    return r->backlog_bytes < r->cfg.backlog_bytes_max &&
           (r->backlog_bytes == 0 || bytes <= r->cfg.backlog_bytes_max - r->backlog_bytes);
}
