/* Mirrors src/issuer.c, src/root.c and src/sign.c. */
#include "ca_kit.h"

#include "data/requests.h"

static bool contains(struct mu_str s, const char *what)
{
    size_t n = strlen(what);
    for (size_t i = 0; i + n <= s.len; i++) {
        if (memcmp(s.p + i, what, n) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Leafs ---- */

static void test_a_leaf_says_what_was_authorized(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 1);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_certificate *leaf = kit_leaf(&k, i, WEB);
    const struct ca_certificate_info *info = ca_certificate_info(leaf),
                                     *own = ca_certificate_info(ca_issuer_certificate(i));
    assert_true(same_str(info->uri, str(WEB)));
    assert_true(info->not_before_unix_s == NOW - 60);
    assert_true(info->not_after_unix_s == NOW - 60 + 72 * 3600);
    assert_true(same_str(info->issuer, own->subject));
    assert_true(same_str(info->authority_key_id, own->subject_key_id));
    assert_false(info->is_ca);
    assert_true(contains(info->subject, "web.svc.default.11111111.consul"));
    struct ca_trust *t = kit_trust(ca_issuer_certificate(i));
    assert_int_equal(kit_verdict(t, leaf, NULL, NOW), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(t, leaf, NULL, info->not_after_unix_s), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(t, leaf, NULL, info->not_after_unix_s + 1), CA_V_EXPIRED);
    assert_int_equal(kit_verdict(t, leaf, NULL, info->not_before_unix_s - 1), CA_V_NOT_YET_VALID);
    ca_trust_destroy(t);
    ca_certificate_destroy(leaf);
    ca_issuer_destroy(i);
}

static void test_nothing_but_the_key_is_taken_from_a_csr(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 2);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_csr *csr;
    struct ca_certificate *leaf;
    struct ca_leaf_request request = {.uri = str(WEB), .terms = {.now_unix_s = NOW}};
    assert_int_equal(ca_csr_parse(str(CSR_CA), NULL, &csr, NULL), CA_OK);
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_OK);
    assert_false(ca_certificate_info(leaf)->is_ca);
    assert_false(contains(ca_certificate_der(leaf), "Example"));
    assert_false(contains(ca_certificate_der(leaf), "admin.example.com"));
    ca_certificate_destroy(leaf);

    /* Further names are there if the host says so */
    struct ca_name granted = {CA_NAME_DNS, str("admin.example.com")};
    request.names = &granted;
    request.name_count = 1;
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_OK);
    assert_true(contains(ca_certificate_der(leaf), "admin.example.com"));
    ca_certificate_destroy(leaf);
    ca_csr_destroy(csr);
    ca_issuer_destroy(i);
}

static void test_another_id_than_authorized_is_refused(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 3);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_csr *csr = kit_csr(&k, WEB);
    struct ca_certificate *leaf;
    struct ca_diag why;
    static const struct {
        const char *uri;
        int rc;
    } cases[] = {
        {DB, CA_EREFUSED},
        {"spiffe://" TD, CA_EID},
        {"spiffe://other.consul/ns/default/dc/dc1/svc/web", CA_EID},
        {"https://example.com", CA_EID},
        {"", CA_EID},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct ca_leaf_request request = {.uri = str(cases[n].uri), .terms = {.now_unix_s = NOW}};
        assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, &why), cases[n].rc);
        assert_null(leaf);
        assert_true(strlen(why.text) > 10);
    }
    ca_csr_destroy(csr);
    ca_issuer_destroy(i);
}

