/* raft_machine.c - the state machine of a simulated server, and its clients. */
#include "raft_host.h"

#include <stdlib.h>
#include <string.h>

/* Two servers' snapshots of the same state may differ, and a mixture of both is found out. */
void machine_write(const struct host *h, struct mu__writer *w)
{
    mu__write_u64be(w, h->applied);
    mu__write_u64be(w, h->state_hash);
    mu__write_u64be(w, h->value);
    for (size_t i = 0; i < HOST_KEYS; i++) {
        mu__write_u64be(w, h->keys[i]);
    }
    unsigned own = h->options->same_snapshots ? 0 : h->i;
    size_t pad = (size_t)((h->applied * 7919 + own * 977) % 3000);
    uint8_t *p = mu__write_room(w, pad);
    CHECK(h->w, p);
    memset(p, (int)(h->applied + own), pad);
    mu__write_u64be(w, sim_fnv(1, w->data, w->len));
}

bool machine_read(struct host *h, const uint8_t *data, size_t len)
{
    if (len < 8) {
        return false;
    }
    struct mu__reader r = mu__reader(data, len), end = mu__reader(data + len - 8, 8);
    if (mu__read_u64be(&end) != sim_fnv(1, data, len - 8)) {
        return false;
    }
    h->applied = mu__read_u64be(&r);
    h->state_hash = mu__read_u64be(&r);
    h->value = mu__read_u64be(&r);
    for (size_t i = 0; i < HOST_KEYS; i++) {
        h->keys[i] = mu__read_u64be(&r);
    }
    CHECK(h->w, !r.failed);
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

void machine_apply(struct host *h, const struct raft_entry *e)
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

void machine_answer(struct host *h, const struct raft_read_result *result)
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
            host_saw(h, SEEN_QUORUM_READ);
        } else {
            h->checks->lost_reads++;
            host_saw(h, SEEN_LOST_READ);
        }
        h->reads[i] = h->reads[--h->n_reads];
        return;
    }
    sim_fail(h->w, "a read that nobody asked for");
}

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
    bool trusted = !h->options->is_lease_void;
    if (trusted && host_is_running(h) && host_now(h) < raft_lease_until(h->r)) {
        host_saw(h, SEEN_LEASE_READ);
        CHECK(h->w, h->value >= h->checks->floor);
        if (++h->checks->lease_reads % 32 == 0) {
            uint64_t key = h->checks->lease_reads / 32 % HOST_KEYS;
            uint64_t op = checks_call(h->checks, LINEAR_READ, key, 0);
            checks_return(h->checks, op, LINEAR_READ, h->keys[key]);
        }
    }
}
