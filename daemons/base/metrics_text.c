/* metrics_text.c - the last complete interval as JSON and for Prometheus. */
#include "metrics_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FULL_NAME 320

/* ---- JSON ---- */

static void write_time(struct mu__json *j)
{
    char text[64] = "";
    time_t at = (time_t)metrics__time();
    struct tm tm;
    if (gmtime_r(&at, &tm)) {
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
    }
    mu__json_ckey(j, "Timestamp");
    mu__json_cstr(j, text);
}

static void write_labels(struct mu__json *j, const struct metric_name *m)
{
    mu__json_ckey(j, "Labels");
    mu__json_object(j);
    for (size_t i = 0; i < metrics__labels(m); i++) {
        mu__json_ckey(j, m->labels[i]);
        mu__json_cstr(j, metrics__label_value(m, i));
    }
    mu__json_object_end(j);
}

static void number(struct mu__json *j, const char *key, double v)
{
    mu__json_ckey(j, key);
    mu__json_float(j, v);
}

static double deviation(const struct metric_rolled *r)
{
    double n = (double)r->count, above = n * r->squares - r->sum * r->sum;
    return n > 1 && above > 0 ? sqrt(above / (n * (n - 1))) : 0;
}

static void write_aggregate(struct mu__json *j, const struct metric_rolled *r)
{
    mu__json_ckey(j, "Count");
    mu__json_uint(j, r->count);
    number(j, "Rate", r->sum / METRICS_INTERVAL_S);
    number(j, "Sum", r->sum);
    number(j, "Min", r->min);
    number(j, "Max", r->max);
    number(j, "Mean", r->sum / (double)r->count);
    number(j, "Stddev", deviation(r));
}

enum list { GAUGES, COUNTERS, SAMPLES };

static enum list list_of(enum metric_kind kind)
{
    return kind == METRIC_GAUGE ? GAUGES : kind == METRIC_COUNTER ? COUNTERS : SAMPLES;
}

static void write_one(struct mu__json *j, const struct metric_name *m, const char *name,
                      const struct metric_rolled *r)
{
    mu__json_item(j);
    mu__json_object(j);
    mu__json_ckey(j, "Name");
    mu__json_cstr(j, name);
    if (m->kind == METRIC_GAUGE) {
        number(j, "Value", r->value);
    } else {
        write_aggregate(j, r);
    }
    write_labels(j, m);
    mu__json_object_end(j);
}

/* Gauges that have a value; of the others what was counted in the interval. */
static void write_list(struct mu__json *j, const char *key, enum list list, bool any)
{
    char name[FULL_NAME];
    mu__json_ckey(j, key);
    mu__json_list(j);
    for (size_t i = 0; any && i < metrics__count(); i++) {
        const struct metric_name *m;
        const struct metric_rolled *r = metrics__at(i, &m);
        bool has = m->kind == METRIC_GAUGE ? r->is_set : r->count > 0;
        if (list_of(m->kind) == list && has && metrics__full_name(m, true, name, sizeof name)) {
            write_one(j, m, name, r);
        }
    }
    mu__json_list_end(j);
}

void metrics_write_json(struct mu__json *j)
{
    bool any = metrics__hold();
    mu__json_object(j);
    write_time(j);
    write_list(j, "Gauges", GAUGES, any);
    mu__json_ckey(j, "Points");
    mu__json_list(j);
    mu__json_list_end(j);
    write_list(j, "Counters", COUNTERS, any);
    write_list(j, "Samples", SAMPLES, any);
    mu__json_object_end(j);
    metrics__release();
}

/* ---- Prometheus, text format 0.0.4 ---- */

static void say_number(struct mu__writer *w, double v)
{
    char text[40];
    if (isnan(v)) {
        mu__write_cstr(w, "NaN");
        return;
    }
    snprintf(text, sizeof text, "%.17g", v); /* the locale of a daemon is "C" */
    mu__write_cstr(w, text);
}

/* What the format does not allow in a name becomes an underscore, as with the original. */
static void make_legal(char *name)
{
    for (char *p = name; *p; p++) {
        bool ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' || *p == ':' ||
                  (*p >= '0' && *p <= '9' && p != name);
        if (!ok) {
            *p = '_';
        }
    }
}

