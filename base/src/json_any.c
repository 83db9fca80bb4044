/* json_any.c - one encoded msgpack value of any shape as JSON, the way Go prints what it decoded
 * untyped: maps sorted by key, bytes in base64. */
#include "schema.h"

#include "msgpack.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct mu_str key;
    struct mu_str value; /* encoded */
};

/* A list or map whose elements are still to be printed. */
struct frame {
    struct entry *entries; /* a map's, sorted */
    size_t len, at;
    struct mu__reader in; /* a list's elements */
    bool is_map;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    int c = mu__str_cmp(x->key, y->key);
    return c ? c : (x->value.p > y->value.p) - (x->value.p < y->value.p);
}

/* Reads the map at *in. Of equal keys the later is kept; keys that are not text are left out. */
static bool read_map(struct frame *f, struct mu__reader *in)
{
    size_t n = mu__mp_read_map(in);
    f->is_map = true;
    f->entries = mu__calloc(&mu__malloc_allocator, n, sizeof *f->entries);
    if (!f->entries) {
        return false;
    }
    for (; n > 0 && !in->failed; n--) {
        struct mu_str key = {NULL, 0};
        enum mu__mp_type type = mu__mp_peek(in);
        if (type == MU_MP_RAW || type == MU_MP_BIN) {
            key = mu__mp_read_bytes(in);
        } else {
            mu__mp_skip(in);
        }
        size_t from = in->pos;
        mu__mp_skip(in);
        if (key.p && !in->failed) {
            struct mu_str value = {(const char *)in->data + from, in->pos - from};
            f->entries[f->len++] = (struct entry){key, value};
        }
    }
    if (f->len > 1) {
        qsort(f->entries, f->len, sizeof *f->entries, compare_entries);
    }
    return true;
}

static void put_number(struct mu__json *j, struct mu__reader *in)
{
    if (in->data[in->pos] == 0xcf) { /* the one form that may exceed int64 */
        mu__json_uint(j, mu__mp_read_uint(in, UINT64_MAX));
    } else {
        mu__json_int(j, mu__mp_read_int(in));
    }
}

/* Prints a value that is not a container; false when it is one. */
static bool put_scalar(struct mu__json *j, struct mu__reader *in)
{
    struct mu_str s;
    switch (mu__mp_peek(in)) {
    case MU_MP_BOOL:
        mu__json_bool(j, mu__mp_read_bool(in));
        return true;
    case MU_MP_INT:
        put_number(j, in);
        return true;
    case MU_MP_FLOAT:
        mu__json_float(j, mu__mp_read_float(in));
        return true;
    case MU_MP_RAW:
        mu__json_str(j, mu__mp_read_str(in));
        return true;
    case MU_MP_BIN:
        s = mu__mp_read_bytes(in);
        mu__json_base64(j, s.p, s.len);
        return true;
    case MU_MP_ARRAY:
    case MU_MP_MAP:
        return false;
    case MU_MP_NIL:
    case MU_MP_EXT:
    case MU_MP_END:
        mu__mp_skip(in);
        mu__json_null(j);
        return true;
    }
    return true;
}

/* Opens the container at *in: prints its bracket, and makes a frame of its elements. */
static bool open_frame(struct mu__json *j, struct frame *f, struct mu__reader *in)
{
    *f = (struct frame){.is_map = false};
    if (mu__mp_peek(in) == MU_MP_MAP) {
        mu__json_object(j);
        return read_map(f, in);
    }
    struct mu__reader elements = *in;
    mu__mp_skip(in);
    f->len = mu__mp_read_array(&elements);
    f->in = elements;
    mu__json_list(j);
    return true;
}

static void close_frame(struct mu__json *j, struct frame *f)
{
    if (f->is_map) {
        mu__json_object_end(j);
    } else {
        mu__json_list_end(j);
    }
    mu__free(&mu__malloc_allocator, f->entries);
}

/* Prints what stands before the next element of f, and gives a reader on the element. */
static struct mu__reader next_element(struct mu__json *j, struct frame *f)
{
    struct entry *e = f->is_map ? &f->entries[f->at] : NULL;
    f->at++;
    if (e) {
        mu__json_key(j, e->key);
        return mu__reader(e->value.p, e->value.len);
    }
    mu__json_item(j);
    size_t from = f->in.pos;
    mu__mp_skip(&f->in);
    return mu__reader(f->in.data + from, f->in.pos - from);
}

static bool is_overridden(const struct frame *f)
{
    return f->is_map && f->at + 1 < f->len &&
           mu__str_eq(f->entries[f->at].key, f->entries[f->at + 1].key);
}

void mu__json_any(struct mu__json *j, struct mu_str msgpack)
{
    struct frame frames[MU_MSGPACK_DEPTH_MAX];
    size_t depth = 0;
    struct mu__reader in = mu__reader(msgpack.p, msgpack.len);
    for (;;) {
        if (!put_scalar(j, &in)) {
            if (depth == MU_MSGPACK_DEPTH_MAX || !open_frame(j, &frames[depth], &in)) {
                j->w->failed = true;
                break;
            }
            depth++;
        }
        while (depth > 0 && frames[depth - 1].at == frames[depth - 1].len) {
            close_frame(j, &frames[--depth]);
        }
        if (depth == 0) {
            return;
        }
        while (is_overridden(&frames[depth - 1])) {
            frames[depth - 1].at++;
        }
        in = next_element(j, &frames[depth - 1]);
    }
    while (depth > 0) {
        mu__free(&mu__malloc_allocator, frames[--depth].entries);
    }
}
