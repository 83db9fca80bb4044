/* interop_pool.h - one pool of three real Consul agents and three nodes of ours.
 *
 *     srv1  a server          a, b, c   nodes on the test's own event loop, with the tags of
 *     cli1, cli2  clients               Consul clients
 *
 * Everything is waited for; nothing is asserted about how long it takes. */
#pragma once

#include "mu_test.h"

#include "consul_world.h"

#include <muster/swim_node.h>

enum { AGENTS = 3, NODES = 3, MEMBERS = AGENTS + NODES };

#define KEY_1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_2 "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

struct node {
    struct swim_node *swim; /* NULL: does not run */
    char name[16], id[40];
    uint8_t host;
    uint16_t port;
    unsigned key_changes;
    char last_event[128];
};

extern struct world world;
extern struct agent agents[AGENTS]; /* the first is the server */
extern struct node nodes[NODES];
extern const char *const member_names[MEMBERS];

/* Starts all six with the key (NULL: none) and waits until all see all. */
void pool_start(const char *key);
int pool_stop(void **state); /* cmocka's teardown */

/* Where node i lives is the same each time, so that it can come back. */
void node_start(size_t i, const char *key);
void node_stop(struct node *n); /* without a word, as kill -9 would */
void node_join(struct node *n, const struct agent *to);
struct joined {
    bool done;
    char error[512];
};
void node_try_join(struct node *n, const struct agent *to, struct joined *out);

void wait_for(const char *what, bool (*cond)(const void *arg), const void *arg);
/* Until every agent and node that runs sees the member so; -1: does not know it. */
void wait_for_status(const char *name, int status);
void wait_until_all_see_all(void);
int status_at_agent(const struct agent *agent, const char *name);

/* The tags of a member, as one of ours and as an agent sees them: objects of text. */
json_t *tags_at_node(const struct node *n, const char *name);
json_t *tags_at_agent(const struct agent *agent, const char *name);
