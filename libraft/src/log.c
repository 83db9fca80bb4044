#include "log.h"

#include <assert.h>
#include <string.h>

#define BLOCK_BYTES (64u << 10)

struct raft__block {
    struct raft__block *next;
    raft_index first, last; /* entries whose data stands here */
    size_t used, cap;
    max_align_t data[]; /* cap bytes */
};

void raft__log_init(struct raft__log *l, const struct mu_allocator *allocator)
{
    *l = (struct raft__log){.allocator = *allocator, .first = 1, .cache_first = 1, .blocks_max = 1};
}

void raft__log_keep_blocks(struct raft__log *l, size_t bytes)
{
    l->blocks_max = bytes / BLOCK_BYTES + 2; /* the first and the last are full in part */
}

static void free_blocks(struct raft__log *l, struct raft__block *b)
{
    while (b) {
        struct raft__block *next = b->next;
        mu__free(&l->allocator, b);
        b = next;
    }
}

void raft__log_fini(struct raft__log *l)
{
    free_blocks(l, l->oldest);
    free_blocks(l, l->spare);
    mu__free(&l->allocator, l->runs);
    mu__free(&l->allocator, l->entries);
    *l = (struct raft__log){.allocator = l->allocator};
}

static void drop_block(struct raft__log *l, struct raft__block *b)
{
    bool usual = b->cap == BLOCK_BYTES;
    if (usual && l->n_blocks <= l->blocks_max) {
        b->next = l->spare;
        l->spare = b;
        return;
    }
    l->n_blocks -= usual;
    mu__free(&l->allocator, b);
}

static void drop_blocks(struct raft__log *l, struct raft__block *b)
{
    while (b) {
        struct raft__block *next = b->next;
        drop_block(l, b);
        b = next;
    }
}

void raft__log_reset(struct raft__log *l, raft_index index, raft_term term)
{
    drop_blocks(l, l->oldest);
    l->oldest = l->newest = NULL;
    l->snapshot_index = index;
    l->snapshot_term = term;
    l->first = l->cache_first = index + 1;
    l->last = index;
    l->prev_term = term;
    l->n_runs = 0;
    l->start = l->n = 0;
    l->bytes = 0;
}

void raft__log_start_at(struct raft__log *l, raft_index first)
{
    assert(l->n == 0 && l->n_runs == 0);
    assert(first >= 1);
    l->prev_term = first - 1 == l->snapshot_index ? l->snapshot_term : 0;
    l->first = l->cache_first = first;
    l->last = first - 1;
}

/* The run that holds index, which must be within [first, last]. */
static size_t find_run(const struct raft__log *l, raft_index index)
{
    size_t lo = 0, hi = l->n_runs;
    assert(l->n_runs > 0 && l->runs[0].first <= index);
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->runs[mid].first <= index) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

bool raft__log_term(const struct raft__log *l, raft_index index, raft_term *term)
{
    if (index >= l->first && index <= l->last) {
        *term = l->runs[find_run(l, index)].term;
        return true;
    }
    if (index == 0) {
        *term = 0;
        return true;
    }
    if (index == l->snapshot_index) {
        *term = l->snapshot_term;
        return true;
    }
    if (index == l->first - 1 && l->prev_term > 0) {
        *term = l->prev_term;
        return true;
    }
    return false;
}

raft_term raft__log_last_term(const struct raft__log *l)
{
    raft_term term = 0;
    bool known = raft__log_term(l, l->last, &term);
    assert(known);
    return term;
}

bool raft__log_matches(const struct raft__log *l, raft_index index, raft_term term)
{
    raft_term ours;
    return raft__log_term(l, index, &ours) && ours == term;
}

raft_index raft__log_find_conflict(const struct raft__log *l, raft_index index, raft_term term)
{
    raft_index at = index < l->last ? index : l->last;
    if (at < l->first) {
        return l->first - 1;
    }
    for (size_t i = find_run(l, at) + 1; i > 0; i--) {
        if (l->runs[i - 1].term <= term) {
            return at;
        }
        at = l->runs[i - 1].first - 1;
    }
    return l->first - 1;
}

static struct raft__block *new_block(struct raft__log *l, size_t need)
{
    struct raft__block *b = l->spare;
    if (need <= BLOCK_BYTES && b) {
        l->spare = b->next;
        return b;
    }
    size_t cap = mu__max(need, BLOCK_BYTES);
    b = mu__alloc(&l->allocator, sizeof *b + cap);
    if (b) {
        b->cap = cap;
        l->n_blocks += cap == BLOCK_BYTES;
    }
    return b;
}

/* Room for len bytes in the newest block, for entry index. */
static void *block_room(struct raft__log *l, raft_index index, size_t len)
{
    size_t need = (len + 7) & ~(size_t)7;
    struct raft__block *b = l->newest;
    if (!b || need > b->cap - b->used) {
        b = new_block(l, need);
        if (!b) {
            return NULL;
        }
        b->next = NULL;
        b->used = 0;
        b->first = index;
        if (l->newest) {
            l->newest->next = b;
        } else {
            l->oldest = b;
        }
        l->newest = b;
    }
    void *p = (uint8_t *)b->data + b->used;
    b->used += need;
    b->last = index;
    return p;
}

static void drop_blocks_before(struct raft__log *l, raft_index first)
{
    while (l->oldest && l->oldest->last < first) {
        struct raft__block *b = l->oldest;
        l->oldest = b->next;
        if (!l->oldest) {
            l->newest = NULL;
        }
        drop_block(l, b);
    }
}

