/* bench_swim.c - what gossip costs one core: datagrams handled, plain and encrypted beside
 * mbedTLS's own AES-GCM, memory per member, bytes on the wire. Processor time of one thread, no
 * sockets.
 *
 *     bench_swim [members]        default 100000, for the memory */
#include "core.h"

#include <malloc.h>
#include <mbedtls/gcm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POOL = 1000, PORT = 8301, UPDATES = 6 };
static const struct mu_str key = {"0123456789abcdef", 16};

/* ---- clock, memory, entropy ---- */

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * MU_SEC + (uint64_t)t.tv_nsec;
}

struct memory {
    size_t in_use, peak; /* as malloc rounds them, and its 8 bytes a block */
};

static size_t size_of(void *p)
{
    return p ? malloc_usable_size(p) + 8 : 0;
}

static void *count(struct memory *m, size_t before, void *p)
{
    m->in_use += size_of(p) - before;
    m->peak = m->in_use > m->peak ? m->in_use : m->peak;
    return p;
}

static void *counted_alloc(void *user, size_t size)
{
    return count(user, 0, malloc(size));
}

static void *counted_realloc(void *user, void *p, size_t size)
{
    size_t before = size_of(p);
    return count(user, before, realloc(p, size));
}

static void counted_free(void *user, void *p)
{
    ((struct memory *)user)->in_use -= size_of(p);
    free(p);
}

static int entropy(void *user, void *buf, size_t len)
{
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)mu__prng_next(user);
    }
    return 0;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_swim: %s\n", what);
        exit(1);
    }
}

/* ---- a swim, and members who talk to it ---- */

struct bench {
    struct swim *s;
    struct memory memory;
    struct mu_allocator allocator;
    struct mu__prng prng;
    struct swim__envelope envelope; /* of those who talk to it */
    struct swim__keyring *keyring;
    struct mu__writer packet;
    uint64_t now;
    size_t sent, sent_bytes;
};

static struct swim_addr address(size_t i)
{
    return (struct swim_addr){
        .ip = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}, .len = 4, .port = PORT};
}

static struct mu_str name_of(size_t i, char out[32])
{
    int n = snprintf(out, 32, "node-%06zu.example", i);
    return (struct mu_str){out, (size_t)n};
}

static void open_bench(struct bench *b, bool encrypted)
{
    static const struct swim_tag tags[] = {{{"role", 4}, {"node", 4}}, {{"dc", 2}, {"dc1", 3}}};
    struct swim_config cfg;
    *b = (struct bench){.now = 1000 * MU_SEC, .packet = mu__writer_growing(&mu__malloc_allocator)};
    b->allocator = (struct mu_allocator){&b->memory, counted_alloc, counted_realloc, counted_free};
    mu__prng_seed(&b->prng, 1);
    swim_config_init(&cfg);
    cfg.name = "bench";
    cfg.advertise = address(0);
    cfg.tags = tags;
    cfg.ntags = 2;
    cfg.keys = &key;
    cfg.nkeys = encrypted ? 1 : 0;
    cfg.entropy = entropy;
    cfg.entropy_user = &b->prng;
    cfg.allocator = &b->allocator;
    cfg.members_max = 1000000;
    must(swim_create(&cfg, b->now, &b->s) == SWIM_OK, "a swim is made");
    b->envelope = (struct swim__envelope){.verify_incoming = true, .verify_outgoing = true};
    if (encrypted) {
        b->keyring = swim__keyring_create(&mu__malloc_allocator);
        must(b->keyring && swim__keyring_add(b->keyring, key) == SWIM__KEYRING_OK, "a key ring");
        b->envelope.keyring = b->keyring;
    }
}

static void close_bench(struct bench *b)
{
    swim_destroy(b->s);
    swim__keyring_destroy(b->keyring);
    mu__writer_fini(&b->packet);
}

