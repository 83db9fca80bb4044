/* load.c - entries that left memory and are needed again: for a follower that is behind, or to be
 * applied after a restart. The host reads them from its log and hands them back. */
#include "core.h"

#include <assert.h>
#include <string.h>

uint64_t raft__ask_load(struct raft *r, const struct raft_load *load)
{
    void *loads = r->loads;
    bool ok = mu__reserve(&r->allocator, &loads, &r->cap_loads, r->n_loads + 1, sizeof *r->loads);
    r->loads = loads;
    if (!ok) {
        return 0;
    }
    r->loads[r->n_loads] = *load;
    r->loads[r->n_loads].id = ++r->next_load_id;
    r->n_loads++;
    r->stats.loads++;
    return r->next_load_id;
}

void raft__loaded_fini(struct raft *r, struct raft__loaded *l)
{
    mu__free(&r->allocator, l->entries);
    mu__free(&r->allocator, l->data);
    *l = (struct raft__loaded){.n = 0};
}

static int copy_entries(struct raft *r, struct raft__loaded *l, const struct raft_entry *e,
                        size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += e[i].len;
    }
    void *entries = l->entries, *data = l->data;
    bool ok = mu__reserve(&r->allocator, &entries, &l->cap, n, sizeof *l->entries);
    l->entries = entries;
    ok = ok && mu__reserve(&r->allocator, &data, &l->data_cap, bytes, 1);
    l->data = data;
    if (!ok) {
        return RAFT_ENOMEM;
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        l->entries[i] = e[i];
        l->entries[i].data = e[i].len ? l->data + at : NULL;
        if (e[i].len) {
            memcpy(l->data + at, e[i].data, e[i].len);
        }
        at += e[i].len;
    }
    l->n = n;
    return RAFT_OK;
}

/* The disk must hold what the log says that it holds. */
static bool are_ours(const struct raft *r, raft_index first, const struct raft_entry *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (e[i].index != first + i || e[i].len > RAFT_ENTRY_BYTES_MAX ||
            !raft__log_matches(&r->log, e[i].index, e[i].term)) {
            return false;
        }
    }
    return true;
}

static int loaded_to_apply(struct raft *r, const struct raft_entry *e, size_t n)
{
    if (n == 0) {
        return RAFT_ECORRUPT;
    }
    if (!are_ours(r, r->handed + 1, e, n)) {
        return RAFT_EINVAL;
    }
    int rc = copy_entries(r, &r->apply_loaded, e, n);
    if (rc == RAFT_OK) {
        r->apply_load_id = 0;
    }
    return rc;
}

static int loaded_to_send(struct raft *r, struct raft__peer *p, const struct raft_entry *e,
                          size_t n)
{
    if (n == 0) {
        p->load_id = 0;
        raft__snapshot_begin(r, p);
        return RAFT_OK;
    }
    n = n < RAFT_MESSAGE_ENTRIES_MAX ? n : RAFT_MESSAGE_ENTRIES_MAX;
    if (!are_ours(r, e[0].index, e, n)) {
        return RAFT_EINVAL;
    }
    int rc = copy_entries(r, &p->loaded, e, n);
    if (rc == RAFT_OK) {
        p->load_id = 0;
    }
    return rc;
}

int raft_loaded_entries(struct raft *r, uint64_t now_ns, uint64_t id,
                        const struct raft_entry *entries, size_t n)
{
    raft__set_now(r, now_ns);
    if (id == 0) {
        return RAFT_OK;
    }
    if (id == r->apply_load_id) {
        return loaded_to_apply(r, entries, n);
    }
    for (size_t i = 0; i < r->n_peers; i++) {
        if (r->peers[i].load_id == id) {
            return loaded_to_send(r, &r->peers[i], entries, n);
        }
    }
    return RAFT_OK;
}

void raft__apply_ask(struct raft *r)
{
    if (r->handed == r->commit || r->handed + 1 >= r->log.cache_first || r->apply_load_id != 0 ||
        r->apply_loaded.n > 0) {
        return;
    }
    raft_index last = r->commit < r->log.cache_first ? r->commit : r->log.cache_first - 1;
    const struct raft_load load = {.kind = RAFT_LOAD_ENTRIES,
                                   .first = r->handed + 1,
                                   .last = last,
                                   .bytes_max = r->cfg.message_bytes_max};
    r->apply_load_id = raft__ask_load(r, &load);
}
