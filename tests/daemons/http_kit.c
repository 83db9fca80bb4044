#include "http_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static void describe(struct kit *k, struct call *c)
{
    snprintf(k->method, sizeof k->method, "%s", c->endpoint->method);
    k->calls++;
    k->request[0] = 0;
    if (c->endpoint->request && c->endpoint->request->nfields) {
        struct mu__writer w = mu__writer_fixed(k->request, sizeof k->request - 1);
        struct mu__json j = mu__json(&w, false);
        mu__json_value(&j, c->endpoint->request, c->request);
        k->request[w.len] = 0;
    }
}

static void finish(struct kit *k, struct call *c)
{
    if (k->error) {
        call_fail(c, "%s", k->error);
        return;
    }
    size_t size = c->endpoint->reply ? c->endpoint->reply->size : sizeof(struct mu_strs);
    c->reply = mu__arena_calloc(&c->arena, 1, size);
    if (k->answer) {
        k->answer(k, c);
    }
    call_finish(c);
}

static void start(struct call_backend *b, struct call *c)
{
    struct kit *k = (struct kit *)(void *)((char *)b - offsetof(struct kit, backend));
    describe(k, c);
    if (k->hold) {
        assert_null(k->held);
        k->held = c;
    } else {
        finish(k, c);
    }
}

static void cancel(struct call_backend *b, struct call *c)
{
    struct kit *k = (struct kit *)(void *)((char *)b - offsetof(struct kit, backend));
    assert_ptr_equal(k->held, c);
    k->held = NULL;
    k->cancelled++;
    call_free(c);
}

void kit_init(struct kit *k)
{
    memset(k, 0, sizeof *k);
    k->base = event_base_new();
    k->backend = (struct call_backend){start, cancel};
    http_server_config_init(&k->config);
    k->config.base = k->base;
    k->config.backend = &k->backend;
    k->config.datacenter = "dc1";
    k->config.node = "n1";
}

void kit_start(struct kit *k)
{
    struct http_address any = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(&any.addr, &in, sizeof in);
    k->config.addresses = &any;
    k->config.naddresses = 1;
    char err[256];
    assert_int_equal(http_server_create(&k->config, &k->server, err, sizeof err), 0);
    assert_true(http_server_address(k->server, 0, &k->at));
}

void kit_stop(struct kit *k)
{
    http_server_destroy(k->server);
    client_limit_destroy(k->clients);
    event_base_free(k->base);
    assert_null(k->held);
}

void kit_release(struct kit *k)
{
    struct call *c = k->held;
    assert_non_null(c);
    k->held = NULL;
    k->hold = false;
    finish(k, c);
}

int kit_connect(struct kit *k)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&k->at.addr, k->at.len), 0);
    kit_turn(k);
    return fd;
}

void kit_turn(struct kit *k)
{
    for (int i = 0; i < 8; i++) {
        event_base_loop(k->base, EVLOOP_NONBLOCK);
    }
}

void kit_send(struct kit *k, int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            return; /* the server does not want the rest */
        }
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
        kit_turn(k);
    }
}

/* One byte more, or -1 at the end; the server runs while there is none. */
static int next_byte(struct kit *k, int fd)
{
    unsigned char c;
    for (;;) {
        ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
        if (n == 1) {
            return c;
        }
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
            return -1;
        }
        kit_turn(k);
    }
}

struct reply kit_receive(struct kit *k, int fd)
{
    struct reply r = {.status = 0};
    size_t n = 0;
    for (int c; n + 1 < sizeof r.head && (c = next_byte(k, fd)) >= 0;) {
        r.head[n++] = (char)c;
        r.head[n] = 0;
        if (n >= 4 && strcmp(r.head + n - 4, "\r\n\r\n") == 0) {
            break;
        }
    }
    if (n == 0) {
        return r;
    }
    assert_int_equal(sscanf(r.head, "HTTP/1.%*1[01] %d", &r.status), 1);
    const char *length = reply_header(&r, "Content-Length");
    if (!length) {
        return r; /* 100 Continue */
    }
    r.len = (size_t)strtoul(length, NULL, 10);
    r.body = calloc(1, r.len + 1);
    for (size_t i = 0; i < r.len; i++) {
        int c = next_byte(k, fd);
        if (c < 0) {
            break; /* HEAD has a length and no body */
        }
        r.body[i] = (char)c;
    }
    return r;
}

bool kit_closed(struct kit *k, int fd)
{
    return next_byte(k, fd) < 0;
}

void reply_free(struct reply *r)
{
    free(r->body);
    r->body = NULL;
}

const char *reply_header(const struct reply *r, const char *name)
{
    static char value[1024];
    for (const char *p = strstr(r->head, "\r\n"); p && p[2] != '\r'; p = strstr(p + 2, "\r\n")) {
        const char *colon = strchr(p + 2, ':');
        if (colon && (size_t)(colon - p - 2) == strlen(name) &&
            strncasecmp(p + 2, name, strlen(name)) == 0) {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(colon + 2, "\r"), colon + 2);
            return value;
        }
    }
    return NULL;
}

struct reply kit_ask(struct kit *k, const char *line, const char *headers, const char *body)
{
    char length[64] = "",
         *text = malloc(strlen(line) + strlen(headers) + (body ? strlen(body) : 0) + 256);
    if (body) {
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    }
    int n = sprintf(text, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s\r\n%s", line, length,
                    headers, body ? body : "");
    int fd = kit_connect(k);
    kit_send(k, fd, text, (size_t)n);
    struct reply r = kit_receive(k, fd);
    close(fd);
    kit_turn(k);
    free(text);
    return r;
}
