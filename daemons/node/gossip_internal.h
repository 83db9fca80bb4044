/* gossip_internal.h - what the files of gossip.h share.
 *
 *   gossip.c         starting and ending, joining and leaving
 *   gossip_events.c  what the swim node tells: members, user events
 *   gossip_fire.c    user events of our own
 *   gossip_keys.c    the keys of the pool */
#pragma once

#include "gossip.h"

#define GOSSIP_MODULE "agent.client.serf.lan"

struct gossip {
    struct loop *loop, *core;
    struct mu_str datacenter; /* the configuration's */
    struct gossip_events events;
    struct swim_node *node; /* NULL once stopped */
    struct swim_consul_lan policy;
    const struct config_networks *allowed; /* the configuration's */
    struct event *publish_timer;
    char *strings[8]; /* what config and policy borrow */
    size_t nstrings;
    void (*left)(void *arg); /* core's, set before the gossip loop is told to leave */
    void *left_arg;
    struct gossip_report report; /* core's: the newest that was posted */
};

void *gossip__must(void *p); /* p; aborts when it is NULL: out of memory */

/* gossip_events.c: the swim node's callback, on the gossip loop. */
void gossip__on_event(void *user, const struct swim_event *ev);
