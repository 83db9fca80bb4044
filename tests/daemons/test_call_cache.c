/* Mirrors daemons/rpc/call_cache.c, call_cache_fetch.c and call_cache_ask.c. Upstream is a script,
 * time a number. */
#include "base/loop.h"
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

/* What is behind the cache: the catalog is one number, its index; queries that wait are held. */
struct upstream {
    struct call_backend backend; /* first */
    struct call *held[HELD];
    size_t nheld, asked, cancelled;
    uint64_t index, last_min_index;
    size_t big;        /* bytes of a datacenter's name */
    const char *error; /* answer this */
    bool hold;         /* everything, also what does not wait */
};

static struct upstream up;
static struct call_cache *cache;
static struct call_cache_port *port;
static struct event_base *base;

static void answer(struct upstream *u, struct call *c)
{
    if (u->error) {
        call_fail(c, "%s", u->error);
        return;
    }
    if (c->endpoint == &endpoints[ENDPOINT_CATALOG_LIST_DATACENTERS]) {
        struct mu_str *name = mu__arena_calloc(&c->arena, 1, sizeof *name);
        struct mu_strs *reply = mu__arena_calloc(&c->arena, 1, sizeof *reply);
        *name = (struct mu_str){mu__arena_calloc(&c->arena, 1, u->big + 1), u->big};
        *reply = (struct mu_strs){name, 1};
        c->reply = reply;
    } else {
        void *reply = mu__arena_calloc(&c->arena, 1, c->endpoint->reply->size);
        endpoint_meta(c->endpoint, reply)->index = u->index;
        c->reply = reply;
    }
    call_finish(c);
}

static void up_start(struct call_backend *b, struct call *c)
{
    struct upstream *u = (struct upstream *)b;
    const struct catalog_query_options *o = endpoint_options(c->endpoint, c->request);
    u->asked++;
    u->last_min_index = o->min_query_index;
    if (u->hold || (!u->error && o->min_query_index >= u->index && o->min_query_index > 0)) {
        assert_true(u->nheld < HELD);
        u->held[u->nheld++] = c;
    } else {
        answer(u, c);
    }
}

static void up_cancel(struct call_backend *b, struct call *c)
{
    struct upstream *u = (struct upstream *)b;
    size_t i = 0;
    while (u->held[i] != c) {
        i++;
        assert_true(i < u->nheld);
    }
    u->held[i] = u->held[--u->nheld];
    u->cancelled++;
    call_free(c);
}

static void release(void)
{
    struct call *held[HELD];
    size_t n = up.nheld;
    memcpy(held, up.held, sizeof held);
    up.nheld = 0;
    for (size_t i = 0; i < n; i++) {
        answer(&up, held[i]);
    }
    call_cache_advance(cache);
}

static void change(void)
{
    up.index++;
    release();
}

static void pass(uint64_t ns)
{
    now_ns += ns;
    call_cache_advance(cache);
}

static void make(struct call_cache_config cfg)
{
    cfg.base = base;
    cfg.from = &up.backend;
    cfg.now_ns = now;
    cache = call_cache_create(&cfg);
    assert_non_null(cache);
    port = call_cache_port_create(cache, NULL, &up.backend);
    assert_non_null(port);
}

static int setup(void **state)
{
    (void)state;
    up = (struct upstream){.backend = {up_start, up_cancel}, .index = 10};
    now_ns = 1000 * MU_SEC;
    base = event_base_new();
    make((struct call_cache_config){0});
    return 0;
}

static void unmake(void)
{
    call_cache_close(cache);
    assert_int_equal(up.nheld, 0);
    assert_int_equal(call_cache_stats(cache).bytes, 0);
    call_cache_port_destroy(port);
    call_cache_destroy(cache);
}

static int teardown(void **state)
{
    (void)state;
    unmake();
    event_base_free(base);
    return 0;
}

static void remake(struct call_cache_config cfg)
{
    unmake();
    make(cfg);
}

/* ---- Calls ---- */

struct result {
    int done;
    char error[64];
    int cached;
    uint64_t index, age_s;
};

