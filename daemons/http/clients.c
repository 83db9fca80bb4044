/* clients.c - connections per client address, over all fronts of a process
 * (limits.http_max_conns_per_client).
 *
 * The one lock of the HTTP layer: it is held for a look into a hash map at accept and close, and a
 * count that is split over the fronts would not be the operator's number. */
#include "internal.h"

#include "map.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

struct client {
    unsigned char address[16]; /* IPv6, or IPv4 mapped into it */
    unsigned count;
};

struct http_clients {
    pthread_mutex_t lock;
    struct mu__map map; /* address -> struct client */
    unsigned max;
};

struct http_clients *http_clients_create(unsigned max_per_client)
{
    struct http_clients *c = mu__calloc(&mu__malloc_allocator, 1, sizeof *c);
    uint64_t seed = 0;
    if (!c || getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        mu__free(&mu__malloc_allocator, c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    mu__map_init(&c->map, NULL, seed);
    c->max = max_per_client;
    return c;
}

void http_clients_destroy(struct http_clients *c)
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

/* False for what is no IP address (unix sockets), which is not counted. */
static bool address_of(const struct sockaddr_storage *peer, unsigned char out[16])
{
    memset(out, 0, 16);
    if (peer->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, peer, sizeof in);
        memcpy(out + 12, &in.sin_addr, 4);
        out[10] = out[11] = 0xff;
        return true;
    }
    if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, peer, sizeof in6);
        memcpy(out, &in6.sin6_addr, 16);
        return true;
    }
    return false;
}

static struct client *add(struct http_clients *c, const unsigned char address[16])
{
    struct client *client = mu__calloc(&mu__malloc_allocator, 1, sizeof *client);
    if (!client) {
        return NULL;
    }
    memcpy(client->address, address, 16);
    if (!mu__map_set(&c->map, client->address, 16, client, NULL)) {
        mu__free(&mu__malloc_allocator, client);
        return NULL;
    }
    return client;
}

bool http__client_enter(struct http_clients *c, const struct sockaddr_storage *peer)
{
    unsigned char address[16];
    if (c->max == 0 || !address_of(peer, address)) {
        return true;
    }
    pthread_mutex_lock(&c->lock);
    struct client *client = mu__map_get(&c->map, address, 16);
    if (!client) {
        client = add(c, address);
    }
    bool ok = client && client->count < c->max;
    if (ok) {
        client->count++;
    }
    pthread_mutex_unlock(&c->lock);
    return ok;
}

void http__client_leave(struct http_clients *c, const struct sockaddr_storage *peer)
{
    unsigned char address[16];
    if (c->max == 0 || !address_of(peer, address)) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    struct client *client = mu__map_get(&c->map, address, 16);
    if (client && --client->count == 0) {
        mu__map_remove(&c->map, address, 16);
        mu__free(&mu__malloc_allocator, client);
    }
    pthread_mutex_unlock(&c->lock);
}
