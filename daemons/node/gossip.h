/* gossip.h - the gossip loop: the swim node, alone on its thread, and what the core loop sends to
 * it and hears of it. */
#pragma once

#include "base/config.h"
#include "base/loop.h"
#include "node/members.h"

#include <muster/catalog_types.h>
#include <muster/swim_node.h>

/* Members' build tag: peers gate features by its first three numbers. */
#define MUSTER_BUILD "1.8.7:muster-0.1.0"

struct gossip;

/* Called on the core loop. */
struct gossip_events {
    void *user;
    /* Takes member */
    void (*member)(void *user, enum member_change change, struct agent_member *member);
    /* A user event of the pool, also one of our own */
    void (*event)(void *user, struct mu_str name, struct mu_str payload, uint64_t ltime);
};

struct gossip_config {
    const struct config *config;
    struct mu_str node_id;
    struct loop *loop; /* gossip's own; must not run yet */
    struct loop *core;
    struct gossip_events events;
};

/* Binds the sockets and rejoins from the snapshot file. NULL with a sentence in err on failure. */
struct gossip *gossip_create(const struct gossip_config *c, char *err, size_t errlen);
void gossip_stop(struct gossip *g); /* its loop has stopped: closes the sockets; NULL is allowed */
/* After gossip_stop, when no message is left; NULL is allowed. */
void gossip_destroy(struct gossip *g);

/* The rest is called on the core loop; done is called there, too. error NULL: it worked. */
typedef void (*gossip_join_fn)(void *arg, size_t joined, const char *error);
void gossip_join(struct gossip *g, const struct mu_strs *addresses, gossip_join_fn done, void *arg);
/* Once; if the process ends before it is done, done is not called. */
void gossip_leave(struct gossip *g, void (*done)(void *arg), void *arg);
void gossip_force_leave(struct gossip *g, struct mu_str node, bool prune, gossip_join_fn done,
                        void *arg);
/* A user event for all members; done may be NULL. Errors: what is longer than Serf carries, and
 * that we have left. */
typedef void (*gossip_done_fn)(void *arg, const char *error);
void gossip_fire(struct gossip *g, struct mu_str name, struct mu_str payload, gossip_done_fn done,
                 void *arg);
/* A change to the keys of all members, or SWIM_KEY_LIST; key in base64. The result is lent until
 * done returns; its error says what went wrong, its messages at whom. It takes until all have
 * answered, or as long as a query lives. */
typedef void (*gossip_keys_fn)(void *arg, const struct catalog_keyring_response *result);
void gossip_change_keys(struct gossip *g, enum swim_key_change what, struct mu_str key,
                        uint8_t relay_factor, gossip_keys_fn done, void *arg);

/* How gossip stands, at most half a second ago; core loop. */
struct gossip_report {
    struct swim_coordinate coordinate; /* ours */
    struct swim_stats stats;
};
const struct gossip_report *gossip_report(const struct gossip *g);
