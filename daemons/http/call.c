/* call.c - handlers make calls; this starts them, and turns what comes back into answers and
 * errors. */
#include "internal.h"

#include "base/json.h"
#include "filter.h"
#include "options.h"
#include "rpc/endpoints.h"
#include <stdio.h>
#include <string.h>

#define CALL_ARENA_MAX (256u << 20) /* a reply that came over RPC is in the call's arena */

const char *http_cstr(struct http_request *r, struct mu_str s)
{
    const char *copy = mu__arena_strndup(&r->arena, s.p ? s.p : "", s.len);
    return copy ? copy : "";
}

struct mu_str http_param(const struct http_request *r, const char *key)
{
    return uri_param(&r->query, key);
}

bool http_has_param(const struct http_request *r, const char *key)
{
    return uri_has_param(&r->query, key);
}

bool http_decode_body(struct http_request *r, const struct mu__schema *s, void *out,
                      const char *what)
{
    char err[JSON_ERROR_MAX];
    if (json_decode(s, r->body.p, r->body.len, &r->arena, out, err, sizeof err)) {
        return true;
    }
    http_reply_text(r, 400, "%s%s", what, err);
    return false;
}

/* ---- What went wrong (http-semantics 4) ---- */

void http_reply_error(struct http_request *r, const char *error)
{
    if (strstr(error, "Permission denied") || strstr(error, "ACL not found")) {
        http_reply_text(r, 403, "%s", error);
    } else if (strncmp(error, "No service registered with ID", 29) == 0) {
        http_reply_text(r, 404, "%s", error);
    } else if (strstr(error, "rate limit exceeded")) {
        http_reply_empty(r, 429);
    } else {
        http_reply_text(r, 500, "%s", error);
    }
}

bool http_asks_servers(const struct http_request *r)
{
    return r->server->config.asks_servers;
}

void http_reply_refusal(struct http_request *r, const char *error)
{
    http_reply_text(r, 500, "%s%s", http_asks_servers(r) ? "rpc error making call: " : "", error);
}

void http_meta(struct http_request *r, const struct catalog_query_meta *m)
{
    static const struct catalog_query_meta none = {.index = 1};
    m = m ? m : &none;
    http_header_uint(r, "X-Consul-Index", m->index ? m->index : 1);
    http_meta_contact(r, m);
}

void http_meta_contact(struct http_request *r, const struct catalog_query_meta *m)
{
    http_header_text(r, "X-Consul-Knownleader", m->known_leader ? "true" : "false");
    http_header_uint(r, "X-Consul-Lastcontact",
                     m->last_contact_ns > 0 ? (uint64_t)m->last_contact_ns / MU_MSEC : 0);
}

static const struct catalog_query_meta *meta_of(const struct call *c)
{
    bool has = c->reply && c->endpoint->meta_at != NO_OFFSET;
    return has ? (const struct catalog_query_meta *)(const void *)((const char *)c->reply +
                                                                   c->endpoint->meta_at)
               : NULL;
}

/* ---- Calls ---- */

static void on_done(struct call *c, void *arg);

struct call *http_call(struct http_request *r, const struct endpoint *e, http_encode_fn encode)
{
    struct call *c = call_create(e, CALL_ARENA_MAX, on_done, r);
    if (!c) {
        http_reply_empty(r, 500);
        return NULL;
    }
    r->call = c;
    r->encode = encode;
    return c;
}

/* The request's memory, the HTTP request itself included, becomes the call's: a backend may still
 * read it after the client has gone and the call is cancelled. */
void http__call_start(struct http_request *r)
{
    struct call *c = r->call;
    mu__arena_adopt(&c->arena, &r->arena);
    r->started = true;
    call_start(r->server->config.backend, c);
}

static struct catalog_query_options *options_of(struct call *c)
{
    return endpoint_options(c->endpoint, c->request);
}

/* May the answer be somebody else's, who asks the same in that moment? Where it costs a question to
 * a server; not of queries, whose answers are shuffled and depend on the client's address. */
