/* Any bytes: decoding reads nothing beyond their end, and what it accepts is written back as the
 * same bytes, but for an unused flag. */
#include <muster/raft.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct raft_entry entries[RAFT_MESSAGE_ENTRIES_MAX];
    struct raft_message m;
    if (raft_message_decode(data, size, entries, RAFT_MESSAGE_ENTRIES_MAX, &m) != RAFT_OK) {
        return 0;
    }
    uint8_t *buf = malloc(size ? size : 1);
    assert(buf);
    size_t len = 0;
    int rc = raft_message_encode(&m, buf, size, &len);
    assert(rc == RAFT_OK);
    assert(len == size);
    assert(memcmp(buf, data, size) == 0);
    free(buf);
    return 0;
}
