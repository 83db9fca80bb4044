#include "agent/sync_internal.h"

#include "agent/sync_diff.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define MODULE             "agent"
#define FULL_INTERVAL_NS   (60 * MU_SEC)
#define RETRY_INTERVAL_NS  (15 * MU_SEC)
#define SERVER_INTERVAL_NS (3 * MU_SEC)
#define PASS_GAP_NS        (2 * MU_MSEC) /* between the beginnings of two passes with changes */
#define WINDOW             16            /* writes under way at a time */

static void begin(struct sync *s, bool full);

/* ---- Time ---- */

uint64_t sync_scale(size_t members)
{
    uint64_t scale = 1;
    for (size_t n = 128; n < members; n *= 2) {
        scale++;
    }
    return scale;
}

static void arm(struct event *e, uint64_t after_ns)
{
    struct timeval tv = {.tv_sec = (time_t)(after_ns / MU_SEC),
                         .tv_usec = (suseconds_t)(after_ns % MU_SEC / MU_USEC)};
    event_add(e, &tv);
}

static void arm_full(struct sync *s, uint64_t interval)
{
    arm(s->timer, interval + mu__prng_below(&s->prng, interval));
}

/* The first change after a quiet moment is sent at once, behind what else happens together with it;
 * of those that follow, many go with one pass. */
static void kick(struct sync *s)
{
    uint64_t due = s->began_ns + PASS_GAP_NS, now = loop_now_ns();
    if (now >= due) {
        event_active(s->kick, EV_TIMEOUT, 0);
    } else {
        arm(s->kick, due - now);
    }
}

/* ---- A pass ---- */

static bool is_due(const struct sync *s, const struct local_entry *e)
{
    return !e->in_sync && e->tried != s->pass;
}

/* Sends about the next entry that needs it; false when the walk of the phase is over. */
static bool next_service(struct sync *s)
{
    for (struct local_service *e; (e = mu__map_next(&s->local->services, &s->at));) {
        if (is_due(s, &e->entry)) {
            e->entry.tried = s->pass;
            if (e->entry.deleted) {
                sync__send_deregister(s, &e->entry, false);
            } else {
                sync__send_service(s, e);
            }
            return true;
        }
    }
    return false;
}

static bool next_check(struct sync *s)
{
    for (struct local_check *e; (e = mu__map_next(&s->local->checks, &s->at));) {
        if (is_due(s, &e->entry)) {
            e->entry.tried = s->pass;
            if (e->entry.deleted) {
                sync__send_deregister(s, &e->entry, true);
            } else {
                sync__send_check(s, e);
            }
            return true;
        }
    }
    return false;
}

static bool next_write(struct sync *s)
{
    if (s->phase == SERVICES) {
        return next_service(s);
    }
    if (s->phase == CHECKS) {
        return next_check(s);
    }
    if (s->phase == NODE && !s->node_in_sync && !s->failed && s->at == 0) {
        s->at = 1;
        sync__send_node(s);
        return true;
    }
    return false;
}

static void end_pass(struct sync *s)
{
    bool full = s->full, again = s->again, dirty = s->dirty, joined = s->joined;
    s->phase = IDLE;
    s->again = s->dirty = s->joined = false;
    if (s->failed) {
        arm_full(s, RETRY_INTERVAL_NS);
    } else if (full) {
        log_debug(MODULE, "Node info and all services and checks are in sync");
        arm_full(s, FULL_INTERVAL_NS * sync_scale(s->members));
    }
    if (again) {
        begin(s, true);
    } else if (dirty && !s->failed) {
        kick(s);
    }
    if (joined) {
        sync_server_joined(s);
    }
}

/* Keeps WINDOW writes under way; a phase is over when all its writes are answered. */
void sync__pump(struct sync *s)
{
    while (s->phase >= SERVICES) {
        while (s->in_flight < WINDOW && next_write(s)) {
        }
        if (s->in_flight) {
            return;
        }
        s->at = 0;
        if (s->phase == NODE) {
            end_pass(s);
            return;
        }
        s->phase++;
    }
}

static void begin_writes(struct sync *s)
{
    s->phase = SERVICES;
    s->began_ns = loop_now_ns();
    s->pass++;
    s->at = 0;
    s->dirty = false;
    sync_group_checks(s->local);
    sync__pump(s);
}

