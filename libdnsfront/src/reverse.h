/* reverse.h - addresses that are spelled as names: d.c.b.a.in-addr.arpa (RFC 1035 3.5) and nibbles
 * under ip6.arpa (RFC 3596 2.5). */
#pragma once

#include "name.h"

#define REVERSE_TEXT_MAX 46u /* of an address, with its zero */

/* Is the name under arpa? */
bool dnsfront__is_reverse(const struct name *n);
/* The address as inet_ntop writes it; false if the name spells no whole address. */
bool dnsfront__reverse_read(const struct name *n, char text[REVERSE_TEXT_MAX]);
