/* What strangers bring to a node's connections, and what it answers. */
#include "node_world.h"

#include <signal.h>
#include <sys/socket.h>

static void test_rubbish_on_a_connection_ends_it_and_nothing_else(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    static const uint8_t rubbish[][16] = {
        {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1},         /* a lying length */
        {4, 0, 0, 0, 1, 2, 3, 4, 1, 'M', 'R', 'F', 'T'}, /* a wrong checksum */
        {0, 0, 0, 0, 0, 0, 0, 0, 9},                     /* an unknown kind */
    };
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        evutil_socket_t pair[2];
        assert_int_equal(evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        evutil_make_socket_nonblocking(pair[0]);
        evutil_make_socket_nonblocking(pair[1]);
        assert_int_equal(raft_node_adopt(w->servers[0].node, pair[0]), 0);
        assert_true(send(pair[1], rubbish[i], sizeof rubbish[i], MSG_NOSIGNAL) ==
                    (ssize_t)sizeof rubbish[i]);
        char byte;
        ssize_t got = -1;
        RUN_UNTIL(w, (got = recv(pair[1], &byte, 1, 0)) == 0 || (got < 0 && errno != EAGAIN));
        evutil_closesocket(pair[1]);
    }
    replicate(w, 20);
}

static void test_server_of_another_cluster_is_turned_away(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    evutil_socket_t pair[2];
    assert_int_equal(evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    evutil_make_socket_nonblocking(pair[0]);
    evutil_make_socket_nonblocking(pair[1]);
    assert_int_equal(raft_node_adopt(w->servers[0].node, pair[0]), 0);
    struct hello h = {.cluster = "other", .from = "stranger", .to = "server-0"};
    uint8_t frame[FRAME_HEAD_BYTES + HELLO_BYTES_MAX];
    size_t len = raft_node__hello_encode(frame + FRAME_HEAD_BYTES, &h);
    raft_node__frame_encode_head(frame, FRAME_HELLO, frame + FRAME_HEAD_BYTES, len);
    assert_true(send(pair[1], frame, FRAME_HEAD_BYTES + len, MSG_NOSIGNAL) > 0);
    uint8_t answer[512];
    size_t have = 0;
    ssize_t got = -1;
    RUN_UNTIL(w, ((got = recv(pair[1], answer + have, sizeof answer - have, 0)) > 0 &&
                  (have += (size_t)got) == 0) ||
                     got == 0);
    struct frame_head head = raft_node__frame_decode_head(answer);
    assert_true(have == FRAME_HEAD_BYTES + head.len &&
                raft_node__frame_check(&head, answer + FRAME_HEAD_BYTES));
    assert_true(raft_node__hello_decode(answer + FRAME_HEAD_BYTES, head.len, &h));
    assert_string_equal(h.cluster, "test");
    assert_string_equal(h.from, "server-0");
    evutil_closesocket(pair[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_test_filter(getenv("MUSTER_TEST_ONLY"));
    const struct CMUnitTest tests[] = {
        T(test_rubbish_on_a_connection_ends_it_and_nothing_else),
        T(test_server_of_another_cluster_is_turned_away),
    };
    return cmocka_run_group_tests_name("node_peers", tests, NULL, NULL);
}
