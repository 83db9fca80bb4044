#include "rpc_router.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "endpoints.h"
#include "prng.h"

#include <assert.h>
#include <string.h>

#define MODULE               "agent.router"
#define HOLD_TIMEOUT_NS      (7 * MU_SEC)
#define REBALANCE_NS         (120 * MU_SEC)
#define NEW_PER_SERVER_AND_S 64u /* connections that rebalancing may cause in the whole pool */

struct server {
    char *name, *host;
    uint16_t port;
};

/* A call on its way, which is its state. */
struct routed {
    struct rpc_router *router;
    struct routed *next, *previous;
    struct call *call;
    struct rpc_exchange *exchange; /* NULL: waits for the timer to try again */
    struct event *timer;
    char *asked; /* name of the server */
    uint64_t started_ns, asked_ns;
    uint64_t failing_ns; /* since when it has been failing */
    size_t failed;       /* servers in a row, without a pause */
};

struct rpc_router {
    struct call_backend backend; /* first: what call_start is given */
    struct rpc_router_config config;
    struct mu__prng prng;
    struct server *servers; /* the first is asked */
    size_t count, cap;
    size_t pool_size;
    double tokens; /* of the rate of calls */
    uint64_t tokens_ns;
    struct routed *routed;
    struct event *rebalance;
    struct call *ping;
    struct rpc_exchange *ping_exchange;
    size_t pings_left;
};

/* ---- The list ---- */

static size_t find(const struct rpc_router *r, const char *name)
{
    size_t i = 0;
    while (i < r->count && strcmp(r->servers[i].name, name) != 0) {
        i++;
    }
    return i;
}

static void free_server(struct server *s)
{
    mu__free(&mu__malloc_allocator, s->name);
    mu__free(&mu__malloc_allocator, s->host);
}

static void remove_at(struct rpc_router *r, size_t i)
{
    r->count--;
    memmove(&r->servers[i], &r->servers[i + 1], (r->count - i) * sizeof *r->servers);
}

/* The first goes to the end, if it still is the one that failed. */
static void rotate(struct rpc_router *r, const char *failed)
{
    if (r->count < 2 || strcmp(r->servers[0].name, failed) != 0) {
        return;
    }
    struct server first = r->servers[0];
    remove_at(r, 0);
    r->servers[r->count++] = first;
}

void rpc_router_remove(struct rpc_router *r, const char *name)
{
    size_t i = find(r, name);
    if (i < r->count) {
        log_info(MODULE, "removing server: %s", name);
        free_server(&r->servers[i]);
        remove_at(r, i);
        rpc_client_doubt(r->config.client, name);
    }
}

void rpc_router_add(struct rpc_router *r, const char *name, const char *host, uint16_t port)
{
    size_t known = find(r, name);
    if (known < r->count && strcmp(r->servers[known].host, host) == 0 &&
        r->servers[known].port == port) {
        return;
    }
    rpc_router_remove(r, name);
    struct server s = {.name = mu__strndup(&mu__malloc_allocator, name, strlen(name)),
                       .host = mu__strndup(&mu__malloc_allocator, host, strlen(host)),
                       .port = port};
    if (!s.name || !s.host ||
        !mu__reserve(&mu__malloc_allocator, (void **)&r->servers, &r->cap, r->count + 1,
                     sizeof s)) {
        free_server(&s);
        return;
    }
    /* At random, since agents that start together hear of the servers in the same order. */
    size_t at = mu__prng_below(&r->prng, r->count + 1);
    memmove(&r->servers[at + 1], &r->servers[at], (r->count - at) * sizeof s);
    r->servers[at] = s;
    r->count++;
    log_info(MODULE, "adding server: %s (%s:%u)", name, host, (unsigned)port);
}

size_t rpc_router_count(const struct rpc_router *r)
{
    return r->count;
}

void rpc_router_set_rate(struct rpc_router *r, double rate, double burst)
{
    r->config.rate = rate;
    r->config.burst = burst;
    r->tokens = burst;
    r->tokens_ns = loop_now_ns();
}

void rpc_router_set_pool_size(struct rpc_router *r, size_t nodes)
{
    r->pool_size = nodes;
}

static struct rpc_target first_server(const struct rpc_router *r)
{
    const struct server *s = &r->servers[0];
    return (struct rpc_target){s->name, s->host, s->port};
}

bool rpc_router_first(const struct rpc_router *r, struct rpc_target *out)
{
    if (r->count > 0) {
        *out = first_server(r);
    }
    return r->count > 0;
}

/* ---- Calls ---- */

static void set_timer(struct event *e, uint64_t ns)
{
    struct timeval tv = {(time_t)(ns / MU_SEC), (suseconds_t)(ns % MU_SEC / MU_USEC)};
    event_add(e, &tv);
}

