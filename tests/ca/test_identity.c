/* Mirrors libca/node: identities at an agent of the test's own. Certificates' time is a number that
 * the test sets. */
#include "identity_kit.h"

static void test_both_ends_know_each_other(void **state)
{
    (void)state;
    struct world w;
    struct call call;
    world_start(&w, 1);
    assert_true(call_make(&call, w.api.identity, w.web.identity, "web", ""));
    assert_true(call_works(&call));
    assert_true(same_str(ca_connection_peer(call.client)->uri, str(WEB)));
    assert_true(same_str(ca_connection_peer(call.server)->id.name, str("api")));
    assert_true(ca_connection_authorize(call.server, NULL));
    assert_true(ca_connection_authorize(call.client, NULL));
    call_end(&call);
    world_end(&w);
}

static void test_session_is_resumed_and_knows_its_peer(void **state)
{
    (void)state;
    struct world w;
    struct call call;
    world_start(&w, 2);
    for (int n = 0; n < 3; n++) {
        assert_true(call_make(&call, w.api.identity, w.web.identity, "web", "there:1"));
        assert_int_equal(ca_connection_peer(call.client)->resumed, n > 0);
        assert_int_equal(ca_connection_peer(call.server)->resumed, n > 0);
        assert_true(same_str(ca_connection_peer(call.server)->id.name, str("api")));
        assert_true(call_works(&call));
        call_end(&call);
    }
    assert_true(call_make(&call, w.api.identity, w.web.identity, "web", "there:2"));
    assert_false(ca_connection_peer(call.client)->resumed);
    call_end(&call);
    world_end(&w);
}

static void test_resumed_session_ends_with_the_peers_certificate(void **state)
{
    (void)state;
    struct world w;
    struct call call;
    world_init(&w, 3);
    w.stub.leaf_ttl_s = 1000;
    party_start(&w, &w.web, "web");
    party_start(&w, &w.api, "api");
    UNTIL(&w, FRESH(&w.web) && FRESH(&w.api));
    assert_true(call_make(&call, w.api.identity, w.web.identity, "web", "s"));
    call_end(&call);
    w.stub.leaf_ttl_s = 100000;
    uint64_t web = generation(&w.web), api = generation(&w.api);
    stub_touch(&w.stub, STUB_LEAF);
    UNTIL(&w, generation(&w.web) > web && generation(&w.api) > api);
    atomic_store(&w.now, NOW + 2000);
    assert_true(call_make(&call, w.api.identity, w.web.identity, "web", "s"));
    assert_false(ca_connection_peer(call.server)->resumed);
    call_end(&call);
    world_end(&w);
}

static void test_another_service_than_expected_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct call call;
    world_start(&w, 4);
    assert_false(call_make(&call, w.api.identity, w.web.identity, "db", ""));
    assert_int_equal(call.client_rc, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
    assert_null(ca_connection_peer(call.client));
    assert_false(ca_connection_authorize(call.client, NULL));
    call_end(&call);
    assert_true(call_make(&call, w.api.identity, w.web.identity, "", ""));
    call_end(&call);
    world_end(&w);
}

