/* Mirrors src/apply_txn.c and txn.c. Texts and results were read off Consul 1.8.7. */
#include "fixture.h"
#include "scarce.h"

#define OPS_MAX 16u

/* Operations one after the other, and the transaction that they make. */
struct ops {
    struct catalog_txn_op ops[OPS_MAX];
    struct catalog_txn_kv_op kv[OPS_MAX];
    struct catalog_txn_node_op node[OPS_MAX];
    struct catalog_txn_service_op service[OPS_MAX];
    struct catalog_txn_check_op check[OPS_MAX];
    void *list[OPS_MAX];
    size_t n;
};

static struct catalog_txn_op *next(struct ops *o)
{
    assert_true(o->n < OPS_MAX);
    o->list[o->n] = &o->ops[o->n];
    return &o->ops[o->n++];
}

static void kv(struct ops *o, const char *verb, const char *key, const char *value, uint64_t index)
{
    struct catalog_txn_kv_op *op = &o->kv[o->n];
    op->verb = mu__cstr(verb);
    op->dir_ent = (struct catalog_dir_entry){
        .key = mu__cstr(key), .value = mu__cstr(value), .modify_index = index};
    next(o)->kv = op;
}

static void node(struct ops *o, const char *verb, const char *name, const char *id, uint64_t index)
{
    struct catalog_txn_node_op *op = &o->node[o->n];
    op->verb = mu__cstr(verb);
    op->node = (struct catalog_node){.node = mu__cstr(name),
                                     .id = mu__cstr(id),
                                     .address = S("10.1.1.1"),
                                     .modify_index = index};
    next(o)->node = op;
}

static void service(struct ops *o, const char *verb, const char *on, const char *id,
                    const char *name, uint64_t index)
{
    struct catalog_txn_service_op *op = &o->service[o->n];
    op->verb = mu__cstr(verb);
    op->node = mu__cstr(on);
    op->service = (struct catalog_node_service){
        .id = mu__cstr(id), .service = mu__cstr(name), .modify_index = index};
    next(o)->service = op;
}

static void check(struct ops *o, const char *verb, const char *on, const char *id,
                  const char *service_id, uint64_t index)
{
    struct catalog_txn_check_op *op = &o->check[o->n];
    op->verb = mu__cstr(verb);
    op->check = (struct catalog_check){.node = mu__cstr(on),
                                       .check_id = mu__cstr(id),
                                       .service_id = mu__cstr(service_id),
                                       .modify_index = index};
    next(o)->check = op;
}

/* Puts what an answer says into lines: "key=value@index" and the like, or "number: error". */
static void tell(char *out, size_t size, const struct mu_list *results,
                 const struct mu_list *errors)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < errors->len; i++) {
        const struct catalog_txn_error *e = errors->items[i];
        at += (size_t)snprintf(out + at, size - at, "%d: %.*s\n", (int)e->op_index,
                               (int)e->what.len, e->what.p);
    }
    for (size_t i = 0; i < results->len; i++) {
        const struct catalog_txn_result *r = results->items[i];
        struct mu_str name = r->kv        ? r->kv->key
                             : r->node    ? r->node->node
                             : r->service ? r->service->id
                                          : r->check->check_id;
        struct mu_str value = r->kv ? r->kv->value : S("");
        uint64_t index = r->kv        ? r->kv->modify_index
                         : r->node    ? r->node->modify_index
                         : r->service ? r->service->modify_index
                                      : r->check->modify_index;
        const char *kind = r->kv ? "" : r->node ? "node " : r->service ? "service " : "check ";
        at += (size_t)snprintf(out + at, size - at, "%s%.*s=%.*s@%d\n", kind, (int)name.len, name.p,
                               (int)value.len, value.p ? value.p : "", (int)index);
    }
}

