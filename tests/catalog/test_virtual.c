/* Mirrors src/tables_virtual.c and src/query_virtual.c: which service has which virtual address. */
#include "fixture.h"

static const char *address_of(struct fixture *f, const char *service)
{
    static char text[2][32];
    static int turn;
    struct catalog_service_request request = {.service_name = mu__cstr(service)};
    struct catalog_virtual_ip out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_virtual_ip(f->r, &request, &out, NULL), 0);
    turn = !turn;
    snprintf(text[turn], sizeof *text, "%.*s", (int)out.address.len,
             out.address.p ? out.address.p : "");
    catalog_read_end(f->r);
    return text[turn];
}

static uint64_t index_of(struct fixture *f, const char *service)
{
    struct catalog_service_request request = {.service_name = mu__cstr(service)};
    struct catalog_virtual_ip out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_virtual_ip(f->r, &request, &out, NULL), 0);
    catalog_read_end(f->r);
    return out.index;
}

static void add(struct fixture *f, const char *id, struct catalog_node_service s)
{
    s.id = mu__cstr(id);
    apply_register(f, (struct catalog_register_request){
                          .node = S("n"), .address = S("10.0.0.1"), .service = &s});
    assert_done(f);
    catalog__check(f->c);
}

static void add_proxy(struct fixture *f, const char *id, const char *of)
{
    add(f, id,
        (struct catalog_node_service){.service = S("proxy"),
                                      .kind = S("connect-proxy"),
                                      .port = 1,
                                      .proxy = {.destination_service_name = mu__cstr(of)}});
}

static void drop(struct fixture *f, const char *id)
{
    apply_deregister(
        f, (struct catalog_deregister_request){.node = S("n"), .service_id = mu__cstr(id)});
    assert_done(f);
    catalog__check(f->c);
}

static void test_the_lowest_free_address_is_given_while_anything_speaks_for_the_name(void **state)
{
    struct fixture *f = *state;
    add(f, "plain", (struct catalog_node_service){.service = S("web")});
    assert_string_equal(address_of(f, "web"), "");
    add_proxy(f, "p1", "web");
    add_proxy(f, "p2", "Web");
    add_proxy(f, "p3", "db");
    add(f, "native",
        (struct catalog_node_service){.service = S("api"), .connect = {.native = true}});
    assert_string_equal(address_of(f, "WEB"), "240.0.0.1");
    assert_string_equal(address_of(f, "db"), "240.0.0.2");
    assert_string_equal(address_of(f, "api"), "240.0.0.3");
    assert_string_equal(address_of(f, "proxy"), "");
    drop(f, "plain");
    drop(f, "p1");
    assert_string_equal(address_of(f, "web"), "240.0.0.1"); /* p2 speaks for it */
    drop(f, "p2");
    assert_string_equal(address_of(f, "web"), "");
    add_proxy(f, "p4", "cache");
    add_proxy(f, "p5", "web");
    assert_string_equal(address_of(f, "cache"), "240.0.0.1");
    assert_string_equal(address_of(f, "web"), "240.0.0.4");
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n")});
    assert_string_equal(address_of(f, "api"), "");
    assert_string_equal(address_of(f, "web"), "");
    add_proxy(f, "p1", "new");
    assert_string_equal(address_of(f, "new"), "240.0.0.1");
}

static void test_a_proxy_that_turns_to_another_service_gives_both_their_due(void **state)
{
    struct fixture *f = *state;
    add_proxy(f, "p", "web");
    uint64_t before = index_of(f, "web");
    add_proxy(f, "p", "db"); /* the address of web is free only afterwards */
    assert_string_equal(address_of(f, "db"), "240.0.0.2");
    assert_string_equal(address_of(f, "web"), "");
    assert_true(index_of(f, "web") > before);
    before = index_of(f, "db");
    add_proxy(f, "q", "db"); /* nothing new */
    assert_int_equal(index_of(f, "db"), before);
}

static void test_what_a_refused_transaction_gave_is_taken_back(void **state)
{
    struct fixture *f = *state;
    struct catalog_txn_service_op proxy = {
        .verb = S("set"),
        .node = S("n"),
        .service = {.id = S("p2"),
                    .service = S("proxy"),
                    .kind = S("connect-proxy"),
                    .port = 1,
                    .proxy = {.destination_service_name = S("db")}}};
    struct catalog_txn_kv_op fails = {.verb = S("check-index"),
                                      .dir_ent = {.key = S("k"), .modify_index = 7}};
    struct catalog_txn_op ops[] = {{.service = &proxy}, {.kv = &fails}};
    void *list[] = {&ops[0], &ops[1]};
    struct catalog_txn_request r = {.ops = {list, 2}};
    add_proxy(f, "p", "web");
    apply(f, CATALOG_ENTRY_TXN, CATALOG_TXN_REQUEST, &r);
    assert_string_equal(address_of(f, "db"), "");
    catalog__check(f->c);
    add_proxy(f, "p3", "api");
    assert_string_equal(address_of(f, "api"), "240.0.0.2");
}

