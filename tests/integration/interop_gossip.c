/* Swim nodes in one pool with real Consul agents: a server and a client, two nodes of ours, plain
 * and encrypted. Waits for what must come to pass; nothing is asserted about how long it takes. */
#include "mu_test.h"

#include "consul_world.h"

#include <muster/swim_node.h>

enum { WAIT_TRIES = 600, WAIT_MS = 100, SKIPPED = 77 };

#define KEY_1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_2 "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

struct node {
    struct swim_node *swim;
    char name[16], id[40];
    unsigned key_changes;
    char last_event[128];
};

static struct event_base *base;
static struct world world;
static struct agent server, client;
static struct node a, b;

/* ---- our nodes ---- */

static void on_event(void *user, const struct swim_event *ev)
{
    struct node *n = user;
    n->key_changes += ev->type == SWIM_EVENT_KEYS;
    if (ev->type == SWIM_EVENT_USER) {
        snprintf(n->last_event, sizeof n->last_event, "%.*s", (int)ev->name.len, ev->name.p);
    }
}

static void log_line(void *user, enum mu_level level, const char *line)
{
    fprintf(stderr, "%s [%d] %s\n", ((struct node *)user)->name, (int)level, line);
}

static struct swim_tag tag(const char *key, const char *value)
{
    return (struct swim_tag){{key, strlen(key)}, {value, strlen(value)}};
}

/* A member as a Consul client agent would be. Not a server: the leader would make a Raft peer of
 * it. */
static void node_start_at(struct node *n, const char *name, uint8_t host, uint16_t port,
                          const char *key)
{
    memset(n, 0, sizeof *n);
    snprintf(n->name, sizeof n->name, "%s", name);
    snprintf(n->id, sizeof n->id, "00000000-0000-0000-0000-0000000000%02x", host);
    const struct swim_tag tags[] = {
        tag("role", "node"), tag("dc", "dc1"),       tag("segment", ""),
        tag("id", n->id),    tag("vsn", "2"),        tag("vsn_min", "2"),
        tag("vsn_max", "3"), tag("build", "1.8.7:"), tag("acls", "0")};
    struct swim_node_config cfg;
    char why[256];
    swim_node_config_init(&cfg);
    cfg.base = base;
    cfg.bind = (struct swim_addr){.ip = {127, 0, 0, host}, .len = 4, .port = port};
    cfg.swim.name = n->name;
    cfg.swim.tags = tags;
    cfg.swim.ntags = sizeof tags / sizeof *tags;
    cfg.swim.probe_interval_ns = 200 * MU_MSEC;
    cfg.swim.probe_timeout_ns = 150 * MU_MSEC;
    cfg.swim.gossip_interval_ns = 100 * MU_MSEC;
    cfg.swim.suspicion_mult = 3;
    cfg.swim.leave_propagate_ns = 500 * MU_MSEC;
    cfg.swim.log = getenv("MUSTER_TEST_LOG") ? log_line : NULL;
    cfg.swim.log_level = MU_DEBUG;
    cfg.swim.log_user = n;
    cfg.keys_base64 = &key;
    cfg.nkeys_base64 = key ? 1 : 0;
    cfg.on_event = on_event;
    cfg.user = n;
    if (swim_node_create(&cfg, why, sizeof why, &n->swim) != SWIM_OK) {
        fail_msg("%s: %s", name, why);
    }
}

static void node_start(struct node *n, const char *name, uint8_t host, const char *key)
{
    node_start_at(n, name, host, 0, key);
}

static void node_stop(struct node *n)
{
    swim_node_destroy(n->swim);
    n->swim = NULL;
}

/* ---- waiting ---- */

static void wait_for(const char *what, bool (*cond)(const void *arg), const void *arg)
{
    for (int i = 0; i < WAIT_TRIES; i++) {
        if (cond(arg)) {
            return;
        }
        world_pause(&world, WAIT_MS);
    }
    agent_show_log(&server);
    agent_show_log(&client);
    fail_msg("did not come to pass: %s", what);
}

struct joined {
    bool done;
    char error[512];
};

