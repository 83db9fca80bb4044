/* Mirrors src/wire_stream.c: the framer and the bounds of push/pull. Honest streams are in
 * test_vectors.c. */
#include "mu_test.h"

#include "prng.h"
#include "wire_stream.h"

static enum swim__frame_result frame(const void *data, size_t len, size_t *pos)
{
    struct swim__framer f;
    swim__framer_init(&f);
    enum swim__frame_result rc = swim__framer_feed(&f, data, len);
    *pos = f.pos;
    return rc;
}

#define ASSERT_FRAME(bytes, want)                                                                  \
    do {                                                                                           \
        size_t pos;                                                                                \
        assert_int_equal(frame((bytes), sizeof(bytes) - 1, &pos), (want));                         \
    } while (0)

static void encode_push_pull(struct mu__writer *w, uint64_t nodes, size_t user)
{
    struct swim__pushpull_header h = {.join = true, .nodes = nodes, .user_state_len = user};
    struct swim__node_state n = {
        .name = {"node", 4}, .addr = {"\x7f\0\0\1", 4}, .vsn = {"\1\5\2\2\5\4", 6}};
    swim__pushpull_encode_header(w, &h);
    for (uint64_t i = 0; i < nodes; i++) {
        n.incarnation = (uint32_t)i;
        swim__pushpull_encode_node(w, &n);
    }
    for (size_t i = 0; i < user; i++) {
        mu__write_u8(w, 0xc1); /* no msgpack: nobody may look inside */
    }
}

static void test_bytes_behind_a_whole_message_are_left_alone(void **state)
{
    (void)state;
    size_t pos;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    encode_push_pull(&w, 3, 50);
    size_t whole = w.len;
    mu__write_cstr(&w, "more");
    assert_int_equal(frame(w.data, w.len, &pos), SWIM__FRAME_WHOLE);
    assert_int_equal(pos, whole);
    assert_int_equal(frame(w.data, whole - 1, &pos), SWIM__FRAME_MORE);
    mu__writer_fini(&w);
}

static void test_pieces_of_any_size_frame_the_same(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__prng prng;
    mu__prng_seed(&prng, 3);
    encode_push_pull(&w, 40, 1000);
    for (int round = 0; round < 200; round++) {
        struct swim__framer f;
        size_t len = 0;
        swim__framer_init(&f);
        while (len < w.len) {
            assert_int_equal(swim__framer_feed(&f, w.data, len), SWIM__FRAME_MORE);
            len += (size_t)mu__prng_between(&prng, 1, 300);
            len = len > w.len ? w.len : len;
        }
        assert_int_equal(swim__framer_feed(&f, w.data, w.len), SWIM__FRAME_WHOLE);
        assert_int_equal(f.pos, w.len);
    }
    mu__writer_fini(&w);
}

static void test_types_that_no_stream_carries_are_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t b = (uint8_t)type;
        size_t pos;
        bool carried = type == 0 || type == 2 || type == 6 || type == 8 || type == 9 ||
                       type == 10 || type == 13 || type == 244;
        assert_int_equal(frame(&b, 1, &pos), carried ? SWIM__FRAME_MORE : SWIM__FRAME_BAD);
    }
}

static void test_lengths_over_the_limits_are_refused_at_once(void **state)
{
    (void)state;
    ASSERT_FRAME("\x0a\x01\x40\x00\x01", SWIM__FRAME_BAD);  /* 20 MiB + 1 */
    ASSERT_FRAME("\x0a\x01\x40\x00\x00", SWIM__FRAME_MORE); /* 20 MiB */
    ASSERT_FRAME("\x09\x81\xa3"
                 "Buf\xdb\xff\xff\xff\xff",
                 SWIM__FRAME_BAD);
    ASSERT_FRAME("\x06\x82\xa5Nodes\xce\x00\x10\x00\x01\xa4Join\xc2", SWIM__FRAME_BAD);
    ASSERT_FRAME("\x06\x81\xacUserStateLen\xce\x01\x40\x00\x01", SWIM__FRAME_BAD);
    ASSERT_FRAME("\x06\x81\xa5Nodes\xff", SWIM__FRAME_BAD); /* -1 */
    ASSERT_FRAME("\x08\x81\xaaUserMsgLen\xce\x01\x40\x00\x01", SWIM__FRAME_BAD);
    ASSERT_FRAME("\xf4\x00\x00", SWIM__FRAME_BAD); /* an empty label */
}

