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
    bool is_rung;                 /* under the lock: the loop is, or is about to be, told */
    int bell;                     /* an eventfd */
    struct event *event;
    void (*opened)(void *user); /* runs after each round of letters */
    void *user;
};

/* opened may be NULL. */
bool raft_node__mailbox_init(struct mailbox *m, struct event_base *base, void (*opened)(void *user),
                             void *user);
void raft_node__mailbox_fini(struct mailbox *m); /* the mailbox must be empty */
/* Any thread, all of which have ended before raft_node__mailbox_fini. The letter belongs to the
 * mailbox until it is opened. */
void raft_node__mailbox_post(struct mailbox *m, struct letter *letter);
/* Core loop: opens all letters that are there. */
void raft_node__mailbox_open_all(struct mailbox *m);
