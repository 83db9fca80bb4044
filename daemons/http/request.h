/* request.h - one request on its way: what handlers read, and how they answer.
 *
 * A handler either answers at once (http_reply_*) or starts a call; then the call's encoder
 * answers. Exactly one answer ends the request, which must not be touched afterwards. Everything
 * runs on the server's loop. */
#pragma once

#include "parse.h"
#include "rpc/call.h"
#include "schema.h"
#include "uri.h"

struct http_request;
typedef void (*http_handler_fn)(struct http_request *r);
typedef void (*http_encode_fn)(struct http_request *r, struct call *c);

enum http_method {
    HTTP_OTHER = 0,
    HTTP_GET = 1,
    HTTP_PUT = 2,
    HTTP_POST = 4,
    HTTP_DELETE = 8,
    HTTP_OPTIONS = 16,
    HTTP_HEAD = 32,
    HTTP_ANY = 127 /* of a route: all of them, HTTP_OTHER too */
};

enum http_body_limit {
    BODY_DEFAULT,
    BODY_KV,
    BODY_TXN,
    BODY_STREAMED /* a PUT's body goes to the handler piece by piece: http_body_receive */
};

struct http_route {
    const char *path;
    bool prefix;       /* path ends in '/' and stands for everything below it */
    unsigned methods;  /* mask of http_method */
    const char *allow; /* in the order in which Allow lists them: "GET,PUT,DELETE" */
    http_handler_fn handle;
    enum http_body_limit body;
};

struct http_request {
    struct http_connection *connection; /* NULL: the request of a flight */
    struct http_flight *flight;         /* whose call this request makes; NULL: its own */
    struct http_server *server;
    const struct http_route *route;
    struct http_head head; /* in the arena, like all the text below */
    enum http_method method;
    struct mu_str raw;  /* the whole head */
    struct mu_str path; /* decoded */
    struct mu_str rest; /* of the path, behind the route's prefix */
    struct http_query query;
    struct mu_str body;
    struct mu__arena arena; /* freed with the request */
    /* The call under way. */
    struct call *call;
    bool started; /* the backend has it */
    http_encode_fn encode;
    bool blocking;          /* may wait long: a client that hangs up cancels it */
    uint64_t committed_ns;  /* the call's (rpc/call.h) */
    bool waited;            /* for as long as it wanted: it is answered now */
    bool meta;              /* its answer carries the index headers */
    bool no_error_meta;     /* but an error does not */
    const char *not_found;  /* the error that is a 404, without index headers; NULL: none */
    bool shows_consistency; /* and X-Consul-Effective-Consistency */
    bool shows_cache;       /* it may be answered from the cache, when ?cached asks for it */
    bool pretty, gzip, vary, bad_query;
    const char *consistency; /* leader, stale, consistent */
    int64_t max_stale_ns;    /* a reply older than this is asked for again; 0: none */
    const struct http_filter *filter;
    const char *refusal; /* what the servers will say to it, once it has come to them; or NULL */
    void *user;          /* the handler's own, in the arena */
    uint64_t began_ns;
    const struct http_stream *stream; /* the answer, or the body, comes in pieces; or NULL */
    void *stream_user;
};

/* ---- Answers and bodies in pieces ---- */

/* What a handler that streams is told. None may be NULL but those of what it does not do. */
struct http_stream {
    /* The client has taken all that was written: more may follow. */
    void (*room)(void *user);
    /* A piece of the body (at most 64 KiB). False: no more for now, until http_body_resume. */
    bool (*body)(void *user, const void *data, size_t len);
    void (*body_end)(void *user); /* the body is complete */
    /* The request ends: it was answered, or the client is gone. Always the last call, once. */
    void (*gone)(void *user);
};

/* Begins an answer of unknown length. What is not taken by the client is kept, so wait for `room`
 * before writing much more. */
void http_stream_begin(struct http_request *r, int status, const char *content_type,
                       const struct http_stream *s, void *user);
/* False: the client is gone, and so is the request (`gone` was called). */
bool http_stream_write(struct http_request *r, const void *data, size_t len) MU_MUST_USE;
size_t http_stream_pending(const struct http_request *r); /* bytes that the client has not taken */
/* Ends the answer and the request; not whole: the client must notice, so the connection is cut. */
void http_stream_end(struct http_request *r, bool whole);

/* In a handler of a BODY_STREAMED route: here come the pieces from now on. The answer may be given
 * at any time. */
void http_body_receive(struct http_request *r, const struct http_stream *s, void *user);
void http_body_resume(struct http_request *r);

/* ---- Answers ---- */

/* Sets a header of the answer to come. Values are ours or checked: no line ends. */
void http_header(struct http_request *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Likewise, without the cost of printf: nearly every answer has some. */
void http_header_text(struct http_request *r, const char *name, const char *value);
void http_header_uint(struct http_request *r, const char *name, uint64_t value);

/* Takes back the headers that were set, those of the index included. */
void http_drop_headers(struct http_request *r);

void http_reply_empty(struct http_request *r, int status);
void http_reply_text(struct http_request *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void http_reply_bytes(struct http_request *r, int status, const char *content_type,
                      struct mu_str body);

/* JSON: begin, write one value, end. The writer is the server's and is emptied by begin. */
struct mu__json http_json(struct http_request *r);
void http_reply_json(struct http_request *r, struct mu__json *j, int status);
/* Likewise, and what was made of it for the socket is wiped when that has it. */
void http_reply_secret_json(struct http_request *r, struct mu__json *j, int status);

/* The error of a call, mapped to a status (http-semantics 4). */
void http_reply_error(struct http_request *r, const char *error);

/* Is this an agent that is no server itself? */
bool http_asks_servers(const struct http_request *r);
/* 500 for what Consul's servers find wrong but is seen here already: an agent that asks servers
 * says so in front of it, as it does with what came from there. */
void http_reply_refusal(struct http_request *r, const char *error);

/* ---- Calls ---- */

/* A call whose encoder will answer. NULL: out of memory, and the request has been answered. */
struct call *http_call(struct http_request *r, const struct endpoint *e, http_encode_fn encode);
/* Starts r->call; the answer may have been sent when this returns. */
void http_call_start(struct http_request *r);

/* Sets the index headers; NULL: those of an error, index 1 and no known leader. */
struct catalog_query_meta;
void http_meta(struct http_request *r, const struct catalog_query_meta *m);
/* Those of an answer without an index. */
void http_meta_contact(struct http_request *r, const struct catalog_query_meta *m);

/* The encoder of calls whose success is an empty 200. */
void http_encode_empty(struct http_request *r, struct call *c);

/* Decodes the body by s into out; on failure answers 400 with "<what><error>" and returns false. */
bool http_decode_body(struct http_request *r, const struct mu__schema *s, void *out,
                      const char *what);

/* A copy in the arena with a zero behind it; "" when out of memory. */
const char *http_cstr(struct http_request *r, struct mu_str s);
struct mu_str http_param(const struct http_request *r, const char *key); /* p NULL: absent */
bool http_has_param(const struct http_request *r, const char *key);
