/* Mirrors daemons/node/members.c and stats.c. */
#include "mu_test.h"

#include "msgpack.h"
#include "node/members.h"
#include "node/stats.h"

static struct members members;

static int setup(void **state)
{
    (void)state;
    members_init(&members, 7);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    members_fini(&members);
    return 0;
}

static struct agent_member *member(const char *name, uint64_t status, struct mu_pair *tags,
                                   size_t n)
{
    struct agent_member m = {
        .name = mu__cstr(name), .addr = mu__cstr("10.0.0.1"), .status = status, .tags = {tags, n}};
    struct agent_member *copy = mu__schema_clone(&agent_member_schema, &m, NULL);
    assert_non_null(copy);
    return copy;
}

static void a_member_is_known_until_it_is_reaped(void **state)
{
    (void)state;
    members_apply(&members, MEMBER_JOINED, member("a", MEMBER_ALIVE, NULL, 0));
    members_apply(&members, MEMBER_DID_FAIL, member("a", MEMBER_FAILED, NULL, 0));
    assert_int_equal(members_count(&members), 1);
    assert_int_equal(members_find(&members, mu__cstr("a"))->status, MEMBER_FAILED);
    assert_null(members_find(&members, mu__cstr("A")));
    members_apply(&members, MEMBER_REAPED, member("a", MEMBER_FAILED, NULL, 0));
    assert_null(members_find(&members, mu__cstr("a")));
    /* Twice is no harm */
    members_apply(&members, MEMBER_REAPED, member("a", MEMBER_FAILED, NULL, 0));
    assert_int_equal(members_count(&members), 0);
}

static size_t count_servers(const char *only)
{
    size_t n = 0, at = 0;
    for (const struct agent_member *m; (m = members_next_server(&members, &at)) != NULL; n++) {
        assert_true(only && mu__str_eq(m->name, mu__cstr(only)));
        assert_ptr_equal(m, members_find(&members, m->name));
    }
    return n;
}

static void servers_are_walked_without_the_other_members(void **state)
{
    (void)state;
    struct mu_pair server = {mu__cstr("role"), mu__cstr("consul")};
    struct mu_pair agent = {mu__cstr("role"), mu__cstr("node")};
    members_apply(&members, MEMBER_JOINED, member("a", MEMBER_ALIVE, &agent, 1));
    members_apply(&members, MEMBER_JOINED, member("b", MEMBER_ALIVE, NULL, 0));
    assert_int_equal(count_servers(NULL), 0);
    members_apply(&members, MEMBER_JOINED, member("s", MEMBER_ALIVE, &server, 1));
    assert_int_equal(count_servers("s"), 1);
    members_apply(&members, MEMBER_DID_FAIL, member("s", MEMBER_FAILED, &server, 1));
    assert_int_equal(count_servers("s"), 1);
    /* It comes back as an agent, and as a server again */
    members_apply(&members, MEMBER_JOINED, member("s", MEMBER_ALIVE, &agent, 1));
    assert_int_equal(count_servers(NULL), 0);
    members_apply(&members, MEMBER_UPDATED, member("s", MEMBER_ALIVE, &server, 1));
    assert_int_equal(count_servers("s"), 1);
    members_apply(&members, MEMBER_REAPED, member("s", MEMBER_FAILED, &server, 1));
    assert_int_equal(count_servers(NULL), 0);
    assert_int_equal(members_count(&members), 2);
}

static void members_are_listed_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"b", "", "ab", "a", "c"};
    struct mu__arena arena;
    mu__arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < 5; i++) {
        members_apply(&members, MEMBER_JOINED, member(names[i], MEMBER_ALIVE, NULL, 0));
    }
    struct mu_list l = members_sorted(&members, &arena);
    static const char *const sorted[] = {"", "a", "ab", "b", "c"};
    assert_int_equal(l.len, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(
            mu__str_eq(((const struct agent_member *)l.items[i])->name, mu__cstr(sorted[i])));
    }
    mu__arena_fini(&arena);
}

