/* Mirrors daemons/server/sessions.c: what the leader adds to sessions and locks - ids, checks of
 * requests, renewals, the end of those that are not renewed, lock delays. The clock of the loops is
 * real, so what is to be past is moved there (session_ttl.c is tested with a clock that is a
 * number). */
#include "mu_test.h"

#include "server_kit.h"

#include "server/session_ttl.h"

static struct server_kit k;

static int setup(void **state)
{
    (void)state;
    kit_open(&k, "");
    kit_elect(&k);
    struct outcome o;
    struct catalog_register_request *q = kit_call(&k, ENDPOINT_CATALOG_REGISTER, &o)->request;
    q->node = mu__cstr("n1");
    q->address = mu__cstr("10.0.0.1");
    kit_start(&k, &o);
    kit_until(&k, &o.done);
    assert_string_equal(o.error, "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

static void session(struct outcome *o, const char *op, const char *id, const char *ttl)
{
    struct catalog_session_request *q = kit_call(&k, ENDPOINT_SESSION_APPLY, o)->request;
    q->op = mu__cstr(op);
    q->session.id = mu__cstr(id);
    q->session.node = mu__cstr("n1");
    q->session.ttl = mu__cstr(ttl);
    q->session.lock_delay_ns = 15000000000;
    kit_start(&k, o);
    kit_until(&k, &o->done);
}

static void locked(struct outcome *o, const char *op, const char *key, const char *id)
{
    struct catalog_kvs_request *q = kit_call(&k, ENDPOINT_KVS_APPLY, o)->request;
    q->op = mu__cstr(op);
    q->dir_ent.key = mu__cstr(key);
    q->dir_ent.session = mu__cstr(id);
    kit_start(&k, o);
    kit_until(&k, &o->done);
    assert_string_equal(o->error, "");
}

static void look(struct outcome *o, enum endpoint_id what, const char *id)
{
    struct catalog_session_get_request *q = kit_call(&k, what, o)->request;
    q->session_id = mu__cstr(id);
    kit_start(&k, o);
    kit_until(&k, &o->done);
}

static bool exists(const char *id)
{
    struct outcome o;
    look(&o, ENDPOINT_SESSION_GET, id);
    return o.len == 1;
}

static void test_the_leader_names_a_session(void **state)
{
    (void)state;
    struct outcome a, b;
    session(&a, "create", "ffffffff-0000-0000-0000-000000000001", "");
    session(&b, "create", "", "");
    assert_int_equal(strlen(a.text), 36);
    assert_int_equal(a.text[14], '4'); /* RFC 9562, version 4 */
    assert_string_not_equal(a.text, "ffffffff-0000-0000-0000-000000000001");
    assert_string_not_equal(a.text, b.text);
    assert_true(exists(a.text));
    session(&b, "destroy", a.text, "");
    assert_string_equal(b.error, "");
    assert_string_equal(b.text, "");
    assert_false(exists(a.text));
}

static void test_what_cannot_be_is_refused_before_the_log(void **state)
{
    (void)state;
    struct outcome o;
    struct raft_node_status before, after;
    raft_node_status(k.server->raft, &before);
    session(&o, "create", "", "5s");
    assert_string_equal(o.error, "Invalid Session TTL '5000000000', must be between "
                                 "[10s=24h0m0s]");
    session(&o, "destroy", "", "");
    assert_string_equal(o.error, "Must provide ID");
    session(&o, "destroy", "abc", "");
    assert_string_equal(o.error, "failed session lookup: index error: UUID must be 36 characters");
    look(&o, ENDPOINT_SESSION_GET, "abc");
    assert_string_equal(o.error, "failed session lookup: index error: UUID must be 36 characters");
    look(&o, ENDPOINT_SESSION_RENEW, "abc");
    assert_string_equal(o.error, "failed session lookup: index error: UUID must be 36 characters");
    raft_node_status(k.server->raft, &after);
    assert_int_equal(before.last_log_index, after.last_log_index);
}

static void test_a_renewal_answers_with_the_session_or_nothing(void **state)
{
    (void)state;
    struct outcome made, o;
    session(&made, "create", "", "10s");
    look(&o, ENDPOINT_SESSION_RENEW, made.text);
    assert_int_equal(o.len, 1);
    look(&o, ENDPOINT_SESSION_RENEW, "00000000-0000-0000-0000-000000000000");
    assert_string_equal(o.error, "");
    assert_int_equal(o.len, 0);
}

/* The deadline of a session is moved into the past, and the core's timer finds it there. */
static struct session_ttl *timers(void)
{
    return (struct session_ttl *)k.server->sessions; /* its first member */
}

static void run_out(const char *id)
{
    session_ttl_start(timers(), mu__cstr(id), 1, loop_now_ns() - MU_SEC);
    server__sessions_tick(k.server);
}

static void test_a_session_that_is_not_renewed_ends_and_its_lock_is_delayed(void **state)
{
    (void)state;
    struct outcome a, b, o;
    session(&a, "create", "", "10s");
    session(&b, "create", "", "");
    locked(&o, "lock", "k", a.text);
    assert_true(o.flag);
    assert_int_equal(deadlines_count(&timers()->deadlines), 1);
    run_out(a.text);
    look(&o, ENDPOINT_SESSION_RENEW, a.text); /* its end is on the way */
    assert_int_equal(o.len, 0);
    KIT_UNTIL(&k, !exists(a.text));
    assert_int_equal(deadlines_count(&timers()->deadlines), 0);
    locked(&o, "lock", "k", b.text);
    assert_false(o.flag);
    locked(&o, "lock", "other", b.text);
    assert_true(o.flag);
    assert_true(server__lock_is_delayed(k.server, mu__cstr("k")));
    assert_false(server__lock_is_delayed(k.server, mu__cstr("other")));
}

static void test_a_new_leadership_gives_every_session_its_time_anew(void **state)
{
    (void)state;
    struct outcome a, b;
    session(&a, "create", "", "10s");
    session(&b, "create", "", "");
    uint64_t before = loop_now_ns();
    session_ttl_start(timers(), mu__cstr(a.text), 1, before); /* as good as over */
    server__sessions_lead(k.server, false);
    assert_int_equal(deadlines_count(&timers()->deadlines), 0);
    server__sessions_lead(k.server, true);
    assert_int_equal(deadlines_count(&timers()->deadlines), 1);
    assert_true(session_ttl_deadline(timers()) >= before + 10 * MU_SEC);
}

static void test_a_session_wakes_who_waits_for_it(void **state)
{
    (void)state;
    struct outcome a, waits;
    session(&a, "create", "", "");
    struct outcome first;
    look(&first, ENDPOINT_SESSION_GET, a.text);
    struct catalog_session_get_request *q = kit_call(&k, ENDPOINT_SESSION_GET, &waits)->request;
    q->session_id = mu__cstr(a.text);
    q->options.min_query_index = first.index;
    kit_start(&k, &waits);
    struct outcome put;
    kit_put(&k, "k", "v", &put);
    kit_until(&k, &put.done);
    assert_int_equal(waits.done, 0);
    struct outcome end;
    session(&end, "destroy", a.text, "");
    kit_until(&k, &waits.done);
    assert_int_equal(waits.len, 0);
    assert_true(waits.index > first.index);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_leader_names_a_session),
        TEST(test_what_cannot_be_is_refused_before_the_log),
        TEST(test_a_renewal_answers_with_the_session_or_nothing),
        TEST(test_a_session_that_is_not_renewed_ends_and_its_lock_is_delayed),
        TEST(test_a_new_leadership_gives_every_session_its_time_anew),
        TEST(test_a_session_wakes_who_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
