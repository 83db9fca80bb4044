/* Mirrors daemons/server/session_ttl.c and deadlines.c: when sessions end. Time is a number here.
 */
#include "mu_test.h"

#include "prng.h"
#include "server/session_ttl.h"

#define A mu__cstr("aaaaaaaa-0000-0000-0000-000000000001")
#define B mu__cstr("aaaaaaaa-0000-0000-0000-000000000002")

static struct session_ttl t;

static int setup(void **state)
{
    (void)state;
    deadlines_init(&t.deadlines, 7);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    deadlines_fini(&t.deadlines);
    return 0;
}

static void expect_due(uint64_t now, const char *id)
{
    struct mu_str due = session_ttl_next_due(&t, now);
    assert_int_equal(due.len, id ? strlen(id) : 0);
    assert_true(!id || memcmp(due.p, id, due.len) == 0);
}

static void test_a_session_ends_between_its_ttl_and_one_and_a_half(void **state)
{
    (void)state;
    assert_true(session_ttl_deadline(&t) == MU_NEVER);
    session_ttl_start(&t, A, 10 * MU_SEC, 100 * MU_SEC);
    uint64_t due = session_ttl_deadline(&t);
    assert_in_range(due, 110 * MU_SEC, 115 * MU_SEC - 1);
    expect_due(due - 1, NULL);
    expect_due(due, A.p);
    expect_due(due, NULL);
}

static void test_a_renewal_gives_the_full_time_anew(void **state)
{
    (void)state;
    session_ttl_start(&t, A, 10 * MU_SEC, 0);
    for (uint64_t now = MU_SEC; now < 1000 * MU_SEC; now += 9 * MU_SEC) {
        expect_due(now, NULL);
        assert_true(session_ttl_renew(&t, A, 10 * MU_SEC, now));
        assert_true(session_ttl_deadline(&t) >= now + 10 * MU_SEC);
    }
}

static void test_a_session_without_ttl_is_renewed_and_never_due(void **state)
{
    (void)state;
    session_ttl_start(&t, A, 0, 0);
    assert_true(session_ttl_renew(&t, A, 0, 5));
    assert_int_equal(deadlines_count(&t.deadlines), 0);
}

/* Who is told that it was renewed must not lose its locks at once; who is told that it was not may
 * keep them. */
static void test_once_its_end_is_on_the_way_a_session_is_not_renewed(void **state)
{
    (void)state;
    session_ttl_start(&t, A, 10 * MU_SEC, 0);
    expect_due(20 * MU_SEC, A.p);
    assert_false(session_ttl_renew(&t, A, 10 * MU_SEC, 20 * MU_SEC));
    expect_due(24 * MU_SEC, NULL); /* it is tried again should it not have come to pass */
    expect_due(25 * MU_SEC, A.p);
    deadlines_remove(&t.deadlines, A); /* has come to pass */
    expect_due(100 * MU_SEC, NULL);
}

static void test_ttls_out_of_range_are_refused_in_consuls_words(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"5s", "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]"},
        {"-5s", "Invalid Session TTL '-5000000000', must be between [10s=24h0m0s]"},
        {"86401s", "Invalid Session TTL '86401000000000', must be between [10s=24h0m0s]"},
        {"abc", "Session TTL 'abc' invalid: time: invalid duration \"abc\""},
        {"1d", "Session TTL '1d' invalid: time: unknown unit \"d\" in duration \"1d\""},
        {"10", "Session TTL '10' invalid: time: missing unit in duration \"10\""},
    };
    static const char *const right[] = {"", "0", "0s", "10s", "24h", "86400s", "1h30m"};
    char err[256];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *why = session_ttl_check(mu__cstr(wrong[i][0]), 10 * MU_SEC, err, sizeof err);
        assert_string_equal(why ? why : "", wrong[i][1]);
    }
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_null(session_ttl_check(mu__cstr(right[i]), 10 * MU_SEC, err, sizeof err));
    }
    assert_null(session_ttl_check(mu__cstr("1s"), MU_SEC, err, sizeof err));
    assert_int_equal(session_ttl_parse(mu__cstr("90s")), 90 * MU_SEC);
    assert_int_equal(session_ttl_parse(mu__cstr("never")), 0);
}

/* Ten thousand, against a plain array: each is due at its time, in order, and none twice. */
static void test_many_sessions_are_due_in_order(void **state)
{
    (void)state;
    enum { MANY = 10000 };
    static uint64_t ends[MANY];
    struct mu__prng p;
    char id[16];
    mu__prng_seed(&p, 3);
    for (int step = 0; step < 3 * MANY; step++) {
        size_t i = mu__prng_below(&p, MANY);
        uint64_t ttl = mu__prng_between(&p, 10, 100) * MU_SEC, now = mu__prng_below(&p, MU_SEC);
        snprintf(id, sizeof id, "%zu", i);
        if (mu__prng_below(&p, 5) == 0) {
            deadlines_remove(&t.deadlines, mu__cstr(id));
            ends[i] = 0;
        } else {
            assert_true(session_ttl_renew(&t, mu__cstr(id), ttl, now));
            ends[i] = now + ttl + session_ttl_grace_ns(ttl);
        }
    }
    uint64_t last = 0;
    size_t left = deadlines_count(&t.deadlines);
    assert_true(left > MANY / 2);
    while (left > 0) {
        uint64_t at = session_ttl_deadline(&t);
        struct mu_str due = session_ttl_next_due(&t, at);
        size_t i = strtoul(due.p, NULL, 10);
        assert_true(at >= last && ends[i] == at);
        last = at;
        ends[i] = 0;
        deadlines_remove(&t.deadlines, due);
        left--;
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(ends[i], 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_session_ends_between_its_ttl_and_one_and_a_half),
        TEST(test_a_renewal_gives_the_full_time_anew),
        TEST(test_a_session_without_ttl_is_renewed_and_never_due),
        TEST(test_once_its_end_is_on_the_way_a_session_is_not_renewed),
        TEST(test_ttls_out_of_range_are_refused_in_consuls_words),
        TEST(test_many_sessions_are_due_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
