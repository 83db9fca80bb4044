/* Every sample of data/gossip-vectors.json, captured from Consul 1.8.7 or made with memberlist and
 * serf: opened, compared with its readable form, encoded again and compared byte for byte. */
#include "vector_check.h"

#include "envelope.h"
#include "lzw.h"

#include <mbedtls/sha256.h>

static json_t *vectors;
static const char *current; /* name of the vector at work, for the reader of a failure */

static const struct swim__envelope plain_envelope = {.verify_incoming = true,
                                                     .verify_outgoing = true};

static void begin_vector(const json_t *v)
{
    current = json_string_value(json_object_get(v, "name"));
    if (current) {
        print_message("  %s\n", current);
    }
}

static struct swim__keyring *ring_of(struct bytes key)
{
    struct swim__keyring *k = swim__keyring_create(&mu__malloc_allocator);
    assert_non_null(k);
    assert_int_equal(swim__keyring_add(k, str_of(key.p, key.len)), SWIM__KEYRING_OK);
    return k;
}

/* ---- datagrams ---- */

struct shape { /* of the envelopes in a readable form */
    bool crc, compress;
    const json_t *parts[256];
    size_t n;
};

static void flatten(const json_t *d, struct shape *s)
{
    const char *ml = string_member(d, "ml");
    if (strcmp(ml, "hasCrc") == 0) {
        s->crc = true;
        flatten(json_object_get(d, "inner"), s);
    } else if (strcmp(ml, "compress") == 0) {
        s->compress = true;
        flatten(json_object_get(d, "inner"), s);
    } else if (strcmp(ml, "compound") == 0) {
        size_t i;
        json_t *part;
        json_array_foreach(json_object_get(d, "parts"), i, part)
        {
            flatten(part, s);
        }
    } else {
        s->parts[s->n++] = d;
    }
}

/* Opens the datagram and checks each message; then seals the messages again. With `reseal` the
 * bytes must be the same. */
static void check_datagram(const struct swim__envelope *e, const json_t *decoded, struct bytes wire,
                           const uint8_t *nonce, bool reseal)
{
    struct mu__arena scratch;
    struct swim__opener o;
    struct shape shape = {0};
    struct mu_str msgs[256];
    size_t n = 0;
    flatten(decoded, &shape);
    mu__arena_init(&scratch, NULL, 1 << 20);
    assert_int_equal(swim__packet_open(&o, e, &scratch, wire.p, wire.len), SWIM__OPEN_OK);
    while (swim__packet_next(&o, &msgs[n])) {
        assert_in_range(n, 0, shape.n);
        check_message(shape.parts[n], msgs[n]);
        n++;
    }
    assert_int_equal(n, shape.n);
    assert_int_equal(o.malformed, 0);
    if (reseal) {
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        struct swim__packet_options options = {.with_crc = shape.crc, .nonce = nonce};
        assert_true(swim__packet_seal(e, &options, msgs, n, &mu__malloc_allocator, &w));
        assert_int_equal(w.len, wire.len);
        assert_memory_equal(w.data, wire.p, wire.len);
        mu__writer_fini(&w);
    }
    mu__arena_fini(&scratch);
}

static void test_captured_packets_decode_and_encode_to_the_same_bytes(void **state)
{
    (void)state;
    size_t i;
    json_t *v;
    struct swim__envelope e = plain_envelope;
    e.compress = true; /* as the agents had it: packed only where that is shorter */
    json_array_foreach(json_object_get(vectors, "captured_packets"), i, v)
    {
        begin_vector(v);
        struct bytes wire = hex_member(v, "hex");
        check_datagram(&e, json_object_get(v, "decoded"), wire, NULL, true);
        free(wire.p);
    }
}

static void test_captured_encrypted_packets_open_and_seal_to_the_same_bytes(void **state)
{
    (void)state;
    const json_t *set = json_object_get(vectors, "captured_encrypted");
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(set, "packets"), i, v)
    {
        begin_vector(v);
        size_t index = (size_t)json_integer_value(json_object_get(v, "key_index"));
        struct bytes key =
            unhex(json_string_value(json_array_get(json_object_get(set, "keys_hex"), index)));
        struct bytes wire = hex_member(v, "hex");
        struct swim__envelope e = plain_envelope;
        e.compress = true;
        e.keyring = ring_of(key);
        check_datagram(&e, json_object_get(v, "decoded"), wire, wire.p + 1, true);
        swim__keyring_destroy(e.keyring);
        free(key.p);
        free(wire.p);
    }
}

/* ---- streams ---- */

/* Shows the framer one byte more each time: the message must be whole with the last one and not
 * before. */
