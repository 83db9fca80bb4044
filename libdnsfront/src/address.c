#include "address.h"

#include <arpa/inet.h>
#include <string.h>

struct address dnsfront__address_parse(struct mu_str text)
{
    struct address a = {.kind = ADDRESS_NONE, .text = text};
    char z[INET6_ADDRSTRLEN + 1];
    if (text.len == 0) {
        return a;
    }
    a.kind = ADDRESS_HOST;
    if (text.len >= sizeof z) {
        return a;
    }
    memcpy(z, text.p, text.len);
    z[text.len] = '\0';
    if (inet_pton(AF_INET, z, a.bytes) == 1) {
        a.kind = ADDRESS_IPV4;
    } else if (inet_pton(AF_INET6, z, a.bytes) == 1) {
        a.kind = ADDRESS_IPV6;
    }
    return a;
}

/* A wants lan_ipv4, AAAA lan_ipv6, all others either; the plain address stands in for what is not
 * tagged. */
static struct address choose(uint16_t type, struct mu_str plain, struct mu_str ipv4,
                             struct mu_str ipv6)
{
    if (type != DNS_TYPE_A && ipv6.len) {
        return dnsfront__address_parse(ipv6);
    }
    if (type != DNS_TYPE_AAAA && ipv4.len) {
        return dnsfront__address_parse(ipv4);
    }
    return dnsfront__address_parse(plain);
}

struct address dnsfront__address_of_service(const struct dnsfront_instance *i, uint16_t type)
{
    return choose(type, i->service_address, i->service_ipv4, i->service_ipv6);
}

struct address dnsfront__address_of_node(const struct dnsfront_instance *i, uint16_t type)
{
    return choose(type, i->node_address, i->node_ipv4, i->node_ipv6);
}
