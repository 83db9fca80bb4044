#include "process.h"

#include "base/log.h"
#include "http/server.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULE        "agent"
#define END_TIMEOUT_S 15 /* a graceful end may take so long */

static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

uint64_t process_random(void)
{
    uint64_t v;
    if (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v) {
        abort(); /* cannot happen on a kernel that has been up for a second */
    }
    return v;
}

/* ---- The end ---- */

void process_end(struct process *p, int exit_code)
{
    p->exit_code = exit_code;
    loop_stop(p->core);
}

void process_fatal(struct process *p, const char *sentence)
{
    log_error(MODULE, "%s", sentence);
    fprintf(stderr, "==> %s\n", sentence);
    process_end(p, 1);
}

struct leave_job {
    struct process *process;
    agent_done_fn done;
    void *arg;
};

static void end_now(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    process_end(arg, 0);
}

static void set_end_timer(struct process *p, uint64_t ns)
{
    struct timeval tv = {.tv_sec = (time_t)(ns / MU_SEC), .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC)};
    if (!p->end_timer) {
        p->end_timer = must(evtimer_new(loop_base(p->core), end_now, p));
    }
    evtimer_add(p->end_timer, &tv);
}

/* A server goes on answering for a while: others may not know yet that it is gone. The moment that is left otherwise lets
 * the answer to whoever asked us to leave go out. */
static void on_left(void *arg)
{
    struct leave_job *j = arg;
    struct process *p = j->process;
    log_info(MODULE, "Graceful leave complete");
    if (j->done) {
        j->done(j->arg, NULL);
    }
    free(j);
    set_end_timer(p, p->role->server ? p->config->performance.leave_drain_time_ns : 100 * MU_MSEC);
}

void process_leave(struct process *p, agent_done_fn done, void *arg)
{
    if (p->leaving) {
        if (done) {
            done(arg, NULL);
        }
        return;
    }
    struct leave_job *j = must(malloc(sizeof *j));
    *j = (struct leave_job){p, done, arg};
    p->leaving = true;
    set_end_timer(p, END_TIMEOUT_S * MU_SEC);
    p->role->leave(p);
    gossip_leave(p->gossip, on_left, j);
}

static void on_end_signal(evutil_socket_t signal, short what, void *arg)
{
    struct process *p = arg;
    (void)what;
    bool gracefully = signal == SIGTERM ? p->config->leave_on_terminate : !p->config->skip_leave_on_interrupt;
    if (p->leaving || !gracefully) {
        log_info(MODULE, "Caught signal %d, exiting", (int)signal);
        process_end(p, 0);
        return;
    }
    log_info(MODULE, "Gracefully shutting down agent...");
    process_leave(p, NULL, NULL);
}

static void reload(void *user, agent_done_fn done, void *arg);

static void on_reloaded(void *arg, const char *error)
{
    (void)arg;
    if (error) {
        log_error(MODULE, "failed to reload configuration: %s", error);
    } else {
        log_info(MODULE, "Configuration reloaded");
    }
}

static void on_reload_signal(evutil_socket_t signal, short what, void *arg)
{
    (void)signal;
    (void)what;
    reload(arg, on_reloaded, NULL);
}

static void watch_signals(struct process *p)
{
    signal(SIGPIPE, SIG_IGN);
    p->signals[0] = must(evsignal_new(loop_base(p->core), SIGINT, on_end_signal, p));
    p->signals[1] = must(evsignal_new(loop_base(p->core), SIGTERM, on_end_signal, p));
    p->signals[2] = must(evsignal_new(loop_base(p->core), SIGHUP, on_reload_signal, p));
    for (size_t i = 0; i < 3; i++) {
        event_add(p->signals[i], NULL);
    }
}

/* ---- Joining ---- */

static void try_join(struct process *p);

static void on_join_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    try_join(arg);
}

static void on_retry_joined(void *arg, size_t joined, const char *error)
{
    struct process *p = arg;
    const struct config *c = p->config;
    p->joining = false;
    if (!error) {
        log_info(MODULE, "Join cluster completed. Synced with initial agents: num_agents=%zu", joined);
        return;
    }
    p->join_attempts++;
    if (c->retry_max > 0 && p->join_attempts >= c->retry_max) {
        process_fatal(p, "max join retry exhausted, exiting");
        return;
    }
    char delay[32];
    mu__duration_format((int64_t)c->retry_interval_ns, delay);
    log_warn(MODULE, "Join cluster failed, will retry: retry_interval=%s error=%s", delay, error);
    struct timeval tv = {.tv_sec = (time_t)(c->retry_interval_ns / MU_SEC),
                         .tv_usec = (suseconds_t)(c->retry_interval_ns % MU_SEC / MU_USEC)};
    evtimer_add(p->join_timer, &tv);
}

