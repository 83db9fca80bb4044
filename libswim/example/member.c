/* member.c - joins a pool and says who comes and goes: the whole host side of a swim, on poll(2).
 *
 *     member NAME IP:PORT [IP:PORT to join [KEY=VALUE tags ...]]        leaves on SIGINT
 *
 * A stream is handled in one go here, which blocks for up to a second; swim_node.h does it
 * without. */
#include <arpa/inet.h>
#include <muster/swim.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * MU_SEC + (uint64_t)t.tv_nsec;
}

static int entropy(void *user, void *buf, size_t len)
{
    (void)user;
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}

static void print_line(void *user, enum mu_level level, const char *line)
{
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static struct sockaddr_in to_sockaddr(const struct swim_addr *a)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(a->port)};
    memcpy(&sa.sin_addr, a->ip, 4);
    return sa;
}

static struct swim_addr from_sockaddr(const struct sockaddr_in *sa)
{
    struct swim_addr a = {.len = 4, .port = ntohs(sa->sin_port)};
    memcpy(a.ip, &sa->sin_addr, 4);
    return a;
}

static struct swim_addr parse(const char *text)
{
    char ip[INET_ADDRSTRLEN] = "";
    size_t n = strcspn(text, ":");
    char *end = NULL;
    unsigned long port = text[n] ? strtoul(text + n + 1, &end, 10) : 0;
    struct swim_addr a = {.len = 4};
    memcpy(ip, text, n < sizeof ip ? n : 0);
    if (port == 0 || port > 65535 || *end || inet_pton(AF_INET, ip, a.ip) != 1) {
        fprintf(stderr, "not an address: %s\n", text);
        exit(2);
    }
    a.port = (uint16_t)port;
    return a;
}

static int bound_socket(const struct swim_addr *a, int type)
{
    struct sockaddr_in sa = to_sockaddr(a);
    int fd = socket(AF_INET, type, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
        (type == SOCK_STREAM && listen(fd, 16) != 0)) {
        perror("socket");
        exit(1);
    }
    return fd;
}

/* Feeds the stream what arrives until the exchange is done. */
static void run_stream(struct swim *s, int fd, uint32_t id)
{
    char buf[16384];
    struct swim_reply reply = {0};
    ssize_t n;
    while (!reply.done && (n = read(fd, buf, sizeof buf)) > 0) {
        int rc = swim_stream_receive(s, clock_ns(), id, buf, (size_t)n, &reply);
        if (rc != SWIM_OK) {
            fprintf(stderr, "stream: %s\n", swim_strerror(rc));
        }
    }
    if (reply.len > 0 && write(fd, reply.data, reply.len) < 0) {
        perror("write");
    }
    swim_stream_end(s, clock_ns(), id);
    close(fd);
}

static void open_stream(struct swim *s, const struct swim_stream *st)
{
    struct sockaddr_in sa = to_sockaddr(&st->to);
    struct timeval second = {.tv_sec = 1};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
        write(fd, st->data, st->len) == (ssize_t)st->len) {
        run_stream(s, fd, st->id);
        return;
    }
    swim_stream_end(s, clock_ns(), st->id);
    close(fd);
}

