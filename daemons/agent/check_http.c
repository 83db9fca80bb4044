/* An HTTP check asks for one document over a connection of its own: 2xx is passing, 429 a warning,
 * all else critical. https:// goes through check_channel.h like the rest. */
#include "agent/check_channel.h"
#include "agent/check_http_response.h"
#include "agent/check_url.h"

#include "cursor.h"

#include <ctype.h>
#include <event2/buffer.h>
#include <mbedtls/base64.h>
#include <stdlib.h>
#include <string.h>

#define USER_MAX 512u

struct http {
    struct check *check;
    struct check__url url;
    struct check__tls_wish tls;
    char *fault;      /* why no request can be made; NULL: it can */
    bool fault_whole; /* it is not to be put behind `Get "url": ` */
    struct mu__writer request;
    struct check__channel channel;
    struct http_response response;
    struct check__tail body;
};

/* ---- The request, written once ---- */

static bool is_clean(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* RFC 9110 5.6.2 */
static bool is_token(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c)) {
            return false;
        }
    }
    return s.len > 0;
}

static struct mu_str method_of(const struct http *h)
{
    struct mu_str m = h->check->type->method;
    return m.len ? m : mu__cstr("GET");
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

static bool is_own(struct mu_str name)
{
    static const char *const own[] = {"Host",       "User-Agent",     "Accept",
                                      "Connection", "Content-Length", "Transfer-Encoding"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (mu__str_ieq(name, mu__cstr(own[i]))) {
            return true;
        }
    }
    return false;
}

static bool write_headers(struct http *h, char *why, size_t cap)
{
    const struct mu_strsmap *headers = &h->check->type->header;
    char quoted[128];
    for (size_t i = 0; i < headers->len; i++) {
        struct mu_str name = headers->items[i].key;
        if (!is_token(name)) {
            check__quote(name, quoted, sizeof quoted);
            snprintf(why, cap, "net/http: invalid header field name %s", quoted);
            return false;
        }
        for (size_t j = 0; j < headers->items[i].value.len; j++) {
            struct mu_str value = headers->items[i].value.items[j];
            if (!is_clean(value)) {
                check__quote(value, quoted, sizeof quoted);
                snprintf(why, cap, "net/http: invalid header field value %s for key %.*s", quoted,
                         (int)mu__min(name.len, 128), name.p);
                return false;
            }
            if (!is_own(name)) {
                write_header(&h->request, name, value);
            }
        }
    }
    return true;
}

/* What is wrongly escaped is taken as it stands. */
static size_t unescape(struct mu_str s, unsigned char *out)
{
    size_t n = 0;
    unsigned byte;
    for (size_t i = 0; i < s.len; i++) {
        const char hex[3] = {s.len - i > 2 ? s.p[i + 1] : 0, s.len - i > 2 ? s.p[i + 2] : 0, 0};
        bool escape = s.p[i] == '%' && isxdigit((unsigned char)hex[0]) &&
                      isxdigit((unsigned char)hex[1]) && sscanf(hex, "%2x", &byte) == 1;
        out[n++] = (unsigned char)(escape ? byte : (unsigned char)s.p[i]);
        i += escape ? 2 : 0;
    }
    return n;
}

/* RFC 7617; unless the definition says something else. The parts are escaped in a URL, and are not
 * in the header (RFC 3986 3.2.1). */
static void write_user(struct http *h)
{
    unsigned char plain[USER_MAX + 1], text[2 * USER_MAX];
    size_t len = 0, n;
    struct mu_str user = h->url.user, none = {NULL, 0};
    if (!user.len || user.len > USER_MAX ||
        given(&h->check->type->header, "Authorization", none).len) {
        return;
    }
    n = unescape(user, plain);
    if (!memchr(user.p, ':', user.len)) {
        plain[n++] = ':';
    }
    if (!mbedtls_base64_encode(text, sizeof text, &len, plain, n)) {
        mu__write_cstr(&h->request, "Authorization: Basic ");
        mu__write_bytes(&h->request, text, len);
        mu__write_cstr(&h->request, "\r\n");
    }
}

static void write_target(struct http *h)
{
    size_t len = check__url_escape_path(h->url.path, NULL, 0);
    uint8_t *room = mu__write_room(&h->request, len);
    if (room) {
        check__url_escape_path(h->url.path, (char *)room, len);
    }
    if (!len) {
        mu__write_cstr(&h->request, "/");
    }
    write_str(&h->request, h->url.query);
}

static bool write_request(struct http *h, char *why, size_t cap)
{
    const struct catalog_check_type *t = h->check->type;
    struct mu__writer *w = &h->request;
    char length[32];
    write_str(w, method_of(h));
    mu__write_cstr(w, " ");
    write_target(h);
    mu__write_cstr(w, " HTTP/1.1\r\n");
    write_header(w, mu__cstr("Host"), given(&t->header, "Host", h->url.authority));
    write_header(w, mu__cstr("User-Agent"),
                 given(&t->header, "User-Agent", mu__cstr("Consul Health Check")));
    write_header(w, mu__cstr("Accept"),
                 given(&t->header, "Accept", mu__cstr("text/plain, text/*, */*")));
    write_user(h);
    if (!write_headers(h, why, cap)) {
        return false;
    }
    if (t->body.len) {
        snprintf(length, sizeof length, "%zu", t->body.len);
        write_header(w, mu__cstr("Content-Length"), mu__cstr(length));
    }
    mu__write_cstr(w, "Connection: close\r\n\r\n");
    write_str(w, t->body);
    snprintf(why, cap, "out of memory");
    return !w->failed;
}

/* Everything that can be said before a connection is made. */
static bool prepare(struct http *h, char *why, size_t cap)
{
    char quoted[128];
    struct mu_str method = method_of(h);
    if (!is_token(method)) {
        check__quote(method, quoted, sizeof quoted);
        snprintf(why, cap, "net/http: invalid method %s", quoted);
        h->fault_whole = true;
        return false;
    }
    return check__url_parse(h->check->type->http, &h->url, why, cap, &h->fault_whole) &&
           write_request(h, why, cap);
}

static void http_destroy(void *kind)
{
    struct http *h = kind;
    mu__writer_fini(&h->request);
    check__tail_fini(&h->body);
    free(h->fault);
    free(h);
}

static void *http_create(struct check *c)
{
    char why[CHECK__URL_WHY_MAX];
    struct http *h = calloc(1, sizeof *h);
    if (!h) {
        return NULL;
    }
    h->check = c;
    h->tls.skip_verify = c->type->tls_skip_verify;
    h->request = mu__writer_growing(&mu__malloc_allocator);
    bool ok = check__tail_init(&h->body, c->output_max);
    if (ok && !prepare(h, why, sizeof why)) {
        h->fault = strdup(why);
        ok = h->fault != NULL;
    }
    if (!ok) {
        http_destroy(h);
        return NULL;
    }
    return h;
}

/* ---- One attempt ---- */

static void http_abort(void *kind)
{
    struct http *h = kind;
    check__channel_close(&h->channel);
}

/* The URL for messages: a password is nobody's business. */
static void show_url(const struct http *h, char *out, size_t cap)
{
    struct mu_str url = h->check->type->http, user = h->url.user;
    const char *colon = user.len ? memchr(user.p, ':', user.len) : NULL;
    if (!colon) {
        snprintf(out, cap, "%.*s", (int)mu__min(url.len, cap), url.p);
        return;
    }
    const char *after = user.p + user.len;
    snprintf(out, cap, "%.*s***%.*s", (int)mu__min((size_t)(colon + 1 - url.p), cap), url.p,
             (int)mu__min((size_t)(url.p + url.len - after), cap), after);
}

/* `Get "http://...": why`, as Go's client says it. */
static void fail(struct http *h, const char *why)
{
    struct mu_str m = method_of(h);
    char url[512], method[16];
    http_abort(h);
    if (h->fault_whole) {
        check__done(h->check, CHECK_CRITICAL, "%s", why);
        return;
    }
    show_url(h, url, sizeof url);
    snprintf(method, sizeof method, "%.*s", (int)mu__min(m.len, sizeof method), m.p);
    for (char *p = method + 1; *p; p++) {
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    }
    check__done(h->check, CHECK_CRITICAL, "%s \"%s\": %s", method, url, why);
}

static void finish(struct http *h)
{
    int code = h->response.code;
    enum check_status status = code >= 200 && code <= 299 ? CHECK_PASSING
                               : code == 429              ? CHECK_WARNING
                                                          : CHECK_CRITICAL;
    struct mu_str url = h->check->type->http, body = check__tail_text(&h->body), m = method_of(h);
    size_t cap = url.len + body.len + m.len + sizeof h->response.status + 32;
    char *text = malloc(cap);
    http_abort(h);
    if (!text) {
        check__done(h->check, status, "out of memory");
        return;
    }
    int n = snprintf(text, cap, "HTTP %.*s %.*s: %s Output: ", (int)m.len, m.p, (int)url.len, url.p,
                     h->response.status);
    if (body.len) {
        memcpy(text + n, body.p, body.len);
    }
    /* May destroy h */
    check__done_with(h->check, status, (struct mu_str){text, (size_t)n + body.len});
    free(text);
}

static void on_opened(void *arg)
{
    struct http *h = arg;
    check__channel_write(&h->channel, h->request.data, h->request.len);
}

static void on_received(void *arg, struct evbuffer *in)
{
    struct http *h = arg;
    enum http_step what = http_response_take(&h->response, in);
    if (what == HTTP_DONE) {
        finish(h);
    } else if (what == HTTP_MALFORMED) {
        fail(h, "malformed HTTP response");
    }
}

static void on_ended(void *arg, enum check__end end, const char *why)
{
    struct http *h = arg;
    if (end != CHECK__END_DIAL && end != CHECK__END_HANDSHAKE && h->response.in_body) {
        finish(h); /* a body cut short does not change what the status said */
    } else {
        fail(h, why);
    }
}

static void http_run(void *kind)
{
    static const struct check__channel_events events = {on_opened, on_received, on_ended};
    struct http *h = kind;
    if (h->fault) {
        fail(h, h->fault);
        return;
    }
    const struct check__route route = {
        .host = h->url.host, .port = h->url.port, .tls = h->url.tls ? &h->tls : NULL};
    check__tail_reset(&h->body);
    http_response_init(&h->response, mu__str_eq(method_of(h), mu__cstr("HEAD")), &h->body);
    char why[512];
    if (!check__channel_open(&h->channel, h->check->world, &route, &events, h, why, sizeof why)) {
        fail(h, why);
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
