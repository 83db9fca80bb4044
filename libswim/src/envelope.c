#include "envelope.h"

#include "lzw.h"
#include "wire_fields.h"
#include "wire_stream.h"

#include <assert.h>
#include <string.h>

enum { CRC_HEAD = 5, FRAME_HEAD = 5, LABEL_HEAD = 2, ALGO_LZW = 0 };

const char *swim__open_text(enum swim__open_result result)
{
    switch (result) {
    case SWIM__OPEN_OK:
        return "";
    case SWIM__OPEN_MALFORMED:
        return "malformed message";
    case SWIM__OPEN_LABEL:
        return "label does not match";
    case SWIM__OPEN_UNDECRYPTED:
        return "No installed keys could decrypt the message";
    case SWIM__OPEN_PLAIN:
        return "Encryption is configured but remote state is not encrypted";
    case SWIM__OPEN_ENCRYPTED:
        return "Remote state is encrypted and encryption is not configured";
    case SWIM__OPEN_CHECKSUM:
        return "checksum does not match";
    case SWIM__OPEN_NOMEM:
        return "out of memory";
    }
    return "";
}

static struct mu_str str_of(const void *p, size_t len)
{
    return (struct mu_str){p, len};
}

static uint8_t type_of(struct mu_str msg)
{
    return (uint8_t)msg.p[0];
}

static bool has_keys(const struct swim__envelope *e)
{
    return swim__keyring_count(e->keyring) > 0;
}

bool swim__envelope_encrypts(const struct swim__envelope *e)
{
    return has_keys(e) && e->verify_outgoing;
}

/* ---- label: f4, length, bytes ---- */

/* Takes the label off msg; refuses any but ours. */
static enum swim__open_result take_label(const struct swim__envelope *e, struct mu_str *msg)
{
    struct mu_str label = {NULL, 0};
    if (type_of(*msg) == SWIM__MSG_LABEL) {
        struct mu__reader r = mu__reader(msg->p + 1, msg->len - 1);
        label.len = mu__read_u8(&r);
        label.p = (const char *)mu__read_bytes(&r, label.len);
        if (r.failed || label.len == 0 || mu__reader_left(&r) == 0) {
            return SWIM__OPEN_MALFORMED;
        }
        *msg = str_of(r.data + r.pos, mu__reader_left(&r));
    }
    if (label.len != e->label.len || (label.len && memcmp(label.p, e->label.p, label.len) != 0)) {
        return SWIM__OPEN_LABEL;
    }
    return SWIM__OPEN_OK;
}

static void put_label(const struct swim__envelope *e, struct mu__writer *w)
{
    if (e->label.len > 0) {
        mu__write_u8(w, SWIM__MSG_LABEL);
        mu__write_u8(w, (uint8_t)e->label.len);
        mu__write_bytes(w, e->label.p, e->label.len);
    }
}

/* ---- compress: 09, {Algo, Buf} ---- */

struct packed {
    struct mu_str buf;
    uint8_t algo;
};
static const struct swim__field packed_fields[] = {
    {"Algo", SWIM__U8, false, offsetof(struct packed, algo), NULL},
    {"Buf", SWIM__RAW, false, offsetof(struct packed, buf), NULL},
};
static const struct swim__layout packed_layout = SWIM__LAYOUT(packed_fields);

/* Unpacks msg into scratch, at most max bytes: sized first, so that what a peer claims is never
 * allocated. */
static enum swim__open_result unpack(struct mu__arena *scratch, size_t max, struct mu_str *msg)
{
    struct mu__reader r = mu__reader(msg->p + 1, msg->len - 1);
    struct packed packed = {{NULL, 0}, 0};
    swim__fields_decode(&r, &packed_layout, &packed);
    const uint8_t *in = (const uint8_t *)packed.buf.p;
    size_t size;
    if (r.failed || packed.algo != ALGO_LZW) {
        return SWIM__OPEN_MALFORMED;
    }
    if (!swim__lzw_unpack(in, packed.buf.len, NULL, max, &size) || size == 0) {
        return SWIM__OPEN_MALFORMED;
    }
    uint8_t *out = mu__arena_alloc(scratch, size);
    if (!out) {
        return SWIM__OPEN_NOMEM;
    }
    bool again = swim__lzw_unpack(in, packed.buf.len, out, size, &size);
    assert(again);
    *msg = str_of(out, size);
    return SWIM__OPEN_OK;
}

