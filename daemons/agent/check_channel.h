/* check_channel.h - how a check reaches what it looks at: TCP, a Unix socket, or TLS over TCP.
 *
 * The check writes and reads clear text in all three cases: TLS is spoken by a thread of its own
 * (check_tls.h), since the core loop must not spend its time on public keys. */
#pragma once

#include "agent/check_internal.h"
#include "agent/check_tls.h"

struct evbuffer;

enum check__end {
    CHECK__END_CLOSED,    /* by the peer, in order; why is "EOF" */
    CHECK__END_DIAL,      /* no connection came about */
    CHECK__END_HANDSHAKE, /* TLS did not */
    CHECK__END_BROKEN     /* the connection failed later */
};

struct check__route { /* borrowed while a channel is open */
    const char *host; /* TCP, unless path is set */
    uint16_t port;
    const char *path;                  /* of a Unix socket; NULL: TCP */
    const struct check__tls_wish *tls; /* NULL: clear text */
};

/* Either of the last two may close the channel or end the check. */
struct check__channel_events {
    void (*opened)(void *arg); /* what is written goes out from now on; must not end the check */
    void (*received)(void *arg, struct evbuffer *in);
    /* The channel is closed already. why: in Go's words, lent. */
    void (*ended)(void *arg, enum check__end end, const char *why);
};

struct check__channel {
    struct check_world *world;
    const struct check__channel_events *events;
    void *arg;
    struct check__route route;
    struct bufferevent *bev; /* NULL: closed */
    enum { CHECK__DIALS, CHECK__SHAKES_HANDS, CHECK__IS_OPEN } state;
};

/* Begins to connect; what becomes of it is told later, never from within. False: nothing was begun,
 * and why says the reason in Go's words. */
MU_MUST_USE bool check__channel_open(struct check__channel *ch, struct check_world *world,
                                     const struct check__route *route,
                                     const struct check__channel_events *events, void *arg,
                                     char *why, size_t cap);
void check__channel_write(struct check__channel *ch, const void *data, size_t len);
void check__channel_close(struct check__channel *ch); /* a closed one is fine */
