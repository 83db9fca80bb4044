/* Mirrors daemons/server/raft_id.c: a server whose log is lost does not come back under its ID. */
#include "mu_test.h"

#include "server/server.h"

#include <unistd.h>

#define ID      "11111111-2222-3333-4444-555555555555"
#define ANOTHER "99999999-2222-3333-4444-555555555555"

static char dir[64], err[CONFIG_ERROR_MAX];
static struct config *config;
static struct loop *core;
static struct members members;

/* In the data directory. */
static void run(const char *command)
{
    char line[256];
    snprintf(line, sizeof line, "cd %s && %s", dir, command);
    assert_int_equal(system(line), 0);
}

static void configure(const char *settings)
{
    char text[512];
    int len = snprintf(text, sizeof text,
                       "{\"server\": true, \"node_name\": \"s1\", \"bind_addr\": \"127.0.0.1\", "
                       "\"data_dir\": \"%s\"%s}",
                       dir, settings);
    config_destroy(config);
    config = config_from_text("test.json", text, (size_t)len, err, sizeof err);
    assert_non_null(config);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/muster-raft-id-XXXXXX");
    assert_non_null(mkdtemp(dir));
    configure("");
    core = loop_create("core");
    members_init(&members, 1);
    err[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    members_fini(&members);
    loop_destroy(core);
    config_destroy(config);
    config = NULL;
    run("rm -r \"$PWD\"");
    return 0;
}

static void on_fatal(void *user, const char *sentence)
{
    (void)user;
    (void)sentence;
    fail();
}

static struct server_config as(const char *id)
{
    return (struct server_config){.config = config,
                                  .core = core,
                                  .members = &members,
                                  .node_id = mu__cstr(id),
                                  .data_dir = dir,
                                  .on_fatal = on_fatal};
}

static bool may_start(const char *id)
{
    struct server_config c = as(id);
    return server__raft_id_check(&c, err, sizeof err);
}

static bool keep(const char *id)
{
    struct server_config c = as(id);
    return server__raft_id_keep(&c, err, sizeof err);
}

/* The life of a server that does nothing; false: it refuses to start. */
static bool live(const char *id)
{
    struct server_config c = as(id);
    struct server *s = server_create(&c, err, sizeof err);
    if (s) {
        server_stop(s);
        while (loop_drain(core)) {
        }
        server_destroy(s);
    }
    return s != NULL;
}

/* @ stands for the data directory. */
static void said(const char *text)
{
    char expected[512] = "";
    for (size_t len = 0; *text && len < sizeof expected - sizeof dir; len = strlen(expected)) {
        snprintf(expected + len, sizeof expected - len, "%.*s", *text == '@' ? 63 : 1,
                 *text == '@' ? dir : text);
        text++;
    }
    if (!strstr(err, expected)) {
        fail_msg("'%s' is not in '%s'", expected, err);
    }
}

static void an_id_without_a_log_may_not_vote_again(void **state)
{
    (void)state;
    assert_true(may_start(ID)); /* nothing is known */
    assert_true(keep(ID));
    assert_false(may_start(ID));
    said("has taken part in Raft as " ID);
    said("remove @/raft and @/node-id, or empty @ altogether");
    run("mkdir raft");
    assert_false(may_start(ID));
    run("touch raft/snapshot-0000000000000007.snap"); /* no vote is in there */
    assert_false(may_start(ID));
    run("touch raft/log-0000000000000001.seg");
    assert_true(may_start(ID));
}

static void an_id_that_is_configured_must_be_changed_there(void **state)
{
    (void)state;
    configure(", \"node_id\": \"" ID "\"");
    assert_true(keep(ID));
    assert_false(may_start(ID));
    said("remove @/raft, and configure another node_id than " ID);
}

static void another_id_may_start_without_a_log(void **state)
{
    (void)state;
    assert_true(keep(ID));
    assert_true(may_start(ANOTHER));
    assert_true(keep(ANOTHER));
    assert_true(keep(ANOTHER));
    assert_false(may_start(ANOTHER));
}

static void what_cannot_be_read_or_written_is_an_error(void **state)
{
    (void)state;
    run("mkdir raft-id");
    assert_false(may_start(ID));
    said("@/raft-id");
    assert_false(keep(ID));
    run("rmdir raft-id");
    assert_true(keep(ID));
    run("touch raft"); /* not a folder */
    assert_false(may_start(ID));
    said("cannot read the folder @/raft");
}

static void a_server_remembers_its_id_from_its_first_start_on(void **state)
{
    (void)state;
    assert_true(live(ID));
    run("test \"$(cat raft-id)\" = " ID);
    assert_true(live(ID));
    run("rm raft-id"); /* as an older release left it */
    assert_true(live(ID));
    run("rm -r raft");
    assert_false(live(ID));
    run("test ! -e raft"); /* and it stays as it was found */
    assert_true(live(ANOTHER));
}

static void a_damaged_log_is_refused_with_what_to_do(void **state)
{
    (void)state;
    assert_true(live(ID));
    run("printf x | dd of=raft/log-0000000000000001.seg bs=1 seek=3 conv=notrunc status=none");
    assert_false(live(ID));
    said("Failed to start Raft: @/raft/log-0000000000000001.seg");
    said(". To join anew, under a new ID: remove @/raft and @/node-id");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_id_without_a_log_may_not_vote_again),
        T(an_id_that_is_configured_must_be_changed_there),
        T(another_id_may_start_without_a_log),
        T(what_cannot_be_read_or_written_is_an_error),
        T(a_server_remembers_its_id_from_its_first_start_on),
        T(a_damaged_log_is_refused_with_what_to_do),
    };
    return cmocka_run_group_tests_name("raft_id", tests, NULL, NULL);
}
