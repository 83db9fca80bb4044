/* broadcast.h - a queue of messages to be spread, each sent a limited number of times (SWIM 4.1).
 *
 * The least often sent go first; among those the longest that still fits into a packet, newest
 * first. That order is kept in a treap (Seidel and Aragon 1996) over (sends, length, id), so that
 * picking costs log n however long the queue is. A broadcast may have a `watch`: a pointer of its
 * owner to it, which the queue clears when the broadcast is sent out, replaced or dropped. */
#pragma once

#include "alloc.h"
#include "prng.h"

struct swim__broadcast {
    struct swim__broadcast *left, *right;  /* treap */
    struct swim__broadcast *older, *newer; /* by age */
    struct swim__broadcast *taken;         /* chain of those in the packet being built */
    struct swim__broadcast **watch;        /* NULL: nobody's */
    uint64_t id;                           /* grows: newest is largest */
    uint32_t priority, sends;
    uint32_t len;
    uint8_t bytes[];
};

struct swim__queue {
    struct mu_allocator allocator;
    struct mu__prng prng;
    struct swim__broadcast *root, *oldest, *newest;
    struct swim__broadcast *taken;
    size_t count;
    uint64_t next_id;
};

void swim__queue_init(struct swim__queue *q, const struct mu_allocator *allocator, uint64_t seed);
void swim__queue_fini(struct swim__queue *q);

/* Adds a copy of the message. *watch, if any, is replaced: the old broadcast is dropped and the new
 * one stored there. With more than max broadcasts the oldest is dropped. False when out of memory;
 * the queue is as it was. */
bool swim__queue_add(struct swim__queue *q, const void *bytes, size_t len,
                     struct swim__broadcast **watch, size_t max);
void swim__queue_drop(struct swim__queue *q, struct swim__broadcast *b);

/* Takes the best broadcast of at most max_len bytes for the packet being built; NULL when none
 * fits. It stays readable until swim__queue_settle. */
const struct swim__broadcast *swim__queue_take(struct swim__queue *q, size_t max_len);
/* The packet is built: counts one send of all that were taken, and drops those that were sent
 * `limit` times. */
void swim__queue_settle(struct swim__queue *q, uint32_t limit);

bool swim__queue_check(const struct swim__queue *q); /* walks all of it; for tests */
