/* Mirrors daemons/server/bootstrap.c: who begins a cluster, and when nobody does. */
#include "mu_test.h"

#include "rpc_kit.h"
#include "server_kit.h"

/* In order: before our own ID, and behind it. */
#define BEFORE "00000000-2222-3333-4444-555555555555"
#define BEHIND "99999999-2222-3333-4444-555555555555"

static struct server_kit k;
static struct rpc_kit other;
static bool other_has_peers;
static int other_asked;

/* Another server's Status.Peers. */
static void answer_peers(struct call_backend *b, struct call *c)
{
    (void)b;
    assert_ptr_equal(c->endpoint, &endpoints[ENDPOINT_STATUS_PEERS]);
    struct mu_strs *reply = c->reply = mu__arena_calloc(&c->arena, 1, sizeof *reply);
    reply->items = mu__arena_calloc(&c->arena, 1, sizeof *reply->items);
    reply->items[0] = mu__cstr("127.0.0.9:8300");
    reply->len = other_has_peers ? 1 : 0;
    other_asked++;
    call_finish(c);
}

static void open_server(const char *settings)
{
    kit_open(&k, settings);
    kit_init(&other, loop_base(k.loop), NULL);
    other.backend.start = answer_peers;
    other_has_peers = false;
    other_asked = 0;
}

static int expects_two(void **state)
{
    (void)state;
    open_server(", \"bootstrap_expect\": 2");
    return 0;
}

static int bootstraps(void **state)
{
    (void)state;
    open_server(", \"bootstrap\": true");
    return 0;
}

