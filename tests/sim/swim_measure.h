/* swim_measure.h - one run of a large pool in virtual time, and what it costs and finds. */
#pragma once

#include "swim_world.h"

enum slowness { SLOW_BLOCKED /* messages wait, timers run */, SLOW_STOPPED /* as by SIGSTOP */ };

struct measure_options {
    struct world_options world;
    bool fast;         /* tuned for detection within two seconds: docs/gossip-proof.md */
    bool plain;        /* SWIM without Lifeguard: by configuration */
    bool original;     /* with Lifeguard, but without our own rules for pauses and silence */
    uint64_t calm_ns;  /* before anything happens */
    uint64_t watch_ns; /* after it, at most */
    size_t seeds;      /* of a table: how many a cell; 1 or more */
    size_t kill;       /* nodes that crash at once */
    size_t slow;       /* nodes that are slow, in cycles: slow, then well */
    enum slowness slowness;
    uint64_t slow_ns, well_ns;
    size_t deaf;         /* nodes that send, and hear nothing */
    bool restart;        /* all are stopped, and come back and join n0 one after the other */
    uint64_t restart_ns; /* within this time */
};

struct measured {
    double idle_bytes;    /* datagrams: per member and second, while nothing happens */
    double busy_bytes;    /* the same from the fault on */
    double stream_bytes;  /* full syncs, per member and second, over the whole run */
    double first_s[3];    /* a death is told to the first member: median, 99th, longest */
    double all_s[3];      /* and to the last */
    size_t undetected;    /* deaths that somebody was not told of in time */
    size_t false_any;     /* healthy members said to have failed, to anybody (Lifeguard: FP) */
    size_t false_healthy; /* and to healthy members (Lifeguard: FP-) */
    size_t false_slow;    /* slow, deaf or paused members said to have failed */
    double event_s[2];    /* a user event in the calm: half of all had it, all had it; 0: not all */
    double settled_s;     /* after a restart: all see all */
};

void swim_measure(const struct measure_options *o, struct measured *out);
