/* Snapshot and keyring file. Mirrors node/snapshot.c, keyfile.c. */
#include "node_kit.h"

#include "node.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/muster-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d) {
        closedir(d);
    }
    return rmdir(dir);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void read_text(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, cap - 1, f);
    out[n] = 0;
    fclose(f);
}

static struct snapshot *open_snapshot(const char *path, bool rejoin)
{
    char why[256] = "";
    struct snapshot *s =
        swim_node__snapshot_open(&mu__malloc_allocator, path, rejoin, 1, why, sizeof why);
    if (!s) {
        fail_msg("%s", why);
    }
    return s;
}

/* "addr addr ..." of what the snapshot knows. */
static void list_known(const struct snapshot *s, const char *except, char *out, size_t cap)
{
    size_t at = 0;
    out[0] = 0;
    for (const char *addr; (addr = swim_node__snapshot_next(s, &at, except)) != NULL;) {
        snprintf(out + strlen(out), cap - strlen(out), "%s ", addr);
    }
}

/* A file that Consul 1.8.7 wrote: local.snapshot of an agent, up to its last line. */
#define CONSUL_FILE                                                                                \
    "alive: cli1 127.0.0.3:28111\nalive: srv1 127.0.0.2:28101\nclock: 1\nalive: cli2 "             \
    "127.0.0.4:28121\nclock: 2\n"                                                                  \
    "event-clock: 2\nevent-clock: 3\nnot-alive: cli2\nnot-alive: cli2\nclock: 3\nalive: cli2 "     \
    "127.0.0.4:28121\n"                                                                            \
    "clock: 5\nnot-alive: cli2\nclock: 6\nclock: 7\nclock: 8\n"

static void test_consuls_snapshot_is_replayed(void **state)
{
    (void)state;
    char known[256];
    const char *path = path_of("consul");
    write_text(path, CONSUL_FILE);
    struct snapshot *s = open_snapshot(path, false);
    list_known(s, "cli1", known, sizeof known);
    assert_string_equal(known, "127.0.0.2:28101 ");
    assert_int_equal(swim_node__snapshot_clocks(s).member, 8);
    assert_int_equal(swim_node__snapshot_clocks(s).event, 3);
    assert_int_equal(swim_node__snapshot_clocks(s).query, 0);
    swim_node__snapshot_close(s);
}

static void test_a_leave_forgets_unless_rejoining_is_wanted(void **state)
{
    (void)state;
    char known[256];
    const char *path = path_of("leave");
    write_text(path, CONSUL_FILE "leave\n");
    struct snapshot *s = open_snapshot(path, false);
    list_known(s, "", known, sizeof known);
    assert_string_equal(known, "");
    assert_int_equal(swim_node__snapshot_clocks(s).member, 0);
    swim_node__snapshot_close(s);
    s = open_snapshot(path, true);
    list_known(s, "", known, sizeof known);
    assert_string_equal(known, "127.0.0.3:28111 127.0.0.2:28101 ");
    assert_int_equal(swim_node__snapshot_clocks(s).member, 8);
    swim_node__snapshot_close(s);
}

static void test_broken_lines_are_passed_over(void **state)
{
    (void)state;
    char known[256], text[8192];
    const char *path = path_of("broken");
    size_t n = (size_t)snprintf(text, sizeof text,
                                "# comment\nalive: a b 127.0.0.1:1\nalive: nobody\nalive: x 1.2:3\n"
                                "clock: 5x\nclock: -1\ncoordinate: {}\nwhat is this\n\nalive: ");
    memset(text + n, 'l', 3000); /* a line longer than any record */
    snprintf(text + n + 3000, sizeof text - n - 3000,
             " 127.0.0.1:2\nclock: 7\nalive: torn 127.0.0.1:3");
    write_text(path, text);
    struct snapshot *s = open_snapshot(path, false);
    list_known(s, "", known, sizeof known);
    assert_string_equal(known, "127.0.0.1:1 ");
    assert_int_equal(swim_node__snapshot_clocks(s).member, 7);
    swim_node__snapshot_close(s);
}

