/* options.h - the read options every endpoint shares (http-semantics 5): consistency, blocking,
 * token, datacenter. */
#pragma once

#include "request.h"
#include <muster/catalog_types.h>

/* Parses them into the request's datacenter and options. False: wrong, and the request has been
 * answered. Also sets r->blocking, r->meta and the rest that the answer needs. */
bool options_read(struct http_request *r, struct mu_str *datacenter,
                  struct catalog_query_options *o);
/* Likewise for an endpoint that never waits: ?index and ?wait are not looked at. */
bool options_read_now(struct http_request *r, struct mu_str *datacenter,
                      struct catalog_query_options *o);
/* 400 to ?ns and X-Consul-Namespace, for the routes that know of namespaces; false when that was
 * the answer. */
bool options_check_namespace(struct http_request *r);

struct mu_str options_token(const struct http_request *r);
struct mu_str options_datacenter(const struct http_request *r);
/* Is that this server's datacenter? */
bool options_is_here(const struct http_request *r);
/* near: node name, and the datacenter that it is in */
void options_source(const struct http_request *r, struct catalog_query_source *out);
/* node-meta=k:v, repeated. False when out of memory (answered). */
bool options_node_meta(struct http_request *r, struct mu_strmap *out);

/* NULL, or Go's words for what is no unsigned number (in the arena). */
const char *options_parse_uint(struct http_request *r, struct mu_str s, uint64_t *out);
