/* configuration.h - the servers of a cluster, as log entries and as a history.
 *
 * A configuration is in force as soon as it stands in the log (Raft dissertation, 4.1), so a
 * truncation may bring back the one before; the history keeps those that may be needed: the newest
 * at or before the snapshot, and all later ones. */
#pragma once

#include "cursor.h"

#include <muster/raft.h>

/* Encoded (version 1): u8 version, u16 count, then per server: u8 kind, u8 length and id, u8 length
 * and address. Servers stand in the order of their ids, so that equal configurations are equal
 * bytes. */
#define RAFT__CONFIGURATION_BYTES_MAX                                                              \
    (3u + RAFT_SERVERS_MAX * (3u + RAFT_ID_MAX + RAFT_ADDRESS_MAX))

bool raft__is_id(const char *id); /* 1 to RAFT_ID_MAX bytes */
void raft__copy_id(char *to, const char *id);
void raft__copy_address(char *to, const char *address);

void raft__configuration_sort(struct raft_configuration *c);
/* Ids are unique and well-formed, kinds known, and at least one voter. */
bool raft__configuration_is_valid(const struct raft_configuration *c);
const struct raft_server *raft__configuration_find(const struct raft_configuration *c,
                                                   const char *id);
size_t raft__configuration_voters(const struct raft_configuration *c);
void raft__configuration_encode(const struct raft_configuration *c, struct mu__writer *w);

struct raft__configs {
    struct mu_allocator allocator;
    /* Ascending index; at least one: index 0 and no servers at first */
    struct raft_configuration **items;
    size_t n, cap;
};

bool raft__configs_init(struct raft__configs *h, const struct mu_allocator *allocator);
void raft__configs_fini(struct raft__configs *h);
const struct raft_configuration *raft__configs_last(const struct raft__configs *h);
/* The one in force at index, i.e. the newest at or before it; the oldest when index lies before
 * all. */
const struct raft_configuration *raft__configs_at(const struct raft__configs *h, raft_index index);
/* False: no memory. */
bool raft__configs_push(struct raft__configs *h, const struct raft_configuration *c);
/* True if something was dropped. */
bool raft__configs_truncate(struct raft__configs *h, raft_index from);
/* Forgets what index hides. */
void raft__configs_compact(struct raft__configs *h, raft_index index);
/* Leaves c alone. Cannot fail. */
void raft__configs_reset(struct raft__configs *h, const struct raft_configuration *c);
