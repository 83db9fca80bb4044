/* cmd_watch.c - `muster watch`: prints what there is once, or tells a program of each change. */
#include "cli.h"
#include "watch/payload.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOT_STARTED 127 /* exit status of a child that could not become the program */

struct options {
    const char *type, *key, *prefix, *service, *passing, *state, *name;
    struct cli_list tags;
    bool shell;
    struct cli_common common;
};

/* Of the program that is running; 0: none. Signal handlers look at it. */
static volatile sig_atomic_t child;

static void on_signal(int signal)
{
    if (child) {
        kill((pid_t)child, signal);
    } else {
        _exit(0);
    }
}

/* ---- The plan ---- */

static void set(json_t *params, const char *name, const char *value)
{
    if (value && *value) {
        json_object_set_new(params, name, json_string(value));
    }
}

static bool set_passing(json_t *params, const char *text)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    if (!text || !*text) {
        return true;
    }
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            json_object_set_new(params, "passingonly", json_boolean(!strcmp(text, yes[i])));
            return true;
        }
    }
    fprintf(stderr,
            "Failed to parse passingonly flag: strconv.ParseBool: parsing \"%s\": invalid syntax\n",
            text);
    return false;
}

static struct watch_plan *plan_of(const struct options *o)
{
    char err[WATCH_ERROR_MAX];
    json_t *params = json_object(), *tags = json_array();
    struct watch_plan *p = NULL;
    set(params, "type", o->type);
    set(params, "datacenter", o->common.datacenter);
    set(params, "key", o->key);
    set(params, "prefix", o->prefix);
    set(params, "service", o->service);
    set(params, "state", o->state);
    set(params, "name", o->name);
    for (size_t i = 0; i < o->tags.len; i++) {
        json_array_append_new(tags, json_string(o->tags.items[i]));
    }
    if (o->tags.len) {
        json_object_set(params, "tag", tags);
    }
    if (o->common.stale) {
        json_object_set_new(params, "stale", json_true());
    }
    if (set_passing(params, o->passing)) {
        p = watch_plan_create(params, WATCH_FROM_CLI, err, sizeof err);
        if (!p) {
            fprintf(stderr, "%s\n", err);
        }
    }
    json_decref(tags);
    json_decref(params);
    return p;
}

/* ---- The handler ---- */

/* The payload as a file: a program that does not read it holds nobody up. */
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
    return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

static char *joined(char **words)
{
    size_t len = 1;
    for (char **w = words; *w; w++) {
        len += strlen(*w) + 1;
    }
    char *text = calloc(1, len);
    if (!text) {
        abort();
    }
    for (char **w = words; *w; w++) {
        /* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.strcpy): len has room for all. */
        strcat(strcat(text, *w), w[1] ? " " : "");
    }
    return text;
}

static void become(const struct options *o, char **words, int in, uint64_t index)
{
    char text[24];
    const char *shell = getenv("SHELL");
    snprintf(text, sizeof text, "%" PRIu64, index);
    setenv("CONSUL_INDEX", text, 1);
    dup2(in, STDIN_FILENO);
    shell = shell && *shell ? shell : "/bin/sh";
    if (o->shell) {
        execlp(shell, shell, "-c", joined(words), (char *)NULL);
    } else {
        execvp(words[0], words);
    }
    fprintf(stderr, "Error starting handler: fork/exec %s: %s\n", o->shell ? shell : words[0],
            errno == ENOENT ? "no such file or directory" : strerror(errno));
    _exit(NOT_STARTED);
}

static bool ended_well(int status)
{
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "Error executing handler: signal: %s\n", strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) && WEXITSTATUS(status) != NOT_STARTED) {
        fprintf(stderr, "Error executing handler: exit status %d\n", WEXITSTATUS(status));
    }
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* False after a message: the watch ends. */
static bool run_handler(const struct options *o, char **words, const char *payload, uint64_t index)
{
    int in = make_input(payload), status = 0;
    if (in < 0) {
        fprintf(stderr, "Error executing handler: %s\n", strerror(errno));
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        become(o, words, in, index);
    }
    close(in);
    if (pid < 0) {
        fprintf(stderr, "Error starting handler: %s\n", strerror(errno));
        return false;
    }
    child = (sig_atomic_t)pid;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    child = 0;
    return ended_well(status);
}