/* Appends the packed form of plain. */
static void pack(struct mu_str plain, const struct mu_allocator *allocator, struct mu__writer *w)
{
    struct mu__writer lzw = mu__writer_growing(allocator);
    swim__lzw_pack(&lzw, (const uint8_t *)plain.p, plain.len);
    mu__write_u8(w, SWIM__MSG_COMPRESS);
    struct packed packed = {str_of(lzw.data, lzw.len), ALGO_LZW};
    swim__fields_encode(w, &packed_layout, &packed);
    w->failed = w->failed || lzw.failed;
    mu__writer_fini(&lzw);
}

/* ---- encryption ---- */

static enum swim__open_result decrypt(const struct swim__envelope *e, struct mu__arena *scratch,
                                      struct mu_str aad, struct mu_str *msg)
{
    uint8_t *out = mu__arena_alloc(scratch, msg->len);
    if (!out) {
        return SWIM__OPEN_NOMEM;
    }
    size_t len;
    if (!swim__unseal(e->keyring, aad, (const uint8_t *)msg->p, msg->len, out, &len)) {
        return SWIM__OPEN_UNDECRYPTED;
    }
    *msg = str_of(out, len);
    return SWIM__OPEN_OK;
}

/* ---- receiving a datagram ---- */

/* 0c, crc32 of the rest, rest. Shorter packets of that type are no checksum to old peers, and
 * rubbish to all. */
static enum swim__open_result take_crc(struct mu_str *msg)
{
    if (type_of(*msg) != SWIM__MSG_CRC) {
        return SWIM__OPEN_OK;
    }
    if (msg->len <= CRC_HEAD) {
        return SWIM__OPEN_MALFORMED;
    }
    struct mu__reader r = mu__reader(msg->p + 1, msg->len - 1);
    uint32_t want = mu__read_u32be(&r);
    *msg = str_of(msg->p + CRC_HEAD, msg->len - CRC_HEAD);
    return swim__crc32(msg->p, msg->len) == want ? SWIM__OPEN_OK : SWIM__OPEN_CHECKSUM;
}

enum swim__open_result swim__packet_open(struct swim__opener *o, const struct swim__envelope *e,
                                         struct mu__arena *scratch, const void *data, size_t len)
{
    memset(o, 0, sizeof *o);
    o->scratch = scratch;
    o->budget = SWIM__PACKET_PLAIN_MAX;
    if (len == 0) {
        return SWIM__OPEN_MALFORMED;
    }
    struct mu_str msg = str_of(data, len);
    enum swim__open_result rc = take_label(e, &msg);
    if (rc == SWIM__OPEN_OK && has_keys(e)) {
        rc = decrypt(e, scratch, e->label, &msg);
        if (rc == SWIM__OPEN_UNDECRYPTED && !e->verify_incoming) {
            rc = SWIM__OPEN_OK; /* then it is plain */
        }
    }
    if (rc == SWIM__OPEN_OK) {
        rc = take_crc(&msg);
    }
    if (rc == SWIM__OPEN_OK) {
        o->single = msg;
    }
    return rc;
}

/* 07, n, n lengths, n parts: begins the walk over them. */
static bool push_compound(struct swim__opener *o, struct mu_str msg)
{
    struct mu__reader r = mu__reader(msg.p + 1, msg.len - 1);
    size_t n = mu__read_u8(&r);
    const uint8_t *lens = mu__read_bytes(&r, 2 * n);
    if (r.failed) {
        return false;
    }
    o->stack[o->depth].lens = mu__reader(lens, 2 * n);
    o->stack[o->depth].parts = mu__reader(r.data + r.pos, mu__reader_left(&r));
    o->depth++;
    return true;
}

/* The next part of the innermost compound. A part that is cut off ends its compound; an empty one,
 * which crashes old peers, is passed over. */
static bool next_part(struct swim__opener *o, struct mu_str *msg)
{
    while (o->depth > 0) {
        struct mu__reader *lens = &o->stack[o->depth - 1].lens;
        struct mu__reader *parts = &o->stack[o->depth - 1].parts;
        if (mu__reader_left(lens) == 0) {
            o->depth--;
            continue;
        }
        size_t len = mu__read_u16be(lens);
        const uint8_t *p = mu__read_bytes(parts, len);
        if (!p) {
            o->malformed += 1 + mu__reader_left(lens) / 2;
            o->depth--;
        } else if (len == 0) {
            o->malformed++;
        } else {
            *msg = str_of(p, len);
            return true;
        }
    }
    return false;
}

/* Takes compression off, and makes a compound the innermost walk. True when *msg is a plain message
 * now. */
