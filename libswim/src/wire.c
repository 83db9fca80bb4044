#include "wire.h"

#include "wire_fields.h"

#include <math.h>
#include <string.h>

#define AT(type, member) offsetof(struct type, member)

static const struct swim__field ping_fields[] = {
    {"Node", SWIM__TEXT, false, AT(swim__ping, node), NULL},
    {"SeqNo", SWIM__U32, false, AT(swim__ping, seq_no), NULL},
    {"SourceAddr", SWIM__RAW, true, AT(swim__ping, source_addr), NULL},
    {"SourceNode", SWIM__TEXT, true, AT(swim__ping, source_node), NULL},
    {"SourcePort", SWIM__U16, true, AT(swim__ping, source_port), NULL},
};
static const struct swim__field indirect_ping_fields[] = {
    {"Nack", SWIM__BOOL, false, AT(swim__indirect_ping, nack), NULL},
    {"Node", SWIM__TEXT, false, AT(swim__indirect_ping, node), NULL},
    {"Port", SWIM__U16, false, AT(swim__indirect_ping, port), NULL},
    {"SeqNo", SWIM__U32, false, AT(swim__indirect_ping, seq_no), NULL},
    {"SourceAddr", SWIM__RAW, true, AT(swim__indirect_ping, source_addr), NULL},
    {"SourceNode", SWIM__TEXT, true, AT(swim__indirect_ping, source_node), NULL},
    {"SourcePort", SWIM__U16, true, AT(swim__indirect_ping, source_port), NULL},
    {"Target", SWIM__RAW, false, AT(swim__indirect_ping, target), NULL},
};
static const struct swim__field ack_fields[] = {
    {"Payload", SWIM__BLOB, false, AT(swim__ack, payload), NULL},
    {"SeqNo", SWIM__U32, false, AT(swim__ack, seq_no), NULL},
};
static const struct swim__field nack_fields[] = {
    {"SeqNo", SWIM__U32, false, AT(swim__nack, seq_no), NULL},
};
static const struct swim__field err_fields[] = {
    {"Error", SWIM__TEXT, false, AT(swim__err, text), NULL},
};
static const struct swim__field accusation_fields[] = {
    {"From", SWIM__TEXT, false, AT(swim__accusation, from), NULL},
    {"Incarnation", SWIM__U32, false, AT(swim__accusation, incarnation), NULL},
    {"Node", SWIM__TEXT, false, AT(swim__accusation, node), NULL},
};
static const struct swim__field alive_fields[] = {
    {"Addr", SWIM__RAW, false, AT(swim__alive, addr), NULL},
    {"Incarnation", SWIM__U32, false, AT(swim__alive, incarnation), NULL},
    {"Meta", SWIM__BLOB, false, AT(swim__alive, meta), NULL},
    {"Node", SWIM__TEXT, false, AT(swim__alive, node), NULL},
    {"Port", SWIM__U16, false, AT(swim__alive, port), NULL},
    {"Vsn", SWIM__RAW, false, AT(swim__alive, vsn), NULL},
};

/* By type byte; types without fields are no messages of struct swim__msg. */
static const struct swim__layout layouts[] = {
    [SWIM__MSG_PING] = SWIM__LAYOUT(ping_fields),
    [SWIM__MSG_INDIRECT_PING] = SWIM__LAYOUT(indirect_ping_fields),
    [SWIM__MSG_ACK] = SWIM__LAYOUT(ack_fields),
    [SWIM__MSG_SUSPECT] = SWIM__LAYOUT(accusation_fields),
    [SWIM__MSG_ALIVE] = SWIM__LAYOUT(alive_fields),
    [SWIM__MSG_DEAD] = SWIM__LAYOUT(accusation_fields),
    [SWIM__MSG_NACK] = SWIM__LAYOUT(nack_fields),
    [SWIM__MSG_ERR] = SWIM__LAYOUT(err_fields),
};

static const struct swim__layout *layout_of(unsigned type)
{
    if (type >= sizeof layouts / sizeof *layouts || !layouts[type].fields) {
        return NULL;
    }
    return &layouts[type];
}

bool swim__msg_decode(const void *data, size_t len, struct swim__msg *out)
{
    struct mu__reader r = mu__reader(data, len);
    struct swim__msg msg;
    memset(&msg, 0, sizeof msg);
    uint8_t type = mu__read_u8(&r);
    if (r.failed) {
        return false;
    }
    msg.type = (enum swim__msg_type)type;
    if (type == SWIM__MSG_USER) {
        msg.user = (struct mu_str){(const char *)r.data + 1, len - 1};
        *out = msg;
        return true;
    }
    const struct swim__layout *layout = layout_of(type);
    if (!layout) {
        return false;
    }
    swim__fields_decode(&r, layout, &msg.ping); /* all members of the union begin there */
    if (r.failed) {
        return false;
    }
    *out = msg;
    return true;
}

void swim__msg_encode(struct mu__writer *w, const struct swim__msg *msg)
{
    mu__write_u8(w, (uint8_t)msg->type);
    if (msg->type == SWIM__MSG_USER) {
        mu__write_bytes(w, msg->user.p, msg->user.len);
        return;
    }
    const struct swim__layout *layout = layout_of(msg->type);
    if (layout) {
        swim__fields_encode(w, layout, &msg->ping);
    } else {
        w->failed = true;
    }
}

