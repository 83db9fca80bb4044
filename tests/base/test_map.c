/* Mirrors src/map.c. */
#include "mu_test.h"

#include "map.h"
#include "prng.h"

#define KEYS 200

/* The naive map: for each possible key its value, or 0. Values are numbers + 1 in the pointer's
 * place. */
struct model {
    char keys[KEYS][8];
    int values[KEYS];
    int storage[KEYS][16]; /* what pointers point at */
};

static void check_agrees(const struct mu__map *m, const struct model *model)
{
    size_t live = 0;
    for (int k = 0; k < KEYS; k++) {
        const int *v = mu__map_get(m, model->keys[k], strlen(model->keys[k]));
        assert_int_equal(v ? *v : 0, model->values[k]);
        live += model->values[k] != 0;
    }
    assert_int_equal(m->count, live);
    size_t walked = 0;
    for (size_t at = 0; mu__map_next(m, &at);) {
        walked++;
    }
    assert_int_equal(walked, live);
}

static void test_map_agrees_with_a_naive_one_over_random_operations(void **state)
{
    (void)state;
    static struct model model;
    struct mu__prng rng;
    struct mu__map m;
    mu__prng_seed(&rng, 42);
    mu__map_init(&m, NULL, 7);
    for (int k = 0; k < KEYS; k++) {
        snprintf(model.keys[k], sizeof model.keys[k], "k%d", k);
        for (int i = 0; i < 16; i++) {
            model.storage[k][i] = i + 1;
        }
    }
    for (int step = 0; step < 20000; step++) {
        int k = (int)mu__prng_below(&rng, KEYS);
        size_t len = strlen(model.keys[k]);
        if (mu__prng_below(&rng, 5) < 3) {
            int *value = &model.storage[k][mu__prng_below(&rng, 16)];
            void *old;
            assert_true(mu__map_set(&m, model.keys[k], len, value, &old));
            assert_int_equal(old ? *(int *)old : 0, model.values[k]);
            model.values[k] = *value;
        } else {
            const int *old = mu__map_remove(&m, model.keys[k], len);
            assert_int_equal(old ? *old : 0, model.values[k]);
            model.values[k] = 0;
        }
        if (step % 500 == 0) {
            check_agrees(&m, &model);
        }
    }
    check_agrees(&m, &model);
    mu__map_fini(&m);
}

static void test_map_is_walked_in_order_of_insertion(void **state)
{
    (void)state;
    struct mu__map m;
    static const char *const names[] = {"zeta", "alpha", "mid", "beta"};
    int values[] = {0, 1, 2, 3};
    mu__map_init(&m, NULL, 1);
    for (int i = 0; i < 4; i++) {
        assert_true(mu__map_set(&m, names[i], strlen(names[i]), &values[i], NULL));
    }
    mu__map_remove(&m, "alpha", 5);
    size_t at = 0;
    assert_ptr_equal(mu__map_next(&m, &at), &values[0]);
    assert_ptr_equal(mu__map_next(&m, &at), &values[2]);
    assert_ptr_equal(mu__map_next(&m, &at), &values[3]);
    assert_null(mu__map_next(&m, &at));
    mu__map_fini(&m);
}

static void test_keys_are_bytes_and_may_be_empty_or_hold_zeros(void **state)
{
    (void)state;
    struct mu__map m;
    int a = 1;
    int b = 2;
    int c = 3;
    mu__map_init(&m, NULL, 1);
    assert_true(mu__map_set(&m, "", 0, &a, NULL));
    assert_true(mu__map_set(&m, "\0", 1, &b, NULL));
    assert_true(mu__map_set(&m, "\0\0", 2, &c, NULL));
    assert_ptr_equal(mu__map_get(&m, "", 0), &a);
    assert_ptr_equal(mu__map_get(&m, "\0", 1), &b);
    assert_ptr_equal(mu__map_get(&m, "\0\0", 2), &c);
    mu__map_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_agrees_with_a_naive_one_over_random_operations),
        cmocka_unit_test(test_map_is_walked_in_order_of_insertion),
        cmocka_unit_test(test_keys_are_bytes_and_may_be_empty_or_hold_zeros),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
