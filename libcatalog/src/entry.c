/* entry.c - log entries: a type byte and the body of a request. */
#include <string.h>

#include "entry.h"
#include "types.h"

const struct mu__schema *catalog__entry_schema(uint8_t type)
{
    switch (type) {
    case CATALOG_ENTRY_REGISTER:
        return &catalog__register_request_schema;
    case CATALOG_ENTRY_DEREGISTER:
        return &catalog__deregister_request_schema;
    case CATALOG_ENTRY_KVS:
        return &catalog__kvs_request_schema;
    case CATALOG_ENTRY_SESSION:
        return &catalog__session_request_schema;
    case CATALOG_ENTRY_TOMBSTONE:
        return &catalog__tombstone_request_schema;
    case CATALOG_ENTRY_COORDINATES:
        return &catalog__coordinate_batch_schema;
    case CATALOG_ENTRY_QUERY:
        return &catalog__prepared_query_request_schema;
    case CATALOG_ENTRY_TXN:
        return &catalog__txn_request_schema;
    case CATALOG_ENTRY_CONFIG:
        return &catalog__config_request_schema;
    case CATALOG_ENTRY_INTENTION:
        return &catalog__intention_request_schema;
    case CATALOG_ENTRY_CA:
        return &catalog__ca_request_schema;
    case CATALOG_ENTRY_CA_LEAF:
        return &catalog__ca_leaf_request_schema;
    case CATALOG_ENTRY_AUTOPILOT:
        return &catalog__autopilot_set_request_schema;
    default:
        return NULL;
    }
}

int catalog_encode_entry(enum catalog_entry_type type, const void *request, void *buf, size_t *len)
{
    const struct mu__schema *schema = catalog__entry_schema((uint8_t)type);
    if (!schema) {
        return CATALOG_EINVAL;
    }
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_u8(&w, (uint8_t)type);
    mu__schema_encode(schema, request, &w);
    int rc = w.failed ? CATALOG_ENOMEM : w.len > *len ? CATALOG_ENOBUFS : 0;
    if (rc == 0) {
        memcpy(buf, w.data, w.len);
    }
    if (rc != CATALOG_ENOMEM) {
        *len = w.len;
    }
    mu__writer_fini(&w);
    return rc;
}
