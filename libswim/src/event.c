/* event.c - the queue of what the host is told. Room is reserved before a state changes, so that no
 * change is ever untold for want of memory. */
#include "core.h"

#include <assert.h>
#include <string.h>

/* In the ring, also for those that are held until they are told. */
static bool ring_reserve(struct swim *s, size_t n)
{
    struct swim__events *e = &s->events;
    n += s->held_members.len + s->held_users.len;
    if (e->cap - e->len >= n) {
        return true;
    }
    size_t cap = e->cap ? e->cap * 2 : 16;
    while (cap < e->len + n) {
        cap *= 2;
    }
    struct swim__event *items = mu__calloc(&s->allocator, cap, sizeof *items);
    if (!items) {
        return false;
    }
    for (size_t i = 0; i < e->len; i++) {
        items[i] = e->items[(e->head + i) % e->cap];
    }
    mu__free(&s->allocator, e->items);
    e->items = items;
    e->cap = cap;
    e->head = 0;
    return true;
}

bool swim__events_reserve(struct swim *s, size_t n)
{
    return ring_reserve(s, n) &&
           (!swim__coalesces_members(s) || swim__held_reserve(s, &s->held_members, n)) &&
           (!swim__coalesces_users(s) || swim__held_reserve(s, &s->held_users, n));
}

static bool is_droppable(uint8_t type)
{
    return type == SWIM_EVENT_USER || type == SWIM_EVENT_QUERY || type == SWIM_EVENT_CONFLICT ||
           type == SWIM_EVENT_ANSWER || type == SWIM_EVENT_ACK;
}

void swim__event_give(struct swim *s, struct swim__event event)
{
    struct swim__events *e = &s->events;
    assert(e->len < e->cap); /* reserved */
    e->items[(e->head + e->len++) % e->cap] = event;
}

void swim__event_push(struct swim *s, enum swim_event_type type, struct swim__member *m,
                      struct swim__event_body *body)
{
    struct swim__event e = {
        .member = m, .body = body, .type = (uint8_t)type, .status = m ? m->status : 0};
    if (m) {
        swim__member_hold(m);
    }
    s->events.droppable += is_droppable(e.type) ? 1 : 0;
    if (type <= SWIM_EVENT_REAP && swim__coalesces_members(s)) {
        swim__hold_member(s, e);
    } else {
        swim__event_give(s, e);
    }
}

void swim__event_push_user(struct swim *s, struct swim__event_body *body)
{
    s->events.droppable++;
    swim__hold_user(s, (struct swim__event){.body = body, .type = SWIM_EVENT_USER});
}

struct swim__event_body *swim__event_body(struct swim *s, struct mu_str name, struct mu_str payload)
{
    struct swim__event_body *b = mu__alloc(&s->allocator, sizeof *b + name.len + payload.len);
    if (!b) {
        return NULL;
    }
    *b = (struct swim__event_body){.name_len = (uint32_t)name.len,
                                   .payload_len = (uint32_t)payload.len};
    if (name.len > 0) {
        memcpy(b->bytes, name.p, name.len);
    }
    if (payload.len > 0) {
        memcpy(b->bytes + name.len, payload.p, payload.len);
    }
    return b;
}

static void event_release(struct swim *s, struct swim__event *e)
{
    if (e->member) {
        swim__member_release(&s->members, e->member);
    }
    if (e->body) {
        swim__tally_destroy(s, e->body->tally);
    }
    mu__free(&s->allocator, e->body);
    *e = (struct swim__event){0};
}

void swim__event_drop(struct swim *s, struct swim__event *e)
{
    s->events.droppable -= is_droppable(e->type) ? 1 : 0;
    event_release(s, e);
}

static bool event_pop(struct swim *s, struct swim__event *out)
{
    struct swim__events *e = &s->events;
    if (e->len == 0) {
        return false;
    }
    *out = e->items[e->head];
    e->head = (e->head + 1) % e->cap;
    e->len--;
    e->droppable -= is_droppable(out->type) ? 1 : 0;
    return true;
}

void swim__events_fini(struct swim *s)
{
    struct swim__event e;
    event_release(s, &s->events.lent);
    for (size_t i = 0; i < s->held_members.len; i++) {
        swim__event_drop(s, &s->held_members.items[i]);
    }
    for (size_t i = 0; i < s->held_users.len; i++) {
        swim__event_drop(s, &s->held_users.items[i]);
    }
    mu__free(&s->allocator, s->held_members.items);
    mu__free(&s->allocator, s->held_users.items);
    while (event_pop(s, &e)) {
        event_release(s, &e);
    }
    mu__free(&s->allocator, s->events.items);
}

bool swim_next_event(struct swim *s, struct swim_event *out)
{
    struct swim__event *e = &s->events.lent;
    event_release(s, e);
    *out = (struct swim_event){0};
    if (!event_pop(s, e)) {
        if (!s->left_event) {
            return false;
        }
        s->left_event = false;
        out->type = SWIM_EVENT_LEFT;
        return true;
    }
    out->type = (enum swim_event_type)e->type;
    out->status = (enum swim_status)e->status;
    if (e->member) {
        swim__member_view(e->member, &out->member);
        out->member.is_self = e->member == s->self;
    }
    const struct swim__event_body *b = e->body;
    if (b) {
        out->name = (struct mu_str){b->bytes, b->name_len};
        out->payload = (struct mu_str){b->bytes + b->name_len, b->payload_len};
        out->ltime = b->ltime;
        out->deadline_ns = b->deadline_ns;
        out->query = b->query;
        out->stream = b->stream;
        out->err = b->err;
        out->other_addr = b->addr;
        out->answers = b->answers;
        out->acks = b->acks;
        out->keys = b->tally ? swim__tally_view(b->tally) : NULL;
    }
    return true;
}
