#include "node.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

void dnsfront_node_config_init_sized(struct dnsfront_node_config *cfg, size_t size)
{
    struct dnsfront_node_config d = {.size = size,
                                     .address = "127.0.0.1",
                                     .port = 8600,
                                     .pending_max = 4096,
                                     .tcp_connections_max = 256,
                                     .tcp_idle_ns = 10 * MU_SEC};
    memset(cfg, 0, size);
    memcpy(cfg, &d, mu__min(size, sizeof d));
    cfg->size = size;
}

#define PORT_TRIES 32 /* chosen by the system */

static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *out,
                          socklen_t *len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof v4);
        *len = sizeof v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        memcpy(out, &v6, sizeof v6);
        *len = sizeof v6;
        return true;
    }
    return false;
}

static uint16_t port_of(evutil_socket_t fd)
{
    struct sockaddr_storage s;
    socklen_t len = sizeof s;
    if (getsockname(fd, (struct sockaddr *)&s, &len) != 0) {
        return 0;
    }
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (s.ss_family == AF_INET) {
        memcpy(&v4, &s, sizeof v4);
        return ntohs(v4.sin_port);
    }
    memcpy(&v6, &s, sizeof v6);
    return ntohs(v6.sin6_port);
}

/* UDP first; TCP then takes the port that UDP got, which matters when the system chose it. A port
 * that it chose may be taken for TCP: then it chooses another one. */
static int open_sockets(struct dnsfront_node *n, const struct dnsfront_node_config *cfg,
                        const char **reason)
{
    struct sockaddr_storage addr;
    socklen_t len;
    for (int tries = 1;; tries++) {
        if (!parse_address(cfg->address, cfg->port, &addr, &len)) {
            *reason = "the DNS address is not an IP address";
            return DNSFRONT_EINVAL;
        }
        if (dnsfront__udp_open(n, (struct sockaddr *)&addr, len) != 0) {
            *reason = "cannot open the DNS UDP socket";
            return DNSFRONT_EINVAL;
        }
        n->port = port_of(n->udp);
        parse_address(cfg->address, n->port, &addr, &len);
        if (dnsfront__tcp_open(n, (struct sockaddr *)&addr, len) == 0) {
            return DNSFRONT_OK;
        }
        if (cfg->port != 0 || errno != EADDRINUSE || tries == PORT_TRIES) {
            *reason = "cannot open the DNS TCP socket";
            return DNSFRONT_EINVAL;
        }
        dnsfront__udp_close(n);
    }
}

int dnsfront_node_create(const struct dnsfront_node_config *cfg, struct dnsfront_node **out,
                         const char **reason)
{
    const char *unused;
    reason = reason ? reason : &unused;
    *out = NULL;
    *reason = "out of memory";
    struct dnsfront_node *n = calloc(1, sizeof *n);
    if (!n) {
        return DNSFRONT_ENOMEM;
    }
    n->base = cfg->base;
    n->udp = -1;
    n->source = cfg->source;
    n->pending_max = cfg->pending_max;
    n->tcp_connections_max = cfg->tcp_connections_max;
    n->tcp_idle_ns = cfg->tcp_idle_ns;
    n->log = cfg->log;
    n->log_user = cfg->log_user;
    n->answered = cfg->answered;
    n->answered_user = cfg->answered_user;
    mu__prng_seed(&n->prng, cfg->seed);
    struct dnsfront_config defaults;
    dnsfront_config_init(&defaults);
    int rc = dnsfront_create(cfg->front ? cfg->front : &defaults, &n->front);
    if (rc != DNSFRONT_OK) {
        *reason = "the DNS settings are out of range";
    } else {
        rc = open_sockets(n, cfg, reason);
    }
    if (rc != DNSFRONT_OK) {
        int saved = errno;
        dnsfront_node_destroy(n);
        errno = saved;
        return rc;
    }
    *reason = "";
    *out = n;
    return DNSFRONT_OK;
}

static void free_when_done(struct dnsfront_node *n)
{
    if (n->closing && n->pending == 0) {
        dnsfront_destroy(n->front);
        free(n);
    }
}

