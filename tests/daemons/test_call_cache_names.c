/* Mirrors daemons/rpc/call_cache_parts.c and call_cache_fresh.c: names that strangers make up, and
 * stamps. Upstream is a script, time a number. */
#include "rpc/call_cache.h"
#include "rpc/endpoints.h"

#include "mu_test.h"

#include <event2/event.h>

#define HELD 4096

static uint64_t now_ns;

static uint64_t now(void)
{
    return now_ns;
}

/* What is behind the cache: services whose names begin with "real" have an instance. */
static struct upstream {
    struct call_backend backend; /* first */
    struct call *held[HELD];     /* queries that wait, or all */
    size_t nheld, asked, cancelled;
    uint64_t index, last_min_index;
    int64_t last_wait_ns;
    const char *error;
    bool holds, all_real;
} up;

static struct call_cache *cache;
static struct call_cache_port *port;
static struct event_base *base;
static struct call_fresh fresh;

static bool is_real(const struct call *c)
{
    const struct catalog_service_request *r = c->request;
    return up.all_real || (r->service_name.len > 4 && memcmp(r->service_name.p, "real", 4) == 0);
}

static void answer(struct call *c)
{
    static struct catalog_check_service_node instance;
    static void *one[] = {&instance};
    if (up.error) {
        call_fail(c, "%s", up.error);
        return;
    }
    struct catalog_indexed_check_service_nodes *reply =
        mu__arena_calloc(&c->arena, 1, sizeof *reply);
    reply->meta.index = up.index;
    reply->nodes = (struct mu_list){one, is_real(c) ? 1 : 0};
    c->reply = reply;
    call_finish(c);
}

static void up_start(struct call_backend *b, struct call *c)
{
    const struct catalog_query_options *o = endpoint_options(c->endpoint, c->request);
    (void)b;
    up.asked++;
    up.last_min_index = o->min_query_index;
    up.last_wait_ns = o->max_query_time_ns;
    if (up.holds || (!up.error && o->min_query_index >= up.index && o->min_query_index > 0)) {
        assert_true(up.nheld < HELD);
        up.held[up.nheld++] = c;
    } else {
        answer(c);
    }
}

static void up_cancel(struct call_backend *b, struct call *c)
{
    size_t i = 0;
    (void)b;
    while (up.held[i] != c) {
        i++;
        assert_true(i < up.nheld);
    }
    up.held[i] = up.held[--up.nheld];
    up.cancelled++;
    call_free(c);
}

static void release(void)
{
    struct call *held[HELD];
    size_t n = up.nheld;
    memcpy(held, up.held, sizeof held);
    up.nheld = 0;
    for (size_t i = 0; i < n; i++) {
        answer(held[i]);
    }
    call_cache_advance(cache);
}

static void pass(uint64_t ns)
{
    now_ns += ns;
    call_cache_advance(cache);
}

static int setup(void **state)
{
    struct call_cache_config cfg = {.from = &up.backend, .now_ns = now, .seed = 1};
    (void)state;
    up = (struct upstream){.backend = {up_start, up_cancel}, .index = 10};
    now_ns = 1000 * MU_SEC;
    base = event_base_new();
    cfg.base = base;
    cache = call_cache_create(&cfg);
    port = call_cache_port_create(cache, NULL, &up.backend);
    fresh = call_cache_fresh(cache);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    call_cache_close(cache);
    assert_int_equal(up.nheld, 0);
    assert_int_equal(call_cache_stats(cache).bytes, 0);
    call_cache_port_destroy(port);
    call_cache_destroy(cache);
    event_base_free(base);
    return 0;
}

/* ---- Clients ---- */

struct told {
    int times;
    bool failed, hit;
    size_t found;
    uint64_t stamp, age_ns;
    char error[80];
};