static int expects_nothing(void **state)
{
    (void)state;
    open_server("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close_front(&k);
    kit_fini(&other);
    kit_close(&k);
    return 0;
}

static void server_is_there(const char *name, const char *id, uint16_t port, const char *more)
{
    char tags[256];
    snprintf(tags, sizeof tags, "role=consul dc=dc1 muster=1 id=%s port=%u %s", id, port, more);
    struct agent_member *m = kit_member(name, "127.0.0.1", MEMBER_ALIVE, tags);
    members_apply(&k.members, MEMBER_JOINED, m);
    server_member_changed(k.server, MEMBER_JOINED, m);
}

static bool is_bootstrapped(void)
{
    return raft_node_is_bootstrapped(k.server->raft);
}

static size_t peers(void)
{
    struct raft_node_status st;
    raft_node_status(k.server->raft, &st);
    return st.configuration->n;
}

/* As many turns as an inquiry could want. */
static void settle(void)
{
    for (int i = 0; i < 2000; i++) {
        kit_turn_core(&k);
        kit_turn_front(&k);
    }
}

static void a_server_in_bootstrap_mode_begins_alone(void **state)
{
    (void)state;
    server_is_there("s1", KIT_ID, 8300, "bootstrap=1");
    KIT_UNTIL(&k, is_bootstrapped() && k.led);
    assert_int_equal(peers(), 1);
}

static void others_that_expect_nothing_do_not_keep_it_from_that(void **state)
{
    (void)state;
    server_is_there("s0", BEFORE, other.port, "");
    assert_false(is_bootstrapped()); /* gossip has not shown us to ourselves */
    server_is_there("s1", KIT_ID, 8300, "bootstrap=1");
    KIT_UNTIL(&k, is_bootstrapped());
    assert_int_equal(other_asked, 1);
}

static void it_does_not_begin_beside_a_cluster(void **state)
{
    (void)state;
    other_has_peers = true;
    server_is_there("s0", BEFORE, other.port, "");
    server_is_there("s1", KIT_ID, 8300, "bootstrap=1");
    KIT_UNTIL(&k, other_asked == 1 && !k.server->bootstrap_asked);
    assert_false(is_bootstrapped());
}

static void the_expected_number_begins_when_nobody_has_a_cluster(void **state)
{
    (void)state;
    server_is_there("s1", KIT_ID, 8300, "expect=2");
    assert_false(k.server->bootstrap_asked);
    server_is_there("s2", BEHIND, other.port, "expect=2");
    KIT_UNTIL(&k, is_bootstrapped());
    assert_int_equal(other_asked, 1);
    assert_int_equal(peers(), 2);
}

static void a_server_that_expects_nothing_is_counted(void **state)
{
    (void)state;
    server_is_there("s1", KIT_ID, 8300, "expect=2");
    server_is_there("s0", BEFORE, other.port, "");
    KIT_UNTIL(&k, is_bootstrapped());
    assert_int_equal(peers(), 2);
}

static void only_the_first_server_begins(void **state)
{
    (void)state;
    server_is_there("s1", KIT_ID, 8300, "expect=2");
    server_is_there("s0", BEFORE, other.port, "expect=2");
    settle();
    assert_int_equal(other_asked, 0);
    assert_false(is_bootstrapped());
}

static void a_conflicting_number_stops_it(void **state)
{
    (void)state;
    server_is_there("s1", KIT_ID, 8300, "expect=2");
    server_is_there("s2", BEHIND, other.port, "expect=3");
    settle();
    assert_int_equal(other_asked, 0);
    assert_false(is_bootstrapped());
}

static void servers_of_consul_do_not_count(void **state)
{
    (void)state;
    server_is_there("s1", KIT_ID, 8300, "expect=2");
    struct agent_member *m = kit_member("real", "127.0.0.1", MEMBER_ALIVE,
                                        "role=consul dc=dc1 port=8300 expect=2 id=" BEHIND);
    members_apply(&k.members, MEMBER_JOINED, m);
    server_member_changed(k.server, MEMBER_JOINED, m);
    settle();
    assert_false(k.server->bootstrap_asked);
    assert_false(is_bootstrapped());
}

static void a_cluster_that_is_there_is_waited_for(void **state)
{
    (void)state;
    other_has_peers = true;
    server_is_there("s1", KIT_ID, 8300, "expect=2");
    server_is_there("s2", BEHIND, other.port, "expect=2");
    KIT_UNTIL(&k, other_asked == 1 && !k.server->bootstrap_asked);
    assert_false(is_bootstrapped());
}

static void no_answer_is_no_permission_and_is_asked_for_again(void **state)
{
    (void)state;
    uint16_t port = other.port;
    evconnlistener_free(other.listener);
    other.listener = NULL;
    server_is_there("s1", KIT_ID, 8300, "expect=2");
    server_is_there("s2", BEHIND, port, "expect=2");
    KIT_UNTIL(&k, !k.server->bootstrap_asked);
    assert_false(is_bootstrapped());
    assert_non_null(k.server->bootstrap_timer);
    assert_true(evtimer_pending(k.server->bootstrap_timer, NULL));
}

static void a_front_that_closes_meanwhile_is_no_harm(void **state)
{
    (void)state;
    server_is_there("s1", KIT_ID, 8300, "expect=2");
    server_is_there("s2", BEHIND, other.port, "expect=2");
    assert_true(k.server->bootstrap_asked); /* the question is in the front's mailbox */
    kit_close_front(&k);
    settle();
    assert_false(is_bootstrapped());
}

static void without_a_number_nobody_begins(void **state)
{
    (void)state;
    server_is_there("s1", KIT_ID, 8300, "");
    settle();
    assert_false(is_bootstrapped());
}

int main(void)
{
#define TWO(f) cmocka_unit_test_setup_teardown(f, expects_two, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_in_bootstrap_mode_begins_alone, bootstraps,
                                        teardown),
        cmocka_unit_test_setup_teardown(others_that_expect_nothing_do_not_keep_it_from_that,
                                        bootstraps, teardown),
        cmocka_unit_test_setup_teardown(it_does_not_begin_beside_a_cluster, bootstraps, teardown),
        TWO(the_expected_number_begins_when_nobody_has_a_cluster),
        TWO(a_server_that_expects_nothing_is_counted),
        TWO(only_the_first_server_begins),
        TWO(a_conflicting_number_stops_it),
        TWO(servers_of_consul_do_not_count),
        TWO(a_cluster_that_is_there_is_waited_for),
        TWO(no_answer_is_no_permission_and_is_asked_for_again),
        TWO(a_front_that_closes_meanwhile_is_no_harm),
        cmocka_unit_test_setup_teardown(without_a_number_nobody_begins, expects_nothing, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