static void test_terms_are_kept(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 4);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_csr *csr = kit_csr(&k, WEB);
    struct ca_certificate *leaf;
    struct ca_leaf_request request = {.uri = str(WEB),
                                      .terms = {.now_unix_s = NOW,
                                                .ttl_s = 3600,
                                                .backdate_s = UINT32_MAX,
                                                .serial = 0x80ff,
                                                .common_name = str("caf\xc3\xa9")}};
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_OK);
    const struct ca_certificate_info *info = ca_certificate_info(leaf);
    assert_true(same_str(info->serial, (struct mu_str){"\x80\xff", 2}));
    assert_true(info->not_before_unix_s == NOW && info->not_after_unix_s == NOW + 3600);
    assert_true(contains(info->subject, "\x0c\x05"
                                        "caf\xc3\xa9")); /* a UTF8String */
    ca_certificate_destroy(leaf);

    request.terms.common_name =
        str("a name that is longer than the sixty-four bytes which RFC 5280 has for it");
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_EINVAL);
    request.terms.common_name = str("");
    request.terms.now_unix_s = -1;
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_EINVAL);
    ca_csr_destroy(csr);
    ca_issuer_destroy(i);
}

static void test_random_serials_are_long_and_differ(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 5);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_certificate *a = kit_leaf(&k, i, WEB), *b = kit_leaf(&k, i, WEB);
    assert_int_equal(ca_certificate_info(a)->serial.len, 16);
    assert_false(same_str(ca_certificate_info(a)->serial, ca_certificate_info(b)->serial));
    ca_certificate_destroy(a);
    ca_certificate_destroy(b);
    ca_issuer_destroy(i);
}

static void test_a_leaf_does_not_outlive_its_issuer(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 6);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_csr *csr = kit_csr(&k, WEB);
    struct ca_certificate *leaf;
    int64_t end = ca_certificate_info(ca_issuer_certificate(i))->not_after_unix_s;
    struct ca_leaf_request request = {.uri = str(WEB), .terms = {.now_unix_s = end - 3600}};
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_OK);
    assert_true(ca_certificate_info(leaf)->not_after_unix_s == end);
    ca_certificate_destroy(leaf);
    request.terms.now_unix_s = end + 1;
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_EVALIDITY);
    ca_csr_destroy(csr);
    ca_issuer_destroy(i);
}

static void test_keys_of_all_kinds_sign(void **state)
{
    (void)state;
    static const struct {
        enum ca_key_algorithm algorithm;
        unsigned bits;
    } kinds[] = {{CA_EC, 256}, {CA_EC, 384}, {CA_RSA, 2048}};
    struct kit k;
    kit_init(&k, 7);
    for (size_t n = 0; n < 3; n++) {
        struct ca_key *key = kit_key_of(&k, kinds[n].algorithm, kinds[n].bits);
        struct ca_issuer *i = kit_issuer_of(&k, key, 0);
        struct ca_certificate *leaf = kit_leaf(&k, i, WEB);
        struct ca_trust *t = kit_trust(ca_issuer_certificate(i));
        assert_int_equal(ca_certificate_info(ca_issuer_certificate(i))->key_bits, kinds[n].bits);
        assert_int_equal(kit_verdict(t, leaf, NULL, NOW), CA_V_TRUSTED);
        ca_trust_destroy(t);
        ca_certificate_destroy(leaf);
        ca_issuer_destroy(i);
    }
}

/* ---- What an issuer must be ---- */

static void test_a_key_of_another_certificate_is_refused_and_kept(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 8);
    struct ca_key *key = kit_key(&k), *other = kit_key(&k);
    struct ca_certificate *root = kit_root(&k, key, 0);
    struct ca_issuer_config cfg = kit_config(&k, other, root);
    struct ca_issuer *i;
    struct ca_diag why;
    assert_int_equal(ca_issuer_create(&cfg, &i, &why), CA_EKEY);
    assert_null(i);
    ca_certificate_destroy(root);
    ca_key_destroy(other); /* still ours */
    ca_key_destroy(key);
}

