/* recent.c - what was seen lately, by Lamport time: a ring of 512 slots, in which an event or query
 * that comes again is recognised. Each slot and the whole ring are bounded, since strangers fill
 * them. */
#include "core.h"

#include <string.h>

enum { PER_SLOT_MAX = 256, RING_BYTES_MAX = 8 << 20 };

static size_t size_of(const struct swim__seen *e)
{
    return sizeof *e + e->name_len + e->payload_len;
}

static void slot_clear(struct swim *s, struct swim__ring *ring, struct swim__slot *slot)
{
    while (slot->first) {
        struct swim__seen *next = slot->first->next;
        ring->bytes -= size_of(slot->first);
        mu__free(&s->allocator, slot->first);
        slot->first = next;
    }
}

static bool is_same(const struct swim__seen *e, uint32_t id, struct mu_str name,
                    struct mu_str payload)
{
    return e->id == id && e->name_len == name.len && e->payload_len == payload.len &&
           (name.len == 0 || memcmp(e->bytes, name.p, name.len) == 0) &&
           (payload.len == 0 || memcmp(e->bytes + name.len, payload.p, payload.len) == 0);
}

static struct swim__seen *seen_create(struct swim *s, uint32_t id, struct mu_str name,
                                      struct mu_str payload)
{
    struct swim__seen *e = mu__alloc(&s->allocator, sizeof *e + name.len + payload.len);
    if (!e) {
        return NULL;
    }
    *e = (struct swim__seen){.id = id,
                             .name_len = (uint32_t)name.len,
                             .payload_len = (uint32_t)payload.len,
                             .nil_payload = payload.p == NULL};
    if (name.p && name.len > 0) {
        memcpy(e->bytes, name.p, name.len);
    }
    if (payload.p && payload.len > 0) {
        memcpy(e->bytes + name.len, payload.p, payload.len);
    }
    return e;
}

enum swim__recent swim__recent_note(struct swim *s, struct swim__ring **ring, uint64_t clock,
                                    uint64_t ltime, uint32_t id, struct mu_str name,
                                    struct mu_str payload)
{
    if (clock > SWIM__BUFFER_SLOTS && ltime < clock - SWIM__BUFFER_SLOTS) {
        return SWIM__RECENT_OLD;
    }
    if (!*ring) {
        *ring = mu__calloc(&s->allocator, 1, sizeof **ring);
        if (!*ring) {
            return SWIM__RECENT_NOMEM;
        }
    }
    struct swim__slot *slot = &(*ring)->slots[ltime % SWIM__BUFFER_SLOTS];
    struct swim__seen **end = &slot->first;
    if (slot->ltime == ltime) {
        size_t n = 0;
        for (; *end; end = &(*end)->next, n++) {
            if (is_same(*end, id, name, payload) && !SWIM__PLANTED(EVENT_AGAIN)) {
                return SWIM__RECENT_OLD;
            }
        }
        if (n >= PER_SLOT_MAX) {
            return SWIM__RECENT_OLD;
        }
    }
    if (name.len + payload.len > RING_BYTES_MAX - mu__min((*ring)->bytes, RING_BYTES_MAX)) {
        return SWIM__RECENT_OLD;
    }
    struct swim__seen *e = seen_create(s, id, name, payload);
    if (!e) {
        return SWIM__RECENT_NOMEM;
    }
    if (slot->ltime != ltime) {
        slot_clear(s, *ring, slot);
        slot->ltime = ltime;
        end = &slot->first;
    }
    *end = e;
    (*ring)->bytes += size_of(e);
    return SWIM__RECENT_NEW;
}

void swim__recent_fini(struct swim *s, struct swim__ring **ring)
{
    for (size_t i = 0; *ring && i < SWIM__BUFFER_SLOTS; i++) {
        slot_clear(s, *ring, &(*ring)->slots[i]);
    }
    mu__free(&s->allocator, *ring);
    *ring = NULL;
}