static void on_joined(void *user, size_t count, const char *error)
{
    struct joined *j = user;
    (void)count;
    j->done = true;
    snprintf(j->error, sizeof j->error, "%s", error ? error : "");
}

static bool is_done(const void *arg)
{
    return ((const struct joined *)arg)->done;
}

static void try_join(struct node *n, const struct agent *to, struct joined *out)
{
    char addr[64];
    const char *list[] = {addr};
    memset(out, 0, sizeof *out);
    snprintf(addr, sizeof addr, "%s:%u", to->ip, to->serf);
    assert_int_equal(swim_node_join(n->swim, list, 1, on_joined, out), SWIM_OK);
    wait_for("the join is over", is_done, out);
}

static void join(struct node *n, const struct agent *to)
{
    struct joined joined;
    try_join(n, to, &joined);
    assert_string_equal(joined.error, "");
}

struct view {
    const struct node *node; /* one of these looks */
    const struct agent *agent;
    const char *name; /* at this member */
    int status;
};

static int status_at_node(const struct node *n, const char *name)
{
    struct swim_member m;
    return swim_find_member(swim_node_core(n->swim), name, &m) ? (int)m.status : -1;
}

static int status_at_agent(const struct agent *agent, const char *name)
{
    json_t *members = agent_http(agent, "GET", "/v1/agent/members", NULL, NULL), *m;
    size_t i;
    int status = -1;
    json_array_foreach(members, i, m)
    {
        const char *this = json_string_value(json_object_get(m, "Name"));
        if (this && strcmp(this, name) == 0) {
            status = (int)json_integer_value(json_object_get(m, "Status"));
        }
    }
    json_decref(members);
    return status;
}

static bool is_seen(const void *arg)
{
    const struct view *v = arg;
    return (v->node ? status_at_node(v->node, v->name) : status_at_agent(v->agent, v->name)) ==
           v->status;
}

static void wait_for_status(const struct node *node, const struct agent *agent, const char *name,
                            int status)
{
    char what[128];
    struct view v = {node, agent, name, status};
    snprintf(what, sizeof what, "%s sees %s with status %d", node ? node->name : agent->name, name,
             status);
    wait_for(what, is_seen, &v);
}

static void wait_until_all_see_all(void)
{
    static const char *const names[] = {"srv1", "cli1", "a", "b"};
    for (size_t i = 0; i < 4; i++) {
        wait_for_status(&a, NULL, names[i], SWIM_STATUS_ALIVE);
        wait_for_status(&b, NULL, names[i], SWIM_STATUS_ALIVE);
        wait_for_status(NULL, &server, names[i], SWIM_STATUS_ALIVE);
        wait_for_status(NULL, &client, names[i], SWIM_STATUS_ALIVE);
    }
}

/* ---- setting ---- */

static void start_pool(const char *key)
{
    char addr[64];
    assert_true(agent_start(&world, &server, "srv1", "127.0.0.2", true, key, NULL));
    snprintf(addr, sizeof addr, "%s:%u", server.ip, server.serf);
    assert_true(agent_start(&world, &client, "cli1", "127.0.0.3", false, key, addr));
    node_start(&a, "a", 4, key);
    node_start(&b, "b", 5, key);
    wait_for_status(NULL, &server, "cli1", SWIM_STATUS_ALIVE);
    join(&a, &server);
    join(&b, &client);
    wait_until_all_see_all();
}

static int stop_pool(void **state)
{
    (void)state;
    node_stop(&a);
    node_stop(&b);
    agent_kill(&client);
    agent_kill(&server);
    return 0;
}

/* ---- tests ---- */

static bool is_passing(const void *arg)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/health/node/%s", (const char *)arg);
    json_t *checks = agent_http(&server, "GET", path, NULL, NULL);
    const char *status = json_string_value(json_object_get(json_array_get(checks, 0), "Status"));
    bool passing = status && strcmp(status, "passing") == 0;
    json_decref(checks);
    return passing;
}

static bool has_event(const void *arg)
{
    return strcmp(((const struct node *)arg)->last_event, "consul:event:deploy") == 0;
}

