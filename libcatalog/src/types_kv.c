/* types_kv.c - schema table of the KV store's entries. */
#include "table.h"

static const struct mu__field dir_entry_fields[] = {
    FIELD(dir_entry, UINT, lock_index, "LockIndex"),
    FIELD(dir_entry, STR, key, "Key"),
    FIELD(dir_entry, UINT, flags, "Flags"),
    FIELD(dir_entry, BYTES, value, "Value"),
    FLAGGED(dir_entry, STR, session, "Session", OMIT),
    RAFT_INDEX(dir_entry),
};
static const uint8_t dir_entry_wire[] = {5, 2, 1, 0, 6, 4, 3};
SCHEMA(dir_entry, "DirEntry");
