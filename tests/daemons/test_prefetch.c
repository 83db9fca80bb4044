/* Mirrors daemons/agent/prefetch.c: what it asks of a backend that this test plays. Core and front
 * are one loop here. */
#include "mu_test.h"

#include "agent/prefetch.h"
#include "rpc/endpoints.h"

#include <event2/event.h>
#include <muster/catalog_intention.h>
#include <muster/catalog_types.h>
#include <stdlib.h>
#include <string.h>

#define HELD 2048u

struct world {
    struct call_backend backend; /* first */
    struct loop *loop;
    struct prefetch *p;
    struct call *held[HELD];
    size_t nheld, asked;
    uint64_t index;
    const char *refusal;
};

static void answer(struct world *w, struct call *c)
{
    c->reply = mu__arena_calloc(&c->arena, 1, c->endpoint->reply->size);
    assert_non_null(c->reply);
    endpoint_meta(c->endpoint, c->reply)->index = w->index;
    call_finish(c);
}

static void start(struct call_backend *b, struct call *c)
{
    struct world *w = (struct world *)b;
    w->asked++;
    assert_true(c->may_cache);
    assert_true(endpoint_options(c->endpoint, c->request)->use_cache);
    if (w->refusal) {
        call_fail(c, "%s", w->refusal);
    } else if (endpoint_options(c->endpoint, c->request)->min_query_index > 0) {
        assert_true(w->nheld < HELD);
        w->held[w->nheld++] = c;
    } else {
        answer(w, c);
    }
}

static void cancel(struct call_backend *b, struct call *c)
{
    (void)b;
    call_free(c);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *w = (struct world){.backend = {start, cancel}, .index = 7};
    w->loop = loop_create("test");
    w->p = prefetch_create(&(struct prefetch_config){
        .datacenter = mu__cstr("dc1"), .core = w->loop, .front = w->loop, .backend = &w->backend});
    assert_non_null(w->p);
    *state = w;
    return 0;
}

static void turn(struct world *w)
{
    for (int i = 0; i < 8; i++) {
        event_base_loop(loop_base(w->loop), EVLOOP_NONBLOCK);
    }
}

static void release(struct world *w)
{
    size_t n = w->nheld;
    struct call *held[HELD];
    memcpy(held, w->held, n * sizeof *held);
    w->nheld = 0;
    w->index++;
    for (size_t i = 0; i < n; i++) {
        answer(w, held[i]);
    }
    turn(w);
}

static int teardown(void **state)
{
    struct world *w = *state;
    prefetch_destroy(w->p);
    for (size_t i = 0; i < w->nheld; i++) {
        call_fail(w->held[i], "the end");
    }
    turn(w);
    loop_destroy(w->loop);
    free(w);
    return 0;
}

static void name_web(struct world *w)
{
    prefetch_begin(w->p);
    prefetch_service(w->p, mu__cstr("web"), mu__cstr("secret"));
    prefetch_upstream(w->p, mu__cstr(""), mu__cstr("db"), mu__cstr("secret"));
    prefetch_upstream(w->p, mu__cstr("dc2"), mu__cstr("db"), mu__cstr("secret"));
    prefetch_end(w->p);
    turn(w);
}

static const struct call *find(struct world *w, enum endpoint_id id, const char *dc)
{
    for (size_t i = 0; i < w->nheld; i++) {
        const struct call *c = w->held[i];
        const char *at = (const char *)c->request + c->endpoint->datacenter_at;
        if (c->endpoint == &endpoints[id] &&
            mu__str_eq(*(const struct mu_str *)(const void *)at, mu__cstr(dc))) {
            return c;
        }
    }
    return NULL;
}

/* ---- What is claimed ---- */

