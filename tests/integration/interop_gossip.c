/* Swim nodes in one pool with real Consul agents, plain and encrypted: what either side does, the
 * other sees. */
#include "interop_pool.h"

#include <math.h>

enum { SKIPPED = 77 };

static struct agent *const server = &agents[0], *const cli1 = &agents[1], *const cli2 = &agents[2];
static struct node *const a = &nodes[0], *const c = &nodes[2];

/* ---- who is there ---- */

static bool is_passing(const void *arg)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/health/node/%s", (const char *)arg);
    json_t *checks = agent_http(server, "GET", path, NULL, NULL);
    const char *status = json_string_value(json_object_get(json_array_get(checks, 0), "Status"));
    bool passing = status && strcmp(status, "passing") == 0;
    json_decref(checks);
    return passing;
}

/* Every member's tags are the same to us as to Consul. They are announced anew now and then (a
 * client's `acls`), so this too is waited for. */
static bool are_tags_equal(const void *arg)
{
    bool equal = true;
    (void)arg;
    for (size_t i = 0; i < MEMBERS && equal; i++) {
        json_t *ours = tags_at_node(a, member_names[i]);
        for (size_t k = 0; k < AGENTS && equal; k++) {
            json_t *theirs = tags_at_agent(&agents[k], member_names[i]);
            equal = theirs && json_object_size(theirs) > 5 && json_equal(ours, theirs);
            json_decref(theirs);
        }
        json_decref(ours);
    }
    return equal;
}

static void check_members(void)
{
    for (size_t i = 0; i < NODES; i++) {
        wait_for("the leader registers our node", is_passing, nodes[i].name);
    }
    wait_for("all tags are equal", are_tags_equal, NULL);
}

/* ---- events ---- */