static void test_what_is_no_ca_or_not_valid_is_refused(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 9);
    struct ca_issuer *i = kit_issuer(&k), *none;
    struct ca_key *key = kit_key(&k);
    struct ca_csr *csr = kit_csr_of(&k, key, WEB);
    struct ca_certificate *leaf;
    const struct ca_certificate *root = ca_issuer_certificate(i);
    struct ca_leaf_request request = {.uri = str(WEB), .terms = {.now_unix_s = NOW}};
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_OK);
    struct ca_issuer_config cfg = kit_config(&k, key, leaf);
    cfg.chain = &root;
    cfg.chain_length = 1;
    assert_int_equal(ca_issuer_create(&cfg, &none, NULL), CA_EREFUSED);

    struct ca_certificate *own = kit_root(&k, key, 0);
    cfg = kit_config(&k, key, own);
    cfg.now_unix_s = NOW + INT64_C(11) * 365 * 86400;
    assert_int_equal(ca_issuer_create(&cfg, &none, NULL), CA_EVALIDITY);
    cfg.now_unix_s = NOW - 3600;
    assert_int_equal(ca_issuer_create(&cfg, &none, NULL), CA_EVALIDITY);
    cfg = kit_config(&k, key, own);
    cfg.trust_domain = str("Upper");
    assert_int_equal(ca_issuer_create(&cfg, &none, NULL), CA_EID);
    cfg = kit_config(&k, key, own);
    cfg.random.fill = NULL;
    assert_int_equal(ca_issuer_create(&cfg, &none, NULL), CA_EINVAL);
    cfg = kit_config(&k, NULL, own);
    assert_int_equal(ca_issuer_create(&cfg, &none, NULL), CA_EINVAL);
    ca_certificate_destroy(own);
    ca_certificate_destroy(leaf);
    ca_csr_destroy(csr);
    ca_key_destroy(key);
    ca_issuer_destroy(i);
}

static struct ca_certificate *intermediate(struct kit *k, struct ca_issuer *i,
                                           const struct ca_key *key, int path_length, int want)
{
    struct ca_certificate *out;
    struct ca_csr *csr = kit_csr_of(k, key, "spiffe://" TD);
    struct ca_terms terms = {.now_unix_s = NOW, .path_length = path_length};
    assert_int_equal(ca_issuer_sign_intermediate(i, csr, &terms, &out, NULL), want);
    ca_csr_destroy(csr);
    return out;
}

static void test_an_intermediate_signs_under_its_root(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 10);
    struct ca_issuer *root = kit_issuer(&k), *middle, *none;
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *c = intermediate(&k, root, key, 0, CA_OK);
    const struct ca_certificate *chain = ca_issuer_certificate(root);
    struct ca_issuer_config cfg = kit_config(&k, key, c);
    struct ca_diag why;
    assert_int_equal(ca_issuer_create(&cfg, &none, &why), CA_EREFUSED);
    assert_string_equal(why.text, "the chain does not end in a root");
    cfg.chain = &chain;
    cfg.chain_length = 1;
    assert_int_equal(ca_issuer_create(&cfg, &middle, NULL), CA_OK);

    struct ca_certificate *leaf = kit_leaf(&k, middle, WEB);
    struct ca_trust *t = kit_trust(chain);
    assert_int_equal(kit_verdict(t, leaf, c, NOW), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(t, leaf, NULL, NOW), CA_V_UNKNOWN_ISSUER);

    struct ca_key *below = kit_key(&k);
    assert_null(intermediate(&k, middle, below, 0, CA_EREFUSED)); /* path length 0 */
    ca_key_destroy(below);
    ca_trust_destroy(t);
    ca_certificate_destroy(leaf);
    ca_certificate_destroy(c);
    ca_issuer_destroy(middle);
    ca_issuer_destroy(root);
}

static void test_path_lengths_leave_room(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 11);
    struct ca_issuer *i = kit_issuer_of(&k, kit_key(&k), 2);
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *c = intermediate(&k, i, key, 1, CA_OK);
    assert_int_equal(ca_certificate_info(c)->path_length, 1);
    ca_certificate_destroy(c);
    assert_null(intermediate(&k, i, key, 2, CA_EREFUSED));
    assert_null(intermediate(&k, i, key, CA_PATH_UNLIMITED, CA_EREFUSED));
    assert_null(intermediate(&k, i, key, 9, CA_EINVAL));
    assert_null(intermediate(&k, i, key, -2, CA_EINVAL));
    ca_key_destroy(key);
    ca_issuer_destroy(i);
}