static void say_label(struct mu__writer *w, size_t number, const char *key, const char *value)
{
    mu__write_cstr(w, number ? "," : "{");
    mu__write_cstr(w, key);
    mu__write_cstr(w, "=\"");
    for (; *value; value++) {
        if (*value == '\\' || *value == '"') {
            mu__write_u8(w, '\\');
        }
        mu__write_u8(w, (uint8_t)*value);
    }
    mu__write_cstr(w, "\"");
}

/* name{label="value",key="of"} v; either pair may be absent. A value has no control characters. */
static void say_line(struct mu__writer *w, const char *name, const char *suffix,
                     const struct metric_name *m, const char *key, const char *of, double v)
{
    size_t n = metrics__labels(m);
    mu__write_cstr(w, name);
    mu__write_cstr(w, suffix);
    for (size_t i = 0; i < n; i++) {
        say_label(w, i, m->labels[i], metrics__label_value(m, i));
    }
    if (key) {
        say_label(w, n++, key, of);
    }
    mu__write_cstr(w, n ? "} " : " ");
    say_number(w, v);
    mu__write_cstr(w, "\n");
}

static void say_summary(struct mu__writer *w, const char *name, const struct metric_name *m,
                        const struct metric_rolled *r)
{
    static const char *const parts[3] = {"0.5", "0.9", "0.99"};
    for (size_t i = 0; i < 3; i++) {
        say_line(w, name, "", m, "quantile", parts[i], r->count ? r->quantiles[i] : NAN);
    }
    say_line(w, name, "_sum", m, NULL, NULL, r->total_sum);
    say_line(w, name, "_count", m, NULL, NULL, (double)r->total_count);
}

/* One bucket for each power of two, from a microsecond up. */
static void say_histogram(struct mu__writer *w, const char *name, const struct metric_name *m,
                          const struct metric_rolled *r)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        char top[40];
        seen += r->buckets[i];
        if (i % 4 == 3 && metrics__bucket_top(i) > 0.0009 && i + 1 < METRIC_BUCKETS) {
            snprintf(top, sizeof top, "%.10g", metrics__bucket_top(i));
            say_line(w, name, "_bucket", m, "le", top, (double)seen);
        }
    }
    say_line(w, name, "_bucket", m, "le", "+Inf", (double)seen);
    say_line(w, name, "_sum", m, NULL, NULL, r->total_sum);
    say_line(w, name, "_count", m, NULL, NULL, (double)seen);
}

static void say_metric(struct mu__writer *w, const char *name, const struct metric_name *m,
                       const struct metric_rolled *r)
{
    switch (m->kind) {
    case METRIC_GAUGE:
        say_line(w, name, "", m, NULL, NULL, r->value);
        break;
    case METRIC_COUNTER:
        say_line(w, name, "", m, NULL, NULL, r->total_sum);
        break;
    case METRIC_SAMPLE:
        say_summary(w, name, m, r);
        break;
    case METRIC_HISTOGRAM:
        say_histogram(w, name, m, r);
        break;
    }
}

void metrics_write_prometheus(struct mu__writer *w)
{
    static const char *const types[] = {"counter", "gauge", "summary", "histogram"};
    char name[FULL_NAME], before[FULL_NAME] = "";
    bool any = metrics__hold();
    for (size_t i = 0; any && i < metrics__count(); i++) {
        const struct metric_name *m;
        const struct metric_rolled *r = metrics__at(i, &m);
        if (!metrics__is_shown(m, r) || !metrics__full_name(m, true, name, sizeof name)) {
            continue;
        }
        make_legal(name);
        if (strcmp(name, before) != 0) { /* once for all labels of a name */
            mu__write_cstr(w, "# HELP ");
            mu__write_cstr(w, name);
            mu__write_cstr(w, " ");
            mu__write_cstr(w, name);
            mu__write_cstr(w, "\n# TYPE ");
            mu__write_cstr(w, name);
            mu__write_cstr(w, " ");
            mu__write_cstr(w, types[m->kind]);
            mu__write_cstr(w, "\n");
            memcpy(before, name, sizeof before);
        }
        say_metric(w, name, m, r);
    }
    metrics__release();
}