static void on_done(struct call *c, void *arg)
{
    struct result *r = arg;
    r->done++;
    r->cached = (int)c->cached;
    r->age_s = c->cached_age_ns / MU_SEC;
    snprintf(r->error, sizeof r->error, "%s", c->error ? c->error : "");
    if (!c->error && c->endpoint->meta_at != NO_OFFSET) {
        r->index = endpoint_meta(c->endpoint, c->reply)->index;
    }
}

static struct call *health(const char *name, uint64_t min_index, struct result *r)
{
    struct call *c = call_create(&endpoints[ENDPOINT_HEALTH_SERVICE_NODES], 0, on_done, r);
    struct catalog_service_request *q = c->request;
    *r = (struct result){0};
    q->service_name = mu__cstr(name);
    q->options.min_query_index = min_index;
    q->options.use_cache = true;
    c->may_cache = true;
    return c;
}

static struct result ask(const char *name)
{
    struct result r;
    call_start(call_cache_port_backend(port), health(name, 0, &r));
    assert_int_equal(r.done, 1);
    return r;
}

static struct call *aged(struct result *r)
{
    struct call *c = call_create(&endpoints[ENDPOINT_CATALOG_LIST_DATACENTERS], 0, on_done, r);
    *r = (struct result){0};
    c->may_cache = true;
    return c;
}

static struct catalog_query_options *options(struct call *c)
{
    return endpoint_options(c->endpoint, c->request);
}

static struct result go(struct call *c, struct result *r)
{
    call_start(call_cache_port_backend(port), c);
    return *r;
}

/* ---- What is watched ---- */

static void test_first_is_a_miss_and_the_rest_cost_upstream_nothing(void **state)
{
    (void)state;
    struct result r = ask("web");
    assert_int_equal(r.cached, CALL_MISS);
    assert_int_equal(r.index, 10);
    call_cache_advance(cache);
    assert_int_equal(up.asked, 2); /* the second waits for what is newer */
    assert_int_equal(up.last_min_index, 10);
    for (int i = 0; i < 1000; i++) {
        r = ask("web");
        assert_int_equal(r.cached, CALL_HIT);
        assert_int_equal(r.age_s, 0);
    }
    assert_int_equal(up.asked, 2);
}

static void test_change_is_there_without_being_asked_for(void **state)
{
    (void)state;
    ask("web");
    call_cache_advance(cache);
    change();
    assert_int_equal(up.asked, 3);
    struct result r = ask("web");
    assert_int_equal(r.cached, CALL_HIT);
    assert_int_equal(r.index, 11);
}

static void test_those_who_ask_during_the_first_fetch_share_it(void **state)
{
    (void)state;
    struct result r[50];
    up.hold = true;
    for (int i = 0; i < 50; i++) {
        call_start(call_cache_port_backend(port), health("web", 0, &r[i]));
    }
    assert_int_equal(up.asked, 1);
    up.hold = false;
    release();
    for (int i = 0; i < 50; i++) {
        assert_int_equal(r[i].done, 1);
        assert_int_equal(r[i].cached, CALL_MISS);
    }
}

static void test_waiting_for_news_is_one_query_upstream(void **state)
{
    (void)state;
    struct result r[100];
    ask("web");
    call_cache_advance(cache);
    for (int i = 0; i < 100; i++) {
        call_start(call_cache_port_backend(port), health("web", 10, &r[i]));
        assert_int_equal(r[i].done, 0);
    }
    assert_int_equal(call_cache_stats(cache).waiting, 100);
    assert_int_equal(up.asked, 2);
    change();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(r[i].done, 1);
        assert_int_equal(r[i].index, 11);
        assert_int_equal(r[i].cached, CALL_MISS);
    }
    assert_int_equal(call_cache_stats(cache).waiting, 0);
    assert_int_equal(up.asked, 3);
}

static void test_who_has_an_old_index_is_answered_at_once(void **state)
{
    (void)state;
    struct result r;
    ask("web");
    go(health("web", 9, &r), &r);
    assert_int_equal(r.done, 1);
    assert_int_equal(r.cached, CALL_HIT);
}

