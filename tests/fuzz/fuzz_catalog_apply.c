/* fuzz_catalog_apply.c - any log entries, in any order and batches, leave a catalog that is whole.
 *
 * The input is a sequence of pieces: two bytes of length (big endian), whose top bit ends a batch
 * and whose next bit drops it instead, and then an entry. Held against it: the structure after each
 * batch, and that a snapshot restores to a catalog that gives the same snapshot. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <muster/catalog.h>

#include "cursor.h"
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int append(void *user, const void *data, size_t len)
{
    mu__write_bytes(user, data, len);
    return 0;
}

static int give(void *user, void *buf, size_t *len)
{
    struct mu__reader *r = user;
    *len = mu__min(*len, mu__reader_left(r));
    const uint8_t *p = mu__read_bytes(r, *len);
    if (*len) {
        memcpy(buf, p, *len);
    }
    return 0;
}

static struct mu__writer snapshot(struct catalog *c)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct catalog_reader *r;
    if (catalog_reader_create(c, &r) != 0) {
        abort();
    }
    catalog_read_begin(r);
    if (catalog_snapshot_write(r, append, &w) != 0) {
        abort();
    }
    catalog_read_end(r);
    catalog_reader_destroy(r);
    return w;
}

static void check_round_trip(struct catalog *c)
{
    struct mu__writer before = snapshot(c);
    struct mu__reader r = mu__reader(before.data, before.len);
    struct catalog *copy;
    if (catalog_create(NULL, &copy) != 0 || catalog_restore(copy, give, &r, NULL) != 0) {
        abort();
    }
    catalog__check(copy);
    struct mu__writer after = snapshot(copy);
    assert(after.len == before.len);
    assert(memcmp(after.data, before.data, after.len) == 0);
    mu__writer_fini(&before);
    mu__writer_fini(&after);
    catalog_destroy(copy);
}

static void apply_pieces(struct catalog *c, struct mu__reader *r)
{
    uint64_t index = 0;
    bool open = false;
    while (mu__reader_left(r) >= 2) {
        uint16_t head = mu__read_u16be(r);
        size_t len = mu__min(head & 0x3fffu, mu__reader_left(r));
        const uint8_t *entry = mu__read_bytes(r, len);
        struct catalog_result result;
        if (!open && catalog_apply_begin(c) != 0) {
            abort();
        }
        open = true;
        int rc = catalog_apply(c, ++index, entry, len, &result);
        assert(rc == 0 || rc == CATALOG_EINVAL || rc == CATALOG_EUNKNOWN);
        if (head & 0x8000u) {
            if (head & 0x4000u) {
                catalog_apply_abort(c);
            } else {
                catalog_apply_end(c, NULL);
            }
            open = false;
            catalog__check(c);
        }
    }
    if (open) {
        catalog_apply_end(c, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu__reader r = mu__reader(data, size);
    struct catalog *c;
    if (catalog_create(NULL, &c) != 0) {
        abort();
    }
    apply_pieces(c, &r);
    catalog__check(c);
    check_round_trip(c);
    catalog_destroy(c);
    return 0;
}
