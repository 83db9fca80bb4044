/* message.c - the wire form of messages, version 1. All numbers are big-endian.
 *
 *   u8 version, u8 type, u8 flags (1 reject, 2 transferring, 4 last),
 *   string from, string to, string from_address, u64 term, u64 stamp, then by type:
 *
 *   PREVOTE, VOTE      u64 log_index, u64 log_term, u64 transfer
 *   APPEND             u64 log_index, u64 log_term, u64 commit, u32 count,
 *                      count times: u64 index, u64 term, u8 type, u32 length, data
 *   APPEND_REPLY       u64 log_index, u64 hint_index, u64 hint_term
 *   HEARTBEAT          u64 commit
 *   HEARTBEAT_REPLY    u64 log_index, u64 hint_index
 *   SNAPSHOT           u64 index, u64 term, u64 configuration index,
 *                      u32 length and configuration, u64 offset, u32 length and data
 *   SNAPSHOT_REPLY     u64 index, u64 term, u64 offset
 *   PREVOTE_REPLY, VOTE_REPLY, TIMEOUT_NOW: nothing
 *
 * A string is u8 length, bytes and a zero that is not counted, so that decoding can lend it. */
#include "configuration.h"

#include <assert.h>
#include <string.h>

#define VERSION           1
#define FLAG_REJECT       1u
#define FLAG_TRANSFERRING 2u
#define FLAG_LAST         4u
#define ENTRY_HEAD        21u /* bytes of an entry without its data */

/* Writes while there is room and counts in any case. */
struct out {
    struct mu__writer w;
    size_t need;
};

static void put_bytes(struct out *o, const void *p, size_t len)
{
    o->need += len;
    mu__write_bytes(&o->w, p, len);
}

static void put_u8(struct out *o, unsigned v)
{
    uint8_t byte = (uint8_t)v;
    put_bytes(o, &byte, 1);
}

static void put_u32(struct out *o, size_t v)
{
    o->need += 4;
    mu__write_u32be(&o->w, (uint32_t)v);
}

static void put_u64(struct out *o, uint64_t v)
{
    o->need += 8;
    mu__write_u64be(&o->w, v);
}

static void put_string(struct out *o, const char *s)
{
    size_t len = s ? strlen(s) : 0;
    put_u8(o, (unsigned)len);
    put_bytes(o, len ? s : "", len + 1);
}

static void put_blob(struct out *o, const void *p, size_t len)
{
    put_u32(o, len);
    put_bytes(o, p, len);
}

static void put_entries(struct out *o, const struct raft_entry *e, size_t n)
{
    put_u32(o, n);
    for (size_t i = 0; i < n; i++) {
        put_u64(o, e[i].index);
        put_u64(o, e[i].term);
        put_u8(o, e[i].type);
        put_blob(o, e[i].data, e[i].len);
    }
}

static void put_snapshot(struct out *o, const struct raft_message *m)
{
    put_u64(o, m->snapshot.index);
    put_u64(o, m->snapshot.term);
    put_u64(o, m->snapshot.configuration_index);
    put_blob(o, m->snapshot.configuration, m->snapshot.configuration_len);
    put_u64(o, m->offset);
    put_blob(o, m->data, m->len);
}

