#include "mailbox.h"

#include <assert.h>
#include <sys/socket.h>
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
    char bytes[64];
    while (recv(fd, bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes) {
    }
    raft_node__mailbox_open_all(arg);
}

bool raft_node__mailbox_init(struct mailbox *m, struct event_base *base)
{
    *m = (struct mailbox){.bell = {-1, -1}};
    m->last = &m->first;
    if (evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, m->bell) != 0) {
        return false;
    }
    pthread_mutex_init(&m->lock, NULL);
    m->event = NULL;
    if (evutil_make_socket_nonblocking(m->bell[0]) == 0 &&
        evutil_make_socket_nonblocking(m->bell[1]) == 0 &&
        evutil_make_socket_closeonexec(m->bell[0]) == 0 &&
        evutil_make_socket_closeonexec(m->bell[1]) == 0) {
        m->event = event_new(base, m->bell[0], EV_READ | EV_PERSIST, on_bell, m);
    }
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
    evutil_closesocket(m->bell[0]);
    evutil_closesocket(m->bell[1]);
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
    if (must_ring) {
        /* Under the lock: after it, the loop may open the letter and take the mailbox down */
        char byte = 0;
        ssize_t sent = send(m->bell[1], &byte, 1, MSG_NOSIGNAL);
        (void)sent; /* full: the loop has been told often enough */
    }
    pthread_mutex_unlock(&m->lock);
}
