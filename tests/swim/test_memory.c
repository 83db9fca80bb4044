/* Out of memory: the allocations of a scenario are counted, then each fails in turn. Nothing may
 * leak, no invariant may break, and the swim goes on. And: what one member costs. */
#include "lone.h"

static struct {
    size_t calls, fail_at, bytes;
} heap;

static bool refuse(void)
{
    return ++heap.calls == heap.fail_at;
}

/* Each block has its size in front, so that bytes in use can be counted. */
static void *count_realloc(void *user, void *p, size_t size)
{
    (void)user;
    if (refuse()) {
        return NULL;
    }
    size_t *block = p ? (size_t *)p - 2 : NULL;
    size_t old = block ? *block : 0;
    block = realloc(block, size + 2 * sizeof *block);
    assert_non_null(block);
    *block = size;
    heap.bytes += size;
    heap.bytes -= old;
    return block + 2;
}
static void *count_alloc(void *user, size_t size)
{
    return count_realloc(user, NULL, size);
}
static void count_free(void *user, void *p)
{
    (void)user;
    if (p) {
        size_t *block = (size_t *)p - 2;
        heap.bytes -= *block;
        free(block);
    }
}
static const struct mu_allocator counting = {NULL, count_alloc, count_realloc, count_free};

static int entropy(void *user, void *buf, size_t len)
{
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)mu__prng_next(user);
    }
    return 0;
}

static int create(struct lone *l, uint64_t coalesce_ns)
{
    static const struct mu_str key = {"0123456789abcdef", 16};
    static const struct swim_tag tag = {{"role", 4}, {"node", 4}};
    struct swim_config cfg;
    memset(l, 0, sizeof *l);
    l->now = MU_SEC;
    mu__prng_seed(&l->entropy, 7);
    swim_config_init(&cfg);
    cfg.name = "me";
    cfg.advertise = lone_addr(1);
    cfg.tags = &tag;
    cfg.ntags = 1;
    cfg.keys = &key;
    cfg.nkeys = 1;
    cfg.verify_incoming = cfg.verify_outgoing = false; /* the test speaks plainly */
    cfg.entropy = entropy;
    cfg.entropy_user = &l->entropy;
    cfg.allocator = &counting;
    cfg.member_coalesce_ns = cfg.user_coalesce_ns = coalesce_ns;
    return swim_create(&cfg, l->now, &l->s);
}

static bool is_expected(int rc)
{
    return rc == SWIM_OK || rc == SWIM_ENOMEM;
}

/* Queries, keys and a contested name, answered and not. */
static void ask_all(struct lone *l)
{
    const struct mu_str nodes[] = {{"me", 2}, {"b", 1}};
    const struct swim_tag_filter filter = {{"role", 4}, {"no", 2}};
    struct swim_question q;
    uint32_t id = 0;
    swim_question_init(&q);
    q.name = (struct mu_str){"q", 1};
    q.nodes = nodes;
    q.nnodes = 2;
    q.tags = &filter;
    q.ntags = 1;
    q.want_acks = true;
    int rc = swim_ask(l->s, l->now, &q, &id);
    assert_true(is_expected(rc));
    struct swim__serf_msg answer = {
        .type = SWIM__SERF_QUERY_RESPONSE,
        .response = {
            .ltime = l->s->query_clock.time - 1, .id = id, .from = {"b", 1}, .payload = {"x", 1}}};
    (void)lone_feed_serf(l, &answer);
    swim_ask_end(l->s, l->now, id);
    assert_true(is_expected(swim_change_keys(l->s, l->now, SWIM_KEY_INSTALL,
                                             (struct mu_str){"fedcba9876543210", 16}, 0, &id)));
    assert_true(
        is_expected(swim_change_keys(l->s, l->now, SWIM_KEY_LIST, (struct mu_str){0}, 0, &id)));
    (void)lone_alive(l, "me", 9, 1);
    struct swim_coordinate there = {.error = 1.0, .height = 0.001};
    struct swim__member *b = swim__table_find(&l->s->members, (struct mu_str){"b", 1});
    if (b) {
        swim__peer_measured(l->s, b, &there, MU_MSEC);
    }
    struct swim__serf_msg event = {.type = SWIM__SERF_USER_EVENT,
                                   .event = {.ltime = 9, .name = {"e", 1}, .cc = true}};
    (void)lone_feed_serf(l, &event);
    swim__check(l->s);
}

