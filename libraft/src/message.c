/* message.c - the wire form of messages, version 2. All numbers are big-endian.
 *
 *   u8 version, u8 type, u8 flags (1 reject, 2 transferring, 4 last),
 *   string from, string to, string from_address, u64 term, u64 stamp, then by type:
 *
 *   PREVOTE, VOTE      u64 log_index, u64 log_term, u64 transfer
 *   APPEND             u64 log_index, u64 log_term, u64 commit, u32 count,
 *                      count times: u64 term, u8 type, u32 length, data;
 *                      the first entry is log_index + 1
 *   APPEND_REPLY       u64 log_index, u64 hint_index, u64 hint_term
 *   HEARTBEAT          u64 commit
 *   HEARTBEAT_REPLY    u64 log_index, u64 hint_index
 *   SNAPSHOT           u64 index, u64 term, u64 configuration index,
 *                      u32 length and configuration, u64 offset, u64 prefix_hash, u64 hash,
 *                      u32 length and data
 *   SNAPSHOT_REPLY     u64 index, u64 term, u64 offset
 *   PREVOTE_REPLY, VOTE_REPLY, TIMEOUT_NOW: nothing
 *
 * A string is u8 length, bytes and a zero that is not counted, so that decoding can lend it.
 * Encoding measures first and then writes without looking back: an entry costs a copy and little
 * else. */
#include "configuration.h"

#include <assert.h>
#include <string.h>

#define VERSION           2
#define FLAG_REJECT       1u
#define FLAG_TRANSFERRING 2u
#define FLAG_LAST         4u
#define ENTRY_HEAD        13u /* bytes of an entry without its data */
#define SNAPSHOT_FIXED    56u /* bytes of a snapshot chunk without configuration and data */

static size_t string_bytes(const char *s)
{
    return 2 + (s ? strlen(s) : 0);
}

static size_t entries_bytes(const struct raft_entry *e, size_t n)
{
    size_t bytes = 4 + n * ENTRY_HEAD;
    for (size_t i = 0; i < n; i++) {
        bytes += e[i].len;
    }
    return bytes;
}

static size_t body_bytes(const struct raft_message *m)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
    case RAFT_MSG_APPEND_REPLY:
    case RAFT_MSG_SNAPSHOT_REPLY:
        return 24;
    case RAFT_MSG_APPEND:
        return 24 + entries_bytes(m->entries, m->n_entries);
    case RAFT_MSG_HEARTBEAT:
        return 8;
    case RAFT_MSG_HEARTBEAT_REPLY:
        return 16;
    case RAFT_MSG_SNAPSHOT:
        return SNAPSHOT_FIXED + m->snapshot.configuration_len + m->len;
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:
    case RAFT_MSG_TIMEOUT_NOW:
        break;
    }
    return 0;
}

static size_t message_bytes(const struct raft_message *m)
{
    return 3 + string_bytes(m->from) + string_bytes(m->to) + string_bytes(m->from_address) + 16 +
           body_bytes(m);
}

/* The put functions write at p, where there is room, and give the place behind. */
static uint8_t *put_u8(uint8_t *p, unsigned v)
{
    *p = (uint8_t)v;
    return p + 1;
}

static uint8_t *put_u32(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
    return p + 4;
}

static uint8_t *put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (size_t)(v >> 32));
    put_u32(p + 4, (size_t)(v & 0xffffffff));
    return p + 8;
}

static uint8_t *put_bytes(uint8_t *p, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(p, data, len);
    }
    return p + len;
}

static uint8_t *put_string(uint8_t *p, const char *s)
{
    size_t len = s ? strlen(s) : 0;
    p = put_u8(p, (unsigned)len);
    return put_bytes(p, len ? s : "", len + 1);
}

static uint8_t *put_blob(uint8_t *p, const void *data, size_t len)
{
    return put_bytes(put_u32(p, len), data, len);
}

static uint8_t *put_entries(uint8_t *p, const struct raft_entry *e, size_t n)
{
    p = put_u32(p, n);
    for (size_t i = 0; i < n; i++) {
        p = put_u64(p, e[i].term);
        p = put_u8(p, e[i].type);
        p = put_blob(p, e[i].data, e[i].len);
    }
    return p;
}

