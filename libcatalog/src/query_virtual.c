#include <stdio.h>

#include "query.h"
#include "tables_virtual.h"

#define FIRST 0xf0000000u /* 240.0.0.0 */

int catalog_query_virtual_ip(struct catalog_reader *r,
                             const struct catalog_service_request *request,
                             struct catalog_virtual_ip *out, struct catalog_watch_keys *keys)
{
    const struct catalog__version *v = r->version;
    catalog__keys_begin(r, keys);
    *out = (struct catalog_virtual_ip){
        .address = {NULL, 0}, .index = catalog__reported(v->table[CATALOG__TABLE_VIRTUAL])};
    if (!catalog__keys_add_name(r, keys, CATALOG__WATCH_VIRTUAL, request->service_name, false)) {
        return CATALOG_ENOMEM;
    }
    const struct catalog__virtual_ip *ip = catalog__get_virtual(v, request->service_name);
    if (!ip) {
        return 0;
    }
    char text[sizeof "255.255.255.255"];
    uint32_t address = FIRST + (uint32_t)ip->number;
    int n = snprintf(text, sizeof text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                     address >> 8 & 255, address & 255);
    char *copy = mu__arena_strndup(catalog__scratch(r), text, (size_t)n);
    out->address = (struct mu_str){copy, (size_t)n};
    return copy ? 0 : CATALOG_ENOMEM;
}
