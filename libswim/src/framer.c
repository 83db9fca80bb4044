/* framer.c - finds the end of a stream's message in bytes that trickle in. Every function says
 * whether it needs more of them; what has been understood is never looked at again. */
#include "wire_stream.h"

#include <string.h>

enum stage {
    AT_LABEL,  /* the first byte, which may announce a label */
    AT_TYPE,   /* the type byte of the message */
    AT_FRAME,  /* the length of an encrypted frame */
    AT_VALUES, /* msgpack values */
    AT_BYTES,  /* raw bytes at the end */
    AT_END
};

enum scan { SCAN_MORE, SCAN_DONE, SCAN_BAD };

void swim__framer_init(struct swim__framer *f)
{
    memset(f, 0, sizeof *f);
}

/* What the first byte of a msgpack value says: how many bytes of length follow, and what the length
 * counts. */
struct head {
    uint8_t len_bytes;
    bool is_container, is_map;
    uint32_t fixed; /* bytes or elements when there is no length, bytes besides it otherwise */
};

static bool read_head(uint8_t b, struct head *h)
{
    memset(h, 0, sizeof *h);
    if (b < 0x80 || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3) {
        return true;
    }
    if (b < 0xa0) {
        h->is_container = true;
        h->is_map = b < 0x90;
        h->fixed = b & 0x0fu;
    } else if (b < 0xc0) {
        h->fixed = b & 0x1fu;
    } else if (b == 0xc1) {
        return false;
    } else if (b <= 0xc9) { /* bin 8 16 32, ext 8 16 32 with a type byte */
        h->len_bytes = (uint8_t)(1u << ((b - 0xc4u) % 3u));
        h->fixed = b >= 0xc7 ? 1 : 0;
    } else if (b <= 0xd3) { /* float 32 64, uint 8..64, int 8..64 */
        h->fixed = b <= 0xcb ? 4u << (b - 0xca) : 1u << ((b - 0xccu) % 4u);
    } else if (b <= 0xd8) { /* fixext with a type byte */
        h->fixed = 1u + (1u << (b - 0xd4));
    } else if (b <= 0xdb) {
        h->len_bytes = (uint8_t)(1u << (b - 0xd9));
    } else {
        h->is_container = true;
        h->is_map = b >= 0xde;
        h->len_bytes = b % 2 == 0 ? 2 : 4;
    }
    return true;
}

static size_t left_of(const struct swim__framer *f, size_t len)
{
    return len - f->pos;
}

/* Opens the next value: its first byte and its length. */
static enum scan open_value(struct swim__framer *f, const uint8_t *data, size_t len)
{
    struct head h;
    if (left_of(f, len) == 0) {
        return SCAN_MORE;
    }
    if (!read_head(data[f->pos], &h)) {
        return SCAN_BAD;
    }
    if (left_of(f, len) < 1u + h.len_bytes) {
        return SCAN_MORE;
    }
    uint64_t n = 0;
    for (size_t i = 0; i < h.len_bytes; i++) {
        n = n << 8 | data[f->pos + 1 + i];
    }
    n += h.fixed;
    f->pos += 1u + h.len_bytes;
    f->left[f->depth]--;
    if (!h.is_container) {
        f->skip = n;
    } else if (n > 0) {
        if (f->depth + 1u == sizeof f->left / sizeof *f->left) {
            return SCAN_BAD;
        }
        f->left[++f->depth] = h.is_map ? 2 * n : n;
    }
    return n > SWIM__STREAM_PLAIN_MAX ? SCAN_BAD : SCAN_DONE;
}

static enum scan pass_over(struct swim__framer *f, size_t len)
{
    size_t n = f->skip < left_of(f, len) ? (size_t)f->skip : left_of(f, len);
    f->pos += n;
    f->skip -= n;
    return f->skip == 0 ? SCAN_DONE : SCAN_MORE;
}

/* Passes over one value of the top level (f->left[0] was set to 1 when it began). */
static enum scan scan_value(struct swim__framer *f, const uint8_t *data, size_t len)
{
    for (;;) {
        if (pass_over(f, len) == SCAN_MORE) {
            return SCAN_MORE;
        }
        while (f->depth > 0 && f->left[f->depth] == 0) {
            f->depth--;
        }
        if (f->left[f->depth] == 0) {
            return SCAN_DONE;
        }
        enum scan s = open_value(f, data, len);
        if (s != SCAN_DONE) {
            return s;
        }
    }
}

