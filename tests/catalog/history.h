/* history.h - one random history of a catalog, held against the model and against what waiters and
 * readers are promised. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs batches of random entries of all types. False: *why says what went wrong first. Held:
 * each answer is the model's; an answer that changed has a higher index, and woke who waited for
 * it; no index goes back, unless tombstones are reaped (each fourth seed); a reader sees no part of
 * a batch, and one that stays open sees no later one; a snapshot restores to the same bytes and the
 * same answers, and the history goes on in what was restored. */
bool history_run(uint64_t seed, unsigned batches, char *why, size_t size);
