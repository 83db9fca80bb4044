/* Mirrors daemons/server/leader.c: what gossip tells becomes catalog entries and Raft membership
 * (gossip wire 12.4). */
#include "mu_test.h"

#include "server_kit.h"

#define OTHER_ID    "22222222-2222-3333-4444-555555555555"
#define SERVER_TAGS "role=consul dc=dc1 port=8300 raft_vsn=3 build=1.8.7:x muster=1 "

static struct server_kit k;

static int setup(void **state)
{
    (void)state;
    kit_open(&k, "");
    kit_elect(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

/* Waits until all that was proposed so far has been applied. */
static void settle(void)
{
    struct outcome o;
    kit_put(&k, "settle", "x", &o);
    kit_until(&k, &o.done);
    assert_string_equal(o.error, "");
}

static void gossip_says(enum member_change change, const char *name, const char *address,
                        uint64_t status, const char *tags)
{
    struct agent_member *m = kit_member(name, address, status, tags);
    if (change == MEMBER_REAPED) { /* as the process does it: the server hears of it first */
        server_member_changed(k.server, change, m);
        members_apply(&k.members, change, m);
    } else {
        members_apply(&k.members, change, m);
        server_member_changed(k.server, change, m);
    }
}

static void client(enum member_change change, uint64_t status)
{
    gossip_says(change, "c1", "10.0.0.7", status, "role=node dc=dc1 id=" OTHER_ID);
}

static struct catalog_reader *open_reader(void)
{
    catalog_read_begin(k.server->reader);
    return k.server->reader;
}

static void close_reader(void)
{
    catalog_read_end(k.server->reader);
}

static void assert_health(const char *node, const char *status)
{
    const struct catalog_check *c =
        catalog_find_check(open_reader(), mu__cstr(node), mu__cstr("serfHealth"));
    if (status) {
        assert_non_null(c);
        assert_true(mu__str_eq(c->status, mu__cstr(status)));
        assert_true(mu__str_eq(c->name, mu__cstr("Serf Health Status")));
        assert_true(mu__str_eq(c->output, mu__cstr(strcmp(status, "passing") == 0
                                                       ? "Agent alive and reachable"
                                                       : "Agent not live or unreachable")));
    } else {
        assert_null(c);
        assert_null(catalog_find_node(k.server->reader, mu__cstr(node)));
    }
    close_reader();
}

static size_t peers(void)
{
    struct raft_node_status st;
    raft_node_status(k.server->raft, &st);
    return st.configuration->n;
}

static void a_member_is_registered_and_follows_its_health(void **state)
{
    (void)state;
    client(MEMBER_JOINED, MEMBER_ALIVE);
    settle();
    assert_health("c1", "passing");
    const struct catalog_node *n = catalog_find_node(open_reader(), mu__cstr("c1"));
    assert_true(mu__str_eq(n->address, mu__cstr("10.0.0.7")));
    assert_true(mu__str_eq(n->id, mu__cstr(OTHER_ID)));
    assert_null(catalog_find_service(k.server->reader, mu__cstr("c1"), mu__cstr("consul")));
    close_reader();
    client(MEMBER_DID_FAIL, MEMBER_FAILED);
    settle();
    assert_health("c1", "critical");
    client(MEMBER_JOINED, MEMBER_ALIVE);
    settle();
    assert_health("c1", "passing");
    client(MEMBER_DID_LEAVE, MEMBER_LEFT);
    settle();
    assert_health("c1", NULL);
    assert_int_equal(peers(), 1);
}

static void an_unchanged_member_writes_nothing(void **state)
{
    (void)state;
    client(MEMBER_JOINED, MEMBER_ALIVE);
    settle();
    raft_index before = raft_node_applied_index(k.server->raft);
    client(MEMBER_UPDATED, MEMBER_ALIVE);
    settle();
    assert_int_equal(raft_node_applied_index(k.server->raft), before + 1); /* settle's own */
}

static void a_failure_of_an_unknown_node_registers_nothing(void **state)
{
    (void)state;
    client(MEMBER_DID_FAIL, MEMBER_FAILED);
    settle();
    assert_health("c1", NULL);
}

static void a_reaped_member_is_forgotten_at_once(void **state)
{
    (void)state;
    client(MEMBER_JOINED, MEMBER_ALIVE);
    client(MEMBER_DID_FAIL, MEMBER_FAILED);
    settle();
    client(MEMBER_REAPED, MEMBER_FAILED);
    settle();
    assert_health("c1", NULL);
    assert_int_equal(members_count(&k.members), 0);
}

static void a_server_is_registered_with_the_service_consul(void **state)
{
    (void)state;
    gossip_says(MEMBER_JOINED, "s1", "127.0.0.1", MEMBER_ALIVE, SERVER_TAGS "id=" KIT_ID);
    settle();
    const struct catalog_node_service *s =
        catalog_find_service(open_reader(), mu__cstr("s1"), mu__cstr("consul"));
    assert_non_null(s);
    assert_int_equal(s->port, 8300);
    assert_true(mu__str_eq(mu__strmap_get(&s->meta, "version"), mu__cstr("1.8.7")));
    assert_true(mu__str_eq(mu__strmap_get(&s->meta, "raft_version"), mu__cstr("3")));
    assert_true(mu__str_eq(mu__strmap_get(&s->meta, "non_voter"), mu__cstr("false")));
    assert_true(mu__str_eq(mu__strmap_get(&s->meta, "serf_protocol_current"), mu__cstr("2")));
    assert_true(mu__str_eq(mu__strmap_get(&s->meta, "serf_protocol_max"), mu__cstr("5")));
    close_reader();
    assert_int_equal(peers(), 1);
}

static void a_leader_that_leaves_does_not_forget_itself(void **state)
{
    (void)state;
    gossip_says(MEMBER_JOINED, "s1", "127.0.0.1", MEMBER_ALIVE, SERVER_TAGS "id=" KIT_ID);
    settle();
    gossip_says(MEMBER_DID_LEAVE, "s1", "127.0.0.1", MEMBER_LEFT, SERVER_TAGS "id=" KIT_ID);
    settle();
    assert_health("s1", "passing");
    assert_int_equal(peers(), 1);
}

static void a_second_server_becomes_a_peer_without_a_vote(void **state)
{
    (void)state;
    gossip_says(MEMBER_JOINED, "s2", "127.0.0.2", MEMBER_ALIVE, SERVER_TAGS "id=" OTHER_ID);
    KIT_UNTIL(&k, peers() == 2);
    struct raft_node_status st;
    raft_node_status(k.server->raft, &st);
    assert_int_equal(st.peer_count, 0); /* of voters */
    settle();                           /* one voter is a majority still */
}

static void a_server_of_consul_is_no_peer(void **state)
{
    (void)state;
    gossip_says(MEMBER_JOINED, "s2", "127.0.0.2", MEMBER_ALIVE,
                "role=consul dc=dc1 port=8300 raft_vsn=3 build=1.8.7:x id=" OTHER_ID);
    settle();
    assert_health("s2", "passing");
    assert_int_equal(peers(), 1);
}

static void two_clusters_that_meet_stay_two(void **state)
{
    (void)state;
    gossip_says(MEMBER_JOINED, "s1", "127.0.0.1", MEMBER_ALIVE,
                SERVER_TAGS "bootstrap=1 id=" KIT_ID);
    gossip_says(MEMBER_JOINED, "s2", "127.0.0.2", MEMBER_ALIVE,
                SERVER_TAGS "bootstrap=1 id=" OTHER_ID);
    settle();
    assert_int_equal(peers(), 1);
}

static void nobody_takes_the_leaders_own_address(void **state)
{
    (void)state;
    gossip_says(MEMBER_JOINED, "s2", "127.0.0.1", MEMBER_ALIVE, SERVER_TAGS "id=" OTHER_ID);
    settle();
    assert_int_equal(peers(), 1);
    assert_true(raft_node_is_leader(k.server->raft));
}

static void another_round(void)
{
    k.server->change_waits = true;
    server__configuration_changed(k.server);
}

/* What only a round finds: a new leader that was not there when a member was reaped. */
static void nodes_unknown_to_gossip_go_after_a_minute(void **state)
{
    (void)state;
    client(MEMBER_JOINED, MEMBER_ALIVE);
    settle();
    struct agent_member *m = kit_member("c1", "10.0.0.7", MEMBER_FAILED, "");
    members_apply(&k.members, MEMBER_REAPED, m); /* behind the leader's back */
    another_round();
    settle();
    assert_health("c1", "passing"); /* gossip may yet find it */
    k.server->leader_since_ns = 1;
    another_round();
    settle();
    assert_health("c1", NULL);
}

static void what_the_agent_registered_stays(void **state)
{
    (void)state;
    struct outcome o;
    struct mu_pair meta = {mu__cstr("rack"), mu__cstr("7")};
    struct catalog_register_request *q = kit_call(&k, ENDPOINT_CATALOG_REGISTER, &o)->request;
    q->node = mu__cstr("c1");
    q->address = mu__cstr("10.0.0.6"); /* it has moved since */
    q->node_meta = (struct mu_strmap){&meta, 1};
    kit_start(&k, &o);
    client(MEMBER_JOINED, MEMBER_ALIVE);
    settle();
    client(MEMBER_UPDATED, MEMBER_ALIVE); /* again, now that the registration is there */
    settle();
    const struct catalog_node *n = catalog_find_node(open_reader(), mu__cstr("c1"));
    assert_true(mu__str_eq(n->address, mu__cstr("10.0.0.7")));
    assert_true(mu__str_eq(mu__strmap_get(&n->meta, "rack"), mu__cstr("7")));
    close_reader();
    assert_health("c1", "passing");
}

static void a_follower_writes_nothing(void **state)
{
    (void)state;
    struct server_kit f;
    kit_open(&f, "");
    struct agent_member *m =
        kit_member("c1", "10.0.0.7", MEMBER_ALIVE, "role=node dc=dc1 id=" OTHER_ID);
    members_apply(&f.members, MEMBER_JOINED, m);
    server_member_changed(f.server, MEMBER_JOINED, m);
    for (int i = 0; i < 10; i++) {
        kit_turn_core(&f);
    }
    assert_int_equal(raft_node_applied_index(f.server->raft), 0);
    kit_close(&f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_member_is_registered_and_follows_its_health),
        T(an_unchanged_member_writes_nothing),
        T(a_failure_of_an_unknown_node_registers_nothing),
        T(a_reaped_member_is_forgotten_at_once),
        T(a_server_is_registered_with_the_service_consul),
        T(a_leader_that_leaves_does_not_forget_itself),
        T(a_second_server_becomes_a_peer_without_a_vote),
        T(a_server_of_consul_is_no_peer),
        T(two_clusters_that_meet_stay_two),
        T(nobody_takes_the_leaders_own_address),
        T(nodes_unknown_to_gossip_go_after_a_minute),
        T(what_the_agent_registered_stays),
        T(a_follower_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
