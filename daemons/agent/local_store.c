/* What is registered through the API, in files of the data folder and back, in Consul's form:
 *
 *     services/<md5>      {"Token", "Service", "Source", "LocallyRegisteredAsSidecar"}; the last if
 * true checks/<md5>        {"Check", "ChkType", "Token", "Source"}; ChkType null for maintenance
 *     checks/state/<md5>  {"CheckID", "Output", "Status", "Expires"}: TTL checks; Expires is in
 *                         Unix seconds */
#include "agent/local_internal.h"

#include "agent/definitions.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"

#include <stddef.h>
#include <stdio.h>

#define MODULE          "agent"
#define ARENA_LIMIT     (16u << 20) /* of one file, decoded */
#define STATES_GAP_NS   MU_SEC      /* from one writing of states to the next */
#define STATES_AT_ONCE  200u
#define STATES_PAUSE_NS (10 * MU_MSEC)

/* ---- The forms ---- */

struct service_file {
    struct mu_str token;
    struct catalog_node_service *service;
    struct mu_str source;
    bool sidecar;
};

struct check_file {
    struct catalog_check *check;
    struct catalog_check_type *type;
    struct mu_str token, source;
};

struct state_file {
    struct mu_str check_id, output, status;
    int64_t expires_unix_s;
};

/* The catalog gives its tables at run time, so these are put together where they are used. */
#define FIELD(of, text, kind_, member, sub_)                                                       \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_, .offset = offsetof(struct of, member), .sub = (sub_)   \
    }
#define WITH_SCHEMA(of, name_, ...)                                                                \
    const struct mu__field fields[] = {__VA_ARGS__};                                               \
    const struct mu__schema schema = {.name = (name_),                                             \
                                      .fields = fields,                                            \
                                      .nfields = sizeof fields / sizeof *fields,                   \
                                      .size = sizeof(struct of)}

#define SERVICE_FILE                                                                               \
    WITH_SCHEMA(                                                                                   \
        service_file, "persistedService", FIELD(service_file, "Token", STR, token, NULL),          \
        FIELD(service_file, "Service", PTR, service, catalog_schema(CATALOG_NODE_SERVICE)),        \
        FIELD(service_file, "Source", STR, source, NULL),                                          \
        {.name = "LocallyRegisteredAsSidecar",                                                     \
         .kind = MU_BOOL,                                                                          \
         .flags = MU_F_OMIT_EMPTY,                                                                 \
         .offset = offsetof(struct service_file, sidecar)})
#define CHECK_FILE                                                                                 \
    WITH_SCHEMA(check_file, "persistedCheck",                                                      \
                FIELD(check_file, "Check", PTR, check, catalog_schema(CATALOG_CHECK)),             \
                FIELD(check_file, "ChkType", PTR, type, catalog_schema(CATALOG_CHECK_TYPE)),       \
                FIELD(check_file, "Token", STR, token, NULL),                                      \
                FIELD(check_file, "Source", STR, source, NULL))
#define STATE_FILE                                                                                 \
    WITH_SCHEMA(state_file, "persistedCheckState",                                                 \
                FIELD(state_file, "CheckID", STR, check_id, NULL),                                 \
                FIELD(state_file, "Output", STR, output, NULL),                                    \
                FIELD(state_file, "Status", STR, status, NULL),                                    \
                FIELD(state_file, "Expires", INT, expires_unix_s, NULL))

/* ---- Writing ---- */

static void save(struct local *l, enum persist_folder folder, struct mu_str id,
                 const struct mu__schema *schema, const void *obj, bool durable)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    mu__json_value(&j, schema, obj);
    if (w.failed) {
        log_error(MODULE, "out of memory: %.*s is not written to disk", (int)id.len, id.p);
        mu__writer_fini(&w);
        return;
    }
    /* Takes the writer's memory */
    persist_write(l->persist, folder, id, (char *)w.data, w.len, durable);
}

void local__save_service(struct local *l, const struct local_service *s)
{
    if (l->persist) {
        SERVICE_FILE;
        const struct service_file f = {s->entry.token, s->service, mu__cstr("remote"),
                                       s->service->locally_registered_as_sidecar};
        save(l, PERSIST_SERVICES, s->entry.id, &schema, &f, true);
    }
}

void local__save_check(struct local *l, const struct local_check *c)
{
    if (l->persist) {
        CHECK_FILE;
        const struct check_file f = {c->check, c->type, c->entry.token, mu__cstr("remote")};
        save(l, PERSIST_CHECKS, c->entry.id, &schema, &f, true);
    }
}

/* Not durable: a report lost in a crash costs a check that is critical until the next one. */
static void write_state(struct local *l, const struct local_check *c)
{
    if (c->runner && check_is_ttl(c->runner)) {
        STATE_FILE;
        int64_t left_ns = (int64_t)(check_ttl_deadline(c->runner) - loop_now_ns());
        const struct state_file f = {c->entry.id, c->check->output, c->check->status,
                                     (loop_now_unix_ns() + left_ns) / (int64_t)MU_SEC};
        save(l, PERSIST_CHECK_STATES, c->entry.id, &schema, &f, false);
    }
}

void local__leave_unsaved(struct local_check *c)
{
    if (c->unsaved_link) {
        *c->unsaved_link = c->unsaved_next;
        if (c->unsaved_next) {
            c->unsaved_next->unsaved_link = c->unsaved_link;
        }
        c->unsaved_link = NULL;
    }
}

void local__write_states(struct local *l, size_t max)
{
    for (struct local_check *c; max && (c = l->unsaved); max--) {
        local__leave_unsaved(c);
        write_state(l, c);
    }
}

