/* snapshot.h - what a snapshot is made of, for the two files that write and read it.
 *
 *     header   "muster catalog\n", then one byte: the version of the format
 *     records  type (1 byte), length (4 bytes, big endian), body (msgpack, by the type's schema)
 *     end      a record of type CATALOG__SNAPSHOT_END: the number of records before it
 *
 * Records come table by table in the order of their keys, so the same state gives the same bytes. A
 * reader skips record types with the high bit that it does not know, and fields that it does not
 * know in any. */
#pragma once

#include "records.h"

#define CATALOG__SNAPSHOT_MAGIC     "muster catalog\n"
#define CATALOG__SNAPSHOT_MAGIC_LEN 15u
#define CATALOG__SNAPSHOT_FORMAT    1u
#define CATALOG__SNAPSHOT_CHUNK     65536u /* bytes that are gathered or asked for at a time */

enum catalog__snapshot_type {
    CATALOG__SNAPSHOT_END = 0,
    CATALOG__SNAPSHOT_TOTALS = 1, /* first: struct catalog__totals */
    CATALOG__SNAPSHOT_NODE = 2,
    CATALOG__SNAPSHOT_SERVICE = 3, /* struct catalog__instance; after its node */
    CATALOG__SNAPSHOT_CHECK = 4,   /* after its node */
    CATALOG__SNAPSHOT_KEY = 5,
    CATALOG__SNAPSHOT_TOMBSTONE = 6,
    CATALOG__SNAPSHOT_SERVICE_INDEX = 7,
    CATALOG__SNAPSHOT_AUTOPILOT = 8,  /* one, or none */
    CATALOG__SNAPSHOT_COORDINATE = 9, /* after its node */
    CATALOG__SNAPSHOT_SESSION = 10,   /* after its node and checks, before the keys that it holds */
    CATALOG__SNAPSHOT_QUERY = 11,     /* after the session that it is bound to */
    CATALOG__SNAPSHOT_GATEWAY = 12,   /* after the config entry that it follows from */
    CATALOG__SNAPSHOT_INTENTION = 13,
    CATALOG__SNAPSHOT_CA_CONFIG = 14,
    CATALOG__SNAPSHOT_CA_ROOT = 15,
    CATALOG__SNAPSHOT_CA_STATE = 16, /* with the private key */
    CATALOG__SNAPSHOT_CONFIG = 32,   /* and the following: config entries, by their kind */
    CATALOG__SNAPSHOT_IGNORABLE = 128,
    /* Virtual addresses in the order of their numbers; after the instances that they are for */
    CATALOG__SNAPSHOT_VIRTUAL = 129
};

/* What a version says beside its records. */
struct catalog__totals {
    uint64_t index, base, floor;
    uint64_t table[CATALOG__TABLES];
};
/* How many records came before the end. */
struct catalog__tail {
    uint64_t records;
};
extern const struct mu__schema catalog__totals_schema;
extern const struct mu__schema catalog__tail_schema;

struct catalog__snapshot_table {
    enum catalog__snapshot_type type;
    enum catalog__tree tree;
    const struct mu__schema *schema;
    const char *kind; /* only the records below this name in the tree; NULL: all */
};
#define CATALOG__SNAPSHOT_TABLES 23u
extern const struct catalog__snapshot_table catalog__snapshot_tables[CATALOG__SNAPSHOT_TABLES];
