#include "node.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVE_BUFFER = 2 << 20, LOG_LINE_MAX = 1024 };
#define SNAPSHOT_DELAY_NS (500 * MU_MSEC)

/* ---- small things ---- */

const char *swim_node_strerror(int code)
{
    switch (code) {
    case SWIM_NODE_ESOCKET:
        return "a socket could not be made or bound";
    case SWIM_NODE_EFILE:
        return "a file could not be read or written";
    default:
        return swim_strerror(code);
    }
}

enum mu_err_class swim_node_err_class(int code)
{
    if (code == SWIM_NODE_ESOCKET || code == SWIM_NODE_EFILE) {
        return MU_CLASS_CALLER;
    }
    return swim_err_class(code);
}

void swim_node__why(char *why, size_t cap, const char *fmt, ...)
{
    if (why && cap > 0) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(why, cap, fmt, args);
        va_end(args);
    }
}

void swim_node__log(const struct swim_node *n, enum mu_level level, const char *fmt, ...)
{
    char line[LOG_LINE_MAX];
    if (!n->log || level < n->log_level) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    n->log(n->log_user, level, line);
}

struct timeval swim_node__timeval(uint64_t ns)
{
    uint64_t us = ns / MU_USEC + (ns % MU_USEC ? 1 : 0);
    return (struct timeval){.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
}

uint64_t swim_node_now(const struct swim_node *n)
{
    (void)n;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * MU_SEC + (uint64_t)ts.tv_nsec;
}

static int system_entropy(void *user, void *buf, size_t len)
{
    (void)user;
    uint8_t *p = buf;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return -1;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

const struct swim_addr *swim_node_addr(const struct swim_node *n)
{
    return &n->bound;
}

struct swim *swim_node_core(struct swim_node *n)
{
    return n->swim;
}

/* ---- work ---- */

static void set_timer(struct swim_node *n)
{
    uint64_t deadline = swim_next_deadline(n->swim), now = swim_node_now(n);
    if (deadline == MU_NEVER) {
        evtimer_del(n->timer);
        return;
    }
    struct timeval tv = swim_node__timeval(deadline > now ? deadline - now : 0);
    evtimer_add(n->timer, &tv);
}

static void send_out(struct swim_node *n)
{
    struct swim_stream stream;
    swim_node__udp_flush(n);
    while (swim_next_stream(n->swim, &stream)) {
        swim_node__tcp_open(n, &stream);
    }
}

static struct snapshot_clocks clocks_of(const struct swim_node *n)
{
    struct swim_stats stats;
    swim_stats(n->swim, &stats);
    /* A clock is one ahead of what was last seen, and what was seen is recorded. */
    return (struct snapshot_clocks){.member = stats.member_clock ? stats.member_clock - 1 : 0,
                                    .event = stats.event_clock ? stats.event_clock - 1 : 0,
                                    .query = stats.query_clock ? stats.query_clock - 1 : 0};
}

static void on_snapshot_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct swim_node *n = arg;
    swim_node__snapshot_set_clocks(n->snapshot, clocks_of(n));
    if (!swim_node__snapshot_flush(n->snapshot)) {
        swim_node__log(n, MU_ERROR, "serf: cannot write snapshot: %s", strerror(errno));
    }
}

static void record(struct swim_node *n, const struct swim_event *ev)
{
    if (!n->snapshot) {
        return;
    }
    if (ev->type == SWIM_EVENT_JOIN || ev->type == SWIM_EVENT_UPDATE) {
        swim_node__snapshot_alive(n->snapshot, ev->member.name, &ev->member.addr);
    } else if (ev->type == SWIM_EVENT_FAILED || ev->type == SWIM_EVENT_LEAVE || ev->type == SWIM_EVENT_REAP) {
        swim_node__snapshot_not_alive(n->snapshot, ev->member.name);
    }
    if (!evtimer_pending(n->snapshot_timer, NULL)) { /* one flush for all that happens until then */
        struct timeval tv = swim_node__timeval(SNAPSHOT_DELAY_NS);
        evtimer_add(n->snapshot_timer, &tv);
    }
}

static void tell_left(struct swim_node *n)
{
    void (*done)(void *user) = n->leave_done;
    if (done && swim_has_left(n->swim)) {
        n->leave_done = NULL;
        done(n->leave_user);
    }
}

static void take_event(struct swim_node *n, const struct swim_event *ev)
{
    /* Whoever is told may call the core, and what ev points at is gone then. */
    enum swim_event_type type = ev->type;
    uint32_t stream = ev->stream;
    int err = ev->err;
    record(n, ev);
    if (type == SWIM_EVENT_KEYS) {
        swim_node__keyfile_save(n);
    }
    if (n->on_event) {
        n->on_event(n->user, ev);
    }
    if (type == SWIM_EVENT_JOIN_RESULT) {
        swim_node__join_result(n, stream, err);
    } else if (type == SWIM_EVENT_LEFT) {
        tell_left(n);
    }
}

void swim_node__work(struct swim_node *n)
{
    struct swim_event ev;
    n->in_callback = true;
    swim_advance(n->swim, swim_node_now(n));
    send_out(n);
    while (swim_next_event(n->swim, &ev)) {
        take_event(n, &ev);
        send_out(n);
    }
    set_timer(n);
    n->in_callback = false;
}

void swim_node__kick(struct swim_node *n)
{
    event_active(n->kick, EV_TIMEOUT, 0);
}

void swim_node_flush(struct swim_node *n)
{
    send_out(n);
    set_timer(n);
    swim_node__kick(n); /* for the events */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    swim_node__work(arg);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct swim_node *n = arg;
    n->in_callback = true;
    swim_node__join_advance_all(n);
    tell_left(n);
    swim_node__work(n);
}

/* ---- joining and leaving ---- */

int swim_node_join(struct swim_node *n, const char *const *addrs, size_t naddrs, swim_node_join_fn fn, void *user)
{
    if (naddrs == 0) {
        return SWIM_EINVAL;
    }
    if (swim_is_leaving(n->swim)) {
        return SWIM_ELEFT;
    }
    return swim_node__join_start(n, addrs, naddrs, false, fn, user);
}

void swim_node_leave(struct swim_node *n, void (*done)(void *user), void *user)
{
    n->leave_done = done;
    n->leave_user = user;
    if (n->snapshot) {
        swim_node__snapshot_left(n->snapshot);
        on_snapshot_due(-1, 0, n);
    }
    swim_leave(n->swim, swim_node_now(n));
    swim_node_flush(n);
}

/* ---- creation ---- */

void swim_node_config_init_sized(struct swim_node_config *cfg, size_t size)
{
    struct swim_node_config full;
    memset(&full, 0, sizeof full);
    full.size = size;
    swim_config_init(&full.swim);
    full.receive_buffer_bytes = RECEIVE_BUFFER;
    assert(size <= sizeof full);
    memcpy(cfg, &full, size);
}

/* Widens an older caller's config; a newer one's rest must be zero. */
static bool read_config(const struct swim_node_config *cfg, struct swim_node_config *full)
{
    swim_node_config_init_sized(full, sizeof *full);
    if (cfg->size < offsetof(struct swim_node_config, bind)) {
        return false;
    }
    for (size_t i = sizeof *full; i < cfg->size; i++) {
        if (((const uint8_t *)cfg)[i] != 0) {
            return false;
        }
    }
    memcpy(full, cfg, mu__min(cfg->size, sizeof *full));
    full->size = sizeof *full;
    return true;
}

static bool check_config(struct swim_node_config *cfg, char *why, size_t cap)
{
    if (!cfg->base) {
        swim_node__why(why, cap, "base is required");
        return false;
    }
    if (cfg->bind.len == 0) {
        cfg->bind.len = 4;
    }
    if (cfg->bind.len != 4 && cfg->bind.len != 16) {
        swim_node__why(why, cap, "bind.len must be 4 or 16");
        return false;
    }
    if (cfg->swim.advertise.len == 0 && swim_node__is_wildcard(&cfg->bind)) {
        swim_node__why(why, cap, "swim.advertise is required when bind is a wildcard address");
        return false;
    }
    return true;
}

static char *copy_text(const struct swim_node *n, const char *text)
{
    return mu__strndup(&n->allocator, text, strlen(text));
}

/* The keys to start with: the file's if there is one, else those of the config, which then make the file. */
static int load_keys(struct swim_node *n, const struct swim_node_config *cfg, struct keyset *k, char *why, size_t cap)
{
    bool found = false;
    if (n->keyring_path) {
        int rc = swim_node__keyfile_read(n, k, &found, why, cap);
        if (rc != SWIM_OK || found) {
            return rc;
        }
    }
    for (size_t i = 0; cfg->swim.nkeys == 0 && i < cfg->nkeys_base64; i++) {
        int rc = swim_node__keyset_add_base64(n, k, cfg->keys_base64[i], strlen(cfg->keys_base64[i]));
        if (rc != SWIM_OK) {
            swim_node__why(why, cap, "gossip key %zu is not 16, 24 or 32 bytes in base64", i + 1);
            return rc;
        }
    }
    if (n->keyring_path && k->n > 0 && !swim_node__keyfile_write(n, k)) {
        swim_node__why(why, cap, "cannot write keyring %s: %s", n->keyring_path, strerror(errno));
        return SWIM_NODE_EFILE;
    }
    return SWIM_OK;
}

static void fill_in(const struct swim_node *n, struct swim_config *cfg, const struct keyset *keys)
{
    if (cfg->advertise.len == 0) {
        cfg->advertise = n->bound;
    }
    if (cfg->advertise.port == 0) {
        cfg->advertise.port = n->bound.port;
    }
    if (!cfg->entropy) {
        cfg->entropy = system_entropy;
    }
    if (keys->n > 0) {
        cfg->keys = keys->keys;
        cfg->nkeys = keys->n;
    }
    if (n->snapshot) {
        struct snapshot_clocks clocks = swim_node__snapshot_clocks(n->snapshot);
        cfg->member_clock = clocks.member;
        cfg->event_clock = clocks.event;
        cfg->query_clock = clocks.query;
    }
}

static int create_core(struct swim_node *n, struct swim_node_config *cfg, char *why, size_t cap)
{
    struct keyset keys = {.n = 0};
    int rc = load_keys(n, cfg, &keys, why, cap);
    if (rc == SWIM_OK) {
        fill_in(n, &cfg->swim, &keys);
        rc = swim_config_check(&cfg->swim, why, cap);
    }
    if (rc == SWIM_OK) {
        rc = swim_create(&cfg->swim, swim_node_now(n), &n->swim);
    }
    swim_node__keyset_fini(n, &keys);
    return rc;
}

static int start_events(struct swim_node *n, size_t streams_max)
{
    n->timer = evtimer_new(n->base, on_timer, n);
    n->kick = event_new(n->base, -1, 0, on_kick, n);
    n->snapshot_timer = evtimer_new(n->base, on_snapshot_due, n);
    if (!n->timer || !n->kick || !n->snapshot_timer || swim_node__udp_start(n) != SWIM_OK) {
        return SWIM_ENOMEM;
    }
    return swim_node__tcp_start(n, streams_max);
}

/* In random order, so that a pool that restarts as a whole does not fall upon one node. */
static void shuffle(const char **items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t random = 0;
        system_entropy(NULL, &random, sizeof random);
        size_t j = random % i;
        const char *t = items[i - 1];
        items[i - 1] = items[j];
        items[j] = t;
    }
}

