#include "consul_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_TRIES = 300, PAUSE_MS = 100, PORT_TRIES = 50 };

/* ---- the binary ---- */

static bool use_if_executable(struct world *w, const char *dir, const char *name)
{
    snprintf(w->consul, sizeof w->consul, "%s%s%s", dir, name[0] ? "/" : "", name);
    return access(w->consul, X_OK) == 0;
}

static bool find_in_path(struct world *w)
{
    const char *path = getenv("PATH");
    char dirs[4096];
    snprintf(dirs, sizeof dirs, "%s", path ? path : "");
    for (char *save = NULL, *dir = strtok_r(dirs, ":", &save); dir;
         dir = strtok_r(NULL, ":", &save)) {
        if (use_if_executable(w, dir, "consul")) {
            return true;
        }
    }
    return false;
}

static bool find_consul(struct world *w)
{
    const char *chosen = getenv("MUSTER_CONSUL"), *cache = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    char dir[256];
    if (chosen) {
        return use_if_executable(w, chosen, "");
    }
    if (cache && cache[0]) {
        snprintf(dir, sizeof dir, "%s/muster-peers", cache);
    } else {
        snprintf(dir, sizeof dir, "%s/.cache/muster-peers", home ? home : "");
    }
    return find_in_path(w) || use_if_executable(w, dir, "consul");
}

bool world_open(struct world *w, struct event_base *base)
{
    memset(w, 0, sizeof *w);
    w->base = base;
    if (!find_consul(w)) {
        fprintf(
            stderr,
            "SKIPPED: there is no Consul to test against; set MUSTER_CONSUL to the path of one\n");
        return false;
    }
    snprintf(w->dir, sizeof w->dir, "/tmp/muster-interop-XXXXXX");
    return mkdtemp(w->dir) != NULL;
}

static void remove_tree(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
        _exit(127);
    }
    if (pid > 0) {
        waitpid(pid, NULL, 0);
    }
}

void world_close(struct world *w)
{
    if (w->dir[0]) {
        remove_tree(w->dir);
    }
}

/* ---- ports ---- */

/* A socket that holds a port; 0 asks for any. Returns -1 when it is taken. */
static int hold_port(const char *ip, int type, uint16_t *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof sin;
    inet_pton(AF_INET, ip, &sin.sin_addr);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sin, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&sin, &len) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    *port = ntohs(sin.sin_port);
    return fd;
}

/* A port that is free for TCP and UDP. */
static uint16_t free_port(const char *ip)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t port = 0;
        int tcp = hold_port(ip, SOCK_STREAM, &port);
        int udp = tcp >= 0 ? hold_port(ip, SOCK_DGRAM, &port) : -1;
        if (tcp >= 0) {
            close(tcp);
        }
        if (udp >= 0) {
            close(udp);
            return port;
        }
    }
    return 0;
}

/* ---- agents ---- */

static void file_name(const struct agent *a, const char *suffix, char *out, size_t cap)
{
    snprintf(out, cap, "%s/%s%s", a->world->dir, a->name, suffix);
}

/* Short gossip intervals, as `-dev` has them, so that failures show soon. */
static bool write_config(const struct agent *a, bool server, const char *key, const char *join)
{
    char path[256], data[256];
    file_name(a, ".json", path, sizeof path);
    snprintf(data, sizeof data, "%s/data-%u", a->world->dir, a->world->started);
    json_t *c = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:s, s:{s:i, s:i, s:i, s:i, s:i, s:i},"
        " s:{s:s, s:s, s:s, s:i}}",
        "node_name", a->name, "data_dir", data, "bind_addr", a->ip, "client_addr", a->ip,
        "datacenter", "dc1", "server", server, "disable_update_check", 1, "leave_on_terminate", 0,
        "log_level", "DEBUG", "ports", "http", a->http, "serf_lan", a->serf, "server", a->server,
        "dns", -1, "serf_wan", -1, "grpc", -1, "gossip_lan", "gossip_interval", "100ms",
        "probe_interval", "200ms", "probe_timeout", "150ms", "suspicion_mult", 3);
    if (server) {
        json_object_set_new(c, "bootstrap_expect", json_integer(1));
    }
    if (key) {
        json_object_set_new(c, "encrypt", json_string(key));
    }
    if (join) {
        json_object_set_new(c, "retry_join", json_pack("[s]", join));
    }
    bool ok = json_dump_file(c, path, JSON_INDENT(2)) == 0;
    json_decref(c);
    return ok;
}

