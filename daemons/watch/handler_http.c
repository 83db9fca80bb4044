/* A handler that is a web server: it is sent the payload (agent-config 8). */
#include "handler.h"

#include "base/log.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MODULE      "agent"
#define ANSWER_MAX  (1 << 20) /* bytes that are read; the last WATCH_OUTPUT_MAX are logged */
#define HEADERS_MAX (64 << 10)

static void on_answer(struct evhttp_request *req, void *arg)
{
    struct watch_handler *h = arg;
    char output[WATCH_OUTPUT_MAX + 64];
    int status = req ? evhttp_request_get_response_code(req) : 0;
    if (!status) {
        log_error(MODULE, "Failed to invoke http watch handler: watch=%s error=\"no answer\"",
                  h->name);
    } else {
        struct evbuffer *in = evhttp_request_get_input_buffer(req);
        size_t len = evbuffer_get_length(in);
        watch__keep_output(h, (const char *)evbuffer_pullup(in, -1), len);
        watch__output(h, output, sizeof output);
        if (status >= 200 && status < 300) {
            log_debug(MODULE, "http watch handler output: watch=%s output=\"%s\"", h->name, output);
        } else {
            log_error(MODULE, "http watch handler failed with output: watch=%s output=\"%s\"",
                      h->name, output);
        }
    }
    event_active(h->answered, EV_TIMEOUT, 0);
}

/* The connection cannot be freed by the answer's own callback. */
static void on_answered(evutil_socket_t fd, short what, void *arg)
{
    struct watch_handler *h = arg;
    (void)fd, (void)what;
    h->done(h->arg, h);
}

static enum evhttp_cmd_type command(struct mu_str method)
{
    static const struct {
        const char *name;
        enum evhttp_cmd_type type;
    } all[] = {{"GET", EVHTTP_REQ_GET},        {"POST", EVHTTP_REQ_POST},
               {"PUT", EVHTTP_REQ_PUT},        {"DELETE", EVHTTP_REQ_DELETE},
               {"PATCH", EVHTTP_REQ_PATCH},    {"HEAD", EVHTTP_REQ_HEAD},
               {"OPTIONS", EVHTTP_REQ_OPTIONS}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!strcmp(all[i].name, method.p)) {
            return all[i].type;
        }
    }
    return EVHTTP_REQ_POST;
}

static void add_headers(struct evhttp_request *req, const struct watch_plan *p, uint64_t index,
                        const char *authority)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(req);
    char text[24];
    bool has_host = false;
    snprintf(text, sizeof text, "%" PRIu64, index);
    evhttp_add_header(out, "Content-Type", "application/json");
    evhttp_add_header(out, "X-Consul-Index", text);
    evhttp_add_header(out, "Connection", "close");
    for (size_t i = 0; i < p->http.headers.len; i++) {
        const char *name = p->http.headers.items[i].key.p;
        has_host = has_host || !strcasecmp(name, "Host");
        for (size_t j = 0; j < p->http.headers.items[i].value.len; j++) {
            /* Refuses line breaks */
            (void)evhttp_add_header(out, name, p->http.headers.items[i].value.items[j].p);
        }
    }
    if (!has_host) {
        evhttp_add_header(out, "Host", authority);
    }
}

static void limit(struct evhttp_connection *c, int64_t timeout_ns)
{
    struct timeval tv = {.tv_sec = (time_t)(timeout_ns / (int64_t)MU_SEC),
                         .tv_usec = (suseconds_t)(timeout_ns % (int64_t)MU_SEC / 1000)};
    evhttp_connection_set_timeout_tv(c, &tv);
    evhttp_connection_set_max_body_size(c, ANSWER_MAX);
    evhttp_connection_set_max_headers_size(c, HEADERS_MAX);
    evhttp_connection_set_retries(c, 0);
}

static bool send_request(struct watch_handler *h, const struct watch_plan *p,
                         const struct watch_change *change, const struct evhttp_uri *uri)
{
    char target[4096], authority[300];
    const char *path = evhttp_uri_get_path(uri), *query = evhttp_uri_get_query(uri);
    struct evhttp_request *req = evhttp_request_new(on_answer, h);
    if (!req) {
        return false;
    }
    snprintf(target, sizeof target, "%s%s%s", path && *path ? path : "/", query ? "?" : "",
             query ? query : "");
    int port = evhttp_uri_get_port(uri);
    if (port > 0) {
        snprintf(authority, sizeof authority, "%s:%d", evhttp_uri_get_host(uri), port);
    } else {
        snprintf(authority, sizeof authority, "%s", evhttp_uri_get_host(uri));
    }
    add_headers(req, p, change->index, authority);
    evbuffer_add(evhttp_request_get_output_buffer(req), change->payload, strlen(change->payload));
    return evhttp_make_request(h->connection, req, command(p->http.method), target) == 0;
}

bool watch__http_start(struct watch_handler *h, struct event_base *base, struct evdns_base *dns,
                       const struct watch_plan *p, const struct watch_change *change)
{
    struct evhttp_uri *uri = evhttp_uri_parse(p->http.url.p);
    const char *host = uri ? evhttp_uri_get_host(uri) : NULL;
    bool ok = false;
    h->answered = evtimer_new(base, on_answered, h);
    if (host && *host && h->answered) {
        int port = evhttp_uri_get_port(uri);
        h->connection =
            evhttp_connection_base_new(base, dns, host, (uint16_t)(port > 0 ? port : 80));
        if (h->connection) {
            limit(h->connection, p->http.timeout_ns);
            ok = send_request(h, p, change, uri);
        }
    }
    if (uri) {
        evhttp_uri_free(uri);
    }
    if (!ok) {
        log_error(MODULE, "Failed to invoke http watch handler: watch=%s error=\"cannot connect\"",
                  h->name);
    }
    return ok;
}

void watch__http_stop(struct watch_handler *h)
{
    if (h->connection) {
        evhttp_connection_free(h->connection);
        h->connection = NULL;
    }
    if (h->answered) {
        event_free(h->answered);
        h->answered = NULL;
    }
}
