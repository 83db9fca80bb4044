/* node_kit.h - temporary folders, files to damage and a disk that fails on demand, for the tests of
 * libraft/node. */
#pragma once

#include "mu_test.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void kit_make_dir(char out[64])
{
    strcpy(out, "/tmp/muster-raft-XXXXXX");
    assert_non_null(mkdtemp(out));
}

static inline void kit_empty_dir(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[PATH_BYTES];
        if (e->d_name[0] != '.' && raft_node__path(path, dir, e->d_name)) {
            unlink(path);
        }
    }
    closedir(d);
}

static inline void kit_remove_dir(const char *dir)
{
    kit_empty_dir(dir);
    rmdir(dir);
}

static inline size_t kit_count_files(const char *dir, const char *suffix)
{
    size_t n = 0, len = strlen(suffix);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t have = strlen(e->d_name);
        n += have > len && strcmp(e->d_name + have - len, suffix) == 0;
    }
    closedir(d);
    return n;
}

struct kit_file {
    uint8_t *data;
    size_t len;
};

static inline struct kit_file kit_read(const char *path)
{
    struct kit_file f = {0};
    assert_int_equal(
        raft_node__read_file(&mu__malloc_allocator, path, UINT32_MAX, &f.data, &f.len, NULL), 0);
    return f;
}

static inline void kit_write(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(raft_node__posix_ops.write(NULL, fd, data, len, 0), 0);
    close(fd);
}

/* Fails the `at`-th call (from 1 on; 0: none) of its kind with `err`, and those after it while
 * `sticky`. Several threads of a node use one disk. */
struct kit_fault {
    atomic_int at, seen, err;
    atomic_bool sticky;
};
struct kit_disk {
    struct kit_fault create, allocate, write, sync, sync_dir;
    atomic_uint syncs;
    atomic_bool lies;      /* what is written comes out with a flipped bit */
    pthread_mutex_t *gate; /* NULL: none. A sync hangs while somebody holds it */
};

static inline void kit_break(struct kit_fault *f, int at, int err, bool sticky)
{
    atomic_store(&f->at, 0);
    atomic_store(&f->seen, 0);
    atomic_store(&f->err, err);
    atomic_store(&f->sticky, sticky);
    atomic_store(&f->at, at);
}

static inline void kit_mend(struct kit_fault *f)
{
    kit_break(f, 0, 0, false);
}

static inline int kit_fault(struct kit_fault *f)
{
    int at = atomic_load(&f->at);
    int seen = atomic_fetch_add(&f->seen, 1) + 1;
    return at != 0 && (seen == at || (atomic_load(&f->sticky) && seen > at)) ? -atomic_load(&f->err)
                                                                             : 0;
}

static int kit_create(void *user, const char *path)
{
    int err = kit_fault(&((struct kit_disk *)user)->create);
    return err ? err : raft_node__posix_ops.create(NULL, path);
}

static int kit_allocate(void *user, int fd, uint64_t bytes)
{
    int err = kit_fault(&((struct kit_disk *)user)->allocate);
    return err ? err : raft_node__posix_ops.allocate(NULL, fd, bytes);
}

/* Half of what a failing write was given reaches the file. */
static int kit_disk_write(void *user, int fd, const void *data, size_t len, uint64_t offset)
{
    struct kit_disk *d = user;
    int err = kit_fault(&d->write);
    int rc = raft_node__posix_ops.write(NULL, fd, data, err ? len / 2 : len, offset);
    if (atomic_load(&d->lies) && len > 0) {
        uint8_t byte = ((const uint8_t *)data)[len / 2] ^ 8;
        rc = raft_node__posix_ops.write(NULL, fd, &byte, 1, offset + len / 2);
    }
    return err ? err : rc;
}

static int kit_sync(void *user, int fd)
{
    struct kit_disk *d = user;
    atomic_fetch_add(&d->syncs, 1);
    if (d->gate) {
        pthread_mutex_lock(d->gate);
        pthread_mutex_unlock(d->gate);
    }
    int err = kit_fault(&d->sync);
    return err ? err : raft_node__posix_ops.sync(NULL, fd);
}

static int kit_sync_dir(void *user, const char *dir)
{
    int err = kit_fault(&((struct kit_disk *)user)->sync_dir);
    return err ? err : raft_node__posix_ops.sync_dir(NULL, dir);
}

static inline struct file_ops kit_ops(struct kit_disk *d)
{
    return (struct file_ops){
        .user = d,
        .create = kit_create,
        .allocate = kit_allocate,
        .write = kit_disk_write,
        .sync = kit_sync,
        .sync_dir = kit_sync_dir,
    };
}
