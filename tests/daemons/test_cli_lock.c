/* Mirrors daemons/cli/lock.c, and of cmd_lock.c what needs no child;
 * tests/integration/test_locks.py has the rest. */
#include "cli_kit.h"

#include "cli/cli.h"
#include "cli/lock.h"

#define SESSION "11111111-2222-3333-4444-555555555555"
#define OTHER   "99999999-2222-3333-4444-555555555555"
#define CREATE  "PUT /v1/session/create"
#define LOCK_ENTRY(session, modify)                                                                \
    "[{\"Key\":\"p/.lock\",\"Flags\":3304740253564472344,\"Session\":\"" session                   \
    "\",\"ModifyIndex\":" modify "}]"
/* {"Limit":2,"Holders":{}} and {"Limit":2,"Holders":{"<OTHER>":true}} */
#define EMPTY_VALUE "eyJMaW1pdCI6MiwiSG9sZGVycyI6e319"
#define OTHER_VALUE                                                                                \
    "eyJMaW1pdCI6MiwiSG9sZGVycyI6eyI5OTk5OTk5OS0yMjIyLTMzMzMtNDQ0NC01NTU1NTU1NTU1NTUiOnRydWV9fQ=="
#define SEM_ENTRY(value)                                                                           \
    "{\"Key\":\"p/.lock\",\"Flags\":16210313421097356768,\"Value\":\"" value "\",\"ModifyIndex\":" \
    "8}"
#define CONTENDER(session)                                                                         \
    "{\"Key\":\"p/" session "\",\"Flags\":16210313421097356768,\"Session\":\"" session "\"}"

static void open_lock(struct lock *l, int64_t limit)
{
    *l = (struct lock){.prefix = "p", .limit = limit};
    assert_true(cli_client_init(&l->client, strchr(cli_address, '=') + 1, NULL, NULL));
    SCRIPT({CREATE, NULL, 200, "{\"ID\":\"" SESSION "\"}"});
    assert_true(lock_open(l, "name"));
    assert_string_equal(l->session, SESSION);
    cli_script_done();
}

/* ---- A lock ---- */

static void test_a_free_lock_is_taken_held_and_given_back(void **state)
{
    (void)state;
    struct lock l = {.prefix = "p", .limit = 1};
    assert_true(cli_client_init(&l.client, strchr(cli_address, '=') + 1, NULL, NULL));
    SCRIPT({CREATE, "{\"Name\":\"a name\",\"TTL\":\"15s\"}", 200, "{\"ID\":\"" SESSION "\"}"},
           {"GET /v1/kv/p/.lock?index=0&wait=5s", NULL, 404, "", 0, 5},
           {"PUT /v1/kv/p/.lock?acquire=" SESSION "&flags=3304740253564472344", "", 200, "true\n"},
           {"GET /v1/kv/p/.lock?index=5&wait=5s", NULL, 200, LOCK_ENTRY(SESSION, "9"), 0, 9},
           {"GET /v1/kv/p/.lock?consistent&index=0", NULL, 200, LOCK_ENTRY(SESSION, "9"), 0, 9},
           {"GET /v1/kv/p/.lock?consistent&index=9", NULL, 200, LOCK_ENTRY("", "10"), 0, 10},
           {"PUT /v1/kv/p/.lock?release=" SESSION, "", 200, "true"},
           {"PUT /v1/session/destroy/" SESSION, "", 200, "true"},
           {"GET /v1/kv/p/.lock?consistent", NULL, 200, LOCK_ENTRY("", "10"), 0, 10},
           {"DELETE /v1/kv/p/.lock?cas=10", NULL, 200, "true"});
    assert_true(lock_open(&l, "a name"));
    assert_true(lock_acquire(&l));
    cli_script((const struct cli_step[]){
        {"GET /v1/kv/p/.lock?consistent&index=0", NULL, 200, LOCK_ENTRY(SESSION, "9"), 0, 9},
        {"GET /v1/kv/p/.lock?consistent&index=9", NULL, 200, LOCK_ENTRY("", "10"), 0, 10},
        {.request = NULL}});
    lock_watch(&l); /* returns when it is lost */
    cli_script_done();
    SCRIPT({"PUT /v1/kv/p/.lock?release=" SESSION, "", 200, "true"},
           {"PUT /v1/session/destroy/" SESSION, "", 200, "true"},
           {"GET /v1/kv/p/.lock?consistent", NULL, 200, LOCK_ENTRY("", "10"), 0, 10},
           {"DELETE /v1/kv/p/.lock?cas=10", NULL, 200, "true"});
    assert_true(lock_release(&l));
    lock_close(&l);
    assert_string_equal(l.session, "");
    assert_true(lock_clean_up(&l));
    cli_script_done();
}

