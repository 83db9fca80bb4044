/* internal.h - what the files of the server share: the server, its connections, and who calls whom.
 *
 *   server.c      listeners, sweep        connection.c  bytes in, one request at a time
 *   deadlines.c   who is given up when    output.c      bytes out
 *   dispatch.c    request -> route        reply.c       answer -> bytes
 *   routes_*.c    handlers                call.c        calls and their answers
 *   stream.c      answers and bodies in pieces
 *   flight.c      identical blocking queries that wait together */
#pragma once

#include "base/metrics.h"
#include "heap.h"
#include "map.h"
#include "request.h"
#include "server.h"

#include <event2/event_struct.h>
#include <event2/listener.h>
#include <time.h>
#include <zlib.h>

/* One body for all whom an answer goes to; never changed once it is made. */
struct http_body {
    bool is_secret; /* wiped before it is freed */
    size_t refs, len;
    char data[];
};

/* What ends a connection if nothing happens. Within a class all have the same time to go when they
 * are put into it, so each class is a queue whose first is due first, and nobody else is looked
 * at. */
enum http_deadline_class {
    DEADLINE_HEAD, /* the end of a head; of the first byte of a connection, too */
    DEADLINE_BODY, /* a share of the body */
    DEADLINE_IDLE, /* the next request, or an answer that is not read */
    DEADLINE_DRAIN,
    DEADLINE_NONE, /* a handler has it */
    DEADLINE_CLASSES
};

#define HTTP_DATE_MAX 40u
/* reply.c: "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), whatever the locale. */
const char *http__date(time_t at, char out[HTTP_DATE_MAX]);

struct http_queue {
    struct http_connection *first, *last;
};

struct http_connection {
    struct http_server *server;
    struct http_connection *prev, *next; /* in the server's queue of its class */
    enum http_deadline_class filed;      /* which queue that is; DEADLINE_CLASSES: none yet */
    uint64_t filed_ns;                   /* the deadline that it was put there with */
    int fd;
    struct event read, write;
    struct client_address peer;
    bool is_inside; /* made by this process: what is closed to others is open to it */
    enum {
        CONN_IDLE,    /* no byte of the next request yet */
        CONN_HEAD,    /* some of its head */
        CONN_BODY,    /* the head is parsed, the body is coming */
        CONN_HANDLED, /* a handler has it */
        CONN_DRAIN    /* answered without reading all; the rest is thrown away, then closed */
    } state;
    uint64_t deadline_ns; /* by which this state must end; MU_NEVER while handled */
    char *in; /* bytes received and not yet used; within one turn it may be the server's inbox */
    size_t in_len, in_cap, scanned;
    /* The part of an answer that the socket has not taken yet: bytes of its own, then a shared
     * body */
    char *out;
    size_t out_at, out_len;
    bool out_is_secret; /* wiped before it is freed */
    struct http_body *shared;
    size_t shared_at;
    struct http_request *request;
    /* Instead of a request: where it waits together with others, and its head, to be read again
     * when its time is over (flight.c) */
    struct http_flight *flight;
    struct http_connection *flight_prev, *flight_next;
    struct mu__heap_item wait_end;
    struct mu_str kept;
    struct http_chunked chunked;
    size_t head_len, body_max, body_seen, body_got;
    uint64_t committed_ns; /* of the change that the answer under way tells of; 0: of none */
    bool keep_alive;       /* after the request under way */
    bool reading;          /* the read event is on */
    bool eof, shut;        /* the client, or we, have closed our sending side */
    bool greeted;          /* it has had an answer */
    bool is_old;           /* HTTP/1.0: must be told that the connection stays */
    bool processing, dead; /* inside process(); freed at its end */
    bool streaming;        /* the answer comes in pieces, in chunks unless HTTP/1.0 */
    bool receiving, held;  /* the body goes to the handler in pieces; not now */
    uint64_t body_left;    /* of a streamed body with a length; of one in chunks: what has come */
    uint64_t thrown_away;
};

/* An answer but for its body, and for what differs between connections. */
struct http_answer {
    int status;
    const char *content_type; /* static; NULL: none */
    bool packed;
    const char *complaint; /* refused before there was a request: what the status line adds */
    size_t body_len;       /* as Content-Length tells it, or: */
#define HTTP_UNKNOWN_LENGTH SIZE_MAX
    struct mu_str extra; /* the handler's own headers, whole lines */
};

#define HTTP_INBOX_SIZE 16384u

