/* Mirrors daemons/agent/remote_exec.c and remote_exec_child.c: what an agent does with the event of
 * `consul exec`, against a backend that is a list of keys. Both loops are turned by hand. */
#include "mu_test.h"

#include "agent/remote_exec.h"
#include "rpc/endpoints.h"

#include <sched.h>
#include <unistd.h>

#define SESSION "aaaaaaaa-0000-0000-0000-000000000001"
#define EVENT   "{\"Prefix\":\"_rexec\",\"Session\":\"" SESSION "\"}"
#define BELOW   "_rexec/" SESSION "/n1/"

static struct loop *core, *front;
static struct remote_exec *runner;
static const char *job; /* NULL: there is none */
static size_t asked, asked_leader, denied_from;
static struct written {
    char key[128];
    char value[4200];
    size_t len;
} written[64];
static size_t nwritten;

static void answer_get(struct call *c)
{
    const struct catalog_key_request *q = c->request;
    struct catalog_indexed_dir_entries *reply = mu__arena_calloc(&c->arena, 1, sizeof *reply);
    struct catalog_dir_entry *entry = mu__arena_calloc(&c->arena, 1, sizeof *entry);
    void **items = mu__arena_calloc(&c->arena, 1, sizeof *items);
    assert_true(mu__str_eq(q->key, mu__cstr("_rexec/" SESSION "/job")));
    asked++;
    asked_leader += !q->options.allow_stale;
    entry->value = mu__cstr(job ? job : "");
    items[0] = entry;
    reply->entries = (struct mu_list){job ? items : NULL, job ? 1 : 0};
    c->reply = reply;
}

static void answer_apply(struct call *c)
{
    const struct catalog_kvs_request *q = c->request;
    bool *done = mu__arena_calloc(&c->arena, 1, sizeof *done);
    assert_true(mu__str_eq(q->op, mu__cstr("lock")));
    assert_true(mu__str_eq(q->dir_ent.session, mu__cstr(SESSION)));
    *done = nwritten < denied_from;
    if (*done) {
        struct written *w = &written[nwritten++];
        assert_true(nwritten < 64 && q->dir_ent.value.len < sizeof w->value);
        snprintf(w->key, sizeof w->key, "%.*s", (int)q->dir_ent.key.len, q->dir_ent.key.p);
        memcpy(w->value, q->dir_ent.value.p, q->dir_ent.value.len);
        w->len = q->dir_ent.value.len;
    }
    c->reply = done;
}

static void start(struct call_backend *b, struct call *c)
{
    (void)b;
    if (c->endpoint == &endpoints[ENDPOINT_KVS_GET]) {
        answer_get(c);
    } else {
        answer_apply(c);
    }
    call_finish(c);
}

static struct call_backend backend = {start, NULL};

static int setup(void **state)
{
    (void)state;
    core = loop_create("core");
    front = loop_create("front");
    runner = remote_exec_create(&(struct remote_exec_config){.datacenter = mu__cstr("dc1"),
                                                             .node = mu__cstr("n1"),
                                                             .core = core,
                                                             .front = front,
                                                             .backend = &backend});
    assert_non_null(runner);
    job = NULL;
    asked = asked_leader = nwritten = 0;
    denied_from = SIZE_MAX;
    memset(written, 0, sizeof written);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remote_exec_destroy(runner);
    for (bool more = true; more;) {
        more = loop_drain(core);
        more = loop_drain(front) || more;
    }
    loop_destroy(front);
    loop_destroy(core);
    return 0;
}

static void turn(void)
{
    event_base_loop(loop_base(front), EVLOOP_NONBLOCK);
    event_base_loop(loop_base(core), EVLOOP_NONBLOCK);
    sched_yield();
}

static void turn_often(void)
{
    for (int i = 0; i < 100; i++) {
        turn();
    }
}

/* Until the last key is this one. */
static void until_written(const char *name)
{
    char key[128];
    snprintf(key, sizeof key, BELOW "%s", name);
    for (uint64_t end = loop_now_ns() + 60 * MU_SEC;
         nwritten == 0 || strcmp(written[nwritten - 1].key, key) != 0;) {
        turn();
        assert_true(loop_now_ns() < end);
    }
}

static void expect(size_t i, const char *name, const char *value)
{
    char key[128];
    snprintf(key, sizeof key, BELOW "%s", name);
    assert_string_equal(written[i].key, key);
    assert_string_equal(written[i].value, value);
}

