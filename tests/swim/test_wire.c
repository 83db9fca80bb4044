/* Mirrors src/wire.c, wire_fields.c, wire_serf.c, wire_state.c: what peers may send besides the
 * canonical form, and what they must not. The canonical forms are in test_vectors.c. */
#include "mu_test.h"

#include "wire_serf.h"

#include <math.h>

static bool decode(struct mu__writer *w, struct swim__msg *out)
{
    assert_false(w->failed);
    uint8_t *exact = malloc(w->len);
    memcpy(exact, w->data, w->len);
    bool ok = swim__msg_decode(exact, w->len, out);
    free(exact);
    mu__writer_fini(w);
    return ok;
}

static struct mu__writer nack_with(const char *key)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_u8(&w, SWIM__MSG_NACK);
    mu__mp_write_map(&w, 1);
    mu__mp_write_cstr(&w, key);
    return w;
}

static void test_unknown_keys_are_skipped_and_missing_ones_are_zero(void **state)
{
    (void)state;
    struct swim__msg m;
    struct mu__writer w = nack_with("Future");
    mu__mp_write_array(&w, 2);
    mu__mp_write_map(&w, 1);
    mu__mp_write_cstr(&w, "deep");
    mu__mp_write_float(&w, 1.5);
    mu__mp_write_nil(&w);
    assert_true(decode(&w, &m));
    assert_int_equal(m.nack.seq_no, 0);
}

static void test_keys_are_case_sensitive(void **state)
{
    (void)state;
    struct swim__msg m;
    struct mu__writer w = nack_with("seqno");
    mu__mp_write_uint(&w, 7);
    assert_true(decode(&w, &m));
    assert_int_equal(m.nack.seq_no, 0);
}

static void test_integers_of_any_width_fit_or_fail(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        bool ok;
        uint32_t value;
    } cases[] = {
        {"\xcf\0\0\0\0\0\0\0\x05", 9, true, 5},
        {"\xd1\x01\x00", 3, true, 256},
        {"\xd3\0\0\0\0\xff\xff\xff\xff", 9, true, UINT32_MAX},
        {"\xcf\0\0\0\x01\0\0\0\0", 9, false, 0},
        {"\xff", 1, false, 0},
        {"\xcb\x3f\xf0\0\0\0\0\0\0", 9, false, 0},
        {"\xc0", 1, true, 0},
        {"\xa1"
         "5",
         2, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct swim__msg m;
        struct mu__writer w = nack_with("SeqNo");
        mu__write_bytes(&w, cases[i].bytes, cases[i].len);
        assert_int_equal(decode(&w, &m), cases[i].ok);
        if (cases[i].ok) {
            assert_int_equal(m.nack.seq_no, cases[i].value);
        }
    }
}

static void test_text_may_be_str8_but_not_bin(void **state)
{
    (void)state;
    struct swim__msg m;
    for (int bin = 0; bin < 2; bin++) {
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        mu__write_u8(&w, SWIM__MSG_DEAD);
        mu__mp_write_map(&w, 1);
        mu__mp_write_cstr(&w, "Node");
        mu__write_bytes(&w, bin ? "\xc4\x01x" : "\xd9\x01x", 3);
        assert_int_equal(decode(&w, &m), !bin);
    }
}

static void test_every_cut_of_a_message_is_refused(void **state)
{
    (void)state;
    struct swim__msg m = {.type = SWIM__MSG_ALIVE}, out;
    m.alive = (struct swim__alive){.node = {"node-a", 6},
                                   .addr = {"\x0a\0\0\1", 4},
                                   .meta = {"\xff\x81\xa1"
                                            "k"
                                            "\xa1"
                                            "v",
                                            6},
                                   .vsn = {"\1\5\2\2\5\4", 6},
                                   .incarnation = 70000,
                                   .port = 8301};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__msg_encode(&w, &m);
    for (size_t len = 0; len < w.len; len++) {
        uint8_t *exact = malloc(len ? len : 1);
        memcpy(exact, w.data, len);
        assert_false(swim__msg_decode(exact, len, &out));
        free(exact);
    }
    assert_true(swim__msg_decode(w.data, w.len, &out));
    mu__writer_fini(&w);
}

