/* config_codec.h - the forms on the wire of requests and replies about config entries: a raw that
 * holds several values, in which the kind says how an entry is to be read (rpc-wire 13.3). */
#pragma once

#include "cursor.h"
#include "schema.h"

/* Instead of a table. Both work on an object of the endpoint's schema. */
struct wire_codec {
    void (*write)(struct mu__writer *w, const void *obj);
    /* As mu__schema_decode; obj is cleared. False when malformed. */
    bool (*read)(struct mu__reader *r, struct mu__arena *a, bool lend, void *obj);
};

extern const struct wire_codec config_request_codec; /* struct catalog_config_request */
extern const struct wire_codec config_reply_codec;   /* struct catalog_config_reply */
extern const struct wire_codec config_list_codec;    /* struct catalog_indexed_config_entries */
/* Likewise, of all kinds: each entry behind its own. */
extern const struct wire_codec config_all_codec;
extern const struct wire_codec service_config_codec; /* struct catalog_service_config */
