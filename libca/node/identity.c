#include "identity.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t identity__now(const struct ca_identity *i)
{
    return i->cfg.now_unix_s ? i->cfg.now_unix_s(i->cfg.user) : (int64_t)time(NULL);
}

void identity__log(const struct ca_identity *i, enum mu_level level, const char *format, ...)
{
    char line[512];
    va_list args;
    if (!i->cfg.log) {
        return;
    }
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    i->cfg.log(i->cfg.user, level, line);
}

static void escape(char *out, const char *name)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *name; name++) {
        if (strchr(plain, *name)) {
            *out++ = *name;
        } else {
            out += snprintf(out, 4, "%%%02X", (unsigned)(unsigned char)*name);
        }
    }
    *out = '\0';
}

static void on_check(evutil_socket_t fd, short what, void *user)
{
    (void)fd, (void)what;
    identity__look(user);
}

static void on_wake(evutil_socket_t fd, short what, void *user)
{
    struct ca_identity *i = user;
    (void)fd, (void)what;
    event_base_loopbreak(i->base);
}

static void *run(void *user)
{
    struct ca_identity *i = user;
    struct event *wake = event_new(i->base, i->wake[0], EV_READ, on_wake, i);
    if (wake) {
        event_add(wake, NULL);
        event_base_dispatch(i->base);
        event_free(wake);
    }
    return NULL;
}

static bool start_loop(struct ca_identity *i)
{
    struct timeval tv = {.tv_sec = (time_t)(i->cfg.check_ns / MU_SEC),
                         .tv_usec = (suseconds_t)(i->cfg.check_ns % MU_SEC / 1000)};
    i->owns_base = i->cfg.base == NULL;
    i->base = i->cfg.base ? i->cfg.base : event_base_new();
    if (!i->base) {
        return false;
    }
    i->check = event_new(i->base, -1, EV_PERSIST, on_check, i);
    if (!i->check || event_add(i->check, &tv) != 0 || !identity__watches_start(i)) {
        return false;
    }
    if (i->owns_base) {
        i->has_thread = pipe2(i->wake, O_CLOEXEC | O_NONBLOCK) == 0 &&
                        pthread_create(&i->thread, NULL, run, i) == 0;
        return i->has_thread;
    }
    return true;
}

static void init_locks(struct ca_identity *i)
{
    pthread_mutexattr_t recursive;
    pthread_condattr_t monotonic;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&i->calls, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&i->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&i->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int identity__config_read(const struct ca_identity_config *given, struct ca_identity *i,
                          struct ca_diag *diag);

int ca_identity_create(const struct ca_identity_config *cfg, struct ca_identity **out,
                       struct ca_diag *diag)
{
    struct mu_allocator a = mu__allocator_or_default(cfg->allocator);
    *out = NULL;
    struct ca_identity *i = mu__calloc(&a, 1, sizeof *i);
    if (!i) {
        return CA_ENOMEM;
    }
    i->allocator = a;
    i->wake[0] = i->wake[1] = -1;
    init_locks(i);
    uint64_t seed;
    int rc = identity__config_read(cfg, i, diag);
    if (rc == CA_OK && identity__random(NULL, (unsigned char *)&seed, sizeof seed) != 0) {
        rc = CA_ERANDOM;
    }
    if (rc == CA_OK) {
        escape(i->service_escaped, i->service);
        mu__prng_seed(&i->prng, seed);
        rc = start_loop(i) ? CA_OK : CA_ENOMEM;
    }
    if (rc != CA_OK) {
        ca_identity_destroy(i);
        return rc;
    }
    *out = i;
    return CA_OK;
}

static void end_thread(struct ca_identity *i)
{
    if (i->has_thread) {
        while (write(i->wake[1], "", 1) != 1) {
        }
        pthread_join(i->thread, NULL);
    }
    for (size_t n = 0; n < 2; n++) {
        if (i->wake[n] >= 0) {
            close(i->wake[n]);
        }
    }
}

void ca_identity_destroy(struct ca_identity *i)
{
    if (!i) {
        return;
    }
    end_thread(i);
    identity__watches_stop(i);
    if (i->check) {
        event_free(i->check);
    }
    if (i->owns_base && i->base) {
        event_base_free(i->base);
    }
    identity__sessions_fini(i);
    identity__leaf_fini(&i->allocator, &i->leaf);
    identity__leaf_fini(&i->allocator, &i->pending);
    identity__material_release(i->material);
    identity__trust_release(i->trust);
    identity__rules_release(i->rules);
    pthread_cond_destroy(&i->changed);
    pthread_mutex_destroy(&i->lock);
    pthread_mutex_destroy(&i->calls);
    struct mu_allocator a = i->allocator;
    mu__wipe(i, sizeof *i); /* the token */
    mu__free(&a, i);
}

int ca_identity_wait(struct ca_identity *i, uint64_t timeout_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + timeout_ns % MU_SEC;
    until.tv_sec += (time_t)(timeout_ns / MU_SEC + ns / MU_SEC);
    until.tv_nsec = (long)(ns % MU_SEC);
    int rc = 0;
    pthread_mutex_lock(&i->lock);
    while (rc == 0 && i->state != CA_IDENTITY_FRESH && i->state != CA_IDENTITY_STALE) {
        rc = pthread_cond_timedwait(&i->changed, &i->lock, &until);
    }
    pthread_mutex_unlock(&i->lock);
    return rc == 0 ? CA_OK : CA_IDENTITY_ETIMEOUT;
}

void ca_identity_info(struct ca_identity *i, struct ca_identity_info *out)
{
    *out = (struct ca_identity_info){.state = CA_IDENTITY_STARTING};
    pthread_mutex_lock(&i->lock);
    out->state = i->state;
    out->generation = i->generation;
    out->requests = i->requests;
    out->failures = i->failures;
    out->connections = i->connection_count;
    out->roots = i->trust ? i->trust->count : 0;
    out->intentions = i->rules ? i->rules->count : 0;
    out->otherwise = i->rules ? i->rules->otherwise : CA_DENY;
    if (i->material) {
        memcpy(out->uri, i->material->uri, sizeof out->uri);
        out->not_after_unix_s = i->material->not_after_unix_s;
    }
    pthread_mutex_unlock(&i->lock);
}
