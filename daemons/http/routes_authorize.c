/* routes_authorize.c - may the owner of a certificate connect to a service? (http-api 2.20)
 *
 * What intentions say about the service is kept fresh by the agent's cache, so a question costs
 * servers nothing once there was one; the verdict is worked out here. */
#include "routes.h"

#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"
#include "rpc/intention_order.h"

#include <muster/catalog_intention.h>
#include <stddef.h>
#include <string.h>

struct authorize {
    struct mu_str target, uri, serial;
    struct mu_str source_ns, source; /* of the certificate */
};
static const struct mu__field authorize_fields[] = {
    {.name = "Target", .kind = MU_STR, .offset = offsetof(struct authorize, target)},
    {.name = "ClientCertURI", .kind = MU_STR, .offset = offsetof(struct authorize, uri)},
    {.name = "ClientCertSerial", .kind = MU_STR, .offset = offsetof(struct authorize, serial)},
};
static const uint8_t authorize_wire[] = {2, 1, 0};
static const struct mu__schema authorize_schema = {
    .name = "ConnectAuthorizeRequest",
    .fields = authorize_fields,
    .nfields = sizeof authorize_fields / sizeof *authorize_fields,
    .wire = authorize_wire,
    .nwire = sizeof authorize_wire,
    .size = sizeof(struct authorize),
};

/* ---- The certificate's name ---- */

/* The next part of a path, between slashes. */
static struct mu_str next_part(struct mu_str *path)
{
    struct mu_str part = {path->p, 0};
    if (path->len == 0 || path->p[0] != '/') {
        return (struct mu_str){"", 0};
    }
    part.p++;
    while (part.len + 1 < path->len && part.p[part.len] != '/') {
        part.len++;
    }
    path->p += part.len + 1;
    path->len -= part.len + 1;
    return part;
}

#define PARTS_MAX 3u

/* Names and values in turn, none of them empty, and nothing behind: "/ns/x/dc/y/svc/z". */
static bool is_path_of(struct mu_str path, const char *const *names, size_t n,
                       struct mu_str values[PARTS_MAX])
{
    for (size_t i = 0; i < n; i++) {
        if (!mu__str_eq(next_part(&path), mu__cstr(names[i]))) {
            return false;
        }
        values[i] = next_part(&path);
        if (values[i].len == 0) {
            return false;
        }
    }
    return path.len == 0;
}

/* Without its escapes, in the arena. False: they are none. */
static bool decode(struct mu__arena *a, struct mu_str raw, struct mu_str *out)
{
    char *room = mu__arena_alloc(a, raw.len + 1);
    out->p = room;
    return room && uri_decode(raw, false, room, &out->len);
}

enum spiffe { SPIFFE_NONE, SPIFFE_SERVICE, SPIFFE_OTHER };

static enum spiffe path_of(struct http_request *r, struct mu_str path, struct authorize *q)
{
    static const char *const service[] = {"ns", "dc", "svc"};
    static const char *const agent[] = {"dc", "id"};
    static const char client[] = "/agent/client";
    struct mu_str values[PARTS_MAX];
    if (is_path_of(path, service, 3, values)) {
        bool ok =
            decode(&r->arena, values[0], &q->source_ns) && decode(&r->arena, values[2], &q->source);
        return ok ? SPIFFE_SERVICE : SPIFFE_NONE;
    }
    if (path.len > sizeof client - 1 && memcmp(path.p, client, sizeof client - 1) == 0) {
        path.p += sizeof client - 1;
        path.len -= sizeof client - 1;
        return is_path_of(path, agent, 2, values) ? SPIFFE_OTHER : SPIFFE_NONE;
    }
    return SPIFFE_NONE;
}

static enum spiffe spiffe_of(struct http_request *r, struct authorize *q)
{
    static const char scheme[] = "spiffe://";
    const size_t skip = sizeof scheme - 1;
    if (q->uri.len < skip || memcmp(q->uri.p, scheme, skip) != 0) {
        return SPIFFE_NONE;
    }
    const char *host = q->uri.p + skip;
    size_t left = q->uri.len - skip, len = 0;
    while (len < left && host[len] != '/') {
        len++;
    }
    if (len == left) { /* a signing authority: a trust domain alone */
        return memchr(host, '.', len) ? SPIFFE_OTHER : SPIFFE_NONE;
    }
    return path_of(r, (struct mu_str){host + len, left - len}, q);
}

/* ---- The verdict ---- */

static bool is(struct mu_str s, const char *text)
{
    return mu__str_eq(s, mu__cstr(text));
}

