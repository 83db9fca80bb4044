#include "http.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_AT_A_TIME = 16384 };

struct identity__http {
    struct identity__get get;
    int fd;
    struct event *event;
    char *out; /* the request, of which `sent` bytes are gone; it may name a token */
    size_t out_len, sent;
    char *in; /* the answer; in[cap] is never used for it */
    size_t len, cap;
};

static bool parse_unix(struct identity__agent *agent, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof un.sun_path) {
        return false;
    }
    memcpy(un.sun_path, path, n + 1);
    memcpy(&agent->address, &un, sizeof un);
    agent->address_len = sizeof un;
    snprintf(agent->host, sizeof agent->host, "localhost");
    return true;
}

bool identity__agent_parse(struct identity__agent *agent, const char *text)
{
    char numeric[sizeof agent->host];
    if (strncmp(text, "unix://", 7) == 0) {
        return parse_unix(agent, text + 7);
    }
    bool local = strncmp(text, "localhost:", 10) == 0;
    int n = snprintf(numeric, sizeof numeric, "%s%s", local ? "127.0.0.1:" : "",
                     local ? text + 10 : text);
    int len = sizeof agent->address;
    if (n < 0 || (size_t)n >= sizeof numeric ||
        evutil_parse_sockaddr_port(numeric, (struct sockaddr *)&agent->address, &len) != 0) {
        return false;
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&agent->address; /* port: as in v6 */
    agent->address_len = (socklen_t)len;
    snprintf(agent->host, sizeof agent->host, "%s", text);
    return v4->sin_port != 0;
}

static void wipe_free(const struct mu_allocator *a, char *p, size_t n)
{
    if (p) {
        mu__wipe(p, n);
        mu__free(a, p);
    }
}

void identity__http_cancel(struct identity__http *h)
{
    if (!h) {
        return;
    }
    const struct mu_allocator *a = h->get.allocator;
    if (h->event) {
        event_free(h->event);
    }
    if (h->fd >= 0) {
        close(h->fd);
    }
    wipe_free(a, h->out, h->out_len);
    wipe_free(a, h->in, h->cap);
    mu__free(a, h);
}

static void finish(struct identity__http *h, const char *why)
{
    struct identity__reply reply;
    if (!why) {
        why = h->in ? identity__http_read(h->in, h->len, &reply) : "no answer";
    }
    event_del(h->event);
    h->get.done(h->get.user, why, &reply);
    identity__http_cancel(h);
}

/* Room for READ_AT_A_TIME more and a zero, at most a little beyond the limit. Old places are
 * wiped. */
static const char *make_room(struct identity__http *h)
{
    if (h->len > h->get.bytes_max) {
        return "the answer is too long";
    }
    if (h->cap - h->len > READ_AT_A_TIME) {
        return NULL;
    }
    size_t cap = (h->cap ? h->cap * 2 : READ_AT_A_TIME) + READ_AT_A_TIME;
    char *in = mu__alloc(h->get.allocator, cap);
    if (!in) {
        return "out of memory";
    }
    if (h->in) {
        memcpy(in, h->in, h->len);
    }
    wipe_free(h->get.allocator, h->in, h->cap);
    h->in = in;
    h->cap = cap;
    return NULL;
}

/* An answer with a length needs no end of the connection. */
static bool is_complete(const struct identity__http *h)
{
    static const char last[] = "\r\n0\r\n\r\n";
    size_t n = sizeof last - 1;
    char *body = memmem(h->in, h->len, "\r\n\r\n", 4);
    if (!body) {
        return false;
    }
    size_t head = (size_t)(body - h->in) + 4;
    if (h->len - head >= n - 2 && memcmp(h->in + h->len - n, last, n) == 0) {
        char *mark = memmem(h->in, head, "chunked", 7);
        return mark != NULL;
    }
    static const char field[] = "\r\nContent-Length: ";
    char *at = memmem(h->in, head, field, sizeof field - 1);
    size_t length = 0;
    for (at = at ? at + sizeof field - 1 : NULL; at && *at >= '0' && *at <= '9'; at++) {
        length = length > SIZE_MAX / 16 ? length : length * 10 + (size_t)(*at - '0');
        if (at[1] == '\r') {
            return h->len - head >= length;
        }
    }
    return false;
}

static void receive(struct identity__http *h)
{
    for (;;) {
        const char *why = make_room(h);
        if (why) {
            finish(h, why);
            return;
        }
        ssize_t n = read(h->fd, h->in + h->len, READ_AT_A_TIME);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            finish(h, n < 0 ? strerror(errno) : h->len == 0 ? "it closed the connection" : NULL);
            return;
        }
        h->len += (size_t)n;
        if (is_complete(h)) {
            finish(h, NULL);
            return;
        }
    }
}

