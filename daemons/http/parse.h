/* parse.h - the head of an HTTP/1.1 request, and chunked bodies (RFC 9112). Bytes in, facts out; no
 * I/O. */
#pragma once

#include "cursor.h"

#define HTTP_FIELDS_MAX 100u

enum http_parse {
    HTTP_PARSED,
    HTTP_MORE,        /* not all is here yet */
    HTTP_BAD,         /* 400 */
    HTTP_TOO_MANY,    /* 431 */
    HTTP_BAD_ENCODING /* 501: a transfer coding that we do not know */
};

struct http_field {
    struct mu_str name, value;
};

struct http_head {
    struct mu_str method, target;
    struct http_field *fields; /* the caller's, room for HTTP_FIELDS_MAX */
    size_t nfields;
    unsigned minor; /* HTTP/1.minor */
    bool keep_alive, chunked, has_length;
    bool expects_continue; /* and has a body */
    bool expects_more;     /* what nobody can fulfil: 417 */
    uint64_t content_length;
    const char *complaint; /* after HTTP_BAD: what Go adds to "400 Bad Request", "" if nothing */
};

/* Looks for the empty line that ends a head, in data from *scanned on, which moves so that no byte
 * is looked at twice. Returns the length of the head, or 0 when it does not end yet. */
size_t http_head_end(const char *data, size_t len, size_t *scanned);

/* Parses a whole head, which ends with its empty line, into *h, whose fields array is set. What
 * *h points at is lent from data. */
enum http_parse http_parse_head(const char *data, size_t len, struct http_head *h);

/* The value of the first field of that name (any case); p NULL when there is none. */
struct mu_str http_field(const struct http_head *h, const char *name);
/* Without the blanks around it. */
struct mu_str http_trim(struct mu_str s);
/* Is word in the comma-separated list of a field's value (any case)? */
bool http_list_has(struct mu_str list, const char *word);

/* A chunked body, decoded in place: data[0, in) is read, data[0, out) is the body so far. */
struct http_chunked {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER } state;
    uint64_t left; /* of the chunk */
    size_t in, out;
    unsigned line;         /* bytes of the line under way, bounded */
    const char *complaint; /* after HTTP_BAD: what Go says */
    bool digits;           /* the size has one already */
    bool extension;        /* behind the size */
    bool trailer_blank;    /* nothing yet stands in this line of the trailer */
    unsigned trailers;     /* bytes of all trailer lines, bounded */
};
/* Goes on with what has come; HTTP_TOO_MANY when the body is longer than max. */
enum http_parse http_chunked_step(struct http_chunked *c, char *data, size_t len, size_t max);