static void test_wait_ends_with_what_there_is(void **state)
{
    (void)state;
    struct result r;
    ask("web");
    struct call *c = health("web", 99, &r);
    options(c)->max_query_time_ns = 2 * (int64_t)MU_SEC;
    go(c, &r);
    pass(2 * MU_SEC - 1);
    assert_int_equal(r.done, 0);
    pass(1);
    assert_int_equal(r.done, 1);
    assert_int_equal(r.cached, CALL_MISS);
    assert_int_equal(r.index, 10);
}

static void test_wait_that_ends_before_the_first_answer_gets_that(void **state)
{
    (void)state;
    struct result r;
    up.hold = true;
    struct call *c = health("web", 99, &r);
    options(c)->max_query_time_ns = (int64_t)MU_SEC;
    go(c, &r);
    pass(5 * MU_SEC);
    assert_int_equal(r.done, 0);
    up.hold = false;
    release();
    assert_int_equal(r.done, 1);
    assert_int_equal(r.index, 10);
}

static void test_cancelled_call_is_not_told(void **state)
{
    (void)state;
    struct result r;
    ask("web");
    call_cache_advance(cache);
    struct call *c = health("web", 10, &r);
    go(c, &r);
    call_cancel(c);
    change();
    assert_int_equal(r.done, 0);
    assert_int_equal(call_cache_stats(cache).waiting, 0);
}

static void test_what_is_asked_for_makes_the_entry_and_how_does_not(void **state)
{
    (void)state;
    struct result r;
    static struct mu_str ab[2], ba[2];
    ab[0] = ba[1] = mu__cstr("a");
    ab[1] = ba[0] = mu__cstr("b");
    ask("web");
    struct call *c = health("web", 0, &r);
    options(c)->allow_stale = true;
    options(c)->max_age_ns = 5;
    options(c)->must_revalidate = true; /* says nothing where there is a watch */
    assert_int_equal(go(c, &r).cached, CALL_HIT);
    c = health("web", 0, &r);
    options(c)->token = mu__cstr("secret");
    assert_int_equal(go(c, &r).cached, CALL_MISS);
    c = health("web", 0, &r);
    options(c)->filter = mu__cstr("Service.Port == 80");
    assert_int_equal(go(c, &r).cached, CALL_MISS);
    c = health("web", 0, &r);
    ((struct catalog_service_request *)c->request)->service_tags = (struct mu_strs){ab, 2};
    assert_int_equal(go(c, &r).cached, CALL_MISS);
    c = health("web", 0, &r);
    ((struct catalog_service_request *)c->request)->service_tags = (struct mu_strs){ba, 2};
    assert_int_equal(go(c, &r).cached, CALL_HIT);
    assert_int_equal(call_cache_stats(cache).entries, 4);
}

static void test_other_calls_pass(void **state)
{
    (void)state;
    struct result r;
    struct call *c = health("web", 0, &r);
    c->may_cache = false;
    assert_int_equal(go(c, &r).cached, CALL_DIRECT);
    c = call_create(&endpoints[ENDPOINT_CATALOG_LIST_NODES], 0, on_done, &r);
    c->may_cache = true;
    r.done = 0;
    assert_int_equal(go(c, &r).cached, CALL_DIRECT);
    assert_int_equal(r.done, 1);
    assert_int_equal(call_cache_stats(cache).entries, 0);
}

/* ---- Failures ---- */

static void test_failure_of_the_first_fetch_leaves_nothing_behind(void **state)
{
    (void)state;
    up.error = "No cluster leader";
    struct result r = ask("web");
    assert_string_equal(r.error, "No cluster leader");
    assert_int_equal(call_cache_stats(cache).entries, 0);
    pass(3600 * MU_SEC);
    assert_int_equal(up.asked, 1);
}

static void lose_upstream(void)
{
    up.error = "gone";
    release();
    for (int i = 0; i < 3; i++) {
        call_cache_advance(cache);
    }
}

