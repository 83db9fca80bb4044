#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool swim_node__write_all(int fd, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* A rename is safe from a power failure only once the folder is on the disk as well. A folder that
 * cannot be opened or synced is no reason to keep the old file: the new one is in its place. */
static void sync_folder(const char *path)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) : 0;
    (void)snprintf(folder, sizeof folder, "%.*s%s", len, path, slash ? "/" : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

bool swim_node__replace_file(const char *path, const char *suffix, const void *data, size_t len,
                             unsigned mode)
{
    char temp[PATH_BYTES];
    int n = snprintf(temp, sizeof temp, "%s%s", path, suffix);
    if (n < 0 || n >= (int)sizeof temp) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) {
        return false;
    }
    /* A file that a crash left there may have had any mode. */
    bool ok = fchmod(fd, mode) == 0 && swim_node__write_all(fd, data, len) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temp, path) == 0) {
        sync_folder(path);
        return true;
    }
    int e = errno;
    unlink(temp);
    errno = e;
    return false;
}