static void on_rejoined(void *user, size_t joined, const char *error)
{
    struct swim_node *n = user;
    (void)error;
    if (joined > 0) {
        swim_node__log(n, MU_INFO, "serf: re-joined a node that was known before");
    } else {
        swim_node__log(n, MU_WARN, "serf: failed to re-join any previously known node");
    }
}

static void rejoin(struct swim_node *n, const char *self)
{
    enum { TRIED_MAX = 1024 };
    const char *addrs[TRIED_MAX];
    size_t count = 0, at = 0;
    if (!n->snapshot) {
        return;
    }
    for (const char *addr; count < TRIED_MAX && (addr = swim_node__snapshot_next(n->snapshot, &at, self));) {
        addrs[count++] = addr;
    }
    shuffle(addrs, count);
    if (count > 0 && swim_node__join_start(n, addrs, count, true, on_rejoined, n) != SWIM_OK) {
        on_rejoined(n, 0, NULL);
    }
}

static int set_up(struct swim_node *n, struct swim_node_config *cfg, char *why, size_t cap)
{
    int rc = SWIM_ENOMEM;
    if (cfg->keyring_path && !(n->keyring_path = copy_text(n, cfg->keyring_path))) {
        return rc;
    }
    if (cfg->snapshot_path) {
        n->snapshot = swim_node__snapshot_open(&n->allocator, cfg->snapshot_path, cfg->rejoin_after_leave, why, cap);
        if (!n->snapshot) {
            return SWIM_NODE_EFILE;
        }
    }
    rc = swim_node__bind(n, &cfg->bind, cfg->receive_buffer_bytes, why, cap);
    if (rc == SWIM_OK) {
        rc = create_core(n, cfg, why, cap);
    }
    if (rc == SWIM_OK) {
        rc = start_events(n, cfg->swim.streams_max);
    }
    return rc;
}