static void test_a_lying_count_allocates_and_loops_over_nothing(void **state)
{
    (void)state;
    struct swim__msg m;
    struct swim__serf_msg s;
    struct swim__state st;
    assert_false(swim__msg_decode("\x0b\xdf\xff\xff\xff\xff", 6, &m));
    assert_false(swim__serf_decode("\x08\x81\xa4Keys\xdd\xff\xff\xff\xff", 12, &s));
    assert_false(swim__state_decode("\x02\x81\xa6"
                                    "Events\xdd\xff\xff\xff\xff",
                                    14, &st));
    assert_false(swim__state_decode("\x02\x81\xacStatusLTimes\xdf\x00\xff\xff\xff", 20, &st));
}

static void test_deep_nesting_in_an_unknown_key_is_refused(void **state)
{
    (void)state;
    struct swim__msg m;
    struct mu__writer w = nack_with("Deep");
    for (int i = 0; i < 5000; i++) {
        mu__mp_write_array(&w, 1);
    }
    mu__mp_write_nil(&w);
    assert_false(decode(&w, &m));
}

static void test_envelope_and_unknown_types_are_no_messages(void **state)
{
    (void)state;
    struct swim__msg m;
    struct swim__serf_msg s;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t bytes[] = {(uint8_t)type, 0x80};
        bool known =
            type <= 5 || type == SWIM__MSG_USER || type == SWIM__MSG_NACK || type == SWIM__MSG_ERR;
        assert_int_equal(swim__msg_decode(bytes, 2, &m), known);
        assert_int_equal(swim__serf_decode(bytes, 2, &s),
                         type <= 9 && type != SWIM__SERF_PUSH_PULL);
    }
    assert_false(swim__msg_decode("", 0, &m));
}

