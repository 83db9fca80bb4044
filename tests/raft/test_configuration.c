/* Mirrors src/configuration.c. */
#include "mu_test.h"

#include <configuration.h>

static struct raft_configuration of(raft_index index, const char *const *ids, size_t n)
{
    struct raft_configuration c = {.index = index, .n = n};
    for (size_t i = 0; i < n; i++) {
        raft__copy_id(c.servers[i].id, ids[i]);
        raft__copy_address(c.servers[i].address, "10.0.0.1:8300");
    }
    raft__configuration_sort(&c);
    return c;
}

static const char *const ABC[] = {"c", "a", "b"}, *const CAB[] = {"b", "c", "a"};

static size_t encode(const struct raft_configuration *c, uint8_t *buf)
{
    struct mu__writer w = mu__writer_fixed(buf, RAFT__CONFIGURATION_BYTES_MAX);
    raft__configuration_encode(c, &w);
    assert_false(w.failed);
    return w.len;
}

static void test_encoding_does_not_depend_on_the_order_given(void **state)
{
    (void)state;
    uint8_t one[RAFT__CONFIGURATION_BYTES_MAX], two[RAFT__CONFIGURATION_BYTES_MAX];
    struct raft_configuration a = of(1, ABC, 3), b = of(1, CAB, 3), back;
    size_t len = encode(&a, one);
    assert_int_equal(len, encode(&b, two));
    assert_memory_equal(one, two, len);
    assert_int_equal(raft_configuration_decode(one, len, 1, &back), RAFT_OK);
    assert_memory_equal(&a, &back, sizeof a);
}

static void test_decode_refuses_whatever_is_not_whole(void **state)
{
    (void)state;
    uint8_t buf[RAFT__CONFIGURATION_BYTES_MAX];
    struct raft_configuration c = of(1, ABC, 3), out;
    size_t len = encode(&c, buf);
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(raft_configuration_decode(buf, n, 1, &out), RAFT_EPROTO);
    }
    for (size_t at = 0; at < len; at++) { /* a flipped byte is refused or read as something valid */
        for (unsigned bit = 0; bit < 8; bit++) {
            buf[at] ^= (uint8_t)(1u << bit);
            if (raft_configuration_decode(buf, len, 1, &out) == RAFT_OK) {
                assert_true(raft__configuration_is_valid(&out));
            }
            buf[at] ^= (uint8_t)(1u << bit);
        }
    }
}

static void test_a_configuration_needs_a_voter_and_unique_ids(void **state)
{
    (void)state;
    struct raft_configuration c = of(1, ABC, 3);
    assert_true(raft__configuration_is_valid(&c));
    raft__copy_id(c.servers[1].id, "a");
    assert_false(raft__configuration_is_valid(&c));
    c = of(1, ABC, 1);
    c.servers[0].kind = RAFT_NONVOTER;
    assert_false(raft__configuration_is_valid(&c));
    c.n = RAFT_SERVERS_MAX + 1;
    assert_false(raft__configuration_is_valid(&c));
}

static void test_history_answers_for_any_index_and_rolls_back(void **state)
{
    (void)state;
    struct raft__configs h;
    assert_true(raft__configs_init(&h, &mu__malloc_allocator));
    for (raft_index i = 10; i <= 30; i += 10) {
        struct raft_configuration c = of(i, ABC, i / 10);
        assert_true(raft__configs_push(&h, &c));
    }
    assert_int_equal(raft__configs_at(&h, 9)->index, 0);
    assert_int_equal(raft__configs_at(&h, 10)->index, 10);
    assert_int_equal(raft__configs_at(&h, 29)->index, 20);
    assert_int_equal(raft__configs_last(&h)->n, 3);
    assert_true(raft__configs_truncate(&h, 25));
    assert_false(raft__configs_truncate(&h, 25));
    assert_int_equal(raft__configs_last(&h)->index, 20);
    raft__configs_compact(&h, 15);
    assert_int_equal(raft__configs_at(&h, 3)->index, 10); /* what is before it is hidden */
    assert_int_equal(h.n, 2);
    struct raft_configuration c = of(50, ABC, 2);
    raft__configs_reset(&h, &c);
    assert_int_equal(raft__configs_last(&h)->index, 50);
    raft__configs_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoding_does_not_depend_on_the_order_given),
        cmocka_unit_test(test_decode_refuses_whatever_is_not_whole),
        cmocka_unit_test(test_a_configuration_needs_a_voter_and_unique_ids),
        cmocka_unit_test(test_history_answers_for_any_index_and_rolls_back),
    };
    return cmocka_run_group_tests_name("raft configuration", tests, NULL, NULL);
}
