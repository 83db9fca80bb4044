/* Any datagram: the answer is within its limit, is a response with the query's id, and the
 * library's own writer never says that one answer did not fit. The first byte of the input picks
 * transport and what is found. */
#include <assert.h>
#include <muster/dnsfront.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(struct dnsfront *d, uint8_t pick, const uint8_t *bytes, size_t len)
{
    static uint8_t buf[65537];
    struct mu_str meta[] = {{"k", 1}, {"v", 1}};
    struct dnsfront_instance found[40];
    for (size_t i = 0; i < 40; i++) {
        found[i] = (struct dnsfront_instance){.node = {"node", 4},
                                              .datacenter = {"dc1", 3},
                                              .node_address = {"10.0.0.1", 8},
                                              .port = (uint16_t)i,
                                              .weight_passing = 1,
                                              .meta = meta,
                                              .meta_count = 1};
        if (i % 3 == 0) {
            found[i].service_address = (struct mu_str){"web.example.com", 15};
        }
    }
    struct dnsfront_request r = {.bytes = bytes, .len = len, .tcp = pick & 1, .random = pick};
    struct dnsfront_query *q;
    if (dnsfront_query_begin(d, &r, &q) != DNSFRONT_OK) {
        return;
    }
    while (dnsfront_query_lookup(q)) {
        struct dnsfront_found f = {.size = sizeof f,
                                   .status = (enum dnsfront_status)(pick >> 1 & 1),
                                   .instances = found,
                                   .count = pick >> 2 & 63 ? 40 : 0};
        dnsfront_query_supply(q, &f);
    }
    size_t n, max = dnsfront_query_size_max(q);
    int rc = dnsfront_query_answer(q, buf, sizeof buf, &n);
    assert(rc == DNSFRONT_OK && n >= 12 && n <= max);
    assert(buf[0] == bytes[0] && buf[1] == bytes[1] && (buf[2] & 0x80));
    dnsfront_query_end(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dnsfront_config cfg;
    struct dnsfront *d;
    dnsfront_config_init(&cfg);
    if (size < 1 || dnsfront_create(&cfg, &d) != DNSFRONT_OK) {
        return 0;
    }
    answer(d, data[0], data + 1, size - 1);
    dnsfront_destroy(d);
    return 0;
}
