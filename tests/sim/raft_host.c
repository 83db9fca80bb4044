#include "raft_host.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint64_t host_now(const struct host *h)
{
    int64_t whole = (int64_t)(h->w->now / 1000000), rest = (int64_t)(h->w->now % 1000000);
    int64_t drift = whole * h->drift_ppm + rest * h->drift_ppm / 1000000;
    return h->clock_base + h->w->now + (uint64_t)drift;
}

bool host_is_running(const struct host *h)
{
    return h->r && h->w->now >= h->paused_until;
}

/* An event for a host: dropped when that life is over, put off while the process is paused. */
struct host *host_awake(struct world *w, struct world_event *e, bool needs_generation)
{
    struct host *h = host_of(w, e->node);
    if (!h->r || (needs_generation && e->generation != h->generation)) {
        return NULL;
    }
    if (w->now < h->paused_until) {
        world_again(w, e, h->paused_until - w->now);
        return NULL;
    }
    return h;
}

struct world_event *host_after(struct host *h, uint64_t delay, world_fn fn, const void *data,
                               size_t len)
{
    struct world_event *e = world_after_data(h->w, delay, fn, h->i, data, len);
    e->generation = h->generation;
    return e;
}

void host_saw(const struct host *h, enum seen what)
{
    h->checks->cover.seen[what]++;
}

uint64_t host_disk_delay(const struct host *h)
{
    const struct host_options *o = h->options;
    uint64_t ns = mu__prng_between(&h->w->disk_prng, o->sync_min_ns, o->sync_max_ns);
    if (!world_chance(&h->w->disk_prng, o->stall)) {
        return ns;
    }
    host_saw(h, SEEN_STALL);
    return ns + o->stall_ns;
}

/* --- Group commit: one sync for all that was written while the last one ran --- */

/* As a node does: writes that do not fit are tried again, and meanwhile it had better not lead. */
static void tell_full(struct host *h, bool is_full)
{
    if (h->told_full == is_full) {
        return;
    }
    h->told_full = is_full;
    host_saw(h, is_full ? SEEN_FULL : SEEN_FULL_OVER);
    if (is_full && raft_role(h->r) == RAFT_LEADER) {
        host_saw(h, SEEN_FULL_LEADER);
    }
    world_trace(h->w, "%s disk %s", h->id, is_full ? "full" : "has room");
    raft_set_electable(h->r, host_now(h), !is_full);
}

static void on_synced(struct world *w, struct world_event *e)
{
    struct host *h = host_awake(w, e, true);
    if (!h) {
        return;
    }
    if (h->is_held) {
        world_again(w, e, MU_MSEC);
        return;
    }
    if (h->is_full) {
        tell_full(h, true);
        e->a = h->journal.len;
        e->b = h->written_id;
        world_again(w, e, 50 * MU_MSEC);
        host_drain(h);
        return;
    }
    h->is_syncing = false;
    h->journal.synced = e->a;
    tell_full(h, false);
    if (e->b) {
        raft_persisted(h->r, host_now(h), e->b);
    }
    host_drain(h);
    if (h->r && h->journal.len > h->journal.synced) {
        host_start_sync(h);
    }
}

void host_start_sync(struct host *h)
{
    if (h->is_syncing) {
        return;
    }
    h->is_syncing = true;
    struct world_event *e = host_after(h, host_disk_delay(h), on_synced, NULL, 0);
    e->a = h->journal.len;
    e->b = h->written_id;
}

void host_hold_disk(struct host *h, bool hold)
{
    h->is_held = hold;
}

void host_fill_disk(struct host *h, bool full)
{
    h->is_full = full;
}

/* --- Messages --- */

static void on_packet(struct world *w, struct world_event *e)
{
    struct host *h = host_awake(w, e, false);
    if (!h) {
        return;
    }
    struct raft_entry entries[RAFT_MESSAGE_ENTRIES_MAX];
    struct raft_message m;
    int rc;
    if (e->b) { /* damaged on the way: the transport's checksum says so */
        e->data[e->len / 2] ^= 0x40;
        rc = raft_message_decode(e->data, e->len, entries, RAFT_MESSAGE_ENTRIES_MAX, &m);
        host_saw(h, SEEN_FLIP);
        return;
    }
    rc = raft_message_decode(e->data, e->len, entries, RAFT_MESSAGE_ENTRIES_MAX, &m);
    CHECK(w, rc == RAFT_OK);
    rc = raft_step(h->r, host_now(h), &m);
    CHECK(w, rc == RAFT_OK);
    host_drain(h);
}

