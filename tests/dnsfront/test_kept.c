/* Mirrors src/kept.c: kept answers are what the ordinary path would have said, for as long as the
 * host says that nothing has changed, and within their bytes. */
#include "dns_kit.h"

#include <ctype.h>

enum { ANSWER = 65537, MANY = 12 };

struct host {
    size_t count;   /* of instances */
    uint64_t stamp; /* of what it finds */
    enum dnsfront_status status;
    bool ordered;
    bool says_unchanged;
    size_t asked;         /* how often whether something changed */
    uint64_t asked_stamp; /* ... and after what */
    char asked_name[64];
    size_t in_use, fail_at, allocations;
};
static struct host host;
static struct dnsfront *front;
static uint64_t version, randoms;

static uint64_t next_random(void) /* splitmix64 */
{
    uint64_t z = (randoms += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool unchanged(void *user, const struct dnsfront_lookup *l, uint64_t stamp)
{
    struct host *h = user;
    h->asked++;
    h->asked_stamp = stamp;
    snprintf(h->asked_name, sizeof h->asked_name, "%.*s", (int)l->name.len, l->name.p);
    return h->says_unchanged;
}

/* ---- Memory that is counted and can run out ---- */

static void *count_realloc(void *user, void *p, size_t size)
{
    struct host *h = user;
    size_t *old = p ? (size_t *)p - 2 : NULL;
    if (++h->allocations == h->fail_at) {
        return NULL;
    }
    size_t before = old ? *old : 0;
    size_t *block = realloc(old, size + 2 * sizeof(size_t));
    assert_non_null(block);
    *block = size;
    h->in_use += size - before;
    return block + 2;
}

static void *count_alloc(void *user, size_t size)
{
    return count_realloc(user, NULL, size);
}

static void count_free(void *user, void *p)
{
    struct host *h = user;
    size_t *block = (size_t *)p - 2;
    h->in_use -= *block;
    free(block);
}

static const struct mu_allocator counted = {&host, count_alloc, count_realloc, count_free};

/* ---- Asking ---- */

static void open_front(size_t bytes, uint16_t udp_size_max)
{
    struct dnsfront_config cfg;
    dnsfront_config_init(&cfg);
    cfg.kept_bytes_max = bytes;
    cfg.udp_size_max = udp_size_max;
    cfg.unchanged = unchanged;
    cfg.unchanged_user = &host;
    cfg.allocator = &counted;
    dnsfront_destroy(front);
    assert_int_equal(dnsfront_create(&cfg, &front), DNSFRONT_OK);
}

static int setup(void **state)
{
    (void)state;
    host = (struct host){.count = 1, .stamp = 7};
    version = 1;
    randoms = 0;
    front = NULL;
    open_front(1u << 20, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dnsfront_destroy(front);
    assert_int_equal(host.in_use, 0);
    return 0;
}

static struct dnsfront_request request(const uint8_t *bytes, size_t len, bool tcp)
{
    return (struct dnsfront_request){.bytes = bytes,
                                     .len = len,
                                     .tcp = tcp,
                                     .now_unix_s = 1700000000,
                                     .random = next_random(),
                                     .version = version};
}

static bool kept(const uint8_t *bytes, size_t len, bool tcp, uint8_t *out, size_t *out_len)
{
    struct dnsfront_request r = request(bytes, len, tcp);
    return dnsfront_answer_kept(front, &r, out, ANSWER, out_len);
}

static int build_with(struct dnsfront *d, const struct dnsfront_request *r, uint8_t *out,
                      size_t *out_len)
{
    static char names[MANY][32], addresses[MANY][32];
    struct dnsfront_instance i[MANY];
    struct dnsfront_query *q;
    int rc = dnsfront_query_begin(d, r, &q);
    if (rc != DNSFRONT_OK) {
        return rc;
    }
    for (size_t k = 0; k < host.count; k++) {
        snprintf(names[k], sizeof names[k], "node-%02zu", k);
        snprintf(addresses[k], sizeof addresses[k], "10.0.0.%zu", k + 1);
        i[k] = instance(names[k], addresses[k], (uint16_t)(8000 + k));
    }
    while (dnsfront_query_lookup(q)) {
        dnsfront_query_supply(q, &(struct dnsfront_found){.size = sizeof(struct dnsfront_found),
                                                          .status = host.status,
                                                          .instances = i,
                                                          .count = host.count,
                                                          .ordered = host.ordered,
                                                          .stamp = host.stamp});
    }
    rc = dnsfront_query_answer(q, out, ANSWER, out_len);
    dnsfront_query_end(q);
    return rc;
}

static void build(const uint8_t *bytes, size_t len, bool tcp, uint8_t *out, size_t *out_len)
{
    struct dnsfront_request r = request(bytes, len, tcp);
    assert_int_equal(build_with(front, &r, out, out_len), DNSFRONT_OK);
}

/* As a front says that keeps nothing. */
static void build_afresh(const uint8_t *bytes, size_t len, bool tcp, uint8_t *out, size_t *out_len)
{
    struct dnsfront_config cfg;
    struct dnsfront *plain;
    dnsfront_config_init(&cfg);
    cfg.kept_bytes_max = 0;
    assert_int_equal(dnsfront_create(&cfg, &plain), DNSFRONT_OK);
    struct dnsfront_request r = request(bytes, len, tcp);
    assert_int_equal(build_with(plain, &r, out, out_len), DNSFRONT_OK);
    dnsfront_destroy(plain);
}

static uint8_t query[512], answer[ANSWER], fresh[ANSWER];
static size_t query_len, answer_len, fresh_len;

static void make(const char *name, ldns_rr_type type, uint16_t edns_size)
{
    query_len = build_query(
        &(struct query_spec){.name = name, .type = (uint16_t)type, .edns_size = edns_size}, query,
        sizeof query);
}

static bool is_kept(bool tcp)
{
    return kept(query, query_len, tcp, answer, &answer_len);
}

static void fill(bool tcp)
{
    build(query, query_len, tcp, answer, &answer_len);
}

static void assert_kept_like_fresh(bool tcp)
{
    assert_true(is_kept(tcp));
    build_afresh(query, query_len, tcp, fresh, &fresh_len);
    assert_int_equal(answer_len, fresh_len);
    assert_memory_equal(answer, fresh, fresh_len);
}

/* ---- What is said ---- */

static void test_second_answer_is_kept_and_the_same(void **state)
{
    (void)state;
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_A,   LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_SRV,
                                         LDNS_RR_TYPE_ANY, LDNS_RR_TYPE_NS,   LDNS_RR_TYPE_SOA};
    static const uint16_t sizes[] = {0, 512, 1232, 4096};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes * 2; k++) {
            make("web.service.consul.", types[i], sizes[k / 2]);
            if (k / 2 != 3 && k != 5) { /* complete answers hold for several sizes, TCP's for all */
                assert_false(is_kept(k % 2));
            }
            fill(k % 2);
            assert_kept_like_fresh(k % 2);
        }
    }
}

