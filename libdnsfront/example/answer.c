/* answer.c - a DNS answer without a socket: what service `web` has, asked for by SRV. */
#include <muster/dnsfront.h>
#include <stdio.h>

int main(void)
{
    static const uint8_t question[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                      "\x03web\x07service\x06"
                                      "consul\x00\x00\x21\x00\x01";
    struct dnsfront_config cfg;
    struct dnsfront *front;
    struct dnsfront_query *query;
    uint8_t answer[2048];
    size_t len;

    dnsfront_config_init(&cfg);
    if (dnsfront_create(&cfg, &front) != DNSFRONT_OK) {
        return 1;
    }
    struct dnsfront_request request = {
        .bytes = question, .len = sizeof question - 1, .now_unix_s = 0, .random = 1};
    if (dnsfront_query_begin(front, &request, &query) != DNSFRONT_OK) {
        return 1;
    }
    const struct dnsfront_lookup *lookup = dnsfront_query_lookup(query);
    printf("looks for service %.*s\n", (int)lookup->name.len, lookup->name.p);

    struct dnsfront_instance web = {.node = {"node-1", 6},
                                    .datacenter = {"dc1", 3},
                                    .node_address = {"10.0.0.1", 8},
                                    .port = 80,
                                    .weight_passing = 1};
    struct dnsfront_found found = {
        .size = sizeof found, .status = DNSFRONT_FOUND, .instances = &web, .count = 1};
    dnsfront_query_supply(query, &found);
    if (dnsfront_query_answer(query, answer, sizeof answer, &len) != DNSFRONT_OK) {
        return 1;
    }
    printf("answers with %zu bytes, %d record\n", len, answer[7]);
    dnsfront_query_end(query);
    dnsfront_destroy(front);
    return 0;
}
