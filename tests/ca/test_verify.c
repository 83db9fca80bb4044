/* Mirrors src/verify.c and src/trust.c; the verdicts themselves are tested by the kit. */
#include "ca_kit.h"

static void test_what_was_verified_is_told(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 1);
    struct ca_issuer *i = kit_issuer(&k), *other = kit_issuer(&k);
    struct ca_certificate *leaf = kit_leaf(&k, i, WEB);
    struct ca_trust *t = kit_trust(ca_issuer_certificate(other));
    struct ca_verified out;
    assert_int_equal(ca_trust_add(t, ca_issuer_certificate(i)), CA_OK);
    assert_int_equal(ca_trust_add(t, ca_issuer_certificate(i)), CA_OK); /* changes nothing */
    assert_int_equal(ca_trust_count(t), 2);
    struct ca_verify_request r = {
        .leaf = ca_certificate_der(leaf), .now_unix_s = NOW, .purpose = CA_PURPOSE_CLIENT};
    assert_int_equal(ca_verify(t, &r, &out), CA_OK);
    assert_int_equal(out.verdict, CA_V_TRUSTED);
    assert_int_equal(out.id.kind, CA_ID_SERVICE);
    assert_true(same_str(out.id.name, str("web")) && same_str(out.id.datacenter, str("dc1")));
    assert_true(same_str(out.uri, str(WEB)));
    assert_true(same_str(out.serial, ca_certificate_info(leaf)->serial));
    assert_true(out.not_after_unix_s == ca_certificate_info(leaf)->not_after_unix_s);
    assert_int_equal(out.root, 1);
    ca_trust_destroy(t);
    ca_certificate_destroy(leaf);
    ca_issuer_destroy(other);
    ca_issuer_destroy(i);
}

static void test_a_verdict_holds_until_the_first_of_the_chain_ends(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 2);
    struct ca_issuer *old = kit_issuer(&k), *new = kit_issuer(&k);
    struct ca_certificate *leaf = kit_leaf(&k, new, WEB), *cross;
    struct ca_terms terms = {.now_unix_s = NOW, .ttl_s = 3600};
    struct ca_verified out;
    assert_int_equal(ca_issuer_cross_sign(old, ca_issuer_certificate(new), &terms, &cross, NULL),
                     CA_OK);
    struct ca_trust *t = kit_trust(ca_issuer_certificate(old));
    struct mu_str der = ca_certificate_der(cross);
    struct ca_verify_request r = {.leaf = ca_certificate_der(leaf),
                                  .intermediates = &der,
                                  .intermediate_count = 1,
                                  .now_unix_s = NOW};
    assert_int_equal(ca_verify(t, &r, &out), CA_OK);
    assert_true(out.not_after_unix_s == NOW - 60 + 3600);
    r.now_unix_s = out.not_after_unix_s + 1;
    assert_int_equal(ca_verify(t, &r, &out), CA_EUNTRUSTED);
    assert_true(out.verdict == CA_V_EXPIRED && out.depth == 1);
    ca_trust_destroy(t);
    ca_certificate_destroy(cross);
    ca_certificate_destroy(leaf);
    ca_issuer_destroy(old);
    ca_issuer_destroy(new);
}

static void test_roots_are_limited(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 3);
    struct ca_trust_config cfg;
    struct ca_trust *t;
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *a = kit_root(&k, key, 0), *b = kit_root(&k, key, 0);
    ca_trust_config_init(&cfg);
    cfg.trust_domain = str(TD);
    cfg.roots_max = 1;
    assert_int_equal(ca_trust_create(&cfg, &t), CA_OK);
    assert_int_equal(ca_trust_add(t, a), CA_OK);
    assert_int_equal(ca_trust_add(t, b), CA_EREFUSED);
    assert_int_equal(ca_trust_add(t, a), CA_OK);
    ca_trust_destroy(t);
    cfg.roots_max = 0;
    assert_int_equal(ca_trust_create(&cfg, &t), CA_EINVAL);
    cfg.roots_max = 257;
    assert_int_equal(ca_trust_create(&cfg, &t), CA_EINVAL);
    ca_trust_config_init(&cfg);
    assert_int_equal(ca_trust_create(&cfg, &t), CA_EID);
    assert_null(t);
    ca_certificate_destroy(a);
    ca_certificate_destroy(b);
    ca_key_destroy(key);
}

