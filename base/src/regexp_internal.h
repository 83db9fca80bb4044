/* regexp_internal.h - the program that regexp_parse.c makes and regexp.c runs. */
#pragma once

#include "regexp.h"

#define RUNE_MAX 0x10ffffu

enum regex_op {
    RE_RANGE,
    RE_CLASS,
    RE_SPLIT,
    RE_JUMP,
    RE_TEXT_BEGIN,
    RE_TEXT_END,
    RE_LINE_BEGIN,
    RE_LINE_END,
    RE_WORD,
    RE_NOT_WORD,
    RE_SAVE, /* x: where a group begins (2n) or ends (2n + 1) */
    RE_MATCH
};

struct regex_range {
    uint32_t lo, hi;
};

struct regex_class {
    struct regex_range *ranges;
    size_t len, cap;
    bool negated, fold;
};

struct regex_inst {
    enum regex_op op;
    int x, y; /* of SPLIT (x first) and JUMP: relative */
    struct regex_range range;
    const struct regex_class *class;
};

struct mu__regexp {
    struct regex_inst *prog;
    size_t len;
    size_t groups; /* number of the last one; 0 is the whole match */
    /* Scratch of a match: the states at this place and the next, and those still to be followed. */
    uint16_t *now, *next, *stack;
    uint32_t *seen; /* by instruction: the place at which it was added last, plus one */
};

bool mu__regexp_parse(struct mu_str pattern, struct mu__arena *a, struct mu__regexp *re, char *err,
                      size_t errlen);
/* The rune at p (len > 0) and its length; bad UTF-8 is U+FFFD of one byte. */
uint32_t mu__regexp_rune(const char *p, size_t len, size_t *used);
bool mu__regexp_takes(const struct regex_inst *in, uint32_t r); /* of RANGE and CLASS */
/* Does a condition about a place (TEXT_BEGIN to NOT_WORD) hold there? */
bool mu__regexp_holds(enum regex_op op, struct mu_str text, size_t at);