struct http_server {
    struct http_server_config config; /* strings are the server's copies */
    char *datacenter, *node, *dns_domain, *segment, *ui_path, *ui_dir;
    char *extra_headers;                           /* the configured ones as they are sent */
    struct http_field fields[HTTP_FIELDS_MAX + 1]; /* of the head being parsed */
    bool tells_secret; /* the answer that is being sent holds one: no copy of it is left behind */
    const char *complaint; /* about the head that was refused last */
    struct evconnlistener **listeners;
    struct http_queue queues[DEADLINE_CLASSES]; /* all connections */
    struct event *sweep;
    struct mu__map flights;     /* key -> struct http_flight, of those whose call is under way */
    struct mu__heap wait_ends;  /* of the connections in flights */
    struct event *wait_timer;   /* at the first of them */
    struct http_flight *landed; /* answered, but not all of their connections have been told */
    struct http_flight **landed_last;
    struct event *slice_timer; /* goes on with them */
    bool slicing;
    struct mu__writer key; /* scratch */
    char *inbox;           /* of HTTP_INBOX_SIZE, for the connection whose turn it is */
    uint64_t random;       /* state of the jitter */
    struct mu__writer head, extra, body,
        packed; /* the answer being made; extra: the handler's own headers */
    z_stream gzip;
    bool gzip_ready, draining, paused;
    struct http_route_mark *marks;
    enum metric *timers;      /* of each route and method: http__route_timer */
    char date[HTTP_DATE_MAX]; /* of the Date header, made once a second */
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
/* Likewise, with a body that others get as well: a reference is taken where need be. */
void http__connection_answer_shared(struct http_connection *c, const struct mu__writer *head,
                                    struct http_body *body);

/* Sends bytes of an answer in pieces, and keeps what the socket does not take. False: the
 * connection is lost, and has been closed. */
bool http__connection_send(struct http_connection *c, const void *data, size_t len) MU_MUST_USE;
void http__connection_consume(struct http_connection *c, size_t n); /* n bytes of input are used */
/* The last piece has been sent: on to the next request. */
void http__connection_end_stream(struct http_connection *c);
void http__connection_resume(struct http_connection *c); /* reading of a body */

/* stream.c: what has arrived of a streamed body goes to the handler; whether another step can be
 * tried at once. */
bool http__stream_body(struct http_connection *c);

/* output.c: all false when the connection is lost. */
bool http__has_output(const struct http_connection *c);
bool http__send(struct http_connection *c, const struct mu__writer *head, struct mu__writer *body);
bool http__send_shared(struct http_connection *c, const struct mu__writer *head,
                       struct http_body *body);
/* Like http__send, behind what waits already. */
bool http__send_more(struct http_connection *c, const void *data, size_t len);
bool http__flush(struct http_connection *c); /* sends what waits */
void http__output_fini(struct http_connection *c);
void http__body_unref(struct http_body *b); /* NULL is allowed */

/* deadlines.c */
/* Puts the connection where its state belongs; cheap when it stands there already. */
void http__deadline_file(struct http_connection *c);
void http__deadline_remove(struct http_connection *c);
/* Closes what is past its deadline. */
void http__server_sweep(struct http_server *s, uint64_t now_ns);

/* flight.c */
bool http__flights_init(struct http_server *s);
void http__flights_fini(struct http_server *s); /* all connections have been closed */
/* The request waits together with those that ask the same; from then on its connection is the
 * flight's. False: it must be called for by itself. */
bool http__flight_board(struct http_request *r);
/* The answer of all: what http__write_head and the body are to be made of. Ends the request. */
void http__flight_land(struct http_request *r, const struct http_answer *a,
                       struct mu__writer *body);
/* The flight's call came back because its time was over, and not for news: whose own time is not
 * over yet waits on. */
bool http__flight_timed_out(const struct http_request *r, const struct catalog_query_meta *m);
bool http__flight_may_last(const struct http_flight *f); /* it waits for news */
void http__flight_leave(struct http_connection *c);      /* its client has gone */

/* routes.c */
/* What a glance tells of each route: most are none of a path's. To be freed with free; NULL: out of
 * memory. */
struct http_route_mark {
    uint8_t len;
    char letter; /* the first one behind /v1/; 0: there is none */
};
struct http_route_mark *http__route_marks(void);
const struct http_route *http__route(const struct http_route_mark *marks, struct mu_str path,
                                     struct mu_str *rest);
/* Makes the timers of all routes and methods; to be freed with free. NULL: out of memory. */
enum metric *http__route_timers(void);
/* api_metrics.c: the request is answered. */
void http__count_api(const struct http_request *r, int status);

/* request_log.c: for who listens to the log at debug. */
void http__log_request(const struct http_request *r);
enum metric http__route_timer(const struct http_server *s, const struct http_route *route,
                              enum http_method method);
/* Is path one that a prefix route would match with a slash behind it? */
bool http__route_lacks_slash(struct mu_str path);

/* ui.c */
/* For a path of the user interface: its route, and what stands behind its own path; or NULL. */
const struct http_route *http__ui_route(const struct http_server *s, struct mu_str path,
                                        struct mu_str *rest);
bool http__ui_lacks_slash(const struct http_server *s, struct mu_str path);

/* dispatch.c */
/* 301 to another path of ours, with the query that came or without. */
void http__redirect(struct http_request *r, struct mu_str to, bool with_query);
/* A request from a whole head, or NULL when out of memory. What is wrong with it is answered by
 * _handle. */
struct http_request *http__request_create(struct http_connection *c, const char *data, size_t len,
                                          enum http_parse *rc);
size_t http__request_body_max(const struct http_request *r);
bool http__request_is_streamed(const struct http_request *r); /* is its body one? */
/* Will it be answered at once, whatever its body is? */
bool http__request_is_refused(const struct http_request *r);
void http__request_handle(struct http_request *r); /* the body has been read */
void http__request_free(struct http_request *r);   /* also cancels its call */

/* Sends the request on its way anew, as if its client had asked again, and not to wait any more. */
void http__request_repeat(struct http_connection *c, struct mu_str head);

/* call.c */
void http__call_start(struct http_request *r); /* by itself, without asking who else waits */

/* reply.c */
/* The head of an answer into the server's writer. */
const struct mu__writer *http__write_head(const struct http_connection *c,
                                          const struct http_answer *a);
/* That of an answer of unknown length, sent. */
void http__reply_stream_head(struct http_request *r, int status, const char *content_type);
/* What the handler has set is of one answer alone. */
void http__forget_extra(struct http_server *s);
/* What is answered before there is a request; the connection ends afterwards. */
void http__reply_refusal(struct http_connection *c, int status, const char *complaint);
/* The body's chunks are none (http_chunked.complaint). */
void http__reply_bad_chunk(struct http_request *r);
/* The body is longer than it may be. */
void http__reply_too_large(struct http_request *r, uint64_t length, bool known);