/* Is this chunk, below all checksums of the transport? */
static bool is_damaged(struct host *h)
{
    uint32_t chance = h->options->chunk_damage;
    if (h->damage > 0) {
        h->damage--;
        return true;
    }
    return chance && world_chance(&h->w->disk_prng, chance);
}

static void send_message(struct host *h, const struct raft_message *m)
{
    uint8_t buf[65536];
    size_t len;
    int rc = raft_message_encode(m, buf, sizeof buf, &len);
    CHECK(h->w, rc == RAFT_OK);
    CHECK(h->w, strcmp(m->to_address, m->to) == 0); /* addresses are ids here */
    if (m->type == RAFT_MSG_SNAPSHOT && m->len > 0 && is_damaged(h)) {
        buf[len - 1] ^= 0x40; /* the chunk comes last */
    }
    world_send(h->w, h->i, (unsigned)atoi(m->to + 1), on_packet, buf, len);
}

/* --- The loop of a host --- */

static void persist(struct host *h, const struct raft_persist *p)
{
    bool hard_first = world_chance(&h->w->disk_prng, 500000); /* their order is free */
    if (p->hard && hard_first) {
        disk_write_hard(h, p->hard);
    }
    disk_write_entries(h, p);
    if (p->hard && !hard_first) {
        disk_write_hard(h, p->hard);
    }
    h->written_id = p->id;
    host_start_sync(h);
}

static void perform(struct host *h, const struct raft_update *u)
{
    if (u->persist) {
        persist(h, u->persist);
    }
    for (size_t i = 0; i < u->n_messages; i++) {
        send_message(h, &u->messages[i]);
    }
    for (size_t i = 0; i < u->n_apply; i++) {
        machine_apply(h, &u->apply[i]);
    }
    for (size_t i = 0; i < u->n_reads; i++) {
        machine_answer(h, &u->reads[i]);
    }
    for (size_t i = 0; i < u->n_loads; i++) {
        CHECK(h->w, u->loads[i].kind != RAFT_LOAD_ENTRIES || u->loads[i].first >= u->log_first);
        host_load(h, &u->loads[i]);
    }
    if (u->snapshot) {
        host_receive_chunk(h, u->snapshot);
    }
    if (u->log_first > h->log_first) {
        disk_write_first(h, u->log_first);
    }
    if (h->applied > raft_applied_index(h->r)) {
        raft_applied(h->r, host_now(h), h->applied);
    }
}

/* Can it write? By the measure of the simulator, not the core's. */
static bool is_hopeless(const struct host *h)
{
    const struct raft *r = h->r;
    const struct raft__persist_record *oldest = &r->records[r->records_head];
    return h->told_full ||
           (r->records_len > 0 && host_now(h) - oldest->given_ns >= r->cfg.persist_stall_ns);
}

/* A leader that cannot write, for a full disk or one that hangs, holds everybody up (hashicorp/raft
 * 503 and 614, consul 3552 and 22064): it has one election timeout to hand over, from the first of
 * its timers at which it could know, and then steps down. */
static void check_hopeless_leader(struct host *h)
{
    uint64_t now = host_now(h),
             patience = h->r->cfg.election_timeout_ns + 2 * h->r->cfg.heartbeat_ns;
    if (raft_role(h->r) != RAFT_LEADER || !is_hopeless(h)) {
        h->hopeless_since = 0;
    } else if (h->hopeless_since == 0) {
        h->hopeless_since = now;
        host_saw(h, SEEN_STALL_OF_LEADER);
    } else {
        CHECK(h->w, now - h->hopeless_since <= patience);
    }
}

static void on_tick(struct world *w, struct world_event *e)
{
    struct host *h = host_awake(w, e, true);
    if (!h || h->tick_at != e->a) {
        return;
    }
    h->tick_at = MU_NEVER;
    raft_advance(h->r, host_now(h));
    check_hopeless_leader(h);
    host_drain(h);
}

static void set_timer(struct host *h)
{
    uint64_t deadline = raft_next_deadline(h->r), now = host_now(h);
    if (deadline == MU_NEVER) {
        return;
    }
    uint64_t at = h->w->now + (deadline > now ? deadline - now : 0);
    if (at >= h->tick_at) {
        return; /* it wakes up too early, and looks again */
    }
    h->tick_at = at;
    host_after(h, at - h->w->now, on_tick, NULL, 0)->a = at;
}

