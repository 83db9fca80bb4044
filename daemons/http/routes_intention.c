/* routes_intention.c - intentions (http-api 7.4), and those forms by pair that Consul 1.9 added. */
#include "routes.h"

#include "encode.h"
#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"

#include "base/json.h"

#include <muster/catalog_intention.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char not_found[] = "Intention not found";

/* ---- Answers ---- */

static void encode_id(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "ID");
    mu__json_str(&j, *(const struct mu_str *)c->reply);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

static void encode_true(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    (void)c;
    mu__json_bool(&j, true);
    http_reply_json(r, &j, 200);
}

static void encode_all(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_intentions *reply = c->reply;
    encode_list(r, &reply->intentions, catalog_schema(CATALOG_INTENTION));
}

static void encode_one(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_intentions *reply = c->reply;
    if (reply->intentions.len == 0) {
        http_reply_text(r, 404, not_found);
        return;
    }
    struct mu__json j = http_json(r);
    mu__json_value(&j, catalog_schema(CATALOG_INTENTION), reply->intentions.items[0]);
    http_reply_json(r, &j, 200);
}

static void encode_verdict(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_value(&j, catalog_schema(CATALOG_INTENTION_VERDICT), c->reply);
    http_reply_json(r, &j, 200);
}

/* ---- Names: "web", or "namespace/web" ---- */

/* False: more than one '/', answered. */
static bool read_part(struct http_request *r, const char *what, struct mu_str text,
                      struct mu_str *ns, struct mu_str *name)
{
    const char *slash = text.len ? memchr(text.p, '/', text.len) : NULL;
    *ns = mu__cstr("default");
    *name = text;
    if (!slash) {
        return true;
    }
    size_t before = (size_t)(slash - text.p);
    *ns = (struct mu_str){text.p, before};
    *name = (struct mu_str){slash + 1, text.len - before - 1};
    if (name->len && memchr(name->p, '/', name->len)) {
        http_reply_text(r, 500, "%s \"%.*s\" is invalid: input can contain at most one '/'", what,
                        (int)mu__min(text.len, 1024), text.p);
        return false;
    }
    return true;
}

/* ?source= and ?destination=, which must be there. False: answered. */
static bool read_pair(struct http_request *r, struct catalog_intention_pair *p)
{
    static const char *const names[] = {"source", "destination"};
    for (size_t i = 0; i < 2; i++) {
        if (!http_has_param(r, names[i])) {
            http_reply_text(r, 500, "required query parameter '%s' not set", names[i]);
            return false;
        }
    }
    return read_part(r, "source", http_param(r, "source"), &p->source_ns, &p->source_name) &&
           read_part(r, "destination", http_param(r, "destination"), &p->destination_ns,
                     &p->destination_name);
}

/* ---- Reading ---- */

/* A read whose answer tells no index. NULL: answered. */
static struct catalog_intention_query *query(struct http_request *r, enum endpoint_id id,
                                             http_encode_fn encode)
{
    struct catalog_intention_query *q = read_call(r, &endpoints[id], encode);
    if (q) {
        r->meta = false;
    }
    return q;
}

/* The words are the servers'; what is no id is known here already. */
static bool is_id(struct http_request *r, struct mu_str id)
{
    char text[CATALOG_SESSION_ID_TEXT_MAX];
    const char *bad = catalog_session_id_check(id, text, sizeof text);
    if (bad) {
        http_reply_text(r, 400, "Bad request: %sfailed intention lookup: %s",
                        http_asks_servers(r) ? "rpc error making call: " : "",
                        bad + sizeof "failed session lookup: " - 1);
    }
    return !bad;
}

static void get(struct http_request *r)
{
    struct catalog_intention_query *q = query(r, ENDPOINT_INTENTION_GET, encode_one);
    if (q && is_id(r, r->rest)) {
        q->intention_id = r->rest;
        r->not_found = http_asks_servers(r) ? NULL : not_found; /* an agent tells what it heard */
        http_call_start(r);
    }
}

static int by_name(const void *a, const void *b)
{
    return mu__str_cmp(((const struct mu_named *)a)->key, ((const struct mu_named *)b)->key);
}

