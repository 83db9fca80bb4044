#include "wire_stream.h"

#include "wire_fields.h"

#include <string.h>

static const struct swim__field header_fields[] = {
    {"Join", SWIM__BOOL, false, offsetof(struct swim__pushpull_header, join), NULL},
    {"Nodes", SWIM__U64, false, offsetof(struct swim__pushpull_header, nodes), NULL},
    {"UserStateLen", SWIM__U64, false, offsetof(struct swim__pushpull_header, user_state_len),
     NULL},
};
static const struct swim__layout header_layout = SWIM__LAYOUT(header_fields);

_Static_assert(sizeof(enum swim__wire_state) == sizeof(uint32_t), "decoded as a u32");
static const struct swim__field node_fields[] = {
    {"Addr", SWIM__RAW, false, offsetof(struct swim__node_state, addr), NULL},
    {"Incarnation", SWIM__U32, false, offsetof(struct swim__node_state, incarnation), NULL},
    {"Meta", SWIM__BLOB, false, offsetof(struct swim__node_state, meta), NULL},
    {"Name", SWIM__TEXT, false, offsetof(struct swim__node_state, name), NULL},
    {"Port", SWIM__U16, false, offsetof(struct swim__node_state, port), NULL},
    {"State", SWIM__U32, false, offsetof(struct swim__node_state, state), NULL},
    {"Vsn", SWIM__RAW, false, offsetof(struct swim__node_state, vsn), NULL},
};
static const struct swim__layout node_layout = SWIM__LAYOUT(node_fields);

struct user_header {
    uint64_t len;
};
static const struct swim__field user_fields[] = {
    {"UserMsgLen", SWIM__U64, false, offsetof(struct user_header, len), NULL},
};
static const struct swim__layout user_layout = SWIM__LAYOUT(user_fields);

void swim__pushpull_read_header(struct mu__reader *r, struct swim__pushpull_header *h)
{
    memset(h, 0, sizeof *h);
    swim__fields_decode(r, &header_layout, h);
    if (h->nodes > SWIM__STREAM_NODES_MAX || h->user_state_len > SWIM__STREAM_USER_MAX) {
        mu__reader_fail(r);
    }
}

uint64_t swim__user_read_header(struct mu__reader *r)
{
    struct user_header h = {0};
    swim__fields_decode(r, &user_layout, &h);
    if (h.len > SWIM__STREAM_USER_MAX) {
        mu__reader_fail(r);
    }
    return h.len;
}

static void read_node(struct mu__reader *r, struct swim__node_state *n)
{
    memset(n, 0, sizeof *n);
    swim__fields_decode(r, &node_layout, n);
}

void swim__pushpull_encode_header(struct mu__writer *w, const struct swim__pushpull_header *h)
{
    mu__write_u8(w, SWIM__MSG_PUSH_PULL);
    swim__fields_encode(w, &header_layout, h);
}

void swim__pushpull_encode_node(struct mu__writer *w, const struct swim__node_state *n)
{
    swim__fields_encode(w, &node_layout, n);
}

bool swim__pushpull_begin(struct swim__pushpull *p, const void *data, size_t len)
{
    struct mu__reader r = mu__reader(data, len);
    struct swim__pushpull pp;
    memset(&pp, 0, sizeof pp);
    if (mu__read_u8(&r) != SWIM__MSG_PUSH_PULL) {
        return false;
    }
    swim__pushpull_read_header(&r, &pp.header);
    size_t nodes_at = r.pos;
    struct swim__node_state ignored;
    for (uint64_t i = 0; i < pp.header.nodes && !r.failed; i++) {
        read_node(&r, &ignored);
    }
    size_t nodes_end = r.pos;
    pp.user_state.p = (const char *)mu__read_bytes(&r, (size_t)pp.header.user_state_len);
    pp.user_state.len = (size_t)pp.header.user_state_len;
    if (r.failed) {
        return false;
    }
    pp.nodes = mu__reader(r.data + nodes_at, nodes_end - nodes_at);
    pp.left = pp.header.nodes;
    *p = pp;
    return true;
}

bool swim__pushpull_next(struct swim__pushpull *p, struct swim__node_state *out)
{
    if (p->left == 0) {
        return false;
    }
    p->left--;
    read_node(&p->nodes, out);
    return !p->nodes.failed;
}

void swim__pushpull_rewind(struct swim__pushpull *p)
{
    p->nodes.pos = 0;
    p->left = p->header.nodes;
}

bool swim__user_stream_decode(const void *data, size_t len, struct mu_str *out)
{
    struct mu__reader r = mu__reader(data, len);
    if (mu__read_u8(&r) != SWIM__MSG_USER) {
        return false;
    }
    size_t n = (size_t)swim__user_read_header(&r);
    const uint8_t *p = mu__read_bytes(&r, n);
    if (r.failed) {
        return false;
    }
    *out = (struct mu_str){(const char *)p, n};
    return true;
}

void swim__user_stream_encode(struct mu__writer *w, struct mu_str user)
{
    mu__write_u8(w, SWIM__MSG_USER);
    struct user_header h = {user.len};
    swim__fields_encode(w, &user_layout, &h);
    mu__write_bytes(w, user.p, user.len);
}
