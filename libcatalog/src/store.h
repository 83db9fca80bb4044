/* store.h - versions: who may see what, and until when.
 *
 *      oldest          newest (current)        draft
 *     [ v 7 ] -next-> [ v 8 ] -next-> NULL    [ v 9 ]     the writer's alone until it is published
 *        ^ a reader      ^ what readers open
 *
 * Version n holds `garbage`: what of version n-1 it replaced. That goes, with the struct of n-1, as
 * soon as no reader has pinned n-1 or anything older.
 *
 * A reader pins before it looks: it stores the number of a version that is current or was a moment
 * ago, then loads the current pointer, and both are sequentially consistent, as are the writer's
 * stores of pointer and number and its loads of the pins. So either the writer sees the pin, and
 * keeps all that this version and newer ones need, or the reader's load comes after the writer's
 * store and gives the new version. The version that a reader gets is never older than its pin. */
#pragma once

#include <muster/catalog.h>
#include <stdatomic.h>

#include "arena.h"
#include "cursor.h"
#include "patterns.h"
#include "radix.h"

/* One tree per index. A primary tree holds the records, each exactly once; the others lend them.
 * Names are folded to lower case; | is a zero byte. */
enum catalog__tree {
    CATALOG__NODES,               /* primary: node */
    CATALOG__NODES_BY_ID,         /* id (those that have one) */
    CATALOG__NODES_BY_ADDRESS,    /* address (those that have one) | node */
    CATALOG__SERVICES,            /* primary: node | id */
    CATALOG__SERVICES_BY_NAME,    /* name | node | id */
    CATALOG__SERVICES_BY_TARGET,  /* what speaks mTLS for a service: target | node | id */
    CATALOG__SERVICES_BY_ADDRESS, /* address of their own (those that have one) | node | id */
    CATALOG__CHECKS,              /* primary: node | check id */
    CATALOG__CHECKS_BY_INSTANCE,  /* node | service id (empty: the node's own) | check id */
    CATALOG__CHECKS_BY_SERVICE,   /* service name | node | check id */
    CATALOG__CHECKS_BY_STATUS,    /* status | node | check id */
    CATALOG__KEYS,                /* primary: key, as it is */
    CATALOG__TOMBSTONES,          /* primary: key or prefix that was deleted */
    CATALOG__SERVICE_INDEXES,     /* primary: name */
    CATALOG__AUTOPILOT,           /* primary: the one configuration, under a key of its own */
    CATALOG__COORDINATES,         /* primary: node | segment */
    CATALOG__SESSIONS,            /* primary: id, without its hyphens */
    CATALOG__SESSIONS_BY_NODE,    /* node | id */
    CATALOG__SESSIONS_BY_CHECK,   /* node | check id | id */
    CATALOG__KEYS_BY_SESSION,     /* what sessions hold: id | key, as it is */
    CATALOG__CONFIG_ENTRIES,      /* primary: kind | name */
    CATALOG__CONFIG_LINKS,        /* a service that an entry refers to | kind | name */
    CATALOG__QUERIES,             /* primary: prepared queries by id, without its hyphens */
    CATALOG__QUERIES_BY_NAME,     /* name (those that have one) */
    CATALOG__QUERY_TEMPLATES,     /* '*' and the name: what begins so */
    CATALOG__QUERIES_BY_SESSION,  /* session, without hyphens | id */
    CATALOG__GATEWAY_SERVICES,    /* primary: gateway | service | port */
    CATALOG__GATEWAYS_BY_SERVICE, /* service | gateway | port */
    CATALOG__VIRTUAL_IPS,         /* primary: virtual addresses by number, in hex digits */
    CATALOG__VIRTUAL_BY_SERVICE,  /* service (those that one is given to) */
    CATALOG__VIRTUAL_FREE,        /* number (the others) */
    CATALOG__INTENTIONS,          /* primary: id, without its hyphens */
    CATALOG__INTENTIONS_BY_PAIR,  /* source namespace | source | destination namespace | destination
                                   */
    CATALOG__INTENTIONS_BY_DESTINATION, /* the destination's first */
    CATALOG__CA_CONFIG,                 /* primary: the one configuration */
    CATALOG__CA_ROOTS,                  /* primary: id */
    CATALOG__CA_STATES,                 /* primary: id of the provider; secret */
    CATALOG__TREES
};
bool catalog__tree_is_primary(enum catalog__tree t);

