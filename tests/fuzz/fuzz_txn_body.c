/* Bodies of /v1/txn: what is taken becomes a log entry that any server can apply, and what it
 * answers is results or errors, not both. */
#include "base/json.h"
#include "http/txn_body.h"

#include <assert.h>
#include <muster/catalog.h>
#include <stdlib.h>

#include "cursor.h"
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(const struct catalog_txn_request *request)
{
    struct catalog *c;
    struct catalog_result result;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    if (catalog_create(NULL, &c) != 0 || catalog_apply_begin(c) != 0) {
        abort();
    }
    mu__write_u8(&w, CATALOG_ENTRY_TXN);
    mu__schema_encode(catalog_schema(CATALOG_TXN_REQUEST), request, &w);
    for (uint64_t index = 1; index < 3; index++) {
        int rc = catalog_apply(c, index, w.data, w.len, &result);
        assert(rc == 0);
        assert(result.kind == CATALOG_RESULT_REPLY);
        const struct catalog_txn_response *reply = result.reply;
        assert(reply->results.len == 0 || reply->errors.len == 0);
    }
    catalog_apply_end(c, NULL);
    catalog__check(c);
    catalog_destroy(c);
    mu__writer_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu__arena a;
    char err[JSON_ERROR_MAX] = "";
    struct mu_list body = {NULL, 0};
    size_t writes;
    struct catalog_txn_request request = {.datacenter = mu__cstr("dc1")};
    mu__arena_init(&a, NULL, 8 << 20);
    if (!json_decode_list(&txn_body_op_schema, (const char *)data, size, &a, &body, err,
                          sizeof err)) {
        assert(err[0]);
    } else if (txn_body_convert(&body, request.datacenter, &a, &request.ops, &writes)) {
        assert(request.ops.len <= body.len && writes <= request.ops.len);
        apply(&request);
    }
    mu__arena_fini(&a);
    return 0;
}
