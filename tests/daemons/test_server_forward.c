/* Mirrors daemons/server/backend.c: calls that another server answers, which is a scripted one on
 * the loopback. */
#include "mu_test.h"

#include "rpc_kit.h"
#include "server_kit.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server_kit k;
static struct rpc_kit leader, next;

static int setup(void **state)
{
    (void)state;
    kit_open(&k, "");
    for (int i = 0; i < 10; i++) { /* what Raft says at its start: that there is no leader */
        kit_turn_core(&k);
        kit_turn_front(&k);
    }
    kit_init(&leader, loop_base(k.loop), NULL);
    kit_init(&next, loop_base(k.loop), NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close_front(&k);
    kit_fini(&leader);
    kit_fini(&next);
    kit_close(&k);
    return 0;
}

/* The front hears of a leader; port 0: of none. */
static void follow_as(const struct server_kit *who, const char *id, uint16_t port)
{
    struct server_view *v = calloc(1, sizeof *v);
    assert_non_null(v);
    if (port) {
        snprintf(v->leader_id, sizeof v->leader_id, "%s", id);
        snprintf(v->leader_name, sizeof v->leader_name, "%s", id);
        snprintf(v->leader_host, sizeof v->leader_host, "127.0.0.1");
        v->leader_port = port;
    }
    server__front_take_view(who->front, v);
}

static void follow(const char *id, uint16_t port)
{
    follow_as(&k, id, port);
}

static void a_follower_asks_the_leader(void **state)
{
    (void)state;
    struct outcome read, write;
    follow("l", leader.port);
    kit_get(&k, "a", 0, &read);
    kit_put(&k, "a", "12345", &write);
    KIT_UNTIL(&k, read.done && write.done);
    assert_string_equal(read.error, "");
    assert_true(write.flag);
    assert_int_equal(leader.calls, 2);
    assert_int_equal(leader.forwarded, 2);
    assert_int_equal(leader.value_len, 5);
    assert_null(k.front->forwarded);
}

static void an_error_of_the_leader_names_the_hop(void **state)
{
    (void)state;
    struct outcome o;
    follow("l", leader.port);
    kit_get(&k, "denied", 0, &o);
    KIT_UNTIL(&k, o.done);
    assert_string_equal(o.error, "rpc error making call: Permission denied");
}

static void a_leader_that_just_lost_its_place_is_asked_again(void **state)
{
    (void)state;
    struct outcome o;
    leader.no_leader = 2;
    follow("l", leader.port);
    kit_put(&k, "a", "1", &o);
    KIT_UNTIL(&k, o.done);
    assert_string_equal(o.error, "");
    assert_int_equal(leader.calls, 3);
}

static void a_leader_that_is_not_there_is_waited_for(void **state)
{
    (void)state;
    struct outcome o;
    uint16_t port = next.port;
    evconnlistener_free(next.listener);
    next.listener = NULL;
    follow("l", port); /* refuses connections */
    kit_put(&k, "a", "1", &o);
    KIT_UNTIL(&k, k.front->held);
    follow("m", leader.port);
    KIT_UNTIL(&k, o.done);
    assert_string_equal(o.error, "");
}

static void reads_follow_the_leadership(void **state)
{
    (void)state;
    struct outcome o;
    follow("l", leader.port);
    kit_get(&k, "a", 1, &o); /* held by the script, as by a server that does not answer any more */
    KIT_UNTIL(&k, leader.nheld == 1);
    follow("", 0);
    assert_int_equal(leader.cancelled, 0); /* who knows, it may still answer */
    follow("l", leader.port);
    follow("n", next.port);
    KIT_UNTIL(&k, next.nheld == 1 && leader.cancelled == 1);
    kit_release(&next);
    KIT_UNTIL(&k, o.done);
    assert_string_equal(o.error, "");
}

static void a_forwarded_call_can_be_cancelled(void **state)
{
    (void)state;
    struct outcome o;
    follow("l", leader.port);
    kit_get(&k, "a", 1, &o);
    KIT_UNTIL(&k, leader.nheld == 1);
    call_cancel(o.call);
    KIT_UNTIL(&k, leader.cancelled == 1);
    assert_false(o.done);
    assert_null(k.front->forwarded);
}

static void a_read_is_asked_again_when_its_connection_breaks(void **state)
{
    (void)state;
    struct outcome o;
    follow("l", leader.port);
    kit_get(&k, "a", 1, &o);
    KIT_UNTIL(&k, leader.nheld == 1);
    rpc_server_destroy(leader.server);
    leader.server = NULL;
    evconnlistener_free(leader.listener);
    leader.listener = NULL;
    KIT_UNTIL(&k, k.front->held);
    follow("n", next.port);
    KIT_UNTIL(&k, next.nheld == 1);
    kit_release(&next);
    KIT_UNTIL(&k, o.done);
    assert_string_equal(o.error, "");
}

static void forwarded_calls_are_told_at_the_end(void **state)
{
    (void)state;
    struct outcome read;
    follow("l", leader.port);
    kit_get(&k, "a", 1, &read);
    KIT_UNTIL(&k, leader.nheld == 1);
    kit_close_front(&k);
    assert_true(read.done);
    assert_string_not_equal(read.error, "");
    KIT_UNTIL(&k, leader.nheld == 0);
}

static void ourselves_without_a_lease_are_waited_for(void **state)
{
    (void)state;
    struct outcome o;
    follow(KIT_ID, leader.port); /* leader, but a majority has not said so yet */
    kit_get(&k, "a", 0, &o);
    assert_non_null(k.front->held);
    kit_elect(&k);
    KIT_UNTIL(&k, o.done);
    assert_string_equal(o.error, "");
    assert_int_equal(leader.calls, 0);
}

static void a_blocked_read_has_all_its_patience_when_its_leader_is_lost(void **state)
{
    (void)state;
    struct outcome o;
    kit_get(&k, "a", 1000000, &o); /* there is no leader yet: its patience begins */
    kit_elect(&k);
    KIT_UNTIL(&k, k.front->blocked);
    assert_int_equal(k.front->blocked->hold_until_ns, 0);
    call_cancel(o.call);
}

/* A port on which connections may be made, and nothing is ever answered; with `deaf` not even the
 * handshake is, once some connections wait. */
struct silence {
    int fd, waiting[4];
    uint16_t port;
};

static struct silence silence(bool deaf)
{
    struct silence s = {.fd = socket(AF_INET, SOCK_STREAM, 0), .waiting = {-1, -1, -1, -1}};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    assert_int_equal(bind(s.fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(s.fd, deaf ? 0 : 8), 0);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&in, &len), 0);
    s.port = ntohs(in.sin_port);
    for (int i = 0; deaf && i < 4; i++) {
        s.waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(s.waiting[i], (struct sockaddr *)&in, sizeof in);
    }
    return s;
}

