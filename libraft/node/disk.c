#include "disk.h"

#include <string.h>
#include <time.h>

/* A change of the thread's state on its way to the core loop. */
struct news {
    struct letter letter; /* first */
    struct disk *disk;
    int code; /* RAFT_NODE_ENOSPC: full; RAFT_OK: no longer; otherwise failed for good */
    struct raft_node_diag diag;
};

struct disk {
    struct disk_config cfg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct disk_job *first, **last; /* queued; under the lock */
    bool is_stopping;               /* under the lock */

    /* The disk thread's own. */
    struct disk_job *written, **written_last; /* wait for the commit */
    bool is_full, is_failed;                  /* failed: no job is run any more */
};

static void open_news(struct letter *l)
{
    struct news *n = (struct news *)(void *)l;
    const struct disk_config *cfg = &n->disk->cfg;
    if (n->code == RAFT_OK || n->code == RAFT_NODE_ENOSPC) {
        cfg->full(cfg->user, n->code != RAFT_OK, n->diag.text);
    } else {
        cfg->failed(cfg->user, n->code, n->diag.text);
    }
    mu__free(&cfg->allocator, n);
}

/* Without memory the news is not told: a full disk then only looks slow, and a failed one shows in
 * every job. */
static void tell(struct disk *d, int code, const struct raft_node_diag *diag)
{
    struct news *n = mu__calloc(&d->cfg.allocator, 1, sizeof *n);
    if (!n) {
        return;
    }
    n->letter.open = open_news;
    n->disk = d;
    n->code = code;
    n->diag = *diag;
    raft_node__mailbox_post(d->cfg.mailbox, &n->letter);
}

static void open_job(struct letter *l)
{
    struct disk_job *job = (struct disk_job *)(void *)l; /* its first member */
    job->done(job);
}

static void give_back(struct disk *d, struct disk_job *job, int rc)
{
    job->rc = rc;
    job->letter.open = open_job;
    raft_node__mailbox_post(d->cfg.mailbox, &job->letter);
}

static bool is_stopping(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    bool stopping = d->is_stopping;
    pthread_mutex_unlock(&d->lock);
    return stopping;
}

/* Sleeps until the disk is worth another attempt. False: the node is being destroyed. */
static bool wait_for_room(struct disk *d)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + d->cfg.retry_ns;
    until.tv_sec += (time_t)(ns / MU_SEC);
    until.tv_nsec = (long)(ns % MU_SEC);
    pthread_mutex_lock(&d->lock);
    while (!d->is_stopping && pthread_cond_timedwait(&d->wake, &d->lock, &until) == 0) {
    }
    bool goes_on = !d->is_stopping;
    pthread_mutex_unlock(&d->lock);
    return goes_on;
}

/* One step against the disk, job->run or (job NULL) the commit, again and again while the disk is
 * full. */
static int insist(struct disk *d, struct disk_job *job)
{
    struct raft_node_diag diag = {""};
    for (;;) {
        int rc = job ? job->run(job, d->cfg.log) : raft_node__log_commit(d->cfg.log, &diag);
        const struct raft_node_diag *why = job ? &job->diag : &diag;
        if (rc == RAFT_NODE_ENOSPC && !d->is_full) {
            d->is_full = true;
            tell(d, RAFT_NODE_ENOSPC, why);
        }
        if (rc == RAFT_NODE_ENOSPC) {
            if (!wait_for_room(d)) {
                d->is_failed = true; /* what follows builds on this step */
                return RAFT_NODE_ESTOPPED;
            }
            continue;
        }
        if (rc == 0 && d->is_full) {
            d->is_full = false;
            tell(d, RAFT_OK, why);
        }
        if (rc != 0) {
            d->is_failed = true;
            tell(d, rc, why);
            return RAFT_NODE_ESTOPPED;
        }
        return 0;
    }
}

static void commit(struct disk *d)
{
    if (!d->written) {
        return;
    }
    int rc = d->is_failed ? RAFT_NODE_ESTOPPED : insist(d, NULL);
    for (struct disk_job *job = d->written; job;) {
        struct disk_job *next = job->next; /* the job is gone once it is posted */
        give_back(d, job, rc);
        job = next;
    }
    d->written = NULL;
    d->written_last = &d->written;
}

static void run_job(struct disk *d, struct disk_job *job)
{
    if (!job->is_write) {
        commit(d);
        give_back(d, job,
                  d->is_failed || is_stopping(d) ? RAFT_NODE_ESTOPPED : job->run(job, d->cfg.log));
        return;
    }
    int rc = d->is_failed ? RAFT_NODE_ESTOPPED : insist(d, job);
    if (rc != 0) {
        commit(d);
        give_back(d, job, rc);
        return;
    }
    job->next = NULL;
    *d->written_last = job;
    d->written_last = &job->next;
}

/* Waits for jobs. NULL: stop. */
static struct disk_job *take_jobs(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    while (!d->first && !d->is_stopping) {
        pthread_cond_wait(&d->wake, &d->lock);
    }
    struct disk_job *jobs = d->is_stopping ? NULL : d->first;
    if (jobs) {
        d->first = NULL;
        d->last = &d->first;
    }
    pthread_mutex_unlock(&d->lock);
    return jobs;
}

static void *disk_main(void *arg)
{
    struct disk *d = arg;
    for (struct disk_job *jobs; (jobs = take_jobs(d)) != NULL;) {
        while (jobs) {
            struct disk_job *next = jobs->next;
            run_job(d, jobs);
            jobs = next;
        }
        commit(d);
    }
    return NULL;
}

int raft_node__disk_start(const struct disk_config *cfg, struct disk **out)
{
    *out = NULL;
    struct disk *d = mu__calloc(&cfg->allocator, 1, sizeof *d);
    if (!d) {
        return RAFT_ENOMEM;
    }
    d->cfg = *cfg;
    d->last = &d->first;
    d->written_last = &d->written;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&d->lock, NULL);
    if (pthread_create(&d->thread, NULL, disk_main, d) != 0) {
        raft_node__disk_free(d);
        return RAFT_NODE_EIO;
    }
    *out = d;
    return 0;
}

void raft_node__disk_queue(struct disk *d, struct disk_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&d->lock);
    *d->last = job;
    d->last = &job->next;
    pthread_mutex_unlock(&d->lock);
    pthread_cond_signal(&d->wake); /* the thread does not wake up to a lock that is held */
}

void raft_node__disk_stop(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    d->is_stopping = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    for (struct disk_job *job = d->first; job;) {
        struct disk_job *next = job->next;
        give_back(d, job, RAFT_NODE_ESTOPPED);
        job = next;
    }
    d->first = NULL;
    d->last = &d->first;
}

void raft_node__disk_free(struct disk *d)
{
    if (!d) {
        return;
    }
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    mu__free(&d->cfg.allocator, d);
}
