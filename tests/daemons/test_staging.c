/* Mirrors daemons/server/staging.c: an archive goes through the log in pieces. */
#include "mu_test.h"

#include "archive/archive.h"
#include "bytes.h"
#include "server/staging.h"

#include "schema.h"

#define ID 0x1122334455667788u

/* Of a catalog with one key. */
static struct bytes make_archive(void)
{
    char err[ARCHIVE_ERROR_MAX];
    struct catalog *c;
    struct catalog_reader *r;
    struct catalog_result result;
    struct bytes state = {.p = NULL}, out = {.p = NULL};
    struct catalog_kvs_request q = {.op = mu__cstr("set"), .dir_ent.key = mu__cstr("k")};
    uint8_t entry[256];
    size_t len = sizeof entry;
    assert_int_equal(catalog_encode_entry(CATALOG_ENTRY_KVS, &q, entry, &len), 0);
    assert_int_equal(catalog_create(NULL, &c), 0);
    assert_int_equal(catalog_apply_begin(c), 0);
    assert_int_equal(catalog_apply(c, 7, entry, len, &result), 0);
    catalog_apply_end(c, NULL);
    assert_int_equal(catalog_reader_create(c, &r), 0);
    catalog_read_begin(r);
    assert_int_equal(catalog_snapshot_write(r, write_bytes, &state), 0);
    catalog_read_end(r);
    catalog_reader_destroy(r);
    catalog_destroy(c);
    struct archive_meta m = {.version = 1, .id = "1-7-0", .index = 7, .size = state.len};
    assert_true(archive_write(&m, NULL, read_bytes, &state, write_bytes, &out, err));
    free(state.p);
    return out;
}

static const char *error;

static enum staging_outcome step(struct staging **s, enum staging_step what, uint64_t id,
                                 uint64_t at, const uint8_t *data, size_t len)
{
    uint8_t *entry = malloc(STAGING_HEAD + len); /* so that a read too far is seen */
    size_t head = staging_write_head(entry, what, id, at);
    if (len) {
        memcpy(entry + head, data, len);
    }
    uint8_t *exact = malloc(head + len);
    memcpy(exact, entry, head + len);
    free(entry);
    error = NULL;
    enum staging_outcome o = staging_take(s, exact, head + len, &error);
    free(exact);
    return o;
}

static void gather(struct staging **s, const struct bytes *archive)
{
    assert_int_equal(step(s, STAGING_BEGIN, ID, archive->len, NULL, 0), STAGING_TAKEN);
    for (size_t at = 0; at < archive->len; at += 7) {
        size_t n = archive->len - at < 7 ? archive->len - at : 7;
        assert_int_equal(step(s, STAGING_PART, ID, at, archive->p + at, n), STAGING_TAKEN);
    }
}

static void test_pieces_in_order_become_the_state(void **state)
{
    (void)state;
    struct bytes archive = make_archive();
    struct staging *s = NULL;
    struct catalog *c;
    struct catalog_touched *touched;
    assert_int_equal(catalog_create(NULL, &c), 0);
    gather(&s, &archive);
    assert_int_equal(step(&s, STAGING_COMMIT, ID, 0, NULL, 0), STAGING_COMPLETE);
    assert_null(staging_restore(&s, c, 3, &touched));
    assert_null(s);
    assert_int_equal(catalog_index(c), 8);
    catalog_touched_unref(touched);
    catalog_destroy(c);
    free(archive.p);
}

static void test_a_piece_out_of_place_ends_the_attempt(void **state)
{
    (void)state;
    static const uint8_t data[4] = {1, 2, 3, 4};
    static const struct {
        uint64_t at;
        size_t len;
    } wrong[] = {{1, 2}, {UINT64_MAX, 1}, {0, 4}};
    for (size_t i = 0; i < 3; i++) {
        struct staging *s = NULL;
        assert_int_equal(step(&s, STAGING_BEGIN, ID, 3, NULL, 0), STAGING_TAKEN);
        assert_int_equal(step(&s, STAGING_PART, ID, wrong[i].at, data, wrong[i].len),
                         STAGING_REFUSED);
        assert_null(s);
        assert_non_null(error);
    }
}

