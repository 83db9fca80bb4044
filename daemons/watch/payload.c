#include "payload.h"

#include "agent/user_event.h"
#include "alloc.h"
#include "base/json.h"

#include <muster/catalog_types.h>
#include <stdlib.h>
#include <string.h>

/* What is read and written for one answer. */
struct answer {
    struct mu__arena arena;
    struct mu__writer w;
    struct mu__json json;
    char *hash, *err;
    size_t errlen;
};

static bool write_list(struct answer *a, const struct mu__schema *s, const struct mu_list *list,
                       size_t from)
{
    mu__json_list(&a->json);
    for (size_t i = from; i < list->len; i++) {
        mu__json_item(&a->json);
        mu__json_value(&a->json, s, list->items[i]);
    }
    mu__json_list_end(&a->json);
    return true;
}

static bool list(struct answer *a, const struct mu__schema *s, const char *body, size_t len)
{
    struct mu_list l = {NULL, 0};
    return json_decode_known_list(s, body, len, &a->arena, &l, a->err, a->errlen) &&
           write_list(a, s, &l, 0);
}

/* Of the list of one entry, the entry. */
static bool key(struct answer *a, const char *body, size_t len)
{
    struct mu_list l = {NULL, 0};
    if (!json_decode_known_list(&watch__entry_schema, body, len, &a->arena, &l, a->err,
                                a->errlen)) {
        return false;
    }
    if (l.len) {
        mu__json_value(&a->json, &watch__entry_schema, l.items[0]);
    } else {
        mu__json_null(&a->json);
    }
    return true;
}

/* Only what came after the event that the watch stands at. */
static bool events(struct answer *a, const struct watch_place *at, const char *body, size_t len)
{
    struct mu_list l = {NULL, 0};
    size_t from = 0;
    if (!json_decode_known_list(&user_event_schema, body, len, &a->arena, &l, a->err, a->errlen)) {
        return false;
    }
    for (size_t i = 0; at->has_index && i < l.len && !from; i++) {
        const struct user_event *ev = l.items[i];
        if (ev->id.len == 36 && user_event_index(ev) == at->index) {
            from = i + 1;
        }
    }
    return write_list(a, &user_event_schema, &l, from);
}

struct map {
    struct mu_strsmap services;
};

/* A map of lists: read as the one member of an object. */
static bool services(struct answer *a, const char *body, size_t len)
{
    static const struct mu__field field = {.name = "m", .kind = MU_STRSMAP};
    static const struct mu__schema schema = {
        .name = "services", .fields = &field, .nfields = 1, .size = sizeof(struct map)};
    struct map m = {{NULL, 0}};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_cstr(&w, "{\"m\":");
    mu__write_bytes(&w, body, len);
    mu__write_u8(&w, '}');
    bool ok = !w.failed &&
              json_decode(&schema, (const char *)w.data, w.len, &a->arena, &m, a->err, a->errlen);
    if (ok) {
        mu__json_field(&a->json, &field, &m.services);
    }
    mu__writer_fini(&w);
    return ok;
}

static bool agent_service(struct answer *a, const char *body, size_t len)
{
    struct watch__service *s = mu__arena_calloc(&a->arena, 1, watch__service_schema.size);
    if (!s ||
        !json_decode_known(&watch__service_schema, body, len, &a->arena, s, a->err, a->errlen)) {
        return false;
    }
    struct mu_str hash = watch__service_hash(s);
    size_t n = mu__min(hash.len, 64);
    for (size_t i = 0; i < n; i++) { /* it goes into a query */
        bool plain =
            (hash.p[i] >= '0' && hash.p[i] <= '9') || (hash.p[i] >= 'a' && hash.p[i] <= 'f');
        a->hash[i] = (char)(plain ? hash.p[i] : '0');
    }
    a->hash[n] = '\0';
    mu__json_value(&a->json, &watch__service_schema, s);
    return true;
}

static bool write_answer(struct answer *a, const struct watch_plan *p, const struct watch_place *at,
                         const char *body, size_t len)
{
    switch (p->type) {
    case WATCH_KEY:
        return key(a, body, len);
    case WATCH_KEYPREFIX:
        return list(a, &watch__entry_schema, body, len);
    case WATCH_SERVICES:
        return services(a, body, len);
    case WATCH_NODES:
        return list(a, &watch__node_schema, body, len);
    case WATCH_SERVICE:
        return list(a, &watch__health_schema, body, len);
    case WATCH_CHECKS:
        return list(a, &watch__check_schema, body, len);
    case WATCH_EVENT:
        return events(a, at, body, len);
    case WATCH_AGENT_SERVICE:
        return agent_service(a, body, len);
    }
    return false;
}

static bool write_any(struct answer *a, const struct watch_plan *p, const struct watch_place *at,
                      int status, const char *body, size_t len)
{
    bool of_kv = p->type == WATCH_KEY || p->type == WATCH_KEYPREFIX;
    if (status == 404 && of_kv) {
        mu__json_null(&a->json);
        return true;
    }
    if (status != 200) {
        return watch__refuse(a->err, a->errlen, "Unexpected response code: %d (%.*s)", status,
                             (int)mu__min(len, 256), body);
    }
    return write_answer(a, p, at, body, len);
}

bool watch_payload(const struct watch_plan *p, const struct watch_place *at, int status,
                   const char *body, size_t len, bool pretty, char **out, char hash[65], char *err,
                   size_t errlen)
{
    struct answer a = {
        .w = mu__writer_growing(&mu__malloc_allocator), .hash = hash, .errlen = errlen};
    a.err = err;
    a.json = mu__json(&a.w, pretty);
    hash[0] = '\0';
    mu__arena_init(&a.arena, NULL, 0);
    bool ok = write_any(&a, p, at, status, body, len);
    mu__write_bytes(&a.w, "\n", 2);
    if (ok && a.w.failed) {
        ok = watch__refuse(err, errlen, "out of memory");
    }
    *out = ok ? strdup((const char *)a.w.data) : NULL;
    mu__writer_fini(&a.w);
    mu__arena_fini(&a.arena);
    return ok && *out;
}
