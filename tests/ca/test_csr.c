/* Mirrors src/csr.c. */
#include "ca_kit.h"

#include "data/requests.h"

static int parse(const char *pem, struct ca_diag *why)
{
    struct ca_csr *csr;
    int rc = ca_csr_parse(str(pem), NULL, &csr, why);
    assert_true((rc == CA_OK) == (csr != NULL));
    ca_csr_destroy(csr);
    return rc;
}

static void test_a_csr_says_what_is_asked_for(void **state)
{
    (void)state;
    static const struct ca_name names[] = {{CA_NAME_DNS, {"localhost", 9}},
                                           {CA_NAME_IP, {"\x7f\0\0\1", 4}}};
    struct kit k;
    kit_init(&k, 1);
    struct ca_key *key = kit_key(&k);
    struct ca_csr_request request = {.uri = str(WEB), .names = names, .name_count = 2};
    char pem[4096];
    size_t len, at = 0;
    struct ca_csr *csr;
    struct ca_name name;
    assert_int_equal(ca_csr_write(key, &request, &k.random, pem, sizeof pem, &len), CA_OK);
    assert_int_equal(ca_csr_parse((struct mu_str){pem, len}, NULL, &csr, NULL), CA_OK);
    assert_true(same_str(ca_csr_uri(csr), str(WEB)));
    for (size_t i = 0; i < 2; i++) {
        assert_true(ca_csr_next_name(csr, &at, &name));
        assert_true(name.kind == names[i].kind && same_str(name.value, names[i].value));
    }
    assert_false(ca_csr_next_name(csr, &at, &name));
    assert_false(ca_csr_next_name(csr, &at, &name));
    ca_csr_destroy(csr);
    assert_int_equal(ca_csr_write(key, &request, &k.random, pem, len, &len), CA_ENOBUFS);
    ca_key_destroy(key);
}

static void test_csrs_of_openssl_are_read(void **state)
{
    (void)state;
    struct ca_diag why;
    assert_int_equal(parse(CSR_EC, &why), CA_OK);
    assert_int_equal(parse(CSR_RSA, &why), CA_OK);
    assert_int_equal(parse(CSR_CA, &why), CA_OK); /* asks to be a CA: nobody listens */
}

/* CVE-2022-40716 */
static void test_a_csr_without_exactly_one_uri_is_refused(void **state)
{
    (void)state;
    struct ca_diag why;
    assert_int_equal(parse(CSR_TWO_URIS, &why), CA_EREFUSED);
    assert_string_equal(why.text, "the CSR asks for 2 URIs instead of one");
    assert_int_equal(parse(CSR_NO_URI, &why), CA_EREFUSED);
    assert_int_equal(parse(CSR_NO_EXTENSIONS, &why), CA_EREFUSED);
}

static void test_weak_csrs_are_refused(void **state)
{
    (void)state;
    struct ca_diag why;
    assert_int_equal(parse(CSR_SHA1, &why), CA_EUNSUPPORTED);
    assert_int_equal(parse(CSR_RSA_1024, &why), CA_EUNSUPPORTED);
    assert_int_equal(parse(CSR_SECP256K1, &why), CA_EUNSUPPORTED);
}

static void test_what_is_no_csr_is_malformed(void **state)
{
    (void)state;
    struct ca_diag why;
    assert_int_equal(parse("", &why), CA_EMALFORMED);
    assert_int_equal(parse("0", &why), CA_EMALFORMED);
    assert_int_equal(parse("-----BEGIN CERTIFICATE REQUEST-----\n", &why), CA_EMALFORMED);
    assert_int_equal(parse("-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n"
                           "-----END CERTIFICATE REQUEST-----\n",
                           &why),
                     CA_EMALFORMED);
    assert_int_equal(parse("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END X-----\n", &why),
                     CA_EMALFORMED);
    assert_string_equal(why.text, "no CSR, neither PEM nor DER");
}

static void test_bad_requests_are_not_written(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 2);
    struct ca_key *key = kit_key(&k);
    char pem[4096];
    size_t len;
    const struct ca_name bad[] = {{CA_NAME_DNS, {"", 0}},
                                  {CA_NAME_DNS, {"a b", 3}},
                                  {CA_NAME_DNS, {"a\0b", 3}},
                                  {CA_NAME_IP, {"\1\2\3\4\5", 5}},
                                  {(enum ca_name_kind)9, {"x", 1}}};
    struct ca_csr_request request = {.uri = str("https://example.com/")};
    assert_int_equal(ca_csr_write(key, &request, &k.random, pem, sizeof pem, &len), CA_EID);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        request = (struct ca_csr_request){.uri = str(WEB), .names = &bad[i], .name_count = 1};
        assert_int_equal(ca_csr_write(key, &request, &k.random, pem, sizeof pem, &len), CA_EINVAL);
    }
    request = (struct ca_csr_request){.uri = str(WEB), .common_name = str("a\nb")};
    assert_int_equal(ca_csr_write(key, &request, &k.random, pem, sizeof pem, &len), CA_EINVAL);
    request.common_name = str("");
    k.dice.left = 0;
    assert_int_equal(ca_csr_write(key, &request, &k.random, pem, sizeof pem, &len), CA_ERANDOM);
    ca_key_destroy(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_csr_says_what_is_asked_for),
        cmocka_unit_test(test_csrs_of_openssl_are_read),
        cmocka_unit_test(test_a_csr_without_exactly_one_uri_is_refused),
        cmocka_unit_test(test_weak_csrs_are_refused),
        cmocka_unit_test(test_what_is_no_csr_is_malformed),
        cmocka_unit_test(test_bad_requests_are_not_written),
    };
    return cmocka_run_group_tests_name("ca csr", tests, NULL, NULL);
}
