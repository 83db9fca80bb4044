/* A script check runs a program without a shell, in a process group of its own. Its exit says how
 * things are: 0 is passing, 1 a warning, all else critical. The end of the process is told by a
 * pidfd (Linux 5.3), so that no signal handler is needed and no other child of the process is ever
 * reaped. */
#include "agent/check_internal.h"

#include "agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct script {
    struct check *check;
    char **argv;
    struct check__tail output;
    pid_t pid;           /* 0: none to be reaped */
    bool killed;         /* its result is not wanted any more */
    struct event *exit;  /* pidfd */
    struct event *lines; /* the end of the pipe that stdout and stderr write to */
};

static void script_abort(void *kind);

static void *script_create(struct check *c)
{
    const struct mu_strs *args = &c->type->script_args;
    struct script *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->check = c;
    s->argv = calloc(args->len + 1, sizeof *s->argv);
    bool ok = s->argv && check__tail_init(&s->output, c->output_max);
    for (size_t i = 0; ok && i < args->len; i++) {
        s->argv[i] = strndup(args->items[i].p ? args->items[i].p : "", args->items[i].len);
        ok = s->argv[i] != NULL;
    }
    if (!ok) {
        check__script.destroy(s);
        return NULL;
    }
    return s;
}

static void script_destroy(void *kind)
{
    struct script *s = kind;
    script_abort(s); /* a killed process may still be waiting to be reaped */
    for (char **p = s->argv; p && *p; p++) {
        free(*p);
    }
    free(s->argv);
    check__tail_fini(&s->output);
    free(s);
}

static void close_event(struct event **e)
{
    if (*e) {
        evutil_socket_t fd = event_get_fd(*e);
        event_free(*e);
        close(fd);
        *e = NULL;
    }
}

/* Everything that has been written so far; false at the end of the pipe. */
static bool drain(struct script *s)
{
    char buf[4096];
    for (int i = 0; i < 64; i++) { /* a program that writes without end must not hold the loop */
        ssize_t n = read(event_get_fd(s->lines), buf, sizeof buf);
        if (n <= 0) {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        check__tail_write(&s->output, buf, (size_t)n);
    }
    return true;
}

static void on_lines(evutil_socket_t fd, short what, void *arg)
{
    struct script *s = arg;
    (void)fd, (void)what;
    if (!drain(s)) {
        close_event(&s->lines);
    }
}

/* The group's number is ours until its leader is reaped, so this hits nobody else. */
static void kill_group(const struct script *s)
{
    if (s->pid) {
        kill(-s->pid, SIGKILL);
    }
}

static void close_all(struct script *s)
{
    close_event(&s->exit);
    close_event(&s->lines);
}

static enum check_status status_of(int code)
{
    return !WIFEXITED(code)         ? CHECK_CRITICAL
           : WEXITSTATUS(code) == 0 ? CHECK_PASSING
           : WEXITSTATUS(code) == 1 ? CHECK_WARNING
                                    : CHECK_CRITICAL;
}

static void on_exit_of(evutil_socket_t fd, short what, void *arg)
{
    struct script *s = arg;
    int code = 0;
    (void)fd, (void)what;
    pid_t reaped = waitpid(s->pid, &code, WNOHANG);
    if (!reaped || (reaped < 0 && errno == EINTR)) {
        event_add(s->exit, NULL);
        return;
    }
    if (reaped < 0) {
        code = SIGKILL; /* the kernel has forgotten how it ended: that is no success */
    }
    s->pid = 0;
    if (s->lines) {
        drain(s);
    }
    close_all(s);
    if (!s->killed) {
        check__done_captured(s->check, status_of(code), &s->output); /* may destroy s */
    }
}

/* Leaves a zombie behind only if the kernel cannot end the process within a tenth of a second. */
static void script_abort(void *kind)
{
    struct script *s = kind;
    kill_group(s);
    if (s->pid && s->exit) {
        struct pollfd p = {.fd = event_get_fd(s->exit), .events = POLLIN};
        poll(&p, 1, 100);
    }
    if (s->pid) {
        waitpid(s->pid, NULL, s->exit ? WNOHANG : 0);
        s->pid = 0;
    }
    close_all(s);
}

static void watch(struct script *s, int in)
{
    struct event_base *base = s->check->world->base;
    int pidfd = agent_pidfd(s->pid);
    s->lines = event_new(base, in, EV_READ | EV_PERSIST, on_lines, s);
    s->exit = pidfd >= 0 ? event_new(base, pidfd, EV_READ, on_exit_of, s) : NULL;
    if (!s->lines) {
        close(in);
    }
    if (!s->exit && pidfd >= 0) {
        close(pidfd);
    }
    if (!s->lines || !s->exit || event_add(s->lines, NULL) || event_add(s->exit, NULL)) {
        script_abort(s);
        check__done(s->check, CHECK_CRITICAL, "cannot watch the process");
    }
}

static void script_run(void *kind)
{
    struct script *s = kind;
    int fds[2];
    if (s->pid) {
        check__done(s->check, CHECK_CRITICAL, "the process of the last run cannot be killed");
        return;
    }
    s->killed = false;
    check__tail_reset(&s->output);
    if (pipe2(fds, O_CLOEXEC)) {
        check__done(s->check, CHECK_CRITICAL, "cannot make a pipe: %s", strerror(errno));
        return;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK); /* our end alone */
    int error = agent_spawn(s->argv, fds[1], &s->pid);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        check__done(s->check, CHECK_CRITICAL, "fork/exec %s: %s", s->argv[0],
                    check__go_error(error));
        return;
    }
    watch(s, fds[0]);
}

static void script_expired(void *kind)
{
    struct script *s = kind;
    char limit[32];
    mu__duration_format(s->check->timeout_ns, limit);
    kill_group(s);
    /* on_exit_of reaps it; a process that the kernel cannot end must not hold the loop */
    s->killed = true;
    close_event(&s->lines);
    check__done(s->check, CHECK_CRITICAL, "Timed out (%s) running check", limit);
}

const struct check_kind check__script = {script_create, script_run, script_abort, script_destroy,
                                         script_expired};