static void use(struct lone *l)
{
    struct swim_addr to = lone_addr(2), from = lone_addr(3);
    struct swim_stream st;
    struct swim_event ev;
    uint32_t id, in;
    uint64_t deadline;
    (void)lone_alive(l, "b", 2, 1);
    (void)lone_alive(l, "c", 3, 1);
    (void)lone_suspect(l, "b", "c", 1);
    (void)lone_alive(l, "b", 2, 2);
    struct swim__serf_msg leave = {.type = SWIM__SERF_LEAVE,
                                   .leave = {.ltime = 5, .node = {"z", 1}}};
    (void)lone_feed_serf(l, &leave);
    struct swim__serf_msg query = {.type = SWIM__SERF_QUERY,
                                   .query = {.ltime = 3,
                                             .id = 4,
                                             .timeout_ns = 5000000000,
                                             .addr = {"\x0a\0\0\x05", 4},
                                             .port = 1,
                                             .name = {"q", 1}}};
    (void)lone_feed_serf(l, &query);
    int rc = swim_user_event(l->s, l->now, (struct mu_str){"e", 1}, (struct mu_str){"p", 1}, false);
    ask_all(l);
    struct swim_tag tag = {{"k", 1}, {"v", 1}};
    rc = rc == SWIM_OK || rc == SWIM_ENOMEM ? swim_set_tags(l->s, l->now, &tag, 1) : 1;
    rc = rc == SWIM_OK || rc == SWIM_ENOMEM ? swim_join(l->s, l->now, &to, &id) : 1;
    if (rc == SWIM_OK && swim_next_stream(l->s, &st)) {
        /* Our own request, sent back to us as if another had opened a stream. */
        struct swim_reply reply;
        if (swim_stream_accept(l->s, l->now, &from, &in, &deadline) == SWIM_OK) {
            int got = swim_stream_receive(l->s, l->now, in, st.data, st.len, &reply);
            if (got == SWIM_OK && reply.len > 0) {
                got = swim_stream_receive(l->s, l->now, st.id, reply.data, reply.len, &reply);
            }
            assert_true(got == SWIM_OK || got == SWIM_ENOMEM || got == SWIM_EPROTO);
            swim_stream_end(l->s, l->now, in);
        }
        swim_stream_end(l->s, l->now, st.id);
    }
    swim__check(l->s);
    (void)lone_dead(l, "c", "b", 1);
    rc = swim_force_leave(l->s, l->now, "c", true);
    assert_true(rc == SWIM_OK || rc == SWIM_ENOMEM || rc == SWIM_ENOENT);
    lone_advance(l, 5 * MU_SEC);
    while (swim_next_event(l->s, &ev)) {
    }
    swim_leave(l->s, l->now);
    lone_advance(l, 20 * MU_SEC);
    assert_true(swim_has_left(l->s));
    swim__check(l->s);
}

static void scenario(void)
{
    struct lone l;
    int rc = create(&l, MU_SEC);
    if (rc != SWIM_OK) {
        assert_int_equal(rc, SWIM_ENOMEM);
        assert_null(l.s);
        return;
    }
    use(&l);
    swim_destroy(l.s);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    memset(&heap, 0, sizeof heap);
    scenario();
    size_t calls = heap.calls;
    assert_int_equal(heap.bytes, 0);
    assert_true(calls > 50);
    for (size_t i = 1; i <= calls; i++) {
        memset(&heap, 0, sizeof heap);
        heap.fail_at = i;
        scenario();
        assert_int_equal(heap.bytes, 0);
    }
}

