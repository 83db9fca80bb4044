/* Mirrors daemons/rpc/yamux.c and yamux_stream.c: two sessions whose outputs are each other's
 * inputs. */
#include "mu_test.h"

#include "rpc/yamux_internal.h"

#define STREAMS 300

struct side {
    struct yamux *y;
    struct evbuffer *out;
    struct yamux_stream *opened[STREAMS];
    size_t nopened, ndied, nreadable;
    bool keep;              /* leave what arrives in the streams */
    struct evbuffer *taken; /* what arrived otherwise */
    int err;
};

struct pair {
    struct side client, server;
};

static void on_opened(void *user, struct yamux_stream *s)
{
    struct side *side = user;
    assert_true(side->nopened < STREAMS);
    side->opened[side->nopened++] = s;
}

static void on_readable(void *user, struct yamux_stream *s)
{
    struct side *side = user;
    side->nreadable++;
    if (!side->keep) {
        evbuffer_add_buffer(side->taken, yamux_stream_input(s));
        yamux_stream_consumed(s);
    }
}

static void on_died(void *user, struct yamux_stream *s)
{
    (void)s;
    ((struct side *)user)->ndied++;
}

static const struct yamux_callbacks callbacks = {on_opened, on_readable, on_died};
static const struct yamux_callbacks client_callbacks = {NULL, on_readable, on_died};

static void side_init(struct side *s, bool is_client, size_t buffered_max)
{
    *s = (struct side){.out = evbuffer_new(), .taken = evbuffer_new()};
    struct yamux_config cfg = {.is_client = is_client,
                               .callbacks = is_client ? &client_callbacks : &callbacks,
                               .user = s,
                               .out = s->out,
                               .buffered_max = buffered_max};
    s->y = yamux_create(&cfg, 0);
    assert_non_null(s->y);
}

static void side_fini(struct side *s)
{
    yamux_destroy(s->y);
    evbuffer_free(s->out);
    evbuffer_free(s->taken);
}

static int setup(void **state)
{
    struct pair *p = calloc(1, sizeof *p);
    side_init(&p->client, true, 0);
    side_init(&p->server, false, 0);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;
    side_fini(&p->client);
    side_fini(&p->server);
    free(p);
    return 0;
}

static bool deliver(struct side *from, struct side *to)
{
    bool any = evbuffer_get_length(from->out) > 0;
    if (any && !to->err) {
        to->err = yamux_receive(to->y, from->out, 0);
        (void)yamux_pump(from->y);
    }
    return any && !to->err;
}

/* Carries bytes both ways until nothing moves any more. */
static void run(struct pair *p)
{
    bool moved = true;
    while (moved) {
        moved = deliver(&p->client, &p->server);
        moved = deliver(&p->server, &p->client) || moved;
    }
    assert_int_equal(p->client.err, 0);
    assert_int_equal(p->server.err, 0);
}

static void write_text(struct yamux_stream *s, const char *text)
{
    struct evbuffer *b = evbuffer_new();
    evbuffer_add(b, text, strlen(text));
    yamux_stream_write(s, b);
    evbuffer_free(b);
}

static void write_zeros(struct yamux_stream *s, size_t n)
{
    struct evbuffer *b = evbuffer_new();
    char *zeros = calloc(1, n);
    evbuffer_add(b, zeros, n);
    yamux_stream_write(s, b);
    free(zeros);
    evbuffer_free(b);
}

static void expect_out(struct side *s, const char *hex)
{
    size_t n = strlen(hex) / 2;
    unsigned char got[256];
    assert_int_equal(evbuffer_get_length(s->out), n);
    evbuffer_remove(s->out, got, n);
    for (size_t i = 0; i < n; i++) {
        unsigned want;
        sscanf(hex + 2 * i, "%2x", &want);
        assert_int_equal(got[i], want);
    }
}

static void feed(struct side *s, const char *hex)
{
    struct evbuffer *in = evbuffer_new();
    for (unsigned v; sscanf(hex, "%2x", &v) == 1; hex += 2) {
        unsigned char byte = (unsigned char)v;
        evbuffer_add(in, &byte, 1);
    }
    s->err = yamux_receive(s->y, in, 0);
    evbuffer_free(in);
}

static void expect_taken(struct side *s, const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(evbuffer_get_length(s->taken), n);
    assert_memory_equal(evbuffer_pullup(s->taken, -1), text, n);
    evbuffer_drain(s->taken, n);
}