static void test_lost_contact_is_told_as_age_and_ends_at_once(void **state)
{
    (void)state;
    ask("web");
    call_cache_advance(cache);
    lose_upstream();
    pass(20 * MU_SEC);
    struct result r = ask("web");
    assert_int_equal(r.cached, CALL_HIT); /* an old answer, and it says so */
    assert_int_equal(r.age_s, 20);
    up.error = NULL;
    pass(600 * MU_SEC);
    call_cache_advance(cache);
    r = ask("web");
    assert_int_equal(r.age_s, 0);
    assert_int_equal(up.nheld, 1); /* and waits for news again */
}

static void test_after_some_failures_upstream_is_asked_ever_more_rarely(void **state)
{
    (void)state;
    ask("web");
    call_cache_advance(cache);
    lose_upstream();
    size_t before = up.asked;
    for (int s = 0; s < 840; s++) {
        pass(MU_SEC);
    }
    assert_in_range(up.asked - before, 7, 25); /* 1, 2, 4 ... 60 s, up to twice as long */
}

static void test_who_waits_is_told_of_a_failure(void **state)
{
    (void)state;
    struct result r;
    ask("web");
    call_cache_advance(cache);
    go(health("web", 10, &r), &r);
    lose_upstream();
    assert_int_equal(r.done, 1);
    assert_string_equal(r.error, "gone");
}

static void test_server_that_does_not_wait_is_not_asked_in_a_loop(void **state)
{
    (void)state;
    ask("web");
    for (int i = 0; i < 1000; i++) {
        call_cache_advance(cache);
        if (up.nheld) { /* it answers without news, at once */
            release();
        }
    }
    assert_in_range(up.asked, 2, 8);
}

static void test_rate_of_fetches_is_kept(void **state)
{
    (void)state;
    remake((struct call_cache_config){.fetch_rate = 2, .fetch_burst = 3});
    up.asked = 0;
    ask("web");
    for (int i = 0; i < 1000; i++) { /* a change each 10 ms, for 10 s */
        pass(10 * MU_MSEC);
        change();
    }
    assert_in_range(up.asked, 20, 25);
    call_cache_set_rate(cache, 0, 0);
    up.asked = 0;
    pass(10 * MU_SEC);
    for (int i = 0; i < 100; i++) {
        change();
    }
    assert_in_range(up.asked, 100, 103);
}

/* ---- What is aged ---- */

static void test_aged_answer_has_its_age_and_a_limit(void **state)
{
    (void)state;
    struct result r;
    assert_int_equal(go(aged(&r), &r).cached, CALL_MISS);
    pass(7 * MU_SEC);
    assert_int_equal(go(aged(&r), &r).cached, CALL_HIT);
    assert_int_equal(r.age_s, 7);
    struct call *c = aged(&r);
    options(c)->max_age_ns = 7 * (int64_t)MU_SEC;
    assert_int_equal(go(c, &r).cached, CALL_HIT);
    pass(1);
    c = aged(&r);
    options(c)->max_age_ns = 7 * (int64_t)MU_SEC;
    assert_int_equal(go(c, &r).cached, CALL_MISS);
    c = aged(&r);
    options(c)->must_revalidate = true;
    assert_int_equal(go(c, &r).cached, CALL_MISS);
    assert_int_equal(up.asked, 3);
    assert_int_equal(up.nheld, 0); /* nothing waits upstream */
}

static void test_stale_if_error_brings_the_old_answer_in_time(void **state)
{
    (void)state;
    struct result r;
    go(aged(&r), &r);
    pass(10 * MU_SEC);
    up.error = "gone";
    struct call *c = aged(&r);
    options(c)->max_age_ns = 1;
    options(c)->stale_if_error_ns = 11 * (int64_t)MU_SEC;
    go(c, &r);
    assert_string_equal(r.error, "");
    assert_int_equal(r.cached, CALL_HIT);
    assert_int_equal(r.age_s, 10);
    c = aged(&r);
    options(c)->max_age_ns = 1;
    options(c)->stale_if_error_ns = 9 * (int64_t)MU_SEC;
    go(c, &r);
    assert_string_equal(r.error, "gone");
    assert_int_equal(go(aged(&r), &r).cached, CALL_HIT); /* whoever wants any has it still */
}

