#include "handler.h"

#include "agent/spawn.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE "agent"

extern char **environ;

/* ---- Output ---- */

void watch__keep_output(struct watch_handler *h, const char *data, size_t len)
{
    h->output_total += len;
    if (len > WATCH_OUTPUT_MAX) {
        data += len - WATCH_OUTPUT_MAX;
        len = WATCH_OUTPUT_MAX;
    }
    if (h->output_len + len > sizeof h->output) {
        size_t keep = WATCH_OUTPUT_MAX < h->output_len ? WATCH_OUTPUT_MAX : h->output_len;
        memmove(h->output, h->output + h->output_len - keep, keep);
        h->output_len = keep;
    }
    memcpy(h->output + h->output_len, data, len);
    h->output_len += len;
}

const char *watch__output(struct watch_handler *h, char *buf, size_t cap)
{
    size_t keep = h->output_len < WATCH_OUTPUT_MAX ? h->output_len : WATCH_OUTPUT_MAX;
    const char *from = h->output + h->output_len - keep;
    if (h->output_total > keep) {
        snprintf(buf, cap, "Captured %zu of %" PRIu64 " bytes\n...\n%.*s", keep, h->output_total,
                 (int)keep, from);
    } else {
        snprintf(buf, cap, "%.*s", (int)keep, from);
    }
    return buf;
}

/* ---- Programs ---- */

static void close_event(struct event **e)
{
    if (*e) {
        evutil_socket_t fd = event_get_fd(*e);
        event_free(*e);
        close(fd);
        *e = NULL;
    }
}

/* A program that writes without end must not hold the loop: it has its turn again. */
static bool drain(struct watch_handler *h)
{
    char buf[4096];
    for (int i = 0; i < 16; i++) {
        ssize_t n = read(event_get_fd(h->lines), buf, sizeof buf);
        if (n <= 0) {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        watch__keep_output(h, buf, (size_t)n);
    }
    return true;
}

static void on_lines(evutil_socket_t fd, short what, void *arg)
{
    struct watch_handler *h = arg;
    (void)fd, (void)what;
    if (!drain(h)) {
        close_event(&h->lines);
    }
}

static void report(struct watch_handler *h, int status)
{
    char output[WATCH_OUTPUT_MAX + 64];
    if (WIFSIGNALED(status)) {
        log_error(MODULE, "Failed to run watch handler: watch_handler=%s error=\"signal: %s\"",
                  h->name, strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status)) {
        log_error(MODULE, "Failed to run watch handler: watch_handler=%s error=\"exit status %d\"",
                  h->name, WEXITSTATUS(status));
    }
    log_debug(MODULE, "watch handler output: watch_handler=%s output=\"%s\"", h->name,
              watch__output(h, output, sizeof output));
}

static void on_exit_of(evutil_socket_t fd, short what, void *arg)
{
    struct watch_handler *h = arg;
    int status = 0;
    (void)fd, (void)what;
    if (waitpid((pid_t)h->pid, &status, WNOHANG) != (pid_t)h->pid) {
        event_add(h->exit, NULL);
        return;
    }
    h->pid = 0;
    if (h->lines) {
        drain(h);
    }
    close_event(&h->exit);
    close_event(&h->lines);
    report(h, status);
    h->done(h->arg, h);
}

/* The payload as a file of its own: the program reads as fast as it likes, and nobody waits. */
static int make_input(const char *payload)
{
    size_t len = strlen(payload), at = 0;
    int fd = memfd_create("watch", MFD_CLOEXEC);
    while (fd >= 0 && at < len) {
        ssize_t n = write(fd, payload + at, len - at);
        if (n < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Ours, with CONSUL_INDEX; of which an older one goes. To be freed with free. */
static char **make_environment(char *index)
{
    size_t n = 0, kept = 0;
    while (environ[n]) {
        n++;
    }
    char **env = calloc(n + 2, sizeof *env);
    if (!env) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        if (strncmp(environ[i], "CONSUL_INDEX=", 13) != 0) {
            env[kept++] = environ[i];
        }
    }
    env[kept] = index;
    return env;
}

static char **make_argv(const struct watch_plan *p, char *shell, char *flag)
{
    bool is_shell = p->kind == WATCH_HANDLER_SHELL;
    char **argv = calloc(p->args.len + 4, sizeof *argv);
    if (!argv) {
        abort();
    }
    if (is_shell) {
        argv[0] = shell;
        argv[1] = flag;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): arguments are not written to. */
        argv[2] = (char *)(uintptr_t)p->shell.p;
    }
    for (size_t i = 0; !is_shell && i < p->args.len; i++) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): likewise. */
        argv[i] = (char *)(uintptr_t)p->args.items[i].p;
    }
    return argv;
}