static void check_framing(struct mu_str msg)
{
    struct swim__framer f;
    swim__framer_init(&f);
    for (size_t len = 0; len < msg.len; len++) {
        assert_int_equal(swim__framer_feed(&f, (const uint8_t *)msg.p, len), SWIM__FRAME_MORE);
    }
    assert_int_equal(swim__framer_feed(&f, (const uint8_t *)msg.p, msg.len), SWIM__FRAME_WHOLE);
    assert_int_equal(f.pos, msg.len);
}

static const json_t *innermost(const json_t *decoded)
{
    while (json_object_get(decoded, "Algo")) {
        decoded = json_object_get(decoded, "inner");
    }
    return decoded;
}

static void check_stream_message(const json_t *want, struct mu_str plain)
{
    const char *ml = string_member(want, "ml");
    check_framing(plain);
    if (strcmp(ml, "pushPull") == 0) {
        check_push_pull(want, plain);
    } else if (strcmp(ml, "userStream") == 0) {
        check_user_stream(want, plain);
    } else {
        check_message(want, plain);
    }
}

static void check_stream(const struct swim__envelope *e, const json_t *decoded, struct bytes wire,
                         const uint8_t *nonce, bool reseal)
{
    struct mu__arena scratch;
    struct mu_str plain;
    mu__arena_init(&scratch, NULL, 1 << 20);
    check_framing(str_of(wire.p, wire.len));
    assert_int_equal(swim__stream_open(e, true, &scratch, wire.p, wire.len, &plain), SWIM__OPEN_OK);
    check_stream_message(innermost(decoded), plain);
    if (reseal) {
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        assert_true(swim__stream_seal(e, true, nonce, plain, &mu__malloc_allocator, &w));
        assert_int_equal(w.len, wire.len);
        assert_memory_equal(w.data, wire.p, wire.len);
        mu__writer_fini(&w);
    }
    mu__arena_fini(&scratch);
}

static void check_both_sides(const struct swim__envelope *e, const json_t *v, bool encrypted)
{
    const char *const sides[] = {"initiator", "responder"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *side = json_object_get(v, sides[i]);
        struct bytes wire = hex_member(side, "hex");
        check_stream(e, json_object_get(side, "decoded"), wire, encrypted ? wire.p + 6 : NULL,
                     true);
        free(wire.p);
    }
}

static void test_captured_streams_decode_and_encode_to_the_same_bytes(void **state)
{
    (void)state;
    size_t i;
    json_t *v;
    struct swim__envelope e = plain_envelope;
    e.compress = true;
    json_array_foreach(json_object_get(vectors, "captured_streams"), i, v)
    {
        begin_vector(v);
        check_both_sides(&e, v, false);
    }
}

static void test_captured_encrypted_streams_open_and_seal_to_the_same_bytes(void **state)
{
    (void)state;
    const json_t *set = json_object_get(vectors, "captured_encrypted");
    struct bytes key =
        unhex(json_string_value(json_array_get(json_object_get(set, "keys_hex"), 0)));
    struct swim__envelope e = plain_envelope;
    e.compress = true;
    e.keyring = ring_of(key);
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(set, "streams"), i, v)
    {
        check_both_sides(&e, v, true);
    }
    swim__keyring_destroy(e.keyring);
    free(key.p);
}

/* ---- generated ones, by kind ---- */

static bool is_kind(const json_t *v, const char *kind)
{
    return strcmp(string_member(v, "kind"), kind) == 0;
}

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Whether the sample is packed by a Go that starts with a clear code: then we unpack it but pack it
 * differently. */
static bool is_packed_by_new_go(const json_t *v)
{
    const json_t *d = json_object_get(v, "decoded");
    struct shape shape = {0};
    if (has_prefix(string_member(v, "kind"), "stream")) {
        return json_object_get(d, "Algo") != NULL;
    }
    flatten(d, &shape);
    return shape.compress && !strstr(string_member(v, "name"), "noclear");
}

static void check_generated(const json_t *v, struct bytes wire)
{
    const json_t *d = json_object_get(v, "decoded");
    struct swim__envelope e = plain_envelope;
    struct mu_str bytes = str_of(wire.p, wire.len);
    if (is_kind(v, "packet")) {
        struct shape shape = {0};
        flatten(d, &shape);
        e.compress = shape.compress;
        check_datagram(&e, d, wire, NULL, !is_packed_by_new_go(v));
    } else if (is_kind(v, "stream")) {
        check_stream(&e, d, wire, NULL, !is_packed_by_new_go(v));
    } else if (is_kind(v, "serf")) {
        check_serf(d, bytes);
    } else if (is_kind(v, "meta")) {
        check_meta(d, bytes);
    } else if (is_kind(v, "ping-payload")) {
        check_coordinate(d, bytes);
    }
}