static void try_join(struct process *p)
{
    if (!p->leaving && !p->joining) {
        p->joining = true;
        gossip_join(p->gossip, &p->config->retry_join, on_retry_joined, p);
    }
}

static void on_start_joined(void *arg, size_t joined, const char *error)
{
    if (error) {
        process_fatal(arg, error);
        return;
    }
    log_info(MODULE, "(LAN) joined: number_of_nodes=%zu", joined);
}

static void start_joining(struct process *p)
{
    if (p->config->start_join.len) {
        gossip_join(p->gossip, &p->config->start_join, on_start_joined, p);
    }
    if (p->config->retry_join.len) {
        p->join_timer = must(evtimer_new(loop_base(p->core), on_join_timer, p));
        log_info(MODULE, "Joining cluster...");
        try_join(p);
    }
}

/* ---- What gossip tells ---- */

static void on_member(void *user, enum member_change change, struct agent_member *m)
{
    struct process *p = user;
    struct member_server server;
    bool is_server = member_as_server(m, p->config->datacenter, &server);
    if (change == MEMBER_REAPED) {
        p->role->member(p, change, m);
        members_apply(&p->members, change, m);
    } else {
        members_apply(&p->members, change, m);
        p->role->member(p, change, m);
    }
    agent_set_cluster_size(p->agent, members_count(&p->members));
    if (change == MEMBER_JOINED && is_server) {
        agent_server_joined(p->agent);
    }
}

static void on_event(void *user, struct mu_str name, struct mu_str payload)
{
    struct process *p = user;
    (void)payload;
    if (mu__str_eq(name, mu__cstr("consul:new-leader"))) {
        agent_server_joined(p->agent);
    }
}

/* ---- What the agent asks of its node ---- */

static struct mu_list members(void *user, bool wan, struct mu__arena *a)
{
    struct process *p = user;
    return wan ? (struct mu_list){NULL, 0} : members_sorted(&p->members, a);
}

struct join_call {
    agent_done_fn done;
    void *arg;
};

static void on_asked_join(void *arg, size_t joined, const char *error)
{
    struct join_call *j = arg;
    (void)joined;
    j->done(j->arg, error);
    free(j);
}

static struct join_call *join_call(agent_done_fn done, void *arg)
{
    struct join_call *j = must(malloc(sizeof *j));
    *j = (struct join_call){done, arg};
    return j;
}

static void ask_join(void *user, struct mu_str address, bool wan, agent_done_fn done, void *arg)
{
    struct process *p = user;
    if (wan) {
        done(arg, "WAN federation is not enabled on this agent");
        return;
    }
    gossip_join(p->gossip, &(struct mu_strs){&address, 1}, on_asked_join, join_call(done, arg));
}

static void ask_leave(void *user, agent_done_fn done, void *arg)
{
    process_leave(user, done, arg);
}

static void ask_force_leave(void *user, struct mu_str node, bool prune, agent_done_fn done, void *arg)
{
    struct process *p = user;
    gossip_force_leave(p->gossip, node, prune, on_asked_join, join_call(done, arg));
}

/* Reads the files anew; what cannot change while we run keeps its old value until the next start. */
static void reload(void *user, agent_done_fn done, void *arg)
{
    struct process *p = user;
    char err[CONFIG_ERROR_MAX];
    bool help;
    struct config *next = config_load(p->argc, p->argv, &help, err, sizeof err);
    if (!next || agent_reload(p->agent, next, err, sizeof err) != 0) {
        config_destroy(next);
        done(arg, err);
        return;
    }
    enum mu_level level;
    if (log_parse_level(next->log_level.p, &level)) {
        log_set_level(level);
    }
    /* Fronts and gossip borrow from the first configuration, which lives to the end. */
    config_destroy(p->reloaded);
    p->reloaded = next;
    done(arg, NULL);
}

/* ---- Starting ---- */

