/* fuzz_catalog_restore.c - any bytes are refused as a snapshot, or make a catalog that is whole and
 * can be changed. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <muster/catalog.h>

#include "cursor.h"
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu__reader r = mu__reader(data, size);
    struct catalog *c;
    struct catalog_result result;
    static const uint8_t delete_node[] = {1, 0x81, 0xa4, 'N', 'o', 'd', 'e', 0xa2, 'n', '1'};
    if (catalog_create(NULL, &c) != 0) {
        abort();
    }
    int rc = catalog_restore(c, give, &r, NULL);
    assert(rc == 0 || rc == CATALOG_ESNAPSHOT || rc == CATALOG_ENEWER);
    if (catalog_apply_begin(c) != 0 ||
        catalog_apply(c, UINT64_C(1) << 62, delete_node, sizeof delete_node, &result) != 0) {
        abort();
    }
    catalog_apply_end(c, NULL);
    catalog_destroy(c);
    return 0;
}
