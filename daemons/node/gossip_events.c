/* gossip_events.c - what the swim node tells on its loop, on its way to the core loop. */
#include "gossip_internal.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct member_post {
    struct gossip *gossip;
    enum member_change change;
    struct agent_member *member;
};

static void deliver_member(void *arg)
{
    struct member_post *p = arg;
    p->gossip->events.member(p->gossip->events.user, p->change, p->member);
    free(p);
}

static int by_key(const void *x, const void *y)
{
    const struct mu_pair *a = x, *b = y;
    return mu__str_cmp(a->key, b->key);
}

/* A copy of the member for the core loop, in one block. */
static struct agent_member *copy_member(const struct swim_member *m, enum swim_status status)
{
    struct mu_pair tags[SWIM_META_MAX / 2 + 1]; /* a tag takes two bytes at least */
    struct agent_member out = {.name = m->name,
                               .port = m->addr.port,
                               .status = (uint64_t)status,
                               .protocol_min = m->protocol_min,
                               .protocol_max = m->protocol_max,
                               .protocol_cur = m->protocol_cur,
                               .delegate_min = m->delegate_min,
                               .delegate_max = m->delegate_max,
                               .delegate_cur = m->delegate_cur};
    char address[INET6_ADDRSTRLEN] = "";
    inet_ntop(m->addr.len == 4 ? AF_INET : AF_INET6, m->addr.ip, address, sizeof address);
    out.addr = mu__cstr(address);
    size_t at = 0, n = 0;
    for (struct swim_tag t; n < sizeof tags / sizeof *tags && swim_next_tag(m, &at, &t); n++) {
        tags[n] = (struct mu_pair){t.key, t.value};
    }
    qsort(tags, n, sizeof *tags, by_key);
    out.tags = (struct mu_strmap){tags, n};
    return gossip__must(mu__schema_clone(&agent_member_schema, &out, NULL));
}

static void post_member(struct gossip *g, enum member_change change, const struct swim_event *ev)
{
    static const char *const words[] = {"joined", "updated", "left", "failed", "reaped"};
    struct member_post *p = gossip__must(malloc(sizeof *p));
    char address[SWIM_ADDR_TEXT];
    log_info(GOSSIP_MODULE, "member %s: %.*s %s", words[change], (int)ev->member.name.len,
             ev->member.name.p, swim_addr_text(&ev->member.addr, address));
    p->gossip = g;
    p->change = change;
    p->member = copy_member(&ev->member, ev->status);
    loop_post(g->core, deliver_member, p);
}

struct event_post {
    struct gossip *gossip;
    uint64_t ltime;
    size_t name_len, payload_len;
    char bytes[];
};

static void deliver_event(void *arg)
{
    struct event_post *p = arg;
    if (p->gossip->events.event) {
        p->gossip->events.event(p->gossip->events.user, (struct mu_str){p->bytes, p->name_len},
                                (struct mu_str){p->bytes + p->name_len, p->payload_len}, p->ltime);
    }
    free(p);
}

static void post_event(struct gossip *g, const struct swim_event *ev)
{
    struct event_post *p = gossip__must(malloc(sizeof *p + ev->name.len + ev->payload.len));
    p->gossip = g;
    p->ltime = ev->ltime;
    p->name_len = ev->name.len;
    p->payload_len = ev->payload.len;
    memcpy(p->bytes, ev->name.p, ev->name.len);
    if (ev->payload.len) {
        memcpy(p->bytes + ev->name.len, ev->payload.p, ev->payload.len);
    }
    loop_post(g->core, deliver_event, p);
}

void gossip__on_event(void *user, const struct swim_event *ev)
{
    struct gossip *g = user;
    char address[SWIM_ADDR_TEXT];
    switch (ev->type) {
    case SWIM_EVENT_JOIN:
        post_member(g, MEMBER_JOINED, ev);
        break;
    case SWIM_EVENT_UPDATE:
        post_member(g, MEMBER_UPDATED, ev);
        break;
    case SWIM_EVENT_LEAVE:
        post_member(g, MEMBER_DID_LEAVE, ev);
        break;
    case SWIM_EVENT_FAILED:
        post_member(g, MEMBER_DID_FAIL, ev);
        break;
    case SWIM_EVENT_REAP:
        post_member(g, MEMBER_REAPED, ev);
        break;
    case SWIM_EVENT_USER:
        post_event(g, ev);
        break;
    case SWIM_EVENT_CONFLICT:
        log_warn(GOSSIP_MODULE, "another node uses the name %.*s: %s", (int)ev->member.name.len,
                 ev->member.name.p, swim_addr_text(&ev->other_addr, address));
        break;
    case SWIM_EVENT_NAME_LOST: /* Consul's agent goes on without gossip, too: it cannot be helped */
        log_error(
            GOSSIP_MODULE, "the pool knows %.*s at %s: this agent takes no more part in gossip",
            (int)ev->member.name.len, ev->member.name.p, swim_addr_text(&ev->other_addr, address));
        break;
    default: /* queries are answered in the core; join results and keys go to whoever asked */
        break;
    }
}
