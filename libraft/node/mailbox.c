#include "mailbox.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct letter *take_all(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    struct letter *all = m->first;
    m->first = NULL;
    m->last = &m->first;
    m->is_rung = false;
    pthread_mutex_unlock(&m->lock);
    return all;
}

void raft_node__mailbox_open_all(struct mailbox *m)
{
    for (struct letter *l = take_all(m); l;) {
        struct letter *next = l->next;
        l->open(l);
        l = next;
    }
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct mailbox *m = arg;
    uint64_t rings;
    (void)!read(fd, &rings, sizeof rings);
    raft_node__mailbox_open_all(m);
    if (m->opened) {
        m->opened(m->user);
    }
}

bool raft_node__mailbox_init(struct mailbox *m, struct event_base *base, void (*opened)(void *user),
                             void *user)
{
    *m = (struct mailbox){.opened = opened, .user = user};
    m->last = &m->first;
    m->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->bell < 0) {
        return false;
    }
    pthread_mutex_init(&m->lock, NULL);
    m->event = event_new(base, m->bell, EV_READ | EV_PERSIST, on_bell, m);
    if (!m->event || event_add(m->event, NULL) != 0) {
        raft_node__mailbox_fini(m);
        return false;
    }
    return true;
}

void raft_node__mailbox_fini(struct mailbox *m)
{
    assert(!m->first);
    if (m->event) {
        event_free(m->event);
    }
    close(m->bell);
    pthread_mutex_destroy(&m->lock);
}

void raft_node__mailbox_post(struct mailbox *m, struct letter *letter)
{
    letter->next = NULL;
    pthread_mutex_lock(&m->lock);
    *m->last = letter;
    m->last = &letter->next;
    bool must_ring = !m->is_rung;
    m->is_rung = true;
    pthread_mutex_unlock(&m->lock);
    if (must_ring) { /* outside, so that the loop does not wake up to a lock that is held */
        uint64_t one = 1;
        (void)!write(m->bell, &one, sizeof one);
    }
}
