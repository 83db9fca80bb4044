/* spell.h - the names and texts that records carry, spelled in an arena. A text without p means out
 * of memory. */
#pragma once

#include <muster/dnsfront.h>

#include "address.h"
#include "arena.h"

/* `<node>.node.<dc>.<domain>` */
struct mu_str dnsfront__spell_node(const struct dnsfront_instance *i, struct mu_str domain,
                                   struct mu__arena *a);
/* `<service>.service.<dc>.<domain>` */
struct mu_str dnsfront__spell_service(const struct dnsfront_instance *i, struct mu_str domain,
                                      struct mu__arena *a);
/* `<hex>.addr.<dc>.<domain>`; addr is an IP address */
struct mu_str dnsfront__spell_address(const struct dnsfront_instance *i, const struct address *addr,
                                      struct mu_str domain, struct mu__arena *a);
/* `key=value` with RFC 1464's quoting; keys that begin with rfc1035- give the bare value. */
struct mu_str dnsfront__spell_meta(struct mu_str key, struct mu_str value, struct mu__arena *a);
/* A copy of a host name. */
struct mu_str dnsfront__spell_host(struct mu_str name, struct mu__arena *a);
