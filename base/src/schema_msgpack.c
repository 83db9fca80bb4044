/* schema_msgpack.c - records to and from msgpack, as Go's codec does it (docs/rpc.md). */
#include "schema.h"

#include "msgpack.h"

#include <string.h>

/* Go's time.Time in binary: version 1, int64 seconds since year 1 UTC, u32 nanoseconds, i16 offset
 * in minutes. */
#define TIME_LEN 15u
#define TIME_UTC 0xffffu

struct decoder {
    struct mu__reader *r;
    struct mu__arena *arena;
    bool lend;
    unsigned depth;
};

static bool decode_record(struct decoder *d, const struct mu__schema *s, void *out);

static void *take(struct decoder *d, size_t n, size_t size)
{
    void *p = mu__arena_calloc(d->arena, n, size);
    if (!p) {
        mu__reader_fail(d->r);
    }
    return p;
}

static struct mu_str keep(struct decoder *d, struct mu_str s)
{
    if (d->lend || s.len == 0) {
        return s;
    }
    s.p = mu__arena_memdup(d->arena, s.p, s.len);
    if (!s.p) {
        mu__reader_fail(d->r);
        s.len = 0;
    }
    return s;
}

static struct mu_str decode_str(struct decoder *d)
{
    return keep(d, mu__mp_read_str(d->r));
}

/* Empty bytes are nil, as in Go's decoder. */
static struct mu_str decode_bytes(struct decoder *d)
{
    struct mu_str s = mu__mp_read_bytes(d->r);
    return s.len ? keep(d, s) : (struct mu_str){NULL, 0};
}

static struct mu_time decode_time(struct mu__reader *r)
{
    struct mu_time t = {0, 0};
    if (mu__mp_read_nil(r)) {
        return t;
    }
    struct mu_str raw = mu__mp_read_str(r);
    struct mu__reader in = mu__reader(raw.p, raw.len);
    uint8_t version = mu__read_u8(&in);
    int64_t seconds = (int64_t)mu__read_u64be(&in);
    uint32_t ns = mu__read_u32be(&in);
    mu__read_u16be(&in); /* the zone it is to be shown in; the seconds are UTC already */
    if (in.failed || mu__reader_left(&in) || version != 1 || ns > 999999999) {
        mu__reader_fail(r);
        return t;
    }
    return (struct mu_time){seconds, ns};
}

static struct mu_str decode_any(struct decoder *d)
{
    if (mu__mp_read_nil(d->r)) {
        return (struct mu_str){NULL, 0};
    }
    size_t from = d->r->pos;
    mu__mp_skip(d->r);
    if (d->r->failed) {
        return (struct mu_str){NULL, 0};
    }
    return keep(d, (struct mu_str){(const char *)d->r->data + from, d->r->pos - from});
}

static struct mu_strs decode_strs(struct decoder *d)
{
    struct mu_strs v = {NULL, 0};
    if (mu__mp_read_nil(d->r)) {
        return v;
    }
    size_t n = mu__mp_read_array(d->r);
    v.items = take(d, n, sizeof *v.items);
    for (; v.items && v.len < n && !d->r->failed; v.len++) {
        v.items[v.len] = decode_str(d);
    }
    return v;
}

static struct mu_floats decode_floats(struct decoder *d)
{
    struct mu_floats v = {NULL, 0};
    if (mu__mp_read_nil(d->r)) {
        return v;
    }
    size_t n = mu__mp_read_array(d->r);
    v.items = take(d, n, sizeof *v.items);
    for (; v.items && v.len < n && !d->r->failed; v.len++) {
        v.items[v.len] = mu__mp_read_float(d->r);
    }
    return v;
}

static struct mu_uints decode_uints(struct decoder *d)
{
    struct mu_uints v = {NULL, 0};
    if (mu__mp_read_nil(d->r)) {
        return v;
    }
    size_t n = mu__mp_read_array(d->r);
    v.items = take(d, n, sizeof *v.items);
    for (; v.items && v.len < n && !d->r->failed; v.len++) {
        v.items[v.len] = mu__mp_read_uint(d->r, UINT64_MAX);
    }
    return v;
}