static void test_certificate_of_another_world_is_refused(void **state)
{
    (void)state;
    struct world w, other;
    struct call call;
    world_start(&w, 5);
    world_start(&other, 6);
    assert_false(call_make(&call, other.api.identity, w.web.identity, "web", ""));
    assert_int_equal(call.client_rc, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
    assert_int_equal(ca_connection_verdict(call.client), CA_V_UNKNOWN_ISSUER);
    assert_null(ca_connection_peer(call.server));
    call_end(&call);
    world_end(&other);
    world_end(&w);
}

static void test_client_of_an_unknown_root_is_refused(void **state)
{
    (void)state;
    struct world w, other;
    struct call call;
    world_start(&w, 5);
    world_init(&other, 5); /* the same root, and a second one, which signs here */
    stub_add_root(&other.stub);
    other.stub.signer = 1;
    party_start(&other, &other.api, "api");
    UNTIL(&other, FRESH(&other.api));
    assert_false(call_make(&call, other.api.identity, w.web.identity, "web", ""));
    assert_int_equal(ca_connection_verdict(call.client), CA_V_TRUSTED);
    assert_int_equal(ca_connection_verdict(call.server), CA_V_UNKNOWN_ISSUER);
    assert_int_equal(call.server_rc, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
    assert_null(ca_connection_peer(call.server));
    call_end(&call);
    world_end(&other);
    world_end(&w);
}

static void test_leaf_rotates_under_a_live_connection(void **state)
{
    (void)state;
    struct world w;
    struct call old, new;
    world_start(&w, 7);
    assert_true(call_make(&old, w.api.identity, w.web.identity, "web", ""));
    for (uint64_t turn = 0; turn < 3; turn++) {
        uint64_t web = generation(&w.web), api = generation(&w.api);
        stub_touch(&w.stub, STUB_LEAF);
        UNTIL(&w, generation(&w.web) > web && generation(&w.api) > api);
        assert_true(call_works(&old));
    }
    assert_true(call_make(&new, w.api.identity, w.web.identity, "web", ""));
    const mbedtls_x509_crt *before = mbedtls_ssl_get_peer_cert(&old.client_ssl);
    const mbedtls_x509_crt *after = mbedtls_ssl_get_peer_cert(&new.client_ssl);
    assert_false(before->raw.len == after->raw.len &&
                 memcmp(before->raw.p, after->raw.p, after->raw.len) == 0);
    assert_true(call_works(&old));
    assert_true(call_works(&new));
    call_end(&old);
    call_end(&new);
    world_end(&w);
}

static void test_leaf_that_comes_before_its_root_waits_for_it(void **state)
{
    (void)state;
    struct world w;
    struct call call;
    world_start(&w, 8);
    stub_add_root(&w.stub);
    w.stub.count--; /* not given yet */
    w.stub.signer = 1;
    uint64_t web = generation(&w.web);
    stub_touch(&w.stub, STUB_LEAF);
    UNTIL(&w, w.web.state == CA_IDENTITY_STALE && w.api.state == CA_IDENTITY_STALE);
    assert_int_equal(generation(&w.web), web);
    assert_true(call_make(&call, w.api.identity, w.web.identity, "web", ""));
    w.stub.count++;
    stub_touch(&w.stub, STUB_ROOTS);
    UNTIL(&w, FRESH(&w.web) && FRESH(&w.api));
    assert_true(generation(&w.web) >= web + 2);
    assert_true(call_works(&call));
    call_end(&call);
    world_end(&w);
}

static void test_removed_root_is_told_to_those_whom_it_vouched_for(void **state)
{
    (void)state;
    struct world w;
    struct call old, new;
    world_start(&w, 9);
    assert_true(call_make(&old, w.api.identity, w.web.identity, "web", "s"));
    assert_true(ca_connection_watch(old.server, call_changed, &old));
    assert_true(ca_connection_watch(old.client, call_changed, &old));
    stub_add_root(&w.stub);
    w.stub.signer = 1;
    uint64_t web = generation(&w.web), api = generation(&w.api);
    stub_touch(&w.stub, STUB_ROOTS);
    UNTIL(&w, generation(&w.web) > web && generation(&w.api) > api);
    web = generation(&w.web), api = generation(&w.api);
    stub_touch(&w.stub, STUB_LEAF);
    UNTIL(&w, generation(&w.web) > web && generation(&w.api) > api);
    assert_int_equal(old.changes, 0);
    assert_true(call_works(&old));
    assert_true(call_make(&new, w.api.identity, w.web.identity, "web", "s"));
    assert_false(ca_connection_peer(new.server)->resumed); /* other roots */
    assert_true(ca_connection_watch(new.server, call_changed, &new));

    w.stub.first = 1;
    stub_touch(&w.stub, STUB_ROOTS);
    UNTIL(&w, old.changes == 2);
    assert_false(old.allowed);
    assert_false(ca_connection_authorize(old.server, NULL));
    assert_int_equal(new.changes, 0);
    assert_true(ca_connection_authorize(new.server, NULL));
    call_end(&old);
    call_end(&new);
    world_end(&w);
}

static void test_changed_intention_is_told_to_those_concerned(void **state)
{
    (void)state;
    struct world w;
    struct call api, web;
    world_start(&w, 10);
    assert_true(call_make(&api, w.api.identity, w.web.identity, "web", ""));
    assert_true(call_make(&web, w.web.identity, w.web.identity, "web", ""));
    assert_true(ca_connection_watch(api.server, call_changed, &api));
    assert_true(ca_connection_watch(web.server, call_changed, &web));
    w.stub.intentions = "[" STUB_INTENTION("api", "web", "deny") "]";
    stub_touch(&w.stub, STUB_LIST);
    UNTIL(&w, api.changes == 1);
    assert_false(api.allowed);
    struct ca_authorization why;
    assert_false(ca_connection_authorize(api.server, &why));
    assert_true(why.matched);
    assert_int_equal(why.precedence, 9);
    w.stub.intentions =
        "[" STUB_INTENTION("*", "web", "deny") "," STUB_INTENTION("api", "web", "allow") "]";
    stub_touch(&w.stub, STUB_LIST);
    UNTIL(&w, api.changes == 2 && web.changes == 1);
    assert_true(api.allowed);
    assert_false(web.allowed);
    call_end(&api);
    call_end(&web);
    world_end(&w);
}

static void end_both(void *user, struct ca_connection *c, bool allowed)
{
    struct call *calls = user;
    (void)c;
    assert_false(allowed);
    calls[0].changes++;
    call_end(&calls[0]);
    call_end(&calls[1]);
}

static void test_callback_may_destroy_any_connection(void **state)
{
    (void)state;
    struct world w;
    static struct call calls[2];
    world_start(&w, 11);
    for (size_t n = 0; n < 2; n++) {
        assert_true(call_make(&calls[n], w.api.identity, w.web.identity, "web", ""));
        assert_true(ca_connection_watch(calls[n].server, end_both, calls));
    }
    w.stub.intentions = "[" STUB_INTENTION("*", "web", "deny") "]";
    stub_touch(&w.stub, STUB_LIST);
    UNTIL(&w, calls[0].changes > 0);
    struct ca_identity_info info;
    ca_identity_info(w.web.identity, &info);
    assert_int_equal(info.connections, 0);
    assert_int_equal(calls[0].changes, 1);
    world_end(&w);
}

static bool api_may(struct world *w)
{
    struct ca_id id;
    char text[128];
    assert_int_equal(ca_id_parse(str("spiffe://" TD "/ns/default/dc/dc1/svc/api"), text, &id),
                     CA_OK);
    return ca_identity_authorize(w->web.identity, &id, NULL);
}

static void test_default_is_what_the_agent_says(void **state)
{
    (void)state;
    static const struct {
        const char *self;
        int status;
        bool allowed;
    } cases[] = {
        {STUB_ALLOW, 0, true},
        {STUB_DENY, 0, false},
        {"{\"DebugConfig\":{\"ACLsEnabled\":true,\"ACLDefaultPolicy\":\"allow\"}}", 0, true},
        {"{\"DebugConfig\":{\"ACLsEnabled\":false,\"ACLDefaultPolicy\":\"deny\"}}", 0, true},
        {"Permission denied", 403, false},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct world w;
        world_init(&w, 20 + n);
        w.stub.self = cases[n].self;
        w.stub.status[STUB_SELF] = cases[n].status;
        party_start(&w, &w.web, "web");
        assert_false(api_may(&w)); /* nothing is known */
        UNTIL(&w, FRESH(&w.web));
        assert_int_equal(api_may(&w), cases[n].allowed);
        world_end(&w);
    }
}

static void test_configured_default_asks_nobody(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 30);
    struct ca_identity_config cfg = party_config(&w, &w.web, "web");
    cfg.default_action = CA_IDENTITY_DEFAULT_DENY;
    assert_int_equal(ca_identity_create(&cfg, &w.web.identity, NULL), CA_OK);
    UNTIL(&w, FRESH(&w.web));
    assert_false(api_may(&w));
    assert_int_equal(w.stub.asked[STUB_SELF], 0);
    world_end(&w);
}

static void test_agent_away_is_said_and_survived(void **state)
{
    (void)state;
    struct world w;
    struct call call;
    world_start(&w, 31);
    uint16_t port = (uint16_t)atoi(strchr(w.stub.address, ':') + 1);
    stub_vanish(&w.stub);
    UNTIL(&w, w.web.state == CA_IDENTITY_STALE && w.api.state == CA_IDENTITY_STALE);
    assert_true(w.web.why[0] != '\0');
    assert_true(call_make(&call, w.api.identity, w.web.identity, "web", ""));
    assert_true(call_works(&call));
    stub_listen(&w.stub, port);
    UNTIL(&w, FRESH(&w.web) && FRESH(&w.api));
    assert_string_equal(w.web.why, "");
    assert_true(call_works(&call));
    call_end(&call);
    world_end(&w);
}

static void test_expired_leaf_is_said_and_makes_no_connection(void **state)
{
    (void)state;
    struct world w;
    struct call call, old;
    int rc;
    world_start(&w, 32);
    assert_true(call_make(&old, w.api.identity, w.web.identity, "web", ""));
    atomic_store(&w.now, NOW + CA_TTL_LEAF_S + 10);
    UNTIL(&w, w.web.state == CA_IDENTITY_EXPIRED && w.api.state == CA_IDENTITY_EXPIRED);
    assert_false(call_begin(&call, w.api.identity, w.web.identity, "web", "", &rc));
    assert_int_equal(rc, CA_IDENTITY_EEXPIRED);
    call_end(&call);
    assert_true(call_works(&old));
    w.stub.now = atomic_load(&w.now);
    stub_touch(&w.stub, STUB_LEAF);
    UNTIL(&w, FRESH(&w.web) && FRESH(&w.api));
    assert_true(call_make(&call, w.api.identity, w.web.identity, "web", ""));
    call_end(&call);
    call_end(&old);
    world_end(&w);
}

/* Each makes a whole world that never becomes fresh, until the agent answers well again. */
static void refuses(enum stub_kind kind, const char *rubbish, int status)
{
    struct world w;
    struct ca_identity_info info;
    mbedtls_ssl_context ssl;
    struct ca_connection *c;
    world_init(&w, 40);
    w.stub.rubbish[kind] = rubbish;
    w.stub.status[kind] = status;
    party_start(&w, &w.web, "web");
    do {
        assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
        ca_identity_info(w.web.identity, &info);
        assert_int_equal(info.state, CA_IDENTITY_STARTING);
    } while (info.failures < 3);
    mbedtls_ssl_init(&ssl);
    assert_int_equal(ca_identity_accept(w.web.identity, &ssl, &c), CA_IDENTITY_ENOTREADY);
    mbedtls_ssl_free(&ssl);
    w.stub.rubbish[kind] = NULL;
    w.stub.status[kind] = 0;
    UNTIL(&w, FRESH(&w.web));
    world_end(&w);
}

static void test_hostile_answers_change_nothing(void **state)
{
    (void)state;
    static const struct {
        enum stub_kind kind;
        const char *text;
    } cases[] = {
        {STUB_LEAF, ""},
        {STUB_LEAF, "{}"},
        {STUB_LEAF, "[]"},
        {STUB_LEAF, "{\"PrivateKeyPEM\":\"x"},
        {STUB_LEAF, "{\"PrivateKeyPEM\":\"x\\"},
        {STUB_LEAF, "{\"PrivateKeyPEM\":\"x\\u0041\"}"},
        {STUB_LEAF, "{\"PrivateKeyPEM\":7}"},
        {STUB_LEAF, "{\"PrivateKeyPEM\""},
        {STUB_LEAF, "{\"PrivateKeyPEM\":\"a\",\"PrivateKeyPEM\":\"b\"}"},
        {STUB_LEAF, "{\"PrivateKeyPEM\":\"a\",\"CertPEM\":\"b\",\"Service\":\"web\"}"},
        {STUB_LEAF, "{\"PrivateKeyPEM\":\"a\",\"CertPEM\":\"b\",\"Service\":\"db\"}"},
        {STUB_ROOTS, "{}"},
        {STUB_ROOTS, "{\"TrustDomain\":\"" TD "\",\"Roots\":[]}"},
        {STUB_ROOTS, "{\"TrustDomain\":\"" TD "\",\"Roots\":null}"},
        {STUB_ROOTS, "{\"TrustDomain\":\"" TD "\",\"Roots\":[7]}"},
        {STUB_ROOTS, "{\"TrustDomain\":\"" TD "\",\"Roots\":[{\"RootCert\":\"x\"}]}"},
        {STUB_ROOTS, "{\"TrustDomain\":\"\",\"Roots\":[{\"RootCert\":\"x\"}]}"},
        {STUB_ROOTS, "{\"TrustDomain\":\"Upper.Case/x\",\"Roots\":[{\"RootCert\":\"x\"}]}"},
        {STUB_MATCH, "null"},
        {STUB_MATCH, "{\"db\":null}"},
        {STUB_MATCH, "{\"web\":7}"},
        {STUB_MATCH, "{\"web\":[7]}"},
        {STUB_MATCH, "{\"web\":[{}]}"},
        {STUB_MATCH, "{\"web\":[" STUB_INTENTION("api", "web", "maybe") "]}"},
        {STUB_MATCH, "{\"web\":[" STUB_INTENTION("a*b", "web", "deny") "]}"},
        {STUB_SELF, "{}"},
        {STUB_SELF, "{\"DebugConfig\":{\"ACLsEnabled\":true}}"},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        refuses(cases[n].kind, cases[n].text, 0);
    }
    refuses(STUB_LEAF, NULL, 403);
    refuses(STUB_ROOTS, NULL, 500);
    refuses(STUB_LIST, NULL, 404);
}

/* Well-formed, and still not ours. */
static void test_leaf_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    static char text[STUB_TEXT_MAX], other[STUB_TEXT_MAX];
    struct stub s = {.now = NOW};
    kit_init(&s.kit, 77);
    struct ca_issuer *stranger = kit_issuer(&s.kit);
    stub_make_leaf(&s, "web", stranger, text);
    refuses(STUB_LEAF, text, 0);
    /* The certificate of one, and the key of another. */
    stub_make_leaf(&s, "web", stranger, other);
    char *key = strstr(text, "\"PrivateKeyPEM\"");
    strcpy(key, strstr(other, "\"PrivateKeyPEM\""));
    refuses(STUB_LEAF, text, 0);
    ca_issuer_destroy(stranger);
}

