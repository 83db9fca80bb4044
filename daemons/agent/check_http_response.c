#include "agent/check_http_response.h"

#include <event2/buffer.h>
#include <string.h>
#include <strings.h>

#define HEADER_BYTES_MAX (64u << 10)

void http_response_init(struct http_response *r, bool head, struct check__tail *body)
{
    memset(r, 0, sizeof *r);
    r->head = head;
    r->body = body;
}

/* "HTTP/1.1 200 OK" */
static bool status_line(struct http_response *r)
{
    const char *s = r->line;
    if (strncmp(s, "HTTP/1.", 7) != 0 || (s[7] != '0' && s[7] != '1') || s[8] != ' ') {
        return false;
    }
    s += 9;
    for (int i = 0; i < 3; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        r->code = r->code * 10 + (s[i] - '0');
    }
    if (s[3] && s[3] != ' ') {
        return false;
    }
    snprintf(r->status, sizeof r->status, "%.120s", s);
    return r->code >= 100;
}

static bool parse_number(const char *s, unsigned base, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t v = 0;
    size_t n = 0;
    for (; *s; s++, n++) {
        const char *at = strchr(digits, *s >= 'A' && *s <= 'F' ? *s - 'A' + 'a' : *s);
        if (!at || (unsigned)(at - digits) >= base) {
            break;
        }
        if (v > (UINT64_MAX >> 5)) {
            return false;
        }
        v = v * base + (unsigned)(at - digits);
    }
    *out = v;
    return n > 0 && (!*s || *s == ';' || *s == ' ' || *s == '\t');
}

static const char *header_value(const char *line, const char *name)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return NULL;
    }
    return line + n + 1 + strspn(line + n + 1, " \t");
}

static bool header_line(struct http_response *r)
{
    const char *v = header_value(r->line, "Content-Length");
    if (v) {
        r->has_length = true;
        return parse_number(v, 10, &r->left);
    }
    v = header_value(r->line, "Transfer-Encoding");
    if (v && !strcasecmp(v, "chunked")) {
        r->chunked = true;
    }
    return true;
}

/* What the blank line after the headers means: a body by chunks, by length, until the end, or none
 * (RFC 9112, 6.3). */
static enum http_step headers_end(struct http_response *r)
{
    if (r->code < 200) { /* 100 Continue and the like: another status line follows */
        r->code = 0;
        r->chunked = r->has_length = false;
        r->state = LINE_STATUS;
        return HTTP_MORE;
    }
    r->in_body = true;
    if (r->head || r->code == 204 || r->code == 304) {
        return HTTP_DONE;
    }
    if (r->chunked) {
        r->state = CHUNK_SIZE;
        return HTTP_MORE;
    }
    r->state = r->has_length ? BODY_LENGTH : BODY_CLOSE;
    return r->has_length && !r->left ? HTTP_DONE : HTTP_MORE;
}

static enum http_step take_line(struct http_response *r)
{
    switch (r->state) {
    case LINE_STATUS:
        r->state = LINE_HEADER;
        return status_line(r) ? HTTP_MORE : HTTP_MALFORMED;
    case LINE_HEADER:
        return !r->line_len ? headers_end(r) : header_line(r) ? HTTP_MORE : HTTP_MALFORMED;
    case CHUNK_SIZE:
        if (!parse_number(r->line, 16, &r->left)) {
            return HTTP_MALFORMED;
        }
        r->state = r->left ? CHUNK_DATA : TRAILER;
        return HTTP_MORE;
    case CHUNK_END:
        r->state = CHUNK_SIZE;
        return r->line_len ? HTTP_MALFORMED : HTTP_MORE;
    case TRAILER:
        return r->line_len ? HTTP_MORE : HTTP_DONE;
    default:
        return HTTP_MALFORMED;
    }
}

/* One byte of a line. Lines end with LF; a CR before it does not count. */
static enum http_step feed_line(struct http_response *r, char c)
{
    if (!r->in_body && ++r->header_bytes > HEADER_BYTES_MAX) {
        return HTTP_MALFORMED;
    }
    if (c == 0) {
        c = '?'; /* a zero would hide the rest */
    }
    if (c != '\n') {
        if (r->line_len + 1 < sizeof r->line) {
            r->line[r->line_len++] = c;
        } else if (r->state == LINE_STATUS || r->in_body) {
            return HTTP_MALFORMED;
        }
        return HTTP_MORE;
    }
    if (r->line_len && r->line[r->line_len - 1] == '\r') {
        r->line_len--;
    }
    r->line[r->line_len] = 0;
    enum http_step step = take_line(r);
    r->line_len = 0;
    return step;
}

/* As much of a body as there is; returns how many bytes that was. */
static size_t feed_body(struct http_response *r, const char *data, size_t len)
{
    if (r->state != BODY_CLOSE) {
        len = r->left < len ? (size_t)r->left : len;
        r->left -= len;
    }
    check__tail_write(r->body, data, len);
    return len;
}

static bool is_body(const struct http_response *r)
{
    return r->state == BODY_LENGTH || r->state == BODY_CLOSE || r->state == CHUNK_DATA;
}

enum http_step http_response_feed(struct http_response *r, const char *data, size_t len)
{
    enum http_step step = HTTP_MORE;
    size_t at = 0;
    while (at < len && step == HTTP_MORE) {
        if (!is_body(r)) {
            step = feed_line(r, data[at++]);
            continue;
        }
        at += feed_body(r, data + at, len - at);
        if (r->state == BODY_LENGTH && !r->left) {
            step = HTTP_DONE;
        } else if (r->state == CHUNK_DATA && !r->left) {
            r->state = CHUNK_END;
        }
    }
    return step;
}

enum http_step http_response_take(struct http_response *r, struct evbuffer *in)
{
    struct evbuffer_iovec piece;
    enum http_step what = HTTP_MORE;
    while (what == HTTP_MORE && evbuffer_peek(in, -1, NULL, &piece, 1) > 0) {
        what = http_response_feed(r, piece.iov_base, piece.iov_len);
        evbuffer_drain(in, piece.iov_len);
    }
    return what;
}

enum http_step http_response_end(const struct http_response *r)
{
    return r->state == BODY_CLOSE ? HTTP_DONE : HTTP_MALFORMED;
}
