/* msgpack_rpc.h - requests and responses of Go's msgpack-rpc on a byte stream.
 *
 * Either is two values: a header map and the argument or body. Nothing says how long they are, so
 * an inbox collects bytes and looks at each of them once, until it holds both. */
#pragma once

#include "call.h"

#include <event2/buffer.h>

#define RPC_DEPTH_MAX 64u /* nesting that a message may have before anybody looks at its types */

/* How far a number of values has been found complete. pos may lie beyond what is there: then it is
 * known how much is needed at least. */
struct rpc_scan {
    size_t pos;
    unsigned depth;
    uint64_t left[RPC_DEPTH_MAX]; /* values still to come per level */
};
enum rpc_progress { RPC_MORE, RPC_COMPLETE, RPC_MALFORMED, RPC_TOO_LARGE };
void rpc_scan_init(struct rpc_scan *s, uint64_t values);
enum rpc_progress rpc_scan(struct rpc_scan *s, const uint8_t *data, size_t len, size_t limit);

/* Collects one message after the other. */
struct rpc_inbox {
    uint8_t *data;
    size_t len, cap; /* bytes beyond the first message wait for their turn */
    size_t limit;    /* of one message */
    struct rpc_scan scan;
};
void rpc_inbox_init(struct rpc_inbox *b, size_t limit);
void rpc_inbox_fini(struct rpc_inbox *b);
/* Takes all bytes of `from`, which may be empty, and tells whether a message is complete.
 * RPC_TOO_LARGE also when out of memory. While a message is complete and not yet dropped, nothing
 * more should be fed than the stream's window. */
enum rpc_progress rpc_inbox_feed(struct rpc_inbox *b, struct evbuffer *from);
/* The complete message, lent until it is dropped. */
struct mu__reader rpc_inbox_message(const struct rpc_inbox *b);
void rpc_inbox_drop(struct rpc_inbox *b); /* on to the next */

struct rpc_request_header {
    bool forwarded; /* "Forwarded", of muster's servers alone and left out when false */
    uint64_t seq;
    struct mu_str method;
};
struct rpc_response_header {
    struct mu_str error;
    uint64_t seq;
    struct mu_str method;
};
/* Decode a header, lending its text from the reader; the reader then stands at the value behind.
 * False: malformed. */
bool rpc_read_request_header(struct mu__reader *r, struct mu__arena *a,
                             struct rpc_request_header *out);
bool rpc_read_response_header(struct mu__reader *r, struct mu__arena *a,
                              struct rpc_response_header *out);

void rpc_write_request(struct mu__writer *w, const struct rpc_request_header *h,
                       const struct endpoint *e, const void *request);
/* With an error: an empty body. */
void rpc_write_response(struct mu__writer *w, uint64_t seq, struct mu_str method,
                        const struct call *c);
/* The body alone, as rpc_read_reply reads it. */
void rpc_write_reply(struct mu__writer *w, const struct call *c);
void rpc_write_error(struct mu__writer *w, uint64_t seq, struct mu_str method, struct mu_str error);

/* Decodes the body of a successful response into the call's arena and sets c->reply. lend: text
 * stays in the reader's bytes. False when malformed or out of memory. */
bool rpc_read_reply(struct mu__reader *r, bool lend, struct call *c);

/* Moves what a growing writer (on malloc) holds into out: large pieces by reference. False when out
 * of memory. */
bool rpc_writer_flush(struct mu__writer *w, struct evbuffer *out);
