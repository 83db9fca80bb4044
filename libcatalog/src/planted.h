/* planted.h - faults on purpose, so that a test can show that tests/catalog/history.c finds them.
 *
 * CATALOG__PLANTED(X) is the constant false, which leaves nothing in the object, except in the copy
 * of the library that tests/catalog/planted_catalog.c is built with. */
#pragma once

enum catalog__planted {
    CATALOG__NO_FAULT = 0,
    CATALOG__WAKE_MISSED_KEY,     /* who waits for a key sleeps on when it is deleted */
    CATALOG__WAKE_MISSED_STATUS,  /* a check that leaves a status does not wake who waits for it */
    CATALOG__WAKE_MISSED_PREFIX,  /* who waits for all below a key is not looked for */
    CATALOG__WAKE_MISSED_VERSION, /* a waiter counts as up to date for one version more */
    CATALOG__CASCADE_CHECKS,      /* a service goes, its checks stay */
    CATALOG__CASCADE_SESSIONS,    /* a node goes, its sessions stay */
    CATALOG__CASCADE_CRITICAL,    /* a check turns critical, sessions that name it stay */
    CATALOG__CASCADE_LOCKS,       /* a session goes and still holds its keys */
    CATALOG__INDEX_FORGETS_SERVICE,   /* the last instance goes, and the index goes back */
    CATALOG__INDEX_FORGETS_UPDATE,    /* an update of a service does not move its index */
    CATALOG__TOMBSTONE_FORGOTTEN,     /* of a single key */
    CATALOG__TOMBSTONE_OF_TREE,       /* of a deleted tree */
    CATALOG__HALF_BATCH,              /* a reader gets the version that is being made */
    CATALOG__REFUSED_STAYS,           /* what was done before a refusal is not undone */
    CATALOG__CAS_UNCHECKED,           /* compare-and-set does not compare */
    CATALOG__RESTORE_NO_COORDINATES,  /* a restore leaves out a table... */
    CATALOG__RESTORE_NO_TOMBSTONES,   /* ... or another */
    CATALOG__RESTORE_NO_INDEXES,      /* the table indexes of a snapshot are not taken over */
    CATALOG__WAKE_MISSED_CONFIG,      /* who waits for a config entry sleeps on when it changes */
    CATALOG__WAKE_MISSED_QUERY,       /* who waits for a prepared query sleeps on when it goes */
    CATALOG__GATEWAY_SERVICES_STAY,   /* an entry of a gateway goes, what was behind it stays */
    CATALOG__WILDCARD_MISSES_SERVICE, /* a service is registered, and no "*" links it */
    CATALOG__CASCADE_QUERIES,         /* a session goes, queries that are bound to it stay */
    CATALOG__RESTORE_NO_GATEWAYS,     /* a restore leaves out the services behind gateways */
    CATALOG__WAKE_MISSED_GATEWAY, /* a service gets another gateway, and nobody waits for that */
    CATALOG__WAKE_MISSED_ADDRESS, /* a node leaves an address, and who waits there sleeps on */
    CATALOG__VIRTUAL_STAYS,       /* the last proxy of a service goes, its virtual address stays */
    CATALOG__RESTORE_NO_VIRTUAL,  /* a restore leaves out the virtual addresses */
    CATALOG__RESTORE_NO_INTENTIONS, /* a restore leaves out the intentions */
    CATALOG__WAKE_MISSED_INTENTION, /* who waits for an intention sleeps on when it goes */
    CATALOG__N_PLANTED
};

#ifdef CATALOG_PLANTED_FAULTS
extern enum catalog__planted catalog__planted;
#define CATALOG__PLANTED(fault) (catalog__planted == CATALOG__##fault)
#else
#define CATALOG__PLANTED(fault) false
#endif
