/* Nodes whose connections are secured by their host: here mbedTLS in a bufferevent_filter
 * (tests/kit/tls_stream.c). As on Consul's port, a connection begins with byte 3 in clear text, and
 * inside TLS byte 1 asks for Raft. A certificate names the server and its role. */
#include "node_world.h"
#include "tls_stream.h"
#include "transport_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#define TLS_FOLLOWS 3
#define INSIDE      1

struct secrets {
    struct certificate authority, other_authority;
    struct certificate own[NODES];
    struct tls_party party[NODES];
    char why[256];
    bool has_plain[NODES];   /* this one speaks no TLS */
    bool adopts_at_once;     /* before the handshake; no byte inside */
    uint8_t first[NODES][3]; /* of the last connection to each, as they came */
};

static size_t index_of(const struct server *s)
{
    return (size_t)(s - s->world->servers);
}

static struct tls_party *party_of(struct server *s)
{
    return &((struct secrets *)s->world->user)->party[index_of(s)];
}

/* --- the host's part --- */

static struct bufferevent *wrap(void *user, struct bufferevent *tcp, const char *id,
                                const char *address)
{
    assert_true(id[0] && address[0]);
    return tls_stream_new(party_of(user), tcp, true);
}

/* CVE-2021-37219: that the authority signed it is not enough, it must be a server's. */
static const char *verify(void *user, struct bufferevent *stream, const char *id, bool incoming)
{
    (void)incoming;
    struct server *s = user;
    struct secrets *x = s->world->user;
    char subject[200], wanted[200];
    snprintf(wanted, sizeof wanted, "CN=%s, OU=server", id);
    if (!tls_stream_subject(party_of(s), stream, subject, sizeof subject)) {
        return "it has no certificate";
    }
    if (strcmp(subject, wanted) == 0) {
        return NULL;
    }
    snprintf(x->why, sizeof x->why, "its certificate is of %s", subject);
    return x->why;
}

static const char *explain(void *user, struct bufferevent *stream)
{
    return tls_stream_why(party_of(user), stream);
}

static void adjust(struct server *s, struct raft_node_config *cfg)
{
    const struct secrets *x = s->world->user;
    if (!x->has_plain[index_of(s)]) {
        cfg->preamble = TLS_FOLLOWS;
        cfg->inner_preamble = x->adopts_at_once ? -1 : INSIDE;
        cfg->tls = (struct raft_node_tls){s, wrap, verify, explain};
    }
}

/* The byte inside: whose the connection is. */
static void on_inside(struct bufferevent *stream, void *arg)
{
    struct server *s = arg;
    uint8_t byte = 0;
    evbuffer_remove(bufferevent_get_input(stream), &byte, 1);
    if (byte != INSIDE || !s->node || raft_node_adopt_stream(s->node, stream) != 0) {
        bufferevent_free(stream);
    }
}

static void on_inside_event(struct bufferevent *stream, short what, void *arg)
{
    (void)arg;
    if (!(what & BEV_EVENT_CONNECTED)) {
        bufferevent_free(stream);
    }
}

