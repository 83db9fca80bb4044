#include "msgpack.h"

#include <string.h>

/* First bytes: 00-7f fixint, 80-8f map, 90-9f array, a0-bf raw, c0 nil, c2/c3 bool, c4-c6 bin,
 * c7-c9 ext, ca/cb float, cc-cf uint, d0-d3 int, d4-d8 fixext, d9-db str, dc/dd array, de/df map,
 * e0-ff negative fixint. */
enum mu__mp_type mu__mp_peek(const struct mu__reader *r)
{
    if (r->failed || r->pos == r->len) {
        return MU_MP_END;
    }
    uint8_t b = r->data[r->pos];
    if (b < 0x80 || b >= 0xe0 || (b >= 0xcc && b <= 0xd3)) {
        return MU_MP_INT;
    }
    if (b < 0x90 || b == 0xde || b == 0xdf) {
        return MU_MP_MAP;
    }
    if (b < 0xa0 || b == 0xdc || b == 0xdd) {
        return MU_MP_ARRAY;
    }
    if (b < 0xc0 || (b >= 0xd9 && b <= 0xdb)) {
        return MU_MP_RAW;
    }
    switch (b) {
    case 0xc0:
        return MU_MP_NIL;
    case 0xc2:
    case 0xc3:
        return MU_MP_BOOL;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return MU_MP_BIN;
    case 0xca:
    case 0xcb:
        return MU_MP_FLOAT;
    case 0xc1: /* never used */
        return MU_MP_END;
    default:
        return MU_MP_EXT;
    }
}

bool mu__mp_read_nil(struct mu__reader *r)
{
    if (mu__mp_peek(r) != MU_MP_NIL) {
        return false;
    }
    r->pos++;
    return true;
}

bool mu__mp_read_bool(struct mu__reader *r)
{
    uint8_t b = mu__read_u8(r);
    if (b == 0xc3 || b == 1) {
        return true;
    }
    if (b != 0xc2 && b != 0xc0 && b != 0) {
        mu__reader_fail(r);
    }
    return false;
}

/* The magnitude and sign of the next integer; nil is zero. */
static uint64_t read_integer(struct mu__reader *r, bool *negative)
{
    *negative = false;
    uint8_t b = mu__read_u8(r);
    if (b < 0x80) {
        return b;
    }
    int64_t s;
    switch (b) {
    case 0xc0:
        return 0;
    case 0xcc:
        return mu__read_u8(r);
    case 0xcd:
        return mu__read_u16be(r);
    case 0xce:
        return mu__read_u32be(r);
    case 0xcf:
        return mu__read_u64be(r);
    case 0xd0:
        s = (int64_t)(int8_t)mu__read_u8(r);
        break;
    case 0xd1:
        s = (int16_t)mu__read_u16be(r);
        break;
    case 0xd2:
        s = (int32_t)mu__read_u32be(r);
        break;
    case 0xd3:
        s = (int64_t)mu__read_u64be(r);
        break;
    default:
        if (b < 0xe0) {
            mu__reader_fail(r);
            return 0;
        }
        s = (int64_t)(int8_t)b;
    }
    *negative = s < 0;
    return s < 0 ? 0 - (uint64_t)s : (uint64_t)s;
}

uint64_t mu__mp_read_uint(struct mu__reader *r, uint64_t max)
{
    bool negative;
    uint64_t v = read_integer(r, &negative);
    if (negative || v > max) {
        mu__reader_fail(r);
        return 0;
    }
    return v;
}

int64_t mu__mp_read_int(struct mu__reader *r)
{
    bool negative;
    uint64_t v = read_integer(r, &negative);
    if (v > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        mu__reader_fail(r);
        return 0;
    }
    return negative ? (int64_t)(0 - v) : (int64_t)v;
}

/* What was a decimal number before it was cut to 24 bits becomes that number again, as Go prints a
 * float32: 99.99 is not 99.98999786376953. The fewest decimals that give the same bits. */