static void silence_end(struct silence *s)
{
    close(s->fd);
    for (int i = 0; i < 4; i++) {
        if (s->waiting[i] >= 0) {
            close(s->waiting[i]);
        }
    }
}

static void a_write_that_a_silent_leader_may_have_is_given_up_after_there_is_another(void **state)
{
    (void)state;
    struct outcome o;
    struct silence s = silence(false);
    k.config->performance.rpc_hold_timeout_ns = 50 * MU_MSEC;
    follow("l", s.port);
    kit_put(&k, "a", "1", &o);
    KIT_UNTIL(&k, !rpc_exchange_is_unsent(k.front->forwarded->exchange));
    follow("l", s.port);
    assert_false(k.front->forwarded->has_timer); /* the same leader has all the time it wants */
    follow("n", next.port);
    assert_false(o.done);
    KIT_UNTIL(&k, o.done);
    assert_string_equal(o.error, "leadership lost while committing log");
    assert_int_equal(next.calls, 0); /* it may have taken effect: it is not repeated */
    silence_end(&s);
}

static void a_write_that_was_never_sent_goes_to_the_next_leader(void **state)
{
    (void)state;
    struct outcome o;
    struct silence s = silence(true);
    follow("l", s.port);
    kit_put(&k, "a", "1", &o);
    for (int i = 0; i < 50; i++) {
        kit_turn_front(&k);
    }
    assert_true(rpc_exchange_is_unsent(k.front->forwarded->exchange));
    follow("n", next.port);
    KIT_UNTIL(&k, o.done);
    assert_string_equal(o.error, "");
    assert_int_equal(next.calls, 1);
    silence_end(&s);
}

static void a_write_without_hope_can_be_cancelled(void **state)
{
    (void)state;
    struct outcome o;
    struct silence s = silence(false);
    follow("l", s.port);
    kit_put(&k, "a", "1", &o);
    KIT_UNTIL(&k, !rpc_exchange_is_unsent(k.front->forwarded->exchange));
    follow("n", next.port);
    assert_true(k.front->forwarded->has_timer);
    call_cancel(o.call);
    assert_null(k.front->forwarded);
    silence_end(&s);
}

/* ---- Two servers ---- */

static struct server_kit other; /* has an RPC port, as k has */

struct port {
    struct call_backend backend; /* first: counts, and hands on */
    struct call_backend *behind;
    struct rpc_server *server;
    struct evconnlistener *listener;
    uint16_t number;
    int calls;
};
static struct port ports[2];