void host_drain(struct host *h)
{
    const struct raft_update *u;
    raft_index floor = h->checks->floor;
    while (raft_next_update(h->r, &u) == RAFT_OK && u) {
        perform(h, u);
    }
    if (++h->n_drains % 8 == 0) {
        raft__check(h->r); /* walks through the whole log */
    } else {
        raft__check_state(h->r);
    }
    checks_leader(h->w, h->checks, h);
    host_check_lease(h);
    for (unsigned i = 0; h->checks->floor > floor && i < h->checks->n_hosts; i++) {
        host_check_lease(host_of(h->w, i)); /* nobody may read what was before this write */
    }
    host_take_snapshot(h);
    set_timer(h);
}

/* --- Life --- */

static void cover_role(struct host *h, const struct raft_trace *ev)
{
    if (ev->a == RAFT_CANDIDATE) {
        h->asked_term = strcmp(ev->text, "was asked to lead") == 0 ? ev->term : 0;
        for (unsigned i = 0; i < h->checks->n_hosts; i++) {
            const struct host *o = host_of(h->w, i);
            if (o != h && o->r && raft_role(o->r) == RAFT_CANDIDATE &&
                raft_current_term(o->r) == ev->term) {
                host_saw(h, SEEN_CONTEST);
            }
        }
    } else if (ev->a == RAFT_LEADER) {
        host_saw(h, SEEN_ELECTION);
        if (h->asked_term == ev->term) {
            host_saw(h, SEEN_TRANSFER_DONE);
        }
    } else if (h->was_leader) {
        host_saw(h, SEEN_STEP_DOWN);
    }
    if (strcmp(ev->text, "was removed") == 0) {
        host_saw(h, SEEN_LEADER_REMOVED);
    } else if (strcmp(ev->text, "no quorum answers") == 0) {
        host_saw(h, SEEN_NO_QUORUM);
    }
}

static void cover(struct host *h, const struct raft_trace *ev)
{
    switch (ev->type) {
    case RAFT_TRACE_ROLE:
        cover_role(h, ev);
        break;
    case RAFT_TRACE_VOTE:
        h->checks->cover.seen[SEEN_VOTE_REFUSED] += !ev->a;
        break;
    case RAFT_TRACE_TRUNCATE:
        host_saw(h, SEEN_TRUNCATION);
        h->checks->cover.seen[SEEN_TRUNCATION_DURABLE] += ev->a <= h->r->durable;
        break;
    case RAFT_TRACE_TRANSFER:
        h->checks->cover.seen[SEEN_TRANSFER] += ev->a == 1;
        break;
    case RAFT_TRACE_CONFIG:
        if (ev->a < h->configuration_index) {
            host_saw(h, SEEN_CHANGE_UNDONE);
        } else if (h->r->receiving.meta.index > 0) {
            host_saw(h, SEEN_CHANGE_IN_SNAPSHOT);
        }
        h->configuration_index = ev->a;
        break;
    case RAFT_TRACE_SNAPSHOT_REFUSE:
        host_saw(h, SEEN_SNAPSHOT_REFUSED);
        break;
    case RAFT_TRACE_SNAPSHOT_INSTALL:
        host_saw(h, SEEN_SNAPSHOT_INSTALLED);
        break;
    default:
        break;
    }
}

static void on_trace(void *user, const struct raft_trace *ev)
{
    struct host *h = user;
    char what[128];
    sim_describe(ev, what, sizeof what);
    world_trace(h->w, "%s term %" PRIu64 " > %s", h->id, ev->term, what);
    cover(h, ev);
    /* Who cannot write does not ask for votes. */
    CHECK(h->w, ev->type != RAFT_TRACE_ROLE || ev->a != RAFT_PRECANDIDATE || !h->told_full);
    if (ev->type == RAFT_TRACE_VOTE && ev->a && !ev->b) {
        sim_voted(h);
    }
    if (ev->type == RAFT_TRACE_ROLE) {
        h->hopeless_since = 0;
    }
    if (ev->type == RAFT_TRACE_ROLE && ev->a == RAFT_LEADER) {
        sim_elected(h);
    }
    /* Leader append-only (Raft figure 3). */
    CHECK(h->w, ev->type != RAFT_TRACE_TRUNCATE || raft_role(h->r) != RAFT_LEADER);
}

void host_init(struct host *h, struct world *w, struct checks *checks,
               const struct host_options *options, unsigned i)
{
    *h = (struct host){.w = w, .checks = checks, .options = options, .i = i, .tick_at = MU_NEVER};
    snprintf(h->id, sizeof h->id, "s%u", i);
    h->clock_base = mu__prng_below(&w->fault_prng, 1000 * MU_SEC) + MU_SEC;
    uint64_t span = 2 * (uint64_t)options->drift_ppm;
    h->drift_ppm = (int32_t)mu__prng_below(&w->fault_prng, span + 1) - options->drift_ppm;
}

