#include "plan.h"

#include "alloc.h"
#include "schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS     (5 * MU_SEC) /* times the square of the failures, */
#define RETRY_MAX_NS (180 * MU_SEC)
#define PARAMS_MAX   32u
#define TARGET_MAX   4096u

/* The parameters of a watch; what nobody takes is a mistake. */
struct watch__params {
    const json_t *all;
    const char *taken[PARAMS_MAX];
    size_t ntaken;
};

bool watch__refuse(char *err, size_t errlen, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(err, errlen, fmt, args);
    va_end(args);
    return false;
}

struct mu_str watch__copy(struct watch_plan *p, const char *text)
{
    size_t len = strlen(text);
    char *copy = mu__arena_strndup(&p->arena, text, len);
    if (!copy) {
        abort(); /* out of memory while starting */
    }
    return (struct mu_str){copy, len};
}

json_t *watch__take(struct watch__params *params, const char *name)
{
    json_t *v = json_object_get(params->all, name);
    if (v && params->ntaken < PARAMS_MAX) {
        params->taken[params->ntaken++] = name;
    }
    return v;
}

bool watch__text(struct watch_plan *p, struct watch__params *params, const char *name,
                 struct mu_str *out, char *err, size_t errlen)
{
    const json_t *v = watch__take(params, name);
    *out = mu__cstr("");
    if (!v) {
        return true;
    }
    if (!json_is_string(v)) {
        return watch__refuse(err, errlen, "Expecting %s to be a string", name);
    }
    *out = watch__copy(p, json_string_value(v));
    return true;
}

static bool flag(struct watch__params *params, const char *name, bool *out, char *err,
                 size_t errlen)
{
    const json_t *v = watch__take(params, name);
    *out = json_is_true(v);
    return !v || json_is_boolean(v) ||
           watch__refuse(err, errlen, "Expecting %s to be a boolean", name);
}

/* ---- Targets ---- */

struct target {
    char text[TARGET_MAX];
    size_t len;
    char join; /* what stands before the next parameter */
};

static void put(struct target *t, const char *text)
{
    int n = snprintf(t->text + t->len, sizeof t->text - t->len, "%s", text);
    t->len += n > 0 ? mu__min((size_t)n, sizeof t->text - 1 - t->len) : 0;
}

static void put_escaped(struct target *t, struct mu_str s, bool slashes)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (size_t i = 0; i < s.len; i++) {
        char piece[4] = {s.p[i], 0};
        if (!strchr(plain, s.p[i]) && !(slashes && s.p[i] == '/')) {
            snprintf(piece, sizeof piece, "%%%02X", (unsigned char)s.p[i]);
        }
        put(t, piece);
    }
}

static void query(struct target *t, const char *name, struct mu_str value)
{
    const char join[2] = {t->join, 0};
    put(t, join);
    put(t, name);
    if (value.len) {
        put(t, "=");
        put_escaped(t, value, false);
    }
    t->join = '&';
}

/* One parameter that must be there. */
static bool needed(struct watch_plan *p, struct watch__params *params, struct target *t,
                   const char *name, const char *path, char *err, size_t errlen)
{
    struct mu_str v;
    if (!watch__text(p, params, name, &v, err, errlen)) {
        return false;
    }
    if (!v.len) {
        return watch__refuse(err, errlen, "Must specify a single %s to watch", name);
    }
    put(t, path);
    put_escaped(t, v, true);
    return true;
}

static bool tags(struct watch_plan *p, const json_t *v, struct target *t, char *err, size_t errlen)
{
    size_t i;
    json_t *item;
    if (json_is_string(v)) {
        query(t, "tag", watch__copy(p, json_string_value(v)));
        return true;
    }
    if (v && !json_is_array(v)) {
        return watch__refuse(err, errlen, "Expecting tag to be a string or []string");
    }
    json_array_foreach(v, i, item)
    {
        if (!json_is_string(item)) {
            return watch__refuse(err, errlen, "Expecting tag to be a string or []string");
        }
        query(t, "tag", watch__copy(p, json_string_value(item)));
    }
    return true;
}

static bool service(struct watch_plan *p, struct watch__params *params, struct target *t, char *err,
                    size_t errlen)
{
    bool passing;
    if (!needed(p, params, t, "service", "/v1/health/service/", err, errlen) ||
        !tags(p, watch__take(params, "tag"), t, err, errlen) ||
        !flag(params, "passingonly", &passing, err, errlen)) {
        return false;
    }
    if (passing) {
        query(t, "passing", mu__cstr("1"));
    }
    return true;
}

