#include "lone.h"

static int entropy(void *user, void *buf, size_t len)
{
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)mu__prng_next(user);
    }
    return 0;
}

struct swim_addr lone_addr(unsigned i)
{
    return (struct swim_addr){.ip = {10, 0, 0, (uint8_t)i}, .len = 4, .port = 8301};
}

struct mu_str lone_str(const char *text)
{
    return (struct mu_str){text, strlen(text)};
}

void lone_create(struct lone *l, void (*tune)(struct swim_config *cfg))
{
    static const struct swim_tag tags[] = {{{"role", 4}, {"node", 4}}};
    struct swim_config cfg;
    memset(l, 0, sizeof *l);
    l->now = 1000 * MU_SEC;
    mu__prng_seed(&l->entropy, 7);
    mu__arena_init(&l->scratch, NULL, 0);
    swim_config_init(&cfg);
    cfg.name = "me";
    cfg.advertise = lone_addr(1);
    cfg.tags = tags;
    cfg.ntags = 1;
    cfg.entropy = entropy;
    cfg.entropy_user = &l->entropy;
    cfg.compress = false; /* tests read what it writes */
    if (tune) {
        tune(&cfg);
    }
    assert_int_equal(swim_create(&cfg, l->now, &l->s), SWIM_OK);
}

void lone_destroy(struct lone *l)
{
    swim__check(l->s);
    swim_destroy(l->s);
    mu__arena_fini(&l->scratch);
}

int lone_feed(struct lone *l, const struct swim__msg *msg)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct swim_addr from = lone_addr(9);
    swim__msg_encode(&w, msg);
    assert_false(w.failed);
    int rc = swim_receive(l->s, l->now, &from, w.data, w.len);
    mu__writer_fini(&w);
    swim__check(l->s);
    return rc;
}

int lone_feed_serf(struct lone *l, const struct swim__serf_msg *msg)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__serf_encode(&w, msg);
    struct swim__msg user = {.type = SWIM__MSG_USER, .user = {(const char *)w.data, w.len}};
    int rc = lone_feed(l, &user);
    mu__writer_fini(&w);
    return rc;
}

void lone_advance(struct lone *l, uint64_t ns)
{
    uint64_t end = l->now + ns;
    while (swim_next_deadline(l->s) <= end) {
        l->now = swim_next_deadline(l->s);
        swim_advance(l->s, l->now);
        swim__check(l->s);
    }
    l->now = end;
    swim_advance(l->s, l->now);
}

int lone_alive(struct lone *l, const char *name, unsigned i, uint32_t incarnation)
{
    static const char vsn[] = {1, 5, 2, 2, 5, 4};
    static const char ip[4] = {10, 0, 0, 0};
    char addr[4];
    memcpy(addr, ip, sizeof addr);
    addr[3] = (char)i;
    struct swim__msg msg = {.type = SWIM__MSG_ALIVE,
                            .alive = {.node = lone_str(name),
                                      .addr = {addr, 4},
                                      .vsn = {vsn, 6},
                                      .incarnation = incarnation,
                                      .port = 8301}};
    return lone_feed(l, &msg);
}

static int accuse(struct lone *l, enum swim__msg_type type, const char *name, const char *from,
                  uint32_t incarnation)
{
    struct swim__msg msg = {.type = type};
    msg.dead = (struct swim__accusation){
        .node = lone_str(name), .from = lone_str(from), .incarnation = incarnation};
    return lone_feed(l, &msg);
}

int lone_suspect(struct lone *l, const char *name, const char *from, uint32_t incarnation)
{
    return accuse(l, SWIM__MSG_SUSPECT, name, from, incarnation);
}

int lone_dead(struct lone *l, const char *name, const char *from, uint32_t incarnation)
{
    return accuse(l, SWIM__MSG_DEAD, name, from, incarnation);
}

bool lone_next(struct lone *l, struct swim__msg *out)
{
    struct mu_str raw;
    for (;;) {
        if (l->open && swim__packet_next(&l->opener, &raw)) {
            assert_true(swim__msg_decode(raw.p, raw.len, out));
            return true;
        }
        struct swim_packet p;
        l->open = false;
        if (!swim_next_send(l->s, &p)) {
            return false;
        }
        assert_true(p.len <= sizeof l->packet);
        memcpy(l->packet, p.data, p.len);
        mu__arena_reset(&l->scratch);
        assert_int_equal(swim__packet_open(&l->opener, &l->plain, &l->scratch, l->packet, p.len),
                         SWIM__OPEN_OK);
        l->to = p.to;
        l->open = true;
    }
}

void lone_ignore(struct lone *l)
{
    struct swim_packet p;
    l->open = false;
    while (swim_next_send(l->s, &p)) {
    }
}

bool lone_find(struct lone *l, enum swim__msg_type type, struct swim__msg *out)
{
    while (lone_next(l, out)) {
        if (out->type == type) {
            return true;
        }
    }
    return false;
}

bool lone_find_serf(struct lone *l, enum swim__serf_type type, struct swim__serf_msg *out)
{
    struct swim__msg msg;
    while (lone_find(l, SWIM__MSG_USER, &msg)) {
        assert_true(swim__serf_decode(msg.user.p, msg.user.len, out));
        if (out->type == type) {
            return true;
        }
    }
    return false;
}

struct swim_member lone_member(struct lone *l, const char *name)
{
    struct swim_member m;
    assert_true(swim_find_member(l->s, name, &m));
    return m;
}

int lone_event(struct lone *l)
{
    struct swim_event ev;
    return swim_next_event(l->s, &ev) ? (int)ev.type : 0;
}

void lone_ignore_events(struct lone *l)
{
    while (lone_event(l)) {
    }
}