static void on_done(struct call *c, void *arg)
{
    struct told *t = arg;
    t->times++;
    t->failed = c->error != NULL;
    if (c->error) {
        snprintf(t->error, sizeof t->error, "%s", c->error);
        return;
    }
    t->found = ((const struct catalog_indexed_check_service_nodes *)c->reply)->nodes.len;
    t->hit = c->cached == CALL_HIT;
    t->stamp = c->stamp;
    t->age_ns = c->cached_age_ns;
}

static struct call *start(const char *name, bool made_up, struct told *t)
{
    struct call *c = call_create(&endpoints[ENDPOINT_HEALTH_SERVICE_NODES], 0, on_done, t);
    ((struct catalog_service_request *)c->request)->service_name = mu__cstr(name);
    c->may_cache = true;
    c->may_be_made_up = made_up;
    c->wants_stamp = true;
    *t = (struct told){.times = 0};
    call_start(call_cache_port_backend(port), c);
    return c;
}

static struct told ask(const char *name)
{
    struct told t;
    start(name, true, &t);
    assert_int_equal(t.times, 1);
    return t;
}

static uint64_t stamp_of(const char *name)
{
    struct catalog_service_request r = {.service_name = mu__cstr(name)};
    return fresh.stamp(fresh.user, &endpoints[ENDPOINT_HEALTH_SERVICE_NODES], &r, 0);
}

static uint64_t version(void)
{
    return fresh.version(fresh.user, MU_SEC);
}

/* ---- Names ---- */

static void test_what_is_found_is_watched_from_the_first_question_on(void **state)
{
    (void)state;
    assert_int_equal(ask("real-1").found, 1);
    call_cache_advance(cache);
    assert_int_equal(up.nheld, 1); /* waits upstream for news */
    size_t asked = up.asked;
    struct told t = ask("real-1");
    assert_true(t.hit && t.found == 1);
    assert_int_equal(up.asked, asked);
}

static void test_what_is_not_there_is_asked_for_once_and_not_watched(void **state)
{
    (void)state;
    assert_int_equal(ask("nope").found, 0);
    call_cache_advance(cache);
    assert_int_equal(up.asked, 1);
    assert_int_equal(up.nheld, 0);
    pass(11 * MU_SEC); /* it is forgotten */
    assert_int_equal(call_cache_stats(cache).entries, 0);
    ask("nope");
    call_cache_advance(cache);
    assert_int_equal(up.nheld, 0);
}

static void test_asked_for_again_it_is_watched_and_its_arrival_is_seen(void **state)
{
    (void)state;
    ask("nope");
    pass(MU_SEC);
    assert_int_equal(ask("nope").found, 0);
    call_cache_advance(cache);
    assert_int_equal(up.nheld, 1);
    size_t asked = up.asked;
    assert_true(ask("nope").hit);
    assert_int_equal(up.asked, asked);
    up.all_real = true;
    up.index++;
    release();
    struct told t = ask("nope");
    assert_true(t.hit && t.found == 1 && t.stamp);
    pass(120 * MU_SEC); /* and it stays as what is known does */
    assert_true(ask("nope").hit);
}

static void test_a_name_that_arrives_between_two_questions_is_found(void **state)
{
    (void)state;
    assert_int_equal(ask("nope").found, 0);
    up.all_real = true; /* no index says so: only what is asked anew is right */
    assert_int_equal(ask("nope").found, 1);
}

static void test_those_who_ask_meanwhile_share_the_question(void **state)
{
    (void)state;
    struct told t[3];
    up.holds = true;
    for (int i = 0; i < 3; i++) {
        start("nope", true, &t[i]);
    }
    assert_int_equal(up.asked, 1);
    up.holds = false;
    release();
    for (int i = 0; i < 3; i++) {
        assert_true(t[i].times == 1 && !t[i].failed && t[i].found == 0);
    }
}

