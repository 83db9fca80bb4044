#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
    bool ok = swim_node__write_all(fd, data, len) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temp, path) == 0) {
        return true;
    }
    int e = errno;
    unlink(temp);
    errno = e;
    return false;
}
