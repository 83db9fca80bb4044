/* node.h - what the UDP and TCP sides of a dnsfront node share. */
#pragma once

#include <muster/dnsfront_node.h>

#include "alloc.h"
#include "prng.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <sys/socket.h>

#define ANSWER_MAX 65537u /* a TCP answer with its length */

struct tcp_conn;

struct dnsfront_node {
    struct event_base *base;
    struct dnsfront *front;
    struct dnsfront_source source;
    struct mu__prng prng;
    size_t pending_max, pending, tcp_connections_max, tcp_connections;
    uint64_t tcp_idle_ns;
    void (*log)(void *user, enum mu_level level, const char *line);
    void *log_user;
    void (*answered)(void *user, bool reverse, uint64_t took_ns);
    void *answered_user;
    struct dnsfront_node_stats stats;
    evutil_socket_t udp;
    struct event *udp_event;
    struct udp_batch *batch;
    struct evconnlistener *listener;
    struct tcp_conn *conns; /* list */
    uint16_t port;
    bool closing; /* destroyed, but pendings are left */
    uint8_t answer[ANSWER_MAX];
};

/* Where an answer goes: a UDP peer, or a connection (NULL once that is closed). */
struct dnsfront_pending {
    struct dnsfront_node *node;
    struct dnsfront_query *query;
    struct tcp_conn *conn;
    struct dnsfront_pending *prev, *next; /* of the connection */
    struct sockaddr_storage peer;
    socklen_t peer_len; /* 0: TCP */
    uint64_t began_ns;
    bool reverse; /* asks for a name under arpa */
};

/* Reads one query and answers it, now or when its lookup is supplied. False when it was not taken
 * (pending_max). */
bool dnsfront__node_query(struct dnsfront_node *n, const uint8_t *bytes, size_t len,
                          struct tcp_conn *conn, const struct sockaddr *peer, socklen_t peer_len);

int dnsfront__udp_open(struct dnsfront_node *n, const struct sockaddr *addr, socklen_t len);
void dnsfront__udp_close(struct dnsfront_node *n);
void dnsfront__udp_send(struct dnsfront_node *n, const struct dnsfront_pending *p,
                        const uint8_t *bytes, size_t len);

int dnsfront__tcp_open(struct dnsfront_node *n, const struct sockaddr *addr, socklen_t len);
void dnsfront__tcp_close(struct dnsfront_node *n);
void dnsfront__tcp_attach(struct tcp_conn *c, struct dnsfront_pending *p);
void dnsfront__tcp_detach(struct tcp_conn *c, struct dnsfront_pending *p);
void dnsfront__tcp_send(struct tcp_conn *c, const uint8_t *bytes, size_t len);
/* Goes on with queries that had to wait for pending_max. */
void dnsfront__tcp_resume(struct dnsfront_node *n);