void host_start(struct host *h)
{
    struct raft_config cfg = h->options->raft;
    cfg.id = cfg.address = h->id;
    cfg.seed = h->w->seed * 31 + h->i + h->generation * 1009;
    cfg.user = h;
    cfg.trace = on_trace;
    size_t journal_len = h->journal.len;
    disk_forget(h);
    disk_replay(h);
    h->checks->cover.seen[SEEN_TORN] += h->journal.len < journal_len;
    h->applied = h->state_hash = h->value = 0;
    memset(h->keys, 0, sizeof h->keys);
    h->written_id = h->log_first = 0;
    h->is_held = h->is_syncing = h->is_snapshotting = h->was_leader = h->told_full = false;
    h->hopeless_since = h->configuration_index = 0;
    h->tick_at = MU_NEVER;
    int rc = raft_create(&cfg, &h->r);
    CHECK(h->w, rc == RAFT_OK);
    rc = raft_restore_hard_state(h->r, &h->hard);
    CHECK(h->w, rc == RAFT_OK);
    const struct host_snapshot *s = &h->snapshots[0];
    if (s->index > 0) {
        const struct raft_snapshot_meta meta = {.index = s->index,
                                                .term = s->term,
                                                .configuration_index = s->configuration_index,
                                                .configuration = s->configuration,
                                                .configuration_len = s->configuration_len};
        rc = raft_restore_snapshot(h->r, &meta);
        CHECK(h->w, rc == RAFT_OK && machine_read(h, s->data, s->len));
    }
    for (size_t i = 0; i < h->n_log; i++) {
        const struct raft_entry e = disk_entry(&h->log[i]);
        rc = raft_restore_entries(h->r, &e, 1);
        CHECK(h->w, rc == RAFT_OK);
    }
    world_trace(h->w, "%s starts: term %" PRIu64 ", snapshot %" PRIu64 ", %zu entries", h->id,
                h->hard.term, s->index, h->n_log);
    raft_start(h->r, host_now(h));
    host_drain(h);
}

static void end_life(struct host *h)
{
    if (h->r) {
        raft__check(h->r);
        struct raft_stats stats = {.size = sizeof stats};
        raft_get_stats(h->r, &stats);
        checks_add_stats(&h->checks->stats, &stats);
        raft_destroy(h->r);
        h->r = NULL;
    }
}

void host_crash(struct host *h)
{
    world_trace(h->w, "%s crashes", h->id);
    host_saw(h, raft_role(h->r) == RAFT_LEADER ? SEEN_CRASH_OF_LEADER : SEEN_CRASH);
    end_life(h);
    h->generation++;
    h->n_writes = h->n_reads = 0;
    h->incoming_len = 0;
    disk_snapshot_free(&h->installing);
    world_disk_crash(h->w, &h->journal);
}

/* The folder is gone, so the server must come back as another: it forgot its vote, and what it
 * acknowledged. */
void host_lose_folder(struct host *h)
{
    host_crash(h);
    world_disk_fini(&h->journal);
    disk_forget(h);
    h->id_number++;
    world_trace(h->w, "%s lost its folder", h->id);
    snprintf(h->id, sizeof h->id, "s%u.%u", h->i, h->id_number);
    host_saw(h, SEEN_FOLDER_LOST);
}

/* From now on its clock runs true. */
void host_set_drift(struct host *h, int32_t drift_ppm)
{
    uint64_t now = host_now(h);
    h->drift_ppm = drift_ppm;
    h->clock_base += now - host_now(h);
}

void host_fini(struct host *h)
{
    end_life(h);
    disk_forget(h);
    disk_snapshot_free(&h->installing);
    world_disk_fini(&h->journal);
    free(h->log);
    free(h->incoming);
    free(h->writes);
    free(h->reads);
}

void host_bootstrap(struct host *h, unsigned n_servers)
{
    struct raft_server servers[WORLD_NODES_MAX] = {0};
    for (unsigned i = 0; i < n_servers; i++) {
        const char *id = host_of(h->w, i)->id;
        memcpy(servers[i].id, id, strlen(id));
        memcpy(servers[i].address, id, strlen(id));
    }
    int rc = raft_bootstrap(h->r, host_now(h), servers, n_servers);
    CHECK(h->w, rc == RAFT_OK);
    host_drain(h);
}
