/* internal.h - what the files of the server share: the server, its connections, and who calls whom.
 *
 *   server.c      listeners, sweep        connection.c  bytes in and out, one request at a time
 *   dispatch.c    request -> route        reply.c       answer -> bytes
 *   routes_*.c    handlers                call.c        calls and their answers */
#pragma once

#include "request.h"
#include "server.h"

#include <event2/event_struct.h>
#include <event2/listener.h>
#include <zlib.h>

struct http_connection {
    struct http_server *server;
    struct http_connection *prev, *next; /* the server's list */
    int fd;
    struct event read, write;
    struct client_address peer;
    enum {
        CONN_IDLE,    /* no byte of the next request yet */
        CONN_HEAD,    /* some of its head */
        CONN_BODY,    /* the head is parsed, the body is coming */
        CONN_HANDLED, /* a handler has it */
        CONN_DRAIN    /* answered without reading all; the rest is thrown away, then closed */
    } state;
    uint64_t deadline_ns; /* by which this state must end; MU_NEVER while handled */
    char *in;             /* bytes received and not yet used */
    size_t in_len, in_cap, scanned;
    char *out; /* the part of an answer that the socket has not taken yet */
    size_t out_at, out_len;
    struct http_request *request;
    struct http_chunked chunked;
    size_t head_len, body_max;
    bool keep_alive;       /* after the request under way */
    bool reading;          /* the read event is on */
    bool eof, shut;        /* the client, or we, have closed our sending side */
    bool processing, dead; /* inside process(); freed at its end */
    uint64_t thrown_away;
};

struct http_server {
    struct http_server_config config; /* strings are the server's copies */
    char *datacenter, *node, *segment;
    char *extra_headers;                           /* the configured ones as they are sent */
    struct http_field fields[HTTP_FIELDS_MAX + 1]; /* of the head being parsed */
    const char *complaint;                         /* about the head that was refused last */
    struct evconnlistener **listeners;
    struct http_connection *connections;
    struct event *sweep;
    struct mu__writer head, extra, body,
        packed; /* the answer being made; extra: the handler's own headers */
    z_stream gzip;
    bool gzip_ready, draining, paused;
    char date[40]; /* of the Date header, made once a second */
    int64_t date_s;
    struct http_server_stats stats;
};

/* connection.c */
void http__connection_accept(struct http_server *s, int fd, const struct sockaddr *peer,
                             socklen_t len);
void http__connection_close(struct http_connection *c);
/* Sends an answer, frees the request, and goes on with the next one. The body's memory may be taken
 * over. */
void http__connection_answer(struct http_connection *c, const struct mu__writer *head,
                             struct mu__writer *body);
/* Closes what is past its deadline. */
void http__server_sweep(struct http_server *s, uint64_t now_ns);

/* routes.c */
const struct http_route *http__route(struct mu_str path, struct mu_str *rest);
/* Is path one that a prefix route would match with a slash behind it? */
bool http__route_lacks_slash(struct mu_str path);

/* dispatch.c */
/* A request from a whole head, or NULL when out of memory. What is wrong with it is answered by
 * _handle. */
struct http_request *http__request_create(struct http_connection *c, const char *data, size_t len,
                                          enum http_parse *rc);
size_t http__request_body_max(const struct http_request *r);
void http__request_handle(struct http_request *r); /* the body has been read */
void http__request_free(struct http_request *r);   /* also cancels its call */

/* reply.c: what is answered before there is a request; the connection ends afterwards. */
void http__reply_refusal(struct http_connection *c, int status, const char *complaint);
/* The body is longer than it may be. */
void http__reply_too_large(struct http_request *r, uint64_t length, bool known);