/* ---- Snapshots ---- */

struct bytes {
    struct mu__writer w;
    size_t at;
};

static int write_bytes(void *user, const void *data, size_t len)
{
    struct bytes *b = user;
    mu__write_bytes(&b->w, data, len);
    return 0;
}

static int read_bytes(void *user, void *buf, size_t *len)
{
    struct bytes *b = user;
    *len = mu__min(*len, b->w.len - b->at);
    memcpy(buf, b->w.data + b->at, *len);
    b->at += *len;
    return 0;
}

static void save(struct fixture *f, struct bytes *b)
{
    *b = (struct bytes){.w = mu__writer_growing(&mu__malloc_allocator)};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_snapshot_write(f->r, write_bytes, b), 0);
    catalog_read_end(f->r);
}

#define VIRTUAL 129 /* type of the record */

/* A snapshot with its records of virtual addresses changed by `edit`: false leaves the record out.
 * It gets the record's body, to be changed in place. */
static struct bytes edited(const struct bytes *from, bool (*edit)(unsigned n, uint8_t *, size_t))
{
    struct bytes out = {.w = mu__writer_growing(&mu__malloc_allocator)};
    size_t at = 16;
    unsigned n = 0, dropped = 0;
    mu__write_bytes(&out.w, from->w.data, at);
    while (at < from->w.len) {
        uint8_t *p = from->w.data + at;
        size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        at += 5 + len;
        if (p[0] == VIRTUAL && !edit(n++, p + 5, len)) {
            dropped++;
            continue;
        }
        if (p[0] == 0) { /* the end: a map with one small number, how many records there were */
            p[4 + len] = (uint8_t)(p[4 + len] - dropped);
        }
        mu__write_bytes(&out.w, p, 5 + len);
    }
    return out;
}

static int restore(struct fixture *f, struct bytes *b)
{
    b->at = 0;
    int rc = catalog_restore(f->c, read_bytes, b, NULL);
    catalog__check(f->c);
    return rc;
}

static bool leave_out(unsigned n, uint8_t *body, size_t len)
{
    (void)n, (void)body, (void)len;
    return false;
}

static bool gap(unsigned n, uint8_t *body, size_t len)
{
    (void)body, (void)len;
    return n != 0;
}

/* The body ends with the name. */
static bool same_name(unsigned n, uint8_t *body, size_t len)
{
    (void)n;
    memcpy(body + len - 2, "db", 2);
    return true;
}

static bool stranger(unsigned n, uint8_t *body, size_t len)
{
    memcpy(body + len - 2, n ? "zz" : "db", 2);
    return true;
}

static void test_a_snapshot_has_them_and_one_that_lacks_them_gives_them_anew(void **state)
{
    struct fixture *f = *state;
    struct bytes saved, again;
    add_proxy(f, "p0", "x1");
    add_proxy(f, "p1", "we");
    add_proxy(f, "p2", "db");
    drop(f, "p0"); /* 1 is free, 2 is we's and 3 db's */
    save(f, &saved);
    assert_int_equal(restore(f, &saved), 0);
    assert_string_equal(address_of(f, "we"), "240.0.0.2");
    assert_string_equal(address_of(f, "db"), "240.0.0.3");
    save(f, &again);
    assert_int_equal(saved.w.len, again.w.len);
    assert_memory_equal(saved.w.data, again.w.data, saved.w.len);
    f->index = 50;
    add_proxy(f, "p3", "x1");
    assert_string_equal(address_of(f, "x1"), "240.0.0.1");
    struct bytes old = edited(&saved, leave_out);
    assert_int_equal(restore(f, &old), 0);
    assert_string_equal(address_of(f, "db"), "240.0.0.1"); /* by name */
    assert_string_equal(address_of(f, "we"), "240.0.0.2");
    mu__writer_fini(&old.w);
    mu__writer_fini(&saved.w);
    mu__writer_fini(&again.w);
}

static void test_a_snapshot_with_impossible_addresses_is_refused(void **state)
{
    struct fixture *f = *state;
    bool (*const edits[])(unsigned, uint8_t *, size_t) = {gap, same_name, stranger};
    add_proxy(f, "p1", "we");
    add_proxy(f, "p2", "db");
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct bytes saved;
        save(f, &saved);
        struct bytes bad = edited(&saved, edits[i]);
        assert_int_equal(restore(f, &bad), CATALOG_ESNAPSHOT);
        assert_string_equal(address_of(f, "we"), "240.0.0.1");
        mu__writer_fini(&bad.w);
        mu__writer_fini(&saved.w);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_lowest_free_address_is_given_while_anything_speaks_for_the_name),
        TEST(test_a_proxy_that_turns_to_another_service_gives_both_their_due),
        TEST(test_what_a_refused_transaction_gave_is_taken_back),
        TEST(test_a_snapshot_has_them_and_one_that_lacks_them_gives_them_anew),
        TEST(test_a_snapshot_with_impossible_addresses_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
