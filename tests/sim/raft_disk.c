/* raft_disk.c - what a simulated server writes: a journal, and the view of it that the page cache
 * gives. */
#include "raft_host.h"

#include <stdlib.h>
#include <string.h>

void *sim_room(void *items, size_t *cap, size_t need, size_t size)
{
    if (!mu__reserve(&mu__malloc_allocator, &items, cap, need, size)) {
        abort();
    }
    return items;
}

uint8_t *sim_copy(const void *p, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy) {
        abort();
    }
    if (len) {
        memcpy(copy, p, len);
    }
    return copy;
}

/* --- The log as the disk has it --- */

static void log_truncate(struct host *h, raft_index from)
{
    while (h->n_log > 0 && h->log[h->n_log - 1].index >= from) {
        free(h->log[--h->n_log].data);
    }
}

static void log_drop_before(struct host *h, raft_index first)
{
    size_t n = 0;
    while (n < h->n_log && h->log[n].index < first) {
        free(h->log[n++].data);
    }
    if (n > 0) {
        memmove(h->log, h->log + n, (h->n_log - n) * sizeof *h->log);
    }
    h->n_log -= n;
}

static void log_append(struct host *h, const struct raft_entry *e)
{
    log_truncate(h, e->index);
    CHECK(h->w, h->n_log == 0 || h->log[h->n_log - 1].index + 1 == e->index);
    h->log = sim_room(h->log, &h->cap_log, h->n_log + 1, sizeof *h->log);
    h->log[h->n_log++] = (struct host_entry){.index = e->index,
                                             .term = e->term,
                                             .type = e->type,
                                             .data = sim_copy(e->data, e->len),
                                             .len = e->len};
}

struct raft_entry disk_entry(const struct host_entry *e)
{
    return (struct raft_entry){
        .index = e->index, .term = e->term, .type = e->type, .data = e->data, .len = e->len};
}

void disk_snapshot_free(struct host_snapshot *s)
{
    free(s->configuration);
    free(s->data);
    *s = (struct host_snapshot){.index = 0};
}

void disk_snapshot_take(struct host *h, struct host_snapshot s)
{
    disk_snapshot_free(&h->snapshots[1]);
    h->snapshots[1] = h->snapshots[0];
    h->snapshots[0] = s;
}

/* --- The journal: records of u32 length, u64 hash, payload; the payload begins with its kind
 * --- */

enum { KIND_HARD = 1, KIND_RESET, KIND_ENTRY, KIND_SNAPSHOT, KIND_FIRST };

static void journal_write(struct host *h, struct mu__writer *payload)
{
    uint8_t head[12];
    struct mu__writer w = mu__writer_fixed(head, sizeof head);
    mu__write_u32be(&w, (uint32_t)payload->len);
    mu__write_u64be(&w, sim_fnv(1, payload->data, payload->len));
    world_disk_write(&h->journal, head, sizeof head);
    world_disk_write(&h->journal, payload->data, payload->len);
    mu__writer_fini(payload);
}

static struct mu__writer record(unsigned kind)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_u8(&w, (uint8_t)kind);
    return w;
}

void disk_write_hard(struct host *h, const struct raft_hard_state *hs)
{
    struct mu__writer w = record(KIND_HARD);
    mu__write_u64be(&w, hs->term);
    mu__write_bytes(&w, hs->vote, sizeof hs->vote);
    journal_write(h, &w);
    h->hard = *hs;
}

void disk_write_entries(struct host *h, const struct raft_persist *p)
{
    if (p->reset_to) {
        struct mu__writer w = record(KIND_RESET);
        mu__write_u64be(&w, p->reset_to);
        journal_write(h, &w);
        log_truncate(h, 0);
    }
    for (size_t i = 0; i < p->n; i++) {
        const struct raft_entry *e = &p->entries[i];
        struct mu__writer w = record(KIND_ENTRY);
        mu__write_u64be(&w, e->index);
        mu__write_u64be(&w, e->term);
        mu__write_u8(&w, (uint8_t)e->type);
        mu__write_bytes(&w, e->data, e->len);
        journal_write(h, &w);
        log_append(h, e);
    }
}

void disk_write_snapshot(struct host *h, const struct host_snapshot *s)
{
    struct mu__writer w = record(KIND_SNAPSHOT);
    mu__write_u64be(&w, s->index);
    mu__write_u64be(&w, s->term);
    mu__write_u64be(&w, s->configuration_index);
    mu__write_u32be(&w, (uint32_t)s->configuration_len);
    mu__write_bytes(&w, s->configuration, s->configuration_len);
    mu__write_bytes(&w, s->data, s->len);
    journal_write(h, &w);
}

void disk_write_first(struct host *h, raft_index first)
{
    struct mu__writer w = record(KIND_FIRST);
    mu__write_u64be(&w, first);
    journal_write(h, &w);
    log_drop_before(h, first);
    h->log_first = first;
}

static void replay_snapshot(struct host *h, struct mu__reader *r)
{
    struct host_snapshot s = {.index = mu__read_u64be(r)};
    s.term = mu__read_u64be(r);
    s.configuration_index = mu__read_u64be(r);
    s.configuration_len = mu__read_u32be(r);
    s.configuration = sim_copy(mu__read_bytes(r, s.configuration_len), s.configuration_len);
    s.len = mu__reader_left(r);
    s.data = sim_copy(mu__read_bytes(r, s.len), s.len);
    disk_snapshot_take(h, s);
}

static void replay_record(struct host *h, struct mu__reader *r)
{
    struct raft_entry e;
    const uint8_t *vote;
    switch (mu__read_u8(r)) {
    case KIND_HARD:
        h->hard.term = mu__read_u64be(r);
        vote = mu__read_bytes(r, sizeof h->hard.vote);
        memcpy(h->hard.vote, vote, sizeof h->hard.vote);
        break;
    case KIND_RESET:
        log_truncate(h, 0);
        break;
    case KIND_ENTRY:
        e.index = mu__read_u64be(r);
        e.term = mu__read_u64be(r);
        e.type = (enum raft_entry_type)mu__read_u8(r);
        e.len = mu__reader_left(r);
        e.data = mu__read_bytes(r, e.len);
        log_append(h, &e);
        break;
    case KIND_SNAPSHOT:
        replay_snapshot(h, r);
        break;
    case KIND_FIRST:
        log_drop_before(h, mu__read_u64be(r));
        break;
    default:
        sim_fail(h->w, "unknown record");
    }
}

/* Reads the journal up to the first record that is not whole, and cuts it there. */
void disk_replay(struct host *h)
{
    struct mu__reader r = mu__reader(h->journal.bytes, h->journal.len);
    size_t valid = 0;
    while (mu__reader_left(&r) > 0) {
        size_t len = mu__read_u32be(&r);
        uint64_t hash = mu__read_u64be(&r);
        const uint8_t *p = len ? mu__read_bytes(&r, len) : NULL;
        if (!p || r.failed || sim_fnv(1, p, len) != hash) {
            break;
        }
        struct mu__reader payload = mu__reader(p, len);
        replay_record(h, &payload);
        valid = r.pos;
    }
    h->journal.len = h->journal.synced = valid;
}

void disk_forget(struct host *h)
{
    log_truncate(h, 0);
    disk_snapshot_free(&h->snapshots[0]);
    disk_snapshot_free(&h->snapshots[1]);
    h->hard = (struct raft_hard_state){.term = 0};
}
