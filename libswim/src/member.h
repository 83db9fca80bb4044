/* member.h - the record of one member, and the table of all of them.
 *
 * One record serves both layers: SWIM's (state, incarnation, address) and Serf's (status, Lamport
 * time). A member is in the failure detector's list while its state is not SWIM_NONE, and on Serf's
 * record while its status is not SWIM_STATUS_NONE; it is erased when neither holds it. The list
 * stands in random order, which makes walking it the random yet fair choice of probe targets
 * (SWIM 4.3).
 *
 * A member costs its record of 114 bytes and 20 to 40 of places in the table's arrays, and then its
 * name and tags: the table is an index of its own, since a general map keeps key and length of each
 * entry once more. */
#pragma once

#include "broadcast.h"
#include "map.h"
#include "prng.h"
#include "wire.h"

struct swim__suspicion;
struct swim__peer;

struct swim__member {
    uint64_t state_ns;                 /* when state changed */
    uint64_t gone_ns;                  /* when it last failed or left */
    uint64_t status_ltime;             /* of the last intent about it */
    struct swim__suspicion *suspicion; /* not NULL exactly while SWIM_SUSPECT */
    struct swim__broadcast *update;    /* our newest state broadcast about it, while queued */
    struct swim__peer *peer;           /* NULL: not probed lately */
    uint8_t *meta;
    uint32_t incarnation;
    uint32_t slot;    /* index in the list; SWIM__NO_SLOT while state is SWIM_NONE */
    uint32_t place;   /* index among all records */
    uint32_t hash;    /* of the name */
    uint32_t held;    /* queued events that point here */
    uint32_t waiting; /* of those, events that are held to be coalesced */
    struct swim_addr addr;
    uint16_t meta_len;
    uint8_t state;  /* enum swim_state */
    uint8_t status; /* enum swim_status */
    uint8_t told;   /* the event that was told last, when events are coalesced; 0: none */
    uint8_t vsn[SWIM__VSN_LEN];
    bool erased; /* out of the table; freed when no longer held */
    bool prune;  /* erase it as soon as it is out of the list */
    uint8_t name_len;
    char name[]; /* and a zero */
};
#define SWIM__NO_SLOT UINT32_MAX

static inline uint8_t swim__pmax(const struct swim__member *m)
{
    return m->vsn[1];
}
static inline struct mu_str swim__member_name(const struct swim__member *m)
{
    return (struct mu_str){m->name, m->name_len};
}
static inline struct mu_str swim__member_meta(const struct swim__member *m)
{
    return (struct mu_str){(const char *)m->meta, m->meta_len};
}

struct swim__table {
    struct mu_allocator allocator;
    uint64_t seed[2];
    struct swim__member **all;   /* every record, in order of arrival; NULL where one was erased */
    size_t used, all_cap, count; /* entries of `all`, and how many are not NULL */
    uint32_t *index;             /* by hash of the name: place + 1, or 0; linear probing */
    size_t nindex;               /* a power of two, at least 4/3 of count */
    struct swim__member **list;  /* those in the failure detector, shuffled */
    size_t len, cap;
    size_t states[SWIM_NONE + 1];            /* how many records of each state */
    size_t statuses[SWIM_STATUS_FAILED + 1]; /* and of each status */
};

void swim__table_init(struct swim__table *t, const struct mu_allocator *allocator, uint64_t seed);
void swim__table_fini(struct swim__table *t); /* frees all records; their suspicions must be gone */

struct swim__member *swim__table_find(const struct swim__table *t, struct mu_str name);
/* Walks all records: start with *at = 0; NULL at the end. Erasing during a walk is fine, adding is
 * not. */
struct swim__member *swim__table_next(const struct swim__table *t, size_t *at);
/* A new record, in neither layer. NULL when out of memory. name: 1 to SWIM_NAME_MAX bytes,
 * absent. */
struct swim__member *swim__table_add(struct swim__table *t, struct mu_str name);
/* Puts a record into the list at a random place, with state SWIM_DEAD. False when out of memory. */
bool swim__table_enlist(struct swim__table *t, struct swim__member *m, struct mu__prng *prng);
/* state becomes SWIM_NONE */
void swim__table_delist(struct swim__table *t, struct swim__member *m);
void swim__table_shuffle(struct swim__table *t, struct mu__prng *prng);
void swim__member_set_state(struct swim__table *t, struct swim__member *m, enum swim_state state,
                            uint64_t now);
void swim__member_set_status(struct swim__table *t, struct swim__member *m,
                             enum swim_status status);
/* Copies. */
bool swim__member_set_meta(struct swim__table *t, struct swim__member *m, struct mu_str meta);
/* Takes a record that neither layer holds out of the table, and frees it once no event holds it. */
void swim__table_erase(struct swim__table *t, struct swim__member *m);
void swim__member_hold(struct swim__member *m);
void swim__member_release(struct swim__table *t, struct swim__member *m);

/* Members that can be reached: alive or suspect. */
static inline size_t swim__table_up(const struct swim__table *t)
{
    return t->states[SWIM_ALIVE] + t->states[SWIM_SUSPECT];
}
/* Members on Serf's record. */
static inline size_t swim__table_known(const struct swim__table *t)
{
    return t->count - t->statuses[SWIM_STATUS_NONE];
}

/* Picks up to want different members of the list for which eligible holds. Small lists are searched
 * in full, so that nobody eligible is missed; in large ones a bounded number of draws decides.
 * Returns how many. */
typedef bool (*swim__eligible_fn)(const struct swim__member *m, const void *arg);
size_t swim__table_pick(const struct swim__table *t, struct mu__prng *prng,
                        swim__eligible_fn eligible, const void *arg, struct swim__member **out,
                        size_t want);

void swim__member_view(const struct swim__member *m, struct swim_member *out);