static bool take_secured(struct server *s, evutil_socket_t fd)
{
    struct bufferevent *tcp = bufferevent_socket_new(s->world->base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct bufferevent *stream = tls_stream_new(party_of(s), tcp, false);
    if (((struct secrets *)s->world->user)->adopts_at_once) {
        return raft_node_adopt_stream(s->node, stream) == 0;
    }
    bufferevent_setcb(stream, on_inside, NULL, on_inside_event, s);
    return bufferevent_enable(stream, EV_READ | EV_WRITE) == 0;
}

static void on_first_bytes(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    struct secrets *x = s->world->user;
    uint8_t *first = x->first[index_of(s)];
    bool is_plain = x->has_plain[index_of(s)];
    if (!(what & EV_READ) || !s->node || recv(fd, first, 3, MSG_PEEK) <= 0 ||
        first[0] != (is_plain ? PREAMBLE : TLS_FOLLOWS) || recv(fd, first, 1, 0) != 1 ||
        (is_plain ? raft_node_adopt(s->node, fd) != 0 : !take_secured(s, fd))) {
        evutil_closesocket(fd);
    }
}

static void accept_connection(struct server *s, evutil_socket_t fd)
{
    struct timeval patience = {.tv_sec = 5};
    event_base_once(s->world->base, fd, EV_READ, on_first_bytes, s, &patience);
}

static int setup_tls(void **state)
{
    setup(state);
    struct world *w = *state;
    struct secrets *x = calloc(1, sizeof *x);
    w->user = x;
    w->adjust = adjust;
    w->accept = accept_connection;
    certificate_make(&x->authority, "CN=authority", NULL);
    certificate_make(&x->other_authority, "CN=authority", NULL);
    for (int i = 0; i < NODES; i++) {
        char subject[64];
        snprintf(subject, sizeof subject, "CN=server-%d,OU=server", i);
        certificate_make(&x->own[i], subject, &x->authority);
        tls_party_init(&x->party[i], &x->authority, &x->own[i]);
    }
    return 0;
}

static int teardown_tls(void **state)
{
    struct secrets *x = ((struct world *)*state)->user;
    teardown(state); /* with the loop go the streams */
    for (int i = 0; i < NODES; i++) {
        tls_party_fini(&x->party[i]);
        certificate_free(&x->own[i]);
    }
    certificate_free(&x->authority);
    certificate_free(&x->other_authority);
    free(x);
    return 0;
}

/* Gives server i another certificate, before it is started. */
static void reissue(struct world *w, int i, const char *subject,
                    const struct certificate *authority)
{
    struct secrets *x = w->user;
    tls_party_fini(&x->party[i]);
    certificate_free(&x->own[i]);
    certificate_make(&x->own[i], subject, authority);
    tls_party_init(&x->party[i], &x->authority, &x->own[i]);
}

/* --- three nodes --- */

static void test_three_nodes_agree_over_tls_and_connect_again(void **state)
{
    struct world *w = *state;
    const struct secrets *x = w->user;
    bootstrap(w, 3);
    replicate(w, 300);
    for (int round = 0; round < 3; round++) {
        struct server *s = round == 0 ? leader_of(w) : &w->servers[round];
        stop(s);
        RUN_UNTIL(w, leader_of(w));
        replicate(w, 50);
        start(s);
        RUN_UNTIL(w, agree(w) && has_all(w, s));
    }
    for (int i = 0; i < NODES; i++) { /* byte 3, and then a handshake record of TLS */
        assert_memory_equal(x->first[i], "\x03\x16\x03", 3);
    }
}

static void test_large_entries_and_a_snapshot_go_through_tls(void **state)
{
    struct world *w = *state;
    w->threshold = 300;
    w->trailing = 20;
    for (int i = 0; i < NODES; i++) {
        w->servers[i].machine.padding = 900000;
    }
    bootstrap(w, 3);
    replicate(w, 50);
    struct server *late = leader_of(w) == &w->servers[0] ? &w->servers[1] : &w->servers[0];
    stop(late);
    struct raft_node_status st;
    RUN_UNTIL(w, (replicate(w, 500), leader_of(w)) &&
                     (raft_node_status(leader_of(w)->node, &st), st.first_log_index > 100));
    start(late);
    RUN_UNTIL(w, agree(w) && has_all(w, late));
    assert_true(late->machine.restores > 0);
}

/* --- one of three is not what it should be: the other two go on without it --- */

static void run_with_a_bad_third(struct world *w, const char *why)
{
    bootstrap(w, 2);
    start(&w->servers[2]);
    struct raft_server third = {.kind = RAFT_VOTER, .id = "server-2"};
    snprintf(third.address, sizeof third.address, "%s", w->servers[2].address);
    struct read_seen seen = {0};
    assert_int_equal(raft_node_add_server(leader_of(w)->node, &third, on_read_done, &seen), 0);
    RUN_UNTIL(w, seen.calls == 1);
    assert_int_equal(seen.status, RAFT_OK);
    struct server *l = leader_of(w);
    RUN_UNTIL(w, has_logged(l, "no connection to server-2") && has_logged(l, why));
    replicate(w, 50);
    assert_false(raft_node_is_bootstrapped(w->servers[2].node));
    assert_int_equal(w->servers[2].machine.count, 0);
}

static void test_server_of_a_wrong_authority_is_no_peer(void **state)
{
    struct world *w = *state;
    reissue(w, 2, "CN=server-2,OU=server", &((struct secrets *)w->user)->other_authority);
    run_with_a_bad_third(w, "not correctly signed by the trusted CA");
}

static void test_server_with_the_name_of_another_is_no_peer(void **state)
{
    struct world *w = *state;
    reissue(w, 2, "CN=server-7,OU=server", &((struct secrets *)w->user)->authority);
    run_with_a_bad_third(w, "its certificate is of CN=server-7, OU=server");
}

static void test_server_with_the_certificate_of_an_agent_is_no_peer(void **state)
{
    struct world *w = *state;
    reissue(w, 2, "CN=server-2,OU=agent", &((struct secrets *)w->user)->authority);
    run_with_a_bad_third(w, "its certificate is of CN=server-2, OU=agent");
}

static void test_server_that_speaks_no_tls_is_no_peer(void **state)
{
    struct world *w = *state;
    ((struct secrets *)w->user)->has_plain[2] = true;
    run_with_a_bad_third(w, "it hung up");
}

/* --- strangers --- */

/* A client that is none of the nodes. */
struct stranger {
    struct tls_party party;
    struct bufferevent *stream;
    uint8_t answer[HELLO_BYTES_MAX + FRAME_HEAD_BYTES];
    size_t len;
    bool is_over;
};

static void on_answer(struct bufferevent *stream, void *arg)
{
    struct stranger *f = arg;
    f->len += bufferevent_read(stream, f->answer + f->len, sizeof f->answer - f->len);
}

static void on_end(struct bufferevent *stream, short what, void *arg)
{
    (void)stream;
    struct stranger *f = arg;
    f->is_over = f->is_over || !(what & BEV_EVENT_CONNECTED);
}

static evutil_socket_t connect_to(const struct server *s)
{
    struct sockaddr_storage to;
    int len = sizeof to;
    assert_int_equal(evutil_parse_sockaddr_port(s->address, (struct sockaddr *)&to, &len), 0);
    evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, (socklen_t)len), 0);
    evutil_make_socket_nonblocking(fd);
    return fd;
}

