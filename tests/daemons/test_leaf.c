/* Mirrors daemons/agent/leaf*.c: leafs of services against servers that this test plays, with two
 * roots of its own. Core and front are one loop here, which the test turns until what it waits for
 * is true; the clock is the test's. */
#include "mu_test.h"

#include "agent/leaf_internal.h"
#include "base/log_tap.h"
#include "rpc/endpoints.h"

#include <muster/ca_verify.h>
#include <sys/random.h>

#define DOMAIN  "11111111-2222-3333-4444-555555555555.consul"
#define BEGIN_S 1800000000
#define LIFE_S  (72 * 3600)

#define ROOT_LIFE_S ((int64_t)10 * LIFE_S)

struct authority {
    struct ca_issuer *issuer;
    char id[60], key_id[100];
};

struct world {
    struct call_backend backend; /* first */
    struct loop *loop;
    struct leaves *leaves;
    struct authority all[2];
    unsigned listed, active, signer; /* listed: a bit for each; signer: may be ahead of active */
    uint64_t index;
    struct call *held; /* waits for other roots */
    unsigned signs, changes;
    const char *refusal, *roots_refusal;
};

static uint64_t now_ns;
static int64_t unix_s;

static uint64_t clock_ns(void)
{
    return now_ns;
}

static int64_t clock_unix_ns(void)
{
    return unix_s * (int64_t)MU_SEC;
}

static int fill(void *user, unsigned char *out, size_t len)
{
    (void)user;
    return getrandom(out, len, 0) == (ssize_t)len ? 0 : -1;
}
static const struct ca_random random_source = {fill, NULL};

/* ---- The servers ---- */

static void hex(struct mu_str bytes, char *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        sprintf(out + 3 * i, "%02x%s", (unsigned char)bytes.p[i], i + 1 < bytes.len ? ":" : "");
    }
}

static void found(struct authority *a)
{
    struct ca_terms terms = {.now_unix_s = BEGIN_S, .path_length = CA_PATH_UNLIMITED};
    struct ca_certificate *root;
    struct ca_key *key;
    assert_int_equal(ca_key_create(CA_EC, 256, &random_source, NULL, &key), CA_OK);
    assert_int_equal(ca_root_create(key, mu__cstr(DOMAIN), &terms, &random_source, NULL, &root),
                     CA_OK);
    struct ca_issuer_config c;
    ca_issuer_config_init(&c);
    c.trust_domain = mu__cstr(DOMAIN);
    c.key = key;
    c.certificate = root;
    c.now_unix_s = BEGIN_S;
    c.random = random_source;
    assert_int_equal(ca_issuer_create(&c, &a->issuer, NULL), CA_OK);
    const struct ca_certificate_info *info = ca_certificate_info(root);
    hex((struct mu_str){(const char *)info->sha1, 20}, a->id);
    hex(info->subject_key_id, a->key_id);
    ca_certificate_destroy(root);
}

static void answer_roots(struct world *w, struct call *c)
{
    struct catalog_indexed_ca_roots *r = mu__arena_calloc(&c->arena, 1, sizeof *r);
    struct catalog_ca_root *roots = mu__arena_calloc(&c->arena, 2, sizeof *roots);
    r->roots.items = mu__arena_calloc(&c->arena, 2, sizeof *r->roots.items);
    for (unsigned i = 0; i < 2; i++) {
        roots[i].id = mu__cstr(w->all[i].id);
        roots[i].signing_key_id = mu__cstr(w->all[i].key_id);
        roots[i].active = i == w->active;
        roots[i].not_before.since_year1_s = BEGIN_S + MU_YEAR1_TO_UNIX_S;
        roots[i].not_after.since_year1_s = BEGIN_S + ROOT_LIFE_S + MU_YEAR1_TO_UNIX_S;
        if (w->listed & 1u << i) {
            r->roots.items[r->roots.len++] = &roots[i];
        }
    }
    r->trust_domain = mu__cstr(DOMAIN);
    r->active_root_id = roots[w->active].id;
    r->meta.index = w->index;
    c->reply = r;
    call_finish(c);
}

