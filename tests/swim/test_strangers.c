/* Mirrors src/strangers.c: whom we cannot read is told in few lines, and counted always. */
#include "lone.h"

static unsigned lines;
static char last[512];

static void count_lines(void *user, enum mu_level level, const char *line)
{
    (void)user;
    if (level == MU_WARN) {
        lines++;
        (void)snprintf(last, sizeof last, "%s", line);
    }
}

static void with_key(struct swim_config *cfg)
{
    static const struct mu_str key = {"0123456789abcdef", 16};
    cfg->keys = &key;
    cfg->nkeys = 1;
    cfg->log = count_lines;
}

static void without_key(struct swim_config *cfg)
{
    cfg->log = count_lines;
}

static void send(struct lone *l, unsigned host, uint16_t port, int expected)
{
    static const char sealed[64] = {1, 2, 3};
    struct swim_addr from = lone_addr(host);
    from.port = port;
    assert_int_equal(swim_receive(l->s, l->now, &from, sealed, sizeof sealed), expected);
}

static void test_a_wrong_key_is_one_line_for_each_peer_and_counted(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stats st;
    lines = 0;
    lone_create(&l, with_key);
    for (uint16_t i = 0; i < 100; i++) { /* from any port */
        send(&l, 9, (uint16_t)(1000 + i), SWIM_ECRYPT);
        l.now += 2 * MU_SEC;
    }
    assert_int_equal(lines, 1);
    assert_string_equal(
        last,
        "10.0.0.9:1000 sends what none of our 1 gossip keys opens: it has another key, or none");
    send(&l, 8, 1, SWIM_ECRYPT);
    assert_int_equal(lines, 2);
    l.now += 300 * MU_SEC;
    send(&l, 9, 1, SWIM_ECRYPT);
    assert_int_equal(lines, 3);
    swim_stats(l.s, &st);
    assert_int_equal(st.packets_undecryptable, 102);
    lone_destroy(&l);
}

static void test_many_peers_at_once_are_few_lines(void **state)
{
    (void)state;
    struct lone l;
    lines = 0;
    lone_create(&l, with_key);
    for (unsigned i = 0; i < 1000; i++) {
        send(&l, i % 250, 1, SWIM_ECRYPT);
        l.now += 10 * MU_MSEC;
    }
    assert_in_range(lines, 5, 11); /* ten seconds */
    lone_destroy(&l);
}

static void test_who_is_encrypted_where_we_are_not_is_told_too(void **state)
{
    (void)state;
    struct lone l;
    lines = 0;
    lone_create(&l, without_key);
    send(&l, 9, 1, SWIM_EPROTO);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(last, "is it encrypted?"));
    lone_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wrong_key_is_one_line_for_each_peer_and_counted),
        cmocka_unit_test(test_many_peers_at_once_are_few_lines),
        cmocka_unit_test(test_who_is_encrypted_where_we_are_not_is_told_too),
    };
    return cmocka_run_group_tests_name("strangers", tests, NULL, NULL);
}
