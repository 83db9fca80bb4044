/* config.c - the defaults, and one check for all fields. */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct timing { /* what a profile sets */
    uint64_t probe_interval_ns, probe_timeout_ns, gossip_interval_ns, gossip_to_the_dead_ns,
        push_pull_interval_ns, stream_timeout_ns;
    uint32_t indirect_checks, suspicion_mult, retransmit_mult;
};
static const struct timing profiles[] = {
    [SWIM_LAN] = {1 * MU_SEC, 500 * MU_MSEC, 200 * MU_MSEC, 30 * MU_SEC, 30 * MU_SEC, 10 * MU_SEC,
                  3, 4, 4},
    [SWIM_WAN] = {5 * MU_SEC, 3 * MU_SEC, 500 * MU_MSEC, 60 * MU_SEC, 60 * MU_SEC, 30 * MU_SEC, 3,
                  6, 4},
    [SWIM_LOCAL] = {1 * MU_SEC, 200 * MU_MSEC, 100 * MU_MSEC, 15 * MU_SEC, 15 * MU_SEC, 1 * MU_SEC,
                    1, 3, 2},
};

void swim_config_profile(struct swim_config *cfg, enum swim_profile profile)
{
    const struct timing *t = &profiles[profile];
    cfg->probe_interval_ns = t->probe_interval_ns;
    cfg->probe_timeout_ns = t->probe_timeout_ns;
    cfg->gossip_interval_ns = t->gossip_interval_ns;
    cfg->gossip_to_the_dead_ns = t->gossip_to_the_dead_ns;
    cfg->push_pull_interval_ns = t->push_pull_interval_ns;
    cfg->stream_timeout_ns = t->stream_timeout_ns;
    cfg->indirect_checks = t->indirect_checks;
    cfg->suspicion_mult = t->suspicion_mult;
    cfg->retransmit_mult = t->retransmit_mult;
}

void swim_config_init_sized(struct swim_config *cfg, size_t size)
{
    struct swim_config full = {
        .size = size,
        .verify_incoming = true,
        .verify_outgoing = true,
        .suspicion_max_mult = 6,
        .awareness_max = 8,
        .tcp_fallback_ping = true,
        .gossip_nodes = 3,
        .packet_bytes_max = 1400,
        .dead_reclaim_ns = 30 * MU_SEC,
        .reconnect_interval_ns = 30 * MU_SEC,
        .reconnect_timeout_ns = MU_NEVER,
        .tombstone_timeout_ns = 86400 * MU_SEC,
        .reap_interval_ns = 15 * MU_SEC,
        .intent_timeout_ns = 300 * MU_SEC,
        .broadcast_timeout_ns = 5 * MU_SEC,
        .leave_propagate_ns = 3 * MU_SEC,
        .members_max = 100000,
        .state_bytes_max = 40u << 20,
        .streams_max = 128,
        .sends_max = 4096,
        .events_max = 65536,
        .broadcasts_max = 4096,
        .log_level = MU_INFO,
        .compress = true,
        .resolve_conflicts = true,
        .query_timeout_mult = 16,
        .queries_max = 256,
        .coordinates_max = 4096,
    };
    swim_config_profile(&full, SWIM_LAN);
    memset(cfg, 0, size);
    memcpy(cfg, &full, mu__min(size, sizeof full));
    cfg->size = size;
}

bool swim__config_widen(const struct swim_config *cfg, struct swim_config *out)
{
    swim_config_init(out);
    if (cfg->size < offsetof(struct swim_config, advertise)) {
        return false;
    }
    for (size_t i = sizeof *out; i < cfg->size;
         i++) { /* fields of a later version: only their zero is known to us */
        if (((const unsigned char *)cfg)[i] != 0) {
            return false;
        }
    }
    memcpy(out, cfg, mu__min(cfg->size, sizeof *out));
    out->size = sizeof *out;
    return true;
}