static struct swim_addr addr_of(uint16_t port)
{
    return (struct swim_addr){.ip = {127, 0, 0, 1}, .len = 4, .port = port};
}

static struct mu_str str(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

static void test_records_are_what_serf_writes(void **state)
{
    (void)state;
    char text[512];
    char path[128];
    snprintf(path, sizeof path, "%s", path_of("records"));
    struct snapshot *s = open_snapshot(path, false);
    struct swim_addr one = addr_of(1), two = addr_of(2);
    swim_node__snapshot_alive(s, str("a"), &one);
    swim_node__snapshot_alive(s, str("a"), &one); /* nothing new */
    swim_node__snapshot_alive(s, str("with space"), &two);
    swim_node__snapshot_alive(s, str("line\nbreak"), &two);
    swim_node__snapshot_not_alive(s, str("a"));
    swim_node__snapshot_not_alive(s, str("unknown"));
    assert_true(
        swim_node__snapshot_set_clocks(s, (struct snapshot_clocks){.member = 3, .query = 1}));
    assert_false(swim_node__snapshot_set_clocks(s, (struct snapshot_clocks){.member = 3}));
    assert_true(swim_node__snapshot_flush(s));
    read_text(path, text, sizeof text);
    assert_string_equal(
        text, "alive: a 127.0.0.1:1\nalive: with space 127.0.0.1:2\nnot-alive: a\nclock: 3\n"
              "query-clock: 1\n");
    swim_node__snapshot_left(s);
    swim_node__snapshot_alive(s, str("late"), &one);
    assert_false(swim_node__snapshot_set_clocks(s, (struct snapshot_clocks){.member = 9}));
    swim_node__snapshot_close(s);
    read_text(path, text, sizeof text);
    assert_non_null(strstr(text, "query-clock: 1\nleave\n"));
    assert_null(strstr(text, "late"));
}

static void test_a_long_file_is_compacted(void **state)
{
    (void)state;
    char path[128], known[256];
    struct stat st;
    snprintf(path, sizeof path, "%s", path_of("long"));
    struct snapshot *s = open_snapshot(path, false);
    struct swim_addr addr = addr_of(9);
    for (uint64_t i = 1; i <= 20000; i++) {
        swim_node__snapshot_alive(s, str("flapping"), &addr);
        swim_node__snapshot_not_alive(s, str("flapping"));
        swim_node__snapshot_set_clocks(s, (struct snapshot_clocks){.member = i});
        assert_true(swim_node__snapshot_flush(s));
    }
    swim_node__snapshot_alive(s, str("here"), &addr);
    swim_node__snapshot_close(s);
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 1, 200 * 1024);
    s = open_snapshot(path, false);
    list_known(s, "", known, sizeof known);
    assert_string_equal(known, "127.0.0.1:9 ");
    assert_int_equal(swim_node__snapshot_clocks(s).member, 20000);
    swim_node__snapshot_close(s);
}

static void test_a_snapshot_that_cannot_be_opened_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node_config cfg;
    struct swim_node *n;
    char why[256];
    pool_open(&p);
    pool_config(&p, &cfg, "a");
    cfg.snapshot_path = path_of("no/such/folder");
    assert_int_equal(swim_node_create(&cfg, why, sizeof why, &n), SWIM_NODE_EFILE);
    assert_non_null(strstr(why, "no/such/folder"));
    pool_close(&p);
}

static void test_a_restarted_node_finds_back_to_its_pool(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node_config cfg;
    char path[128];
    snprintf(path, sizeof path, "%s", path_of("restart"));
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    pool_config(&p, &cfg, "b");
    cfg.snapshot_path = path;
    struct peer *b = pool_add(&p, &cfg);
    cfg.bind.port = swim_node_addr(b->node)->port; /* it comes back where it was */
    pool_join(&p, b, a);
    pool_wait_for_status(&p, a, "b", SWIM_STATUS_ALIVE);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    pool_kill(&p, b);
    pool_wait_for_status(&p, a, "b", SWIM_STATUS_FAILED);
    b = pool_add(&p, &cfg);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE); /* without being told */
    pool_wait_for_status(&p, a, "b", SWIM_STATUS_ALIVE);
    pool_close(&p);
}

