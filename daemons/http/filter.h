/* filter.h - ?filter= expressions over records (http-semantics 9), in the grammar of go-bexpr.
 *
 * A filter is compiled once against a record type's schema, so that a wrong selector or operator is
 * refused before anything is read, and is then asked for each record. */
#pragma once

#include "schema.h"

#define FILTER_ERROR_MAX 512u

struct http_filter;

/* Compiles text for records of s; the filter is in the arena and lends from text. False: err says
 * what is wrong, in Consul's words where they are known. */
bool filter_parse(const struct mu__schema *s, struct mu_str text, struct mu__arena *a,
                  const struct http_filter **out, char *err, size_t errlen) MU_MUST_USE;
/* Is it `field == "x"` and no more? Then that is what it asks for. */
bool filter_is_equal(const struct http_filter *f, const char *field, struct mu_str *value);
bool filter_match(const struct http_filter *f, const void *record); /* f NULL: everything passes */
