/* metrics.h - what a daemon counts and measures, under Consul's names.
 *
 * Any thread may count, set and sample; that costs a few uncontended atomic additions and never a
 * lock. Every ten seconds the core loop closes an interval (metrics_roll): what the API shows is
 * the last complete one, what Prometheus reads are sums since the start.
 *
 * Like the log this is process-wide: a daemon has one set of metrics.
 *
 *     uint64_t began = loop_now_ns();
 *     ...
 *     metric_count(METRIC_RPC_REQUEST, 1);
 *     metric_since(METRIC_KVS_APPLY, began); */
#pragma once

#include "metric_names.h"
#include "schema.h"

#include <muster/mu.h>
#include <stdbool.h>
#include <stdint.h>

enum metric_kind {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_SAMPLE,   /* times are in milliseconds; quantiles are good to an eighth */
    METRIC_HISTOGRAM /* a sample that Prometheus gets as buckets, one for each power of two */
};

enum metric {
#define METRIC_ID(id, kind, where, name, label, value) METRIC_##id,
    METRICS(METRIC_ID)
#undef METRIC_ID
        METRIC_KNOWN, /* those that metrics_add made follow */
    METRIC_NONE = 1 << 16
};

/* METRIC_NONE is counted nowhere. */
void metric_count(enum metric m, double by);
void metric_set(enum metric m, double value); /* gauges */
void metric_sample(enum metric m, double value);
void metric_since(enum metric m, uint64_t began_ns); /* samples loop_now_ns() - began_ns */

/* Counters that are told apart by what comes from outside: names of services, tags, events. Nobody
 * can make them grow without end: there are METRIC_LABELLED_MAX, those that nothing was counted in
 * for ten minutes go, and what finds no room, is no text or has more than METRIC_VALUE_MAX - 1
 * bytes is counted together under the value METRIC_OTHERS. Counting takes no lock, but for the
 * first time of a value. */
#define METRIC_LABELLED_MAX 1024
#define METRIC_VALUE_MAX    64 /* with its zero */
#define METRIC_OTHERS       "(others)"

enum metric_family {
#define METRIC_FAMILY_ID(id, name, label, label2) METRIC_##id,
    METRIC_FAMILIES(METRIC_FAMILY_ID)
#undef METRIC_FAMILY_ID
        METRIC_FAMILY_COUNT
};
/* Counts one. value2 is of the second label; it may be empty. */
void metric_count_of(enum metric_family f, struct mu_str value, struct mu_str value2);

/* Another metric, such as that of an HTTP route; name is copied. The same name again is the same
 * metric. Any thread, but not on a hot path. METRIC_NONE when there are too many. */
enum metric metrics_add(enum metric_kind kind, const char *name);

struct metrics_config {
    const char *prefix;           /* "consul" */
    const char *host;             /* stands before the names of gauges; NULL: does not */
    const char *node;             /* value of the label of that name; NULL: "" */
    bool is_server;               /* metrics of servers are shown before anything is counted, too */
    bool filter_default;          /* what no prefix names is shown */
    const struct mu_str *filters; /* "+prefix" or "-prefix" of whole names; the longest counts */
    size_t nfilters;
};
/* Copies; before the loops run. Without it: prefix "consul", no host, no filters. */
void metrics_configure(const struct metrics_config *c);

/* Told before an interval is closed, so that it sets its gauges; on the core loop. At most eight;
 * NULL in fn takes back what was given for arg. */
typedef void (*metrics_collect_fn)(void *arg);
void metrics_collect(metrics_collect_fn fn, void *arg);

#define METRIC_NAME_MAX    96 /* with its zero */
#define METRICS_INTERVAL_S 10
/* Closes the interval that ends at unix_s. On the core loop, every METRICS_INTERVAL_S. */
void metrics_roll(int64_t unix_s);

/* ---- What the last complete interval was; any thread ---- */

/* {"Timestamp", "Gauges", "Points", "Counters", "Samples"} (http-api 2.3) */
void metrics_write_json(struct mu__json *j);
/* Prometheus' text format 0.0.4: sums since the start; quantiles of the last interval. */
void metrics_write_prometheus(struct mu__writer *w);
/* process_* for Prometheus: of this moment, from /proc. What cannot be had is left out. */
void metrics_write_process(struct mu__writer *w);
/* Lines for statsd and statsite: a counter's sum, a gauge's value, a sample's mean of the last
 * interval; the values of labels end the name. With tags, which may be empty, as DogStatsD reads
 * them: labels are tags beside those given ("key:value"), and no host stands in a name. */
void metrics_write_statsd(struct mu__writer *w, const struct mu_strs *tags);
