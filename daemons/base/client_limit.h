/* client_limit.h - how many connections each client address has, over all fronts of a process
 * (limits.http_max_conns_per_client, limits.rpc_max_conns_per_client).
 *
 * Any thread. It has a lock, held for a look into a hash map at accept and close: a count that is
 * split over the fronts would not be the operator's number. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct client_limit;

/* An address to count by; len 0: no IP address (a unix socket), and not counted. */
struct client_address {
    uint8_t bytes[16];
    uint8_t len;
};
struct client_address client_address(const struct sockaddr *peer, socklen_t len);

struct client_limit *client_limit_create(unsigned max); /* 0: no limit. NULL when out of memory */
/* Any thread; whoever is in stays. */
void client_limit_set(struct client_limit *l, unsigned max);
void client_limit_destroy(struct client_limit *l); /* NULL is allowed */
/* False: that client has as many as it may, or memory is short. l NULL: no limit. */
bool client_limit_enter(struct client_limit *l, const struct client_address *a);
void client_limit_leave(struct client_limit *l, const struct client_address *a);
