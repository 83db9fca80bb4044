/* ask.c - what the agent asks of its node: the members, joining, leaving, and to read the
 * configuration anew. */
#include "process_internal.h"

#include "base/client_limit.h"
#include "base/log.h"
#include "telemetry.h"
#include "watch/watches.h"

#include <stdio.h>
#include <stdlib.h>

/* The pool of all datacenters has the servers of each; there is one datacenter, and its servers
 * meet in its own pool. They are listed under their names there, "node.dc". */
static struct mu_list servers_as_wan(const struct process *p, struct mu__arena *a)
{
    struct mu_list all = members_sorted(&p->members, a);
    size_t n = 0;
    for (size_t i = 0; i < all.len; i++) {
        const struct agent_member *m = all.items[i];
        struct member_server server;
        if (!member_as_server(m, p->config->datacenter, &server)) {
            continue;
        }
        struct agent_member *copy = mu__arena_memdup(a, m, sizeof *m);
        size_t len = m->name.len + 1 + p->config->datacenter.len;
        char *name = mu__arena_alloc(a, len + 1);
        if (!copy || !name) {
            return (struct mu_list){NULL, 0};
        }
        snprintf(name, len + 1, "%.*s.%.*s", (int)m->name.len, m->name.p,
                 (int)p->config->datacenter.len, p->config->datacenter.p);
        copy->name = (struct mu_str){name, len};
        all.items[n++] = copy;
    }
    all.len = n;
    return all;
}

static struct mu_list members(void *user, bool wan, struct mu__arena *a)
{
    struct process *p = user;
    if (!wan) {
        return members_sorted(&p->members, a);
    }
    return p->role->server ? servers_as_wan(p, a) : (struct mu_list){NULL, 0};
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
    struct join_call *j = process__must(malloc(sizeof *j));
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

static void ask_force_leave(void *user, struct mu_str node, bool prune, agent_done_fn done,
                            void *arg)
{
    struct process *p = user;
    gossip_force_leave(p->gossip, node, prune, on_asked_join, join_call(done, arg));
}

/* Reads the files anew; what cannot change while we run keeps its old value until the next
 * start. */
void process__reload(void *user, agent_done_fn done, void *arg)
{
    struct process *p = user;
    char err[CONFIG_ERROR_MAX];
    bool help;
    struct config *next = config_load(p->argc, p->argv, &help, err, sizeof err);
    if (!next || !watches_check(next, err, sizeof err) ||
        agent_reload(p->agent, next, err, sizeof err) != 0 ||
        !watches_set(p->watches, next, err, sizeof err)) {
        config_destroy(next);
        done(arg, err);
        return;
    }
    enum mu_level level;
    if (log_parse_level(next->log_level.p, &level)) {
        log_set_level(level);
    }
    fronts_reload(p, next);
    telemetry_configure(next, p->role->server);
    client_limit_set(p->http_clients, (unsigned)next->limits.http_max_conns_per_client);
    /* Fronts and gossip borrow from the first configuration, which lives to the end. */
    config_destroy(p->reloaded);
    p->reloaded = next;
    done(arg, NULL);
}

struct agent_node process__node(struct process *p)
{
    return (struct agent_node){.user = p,
                               .members = members,
                               .self = process_self,
                               .coordinate = process_coordinate,
                               .join = ask_join,
                               .leave = ask_leave,
                               .force_leave = ask_force_leave,
                               .reload = process__reload};
}
