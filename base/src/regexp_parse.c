/* regexp_parse.c - RE2 syntax to a program. Targets are relative, so a piece of program may be
 * moved as it is. */
#include "regexp_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEST_MAX   50u
#define REPEAT_MAX 1000
#define ATOMS_MAX  20000u /* a repetition of nothing makes no program, but takes time to read */

enum { FLAG_FOLD = 1, FLAG_DOT_ALL = 2, FLAG_LINES = 4, FLAG_UNGREEDY = 8 };

struct parser {
    struct mu_str s;
    size_t pos;
    unsigned flags, depth;
    unsigned atoms; /* read so far, copies included */
    int groups;     /* that capture, begun so far */
    struct mu__arena *arena;
    struct mu__regexp *re;
    char *err;
    size_t errlen;
};

static bool alternatives(struct parser *p);

static bool fail(struct parser *p, const char *what, size_t from, size_t to)
{
    snprintf(p->err, p->errlen, "%s: `%.*s`", what, (int)mu__min(to - from, 64), p->s.p + from);
    return false;
}

static bool at_end(const struct parser *p)
{
    return p->pos >= p->s.len;
}

static char peek(const struct parser *p)
{
    return (char)(at_end(p) ? 0 : p->s.p[p->pos]);
}

static bool looking_at(const struct parser *p, const char *text)
{
    size_t n = strlen(text);
    return p->s.len - p->pos >= n && memcmp(p->s.p + p->pos, text, n) == 0;
}

/* Room for one instruction at `at`; what stands from there on moves up. */
static struct regex_inst *insert(struct parser *p, size_t at)
{
    struct mu__regexp *re = p->re;
    if (re->len >= MU_REGEXP_PROGRAM_MAX) {
        snprintf(p->err, p->errlen, "expression too large");
        return NULL;
    }
    memmove(re->prog + at + 1, re->prog + at, (re->len - at) * sizeof *re->prog);
    re->len++;
    re->prog[at] = (struct regex_inst){.op = RE_JUMP, .x = 1};
    return &re->prog[at];
}

static bool emit(struct parser *p, struct regex_inst in)
{
    struct regex_inst *at = insert(p, p->re->len);
    if (at) {
        *at = in;
    }
    return at != NULL;
}

/* ---- Classes ---- */

static bool add_range(struct parser *p, struct regex_class *c, uint32_t lo, uint32_t hi)
{
    if (c->len == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 8;
        struct regex_range *more = mu__arena_calloc(p->arena, cap, sizeof *more);
        if (!more) {
            return fail(p, "out of memory", 0, 0);
        }
        if (c->len) {
            memcpy(more, c->ranges, c->len * sizeof *more);
        }
        c->ranges = more;
        c->cap = cap;
    }
    c->ranges[c->len++] = (struct regex_range){lo, hi};
    return true;
}

/* Adds a set given as pairs of bounds, or what is outside of it. */
static bool add_set(struct parser *p, struct regex_class *c, const char *pairs, bool negated)
{
    uint32_t from = 0;
    for (; *pairs; pairs += 2) {
        uint32_t lo = (unsigned char)pairs[0], hi = (unsigned char)pairs[1];
        if (!negated && !add_range(p, c, lo, hi)) {
            return false;
        }
        if (negated && lo > from && !add_range(p, c, from, lo - 1)) {
            return false;
        }
        from = hi + 1;
    }
    return !negated || add_range(p, c, from, RUNE_MAX);
}

/* \d \w \s and their opposites. *known is false, and nothing read, when another letter follows. */
static bool perl_class(struct parser *p, struct regex_class *c, bool *known)
{
    static const struct {
        char letter;
        const char *pairs; /* in ascending order */
    } sets[] = {{'d', "09"}, {'w', "09AZ__az"}, {'s', "\t\n\f\r  "}};
    char letter = (char)(p->pos + 1 < p->s.len ? p->s.p[p->pos + 1] : 0);
    *known = false;
    for (size_t i = 0; i < 3 && peek(p) == '\\'; i++) {
        if ((letter | 0x20) == sets[i].letter) {
            *known = true;
            p->pos += 2;
            return add_set(p, c, sets[i].pairs, letter < 'a');
        }
    }
    return true;
}

