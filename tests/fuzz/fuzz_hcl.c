/* A text of any bytes as HCL: it is refused with a sentence that names a line, or makes a tree that
 * is the same again when it has been written as JSON, which the reader takes for what it is. */
#include "base/hcl.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char err[256] = "";
    char *text = malloc(size ? size : 1); /* of its exact size: what is read beyond it is seen */
    assert(text);
    memcpy(text, data, size);
    json_t *tree = hcl_parse(text, size, err, sizeof err);
    free(text);
    if (!tree) {
        assert(!strncmp(err, "line ", 5));
        return 0;
    }
    assert(json_is_object(tree));
    char *json = json_dumps(tree, JSON_COMPACT);
    assert(json);
    json_t *again = hcl_parse(json, strlen(json), err, sizeof err);
    assert(again && json_equal(tree, again));
    json_decref(again);
    json_decref(tree);
    free(json);
    return 0;
}
