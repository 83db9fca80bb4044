/* stats.h - two levels of text for Agent.Self: group, key, value. */
#pragma once

#include "arena.h"

#define STATS_MAX 128

struct stats {
    struct mu__arena *arena;
    struct {
        const char *group, *key;
        struct mu_str value;
    } items[STATS_MAX];
    size_t len;
};

/* Adds one; group and key are static, the groups' entries stand together. Beyond STATS_MAX nothing
 * is added. */
void stats_add(struct stats *s, const char *group, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* As one msgpack map of maps, in the arena; p NULL when out of memory. */
struct mu_str stats_encode(const struct stats *s);
