/* bench_catalog.c - nanoseconds and allocations per operation of the catalog, on one thread.
 *
 *     bench_catalog [keys]        default 100000 */
#include <muster/catalog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "prng.h"
#include "schema.h"

struct memory {
    size_t allocations, bytes_in_use;
};

/* Each block remembers its size in front. */
static void *count_alloc(void *user, size_t size)
{
    struct memory *m = user;
    size_t *p = malloc(size + 16);
    if (!p) {
        return NULL;
    }
    p[0] = size;
    m->allocations++;
    m->bytes_in_use += size;
    return p + 2;
}

static void count_free(void *user, void *p)
{
    struct memory *m = user;
    if (p) {
        m->bytes_in_use -= ((size_t *)p)[-2];
        free((size_t *)p - 2);
    }
}

static void *count_realloc(void *user, void *p, size_t size)
{
    void *wider = count_alloc(user, size);
    if (wider && p) {
        size_t had = ((size_t *)p)[-2];
        memcpy(wider, p, had < size ? had : size);
        count_free(user, p);
    }
    return wider;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * MU_SEC + (uint64_t)t.tv_nsec;
}

struct bench {
    struct memory memory;
    struct catalog *c;
    struct catalog_reader *r;
    uint64_t index;
    size_t nkeys;
    uint64_t started_ns;
    size_t allocations;
};

static void must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "bench_catalog: %s\n", catalog_strerror(rc));
        exit(1);
    }
}

static void start(struct bench *b)
{
    b->allocations = b->memory.allocations;
    b->started_ns = now_ns();
}

static void report(struct bench *b, const char *what, size_t n)
{
    double ns = (double)(now_ns() - b->started_ns);
    printf("%-46s %10.0f ns/op %8.2f alloc/op\n", what, ns / (double)n,
           (double)(b->memory.allocations - b->allocations) / (double)n);
}

static struct mu_str key_name(char buf[32], size_t i)
{
    int n = snprintf(buf, 32, "service/%03u/setting/%u", (unsigned)(i % 997), (unsigned)i);
    return (struct mu_str){buf, (size_t)n};
}

/* Entries are encoded before the clock starts. */
struct entries {
    struct mu__writer bytes;
    size_t *ends, n;
};

static void add_entry(struct entries *e, uint8_t type, enum catalog_type schema,
                      const void *request)
{
    mu__write_u8(&e->bytes, type);
    mu__schema_encode(catalog_schema(schema), request, &e->bytes);
    e->ends[e->n++] = e->bytes.len;
}

static struct entries entries(size_t n)
{
    return (struct entries){.bytes = mu__writer_growing(&mu__malloc_allocator),
                            .ends = calloc(n, sizeof(size_t))};
}

static void apply_all(struct bench *b, const struct entries *e, size_t batch)
{
    size_t from = 0;
    for (size_t i = 0; i < e->n;) {
        must(catalog_apply_begin(b->c));
        for (size_t end = i + batch; i < end && i < e->n; i++) {
            struct catalog_result result;
            must(catalog_apply(b->c, ++b->index, e->bytes.data + from, e->ends[i] - from, &result));
            from = e->ends[i];
        }
        struct catalog_touched *touched;
        catalog_apply_end(b->c, &touched);
        catalog_touched_unref(touched);
    }
}

static void bench_set(struct bench *b, const char *what, const char *value, size_t batch)
{
    struct entries e = entries(b->nkeys);
    char buf[32];
    for (size_t i = 0; i < b->nkeys; i++) {
        struct catalog_kvs_request r = {
            .op = mu__cstr("set"), .dir_ent = {.key = key_name(buf, i), .value = mu__cstr(value)}};
        add_entry(&e, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &r);
    }
    start(b);
    apply_all(b, &e, batch);
    report(b, what, b->nkeys);
    mu__writer_fini(&e.bytes);
    free(e.ends);
}