static uint8_t *put_snapshot(uint8_t *p, const struct raft_message *m)
{
    p = put_u64(p, m->snapshot.index);
    p = put_u64(p, m->snapshot.term);
    p = put_u64(p, m->snapshot.configuration_index);
    p = put_blob(p, m->snapshot.configuration, m->snapshot.configuration_len);
    p = put_u64(p, m->offset);
    p = put_u64(p, m->prefix_hash);
    p = put_u64(p, m->hash);
    return put_blob(p, m->data, m->len);
}

static uint8_t *put_three(uint8_t *p, uint64_t a, uint64_t b, uint64_t c)
{
    return put_u64(put_u64(put_u64(p, a), b), c);
}

static uint8_t *put_body(uint8_t *p, const struct raft_message *m)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        return put_three(p, m->log_index, m->log_term, m->transfer);
    case RAFT_MSG_APPEND:
        p = put_three(p, m->log_index, m->log_term, m->commit);
        return put_entries(p, m->entries, m->n_entries);
    case RAFT_MSG_APPEND_REPLY:
        return put_three(p, m->log_index, m->hint_index, m->hint_term);
    case RAFT_MSG_HEARTBEAT:
        return put_u64(p, m->commit);
    case RAFT_MSG_HEARTBEAT_REPLY:
        return put_u64(put_u64(p, m->log_index), m->hint_index);
    case RAFT_MSG_SNAPSHOT:
        return put_snapshot(p, m);
    case RAFT_MSG_SNAPSHOT_REPLY:
        return put_three(p, m->snapshot.index, m->snapshot.term, m->offset);
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:
    case RAFT_MSG_TIMEOUT_NOW:
        break;
    }
    return p;
}

static bool is_address(const char *s)
{
    return !s || strlen(s) <= RAFT_ADDRESS_MAX;
}

static bool is_encodable(const struct raft_message *m)
{
    if (m->type < RAFT_MSG_PREVOTE || m->type > RAFT_MSG_TIMEOUT_NOW || !raft__is_id(m->from) ||
        !raft__is_id(m->to) || !is_address(m->from_address) ||
        m->n_entries > RAFT_MESSAGE_ENTRIES_MAX || m->len > RAFT_CHUNK_BYTES_MAX ||
        m->snapshot.configuration_len > RAFT__CONFIGURATION_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < m->n_entries; i++) {
        if (m->entries[i].len > RAFT_ENTRY_BYTES_MAX ||
            m->entries[i].index != m->log_index + 1 + i) {
            return false;
        }
    }
    return true;
}

