/* reply.c - an answer becomes bytes: status line, headers, body, compressed if the client wants it
 * so. */
#include "internal.h"

#include "base/loop.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SCRATCH_KEPT ((size_t)256 * 1024) /* a larger buffer is given back after its answer */
#define LIMITS_DOC   "https://www.consul.io/docs/agent/options.html"

static const char json_type[] = "application/json", text_type[] = "text/plain; charset=utf-8";

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {301, "Moved Permanently"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {413, "Request Entity Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Status";
}

const char *http__date(time_t at, char out[HTTP_DATE_MAX])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;
    out[0] = '\0';
    if (gmtime_r(&at, &tm)) {
        snprintf(out, HTTP_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7],
                 tm.tm_mday % 100, months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000, tm.tm_hour,
                 tm.tm_min, tm.tm_sec % 100);
    }
    return out;
}

static const char *date_now(struct http_server *s)
{
    time_t now = (time_t)(loop_now_unix_ns() / (int64_t)MU_SEC);
    if (now != s->date_s) {
        s->date_s = now;
        http__date(now, s->date);
    }
    return s->date;
}

static void write_uint(struct mu__writer *w, uint64_t v)
{
    char buf[20];
    size_t at = sizeof buf;
    do {
        buf[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    mu__write_bytes(w, buf + at, sizeof buf - at);
}

static void field(struct mu__writer *w, const char *name, const char *value)
{
    mu__write_cstr(w, name);
    mu__write_cstr(w, ": ");
    mu__write_cstr(w, value);
    mu__write_cstr(w, "\r\n");
}

const struct mu__writer *http__write_head(const struct http_connection *c,
                                          const struct http_answer *a)
{
    struct http_server *s = c->server;
    struct mu__writer *w = &s->head;
    w->len = 0;
    w->failed = false;
    bool speaks_old = c->is_old && !a->complaint;
    mu__write_cstr(w, speaks_old ? "HTTP/1.0 " : "HTTP/1.1 ");
    write_uint(w, (uint64_t)a->status);
    mu__write_cstr(w, " ");
    mu__write_cstr(w, reason(a->status));
    mu__write_cstr(w, a->complaint ? a->complaint : "");
    mu__write_cstr(w, "\r\n");
    if (a->content_type) {
        field(w, "Content-Type", a->content_type);
    }
    if (a->packed) {
        field(w, "Content-Encoding", "gzip");
    }
    mu__write_bytes(w, a->extra.p, a->extra.len);
    mu__write_cstr(w, s->extra_headers);
    if (!a->complaint) {
        field(w, "Date", date_now(s));
    }
    if (c->keep_alive == speaks_old) { /* what is not the rule of its version */
        field(w, "Connection", speaks_old ? "keep-alive" : "close");
    }
    if (a->body_len != HTTP_UNKNOWN_LENGTH) {
        mu__write_cstr(w, "Content-Length: ");
        write_uint(w, a->body_len);
        mu__write_cstr(w, "\r\n");
    } else if (!c->is_old) {
        mu__write_cstr(w, "Transfer-Encoding: chunked\r\n");
    }
    mu__write_cstr(w, "\r\n");
    return w;
}

void http__forget_extra(struct http_server *s)
{
    s->extra.len = 0;
    s->extra.failed = false;
}

static void deliver(struct http_request *r, struct http_answer *a, struct mu__writer *body)
{
    struct http_server *s = r->server;
    struct http_connection *c = r->connection;
    a->extra = (struct mu_str){(const char *)s->extra.data, s->extra.len};
    if (r->flight) {
        http__flight_land(r, a, body);
        return;
    }
    const struct mu__writer *head = http__write_head(c, a);
    http__forget_extra(s);
    c->committed_ns = r->committed_ns;
    s->stats.requests++;
    http__connection_answer(c, head, body);
}

static bool gzip(struct http_server *s)
{
    s->packed.len = 0;
    s->packed.failed = false;
    if (deflateReset(&s->gzip) != Z_OK) { /* a finished stream tells a bound that is too small */
        return false;
    }
    size_t bound = deflateBound(&s->gzip, s->body.len);
    uint8_t *room =
        bound <= UINT32_MAX && s->body.len <= UINT32_MAX ? mu__write_room(&s->packed, bound) : NULL;
    if (!room) {
        return false;
    }
    s->gzip.next_in = s->body.data;
    s->gzip.avail_in = (uInt)s->body.len;
    s->gzip.next_out = room;
    s->gzip.avail_out = (uInt)bound;
    if (deflate(&s->gzip, Z_FINISH) != Z_STREAM_END) {
        return false;
    }
    s->packed.len = bound - s->gzip.avail_out;
    return true;
}

/* A writer that grew for one large answer does not keep its memory. */
static void give_back(struct mu__writer *w)
{
    w->len = 0;
    if (w->cap > SCRATCH_KEPT) {
        mu__writer_fini(w);
    }
}

static void answer(struct http_request *r, int status, const char *content_type)
{
    struct http_server *s = r->server;
    struct http_answer a = {.status = status, .content_type = content_type};
    a.packed = r->gzip && r->vary && s->body.len > 0 && !s->body.failed && gzip(s);
    struct mu__writer *body = a.packed ? &s->packed : &s->body;
    if (r->vary) {
        field(&s->extra, "Vary", "Accept-Encoding");
    }
    if (body->failed || s->extra.failed) {
        /* Out of memory in the middle of an answer: an honest error, not half of it */
        body->len = 0;
        body->failed = false;
        http__forget_extra(s);
        a = (struct http_answer){.status = 500};
    }
    a.body_len = body->len;
    metric_since(http__route_timer(s, r->route, r->method), r->began_ns);
    http__count_api(r, a.status);
    http__log_request(r);
    if (r->method == HTTP_HEAD) {
        body->len = 0;
    }
    deliver(r, &a, body);
}

void http__reply_stream_head(struct http_request *r, int status, const char *content_type)
{
    struct http_server *s = r->server;
    struct http_connection *c = r->connection;
    if (r->vary) {
        field(&s->extra, "Vary", "Accept-Encoding");
    }
    c->keep_alive = c->keep_alive && !c->is_old; /* the end is that of the connection */
    struct http_answer a = {.status = status,
                            .content_type = content_type,
                            .body_len = HTTP_UNKNOWN_LENGTH,
                            .extra = {(const char *)s->extra.data, s->extra.len}};
    const struct mu__writer *head = http__write_head(c, &a);
    bool failed = head->failed || s->extra.failed;
    http__forget_extra(s);
    s->stats.requests++;
    if (failed) {
        http__connection_close(c);
    } else {
        (void)!http__connection_send(c, head->data, head->len);
    }
}

void http_header(struct http_request *r, const char *name, const char *fmt, ...)
{
    char value[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(value, sizeof value, fmt, args);
    va_end(args);
    field(&r->server->extra, name, value);
}

void http_header_text(struct http_request *r, const char *name, const char *value)
{
    field(&r->server->extra, name, value);
}

void http_header_uint(struct http_request *r, const char *name, uint64_t value)
{
    struct mu__writer *w = &r->server->extra;
    mu__write_cstr(w, name);
    mu__write_cstr(w, ": ");
    write_uint(w, value);
    mu__write_cstr(w, "\r\n");
}

void http_drop_headers(struct http_request *r)
{
    r->server->extra.len = 0;
}

static struct mu__writer *body_writer(struct http_server *s)
{
    give_back(&s->body);
    give_back(&s->packed);
    s->body.failed = false;
    return &s->body;
}

void http_reply_empty(struct http_request *r, int status)
{
    body_writer(r->server);
    answer(r, status, NULL);
}

void http_reply_bytes(struct http_request *r, int status, const char *content_type,
                      struct mu_str body)
{
    mu__write_bytes(body_writer(r->server), body.p, body.len);
    answer(r, status, content_type);
}

void http_reply_text(struct http_request *r, int status, const char *fmt, ...)
{
    struct mu__writer *w = body_writer(r->server);
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    uint8_t *room = n >= 0 ? mu__write_room(w, (size_t)n + 1) : NULL;
    if (room) {
        vsnprintf((char *)room, (size_t)n + 1, fmt, again);
        w->len--; /* without the zero */
    }
    va_end(again);
    va_end(args);
    answer(r, status, n > 0 ? text_type : NULL);
}

struct mu__json http_json(struct http_request *r)
{
    return mu__json(body_writer(r->server), r->pretty);
}

void http_reply_json(struct http_request *r, struct mu__json *j, int status)
{
    if (r->pretty) {
        mu__write_cstr(j->w, "\n");
    }
    answer(r, status, json_type);
}

static void wipe(struct mu__writer *w)
{
    if (w->cap) {
        mu__wipe(w->data, w->cap);
    }
    w->len = 0;
}

void http_reply_secret_json(struct http_request *r, struct mu__json *j, int status)
{
    struct http_server *s = r->server;
    s->tells_secret = true;
    http_reply_json(r, j, status);
    s->tells_secret = false;
    wipe(&s->body);
    wipe(&s->packed);
}

/* ---- Without a request ---- */

void http__reply_refusal(struct http_connection *c, int status, const char *complaint)
{
    struct http_server *s = c->server;
    struct mu__writer *w = body_writer(s);
    if (status == 501) {
        mu__write_cstr(w, "Unsupported transfer encoding");
    } else {
        write_uint(w, (uint64_t)status);
        mu__write_cstr(w, " ");
        mu__write_cstr(w, reason(status));
        mu__write_cstr(w, complaint);
    }
    c->keep_alive = false;
    http__forget_extra(s);
    struct http_answer a = {
        .status = status, .content_type = text_type, .complaint = complaint, .body_len = w->len};
    s->stats.requests++;
    http__connection_answer(c, http__write_head(c, &a), w);
}

void http__reply_bad_chunk(struct http_request *r)
{
    const char *complaint = r->connection->chunked.complaint;
    r->connection->keep_alive = false;
    r->vary = true;
    http_reply_text(r, 500, "%s", complaint ? complaint : "malformed chunked encoding");
}

void http__reply_too_large(struct http_request *r, uint64_t length, bool known)
{
    char size[48] = "";
    if (known) {
        snprintf(size, sizeof size, "(%llu bytes)", (unsigned long long)length);
    }
    size_t max = http__request_body_max(r);
    enum http_body_limit limit = r->route ? r->route->body : BODY_DEFAULT;
    const char *see = limit == BODY_KV    ? " See " LIMITS_DOC "#kv_max_value_size."
                      : limit == BODY_TXN ? " See " LIMITS_DOC "#txn_max_req_len."
                                          : "";
    r->vary = true;
    http_reply_text(r, 413, "Request body%s too large, max size: %zu bytes.%s", size, max, see);
}
