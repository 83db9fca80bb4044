/* Mirrors tests/sim/linear.c: histories that are known to be linearizable, and others. */
#include "linear.h"
#include "mu_test.h"
#include "prng.h"

#define NEVER LINEAR_UNKNOWN
#define W(v, from, to)                                                                             \
    {                                                                                              \
        LINEAR_WRITE, 0, v, 0, from, to                                                            \
    }
#define R(v, from, to)                                                                             \
    {                                                                                              \
        LINEAR_READ, 0, v, 0, from, to                                                             \
    }
#define CAS(e, v, from, to)                                                                        \
    {                                                                                              \
        LINEAR_CAS, 0, v, e, from, to                                                              \
    }
#define MISS(e, from, to)                                                                          \
    {                                                                                              \
        LINEAR_CAS_FAILED, 0, 0, e, from, to                                                       \
    }
#define STEPS 100000

struct history {
    const char *what;
    enum linear_verdict verdict;
    struct linear_op ops[8]; /* up to the first with call 0 */
};

static const struct history histories[] = {
    {"nothing happened", LINEAR_YES, {{0}}},
    {"a read of the first value", LINEAR_YES, {R(0, 1, 2)}},
    {"a read of what nobody wrote", LINEAR_NO, {R(7, 1, 2)}},
    {"one after the other", LINEAR_YES, {W(1, 1, 2), R(1, 3, 4), W(2, 5, 6), R(2, 7, 8)}},
    {"a stale read", LINEAR_NO, {W(1, 1, 2), W(2, 3, 4), R(1, 5, 6)}},
    {"a lost write", LINEAR_NO, {W(1, 1, 2), R(0, 3, 4)}},
    {"a read beside the write may give either, old", LINEAR_YES, {W(1, 1, 4), R(0, 2, 3)}},
    {"a read beside the write may give either, new", LINEAR_YES, {W(1, 1, 4), R(1, 2, 3)}},
    {"but not new and then old", LINEAR_NO, {W(1, 1, 6), R(1, 2, 3), R(0, 4, 5)}},
    {"from the future", LINEAR_NO, {R(1, 1, 2), W(1, 3, 4)}},
    {"two writes at once, seen in one order",
     LINEAR_YES,
     {W(1, 1, 10), W(2, 2, 9), R(2, 3, 4), R(1, 5, 6)}},
    {"two writes at once, seen in both orders",
     LINEAR_NO,
     {W(1, 1, 20), W(2, 2, 19), R(2, 3, 4), R(1, 5, 6), R(2, 7, 8)}},
    {"a write without an answer that happened",
     LINEAR_YES,
     {W(1, 1, 2), W(2, 3, NEVER), R(1, 4, 5), R(2, 6, 7)}},
    {"a write without an answer that did not",
     LINEAR_YES,
     {W(1, 1, 2), W(2, 3, NEVER), R(1, 4, 5), R(1, 6, 7)}},
    {"a write without an answer that came and went",
     LINEAR_NO,
     {W(1, 1, 2), W(2, 3, NEVER), R(2, 4, 5), R(1, 6, 7)}},
    {"it happens once at most", LINEAR_NO, {W(2, 1, NEVER), R(2, 2, 3), W(3, 4, 5), R(2, 6, 7)}},
    {"a write without an answer, before its call", LINEAR_NO, {R(2, 1, 2), W(2, 3, NEVER)}},
    {"cas on what is there", LINEAR_YES, {W(1, 1, 2), CAS(1, 2, 3, 4), R(2, 5, 6)}},
    {"cas on what was there", LINEAR_NO, {W(1, 1, 2), W(2, 3, 4), CAS(1, 3, 5, 6)}},
    {"two of the same cas", LINEAR_NO, {W(1, 1, 2), CAS(1, 2, 3, 9), CAS(1, 3, 4, 8)}},
    {"a cas that ought to have succeeded", LINEAR_NO, {W(1, 1, 2), MISS(1, 3, 4)}},
    {"a cas that failed because of a write without an answer",
     LINEAR_YES,
     {W(1, 1, 2), W(2, 3, NEVER), MISS(1, 4, 5)}},
    {"a cas without an answer explains a read",
     LINEAR_YES,
     {W(1, 1, 2), CAS(1, 2, 3, NEVER), R(2, 4, 5)}},
    {"unless it could not succeed", LINEAR_NO, {W(1, 1, 2), CAS(7, 2, 3, NEVER), R(2, 4, 5)}},
};

static size_t length(const struct history *h)
{
    size_t n = 0;
    while (n < 8 && h->ops[n].call > 0) {
        n++;
    }
    return n;
}

static void test_known_histories_are_judged_rightly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof histories / sizeof *histories; i++) {
        const struct history *h = &histories[i];
        enum linear_verdict zones = linear_zones(h->ops, length(h));
        if (linear_check(h->ops, length(h), STEPS) != h->verdict ||
            linear_search(h->ops, length(h), STEPS) != h->verdict ||
            (zones != LINEAR_UNDECIDED && zones != h->verdict)) {
            fail_msg("%s", h->what);
        }
    }
}

/* Small histories, some linearizable and some not: operations take effect in order, with
 * others around them, and some of what was seen is then changed. */
