#include "agent/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_PREFIX ".new-"

static int sentence(char *err, size_t errlen, const char *what, const char *path, int error)
{
    snprintf(err, errlen, "cannot %s %s: %s", what, path, strerror(error));
    errno = error;
    return -1;
}

static char *join(const char *folder, const char *name)
{
    size_t len = strlen(folder) + strlen(name) + 2;
    char *path = malloc(len);
    if (path) {
        snprintf(path, len, "%s/%s", folder, name);
    }
    return path;
}

static bool write_all(int fd, const char *p, size_t len)
{
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return true;
}

static void keep_error(struct file_temp *t, const char *what)
{
    if (!t->failed) {
        t->failed = what;
        t->error = errno;
    }
}

void file_temp_write(struct file_temp *t, const char *folder, const void *data, size_t len,
                     bool durable)
{
    t->path = join(folder, TEMP_PREFIX "XXXXXX");
    if (!t->path) {
        errno = ENOMEM;
        keep_error(t, "write in");
        return;
    }
    int fd = mkostemp(t->path, O_CLOEXEC);
    if (fd < 0) {
        keep_error(t, "create");
        return;
    }
    if (!write_all(fd, data, len)) {
        keep_error(t, "write");
    }
    if (durable && fsync(fd)) {
        keep_error(t, "sync");
    }
    if (close(fd)) {
        keep_error(t, "close");
    }
}

int file_temp_rename(struct file_temp *t, const char *folder, const char *name, char *err,
                     size_t errlen)
{
    char *path = t->failed ? NULL : join(folder, name);
    if (!t->failed && (!path || rename(t->path, path))) {
        keep_error(t, "rename");
    }
    free(path);
    int rc = 0;
    if (t->failed) {
        rc = sentence(err, errlen, t->failed, t->path ? t->path : folder, t->error);
        if (t->path) {
            unlink(t->path);
        }
    }
    free(t->path);
    *t = (struct file_temp){0};
    return rc;
}

bool file_is_temp(const char *name)
{
    return !strncmp(name, TEMP_PREFIX, sizeof TEMP_PREFIX - 1);
}

int file_remove(const char *folder, const char *name, char *err, size_t errlen)
{
    char *path = join(folder, name);
    int rc = path && (!unlink(path) || errno == ENOENT)
                 ? 0
                 : sentence(err, errlen, "remove", path ? path : name, errno);
    free(path);
    return rc;
}

int file_sync_folder(const char *folder, char *err, size_t errlen)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd)) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        return sentence(err, errlen, "sync", folder, error);
    }
    close(fd);
    return 0;
}

int file_make_folder(const char *path, char *err, size_t errlen)
{
    char *copy = strdup(path);
    if (!copy) {
        return sentence(err, errlen, "make", path, ENOMEM);
    }
    for (char *p = copy + 1; *p; p++) {
        if (*p == '/') {
            *p = 0;
            mkdir(copy, 0755); /* the last mkdir tells */
            *p = '/';
        }
    }
    int rc = mkdir(copy, 0755) && errno != EEXIST ? sentence(err, errlen, "make", path, errno) : 0;
    free(copy);
    return rc;
}

char *file_read(const char *path, size_t max, size_t *len, char *err, size_t errlen)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait for its writer */
    if (fd < 0) {
        sentence(err, errlen, "open", path, errno);
        return NULL;
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        snprintf(err, errlen, "%s is not a regular file", path);
        errno = EINVAL;
        return NULL;
    }
    bool fits = (uint64_t)st.st_size <= max;
    char *text = fits ? malloc((size_t)st.st_size + 1) : NULL;
    ssize_t n = text ? read(fd, text, (size_t)st.st_size) : -1;
    int error = fits ? errno : EFBIG;
    close(fd);
    if (n != (fits ? (ssize_t)st.st_size : 0)) {
        free(text);
        sentence(err, errlen, "read", path, n >= 0 ? EIO : error);
        return NULL;
    }
    text[n] = 0;
    *len = (size_t)n;
    return text;
}
