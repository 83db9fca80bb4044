/* Mirrors src/certificate.c and src/pem.c. */
#include "ca_kit.h"

static void test_pem_and_der_are_one_certificate(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 1);
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *root = kit_root(&k, key, 3), *a, *b;
    assert_int_equal(ca_certificate_parse(ca_certificate_pem(root), NULL, &a, NULL), CA_OK);
    assert_int_equal(ca_certificate_parse(ca_certificate_der(root), NULL, &b, NULL), CA_OK);
    assert_true(same_str(ca_certificate_der(a), ca_certificate_der(b)));
    assert_true(same_str(ca_certificate_pem(a), ca_certificate_pem(b)));
    const struct ca_certificate_info *info = ca_certificate_info(a);
    uint8_t key_id[32];
    ca_key_id(key, key_id);
    assert_true(same_str(info->subject_key_id, (struct mu_str){(const char *)key_id, 32}));
    assert_true(info->is_ca && info->path_length == 3 && info->key_bits == 256);
    assert_true(same_str(info->uri, str("spiffe://" TD)));
    ca_certificate_destroy(a);
    ca_certificate_destroy(b);
    ca_certificate_destroy(root);
    ca_key_destroy(key);
}

static void test_bundles_are_read_in_order_and_written_back(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 2);
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *in[3], *out[3];
    char text[8192], noisy[8192 + 64], again[8192];
    size_t len, count;
    for (size_t i = 0; i < 3; i++) {
        in[i] = kit_root(&k, key, (int)i);
    }
    const struct ca_certificate *const list[] = {in[0], in[1], in[2]};
    assert_int_equal(ca_bundle_write(list, 3, text, sizeof text, &len), CA_OK);
    assert_int_equal(ca_bundle_write(list, 3, again, len, &count), CA_ENOBUFS);
    assert_int_equal(count, len);
    snprintf(noisy, sizeof noisy, "# roots -----\n%s\nthe end", text);
    assert_int_equal(ca_bundle_parse(str(noisy), NULL, out, 3, &count, NULL), CA_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(same_str(ca_certificate_der(in[i]), ca_certificate_der(out[i])));
        ca_certificate_destroy(out[i]);
    }
    assert_int_equal(ca_bundle_parse(str(text), NULL, out, 2, &count, NULL), CA_ENOBUFS);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        ca_certificate_destroy(in[i]);
    }
    ca_key_destroy(key);
}

static void test_a_bundle_with_rubbish_in_it_is_refused(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 3);
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *root = kit_root(&k, key, 0), *out[4];
    static const char *const tails[] = {
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMA@=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END EC PRIVATE KEY-----\n",
    };
    char text[4096];
    size_t count;
    struct ca_diag why;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct mu_str pem = ca_certificate_pem(root);
        snprintf(text, sizeof text, "%.*s%s", (int)pem.len, pem.p, tails[i]);
        assert_int_equal(ca_bundle_parse(str(text), NULL, out, 4, &count, &why), CA_EMALFORMED);
        assert_int_equal(count, 0);
    }
    assert_int_equal(ca_bundle_parse(str("nothing"), NULL, out, 4, &count, &why), CA_EMALFORMED);
    assert_int_equal(ca_bundle_parse(str(""), NULL, out, 4, &count, &why), CA_EMALFORMED);
    ca_certificate_destroy(root);
    ca_key_destroy(key);
}

static void test_each_error_has_words_and_a_class(void **state)
{
    (void)state;
    for (int code = CA_EUNTRUSTED; code <= CA_ENOMEM; code++) {
        assert_string_not_equal(ca_strerror(code), "unknown error");
        assert_true(ca_err_class(code) != MU_CLASS_OK && ca_err_class(code) != MU_CLASS_FATAL);
    }
    assert_int_equal(ca_err_class(CA_OK), MU_CLASS_OK);
    assert_string_equal(ca_strerror(-1), "unknown error");
    assert_string_equal(ca_version(), CA_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pem_and_der_are_one_certificate),
        cmocka_unit_test(test_bundles_are_read_in_order_and_written_back),
        cmocka_unit_test(test_a_bundle_with_rubbish_in_it_is_refused),
        cmocka_unit_test(test_each_error_has_words_and_a_class),
    };
    return cmocka_run_group_tests_name("ca certificate", tests, NULL, NULL);
}
