/* snapshot_core.c - what the threads of snapshots ask of the core loop, and its answers. */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

/* A question to the core. The one who asks waits, so it stands on his stack; it is answered always,
 * also by a core that comes to its end. */
struct ask {
    struct server *server;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool is_done;
    int status;
    struct snapshot_view *view;
    const void *data;
    size_t len;
    struct write_result *result;
};

static void answer(struct ask *a, int status)
{
    pthread_mutex_lock(&a->lock);
    a->status = status;
    a->is_done = true;
    pthread_cond_signal(&a->answered);
    pthread_mutex_unlock(&a->lock); /* the last that is done with it */
}

static int ask(struct ask *a, loop_fn fn)
{
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->answered, NULL);
    loop_post(a->server->core, fn, a);
    pthread_mutex_lock(&a->lock);
    while (!a->is_done) {
        pthread_cond_wait(&a->answered, &a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    pthread_cond_destroy(&a->answered);
    pthread_mutex_destroy(&a->lock);
    return a->status;
}

static void on_view(void *arg)
{
    struct ask *a = arg;
    struct snapshot_view *v = a->view;
    struct server *s = a->server;
    if (s->raft) {
        struct raft_node_status st;
        raft_node_status(s->raft, &st);
        struct server_view *view = server__make_view(s);
        v->is_leader = view->is_leader;
        v->known_leader = view->leader_id[0] != '\0';
        snprintf(v->leader_host, sizeof v->leader_host, "%s", view->leader_host);
        v->leader_port = view->leader_port;
        v->term = st.last_log_term;
        v->last_contact_ns = st.last_contact_ns == MU_NEVER ? 0 : st.last_contact_ns;
        v->configuration = *st.configuration;
        server__view_free(view);
    }
    answer(a, RAFT_OK);
}

void snapshot__ask_view(struct snapshot_job *j, struct snapshot_view *out)
{
    struct ask a = {.server = j->server, .view = out};
    *out = (struct snapshot_view){.term = 0};
    ask(&a, on_view);
}

static void on_raft_done(void *arg, int status, raft_index index, void *result)
{
    struct ask *a = arg;
    (void)index;
    a->result = result;
    answer(a, status);
}

static void on_read(void *arg)
{
    struct ask *a = arg;
    struct raft_node *raft = a->server->raft;
    int rc = raft ? raft_node_read(raft, on_raft_done, a) : RAFT_NODE_ESTOPPED;
    if (rc != RAFT_OK) {
        answer(a, rc);
    }
}

int snapshot__ask_read(struct snapshot_job *j)
{
    struct ask a = {.server = j->server};
    return ask(&a, on_read);
}

static void on_propose(void *arg)
{
    struct ask *a = arg;
    struct raft_node *raft = a->server->raft;
    int rc = raft ? raft_node_propose(raft, a->data, a->len, on_raft_done, a) : RAFT_NODE_ESTOPPED;
    if (rc != RAFT_OK) {
        answer(a, rc);
    }
}

int snapshot__ask_propose(struct snapshot_job *j, const void *data, size_t len,
                          struct write_result **result)
{
    struct ask a = {.server = j->server, .data = data, .len = len};
    int rc = ask(&a, on_propose);
    *result = a.result;
    return rc;
}