/* ---- Bounds ---- */

static void test_names_that_strangers_make_up_do_not_grow_it(void **state)
{
    (void)state;
    char name[32];
    remake((struct call_cache_config){.entries_max = 100});
    up.nheld = 0;
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        ask(name);
        call_cache_advance(cache);
        assert_true(call_cache_stats(cache).entries <= 100);
        assert_true(up.nheld <= 100); /* nor the queries upstream */
    }
    struct result r = ask("name-19999");
    assert_int_equal(r.cached, CALL_HIT);
    assert_int_equal(ask("name-19899").cached, CALL_MISS); /* the least recently used has gone */
}

static void test_what_is_used_stays(void **state)
{
    (void)state;
    char name[32];
    remake((struct call_cache_config){.entries_max = 10});
    ask("web");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        ask(name);
        assert_int_equal(ask("web").cached, CALL_HIT);
    }
}

static void test_what_is_waited_for_does_not_give_way(void **state)
{
    (void)state;
    struct result r[4], other;
    char name[8];
    remake((struct call_cache_config){.entries_max = 4});
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "w%d", i);
        go(health(name, 10, &r[i]), &r[i]);
        call_cache_advance(cache);
    }
    go(health("other", 0, &other), &other);
    assert_int_equal(other.done, 1);
    assert_int_equal(other.cached, CALL_DIRECT); /* answered, past the cache */
    assert_int_equal(call_cache_stats(cache).waiting, 4);
    change();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(r[i].done, 1);
    }
}

static void test_bytes_are_bounded(void **state)
{
    (void)state;
    struct result r;
    remake((struct call_cache_config){.bytes_max = 1 << 20});
    up.big = 100000;
    for (int i = 0; i < 100; i++) {
        struct call *c = aged(&r);
        char *token = mu__arena_calloc(&c->arena, 1, 16);
        snprintf(token, 16, "t%d", i);
        options(c)->token = mu__cstr(token);
        assert_int_equal(go(c, &r).cached, CALL_MISS);
        assert_true(call_cache_stats(cache).bytes <= 1 << 20);
    }
    assert_in_range(call_cache_stats(cache).entries, 5, 10);
}

static void test_too_large_an_answer_comes_without_being_kept(void **state)
{
    (void)state;
    struct result r;
    remake((struct call_cache_config){.bytes_max = 1 << 20});
    up.big = 1 << 19;
    go(aged(&r), &r);
    assert_int_equal(r.done, 1);
    assert_int_equal(r.cached, CALL_DIRECT);
    assert_string_equal(r.error, "");
    assert_int_equal(call_cache_stats(cache).entries, 0);
}

static void test_what_nobody_asks_for_goes_with_its_query(void **state)
{
    (void)state;
    ask("web");
    ask("db");
    call_cache_advance(cache);
    pass(600 * MU_SEC);
    ask("web");
    assert_int_equal(up.nheld, 2);
    pass(300 * MU_SEC);
    assert_int_equal(call_cache_stats(cache).entries, 1);
    assert_int_equal(up.nheld, 1);
    assert_int_equal(up.cancelled, 1);
    assert_int_equal(ask("web").cached, CALL_HIT);
    pass(900 * MU_SEC);
    assert_int_equal(call_cache_stats(cache).entries, 0);
}

static void test_closing_fails_who_waits_and_passes_who_comes(void **state)
{
    (void)state;
    struct result r;
    go(health("web", 10, &r), &r);
    call_cache_close(cache);
    assert_int_equal(r.done, 1);
    assert_string_equal(r.error, "agent is shutting down");
    assert_int_equal(go(health("web", 0, &r), &r).cached, CALL_DIRECT);
}

/* A done that asks again, in the middle of telling others. */
static void on_done_again(struct call *c, void *arg)
{
    static struct result inner;
    on_done(c, arg);
    call_start(call_cache_port_backend(port), health("web", 0, &inner));
    call_start(call_cache_port_backend(port), health("other", 0, &inner));
}