static void free_routed(struct routed *d)
{
    if (d->previous) {
        d->previous->next = d->next;
    } else {
        d->router->routed = d->next;
    }
    if (d->next) {
        d->next->previous = d->previous;
    }
    if (d->timer) {
        event_free(d->timer);
    }
    mu__free(&mu__malloc_allocator, d->asked);
    mu__free(&mu__malloc_allocator, d);
}

static void on_done(struct call *c, enum rpc_outcome outcome, void *arg);

/* Asks the first server; ends the call when there is none. */
static void attempt(struct routed *d)
{
    struct rpc_router *r = d->router;
    struct call *c = d->call;
    c->error = NULL;
    c->reply = NULL;
    if (r->count == 0) {
        free_routed(d);
        call_fail(c, "No known Consul servers");
        return;
    }
    struct rpc_target to = first_server(r);
    d->asked_ns = loop_now_ns();
    mu__free(&mu__malloc_allocator, d->asked);
    d->asked = mu__strndup(&mu__malloc_allocator, to.name, strlen(to.name));
    d->exchange = d->asked ? rpc_client_start(r->config.client, &to, c, on_done, d) : NULL;
    if (!d->exchange) {
        free_routed(d);
        call_fail(c, "rpc error getting client: failed to get conn: out of memory");
    }
}

static void pause_call(struct routed *d)
{
    struct rpc_router *r = d->router;
    set_timer(d->timer, mu__prng_below(&r->prng, r->config.hold_timeout_ns / 16 + 1));
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct routed *d = arg;
    struct rpc_router *r = d->router;
    d->failed = 0;
    if (r->count == 0 && loop_now_ns() - d->failing_ns < r->config.hold_timeout_ns) {
        pause_call(d); /* gossip has just lost the last one, and may find it again */
    } else {
        attempt(d);
    }
}

static bool says(const struct call *c, const char *text)
{
    return strstr(c->error, text) != NULL;
}

/* Can it do no harm to ask again, and may it help? */
static bool is_repeatable(const struct call *c, enum rpc_outcome outcome)
{
    bool is_read = c->endpoint->kind != ENDPOINT_WRITE;
    switch (outcome) {
    case RPC_ANSWERED:
        return false;
    case RPC_UNSENT:
        return true;
    case RPC_BROKEN:
        return is_read &&
               (says(c, "stream closed") || says(c, "session shutdown") || says(c, "EOF"));
    case RPC_REFUSED:
        break;
    }
    return says(c, "No cluster leader") || (is_read && says(c, "shutting down"));
}

/* Patience counts from the start of the call; a query that had waited for news in peace has only
 * now begun to fail. */
static void note_failure(struct routed *d)
{
    uint64_t now = loop_now_ns();
    bool was_in_peace = now - d->asked_ns >= 2 * d->router->config.hold_timeout_ns;
    d->failed++;
    d->failing_ns = was_in_peace ? now : d->failing_ns ? d->failing_ns : d->started_ns;
}

/* Asks again, now or later; false: that is of no use. */
static bool repeat(struct routed *d, enum rpc_outcome outcome)
{
    struct rpc_router *r = d->router;
    if (!is_repeatable(d->call, outcome)) {
        return false;
    }
    if (outcome != RPC_REFUSED && d->failed < r->count) {
        attempt(d);
        return true;
    }
    if (loop_now_ns() - d->failing_ns >= r->config.hold_timeout_ns) {
        return false;
    }
    pause_call(d);
    return true;
}

static void on_done(struct call *c, enum rpc_outcome outcome, void *arg)
{
    struct routed *d = arg;
    d->exchange = NULL;
    if (outcome != RPC_ANSWERED) {
        metric_count_of(METRIC_FAMILY_CLIENT_RPC_FAILED, mu__cstr(d->asked), mu__cstr(""));
        rotate(d->router, d->asked);
        note_failure(d);
        if (repeat(d, outcome)) {
            return;
        }
    }
    free_routed(d);
    call_finish(c);
}

/* Is there room for another call within the rate? */
static bool take_token(struct rpc_router *r)
{
    const struct rpc_router_config *c = &r->config;
    uint64_t now = loop_now_ns();
    if (c->rate <= 0) {
        return true;
    }
    r->tokens += (double)(now - r->tokens_ns) / (double)MU_SEC * c->rate;
    r->tokens = r->tokens < c->burst ? r->tokens : c->burst;
    r->tokens_ns = now;
    if (r->tokens < 1) {
        return false;
    }
    r->tokens -= 1;
    return true;
}