/* ---- Reading ---- */

static void drop_replies(struct sync *s)
{
    mu__free(&mu__malloc_allocator, s->services);
    mu__free(&mu__malloc_allocator, s->checks);
    s->services = NULL;
    s->checks = NULL;
}

static void end_reading(struct sync *s, const char *error)
{
    if (error) {
        if (!s->failed) {
            log_warn(MODULE, "Sync with the catalog failed: error=\"%s\"", error);
        }
        s->failed = true;
    }
    if (--s->in_flight) {
        return;
    }
    if (!s->failed) {
        s->node_in_sync = sync_diff_node(s->config, s->node_id, s->services->node_services.node);
        uint64_t now_ns = loop_now_ns();
        sync_diff_services(s->local, &s->services->node_services.services, now_ns);
        sync_diff_checks(s->local, &s->checks->health_checks, now_ns);
        s->compared_once = true;
    }
    drop_replies(s);
    if (s->failed) {
        end_pass(s);
    } else {
        begin_writes(s);
    }
}

static void on_services(void *arg, const char *error, const void *reply)
{
    struct sync *s = arg;
    if (!error) {
        s->services = mu__schema_clone(catalog_schema(CATALOG_INDEXED_NODE_SERVICE_LIST), reply,
                                       &mu__malloc_allocator);
        error = s->services ? NULL : "out of memory";
    }
    end_reading(s, error);
}

static void on_checks(void *arg, const char *error, const void *reply)
{
    struct sync *s = arg;
    if (!error) {
        s->checks =
            mu__schema_clone(catalog_schema(CATALOG_INDEXED_CHECKS), reply, &mu__malloc_allocator);
        error = s->checks ? NULL : "out of memory";
    }
    end_reading(s, error);
}

static void begin(struct sync *s, bool full)
{
    if (s->phase != IDLE) {
        s->again = s->again || full;
        s->dirty = true;
        return;
    }
    s->full = full;
    s->failed = false;
    if (!full) {
        begin_writes(s);
        return;
    }
    s->phase = READING;
    evtimer_del(s->timer);
    sync__send_read(s, ENDPOINT_CATALOG_NODE_SERVICE_LIST, on_services);
    sync__send_read(s, ENDPOINT_HEALTH_NODE_CHECKS, on_checks);
}

/* ---- Life ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    begin(arg, true);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    begin(arg, false);
}

bool sync_is_idle(const struct sync *s)
{
    return s->phase == IDLE && !evtimer_pending(s->kick, NULL);
}

struct sync *sync_create(const struct sync_config *c)
{
    struct sync *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    *s = (struct sync){.local = c->local, .config = c->config, .node_id = c->node_id};
    mu__prng_seed(&s->prng, c->seed);
    s->caller = core_caller_create(c->core, c->front, c->backend);
    s->timer = evtimer_new(loop_base(c->core), on_timer, s);
    s->kick = evtimer_new(loop_base(c->core), on_kick, s);
    if (!s->caller || !s->timer || !s->kick) {
        sync_destroy(s);
        return NULL;
    }
    return s;
}

void sync_start(struct sync *s)
{
    begin(s, true);
}

void sync_changed(struct sync *s)
{
    if (s->phase != IDLE) {
        s->dirty = true;
    } else if (!evtimer_pending(s->kick, NULL)) {
        kick(s);
    }
}

/* At once the first time, so that a node is in the catalog as soon as there is one; later spread
 * out, since all agents of the cluster see the server at the same moment. A pass that is under way
 * may have been talking to nobody, or to a server that knew less. */
void sync_server_joined(struct sync *s)
{
    if (s->phase == IDLE) {
        arm(s->timer, s->compared_once ? mu__prng_below(&s->prng, SERVER_INTERVAL_NS) : 0);
    } else {
        s->joined = true;
    }
}

void sync_set_cluster_size(struct sync *s, size_t members)
{
    s->members = members;
}

void sync_set_config(struct sync *s, const struct config *config)
{
    s->config = config;
    begin(s, true);
}

void sync_destroy(struct sync *s)
{
    if (!s) {
        return;
    }
    core_caller_close(s->caller);
    sync__drop_flights(s);
    if (s->timer) {
        event_free(s->timer);
    }
    if (s->kick) {
        event_free(s->kick);
    }
    drop_replies(s);
    free(s);
}