static void test_id_flags_case_and_size_are_the_clients(void **state)
{
    (void)state;
    make("web.service.consul.", LDNS_RR_TYPE_A, 1232);
    fill(false);
    make("wEB.Service.consuL.", LDNS_RR_TYPE_A, 3000);
    query[0] = 0xab;
    query[1] = 0xcd;
    query[2] ^= 1;                         /* RD */
    query[3] = (uint8_t)(query[3] | 0x10); /* CD */
    assert_kept_like_fresh(false);
    assert_int_equal(answer[0], 0xab);
    assert_int_equal(answer[3] & 0x10, 0x10);
}

static void test_other_case_is_not_served_where_compression_would_differ(void **state)
{
    (void)state;
    make("web.service.consul.", LDNS_RR_TYPE_AAAA, 0); /* no data: the SOA's owner is "consul" */
    fill(false);
    assert_kept_like_fresh(false);
    make("web.service.CONSUL.", LDNS_RR_TYPE_AAAA, 0);
    assert_false(is_kept(false));
    fill(false);
    assert_false(is_kept(false));
}

static void test_serial_is_the_time(void **state)
{
    (void)state;
    make("web.service.consul.", LDNS_RR_TYPE_AAAA, 0);
    fill(false);
    struct dnsfront_request r = request(query, query_len, false);
    r.now_unix_s = 1800000000;
    assert_true(dnsfront_answer_kept(front, &r, answer, sizeof answer, &answer_len));
    assert_int_equal(build_with(front, &r, fresh, &fresh_len), DNSFRONT_OK);
    assert_int_equal(answer_len, fresh_len);
    assert_memory_equal(answer, fresh, fresh_len);
}

