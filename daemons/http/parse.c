#include "parse.h"

#include "schema.h"
#include <string.h>

#define CHUNK_LINE_MAX 1024u /* bytes of one chunk header, and of all trailers */

size_t http_head_end(const char *data, size_t len, size_t *scanned)
{
    size_t i = *scanned;
    for (const char *nl; (nl = memchr(data + i, '\n', len - i)) != NULL;) {
        size_t after = (size_t)(nl - data) + 1;
        if (after < len && data[after] == '\n') {
            return after + 1;
        }
        if (after + 1 < len && data[after] == '\r' && data[after + 1] == '\n') {
            return after + 2;
        }
        if (after + 1 >= len) {
            *scanned = after - 1; /* look at this end of line again when more has come */
            return 0;
        }
        i = after;
    }
    *scanned = len;
    return 0;
}

static bool is_token(unsigned char c) /* RFC 9110 5.6.2 */
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool all_token(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token((unsigned char)s.p[i])) {
            return false;
        }
    }
    return s.len > 0;
}

struct mu_str http_trim(struct mu_str s)
{
    while (s.len && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.len--;
    }
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* The next line without its end; the head is known to end with one. */
static struct mu_str line(const char **p, const char *end)
{
    const char *nl = memchr(*p, '\n', (size_t)(end - *p));
    struct mu_str s = {*p, nl ? (size_t)(nl - *p) : (size_t)(end - *p)};
    *p = nl ? nl + 1 : end;
    if (s.len && s.p[s.len - 1] == '\r') {
        s.len--;
    }
    return s;
}

static enum http_parse bad(struct http_head *h, const char *complaint)
{
    h->complaint = complaint;
    return HTTP_BAD;
}

/* A number of the version, as Go reads it: any count of digits. */
static bool version_number(struct mu_str s, unsigned *out)
{
    unsigned v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || v > 100000) {
            return false;
        }
        v = v * 10 + (unsigned)(s.p[i] - '0');
    }
    *out = v;
    return s.len > 0;
}

static enum http_parse version(struct http_head *h, struct mu_str s)
{
    unsigned major;
    const char *dot = memchr(s.p, '.', s.len);
    if (!dot || s.len < 5 || memcmp(s.p, "HTTP/", 5) != 0 ||
        !version_number((struct mu_str){s.p + 5, (size_t)(dot - s.p) - 5}, &major) ||
        !version_number((struct mu_str){dot + 1, s.len - (size_t)(dot + 1 - s.p)}, &h->minor)) {
        return bad(h, "");
    }
    return major == 1 ? HTTP_PARSED : bad(h, ": unsupported protocol version");
}

/* method SP target SP HTTP/1.x */
static enum http_parse request_line(struct http_head *h, struct mu_str s)
{
    const char *sp = memchr(s.p, ' ', s.len), *end = s.p + s.len;
    const char *sp2 = sp ? memchr(sp + 1, ' ', (size_t)(end - sp - 1)) : NULL;
    if (!sp2) {
        return bad(h, "");
    }
    h->method = (struct mu_str){s.p, (size_t)(sp - s.p)};
    h->target = (struct mu_str){sp + 1, (size_t)(sp2 - sp - 1)};
    if (!all_token(h->method) || h->target.len == 0) {
        return bad(h, "");
    }
    for (size_t i = 0; i < h->target.len; i++) {
        unsigned char c = (unsigned char)h->target.p[i];
        if (c <= ' ' || c == 0x7f) {
            return bad(h, "");
        }
    }
    return version(h, (struct mu_str){sp2 + 1, (size_t)(end - sp2 - 1)});
}

static enum http_parse field_line(struct http_head *h, struct mu_str s)
{
    const char *colon = memchr(s.p, ':', s.len);
    if (!colon) {
        return bad(h, "");
    }
    struct http_field f = {.name = {s.p, (size_t)(colon - s.p)}};
    f.value = http_trim((struct mu_str){colon + 1, s.len - f.name.len - 1});
    if (!all_token(
            f.name)) { /* also blanks before the colon, and folded lines (RFC 9112 5.1, 5.2) */
        return bad(h, ": invalid header name");
    }
    for (size_t i = 0; i < f.value.len; i++) {
        unsigned char c = (unsigned char)f.value.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return bad(h, ": invalid header value");
        }
    }
    if (h->nfields == HTTP_FIELDS_MAX) {
        return HTTP_TOO_MANY;
    }
    h->fields[h->nfields++] = f;
    return HTTP_PARSED;
}

static bool parse_length(struct mu_str s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 18) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return true;
}

bool http_list_has(struct mu_str list, const char *word)
{
    size_t i = 0;
    while (i <= list.len && list.p) {
        const char *comma = memchr(list.p + i, ',', list.len - i);
        size_t end = comma ? (size_t)(comma - list.p) : list.len;
        if (mu__str_ieq(http_trim((struct mu_str){list.p + i, end - i}), mu__cstr(word))) {
            return true;
        }
        i = end + 1;
    }
    return false;
}

struct mu_str http_field(const struct http_head *h, const char *name)
{
    for (size_t i = 0; i < h->nfields; i++) {
        if (mu__str_ieq(h->fields[i].name, mu__cstr(name))) {
            return h->fields[i].value;
        }
    }
    return (struct mu_str){NULL, 0};
}

/* How the body is framed. Two ways at once, or two lengths, are how requests are smuggled: refused
 * (RFC 9112 6.3). */