static void test_a_member_costs_bytes_not_kilobytes(void **state)
{
    (void)state;
    enum { N = 8192 };
    struct lone l;
    struct swim_event ev;
    struct swim_packet p;
    struct swim_stream st;
    memset(&heap, 0, sizeof heap);
    assert_int_equal(create(&l, 0), SWIM_OK);
    size_t before = heap.bytes;
    for (int i = 0; i < N; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "node-%d", i);
        struct swim__alive a = {.node = lone_str(name),
                                .addr = {"\x0a\0\0\x07", 4},
                                .vsn = {"\x01\x05\x02\x02\x05\x04", 6},
                                .incarnation = 1,
                                .port = (uint16_t)(1 + i)};
        assert_int_equal(swim__alive(l.s, &a, SWIM__FROM_GOSSIP), SWIM_OK);
        while (swim_next_event(l.s, &ev)) {
        }
    }
    for (int i = 0; l.s->updates.count > 0 && i < 100000;
         i++) { /* send all that is to be said about them */
        lone_advance(&l, l.s->cfg.gossip_interval_ns);
        while (swim_next_send(l.s, &p)) {
        }
        while (swim_next_stream(l.s, &st)) {
            swim_stream_end(l.s, l.now, st.id);
        }
    }
    size_t each = (heap.bytes - before) / N;
    print_message("a member without tags takes %zu bytes\n", each);
    assert_true(each <= 256);
    swim_destroy(l.s);
    assert_int_equal(heap.bytes, 0);
}

/* A whole large pool, with the tags of a Consul client: the table, as it stands when all is said.
 */
static void test_a_hundred_thousand_members_fit_into_50_mib(void **state)
{
    (void)state;
    enum { N = 100000 };
    static const struct mu_str keys[] = {{"acls", 4}, {"build", 5},   {"dc", 2},
                                         {"id", 2},   {"role", 4},    {"segment", 7},
                                         {"vsn", 3},  {"vsn_max", 7}, {"vsn_min", 7}};
    static const struct mu_str values[] = {
        {"0", 1},    {"1.8.7:a-build", 13},
        {"dc1", 3},  {"00000000-0000-0000-0000-000000000000", 36},
        {"node", 4}, {"", 0},
        {"2", 1},    {"3", 1},
        {"2", 1}};
    struct swim_tag tags[9];
    for (size_t i = 0; i < 9; i++) {
        tags[i] = (struct swim_tag){keys[i], values[i]};
    }
    struct mu__writer meta = mu__writer_growing(&mu__malloc_allocator);
    swim__wire_tags_encode(&meta, tags, 9);
    memset(&heap, 0, sizeof heap);
    struct swim__table t;
    struct mu__prng prng;
    mu__prng_seed(&prng, 3);
    swim__table_init(&t, &counting, 3);
    for (int i = 0; i < N; i++) {
        char name[32];
        int len = snprintf(name, sizeof name, "worker-%d.example.net", i);
        struct swim__member *m = swim__table_add(&t, (struct mu_str){name, (size_t)len});
        assert_non_null(m);
        assert_true(swim__table_enlist(&t, m, &prng));
        assert_true(
            swim__member_set_meta(&t, m, (struct mu_str){(const char *)meta.data, meta.len}));
    }
    size_t blocks = 2 * (size_t)N * 16; /* what malloc adds to each block */
    print_message(
        "%d members with %zu bytes of tags take %.1f MiB, and %.1f MiB with malloc's own\n", N,
        meta.len, (double)heap.bytes / (1 << 20), (double)(heap.bytes + blocks) / (1 << 20));
    assert_true(heap.bytes + blocks <= 50u << 20);
    swim__table_fini(&t);
    mu__writer_fini(&meta);
    assert_int_equal(heap.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_a_member_costs_bytes_not_kilobytes),
        cmocka_unit_test(test_a_hundred_thousand_members_fit_into_50_mib),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
