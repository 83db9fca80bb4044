/* Mirrors src/coord.c. The steps are those that Serf 0.9.4 takes; a unit in the last place is
 * allowed for each. */
#include "mu_test.h"

#include "coord.h"

#include <jansson.h>
#include <math.h>

static double real(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static struct swim_coordinate coordinate(const json_t *o)
{
    struct swim_coordinate c = {.error = real(o, "Error"),
                                .adjustment = real(o, "Adjustment"),
                                .height = real(o, "Height")};
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        c.vec[i] = json_number_value(json_array_get(json_object_get(o, "Vec"), i));
    }
    return c;
}

static void assert_near(double got, double want)
{
    assert_true(fabs(got - want) <= 1e-13 * fmax(fabs(want), 1e-3));
}

static void test_vivaldi_takes_the_same_steps_as_serf(void **state)
{
    (void)state;
    json_t *root = json_load_file(MUSTER_TEST_DATA "/gossip-vectors.json", 0, NULL);
    json_t *vivaldi = json_object_get(json_object_get(root, "formulas"), "vivaldi"), *step;
    struct swim__latency latencies[64] = {0};
    struct swim__coords c;
    struct mu__prng prng;
    size_t i;
    mu__prng_seed(&prng, 1);
    swim__coords_init(&c);
    c.self = coordinate(json_object_get(vivaldi, "start"));
    json_array_foreach(json_object_get(vivaldi, "steps"), i, step)
    {
        struct swim_coordinate other = coordinate(json_object_get(step, "other"));
        uint64_t rtt = (uint64_t)json_integer_value(json_object_get(step, "rtt_ns"));
        size_t node = (size_t)atoi(json_string_value(json_object_get(step, "node")) + 1) % 64;
        uint64_t before = (uint64_t)json_integer_value(json_object_get(step, "distance_before_ns"));
        uint64_t got = swim_distance_ns(&c.self, &other);
        assert_true(got + 1 >= before && got <= before + 1);
        bool accepted = swim__coords_update(&c, &latencies[node], &other, rtt, &prng);
        assert_true(accepted == (strlen(json_string_value(json_object_get(step, "error"))) == 0));
        struct swim_coordinate want = coordinate(json_object_get(step, "after"));
        assert_near(c.self.error, want.error);
        assert_near(c.self.adjustment, want.adjustment);
        assert_near(c.self.height, want.height);
        for (size_t k = 0; k < SWIM_DIMENSIONS; k++) {
            assert_near(c.self.vec[k], want.vec[k]);
        }
    }
    assert_true(i > 5);
    json_decref(root);
}

static void test_senseless_measurements_change_nothing(void **state)
{
    (void)state;
    struct swim__latency latency = {{0}};
    struct swim__coords c;
    struct mu__prng prng;
    mu__prng_seed(&prng, 1);
    swim__coords_init(&c);
    struct swim_coordinate before = c.self, other = c.self;
    assert_false(swim__coords_update(&c, &latency, &other, 11 * MU_SEC, &prng));
    other.vec[3] = NAN;
    assert_false(swim__coords_update(&c, &latency, &other, MU_MSEC, &prng));
    other = before;
    other.height = INFINITY;
    assert_false(swim__coords_update(&c, &latency, &other, MU_MSEC, &prng));
    assert_memory_equal(&before, &c.self, sizeof before);
}

static void test_two_nodes_in_one_place_move_apart(void **state)
{
    (void)state;
    struct swim__latency latency = {{0}};
    struct swim__coords a, b;
    struct mu__prng prng;
    mu__prng_seed(&prng, 1);
    swim__coords_init(&a);
    swim__coords_init(&b);
    for (int i = 0; i < 200; i++) {
        assert_true(swim__coords_update(&a, &latency, &b.self, 20 * MU_MSEC, &prng));
        assert_true(swim__coords_update(&b, &latency, &a.self, 20 * MU_MSEC, &prng));
    }
    assert_in_range(swim_distance_ns(&a.self, &b.self), 18 * MU_MSEC, 22 * MU_MSEC);
}

static void test_far_away_strangers_do_not_overflow(void **state)
{
    (void)state;
    struct swim__latency latency = {{0}};
    struct swim__coords c;
    struct mu__prng prng;
    mu__prng_seed(&prng, 1);
    swim__coords_init(&c);
    struct swim_coordinate other = c.self;
    other.vec[0] = 1e300;
    for (int i = 0; i < 10; i++) {
        (void)swim__coords_update(&c, &latency, &other, MU_MSEC, &prng);
        assert_true(swim__coord_is_valid(&c.self));
        other.vec[0] = -other.vec[0] * 0.5;
        other.height = 1e308;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vivaldi_takes_the_same_steps_as_serf),
        cmocka_unit_test(test_senseless_measurements_change_nothing),
        cmocka_unit_test(test_two_nodes_in_one_place_move_apart),
        cmocka_unit_test(test_far_away_strangers_do_not_overflow),
    };
    return cmocka_run_group_tests_name("coord", tests, NULL, NULL);
}
