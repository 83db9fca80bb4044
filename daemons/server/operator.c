/* operator.c - calls that the core answers: they are about Raft itself, or about what the leader
 * thinks of its peers.
 *
 * The call belongs to its front, which may give it up at any time, so the core gets a job of its
 * own: a copy of what was asked, an arena for the answer. */
#include "core_job.h"

#include "base/log.h"
#include "measure.h"

#include <stdlib.h>
#include <string.h>

#define MODULE         "agent.server"
#define RAFT_PROTOCOL  "3"
#define NEVER_HEARD_NS (-1) /* as the original says it */

void route__job_free(struct operator_job *job)
{
    if (job) {
        mu__arena_fini(&job->arena);
        free(job);
    }
}

/* ---- Back on the front ---- */

static void on_front(void *arg)
{
    struct operator_job *job = arg;
    struct route *r = job->route;
    struct call *c = r->call;
    if (!c) {
        route__free(r);
        return;
    }
    if (job->status == RAFT_ENOTLEADER || job->status == RAFT_ETRANSFER ||
        job->status == RAFT_EBUSY) { /* nothing was done: another leader, or this one later */
        route__job_free(job);
        r->job = NULL;
        route__hold(r);
        return;
    }
    if (job->error[0]) {
        char text[sizeof job->error];
        memcpy(text, job->error, sizeof text);
        route__free(r);
        call_fail(c, "%s", text);
        return;
    }
    metric_since(server__call_metric(c->endpoint), r->sent_at_ns);
    mu__arena_adopt(&c->arena, &job->arena);
    c->reply = job->reply;
    route__free(r);
    call_finish(c);
}

void operator__finish(struct operator_job *job)
{
    loop_post(job->route->front->loop, on_front, job);
}

/* ---- Answers ---- */

static struct mu_str text(struct operator_job *job, struct mu_str s)
{
    char *copy = mu__arena_strndup(&job->arena, s.p ? s.p : "", s.len);
    if (!copy) {
        abort();
    }
    return (struct mu_str){copy, s.len};
}

void *operator__room(struct operator_job *job, size_t n, size_t size)
{
    void *p = mu__arena_calloc(&job->arena, n ? n : 1, size);
    if (!p) {
        abort();
    }
    return p;
}

static void list_servers(struct server *s, struct operator_job *job)
{
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    const struct raft_configuration *c = st.configuration;
    struct catalog_raft_configuration *reply = job->reply = operator__room(job, 1, sizeof *reply);
    struct catalog_raft_server *servers = operator__room(job, c->n, sizeof *servers);
    reply->servers = (struct mu_list){operator__room(job, c->n, sizeof(void *)), c->n};
    for (size_t i = 0; i < c->n; i++) {
        const struct agent_member *m = server__member_of(s, c->servers[i].id);
        servers[i] = (struct catalog_raft_server){
            .id = text(job, mu__cstr(c->servers[i].id)),
            .node = m ? text(job, m->name) : mu__cstr("(unknown)"),
            .address = text(job, mu__cstr(c->servers[i].address)),
            .leader = st.leader_id && strcmp(st.leader_id, c->servers[i].id) == 0,
            .protocol_version = mu__cstr(m ? RAFT_PROTOCOL : "unknown"),
            .voter = c->servers[i].kind == RAFT_VOTER};
        reply->servers.items[i] = &servers[i];
    }
}

static struct mu_time wall_clock(uint64_t monotonic_ns)
{
    int64_t then = loop_now_unix_ns() - (int64_t)(loop_now_ns() - monotonic_ns);
    return (struct mu_time){then / (int64_t)MU_SEC + MU_YEAR1_TO_UNIX_S,
                            (uint32_t)(then % (int64_t)MU_SEC)};
}

static const char *address_of(const struct raft_configuration *c, const char *id)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->servers[i].id, id) == 0) {
            return c->servers[i].address;
        }
    }
    return "";
}

static void describe(struct server *s, struct operator_job *job, const struct raft_node_status *st,
                     const struct autopilot_server *server, struct catalog_server_health *out)
{
    const struct autopilot_fact *f = &server->fact;
    const struct agent_member *m = server__member_of(s, f->id);
    *out = (struct catalog_server_health){
        .id = text(job, mu__cstr(f->id)),
        .name = m ? text(job, m->name) : mu__cstr(""),
        .address = text(job, mu__cstr(address_of(st->configuration, f->id))),
        .serf_status = f->gossip,
        .version = m ? text(job, server__version_of(m)) : mu__cstr(""),
        .leader = f->is_leader,
        .last_contact_ns = f->silent_ns == MU_NEVER ? NEVER_HEARD_NS : (int64_t)f->silent_ns,
        .last_term = f->term,
        .last_index = f->match,
        .healthy = server->is_healthy,
        .voter = f->is_voter,
        .stable_since = wall_clock(server->stable_since_ns)};
}

static void report_health(struct server *s, struct operator_job *job)
{
    struct raft_node_status st;
    const struct autopilot *a = &s->autopilot;
    raft_node_status(s->raft, &st);
    if (st.state != RAFT_NODE_LEADER) {
        job->status = RAFT_ENOTLEADER;
        return;
    }
    struct catalog_operator_health *reply = job->reply = operator__room(job, 1, sizeof *reply);
    struct catalog_server_health *servers = operator__room(job, a->n, sizeof *servers);
    reply->healthy = autopilot_is_healthy(a);
    reply->failure_tolerance = autopilot_failure_tolerance(a);
    reply->servers = (struct mu_list){operator__room(job, a->n, sizeof(void *)), a->n};
    for (size_t i = 0; i < a->n; i++) {
        describe(s, job, &st, &a->servers[i], &servers[i]);
        reply->servers.items[i] = &servers[i];
    }
}