static void test_an_intermediate_of_a_service_is_refused(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 12);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_csr *csr = kit_csr(&k, WEB);
    struct ca_terms terms = {.now_unix_s = NOW};
    struct ca_certificate *c;
    assert_int_equal(ca_issuer_sign_intermediate(i, csr, &terms, &c, NULL), CA_EREFUSED);
    ca_csr_destroy(csr);
    ca_issuer_destroy(i);
}

/* A chain whose links do not hold: an intermediate under another root of the same name and key id
 * is caught by its signature, one under another name before. */
static void test_a_chain_that_does_not_hold_is_refused(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 13);
    struct ca_issuer *root = kit_issuer(&k), *other = kit_issuer(&k), *none;
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *c = intermediate(&k, root, key, 0, CA_OK), *broken;
    const struct ca_certificate *chain = ca_issuer_certificate(other);
    struct ca_issuer_config cfg = kit_config(&k, key, c);
    cfg.chain = &chain;
    cfg.chain_length = 1;
    assert_int_equal(ca_issuer_create(&cfg, &none, NULL), CA_EREFUSED);

    struct mu_str der = ca_certificate_der(c);
    char copy[4096];
    memcpy(copy, der.p, der.len);
    copy[der.len - 1] ^= 1;
    assert_int_equal(ca_certificate_parse((struct mu_str){copy, der.len}, NULL, &broken, NULL),
                     CA_OK);
    chain = ca_issuer_certificate(root);
    cfg.certificate = broken;
    assert_int_equal(ca_issuer_create(&cfg, &none, NULL), CA_ESIGNATURE);
    ca_certificate_destroy(broken);
    ca_certificate_destroy(c);
    ca_key_destroy(key);
    ca_issuer_destroy(other);
    ca_issuer_destroy(root);
}

/* ---- Rotation ---- */

static void test_rotation_breaks_nobody(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 14);
    struct ca_issuer *old = kit_issuer(&k), *new = kit_issuer(&k);
    struct ca_certificate *cross, *before = kit_leaf(&k, old, WEB), *after = kit_leaf(&k, new, WEB);
    struct ca_terms terms = {.now_unix_s = NOW};
    assert_int_equal(ca_issuer_cross_sign(old, ca_issuer_certificate(new), &terms, &cross, NULL),
                     CA_OK);
    const struct ca_certificate_info *info = ca_certificate_info(cross),
                                     *root = ca_certificate_info(ca_issuer_certificate(new));
    assert_true(same_str(info->subject, root->subject));
    assert_true(same_str(info->subject_key_id, root->subject_key_id));
    assert_true(info->not_after_unix_s - info->not_before_unix_s == 7 * 86400);

    struct ca_trust *knows_old = kit_trust(ca_issuer_certificate(old)),
                    *knows_new = kit_trust(ca_issuer_certificate(new)),
                    *knows_both = kit_trust(ca_issuer_certificate(old));
    assert_int_equal(ca_trust_add(knows_both, ca_issuer_certificate(new)), CA_OK);
    assert_int_equal(kit_verdict(knows_old, after, cross, NOW), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(knows_new, after, cross, NOW), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(knows_new, after, NULL, NOW), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(knows_both, after, cross, NOW), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(knows_both, before, NULL, NOW), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(knows_old, after, NULL, NOW), CA_V_UNKNOWN_ISSUER);
    assert_int_equal(kit_verdict(knows_new, before, cross, NOW), CA_V_UNKNOWN_ISSUER);
    ca_trust_destroy(knows_old);
    ca_trust_destroy(knows_new);
    ca_trust_destroy(knows_both);
    ca_certificate_destroy(cross);
    ca_certificate_destroy(before);
    ca_certificate_destroy(after);
    ca_issuer_destroy(old);
    ca_issuer_destroy(new);
}

