/* wire_stream.h - what goes over a TCP connection once envelopes are off: push/pull, ping, ack,
 * err, user message.
 *
 *     push/pull       06, header {Join, Nodes, UserStateLen}, Nodes x node state,
 *                     UserStateLen raw bytes
 *     user            08, header {UserMsgLen}, UserMsgLen raw bytes
 *     ping, ack, err  as in wire.h
 *
 * There is no length in front and no end of stream: a message is complete when its last value is.
 * The framer finds that point in bytes that trickle in; it looks at each byte once. */
#pragma once

#include "wire.h"

#define SWIM__STREAM_NODES_MAX  1048576u    /* node states of one push/pull */
#define SWIM__STREAM_USER_MAX   (20u << 20) /* bytes of user state or user message */
#define SWIM__STREAM_PACKED_MAX (20u << 20) /* bytes of an encrypted frame's payload */
#define SWIM__STREAM_PLAIN_MAX  (40u << 20) /* bytes of an unpacked message */

enum swim__frame_result {
    SWIM__FRAME_MORE,  /* not complete yet */
    SWIM__FRAME_WHOLE, /* complete; framer.pos is its length */
    SWIM__FRAME_BAD    /* malformed or over a limit: close the connection */
};

/* Where the framer stands in the message whose bytes it has been shown so far. */
struct swim__framer {
    size_t pos;        /* bytes understood; the end of the message when it is whole */
    size_t body;       /* where the message proper begins: behind the label, if there is one */
    uint64_t skip;     /* bytes of the current text or frame still to pass over */
    uint64_t user_len; /* raw bytes that follow the last value */
    uint64_t items;    /* msgpack values of the top level still to come */
    size_t head;       /* where the header map begins */
    uint8_t type;      /* first byte of the message proper */
    uint8_t stage;     /* what the framer waits for */
    uint8_t depth;     /* of `left` */
    uint64_t left[8];  /* values still to come at each depth of the current one */
};

void swim__framer_init(struct swim__framer *f);
/* data[0..len) is everything received so far, the same bytes as in earlier calls plus new ones.
 * Understands encrypted and compressed messages (as one opaque value), a leading label, and the
 * plain kinds above. */
enum swim__frame_result swim__framer_feed(struct swim__framer *f, const uint8_t *data, size_t len);

struct swim__pushpull_header {
    bool join;
    uint64_t nodes;          /* <= SWIM__STREAM_NODES_MAX */
    uint64_t user_state_len; /* <= SWIM__STREAM_USER_MAX */
};
struct swim__node_state {
    struct mu_str name, addr, meta,
        vsn; /* as in struct swim__alive; a port of 0 means the receiver's own */
    uint32_t incarnation;
    uint16_t port;
    enum swim__wire_state state;
};

/* Encoding a push/pull: header, that many node states, then the raw bytes of the user state. */
void swim__pushpull_encode_header(struct mu__writer *w, const struct swim__pushpull_header *h);
void swim__pushpull_encode_node(struct mu__writer *w, const struct swim__node_state *n);

/* Decoding a whole one: begin checks every node state and the length of the user state before it
 * succeeds, so a walk cannot fail halfway. All text is lent from data. */
struct swim__pushpull {
    struct swim__pushpull_header header;
    struct mu_str user_state;
    struct mu__reader nodes;
    uint64_t left; /* node states that next has not given yet */
};
bool swim__pushpull_begin(struct swim__pushpull *p, const void *data, size_t len);
bool swim__pushpull_next(struct swim__pushpull *p, struct swim__node_state *out);
void swim__pushpull_rewind(struct swim__pushpull *p); /* next starts from the first node again */

/* A user message on a stream. */
bool swim__user_stream_decode(const void *data, size_t len, struct mu_str *out); /* lends */
void swim__user_stream_encode(struct mu__writer *w, struct mu_str user);

/* The header maps, behind the type byte; fail the reader when a count is over its limit. */
void swim__pushpull_read_header(struct mu__reader *r, struct swim__pushpull_header *h);
uint64_t swim__user_read_header(struct mu__reader *r);
