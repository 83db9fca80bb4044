/* Mirrors daemons/server/operator.c and upkeep.c: what operators are told of Raft and autopilot,
 * and what they and the leader change. */
#include "mu_test.h"

#include "server_kit.h"

#define OTHER_ID    "22222222-2222-3333-4444-555555555555"
#define SERVER_TAGS "role=consul dc=dc1 port=8300 raft_vsn=3 build=1.8.7:x muster=1 "

static struct server_kit k;

static int setup(void **state)
{
    (void)state;
    kit_open(&k, ", \"autopilot\": {\"server_stabilization_time\": \"0s\", "
                 "\"max_trailing_logs\": 99}");
    kit_elect(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

static void gossip_says(enum member_change change, const char *name, const char *address,
                        uint64_t status, const char *tags)
{
    struct agent_member *m = kit_member(name, address, status, tags);
    members_apply(&k.members, change, m);
    server_member_changed(k.server, change, m);
}

/* What became of a call; the reply is looked at while it is lent. */
static struct {
    int done;
    char error[512];
    bool flag, healthy, leader, voter;
    size_t len;
    int64_t gossip, contact, tolerance;
    char id[64], name[64], address[64], version[64];
    uint64_t term, index;
    struct catalog_autopilot_config config;
} got;

#define KEEP(field, s) snprintf(got.field, sizeof got.field, "%.*s", (int)(s).len, (s).p)

static void note_raft(const struct catalog_raft_configuration *r)
{
    got.len = r->servers.len;
    if (r->servers.len) {
        const struct catalog_raft_server *s = r->servers.items[r->servers.len - 1];
        KEEP(id, s->id);
        KEEP(name, s->node);
        KEEP(address, s->address);
        KEEP(version, s->protocol_version);
        got.leader = s->leader;
        got.voter = s->voter;
    }
}

static void note_health(const struct catalog_operator_health *r)
{
    got.len = r->servers.len;
    got.flag = r->healthy;
    got.tolerance = r->failure_tolerance;
    if (r->servers.len) {
        const struct catalog_server_health *s = r->servers.items[r->servers.len - 1];
        KEEP(id, s->id);
        KEEP(name, s->name);
        KEEP(address, s->address);
        KEEP(version, s->version);
        got.healthy = s->healthy;
        got.voter = s->voter;
        got.leader = s->leader;
        got.gossip = s->serf_status;
        got.contact = s->last_contact_ns;
        got.term = s->last_term;
        got.index = s->last_index;
        assert_true(s->stable_since.since_year1_s > MU_YEAR1_TO_UNIX_S);
    }
}

static void note(struct call *c, void *arg)
{
    (void)arg;
    assert_int_equal(got.done, 0);
    got.done = 1;
    if (c->error) {
        snprintf(got.error, sizeof got.error, "%s", c->error);
    } else if (c->endpoint == &endpoints[ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION]) {
        note_raft(c->reply);
    } else if (c->endpoint == &endpoints[ENDPOINT_OPERATOR_SERVER_HEALTH]) {
        note_health(c->reply);
    } else if (c->endpoint == &endpoints[ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION]) {
        got.config = *(const struct catalog_autopilot_config *)c->reply;
    } else if (c->endpoint == &endpoints[ENDPOINT_OPERATOR_AUTOPILOT_SET_CONFIGURATION]) {
        got.flag = *(const bool *)c->reply;
    } else if (c->endpoint == &endpoints[ENDPOINT_STATUS_RAFT_STATS]) {
        const struct catalog_raft_stats *r = c->reply;
        KEEP(version, r->last_contact);
        got.term = r->last_term;
        got.index = r->last_index;
    }
}

static struct call *make(enum endpoint_id id)
{
    memset(&got, 0, sizeof got);
    struct call *c = call_create(&endpoints[id], 0, note, NULL);
    assert_non_null(c);
    struct mu_str *datacenter = endpoint_datacenter(&endpoints[id], c->request);
    if (datacenter) {
        *datacenter = mu__cstr("dc1");
    }
    return c;
}

static void finish(struct server_kit *kit, struct call *c)
{
    call_start(kit->backend, c);
    kit_until(kit, &got.done);
}

static void ask(enum endpoint_id id)
{
    finish(&k, make(id));
}

static void i_am_alive(void)
{
    gossip_says(MEMBER_JOINED, "s1", "127.0.0.1", MEMBER_ALIVE, SERVER_TAGS "id=" KIT_ID);
}

static void servers_are_listed_with_what_gossip_calls_them(void **state)
{
    (void)state;
    ask(ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION);
    assert_int_equal(got.len, 1);
    assert_string_equal(got.name, "(unknown)");
    assert_string_equal(got.version, "unknown");
    i_am_alive();
    ask(ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION);
    assert_string_equal(got.id, KIT_ID);
    assert_string_equal(got.name, "s1");
    assert_string_equal(got.address, "127.0.0.1:8300");
    assert_string_equal(got.version, "3");
    assert_true(got.leader);
    assert_true(got.voter);
}

static void health_follows_the_last_look(void **state)
{
    (void)state;
    server__upkeep(k.server);
    ask(ENDPOINT_OPERATOR_SERVER_HEALTH);
    assert_int_equal(got.len, 1);
    assert_false(got.flag); /* gossip does not know it */
    i_am_alive();
    server__upkeep(k.server);
    ask(ENDPOINT_OPERATOR_SERVER_HEALTH);
    assert_true(got.flag);
    assert_true(got.healthy);
    assert_true(got.voter);
    assert_true(got.leader);
    assert_int_equal(got.gossip, 1);
    assert_int_equal(got.contact, 0);
    assert_int_equal(got.tolerance, 0);
    assert_string_equal(got.version, "1.8.7");
    assert_string_equal(got.address, "127.0.0.1:8300");
    assert_true(got.term > 0 && got.index > 0);
}

static void a_peer_is_told_how_far_the_log_is(void **state)
{
    (void)state;
    ask(ENDPOINT_STATUS_RAFT_STATS);
    assert_string_equal(got.version, "0");
    assert_true(got.term > 0 && got.index > 0);
}

static void the_first_configuration_comes_from_the_file(void **state)
{
    (void)state;
    ask(ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION);
    assert_true(got.config.cleanup_dead_servers);
    assert_int_equal(got.config.max_trailing_logs, 99);
    assert_int_equal(got.config.last_contact_threshold_ns, 200 * MU_MSEC);
    assert_int_equal(got.config.server_stabilization_time_ns, 0);
    assert_true(got.config.create_index > 0);
}

static void set_config(uint64_t max_trailing_logs, bool cas, uint64_t index)
{
    struct call *c = make(ENDPOINT_OPERATOR_AUTOPILOT_SET_CONFIGURATION);
    struct catalog_autopilot_set_request *q = c->request;
    q->config.max_trailing_logs = max_trailing_logs;
    q->config.modify_index = index;
    q->cas = cas;
    finish(&k, c);
    assert_string_equal(got.error, "");
}

static void operators_set_it_and_the_leader_does_not_undo_that(void **state)
{
    (void)state;
    set_config(5, false, 0);
    assert_false(got.flag); /* says nothing without cas */
    set_config(6, true, 1);
    assert_false(got.flag);
    server__upkeep(k.server);
    ask(ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION);
    assert_int_equal(got.config.max_trailing_logs, 5);
    set_config(6, true, got.config.modify_index);
    assert_true(got.flag);
    server__upkeep_begin(k.server); /* a new leadership */
    ask(ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION);
    assert_int_equal(got.config.max_trailing_logs, 6);
}

static void remove_peer(enum endpoint_id id, const char *text)
{
    struct call *c = make(id);
    struct catalog_raft_remove_request *q = c->request;
    q->id = q->address = mu__cstr(text);
    finish(&k, c);
}

static void only_a_server_of_raft_can_be_removed(void **state)
{
    (void)state;
    remove_peer(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID, "127.0.0.1:8300");
    assert_string_equal(got.error, "id \"127.0.0.1:8300\" was not found in the Raft configuration");
    remove_peer(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ADDRESS, KIT_ID);
    assert_string_equal(got.error,
                        "address \"" KIT_ID "\" was not found in the Raft configuration");
    remove_peer(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID, "");
    assert_string_equal(got.error, "id \"\" was not found in the Raft configuration");
    char long_text[600];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    remove_peer(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID, long_text);
    assert_non_null(strstr(got.error, "was not found"));
    struct call *c = make(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID);
    ((struct catalog_raft_remove_request *)c->request)->id =
        (struct mu_str){KIT_ID "\0x", sizeof KIT_ID + 1};
    finish(&k, c);
    assert_string_equal(got.error, "id \"\" was not found in the Raft configuration");
}

static void the_last_voter_cannot_be_removed(void **state)
{
    (void)state;
    remove_peer(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID, KIT_ID);
    assert_string_equal(got.error, "Need at least one voter in configuration: {[]}");
}

static size_t peers(void)
{
    struct raft_node_status st;
    raft_node_status(k.server->raft, &st);
    return st.configuration->n;
}

static void an_operator_removes_a_server(void **state)
{
    (void)state;
    gossip_says(MEMBER_JOINED, "s2", "127.0.0.2", MEMBER_ALIVE, SERVER_TAGS "id=" OTHER_ID);
    KIT_UNTIL(&k, peers() == 2);
    ask(ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION);
    assert_string_equal(got.name, "s2");
    assert_false(got.voter);
    remove_peer(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ADDRESS, "127.0.0.2:8300");
    assert_string_equal(got.error, "");
    assert_int_equal(peers(), 1);
    assert_string_equal(k.dead, ""); /* what gossip thinks is another matter */
}

static void a_server_that_never_answers_does_not_vote_and_goes_when_it_fails(void **state)
{
    (void)state;
    i_am_alive();
    gossip_says(MEMBER_JOINED, "s2", "127.0.0.2", MEMBER_ALIVE, SERVER_TAGS "id=" OTHER_ID);
    KIT_UNTIL(&k, peers() == 2);
    for (int i = 0; i < 5; i++) {
        server__upkeep(k.server);
    }
    ask(ENDPOINT_OPERATOR_SERVER_HEALTH);
    assert_int_equal(got.len, 2);
    assert_false(got.flag);
    assert_false(got.healthy);
    assert_false(got.voter);
    assert_int_equal(got.contact, -1);
    gossip_says(MEMBER_DID_FAIL, "s2", "127.0.0.2", MEMBER_FAILED, SERVER_TAGS "id=" OTHER_ID);
    KIT_UNTIL(&k, (server__upkeep(k.server), peers() == 1));
    assert_string_equal(k.dead, "s2");
}

static void a_call_that_is_given_up_meanwhile_is_forgotten(void **state)
{
    (void)state;
    struct call *c = make(ENDPOINT_OPERATOR_SERVER_HEALTH);
    call_start(k.backend, c);
    call_cancel(c);
    struct outcome o;
    kit_put(&k, "a", "b", &o); /* goes the same way, behind it */
    kit_until(&k, &o.done);
    assert_int_equal(got.done, 0);
}

static void without_a_leader_only_stale_answers(void **state)
{
    (void)state;
    struct server_kit f;
    kit_open(&f, ", \"performance\": {\"rpc_hold_timeout\": \"30ms\"}");
    struct call *c = make(ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION);
    ((struct catalog_dc_request *)c->request)->options.allow_stale = true;
    finish(&f, c);
    assert_string_equal(got.error, "");
    assert_int_equal(got.len, 0);
    finish(&f, make(ENDPOINT_STATUS_RAFT_STATS));
    assert_string_equal(got.version, "never");
    static const enum endpoint_id others[] = {
        ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION, ENDPOINT_OPERATOR_SERVER_HEALTH,
        ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION, ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        finish(&f, make(others[i]));
        assert_string_equal(got.error, "No cluster leader");
    }
    kit_close(&f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(servers_are_listed_with_what_gossip_calls_them),
        T(health_follows_the_last_look),
        T(a_peer_is_told_how_far_the_log_is),
        T(the_first_configuration_comes_from_the_file),
        T(operators_set_it_and_the_leader_does_not_undo_that),
        T(only_a_server_of_raft_can_be_removed),
        T(the_last_voter_cannot_be_removed),
        T(an_operator_removes_a_server),
        T(a_server_that_never_answers_does_not_vote_and_goes_when_it_fails),
        T(a_call_that_is_given_up_meanwhile_is_forgotten),
        T(without_a_leader_only_stale_answers),
    };
    return cmocka_run_group_tests_name("operator", tests, NULL, NULL);
}
