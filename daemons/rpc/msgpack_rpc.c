#include "msgpack_rpc.h"

#include "config_codec.h"
#include "endpoints.h"

#include "msgpack.h"

#include <assert.h>
#include <string.h>

#define KEEP_CAP     65536u /* an inbox that grew beyond this gives its memory back */
#define BY_REFERENCE 16384u /* larger replies are not copied into the output */

void rpc_scan_init(struct rpc_scan *s, uint64_t values)
{
    s->pos = 0;
    s->depth = 0;
    s->left[0] = values;
}

/* A value: the bytes of its head and payload, and how many values it contains. */
struct shape {
    size_t head, payload;
    uint64_t inner;
};

static uint64_t read_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* For the forms from 0xc0 to 0xdf: bytes of length field, bytes that follow beside it, values
 * inside per counted element. */
struct form {
    uint8_t length, fixed, per_byte, per_element;
};
/* clang-format off */
static const struct form forms[32] = {
    [0x00] = {0, 0, 0, 0},                                              /* 00 to 03: nil, bool */
    [0x04] = {1, 0, 1, 0}, {2, 0, 1, 0}, {4, 0, 1, 0},                  /* bin */
    [0x07] = {1, 1, 1, 0}, {2, 1, 1, 0}, {4, 1, 1, 0},                  /* ext: its type, bytes */
    [0x0a] = {0, 4, 0, 0}, {0, 8, 0, 0},                                /* float */
    [0x0c] = {0, 1, 0, 0}, {0, 2, 0, 0}, {0, 4, 0, 0}, {0, 8, 0, 0},    /* uint */
    [0x10] = {0, 1, 0, 0}, {0, 2, 0, 0}, {0, 4, 0, 0}, {0, 8, 0, 0},    /* int */
    [0x14] = {0, 2, 0, 0}, {0, 3, 0, 0}, {0, 5, 0, 0}, {0, 9, 0, 0},    /* fixext 1 to 8 */
    [0x18] = {0, 17, 0, 0},                                             /* fixext 16 */
    [0x19] = {1, 0, 1, 0}, {2, 0, 1, 0}, {4, 0, 1, 0},                  /* str8, raw16, raw32 */
    [0x1c] = {2, 0, 0, 1}, {4, 0, 0, 1},                                /* array */
    [0x1e] = {2, 0, 0, 2}, {4, 0, 0, 2},                                /* map */
};
/* clang-format on */

static struct shape shape_of(uint8_t b)
{
    if (b < 0x80 || b >= 0xe0) {
        return (struct shape){1, 0, 0};
    }
    if (b < 0x90) {
        return (struct shape){1, 0, 2 * (uint64_t)(b & 15u)};
    }
    if (b < 0xa0) {
        return (struct shape){1, 0, b & 15u};
    }
    return (struct shape){1, b & 31u, 0}; /* a0-bf: short text */
}

/* Fills *out from the bytes at p; false when the head is not complete. out->head is 0 when there is
 * no such form. */
static bool read_shape(const uint8_t *p, size_t len, struct shape *out)
{
    if (len == 0) {
        return false;
    }
    if (*p < 0xc0 || *p >= 0xe0) {
        *out = shape_of(*p);
        return true;
    }
    struct form f = forms[*p - 0xc0];
    if (*p == 0xc1) {
        *out = (struct shape){0, 0, 0};
        return true;
    }
    if (len < 1u + f.length) {
        return false;
    }
    uint64_t n = read_be(p + 1, f.length);
    *out = (struct shape){1u + f.length, f.fixed + n * f.per_byte, n * f.per_element};
    return true;
}

enum rpc_progress rpc_scan(struct rpc_scan *s, const uint8_t *data, size_t len, size_t limit)
{
    for (;;) {
        while (s->left[s->depth] == 0) {
            if (s->depth == 0) {
                return s->pos > limit ? RPC_TOO_LARGE : s->pos <= len ? RPC_COMPLETE : RPC_MORE;
            }
            s->depth--;
        }
        struct shape v;
        if (s->pos >= len || !read_shape(data + s->pos, len - s->pos, &v)) {
            return s->pos > limit ? RPC_TOO_LARGE : RPC_MORE;
        }
        if (v.head == 0) {
            return RPC_MALFORMED;
        }
        if (v.payload > limit || v.inner > limit) {
            return RPC_TOO_LARGE; /* each value inside takes a byte at least */
        }
        s->pos += v.head + v.payload;
        s->left[s->depth]--;
        if (v.inner) {
            if (s->depth + 1 == RPC_DEPTH_MAX) {
                return RPC_MALFORMED;
            }
            s->left[++s->depth] = v.inner;
        }
    }
}