static void answer_sign(struct world *w, struct call *c)
{
    const struct catalog_ca_sign_request *q = c->request;
    struct catalog_issued_cert *r = mu__arena_calloc(&c->arena, 1, sizeof *r);
    struct ca_issuer *issuer = w->all[w->signer].issuer;
    struct ca_csr *csr;
    struct ca_certificate *leaf;
    w->signs++;
    assert_int_equal(ca_csr_parse(q->csr, NULL, &csr, NULL), CA_OK);
    struct ca_leaf_request leaf_request = {.uri = ca_csr_uri(csr),
                                           .terms = {.now_unix_s = unix_s, .ttl_s = LIFE_S}};
    assert_int_equal(ca_issuer_sign_leaf(issuer, csr, &leaf_request, &leaf, NULL), CA_OK);
    struct mu_str pem = ca_certificate_pem(leaf);
    r->cert_pem = (struct mu_str){mu__arena_memdup(&c->arena, pem.p, pem.len), pem.len};
    r->modify_index = 10 + w->signs;
    ca_certificate_destroy(leaf);
    ca_csr_destroy(csr);
    c->reply = r;
    call_finish(c);
}

static void start(struct call_backend *b, struct call *c)
{
    struct world *w = (struct world *)b;
    if (c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_SIGN]) {
        if (w->refusal) {
            w->signs++;
            call_fail(c, "%s", w->refusal);
        } else {
            answer_sign(w, c);
        }
        return;
    }
    const struct catalog_dc_request *q = c->request;
    assert_true(c->may_cache);
    if (w->roots_refusal) {
        call_fail(c, "%s", w->roots_refusal);
    } else if (q->options.min_query_index < w->index) {
        answer_roots(w, c);
    } else {
        assert_null(w->held); /* one question at a time */
        w->held = c;
    }
}

static void cancel(struct call_backend *b, struct call *c)
{
    (void)b;
    call_free(c);
}

/* ---- The test's hands ---- */

static void on_changed(void *arg)
{
    ((struct world *)arg)->changes++;
}

static int setup_of(void **state, size_t max)
{
    struct world *w = calloc(1, sizeof *w);
    now_ns = MU_SEC;
    unix_s = BEGIN_S;
    *w = (struct world){.backend = {start, cancel}, .listed = 1, .index = 5};
    found(&w->all[0]);
    found(&w->all[1]);
    w->loop = loop_create("test");
    w->leaves = leaves_create(&(struct leaves_config){.datacenter = mu__cstr("dc1"),
                                                      .core = w->loop,
                                                      .front = w->loop,
                                                      .backend = &w->backend,
                                                      .seed = 1,
                                                      .max = max,
                                                      .changed = on_changed,
                                                      .arg = w,
                                                      .now_ns = clock_ns,
                                                      .now_unix_ns = clock_unix_ns});
    assert_non_null(w->leaves);
    *state = w;
    return 0;
}

static int setup(void **state)
{
    return setup_of(state, 0);
}

static int setup_small(void **state)
{
    return setup_of(state, 4);
}

static int teardown(void **state)
{
    struct world *w = *state;
    leaves_destroy(w->leaves);
    if (w->held) {
        call_fail(w->held, "the end");
    }
    loop_destroy(w->loop);
    ca_issuer_destroy(w->all[0].issuer);
    ca_issuer_destroy(w->all[1].issuer);
    free(w);
    return 0;
}

static void turn(struct world *w)
{
    event_base_loop(loop_base(w->loop), EVLOOP_NONBLOCK);
    leaf__run(w->leaves);
    event_base_loop(loop_base(w->loop), EVLOOP_NONBLOCK);
}

/* Until nothing is being made. */
static void settle(struct world *w)
{
    turn(w);
    while (leaves_stats(w->leaves).under_way > 0) {
        event_base_loop(loop_base(w->loop), EVLOOP_ONCE);
        turn(w);
    }
    turn(w);
}

static void pass(struct world *w, int64_t s)
{
    now_ns += (uint64_t)s * MU_SEC;
    unix_s += s;
    settle(w);
}

static void set_roots(struct world *w, unsigned listed, unsigned active)
{
    struct call *held = w->held;
    w->listed = listed;
    w->active = w->signer = active;
    w->index++;
    assert_non_null(held);
    w->held = NULL;
    answer_roots(w, held);
    while (!w->held) { /* heard, and asked for what comes next */
        event_base_loop(loop_base(w->loop), EVLOOP_ONCE);
    }
}

static struct leaf_view ask(struct world *w, const char *name)
{
    struct leaf_view v;
    leaves_ask(w->leaves, mu__cstr(name), mu__cstr(""), &v);
    return v;
}

static struct leaf_view look(struct world *w, const char *name, uint64_t attempts)
{
    struct leaf_view v;
    leaves_look(w->leaves, mu__cstr(name), attempts, &v);
    return v;
}

