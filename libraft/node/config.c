#include "node.h"

#include <string.h>
#include <sys/random.h>

static const struct raft_node_config defaults = {
    .entry_bytes_max = 4u << 20,
    .proposals_max = 65536,
    .peer_queue_bytes_max = 32u << 20,
    .segment_bytes = 8u << 20,
    .snapshot_threshold = 16384,
    .snapshot_trailing = 10240,
    .preamble = -1,
    .inner_preamble = -1,
    .connect_timeout_ns = 2 * MU_SEC,
    .reconnect_min_ns = 20 * MU_MSEC,
    .reconnect_max_ns = 2 * MU_SEC,
};

/* The defaults of the node, with those of the core where they are the core's to say. */
static void fill_defaults(struct raft_node_config *cfg)
{
    struct raft_config core;
    raft_config_init(&core);
    *cfg = defaults;
    cfg->size = sizeof *cfg;
    cfg->heartbeat_ns = core.heartbeat_ns;
    cfg->election_timeout_ns = core.election_timeout_ns;
    cfg->lease_ns = core.lease_ns;
    cfg->persist_stall_ns = core.persist_stall_ns;
    cfg->backlog_bytes_max = core.backlog_bytes_max;
    cfg->cache_bytes_max = core.cache_bytes_max;
}

void raft_node_config_init_sized(struct raft_node_config *cfg, size_t size)
{
    struct raft_node_config full;
    fill_defaults(&full);
    memset(cfg, 0, size);
    memcpy(cfg, &full, mu__min(size, sizeof full));
    cfg->size = size;
}

/* Takes over the fields that the caller's header knew; a larger struct must be zero beyond ours. */
static bool adopt_fields(const struct raft_node_config *cfg, struct raft_node_config *out)
{
    fill_defaults(out);
    const unsigned char *bytes = (const unsigned char *)cfg;
    for (size_t i = sizeof *out; i < cfg->size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    memcpy(out, cfg, mu__min(cfg->size, sizeof *out));
    out->size = sizeof *out;
    return true;
}

static bool is_text(const char *s, size_t min, size_t max)
{
    size_t len = s ? strlen(s) : 0;
    return s && len >= min && len <= max;
}

static const char *find_fault(const struct raft_node_config *c)
{
    const struct raft_node_machine *m = &c->machine;
    const struct {
        bool ok;
        const char *what;
    } rules[] = {
        {c->base != NULL, "base is missing"},
        {is_text(c->dir, 1, PATH_BYTES - 64), "dir is missing or too long"},
        {is_text(c->id, 1, RAFT_ID_MAX), "id must have 1 to 63 bytes"},
        {is_text(c->address, 1, RAFT_ADDRESS_MAX) && raft_node__transport_is_address(c->address),
         "address must be a numeric ip:port"},
        {!c->cluster || is_text(c->cluster, 0, CLUSTER_MAX), "cluster must have at most 63 bytes"},
        {c->entry_bytes_max >= 1 && c->entry_bytes_max <= RAFT_ENTRY_BYTES_MAX,
         "entry_bytes_max is out of range"},
        {c->proposals_max >= 1, "proposals_max must not be 0"},
        {c->peer_queue_bytes_max >= c->entry_bytes_max + (1u << 20),
         "peer_queue_bytes_max must be at least 1 MiB more than entry_bytes_max"},
        {c->segment_bytes >= 64u * 1024u && c->segment_bytes <= 1u << 30,
         "segment_bytes is out of range"},
        {c->preamble >= -1 && c->preamble <= 255, "preamble must be a byte or -1"},
        {c->inner_preamble >= -1 && c->inner_preamble <= 255 &&
             (c->inner_preamble < 0 || c->tls.wrap),
         "inner_preamble must be a byte, and needs tls.wrap, or -1"},
        {c->connect_timeout_ns > 0, "connect_timeout_ns must not be 0"},
        {c->reconnect_min_ns > 0 && c->reconnect_min_ns <= c->reconnect_max_ns,
         "reconnect_min_ns must not be 0 nor exceed reconnect_max_ns"},
        {m->apply && m->snapshot_begin && m->snapshot_save && m->snapshot_end && m->restore,
         "a function of the machine is missing"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!rules[i].ok) {
            return rules[i].what;
        }
    }
    return NULL;
}

int raft_node__config_check(const struct raft_node_config *cfg, struct raft_node_config *out,
                            struct raft_node_diag *diag)
{
    if (!adopt_fields(cfg, out)) {
        return raft_node__fail(diag, RAFT_EINVAL,
                               "the configuration is of a newer version than the library");
    }
    const char *fault = find_fault(out);
    return fault ? raft_node__fail(diag, RAFT_EINVAL, "%s", fault) : 0;
}

void raft_node__config_copy(struct raft_node *n, const struct raft_node_config *cfg)
{
    n->cfg = *cfg;
    evutil_snprintf(n->dir, sizeof n->dir, "%s", cfg->dir);
    evutil_snprintf(n->id, sizeof n->id, "%s", cfg->id);
    evutil_snprintf(n->address, sizeof n->address, "%s", cfg->address);
    evutil_snprintf(n->cluster, sizeof n->cluster, "%s", cfg->cluster ? cfg->cluster : "");
    n->cfg.dir = n->dir;
    n->cfg.id = n->id;
    n->cfg.address = n->address;
    n->cfg.cluster = n->cluster;
    n->cfg.allocator = &n->allocator;
    if (n->cfg.seed == 0 &&
        getrandom(&n->cfg.seed, sizeof n->cfg.seed, 0) != (ssize_t)sizeof n->cfg.seed) {
        n->cfg.seed = raft_node__now();
    }
}