static bool descend(struct swim__opener *o, struct mu_str *msg)
{
    size_t layers = o->depth;
    while (type_of(*msg) == SWIM__MSG_COMPRESS && layers < SWIM__NEST_MAX) {
        if (unpack(o->scratch, o->budget, msg) != SWIM__OPEN_OK) {
            o->malformed++;
            return false;
        }
        o->budget -= msg->len;
        layers++;
    }
    uint8_t type = type_of(*msg);
    if (type != SWIM__MSG_COMPOUND && type != SWIM__MSG_COMPRESS) {
        return true;
    }
    if (type == SWIM__MSG_COMPRESS || o->depth == SWIM__NEST_MAX || !push_compound(o, *msg)) {
        o->malformed++;
    }
    return false;
}

bool swim__packet_next(struct swim__opener *o, struct mu_str *msg)
{
    struct mu_str m = o->single;
    o->single = (struct mu_str){NULL, 0};
    while (m.len > 0 || next_part(o, &m)) {
        if (descend(o, &m)) {
            *msg = m;
            return true;
        }
        m.len = 0;
    }
    return false;
}

/* ---- sending a datagram ---- */

size_t swim__packet_overhead(const struct swim__envelope *e)
{
    size_t label = e->label.len > 0 ? LABEL_HEAD + e->label.len : 0;
    return label + (swim__envelope_encrypts(e) ? SWIM__SEAL_EXTRA : 0);
}

static void put_messages(const struct mu_str *msgs, size_t n, struct mu__writer *w)
{
    if (n > 1) {
        mu__write_u8(w, SWIM__MSG_COMPOUND);
        mu__write_u8(w, (uint8_t)n);
        for (size_t i = 0; i < n; i++) {
            mu__write_u16be(w, (uint16_t)msgs[i].len);
        }
    }
    for (size_t i = 0; i < n; i++) {
        mu__write_bytes(w, msgs[i].p, msgs[i].len);
    }
}

static bool may_be_sent(const struct mu_str *msgs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (msgs[i].len == 0 || (n > 1 && msgs[i].len > UINT16_MAX)) {
            return false;
        }
    }
    return n > 0 && n <= SWIM__COMPOUND_MAX;
}

/* Replaces what was written since `start` by its packed form, where that is shorter. */
static void pack_since(size_t start, const struct mu_allocator *allocator, struct mu__writer *w)
{
    struct mu__writer packed = mu__writer_growing(allocator);
    if (!w->failed) {
        pack(str_of(w->data + start, w->len - start), allocator, &packed);
        if (!packed.failed && packed.len < w->len - start) {
            w->len = start;
            mu__write_bytes(w, packed.data, packed.len);
        }
    }
    mu__writer_fini(&packed);
}

/* The datagram without label and seal. */
static void put_plain(const struct swim__envelope *e, bool with_crc, const struct mu_str *msgs,
                      size_t n, const struct mu_allocator *allocator, struct mu__writer *w)
{
    size_t crc_at = w->len;
    if (with_crc) {
        mu__write_room(w, CRC_HEAD);
    }
    size_t start = w->len;
    put_messages(msgs, n, w);
    if (e->compress) {
        pack_since(start, allocator, w);
    }
    if (with_crc && !w->failed) {
        struct mu__writer head = mu__writer_fixed(w->data + crc_at, CRC_HEAD);
        mu__write_u8(&head, SWIM__MSG_CRC);
        mu__write_u32be(&head, swim__crc32(w->data + start, w->len - start));
    }
}

bool swim__packet_seal(const struct swim__envelope *e, const struct swim__packet_options *options,
                       const struct mu_str *msgs, size_t n, const struct mu_allocator *allocator,
                       struct mu__writer *w)
{
    if (!may_be_sent(msgs, n)) {
        return false;
    }
    put_label(e, w);
    if (!swim__envelope_encrypts(e)) {
        put_plain(e, options->with_crc, msgs, n, allocator, w);
        return !w->failed;
    }
    struct mu__writer plain = mu__writer_growing(allocator);
    put_plain(e, options->with_crc, msgs, n, allocator, &plain);
    if (plain.failed) {
        w->failed = true;
    } else {
        assert(options->nonce);
        swim__seal(e->keyring, options->nonce, e->label, str_of(plain.data, plain.len), w);
    }
    mu__writer_fini(&plain);
    return !w->failed;
}

/* ---- streams ---- */

/* The additional data of a frame: its five bytes of header, then the label. */
static struct mu_str frame_aad(const struct swim__envelope *e, const char *head,
                               uint8_t buf[FRAME_HEAD + SWIM__LABEL_MAX])
{
    memcpy(buf, head, FRAME_HEAD);
    if (e->label.len > 0) {
        memcpy(buf + FRAME_HEAD, e->label.p, e->label.len);
    }
    return str_of(buf, FRAME_HEAD + e->label.len);
}

