#include "loop.h"

#include "alloc.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct message {
    struct message *next;
    loop_fn fn;
    void *arg;
};

struct loop {
    const char *name;
    struct event_base *base;
    struct event *wake;
    int fd; /* eventfd: readable while the mailbox is not empty, or the loop is to stop */
    atomic_bool stopping;
    bool started;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the mailbox, and nothing else */
    struct message *first, **last;
};

static _Thread_local const struct loop *current;

static struct message *take_all(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct message *m = l->first;
    l->first = NULL;
    l->last = &l->first;
    pthread_mutex_unlock(&l->lock);
    return m;
}

static void run_all(struct message *m)
{
    while (m) {
        struct message *next = m->next;
        m->fn(m->arg);
        free(m);
        m = next;
    }
}

static void ring(struct loop *l)
{
    uint64_t one = 1;
    /* EAGAIN: the counter is full, so it rings already */
    ssize_t n = write(l->fd, &one, sizeof one);
    (void)n;
}

/* Runs what was there when it woke; what those messages post is run at the next turn, after sockets
 * and timers. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    uint64_t count;
    (void)what;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
    run_all(take_all(l));
    if (atomic_load(&l->stopping)) {
        event_base_loopbreak(l->base);
    }
}

static void *thread_main(void *arg)
{
    loop_run(arg);
    return NULL;
}

struct loop *loop_create(const char *name)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l) {
        return NULL;
    }
    l->name = name;
    l->last = &l->first;
    pthread_mutex_init(&l->lock, NULL);
    l->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->base = event_base_new();
    if (l->fd >= 0 && l->base) {
        l->wake = event_new(l->base, l->fd, EV_READ | EV_PERSIST, on_wake, l);
    }
    if (!l->wake || event_add(l->wake, NULL)) {
        loop_destroy(l);
        return NULL;
    }
    return l;
}

int loop_start(struct loop *l)
{
    if (pthread_create(&l->thread, NULL, thread_main, l)) {
        return -1;
    }
    l->started = true;
    pthread_setname_np(l->thread, l->name);
    return 0;
}

void loop_run(struct loop *l)
{
    current = l;
    while (!atomic_load(&l->stopping)) {
        event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
    }
    current = NULL;
}

struct event_base *loop_base(const struct loop *l)
{
    return l->base;
}

bool loop_is_current(const struct loop *l)
{
    return current == l;
}

void loop_post(struct loop *l, loop_fn fn, void *arg)
{
    struct message *m = malloc(sizeof *m);
    if (!m) {
        abort();
    }
    *m = (struct message){.fn = fn, .arg = arg};
    pthread_mutex_lock(&l->lock);
    bool was_empty = !l->first;
    *l->last = m;
    l->last = &m->next;
    pthread_mutex_unlock(&l->lock);
    if (was_empty) {
        ring(l);
    }
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stopping, true);
    ring(l);
}

void loop_join(struct loop *l)
{
    if (l->started) {
        pthread_join(l->thread, NULL);
        l->started = false;
    }
}

bool loop_drain(struct loop *l)
{
    assert(!l->started);
    const struct loop *before = current;
    struct message *m = take_all(l);
    current = l;
    run_all(m);
    current = before;
    return m != NULL;
}

void loop_destroy(struct loop *l)
{
    if (!l) {
        return;
    }
    while (loop_drain(l)) {
    }
    if (l->wake) {
        event_free(l->wake);
    }
    if (l->base) {
        event_base_free(l->base);
    }
    if (l->fd >= 0) {
        close(l->fd);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * (int64_t)MU_SEC + t.tv_nsec;
}

uint64_t loop_now_ns(void)
{
    return (uint64_t)clock_ns(CLOCK_MONOTONIC);
}

int64_t loop_now_unix_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}
