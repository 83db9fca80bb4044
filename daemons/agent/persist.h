/* persist.h - small files that must survive a crash, written on a thread of their own.
 *
 * One file per service or check: <data_dir>/<folder>/<md5 of its ID>, as Consul names them. A write
 * goes to a temporary file that is synced and renamed; what queues while a sync is under way is
 * committed together. Waiting for the disk never holds the core loop. */
#pragma once

#include "base/loop.h"

#include <muster/mu.h>

enum persist_folder { PERSIST_SERVICES, PERSIST_CHECKS, PERSIST_CHECK_STATES };

struct persist;
/* Makes the folders in data_dir (itself made if needed) and starts the thread. On failure *out is
 * NULL and err says why. */
MU_MUST_USE int persist_create(const char *data_dir, struct loop *core, struct persist **out,
                               char *err, size_t errlen);
/* Writes what is queued and ends the thread. NULL is allowed. Runs on the core loop: those who wait
 * are told before it returns. */
void persist_destroy(struct persist *p);

/* The functions below run on the core loop; p may be NULL, when nothing is kept. */

/* Takes data (malloc). durable: wait for the disk before the file takes its name. */
void persist_write(struct persist *p, enum persist_folder folder, struct mu_str id, char *data,
                   size_t len, bool durable);
void persist_remove(struct persist *p, enum persist_folder folder, struct mu_str id);
/* Calls done on the core loop when all that was asked for before is on disk; error: NULL, or why
 * some of it is not. */
void persist_sync(struct persist *p, void (*done)(void *arg, const char *error), void *arg);

/* Reads every file of a folder; to be called before anything is written. load returns false for a
 * file that it cannot read: that one is renamed to <name>.damaged and logged, so that nothing is
 * lost. */
void persist_load(const struct persist *p, enum persist_folder folder,
                  bool (*load)(void *arg, const char *text, size_t len, char *err, size_t errlen),
                  void *arg);

/* Reads or makes <data_dir>/node-id, 36 characters; wanted (may be empty) is written in its place.
 * An error names the file. data_dir may be empty: a random ID then. */
MU_MUST_USE int persist_node_id(const char *data_dir, struct mu_str wanted, char out[37], char *err,
                                size_t errlen);