static void *decode_new(struct decoder *d, const struct mu__schema *s)
{
    void *record = take(d, 1, s->size);
    if (record) {
        decode_record(d, s, record);
    }
    return record;
}

static struct mu_list decode_list(struct decoder *d, const struct mu__schema *s)
{
    struct mu_list v = {NULL, 0};
    if (mu__mp_read_nil(d->r)) {
        return v;
    }
    size_t n = mu__mp_read_array(d->r);
    v.items = take(d, n, sizeof *v.items);
    for (; v.items && v.len < n && !d->r->failed; v.len++) {
        v.items[v.len] = decode_new(d, s);
    }
    return v;
}

static struct mu_strmap decode_strmap(struct decoder *d)
{
    struct mu_strmap v = {NULL, 0};
    if (mu__mp_read_nil(d->r)) {
        return v;
    }
    size_t n = mu__mp_read_map(d->r);
    v.items = take(d, n, sizeof *v.items);
    for (; v.items && v.len < n && !d->r->failed; v.len++) {
        v.items[v.len].key = decode_str(d);
        v.items[v.len].value = decode_str(d);
    }
    if (v.items && !mu__sort_by_key(d->arena, v.items, &v.len, sizeof *v.items)) {
        mu__reader_fail(d->r);
    }
    return v;
}

static struct mu_strsmap decode_strsmap(struct decoder *d)
{
    struct mu_strsmap v = {NULL, 0};
    if (mu__mp_read_nil(d->r)) {
        return v;
    }
    size_t n = mu__mp_read_map(d->r);
    v.items = take(d, n, sizeof *v.items);
    for (; v.items && v.len < n && !d->r->failed; v.len++) {
        v.items[v.len].key = decode_str(d);
        v.items[v.len].value = decode_strs(d);
    }
    if (v.items && !mu__sort_by_key(d->arena, v.items, &v.len, sizeof *v.items)) {
        mu__reader_fail(d->r);
    }
    return v;
}

static struct mu_structmap decode_structmap(struct decoder *d, const struct mu__schema *s)
{
    struct mu_structmap v = {NULL, 0};
    if (mu__mp_read_nil(d->r)) {
        return v;
    }
    size_t n = mu__mp_read_map(d->r);
    v.items = take(d, n, sizeof *v.items);
    for (; v.items && v.len < n && !d->r->failed; v.len++) {
        v.items[v.len].key = decode_str(d);
        v.items[v.len].value = decode_new(d, s);
    }
    if (v.items && !mu__sort_by_key(d->arena, v.items, &v.len, sizeof *v.items)) {
        mu__reader_fail(d->r);
    }
    return v;
}

static void decode_field(struct decoder *d, const struct mu__field *f, void *m)
{
    switch (f->kind) {
    case MU_BOOL:
        *(bool *)m = mu__mp_read_bool(d->r);
        break;
    case MU_INT:
    case MU_DURATION:
        *(int64_t *)m = mu__mp_read_int(d->r);
        break;
    case MU_UINT:
        *(uint64_t *)m = mu__mp_read_uint(d->r, UINT64_MAX);
        break;
    case MU_FLOAT:
        *(double *)m = mu__mp_read_float(d->r);
        break;
    case MU_TIME:
        *(struct mu_time *)m = decode_time(d->r);
        break;
    case MU_STR:
        *(struct mu_str *)m = decode_str(d);
        break;
    case MU_BYTES:
        *(struct mu_str *)m = decode_bytes(d);
        break;
    case MU_STRS:
        *(struct mu_strs *)m = decode_strs(d);
        break;
    case MU_FLOATS:
        *(struct mu_floats *)m = decode_floats(d);
        break;
    case MU_UINTS:
        *(struct mu_uints *)m = decode_uints(d);
        break;
    case MU_STRMAP:
        *(struct mu_strmap *)m = decode_strmap(d);
        break;
    case MU_STRSMAP:
        *(struct mu_strsmap *)m = decode_strsmap(d);
        break;
    case MU_STRUCT:
        memset(m, 0, f->sub->size);
        decode_record(d, f->sub, m);
        break;
    case MU_PTR:
        *(void **)m = mu__mp_read_nil(d->r) ? NULL : decode_new(d, f->sub);
        break;
    case MU_LIST:
        *(struct mu_list *)m = decode_list(d, f->sub);
        break;
    case MU_STRUCTMAP:
        *(struct mu_structmap *)m = decode_structmap(d, f->sub);
        break;
    case MU_ANY:
        *(struct mu_str *)m = decode_any(d);
        break;
    }
}