static void accept_stream(struct swim *s, int listener)
{
    struct sockaddr_in sa = {0};
    socklen_t len = sizeof sa;
    struct timeval second = {.tv_sec = 1};
    int fd = accept(listener, (struct sockaddr *)&sa, &len);
    struct swim_addr from = from_sockaddr(&sa);
    uint32_t id;
    uint64_t deadline;
    if (fd < 0) {
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    if (swim_stream_accept(s, clock_ns(), &from, &id, &deadline) == SWIM_OK) {
        run_stream(s, fd, id);
    } else {
        close(fd);
    }
}

static void print_event(const struct swim_event *ev)
{
    static const char *const what[] = {[SWIM_EVENT_JOIN] = "is alive",
                                       [SWIM_EVENT_UPDATE] = "changed",
                                       [SWIM_EVENT_LEAVE] = "left",
                                       [SWIM_EVENT_FAILED] = "failed",
                                       [SWIM_EVENT_REAP] = "is forgotten"};
    char text[SWIM_ADDR_TEXT];
    if (ev->type <= SWIM_EVENT_REAP) {
        printf("%s (%s) %s\n", ev->member.name.p, swim_addr_text(&ev->member.addr, text),
               what[ev->type]);
    } else if (ev->type == SWIM_EVENT_USER) {
        printf("event %.*s: %zu bytes\n", (int)ev->name.len, ev->name.p, ev->payload.len);
    } else if (ev->type == SWIM_EVENT_JOIN_RESULT) {
        printf("join: %s\n", swim_strerror(ev->err));
    }
    fflush(stdout);
}

static void drain(struct swim *s, int udp)
{
    struct swim_packet packet;
    struct swim_stream stream;
    struct swim_event event;
    while (swim_next_send(s, &packet)) {
        struct sockaddr_in sa = to_sockaddr(&packet.to);
        sendto(udp, packet.data, packet.len, 0, (struct sockaddr *)&sa, sizeof sa);
    }
    while (swim_next_stream(s, &stream)) {
        open_stream(s, &stream);
    }
    while (swim_next_event(s, &event)) {
        print_event(&event);
    }
}

static void wait_and_feed(struct swim *s, int udp, int tcp)
{
    static uint8_t buf[SWIM_DATAGRAM_MAX];
    struct pollfd fds[2] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};
    uint64_t now = clock_ns(), due = swim_next_deadline(s);
    int ms = due > now ? (int)((due - now) / MU_MSEC) + 1 : 0;
    poll(fds, 2, ms < 1000 ? ms : 1000);
    if (fds[0].revents) {
        struct sockaddr_in sa = {0};
        socklen_t len = sizeof sa;
        ssize_t n = recvfrom(udp, buf, sizeof buf, 0, (struct sockaddr *)&sa, &len);
        struct swim_addr from = from_sockaddr(&sa);
        int rc = n > 0 ? swim_receive(s, clock_ns(), &from, buf, (size_t)n) : SWIM_OK;
        if (rc != SWIM_OK) {
            fprintf(stderr, "datagram: %s\n", swim_strerror(rc));
        }
    }
    if (fds[1].revents) {
        accept_stream(s, tcp);
    }
    swim_advance(s, clock_ns());
}

static size_t parse_tags(char **args, size_t n, struct swim_tag *tags, size_t max)
{
    size_t ntags = 0;
    for (size_t i = 0; i < n && ntags < max; i++) {
        size_t key = strcspn(args[i], "=");
        const char *value = args[i][key] ? args[i] + key + 1 : "";
        tags[ntags++] = (struct swim_tag){{args[i], key}, {value, strlen(value)}};
    }
    return ntags;
}

int main(int argc, char **argv)
{
    struct swim_tag tags[16] = {{{"role", 4}, {"member", 6}}};
    if (argc < 3) {
        fprintf(stderr, "usage: member NAME IP:PORT [IP:PORT to join [KEY=VALUE ...]]\n");
        return 2;
    }
    struct swim_config cfg;
    struct swim *s;
    swim_config_init(&cfg);
    cfg.name = argv[1];
    cfg.advertise = parse(argv[2]);
    cfg.tags = tags;
    cfg.ntags = argc > 4 ? parse_tags(argv + 4, (size_t)argc - 4, tags, 16) : 1;
    cfg.entropy = entropy;
    cfg.log = print_line;
    int rc = swim_create(&cfg, clock_ns(), &s);
    if (rc == SWIM_OK && argc > 3) {
        struct swim_addr peer = parse(argv[3]);
        rc = swim_join(s, clock_ns(), &peer, NULL);
    }
    if (rc != SWIM_OK) {
        fprintf(stderr, "%s\n", swim_strerror(rc));
        return 1;
    }
    int udp = bound_socket(&cfg.advertise, SOCK_DGRAM),
        tcp = bound_socket(&cfg.advertise, SOCK_STREAM);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    while (!swim_has_left(s)) {
        drain(s, udp);
        wait_and_feed(s, udp, tcp);
        if (stop) {
            swim_leave(s, clock_ns()); /* once is enough; again has no effect */
        }
    }
    drain(s, udp);
    swim_destroy(s);
    return 0;
}