static bool make_dir(const char *path, char *err, size_t errlen)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        snprintf(err, errlen, "data_dir \"%.1024s\": %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool open_data_dir(struct process *p, char *err, size_t errlen)
{
    if (p->config->data_dir.len == 0) {
        const char *tmp = getenv("TMPDIR");
        char path[4096];
        snprintf(path, sizeof path, "%s/muster-dev-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        p->data_dir_is_temporary = mkdtemp(path) != NULL;
        p->data_dir = must(strdup(path));
        if (!p->data_dir_is_temporary) {
            snprintf(err, errlen, "cannot make a temporary folder %.1024s: %s", path, strerror(errno));
        }
        return p->data_dir_is_temporary;
    }
    p->data_dir = must(strdup(p->config->data_dir.p));
    char serf[4096];
    snprintf(serf, sizeof serf, "%s/serf", p->data_dir);
    return make_dir(p->data_dir, err, errlen) && make_dir(serf, err, errlen);
}

static bool ports_are_free(const struct process *p, char *err, size_t errlen)
{
    const struct config *c = p->config;
    for (size_t i = 0; i < c->http_listen.len; i++) {
        if (!front_address_is_free(&c->http_listen.items[i], SOCK_STREAM, err, errlen)) {
            return false;
        }
    }
    for (size_t i = 0; i < c->dns_listen.len; i++) {
        if (!front_address_is_free(&c->dns_listen.items[i], SOCK_DGRAM, err, errlen) ||
            !front_address_is_free(&c->dns_listen.items[i], SOCK_STREAM, err, errlen)) {
            return false;
        }
    }
    return true;
}

static bool open_agent(struct process *p, char *err, size_t errlen)
{
    struct agent_config cfg = {.config = p->config,
                               .core = p->core,
                               .node = {.user = p,
                                        .members = members,
                                        .self = process_self,
                                        .join = ask_join,
                                        .leave = ask_leave,
                                        .force_leave = ask_force_leave,
                                        .reload = reload},
                               .seed = process_random()};
    if (agent_create(&cfg, &p->agent, err, errlen) != 0) {
        return false;
    }
    p->node_id = agent_node_id(p->agent);
    return true;
}

static bool open_fronts(struct process *p, char *err, size_t errlen)
{
    p->http_clients = must(client_limit_create((unsigned)p->config->limits.http_max_conns_per_client));
    for (size_t i = 0; i < p->nfronts; i++) {
        snprintf(p->fronts[i].name, sizeof p->fronts[i].name, "front-%zu", i % 100);
        p->fronts[i].loop = must(loop_create(p->fronts[i].name));
        if (!front_open(p, i, err, errlen)) {
            return false;
        }
    }
    return true;
}

static bool open_all(struct process *p, char *err, size_t errlen)
{
    p->core = must(loop_create("core"));
    p->gossip_loop = must(loop_create("gossip"));
    p->nfronts = p->role->front_count();
    p->fronts = must(calloc(p->nfronts, sizeof *p->fronts));
    members_init(&p->members, process_random());
    struct gossip_config gossip = {.config = p->config,
                                   .loop = p->gossip_loop,
                                   .core = p->core,
                                   .events = {.user = p, .member = on_member, .event = on_event}};
    if (!open_data_dir(p, err, errlen) || !ports_are_free(p, err, errlen) || !open_agent(p, err, errlen) ||
        !p->role->create(p, err, errlen) || !open_fronts(p, err, errlen)) {
        return false;
    }
    gossip.node_id = p->node_id;
    p->gossip = gossip_create(&gossip, err, errlen);
    return p->gossip != NULL;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char inner[4096];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (unlink(inner) != 0) {
            remove_tree(inner);
        }
    }
    if (d) {
        closedir(d);
    }
    rmdir(path);
}

static void free_events(struct process *p)
{
    struct event *all[] = {p->join_timer, p->end_timer, p->signals[0], p->signals[1], p->signals[2]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i]) {
            event_free(all[i]);
        }
    }
}

/* Runs what the loops have posted to each other until nothing is left. */
static void drain(struct process *p)
{
    bool more = true;
    while (more) {
        more = loop_drain(p->core);
        more = loop_drain(p->gossip_loop) || more;
        for (size_t i = 0; i < p->nfronts; i++) {
            more = (p->fronts[i].loop && loop_drain(p->fronts[i].loop)) || more;
        }
    }
}

static void stop_threads(struct process *p)
{
    for (size_t i = 0; i < p->nfronts; i++) {
        if (p->fronts[i].loop) {
            loop_stop(p->fronts[i].loop);
            loop_join(p->fronts[i].loop);
        }
    }
    loop_stop(p->gossip_loop);
    loop_join(p->gossip_loop);
}