static void test_opening_sends_the_frames_that_consul_sends(void **state)
{
    struct pair *p = *state;
    struct yamux_stream *s = yamux_open(p->client.y, NULL);
    assert_int_equal(evbuffer_get_length(p->client.out), 0); /* nothing before the first write */
    write_text(s, "hi");
    expect_out(&p->client, "000100010000000100000000"
                           "000000000000000100000002"
                           "6869");
    yamux_stream_close(s);
    expect_out(&p->client, "000100040000000100000000");
}

static void test_every_syn_is_acknowledged_at_once(void **state)
{
    struct pair *p = *state;
    feed(&p->server, "000100010000000100000000");
    expect_out(&p->server, "000100020000000100000000");
    /* On a data frame; ids need not be in order */
    feed(&p->server, "0000000100000005000000026869");
    expect_out(&p->server, "000100020000000500000000");
    expect_taken(&p->server, "hi");
    feed(&p->server, "000100010000000200000000"); /* an even id */
    expect_out(&p->server, "000100020000000200000000");
    assert_int_equal(p->server.nopened, 3);
}

static void test_streams_carry_bytes_both_ways_and_end_with_both_fins(void **state)
{
    struct pair *p = *state;
    struct yamux_stream *s = yamux_open(p->client.y, NULL);
    write_text(s, "question");
    run(p);
    expect_taken(&p->server, "question");
    write_text(p->server.opened[0], "answer");
    run(p);
    expect_taken(&p->client, "answer");

    yamux_stream_close(s);
    run(p);
    assert_true(yamux_stream_is_ended(p->server.opened[0]));
    write_text(p->server.opened[0], "late"); /* half-closed: the other direction still works */
    run(p);
    assert_int_equal(yamux_stream_count(p->client.y), 1);
    yamux_stream_close(p->server.opened[0]);
    run(p);
    assert_int_equal(yamux_stream_count(p->client.y), 0);
    assert_int_equal(yamux_stream_count(p->server.y), 0);
    assert_int_equal(p->client.ndied + p->server.ndied, 0);
}

static void test_frames_may_arrive_byte_by_byte(void **state)
{
    struct pair *p = *state;
    struct yamux_stream *s = yamux_open(p->client.y, NULL);
    write_text(s, "a slow line");
    struct evbuffer *in = evbuffer_new();
    while (evbuffer_get_length(p->client.out)) {
        evbuffer_remove_buffer(p->client.out, in, 1);
        assert_int_equal(yamux_receive(p->server.y, in, 0), 0);
    }
    evbuffer_free(in);
    expect_taken(&p->server, "a slow line");
}

static void test_large_transfer_waits_for_windows_and_gets_through(void **state)
{
    struct pair *p = *state;
    struct yamux_stream *s = yamux_open(p->client.y, NULL);
    p->server.keep = true;
    write_zeros(s, 3000000);
    run(p);
    struct evbuffer *in = yamux_stream_input(p->server.opened[0]);
    /* No more than the window while nobody reads */
    assert_int_equal(evbuffer_get_length(in), YAMUX_WINDOW);
    evbuffer_drain(in, YAMUX_WINDOW / 2 - 1);
    yamux_stream_consumed(p->server.opened[0]);
    assert_int_equal(evbuffer_get_length(p->server.out), 0); /* less than half: no update yet */
    evbuffer_drain(in, 1);
    yamux_stream_consumed(p->server.opened[0]);
    expect_out(&p->server, "000100000000000100020000");
    p->server.keep = false;
    on_readable(&p->server, p->server.opened[0]);
    feed(&p->client, "000100000000000100020000");
    run(p);
    assert_int_equal(evbuffer_get_length(p->server.taken), 3000000 - YAMUX_WINDOW / 2);
}

static void test_closing_sends_what_still_waits_for_window_first(void **state)
{
    struct pair *p = *state;
    struct yamux_stream *s = yamux_open(p->client.y, NULL);
    write_zeros(s, 1000000);
    yamux_stream_close(s);
    run(p);
    assert_int_equal(evbuffer_get_length(p->server.taken), 1000000);
    assert_true(yamux_stream_is_ended(p->server.opened[0]));
}

static void test_streams_share_a_short_output_in_turn(void **state)
{
    struct pair *p = *state;
    struct yamux_stream *s[20];
    for (int i = 0; i < 20; i++) {
        s[i] = yamux_open(p->client.y, NULL);
        write_zeros(s[i], 200000);
    }
    /* Four million bytes are written, but little more than a million stands in the output. */
    assert_true(evbuffer_get_length(p->client.out) < 1300000);
    run(p);
    assert_int_equal(evbuffer_get_length(p->server.taken), 4000000);
}

