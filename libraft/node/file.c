#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int posix_create(void *user, const char *path)
{
    (void)user;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : -errno;
}

static int posix_allocate(void *user, int fd, uint64_t bytes)
{
    (void)user;
    return -posix_fallocate(fd, 0, (off_t)bytes);
}

static int posix_write(void *user, int fd, const void *data, size_t len, uint64_t offset)
{
    (void)user;
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int posix_sync(void *user, int fd)
{
    (void)user;
    return fdatasync(fd) == 0 ? 0 : -errno;
}

static int posix_sync_dir(void *user, const char *dir)
{
    (void)user;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int rc = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

const struct file_ops raft_node__posix_ops = {
    .create = posix_create,
    .allocate = posix_allocate,
    .write = posix_write,
    .sync = posix_sync,
    .sync_dir = posix_sync_dir,
};

void raft_node__logf(const struct node_log *l, enum mu_level level, const char *fmt, ...)
{
    if (!l->log) {
        return;
    }
    char line[640];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    l->log(l->user, level, line);
}

int raft_node__fail(struct raft_node_diag *diag, int code, const char *fmt, ...)
{
    if (diag) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(diag->text, sizeof diag->text, fmt, ap);
        va_end(ap);
    }
    return code;
}

int raft_node__fail_io(struct raft_node_diag *diag, int err, const char *what, const char *path)
{
    int code = err < 0 ? -err : err;
    char reason[128];
    if (strerror_r(code, reason, sizeof reason) != 0) {
        snprintf(reason, sizeof reason, "error %d", code);
    }
    bool is_full = code == ENOSPC || code == EDQUOT;
    return raft_node__fail(diag, is_full ? RAFT_NODE_ENOSPC : RAFT_NODE_EIO, "cannot %s %.300s: %s",
                           what, path, reason);
}

bool raft_node__path(char out[PATH_BYTES], const char *dir, const char *name)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", dir, name);
    return n > 0 && n < PATH_BYTES;
}

int raft_node__pread(int fd, void *buf, size_t len, uint64_t offset)
{
    uint8_t *p = buf;
    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            return -ENODATA;
        }
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int raft_node__read_file(const struct mu_allocator *a, const char *path, uint64_t max,
                         uint8_t **data, size_t *len, struct raft_node_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return raft_node__fail_io(diag, errno, "open", path);
    }
    uint8_t *buf = NULL;
    int rc = 0;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        rc = raft_node__fail_io(diag, errno, "read", path);
        goto out;
    }
    if ((uint64_t)st.st_size > max) {
        rc = raft_node__fail(diag, RAFT_NODE_ECORRUPT,
                             "%.300s has %llu bytes, more than any file of its kind", path,
                             (unsigned long long)st.st_size);
        goto out;
    }
    size_t size = (size_t)st.st_size;
    buf = mu__alloc(a, size ? size : 1);
    if (!buf) {
        rc = raft_node__fail(diag, RAFT_ENOMEM, "out of memory reading %.300s", path);
        goto out;
    }
    int err = raft_node__pread(fd, buf, size, 0);
    if (err != 0) {
        rc = raft_node__fail_io(diag, err, "read", path);
        goto out;
    }
    *data = buf;
    *len = size;
    buf = NULL;
out:
    mu__free(a, buf);
    close(fd);
    return rc;
}

bool raft_node__parse_name(const char *name, const char *prefix, const char *suffix,
                           uint64_t *number)
{
    size_t n = strlen(prefix);
    if (strlen(name) != n + 16 + strlen(suffix) || strncmp(name, prefix, n) != 0 ||
        strcmp(name + n + 16, suffix) != 0) {
        return false;
    }
    uint64_t v = 0;
    for (size_t i = n; i < n + 16; i++) {
        char c = name[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *number = v;
    return true;
}