/* Signed by that root, for the key beside it. */
static void assert_sound(struct world *w, const struct catalog_issued_cert *cert, unsigned root)
{
    struct ca_trust_config tc;
    struct ca_trust *trust;
    struct ca_certificate *leaf;
    struct ca_verified v;
    struct ca_key *key;
    uint8_t id[32];
    ca_trust_config_init(&tc);
    tc.trust_domain = mu__cstr(DOMAIN);
    assert_int_equal(ca_trust_create(&tc, &trust), CA_OK);
    assert_int_equal(ca_trust_add(trust, ca_issuer_certificate(w->all[root].issuer)), CA_OK);
    assert_int_equal(ca_certificate_parse(cert->cert_pem, NULL, &leaf, NULL), CA_OK);
    struct ca_verify_request q = {.leaf = ca_certificate_der(leaf), .now_unix_s = unix_s};
    assert_int_equal(ca_verify(trust, &q, &v), CA_OK);
    assert_int_equal(ca_key_import(cert->private_key_pem, &random_source, NULL, &key), CA_OK);
    ca_key_id(key, id);
    assert_memory_equal(id, ca_certificate_info(leaf)->subject_key_id.p, sizeof id);
    ca_key_destroy(key);
    ca_certificate_destroy(leaf);
    ca_trust_destroy(trust);
}

/* ---- What is claimed ---- */

static void test_one_leaf_is_made_for_all_who_ask(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 5; i++) {
        assert_null(ask(w, "web").cert);
    }
    settle(w);
    assert_sound(w, ask(w, "web").cert, 0);
    assert_int_equal(w->signs, 1);
    assert_true(w->changes > 0);
    assert_null(ask(w, "db").cert);
    settle(w);
    assert_int_equal(w->signs, 2);
}

static void test_it_is_replaced_in_the_later_part_of_its_life(void **state)
{
    struct world *w = *state;
    ask(w, "web");
    settle(w);
    uint64_t first = ask(w, "web").cert->modify_index;
    for (int64_t passed = 0; passed < LIFE_S * 59 / 100; passed += 3600) {
        pass(w, 3600 - (passed == 0 ? 3000 : 0));
        ask(w, "web");
        assert_int_equal(w->signs, 1);
    }
    for (int i = 0; i < 24; i++) {
        pass(w, 3600);
        ask(w, "web");
    }
    assert_int_equal(w->signs, 2);
    assert_true(look(w, "web", 0).cert->modify_index > first);
}

static void test_another_active_root_replaces_it_within_half_a_minute(void **state)
{
    struct world *w = *state;
    char name[8];
    unsigned soon = 0;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "s%d", i);
        ask(w, name);
    }
    settle(w);
    assert_int_equal(w->signs, 20);
    set_roots(w, 3, 1);
    settle(w);
    soon = w->signs - 20;
    assert_true(soon < 10); /* not all at once */
    assert_non_null(ask(w, "s7").cert);
    for (int i = 0; i < 30; i++) {
        pass(w, 1);
    }
    assert_int_equal(w->signs, 40); /* each once */
    assert_sound(w, ask(w, "s7").cert, 1);
}

static void test_none_of_a_removed_root_is_given_out(void **state)
{
    struct world *w = *state;
    ask(w, "web");
    settle(w);
    assert_non_null(ask(w, "web").cert);
    set_roots(w, 2, 1);
    assert_null(look(w, "web", 0).cert);
    assert_null(ask(w, "web").cert);
    settle(w);
    assert_sound(w, ask(w, "web").cert, 1);
    assert_int_equal(w->signs, 2);
}

static void test_a_root_that_was_not_heard_of_yet_is_no_removed_one(void **state)
{
    struct world *w = *state;
    w->signer = 1; /* the servers have rotated, and this agent is about to hear it */
    ask(w, "web");
    settle(w);
    assert_sound(w, ask(w, "web").cert, 1);
    set_roots(w, 3, 1);
    pass(w, 31);
    assert_non_null(ask(w, "web").cert);
    assert_int_equal(w->signs, 1);
}

static void test_none_that_has_expired_is_given_out(void **state)
{
    struct world *w = *state;
    ask(w, "web");
    settle(w);
    w->refusal = "rpc error making call: No cluster leader";
    for (int i = 0; i < 4; i++) {
        pass(w, (LIFE_S - 100) / 4);
        assert_non_null(ask(w, "web").cert); /* the servers are away: what there is will do */
    }
    pass(w, 100);
    struct leaf_view v = ask(w, "web");
    assert_null(v.cert);
    settle(w);
    assert_string_equal(look(w, "web", v.attempts).error, w->refusal);
    w->refusal = NULL;
    ask(w, "web");
    settle(w);
    assert_sound(w, ask(w, "web").cert, 0);
}