static void test_reset_ends_a_stream_at_once_on_both_sides(void **state)
{
    struct pair *p = *state;
    struct yamux_stream *s = yamux_open(p->client.y, NULL);
    write_text(s, "x");
    run(p);
    yamux_stream_reset(s);
    assert_int_equal(yamux_stream_count(p->client.y), 0);
    run(p);
    assert_int_equal(p->server.ndied, 1);
    assert_int_equal(yamux_stream_count(p->server.y), 0);
}

static void test_data_and_updates_for_unknown_streams_are_dropped(void **state)
{
    struct pair *p = *state;
    feed(&p->server, "000000000000000500000003616263"
                     "000100000000000700001000"
                     "000100040000000700000000"
                     "000200010000000000000001");
    assert_int_equal(p->server.err, 0);
    expect_out(&p->server, "000200020000000000000001");
}

static void test_broken_rules_end_the_session_with_a_go_away(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "010100010000000100000000",                         /* version */
        "000900010000000100000000",                         /* type */
        "000100010000000100000000000100010000000100000000", /* SYN twice */
        "000100010000000000000000",                         /* stream 0 */
        "000100010000000100000000000000000000000100040001", /* more than the window */
        "000100050000000100000000000100040000000100000000", /* FIN twice */
        "0001000100000001000000000001000000000001ffffffff", /* window overflows */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct side s;
        side_init(&s, false, 0);
        feed(&s, rows[i]);
        assert_int_equal(s.err, YAMUX_EPROTOCOL);
        unsigned char last[12];
        evbuffer_drain(s.out, evbuffer_get_length(s.out) - sizeof last);
        evbuffer_remove(s.out, last, sizeof last);
        assert_memory_equal(last, "\0\3\0\0\0\0\0\0\0\0\0\1", sizeof last);
        side_fini(&s);
    }
}

static void test_normal_go_away_lets_streams_finish_and_opens_no_more(void **state)
{
    struct pair *p = *state;
    struct yamux_stream *s = yamux_open(p->client.y, NULL);
    write_text(s, "x");
    run(p);
    feed(&p->client, "000300000000000000000000");
    assert_int_equal(p->client.err, 0);
    assert_true(yamux_is_retiring(p->client.y));
    assert_null(yamux_open(p->client.y, NULL));
    write_text(s, "y");
    run(p);
    expect_taken(&p->server, "xy");
    feed(&p->client, "000300000000000000000002");
    assert_int_equal(p->client.err, YAMUX_EGOAWAY);
}

static void test_session_end_kills_its_streams(void **state)
{
    struct pair *p = *state;
    write_text(yamux_open(p->client.y, NULL), "x");
    write_text(yamux_open(p->client.y, NULL), "y");
    run(p);
    yamux_destroy(p->server.y);
    p->server.y = NULL;
    assert_int_equal(p->server.ndied, 2);
}

static void test_no_more_than_the_backlog_is_opened_without_acknowledgement(void **state)
{
    struct pair *p = *state;
    for (unsigned i = 0; i < YAMUX_BACKLOG_MAX; i++) {
        write_text(yamux_open(p->client.y, NULL), "x");
    }
    assert_false(yamux_can_open(p->client.y));
    assert_null(yamux_open(p->client.y, NULL));
    run(p);
    assert_true(yamux_can_open(p->client.y));
}

static void test_streams_beyond_the_limit_are_reset(void **state)
{
    (void)state;
    struct side s = {.out = evbuffer_new(), .taken = evbuffer_new()};
    struct yamux_config cfg = {.callbacks = &callbacks, .user = &s, .out = s.out, .streams_max = 1};
    s.y = yamux_create(&cfg, 0);
    feed(&s, "000100010000000100000000"
             "000100010000000300000000");
    expect_out(&s, "000100020000000100000000"
                   "000100080000000300000000");
    assert_int_equal(s.err, 0);
    side_fini(&s);
}

static void test_a_client_refuses_streams_of_the_server(void **state)
{
    struct pair *p = *state;
    feed(&p->client, "000100010000000200000000");
    expect_out(&p->client, "000100080000000200000000");
    assert_int_equal(yamux_stream_count(p->client.y), 0);
}

static void test_what_peers_make_us_keep_is_bounded(void **state)
{
    (void)state;
    struct pair p = {0};
    side_init(&p.client, true, 0);
    side_init(&p.server, false, 500000);
    p.server.keep = true;
    for (int i = 0; i < 3; i++) {
        write_zeros(yamux_open(p.client.y, NULL), 200000);
    }
    while (deliver(&p.client, &p.server)) {
    }
    assert_int_equal(p.server.err, YAMUX_EBUFFER);
    side_fini(&p.client);
    side_fini(&p.server);
}