static bool has_event(const void *arg)
{
    return strcmp(((const struct node *)arg)->last_event, "consul:event:deploy") == 0;
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

static void check_events(void)
{
    json_decref(agent_http(cli1, "PUT", "/v1/event/fire/deploy", "payload", NULL));
    for (size_t i = 0; i < NODES; i++) {
        wait_for("our node hears of the event", has_event, &nodes[i]);
    }
    fire_event(a);
    for (size_t i = 0; i < AGENTS; i++) {
        wait_for("the agent lists our event", lists_our_event, &agents[i]);
    }
}

/* ---- coordinates ---- */

static bool has_learnt_distance(const void *arg)
{
    struct swim_coordinate own;
    swim_coordinate(swim_node_core(((const struct node *)arg)->swim), &own);
    return own.error < 1.4;
}

/* All live on one machine: a coordinate further out than a second makes no sense. */
static bool is_plausible(double v)
{
    return isfinite(v) && fabs(v) < 1.0;
}

static bool has_plausible_coordinate(const void *arg)
{
    json_t *self = agent_http(arg, "GET", "/v1/agent/self", NULL, NULL), *v;
    const json_t *coord = json_object_get(self, "Coord");
    double error = json_real_value(json_object_get(coord, "Error"));
    bool plausible = error > 0 && error < 1.5 &&
                     is_plausible(json_real_value(json_object_get(coord, "Height"))) &&
                     is_plausible(json_real_value(json_object_get(coord, "Adjustment")));
    size_t i;
    json_array_foreach(json_object_get(coord, "Vec"), i, v)
    {
        plausible = plausible && is_plausible(json_real_value(v));
    }
    json_decref(self);
    return plausible;
}

static bool knows_distances(const void *arg)
{
    const struct swim *s = swim_node_core(((const struct node *)arg)->swim);
    for (size_t i = 1; i < MEMBERS; i++) {
        uint64_t rtt;
        if (swim_rtt(s, member_names[0], member_names[i], &rtt) != SWIM_OK || rtt > MU_SEC) {
            return false;
        }
    }
    return true;
}

static void check_coordinates(void)
{
    wait_for("acks carry coordinates", has_learnt_distance, a);
    wait_for("we can tell the distances between all", knows_distances, a);
    for (size_t i = 0; i < AGENTS; i++) {
        wait_for("Consul's coordinates are plausible", has_plausible_coordinate, &agents[i]);
    }
}

/* ---- questions ---- */

struct heard {
    uint32_t acks;
    bool over;
};

static void on_answer(void *user, const struct swim_node_answer *answer)
{
    struct heard *h = user;
    h->acks += answer->kind == SWIM_NODE_ACK;
    h->over = h->over || answer->kind == SWIM_NODE_DONE;
}

static bool have_all_acked(const void *arg)
{
    return ((const struct heard *)arg)->acks == MEMBERS;
}

static bool is_over(const void *arg)
{
    return ((const struct heard *)arg)->over;
}

static void check_questions(void)
{
    struct heard h = {0};
    struct swim_question q;
    uint32_t id;
    swim_question_init(&q);
    q.name = (struct mu_str){"_serf_ping", 10};
    q.want_acks = true;
    q.relay_factor = 2; /* through Consul agents as well: each counts once all the same */
    assert_int_equal(swim_node_ask(a->swim, &q, on_answer, &h, &id), SWIM_OK);
    wait_for("all six acknowledge our question", have_all_acked, &h);
    swim_ask_end(swim_node_core(a->swim), swim_node_now(a->swim), id);
    swim_node_flush(a->swim);
    wait_for("the question is over", is_over, &h);
}

/* ---- keys ---- */

struct key_count {
    const char *key;
    int nodes;
};

/* How many members of the LAN pool report the key to Consul. */
static bool is_on_all(const void *arg)
{
    const struct key_count *want = arg;
    json_t *rings = agent_http(server, "GET", "/v1/operator/keyring", NULL, NULL), *ring;
    size_t i;
    int have = -1;
    json_array_foreach(rings, i, ring)
    {
        if (!json_is_true(json_object_get(ring, "WAN"))) {
            const json_t *n = json_object_get(json_object_get(ring, "Keys"), want->key);
            have = n ? (int)json_integer_value(n) : 0;
        }
    }
    json_decref(rings);
    return have == want->nodes;
}

static void consul_changes_keys(const char *method, const char *key)
{
    char body[128];
    int status = 0;
    snprintf(body, sizeof body, "{\"Key\": \"%s\"}", key);
    json_decref(agent_http(server, method, "/v1/operator/keyring", body, &status));
    assert_int_equal(status, 200);
}

static bool has_key_first(const void *arg)
{
    struct mu_str key;
    size_t at = 0;
    const struct node *n = arg;
    return swim_next_key(swim_node_core(n->swim), &at, &key) && key.p[0] == 0x20; /* KEY_2 */
}

struct outcome {
    bool done;
    int err;
    size_t answers, nkeys;
    char text[256];
};

static void on_keys(void *user, int err, const struct swim_key_result *r)
{
    struct outcome *o = user;
    *o = (struct outcome){.done = true, .err = err, .answers = r ? r->answers : 0};
    o->nkeys = r ? r->nkeys : 0;
    if (r && r->nmessages > 0) {
        snprintf(o->text, sizeof o->text, "%s: %s", r->messages[0].node.p, r->messages[0].text.p);
    }
}

static bool is_changed(const void *arg)
{
    return ((const struct outcome *)arg)->done;
}

static struct outcome we_change_keys(enum swim_key_change change, const char *key)
{
    struct outcome o = {0};
    assert_int_equal(swim_node_change_keys(a->swim, change, key, 0, on_keys, &o), SWIM_OK);
    wait_for("our change of keys is over", is_changed, &o);
    return o;
}

/* Consul brings a new key in, and we take the old one out. */
static void check_rotation(void)
{
    wait_for("all hold key 1", is_on_all, &(struct key_count){KEY_1, MEMBERS});
    consul_changes_keys("POST", KEY_2); /* install */
    wait_for("all hold key 2", is_on_all, &(struct key_count){KEY_2, MEMBERS});
    consul_changes_keys("PUT", KEY_2); /* use */
    for (size_t i = 0; i < NODES; i++) {
        wait_for("our node uses key 2", has_key_first, &nodes[i]);
        assert_true(nodes[i].key_changes > 0);
    }
    struct outcome o = we_change_keys(SWIM_KEY_REMOVE, KEY_2); /* the primary of all */
    assert_int_equal(o.err, SWIM_EREMOTE);
    assert_non_null(strstr(o.text, "emoving the primary key is not allowed"));
    o = we_change_keys(SWIM_KEY_REMOVE, KEY_1);
    assert_int_equal(o.err, SWIM_OK);
    o = we_change_keys(SWIM_KEY_LIST, NULL);
    assert_int_equal(o.err, SWIM_OK);
    assert_int_equal(o.answers, MEMBERS);
    assert_int_equal(o.nkeys, 1);
    wait_for("nobody holds key 1", is_on_all, &(struct key_count){KEY_1, 0});
    wait_until_all_see_all();
}

/* ---- coming and going ---- */

static void kill_both(void)
{
    agent_kill(cli2);
    node_stop(c);
    wait_for_status("cli2", SWIM_STATUS_FAILED);
    wait_for_status("c", SWIM_STATUS_FAILED);
}

static void bring_back(const char *key)
{
    assert_true(agent_restart(cli2)); /* it knows from its files whom to join, and its keys */
    node_start(2, key);               /* with incarnation 1, though all know a higher one */
    node_join(c, cli1);
    wait_until_all_see_all();
}

static bool has_left(const void *arg)
{
    return swim_has_left(swim_node_core(((const struct node *)arg)->swim));
}

static void leave_both(void)
{
    swim_node_leave(c->swim, NULL, NULL);
    json_decref(agent_http(cli2, "PUT", "/v1/agent/leave", NULL, NULL));
    wait_for("c is told that it has left", has_left, c);
    agent_kill(cli2);
    node_stop(c);
    wait_for_status("cli2", SWIM_STATUS_LEFT);
    wait_for_status("c", SWIM_STATUS_LEFT);
}

static void check_coming_and_going(const char *key)
{
    kill_both();
    bring_back(key);
    leave_both();
    bring_back(key);
}

/* Either side has the other's dead taken for gone. */
static void check_force_leave(void)
{
    kill_both();
    json_decref(agent_http(server, "PUT", "/v1/agent/force-leave/c", NULL, NULL));
    assert_int_equal(
        swim_force_leave(swim_node_core(a->swim), swim_node_now(a->swim), "cli2", false), SWIM_OK);
    swim_node_flush(a->swim);
    wait_for_status("c", SWIM_STATUS_LEFT);
    wait_for_status("cli2", SWIM_STATUS_LEFT);
    wait_for_status("srv1", SWIM_STATUS_ALIVE);
    wait_for_status("b", SWIM_STATUS_ALIVE);
}

/* ---- tests ---- */

static void test_a_plain_pool_lives_together(void **state)
{
    (void)state;
    pool_start(NULL);
    check_members();
    check_events();
    check_coordinates();
    check_questions();
    check_coming_and_going(NULL);
    check_force_leave();
}

static void test_an_encrypted_pool_lives_together_and_changes_its_keys(void **state)
{
    (void)state;
    pool_start(KEY_1);
    check_members();
    check_events();
    check_rotation();
    check_questions();
    check_coming_and_going(KEY_2);
    check_force_leave();
}

static void test_a_wrong_key_or_none_keeps_us_out(void **state)
{
    (void)state;
    struct joined joined;
    assert_true(agent_start(&world, server, "srv1", "127.0.0.2", true, KEY_1, NULL));
    node_start(0, KEY_2);
    node_try_join(a, server, &joined);
    assert_non_null(strstr(joined.error, "Failed to join 127.0.0.2: "));
    node_start(1, NULL);
    node_try_join(&nodes[1], server, &joined);
    assert_non_null(strstr(joined.error, "Failed to join 127.0.0.2: "));
    assert_int_equal(status_at_agent(server, "a"), -1);
    assert_int_equal(status_at_agent(server, "b"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_plain_pool_lives_together, pool_stop),
        cmocka_unit_test_teardown(test_an_encrypted_pool_lives_together_and_changes_its_keys,
                                  pool_stop),
        cmocka_unit_test_teardown(test_a_wrong_key_or_none_keeps_us_out, pool_stop),
    };
    struct event_base *base = event_base_new();
    if (!base || !world_open(&world, base)) {
        return SKIPPED;
    }
    int failed = cmocka_run_group_tests_name("interop_gossip", tests, NULL, NULL);
    world_close(&world);
    event_base_free(base);
    return failed;
}
