/* Mirrors src/layers.c, packet.c, sealed_stream.c: mostly what hostile peers may wrap. Honest
 * envelopes are in test_vectors.c. */
#include "mu_test.h"

#include "envelope.h"
#include "lzw.h"
#include "prng.h"

static const uint8_t nonce[SWIM__NONCE_LEN] = {9};
static const struct swim__envelope bare = {.verify_incoming = true, .verify_outgoing = true};

static struct mu_str str_of(const void *p, size_t len)
{
    return (struct mu_str){p, len};
}

static struct swim__keyring *ring(void)
{
    struct swim__keyring *k = swim__keyring_create(&mu__malloc_allocator);
    assert_int_equal(swim__keyring_add(k, str_of("0123456789abcdef", 16)), SWIM__KEYRING_OK);
    return k;
}

struct seen {
    enum swim__open_result rc;
    size_t messages, malformed, bytes;
};

static struct seen open_packet(const struct swim__envelope *e, const void *data, size_t len)
{
    struct mu__arena scratch;
    struct swim__opener o;
    struct mu_str msg;
    struct seen seen = {0};
    mu__arena_init(&scratch, NULL, 1 << 20);
    seen.rc = swim__packet_open(&o, e, &scratch, data, len);
    while (seen.rc == SWIM__OPEN_OK && swim__packet_next(&o, &msg)) {
        assert_in_range(msg.len, 1, SIZE_MAX);
        seen.messages++;
        seen.bytes += msg.len;
    }
    seen.malformed = o.malformed;
    mu__arena_fini(&scratch);
    return seen;
}

static void put_compound(struct mu__writer *w, const struct mu_str *parts, size_t n)
{
    mu__write_u8(w, SWIM__MSG_COMPOUND);
    mu__write_u8(w, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        mu__write_u16be(w, (uint16_t)parts[i].len);
    }
    for (size_t i = 0; i < n; i++) {
        mu__write_bytes(w, parts[i].p, parts[i].len);
    }
}

static void put_packed(struct mu__writer *w, const void *plain, size_t len)
{
    struct mu__writer lzw = mu__writer_growing(&mu__malloc_allocator);
    swim__lzw_pack(&lzw, plain, len);
    mu__write_u8(w, SWIM__MSG_COMPRESS);
    mu__mp_write_map(w, 2);
    mu__mp_write_cstr(w, "Algo");
    mu__mp_write_uint(w, 0);
    mu__mp_write_cstr(w, "Buf");
    mu__mp_write_raw(w, lzw.data, lzw.len);
    mu__writer_fini(&lzw);
}

static void test_empty_parts_are_passed_over_and_counted(void **state)
{
    (void)state;
    const uint8_t packet[] = {7, 3, 0, 2, 0, 0, 0, 1, 8, 'a', 8};
    struct seen seen = open_packet(&bare, packet, sizeof packet);
    assert_int_equal(seen.rc, SWIM__OPEN_OK);
    assert_int_equal(seen.messages, 2);
    assert_int_equal(seen.malformed, 1);
}

static void test_every_cut_of_a_packet_is_harmless(void **state)
{
    (void)state;
    struct mu__writer inner = mu__writer_growing(&mu__malloc_allocator), w = inner;
    const struct mu_str parts[] = {str_of("\x08hello", 6), str_of("\x08there", 6)};
    put_compound(&inner, parts, 2);
    put_packed(&w, inner.data, inner.len);
    for (size_t len = 0; len < w.len; len++) {
        uint8_t *exact = malloc(len ? len : 1);
        memcpy(exact, w.data, len);
        struct seen seen = open_packet(&bare, exact, len);
        assert_true(seen.rc != SWIM__OPEN_OK || seen.messages == 0);
        free(exact);
    }
    assert_int_equal(open_packet(&bare, w.data, w.len).messages, 2);
    mu__writer_fini(&inner);
    mu__writer_fini(&w);
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_cstr(&w, "\x08x");
    for (unsigned depth = 1; depth <= 12; depth++) {
        struct mu__writer outer = mu__writer_growing(&mu__malloc_allocator);
        struct mu_str part = str_of(w.data, w.len);
        put_compound(&outer, &part, 1);
        mu__writer_fini(&w);
        w = outer;
        struct seen seen = open_packet(&bare, w.data, w.len);
        assert_int_equal(seen.messages, depth <= SWIM__NEST_MAX ? 1 : 0);
        assert_int_equal(seen.malformed, depth <= SWIM__NEST_MAX ? 0 : 1);
    }
    mu__writer_fini(&w);
}

static void test_nested_compression_is_bounded(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_cstr(&w, "\x08x");
    for (unsigned depth = 1; depth <= 12; depth++) {
        struct mu__writer outer = mu__writer_growing(&mu__malloc_allocator);
        put_packed(&outer, w.data, w.len);
        mu__writer_fini(&w);
        w = outer;
        struct seen seen = open_packet(&bare, w.data, w.len);
        assert_int_equal(seen.messages, depth <= SWIM__NEST_MAX ? 1 : 0);
    }
    mu__writer_fini(&w);
}

