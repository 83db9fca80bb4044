/* load_waiters.c - many clients that wait for the same change over HTTP, from one thread.
 *
 *     load_waiters HOST PORT CLIENTS KEYS WAKES [PREFIX]
 *
 * Puts a value under each of KEYS keys, opens CLIENTS connections that each wait for the next one
 * of their key, says "waiting" and reads a line. Then, WAKES times, it puts a new value under the
 * first key and takes the time from there until the last of that key's clients has its whole
 * answer; they wait anew. It prints "first median last" in ms for each time. Clients come from
 * several addresses, for there are not enough ports at one. Keys are below PREFIX, so that several
 * of these programs do not wake each other's clients. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_PER_ADDRESS 20000u
#define ANSWER_MAX          2048u /* heads here are short, and values shorter */

struct client {
    int fd;
    size_t len;
    char in[ANSWER_MAX];
};

static struct sockaddr_in server;
static size_t nkeys;
static const char *prefix = "waited";

static void die(const char *what)
{
    fprintf(stderr, "load_waiters: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int dial(size_t number)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr =
        htonl(ntohl(server.sin_addr.s_addr) + 1 + (uint32_t)(number / CLIENTS_PER_ADDRESS));
    if (fd < 0) {
        die("socket");
    }
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&server, sizeof server) != 0) {
        die("connect");
    }
    return fd;
}

/* The length of the whole answer at the front of in; 0: it is not all there yet. */
static size_t whole(const char *in, size_t len)
{
    const char *end = memmem(in, len, "\r\n\r\n", 4);
    const char *length = end ? memmem(in, (size_t)(end - in), "Content-Length: ", 16) : NULL;
    if (!length) {
        return 0;
    }
    size_t all = (size_t)(end + 4 - in) + (size_t)strtoul(length + 16, NULL, 10);
    return len >= all ? all : 0;
}

/* Reads what is there; true when an answer is complete, which is then forgotten. */
static bool take_answer(struct client *c, unsigned long *index)
{
    ssize_t n = recv(c->fd, c->in + c->len, ANSWER_MAX - 1 - c->len, 0);
    if (n <= 0) {
        die("the server has closed a connection");
    }
    c->len += (size_t)n;
    c->in[c->len] = 0;
    if (!whole(c->in, c->len)) {
        if (c->len == ANSWER_MAX - 1) {
            die("an answer is too long");
        }
        return false;
    }
    const char *line = strstr(c->in, "X-Consul-Index: ");
    if (strncmp(c->in, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "load_waiters: %s\n", c->in);
        exit(1);
    }
    *index = line ? strtoul(line + 16, NULL, 10) : 0;
    c->len = 0;
    return true;
}

static void say(int fd, const char *text)
{
    size_t len = strlen(text);
    if (send(fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) {
        die("send");
    }
}

static unsigned long ask(struct client *c, const char *text)
{
    unsigned long index;
    say(c->fd, text);
    while (!take_answer(c, &index)) {
    }
    return index;
}

static void put(struct client *c, size_t key, unsigned value)
{
    char text[256], body[16];
    int n = snprintf(body, sizeof body, "%u", value);
    snprintf(text, sizeof text,
             "PUT /v1/kv/%s/%zu HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", prefix, key,
             n, body);
    (void)ask(c, text);
}

static unsigned long get(struct client *c, size_t key)
{
    char text[256];
    snprintf(text, sizeof text, "GET /v1/kv/%s/%zu HTTP/1.1\r\nHost: x\r\n\r\n", prefix, key);
    return ask(c, text);
}

static void wait_for(struct client *c, size_t key, unsigned long index)
{
    char text[256];
    snprintf(text, sizeof text,
             "GET /v1/kv/%s/%zu?index=%lu&wait=10m HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "
             "identity\r\nUser-Agent: bench\r\n\r\n",
             prefix, key, index);
    say(c->fd, text);
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Puts under the first key and reads what its clients get. The writer comes anew each time: idle
 * connections are closed. */
static void wake(struct client *clients, size_t n, int epoll, unsigned round)
{
    struct client writer = {.fd = dial(n)};
    struct epoll_event writable = {.events = EPOLLIN, .data.ptr = &writer};
    epoll_ctl(epoll, EPOLL_CTL_ADD, writer.fd, &writable);
    size_t expected = (n + nkeys - 1) / nkeys, got = 0;
    double *times = calloc(expected, sizeof *times), began = now_ms();
    char text[256];
    unsigned long index, written = 0;
    if (!times) {
        die("calloc");
    }
    snprintf(text, sizeof text,
             "PUT /v1/kv/%s/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n%06u", prefix, round);
    say(writer.fd, text);
    while (got < expected || !written) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, 30000);
        if (ready <= 0) {
            die("nobody answers");
        }
        for (int i = 0; i < ready; i++) {
            struct client *c = events[i].data.ptr;
            if (!take_answer(c, &index)) {
                continue;
            }
            if (c == &writer) {
                written = 1;
                continue;
            }
            times[got++] = now_ms() - began;
        }
    }
    qsort(times, expected, sizeof *times, by_time);
    printf("%.2f %.2f %.2f\n", times[0], times[expected / 2], times[expected - 1]);
    fflush(stdout);
    free(times);
    index = get(&writer, 0);
    close(writer.fd);
    for (size_t i = 0; i < n; i += nkeys) {
        wait_for(&clients[i], 0, index);
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: load_waiters HOST PORT CLIENTS KEYS WAKES [PREFIX]\n");
        return 2;
    }
    prefix = argc == 7 ? argv[6] : prefix;
    server = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10))};
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
        die("the address");
    }
    size_t n = strtoul(argv[3], NULL, 10), wakes = strtoul(argv[5], NULL, 10);
    nkeys = strtoul(argv[4], NULL, 10);
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < n + 100) {
        files.rlim_max = n + 100;
    }
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        die("so many files");
    }
    struct client *clients = calloc(n, sizeof *clients), writer = {.fd = dial(n)};
    unsigned long *indexes = calloc(nkeys, sizeof *indexes);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!clients || !indexes || epoll < 0 || nkeys == 0) {
        die("memory");
    }
    for (size_t k = 0; k < nkeys; k++) {
        put(&writer, k, 0);
        indexes[k] = get(&writer, k);
    }
    close(writer.fd);
    printf("ready\n");
    fflush(stdout);
    if (getchar() == EOF) {
        return 0;
    }
    struct epoll_event e = {.events = EPOLLIN};
    for (size_t i = 0; i < n; i++) {
        clients[i].fd = dial(i);
        wait_for(&clients[i], i % nkeys, indexes[i % nkeys]);
        e.data.ptr = &clients[i];
        epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &e);
    }
    printf("waiting\n");
    fflush(stdout);
    for (unsigned i = 0; i < wakes && getchar() != EOF; i++) {
        wake(clients, n, epoll, i + 1);
    }
    while (getchar() != EOF) {
    }
    return 0;
}