static void test_an_incomplete_archive_is_not_committed(void **state)
{
    (void)state;
    struct staging *s = NULL;
    assert_int_equal(step(&s, STAGING_BEGIN, ID, 3, NULL, 0), STAGING_TAKEN);
    assert_int_equal(step(&s, STAGING_COMMIT, ID, 0, NULL, 0), STAGING_REFUSED);
    assert_null(s);
}

static void test_entries_of_an_attempt_given_up_do_not_touch_the_next(void **state)
{
    (void)state;
    struct staging *s = NULL;
    assert_int_equal(step(&s, STAGING_BEGIN, 1, 2, NULL, 0), STAGING_TAKEN);
    assert_int_equal(step(&s, STAGING_BEGIN, 2, 2, NULL, 0), STAGING_TAKEN);
    assert_int_equal(step(&s, STAGING_PART, 1, 0, (const uint8_t *)"x", 1), STAGING_REFUSED);
    assert_int_equal(step(&s, STAGING_COMMIT, 1, 0, NULL, 0), STAGING_REFUSED);
    assert_int_equal(step(&s, STAGING_ABORT, 1, 0, NULL, 0), STAGING_TAKEN);
    assert_non_null(s);
    assert_true(staging_id(s) == 2);
    assert_int_equal(step(&s, STAGING_PART, 2, 0, (const uint8_t *)"xy", 2), STAGING_TAKEN);
    assert_int_equal(step(&s, STAGING_ABORT, 2, 0, NULL, 0), STAGING_TAKEN);
    assert_null(s);
}

static void test_rubbish_is_refused(void **state)
{
    (void)state;
    static const uint8_t entry[] = {
        SERVER_ENTRY_RESTORE, STAGING_BEGIN, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
    for (size_t len = 1; len <= sizeof entry; len++) {
        struct staging *s = NULL;
        uint8_t *exact = malloc(len);
        memcpy(exact, entry, len);
        assert_int_equal(staging_take(&s, exact, len, &error), STAGING_REFUSED);
        assert_null(s);
        free(exact);
    }
    struct staging *s = NULL;
    assert_int_equal(step(&s, STAGING_BEGIN, ID, UINT64_MAX, NULL, 0), STAGING_REFUSED);
    assert_int_equal(step(&s, STAGING_BEGIN, ID, 0, NULL, 0), STAGING_REFUSED);
    assert_int_equal(step(&s, STAGING_BEGIN, ID, 5, NULL, 0), STAGING_TAKEN);
    assert_int_equal(step(&s, (enum staging_step)9, ID, 0, NULL, 0), STAGING_REFUSED);
    assert_null(s);
}

static void test_a_damaged_archive_leaves_the_catalog_as_it_was(void **state)
{
    (void)state;
    struct bytes archive = make_archive();
    struct staging *s = NULL;
    struct catalog *c;
    struct catalog_touched *touched;
    assert_int_equal(catalog_create(NULL, &c), 0);
    archive.p[archive.len / 2] ^= 0x10;
    gather(&s, &archive);
    assert_int_equal(step(&s, STAGING_COMMIT, ID, 0, NULL, 0), STAGING_COMPLETE);
    assert_non_null(staging_restore(&s, c, 3, &touched));
    assert_null(s);
    assert_null(touched);
    assert_int_equal(catalog_index(c), 0);
    catalog_destroy(c);
    free(archive.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_in_order_become_the_state),
        cmocka_unit_test(test_a_piece_out_of_place_ends_the_attempt),
        cmocka_unit_test(test_an_incomplete_archive_is_not_committed),
        cmocka_unit_test(test_entries_of_an_attempt_given_up_do_not_touch_the_next),
        cmocka_unit_test(test_rubbish_is_refused),
        cmocka_unit_test(test_a_damaged_archive_leaves_the_catalog_as_it_was),
    };
    return cmocka_run_group_tests_name("staging", tests, NULL, NULL);
}