static void drop_blocks_from(struct raft__log *l, raft_index from)
{
    struct raft__block *keep = NULL;
    struct raft__block *b = l->oldest;
    while (b && b->first < from) {
        keep = b;
        b = b->next;
    }
    if (keep) {
        keep->next = NULL;
        keep->last = keep->last < from ? keep->last : from - 1;
    } else {
        l->oldest = NULL;
    }
    l->newest = keep;
    drop_blocks(l, b);
}

/* The cached entries are one contiguous piece of the array, so that slices can be lent; it slides
 * back to the front when it reaches the end, which costs a constant per append as long as half of
 * the array is free. */
static bool entry_room(struct raft__log *l)
{
    if (l->start + l->n < l->cap) {
        return true;
    }
    if (l->n > l->cap / 2 || l->cap == 0) {
        void *items = l->entries;
        if (!mu__reserve(&l->allocator, &items, &l->cap, mu__max(64, l->cap + 1),
                         sizeof *l->entries)) {
            return false;
        }
        l->entries = items;
        return true;
    }
    memmove(l->entries, l->entries + l->start, l->n * sizeof *l->entries);
    l->start = 0;
    return true;
}

static bool run_room(struct raft__log *l)
{
    void *items = l->runs;
    bool ok = mu__reserve(&l->allocator, &items, &l->cap_runs, l->n_runs + 1, sizeof *l->runs);
    l->runs = items;
    return ok;
}

bool raft__log_append(struct raft__log *l, const struct raft_entry *e)
{
    assert(e->index == l->last + 1);
    if (!entry_room(l) || !run_room(l)) {
        return false;
    }
    void *data = NULL;
    if (e->len > 0) {
        data = block_room(l, e->index, e->len);
        if (!data) {
            return false;
        }
        memcpy(data, e->data, e->len);
    }
    if (l->n_runs == 0 || l->runs[l->n_runs - 1].term != e->term) {
        assert(l->n_runs == 0 || l->runs[l->n_runs - 1].term < e->term);
        l->runs[l->n_runs++] = (struct raft__run){.first = e->index, .term = e->term};
    }
    struct raft_entry *copy = &l->entries[l->start + l->n];
    *copy = *e;
    copy->data = data;
    l->n++;
    l->last++;
    l->bytes += raft__entry_cost(copy);
    return true;
}

void raft__log_truncate(struct raft__log *l, raft_index from)
{
    assert(from >= l->first);
    if (from > l->last) {
        return;
    }
    while (l->n > 0 && l->last >= from) {
        l->bytes -= raft__entry_cost(&l->entries[l->start + l->n - 1]);
        l->n--;
        l->last--;
    }
    if (l->last >= from) { /* it reached below what is cached */
        l->last = from - 1;
        l->cache_first = from;
    }
    while (l->n_runs > 0 && l->runs[l->n_runs - 1].first >= from) {
        l->n_runs--;
    }
    drop_blocks_from(l, from);
}

/* Drops the oldest n cached entries, which cost `bytes`. */
static void forget_front(struct raft__log *l, size_t n, size_t bytes)
{
    l->bytes -= bytes;
    l->start += n;
    l->n -= n;
    l->cache_first += n;
    if (l->n == 0) {
        l->start = 0;
    }
    drop_blocks_before(l, l->cache_first);
}

void raft__log_compact(struct raft__log *l, raft_index first)
{
    raft_term prev = 0;
    if (first <= l->first) {
        return;
    }
    assert(first <= l->last + 1);
    bool known = raft__log_term(l, first - 1, &prev);
    assert(known);
    size_t drop = 0;
    while (drop < l->n_runs &&
           (drop + 1 == l->n_runs ? l->last : l->runs[drop + 1].first - 1) < first) {
        drop++;
    }
    if (drop < l->n_runs && l->runs[drop].first < first) {
        l->runs[drop].first = first;
    }
    memmove(l->runs, l->runs + drop, (l->n_runs - drop) * sizeof *l->runs);
    l->n_runs -= drop;
    l->first = first;
    l->prev_term = prev;
    if (first > l->cache_first) {
        size_t n = (size_t)(first - l->cache_first), bytes = 0;
        for (size_t i = 0; i < n; i++) {
            bytes += raft__entry_cost(&l->entries[l->start + i]);
        }
        forget_front(l, n, bytes);
    }
}

void raft__log_evict(struct raft__log *l, raft_index upto, size_t bytes_max)
{
    size_t n = 0, bytes = 0;
    while (n < l->n && l->bytes - bytes > bytes_max && l->cache_first + n <= upto) {
        bytes += raft__entry_cost(&l->entries[l->start + n]);
        n++;
    }
    if (n > 0) {
        forget_front(l, n, bytes);
    }
}

const struct raft_entry *raft__log_at(const struct raft__log *l, raft_index index)
{
    assert(index >= l->cache_first && index <= l->last);
    return &l->entries[l->start + (size_t)(index - l->cache_first)];
}

const struct raft_entry *raft__log_slice(const struct raft__log *l, raft_index first,
                                         raft_index last, size_t bytes_max, size_t n_max, size_t *n)
{
    *n = 0;
    if (first > last || first > l->last) {
        return NULL;
    }
    const struct raft_entry *e = raft__log_at(l, first);
    if (bytes_max == SIZE_MAX && n_max == SIZE_MAX) {
        *n = (size_t)((last < l->last ? last : l->last) - first + 1);
        return e;
    }
    size_t bytes = 0;
    while (*n < n_max && first + *n <= last && first + *n <= l->last) {
        size_t len = e[*n].len;
        if (*n > 0 && (len > bytes_max || bytes > bytes_max - len)) {
            break;
        }
        bytes += len;
        ++*n;
    }
    return e;
}
