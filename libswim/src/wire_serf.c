#include "wire_serf.h"

#include "wire_fields.h"

#include <string.h>

#define AT(type, member) offsetof(struct type, member)

static const struct swim__field leave_fields[] = {
    {"LTime", SWIM__U64, false, AT(swim__serf_intent, ltime), NULL},
    {"Node", SWIM__TEXT, false, AT(swim__serf_intent, node), NULL},
    {"Prune", SWIM__BOOL, false, AT(swim__serf_intent, prune), NULL},
};
static const struct swim__field join_fields[] = {
    {"LTime", SWIM__U64, false, AT(swim__serf_intent, ltime), NULL},
    {"Node", SWIM__TEXT, false, AT(swim__serf_intent, node), NULL},
};
static const struct swim__field event_fields[] = {
    {"CC", SWIM__BOOL, false, AT(swim__serf_event, cc), NULL},
    {"LTime", SWIM__U64, false, AT(swim__serf_event, ltime), NULL},
    {"Name", SWIM__TEXT, false, AT(swim__serf_event, name), NULL},
    {"Payload", SWIM__BLOB, false, AT(swim__serf_event, payload), NULL},
};
static const struct swim__field query_fields[] = {
    {"Addr", SWIM__RAW, false, AT(swim__serf_query, addr), NULL},
    {"Filters", SWIM__SPAN, false, AT(swim__serf_query, filters), NULL},
    {"Flags", SWIM__U32, false, AT(swim__serf_query, flags), NULL},
    {"ID", SWIM__U32, false, AT(swim__serf_query, id), NULL},
    {"LTime", SWIM__U64, false, AT(swim__serf_query, ltime), NULL},
    {"Name", SWIM__TEXT, false, AT(swim__serf_query, name), NULL},
    {"Payload", SWIM__BLOB, false, AT(swim__serf_query, payload), NULL},
    {"Port", SWIM__U16, false, AT(swim__serf_query, port), NULL},
    {"RelayFactor", SWIM__U8, false, AT(swim__serf_query, relay_factor), NULL},
    {"SourceNode", SWIM__TEXT, false, AT(swim__serf_query, source_node), NULL},
    {"Timeout", SWIM__I64, false, AT(swim__serf_query, timeout_ns), NULL},
};
static const struct swim__field response_fields[] = {
    {"Flags", SWIM__U32, false, AT(swim__serf_response, flags), NULL},
    {"From", SWIM__TEXT, false, AT(swim__serf_response, from), NULL},
    {"ID", SWIM__U32, false, AT(swim__serf_response, id), NULL},
    {"LTime", SWIM__U64, false, AT(swim__serf_response, ltime), NULL},
    {"Payload", SWIM__BLOB, false, AT(swim__serf_response, payload), NULL},
};
static const struct swim__field member_fields[] = {
    {"Addr", SWIM__RAW, false, AT(swim__serf_member, addr), NULL},
    {"DelegateCur", SWIM__U8, false, AT(swim__serf_member, delegate_cur), NULL},
    {"DelegateMax", SWIM__U8, false, AT(swim__serf_member, delegate_max), NULL},
    {"DelegateMin", SWIM__U8, false, AT(swim__serf_member, delegate_min), NULL},
    {"Name", SWIM__TEXT, false, AT(swim__serf_member, name), NULL},
    {"Port", SWIM__U16, false, AT(swim__serf_member, port), NULL},
    {"ProtocolCur", SWIM__U8, false, AT(swim__serf_member, protocol_cur), NULL},
    {"ProtocolMax", SWIM__U8, false, AT(swim__serf_member, protocol_max), NULL},
    {"ProtocolMin", SWIM__U8, false, AT(swim__serf_member, protocol_min), NULL},
    {"Status", SWIM__I64, false, AT(swim__serf_member, status), NULL},
    {"Tags", SWIM__PAIRS, false, AT(swim__serf_member, tags), NULL},
};
static const struct swim__field key_request_fields[] = {
    {"Key", SWIM__BLOB, false, AT(swim__serf_key_request, key), NULL},
};
static const struct swim__field key_response_fields[] = {
    {"Keys", SWIM__SPAN, false, AT(swim__serf_key_response, keys), NULL},
    {"Message", SWIM__TEXT, false, AT(swim__serf_key_response, message), NULL},
    {"PrimaryKey", SWIM__TEXT, false, AT(swim__serf_key_response, primary_key), NULL},
    {"Result", SWIM__BOOL, false, AT(swim__serf_key_response, result), NULL},
};
/* A relay's header nests the address; both maps fill one struct. */
static const struct swim__field relay_addr_fields[] = {
    {"IP", SWIM__RAW, false, AT(swim__serf_relay, dest_addr), NULL},
    {"Port", SWIM__U16, false, AT(swim__serf_relay, dest_port), NULL},
    {"Zone", SWIM__TEXT, false, AT(swim__serf_relay, dest_zone), NULL},
};
static const struct swim__layout relay_addr = SWIM__LAYOUT(relay_addr_fields);
static const struct swim__field relay_fields[] = {
    {"DestAddr", SWIM__SUB, false, 0, &relay_addr},
    {"DestName", SWIM__TEXT, false, AT(swim__serf_relay, dest_name), NULL},
};
static const struct swim__field filter_tag_fields[] = {
    {"Expr", SWIM__TEXT, false, AT(swim__serf_filter, expr), NULL},
    {"Tag", SWIM__TEXT, false, AT(swim__serf_filter, tag), NULL},
};
static const struct swim__layout filter_tag = SWIM__LAYOUT(filter_tag_fields);
static const struct swim__layout member_layout = SWIM__LAYOUT(member_fields);

