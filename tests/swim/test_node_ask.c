/* Mirrors node/ask.c: questions, keys and names, on real loopback sockets. */
#include "node_kit.h"

#define KEY_1 "AAECAwQFBgcICQoLDA0ODw=="
#define KEY_2 "EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8="

static void on_left(void *user)
{
    ((struct peer *)user)->left = true;
}

static bool has_left(void *peer)
{
    return ((struct peer *)peer)->left;
}

static struct peer *add_with_keys(struct pool *p, const char *name, const char *first,
                                  const char *second)
{
    struct swim_node_config cfg;
    const char *keys[] = {first, second};
    pool_config(p, &cfg, name);
    cfg.keys_base64 = keys;
    cfg.nkeys_base64 = second ? 2 : 1;
    return pool_add(p, &cfg);
}

static bool has_lost_its_name(void *peer)
{
    return ((struct peer *)peer)->name_lost;
}

static void test_the_second_of_a_name_gives_way(void **state)
{
    (void)state;
    struct pool p;
    struct swim_node_config cfg;
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b"),
                *x = pool_add_plain(&p, "x");
    pool_join(&p, b, a);
    pool_join(&p, x, a);
    pool_wait_for_status(&p, b, "x", SWIM_STATUS_ALIVE);
    pool_config(&p, &cfg, "x");
    cfg.swim.query_timeout_mult = 50; /* it waits for all who may answer: a second */
    struct peer *second = pool_add(&p, &cfg);
    pool_join(&p, second, a);
    pool_run_until(&p, has_lost_its_name, second);
    assert_true(swim_has_left(swim_node_core(second->node)));
    assert_false(x->name_lost);
    second->left = false;
    swim_node_leave(second->node, on_left, second); /* it has nothing more to say: at once */
    pool_run_until(&p, has_left, second);
    pool_kill(&p, second);
    pool_wait_for_status(&p, a, "x", SWIM_STATUS_ALIVE);
    assert_int_equal(a->failures + b->failures, 0);
    pool_close(&p);
}

/* ---- asking ---- */

struct heard {
    unsigned answers, acks, done;
    char text[64];
};

static void on_answer(void *user, const struct swim_node_answer *a)
{
    struct heard *h = user;
    h->acks += a->kind == SWIM_NODE_ACK;
    h->answers += a->kind == SWIM_NODE_ANSWER;
    if (a->kind == SWIM_NODE_ANSWER) {
        snprintf(h->text, sizeof h->text, "%.*s=%.*s", (int)a->from.len, a->from.p,
                 (int)a->payload.len, a->payload.p);
    } else if (a->kind == SWIM_NODE_DONE) {
        h->done++;
        assert_int_equal(a->answers, h->answers);
        assert_int_equal(a->acks, h->acks);
    }
}

static bool is_over(void *heard)
{
    return ((struct heard *)heard)->done > 0;
}

static bool is_answered(void *heard)
{
    const struct heard *h = heard;
    return h->answers > 0 && h->acks > 0;
}

static uint32_t ask_b(struct peer *a, struct heard *h)
{
    static const struct mu_str b = {"b", 1};
    struct swim_question q;
    uint32_t id = 0;
    swim_question_init(&q);
    q.name = (struct mu_str){"name?", 5};
    q.nodes = &b;
    q.nnodes = 1;
    q.want_acks = true;
    assert_int_equal(swim_node_ask(a->node, &q, on_answer, h, &id), SWIM_OK);
    return id;
}

static void test_a_question_is_answered_by_whom_it_is_for(void **state)
{
    (void)state;
    struct pool p;
    struct heard h = {0};
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a"), *b = pool_add_plain(&p, "b"),
                *c = pool_add_plain(&p, "c");
    pool_join(&p, a, b);
    pool_join(&p, c, b);
    pool_wait_for_status(&p, a, "c", SWIM_STATUS_ALIVE);
    uint32_t id = ask_b(a, &h);
    assert_int_not_equal(id, 0);
    pool_run_until(&p, is_answered, &h);
    swim_ask_end(swim_node_core(a->node), swim_node_now(a->node), id);
    swim_node_flush(a->node);
    pool_run_until(&p, is_over, &h);
    assert_int_equal(h.acks, 1);
    assert_int_equal(h.answers, 1);
    assert_string_equal(h.text, "b=I am b");
    pool_close(&p);
}

