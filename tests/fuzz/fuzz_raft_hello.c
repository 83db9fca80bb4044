/* fuzz_raft_hello.c - a hello of any bytes is refused, or is the very one that its fields encode
 * to. */
#include <assert.h>
#include <string.h>

#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hello h;
    if (size <= HELLO_BYTES_MAX && raft_node__hello_decode(data, size, &h)) {
        uint8_t again[HELLO_BYTES_MAX];
        assert(raft_node__hello_encode(again, &h) == size && memcmp(again, data, size) == 0);
    }
    return 0;
}
