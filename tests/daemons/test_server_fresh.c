/* Mirrors daemons/server/fresh.c: by what it can be told that an answer of a server still stands.
 */
#include "mu_test.h"

#include "server_kit.h"

#include "base/loop.h"

#define CONTACT_MAX (5 * MU_SEC)

static struct server_kit k;
static struct call_fresh fresh;

/* A follower has learnt that from its leader. */
static void learn(uint64_t index, const char *address)
{
    uint8_t entry[512];
    size_t len = sizeof entry;
    struct catalog_register_request q = {
        .datacenter = mu__cstr("dc1"), .node = mu__cstr("a"), .address = mu__cstr(address)};
    assert_int_equal(catalog_encode_entry(CATALOG_ENTRY_REGISTER, &q, entry, &len), CATALOG_OK);
    assert_int_equal(catalog_apply_begin(k.server->catalog), CATALOG_OK);
    struct catalog_result result;
    assert_int_equal(catalog_apply(k.server->catalog, index, entry, len, &result), CATALOG_OK);
    catalog_apply_end(k.server->catalog, NULL);
}

static void heard_of_leader_ago(uint64_t ns)
{
    atomic_store(&k.server->last_contact_at_ns, loop_now_ns() - ns);
}

static uint64_t version(void)
{
    return fresh.version(fresh.user, CONTACT_MAX);
}

static uint64_t stamp(void)
{
    struct catalog_node_request q = {.datacenter = mu__cstr("dc1"), .node = mu__cstr("a")};
    return fresh.stamp(fresh.user, &endpoints[ENDPOINT_CATALOG_NODE_SERVICES], &q, CONTACT_MAX);
}

static int setup(void **state)
{
    (void)state;
    kit_open(&k, "");
    fresh = server_front_fresh(k.server, 0);
    learn(10, "10.0.0.1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

static void answers_stand_until_what_they_tell_changes(void **state)
{
    (void)state;
    heard_of_leader_ago(MU_SEC);
    uint64_t v = version(), s = stamp();
    assert_true(s != 0);
    assert_true(version() == v && stamp() == s);
    learn(11, "10.0.0.2");
    assert_true(version() != v);
    assert_true(stamp() != s && stamp() != 0);
}

static void answers_of_a_server_that_lost_its_leader_do_not_stand(void **state)
{
    (void)state;
    heard_of_leader_ago(MU_SEC);
    uint64_t v = version(), s = stamp();
    heard_of_leader_ago(2 * CONTACT_MAX);
    uint64_t unsure = version();
    assert_true(unsure != v && unsure != version());
    assert_true(stamp() == 0); /* though its catalog is what it was */
    heard_of_leader_ago(0);
    assert_true(version() == v && stamp() == s);
}

static void answers_of_a_server_that_never_had_a_leader_do_not_stand(void **state)
{
    (void)state;
    uint64_t v = version();
    assert_true(version() != v);
    assert_true(stamp() == 0);
}

static void what_is_unknown_has_no_stamp(void **state)
{
    (void)state;
    heard_of_leader_ago(0);
    struct catalog_node_request q = {.node = mu__cstr("nosuch")};
    const struct endpoint *e = &endpoints[ENDPOINT_CATALOG_NODE_SERVICES];
    assert_true(fresh.stamp(fresh.user, e, &q, CONTACT_MAX) == 0);
    struct catalog_dc_request all = {.datacenter = mu__cstr("dc1")};
    e = &endpoints[ENDPOINT_CATALOG_LIST_NODES]; /* of which nothing can be told */
    assert_true(fresh.stamp(fresh.user, e, &all, CONTACT_MAX) == 0);
}

/* ---- Those who wait ---- */

static void wait_for_news(struct outcome *o, bool stale)
{
    struct catalog_dc_request *q = kit_call(&k, ENDPOINT_CATALOG_LIST_NODES, o)->request;
    q->options.min_query_index = 1000;
    q->options.max_query_time_ns = 600 * MU_SEC;
    q->options.allow_stale = stale;
    kit_start(&k, o);
}

static void who_waits_hears_that_the_leader_was_lost(void **state)
{
    (void)state;
    struct outcome waits;
    heard_of_leader_ago(MU_SEC);
    wait_for_news(&waits, true);
    kit_turn_core(&k);
    assert_false(waits.done);
    heard_of_leader_ago(2 * CONTACT_MAX);
    kit_until(&k, &waits.done);
    assert_string_equal(waits.error, "");
    assert_int_equal(waits.len, 1);
    assert_false(waits.known_leader);
}

static void who_asks_a_server_that_lost_its_leader_may_wait(void **state)
{
    (void)state;
    struct outcome told, waits;
    heard_of_leader_ago(2 * CONTACT_MAX);
    wait_for_news(&told, true);
    kit_until(&k, &told.done);
    wait_for_news(&waits, true); /* it knows that it asks such a server */
    assert_true(k.server->is_cut_off);
    kit_turn_core(&k);
    kit_turn_front(&k);
    assert_false(waits.done);
    call_cancel(waits.call);
}

static void a_leader_lets_them_wait(void **state)
{
    (void)state;
    struct outcome stale, plain;
    kit_open(&k, "");
    kit_elect(&k);
    wait_for_news(&stale, true);
    wait_for_news(&plain, false);
    heard_of_leader_ago(2 * CONTACT_MAX);
    uint64_t set = atomic_load(&k.server->last_contact_at_ns);
    KIT_UNTIL(&k, atomic_load(&k.server->last_contact_at_ns) > set); /* it has been looked at */
    kit_turn_front(&k);
    assert_false(stale.done || plain.done);
    call_cancel(stale.call);
    call_cancel(plain.call);
    kit_close(&k);
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(answers_stand_until_what_they_tell_changes),
        CLAIM(answers_of_a_server_that_lost_its_leader_do_not_stand),
        CLAIM(answers_of_a_server_that_never_had_a_leader_do_not_stand),
        CLAIM(what_is_unknown_has_no_stamp),
        CLAIM(who_waits_hears_that_the_leader_was_lost),
        CLAIM(who_asks_a_server_that_lost_its_leader_may_wait),
        cmocka_unit_test(a_leader_lets_them_wait),
    };
    return cmocka_run_group_tests_name("server_fresh", tests, NULL, NULL);
}