static void test_a_packet_that_unpacks_to_too_much_is_dropped(void **state)
{
    (void)state;
    static uint8_t zeros[SWIM__PACKET_PLAIN_MAX + 1] = {8};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    put_packed(&w, zeros, sizeof zeros);
    assert_int_equal(open_packet(&bare, w.data, w.len).messages, 0);
    mu__writer_fini(&w);
    put_packed(&w, zeros, sizeof zeros - 1);
    assert_int_equal(open_packet(&bare, w.data, w.len).messages, 1);
    mu__writer_fini(&w);
}

static void test_the_bound_is_for_all_parts_together(void **state)
{
    (void)state;
    static uint8_t zeros[SWIM__PACKET_PLAIN_MAX / 2] = {8};
    struct mu__writer part = mu__writer_growing(&mu__malloc_allocator), w = part;
    put_packed(&part, zeros, sizeof zeros);
    struct mu_str parts[5];
    for (size_t i = 0; i < 5; i++) {
        parts[i] = str_of(part.data, part.len);
    }
    put_compound(&w, parts, 5);
    struct seen seen = open_packet(&bare, w.data, w.len);
    assert_int_equal(seen.messages, 2);
    assert_int_equal(seen.malformed, 3);
    mu__writer_fini(&part);
    mu__writer_fini(&w);
}

static void test_plain_packets_are_refused_where_keys_demand_encryption(void **state)
{
    (void)state;
    struct swim__envelope e = bare;
    e.keyring = ring();
    assert_int_equal(open_packet(&e, "\x08hello", 6).rc, SWIM__OPEN_UNDECRYPTED);
    e.verify_incoming = false;
    assert_int_equal(open_packet(&e, "\x08hello", 6).messages, 1);
    swim__keyring_destroy(e.keyring);
}

static void test_labels_must_be_ours(void **state)
{
    (void)state;
    struct swim__envelope labelled = bare;
    labelled.label = str_of("blue", 4);
    const char blue[] = "\xf4\x04"
                        "blue"
                        "\x08x",
               red[] = "\xf4\x03"
                       "red"
                       "\x08x";
    assert_int_equal(open_packet(&bare, blue, 8).rc, SWIM__OPEN_LABEL);
    assert_int_equal(open_packet(&labelled, blue, 8).messages, 1);
    assert_int_equal(open_packet(&labelled, red, 7).rc, SWIM__OPEN_LABEL);
    assert_int_equal(open_packet(&labelled, "\x08x", 2).rc, SWIM__OPEN_LABEL);
    /* Nothing behind it */
    assert_int_equal(open_packet(&labelled, blue, 6).rc, SWIM__OPEN_MALFORMED);
    assert_int_equal(open_packet(&labelled, "\xf4\x00x", 3).rc, SWIM__OPEN_MALFORMED);
}

static void test_what_crashes_old_peers_is_never_sent(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    const struct swim__packet_options options = {0};
    struct mu_str parts[SWIM__COMPOUND_MAX + 1];
    for (size_t i = 0; i <= SWIM__COMPOUND_MAX; i++) {
        parts[i] = str_of("\x08x", 2);
    }
    assert_false(swim__packet_seal(&bare, &options, parts, 0, &mu__malloc_allocator, &w));
    assert_false(swim__packet_seal(&bare, &options, parts, SWIM__COMPOUND_MAX + 1,
                                   &mu__malloc_allocator, &w));
    assert_true(
        swim__packet_seal(&bare, &options, parts, SWIM__COMPOUND_MAX, &mu__malloc_allocator, &w));
    parts[1].len = 0;
    assert_false(swim__packet_seal(&bare, &options, parts, 2, &mu__malloc_allocator, &w));
    assert_false(swim__stream_seal(&bare, false, nonce, parts[1], &mu__malloc_allocator, &w));
    mu__writer_fini(&w);
}

static void test_overhead_is_what_the_envelope_adds(void **state)
{
    (void)state;
    struct swim__envelope e = bare;
    const struct mu_str msg = str_of("\x08hello", 6);
    const struct swim__packet_options options = {.nonce = nonce};
    for (int keys = 0; keys < 2; keys++) {
        for (int label = 0; label < 2; label++) {
            struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
            e.keyring = keys ? ring() : NULL;
            e.label = label ? str_of("blue", 4) : str_of(NULL, 0);
            assert_true(swim__packet_seal(&e, &options, &msg, 1, &mu__malloc_allocator, &w));
            assert_int_equal(w.len, msg.len + swim__packet_overhead(&e));
            assert_int_equal(open_packet(&e, w.data, w.len).bytes, msg.len);
            swim__keyring_destroy(e.keyring);
            mu__writer_fini(&w);
        }
    }
}

