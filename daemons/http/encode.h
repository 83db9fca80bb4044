/* encode.h - pieces that several routes print or parse. */
#pragma once

#include "filter.h"
#include "request.h"
#include <muster/catalog_types.h>

/* Prints the records of a list that the request's filter lets pass: [..]. */
void encode_list(struct http_request *r, const struct mu_list *l, const struct mu__schema *s);
/* Prints an object of named records likewise: {..}. */
void encode_map(struct http_request *r, const struct mu_structmap *m, const struct mu__schema *s);
/* Roots of Connect, without the query meta that travels with them. */
void encode_ca_roots(struct http_request *r, struct call *c);
void encode_strs(struct mu__json *j, const struct mu_strs *s);
/* A record as its Go struct prints by itself: a nil list is null. With a key it is a member of an
 * object, and NULL is left out. */
void encode_stored(struct mu__json *j, const char *key, const struct mu__schema *s,
                   const void *record);
/* Inside an object: the query meta that some answers embed. */
void encode_meta(struct mu__json *j, const struct catalog_query_meta *m);

/* A read of the catalog or health: common options into the request at these places. NULL: it has
 * been answered. */
void *read_call(struct http_request *r, const struct endpoint *e, http_encode_fn encode);
/* Likewise, for an endpoint that never waits and has no index. */
void *read_call_now(struct http_request *r, const struct endpoint *e, http_encode_fn encode);
/* As read_call, for a route that refuses namespaces. */
void *read_call_ns(struct http_request *r, const struct endpoint *e, http_encode_fn encode);
/* Compiles ?filter= against a record type. False: wrong, and the request has been answered with
 * 500. */
bool read_filter(struct http_request *r, const struct mu__schema *s);
/* The same with another beginning of the error; at most 63 bytes. */
bool read_filter_saying(struct http_request *r, const struct mu__schema *s, const char *what);
/* The path's last part. False: empty, answered 400 with the text. */
bool read_name(struct http_request *r, struct mu_str *out, const char *missing);

/* ?key, ?key=true, ?key=0...: absent is false, empty is true. False: not a bool, answered `Invalid
 * value for ?key`. */
bool read_flag(struct http_request *r, const char *key, bool *out);
/* 400 `Conflicting flags: a=1&b=2` when more than one of the keys is given; false then. */
bool read_exclusive(struct http_request *r, const char *const *keys, size_t n);
