/* wire_state.c - the user state of a push/pull: 02 and a map, see wire_serf.h. Written piece by
 * piece because a large pool's state is best made straight from the member table, and read by
 * walking for the same reason. */
#include "wire_serf.h"

#include "wire_fields.h"

#include <string.h>

void swim__state_encode_begin(struct mu__writer *w, uint64_t event_ltime, size_t slots)
{
    mu__write_u8(w, SWIM__SERF_PUSH_PULL);
    mu__mp_write_map(w, 6);
    mu__mp_write_cstr(w, "EventLTime");
    mu__mp_write_uint(w, event_ltime);
    mu__mp_write_cstr(w, "Events");
    mu__mp_write_array(w, slots);
}

void swim__state_encode_slot(struct mu__writer *w, size_t events)
{
    mu__mp_write_map(w, 2);
    mu__mp_write_cstr(w, "Events");
    mu__mp_write_array(w, events);
}

void swim__state_encode_event(struct mu__writer *w, struct mu_str name, struct mu_str payload)
{
    mu__mp_write_map(w, 2);
    mu__mp_write_cstr(w, "Name");
    mu__mp_write_raw(w, name.p, name.len);
    mu__mp_write_cstr(w, "Payload");
    if (payload.p) {
        mu__mp_write_raw(w, payload.p, payload.len);
    } else {
        mu__mp_write_nil(w);
    }
}

void swim__state_encode_slot_ltime(struct mu__writer *w, uint64_t ltime)
{
    mu__mp_write_cstr(w, "LTime");
    mu__mp_write_uint(w, ltime);
}

void swim__state_encode_no_slot(struct mu__writer *w)
{
    mu__mp_write_nil(w);
}

void swim__state_encode_left(struct mu__writer *w, uint64_t ltime, size_t members)
{
    mu__mp_write_cstr(w, "LTime");
    mu__mp_write_uint(w, ltime);
    mu__mp_write_cstr(w, "LeftMembers");
    mu__mp_write_array(w, members);
}

void swim__state_encode_name(struct mu__writer *w, struct mu_str name)
{
    mu__mp_write_raw(w, name.p, name.len);
}

void swim__state_encode_status(struct mu__writer *w, uint64_t query_ltime, size_t members)
{
    mu__mp_write_cstr(w, "QueryLTime");
    mu__mp_write_uint(w, query_ltime);
    mu__mp_write_cstr(w, "StatusLTimes");
    mu__mp_write_map(w, members);
}

void swim__state_encode_member(struct mu__writer *w, struct mu_str name, uint64_t ltime)
{
    mu__mp_write_raw(w, name.p, name.len);
    mu__mp_write_uint(w, ltime);
}

/* ---- reading ---- */

static const struct swim__field event_fields[] = {
    {"Name", SWIM__TEXT, false, offsetof(struct swim__serf_event, name), NULL},
    {"Payload", SWIM__BLOB, false, offsetof(struct swim__serf_event, payload), NULL},
};
static const struct swim__layout event_layout = SWIM__LAYOUT(event_fields);

static void read_event(struct mu__reader *r, struct swim__serf_event *out)
{
    memset(out, 0, sizeof *out);
    swim__fields_decode(r, &event_layout, out);
}

struct slot {
    uint64_t ltime;
    size_t events_at; /* behind the array's header */
    size_t events;
};

/* Reads one slot of the event buffer, checking all of it. */
static void read_slot(struct mu__reader *r, struct slot *out)
{
    memset(out, 0, sizeof *out);
    size_t n = mu__mp_read_map(r); /* nil: an unused slot */
    for (size_t i = 0; i < n && !r->failed; i++) {
        struct mu_str key = mu__mp_read_str(r);
        if (mu__str_is(key, "LTime")) {
            out->ltime = mu__mp_read_uint(r, UINT64_MAX);
        } else if (mu__str_is(key, "Events")) {
            out->events = mu__mp_read_array(r);
            out->events_at = r->pos;
            struct swim__serf_event ignored;
            for (size_t e = 0; e < out->events && !r->failed; e++) {
                read_event(r, &ignored);
            }
        } else {
            mu__mp_skip(r);
        }
    }
}

