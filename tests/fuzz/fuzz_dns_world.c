/* Any catalog under any settings: instances are made of the input, and the question is one of many
 * or bytes of it. Both transports keep to their sizes, no failing instance is named, and what was
 * kept is as well-formed as what is new.
 *
 * Input: settings, question form, type, EDNS size, number of instances; then per instance one byte
 * of traits and texts with a length in front. What is missing is zero. */
#include <assert.h>
#include <muster/dnsfront.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSTANCES_MAX 64u
#define LOOKUPS_MAX   128

struct input {
    const uint8_t *p;
    size_t left;
};

struct world {
    struct dnsfront_config cfg;
    struct dnsfront_instance instances[INSTANCES_MAX];
    struct mu_str meta[INSTANCES_MAX][2];
    size_t count;
    uint8_t query[512];
    size_t query_len;
    unsigned edns_size;
    bool filtered; /* answers name instances by their ports, and none that fails */
};

static unsigned take(struct input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->p++;
}

static unsigned take16(struct input *in)
{
    unsigned high = take(in);
    return high << 8 | take(in);
}

/* Up to 255 bytes as they are, or one of the texts that addresses look like. */
static struct mu_str take_text(struct input *in)
{
    static const char *const known[] = {"",
                                        "10.0.0.1",
                                        "10.0.0.2",
                                        "2001:db8::1",
                                        "web.example.com",
                                        "n.node.consul",
                                        "web.service.consul",
                                        "::ffff:10.0.0.1"};
    unsigned n = take(in);
    if (n < 128) {
        const char *text = known[n % 8];
        return (struct mu_str){text, strlen(text)};
    }
    size_t len = n - 127u;
    len = len < in->left ? len : in->left;
    struct mu_str text = {(const char *)in->p, len};
    in->p += len;
    in->left -= len;
    return text;
}

static void take_instance(struct input *in, struct world *w)
{
    struct dnsfront_instance *i = &w->instances[w->count];
    unsigned traits = take(in);
    *i = (struct dnsfront_instance){.datacenter = {"dc1", 3}, .node = {"n", 1}};
    if (traits & 4) {
        i->node = take_text(in);
    }
    i->node_address = take_text(in);
    i->service_address = traits & 8 ? take_text(in) : (struct mu_str){"", 0};
    i->node_ipv4 = traits & 16 ? take_text(in) : (struct mu_str){"", 0};
    i->service_ipv6 = traits & 32 ? take_text(in) : (struct mu_str){"", 0};
    i->health = (enum dnsfront_health)((traits & 3) % 3);
    i->port = (uint16_t)(w->count + 1);
    if (traits & 64) {
        w->meta[w->count][0] = take_text(in);
        w->meta[w->count][1] = take_text(in);
        i->meta = w->meta[w->count];
        i->meta_count = 1;
    }
    w->count++;
}

static void put16(struct world *w, unsigned v)
{
    w->query[w->query_len++] = (uint8_t)(v >> 8);
    w->query[w->query_len++] = (uint8_t)v;
}

static void write_question(struct input *in, struct world *w)
{
    static const struct {
        const char *wire;
        size_t len;
    } names[] = {{"\3web\7service\6consul", 20},
                 {"\2v1\3web\7service\3dc1\6consul", 27},
                 {"\4_web\4_tcp\7service\6consul", 26},
                 {"\3web\7connect\6consul", 20},
                 {"\3web\7ingress\6consul", 20},
                 {"\3web\5query\6consul", 18},
                 {"\1n\4node\6consul", 15},
                 {"\6consul", 8},
                 {"\3web\7virtual\6consul", 20},
                 {"\0011\0010\0010\00210\7in-addr\4arpa", 23}};
    static const unsigned types[] = {1, 28, 33, 255, 16, 6, 2, 15};
    unsigned form = take(in) % 10;
    w->filtered = form < 5;
    static const uint8_t header[12] = {0x12, 0x34, 1, 0, 0, 1};
    memcpy(w->query, header, sizeof header);
    w->query_len = sizeof header;
    memcpy(w->query + w->query_len, names[form].wire, names[form].len);
    w->query_len += names[form].len;
    unsigned type = types[take(in) % 8];
    w->filtered = w->filtered && type != 6 && type != 2;
    put16(w, type);
    put16(w, 1);
    w->edns_size = take16(in);
    if (w->edns_size) {
        w->query[11] = 1;
        w->query[w->query_len++] = 0;
        put16(w, 41);
        put16(w, w->edns_size);
        put16(w, 0);
        put16(w, 0);
        put16(w, 0);
    }
}