/* Many roots of one name without key ids would each have to be tried: there is an end to that. */
static void test_the_work_of_one_verification_is_bounded(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 4);
    struct ca_terms terms = {.now_unix_s = NOW, .common_name = str("twin")};
    struct ca_trust *t = kit_trust(NULL);
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *root;
    struct ca_csr *csr = kit_csr(&k, WEB);
    struct ca_leaf_request request = {.uri = str(WEB), .terms = {.now_unix_s = NOW}};
    /* The leaf's issuer: the right name and key id, another key each time */
    assert_int_equal(ca_root_create(key, str(TD), &terms, &k.random, NULL, &root), CA_OK);
    struct ca_issuer_config cfg = kit_config(&k, key, root);
    struct ca_issuer *i;
    struct ca_certificate *leaf;
    assert_int_equal(ca_issuer_create(&cfg, &i, NULL), CA_OK);
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_OK);
    struct mu_str der = ca_certificate_der(root);
    uint8_t id[32];
    ca_key_id(ca_issuer_key(i), id);
    for (int n = 0; n < 40; n++) {
        char copy[4096];
        struct ca_key *fake = kit_key(&k);
        struct ca_certificate *twin, *posing;
        uint8_t fake_id[32];
        ca_key_id(fake, fake_id);
        assert_int_equal(ca_root_create(fake, str(TD), &terms, &k.random, NULL, &twin), CA_OK);
        der = ca_certificate_der(twin);
        memcpy(copy, der.p, der.len);
        for (size_t at = 0; at + 32 <= der.len; at++) {
            if (memcmp(copy + at, fake_id, 32) == 0) {
                memcpy(copy + at, id, 32);
            }
        }
        assert_int_equal(ca_certificate_parse((struct mu_str){copy, der.len}, NULL, &posing, NULL),
                         CA_OK);
        assert_int_equal(ca_trust_add(t, posing), CA_OK);
        ca_certificate_destroy(posing);
        ca_certificate_destroy(twin);
        ca_key_destroy(fake);
    }
    assert_int_equal(kit_verdict(t, leaf, NULL, NOW), CA_V_TOO_LONG);
    ca_certificate_destroy(leaf);
    ca_certificate_destroy(root);
    ca_csr_destroy(csr);
    ca_issuer_destroy(i);
    ca_trust_destroy(t);
}

/* ---- Hostile bytes ---- */

static enum ca_verdict judge(struct ca_trust *t, const void *der, size_t len)
{
    struct ca_verified out;
    void *exact = malloc(len ? len : 1); /* so that a sanitizer sees a read past the end */
    assert_non_null(exact);
    memcpy(exact, der, len);
    struct ca_verify_request r = {.leaf = {exact, len}, .now_unix_s = NOW};
    int rc = ca_verify(t, &r, &out);
    assert_true((rc == CA_OK) == (out.verdict == CA_V_TRUSTED));
    free(exact);
    return out.verdict;
}

static void test_no_byte_of_a_trusted_leaf_can_be_changed(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 5);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_certificate *leaf = kit_leaf(&k, i, WEB);
    struct ca_trust *t = kit_trust(ca_issuer_certificate(i));
    struct mu_str der = ca_certificate_der(leaf);
    unsigned char copy[4096];
    memcpy(copy, der.p, der.len);
    assert_int_equal(judge(t, copy, der.len), CA_V_TRUSTED);
    for (size_t at = 0; at < der.len; at++) {
        static const unsigned char flips[] = {0x01, 0x80, 0xff};
        for (size_t f = 0; f < sizeof flips; f++) {
            copy[at] ^= flips[f];
            assert_int_not_equal(judge(t, copy, der.len), CA_V_TRUSTED);
            copy[at] ^= flips[f];
        }
    }
    for (size_t len = 0; len < der.len; len++) {
        assert_int_equal(judge(t, copy, len), CA_V_MALFORMED);
    }
    ca_trust_destroy(t);
    ca_certificate_destroy(leaf);
    ca_issuer_destroy(i);
}

static void test_no_byte_of_an_intermediate_can_be_changed(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 6);
    struct ca_issuer *old = kit_issuer(&k), *new = kit_issuer(&k);
    struct ca_certificate *leaf = kit_leaf(&k, new, WEB), *cross;
    struct ca_terms terms = {.now_unix_s = NOW};
    assert_int_equal(ca_issuer_cross_sign(old, ca_issuer_certificate(new), &terms, &cross, NULL),
                     CA_OK);
    struct ca_trust *t = kit_trust(ca_issuer_certificate(old));
    struct mu_str der = ca_certificate_der(cross);
    char copy[4096];
    memcpy(copy, der.p, der.len);
    struct mu_str changed = {copy, der.len};
    struct ca_verify_request r = {.leaf = ca_certificate_der(leaf),
                                  .intermediates = &changed,
                                  .intermediate_count = 1,
                                  .now_unix_s = NOW};
    struct ca_verified out;
    assert_int_equal(ca_verify(t, &r, &out), CA_OK);
    for (size_t at = 0; at < der.len; at++) {
        copy[at] ^= 0x10;
        assert_int_equal(ca_verify(t, &r, &out), CA_EUNTRUSTED);
        copy[at] ^= 0x10;
    }
    ca_trust_destroy(t);
    ca_certificate_destroy(cross);
    ca_certificate_destroy(leaf);
    ca_issuer_destroy(old);
    ca_issuer_destroy(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_verified_is_told),
        cmocka_unit_test(test_a_verdict_holds_until_the_first_of_the_chain_ends),
        cmocka_unit_test(test_roots_are_limited),
        cmocka_unit_test(test_the_work_of_one_verification_is_bounded),
        cmocka_unit_test(test_no_byte_of_a_trusted_leaf_can_be_changed),
        cmocka_unit_test(test_no_byte_of_an_intermediate_can_be_changed),
    };
    return cmocka_run_group_tests_name("ca verify", tests, NULL, NULL);
}