static bool has_learnt_distance(const void *arg)
{
    struct swim_coordinate c;
    swim_coordinate(swim_node_core(((const struct node *)arg)->swim), &c);
    return c.error < 1.4;
}

static bool has_left(const void *arg)
{
    return swim_has_left(swim_node_core(((const struct node *)arg)->swim));
}

/* An event of Consul's own kind, {ID, n, p, v}, fired by us. */
static void fire_event(struct node *n)
{
    static const char name[] = "consul:event:from-muster";
    static const char payload[] = "\x84\xa2ID\xda\x00\x24"
                                  "00000000-0000-0000-0000-00000000e1e1"
                                  "\xa1n\xab"
                                  "from-muster"
                                  "\xa1p\xa5"
                                  "hello"
                                  "\xa1v\x01";
    assert_int_equal(swim_user_event(swim_node_core(n->swim), swim_node_now(n->swim),
                                     (struct mu_str){name, sizeof name - 1},
                                     (struct mu_str){payload, sizeof payload - 1}, false),
                     SWIM_OK);
    swim_node_flush(n->swim);
}

static bool lists_our_event(const void *arg)
{
    json_t *events = agent_http(arg, "GET", "/v1/event/list?name=from-muster", NULL, NULL);
    const char *payload = json_string_value(json_object_get(json_array_get(events, 0), "Payload"));
    bool listed = payload && strcmp(payload, "aGVsbG8=") == 0; /* hello */
    json_decref(events);
    return listed;
}

static void check_life_together(const char *key)
{
    start_pool(key);
    wait_for("the leader registers a", is_passing, "a");
    wait_for("the leader registers b", is_passing, "b");
    json_decref(agent_http(&client, "PUT", "/v1/event/fire/deploy", "payload", NULL));
    wait_for("a hears of the event", has_event, &a);
    wait_for("b hears of the event", has_event, &b);
    fire_event(&a);
    wait_for("the server lists our event", lists_our_event, &server);
    wait_for("the client lists our event", lists_our_event, &client);
    wait_for("acks carry coordinates", has_learnt_distance, &a);

    agent_kill(&client);
    wait_for_status(&a, NULL, "cli1", SWIM_STATUS_FAILED);
    wait_for_status(&b, NULL, "cli1", SWIM_STATUS_FAILED);
    node_stop(&b);
    wait_for_status(NULL, &server, "b", SWIM_STATUS_FAILED);
    wait_for_status(&a, NULL, "b", SWIM_STATUS_FAILED);
    wait_for_status(&a, NULL, "srv1", SWIM_STATUS_ALIVE);
    swim_node_leave(a.swim, NULL, NULL);
    wait_for_status(NULL, &server, "a", SWIM_STATUS_LEFT);
    wait_for("a is told that it has left", has_left, &a);
}

static void test_a_plain_pool_lives_together(void **state)
{
    (void)state;
    check_life_together(NULL);
}

static void test_an_encrypted_pool_lives_together(void **state)
{
    (void)state;
    check_life_together(KEY_1);
}

static void test_a_leaving_agent_is_seen_as_left_and_force_leave_works_both_ways(void **state)
{
    (void)state;
    start_pool(NULL);
    json_decref(agent_http(&client, "PUT", "/v1/agent/leave", NULL, NULL));
    wait_for_status(&a, NULL, "cli1", SWIM_STATUS_LEFT);
    wait_for_status(&b, NULL, "cli1", SWIM_STATUS_LEFT);
    node_stop(&b);
    wait_for_status(NULL, &server, "b", SWIM_STATUS_FAILED);
    wait_for_status(&a, NULL, "b", SWIM_STATUS_FAILED);
    json_decref(agent_http(&server, "PUT", "/v1/agent/force-leave/b", NULL, NULL));
    wait_for_status(&a, NULL, "b", SWIM_STATUS_LEFT);
    wait_for_status(NULL, &server, "b", SWIM_STATUS_LEFT);
}

