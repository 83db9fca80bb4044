/* config.c - the config, checked in one place, and the life of the object. */
#include "core.h"

#include <assert.h>
#include <string.h>

void raft_config_init_sized(struct raft_config *cfg, size_t size)
{
    const struct raft_config defaults = {
        .size = size,
        .address = "",
        .heartbeat_ns = 100 * MU_MSEC,
        .election_timeout_ns = 500 * MU_MSEC,
        .entry_bytes_max = 1u << 20,
        .message_bytes_max = 512u << 10,
        .inflight_max = 64,
        .inflight_bytes_max = 8u << 20,
        .backlog_bytes_max = 64u << 20,
        .cache_bytes_max = 16u << 20,
        .snapshot_chunk_bytes = 256u << 10,
        .reads_max = 65536,
        .tail_entries = 10000,
        .snapshot_inflight_max = 4,
    };
    memset(cfg, 0, size);
    memcpy(cfg, &defaults, mu__min(size, sizeof defaults));
}

/* The caller's config, widened to ours: an older caller's fields end earlier, a newer one's rest
 * must be zero. */
static bool widen(const struct raft_config *cfg, struct raft_config *out)
{
    raft_config_init(out);
    const uint8_t *bytes = (const uint8_t *)cfg;
    for (size_t i = sizeof *out; i < cfg->size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    memcpy(out, cfg, mu__min(cfg->size, sizeof *out));
    out->size = sizeof *out;
    return true;
}

/* NULL, or what is wrong. */
static const char *config_check(const struct raft_config *c)
{
    if (!raft__is_id(c->id)) {
        return "raft config: id must have 1 to 63 bytes";
    }
    if (c->address && strlen(c->address) > RAFT_ADDRESS_MAX) {
        return "raft config: address must have at most 127 bytes";
    }
    if (c->election_timeout_ns == 0 || c->election_timeout_ns > INT64_MAX / 4) {
        return "raft config: election_timeout_ns is out of range";
    }
    if (c->heartbeat_ns == 0 || c->heartbeat_ns > c->election_timeout_ns / 2) {
        return "raft config: heartbeat_ns must be at most half of election_timeout_ns";
    }
    if (c->lease_ns >= c->election_timeout_ns) {
        return "raft config: lease_ns must be less than election_timeout_ns";
    }
    if (c->entry_bytes_max == 0 || c->entry_bytes_max > RAFT_ENTRY_BYTES_MAX) {
        return "raft config: entry_bytes_max must be 1 to 64 MiB";
    }
    if (c->inflight_max == 0 || c->inflight_max > 4096) {
        return "raft config: inflight_max must be 1 to 4096";
    }
    if (c->snapshot_chunk_bytes == 0 || c->snapshot_chunk_bytes > RAFT_CHUNK_BYTES_MAX) {
        return "raft config: snapshot_chunk_bytes must be 1 to 16 MiB";
    }
    if (c->snapshot_inflight_max == 0 || c->snapshot_inflight_max > RAFT__CHUNKS_MAX) {
        return "raft config: snapshot_inflight_max must be 1 to 64";
    }
    if (c->backlog_bytes_max == 0) {
        return "raft config: backlog_bytes_max must not be 0";
    }
    return NULL;
}

static void derive(struct raft *r, const struct raft_config *cfg)
{
    r->cfg = *cfg;
    r->allocator = mu__allocator_or_default(cfg->allocator);
    raft__copy_id(r->id, cfg->id);
    raft__copy_address(r->address, cfg->address ? cfg->address : "");
    r->cfg.id = r->id;
    r->cfg.address = r->address;
    r->cfg.allocator = &r->allocator;
    r->cfg.lease_ns = cfg->lease_ns ? cfg->lease_ns : cfg->election_timeout_ns / 4 * 3;
    r->cfg.persist_stall_ns =
        cfg->persist_stall_ns ? cfg->persist_stall_ns : cfg->election_timeout_ns;
}

int raft_create(const struct raft_config *cfg, struct raft **out)
{
    struct raft_config c;
    *out = NULL;
    const char *wrong = "raft config: size is not what raft_config_init set";
    if (cfg->size >= offsetof(struct raft_config, heartbeat_ns) && widen(cfg, &c)) {
        wrong = config_check(&c);
    } else {
        return RAFT_EINVAL; /* not even the log function can be trusted */
    }
    if (wrong) {
        if (c.log) {
            c.log(c.user, MU_ERROR, wrong);
        }
        return RAFT_EINVAL;
    }
    const struct mu_allocator allocator = mu__allocator_or_default(c.allocator);
    struct raft *r = mu__calloc(&allocator, 1, sizeof *r);
    if (!r) {
        return RAFT_ENOMEM;
    }
    derive(r, &c);
    if (!raft__configs_init(&r->configs, &allocator)) {
        raft__configs_fini(&r->configs);
        mu__free(&allocator, r);
        return RAFT_ENOMEM;
    }
    raft__log_init(&r->log, &allocator);
    raft__log_keep_blocks(&r->log, c.cache_bytes_max);
    mu__prng_seed(&r->prng, c.seed);
    r->is_electable = true;
    r->next_persist_id = 1;
    r->persist_next = 1;
    *out = r;
    return RAFT_OK;
}

void raft_destroy(struct raft *r)
{
    if (!r) {
        return;
    }
    const struct mu_allocator allocator = r->allocator;
    for (size_t i = 0; i < r->n_peers; i++) {
        raft__peer_fini(r, &r->peers[i]);
    }
    raft__receiving_fini(r);
    raft__loaded_fini(r, &r->apply_loaded);
    raft__configs_fini(&r->configs);
    raft__log_fini(&r->log);
    mu__writer_fini(&r->meta_configuration);
    mu__free(&allocator, r->reads);
    mu__free(&allocator, r->loads);
    raft__outbox_fini(r);
    mu__free(&allocator, r->results);
    mu__free(&allocator, r);
}
