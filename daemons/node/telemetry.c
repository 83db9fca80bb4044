#include "telemetry.h"

#include "base/metrics.h"
#include "metric_sink.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SINKS 3

struct telemetry {
    struct process *process;
    struct event *timer;
    struct metric_sink *sinks[SINKS]; /* NULL: none */
    struct swim_stats before;         /* what gossip had counted at the last interval */
};

/* ---- What is measured ---- */

static void measure_process(void)
{
    char text[128];
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        const char *resident = fgets(text, sizeof text, f) ? strchr(text, ' ') : NULL;
        if (resident) {
            metric_set(METRIC_RUNTIME_SYS_BYTES,
                       (double)strtoull(resident, NULL, 10) * (double)sysconf(_SC_PAGESIZE));
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

/* Of probes only their number and the sum of their times are known: each counts as the mean. */
static void sample_probes(const struct swim_stats *now, const struct swim_stats *before)
{
    uint64_t n = now->probes_answered - before->probes_answered;
    double sum = (double)(now->probes_answered_ns - before->probes_answered_ns) / (double)MU_MSEC;
    for (uint64_t i = 0; i < n; i++) {
        metric_sample(METRIC_MEMBERLIST_PROBE_NODE, sum / (double)n);
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
    count_since(METRIC_MEMBERLIST_TCP_SENT, now->stream_bytes_out, t->before.stream_bytes_out);
    count_since(METRIC_MEMBERLIST_MSG_ALIVE, now->announcements, t->before.announcements);
    count_since(METRIC_MEMBERLIST_MSG_SUSPECT, now->suspicions, t->before.suspicions);
    count_since(METRIC_MEMBERLIST_MSG_DEAD, now->deaths, t->before.deaths);
    count_since(METRIC_MEMBERLIST_DEGRADED_PROBE, now->probes_degraded, t->before.probes_degraded);
    sample_probes(now, &t->before);
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

/* ---- Life ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct telemetry *t = arg;
    (void)fd;
    (void)what;
    metrics_roll(loop_now_unix_ns() / (int64_t)MU_SEC);
    for (size_t i = 0; i < SINKS; i++) {
        if (t->sinks[i]) {
            metric_sink_send(t->sinks[i]);
        }
    }
}

static void open_sinks(struct telemetry *t)
{
    const struct config *c = t->process->config;
    const struct {
        enum metric_sink_kind kind;
        const char *key;
        struct mu_str address;
    } wanted[SINKS] = {
        {SINK_STATSD, "telemetry.statsd_address", c->telemetry.statsd_address},
        {SINK_STATSITE, "telemetry.statsite_address", c->telemetry.statsite_address},
        {SINK_DOGSTATSD, "telemetry.dogstatsd_addr", c->telemetry.dogstatsd_addr},
    };
    for (size_t i = 0; i < SINKS; i++) {
        if (wanted[i].address.len) {
            t->sinks[i] =
                metric_sink_create(wanted[i].kind, loop_base(t->process->core), wanted[i].key,
                                   wanted[i].address.p, &c->telemetry.dogstatsd_tags);
        }
    }
}

void telemetry_configure(const struct config *c, bool is_server)
{
    char host[256] = "";
    if (!c->telemetry.disable_hostname && gethostname(host, sizeof host - 1) != 0) {
        host[0] = '\0';
    }
    metrics_configure(&(struct metrics_config){.prefix = c->telemetry.metrics_prefix.p,
                                               .host = host,
                                               .node = c->node_name.p,
                                               .is_server = is_server,
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
    telemetry_configure(p->config, p->role->server);
    t->process = p;
    open_sinks(t);
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
    for (size_t i = 0; i < SINKS; i++) {
        metric_sink_destroy(t->sinks[i]);
    }
    free(t);
}
