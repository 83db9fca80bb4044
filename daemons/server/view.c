/* view.c - what fronts may know of the cluster, published by the core loop. */
#include "server.h"

#include "measure.h"

#include <stdlib.h>
#include <string.h>

#define CONTACT_INTERVAL_US 50000
#define CUT_OFF_NS          (5 * MU_SEC) /* longer than elections take */

void server__view_free(struct server_view *v)
{
    if (v) {
        for (size_t i = 0; i < v->peers.len; i++) {
            /* NOLINTNEXTLINE(performance-no-int-to-ptr): ours, though readers see it as const. */
            free((void *)(uintptr_t)v->peers.items[i].p);
        }
        free(v->peers.items);
        free(v);
    }
}

static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

/* The name that gossip knows the server with this Raft id by; "" if it does not. */
static void name_of(const struct server *s, const char *id, char *out, size_t cap)
{
    size_t at = 0;
    out[0] = '\0';
    for (const struct agent_member *m; (m = members_next_server(s->members, &at)) != NULL;) {
        if (mu__str_eq(member_tag(m, "id"), mu__cstr(id)) && m->name.len < cap) {
            memcpy(out, m->name.p, m->name.len);
            out[m->name.len] = '\0';
            return;
        }
    }
}

/* "127.0.0.1:8300" or "[::1]:8300" in parts. */
static void split_address(struct server_view *v)
{
    const char *colon = strrchr(v->leader_address, ':');
    if (!colon || colon == v->leader_address) {
        return;
    }
    const char *from = v->leader_address + (v->leader_address[0] == '[');
    const char *to = colon - (colon[-1] == ']');
    snprintf(v->leader_host, sizeof v->leader_host, "%.*s", (int)(to - from), from);
    v->leader_port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

struct server_view *server__make_view(const struct server *s)
{
    struct server_view *v = must(calloc(1, sizeof *v));
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    v->is_leader = st.state == RAFT_NODE_LEADER;
    snprintf(v->leader_id, sizeof v->leader_id, "%s", st.leader_id ? st.leader_id : "");
    snprintf(v->leader_address, sizeof v->leader_address, "%s",
             st.leader_address ? st.leader_address : "");
    split_address(v);
    if (v->leader_id[0]) {
        name_of(s, v->leader_id, v->leader_name, sizeof v->leader_name);
    }
    v->peers.items = must(calloc(st.configuration->n + 1, sizeof *v->peers.items));
    for (size_t i = 0; i < st.configuration->n; i++) {
        char *address = must(strdup(st.configuration->servers[i].address));
        v->peers.items[v->peers.len++] = (struct mu_str){address, strlen(address)};
    }
    return v;
}

struct delivery {
    struct server_front *front;
    struct server_view *view;
};

static void deliver(void *arg)
{
    struct delivery *d = arg;
    server__front_take_view(d->front, d->view);
    free(d);
}

void server__publish_view(struct server *s)
{
    for (size_t i = 0; s->raft && i < s->nfronts; i++) {
        if (!s->fronts[i].loop) {
            continue;
        }
        struct delivery *d = must(malloc(sizeof *d));
        d->front = &s->fronts[i];
        d->view = server__make_view(s);
        loop_post(s->fronts[i].loop, deliver, d);
    }
}

/* A server that was just started knows what it knew when it ended, and one that is new nothing at
 * all; an answer of before would deny names that exist (consul#4034). It has caught up when what
 * its log held then is committed and applied, and it has a vote, which the leader gives to who
 * keeps up. */
static bool has_caught_up(const struct server *s, const struct raft_node_status *st)
{
    const struct raft_configuration *c = st->configuration;
    bool votes = false;
    for (size_t i = 0; i < c->n; i++) {
        votes |= c->servers[i].kind == RAFT_VOTER && strcmp(c->servers[i].id, s->node_id.p) == 0;
    }
    return votes && st->commit_index > 0 && st->commit_index >= s->log_began &&
           st->applied_index >= st->commit_index;
}

static void cut_off(void *arg)
{
    server__front_cut_off(arg);
}

/* Who waits on a server that hears of no leader would hear nothing, either, and take that for no
 * news: agents keep their copies of DNS by it. It is told what there is, and how old that is. */
static void tell_cut_off(struct server *s, uint64_t now)
{
    uint64_t contact = atomic_load(&s->last_contact_at_ns);
    bool is_now = raft_node_lease_until(s->raft) <= now && contact != 0 && now > contact &&
                  now - contact > CUT_OFF_NS;
    for (size_t i = 0; is_now && !s->is_cut_off && i < s->nfronts; i++) {
        if (s->fronts[i].loop) {
            loop_post(s->fronts[i].loop, cut_off, &s->fronts[i]);
        }
    }
    s->is_cut_off = is_now;
}

static void on_contact_timer(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    struct raft_node_status st;
    (void)fd;
    (void)what;
    raft_node_status(s->raft, &st);
    uint64_t now = loop_now_ns();
    bool known = st.leader_id && st.leader_id[0];
    atomic_store(&s->known_leader, known);
    server__measure_contact(s, &st);
    s->caught_up = s->caught_up || has_caught_up(s, &st);
    if (s->caught_up && st.last_contact_ns != MU_NEVER && (known || st.last_contact_ns > 0)) {
        atomic_store(&s->last_contact_at_ns, now - st.last_contact_ns);
    }
    tell_cut_off(s, now);
}

void server__watch_contact(struct server *s)
{
    struct timeval interval = {.tv_usec = CONTACT_INTERVAL_US};
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    s->log_began = st.last_log_index;
    s->contact_timer = must(event_new(loop_base(s->core), -1, EV_PERSIST, on_contact_timer, s));
    event_add(s->contact_timer, &interval);
}
