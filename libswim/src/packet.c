/* packet.c - datagrams: [label] [sealed] [crc] [compress] (compound of parts | message). */
#include "layers.h"

#include <assert.h>
#include <string.h>

enum { CRC_HEAD = 5 };

/* ---- receiving ---- */

/* 0c, crc32 of the rest, rest. Shorter packets of that type are no checksum to old peers, and
 * rubbish to all. */
static enum swim__open_result take_crc(struct mu_str *msg)
{
    if (swim__type_of(*msg) != SWIM__MSG_CRC) {
        return SWIM__OPEN_OK;
    }
    if (msg->len <= CRC_HEAD) {
        return SWIM__OPEN_MALFORMED;
    }
    struct mu__reader r = mu__reader(msg->p + 1, msg->len - 1);
    uint32_t want = mu__read_u32be(&r);
    *msg = swim__str(msg->p + CRC_HEAD, msg->len - CRC_HEAD);
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
    struct mu_str msg = swim__str(data, len);
    enum swim__open_result rc = swim__label_take(e, &msg);
    if (rc == SWIM__OPEN_OK && swim__envelope_has_keys(e)) {
        rc = swim__layer_decrypt(e, scratch, e->label, &msg);
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
            *msg = swim__str(p, len);
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
    while (swim__type_of(*msg) == SWIM__MSG_COMPRESS && layers < SWIM__NEST_MAX) {
        if (swim__layer_unpack(o->scratch, o->budget, msg) != SWIM__OPEN_OK) {
            o->malformed++;
            return false;
        }
        o->budget -= msg->len;
        layers++;
    }
    uint8_t type = swim__type_of(*msg);
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

/* ---- sending ---- */

size_t swim__packet_overhead(const struct swim__envelope *e)
{
    size_t label = e->label.len > 0 ? SWIM__LABEL_HEAD + e->label.len : 0;
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
        swim__layer_pack(swim__str(w->data + start, w->len - start), allocator, &packed);
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
    if (e->compress && w->len - start >= e->compress_least) {
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
    swim__label_put(e, w);
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
        swim__seal(e->keyring, options->nonce, e->label, swim__str(plain.data, plain.len), w);
    }
    mu__writer_fini(&plain);
    return !w->failed;
}
