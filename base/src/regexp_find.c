/* regexp_find.c - which match, and where its groups are: the states of the automaton in order of
 * preference, each with the places that it has passed (Pike's machine; Cox 2009, "Regular
 * Expression Matching: the Virtual Machine Approach"). */
#include "regexp_internal.h"

#include <string.h>

#define NOWHERE UINT32_MAX

struct threads {
    uint16_t *pc; /* in order of preference */
    uint32_t *places;
    size_t len;
};

struct todo { /* a state to be followed, or a place to be put back behind those */
    uint16_t pc;
    uint32_t slot, place; /* slot NOWHERE: a state */
};

struct finder {
    const struct mu__regexp *re;
    struct mu_str text;
    size_t slots; /* of one thread */
    struct threads now, next;
    struct todo *todo;
    uint32_t *seen;   /* by instruction: the place at which it was added last, plus one */
    uint32_t *places; /* of the thread that is followed */
};

static bool init(struct finder *f, struct mu__arena *a)
{
    size_t len = f->re->len;
    f->now.pc = mu__arena_calloc(a, len, sizeof *f->now.pc);
    f->next.pc = mu__arena_calloc(a, len, sizeof *f->next.pc);
    f->now.places = mu__arena_calloc(a, len * f->slots, sizeof *f->now.places);
    f->next.places = mu__arena_calloc(a, len * f->slots, sizeof *f->next.places);
    f->todo = mu__arena_calloc(a, 3 * len + 2, sizeof *f->todo);
    f->seen = mu__arena_calloc(a, len, sizeof *f->seen);
    f->places = mu__arena_calloc(a, f->slots, sizeof *f->places);
    return f->now.pc && f->next.pc && f->now.places && f->next.places && f->todo && f->seen &&
           f->places;
}

/* Adds the state and all that it leads to without taking a rune, what is preferred first. */
static void follow(struct finder *f, struct threads *list, uint16_t first, uint32_t at)
{
    size_t n = 0;
    f->todo[n++] = (struct todo){first, NOWHERE, 0};
    while (n > 0) {
        struct todo t = f->todo[--n];
        const struct regex_inst *in = &f->re->prog[t.pc];
        if (t.slot != NOWHERE) {
            f->places[t.slot] = t.place;
            continue;
        }
        if (f->seen[t.pc] == at + 1) {
            continue;
        }
        f->seen[t.pc] = at + 1;
        switch (in->op) {
        case RE_SPLIT:
            f->todo[n++] = (struct todo){(uint16_t)(t.pc + in->y), NOWHERE, 0};
            f->todo[n++] = (struct todo){(uint16_t)(t.pc + in->x), NOWHERE, 0};
            break;
        case RE_JUMP:
            f->todo[n++] = (struct todo){(uint16_t)(t.pc + in->x), NOWHERE, 0};
            break;
        case RE_SAVE:
            if ((size_t)in->x < f->slots) {
                f->todo[n++] = (struct todo){t.pc, (uint32_t)in->x, f->places[in->x]};
                f->places[in->x] = at;
            }
            f->todo[n++] = (struct todo){(uint16_t)(t.pc + 1), NOWHERE, 0};
            break;
        case RE_RANGE:
        case RE_CLASS:
        case RE_MATCH:
            memcpy(list->places + list->len * f->slots, f->places, f->slots * sizeof *f->places);
            list->pc[list->len++] = t.pc;
            break;
        default:
            if (mu__regexp_holds(in->op, f->text, at)) {
                f->todo[n++] = (struct todo){(uint16_t)(t.pc + 1), NOWHERE, 0};
            }
        }
    }
}

/* A match may begin here: it is preferred to what begins later, not to what has begun. */
static void begin(struct finder *f, uint32_t at)
{
    memset(f->places, 0xff, f->slots * sizeof *f->places);
    f->places[0] = at;
    follow(f, &f->now, 0, at);
}

/* One step of all threads. What is less preferred than a match is dropped. */
static bool step(struct finder *f, uint32_t at, size_t *used, uint32_t *found)
{
    uint32_t rune = 0;
    bool is_end = at >= f->text.len;
    *used = 1;
    if (!is_end) {
        rune = mu__regexp_rune(f->text.p + at, f->text.len - at, used);
    }
    for (size_t i = 0; i < f->now.len; i++) {
        uint16_t pc = f->now.pc[i];
        const uint32_t *places = f->now.places + i * f->slots;
        if (f->re->prog[pc].op == RE_MATCH) {
            memcpy(found, places, f->slots * sizeof *found);
            found[1] = at;
            return true;
        }
        if (!is_end && mu__regexp_takes(&f->re->prog[pc], rune)) {
            memcpy(f->places, places, f->slots * sizeof *places);
            follow(f, &f->next, (uint16_t)(pc + 1), at + (uint32_t)*used);
        }
    }
    return false;
}

bool mu__regexp_find(struct mu__regexp *re, struct mu_str text, struct mu__arena *a,
                     struct mu_str *groups, size_t *n)
{
    uint32_t found[2 * MU_REGEXP_GROUPS_MAX];
    *n = mu__min(re->groups + 1, MU_REGEXP_GROUPS_MAX);
    struct finder f = {.re = re, .text = text, .slots = 2 * *n};
    if (text.len >= UINT32_MAX - 1 || !init(&f, a)) {
        return false;
    }
    bool matched = false;
    for (size_t at = 0, used; at <= text.len; at += used) {
        if (!matched) {
            begin(&f, (uint32_t)at);
        }
        matched |= step(&f, (uint32_t)at, &used, found);
        if (matched && f.next.len == 0) {
            break;
        }
        struct threads swap = f.now;
        f.now = f.next;
        f.next = swap;
        f.next.len = 0;
    }
    for (size_t i = 0; matched && i < *n; i++) {
        bool took_part = found[2 * i] != NOWHERE && found[2 * i + 1] != NOWHERE;
        groups[i] = took_part
                        ? (struct mu_str){text.p + found[2 * i], found[2 * i + 1] - found[2 * i]}
                        : (struct mu_str){NULL, 0};
    }
    return matched;
}
