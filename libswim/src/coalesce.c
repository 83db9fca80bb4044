/* coalesce.c - events that come in bursts are held for a moment, so that the host is told the
 * outcome alone: of each member the latest event, if it is not what was told last, and of each name
 * the user events of the latest Lamport time. Off unless the config asks for it; Consul does not.
 */
#include "core.h"

#include <string.h>

bool swim__coalesces_members(const struct swim *s)
{
    return s->cfg.member_coalesce_ns > 0;
}

bool swim__coalesces_users(const struct swim *s)
{
    return s->cfg.user_coalesce_ns > 0;
}

bool swim__held_reserve(struct swim *s, struct swim__held *h, size_t n)
{
    void *items = h->items;
    bool ok = mu__reserve(&s->allocator, &items, &h->cap, h->len + n, sizeof *h->items);
    h->items = items;
    return ok;
}

/* Until `most` after the first, or `quiet` after the latest. */
static void set_end(struct swim *s, struct swim__held *h, uint64_t most, uint64_t quiet)
{
    h->first_ns = h->len == 1 ? s->now : h->first_ns;
    uint64_t end = h->first_ns + most;
    uint64_t calm = s->now + (quiet > 0 ? quiet : most);
    swim__timer_reset(s, &h->timer, end < calm ? end : calm);
}

void swim__hold_member(struct swim *s, struct swim__event e)
{
    e.member->waiting++;
    s->held_members.items[s->held_members.len++] = e;
    set_end(s, &s->held_members, s->cfg.member_coalesce_ns, s->cfg.member_quiescent_ns);
}

void swim__hold_user(struct swim *s, struct swim__event e)
{
    s->held_users.items[s->held_users.len++] = e;
    set_end(s, &s->held_users, s->cfg.user_coalesce_ns, s->cfg.user_quiescent_ns);
}

void swim__flush_members(struct swim *s, struct swim__timer *t)
{
    struct swim__held *h = &s->held_members;
    (void)t;
    for (size_t i = 0; i < h->len; i++) {
        struct swim__event *e = &h->items[i];
        struct swim__member *m = e->member;
        bool latest = --m->waiting == 0;
        bool news = e->type != m->told || e->type == SWIM_EVENT_UPDATE;
        if (latest && news) {
            m->told = e->type;
            swim__event_give(s, *e);
        } else {
            swim__event_drop(s, e);
        }
    }
    h->len = 0;
}

static struct mu_str name_of(const struct swim__event *e)
{
    return (struct mu_str){e->body->bytes, e->body->name_len};
}

/* The latest event of each name. What finds no memory is not in it, and is told then. */
static void find_latest(const struct swim__held *h, struct mu__map *latest)
{
    for (size_t i = 0; i < h->len; i++) {
        struct swim__event *e = &h->items[i];
        struct mu_str name = name_of(e);
        const struct swim__event *known = mu__map_get(latest, name.p, name.len);
        if (!known || known->body->ltime < e->body->ltime) {
            (void)mu__map_set(latest, name.p, name.len, e, NULL);
        }
    }
}

void swim__flush_users(struct swim *s, struct swim__timer *t)
{
    struct swim__held *h = &s->held_users;
    struct mu__map latest;
    (void)t;
    mu__map_init(&latest, &s->allocator, s->hash_seed[0]);
    find_latest(h, &latest);
    for (size_t i = 0; i < h->len; i++) { /* marks them first: the map borrows their names */
        struct mu_str name = name_of(&h->items[i]);
        const struct swim__event *best = mu__map_get(&latest, name.p, name.len);
        h->items[i].stale = best && best->body->ltime > h->items[i].body->ltime;
    }
    mu__map_fini(&latest);
    for (size_t i = 0; i < h->len; i++) {
        if (h->items[i].stale) {
            swim__event_drop(s, &h->items[i]);
        } else {
            swim__event_give(s, h->items[i]);
        }
    }
    h->len = 0;
}

void swim__held_flush(struct swim *s)
{
    swim__timer_stop(s, &s->held_members.timer);
    swim__timer_stop(s, &s->held_users.timer);
    swim__flush_members(s, NULL);
    swim__flush_users(s, NULL);
}
