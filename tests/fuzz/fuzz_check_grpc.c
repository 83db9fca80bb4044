/* What the peer of a gRPC check sends, whole and byte by byte: both come to the same, and nothing
 * that was cut short is a success. */
#include "agent/check_grpc_call.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 8192u

static void drain(struct grpc_call *c)
{
    const uint8_t *out;
    while (grpc_call_output(c, &out)) {
    }
}

static struct grpc_call *feed(const uint8_t *data, size_t size, size_t piece)
{
    struct grpc_call *c = grpc_call_create("h:1", "web", false, 1000000000);
    if (!c) {
        return NULL;
    }
    drain(c);
    for (size_t at = 0; at < size; at += piece) {
        grpc_call_feed(c, data + at, piece < size - at ? piece : size - at);
    }
    drain(c);
    grpc_call_end(c);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) {
        return 0;
    }
    struct grpc_call *whole = feed(data, size, size ? size : 1), *cut = feed(data, size, 1);
    if (whole && cut) {
        assert(grpc_call_outcome(whole) != GRPC_PENDING);
        assert(grpc_call_outcome(whole) == grpc_call_outcome(cut));
        assert(!strcmp(grpc_call_error(whole), grpc_call_error(cut)));
        assert(grpc_call_outcome(whole) != GRPC_SERVING || size > 9);
    }
    grpc_call_destroy(whole);
    grpc_call_destroy(cut);
    return 0;
}