/* ---- For how long ---- */

static void test_other_version_is_asked_about_once(void **state)
{
    (void)state;
    make("web.service.consul.", LDNS_RR_TYPE_A, 0);
    fill(false);
    assert_true(is_kept(false));
    assert_int_equal(host.asked, 0);
    version = 2;
    host.says_unchanged = true;
    assert_true(is_kept(false));
    assert_true(is_kept(false));
    assert_int_equal(host.asked, 1);
    assert_int_equal(host.asked_stamp, 7);
    assert_string_equal(host.asked_name, "web");
}

static void test_what_changed_is_forgotten(void **state)
{
    (void)state;
    make("web.service.consul.", LDNS_RR_TYPE_A, 0);
    fill(false);
    version = 2;
    assert_false(is_kept(false));
    version = 1; /* gone for good */
    assert_false(is_kept(false));
    host.count = 2;
    host.stamp = 8;
    fill(false);
    while (!is_kept(false)) {
        fill(false);
    }
    assert_int_equal(answer[7], 2);
}

static void test_answer_with_another_stamp_takes_the_place(void **state)
{
    (void)state;
    make("web.service.consul.", LDNS_RR_TYPE_A, 0);
    fill(false);
    host.count = 0;
    host.stamp = 8;
    fill(false);
    assert_true(is_kept(false));
    assert_int_equal(answer[3] & 15, LDNS_RCODE_NXDOMAIN);
}

static void test_without_stamp_nothing_is_kept(void **state)
{
    (void)state;
    host.stamp = 0;
    make("web.service.consul.", LDNS_RR_TYPE_A, 0);
    fill(false);
    assert_false(is_kept(false));
}

static void test_failure_is_not_kept(void **state)
{
    (void)state;
    host.status = DNSFRONT_FAILED;
    make("web.service.consul.", LDNS_RR_TYPE_A, 0);
    fill(false);
    assert_false(is_kept(false));
}

/* ---- To whom ---- */

static void test_unusual_questions_are_for_the_ordinary_path(void **state)
{
    (void)state;
    make("web.service.consul.", LDNS_RR_TYPE_A, 1232);
    fill(false);
    assert_true(is_kept(false));
    for (size_t len = 0; len < query_len; len++) {
        assert_false(kept(query, len, false, answer, &answer_len));
    }
    assert_false(kept(query, query_len + 1, false, answer, &answer_len));
    assert_false(is_kept(true));
    static const struct {
        size_t at_end; /* from the end of the query */
        uint8_t with;
    } edits[] = {{11, 3}, {5, 1}, {9, 42}};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        make("web.service.consul.", LDNS_RR_TYPE_A, 1232);
        query[query_len - edits[i].at_end] = edits[i].with;
        assert_false(is_kept(false));
    }
    make("web.service.consul.", LDNS_RR_TYPE_A, 1232);
    query[2] |= 0x80; /* an answer */
    assert_false(is_kept(false));
    query[2] = 0x08; /* another opcode */
    assert_false(is_kept(false));
    query[2] = 1;
    query[5] = 2;
    assert_false(is_kept(false));
}

/* To the OPT record that ends the query; `before` are the bytes of its options so far. */
static void append_option(uint16_t code, const uint8_t *body, uint8_t len, size_t before)
{
    const uint8_t head[4] = {(uint8_t)(code >> 8), (uint8_t)code, 0, len};
    query[query_len - before - 1] = (uint8_t)(before + 4 + len);
    memcpy(query + query_len, head, 4);
    memcpy(query + query_len + 4, body, len);
    query_len += 4u + len;
}

static void test_options_that_mean_nothing_do_not_matter_but_a_subnet_does(void **state)
{
    (void)state;
    static const uint8_t cookie[8] = {1, 2, 3, 4, 5, 6, 7, 8}, subnet[7] = {0, 1, 24, 0, 10, 0, 0};
    make("web.service.consul.", LDNS_RR_TYPE_A, 1232);
    fill(false);
    append_option(10, cookie, sizeof cookie, 0);
    assert_kept_like_fresh(false);
    append_option(8, subnet, sizeof subnet, 4 + sizeof cookie);
    assert_false(is_kept(false));
    fill(false);
    assert_false(is_kept(false));
}

