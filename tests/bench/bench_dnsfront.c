/* bench_dnsfront.c - what one core does with DNS questions: answers that are kept, and answers that
 * are built. Processor time of one thread, no sockets. */
#include <muster/dnsfront.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "prng.h"

enum { INSTANCES = 10, ANSWER = 65537, TYPE_A = 1, TYPE_SRV = 33 };

struct bench {
    struct dnsfront *front;
    struct dnsfront_instance instances[INSTANCES];
    char names[INSTANCES][32], addresses[INSTANCES][32];
    size_t count;
    uint64_t allocations;
    struct mu__prng prng;
    uint8_t query[512], answer[ANSWER];
    size_t query_len, answer_len;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "bench_dnsfront: %s\n", what);
        exit(1);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * MU_SEC + (uint64_t)t.tv_nsec;
}

static void *counted_alloc(void *user, size_t size)
{
    ((struct bench *)user)->allocations++;
    return malloc(size);
}

static void *counted_realloc(void *user, void *p, size_t size)
{
    ((struct bench *)user)->allocations++;
    return realloc(p, size);
}

static void counted_free(void *user, void *p)
{
    (void)user;
    free(p);
}

static void open_bench(struct bench *b, size_t kept_bytes)
{
    static struct mu_str meta[] = {{"consul-network-segment", 22}, {"", 0}};
    struct dnsfront_config cfg;
    const struct mu_allocator a = {b, counted_alloc, counted_realloc, counted_free};
    memset(b, 0, sizeof *b);
    mu__prng_seed(&b->prng, 1);
    for (size_t i = 0; i < INSTANCES; i++) {
        int n = snprintf(b->names[i], sizeof b->names[i], "node-%03zu", i);
        int m = snprintf(b->addresses[i], sizeof b->addresses[i], "10.0.0.%zu", i + 1);
        b->instances[i] = (struct dnsfront_instance){.node = {b->names[i], (size_t)n},
                                                     .datacenter = {"dc1", 3},
                                                     .node_address = {b->addresses[i], (size_t)m},
                                                     .port = (uint16_t)(8000 + i),
                                                     .weight_passing = 1,
                                                     .meta = meta,
                                                     .meta_count = 1};
    }
    dnsfront_config_init(&cfg);
    cfg.kept_bytes_max = kept_bytes;
    cfg.allocator = &a;
    must(dnsfront_create(&cfg, &b->front) == DNSFRONT_OK, "no front");
}

/* A question of EDNS size 4096, as resolvers send it. */
static void ask_for(struct bench *b, const char *name, uint8_t type)
{
    uint8_t *q = b->query, head[12] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
    memcpy(q, head, sizeof head);
    size_t at = sizeof head;
    while (*name) {
        size_t n = strcspn(name, ".");
        q[at++] = (uint8_t)n;
        memcpy(q + at, name, n);
        at += n;
        name += n + (name[n] == '.');
    }
    const uint8_t tail[16] = {0, 0, type, 0, 1, 0, 0, 41, 0x10, 0};
    memcpy(q + at, tail, sizeof tail);
    b->query_len = at + sizeof tail;
}

static void build(struct bench *b, const struct dnsfront_request *r)
{
    struct dnsfront_found f = {.size = sizeof f,
                               .status = DNSFRONT_FOUND,
                               .instances = b->instances,
                               .count = b->count,
                               .stamp = 1};
    struct dnsfront_query *q;
    must(dnsfront_query_begin(b->front, r, &q) == DNSFRONT_OK, "no query");
    while (dnsfront_query_lookup(q)) {
        dnsfront_query_supply(q, &f);
    }
    must(dnsfront_query_answer(q, b->answer, ANSWER, &b->answer_len) == DNSFRONT_OK, "no answer");
    dnsfront_query_end(q);
}

static void run(const char *what, const char *name, uint8_t type, size_t count, size_t kept_bytes)
{
    static struct bench b;
    enum { WARM_UP = 2000, ROUNDS = 300000 };
    uint64_t kept = 0, began = 0, allocations = 0;
    open_bench(&b, kept_bytes);
    b.count = count;
    ask_for(&b, name, type);
    for (int i = 0; i < WARM_UP + ROUNDS; i++) {
        if (i == WARM_UP) {
            kept = 0;
            allocations = b.allocations;
            began = cpu_ns();
        }
        struct dnsfront_request r = {
            .bytes = b.query, .len = b.query_len, .random = mu__prng_next(&b.prng), .version = 1};
        if (dnsfront_answer_kept(b.front, &r, b.answer, ANSWER, &b.answer_len)) {
            kept++;
        } else {
            build(&b, &r);
        }
    }
    double ns = (double)(cpu_ns() - began) / ROUNDS;
    printf("%-28s %6.0f ns, %7.0f thousand/s, %5.2f allocations, %5.1f%% kept, %zu bytes\n", what,
           ns, 1e6 / ns, (double)(b.allocations - allocations) / ROUNDS,
           100.0 * (double)kept / ROUNDS, b.answer_len);
    dnsfront_destroy(b.front);
}

int main(void)
{
    enum { KEPT = 4 << 20 };
    printf("DNS answers of one core, %d instances\n", INSTANCES);
    run("A, kept", "web.service.consul", TYPE_A, INSTANCES, KEPT);
    run("SRV, kept", "web.service.consul", TYPE_SRV, INSTANCES, KEPT);
    run("no such name, kept", "none.service.consul", TYPE_A, 0, KEPT);
    run("A, built", "web.service.consul", TYPE_A, INSTANCES, 0);
    run("SRV, built", "web.service.consul", TYPE_SRV, INSTANCES, 0);
    run("no such name, built", "none.service.consul", TYPE_A, 0, 0);
    return 0;
}