/* [:alpha:] and the like, inside brackets. */
static bool posix_class(struct parser *p, struct regex_class *c, bool *known)
{
    static const struct {
        const char *name, *pairs;
    } sets[] = {{"alnum", "09AZaz"},   {"alpha", "AZaz"},
                {"digit", "09"},       {"lower", "az"},
                {"upper", "AZ"},       {"space", "\t\r  "},
                {"word", "09AZ__az"},  {"xdigit", "09AFaf"},
                {"punct", "!/:@[`{~"}, {"print", " ~"},
                {"graph", "!~"},       {"blank", "\t\t  "},
                {"ascii", "\x01\x7f"}, {"cntrl", "\x01\x1f\x7f\x7f"}};
    *known = looking_at(p, "[:");
    if (!*known) {
        return true;
    }
    size_t start = p->pos;
    p->pos += 2;
    bool negated = peek(p) == '^';
    p->pos += negated;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        char with_end[16];
        snprintf(with_end, sizeof with_end, "%s:]", sets[i].name);
        if (looking_at(p, with_end)) {
            p->pos += strlen(with_end);
            return add_set(p, c, sets[i].pairs, negated);
        }
    }
    return fail(p, "invalid character class range", start, p->s.len);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* \xHH or \x{H..}: p->pos is behind the x. */
static bool hex_escape(struct parser *p, uint32_t *r)
{
    bool braced = peek(p) == '{';
    size_t digits = 0;
    *r = 0;
    for (p->pos += braced; digits < (braced ? 8u : 2u) && hex_digit(peek(p)) >= 0 && *r <= RUNE_MAX;
         digits++, p->pos++) {
        *r = *r << 4 | (uint32_t)hex_digit(peek(p));
    }
    bool ok = braced ? digits > 0 && peek(p) == '}' && *r <= RUNE_MAX : digits == 2;
    p->pos += ok && braced;
    return ok;
}

/* One character, perhaps escaped. */
static bool character(struct parser *p, uint32_t *r)
{
    size_t used, start = p->pos;
    if (peek(p) != '\\') {
        *r = mu__regexp_rune(p->s.p + p->pos, p->s.len - p->pos, &used);
        p->pos += used;
        return true;
    }
    if (++p->pos >= p->s.len) {
        return fail(p, "trailing backslash at end of expression", p->pos, p->pos);
    }
    static const char names[] = "aftnrv", values[] = "\a\f\t\n\r\v";
    char c = p->s.p[p->pos++];
    const char *named = strchr(names, c);
    if (c == 'x') {
        return hex_escape(p, r) || fail(p, "invalid escape sequence", start, p->pos);
    }
    if (named && c) {
        *r = (unsigned char)values[named - names];
        return true;
    }
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  (unsigned char)c >= 0x80;
    *r = (unsigned char)c;
    return !letter || fail(p, "invalid escape sequence", start, p->pos);
}

static bool class_member(struct parser *p, struct regex_class *c)
{
    bool known;
    size_t start = p->pos;
    if (!perl_class(p, c, &known) || (!known && !posix_class(p, c, &known))) {
        return false;
    }
    uint32_t lo, hi;
    if (known) {
        return true;
    }
    if (!character(p, &lo)) {
        return false;
    }
    hi = lo;
    if (peek(p) == '-' && p->pos + 1 < p->s.len && p->s.p[p->pos + 1] != ']') {
        p->pos++;
        if (!character(p, &hi)) {
            return false;
        }
    }
    return hi < lo ? fail(p, "invalid character class range", start, p->pos)
                   : add_range(p, c, lo, hi);
}

