/* Any reply of a recursor: what is accepted has the query's ID and question and can be read to its
 * end by ldns's rules for names (a pointer points back), what is cut keeps its question alone, and
 * a change of ID or question makes a stranger of it. */
#include "verdict.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* www.example.org A, recursion desired */
static const uint8_t query[] = {0x12, 0x34, 1,   0,   0,   1,   0,   0,   0,   0,   0,
                                0,    3,    'w', 'w', 'w', 7,   'e', 'x', 'a', 'm', 'p',
                                'l',  'e',  3,   'o', 'r', 'g', 0,   0,   1,   0,   1};

static void check_stranger(uint8_t *copy, size_t size, size_t at)
{
    copy[at] ^= 0x80; /* no letter becomes its other case by this */
    assert(dnsfront__reply_check(query, sizeof query, copy, size) == REPLY_STRANGER);
    copy[at] ^= 0x80;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65535) {
        return 0;
    }
    uint8_t *copy = malloc(size); /* exactly as long, so that ASan sees the end */
    assert(copy);
    memcpy(copy, data, size);
    enum reply_verdict v = dnsfront__reply_check(query, sizeof query, copy, size);
    bool sound = dnsfront__reply_is_sound(copy, size);
    if (v == REPLY_ACCEPTED || v == REPLY_TRUNCATED) {
        assert(size >= sizeof query);
        assert(v == REPLY_TRUNCATED || sound);
        check_stranger(copy, size, 0);
        check_stranger(copy, size, 1);
        check_stranger(copy, size, 2); /* QR */
        for (size_t i = 13; i < sizeof query; i++) {
            check_stranger(copy, size, i);
        }
        size_t cut = dnsfront__reply_cut(copy, size);
        assert(cut == sizeof query);
        assert(dnsfront__reply_check(query, sizeof query, copy, cut) == REPLY_TRUNCATED);
        assert(dnsfront__reply_is_sound(copy, cut));
    }
    free(copy);
    return 0;
}
