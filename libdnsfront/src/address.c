#include "address.h"

#include <arpa/inet.h>
#include <string.h>

static struct address host(struct mu_str text)
{
    struct name unused;
    return (struct address){
        .kind = dnsfront__name_parse(text, &unused) ? ADDRESS_HOST : ADDRESS_BAD, .text = text};
}

struct address dnsfront__address_parse(struct mu_str text)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291 2.5.5.2 */
    struct address a = {.kind = ADDRESS_NONE, .text = text};
    char z[INET6_ADDRSTRLEN + 1];
    if (text.len == 0) {
        return a;
    }
    if (text.len >= sizeof z) {
        return host(text);
    }
    memcpy(z, text.p, text.len);
    z[text.len] = '\0';
    if (inet_pton(AF_INET, z, a.bytes) == 1) {
        a.kind = ADDRESS_IPV4;
    } else if (inet_pton(AF_INET6, z, a.bytes) == 1) {
        a.kind = ADDRESS_IPV6;
        if (memcmp(a.bytes, mapped, sizeof mapped) == 0) {
            a.kind = ADDRESS_IPV4;
            memmove(a.bytes, a.bytes + sizeof mapped, 4);
        }
    } else {
        return host(text);
    }
    return a;
}

/* A wants the tagged IPv4 address, AAAA the IPv6 one, all others either; the plain address stands
 * in for what is not tagged. */
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