static enum http_parse framing(struct http_head *h)
{
    unsigned encodings = 0;
    for (size_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];
        if (mu__str_ieq(f->name, mu__cstr("Content-Length"))) {
            uint64_t length;
            if (!parse_length(f->value, &length) ||
                (h->has_length && length != h->content_length)) {
                return bad(h, "");
            }
            h->has_length = true;
            h->content_length = length;
        } else if (mu__str_ieq(f->name, mu__cstr("Transfer-Encoding"))) {
            encodings++;
            if (!mu__str_ieq(f->value, mu__cstr("chunked"))) {
                return HTTP_BAD_ENCODING;
            }
            h->chunked = true;
        }
    }
    if (encodings > 1) {
        return HTTP_BAD_ENCODING;
    }
    return h->chunked && (h->has_length || h->minor == 0) ? bad(h, "") : HTTP_PARSED;
}

/* What a Host may be made of (RFC 3986 3.2.2): no more is looked at, since its name means nothing
 * to us. */
static bool is_host(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
            (c == '\0' || !strchr("!$%&()*+,-.:;=@[]_~'", c))) {
            return false;
        }
    }
    return true;
}

static enum http_parse host(struct http_head *h)
{
    size_t hosts = 0;
    for (size_t i = 0; i < h->nfields; i++) {
        if (!mu__str_ieq(h->fields[i].name, mu__cstr("Host"))) {
            continue;
        }
        if (++hosts > 1) {
            return bad(h, ": too many Host headers");
        }
        if (!is_host(h->fields[i].value)) {
            return bad(h, ": malformed Host header");
        }
    }
    return hosts == 0 && h->minor > 0 ? bad(h, ": missing required Host header") : HTTP_PARSED;
}

enum http_parse http_parse_head(const char *data, size_t len, struct http_head *h)
{
    h->nfields = 0;
    h->minor = 0;
    h->keep_alive = h->chunked = h->has_length = h->expects_continue = false;
    h->content_length = 0;
    h->complaint = "";
    const char *p = data, *end = data + len;
    enum http_parse rc = request_line(h, line(&p, end));
    while (rc == HTTP_PARSED && p < end) {
        struct mu_str s = line(&p, end);
        if (s.len == 0) {
            break;
        }
        rc = field_line(h, s);
    }
    if (rc == HTTP_PARSED) {
        rc = framing(h);
    }
    if (rc == HTTP_PARSED) {
        rc = host(h);
    }
    if (rc != HTTP_PARSED) {
        return rc;
    }
    struct mu_str connection = http_field(h, "Connection");
    h->keep_alive = h->minor > 0 ? !http_list_has(connection, "close")
                                 : http_list_has(connection, "keep-alive");
    struct mu_str expect = http_field(h, "Expect");
    h->expects_continue = h->minor > 0 && http_list_has(expect, "100-continue") &&
                          (h->chunked || h->content_length > 0);
    h->expects_more = expect.len > 0 && !http_list_has(expect, "100-continue");
    return HTTP_PARSED;
}

/* ---- chunk-size [ ";" extensions ] CRLF data CRLF ... 0 CRLF trailers CRLF (RFC 9112 7.1) ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static enum http_parse bad_chunk(struct http_chunked *c, const char *complaint)
{
    c->complaint = complaint;
    return HTTP_BAD;
}

static enum http_parse chunk_size(struct http_chunked *c, char byte)
{
    int d = c->extension ? -1 : hex_digit(byte);
    if (++c->line > CHUNK_LINE_MAX) {
        return bad_chunk(c, "header line too long");
    }
    if (d < 0 && !c->digits) {
        return bad_chunk(c, "invalid byte in chunk length");
    }
    if (d >= 0) {
        if (c->left >> 59) {
            return bad_chunk(c, "http chunk length too large");
        }
        c->left = c->left << 4 | (uint64_t)d;
        c->digits = true;
    } else if (byte == '\n') {
        c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER;
        c->line = 0;
        c->digits = c->extension = false;
        c->trailer_blank = true;
    } else if (byte == ';' || byte == ' ' || byte == '\t') {
        c->extension = true;
    } else if (byte != '\r' && !c->extension) {
        return bad_chunk(c, "invalid byte in chunk length");
    }
    return HTTP_MORE;
}

static enum http_parse chunk_data_end(struct http_chunked *c, char byte)
{
    if (byte == '\n' && c->line == 1) {
        c->state = CHUNK_SIZE;
        c->line = 0;
        return HTTP_MORE;
    }
    return byte == '\r' && ++c->line == 1 ? HTTP_MORE : bad_chunk(c, "malformed chunked encoding");
}

static enum http_parse trailer(struct http_chunked *c, char byte)
{
    if (++c->trailers > CHUNK_LINE_MAX) {
        return bad_chunk(c, "http: suspiciously long trailer after chunked body");
    }
    if (byte == '\n') {
        if (c->trailer_blank) {
            return HTTP_PARSED;
        }
        c->trailer_blank = true;
    } else if (byte != '\r') {
        c->trailer_blank = false;
    }
    return HTTP_MORE;
}

enum http_parse http_chunked_step(struct http_chunked *c, char *data, size_t len, size_t max)
{
    enum http_parse rc = HTTP_MORE;
    while (rc == HTTP_MORE && c->in < len) {
        if (c->state == CHUNK_DATA) {
            size_t n = (size_t)(c->left < len - c->in ? c->left : len - c->in);
            if (n > max - c->out) {
                return HTTP_TOO_MANY;
            }
            memmove(data + c->out, data + c->in, n);
            c->in += n;
            c->out += n;
            c->left -= n;
            if (c->left == 0) {
                c->state = CHUNK_DATA_END;
            }
        } else {
            char byte = data[c->in++];
            rc = c->state == CHUNK_SIZE       ? chunk_size(c, byte)
                 : c->state == CHUNK_DATA_END ? chunk_data_end(c, byte)
                                              : trailer(c, byte);
        }
    }
    return rc;
}