static double widen(float f)
{
    const double v = (double)f, size = v < 0 ? -v : v;
    double power = 1;
    for (int decimals = 0; decimals < 10 && size < 16777216; decimals++, power *= 10) {
        double d = (double)(uint64_t)(size * power + 0.5) / power;
        if (!((float)d < (float)size) && !((float)d > (float)size)) {
            return v < 0 ? -d : d;
        }
    }
    return v;
}

double mu__mp_read_float(struct mu__reader *r)
{
    enum mu__mp_type type = mu__mp_peek(r);
    if (type == MU_MP_INT || type == MU_MP_NIL) {
        return (double)mu__mp_read_int(r);
    }
    uint8_t b = mu__read_u8(r);
    if (b == 0xca) {
        uint32_t bits = mu__read_u32be(r);
        float f;
        memcpy(&f, &bits, sizeof f);
        return widen(f);
    }
    if (b == 0xcb) {
        uint64_t bits = mu__read_u64be(r);
        double d;
        memcpy(&d, &bits, sizeof d);
        return d;
    }
    mu__reader_fail(r);
    return 0;
}

static struct mu_str read_raw(struct mu__reader *r, bool allow_bin)
{
    struct mu_str s = {NULL, 0};
    uint8_t b = mu__read_u8(r);
    size_t len;
    if (b == 0xc0) {
        return s;
    }
    if (b >= 0xa0 && b < 0xc0) {
        len = b & 0x1fu;
    } else if (b == 0xd9 || (b == 0xc4 && allow_bin)) {
        len = mu__read_u8(r);
    } else if (b == 0xda || (b == 0xc5 && allow_bin)) {
        len = mu__read_u16be(r);
    } else if (b == 0xdb || (b == 0xc6 && allow_bin)) {
        len = mu__read_u32be(r);
    } else {
        mu__reader_fail(r);
        return s;
    }
    s.p = (const char *)mu__read_bytes(r, len);
    s.len = s.p ? len : 0;
    return s;
}

struct mu_str mu__mp_read_str(struct mu__reader *r)
{
    return read_raw(r, false);
}

struct mu_str mu__mp_read_bytes(struct mu__reader *r)
{
    return read_raw(r, true);
}

/* A count, checked against what is left: each element takes at least `least` bytes. */
static size_t read_count(struct mu__reader *r, uint8_t fix, uint8_t wide, size_t least)
{
    uint8_t b = mu__read_u8(r);
    size_t n;
    if (b == 0xc0) {
        return 0;
    }
    if ((b & 0xf0u) == fix) {
        n = b & 0x0fu;
    } else if (b == wide) {
        n = mu__read_u16be(r);
    } else if (b == wide + 1) {
        n = mu__read_u32be(r);
    } else {
        mu__reader_fail(r);
        return 0;
    }
    if (n > mu__reader_left(r) / least) {
        mu__reader_fail(r);
        return 0;
    }
    return n;
}

size_t mu__mp_read_array(struct mu__reader *r)
{
    return read_count(r, 0x90, 0xdc, 1);
}

size_t mu__mp_read_map(struct mu__reader *r)
{
    return read_count(r, 0x80, 0xde, 2);
}

static void skip_ext(struct mu__reader *r)
{
    uint8_t b = mu__read_u8(r);
    size_t len;
    if (b >= 0xd4 && b <= 0xd8) {
        len = (size_t)1 << (b - 0xd4);
    } else if (b == 0xc7) {
        len = mu__read_u8(r);
    } else if (b == 0xc8) {
        len = mu__read_u16be(r);
    } else {
        len = mu__read_u32be(r);
    }
    mu__read_u8(r); /* its type */
    mu__read_bytes(r, len);
}

