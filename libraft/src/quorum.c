#include "quorum.h"

#include <assert.h>

uint64_t raft__quorum_value(uint64_t *values, size_t n)
{
    if (n == 0) {
        return UINT64_MAX;
    }
    for (size_t i = 1; i < n; i++) { /* descending; n is small */
        uint64_t v = values[i];
        size_t at = i;
        for (; at > 0 && values[at - 1] < v; at--) {
            values[at] = values[at - 1];
        }
        values[at] = v;
    }
    return values[n / 2];
}

enum raft__verdict raft__quorum_verdict(size_t n, size_t granted, size_t refused)
{
    assert(granted + refused <= n);
    if (granted > n / 2) {
        return RAFT__WON;
    }
    return n - refused > n / 2 ? RAFT__PENDING : RAFT__LOST;
}