/* As Go prints a map: by the names as they were asked for, each once. */
static void encode_matches(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_intention_matches *reply = c->reply;
    struct mu_strs *asked = r->user;
    size_t n = mu__min(reply->matches.len, asked->len);
    struct mu_named *all = mu__arena_calloc(&c->arena, n + 1, sizeof *all);
    if (!all) {
        http_reply_empty(r, 500);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct mu_named){asked->items[i], reply->matches.items[i]};
    }
    qsort(all, n, sizeof *all, by_name);
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && mu__str_eq(all[i - 1].key, all[i].key)) {
            continue;
        }
        const struct mu_list *found = all[i].value;
        mu__json_key(&j, all[i].key);
        if (found->len == 0) {
            mu__json_null(&j);
            continue;
        }
        mu__json_list(&j);
        for (size_t k = 0; k < found->len; k++) {
            mu__json_item(&j);
            mu__json_value(&j, catalog_schema(CATALOG_INTENTION), found->items[k]);
        }
        mu__json_list_end(&j);
    }
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

/* Each ?name= as it is written and as an entry of the question. False: answered. */
static bool read_names(struct http_request *r, struct catalog_intention_match *m)
{
    struct mu_strs *asked = mu__arena_calloc(&r->arena, 1, sizeof *asked);
    struct catalog_intention_name *names =
        mu__arena_calloc(&r->arena, r->query.len + 1, sizeof *names);
    m->entries.items = mu__arena_calloc(&r->arena, r->query.len + 1, sizeof *m->entries.items);
    if (asked) {
        asked->items = mu__arena_calloc(&r->arena, r->query.len + 1, sizeof *asked->items);
    }
    if (!asked || !asked->items || !names || !m->entries.items) {
        http_reply_empty(r, 500);
        return false;
    }
    for (size_t i = 0; i < r->query.len; i++) {
        const struct http_param *p = &r->query.items[i];
        if (!mu__str_eq(p->key, mu__cstr("name"))) {
            continue;
        }
        struct catalog_intention_name *name = &names[asked->len];
        if (!read_part(r, "name", p->value, &name->ns, &name->name)) {
            return false;
        }
        asked->items[asked->len++] = p->value;
        m->entries.items[m->entries.len++] = name;
    }
    r->user = asked;
    return true;
}

void route_intention_match(struct http_request *r)
{
    struct catalog_intention_query *q = query(r, ENDPOINT_INTENTION_MATCH, encode_matches);
    struct catalog_intention_match *m = q ? mu__arena_calloc(&r->arena, 1, sizeof *m) : NULL;
    if (!q) {
        return;
    }
    if (!m) {
        http_reply_empty(r, 500);
        return;
    }
    q->match = m;
    m->type = http_param(r, "by");
    if (!http_has_param(r, "by")) {
        http_reply_text(r, 500, "required query parameter 'by' not set");
    } else if (!mu__str_eq(m->type, mu__cstr("source")) &&
               !mu__str_eq(m->type, mu__cstr("destination"))) {
        http_reply_text(r, 500, "'by' parameter must be one of 'source' or 'destination'");
    } else if (!http_has_param(r, "name")) {
        http_reply_text(r, 500, "required query parameter 'name' not set");
    } else if (read_names(r, m)) {
        http_call_start(r);
    }
}

void route_intention_check(struct http_request *r)
{
    struct catalog_intention_query *q = query(r, ENDPOINT_INTENTION_CHECK, encode_verdict);
    struct catalog_intention_pair *p = q ? mu__arena_calloc(&r->arena, 1, sizeof *p) : NULL;
    if (!q) {
        return;
    }
    if (!p) {
        http_reply_empty(r, 500);
        return;
    }
    q->check = p;
    if (!read_pair(r, p)) {
        return;
    }
    p->source_type =
        http_has_param(r, "source-type") ? http_param(r, "source-type") : mu__cstr("consul");
    http_call_start(r);
}

/* ---- Changes ---- */

static struct catalog_intention *change(struct http_request *r, const char *op,
                                        http_encode_fn encode)
{
    struct call *c = http_call(r, &endpoints[ENDPOINT_INTENTION_APPLY], encode);
    struct catalog_intention_request *q = c ? c->request : NULL;
    struct catalog_intention *x = q ? mu__arena_calloc(&r->arena, 1, sizeof *x) : NULL;
    if (q && !x) {
        http_reply_empty(r, 500);
    }
    if (!x) {
        return NULL;
    }
    q->intention = x;
    q->op = mu__cstr(op);
    q->datacenter = options_datacenter(r);
    q->token = options_token(r);
    return x;
}