/* Applies the operations as one entry, in a batch of its own, and compares what they say. */
static void expect(struct fixture *f, struct ops *o, const char *expected)
{
    struct catalog_txn_request request = {.ops = {o->list, o->n}};
    struct mu__writer w = entry(CATALOG_ENTRY_TXN, CATALOG_TXN_REQUEST, &request);
    char told[4096];
    catalog_touched_unref(f->touched);
    f->touched = NULL;
    assert_int_equal(catalog_apply_begin(f->c), 0);
    assert_int_equal(catalog_apply(f->c, ++f->index, w.data, w.len, &f->result), 0);
    assert_int_equal(f->result.kind, CATALOG_RESULT_REPLY);
    assert_int_equal(f->result.reply_type, CATALOG_TXN_RESPONSE);
    const struct catalog_txn_response *reply = f->result.reply;
    tell(told, sizeof told, &reply->results, &reply->errors);
    catalog_apply_end(f->c, &f->touched);
    catalog__check(f->c);
    mu__writer_fini(&w);
    assert_string_equal(told, expected);
    *o = (struct ops){.n = 0};
}

static void expect_read(struct fixture *f, struct ops *o, const char *expected)
{
    struct catalog_txn_read_request request = {.ops = {o->list, o->n}};
    struct catalog_txn_read_response reply;
    struct catalog_watch_keys keys;
    char told[4096];
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_txn(f->r, &request, &reply, &keys), 0);
    assert_int_equal(keys.len, 0);
    assert_int_equal(reply.meta.index, 0);
    tell(told, sizeof told, &reply.results, &reply.errors);
    catalog_read_end(f->r);
    assert_string_equal(told, expected);
    *o = (struct ops){.n = 0};
}

static void expect_key(struct fixture *f, const char *key, const char *value)
{
    catalog_read_begin(f->r);
    const struct catalog_dir_entry *e = catalog_find_key(f->r, mu__cstr(key));
    if (!value) {
        assert_null(e);
    } else {
        assert_non_null(e);
        assert_true(mu__str_eq(e->value, mu__cstr(value)));
    }
    catalog_read_end(f->r);
}

/* ---- Keys ---- */

static void test_operations_see_what_earlier_ones_did(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    kv(&o, "check-not-exists", "a", "", 0);
    kv(&o, "set", "a", "1", 0);
    kv(&o, "set", "a/b", "2", 0);
    kv(&o, "get", "a", "", 0);
    kv(&o, "get-tree", "a", "", 0);
    kv(&o, "delete-tree", "a", "", 0);
    kv(&o, "get-tree", "a", "", 0);
    kv(&o, "set", "c", "3", 0);
    expect(f, &o, "a=@1\na/b=@1\na=1@1\na=1@1\na/b=2@1\nc=@1\n");
    expect_key(f, "a", NULL);
    expect_key(f, "c", "3");
}

static void test_a_value_is_shown_as_it_was_when_it_was_looked_at(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    kv(&o, "set", "a", "old", 0);
    kv(&o, "get", "a", "", 0);
    kv(&o, "set", "a", "new", 0);
    kv(&o, "get", "a", "", 0);
    kv(&o, "delete", "a", "", 0);
    expect(f, &o, "a=@1\na=old@1\na=@1\na=new@1\n");
    expect_key(f, "a", NULL);
}

static void test_all_of_them_or_none(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    set(f, "kept", "1");
    kv(&o, "set", "a", "1", 0);
    kv(&o, "delete", "kept", "", 0);
    kv(&o, "set", "b", "1", 0);
    kv(&o, "get", "nosuch", "", 0);
    kv(&o, "bogus", "x", "", 0);
    kv(&o, "check-not-exists", "a", "", 0);
    expect(f, &o,
           "3: key \"nosuch\" doesn't exist\n4: unknown KV verb \"bogus\"\n5: key \"a\" exists\n");
    assert_true(catalog_touched_is_empty(f->touched));
    expect_key(f, "a", NULL);
    expect_key(f, "b", NULL);
    expect_key(f, "kept", "1");
}

