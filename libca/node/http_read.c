/* http_read.c - the answer of the agent, as bytes (RFC 9112). */
#include "http.h"

#include <string.h>
#include <strings.h>

struct head {
    bool chunked, has_length;
    size_t length;
};

static bool number(const char *s, size_t n, unsigned radix, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned c = (unsigned char)s[i] | 32u;
        unsigned digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= radix || v > (UINT64_MAX - digit) / radix) {
            return false;
        }
        v = v * radix + digit;
    }
    *out = v;
    return n > 0;
}

static bool is(const char *s, size_t n, const char *word)
{
    return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

/* One header line, without its end; false if it contradicts what we can read. */
static bool read_header(const char *line, size_t n, struct head *head, uint64_t *index)
{
    const char *colon = memchr(line, ':', n);
    if (!colon) {
        return false;
    }
    size_t name = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t len = n - name - 1;
    while (len > 0 && (*value == ' ' || *value == '\t')) {
        value++, len--;
    }
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        len--;
    }
    uint64_t v;
    if (is(line, name, "Content-Length")) {
        if (head->has_length || !number(value, len, 10, &v) || v > SIZE_MAX) {
            return false;
        }
        head->has_length = true;
        head->length = (size_t)v;
    } else if (is(line, name, "Transfer-Encoding")) {
        head->chunked = true;
        return is(value, len, "chunked");
    } else if (is(line, name, "X-Consul-Index")) {
        return number(value, len, 10, index);
    }
    return true;
}

/* Joins the chunks where they stand; their sum, or SIZE_MAX if they are no chunks. */
static size_t join_chunks(char *text, size_t len)
{
    size_t at = 0, sum = 0;
    for (;;) {
        char *end = memchr(text + at, '\n', len - at);
        if (!end) {
            return SIZE_MAX;
        }
        size_t digits = 0;
        while (text[at + digits] != '\r' && text[at + digits] != ';' && text + at + digits < end) {
            digits++;
        }
        uint64_t size;
        if (!number(text + at, digits, 16, &size)) {
            return SIZE_MAX;
        }
        at = (size_t)(end - text) + 1;
        if (size == 0) {
            return sum;
        }
        if (size > len - at || len - at - size < 2 || memcmp(text + at + size, "\r\n", 2) != 0) {
            return SIZE_MAX;
        }
        memmove(text + sum, text + at, (size_t)size);
        sum += (size_t)size;
        at += (size_t)size + 2;
    }
}

static bool read_status(const char *line, size_t n, int *status)
{
    uint64_t v;
    if (n < 12 || (memcmp(line, "HTTP/1.1 ", 9) != 0 && memcmp(line, "HTTP/1.0 ", 9) != 0) ||
        !number(line + 9, 3, 10, &v)) {
        return false;
    }
    *status = (int)v;
    return true;
}

const char *identity__http_read(char *text, size_t len, struct identity__reply *out)
{
    struct head head = {0};
    size_t at = 0;
    *out = (struct identity__reply){0};
    for (bool first = true;; first = false) {
        char *end = memchr(text + at, '\n', len - at);
        if (!end) {
            return "the answer ends within its head";
        }
        size_t n = (size_t)(end - (text + at));
        n -= n > 0 && text[at + n - 1] == '\r';
        if (!first && n == 0) {
            at = (size_t)(end - text) + 1;
            break;
        }
        if (first ? !read_status(text + at, n, &out->status)
                  : !read_header(text + at, n, &head, &out->index)) {
            return "the answer's head is malformed";
        }
        at = (size_t)(end - text) + 1;
    }
    out->body = text + at;
    out->len = len - at;
    if (head.chunked) {
        out->len = join_chunks(text + at, len - at);
        if (out->len == SIZE_MAX) {
            return "the answer's chunks are malformed or cut off";
        }
    } else if (head.has_length) {
        if (head.length > out->len) {
            return "the answer is cut off";
        }
        out->len = head.length;
    }
    out->body[out->len] = '\0';
    return NULL;
}
