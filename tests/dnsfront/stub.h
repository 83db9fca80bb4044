/* stub.h - resolvers that say what a test wants, on UDP and TCP sockets of the test's own loop. */
#pragma once

#include "dns_kit.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define STUB_BYTES 65535u

struct stub;
/* Where a query came from, and how to answer it. */
struct stub_query {
    struct stub *stub;
    uint8_t bytes[512];
    size_t len;
    struct sockaddr_storage peer;
    socklen_t peer_len;
    struct bufferevent *stream; /* NULL: UDP */
};
typedef void (*stub_fn)(struct stub_query *q);

struct stub {
    char address[64]; /* "ip:port" */
    struct sockaddr_storage at;
    socklen_t at_len;
    int udp;
    struct event *readable;
    struct evconnlistener *listener;
    struct bufferevent *streams[32];
    size_t stream_count;
    stub_fn act;
    size_t udp_queries, tcp_queries;
    struct stub_query last;
    void *arg; /* of the test's */
};

static inline void stub_send(struct stub_query *q, const void *bytes, size_t len)
{
    uint8_t head[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    if (q->stream) {
        bufferevent_write(q->stream, head, 2);
        bufferevent_write(q->stream, bytes, len);
    } else {
        assert_int_equal(
            sendto(q->stub->udp, bytes, len, 0, (struct sockaddr *)&q->peer, q->peer_len),
            (ssize_t)len);
    }
}

/* A reply to the query with one A record for its name; the length. buf holds 600 bytes. */
static inline size_t stub_reply(const struct stub_query *q, unsigned rcode, uint8_t *buf)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
    size_t end = 12;
    while (q->bytes[end]) {
        end += 1u + q->bytes[end];
    }
    end += 5;
    memcpy(buf, q->bytes, end);
    buf[2] |= 0x80;                            /* QR */
    buf[3] = (uint8_t)(0x80 | (rcode & 0x0f)); /* RA */
    memset(buf + 6, 0, 6);
    if (rcode != LDNS_RCODE_NOERROR) {
        return end;
    }
    buf[7] = 1;
    memcpy(buf + end, record, sizeof record);
    return end + sizeof record;
}

static inline void stub_answer(struct stub_query *q, unsigned rcode)
{
    uint8_t buf[600];
    stub_send(q, buf, stub_reply(q, rcode, buf));
}

static inline void stub_noerror(struct stub_query *q)
{
    stub_answer(q, LDNS_RCODE_NOERROR);
}
static inline void stub_silent(struct stub_query *q)
{
    (void)q;
}

static inline void stub_on_datagram(evutil_socket_t fd, short what, void *arg)
{
    struct stub *s = arg;
    (void)what;
    struct stub_query *q = &s->last;
    *q = (struct stub_query){.stub = s, .peer_len = sizeof q->peer};
    ssize_t n =
        recvfrom(fd, q->bytes, sizeof q->bytes, 0, (struct sockaddr *)&q->peer, &q->peer_len);
    assert_true(n > 0);
    q->len = (size_t)n;
    s->udp_queries++;
    s->act(q);
}

static inline void stub_on_stream(struct bufferevent *bev, void *arg)
{
    struct stub *s = arg;
    uint8_t head[2];
    if (evbuffer_copyout(bufferevent_get_input(bev), head, 2) < 2) {
        return;
    }
    size_t len = (size_t)head[0] << 8 | head[1];
    if (evbuffer_get_length(bufferevent_get_input(bev)) < len + 2) {
        return;
    }
    struct stub_query *q = &s->last;
    *q = (struct stub_query){.stub = s, .stream = bev, .len = len};
    assert_true(len <= sizeof q->bytes);
    bufferevent_read(bev, head, 2);
    bufferevent_read(bev, q->bytes, len);
    s->tcp_queries++;
    s->act(q);
}

static inline void stub_on_accept(struct evconnlistener *l, evutil_socket_t fd,
                                  struct sockaddr *peer, int len, void *arg)
{
    struct stub *s = arg;
    (void)peer;
    (void)len;
    assert_true(s->stream_count < 32);
    struct bufferevent *bev =
        bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
    s->streams[s->stream_count++] = bev;
    bufferevent_setcb(bev, stub_on_stream, NULL, NULL, s);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* Closes the connection that the query came over, once what was written has left. */
static inline void stub_hang_up(struct stub_query *q)
{
    shutdown(bufferevent_getfd(q->stream), SHUT_RDWR);
}

static inline bool stub_bind(struct stub *s, struct event_base *base)
{
    s->udp = socket(s->at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (s->udp < 0 || bind(s->udp, (struct sockaddr *)&s->at, s->at_len) != 0) {
        return false;
    }
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(s->udp, (struct sockaddr *)&at, &len), 0);
    s->listener = evconnlistener_new_bind(base, stub_on_accept, s, LEV_OPT_CLOSE_ON_FREE, 16,
                                          (struct sockaddr *)&at, (int)len);
    if (s->listener) {
        s->at = at;
    }
    return true;
}

/* A resolver on an address of loopback, with a port that is free for both transports. */
static inline void stub_open(struct stub *s, struct event_base *base, const char *ip, stub_fn act)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char host[INET6_ADDRSTRLEN];
    bool is_v4 = inet_pton(AF_INET, ip, &v4.sin_addr) == 1;
    assert_true(is_v4 || inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1);
    *s = (struct stub){.udp = -1, .act = act};
    s->at_len = is_v4 ? sizeof v4 : sizeof v6;
    memcpy(&s->at, is_v4 ? (void *)&v4 : (void *)&v6, s->at_len);
    while (!s->listener) {
        if (s->udp >= 0) {
            close(s->udp);
        }
        assert_true(stub_bind(s, base));
    }
    memcpy(&v4, &s->at, sizeof v4);
    memcpy(&v6, &s->at, sizeof v6);
    inet_ntop(s->at.ss_family, is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr, host,
              sizeof host);
    snprintf(s->address, sizeof s->address, is_v4 ? "%s:%d" : "[%s]:%d", host,
             ntohs(is_v4 ? v4.sin_port : v6.sin6_port));
    s->readable = event_new(base, s->udp, EV_READ | EV_PERSIST, stub_on_datagram, s);
    event_add(s->readable, NULL);
}

static inline void stub_close(struct stub *s)
{
    if (s->udp < 0) {
        return;
    }
    event_free(s->readable);
    close(s->udp);
    evconnlistener_free(s->listener);
    for (size_t i = 0; i < s->stream_count; i++) {
        bufferevent_free(s->streams[i]);
    }
    s->udp = -1;
}