/* Iterative: `left[d]` values are still to come at depth d. */
void mu__mp_skip(struct mu__reader *r)
{
    size_t left[MU_MSGPACK_DEPTH_MAX] = {1};
    size_t depth = 0;
    while (!r->failed) {
        if (left[depth] == 0) {
            if (depth-- == 0) {
                return;
            }
            continue;
        }
        left[depth]--;
        size_t inner = 0;
        switch (mu__mp_peek(r)) {
        case MU_MP_NIL:
        case MU_MP_BOOL:
            r->pos++;
            continue;
        case MU_MP_INT: {
            bool negative;
            read_integer(r, &negative);
            continue;
        }
        case MU_MP_FLOAT:
            mu__mp_read_float(r);
            continue;
        case MU_MP_RAW:
        case MU_MP_BIN:
            mu__mp_read_bytes(r);
            continue;
        case MU_MP_EXT:
            skip_ext(r);
            continue;
        case MU_MP_ARRAY:
            inner = mu__mp_read_array(r);
            break;
        case MU_MP_MAP:
            inner = mu__mp_read_map(r) * 2;
            break;
        case MU_MP_END:
            mu__reader_fail(r);
            return;
        }
        if (depth + 1 == MU_MSGPACK_DEPTH_MAX) {
            mu__reader_fail(r);
            return;
        }
        left[++depth] = inner;
    }
}

void mu__mp_write_nil(struct mu__writer *w)
{
    mu__write_u8(w, 0xc0);
}

void mu__mp_write_bool(struct mu__writer *w, bool v)
{
    mu__write_u8(w, v ? 0xc3 : 0xc2);
}

void mu__mp_write_uint(struct mu__writer *w, uint64_t v)
{
    if (v < 0x80) {
        mu__write_u8(w, (uint8_t)v);
    } else if (v <= UINT8_MAX) {
        mu__write_u8(w, 0xcc);
        mu__write_u8(w, (uint8_t)v);
    } else if (v <= UINT16_MAX) {
        mu__write_u8(w, 0xcd);
        mu__write_u16be(w, (uint16_t)v);
    } else if (v <= UINT32_MAX) {
        mu__write_u8(w, 0xce);
        mu__write_u32be(w, (uint32_t)v);
    } else {
        mu__write_u8(w, 0xcf);
        mu__write_u64be(w, v);
    }
}

void mu__mp_write_int(struct mu__writer *w, int64_t v)
{
    if (v >= 0) {
        mu__mp_write_uint(w, (uint64_t)v);
    } else if (v >= -32) {
        mu__write_u8(w, (uint8_t)v);
    } else if (v >= INT8_MIN) {
        mu__write_u8(w, 0xd0);
        mu__write_u8(w, (uint8_t)v);
    } else if (v >= INT16_MIN) {
        mu__write_u8(w, 0xd1);
        mu__write_u16be(w, (uint16_t)v);
    } else if (v >= INT32_MIN) {
        mu__write_u8(w, 0xd2);
        mu__write_u32be(w, (uint32_t)v);
    } else {
        mu__write_u8(w, 0xd3);
        mu__write_u64be(w, (uint64_t)v);
    }
}

void mu__mp_write_float(struct mu__writer *w, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    mu__write_u8(w, 0xcb);
    mu__write_u64be(w, bits);
}

static void write_count(struct mu__writer *w, size_t n, uint8_t fix, size_t fix_max, uint8_t wide)
{
    if (n <= fix_max) {
        mu__write_u8(w, (uint8_t)(fix | n));
    } else if (n <= UINT16_MAX) {
        mu__write_u8(w, wide);
        mu__write_u16be(w, (uint16_t)n);
    } else if (n <= UINT32_MAX) {
        mu__write_u8(w, (uint8_t)(wide + 1));
        mu__write_u32be(w, (uint32_t)n);
    } else {
        w->failed = true;
    }
}

void mu__mp_write_raw(struct mu__writer *w, const void *p, size_t len)
{
    write_count(w, len, 0xa0, 31, 0xda);
    mu__write_bytes(w, p, len);
}

void mu__mp_write_cstr(struct mu__writer *w, const char *s)
{
    mu__mp_write_raw(w, s, strlen(s));
}

void mu__mp_write_array(struct mu__writer *w, size_t n)
{
    write_count(w, n, 0x90, 15, 0xdc);
}

void mu__mp_write_map(struct mu__writer *w, size_t n)
{
    write_count(w, n, 0x80, 15, 0xde);
}
