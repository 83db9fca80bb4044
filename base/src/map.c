#include "map.h"

#include <assert.h>
#include <string.h>

static uint64_t rotl(uint64_t x, unsigned k)
{
    return x << k | x >> (64 - k);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t w = 0;
    for (size_t i = n; i > 0; i--) {
        w = w << 8 | p[i - 1];
    }
    return w;
}

uint64_t mu__siphash(const uint64_t seed[2], const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed[0] ^ UINT64_C(0x6c7967656e657261),
                     seed[1] ^ UINT64_C(0x7465646279746573)};
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t w = load_le(p, 8);
        v[3] ^= w;
        sip_round(v);
        v[0] ^= w;
    }
    uint64_t last = (uint64_t)len << 56 | load_le(p, left);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void mu__map_init(struct mu__map *m, const struct mu_allocator *allocator, uint64_t seed)
{
    *m = (struct mu__map){.allocator = mu__allocator_or_default(allocator),
                          .seed = {seed, seed * UINT64_C(0x9e3779b97f4a7c15) + 1}};
}

void mu__map_fini(struct mu__map *m)
{
    mu__free(&m->allocator, m->entries);
    mu__free(&m->allocator, m->slots);
    m->entries = NULL;
    m->slots = NULL;
    m->used = m->cap = m->nslots = m->count = 0;
}

/* The slot that holds the key, or the empty slot where its search ended. nslots is a power of
 * two. */
static size_t find_slot(const struct mu__map *m, uint64_t hash, const void *key, size_t len)
{
    size_t i = (size_t)hash & (m->nslots - 1);
    while (m->slots[i]) {
        const struct mu__map_entry *e = &m->entries[m->slots[i] - 1];
        if (e->value && e->hash == hash && e->len == len &&
            (len == 0 || memcmp(e->key, key, len) == 0)) {
            break;
        }
        i = (i + 1) & (m->nslots - 1);
    }
    return i;
}

/* Makes room for one more entry: drops removed entries and doubles when still crowded. */
static bool rebuild(struct mu__map *m)
{
    size_t cap = 8;
    while (cap < (m->count + 1) * 2) {
        cap *= 2;
    }
    assert(cap < UINT32_MAX);
    size_t nslots = cap * 2;
    struct mu__map_entry *entries = mu__calloc(&m->allocator, cap, sizeof *entries);
    uint32_t *slots = mu__calloc(&m->allocator, nslots, sizeof *slots);
    if (!entries || !slots) {
        mu__free(&m->allocator, entries);
        mu__free(&m->allocator, slots);
        return false;
    }
    size_t used = 0;
    for (size_t i = 0; i < m->used; i++) {
        if (!m->entries[i].value) {
            continue;
        }
        size_t slot = (size_t)m->entries[i].hash & (nslots - 1);
        while (slots[slot]) {
            slot = (slot + 1) & (nslots - 1);
        }
        entries[used++] = m->entries[i];
        slots[slot] = (uint32_t)used;
    }
    mu__free(&m->allocator, m->entries);
    mu__free(&m->allocator, m->slots);
    m->entries = entries;
    m->slots = slots;
    m->used = used;
    m->cap = cap;
    m->nslots = nslots;
    return true;
}

void *mu__map_get(const struct mu__map *m, const void *key, size_t len)
{
    if (!m->count) {
        return NULL;
    }
    size_t slot = find_slot(m, mu__siphash(m->seed, key, len), key, len);
    return m->slots[slot] ? m->entries[m->slots[slot] - 1].value : NULL;
}

bool mu__map_set(struct mu__map *m, const void *key, size_t len, void *value, void **old)
{
    assert(value);
    if (old) {
        *old = NULL;
    }
    if (m->used == m->cap && !rebuild(m)) {
        return false;
    }
    uint64_t hash = mu__siphash(m->seed, key, len);
    size_t slot = find_slot(m, hash, key, len);
    if (m->slots[slot]) {
        struct mu__map_entry *e = &m->entries[m->slots[slot] - 1];
        if (old) {
            *old = e->value;
        }
        e->key = key;
        e->value = value;
        return true;
    }
    m->entries[m->used++] = (struct mu__map_entry){key, len, value, hash};
    m->slots[slot] = (uint32_t)m->used;
    m->count++;
    return true;
}

void *mu__map_remove(struct mu__map *m, const void *key, size_t len)
{
    if (!m->count) {
        return NULL;
    }
    size_t slot = find_slot(m, mu__siphash(m->seed, key, len), key, len);
    if (!m->slots[slot]) {
        return NULL;
    }
    struct mu__map_entry *e = &m->entries[m->slots[slot] - 1];
    void *value = e->value;
    /* The slot stays taken until the next rebuild, so that searches go on past it */
    e->value = NULL;
    m->count--;
    return value;
}

void *mu__map_next(const struct mu__map *m, size_t *at)
{
    while (*at < m->used) {
        void *value = m->entries[(*at)++].value;
        if (value) {
            return value;
        }
    }
    return NULL;
}
