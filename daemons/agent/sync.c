#include "agent/sync.h"

#include "agent/sync_diff.h"
#include "base/log.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define MODULE              "agent"
#define FULL_INTERVAL_NS    (60 * MU_SEC)
#define RETRY_INTERVAL_NS   (15 * MU_SEC)
#define SERVER_INTERVAL_NS  (3 * MU_SEC)
#define COALESCE_NS         (2 * MU_MSEC)
#define WINDOW              16 /* writes under way at a time */
#define MAX_STALE_NS        (2 * (int64_t)MU_SEC)

/* One pass reads (unless it only carries changes), then registers services with their checks, then single checks, then
 * the node if that is all there is to say. */
enum phase { IDLE, READING, SERVICES, CHECKS, NODE };

struct sync {
    struct local *local;
    const struct config *config;
    struct mu_str node_id;
    struct core_caller *caller;
    struct mu__prng prng;
    struct event *timer; /* the next comparison */
    struct event *kick;  /* changes, after a moment in which more may come */
    enum phase phase;
    uint64_t pass;      /* its number; an entry is tried once a pass */
    bool full;          /* this pass compares */
    bool again, dirty;  /* meanwhile another comparison, or sending of changes, was asked for */
    bool failed;        /* something of this pass is to be tried later */
    bool node_in_sync;
    bool compared_once;
    size_t at;          /* how far the walk of the phase is */
    unsigned in_flight;
    size_t members;
    /* READING */
    struct catalog_indexed_node_service_list *services; /* copies */
    struct catalog_indexed_checks *checks;
};

/* What one write was about, to be marked when it is answered. */
struct flight {
    struct sync *sync;
    bool deregister, is_check;
    struct mu_str id;
    uint64_t version;
    struct mentioned { /* checks that went with the service */
        struct mu_str id;
        uint64_t version;
    } *checks;
    size_t nchecks;
};

static void begin(struct sync *s, bool full);
static void pump(struct sync *s);

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
    struct timeval tv = {.tv_sec = (time_t)(after_ns / MU_SEC), .tv_usec = (suseconds_t)(after_ns % MU_SEC / MU_USEC)};
    event_add(e, &tv);
}

static void arm_full(struct sync *s, uint64_t interval)
{
    arm(s->timer, interval + mu__prng_below(&s->prng, interval));
}

/* ---- Requests ---- */

static void *arena_alloc(void *user, size_t size)
{
    return mu__arena_alloc(user, size);
}

static void arena_free(void *user, void *p)
{
    (void)user, (void)p;
}

/* Copies request into the call, which leaves this loop. False when out of memory. */
static bool set_request(struct call *call, const struct mu__schema *schema, const void *request)
{
    const struct mu_allocator in_arena = {&call->arena, arena_alloc, NULL, arena_free};
    void *copy = mu__schema_clone(schema, request, &in_arena);
    if (copy) {
        call->request = copy;
    }
    return copy != NULL;
}

static struct catalog_register_request node_request(const struct sync *s)
{
    const struct config *c = s->config;
    return (struct catalog_register_request){
        .datacenter = c->datacenter,
        .id = s->node_id,
        .node = c->node_name,
        .address = c->advertise_addr,
        .tagged_addresses = c->tagged_addresses,
        .node_meta = c->node_meta,
        .skip_node_update = s->node_in_sync,
    };
}

/* ---- Answers to writes ---- */

static void free_text(struct mu_str s)
{
    free((void *)(uintptr_t)s.p);
}

static struct mu_str copy_text(struct mu_str s)
{
    char *p = malloc(s.len + 1);
    if (!p) {
        abort();
    }
    if (s.len) {
        memcpy(p, s.p, s.len);
    }
    p[s.len] = 0;
    return (struct mu_str){p, s.len};
}

static void free_flight(struct flight *f)
{
    for (size_t i = 0; i < f->nchecks; i++) {
        free_text(f->checks[i].id);
    }
    free(f->checks);
    free_text(f->id);
    free(f);
}

static struct local_entry *find(const struct sync *s, bool is_check, struct mu_str id)
{
    const struct mu__map *m = is_check ? &s->local->checks : &s->local->services;
    return mu__map_get(m, id.p, id.len); /* the entry is the first member of both */
}