static void test_endless_answer_is_cut_off(void **state)
{
    (void)state;
    static char big[20000];
    memset(big, ' ', sizeof big - 1);
    struct world w;
    struct ca_identity_info info;
    world_init(&w, 50);
    w.stub.rubbish[STUB_ROOTS] = big;
    struct ca_identity_config cfg = party_config(&w, &w.web, "web");
    cfg.reply_bytes_max = 8192;
    assert_int_equal(ca_identity_create(&cfg, &w.web.identity, NULL), CA_OK);
    do {
        assert_int_equal(event_base_loop(w.base, EVLOOP_ONCE), 0);
        ca_identity_info(w.web.identity, &info);
    } while (info.failures == 0);
    UNTIL(&w, strstr(w.web.why, "too long") != NULL);
    world_end(&w);
}

static void test_config_is_checked(void **state)
{
    (void)state;
    static const char *const agents[] = {"",           "nowhere", "127.0.0.1",    "127.0.0.1:0",
                                         "localhost:", "unix://", "1.2.3.4:99999"};
    struct ca_identity_config cfg;
    struct ca_identity *i;
    struct ca_diag why;
    for (size_t n = 0; n < sizeof agents / sizeof *agents; n++) {
        ca_identity_config_init(&cfg);
        cfg.service = "web";
        cfg.agent = agents[n];
        assert_int_equal(ca_identity_create(&cfg, &i, &why), CA_EINVAL);
        assert_memory_equal(why.text, "agent:", 6);
    }
    ca_identity_config_init(&cfg);
    assert_int_equal(ca_identity_create(&cfg, &i, &why), CA_EINVAL);
    assert_memory_equal(why.text, "service:", 8);
    cfg.service = "web";
    cfg.token = "a\r\nHost: b";
    assert_int_equal(ca_identity_create(&cfg, &i, &why), CA_EINVAL);
    assert_memory_equal(why.text, "token:", 6);
}