static void test_restarts_on_either_side_are_seen(void **state)
{
    (void)state;
    start_pool(NULL);
    agent_kill(&client);
    wait_for_status(&a, NULL, "cli1", SWIM_STATUS_FAILED);
    assert_true(agent_restart(&client)); /* it knows from its snapshot whom to join */
    wait_for_status(&a, NULL, "cli1", SWIM_STATUS_ALIVE);
    wait_for_status(&b, NULL, "cli1", SWIM_STATUS_ALIVE);

    uint16_t port = swim_node_addr(b.swim)->port;
    node_stop(&b);
    wait_for_status(NULL, &server, "b", SWIM_STATUS_FAILED);
    node_start_at(&b, "b", 5, port, NULL); /* with incarnation 1, though all know a higher one */
    join(&b, &server);
    wait_until_all_see_all();
}

/* ---- keys ---- */

struct key_count {
    const char *key;
    int nodes;
};

/* How many members of the LAN pool report the key. */
static bool is_on_all(const void *arg)
{
    const struct key_count *want = arg;
    json_t *rings = agent_http(&server, "GET", "/v1/operator/keyring", NULL, NULL), *ring;
    size_t i;
    int nodes = -1;
    json_array_foreach(rings, i, ring)
    {
        if (!json_is_true(json_object_get(ring, "WAN"))) {
            const json_t *n = json_object_get(json_object_get(ring, "Keys"), want->key);
            nodes = n ? (int)json_integer_value(n) : 0;
        }
    }
    json_decref(rings);
    return nodes == want->nodes;
}

static void change_keys(const char *method, const char *key)
{
    char body[128];
    int status = 0;
    snprintf(body, sizeof body, "{\"Key\": \"%s\"}", key);
    json_decref(agent_http(&server, method, "/v1/operator/keyring", body, &status));
    assert_int_equal(status, 200);
}

static bool has_key_first(const void *arg)
{
    struct mu_str key;
    size_t at = 0;
    const struct node *n = arg;
    return swim_next_key(swim_node_core(n->swim), &at, &key) && key.p[0] == 0x20; /* KEY_2 */
}

static void test_consul_rotates_our_keys_too(void **state)
{
    (void)state;
    start_pool(KEY_1);
    wait_for("all four hold key 1", is_on_all, &(struct key_count){KEY_1, 4});
    change_keys("POST", KEY_2); /* install */
    wait_for("all four hold key 2", is_on_all, &(struct key_count){KEY_2, 4});
    change_keys("PUT", KEY_2); /* use */
    wait_for("a uses key 2", has_key_first, &a);
    wait_for("b uses key 2", has_key_first, &b);
    assert_true(a.key_changes > 0);
    wait_until_all_see_all();
}

static void test_a_wrong_key_or_none_keeps_us_out(void **state)
{
    (void)state;
    struct joined joined;
    assert_true(agent_start(&world, &server, "srv1", "127.0.0.2", true, KEY_1, NULL));
    node_start(&a, "a", 4, KEY_2);
    try_join(&a, &server, &joined);
    assert_non_null(strstr(joined.error, "Failed to join 127.0.0.2: "));
    node_start(&b, "b", 5, NULL);
    try_join(&b, &server, &joined);
    assert_non_null(strstr(joined.error, "Failed to join 127.0.0.2: "));
    assert_int_equal(status_at_agent(&server, "a"), -1);
    assert_int_equal(status_at_agent(&server, "b"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_plain_pool_lives_together, stop_pool),
        cmocka_unit_test_teardown(test_an_encrypted_pool_lives_together, stop_pool),
        cmocka_unit_test_teardown(
            test_a_leaving_agent_is_seen_as_left_and_force_leave_works_both_ways, stop_pool),
        cmocka_unit_test_teardown(test_restarts_on_either_side_are_seen, stop_pool),
        cmocka_unit_test_teardown(test_consul_rotates_our_keys_too, stop_pool),
        cmocka_unit_test_teardown(test_a_wrong_key_or_none_keeps_us_out, stop_pool),
    };
    base = event_base_new();
    if (!base || !world_open(&world, base)) {
        return SKIPPED;
    }
    int failed = cmocka_run_group_tests_name("interop_gossip", tests, NULL, NULL);
    world_close(&world);
    event_base_free(base);
    return failed;
}