/* The wire field of that name. Senders write the keys in order, so the one that is due is tried
 * first. */
static const struct mu__field *wire_field(const struct mu__schema *s, struct mu_str key,
                                          size_t *due)
{
    for (size_t i = 0; i < s->nwire; i++) {
        size_t at = (*due + i) % s->nwire;
        const struct mu__field *f = &s->fields[s->wire[at]];
        if (mu__str_is(key, f->name)) {
            *due = at + 1;
            return f;
        }
    }
    return NULL;
}

static void decode_map(struct decoder *d, const struct mu__schema *s, char *out)
{
    size_t due = 0;
    for (size_t n = mu__mp_read_map(d->r); n > 0 && !d->r->failed; n--) {
        struct mu_str key = mu__mp_read_str(d->r);
        const struct mu__field *f = wire_field(s, key, &due);
        if (f) {
            decode_field(d, f, out + f->offset);
        } else {
            mu__mp_skip(d->r);
        }
    }
}

static void decode_array(struct decoder *d, const struct mu__schema *s, char *out)
{
    size_t i = 0;
    for (size_t n = mu__mp_read_array(d->r); n > 0 && !d->r->failed; n--) {
        while (i < s->nfields && s->fields[i].flags & MU_F_NO_MSGPACK) {
            i++;
        }
        if (i < s->nfields) {
            decode_field(d, &s->fields[i], out + s->fields[i].offset);
            i++;
        } else {
            mu__mp_skip(d->r);
        }
    }
}

/* out is cleared. The recursion follows the tables, and is bounded where these refer to each other
 * in a circle. */
static bool decode_record(struct decoder *d, const struct mu__schema *s, void *out)
{
    if (d->depth == MU_MSGPACK_DEPTH_MAX) {
        mu__reader_fail(d->r);
        return false;
    }
    d->depth++;
    if (mu__mp_peek(d->r) == MU_MP_ARRAY) {
        decode_array(d, s, out);
    } else {
        decode_map(d, s, out);
    }
    d->depth--;
    return !d->r->failed;
}

bool mu__schema_decode(const struct mu__schema *s, struct mu__reader *r, struct mu__arena *a,
                       bool lend, void *out)
{
    struct decoder d = {.r = r, .arena = a, .lend = lend};
    memset(out, 0, s->size);
    return decode_record(&d, s, out);
}

static void encode_str(struct mu__writer *w, struct mu_str s)
{
    mu__mp_write_raw(w, s.p, s.len);
}

static void encode_time(struct mu__writer *w, struct mu_time t)
{
    mu__write_u8(w, 0xa0 | TIME_LEN);
    mu__write_u8(w, 1);
    mu__write_u64be(w, (uint64_t)t.since_year1_s);
    mu__write_u32be(w, t.ns);
    mu__write_u16be(w, TIME_UTC);
}

static void encode_strs(struct mu__writer *w, struct mu_strs v)
{
    if (!v.items) {
        mu__mp_write_nil(w);
        return;
    }
    mu__mp_write_array(w, v.len);
    for (size_t i = 0; i < v.len; i++) {
        encode_str(w, v.items[i]);
    }
}

static void encode_floats(struct mu__writer *w, struct mu_floats v)
{
    if (!v.items) {
        mu__mp_write_nil(w);
        return;
    }
    mu__mp_write_array(w, v.len);
    for (size_t i = 0; i < v.len; i++) {
        mu__mp_write_float(w, v.items[i]);
    }
}

static void encode_uints(struct mu__writer *w, struct mu_uints v)
{
    if (!v.items) {
        mu__mp_write_nil(w);
        return;
    }
    mu__mp_write_array(w, v.len);
    for (size_t i = 0; i < v.len; i++) {
        mu__mp_write_uint(w, v.items[i]);
    }
}

static void encode_strmap(struct mu__writer *w, struct mu_strmap v)
{
    if (!v.items) {
        mu__mp_write_nil(w);
        return;
    }
    mu__mp_write_map(w, v.len);
    for (size_t i = 0; i < v.len; i++) {
        encode_str(w, v.items[i].key);
        encode_str(w, v.items[i].value);
    }
}