static void test_mapped_addresses_become_four_bytes(void **state)
{
    (void)state;
    uint8_t out[16];
    const struct mu_str mapped = {"\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16};
    const struct mu_str v6 = {"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16};
    assert_int_equal(swim__wire_addr(mapped, out), 4);
    assert_memory_equal(out, "\x0a\0\0\1", 4);
    assert_int_equal(swim__wire_addr(v6, out), 16);
    for (size_t len = 0; len < 16; len++) {
        struct mu_str cut = {v6.p, len};
        assert_int_equal(swim__wire_addr(cut, out), len == 4 ? 4 : 0);
    }
}

static void test_version_vectors_that_crash_peers_are_invalid(void **state)
{
    (void)state;
    const char *good = "\1\5\2\2\5\4";
    for (size_t len = 0; len <= 6; len++) {
        assert_int_equal(swim__vsn_is_valid((struct mu_str){good, len}), len == 6);
    }
    assert_false(swim__vsn_is_valid((struct mu_str){"\0\5\2\2\5\4", 6}));
    assert_false(swim__vsn_is_valid((struct mu_str){"\5\1\2\2\5\4", 6}));
}

static void test_meta_without_magic_is_the_role(void **state)
{
    (void)state;
    struct swim__wire_tags t;
    struct swim_tag tag;
    assert_true(swim__wire_tags_begin(&t, (struct mu_str){"db", 2}));
    assert_true(swim__wire_tags_next(&t, &tag));
    assert_true(mu__str_is(tag.key, "role"));
    assert_true(mu__str_is(tag.value, "db"));
    assert_false(swim__wire_tags_next(&t, &tag));
    assert_true(swim__wire_tags_begin(&t, (struct mu_str){NULL, 0}));
    assert_false(swim__wire_tags_next(&t, &tag));
    assert_false(swim__wire_tags_begin(&t, (struct mu_str){"\xff\x82\xa1k\xa1v", 6}));
}

static void test_coordinates_must_be_finite_and_of_eight_dimensions(void **state)
{
    (void)state;
    struct swim_coordinate c = {.error = 1.5, .height = 1e-5}, out;
    for (int i = 0; i < 4; i++) {
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        c.vec[3] = i == 1 ? (double)NAN : i == 2 ? (double)INFINITY : 0;
        swim__coord_payload_encode(&w, &c);
        w.data[0] = i == 3 ? 2 : 1;
        bool ok = swim__coord_payload_decode((struct mu_str){(const char *)w.data, w.len}, &out);
        assert_int_equal(ok, i == 0);
        mu__writer_fini(&w);
    }
    assert_false(
        swim__coord_payload_decode((struct mu_str){"\1\x81\xa3Vec\x97\0\0\0\0\0\0\0", 14}, &out));
    assert_false(swim__coord_payload_decode((struct mu_str){"\1\x80", 2}, &out));
    assert_false(swim__coord_payload_decode((struct mu_str){NULL, 0}, &out));
}

static void test_slots_of_the_event_buffer_may_come_in_any_key_order(void **state)
{
    (void)state;
    /* One slot with LTime in front of Events, one without events, one nil. */
    const char bytes[] = "\x02\x81\xa6"
                         "Events\x93"
                         "\x82\xa5"
                         "LTime\x09\xa6"
                         "Events\x92\x81\xa4Name\xa1"
                         "a\x82\xa7Payload\xa1p\xa4Name\xa1"
                         "b"
                         "\x81\xa5"
                         "LTime\x07"
                         "\xc0";
    struct swim__state s;
    struct swim__state_cursor c = {0};
    struct swim__serf_event e;
    assert_true(swim__state_decode(bytes, sizeof bytes - 1, &s));
    assert_true(swim__state_next_event(&s, &c, &e));
    assert_true(mu__str_is(e.name, "a") && e.ltime == 9 && !e.payload.p);
    assert_true(swim__state_next_event(&s, &c, &e));
    assert_true(mu__str_is(e.name, "b") && e.ltime == 9 && mu__str_is(e.payload, "p"));
    assert_false(swim__state_next_event(&s, &c, &e));
    assert_false(swim__state_next_event(&s, &c, &e));
}

static void test_an_empty_state_is_a_state(void **state)
{
    (void)state;
    struct swim__state s;
    struct swim__state_cursor c = {0};
    struct swim__serf_event e;
    struct mu_str name;
    uint64_t ltime;
    size_t at = 0;
    assert_true(swim__state_decode("\x02\x80", 2, &s));
    assert_false(swim__state_next_event(&s, &c, &e));
    assert_false(swim__state_next_status(&s, &c, &name, &ltime));
    assert_false(swim__span_next(s.left_members, &at, &name));
    assert_false(swim__state_decode("", 0, &s));
    assert_false(swim__state_decode("\x03\x80", 2, &s));
}

static void test_unknown_filters_are_refused(void **state)
{
    (void)state;
    struct swim__serf_filter f;
    assert_false(swim__serf_filter_decode((struct mu_str){"\x02\x80", 2}, &f));
    assert_false(swim__serf_filter_decode((struct mu_str){NULL, 0}, &f));
    assert_false(swim__serf_filter_decode((struct mu_str){"\x00\x93\xa1"
                                                          "a",
                                                          4},
                                          &f));
}

static void test_encoding_an_envelope_as_a_message_fails(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct swim__msg m = {.type = SWIM__MSG_COMPOUND};
    swim__msg_encode(&w, &m);
    assert_true(w.failed);
    mu__writer_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_keys_are_skipped_and_missing_ones_are_zero),
        cmocka_unit_test(test_keys_are_case_sensitive),
        cmocka_unit_test(test_integers_of_any_width_fit_or_fail),
        cmocka_unit_test(test_text_may_be_str8_but_not_bin),
        cmocka_unit_test(test_every_cut_of_a_message_is_refused),
        cmocka_unit_test(test_a_lying_count_allocates_and_loops_over_nothing),
        cmocka_unit_test(test_deep_nesting_in_an_unknown_key_is_refused),
        cmocka_unit_test(test_envelope_and_unknown_types_are_no_messages),
        cmocka_unit_test(test_mapped_addresses_become_four_bytes),
        cmocka_unit_test(test_version_vectors_that_crash_peers_are_invalid),
        cmocka_unit_test(test_meta_without_magic_is_the_role),
        cmocka_unit_test(test_coordinates_must_be_finite_and_of_eight_dimensions),
        cmocka_unit_test(test_slots_of_the_event_buffer_may_come_in_any_key_order),
        cmocka_unit_test(test_an_empty_state_is_a_state),
        cmocka_unit_test(test_unknown_filters_are_refused),
        cmocka_unit_test(test_encoding_an_envelope_as_a_message_fails),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