/* Builds the datagram of these messages in b->packet. */
static void seal(struct bench *b, const struct swim__msg *msgs, size_t n)
{
    struct mu_str parts[SWIM__COMPOUND_MAX];
    uint8_t buf[8192], nonce[SWIM__NONCE_LEN];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    for (size_t i = 0; i < n; i++) {
        size_t start = w.len;
        swim__msg_encode(&w, &msgs[i]);
        parts[i] = (struct mu_str){(const char *)buf + start, w.len - start};
    }
    (void)entropy(&b->prng, nonce, sizeof nonce);
    const struct swim__packet_options options = {.nonce = b->keyring ? nonce : NULL};
    b->packet.len = 0;
    must(!w.failed &&
             swim__packet_seal(&b->envelope, &options, parts, n, &mu__malloc_allocator, &b->packet),
         "a datagram is built");
}

static void drain(struct bench *b)
{
    struct swim_packet p;
    struct swim_event ev;
    struct swim_stream st;
    while (swim_next_send(b->s, &p)) {
        b->sent++;
        b->sent_bytes += p.len;
    }
    while (swim_next_event(b->s, &ev)) {
    }
    while (swim_next_stream(b->s, &st)) {
        swim_stream_end(b->s, b->now, st.id);
    }
}

static struct swim__alive alive_of(size_t i, uint32_t incarnation, char name[32],
                                   const struct swim_addr *addr)
{
    static const char meta[] = "\xff\x82\xa4role\xa4node\xa2"
                               "dc\xa3"
                               "dc1";
    static const char vsn[] = {1, 5, 2, 2, 5, 4};
    return (struct swim__alive){.node = name_of(i, name),
                                .addr = {(const char *)addr->ip, 4},
                                .meta = {meta, sizeof meta - 1},
                                .vsn = {vsn, 6},
                                .incarnation = incarnation,
                                .port = PORT};
}

/* Members 1 to n are announced, ten to a datagram, and the gossip about them dies down. */
static void fill(struct bench *b, size_t n)
{
    for (size_t i = 1; i <= n;) {
        struct swim__msg msgs[10];
        char names[10][32];
        struct swim_addr addrs[10];
        size_t k = 0;
        for (; k < 10 && i <= n; k++, i++) {
            addrs[k] = address(i);
            msgs[k] = (struct swim__msg){.type = SWIM__MSG_ALIVE};
            msgs[k].alive = alive_of(i, 1, names[k], &addrs[k]);
        }
        seal(b, msgs, k);
        must(swim_receive(b->s, b->now, &addrs[0], b->packet.data, b->packet.len) == SWIM_OK,
             "members are announced");
        drain(b);
    }
    must(swim_alive(b->s) == n + 1, "all are known");
}

static void settle(struct bench *b)
{
    while (b->s->updates.count > 0) {
        b->now = b->s->gossip.item.at > b->now ? b->s->gossip.item.at : b->now;
        swim__enter(b->s, b->now);
        swim__timer_stop(b->s, &b->s->gossip);
        b->s->gossip.fire(b->s, &b->s->gossip); /* gossip alone: nobody is probed meanwhile */
        drain(b);
    }
}

/* ---- datagrams a second ---- */

enum mix {
    PING,        /* answered with an ack */
    GOSSIP_OLD,  /* what most gossip is: six updates that are known already */
    GOSSIP_NEWS, /* six updates, each of which is new and is passed on */
    MIXED,       /* pings, half of them with updates; one update in twelve is news */
    N_MIXES
};
static const char *const mix_names[] = {"ping, answered", "gossip, 6 known updates",
                                        "gossip, 6 new updates", "a pool's mix"};

