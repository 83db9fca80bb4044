#include "frame.h"

#include "crc32c.h"
#include "cursor.h"

#include <assert.h>
#include <string.h>

static const uint8_t magic[4] = {'M', 'R', 'F', 'T'};
#define HELLO_VERSION 1u

static uint32_t frame_crc(uint8_t kind, const uint8_t *body, size_t len)
{
    return raft_node__crc32c(raft_node__crc32c(0, &kind, 1), body, len);
}

void raft_node__frame_encode_head(uint8_t out[FRAME_HEAD_BYTES], enum frame_kind kind,
                                  const uint8_t *body, size_t len)
{
    struct mu__writer w = mu__writer_fixed(out, FRAME_HEAD_BYTES);
    mu__write_u32le(&w, (uint32_t)len);
    mu__write_u32le(&w, frame_crc((uint8_t)kind, body, len));
    mu__write_u8(&w, (uint8_t)kind);
    assert(!w.failed && len <= UINT32_MAX);
}

struct frame_head raft_node__frame_decode_head(const uint8_t head[FRAME_HEAD_BYTES])
{
    struct mu__reader r = mu__reader(head, FRAME_HEAD_BYTES);
    struct frame_head h = {.len = mu__read_u32le(&r)};
    h.crc = mu__read_u32le(&r);
    h.kind = mu__read_u8(&r);
    return h;
}

bool raft_node__frame_check(const struct frame_head *head, const uint8_t *body)
{
    return head->crc == frame_crc(head->kind, body, head->len);
}

static void write_text(struct mu__writer *w, const char *s)
{
    mu__write_u8(w, (uint8_t)strlen(s));
    mu__write_cstr(w, s);
}

/* Text without a zero inside, shorter than cap. */
static void read_text(struct mu__reader *r, char *out, size_t cap)
{
    size_t len = mu__read_u8(r);
    const uint8_t *p = mu__read_bytes(r, len);
    if (!p || len >= cap || memchr(p, 0, len)) {
        mu__reader_fail(r);
        return;
    }
    memcpy(out, p, len);
    out[len] = 0;
}

size_t raft_node__hello_encode(uint8_t out[HELLO_BYTES_MAX], const struct hello *h)
{
    struct mu__writer w = mu__writer_fixed(out, HELLO_BYTES_MAX);
    mu__write_bytes(&w, magic, sizeof magic);
    mu__write_u8(&w, HELLO_VERSION & 0xff);
    mu__write_u8(&w, HELLO_VERSION >> 8);
    write_text(&w, h->cluster);
    write_text(&w, h->from);
    write_text(&w, h->to);
    assert(!w.failed);
    return w.len;
}

bool raft_node__hello_decode(const uint8_t *body, size_t len, struct hello *out)
{
    struct mu__reader r = mu__reader(body, len);
    struct hello h = {.cluster = ""};
    const uint8_t *m = mu__read_bytes(&r, sizeof magic);
    unsigned version = mu__read_u8(&r);
    version |= (unsigned)mu__read_u8(&r) << 8;
    read_text(&r, h.cluster, sizeof h.cluster);
    read_text(&r, h.from, sizeof h.from);
    read_text(&r, h.to, sizeof h.to);
    if (r.failed || memcmp(m, magic, sizeof magic) != 0 || version != HELLO_VERSION ||
        h.from[0] == 0 || mu__reader_left(&r) != 0) {
        return false;
    }
    *out = h;
    return true;
}
