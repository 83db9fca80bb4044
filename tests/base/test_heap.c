/* Mirrors src/heap.c. */
#include "mu_test.h"

#include "heap.h"
#include "prng.h"

#define ITEMS 100

static void test_items_leave_by_time_and_then_by_insertion(void **state)
{
    (void)state;
    struct mu__heap h;
    struct mu__heap_item a = {.slot = MU_HEAP_NONE}, b = a, c = a;
    mu__heap_init(&h, NULL);
    assert_null(mu__heap_min(&h));
    assert_true(mu__heap_set(&h, &a, 5));
    assert_true(mu__heap_set(&h, &b, 3));
    assert_true(mu__heap_set(&h, &c, 5));
    assert_ptr_equal(mu__heap_min(&h), &b);
    mu__heap_remove(&h, &b);
    assert_ptr_equal(mu__heap_min(&h), &a);
    assert_true(mu__heap_set(&h, &a, 5)); /* set again: now the younger of the two */
    assert_ptr_equal(mu__heap_min(&h), &c);
    mu__heap_remove(&h, &b); /* not in any more: nothing happens */
    assert_int_equal(h.len, 2);
    mu__heap_fini(&h);
}

static size_t naive_min(const struct mu__heap_item *items)
{
    size_t best = ITEMS;
    for (size_t i = 0; i < ITEMS; i++) {
        const struct mu__heap_item *x = &items[i];
        if (x->slot == MU_HEAP_NONE) {
            continue;
        }
        const struct mu__heap_item *y = best < ITEMS ? &items[best] : NULL;
        if (!y || x->at < y->at || (x->at == y->at && x->seq < y->seq)) {
            best = i;
        }
    }
    return best;
}

static void test_minimum_agrees_with_a_search_over_random_operations(void **state)
{
    (void)state;
    struct mu__heap h;
    struct mu__heap_item items[ITEMS];
    struct mu__prng rng;
    mu__heap_init(&h, NULL);
    mu__prng_seed(&rng, 3);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = (struct mu__heap_item){.slot = MU_HEAP_NONE};
    }
    for (int step = 0; step < 5000; step++) {
        struct mu__heap_item *x = &items[mu__prng_below(&rng, ITEMS)];
        if (mu__prng_below(&rng, 3)) {
            assert_true(mu__heap_set(&h, x, mu__prng_below(&rng, 50)));
        } else {
            mu__heap_remove(&h, x);
        }
        size_t want = naive_min(items);
        assert_ptr_equal(mu__heap_min(&h), want < ITEMS ? &items[want] : NULL);
    }
    mu__heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_leave_by_time_and_then_by_insertion),
        cmocka_unit_test(test_minimum_agrees_with_a_search_over_random_operations),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