/* In order of their keys, as tags are kept. */
static bool is_server(const char *bootstrap, const char *dc, const char *expect, const char *port,
                      struct member_server *out)
{
    struct mu_pair tags[8];
    size_t n = 0;
    const char *const pairs[][2] = {
        {"bootstrap", bootstrap}, {"dc", dc},     {"expect", expect}, {"id", "x"},
        {"muster", "1"},          {"port", port}, {"role", "consul"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i][1]) {
            tags[n++] = (struct mu_pair){mu__cstr(pairs[i][0]), mu__cstr(pairs[i][1])};
        }
    }
    struct agent_member *m = member("s", MEMBER_ALIVE, tags, n);
    bool is = member_as_server(m, mu__cstr("dc1"), out);
    free(m); /* what out lends goes, the numbers stay */
    return is;
}

static void a_server_is_known_by_its_tags(void **state)
{
    (void)state;
    struct member_server s;
    assert_true(is_server(NULL, "dc1", "3", "8300", &s));
    assert_int_equal(s.port, 8300);
    assert_int_equal(s.expect, 3);
    assert_true(s.is_muster);
    assert_true(is_server("1", "dc1", NULL, "65535", &s));
    assert_int_equal(s.expect, 1);
    assert_true(is_server(NULL, "dc1", NULL, "1", &s));
    assert_int_equal(s.expect, 0);
}

static void tags_that_make_no_sense_make_no_server(void **state)
{
    (void)state;
    struct member_server s;
    static const char *const ports[] = {NULL,
                                        "",
                                        "0",
                                        "65536",
                                        "-1",
                                        "8300x",
                                        " 8300",
                                        "99999999999999999999",
                                        "18446744073709560000"};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        assert_false(is_server(NULL, "dc1", NULL, ports[i], &s));
    }
    assert_false(is_server(NULL, "dc2", NULL, "8300", &s));
    assert_false(is_server(NULL, NULL, NULL, "8300", &s));
    assert_false(is_server(NULL, "dc1", "many", "8300", &s));
    assert_false(is_server(NULL, "dc1", "1001", "8300", &s));
}

static struct mu_str text(struct mu__reader *r)
{
    struct mu_str s = mu__mp_read_str(r);
    assert_false(r->failed);
    return s;
}

static void stats_are_groups_of_text(void **state)
{
    (void)state;
    struct mu__arena arena;
    mu__arena_init(&arena, NULL, 0);
    struct stats s = {.arena = &arena};
    char lang[400];
    memset(lang, 'x', sizeof lang - 1);
    lang[sizeof lang - 1] = '\0';
    stats_add(&s, "a", "one", "%d", 1);
    stats_add(&s, "a", "two", "%s", "");
    stats_add(&s, "b", "long", "%s", lang);
    struct mu_str bytes = stats_encode(&s);
    struct mu__reader r = mu__reader(bytes.p, bytes.len);
    assert_int_equal(mu__mp_read_map(&r), 2);
    assert_true(mu__str_eq(text(&r), mu__cstr("a")));
    assert_int_equal(mu__mp_read_map(&r), 2);
    assert_true(mu__str_eq(text(&r), mu__cstr("one")) && mu__str_eq(text(&r), mu__cstr("1")));
    assert_true(mu__str_eq(text(&r), mu__cstr("two")) && mu__str_eq(text(&r), mu__cstr("")));
    assert_true(mu__str_eq(text(&r), mu__cstr("b")));
    assert_int_equal(mu__mp_read_map(&r), 1);
    assert_true(mu__str_eq(text(&r), mu__cstr("long")));
    assert_int_equal(text(&r).len, 255); /* cut */
    for (int i = 0; i < 200; i++) {
        stats_add(&s, "c", "k", "%d", i);
    }
    assert_int_equal(s.len, STATS_MAX);
    mu__arena_fini(&arena);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_member_is_known_until_it_is_reaped),
        T(servers_are_walked_without_the_other_members),
        T(members_are_listed_by_name),
        T(a_server_is_known_by_its_tags),
        T(tags_that_make_no_sense_make_no_server),
        T(stats_are_groups_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
