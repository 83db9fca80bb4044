/* Mirrors daemons/server/pool.c: what a server does in the gossip pool for others. */
#include "mu_test.h"

#include "server_kit.h"

#include <string.h>

static struct server_kit k;

/* What the pool was asked, and what it answers. */
static struct {
    char name[600], payload[600], key[600];
    enum swim_key_change change;
    unsigned relay_factor, calls;
    const char *error;
} pool;

static void fire(void *user, struct mu_str name, struct mu_str payload, gossip_done_fn done,
                 void *arg)
{
    (void)user;
    pool.calls++;
    snprintf(pool.name, sizeof pool.name, "%.*s", (int)name.len, name.p);
    snprintf(pool.payload, sizeof pool.payload, "%.*s", (int)payload.len, payload.p);
    done(arg, pool.error);
}

static void change_keys(void *user, enum swim_key_change what, struct mu_str key,
                        uint8_t relay_factor, gossip_keys_fn done, void *arg)
{
    struct mu_pair told = {{"s1", 2}, {"why", 3}};
    (void)user;
    pool.calls++;
    pool.change = what;
    pool.relay_factor = relay_factor;
    snprintf(pool.key, sizeof pool.key, "%.*s", (int)key.len, key.p);
    done(arg, &(struct catalog_keyring_response){.datacenter = mu__cstr("dc1"),
                                                 .messages = {&told, 1},
                                                 .keys = mu__cstr("\x81\xa1k\x01"),
                                                 .primary_keys = mu__cstr("\x80"),
                                                 .num_nodes = 1,
                                                 .error = mu__cstr(pool.error ? pool.error : "")});
}

static int setup(void **state)
{
    (void)state;
    memset(&pool, 0, sizeof pool);
    kit_open(&k, "");
    kit_elect(&k);
    k.server->pool = (struct server_pool){fire, change_keys};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

static struct {
    int done;
    char error[512], json[1024];
} got;

static void note(struct call *c, void *arg)
{
    (void)arg;
    got.done = 1;
    snprintf(got.error, sizeof got.error, "%s", c->error ? c->error : "");
    got.json[0] = '\0';
    if (!c->error && c->endpoint == &endpoints[ENDPOINT_INTERNAL_KEYRING_OPERATION]) {
        const struct catalog_keyring_responses *r = c->reply;
        struct mu__writer w = mu__writer_fixed(got.json, sizeof got.json - 1);
        struct mu__json j = mu__json(&w, false);
        assert_int_equal(r->responses.len, 1);
        mu__json_value(&j, catalog_schema(CATALOG_KEYRING_RESPONSE), r->responses.items[0]);
        got.json[w.len] = '\0';
    }
}

static void finish(struct call *c)
{
    memset(&got, 0, sizeof got);
    call_start(k.backend, c);
    kit_until(&k, &got.done);
}

static void fire_event(const char *datacenter, const char *name, const char *payload)
{
    struct call *c = call_create(&endpoints[ENDPOINT_INTERNAL_EVENT_FIRE], 0, note, NULL);
    struct catalog_event_fire_request *q = c->request;
    q->datacenter = mu__cstr(datacenter);
    q->name = mu__cstr(name);
    q->payload = mu__cstr(payload);
    q->options.allow_stale = true;
    finish(c);
}

static void change(const char *operation, const char *key, uint64_t relay_factor)
{
    struct call *c = call_create(&endpoints[ENDPOINT_INTERNAL_KEYRING_OPERATION], 0, note, NULL);
    struct catalog_keyring_request *q = c->request;
    q->operation = mu__cstr(operation);
    q->key = mu__cstr(key);
    q->relay_factor = relay_factor;
    finish(c);
}

static void an_event_is_fired_under_consuls_prefix(void **state)
{
    (void)state;
    fire_event("dc1", "deploy", "p");
    assert_string_equal(got.error, "");
    assert_string_equal(pool.name, "consul:event:deploy");
    assert_string_equal(pool.payload, "p");
    fire_event("dc2", "deploy", "p");
    assert_string_equal(got.error, "No path to datacenter");
    assert_int_equal(pool.calls, 1);
    pool.error = "too long";
    fire_event("dc1", "deploy", "p");
    assert_string_equal(got.error, "1 error occurred:\n\t* error broadcasting event to segment "
                                   "\"\": too long\n\n");
}

static void keys_are_changed_by_their_operation(void **state)
{
    static const struct {
        const char *text;
        enum swim_key_change change;
    } all[] = {{"list", SWIM_KEY_LIST},
               {"install", SWIM_KEY_INSTALL},
               {"use", SWIM_KEY_USE},
               {"remove", SWIM_KEY_REMOVE}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        change(all[i].text, "key", i);
        assert_string_equal(got.error, "");
        assert_int_equal(pool.change, all[i].change);
        assert_int_equal(pool.relay_factor, i);
        assert_string_equal(pool.key, "key");
    }
    assert_string_equal(got.json, "{\"WAN\":false,\"Datacenter\":\"dc1\",\"Segment\":\"\","
                                  "\"Messages\":{\"s1\":\"why\"},\"Keys\":{\"k\":1},"
                                  "\"PrimaryKeys\":{},\"NumNodes\":1}");
    pool.error = "1/1 nodes reported failure";
    change("use", "key", 0);
    assert_non_null(strstr(got.json, "\"Error\":\"1/1 nodes reported failure\""));
}

static void what_no_peer_should_send_is_refused(void **state)
{
    (void)state;
    change("", "key", 0);
    assert_string_equal(got.error, "invalid keyring operation");
    change("lists", "key", 0);
    assert_string_equal(got.error, "invalid keyring operation");
    change("list", "key", 6);
    assert_string_equal(got.error, "invalid keyring operation");
    change("list", "key", UINT64_MAX);
    assert_string_equal(got.error, "invalid keyring operation");
    assert_int_equal(pool.calls, 0);
}

static void a_call_may_be_given_up_while_the_pool_is_asked(void **state)
{
    struct call *c = call_create(&endpoints[ENDPOINT_INTERNAL_KEYRING_OPERATION], 0, note, NULL);
    (void)state;
    ((struct catalog_keyring_request *)c->request)->operation = mu__cstr("list");
    memset(&got, 0, sizeof got);
    call_start(k.backend, c);
    call_cancel(c);
    KIT_UNTIL(&k, pool.calls == 1);
    kit_turn_front(&k);
    assert_int_equal(got.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_fired_under_consuls_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_changed_by_their_operation, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_peer_should_send_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_may_be_given_up_while_the_pool_is_asked, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