/* First nobody is let in any more, then all that is under way comes to its end, then the parts go. */
static void close_all(struct process *p)
{
    if (p->agent) {
        agent_stop(p->agent);
    }
    stop_threads(p);
    for (size_t i = 0; i < p->nfronts; i++) {
        if (p->fronts[i].loop) {
            front_close(p, i);
        }
    }
    drain(p);
    p->role->stop(p);
    gossip_stop(p->gossip);
    free_events(p);
    drain(p);
    for (size_t i = 0; i < p->nfronts; i++) {
        agent_front_destroy(p->fronts[i].agent);
    }
    agent_destroy(p->agent);
    p->role->destroy(p);
    gossip_destroy(p->gossip);
    for (size_t i = 0; i < p->nfronts; i++) {
        loop_destroy(p->fronts[i].loop);
    }
    loop_destroy(p->gossip_loop);
    loop_destroy(p->core);
    client_limit_destroy(p->http_clients);
    members_fini(&p->members);
    free(p->fronts);
    if (p->data_dir_is_temporary) {
        remove_tree(p->data_dir);
    }
    free(p->data_dir);
    config_destroy(p->reloaded);
    config_destroy(p->config);
}

static void banner(const struct process *p)
{
    const struct config *c = p->config;
    printf("==> Starting muster agent...\n"
           "           Version: '%s'\n           Node ID: '%s'\n         Node name: '%s'\n"
           "        Datacenter: '%s'\n            Server: %s (Bootstrap: %s)\n"
           "       Client Addr: [%s] (HTTP: %d, HTTPS: -1, gRPC: -1, DNS: %d)\n"
           "      Cluster Addr: %s (LAN: %d)\n\n==> Log data will now stream in as it occurs:\n\n",
           MUSTER_BUILD, p->node_id.p, c->node_name.p, c->datacenter.p, c->server ? "true" : "false",
           c->bootstrap ? "true" : "false", c->client_addr.p, (int)c->ports.http, (int)c->ports.dns, c->advertise_addr.p,
           (int)c->ports.serf_lan);
    fflush(stdout);
}

static void write_pid_file(const struct process *p)
{
    FILE *f = p->config->pid_file.len ? fopen(p->config->pid_file.p, "w") : NULL;
    if (f) {
        fprintf(f, "%ld", (long)getpid());
        fclose(f);
    } else if (p->config->pid_file.len) {
        log_warn(MODULE, "cannot write the pid file %s: %s", p->config->pid_file.p, strerror(errno));
    }
}

static void run(struct process *p)
{
    banner(p);
    write_pid_file(p);
    watch_signals(p);
    if (loop_start(p->gossip_loop) != 0) {
        process_fatal(p, "cannot start a thread");
        return;
    }
    for (size_t i = 0; i < p->nfronts; i++) {
        if (loop_start(p->fronts[i].loop) != 0) {
            process_fatal(p, "cannot start a thread");
            return;
        }
    }
    agent_start(p->agent, p->fronts[0].loop, p->fronts[0].backend);
    start_joining(p);
    loop_run(p->core);
    if (p->config->pid_file.len) {
        unlink(p->config->pid_file.p);
    }
}

int process_main(int argc, char **argv, const struct process_role *role)
{
    char err[CONFIG_ERROR_MAX];
    bool help = false;
    struct process p = {.role = role};
    p.argc = argc - 1;
    p.argv = argv + 1;
    p.config = config_load(p.argc, p.argv, &help, err, sizeof err);
    if (!p.config) {
        if (help) {
            config_print_usage(stdout);
            return 0;
        }
        fprintf(stderr, "==> %s\n", err);
        return 1;
    }
    if (p.config->server != role->server) {
        fprintf(stderr, "==> %s\n", role->server ? "muster-server needs -server; use muster-agent for a client"
                                                 : "muster-agent is a client; use muster-server with -server");
        config_destroy(p.config);
        return 1;
    }
    enum mu_level level;
    if (log_parse_level(p.config->log_level.p, &level)) {
        log_set_level(level);
    }
    for (size_t i = 0; i < p.config->warnings.len; i++) {
        log_warn(MODULE, "%s", p.config->warnings.items[i].p);
    }
    if (open_all(&p, err, sizeof err)) {
        run(&p);
    } else {
        fprintf(stderr, "==> Error starting agent: %s\n", err);
        p.exit_code = 1;
    }
    int exit_code = p.exit_code;
    close_all(&p);
    return exit_code;
}