static void run_child(const struct agent *a)
{
    char config[256], log[256];
    file_name(a, ".json", config, sizeof config);
    file_name(a, ".log", log, sizeof log);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* not to outlive a test that crashed */
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    execl(a->world->consul, "consul", "agent", "-config-file", config, (char *)NULL);
    _exit(127);
}

static bool is_ready(const struct agent *a, bool server)
{
    json_t *answer =
        agent_http(a, "GET", server ? "/v1/status/leader" : "/v1/agent/self", NULL, NULL);
    bool ready = answer && (!server || json_string_length(answer) > 0);
    json_decref(answer);
    return ready;
}

bool agent_start(struct world *w, struct agent *a, const char *name, const char *ip, bool server,
                 const char *key, const char *join)
{
    memset(a, 0, sizeof *a);
    a->world = w;
    w->started++;
    snprintf(a->name, sizeof a->name, "%s", name);
    snprintf(a->ip, sizeof a->ip, "%s", ip);
    a->http = free_port(ip);
    a->serf = free_port(ip);
    a->server = free_port(ip);
    if (!write_config(a, server, key, join)) {
        return false;
    }
    a->server_mode = server;
    return agent_restart(a);
}

bool agent_restart(struct agent *a)
{
    a->pid = fork();
    if (a->pid == 0) {
        run_child(a);
    }
    for (int i = 0; a->pid > 0 && i < START_TRIES; i++) {
        if (is_ready(a, a->server_mode)) {
            return true;
        }
        world_pause(a->world, PAUSE_MS);
    }
    agent_show_log(a);
    return false;
}

void agent_kill(struct agent *a)
{
    if (a->pid > 0) {
        kill(a->pid, SIGKILL);
        waitpid(a->pid, NULL, 0);
        a->pid = 0;
    }
}

void agent_show_log(const struct agent *a)
{
    char path[256], line[1024];
    if (!a->world) {
        return;
    }
    file_name(a, ".log", path, sizeof path);
    FILE *f = fopen(path, "r");
    fprintf(stderr, "---- log of %s\n", a->name);
    while (f && fgets(line, sizeof line, f)) {
        fputs(line, stderr);
    }
    if (f) {
        fclose(f);
    }
}

/* ---- HTTP ---- */

struct answer {
    bool done;
    int status;
    json_t *body;
};

static void on_answer(struct evhttp_request *req, void *arg)
{
    struct answer *a = arg;
    a->done = true;
    if (!req) {
        return;
    }
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t len = evbuffer_get_length(in);
    const char *text = (const char *)evbuffer_pullup(in, -1);
    a->status = evhttp_request_get_response_code(req);
    a->body = len > 0 ? json_loadb(text, len, JSON_DECODE_ANY, NULL) : NULL;
}

static enum evhttp_cmd_type command(const char *method)
{
    return strcmp(method, "PUT") == 0    ? EVHTTP_REQ_PUT
           : strcmp(method, "POST") == 0 ? EVHTTP_REQ_POST
                                         : EVHTTP_REQ_GET;
}

json_t *agent_http(const struct agent *a, const char *method, const char *path, const char *body,
                   int *status)
{
    struct answer answer = {0};
    struct evhttp_connection *c = evhttp_connection_base_new(a->world->base, NULL, a->ip, a->http);
    struct evhttp_request *req = evhttp_request_new(on_answer, &answer);
    evhttp_connection_set_timeout(c, 10);
    evhttp_add_header(evhttp_request_get_output_headers(req), "Host", a->ip);
    if (body) {
        evbuffer_add(evhttp_request_get_output_buffer(req), body, strlen(body));
    }
    if (evhttp_make_request(c, req, command(method), path) != 0) {
        answer.done = true;
    }
    while (!answer.done) {
        event_base_loop(a->world->base, EVLOOP_ONCE);
    }
    evhttp_connection_free(c);
    if (status) {
        *status = answer.status;
    }
    return answer.body;
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

void world_pause(struct world *w, unsigned ms)
{
    bool over = false;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    event_base_once(w->base, -1, EV_TIMEOUT, on_pause_over, &over, &tv);
    while (!over) {
        event_base_loop(w->base, EVLOOP_ONCE);
    }
}
