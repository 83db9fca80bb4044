/* Any sequence of messages, with time passing between them, keeps raft__check. The input is a row
 * of u16 length, u8 time and message; odd times say that the disk is slow. */
#include "core.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct raft *r, uint64_t now, bool persist, uint64_t *written)
{
    const struct raft_update *u;
    raft__check(r);
    while (raft_next_update(r, &u) == RAFT_OK && u) {
        raft_index applied = u->n_apply ? u->apply[u->n_apply - 1].index : 0;
        uint64_t chunk = u->snapshot ? u->snapshot->id : 0;
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
        raft__check(r);
    }
}

static struct raft *create(void)
{
    static const struct raft_server servers[] = {
        {"a", "", RAFT_VOTER}, {"b", "", RAFT_VOTER}, {"c", "", RAFT_VOTER}};
    struct raft_config cfg;
    struct raft *r;
    raft_config_init(&cfg);
    cfg.id = "a";
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
        now += ticks * 10 * MU_MSEC;
        raft_advance(r, now);
        drain(r, now, ticks % 2 == 0, &written);
        if (raft_message_decode(p, len, entries, RAFT_MESSAGE_ENTRIES_MAX, &m) == RAFT_OK) {
            int rc = raft_step(r, now, &m);
            assert(rc == RAFT_OK || rc == RAFT_EPROTO);
            drain(r, now, ticks % 2 == 0, &written);
        }
    }
    raft_destroy(r);
    return 0;
}