int swim_node_create(const struct swim_node_config *config, char *why, size_t cap, struct swim_node **out)
{
    struct swim_node_config cfg;
    *out = NULL;
    swim_node__why(why, cap, "%s", "");
    if (!read_config(config, &cfg)) {
        swim_node__why(why, cap, "size is not that of a swim_node_config");
        return SWIM_EINVAL;
    }
    if (!check_config(&cfg, why, cap)) {
        return SWIM_EINVAL;
    }
    struct mu_allocator allocator = mu__allocator_or_default(cfg.swim.allocator);
    struct swim_node *n = mu__calloc(&allocator, 1, sizeof *n);
    if (!n) {
        return SWIM_ENOMEM;
    }
    n->allocator = allocator;
    n->base = cfg.base;
    n->udp.fd = n->tcp.fd = -1;
    n->on_event = cfg.on_event;
    n->user = cfg.user;
    n->log = cfg.swim.log;
    n->log_user = cfg.swim.log_user;
    n->log_level = cfg.swim.log_level;
    int rc = set_up(n, &cfg, why, cap);
    if (rc != SWIM_OK) {
        swim_node_destroy(n);
        return rc;
    }
    rejoin(n, cfg.swim.name);
    swim_node_flush(n);
    *out = n;
    return SWIM_OK;
}

static void free_event(struct event *e)
{
    if (e) {
        event_free(e);
    }
}

void swim_node_destroy(struct swim_node *n)
{
    if (!n) {
        return;
    }
    assert(!n->in_callback);
    if (n->swim) {
        swim_node__join_abort_all(n);
        if (n->snapshot) {
            swim_node__snapshot_set_clocks(n->snapshot, clocks_of(n));
        }
    }
    swim_node__tcp_close(n);
    swim_node__udp_close(n);
    free_event(n->timer);
    free_event(n->kick);
    free_event(n->snapshot_timer);
    swim_node__snapshot_close(n->snapshot);
    swim_destroy(n->swim);
    mu__free(&n->allocator, n->keyring_path);
    struct mu_allocator a = n->allocator;
    mu__free(&a, n);
}
