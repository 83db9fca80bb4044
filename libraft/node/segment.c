#include "segment.h"

#include "crc32c.h"
#include "cursor.h"

#include <assert.h>
#include <string.h>

static const uint8_t magic[8] = {'M', 'U', 'S', 'T', 'R', 'L', 'O', 'G'};
#define SEGMENT_VERSION 1u
#define RECORD_MARK     0x4c72u
#define MARK_AT         32u

void raft_node__segment_header_encode(uint8_t out[SEGMENT_HEADER_BYTES],
                                      const struct segment_header *h)
{
    struct mu__writer w = mu__writer_fixed(out, SEGMENT_HEADER_BYTES);
    mu__write_bytes(&w, magic, sizeof magic);
    mu__write_u32le(&w, SEGMENT_VERSION);
    mu__write_u32le(&w, SEGMENT_HEADER_BYTES);
    mu__write_u64le(&w, h->sequence);
    mu__write_u64le(&w, h->salt);
    mu__write_u64le(&w, h->prev_index);
    mu__write_u64le(&w, h->prev_term);
    mu__write_u64le(&w, h->hard.term);
    mu__write_bytes(&w, h->hard.vote, sizeof h->hard.vote);
    mu__write_u32le(&w, raft_node__crc32c(0, out, w.len));
    mu__write_u32le(&w, 0);
    assert(!w.failed && w.len == SEGMENT_HEADER_BYTES);
}

bool raft_node__segment_header_decode(const uint8_t *data, size_t len, struct segment_header *out)
{
    struct mu__reader r = mu__reader(data, len);
    const uint8_t *m = mu__read_bytes(&r, sizeof magic);
    uint32_t version = mu__read_u32le(&r);
    uint32_t header_bytes = mu__read_u32le(&r);
    struct segment_header h = {0};
    h.sequence = mu__read_u64le(&r);
    h.salt = mu__read_u64le(&r);
    h.prev_index = mu__read_u64le(&r);
    h.prev_term = mu__read_u64le(&r);
    h.hard.term = mu__read_u64le(&r);
    const uint8_t *vote = mu__read_bytes(&r, sizeof h.hard.vote);
    size_t covered = r.pos;
    uint32_t crc = mu__read_u32le(&r);
    uint32_t zero = mu__read_u32le(&r);
    if (r.failed || memcmp(m, magic, sizeof magic) != 0 || version != SEGMENT_VERSION ||
        header_bytes != SEGMENT_HEADER_BYTES || zero != 0 ||
        crc != raft_node__crc32c(0, data, covered) || vote[sizeof h.hard.vote - 1] != 0) {
        return false;
    }
    memcpy(h.hard.vote, vote, sizeof h.hard.vote);
    *out = h;
    return true;
}

static uint32_t head_crc(uint64_t salt, uint64_t offset, const uint8_t *head)
{
    uint8_t place[16];
    struct mu__writer w = mu__writer_fixed(place, sizeof place);
    mu__write_u64le(&w, salt);
    mu__write_u64le(&w, offset);
    uint32_t crc = raft_node__crc32c(0, place, sizeof place);
    return raft_node__crc32c(crc, head + 4, RECORD_HEADER_BYTES - 4);
}

void raft_node__record_encode(uint8_t *out, uint64_t salt, uint64_t offset, const struct record *r)
{
    uint8_t first[4];
    struct mu__writer w = mu__writer_fixed(out, RECORD_HEADER_BYTES);
    mu__write_u32le(&w, 0);
    mu__write_u32le(&w, raft_node__crc32c(0, r->data, r->len));
    mu__write_u32le(&w, r->len);
    mu__write_u32le(&w, r->synced);
    mu__write_u64le(&w, r->index);
    mu__write_u64le(&w, r->term);
    mu__write_u8(&w, RECORD_MARK & 0xff);
    mu__write_u8(&w, RECORD_MARK >> 8);
    mu__write_u8(&w, (uint8_t)r->kind);
    mu__write_u8(&w, r->type);
    mu__write_u32le(&w, 0);
    assert(!w.failed && w.len == RECORD_HEADER_BYTES);

    struct mu__writer crc = mu__writer_fixed(first, sizeof first);
    mu__write_u32le(&crc, head_crc(salt, offset, out));
    memcpy(out, first, sizeof first);

    size_t padded = record_bytes(r->len) - RECORD_HEADER_BYTES;
    if (r->len > 0) {
        memcpy(out + RECORD_HEADER_BYTES, r->data, r->len);
    }
    memset(out + RECORD_HEADER_BYTES + r->len, 0, padded - r->len);
}

bool raft_node__record_decode(const uint8_t *data, size_t len, uint64_t salt, uint64_t offset,
                              struct record *out)
{
    if (len < RECORD_HEADER_BYTES || data[MARK_AT] != (RECORD_MARK & 0xff) ||
        data[MARK_AT + 1] != RECORD_MARK >> 8) {
        return false; /* cheap, and true of nearly all that is not a record */
    }
    struct mu__reader r = mu__reader(data, len);
    uint32_t crc = mu__read_u32le(&r);
    if (crc != head_crc(salt, offset, data)) {
        return false;
    }
    uint32_t data_crc = mu__read_u32le(&r);
    struct record rec = {0};
    rec.len = mu__read_u32le(&r);
    rec.synced = mu__read_u32le(&r);
    rec.index = mu__read_u64le(&r);
    rec.term = mu__read_u64le(&r);
    mu__read_bytes(&r, 2);
    uint8_t kind = mu__read_u8(&r);
    rec.type = mu__read_u8(&r);
    uint32_t zero = mu__read_u32le(&r);
    rec.data = mu__read_bytes(&r, rec.len);
    if (r.failed || zero != 0 || kind < RECORD_ENTRY || kind > RECORD_RESET ||
        rec.synced > offset || data_crc != raft_node__crc32c(0, rec.data, rec.len)) {
        return false;
    }
    rec.kind = (enum record_kind)kind;
    *out = rec;
    return true;
}

bool raft_node__record_hard_state(const struct record *r, struct raft_hard_state *out)
{
    if (r->len >= sizeof out->vote) {
        return false;
    }
    *out = (struct raft_hard_state){.term = r->term};
    if (r->len > 0) {
        memcpy(out->vote, r->data, r->len);
    }
    return true;
}

enum segment_tail raft_node__segment_judge_tail(const uint8_t *segment, size_t len, uint64_t salt,
                                                size_t end, size_t *used)
{
    size_t last = len;
    while (last > end && segment[last - 1] == 0) {
        last--;
    }
    *used = last;
    if (last == end) {
        return TAIL_CLEAN;
    }
    /* Records stand at multiples of 8; where the damaged one ends is not known. */
    for (size_t at = (end + 7) & ~(size_t)7; at < last; at += 8) {
        struct record rec;
        if (raft_node__record_decode(segment + at, len - at, salt, at, &rec) && rec.synced > end) {
            return TAIL_DAMAGED;
        }
    }
    return TAIL_TORN;
}