static void test_only_roots_of_our_trust_domain_are_cross_signed(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 15);
    struct ca_issuer *i = kit_issuer(&k), *narrow = kit_issuer_of(&k, kit_key(&k), 0);
    struct ca_key *key = kit_key(&k);
    struct ca_certificate *leaf = kit_leaf(&k, i, WEB), *foreign, *ours, *broken, *cross;
    struct ca_terms terms = {.now_unix_s = NOW};
    assert_int_equal(ca_root_create(key, str("other.consul"), &terms, &k.random, NULL, &foreign),
                     CA_OK);
    ours = kit_root(&k, key, 0);
    struct mu_str der = ca_certificate_der(ours);
    char copy[4096];
    memcpy(copy, der.p, der.len);
    copy[der.len - 1] ^= 1;
    assert_int_equal(ca_certificate_parse((struct mu_str){copy, der.len}, NULL, &broken, NULL),
                     CA_OK);
    assert_int_equal(ca_issuer_cross_sign(i, leaf, &terms, &cross, NULL), CA_EREFUSED);
    assert_int_equal(ca_issuer_cross_sign(i, foreign, &terms, &cross, NULL), CA_EREFUSED);
    assert_int_equal(ca_issuer_cross_sign(i, ca_issuer_certificate(i), &terms, &cross, NULL),
                     CA_EREFUSED);
    assert_int_equal(ca_issuer_cross_sign(narrow, ours, &terms, &cross, NULL), CA_EREFUSED);
    assert_int_equal(ca_issuer_cross_sign(i, broken, &terms, &cross, NULL), CA_ESIGNATURE);
    assert_null(cross);
    ca_certificate_destroy(broken);
    ca_certificate_destroy(ours);
    ca_certificate_destroy(foreign);
    ca_certificate_destroy(leaf);
    ca_key_destroy(key);
    ca_issuer_destroy(narrow);
    ca_issuer_destroy(i);
}

static void test_a_random_source_that_fails_signs_nothing(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 16);
    struct ca_issuer *i = kit_issuer(&k);
    struct ca_csr *csr = kit_csr(&k, WEB);
    struct ca_certificate *leaf = NULL;
    struct ca_leaf_request request = {.uri = str(WEB), .terms = {.now_unix_s = NOW}};
    int rc = CA_ERANDOM;
    for (size_t calls = 0; rc == CA_ERANDOM; calls++) {
        assert_true(calls < 10);
        k.dice.left = calls;
        rc = ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL);
        assert_true((rc == CA_OK) == (leaf != NULL));
    }
    assert_int_equal(rc, CA_OK);
    ca_certificate_destroy(leaf);
    ca_csr_destroy(csr);
    ca_issuer_destroy(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leaf_says_what_was_authorized),
        cmocka_unit_test(test_nothing_but_the_key_is_taken_from_a_csr),
        cmocka_unit_test(test_another_id_than_authorized_is_refused),
        cmocka_unit_test(test_terms_are_kept),
        cmocka_unit_test(test_random_serials_are_long_and_differ),
        cmocka_unit_test(test_a_leaf_does_not_outlive_its_issuer),
        cmocka_unit_test(test_keys_of_all_kinds_sign),
        cmocka_unit_test(test_a_key_of_another_certificate_is_refused_and_kept),
        cmocka_unit_test(test_what_is_no_ca_or_not_valid_is_refused),
        cmocka_unit_test(test_an_intermediate_signs_under_its_root),
        cmocka_unit_test(test_path_lengths_leave_room),
        cmocka_unit_test(test_an_intermediate_of_a_service_is_refused),
        cmocka_unit_test(test_a_chain_that_does_not_hold_is_refused),
        cmocka_unit_test(test_rotation_breaks_nobody),
        cmocka_unit_test(test_only_roots_of_our_trust_domain_are_cross_signed),
        cmocka_unit_test(test_a_random_source_that_fails_signs_nothing),
    };
    return cmocka_run_group_tests_name("ca issuer", tests, NULL, NULL);
}