static void fire(const char *text)
{
    remote_exec_start(runner, mu__cstr(text));
}

static void a_command_is_run_by_a_shell(void **state)
{
    (void)state;
    job = "{\"Command\":\"echo one; echo two >&2; exit 3\",\"Wait\":60000000000}";
    fire(EVENT);
    until_written("exit");
    assert_int_equal(nwritten, 3);
    expect(0, "ack", "");
    expect(1, "out/00000", "one\ntwo\n");
    expect(2, "exit", "3");
    assert_int_equal(asked_leader, 0);
}

static void arguments_are_run_without_one(void **state)
{
    (void)state;
    job = "{\"Args\":[\"/bin/echo\",\"a  b\",\"$HOME\"]}";
    fire(EVENT);
    until_written("exit");
    expect(1, "out/00000", "a  b $HOME\n");
    expect(2, "exit", "0");
}

static void a_script_is_a_file_that_does_not_stay(void **state)
{
    (void)state;
    job = "{\"Script\":\"ZWNobyAkMA==\"}"; /* echo $0 */
    fire(EVENT);
    until_written("exit");
    char *path = written[1].value;
    path[strcspn(path, "\n")] = '\0';
    assert_non_null(strstr(path, "/rexec"));
    assert_int_not_equal(access(path, F_OK), 0);
}

static void long_output_comes_in_pieces(void **state)
{
    (void)state;
    job = "{\"Command\":\"head -c 10000 /dev/zero | tr '\\\\000' x\",\"Wait\":60000000000}";
    fire(EVENT);
    until_written("exit");
    size_t sum = 0;
    for (size_t i = 1; i + 1 < nwritten; i++) {
        assert_true(written[i].len <= 4096);
        sum += written[i].len;
    }
    assert_int_equal(sum, 10000);
    expect(nwritten - 1, "exit", "0");
}

static void what_does_not_start_has_code_255(void **state)
{
    (void)state;
    job = "{\"Args\":[\"/nonexistent/program\"]}";
    fire(EVENT);
    until_written("exit");
    assert_int_equal(nwritten, 2);
    expect(1, "exit", "255");
}

static void a_job_that_a_server_does_not_have_is_asked_of_the_leader(void **state)
{
    (void)state;
    fire(EVENT);
    turn_often();
    assert_int_equal(asked, 2);
    assert_int_equal(asked_leader, 1);
    assert_int_equal(nwritten, 0);
}

static void rubbish_is_not_run(void **state)
{
    (void)state;
    static const char *const events[] = {
        "", "x", "[]", "{\"Prefix\":1}", "{\"Prefix\":\"a\"", "{\"Other\":\"a\"}"};
    static const char *const jobs[] = {"",
                                       "x",
                                       "{}",
                                       "[]",
                                       "{\"Args\":\"a\"}",
                                       "{\"Script\":\"?\"}",
                                       "{\"Command\":\"\"}",
                                       "{\"Wait\":\"x\",\"Command\":\"a\"}"};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        fire(events[i]);
    }
    turn_often();
    assert_int_equal(asked, 0);
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        job = jobs[i];
        fire(EVENT);
        turn_often();
    }
    assert_int_equal(nwritten, 0);
}

/* The session has ended: the first refused key is the last. */
static void nobody_is_told_when_nobody_listens(void **state)
{
    (void)state;
    job = "{\"Command\":\"echo one; exit 0\"}";
    denied_from = 1;
    fire(EVENT);
    until_written("ack");
    for (uint64_t end = loop_now_ns() + 200 * MU_MSEC; loop_now_ns() < end;) {
        turn();
    }
    assert_int_equal(nwritten, 1);
}

static void only_so_many_run_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        fire(EVENT); /* nothing goes on before the loops are turned */
    }
    turn_often();
    assert_int_equal(asked, 2 * 16);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_run_by_a_shell),
        TEST(arguments_are_run_without_one),
        TEST(a_script_is_a_file_that_does_not_stay),
        TEST(long_output_comes_in_pieces),
        TEST(what_does_not_start_has_code_255),
        TEST(a_job_that_a_server_does_not_have_is_asked_of_the_leader),
        TEST(rubbish_is_not_run),
        TEST(nobody_is_told_when_nobody_listens),
        TEST(only_so_many_run_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
