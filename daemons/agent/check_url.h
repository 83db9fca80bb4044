/* check_url.h - the URL of an HTTP check, taken apart (RFC 3986), with the words of Go's net/url
 * for one that is not. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>

#define CHECK__URL_WHY_MAX 640u

struct check__url { /* lent from the text, but for host */
    bool tls;
    char host[256]; /* without brackets */
    uint16_t port;
    struct mu_str authority; /* "host:port" as written, for the Host header */
    struct mu_str user;      /* "name:password", or nothing */
    struct mu_str path;      /* with its slash, or empty */
    struct mu_str query;     /* with its question mark, or empty */
};

/* False, with a sentence, when no request can be made of it. whole: the sentence stands alone, and
 * is not to be put behind `Get "url": `. */
bool check__url_parse(struct mu_str url, struct check__url *out, char *why, size_t cap,
                      bool *whole);

/* The bytes of a path that may not stand in one become %XX; how many bytes that makes is returned,
 * and up to cap are written. */
size_t check__url_escape_path(struct mu_str path, char *out, size_t cap);