static void bench_get(struct bench *b)
{
    struct mu__prng p;
    char buf[32];
    size_t found = 0;
    mu__prng_seed(&p, 1);
    start(b);
    for (size_t i = 0; i < b->nkeys; i++) {
        catalog_read_begin(b->r);
        found += catalog_find_key(b->r, key_name(buf, mu__prng_below(&p, b->nkeys))) != NULL;
        catalog_read_end(b->r);
    }
    report(b, "get a key (begin, find, end; with its name)", b->nkeys);
    if (found != b->nkeys) {
        exit(1);
    }
}

static void bench_list(struct bench *b)
{
    struct catalog_key_request r = {.key = mu__cstr("service/")};
    struct catalog_indexed_dir_entries out;
    start(b);
    catalog_read_begin(b->r);
    must(catalog_query_keys(b->r, &r, &out, NULL));
    size_t n = out.entries.len;
    catalog_read_end(b->r);
    report(b, "list all keys, a key", n ? n : 1);
}

static struct mu_str address(char buf[32], const char *net, size_t i)
{
    int n = snprintf(buf, 32, "%s.%u.%u.%u", net, (unsigned)(i >> 16 & 255),
                     (unsigned)(i >> 8 & 255), (unsigned)(i & 255));
    return (struct mu_str){buf, (size_t)n};
}

static void bench_register(struct bench *b, size_t nodes, size_t batch)
{
    struct entries e = entries(nodes);
    size_t before = b->memory.bytes_in_use;
    for (size_t i = 0; i < nodes; i++) {
        char name[32], id[32], of_node[32], own[32];
        snprintf(name, sizeof name, "node-%u", (unsigned)i);
        snprintf(id, sizeof id, "web-%u", (unsigned)i);
        struct catalog_node_service s = {.id = mu__cstr(id),
                                         .service = mu__cstr("web"),
                                         .address = address(own, "172", i),
                                         .port = 80};
        struct catalog_check k = {.check_id = mu__cstr("c"),
                                  .name = mu__cstr("c"),
                                  .service_id = s.id,
                                  .status = mu__cstr("passing")};
        struct catalog_register_request r = {.node = mu__cstr(name),
                                             .address = address(of_node, "10", i),
                                             .service = &s,
                                             .check = &k};
        add_entry(&e, CATALOG_ENTRY_REGISTER, CATALOG_REGISTER_REQUEST, &r);
    }
    start(b);
    apply_all(b, &e, batch);
    report(b, "register node, service and check, batches of 16", nodes);
    printf("%-46s %10.0f bytes\n", "a node with a service and a check",
           (double)(b->memory.bytes_in_use - before) / (double)nodes);
    mu__writer_fini(&e.bytes);
    free(e.ends);
}

/* What PTR asks. */
static void bench_reverse(struct bench *b, size_t nodes)
{
    struct catalog_dc_request all = {.datacenter = mu__cstr("")};
    struct catalog_indexed_nodes at;
    struct catalog_indexed_service_nodes own;
    char buf[32];
    start(b);
    for (size_t i = 0; i < nodes; i++) {
        catalog_read_begin(b->r);
        must(catalog_query_nodes_at(b->r, &all, address(buf, "10", i), &at, NULL));
        catalog_read_end(b->r);
        if (at.nodes.len != 1) {
            exit(1);
        }
    }
    report(b, "the nodes at an address", nodes);
    start(b);
    for (size_t i = 0; i < nodes; i++) {
        struct catalog_service_request r = {.service_address = address(buf, "172", i)};
        catalog_read_begin(b->r);
        must(catalog_query_service_nodes(b->r, &r, &own, NULL));
        catalog_read_end(b->r);
        if (own.service_nodes.len != 1) {
            exit(1);
        }
    }
    report(b, "the instances at an address", nodes);
}

