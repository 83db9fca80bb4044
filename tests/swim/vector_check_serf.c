/* Serf's part of vector_check.h. */
#include "vector_check.h"

#include "alloc.h"

static void check_event(const json_t *b, const struct swim__serf_event *m)
{
    check_text_in(b, "Name", m->name);
    check_text_in(b, "Payload", m->payload);
    assert_int_equal(json_is_null(member(b, "Payload")), m->payload.p == NULL);
}

static void check_filters(const json_t *want, struct mu_str filters)
{
    size_t at = 0, i = 0;
    struct mu_str raw;
    while (want && swim__span_next(filters, &at, &raw)) {
        struct swim__serf_filter f;
        const json_t *one = json_array_get(want, i++);
        assert_true(swim__serf_filter_decode(raw, &f));
        assert_int_equal(f.type, json_integer_value(member(one, "type")));
        if (f.type == SWIM__FILTER_NODES) {
            check_span(member(one, "body"), f.nodes);
        } else {
            check_text_in(member(one, "body"), "Tag", f.tag);
            check_text_in(member(one, "body"), "Expr", f.expr);
        }
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        swim__serf_filter_encode(&w, &f);
        check_encoded(&w, raw);
    }
}

static void check_query(const json_t *want, const struct swim__serf_query *m)
{
    const json_t *b = member(want, "body");
    check_int_in(b, "LTime", (int64_t)m->ltime);
    check_int_in(b, "Timeout", m->timeout_ns);
    check_int_in(b, "ID", m->id);
    check_int_in(b, "Flags", m->flags);
    check_text_in(b, "Addr", m->addr);
    check_int_in(b, "Port", m->port);
    check_int_in(b, "RelayFactor", m->relay_factor);
    check_text_in(b, "SourceNode", m->source_node);
    check_text_in(b, "Name", m->name);
    check_text_in(b, "Payload", m->payload);
    check_span(member(b, "Filters"), m->filters);
    check_filters(json_object_get(want, "filters_decoded"), m->filters);
}

static void check_response(const json_t *b, const struct swim__serf_response *m)
{
    check_int_in(b, "LTime", (int64_t)m->ltime);
    check_int_in(b, "ID", m->id);
    check_int_in(b, "Flags", m->flags);
    check_text_in(b, "From", m->from);
    check_text_in(b, "Payload", m->payload);
}

static void check_conflict(const json_t *b, const struct swim__serf_conflict *m)
{
    assert_int_equal(m->known, !json_is_null(b));
    if (!m->known) {
        return;
    }
    check_text_in(b, "Name", m->member.name);
    check_text_in(b, "Addr", m->member.addr);
    check_int_in(b, "Port", m->member.port);
    check_int_in(b, "Status", m->member.status);
    check_int_in(b, "ProtocolMin", m->member.protocol_min);
    check_int_in(b, "ProtocolMax", m->member.protocol_max);
    check_int_in(b, "ProtocolCur", m->member.protocol_cur);
    check_int_in(b, "DelegateMin", m->member.delegate_min);
    check_int_in(b, "DelegateMax", m->member.delegate_max);
    check_int_in(b, "DelegateCur", m->member.delegate_cur);
}

static void check_key_response(const json_t *b, const struct swim__serf_key_response *m)
{
    check_bool_in(b, "Result", m->result);
    check_text_in(b, "Message", m->message);
    check_text_in(b, "PrimaryKey", m->primary_key);
    check_span(member(b, "Keys"), m->keys);
}

/* Payloads of queries and responses hold a message of their own. */
static void check_payload(const json_t *want, struct mu_str payload)
{
    const json_t *inner = json_object_get(want, "payload_decoded");
    if (!inner || !json_object_get(inner, "type")) {
        return;
    }
    json_t *as_serf = json_pack("{s:s, s:O}", "serf", string_member(inner, "type"), "body",
                                member(inner, "body"));
    check_serf(as_serf, payload);
    json_decref(as_serf);
}

static void check_relay(const json_t *want, const struct swim__serf_relay *m)
{
    const json_t *addr = member(member(want, "header"), "DestAddr");
    check_text_in(addr, "IP", m->dest_addr);
    check_int_in(addr, "Port", m->dest_port);
    check_text_in(addr, "Zone", m->dest_zone);
    check_text_in(member(want, "header"), "DestName", m->dest_name);
    check_serf(member(want, "inner"), m->inner);
}

static size_t span_count(struct mu_str span)
{
    struct mu__reader r = mu__reader(span.p, span.len);
    return span.len > 0 ? mu__mp_read_array(&r) : 0;
}

/* Encodes the state again from what the walks give. Slots stand at their Lamport time modulo their
 * number. */
static void encode_state(struct mu__writer *w, const struct swim__state *s)
{
    size_t slots = span_count(s->events);
    swim__state_encode_begin(w, s->event_ltime, slots);
    struct swim__state_cursor c = {0}, look;
    struct swim__serf_event e;
    bool more = swim__state_next_event(s, &c, &e);
    for (size_t i = 0; i < slots; i++) {
        if (!more || e.ltime % slots != i) {
            swim__state_encode_no_slot(w);
            continue;
        }
        uint64_t ltime = e.ltime;
        size_t n = 1;
        look = c;
        for (struct swim__serf_event f; swim__state_next_event(s, &look, &f) && f.ltime == ltime;) {
            n++;
        }
        swim__state_encode_slot(w, n);
        for (; n > 0; n--) {
            swim__state_encode_event(w, e.name, e.payload);
            more = swim__state_next_event(s, &c, &e);
        }
        swim__state_encode_slot_ltime(w, ltime);
    }
    swim__state_encode_left(w, s->ltime, span_count(s->left_members));
    struct mu_str name;
    for (size_t at = 0; swim__span_next(s->left_members, &at, &name);) {
        swim__state_encode_name(w, name);
    }
    struct swim__state_cursor count = {0}, walk = {0};
    uint64_t ltime;
    size_t members = 0;
    while (swim__state_next_status(s, &count, &name, &ltime)) {
        members++;
    }
    swim__state_encode_status(w, s->query_ltime, members);
    while (swim__state_next_status(s, &walk, &name, &ltime)) {
        swim__state_encode_member(w, name, ltime);
    }
}