static struct regex_class *new_class(struct parser *p)
{
    struct regex_class *c = mu__arena_calloc(p->arena, 1, sizeof *c);
    if (c) {
        c->fold = p->flags & FLAG_FOLD;
    } else {
        fail(p, "out of memory", 0, 0);
    }
    return c;
}

static bool brackets(struct parser *p)
{
    struct regex_class *c = new_class(p);
    size_t start = p->pos++;
    if (!c) {
        return false;
    }
    c->negated = peek(p) == '^';
    p->pos += c->negated;
    for (bool first = true; first || peek(p) != ']';
         first = false) { /* a ] that comes first is a member */
        if (at_end(p)) {
            return fail(p, "missing closing ]", start, p->s.len);
        }
        if (!class_member(p, c)) {
            return false;
        }
    }
    p->pos++;
    return emit(p, (struct regex_inst){.op = RE_CLASS, .class = c});
}

/* ---- Atoms ---- */

static bool literal(struct parser *p)
{
    uint32_t r;
    if (!character(p, &r)) {
        return false;
    }
    if (!(p->flags & FLAG_FOLD)) {
        return emit(p, (struct regex_inst){.op = RE_RANGE, .range = {r, r}});
    }
    struct regex_class *c = new_class(p);
    return c && add_range(p, c, r, r) && emit(p, (struct regex_inst){.op = RE_CLASS, .class = c});
}

static bool dot(struct parser *p)
{
    p->pos++;
    struct regex_class *c = new_class(p);
    if (!c || (!(p->flags & FLAG_DOT_ALL) && !add_range(p, c, '\n', '\n'))) {
        return false;
    }
    c->negated = true;
    return emit(p, (struct regex_inst){.op = RE_CLASS, .class = c});
}

/* \b \B \A \z, or a class, or an escaped character. */
static bool backslash(struct parser *p)
{
    static const struct {
        const char *text;
        enum regex_op op;
    } places[] = {
        {"\\b", RE_WORD}, {"\\B", RE_NOT_WORD}, {"\\A", RE_TEXT_BEGIN}, {"\\z", RE_TEXT_END}};
    for (size_t i = 0; i < 4; i++) {
        if (looking_at(p, places[i].text)) {
            p->pos += 2;
            return emit(p, (struct regex_inst){.op = places[i].op});
        }
    }
    bool known;
    struct regex_class *c = new_class(p);
    if (!c || !perl_class(p, c, &known)) {
        return false;
    }
    return known ? emit(p, (struct regex_inst){.op = RE_CLASS, .class = c}) : literal(p);
}

/* (?flags) or (?flags: or (?P<name>, behind the "(?". *group is false when it was flags alone. */
static bool group_head(struct parser *p, bool *group, bool *captures)
{
    size_t start = p->pos - 2;
    *group = true;
    *captures = looking_at(p, "P<");
    if (looking_at(p, "P<")) {
        const char *end = memchr(p->s.p + p->pos, '>', p->s.len - p->pos);
        if (!end) {
            return fail(p, "invalid named capture", start, p->s.len);
        }
        p->pos = (size_t)(end - p->s.p) + 1;
        return true;
    }
    unsigned flags = p->flags;
    bool off = false;
    for (; !at_end(p); p->pos++) {
        char c = peek(p);
        unsigned bit = c == 'i'   ? FLAG_FOLD
                       : c == 's' ? FLAG_DOT_ALL
                       : c == 'm' ? FLAG_LINES
                       : c == 'U' ? FLAG_UNGREEDY
                                  : 0;
        if (c == ':' || c == ')') {
            p->flags = flags;
            p->pos++;
            *group = c == ':';
            return true;
        }
        if (c == '-' && !off) {
            off = true;
        } else if (bit) {
            flags = off ? flags & ~bit : flags | bit;
        } else {
            break;
        }
    }
    return fail(p, "invalid or unsupported Perl syntax", start, mu__min(p->pos + 1, p->s.len));
}