static const struct swim__layout layouts[] = {
    [SWIM__SERF_LEAVE] = SWIM__LAYOUT(leave_fields),
    [SWIM__SERF_JOIN] = SWIM__LAYOUT(join_fields),
    [SWIM__SERF_USER_EVENT] = SWIM__LAYOUT(event_fields),
    [SWIM__SERF_QUERY] = SWIM__LAYOUT(query_fields),
    [SWIM__SERF_QUERY_RESPONSE] = SWIM__LAYOUT(response_fields),
    [SWIM__SERF_KEY_REQUEST] = SWIM__LAYOUT(key_request_fields),
    [SWIM__SERF_KEY_RESPONSE] = SWIM__LAYOUT(key_response_fields),
    [SWIM__SERF_RELAY] = SWIM__LAYOUT(relay_fields),
};

static const struct swim__layout *layout_of(unsigned type)
{
    if (type >= sizeof layouts / sizeof *layouts || !layouts[type].fields) {
        return NULL;
    }
    return &layouts[type];
}

static struct mu_str rest_of(const struct mu__reader *r)
{
    return (struct mu_str){(const char *)r->data + r->pos, mu__reader_left(r)};
}

static void decode_body(struct mu__reader *r, struct swim__serf_msg *msg)
{
    if (msg->type == SWIM__SERF_CONFLICT_RESPONSE) {
        msg->conflict.known = !mu__mp_read_nil(r);
        if (msg->conflict.known) {
            swim__fields_decode(r, &member_layout, &msg->conflict.member);
        }
        return;
    }
    const struct swim__layout *layout = layout_of(msg->type);
    if (!layout) {
        mu__reader_fail(r);
        return;
    }
    swim__fields_decode(r, layout, &msg->leave); /* all members of the union begin there */
    if (msg->type == SWIM__SERF_RELAY) {
        msg->relay.inner = rest_of(r);
    }
}

bool swim__serf_decode(const void *data, size_t len, struct swim__serf_msg *out)
{
    struct mu__reader r = mu__reader(data, len);
    struct swim__serf_msg msg;
    memset(&msg, 0, sizeof msg);
    msg.type = (enum swim__serf_type)mu__read_u8(&r);
    decode_body(&r, &msg);
    if (r.failed) {
        return false;
    }
    *out = msg;
    return true;
}

void swim__serf_encode(struct mu__writer *w, const struct swim__serf_msg *msg)
{
    mu__write_u8(w, (uint8_t)msg->type);
    if (msg->type == SWIM__SERF_CONFLICT_RESPONSE) {
        if (msg->conflict.known) {
            swim__fields_encode(w, &member_layout, &msg->conflict.member);
        } else {
            mu__mp_write_nil(w);
        }
        return;
    }
    const struct swim__layout *layout = layout_of(msg->type);
    if (!layout) {
        w->failed = true;
        return;
    }
    swim__fields_encode(w, layout, &msg->leave);
    if (msg->type == SWIM__SERF_RELAY) {
        mu__write_bytes(w, msg->relay.inner.p, msg->relay.inner.len);
    }
}

bool swim__span_next(struct mu_str span, size_t *at, struct mu_str *out)
{
    struct mu__reader r = mu__reader(span.p, span.len);
    r.pos = *at;
    if (r.pos == 0 && span.len > 0) {
        mu__mp_read_array(&r);
    }
    if (mu__reader_left(&r) == 0) {
        return false;
    }
    *out = mu__mp_read_bytes(&r);
    *at = r.pos;
    return !r.failed;
}

bool swim__serf_filter_decode(struct mu_str raw, struct swim__serf_filter *out)
{
    struct mu__reader r = mu__reader(raw.p, raw.len);
    struct swim__serf_filter f;
    memset(&f, 0, sizeof f);
    uint8_t type = mu__read_u8(&r);
    if (type == SWIM__FILTER_NODES) {
        f.type = SWIM__FILTER_NODES;
        f.nodes = swim__read_span(&r);
    } else if (type == SWIM__FILTER_TAG) {
        f.type = SWIM__FILTER_TAG;
        swim__fields_decode(&r, &filter_tag, &f);
    } else {
        return false;
    }
    if (r.failed) {
        return false;
    }
    *out = f;
    return true;
}

void swim__serf_filter_encode(struct mu__writer *w, const struct swim__serf_filter *f)
{
    mu__write_u8(w, (uint8_t)f->type);
    if (f->type == SWIM__FILTER_TAG) {
        swim__fields_encode(w, &filter_tag, f);
    } else if (f->nodes.p) {
        mu__write_bytes(w, f->nodes.p, f->nodes.len);
    } else {
        mu__mp_write_nil(w);
    }
}
