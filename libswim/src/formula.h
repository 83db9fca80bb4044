/* formula.h - how the intervals and limits grow with the number of members n: pure functions.
 *
 * They give the same numbers as memberlist, so that mixed pools agree on how long a suspicion
 * lasts. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* How often one broadcast is sent: mult * ceil(log10(n + 1)) (SWIM 4.1: a multiple of log n reaches
 * everybody). */
uint32_t swim__retransmit_limit(uint32_t mult, size_t n);

/* The interval between full syncs: base for n <= 32, then once more for each doubling, so that the
 * load of the pool grows slower than n. */
uint64_t swim__push_pull_interval_ns(uint64_t base_ns, size_t n);

/* The shortest time a suspicion lasts: mult * max(1, log10 n) * probe interval (log10 cut to
 * thousandths). */
uint64_t swim__suspicion_min_ns(uint32_t mult, size_t n, uint64_t probe_interval_ns);

/* How many confirmations bring a suspicion down to its minimum (Lifeguard: K). 0 when the pool is
 * too small to have that many independent witnesses. */
uint32_t swim__suspicion_confirmations(uint32_t mult, size_t n);

/* How long a suspicion lasts in all, once it has c of k confirmations (Lifeguard: logarithmic decay
 * from max to min). k > 0; in whole milliseconds, not below min. */
uint64_t swim__suspicion_total_ns(uint32_t c, uint32_t k, uint64_t min_ns, uint64_t max_ns);

/* How long a query waits for answers: gossip interval * mult * ceil(log10(alive + 1)). */
uint64_t swim__query_timeout_ns(uint64_t gossip_interval_ns, uint32_t mult, size_t alive);
