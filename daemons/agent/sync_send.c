/* The calls of anti-entropy: what goes to the catalog about an entry, and what its answer means. */
#include "agent/sync_internal.h"

#include "agent/clone.h"
#include "agent/text.h"
#include "base/log.h"
#include "base/loop.h"

#define MODULE       "agent"
#define MAX_STALE_NS (2 * (int64_t)MU_SEC) /* of what is compared with */

/* What one write was about, to be marked when it is answered. */
struct flight {
    struct sync *sync;
    struct flight *next, **link; /* in the list of the synchronisation */
    bool deregister, is_check;
    struct mu_str id;
    uint64_t version;
    struct mentioned { /* checks that went with the service */
        struct mu_str id;
        uint64_t version;
    } * checks;
    size_t nchecks;
};

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

static void free_flight(struct flight *f)
{
    *f->link = f->next;
    if (f->next) {
        f->next->link = f->link;
    }
    for (size_t i = 0; i < f->nchecks; i++) {
        text_free(f->checks[i].id);
    }
    free(f->checks);
    text_free(f->id);
    free(f);
}

void sync__drop_flights(struct sync *s)
{
    while (s->flights) {
        free_flight(s->flights);
    }
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
        e->synced_ns = loop_now_ns();
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
    const char *kind = f->is_check ? "check" : "service";
    s->in_flight--;
    if (error && !refused) {
        if (!s->failed) { /* one line a pass: a cluster without leader is told of elsewhere, too */
            log_warn(MODULE, "Syncing %s failed: %s=%.*s error=\"%s\"", kind, kind, (int)f->id.len,
                     f->id.p, error);
        }
        s->failed = true;
    } else if (f->deregister && !refused) {
        log_info(MODULE, "Deregistered %s: %s=%.*s", kind, kind, (int)f->id.len, f->id.p);
        forget(s, f);
    } else {
        if (refused) { /* trying again would not help: as good as in sync, until it changes */
            log_warn(MODULE, "Sync blocked by ACLs: id=%.*s error=\"%s\"", (int)f->id.len, f->id.p,
                     error);
        } else if (!f->deregister) {
            s->node_in_sync = true; /* each registration carries the node */
            log_info(MODULE, "Synced %s: %s=%.*s", kind, kind, (int)f->id.len, f->id.p);
        }
        mark(s, f->is_check, f->id, f->version);
        for (size_t i = 0; i < f->nchecks; i++) {
            mark(s, true, f->checks[i].id, f->checks[i].version);
        }
    }
    free_flight(f);
    sync__pump(s);
}

/* ---- Writes ---- */

static struct flight *flight(struct sync *s, const struct local_entry *e, bool is_check)
{
    struct flight *f = calloc(1, sizeof *f);
    if (!f) {
        abort();
    }
    *f = (struct flight){.sync = s,
                         .is_check = is_check,
                         .deregister = e->deleted,
                         .id = text_copy(e->id),
                         .version = e->version,
                         .next = s->flights,
                         .link = &s->flights};
    if (f->next) {
        f->next->link = &f->next;
    }
    s->flights = f;
    return f;
}

/* The request is copied into the call, which leaves this loop. */
static void send_request(struct sync *s, enum endpoint_id id, const void *request,
                         core_call_done_fn done, void *arg)
{
    struct call *call = core_call_create(s->caller, &endpoints[id], done, arg);
    if (!call || !(call->request = clone_into(&call->arena, endpoints[id].request, request))) {
        abort(); /* out of memory, as loop_post */
    }
    s->in_flight++;
    core_call_start(call);
}

void sync__send_deregister(struct sync *s, const struct local_entry *e, bool is_check)
{
    struct catalog_deregister_request r = {
        .datacenter = s->config->datacenter, .node = s->config->node_name, .token = e->token};
    if (is_check) {
        r.check_id = e->id;
    } else {
        r.service_id = e->id;
    }
    send_request(s, ENDPOINT_CATALOG_DEREGISTER, &r, on_written, flight(s, e, is_check));
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
    f->checks[f->nchecks++] = (struct mentioned){text_copy(c->entry.id), c->entry.version};
}

static void settled(struct local_check *c)
{
    if (c->defer) {
        evtimer_del(c->defer); /* its output goes with this */
    }
}

void sync__send_service(struct sync *s, struct local_service *service)
{
    struct flight *f = flight(s, &service->entry, false);
    struct catalog_register_request r = node_request(s);
    size_t cap = 0;
    r.service = service->service;
    r.token = service->entry.token;
    for (struct local_check *c = service->sync_checks; c; c = c->sync_next) {
        if (!c->entry.deleted && !c->entry.in_sync &&
            mu__str_eq(c->entry.token, service->entry.token) &&
            mu__str_eq(c->check->service_id, service->entry.id)) {
            take_along(f, &r.checks, &cap, c);
            settled(c);
            c->entry.tried = s->pass;
        }
    }
    send_request(s, ENDPOINT_CATALOG_REGISTER, &r, on_written, f);
    free(r.checks.items);
}

void sync__send_check(struct sync *s, struct local_check *c)
{
    struct catalog_register_request r = node_request(s);
    const struct local_service *service = local_service(s->local, c->check->service_id);
    r.check = c->check;
    r.token = c->entry.token;
    r.service = service ? service->service : NULL;
    settled(c);
    send_request(s, ENDPOINT_CATALOG_REGISTER, &r, on_written, flight(s, &c->entry, true));
}

static void on_node_written(void *arg, const char *error, const void *reply)
{
    struct sync *s = arg;
    (void)reply;
    s->in_flight--;
    s->failed = s->failed || (error && !is_refusal(error));
    s->node_in_sync = !error || is_refusal(error);
    sync__pump(s);
}

void sync__send_node(struct sync *s)
{
    const struct catalog_register_request r = node_request(s);
    send_request(s, ENDPOINT_CATALOG_REGISTER, &r, on_node_written, s);
}

void sync__send_read(struct sync *s, enum endpoint_id id, core_call_done_fn done)
{
    const struct catalog_node_request r = {
        .datacenter = s->config->datacenter,
        .node = s->config->node_name,
        .options = {.allow_stale = true, .max_stale_duration_ns = MAX_STALE_NS},
    };
    send_request(s, id, &r, done, s);
}