static void mark(struct sync *s, bool is_check, struct mu_str id, uint64_t version)
{
    struct local_entry *e = find(s, is_check, id);
    if (e && e->version == version) {
        e->in_sync = true;
    }
}

static void forget(struct sync *s, const struct flight *f)
{
    struct local_entry *e = find(s, f->is_check, f->id);
    if (!e || !e->deleted || e->version != f->version) {
        return;
    }
    if (f->is_check) {
        local_forget_check(s->local, mu__map_get(&s->local->checks, f->id.p, f->id.len));
    } else {
        local_forget_service(s->local, mu__map_get(&s->local->services, f->id.p, f->id.len));
    }
}

static bool is_refusal(const char *error)
{
    return strstr(error, "Permission denied") || strstr(error, "ACL not found");
}

static void on_written(void *arg, const char *error, const void *reply)
{
    struct flight *f = arg;
    struct sync *s = f->sync;
    (void)reply;
    bool refused = error && is_refusal(error);
    s->in_flight--;
    if (error && !refused) {
        if (!s->failed) { /* one line a pass: a cluster without leader is told of elsewhere, too */
            log_warn(MODULE, "Syncing %s failed: %s=%.*s error=\"%s\"", f->is_check ? "check" : "service",
                     f->is_check ? "check" : "service", (int)f->id.len, f->id.p, error);
        }
        s->failed = true;
    } else if (f->deregister && !refused) {
        forget(s, f);
    } else {
        if (refused) { /* trying again would not help: as good as in sync, until it changes */
            log_warn(MODULE, "Sync blocked by ACLs: id=%.*s error=\"%s\"", (int)f->id.len, f->id.p, error);
        } else if (!f->deregister) {
            s->node_in_sync = true; /* each registration carries the node */
        }
        mark(s, f->is_check, f->id, f->version);
        for (size_t i = 0; i < f->nchecks; i++) {
            mark(s, true, f->checks[i].id, f->checks[i].version);
        }
    }
    free_flight(f);
    pump(s);
}

/* ---- Writes ---- */

static struct flight *flight(struct sync *s, const struct local_entry *e, bool is_check)
{
    struct flight *f = calloc(1, sizeof *f);
    if (!f) {
        abort();
    }
    *f = (struct flight){.sync = s, .is_check = is_check, .deregister = e->deleted, .id = copy_text(e->id), .version = e->version};
    return f;
}

static void send_request(struct sync *s, struct flight *f, enum endpoint_id id, const void *request)
{
    struct call *call = core_call_create(s->caller, &endpoints[id], on_written, f);
    if (!call || !set_request(call, endpoints[id].request, request)) {
        abort(); /* out of memory, as loop_post */
    }
    s->in_flight++;
    core_call_start(call);
}

static void send_deregister(struct sync *s, const struct local_entry *e, bool is_check)
{
    struct catalog_deregister_request r = {
        .datacenter = s->config->datacenter, .node = s->config->node_name, .token = e->token};
    if (is_check) {
        r.check_id = e->id;
    } else {
        r.service_id = e->id;
    }
    send_request(s, flight(s, e, is_check), ENDPOINT_CATALOG_DEREGISTER, &r);
}

static void take_along(struct flight *f, struct mu_list *list, size_t *cap, struct local_check *c)
{
    if (list->len == *cap) {
        *cap = *cap ? 2 * *cap : 4;
        list->items = realloc(list->items, *cap * sizeof *list->items);
        f->checks = realloc(f->checks, *cap * sizeof *f->checks);
        if (!list->items || !f->checks) {
            abort();
        }
    }
    list->items[list->len++] = c->check;
    f->checks[f->nchecks++] = (struct mentioned){copy_text(c->entry.id), c->entry.version};
}

static void settled(struct local_check *c)
{
    if (c->defer) {
        evtimer_del(c->defer); /* its output goes with this */
    }
}

static void send_service(struct sync *s, struct local_service *service)
{
    struct flight *f = flight(s, &service->entry, false);
    struct catalog_register_request r = node_request(s);
    size_t cap = 0;
    r.service = service->service;
    r.token = service->entry.token;
    for (struct local_check *c = service->sync_checks; c; c = c->sync_next) {
        if (!c->entry.deleted && !c->entry.in_sync && mu__str_eq(c->entry.token, service->entry.token) &&
            mu__str_eq(c->check->service_id, service->entry.id)) {
            take_along(f, &r.checks, &cap, c);
            settled(c);
            c->entry.tried = s->pass;
        }
    }
    send_request(s, f, ENDPOINT_CATALOG_REGISTER, &r);
    free(r.checks.items);
}

