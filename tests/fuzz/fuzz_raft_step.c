/* Any sequence of messages, with time passing between them, keeps raft__check. The input is a row
 * of u16 length, u8 time and message; odd times say that the disk is slow. Chunks of a snapshot get
 * the hashes that they need, but for every fourth time, since no input could guess them. */
#include "core.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHUNK_BYTES ((size_t)64)

static void answer_load(struct raft *r, uint64_t now, const struct raft_load *l)
{
    static const uint8_t data[CHUNK_BYTES];
    if (l->kind == RAFT_LOAD_ENTRIES) {
        int rc = raft_loaded_entries(r, now, l->id, NULL, 0);
        assert(rc == RAFT_OK || rc == RAFT_ECORRUPT);
        return;
    }
    bool last = l->offset >= 300;
    int rc = raft_loaded_snapshot(r, now, l->id, l->id % 16 == 0 ? NULL : data,
                                  l->id % 5 == 0 ? 1 : l->bytes_max, last);
    assert(rc == RAFT_OK);
}

static void drain(struct raft *r, uint64_t now, bool persist, uint64_t *written)
{
    const struct raft_update *u;
    raft__check(r);
    while (raft_next_update(r, &u) == RAFT_OK && u) {
        raft_index applied = u->n_apply ? u->apply[u->n_apply - 1].index : 0;
        uint64_t chunk = u->snapshot ? u->snapshot->id : 0;
        struct raft_load loads[8];
        size_t n_loads = mu__min(u->n_loads, 8);
        if (n_loads > 0) {
            memcpy(loads, u->loads, n_loads * sizeof *loads);
        }
        *written = u->persist ? u->persist->id : *written;
        if (persist && *written) {
            raft_persisted(r, now, *written);
        }
        if (applied) {
            raft_applied(r, now, applied);
        }
        if (chunk) {
            raft_snapshot_written(r, now, chunk, persist);
        }
        for (size_t i = 0; i < n_loads; i++) {
            answer_load(r, now, &loads[i]);
        }
        raft__check(r);
    }
}

static void set_hashes(const struct raft *r, struct raft_message *m)
{
    const struct raft__receiving *in = &r->receiving;
    struct raft__hash hash = in->hash;
    if (in->meta.index != m->snapshot.index || in->meta.term != m->snapshot.term) {
        raft__hash_begin(&hash, &m->snapshot);
    }
    m->prefix_hash = raft__hash_value(&hash);
    raft__hash_add(&hash, m->data, m->len);
    m->hash = raft__hash_value(&hash);
}

static struct raft *create(void)
{
    static const struct raft_server servers[] = {
        {"a", "", RAFT_VOTER}, {"b", "", RAFT_VOTER}, {"c", "", RAFT_VOTER}};
    struct raft_config cfg;
    struct raft *r;
    raft_config_init(&cfg);
    cfg.id = "a";
    cfg.snapshot_chunk_bytes = CHUNK_BYTES;
    cfg.tail_entries = 0;
    int rc = raft_create(&cfg, &r);
    assert(rc == RAFT_OK);
    raft_start(r, 0);
    rc = raft_bootstrap(r, 0, servers, 3);
    assert(rc == RAFT_OK);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct raft_entry entries[RAFT_MESSAGE_ENTRIES_MAX];
    struct raft *r = create();
    struct mu__reader in = mu__reader(data, size);
    uint64_t now = 0, written = 0;
    while (mu__reader_left(&in) >= 3) {
        size_t len = mu__read_u16be(&in);
        uint8_t ticks = mu__read_u8(&in);
        len = mu__min(len, mu__reader_left(&in));
        const uint8_t *p = mu__read_bytes(&in, len);
        struct raft_message m;
        now += ticks * (10 * MU_MSEC);
        raft_advance(r, now);
        drain(r, now, ticks % 2 == 0, &written);
        if (raft_message_decode(p, len, entries, RAFT_MESSAGE_ENTRIES_MAX, &m) == RAFT_OK) {
            if (m.type == RAFT_MSG_SNAPSHOT && ticks % 4 != 3) {
                set_hashes(r, &m);
            }
            int rc = raft_step(r, now, &m);
            assert(rc == RAFT_OK || rc == RAFT_EPROTO);
            drain(r, now, ticks % 2 == 0, &written);
        }
    }
    raft_destroy(r);
    return 0;
}
