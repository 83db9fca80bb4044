/* Mirrors daemons/rpc/snapshot_wire.c. */
#include "mu_test.h"

#include "msgpack.h"
#include "rpc/snapshot_wire.h"
#include "schema.h"

static const struct snapshot_request full = {.op = SNAPSHOT_RESTORE,
                                             .allow_stale = true,
                                             .datacenter = {"dc1", 3},
                                             .token = {"secret", 6},
                                             .forwarded = true};

static void test_a_request_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t used;
    for (int forwarded = 0; forwarded < 2; forwarded++) {
        struct snapshot_request q = full, got;
        q.forwarded = forwarded;
        struct mu__writer w = mu__writer_fixed((char *)bytes, sizeof bytes - 1);
        snapshot_write_request(&w, &q);
        assert_false(w.failed);
        size_t len = w.len;
        bytes[len] = 0x1f; /* the archive follows */
        assert_int_equal(snapshot_read_request(bytes, len + 1, &got, &used), SNAPSHOT_READ);
        assert_int_equal(used, len);
        assert_int_equal(got.op, SNAPSHOT_RESTORE);
        assert_true(got.allow_stale);
        assert_true(mu__str_eq(got.datacenter, q.datacenter) && mu__str_eq(got.token, q.token));
        assert_int_equal(got.forwarded, forwarded);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(snapshot_read_request(bytes, cut, &got, &used), SNAPSHOT_MORE);
        }
    }
}

static void test_a_response_comes_back_as_it_was(void **state)
{
    (void)state;
    char bytes[512];
    size_t used;
    struct snapshot_response got,
        p = {.error = {"no leader", 9},
             .meta = {.index = UINT64_MAX, .known_leader = true, .last_contact_ns = 1500000}};
    struct mu__writer w = mu__writer_fixed(bytes, sizeof bytes);
    snapshot_write_response(&w, &p);
    assert_int_equal(snapshot_read_response(bytes, w.len, &got, &used), SNAPSHOT_READ);
    assert_int_equal(used, w.len);
    assert_true(mu__str_eq(got.error, p.error));
    assert_true(got.meta.index == UINT64_MAX && got.meta.known_leader);
    assert_int_equal(got.meta.last_contact_ns, 1500000);
    for (size_t cut = 0; cut < w.len; cut++) {
        assert_int_equal(snapshot_read_response(bytes, cut, &got, &used), SNAPSHOT_MORE);
    }
}

static void test_keys_that_are_not_known_are_skipped_and_those_missing_are_zero(void **state)
{
    (void)state;
    char bytes[512];
    size_t used;
    struct snapshot_request q;
    struct mu__writer w = mu__writer_fixed(bytes, sizeof bytes);
    mu__mp_write_map(&w, 3);
    mu__mp_write_cstr(&w, "New");
    mu__mp_write_array(&w, 2);
    mu__mp_write_nil(&w);
    mu__mp_write_map(&w, 0);
    mu__mp_write_cstr(&w, "Op");
    mu__mp_write_int(&w, 7);
    mu__mp_write_cstr(&w, "Token");
    mu__mp_write_nil(&w);
    assert_int_equal(snapshot_read_request(bytes, w.len, &q, &used), SNAPSHOT_READ);
    assert_int_equal(q.op, 7); /* whether that is one is for others to say */
    assert_int_equal(q.token.len, 0);
    assert_false(q.allow_stale);
    struct snapshot_response p;
    assert_int_equal(snapshot_read_response("\x80", 1, &p, &used), SNAPSHOT_READ);
    assert_int_equal(p.meta.index, 0);
    assert_int_equal(p.error.len, 0);
}

static void test_what_is_no_message_is_refused(void **state)
{
    (void)state;
    struct snapshot_request q;
    struct snapshot_response p;
    size_t used;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x90", 1},                      /* an array */
        {"\xc0", 1},                      /* nil */
        {"GET / HTTP/1.1", 14},           /* a client who is lost */
        {"\x81\xa2Op\xa1x", 6},           /* text for a number */
        {"\x81\xa5Token\x01", 8},         /* a number for text */
        {"\x81\x01\x01", 3},              /* a key that is none */
        {"\x81\xa5Index\xff", 8},         /* of a response: below zero */
        {"\x81\xabKnownLeader\xa1y", 15}, /* likewise: text for a bool */
        {"\x81\xa5"
         "Error\xc3",
         8}, /* likewise: a bool for text */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool read_request =
            snapshot_read_request(bad[i].bytes, bad[i].len, &q, &used) == SNAPSHOT_READ;
        bool read_response =
            snapshot_read_response(bad[i].bytes, bad[i].len, &p, &used) == SNAPSHOT_READ;
        assert_false(read_request && read_response); /* either knows only its own keys */
        if (i < 3 || i == 5) {
            assert_int_equal(snapshot_read_request(bad[i].bytes, bad[i].len, &q, &used),
                             SNAPSHOT_BAD);
        }
    }
}

static void test_a_length_that_lies_ends_with_the_limit(void **state)
{
    (void)state;
    static char bytes[SNAPSHOT_MESSAGE_MAX];
    struct snapshot_request q;
    size_t used;
    memcpy(bytes, "\x81\xa5Token\xdb\x7f\xff\xff\xff", 12); /* two gigabytes are to follow */
    assert_int_equal(snapshot_read_request(bytes, sizeof bytes - 1, &q, &used), SNAPSHOT_MORE);
    assert_int_equal(snapshot_read_request(bytes, sizeof bytes, &q, &used), SNAPSHOT_BAD);
    memset(bytes, 0x81, sizeof bytes); /* maps in maps in maps */
    assert_int_equal(snapshot_read_request(bytes, sizeof bytes, &q, &used), SNAPSHOT_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_comes_back_as_it_was),
        cmocka_unit_test(test_a_response_comes_back_as_it_was),
        cmocka_unit_test(test_keys_that_are_not_known_are_skipped_and_those_missing_are_zero),
        cmocka_unit_test(test_what_is_no_message_is_refused),
        cmocka_unit_test(test_a_length_that_lies_ends_with_the_limit),
    };
    return cmocka_run_group_tests_name("snapshot_wire", tests, NULL, NULL);
}
