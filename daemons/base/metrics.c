/* metrics.c - counting, and the closing of intervals. */
#include "metrics_internal.h"

#include "loop.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS        4 /* threads that count at the same time rarely meet in one */
#define COLLECTORS    8
#define FILTERS_MAX   64
#define LOWEST_OCTAVE (-13) /* 2^-14 to 2^-13 ms, 60 to 120 ns; everything below is in it, too */
#define PER_OCTAVE    4

struct cell {
    _Alignas(64) _Atomic uint64_t count;
    _Atomic double sum, squares; /* since the start */
    _Atomic double min, max;     /* since the last roll */
};

/* Like that of the log, process-wide by design. Names and their number only ever grow; what was
 * rolled is guarded by the lock, which no counting takes. */
static struct cell cells[METRICS_ALL][SHARDS];
static _Atomic uint32_t buckets[METRICS_MAX][SHARDS][METRIC_BUCKETS];
static _Atomic double gauges[METRICS_MAX];
static _Atomic bool gauge_is_set[METRICS_MAX];

static const struct metric_name fixed_names[METRICS_FIXED] = {
#define METRIC_ROW(id, kind_, place_, name_, label_, value_)                                       \
    [METRIC_##id] = {.kind = METRIC_##kind_,                                                       \
                     .place = METRIC_##place_,                                                     \
                     .name = (name_),                                                              \
                     .labels = {label_},                                                           \
                     .values = {value_}},
    METRICS(METRIC_ROW)
#undef METRIC_ROW
#define FAMILY_ROW(id, name_, label_, label2_)                                                     \
    [(int)METRIC_KNOWN + (int)METRIC_##id] = {.kind = METRIC_COUNTER,                              \
                                              .name = (name_),                                     \
                                              .labels = {label_, label2_},                         \
                                              .values = {METRIC_OTHERS, METRIC_OTHERS}},
        METRIC_FAMILIES(FAMILY_ROW)
#undef FAMILY_ROW
};
static struct metric_name added_names[METRICS_MAX - METRICS_FIXED];
static char added_text[METRICS_MAX - METRICS_FIXED][METRIC_NAME_MAX];
static atomic_int name_count = METRICS_FIXED;
_Static_assert(METRICS_FIXED < METRICS_MAX / 2, "there must be room for those that are added");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric_rolled rolled[METRICS_ALL];
static uint32_t rolled_buckets[METRICS_MAX][METRIC_BUCKETS];
static int order[METRICS_ALL], ordered; /* by name */
static bool names_changed = true;
static bool was_rolled;
static int64_t rolled_from_s;
static struct {
    metrics_collect_fn fn;
    void *arg;
} collectors[COLLECTORS];
static struct {
    char prefix[64], host[80], node[256];
    bool is_server, filter_default;
    char *filters[FILTERS_MAX];
    size_t nfilters;
} config = {.prefix = "consul", .filter_default = true};

/* ---- Counting ---- */

static unsigned shard(void)
{
    static atomic_uint next;
    static _Thread_local unsigned mine; /* 0: none yet */
    if (mine == 0) {
        mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % SHARDS + 1;
    }
    return mine - 1;
}