static void wait_for(struct identity__http *h, short what);

static void transmit(struct identity__http *h)
{
    while (h->sent < h->out_len) {
        ssize_t n = send(h->fd, h->out + h->sent, h->out_len - h->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n < 0) {
            finish(h, strerror(errno));
            return;
        }
        h->sent += (size_t)n;
    }
    wait_for(h, EV_READ);
}

static void on_event(evutil_socket_t fd, short what, void *user)
{
    struct identity__http *h = user;
    (void)fd;
    if (what & EV_TIMEOUT) {
        finish(h, "it did not answer in time");
    } else if (what & EV_WRITE) {
        int error = 0;
        socklen_t len = sizeof error;
        if (getsockopt(h->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
            finish(h, strerror(error));
            return;
        }
        transmit(h);
    } else {
        receive(h);
    }
}

static void wait_for(struct identity__http *h, short what)
{
    struct timeval tv = {.tv_sec = (time_t)(h->get.timeout_ns / MU_SEC),
                         .tv_usec = (suseconds_t)(h->get.timeout_ns % MU_SEC / 1000)};
    event_del(h->event);
    event_assign(h->event, h->get.base, h->fd, (short)(what | EV_PERSIST), on_event, h);
    event_add(h->event, &tv);
}

static bool write_request(struct identity__http *h)
{
    const struct identity__agent *agent = h->get.agent;
    size_t cap = strlen(h->get.path) + sizeof agent->host + sizeof agent->token + 128;
    h->out = mu__alloc(h->get.allocator, cap);
    if (!h->out) {
        return false;
    }
    int n = snprintf(h->out, cap,
                     "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s%sAccept: application/json\r\n"
                     "Connection: close\r\n\r\n",
                     h->get.path, agent->host, *agent->token ? "X-Consul-Token: " : "",
                     agent->token, *agent->token ? "\r\n" : "");
    h->out_len = (size_t)n;
    return n > 0 && (size_t)n < cap;
}

static bool open_socket(struct identity__http *h)
{
    const struct sockaddr *to = (const struct sockaddr *)&h->get.agent->address;
    h->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return h->fd >= 0 &&
           (connect(h->fd, to, h->get.agent->address_len) == 0 || errno == EINPROGRESS);
}

struct identity__http *identity__http_get(const struct identity__get *get)
{
    struct identity__http *h = mu__calloc(get->allocator, 1, sizeof *h);
    if (!h) {
        errno = ENOMEM;
        return NULL;
    }
    h->get = *get;
    h->fd = -1;
    errno = ENOMEM;
    if (!write_request(h) || !open_socket(h)) {
        goto out;
    }
    h->event = event_new(get->base, h->fd, EV_WRITE, on_event, h);
    if (!h->event) {
        errno = ENOMEM;
        goto out;
    }
    wait_for(h, EV_WRITE);
    h->get.path = NULL;
    return h;
out:;
    int why = errno;
    identity__http_cancel(h);
    errno = why;
    return NULL;
}
