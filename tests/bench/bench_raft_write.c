/* bench_raft_write.c - what a durable write costs a single client: one node alone, then three in
 * one process over loopback, each beside the same bytes written and synced by hand. The two take
 * turns, so that what else the disk does at the time touches both.
 *
 *     bench_raft_write [folder] [writes]        default /tmp and 2000 */
#include <muster/raft_node.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NODES        3
#define ENTRY_BYTES  128
#define RECORD_BYTES (40 + ENTRY_BYTES) /* in the log */
#define FILE_BYTES   (8 << 20)
#define TURN         1 /* writes of a kind at a time */

struct node {
    struct raft_node *node;
    struct evconnlistener *listener;
    char id[16], address[64], dir[256];
    bool leads;
};

struct bench {
    struct event_base *base;
    const char *dir;
    size_t writes;
    struct node nodes[NODES];
    uint64_t *ours, *raw; /* nanoseconds each */
    int fd;               /* of the file that is written by hand */
    uint64_t offset;
    bool is_done;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * MU_SEC + (uint64_t)t.tv_nsec;
}

static void must(int rc, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "bench_raft_write: %s: %s\n", what, raft_node_strerror(rc));
        exit(1);
    }
}

/* --- a state machine with nothing in it --- */

static void apply(void *user, raft_index index, raft_term term, const void *data, size_t len,
                  void **result)
{
    (void)user;
    (void)index;
    (void)term;
    (void)data;
    (void)len;
    (void)result;
}

static void *snapshot_begin(void *user)
{
    (void)user;
    return NULL;
}

static int snapshot_save(void *user, void *view, struct raft_node_writer *w)
{
    (void)user;
    (void)view;
    (void)w;
    return 1;
}

static void snapshot_end(void *user, void *view)
{
    (void)user;
    (void)view;
}

static int restore(void *user, struct raft_node_reader *r)
{
    (void)user;
    (void)r;
    return 1;
}

/* --- nodes --- */

static void on_leadership(void *user, bool is_leader, raft_term term)
{
    (void)term;
    ((struct node *)user)->leads = is_leader;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *user)
{
    (void)l;
    (void)from;
    (void)len;
    const struct node *n = user;
    evutil_make_socket_nonblocking(fd);
    if (!n->node || raft_node_adopt(n->node, fd) != 0) {
        evutil_closesocket(fd);
    }
}

static void start(struct bench *b, int i, size_t cluster)
{
    struct node *n = &b->nodes[i];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    n->listener = evconnlistener_new_bind(b->base, on_accept, n, LEV_OPT_CLOSE_ON_FREE, 16,
                                          (struct sockaddr *)&in, sizeof in);
    getsockname(evconnlistener_get_fd(n->listener), (struct sockaddr *)&in, &len);
    snprintf(n->address, sizeof n->address, "127.0.0.1:%u", (unsigned)ntohs(in.sin_port));
    snprintf(n->id, sizeof n->id, "n%d", i);
    snprintf(n->dir, sizeof n->dir, "%s/%zu-%d", b->dir, cluster, i);
    struct raft_node_config cfg;
    struct raft_node_diag diag = {""};
    raft_node_config_init(&cfg);
    cfg.base = b->base;
    cfg.dir = n->dir;
    cfg.id = n->id;
    cfg.address = n->address;
    cfg.snapshot_threshold = 0;
    cfg.machine = (struct raft_node_machine){.apply = apply,
                                             .snapshot_begin = snapshot_begin,
                                             .snapshot_save = snapshot_save,
                                             .snapshot_end = snapshot_end,
                                             .restore = restore};
    cfg.events.user = n;
    cfg.events.leadership = on_leadership;
    must(raft_node_create(&cfg, &n->node, &diag), diag.text);
}