/* Sessions of a server whose peers asked for much and open no window. */
static void ask_and_take_nothing(struct side *s, size_t held_max, struct yamux_budget *budget)
{
    *s = (struct side){.out = evbuffer_new(), .taken = evbuffer_new()};
    struct yamux_config cfg = {
        .callbacks = &callbacks, .user = s, .out = s->out, .held_max = held_max, .budget = budget};
    s->y = yamux_create(&cfg, 0);
    feed(s, "000100010000000100000000"
            "000100010000000300000000");
    assert_int_equal(s->err, 0);
}

static void test_what_peers_ask_for_and_do_not_take_is_bounded(void **state)
{
    (void)state;
    struct side s;
    ask_and_take_nothing(&s, 500000, NULL);
    struct yamux_stream *one = yamux__find(s.y, 1), *two = yamux__find(s.y, 3);
    write_zeros(one, YAMUX_WINDOW + 600000); /* one answer is always taken, be it large */
    assert_int_equal(yamux_pump(s.y), 0);
    assert_int_equal(s.y->held, 600000);
    write_zeros(two, 1);
    assert_int_equal(yamux_pump(s.y), YAMUX_EBUFFER);
    assert_int_equal(s.y->held, 600000);
    side_fini(&s);
}

static void test_sessions_share_a_budget_and_give_it_back(void **state)
{
    (void)state;
    struct yamux_budget budget = {.max = 500000};
    struct side a, b;
    ask_and_take_nothing(&a, 0, &budget);
    ask_and_take_nothing(&b, 0, &budget);
    write_zeros(yamux__find(a.y, 1), YAMUX_WINDOW + 300000);
    write_zeros(yamux__find(b.y, 1), YAMUX_WINDOW + 100000);
    assert_int_equal(yamux_pump(b.y), 0);
    assert_int_equal(budget.held, 400000);
    write_zeros(yamux__find(b.y, 1), 100001);
    assert_int_equal(yamux_pump(b.y), YAMUX_EBUFFER);
    feed(&a, "000100000000000100049bc8"); /* a window of 301,000 more */
    assert_int_equal(yamux_pump(a.y), 0);
    assert_int_equal(budget.held, 100000);
    side_fini(&b);
    assert_int_equal(budget.held, 0);
    side_fini(&a);
}

static void test_a_peer_that_pings_and_never_takes_its_answer_is_given_up(void **state)
{
    (void)state;
    struct side s;
    uint64_t now = 0;
    ask_and_take_nothing(&s, 0, NULL);
    write_zeros(yamux__find(s.y, 1), YAMUX_WINDOW + 1);
    for (unsigned i = 0; i < 2; i++) {
        now = yamux_deadline(s.y);
        assert_int_equal(yamux_advance(s.y, now), 0);
        const char pong[12] = {0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, (char)i};
        struct evbuffer *in = evbuffer_new();
        evbuffer_add(in, pong, sizeof pong);
        assert_int_equal(yamux_receive(s.y, in, now), 0);
        evbuffer_free(in);
    }
    assert_int_equal(yamux_advance(s.y, yamux_deadline(s.y)), YAMUX_EBUFFER);
    side_fini(&s);
}

static void test_pings_of_a_peer_that_takes_nothing_end_the_session(void **state)
{
    struct pair *p = *state;
    struct evbuffer *in = evbuffer_new();
    for (int i = 0; i < 1000000; i++) {
        evbuffer_add(in, "\0\2\0\1\0\0\0\0\0\0\0\0", 12);
    }
    assert_int_equal(yamux_receive(p->server.y, in, 0), YAMUX_EBUFFER);
    evbuffer_free(in);
}

static void test_keepalive_pings_every_30_s_and_gives_up_after_10(void **state)
{
    struct pair *p = *state;
    assert_true(yamux_deadline(p->server.y) == YAMUX_PING_NS);
    assert_int_equal(yamux_advance(p->server.y, YAMUX_PING_NS - 1), 0);
    assert_int_equal(evbuffer_get_length(p->server.out), 0);
    assert_int_equal(yamux_advance(p->server.y, YAMUX_PING_NS), 0);
    assert_true(yamux_deadline(p->server.y) == YAMUX_PING_NS + YAMUX_PING_WAIT_NS);
    run(p);                                                    /* the client answers */
    assert_true(yamux_deadline(p->server.y) == YAMUX_PING_NS); /* the run's clock stands at 0 */
    assert_int_equal(yamux_advance(p->server.y, 2 * YAMUX_PING_NS), 0);
    expect_out(&p->server, "000200010000000000000001"); /* the next id; it gets lost */
    assert_int_equal(yamux_advance(p->server.y, 2 * YAMUX_PING_NS + YAMUX_PING_WAIT_NS),
                     YAMUX_ETIMEOUT);
}