static void send_check(struct sync *s, struct local_check *c)
{
    struct catalog_register_request r = node_request(s);
    const struct local_service *service = local_service(s->local, c->check->service_id);
    r.check = c->check;
    r.token = c->entry.token;
    r.service = service ? service->service : NULL;
    settled(c);
    send_request(s, flight(s, &c->entry, true), ENDPOINT_CATALOG_REGISTER, &r);
}

static void on_node_written(void *arg, const char *error, const void *reply)
{
    struct sync *s = arg;
    (void)reply;
    s->in_flight--;
    s->failed = s->failed || (error && !is_refusal(error));
    s->node_in_sync = !error || is_refusal(error);
    pump(s);
}

static void send_node(struct sync *s)
{
    const struct catalog_register_request r = node_request(s);
    struct call *call = core_call_create(s->caller, &endpoints[ENDPOINT_CATALOG_REGISTER], on_node_written, s);
    if (!call || !set_request(call, call->endpoint->request, &r)) {
        abort();
    }
    s->in_flight++;
    core_call_start(call);
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
                send_deregister(s, &e->entry, false);
            } else {
                send_service(s, e);
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
                send_deregister(s, &e->entry, true);
            } else {
                send_check(s, e);
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
        send_node(s);
        return true;
    }
    return false;
}

static void end_pass(struct sync *s)
{
    bool full = s->full, again = s->again, dirty = s->dirty;
    s->phase = IDLE;
    s->again = s->dirty = false;
    if (s->failed) {
        arm_full(s, RETRY_INTERVAL_NS);
    } else if (full) {
        log_debug(MODULE, "Node info and all services and checks are in sync");
        arm_full(s, FULL_INTERVAL_NS * sync_scale(s->members));
    }
    if (again) {
        begin(s, true);
    } else if (dirty && !s->failed) {
        arm(s->kick, COALESCE_NS);
    }
}

/* Keeps WINDOW writes under way; a phase is over when all its writes are answered. */
static void pump(struct sync *s)
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
    s->pass++;
    s->at = 0;
    s->dirty = false;
    sync_group_checks(s->local);
    pump(s);
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
        sync_diff_services(s->local, &s->services->node_services.services);
        sync_diff_checks(s->local, &s->checks->health_checks);
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
        s->services = mu__schema_clone(catalog_schema(CATALOG_INDEXED_NODE_SERVICE_LIST), reply, &mu__malloc_allocator);
        error = s->services ? NULL : "out of memory";
    }
    end_reading(s, error);
}

static void on_checks(void *arg, const char *error, const void *reply)
{
    struct sync *s = arg;
    if (!error) {
        s->checks = mu__schema_clone(catalog_schema(CATALOG_INDEXED_CHECKS), reply, &mu__malloc_allocator);
        error = s->checks ? NULL : "out of memory";
    }
    end_reading(s, error);
}

static void send_read(struct sync *s, enum endpoint_id id, core_call_done_fn done)
{
    const struct catalog_node_request r = {
        .datacenter = s->config->datacenter,
        .node = s->config->node_name,
        .options = {.allow_stale = true, .max_stale_duration_ns = MAX_STALE_NS},
    };
    struct call *call = core_call_create(s->caller, &endpoints[id], done, s);
    if (!call || !set_request(call, endpoints[id].request, &r)) {
        abort();
    }
    s->in_flight++;
    core_call_start(call);
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
    send_read(s, ENDPOINT_CATALOG_NODE_SERVICE_LIST, on_services);
    send_read(s, ENDPOINT_HEALTH_NODE_CHECKS, on_checks);
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
        arm(s->kick, COALESCE_NS);
    }
}

/* At once the first time, so that a node is in the catalog as soon as there is one; later spread out, since all agents
 * of the cluster see the server at the same moment. */
void sync_server_joined(struct sync *s)
{
    if (s->phase == IDLE) {
        arm(s->timer, s->compared_once ? mu__prng_below(&s->prng, SERVER_INTERVAL_NS) : 0);
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
    if (s->timer) {
        event_free(s->timer);
    }
    if (s->kick) {
        event_free(s->kick);
    }
    drop_replies(s);
    free(s);
}
