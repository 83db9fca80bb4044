/* uri.h - request targets: percent decoding, clean paths, queries; as Go's net/url and ServeMux see
 * them. */
#pragma once

#include "arena.h"
#include "cursor.h"

#define HTTP_PARAMS_MAX 256u

struct http_param {
    struct mu_str key, value;
};

struct http_query {
    struct http_param *items;
    size_t len;
};

/* Splits "path?query", or the absolute form, into its raw parts. False when it is neither. */
bool uri_split(struct mu_str target, struct mu_str *path, struct mu_str *query);

/* Decodes %XX (and, with plus, '+' as a blank) into out, which has room for in.len bytes and may be
 * in.p itself. False on a bad escape. */
bool uri_decode(struct mu_str in, bool plus, char *out, size_t *outlen);

/* Go's cleanPath: no "//", "." or ".."; a trailing slash stays. True if path is clean; otherwise
 * *out is the clean one, in the arena (p NULL when out of memory). */
bool uri_is_clean(struct mu_str path, struct mu__arena *a, struct mu_str *out);

/* Has it runes that Go calls unprintable? (Control characters, spaces other than U+0020, invisible
 * formats.) */
bool uri_has_unprintable(struct mu_str path);

/* key=value pairs separated by '&' or ';'. False on a bad escape, too many pairs or no memory. */
bool uri_parse_query(struct mu_str raw, struct mu__arena *a, struct http_query *out);
/* The first value; p NULL when the key is absent. */
struct mu_str uri_param(const struct http_query *q, const char *key);
bool uri_has_param(const struct http_query *q, const char *key);

/* Writes a path with what needs it escaped, as Go's EscapedPath; a query as url.Values.Encode,
 * which sorts it by key. */
void uri_write_path(struct mu__writer *w, struct mu_str path);
void uri_write_query(struct mu__writer *w, struct http_query *q);
