#include "linear.h"

#include <stdbool.h>
#include <stdlib.h>

struct choice { /* on the stack: op was done, and the register held before */
    size_t op;
    uint64_t before;
    size_t tried; /* where to look for the next choice when this one is undone */
};

struct search {
    const struct linear_op *ops;
    size_t n, first; /* all before first are done */
    bool *done;
    size_t left; /* operations with an outcome that are not done */
    uint64_t value, hash;
    struct choice *stack;
    size_t depth;
    uint64_t *seen; /* hashes of states; 0: free */
    size_t n_seen, cap_seen;
};

static void *room(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p) {
        abort();
    }
    return p;
}

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void insert(uint64_t *seen, size_t cap, uint64_t h)
{
    size_t at = (size_t)(h & (cap - 1));
    while (seen[at]) {
        at = (at + 1) & (cap - 1);
    }
    seen[at] = h;
}

/* False if it was visited before. */
static bool visit(struct search *s)
{
    uint64_t h = mix(mix(s->hash) ^ s->value) | 1;
    size_t at = (size_t)(h & (s->cap_seen - 1));
    for (; s->seen[at]; at = (at + 1) & (s->cap_seen - 1)) {
        if (s->seen[at] == h) {
            return false;
        }
    }
    s->seen[at] = h;
    if (++s->n_seen > s->cap_seen / 2) {
        uint64_t *larger = room(s->cap_seen * 2, sizeof *larger);
        for (size_t i = 0; i < s->cap_seen; i++) {
            if (s->seen[i]) {
                insert(larger, s->cap_seen * 2, s->seen[i]);
            }
        }
        free(s->seen);
        s->seen = larger;
        s->cap_seen *= 2;
    }
    return true;
}

static bool fits(const struct linear_op *op, uint64_t value)
{
    switch (op->kind) {
    case LINEAR_READ:
        return value == op->value;
    case LINEAR_WRITE:
        return true;
    case LINEAR_CAS:
        return value == op->expected;
    case LINEAR_CAS_FAILED:
        return value != op->expected;
    }
    return false;
}

static bool changes(const struct linear_op *op)
{
    return op->kind == LINEAR_WRITE || op->kind == LINEAR_CAS;
}

/* Only what was called before the earliest outcome that is still missing may come next. */
static uint64_t horizon(const struct search *s)
{
    uint64_t earliest = LINEAR_UNKNOWN;
    for (size_t i = s->first; i < s->n && s->ops[i].call < earliest; i++) {
        if (!s->done[i] && s->ops[i].ret < earliest) {
            earliest = s->ops[i].ret;
        }
    }
    return earliest;
}

/* What only looks is done as soon as it can be: that forbids nothing later. */
static size_t find_look(const struct search *s, uint64_t until)
{
    for (size_t i = s->first; i < s->n && s->ops[i].call < until; i++) {
        if (!s->done[i] && !changes(&s->ops[i]) && fits(&s->ops[i], s->value)) {
            return i;
        }
    }
    return s->n;
}

/* The next that fits: those with an outcome before those without. A place in that order is an
 * index, plus n in the second pass. SIZE_MAX: none from there on. */
static size_t find_change(const struct search *s, uint64_t until, size_t from)
{
    for (size_t k = from; k < 2 * s->n; k++) {
        bool unknown = k >= s->n;
        size_t i = unknown ? k - s->n : k;
        if (i < s->first) {
            k += s->first - i - 1;
        } else if (s->ops[i].call >= until) { /* and so are the rest */
            k += s->n - i - 1;
        } else if (!s->done[i] && changes(&s->ops[i]) && fits(&s->ops[i], s->value) &&
                   (s->ops[i].ret == LINEAR_UNKNOWN) == unknown) {
            return k;
        }
    }
    return SIZE_MAX;
}

static void perform(struct search *s, size_t op, size_t tried)
{
    s->stack[s->depth++] = (struct choice){.op = op, .before = s->value, .tried = tried};
    s->done[op] = true;
    s->hash ^= mix(op);
    s->left -= s->ops[op].ret != LINEAR_UNKNOWN;
    s->value = changes(&s->ops[op]) ? s->ops[op].value : s->value;
    while (s->first < s->n && s->done[s->first]) {
        s->first++;
    }
}

static struct choice undo(struct search *s)
{
    struct choice c = s->stack[--s->depth];
    s->done[c.op] = false;
    s->hash ^= mix(c.op);
    s->left += s->ops[c.op].ret != LINEAR_UNKNOWN;
    s->value = c.before;
    s->first = c.op < s->first ? c.op : s->first;
    return c;
}

static enum linear_verdict search(struct search *s, size_t steps_max)
{
    size_t from = 0;
    for (size_t steps = 0; s->left > 0; steps++) {
        if (steps == steps_max) {
            return LINEAR_UNDECIDED;
        }
        uint64_t until = horizon(s);
        size_t look = from == 0 ? find_look(s, until) : s->n;
        size_t k = look < s->n ? look : find_change(s, until, from);
        if (k == SIZE_MAX) {
            if (s->depth == 0) {
                return LINEAR_NO;
            }
            from = undo(s).tried;
            continue;
        }
        perform(s, k >= s->n ? k - s->n : k, look < s->n ? SIZE_MAX : k + 1);
        from = visit(s) ? 0 : undo(s).tried;
    }
    return LINEAR_YES;
}

/* Could an operation without an outcome have been noticed? */
static bool matters(const struct linear_op *ops, size_t n, const struct linear_op *op)
{
    for (size_t i = 0; i < n; i++) {
        const struct linear_op *o = &ops[i];
        bool saw = (o->kind == LINEAR_READ && o->value == op->value) ||
                   (o->kind == LINEAR_CAS && o->expected == op->value) ||
                   o->kind == LINEAR_CAS_FAILED;
        if (saw && o != op && o->ret > op->call) {
            return true;
        }
    }
    return false;
}

enum linear_verdict linear_search(const struct linear_op *ops, size_t n, size_t steps_max)
{
    struct linear_op *kept = room(n, sizeof *kept);
    struct search s = {.ops = kept, .cap_seen = 1024};
    for (size_t i = 0; i < n; i++) {
        bool unknown = ops[i].ret == LINEAR_UNKNOWN;
        if (!unknown || (changes(&ops[i]) && matters(ops, n, &ops[i]))) {
            kept[s.n++] = ops[i];
            s.left += !unknown;
        }
    }
    s.done = room(s.n, sizeof *s.done);
    s.stack = room(s.n + 1, sizeof *s.stack);
    s.seen = room(s.cap_seen, sizeof *s.seen);
    enum linear_verdict verdict = search(&s, steps_max);
    free(kept);
    free(s.done);
    free(s.stack);
    free(s.seen);
    return verdict;
}

enum linear_verdict linear_check(const struct linear_op *ops, size_t n, size_t steps_max)
{
    enum linear_verdict verdict = linear_zones(ops, n);
    return verdict == LINEAR_UNDECIDED ? linear_search(ops, n, steps_max) : verdict;
}

enum linear_verdict linear_check_keys(const struct linear_op *ops, size_t n, uint64_t n_keys,
                                      size_t steps_max)
{
    enum linear_verdict all = LINEAR_YES;
    struct linear_op *one = room(n, sizeof *one);
    for (uint64_t key = 0; key < n_keys && all != LINEAR_NO; key++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            if (ops[i].key == key) {
                one[m++] = ops[i];
            }
        }
        enum linear_verdict v = linear_check(one, m, steps_max);
        all = v == LINEAR_YES ? all : v;
    }
    free(one);
    return all;
}
