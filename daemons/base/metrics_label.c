/* metrics_label.c - counters for each value of a label that comes from outside.
 *
 * A set-associative table of slots: what counts looks at the few slots that a value's hash may be
 * in, and compares hashes alone (keyed with a secret, so that nobody makes two of them equal).
 * Texts are behind the lock of metrics.c, which the first count of a value tries to take, and does
 * without if a scrape has it. A slot that is given up while somebody counts in it gives one count
 * to its next owner; the sums are for eyes, not for books. */
#include "metrics_internal.h"

#include "map.h"
#include "utf8.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAYS       16 /* slots that a value may be in */
#define SETS       (METRIC_LABELLED_MAX / WAYS)
#define IDLE_ROLLS (600 / METRICS_INTERVAL_S)

static struct slot {
    _Atomic uint64_t key; /* 0: free */
    unsigned idle;        /* intervals without a count */
    struct metric_name name;
    char values[METRIC_LABELS][METRIC_VALUE_MAX];
    char text[METRIC_NAME_MAX + METRIC_VALUE_MAX]; /* a name that ends with its value */
} slots[METRIC_LABELLED_MAX];

static const struct family {
    const char *name, *labels[METRIC_LABELS];
} families[METRIC_FAMILY_COUNT] = {
#define FAMILY_ROW(id, name_, label, label2) [METRIC_##id] = {name_, {label, label2}},
    METRIC_FAMILIES(FAMILY_ROW)
#undef FAMILY_ROW
};

/* ---- Finding ---- */

static uint64_t seed[2];

static void make_seed(void)
{
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        abort(); /* cannot happen on a kernel that has been up for a second */
    }
}

static uint64_t key_of(enum metric_family f, struct mu_str a, struct mu_str b)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    unsigned char text[2 + 2 * METRIC_VALUE_MAX] = {(unsigned char)f, (unsigned char)a.len};
    pthread_once(&once, make_seed);
    memcpy(text + 2, a.p ? a.p : "", a.len);
    memcpy(text + 2 + a.len, b.p ? b.p : "", b.len);
    uint64_t key = mu__siphash(seed, text, 2 + a.len + b.len);
    return key ? key : 1;
}

static int find(uint64_t key)
{
    size_t first = key % SETS * WAYS;
    for (size_t i = first; i < first + WAYS; i++) {
        if (atomic_load_explicit(&slots[i].key, memory_order_acquire) == key) {
            return (int)i;
        }
    }
    return -1;
}

/* ---- Beginning and giving up ---- */

static bool is_text(struct mu_str s)
{
    for (size_t at = 0; at < s.len;) {
        size_t n = mu__utf8_length((const unsigned char *)s.p + at, s.len - at);
        if (n == 0 || (unsigned char)s.p[at] < ' ') {
            return false;
        }
        at += n;
    }
    return true;
}

static void name_slot(struct slot *s, const struct family *f, struct mu_str a, struct mu_str b)
{
    snprintf(s->values[0], sizeof s->values[0], "%.*s", (int)a.len, a.p ? a.p : "");
    snprintf(s->values[1], sizeof s->values[1], "%.*s", (int)b.len, b.p ? b.p : "");
    s->idle = 0;
    s->name = (struct metric_name){.kind = METRIC_COUNTER,
                                   .name = f->name,
                                   .labels = {f->labels[0], f->labels[1]},
                                   .values = {s->values[0], s->values[1]}};
    if (!f->labels[0][0]) {
        snprintf(s->text, sizeof s->text, "%s%.*s", f->name, (int)a.len, a.p ? a.p : "");
        s->name.name = s->text;
    }
}

static int claim(enum metric_family f, struct mu_str a, struct mu_str b, uint64_t key)
{
    if (!is_text(a) || !is_text(b) || !metrics__try_hold()) {
        return -1;
    }
    int at = find(key); /* somebody else was first? */
    for (size_t i = key % SETS * WAYS; at < 0 && i < key % SETS * WAYS + WAYS; i++) {
        if (atomic_load_explicit(&slots[i].key, memory_order_relaxed) == 0) {
            name_slot(&slots[i], &families[f], a, b);
            metrics__names_changed();
            atomic_store_explicit(&slots[i].key, key, memory_order_release);
            at = (int)i;
        }
    }
    metrics__release();
    return at;
}

void metric_count_of(enum metric_family f, struct mu_str value, struct mu_str value2)
{
    int slot = -1;
    if (value.len < METRIC_VALUE_MAX && value2.len < METRIC_VALUE_MAX) {
        uint64_t key = key_of(f, value, value2);
        slot = find(key);
        slot = slot < 0 ? claim(f, value, value2, key) : slot;
    }
    metric_count((enum metric)(slot < 0 ? (int)METRIC_KNOWN + (int)f : METRICS_MAX + slot), 1);
}

const struct metric_name *metrics__slot(size_t slot)
{
    return atomic_load_explicit(&slots[slot].key, memory_order_relaxed) ? &slots[slot].name : NULL;
}

bool metrics__slot_goes_on(size_t slot, bool was_counted)
{
    struct slot *s = &slots[slot];
    s->idle = was_counted ? 0 : s->idle + 1;
    if (s->idle < IDLE_ROLLS) {
        return true;
    }
    atomic_store_explicit(&s->key, 0, memory_order_relaxed);
    metrics__names_changed();
    return false;
}
