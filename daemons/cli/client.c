#include "client.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ADDRESS "127.0.0.1:8500"
#define TIMEOUT_S       660 /* above the longest blocking query */

bool cli_client_init(struct cli_client *c, const char *addr, const char *token)
{
    const char *env = getenv("CONSUL_HTTP_ADDR");
    addr = addr && *addr ? addr : env && *env ? env : DEFAULT_ADDRESS;
    if (strncmp(addr, "https://", 8) == 0 || strncmp(addr, "unix://", 7) == 0) {
        fprintf(stderr, "Error: -http-addr %s: only plain http is supported\n", addr);
        return false;
    }
    if (strncmp(addr, "http://", 7) == 0) {
        addr += 7;
    }
    snprintf(c->authority, sizeof c->authority, "%.*s", (int)strcspn(addr, "/"), addr);
    const char *colon = strrchr(c->authority, ':');
    const char *close = strrchr(c->authority, ']');
    size_t len =
        colon && (!close || colon > close) ? (size_t)(colon - c->authority) : strlen(c->authority);
    long port = len < strlen(c->authority) ? strtol(colon + 1, NULL, 10) : 80;
    c->port = port > 0 && port <= 65535 ? (int)port : 0;
    const char *host = c->authority;
    if (host[0] == '[' && len > 1 && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    snprintf(c->host, sizeof c->host, "%.*s", (int)len, host);
    if (c->port == 0 || !c->host[0]) {
        fprintf(stderr, "Error: -http-addr %s: not host:port\n", addr);
        return false;
    }
    const char *env_token = getenv("CONSUL_HTTP_TOKEN");
    c->token = token && *token ? token : env_token && *env_token ? env_token : NULL;
    return true;
}

struct exchange {
    struct event_base *base;
    struct cli_response *out;
    cli_piece_fn piece; /* NULL: the body is kept */
    void *user;
};

/* A piece of a body that is followed; that of an error is kept. */
static void on_piece(struct evhttp_request *req, void *arg)
{
    struct exchange *x = arg;
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t len = evbuffer_get_length(in);
    const char *data = (const char *)evbuffer_pullup(in, -1);
    if (evhttp_request_get_response_code(req) == 200) {
        x->piece(x->user, data, len);
        return;
    }
    x->out->body = realloc(x->out->body, x->out->len + len + 1);
    if (!x->out->body) {
        abort();
    }
    memcpy(x->out->body + x->out->len, data, len);
    x->out->len += len;
    x->out->body[x->out->len] = '\0';
}

static void on_response(struct evhttp_request *req, void *arg)
{
    struct exchange *x = arg;
    if (req && x->piece && evhttp_request_get_response_code(req)) {
        x->out->status = evhttp_request_get_response_code(req);
    } else if (req && evhttp_request_get_response_code(req)) {
        struct evbuffer *in = evhttp_request_get_input_buffer(req);
        x->out->status = evhttp_request_get_response_code(req);
        const char *index =
            evhttp_find_header(evhttp_request_get_input_headers(req), "X-Consul-Index");
        x->out->index = index ? strtoull(index, NULL, 10) : 0;
        x->out->len = evbuffer_get_length(in);
        x->out->body = malloc(x->out->len + 1);
        if (!x->out->body) {
            abort();
        }
        evbuffer_remove(in, x->out->body, x->out->len);
        x->out->body[x->out->len] = '\0';
    }
    event_base_loopbreak(x->base);
}

static enum evhttp_cmd_type command(const char *method)
{
    return strcmp(method, "PUT") == 0      ? EVHTTP_REQ_PUT
           : strcmp(method, "POST") == 0   ? EVHTTP_REQ_POST
           : strcmp(method, "DELETE") == 0 ? EVHTTP_REQ_DELETE
                                           : EVHTTP_REQ_GET;
}

static void run(const struct cli_client *c, const char *method, const char *path, const void *body,
                size_t len, struct exchange x)
{
    struct cli_response *out = x.out;
    *out = (struct cli_response){0};
    x.base = event_base_new();
    struct evhttp_connection *conn =
        x.base ? evhttp_connection_base_new(x.base, NULL, c->host, (unsigned short)c->port) : NULL;
    struct evhttp_request *req = conn ? evhttp_request_new(on_response, &x) : NULL;
    if (!req) {
        abort();
    }
    evhttp_connection_set_timeout(conn, TIMEOUT_S);
    if (x.piece) {
        evhttp_request_set_chunked_cb(req, on_piece);
    }
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    evhttp_add_header(headers, "Host", c->authority);
    evhttp_add_header(headers, "Connection", "close");
    if (c->token) {
        evhttp_add_header(headers, "X-Consul-Token", c->token);
    }
    if (len) {
        char text[24];
        snprintf(text, sizeof text, "%zu", len); /* libevent says none with DELETE */
        evhttp_add_header(headers, "Content-Length", text);
        evbuffer_add(evhttp_request_get_output_buffer(req), body, len);
    }
    errno = 0;
    if (evhttp_make_request(conn, req, command(method), path) == 0) {
        event_base_dispatch(x.base);
    }
    if (out->status == 0) {
        int err = EVUTIL_SOCKET_ERROR();
        snprintf(out->error, sizeof out->error, "%c%s \"http://%s%.256s\": dial tcp %s: %.64s",
                 method[0],
                 strcmp(method, "GET") == 0    ? "et"
                 : strcmp(method, "PUT") == 0  ? "ut"
                 : strcmp(method, "POST") == 0 ? "ost"
                                               : "elete",
                 c->authority, path, c->authority,
                 err ? evutil_socket_error_to_string(err) : "connect: connection refused");
    }
    evhttp_connection_free(conn);
    event_base_free(x.base);
}

void cli_request(const struct cli_client *c, const char *method, const char *path, const void *body,
                 size_t len, struct cli_response *out)
{
    run(c, method, path, body, len, (struct exchange){.out = out});
}

void cli_follow(const struct cli_client *c, const char *path, cli_piece_fn piece, void *user,
                struct cli_response *out)
{
    run(c, "GET", path, NULL, 0, (struct exchange){.out = out, .piece = piece, .user = user});
}

void cli_response_free(struct cli_response *r)
{
    free(r->body);
    r->body = NULL;
}

bool cli_response_ok(const struct cli_response *r, const char *what)
{
    if (r->status == 200) {
        return true;
    }
    if (r->status == 0) {
        fprintf(stderr, "%s: %s\n", what, r->error);
    } else {
        fprintf(stderr, "%s: Unexpected response code: %d (%s)\n", what, r->status,
                r->body ? r->body : "");
    }
    return false;
}

void cli_escape(const char *text, char *buf, size_t cap)
{
    static const char plain[] = "-._~/";
    size_t at = strlen(buf);
    for (; *text && at + 4 < cap; text++) {
        unsigned char ch = (unsigned char)*text;
        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
            strchr(plain, ch)) {
            buf[at++] = (char)ch;
        } else {
            at += (size_t)snprintf(buf + at, cap - at, "%%%02X", ch);
        }
    }
    buf[at] = '\0';
}