/* What a client may write: times and hash are the leader's, and any text there does. */
struct body {
    struct catalog_intention x;
    struct mu_str ignored;
};
#define TAKEN(kind_, member, text)                                                                 \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_, .offset = offsetof(struct body, member)                \
    }
static const struct mu__field body_fields[] = {
    TAKEN(STR, x.id, "ID"),
    TAKEN(STR, x.description, "Description"),
    TAKEN(STR, x.source_ns, "SourceNS"),
    TAKEN(STR, x.source_name, "SourceName"),
    TAKEN(STR, x.destination_ns, "DestinationNS"),
    TAKEN(STR, x.destination_name, "DestinationName"),
    TAKEN(STR, x.source_type, "SourceType"),
    TAKEN(STR, x.action, "Action"),
    TAKEN(STR, x.default_addr, "DefaultAddr"),
    TAKEN(INT, x.default_port, "DefaultPort"),
    TAKEN(STRMAP, x.meta, "Meta"),
    TAKEN(INT, x.precedence, "Precedence"),
    TAKEN(STR, ignored, "CreatedAt"),
    TAKEN(STR, ignored, "UpdatedAt"),
    TAKEN(STR, ignored, "Hash"),
    TAKEN(UINT, x.create_index, "CreateIndex"),
    TAKEN(UINT, x.modify_index, "ModifyIndex"),
};
static const struct mu__schema body_schema = {
    .name = "Intention", /* whose Go type decodes itself: json_error.c */
    .fields = body_fields,
    .nfields = sizeof body_fields / sizeof *body_fields,
    .size = sizeof(struct body),
};

/* False: answered with status and what is wrong behind `what`. */
static bool read_body(struct http_request *r, struct catalog_intention *x, int status,
                      const char *what)
{
    char err[JSON_ERROR_MAX];
    struct body body = {.ignored = {NULL, 0}};
    if (json_decode(&body_schema, r->body.p, r->body.len, &r->arena, &body, err, sizeof err)) {
        *x = body.x;
        return true;
    }
    http_reply_text(r, status, "%s%s", what, err);
    return false;
}

void route_intentions(struct http_request *r)
{
    if (r->method == HTTP_GET) {
        if (read_call(r, &endpoints[ENDPOINT_INTENTION_LIST], encode_all) &&
            read_filter(r, catalog_schema(CATALOG_INTENTION))) {
            http_call_start(r);
        }
        return;
    }
    struct catalog_intention *x = change(r, "create", encode_id);
    if (x && read_body(r, x, 500, "Failed to decode request body: ")) {
        http_call_start(r);
    }
}

void route_intention(struct http_request *r)
{
    if (r->method == HTTP_GET) {
        get(r);
        return;
    }
    bool is_update = r->method == HTTP_PUT;
    struct catalog_intention *x =
        change(r, is_update ? "update" : "delete", is_update ? encode_id : encode_true);
    if (x && (!is_update || read_body(r, x, 400, "Bad request: Request decode failed: "))) {
        x->id = r->rest;
        http_call_start(r);
    }
}

/* ---- By pair ---- */

static void get_exact(struct http_request *r)
{
    struct catalog_intention_query *q = query(r, ENDPOINT_INTENTION_GET, encode_one);
    struct catalog_intention_pair *p = q ? mu__arena_calloc(&r->arena, 1, sizeof *p) : NULL;
    if (q && !p) {
        http_reply_empty(r, 500);
    } else if (q && read_pair(r, p)) {
        q->exact = p;
        r->not_found = not_found;
        http_call_start(r);
    }
}

/* The names are those of the query, whatever the body says. */
void route_intention_exact(struct http_request *r)
{
    struct catalog_intention_pair p = {.source_ns = {NULL, 0}};
    if (r->method == HTTP_GET) {
        get_exact(r);
        return;
    }
    if (!read_pair(r, &p)) {
        return;
    }
    bool is_put = r->method == HTTP_PUT;
    struct catalog_intention *x = change(r, is_put ? "upsert" : "delete", encode_true);
    if (!x || (is_put && !read_body(r, x, 400, "Bad request: Request decode failed: "))) {
        return;
    }
    x->id = (struct mu_str){NULL, 0};
    x->source_ns = p.source_ns;
    x->source_name = p.source_name;
    x->destination_ns = p.destination_ns;
    x->destination_name = p.destination_name;
    http_call_start(r);
}