static void test_complete_answer_serves_all_sizes_that_hold_it(void **state)
{
    (void)state;
    host.count = MANY;
    host.ordered = true;
    make("web.service.consul.", LDNS_RR_TYPE_SRV, 4096);
    fill(false);
    size_t whole = answer_len;
    assert_true(whole > 520 && whole < 4000);
    for (uint16_t size = 500; size < 4096; size = (uint16_t)(size + 13)) {
        make("web.service.consul.", LDNS_RR_TYPE_SRV, size);
        build_afresh(query, query_len, false, fresh, &fresh_len);
        assert_true(is_kept(false) == (size >= whole));
        if (size >= whole) {
            assert_kept_like_fresh(false);
        }
    }
}

static void test_cut_answer_is_kept_for_usual_sizes_alone(void **state)
{
    (void)state;
    host.count = MANY;
    host.ordered = true;
    open_front(1u << 20, 600);
    for (uint16_t size = 1229; size < 1235; size++) {
        make("web.service.consul.", LDNS_RR_TYPE_SRV, size);
        fill(false);
        assert_true(answer_len <= 600);
        assert_true(is_kept(false)); /* 600 is what the operator set */
    }
    struct dnsfront_stats st = {.size = sizeof st};
    dnsfront_stats(front, &st);
    assert_int_equal(st.kept_answers, 1);
    open_front(1u << 20, 0);
    make("web.service.consul.", LDNS_RR_TYPE_SRV, 700);
    fill(false);
    assert_false(is_kept(false));
}

/* ---- Order ---- */

static size_t ask_any(bool tcp)
{
    if (!is_kept(tcp)) {
        fill(tcp);
        return 0;
    }
    return 1;
}

/* Over many answers each instance comes first about equally often, also where three of twelve are
 * said, and is followed by all others. */
static void check_fairness(uint16_t edns_size, unsigned answers)
{
    enum { ROUNDS = 24000 };
    unsigned first[MANY] = {0}, pairs[MANY][MANY] = {{0}};
    size_t hits = 0, seen = 0;
    host.count = MANY;
    make("web.service.consul.", LDNS_RR_TYPE_A, edns_size);
    for (int i = 0; i < ROUNDS; i++) {
        hits += ask_any(false);
        assert_int_equal(answer[7], answers);
        unsigned a = answer[query_len - (edns_size ? 11 : 0) + 15] - 1u;
        unsigned b = answer[query_len - (edns_size ? 11 : 0) + 31] - 1u;
        first[a]++;
        pairs[a][b]++;
    }
    assert_true(hits > ROUNDS * 9 / 10);
    for (size_t i = 0; i < MANY; i++) {
        assert_in_range(first[i], ROUNDS / MANY * 85 / 100, ROUNDS / MANY * 115 / 100);
        for (size_t k = 0; k < MANY; k++) {
            seen += pairs[i][k] > 0;
        }
    }
    assert_true(seen > MANY * (MANY - 1) * 8 / 10); /* neighbours change, too */
}

static void test_first_places_are_shared_equally(void **state)
{
    (void)state;
    check_fairness(4096, MANY);
}

static void test_first_places_are_shared_equally_among_few_of_many(void **state)
{
    (void)state;
    check_fairness(0, 3);
}

/* Each order is one that the ordinary path writes: equal sets and sizes. */
static void test_orders_hold_the_same_records(void **state)
{
    (void)state;
    host.count = 10;
    make("web.service.consul.", LDNS_RR_TYPE_SRV, 4096);
    build_afresh(query, query_len, false, fresh, &fresh_len);
    ldns_pkt *want;
    assert_int_equal(ldns_wire2pkt(&want, fresh, fresh_len), LDNS_STATUS_OK);
    ldns_rr_list_sort(ldns_pkt_answer(want));
    ldns_rr_list_sort(ldns_pkt_additional(want));
    for (int i = 0; i < 2000; i++) {
        ldns_pkt *p;
        ask_any(false);
        assert_int_equal(answer_len, fresh_len);
        assert_int_equal(ldns_wire2pkt(&p, answer, answer_len), LDNS_STATUS_OK);
        ldns_rr_list_sort(ldns_pkt_answer(p));
        ldns_rr_list_sort(ldns_pkt_additional(p));
        assert_int_equal(ldns_rr_list_compare(ldns_pkt_answer(p), ldns_pkt_answer(want)), 0);
        assert_int_equal(ldns_rr_list_compare(ldns_pkt_additional(p), ldns_pkt_additional(want)),
                         0);
        ldns_pkt_free(p);
    }
    ldns_pkt_free(want);
}

