/* send.c - datagrams on their way out: sealed at once, drained by swim_next_send. */
#include "core.h"

#include <assert.h>

struct mu__writer *swim__build(struct swim *s)
{
    s->build.len = 0;
    s->build.failed = false;
    return &s->build;
}

bool swim__nonce(struct swim *s, uint8_t out[SWIM__NONCE_LEN])
{
    return s->cfg.entropy(s->cfg.entropy_user, out, SWIM__NONCE_LEN) == 0;
}

/* A slot at the end of the ring, its buffer empty; NULL when there is no room. */
static struct swim__datagram *outbox_slot(struct swim *s)
{
    struct swim__outbox *o = &s->outbox;
    if (o->len == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 8;
        struct swim__datagram *items =
            o->len < s->cfg.sends_max ? mu__calloc(&s->allocator, cap, sizeof *items) : NULL;
        if (!items) {
            return NULL;
        }
        for (size_t i = 0; i < cap; i++) {
            items[i] = i < o->len
                           ? o->items[(o->head + i) % o->cap]
                           : (struct swim__datagram){.bytes = mu__writer_growing(&s->allocator)};
        }
        mu__free(&s->allocator, o->items);
        o->items = items;
        o->cap = cap;
        o->head = 0;
    }
    assert(o->len < o->cap);
    struct swim__datagram *d = &o->items[(o->head + o->len) % o->cap];
    d->bytes.len = 0;
    d->bytes.failed = false;
    return d;
}

void swim__send_parts(struct swim *s, const struct swim_addr *to, const struct swim__member *m,
                      const struct mu_str *parts, size_t n)
{
    uint8_t nonce[SWIM__NONCE_LEN];
    bool encrypts = swim__envelope_encrypts(&s->envelope);
    struct swim__packet_options options = {.with_crc = m && swim__pmax(m) >= 5,
                                           .nonce = encrypts ? nonce : NULL};
    if (s->leave_stage == SWIM__HAS_LEFT) {
        return; /* silent */
    }
    struct swim__datagram *d = outbox_slot(s);
    if (!d || s->outbox.len >= s->cfg.sends_max || (encrypts && !swim__nonce(s, nonce)) ||
        !swim__packet_seal(&s->envelope, &options, parts, n, &s->allocator, &d->bytes) ||
        d->bytes.failed || d->bytes.len > SWIM_DATAGRAM_MAX) {
        s->stats.packets_dropped++;
        return;
    }
    d->to = *to;
    s->outbox.len++;
}

void swim__send_msg(struct swim *s, const struct swim_addr *to, const struct swim__msg *msg)
{
    struct mu__writer *w = swim__build(s);
    swim__msg_encode(w, msg);
    if (w->failed) {
        s->stats.packets_dropped++;
        return;
    }
    struct mu_str part = {(const char *)w->data, w->len};
    swim__send_parts(s, to, NULL, &part, 1);
}

void swim__send_piggyback(struct swim *s, const struct swim_addr *to, const struct swim__member *m,
                          const struct swim__msg *msg)
{
    struct mu__writer *w = swim__build(s);
    swim__msg_encode(w, msg);
    if (w->failed) {
        s->stats.packets_dropped++;
        return;
    }
    struct swim__parts parts = {.items[0] = {(const char *)w->data, w->len}, .n = 1};
    size_t room = swim__gossip_room(s);
    swim__gossip_fill(s, &parts, room > w->len + 2 ? room - w->len - 2 : 0);
    swim__send_parts(s, to, m, parts.items, parts.n);
    swim__gossip_settle(s);
}

void swim__send_user(struct swim *s, const struct swim_addr *to, struct mu_str serf)
{
    struct swim__msg msg = {.type = SWIM__MSG_USER, .user = serf};
    swim__send_msg(s, to, &msg);
}

bool swim_next_send(struct swim *s, struct swim_packet *out)
{
    struct swim__outbox *o = &s->outbox;
    if (o->len == 0) {
        return false;
    }
    struct swim__datagram *d = &o->items[o->head];
    o->head = (o->head + 1) % o->cap;
    o->len--;
    *out = (struct swim_packet){.to = d->to, .data = d->bytes.data, .len = d->bytes.len};
    s->stats.packets_out++;
    s->stats.bytes_out += d->bytes.len;
    return true;
}

void swim__outbox_fini(struct swim *s)
{
    for (size_t i = 0; i < s->outbox.cap; i++) {
        mu__writer_fini(&s->outbox.items[i].bytes);
    }
    mu__free(&s->allocator, s->outbox.items);
}