static struct mu_str read_event_slots(struct mu__reader *r)
{
    if (mu__mp_read_nil(r)) {
        return (struct mu_str){NULL, 0};
    }
    size_t start = r->pos;
    size_t n = mu__mp_read_array(r);
    struct slot ignored;
    for (size_t i = 0; i < n && !r->failed; i++) {
        read_slot(r, &ignored);
    }
    return (struct mu_str){(const char *)r->data + start, r->pos - start};
}

static struct mu_str read_status_ltimes(struct mu__reader *r)
{
    if (mu__mp_read_nil(r)) {
        return (struct mu_str){NULL, 0};
    }
    size_t start = r->pos;
    size_t n = mu__mp_read_map(r);
    for (size_t i = 0; i < n && !r->failed; i++) {
        mu__mp_read_str(r);
        mu__mp_read_uint(r, UINT64_MAX);
    }
    return (struct mu_str){(const char *)r->data + start, r->pos - start};
}

bool swim__state_decode(const void *data, size_t len, struct swim__state *out)
{
    struct mu__reader r = mu__reader(data, len);
    struct swim__state s;
    memset(&s, 0, sizeof s);
    if (mu__read_u8(&r) != SWIM__SERF_PUSH_PULL) {
        return false;
    }
    size_t n = mu__mp_read_map(&r);
    for (size_t i = 0; i < n && !r.failed; i++) {
        struct mu_str key = mu__mp_read_str(&r);
        if (mu__str_is(key, "EventLTime")) {
            s.event_ltime = mu__mp_read_uint(&r, UINT64_MAX);
        } else if (mu__str_is(key, "Events")) {
            s.events = read_event_slots(&r);
        } else if (mu__str_is(key, "LTime")) {
            s.ltime = mu__mp_read_uint(&r, UINT64_MAX);
        } else if (mu__str_is(key, "LeftMembers")) {
            s.left_members = swim__read_span(&r);
        } else if (mu__str_is(key, "QueryLTime")) {
            s.query_ltime = mu__mp_read_uint(&r, UINT64_MAX);
        } else if (mu__str_is(key, "StatusLTimes")) {
            s.status_ltimes = read_status_ltimes(&r);
        } else {
            mu__mp_skip(&r);
        }
    }
    if (r.failed) {
        return false;
    }
    *out = s;
    return true;
}

bool swim__state_next_status(const struct swim__state *s, struct swim__state_cursor *c,
                             struct mu_str *name, uint64_t *ltime)
{
    struct mu__reader r = mu__reader(s->status_ltimes.p, s->status_ltimes.len);
    r.pos = c->at;
    if (r.pos == 0 && r.len > 0) {
        mu__mp_read_map(&r);
    }
    if (mu__reader_left(&r) == 0) {
        return false;
    }
    *name = mu__mp_read_str(&r);
    *ltime = mu__mp_read_uint(&r, UINT64_MAX);
    c->at = r.pos;
    return !r.failed;
}

/* Moves to the next slot that holds events; false when there is none. */
static bool next_slot(struct mu__reader *r, struct swim__state_cursor *c)
{
    if (c->slot_end > 0) {
        r->pos = c->slot_end;
    } else if (r->len > 0) {
        mu__mp_read_array(r);
    }
    while (mu__reader_left(r) > 0) {
        struct slot slot;
        read_slot(r, &slot);
        c->slot_end = r->pos;
        if (slot.events > 0) {
            c->slot_left = slot.events;
            c->slot_ltime = slot.ltime;
            r->pos = slot.events_at;
            return true;
        }
    }
    return false;
}

bool swim__state_next_event(const struct swim__state *s, struct swim__state_cursor *c,
                            struct swim__serf_event *out)
{
    struct mu__reader r = mu__reader(s->events.p, s->events.len);
    r.pos = c->at;
    if (c->slot_left == 0 && !next_slot(&r, c)) {
        c->at = r.pos;
        return false;
    }
    read_event(&r, out);
    out->ltime = c->slot_ltime;
    c->slot_left--;
    c->at = r.pos;
    return !r.failed;
}
