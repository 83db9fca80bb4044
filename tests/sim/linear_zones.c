/* linear_zones.c - histories in which no value is written twice, decided by sorting.
 *
 * Who read what is then known. The operations that see one value follow each other without a gap in
 * every order (a block: its writer, then its readers), and a compare-and-set ties its block to the
 * one whose value it expected (a chain of blocks). Let f be the first return of a chain, and s its
 * last call: chain C must come before D if f(C) < s(D). Gibbons and Korach (Testing shared
 * memories, 1997) showed for blocks that it is enough to look for two that must both come first,
 * which holds for chains by the same argument. With f < s a chain occupies [f, s], its zone: two
 * zones may not meet, and no chain with s < f may have [s, f] inside a zone.
 *
 * Failed compare-and-sets do not change anything; they are put into the order that was found, if
 * need be together with a write of which nobody knows whether it happened. */
#include "linear.h"

#include <stdbool.h>
#include <stdlib.h>

#define NOBODY SIZE_MAX

struct block {
    uint64_t value;
    uint64_t call, ret; /* of its writer */
    uint64_t expected;  /* by its writer */
    bool is_cas;
    bool happened;                 /* somebody knows of it */
    bool is_expected;              /* by a compare-and-set that failed */
    uint64_t first_ret, last_call; /* of its readers */
    size_t before, after;          /* in its chain */
};

struct chain {
    size_t head;
    uint64_t first_ret, last_call;
    uint64_t at; /* twice a moment, or one more: chains in this order are a witness */
};

/* A block in the witness. Others may come between it and the next from gap on, if that is a moment
 * before the next one's begin. */
struct turn {
    uint64_t begin, gap;
    uint64_t value;
};

struct zones {
    const struct linear_op *ops;
    size_t n;
    struct block *blocks; /* by value; the first is the register's first value */
    size_t n_blocks;
    struct chain *chains;
    size_t n_chains;
    struct turn *turns; /* the witness */
    size_t n_turns;
};

static void *room(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p) {
        abort();
    }
    return p;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_value(const void *a, const void *b)
{
    return order(((const struct block *)a)->value, ((const struct block *)b)->value);
}

static int by_place(const void *a, const void *b)
{
    const struct chain *c = a, *d = b;
    return c->at == d->at ? order(c->head, d->head) : order(c->at, d->at);
}

static bool is_known(const struct linear_op *op)
{
    return op->ret != LINEAR_UNKNOWN;
}

/* False if a value is written twice. */
static bool make_blocks(struct zones *z)
{
    z->blocks[z->n_blocks++] = (struct block){.happened = true};
    for (size_t i = 0; i < z->n; i++) {
        const struct linear_op *op = &z->ops[i];
        if (op->kind == LINEAR_WRITE || op->kind == LINEAR_CAS) {
            z->blocks[z->n_blocks++] = (struct block){.value = op->value,
                                                      .call = op->call,
                                                      .ret = op->ret,
                                                      .expected = op->expected,
                                                      .is_cas = op->kind == LINEAR_CAS,
                                                      .happened = is_known(op)};
        }
    }
    qsort(z->blocks, z->n_blocks, sizeof *z->blocks, by_value);
    for (size_t i = 0; i < z->n_blocks; i++) {
        z->blocks[i].first_ret = LINEAR_UNKNOWN;
        z->blocks[i].before = z->blocks[i].after = NOBODY;
        if (i > 0 && z->blocks[i].value == z->blocks[i - 1].value) {
            return false;
        }
    }
    return true;
}

static size_t find_block(const struct zones *z, uint64_t value)
{
    struct block key = {.value = value};
    const struct block *b = bsearch(&key, z->blocks, z->n_blocks, sizeof key, by_value);
    return b ? (size_t)(b - z->blocks) : NOBODY;
}

