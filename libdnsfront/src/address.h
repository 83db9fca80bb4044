/* address.h - which address of an instance answers a question, and what kind it is (dns.md 4). */
#pragma once

#include <muster/dnsfront.h>

#include "question.h"

/* BAD: text that is neither an address nor a name. */
enum address_kind { ADDRESS_NONE, ADDRESS_IPV4, ADDRESS_IPV6, ADDRESS_HOST, ADDRESS_BAD };

struct address {
    enum address_kind kind;
    struct mu_str text;
    uint8_t bytes[16];
};

/* An IPv4 address mapped into IPv6 counts as IPv4, as Consul has it. */
struct address dnsfront__address_parse(struct mu_str text);
/* The service's own address, if it has one (kind NONE otherwise), and the node's. */
struct address dnsfront__address_of_service(const struct dnsfront_instance *i, uint16_t type);
struct address dnsfront__address_of_node(const struct dnsfront_instance *i, uint16_t type);