static void knock(struct world *w, struct stranger *f, struct certificate *own,
                  const struct hello *h)
{
    evutil_socket_t fd = connect_to(&w->servers[0]);
    struct bufferevent *tcp = bufferevent_socket_new(w->base, fd, BEV_OPT_CLOSE_ON_FREE);
    tls_party_init(&f->party, &((struct secrets *)w->user)->authority, own);
    uint8_t byte = TLS_FOLLOWS, frame[HELLO_FRAME_BYTES];
    size_t len = raft_node__hello_encode(frame + FRAME_HEAD_BYTES, h);
    raft_node__frame_encode_head(frame, FRAME_HELLO, frame + FRAME_HEAD_BYTES, len);
    bufferevent_write(tcp, &byte, 1);
    f->stream = tls_stream_new(&f->party, tcp, true);
    bufferevent_setcb(f->stream, on_answer, NULL, on_end, f);
    bufferevent_write(f->stream, frame, FRAME_HEAD_BYTES + len);
    bufferevent_enable(f->stream, EV_READ | EV_WRITE);
}

static void leave(struct world *w, struct stranger *f)
{
    bufferevent_free(f->stream);
    RUN_UNTIL(w, !f->party.streams);
    tls_party_fini(&f->party);
}

static struct hello answer_of(const struct stranger *f)
{
    struct hello h = {.cluster = ""};
    struct frame_head head = raft_node__frame_decode_head(f->answer);
    assert_true(f->len == FRAME_HEAD_BYTES + head.len &&
                raft_node__hello_decode(f->answer + FRAME_HEAD_BYTES, head.len, &h));
    return h;
}

