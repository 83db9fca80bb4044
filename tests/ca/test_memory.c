/* Running out of memory: each allocation of a scenario fails in turn, and nothing leaks or is half
 * done. mbedTLS takes its memory elsewhere. */
#include "ca_kit.h"

#include "scarce.h"

/* From a key to a verdict. */
static int live(struct kit *k, const struct mu_allocator *a)
{
    struct ca_key *key = NULL, *service = NULL;
    struct ca_certificate *root = NULL, *leaf = NULL, *bundle[1] = {NULL};
    struct ca_issuer *issuer = NULL;
    struct ca_csr *csr = NULL;
    struct ca_trust *trust = NULL;
    struct ca_trust_config tcfg;
    struct ca_verified verified;
    struct ca_terms terms = {.now_unix_s = NOW};
    struct ca_csr_request ask = {.uri = str(WEB)};
    struct ca_leaf_request grant = {.uri = str(WEB), .terms = terms};
    char pem[4096];
    size_t len, count;
    int rc = ca_key_create(CA_EC, 256, &k->random, a, &key);
    if (rc == CA_OK) {
        rc = ca_root_create(key, str(TD), &terms, &k->random, a, &root);
    }
    if (rc == CA_OK) {
        struct ca_issuer_config cfg = kit_config(k, key, root);
        cfg.allocator = a;
        rc = ca_issuer_create(&cfg, &issuer, NULL);
        key = rc == CA_OK ? NULL : key;
    }
    if (rc == CA_OK) {
        rc = ca_key_create(CA_EC, 256, &k->random, a, &service);
    }
    if (rc == CA_OK) {
        rc = ca_csr_write(service, &ask, &k->random, pem, sizeof pem, &len);
    }
    if (rc == CA_OK) {
        rc = ca_csr_parse((struct mu_str){pem, len}, a, &csr, NULL);
    }
    if (rc == CA_OK) {
        rc = ca_issuer_sign_leaf(issuer, csr, &grant, &leaf, NULL);
    }
    if (rc == CA_OK) {
        rc = ca_bundle_parse(ca_certificate_pem(leaf), a, bundle, 1, &count, NULL);
    }
    if (rc == CA_OK) {
        ca_trust_config_init(&tcfg);
        tcfg.trust_domain = str(TD);
        tcfg.allocator = a;
        rc = ca_trust_create(&tcfg, &trust);
    }
    if (rc == CA_OK) {
        rc = ca_trust_add(trust, root);
    }
    if (rc == CA_OK) {
        struct ca_verify_request r = {.leaf = ca_certificate_der(bundle[0]), .now_unix_s = NOW};
        rc = ca_verify(trust, &r, &verified);
    }
    ca_trust_destroy(trust);
    ca_certificate_destroy(bundle[0]);
    ca_certificate_destroy(leaf);
    ca_certificate_destroy(root);
    ca_csr_destroy(csr);
    ca_key_destroy(service);
    ca_key_destroy(key);
    ca_issuer_destroy(issuer);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    struct kit k;
    size_t n = 0;
    for (;; n++) {
        struct scarce s = {.left = n};
        struct mu_allocator a = scarce_allocator(&s);
        kit_init(&k, 1);
        int rc = live(&k, &a);
        if (!s.ran_out) {
            assert_int_equal(rc, CA_OK);
            break;
        }
        assert_int_equal(rc, CA_ENOMEM);
    }
    assert_true(n > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("ca memory", tests, NULL, NULL);
}
