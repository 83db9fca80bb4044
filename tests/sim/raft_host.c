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
static struct host *awake(struct world *w, struct world_event *e, bool needs_generation)
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

static struct world_event *after(struct host *h, uint64_t delay, world_fn fn, const void *data,
                                 size_t len)
{
    struct world_event *e = world_after_data(h->w, delay, fn, h->i, data, len);
    e->generation = h->generation;
    return e;
}

static uint64_t disk_delay(const struct host *h)
{
    const struct host_options *o = h->options;
    uint64_t ns = mu__prng_between(&h->w->disk_prng, o->sync_min_ns, o->sync_max_ns);
    return ns + (world_chance(&h->w->disk_prng, o->stall) ? o->stall_ns : 0);
}

/* --- Group commit: one sync for all that was written while the last one ran --- */

static void start_sync(struct host *h);

static void on_synced(struct world *w, struct world_event *e)
{
    struct host *h = awake(w, e, true);
    if (!h) {
        return;
    }
    if (h->is_held) {
        world_again(w, e, MU_MSEC);
        return;
    }
    h->is_syncing = false;
    h->journal.synced = e->a;
    if (e->b) {
        raft_persisted(h->r, host_now(h), e->b);
    }
    host_drain(h);
    if (h->r && h->journal.len > h->journal.synced) {
        start_sync(h);
    }
}

static void start_sync(struct host *h)
{
    if (h->is_syncing) {
        return;
    }
    h->is_syncing = true;
    struct world_event *e = after(h, disk_delay(h), on_synced, NULL, 0);
    e->a = h->journal.len;
    e->b = h->written_id;
}

void host_hold_disk(struct host *h, bool hold)
{
    h->is_held = hold;
}

/* --- State machine --- */

#define STATE_BYTES 32 /* in a snapshot, before the padding */

static void state_snapshot(const struct host *h, struct mu__writer *w)
{
    mu__write_u64be(w, h->applied);
    mu__write_u64be(w, h->state_hash);
    mu__write_u64be(w, h->value);
    for (size_t i = 0; i < HOST_KEYS; i++) {
        mu__write_u64be(w, h->keys[i]);
    }
    size_t pad = (size_t)(h->applied * 7919 % 3000);
    mu__write_u64be(w, pad);
    for (size_t i = 0; i < pad; i++) {
        mu__write_u8(w, (uint8_t)(i * h->applied));
    }
}

static bool state_restore(struct host *h, const uint8_t *data, size_t len)
{
    struct mu__reader r = mu__reader(data, len);
    raft_index applied = mu__read_u64be(&r);
    uint64_t hash = mu__read_u64be(&r);
    raft_index value = mu__read_u64be(&r);
    uint64_t keys[HOST_KEYS];
    for (size_t i = 0; i < HOST_KEYS; i++) {
        keys[i] = mu__read_u64be(&r);
    }
    size_t pad = (size_t)mu__read_u64be(&r);
    if (r.failed || mu__reader_left(&r) != pad) {
        return false;
    }
    for (size_t i = 0; i < pad; i++) {
        if (mu__read_u8(&r) != (uint8_t)(i * applied)) {
            return false;
        }
    }
    h->applied = applied;
    h->state_hash = hash;
    h->value = value;
    memcpy(h->keys, keys, sizeof keys);
    return true;
}

/* What the entry did to its key, as its client hears it. */
static enum linear_kind apply_command(struct host *h, const struct host_command *c)
{
    uint64_t *key = &h->keys[c->op % HOST_KEYS];
    if (c->is_cas && *key != c->expected) {
        return LINEAR_CAS_FAILED;
    }
    *key = c->op + 1;
    return c->is_cas ? LINEAR_CAS : LINEAR_WRITE;
}

static struct host_command read_command(const struct raft_entry *e)
{
    struct host_command c = {.op = HISTORY_MAX};
    if (e->type == RAFT_ENTRY_NORMAL && e->len >= sizeof c) {
        memcpy(&c, e->data, sizeof c);
    }
    return c;
}

/* Clients hear of their writes. */
static void settle_writes(struct host *h, const struct raft_entry *e, uint64_t op,
                          enum linear_kind kind)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->n_writes; i++) {
        if (h->writes[i].index == e->index && h->writes[i].term == e->term) {
            CHECK(h->w, e->index > h->writes[i].floor);
            checks_knows(h->checks, e->index);
            checks_return(h->checks, op, kind, op + 1);
            h->checks->writes++;
        } else if (h->writes[i].index > e->index) {
            h->writes[kept++] = h->writes[i];
        }
    }
    h->n_writes = kept;
}

