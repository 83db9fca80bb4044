/* rpc_clients.c - connections per client address, over all fronts of a process.
 *
 * The one lock of the RPC layer: held for a look into a hash map at accept and close, since a count that is split over
 * the fronts would not be the operator's number. */
#include "rpc_server_internal.h"

#include "map.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

struct rpc_clients {
    pthread_mutex_t lock;
    struct mu__map map; /* address -> struct client */
    unsigned max;
};

struct client {
    struct rpc_address address;
    unsigned count;
};

struct rpc_clients *rpc_clients_create(unsigned max_per_client)
{
    struct rpc_clients *c = mu__calloc(&mu__malloc_allocator, 1, sizeof *c);
    uint64_t seed = 0;
    if (!c || getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        mu__free(&mu__malloc_allocator, c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    mu__map_init(&c->map, NULL, seed);
    c->max = max_per_client;
    return c;
}

void rpc_clients_destroy(struct rpc_clients *c)
{
    if (!c) {
        return;
    }
    size_t at = 0;
    for (struct client *client; (client = mu__map_next(&c->map, &at)) != NULL;) {
        mu__free(&mu__malloc_allocator, client);
    }
    mu__map_fini(&c->map);
    pthread_mutex_destroy(&c->lock);
    mu__free(&mu__malloc_allocator, c);
}

struct rpc_address rpc__address_of(const struct sockaddr *peer, socklen_t len)
{
    struct rpc_address a = {0, {0}};
    if (peer->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, peer, sizeof in);
        memcpy(a.bytes, &in.sin_addr, a.len = 4);
    } else if (peer->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, peer, sizeof in6);
        memcpy(a.bytes, &in6.sin6_addr, a.len = 16);
    }
    return a;
}

static struct client *find_or_add(struct rpc_clients *c, const struct rpc_address *a)
{
    struct client *client = mu__map_get(&c->map, a->bytes, a->len);
    if (client) {
        return client;
    }
    client = mu__calloc(&mu__malloc_allocator, 1, sizeof *client);
    if (!client) {
        return NULL;
    }
    client->address = *a;
    if (!mu__map_set(&c->map, client->address.bytes, a->len, client, NULL)) {
        mu__free(&mu__malloc_allocator, client);
        return NULL;
    }
    return client;
}

bool rpc__client_enter(struct rpc_clients *c, const struct rpc_address *a)
{
    if (!c || c->max == 0 || a->len == 0) {
        return true;
    }
    pthread_mutex_lock(&c->lock);
    struct client *client = find_or_add(c, a);
    bool ok = client && client->count < c->max;
    if (ok) {
        client->count++;
    }
    pthread_mutex_unlock(&c->lock);
    return ok;
}

void rpc__client_leave(struct rpc_clients *c, const struct rpc_address *a)
{
    if (!c || c->max == 0 || a->len == 0) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    struct client *client = mu__map_get(&c->map, a->bytes, a->len);
    if (client && --client->count == 0) {
        mu__map_remove(&c->map, a->bytes, a->len);
        mu__free(&mu__malloc_allocator, client);
    }
    pthread_mutex_unlock(&c->lock);
}