static int spawn(struct watch_handler *h, const struct watch_plan *p,
                 const struct watch_change *change, int out)
{
    char index[48], flag[] = "-c", sh[] = "/bin/sh";
    char *shell = getenv("SHELL");
    pid_t pid = 0;
    int in = make_input(change->payload);
    if (in < 0) {
        return errno;
    }
    snprintf(index, sizeof index, "CONSUL_INDEX=%" PRIu64, change->index);
    char **env = make_environment(index);
    char **argv = make_argv(p, shell && *shell ? shell : sh, flag);
    int error = agent_spawn_with(argv, env, in, out, &pid);
    h->pid = pid;
    free(argv);
    free(env);
    close(in);
    return error;
}

static bool watch(struct watch_handler *h, struct event_base *base, int in)
{
    int pidfd = agent_pidfd((pid_t)h->pid);
    h->lines = event_new(base, in, EV_READ | EV_PERSIST, on_lines, h);
    h->exit = pidfd >= 0 ? event_new(base, pidfd, EV_READ, on_exit_of, h) : NULL;
    return h->lines && h->exit && !event_add(h->lines, NULL) && !event_add(h->exit, NULL);
}

static bool run_program(struct watch_handler *h, struct event_base *base,
                        const struct watch_plan *p, const struct watch_change *change)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC)) {
        log_error(MODULE, "Failed to setup watch: error=\"%s\"", strerror(errno));
        return false;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK); /* our end alone */
    int error = spawn(h, p, change, fds[1]);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        log_error(MODULE, "Failed to run watch handler: watch_handler=%s error=\"%s\"", h->name,
                  strerror(error));
        return false;
    }
    if (!watch(h, base, fds[0])) {
        abort(); /* out of memory, with a process that nobody would reap */
    }
    return true;
}

/* ---- The whole ---- */

/* [sh, -c, "echo x"] */
static void describe(const struct watch_plan *p, char *out, size_t cap)
{
    size_t n = 0;
    if (p->kind != WATCH_HANDLER_ARGS) {
        snprintf(out, cap, "%s", p->kind == WATCH_HANDLER_HTTP ? p->http.url.p : p->shell.p);
        return;
    }
    for (size_t i = 0; i < p->args.len && n < cap; i++) {
        const char *quote = strpbrk(p->args.items[i].p, " \t\n\"") ? "\"" : "";
        n += (size_t)snprintf(out + n, cap - n, "%s%s%s%s", i ? ", " : "[", quote,
                              p->args.items[i].p, quote);
    }
    if (n < cap) {
        snprintf(out + n, cap - n, "]");
    }
}

struct watch_handler *watch_handler_start(struct event_base *base, struct evdns_base *dns,
                                          const struct watch_plan *p,
                                          const struct watch_change *change,
                                          void (*done)(void *arg, struct watch_handler *h),
                                          void *arg)
{
    struct watch_handler *h = calloc(1, sizeof *h);
    if (!h) {
        return NULL;
    }
    h->done = done;
    h->arg = arg;
    describe(p, h->name, sizeof h->name);
    bool ok = p->kind == WATCH_HANDLER_HTTP ? watch__http_start(h, base, dns, p, change)
                                            : run_program(h, base, p, change);
    if (!ok) {
        watch_handler_free(h);
        return NULL;
    }
    return h;
}

void watch_handler_free(struct watch_handler *h)
{
    if (h) {
        watch__http_stop(h);
        close_event(&h->exit);
        close_event(&h->lines);
        free(h);
    }
}