static void count_call(struct call_backend *b, struct call *c)
{
    struct port *p = (struct port *)b;
    p->calls++;
    call_delegate(p->behind, c);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int len,
                      void *arg)
{
    (void)l;
    rpc_server_accept(((struct port *)arg)->server, fd, peer, (socklen_t)len);
}

static void open_port(struct port *p, struct server_kit *of)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    *p = (struct port){.backend.start = count_call, .behind = of->backend};
    p->server = rpc_server_create(
        &(struct rpc_server_config){.base = loop_base(of->loop), .backend = &p->backend});
    p->listener = evconnlistener_new_bind(loop_base(of->loop), on_accept, p, LEV_OPT_CLOSE_ON_FREE,
                                          -1, (struct sockaddr *)&in, (int)len);
    assert_non_null(p->listener);
    getsockname(evconnlistener_get_fd(p->listener), (struct sockaddr *)&in, &len);
    p->number = ntohs(in.sin_port);
}

static int setup_two(void **state)
{
    setup(state);
    kit_open(&other, "");
    open_port(&ports[0], &k);
    open_port(&ports[1], &other);
    for (int i = 0; i < 10; i++) {
        kit_turn_core(&other);
        kit_turn_front(&other);
    }
    return 0;
}

static int teardown_two(void **state)
{
    for (int i = 0; i < 2; i++) {
        evconnlistener_free(ports[i].listener);
        rpc_server_destroy(ports[i].server);
    }
    kit_close(&other);
    return teardown(state);
}

static bool other_turns(void)
{
    kit_turn_core(&other);
    kit_turn_front(&other);
    return true;
}

static void servers_that_take_each_other_for_the_leader_do_not_play_ball(void **state)
{
    (void)state;
    struct outcome read, write;
    k.config->performance.rpc_hold_timeout_ns = 300 * MU_MSEC;
    follow_as(&k, "other", ports[1].number);
    follow_as(&other, "k", ports[0].number);
    kit_get(&k, "a", 0, &read);
    kit_put(&k, "a", "1", &write);
    KIT_UNTIL(&k, other_turns() && read.done && write.done);
    assert_string_equal(read.error, "No cluster leader");
    assert_string_equal(write.error, "No cluster leader");
    assert_int_equal(ports[0].calls, 0);
    assert_in_range(ports[1].calls, 2, 40); /* asked now and then for as long as it is patient */
}

static void a_call_that_met_a_former_leader_goes_to_the_next(void **state)
{
    (void)state;
    struct outcome o;
    follow_as(&k, "other", ports[1].number); /* which knows better */
    follow_as(&other, "n", next.port);
    kit_put(&k, "a", "1", &o);
    KIT_UNTIL(&k, other_turns() && ports[1].calls > 1);
    assert_int_equal(next.calls, 0);
    follow_as(&k, "n", next.port);
    KIT_UNTIL(&k, other_turns() && o.done);
    assert_string_equal(o.error, "");
    assert_int_equal(next.calls, 1);
}

static void a_call_waits_for_a_leader_where_it_was_sent(void **state)
{
    (void)state;
    struct outcome o;
    follow_as(&k, "other", ports[1].number); /* which is about to be elected */
    kit_put(&k, "a", "1", &o);
    KIT_UNTIL(&k, other_turns() && other.front->held);
    kit_elect(&other);
    KIT_UNTIL(&k, other_turns() && o.done);
    assert_string_equal(o.error, "");
    assert_int_equal(ports[1].calls, 1);
    kit_get(&k, "a", 0, &o);
    KIT_UNTIL(&k, other_turns() && o.done);
    assert_string_equal(o.text, "1");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_follower_asks_the_leader),
        T(an_error_of_the_leader_names_the_hop),
        T(a_leader_that_just_lost_its_place_is_asked_again),
        T(a_leader_that_is_not_there_is_waited_for),
        T(reads_follow_the_leadership),
        T(a_forwarded_call_can_be_cancelled),
        T(a_read_is_asked_again_when_its_connection_breaks),
        T(forwarded_calls_are_told_at_the_end),
        T(ourselves_without_a_lease_are_waited_for),
        T(a_blocked_read_has_all_its_patience_when_its_leader_is_lost),
        T(a_write_that_a_silent_leader_may_have_is_given_up_after_there_is_another),
        T(a_write_that_was_never_sent_goes_to_the_next_leader),
        T(a_write_without_hope_can_be_cancelled),
#undef T
#define T(f) cmocka_unit_test_setup_teardown(f, setup_two, teardown_two)
        T(servers_that_take_each_other_for_the_leader_do_not_play_ball),
        T(a_call_that_met_a_former_leader_goes_to_the_next),
        T(a_call_waits_for_a_leader_where_it_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