static void test_signed_widths_of_later_peers_are_understood(void **state)
{
    (void)state;
    ASSERT_FRAME("\x06\x82\xa5Nodes\xd1\x00\x00\xacUserStateLen\xd2\x00\x00\x00\x02xx",
                 SWIM__FRAME_WHOLE);
}

static void test_every_form_of_value_is_passed_over_whole(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } values[] = {
        {"\x7f", 1},
        {"\xe0", 1},
        {"\xc0", 1},
        {"\xc3", 1},
        {"\xc4\x02xx", 4},
        {"\xc5\0\x01x", 4},
        {"\xc6\0\0\0\x01x", 6},
        {"\xc7\x02txx", 5},
        {"\xc8\0\x01tx", 5},
        {"\xc9\0\0\0\x01tx", 7},
        {"\xca"
         "1234",
         5},
        {"\xcb"
         "12345678",
         9},
        {"\xcc"
         "1",
         2},
        {"\xcd"
         "12",
         3},
        {"\xce"
         "1234",
         5},
        {"\xcf"
         "12345678",
         9},
        {"\xd0"
         "1",
         2},
        {"\xd1"
         "12",
         3},
        {"\xd2"
         "1234",
         5},
        {"\xd3"
         "12345678",
         9},
        {"\xd4tx", 3},
        {"\xd5txx", 4},
        {"\xd6txxxx", 6},
        {"\xd7t12345678", 10},
        {"\xd8t1234567812345678", 18},
        {"\xd9\x01x", 3},
        {"\xda\0\x01x", 4},
        {"\xdb\0\0\0\x01x", 6},
        {"\xdc\0\x01\xc0", 4},
        {"\xdd\0\0\0\x01\xc0", 6},
        {"\xde\0\x01\xa1k\xc0", 6},
        {"\xdf\0\0\0\x01\xa1k\xc0", 8},
        {"\x92\x91\xc0\x80", 4},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t msg[32] = {SWIM__MSG_ERR};
        size_t pos;
        memcpy(msg + 1, values[i].bytes, values[i].len);
        assert_int_equal(frame(msg, values[i].len + 1, &pos), SWIM__FRAME_WHOLE);
        assert_int_equal(pos, values[i].len + 1);
        for (size_t cut = 0; cut <= values[i].len; cut++) {
            assert_int_equal(frame(msg, cut, &pos), SWIM__FRAME_MORE);
        }
    }
    ASSERT_FRAME("\x0d\xc1", SWIM__FRAME_BAD);
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    uint8_t deep[64];
    size_t pos;
    memset(deep, 0x91, sizeof deep);
    deep[0] = SWIM__MSG_ERR;
    assert_int_equal(frame(deep, sizeof deep, &pos), SWIM__FRAME_BAD);
}

static void test_a_push_pull_is_checked_as_a_whole_before_it_is_walked(void **state)
{
    (void)state;
    struct swim__pushpull p;
    struct swim__node_state n;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    encode_push_pull(&w, 5, 20);
    for (size_t len = 0; len < w.len; len++) {
        assert_false(swim__pushpull_begin(&p, w.data, len));
    }
    assert_true(swim__pushpull_begin(&p, w.data, w.len));
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5; i++) {
            assert_true(swim__pushpull_next(&p, &n));
            assert_int_equal(n.incarnation, i);
        }
        assert_false(swim__pushpull_next(&p, &n));
        swim__pushpull_rewind(&p);
    }
    assert_int_equal(p.user_state.len, 20);
    mu__writer_fini(&w);
}

static void test_more_nodes_than_there_are_bytes_fail_early(void **state)
{
    (void)state;
    struct swim__pushpull p;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct swim__pushpull_header h = {.nodes = SWIM__STREAM_NODES_MAX};
    swim__pushpull_encode_header(&w, &h);
    assert_false(swim__pushpull_begin(&p, w.data, w.len));
    mu__writer_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_behind_a_whole_message_are_left_alone),
        cmocka_unit_test(test_pieces_of_any_size_frame_the_same),
        cmocka_unit_test(test_types_that_no_stream_carries_are_refused),
        cmocka_unit_test(test_lengths_over_the_limits_are_refused_at_once),
        cmocka_unit_test(test_signed_widths_of_later_peers_are_understood),
        cmocka_unit_test(test_every_form_of_value_is_passed_over_whole),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_a_push_pull_is_checked_as_a_whole_before_it_is_walked),
        cmocka_unit_test(test_more_nodes_than_there_are_bytes_fail_early),
    };
    return cmocka_run_group_tests_name("wire_stream", tests, NULL, NULL);
}
