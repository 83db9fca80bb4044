#include "client_limit.h"

#include "map.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

struct client_limit {
    pthread_mutex_t lock;
    struct mu__map map; /* address -> struct client */
    atomic_uint max;
};

struct client {
    struct client_address address;
    unsigned count;
};

struct client_limit *client_limit_create(unsigned max)
{
    struct client_limit *l = mu__calloc(&mu__malloc_allocator, 1, sizeof *l);
    uint64_t seed = 0;
    if (!l || getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        mu__free(&mu__malloc_allocator, l);
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    mu__map_init(&l->map, NULL, seed);
    atomic_init(&l->max, max);
    return l;
}

void client_limit_set(struct client_limit *l, unsigned max)
{
    atomic_store(&l->max, max);
}

void client_limit_destroy(struct client_limit *l)
{
    if (!l) {
        return;
    }
    size_t at = 0;
    for (struct client *client; (client = mu__map_next(&l->map, &at)) != NULL;) {
        mu__free(&mu__malloc_allocator, client);
    }
    mu__map_fini(&l->map);
    pthread_mutex_destroy(&l->lock);
    mu__free(&mu__malloc_allocator, l);
}

struct client_address client_address(const struct sockaddr *peer, socklen_t len)
{
    struct client_address a = {{0}, 0};
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

static struct client *find_or_add(struct client_limit *l, const struct client_address *a)
{
    struct client *client = mu__map_get(&l->map, a->bytes, a->len);
    if (client) {
        return client;
    }
    client = mu__calloc(&mu__malloc_allocator, 1, sizeof *client);
    if (!client) {
        return NULL;
    }
    client->address = *a;
    if (!mu__map_set(&l->map, client->address.bytes, a->len, client, NULL)) {
        mu__free(&mu__malloc_allocator, client);
        return NULL;
    }
    return client;
}

/* Counts also while there is no limit: there may be one before they leave. */
bool client_limit_enter(struct client_limit *l, const struct client_address *a)
{
    if (!l || a->len == 0) {
        return true;
    }
    unsigned max = atomic_load_explicit(&l->max, memory_order_relaxed);
    pthread_mutex_lock(&l->lock);
    struct client *client = find_or_add(l, a);
    bool ok = client && (max == 0 || client->count < max);
    if (ok) {
        client->count++;
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

void client_limit_leave(struct client_limit *l, const struct client_address *a)
{
    if (!l || a->len == 0) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    struct client *client = mu__map_get(&l->map, a->bytes, a->len);
    if (client && --client->count == 0) {
        mu__map_remove(&l->map, a->bytes, a->len);
        mu__free(&mu__malloc_allocator, client);
    }
    pthread_mutex_unlock(&l->lock);
}