static bool checks(struct watch_plan *p, struct watch__params *params, struct target *t, char *err,
                   size_t errlen)
{
    struct mu_str name, state;
    if (!watch__text(p, params, "service", &name, err, errlen) ||
        !watch__text(p, params, "state", &state, err, errlen)) {
        return false;
    }
    if (name.len && state.len) {
        return watch__refuse(err, errlen, "Cannot specify service and state");
    }
    put(t, name.len ? "/v1/health/checks/" : "/v1/health/state/");
    put_escaped(t, name.len ? name : state.len ? state : mu__cstr("any"), true);
    return true;
}

static bool event(struct watch_plan *p, struct watch__params *params, struct target *t, char *err,
                  size_t errlen)
{
    struct mu_str name;
    if (!watch__text(p, params, "name", &name, err, errlen)) {
        return false;
    }
    put(t, "/v1/event/list");
    if (name.len) {
        query(t, "name", name);
    }
    return true;
}

static bool agent_service(struct watch_plan *p, struct watch__params *params, struct target *t,
                          char *err, size_t errlen)
{
    struct mu_str id;
    if (!watch__text(p, params, "service_id", &id, err, errlen)) {
        return false;
    }
    put(t, "/v1/agent/service/");
    put_escaped(t, id, true);
    return true;
}

static const struct {
    const char *name;
    enum watch_type type;
    bool takes_stale;
} types[] = {
    {"key", WATCH_KEY, true},           {"keyprefix", WATCH_KEYPREFIX, true},
    {"services", WATCH_SERVICES, true}, {"nodes", WATCH_NODES, true},
    {"service", WATCH_SERVICE, true},   {"checks", WATCH_CHECKS, true},
    {"event", WATCH_EVENT, false},      {"agent_service", WATCH_AGENT_SERVICE, false},
};
#define NTYPES (sizeof types / sizeof *types)

static bool subject(struct watch_plan *p, struct watch__params *params, struct target *t, char *err,
                    size_t errlen)
{
    switch (p->type) {
    case WATCH_KEY:
        return needed(p, params, t, "key", "/v1/kv/", err, errlen);
    case WATCH_KEYPREFIX:
        if (!needed(p, params, t, "prefix", "/v1/kv/", err, errlen)) {
            return false;
        }
        query(t, "recurse", mu__cstr(""));
        return true;
    case WATCH_SERVICES:
        put(t, "/v1/catalog/services");
        return true;
    case WATCH_NODES:
        put(t, "/v1/catalog/nodes");
        return true;
    case WATCH_SERVICE:
        return service(p, params, t, err, errlen);
    case WATCH_CHECKS:
        return checks(p, params, t, err, errlen);
    case WATCH_EVENT:
        return event(p, params, t, err, errlen);
    case WATCH_AGENT_SERVICE:
        return agent_service(p, params, t, err, errlen);
    }
    return false;
}

static bool read_target(struct watch_plan *p, struct watch__params *params, bool takes_stale,
                        char *err, size_t errlen)
{
    struct target t = {.join = '?'};
    struct mu_str dc;
    bool stale = false;
    if (!watch__text(p, params, "datacenter", &dc, err, errlen) ||
        !subject(p, params, &t, err, errlen) ||
        (takes_stale && !flag(params, "stale", &stale, err, errlen))) {
        return false;
    }
    if (dc.len) {
        query(&t, "dc", dc);
    }
    if (stale) {
        query(&t, "stale", mu__cstr(""));
    }
    if (t.len + 64 >= sizeof t.text) {
        return watch__refuse(err, errlen, "the names to watch are too long");
    }
    p->target = watch__copy(p, t.text);
    return true;
}

/* ---- The whole ---- */

static bool not_for_cli(const struct watch_plan *p, char *err, size_t errlen)
{
    return watch__refuse(err, errlen, "Type %.64s is not supported in the CLI tool",
                         p->type_name.p);
}

static bool read_type(struct watch_plan *p, struct watch__params *params, enum watch_from from,
                      size_t *at, char *err, size_t errlen)
{
    if (!watch__text(p, params, "type", &p->type_name, err, errlen)) {
        return false;
    }
    if (!p->type_name.len) {
        return watch__refuse(err, errlen, "Watch type must be specified");
    }
    if (from == WATCH_FROM_FILE && !strncmp(p->type_name.p, "connect_", 8)) {
        return watch__refuse(err, errlen, "Watch type %s is not allowed in agent config",
                             p->type_name.p);
    }
    for (*at = 0; *at < NTYPES; ++*at) {
        if (!strcmp(types[*at].name, p->type_name.p)) {
            p->type = types[*at].type;
            break;
        }
    }
    if (from == WATCH_FROM_CLI && !strncmp(p->type_name.p, "connect_", 8)) {
        return not_for_cli(p, err, errlen);
    }
    return *at < NTYPES ||
           watch__refuse(err, errlen, "Unsupported watch type: %.64s", p->type_name.p);
}