static void apply(struct host *h, const struct raft_entry *e)
{
    CHECK(h->w, e->index == h->applied + 1);
    h->applied = e->index;
    h->state_hash = sim_fnv(h->state_hash ^ e->term, e->data, e->len);
    if (e->type == RAFT_ENTRY_NORMAL) {
        h->value = e->index;
    }
    const struct host_command c = read_command(e);
    enum linear_kind kind = c.op < HISTORY_MAX ? apply_command(h, &c) : LINEAR_WRITE;
    checks_applied(h->w, h->checks, h, e);
    settle_writes(h, e, c.op, kind);
}

/* --- Snapshots --- */

static void on_snapshot_synced(struct world *w, struct world_event *e)
{
    struct host *h = awake(w, e, true);
    if (!h) {
        return;
    }
    if (h->journal.synced < e->b) { /* its bytes are under way */
        start_sync(h);
        world_again(w, e, 100 * MU_USEC);
        return;
    }
    h->is_snapshotting = false;
    if (e->a <= h->applied) {
        raft_snapshot_done(h->r, host_now(h), e->a);
        host_drain(h);
    }
}

static void take_snapshot(struct host *h)
{
    struct raft_snapshot_meta meta;
    if (h->is_snapshotting || h->applied < h->snapshots[0].index + h->options->snapshot_every ||
        raft__is_installing(h->r)) {
        return;
    }
    int rc = raft_snapshot_meta(h->r, h->applied, &meta);
    CHECK(h->w, rc == RAFT_OK);
    struct mu__writer state = mu__writer_growing(&mu__malloc_allocator);
    state_snapshot(h, &state);
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
    struct world_event *e = after(h, 100 * MU_USEC, on_snapshot_synced, NULL, 0);
    e->a = s.index;
    e->b = h->journal.len;
    world_trace(h->w, "%s takes snapshot %" PRIu64, h->id, s.index);
}

static void on_installed(struct world *w, struct world_event *e)
{
    struct host *h = awake(w, e, true);
    if (!h) {
        return;
    }
    if (h->journal.synced < e->b) {
        start_sync(h);
        world_again(w, e, 100 * MU_USEC);
        return;
    }
    bool ok = state_restore(h, h->installing.data, h->installing.len);
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
    struct host *h = awake(w, e, true);
    if (h) {
        raft_snapshot_written(h->r, host_now(h), e->a, e->b);
        host_drain(h);
    }
}

static void receive_chunk(struct host *h, const struct raft_snapshot_write *c)
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
    bool bad = world_chance(&h->w->disk_prng, 10000);
    if (!c->last || bad) {
        struct world_event *e = after(h, disk_delay(h), on_chunk_written, NULL, 0);
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
    struct world_event *e = after(h, 100 * MU_USEC, on_installed, NULL, 0);
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
        rc = raft_loaded_snapshot(h->r, host_now(h), l->id, s->data + l->offset, len,
                                  l->offset + len == s->len);
    }
    CHECK(h->w, rc == RAFT_OK);
}

static void on_load(struct world *w, struct world_event *e)
{
    struct host *h = awake(w, e, true);
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

/* --- Messages --- */

static void on_packet(struct world *w, struct world_event *e)
{
    struct host *h = awake(w, e, false);
    if (!h) {
        return;
    }
    struct raft_entry entries[RAFT_MESSAGE_ENTRIES_MAX];
    struct raft_message m;
    int rc = raft_message_decode(e->data, e->len, entries, RAFT_MESSAGE_ENTRIES_MAX, &m);
    CHECK(w, rc == RAFT_OK);
    rc = raft_step(h->r, host_now(h), &m);
    CHECK(w, rc == RAFT_OK);
    host_drain(h);
}

static void send_message(struct host *h, const struct raft_message *m)
{
    uint8_t buf[65536];
    size_t len;
    int rc = raft_message_encode(m, buf, sizeof buf, &len);
    CHECK(h->w, rc == RAFT_OK);
    CHECK(h->w, strcmp(m->to_address, m->to) == 0); /* addresses are ids here */
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
    start_sync(h);
}

static void answer_read(struct host *h, const struct raft_read_result *result)
{
    for (size_t i = 0; i < h->n_reads; i++) {
        if (h->reads[i].id != result->id) {
            continue;
        }
        if (result->rc == RAFT_OK) {
            CHECK(h->w, h->value >= h->reads[i].floor);
            CHECK(h->w, h->applied >= result->index);
            checks_knows(h->checks, h->value);
            uint64_t op = h->reads[i].op;
            if (op < HISTORY_MAX) {
                checks_return(h->checks, op, LINEAR_READ, h->keys[h->checks->history[op].key]);
            }
            h->checks->reads++;
        } else {
            h->checks->lost_reads++;
        }
        h->reads[i] = h->reads[--h->n_reads];
        return;
    }
    sim_fail(h->w, "a read that nobody asked for");
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
        apply(h, &u->apply[i]);
    }
    for (size_t i = 0; i < u->n_reads; i++) {
        answer_read(h, &u->reads[i]);
    }
    for (size_t i = 0; i < u->n_loads; i++) {
        CHECK(h->w, u->loads[i].kind != RAFT_LOAD_ENTRIES || u->loads[i].first >= u->log_first);
        after(h, disk_delay(h), on_load, &u->loads[i], sizeof u->loads[i]);
    }
    if (u->snapshot) {
        receive_chunk(h, u->snapshot);
    }
    if (u->log_first > h->log_first) {
        disk_write_first(h, u->log_first);
    }
    if (h->applied > raft_applied_index(h->r)) {
        raft_applied(h->r, host_now(h), h->applied);
    }
}