/* ---- Room ---- */

static void ask_name(size_t i)
{
    char name[64];
    snprintf(name, sizeof name, "n%zu.service.consul.", i);
    make(name, LDNS_RR_TYPE_A, 0);
    ask_any(false);
}

static void check_flood(size_t bytes, size_t names)
{
    size_t before = host.in_use;
    struct dnsfront_stats st = {.size = sizeof st};
    for (size_t i = 0; i < names; i++) {
        ask_name(i);
        dnsfront_stats(front, &st);
        assert_true(st.kept_bytes <= bytes);
        /* What finished queries keep for reuse is not much */
        assert_true(host.in_use - before <= bytes + 32768);
    }
    assert_true(st.kept_answers > 20);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    open_front(200000, 0);
    check_flood(200000, 50000);
}

/* coredns#7956: what is not there must not hide what is. */
static void test_unknown_names_do_not_push_out_known_ones(void **state)
{
    (void)state;
    open_front(200000, 0);
    make("web.service.consul.", LDNS_RR_TYPE_A, 0);
    fill(false);
    host.count = 0;
    check_flood(200000, 20000);
    make("web.service.consul.", LDNS_RR_TYPE_A, 0);
    assert_true(is_kept(false));
    ask_name(19999);
    assert_true(is_kept(false)); /* negative answers are kept, too */
}

static void test_what_is_used_stays(void **state)
{
    (void)state;
    open_front(200000, 0);
    for (size_t i = 1; i < 20000; i++) {
        ask_name(i);
        make("web.service.consul.", LDNS_RR_TYPE_A, 0);
        assert_true(ask_any(false) || i == 1);
    }
}

static void test_out_of_memory_only_costs_the_keeping(void **state)
{
    (void)state;
    host.count = MANY;
    for (size_t fail = 1; fail < 60; fail++) {
        open_front(1u << 20, 0);
        host.allocations = 0;
        host.fail_at = fail;
        make("web.service.consul.", LDNS_RR_TYPE_SRV, 4096);
        for (int i = 0; i < 40; i++) {
            struct dnsfront_request r = request(query, query_len, false);
            if (!is_kept(false)) {
                int rc = build_with(front, &r, answer, &answer_len);
                assert_true(rc == DNSFRONT_OK || rc == DNSFRONT_ENOMEM);
            }
        }
        host.fail_at = 0;
        assert_int_equal(answer[7], MANY);
    }
}

static void test_no_room_at_all_is_fine(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 4000; bytes += 37) {
        open_front(bytes, 0);
        host.count = MANY;
        make("web.service.consul.", LDNS_RR_TYPE_SRV, 4096);
        for (int i = 0; i < 20; i++) {
            ask_any(false);
        }
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_second_answer_is_kept_and_the_same),
        T(test_id_flags_case_and_size_are_the_clients),
        T(test_other_case_is_not_served_where_compression_would_differ),
        T(test_serial_is_the_time),
        T(test_other_version_is_asked_about_once),
        T(test_what_changed_is_forgotten),
        T(test_answer_with_another_stamp_takes_the_place),
        T(test_without_stamp_nothing_is_kept),
        T(test_failure_is_not_kept),
        T(test_unusual_questions_are_for_the_ordinary_path),
        T(test_options_that_mean_nothing_do_not_matter_but_a_subnet_does),
        T(test_complete_answer_serves_all_sizes_that_hold_it),
        T(test_cut_answer_is_kept_for_usual_sizes_alone),
        T(test_first_places_are_shared_equally),
        T(test_first_places_are_shared_equally_among_few_of_many),
        T(test_orders_hold_the_same_records),
        T(test_memory_is_bounded),
        T(test_unknown_names_do_not_push_out_known_ones),
        T(test_what_is_used_stays),
        T(test_out_of_memory_only_costs_the_keeping),
        T(test_no_room_at_all_is_fine),
    };
    return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