/* ---- keyring file ---- */

#define KEY_1 "AAECAwQFBgcICQoLDA0ODw=="
#define KEY_2 "EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8="

static int create_with_keyfile(struct pool *p, const char *path, const char *key, char *why,
                               size_t cap, struct swim_node **n)
{
    struct swim_node_config cfg;
    pool_config(p, &cfg, "a");
    cfg.keyring_path = path;
    cfg.keys_base64 = &key;
    cfg.nkeys_base64 = key ? 1 : 0;
    return swim_node_create(&cfg, why, cap, n);
}

static void test_the_keyring_file_is_made_from_the_config_and_wins_over_it_later(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node *n;
    struct stat st;
    char path[128], text[256], why[256];
    struct mu_str key;
    size_t at = 0;
    snprintf(path, sizeof path, "%s", path_of("keys"));
    pool_open(&p);
    assert_int_equal(create_with_keyfile(&p, path, KEY_1, why, sizeof why, &n), SWIM_OK);
    read_text(path, text, sizeof text);
    assert_string_equal(text, "[\n  \"" KEY_1 "\"\n]");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    swim_node_destroy(n);
    assert_int_equal(create_with_keyfile(&p, path, KEY_2, why, sizeof why, &n), SWIM_OK);
    assert_true(swim_next_key(swim_node_core(n), &at, &key));
    assert_int_equal(key.len, 16);
    swim_node_destroy(n);
    pool_close(&p);
}

static void on_changed(void *user, int err, const struct swim_key_result *result)
{
    assert_int_equal(err, SWIM_OK);
    assert_int_equal(result->answers, 1);
    *(bool *)user = true;
}

static bool is_true(void *arg)
{
    return *(bool *)arg;
}

static void test_changed_keys_are_in_the_file_and_invalid_ones_never(void **state)
{
    (void)state; /* consul#719 */
    struct pool p;
    struct swim_node *n;
    struct stat st;
    char path[128], temp[136], text[256], why[256];
    bool changed = false;
    snprintf(path, sizeof path, "%s", path_of("changed"));
    snprintf(temp, sizeof temp, "%s.new", path);
    pool_open(&p);
    assert_int_equal(create_with_keyfile(&p, path, KEY_1, why, sizeof why, &n), SWIM_OK);
    write_text(temp, "left behind by a crash, for all to read");
    assert_int_equal(chmod(temp, 0644), 0);
    assert_int_equal(swim_node_change_keys(n, SWIM_KEY_INSTALL, "dG9vIHNob3J0", 0, NULL, NULL),
                     SWIM_EINVAL);
    assert_int_equal(swim_node_change_keys(n, SWIM_KEY_INSTALL, KEY_2, 0, on_changed, &changed),
                     SWIM_OK);
    pool_run_until(&p, is_true, &changed);
    read_text(path, text, sizeof text);
    assert_string_equal(text, "[\n  \"" KEY_1 "\",\n  \"" KEY_2 "\"\n]");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    swim_node_destroy(n);
    pool_close(&p);
}

static void on_refused(void *user, int err, const struct swim_key_result *result)
{
    assert_int_equal(err, SWIM_EREMOTE);
    assert_int_equal(result->faults, 1);
    assert_int_equal(result->nmessages, 1);
    assert_non_null(strstr(result->messages[0].text.p, "keyring file"));
    *(bool *)user = true;
}

