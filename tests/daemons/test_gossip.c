/* Mirrors daemons/node/gossip_keys.c and gossip_fire.c: what the core loop asks of gossip, and what
 * it is told. Both loops run on the test's thread; the pool is real, on loopback sockets. */
#include "node_kit.h"

#include "msgpack.h"
#include "node/gossip_internal.h"

#define KEY_1 "AAECAwQFBgcICQoLDA0ODw=="
#define KEY_2 "EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8="

struct rig {
    struct loop *loop, *core;
    struct pool pool; /* on the base of `loop` */
    struct gossip g;
    struct peer *a;
    unsigned done;
    char error[160], messages[512], keys[512], primary[512];
    int64_t nodes;
};

static struct peer *add(struct rig *r, const char *name, const char *key)
{
    struct swim_node_config cfg;
    pool_config(&r->pool, &cfg, name);
    cfg.swim.query_timeout_mult = 50;
    cfg.keys_base64 = &key;
    cfg.nkeys_base64 = key ? 1 : 0;
    return pool_add(&r->pool, &cfg);
}

static void open_rig(struct rig *r, const char *key)
{
    *r = (struct rig){.loop = loop_create("gossip"), .core = loop_create("core")};
    assert_non_null(r->loop);
    assert_non_null(r->core);
    r->pool.base = loop_base(r->loop);
    r->a = add(r, "a", key);
    r->g = (struct gossip){
        .loop = r->loop, .core = r->core, .datacenter = mu__cstr("dc1"), .node = r->a->node};
}

static void close_rig(struct rig *r)
{
    while (r->pool.n > 0) {
        pool_kill(&r->pool, r->pool.peers[0]);
    }
    loop_destroy(r->loop);
    loop_destroy(r->core);
}

static bool is_done(void *arg)
{
    struct rig *r = arg;
    while (loop_drain(r->loop) || loop_drain(r->core)) {
    }
    return r->done > 0;
}

static void wait_for_done(struct rig *r)
{
    pool_run_until(&r->pool, is_done, r);
    assert_int_equal(r->done, 1);
    r->done = 0;
}

/* ---- keys ---- */

/* "key=count " of each, in the order in which they come. */
static void describe_counts(struct mu_str map, char *out, size_t cap)
{
    struct mu__reader in = mu__reader(map.p, map.len);
    size_t n = mu__mp_read_map(&in), used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        struct mu_str key = mu__mp_read_str(&in);
        uint64_t count = mu__mp_read_uint(&in, 100);
        used += (size_t)snprintf(out + used, cap - used, "%.*s=%u ", (int)key.len, key.p,
                                 (unsigned)count);
        assert_true(used < cap);
    }
    assert_false(in.failed);
    assert_int_equal(mu__reader_left(&in), 0);
}

static void on_result(void *arg, const struct catalog_keyring_response *result)
{
    struct rig *r = arg;
    size_t used = 0;
    r->done++;
    r->nodes = result->num_nodes;
    assert_true(mu__str_is(result->datacenter, "dc1"));
    snprintf(r->error, sizeof r->error, "%.*s", (int)result->error.len,
             result->error.p ? result->error.p : "");
    r->messages[0] = '\0';
    for (size_t i = 0; i < result->messages.len; i++) {
        const struct mu_pair *m = &result->messages.items[i];
        used += (size_t)snprintf(r->messages + used, sizeof r->messages - used, "%.*s: %.*s. ",
                                 (int)m->key.len, m->key.p, (int)m->value.len, m->value.p);
        assert_true(used < sizeof r->messages);
    }
    describe_counts(result->keys, r->keys, sizeof r->keys);
    describe_counts(result->primary_keys, r->primary, sizeof r->primary);
}

static void change(struct rig *r, enum swim_key_change what, const char *key)
{
    gossip_change_keys(&r->g, what, mu__cstr(key), 0, on_result, r);
    assert_int_equal(r->done, 0); /* never from inside the call */
    wait_for_done(r);
}

static void test_keys_are_listed_with_how_many_have_them(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, KEY_2);
    struct peer *b = add(&r, "b", KEY_2);
    pool_join(&r.pool, b, r.a);
    change(&r, SWIM_KEY_INSTALL, KEY_1);
    assert_string_equal(r.error, "");
    assert_int_equal(r.nodes, 2);
    change(&r, SWIM_KEY_LIST, "");
    assert_string_equal(r.error, "");
    assert_string_equal(r.messages, "");
    assert_string_equal(r.keys, KEY_1 "=2 " KEY_2 "=2 "); /* sorted */
    assert_string_equal(r.primary, KEY_2 "=2 ");          /* who is nobody's primary is left out */
    close_rig(&r);
}

static void test_a_key_is_used_and_the_old_one_removed(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, KEY_1);
    change(&r, SWIM_KEY_INSTALL, KEY_2);
    change(&r, SWIM_KEY_USE, KEY_2);
    change(&r, SWIM_KEY_REMOVE, KEY_1);
    assert_string_equal(r.error, "");
    change(&r, SWIM_KEY_LIST, "");
    assert_string_equal(r.keys, KEY_2 "=1 ");
    assert_string_equal(r.primary, KEY_2 "=1 ");
    close_rig(&r);
}

static void test_who_refuses_is_counted_and_named(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, KEY_1);
    struct peer *b = add(&r, "b", KEY_1);
    pool_join(&r.pool, b, r.a);
    change(&r, SWIM_KEY_USE, KEY_2);
    assert_string_equal(r.error, "2/2 nodes reported failure");
    assert_string_equal(r.messages, "a: Requested key is not in the keyring. "
                                    "b: Requested key is not in the keyring. ");
    assert_string_equal(r.keys, "");
    change(&r, SWIM_KEY_REMOVE, KEY_1);
    assert_string_equal(r.error, "2/2 nodes reported failure");
    close_rig(&r);
}

