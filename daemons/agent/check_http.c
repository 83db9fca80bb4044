/* An HTTP check asks for one document over a connection of its own: 2xx is passing, 429 a warning,
 * all else critical. */
#include "agent/check_http_response.h"

#include "cursor.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <stdlib.h>
#include <string.h>

struct http {
    struct check *check;
    char host[256];
    uint16_t port;
    struct mu_str authority, target; /* of the URL, lent from the check's type */
    char method[16];
    const char *fault; /* why no request can be made; NULL: it can */
    struct mu__writer request;
    struct bufferevent *bev; /* NULL: nothing is under way */
    struct http_response response;
    struct check__tail body;
};

/* ---- The request, written once ---- */

static bool is_clean(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* http://authority[/target] without user and fragment. */
static const char *parse_url(struct http *h)
{
    struct mu_str url = h->check->type->http;
    char with_port[300];
    if (url.len < 8 || !is_clean(url) || memchr(url.p, ' ', url.len)) {
        return "invalid URL";
    }
    const char *at = url.p + 7, *end = url.p + url.len;
    const char *hash = memchr(at, '#', (size_t)(end - at));
    end = hash ? hash : end;
    const char *slash = at;
    while (slash < end && *slash != '/' && *slash != '?') {
        slash++;
    }
    h->authority = (struct mu_str){at, (size_t)(slash - at)};
    h->target = (struct mu_str){slash, (size_t)(end - slash)};
    if (memchr(at, '@', h->authority.len)) {
        return "a user in the URL is not supported";
    }
    if (check__split_host_port(h->authority, h->host, sizeof h->host, &h->port)) {
        return NULL;
    }
    int n = snprintf(with_port, sizeof with_port, "%.*s:80", (int)h->authority.len, h->authority.p);
    bool ok = n > 0 && (size_t)n < sizeof with_port &&
              check__split_host_port((struct mu_str){with_port, (size_t)n}, h->host, sizeof h->host,
                                     &h->port);
    return ok ? NULL : "invalid host in URL";
}

static const char *parse_method(struct http *h)
{
    struct mu_str m = h->check->type->method;
    if (!m.len) {
        m = mu__cstr("GET");
    }
    if (m.len >= sizeof h->method) {
        return "invalid method";
    }
    for (size_t i = 0; i < m.len; i++) {
        bool letter = (m.p[i] >= 'A' && m.p[i] <= 'Z') || (m.p[i] >= 'a' && m.p[i] <= 'z');
        if (!letter) {
            return "invalid method";
        }
        h->method[i] = m.p[i];
    }
    return NULL;
}

static void write_str(struct mu__writer *w, struct mu_str s)
{
    mu__write_bytes(w, s.p, s.len);
}

static void write_header(struct mu__writer *w, struct mu_str name, struct mu_str value)
{
    write_str(w, name);
    mu__write_cstr(w, ": ");
    write_str(w, value);
    mu__write_cstr(w, "\r\n");
}

/* The first value given for a header, in any case; otherwise its default. */
static struct mu_str given(const struct mu_strsmap *headers, const char *name,
                           struct mu_str otherwise)
{
    for (size_t i = 0; i < headers->len; i++) {
        if (mu__str_ieq(headers->items[i].key, mu__cstr(name)) && headers->items[i].value.len) {
            return headers->items[i].value.items[0];
        }
    }
    return otherwise;
}

static bool is_token(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= ' ' || s.p[i] == ':' || s.p[i] == 0x7f) {
            return false;
        }
    }
    return s.len > 0;
}

static const char *write_headers(struct http *h)
{
    static const char *const own[] = {"Host",       "User-Agent",     "Accept",
                                      "Connection", "Content-Length", "Transfer-Encoding"};
    const struct mu_strsmap *headers = &h->check->type->header;
    for (size_t i = 0; i < headers->len; i++) {
        struct mu_str name = headers->items[i].key;
        bool is_own = false;
        for (size_t j = 0; j < sizeof own / sizeof *own; j++) {
            is_own = is_own || mu__str_ieq(name, mu__cstr(own[j]));
        }
        for (size_t j = 0; j < headers->items[i].value.len; j++) {
            struct mu_str value = headers->items[i].value.items[j];
            if (!is_token(name) || !is_clean(value)) {
                return "invalid header";
            }
            if (!is_own) {
                write_header(&h->request, name, value);
            }
        }
    }
    return NULL;
}

