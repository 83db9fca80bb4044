/* lzw.c - LZW with bits packed least significant first, as GIF has it (Welch 1984).
 *
 *     code    0..255 one byte; 256 clear; 257 end; 258.. a string met before
 *     width   starts at 9 bits, grows when the next free code no longer fits, 12 at most
 *
 * Both sides count `hi`, the code that the current step defines. Packer and unpacker must agree on
 * when the width grows and on what happens when the table is full; both follow Go's
 * compress/lzw. */
#include "lzw.h"

#include <string.h>

enum {
    CLEAR = 256,
    END = 257,
    WIDTH_MIN = 9,
    WIDTH_MAX = 12,
    CODES = 1 << WIDTH_MAX,
    NONE = 0xffff
};

/* ---- unpacking ---- */

/* A string of the table is a piece of the output: the string before it and the byte that followed.
 * So the table holds where that piece is, and nothing is copied twice. */
struct unpacker {
    uint8_t *out; /* NULL: only count */
    size_t cap, pos;
    const uint8_t *in;
    size_t in_len, in_pos;
    uint32_t bits;
    unsigned nbits, width, hi;
    unsigned last; /* code of the previous step; NONE: this step defines nothing */
    uint32_t last_start;
    uint32_t start[CODES];
    uint16_t len[CODES];
};

static bool next_code(struct unpacker *u, unsigned *code)
{
    while (u->nbits < u->width) {
        if (u->in_pos == u->in_len) {
            return false;
        }
        u->bits |= (uint32_t)u->in[u->in_pos++] << u->nbits;
        u->nbits += 8;
    }
    *code = u->bits & ((1u << u->width) - 1);
    u->bits >>= u->width;
    u->nbits -= u->width;
    return true;
}

static void clear_table(struct unpacker *u)
{
    u->width = WIDTH_MIN;
    u->hi = END;
    u->last = NONE;
}

/* Where the string of a code lies in the output, and its length; 0 when there is no such code. A
 * byte of its own has no place yet. The code being defined right now is the last string and its
 * first byte again. */
static size_t locate(const struct unpacker *u, unsigned code, uint32_t *start)
{
    if (code == u->hi && u->last != NONE) {
        *start = u->last_start;
        return (u->last < CLEAR ? 1u : u->len[u->last]) + 1u;
    }
    if (code > u->hi || code <= END || (code == u->hi && u->hi != CODES - 1)) {
        return 0;
    }
    *start = u->start[code];
    return u->len[code];
}

static bool put_string(struct unpacker *u, unsigned code, size_t *len)
{
    if (code < CLEAR) {
        *len = 1;
        if (u->pos == u->cap) {
            return false;
        }
        if (u->out) {
            u->out[u->pos] = (uint8_t)code;
        }
        return true;
    }
    uint32_t from;
    *len = locate(u, code, &from);
    if (*len == 0 || *len > u->cap - u->pos) {
        return false;
    }
    for (size_t i = 0; u->out && i < *len; i++) { /* may overlap by one byte: forwards */
        u->out[u->pos + i] = u->out[from + i];
    }
    return true;
}

static bool step(struct unpacker *u, unsigned code)
{
    size_t len;
    if (!put_string(u, code, &len)) {
        return false;
    }
    if (u->last != NONE) {
        u->start[u->hi] = u->last_start;
        u->len[u->hi] = (uint16_t)((u->last < CLEAR ? 1u : u->len[u->last]) + 1u);
    }
    u->last = code;
    u->last_start = (uint32_t)u->pos;
    u->pos += len;
    u->hi++;
    if (u->hi < 1u << u->width) {
        return true;
    }
    if (u->width < WIDTH_MAX) {
        u->width++;
    } else { /* full: nothing more is defined until a clear */
        u->last = NONE;
        u->hi--;
    }
    return true;
}

bool swim__lzw_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t cap, size_t *size)
{
    struct unpacker u; /* its tables are filled before they are read */
    u.last_start = 0;
    u.out = out;
    u.cap = mu__min(cap, UINT32_MAX);
    u.pos = 0;
    u.in = in;
    u.in_len = len;
    u.in_pos = 0;
    u.bits = 0;
    u.nbits = 0;
    clear_table(&u);
    for (unsigned code; next_code(&u, &code);) {
        if (code == END) {
            *size = u.pos;
            return true;
        }
        if (code == CLEAR) {
            clear_table(&u);
        } else if (!step(&u, code)) {
            return false;
        }
    }
    return false; /* the end code is missing */
}

/* ---- packing ---- */

/* The table as a tree: the strings that begin with the string of a code are its children, chained
 * as siblings. */
struct packer {
    struct mu__writer *w;
    uint32_t bits;
    unsigned nbits, width, hi;
    uint16_t child[CODES], sibling[CODES]; /* 0: none */
    uint8_t suffix[CODES];
};

static void put_code(struct packer *p, unsigned code)
{
    p->bits |= code << p->nbits;
    p->nbits += p->width;
    while (p->nbits >= 8) {
        mu__write_u8(p->w, (uint8_t)p->bits);
        p->bits >>= 8;
        p->nbits -= 8;
    }
}

static void reset_tree(struct packer *p)
{
    p->width = WIDTH_MIN;
    p->hi = END;
    memset(p->child, 0, CLEAR * sizeof *p->child);
}

/* Counts one more code. False when the table was full and begins anew: this step then defines
 * nothing. */
static bool advance_hi(struct packer *p)
{
    p->hi++;
    if (p->hi == 1u << p->width) {
        p->width++;
    }
    if (p->hi == CODES - 1) {
        put_code(p, CLEAR);
        reset_tree(p);
        return false;
    }
    return true;
}

static unsigned find_child(const struct packer *p, unsigned code, uint8_t byte)
{
    unsigned c = p->child[code];
    while (c != 0 && p->suffix[c] != byte) {
        c = p->sibling[c];
    }
    return c;
}

static void add_child(struct packer *p, unsigned code, uint8_t byte)
{
    p->suffix[p->hi] = byte;
    p->child[p->hi] = 0;
    p->sibling[p->hi] = p->child[code];
    p->child[code] = (uint16_t)p->hi;
}

void swim__lzw_pack(struct mu__writer *w, const uint8_t *in, size_t len)
{
    struct packer p;
    p.w = w;
    p.bits = 0;
    p.nbits = 0;
    reset_tree(&p);
    unsigned code = NONE;
    for (size_t i = 0; i < len; i++) {
        unsigned next = code == NONE ? in[i] : find_child(&p, code, in[i]);
        if (next != 0 || code == NONE) {
            code = next;
            continue;
        }
        put_code(&p, code);
        if (advance_hi(&p)) {
            add_child(&p, code, in[i]);
        }
        code = in[i];
    }
    if (code != NONE) {
        put_code(&p, code);
        advance_hi(&p);
    }
    put_code(&p, END);
    if (p.nbits > 0) {
        mu__write_u8(w, (uint8_t)p.bits);
    }
}
