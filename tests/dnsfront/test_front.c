/* A front end as an object: its settings, its errors, and memory that runs out. */
#include "front_kit.h"

static void test_config_out_of_range_is_refused(void **state)
{
    (void)state;
    struct dnsfront_config cfg;
    struct dnsfront *d;
    dnsfront_config_init(&cfg);
    cfg.domain = text("a..b");
    assert_int_equal(dnsfront_create(&cfg, &d), DNSFRONT_EINVAL);
    assert_null(d);
    dnsfront_config_init(&cfg);
    cfg.udp_answer_limit = 0;
    assert_int_equal(dnsfront_create(&cfg, &d), DNSFRONT_EINVAL);
}

static void test_every_code_has_words_and_a_class(void **state)
{
    (void)state;
    for (int code = DNSFRONT_ENOBUFS; code <= DNSFRONT_ENOMEM; code++) {
        assert_string_not_equal(dnsfront_strerror(code), "unknown error");
        assert_int_not_equal(dnsfront_err_class(code), MU_CLASS_OK);
    }
}

/* Gives out `left` more pieces of memory. */
struct poor {
    size_t left, taken;
};

static void *poor_alloc(void *user, size_t size)
{
    struct poor *p = user;
    if (p->left == 0) {
        return NULL;
    }
    p->left--;
    p->taken++;
    return malloc(size);
}

static void *poor_realloc(void *user, void *old, size_t size)
{
    struct poor *p = user;
    if (p->left == 0) {
        return NULL;
    }
    p->left--;
    p->taken++;
    return realloc(old, size);
}

static void poor_free(void *user, void *p)
{
    (void)user;
    free(p);
}

/* A conversation with a chain; DNSFRONT_OK if it came to its end. */
static int chain_with(const struct mu_allocator *a)
{
    static uint8_t answer[65536];
    static const char *const records[] = {"ext.example. 200 IN A 198.51.100.1"};
    uint8_t query[512], reply[512];
    struct dnsfront_config cfg = default_config();
    cfg.recursion = true;
    cfg.allocator = a;
    struct dnsfront *d;
    int rc = dnsfront_create(&cfg, &d);
    if (rc != DNSFRONT_OK) {
        assert_null(d);
        return rc;
    }
    static struct dnsfront_instance web[400];
    for (int i = 0; i < 400; i++) {
        web[i] = instance("n1", "10.0.0.1", (uint16_t)i);
        web[i].service_address = i == 0 ? text("ext.example") : text("");
    }
    struct query_spec s = {.name = "web.service.consul.", .type = LDNS_RR_TYPE_SRV, .tcp = true};
    struct dnsfront_request r = {
        .bytes = query, .len = build_query(&s, query, sizeof query), .tcp = true};
    struct step steps[] = {
        {DNSFRONT_SERVICE, .instances = web, .count = 400},
        {DNSFRONT_RESOLVE, .message = reply,
         .message_len = build_reply("ext.example.", LDNS_RR_TYPE_A, 0, records, 1, reply, 512)}};
    struct dnsfront_query *q;
    rc = dnsfront_query_begin(d, &r, &q);
    if (rc == DNSFRONT_OK) {
        size_t len;
        for (size_t i = 0; dnsfront_query_lookup(q); i++) {
            supply_step(q, &steps[i]);
        }
        rc = dnsfront_query_answer(q, answer, sizeof answer, &len);
        dnsfront_query_end(q);
    }
    dnsfront_destroy(d);
    return rc;
}

static void test_memory_that_runs_out_anywhere_is_an_error(void **state)
{
    (void)state;
    struct poor p = {.left = SIZE_MAX};
    struct mu_allocator a = {&p, poor_alloc, poor_realloc, poor_free};
    assert_int_equal(chain_with(&a), DNSFRONT_OK);
    size_t all = p.taken;
    assert_true(all > 10);
    for (size_t n = 0; n < all; n++) {
        p.left = n;
        int rc = chain_with(&a);
        /* What only spares work later, like the keeping of the answer, may fail unseen. */
        assert_true(rc == DNSFRONT_ENOMEM || (rc == DNSFRONT_OK && n + 4 >= all));
    }
}

static void test_a_small_buffer_is_refused_with_the_size_needed(void **state)
{
    (void)state;
    uint8_t query[512], answer[1232];
    struct query_spec s = {
        .name = "0a010101.addr.consul.", .type = LDNS_RR_TYPE_A, .edns_size = 1232};
    struct dnsfront_request r = {.bytes = query, .len = build_query(&s, query, sizeof query)};
    struct dnsfront_query *q;
    size_t len;
    assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
    assert_int_equal(dnsfront_query_answer(q, answer, 1231, &len), DNSFRONT_ENOBUFS);
    assert_int_equal(len, 1232);
    assert_int_equal(dnsfront_query_answer(q, answer, len, &len), DNSFRONT_OK);
    dnsfront_query_end(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_out_of_range_is_refused),
        cmocka_unit_test(test_every_code_has_words_and_a_class),
        cmocka_unit_test(test_memory_that_runs_out_anywhere_is_an_error),
        cmocka_unit_test(test_a_small_buffer_is_refused_with_the_size_needed),
    };
    return cmocka_run_group_tests_name("front", tests, setup, teardown);
}
