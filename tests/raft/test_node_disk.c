/* Mirrors libraft/node/disk.c and mailbox.c: the disk thread against a real log whose disk is slow
 * or fails on demand. The gate below holds the thread inside fdatasync until the test lets it go
 * on. */
#include "node_kit.h"

#include "disk.h"

#include <pthread.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool is_closed, has_visitor;
    unsigned syncs;
    int err; /* what sync gives, 0: success */
    int allocate_err;
};

struct fixture {
    char dir[64];
    struct gate gate;
    struct file_ops ops;
    struct event_base *base;
    struct mailbox mailbox;
    struct log *log;
    struct disk *disk;
    bool is_full;
    unsigned fulls, failures;
    unsigned done, refused;
    raft_index next;
};

static int gated_sync(void *user, int fd)
{
    struct gate *g = user;
    pthread_mutex_lock(&g->lock);
    g->syncs++;
    g->has_visitor = true;
    pthread_cond_broadcast(&g->change);
    while (g->is_closed) {
        pthread_cond_wait(&g->change, &g->lock);
    }
    g->has_visitor = false;
    int err = g->err;
    pthread_mutex_unlock(&g->lock);
    return err ? -err : raft_node__posix_ops.sync(NULL, fd);
}

static int gated_allocate(void *user, int fd, uint64_t bytes)
{
    struct gate *g = user;
    pthread_mutex_lock(&g->lock);
    int err = g->allocate_err;
    pthread_mutex_unlock(&g->lock);
    return err ? -err : raft_node__posix_ops.allocate(NULL, fd, bytes);
}

static int plain_create(void *user, const char *path)
{
    (void)user;
    return raft_node__posix_ops.create(NULL, path);
}

static int plain_write(void *user, int fd, const void *data, size_t len, uint64_t offset)
{
    (void)user;
    return raft_node__posix_ops.write(NULL, fd, data, len, offset);
}

static void set_gate(struct fixture *f, bool is_closed, int err)
{
    pthread_mutex_lock(&f->gate.lock);
    f->gate.is_closed = is_closed;
    f->gate.err = err;
    pthread_cond_broadcast(&f->gate.change);
    pthread_mutex_unlock(&f->gate.lock);
}

static void set_allocate_err(struct fixture *f, int err)
{
    pthread_mutex_lock(&f->gate.lock);
    f->gate.allocate_err = err;
    pthread_mutex_unlock(&f->gate.lock);
}

static void wait_for_visitor(struct fixture *f)
{
    pthread_mutex_lock(&f->gate.lock);
    while (!f->gate.has_visitor) {
        pthread_cond_wait(&f->gate.change, &f->gate.lock);
    }
    pthread_mutex_unlock(&f->gate.lock);
}

static unsigned count_syncs(struct fixture *f)
{
    pthread_mutex_lock(&f->gate.lock);
    unsigned n = f->gate.syncs;
    pthread_mutex_unlock(&f->gate.lock);
    return n;
}

static void on_full(void *user, bool is_full, const char *sentence)
{
    (void)sentence;
    struct fixture *f = user;
    f->is_full = is_full;
    f->fulls += is_full;
}

static void on_failed(void *user, int code, const char *sentence)
{
    struct fixture *f = user;
    assert_int_equal(code, RAFT_NODE_EIO);
    assert_non_null(strstr(sentence, "sync"));
    f->failures++;
}

struct job {
    struct disk_job job;
    struct fixture *f;
    raft_index index;
};

static int run_write(struct disk_job *job, struct log *log)
{
    struct job *j = (struct job *)(void *)job;
    char data[1000] = "data";
    struct raft_entry e = {.index = j->index, .term = 1, .data = data, .len = sizeof data};
    return raft_node__log_append(log, &e, &job->diag);
}

static int run_read(struct disk_job *job, struct log *log)
{
    struct job *j = (struct job *)(void *)job;
    struct log_batch b;
    int rc = raft_node__log_read(log, j->index, j->index, 1, &b, &job->diag);
    if (rc == 0 && b.n != 1) {
        rc = RAFT_ENOENT;
    }
    raft_node__log_batch_free(&mu__malloc_allocator, &b);
    return rc;
}

static void on_done(struct disk_job *job)
{
    struct job *j = (struct job *)(void *)job;
    if (job->rc == 0) {
        assert_int_equal(j->f->refused, 0);
        j->f->done++;
    } else {
        assert_int_equal(job->rc, RAFT_NODE_ESTOPPED);
        j->f->refused++;
    }
    free(j);
}