static void test_a_flood_of_names_pushes_nothing_out_and_stays_small(void **state)
{
    (void)state;
    char name[32];
    ask("real-1");
    for (int i = 0; i < 50; i++) { /* of use to somebody, although it is not there */
        snprintf(name, sizeof name, "wanted-%d", i);
        ask(name);
        ask(name);
    }
    call_cache_advance(cache);
    size_t watched = up.nheld;
    assert_int_equal(watched, 51);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "random-%d", i);
        assert_int_equal(ask(name).found, 0);
    }
    struct call_cache_stats st = call_cache_stats(cache);
    assert_true(st.entries <= 51 + 1024);
    assert_true(st.bytes < 1u << 20);
    assert_int_equal(up.nheld, watched);
    assert_int_equal(up.cancelled, 0);
    assert_true(ask("real-1").hit && ask("wanted-7").hit);
}

static void test_a_flood_of_names_asked_for_twice_opens_few_watches(void **state)
{
    (void)state;
    char name[32];
    ask("real-1");
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "random-%d", i);
        ask(name);
        assert_int_equal(ask(name).found, 0);
        if (i % 100 == 0) {
            pass(10 * MU_MSEC);
        }
    }
    assert_true(up.cancelled + up.nheld <= 110);
    assert_true(ask("real-1").hit);
}

static void test_few_unknown_names_are_looked_up_at_a_time(void **state)
{
    (void)state;
    static struct told t[300];
    static struct call *calls[300];
    char name[32];
    ask("real-1");
    up.holds = true;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "random-%d", i);
        calls[i] = start(name, true, &t[i]);
    }
    int refused = 0;
    for (int i = 0; i < 300; i++) {
        refused += t[i].failed;
    }
    assert_int_equal(refused, 300 - 256);
    assert_true(ask("real-1").hit); /* what is known is answered */
    struct told trusted;
    start("http", false, &trusted); /* and who is trusted may ask */
    assert_int_equal(trusted.times, 0);
    for (int i = 0; i < 256; i++) { /* whoever gives up makes room */
        call_cancel(calls[i]);
    }
    assert_int_equal(call_cache_stats(cache).entries, 2);
    struct told last;
    start("random-900", true, &last);
    up.holds = false;
    release();
    assert_true(last.times == 1 && !last.failed && trusted.times == 1);
}

static void test_names_that_wait_do_not_stand_in_the_way_of_others(void **state)
{
    (void)state;
    static struct told slow[200];
    char name[32];
    up.holds = true; /* of a datacenter that does not answer, say */
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "slow-%d", i);
        start(name, true, &slow[i]);
    }
    up.holds = false;
    for (int i = 0; i < 3000; i++) { /* more than are remembered */
        snprintf(name, sizeof name, "random-%d", i);
        assert_false(ask(name).failed);
    }
    assert_true(call_cache_stats(cache).entries <= 1024);
    release();
    for (int i = 0; i < 200; i++) {
        assert_true(slow[i].times == 1 && !slow[i].failed);
    }
}

static void test_a_failed_lookup_is_a_failure_and_leaves_nothing(void **state)
{
    (void)state;
    up.error = "No known Consul servers";
    struct told t = ask("real-1");
    assert_true(t.failed);
    assert_string_equal(t.error, "No known Consul servers");
    assert_int_equal(call_cache_stats(cache).entries, 0);
    up.error = NULL;
    assert_int_equal(ask("real-1").found, 1);
}

static void test_who_is_trusted_has_any_name_watched(void **state)
{
    (void)state;
    struct told t;
    ask("nope");
    start("nope", false, &t);
    call_cache_advance(cache);
    assert_int_equal(up.nheld, 1);
    pass(120 * MU_SEC);
    start("nope", false, &t);
    assert_true(t.hit);
}

/* ---- Stamps ---- */

static void test_a_stamp_stands_until_the_answer_is_another_one(void **state)
{
    (void)state;
    struct told t = ask("real-1");
    uint64_t before = version();
    assert_true(t.stamp);
    assert_int_equal(stamp_of("real-1"), t.stamp);
    assert_int_equal(ask("real-1").stamp, t.stamp);
    ask("real-2"); /* moves the version, and not the stamp of others */
    assert_int_not_equal(version(), before);
    assert_int_equal(stamp_of("real-1"), t.stamp);
    call_cache_advance(cache);
    before = version();
    up.index++;
    release();
    assert_int_not_equal(version(), before);
    assert_int_not_equal(stamp_of("real-1"), t.stamp);
    assert_int_equal(stamp_of("real-1"), ask("real-1").stamp);
}

