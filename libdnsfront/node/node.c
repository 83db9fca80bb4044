#include "recursion.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void dnsfront_node_config_init_sized(struct dnsfront_node_config *cfg, size_t size)
{
    struct dnsfront_node_config d = {.size = size,
                                     .address = "127.0.0.1",
                                     .port = 8600,
                                     .pending_max = 4096,
                                     .tcp_connections_max = 256,
                                     .tcp_idle_ns = 10 * MU_SEC,
                                     .recursors = {.timeout_ns = 2 * MU_SEC, .queries_max = 512}};
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

/* The settings with what the source adds to them. */
static int open_front(const struct dnsfront_node *n, const struct dnsfront_config *cfg,
                      struct front **out)
{
    struct dnsfront_config own;
    struct front *f = calloc(1, sizeof *f);
    if (!f) {
        return DNSFRONT_ENOMEM;
    }
    dnsfront_config_init(&own);
    if (cfg) {
        memcpy(&own, cfg, mu__min(cfg->size, sizeof own));
    }
    own.unchanged = n->source.unchanged;
    own.unchanged_user = n->source.user;
    own.kept_bytes_max = n->source.version ? own.kept_bytes_max : 0;
    own.size = sizeof own;
    int rc = dnsfront_create(&own, &f->d);
    if (rc != DNSFRONT_OK) {
        free(f);
        return rc;
    }
    *out = f;
    return DNSFRONT_OK;
}

static void free_front_when_done(struct front *f)
{
    if (f && f->retired && f->open == 0) {
        dnsfront_destroy(f->d);
        free(f);
    }
}

static void retire_front(struct front *f)
{
    if (f) {
        f->retired = true;
        free_front_when_done(f);
    }
}

void dnsfront__front_release(struct front *f)
{
    f->open--;
    free_front_when_done(f);
}

int dnsfront_node_reconfigure(struct dnsfront_node *n, const struct dnsfront_config *front)
{
    struct front *f;
    int rc = open_front(n, front, &f);
    if (rc == DNSFRONT_OK) {
        retire_front(n->front);
        n->front = f;
    }
    return rc;
}

/* The caller's config widened to ours; false if a larger one sets what we do not know. */
static bool widen(const struct dnsfront_node_config *cfg, struct dnsfront_node_config *out)
{
    dnsfront_node_config_init(out);
    for (size_t i = sizeof *out; i < cfg->size; i++) {
        if (((const unsigned char *)cfg)[i] != 0) {
            return false;
        }
    }
    memcpy(out, cfg, mu__min(cfg->size, sizeof *out));
    return true;
}

static struct dnsfront_node *node_new(const struct dnsfront_node_config *cfg)
{
    struct dnsfront_node *n = calloc(1, sizeof *n);
    if (!n) {
        return NULL;
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
    n->share_seed[0] = mu__prng_next(&n->prng);
    n->share_seed[1] = mu__prng_next(&n->prng);
    return n;
}

int dnsfront_node_create(const struct dnsfront_node_config *cfg, struct dnsfront_node **out,
                         const char **reason)
{
    const char *unused;
    struct dnsfront_node_config full;
    reason = reason ? reason : &unused;
    *out = NULL;
    *reason = "a limit is 0, or a field is unknown";
    if (!widen(cfg, &full) || full.pending_max == 0 || full.tcp_idle_ns == 0) {
        return DNSFRONT_EINVAL;
    }
    cfg = &full;
    *reason = "out of memory";
    struct dnsfront_node *n = node_new(cfg);
    if (!n) {
        return DNSFRONT_ENOMEM;
    }
    int rc = open_front(n, cfg->front, &n->front);
    if (rc == DNSFRONT_EINVAL) {
        *reason = "the DNS settings are out of range";
    } else if (rc == DNSFRONT_OK) {
        rc = open_sockets(n, cfg, reason);
    }
    if (rc == DNSFRONT_OK && (rc = dnsfront__recursion_set(n, &cfg->recursors)) != DNSFRONT_OK) {
        *reason = "the recursors are not addresses, or their settings out of range";
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

void dnsfront__node_free_when_done(struct dnsfront_node *n)
{
    if (n->closing && n->pending == 0) {
        retire_front(n->front);
        dnsfront__pendings_free(n);
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
    dnsfront__recursion_close(n);
    dnsfront__node_free_when_done(n);
}

uint16_t dnsfront_node_port(const struct dnsfront_node *n)
{
    return n->port;
}

void dnsfront_node_stats(const struct dnsfront_node *n, struct dnsfront_node_stats *out)
{
    struct dnsfront_stats front = {.size = sizeof front};
    struct dnsfront_node_stats now = n->stats;
    dnsfront_stats(n->front->d, &front);
    now.size = out->size;
    now.kept_bytes = front.kept_bytes;
    now.tcp_connections = n->tcp_connections;
    memcpy(out, &now, mu__min(out->size, sizeof now));
}

void dnsfront__node_read_clock(struct dnsfront_node *n)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    n->now_ns = (uint64_t)t.tv_sec * MU_SEC + (uint64_t)t.tv_nsec;
    n->now_unix_s = (int64_t)time(NULL);
}
