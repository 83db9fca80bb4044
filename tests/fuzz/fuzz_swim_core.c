/* fuzz_swim_core.c - whatever packets, streams and pauses come, every invariant of a swim holds,
 * and it goes on. The input is a row of steps: kind (1 byte), length (2 bytes, big-endian),
 * bytes. */
#include "core.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int entropy(void *user, void *buf, size_t len)
{
    uint8_t *p = buf, *next = user;
    for (size_t i = 0; i < len; i++) {
        p[i] = (*next)++;
    }
    return 0;
}

static struct swim *create(uint8_t *next)
{
    static const struct swim_tag tags[] = {{{"role", 4}, {"node", 4}}};
    struct swim_config cfg;
    struct swim *s;
    swim_config_init(&cfg);
    cfg.name = "me";
    cfg.advertise = (struct swim_addr){.ip = {10, 0, 0, 1}, .len = 4, .port = 8301};
    cfg.tags = tags;
    cfg.ntags = 1;
    cfg.entropy = entropy;
    cfg.entropy_user = next;
    cfg.members_max = 64;
    cfg.state_bytes_max = 1u << 20;
    int rc = swim_create(&cfg, MU_SEC, &s);
    assert(rc == SWIM_OK);
    (void)rc;
    return s;
}

static void drain(struct swim *s, uint64_t now)
{
    struct swim_packet p;
    struct swim_stream st;
    struct swim_event ev;
    while (swim_next_send(s, &p)) {
        assert(p.len > 0 && p.len <= SWIM_DATAGRAM_MAX);
    }
    while (swim_next_stream(s, &st)) {
        swim_stream_end(s, now, st.id);
    }
    while (swim_next_event(s, &ev)) {
        size_t at = 0;
        struct swim_tag tag;
        while (swim_next_tag(&ev.member, &at, &tag)) {
        }
    }
}

/* Feeds the bytes to a stream that a stranger opened, or as the answer to one of ours. */
static void stream(struct swim *s, uint64_t now, const struct swim_addr *from, bool ours,
                   const uint8_t *data, size_t len)
{
    struct swim_stream st;
    struct swim_reply reply;
    uint64_t deadline;
    uint32_t id;
    int rc = ours ? swim_join(s, now, from, &id) : swim_stream_accept(s, now, from, &id, &deadline);
    if (rc != SWIM_OK) {
        return;
    }
    while (ours && swim_next_stream(s, &st) && st.id != id) {
        swim_stream_end(s, now, st.id);
    }
    rc = swim_stream_receive(s, now, id, data, len, &reply);
    assert(rc == SWIM_OK || reply.done);
    swim_stream_end(s, now, id);
}

static void step(struct swim *s, uint64_t *now, uint8_t kind, const uint8_t *data, size_t len)
{
    const struct swim_addr from = {.ip = {10, 0, 0, 2}, .len = 4, .port = 8301};
    int rc;
    switch (kind % 4) {
    case 0:
        rc = swim_receive(s, *now, &from, data, len);
        assert(rc <= 0);
        break;
    case 1:
        stream(s, *now, &from, false, data, len);
        break;
    case 2:
        stream(s, *now, &from, true, data, len);
        break;
    default:
        *now += (uint64_t)len * 20 * MU_MSEC;
        break;
    }
    swim_advance(s, *now);
    drain(s, *now);
    swim__check(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu__reader r = mu__reader(data, size);
    uint64_t now = MU_SEC;
    uint8_t next = 0;
    struct swim *s = create(&next);
    for (int steps = 0; steps < 64 && mu__reader_left(&r) > 3; steps++) {
        uint8_t kind = mu__read_u8(&r);
        size_t len = mu__min(mu__read_u16be(&r), mu__reader_left(&r));
        step(s, &now, kind, mu__read_bytes(&r, len), len);
    }
    swim_destroy(s);
    return 0;
}