static void test_a_lock_that_somebody_holds_is_waited_for(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 1);
    SCRIPT({"GET /v1/kv/p/.lock?index=0", NULL, 200, LOCK_ENTRY(OTHER, "7"), 0, 7},
           {"GET /v1/kv/p/.lock?index=7", NULL, 200, LOCK_ENTRY("", "8"), 0, 8},
           {"PUT /v1/kv/p/.lock?acquire=", NULL, 200, "true"});
    assert_true(lock_acquire(&l));
    cli_script_done();
    SCRIPT({"GET /v1/kv/p/.lock?index=0", NULL, 200, LOCK_ENTRY(SESSION, "7"), 0, 7});
    assert_true(lock_acquire(&l)); /* an answer was lost, and it is ours */
    cli_script_done();
}

static void test_what_is_no_lock_is_left_alone(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 1);
    SCRIPT({"GET ", NULL, 200, "[{\"Key\":\"p/.lock\",\"Flags\":0,\"ModifyIndex\":3}]", 0, 3});
    assert_false(lock_acquire(&l));
    assert_string_equal(l.error, "Existing key does not match lock use");
    SCRIPT({"GET ", NULL, 200, "{\"no\":\"list\"}", 0, 3});
    assert_false(lock_acquire(&l));
    assert_string_equal(l.error, "the answer is no list of keys");
    SCRIPT({"GET ", NULL, 500, "No cluster leader", 0, 3});
    assert_false(lock_acquire(&l));
    assert_string_equal(l.error, "Unexpected response code: 500 (No cluster leader)");
    cli_script_done();
}

static void test_a_lock_in_use_is_not_cleaned_up(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 1);
    SCRIPT({"GET ", NULL, 200, LOCK_ENTRY(OTHER, "7"), 0, 7});
    assert_false(lock_clean_up(&l));
    assert_string_equal(l.error, ""); /* no error: somebody has it */
    SCRIPT({"GET ", NULL, 200, LOCK_ENTRY("", "7"), 0, 7},
           {"DELETE /v1/kv/p/.lock?cas=7", NULL, 200, "false"});
    assert_false(lock_clean_up(&l)); /* somebody was faster */
    SCRIPT({"GET ", NULL, 404, "", 0, 7});
    assert_true(lock_clean_up(&l)); /* there is nothing */
    cli_script_done();
}

static void test_failed_looks_lose_a_lock_after_the_retries(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 1);
    l.monitor_retries = 0;
    SCRIPT({"GET ", NULL, 200, LOCK_ENTRY(SESSION, "7"), 0, 7}, {"GET ", NULL, 500, "gone", 0, 0});
    lock_watch(&l);
    cli_script_done();
}

/* ---- A semaphore ---- */

static void test_a_place_under_a_semaphore_is_written_into_its_key(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 2);
    SCRIPT({"PUT /v1/kv/p/" SESSION "?acquire=" SESSION "&flags=16210313421097356768", "", 200,
            "true"},
           {"GET /v1/kv/p/?recurse&index=0&wait=5s", NULL, 200,
            "[" SEM_ENTRY(OTHER_VALUE) "," CONTENDER(OTHER) "," CONTENDER(SESSION) "]", 0, 8},
           {"PUT /v1/kv/p/.lock?cas=8&flags=16210313421097356768",
            "{\"Limit\":2,\"Holders\":{\"" OTHER "\":true,\"" SESSION "\":true}}", 200, "true"});
    assert_true(lock_acquire(&l));
    cli_script_done();
}

static void test_holders_that_are_gone_make_room(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 2);
    SCRIPT({"PUT /v1/kv/p/" SESSION, NULL, 200, "true"},
           {"GET ", NULL, 200, "[" SEM_ENTRY(OTHER_VALUE) "," CONTENDER(SESSION) "]", 0, 8},
           {"PUT /v1/kv/p/.lock?cas=8", "{\"Limit\":2,\"Holders\":{\"" SESSION "\":true}}", 200,
            "false"}, /* somebody was faster: once more */
           {"GET /v1/kv/p/?recurse&index=0", NULL, 200,
            "[" SEM_ENTRY(EMPTY_VALUE) "," CONTENDER(SESSION) "]", 0, 8},
           {"PUT /v1/kv/p/.lock?cas=8", NULL, 200, "true"});
    assert_true(lock_acquire(&l));
    cli_script_done();
}