static void bench_health(struct bench *b)
{
    struct catalog_service_request r = {.service_name = mu__cstr("web")};
    struct catalog_indexed_check_service_nodes out;
    start(b);
    catalog_read_begin(b->r);
    must(catalog_query_check_service_nodes(b->r, &r, &out, NULL));
    size_t n = out.nodes.len;
    catalog_read_end(b->r);
    report(b, "health of a service, an instance", n ? n : 1);
}

static int count_bytes(void *user, const void *data, size_t len)
{
    (void)data;
    *(size_t *)user += len;
    return 0;
}

static void bench_snapshot(struct bench *b)
{
    size_t bytes = 0;
    struct catalog_stats stats;
    start(b);
    catalog_read_begin(b->r);
    catalog_read_stats(b->r, &stats);
    must(catalog_snapshot_write(b->r, count_bytes, &bytes));
    catalog_read_end(b->r);
    report(b, "snapshot, a record", stats.keys + stats.nodes + stats.services + stats.checks);
}

static void ignore(void *arg)
{
    ++*(size_t *)arg;
}

static void bench_watches(struct bench *b, size_t waiters)
{
    struct catalog_watches *w;
    struct catalog_touched *touched;
    struct entries e = entries(1);
    char buf[32];
    size_t woken = 0, before = b->memory.bytes_in_use;
    const struct mu_allocator a = {&b->memory, count_alloc, count_realloc, count_free};
    must(catalog_watches_create(&a, &w));
    catalog_read_begin(b->r);
    start(b);
    for (size_t i = 0; i < waiters; i++) {
        struct catalog_key_request r = {.key = key_name(buf, i)};
        struct catalog_indexed_dir_entries out;
        struct catalog_watch_keys keys;
        must(catalog_query_key(b->r, &r, &out, &keys));
        must(catalog_watches_add(w, &keys, ignore, &woken, NULL));
    }
    report(b, "read a key and wait for it", waiters);
    catalog_read_end(b->r);
    printf("%-46s %10.0f bytes\n", "a waiter",
           (double)(b->memory.bytes_in_use - before) / (double)waiters);

    struct catalog_kvs_request r = {.op = mu__cstr("set"),
                                    .dir_ent = {.key = key_name(buf, 1), .value = mu__cstr("w")}};
    add_entry(&e, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &r);
    struct catalog_result result;
    must(catalog_apply_begin(b->c));
    must(catalog_apply(b->c, ++b->index, e.bytes.data, e.bytes.len, &result));
    catalog_apply_end(b->c, &touched);
    start(b);
    catalog_watches_notify(w, touched);
    report(b, "wake one of them", 1);
    if (woken != 1) {
        exit(1);
    }
    catalog_touched_unref(touched);
    catalog_watches_destroy(w);
    mu__writer_fini(&e.bytes);
    free(e.ends);
}

int main(int argc, char **argv)
{
    struct bench b = {.nkeys = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000};
    const struct mu_allocator a = {&b.memory, count_alloc, count_realloc, count_free};
    struct catalog_config cfg;
    catalog_config_init(&cfg);
    cfg.allocator = &a;
    must(catalog_create(&cfg, &b.c));
    must(catalog_reader_create(b.c, &b.r));
    bench_set(&b, "put a new key, batches of 16", "value one", 16);
    printf("%-46s %10.0f bytes\n", "a key with its value",
           (double)b.memory.bytes_in_use / (double)b.nkeys);
    bench_set(&b, "put over a key, batches of 1", "value two", 1);
    bench_set(&b, "put over a key, batches of 256", "value three", 256);
    bench_get(&b);
    bench_list(&b);
    bench_register(&b, b.nkeys / 10 + 1, 16);
    bench_health(&b);
    bench_reverse(&b, b.nkeys / 10 + 1);
    bench_snapshot(&b);
    bench_watches(&b, b.nkeys);
    catalog_reader_destroy(b.r);
    catalog_destroy(b.c);
    return b.memory.bytes_in_use == 0 ? 0 : 1;
}
