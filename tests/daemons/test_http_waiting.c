/* Blocking queries on one front: who shares a call, who gives it up, and how thousands are told. */
#include "http_kit.h"

#include "http/internal.h"
#include <sys/socket.h>
#include <unistd.h>

#define KV(query) "GET /v1/kv/a?" query " HTTP/1.1\r\nHost: x\r\n\r\n"

/* A backend that holds every call. */
static struct call *held[256];
static size_t nheld;
static uint64_t answered_before; /* the newest call */
static struct kit k;

static void hold(struct call_backend *b, struct call *c)
{
    (void)b;
    assert_true(nheld < 256);
    held[nheld++] = c;
    answered_before = http_server_stats(k.server).requests;
}

static void give_up(struct call_backend *b, struct call *c)
{
    (void)b;
    size_t i = 0;
    while (held[i] != c) {
        i++;
        assert_true(i < nheld);
    }
    held[i] = held[--nheld];
    k.cancelled++;
    call_free(c);
}

static int setup(void **state)
{
    (void)state;
    kit_init(&k);
    nheld = 0;
    answered_before = 0;
    k.backend = (struct call_backend){hold, give_up};
    k.config.slice_ns = 0; /* as small as slices get */
    kit_start(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_stop(&k);
    assert_int_equal(nheld, 0);
    return 0;
}

static void say(int fd, const char *text)
{
    kit_send(&k, fd, text, strlen(text));
    kit_turn(&k);
}

static int ask(const char *text)
{
    int fd = kit_connect(&k);
    say(fd, text);
    return fd;
}

/* The first call is answered with that index, and a value if there is one. */
static void answer(uint64_t index, const char *value)
{
    struct call *c = held[0];
    struct catalog_indexed_dir_entries *reply = mu__arena_calloc(&c->arena, 1, sizeof *reply);
    struct catalog_dir_entry *e = mu__arena_calloc(&c->arena, 1, sizeof *e);
    reply->entries.items = mu__arena_calloc(&c->arena, 1, sizeof(void *));
    reply->meta.index = index;
    if (value) {
        e->value = (struct mu_str){value, strlen(value)};
        reply->entries.items[reply->entries.len++] = e;
    }
    c->reply = reply;
    memmove(held, held + 1, --nheld * sizeof *held);
    call_finish(c);
}

static void expect(int fd, int status, const char *index, const char *body)
{
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, status);
    assert_string_equal(reply_header(&r, "X-Consul-Index"), index);
    assert_string_equal(r.body ? r.body : "", body);
    reply_free(&r);
}

static void test_identical_queries_make_one_call_and_get_one_answer(void **state)
{
    (void)state;
    int fds[20];
    for (size_t i = 0; i < 20; i++) {
        fds[i] = ask(KV("index=7&raw"));
    }
    assert_int_equal(nheld, 1);
    answer(8, "news");
    for (size_t i = 0; i < 20; i++) {
        expect(fds[i], 200, "8", "news");
    }
    assert_int_equal(http_server_stats(k.server).requests, 20);
    for (size_t i = 0; i < 20; i++) { /* and each connection goes on as before */
        say(fds[i], KV("index=8&raw"));
    }
    assert_int_equal(nheld, 1);
    answer(9, NULL);
    for (size_t i = 0; i < 20; i++) {
        expect(fds[i], 404, "9", "");
        close(fds[i]);
    }
}

static void test_how_long_somebody_waits_does_not_matter_for_sharing(void **state)
{
    (void)state;
    int a = ask(KV("index=7&wait=10s&raw")), b = ask(KV("raw&wait=2m&index=7")),
        c = ask(KV("index=7&raw"));
    assert_int_equal(nheld, 1);
    answer(8, "x");
    expect(a, 200, "8", "x");
    expect(b, 200, "8", "x");
    expect(c, 200, "8", "x");
    close(a);
    close(b);
    close(c);
}