static void test_it_asks_what_a_proxy_will_ask(void **state)
{
    struct world *w = *state;
    name_web(w);
    assert_int_equal(prefetch_count(w->p), 3);
    assert_int_equal(w->nheld, 3);
    const struct call *c = find(w, ENDPOINT_INTENTION_MATCH, "dc1");
    assert_non_null(c);
    const struct catalog_intention_query *q = c->request;
    const struct catalog_intention_name *name = q->match->entries.items[0];
    assert_true(mu__str_eq(name->name, mu__cstr("web")));
    assert_true(mu__str_eq(q->options.token, mu__cstr("secret")));
    assert_int_equal(q->options.min_query_index, 7);
    for (int i = 0; i < 2; i++) {
        c = find(w, ENDPOINT_HEALTH_SERVICE_NODES, i ? "dc2" : "dc1");
        assert_non_null(c);
        const struct catalog_service_request *s = c->request;
        assert_true(mu__str_eq(s->service_name, mu__cstr("db")));
        assert_true(mu__str_eq(s->options.token, mu__cstr("secret")));
        assert_true(s->connect);
        assert_false(s->tag_filter);
        assert_int_equal(s->options.min_query_index, 7);
    }
}

static void test_each_change_is_followed_by_one_question(void **state)
{
    struct world *w = *state;
    name_web(w);
    for (int i = 0; i < 5; i++) {
        size_t asked = w->asked;
        release(w);
        assert_int_equal(w->asked, asked + 3);
        assert_int_equal(w->nheld, 3);
    }
}

static void test_an_answer_without_an_index_makes_no_storm(void **state)
{
    struct world *w = *state;
    w->index = 0;
    name_web(w);
    assert_int_equal(w->asked, 6); /* each at once, and waiting */
    assert_int_equal(w->nheld, 3);
}

static void test_naming_again_asks_nothing_anew(void **state)
{
    struct world *w = *state;
    name_web(w);
    size_t asked = w->asked;
    name_web(w);
    assert_int_equal(w->asked, asked);
    assert_int_equal(prefetch_count(w->p), 3);
}

static void test_another_token_is_used_from_the_next_question_on(void **state)
{
    struct world *w = *state;
    name_web(w);
    prefetch_begin(w->p);
    prefetch_service(w->p, mu__cstr("web"), mu__cstr("newer"));
    prefetch_end(w->p);
    release(w);
    assert_int_equal(w->nheld, 1);
    const struct catalog_intention_query *q = w->held[0]->request;
    assert_true(mu__str_eq(q->options.token, mu__cstr("newer")));
}

static void test_what_is_not_named_any_more_is_not_asked_again(void **state)
{
    struct world *w = *state;
    name_web(w);
    prefetch_begin(w->p);
    prefetch_end(w->p);
    size_t asked = w->asked;
    release(w);
    assert_int_equal(w->asked, asked);
    assert_int_equal(w->nheld, 0);
    assert_int_equal(prefetch_count(w->p), 0);
}

static void test_a_failure_is_no_reason_to_ask_at_once(void **state)
{
    struct world *w = *state;
    w->refusal = "No cluster leader";
    name_web(w);
    assert_int_equal(w->asked, 3);
    assert_int_equal(prefetch_count(w->p), 3);
    prefetch_begin(w->p);
    prefetch_end(w->p);
    assert_int_equal(prefetch_count(w->p), 0);
}

static void test_their_number_is_bounded_for_each_kind(void **state)
{
    struct world *w = *state;
    char name[16];
    prefetch_begin(w->p);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "s%d", i);
        prefetch_upstream(w->p, mu__cstr(""), mu__cstr(name), mu__cstr(""));
    }
    assert_int_equal(prefetch_count(w->p), 512);
    prefetch_service(w->p, mu__cstr("web"), mu__cstr(""));
    prefetch_service(w->p, mu__cstr(""), mu__cstr(""));
    prefetch_end(w->p);
    assert_int_equal(prefetch_count(w->p), 513);
    turn(w);
    assert_int_equal(w->nheld, 513);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_it_asks_what_a_proxy_will_ask),
        CASE(test_each_change_is_followed_by_one_question),
        CASE(test_an_answer_without_an_index_makes_no_storm),
        CASE(test_naming_again_asks_nothing_anew),
        CASE(test_another_token_is_used_from_the_next_question_on),
        CASE(test_what_is_not_named_any_more_is_not_asked_again),
        CASE(test_a_failure_is_no_reason_to_ask_at_once),
        CASE(test_their_number_is_bounded_for_each_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
