#include "agent/agent_internal.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    agent__wake(arg);
}

static void on_changed(void *arg)
{
    struct agent *a = arg;
    if (a->sync) {
        sync_changed(a->sync);
    }
    agent__connect_changed(a);
    if (a->waiting) { /* once, when all that happens together has happened */
        event_active(a->look, EV_TIMEOUT, 0);
    }
}

static int open_folder(struct agent *a, char *err, size_t errlen)
{
    const struct config *c = a->config;
    if (c->data_dir.len &&
        persist_create(c->data_dir.p, a->given.core, &a->local.persist, err, errlen)) {
        return -1;
    }
    return persist_node_id(c->data_dir.p, c->node_id, a->node_id, err, errlen);
}

int agent_create(const struct agent_config *config, struct agent **out, char *err, size_t errlen)
{
    struct agent *a = calloc(1, sizeof *a);
    *out = NULL;
    if (!a) {
        snprintf(err, errlen, "out of memory");
        return -1;
    }
    a->given = *config;
    a->config = config->config;
    mu__prng_seed(&a->prng, config->seed);
    bool ok = local_init(&a->local, a->config, loop_base(config->core), mu__prng_next(&a->prng));
    a->look = ok ? event_new(loop_base(config->core), -1, 0, on_look, a) : NULL;
    if (!a->look) {
        snprintf(err, errlen, "out of memory");
    } else if (!open_folder(a, err, errlen) &&
               agent__register_files(&a->local, a->config, err, errlen)) {
        local_restore(&a->local);
        a->local.changed = on_changed;
        a->local.arg = a;
        *out = a;
        return 0;
    }
    agent_stop(a);
    agent_destroy(a);
    return -1;
}

static void start_coordinates(struct agent *a, struct loop *front, struct call_backend *backend)
{
    const struct coordinate_config c = {
        .datacenter = a->config->datacenter,
        .node = a->config->node_name,
        .user = a->given.node.user,
        .coordinate = a->given.node.coordinate,
        .core = a->given.core,
        .front = front,
        .backend = backend,
        .seed = mu__prng_next(&a->prng),
    };
    if (a->config->disable_coordinates || !c.coordinate) {
        return;
    }
    a->coordinates = coordinate_sender_create(&c);
    if (!a->coordinates) {
        abort();
    }
    coordinate_sender_set_cluster_size(a->coordinates, a->members);
}

static void start_remote_exec(struct agent *a, struct loop *front, struct call_backend *backend)
{
    if (a->config->disable_remote_exec) {
        return;
    }
    a->remote_exec = remote_exec_create(&(struct remote_exec_config){
        .datacenter = a->config->datacenter,
        .node = a->config->node_name,
        .core = a->given.core,
        .front = front,
        .backend = backend,
    });
    if (!a->remote_exec) {
        abort();
    }
}

void agent_start(struct agent *a, struct loop *front, struct call_backend *backend)
{
    const struct sync_config c = {
        .local = &a->local,
        .config = a->config,
        .node_id = {a->node_id, 36},
        .core = a->given.core,
        .front = front,
        .backend = backend,
        .seed = mu__prng_next(&a->prng),
    };
    local_set_backend(&a->local, a->given.core, front, backend);
    local_start(&a->local);
    a->sync = sync_create(&c);
    if (!a->sync) {
        abort();
    }
    sync_set_cluster_size(a->sync, a->members);
    sync_start(a->sync);
    start_coordinates(a, front, backend);
    start_remote_exec(a, front, backend);
    agent__connect_start(a, front, backend);
}

void agent_set_cluster_size(struct agent *a, size_t members)
{
    a->members = members;
    if (a->sync) {
        sync_set_cluster_size(a->sync, members);
    }
    if (a->coordinates) {
        coordinate_sender_set_cluster_size(a->coordinates, members);
    }
}

void agent_server_joined(struct agent *a)
{
    if (a->sync) {
        sync_server_joined(a->sync);
    }
}

int agent_reload(struct agent *a, const struct config *config, char *err, size_t errlen)
{
    if (!agent__check_files(config, err, errlen)) {
        return -1;
    }
    a->config = config;
    local_set_config(&a->local, config);
    local_unmark_files(&a->local);
    bool ok = agent__register_files(&a->local, config, err, errlen);
    if (!ok) {
        /* Refused by the state of this agent, such as a check of a service that is not here: said,
         * and passed over */
        log_warn("agent", "%s", err);
    }
    local_sweep_files(&a->local);
    if (a->sync) {
        sync_set_config(a->sync, config);
    }
    return 0;
}

void agent_leave(struct agent *a)
{
    sync_destroy(a->sync);
    a->sync = NULL;
    coordinate_sender_destroy(a->coordinates);
    a->coordinates = NULL;
}

void agent_stop(struct agent *a)
{
    if (a->stopped) {
        return;
    }
    a->stopped = true;
    agent_leave(a);
    remote_exec_destroy(a->remote_exec);
    a->remote_exec = NULL;
    agent__release_waiting(a);
    agent__connect_stop(a);
    local_stop(&a->local);
    persist_destroy(a->local.persist); /* those who wait for the disk are answered */
    a->local.persist = NULL;
    if (a->look) {
        event_free(a->look);
        a->look = NULL;
    }
}

void agent_destroy(struct agent *a)
{
    if (a) {
        agent__events_fini(a);
        local_fini(&a->local);
        free(a);
    }
}

struct agent_counts agent_counts(const struct agent *a)
{
    struct agent_counts n = {.services = 0};
    size_t at = 0;
    for (const struct local_service *s; (s = mu__map_next(&a->local.services, &at)) != NULL;) {
        n.services += !s->entry.deleted;
    }
    at = 0;
    for (const struct local_check *c; (c = mu__map_next(&a->local.checks, &at)) != NULL;) {
        bool is_ttl = c->runner && check_is_ttl(c->runner);
        n.checks += !c->entry.deleted;
        n.check_ttls += is_ttl;
        n.check_monitors += c->runner && !is_ttl;
    }
    return n;
}

struct mu_str agent_node_id(const struct agent *a)
{
    return (struct mu_str){a->node_id, 36};
}