static void on_tick(struct world *w, struct world_event *e)
{
    struct host *h = awake(w, e, true);
    if (!h || h->tick_at != e->a) {
        return;
    }
    h->tick_at = MU_NEVER;
    raft_advance(h->r, host_now(h));
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
    after(h, at - h->w->now, on_tick, NULL, 0)->a = at;
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
    take_snapshot(h);
    set_timer(h);
}

/* --- Life --- */

static void on_trace(void *user, const struct raft_trace *ev)
{
    struct host *h = user;
    char what[128];
    sim_describe(ev, what, sizeof what);
    world_trace(h->w, "%s term %" PRIu64 " > %s", h->id, ev->term, what);
    if (ev->type == RAFT_TRACE_VOTE && ev->a && !ev->b) {
        sim_voted(h);
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
    disk_forget(h);
    disk_replay(h);
    h->applied = h->state_hash = h->value = 0;
    memset(h->keys, 0, sizeof h->keys);
    h->written_id = h->log_first = 0;
    h->is_held = h->is_syncing = h->is_snapshotting = h->was_leader = h->is_full = false;
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
        CHECK(h->w, rc == RAFT_OK && state_restore(h, s->data, s->len));
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
    end_life(h);
    h->generation++;
    h->n_writes = h->n_reads = 0;
    h->incoming_len = 0;
    disk_snapshot_free(&h->installing);
    world_disk_crash(h->w, &h->journal);
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

/* --- Clients --- */

/* A client that does a compare-and-set asked this server before what the key holds. */
static void write_command(struct host *h, uint8_t *data, size_t bytes)
{
    struct host_command c = {.is_cas = h->checks->n_history % 5 == 4,
                             .expected = h->keys[h->checks->n_history % HOST_KEYS]};
    if (bytes >= sizeof c && h->checks->n_history < HISTORY_MAX) {
        c.op = checks_call(h->checks, c.is_cas ? LINEAR_CAS : LINEAR_WRITE,
                           h->checks->n_history % HOST_KEYS, c.expected);
        memcpy(data, &c, sizeof c);
    } else {
        uint64_t op = HISTORY_MAX + h->w->steps; /* no command of the history */
        memcpy(data, &op, bytes < sizeof op ? bytes : sizeof op);
    }
}

void host_propose(struct host *h, unsigned n, size_t bytes)
{
    uint8_t data[16][512];
    struct mu_str items[16];
    raft_index first;
    size_t n_history = h->checks->n_history;
    CHECK(h->w, n <= 16 && bytes <= sizeof *data);
    memset(data, (int)(h->w->steps & 0xff), n * sizeof *data);
    for (unsigned i = 0; i < n; i++) {
        items[i] = (struct mu_str){(const char *)data[i], bytes};
        write_command(h, data[i], bytes);
    }
    raft_index floor = h->checks->floor;
    if (raft_propose(h->r, host_now(h), items, n, &first) != RAFT_OK) {
        h->checks->n_history = n_history; /* nothing happened */
        return;
    }
    h->writes = sim_room(h->writes, &h->cap_writes, h->n_writes + n, sizeof *h->writes);
    for (unsigned i = 0; i < n; i++) {
        h->writes[h->n_writes++] = (struct host_write){
            .index = first + i, .floor = floor, .term = raft_current_term(h->r)};
    }
    host_drain(h);
}

void host_read(struct host *h, uint64_t id)
{
    raft_index floor = h->checks->floor;
    if (raft_read(h->r, host_now(h), id) != RAFT_OK) {
        return;
    }
    h->reads = sim_room(h->reads, &h->cap_reads, h->n_reads + 1, sizeof *h->reads);
    h->reads[h->n_reads++] = (struct host_read){
        .id = id, .floor = floor, .op = checks_call(h->checks, LINEAR_READ, id % HOST_KEYS, 0)};
    host_drain(h);
}

void host_check_lease(struct host *h)
{
    if (host_is_running(h) && host_now(h) < raft_lease_until(h->r)) {
        CHECK(h->w, h->value >= h->checks->floor);
        if (++h->checks->lease_reads % 32 == 0) {
            uint64_t key = h->checks->lease_reads / 32 % HOST_KEYS;
            uint64_t op = checks_call(h->checks, LINEAR_READ, key, 0);
            checks_return(h->checks, op, LINEAR_READ, h->keys[key]);
        }
    }
}
