/* Mirrors daemons/rpc/rpc_client.c, rpc_session.c and rpc_router.c: against the real server on the
 * loopback. */
#include "mu_test.h"

#include "rpc/rpc_client.h"
#include "rpc/rpc_router.h"
#include "rpc_kit.h"

#include <unistd.h>

static struct event_base *base;

struct fixture {
    struct rpc_kit kit;
    struct rpc_client *client;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    base = event_base_new();
    kit_init(&f->kit, base, NULL);
    struct rpc_client_config cfg = {.base = base, .bind_host = "127.0.0.1"};
    f->client = rpc_client_create(&cfg);
    assert_non_null(f->client);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    rpc_client_destroy(f->client);
    kit_fini(&f->kit);
    event_base_free(base);
    free(f);
    return 0;
}

/* What became of a call. */
struct result {
    int done;
    enum rpc_outcome outcome;
    char error[256];
    size_t value_len;
    uint64_t index;
    bool flag;
};

static void note(struct call *c, struct result *r)
{
    r->done = 1;
    if (c->error) {
        snprintf(r->error, sizeof r->error, "%s", c->error);
    } else if (c->endpoint == &endpoints[ENDPOINT_KVS_GET]) {
        const struct catalog_indexed_dir_entries *reply = c->reply;
        r->index = reply->meta.index;
        r->value_len = reply->entries.len
                           ? ((struct catalog_dir_entry *)reply->entries.items[0])->value.len
                           : 0;
    } else if (c->endpoint->reply_kind == REPLY_BOOL) {
        r->flag = *(bool *)c->reply;
    }
}

static void on_exchange(struct call *c, enum rpc_outcome outcome, void *arg)
{
    struct result *r = arg;
    r->outcome = outcome;
    note(c, r);
    call_free(c);
}

static void on_call(struct call *c, void *arg)
{
    note(c, arg);
}

static struct call *get(const char *key, uint64_t min_index, void *arg)
{
    struct call *c = call_create(&endpoints[ENDPOINT_KVS_GET], 0, on_call, arg);
    struct catalog_key_request *q = c->request;
    q->datacenter = mu__cstr("dc1");
    q->key = mu__cstr(key);
    q->options.min_query_index = min_index;
    return c;
}

static struct rpc_exchange *ask(struct fixture *f, struct call *c, struct result *r)
{
    struct rpc_target to = {"server", "127.0.0.1", f->kit.port};
    return rpc_client_start(f->client, &to, c, on_exchange, r);
}

static void test_call_is_answered(void **state)
{
    struct fixture *f = *state;
    struct result r = {0};
    assert_non_null(ask(f, get("k", 0, NULL), &r));
    assert_false(r.done); /* never at once */
    kit_run_until(base, &r.done);
    assert_int_equal(r.outcome, RPC_ANSWERED);
    assert_int_equal(r.index, 1);
    assert_int_equal(f->kit.forwarded, 0); /* it is not a server's */
}

static void test_many_calls_share_one_connection(void **state)
{
    struct fixture *f = *state;
    struct result r[40] = {{0}};
    for (int i = 0; i < 40; i++) {
        ask(f, get("k", 7, NULL), &r[i]);
    }
    kit_settle(base);
    assert_int_equal(f->kit.nheld, 40); /* all at the same time */
    assert_int_equal(rpc_server_connections(f->kit.server), 1);
    kit_release(&f->kit);
    for (int i = 0; i < 40; i++) {
        kit_run_until(base, &r[i].done);
        assert_int_equal(r[i].outcome, RPC_ANSWERED);
    }
    struct result again = {0};
    ask(f, get("k", 0, NULL), &again);
    kit_run_until(base, &again.done);
    assert_int_equal(rpc_server_connections(f->kit.server), 1);
}

static void test_more_calls_than_the_backlog_all_get_through(void **state)
{
    struct fixture *f = *state;
    static struct result r[600];
    memset(r, 0, sizeof r);
    for (int i = 0; i < 600; i++) {
        ask(f, get("k", 0, NULL), &r[i]);
    }
    for (int i = 0; i < 600; i++) {
        kit_run_until(base, &r[i].done);
        assert_int_equal(r[i].outcome, RPC_ANSWERED);
    }
}

