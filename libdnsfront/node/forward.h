/* forward.h - asks recursors: each try on a socket, port and ID of its own (RFC 5452). */
#pragma once

#include "draw.h"
#include "map.h"
#include "recursors.h"
#include "verdict.h"

#include <event2/event.h>

#define MESSAGE_MAX       65535u
#define FORWARD_QUERY_MAX 4096u

enum forward_mode {
    FORWARD_UDP,     /* a client's query; a truncated reply is passed on */
    FORWARD_TCP,     /* likewise, over TCP */
    FORWARD_RESOLVE, /* our own: UDP, then TCP if the reply was truncated */
    FORWARD_MODES
};

/* The reply, with any ID; NULL if no recursor had one. Lent during the call. */
typedef void (*forward_done_fn)(void *arg, const uint8_t *reply, size_t len);

struct forwarder {
    struct event_base *base;
    struct dnsfront_node_stats *stats; /* counts forward_* */
    struct recursors *recursors;       /* of new asks; held */
    struct draw draw;
    struct mu__map by_query[FORWARD_MODES]; /* asks under way, by their key */
    struct ask *asks;                       /* list */
    size_t count;
    bool closing;
    uint8_t datagram[MESSAGE_MAX];  /* what was just received */
    uint8_t key[FORWARD_QUERY_MAX]; /* of what is just asked */
};

/* stats lives as long as the forwarder; one reference of recursors is taken. NULL when out of
 * memory. */
struct forwarder *dnsfront__forwarder_create(struct event_base *base, struct recursors *recursors,
                                             struct dnsfront_node_stats *stats);
/* What is under way has failed, and is told so. NULL is allowed. */
void dnsfront__forwarder_destroy(struct forwarder *f);
/* Takes a reference; asks under way keep theirs. */
void dnsfront__forwarder_set(struct forwarder *f, struct recursors *recursors);

/* Asks; query is a whole message with one question, whose ID is replaced. done is called exactly
 * once, now or later. What differs from a query under way in nothing but its ID and the case of its
 * name waits with that one: so nobody can make us offer many IDs to guess, and a circle of
 * resolvers ends, even where one of them plays with the case. The reply's name may be in another's
 * case. */
void dnsfront__forward(struct forwarder *f, enum forward_mode mode, const uint8_t *query,
                       size_t len, forward_done_fn done, void *arg);

/* ---- Between forward.c and exchange.c ---- */

struct waiter {
    struct waiter *next;
    forward_done_fn done;
    void *arg;
};

/* One query under way. */
struct ask {
    struct forwarder *f;
    struct recursors *recursors; /* held */
    struct ask *prev, *next;
    struct waiter *waiters;
    enum forward_mode mode;
    uint8_t order[RECURSORS_MAX];
    size_t tried;       /* of order; the try under way is the one before */
    unsigned strangers; /* replies to this try that were not its own */
    bool tcp;           /* this try's transport */
    struct event *timer;
    int fd; /* UDP; -1: none */
    struct event *readable;
    struct bufferevent *stream; /* TCP */
    uint8_t *truncated;         /* what UDP gave before TCP was tried */
    size_t truncated_len;
    uint8_t *key;   /* the query without its ID, its name in lower case; behind it in wire */
    size_t len;     /* of the query */
    uint8_t wire[]; /* its length as TCP wants it, then the query */
};

/* Sends the query to the recursor; false when that cannot be done. What comes back goes to
 * dnsfront__ask_reply (bytes may be written to) or, when the connection is gone,
 * dnsfront__ask_failed. */
bool dnsfront__exchange_begin(struct ask *a, const struct recursor *to);
void dnsfront__exchange_end(struct ask *a); /* closes; fine without a begin */
/* False when the ask or its try has ended: the exchange must not be touched again. */
bool dnsfront__ask_reply(struct ask *a, uint8_t *reply, size_t len);
void dnsfront__ask_failed(struct ask *a);