static bool group(struct parser *p)
{
    p->pos++;
    unsigned flags = p->flags;
    bool captures = true;
    if (looking_at(p, "?")) {
        bool is_group;
        p->pos++;
        if (!group_head(p, &is_group, &captures)) {
            return false;
        }
        if (!is_group) {
            return true; /* the flags hold until the end of the group around them */
        }
    }
    if (++p->depth > NEST_MAX) {
        snprintf(p->err, p->errlen, "expression nests too deeply");
        return false;
    }
    int number = captures ? ++p->groups : 0;
    if ((captures && !emit(p, (struct regex_inst){.op = RE_SAVE, .x = 2 * number})) ||
        !alternatives(p)) {
        return false;
    }
    p->depth--;
    p->flags = flags;
    if (peek(p) != ')') {
        return fail(p, "missing closing )", 0, p->s.len);
    }
    p->pos++;
    return !captures || emit(p, (struct regex_inst){.op = RE_SAVE, .x = 2 * number + 1});
}

static bool atom(struct parser *p)
{
    bool lines = p->flags & FLAG_LINES;
    if (++p->atoms > ATOMS_MAX) {
        snprintf(p->err, p->errlen, "expression too large");
        return false;
    }
    switch (peek(p)) {
    case '(':
        return group(p);
    case '[':
        return brackets(p);
    case '.':
        return dot(p);
    case '\\':
        return backslash(p);
    case '^':
        p->pos++;
        return emit(p, (struct regex_inst){.op = lines ? RE_LINE_BEGIN : RE_TEXT_BEGIN});
    case '$':
        p->pos++;
        return emit(p, (struct regex_inst){.op = lines ? RE_LINE_END : RE_TEXT_END});
    case '*':
    case '+':
    case '?':
        return fail(p, "missing argument to repetition operator", p->pos, p->pos + 1);
    default:
        return literal(p);
    }
}

/* ---- Repetition ---- */

/* A count at *i, which moves behind it; -1 when there is none, REPEAT_MAX + 1 when it is too
 * large. */
static int count(const struct parser *p, size_t *i)
{
    int n = -1;
    for (; *i < p->s.len && p->s.p[*i] >= '0' && p->s.p[*i] <= '9'; ++*i) {
        n = (n < 0 ? 0 : n) * 10 + (p->s.p[*i] - '0');
        n = n > REPEAT_MAX ? REPEAT_MAX + 1 : n;
    }
    return n;
}

/* {n}, {n,} or {n,m}; max -1: no end. Anything else after a brace is literal text. */
static bool braces(struct parser *p, int *min, int *max)
{
    size_t i = p->pos + 1;
    *min = *max = count(p, &i);
    if (*min >= 0 && i < p->s.len && p->s.p[i] == ',') {
        i++;
        *max = count(p, &i);
    }
    if (*min < 0 || i >= p->s.len || p->s.p[i] != '}') {
        return false;
    }
    p->pos = i + 1;
    return true;
}

static bool suffix(struct parser *p, int *min, int *max)
{
    char c = peek(p);
    *min = c == '+';
    *max = c == '?' ? 1 : -1;
    if (c == '*' || c == '+' || c == '?') {
        p->pos++;
        return true;
    }
    return c == '{' && braces(p, min, max);
}

/* Makes what stands from `at` on optional, or repeatable. */
static bool wrap(struct parser *p, size_t at, bool loop, bool lazy)
{
    int len = (int)(p->re->len - at);
    struct regex_inst *split = insert(p, at);
    if (!split) {
        return false;
    }
    int past = len + 1 + loop;
    *split = (struct regex_inst){.op = RE_SPLIT, .x = lazy ? past : 1, .y = lazy ? 1 : past};
    return !loop || emit(p, (struct regex_inst){.op = RE_JUMP, .x = -(len + 1)});
}

