/* Mirrors src/keyring.c. */
#include "mu_test.h"

#include "keyring.h"

static const uint8_t nonce[SWIM__NONCE_LEN] = {1, 2, 3};

static struct mu_str str(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

#define KEY_A "aaaaaaaaaaaaaaaa"                 /* 16 bytes */
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbb"         /* 24 */
#define KEY_C "cccccccccccccccccccccccccccccccc" /* 32 */

static struct swim__keyring *ring(const char *first, const char *second)
{
    struct swim__keyring *k = swim__keyring_create(&mu__malloc_allocator);
    assert_non_null(k);
    assert_int_equal(swim__keyring_add(k, str(first)), SWIM__KEYRING_OK);
    if (second) {
        assert_int_equal(swim__keyring_add(k, str(second)), SWIM__KEYRING_OK);
    }
    return k;
}

static void assert_key(const struct swim__keyring *k, size_t i, const char *want)
{
    struct mu_str key = swim__keyring_key(k, i);
    assert_int_equal(key.len, strlen(want));
    assert_memory_equal(key.p, want, key.len);
}

static void test_the_first_key_is_primary_and_later_ones_are_appended(void **state)
{
    (void)state;
    struct swim__keyring *k = ring(KEY_A, KEY_B);
    assert_int_equal(swim__keyring_add(k, str(KEY_A)), SWIM__KEYRING_OK); /* present: no change */
    assert_int_equal(swim__keyring_count(k), 2);
    assert_key(k, 0, KEY_A);
    assert_key(k, 1, KEY_B);
    assert_true(swim__keyring_has(k, str(KEY_B)));
    assert_false(swim__keyring_has(k, str(KEY_C)));
    swim__keyring_destroy(k);
}

static void test_use_moves_a_key_to_the_front(void **state)
{
    (void)state;
    struct swim__keyring *k = ring(KEY_A, KEY_B);
    assert_int_equal(swim__keyring_add(k, str(KEY_C)), SWIM__KEYRING_OK);
    assert_int_equal(swim__keyring_use(k, str(KEY_C)), SWIM__KEYRING_OK);
    assert_key(k, 0, KEY_C);
    assert_key(k, 1, KEY_A);
    assert_key(k, 2, KEY_B);
    assert_int_equal(swim__keyring_use(k, str("dddddddddddddddd")), SWIM__KEYRING_ABSENT);
    swim__keyring_destroy(k);
}

static void test_the_primary_is_not_removed_and_an_absent_key_is_no_error(void **state)
{
    (void)state;
    struct swim__keyring *k = ring(KEY_A, KEY_B);
    assert_int_equal(swim__keyring_remove(k, str(KEY_A)), SWIM__KEYRING_PRIMARY);
    assert_int_equal(swim__keyring_remove(k, str(KEY_C)), SWIM__KEYRING_OK);
    assert_int_equal(swim__keyring_remove(k, str(KEY_B)), SWIM__KEYRING_OK);
    assert_int_equal(swim__keyring_count(k), 1);
    swim__keyring_destroy(k);
}

static void test_only_aes_key_lengths_are_taken(void **state)
{
    (void)state;
    struct swim__keyring *k = ring(KEY_A, NULL);
    for (size_t len = 0; len <= 33; len++) {
        bool fits = len == 16 || len == 24 || len == 32;
        struct mu_str key = {"0123456789012345678901234567890123", len};
        assert_int_equal(swim__keyring_add(k, key) == SWIM__KEYRING_OK, fits);
    }
    assert_int_equal(swim__keyring_count(k), 4);
    swim__keyring_destroy(k);
}

static void test_a_full_ring_refuses_more(void **state)
{
    (void)state;
    struct swim__keyring *k = swim__keyring_create(&mu__malloc_allocator);
    char key[17] = "0123456789012345";
    for (unsigned i = 0; i < SWIM__KEYS_MAX; i++) {
        key[0] = (char)(i + 1);
        assert_int_equal(swim__keyring_add(k, str(key)), SWIM__KEYRING_OK);
    }
    key[0] = 'z' + 1;
    assert_int_equal(swim__keyring_add(k, str(key)), SWIM__KEYRING_FULL);
    swim__keyring_destroy(k);
}

static size_t seal(struct swim__keyring *k, const char *aad, const char *text, uint8_t *out,
                   size_t cap)
{
    struct mu__writer w = mu__writer_fixed(out, cap);
    swim__seal(k, nonce, str(aad), str(text), &w);
    assert_false(w.failed);
    return w.len;
}

static void test_any_key_of_the_ring_opens(void **state)
{
    (void)state;
    uint8_t sealed[128], out[128];
    size_t out_len;
    struct swim__keyring *old = ring(KEY_A, NULL), *both = ring(KEY_B, KEY_A),
                         *other = ring(KEY_C, NULL);
    size_t len = seal(old, "", "hello", sealed, sizeof sealed);
    assert_int_equal(len, 5 + SWIM__SEAL_EXTRA);
    assert_true(swim__unseal(both, str(""), sealed, len, out, &out_len));
    assert_int_equal(out_len, 5);
    assert_memory_equal(out, "hello", 5);
    assert_false(swim__unseal(other, str(""), sealed, len, out, &out_len));
    swim__keyring_destroy(old);
    swim__keyring_destroy(both);
    swim__keyring_destroy(other);
}

static void test_every_flipped_bit_and_every_cut_is_noticed(void **state)
{
    (void)state;
    uint8_t sealed[64], out[64];
    size_t out_len = 0;
    struct swim__keyring *k = ring(KEY_A, NULL);
    size_t len = seal(k, "aad", "hello", sealed, sizeof sealed);
    for (size_t bit = 0; bit < len * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(swim__unseal(k, str("aad"), sealed, len, out, &out_len));
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(swim__unseal(k, str("aad"), sealed, cut, out, &out_len));
    }
    assert_false(swim__unseal(k, str("dad"), sealed, len, out, &out_len));
    assert_true(swim__unseal(k, str("aad"), sealed, len, out, &out_len));
    swim__keyring_destroy(k);
}

static void test_an_empty_ring_opens_nothing(void **state)
{
    (void)state;
    uint8_t sealed[64] = {1}, out[64];
    size_t out_len;
    struct swim__keyring *k = swim__keyring_create(&mu__malloc_allocator);
    assert_int_equal(swim__keyring_count(k), 0);
    assert_int_equal(swim__keyring_count(NULL), 0);
    assert_false(swim__unseal(k, str(""), sealed, sizeof sealed, out, &out_len));
    swim__keyring_destroy(k);
    swim__keyring_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_key_is_primary_and_later_ones_are_appended),
        cmocka_unit_test(test_use_moves_a_key_to_the_front),
        cmocka_unit_test(test_the_primary_is_not_removed_and_an_absent_key_is_no_error),
        cmocka_unit_test(test_only_aes_key_lengths_are_taken),
        cmocka_unit_test(test_a_full_ring_refuses_more),
        cmocka_unit_test(test_any_key_of_the_ring_opens),
        cmocka_unit_test(test_every_flipped_bit_and_every_cut_is_noticed),
        cmocka_unit_test(test_an_empty_ring_opens_nothing),
    };
    return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