static void test_conditions_say_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    set(f, "a", "1");
    kv(&o, "cas", "a", "2", 7);
    kv(&o, "delete-cas", "a", "", 7);
    kv(&o, "check-index", "a", "", 7);
    kv(&o, "check-index", "b", "", 7);
    kv(&o, "check-session", "a", "", 0);
    kv(&o, "check-session", "b", "", 0);
    o.kv[4].dir_ent.session = S("x");
    kv(&o, "unlock", "a", "", 0);
    o.kv[6].dir_ent.session = S("00000000-0000-0000-0000-000000000001");
    kv(&o, "lock", "a", "", 0);
    expect(f, &o,
           "0: failed to set key \"a\", index is stale\n"
           "1: failed to delete key \"a\", index is stale\n"
           "2: failed index check for key \"a\", current modify index 1 != 7\n"
           "3: failed to check index, key \"b\" doesn't exist\n"
           "4: failed session check for key \"a\", current session \"\" != \"x\"\n"
           "5: failed to check session, key \"b\" doesn't exist\n"
           "6: failed to unlock key \"a\", lock isn't held, or is held by another session\n"
           "7: missing session\n");
    kv(&o, "cas", "a", "2", 1);
    kv(&o, "cas", "new", "2", 0);
    kv(&o, "check-index", "a", "", 3);
    kv(&o, "check-session", "a", "", 0);
    kv(&o, "delete-cas", "nosuch", "", 7);
    expect(f, &o, "a=@3\nnew=@3\na=@3\na=@3\n");
}

static void test_what_can_be_seen_at_once_is_said_before_anything_runs(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    kv(&o, "get", "", "", 0);
    kv(&o, "get", "nosuch", "", 0);
    node(&o, "set", "", "", 0);
    node(&o, "delete", "n", "zz", 0);
    node(&o, "set", "n", "0000000x-0000-0000-0000-000000000001", 0);
    node(&o, "set", "n", "0000000y-0000-0000-0000-000000000001", 0);
    service(&o, "bogus", "n", "id", "", 0);
    expect(f, &o,
           "0: Must provide key\n"
           "2: Must provide node\n"
           "3: Bad node ID: uuid string is wrong length\n"
           "4: Bad node ID: encoding/hex: invalid byte: U+0078 'x'\n"
           "5: Bad node ID: encoding/hex: invalid byte: U+0079 'y'\n"
           "6: Must provide service name with ID\n");
}

static void test_an_operation_that_is_none_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    next(&o);
    expect(f, &o, "0: no operation specified\n");
    next(&o);
    expect_read(f, &o, "0: no operation specified\n");
    expect(f, &o, "");
}

/* ---- Nodes, services, checks ---- */

static void test_a_node_with_all_that_is_on_it_comes_and_goes(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    node(&o, "set", "n1", "", 0);
    service(&o, "set", "n1", "", "web", 0);
    check(&o, "set", "n1", "c1", "web", 0);
    service(&o, "get", "N1", "WEB", "", 0);
    check(&o, "get", "n1", "c1", "", 0);
    node(&o, "get", "n1", "", 0);
    node(&o, "delete", "n1", "", 0);
    expect(f, &o,
           "node n1=@1\nservice web=@1\ncheck c1=@1\nservice web=@1\ncheck c1=@1\nnode n1=@1\n");
    catalog_read_begin(f->r);
    assert_null(catalog_find_node(f->r, S("n1")));
    assert_null(catalog_find_check(f->r, S("n1"), S("c1")));
    catalog_read_end(f->r);
}

static void test_what_is_not_there_is_named(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    for (int reads = 0; reads < 2; reads++) {
        node(&o, "get", "n1", "", 0);
        node(&o, "get", "n1", "zz", 0);
        node(&o, "get", "n1", "00000000-0000-0000-0000-000000000001", 0);
        service(&o, "get", "n1", "web", "", 0);
        check(&o, "get", "n1", "c1", "", 0);
        (reads ? expect_read : expect)(
            f, &o,
            "0: node \"n1\" doesn't exist\n"
            "1: node lookup by ID failed, wrong UUID: uuid string is wrong length for 'zz'\n"
            "2: node \"n1\" doesn't exist\n"
            "3: service \"web\" on node \"n1\" doesn't exist\n"
            "4: check \"c1\" on node \"n1\" doesn't exist\n");
    }
    service(&o, "set", "n1", "web", "web", 0);
    check(&o, "set", "n1", "c1", "", 0);
    service(&o, "delete", "n1", "web", "web", 0);
    check(&o, "delete", "n1", "c1", "", 0);
    node(&o, "delete", "n1", "", 0);
    node(&o, "set", "n2", "", 0);
    check(&o, "set", "n2", "c1", "web", 0);
    check(&o, "set", "n2", "", "", 0);
    service(&o, "set", "n2", "", "", 0);
    expect(f, &o,
           "0: Missing node registration\n"
           "1: Missing node registration\n"
           "6: Missing service registration\n"
           "7: failed inserting check: object missing primary index\n"
           "8: failed inserting service: object missing primary index\n");
}