static void test_silent_peer_that_owes_an_answer_is_asked_soon(void **state)
{
    struct pair *p = *state;
    uint64_t sent = MU_SEC;
    yamux_expect(p->server.y, false, sent);
    yamux_expect(p->server.y, false, sent + MU_SEC / 2); /* counts from the first */
    assert_true(yamux_deadline(p->server.y) == sent + YAMUX_QUIET_NS);
    assert_int_equal(yamux_advance(p->server.y, sent + YAMUX_QUIET_NS), 0);
    expect_out(&p->server, "000200010000000000000000");
    assert_true(yamux_deadline(p->server.y) == sent + YAMUX_QUIET_NS + YAMUX_ANSWER_NS);
    assert_int_equal(yamux_advance(p->server.y, sent + YAMUX_QUIET_NS + YAMUX_ANSWER_NS),
                     YAMUX_ETIMEOUT);
}

static void receive_at(struct yamux *y, const char *bytes, size_t len, uint64_t now_ns)
{
    struct evbuffer *in = evbuffer_new();
    evbuffer_add(in, bytes, len);
    assert_int_equal(yamux_receive(y, in, now_ns), 0);
    evbuffer_free(in);
}

static void test_whatever_comes_shows_that_the_peer_is_there(void **state)
{
    struct pair *p = *state;
    static const char window[] = "\0\1\0\0\0\0\0\5\0\0\0\0"; /* of a stream that has ended */
    yamux_expect(p->server.y, false, MU_SEC);
    receive_at(p->server.y, window, 12, 2 * MU_SEC);
    assert_true(yamux_deadline(p->server.y) == 2 * MU_SEC + YAMUX_PING_NS);
    yamux_expect(p->server.y, false, 3 * MU_SEC);
    assert_int_equal(yamux_advance(p->server.y, 4 * MU_SEC), 0);
    receive_at(p->server.y, window, 12, 7 * MU_SEC); /* not the answer to the ping, but close */
    assert_true(yamux_deadline(p->server.y) == 7 * MU_SEC + YAMUX_ANSWER_NS);
}

static void test_doubt_asks_at_once_and_shortens_a_ping_that_is_out(void **state)
{
    struct pair *p = *state;
    yamux_expect(p->client.y, true, 5 * MU_SEC);
    assert_true(yamux_deadline(p->client.y) == 5 * MU_SEC);
    assert_int_equal(yamux_advance(p->server.y, YAMUX_PING_NS), 0);
    yamux_expect(p->server.y, true, YAMUX_PING_NS);
    assert_true(yamux_deadline(p->server.y) == YAMUX_PING_NS + YAMUX_ANSWER_NS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_opening_sends_the_frames_that_consul_sends),
        TEST(test_every_syn_is_acknowledged_at_once),
        TEST(test_streams_carry_bytes_both_ways_and_end_with_both_fins),
        TEST(test_frames_may_arrive_byte_by_byte),
        TEST(test_large_transfer_waits_for_windows_and_gets_through),
        TEST(test_closing_sends_what_still_waits_for_window_first),
        TEST(test_streams_share_a_short_output_in_turn),
        TEST(test_reset_ends_a_stream_at_once_on_both_sides),
        TEST(test_data_and_updates_for_unknown_streams_are_dropped),
        TEST(test_broken_rules_end_the_session_with_a_go_away),
        TEST(test_normal_go_away_lets_streams_finish_and_opens_no_more),
        TEST(test_session_end_kills_its_streams),
        TEST(test_no_more_than_the_backlog_is_opened_without_acknowledgement),
        TEST(test_streams_beyond_the_limit_are_reset),
        TEST(test_a_client_refuses_streams_of_the_server),
        TEST(test_what_peers_make_us_keep_is_bounded),
        TEST(test_what_peers_ask_for_and_do_not_take_is_bounded),
        TEST(test_sessions_share_a_budget_and_give_it_back),
        TEST(test_a_peer_that_pings_and_never_takes_its_answer_is_given_up),
        TEST(test_pings_of_a_peer_that_takes_nothing_end_the_session),
        TEST(test_keepalive_pings_every_30_s_and_gives_up_after_10),
        TEST(test_silent_peer_that_owes_an_answer_is_asked_soon),
        TEST(test_whatever_comes_shows_that_the_peer_is_there),
        TEST(test_doubt_asks_at_once_and_shortens_a_ping_that_is_out),
    };
    return cmocka_run_group_tests_name("yamux", tests, NULL, NULL);
}