static void test_whoever_asks_hears_why_there_is_none(void **state)
{
    struct world *w = *state;
    static const char off[] = "Connect must be enabled in order to use this endpoint";
    w->roots_refusal = off;
    uint64_t attempts = ask(w, "web").attempts;
    settle(w);
    assert_string_equal(look(w, "web", attempts).error, off);
    w->roots_refusal = NULL;
    struct leaf_view v = ask(w, "web");
    assert_null(v.error);
    settle(w);
    assert_non_null(ask(w, "web").cert);
    attempts = ask(w, "").attempts;
    settle(w);
    assert_string_equal(look(w, "", attempts).error, "URI must be either service or agent");
    attempts = ask(w, "a/b").attempts;
    settle(w);
    assert_string_equal(look(w, "a/b", attempts).error,
                        "rpc error making call: SPIFFE ID is not in the expected format: "
                        "spiffe://" DOMAIN "/ns/default/dc/dc1/svc/a/b");
}

static void test_servers_that_sign_enough_are_left_alone(void **state)
{
    struct world *w = *state;
    leaves_pin_begin(w->leaves);
    leaves_pin(w->leaves, mu__cstr("web"), mu__cstr(""));
    leaves_pin_end(w->leaves);
    w->refusal = "rpc error making call: rate limit reached, try again later";
    settle(w);
    assert_int_equal(w->signs, 1);
    for (int i = 0; i < 240; i++) {
        pass(w, 1);
    }
    assert_in_range(w->signs, 2, 30);
    w->refusal = NULL;
    pass(w, 121);
    assert_non_null(look(w, "web", 0).cert);
}

static void test_they_are_bounded_and_those_of_services_stay(void **state)
{
    struct world *w = *state;
    char name[8];
    leaves_pin_begin(w->leaves);
    leaves_pin(w->leaves, mu__cstr("mine"), mu__cstr(""));
    leaves_pin_end(w->leaves);
    settle(w);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "s%d", i);
        pass(w, 1);
        ask(w, name);
        settle(w);
        assert_true(leaves_stats(w->leaves).leafs <= 4);
    }
    assert_non_null(look(w, "mine", 0).cert);
    assert_non_null(look(w, "s19", 0).cert);
    assert_null(look(w, "s0", 0).cert);
}

static void test_what_nobody_asks_for_goes(void **state)
{
    struct world *w = *state;
    leaves_pin_begin(w->leaves);
    leaves_pin(w->leaves, mu__cstr("mine"), mu__cstr(""));
    leaves_pin_end(w->leaves);
    ask(w, "other");
    ask(w, "a/b");
    settle(w);
    pass(w, 11);
    assert_int_equal(leaves_stats(w->leaves).leafs, 2); /* what cannot be is not kept */
    for (int i = 0; i < 26; i++) {
        pass(w, 3600);
    }
    assert_int_equal(leaves_stats(w->leaves).leafs, 1);
    leaves_pin_begin(w->leaves);
    leaves_pin_end(w->leaves);
    for (int i = 0; i < 26; i++) {
        pass(w, 3600);
    }
    assert_int_equal(leaves_stats(w->leaves).leafs, 0);
}

static void test_roots_are_watched_while_there_are_leafs(void **state)
{
    struct world *w = *state;
    ask(w, "web");
    settle(w);
    assert_non_null(w->held);
    for (int i = 0; i < 26; i++) {
        pass(w, 3600);
    }
    assert_int_equal(leaves_stats(w->leaves).leafs, 0);
    struct call *held = w->held;
    w->held = NULL;
    answer_roots(w, held); /* its time is over */
    settle(w);
    settle(w);
    assert_null(w->held);
    w->listed = 2;
    w->active = w->signer = 1;
    w->index++;
    ask(w, "web");
    settle(w);
    while (!w->held) {
        event_base_loop(loop_base(w->loop), EVLOOP_ONCE);
    }
    set_roots(w, 1, 0);
    ask(w, "web");
    settle(w);
    assert_sound(w, ask(w, "web").cert, 0);
}

static void test_who_waits_in_a_queue_is_not_forgotten(void **state)
{
    struct world *w = *state;
    char name[8];
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "s%d", i);
        ask(w, name);
    }
    turn(w);
    pass(w, 60);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_non_null(look(w, name, 0).cert);
    }
}

