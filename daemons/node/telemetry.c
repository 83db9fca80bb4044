#include "telemetry.h"

#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE       "agent.telemetry"
#define PACKET_BYTES 1400u /* of one datagram to statsd: whole lines */

struct telemetry {
    struct process *process;
    struct event *timer;
    int statsd; /* a connected UDP socket; -1: none */
    bool statsd_failed;
    struct swim_stats before; /* what gossip had counted at the last interval */
};

/* ---- What is measured ---- */

static void measure_process(void)
{
    unsigned long long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%llu %llu", &pages, &resident) == 2) {
            metric_set(METRIC_RUNTIME_SYS_BYTES, (double)resident * (double)sysconf(_SC_PAGESIZE));
        }
        fclose(f);
    }
    struct mallinfo2 heap = mallinfo2();
    metric_set(METRIC_RUNTIME_ALLOC_BYTES, (double)(heap.uordblks + heap.hblkhd));
}

static void measure_threads(const struct process *p)
{
    /* core, gossip and the fronts; libraft's disk thread on a server */
    metric_set(METRIC_RUNTIME_NUM_THREADS, (double)(2 + p->nfronts + (p->role->server ? 1 : 0)));
}

static void count_since(enum metric m, uint64_t now, uint64_t before)
{
    if (now > before) {
        metric_count(m, (double)(now - before));
    }
}

static void measure_gossip(struct telemetry *t)
{
    if (!t->process->gossip) {
        return;
    }
    const struct swim_stats *now = &gossip_report(t->process->gossip)->stats;
    count_since(METRIC_MEMBERLIST_UDP_RECEIVED, now->bytes_in, t->before.bytes_in);
    count_since(METRIC_MEMBERLIST_UDP_SENT, now->bytes_out, t->before.bytes_out);
    count_since(METRIC_MEMBERLIST_TCP_ACCEPT, now->streams_in, t->before.streams_in);
    count_since(METRIC_MEMBERLIST_TCP_CONNECT, now->streams_out, t->before.streams_out);
    metric_set(METRIC_MEMBERLIST_HEALTH_SCORE, now->health_score);
    t->before = *now;
}

static void collect(void *arg)
{
    struct telemetry *t = arg;
    measure_process();
    measure_threads(t->process);
    measure_gossip(t);
}

/* ---- statsd ---- */

static int open_statsd(const char *address)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof host) {
        log_warn(MODULE, "telemetry.statsd_address \"%s\" is not host:port", address);
        return -1;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM}, *found = NULL;
    int rc = getaddrinfo(host[0] ? host : "127.0.0.1", colon + 1, &hints, &found);
    int fd = rc == 0 ? socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        log_warn(MODULE, "telemetry.statsd_address \"%s\": %s", address,
                 rc ? gai_strerror(rc) : strerror(errno));
    }
    if (found) {
        freeaddrinfo(found);
    }
    return fd;
}

/* Lost datagrams are lost; that nobody listens is said once. */
static void send_packet(struct telemetry *t, const char *data, size_t len)
{
    if (send(t->statsd, data, len, MSG_NOSIGNAL) < 0 && !t->statsd_failed) {
        t->statsd_failed = true;
        log_warn(MODULE, "statsd cannot be reached: %s", strerror(errno));
    }
}

static void send_statsd(struct telemetry *t)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    metrics_write_statsd(&w);
    const char *p = (const char *)w.data;
    size_t left = w.failed ? 0 : w.len;
    while (left > 0) {
        size_t n = left < PACKET_BYTES ? left : PACKET_BYTES;
        while (n < left && n > 0 && p[n - 1] != '\n') {
            n--;
        }
        n = n ? n : left;
        send_packet(t, p, n);
        p += n;
        left -= n;
    }
    mu__writer_fini(&w);
}

/* ---- Life ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct telemetry *t = arg;
    (void)fd;
    (void)what;
    metrics_roll(loop_now_unix_ns() / (int64_t)MU_SEC);
    if (t->statsd >= 0) {
        send_statsd(t);
    }
}

static void configure(const struct config *c)
{
    char host[256] = "";
    if (!c->telemetry.disable_hostname && gethostname(host, sizeof host - 1) != 0) {
        host[0] = '\0';
    }
    metrics_configure(&(struct metrics_config){.prefix = c->telemetry.metrics_prefix.p,
                                               .host = host,
                                               .filter_default = c->telemetry.filter_default,
                                               .filters = c->telemetry.prefix_filter.items,
                                               .nfilters = c->telemetry.prefix_filter.len});
}

struct telemetry *telemetry_create(struct process *p)
{
    static const struct timeval interval = {.tv_sec = METRICS_INTERVAL_S};
    struct telemetry *t = calloc(1, sizeof *t);
    if (!t) {
        abort();
    }
    configure(p->config);
    t->process = p;
    t->statsd = p->config->telemetry.statsd_address.len
                    ? open_statsd(p->config->telemetry.statsd_address.p)
                    : -1;
    t->timer = event_new(loop_base(p->core), -1, EV_PERSIST, on_timer, t);
    if (!t->timer || event_add(t->timer, &interval) != 0) {
        abort();
    }
    metrics_collect(collect, t);
    return t;
}

void telemetry_destroy(struct telemetry *t)
{
    if (!t) {
        return;
    }
    metrics_collect(NULL, t);
    event_free(t->timer);
    if (t->statsd >= 0) {
        close(t->statsd);
    }
    free(t);
}
