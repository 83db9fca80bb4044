#include "client.h"

#include "http_reader.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_ADDRESS "127.0.0.1:8500"
#define TIMEOUT_S       660 /* above the longest blocking query */

/* ---- Where ---- */

/* MUSTER_<name>, or CONSUL_<name>; NULL when neither says anything. */
static const char *environment(const char *name)
{
    static const char *const prefixes[] = {"MUSTER_", "CONSUL_"};
    for (size_t i = 0; i < 2; i++) {
        char full[64];
        snprintf(full, sizeof full, "%s%s", prefixes[i], name);
        const char *value = getenv(full);
        if (value && *value) {
            return value;
        }
    }
    return NULL;
}

static bool refuse_address(const char *addr, const char *why)
{
    fprintf(stderr, "Error: -http-addr %s: %s\n", addr, why);
    return false;
}

static bool read_path(struct cli_client *c, const char *addr)
{
    const char *path = addr + 7;
    if (!*path || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        return refuse_address(addr, "not the path of a socket");
    }
    snprintf(c->host, sizeof c->host, "%s", path);
    c->authority[0] = '\0';
    c->port = 0;
    for (const char *p = path; *p && strlen(c->authority) + 4 < sizeof c->authority; p++) {
        size_t n = strlen(c->authority);
        snprintf(c->authority + n, sizeof c->authority - n, *p == '/' ? "%%2F" : "%c", *p);
    }
    return true;
}

static bool read_host(struct cli_client *c, const char *addr)
{
    snprintf(c->authority, sizeof c->authority, "%.*s", (int)strcspn(addr, "/"), addr);
    const char *colon = strrchr(c->authority, ':');
    const char *close = strrchr(c->authority, ']');
    size_t len =
        colon && (!close || colon > close) ? (size_t)(colon - c->authority) : strlen(c->authority);
    long port = len < strlen(c->authority) ? strtol(colon + 1, NULL, 10) : 80;
    c->port = port > 0 && port <= 65535 ? (int)port : 0;
    const char *host = c->authority;
    if (host[0] == '[' && len > 1 && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    snprintf(c->host, sizeof c->host, "%.*s", (int)len, host);
    return (c->port && c->host[0]) || refuse_address(addr, "not host:port");
}

static bool read_address(struct cli_client *c, const char *addr)
{
    const char *env = environment("HTTP_ADDR"), *ssl = environment("HTTP_SSL");
    addr = addr && *addr ? addr : env ? env : DEFAULT_ADDRESS;
    bool secure = ssl && (!strcmp(ssl, "1") || !strcasecmp(ssl, "true") || !strcasecmp(ssl, "t"));
    if (strncmp(addr, "unix://", 7) == 0) {
        return read_path(c, addr);
    }
    if (strncmp(addr, "https://", 8) == 0 || (secure && strncmp(addr, "http://", 7) != 0)) {
        return refuse_address(addr, "only plain http is supported");
    }
    return read_host(c, strncmp(addr, "http://", 7) == 0 ? addr + 7 : addr);
}

/* ---- Who ---- */

static bool read_token(struct cli_client *c, const char *token, const char *file)
{
    const char *env = environment("HTTP_TOKEN");
    token = token && *token ? token : env;
    file = file && *file ? file : environment("HTTP_TOKEN_FILE");
    snprintf(c->token, sizeof c->token, "%s", token ? token : "");
    if (!file) {
        return true;
    }
    char text[sizeof c->token] = "";
    FILE *f = fopen(file, "r");
    if (!f) {
        fprintf(stderr, "Error connecting to Consul agent: Error loading token file: open %s: %s\n",
                file, errno == ENOENT ? "no such file or directory" : strerror(errno));
        return false;
    }
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    size_t from = strspn(text, " \t\r\n");
    text[from + strcspn(text + from, " \t\r\n")] = '\0';
    if (text[from]) {
        snprintf(c->token, sizeof c->token, "%s", text + from);
    }
    return true;
}

/* RFC 7617. */
static void read_auth(struct cli_client *c)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    enum { PAD = 64 };
    const char *auth = environment("HTTP_AUTH");
    size_t len = auth ? strlen(auth) : 0, at = 0;
    c->auth[0] = '\0';
    for (size_t i = 0; i < len && at + 5 < sizeof c->auth; i += 3) {
        uint32_t b = (uint32_t)(unsigned char)auth[i] << 16;
        b |= i + 1 < len ? (uint32_t)(unsigned char)auth[i + 1] << 8 : 0;
        b |= i + 2 < len ? (uint32_t)(unsigned char)auth[i + 2] : 0;
        c->auth[at++] = digits[b >> 18];
        c->auth[at++] = digits[b >> 12 & 63];
        c->auth[at++] = digits[i + 1 < len ? b >> 6 & 63 : PAD];
        c->auth[at++] = digits[i + 2 < len ? b & 63 : PAD];
        c->auth[at] = '\0';
    }
}

bool cli_client_init(struct cli_client *c, const char *addr, const char *token,
                     const char *token_file)
{
    signal(SIGPIPE, SIG_IGN); /* an agent that hangs up is told of as an error */
    read_auth(c);
    return read_address(c, addr) && read_token(c, token, token_file);
}

/* ---- Connecting ---- */

static int dial_path(const struct cli_client *c)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%.107s", c->host);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof un) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

