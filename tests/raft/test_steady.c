/* The steady state: three servers that append, commit, answer reads, take snapshots, compact their
 * logs and trim their caches. Nothing of it may allocate. */
#include "mu_test.h"

#include <core.h>

#define SERVERS     3
#define ENTRY_BYTES 200
#define INBOX_BYTES ((size_t)1 << 20)

struct server {
    struct raft *r;
    uint8_t *in; /* packets: a length and a message, one after another */
    size_t from, to;
    raft_index snapshot_at;
};

struct cluster {
    struct server servers[SERVERS];
    struct raft *leader;
    uint64_t now, reads;
    size_t allocations;
    uint64_t messages;
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

static void put_packet(struct cluster *c, const struct raft_message *m)
{
    struct server *s = &c->servers[m->to[0] - 'a'];
    size_t len;
    assert_int_equal(
        raft_message_encode(m, s->in + s->to + sizeof len, INBOX_BYTES - s->to - sizeof len, &len),
        RAFT_OK);
    memcpy(s->in + s->to, &len, sizeof len);
    s->to += sizeof len + len;
    c->messages++;
}

static void drain(struct cluster *c, struct server *s)
{
    const struct raft_update *u;
    while (raft_next_update(s->r, &u) == RAFT_OK && u) {
        assert_int_equal(u->n_loads, 0);
        for (size_t i = 0; i < u->n_messages; i++) {
            put_packet(c, &u->messages[i]);
        }
        c->reads += u->n_reads;
        uint64_t written = u->persist ? u->persist->id : 0;
        raft_index applied = u->n_apply ? u->apply[u->n_apply - 1].index : 0;
        if (written) {
            raft_persisted(s->r, c->now, written);
        }
        if (applied) {
            raft_applied(s->r, c->now, applied);
        }
        if (applied >= s->snapshot_at) {
            struct raft_snapshot_meta meta;
            assert_int_equal(raft_snapshot_meta(s->r, applied, &meta), RAFT_OK);
            raft_snapshot_done(s->r, c->now, applied);
            s->snapshot_at = applied + 3000;
        }
    }
    raft__check(s->r);
}

static void run(struct cluster *c)
{
    static struct raft_entry entries[RAFT_MESSAGE_ENTRIES_MAX];
    for (bool busy = true; busy;) {
        busy = false;
        for (unsigned i = 0; i < SERVERS; i++) {
            struct server *s = &c->servers[i];
            for (; s->from < s->to; busy = true) {
                size_t len;
                struct raft_message m;
                memcpy(&len, s->in + s->from, sizeof len);
                assert_int_equal(raft_message_decode(s->in + s->from + sizeof len, len, entries,
                                                     RAFT_MESSAGE_ENTRIES_MAX, &m),
                                 RAFT_OK);
                assert_int_equal(raft_step(s->r, c->now, &m), RAFT_OK);
                s->from += sizeof len + len;
            }
            s->from = s->to = 0;
            drain(c, s);
        }
    }
}

static void tick(struct cluster *c)
{
    c->now += MU_MSEC;
    for (unsigned i = 0; i < SERVERS; i++) {
        raft_advance(c->servers[i].r, c->now);
    }
    run(c);
}

static void create(struct cluster *c)
{
    const struct mu_allocator a = {&c->allocations, count_alloc, count_realloc, count_free};
    const struct raft_server servers[SERVERS] = {{.id = "a"}, {.id = "b"}, {.id = "c"}};
    for (unsigned i = 0; i < SERVERS; i++) {
        struct raft_config cfg;
        raft_config_init(&cfg);
        cfg.id = servers[i].id;
        cfg.seed = i;
        cfg.cache_bytes_max = 1u << 20;
        cfg.tail_entries = 1000;
        cfg.allocator = &a;
        struct server *s = &c->servers[i];
        s->in = malloc(INBOX_BYTES);
        assert_non_null(s->in);
        s->snapshot_at = 3000 + 100 * i;
        assert_int_equal(raft_create(&cfg, &s->r), RAFT_OK);
        raft_start(s->r, 0);
        assert_int_equal(raft_bootstrap(s->r, 0, servers, SERVERS), RAFT_OK);
    }
    while (!c->leader) {
        tick(c);
        for (unsigned i = 0; i < SERVERS; i++) {
            c->leader = raft_role(c->servers[i].r) == RAFT_LEADER ? c->servers[i].r : c->leader;
        }
    }
}

/* Proposes batches of all sizes, with a read and a little time between them. */
static void work(struct cluster *c, raft_index n)
{
    static const char data[ENTRY_BYTES];
    struct mu_str items[100];
    raft_index first, end = raft_last_index(c->leader) + n;
    for (size_t i = 0; i < 100; i++) {
        items[i] = (struct mu_str){data, 1 + (i * 37) % ENTRY_BYTES};
    }
    for (size_t k = 0; raft_applied_index(c->leader) < end; k++) {
        assert_int_equal(raft_propose(c->leader, c->now, items, 1 + k * 7 % 100, &first), RAFT_OK);
        assert_int_equal(raft_read(c->leader, c->now, k + 1), RAFT_OK);
        run(c);
        tick(c);
    }
}

static void test_the_steady_state_allocates_nothing(void **state)
{
    (void)state;
    struct cluster c = {.now = 0};
    create(&c);
    work(&c, 30000);
    size_t allocations = c.allocations;
    uint64_t messages = c.messages, reads = c.reads;
    raft_index snapshot = raft_snapshot_index(c.leader);
    work(&c, 30000);
    assert_int_equal(c.allocations, allocations);
    assert_true(c.messages > messages + 1000 && c.reads > reads + 100);
    assert_true(raft_snapshot_index(c.leader) > snapshot + 20000);
    assert_true(raft_first_index(c.leader) > snapshot);
    for (unsigned i = 0; i < SERVERS; i++) {
        raft_destroy(c.servers[i].r);
        free(c.servers[i].in);
    }
}

/* Blocks of the log that become empty wait for the next entries, but only as many as the cache may
 * fill. */
static void test_a_flood_is_given_back(void **state)
{
    (void)state;
    struct raft__log l;
    static const char data[1000];
    raft__log_init(&l, &mu__malloc_allocator);
    raft__log_keep_blocks(&l, 1u << 20);
    for (raft_index i = 1; i <= 10000; i++) {
        const struct raft_entry e = {.index = i, .term = 1, .data = data, .len = sizeof data};
        assert_true(raft__log_append(&l, &e));
    }
    size_t at_most = l.blocks_max;
    assert_true(l.n_blocks > 5 * at_most);
    raft__log_evict(&l, 10000, 1000);
    assert_true(l.n_blocks <= at_most);
    assert_true(at_most <= 18);
    raft__log_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_steady_state_allocates_nothing),
        cmocka_unit_test(test_a_flood_is_given_back),
    };
    return cmocka_run_group_tests_name("raft steady state", tests, NULL, NULL);
}
