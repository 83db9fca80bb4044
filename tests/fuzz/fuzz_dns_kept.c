/* Any question, and another one made of it: what is kept for the first is given for the second only
 * if the ordinary path would say the same, byte for byte. The first three bytes of the input pick
 * what is found and how the second question differs. */
#include <assert.h>
#include <muster/dnsfront.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FOUND = 24, ANSWER = 65537, QUERY = 1024 };

static void find(uint8_t pick, struct dnsfront_query *q)
{
    static const char name[] = "node-a";
    struct mu_str meta[] = {{"k", 1}, {"v", 1}};
    struct dnsfront_instance found[FOUND];
    for (size_t i = 0; i < FOUND; i++) {
        found[i] = (struct dnsfront_instance){.node = {&name[i % 3], 6 - i % 3},
                                              .datacenter = {"dc1", 3},
                                              .node_address = {"10.0.0.1", 8},
                                              .port = (uint16_t)i,
                                              .weight_passing = 1,
                                              .meta = meta,
                                              .meta_count = 1};
        if (i % 3 == 1) {
            found[i].service_address = (struct mu_str){"10.9.8.7", 8};
        }
        if (pick & 64 && i % 5 == 0) {
            found[i].service_address = (struct mu_str){"web.example.com", 15};
        }
    }
    struct dnsfront_found f = {.size = sizeof f,
                               .status = (enum dnsfront_status)(pick >> 1 & 1),
                               .instances = found,
                               .count = (pick >> 2 & 15) * 3u % (FOUND + 1),
                               .ordered = true,
                               .stamp = 1};
    dnsfront_query_supply(q, &f);
}

/* The answer's length; 0: there is none. */
static size_t build(struct dnsfront *d, uint8_t pick, const struct dnsfront_request *r,
                    uint8_t *out)
{
    struct dnsfront_query *q;
    size_t len;
    if (dnsfront_query_begin(d, r, &q) != DNSFRONT_OK) {
        return 0;
    }
    while (dnsfront_query_lookup(q)) {
        find(pick, q);
    }
    assert(dnsfront_query_answer(q, out, ANSWER, &len) == DNSFRONT_OK);
    dnsfront_query_end(q);
    return len;
}

/* Other case, ID, flags or size; or a byte that may be anything. */
static void vary(uint8_t *query, size_t len, uint8_t how, uint8_t at)
{
    for (size_t i = 12; i < len && how & 1; i++) {
        bool letter = (query[i] | 32) >= 'a' && (query[i] | 32) <= 'z';
        query[i] ^= letter && (i + at) % 3 ? 32 : 0;
    }
    if (how & 2 && len > 3) {
        query[0] ^= at;
        query[2] ^= 1;
        query[3] ^= at;
    }
    if (how & 4 && len > 8) {
        query[len - 8] ^= at; /* of an OPT record: the size */
    }
    if (how & 8 && len > 0) {
        query[at % len] ^= (uint8_t)(how >> 4 | 1);
    }
}

static void compare(struct dnsfront *keeps, struct dnsfront *plain, const uint8_t *data, size_t len)
{
    static uint8_t built[ANSWER], kept[ANSWER];
    uint8_t query[QUERY];
    size_t kept_len;
    memcpy(query, data + 3, len);
    struct dnsfront_request r = {.bytes = query, .len = len, .tcp = data[0] & 1, .version = 1};
    build(keeps, data[0], &r, built);
    r.now_unix_s = 1700000000;
    vary(query, len, data[1], data[2]);
    if (dnsfront_answer_kept(keeps, &r, kept, sizeof kept, &kept_len)) {
        size_t n = build(plain, data[0], &r, built);
        assert(n == kept_len && memcmp(built, kept, n) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dnsfront_config cfg;
    struct dnsfront *keeps, *plain;
    if (size < 3 || size - 3 > QUERY) {
        return 0;
    }
    dnsfront_config_init(&cfg);
    cfg.disable_compression = data[0] & 128;
    if (dnsfront_create(&cfg, &keeps) != DNSFRONT_OK) {
        return 0;
    }
    cfg.kept_bytes_max = 0;
    if (dnsfront_create(&cfg, &plain) == DNSFRONT_OK) {
        compare(keeps, plain, data, size - 3);
        dnsfront_destroy(plain);
    }
    dnsfront_destroy(keeps);
    return 0;
}