static void test_every_error_has_a_text_and_a_class(void **state)
{
    (void)state;
    for (int code = CA_IDENTITY_ETIMEOUT; code <= CA_IDENTITY_ENOTREADY; code++) {
        assert_string_not_equal(ca_identity_strerror(code), ca_strerror(-1));
        assert_int_not_equal(ca_identity_err_class(code), MU_CLASS_FATAL);
    }
    assert_string_equal(ca_identity_strerror(CA_ENOMEM), ca_strerror(CA_ENOMEM));
    assert_string_equal(ca_identity_state_name(CA_IDENTITY_EXPIRED), "expired");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ends_know_each_other),
        cmocka_unit_test(test_session_is_resumed_and_knows_its_peer),
        cmocka_unit_test(test_resumed_session_ends_with_the_peers_certificate),
        cmocka_unit_test(test_another_service_than_expected_is_refused),
        cmocka_unit_test(test_certificate_of_another_world_is_refused),
        cmocka_unit_test(test_client_of_an_unknown_root_is_refused),
        cmocka_unit_test(test_leaf_rotates_under_a_live_connection),
        cmocka_unit_test(test_leaf_that_comes_before_its_root_waits_for_it),
        cmocka_unit_test(test_removed_root_is_told_to_those_whom_it_vouched_for),
        cmocka_unit_test(test_changed_intention_is_told_to_those_concerned),
        cmocka_unit_test(test_callback_may_destroy_any_connection),
        cmocka_unit_test(test_default_is_what_the_agent_says),
        cmocka_unit_test(test_configured_default_asks_nobody),
        cmocka_unit_test(test_agent_away_is_said_and_survived),
        cmocka_unit_test(test_expired_leaf_is_said_and_makes_no_connection),
        cmocka_unit_test(test_hostile_answers_change_nothing),
        cmocka_unit_test(test_leaf_that_is_not_ours_is_refused),
        cmocka_unit_test(test_endless_answer_is_cut_off),
        cmocka_unit_test(test_config_is_checked),
        cmocka_unit_test(test_every_error_has_a_text_and_a_class),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