enum catalog__table {
    CATALOG__TABLE_NODES,
    CATALOG__TABLE_SERVICES,
    CATALOG__TABLE_CHECKS,
    CATALOG__TABLE_KEYS,
    CATALOG__TABLE_TOMBSTONES,
    CATALOG__TABLE_EXTINCTION, /* the last time that the last instance of a service went */
    CATALOG__TABLE_AUTOPILOT,
    CATALOG__TABLE_COORDINATES,
    CATALOG__TABLE_SESSIONS,
    CATALOG__TABLE_CONFIG,
    CATALOG__TABLE_QUERIES,
    CATALOG__TABLE_GATEWAYS, /* services behind gateways */
    CATALOG__TABLE_VIRTUAL,  /* virtual addresses, the free ones with them */
    CATALOG__TABLE_INTENTIONS,
    CATALOG__TABLE_CA_CONFIG,
    CATALOG__TABLE_CA_LEAFS, /* that were signed; none is kept */
    CATALOG__TABLE_CA_ROOTS,
    CATALOG__TABLE_CA_STATES,
    CATALOG__TABLES
};

struct catalog__version {
    uint64_t seq;   /* 1, 2, ...: of versions */
    uint64_t index; /* of the last log entry, with the base */
    uint64_t base;  /* what is added to an entry's place in the log */
    uint64_t floor; /* no answer tells a lower index; 0: there was no restore of another state */
    struct catalog__radix *root[CATALOG__TREES];
    uint64_t table[CATALOG__TABLES]; /* index of the last change */
    uint64_t count[CATALOG__TABLES]; /* records */
    struct catalog__version *next;   /* newer */
    void **garbage;
    size_t ngarbage;
};

struct catalog_reader {
    _Atomic uint64_t pinned; /* 0: closed */
    _Atomic bool is_taken;
    const struct catalog__version *version; /* while open */
    struct catalog *catalog;
    struct catalog_reader *next;
    struct mu__arena scratch; /* what queries build, until the end of the read */
    struct catalog__patterns patterns;
    char apart[64]; /* readers are written by different threads: no shared cache line */
};

struct catalog_touched {
    _Atomic size_t refs;
    struct mu_allocator allocator;
    uint64_t version;
    bool is_all;   /* a restore: every waiter */
    uint8_t *keys; /* each as 32-bit length, then bytes */
    size_t len;
};

struct catalog {
    struct mu_allocator allocator;
    struct catalog__space space;
    _Atomic(struct catalog__version *) current;
    _Atomic uint64_t seq; /* of current, or of the one before it */
    struct catalog__version *oldest;
    struct catalog__version *draft; /* NULL: no batch is open */
    /* Of the batch; its keys are in touched_keys until they are given away */
    struct catalog_touched *touched;
    struct mu__writer touched_keys;
    /* A batch ran out of memory: nothing is done any more, and only an abort may follow */
    bool is_void;
    bool is_quiet;  /* a restore: nothing is touched, and no index moves */
    uint64_t index; /* of the entry that is being applied */
    _Atomic(struct catalog_reader *) readers; /* grows only; free ones are taken again */
    /* The allocator, but a failure voids the batch: it must not look like bad input */
    struct mu_allocator noticing;
    struct mu__arena scratch; /* of one entry: its decoded body and what it answers */
    /* The last entry lends records of the draft: its savepoint is released when the loan ends */
    bool is_lending;
    size_t lending_retired;
    struct catalog_notice *notices; /* of the last entry, in scratch */
    size_t nnotices, notices_cap;
};

/* Everything between begin and publish works on c->draft. False when out of memory. */
bool catalog__batch_begin(struct catalog *c);
void catalog__batch_publish(struct catalog *c, struct catalog_touched **touched);
void catalog__batch_abort(struct catalog *c);

/* A point inside the batch to come back to. */
struct catalog__savepoint {
    struct catalog__version draft;
    size_t retired, touched_len, nnotices;
};
void catalog__savepoint(struct catalog *c, struct catalog__savepoint *sp);
void catalog__savepoint_release(struct catalog *c, const struct catalog__savepoint *sp);
void catalog__savepoint_rollback(struct catalog *c, const struct catalog__savepoint *sp);
/* Releases it when the next entry comes, or the end of the batch: until then every record that was
 * in the draft at the savepoint or at a catalog__space_step behind it can still be read. */
void catalog__savepoint_lend(struct catalog *c, const struct catalog__savepoint *sp);
void catalog__end_loan(struct catalog *c);

/* Empties an arena, and keeps a block of it for the next use unless it grew large. */
void catalog__scratch_reset(struct mu__arena *scratch);

/* Asserts that primary trees, secondary trees and counts agree. For tests; needs memory only for
 * deep trees. */
void catalog__check(const struct catalog *c);