void dnsfront_node_destroy(struct dnsfront_node *n)
{
    if (!n) {
        return;
    }
    dnsfront__udp_close(n);
    dnsfront__tcp_close(n);
    n->closing = true;
    free_when_done(n);
}

uint16_t dnsfront_node_port(const struct dnsfront_node *n)
{
    return n->port;
}

void dnsfront_node_stats(const struct dnsfront_node *n, struct dnsfront_node_stats *out)
{
    struct dnsfront_node_stats now = n->stats;
    now.size = out->size;
    memcpy(out, &now, mu__min(out->size, sizeof now));
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * MU_SEC + (uint64_t)t.tv_nsec;
}

/* Is the last label of the first question's name "arpa"? The core has found the name well-formed,
 * and questions have no compression. */
static bool is_reverse(const uint8_t *bytes, size_t len)
{
    const uint8_t *last = NULL;
    size_t at = 12; /* behind the header (RFC 1035 4.1.1) */
    while (at < len && bytes[at] > 0 && bytes[at] < 64 && at + 1 + bytes[at] <= len) {
        last = bytes + at;
        at += 1u + bytes[at];
    }
    return last && last[0] == 4 && strncasecmp((const char *)last + 1, "arpa", 4) == 0;
}

static void send_answer(struct dnsfront_pending *p)
{
    struct dnsfront_node *n = p->node;
    size_t len;
    bool gone = n->closing || (p->peer_len == 0 && !p->conn);
    if (!gone &&
        dnsfront_query_answer(p->query, n->answer + 2, sizeof n->answer - 2, &len) == DNSFRONT_OK) {
        n->stats.answers++;
        if (n->answered) {
            n->answered(n->answered_user, p->reverse, now_ns() - p->began_ns);
        }
        if (p->peer_len) {
            dnsfront__udp_send(n, p, n->answer + 2, len);
        } else {
            n->answer[0] = (uint8_t)(len >> 8);
            n->answer[1] = (uint8_t)len;
            dnsfront__tcp_send(p->conn, n->answer, len + 2);
        }
    } else {
        n->stats.dropped++;
    }
}

static void end_pending(struct dnsfront_pending *p)
{
    struct dnsfront_node *n = p->node;
    send_answer(p);
    dnsfront_query_end(p->query);
    bool was_full = n->pending == n->pending_max;
    if (p->conn) {
        dnsfront__tcp_detach(p->conn, p);
    }
    free(p);
    n->pending--;
    if (was_full && !n->closing) {
        dnsfront__tcp_resume(n);
    }
    free_when_done(n);
}

/* What the query asks for next, or its answer. */
static void go_on(struct dnsfront_pending *p)
{
    const struct dnsfront_lookup *lookup = dnsfront_query_lookup(p->query);
    if (lookup) {
        p->node->source.find(p->node->source.user, p, lookup);
    } else {
        end_pending(p);
    }
}

void dnsfront_node_supply(struct dnsfront_pending *p, const struct dnsfront_found *found)
{
    dnsfront_query_supply(p->query, found);
    go_on(p);
}

bool dnsfront__node_query(struct dnsfront_node *n, const uint8_t *bytes, size_t len,
                          struct tcp_conn *conn, const struct sockaddr *peer, socklen_t peer_len)
{
    if (n->pending >= n->pending_max) {
        return false;
    }
    struct dnsfront_request r = {.bytes = bytes,
                                 .len = len,
                                 .tcp = conn != NULL,
                                 .now_unix_s = (int64_t)time(NULL),
                                 .random = mu__prng_next(&n->prng)};
    struct dnsfront_pending *p = calloc(1, sizeof *p);
    if (!p || dnsfront_query_begin(n->front, &r, &p->query) != DNSFRONT_OK) {
        free(p);
        n->stats.ignored++;
        return true;
    }
    p->node = n;
    p->peer_len = peer_len;
    if (n->answered) {
        p->began_ns = now_ns();
        p->reverse = is_reverse(bytes, len);
    }
    if (peer_len) {
        memcpy(&p->peer, peer, peer_len);
        n->stats.udp_queries++;
    } else {
        n->stats.tcp_queries++;
    }
    n->pending++;
    if (conn) {
        p->conn = conn;
        dnsfront__tcp_attach(conn, p);
    }
    go_on(p);
    return true;
}