/* ---- The loop ---- */

/* What came is no answer: is said, and asked for again after a while. */
static void wait_after(struct watch_place *place, const struct watch_plan *p, const char *why)
{
    uint64_t s = watch_failed(place) / MU_SEC;
    const struct timespec t = {.tv_sec = (time_t)s};
    fprintf(stderr, "[ERROR] watch: Watch errored: type=%s error=\"%s\" retry=%" PRIu64 "s\n",
            p->type_name.p, why, s);
    nanosleep(&t, NULL);
}

/* One request. The payload, if there is news, to be freed with free. */
static char *ask(const struct cli_client *client, const struct watch_plan *p,
                 struct watch_place *place, bool pretty, uint64_t *index)
{
    char target[8192], err[WATCH_ERROR_MAX], hash[65];
    struct cli_response r;
    char *payload = NULL;
    if (!watch_target(p, place, target, sizeof target)) {
        wait_after(place, p, "the names to watch are too long");
        return NULL;
    }
    cli_request(client, "GET", target, NULL, 0, &r);
    *index = r.index;
    if (r.status == 0) {
        wait_after(place, p, r.error);
    } else if (!watch_payload(p, place, r.status, r.body, r.len, pretty, &payload, hash, err,
                              sizeof err)) {
        wait_after(place, p, err);
    } else if (!watch_answered(place, r.index ? r.index : 1, hash, payload)) {
        free(payload);
        payload = NULL;
    }
    cli_response_free(&r);
    return payload;
}

static bool is_reachable(const struct cli_client *client)
{
    struct cli_response self;
    cli_request(client, "GET", "/v1/agent/self", NULL, 0, &self);
    bool ok = cli_response_ok(&self, "Error querying Consul agent");
    cli_response_free(&self);
    return ok;
}

static int follow(const struct options *o, const struct watch_plan *p, char **words)
{
    struct cli_client client;
    struct watch_place place = {.has_index = false};
    int rc = -1;
    if (!cli_connect(&o->common, &client) || !is_reachable(&client)) {
        return 1;
    }
    while (rc < 0) {
        uint64_t index = 0;
        char *payload = ask(&client, p, &place, !*words, &index);
        if (payload && !*words) {
            fputs(payload, stdout);
            rc = 0;
        } else if (payload && !run_handler(o, words, payload, index)) {
            rc = 1;
        }
        free(payload);
    }
    watch_place_fini(&place);
    return rc;
}

int cmd_watch(int argc, char **argv)
{
    static const char usage[] =
        "Usage: muster watch [options] [child...]\n\n"
        "  Watches for changes in a view of the data. A child is run with the latest view on its\n"
        "  standard input at each change; without one, the view is printed once.";
    struct options o = {.shell = true};
    const struct cli_flag flags[] = {
        {"type", NULL, &o.type, "key, keyprefix, services, nodes, service, checks or event."},
        {"key", NULL, &o.key, "The key to watch; for key."},
        {"prefix", NULL, &o.prefix, "The prefix of keys to watch; for keyprefix."},
        {"service", NULL, &o.service, "The service to watch; for service and checks."},
        {"passingonly", NULL, &o.passing, "true: only healthy instances; for service."},
        {"state", NULL, &o.state, "The status to watch; for checks."},
        {"name", NULL, &o.name, "The name of the events to watch; for event."},
        {"shell", &o.shell, NULL, "Run the child through a shell ($SHELL); the default."},
        {0}};
    const struct cli_list_flag lists[] = {
        {"tag", &o.tags, "Only instances with this tag; for service. May be repeated."}, {0}};
    o.common.lists = lists;
    int at = cli_parse(argc, argv, usage, flags, &o.common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (!o.type || !*o.type) {
        fprintf(stderr, "Watch type must be specified\n");
        return 1;
    }
    struct watch_plan *p = plan_of(&o);
    if (!p) {
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    int rc = follow(&o, p, argv + at);
    watch_plan_destroy(p);
    return rc;
}
