#include "vector_check.h"

#include "alloc.h"

struct mu_str str_of(const void *p, size_t len)
{
    return (struct mu_str){p, len};
}

struct bytes unhex(const char *hex)
{
    struct bytes b = {malloc(strlen(hex) / 2 + 1), strlen(hex) / 2};
    assert_non_null(b.p);
    for (size_t i = 0; i < b.len; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        b.p[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return b;
}

const char *string_member(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    assert_non_null(s);
    return s;
}

struct bytes hex_member(const json_t *o, const char *key)
{
    return unhex(string_member(o, key));
}

json_t *member(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!v) {
        fail_msg("the vector lacks %s", key);
    }
    return v;
}

void check_bytes(struct mu_str got, const void *want, size_t len)
{
    assert_int_equal(got.len, len);
    if (len > 0) {
        assert_memory_equal(got.p, want, len);
    }
}

void check_encoded(struct mu__writer *w, struct mu_str want)
{
    assert_false(w->failed);
    check_bytes(str_of(w->data, w->len), want.p, want.len);
    mu__writer_fini(w);
}

void check_text(const json_t *want, struct mu_str got)
{
    if (json_is_null(want)) {
        assert_int_equal(got.len, 0);
    } else if (json_is_string(want)) {
        check_bytes(got, json_string_value(want), json_string_length(want));
    } else {
        struct bytes b = hex_member(want, "$hex");
        check_bytes(got, b.p, b.len);
        free(b.p);
    }
}

/* A text that may be left out of the vector when it is empty. */
void check_text_in(const json_t *body, const char *key, struct mu_str got)
{
    const json_t *want = json_object_get(body, key);
    if (want) {
        check_text(want, got);
    } else {
        assert_int_equal(got.len, 0);
    }
}

void check_int_in(const json_t *body, const char *key, int64_t got)
{
    const json_t *want = json_object_get(body, key);
    assert_int_equal(got, want ? json_integer_value(want) : 0);
}

void check_bool_in(const json_t *body, const char *key, bool got)
{
    assert_int_equal(got, json_is_true(member(body, key)));
}

void check_span(const json_t *want, struct mu_str span)
{
    size_t at = 0, i = 0;
    struct mu_str s;
    assert_int_equal(json_is_null(want), span.p == NULL);
    while (swim__span_next(span, &at, &s)) {
        check_text(json_array_get(want, i++), s);
    }
    assert_int_equal(i, json_array_size(want));
}

/* ---- memberlist ---- */

static void check_ping(const json_t *b, const struct swim__ping *m)
{
    check_text_in(b, "Node", m->node);
    check_int_in(b, "SeqNo", m->seq_no);
    check_text_in(b, "SourceAddr", m->source_addr);
    check_text_in(b, "SourceNode", m->source_node);
    check_int_in(b, "SourcePort", m->source_port);
}

static void check_indirect_ping(const json_t *b, const struct swim__indirect_ping *m)
{
    check_bool_in(b, "Nack", m->nack);
    check_text_in(b, "Node", m->node);
    check_int_in(b, "Port", m->port);
    check_int_in(b, "SeqNo", m->seq_no);
    check_text_in(b, "Target", m->target);
    check_text_in(b, "SourceAddr", m->source_addr);
    check_text_in(b, "SourceNode", m->source_node);
    check_int_in(b, "SourcePort", m->source_port);
}

static void check_accusation(const json_t *b, const struct swim__accusation *m)
{
    check_text_in(b, "Node", m->node);
    check_text_in(b, "From", m->from);
    check_int_in(b, "Incarnation", m->incarnation);
}

static void check_alive(const json_t *want, const json_t *b, const struct swim__alive *m)
{
    check_text_in(b, "Node", m->node);
    check_text_in(b, "Addr", m->addr);
    check_text_in(b, "Meta", m->meta);
    check_text_in(b, "Vsn", m->vsn);
    check_int_in(b, "Port", m->port);
    check_int_in(b, "Incarnation", m->incarnation);
    if (json_object_get(want, "meta")) {
        check_meta(json_object_get(want, "meta"), m->meta);
    }
}

static void check_ack(const json_t *want, const json_t *b, const struct swim__ack *m)
{
    check_int_in(b, "SeqNo", m->seq_no);
    check_text_in(b, "Payload", m->payload);
    assert_int_equal(json_is_null(member(b, "Payload")), m->payload.p == NULL);
    if (json_object_get(want, "coord")) {
        check_coordinate(json_object_get(want, "coord"), m->payload);
    }
}

static void check_body(const json_t *want, const struct swim__msg *msg)
{
    const json_t *b = member(want, "body");
    switch (msg->type) {
    case SWIM__MSG_PING:
        check_ping(b, &msg->ping);
        break;
    case SWIM__MSG_INDIRECT_PING:
        check_indirect_ping(b, &msg->indirect_ping);
        break;
    case SWIM__MSG_ACK:
        check_ack(want, b, &msg->ack);
        break;
    case SWIM__MSG_SUSPECT:
    case SWIM__MSG_DEAD:
        check_accusation(b, &msg->suspect);
        break;
    case SWIM__MSG_ALIVE:
        check_alive(want, b, &msg->alive);
        break;
    case SWIM__MSG_NACK:
        check_int_in(b, "SeqNo", msg->nack.seq_no);
        break;
    case SWIM__MSG_ERR:
        check_text_in(b, "Error", msg->err.text);
        break;
    default:
        fail_msg("no body is known for type %d", (int)msg->type);
    }
}

static const char *const names[] = {
    [SWIM__MSG_PING] = "ping",   [SWIM__MSG_INDIRECT_PING] = "indirectPing",
    [SWIM__MSG_ACK] = "ack",     [SWIM__MSG_SUSPECT] = "suspect",
    [SWIM__MSG_ALIVE] = "alive", [SWIM__MSG_DEAD] = "dead",
    [SWIM__MSG_USER] = "user",   [SWIM__MSG_NACK] = "nack",
    [SWIM__MSG_ERR] = "err",
};

void check_message(const json_t *want, struct mu_str bytes)
{
    struct swim__msg msg;
    assert_true(swim__msg_decode(bytes.p, bytes.len, &msg));
    assert_string_equal(names[msg.type], string_member(want, "ml"));
    if (msg.type == SWIM__MSG_USER) {
        check_serf(member(want, "inner"), msg.user);
    } else {
        check_body(want, &msg);
    }
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__msg_encode(&w, &msg);
    check_encoded(&w, bytes);
}

void check_meta(const json_t *want, struct mu_str meta)
{
    struct swim__wire_tags t;
    struct swim_tag tags[32], tag;
    size_t n = 0;
    assert_true(swim__wire_tags_begin(&t, meta));
    while (swim__wire_tags_next(&t, &tag)) {
        char key[64] = {0};
        assert_in_range(tag.key.len, 1, sizeof key - 1);
        memcpy(key, tag.key.p, tag.key.len);
        check_text(member(member(want, "tags"), key), tag.value);
        tags[n++] = tag;
    }
    assert_int_equal(n, json_object_size(member(want, "tags")));
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__wire_tags_encode(&w, tags, n);
    check_encoded(&w, meta);
}

static void check_float(const json_t *want, double got)
{
    double w = json_number_value(want);
    assert_memory_equal(&w, &got, sizeof w);
}

void check_coordinate(const json_t *want, struct mu_str payload)
{
    struct swim_coordinate c;
    assert_true(swim__coord_payload_decode(payload, &c));
    check_float(member(want, "Adjustment"), c.adjustment);
    check_float(member(want, "Error"), c.error);
    check_float(member(want, "Height"), c.height);
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        check_float(json_array_get(member(want, "Vec"), i), c.vec[i]);
    }
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__coord_payload_encode(&w, &c);
    check_encoded(&w, payload);
}

