#include "http_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define LINE_MAX_BYTES 4096u
#define LINES_MAX      256u

typedef void (*piece_fn)(void *user, const struct http_reader *r, const char *data, size_t len);

/* More bytes into an empty buffer; false at the end. */
static bool fill(struct http_reader *r)
{
    ssize_t n;
    do {
        errno = 0;
        n = recv(r->fd, r->buf, sizeof r->buf, 0);
    } while (n < 0 && errno == EINTR);
    r->at = 0;
    r->len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* A line without its end; what is longer than cap is cut. */
static bool read_line(struct http_reader *r, char *line, size_t cap)
{
    size_t n = 0;
    for (;;) {
        if (r->at == r->len && !fill(r)) {
            return false;
        }
        char c = r->buf[r->at++];
        if (c == '\n') {
            n -= n && line[n - 1] == '\r' ? 1 : 0;
            line[n] = '\0';
            return true;
        }
        if (n + 1 < cap) {
            line[n++] = c;
        }
    }
}

static const char *value_of(const char *line, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(line, name, n) == 0 && line[n] == ':'
               ? line + n + 1 + strspn(line + n + 1, " ")
               : NULL;
}

static bool read_head(struct http_reader *r)
{
    char line[LINE_MAX_BYTES] = "";
    /* NOLINTNEXTLINE(cert-err34-c): three digits are always a number. */
    if (!read_line(r, line, sizeof line) || sscanf(line, "HTTP/1.%*1d %3d", &r->status) != 1 ||
        r->status < 100) {
        return false;
    }
    for (unsigned i = 0; i < LINES_MAX; i++) {
        const char *v;
        if (!read_line(r, line, sizeof line)) {
            return false;
        }
        if (!line[0]) {
            return true;
        }
        if ((v = value_of(line, "X-Consul-Index"))) {
            r->index = strtoull(v, NULL, 10);
        } else if ((v = value_of(line, "Content-Length"))) {
            r->has_length = true;
            r->left = strtoull(v, NULL, 10);
        } else if ((v = value_of(line, "Transfer-Encoding"))) {
            r->chunked = strcasecmp(v, "chunked") == 0;
        }
    }
    return false;
}

/* As much as r->left says. */
static bool read_length(struct http_reader *r, piece_fn piece, void *user)
{
    while (r->left) {
        if (r->at == r->len && !fill(r)) {
            return false;
        }
        size_t n = r->len - r->at;
        n = n < r->left ? n : (size_t)r->left;
        piece(user, r, r->buf + r->at, n);
        r->at += n;
        r->left -= n;
    }
    return true;
}

static bool read_chunks(struct http_reader *r, piece_fn piece, void *user)
{
    char line[LINE_MAX_BYTES], *end;
    for (;;) {
        if (!read_line(r, line, sizeof line)) {
            return false;
        }
        r->left = strtoull(line, &end, 16);
        if (end == line || !strncmp(line, "-", 1)) {
            return false;
        }
        if (!r->left) {
            while (read_line(r, line, sizeof line) && line[0]) {
            }
            return true;
        }
        if (!read_length(r, piece, user) || !read_line(r, line, sizeof line) || line[0]) {
            return false;
        }
    }
}

static bool read_to_end(struct http_reader *r, piece_fn piece, void *user)
{
    while (r->at < r->len || fill(r)) {
        piece(user, r, r->buf + r->at, r->len - r->at);
        r->at = r->len;
    }
    return errno == 0;
}

bool http_read(struct http_reader *r, piece_fn piece, void *user)
{
    do {
        r->chunked = r->has_length = false;
        if (!read_head(r)) {
            return false;
        }
    } while (r->status < 200);
    if (r->status == 204 || r->status == 304) {
        return true;
    }
    return r->chunked      ? read_chunks(r, piece, user)
           : r->has_length ? read_length(r, piece, user)
                           : read_to_end(r, piece, user);
}