/* False if something was read that nobody wrote. */
static bool add_readers(struct zones *z)
{
    for (size_t i = 0; i < z->n; i++) {
        const struct linear_op *op = &z->ops[i];
        if (op->kind != LINEAR_READ || !is_known(op)) {
            continue;
        }
        size_t at = find_block(z, op->value);
        if (at == NOBODY) {
            return false;
        }
        struct block *b = &z->blocks[at];
        b->happened = true;
        b->first_ret = op->ret < b->first_ret ? op->ret : b->first_ret;
        b->last_call = larger(b->last_call, op->call);
    }
    return true;
}

/* Ties block i to the one that its writer expected, and that one to what came before it, if it is
 * known only by this that it happened. */
static bool link_back(struct zones *z, size_t i)
{
    while (z->blocks[i].is_cas && z->blocks[i].before == NOBODY) {
        size_t before = find_block(z, z->blocks[i].expected);
        if (before == NOBODY || z->blocks[before].after != NOBODY) {
            return false;
        }
        z->blocks[before].after = i;
        z->blocks[i].before = before;
        if (z->blocks[before].happened) {
            break;
        }
        z->blocks[before].happened = true;
        i = before;
    }
    return true;
}

static bool link_chains(struct zones *z)
{
    for (size_t i = 0; i < z->n_blocks; i++) {
        if (z->blocks[i].happened && !link_back(z, i)) {
            return false;
        }
    }
    return true;
}

/* False if an operation returned before one was called that comes earlier in the chain. */
static bool measure_chain(const struct zones *z, struct chain *c)
{
    c->first_ret = LINEAR_UNKNOWN;
    c->last_call = 0;
    for (size_t i = c->head; i != NOBODY; i = z->blocks[i].after) {
        const struct block *b = &z->blocks[i];
        uint64_t call = larger(c->last_call, b->call);
        if (b->ret < c->last_call || b->first_ret < call) {
            return false;
        }
        c->last_call = larger(call, b->last_call);
        c->first_ret = b->ret < c->first_ret ? b->ret : c->first_ret;
        c->first_ret = b->first_ret < c->first_ret ? b->first_ret : c->first_ret;
    }
    return true;
}

static bool make_chains(struct zones *z)
{
    size_t left = 0;
    for (size_t i = 0; i < z->n_blocks; i++) {
        const struct block *b = &z->blocks[i];
        left += b->happened;
        if (b->happened && b->before == NOBODY) {
            struct chain *c = &z->chains[z->n_chains++];
            c->head = i;
            if (!measure_chain(z, c)) {
                return false;
            }
            for (size_t k = i; k != NOBODY; k = z->blocks[k].after) {
                left--;
            }
        }
    }
    return left == 0; /* else some are tied in a ring */
}

static bool is_zone(const struct chain *c)
{
    return c->first_ret < c->last_call;
}

/* Zones first, by their begin; gives how many. False if two meet. */
static bool sort_zones(struct zones *z, size_t *n_zones)
{
    size_t n = 0;
    for (size_t i = 0; i < z->n_chains; i++) {
        if (is_zone(&z->chains[i])) {
            struct chain zone = z->chains[i];
            z->chains[i] = z->chains[n];
            zone.at = 2 * zone.first_ret;
            z->chains[n++] = zone;
        }
    }
    qsort(z->chains, n, sizeof *z->chains, by_place);
    for (size_t i = 1; i < n; i++) {
        if (z->chains[i].first_ret < z->chains[i - 1].last_call) {
            return false;
        }
    }
    *n_zones = n;
    return true;
}

/* The last zone that begins before moment; NULL if none does. */
static const struct chain *zone_before(const struct chain *zones, size_t n, uint64_t moment)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (zones[mid].first_ret < moment) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo ? &zones[lo - 1] : NULL;
}

/* The others have a moment outside of all zones, or there is no order. */
static bool place_chains(struct zones *z)
{
    size_t n = 0;
    if (!sort_zones(z, &n)) {
        return false;
    }
    for (size_t i = n; i < z->n_chains; i++) {
        struct chain *c = &z->chains[i];
        const struct chain *zone = zone_before(z->chains, n, c->last_call);
        c->at = 2 * c->last_call;
        if (zone && c->last_call < zone->last_call) {
            if (c->first_ret < zone->last_call) {
                return false;
            }
            c->at = 2 * zone->last_call + 1;
        }
    }
    qsort(z->chains, z->n_chains, sizeof *z->chains, by_place);
    return true;
}

