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
        for (size_t i = 0; ev.keys && i < ev.keys->nkeys; i++) {
            assert(ev.keys->keys[i].nodes <= ev.keys->answers && ev.keys->keys[i].key.len > 0);
        }
        for (size_t i = 0; ev.keys && i < ev.keys->nmessages; i++) {
            assert(ev.keys->messages[i].node.len > 0);
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

/* The host asks: a query, or a change of keys. */
static void ask(struct swim *s, uint64_t now, const uint8_t *data, size_t len)
{
    struct swim_question q;
    uint32_t id;
    struct mu_str text = {(const char *)data, len};
    swim_question_init(&q);
    q.name = text;
    q.nodes = len > 8 ? &text : NULL;
    q.nnodes = len > 8 ? 1 : 0;
    q.want_acks = len % 2;
    int rc = len % 3 == 0 ? swim_change_keys(s, now, (enum swim_key_change)(len % 4), text, 0, &id)
                          : swim_ask(s, now, &q, &id);
    assert(rc <= 0);
}

/* Somebody answers the oldest query of ours: a letter for the name, flags, and the payload. */
static void answer(struct swim *s, uint64_t now, const struct swim_addr *from, const uint8_t *data,
                   size_t len)
{
    size_t at = 0;
    const struct swim__asked *a = mu__map_next(&s->asked, &at);
    if (!a || len < 2) {
        return;
    }
    struct swim__serf_msg msg = {.type = SWIM__SERF_QUERY_RESPONSE,
                                 .response = {.ltime = a->ltime,
                                              .id = a->id,
                                              .flags = data[1],
                                              .from = {(const char *)data, 1},
                                              .payload = {(const char *)data + 2, len - 2}}};
    struct mu__writer serf = mu__writer_growing(&mu__malloc_allocator), w = serf;
    swim__serf_encode(&serf, &msg);
    struct swim__msg user = {.type = SWIM__MSG_USER, .user = {(const char *)serf.data, serf.len}};
    swim__msg_encode(&w, &user);
    int rc = swim_receive(s, now, from, w.data, w.len);
    assert(rc <= 0);
    mu__writer_fini(&serf);
    mu__writer_fini(&w);
}

static void step(struct swim *s, uint64_t *now, uint8_t kind, const uint8_t *data, size_t len)
{
    const struct swim_addr from = {.ip = {10, 0, 0, 2}, .len = 4, .port = 8301};
    int rc;
    switch (kind % 8) {
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
    case 4:
        ask(s, *now, data, len);
        break;
    case 5:
        answer(s, *now, &from, data, len);
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