/* ---- streams ---- */

static void check_node(const json_t *b, const struct swim__node_state *n)
{
    check_text_in(b, "Name", n->name);
    check_text_in(b, "Addr", n->addr);
    check_text_in(b, "Vsn", n->vsn);
    check_int_in(b, "Port", n->port);
    check_int_in(b, "Incarnation", n->incarnation);
    check_int_in(b, "State", (int64_t)n->state);
    if (json_is_object(member(b, "Meta")) && json_object_get(member(b, "Meta"), "magic")) {
        check_meta(member(b, "Meta"), n->meta);
    } else {
        check_text_in(b, "Meta", n->meta);
    }
}

void check_push_pull(const json_t *want, struct mu_str bytes)
{
    struct swim__pushpull p;
    assert_true(swim__pushpull_begin(&p, bytes.p, bytes.len));
    check_bool_in(member(want, "header"), "Join", p.header.join);
    check_int_in(member(want, "header"), "Nodes", (int64_t)p.header.nodes);
    check_int_in(member(want, "header"), "UserStateLen", (int64_t)p.header.user_state_len);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__pushpull_encode_header(&w, &p.header);
    struct swim__node_state n;
    size_t i = 0;
    while (swim__pushpull_next(&p, &n)) {
        check_node(json_array_get(member(want, "nodes"), i++), &n);
        swim__pushpull_encode_node(&w, &n);
    }
    assert_int_equal(i, json_array_size(member(want, "nodes")));
    if (json_is_object(member(want, "user"))) {
        check_serf(member(want, "user"), p.user_state);
    } else {
        assert_int_equal(p.user_state.len, 0);
    }
    mu__write_bytes(&w, p.user_state.p, p.user_state.len);
    check_encoded(&w, bytes);
}

void check_user_stream(const json_t *want, struct mu_str bytes)
{
    struct mu_str user;
    assert_true(swim__user_stream_decode(bytes.p, bytes.len, &user));
    check_serf(member(want, "inner"), user);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__user_stream_encode(&w, user);
    check_encoded(&w, bytes);
}
