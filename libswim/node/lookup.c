/* lookup.c - names to addresses with getaddrinfo, which may block for seconds and therefore runs
 * on a thread of its own.
 *
 * Thread and loop share a struct lookup and a socket pair. The thread fills in the result and
 * closes its end, which the loop sees: it joins the thread, which has nothing left to do. A thread
 * whose lookup is cancelled goes on alone and may outlive the node; hence the struct is not of the
 * node's allocator, and whoever lets go last frees it. */
#include "node.h"

#include <assert.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ADDRS_MAX = 16, STACK_BYTES = 256 * 1024, HOST_MAX = 256 };

struct lookup {
    atomic_int holders; /* loop and thread */
    char host[HOST_MAX];
    uint16_t port;
    /* Written by the thread before it sets `filled` and closes its end. */
    atomic_bool filled;
    int thread_fd;
    struct swim_addr addrs[ADDRS_MAX];
    size_t n;
    char error[160];
    /* The loop's. */
    pthread_t thread;
    int loop_fd;
    struct event *done;
    lookup_fn fn;
    void *arg;
};

static void let_go(struct lookup *l)
{
    if (atomic_fetch_sub(&l->holders, 1) == 1) {
        free(l);
    }
}

static void keep_addrs(struct lookup *l, const struct addrinfo *list)
{
    for (const struct addrinfo *ai = list; ai && l->n < ADDRS_MAX; ai = ai->ai_next) {
        struct sockaddr_storage sa;
        struct swim_addr *out = &l->addrs[l->n];
        memset(&sa, 0, sizeof sa);
        memcpy(&sa, ai->ai_addr, mu__min(ai->ai_addrlen, sizeof sa));
        if (swim_node__from_sockaddr(&sa, out)) {
            out->port = l->port;
            l->n++;
        }
    }
}

static void *look_up(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(l->host, NULL, &hints, &list);
    if (rc == 0) {
        keep_addrs(l, list);
        freeaddrinfo(list);
    }
    if (l->n == 0) {
        bool unknown = rc == EAI_NONAME || rc == 0;
        snprintf(l->error, sizeof l->error, "lookup %.100s: %s", l->host,
                 unknown ? "no such host" : gai_strerror(rc));
    }
    atomic_store_explicit(&l->filled, true, memory_order_release);
    close(l->thread_fd);
    let_go(l);
    return NULL;
}

static void close_loop_side(struct lookup *l)
{
    event_free(l->done);
    close(l->loop_fd);
    let_go(l);
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct lookup *l = arg;
    (void)fd;
    bool filled = atomic_load_explicit(&l->filled, memory_order_acquire);
    assert(filled); /* its end is closed after that */
    pthread_join(l->thread, NULL);
    l->fn(l->arg, l->n > 0 ? l->addrs : NULL, l->n, l->error);
    close_loop_side(l);
}

static bool start_thread(struct lookup *l)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    atomic_store(&l->holders, 2);
    bool ok = pthread_create(&l->thread, &attr, look_up, l) == 0;
    pthread_attr_destroy(&attr);
    return ok;
}

struct lookup *swim_node__lookup(struct swim_node *n, const char *host, uint16_t port, lookup_fn fn,
                                 void *arg)
{
    int fds[2];
    struct lookup *l = calloc(1, sizeof *l);
    if (!l || strlen(host) >= sizeof l->host ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        free(l);
        return NULL;
    }
    memcpy(l->host, host, strlen(host) + 1);
    l->port = port;
    l->fn = fn;
    l->arg = arg;
    l->loop_fd = fds[0];
    l->thread_fd = fds[1];
    l->done = event_new(n->base, l->loop_fd, EV_READ, on_done, l);
    if (l->done && event_add(l->done, NULL) == 0 && start_thread(l)) {
        return l;
    }
    if (l->done) {
        event_free(l->done);
    }
    close(fds[0]);
    close(fds[1]);
    free(l);
    return NULL;
}

void swim_node__lookup_cancel(struct lookup *l)
{
    pthread_detach(l->thread);
    close_loop_side(l);
}
