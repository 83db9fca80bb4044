/* node.h - what the parts of a dnsfront node share. */
#pragma once

#define _GNU_SOURCE  /* recvmmsg, in6_pktinfo. NOLINT(bugprone-reserved-identifier): glibc's name  \
                      */

#include <muster/dnsfront_node.h>

#include "alloc.h"
#include "prng.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define ANSWER_MAX 65537u /* a TCP answer with its length */
#define SHARES     256u   /* of the pendings, by client */

struct tcp_conn;
struct udp_batch;

/* The settings in force, or older ones whose queries have not all ended. */
struct front {
    struct dnsfront *d;
    size_t open; /* queries */
    bool retired;
};

/* Which of our addresses a datagram came to, as a control message to send the answer with; empty
 * when the socket is bound to one. */
struct local_address {
    uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    size_t len;
};

struct dnsfront_node {
    struct event_base *base;
    struct front *front;
    struct dnsfront_source source;
    struct mu__prng prng;
    size_t pending_max, pending, pending_udp;
    struct dnsfront_pending *idle; /* pendings for reuse */
    size_t idle_count;
    uint64_t share_seed[2];
    uint32_t shares[SHARES]; /* pendings by client */
    size_t tcp_connections_max, tcp_connections;
    uint64_t tcp_idle_ns;
    void (*log)(void *user, enum mu_level level, const char *line);
    void *log_user;
    void (*answered)(void *user, bool reverse, uint64_t took_ns);
    void *answered_user;
    struct dnsfront_node_stats stats;
    /* Read once for each batch of queries */
    uint64_t now_ns;
    int64_t now_unix_s;
    bool in_batch; /* of queries, for which the clock was read */
    evutil_socket_t udp;
    struct event *udp_event;
    struct udp_batch *batch;
    struct evconnlistener *listener;
    struct event *tcp_timer;
    struct tcp_conn *busiest, *idlest; /* ends of a list ordered by last activity */
    size_t tcp_waiting;                /* connections whose next query found no room */
    struct forwarder *forwarder;       /* NULL: there never were recursors */
    bool has_recursors;
    uint16_t port;
    bool closing; /* destroyed, but pendings are left */
    uint8_t answer[ANSWER_MAX];
};

#define CLIENT_TEXT_MAX 46u /* INET6_ADDRSTRLEN */

/* Where a query came from: a UDP peer, or a connection (NULL once that is closed). */
struct origin {
    struct tcp_conn *conn;
    struct sockaddr_storage peer;
    socklen_t peer_len;
    struct local_address local; /* UDP only */
    bool tcp;
};

struct dnsfront_pending {
    struct dnsfront_node *node;
    struct front *front;
    struct dnsfront_query *query;
    struct dnsfront_pending *prev, *next; /* of the connection; next also of the idle list */
    struct origin origin;
    uint64_t began_ns;
    size_t share;
    bool reverse; /* asks for a name under arpa */
    bool relayed; /* its name is neither that nor in our domains: others answer it */
    char client[CLIENT_TEXT_MAX];
};

/* ---- node.c ---- */

void dnsfront__node_read_clock(struct dnsfront_node *n);
/* After the last pending of a node that was destroyed. */
void dnsfront__node_free_when_done(struct dnsfront_node *n);
void dnsfront__front_release(struct front *f);

/* ---- pending.c ---- */

/* The answer to a query if it is kept; a TCP answer without its length. */
bool dnsfront__node_kept(struct dnsfront_node *n, const uint8_t *bytes, size_t len, bool tcp,
                         uint8_t *out, size_t cap, size_t *out_len);
/* Begins a query and answers it, now or when its lookups are supplied. False when it was not taken
 * (pending_max). */
bool dnsfront__node_query(struct dnsfront_node *n, const uint8_t *bytes, size_t len,
                          const struct origin *from);
void dnsfront__pendings_free(struct dnsfront_node *n); /* those that are idle */
/* Does the first question ask for a name under arpa? */
bool dnsfront__asks_reverse(const uint8_t *bytes, size_t len);

/* ---- udp.c, tcp.c ---- */

int dnsfront__udp_open(struct dnsfront_node *n, const struct sockaddr *addr, socklen_t len);
void dnsfront__udp_close(struct dnsfront_node *n);
void dnsfront__udp_send(struct dnsfront_node *n, struct origin *to, uint8_t *bytes, size_t len);

int dnsfront__tcp_open(struct dnsfront_node *n, const struct sockaddr *addr, socklen_t len);
void dnsfront__tcp_close(struct dnsfront_node *n);
void dnsfront__tcp_attach(struct tcp_conn *c, struct dnsfront_pending *p);
void dnsfront__tcp_detach(struct tcp_conn *c, struct dnsfront_pending *p);
void dnsfront__tcp_send(struct tcp_conn *c, const uint8_t *bytes, size_t len);
/* Goes on with queries that had to wait for pending_max. */
void dnsfront__tcp_resume(struct dnsfront_node *n);