/* ---- streams ---- */

static enum swim__open_result open_stream(const struct swim__envelope *e, const void *data,
                                          size_t len, size_t limit)
{
    struct mu__arena scratch;
    struct mu_str plain;
    mu__arena_init(&scratch, NULL, limit);
    enum swim__open_result rc = swim__stream_open(e, true, &scratch, data, len, &plain);
    mu__arena_fini(&scratch);
    return rc;
}

static void test_streams_say_why_encryption_does_not_fit(void **state)
{
    (void)state;
    struct swim__envelope secret = bare;
    secret.keyring = ring();
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    const struct mu_str nack = str_of("\x0d\x81\xa5"
                                      "Error\xa0",
                                      9);
    assert_true(swim__stream_seal(&secret, false, nonce, nack, &mu__malloc_allocator, &w));
    assert_int_equal(open_stream(&bare, w.data, w.len, 1 << 20), SWIM__OPEN_ENCRYPTED);
    assert_int_equal(open_stream(&secret, w.data, w.len, 1 << 20), SWIM__OPEN_OK);
    assert_int_equal(open_stream(&secret, nack.p, nack.len, 1 << 20), SWIM__OPEN_PLAIN);
    w.data[8] ^= 1;
    assert_int_equal(open_stream(&secret, w.data, w.len, 1 << 20), SWIM__OPEN_UNDECRYPTED);
    secret.verify_incoming = false;
    assert_int_equal(open_stream(&secret, nack.p, nack.len, 1 << 20), SWIM__OPEN_OK);
    assert_string_equal(swim__open_text(SWIM__OPEN_PLAIN),
                        "Encryption is configured but remote state is not encrypted");
    swim__keyring_destroy(secret.keyring);
    mu__writer_fini(&w);
}

static void test_a_stream_unpacks_within_the_limit_of_its_arena(void **state)
{
    (void)state;
    struct swim__envelope e = bare;
    e.compress = true;
    struct mu__writer plain = mu__writer_growing(&mu__malloc_allocator), w = plain;
    char *text = calloc(1, 200000);
    struct swim__msg msg = {.type = SWIM__MSG_ERR};
    msg.err.text = str_of(text, 200000);
    swim__msg_encode(&plain, &msg);
    assert_true(swim__stream_seal(&e, false, nonce, str_of(plain.data, plain.len),
                                  &mu__malloc_allocator, &w));
    assert_int_equal(open_stream(&e, w.data, w.len, 1 << 20), SWIM__OPEN_OK);
    assert_int_equal(open_stream(&e, w.data, w.len, 1 << 17), SWIM__OPEN_MALFORMED);
    free(text);
    mu__writer_fini(&plain);
    mu__writer_fini(&w);
}

static void test_streams_hold_no_datagram_envelopes(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator), twice = w;
    const uint8_t compound[] = {7, 1, 0, 2, 8, 'x'};
    assert_int_equal(open_stream(&bare, compound, sizeof compound, 1 << 20), SWIM__OPEN_MALFORMED);
    put_packed(&w, compound, sizeof compound);
    assert_int_equal(open_stream(&bare, w.data, w.len, 1 << 20), SWIM__OPEN_MALFORMED);
    put_packed(&twice, w.data, w.len);
    assert_int_equal(open_stream(&bare, twice.data, twice.len, 1 << 20), SWIM__OPEN_MALFORMED);
    assert_int_equal(open_stream(&bare, "", 0, 1 << 20), SWIM__OPEN_MALFORMED);
    mu__writer_fini(&w);
    mu__writer_fini(&twice);
}

static void test_the_checksum_is_that_of_zlib(void **state)
{
    (void)state;
    assert_int_equal(swim__crc32("123456789", 9), 0xcbf43926u);
    assert_int_equal(swim__crc32("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_parts_are_passed_over_and_counted),
        cmocka_unit_test(test_every_cut_of_a_packet_is_harmless),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_nested_compression_is_bounded),
        cmocka_unit_test(test_a_packet_that_unpacks_to_too_much_is_dropped),
        cmocka_unit_test(test_the_bound_is_for_all_parts_together),
        cmocka_unit_test(test_plain_packets_are_refused_where_keys_demand_encryption),
        cmocka_unit_test(test_labels_must_be_ours),
        cmocka_unit_test(test_what_crashes_old_peers_is_never_sent),
        cmocka_unit_test(test_overhead_is_what_the_envelope_adds),
        cmocka_unit_test(test_streams_say_why_encryption_does_not_fit),
        cmocka_unit_test(test_a_stream_unpacks_within_the_limit_of_its_arena),
        cmocka_unit_test(test_streams_hold_no_datagram_envelopes),
        cmocka_unit_test(test_the_checksum_is_that_of_zlib),
    };
    return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
