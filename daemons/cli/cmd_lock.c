/* cmd_lock.c - `muster lock`: runs a child while a lock, or a place under a semaphore, is held. One
 * thread asks the agent; the main thread watches the child, signals and the other thread. */
#include "cli.h"
#include "lock.h"

#include "schema.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define USAGE         "Usage: muster lock [options] prefix child..."
#define KILL_GRACE_MS 5000

enum news { ACQUIRED = 'a', NOT_ACQUIRED = 'n', LOST = 'l' };

struct run {
    struct lock lock;
    bool verbose, pass_stdin, shell, child_exit_code;
    char **child; /* up to a NULL */
    int news[2];  /* a pipe: what the other thread has to tell */
    int signals;  /* a signalfd: SIGINT, SIGTERM */
};

static void say(const struct run *r, const char *text)
{
    if (r->verbose) {
        printf("%s\n", text);
        fflush(stdout);
    }
}

/* ---- The other thread ---- */

static void tell(const struct run *r, enum news what)
{
    char c = (char)what;
    if (write(r->news[1], &c, 1) != 1) {
        abort();
    }
}

static void *hold(void *arg)
{
    struct run *r = arg;
    if (!lock_acquire(&r->lock)) {
        tell(r, NOT_ACQUIRED);
        return NULL;
    }
    struct lock own = r->lock; /* from here on the other one is the main thread's */
    tell(r, ACQUIRED);
    lock_watch(&own);
    tell(r, LOST);
    return NULL;
}

/* ---- Waiting ---- */

/* What comes first: news, 's' for a signal, 'c' for the end of the child, 0 for the time limit. */
static int wait_for(const struct run *r, int child, int timeout_ms)
{
    struct pollfd p[] = {{r->news[0], POLLIN, 0}, {r->signals, POLLIN, 0}, {child, POLLIN, 0}};
    int n;
    do {
        n = poll(p, child >= 0 ? 3 : 2, timeout_ms);
    } while (n < 0 && errno == EINTR);
    char c = 0;
    struct signalfd_siginfo info;
    if (child >= 0 && p[2].revents) {
        return 'c';
    }
    if (p[0].revents && read(r->news[0], &c, 1) == 1) {
        return c;
    }
    return p[1].revents && read(r->signals, &info, sizeof info) > 0 ? 's' : 0;
}

/* ---- The child ---- */

static char *joined(char **words)
{
    size_t len = 1;
    for (char **w = words; *w; w++) {
        len += strlen(*w) + 1;
    }
    char *text = calloc(1, len);
    for (char **w = words; text && *w; w++) {
        /* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.strcpy): len has room for all. */
        strcat(strcat(text, *w), w[1] ? " " : "");
    }
    if (!text) {
        abort();
    }
    return text;
}

static pid_t start_child(const struct run *r)
{
    char *command = joined(r->child);
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        int null = r->pass_stdin ? -1 : open("/dev/null", O_RDONLY);
        if (null >= 0) {
            dup2(null, STDIN_FILENO);
        }
        setenv("CONSUL_LOCK_HELD", "true", 1);
        if (r->shell) {
            execl("/bin/sh", "/bin/sh", "-c", command, (char *)NULL);
        } else {
            execvp(r->child[0], r->child);
        }
        fprintf(stderr, "Error executing handler: %s\n", strerror(errno));
        _exit(127);
    }
    free(command);
    return pid;
}

/* True: it ended well. */
static bool reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr,
                WIFEXITED(status) ? "Error running handler: exit status %d\n"
                                  : "Error running handler: signal %d\n",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        return false;
    }
    return true;
}

/* Asks it to end, and after a while does not ask. */
static void stop_child(const struct run *r, pid_t pid, int pidfd)
{
    char text[64];
    snprintf(text, sizeof text, "Terminating child pid %d", (int)pid);
    say(r, text);
    kill(pid, SIGTERM);
    struct pollfd p = {pidfd, POLLIN, 0};
    if (poll(&p, 1, KILL_GRACE_MS) <= 0) {
        say(r, "Child did not exit after grace period, killing it");
        kill(pid, SIGKILL);
    }
    reap(pid);
}

/* True: the child ran and ended well, or was ended by us. */
static bool run_child(const struct run *r)
{
    say(r, "Starting handler");
    pid_t pid = start_child(r);
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0) {
        fprintf(stderr, "Error executing handler: %s\n", strerror(errno));
        return false;
    }
    bool ok = true;
    switch (wait_for(r, pidfd, -1)) {
    case 'c':
        ok = reap(pid);
        say(r, "Child terminated, releasing lock");
        break;
    case LOST:
        say(r, "Lock lost, killing child");
        stop_child(r, pid, pidfd);
        break;
    default:
        say(r, "Shutdown triggered, killing child");
        stop_child(r, pid, pidfd);
    }
    close(pidfd);
    return ok;
}

/* ---- The command ---- */

