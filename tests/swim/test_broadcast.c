/* Mirrors src/broadcast.c. */
#include "mu_test.h"

#include "broadcast.h"

static void add(struct swim__queue *q, size_t len, uint8_t mark)
{
    uint8_t bytes[256];
    memset(bytes, mark, sizeof bytes);
    assert_true(swim__queue_add(q, bytes, len, NULL, SIZE_MAX));
    assert_true(swim__queue_check(q));
}

static uint8_t take(struct swim__queue *q, size_t room)
{
    const struct swim__broadcast *b = swim__queue_take(q, room);
    return b ? b->bytes[0] : 0;
}

static void test_longest_that_fits_goes_first_and_newest_among_equals(void **state)
{
    (void)state;
    struct swim__queue q;
    swim__queue_init(&q, NULL, 1);
    add(&q, 10, 'a');
    add(&q, 30, 'b');
    add(&q, 20, 'c');
    add(&q, 20, 'd');
    assert_int_equal(take(&q, 25), 'd');
    assert_int_equal(take(&q, 25), 'c');
    assert_int_equal(take(&q, 25), 'a');
    assert_int_equal(take(&q, 25), 0);
    assert_int_equal(take(&q, 30), 'b');
    swim__queue_settle(&q, 1);
    assert_int_equal(q.count, 0);
    swim__queue_fini(&q);
}

static void test_least_sent_goes_first_however_short(void **state)
{
    (void)state;
    struct swim__queue q;
    swim__queue_init(&q, NULL, 1);
    add(&q, 30, 'a');
    assert_int_equal(take(&q, 100), 'a');
    swim__queue_settle(&q, 4);
    add(&q, 5, 'b');
    assert_int_equal(take(&q, 100), 'b');
    assert_int_equal(take(&q, 100), 'a');
    swim__queue_settle(&q, 4);
    /* What does not fit in the first tier is passed over for what fits in a later one. */
    add(&q, 90, 'c');
    assert_int_equal(take(&q, 50), 'b');
    swim__queue_settle(&q, 4);
    assert_true(swim__queue_check(&q));
    swim__queue_fini(&q);
}

static void test_a_broadcast_is_sent_as_often_as_the_limit_says(void **state)
{
    (void)state;
    struct swim__queue q;
    swim__queue_init(&q, NULL, 1);
    add(&q, 10, 'a');
    for (int i = 0; i < 4; i++) {
        assert_int_equal(take(&q, 100), 'a');
        assert_int_equal(take(&q, 100), 0); /* once in a packet */
        swim__queue_settle(&q, 4);
    }
    assert_int_equal(take(&q, 100), 0);
    assert_int_equal(q.count, 0);
    swim__queue_fini(&q);
}

static void test_newer_word_about_a_member_replaces_the_older(void **state)
{
    (void)state;
    struct swim__queue q;
    struct swim__broadcast *watch = NULL;
    swim__queue_init(&q, NULL, 1);
    assert_true(swim__queue_add(&q, "old", 3, &watch, 10));
    assert_true(swim__queue_add(&q, "new", 3, &watch, 10));
    assert_int_equal(q.count, 1);
    assert_memory_equal(watch->bytes, "new", 3);
    (void)swim__queue_take(&q, 100);
    swim__queue_settle(&q, 1);
    assert_null(watch); /* its owner sees that it is out */
    swim__queue_fini(&q);
}

static void test_full_queue_drops_the_oldest(void **state)
{
    (void)state;
    struct swim__queue q;
    struct swim__broadcast *first = NULL;
    swim__queue_init(&q, NULL, 1);
    assert_true(swim__queue_add(&q, "a", 1, &first, 2));
    assert_true(swim__queue_add(&q, "b", 1, NULL, 2));
    assert_true(swim__queue_add(&q, "c", 1, NULL, 2));
    assert_null(first);
    assert_int_equal(q.count, 2);
    assert_true(swim__queue_check(&q));
    swim__queue_fini(&q);
}

/* ---- against a naive queue ---- */

enum { NAIVE_MAX = 512 };
struct naive {
    size_t len;
    uint32_t sends;
    uint16_t id;
    bool taken;
};

static int naive_best(const struct naive *n, size_t count, size_t room)
{
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        if (n[i].taken || n[i].len > room) {
            continue;
        }
        const struct naive *b = best >= 0 ? &n[best] : NULL;
        if (!b || n[i].sends < b->sends ||
            (n[i].sends == b->sends &&
             (n[i].len > b->len || (n[i].len == b->len && n[i].id > b->id)))) {
            best = (int)i;
        }
    }
    return best;
}

static void test_picks_what_a_naive_queue_picks(void **state)
{
    (void)state;
    struct swim__queue q;
    struct mu__prng prng;
    struct naive n[NAIVE_MAX];
    size_t count = 0;
    mu__prng_seed(&prng, 42);
    swim__queue_init(&q, NULL, 1);
    for (uint16_t id = 1; id <= 400; id++) {
        size_t len = (size_t)mu__prng_between(&prng, 2, 60);
        uint8_t bytes[64] = {(uint8_t)id, (uint8_t)(id >> 8)};
        assert_true(swim__queue_add(&q, bytes, len, NULL, SIZE_MAX));
        n[count++] = (struct naive){.len = len, .id = id};
        size_t room = (size_t)mu__prng_below(&prng, 200);
        for (;;) {
            int best = naive_best(n, count, room);
            const struct swim__broadcast *b = swim__queue_take(&q, room);
            assert_true((best >= 0) == (b != NULL));
            if (!b) {
                break;
            }
            assert_int_equal(b->bytes[0] | b->bytes[1] << 8, n[best].id);
            n[best].taken = true;
            room -= b->len;
        }
        swim__queue_settle(&q, 3);
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            n[i].sends += n[i].taken ? 1 : 0;
            n[i].taken = false;
            if (n[i].sends < 3) {
                n[kept++] = n[i];
            }
        }
        count = kept;
        assert_int_equal(q.count, count);
        assert_true(swim__queue_check(&q));
    }
    swim__queue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_that_fits_goes_first_and_newest_among_equals),
        cmocka_unit_test(test_least_sent_goes_first_however_short),
        cmocka_unit_test(test_a_broadcast_is_sent_as_often_as_the_limit_says),
        cmocka_unit_test(test_newer_word_about_a_member_replaces_the_older),
        cmocka_unit_test(test_full_queue_drops_the_oldest),
        cmocka_unit_test(test_picks_what_a_naive_queue_picks),
    };
    return cmocka_run_group_tests_name("broadcast", tests, NULL, NULL);
}