/* An atom that is repeated: where it stands, and what it began with. */
struct operand {
    size_t from, at; /* in the text, and in the program */
    unsigned flags;
    int groups;
    bool lazy;
};

/* The atom again, once more into the program; its groups are the same. */
static bool again(struct parser *p, const struct operand *o)
{
    struct parser after = *p;
    p->pos = o->from;
    p->flags = o->flags;
    p->groups = o->groups;
    bool ok = atom(p);
    p->pos = after.pos;
    p->flags = after.flags;
    p->groups = after.groups;
    return ok;
}

/* x{min,max} is written out: min copies, then optional ones, or a way back into the last. */
static bool repeat(struct parser *p, const struct operand *o, int min, int max)
{
    int copies = max >= 0 ? max : min > 0 ? min : 1;
    if (copies == 0) {
        p->re->len = o->at;
    }
    for (int i = 0; i < copies; i++) {
        size_t copy = i == 0 ? o->at : p->re->len;
        if (i > 0 && !again(p, o)) {
            return false;
        }
        bool loop = max < 0 && i == copies - 1;
        int back = -(int)(p->re->len - copy);
        struct regex_inst split = {
            .op = RE_SPLIT, .x = o->lazy ? 1 : back, .y = o->lazy ? back : 1};
        if (loop && min > 0 && !emit(p, split)) {
            return false;
        }
        if (i >= min && !wrap(p, copy, loop, o->lazy)) {
            return false;
        }
    }
    return true;
}

static bool repeated(struct parser *p)
{
    struct operand o = {p->pos, p->re->len, p->flags, p->groups, false};
    int min, max;
    if (!atom(p)) {
        return false;
    }
    size_t op = p->pos;
    if (!suffix(p, &min, &max)) {
        return true;
    }
    if (min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && min > max)) {
        return fail(p, "invalid repeat count", op, p->pos);
    }
    o.lazy = p->flags & FLAG_UNGREEDY;
    if (peek(p) == '?') {
        p->pos++;
        o.lazy = !o.lazy;
    }
    if (!repeat(p, &o, min, max)) {
        return false;
    }
    bool more = !at_end(p) && strchr("*+?", peek(p));
    return !more || fail(p, "invalid nested repetition operator", op, p->pos + 1);
}

static bool sequence(struct parser *p)
{
    while (!at_end(p) && peek(p) != '|' && peek(p) != ')') {
        if (!repeated(p)) {
            return false;
        }
    }
    return true;
}

static bool alternatives(struct parser *p)
{
    size_t start = p->re->len;
    if (!sequence(p)) {
        return false;
    }
    while (peek(p) == '|' && !at_end(p)) {
        p->pos++;
        int len = (int)(p->re->len - start);
        struct regex_inst *split = insert(p, start);
        if (!split) {
            return false;
        }
        *split = (struct regex_inst){.op = RE_SPLIT, .x = 1, .y = len + 2};
        size_t jump = p->re->len;
        if (!emit(p, (struct regex_inst){.op = RE_JUMP, .x = 1}) || !sequence(p)) {
            return false;
        }
        p->re->prog[jump].x = (int)(p->re->len - jump);
    }
    return true;
}

bool mu__regexp_parse(struct mu_str pattern, struct mu__arena *a, struct mu__regexp *re, char *err,
                      size_t errlen)
{
    struct parser p = {.s = pattern, .arena = a, .re = re, .err = err, .errlen = errlen};
    snprintf(err, errlen, "out of memory");
    re->prog = mu__arena_calloc(a, MU_REGEXP_PROGRAM_MAX, sizeof *re->prog);
    if (!re->prog || !alternatives(&p)) {
        return false;
    }
    if (!at_end(&p)) {
        return fail(&p, "unexpected )", 0, pattern.len);
    }
    re->groups = (size_t)p.groups;
    return emit(&p, (struct regex_inst){.op = RE_MATCH});
}