static void encode_strsmap(struct mu__writer *w, struct mu_strsmap v)
{
    if (!v.items) {
        mu__mp_write_nil(w);
        return;
    }
    mu__mp_write_map(w, v.len);
    for (size_t i = 0; i < v.len; i++) {
        encode_str(w, v.items[i].key);
        encode_strs(w, v.items[i].value);
    }
}

static void encode_list(struct mu__writer *w, const struct mu__schema *s, struct mu_list v)
{
    if (!v.items) {
        mu__mp_write_nil(w);
        return;
    }
    mu__mp_write_array(w, v.len);
    for (size_t i = 0; i < v.len; i++) {
        mu__schema_encode(s, v.items[i], w);
    }
}

static void encode_structmap(struct mu__writer *w, const struct mu__schema *s,
                             struct mu_structmap v)
{
    if (!v.items) {
        mu__mp_write_nil(w);
        return;
    }
    mu__mp_write_map(w, v.len);
    for (size_t i = 0; i < v.len; i++) {
        encode_str(w, v.items[i].key);
        mu__schema_encode(s, v.items[i].value, w);
    }
}

static void encode_field(struct mu__writer *w, const struct mu__field *f, const void *m)
{
    switch (f->kind) {
    case MU_BOOL:
        mu__mp_write_bool(w, *(const bool *)m);
        break;
    case MU_INT:
    case MU_DURATION:
        mu__mp_write_int(w, *(const int64_t *)m);
        break;
    case MU_UINT:
        mu__mp_write_uint(w, *(const uint64_t *)m);
        break;
    case MU_FLOAT:
        mu__mp_write_float(w, *(const double *)m);
        break;
    case MU_TIME:
        encode_time(w, *(const struct mu_time *)m);
        break;
    case MU_STR:
        encode_str(w, *(const struct mu_str *)m);
        break;
    case MU_BYTES: {
        const struct mu_str *s = m;
        if (s->p) {
            encode_str(w, *s);
        } else {
            mu__mp_write_nil(w);
        }
        break;
    }
    case MU_STRS:
        encode_strs(w, *(const struct mu_strs *)m);
        break;
    case MU_FLOATS:
        encode_floats(w, *(const struct mu_floats *)m);
        break;
    case MU_UINTS:
        encode_uints(w, *(const struct mu_uints *)m);
        break;
    case MU_STRMAP:
        encode_strmap(w, *(const struct mu_strmap *)m);
        break;
    case MU_STRSMAP:
        encode_strsmap(w, *(const struct mu_strsmap *)m);
        break;
    case MU_STRUCT:
        mu__schema_encode(f->sub, m, w);
        break;
    case MU_PTR:
        mu__schema_encode(f->sub, *(void *const *)m, w);
        break;
    case MU_LIST:
        encode_list(w, f->sub, *(const struct mu_list *)m);
        break;
    case MU_STRUCTMAP:
        encode_structmap(w, f->sub, *(const struct mu_structmap *)m);
        break;
    case MU_ANY: {
        const struct mu_str *s = m;
        if (s->len) {
            mu__write_bytes(w, s->p, s->len);
        } else {
            mu__mp_write_nil(w);
        }
        break;
    }
    }
}

static bool is_left_out(const struct mu__field *f, const char *obj)
{
    return f->flags & MU_F_OMIT_MSGPACK && mu__field_is_empty(f, obj + f->offset);
}

void mu__schema_encode(const struct mu__schema *s, const void *obj, struct mu__writer *w)
{
    if (!obj) {
        mu__mp_write_nil(w);
        return;
    }
    size_t n = s->nwire;
    for (size_t i = 0; i < s->nwire; i++) {
        n -= is_left_out(&s->fields[s->wire[i]], obj);
    }
    mu__mp_write_map(w, n);
    for (size_t i = 0; i < s->nwire; i++) {
        const struct mu__field *f = &s->fields[s->wire[i]];
        if (!is_left_out(f, obj)) {
            mu__mp_write_cstr(w, f->name);
            encode_field(w, f, (const char *)obj + f->offset);
        }
    }
}
