/* lock.h - one place under a lock or a semaphore, held through an agent's HTTP API by a session
 * with a TTL. The keys are those of Consul's Go client, so that its programs and this one exclude
 * each other: <prefix>/.lock, and for a semaphore <prefix>/<session> for each contender. */
#pragma once

#include "client.h"

#include <stdatomic.h>
#include <stdint.h>

struct lock {
    struct cli_client client;
    const char *prefix;
    int64_t limit; /* holders; 1: a lock */
    int64_t monitor_retries;
    uint64_t try_ns; /* give up after so long; 0: never */
    char session[64];
    uint64_t renewed_ns;
    char error[1024]; /* of the last failure; "": none */
    atomic_bool stop; /* the acquisition is to end */
};

bool lock_open(struct lock *l, const char *name); /* makes the session */
/* Waits until there is a place. False: there was an error, or none: not in time, or stopped. */
bool lock_acquire(struct lock *l);
void lock_watch(struct lock *l); /* returns when the place is lost */
bool lock_release(struct lock *l);
void lock_close(struct lock *l); /* ends the session */
/* Removes the key if nobody uses it any more. False with an error, or because somebody does. */
bool lock_clean_up(struct lock *l);
