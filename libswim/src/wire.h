/* wire.h - the messages of memberlist, byte for byte: C structs and their encoding.
 *
 * A message is a type byte and a msgpack map whose keys stand in byte order. Decoders accept any
 * key order, skip unknown keys and leave missing ones zero, as peers do. Text in a decoded struct
 * is lent: it points into the decoded bytes. A mu_str with p NULL is nil on the wire where a field
 * allows it ("or nil"), and empty elsewhere.
 *
 * The push/pull stream is in wire_stream.h, serf's messages in wire_serf.h, and what is wrapped
 * around all of them (compound, compression, checksum, encryption, label) in envelope.h. */
#pragma once

#include "msgpack.h"

#include <muster/swim.h>

enum swim__msg_type {
    SWIM__MSG_PING = 0,
    SWIM__MSG_INDIRECT_PING = 1,
    SWIM__MSG_ACK = 2,
    SWIM__MSG_SUSPECT = 3,
    SWIM__MSG_ALIVE = 4,
    SWIM__MSG_DEAD = 5,
    SWIM__MSG_PUSH_PULL = 6, /* stream only: wire_stream.h */
    SWIM__MSG_COMPOUND = 7,  /* envelope */
    SWIM__MSG_USER = 8,
    SWIM__MSG_COMPRESS = 9, /* envelope */
    SWIM__MSG_ENCRYPT = 10, /* stream envelope */
    SWIM__MSG_NACK = 11,
    SWIM__MSG_CRC = 12, /* envelope */
    SWIM__MSG_ERR = 13, /* stream only */
    SWIM__MSG_LABEL = 244
};

/* States of a node in a push/pull. */
enum swim__wire_state {
    SWIM__WIRE_ALIVE = 0,
    SWIM__WIRE_SUSPECT = 1,
    SWIM__WIRE_DEAD = 2,
    SWIM__WIRE_LEFT = 3
};

#define SWIM__VSN_LEN 6u /* pmin pmax pcur dmin dmax dcur */

struct swim__ping {
    struct mu_str node; /* who shall answer; empty: anybody */
    uint32_t seq_no;
    struct mu_str source_addr; /* 4 or 16 bytes; empty: left out, answer to the packet's source */
    struct mu_str source_node; /* empty: left out */
    uint16_t source_port;      /* 0: left out */
};
struct swim__indirect_ping {
    struct mu_str node, target; /* target: address of node, 4 or 16 bytes */
    uint32_t seq_no;
    uint16_t port; /* 0: the relay's own port */
    bool nack;     /* the requester wants a nack */
    struct mu_str source_addr, source_node;
    uint16_t source_port;
};
struct swim__ack {
    uint32_t seq_no;
    struct mu_str payload; /* or nil */
};
struct swim__nack {
    uint32_t seq_no;
};
struct swim__err {
    struct mu_str text;
};
struct swim__accusation { /* suspect and dead; a dead message with node equal to from is a leave */
    struct mu_str node, from;
    uint32_t incarnation;
};
struct swim__alive {
    struct mu_str node, addr, meta, vsn; /* addr 4 or 16 bytes; meta or nil; vsn 6 bytes */
    uint32_t incarnation;
    uint16_t port;
};

/* One message that is not an envelope. */
struct swim__msg {
    enum swim__msg_type type;
    union {
        struct swim__ping ping;
        struct swim__indirect_ping indirect_ping;
        struct swim__ack ack;
        struct swim__nack nack;
        struct swim__err err;
        struct swim__accusation suspect, dead;
        struct swim__alive alive;
        struct mu_str user; /* UDP: all bytes after the type byte, a serf message */
    };
};

/* Decodes one whole message, type byte first; bytes after the body are ignored, as peers do. False
 * when it is malformed, empty, or of a type that struct swim__msg has no member for. */
bool swim__msg_decode(const void *data, size_t len, struct swim__msg *out);
/* Appends type byte and body; what goes wrong shows in w->failed. */
void swim__msg_encode(struct mu__writer *w, const struct swim__msg *msg);

/* Does a version vector have six entries that a peer can digest (memberlist 0.2.2 crashes on
 * shorter ones)? */
bool swim__vsn_is_valid(struct mu_str vsn);

/* An IP address of a message: 4 bytes, 16 bytes, or IPv4 mapped into 16, which comes out as 4.
 * Returns the length, 4 or 16; 0 when raw is no address. */
size_t swim__wire_addr(struct mu_str raw, uint8_t out[16]);

/* ---- tags: the meta of a node is 0xff and a msgpack map of text to text (serf) ---- */

struct swim__wire_tags {
    struct mu__reader r;
    size_t left;
};
/* Checks the whole of meta first, so that the walk cannot fail. Meta without the leading 0xff is
 * the value of the one tag "role"; empty meta has no tags. False when malformed. */
bool swim__wire_tags_begin(struct swim__wire_tags *t, struct mu_str meta);
bool swim__wire_tags_next(struct swim__wire_tags *t, struct swim_tag *out); /* lends */
/* Appends 0xff and the map, in the given order. The caller keeps the result within
 * SWIM_META_MAX. */
void swim__wire_tags_encode(struct mu__writer *w, const struct swim_tag *tags, size_t n);

/* ---- network coordinates ---- */

/* The payload of an ack: version byte 1 and the coordinate. False when malformed, of another
 * version or dimension, or when a component is not finite. */
bool swim__coord_payload_decode(struct mu_str payload, struct swim_coordinate *out);
void swim__coord_payload_encode(struct mu__writer *w, const struct swim_coordinate *c);