static void test_who_is_told_may_ask_again(void **state)
{
    (void)state;
    struct result r[20];
    ask("web");
    call_cache_advance(cache);
    for (int i = 0; i < 20; i++) {
        struct call *c = health("web", 10, &r[i]);
        c->done = on_done_again;
        go(c, &r[i]);
    }
    change();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(r[i].done, 1);
    }
}

/* ---- From another loop ---- */

struct remote {
    struct loop *front;
    struct call_cache_port *port;
    struct result r[64];
    struct call *calls[64];
};

static void remote_start(void *arg)
{
    struct remote *x = arg;
    for (int i = 0; i < 64; i++) {
        x->calls[i] = health(i % 2 ? "web" : "db", i < 32 ? 0 : 10, &x->r[i]);
        call_start(call_cache_port_backend(x->port), x->calls[i]);
    }
    for (int i = 48; i < 64; i++) {
        call_cancel(x->calls[i]);
    }
}

static void drain(struct loop *a, struct loop *b)
{
    while (loop_drain(a) || loop_drain(b)) {
    }
}

static void test_another_loop_asks_the_same_cache(void **state)
{
    (void)state;
    struct loop *home = loop_create("home");
    struct remote x = {.front = loop_create("front")};
    unmake();
    struct call_cache_config cfg = {
        .loop = home, .base = loop_base(home), .from = &up.backend, .now_ns = now};
    cache = call_cache_create(&cfg);
    port = call_cache_port_create(cache, home, &up.backend);
    x.port = call_cache_port_create(cache, x.front, &up.backend);
    loop_post(x.front, remote_start, &x);
    drain(x.front, home);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(x.r[i].done, i < 32);
    }
    assert_int_equal(call_cache_stats(cache).entries, 2);
    assert_int_equal(call_cache_stats(cache).waiting, 16);
    assert_int_equal(ask("web").cached, CALL_HIT); /* what the other has brought */
    call_cache_advance(cache);
    change();
    drain(x.front, home);
    for (int i = 32; i < 48; i++) {
        assert_int_equal(x.r[i].done, 1);
        assert_int_equal(x.r[i].index, 11);
    }
    call_cache_close(cache);
    drain(x.front, home);
    call_cache_port_destroy(x.port);
    call_cache_port_destroy(port);
    call_cache_destroy(cache);
    loop_destroy(x.front);
    loop_destroy(home);
    make((struct call_cache_config){0});
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_first_is_a_miss_and_the_rest_cost_upstream_nothing),
        T(test_change_is_there_without_being_asked_for),
        T(test_those_who_ask_during_the_first_fetch_share_it),
        T(test_waiting_for_news_is_one_query_upstream),
        T(test_who_has_an_old_index_is_answered_at_once),
        T(test_wait_ends_with_what_there_is),
        T(test_wait_that_ends_before_the_first_answer_gets_that),
        T(test_cancelled_call_is_not_told),
        T(test_what_is_asked_for_makes_the_entry_and_how_does_not),
        T(test_other_calls_pass),
        T(test_failure_of_the_first_fetch_leaves_nothing_behind),
        T(test_lost_contact_is_told_as_age_and_ends_at_once),
        T(test_after_some_failures_upstream_is_asked_ever_more_rarely),
        T(test_who_waits_is_told_of_a_failure),
        T(test_server_that_does_not_wait_is_not_asked_in_a_loop),
        T(test_rate_of_fetches_is_kept),
        T(test_aged_answer_has_its_age_and_a_limit),
        T(test_stale_if_error_brings_the_old_answer_in_time),
        T(test_names_that_strangers_make_up_do_not_grow_it),
        T(test_what_is_used_stays),
        T(test_what_is_waited_for_does_not_give_way),
        T(test_bytes_are_bounded),
        T(test_too_large_an_answer_comes_without_being_kept),
        T(test_what_nobody_asks_for_goes_with_its_query),
        T(test_closing_fails_who_waits_and_passes_who_comes),
        T(test_who_is_told_may_ask_again),
        T(test_another_loop_asks_the_same_cache),
    };
    return cmocka_run_group_tests_name("call_cache", tests, NULL, NULL);
}
