/* metrics_statsd.c - the last complete interval as lines for statsd, statsite and DogStatsD. */
#include "metrics_internal.h"

#include <stdio.h>
#include <string.h>

#define FULL_NAME 320

/* What the format reads as its own becomes an underscore, as with the original. */
static void say_plain(struct mu__writer *w, const char *text, const char *forbidden)
{
    for (; *text; text++) {
        mu__write_u8(w, strchr(forbidden, *text) ? '_' : (uint8_t)*text);
    }
}

static void say_value(struct mu__writer *w, const struct metric_name *m,
                      const struct metric_rolled *r)
{
    char text[64];
    double v = m->kind == METRIC_GAUGE     ? r->value
               : m->kind == METRIC_COUNTER ? r->sum
                                           : r->sum / (double)r->count;
    const char *type = m->kind == METRIC_GAUGE ? "g" : m->kind == METRIC_COUNTER ? "c" : "ms";
    snprintf(text, sizeof text, ":%f|%s", v, type);
    mu__write_cstr(w, text);
}

/* "|#env:prod,service:web" */
static void say_tags(struct mu__writer *w, const struct metric_name *m, const struct mu_strs *tags)
{
    const char *before = "|#";
    for (size_t i = 0; i < tags->len; i++, before = ",") {
        mu__write_cstr(w, before);
        mu__write_bytes(w, tags->items[i].p, tags->items[i].len);
    }
    for (size_t i = 0; i < metrics__labels(m); i++, before = ",") {
        mu__write_cstr(w, before);
        say_plain(w, m->labels[i], "|:, ");
        mu__write_cstr(w, ":");
        say_plain(w, metrics__label_value(m, i), "|, ");
    }
}

static void say_labels(struct mu__writer *w, const struct metric_name *m)
{
    for (size_t i = 0; i < metrics__labels(m); i++) {
        mu__write_cstr(w, ".");
        say_plain(w, metrics__label_value(m, i), ":| ");
    }
}

void metrics_write_statsd(struct mu__writer *w, const struct mu_strs *tags)
{
    char name[FULL_NAME];
    bool any = metrics__hold();
    for (size_t i = 0; any && i < metrics__count(); i++) {
        const struct metric_name *m;
        const struct metric_rolled *r = metrics__at(i, &m);
        bool has = m->kind == METRIC_GAUGE ? r->is_set : r->count > 0;
        if (!has || !metrics__full_name(m, !tags, name, sizeof name)) {
            continue;
        }
        say_plain(w, name, ":| ");
        if (!tags) {
            say_labels(w, m);
        }
        say_value(w, m, r);
        if (tags) {
            say_tags(w, m, tags);
        }
        mu__write_cstr(w, "\n");
    }
    metrics__release();
}
