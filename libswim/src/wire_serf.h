/* wire_serf.h - serf's messages, which travel as memberlist user messages and as the user state of
 * a push/pull.
 *
 * First byte is the type, then a msgpack map with its keys in byte order. Lists whose length a peer
 * chooses are not copied out: a `span` member lends the encoded array or map, whose every element
 * was checked when the message was decoded, and a walk over it therefore cannot fail. To encode,
 * fill the span with an encoded array (or leave p NULL for nil). */
#pragma once

#include "wire.h"

enum swim__serf_type {
    SWIM__SERF_LEAVE = 0,
    SWIM__SERF_JOIN = 1,
    SWIM__SERF_PUSH_PULL = 2, /* swim__state_* below */
    SWIM__SERF_USER_EVENT = 3,
    SWIM__SERF_QUERY = 4,
    SWIM__SERF_QUERY_RESPONSE = 5,
    SWIM__SERF_CONFLICT_RESPONSE = 6, /* inside the payload of a response */
    SWIM__SERF_KEY_REQUEST = 7,       /* inside the payload of a query */
    SWIM__SERF_KEY_RESPONSE = 8,      /* inside the payload of a response */
    SWIM__SERF_RELAY = 9
};

/* Flags of queries and responses. */
enum { SWIM__QUERY_ACK = 1u << 0, SWIM__QUERY_NO_BROADCAST = 1u << 1 };

struct swim__serf_intent { /* join and leave */
    uint64_t ltime;
    struct mu_str node;
    bool prune; /* leave only */
};
struct swim__serf_event {
    uint64_t ltime;
    struct mu_str name, payload; /* payload or nil */
    bool cc;                     /* receivers may coalesce */
};
struct swim__serf_query {
    uint64_t ltime;
    int64_t timeout_ns;
    uint32_t id, flags;
    struct mu_str addr; /* where responses go: 4 or 16 bytes */
    uint16_t port;
    uint8_t relay_factor;
    struct mu_str source_node, name, payload; /* payload or nil */
    struct mu_str filters;                    /* span of raw; or nil */
};
struct swim__serf_response {
    uint64_t ltime;
    uint32_t id, flags;
    struct mu_str from, payload; /* payload or nil */
};
struct swim__serf_relay {
    struct mu_str dest_addr; /* 4 or 16 bytes */
    uint16_t dest_port;
    struct mu_str dest_zone, dest_name;
    struct mu_str inner; /* a complete serf message */
};
struct swim__serf_member { /* answer to a conflict query */
    struct mu_str name, addr;
    uint16_t port;
    uint8_t protocol_min, protocol_max, protocol_cur, delegate_min, delegate_max, delegate_cur;
    int64_t status;     /* 0 none, 1 alive, 2 leaving, 3 left, 4 failed */
    struct mu_str tags; /* span: map of text to text; or nil */
};
struct swim__serf_conflict {
    bool known; /* false: nil, the responder does not know the node */
    struct swim__serf_member member;
};
struct swim__serf_key_request {
    struct mu_str key; /* raw bytes; or nil */
};
struct swim__serf_key_response {
    bool result;
    struct mu_str message, primary_key;
    struct mu_str keys; /* span of raw: base64 text; or nil */
};

struct swim__serf_msg {
    enum swim__serf_type type;
    union {
        struct swim__serf_intent leave, join;
        struct swim__serf_event event;
        struct swim__serf_query query;
        struct swim__serf_response response;
        struct swim__serf_conflict conflict;
        struct swim__serf_key_request key_request;
        struct swim__serf_key_response key_response;
        struct swim__serf_relay relay;
    };
};

/* As swim__msg_decode and _encode, without the memberlist type byte in front. Not for
 * SWIM__SERF_PUSH_PULL. */
bool swim__serf_decode(const void *data, size_t len, struct swim__serf_msg *out);
void swim__serf_encode(struct mu__writer *w, const struct swim__serf_msg *msg);

/* Walks a span of raw values: start with *at = 0; false at the end. Lends. */
bool swim__span_next(struct mu_str span, size_t *at, struct mu_str *out);

/* One filter of a query. A node filter matches when the walk over `nodes` meets us; a tag filter
 * when the (RE2) expression matches the value of the tag somewhere. */
struct swim__serf_filter {
    enum { SWIM__FILTER_NODES = 0, SWIM__FILTER_TAG = 1 } type;
    struct mu_str nodes; /* span of raw */
    struct mu_str tag, expr;
};
/* False also for unknown types. */
bool swim__serf_filter_decode(struct mu_str raw, struct swim__serf_filter *out);
void swim__serf_filter_encode(struct mu__writer *w, const struct swim__serf_filter *f);

/* ---- the user state of a push/pull ----
 *
 *     02, {EventLTime, Events [slot | nil ...], LTime, LeftMembers [name ...], QueryLTime,
 *          StatusLTimes {name: ltime}}
 *     slot = {Events [{Name, Payload} ...], LTime}
 *
 * Written piece by piece, in this order and with exactly the announced counts: */
void swim__state_encode_begin(struct mu__writer *w, uint64_t event_ltime, size_t slots);
/* Then that many events, then its ltime. */
void swim__state_encode_slot(struct mu__writer *w, size_t events);
void swim__state_encode_event(struct mu__writer *w, struct mu_str name, struct mu_str payload);
void swim__state_encode_slot_ltime(struct mu__writer *w, uint64_t ltime);
void swim__state_encode_no_slot(struct mu__writer *w);
void swim__state_encode_left(struct mu__writer *w, uint64_t ltime, size_t members); /* then names */
void swim__state_encode_name(struct mu__writer *w, struct mu_str name);
/* Then statuses. */
void swim__state_encode_status(struct mu__writer *w, uint64_t query_ltime, size_t members);
void swim__state_encode_member(struct mu__writer *w, struct mu_str name, uint64_t ltime);

/* Read: decode checks everything, the walks lend and cannot fail. Each walk starts with a zeroed
 * cursor. */
struct swim__state {
    uint64_t ltime, event_ltime, query_ltime;
    struct mu_str left_members;  /* walk with swim__span_next */
    struct mu_str status_ltimes; /* walk with swim__state_next_status */
    struct mu_str events;        /* walk with swim__state_next_event */
};
struct swim__state_cursor {
    size_t at;        /* where to read on */
    size_t slot_end;  /* events: where the slot ends that is being walked */
    size_t slot_left; /* events of that slot still to come */
    uint64_t slot_ltime;
};
bool swim__state_decode(const void *data, size_t len, struct swim__state *out);
bool swim__state_next_status(const struct swim__state *s, struct swim__state_cursor *c,
                             struct mu_str *name, uint64_t *ltime);
bool swim__state_next_event(const struct swim__state *s, struct swim__state_cursor *c,
                            struct swim__serf_event *out);