static int finish(struct run *r, bool child_ok)
{
    bool released = lock_release(&r->lock);
    if (!released) {
        fprintf(stderr, "Lock release failed: %s\n", r->lock.error);
    }
    lock_close(&r->lock);
    if (!released) {
        return 1;
    }
    if (lock_clean_up(&r->lock)) {
        say(r, "Cleanup succeeded");
    } else if (r->lock.error[0]) {
        fprintf(stderr, "Lock cleanup failed: %s\n", r->lock.error);
        return 1;
    } else {
        say(r, "Cleanup aborted, lock in use");
    }
    return child_ok || !r->child_exit_code ? 0 : 2;
}

static int run(struct run *r, const char *name)
{
    pthread_t thread;
    if (!lock_open(&r->lock, name)) {
        fprintf(stderr, "Lock setup failed: %s\n", r->lock.error);
        return 1;
    }
    say(r, "Attempting lock acquisition");
    if (pthread_create(&thread, NULL, hold, r) != 0) {
        abort();
    }
    pthread_detach(thread); /* it may be in a request when the process ends */
    int what = wait_for(r, -1, -1);
    if (what != ACQUIRED) {
        atomic_store(&r->lock.stop, true);
        struct lock own = {.client = r->lock.client}; /* the other thread may still use r->lock */
        memcpy(own.session, r->lock.session, sizeof own.session);
        lock_close(&own);
        if (what == NOT_ACQUIRED && r->lock.error[0]) {
            fprintf(stderr, "Lock acquisition failed: %s\n", r->lock.error);
        } else {
            fprintf(stderr, "Shutdown triggered or timeout during lock acquisition\n");
        }
        return 1;
    }
    return finish(r, run_child(r));
}

/* A number of a flag; false after a message. */
static bool number(const char *text, const char *flag, int64_t min, const char *problem,
                   int64_t *out)
{
    char *end;
    if (!text) {
        return true;
    }
    *out = strtoll(text, &end, 10);
    if (*end || end == text) {
        fprintf(stderr, "invalid value \"%s\" for flag -%s: parse error\n", text, flag);
        return false;
    }
    if (*out < min) {
        fprintf(stderr, "%s\n", problem);
        return false;
    }
    return true;
}

static bool duration(const char *text, const char *flag, uint64_t *out)
{
    int64_t ns;
    if (!text) {
        return true;
    }
    if (!mu__duration_parse(text, strlen(text), &ns)) {
        fprintf(stderr, "invalid value \"%s\" for flag -%s: parse error\n", text, flag);
        return false;
    }
    if (ns < 0) {
        fprintf(stderr, "Timeout must be positive\n");
        return false;
    }
    *out = (uint64_t)ns;
    return true;
}

static bool open_channels(struct run *r)
{
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &watched, NULL);
    signal(SIGPIPE, SIG_IGN);
    r->signals = signalfd(-1, &watched, SFD_CLOEXEC);
    return r->signals >= 0 && pipe2(r->news, O_CLOEXEC) == 0;
}

int cmd_lock(int argc, char **argv)
{
    struct run r = {.lock = {.limit = 1, .monitor_retries = 3}, .shell = true};
    struct cli_common common = {0};
    const char *limit = NULL, *retries = NULL, *name = NULL, *timeout = NULL, *try = NULL;
    const struct cli_flag flags[] = {
        {"child-exit-code", &r.child_exit_code, NULL, "Exit 2 if the child fails; 0 otherwise."},
        {"monitor-retry", NULL, &retries, "Failed looks at the lock before it is lost; default 3."},
        {"n", NULL, &limit, "How many may hold it at once; default 1."},
        {"name", NULL, &name, "Name of the session."},
        {"pass-stdin", &r.pass_stdin, NULL, "The child reads our standard input."},
        {"shell", &r.shell, NULL, "Run the child by a shell; default true."},
        {"timeout", NULL, &timeout, "Give up after this time; the old name of -try."},
        {"try", NULL, &try, "Give up after this time; default never."},
        {"verbose", &r.verbose, NULL, "Say what happens."},
        {0},
    };
    int i = cli_parse(argc, argv, USAGE, flags, &common);
    if (i < 0) {
        return i == -2 ? 0 : 1;
    }
    if (argc - i < 2) {
        fprintf(stderr, "Key prefix and child command must be specified\n");
        return 1;
    }
    if (!number(limit, "n", 1, "Lock holder limit must be positive", &r.lock.limit) ||
        !number(retries, "monitor-retry", 0, "Number for 'monitor-retry' must be >= 0",
                &r.lock.monitor_retries) ||
        !duration(timeout, "timeout", &r.lock.try_ns) || !duration(try, "try", &r.lock.try_ns) ||
        !cli_connect(&common, &r.lock.client)) {
        return 1;
    }
    r.lock.prefix = argv[i] + (argv[i][0] == '/');
    r.child = argv + i + 1;
    char *command = joined(r.child), session[1024];
    snprintf(session, sizeof session, "Consul lock for '%.700s' at '%.200s'", command,
             r.lock.prefix);
    free(command);
    if (!open_channels(&r)) {
        fprintf(stderr, "Lock setup failed: %s\n", strerror(errno));
        return 1;
    }
    return run(&r, name ? name : session);
}