/* Does it speak of this source? Letter by letter, as in the original. */
static bool bears_on(const struct catalog_intention *x, const struct authorize *q)
{
    return (is(x->source_ns, "*") || mu__str_eq(x->source_ns, q->source_ns)) &&
           (is(x->source_name, "*") || mu__str_eq(x->source_name, q->source));
}

/* What the cache keeps is in the order in which intentions decide; what comes from elsewhere should
 * be, and is gone through one by one. */
static const struct catalog_intention *deciding(const struct call *c, const struct authorize *q)
{
    const struct catalog_indexed_intention_matches *found = c->reply;
    const struct mu_list *l = found->matches.len ? found->matches.items[0] : NULL;
    if (l && c->cached != CALL_DIRECT) {
        return intention_deciding(l, q->source_ns, q->source);
    }
    for (size_t i = 0; l && i < l->len; i++) {
        const struct catalog_intention *x = l->items[i];
        if (bears_on(x, q)) {
            return x;
        }
    }
    return NULL;
}

static struct mu_str reason_of(struct http_request *r, const struct catalog_intention *x)
{
    static const char otherwise[] = "ACLs disabled, access is allowed by default";
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    if (!x) {
        return (struct mu_str){otherwise, sizeof otherwise - 1};
    }
    const struct mu_str parts[] = {mu__cstr("Matched intention: "),
                                   mu__cstr(is(x->action, "allow") ? "ALLOW " : "DENY "),
                                   x->source_ns,
                                   mu__cstr("/"),
                                   x->source_name,
                                   mu__cstr(" => "),
                                   x->destination_ns,
                                   mu__cstr("/"),
                                   x->destination_name,
                                   mu__cstr(" (ID: "),
                                   x->id,
                                   mu__cstr(", Precedence: ")};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        mu__write_bytes(&w, parts[i].p, parts[i].len);
    }
    mu__write_u8(&w, (uint8_t)('0' + x->precedence % 10)); /* 1 to 9 */
    mu__write_u8(&w, ')');
    const char *copy = w.failed ? NULL : mu__arena_memdup(&r->arena, w.data, w.len);
    struct mu_str reason = {copy, copy ? w.len : 0};
    mu__writer_fini(&w);
    return reason;
}

static void encode_verdict(struct http_request *r, struct call *c)
{
    const struct catalog_intention *x = deciding(c, r->user);
    struct mu_str reason = reason_of(r, x);
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "Authorized");
    mu__json_bool(&j, !x || is(x->action, "allow"));
    mu__json_ckey(&j, "Reason");
    mu__json_str(&j, reason);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

/* What bears on the target, from the cache. */
static void ask(struct http_request *r, const struct authorize *q)
{
    struct call *c = http_call(r, &endpoints[ENDPOINT_INTENTION_MATCH], encode_verdict);
    struct {
        struct catalog_intention_match match;
        struct catalog_intention_name name;
        void *entries[1];
    } *room = c ? mu__arena_calloc(&r->arena, 1, sizeof *room) : NULL;
    struct authorize *kept = room ? mu__arena_memdup(&r->arena, q, sizeof *q) : NULL;
    if (c && !kept) {
        http_reply_empty(r, 500);
    }
    if (!kept) {
        return;
    }
    struct catalog_intention_query *request = c->request;
    room->name = (struct catalog_intention_name){mu__cstr("default"), q->target};
    room->entries[0] = &room->name;
    room->match = (struct catalog_intention_match){mu__cstr("destination"), {room->entries, 1}};
    request->datacenter = mu__cstr(r->server->datacenter);
    request->match = &room->match;
    request->options.token = options_token(r);
    request->options.use_cache = true;
    r->user = kept;
    r->shows_cache = true;
    http_call_start(r);
}

void route_agent_connect_authorize(struct http_request *r)
{
    struct authorize q = {.target = {NULL, 0}};
    if (!options_check_namespace(r) ||
        !http_decode_body(r, &authorize_schema, &q, "Bad request: Request decode failed: ")) {
        return;
    }
    enum spiffe uri = q.target.len ? spiffe_of(r, &q) : SPIFFE_NONE;
    if (uri != SPIFFE_SERVICE) {
        http_reply_text(r, 400, "Bad request: %s",
                        !q.target.len         ? "Target service must be specified"
                        : uri == SPIFFE_OTHER ? "ClientCertURI not a valid Service identifier"
                                              : "ClientCertURI not a valid Connect identifier");
        return;
    }
    ask(r, &q);
}