/* Puts the i-th datagram of a mix into b->packet. */
static void compose(struct bench *b, enum mix mix, size_t i)
{
    struct swim__msg msgs[1 + UPDATES];
    char names[1 + UPDATES][32];
    struct swim_addr addrs[1 + UPDATES];
    size_t n = 0;
    bool ping = mix == PING || (mix == MIXED && i % 2 == 0);
    bool updates = mix != PING && !(mix == MIXED && i % 4 == 0);
    if (ping) {
        addrs[0] = address(1 + i % POOL);
        msgs[n++] = (struct swim__msg){.type = SWIM__MSG_PING,
                                       .ping = {.node = {"bench", 5},
                                                .seq_no = (uint32_t)i,
                                                .source_addr = {(const char *)addrs[0].ip, 4},
                                                .source_node = name_of(1 + i % POOL, names[0]),
                                                .source_port = PORT}};
    }
    for (size_t k = 0; updates && k < UPDATES; k++, n++) {
        size_t who = 1 + (i * UPDATES + k) % POOL;
        bool news = mix == GOSSIP_NEWS || (mix == MIXED && k == 0 && i % 2 == 0);
        uint32_t incarnation = news ? (uint32_t)(2 + i) : 1;
        addrs[n] = address(who);
        msgs[n] = (struct swim__msg){.type = SWIM__MSG_ALIVE};
        msgs[n].alive = alive_of(who, incarnation, names[n], &addrs[n]);
    }
    seal(b, msgs, n);
}

struct datagram {
    size_t at, len;
};
struct rate {
    double per_s, in_bytes, out_bytes, gcm_ns; /* a datagram; gcm_ns: mbedTLS alone, same bytes */
};

/* What AES-GCM alone takes for the same bytes: what comes in is opened, what goes out is sealed. */
static double gcm_alone(size_t in, size_t out, size_t rounds)
{
    mbedtls_gcm_context gcm;
    uint8_t from[4096] = {1}, to[4096], tag[16], nonce[12] = {0};
    mbedtls_gcm_init(&gcm);
    must(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, (const uint8_t *)key.p, 128) == 0, "AES");
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < rounds; i++) {
        memcpy(nonce, &i, sizeof i);
        /* Opening costs what sealing does. */
        must(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_DECRYPT, in, nonce, 12, NULL, 0, from, to,
                                       16, tag) == 0,
             "AES-GCM");
        must(out == 0 || mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, out, nonce, 12, NULL,
                                                   0, from, to, 16, tag) == 0,
             "AES-GCM");
    }
    double ns = (double)(cpu_ns() - start) / (double)rounds;
    mbedtls_gcm_free(&gcm);
    return ns;
}

static struct rate measure(enum mix mix, bool encrypted)
{
    enum { PACKETS = 20000, ROUNDS = 8 };
    struct bench b;
    struct datagram *d = calloc(PACKETS, sizeof *d);
    struct mu__writer all = mu__writer_growing(&mu__malloc_allocator);
    struct swim_addr from = address(1);
    uint64_t spent = 0;
    size_t handled = 0, in = 0;
    must(d != NULL, "memory");
    open_bench(&b, encrypted);
    fill(&b, POOL);
    settle(&b);
    b.sent = b.sent_bytes = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        all.len = 0;
        for (size_t i = 0; i < PACKETS; i++) {
            compose(&b, mix, round * PACKETS + i);
            d[i] = (struct datagram){all.len, b.packet.len};
            mu__write_bytes(&all, b.packet.data, b.packet.len);
        }
        uint64_t start = cpu_ns();
        for (size_t i = 0; i < PACKETS; i++) {
            int rc = swim_receive(b.s, b.now, &from, all.data + d[i].at, d[i].len);
            must(rc == SWIM_OK, "a datagram is understood");
            drain(&b);
        }
        spent += cpu_ns() - start;
        handled += PACKETS;
        in += all.len;
    }
    struct rate r = {.per_s = (double)handled * 1e9 / (double)spent,
                     .in_bytes = (double)in / (double)handled,
                     .out_bytes = (double)b.sent_bytes / (double)handled};
    if (encrypted) {
        size_t out = b.sent_bytes ? (size_t)r.out_bytes : 0;
        r.gcm_ns = gcm_alone((size_t)r.in_bytes, out, 100000);
    }
    close_bench(&b);
    mu__writer_fini(&all);
    free(d);
    return r;
}

