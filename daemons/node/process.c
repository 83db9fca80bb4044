/* process.c - puts an agent process together, runs it, and takes it apart. */
#include "process_internal.h"

#include "base/files.h"
#include "base/log.h"
#include "base/log_file.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "http/server.h"
#include "telemetry.h"
#include "unix_socket.h"
#include "watch/watches.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULE           "agent"
#define FILES_OF_OUR_OWN 64 /* logs, loops, servers */

void *process__must(void *p)
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

/* ---- What gossip tells ---- */

static enum metric change_metric(enum member_change change)
{
    switch (change) {
    case MEMBER_JOINED:
        return METRIC_SERF_MEMBER_JOIN;
    case MEMBER_DID_LEAVE:
        return METRIC_SERF_MEMBER_LEFT;
    case MEMBER_DID_FAIL:
        return METRIC_SERF_MEMBER_FAILED;
    default:
        return METRIC_NONE;
    }
}

static void on_member(void *user, enum member_change change, struct agent_member *m)
{
    struct process *p = user;
    struct member_server server;
    bool is_server = member_as_server(m, p->config->datacenter, &server);
    metric_count(change_metric(change), 1);
    if (change == MEMBER_REAPED) {
        p->role->member(p, change, m);
        members_apply(&p->members, change, m);
    } else {
        members_apply(&p->members, change, m);
        p->role->member(p, change, m);
    }
    agent_set_cluster_size(p->agent, members_count(&p->members));
    /* Other tags: it was restarted so fast that nobody missed it, and may know less than before. */
    if ((change == MEMBER_JOINED || change == MEMBER_UPDATED) && is_server) {
        agent_server_joined(p->agent);
    }
}

static void on_event(void *user, struct mu_str name, struct mu_str payload, uint64_t ltime)
{
    static const char prefix[] = "consul:event:";
    struct process *p = user;
    metric_count(METRIC_SERF_EVENTS, 1);
    metric_count_of(METRIC_FAMILY_SERF_EVENTS_NAMED, name, (struct mu_str){NULL, 0});
    if (mu__str_eq(name, mu__cstr("consul:new-leader"))) {
        agent_server_joined(p->agent);
    } else if (name.len >= sizeof prefix - 1 && memcmp(name.p, prefix, sizeof prefix - 1) == 0) {
        agent_user_event(p->agent, payload, ltime);
    }
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
        p->data_dir = process__must(strdup(path));
        if (!p->data_dir_is_temporary) {
            snprintf(err, errlen, "cannot make a temporary folder %.1024s: %s", path,
                     strerror(errno));
        }
        return p->data_dir_is_temporary;
    }
    p->data_dir = process__must(strdup(p->config->data_dir.p));
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
    struct agent_config cfg = {
        .config = p->config, .core = p->core, .node = process__node(p), .seed = process_random()};
    if (agent_create(&cfg, &p->agent, err, errlen) != 0) {
        return false;
    }
    p->node_id = agent_node_id(p->agent);
    return true;
}

static bool open_fronts(struct process *p, char *err, size_t errlen)
{
    p->http_clients =
        process__must(client_limit_create((unsigned)p->config->limits.http_max_conns_per_client));
    for (size_t i = 0; i < p->nfronts; i++) {
        snprintf(p->fronts[i].name, sizeof p->fronts[i].name, "front-%zu", i % 100);
        p->fronts[i].loop = process__must(loop_create(p->fronts[i].name));
        if (!front_open(p, i, err, errlen)) {
            return false;
        }
    }
    return true;
}

static bool open_all(struct process *p, char *err, size_t errlen)
{
    p->core = process__must(loop_create("core"));
    p->gossip_loop = process__must(loop_create("gossip"));
    p->nfronts = p->role->front_count();
    p->fronts = process__must(calloc(p->nfronts, sizeof *p->fronts));
    members_init(&p->members, process_random());
    struct gossip_config gossip = {.config = p->config,
                                   .loop = p->gossip_loop,
                                   .core = p->core,
                                   .events = {.user = p, .member = on_member, .event = on_event}};
    if (!open_data_dir(p, err, errlen) || !ports_are_free(p, err, errlen) ||
        !open_agent(p, err, errlen) || !p->role->create(p, err, errlen) ||
        !open_fronts(p, err, errlen)) {
        return false;
    }
    if (!process__start_watches(p, err, errlen)) {
        return false;
    }
    gossip.node_id = p->node_id;
    p->telemetry = telemetry_create(p);
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

/* First nobody is let in any more, then all that is under way comes to its end, then the parts
 * go. */
static void close_all(struct process *p)
{
    process__close(p);
    telemetry_destroy(p->telemetry);
    watches_destroy(p->watches);
    process__stop_config_entries(p);
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
    drain(p);
    for (size_t i = 0; i < p->nfronts; i++) {
        front_free(p, i);
    }
    call_cache_destroy(p->cache);
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
           MUSTER_BUILD, p->node_id.p, c->node_name.p, c->datacenter.p,
           c->server ? "true" : "false", c->bootstrap ? "true" : "false", c->client_addr.p,
           (int)c->ports.http, (int)c->ports.dns, c->advertise_addr.p, (int)c->ports.serf_lan);
    fflush(stdout);
}