static void test_what_is_unknown_or_lost_has_no_stamp(void **state)
{
    (void)state;
    assert_int_equal(stamp_of("real-1"), 0);
    ask("nope");
    assert_int_equal(stamp_of("nope"), 0);
    ask("real-1");
    call_cache_advance(cache);
    uint64_t before = version(), stamp = stamp_of("real-1");
    up.error = "lost";
    release();
    assert_int_not_equal(version(), before);
    assert_int_equal(stamp_of("real-1"), 0);
    struct told t = ask("real-1");
    assert_true(t.hit && t.found == 1 && t.stamp == 0);
    up.error = NULL;
    pass(200 * MU_SEC);
    assert_true(stamp_of("real-1") && stamp_of("real-1") != stamp);
}

static void test_asking_for_a_stamp_keeps_the_answer_in_use(void **state)
{
    (void)state;
    ask("real-1");
    for (int i = 0; i < 40; i++) { /* an hour and a half */
        uint64_t before = version();
        pass(120 * MU_SEC);
        assert_int_not_equal(version(), before); /* or nobody would ask */
        assert_true(stamp_of("real-1"));
    }
    pass(901 * MU_SEC);
    assert_int_equal(stamp_of("real-1"), 0);
    assert_int_equal(up.nheld, 0);
}

/* ---- Servers that come back ---- */

static void test_one_question_finds_servers_again_for_all(void **state)
{
    (void)state;
    ask("real-1");
    ask("real-2");
    call_cache_advance(cache);
    up.error = "lost";
    release();
    for (int i = 0; i < 10; i++) {
        pass(60 * MU_SEC); /* by now it tries ever more rarely by itself */
    }
    assert_true(ask("real-1").hit);
    up.error = NULL;
    pass(210 * MU_MSEC);
    assert_true(ask("real-1").hit); /* brings the truth on its way */
    pass(110 * MU_MSEC);
    assert_true(stamp_of("real-1") && stamp_of("real-2"));
}

static void test_another_server_has_a_moment_to_learn_what_was_known(void **state)
{
    (void)state;
    ask("real-1");
    call_cache_advance(cache);
    up.error = "lost";
    release();
    up.error = NULL;
    up.index = 8; /* it lags */
    pass(200 * MU_SEC);
    assert_int_equal(up.nheld, 1);
    assert_int_equal(up.last_min_index, 9);
    assert_in_range(up.last_wait_ns, 1, 5 * MU_SEC);
    assert_int_equal(stamp_of("real-1"), 0);
    release(); /* its time is over: what it says counts */
    assert_true(stamp_of("real-1"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_is_found_is_watched_from_the_first_question_on),
        T(test_what_is_not_there_is_asked_for_once_and_not_watched),
        T(test_asked_for_again_it_is_watched_and_its_arrival_is_seen),
        T(test_a_name_that_arrives_between_two_questions_is_found),
        T(test_those_who_ask_meanwhile_share_the_question),
        T(test_a_flood_of_names_pushes_nothing_out_and_stays_small),
        T(test_a_flood_of_names_asked_for_twice_opens_few_watches),
        T(test_few_unknown_names_are_looked_up_at_a_time),
        T(test_names_that_wait_do_not_stand_in_the_way_of_others),
        T(test_a_failed_lookup_is_a_failure_and_leaves_nothing),
        T(test_who_is_trusted_has_any_name_watched),
        T(test_a_stamp_stands_until_the_answer_is_another_one),
        T(test_what_is_unknown_or_lost_has_no_stamp),
        T(test_asking_for_a_stamp_keeps_the_answer_in_use),
        T(test_one_question_finds_servers_again_for_all),
        T(test_another_server_has_a_moment_to_learn_what_was_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