static size_t draw_history(struct mu__prng *p, struct linear_op *ops)
{
    uint64_t value = 0;
    size_t n = 1 + (size_t)mu__prng_below(p, 10);
    for (size_t i = 0; i < n; i++) {
        uint64_t kind = mu__prng_below(p, 4), expected = value;
        if (mu__prng_below(p, 4) == 0) {
            expected = mu__prng_below(p, n + 1);
        }
        ops[i] = (struct linear_op){.kind = kind == 0           ? LINEAR_READ
                                            : kind == 1         ? LINEAR_WRITE
                                            : expected == value ? LINEAR_CAS
                                                                : LINEAR_CAS_FAILED,
                                    .value = i + 1,
                                    .expected = expected};
        ops[i].call = 1000 * i + 1000 - mu__prng_below(p, 2500) % (1000 * i + 1000);
        ops[i].ret = 1000 * i + 1001 + mu__prng_below(p, 2500);
        if (ops[i].kind == LINEAR_READ) {
            ops[i].value = mu__prng_below(p, 4) ? value : mu__prng_below(p, n + 1);
        } else if (ops[i].kind != LINEAR_CAS_FAILED) {
            value = i + 1;
        }
        if (mu__prng_below(p, 6) == 0) {
            ops[i].ret = NEVER;
            value = mu__prng_below(p, 2) ? value : ops[i].expected;
        }
        if (ops[i].ret == NEVER && ops[i].kind == LINEAR_CAS_FAILED) {
            ops[i].kind = LINEAR_CAS;
        }
    }
    return n;
}

static int by_call(const void *a, const void *b)
{
    const struct linear_op *x = a, *y = b;
    return (x->call > y->call) - (x->call < y->call);
}

/* All moments are to be different: they become their ranks. */
static void rank_moments(struct linear_op *ops, size_t n)
{
    uint64_t *moments[20];
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        moments[m++] = &ops[i].call;
        if (ops[i].ret != NEVER) {
            moments[m++] = &ops[i].ret;
        }
    }
    for (size_t i = 1; i < m; i++) { /* calls before returns of the same time would do as well */
        for (size_t k = i; k > 0 && *moments[k - 1] > *moments[k]; k--) {
            uint64_t *t = moments[k];
            moments[k] = moments[k - 1];
            moments[k - 1] = t;
        }
    }
    for (size_t i = 0; i < m; i++) {
        *moments[i] = i + 1;
    }
    qsort(ops, n, sizeof *ops, by_call);
}

static void test_zones_agree_with_the_search(void **state)
{
    (void)state;
    struct mu__prng p;
    unsigned verdicts[3] = {0};
    mu__prng_seed(&p, 11);
    for (unsigned k = 0; k < 30000; k++) {
        struct linear_op ops[10];
        size_t n = draw_history(&p, ops);
        rank_moments(ops, n);
        enum linear_verdict zones = linear_zones(ops, n);
        enum linear_verdict search = linear_search(ops, n, STEPS);
        verdicts[zones]++;
        if (search == LINEAR_UNDECIDED || (zones != LINEAR_UNDECIDED && zones != search)) {
            fail_msg("history %u: %d by zones, %d by search", k, zones, search);
        }
    }
    assert_true(verdicts[LINEAR_YES] > 5000 && verdicts[LINEAR_NO] > 5000);
    assert_true(verdicts[LINEAR_UNDECIDED] > 0 && verdicts[LINEAR_UNDECIDED] < 1000);
}

/* One register, operations that overlap, drawn so that they are linearizable; then one read is
 * changed to a value that was overwritten long before. */
static void test_long_histories_are_decided(void **state)
{
    (void)state;
    enum { N = 3000 };
    static struct linear_op ops[N];
    for (size_t i = 0; i < N; i++) { /* takes effect at 10 i, and overlaps some neighbours */
        bool reads = i % 3 == 2;
        ops[i] = (struct linear_op){.kind = reads ? LINEAR_READ : LINEAR_WRITE,
                                    .value = reads ? i - 1 : i,
                                    .call = 10 * i + 1,
                                    .ret = 10 * i + 25 + (i * 7) % 9};
    }
    ops[0].value = 5000;
    assert_int_equal(linear_search(ops, N, 10 * N), LINEAR_YES);
    assert_int_equal(linear_zones(ops, N), LINEAR_YES);
    ops[N - 1].value = 100;
    assert_int_equal(linear_search(ops, N, 1000 * N), LINEAR_NO);
    assert_int_equal(linear_zones(ops, N), LINEAR_NO);
    assert_int_equal(linear_search(ops, N, 10), LINEAR_UNDECIDED);
}

static void test_keys_are_judged_by_themselves(void **state)
{
    (void)state;
    struct linear_op ops[] = {W(1, 1, 2), W(2, 3, 4), R(1, 5, 6)};
    assert_int_equal(linear_check_keys(ops, 3, 2, STEPS), LINEAR_NO);
    ops[1].key = 1;
    assert_int_equal(linear_check_keys(ops, 3, 2, STEPS), LINEAR_YES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_histories_are_judged_rightly),
        cmocka_unit_test(test_zones_agree_with_the_search),
        cmocka_unit_test(test_long_histories_are_decided),
        cmocka_unit_test(test_keys_are_judged_by_themselves),
    };
    return cmocka_run_group_tests_name("linear", tests, NULL, NULL);
}