static void add(_Atomic double *to, double by)
{
    double was = atomic_load_explicit(to, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(to, &was, was + by, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

/* min and max stand as their distance from "none yet", which is 0 and so needs no start: a cell
 * holds 0, or the value turned into something that is never 0. */
static double mark(double v)
{
    return v >= 0 ? v + 1 : v - 1;
}

static double unmark(double marked)
{
    return marked > 0 ? marked - 1 : marked + 1;
}

static void extend(_Atomic double *to, double v, bool up)
{
    double was = atomic_load_explicit(to, memory_order_relaxed);
    while ((was == 0 || (up ? v > unmark(was) : v < unmark(was))) &&
           !atomic_compare_exchange_weak_explicit(to, &was, mark(v), memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static bool is_known(enum metric m)
{
    return (int)m >= 0 && (int)m < atomic_load_explicit(&name_count, memory_order_acquire);
}

static bool is_slot(enum metric m)
{
    return (int)m >= METRICS_MAX && (int)m < METRICS_ALL;
}

void metric_count(enum metric m, double by)
{
    if (!is_known(m) && !is_slot(m)) {
        return;
    }
    struct cell *c = &cells[m][shard()];
    atomic_fetch_add_explicit(&c->count, 1, memory_order_relaxed);
    add(&c->sum, by);
    add(&c->squares, by * by);
    extend(&c->min, by, false);
    extend(&c->max, by, true);
}

void metric_set(enum metric m, double value)
{
    if (is_known(m)) {
        atomic_store_explicit(&gauges[m], value, memory_order_relaxed);
        atomic_store_explicit(&gauge_is_set[m], true, memory_order_release);
    }
}

static size_t bucket_of(double v)
{
    int octave;
    if (!(v > 0)) {
        return 0;
    }
    double part = frexp(v, &octave); /* 0.5 <= part < 1 */
    int i = (octave - LOWEST_OCTAVE) * PER_OCTAVE + (int)((part - 0.5) * 2 * PER_OCTAVE);
    return i < 0 ? 0 : i < METRIC_BUCKETS ? (size_t)i : METRIC_BUCKETS - 1;
}

double metrics__bucket_top(size_t bucket)
{
    int octave = LOWEST_OCTAVE + (int)(bucket / PER_OCTAVE);
    double part = (double)(bucket % PER_OCTAVE + 1) / (2.0 * PER_OCTAVE);
    return ldexp(0.5 + part, octave);
}

void metric_sample(enum metric m, double value)
{
    if (is_known(m)) {
        metric_count(m, value);
        atomic_fetch_add_explicit(&buckets[m][shard()][bucket_of(value)], 1, memory_order_relaxed);
    }
}

void metric_since(enum metric m, uint64_t began_ns)
{
    uint64_t now = loop_now_ns();
    metric_sample(m, now > began_ns ? (double)(now - began_ns) / (double)MU_MSEC : 0);
}

static const struct metric_name *name_of(int m)
{
    return m < METRICS_FIXED ? &fixed_names[m]
           : m < METRICS_MAX ? &added_names[m - METRICS_FIXED]
                             : metrics__slot((size_t)(m - METRICS_MAX));
}

enum metric metrics_add(enum metric_kind kind, const char *name)
{
    enum metric m = METRIC_NONE;
    pthread_mutex_lock(&lock);
    int n = atomic_load(&name_count);
    for (int i = 0; i < n && m == METRIC_NONE; i++) {
        m = strcmp(name_of(i)->name, name) == 0 ? (enum metric)i : METRIC_NONE;
    }
    if (m == METRIC_NONE && n < METRICS_MAX && strlen(name) < METRIC_NAME_MAX) {
        char *text = added_text[n - METRICS_FIXED];
        memcpy(text, name, strlen(name) + 1);
        added_names[n - METRICS_FIXED] = (struct metric_name){.kind = kind, .name = text};
        atomic_store_explicit(&name_count, n + 1, memory_order_release);
        names_changed = true;
        m = (enum metric)n;
    }
    pthread_mutex_unlock(&lock);
    return m;
}

/* ---- Intervals ---- */

void metrics_collect(metrics_collect_fn fn, void *arg)
{
    for (size_t i = 0; i < COLLECTORS; i++) {
        bool is_free = fn ? !collectors[i].fn : collectors[i].arg == arg;
        if (is_free) {
            collectors[i].fn = fn;
            collectors[i].arg = fn ? arg : NULL;
            return;
        }
    }
}

/* Where the samples of the interval reach a part of their number. */
static double quantile(const uint32_t fresh[METRIC_BUCKETS], uint64_t count, double part)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < METRIC_BUCKETS && count > 0; i++) {
        seen += fresh[i];
        if ((double)seen >= part * (double)count) {
            return metrics__bucket_top(i);
        }
    }
    return NAN;
}

static void roll_buckets(int m, struct metric_rolled *r)
{
    static const double parts[3] = {0.5, 0.9, 0.99};
    uint32_t fresh[METRIC_BUCKETS];
    uint64_t count = 0;
    for (size_t b = 0; b < METRIC_BUCKETS; b++) {
        uint32_t now = 0;
        for (size_t s = 0; s < SHARDS; s++) {
            now += atomic_load_explicit(&buckets[m][s][b], memory_order_relaxed);
        }
        fresh[b] = now - r->buckets[b];
        r->buckets[b] = now;
        count += fresh[b];
    }
    for (size_t i = 0; i < 3; i++) {
        double q = quantile(fresh, count, parts[i]);
        r->quantiles[i] = q > r->max ? r->max : q; /* the last bucket is wide */
    }
}

static uint64_t count_of(int m)
{
    uint64_t count = 0;
    for (size_t s = 0; s < SHARDS; s++) {
        count += atomic_load_explicit(&cells[m][s].count, memory_order_relaxed);
    }
    return count;
}

/* A thread that counts in this moment may have its number in this interval and its value in the
 * next one: each sum is right, and they agree again a roll later. */
static void roll_cells(int m, struct metric_rolled *r)
{
    struct metric_rolled now = {.count = 0};
    double min = 0, max = 0;
    for (size_t s = 0; s < SHARDS; s++) {
        struct cell *c = &cells[m][s];
        now.count += atomic_load_explicit(&c->count, memory_order_relaxed);
        now.sum += atomic_load_explicit(&c->sum, memory_order_relaxed);
        now.squares += atomic_load_explicit(&c->squares, memory_order_relaxed);
        double lo = atomic_exchange_explicit(&c->min, 0, memory_order_relaxed);
        double hi = atomic_exchange_explicit(&c->max, 0, memory_order_relaxed);
        min = lo != 0 && (min == 0 || unmark(lo) < unmark(min)) ? lo : min;
        max = hi != 0 && (max == 0 || unmark(hi) > unmark(max)) ? hi : max;
    }
    r->count = now.count - r->total_count;
    r->sum = now.sum - r->total_sum;
    r->squares = now.squares - r->total_squares;
    r->min = min != 0 ? unmark(min) : 0;
    r->max = max != 0 ? unmark(max) : 0;
    r->total_count = now.count;
    r->total_sum = now.sum;
    r->total_squares = now.squares;
    r->is_set = r->is_set || now.count > 0;
}

static void roll(int m)
{
    struct metric_rolled *r = &rolled[m];
    enum metric_kind kind = name_of(m)->kind;
    if (kind == METRIC_GAUGE) {
        r->is_set = atomic_load_explicit(&gauge_is_set[m], memory_order_acquire);
        r->value = atomic_load_explicit(&gauges[m], memory_order_relaxed);
        return;
    }
    if (kind != METRIC_COUNTER) {
        r->buckets = rolled_buckets[m];
    }
    if (r->count == 0 && count_of(m) == r->total_count) {
        return; /* as before: no page of memory for what is never counted */
    }
    roll_cells(m, r);
    if (kind != METRIC_COUNTER && r->is_set) {
        roll_buckets(m, r);
    }
}

static void roll_slot(size_t slot)
{
    int m = METRICS_MAX + (int)slot;
    roll(m);
    if (!metrics__slot_goes_on(slot, rolled[m].count > 0)) {
        rolled[m] = (struct metric_rolled){.count = 0};
        for (size_t s = 0; s < SHARDS; s++) {
            atomic_store_explicit(&cells[m][s].count, 0, memory_order_relaxed);
            atomic_store_explicit(&cells[m][s].sum, 0, memory_order_relaxed);
            atomic_store_explicit(&cells[m][s].squares, 0, memory_order_relaxed);
        }
    }
}

static int by_name(const void *a, const void *b)
{
    const struct metric_name *x = name_of(*(const int *)a), *y = name_of(*(const int *)b);
    int c = strcmp(x->name, y->name);
    for (size_t i = 0; c == 0 && i < METRIC_LABELS && x->values[i] && y->values[i]; i++) {
        c = strcmp(x->values[i], y->values[i]);
    }
    return c;
}

static void put_in_order(int n)
{
    ordered = 0;
    for (int m = 0; m < METRICS_ALL; m++) {
        if (m < n || (m >= METRICS_MAX && name_of(m))) {
            order[ordered++] = m;
        }
    }
    qsort(order, (size_t)ordered, sizeof *order, by_name);
    names_changed = false;
}

void metrics_roll(int64_t unix_s)
{
    for (size_t i = 0; i < COLLECTORS; i++) {
        if (collectors[i].fn) {
            collectors[i].fn(collectors[i].arg);
        }
    }
    pthread_mutex_lock(&lock);
    int n = atomic_load(&name_count);
    for (int m = 0; m < n; m++) {
        roll(m);
    }
    for (size_t slot = 0; slot < METRIC_LABELLED_MAX; slot++) {
        if (metrics__slot(slot)) {
            roll_slot(slot);
        }
    }
    if (names_changed) {
        put_in_order(n);
    }
    was_rolled = true;
    rolled_from_s = unix_s - METRICS_INTERVAL_S;
    pthread_mutex_unlock(&lock);
}

/* ---- For those that write ---- */

bool metrics__hold(void)
{
    pthread_mutex_lock(&lock);
    return was_rolled;
}

bool metrics__try_hold(void)
{
    return pthread_mutex_trylock(&lock) == 0;
}

void metrics__release(void)
{
    pthread_mutex_unlock(&lock);
}

void metrics__names_changed(void)
{
    names_changed = true;
}

size_t metrics__count(void)
{
    return (size_t)ordered;
}

const struct metric_rolled *metrics__at(size_t i, const struct metric_name **name)
{
    *name = name_of(order[i]);
    return &rolled[order[i]];
}

bool metrics__is_shown(const struct metric_name *m, const struct metric_rolled *r)
{
    bool is_here = m->place == METRIC_ANY || (m->place == METRIC_SERVER && config.is_server);
    return r->is_set || (is_here && m->kind != METRIC_GAUGE);
}

size_t metrics__labels(const struct metric_name *m)
{
    size_t n = 0;
    while (n < METRIC_LABELS && m->labels[n] && m->labels[n][0]) {
        n++;
    }
    return n;
}

const char *metrics__label_value(const struct metric_name *m, size_t i)
{
    return m->place != METRIC_LATER && strcmp(m->labels[i], "node") == 0 ? config.node
                                                                         : m->values[i];
}

int64_t metrics__time(void)
{
    return rolled_from_s;
}

static bool is_shown(const char *name)
{
    size_t longest = 0;
    bool shown = config.filter_default;
    for (size_t i = 0; i < config.nfilters; i++) {
        const char *prefix = config.filters[i] + 1;
        size_t len = strlen(prefix);
        if (len >= longest && strncmp(name, prefix, len) == 0) {
            longest = len;
            shown = config.filters[i][0] == '+';
        }
    }
    return shown;
}

bool metrics__full_name(const struct metric_name *m, bool hosted, char *out, size_t cap)
{
    hosted = hosted && m->kind == METRIC_GAUGE && config.host[0];
    snprintf(out, cap, "%s.%s", config.prefix, m->name);
    bool shown = is_shown(out); /* filters do not speak of the host */
    if (hosted) {
        snprintf(out, cap, "%s.%s.%s", config.prefix, config.host, m->name);
    }
    size_t len = strlen(out);
    if (len > 0 && len < cap && out[len - 1] == '.') { /* the others of a family without labels */
        snprintf(out + len, cap - len, "%s", METRIC_OTHERS);
    }
    return shown;
}

void metrics_configure(const struct metrics_config *c)
{
    pthread_mutex_lock(&lock);
    snprintf(config.prefix, sizeof config.prefix, "%s", c->prefix);
    snprintf(config.host, sizeof config.host, "%s", c->host ? c->host : "");
    snprintf(config.node, sizeof config.node, "%s", c->node ? c->node : "");
    config.is_server = c->is_server;
    config.filter_default = c->filter_default;
    while (config.nfilters > 0) {
        free(config.filters[--config.nfilters]);
    }
    for (size_t i = 0; i < c->nfilters && config.nfilters < FILTERS_MAX; i++) {
        char *copy = c->filters[i].len > 1 ? strndup(c->filters[i].p, c->filters[i].len) : NULL;
        if (copy) {
            config.filters[config.nfilters++] = copy;
        }
    }
    pthread_mutex_unlock(&lock);
}