static void test_values_larger_than_the_window_travel_both_ways(void **state)
{
    struct fixture *f = *state;
    struct result r = {0};
    char *value = calloc(1, 3000000);
    struct call *c = call_create(&endpoints[ENDPOINT_KVS_APPLY], 0, on_call, NULL);
    struct catalog_kvs_request *q = c->request;
    q->dir_ent.value = (struct mu_str){value, 3000000};
    ask(f, c, &r);
    kit_run_until(base, &r.done);
    assert_int_equal(r.outcome, RPC_ANSWERED);
    assert_true(r.flag);
    assert_int_equal(f->kit.value_len, 3000000);
    free(value);

    struct result big = {0};
    f->kit.big = 5000000;
    ask(f, get("big", 0, NULL), &big);
    kit_run_until(base, &big.done);
    assert_int_equal(big.outcome, RPC_ANSWERED);
    assert_int_equal(big.value_len, 5000000);
}

static void test_errors_of_the_server_carry_the_prefix_of_a_hop(void **state)
{
    struct fixture *f = *state;
    struct result r = {0};
    ask(f, get("denied", 0, NULL), &r);
    kit_run_until(base, &r.done);
    assert_int_equal(r.outcome, RPC_REFUSED);
    assert_string_equal(r.error, "rpc error making call: Permission denied");
    struct result after = {0};
    ask(f, get("k", 0, NULL), &after); /* the session goes on */
    kit_run_until(base, &after.done);
    assert_int_equal(after.outcome, RPC_ANSWERED);
}

static void test_refused_connection_says_so_and_nothing_was_sent(void **state)
{
    struct fixture *f = *state;
    struct result r = {0};
    evconnlistener_free(f->kit.listener);
    f->kit.listener = NULL;
    ask(f, get("k", 0, NULL), &r);
    kit_run_until(base, &r.done);
    assert_int_equal(r.outcome, RPC_UNSENT);
    char want[128];
    snprintf(want, sizeof want,
             "rpc error getting client: failed to get conn: dial tcp 127.0.0.1:%u: connect: "
             "connection refused",
             (unsigned)f->kit.port);
    assert_string_equal(r.error, want);
}

static void test_addresses_that_are_names_are_refused(void **state)
{
    struct fixture *f = *state;
    struct result r = {0};
    struct rpc_target to = {"server", "localhost", f->kit.port};
    rpc_client_start(f->client, &to, get("k", 0, NULL), on_exchange, &r);
    assert_false(r.done);
    kit_run_until(base, &r.done);
    assert_int_equal(r.outcome, RPC_UNSENT);
}

static void test_lost_connection_breaks_calls_and_the_next_dials_anew(void **state)
{
    struct fixture *f = *state;
    struct result r = {0};
    ask(f, get("k", 7, NULL), &r);
    kit_settle(base);
    assert_int_equal(f->kit.nheld, 1);
    evconnlistener_free(f->kit.listener);
    rpc_server_destroy(f->kit.server);
    f->kit.listener = NULL;
    f->kit.server = NULL;
    kit_run_until(base, &r.done);
    assert_int_equal(r.outcome, RPC_BROKEN);
    assert_string_equal(r.error, "rpc error making call: stream closed");

    kit_fini(&f->kit);
    kit_init(&f->kit, base, NULL);
    struct result again = {0};
    ask(f, get("k", 0, NULL), &again);
    kit_run_until(base, &again.done);
    assert_int_equal(again.outcome, RPC_ANSWERED);
}

static void test_cancelled_calls_are_cancelled_on_the_server_too(void **state)
{
    struct fixture *f = *state;
    struct result r = {0};
    struct call *c = get("k", 7, NULL);
    struct rpc_exchange *e = ask(f, c, &r);
    kit_settle(base);
    rpc_exchange_cancel(e);
    call_free(c);
    kit_settle(base);
    assert_int_equal(f->kit.cancelled, 1);
    c = get("k", 7, NULL);
    e = ask(f, c, &r); /* and before anything was sent */
    rpc_exchange_cancel(e);
    call_free(c);
    kit_settle(base);
    assert_false(r.done);
}

static void test_destroying_the_client_ends_its_calls(void **state)
{
    struct fixture *f = *state;
    struct result sent = {0};
    struct result waiting = {0};
    ask(f, get("k", 7, NULL), &sent);
    kit_settle(base);
    struct rpc_target other = {"other", "127.0.0.1", f->kit.port};
    rpc_client_start(f->client, &other, get("k", 7, NULL), on_exchange, &waiting);
    rpc_client_destroy(f->client);
    f->client = NULL;
    assert_int_equal(sent.outcome, RPC_BROKEN);
    assert_int_equal(waiting.outcome, RPC_UNSENT);
}

