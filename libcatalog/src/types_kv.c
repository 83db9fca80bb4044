/* types_kv.c - schema tables of the KV store's entries and of network coordinates. */
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

static const struct mu__field vivaldi_fields[] = {
    FIELD(vivaldi, FLOATS, vec, "Vec"),
    FIELD(vivaldi, FLOAT, error, "Error"),
    FIELD(vivaldi, FLOAT, adjustment, "Adjustment"),
    FIELD(vivaldi, FLOAT, height, "Height"),
};
static const uint8_t vivaldi_wire[] = {2, 1, 3, 0};
SCHEMA(vivaldi, "Coordinate");

static const struct mu__field coordinate_fields[] = {
    FIELD(coordinate, STR, node, "Node"),
    FIELD(coordinate, STR, segment, "Segment"),
    SUB(coordinate, PTR, coord, "Coord", 0, vivaldi),
};
static const uint8_t coordinate_wire[] = {2, 0, 1};
SCHEMA(coordinate, "Coordinate");
