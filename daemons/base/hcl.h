/* hcl.h - HCL, version 1, into the tree that JSON makes: assignments, blocks with and without
 * labels, lists, strings with escapes, heredocs, numbers, comments.
 *
 * Of one name, repeated blocks become a list, and of other values the last one counts. Where
 * Consul's files hold a list of maps (services, checks, watches, upstreams ...), one block is a
 * list of one. As with the original's reader, a text that begins with a brace is JSON. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#define HCL_DEPTH_MAX 64u

/* NULL with a sentence in err that names the line. The reader of text knows its size; it grows by
 * no more than a constant factor. */
json_t *hcl_parse(const char *text, size_t len, char *err, size_t errlen);
