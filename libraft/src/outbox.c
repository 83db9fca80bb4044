/* outbox.c - messages wait here until the write that they rest on is durable (Raft 5: "before
 * responding to RPCs").
 *
 * A lost message is nothing new to Raft, so memory and length are bounded by dropping. */
#include "core.h"

#include <string.h>

static bool reserve(struct raft *r)
{
    void *outbox = r->outbox, *released = r->released, *messages = r->messages;
    size_t need = r->n_outbox + 1;
    bool ok = need <= RAFT__OUTBOX_MAX &&
              mu__reserve(&r->allocator, &outbox, &r->cap_outbox, need, sizeof *r->outbox);
    r->outbox = outbox;
    ok = ok && mu__reserve(&r->allocator, &released, &r->cap_released, need, sizeof *r->released);
    r->released = released;
    ok = ok && mu__reserve(&r->allocator, &messages, &r->cap_messages, need, sizeof *r->messages);
    r->messages = messages;
    return ok;
}

/* Acknowledgements are cumulative: one that waits for the same write takes up the next. */
static bool merge(struct raft *r, const struct raft_message *m, const char *to, uint64_t gate)
{
    struct raft__out *o = r->n_outbox ? &r->outbox[r->n_outbox - 1] : NULL;
    if (!o || gate == 0 || o->gate != gate || m->type != RAFT_MSG_APPEND_REPLY || m->reject ||
        o->m.type != m->type || o->m.reject || o->m.term != m->term || strcmp(o->to, to) != 0) {
        return false;
    }
    if (o->m.log_index < m->log_index) {
        o->m.log_index = m->log_index;
    }
    if (o->m.stamp < m->stamp) {
        o->m.stamp = m->stamp;
    }
    return true;
}

bool raft__send(struct raft *r, struct raft_message *m, const char *to, const char *address,
                uint64_t gate)
{
    if (merge(r, m, to, gate)) {
        return true;
    }
    if (!reserve(r)) {
        r->stats.messages_dropped++;
        return false;
    }
    struct raft__out *o = &r->outbox[r->n_outbox++];
    *o = (struct raft__out){.m = *m, .gate = gate};
    o->m.from = r->id;
    o->m.from_address = r->address;
    raft__copy_id(o->to, to);
    raft__copy_address(o->to_address, address ? address : "");
    return true;
}

bool raft__send_peer(struct raft *r, struct raft_message *m, const struct raft__peer *p,
                     uint64_t gate)
{
    return raft__send(r, m, p->server.id, p->server.address, gate);
}

void raft__reply(struct raft *r, const struct raft_message *request, struct raft_message *reply,
                 uint64_t gate)
{
    reply->stamp = request->stamp;
    raft__send(r, reply, request->from, request->from_address, gate);
}

void raft__outbox_drop_replies(struct raft *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->n_outbox; i++) {
        if (r->outbox[i].gate == 0 || r->outbox[i].m.term >= r->hard.term) {
            if (kept != i) {
                r->outbox[kept] = r->outbox[i];
            }
            kept++;
        }
    }
    r->n_outbox = kept;
}

size_t raft__outbox_release(struct raft *r)
{
    size_t kept = 0, n = 0;
    for (size_t i = 0; i < r->n_outbox; i++) {
        if (r->outbox[i].gate > r->persisted_id) {
            if (kept != i) {
                r->outbox[kept] = r->outbox[i];
            }
            kept++;
            continue;
        }
        struct raft__out *o = &r->released[n];
        *o = r->outbox[i];
        o->m.to = o->to;
        o->m.to_address = o->to_address;
        r->messages[n++] = o->m;
    }
    r->n_outbox = kept;
    r->stats.messages_out += n;
    return n;
}
