/* Mirrors src/key.c. */
#include "ca_kit.h"

/* Of openssl: P-256 as PKCS#8, P-521, secp256k1, RSA of 1024 bits; none is used anywhere. */
#include "data/keys.h"

static void test_keys_go_out_and_come_back(void **state)
{
    (void)state;
    static const struct {
        enum ca_key_algorithm algorithm;
        unsigned bits;
    } kinds[] = {{CA_EC, 256}, {CA_EC, 384}, {CA_RSA, 2048}};
    struct kit k;
    kit_init(&k, 1);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct ca_key *key = kit_key_of(&k, kinds[i].algorithm, kinds[i].bits), *back;
        char pem[4096], again[4096];
        uint8_t id[32], id_back[32];
        size_t len, len_again;
        assert_int_equal(ca_key_write_pem(key, pem, sizeof pem, &len), CA_OK);
        assert_int_equal(strlen(pem), len);
        assert_int_equal(ca_key_import((struct mu_str){pem, len}, &k.random, NULL, &back), CA_OK);
        assert_int_equal(ca_key_algorithm(back), kinds[i].algorithm);
        assert_int_equal(ca_key_bits(back), kinds[i].bits);
        ca_key_id(key, id);
        ca_key_id(back, id_back);
        assert_memory_equal(id, id_back, sizeof id);
        assert_int_equal(ca_key_write_pem(back, again, len, &len_again), CA_ENOBUFS);
        assert_int_equal(len_again, len);
        assert_int_equal(ca_key_write_pem(back, again, len + 1, &len_again), CA_OK);
        assert_string_equal(pem, again);
        ca_key_destroy(back);
        ca_key_destroy(key);
    }
}

static void test_only_some_sizes_are_made(void **state)
{
    (void)state;
    struct kit k;
    struct ca_key *key;
    kit_init(&k, 2);
    assert_int_equal(ca_key_create(CA_EC, 224, &k.random, NULL, &key), CA_EINVAL);
    assert_int_equal(ca_key_create(CA_EC, 2048, &k.random, NULL, &key), CA_EINVAL);
    assert_int_equal(ca_key_create(CA_RSA, 1024, &k.random, NULL, &key), CA_EINVAL);
    assert_int_equal(ca_key_create(CA_RSA, 256, &k.random, NULL, &key), CA_EINVAL);
    assert_int_equal(ca_key_create((enum ca_key_algorithm)7, 256, &k.random, NULL, &key),
                     CA_EINVAL);
    assert_int_equal(ca_key_create(CA_EC, 256, NULL, NULL, &key), CA_EINVAL);
    assert_null(key);
}

static void test_a_random_source_that_fails_is_named(void **state)
{
    (void)state;
    struct kit k;
    struct ca_key *key;
    kit_init(&k, 3);
    k.dice.left = 0;
    assert_int_equal(ca_key_create(CA_EC, 256, &k.random, NULL, &key), CA_ERANDOM);
    assert_int_equal(ca_key_create(CA_RSA, 2048, &k.random, NULL, &key), CA_ERANDOM);
    assert_null(key);
}

static int import(const char *pem)
{
    struct kit k;
    struct ca_key *key;
    kit_init(&k, 4);
    int rc = ca_key_import(str(pem), &k.random, NULL, &key);
    assert_true((rc == CA_OK) == (key != NULL));
    ca_key_destroy(key);
    return rc;
}

static void test_keys_of_openssl_are_read(void **state)
{
    (void)state;
    assert_int_equal(import(KEY_P256_PKCS8), CA_OK);
    assert_int_equal(import(KEY_P521), CA_OK);
}

static void test_other_keys_are_refused(void **state)
{
    (void)state;
    char cut[sizeof KEY_P256_PKCS8];
    assert_int_equal(import(KEY_SECP256K1), CA_EUNSUPPORTED);
    assert_int_equal(import(KEY_RSA_1024), CA_EUNSUPPORTED);
    assert_int_equal(import(KEY_ENCRYPTED), CA_EMALFORMED);
    assert_int_equal(import(""), CA_EMALFORMED);
    assert_int_equal(import("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
                     CA_EMALFORMED);
    for (size_t n = 1; n + 30 < sizeof cut; n += 7) {
        memcpy(cut, KEY_P256_PKCS8, n);
        cut[n] = '\0';
        assert_int_equal(import(cut), CA_EMALFORMED);
    }
}

/* The public half in the file is another key's: what it signs, nobody could verify. */
static void test_halves_that_differ_are_refused(void **state)
{
    (void)state;
    assert_int_equal(import(KEY_MIXED), CA_EKEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_go_out_and_come_back),
        cmocka_unit_test(test_only_some_sizes_are_made),
        cmocka_unit_test(test_a_random_source_that_fails_is_named),
        cmocka_unit_test(test_keys_of_openssl_are_read),
        cmocka_unit_test(test_other_keys_are_refused),
        cmocka_unit_test(test_halves_that_differ_are_refused),
    };
    return cmocka_run_group_tests_name("ca key", tests, NULL, NULL);
}