void rpc_inbox_init(struct rpc_inbox *b, size_t limit)
{
    *b = (struct rpc_inbox){.limit = limit};
    rpc_scan_init(&b->scan, 2);
}

void rpc_inbox_fini(struct rpc_inbox *b)
{
    mu__free(&mu__malloc_allocator, b->data);
    rpc_inbox_init(b, b->limit);
}

enum rpc_progress rpc_inbox_feed(struct rpc_inbox *b, struct evbuffer *from)
{
    size_t n = evbuffer_get_length(from);
    if (n) {
        if (!mu__reserve(&mu__malloc_allocator, (void **)&b->data, &b->cap, b->len + n, 1)) {
            return RPC_TOO_LARGE;
        }
        evbuffer_remove(from, b->data + b->len, n);
        b->len += n;
    }
    return rpc_scan(&b->scan, b->data, b->len, b->limit);
}

struct mu__reader rpc_inbox_message(const struct rpc_inbox *b)
{
    return mu__reader(b->data, b->scan.pos);
}

void rpc_inbox_drop(struct rpc_inbox *b)
{
    assert(b->scan.pos <= b->len);
    size_t rest = b->len - b->scan.pos;
    if (rest) {
        memmove(b->data, b->data + b->scan.pos, rest);
    }
    b->len = rest;
    rpc_scan_init(&b->scan, 2);
    if (!rest && b->cap > KEEP_CAP) {
        mu__free(&mu__malloc_allocator, b->data);
        b->data = NULL;
        b->cap = 0;
    }
}

static const struct mu__field request_fields[] = {
    {.name = "Forwarded",
     .kind = MU_BOOL,
     .flags = MU_F_OMIT_MSGPACK,
     .offset = offsetof(struct rpc_request_header, forwarded)},
    {.name = "Seq", .kind = MU_UINT, .offset = offsetof(struct rpc_request_header, seq)},
    {.name = "ServiceMethod",
     .kind = MU_STR,
     .offset = offsetof(struct rpc_request_header, method)},
};
static const struct mu__field response_fields[] = {
    {.name = "Error", .kind = MU_STR, .offset = offsetof(struct rpc_response_header, error)},
    {.name = "Seq", .kind = MU_UINT, .offset = offsetof(struct rpc_response_header, seq)},
    {.name = "ServiceMethod",
     .kind = MU_STR,
     .offset = offsetof(struct rpc_response_header, method)},
};
static const uint8_t in_order[] = {0, 1, 2};
static const struct mu__schema request_schema = {
    "Request", request_fields, 3, in_order, 3, sizeof(struct rpc_request_header)};
static const struct mu__schema response_schema = {
    "Response", response_fields, 3, in_order, 3, sizeof(struct rpc_response_header)};

bool rpc_read_request_header(struct mu__reader *r, struct mu__arena *a,
                             struct rpc_request_header *out)
{
    return mu__schema_decode(&request_schema, r, a, true, out);
}

bool rpc_read_response_header(struct mu__reader *r, struct mu__arena *a,
                              struct rpc_response_header *out)
{
    return mu__schema_decode(&response_schema, r, a, true, out);
}

void rpc_write_request(struct mu__writer *w, const struct rpc_request_header *h,
                       const struct endpoint *e, const void *request)
{
    mu__schema_encode(&request_schema, h, w);
    if (e->request_codec) {
        e->request_codec->write(w, request);
    } else if (e->request) {
        mu__schema_encode(e->request, request, w);
    } else {
        mu__mp_write_map(w, 0);
    }
}

static void write_strs(struct mu__writer *w, const struct mu_strs *v)
{
    mu__mp_write_array(w, v->len);
    for (size_t i = 0; i < v->len; i++) {
        mu__mp_write_raw(w, v->items[i].p, v->items[i].len);
    }
}

static void write_list(struct mu__writer *w, const struct mu__schema *s, const struct mu_list *v)
{
    mu__mp_write_array(w, v ? v->len : 0);
    for (size_t i = 0; v && i < v->len; i++) {
        mu__schema_encode(s, v->items[i], w);
    }
}