static bool may_share(const struct http_request *r, const struct catalog_query_options *o)
{
    const struct endpoint *e = r->call->endpoint;
    return http_asks_servers(r) && e->kind == ENDPOINT_READ && e->meta_at != NO_OFFSET && o &&
           !o->require_consistent && !r->call->may_cache && r->method == HTTP_GET &&
           e != &endpoints[ENDPOINT_PREPARED_QUERY_EXECUTE] &&
           e != &endpoints[ENDPOINT_PREPARED_QUERY_EXPLAIN];
}

void http_call_start(struct http_request *r)
{
    struct catalog_query_options *o = options_of(r->call);
    r->call->may_cache = r->shows_cache && o && o->use_cache;
    bool blocks = r->call->endpoint->kind == ENDPOINT_READ && o && o->min_query_index > 0;
    if (blocks && r->waited) {
        o->min_query_index = 0;
        r->blocking = false;
    }
    bool waits = blocks && !r->waited;
    if (!(waits || may_share(r, o)) || !http__flight_board(r)) {
        http__call_start(r);
    }
}

/* The same once more. False: out of memory, and the old one is as it was. */
static struct call *again(struct http_request *r, struct call *c)
{
    struct call *next = call_create(c->endpoint, CALL_ARENA_MAX, on_done, r);
    if (next) {
        next->may_cache = c->may_cache;
        /* What the request points at comes along with the arena, so a copy of the struct is
         * enough. */
        memcpy(next->request, c->request, c->endpoint->request->size);
        r->call = next;
        mu__arena_adopt(&r->arena, &c->arena);
    }
    return next;
}

/* A stale answer older than max_stale is asked for again, from the leader; true when that is under
 * way. */
static bool ask_leader(struct http_request *r, struct call *c, const struct catalog_query_meta *m)
{
    const struct endpoint *e = c->endpoint;
    if (!m || r->max_stale_ns <= 0 || m->last_contact_ns <= r->max_stale_ns ||
        e->options_at == NO_OFFSET) {
        return false;
    }
    r->max_stale_ns = 0;
    struct call *next = again(r, c);
    if (!next) {
        return false;
    }
    next->may_cache = false;
    options_of(next)->allow_stale = false;
    options_of(next)->max_stale_duration_ns = 0;
    r->consistency = "leader";
    http__call_start(r);
    return true;
}

/* A call for several clients has come to its end without news: it goes on for those who wait
 * longer. */
static bool wait_on(struct http_request *r, struct call *c, const struct catalog_query_meta *m)
{
    if (!m || !r->flight || !http__flight_timed_out(r, m) || !again(r, c)) {
        return false;
    }
    http__call_start(r);
    return true;
}

/* Who has waited in vain asks anew for what there is; it was no hit all the same. */
static void show_cache(struct http_request *r, const struct call *c)
{
    bool hit = c->cached == CALL_HIT && !r->waited;
    if (c->cached == CALL_DIRECT) {
        return;
    }
    http_header_text(r, "X-Cache", hit ? "HIT" : "MISS");
    if (hit) {
        http_header_uint(r, "Age", (c->cached_age_ns + MU_SEC / 2) / MU_SEC);
    }
}

static void on_done(struct call *c, void *arg)
{
    struct http_request *r = arg;
    const struct catalog_query_meta *m = c->error ? NULL : meta_of(c);
    r->call = NULL;
    r->committed_ns = c->committed_ns;
    if (ask_leader(r, c, m) || wait_on(r, c, m)) {
        return;
    }
    if (c->error && r->not_found && strstr(c->error, r->not_found)) { /* whoever says so */
        http_reply_text(r, 404, "%s", c->error);
        return;
    }
    if (r->meta && !(c->error && r->no_error_meta)) {
        http_meta(r, m);
    }
    if (c->error) {
        http_reply_error(r, c->error);
        return;
    }
    if (r->refusal) {
        http_reply_refusal(r, r->refusal);
        return;
    }
    show_cache(r, c);
    if (r->shows_consistency) {
        http_header_text(r, "X-Consul-Effective-Consistency", r->consistency);
    }
    r->encode(r, c);
}

void http_encode_empty(struct http_request *r, struct call *c)
{
    (void)c;
    http_reply_empty(r, 200);
}
