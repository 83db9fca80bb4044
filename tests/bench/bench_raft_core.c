/* bench_raft_core.c - three raft cores in one process, on one thread: entries per second from
 * raft_propose until the leader applies them, and allocations on the way.
 *
 *     bench_raft_core [entries [n]]    default 2000000, of 128 bytes; n at a time: all three
 *
 * All messages are encoded and decoded as on a network; disks are durable at once. Proposals of n
 * entries wait for the commit of those before. Each server takes snapshots as it goes, so that
 * cache and log are trimmed all the time. One entry at a time costs eight messages: to each
 * follower the entry and then the news of its commit, and an answer to both. */
#include <muster/raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVERS        3
#define ENTRY_BYTES    128
#define BATCH_MAX      1024
#define PACKET_MAX     ((size_t)1 << 20)
#define INBOX_BYTES    (8 * PACKET_MAX)
#define SNAPSHOT_EVERY 50000
#define TICK_ENTRIES   1000 /* a millisecond passes */

/* Packets for a server, one after another, each with its length in front. */
struct inbox {
    uint8_t *bytes;
    size_t from, to;
};

struct server {
    struct raft *r;
    struct inbox in;
};

struct bench {
    struct server servers[SERVERS];
    size_t allocations;
    uint64_t now, next_tick;
    struct raft_entry decoded[RAFT_MESSAGE_ENTRIES_MAX];
};

static void *count_alloc(void *user, size_t size)
{
    ++*(size_t *)user;
    return malloc(size);
}

static void *count_realloc(void *user, void *p, size_t size)
{
    ++*(size_t *)user;
    return realloc(p, size);
}

static void count_free(void *user, void *p)
{
    (void)user;
    free(p);
}

static void must(int rc)
{
    if (rc != RAFT_OK) {
        fprintf(stderr, "bench_raft_core: %s\n", raft_strerror(rc));
        exit(1);
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* one thread: what else runs does not count */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put_packet(struct bench *b, const struct raft_message *m)
{
    struct inbox *in = &b->servers[m->to[0] - 'a'].in;
    size_t len;
    if (INBOX_BYTES - in->to < PACKET_MAX) {
        return; /* lost, as on a network */
    }
    must(raft_message_encode(m, in->bytes + in->to + sizeof len, PACKET_MAX - sizeof len, &len));
    memcpy(in->bytes + in->to, &len, sizeof len);
    in->to += sizeof len + len;
}

static void drain(struct bench *b, struct raft *r)
{
    const struct raft_update *u;
    for (;;) {
        must(raft_next_update(r, &u));
        if (!u) {
            return;
        }
        for (size_t i = 0; i < u->n_messages; i++) {
            put_packet(b, &u->messages[i]);
        }
        uint64_t written = u->persist ? u->persist->id : 0;
        raft_index applied = u->n_apply ? u->apply[u->n_apply - 1].index : 0;
        if (written) {
            raft_persisted(r, b->now, written);
        }
        if (applied) {
            raft_applied(r, b->now, applied);
        }
        if (applied >= raft_snapshot_index(r) + SNAPSHOT_EVERY) {
            raft_snapshot_done(r, b->now, applied);
        }
    }
}

static void take_packet(struct bench *b, struct server *s)
{
    size_t len;
    struct raft_message m;
    memcpy(&len, s->in.bytes + s->in.from, sizeof len);
    must(raft_message_decode(s->in.bytes + s->in.from + sizeof len, len, b->decoded,
                             RAFT_MESSAGE_ENTRIES_MAX, &m));
    must(raft_step(s->r, b->now, &m));
    s->in.from += sizeof len + len;
}

/* Each server takes what has arrived and acts on it, until nothing is under way. */
static void run(struct bench *b)
{
    bool busy = true;
    while (busy) {
        busy = false;
        for (unsigned i = 0; i < SERVERS; i++) {
            struct server *s = &b->servers[i];
            if (s->in.from == s->in.to) {
                continue;
            }
            while (s->in.from < s->in.to) {
                take_packet(b, s);
            }
            s->in.from = s->in.to = 0;
            drain(b, s->r);
            busy = true;
        }
    }
}

static void tick(struct bench *b)
{
    b->now += MU_MSEC;
    for (unsigned i = 0; i < SERVERS; i++) {
        raft_advance(b->servers[i].r, b->now);
        drain(b, b->servers[i].r);
    }
    run(b);
}

static struct raft *elect(struct bench *b)
{
    for (;;) {
        tick(b);
        for (unsigned i = 0; i < SERVERS; i++) {
            if (raft_role(b->servers[i].r) == RAFT_LEADER) {
                return b->servers[i].r;
            }
        }
    }
}

static void create(struct bench *b)
{
    const struct mu_allocator a = {&b->allocations, count_alloc, count_realloc, count_free};
    const struct raft_server servers[SERVERS] = {{.id = "a"}, {.id = "b"}, {.id = "c"}};
    for (unsigned i = 0; i < SERVERS; i++) {
        struct raft_config cfg;
        raft_config_init(&cfg);
        cfg.id = servers[i].id;
        cfg.seed = i;
        cfg.allocator = &a;
        b->servers[i].in.bytes = malloc(INBOX_BYTES);
        if (!b->servers[i].in.bytes) {
            must(RAFT_ENOMEM);
        }
        must(raft_create(&cfg, &b->servers[i].r));
        raft_start(b->servers[i].r, 0);
        must(raft_bootstrap(b->servers[i].r, 0, servers, SERVERS));
    }
}

/* Gives the seconds that n entries took. */
static double propose(struct bench *b, struct raft *leader, size_t n, size_t batch)
{
    static const char data[ENTRY_BYTES];
    struct mu_str items[BATCH_MAX];
    for (size_t i = 0; i < batch; i++) {
        items[i] = (struct mu_str){data, sizeof data};
    }
    raft_index end = raft_last_index(leader) + n, first;
    double started = seconds();
    while (raft_applied_index(leader) < end) {
        must(raft_propose(leader, b->now, items, batch, &first));
        drain(b, leader);
        run(b);
        if (raft_last_index(leader) >= b->next_tick) {
            b->next_tick = raft_last_index(leader) + TICK_ENTRIES;
            tick(b);
        }
    }
    return seconds() - started;
}

int main(int argc, char **argv)
{
    static const size_t batches[] = {1, 32, 1024};
    static struct bench b;
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    size_t only = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    create(&b);
    struct raft *leader = elect(&b);
    (void)propose(&b, leader, n / 2, BATCH_MAX); /* until all that grows has grown */
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        size_t count = batches[i] == 1 ? n / 4 : n;
        if (only && only != batches[i]) {
            continue;
        }
        size_t before = b.allocations;
        raft_index from = raft_last_index(leader);
        double s = propose(&b, leader, count, batches[i]);
        double done = (double)(raft_applied_index(leader) - from);
        printf("commit at 3 servers, %4zu at a time %10.0f entries/s %7.0f ns/entry"
               " %8.2f alloc/million\n",
               batches[i], done / s, s * 1e9 / done, (double)(b.allocations - before) * 1e6 / done);
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        raft_destroy(b.servers[i].r);
        free(b.servers[i].in.bytes);
    }
    return 0;
}
