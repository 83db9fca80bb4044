/* transport.h - messages to peers and from peers, over TCP or what the host puts on it (TLS). Core
 * loop only; libevent's bufferevents underneath.
 *
 * A connection to a peer is made when there is something to say to it. While it is being made,
 * messages wait; after a failure they are dropped until the next attempt (backoff with jitter),
 * since the core repeats what matters. */
#pragma once

#include "file.h"
#include "frame.h"
#include "prng.h"

#include <event2/event.h>

#define TRANSPORT_PEERS_MAX   64u  /* outgoing */
#define TRANSPORT_INBOUND_MAX 256u /* incoming, whether or not they said hello */

struct transport_config {
    struct event_base *base;
    const char *id, *cluster; /* must outlive the transport */
    int preamble, inner_preamble;
    struct raft_node_tls tls;
    uint64_t connect_timeout_ns, reconnect_min_ns, reconnect_max_ns;
    /* What is sent and not acknowledged by TCP for so long ends a connection */
    uint64_t silence_ns;
    size_t queue_bytes_max, frame_bytes_max;
    uint64_t seed;
    struct mu_allocator allocator;
    struct node_log log;
    void *user;
    /* A message arrived; body is lent. False: the connection is closed. */
    bool (*receive)(void *user, const uint8_t *body, size_t len);
};

struct transport;
int raft_node__transport_create(const struct transport_config *cfg, struct transport **out);
void raft_node__transport_destroy(struct transport *t); /* NULL is allowed */
/* Queues m for m->to at m->to_address, or drops it. It leaves with the next flush. */
void raft_node__transport_send(struct transport *t, const struct raft_message *m);
void raft_node__transport_flush(struct transport *t);
/* Takes a connected socket whose preamble was read. RAFT_EBUSY, RAFT_ENOMEM. */
int raft_node__transport_adopt(struct transport *t, evutil_socket_t fd);
/* Takes a stream that the host has secured. RAFT_EBUSY, RAFT_ENOMEM, RAFT_EINVAL (another base). */
int raft_node__transport_adopt_stream(struct transport *t, struct bufferevent *stream);
/* "ip:port" or "[ip]:port", numeric: is it one? */
bool raft_node__transport_is_address(const char *address);
