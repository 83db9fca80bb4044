/* Any datagram, and any answers of other resolvers: the answer is within its limit, is a response
 * with the query's id, and is well-formed as far as its counts and lengths go. The first byte of
 * the input picks transport and what is found, the second how long the datagram is; the rest is
 * what other resolvers say. */
#include <assert.h>
#include <muster/dnsfront.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOOKUPS_MAX 128 /* 16 hosts, each of them a chain of at most 4; then some */

struct input {
    uint8_t pick;
    const uint8_t *bytes, *message;
    size_t len, message_len;
};

/* The end of the name at `at`, or 0. */
static size_t skip_name(const uint8_t *p, size_t len, size_t at)
{
    while (at < len && p[at] != 0) {
        if ((p[at] & 0xc0) == 0xc0) {
            return at + 2 <= len ? at + 2 : 0;
        }
        at += 1u + p[at];
    }
    return at < len ? at + 1 : 0;
}

/* The records that the header counts fill the message to its last byte. Answers that were passed on
 * may have anything behind them. */
static void check_frame(const uint8_t *p, size_t len, bool relayed)
{
    size_t at = 12, records = 0;
    for (size_t i = 6; i < 12; i += 2) {
        records += (size_t)(p[i] << 8 | p[i + 1]);
    }
    if (p[5]) {
        at = skip_name(p, len, at);
        assert(at && at + 4 <= len);
        at += 4;
    }
    while (records--) {
        at = skip_name(p, len, at);
        assert(at && at + 10 <= len);
        at += 10u + (size_t)(p[at + 8] << 8 | p[at + 9]);
        assert(at <= len);
    }
    assert(relayed ? at <= len : at == len);
}

static void fill(struct dnsfront_instance found[40])
{
    static const struct mu_str meta[] = {{"k", 1}, {"v", 1}};
    static const struct mu_str addresses[] = {
        {"web.example.com", 15}, {"x.service.consul", 16},     {"2001:db8::1", 11},
        {"y.node.consul", 13},   {"0a010101.addr.consul", 20}, {"a..b", 4}};
    for (size_t i = 0; i < 40; i++) {
        found[i] = (struct dnsfront_instance){.node = {"node", 4},
                                              .datacenter = {"dc1", 3},
                                              .node_address = {"10.0.0.1", 8},
                                              .port = (uint16_t)i,
                                              .weight_passing = 1,
                                              .meta = meta,
                                              .meta_count = 1};
        if (i % 3 == 0) {
            found[i].service_address = addresses[i / 3 % 6];
        }
    }
}

/* A message that passes for an answer to the query more often than chance would: with its
 * header and question. */
static size_t dress(const struct dnsfront_lookup *l, const struct input *in, uint8_t *out)
{
    size_t question = skip_name(l->message, l->message_len, 12);
    if (!(in->pick & 0x80) || !question || question + 4 + in->message_len > 4096) {
        memcpy(out, in->message, in->message_len);
        return in->message_len;
    }
    size_t len = question + 4;
    memcpy(out, l->message, len);
    memset(out + 4, 0, 8);
    out[2] = 0x81;
    out[3] = 0x80;
    out[5] = 1;
    out[7] = in->pick >> 2 & 7;
    memcpy(out + len, in->message, in->message_len);
    return len + in->message_len;
}

static void answer(struct dnsfront *d, const struct input *in)
{
    static uint8_t buf[65536], message[4096];
    struct dnsfront_instance found[40];
    fill(found);
    struct dnsfront_request r = {
        .bytes = in->bytes, .len = in->len, .tcp = in->pick & 1, .random = in->pick};
    struct dnsfront_query *q;
    if (dnsfront_query_begin(d, &r, &q) != DNSFRONT_OK) {
        return;
    }
    const struct dnsfront_lookup *l;
    bool forwarded = false;
    for (int i = 0; (l = dnsfront_query_lookup(q)) != NULL; i++) {
        assert(i < LOOKUPS_MAX);
        struct dnsfront_found f = {.size = sizeof f,
                                   .status = (enum dnsfront_status)(in->pick >> 1 & 1),
                                   .instances = found,
                                   .count = in->pick >> 2 & 31 ? 40 : 0};
        if (l->kind == DNSFRONT_RESOLVE || l->kind == DNSFRONT_FORWARD) {
            forwarded = l->kind == DNSFRONT_FORWARD;
            f.message = message;
            f.message_len = dress(l, in, message);
        }
        dnsfront_query_supply(q, &f);
    }
    size_t n, max = dnsfront_query_size_max(q);
    int rc = dnsfront_query_answer(q, buf, sizeof buf, &n);
    assert(rc == DNSFRONT_OK && n >= 12 && n <= max);
    assert(buf[0] == in->bytes[0] && buf[1] == in->bytes[1] && (buf[2] & 0x80));
    check_frame(buf, n, forwarded);
    dnsfront_query_end(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dnsfront_config cfg;
    struct dnsfront *d;
    dnsfront_config_init(&cfg);
    if (size < 2 || size > 2048) {
        return 0;
    }
    cfg.recursion = data[0] & 0x40;
    cfg.enable_truncate = data[0] & 0x20;
    size_t len = data[1] < size - 2 ? data[1] : size - 2;
    struct input in = {data[0], data + 2, data + 2 + len, len, size - 2 - len};
    if (dnsfront_create(&cfg, &d) != DNSFRONT_OK) {
        return 0;
    }
    answer(d, &in);
    dnsfront_destroy(d);
    return 0;
}