static void test_generated_messages_decode_and_encode_to_the_same_bytes(void **state)
{
    (void)state;
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(vectors, "generated"), i, v)
    {
        if (!json_object_get(v, "hex")) {
            continue;
        }
        begin_vector(v);
        struct bytes wire = hex_member(v, "hex");
        check_generated(v, wire);
        free(wire.p);
    }
}

static json_t *find_vector(const char *name)
{
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(vectors, "generated"), i, v)
    {
        if (strcmp(string_member(v, "name"), name) == 0) {
            return v;
        }
    }
    fail_msg("no vector %s", name);
    return NULL;
}

static void test_generated_encrypted_packets_open_in_both_versions(void **state)
{
    (void)state;
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(vectors, "generated"), i, v)
    {
        if (!is_kind(v, "encrypted-packet")) {
            continue;
        }
        begin_vector(v);
        struct bytes key = hex_member(v, "key"), wire = hex_member(v, "hex"),
                     plain = hex_member(v, "plain");
        struct swim__keyring *ring = ring_of(key);
        uint8_t out[256];
        size_t len;
        assert_true(swim__unseal(ring, str_of(NULL, 0), wire.p, wire.len, out, &len));
        assert_int_equal(len, plain.len);
        assert_memory_equal(out, plain.p, len);
        if (wire.p[0] == 1) {
            struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
            swim__seal(ring, wire.p + 1, str_of(NULL, 0), str_of(plain.p, plain.len), &w);
            assert_int_equal(w.len, wire.len);
            assert_memory_equal(w.data, wire.p, w.len);
            mu__writer_fini(&w);
        }
        swim__keyring_destroy(ring);
        free(key.p);
        free(wire.p);
        free(plain.p);
    }
}

static void test_generated_encrypted_streams_open_in_both_versions(void **state)
{
    (void)state;
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(vectors, "generated"), i, v)
    {
        if (!is_kind(v, "encrypted-stream")) {
            continue;
        }
        begin_vector(v);
        struct bytes key = hex_member(v, "key"), wire = hex_member(v, "hex");
        struct swim__envelope e = plain_envelope;
        e.keyring = ring_of(key);
        check_stream(&e, json_object_get(v, "decoded"), wire, NULL, false);
        swim__keyring_destroy(e.keyring);
        free(key.p);
        free(wire.p);
    }
}

static void test_labelled_samples_open_with_their_label(void **state)
{
    (void)state;
    const char *const packets[] = {"label_packet_plain", "label_packet_enc_v1"};
    struct swim__envelope e = plain_envelope;
    struct mu__arena scratch;
    mu__arena_init(&scratch, NULL, 1 << 20);
    for (size_t i = 0; i < 3; i++) {
        const json_t *v = find_vector(i < 2 ? packets[i] : "label_stream_enc_v1");
        struct bytes key = hex_member(v, "key"), wire = hex_member(v, "hex"),
                     plain = hex_member(v, "plain");
        const char *label = string_member(v, "label");
        struct swim__opener o;
        struct mu_str msg;
        e.label = str_of(label, strlen(label));
        e.keyring = i > 0 ? ring_of(key) : NULL;
        if (i < 2) {
            assert_int_equal(swim__packet_open(&o, &e, &scratch, wire.p, wire.len), SWIM__OPEN_OK);
            assert_true(swim__packet_next(&o, &msg));
        } else {
            check_framing(str_of(wire.p, wire.len));
            assert_int_equal(swim__stream_open(&e, true, &scratch, wire.p, wire.len, &msg),
                             SWIM__OPEN_OK);
        }
        assert_int_equal(msg.len, plain.len);
        assert_memory_equal(msg.p, plain.p, plain.len);
        swim__keyring_destroy(e.keyring);
        free(key.p);
        free(wire.p);
        free(plain.p);
    }
    mu__arena_fini(&scratch);
}

static void check_sha256(const json_t *v, const char *key, const uint8_t *data, size_t len)
{
    uint8_t sum[32];
    struct bytes want = hex_member(v, key);
    assert_int_equal(mbedtls_sha256_ret(data, len, sum, 0), 0);
    assert_memory_equal(sum, want.p, sizeof sum);
    free(want.p);
}

