#include "snapshot_wire.h"

#include "msgpack.h"

#include <string.h>

void snapshot_write_request(struct mu__writer *w, const struct snapshot_request *q)
{
    mu__mp_write_map(w, q->forwarded ? 5 : 4);
    mu__mp_write_cstr(w, "AllowStale");
    mu__mp_write_bool(w, q->allow_stale);
    mu__mp_write_cstr(w, "Datacenter");
    mu__mp_write_raw(w, q->datacenter.p, q->datacenter.len);
    if (q->forwarded) {
        mu__mp_write_cstr(w, "Forwarded");
        mu__mp_write_bool(w, true);
    }
    mu__mp_write_cstr(w, "Op");
    mu__mp_write_int(w, q->op);
    mu__mp_write_cstr(w, "Token");
    mu__mp_write_raw(w, q->token.p, q->token.len);
}

void snapshot_write_response(struct mu__writer *w, const struct snapshot_response *p)
{
    mu__mp_write_map(w, 5);
    mu__mp_write_cstr(w, "ConsistencyLevel");
    mu__mp_write_cstr(w, "");
    mu__mp_write_cstr(w, "Error");
    mu__mp_write_raw(w, p->error.p, p->error.len);
    mu__mp_write_cstr(w, "Index");
    mu__mp_write_uint(w, p->meta.index);
    mu__mp_write_cstr(w, "KnownLeader");
    mu__mp_write_bool(w, p->meta.known_leader);
    mu__mp_write_cstr(w, "LastContact");
    mu__mp_write_int(w, p->meta.last_contact_ns);
}

/* Whether a whole value stands at the beginning. A reader cannot tell what is cut short from what
 * is wrong; no message of either kind is as long as the limit. */
static enum snapshot_progress measure(const void *data, size_t len, size_t *used)
{
    struct mu__reader r = mu__reader(data, len);
    if (len > 0 && mu__mp_peek(&r) != MU_MP_MAP) {
        return SNAPSHOT_BAD;
    }
    mu__mp_skip(&r);
    if (r.failed) {
        return len < SNAPSHOT_MESSAGE_MAX ? SNAPSHOT_MORE : SNAPSHOT_BAD;
    }
    *used = len - mu__reader_left(&r);
    return SNAPSHOT_READ;
}

enum snapshot_progress snapshot_read_request(const void *data, size_t len,
                                             struct snapshot_request *q, size_t *used)
{
    enum snapshot_progress p = measure(data, len, used);
    if (p != SNAPSHOT_READ) {
        return p;
    }
    struct mu__reader r = mu__reader(data, *used);
    *q = (struct snapshot_request){.op = SNAPSHOT_SAVE};
    for (size_t n = mu__mp_read_map(&r); n > 0 && !r.failed; n--) {
        struct mu_str key = mu__mp_read_str(&r);
        if (mu__str_is(key, "AllowStale")) {
            q->allow_stale = mu__mp_read_bool(&r);
        } else if (mu__str_is(key, "Datacenter")) {
            q->datacenter = mu__mp_read_str(&r);
        } else if (mu__str_is(key, "Forwarded")) {
            q->forwarded = mu__mp_read_bool(&r);
        } else if (mu__str_is(key, "Op")) {
            q->op = mu__mp_read_int(&r);
        } else if (mu__str_is(key, "Token")) {
            q->token = mu__mp_read_str(&r);
        } else {
            mu__mp_skip(&r);
        }
    }
    return r.failed ? SNAPSHOT_BAD : SNAPSHOT_READ;
}

enum snapshot_progress snapshot_read_response(const void *data, size_t len,
                                              struct snapshot_response *out, size_t *used)
{
    enum snapshot_progress p = measure(data, len, used);
    if (p != SNAPSHOT_READ) {
        return p;
    }
    struct mu__reader r = mu__reader(data, *used);
    *out = (struct snapshot_response){.meta.index = 0};
    for (size_t n = mu__mp_read_map(&r); n > 0 && !r.failed; n--) {
        struct mu_str key = mu__mp_read_str(&r);
        if (mu__str_is(key, "Error")) {
            out->error = mu__mp_read_str(&r);
        } else if (mu__str_is(key, "Index")) {
            out->meta.index = mu__mp_read_uint(&r, UINT64_MAX);
        } else if (mu__str_is(key, "KnownLeader")) {
            out->meta.known_leader = mu__mp_read_bool(&r);
        } else if (mu__str_is(key, "LastContact")) {
            out->meta.last_contact_ns = mu__mp_read_int(&r);
        } else {
            mu__mp_skip(&r);
        }
    }
    return r.failed ? SNAPSHOT_BAD : SNAPSHOT_READ;
}
