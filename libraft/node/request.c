#include "node.h"

#include <string.h>

void raft_node__requests_init(struct requests *q)
{
    *q = (struct requests){.first = NULL};
    q->last = &q->first;
}

void raft_node__requests_push(struct requests *q, struct request *r)
{
    r->next = NULL;
    *q->last = r;
    q->last = &r->next;
    q->count++;
}

struct request *raft_node__requests_pop(struct requests *q)
{
    struct request *r = q->first;
    if (r) {
        q->first = r->next;
        q->last = q->first ? q->last : &q->first;
        q->count--;
    }
    return r;
}

struct request *raft_node__request(struct raft_node *n, raft_node_done_fn done, void *arg)
{
    struct request *r = mu__calloc(&n->allocator, 1, sizeof *r);
    if (r) {
        r->done = done;
        r->arg = arg;
    }
    return r;
}

void raft_node__answer(struct raft_node *n, struct request *r, int status, raft_index index,
                       void *result)
{
    r->status = status;
    r->index = status == RAFT_OK ? index : 0;
    r->result = result;
    raft_node__requests_push(&n->answers, r);
}

void raft_node__answer_all(struct raft_node *n, struct requests *q, int status)
{
    for (struct request *r; (r = raft_node__requests_pop(q)) != NULL;) {
        raft_node__answer(n, r, status, 0, NULL);
    }
}

void raft_node__run_answers(struct raft_node *n)
{
    for (struct request *r; (r = raft_node__requests_pop(&n->answers)) != NULL;) {
        struct request told = *r;
        mu__free(&n->allocator, r);
        if (told.done) {
            told.done(told.arg, told.status, told.index, told.result);
        }
    }
}

int raft_node_propose(struct raft_node *n, const void *data, size_t len, raft_node_done_fn done,
                      void *arg)
{
    if (n->failure != 0) {
        return RAFT_NODE_ESTOPPED;
    }
    if (!data || len == 0) {
        return RAFT_EINVAL;
    }
    if (n->proposals.count >= n->cfg.proposals_max) {
        return RAFT_EBUSY;
    }
    struct request *r = raft_node__request(n, done, arg);
    if (!r) {
        return RAFT_ENOMEM;
    }
    struct mu_str entry = {.p = data, .len = len};
    int rc = raft_propose(n->core, raft_node__now(), &entry, 1, &r->index);
    if (rc != RAFT_OK) {
        mu__free(&n->allocator, r);
        return rc;
    }
    r->term = n->proposal_term = raft_current_term(n->core);
    raft_node__requests_push(&n->proposals, r);
    raft_node__kick(n);
    return RAFT_OK;
}

int raft_node_read(struct raft_node *n, raft_node_done_fn done, void *arg)
{
    if (n->failure != 0) {
        return RAFT_NODE_ESTOPPED;
    }
    struct request *r = raft_node__request(n, done, arg);
    if (!r) {
        return RAFT_ENOMEM;
    }
    r->read_id = ++n->next_read_id;
    int rc = raft_read(n->core, raft_node__now(), r->read_id);
    if (rc != RAFT_OK) {
        mu__free(&n->allocator, r);
        return rc;
    }
    raft_node__requests_push(&n->reads, r);
    raft_node__kick(n);
    return RAFT_OK;
}

static int change(struct raft_node *n, enum raft_change_type type, const struct raft_server *server,
                  raft_node_done_fn done, void *arg)
{
    if (n->failure != 0) {
        return RAFT_NODE_ESTOPPED;
    }
    struct request *r = raft_node__request(n, done, arg);
    if (!r) {
        return RAFT_ENOMEM;
    }
    int rc = raft_change(n->core, raft_node__now(), type, server, &r->index);
    if (rc != RAFT_OK) {
        mu__free(&n->allocator, r);
        return rc;
    }
    r->term = n->proposal_term = raft_current_term(n->core);
    raft_node__requests_push(&n->proposals, r); /* an entry like any other, in its place */
    raft_node__kick(n);
    return RAFT_OK;
}

static bool is_server(const struct raft_server *s)
{
    return memchr(s->id, 0, sizeof s->id) && memchr(s->address, 0, sizeof s->address) &&
           raft_node__transport_is_address(s->address);
}

int raft_node_add_server(struct raft_node *n, const struct raft_server *server,
                         raft_node_done_fn done, void *arg)
{
    return is_server(server) ? change(n, RAFT_CHANGE_SET, server, done, arg) : RAFT_EINVAL;
}

int raft_node_remove_server(struct raft_node *n, const char *id, raft_node_done_fn done, void *arg)
{
    struct raft_server server = {.id = ""};
    size_t len = strlen(id);
    if (len == 0 || len > RAFT_ID_MAX) {
        return RAFT_EINVAL;
    }
    memcpy(server.id, id, len);
    return change(n, RAFT_CHANGE_REMOVE, &server, done, arg);
}

int raft_node_bootstrap(struct raft_node *n, const struct raft_server *servers, size_t count)
{
    if (n->failure != 0) {
        return RAFT_NODE_ESTOPPED;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_server(&servers[i])) {
            return RAFT_EINVAL;
        }
    }
    int rc = raft_bootstrap(n->core, raft_node__now(), servers, count);
    if (rc == RAFT_OK) {
        raft_node__kick(n);
    }
    return rc;
}

int raft_node_transfer(struct raft_node *n, const char *id)
{
    if (n->failure != 0) {
        return RAFT_NODE_ESTOPPED;
    }
    int rc = raft_transfer(n->core, raft_node__now(), id);
    if (rc == RAFT_OK) {
        raft_node__kick(n);
    }
    return rc;
}

void raft_node_step_down(struct raft_node *n)
{
    if (n->failure != 0 || raft_role(n->core) != RAFT_LEADER) {
        return;
    }
    uint64_t now = raft_node__now();
    if (raft_transfer(n->core, now, NULL) != RAFT_OK) { /* nobody to hand it to */
        raft_set_electable(n->core, now, false);
        raft_set_electable(n->core, now, !n->is_disk_full);
    }
    raft_node__kick(n);
}