static struct raft_node *start_all(struct bench *b, size_t count)
{
    struct raft_server servers[NODES];
    memset(servers, 0, sizeof servers);
    for (size_t i = 0; i < count; i++) {
        start(b, (int)i, count);
        snprintf(servers[i].id, sizeof servers[i].id, "%s", b->nodes[i].id);
        snprintf(servers[i].address, sizeof servers[i].address, "%s", b->nodes[i].address);
    }
    must(raft_node_bootstrap(b->nodes[0].node, servers, count), "bootstrap");
    for (;;) {
        for (size_t i = 0; i < count; i++) {
            if (b->nodes[i].leads) {
                return b->nodes[i].node;
            }
        }
        event_base_loop(b->base, EVLOOP_ONCE);
    }
}

/* Removes what a node or the file by hand left. */
static void stop_all(struct bench *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct node *n = &b->nodes[i];
        raft_node_destroy(n->node);
        evconnlistener_free(n->listener);
        *n = (struct node){.node = NULL};
    }
}

/* --- writes --- */

static void on_done(void *arg, int status, raft_index index, void *result)
{
    (void)index;
    (void)result;
    must(status, "write");
    ((struct bench *)arg)->is_done = true;
}

static uint64_t write_ours(struct bench *b, struct raft_node *leader)
{
    char data[ENTRY_BYTES];
    memset(data, 'x', sizeof data);
    uint64_t began = now_ns();
    b->is_done = false;
    must(raft_node_propose(leader, data, sizeof data, on_done, b), "propose");
    while (!b->is_done) {
        event_base_loop(b->base, EVLOOP_ONCE);
    }
    return now_ns() - began;
}

static uint64_t write_raw(struct bench *b)
{
    char record[RECORD_BYTES];
    memset(record, 'x', sizeof record);
    uint64_t began = now_ns();
    if (pwrite(b->fd, record, sizeof record, (off_t)b->offset) != (ssize_t)sizeof record ||
        fdatasync(b->fd) != 0) {
        perror("bench_raft_write: write");
        exit(1);
    }
    b->offset = (b->offset + sizeof record) % (FILE_BYTES - sizeof record);
    return now_ns() - began;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double at(uint64_t *v, size_t n, double quantile)
{
    qsort(v, n, sizeof *v, compare);
    return (double)v[(size_t)((double)(n - 1) * quantile)] / 1e3;
}

static void run(struct bench *b, size_t count, const char *what)
{
    struct raft_node *leader = start_all(b, count);
    for (size_t i = 0; i < TURN; i++) {
        write_ours(b, leader);
        write_raw(b);
    }
    for (size_t i = 0; i < b->writes;) {
        size_t end = i + TURN < b->writes ? i + TURN : b->writes;
        for (size_t k = i; k < end; k++) {
            b->ours[k] = write_ours(b, leader);
        }
        for (size_t k = i; k < end; k++) {
            b->raw[k] = write_raw(b);
        }
        i = end;
    }
    double ours = at(b->ours, b->writes, 0.5), raw = at(b->raw, b->writes, 0.5);
    printf("%-26s median %7.1f us  p99 %8.1f us; write and fdatasync %7.1f, %8.1f us; ratio %.2f\n",
           what, ours, at(b->ours, b->writes, 0.99), raw, at(b->raw, b->writes, 0.99), ours / raw);
    stop_all(b, count);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    char dir[200], path[256], command[256];
    snprintf(dir, sizeof dir, "%s/muster-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    struct bench b = {.dir = mkdtemp(dir),
                      .writes = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000,
                      .base = event_base_new()};
    b.ours = calloc(b.writes, sizeof *b.ours);
    b.raw = calloc(b.writes, sizeof *b.raw);
    snprintf(path, sizeof path, "%s/raw", dir);
    b.fd = open(path, O_RDWR | O_CREAT, 0600);
    if (!b.dir || b.writes == 0 || !b.ours || !b.raw || b.fd < 0 ||
        posix_fallocate(b.fd, 0, FILE_BYTES) != 0 || fsync(b.fd) != 0) {
        perror("bench_raft_write");
        return 1;
    }
    run(&b, 1, "one node, 128 bytes");
    run(&b, 3, "three nodes, one process");
    close(b.fd);
    free(b.ours);
    free(b.raw);
    event_base_free(b.base);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