static void test_conditions_of_records_compare_their_index(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    add_node(f, "n1");                  /* 1 */
    add_service(f, "n1", "web", "web"); /* 2 */
    node(&o, "cas", "n1", "", 0);
    node(&o, "cas", "n1", "", 2);
    node(&o, "cas", "n2", "", 2);
    node(&o, "delete-cas", "n1", "", 2);
    node(&o, "delete-cas", "n2", "", 2);
    service(&o, "cas", "n1", "web", "web", 1);
    service(&o, "delete-cas", "n1", "db", "db", 1);
    check(&o, "cas", "n1", "c1", "", 1);
    check(&o, "delete-cas", "n1", "c1", "", 1);
    expect(f, &o,
           "0: failed to set node \"n1\", index is stale\n"
           "1: failed to set node \"n1\", index is stale\n"
           "2: failed to set node \"n2\", index is stale\n"
           "3: failed to delete node \"n1\", index is stale\n"
           "4: failed to delete node \"n2\", index is stale\n"
           "5: failed to set service \"web\" on node \"n1\", index is stale\n"
           "6: failed to delete service \"db\" on node \"n1\", index is stale\n"
           "7: failed to set check \"c1\" on node \"n1\", index is stale\n"
           "8: failed to delete check \"c1\" on node \"n1\", index is stale\n");
    node(&o, "cas", "n1", "", 1);
    node(&o, "cas", "n2", "", 0);
    service(&o, "cas", "n1", "db", "db", 0);
    service(&o, "delete-cas", "n1", "web", "web", 2);
    check(&o, "cas", "n1", "c1", "", 0);
    check(&o, "delete-cas", "n1", "c1", "", 4);
    expect(f, &o, "node n1=@4\nnode n2=@4\nservice db=@4\ncheck c1=@4\n");
}

static void test_verbs_that_nobody_knows(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    node(&o, "lock", "n1", "", 0);
    service(&o, "lock", "n1", "web", "web", 0);
    check(&o, "lock", "n1", "c1", "", 0);
    kv(&o, "", "k", "", 0);
    expect(f, &o,
           "0: unknown Node verb \"lock\"\n1: unknown Service verb \"lock\"\n"
           "2: unknown Check verb \"lock\"\n3: unknown KV verb \"\"\n");
}

static void test_a_read_does_not_write(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    set(f, "a", "1");
    kv(&o, "get", "a", "", 0);
    kv(&o, "get-tree", "", "", 0);
    expect_read(f, &o, "1: Must provide key\n");
    kv(&o, "get", "a", "", 0);
    kv(&o, "check-index", "a", "", 1);
    kv(&o, "get-tree", "a", "", 0);
    expect_read(f, &o, "a=1@1\na=@1\na=1@1\n");
    kv(&o, "set", "a", "2", 0);
    node(&o, "set", "n1", "", 0);
    expect_read(f, &o, "0: unknown KV verb \"set\"\n1: unknown Node verb \"set\"\n");
    expect_key(f, "a", "1");
}

/* ---- Batches and memory ---- */

