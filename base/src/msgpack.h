/* msgpack.h - msgpack in the dialect of go-msgpack 0.5 (`raw` for text and bytes, no str8, no bin),
 * on cursors.
 *
 * A pull reader: it makes no tree and allocates nothing, and a count that it returns has been
 * checked against the bytes that are left (an element takes at least one byte, a pair two), so that
 * a lying header cannot make a caller allocate. Readers accept every form a peer may send: raw,
 * str8/16/32, bin where noted, any integer width, and nil for every kind (it means zero).
 * docs/decisions.md says why this is not msgpack-c. */
#pragma once

#include "cursor.h"

#define MU_MSGPACK_DEPTH_MAX 32u /* nesting that mu__mp_skip and free-form values accept */

enum mu__mp_type {
    MU_MP_NIL,
    MU_MP_BOOL,
    MU_MP_INT, /* both signs */
    MU_MP_FLOAT,
    MU_MP_RAW, /* raw and str */
    MU_MP_BIN,
    MU_MP_ARRAY,
    MU_MP_MAP,
    MU_MP_EXT,
    MU_MP_END /* nothing is left, or the reader has failed */
};

enum mu__mp_type mu__mp_peek(const struct mu__reader *r);
bool mu__mp_read_nil(struct mu__reader *r); /* consumes a nil if one is next */
bool mu__mp_read_bool(struct mu__reader *r);
/* Fails when negative or above max. */
uint64_t mu__mp_read_uint(struct mu__reader *r, uint64_t max);
int64_t mu__mp_read_int(struct mu__reader *r);
double mu__mp_read_float(struct mu__reader *r);      /* integers are accepted */
struct mu_str mu__mp_read_str(struct mu__reader *r); /* lends; raw or str, not bin */
/* Lends; raw, str or bin; p is NULL for nil. */
struct mu_str mu__mp_read_bytes(struct mu__reader *r);
size_t mu__mp_read_array(struct mu__reader *r); /* number of elements; nil: 0 */
size_t mu__mp_read_map(struct mu__reader *r);   /* number of pairs; nil: 0 */
/* One value of any type, at most DEPTH_MAX deep. */
void mu__mp_skip(struct mu__reader *r);

void mu__mp_write_nil(struct mu__writer *w);
void mu__mp_write_bool(struct mu__writer *w, bool v);
void mu__mp_write_uint(struct mu__writer *w, uint64_t v); /* shortest form */
void mu__mp_write_int(struct mu__writer *w, int64_t v);   /* shortest; non-negative as unsigned */
void mu__mp_write_float(struct mu__writer *w, double v);
void mu__mp_write_raw(struct mu__writer *w, const void *p, size_t len);
void mu__mp_write_cstr(struct mu__writer *w, const char *s);
void mu__mp_write_array(struct mu__writer *w, size_t n);
void mu__mp_write_map(struct mu__writer *w, size_t n);

static inline bool mu__str_is(struct mu_str s, const char *lit)
{
    size_t n = 0;
    while (lit[n]) {
        if (n >= s.len || s.p[n] != lit[n]) {
            return false;
        }
        n++;
    }
    return n == s.len;
}
