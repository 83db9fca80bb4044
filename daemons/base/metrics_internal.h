/* metrics_internal.h - what recording shares with writing. */
#pragma once

#include "metrics.h"

#define METRICS_MAX    320
#define METRIC_BUCKETS 128

/* How a metric stands after the last roll. */
struct metric_rolled {
    /* Of the interval. */
    uint64_t count;
    double sum, squares, min, max;
    double quantiles[3]; /* 0.5, 0.9 and 0.99; NaN without a sample */
    /* Since the start. */
    uint64_t total_count;
    double total_sum;
    double value; /* gauges */
    bool is_set;  /* a gauge has a value, anything else was ever counted */
    /* Buckets since the start; of histograms, their sum may differ from total_count for a moment */
    uint32_t buckets[METRIC_BUCKETS];
};

struct metric_name {
    enum metric_kind kind;
    char name[METRIC_NAME_MAX];
    const char *label, *label_value; /* "": none */
};

/* Holds what was rolled for reading; false: no interval is complete yet. Always to be released. */
bool metrics__hold(void);
void metrics__release(void);
/* While held: how many there are, and each in the order of names. */
size_t metrics__count(void);
const struct metric_rolled *metrics__at(size_t i, const struct metric_name **name);
int64_t metrics__time(void); /* when the interval began, Unix seconds */
/* "consul.kvs.apply"; false when filters hide it. */
bool metrics__full_name(const struct metric_name *m, char *out, size_t cap);
double metrics__bucket_top(size_t bucket); /* what its samples are below */