static int fault(char *why, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fault(char *why, size_t cap, const char *fmt, ...)
{
    if (why && cap > 0) {
        va_list args;
        va_start(args, fmt);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is, in the line above. */
        (void)vsnprintf(why, cap, fmt, args);
        va_end(args);
    }
    return SWIM_EINVAL;
}

struct range {
    const char *name;
    uint64_t value, min, max;
};

static int check_identity(const struct swim_config *c, char *why, size_t cap)
{
    size_t len = c->name ? strlen(c->name) : 0;
    if (len < 1 || len > SWIM_NAME_MAX) {
        return fault(why, cap, "name must be 1 to %u bytes long", SWIM_NAME_MAX);
    }
    if ((c->advertise.len != 4 && c->advertise.len != 16) || c->advertise.port == 0) {
        return fault(why, cap, "advertise must be an IPv4 or IPv6 address with a port");
    }
    if (!c->entropy) {
        return fault(why, cap, "entropy is required");
    }
    for (size_t i = 0; i < c->nkeys; i++) {
        size_t n = c->keys[i].len;
        if (n != 16 && n != 24 && n != 32) {
            return fault(why, cap, "keys[%zu] must be 16, 24 or 32 bytes long", i);
        }
    }
    return SWIM_OK;
}

static int check_fields(const struct swim_config *c, char *why, size_t cap)
{
    const uint64_t hour = 3600 * MU_SEC;
    const struct range ranges[] = {
        {"probe_interval_ns", c->probe_interval_ns, MU_MSEC, hour},
        {"probe_timeout_ns", c->probe_timeout_ns, MU_MSEC, c->probe_interval_ns},
        {"indirect_checks", c->indirect_checks, 0, 16},
        {"suspicion_mult", c->suspicion_mult, 1, 100},
        {"suspicion_max_mult", c->suspicion_max_mult, 1, 100},
        {"awareness_max", c->awareness_max, 1, 100},
        {"gossip_interval_ns", c->gossip_interval_ns, MU_MSEC, hour},
        {"gossip_nodes", c->gossip_nodes, 1, 32},
        {"gossip_to_the_dead_ns", c->gossip_to_the_dead_ns, 0, 24 * hour},
        {"retransmit_mult", c->retransmit_mult, 1, 100},
        {"push_pull_interval_ns", c->push_pull_interval_ns, 0, 24 * hour},
        {"packet_bytes_max", c->packet_bytes_max, 1200, 65000},
        {"stream_timeout_ns", c->stream_timeout_ns, MU_MSEC, hour},
        {"reconnect_interval_ns", c->reconnect_interval_ns, MU_MSEC, 24 * hour},
        {"reap_interval_ns", c->reap_interval_ns, MU_MSEC, 24 * hour},
        {"broadcast_timeout_ns", c->broadcast_timeout_ns, 0, hour},
        {"leave_propagate_ns", c->leave_propagate_ns, 0, hour},
        {"members_max", c->members_max, 1, 10000000},
        {"state_bytes_max", c->state_bytes_max, 65536, 40u << 20},
        {"streams_max", c->streams_max, 1, 65536},
        {"sends_max", c->sends_max, 16, 1u << 20},
        {"events_max", c->events_max, 1, 1u << 24},
        {"broadcasts_max", c->broadcasts_max, 16, 1u << 24},
        {"label.len", c->label.len, 0, SWIM__LABEL_MAX},
        {"query_timeout_mult", c->query_timeout_mult, 1, 1000},
        {"queries_max", c->queries_max, 1, 65536},
        {"coordinates_max", c->coordinates_max, 0, 10000000},
        {"member_coalesce_ns", c->member_coalesce_ns, 0, hour},
        {"member_quiescent_ns", c->member_quiescent_ns, 0, hour},
        {"user_coalesce_ns", c->user_coalesce_ns, 0, hour},
        {"user_quiescent_ns", c->user_quiescent_ns, 0, hour},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct range *r = &ranges[i];
        if (r->value < r->min || r->value > r->max) {
            return fault(why, cap, "%s must be %llu to %llu, not %llu", r->name,
                         (unsigned long long)r->min, (unsigned long long)r->max,
                         (unsigned long long)r->value);
        }
    }
    return SWIM_OK;
}

int swim_config_check(const struct swim_config *cfg, char *why, size_t cap)
{
    struct swim_config c;
    if (!swim__config_widen(cfg, &c)) {
        return fault(
            why, cap,
            "size is not that of a swim_config, or it sets fields that this library does not know");
    }
    int rc = check_identity(&c, why, cap);
    return rc != SWIM_OK ? rc : check_fields(&c, why, cap);
}