static void test_only_a_server_s_own_certificate_opens_the_door(void **state)
{
    struct world *w = *state;
    struct secrets *x = w->user;
    x->adopts_at_once = true;
    bootstrap(w, 1);
    const struct hello h = {.cluster = "test", .from = "server-1", .to = "server-0"};
    const struct {
        const char *subject; /* NULL: no certificate */
        const struct certificate *authority;
        const char *log; /* NULL: it is welcome */
    } cases[] = {
        {"CN=server-1,OU=server", &x->authority, NULL},
        {NULL, NULL, "No client certification received"},
        {"CN=server-1,OU=server", &x->other_authority, "not correctly signed by the trusted CA"},
        {"CN=server-2,OU=server", &x->authority,
         "who says to be server-1 is turned away: its certificate is of CN=server-2, OU=server"},
        {"CN=server-1,OU=agent", &x->authority,
         "who says to be server-1 is turned away: its certificate is of CN=server-1, OU=agent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct certificate own;
        struct stranger f = {.len = 0};
        if (cases[i].subject) {
            certificate_make(&own, cases[i].subject, cases[i].authority);
        }
        knock(w, &f, cases[i].subject ? &own : NULL, &h);
        if (cases[i].log) {
            RUN_UNTIL(w, f.is_over && has_logged(&w->servers[0], cases[i].log));
            assert_int_equal(f.len, 0);
        } else {
            RUN_UNTIL(w, f.len > FRAME_HEAD_BYTES);
            assert_string_equal(answer_of(&f).from, "server-0");
        }
        leave(w, &f);
        if (cases[i].subject) {
            certificate_free(&own);
        }
    }
    replicate(w, 10);
}

/* The answer tells it who is here, and it must get through before the connection ends. */
static void test_server_of_another_cluster_is_told_through_tls(void **state)
{
    struct world *w = *state;
    struct secrets *x = w->user;
    x->adopts_at_once = true;
    bootstrap(w, 1);
    const struct hello h = {.cluster = "other", .from = "server-1", .to = "server-0"};
    struct stranger f = {.len = 0};
    knock(w, &f, &x->own[1], &h);
    RUN_UNTIL(w, f.len > FRAME_HEAD_BYTES);
    assert_string_equal(answer_of(&f).cluster, "test");
    assert_true(has_logged(&w->servers[0], "server-1 of cluster 'other'"));
    RUN_UNTIL(w, f.is_over); /* though it does not hang up by itself */
    leave(w, &f);
}

static void test_rubbish_instead_of_tls_ends_the_connection(void **state)
{
    struct world *w = *state;
    ((struct secrets *)w->user)->adopts_at_once = true;
    bootstrap(w, 1);
    static const char plain[] = "\x03PUT /v1/kv/a HTTP/1.1\r\nHost: a\r\n\r\n";
    evutil_socket_t fd = connect_to(&w->servers[0]);
    assert_true(send(fd, plain, sizeof plain - 1, MSG_NOSIGNAL) > 0);
    RUN_UNTIL(w, has_logged(&w->servers[0], "the connection of a stranger was closed: SSL"));
    char bytes[64];
    ssize_t got = -1;
    RUN_UNTIL(w, (got = recv(fd, bytes, sizeof bytes, 0)) == 0 || (got < 0 && errno != EAGAIN));
    evutil_closesocket(fd);
    replicate(w, 10);
}

/* --- handshakes that never end --- */

static void hurry(struct server *s, struct raft_node_config *cfg)
{
    adjust(s, cfg);
    cfg->connect_timeout_ns = 100 * MU_MSEC;
}

static void test_incoming_handshake_that_never_ends_is_cut_off(void **state)
{
    struct world *w = *state;
    w->adjust = hurry;
    ((struct secrets *)w->user)->adopts_at_once = true;
    bootstrap(w, 1);
    evutil_socket_t fd = connect_to(&w->servers[0]);
    assert_true(send(fd, "\x03\x16\x03", 3, MSG_NOSIGNAL) == 3);
    char byte;
    ssize_t got = -1;
    RUN_UNTIL(w, (got = recv(fd, &byte, 1, 0)) == 0 || (got < 0 && errno != EAGAIN));
    assert_true(has_logged(&w->servers[0], "no hello came in time"));
    evutil_closesocket(fd);
}

struct silence {
    evutil_socket_t held[64];
    size_t count;
};

static void hold(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len,
                 void *arg)
{
    (void)l;
    (void)from;
    (void)len;
    struct silence *x = arg;
    if (x->count < 64) {
        x->held[x->count++] = fd;
    } else {
        evutil_closesocket(fd);
    }
}

static bool take_nothing(void *user, const uint8_t *body, size_t len)
{
    (void)user;
    (void)body;
    return len > 0;
}

static struct transport *start_transport(struct server *s, uint64_t connect_timeout_ns)
{
    struct raft_node_config c;
    configure(s, &c);
    struct transport_config cfg = {
        .base = s->world->base,
        .id = s->id,
        .cluster = "test",
        .preamble = c.preamble,
        .inner_preamble = c.inner_preamble,
        .tls = c.tls,
        .connect_timeout_ns = connect_timeout_ns,
        .reconnect_min_ns = MU_MSEC,
        .reconnect_max_ns = 10 * MU_MSEC,
        .silence_ns = 60 * MU_SEC,
        .queue_bytes_max = 1u << 20,
        .frame_bytes_max = 1u << 20,
        .allocator = mu__malloc_allocator,
        .log = {c.events.user, c.events.log},
        .receive = take_nothing,
    };
    struct transport *t;
    assert_int_equal(raft_node__transport_create(&cfg, &t), 0);
    return t;
}

static void send_much(struct transport *t, const struct server *to, const uint8_t *data, size_t len)
{
    struct raft_entry e = {
        .index = 1, .term = 1, .type = RAFT_ENTRY_NORMAL, .data = data, .len = len};
    struct raft_message m = {.type = RAFT_MSG_APPEND,
                             .from = "server-0",
                             .from_address = "",
                             .to = to->id,
                             .to_address = to->address,
                             .term = 1,
                             .entries = &e,
                             .n_entries = 1};
    raft_node__transport_send(t, &m);
    raft_node__transport_flush(t);
}

static void test_outgoing_handshake_that_never_ends_is_given_up(void **state)
{
    struct world *w = *state;
    struct server *deaf = &w->servers[1];
    struct silence silence = {.count = 0};
    static const uint8_t data[1000];
    evconnlistener_set_cb(deaf->listener, hold, &silence);
    struct transport *t = start_transport(&w->servers[0], 50 * MU_MSEC);
    RUN_UNTIL(w, (send_much(t, deaf, data, sizeof data), silence.count >= 3));
    assert_true(has_logged(&w->servers[0], "no connection to server-1"));
    assert_true(has_logged(&w->servers[0], "no answer in time"));
    raft_node__transport_destroy(t);
    for (size_t i = 0; i < silence.count; i++) {
        evutil_closesocket(silence.held[i]);
    }
}

/* A server that completes the handshake, answers the hello, and reads nothing from then on. */
struct sloth {
    struct server *server;
    struct bufferevent *tcp, *stream;
};

static void on_first_words(struct bufferevent *stream, void *arg)
{
    struct sloth *x = arg;
    const struct hello h = {.cluster = "test", .from = "server-1", .to = "server-0"};
    uint8_t frame[HELLO_FRAME_BYTES];
    size_t len = raft_node__hello_encode(frame + FRAME_HEAD_BYTES, &h);
    raft_node__frame_encode_head(frame, FRAME_HELLO, frame + FRAME_HEAD_BYTES, len);
    bufferevent_write(stream, frame, FRAME_HEAD_BYTES + len);
    bufferevent_setcb(stream, NULL, NULL, NULL, NULL);
    bufferevent_disable(x->tcp, EV_READ);
}

static void on_sloth_s_byte(evutil_socket_t fd, short what, void *arg)
{
    struct sloth *x = arg;
    uint8_t byte;
    assert_true((what & EV_READ) && recv(fd, &byte, 1, 0) == 1 && byte == TLS_FOLLOWS);
    x->tcp = bufferevent_socket_new(x->server->world->base, fd, BEV_OPT_CLOSE_ON_FREE);
    x->stream = tls_stream_new(party_of(x->server), x->tcp, false);
    bufferevent_setcb(x->stream, on_first_words, NULL, NULL, x);
    bufferevent_enable(x->stream, EV_READ | EV_WRITE);
}

static void accept_and_doze(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from,
                            int len, void *arg)
{
    (void)from;
    (void)len;
    event_base_once(evconnlistener_get_base(l), fd, EV_READ, on_sloth_s_byte, arg, NULL);
}

/* What waits is counted below TLS, too, since a filter may pass everything on. */
static void test_bytes_for_a_peer_that_does_not_read_are_bounded(void **state)
{
    struct world *w = *state;
    struct sloth sloth = {.server = &w->servers[1]};
    static const uint8_t data[60000];
    evconnlistener_set_cb(w->servers[1].listener, accept_and_doze, &sloth);
    struct transport *t = start_transport(&w->servers[0], 20 * MU_SEC);
    size_t unsent = 0;
    const struct tls_party *client = party_of(&w->servers[0]);
    RUN_UNTIL(w, (send_much(t, &w->servers[1], data, sizeof data),
                  sloth.stream && client->streams &&
                      (unsent = raft_node__transport_unsent(tls_stream_of(client->streams))) >
                          (1u << 20) - 2 * sizeof data));
    for (int i = 0; i < 100; i++) {
        send_much(t, &w->servers[1], data, sizeof data);
        unsent = raft_node__transport_unsent(tls_stream_of(client->streams));
        assert_true(unsent < (1u << 20) + 8192); /* and what TLS adds to it */
    }
    raft_node__transport_destroy(t);
    bufferevent_free(sloth.stream);
}

#define S(name) cmocka_unit_test_setup_teardown(name, setup_tls, teardown_tls)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_test_filter(getenv("MUSTER_TEST_ONLY"));
    const struct CMUnitTest tests[] = {
        S(test_three_nodes_agree_over_tls_and_connect_again),
        S(test_large_entries_and_a_snapshot_go_through_tls),
        S(test_server_of_a_wrong_authority_is_no_peer),
        S(test_server_with_the_name_of_another_is_no_peer),
        S(test_server_with_the_certificate_of_an_agent_is_no_peer),
        S(test_server_that_speaks_no_tls_is_no_peer),
        S(test_only_a_server_s_own_certificate_opens_the_door),
        S(test_server_of_another_cluster_is_told_through_tls),
        S(test_rubbish_instead_of_tls_ends_the_connection),
        S(test_incoming_handshake_that_never_ends_is_cut_off),
        S(test_outgoing_handshake_that_never_ends_is_given_up),
        S(test_bytes_for_a_peer_that_does_not_read_are_bounded),
    };
    return cmocka_run_group_tests_name("node_tls", tests, NULL, NULL);
}
