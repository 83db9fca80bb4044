/* gossip_fire.c - user events of our own: from the core loop to the pool. */
#include "gossip_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_MAX                                                                                  \
    512 /* bytes: of name and payload, and of the encoded message (gossip wire, 10.4) */

struct fire_job {
    struct gossip *gossip;
    gossip_done_fn done;
    void *arg;
    char error[160]; /* "": it was sent */
    size_t name_len, payload_len;
    char bytes[];
};

static void fired(void *arg)
{
    struct fire_job *j = arg;
    if (j->done) {
        j->done(j->arg, j->error[0] ? j->error : NULL);
    }
    free(j);
}

/* In Consul's words: people know them, and programs look for them. */
static void explain(struct fire_job *j, int rc)
{
    bool plain = j->name_len + j->payload_len > EVENT_MAX;
    if (rc == SWIM_ESIZE) {
        snprintf(j->error, sizeof j->error,
                 "%suser event exceeds configured limit of %d bytes %s encoding",
                 plain ? "" : "encoded ", EVENT_MAX, plain ? "before" : "after");
    } else if (rc != SWIM_OK) {
        snprintf(j->error, sizeof j->error, "%s", swim_strerror(rc));
    }
}

static void fire(void *arg)
{
    struct fire_job *j = arg;
    struct swim_node *n = j->gossip->node;
    int rc = SWIM_ELEFT;
    if (n) {
        rc = swim_user_event(swim_node_core(n), swim_node_now(n),
                             (struct mu_str){j->bytes, j->name_len},
                             (struct mu_str){j->bytes + j->name_len, j->payload_len}, false);
        swim_node_flush(n);
    }
    explain(j, rc);
    loop_post(j->gossip->core, fired, j);
}

void gossip_fire(struct gossip *g, struct mu_str name, struct mu_str payload, gossip_done_fn done,
                 void *arg)
{
    struct fire_job *j = gossip__must(malloc(sizeof *j + name.len + payload.len));
    *j = (struct fire_job){
        .gossip = g, .done = done, .arg = arg, .name_len = name.len, .payload_len = payload.len};
    memcpy(j->bytes, name.p ? name.p : "", name.len);
    memcpy(j->bytes + name.len, payload.p ? payload.p : "", payload.len);
    loop_post(g->loop, fire, j);
}
