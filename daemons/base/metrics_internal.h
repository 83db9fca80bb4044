/* metrics_internal.h - what recording shares with writing. */
#pragma once

#include "metrics.h"

/* A metric's number tells what it is: those of METRICS, then one for each family (its others), then
 * those that were added, up to METRICS_MAX; behind them the slots of metrics_label.c. */
#define METRICS_FIXED  ((int)METRIC_KNOWN + (int)METRIC_FAMILY_COUNT)
#define METRICS_MAX    512
#define METRICS_ALL    (METRICS_MAX + METRIC_LABELLED_MAX)
#define METRIC_BUCKETS 128
#define METRIC_LABELS  2

/* How a metric stands after the last roll. */
struct metric_rolled {
    /* Of the interval. */
    uint64_t count;
    double sum, squares, min, max;
    double quantiles[3]; /* 0.5, 0.9 and 0.99; NaN without a sample */
    /* Since the start. */
    uint64_t total_count;
    double total_sum, total_squares;
    double value; /* gauges */
    bool is_set;  /* a gauge has a value, anything else was ever counted */
    /* METRIC_BUCKETS since the start, of samples and histograms; their sum may differ from
     * total_count for a moment */
    uint32_t *buckets;
};

struct metric_name {
    enum metric_kind kind;
    enum metric_place {
        METRIC_LATER, /* shown once it was counted */
        METRIC_ANY,   /* from the start */
        METRIC_SERVER /* from the start on servers */
    } place;
    const char *name;
    const char *labels[METRIC_LABELS]; /* NULL or "": none, and none behind it */
    const char *values[METRIC_LABELS];
};

/* Holds what was rolled for reading; false: no interval is complete yet. Always to be released. */
bool metrics__hold(void);
bool metrics__try_hold(void); /* likewise for changes; false: somebody else holds it */
void metrics__release(void);
/* While held: how many there are, and each in the order of names. */
size_t metrics__count(void);
const struct metric_rolled *metrics__at(size_t i, const struct metric_name **name);
bool metrics__is_shown(const struct metric_name *m, const struct metric_rolled *r);
size_t metrics__labels(const struct metric_name *m); /* how many it has */
const char *metrics__label_value(const struct metric_name *m, size_t i);
int64_t metrics__time(void); /* when the interval began, Unix seconds */
/* "consul.kvs.apply", or "consul.box-1.raft.last_index" with the host; false when filters hide
 * it. */
bool metrics__full_name(const struct metric_name *m, bool hosted, char *out, size_t cap);
double metrics__bucket_top(size_t bucket); /* what its samples are below */

/* The slots of metrics_label.c, while held: what is counted there, NULL if nothing is. */
const struct metric_name *metrics__slot(size_t slot);
/* An interval has ended, in which the slot was counted or was not. False: that is long ago, and the
 * slot is free again. */
bool metrics__slot_goes_on(size_t slot, bool was_counted);
void metrics__names_changed(void); /* while held */
