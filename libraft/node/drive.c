#include "node.h"

#include <string.h>

#define RETRY_NS (10 * MU_MSEC) /* when the core had no memory for an update */

/* Answers the proposals up to the applied entry: its own, and those before it that another leader's
 * entries replaced. */
static void answer_proposal(struct raft_node *n, const struct raft_entry *e, void *result)
{
    while (n->proposals.first && n->proposals.first->index <= e->index) {
        struct request *r = raft_node__requests_pop(&n->proposals);
        bool is_it = r->index == e->index && r->term == e->term;
        raft_node__answer(n, r, is_it ? RAFT_OK : RAFT_ELOST, e->index, is_it ? result : NULL);
    }
}

static bool is_awaited(const struct raft_node *n, const struct raft_entry *e)
{
    const struct request *r = n->proposals.first;
    while (r && r->index < e->index) {
        r = r->next;
    }
    return r && r->index == e->index && r->term == e->term;
}

/* Gives the state machine what is committed; whoever waits is answered after apply_end. */
static void apply(struct raft_node *n, const struct raft_entry *entries, size_t count)
{
    const struct raft_node_machine *m = &n->cfg.machine;
    if (m->apply_begin) {
        m->apply_begin(m->user);
    }
    for (size_t i = 0; i < count; i++) {
        const struct raft_entry *e = &entries[i];
        void *result = NULL;
        if (e->type == RAFT_ENTRY_NORMAL) {
            m->apply(m->user, e->index, e->term, e->data, e->len,
                     is_awaited(n, e) ? &result : NULL);
        }
        answer_proposal(n, e, result);
    }
    if (m->apply_end) {
        m->apply_end(m->user);
    }
    n->last_applied_term = entries[count - 1].term;
    atomic_store(&n->applied_index, entries[count - 1].index);
}

static void answer_read(struct raft_node *n, const struct raft_read_result *result)
{
    for (struct request **at = &n->reads.first; *at; at = &(*at)->next) {
        struct request *r = *at;
        if (r->read_id != result->id) {
            continue; /* they nearly always come back in order */
        }
        *at = r->next;
        n->reads.last = r->next ? n->reads.last : at;
        n->reads.count--;
        raft_node__answer(n, r, result->rc, result->index, NULL);
        return;
    }
}

static void tell_leader(struct raft_node *n)
{
    const char *id = raft_leader(n->core), *address = raft_leader_address(n->core);
    if (strcmp(id, n->told_leader) == 0 && strcmp(address, n->told_address) == 0) {
        return;
    }
    evutil_snprintf(n->told_leader, sizeof n->told_leader, "%s", id);
    evutil_snprintf(n->told_address, sizeof n->told_address, "%s", address);
    if (n->cfg.events.leader) {
        n->cfg.events.leader(n->cfg.events.user, n->told_leader, n->told_address);
    }
}

static void tell_leadership_is(struct raft_node *n, bool leads, raft_term term)
{
    n->told_leadership = leads;
    n->told_term = term;
    if (n->cfg.events.leadership) {
        n->cfg.events.leadership(n->cfg.events.user, leads, term);
    }
}

/* A leader is announced once it has applied an entry of its own term, and with it all that was
 * committed before. */
static void tell_leadership(struct raft_node *n)
{
    bool leads = raft_role(n->core) == RAFT_LEADER;
    raft_term term = raft_current_term(n->core);
    if (n->told_leadership && (!leads || term != n->told_term)) {
        tell_leadership_is(n, false, n->told_term);
    }
    if (!n->told_leadership && leads && n->last_applied_term == term) {
        tell_leadership_is(n, true, term);
    }
}

/* After a change of role or term the fate of what was proposed before cannot be known here. */
static void give_up_proposals(struct raft_node *n)
{
    if (raft_role(n->core) != RAFT_LEADER || raft_current_term(n->core) != n->proposal_term) {
        raft_node__answer_all(n, &n->proposals, RAFT_ELOST);
    }
}

/* Does all that one update asks for. What it lends is gone once the core is called again, so that
 * comes last. */
static void execute(struct raft_node *n, const struct raft_update *u)
{
    bool ok = !u->persist || raft_node__persist(n, u->persist);
    for (size_t i = 0; i < u->n_messages; i++) {
        raft_node__transport_send(n->transport, &u->messages[i]);
    }
    if (u->n_messages > 0) {
        raft_node__transport_flush(n->transport);
    }
    raft_index applied = 0;
    if (u->n_apply > 0) {
        applied = u->apply[u->n_apply - 1].index;
        apply(n, u->apply, u->n_apply);
    }
    for (size_t i = 0; i < u->n_reads; i++) {
        answer_read(n, &u->reads[i]);
    }
    for (size_t i = 0; i < u->n_loads; i++) {
        ok = raft_node__load(n, &u->loads[i]) && ok;
    }
    ok = (!u->snapshot || raft_node__write_chunk(n, u->snapshot)) && ok;
    ok = raft_node__compact(n, u->log_first) && ok;
    bool has_status = u->status_changed, has_configuration = u->configuration_changed;
    if (!ok) {
        raft_node__fail_node(n, RAFT_ENOMEM, "out of memory for what has to be written");
        return;
    }
    if (applied > 0) {
        raft_applied(n->core, raft_node__now(), applied);
    }
    if (has_status) {
        give_up_proposals(n);
        tell_leader(n);
    }
    tell_leadership(n);
    if (has_configuration && n->cfg.events.configuration) {
        n->cfg.events.configuration(n->cfg.events.user);
    }
}

static void set_timer(struct raft_node *n, uint64_t deadline)
{
    if (deadline == n->timer_at_ns) {
        return;
    }
    n->timer_at_ns = deadline;
    if (deadline == MU_NEVER) {
        event_del(n->timer);
        return;
    }
    uint64_t now = raft_node__now(),
             usec = deadline > now ? (deadline - now + MU_USEC - 1) / MU_USEC : 0;
    struct timeval tv = {.tv_sec = (time_t)(usec / 1000000),
                         .tv_usec = (suseconds_t)(usec % 1000000)};
    event_add(n->timer, &tv);
}

void raft_node__publish(struct raft_node *n)
{
    atomic_store(&n->lease_until, raft_lease_until(n->core));
    atomic_store(&n->is_leader, raft_role(n->core) == RAFT_LEADER);
    set_timer(n, raft_next_deadline(n->core));
}

void raft_node__drive(struct raft_node *n)
{
    if (n->is_driving || n->failure != 0) {
        return;
    }
    n->is_driving = true;
    const struct raft_update *u = NULL;
    int rc;
    while ((rc = raft_next_update(n->core, &u)) == RAFT_OK && u && n->failure == 0) {
        execute(n, u);
    }
    if (n->failure == 0) {
        raft_node__maybe_save(n);
        raft_node__publish(n);
        if (rc != RAFT_OK) {
            set_timer(n, raft_node__now() + RETRY_NS);
        }
    }
    n->is_driving = false;
    raft_node__run_answers(n);
}
