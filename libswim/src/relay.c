/* relay.c - answering pings, and pinging for others (SWIM 3.1, ping-req). */
#include "core.h"

#include <string.h>

#define RELAYS_MAX 1024 /* pings for others under way; beyond it, requests count as lost */

/* Where an answer goes: to the address that the message names, else to where the datagram came
 * from. */
bool swim__reply_addr(struct mu_str addr, uint16_t port, const struct swim_addr *from,
                      struct swim_addr *out)
{
    *out = *from;
    if (addr.len == 0 || port == 0) {
        return from->len != 0;
    }
    struct swim_addr named = {.port = port};
    named.len = (uint8_t)swim__wire_addr(addr, named.ip);
    if (named.len == 0) {
        return false;
    }
    *out = named;
    return true;
}

void swim__ping(struct swim *s, const struct swim_addr *from, const struct swim__ping *ping)
{
    struct swim_addr to;
    if (ping->node.len > 0 && !swim__is_self_name(s, ping->node)) {
        return; /* meant for whoever had our address before us */
    }
    if (!swim__reply_addr(ping->source_addr, ping->source_port, from, &to)) {
        return;
    }
    struct mu__writer payload = mu__writer_growing(&s->allocator);
    swim__coord_payload_encode(&payload, &s->coords.self);
    struct swim__msg ack = {
        .type = SWIM__MSG_ACK,
        .ack = {.seq_no = ping->seq_no,
                .payload = {(const char *)payload.data, payload.failed ? 0 : payload.len}}};
    swim__send_msg(s, &to, &ack);
    mu__writer_fini(&payload);

    /* Whoever pings us lives; if we hold it dead it should know. */
    struct swim__member *m =
        ping->source_node.len > 0 ? swim__table_find(&s->members, ping->source_node) : NULL;
    if (m && m != s->self && m->state != SWIM_ALIVE && m->state != SWIM_SUSPECT) {
        swim__tell_dead(s, m, &to);
    }
}

static void relay_free(struct swim *s, struct swim__relay *r)
{
    swim__timer_stop(s, &r->timer);
    mu__map_remove(&s->relays, &r->seq, sizeof r->seq);
    mu__free(&s->allocator, r);
}

static void relay_expired(struct swim *s, struct swim__timer *t)
{
    struct swim__relay *r = (struct swim__relay *)t;
    if (r->nack) {
        struct swim__msg nack = {.type = SWIM__MSG_NACK, .nack = {.seq_no = r->their_seq}};
        swim__send_msg(s, &r->requester, &nack);
    }
    relay_free(s, r);
}

static struct swim__relay *relay_create(struct swim *s, const struct swim_addr *requester,
                                        const struct swim__indirect_ping *ping)
{
    struct swim__relay *r =
        s->relays.count < RELAYS_MAX ? mu__alloc(&s->allocator, sizeof *r) : NULL;
    if (!r) {
        return NULL;
    }
    *r = (struct swim__relay){.timer = {.item.slot = MU_HEAP_NONE, .fire = relay_expired},
                              .seq = ++s->seq,
                              .their_seq = ping->seq_no,
                              .requester = *requester,
                              .nack = ping->nack};
    if (!mu__map_set(&s->relays, &r->seq, sizeof r->seq, r, NULL)) {
        mu__free(&s->allocator, r);
        return NULL;
    }
    if (!swim__timer_set(s, &r->timer, s->now + s->cfg.probe_timeout_ns)) {
        relay_free(s, r);
        return NULL;
    }
    return r;
}

void swim__indirect_ping(struct swim *s, const struct swim_addr *from,
                         const struct swim__indirect_ping *ping)
{
    struct swim_addr requester;
    struct swim_addr target = {.port = ping->port ? ping->port : s->self->addr.port};
    target.len = (uint8_t)swim__wire_addr(ping->target, target.ip);
    if (target.len == 0 ||
        !swim__reply_addr(ping->source_addr, ping->source_port, from, &requester)) {
        return;
    }
    struct swim__relay *r = relay_create(s, &requester, ping);
    if (!r) {
        return;
    }
    struct swim__msg msg = {.type = SWIM__MSG_PING, .ping = {.node = ping->node, .seq_no = r->seq}};
    swim__source_fields(s, &msg.ping.source_addr, &msg.ping.source_node, &msg.ping.source_port);
    swim__send_msg(s, &target, &msg);
}

bool swim__relay_ack(struct swim *s, uint32_t seq)
{
    struct swim__relay *r = mu__map_get(&s->relays, &seq, sizeof seq);
    if (!r) {
        return false;
    }
    struct swim__msg ack = {.type = SWIM__MSG_ACK, .ack = {.seq_no = r->their_seq}};
    swim__send_msg(s, &r->requester, &ack);
    relay_free(s, r);
    return true;
}

void swim__relays_fini(struct swim *s)
{
    size_t at = 0;
    for (struct swim__relay *r; (r = mu__map_next(&s->relays, &at)) != NULL;) {
        relay_free(s, r);
    }
    mu__map_fini(&s->relays);
}