static void put_body(struct out *o, const struct raft_message *m)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        put_u64(o, m->log_index);
        put_u64(o, m->log_term);
        put_u64(o, m->transfer);
        break;
    case RAFT_MSG_APPEND:
        put_u64(o, m->log_index);
        put_u64(o, m->log_term);
        put_u64(o, m->commit);
        put_entries(o, m->entries, m->n_entries);
        break;
    case RAFT_MSG_APPEND_REPLY:
        put_u64(o, m->log_index);
        put_u64(o, m->hint_index);
        put_u64(o, m->hint_term);
        break;
    case RAFT_MSG_HEARTBEAT:
        put_u64(o, m->commit);
        break;
    case RAFT_MSG_HEARTBEAT_REPLY:
        put_u64(o, m->log_index);
        put_u64(o, m->hint_index);
        break;
    case RAFT_MSG_SNAPSHOT:
        put_snapshot(o, m);
        break;
    case RAFT_MSG_SNAPSHOT_REPLY:
        put_u64(o, m->snapshot.index);
        put_u64(o, m->snapshot.term);
        put_u64(o, m->offset);
        break;
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:
    case RAFT_MSG_TIMEOUT_NOW:
        break;
    }
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
        if (m->entries[i].len > RAFT_ENTRY_BYTES_MAX) {
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
    struct out o = {.w = mu__writer_fixed(buf, cap)};
    put_u8(&o, VERSION);
    put_u8(&o, m->type);
    put_u8(&o, (m->reject ? FLAG_REJECT : 0) | (m->transferring ? FLAG_TRANSFERRING : 0) |
                   (m->last ? FLAG_LAST : 0));
    put_string(&o, m->from);
    put_string(&o, m->to);
    put_string(&o, m->from_address);
    put_u64(&o, m->term);
    put_u64(&o, m->stamp);
    put_body(&o, m);
    *len = o.need;
    return o.w.failed ? RAFT_ENOBUFS : RAFT_OK;
}

static const char *get_string(struct mu__reader *r, size_t max)
{
    size_t len = mu__read_u8(r);
    const uint8_t *p = mu__read_bytes(r, len + 1);
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

static void get_entry(struct mu__reader *r, struct raft_entry *e)
{
    e->index = mu__read_u64be(r);
    e->term = mu__read_u64be(r);
    uint8_t type = mu__read_u8(r);
    if (type > RAFT_ENTRY_NOOP) {
        mu__reader_fail(r);
    }
    e->type = (enum raft_entry_type)type;
    e->data = get_blob(r, RAFT_ENTRY_BYTES_MAX, &e->len);
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
        get_entry(r, &entries[i]);
    }
    m->entries = n ? entries : NULL;
    m->n_entries = n;
    return RAFT_OK;
}

static void get_snapshot(struct mu__reader *r, struct raft_message *m)
{
    m->snapshot.index = mu__read_u64be(r);
    m->snapshot.term = mu__read_u64be(r);
    m->snapshot.configuration_index = mu__read_u64be(r);
    m->snapshot.configuration =
        get_blob(r, RAFT__CONFIGURATION_BYTES_MAX, &m->snapshot.configuration_len);
    m->offset = mu__read_u64be(r);
    m->data = get_blob(r, RAFT_CHUNK_BYTES_MAX, &m->len);
}

static int get_body(struct mu__reader *r, struct raft_entry *entries, size_t cap,
                    struct raft_message *m)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        m->log_index = mu__read_u64be(r);
        m->log_term = mu__read_u64be(r);
        m->transfer = mu__read_u64be(r);
        break;
    case RAFT_MSG_APPEND:
        m->log_index = mu__read_u64be(r);
        m->log_term = mu__read_u64be(r);
        m->commit = mu__read_u64be(r);
        return get_entries(r, entries, cap, m);
    case RAFT_MSG_APPEND_REPLY:
        m->log_index = mu__read_u64be(r);
        m->hint_index = mu__read_u64be(r);
        m->hint_term = mu__read_u64be(r);
        break;
    case RAFT_MSG_HEARTBEAT:
        m->commit = mu__read_u64be(r);
        break;
    case RAFT_MSG_HEARTBEAT_REPLY:
        m->log_index = mu__read_u64be(r);
        m->hint_index = mu__read_u64be(r);
        break;
    case RAFT_MSG_SNAPSHOT:
        get_snapshot(r, m);
        break;
    case RAFT_MSG_SNAPSHOT_REPLY:
        m->snapshot.index = mu__read_u64be(r);
        m->snapshot.term = mu__read_u64be(r);
        m->offset = mu__read_u64be(r);
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
        return RAFT_EPROTO;
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
    m.term = mu__read_u64be(&r);
    m.stamp = mu__read_u64be(&r);
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