static void take_world(struct input *in, struct world *w)
{
    unsigned settings = take(in);
    dnsfront_config_init(&w->cfg);
    w->cfg.only_passing = settings & 1;
    w->cfg.enable_truncate = settings & 2;
    w->cfg.disable_compression = settings & 4;
    w->cfg.node_meta_txt = settings & 8;
    w->cfg.a_record_limit = settings & 16 ? 2 : 0;
    w->cfg.udp_answer_limit = settings & 32 ? 7 : 3;
    w->cfg.udp_size_max = settings & 64 ? 1232 : 0;
    write_question(in, w);
    unsigned count = take(in) % (INSTANCES_MAX + 1);
    for (unsigned i = 0; i < count && in->left; i++) {
        take_instance(in, w);
    }
}

static size_t skip_name(const uint8_t *p, size_t len, size_t at)
{
    while (at < len && p[at] != 0) {
        if ((p[at] & 0xc0) == 0xc0) {
            assert(((size_t)(p[at] & 0x3f) << 8 | p[at + 1]) < at);
            return at + 2;
        }
        at += 1u + p[at];
    }
    assert(at < len);
    return at + 1;
}

static void check_instance(const struct world *w, unsigned port)
{
    assert(port >= 1 && port <= w->count);
    enum dnsfront_health health = w->instances[port - 1].health;
    assert(health == DNSFRONT_PASSING || (health == DNSFRONT_WARNING && !w->cfg.only_passing));
}

/* Whole records up to the last byte, and no failing instance among them. */
static void check_message(const struct world *w, const uint8_t *p, size_t len, bool tcp)
{
    size_t asked = tcp ? 65535 : w->edns_size > 512 ? w->edns_size : 512;
    asked = !tcp && w->cfg.udp_size_max && asked > 1232 ? 1232 : asked;
    assert(len >= 12 && len <= asked);
    assert(p[0] == 0x12 && p[1] == 0x34 && (p[2] & 0x80) && p[5] == 1);
    size_t answers = (size_t)p[6] << 8 | p[7], records = answers;
    records += ((size_t)p[8] << 8 | p[9]) + ((size_t)p[10] << 8 | p[11]);
    size_t at = skip_name(p, len, 12) + 4;
    for (size_t i = 0; i < records; i++) {
        at = skip_name(p, len, at);
        assert(at + 10 <= len);
        size_t body = at + 10, size = (size_t)p[at + 8] << 8 | p[at + 9];
        assert(body + size <= len);
        if (w->filtered && i < answers && p[at] == 0 && p[at + 1] == 33) {
            assert(size >= 7);
            check_instance(w, (unsigned)p[body + 4] << 8 | p[body + 5]);
        }
        at = body + size;
    }
    assert(at == len);
}

static void ask(struct dnsfront *d, const struct world *w, bool tcp)
{
    static uint8_t buf[65536];
    struct dnsfront_request r = {
        .bytes = w->query, .len = w->query_len, .tcp = tcp, .random = w->count, .version = 1};
    struct dnsfront_query *q;
    size_t len;
    if (dnsfront_query_begin(d, &r, &q) != DNSFRONT_OK) {
        return;
    }
    for (int i = 0; dnsfront_query_lookup(q); i++) {
        assert(i < LOOKUPS_MAX);
        dnsfront_query_supply(q, &(struct dnsfront_found){.size = sizeof(struct dnsfront_found),
                                                          .instances = w->instances,
                                                          .count = w->count,
                                                          .stamp = 1});
    }
    int rc = dnsfront_query_answer(q, buf, sizeof buf, &len);
    assert(rc == DNSFRONT_OK);
    dnsfront_query_end(q);
    check_message(w, buf, len, tcp);
    for (r.random = 0; r.random < 3; r.random++) {
        if (dnsfront_answer_kept(d, &r, buf, sizeof buf, &len)) {
            check_message(w, buf, len, tcp);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct input in = {data, size};
    struct dnsfront *d;
    memset(&w, 0, sizeof w);
    take_world(&in, &w);
    if (dnsfront_create(&w.cfg, &d) != DNSFRONT_OK) {
        return 0;
    }
    ask(d, &w, false);
    ask(d, &w, true);
    dnsfront_destroy(d);
    return 0;
}