static void start(struct call_backend *b, struct call *c)
{
    struct rpc_router *r = (struct rpc_router *)b;
    metric_count(METRIC_CLIENT_RPC, 1);
    if (!take_token(r)) {
        metric_count(METRIC_CLIENT_RPC_EXCEEDED, 1);
        call_fail(c, "RPC rate limit exceeded");
        return;
    }
    struct routed *d = mu__calloc(&mu__malloc_allocator, 1, sizeof *d);
    if (!d) {
        call_fail(c, "out of memory");
        return;
    }
    *d = (struct routed){.router = r, .call = c, .next = r->routed, .started_ns = loop_now_ns()};
    if (d->next) {
        d->next->previous = d;
    }
    r->routed = d;
    c->state = d;
    d->timer = evtimer_new(r->config.base, on_retry, d);
    if (!d->timer) {
        free_routed(d);
        call_fail(c, "out of memory");
        return;
    }
    attempt(d);
}

static void cancel(struct call_backend *b, struct call *c)
{
    (void)b;
    struct routed *d = c->state;
    if (d->exchange) {
        rpc_exchange_cancel(d->exchange);
    }
    free_routed(d);
    call_free(c);
}

/* ---- Rebalancing ---- */

static void schedule_rebalance(struct rpc_router *r)
{
    uint64_t ns = REBALANCE_NS;
    if (r->count) {
        uint64_t fair = (uint64_t)r->pool_size * MU_SEC / (NEW_PER_SERVER_AND_S * r->count);
        ns = fair > ns ? fair : ns;
    }
    set_timer(r->rebalance, ns + mu__prng_below(&r->prng, ns / 2));
}

static void shuffle(struct rpc_router *r)
{
    for (size_t i = r->count; i > 1; i--) {
        size_t k = mu__prng_below(&r->prng, i);
        struct server swap = r->servers[i - 1];
        r->servers[i - 1] = r->servers[k];
        r->servers[k] = swap;
    }
}

static void end_ping(struct rpc_router *r)
{
    call_free(r->ping);
    r->ping = NULL;
    r->ping_exchange = NULL;
}

static void ping_first(struct rpc_router *r);

static void on_pinged(struct call *c, enum rpc_outcome outcome, void *arg)
{
    (void)c;
    struct rpc_router *r = arg;
    end_ping(r);
    if (outcome != RPC_ANSWERED && r->count > 1) {
        rotate(r, r->servers[0].name);
        ping_first(r);
    }
}

/* The first that answers stays first; each is asked once. */
static void ping_first(struct rpc_router *r)
{
    if (r->count == 0 || r->pings_left == 0) {
        return;
    }
    r->pings_left--;
    struct rpc_target to = first_server(r);
    r->ping = call_create(&endpoints[ENDPOINT_STATUS_PING], 0, NULL, NULL);
    r->ping_exchange =
        r->ping ? rpc_client_start(r->config.client, &to, r->ping, on_pinged, r) : NULL;
    if (!r->ping_exchange) {
        end_ping(r);
    }
}

static void on_rebalance(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct rpc_router *r = arg;
    if (r->count > 1 && !r->ping) {
        shuffle(r);
        r->pings_left = r->count;
        ping_first(r);
    }
    schedule_rebalance(r);
}

/* ---- The router ---- */

struct rpc_router *rpc_router_create(const struct rpc_router_config *cfg)
{
    struct rpc_router *r = mu__calloc(&mu__malloc_allocator, 1, sizeof *r);
    if (!r) {
        return NULL;
    }
    r->backend = (struct call_backend){start, cancel};
    r->config = *cfg;
    if (!r->config.hold_timeout_ns) {
        r->config.hold_timeout_ns = HOLD_TIMEOUT_NS;
    }
    r->tokens = cfg->burst;
    r->tokens_ns = loop_now_ns();
    mu__prng_seed(&r->prng, cfg->seed);
    r->rebalance = evtimer_new(cfg->base, on_rebalance, r);
    if (!r->rebalance) {
        mu__free(&mu__malloc_allocator, r);
        return NULL;
    }
    schedule_rebalance(r);
    return r;
}

void rpc_router_destroy(struct rpc_router *r)
{
    if (!r) {
        return;
    }
    if (r->ping) {
        rpc_exchange_cancel(r->ping_exchange);
        end_ping(r);
    }
    while (r->routed) {
        struct call *c = r->routed->call;
        if (r->routed->exchange) {
            rpc_exchange_cancel(r->routed->exchange);
        }
        free_routed(r->routed);
        call_fail(c, "rpc error making call: session shutdown");
    }
    for (size_t i = 0; i < r->count; i++) {
        free_server(&r->servers[i]);
    }
    event_free(r->rebalance);
    mu__free(&mu__malloc_allocator, r->servers);
    mu__free(&mu__malloc_allocator, r);
}

struct call_backend *rpc_router_backend(struct rpc_router *r)
{
    return &r->backend;
}
