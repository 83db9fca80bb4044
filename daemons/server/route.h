/* route.h - the way of one call through a server's front: answered here, forwarded, proposed, or
 * waiting. */
#pragma once

#include "server.h"

#include <event2/event_struct.h>
#include <muster/catalog.h>

struct http_filter;  /* http/filter.h */
struct operator_job; /* operator.c */

enum route_state {
    ROUTE_HELD,       /* waits for a leader */
    ROUTE_BLOCKED,    /* a read that waits for a newer index */
    ROUTE_CONFIRMING, /* a read that a majority is being asked for, or about to be */
    ROUTE_ON_CORE,    /* proposed, or asked there */
    ROUTE_FORWARDED   /* the leader has it */
};

struct route {
    struct server_front *front;
    struct call *call; /* NULL: cancelled while somebody else still held the route */
    enum route_state state;
    /* In one of the front's lists; *link points here, whichever list that is */
    struct route **link, *next;
    uint64_t hold_until_ns;        /* 0: not held yet */
    struct rpc_exchange *exchange; /* while FORWARDED */
    uint64_t sent_at_ns;           /* likewise, or proposed: since when */
    /* Reads. */
    struct catalog_waiter *waiter;
    struct event timer; /* end of a blocking read, or of the patience with a former leader */
    bool has_timer, confirmed;
    uint64_t round; /* while CONFIRMING: questions to the majority that it came too late for */
    bool restored;  /* woken by a restored snapshot: it is answered, whatever the index is */
    uint64_t deadline_ns;             /* of the blocking; 0: has not blocked yet */
    const struct http_filter *filter; /* what records must match; NULL: nothing */
    void *reply;                      /* in the call's arena */
    /* Writes. */
    uint8_t *entry; /* for the core */
    size_t entry_len;
    bool locks;    /* the entry is to lock keys */
    bool had_turn; /* a leaf, which need not wait any more */
    int status;
    struct write_result *result;
    struct operator_job *job; /* while the core has it */
};

/* route.c */
#define ROUTE_NO_LEADER     "No cluster leader" /* Consul's words, which clients look for */
#define ROUTE_SHUTTING_DOWN "the server is shutting down"
void route__drop_entry(struct route *r);             /* wiped, if it may have a key in it */
void route__free(struct route *r);                   /* not in a list, no waiter, no timer */
void route__fail(struct route *r, const char *text); /* frees it and ends its call */
void route__list_add(struct route **list, struct route *r);
void route__list_remove(struct route *r);
/* Moves all of a list to front->taken, to be taken from there one by one: what runs on the way may
 * add to the list and remove from either. taken must be empty, and be emptied. */
void route__list_take(struct server_front *f, struct route **list);
/* Messages that were under way may still arrive on a front that has been closed, and bring calls
 * with them. */
bool route__front_is_closed(const struct server_front *f);
/* The options of a read; NULL if the endpoint has none. */
struct catalog_query_options *route__options(const struct route *r);
/* Waits for a leader, at most rpc_hold_timeout. */
void route__hold(struct route *r);
void route__retry_held(struct server_front *f); /* each held call gets another try */
void route__on_hold_timer(evutil_socket_t fd, short what, void *arg); /* the front */

/* backend.c: decides anew who answers, and sets it in motion. */
void route__dispatch(struct route *r);

/* forward.c: to the leader, if one is known; else it waits for one. */
void route__forward(struct route *r);
/* There is a view: what can be is taken back from a former leader. */
void route__follow_leader(struct server_front *f);
void route__recall(struct route *r); /* takes a forwarded call back, and off its list */

/* reads.c: answers from the store, or blocks. */
void route__read(struct route *r);
void route__unblock(struct route *r);  /* takes it off the watch tree and the blocked list */
void route__end_wait(struct route *r); /* of a blocked one: it gets what there is */
void route__on_resume_timer(evutil_socket_t fd, short what, void *arg); /* the front */
/* A reader of the front's own, closed; NULL when out of memory. */
struct catalog_reader *route__take_reader(struct server_front *f);
void route__return_reader(struct server_front *f, struct catalog_reader *r);
/* fresh.c: call.stamp of an answer that was read there */
uint64_t server__stamp(const struct catalog_reader *reader, const struct endpoint *e,
                       const void *request);
/* config.c: each NULL, or why the call is refused (in reason at most) */
const char *route__prepare_config(struct call *c, char *reason, size_t size);
const char *route__check_config_read(const struct call *c, char *reason, size_t size);
/* As a query; with CATALOG_EINVAL the reason says why there is no chain. */
int route__query_chain(const struct route *r, struct catalog_reader *reader, void *reply,
                       struct catalog_watch_keys *keys, char *reason, size_t size);
/* coordinates.c */
void route__take_coordinate(struct route *r); /* on the leader: kept, and written soon */
void route__list_datacenters(struct route *r);
/* confirm.c */
void route__confirm_then_read(struct route *r); /* ?consistent: a majority first (Raft 6.4) */
void route__on_ask(evutil_socket_t fd, short what, void *arg); /* the front */
/* filter.c: QueryOptions.Filter. False when it is wrong, and err says why. */
bool route__read_filter(struct route *r, char *err, size_t errlen) MU_MUST_USE;
void route__filter(const struct route *r); /* leaves in the reply what matches */
/* writes.c: proposes on the core loop. */
void route__write(struct route *r);
/* txn.c: a transaction that can only be refused is answered at once; true then. */
bool route__refuse_txn(struct route *r);
/* local.c: answers that need neither store nor leader. */
void route__local(struct route *r);
/* operator.c: what only the core can answer: Raft's servers, their health, and who is removed. */
bool route__is_for_core(const struct endpoint *e);
void route__ask_core(struct route *r);
void route__job_free(struct operator_job *job); /* NULL is allowed */