static int dial_host(const struct cli_client *c, const char **why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *all;
    char port[16];
    int fd = -1;
    snprintf(port, sizeof port, "%d", c->port);
    int rc = getaddrinfo(c->host, port, &hints, &all);
    if (rc) {
        *why = gai_strerror(rc);
        return -1;
    }
    int error = 0;
    for (const struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            error = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    errno = error;
    return fd;
}

static const char *reason(int error)
{
    static const struct {
        int error;
        const char *text;
    } go[] = {{ECONNREFUSED, "connect: connection refused"},
              {ENOENT, "connect: no such file or directory"},
              {EACCES, "connect: permission denied"},
              {EHOSTUNREACH, "connect: no route to host"},
              {ENETUNREACH, "connect: network is unreachable"},
              {EAGAIN, "i/o timeout"}};
    for (size_t i = 0; i < sizeof go / sizeof *go; i++) {
        if (go[i].error == error) {
            return go[i].text;
        }
    }
    return error ? strerror(error) : "EOF";
}

/* ---- Requests ---- */

struct exchange {
    const struct cli_client *client;
    const char *method, *path;
    struct cli_response *out;
    cli_piece_fn piece; /* NULL: the body is kept */
    void *user;
};

/* `Get "http://host:port/path": why`, as Go's client says it. */
static void fail(const struct exchange *x, const char *what, const char *why)
{
    const struct cli_client *c = x->client;
    char verb[16];
    snprintf(verb, sizeof verb, "%s", x->method);
    for (char *p = verb + 1; *p; p++) {
        *p = (char)(*p | 0x20);
    }
    x->out->status = 0;
    snprintf(x->out->error, sizeof x->out->error, "%s \"http://%s%.256s\": %s%s%s%s", verb,
             c->authority, x->path, what, *what ? (c->port ? c->authority : c->host) : "",
             *what ? ": " : "", why);
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool send_request(const struct exchange *x, int fd, const void *body, size_t len)
{
    const struct cli_client *c = x->client;
    char head[16384];
    bool has_body = len || strcmp(x->method, "GET") != 0;
    char length[48] = "";
    if (has_body) {
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", len);
    }
    int n = snprintf(head, sizeof head,
                     "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s%s%s%s%s%s%s\r\n",
                     x->method, x->path, c->port ? c->authority : "localhost", length,
                     *c->token ? "X-Consul-Token: " : "", c->token, *c->token ? "\r\n" : "",
                     *c->auth ? "Authorization: Basic " : "", c->auth, *c->auth ? "\r\n" : "");
    return n > 0 && (size_t)n < sizeof head && send_all(fd, head, (size_t)n) &&
           send_all(fd, body, len);
}

/* A piece of a body that is followed; that of an error is kept. */
static void on_piece(void *user, const struct http_reader *r, const char *data, size_t len)
{
    struct exchange *x = user;
    struct cli_response *out = x->out;
    if (x->piece && r->status == 200) {
        x->piece(x->user, data, len);
        return;
    }
    out->body = realloc(out->body, out->len + len + 1);
    if (!out->body) {
        abort();
    }
    memcpy(out->body + out->len, data, len);
    out->len += len;
}

static void receive(struct exchange *x, int fd)
{
    struct http_reader r = {.fd = fd};
    errno = 0;
    bool ok = http_read(&r, on_piece, x);
    x->out->status = r.status;
    x->out->index = r.index;
    if (!ok) {
        fail(x, "", reason(errno));
    }
}

static void run(struct exchange *x, const void *body, size_t len)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    const char *why = NULL;
    struct cli_response *out = x->out;
    *out = (struct cli_response){.body = calloc(1, 1)};
    if (!out->body) {
        abort();
    }
    int fd = x->client->port ? dial_host(x->client, &why) : dial_path(x->client);
    if (fd < 0) {
        fail(x, x->client->port ? "dial tcp " : "dial unix ", why ? why : reason(errno));
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    /* Who refuses a body may answer and hang up before all of it is sent */
    (void)send_request(x, fd, body, len);
    receive(x, fd);
    out->body[out->len] = '\0';
    close(fd);
}

void cli_request(const struct cli_client *c, const char *method, const char *path, const void *body,
                 size_t len, struct cli_response *out)
{
    struct exchange x = {.client = c, .method = method, .path = path, .out = out};
    run(&x, body, len);
}

void cli_follow(const struct cli_client *c, const char *path, cli_piece_fn piece, void *user,
                struct cli_response *out)
{
    struct exchange x = {
        .client = c, .method = "GET", .path = path, .out = out, .piece = piece, .user = user};
    run(&x, NULL, 0);
}

void cli_response_free(struct cli_response *r)
{
    free(r->body);
    r->body = NULL;
}

bool cli_response_ok(const struct cli_response *r, const char *what)
{
    if (r->status == 200) {
        return true;
    }
    if (r->status == 0) {
        fprintf(stderr, "%s: %s\n", what, r->error);
    } else {
        fprintf(stderr, "%s: Unexpected response code: %d (%s)\n", what, r->status,
                r->body ? r->body : "");
    }
    return false;
}

void cli_escape(const char *text, char *buf, size_t cap)
{
    static const char plain[] = "-._~/";
    size_t at = strlen(buf);
    for (; *text && at + 4 < cap; text++) {
        unsigned char ch = (unsigned char)*text;
        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
            strchr(plain, ch)) {
            buf[at++] = (char)ch;
        } else {
            at += (size_t)snprintf(buf + at, cap - at, "%%%02X", ch);
        }
    }
    buf[at] = '\0';
}