/* 0a, length, sealed payload. */
static enum swim__open_result take_frame(const struct swim__envelope *e, struct mu__arena *scratch,
                                         struct mu_str *msg)
{
    if (type_of(*msg) != SWIM__MSG_ENCRYPT) {
        return has_keys(e) && e->verify_incoming ? SWIM__OPEN_PLAIN : SWIM__OPEN_OK;
    }
    if (!has_keys(e)) {
        return SWIM__OPEN_ENCRYPTED;
    }
    struct mu__reader r = mu__reader(msg->p + 1, msg->len - 1);
    uint32_t len = mu__read_u32be(&r);
    const uint8_t *payload = mu__read_bytes(&r, len);
    if (r.failed) {
        return SWIM__OPEN_MALFORMED;
    }
    uint8_t buf[FRAME_HEAD + SWIM__LABEL_MAX];
    struct mu_str aad = frame_aad(e, msg->p, buf);
    *msg = str_of(payload, len);
    return decrypt(e, scratch, aad, msg);
}

/* Is this one whole message of a kind that streams carry, with no further envelope? */
static bool is_stream_message(struct mu_str *msg)
{
    struct swim__framer f;
    uint8_t type = type_of(*msg);
    if (type == SWIM__MSG_LABEL || type == SWIM__MSG_ENCRYPT || type == SWIM__MSG_COMPRESS) {
        return false;
    }
    swim__framer_init(&f);
    if (swim__framer_feed(&f, (const uint8_t *)msg->p, msg->len) != SWIM__FRAME_WHOLE) {
        return false;
    }
    msg->len = f.pos;
    return true;
}

static size_t room_in(const struct mu__arena *a)
{
    if (a->limit == 0) {
        return SWIM__STREAM_PLAIN_MAX;
    }
    return mu__min(a->limit - mu__min(a->used, a->limit), SWIM__STREAM_PLAIN_MAX);
}

enum swim__open_result swim__stream_open(const struct swim__envelope *e, bool expect_label,
                                         struct mu__arena *scratch, const void *data, size_t len,
                                         struct mu_str *plain)
{
    if (len == 0) {
        return SWIM__OPEN_MALFORMED;
    }
    struct mu_str msg = str_of(data, len);
    enum swim__open_result rc = SWIM__OPEN_OK;
    if (expect_label) {
        rc = take_label(e, &msg);
    }
    if (rc == SWIM__OPEN_OK) {
        rc = take_frame(e, scratch, &msg);
    }
    if (rc == SWIM__OPEN_OK && type_of(msg) == SWIM__MSG_COMPRESS) {
        rc = unpack(scratch, room_in(scratch), &msg);
    }
    if (rc != SWIM__OPEN_OK) {
        return rc;
    }
    if (!is_stream_message(&msg)) {
        return SWIM__OPEN_MALFORMED;
    }
    *plain = msg;
    return SWIM__OPEN_OK;
}

static void put_frame(const struct swim__envelope *e, const uint8_t *nonce, struct mu_str msg,
                      struct mu__writer *w)
{
    char head[FRAME_HEAD];
    struct mu__writer h = mu__writer_fixed(head, sizeof head);
    mu__write_u8(&h, SWIM__MSG_ENCRYPT);
    mu__write_u32be(&h, (uint32_t)(msg.len + SWIM__SEAL_EXTRA));
    uint8_t buf[FRAME_HEAD + SWIM__LABEL_MAX];
    mu__write_bytes(w, head, sizeof head);
    swim__seal(e->keyring, nonce, frame_aad(e, head, buf), msg, w);
}

bool swim__stream_seal(const struct swim__envelope *e, bool with_label,
                       const uint8_t nonce[SWIM__NONCE_LEN], struct mu_str plain,
                       const struct mu_allocator *allocator, struct mu__writer *w)
{
    if (plain.len == 0 || plain.len > SWIM__STREAM_PLAIN_MAX) {
        return false;
    }
    if (with_label) {
        put_label(e, w);
    }
    struct mu__writer packed = mu__writer_growing(allocator);
    struct mu_str msg = plain;
    if (e->compress) {
        pack(plain, allocator, &packed);
        msg = str_of(packed.data, packed.len);
    }
    if (packed.failed || msg.len > SWIM__STREAM_PACKED_MAX - SWIM__SEAL_EXTRA) {
        w->failed = true;
    } else if (swim__envelope_encrypts(e)) {
        put_frame(e, nonce, msg, w);
    } else {
        mu__write_bytes(w, msg.p, msg.len);
    }
    mu__writer_fini(&packed);
    return !w->failed;
}
