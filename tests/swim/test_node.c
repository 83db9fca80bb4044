/* The node as a whole, on real loopback sockets. Mirrors node/node.c, udp.c, tcp.c. */
#include "node_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_two_nodes_find_each_other(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b");
    pool_join(&p, a, b);
    pool_wait_for_status(&p, a, "b", SWIM_STATUS_ALIVE);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    assert_int_equal(swim_alive(swim_node_core(a->node)), 2);
    pool_close(&p);
}

static void test_news_spread_to_nodes_that_never_met(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b"),
                *c = pool_add_plain(&p, "c");
    pool_join(&p, a, b);
    pool_join(&p, c, b);
    pool_wait_for_status(&p, a, "c", SWIM_STATUS_ALIVE); /* by gossip from b */
    pool_wait_for_status(&p, c, "a", SWIM_STATUS_ALIVE);
    pool_close(&p);
}

static void test_a_killed_node_is_seen_as_failed(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b"),
                *c = pool_add_plain(&p, "c");
    pool_join(&p, b, a);
    pool_join(&p, c, a);
    pool_wait_for_status(&p, b, "c", SWIM_STATUS_ALIVE);
    pool_kill(&p, c);
    pool_wait_for_status(&p, a, "c", SWIM_STATUS_FAILED);
    pool_wait_for_status(&p, b, "c", SWIM_STATUS_FAILED);
    pool_close(&p);
}

static void on_left(void *user)
{
    ((struct peer *)user)->left = true;
}

static bool has_left(void *peer)
{
    return ((struct peer *)peer)->left;
}

static void test_a_node_that_leaves_is_seen_as_left(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b");
    pool_join(&p, a, b);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    swim_node_leave(a->node, on_left, a);
    assert_false(a->left); /* never from inside the call */
    pool_run_until(&p, has_left, a);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_LEFT);
    a->left = false;
    swim_node_leave(a->node, on_left, a); /* again: at once, but from the loop */
    assert_false(a->left);
    pool_run_until(&p, has_left, a);
    pool_close(&p);
}

static bool has_heard(void *peer)
{
    return ((struct peer *)peer)->user_events > 0;
}

static void test_a_user_event_reaches_everyone_once(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b");
    pool_join(&p, a, b);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    assert_int_equal(swim_user_event(swim_node_core(a->node), swim_node_now(a->node),
                                     (struct mu_str){"deploy", 6}, (struct mu_str){"v2", 2}, false),
                     SWIM_OK);
    swim_node_flush(a->node);
    pool_run_until(&p, has_heard, a);
    pool_run_until(&p, has_heard, b);
    assert_string_equal(b->last_event, "deploy=v2");
    assert_int_equal(b->user_events, 1);
    pool_close(&p);
}

static struct peer *add_with_key(struct pool *p, const char *name, const char *key)
{
    struct swim_node_config cfg;
    pool_config(p, &cfg, name);
    cfg.keys_base64 = &key;
    cfg.nkeys_base64 = key ? 1 : 0;
    return pool_add(p, &cfg);
}

#define KEY_1 "AAECAwQFBgcICQoLDA0ODw=="
#define KEY_2 "EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8="

static void test_nodes_with_one_key_find_each_other(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = add_with_key(&p, "a", KEY_1), *b = add_with_key(&p, "b", KEY_1);
    pool_join(&p, a, b);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    struct swim_stats stats;
    swim_stats(swim_node_core(b->node), &stats);
    assert_true(stats.encrypted);
    pool_close(&p);
}

static void join_must_fail(struct pool *p, struct peer *a, const struct peer *b)
{
    char addr[SWIM_ADDR_TEXT];
    struct joined joined = {0};
    const char *list[] = {peer_addr(b, addr)};
    assert_int_equal(swim_node_join(a->node, list, 1, on_joined, &joined), SWIM_OK);
    pool_run_until(p, is_joined, &joined);
    assert_int_equal(joined.count, 0);
    assert_non_null(strstr(joined.error, "1 error occurred:\n\t* Failed to join 127.0.0.1: "));
}