void rpc_write_reply(struct mu__writer *w, const struct call *c)
{
    /* A backend that had no memory for a reply leaves none: then it is the zero value. */
    static const struct mu_strs none = {NULL, 0};
    const struct mu_str *text = c->reply;
    const bool *flag = c->reply;
    switch (c->endpoint->reply_kind) {
    case REPLY_EMPTY:
        mu__mp_write_map(w, 0);
        break;
    case REPLY_STRUCT:
        if (c->endpoint->reply_codec) {
            c->endpoint->reply_codec->write(w, c->reply);
        } else {
            mu__schema_encode(c->endpoint->reply, c->reply, w);
        }
        break;
    case REPLY_BOOL:
        mu__mp_write_bool(w, flag && *flag);
        break;
    case REPLY_STR:
        mu__mp_write_raw(w, text ? text->p : NULL, text ? text->len : 0);
        break;
    case REPLY_STRS:
        write_strs(w, c->reply ? c->reply : &none);
        break;
    case REPLY_LIST:
        write_list(w, c->endpoint->reply, c->reply);
        break;
    }
}

void rpc_write_response(struct mu__writer *w, uint64_t seq, struct mu_str method,
                        const struct call *c)
{
    if (c->error) {
        rpc_write_error(w, seq, method, mu__cstr(c->error));
        return;
    }
    struct rpc_response_header h = {{NULL, 0}, seq, method};
    mu__schema_encode(&response_schema, &h, w);
    rpc_write_reply(w, c);
}

void rpc_write_error(struct mu__writer *w, uint64_t seq, struct mu_str method, struct mu_str error)
{
    struct rpc_response_header h = {error, seq, method};
    mu__schema_encode(&response_schema, &h, w);
    mu__mp_write_map(w, 0);
}

static struct mu_str keep(struct mu__reader *r, struct mu__arena *a, bool lend, struct mu_str s)
{
    if (!lend && s.len) {
        s.p = mu__arena_memdup(a, s.p, s.len);
        if (!s.p) {
            mu__reader_fail(r);
        }
    }
    return s;
}

static void read_strs(struct mu__reader *r, struct mu__arena *a, bool lend, struct mu_strs *out)
{
    size_t n = mu__mp_read_array(r);
    out->items = mu__arena_calloc(a, n, sizeof *out->items);
    if (!out->items) {
        mu__reader_fail(r);
        return;
    }
    for (; out->len < n && !r->failed; out->len++) {
        out->items[out->len] = keep(r, a, lend, mu__mp_read_str(r));
    }
}

static void read_list(struct mu__reader *r, const struct mu__schema *s, struct mu__arena *a,
                      bool lend, struct mu_list *out)
{
    size_t n = mu__mp_read_array(r);
    out->items = mu__arena_calloc(a, n, sizeof *out->items);
    if (!out->items) {
        mu__reader_fail(r);
        return;
    }
    for (; out->len < n && !r->failed; out->len++) {
        out->items[out->len] = mu__arena_alloc(a, s->size);
        if (!out->items[out->len]) {
            mu__reader_fail(r);
            return;
        }
        mu__schema_decode(s, r, a, lend, out->items[out->len]);
    }
}

bool rpc_read_reply(struct mu__reader *r, bool lend, struct call *c)
{
    if (c->endpoint->reply_kind == REPLY_EMPTY) {
        mu__mp_skip(r);
        return !r->failed;
    }
    void *reply = mu__arena_calloc(&c->arena, 1, endpoint_reply_size(c->endpoint));
    if (!reply) {
        return false;
    }
    switch (c->endpoint->reply_kind) {
    case REPLY_STRUCT:
        if (c->endpoint->reply_codec) {
            c->endpoint->reply_codec->read(r, &c->arena, lend, reply);
        } else {
            mu__schema_decode(c->endpoint->reply, r, &c->arena, lend, reply);
        }
        break;
    case REPLY_BOOL:
        *(bool *)reply = mu__mp_read_bool(r);
        break;
    case REPLY_STR:
        *(struct mu_str *)reply = keep(r, &c->arena, lend, mu__mp_read_str(r));
        break;
    case REPLY_STRS:
        read_strs(r, &c->arena, lend, reply);
        break;
    case REPLY_LIST:
        read_list(r, c->endpoint->reply, &c->arena, lend, reply);
        break;
    case REPLY_EMPTY:
        break;
    }
    if (!r->failed) {
        c->reply = reply;
    }
    return !r->failed;
}

static void free_data(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    mu__free(&mu__malloc_allocator, arg);
}

bool rpc_writer_flush(struct mu__writer *w, struct evbuffer *out)
{
    if (w->failed) {
        return false;
    }
    if (w->len < BY_REFERENCE) {
        bool ok = evbuffer_add(out, w->data, w->len) == 0;
        w->len = 0;
        return ok;
    }
    if (evbuffer_add_reference(out, w->data, w->len, free_data, w->data) != 0) {
        return false;
    }
    *w = mu__writer_growing(w->allocator);
    return true;
}