static const char *write_request(struct http *h)
{
    const struct catalog_check_type *t = h->check->type;
    struct mu__writer *w = &h->request;
    char length[32];
    mu__write_cstr(w, h->method);
    mu__write_cstr(w, h->target.len && h->target.p[0] == '/' ? " " : " /");
    write_str(w, h->target);
    mu__write_cstr(w, " HTTP/1.1\r\n");
    write_header(w, mu__cstr("Host"), given(&t->header, "Host", h->authority));
    write_header(w, mu__cstr("User-Agent"),
                 given(&t->header, "User-Agent", mu__cstr("Consul Health Check")));
    write_header(w, mu__cstr("Accept"),
                 given(&t->header, "Accept", mu__cstr("text/plain, text/*, */*")));
    const char *fault = write_headers(h);
    if (t->body.len) {
        snprintf(length, sizeof length, "%zu", t->body.len);
        write_header(w, mu__cstr("Content-Length"), mu__cstr(length));
    }
    mu__write_cstr(w, "Connection: close\r\n\r\n");
    write_str(w, t->body);
    return fault ? fault : w->failed ? "out of memory" : NULL;
}

static void http_destroy(void *kind)
{
    struct http *h = kind;
    mu__writer_fini(&h->request);
    check__tail_fini(&h->body);
    free(h);
}

static void *http_create(struct check *c)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h) {
        return NULL;
    }
    h->check = c;
    h->request = mu__writer_growing(&mu__malloc_allocator);
    if (!check__tail_init(&h->body, c->output_max)) {
        http_destroy(h);
        return NULL;
    }
    h->fault = parse_url(h);
    h->fault = h->fault ? h->fault : parse_method(h);
    h->fault = h->fault ? h->fault : write_request(h);
    return h;
}

/* ---- One attempt ---- */

static void http_abort(void *kind)
{
    struct http *h = kind;
    if (h->bev) {
        bufferevent_free(h->bev);
        h->bev = NULL;
    }
}

/* `Get "http://...": why`, as Go's client says it. */
static void fail(struct http *h, const char *why)
{
    struct mu_str url = h->check->type->http;
    char method[16];
    snprintf(method, sizeof method, "%s", h->method[0] ? h->method : "GET");
    for (char *p = method + 1; *p; p++) {
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    }
    http_abort(h);
    check__done(h->check, CHECK_CRITICAL, "%s \"%.*s\": %s", method, (int)mu__min(url.len, 512),
                url.p, why);
}

static void finish(struct http *h)
{
    int code = h->response.code;
    enum check_status status = code >= 200 && code <= 299 ? CHECK_PASSING
                               : code == 429              ? CHECK_WARNING
                                                          : CHECK_CRITICAL;
    struct mu_str url = h->check->type->http, body = check__tail_text(&h->body);
    size_t cap = url.len + body.len + sizeof h->method + sizeof h->response.status + 32;
    char *text = malloc(cap);
    http_abort(h);
    if (!text) {
        check__done(h->check, status, "out of memory");
        return;
    }
    int n = snprintf(text, cap, "HTTP %s %.*s: %s Output: ", h->method, (int)url.len, url.p,
                     h->response.status);
    if (body.len) {
        memcpy(text + n, body.p, body.len);
    }
    /* May destroy h */
    check__done_with(h->check, status, (struct mu_str){text, (size_t)n + body.len});
    free(text);
}

static void step(struct http *h, enum http_step what)
{
    if (what == HTTP_DONE) {
        finish(h);
    } else if (what == HTTP_MALFORMED) {
        fail(h, "malformed HTTP response");
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct http *h = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    struct evbuffer_iovec piece;
    enum http_step what = HTTP_MORE;
    while (what == HTTP_MORE && evbuffer_peek(in, -1, NULL, &piece, 1) > 0) {
        what = http_response_feed(&h->response, piece.iov_base, piece.iov_len);
        evbuffer_drain(in, piece.iov_len);
    }
    step(h, what);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct http *h = arg;
    char why[512];
    if (what & BEV_EVENT_CONNECTED) {
        return;
    }
    if (what & BEV_EVENT_EOF) {
        if (h->response.in_body) {
            finish(h); /* a body cut short does not change what the status said */
        } else {
            fail(h, "EOF");
        }
        return;
    }
    check__dial_error(h->host, h->port, bufferevent_socket_get_dns_error(bev),
                      EVUTIL_SOCKET_ERROR(), why, sizeof why);
    fail(h, why);
}

static void http_run(void *kind)
{
    struct http *h = kind;
    if (h->fault) {
        fail(h, h->fault);
        return;
    }
    check__tail_reset(&h->body);
    http_response_init(&h->response, !strcmp(h->method, "HEAD"), &h->body);
    h->bev = bufferevent_socket_new(h->check->world->base, -1,
                                    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!h->bev) {
        fail(h, "out of memory");
        return;
    }
    bufferevent_setcb(h->bev, on_read, NULL, on_event, h);
    bufferevent_write(h->bev, h->request.data, h->request.len);
    bufferevent_enable(h->bev, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect_hostname(h->bev, check__dns(h->check->world), AF_UNSPEC, h->host,
                                            h->port)) {
        fail(h, "dial tcp: no socket");
    }
}

static void http_expired(void *kind)
{
    struct http *h = kind;
    if (h->response.in_body) {
        finish(h);
    } else {
        fail(h, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    }
}

const struct check_kind check__http = {http_create, http_run, http_abort, http_destroy,
                                       http_expired};
