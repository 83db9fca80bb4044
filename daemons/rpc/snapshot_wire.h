/* snapshot_wire.h - the two messages of a snapshot connection (rpc-wire 9), which is not
 * multiplexed: a request, the archive of a restore, then a response, the archive of a save. */
#pragma once

#include "cursor.h"

#include <muster/catalog_types.h>

#define SNAPSHOT_PREAMBLE    5 /* first byte on the server port */
#define SNAPSHOT_MESSAGE_MAX 8192u

enum snapshot_op { SNAPSHOT_SAVE = 0, SNAPSHOT_RESTORE = 1 };

struct snapshot_request {
    int64_t op;
    bool allow_stale;
    struct mu_str datacenter, token;
    bool forwarded; /* ours: a server sent it to its leader, and it goes no further */
};

struct snapshot_response {
    struct mu_str error; /* empty: an archive follows (save), or it is done */
    struct catalog_query_meta meta;
};

void snapshot_write_request(struct mu__writer *w, const struct snapshot_request *q);
void snapshot_write_response(struct mu__writer *w, const struct snapshot_response *p);

enum snapshot_progress { SNAPSHOT_READ, SNAPSHOT_MORE, SNAPSHOT_BAD };
/* Reads one from the first len bytes of what has come; *used is its length. Texts are lent. */
enum snapshot_progress snapshot_read_request(const void *data, size_t len,
                                             struct snapshot_request *q, size_t *used);
enum snapshot_progress snapshot_read_response(const void *data, size_t len,
                                              struct snapshot_response *p, size_t *used);