static void check_state_events(const json_t *want, const struct swim__state *s)
{
    const json_t *slots = json_object_get(want, "non_nil");
    struct swim__state_cursor c = {0};
    struct swim__serf_event e;
    size_t in_slot = 0, slot = 0, walked = 0, wanted = 0;
    while (swim__state_next_event(s, &c, &e)) {
        char key[24];
        const json_t *at = NULL;
        snprintf(key, sizeof key, "%u", (unsigned)e.ltime);
        at = slots ? json_object_get(slots, key) : json_array_get(want, (size_t)e.ltime);
        in_slot = e.ltime == slot ? in_slot + 1 : 0;
        slot = (size_t)e.ltime;
        check_event(json_array_get(member(at, "Events"), in_slot), &e);
        walked++;
    }
    const char *k;
    json_t *v;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)slots, k, v)
    {
        wanted += json_array_size(member(v, "Events"));
    }
    json_array_foreach(want, i, v)
    {
        wanted += json_is_null(v) ? 0 : json_array_size(member(v, "Events"));
    }
    assert_int_equal(walked, wanted);
}

static void check_state(const json_t *b, struct mu_str bytes)
{
    struct swim__state s;
    assert_true(swim__state_decode(bytes.p, bytes.len, &s));
    check_int_in(b, "LTime", (int64_t)s.ltime);
    check_int_in(b, "EventLTime", (int64_t)s.event_ltime);
    check_int_in(b, "QueryLTime", (int64_t)s.query_ltime);
    check_span(member(b, "LeftMembers"), s.left_members);
    struct swim__state_cursor c = {0};
    struct mu_str name;
    uint64_t ltime;
    size_t n = 0;
    for (; swim__state_next_status(&s, &c, &name, &ltime); n++) {
        char key[64] = {0};
        memcpy(key, name.p, mu__min(name.len, sizeof key - 1));
        check_int_in(member(b, "StatusLTimes"), key, (int64_t)ltime);
    }
    assert_int_equal(n, json_object_size(member(b, "StatusLTimes")));
    check_state_events(member(b, "Events"), &s);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    encode_state(&w, &s);
    check_encoded(&w, bytes);
}

static void check_intent(const json_t *b, const struct swim__serf_intent *m)
{
    check_int_in(b, "LTime", (int64_t)m->ltime);
    check_text_in(b, "Node", m->node);
}

static void check_serf_body(const json_t *want, const struct swim__serf_msg *m)
{
    const json_t *b = json_object_get(want, "body");
    switch (m->type) {
    case SWIM__SERF_LEAVE:
        check_bool_in(b, "Prune", m->leave.prune);
        check_intent(b, &m->leave);
        break;
    case SWIM__SERF_JOIN:
        check_intent(b, &m->join);
        break;
    case SWIM__SERF_USER_EVENT:
        check_bool_in(b, "CC", m->event.cc);
        check_int_in(b, "LTime", (int64_t)m->event.ltime);
        check_event(b, &m->event);
        break;
    case SWIM__SERF_QUERY:
        check_query(want, &m->query);
        check_payload(want, m->query.payload);
        break;
    case SWIM__SERF_QUERY_RESPONSE:
        check_response(b, &m->response);
        check_payload(want, m->response.payload);
        break;
    case SWIM__SERF_CONFLICT_RESPONSE:
        check_conflict(b, &m->conflict);
        break;
    case SWIM__SERF_KEY_REQUEST:
        check_text_in(b, "Key", m->key_request.key);
        break;
    case SWIM__SERF_KEY_RESPONSE:
        check_key_response(b, &m->key_response);
        break;
    case SWIM__SERF_RELAY:
        check_relay(want, &m->relay);
        break;
    case SWIM__SERF_PUSH_PULL:
        fail_msg("a push/pull state is no message");
    }
}

static const char *const serf_names[] = {
    [SWIM__SERF_LEAVE] = "leave",
    [SWIM__SERF_JOIN] = "join",
    [SWIM__SERF_USER_EVENT] = "userEvent",
    [SWIM__SERF_QUERY] = "query",
    [SWIM__SERF_QUERY_RESPONSE] = "queryResponse",
    [SWIM__SERF_CONFLICT_RESPONSE] = "conflictResponse",
    [SWIM__SERF_KEY_REQUEST] = "keyRequest",
    [SWIM__SERF_KEY_RESPONSE] = "keyResponse",
    [SWIM__SERF_RELAY] = "relay",
};

void check_serf(const json_t *want, struct mu_str bytes)
{
    struct swim__serf_msg m;
    if (strcmp(string_member(want, "serf"), "pushPull") == 0) {
        check_state(member(want, "body"), bytes);
        return;
    }
    assert_true(swim__serf_decode(bytes.p, bytes.len, &m));
    assert_string_equal(serf_names[m.type], string_member(want, "serf"));
    check_serf_body(want, &m);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__serf_encode(&w, &m);
    check_encoded(&w, bytes);
}
