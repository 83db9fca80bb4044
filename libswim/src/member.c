#include "member.h"

#include "planted.h"

#include <assert.h>
#include <string.h>

enum { SMALL_LIST = 64 }; /* up to this length a pick looks at everybody */

void swim__table_init(struct swim__table *t, const struct mu_allocator *allocator, uint64_t seed)
{
    *t = (struct swim__table){.allocator = mu__allocator_or_default(allocator),
                              .seed = {seed, ~seed}};
}

static void member_free(struct swim__table *t, struct swim__member *m)
{
    assert(!m->suspicion && !m->update && !m->peer);
    mu__free(&t->allocator, m->meta);
    mu__free(&t->allocator, m);
}

void swim__table_fini(struct swim__table *t)
{
    size_t at = 0;
    for (struct swim__member *m; (m = swim__table_next(t, &at)) != NULL;) {
        member_free(t, m);
    }
    mu__free(&t->allocator, t->all);
    mu__free(&t->allocator, t->index);
    mu__free(&t->allocator, t->list);
    *t = (struct swim__table){.allocator = t->allocator};
}

/* ---- finding by name ---- */

static uint32_t hash_of(const struct swim__table *t, struct mu_str name)
{
    return (uint32_t)mu__siphash(t->seed, name.p, name.len);
}

static size_t next_of(const struct swim__table *t, size_t i)
{
    return (i + 1) & (t->nindex - 1);
}

struct swim__member *swim__table_find(const struct swim__table *t, struct mu_str name)
{
    if (t->nindex == 0) {
        return NULL;
    }
    uint32_t hash = hash_of(t, name);
    for (size_t i = hash & (t->nindex - 1); t->index[i] != 0; i = next_of(t, i)) {
        struct swim__member *m = t->all[t->index[i] - 1];
        if (m->hash == hash && m->name_len == name.len && memcmp(m->name, name.p, name.len) == 0) {
            return m;
        }
    }
    return NULL;
}

struct swim__member *swim__table_next(const struct swim__table *t, size_t *at)
{
    while (*at < t->used) {
        struct swim__member *m = t->all[(*at)++];
        if (m) {
            return m;
        }
    }
    return NULL;
}

static void index_put(struct swim__table *t, const struct swim__member *m)
{
    size_t i = m->hash & (t->nindex - 1);
    while (t->index[i] != 0) {
        i = next_of(t, i);
    }
    t->index[i] = m->place + 1;
}

/* Takes an entry out, and moves those behind it up that would not be found otherwise. */
static void index_remove(struct swim__table *t, const struct swim__member *m)
{
    size_t hole = m->hash & (t->nindex - 1);
    while (t->index[hole] != m->place + 1) {
        hole = next_of(t, hole);
    }
    for (size_t i = next_of(t, hole); t->index[i] != 0; i = next_of(t, i)) {
        size_t home = t->all[t->index[i] - 1]->hash & (t->nindex - 1);
        if (((i - home) & (t->nindex - 1)) >= ((i - hole) & (t->nindex - 1))) {
            t->index[hole] = t->index[i];
            hole = i;
        }
    }
    t->index[hole] = 0;
}

static void index_fill(struct swim__table *t)
{
    memset(t->index, 0, t->nindex * sizeof *t->index);
    for (size_t i = 0; i < t->used; i++) {
        index_put(t, t->all[i]);
    }
}

/* Closes the gaps that erased records left. */
static void compact(struct swim__table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->used; i++) {
        if (t->all[i]) {
            t->all[n] = t->all[i];
            t->all[n]->place = (uint32_t)n;
            n++;
        }
    }
    t->used = n;
    index_fill(t);
}

/* Room for one more among all records: half as many again, since these arrays weigh in a large
 * pool. */
static bool reserve_place(struct swim__table *t)
{
    if (t->used < t->all_cap) {
        return true;
    }
    if (t->count < t->used - t->used / 4) {
        compact(t);
        return true;
    }
    size_t cap = t->all_cap + t->all_cap / 2 + 8;
    struct swim__member **all =
        mu__realloc(&t->allocator, t->all, cap, sizeof(struct swim__member *));
    if (!all) {
        return false;
    }
    t->all = all;
    t->all_cap = cap;
    return true;
}

static bool reserve_index(struct swim__table *t)
{
    if (t->count + 1 <= t->nindex / 4 * 3) {
        return true;
    }
    size_t n = t->nindex ? t->nindex * 2 : 16;
    uint32_t *index = mu__calloc(&t->allocator, n, sizeof *index);
    if (!index) {
        return false;
    }
    mu__free(&t->allocator, t->index);
    t->index = index;
    t->nindex = n;
    compact(t);
    return true;
}

struct swim__member *swim__table_add(struct swim__table *t, struct mu_str name)
{
    assert(name.len >= 1 && name.len <= SWIM_NAME_MAX);
    size_t size = offsetof(struct swim__member, name) + name.len + 1;
    size = size > sizeof(struct swim__member) ? size : sizeof(struct swim__member);
    struct swim__member *m =
        reserve_place(t) && reserve_index(t) ? mu__calloc(&t->allocator, 1, size) : NULL;
    if (!m) {
        return NULL;
    }
    memcpy(m->name, name.p, name.len);
    m->name_len = (uint8_t)name.len;
    m->hash = hash_of(t, name);
    m->slot = SWIM__NO_SLOT;
    m->state = SWIM_NONE;
    m->status = SWIM_STATUS_NONE;
    m->place = (uint32_t)t->used;
    t->all[t->used++] = m;
    t->count++;
    index_put(t, m);
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
    index_remove(t, m);
    t->all[m->place] = NULL;
    t->count--;
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