static void queue(struct fixture *f, raft_index index, bool is_write)
{
    struct job *j = calloc(1, sizeof *j);
    j->job.is_write = is_write;
    j->job.run = is_write ? run_write : run_read;
    j->job.done = on_done;
    j->f = f;
    j->index = index;
    raft_node__disk_queue(f->disk, &j->job);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kit_make_dir(f->dir);
    pthread_mutex_init(&f->gate.lock, NULL);
    pthread_cond_init(&f->gate.change, NULL);
    f->ops = (struct file_ops){&f->gate,    plain_create, gated_allocate,
                               plain_write, gated_sync,   raft_node__posix_ops.sync_dir};
    struct log_config lc = {.dir = f->dir,
                            .segment_bytes = 64 * 1024,
                            .entry_bytes_max = 1 << 20,
                            .ops = &f->ops,
                            .allocator = mu__malloc_allocator};
    assert_int_equal(raft_node__log_open(&lc, NULL, &f->log, NULL), 0);
    f->base = event_base_new();
    assert_true(raft_node__mailbox_init(&f->mailbox, f->base, NULL, NULL));
    struct disk_config dc = {.mailbox = &f->mailbox,
                             .log = f->log,
                             .retry_ns = MU_MSEC,
                             .allocator = mu__malloc_allocator,
                             .user = f,
                             .full = on_full,
                             .failed = on_failed};
    assert_int_equal(raft_node__disk_start(&dc, &f->disk), 0);
    *state = f;
    return 0;
}

static void stop(struct fixture *f)
{
    raft_node__disk_stop(f->disk);
    raft_node__mailbox_open_all(&f->mailbox);
    raft_node__disk_free(f->disk);
    f->disk = NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->disk) {
        stop(f);
    }
    raft_node__mailbox_fini(&f->mailbox);
    event_base_free(f->base);
    raft_node__log_close(f->log);
    pthread_mutex_destroy(&f->gate.lock);
    pthread_cond_destroy(&f->gate.change);
    kit_remove_dir(f->dir);
    free(f);
    return 0;
}

static void run_until_done(struct fixture *f, unsigned count)
{
    while (f->done + f->refused < count) {
        event_base_loop(f->base, EVLOOP_ONCE);
    }
}

static void test_one_sync_covers_what_queued_while_the_last_one_ran(void **state)
{
    struct fixture *f = *state;
    unsigned before = count_syncs(f);
    set_gate(f, true, 0);
    queue(f, 1, true);
    wait_for_visitor(f);
    for (raft_index i = 2; i <= 40; i++) {
        queue(f, i, true);
    }
    assert_int_equal(f->done, 0);
    set_gate(f, false, 0);
    run_until_done(f, 40);
    assert_int_equal(count_syncs(f), before + 2);
}

static void test_reads_come_between_commits_and_see_what_was_written(void **state)
{
    struct fixture *f = *state;
    for (raft_index i = 1; i <= 30; i++) {
        queue(f, i, true);
        queue(f, i, false);
    }
    run_until_done(f, 60);
    assert_int_equal(f->refused, 0);
}

static void test_full_disk_waits_and_goes_on(void **state)
{
    struct fixture *f = *state;
    set_allocate_err(f, ENOSPC);
    for (raft_index i = 1; i <= 200; i++) { /* more than one segment */
        queue(f, i, true);
    }
    while (!f->is_full) {
        event_base_loop(f->base, EVLOOP_ONCE);
    }
    set_allocate_err(f, 0);
    run_until_done(f, 200);
    while (f->is_full) {
        event_base_loop(f->base, EVLOOP_ONCE);
    }
    assert_int_equal(f->refused, 0);
    assert_int_equal(f->fulls, 1);
    assert_int_equal(f->failures, 0);
}

static void test_stopping_does_not_wait_for_room(void **state)
{
    struct fixture *f = *state;
    set_allocate_err(f, ENOSPC);
    for (raft_index i = 1; i <= 200; i++) {
        queue(f, i, true);
    }
    while (!f->is_full) {
        event_base_loop(f->base, EVLOOP_ONCE);
    }
    stop(f);
    assert_int_equal(f->done + f->refused, 200);
    assert_true(f->refused > 0);
}

static void test_failed_sync_is_told_once_and_refuses_all_that_follows(void **state)
{
    struct fixture *f = *state;
    queue(f, 1, true);
    run_until_done(f, 1);
    set_gate(f, false, EIO);
    for (raft_index i = 2; i <= 10; i++) {
        queue(f, i, true);
        queue(f, 1, false);
    }
    run_until_done(f, 19);
    assert_int_equal(f->failures, 1);
    assert_true(f->refused >= 17);
    set_gate(f, false, 0); /* a disk that works again is not believed */
    queue(f, 2, true);
    run_until_done(f, 20);
    assert_int_equal(f->failures, 1);
    assert_int_equal(f->done, 1);
}

static void test_jobs_left_at_the_end_are_given_back(void **state)
{
    struct fixture *f = *state;
    set_gate(f, true, 0);
    queue(f, 1, true);
    wait_for_visitor(f);
    for (raft_index i = 2; i <= 20; i++) {
        queue(f, i, true);
    }
    set_gate(f, false, 0);
    stop(f);
    assert_int_equal(f->done + f->refused, 20);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_one_sync_covers_what_queued_while_the_last_one_ran),
        T(test_reads_come_between_commits_and_see_what_was_written),
        T(test_full_disk_waits_and_goes_on),
        T(test_stopping_does_not_wait_for_room),
        T(test_failed_sync_is_told_once_and_refuses_all_that_follows),
        T(test_jobs_left_at_the_end_are_given_back),
    };
    return cmocka_run_group_tests_name("node_disk", tests, NULL, NULL);
}