static void test_forwarded_call_is_finished_with_its_reply(void **state)
{
    struct fixture *f = *state;
    struct result r = {0};
    struct rpc_target to = {"server", "127.0.0.1", f->kit.port};
    rpc_client_call(f->client, &to, get("k", 0, &r));
    kit_run_until(base, &r.done);
    assert_int_equal(r.index, 1);
}

/* ---- The router ---- */

static struct rpc_router *make_router(struct fixture *f, uint64_t hold_ns)
{
    struct rpc_router_config cfg = {
        .base = base, .client = f->client, .seed = 1, .hold_timeout_ns = hold_ns};
    struct rpc_router *r = rpc_router_create(&cfg);
    assert_non_null(r);
    return r;
}

static void test_without_servers_a_call_fails(void **state)
{
    struct rpc_router *router = make_router(*state, 0);
    struct result r = {0};
    call_start(rpc_router_backend(router), get("k", 0, &r));
    assert_string_equal(r.error, "No known Consul servers");
    rpc_router_destroy(router);
}

static uint16_t unused_port(void)
{
    struct rpc_kit k;
    kit_init(&k, base, NULL); /* listens, and then nobody does */
    uint16_t port = k.port;
    kit_fini(&k);
    return port;
}

static void test_unreachable_servers_are_passed_over_even_for_writes(void **state)
{
    struct fixture *f = *state;
    struct rpc_router *router = make_router(f, 100 * MU_MSEC);
    uint16_t nobody = unused_port();
    rpc_router_add(router, "a", "127.0.0.1", nobody);
    rpc_router_add(router, "b", "127.0.0.1", f->kit.port);
    rpc_router_add(router, "c", "127.0.0.1", nobody);
    assert_int_equal(rpc_router_count(router), 3);
    for (int i = 0; i < 5; i++) {
        struct result r = {0};
        call_start(rpc_router_backend(router),
                   call_create(&endpoints[ENDPOINT_KVS_APPLY], 0, on_call, &r));
        kit_run_until(base, &r.done);
        assert_string_equal(r.error, "");
        assert_true(r.flag);
    }
    rpc_router_remove(router, "b");
    struct result r = {0};
    call_start(rpc_router_backend(router), get("k", 0, &r));
    kit_run_until(base, &r.done);
    assert_non_null(strstr(r.error, "rpc error getting client: failed to get conn: dial tcp"));
    rpc_router_destroy(router);
}

static struct call *apply(struct result *r)
{
    return call_create(&endpoints[ENDPOINT_KVS_APPLY], 0, on_call, r);
}

static void test_write_that_was_not_sent_waits_for_a_server_to_come_back(void **state)
{
    struct fixture *f = *state;
    struct rpc_router *router = make_router(f, 8 * MU_SEC);
    struct result r = {0};
    rpc_router_add(router, "a", "127.0.0.1", unused_port());
    call_start(rpc_router_backend(router), apply(&r));
    event_base_loop(base, EVLOOP_ONCE);
    event_base_loop(base, EVLOOP_ONCE);
    assert_false(r.done);
    rpc_router_remove(router, "a"); /* gossip has noticed, too */
    event_base_loop(base, EVLOOP_ONCE);
    assert_false(r.done);
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    kit_run_until(base, &r.done);
    assert_string_equal(r.error, "");
    assert_int_equal(f->kit.calls, 1);
    rpc_router_destroy(router);
}

static void test_calls_beyond_the_rate_are_refused(void **state)
{
    struct fixture *f = *state;
    struct rpc_router_config cfg = {
        .base = base, .client = f->client, .seed = 1, .rate = 1e-6, .burst = 3};
    struct rpc_router *router = rpc_router_create(&cfg);
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    for (int i = 0; i < 5; i++) {
        struct result r = {0};
        call_start(rpc_router_backend(router), get("k", 0, &r));
        kit_run_until(base, &r.done);
        assert_string_equal(r.error, i < 3 ? "" : "RPC rate limit exceeded");
    }
    assert_int_equal(f->kit.calls, 3);
    rpc_router_set_rate(router, -1, 0);
    struct result r = {0};
    call_start(rpc_router_backend(router), get("k", 0, &r));
    kit_run_until(base, &r.done);
    assert_string_equal(r.error, "");
    rpc_router_destroy(router);
}

static void test_no_cluster_leader_is_tried_again_within_the_hold_time(void **state)
{
    struct fixture *f = *state;
    struct rpc_router *router = make_router(f, 8 * MU_SEC); /* longer than any machine is busy */
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    struct result r = {0};
    f->kit.no_leader = 2;
    call_start(rpc_router_backend(router), get("k", 0, &r));
    kit_run_until(base, &r.done);
    assert_string_equal(r.error, "");
    assert_int_equal(f->kit.calls, 3);
    rpc_router_destroy(router);
}