int raft_message_encode(const struct raft_message *m, void *buf, size_t cap, size_t *len)
{
    if (!is_encodable(m)) {
        return RAFT_EINVAL;
    }
    *len = message_bytes(m);
    if (cap < *len) {
        return RAFT_ENOBUFS;
    }
    uint8_t *p = buf;
    p = put_u8(p, VERSION);
    p = put_u8(p, m->type);
    p = put_u8(p, (m->reject ? FLAG_REJECT : 0) | (m->transferring ? FLAG_TRANSFERRING : 0) |
                      (m->last ? FLAG_LAST : 0));
    p = put_string(p, m->from);
    p = put_string(p, m->to);
    p = put_string(p, m->from_address);
    p = put_u64(put_u64(p, m->term), m->stamp);
    p = put_body(p, m);
    assert(p == (uint8_t *)buf + *len);
    return RAFT_OK;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

/* Numbers that stand in a row are read in one piece. */
static void get_two(struct mu__reader *r, uint64_t *a, uint64_t *b)
{
    const uint8_t *p = mu__read_bytes(r, 16);
    if (p) {
        *a = get_u64(p);
        *b = get_u64(p + 8);
    }
}

static void get_three(struct mu__reader *r, uint64_t *a, uint64_t *b, uint64_t *c)
{
    const uint8_t *p = mu__read_bytes(r, 24);
    if (p) {
        *a = get_u64(p);
        *b = get_u64(p + 8);
        *c = get_u64(p + 16);
    }
}

static const char *get_string(struct mu__reader *r, size_t max)
{
    size_t left = mu__reader_left(r), len = left > 0 ? r->data[r->pos] : 0;
    const uint8_t *p = mu__read_bytes(r, len + 2);
    p = p ? p + 1 : NULL;
    if (!p || len > max || memchr(p, 0, len + 1) != p + len) {
        mu__reader_fail(r);
        return "";
    }
    return (const char *)p;
}

static const void *get_blob(struct mu__reader *r, size_t max, size_t *len)
{
    *len = mu__read_u32be(r);
    if (*len > max) {
        mu__reader_fail(r);
    }
    const void *p = mu__read_bytes(r, *len);
    *len = p ? *len : 0;
    return *len ? p : NULL;
}

/* Reads the head in one piece: there may be a thousand of them. */
static void get_entry(struct mu__reader *r, raft_index index, struct raft_entry *e)
{
    const uint8_t *p = mu__read_bytes(r, ENTRY_HEAD);
    if (!p) {
        return;
    }
    *e = (struct raft_entry){.index = index,
                             .term = get_u64(p),
                             .type = (enum raft_entry_type)p[8],
                             .len = get_u32(p + 9)};
    const uint8_t *data = mu__read_bytes(r, e->len);
    if (p[8] > RAFT_ENTRY_NOOP || e->len > RAFT_ENTRY_BYTES_MAX || !data) {
        mu__reader_fail(r);
        return;
    }
    e->data = e->len ? data : NULL;
}

static int get_entries(struct mu__reader *r, struct raft_entry *entries, size_t cap,
                       struct raft_message *m)
{
    size_t n = mu__read_u32be(r);
    if (r->failed || n > RAFT_MESSAGE_ENTRIES_MAX || n > mu__reader_left(r) / ENTRY_HEAD) {
        return RAFT_EPROTO;
    }
    if (n > cap) {
        return RAFT_ENOBUFS;
    }
    for (size_t i = 0; i < n; i++) {
        get_entry(r, m->log_index + 1 + i, &entries[i]);
    }
    m->entries = n ? entries : NULL;
    m->n_entries = n;
    return RAFT_OK;
}

static void get_snapshot(struct mu__reader *r, struct raft_message *m)
{
    get_three(r, &m->snapshot.index, &m->snapshot.term, &m->snapshot.configuration_index);
    m->snapshot.configuration =
        get_blob(r, RAFT__CONFIGURATION_BYTES_MAX, &m->snapshot.configuration_len);
    get_three(r, &m->offset, &m->prefix_hash, &m->hash);
    m->data = get_blob(r, RAFT_CHUNK_BYTES_MAX, &m->len);
}

static int get_body(struct mu__reader *r, struct raft_entry *entries, size_t cap,
                    struct raft_message *m)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        get_three(r, &m->log_index, &m->log_term, &m->transfer);
        break;
    case RAFT_MSG_APPEND:
        get_three(r, &m->log_index, &m->log_term, &m->commit);
        return get_entries(r, entries, cap, m);
    case RAFT_MSG_APPEND_REPLY:
        get_three(r, &m->log_index, &m->hint_index, &m->hint_term);
        break;
    case RAFT_MSG_HEARTBEAT:
        m->commit = mu__read_u64be(r);
        break;
    case RAFT_MSG_HEARTBEAT_REPLY:
        get_two(r, &m->log_index, &m->hint_index);
        break;
    case RAFT_MSG_SNAPSHOT:
        get_snapshot(r, m);
        break;
    case RAFT_MSG_SNAPSHOT_REPLY:
        get_three(r, &m->snapshot.index, &m->snapshot.term, &m->offset);
        break;
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:
    case RAFT_MSG_TIMEOUT_NOW:
        break;
    default:
        return RAFT_EPROTO;
    }
    return RAFT_OK;
}

int raft_message_decode(const void *data, size_t len, struct raft_entry *entries, size_t cap,
                        struct raft_message *out)
{
    struct mu__reader r = mu__reader(data, len);
    if (mu__read_u8(&r) != VERSION) {
        return r.failed ? RAFT_EPROTO : RAFT_EVERSION;
    }
    struct raft_message m = {.to_address = ""};
    m.type = (enum raft_message_type)mu__read_u8(&r);
    uint8_t flags = mu__read_u8(&r);
    m.reject = flags & FLAG_REJECT;
    m.transferring = flags & FLAG_TRANSFERRING;
    m.last = flags & FLAG_LAST;
    m.from = get_string(&r, RAFT_ID_MAX);
    m.to = get_string(&r, RAFT_ID_MAX);
    m.from_address = get_string(&r, RAFT_ADDRESS_MAX);
    get_two(&r, &m.term, &m.stamp);
    int rc = get_body(&r, entries, cap, &m);
    if (rc != RAFT_OK) {
        return rc;
    }
    if (r.failed || mu__reader_left(&r) != 0 || !m.from[0] || !m.to[0] || flags > 7) {
        return RAFT_EPROTO;
    }
    *out = m;
    return RAFT_OK;
}