static void test_a_semaphore_of_another_limit_or_none_is_refused(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 3);
    SCRIPT({"PUT ", NULL, 200, "true"},
           {"GET ", NULL, 200, "[" SEM_ENTRY(EMPTY_VALUE) "," CONTENDER(SESSION) "]", 0, 8});
    assert_false(lock_acquire(&l));
    assert_string_equal(l.error, "semaphore limit conflict (lock: 2, local: 3)");
    SCRIPT({"PUT ", NULL, 200, "true"}, {"GET ", NULL, 200, LOCK_ENTRY("", "7"), 0, 8});
    assert_false(lock_acquire(&l));
    assert_string_equal(l.error, "Existing key does not match semaphore use");
    SCRIPT({"PUT ", NULL, 200, "false"});
    assert_false(lock_acquire(&l));
    assert_string_equal(l.error, "failed to make contender entry");
    cli_script_done();
}

static void test_a_place_is_given_back_with_its_contender(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 2);
    SCRIPT({"GET /v1/kv/p/?recurse&consistent", NULL, 200,
            "[" SEM_ENTRY(OTHER_VALUE) "," CONTENDER(OTHER) "]", 0, 8},
           {"PUT /v1/kv/p/.lock?cas=8", "{\"Limit\":2,\"Holders\":{\"" OTHER "\":true}}", 200,
            "false"},
           {"GET ", NULL, 200, "[" SEM_ENTRY(EMPTY_VALUE) "]", 0, 9},
           {"PUT /v1/kv/p/.lock?cas=8", "{\"Limit\":2,\"Holders\":{}}", 200, "true"},
           {"DELETE /v1/kv/p/" SESSION, NULL, 200, "true"});
    assert_true(lock_release(&l));
    cli_script_done();
}

static void test_values_that_are_none_are_no_holders(void **state)
{
    (void)state;
    struct lock l;
    open_lock(&l, 1);
    static const char *const values[] = {"", "!!!", "AAAA", "W10=", "eyJI"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char entry[256];
        l.limit = 2;
        snprintf(entry, sizeof entry,
                 "[{\"Key\":\"p/.lock\",\"Flags\":16210313421097356768,\"Value\":\"%s\","
                 "\"ModifyIndex\":8}]",
                 values[i]);
        SCRIPT({"GET ", NULL, 200, entry, 0, 8}, {"DELETE /v1/kv/p/.lock", NULL, 200, "true"});
        assert_true(lock_clean_up(&l));
        cli_script_done();
    }
}

/* ---- The command's flags ---- */

static void test_wrong_flags_of_lock_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *flag, *complaint;
    } cases[] = {
        {"-n=0", "Lock holder limit must be positive\n"},
        {"-n=x", "invalid value \"x\" for flag -n: parse error\n"},
        {"-monitor-retry=-1", "Number for 'monitor-retry' must be >= 0\n"},
        {"-try=-1s", "Timeout must be positive\n"},
        {"-timeout=soon", "invalid value \"soon\" for flag -timeout: parse error\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(RUN(cmd_lock, cases[i].flag, "p", "true"), 1);
        assert_string_equal(cli_complaint, cases[i].complaint);
    }
    assert_int_equal(RUN(cmd_lock, "p"), 1);
    assert_string_equal(cli_complaint, "Key prefix and child command must be specified\n");
    assert_int_equal(RUN(cmd_lock, "-h"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_free_lock_is_taken_held_and_given_back),
        cmocka_unit_test(test_a_lock_that_somebody_holds_is_waited_for),
        cmocka_unit_test(test_what_is_no_lock_is_left_alone),
        cmocka_unit_test(test_a_lock_in_use_is_not_cleaned_up),
        cmocka_unit_test(test_failed_looks_lose_a_lock_after_the_retries),
        cmocka_unit_test(test_a_place_under_a_semaphore_is_written_into_its_key),
        cmocka_unit_test(test_holders_that_are_gone_make_room),
        cmocka_unit_test(test_a_semaphore_of_another_limit_or_none_is_refused),
        cmocka_unit_test(test_a_place_is_given_back_with_its_contender),
        cmocka_unit_test(test_values_that_are_none_are_no_holders),
        cmocka_unit_test(test_wrong_flags_of_lock_are_refused),
    };
    return cmocka_run_group_tests_name("cli_lock", tests, cli_kit_setup, cli_kit_teardown);
}
