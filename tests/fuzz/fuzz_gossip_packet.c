/* A sequence of datagrams, each with two bytes of length in front, the highest bit of which moves
 * the time.
 *
 * Codec: whatever decodes can be encoded, and what that gives decodes and encodes to itself. Core:
 * its invariants hold after each datagram, and what it wants to send can be opened by a peer and
 * holds no empty part. */
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

typedef bool (*recode_fn)(const void *data, size_t len, struct mu__writer *w);

static bool recode_message(const void *data, size_t len, struct mu__writer *w)
{
    struct swim__msg m;
    if (!swim__msg_decode(data, len, &m)) {
        return false;
    }
    swim__msg_encode(w, &m);
    return true;
}

static bool recode_serf(const void *data, size_t len, struct mu__writer *w)
{
    struct swim__serf_msg m;
    if (!swim__serf_decode(data, len, &m)) {
        return false;
    }
    swim__serf_encode(w, &m);
    return true;
}

static void check_recode(recode_fn recode, const void *data, size_t len)
{
    struct mu__writer once = mu__writer_growing(&mu__malloc_allocator), twice = once;
    if (recode(data, len, &once)) {
        assert(!once.failed);
        bool again = recode(once.data, once.len, &twice);
        assert(again && once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    }
    mu__writer_fini(&once);
    mu__writer_fini(&twice);
}

static void check_details(const void *data, size_t len)
{
    struct swim__msg m;
    struct swim__wire_tags tags;
    struct swim_tag tag;
    struct swim_coordinate c;
    uint8_t addr[16];
    if (!swim__msg_decode(data, len, &m)) {
        return;
    }
    if (m.type == SWIM__MSG_USER) {
        check_recode(recode_serf, m.user.p, m.user.len);
    } else if (m.type == SWIM__MSG_ALIVE) {
        swim__wire_addr(m.alive.addr, addr);
        if (swim__wire_tags_begin(&tags, m.alive.meta)) {
            while (swim__wire_tags_next(&tags, &tag)) {
                assert(tag.key.len + tag.value.len <= m.alive.meta.len + 4);
            }
        }
    } else if (m.type == SWIM__MSG_ACK) {
        swim__coord_payload_decode(m.ack.payload, &c);
    }
}

static void check_codec(const uint8_t *data, size_t len)
{
    struct mu__arena scratch;
    struct swim__opener o;
    struct mu_str msg;
    mu__arena_init(&scratch, NULL, 1 << 20);
    if (swim__packet_open(&o, &plain, &scratch, data, len) == SWIM__OPEN_OK) {
        while (swim__packet_next(&o, &msg)) {
            assert(msg.len > 0);
            check_recode(recode_message, msg.p, msg.len);
            check_details(msg.p, msg.len);
        }
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
    if (swim_create(&cfg, 0, &s) != SWIM_OK) {
        abort();
    }
    return s;
}

/* What we send, a peer must be able to take apart. */
static void drain(struct swim *s)
{
    struct swim_packet p;
    struct swim_stream stream;
    struct swim_event ev;
    while (swim_next_send(s, &p)) {
        struct mu__arena scratch;
        struct swim__opener o;
        struct mu_str msg;
        size_t n = 0;
        mu__arena_init(&scratch, NULL, 1 << 20);
        enum swim__open_result rc = swim__packet_open(&o, &plain, &scratch, p.data, p.len);
        assert(rc == SWIM__OPEN_OK);
        while (swim__packet_next(&o, &msg)) {
            n++;
        }
        assert(n > 0 && o.malformed == 0);
        mu__arena_fini(&scratch);
    }
    while (swim_next_stream(s, &stream)) {
        swim_stream_end(s, s->now, stream.id);
    }
    while (swim_next_event(s, &ev)) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu__reader r = mu__reader(data, size);
    const struct swim_addr from = {.ip = {127, 0, 0, 3}, .len = 4, .port = 28111};
    struct swim *s = make_swim();
    uint64_t now = 0;
    for (int i = 0; i < 64 && mu__reader_left(&r) > 2; i++) {
        uint16_t head = mu__read_u16be(&r);
        size_t len = mu__min(head & 0x7fffu, mu__reader_left(&r));
        const uint8_t *packet = mu__read_bytes(&r, len);
        now += head & 0x8000u ? 700 * MU_MSEC : MU_MSEC;
        check_codec(packet, len);
        int rc = swim_receive(s, now, &from, packet, len);
        assert(rc == SWIM_OK || swim_err_class(rc) == MU_CLASS_PEER ||
               swim_err_class(rc) == MU_CLASS_RETRY);
        swim_advance(s, now);
        drain(s);
        swim__check(s);
    }
    swim_destroy(s);
    return 0;
}
