/* propose.c - requests into log entries: the type byte and the msgpack body that an RPC would
 * carry. */
#include "server.h"

#include "base/log.h"

#include <stdlib.h>

uint8_t *server__encode_entry(enum catalog_entry_type type, const struct mu__schema *schema,
                              const void *request, size_t *len)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_u8(&w, (uint8_t)type);
    mu__schema_encode(schema, request, &w);
    if (w.failed) {
        mu__writer_fini(&w);
        return NULL;
    }
    *len = w.len;
    return w.data;
}

static void on_done(void *arg, int status, raft_index index, void *result)
{
    struct write_result *r = result;
    (void)arg;
    (void)index;
    if (status != RAFT_OK) {
        log_debug("agent.server", "a proposal of the leader's own was not applied: %s",
                  raft_node_strerror(status));
    } else if (r && r->kind == CATALOG_RESULT_ERROR) {
        log_warn("agent.server", "the catalog refused the leader's update: %s", r->error);
    }
    server__free_result(r);
}

bool server__propose(struct server *s, enum catalog_entry_type type, enum catalog_type schema,
                     const void *request)
{
    size_t len;
    uint8_t *entry = server__encode_entry(type, catalog_schema(schema), request, &len);
    if (!entry) {
        abort();
    }
    int rc = raft_node_propose(s->raft, entry, len, on_done, NULL);
    if (rc != RAFT_OK) {
        log_debug("agent.server", "a proposal of the leader's own was not taken: %s",
                  raft_node_strerror(rc));
    }
    free(entry);
    return rc == RAFT_OK;
}
