/* members.h - the members of the gossip pool as the core loop knows them.
 *
 * The gossip loop posts what happens; this table is what the agent's API lists, what the RPC client
 * picks servers from, and what the leader turns into the catalog. Core loop only. */
#pragma once

#include "agent/agent_endpoints.h"
#include "map.h"

/* What happened to a member, as Serf names it. */
enum member_change {
    MEMBER_JOINED,
    MEMBER_UPDATED,
    MEMBER_DID_LEAVE,
    MEMBER_DID_FAIL,
    MEMBER_REAPED
};

/* A member that is a server of ours (role consul, with its tags in order). */
struct member_server {
    struct mu_str name, id; /* of the node; id is its UUID */
    struct mu_str address;  /* ip */
    uint16_t port;          /* RPC */
    uint64_t expect;        /* bootstrap_expect; 0: none. bootstrap counts as 1 */
    bool is_muster;         /* speaks our Raft transport: only such are peers */
};

struct members {
    struct mu__map by_name; /* of struct agent_member, one block each */
    struct mu__map servers; /* those of them with the role of a server, of any datacenter */
};

void members_init(struct members *m, uint64_t seed);
void members_fini(struct members *m);
/* Takes member, one block from malloc (mu__schema_clone). */
void members_apply(struct members *m, enum member_change change, struct agent_member *member);
/* NULL if unknown. */
const struct agent_member *members_find(const struct members *m, struct mu_str name);
size_t members_count(const struct members *m);
/* Walks the few members with the role of a server, whatever their status, without a look at all the
 * others. Start with *at = 0; NULL at the end. */
const struct agent_member *members_next_server(const struct members *m, size_t *at);
/* All members sorted by name, pointers lent until the next members_apply; in the arena. items NULL:
 * out of memory. */
struct mu_list members_sorted(const struct members *m, struct mu__arena *a);

/* The value of a tag; p NULL when absent. */
struct mu_str member_tag(const struct agent_member *m, const char *key);
/* Is it a server of the datacenter, by its tags? Then *out lends from m. */
bool member_as_server(const struct agent_member *m, struct mu_str datacenter,
                      struct member_server *out);