static void test_a_key_that_cannot_be_stored_is_no_success(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node *n;
    char path[128], temp[136], text[256], why[256];
    bool over = false;
    snprintf(path, sizeof path, "%s", path_of("unwritable"));
    snprintf(temp, sizeof temp, "%s.new", path);
    pool_open(&p);
    assert_int_equal(create_with_keyfile(&p, path, KEY_1, why, sizeof why, &n), SWIM_OK);
    assert_int_equal(mkdir(temp, 0700), 0); /* stands in the way, even of root */
    assert_int_equal(swim_node_change_keys(n, SWIM_KEY_INSTALL, KEY_2, 0, on_refused, &over),
                     SWIM_OK);
    pool_run_until(&p, is_true, &over);
    read_text(path, text, sizeof text);
    assert_string_equal(text, "[\n  \"" KEY_1 "\"\n]");
    assert_int_equal(rmdir(temp), 0);
    over = false; /* and asking again is the remedy */
    assert_int_equal(swim_node_change_keys(n, SWIM_KEY_INSTALL, KEY_2, 0, on_changed, &over),
                     SWIM_OK);
    pool_run_until(&p, is_true, &over);
    read_text(path, text, sizeof text);
    assert_string_equal(text, "[\n  \"" KEY_1 "\",\n  \"" KEY_2 "\"\n]");
    swim_node_destroy(n);
    pool_close(&p);
}

static void test_a_keyring_file_keeps_its_order(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node *n;
    char path[128], why[256];
    struct mu_str key;
    size_t at = 0;
    snprintf(path, sizeof path, "%s", path_of("two"));
    write_text(path, " [ \"" KEY_2 "\" ,\n\"" KEY_1 "\" ] \n");
    pool_open(&p);
    assert_int_equal(create_with_keyfile(&p, path, NULL, why, sizeof why, &n), SWIM_OK);
    assert_true(swim_next_key(swim_node_core(n), &at, &key));
    assert_int_equal(key.len, 32);
    assert_true(swim_next_key(swim_node_core(n), &at, &key));
    assert_int_equal(key.len, 16);
    assert_false(swim_next_key(swim_node_core(n), &at, &key));
    swim_node_destroy(n);
    pool_close(&p);
}

static void test_a_broken_keyring_file_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "[",
                                        "[\"\"]",
                                        "[\"" KEY_1 "\"",
                                        "[\"" KEY_1 "\",]",
                                        "[\"" KEY_1 "\"] x",
                                        "{\"" KEY_1 "\"}",
                                        "[\"AAEC\"]",
                                        "[\"not base64!!\"]",
                                        "[\"\\u0041\"]",
                                        "[\"" KEY_2 KEY_2 "\"]"};
    struct pool p;
    struct swim_node *n;
    char path[128], why[256];
    snprintf(path, sizeof path, "%s", path_of("bad"));
    pool_open(&p);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_text(path, texts[i]);
        assert_int_equal(create_with_keyfile(&p, path, KEY_1, why, sizeof why, &n),
                         SWIM_NODE_EFILE);
        assert_non_null(strstr(why, path));
    }
    pool_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_consuls_snapshot_is_replayed),
        cmocka_unit_test(test_a_leave_forgets_unless_rejoining_is_wanted),
        cmocka_unit_test(test_broken_lines_are_passed_over),
        cmocka_unit_test(test_records_are_what_serf_writes),
        cmocka_unit_test(test_a_long_file_is_compacted),
        cmocka_unit_test(test_a_snapshot_that_cannot_be_opened_is_refused_with_a_reason),
        cmocka_unit_test(test_a_restarted_node_finds_back_to_its_pool),
        cmocka_unit_test(test_the_keyring_file_is_made_from_the_config_and_wins_over_it_later),
        cmocka_unit_test(test_changed_keys_are_in_the_file_and_invalid_ones_never),
        cmocka_unit_test(test_a_key_that_cannot_be_stored_is_no_success),
        cmocka_unit_test(test_a_keyring_file_keeps_its_order),
        cmocka_unit_test(test_a_broken_keyring_file_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests_name("node_files", tests, make_dir, remove_dir);
}