static bool write_pid_file(const struct process *p, char *err, size_t errlen)
{
    const char *path = p->config->pid_file.p;
    if (p->config->pid_file.len == 0) {
        return true;
    }
    FILE *f = fopen(path, "w");
    bool ok = f && fprintf(f, "%ld", (long)getpid()) > 0;
    ok = (!f || fclose(f) == 0) && ok;
    if (!ok) {
        snprintf(err, errlen, "Could not open pid file: open %s: %s", path,
                 errno == ENOENT ? "no such file or directory" : strerror(errno));
    }
    return ok;
}

static void unlink_pid_file(const struct process *p)
{
    if (p->config->pid_file.len) {
        unlink(p->config->pid_file.p);
    }
}

static void run(struct process *p)
{
    banner(p);
    process__watch_signals(p);
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
    agent_start(p->agent, p->fronts[0].loop, call_cache_port_backend(p->fronts[0].port));
    p->running = true;
    process__start_joining(p);
    process__notify_alive(p);
    notify_ready();
    loop_run(p->core);
}

/* The flags behind the program's name, for now and for each reload; the name of a server's program
 * says -server. */
static void take_flags(struct process *p, int argc, char **argv)
{
    static char server[] = "-server";
    size_t n = argc > 0 ? (size_t)argc - 1 : 0;
    p->argv = process__must(calloc(n + 2, sizeof *p->argv));
    if (p->role->server) {
        p->argv[p->argc++] = server;
    }
    for (size_t i = 0; i < n; i++) {
        p->argv[p->argc++] = argv[i + 1];
    }
}

/* Clients that are let in and then cannot be served would be worse than none. */
static void check_files(const struct config *c)
{
    size_t limit = files_limit(), clients = (size_t)c->limits.http_max_conns_per_client;
    if (limit && limit < clients + FILES_OF_OUR_OWN) {
        log_warn(MODULE,
                 "The limit of open files is %zu: limits.http_max_conns_per_client = %zu needs at "
                 "least %zu. Raise it with LimitNOFILE= in the service's unit or with ulimit -n",
                 limit, clients, clients + FILES_OF_OUR_OWN);
    }
}

static bool open_log(const struct config *c, char *err, size_t errlen)
{
    enum mu_level level;
    const struct log_file_config file = {.path = c->log_file.p,
                                         .rotate_bytes = c->log_rotate_bytes,
                                         .rotate_after_ns = c->log_rotate_after_ns,
                                         .keep = c->log_rotate_max_files};
    log_set_json(c->log_json);
    if (c->log_file.len && !log_file_open(&file, err, errlen)) {
        return false;
    }
    if (c->enable_syslog && !log_syslog_open(c->syslog_facility.p)) {
        snprintf(err, errlen,
                 "syslog_facility: expected a facility such as LOCAL0 or DAEMON, got \"%.64s\"",
                 c->syslog_facility.p);
        return false;
    }
    if (log_parse_level(c->log_level.p, &level)) {
        log_set_level(level);
    }
    for (size_t i = 0; i < c->warnings.len; i++) {
        log_warn(MODULE, "%s", c->warnings.items[i].p);
    }
    return true;
}

/* False when there is nothing to run; then *exit_code says how that went. */
static bool configure(struct process *p, int *exit_code)
{
    char err[CONFIG_ERROR_MAX];
    bool help = false;
    p->config = config_load(p->argc, p->argv, &help, err, sizeof err);
    *exit_code = help ? 0 : 1;
    if (help) {
        config_print_usage(stdout);
    } else if (!p->config) {
        fprintf(stderr, "==> %s\n", err);
    } else if (!open_log(p->config, err, sizeof err)) {
        fprintf(stderr, "==> %s\n", err);
        config_destroy(p->config);
        p->config = NULL;
    } else if (p->config->server != p->role->server) {
        fprintf(stderr, "==> %s\n",
                p->role->server ? "muster-server is a server; start muster-agent to be a client"
                                : "muster-agent is a client; start muster-server to be a server");
        config_destroy(p->config);
        p->config = NULL;
    }
    return p->config != NULL;
}

/* False after a message. */
static bool start(struct process *p)
{
    char err[CONFIG_ERROR_MAX];
    files_raise_limit();
    check_files(p->config);
    if (open_all(p, err, sizeof err) && write_pid_file(p, err, sizeof err)) {
        return true;
    }
    log_error(MODULE, "Error starting agent: error=\"%s\"", err);
    fprintf(stderr, "==> Error starting agent: %s\n", err);
    return false;
}

int process_main(int argc, char **argv, const struct process_role *role)
{
    int exit_code;
    struct process p = {.role = role};
    take_flags(&p, argc, argv);
    notify_open();
    if (configure(&p, &exit_code)) {
        if (start(&p)) {
            run(&p);
            unlink_pid_file(&p);
            unix_sockets_remove(p.config);
        } else {
            p.exit_code = 1;
        }
        exit_code = p.exit_code;
        close_all(&p);
        log_file_close();
    }
    notify_close();
    free(p.argv);
    return exit_code;
}
