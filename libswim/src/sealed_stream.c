/* sealed_stream.c - streams: [label] [encrypt frame around sealed] [compress] message. */
#include "layers.h"

#include "wire_stream.h"

#include <string.h>

enum { FRAME_HEAD = 5 };

/* The additional data of a frame: its five bytes of header, then the label. */
static struct mu_str frame_aad(const struct swim__envelope *e, const char *head,
                               uint8_t buf[FRAME_HEAD + SWIM__LABEL_MAX])
{
    memcpy(buf, head, FRAME_HEAD);
    if (e->label.len > 0) {
        memcpy(buf + FRAME_HEAD, e->label.p, e->label.len);
    }
    return swim__str(buf, FRAME_HEAD + e->label.len);
}

/* 0a, length, sealed payload. */
static enum swim__open_result take_frame(const struct swim__envelope *e, struct mu__arena *scratch,
                                         struct mu_str *msg)
{
    if (swim__type_of(*msg) != SWIM__MSG_ENCRYPT) {
        return swim__envelope_has_keys(e) && e->verify_incoming ? SWIM__OPEN_PLAIN : SWIM__OPEN_OK;
    }
    if (!swim__envelope_has_keys(e)) {
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
    *msg = swim__str(payload, len);
    return swim__layer_decrypt(e, scratch, aad, msg);
}

/* Is this one whole message of a kind that streams carry, with no further envelope? */
static bool is_stream_message(struct mu_str *msg)
{
    struct swim__framer f;
    uint8_t type = swim__type_of(*msg);
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
    struct mu_str msg = swim__str(data, len);
    enum swim__open_result rc = SWIM__OPEN_OK;
    if (expect_label) {
        rc = swim__label_take(e, &msg);
    }
    if (rc == SWIM__OPEN_OK) {
        rc = take_frame(e, scratch, &msg);
    }
    if (rc == SWIM__OPEN_OK && swim__type_of(msg) == SWIM__MSG_COMPRESS) {
        rc = swim__layer_unpack(scratch, room_in(scratch), &msg);
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
        swim__label_put(e, w);
    }
    struct mu__writer packed = mu__writer_growing(allocator);
    struct mu_str msg = plain;
    if (e->compress) {
        swim__layer_pack(plain, allocator, &packed);
        msg = swim__str(packed.data, packed.len);
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