static void arm_save(struct local *l, uint64_t after_ns)
{
    const struct timeval tv = {.tv_sec = (time_t)(after_ns / MU_SEC),
                               .tv_usec = (suseconds_t)(after_ns % MU_SEC / MU_USEC)};
    evtimer_add(l->save, &tv);
}

/* Thousands are written in portions: the core loop has other things to do in between. */
void local__on_save(evutil_socket_t fd, short what, void *arg)
{
    struct local *l = arg;
    (void)fd, (void)what;
    l->saved_ns = loop_now_ns();
    local__write_states(l, STATES_AT_ONCE);
    if (l->unsaved) {
        arm_save(l, STATES_PAUSE_NS);
    }
}

/* The first report after a quiet moment is written at once; of those that follow, all that there
 * are a second later. */
void local__save_state(struct local *l, struct local_check *c)
{
    if (!l->persist || !l->save || c->unsaved_link) {
        return;
    }
    c->unsaved_next = l->unsaved;
    c->unsaved_link = &l->unsaved;
    if (c->unsaved_next) {
        c->unsaved_next->unsaved_link = &c->unsaved_next;
    }
    l->unsaved = c;
    if (!evtimer_pending(l->save, NULL)) {
        uint64_t due = l->saved_ns + STATES_GAP_NS, now = loop_now_ns();
        arm_save(l, due > now ? due - now : 0);
    }
}

/* ---- Reading ---- */

static bool decode(const struct mu__schema *schema, const char *text, size_t len,
                   struct mu__arena *a, void *out, char *err, size_t errlen)
{
    mu__arena_init(a, NULL, ARENA_LIMIT);
    return json_decode(schema, text, len, a, out, err, errlen);
}

static bool load_service(void *arg, const char *text, size_t len, char *err, size_t errlen)
{
    SERVICE_FILE;
    struct local *l = arg;
    struct service_file f = {.service = NULL};
    struct mu__arena a;
    bool ok = decode(&schema, text, len, &a, &f, err, errlen);
    if (ok && (!f.service || !f.service->id.len || !f.service->service.len)) {
        snprintf(err, errlen, "it holds no service");
        ok = false;
    }
    if (ok && local_service(l, f.service->id)) {
        log_info(MODULE, "service %.*s is defined in a configuration file now",
                 (int)f.service->id.len, f.service->id.p);
        persist_remove(l->persist, PERSIST_SERVICES, f.service->id);
    } else if (ok) {
        f.service->locally_registered_as_sidecar = f.sidecar;
        local__put_service(l, f.service, f.token, SOURCE_REMOTE);
    }
    mu__arena_fini(&a);
    return ok;
}

/* A check whose service is gone, or that may not run any more, goes too. */
static const char *obsolete(const struct local *l, const struct check_file *f)
{
    if (local_check(l, f->check->check_id)) {
        return "is defined in a configuration file now";
    }
    if (f->check->service_id.len && !local_service(l, f->check->service_id)) {
        return "belongs to a service that is not registered";
    }
    if (f->type && f->type->script_args.len && !l->config->enable_script_checks) {
        return "is a script, which enable_script_checks does not allow any more";
    }
    return NULL;
}

static bool load_check(void *arg, const char *text, size_t len, char *err, size_t errlen)
{
    CHECK_FILE;
    struct local *l = arg;
    struct check_file f = {.check = NULL};
    struct mu__arena a;
    bool ok = decode(&schema, text, len, &a, &f, err, errlen);
    if (ok && (!f.check || !f.check->check_id.len)) {
        snprintf(err, errlen, "it holds no check");
        ok = false;
    }
    const char *why = ok ? obsolete(l, &f) : NULL;
    if (why) {
        log_warn(MODULE, "check %.*s %s", (int)f.check->check_id.len, f.check->check_id.p, why);
        persist_remove(l->persist, PERSIST_CHECKS, f.check->check_id);
    } else if (ok) {
        f.check->node = l->node;
        /* Nobody has looked since; a TTL check's own report may say better */
        f.check->status = mu__cstr("critical");
        local__put_check(l, f.check, f.type, f.token, SOURCE_REMOTE);
    }
    mu__arena_fini(&a);
    return ok;
}

static bool load_state(void *arg, const char *text, size_t len, char *err, size_t errlen)
{
    STATE_FILE;
    struct local *l = arg;
    struct state_file f = {.expires_unix_s = 0};
    struct mu__arena a;
    bool ok = decode(&schema, text, len, &a, &f, err, errlen);
    struct local_check *c = ok ? local_check(l, f.check_id) : NULL;
    int64_t left_s = f.expires_unix_s - loop_now_unix_ns() / (int64_t)MU_SEC;
    bool ttl = c && c->type && c->type->ttl_ns > 0;
    if (ttl && left_s > 0 && left_s <= c->type->ttl_ns / (int64_t)MU_SEC + 1 &&
        definition_is_status(f.status)) {
        c->ttl_deadline_ns = loop_now_ns() + (uint64_t)left_s * MU_SEC;
        local__set_status(c, check_status_parse(f.status), f.output);
    } else if (ok) {
        persist_remove(l->persist, PERSIST_CHECK_STATES, f.check_id);
    }
    mu__arena_fini(&a);
    return ok;
}

void local_restore(struct local *l)
{
    persist_load(l->persist, PERSIST_SERVICES, load_service, l);
    persist_load(l->persist, PERSIST_CHECKS, load_check, l);
    persist_load(l->persist, PERSIST_CHECK_STATES, load_state, l);
}
