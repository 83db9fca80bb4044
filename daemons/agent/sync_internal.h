/* sync_internal.h - between sync.c, which decides when and what, and sync_send.c, which says it. */
#pragma once

#include "agent/sync.h"
#include "rpc/endpoints.h"

/* One pass reads (unless it only carries changes), then registers services with their checks, then
 * single checks, then the node if that is all there is to say. */
enum phase { IDLE, READING, SERVICES, CHECKS, NODE };

struct sync {
    struct local *local;
    const struct config *config;
    struct mu_str node_id;
    struct core_caller *caller;
    struct mu__prng prng;
    struct event *timer; /* the next comparison */
    struct event *kick;  /* changes: at once, or a moment after those before them */
    uint64_t began_ns;   /* the last pass that carried some */
    enum phase phase;
    uint64_t pass;     /* its number; an entry is tried once a pass */
    bool full;         /* this pass compares */
    bool again, dirty; /* meanwhile another comparison, or sending of changes, was asked for */
    bool joined;       /* meanwhile a server came */
    bool failed;       /* something of this pass is to be tried later */
    bool node_in_sync;
    bool compared_once;
    size_t at; /* how far the walk of the phase is */
    unsigned in_flight;
    struct flight *flights; /* of those, writes about entries */
    size_t members;
    /* READING */
    struct catalog_indexed_node_service_list *services; /* copies */
    struct catalog_indexed_checks *checks;
};

/* Each makes one call; when it is answered, entries are marked and sync__pump goes on. A service
 * goes with its checks that are out of sync. */
void sync__send_service(struct sync *s, struct local_service *service);
void sync__send_check(struct sync *s, struct local_check *c);
void sync__send_deregister(struct sync *s, const struct local_entry *e, bool is_check);
void sync__send_node(struct sync *s);
void sync__send_read(struct sync *s, enum endpoint_id id, core_call_done_fn done);

void sync__drop_flights(struct sync *s); /* no answer will come any more */

void sync__pump(struct sync *s);