static void test_no_cluster_leader_is_told_after_the_hold_time(void **state)
{
    struct fixture *f = *state;
    struct rpc_router *router = make_router(f, 50 * MU_MSEC);
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    struct result never = {0};
    f->kit.no_leader = 1 << 30;
    call_start(rpc_router_backend(router), get("k", 0, &never));
    kit_run_until(base, &never.done);
    assert_string_equal(never.error, "rpc error making call: No cluster leader");
    rpc_router_destroy(router);
}

static void test_other_errors_are_not_tried_again(void **state)
{
    struct fixture *f = *state;
    struct rpc_router *router = make_router(f, 0);
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    struct result r = {0};
    call_start(rpc_router_backend(router), get("denied", 0, &r));
    kit_run_until(base, &r.done);
    assert_string_equal(r.error, "rpc error making call: Permission denied");
    assert_int_equal(f->kit.calls, 1);
    rpc_router_destroy(router);
}

static void break_connections(struct fixture *f)
{
    struct rpc_server_config cfg = {.base = base, .backend = &f->kit.backend};
    rpc_server_destroy(f->kit.server);
    f->kit.server = rpc_server_create(&cfg);
}

static void test_reads_survive_a_broken_connection_and_writes_do_not(void **state)
{
    struct fixture *f = *state;
    struct rpc_router *router = make_router(f, 0);
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    struct result r = {0};
    call_start(rpc_router_backend(router), get("k", 7, &r));
    kit_settle(base);
    assert_int_equal(f->kit.nheld, 1);
    break_connections(f);
    while (!r.done) {
        event_base_loop(base, EVLOOP_ONCE);
        kit_release(&f->kit); /* the second attempt */
    }
    assert_string_equal(r.error, "");
    rpc_router_destroy(router);
}

static void test_router_cancels_and_fails_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    struct rpc_router *router = make_router(f, 0);
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    struct result r = {0};
    struct call *c = get("k", 7, &r);
    call_start(rpc_router_backend(router), c);
    kit_settle(base);
    call_cancel(c);
    kit_settle(base);
    assert_int_equal(f->kit.cancelled, 1);
    assert_false(r.done);
    call_start(rpc_router_backend(router), get("k", 7, &r));
    kit_settle(base);
    rpc_router_destroy(router);
    assert_string_equal(r.error, "rpc error making call: session shutdown");
}

static void test_server_with_a_new_address_replaces_the_old(void **state)
{
    struct fixture *f = *state;
    struct rpc_router *router = make_router(f, 0);
    rpc_router_add(router, "a", "127.0.0.1", 1);
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    rpc_router_add(router, "a", "127.0.0.1", f->kit.port);
    assert_int_equal(rpc_router_count(router), 1);
    struct result r = {0};
    call_start(rpc_router_backend(router), get("k", 0, &r));
    kit_run_until(base, &r.done);
    assert_string_equal(r.error, "");
    rpc_router_destroy(router);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_call_is_answered),
        TEST(test_many_calls_share_one_connection),
        TEST(test_more_calls_than_the_backlog_all_get_through),
        TEST(test_values_larger_than_the_window_travel_both_ways),
        TEST(test_errors_of_the_server_carry_the_prefix_of_a_hop),
        TEST(test_refused_connection_says_so_and_nothing_was_sent),
        TEST(test_addresses_that_are_names_are_refused),
        TEST(test_lost_connection_breaks_calls_and_the_next_dials_anew),
        TEST(test_cancelled_calls_are_cancelled_on_the_server_too),
        TEST(test_destroying_the_client_ends_its_calls),
        TEST(test_forwarded_call_is_finished_with_its_reply),
        TEST(test_without_servers_a_call_fails),
        TEST(test_unreachable_servers_are_passed_over_even_for_writes),
        TEST(test_no_cluster_leader_is_tried_again_within_the_hold_time),
        TEST(test_no_cluster_leader_is_told_after_the_hold_time),
        TEST(test_other_errors_are_not_tried_again),
        TEST(test_reads_survive_a_broken_connection_and_writes_do_not),
        TEST(test_write_that_was_not_sent_waits_for_a_server_to_come_back),
        TEST(test_calls_beyond_the_rate_are_refused),
        TEST(test_router_cancels_and_fails_what_is_under_way),
        TEST(test_server_with_a_new_address_replaces_the_old),
    };
    return cmocka_run_group_tests_name("rpc_client", tests, NULL, NULL);
}