static void test_full_tables_unpack_and_pack_as_in_go(void **state)
{
    (void)state;
    const json_t *v = find_vector("compress_table_full");
    struct bytes wire = hex_member(v, "hex");
    struct mu__reader r = mu__reader(wire.p + 1, wire.len - 1);
    assert_int_equal(mu__mp_read_map(&r), 2);
    mu__mp_read_str(&r);
    assert_int_equal(mu__mp_read_uint(&r, 255), 0);
    mu__mp_read_str(&r);
    struct mu_str packed = mu__mp_read_bytes(&r);
    assert_false(r.failed);
    static uint8_t plain[12000];
    size_t size;
    assert_true(
        swim__lzw_unpack((const uint8_t *)packed.p, packed.len, plain, sizeof plain, &size));
    assert_int_equal(size, sizeof plain);
    check_sha256(v, "plain_sha256", plain, size);

    v = find_vector("compress_table_full_noclear");
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct swim__envelope e = plain_envelope;
    e.compress = true;
    assert_true(
        swim__stream_seal(&e, false, NULL, str_of(plain, sizeof plain), &mu__malloc_allocator, &w));
    assert_int_equal(w.len, json_integer_value(json_object_get(v, "packed_len")));
    check_sha256(v, "packed_sha256", w.data, w.len);
    mu__writer_fini(&w);
    free(wire.p);
}

static void test_a_truncated_compound_gives_its_whole_parts(void **state)
{
    (void)state;
    struct bytes wire = hex_member(find_vector("compound_trunc"), "hex");
    struct mu__arena scratch;
    struct swim__opener o;
    struct mu_str msg;
    mu__arena_init(&scratch, NULL, 1 << 20);
    assert_int_equal(swim__packet_open(&o, &plain_envelope, &scratch, wire.p, wire.len),
                     SWIM__OPEN_OK);
    assert_true(swim__packet_next(&o, &msg));
    assert_true(swim__packet_next(&o, &msg));
    assert_false(swim__packet_next(&o, &msg));
    assert_int_equal(o.malformed, 1);
    mu__arena_fini(&scratch);
    free(wire.p);
}

static void test_a_wrong_checksum_is_refused(void **state)
{
    (void)state;
    struct bytes wire = hex_member(find_vector("crc_bad"), "hex");
    struct mu__arena scratch;
    struct swim__opener o;
    mu__arena_init(&scratch, NULL, 1 << 20);
    assert_int_equal(swim__packet_open(&o, &plain_envelope, &scratch, wire.p, wire.len),
                     SWIM__OPEN_CHECKSUM);
    mu__arena_fini(&scratch);
    free(wire.p);
}

static void test_long_text_takes_the_four_byte_form(void **state)
{
    (void)state;
    const json_t *v = find_vector("err_len_70000_prefix");
    struct bytes prefix = hex_member(v, "hex");
    char *text = malloc(70000);
    assert_non_null(text);
    memset(text, 'x', 70000);
    /* The length that the prefix announces is the one to fill up. */
    uint32_t n =
        (uint32_t)prefix.p[8] << 24 | (uint32_t)prefix.p[9] << 16 | (uint32_t)prefix.p[10] << 8;
    n |= prefix.p[11];
    struct swim__msg msg = {.type = SWIM__MSG_ERR};
    msg.err.text = str_of(text, mu__min(n, 70000));
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__msg_encode(&w, &msg);
    if (n == 70000) {
        assert_int_equal(w.len, json_integer_value(json_object_get(v, "total_len")));
    }
    assert_memory_equal(w.data,
                        "\x0d\x81\xa5"
                        "Error"
                        "\xdb",
                        9);
    mu__writer_fini(&w);
    free(text);
    free(prefix.p);
}

static int load(void **state)
{
    (void)state;
    json_error_t error;
    vectors = json_load_file(MUSTER_TEST_DATA "/gossip-vectors.json", 0, &error);
    return vectors ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(vectors);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captured_packets_decode_and_encode_to_the_same_bytes),
        cmocka_unit_test(test_captured_encrypted_packets_open_and_seal_to_the_same_bytes),
        cmocka_unit_test(test_captured_streams_decode_and_encode_to_the_same_bytes),
        cmocka_unit_test(test_captured_encrypted_streams_open_and_seal_to_the_same_bytes),
        cmocka_unit_test(test_generated_messages_decode_and_encode_to_the_same_bytes),
        cmocka_unit_test(test_generated_encrypted_packets_open_in_both_versions),
        cmocka_unit_test(test_generated_encrypted_streams_open_in_both_versions),
        cmocka_unit_test(test_labelled_samples_open_with_their_label),
        cmocka_unit_test(test_full_tables_unpack_and_pack_as_in_go),
        cmocka_unit_test(test_a_truncated_compound_gives_its_whole_parts),
        cmocka_unit_test(test_a_wrong_checksum_is_refused),
        cmocka_unit_test(test_long_text_takes_the_four_byte_form),
    };
    return cmocka_run_group_tests_name("vectors", tests, load, unload);
}
