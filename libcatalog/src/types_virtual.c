#include "types_virtual.h"

#include <stddef.h>

static const struct mu__field fields[] = {
    {.name = "Number", .kind = MU_UINT, .offset = offsetof(struct catalog__virtual_ip, number)},
    {.name = "Service", .kind = MU_STR, .offset = offsetof(struct catalog__virtual_ip, service)},
};
static const uint8_t wire[] = {0, 1};
const struct mu__schema catalog__virtual_ip_schema = {
    .name = "VirtualIP",
    .fields = fields,
    .nfields = sizeof fields / sizeof *fields,
    .wire = wire,
    .nwire = sizeof wire,
    .size = sizeof(struct catalog__virtual_ip),
};