static void test_destroy_ends_questions_that_are_under_way(void **state)
{
    (void)state;
    struct pool p;
    struct heard h = {0};
    pool_open(&p);
    struct peer *a = pool_add_plain(&p, "a");
    (void)ask_b(a, &h);
    pool_close(&p);
    assert_int_equal(h.done, 1);
}

struct key_outcome {
    bool done;
    int err;
    size_t nodes, answers, nkeys;
};

static void on_keys(void *user, int err, const struct swim_key_result *r)
{
    struct key_outcome *o = user;
    *o = (struct key_outcome){.done = true, .err = err};
    if (r) {
        o->nodes = r->nodes;
        o->answers = r->answers;
        o->nkeys = r->nkeys;
    }
}

static bool is_changed(void *outcome)
{
    return ((struct key_outcome *)outcome)->done;
}

static struct key_outcome change_keys(struct pool *p, struct peer *a, enum swim_key_change change,
                                      const char *key)
{
    struct key_outcome o = {0};
    assert_int_equal(swim_node_change_keys(a->node, change, key, 0, on_keys, &o), SWIM_OK);
    pool_run_until(p, is_changed, &o);
    assert_int_equal(o.err, SWIM_OK);
    assert_int_equal(o.answers, o.nodes);
    return o;
}

static void test_nodes_amid_a_rotation_understand_each_other(void **state)
{
    (void)state;
    struct pool p;
    struct heard h = {0};
    struct swim_stats st;
    pool_open(&p);
    struct peer *a = add_with_keys(&p, "a", KEY_2, KEY_1), /* uses the new one already */
        *b = add_with_keys(&p, "b", KEY_1, KEY_2);
    pool_join(&p, a, b);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    (void)ask_b(a, &h);
    pool_run_until(&p, is_answered, &h);
    swim_stats(swim_node_core(a->node), &st);
    assert_int_equal(st.packets_undecryptable, 0);
    swim_stats(swim_node_core(b->node), &st);
    assert_int_equal(st.packets_undecryptable, 0);
    pool_close(&p);
}

static void test_the_keys_of_all_are_changed_from_one(void **state)
{
    (void)state;
    struct pool p;
    pool_open(&p);
    struct peer *a = add_with_keys(&p, "a", KEY_1, NULL), *b = add_with_keys(&p, "b", KEY_1, NULL);
    pool_join(&p, a, b);
    pool_wait_for_status(&p, b, "a", SWIM_STATUS_ALIVE);
    assert_int_equal(swim_node_change_keys(a->node, SWIM_KEY_INSTALL, "AAEC", 0, on_keys, NULL),
                     SWIM_EINVAL);
    assert_int_equal(
        swim_node_change_keys(a->node, SWIM_KEY_INSTALL, "no base64", 0, on_keys, NULL),
        SWIM_EINVAL);
    (void)change_keys(&p, a, SWIM_KEY_INSTALL, KEY_2);
    (void)change_keys(&p, a, SWIM_KEY_USE, KEY_2);
    (void)change_keys(&p, a, SWIM_KEY_REMOVE, KEY_1);
    struct key_outcome o = change_keys(&p, b, SWIM_KEY_LIST, NULL);
    assert_int_equal(o.nodes, 2);
    assert_int_equal(o.nkeys, 1);
    pool_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_of_a_name_gives_way),
        cmocka_unit_test(test_a_question_is_answered_by_whom_it_is_for),
        cmocka_unit_test(test_destroy_ends_questions_that_are_under_way),
        cmocka_unit_test(test_nodes_amid_a_rotation_understand_each_other),
        cmocka_unit_test(test_the_keys_of_all_are_changed_from_one),
    };
    return cmocka_run_group_tests_name("node_ask", tests, NULL, NULL);
}
