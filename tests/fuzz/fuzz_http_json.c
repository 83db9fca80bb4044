/* Bodies of the HTTP API through json_decode. What is accepted prints as JSON that decodes to an
 * equal record. The first byte chooses the record. */
#include "base/json.h"

#include <assert.h>
#include <muster/catalog_types.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum catalog_type types[] = {CATALOG_REGISTER_REQUEST, CATALOG_SERVICE_DEFINITION,
                                          CATALOG_CHECK_TYPE, CATALOG_DEREGISTER_REQUEST,
                                          CATALOG_DIR_ENTRY};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct mu__schema *s = catalog_schema(types[data[0] % (sizeof types / sizeof *types)]);
    struct mu__arena a;
    mu__arena_init(&a, NULL, 8 << 20);
    char err[JSON_ERROR_MAX] = "";
    void *first = mu__arena_calloc(&a, 1, s->size), *second = mu__arena_calloc(&a, 1, s->size);
    assert(first && second);
    if (!json_decode(s, (const char *)data + 1, size - 1, &a, first, err, sizeof err)) {
        assert(err[0] && memchr(err, 0, sizeof err));
        mu__arena_fini(&a);
        return 0;
    }
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, size % 2 == 0);
    mu__json_value(&j, s, first);
    if (!w.failed && a.used < 4 << 20) {
        bool ok = json_decode(s, (const char *)w.data, w.len, &a, second, err, sizeof err);
        assert(ok);
        assert(mu__schema_equal(s, first, second));
    }
    mu__writer_fini(&w);
    mu__arena_fini(&a);
    return 0;
}
