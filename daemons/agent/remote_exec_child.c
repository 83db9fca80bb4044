/* remote_exec_child.c - one program that is run for somebody else: its start, output and end. */
#include "agent/remote_exec_internal.h"

#include "agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL "/bin/sh"

static void close_event(struct event **e)
{
    if (*e) {
        evutil_socket_t fd = event_get_fd(*e);
        event_free(*e);
        close(fd);
        *e = NULL;
    }
}

static void remove_script(struct rexec_child *c)
{
    if (c->script[0]) {
        unlink(c->script);
        c->script[0] = '\0';
    }
}

/* Reads while there is room, and stops listening when there is none: then the program waits. */
static void on_lines(evutil_socket_t fd, short what, void *arg)
{
    struct rexec_child *c = arg;
    ssize_t n = read(fd, c->buf + c->len, sizeof c->buf - c->len);
    (void)what;
    if (n > 0) {
        c->len += (size_t)n;
        if (c->len == sizeof c->buf) {
            event_del(c->lines);
        }
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_event(&c->lines);
    }
    c->changed(c->arg);
}

static void on_exit_of(evutil_socket_t fd, short what, void *arg)
{
    struct rexec_child *c = arg;
    int status = 0;
    (void)fd, (void)what;
    if (waitpid(c->pid, &status, WNOHANG) != c->pid) {
        event_add(c->exit, NULL);
        return;
    }
    c->pid = 0;
    c->code = WIFEXITED(status) ? WEXITSTATUS(status) : 255; /* as the original says of signals */
    close_event(&c->exit);
    remove_script(c);
    c->changed(c->arg);
}

void rexec__child_taken(struct rexec_child *c)
{
    c->len = 0;
    if (c->lines) {
        event_add(c->lines, NULL);
    }
}

void rexec__child_forget(struct rexec_child *c)
{
    close_event(&c->exit);
    close_event(&c->lines);
    remove_script(c);
}

/* ---- Start ---- */

static bool write_script(struct rexec_child *c, struct mu_str text)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(c->script, sizeof c->script, "%.100s/rexecXXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkostemp(c->script, O_CLOEXEC);
    if (fd < 0) {
        c->script[0] = '\0';
        return false;
    }
    bool ok = fchmod(fd, 0700) == 0;
    for (size_t at = 0; ok && at < text.len;) {
        ssize_t n = write(fd, text.p + at, text.len - at);
        ok = n > 0 || (n < 0 && errno == EINTR);
        at += n > 0 ? (size_t)n : 0;
    }
    return close(fd) == 0 && ok;
}

static char *copy(struct mu_str s)
{
    char *p = strndup(s.p ? s.p : "", s.len);
    if (!p) {
        abort();
    }
    return p;
}

/* What posix_spawn takes, to be freed with free_argv. A script is run by the shell, which also runs
 * what does not name its interpreter. */
static char **make_argv(const struct rexec_child *c, const struct rexec_spec *spec)
{
    char **argv = calloc(mu__min(spec->args.len, SIZE_MAX / 16) + 4, sizeof *argv);
    if (!argv) {
        abort();
    }
    if (spec->args.len) {
        for (size_t i = 0; i < spec->args.len; i++) {
            argv[i] = copy(spec->args.items[i]);
        }
        return argv;
    }
    argv[0] = copy((struct mu_str){SHELL, sizeof SHELL - 1});
    argv[1] = copy((struct mu_str){"-c", 2});
    argv[2] = copy(c->script[0] ? (struct mu_str){c->script, strlen(c->script)} : spec->command);
    return argv;
}

static void free_argv(char **argv)
{
    for (char **p = argv; *p; p++) {
        free(*p);
    }
    free(argv);
}

static bool watch(struct rexec_child *c, struct event_base *base, int in)
{
    int pidfd = agent_pidfd(c->pid);
    c->lines = event_new(base, in, EV_READ | EV_PERSIST, on_lines, c);
    c->exit = pidfd >= 0 ? event_new(base, pidfd, EV_READ, on_exit_of, c) : NULL;
    return c->lines && c->exit && !event_add(c->lines, NULL) && !event_add(c->exit, NULL);
}

bool rexec__child_start(struct rexec_child *c, struct event_base *base,
                        const struct rexec_spec *spec, char *err, size_t errlen)
{
    int fds[2];
    if (spec->script.len && !write_script(c, spec->script)) {
        snprintf(err, errlen, "cannot write the script: %s", strerror(errno));
        remove_script(c);
        return false;
    }
    if (pipe2(fds, O_CLOEXEC)) {
        snprintf(err, errlen, "cannot make a pipe: %s", strerror(errno));
        remove_script(c);
        return false;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK); /* our end alone */
    char **argv = make_argv(c, spec);
    int error = agent_spawn(argv, fds[1], &c->pid);
    free_argv(argv);
    close(fds[1]);
    if (error) {
        snprintf(err, errlen, "cannot start: %s", strerror(error));
        close(fds[0]);
        remove_script(c);
        return false;
    }
    if (!watch(c, base, fds[0])) {
        abort(); /* out of memory, with a process that nobody would reap */
    }
    return true;
}