/* Each operation as early as it can be in that order. */
static void make_witness(struct zones *z)
{
    uint64_t now = 0;
    for (size_t i = 0; i < z->n_chains; i++) {
        for (size_t k = z->chains[i].head; k != NOBODY; k = z->blocks[k].after) {
            const struct block *b = &z->blocks[k];
            struct turn *t = &z->turns[z->n_turns++];
            *t = (struct turn){.begin = larger(now, b->call), .value = b->value};
            now = larger(t->begin, b->last_call);
            t->gap = b->after == NOBODY ? now : LINEAR_UNKNOWN;
        }
    }
}

static uint64_t end_of(const struct zones *z, size_t turn)
{
    return turn + 1 < z->n_turns ? z->turns[turn + 1].begin : LINEAR_UNKNOWN;
}

/* The turn that is under way when moment comes. */
static size_t turn_at(const struct zones *z, uint64_t moment)
{
    size_t lo = 0, hi = z->n_turns;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (z->turns[mid].begin < moment) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Did the register hold another value than the expected one at some moment of the operation? */
static bool may_fail(const struct zones *z, const struct linear_op *op)
{
    for (size_t i = turn_at(z, op->call); i < z->n_turns && z->turns[i].begin <= op->ret; i++) {
        if (z->turns[i].value != op->expected) {
            return true;
        }
    }
    return false;
}

/* A write that nobody knows of, called at the latest at that moment, can be put there, once, if no
 * compare-and-set expects its value. */
static bool take_unknown_write(struct zones *z, uint64_t moment)
{
    for (size_t i = 0; i < z->n_blocks; i++) {
        struct block *b = &z->blocks[i];
        if (!b->happened && !b->is_cas && !b->is_expected && b->call <= moment) {
            b->happened = true;
            return true;
        }
    }
    return false;
}

static bool may_fail_by_unknown_write(struct zones *z, const struct linear_op *op)
{
    for (size_t i = turn_at(z, op->call); i < z->n_turns && z->turns[i].begin <= op->ret; i++) {
        uint64_t from = larger(z->turns[i].gap, op->call), end = end_of(z, i);
        uint64_t until = end < op->ret ? end : op->ret;
        if (from <= until && take_unknown_write(z, until)) {
            return true;
        }
    }
    return false;
}

static bool place_failures(struct zones *z)
{
    make_witness(z);
    for (size_t i = 0; i < z->n; i++) {
        size_t at =
            z->ops[i].kind == LINEAR_CAS_FAILED ? find_block(z, z->ops[i].expected) : NOBODY;
        if (at != NOBODY) {
            z->blocks[at].is_expected = true;
        }
    }
    for (size_t i = 0; i < z->n; i++) {
        const struct linear_op *op = &z->ops[i];
        if (op->kind == LINEAR_CAS_FAILED && is_known(op) && !may_fail(z, op) &&
            !may_fail_by_unknown_write(z, op)) {
            return false;
        }
    }
    return true;
}

static enum linear_verdict decide(struct zones *z)
{
    if (!make_blocks(z)) {
        return LINEAR_UNDECIDED;
    }
    if (!add_readers(z) || !link_chains(z) || !make_chains(z) || !place_chains(z)) {
        return LINEAR_NO;
    }
    return place_failures(z) ? LINEAR_YES : LINEAR_UNDECIDED;
}

enum linear_verdict linear_zones(const struct linear_op *ops, size_t n)
{
    struct zones z = {.ops = ops, .n = n};
    z.blocks = room(n + 1, sizeof *z.blocks);
    z.chains = room(n + 1, sizeof *z.chains);
    z.turns = room(n + 1, sizeof *z.turns);
    enum linear_verdict verdict = decide(&z);
    free(z.blocks);
    free(z.chains);
    free(z.turns);
    return verdict;
}
