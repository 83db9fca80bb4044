/* layers.c - the layers that datagrams and streams share: label, compression, encryption. */
#include "layers.h"

#include "lzw.h"
#include "wire_fields.h"

#include <assert.h>
#include <string.h>

enum { ALGO_LZW = 0, ONE_PASS_MAX = 2048 };

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

bool swim__envelope_has_keys(const struct swim__envelope *e)
{
    return swim__keyring_count(e->keyring) > 0;
}

bool swim__envelope_encrypts(const struct swim__envelope *e)
{
    return swim__envelope_has_keys(e) && e->verify_outgoing;
}

/* ---- label: f4, length, bytes ---- */

/* Takes the label off msg; refuses any but ours. */
enum swim__open_result swim__label_take(const struct swim__envelope *e, struct mu_str *msg)
{
    struct mu_str label = {NULL, 0};
    if (swim__type_of(*msg) == SWIM__MSG_LABEL) {
        struct mu__reader r = mu__reader(msg->p + 1, msg->len - 1);
        label.len = mu__read_u8(&r);
        label.p = (const char *)mu__read_bytes(&r, label.len);
        if (r.failed || label.len == 0 || mu__reader_left(&r) == 0) {
            return SWIM__OPEN_MALFORMED;
        }
        *msg = swim__str(r.data + r.pos, mu__reader_left(&r));
    }
    if (label.len != e->label.len || (label.len && memcmp(label.p, e->label.p, label.len) != 0)) {
        return SWIM__OPEN_LABEL;
    }
    return SWIM__OPEN_OK;
}

void swim__label_put(const struct swim__envelope *e, struct mu__writer *w)
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

/* Unpacks msg into scratch, at most max bytes. What a peer claims is never allocated: only a few
 * times what it sent, or what was counted before. */
enum swim__open_result swim__layer_unpack(struct mu__arena *scratch, size_t max, struct mu_str *msg)
{
    struct mu__reader r = mu__reader(msg->p + 1, msg->len - 1);
    struct packed packed = {{NULL, 0}, 0};
    swim__fields_decode(&r, &packed_layout, &packed);
    const uint8_t *in = (const uint8_t *)packed.buf.p;
    size_t size, len = packed.buf.len;
    if (r.failed || packed.algo != ALGO_LZW) {
        return SWIM__OPEN_MALFORMED;
    }
    /* A datagram seldom grows more than eightfold: then one pass is enough. */
    size_t guess = len <= ONE_PASS_MAX ? mu__min(max, len * 8) : 0;
    uint8_t *out = guess > 0 ? mu__arena_alloc(scratch, guess) : NULL;
    if (out && swim__lzw_unpack(in, len, out, guess, &size) && size > 0) {
        *msg = swim__str(out, size);
        return SWIM__OPEN_OK;
    }
    if (!swim__lzw_unpack(in, len, NULL, max, &size) || size == 0) {
        return SWIM__OPEN_MALFORMED;
    }
    out = mu__arena_alloc(scratch, size);
    if (!out) {
        return SWIM__OPEN_NOMEM;
    }
    bool again = swim__lzw_unpack(in, len, out, size, &size);
    assert(again);
    *msg = swim__str(out, size);
    return SWIM__OPEN_OK;
}

/* Appends the packed form of plain. */
void swim__layer_pack(struct mu_str plain, const struct mu_allocator *allocator,
                      struct mu__writer *w)
{
    struct mu__writer lzw = mu__writer_growing(allocator);
    swim__lzw_pack(&lzw, (const uint8_t *)plain.p, plain.len);
    mu__write_u8(w, SWIM__MSG_COMPRESS);
    struct packed packed = {swim__str(lzw.data, lzw.len), ALGO_LZW};
    swim__fields_encode(w, &packed_layout, &packed);
    w->failed = w->failed || lzw.failed;
    mu__writer_fini(&lzw);
}

/* ---- encryption ---- */

enum swim__open_result swim__layer_decrypt(const struct swim__envelope *e,
                                           struct mu__arena *scratch, struct mu_str aad,
                                           struct mu_str *msg)
{
    uint8_t *out = mu__arena_alloc(scratch, msg->len);
    if (!out) {
        return SWIM__OPEN_NOMEM;
    }
    size_t len;
    if (!swim__unseal(e->keyring, aad, (const uint8_t *)msg->p, msg->len, out, &len)) {
        return SWIM__OPEN_UNDECRYPTED;
    }
    *msg = swim__str(out, len);
    return SWIM__OPEN_OK;
}