static void test_who_does_not_answer_is_missed(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, KEY_1);
    struct peer *b = add(&r, "b", KEY_1);
    pool_join(&r.pool, b, r.a);
    pool_kill(&r.pool, b); /* and nobody has noticed */
    change(&r, SWIM_KEY_LIST, "");
    assert_string_equal(r.error, "1/2 nodes reported success");
    assert_string_equal(r.keys, KEY_1 "=1 "); /* what is known is told */
    close_rig(&r);
}

static void test_without_encryption_there_is_nothing_to_change(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, NULL);
    change(&r, SWIM_KEY_LIST, "");
    assert_string_equal(r.error, "1/1 nodes reported failure");
    assert_string_equal(r.messages, "a: Keyring is empty (encryption not enabled). ");
    close_rig(&r);
}

static void test_what_is_no_key_is_refused_before_anybody_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *key, *error;
    } table[] = {
        {"", "key size must be 16, 24 or 32 bytes"},
        {"dG9vIHNob3J0", "key size must be 16, 24 or 32 bytes"},
        {"AAECAwQFBgcICQoLDA0ODxA=", "key size must be 16, 24 or 32 bytes"},
        {"not base64!", "illegal base64 data at input byte 3"},
        {"AAECAwQFBgcICQoLDA0ODw", "illegal base64 data at input byte 20"},
    };
    struct rig r;
    struct swim_stats stats;
    open_rig(&r, KEY_1);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        change(&r, SWIM_KEY_INSTALL, table[i].key);
        assert_string_equal(r.error, table[i].error);
        assert_int_equal(r.nodes, 0);
    }
    char longest[200];
    memset(longest, 'A', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    change(&r, SWIM_KEY_INSTALL, longest);
    assert_string_equal(r.error, "key size must be 16, 24 or 32 bytes");
    swim_stats(swim_node_core(r.a->node), &stats);
    assert_int_equal(stats.queries_out, 0);
    close_rig(&r);
}

static void test_who_has_left_changes_no_keys(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, KEY_1);
    r.g.node = NULL;
    change(&r, SWIM_KEY_LIST, "");
    assert_string_equal(r.error, swim_node_strerror(SWIM_ELEFT));
    close_rig(&r);
}

/* ---- user events ---- */

static void on_fired(void *arg, const char *error)
{
    struct rig *r = arg;
    r->done++;
    snprintf(r->error, sizeof r->error, "%s", error ? error : "");
}

static void fire(struct rig *r, size_t name, size_t payload)
{
    char bytes[2048];
    memset(bytes, 'x', sizeof bytes);
    gossip_fire(&r->g, (struct mu_str){bytes, name}, (struct mu_str){bytes, payload}, on_fired, r);
    assert_int_equal(r->done, 0);
    wait_for_done(r);
}

static bool has_heard(void *peer)
{
    return ((struct peer *)peer)->user_events > 0;
}

static void test_an_event_reaches_the_pool(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, NULL);
    struct peer *b = add(&r, "b", NULL);
    pool_join(&r.pool, b, r.a);
    gossip_fire(&r.g, mu__cstr("deploy"), mu__cstr("42"), on_fired, &r);
    wait_for_done(&r);
    assert_string_equal(r.error, "");
    pool_run_until(&r.pool, has_heard, b);
    assert_string_equal(b->last_event, "deploy=42");
    close_rig(&r);
}

static void test_nobody_need_wait_for_an_event(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, NULL);
    gossip_fire(&r.g, mu__cstr("deploy"), (struct mu_str){0}, NULL, NULL);
    (void)is_done(&r);
    pool_run_until(&r.pool, has_heard, r.a);
    assert_string_equal(r.a->last_event, "deploy=");
    close_rig(&r);
}

static void test_what_is_too_long_is_told_in_the_words_of_consul(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, NULL);
    fire(&r, 12, 501);
    assert_string_equal(r.error,
                        "user event exceeds configured limit of 512 bytes before encoding");
    fire(&r, 12, 500);
    assert_string_equal(r.error,
                        "encoded user event exceeds configured limit of 512 bytes after encoding");
    fire(&r, 12, 400);
    assert_string_equal(r.error, "");
    close_rig(&r);
}

static void test_who_has_left_fires_no_event(void **state)
{
    (void)state;
    struct rig r;
    open_rig(&r, NULL);
    r.g.node = NULL;
    fire(&r, 1, 0);
    assert_string_equal(r.error, swim_strerror(SWIM_ELEFT));
    close_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_listed_with_how_many_have_them),
        cmocka_unit_test(test_a_key_is_used_and_the_old_one_removed),
        cmocka_unit_test(test_who_refuses_is_counted_and_named),
        cmocka_unit_test(test_who_does_not_answer_is_missed),
        cmocka_unit_test(test_without_encryption_there_is_nothing_to_change),
        cmocka_unit_test(test_what_is_no_key_is_refused_before_anybody_is_asked),
        cmocka_unit_test(test_who_has_left_changes_no_keys),
        cmocka_unit_test(test_an_event_reaches_the_pool),
        cmocka_unit_test(test_nobody_need_wait_for_an_event),
        cmocka_unit_test(test_what_is_too_long_is_told_in_the_words_of_consul),
        cmocka_unit_test(test_who_has_left_fires_no_event),
    };
    return cmocka_run_group_tests_name("gossip", tests, NULL, NULL);
}