static bool is_taken(const struct watch__params *params, const char *name)
{
    for (size_t i = 0; i < params->ntaken; i++) {
        if (!strcmp(params->taken[i], name)) {
            return true;
        }
    }
    return false;
}

static bool refuse_rest(const struct watch__params *params, char *err, size_t errlen)
{
    char names[256] = "";
    const char *name;
    json_t *v;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): it is only walked. */
    json_object_foreach((json_t *)(uintptr_t)params->all, name, v)
    {
        if (!is_taken(params, name)) {
            size_t n = strlen(names);
            snprintf(names + n, sizeof names - n, "%s%s", n ? " " : "", name);
        }
    }
    return !names[0] || watch__refuse(err, errlen, "Invalid parameters: [%s]", names);
}

static bool read_all(struct watch_plan *p, const json_t *object, enum watch_from from, char *err,
                     size_t errlen)
{
    struct watch__params params = {.all = object};
    size_t type = 0;
    return read_type(p, &params, from, &type, err, errlen) &&
           watch__text(p, &params, "token", &p->token, err, errlen) &&
           watch__read_handler(p, &params, from, err, errlen) &&
           read_target(p, &params, types[type].takes_stale, err, errlen) &&
           refuse_rest(&params, err, errlen) &&
           (from != WATCH_FROM_CLI || p->type != WATCH_AGENT_SERVICE ||
            not_for_cli(p, err, errlen));
}

struct watch_plan *watch_plan_create(const json_t *params, enum watch_from from, char *err,
                                     size_t errlen)
{
    struct watch_plan *p = calloc(1, sizeof *p);
    if (!p) {
        abort();
    }
    mu__arena_init(&p->arena, NULL, 0);
    if (read_all(p, params, from, err, errlen)) {
        return p;
    }
    watch_plan_destroy(p);
    return NULL;
}

void watch_plan_destroy(struct watch_plan *p)
{
    if (p) {
        if (p->token.len) {
            /* NOLINTNEXTLINE(performance-no-int-to-ptr): ours, though readers see it as const. */
            mu__wipe((char *)(uintptr_t)p->token.p, p->token.len);
        }
        mu__arena_fini(&p->arena);
        free(p);
    }
}

/* ---- Steps ---- */

void watch_place_fini(struct watch_place *s)
{
    free(s->last);
    *s = (struct watch_place){.has_index = false};
}

bool watch_target(const struct watch_plan *p, const struct watch_place *s, char *buf, size_t cap)
{
    const char *join = strchr(p->target.p, '?') ? "&" : "?";
    int n;
    if (s->hash[0]) {
        n = snprintf(buf, cap, "%s%shash=%s", p->target.p, join, s->hash);
    } else if (s->has_index && s->index) {
        n = snprintf(buf, cap, "%s%sindex=%" PRIu64, p->target.p, join, s->index);
    } else {
        n = snprintf(buf, cap, "%s", p->target.p);
    }
    return n > 0 && (size_t)n < cap;
}

/* Is this where the watch stands already? */
static bool is_same(const struct watch_place *s, uint64_t index, const char *hash)
{
    return hash[0] ? !strcmp(s->hash, hash) : s->has_index && s->index == index;
}

bool watch_answered(struct watch_place *s, uint64_t index, const char *hash, const char *payload)
{
    bool had = s->has_index || s->hash[0];
    s->failures = 0;
    if (had && is_same(s, index, hash)) {
        return false;
    }
    if (hash[0]) {
        snprintf(s->hash, sizeof s->hash, "%s", hash);
    } else {
        /* An index that goes back starts anew: the servers have lost their state */
        s->index = had && index < s->index ? 0 : index;
        s->has_index = true;
    }
    if (had && s->last && !strcmp(s->last, payload)) {
        return false;
    }
    free(s->last);
    s->last = strdup(payload);
    if (!s->last) {
        abort();
    }
    return true;
}

uint64_t watch_failed(struct watch_place *s)
{
    s->has_index = false;
    s->index = 0;
    s->hash[0] = '\0';
    s->failures += s->failures < 100 ? 1 : 0;
    uint64_t retry = RETRY_NS * s->failures * s->failures;
    return retry < RETRY_MAX_NS ? retry : RETRY_MAX_NS;
}
