/* Mirrors libraft/node/crc32c.c. */
#include "mu_test.h"

#include "crc32c.h"

static void test_crc32c_matches_rfc_3720_vectors(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xff, sizeof ones);
    for (size_t i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
    }
    assert_int_equal(raft_node__crc32c(0, zeros, 32), 0x8a9136aau);
    assert_int_equal(raft_node__crc32c(0, ones, 32), 0x62a8ab43u);
    assert_int_equal(raft_node__crc32c(0, up, 32), 0x46dd794eu);
    assert_int_equal(raft_node__crc32c_table(0, up, 32), 0x46dd794eu);
    assert_int_equal(raft_node__crc32c(0, "123456789", 9), 0xe3069283u);
}

static void test_crc32c_by_instruction_equals_by_table_and_continues(void **state)
{
    (void)state;
    uint8_t data[257];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * i + 3);
    }
    for (size_t len = 0; len <= sizeof data; len++) {
        uint32_t whole = raft_node__crc32c(0, data, len);
        assert_int_equal(whole, raft_node__crc32c_table(0, data, len));
        assert_int_equal(whole, raft_node__crc32c(raft_node__crc32c(0, data, len / 3),
                                                  data + len / 3, len - len / 3));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_matches_rfc_3720_vectors),
        cmocka_unit_test(test_crc32c_by_instruction_equals_by_table_and_continues),
    };
    return cmocka_run_group_tests_name("node_crc32c", tests, NULL, NULL);
}
