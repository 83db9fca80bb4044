/* linear.h - is the history of one register linearizable?
 *
 * Where each value is written once, as our clients do, sorting decides (linear_zones.c). For the
 * rest there is the search of Wing and Gong with the memory of Lowe (as in Porcupine): operations
 * that may come next are tried one by one, and no set of operations done with the same value is
 * visited twice. Sets are remembered by 64-bit hashes, so that a collision could hide an order,
 * with a chance far below that of a broken machine. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LINEAR_UNKNOWN UINT64_MAX

enum linear_kind { LINEAR_READ, LINEAR_WRITE, LINEAR_CAS, LINEAR_CAS_FAILED };

/* What a client saw. An operation whose outcome it never heard may have happened at any time after
 * its call, or never; a CAS without an outcome is a LINEAR_CAS. */
struct linear_op {
    enum linear_kind kind;
    uint64_t key;      /* for linear_check_keys */
    uint64_t value;    /* read or written */
    uint64_t expected; /* by a CAS */
    /* Moments of one clock, from 1, all different and below 2^62; ret LINEAR_UNKNOWN: none */
    uint64_t call, ret;
};

enum linear_verdict { LINEAR_YES, LINEAR_NO, LINEAR_UNDECIDED };

/* ops stand in the order of their calls; the register holds 0 at first. UNDECIDED: not within
 * steps_max. */
enum linear_verdict linear_check(const struct linear_op *ops, size_t n, size_t steps_max);
/* The two ways to decide. By zones: NO or YES are for sure; UNDECIDED if a value is written twice,
 * or if a CAS that failed fits nowhere in the one order that was looked at. */
enum linear_verdict linear_zones(const struct linear_op *ops, size_t n);
enum linear_verdict linear_search(const struct linear_op *ops, size_t n, size_t steps_max);
/* Each key by itself: NO if one is not, else UNDECIDED if one is that. */
enum linear_verdict linear_check_keys(const struct linear_op *ops, size_t n, uint64_t n_keys,
                                      size_t steps_max);
