/* http_reader.h - one answer of a web server, read from a socket that blocks (RFC 9112). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct http_reader {
    int fd;
    int status;               /* 0 until there is one */
    unsigned long long index; /* X-Consul-Index; 0: none */
    /* The rest is the reader's own. */
    bool chunked, has_length;
    unsigned long long left;
    size_t at, len;
    char buf[16384];
};

/* Reads all of it; the body comes in pieces. False when it is malformed or breaks off: errno says
 * why, 0 if the other end has closed. status is then what it was. */
bool http_read(struct http_reader *r,
               void (*piece)(void *user, const struct http_reader *r, const char *data, size_t len),
               void *user);
