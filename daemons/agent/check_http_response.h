/* check_http_response.h - reads the response to a health check: a status, and the last bytes of a
 * body (RFC 9112).
 *
 * Bytes are fed as they come. Header lines are looked at one by one and not kept; a body is passed
 * on and not kept. */
#pragma once

#include "agent/check_internal.h"

struct evbuffer;
enum http_step { HTTP_MORE, HTTP_DONE, HTTP_MALFORMED };

struct http_response {
    bool head; /* of a HEAD request: no body follows */
    struct check__tail *body;
    int code;         /* 0 until the status line is complete */
    char status[128]; /* "200 OK" */
    bool in_body;     /* the headers are complete */
    /* The rest is the reader's own. */
    enum {
        LINE_STATUS,
        LINE_HEADER,
        BODY_LENGTH,
        BODY_CLOSE,
        CHUNK_SIZE,
        CHUNK_DATA,
        CHUNK_END,
        TRAILER
    } state;
    char line[512]; /* the beginning of the line under way */
    size_t line_len, header_bytes;
    bool chunked, has_length;
    uint64_t left; /* bytes of the body or chunk that are to come */
};

void http_response_init(struct http_response *r, bool head, struct check__tail *body);
enum http_step http_response_feed(struct http_response *r, const char *data, size_t len);
/* Takes and feeds what a buffer holds, until the response is whole or cannot be one. */
enum http_step http_response_take(struct http_response *r, struct evbuffer *in);
/* The peer has closed the connection: is what came a whole response? */
enum http_step http_response_end(const struct http_response *r);