static void report_stats(struct server *s, struct operator_job *job)
{
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    struct catalog_raft_stats *reply = job->reply = operator__room(job, 1, sizeof *reply);
    char contact[32] = "0";
    if (st.last_contact_ns == MU_NEVER) {
        snprintf(contact, sizeof contact, "never");
    } else if (st.state != RAFT_NODE_LEADER) {
        mu__duration_format((int64_t)st.last_contact_ns, contact);
    }
    *reply = (struct catalog_raft_stats){.last_contact = text(job, mu__cstr(contact)),
                                         .last_term = st.last_log_term,
                                         .last_index = st.last_log_index};
}

/* ---- Removing ---- */

static void on_removed(void *arg, int status, raft_index index, void *result)
{
    struct operator_job *job = arg;
    (void)index;
    (void)result;
    if (status != RAFT_OK) {
        snprintf(job->error, sizeof job->error, "%s", raft_node_strerror(status));
    }
    operator__finish(job);
}

static const char *id_of_wanted(const struct raft_configuration *c, const struct operator_job *job)
{
    bool by_id = job->what == ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID;
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(by_id ? c->servers[i].id : c->servers[i].address, job->wanted) == 0) {
            return c->servers[i].id;
        }
    }
    return NULL;
}

/* False: it is under way, and will finish the job. */
static bool remove_server(struct server *s, struct operator_job *job)
{
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    if (st.state != RAFT_NODE_LEADER) {
        job->status = RAFT_ENOTLEADER;
        return true;
    }
    const char *id = id_of_wanted(st.configuration, job);
    if (!id) {
        snprintf(job->error, sizeof job->error, "%s \"%s\" was not found in the Raft configuration",
                 job->what == ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID ? "id" : "address",
                 job->wanted);
        return true;
    }
    job->status = raft_node_remove_server(s->raft, id, on_removed, job);
    if (job->status == RAFT_OK) {
        log_warn(MODULE, "removing a server from Raft, as an operator asked: %s", job->wanted);
    } else if (job->status == RAFT_EINVAL) {
        snprintf(job->error, sizeof job->error, "Need at least one voter in configuration: {[]}");
    } else {
        snprintf(job->error, sizeof job->error, "%s", raft_node_strerror(job->status));
    }
    return job->status != RAFT_OK;
}

/* ---- The way there ---- */

static void on_core(void *arg)
{
    struct operator_job *job = arg;
    struct server *s = job->route->front->server;
    bool done = true;
    if (pool__answers(job->what)) {
        pool__answer(s, job);
        return;
    }
    if (!s->raft) { /* about to end */
        job->status = RAFT_NODE_ESTOPPED;
        snprintf(job->error, sizeof job->error, ROUTE_SHUTTING_DOWN);
    } else if (job->what == ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION) {
        list_servers(s, job);
    } else if (job->what == ENDPOINT_OPERATOR_SERVER_HEALTH) {
        report_health(s, job);
    } else if (job->what == ENDPOINT_SESSION_RENEW) {
        server__session_renew(s, job);
    } else if (job->what == ENDPOINT_STATUS_RAFT_STATS) {
        report_stats(s, job);
    } else {
        done = remove_server(s, job);
    }
    if (done) {
        operator__finish(job);
    }
}

static enum endpoint_id id_of(const struct endpoint *e)
{
    return (enum endpoint_id)(e - endpoints);
}

bool route__is_for_core(const struct endpoint *e)
{
    switch (id_of(e)) {
    case ENDPOINT_INTERNAL_EVENT_FIRE:
    case ENDPOINT_INTERNAL_KEYRING_OPERATION:
    case ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION:
    case ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ADDRESS:
    case ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID:
    case ENDPOINT_OPERATOR_SERVER_HEALTH:
    case ENDPOINT_SESSION_RENEW:
    case ENDPOINT_STATUS_RAFT_STATS:
        return true;
    default:
        return false;
    }
}

void route__ask_core(struct route *r)
{
    struct operator_job *job = calloc(1, sizeof *job);
    if (!job) {
        route__fail(r, "out of memory");
        return;
    }
    job->route = r;
    job->what = id_of(r->call->endpoint);
    r->sent_at_ns = loop_now_ns();
    mu__arena_init(&job->arena, NULL, 0);
    if (pool__answers(job->what) && !pool__take_request(job, r->call)) {
        route__job_free(job);
        route__fail(r, "out of memory");
        return;
    }
    const struct catalog_raft_remove_request *q = r->call->request;
    struct mu_str wanted = {NULL, 0};
    if (job->what == ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID) {
        wanted = q->id;
    } else if (job->what == ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ADDRESS) {
        wanted = q->address;
    } else if (job->what == ENDPOINT_SESSION_RENEW) {
        const struct catalog_session_get_request *renew = r->call->request;
        wanted = renew->session_id.len ? renew->session_id : renew->session;
    }
    if (wanted.len > 0 && !memchr(wanted.p, 0, wanted.len)) { /* or it is no server's */
        memcpy(job->wanted, wanted.p, mu__min(wanted.len, OPERATOR_TEXT_MAX - 1));
    }
    r->job = job;
    r->state = ROUTE_ON_CORE;
    loop_post(r->front->server->core, on_core, job);
}
