#include "rpc_kit.h"

#include "mu_test.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is(struct mu_str s, const char *text)
{
    return mu__str_eq(s, mu__cstr(text));
}

static void answer_get(struct rpc_kit *k, struct call *c)
{
    const struct catalog_key_request *q = c->request;
    struct catalog_indexed_dir_entries *reply = mu__arena_calloc(&c->arena, 1, sizeof *reply);
    reply->meta.index = 1;
    reply->meta.known_leader = true;
    if (is(q->key, "big")) {
        struct catalog_dir_entry *e = mu__arena_calloc(&c->arena, 1, sizeof *e);
        e->key = q->key;
        e->value.p = mu__arena_calloc(&c->arena, 1, k->big);
        e->value.len = k->big;
        reply->entries.items = mu__arena_calloc(&c->arena, 1, sizeof(void *));
        reply->entries.items[0] = e;
        reply->entries.len = 1;
    }
    c->reply = reply;
    call_finish(c);
}

static void handle_get(struct rpc_kit *k, struct call *c)
{
    const struct catalog_key_request *q = c->request;
    if (!q->datacenter.len) {
        call_fail(c, "No path to datacenter");
    } else if (is(q->key, "denied")) {
        call_fail(c, "Permission denied");
    } else if (q->options.min_query_index) {
        assert_true(k->nheld < KIT_HELD);
        k->held[k->nheld++] = c;
    } else {
        answer_get(k, c);
    }
}

static void answer_strs(struct call *c)
{
    struct mu_strs *reply = mu__arena_calloc(&c->arena, 1, sizeof *reply);
    reply->items = mu__arena_calloc(&c->arena, 1, sizeof *reply->items);
    reply->items[0] =
        mu__cstr(c->endpoint == &endpoints[ENDPOINT_STATUS_PEERS] ? "127.0.0.2:28100" : "dc1");
    reply->len = 1;
    c->reply = reply;
    call_finish(c);
}

static void start(struct call_backend *b, struct call *c)
{
    struct rpc_kit *k = (struct rpc_kit *)b;
    k->calls++;
    k->forwarded += c->forwarded;
    if (c->endpoint->kind != ENDPOINT_LOCAL && k->no_leader > 0) {
        k->no_leader--;
        call_fail(c, "No cluster leader");
        return;
    }
    if (c->endpoint == &endpoints[ENDPOINT_KVS_GET]) {
        handle_get(k, c);
        return;
    }
    switch (c->endpoint->reply_kind) {
    case REPLY_STRS:
        answer_strs(c);
        return;
    case REPLY_STR:
        c->reply = mu__arena_calloc(&c->arena, 1, sizeof(struct mu_str));
        *(struct mu_str *)c->reply = mu__cstr("127.0.0.2:28100");
        break;
    case REPLY_BOOL:
        c->reply = mu__arena_calloc(&c->arena, 1, sizeof(bool));
        *(bool *)c->reply = true;
        k->value_len = ((const struct catalog_kvs_request *)c->request)->dir_ent.value.len;
        break;
    case REPLY_STRUCT:
        c->reply = mu__arena_calloc(&c->arena, 1, c->endpoint->reply->size);
        break;
    case REPLY_LIST:
        c->reply = mu__arena_calloc(&c->arena, 1, sizeof(struct mu_list));
        break;
    case REPLY_EMPTY:
        break;
    }
    call_finish(c);
}

static void cancel(struct call_backend *b, struct call *c)
{
    struct rpc_kit *k = (struct rpc_kit *)b;
    size_t i = 0;
    while (k->held[i] != c) {
        i++;
    }
    k->held[i] = k->held[--k->nheld];
    k->cancelled++;
    call_free(c);
}

void kit_release(struct rpc_kit *k)
{
    while (k->nheld) {
        answer_get(k, k->held[--k->nheld]);
    }
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int len,
                      void *arg)
{
    (void)l;
    struct rpc_kit *k = arg;
    rpc_server_accept(k->server, fd, peer, (socklen_t)len);
}

static void adopt_raft(void *user, int fd)
{
    ((struct rpc_kit *)user)->raft_fd = fd;
}

void kit_init(struct rpc_kit *k, struct event_base *base, const struct rpc_server_config *cfg)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    *k = (struct rpc_kit){.backend = {start, cancel}, .base = base, .raft_fd = -1};
    struct rpc_server_config c = cfg ? *cfg : (struct rpc_server_config){0};
    c.base = base;
    c.backend = &k->backend;
    c.adopt_raft = adopt_raft;
    c.user = k;
    k->server = rpc_server_create(&c);
    assert_non_null(k->server);
    k->listener = evconnlistener_new_bind(base, on_accept, k, LEV_OPT_CLOSE_ON_FREE, -1,
                                          (struct sockaddr *)&in, (int)len);
    assert_non_null(k->listener);
    getsockname(evconnlistener_get_fd(k->listener), (struct sockaddr *)&in, &len);
    k->port = ntohs(in.sin_port);
}

void kit_fini(struct rpc_kit *k)
{
    if (k->listener) {
        evconnlistener_free(k->listener);
    }
    rpc_server_destroy(k->server);
    assert_int_equal(k->nheld, 0);
    if (k->raft_fd >= 0) {
        close(k->raft_fd);
    }
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    fail_msg("nothing happened for a minute");
}

void kit_run_until(struct event_base *base, const int *flag)
{
    struct timeval minute = {60, 0};
    struct event *watchdog = evtimer_new(base, on_watchdog, NULL);
    event_add(watchdog, &minute);
    while (!*flag) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    event_free(watchdog);
}

static void on_pipe(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
    ++*(int *)arg;
}

/* Loopback sockets are as quick as this pipe: when some rounds of it have gone by, everything else
 * has, too. */
void kit_settle(struct event_base *base)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    int seen = 0;
    struct event *e = event_new(base, fds[0], EV_READ | EV_PERSIST, on_pipe, &seen);
    event_add(e, NULL);
    for (int round = 1; round <= 30; round++) {
        assert_int_equal(write(fds[1], "x", 1), 1);
        while (seen < round) {
            event_base_loop(base, EVLOOP_ONCE);
        }
    }
    event_free(e);
    close(fds[0]);
    close(fds[1]);
}

int kit_connect(struct rpc_kit *k)
{
    int fds[2];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    evutil_make_socket_nonblocking(fds[0]);
    rpc_server_accept(k->server, fds[1], (struct sockaddr *)&in, sizeof in);
    return fds[0];
}

size_t kit_unhex(const char *hex, unsigned char *out, size_t max)
{
    size_t n = 0;
    for (unsigned v; n < max && sscanf(hex + 2 * n, "%2x", &v) == 1; n++) {
        out[n] = (unsigned char)v;
    }
    return n;
}