/* How many lines of the log since the last time hold all three. */
static unsigned said(struct log_tap *tap, const char *a, const char *b, const char *c)
{
    size_t len;
    unsigned n = 0;
    char *text = log_tap_take(tap, &len), *rest = NULL;
    char *copy = text ? strndup(text, len) : NULL;
    for (char *line = copy ? strtok_r(copy, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        n += strstr(line, a) && strstr(line, b) && strstr(line, c);
    }
    free(copy);
    free(text);
    return n;
}

static void on_line(void *arg)
{
    (void)arg;
}

static void pass_to(struct world *w, int64_t begin_s, unsigned percent)
{
    while (unix_s < begin_s + LIFE_S * (int64_t)percent / 100) {
        ask(w, "web");
        pass(w, 300);
    }
}

static void test_a_leaf_that_grows_old_is_spoken_of_three_times(void **state)
{
    struct world *w = *state;
    struct log_tap *tap = log_tap_create(MU_WARN, false, on_line, NULL);
    static const unsigned marks[] = {50, 75, 90};
    ask(w, "web");
    settle(w);
    int64_t begin_s = unix_s;
    set_roots(w, 3, 1); /* it is to be replaced, and cannot be */
    w->refusal = "rpc error making call: No cluster leader";
    pass_to(w, begin_s, 48);
    assert_int_equal(said(tap, "service web", "of its life", w->refusal), 0);
    for (size_t i = 0; i < 3; i++) {
        char mark[8];
        snprintf(mark, sizeof mark, " %u%% ", marks[i]);
        pass_to(w, begin_s, marks[i] + 4);
        assert_int_equal(said(tap, "certificate of service web", mark, w->refusal), 1);
    }
    w->refusal = NULL;
    pass(w, 300);
    assert_sound(w, ask(w, "web").cert, 1);
    pass_to(w, unix_s, 55);
    assert_int_equal(said(tap, "service web", "of its life", ""), 0);
    log_tap_destroy(tap);
}

static void test_no_word_of_leafs_that_are_renewed(void **state)
{
    struct world *w = *state;
    struct log_tap *tap = log_tap_create(MU_WARN, false, on_line, NULL);
    for (int i = 0; i < 144; i++) {
        ask(w, "web");
        pass(w, 3600);
    }
    assert_true(w->signs > 1);
    assert_int_equal(said(tap, "service web", "", ""), 0);
    log_tap_destroy(tap);
}

static void test_so_is_the_root_of_all(void **state)
{
    struct world *w = *state;
    struct log_tap *tap = log_tap_create(MU_WARN, false, on_line, NULL);
    static const unsigned used[] = {49, 52, 60, 77, 92, 97}, lines[] = {0, 1, 0, 1, 1, 0};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
        while (unix_s < BEGIN_S + ROOT_LIFE_S * (int64_t)used[i] / 100) {
            ask(w, "web");
            pass(w, 3600);
        }
        assert_int_equal(said(tap, "root", "of its life", w->all[0].id), lines[i]);
    }
    set_roots(w, 3, 1);
    settle(w);
    assert_int_equal(said(tap, "root", " 90% of its life", w->all[1].id), 1);
    log_tap_destroy(tap);
}

static void test_the_end_comes_while_some_are_made(void **state)
{
    struct world *w = *state;
    ask(w, "web");
    ask(w, "db");
    turn(w);
    turn(w);
}

int main(void)
{
#define CASE(name, begin) cmocka_unit_test_setup_teardown(name, begin, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_one_leaf_is_made_for_all_who_ask, setup),
        CASE(test_it_is_replaced_in_the_later_part_of_its_life, setup),
        CASE(test_another_active_root_replaces_it_within_half_a_minute, setup),
        CASE(test_none_of_a_removed_root_is_given_out, setup),
        CASE(test_a_root_that_was_not_heard_of_yet_is_no_removed_one, setup),
        CASE(test_none_that_has_expired_is_given_out, setup),
        CASE(test_whoever_asks_hears_why_there_is_none, setup),
        CASE(test_servers_that_sign_enough_are_left_alone, setup),
        CASE(test_they_are_bounded_and_those_of_services_stay, setup_small),
        CASE(test_what_nobody_asks_for_goes, setup),
        CASE(test_roots_are_watched_while_there_are_leafs, setup),
        CASE(test_who_waits_in_a_queue_is_not_forgotten, setup),
        CASE(test_a_leaf_that_grows_old_is_spoken_of_three_times, setup),
        CASE(test_no_word_of_leafs_that_are_renewed, setup),
        CASE(test_so_is_the_root_of_all, setup),
        CASE(test_the_end_comes_while_some_are_made, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
