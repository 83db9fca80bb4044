/* raft_files.c - what a simulated server does beside its log: snapshots of its own, those that come
 * from a leader, and loads of what the core has forgotten. */
#include "raft_host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Until the journal is synced up to e->b; false: not yet. */
static bool wait_for_sync(struct host *h, struct world_event *e)
{
    if (h->journal.synced >= e->b) {
        return true;
    }
    host_start_sync(h);
    bool soon = ++e->from < 50;
    world_again(h->w, e, soon ? 100 * MU_USEC : 2 * MU_MSEC);
    return false;
}

static void on_snapshot_synced(struct world *w, struct world_event *e)
{
    struct host *h = host_awake(w, e, true);
    if (!h || !wait_for_sync(h, e)) {
        return;
    }
    h->is_snapshotting = false;
    if (e->a <= h->applied) {
        raft_snapshot_done(h->r, host_now(h), e->a);
        host_drain(h);
    }
}

void host_take_snapshot(struct host *h)
{
    struct raft_snapshot_meta meta;
    if (h->is_snapshotting || h->applied < h->snapshots[0].index + h->options->snapshot_every ||
        raft__is_installing(h->r)) {
        return;
    }
    int rc = raft_snapshot_meta(h->r, h->applied, &meta);
    CHECK(h->w, rc == RAFT_OK);
    struct mu__writer state = mu__writer_growing(&mu__malloc_allocator);
    machine_write(h, &state);
    struct host_snapshot s = {.index = meta.index,
                              .term = meta.term,
                              .configuration_index = meta.configuration_index,
                              .configuration = sim_copy(meta.configuration, meta.configuration_len),
                              .configuration_len = meta.configuration_len,
                              .data = sim_copy(state.data, state.len),
                              .len = state.len};
    mu__writer_fini(&state);
    disk_write_snapshot(h, &s);
    disk_snapshot_take(h, s);
    h->is_snapshotting = true;
    host_saw(h, SEEN_SNAPSHOT_TAKEN);
    struct world_event *e = host_after(h, 100 * MU_USEC, on_snapshot_synced, NULL, 0);
    e->a = s.index;
    e->b = h->journal.len;
    world_trace(h->w, "%s takes snapshot %" PRIu64, h->id, s.index);
}

static void on_installed(struct world *w, struct world_event *e)
{
    struct host *h = host_awake(w, e, true);
    if (!h || !wait_for_sync(h, e)) {
        return;
    }
    bool ok = machine_read(h, h->installing.data, h->installing.len);
    CHECK(w, ok && h->applied == h->installing.index);
    CHECK(w,
          h->applied <= h->checks->n && h->checks->entries[h->applied - 1].state == h->state_hash);
    disk_snapshot_take(h, h->installing);
    h->installing = (struct host_snapshot){.index = 0};
    raft_snapshot_written(h->r, host_now(h), e->a, true);
    host_drain(h);
}

static void on_chunk_written(struct world *w, struct world_event *e)
{
    struct host *h = host_awake(w, e, true);
    if (h) {
        raft_snapshot_written(h->r, host_now(h), e->a, e->b);
        host_drain(h);
    }
}

/* A snapshot is looked at before it is taken. Only a leader's disk may have damaged it. */
static bool is_rotten(struct host *h)
{
    struct host copy = *h;
    bool ok = machine_read(&copy, h->incoming, h->incoming_len);
    CHECK(h->w, ok || h->options->has_rot);
    return !ok;
}

void host_receive_chunk(struct host *h, const struct raft_snapshot_write *c)
{
    if (c->offset == 0) {
        h->incoming_len = 0;
    }
    CHECK(h->w, c->offset == h->incoming_len);
    h->incoming = sim_room(h->incoming, &h->incoming_cap, h->incoming_len + c->len + 1, 1);
    if (c->len) {
        memcpy(h->incoming + h->incoming_len, c->data, c->len);
    }
    h->incoming_len += c->len;
    bool bad = h->is_full || world_chance(&h->w->disk_prng, 10000);
    if (bad) {
        host_saw(h, SEEN_SNAPSHOT_RESUMED);
    }
    if (c->last && !bad && is_rotten(h)) {
        host_saw(h, SEEN_SNAPSHOT_ROTTEN);
        bad = true;
    }
    if (!c->last || bad) {
        struct world_event *e = host_after(h, host_disk_delay(h), on_chunk_written, NULL, 0);
        e->a = c->id;
        e->b = !bad;
        return;
    }
    disk_snapshot_free(&h->installing);
    h->installing = (struct host_snapshot){
        .index = c->meta.index,
        .term = c->meta.term,
        .configuration_index = c->meta.configuration_index,
        .configuration = sim_copy(c->meta.configuration, c->meta.configuration_len),
        .configuration_len = c->meta.configuration_len,
        .data = sim_copy(h->incoming, h->incoming_len),
        .len = h->incoming_len};
    disk_write_snapshot(h, &h->installing);
    struct world_event *e = host_after(h, 100 * MU_USEC, on_installed, NULL, 0);
    e->a = c->id;
    e->b = h->journal.len;
}

/* --- Loads --- */

static void load_entries(struct host *h, const struct raft_load *l)
{
    struct raft_entry found[64];
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < h->n_log && n < 64; i++) {
        const struct host_entry *e = &h->log[i];
        if (e->index >= l->first && e->index <= l->last &&
            (n == 0 || bytes + e->len <= l->bytes_max)) {
            found[n++] = disk_entry(e);
            bytes += e->len;
        } else if (n > 0) {
            break;
        }
    }
    if (n > 0 && found[0].index != l->first) {
        n = 0;
    }
    /* An answer may come late: the core must tell by the id, and by what it holds. */
    int rc = raft_loaded_entries(h->r, host_now(h), l->id, found, n);
    CHECK(h->w, rc == RAFT_OK);
}

static void load_snapshot(struct host *h, const struct raft_load *l)
{
    const struct host_snapshot *s = NULL;
    for (size_t i = 0; i < 2; i++) {
        s = !s && h->snapshots[i].index == l->snapshot ? &h->snapshots[i] : s;
    }
    int rc;
    if (!s || l->offset > s->len) {
        rc = raft_loaded_snapshot(h->r, host_now(h), l->id, NULL, 0, false);
    } else {
        size_t len = mu__min(s->len - (size_t)l->offset, l->bytes_max);
        uint8_t *data = sim_copy(s->data + l->offset, len);
        if (len > 0 && h->options->rot && world_chance(&h->w->disk_prng, h->options->rot)) {
            data[mu__prng_below(&h->w->disk_prng, len)] ^= 0x10;
        }
        rc = raft_loaded_snapshot(h->r, host_now(h), l->id, data, len, l->offset + len == s->len);
        free(data);
    }
    CHECK(h->w, rc == RAFT_OK);
}

static void on_load(struct world *w, struct world_event *e)
{
    struct host *h = host_awake(w, e, true);
    if (!h) {
        return;
    }
    struct raft_load l;
    memcpy(&l, e->data, sizeof l);
    if (l.kind == RAFT_LOAD_ENTRIES) {
        load_entries(h, &l);
    } else {
        load_snapshot(h, &l);
    }
    host_drain(h);
}

void host_load(struct host *h, const struct raft_load *l)
{
    host_saw(h, SEEN_LOAD);
    host_after(h, host_disk_delay(h), on_load, l, sizeof *l);
}
