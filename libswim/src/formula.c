#include "formula.h"

#include <assert.h>
#include <math.h>
#include <muster/mu.h>

/* ceil(log10(n)) in whole numbers: how many tenfold steps from 1 reach n. */
static uint32_t ceil_log10(uint64_t n)
{
    uint32_t steps = 0;
    for (uint64_t reach = 1; reach < n; steps++) {
        reach = reach > UINT64_MAX / 10 ? UINT64_MAX : reach * 10;
    }
    return steps;
}

uint32_t swim__retransmit_limit(uint32_t mult, size_t n)
{
    return mult * ceil_log10((uint64_t)n + 1);
}

uint64_t swim__push_pull_interval_ns(uint64_t base_ns, size_t n)
{
    uint64_t times = 1;
    for (uint64_t reach = 32; reach < n; reach *= 2) {
        times++;
    }
    return times * base_ns;
}

uint64_t swim__suspicion_min_ns(uint32_t mult, size_t n, uint64_t probe_interval_ns)
{
    double scale = n > 10 ? log10((double)n) : 1.0;
    return mult * (uint64_t)(scale * 1000.0) * probe_interval_ns / 1000;
}

uint32_t swim__suspicion_confirmations(uint32_t mult, size_t n)
{
    uint32_t k = mult > 2 ? mult - 2 : 0;
    /* Neither we nor the suspect can confirm. */
    return n < 2 || n - 2 < k ? 0 : k;
}

uint64_t swim__suspicion_total_ns(uint32_t c, uint32_t k, uint64_t min_ns, uint64_t max_ns)
{
    assert(k > 0 && c <= k && min_ns <= max_ns);
    double share = log((double)c + 1.0) / log((double)k + 1.0);
    double total = (double)max_ns - share * (double)(max_ns - min_ns);
    uint64_t floored = total > 0 ? (uint64_t)total / MU_MSEC * MU_MSEC : 0;
    return floored < min_ns ? min_ns : floored;
}

uint64_t swim__query_timeout_ns(uint64_t gossip_interval_ns, uint32_t mult, size_t alive)
{
    return gossip_interval_ns * mult * ceil_log10((uint64_t)alive + 1);
}
