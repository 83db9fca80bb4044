#include "member.h"

#include "planted.h"

#include <assert.h>
#include <string.h>

enum { SMALL_LIST = 64 }; /* up to this length a pick looks at everybody */

void swim__table_init(struct swim__table *t, const struct mu_allocator *allocator, uint64_t seed)
{
    *t = (struct swim__table){.allocator = mu__allocator_or_default(allocator)};
    mu__map_init(&t->by_name, allocator, seed);
}

static void member_free(struct swim__table *t, struct swim__member *m)
{
    assert(!m->suspicion && !m->update);
    mu__free(&t->allocator, m->meta);
    mu__free(&t->allocator, m);
}

void swim__table_fini(struct swim__table *t)
{
    size_t at = 0;
    for (struct swim__member *m; (m = mu__map_next(&t->by_name, &at)) != NULL;) {
        member_free(t, m);
    }
    mu__map_fini(&t->by_name);
    mu__free(&t->allocator, t->list);
    t->list = NULL;
    t->len = t->cap = 0;
}

struct swim__member *swim__table_find(const struct swim__table *t, struct mu_str name)
{
    return mu__map_get(&t->by_name, name.p, name.len);
}

struct swim__member *swim__table_add(struct swim__table *t, struct mu_str name)
{
    assert(name.len >= 1 && name.len <= SWIM_NAME_MAX);
    struct swim__member *m = mu__calloc(&t->allocator, 1, sizeof *m + name.len + 1);
    if (!m) {
        return NULL;
    }
    memcpy(m->name, name.p, name.len);
    m->name_len = (uint8_t)name.len;
    m->slot = SWIM__NO_SLOT;
    m->state = SWIM_NONE;
    m->status = SWIM_STATUS_NONE;
    if (!mu__map_set(&t->by_name, m->name, m->name_len, m, NULL)) {
        mu__free(&t->allocator, m);
        return NULL;
    }
    t->states[m->state]++;
    t->statuses[m->status]++;
    return m;
}

static void place(struct swim__table *t, size_t slot, struct swim__member *m)
{
    t->list[slot] = m;
    m->slot = (uint32_t)slot;
}

bool swim__table_enlist(struct swim__table *t, struct swim__member *m, struct mu__prng *prng)
{
    assert(m->slot == SWIM__NO_SLOT && t->len < UINT32_MAX - 1);
    if (!mu__reserve(&t->allocator, (void **)&t->list, &t->cap, t->len + 1,
                     sizeof(struct swim__member *))) {
        return false;
    }
    size_t slot = (size_t)mu__prng_below(prng, t->len + 1);
    if (slot < t->len) {
        place(t, t->len, t->list[slot]);
    }
    place(t, slot, m);
    t->len++;
    swim__member_set_state(t, m, SWIM_DEAD, m->state_ns);
    return true;
}

void swim__table_delist(struct swim__table *t, struct swim__member *m)
{
    assert(m->slot < t->len && t->list[m->slot] == m);
    t->len--;
    if (m->slot < t->len) {
        place(t, m->slot, t->list[t->len]);
    }
    m->slot = SWIM__NO_SLOT;
    swim__member_set_state(t, m, SWIM_NONE, m->state_ns);
}

void swim__table_shuffle(struct swim__table *t, struct mu__prng *prng)
{
    for (size_t i = t->len; i > 1; i--) {
        size_t k = (size_t)mu__prng_below(prng, i);
        struct swim__member *a = t->list[i - 1], *b = t->list[k];
        place(t, i - 1, b);
        place(t, k, a);
    }
}

void swim__member_set_state(struct swim__table *t, struct swim__member *m, enum swim_state state,
                            uint64_t now)
{
    assert((state == SWIM_NONE) == (m->slot == SWIM__NO_SLOT));
    t->states[m->state]--;
    t->states[state]++;
    m->state = (uint8_t)state;
    m->state_ns = now;
}

void swim__member_set_status(struct swim__table *t, struct swim__member *m, enum swim_status status)
{
    t->statuses[m->status]--;
    t->statuses[status]++;
    m->status = (uint8_t)status;
}

bool swim__member_set_meta(struct swim__table *t, struct swim__member *m, struct mu_str meta)
{
    assert(meta.len <= UINT16_MAX);
    uint8_t *copy = NULL;
    if (meta.len > 0) {
        copy = mu__memdup(&t->allocator, meta.p, meta.len);
        if (!copy) {
            return false;
        }
    }
    mu__free(&t->allocator, m->meta);
    m->meta = copy;
    m->meta_len = (uint16_t)meta.len;
    return true;
}

void swim__table_erase(struct swim__table *t, struct swim__member *m)
{
    assert(m->state == SWIM_NONE && m->status == SWIM_STATUS_NONE && !m->erased);
    mu__map_remove(&t->by_name, m->name, m->name_len);
    t->states[m->state]--;
    t->statuses[m->status]--;
    m->erased = true;
    if (m->held == 0) {
        member_free(t, m);
    }
}

void swim__member_hold(struct swim__member *m)
{
    m->held++;
}

void swim__member_release(struct swim__table *t, struct swim__member *m)
{
    assert(m->held > 0);
    m->held--;
    if (m->held == 0 && m->erased) {
        member_free(t, m);
    }
}

static bool is_among(struct swim__member *const *picked, size_t n, const struct swim__member *m)
{
    for (size_t i = 0; i < n; i++) {
        if (picked[i] == m) {
            return true;
        }
    }
    return false;
}

/* One pass with reservoir sampling: each eligible member is as likely as any other. */
static size_t pick_all(const struct swim__table *t, struct mu__prng *prng,
                       swim__eligible_fn eligible, const void *arg, struct swim__member **out,
                       size_t want)
{
    size_t seen = 0;
    for (size_t i = 0; i < t->len; i++) {
        if (!eligible(t->list[i], arg)) {
            continue;
        }
        size_t k = seen < want ? seen : (size_t)mu__prng_below(prng, seen + 1);
        if (k < want) {
            out[k] = t->list[i];
        }
        seen++;
    }
    return mu__min(seen, want);
}

size_t swim__table_pick(const struct swim__table *t, struct mu__prng *prng,
                        swim__eligible_fn eligible, const void *arg, struct swim__member **out,
                        size_t want)
{
    bool by_luck = SWIM__PLANTED(HELPERS_BY_LUCK);
    if (t->len <= SMALL_LIST && !by_luck) {
        return pick_all(t, prng, eligible, arg, out, want);
    }
    size_t n = 0;
    for (size_t draws = by_luck ? 3 * t->len : (size_t)3 * SMALL_LIST; draws > 0 && n < want;
         draws--) {
        struct swim__member *m = t->list[mu__prng_below(prng, t->len)];
        if (eligible(m, arg) && !is_among(out, n, m)) {
            out[n++] = m;
        }
    }
    return n;
}

void swim__member_view(const struct swim__member *m, struct swim_member *out)
{
    *out = (struct swim_member){
        .name = swim__member_name(m),
        .addr = m->addr,
        .status = (enum swim_status)m->status,
        .state = (enum swim_state)m->state,
        .incarnation = m->incarnation,
        .state_since_ns = m->state_ns,
        .status_ltime = m->status_ltime,
        .protocol_min = m->vsn[0],
        .protocol_max = m->vsn[1],
        .protocol_cur = m->vsn[2],
        .delegate_min = m->vsn[3],
        .delegate_max = m->vsn[4],
        .delegate_cur = m->vsn[5],
        .meta = swim__member_meta(m),
    };
}
