#include "snapshot_format.h"

#include "crc32c.h"

#include <string.h>

static const uint8_t magic[8] = {'M', 'U', 'S', 'T', 'S', 'N', 'A', 'P'};
#define SNAPSHOT_VERSION 1u

uint32_t raft_node__snapshot_chunk_crc(uint32_t header_crc, uint64_t ordinal, uint32_t len,
                                       const uint8_t *data, size_t data_len)
{
    uint8_t place[12];
    struct mu__writer w = mu__writer_fixed(place, sizeof place);
    mu__write_u64le(&w, ordinal);
    mu__write_u32le(&w, len);
    return raft_node__crc32c(raft_node__crc32c(header_crc, place, sizeof place), data, data_len);
}

uint32_t raft_node__snapshot_encode_header(struct mu__writer *w, const struct raft_snapshot_meta *m)
{
    mu__write_bytes(w, magic, sizeof magic);
    mu__write_u32le(w, SNAPSHOT_VERSION);
    mu__write_u32le(w, (uint32_t)m->configuration_len);
    mu__write_u64le(w, m->index);
    mu__write_u64le(w, m->term);
    mu__write_u64le(w, m->configuration_index);
    mu__write_bytes(w, m->configuration, m->configuration_len);
    uint32_t crc = w->failed ? 0 : raft_node__crc32c(0, w->data, w->len);
    mu__write_u32le(w, crc);
    return crc;
}

bool raft_node__snapshot_decode_fixed(const uint8_t fixed[SNAPSHOT_FIXED_BYTES],
                                      struct raft_snapshot_meta *out)
{
    struct mu__reader r = mu__reader(fixed, SNAPSHOT_FIXED_BYTES);
    const uint8_t *m = mu__read_bytes(&r, sizeof magic);
    uint32_t version = mu__read_u32le(&r);
    *out = (struct raft_snapshot_meta){.configuration_len = mu__read_u32le(&r)};
    out->index = mu__read_u64le(&r);
    out->term = mu__read_u64le(&r);
    out->configuration_index = mu__read_u64le(&r);
    return !r.failed && memcmp(m, magic, sizeof magic) == 0 && version == SNAPSHOT_VERSION &&
           out->index > 0 && out->configuration_len <= SNAPSHOT_CONFIGURATION_MAX;
}
