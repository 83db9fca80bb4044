/* Mirrors daemons/server/ca_settings.c and ca_plan.c: what a configuration says, and what comes of
 * a change of it. */
#include "mu_test.h"

#include "msgpack.h"
#include "server/ca_plan.h"

#include <muster/ca_verify.h>

#define CLUSTER "11111111-2222-3333-4444-555555555555"
#define NOW     INT64_C(1800000000)
#define LEAF    "spiffe://" CLUSTER ".consul/ns/default/dc/dc1/svc/web"

struct world {
    struct mu__arena arena;
    struct ca_present now;
    struct ca_plan plan, before; /* the latter is what stands */
    void *roots[8];
    char err[CA_SETTINGS_ERROR_MAX];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    mu__arena_init(&w->arena, NULL, 0);
    w->now.next_index = 7;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    mu__arena_fini(&w->arena);
    free(w);
    return 0;
}

/* A map of texts, keys and values in turn, up to NULL. */
static struct mu_str map(struct world *w, const char *const *texts)
{
    struct mu__writer out = mu__writer_growing(&mu__malloc_allocator);
    size_t n = 0;
    while (texts[n]) {
        n++;
    }
    mu__mp_write_map(&out, n / 2);
    for (size_t i = 0; i < n; i++) {
        mu__mp_write_cstr(&out, texts[i]);
    }
    struct mu_str s = {mu__arena_memdup(&w->arena, out.data, out.len), out.len};
    mu__writer_fini(&out);
    return s;
}
#define MAP(...) map(w, (const char *const[]){__VA_ARGS__, NULL})

static const char *plan(struct world *w, struct mu_str config)
{
    struct catalog_ca_config wanted = {
        .cluster_id = mu__cstr(CLUSTER), .provider = mu__cstr("consul"), .config = config};
    return ca_plan_make(&w->now, &wanted, NOW, &w->arena, &w->plan, w->err, sizeof w->err);
}

/* The catalog takes it. */
static void take(struct world *w)
{
    w->before = w->plan;
    w->before.state.private_key.p = w->before.key_pem;
    w->now.config = &w->before.config;
    if (w->plan.rotates) {
        size_t n = w->plan.request.roots.len;
        for (size_t i = 0; i < n; i++) {
            w->roots[i] = w->plan.request.roots.items[i];
        }
        w->roots[n - 1] = &w->before.root;
        w->now.roots = (struct mu_list){w->roots, n};
        w->now.active = &w->before.root;
        w->now.state = &w->before.state;
    }
    w->now.next_index++;
}

static void test_the_first_root_is_made_of_nothing(void **state)
{
    struct world *w = *state;
    assert_null(plan(w, MAP("LeafCertTTL", "72h")));
    assert_true(w->plan.rotates);
    assert_int_equal(w->plan.request.roots.len, 1);
    assert_true(w->plan.root.active);
    assert_int_equal(w->plan.root.serial_number, 7);
    assert_int_equal(w->plan.root.intermediate_certs.len, 0);
    assert_int_equal(w->plan.root.private_key_bits, 256);
    assert_true(mu__str_is(w->plan.root.external_trust_domain, CLUSTER));
    assert_int_equal(w->plan.root.id.len, 59);
    assert_int_equal(w->plan.root.signing_key_id.len, 95);
    ca_plan_wipe(&w->plan);
    for (size_t i = 0; i < sizeof w->plan.key_pem; i++) {
        assert_int_equal(w->plan.key_pem[i], 0);
    }
}

/* Leaf of the new root, verified by who knows only the old one. */
static void assert_crossed(const struct catalog_ca_provider_state *state, struct mu_str crossed,
                           struct mu_str old_root)
{
    char csr_pem[4096], err[256];
    struct ca_key *key;
    struct ca_csr *csr;
    struct ca_certificate *leaf, *old, *between;
    struct ca_trust *trust;
    struct ca_trust_config cfg;
    struct ca_verified who;
    size_t len;
    struct ca_csr_request ask = {.uri = mu__cstr(LEAF)};
    assert_int_equal(ca_key_create(CA_EC, 256, &ca_entropy, NULL, &key), 0);
    assert_int_equal(ca_csr_write(key, &ask, &ca_entropy, csr_pem, sizeof csr_pem, &len), 0);
    assert_int_equal(ca_csr_parse((struct mu_str){csr_pem, len}, NULL, &csr, NULL), 0);
    struct ca_issuer *issuer = ca_issuer_of(state, CLUSTER ".consul", NOW, err, sizeof err);
    assert_non_null(issuer);
    struct ca_leaf_request request = {.uri = mu__cstr(LEAF), .terms = {.now_unix_s = NOW}};
    assert_int_equal(ca_issuer_sign_leaf(issuer, csr, &request, &leaf, NULL), 0);
    assert_int_equal(ca_certificate_parse(crossed, NULL, &between, NULL), 0);
    assert_int_equal(ca_certificate_parse(old_root, NULL, &old, NULL), 0);
    ca_trust_config_init(&cfg);
    cfg.trust_domain = mu__cstr(CLUSTER ".consul");
    assert_int_equal(ca_trust_create(&cfg, &trust), 0);
    assert_int_equal(ca_trust_add(trust, old), 0);
    struct mu_str above[] = {ca_certificate_der(between)};
    struct ca_verify_request v = {.leaf = ca_certificate_der(leaf),
                                  .intermediates = above,
                                  .intermediate_count = 1,
                                  .now_unix_s = NOW,
                                  .purpose = CA_PURPOSE_CLIENT};
    assert_int_equal(ca_verify(trust, &v, &who), 0);
    v.intermediate_count = 0;
    assert_int_equal(ca_verify(trust, &v, &who), CA_EUNTRUSTED);
    ca_trust_destroy(trust);
    ca_certificate_destroy(old);
    ca_certificate_destroy(between);
    ca_certificate_destroy(leaf);
    ca_issuer_destroy(issuer);
    ca_csr_destroy(csr);
    ca_key_destroy(key);
}

