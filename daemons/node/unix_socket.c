#include "unix_socket.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

static bool fail(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail(char *err, size_t errlen, const char *fmt, ...)
{
    char why[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    snprintf(err, errlen, "Failed setting up socket: %s", why);
    return false;
}

static const char *path_of(const struct config_address *a)
{
    return a->text.p + strlen("unix://");
}

static bool is_number(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

static bool find_user(const char *name, uid_t *out)
{
    struct passwd one, *found = NULL;
    char buf[4096];
    *out = (uid_t)strtoul(name, NULL, 10);
    if (is_number(name)) {
        return true;
    }
    bool ok = getpwnam_r(name, &one, buf, sizeof buf, &found) == 0 && found;
    *out = ok ? found->pw_uid : 0;
    return ok;
}

static bool find_group(const char *name, gid_t *out)
{
    struct group one, *found = NULL;
    char buf[16384];
    *out = (gid_t)strtoul(name, NULL, 10);
    if (is_number(name)) {
        return true;
    }
    bool ok = getgrnam_r(name, &one, buf, sizeof buf, &found) == 0 && found;
    *out = ok ? found->gr_gid : 0;
    return ok;
}

/* Before anybody is let in: the socket does not listen yet. */
static bool set_permissions(const struct config *c, const char *path, char *err, size_t errlen)
{
    const char *user = c->unix_sockets.user.p, *group = c->unix_sockets.group.p;
    const char *mode = c->unix_sockets.mode.p;
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;
    if (*user && !find_user(user, &uid)) {
        return fail(err, errlen, "unix_sockets.user: there is no user %s", user);
    }
    if (*group && !find_group(group, &gid)) {
        return fail(err, errlen, "unix_sockets.group: there is no group %s", group);
    }
    if ((*user || *group) && lchown(path, uid, gid) != 0) {
        return fail(err, errlen, "chown %s: %s", path, strerror(errno));
    }
    if (*mode && chmod(path, (mode_t)strtoul(mode, NULL, 8)) != 0) {
        return fail(err, errlen, "chmod %s: %s", path, strerror(errno));
    }
    return true;
}

static bool replace(const char *path, char *err, size_t errlen)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return errno == ENOENT || fail(err, errlen, "stat %s: %s", path, strerror(errno));
    }
    if (!S_ISSOCK(st.st_mode)) {
        return fail(err, errlen, "%s is there and no socket", path);
    }
    log_warn("agent", "Replacing socket: path=%s", path);
    return unlink(path) == 0 || fail(err, errlen, "remove %s: %s", path, strerror(errno));
}

static bool bind_and_listen(int fd, const struct config *c, const struct config_address *a,
                            char *err, size_t errlen)
{
    const char *path = path_of(a);
    if (bind(fd, (const struct sockaddr *)&a->addr, a->len) != 0) {
        return fail(err, errlen, "listen unix %s: bind: %s", path, strerror(errno));
    }
    bool ok = set_permissions(c, path, err, errlen);
    if (ok && listen(fd, BACKLOG) != 0) {
        ok = fail(err, errlen, "listen unix %s: %s", path, strerror(errno));
    }
    if (!ok) {
        unlink(path);
    }
    return ok;
}

int unix_socket_listen(const struct config *c, const struct config_address *a, char *err,
                       size_t errlen)
{
    if (!replace(path_of(a), err, errlen)) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail(err, errlen, "listen unix %s: socket: %s", path_of(a), strerror(errno));
    } else if (!bind_and_listen(fd, c, a, err, errlen)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void unix_sockets_remove(const struct config *c)
{
    for (size_t i = 0; i < c->http_listen.len; i++) {
        if (c->http_listen.items[i].addr.ss_family == AF_UNIX) {
            unlink(path_of(&c->http_listen.items[i]));
        }
    }
}
