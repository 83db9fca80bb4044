#include "wire_fields.h"

/* The bytes from `start` to where the reader stands. */
static struct mu_str lend_since(const struct mu__reader *r, size_t start)
{
    if (r->failed) {
        return (struct mu_str){NULL, 0};
    }
    return (struct mu_str){(const char *)r->data + start, r->pos - start};
}

struct mu_str swim__read_span(struct mu__reader *r)
{
    if (mu__mp_read_nil(r)) {
        return (struct mu_str){NULL, 0};
    }
    size_t start = r->pos;
    size_t n = mu__mp_read_array(r);
    for (size_t i = 0; i < n && !r->failed; i++) {
        mu__mp_read_bytes(r);
    }
    return lend_since(r, start);
}

struct mu_str swim__read_pairs(struct mu__reader *r)
{
    if (mu__mp_read_nil(r)) {
        return (struct mu_str){NULL, 0};
    }
    size_t start = r->pos;
    size_t n = mu__mp_read_map(r);
    for (size_t i = 0; i < n && !r->failed; i++) {
        mu__mp_read_str(r);
        mu__mp_read_str(r);
    }
    return lend_since(r, start);
}

static void decode_field(struct mu__reader *r, const struct swim__field *f, void *obj)
{
    void *at = (char *)obj + f->offset;
    switch (f->kind) {
    case SWIM__BOOL:
        *(bool *)at = mu__mp_read_bool(r);
        break;
    case SWIM__U8:
        *(uint8_t *)at = (uint8_t)mu__mp_read_uint(r, UINT8_MAX);
        break;
    case SWIM__U16:
        *(uint16_t *)at = (uint16_t)mu__mp_read_uint(r, UINT16_MAX);
        break;
    case SWIM__U32:
        *(uint32_t *)at = (uint32_t)mu__mp_read_uint(r, UINT32_MAX);
        break;
    case SWIM__U64:
        *(uint64_t *)at = mu__mp_read_uint(r, UINT64_MAX);
        break;
    case SWIM__I64:
        *(int64_t *)at = mu__mp_read_int(r);
        break;
    case SWIM__TEXT:
        *(struct mu_str *)at = mu__mp_read_str(r);
        break;
    case SWIM__RAW:
    case SWIM__BLOB:
        *(struct mu_str *)at = mu__mp_read_bytes(r);
        break;
    case SWIM__SPAN:
        *(struct mu_str *)at = swim__read_span(r);
        break;
    case SWIM__PAIRS:
        *(struct mu_str *)at = swim__read_pairs(r);
        break;
    case SWIM__SUB:
        swim__fields_decode(r, f->sub, at);
        break;
    }
}

/* Keys come in the order of the table as a rule, so the search starts behind the last hit. */
static const struct swim__field *find_field(const struct swim__layout *layout, struct mu_str key,
                                            size_t *next)
{
    for (size_t i = 0; i < layout->n; i++) {
        size_t at = (*next + i) % layout->n;
        if (mu__str_is(key, layout->fields[at].name)) {
            *next = at + 1;
            return &layout->fields[at];
        }
    }
    return NULL;
}

void swim__fields_decode(struct mu__reader *r, const struct swim__layout *layout, void *obj)
{
    size_t n = mu__mp_read_map(r);
    size_t next = 0;
    for (size_t i = 0; i < n && !r->failed; i++) {
        const struct swim__field *f = find_field(layout, mu__mp_read_str(r), &next);
        if (f) {
            decode_field(r, f, obj);
        } else {
            mu__mp_skip(r);
        }
    }
}

static void write_blob(struct mu__writer *w, struct mu_str s)
{
    if (s.p) {
        mu__mp_write_raw(w, s.p, s.len);
    } else {
        mu__mp_write_nil(w);
    }
}

static void write_encoded(struct mu__writer *w, struct mu_str s)
{
    if (s.p) {
        mu__write_bytes(w, s.p, s.len);
    } else {
        mu__mp_write_nil(w);
    }
}

static void encode_field(struct mu__writer *w, const struct swim__field *f, const void *obj)
{
    const void *at = (const char *)obj + f->offset;
    const struct mu_str *s = at;
    switch (f->kind) {
    case SWIM__BOOL:
        mu__mp_write_bool(w, *(const bool *)at);
        break;
    case SWIM__U8:
        mu__mp_write_uint(w, *(const uint8_t *)at);
        break;
    case SWIM__U16:
        mu__mp_write_uint(w, *(const uint16_t *)at);
        break;
    case SWIM__U32:
        mu__mp_write_uint(w, *(const uint32_t *)at);
        break;
    case SWIM__U64:
        mu__mp_write_uint(w, *(const uint64_t *)at);
        break;
    case SWIM__I64:
        mu__mp_write_int(w, *(const int64_t *)at);
        break;
    case SWIM__TEXT:
    case SWIM__RAW:
        mu__mp_write_raw(w, s->p, s->len);
        break;
    case SWIM__BLOB:
        write_blob(w, *s);
        break;
    case SWIM__SPAN:
    case SWIM__PAIRS:
        write_encoded(w, *s);
        break;
    case SWIM__SUB:
        swim__fields_encode(w, f->sub, at);
        break;
    }
}

static bool is_left_out(const struct swim__field *f, const void *obj)
{
    const void *at = (const char *)obj + f->offset;
    if (!f->omit) {
        return false;
    }
    return f->kind == SWIM__U16 ? *(const uint16_t *)at == 0
                                : ((const struct mu_str *)at)->len == 0;
}

void swim__fields_encode(struct mu__writer *w, const struct swim__layout *layout, const void *obj)
{
    size_t n = 0;
    for (size_t i = 0; i < layout->n; i++) {
        n += is_left_out(&layout->fields[i], obj) ? 0 : 1;
    }
    mu__mp_write_map(w, n);
    for (size_t i = 0; i < layout->n; i++) {
        const struct swim__field *f = &layout->fields[i];
        if (!is_left_out(f, obj)) {
            mu__mp_write_cstr(w, f->name);
            encode_field(w, f, obj);
        }
    }
}