static void test_a_root_is_signed_by_the_one_before(void **state)
{
    struct world *w = *state;
    assert_null(plan(w, MAP("LeafCertTTL", "72h")));
    take(w);
    assert_null(plan(w, MAP("PrivateKeyType", "ec", "PrivateKeyBits", "384")));
    assert_true(w->plan.rotates);
    assert_int_equal(w->plan.root.private_key_bits, 384);
    assert_int_equal(w->plan.request.roots.len, 2);
    const struct catalog_ca_root *old = w->plan.request.roots.items[0];
    assert_false(old->active);
    assert_int_equal(old->rotated_out_at.since_year1_s, ca_time(NOW).since_year1_s);
    assert_int_equal(w->plan.root.intermediate_certs.len, 1);
    assert_crossed(&w->plan.state, w->plan.root.intermediate_certs.items[0], old->root_cert);
    assert_null(plan(w, MAP("DisableCrossSigning", "true")));
    take(w);
    assert_non_null(plan(w, MAP("PrivateKeyBits", "384"))); /* by the provider before */
}

static void test_what_is_not_said_stays(void **state)
{
    struct world *w = *state;
    assert_null(plan(w, MAP("LeafCertTTL", "72h")));
    struct mu_str key = {mu__arena_strndup(&w->arena, w->plan.key_pem, sizeof w->plan.key_pem - 1),
                         strlen(w->plan.key_pem)};
    take(w);
    struct mu_str root = w->before.root.root_cert;
    assert_null(plan(w, MAP("LeafCertTTL", "73h")));
    assert_false(w->plan.rotates);
    assert_null(plan(w, MAP("PrivateKey", key.p)));
    assert_false(w->plan.rotates);                  /* it is that one */
    assert_int_equal(w->plan.config.config.len, 1); /* and is not kept: an empty map */
    assert_null(plan(w, MAP("RootCert", root.p)));
    assert_false(w->plan.rotates);
    assert_null(plan(w, MAP("privatekey", key.p, "RootCert", root.p, "x", "y")));
    assert_false(w->plan.rotates);
    assert_null(memmem(w->plan.config.config.p, w->plan.config.config.len, "PRIVATE", 7));
    assert_non_null(memmem(w->plan.config.config.p, w->plan.config.config.len, "x", 1));
}

static void test_hostile_maps_are_refused(void **state)
{
    struct world *w = *state;
    struct mu_str whole = MAP("LeafCertTTL", "72h", "Unknown", "value");
    for (size_t len = 1; len < whole.len; len++) {
        struct ca_settings s;
        char *cut = malloc(len);
        memcpy(cut, whole.p, len);
        assert_false(ca_settings_read((struct mu_str){cut, len}, &s, w->err, sizeof w->err));
        free(cut);
    }
    assert_non_null(plan(w, (struct mu_str){"\xdf\xff\xff\xff\xff", 5}));
    assert_non_null(plan(w, MAP("PrivateKey", "secret text")));
    assert_null(strstr(w->err, "secret")); /* no key is in an error */
    assert_non_null(plan(w, MAP("PrivateKey", "a", "RootCert", "b")));
    assert_non_null(plan(w, MAP("PrivateKeyBits", "224"))); /* the original's, but not libca's */
}

static void test_old_roots_stay_as_long_as_their_leafs(void **state)
{
    (void)state;
    const struct {
        bool active;
        int64_t rotated_out_s, now_s; /* 0: never */
        bool is_needed;
    } cases[] = {{true, 0, NOW, true},          {true, NOW, NOW + 1000, true}, /* came back */
                 {false, 0, NOW, true},         {false, NOW, NOW, true},
                 {false, NOW, NOW + 200, true}, {false, NOW, NOW + 201, false},
                 {false, NOW, NOW - 50, true}}; /* a clock that was set back */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct catalog_ca_root root = {.active = cases[i].active};
        if (cases[i].rotated_out_s) {
            root.rotated_out_at = ca_time(cases[i].rotated_out_s);
        }
        assert_int_equal(ca_root_is_needed(&root, 100, cases[i].now_s), cases[i].is_needed);
    }
}

static void test_an_old_root_is_warned_of_thrice(void **state)
{
    (void)state;
    struct catalog_ca_root root = {.not_before = ca_time(NOW), .not_after = ca_time(NOW + 1000)};
    const struct {
        int64_t at;
        unsigned percent;
    } cases[] = {{-1, 0},   {0, 0},    {499, 0},  {500, 50},  {749, 50},
                 {750, 75}, {899, 75}, {900, 90}, {1000, 90}, {5000, 90}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(ca_root_used_percent(&root, NOW + cases[i].at), cases[i].percent);
    }
    root.not_after = root.not_before; /* an operator's own may be anything */
    assert_int_equal(ca_root_used_percent(&root, NOW + 5), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_the_first_root_is_made_of_nothing),
        CASE(test_a_root_is_signed_by_the_one_before),
        CASE(test_what_is_not_said_stays),
        CASE(test_hostile_maps_are_refused),
        CASE(test_old_roots_stay_as_long_as_their_leafs),
        CASE(test_an_old_root_is_warned_of_thrice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
