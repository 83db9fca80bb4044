/* restored.c - what follows from a restore, beside the state itself. */
#include "server.h"

#include "base/log.h"
#include "staging.h"

#include <stdlib.h>

#define MODULE "agent.server.snapshot"

/* The archive has gone through the log; a Raft snapshot lets go of it there. */
static void settle(void *arg)
{
    struct server *s = arg;
    if (!s->raft) {
        return;
    }
    int rc = raft_node_snapshot(s->raft, NULL, NULL);
    if (rc != RAFT_OK && rc != RAFT_EBUSY) {
        log_debug(MODULE, "no snapshot of Raft after the restore: %s", raft_node_strerror(rc));
    }
    if (raft_node_is_leader(s->raft)) {
        server__reconcile_soon(s); /* the catalog may know nobody who is here */
    }
}

void server__restored(struct server *s)
{
    loop_post(s->core, settle, s);
}

static void on_given_up(void *arg, int status, raft_index index, void *result)
{
    (void)arg;
    (void)index;
    (void)status;
    free(result);
}

void server__restore_give_up(struct server *s)
{
    uint8_t head[STAGING_HEAD];
    if (!s->staging) {
        return;
    }
    log_warn(MODULE, "a restore that another leader began is given up");
    size_t len = staging_write_head(head, STAGING_ABORT, staging_id(s->staging), 0);
    int rc = raft_node_propose(s->raft, head, len, on_given_up, s);
    if (rc != RAFT_OK) {
        log_warn(MODULE, "it cannot be given up: %s", raft_node_strerror(rc));
    }
}