/* A transaction that lends its results stands between other entries of the same batch. */
static void test_entries_of_one_batch_go_on_behind_a_transaction(void **state)
{
    struct fixture *f = *state;
    struct ops o = {.n = 0};
    kv(&o, "set", "a", "1", 0);
    kv(&o, "set", "a", "2", 0);
    struct catalog_txn_request request = {.ops = {o.list, o.n}};
    struct mu__writer good = entry(CATALOG_ENTRY_TXN, CATALOG_TXN_REQUEST, &request);
    kv(&o, "get", "nosuch", "", 0);
    request.ops.len = o.n;
    struct mu__writer bad = entry(CATALOG_ENTRY_TXN, CATALOG_TXN_REQUEST, &request);
    for (int end = 0; end < 3; end++) {
        assert_int_equal(catalog_apply_begin(f->c), 0);
        assert_int_equal(catalog_apply(f->c, ++f->index, good.data, good.len, &f->result), 0);
        assert_int_equal(catalog_apply(f->c, ++f->index, bad.data, bad.len, &f->result), 0);
        assert_int_equal(catalog_apply(f->c, ++f->index, good.data, good.len, &f->result), 0);
        if (end == 0) {
            catalog_apply_abort(f->c);
            f->index = 0;
        } else {
            catalog_apply_end(f->c, NULL);
        }
        catalog__check(f->c);
        expect_key(f, "a", end ? "2" : NULL);
    }
    mu__writer_fini(&good);
    mu__writer_fini(&bad);
}

static void test_running_out_of_memory_anywhere_leaves_all_as_it_was(void **state)
{
    (void)state;
    struct ops o = {.n = 0};
    node(&o, "set", "n1", "00000000-0000-0000-0000-000000000001", 0);
    service(&o, "set", "n1", "", "web", 0);
    check(&o, "set", "n1", "c1", "web", 0);
    kv(&o, "set", "a/b", "1", 0);
    kv(&o, "set", "a/c", "1", 0);
    kv(&o, "get-tree", "a", "", 0);
    kv(&o, "set", "a/b", "2", 0);
    kv(&o, "delete-tree", "a", "", 0);
    service(&o, "set", "n1", "", "db", 0);
    node(&o, "delete", "n1", "", 0);
    kv(&o, "set", "last", "1", 0);
    struct catalog_txn_request request = {.ops = {o.list, o.n}};
    struct mu__writer w = entry(CATALOG_ENTRY_TXN, CATALOG_TXN_REQUEST, &request);
    struct scarce memory = {.left = SIZE_MAX};
    struct mu_allocator a = scarce_allocator(&memory);
    struct catalog_config cfg;
    catalog_config_init(&cfg);
    cfg.allocator = &a;
    struct catalog *c;
    assert_int_equal(catalog_create(&cfg, &c), 0);
    struct catalog_result result;
    int rc = CATALOG_ENOMEM;
    size_t n = 0;
    for (; rc == CATALOG_ENOMEM; n++) {
        memory.left = SIZE_MAX;
        assert_int_equal(catalog_apply_begin(c), 0);
        memory.left = n;
        rc = catalog_apply(c, 1, w.data, w.len, &result);
        memory.left = SIZE_MAX;
        if (rc != 0) {
            catalog_apply_abort(c);
            catalog__check(c);
        }
    }
    assert_int_equal(rc, 0);
    assert_int_equal(result.kind, CATALOG_RESULT_REPLY);
    catalog_apply_end(c, NULL);
    catalog__check(c);
    assert_true(n > 50);
    catalog_destroy(c);
    mu__writer_fini(&w);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_operations_see_what_earlier_ones_did),
        TEST(test_a_value_is_shown_as_it_was_when_it_was_looked_at),
        TEST(test_all_of_them_or_none),
        TEST(test_conditions_say_what_is_wrong),
        TEST(test_what_can_be_seen_at_once_is_said_before_anything_runs),
        TEST(test_an_operation_that_is_none_is_an_error),
        TEST(test_a_node_with_all_that_is_on_it_comes_and_goes),
        TEST(test_what_is_not_there_is_named),
        TEST(test_conditions_of_records_compare_their_index),
        TEST(test_verbs_that_nobody_knows),
        TEST(test_a_read_does_not_write),
        TEST(test_entries_of_one_batch_go_on_behind_a_transaction),
        cmocka_unit_test(test_running_out_of_memory_anywhere_leaves_all_as_it_was),
    };
    return cmocka_run_group_tests_name("apply_txn", tests, NULL, NULL);
}
