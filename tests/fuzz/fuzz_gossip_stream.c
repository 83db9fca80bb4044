/* One stream, after a byte that says how it comes: bits 0-5 the size of the pieces (0: all at
 * once), bit 6 whether we opened it, bit 7 whether the peer is one of the pool already.
 *
 * Framer: pieces of any size give the same result as the whole. Codec: a push/pull that decodes
 * encodes to one that decodes alike. Core: its invariants hold whatever came. */
#include "core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct swim__envelope plain = {.verify_incoming = true, .verify_outgoing = true};

static int no_entropy(void *user, void *buf, size_t len)
{
    (void)user;
    memset(buf, 7, len);
    return 0;
}

static enum swim__frame_result frame(const uint8_t *data, size_t size, size_t piece, size_t *pos)
{
    struct swim__framer f;
    enum swim__frame_result rc = SWIM__FRAME_MORE;
    swim__framer_init(&f);
    for (size_t len = 0; rc == SWIM__FRAME_MORE && len < size;) {
        len = mu__min(len + piece, size);
        rc = swim__framer_feed(&f, data, len);
        assert(f.pos <= len);
    }
    *pos = f.pos;
    return rc;
}

static void encode_push_pull(struct swim__pushpull *p, struct mu__writer *w)
{
    struct swim__node_state n;
    swim__pushpull_encode_header(w, &p->header);
    while (swim__pushpull_next(p, &n)) {
        swim__pushpull_encode_node(w, &n);
    }
    mu__write_bytes(w, p->user_state.p, p->user_state.len);
}

static void walk_state(struct mu_str bytes)
{
    struct swim__state s;
    struct swim__state_cursor events = {0}, status = {0};
    struct swim__serf_event e;
    struct mu_str name;
    uint64_t ltime;
    size_t at = 0, walked = 0;
    if (!swim__state_decode(bytes.p, bytes.len, &s)) {
        return;
    }
    while (swim__state_next_event(&s, &events, &e) ||
           swim__state_next_status(&s, &status, &name, &ltime) ||
           swim__span_next(s.left_members, &at, &name)) {
        assert(++walked <= bytes.len);
    }
}

static void check_push_pull(struct mu_str msg)
{
    struct swim__pushpull p, q;
    struct mu__writer once = mu__writer_growing(&mu__malloc_allocator), twice = once;
    if (!swim__pushpull_begin(&p, msg.p, msg.len)) {
        return;
    }
    encode_push_pull(&p, &once);
    assert(!once.failed);
    bool again = swim__pushpull_begin(&q, once.data, once.len);
    assert(again && q.header.nodes == p.header.nodes);
    encode_push_pull(&q, &twice);
    assert(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    walk_state(p.user_state);
    mu__writer_fini(&once);
    mu__writer_fini(&twice);
}

static void check_codec(const uint8_t *data, size_t size, size_t piece)
{
    struct mu__arena scratch;
    struct mu_str msg;
    size_t whole_at, pieces_at;
    enum swim__frame_result whole = frame(data, size, size, &whole_at);
    enum swim__frame_result pieces = frame(data, size, piece, &pieces_at);
    assert(whole == pieces);
    assert(whole != SWIM__FRAME_WHOLE || whole_at == pieces_at);
    mu__arena_init(&scratch, NULL, 4 << 20);
    if (whole == SWIM__FRAME_WHOLE &&
        swim__stream_open(&plain, true, &scratch, data, whole_at, &msg) == SWIM__OPEN_OK) {
        check_push_pull(msg);
    }
    mu__arena_fini(&scratch);
}

static struct swim *make_swim(void)
{
    struct swim_config cfg;
    struct swim *s;
    swim_config_init(&cfg);
    cfg.name = "srv1";
    cfg.advertise = (struct swim_addr){.ip = {127, 0, 0, 2}, .len = 4, .port = 28101};
    cfg.entropy = no_entropy;
    cfg.members_max = 64;
    cfg.state_bytes_max = 4 << 20;
    if (swim_create(&cfg, 0, &s) != SWIM_OK) {
        abort();
    }
    return s;
}

/* Makes cli1 a member, as an alive message would. */
static void add_member(struct swim *s, const struct swim_addr *from)
{
    struct swim__msg m = {.type = SWIM__MSG_ALIVE};
    uint8_t buf[256];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    m.alive = (struct swim__alive){.node = {"cli1", 4},
                                   .addr = {(const char *)from->ip, 4},
                                   .vsn = {"\1\5\2\2\5\4", 6},
                                   .incarnation = 1,
                                   .port = from->port};
    swim__msg_encode(&w, &m);
    if (swim_receive(s, 1, from, w.data, w.len) != SWIM_OK) {
        abort();
    }
}

static bool open_stream(struct swim *s, bool ours, const struct swim_addr *peer, uint32_t *id)
{
    struct swim_stream out;
    uint64_t deadline;
    if (!ours) {
        return swim_stream_accept(s, 2, peer, id, &deadline) == SWIM_OK;
    }
    if (swim_join(s, 2, peer, id) != SWIM_OK || !swim_next_stream(s, &out)) {
        abort();
    }
    return true;
}

static void check_core(uint8_t mode, const uint8_t *data, size_t size, size_t piece)
{
    const struct swim_addr peer = {.ip = {127, 0, 0, 3}, .len = 4, .port = 28111};
    struct swim *s = make_swim();
    struct swim_event ev;
    uint32_t id;
    if (mode & 0x80) {
        add_member(s, &peer);
    }
    if (open_stream(s, mode & 0x40, &peer, &id)) {
        struct swim_reply reply = {.done = false};
        for (size_t at = 0; at < size && !reply.done; at += piece) {
            int rc = swim_stream_receive(s, 3, id, data + at, mu__min(piece, size - at), &reply);
            assert(rc == SWIM_OK || reply.done);
            swim__check(s);
        }
        swim_stream_end(s, 4, id);
    }
    swim_advance(s, 5);
    while (swim_next_event(s, &ev)) {
    }
    swim__check(s);
    swim_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    uint8_t mode = data[0];
    data++;
    size--;
    size_t piece = mode & 0x3f ? mode & 0x3fu : size;
    check_codec(data, size, piece);
    check_core(mode, data, size, piece);
    return 0;
}
