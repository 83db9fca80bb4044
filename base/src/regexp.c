#include "regexp.h"

#include "regexp_internal.h"
#include "utf8.h"

#include <string.h>

uint32_t mu__regexp_rune(const char *p, size_t len, size_t *used)
{
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t n = mu__utf8_length((const unsigned char *)p, len);
    *used = n ? n : 1;
    if (n == 0) {
        return 0xfffd;
    }
    uint32_t r = (unsigned char)p[0] & mask[n];
    for (size_t i = 1; i < n; i++) {
        r = r << 6 | ((unsigned char)p[i] & 0x3f);
    }
    return r;
}

static uint32_t swap_case(uint32_t r) /* ASCII, as names and states are */
{
    return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') ? r ^ 0x20u : r;
}

static bool in_ranges(const struct regex_class *c, uint32_t r)
{
    for (size_t i = 0; i < c->len; i++) {
        if (r >= c->ranges[i].lo && r <= c->ranges[i].hi) {
            return true;
        }
    }
    return false;
}

bool mu__regexp_takes(const struct regex_inst *in, uint32_t r)
{
    if (in->op == RE_RANGE) {
        return r >= in->range.lo && r <= in->range.hi;
    }
    const struct regex_class *c = in->class;
    return (in_ranges(c, r) || (c->fold && in_ranges(c, swap_case(r)))) != c->negated;
}

static bool is_word(struct mu_str text, size_t i)
{
    unsigned char c = i < text.len ? (unsigned char)text.p[i] : 0;
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool mu__regexp_holds(enum regex_op op, struct mu_str text, size_t at)
{
    bool before = at > 0 && is_word(text, at - 1), after = is_word(text, at);
    switch (op) {
    case RE_TEXT_BEGIN:
        return at == 0;
    case RE_TEXT_END:
        return at == text.len;
    case RE_LINE_BEGIN:
        return at == 0 || text.p[at - 1] == '\n';
    case RE_LINE_END:
        return at == text.len || text.p[at] == '\n';
    case RE_WORD:
        return before != after;
    case RE_NOT_WORD:
        return before == after;
    default:
        return false;
    }
}

/* Adds a state and all that it leads to without taking a rune. True when a match is among them. */
static bool add(struct mu__regexp *re, uint16_t *list, size_t *len, uint16_t first,
                struct mu_str text, size_t at)
{
    size_t depth = 0;
    re->stack[depth++] = first;
    while (depth > 0) {
        uint16_t pc = re->stack[--depth];
        if (re->seen[pc] == (uint32_t)at + 1) {
            continue; /* marked when pushed twice: each instruction is followed once per place */
        }
        re->seen[pc] = (uint32_t)at + 1;
        const struct regex_inst *in = &re->prog[pc];
        switch (in->op) {
        case RE_MATCH:
            return true;
        case RE_SPLIT:
            re->stack[depth++] = (uint16_t)(pc + in->y);
            re->stack[depth++] = (uint16_t)(pc + in->x);
            break;
        case RE_JUMP:
            re->stack[depth++] = (uint16_t)(pc + in->x);
            break;
        case RE_SAVE:
            re->stack[depth++] = (uint16_t)(pc + 1);
            break;
        case RE_RANGE:
        case RE_CLASS:
            list[(*len)++] = pc;
            break;
        default:
            if (mu__regexp_holds(in->op, text, at)) {
                re->stack[depth++] = (uint16_t)(pc + 1);
            }
        }
    }
    return false;
}

bool mu__regexp_matches(struct mu__regexp *re, struct mu_str text)
{
    uint16_t *now = re->now, *next = re->next;
    size_t n = 0, used = 1;
    memset(re->seen, 0, re->len * sizeof *re->seen);
    if (text.len >= UINT32_MAX) {
        return false;
    }
    for (size_t at = 0;; at += used) {
        if (add(re, now, &n, 0, text, at)) { /* a match may begin anywhere */
            return true;
        }
        if (at >= text.len) {
            return false;
        }
        uint32_t r = mu__regexp_rune(text.p + at, text.len - at, &used);
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            if (mu__regexp_takes(&re->prog[now[i]], r) &&
                add(re, next, &m, (uint16_t)(now[i] + 1), text, at + used)) {
                return true;
            }
        }
        uint16_t *swap = now;
        now = next;
        next = swap;
        n = m;
    }
}

struct mu__regexp *mu__regexp_compile(struct mu_str pattern, struct mu__arena *a, char *err,
                                      size_t errlen)
{
    struct mu__regexp *re = mu__arena_calloc(a, 1, sizeof *re);
    if (!re || !mu__regexp_parse(pattern, a, re, err, errlen)) {
        return NULL;
    }
    re->now = mu__arena_calloc(a, re->len, sizeof *re->now);
    re->next = mu__arena_calloc(a, re->len, sizeof *re->next);
    re->stack = mu__arena_calloc(a, 2 * re->len + 2, sizeof *re->stack);
    re->seen = mu__arena_calloc(a, re->len, sizeof *re->seen);
    return re->now && re->next && re->stack && re->seen ? re : NULL;
}