static void print_rates(void)
{
    printf("datagrams handled a second by one core, among %d members\n", POOL);
    printf("  %-26s %10s %12s %8s %8s %12s\n", "", "plain", "encrypted", "B in", "B out",
           "of AES-GCM");
    for (enum mix mix = PING; mix < N_MIXES; mix++) {
        struct rate plain = measure(mix, false), sealed = measure(mix, true);
        printf("  %-26s %8.0f/s %10.0f/s %8.0f %8.0f  time x %.2f\n", mix_names[mix], plain.per_s,
               sealed.per_s, plain.in_bytes, plain.out_bytes, 1e9 / sealed.per_s / sealed.gcm_ns);
    }
    printf("  (the last column: time of an encrypted datagram over mbedTLS's AES-128-GCM for the "
           "same bytes)\n");
}

/* ---- memory ---- */

static void print_memory(size_t members)
{
    struct bench b;
    char name[32];
    struct swim_addr addr = address(1);
    struct swim__alive one = alive_of(1, 1, name, &addr);
    open_bench(&b, false);
    size_t empty = b.memory.in_use;
    uint64_t start = cpu_ns();
    fill(&b, members);
    double joined_s = (double)(cpu_ns() - start) / 1e9;
    size_t gossiping = b.memory.in_use;
    settle(&b);
    double each = (double)(b.memory.in_use - empty) / (double)members;
    size_t own = one.node.len + one.meta.len;
    printf("\nmemory of %zu members, as malloc counts it\n", members);
    printf("  %.1f MiB in all: %.0f B a member, of which %zu are its name and tags: %.0f beyond\n",
           (double)b.memory.in_use / (1 << 20), each, own, each - (double)own);
    printf("  %.1f MiB while all of them are being gossiped about, peak %.1f MiB\n",
           (double)gossiping / (1 << 20), (double)b.memory.peak / (1 << 20));
    printf("  %.0f announcements of members a second\n", (double)members / joined_s);

    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    start = cpu_ns();
    must(swim__sync_write(b.s, false, &w), "the state is written");
    double wrote_s = (double)(cpu_ns() - start) / 1e9;
    start = cpu_ns();
    must(swim__sync_merge(b.s, w.data, w.len, false) == SWIM_OK, "the state is merged");
    printf("  a full sync: %.0f B a member on the wire, written in %.0f ms, merged in %.0f ms\n",
           (double)w.len / (double)members, wrote_s * 1e3, (double)(cpu_ns() - start) / 1e6);
    mu__writer_fini(&w);
    close_bench(&b);
}

/* ---- the wire ---- */

static void print_wire(void)
{
    static const char payload[109] = {1}; /* a coordinate */
    struct bench b;
    char name[32];
    struct swim_addr addr = address(1);
    struct mu_str node = name_of(1, name);
    const struct {
        const char *what;
        struct swim__msg msg;
    } rows[] = {
        {"ping",
         {.type = SWIM__MSG_PING,
          .ping = {.node = node,
                   .seq_no = 70000,
                   .source_addr = {(const char *)addr.ip, 4},
                   .source_node = node,
                   .source_port = PORT}}},
        {"ack with a coordinate",
         {.type = SWIM__MSG_ACK, .ack = {.seq_no = 70000, .payload = {payload, sizeof payload}}}},
        {"suspect", {.type = SWIM__MSG_SUSPECT, .suspect = {node, node, 1}}},
        {"alive", {.type = SWIM__MSG_ALIVE, .alive = alive_of(1, 1, name, &addr)}},
    };
    printf("\nbytes on the wire (names of %zu bytes)\n", node.len);
    for (int encrypted = 0; encrypted < 2; encrypted++) {
        open_bench(&b, encrypted == 1);
        printf("  %-10s", encrypted ? "encrypted:" : "plain:");
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            seal(&b, &rows[i].msg, 1);
            printf(" %s %zu%s", rows[i].what, b.packet.len,
                   i + 1 < sizeof rows / sizeof rows[0] ? "," : "\n");
        }
        close_bench(&b);
    }
}

int main(int argc, char **argv)
{
    size_t members = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000;
    print_rates();
    print_memory(members);
    print_wire();
    return 0;
}
