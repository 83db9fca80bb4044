/* dispatch.c - from a head to a route: what the whole API has in common before a handler runs
 * (http-semantics 1). */
#include "internal.h"

#include "base/loop.h"
#include "routes.h"
#include <stdio.h>
#include <string.h>

#define STREAMED_BODY_MAX ((size_t)1 << 30) /* nobody keeps it, but it must end */
#define REQUEST_ARENA_MAX                                                                          \
    (32u << 20) /* what one request may make us remember, its decoded body included */

static enum http_method method_of(struct mu_str name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {{"GET", HTTP_GET},       {"PUT", HTTP_PUT},         {"POST", HTTP_POST},
                   {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}, {"HEAD", HTTP_HEAD}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (mu__str_eq(name, mu__cstr(methods[i].name))) {
            return methods[i].method;
        }
    }
    return HTTP_OTHER;
}

/* Takes what stands before the next mark, without blanks around it, off the list. */
static struct mu_str next_word(struct mu_str *list, char mark)
{
    const char *at = list->len ? memchr(list->p, mark, list->len) : NULL;
    struct mu_str word = {list->p, at ? (size_t)(at - list->p) : list->len};
    *list = at ? (struct mu_str){at + 1, list->len - word.len - 1} : (struct mu_str){NULL, 0};
    return http_trim(word);
}

/* The weight behind "q=": 1 above 0, 0, or -1 where it is no number. */
static int weight(struct mu_str s)
{
    int dots = 0, above = 0, digits = 0;
    for (size_t i = 0; i < s.len; i++) {
        dots += s.p[i] == '.';
        digits += s.p[i] >= '0' && s.p[i] <= '9';
        above |= s.p[i] >= '1' && s.p[i] <= '9';
        if (s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9')) {
            return -1;
        }
    }
    return digits == 0 || dots > 1 ? -1 : above;
}

/* Is gzip in Accept-Encoding with a weight above 0? (RFC 9110 12.5.3) The last word on it counts;
 * one whose weight is no number is passed over. */
static bool accepts_gzip(struct mu_str list)
{
    bool is_accepted = false;
    while (list.p) {
        struct mu_str params = next_word(&list, ',');
        struct mu_str name = next_word(&params, ';');
        int q = 1;
        while (params.p && q >= 0) {
            struct mu_str param = next_word(&params, ';');
            if (param.len >= 2 && memcmp(param.p, "q=", 2) == 0) {
                q = weight((struct mu_str){param.p + 2, param.len - 2});
            }
        }
        if (q >= 0 && mu__str_ieq(name, mu__cstr("gzip"))) {
            is_accepted = q > 0;
        }
    }
    return is_accepted;
}

/* Path and query from the target. False: the target is malformed, a bad request before any route is
 * known. */
static bool parse_target(struct http_request *r, bool *bad_query)
{
    struct mu_str path, query;
    if (!uri_split(r->head.target, &path, &query)) {
        return false;
    }
    char *decoded = mu__arena_alloc(&r->arena, path.len + 1);
    if (!decoded || !uri_decode(path, false, decoded, &r->path.len)) {
        return false;
    }
    r->path.p = decoded;
    *bad_query = !uri_parse_query(query, &r->arena, &r->query);
    return true;
}

/* Text of the head, copied: the receive buffer moves on while a request is handled. */
static bool copy_head(struct http_request *r, const char *data, size_t len, enum http_parse *rc)
{
    struct http_server *s = r->server;
    char *copy = mu__arena_memdup(&r->arena, data, len);
    if (!copy) {
        return false;
    }
    r->raw = (struct mu_str){copy, len};
    r->head.fields = s->fields;
    *rc = http_parse_head(copy, len, &r->head);
    s->complaint = r->head.complaint;
    if (*rc != HTTP_PARSED) {
        return false;
    }
    r->head.fields =
        mu__arena_memdup(&r->arena, s->fields, (r->head.nfields + 1) * sizeof *s->fields);
    return r->head.fields != NULL;
}

struct http_request *http__request_create(struct http_connection *c, const char *data, size_t len,
                                          enum http_parse *rc)
{
    struct mu__arena arena;
    *rc = HTTP_PARSED;
    mu__arena_init(&arena, NULL, REQUEST_ARENA_MAX);
    struct http_request *r = mu__arena_calloc(&arena, 1, sizeof *r); /* lives in its own arena */
    if (!r) {
        return NULL;
    }
    r->arena = arena;
    r->connection = c;
    r->server = c->server;
    r->began_ns = loop_now_ns();
    bool bad_query = false;
    if (!copy_head(r, data, len, rc) || !parse_target(r, &bad_query)) {
        if (*rc == HTTP_PARSED) {
            *rc = HTTP_BAD;
            c->server->complaint = "";
        }
        http__request_free(r);
        return NULL;
    }
    r->bad_query = bad_query;
    r->method = method_of(r->head.method);
    r->gzip = accepts_gzip(http_field(&r->head, "Accept-Encoding"));
    r->pretty = c->server->config.pretty || http_has_param(r, "pretty");
    r->route = http__route(r->server->marks, r->path, &r->rest);
    if (!r->route) {
        r->route = http__ui_route(r->server, r->path, &r->rest);
    }
    return r;
}

bool http__request_is_streamed(const struct http_request *r)
{
    return r->route && r->route->body == BODY_STREAMED && r->method == HTTP_PUT;
}

static bool takes_method(const struct http_request *r)
{
    return (r->route->methods & r->method) || r->route->methods == HTTP_ANY;
}

bool http__request_is_refused(const struct http_request *r)
{
    return !r->route || r->bad_query || !takes_method(r);
}

