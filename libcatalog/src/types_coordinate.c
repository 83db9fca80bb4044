/* types_coordinate.c - schema tables of network coordinates. */
#include "table.h"

static const struct mu__field vivaldi_fields[] = {
    FIELD(vivaldi, FLOATS, vec, "Vec"),
    FIELD(vivaldi, FLOAT, error, "Error"),
    FIELD(vivaldi, FLOAT, adjustment, "Adjustment"),
    FIELD(vivaldi, FLOAT, height, "Height"),
};
static const uint8_t vivaldi_wire[] = {2, 1, 3, 0};
SCHEMA(vivaldi, "coordinate.Coordinate");

static const struct mu__field coordinate_fields[] = {
    FIELD(coordinate, STR, node, "Node"),
    FIELD(coordinate, STR, segment, "Segment"),
    SUB(coordinate, PTR, coord, "Coord", 0, vivaldi),
};
static const uint8_t coordinate_wire[] = {2, 0, 1};
SCHEMA(coordinate, "Coordinate");

static const struct mu__field coordinate_batch_fields[] = {
    SUB(coordinate_batch, LIST, updates, "Updates", 0, coordinate),
};
static const uint8_t coordinate_batch_wire[] = {0};
SCHEMA(coordinate_batch, "Coordinates");

static const struct mu__field indexed_coordinates_fields[] = {
    SUB(indexed_coordinates, LIST, coordinates, "Coordinates", 0, coordinate),
    QUERY_META(indexed_coordinates),
};
static const uint8_t indexed_coordinates_wire[] = {4, 0, 1, 3, 2};
SCHEMA(indexed_coordinates, "IndexedCoordinates");

static const struct mu__field datacenter_map_fields[] = {
    FIELD(datacenter_map, STR, datacenter, "Datacenter"),
    FIELD(datacenter_map, STR, area_id, "AreaID"),
    SUB(datacenter_map, LIST, coordinates, "Coordinates", 0, coordinate),
};
static const uint8_t datacenter_map_wire[] = {1, 2, 0};
SCHEMA(datacenter_map, "DatacenterMap");
