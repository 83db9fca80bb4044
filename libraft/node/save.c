#include "node.h"

#include <string.h>
#include <sys/resource.h>

#define NICENESS 10

/* A snapshot of the own state machine, streamed by a thread of its own so that log writes never
 * wait for it. */
struct save_job {
    struct letter letter; /* first */
    struct raft_node *node;
    pthread_t thread;
    void *view;
    struct raft_snapshot_meta meta; /* its configuration is a copy behind the job */
    struct request *request;        /* who asked for it; NULL: the threshold did */
    atomic_bool cancelled;
    bool is_joined;
    int rc;
    struct raft_node_diag diag;
};

bool raft_node__is_saving(const struct raft_node *n)
{
    return n->save != NULL;
}

void raft_node__note_snapshot(struct raft_node *n, raft_index index, raft_term term)
{
    if (index > n->saved_index) {
        n->older_saved_index = n->saved_index;
        n->saved_index = index;
        n->saved_term = term;
    }
}

static int save(struct save_job *s)
{
    struct raft_node *n = s->node;
    struct raft_node_writer *w;
    int rc = raft_node__snapshot_create(n->dir, &s->meta, n->ops, &n->allocator, &s->cancelled, &w,
                                        &s->diag);
    if (rc != 0) {
        return rc;
    }
    rc = n->cfg.machine.snapshot_save(n->cfg.machine.user, s->view, w);
    if (rc != 0) {
        raft_node__fail(&s->diag, rc, "the state machine gave it up");
        raft_node__snapshot_abort(w);
        return rc < 0 ? rc : RAFT_NODE_EIO;
    }
    rc = raft_node__snapshot_finish(w, &s->diag);
    if (rc == 0) {
        raft_node__snapshot_prune(n->dir);
    }
    return rc;
}

/* It has time: whoever serves clients goes first. Elsewhere than on Linux this would be about the
 * whole process. */
static void give_way(void)
{
#ifdef __linux__
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
#endif
}

static void *save_main(void *arg)
{
    struct save_job *s = arg;
    give_way();
    s->rc = save(s);
    raft_node__mailbox_post(&s->node->mailbox, &s->letter);
    return NULL;
}

static void note_result(struct raft_node *n, const struct save_job *s)
{
    if (s->rc == 0) {
        raft_node__note_snapshot(n, s->meta.index, s->meta.term);
        raft_snapshot_done(n->core, raft_node__now(), s->meta.index);
        raft_node__logf(&n->log, MU_INFO, "raft: snapshot of entry %llu taken",
                        (unsigned long long)s->meta.index);
        return;
    }
    n->save_retry_at = s->meta.index + n->cfg.snapshot_threshold / 4 + 1;
    raft_node__logf(&n->log, MU_ERROR, "raft: no snapshot of entry %llu: %s",
                    (unsigned long long)s->meta.index, s->diag.text);
}

static void open_saved(struct letter *letter)
{
    struct save_job *s = (struct save_job *)(void *)letter;
    struct raft_node *n = s->node;
    if (!s->is_joined) {
        pthread_join(s->thread, NULL);
    }
    n->save = NULL;
    n->cfg.machine.snapshot_end(n->cfg.machine.user, s->view);
    if (n->failure == 0) {
        note_result(n, s);
    }
    if (s->request) {
        raft_node__answer(n, s->request, n->failure ? RAFT_NODE_ESTOPPED : s->rc, s->meta.index,
                          NULL);
    }
    raft_node__kick(n);
    mu__free(&n->allocator, s);
}

void raft_node__stop_saving(struct raft_node *n)
{
    if (n->save) {
        atomic_store(&n->save->cancelled, true);
        pthread_join(n->save->thread, NULL);
        n->save->is_joined = true;
    }
}

static struct save_job *make_job(struct raft_node *n, const struct raft_snapshot_meta *meta)
{
    struct save_job *s = mu__alloc(&n->allocator, sizeof *s + meta->configuration_len);
    if (!s) {
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->letter.open = open_saved;
    s->node = n;
    s->meta = *meta;
    s->meta.configuration = s + 1;
    if (meta->configuration_len > 0) {
        memcpy(s + 1, meta->configuration, meta->configuration_len);
    }
    atomic_init(&s->cancelled, false);
    return s;
}

/* Begins a snapshot of what is applied now. request may be NULL; on failure it stays the
 * caller's. */
static int begin_save(struct raft_node *n, struct request *request)
{
    raft_index applied = atomic_load(&n->applied_index);
    if (n->save || applied <= n->saved_index) {
        return RAFT_EBUSY;
    }
    struct raft_snapshot_meta meta;
    int rc = raft_snapshot_meta(n->core, applied, &meta);
    if (rc != RAFT_OK) {
        return rc == RAFT_ENOENT ? RAFT_EBUSY : rc;
    }
    struct save_job *s = make_job(n, &meta);
    if (!s) {
        return RAFT_ENOMEM;
    }
    s->view = n->cfg.machine.snapshot_begin(n->cfg.machine.user);
    if (!s->view) {
        mu__free(&n->allocator, s);
        return RAFT_EBUSY;
    }
    s->request = request;
    n->save = s;
    if (pthread_create(&s->thread, NULL, save_main, s) != 0) {
        n->save = NULL;
        n->cfg.machine.snapshot_end(n->cfg.machine.user, s->view);
        mu__free(&n->allocator, s);
        return RAFT_EBUSY;
    }
    return RAFT_OK;
}

void raft_node__maybe_save(struct raft_node *n)
{
    raft_index applied = atomic_load(&n->applied_index);
    uint64_t threshold = n->cfg.snapshot_threshold;
    if (threshold == 0 || n->save || n->failure != 0 || applied < n->saved_index + threshold ||
        applied < n->save_retry_at || raft_node__now() < n->save_due_ns) {
        return;
    }
    n->save_due_ns = raft_node__now() + n->cfg.snapshot_interval_ns;
    if (begin_save(n, NULL) != RAFT_OK) {
        n->save_retry_at = applied + threshold / 4 + 1;
    }
}

int raft_node_snapshot(struct raft_node *n, raft_node_done_fn done, void *arg)
{
    if (n->failure != 0) {
        return RAFT_NODE_ESTOPPED;
    }
    struct request *r = raft_node__request(n, done, arg);
    if (!r) {
        return RAFT_ENOMEM;
    }
    int rc = begin_save(n, r);
    if (rc != RAFT_OK) {
        mu__free(&n->allocator, r);
    }
    return rc;
}
