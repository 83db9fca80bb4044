/* outbox.c - messages wait here until the write that they rest on is durable (Raft 5: "before
 * responding to RPCs").
 *
 * A lost message is nothing new to Raft, so memory and length are bounded by dropping. */
#include "core.h"

#include <string.h>

static bool reserve_box(struct raft *r, struct raft__outbox *box, size_t need)
{
    if (need <= box->cap && need <= box->cap_envelopes) {
        return true;
    }
    void *messages = box->messages, *envelopes = box->envelopes;
    bool ok = mu__reserve(&r->allocator, &messages, &box->cap, need, sizeof *box->messages);
    box->messages = messages;
    ok = ok &&
         mu__reserve(&r->allocator, &envelopes, &box->cap_envelopes, need, sizeof *box->envelopes);
    box->envelopes = envelopes;
    return ok;
}

/* Room for one more, also where it will be lent from. */
static bool reserve(struct raft *r)
{
    size_t need = r->outbox.n + 1;
    return need <= RAFT__OUTBOX_MAX && reserve_box(r, &r->outbox, need) &&
           reserve_box(r, &r->released, need);
}

void raft__outbox_fini(struct raft *r)
{
    mu__free(&r->allocator, r->outbox.messages);
    mu__free(&r->allocator, r->outbox.envelopes);
    mu__free(&r->allocator, r->released.messages);
    mu__free(&r->allocator, r->released.envelopes);
}

/* Acknowledgements are cumulative: one that waits for the same write takes up the next. */
static bool merge(struct raft *r, const struct raft_message *m, const char *to, uint64_t gate)
{
    struct raft__outbox *box = &r->outbox;
    if (box->n == 0 || gate == 0 || m->type != RAFT_MSG_APPEND_REPLY || m->reject) {
        return false;
    }
    struct raft_message *last = &box->messages[box->n - 1];
    const struct raft__envelope *e = &box->envelopes[box->n - 1];
    if (e->gate != gate || last->type != m->type || last->reject || last->term != m->term ||
        strcmp(e->to, to) != 0) {
        return false;
    }
    if (last->log_index < m->log_index) {
        last->log_index = m->log_index;
    }
    if (last->stamp < m->stamp) {
        last->stamp = m->stamp;
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
    struct raft_message *copy = &r->outbox.messages[r->outbox.n];
    struct raft__envelope *e = &r->outbox.envelopes[r->outbox.n++];
    *copy = *m;
    copy->from = r->id;
    copy->from_address = r->address;
    e->gate = gate;
    raft__copy_id(e->to, to);
    raft__copy_address(e->to_address, address ? address : "");
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

static void move(struct raft__outbox *to, size_t at, const struct raft__outbox *from, size_t i)
{
    if (to != from || at != i) {
        to->messages[at] = from->messages[i];
        to->envelopes[at] = from->envelopes[i];
    }
}

void raft__outbox_drop_replies(struct raft *r)
{
    struct raft__outbox *box = &r->outbox;
    size_t kept = 0;
    for (size_t i = 0; i < box->n; i++) {
        if (box->envelopes[i].gate == 0 || box->messages[i].term >= r->hard.term) {
            move(box, kept++, box, i);
        }
    }
    box->n = kept;
}

static bool may_leave(const struct raft *r, size_t i)
{
    return r->outbox.envelopes[i].gate <= r->persisted_id;
}

/* Mostly all may leave: then the two boxes change places, and nothing is copied. */
void raft__outbox_release(struct raft *r)
{
    struct raft__outbox *box = &r->outbox, *out = &r->released;
    size_t leaving = 0, kept = 0;
    for (size_t i = 0; i < box->n; i++) {
        leaving += may_leave(r, i);
    }
    if (leaving == box->n) {
        const struct raft__outbox swap = *box;
        *box = *out;
        *out = swap;
        box->n = 0;
    } else {
        out->n = 0;
        for (size_t i = 0; i < box->n; i++) {
            if (may_leave(r, i)) {
                move(out, out->n++, box, i);
            } else {
                move(box, kept++, box, i);
            }
        }
        box->n = kept;
    }
    for (size_t i = 0; i < out->n; i++) {
        out->messages[i].to = out->envelopes[i].to;
        out->messages[i].to_address = out->envelopes[i].to_address;
    }
    r->stats.messages_out += out->n;
}