bool swim__vsn_is_valid(struct mu_str vsn)
{
    if (vsn.len != SWIM__VSN_LEN) {
        return false;
    }
    const uint8_t *v = (const uint8_t *)vsn.p;
    return v[0] > 0 && v[1] > 0 && v[0] <= v[1];
}

size_t swim__wire_addr(struct mu_str raw, uint8_t out[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (raw.len != 4 && raw.len != 16) {
        return 0;
    }
    if (raw.len == 16 && memcmp(raw.p, mapped, sizeof mapped) == 0) {
        memcpy(out, raw.p + sizeof mapped, 4);
        return 4;
    }
    memcpy(out, raw.p, raw.len);
    return raw.len;
}

/* ---- tags ---- */

#define TAGS_MAGIC 0xffu

bool swim__wire_tags_begin(struct swim__wire_tags *t, struct mu_str meta)
{
    *t = (struct swim__wire_tags){.r = mu__reader(meta.p, meta.len)};
    if (meta.len == 0) {
        return true;
    }
    if ((uint8_t)meta.p[0] != TAGS_MAGIC) {
        t->left = 1; /* next sees that the reader stands at the start */
        return true;
    }
    struct mu__reader check = mu__reader(meta.p + 1, meta.len - 1);
    swim__read_pairs(&check);
    if (check.failed) {
        return false;
    }
    t->r.pos = 1;
    t->left = mu__mp_read_map(&t->r);
    return true;
}

bool swim__wire_tags_next(struct swim__wire_tags *t, struct swim_tag *out)
{
    if (t->left == 0) {
        return false;
    }
    t->left--;
    if (t->r.pos == 0) { /* the oldest form: all of it is the role */
        out->key = (struct mu_str){"role", 4};
        out->value = (struct mu_str){(const char *)t->r.data, t->r.len};
        return true;
    }
    out->key = mu__mp_read_str(&t->r);
    out->value = mu__mp_read_str(&t->r);
    return true;
}

void swim__wire_tags_encode(struct mu__writer *w, const struct swim_tag *tags, size_t n)
{
    mu__write_u8(w, TAGS_MAGIC);
    mu__mp_write_map(w, n);
    for (size_t i = 0; i < n; i++) {
        mu__mp_write_raw(w, tags[i].key.p, tags[i].key.len);
        mu__mp_write_raw(w, tags[i].value.p, tags[i].value.len);
    }
}

/* ---- coordinates: 01, {Adjustment, Error, Height, Vec [8]} ---- */

#define COORD_VERSION 1u

static void decode_vec(struct mu__reader *r, double vec[SWIM_DIMENSIONS])
{
    if (mu__mp_read_array(r) != SWIM_DIMENSIONS) {
        mu__reader_fail(r);
        return;
    }
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        vec[i] = mu__mp_read_float(r);
    }
}

static bool is_finite(const struct swim_coordinate *c)
{
    bool finite = isfinite(c->adjustment) && isfinite(c->error) && isfinite(c->height);
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        finite = finite && isfinite(c->vec[i]);
    }
    return finite;
}

bool swim__coord_payload_decode(struct mu_str payload, struct swim_coordinate *out)
{
    struct mu__reader r = mu__reader(payload.p, payload.len);
    if (mu__read_u8(&r) != COORD_VERSION) {
        return false;
    }
    struct swim_coordinate c;
    memset(&c, 0, sizeof c);
    bool has_vec = false;
    size_t n = mu__mp_read_map(&r);
    for (size_t i = 0; i < n && !r.failed; i++) {
        struct mu_str key = mu__mp_read_str(&r);
        if (mu__str_is(key, "Adjustment")) {
            c.adjustment = mu__mp_read_float(&r);
        } else if (mu__str_is(key, "Error")) {
            c.error = mu__mp_read_float(&r);
        } else if (mu__str_is(key, "Height")) {
            c.height = mu__mp_read_float(&r);
        } else if (mu__str_is(key, "Vec")) {
            decode_vec(&r, c.vec);
            has_vec = true;
        } else {
            mu__mp_skip(&r);
        }
    }
    if (r.failed || !has_vec || !is_finite(&c)) {
        return false;
    }
    *out = c;
    return true;
}

void swim__coord_payload_encode(struct mu__writer *w, const struct swim_coordinate *c)
{
    mu__write_u8(w, COORD_VERSION);
    mu__mp_write_map(w, 4);
    mu__mp_write_cstr(w, "Adjustment");
    mu__mp_write_float(w, c->adjustment);
    mu__mp_write_cstr(w, "Error");
    mu__mp_write_float(w, c->error);
    mu__mp_write_cstr(w, "Height");
    mu__mp_write_float(w, c->height);
    mu__mp_write_cstr(w, "Vec");
    mu__mp_write_array(w, SWIM_DIMENSIONS);
    for (size_t i = 0; i < SWIM_DIMENSIONS; i++) {
        mu__mp_write_float(w, c->vec[i]);
    }
}