/* The header map of a push/pull or user message is complete: it says what else there is. */
static bool take_header(struct swim__framer *f, const uint8_t *data)
{
    struct mu__reader r = mu__reader(data + f->head, f->pos - f->head);
    if (f->type == SWIM__MSG_PUSH_PULL) {
        struct swim__pushpull_header h;
        swim__pushpull_read_header(&r, &h);
        f->items = h.nodes;
        f->user_len = h.user_state_len;
    } else if (f->type == SWIM__MSG_USER) {
        f->user_len = swim__user_read_header(&r);
    }
    return !r.failed;
}

static enum scan scan_values(struct swim__framer *f, const uint8_t *data, size_t len)
{
    while (f->items > 0) {
        enum scan s = scan_value(f, data, len);
        if (s != SCAN_DONE) {
            return s;
        }
        f->items--;
        if (f->head > 0) {
            if (!take_header(f, data)) {
                return SCAN_BAD;
            }
            f->head = 0;
        }
        f->left[0] = 1;
    }
    f->skip = f->user_len;
    f->stage = AT_BYTES;
    return SCAN_DONE;
}

static enum scan scan_label(struct swim__framer *f, const uint8_t *data, size_t len)
{
    if (len == 0) {
        return SCAN_MORE;
    }
    if (data[0] == SWIM__MSG_LABEL) {
        if (len < 2) {
            return SCAN_MORE;
        }
        if (data[1] == 0) {
            return SCAN_BAD;
        }
        f->skip = 2u + data[1];
    }
    f->stage = AT_TYPE;
    return SCAN_DONE;
}

static enum scan scan_type(struct swim__framer *f, const uint8_t *data, size_t len)
{
    if (pass_over(f, len) == SCAN_MORE || left_of(f, len) == 0) {
        return SCAN_MORE;
    }
    f->body = f->pos;
    f->type = data[f->pos++];
    switch (f->type) {
    case SWIM__MSG_ENCRYPT:
        f->stage = AT_FRAME;
        return SCAN_DONE;
    case SWIM__MSG_PING:
    case SWIM__MSG_ACK:
    case SWIM__MSG_PUSH_PULL:
    case SWIM__MSG_USER:
    case SWIM__MSG_COMPRESS:
    case SWIM__MSG_ERR:
        f->head = f->pos;
        f->items = 1;
        f->left[0] = 1;
        f->stage = AT_VALUES;
        return SCAN_DONE;
    default:
        return SCAN_BAD;
    }
}

static enum scan scan_frame(struct swim__framer *f, const uint8_t *data, size_t len)
{
    if (left_of(f, len) < 4) {
        return SCAN_MORE;
    }
    struct mu__reader r = mu__reader(data + f->pos, 4);
    uint32_t n = mu__read_u32be(&r);
    f->pos += 4;
    f->skip = n;
    f->stage = AT_BYTES;
    return n > SWIM__STREAM_PACKED_MAX ? SCAN_BAD : SCAN_DONE;
}

static enum scan scan_stage(struct swim__framer *f, const uint8_t *data, size_t len)
{
    switch ((enum stage)f->stage) {
    case AT_LABEL:
        return scan_label(f, data, len);
    case AT_TYPE:
        return scan_type(f, data, len);
    case AT_FRAME:
        return scan_frame(f, data, len);
    case AT_VALUES:
        return scan_values(f, data, len);
    case AT_BYTES:
        if (pass_over(f, len) == SCAN_DONE) {
            f->stage = AT_END;
            return SCAN_DONE;
        }
        return SCAN_MORE;
    case AT_END:
        break;
    }
    return SCAN_BAD;
}

enum swim__frame_result swim__framer_feed(struct swim__framer *f, const uint8_t *data, size_t len)
{
    while (f->stage != AT_END) {
        enum scan s = scan_stage(f, data, len);
        if (s == SCAN_BAD) {
            return SWIM__FRAME_BAD;
        }
        if (s == SCAN_MORE) {
            return f->pos > SWIM__STREAM_PLAIN_MAX ? SWIM__FRAME_BAD : SWIM__FRAME_MORE;
        }
    }
    return SWIM__FRAME_WHOLE;
}
