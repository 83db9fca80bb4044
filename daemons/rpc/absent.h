/* absent.h - what a server says to methods of Consul 1.8.7 that it does not serve (rpc-wire 12).
 *
 * A Consul agent that is configured for ACLs or Connect goes on calling them, and tells its users
 * what it hears: the same as from a Consul server where these are off. It tries again at its own
 * pace, and all else that it does is not touched. */
#pragma once

#include "schema.h"

/* NULL: Consul does not know the method either, or it is served. */
const char *rpc_absent(struct mu_str method);