size_t http__request_body_max(const struct http_request *r)
{
    const struct http_server_config *c = &r->server->config;
    if (!r->route || r->method != HTTP_PUT) {
        return c->body_max;
    }
    switch (r->route->body) {
    case BODY_KV:
        return c->kv_value_max;
    case BODY_TXN:
        return c->txn_body_max > c->kv_value_max ? c->txn_body_max : c->kv_value_max;
    case BODY_STREAMED:
        return STREAMED_BODY_MAX;
    case BODY_DEFAULT:
        break;
    }
    return c->body_max;
}

void http__request_free(struct http_request *r)
{
    if (!r) {
        return;
    }
    const struct http_stream *stream = r->stream;
    r->stream = NULL;
    if (stream) {
        stream->gone(r->stream_user);
    }
    struct mu__arena arena = r->arena; /* r lies inside it, or inside that of its call */
    if (r->call && r->started) {
        r->server->stats.calls_cancelled++;
        call_cancel(r->call);
    } else if (r->call) {
        call_free(r->call); /* the handler changed its mind */
    }
    mu__arena_fini(&arena);
}

/* ---- What happens before a handler ---- */

void http__redirect(struct http_request *r, struct mu_str to, bool with_query)
{
    struct mu__writer w = mu__writer_growing(&r->arena.allocator);
    struct mu_str raw_path, raw_query;
    uri_write_path(&w, to);
    if (with_query && uri_split(r->head.target, &raw_path, &raw_query) && raw_query.p) {
        mu__write_u8(&w, '?');
        mu__write_bytes(&w, raw_query.p, raw_query.len);
    }
    mu__write_u8(&w, 0);
    char *url = w.failed ? NULL : mu__arena_memdup(&r->arena, w.data, w.len);
    mu__writer_fini(&w);
    if (!url || strlen(url) > 1000) { /* longer than a header value of ours may be */
        http_reply_empty(r, 404);
        return;
    }
    http_header(r, "Location", "%s", url);
    if (r->method == HTTP_GET || r->method == HTTP_HEAD) {
        char body[1100];
        snprintf(body, sizeof body, "<a href=\"%s\">Moved Permanently</a>.\n\n", url);
        http_reply_bytes(r, 301, "text/html; charset=utf-8", mu__cstr(body));
    } else {
        http_reply_empty(r, 301);
    }
}

static void add_slash(struct http_request *r)
{
    char *path = mu__arena_strndup(&r->arena, r->path.p, r->path.len);
    if (path) {
        path[r->path.len] = '/'; /* in place of the zero */
    }
    http__redirect(r, path ? (struct mu_str){path, r->path.len + 1} : mu__cstr("/"), true);
}

static void wrong_method(struct http_request *r)
{
    http_header(r, "Allow", "OPTIONS,%s", r->route->allow);
    if (r->method == HTTP_OPTIONS) {
        http_reply_empty(r, 200);
    } else {
        http_reply_text(r, 405, "method %.*s not allowed", (int)mu__min(r->head.method.len, 64),
                        r->head.method.p);
    }
}

/* The server as a whole is the target, and has nothing but its being there to tell of. */
static void handle_server(struct http_request *r)
{
    if (r->method != HTTP_OPTIONS) {
        r->connection->keep_alive = false;
    }
    http_reply_empty(r, r->method == HTTP_OPTIONS ? 200 : 400);
}

static bool is_blocked(const struct http_request *r)
{
    const struct mu_strs *all = r->server->config.blocked;
    for (size_t i = 0; all && i < all->len && !r->connection->is_inside; i++) {
        struct mu_str b = all->items[i];
        if (r->path.len >= b.len && !memcmp(r->path.p, b.p, b.len)) {
            return true;
        }
    }
    return false;
}

/* Reading is open to all, writing to some networks; a socket of this host belongs to none. */
static bool may_write(const struct http_request *r)
{
    const struct config_networks *all = r->server->config.writers;
    const struct client_address *from = &r->connection->peer;
    if (!all || !all->len || r->connection->is_inside ||
        (r->method & (HTTP_GET | HTTP_HEAD | HTTP_OPTIONS))) {
        return true;
    }
    for (size_t i = 0; i < all->len; i++) {
        if (config_network_has(&all->items[i], from->bytes, from->len)) {
            return true;
        }
    }
    return false;
}

void http__request_handle(struct http_request *r)
{
    struct mu_str clean;
    if (r->head.expects_more) {
        http_reply_empty(r, 417);
        return;
    }
    if (mu__str_eq(r->head.target, mu__cstr("*"))) {
        handle_server(r);
        return;
    }
    if (!r->server->config.takes_unprintable && uri_has_unprintable(r->path)) {
        http_reply_empty(r, 400);
        return;
    }
    if (!uri_is_clean(r->path, &r->arena, &clean)) {
        http__redirect(r, clean.p ? clean : mu__cstr("/"), true);
        return;
    }
    r->vary = r->route && r->route->handle != route_root;
    if (!r->route &&
        (http__route_lacks_slash(r->path) || http__ui_lacks_slash(r->server, r->path))) {
        add_slash(r);
    } else if (!r->route) {
        http_reply_empty(r, 404);
    } else if (is_blocked(r)) {
        http_reply_text(r, 403, "Endpoint is blocked by agent configuration");
    } else if (r->bad_query) {
        http_reply_empty(r, 500);
    } else if (!takes_method(r)) {
        wrong_method(r);
    } else if (!may_write(r)) {
        http_reply_text(r, 403, "Access is restricted");
    } else {
        r->route->handle(r);
    }
}

void http__request_repeat(struct http_connection *c, struct mu_str head)
{
    enum http_parse rc;
    c->request = http__request_create(c, head.p, head.len, &rc);
    if (!c->request) {
        http__connection_close(c); /* out of memory: it has been understood before */
        return;
    }
    c->request->waited = true;
    http__request_handle(c->request);
}
