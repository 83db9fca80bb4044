/* leaf.h - the certificates of this agent's services: one a service, kept in memory and fresh.
 *
 * Core loop only; keys and signing requests are made on a thread (leaf_maker.h), servers sign. A
 * leaf is made when it is first asked for, or ahead of that for services that are pinned. It is
 * replaced at a moment between 60 % and 90 % of its life, and when another root becomes the active
 * one within the half minute over which all agents spread that (consul PR#5228). A leaf that has
 * expired, or whose root is not trusted any more, is never given out (consul#10871).
 *
 * Roots are watched through the agent's cache for as long as there is a leaf, so that costs servers
 * one query an agent. If servers cannot be reached, a leaf is good until it expires.
 *
 * What nobody asks for goes after a day, and the least recently used goes when there are too many;
 * what is pinned stays. Keys are nowhere but in memory, and wiped there. */
#pragma once

#include "base/loop.h"
#include "prng.h"
#include "rpc/call.h"

#include <muster/catalog_types_ca.h>

struct leaves;
struct leaves_config {
    struct mu_str datacenter; /* borrowed for its life */
    bool is_server;           /* servers' words are told without `rpc error making call: ` */
    struct loop *core, *front;
    struct call_backend *backend; /* on front; one that keeps answers (call_cache.h) */
    uint64_t seed;
    size_t max;                 /* leafs; 0: 1024 */
    void (*changed)(void *arg); /* those who wait are to look again */
    void *arg;
    uint64_t (*now_ns)(void);     /* NULL: loop_now_ns */
    int64_t (*now_unix_ns)(void); /* NULL: loop_now_unix_ns */
};
struct leaves *leaves_create(const struct leaves_config *cfg); /* NULL: no memory or no thread */
void leaves_destroy(struct leaves *l);                         /* NULL is allowed */

/* How somebody's question stands. */
struct leaf_view {
    const struct catalog_issued_cert *cert; /* lent until the next call; NULL: none to be had yet */
    const char *error;                      /* of an attempt since `attempts`; NULL: none */
    uint64_t attempts;                      /* that have come to an end */
    uint64_t age_ns;                        /* since it was signed */
};
/* Wants the service's leaf, which is made if need be. token is that of who asks. */
void leaves_ask(struct leaves *l, struct mu_str service, struct mu_str token,
                struct leaf_view *out);
/* How it stands now, with errors after `attempts`. */
void leaves_look(struct leaves *l, struct mu_str service, uint64_t attempts, struct leaf_view *out);

/* These are kept whether they are asked for or not: between begin and end each is named once. */
void leaves_pin_begin(struct leaves *l);
void leaves_pin(struct leaves *l, struct mu_str service, struct mu_str token);
void leaves_pin_end(struct leaves *l);

struct leaves_stats {
    size_t leafs, pinned, under_way;
    uint64_t signed_count, failed_count;
};
struct leaves_stats leaves_stats(const struct leaves *l);
