#include "proxy/discover.h"

#include "base/log.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE        "connect.proxy"
#define ANSWER_MAX    (64 << 20)
#define HEADERS_MAX   (64 << 10)
#define TIMEOUT_S     400 /* above the 300 s that a query waits, and its jitter */
#define PATH_MAX_LEN  2048
#define DELAY_MIN_MS  250
#define DELAY_MAX_MS  30000
#define HOST_NAME_MAX 300

struct discovery {
    struct event_base *base;
    char host[256];
    uint16_t port;
    char token[256], service[256], datacenter[256];
    void (*known_fn)(void *user);
    void *user;

    struct evhttp_connection *connection; /* while a query stands */
    struct event *retry;
    uint64_t index;
    unsigned delay_ms; /* before the next query, after a failure; 0: none has failed */
    bool known;
    struct proxy_address *list;
    size_t count, turn;
};

/* ---- What an answer says ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static bool read_entry(const json_t *entry, struct proxy_address *out)
{
    const json_t *service = json_object_get(entry, "Service");
    const char *ip = text_of(service, "Address");
    json_int_t port = json_integer_value(json_object_get(service, "Port"));
    if (!*ip) {
        ip = text_of(json_object_get(entry, "Node"), "Address");
    }
    return port > 0 && port <= 65535 && proxy_address_make(ip, (uint16_t)port, out);
}

bool discovery_read(const char *body, size_t len, struct proxy_address **out, size_t *count)
{
    json_t *root = json_loadb(body, len, 0, NULL);
    size_t n = json_array_size(root), read = 0;
    struct proxy_address *list = json_is_array(root) ? calloc(n + 1, sizeof *list) : NULL;
    for (size_t i = 0; list && i < n; i++) {
        read += read_entry(json_array_get(root, i), &list[read]);
    }
    json_decref(root);
    *out = list;
    *count = list ? read : 0;
    return list != NULL;
}

/* ---- Asking ---- */

static void ask(struct discovery *d);

static void wait_to_ask(struct discovery *d, unsigned ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    event_add(d->retry, &tv);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    ask(arg);
}

/* What was known serves on. */
static void failed(struct discovery *d, const char *why)
{
    log_warn(MODULE, "upstream %s: the agent does not say where it is: %s", d->service, why);
    unsigned twice = d->delay_ms * 2;
    d->delay_ms = !twice ? DELAY_MIN_MS : twice > DELAY_MAX_MS ? DELAY_MAX_MS : twice;
    d->index = 0;
    wait_to_ask(d, d->delay_ms);
}

/* An index that goes back, or is none, makes the next query one that does not wait. */
static void take_index(struct discovery *d, struct evhttp_request *req)
{
    const char *text = evhttp_find_header(evhttp_request_get_input_headers(req), "X-Consul-Index");
    uint64_t index = text ? strtoull(text, NULL, 10) : 0;
    d->index = index < d->index ? 0 : index;
}

static void take(struct discovery *d, struct evhttp_request *req)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t len = evbuffer_get_length(in), count = 0;
    const char *body = (const char *)evbuffer_pullup(in, -1);
    struct proxy_address *list = NULL;
    if (!body || !discovery_read(body, len, &list, &count)) {
        failed(d, "its answer is no list");
        return;
    }
    free(d->list);
    d->list = list;
    d->count = count;
    bool first = !d->known;
    d->known = true;
    d->delay_ms = 0;
    take_index(d, req);
    /* An agent without blocking queries would otherwise be asked without end. */
    wait_to_ask(d, d->index ? 0 : 1000);
    if (first && d->known_fn) {
        d->known_fn(d->user);
    }
}

static void on_answer(struct evhttp_request *req, void *arg)
{
    struct discovery *d = arg;
    int status = req ? evhttp_request_get_response_code(req) : 0;
    char why[40];
    if (status == 200) {
        take(d, req);
    } else {
        snprintf(why, sizeof why, status ? "status %d" : "no answer", status);
        failed(d, why);
    }
}

static void append_escaped(char *to, size_t cap, const char *text)
{
    char *escaped = evhttp_uriencode(text, -1, 0);
    size_t len = strlen(to);
    snprintf(to + len, cap - len, "%s", escaped ? escaped : "");
    free(escaped);
}

/* From the agent's cache, which has had it since the proxy was registered, and which asks the
 * servers once however many proxies ask. */
static void make_path(const struct discovery *d, char path[PATH_MAX_LEN])
{
    snprintf(path, PATH_MAX_LEN, "/v1/health/connect/");
    append_escaped(path, PATH_MAX_LEN, d->service);
    size_t len = strlen(path);
    snprintf(path + len, PATH_MAX_LEN - len, "?cached&passing=1&wait=300s&index=%llu%s",
             (unsigned long long)d->index, d->datacenter[0] ? "&dc=" : "");
    append_escaped(path, PATH_MAX_LEN, d->datacenter);
}

static bool send_query(struct discovery *d)
{
    char path[PATH_MAX_LEN], host[HOST_NAME_MAX];
    struct evhttp_request *req = evhttp_request_new(on_answer, d);
    if (!req) {
        return false;
    }
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    snprintf(host, sizeof host, "%s:%u", d->host, d->port);
    evhttp_add_header(headers, "Host", host);
    if (d->token[0]) {
        evhttp_add_header(headers, "X-Consul-Token", d->token);
    }
    make_path(d, path);
    return evhttp_make_request(d->connection, req, EVHTTP_REQ_GET, path) == 0;
}

static void ask(struct discovery *d)
{
    if (!d->connection) {
        d->connection = evhttp_connection_base_new(d->base, NULL, d->host, d->port);
        if (d->connection) {
            evhttp_connection_set_timeout(d->connection, TIMEOUT_S);
            evhttp_connection_set_max_body_size(d->connection, ANSWER_MAX);
            evhttp_connection_set_max_headers_size(d->connection, HEADERS_MAX);
        }
    }
    if (!d->connection || !send_query(d)) {
        failed(d, "no request could be made");
    }
}

/* ---- Its life ---- */

struct discovery *discovery_create(const struct discovery_config *c)
{
    struct discovery *d = calloc(1, sizeof *d);
    if (!d) {
        return NULL;
    }
    d->base = c->base;
    d->port = c->port;
    d->known_fn = c->known;
    d->user = c->user;
    snprintf(d->host, sizeof d->host, "%s", c->host);
    snprintf(d->token, sizeof d->token, "%s", c->token);
    snprintf(d->service, sizeof d->service, "%s", c->service);
    snprintf(d->datacenter, sizeof d->datacenter, "%s", c->datacenter);
    d->retry = evtimer_new(c->base, on_retry, d);
    if (!d->retry) {
        free(d);
        return NULL;
    }
    wait_to_ask(d, 0);
    return d;
}

void discovery_destroy(struct discovery *d)
{
    if (!d) {
        return;
    }
    if (d->connection) {
        evhttp_connection_free(d->connection);
    }
    event_free(d->retry);
    free(d->list);
    explicit_bzero(d, sizeof *d);
    free(d);
}

bool discovery_known(const struct discovery *d)
{
    return d->known;
}

size_t discovery_count(const struct discovery *d)
{
    return d->count;
}

bool discovery_next(struct discovery *d, struct proxy_address *out)
{
    if (!d->count) {
        return false;
    }
    *out = d->list[d->turn++ % d->count];
    return true;
}
