/* Running out of memory: a scenario's allocations are counted, then each is made to fail in turn.
 * Nothing leaks or breaks, the invariants hold after each call, and once there is memory again the
 * server goes on. */
#include "one.h"

struct counting {
    size_t count, fail_at; /* fail_at 0: never */
    long live;
};

static bool fails(struct counting *c)
{
    return ++c->count == c->fail_at;
}

static void *count_alloc(void *user, size_t size)
{
    struct counting *c = user;
    void *p = fails(c) ? NULL : malloc(size);
    c->live += p != NULL;
    return p;
}

static void *count_realloc(void *user, void *p, size_t size)
{
    struct counting *c = user;
    if (fails(c)) {
        return NULL;
    }
    void *q = realloc(p, size);
    c->live += q && !p;
    return q;
}

static void count_free(void *user, void *p)
{
    struct counting *c = user;
    c->live -= p != NULL;
    free(p);
}

static void drain(struct raft *r, uint64_t now, raft_index *applied)
{
    const struct raft_update *u;
    while (raft_next_update(r, &u) == RAFT_OK && u) {
        uint64_t id = u->persist ? u->persist->id : 0;
        uint64_t chunk = u->snapshot ? u->snapshot->id : 0;
        *applied += u->n_apply;
        if (id) {
            raft_persisted(r, now, id);
        }
        if (*applied > raft_applied_index(r)) {
            raft_applied(r, now, *applied);
        }
        if (chunk) {
            raft_snapshot_written(r, now, chunk, true);
            *applied = raft_applied_index(r);
        }
        raft__check(r);
    }
}

static int deliver(struct raft *r, uint64_t now, struct raft_message m, raft_index *applied)
{
    int rc = raft_step(r, now, &m);
    assert_true(rc == RAFT_OK || rc == RAFT_ENOMEM);
    raft__check(r);
    drain(r, now, applied);
    return rc;
}

/* A follower takes entries and a snapshot; a leader proposes, reads, changes and compacts. */
static void scenario(struct raft *r)
{
    struct raft_server servers[4];
    uint64_t now = MU_SEC;
    raft_index applied = 0, index;
    char data[400] = {0};
    one_servers(servers, 4);
    servers[3].kind = RAFT_NONVOTER;
    raft_start(r, now);
    while (raft_bootstrap(r, now, servers, 3) == RAFT_ENOMEM) {
    }
    drain(r, now, &applied);
    struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 2);
    const struct raft_entry e[] = {{.index = 2, .term = 2, .data = data, .len = 400},
                                   {.index = 3, .term = 2}};
    m.log_index = m.log_term = 1;
    m.entries = e;
    m.n_entries = 2;
    m.commit = 3;
    while (deliver(r, now, m, &applied) == RAFT_ENOMEM) {
    }
    uint8_t configuration[RAFT__CONFIGURATION_BYTES_MAX];
    struct mu__writer w = mu__writer_fixed(configuration, sizeof configuration);
    raft__configuration_encode(raft_configuration(r), &w);
    m = one_message(RAFT_MSG_SNAPSHOT, "b", 2);
    m.snapshot = (struct raft_snapshot_meta){10, 2, 1, configuration, w.len};
    m.data = data;
    m.len = 300;
    m.last = true;
    struct raft__hash hash;
    raft__hash_begin(&hash, &m.snapshot);
    m.prefix_hash = raft__hash_value(&hash);
    raft__hash_add(&hash, data, m.len);
    m.hash = raft__hash_value(&hash);
    while (deliver(r, now, m, &applied) == RAFT_ENOMEM) {
    }
    assert_int_equal(raft_applied_index(r), 10);

    while (raft_role(r) != RAFT_LEADER) { /* a lost message or a failed no-op is tried again */
        now = raft_next_deadline(r);
        raft_advance(r, now);
        drain(r, now, &applied);
        if (raft_role(r) == RAFT_PRECANDIDATE) {
            deliver(r, now, one_message(RAFT_MSG_PREVOTE_REPLY, "b", raft_current_term(r) + 1),
                    &applied);
        }
        if (raft_role(r) == RAFT_CANDIDATE) {
            deliver(r, now, one_message(RAFT_MSG_VOTE_REPLY, "b", raft_current_term(r)), &applied);
        }
    }
    m = one_message(RAFT_MSG_APPEND_REPLY, "b", raft_current_term(r));
    m.log_index = raft_last_index(r);
    deliver(r, now, m, &applied);
    const struct mu_str item = {data, sizeof data};
    while (raft_propose(r, now, &item, 1, &index) == RAFT_ENOMEM) {
        raft__check(r);
    }
    while (raft_read(r, now, 1) == RAFT_ENOMEM) {
        raft__check(r);
    }
    while (raft_change(r, now, RAFT_CHANGE_SET, &servers[3], &index) == RAFT_ENOMEM) {
        raft__check(r);
    }
    drain(r, now, &applied);
    m.log_index = raft_last_index(r);
    deliver(r, now, m, &applied);
    assert_int_equal(raft_commit_index(r), raft_last_index(r));
    struct raft_snapshot_meta meta;
    while (raft_snapshot_meta(r, applied, &meta) == RAFT_ENOMEM) {
    }
    raft_snapshot_done(r, now, applied);
    raft__check(r);
    m = one_message(RAFT_MSG_APPEND_REPLY, "c", raft_current_term(r)); /* c is far behind */
    m.log_index = 10;
    m.reject = true;
    deliver(r, now, m, &applied);
    drain(r, now + MU_SEC, &applied);
    const struct raft__sending *s = &r->peers[2].sending;
    while (s->n > 0 && raft_loaded_snapshot(r, now + MU_SEC, s->chunks[0].load_id, data, 300,
                                            true) == RAFT_ENOMEM) {
        raft__check(r);
    }
    drain(r, now + MU_SEC, &applied);
}

static size_t run(size_t fail_at)
{
    struct counting c = {.fail_at = fail_at};
    const struct mu_allocator a = {&c, count_alloc, count_realloc, count_free};
    struct raft_config cfg = one_config();
    cfg.allocator = &a;
    cfg.tail_entries = 0;
    struct raft *r;
    int rc = raft_create(&cfg, &r);
    if (rc == RAFT_OK) {
        scenario(r);
        raft_destroy(r);
    } else {
        assert_int_equal(rc, RAFT_ENOMEM);
        assert_null(r);
    }
    assert_int_equal(c.live, 0);
    return c.count;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    size_t count = run(0);
    assert_true(count > 10);
    for (size_t i = 1; i <= count; i++) {
        run(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("raft out of memory", tests, NULL, NULL);
}
