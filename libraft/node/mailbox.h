/* mailbox.h - how the node's threads speak to the core loop: letters that run there, in the order
 * of posting. */
#pragma once

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>

struct letter {
    struct letter *next;
    void (*open)(struct letter *self); /* runs on the core loop; the letter may be freed in it */
};

struct mailbox {
    pthread_mutex_t lock;
    struct letter *first, **last; /* under the lock */
    bool is_rung;                 /* under the lock: a byte is on its way */
    evutil_socket_t bell[2];      /* read end, write end */
    struct event *event;
};

bool raft_node__mailbox_init(struct mailbox *m, struct event_base *base);
void raft_node__mailbox_fini(struct mailbox *m); /* the mailbox must be empty */
/* Any thread. The letter belongs to the mailbox until it is opened. */
void raft_node__mailbox_post(struct mailbox *m, struct letter *letter);
/* Core loop: opens all letters that are there. */
void raft_node__mailbox_open_all(struct mailbox *m);
