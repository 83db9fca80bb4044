#include "der.h"

#include "common.h"

#include <assert.h>

/* ---- Reading ---- */

bool ca__der_peek(const struct mu__reader *r, uint8_t tag)
{
    return ca__der_more(r) && r->data[r->pos] == tag;
}

/* The shortest form alone, X.690 10.1; at most three bytes of length, which is plenty. */
static size_t read_length(struct mu__reader *r)
{
    uint8_t first = mu__read_u8(r);
    if (first < 0x80) {
        return first;
    }
    size_t n = first & 0x7f, length = 0;
    if (n == 0 || n > 3) {
        mu__reader_fail(r);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        length = length << 8 | mu__read_u8(r);
    }
    if (length < 0x80 || length < (size_t)1 << (8 * (n - 1))) {
        mu__reader_fail(r);
    }
    return length;
}

bool ca__der_any(struct mu__reader *r, uint8_t *tag, struct mu_str *value, struct mu_str *whole)
{
    size_t start = r->pos;
    *tag = mu__read_u8(r);
    if ((*tag & 0x1f) == 0x1f) {
        mu__reader_fail(r); /* a tag of several bytes */
    }
    size_t length = read_length(r);
    const uint8_t *p = mu__read_bytes(r, length);
    if (r->failed) {
        return false;
    }
    *value = ca__str(p, length);
    if (whole) {
        *whole = ca__str(r->data + start, r->pos - start);
    }
    return true;
}

static bool get(struct mu__reader *r, uint8_t tag, struct mu_str *value, struct mu_str *whole)
{
    uint8_t is;
    if (!ca__der_peek(r, tag)) {
        mu__reader_fail(r);
        return false;
    }
    return ca__der_any(r, &is, value, whole);
}

bool ca__der_get(struct mu__reader *r, uint8_t tag, struct mu_str *value)
{
    return get(r, tag, value, NULL);
}

bool ca__der_raw(struct mu__reader *r, uint8_t tag, struct mu_str *whole)
{
    struct mu_str value;
    return get(r, tag, &value, whole);
}

struct mu__reader ca__der_enter(struct mu__reader *r, uint8_t tag)
{
    struct mu_str value = {NULL, 0};
    bool is = ca__der_get(r, tag, &value);
    struct mu__reader inside = ca__der(value);
    inside.failed = !is;
    return inside;
}

bool ca__der_done(const struct mu__reader *r)
{
    return !r->failed && mu__reader_left(r) == 0;
}

bool ca__der_bool(struct mu__reader *r, bool *out)
{
    struct mu_str v;
    if (!ca__der_get(r, DER_BOOLEAN, &v)) {
        return false;
    }
    uint8_t byte = v.len == 1 ? (uint8_t)v.p[0] : 1;
    if (byte != 0 && byte != 0xff) {
        mu__reader_fail(r);
        return false;
    }
    *out = byte == 0xff;
    return true;
}

bool ca__der_unsigned(struct mu__reader *r, struct mu_str *out)
{
    struct mu_str v;
    if (!ca__der_get(r, DER_INTEGER, &v)) {
        return false;
    }
    const uint8_t *b = (const uint8_t *)v.p;
    if (v.len == 0 || (b[0] & 0x80) || (v.len > 1 && b[0] == 0 && !(b[1] & 0x80))) {
        mu__reader_fail(r);
        return false;
    }
    size_t sign = v.len > 1 && b[0] == 0 ? 1 : 0;
    *out = ca__str(b + sign, v.len - sign);
    return true;
}

bool ca__der_small(struct mu__reader *r, unsigned max, unsigned *out)
{
    struct mu_str v;
    if (!ca__der_unsigned(r, &v)) {
        return false;
    }
    if (v.len != 1 || (uint8_t)v.p[0] > max) {
        mu__reader_fail(r);
        return false;
    }
    *out = (uint8_t)v.p[0];
    return true;
}

bool ca__der_bits(struct mu__reader *r, struct mu_str *out)
{
    struct mu_str v;
    if (!ca__der_get(r, DER_BIT_STRING, &v)) {
        return false;
    }
    if (v.len < 2 || v.p[0] != 0) { /* the number of unused bits, then the bytes */
        mu__reader_fail(r);
        return false;
    }
    *out = ca__str(v.p + 1, v.len - 1);
    return true;
}

/* Each arc is in its shortest form, and the last one ends. */
bool ca__der_oid(struct mu__reader *r, struct mu_str *out)
{
    if (!ca__der_get(r, DER_OID, out)) {
        return false;
    }
    bool starts = true, good = out->len > 0;
    for (size_t i = 0; i < out->len; i++) {
        uint8_t b = (uint8_t)out->p[i];
        good = good && !(starts && b == 0x80);
        starts = !(b & 0x80);
    }
    if (!good || !starts) {
        mu__reader_fail(r);
        return false;
    }
    return true;
}

/* ---- Writing ---- */

static size_t length_size(size_t length)
{
    size_t n = 1;
    for (size_t rest = length >= 0x80 ? length : 0; rest; rest >>= 8) {
        n++;
    }
    return n;
}

static void store_length(uint8_t *p, size_t length)
{
    size_t n = length_size(length);
    if (n == 1) {
        p[0] = (uint8_t)length;
        return;
    }
    p[0] = (uint8_t)(0x80 | (n - 1));
    for (size_t i = n - 1; i > 0; i--) {
        p[i] = (uint8_t)length;
        length >>= 8;
    }
}

size_t ca__der_begin(struct mu__writer *w, uint8_t tag)
{
    mu__write_u8(w, tag);
    return w->len;
}

/* The length is known only now: what was written moves up to make room for it. */
void ca__der_end(struct mu__writer *w, size_t begun)
{
    if (w->failed) {
        return;
    }
    assert(begun <= w->len);
    size_t length = w->len - begun, n = length_size(length);
    if (mu__write_room(w, n)) {
        memmove(w->data + begun + n, w->data + begun, length);
        store_length(w->data + begun, length);
    }
}

void ca__der_put(struct mu__writer *w, uint8_t tag, struct mu_str value)
{
    size_t at = ca__der_begin(w, tag);
    mu__write_bytes(w, value.p, value.len);
    ca__der_end(w, at);
}

void ca__der_put_unsigned(struct mu__writer *w, struct mu_str big_endian)
{
    size_t at = ca__der_begin(w, DER_INTEGER);
    while (big_endian.len > 1 && big_endian.p[0] == 0) {
        big_endian.p++;
        big_endian.len--;
    }
    if (big_endian.len == 0 || (big_endian.p[0] & 0x80)) {
        mu__write_u8(w, 0);
    }
    mu__write_bytes(w, big_endian.p, big_endian.len);
    ca__der_end(w, at);
}

void ca__der_put_small(struct mu__writer *w, unsigned value)
{
    assert(value < 0x80);
    char byte = (char)value;
    ca__der_put(w, DER_INTEGER, ca__str(&byte, 1));
}

void ca__der_put_true(struct mu__writer *w)
{
    ca__der_put(w, DER_BOOLEAN, ca__str("\xff", 1));
}

void ca__der_put_bits(struct mu__writer *w, struct mu_str bytes)
{
    size_t at = ca__der_begin(w, DER_BIT_STRING);
    mu__write_u8(w, 0);
    mu__write_bytes(w, bytes.p, bytes.len);
    ca__der_end(w, at);
}