static void test_another_key_or_none_keeps_a_node_out(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = add_with_key(&p, "a", KEY_1), *b = add_with_key(&p, "b", KEY_2);
    struct peer *c = add_with_key(&p, "c", NULL);
    join_must_fail(&p, a, b);
    join_must_fail(&p, a, c);
    join_must_fail(&p, c, a);
    assert_int_equal(swim_alive(swim_node_core(a->node)), 1);
    assert_int_equal(swim_alive(swim_node_core(c->node)), 1);
    pool_close(&p);
}

/* ---- strangers ---- */

static int connect_to(const struct peer *peer)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(swim_node_addr(peer->node)->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

struct stranger {
    int fd;
    size_t got;
};

/* Reads what there is; true once the node has closed. */
static bool is_closed(void *arg)
{
    struct stranger *s = arg;
    char buf[256];
    ssize_t n = recv(s->fd, buf, sizeof buf, MSG_DONTWAIT);
    s->got += n > 0 ? (size_t)n : 0;
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void test_rubbish_on_a_stream_is_answered_and_closed(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    struct stranger s = {.fd = connect_to(a)};
    assert_int_equal(send(s.fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    pool_run_until(&p, is_closed, &s);
    close(s.fd);
    assert_int_equal(swim_alive(swim_node_core(a->node)), 1);
    pool_close(&p);
}

/* A ping over a stream; whoever has gone before it is read gets no answer. */
static size_t answer_to_ping(bool gone)
{
    static const char ping[] = "\0\x82\xa5SeqNo\x07\xa4Node\xa1"
                               "a";
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    struct stranger s = {.fd = connect_to(a)};
    assert_int_equal(send(s.fd, ping, sizeof ping - 1, MSG_NOSIGNAL), sizeof ping - 1);
    if (gone) {
        assert_int_equal(shutdown(s.fd, SHUT_WR), 0);
    }
    pool_run_until(&p, is_closed, &s);
    close(s.fd);
    pool_close(&p);
    return s.got;
}

static void test_only_who_still_waits_is_answered_on_a_stream(void **state)
{
    (void)state;
    assert_true(answer_to_ping(false) > 0);
    assert_int_equal(answer_to_ping(true), 0);
}

static void test_silent_streams_are_closed_at_their_deadline(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node_config cfg;
    pool_open(&p);
    pool_config(&p, &cfg, "a");
    cfg.swim.stream_timeout_ns = 100 * MU_MSEC;
    struct peer *a = pool_add(&p, &cfg);
    struct stranger s = {.fd = connect_to(a)};
    pool_run_until(&p, is_closed, &s);
    assert_int_equal(s.got, 0);
    close(s.fd);
    pool_close(&p);
}

static void test_more_streams_than_the_limit_are_closed_at_once(void **state)
{
    (void)state;
    enum { LIMIT = 4, EXTRA = 3 };
    struct pool p;
    struct swim_node_config cfg;
    struct stranger s[LIMIT + EXTRA];
    pool_open(&p);
    pool_config(&p, &cfg, "a");
    cfg.swim.streams_max = LIMIT;
    cfg.swim.stream_timeout_ns = 3600 * MU_SEC;
    struct peer *a = pool_add(&p, &cfg);
    for (size_t i = 0; i < LIMIT + EXTRA; i++) {
        s[i] = (struct stranger){.fd = connect_to(a)};
    }
    for (size_t i = LIMIT; i < LIMIT + EXTRA; i++) {
        pool_run_until(&p, is_closed, &s[i]);
    }
    for (size_t i = 0; i < LIMIT; i++) {
        assert_false(is_closed(&s[i]));
    }
    for (size_t i = 0; i < LIMIT + EXTRA; i++) {
        close(s[i].fd);
    }
    pool_close(&p);
}

static bool has_seen_rubbish(void *peer)
{
    struct swim_stats stats;
    swim_stats(swim_node_core(((struct peer *)peer)->node), &stats);
    return stats.packets_malformed >= 3;
}

static void test_rubbish_datagrams_are_counted_and_dropped(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(swim_node_addr(a->node)->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 3; i++) {
        sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof to); /* empty ones are passed over */
        assert_int_equal(sendto(fd, "\xff\xfe", 2, 0, (struct sockaddr *)&to, sizeof to), 2);
    }
    pool_run_until(&p, has_seen_rubbish, a);
    close(fd);
    pool_close(&p);
}

/* ---- creation ---- */

static void test_a_port_in_use_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node_config cfg;
    struct swim_node *n;
    char why[256];
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    pool_config(&p, &cfg, "b");
    cfg.bind.port = swim_node_addr(a->node)->port;
    assert_int_equal(swim_node_create(&cfg, why, sizeof why, &n), SWIM_NODE_ESOCKET);
    assert_null(n);
    assert_non_null(strstr(why, "cannot bind TCP to 127.0.0.1:"));
    pool_close(&p);
}

static void test_a_wrong_config_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node_config cfg;
    struct swim_node *n;
    char why[256];
    pool_open(&p);
    pool_config(&p, &cfg, "a");
    cfg.bind = (struct swim_addr){.len = 4};
    assert_int_equal(swim_node_create(&cfg, why, sizeof why, &n), SWIM_EINVAL);
    assert_non_null(strstr(why, "swim.advertise"));
    pool_config(&p, &cfg, "a");
    cfg.base = NULL;
    assert_int_equal(swim_node_create(&cfg, why, sizeof why, &n), SWIM_EINVAL);
    pool_config(&p, &cfg, "");
    assert_int_equal(swim_node_create(&cfg, NULL, 0, &n), SWIM_EINVAL);
    const char *keys[] = {"c2hvcnQ="};
    pool_config(&p, &cfg, "a");
    cfg.keys_base64 = keys;
    cfg.nkeys_base64 = 1;
    assert_int_equal(swim_node_create(&cfg, why, sizeof why, &n), SWIM_EINVAL);
    assert_non_null(strstr(why, "key 1"));
    pool_close(&p);
}

static void test_ipv6_nodes_find_each_other(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node_config cfg;
    struct swim_node *probe;
    pool_open(&p);
    pool_config(&p, &cfg, "a");
    cfg.bind = (struct swim_addr){.ip = {[15] = 1}, .len = 16};
    if (swim_node_create(&cfg, NULL, 0, &probe) != SWIM_OK) {
        print_message("no IPv6 here\n");
        pool_close(&p);
        skip();
    }
    swim_node_destroy(probe);
    struct peer *a = pool_add(&p, &cfg);
    cfg.swim.name = "b";
    struct peer *b = pool_add(&p, &cfg);
    pool_join(&p, a, b);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    pool_close(&p);
}

static void test_every_code_has_a_sentence_and_a_class(void **state)
{
    (void)state;
    assert_string_equal(swim_node_strerror(SWIM_ENOMEM), swim_strerror(SWIM_ENOMEM));
    assert_int_equal(swim_node_err_class(SWIM_NODE_ESOCKET), MU_CLASS_CALLER);
    assert_int_equal(swim_node_err_class(SWIM_NODE_EFILE), MU_CLASS_CALLER);
    assert_string_not_equal(swim_node_strerror(SWIM_NODE_ESOCKET),
                            swim_strerror(SWIM_NODE_ESOCKET));
    assert_string_not_equal(swim_node_strerror(SWIM_NODE_EFILE), swim_strerror(SWIM_NODE_EFILE));
    assert_int_equal(swim_node_err_class(SWIM_EPROTO), MU_CLASS_PEER);
    swim_node_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_nodes_find_each_other),
        cmocka_unit_test(test_news_spread_to_nodes_that_never_met),
        cmocka_unit_test(test_a_killed_node_is_seen_as_failed),
        cmocka_unit_test(test_a_node_that_leaves_is_seen_as_left),
        cmocka_unit_test(test_a_user_event_reaches_everyone_once),
        cmocka_unit_test(test_nodes_with_one_key_find_each_other),
        cmocka_unit_test(test_another_key_or_none_keeps_a_node_out),
        cmocka_unit_test(test_rubbish_on_a_stream_is_answered_and_closed),
        cmocka_unit_test(test_only_who_still_waits_is_answered_on_a_stream),
        cmocka_unit_test(test_silent_streams_are_closed_at_their_deadline),
        cmocka_unit_test(test_more_streams_than_the_limit_are_closed_at_once),
        cmocka_unit_test(test_rubbish_datagrams_are_counted_and_dropped),
        cmocka_unit_test(test_a_port_in_use_is_refused_with_a_reason),
        cmocka_unit_test(test_a_wrong_config_is_refused_with_a_reason),
        cmocka_unit_test(test_ipv6_nodes_find_each_other),
        cmocka_unit_test(test_every_code_has_a_sentence_and_a_class),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