static void test_whatever_can_make_a_difference_is_called_for_by_itself(void **state)
{
    (void)state;
    static const char *const asked[] = {
        KV("index=7"),
        KV("index=8"),
        KV("index=7&raw"),
        KV("index=7&pretty"),
        KV("index=7&stale"),
        KV("index=7&consistent"),
        KV("index=7&token=t"),
        KV("index=7&dc=dc2"),
        KV("index=7&recurse"),
        KV("index=7&keys"),
        KV("index=7&filter=Key==a"),
        "GET /v1/kv/b?index=7 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/kv/a?index=7 HTTP/1.1\r\nHost: x\r\nX-Consul-Token: u\r\n\r\n",
        "GET /v1/kv/a?index=7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer u\r\n\r\n",
        "GET /v1/kv/a?index=7 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
        "GET /v1/kv/a?index=7 HTTP/1.1\r\nHost: x\r\nCache-Control: must-revalidate\r\n\r\n",
        "GET /v1/health/service/a?index=7 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/health/service/a?index=7&passing HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    enum { N = sizeof asked / sizeof *asked };
    int fds[2 * N];
    for (size_t i = 0; i < 2 * N; i++) {
        fds[i] = ask(asked[i % N]);
    }
    assert_int_equal(nheld, N); /* of each kind two, which share */
    for (size_t i = 0; i < 2 * N; i++) {
        close(fds[i]);
    }
    kit_turn(&k);
    assert_int_equal(k.cancelled, N);
}

static void test_a_client_that_hangs_up_leaves_the_others_alone(void **state)
{
    (void)state;
    int a = ask(KV("index=7&raw")), b = ask(KV("index=7&raw")), c = ask(KV("index=7&raw"));
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    close(a); /* the one whose call it was */
    setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(c);
    kit_turn(&k);
    assert_int_equal(http_server_stats(k.server).connections_open, 1);
    assert_int_equal(k.cancelled, 0);
    answer(8, "x");
    expect(b, 200, "8", "x");
    close(b);
}

/* consul#3712 and others: what a client that has gone has asked for must not stay. */
static void test_the_last_one_to_hang_up_ends_the_call(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        int a = ask(KV("index=7")), b = ask(KV("index=7"));
        struct linger reset = {.l_onoff = how == 1, .l_linger = 0};
        assert_int_equal(nheld, 1);
        setsockopt(a, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        setsockopt(b, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        if (how == 2) {
            shutdown(a, SHUT_WR);
            shutdown(b, SHUT_WR);
            kit_turn(&k);
        }
        close(a);
        close(b);
        kit_turn(&k);
        assert_int_equal(nheld, 0);
        assert_int_equal(k.cancelled, how + 1);
        assert_int_equal(http_server_stats(k.server).connections_open, 0);
    }
}

static void test_whose_time_is_over_asks_again_without_waiting(void **state)
{
    (void)state;
    int patient = ask(KV("index=7&raw")), hasty = ask(KV("index=7&raw&wait=1ms"));
    while (nheld < 2) {
        event_base_loop(k.base, EVLOOP_ONCE);
    }
    const struct catalog_key_request *first = held[0]->request, *second = held[1]->request;
    assert_true(first->options.min_query_index == 7);
    assert_true(second->options.min_query_index == 0);
    assert_true(mu__str_eq(second->key, mu__cstr("a")));
    struct call *waiting = held[0];
    held[0] = held[1];
    held[1] = waiting;
    answer(7, "old");
    expect(hasty, 200, "7", "old");
    answer(8, "new");
    expect(patient, 200, "8", "new");
    close(patient);
    close(hasty);
}

static void test_the_only_one_whose_time_is_over_ends_the_call(void **state)
{
    (void)state;
    int fd = ask(KV("index=7&raw&wait=1ms"));
    while (k.cancelled == 0) {
        event_base_loop(k.base, EVLOOP_ONCE);
    }
    assert_int_equal(nheld, 1);
    answer(7, "old");
    expect(fd, 200, "7", "old");
    close(fd);
}

static void test_an_answer_without_news_is_told_unless_the_longest_wait_is_over(void **state)
{
    (void)state;
    int fd = ask(KV("index=7&raw"));
    answer(7, "early"); /* a server may do so: a restored snapshot wakes everybody */
    expect(fd, 200, "7", "early");
    close(fd);
}

static void test_many_are_told_in_slices_between_which_others_are_served(void **state)
{
    (void)state;
    enum { N = 100 };
    int fds[N];
    for (size_t i = 0; i < N; i++) {
        fds[i] = ask(KV("index=7&raw"));
    }
    int other = kit_connect(&k);
    const char *text = KV("raw");
    assert_int_equal(send(other, text, strlen(text), 0), (ssize_t)strlen(text));
    uint64_t before = http_server_stats(k.server).requests;
    answer(8, "x");
    assert_in_range(http_server_stats(k.server).requests - before, 1, N / 2);
    kit_turn(&k);
    assert_int_equal(nheld, 1);
    assert_in_range(answered_before - before, 1, N / 2);
    answer(8, "y");
    expect(other, 200, "8", "y");
    close(other);
    for (size_t i = 0; i < N; i++) {
        expect(fds[i], 200, "8", "x");
        close(fds[i]);
    }
}

static void test_who_hangs_up_before_its_slice_is_no_trouble(void **state)
{
    (void)state;
    enum { N = 60 };
    int fds[N];
    for (size_t i = 0; i < N; i++) {
        fds[i] = ask(KV("index=7&raw"));
    }
    answer(8, "x");
    for (size_t i = N / 2; i < N; i++) {
        close(fds[i]);
    }
    kit_turn(&k);
    for (size_t i = 0; i < N / 2; i++) {
        expect(fds[i], 200, "8", "x");
        close(fds[i]);
    }
    assert_int_equal(nheld, 0);
}

static char *large;

/* An answer of that many bytes of body, read in large pieces: it ends as `large` does. */
static void expect_large(int fd, size_t len)
{
    size_t room = len + 4096, n = 0;
    char *in = calloc(1, room + 1), *body = NULL;
    while (!body || n < (size_t)(body - in) + len) {
        ssize_t got = recv(fd, in + n, room - n, MSG_DONTWAIT);
        n += got > 0 ? (size_t)got : 0;
        body = strstr(in, "\r\n\r\n") ? strstr(in, "\r\n\r\n") + 4 : NULL;
        if (got <= 0) {
            kit_turn(&k);
        }
    }
    assert_memory_equal(in, "HTTP/1.1 200", 12);
    assert_int_equal(n - (size_t)(body - in), len);
    assert_memory_equal(body, large, len);
    free(in);
}

static void test_a_large_shared_answer_waits_for_slow_readers(void **state)
{
    (void)state;
    enum { LEN = 8 << 20, N = 3 };
    large = malloc(LEN + 1);
    for (size_t i = 0; i < LEN; i++) {
        large[i] = (char)('a' + i % 23);
    }
    large[LEN] = 0;
    int fds[N + 1];
    for (size_t i = 0; i < N + 1; i++) {
        fds[i] = ask(KV("index=7&raw"));
    }
    answer(8, large);
    close(fds[N]); /* in the middle of it */
    for (size_t i = 0; i < N; i++) {
        expect_large(fds[i], LEN);
    }
    for (size_t i = 0; i < N; i++) {
        say(fds[i], KV("index=8&raw"));
    }
    assert_int_equal(nheld, 1);
    answer(9, "small");
    for (size_t i = 0; i < N; i++) {
        expect(fds[i], 200, "9", "small");
        close(fds[i]);
    }
    free(large);
}

static void test_old_clients_and_those_that_end_share_as_well(void **state)
{
    (void)state;
    int a = ask("GET /v1/kv/a?index=7&raw HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    int b = ask("GET /v1/kv/a?index=7&raw HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n");
    assert_int_equal(nheld, 1);
    answer(8, "x");
    struct reply r = kit_receive(&k, a);
    assert_string_equal(reply_header(&r, "Connection"), "keep-alive");
    reply_free(&r);
    r = kit_receive(&k, b);
    assert_string_equal(reply_header(&r, "Connection"), "close");
    reply_free(&r);
    assert_true(kit_closed(&k, b));
    close(a);
    close(b);
}

static void test_what_is_pipelined_behind_a_waiting_query_is_served_after_it(void **state)
{
    (void)state;
    int a = ask(KV("index=7&raw") KV("index=8&raw")), b = ask(KV("index=7&raw"));
    assert_int_equal(nheld, 1);
    answer(8, "x");
    expect(a, 200, "8", "x");
    expect(b, 200, "8", "x");
    assert_int_equal(nheld, 1);
    answer(9, "y");
    expect(a, 200, "9", "y");
    close(a);
    close(b);
}

static void test_who_waits_or_is_idle_has_no_buffers(void **state)
{
    (void)state;
    int waiting = ask(KV("index=7")), other = ask(KV("index=7")), idle = ask(KV("raw"));
    struct call *c = held[0];
    held[0] = held[1];
    held[1] = c;
    answer(3, "x");
    expect(idle, 200, "3", "x");
    size_t seen = 0;
    for (size_t q = 0; q < DEADLINE_CLASSES; q++) {
        for (struct http_connection *h = k.server->queues[q].first; h; h = h->next) {
            assert_null(h->in);
            assert_null(h->out);
            assert_null(h->request);
            seen++;
        }
    }
    assert_int_equal(seen, 3);
    close(waiting);
    close(other);
    close(idle);
}

static void test_stopping_the_server_ends_all_that_wait(void **state)
{
    (void)state;
    int fds[50];
    for (size_t i = 0; i < 50; i++) {
        fds[i] = ask(i % 2 ? KV("index=7") : KV("index=8&raw"));
    }
    answer(8, "x"); /* some of them are told only in later slices */
    http_server_destroy(k.server);
    k.server = NULL;
    assert_int_equal(nheld, 0);
    for (size_t i = 0; i < 50; i++) {
        close(fds[i]);
    }
}

/* ---- Reads that do not wait, on an agent ---- */

static int setup_agent(void **state)
{
    (void)state;
    kit_init(&k);
    nheld = 0;
    answered_before = 0;
    k.backend = (struct call_backend){hold, give_up};
    k.config.asks_servers = true;
    kit_start(&k);
    return 0;
}

static void test_reads_share_the_question_that_has_not_left_yet(void **state)
{
    (void)state;
    int first = ask(KV("raw")), late[20];
    for (size_t i = 0; i < 20; i++) {
        late[i] = ask(KV("raw")); /* may know of a write that the first is too early for */
    }
    assert_int_equal(nheld, 1);
    answer(7, "old");
    expect(first, 200, "7", "old");
    assert_int_equal(nheld, 1);
    answer(8, "new");
    for (size_t i = 0; i < 20; i++) {
        expect(late[i], 200, "8", "new");
        close(late[i]);
    }
    assert_int_equal(nheld, 0);
    close(first);
}

static void test_other_reads_and_consistent_ones_ask_for_themselves(void **state)
{
    (void)state;
    static const char *const others[] = {KV("raw"), KV("raw&token=x"), KV("raw&stale"),
                                         KV("raw&consistent"), KV("raw&consistent")};
    int fds[5];
    for (size_t i = 0; i < 5; i++) {
        fds[i] = ask(others[i]);
        assert_int_equal(nheld, i + 1);
    }
    for (size_t i = 0; i < 5; i++) {
        answer(7, "x");
        expect(fds[i], 200, "7", "x");
        close(fds[i]);
    }
}

static void test_next_question_leaves_also_when_nobody_waits_for_the_first(void **state)
{
    (void)state;
    int first = ask(KV("raw")), second = ask(KV("raw")), third = ask(KV("raw"));
    static const struct linger reset = {.l_onoff = 1};
    setsockopt(first, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(first);
    kit_turn(&k);
    assert_int_equal(k.cancelled, 1);
    assert_int_equal(nheld, 1);
    setsockopt(second, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(second);
    kit_turn(&k);
    assert_int_equal(k.cancelled, 1); /* the third is still there */
    answer(8, "new");
    expect(third, 200, "8", "new");
    close(third);
}

static void test_next_question_is_dropped_with_its_last_client(void **state)
{
    (void)state;
    int first = ask(KV("raw")), second = ask(KV("raw"));
    static const struct linger reset = {.l_onoff = 1};
    setsockopt(second, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(second);
    kit_turn(&k);
    answer(8, "x");
    expect(first, 200, "8", "x");
    assert_int_equal(nheld, 0);
    close(first);
}

static void test_client_that_has_said_all_is_answered(void **state)
{
    (void)state;
    int fd = ask(KV("raw"));
    shutdown(fd, SHUT_WR);
    kit_turn(&k);
    assert_int_equal(nheld, 1);
    answer(8, "x");
    expect(fd, 200, "8", "x");
    close(fd);
}

/* Whoever is told asks again at once, in the same packet: every question finds its way. */
static void test_pipelined_reads_go_on_from_flight_to_flight(void **state)
{
    (void)state;
    int fds[8];
    for (size_t i = 0; i < 8; i++) {
        fds[i] = ask(KV("raw") KV("raw") KV("raw"));
    }
    for (unsigned n = 0; nheld > 0; n++) {
        assert_in_range(n, 0, 6);
        assert_int_equal(nheld, 1);
        answer(8, "x");
        kit_turn(&k);
    }
    for (size_t i = 0; i < 8; i++) {
        for (int n = 0; n < 3; n++) {
            expect(fds[i], 200, "8", "x");
        }
        close(fds[i]);
    }
}

static void refuse(struct call_backend *b, struct call *c)
{
    (void)b;
    call_fail(c, "No known Consul servers");
}

static void test_refusal_on_the_spot_is_told_to_the_next_too(void **state)
{
    (void)state;
    int first = ask(KV("raw")), second = ask(KV("raw")), third = ask(KV("raw"));
    k.backend.start = refuse;
    answer(8, "x");
    expect(first, 200, "8", "x");
    for (int i = 0; i < 2; i++) {
        struct reply r = kit_receive(&k, i ? third : second);
        assert_int_equal(r.status, 500);
        reply_free(&r);
    }
    close(first);
    close(second);
    close(third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
        TEST(test_identical_queries_make_one_call_and_get_one_answer),
        TEST(test_how_long_somebody_waits_does_not_matter_for_sharing),
        TEST(test_whatever_can_make_a_difference_is_called_for_by_itself),
        TEST(test_a_client_that_hangs_up_leaves_the_others_alone),
        TEST(test_the_last_one_to_hang_up_ends_the_call),
        TEST(test_whose_time_is_over_asks_again_without_waiting),
        TEST(test_the_only_one_whose_time_is_over_ends_the_call),
        TEST(test_an_answer_without_news_is_told_unless_the_longest_wait_is_over),
        TEST(test_many_are_told_in_slices_between_which_others_are_served),
        TEST(test_who_hangs_up_before_its_slice_is_no_trouble),
        TEST(test_a_large_shared_answer_waits_for_slow_readers),
        TEST(test_old_clients_and_those_that_end_share_as_well),
        TEST(test_what_is_pipelined_behind_a_waiting_query_is_served_after_it),
        TEST(test_who_waits_or_is_idle_has_no_buffers),
        TEST(test_stopping_the_server_ends_all_that_wait),
        cmocka_unit_test_setup_teardown(test_reads_share_the_question_that_has_not_left_yet,
                                        setup_agent, teardown),
        cmocka_unit_test_setup_teardown(test_other_reads_and_consistent_ones_ask_for_themselves,
                                        setup_agent, teardown),
        cmocka_unit_test_setup_teardown(
            test_next_question_leaves_also_when_nobody_waits_for_the_first, setup_agent, teardown),
        cmocka_unit_test_setup_teardown(test_next_question_is_dropped_with_its_last_client,
                                        setup_agent, teardown),
        cmocka_unit_test_setup_teardown(test_client_that_has_said_all_is_answered, setup_agent,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pipelined_reads_go_on_from_flight_to_flight,
                                        setup_agent, teardown),
        cmocka_unit_test_setup_teardown(test_refusal_on_the_spot_is_told_to_the_next_too,
                                        setup_agent, teardown),
    };
    return cmocka_run_group_tests_name("http_waiting", tests, NULL, NULL);
}
