/* authorize.h - may this call be made? The one place where that is decided, for HTTP, DNS and RPC
 * alike.
 *
 * Each endpoint names the permission that it needs and where its request holds the token. Without
 * ACLs everybody may do everything, as in Consul with acl.enabled = false; the configuration
 * refuses to enable them. */
#pragma once

#include "call.h"

/* NULL: yes. Otherwise the text of the refusal, which is static and in Consul's words. */
const char *authorize(const struct call *c);
