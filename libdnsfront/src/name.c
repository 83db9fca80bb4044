#include "name.h"

#include <string.h>

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static void append_label(struct name *n, const uint8_t *p, size_t len)
{
    n->at[n->labels++] = (uint8_t)n->len;
    n->wire[n->len] = n->lower[n->len] = (uint8_t)len;
    for (size_t i = 0; i < len; i++) {
        n->wire[n->len + 1 + i] = p[i];
        n->lower[n->len + 1 + i] = fold(p[i]);
    }
    n->len += 1 + len;
}

static void append_root(struct name *n)
{
    n->wire[n->len] = n->lower[n->len] = 0;
    n->len++;
}

void dnsfront__name_read(struct mu__reader *r, struct name *out)
{
    out->len = out->labels = 0;
    for (;;) {
        uint8_t len = mu__read_u8(r);
        if (r->failed || len == 0) {
            break;
        }
        /* Room for this label and for the root; this also bounds the number of labels. */
        const uint8_t *p = len > NAME_LABEL_MAX || out->len + 1 + len + 1 > NAME_WIRE_MAX
                               ? NULL
                               : mu__read_bytes(r, len);
        if (!p) {
            mu__reader_fail(r);
            return;
        }
        append_label(out, p, len);
    }
    append_root(out);
}

bool dnsfront__name_unpack(const uint8_t *message, size_t len, size_t at, struct name *out,
                           size_t *end)
{
    size_t before = at; /* pointers must lead to before this: so they end */
    unsigned jumps = 0;
    out->len = out->labels = 0;
    while (at < len && message[at] != 0) {
        size_t size = message[at];
        if ((size & 0xc0u) == 0xc0u) {
            if (at + 1 >= len) {
                return false;
            }
            size_t to = (size & 0x3fu) << 8 | message[at + 1];
            *end = jumps ? *end : at + 2;
            if (to >= before || ++jumps > NAME_LABELS) {
                return false;
            }
            before = at = to;
            continue;
        }
        if (size > NAME_LABEL_MAX || size >= len - at || out->len + size + 2 > NAME_WIRE_MAX) {
            return false;
        }
        append_label(out, message + at + 1, size);
        at += 1 + size;
    }
    if (at >= len) {
        return false;
    }
    *end = jumps ? *end : at + 1;
    append_root(out);
    return true;
}

void dnsfront__name_skip(struct mu__reader *r)
{
    for (;;) {
        uint8_t len = mu__read_u8(r);
        if (r->failed || len == 0) {
            return;
        }
        if ((len & 0xc0u) == 0xc0u) {
            mu__read_u8(r);
            return;
        }
        if (len > NAME_LABEL_MAX) {
            mu__reader_fail(r);
            return;
        }
        mu__read_bytes(r, len);
    }
}

bool dnsfront__name_parse(struct mu_str text, struct name *out)
{
    out->len = out->labels = 0;
    if (text.len && text.p[text.len - 1] == '.') {
        text.len--;
    }
    size_t start = 0;
    for (size_t i = 0; i <= text.len && text.len; i++) {
        if (i < text.len && text.p[i] != '.') {
            continue;
        }
        size_t len = i - start;
        if (len == 0 || len > NAME_LABEL_MAX || out->len + 1 + len + 1 > NAME_WIRE_MAX) {
            return false;
        }
        append_label(out, (const uint8_t *)text.p + start, len);
        start = i + 1;
    }
    append_root(out);
    return true;
}

struct mu_str dnsfront__name_label(const struct name *n, size_t i)
{
    const uint8_t *p = n->lower + n->at[i];
    return (struct mu_str){(const char *)p + 1, *p};
}

bool dnsfront__name_equal(const struct name *a, const struct name *b)
{
    return a->len == b->len && memcmp(a->lower, b->lower, a->len) == 0;
}

bool dnsfront__name_ends_in(const struct name *n, const struct name *suffix)
{
    if (n->labels < suffix->labels) {
        return false;
    }
    size_t from = n->labels == suffix->labels ? 0 : n->at[n->labels - suffix->labels];
    if (suffix->labels == 0) {
        return true;
    }
    return n->len - from == suffix->len && memcmp(n->lower + from, suffix->lower, suffix->len) == 0;
}

struct mu_str dnsfront__name_join(const struct name *n, size_t from, size_t to, char *buf)
{
    size_t len = 0;
    for (size_t i = from; i < to; i++) {
        struct mu_str label = dnsfront__name_label(n, i);
        if (i > from) {
            buf[len++] = '.';
        }
        memcpy(buf + len, label.p, label.len);
        len += label.len;
    }
    return (struct mu_str){buf, len};
}

bool dnsfront__name_is_printable(const struct name *n)
{
    for (size_t i = 0; i < n->labels; i++) {
        struct mu_str label = dnsfront__name_label(n, i);
        for (size_t k = 0; k < label.len; k++) {
            if (label.p[k] <= ' ' || label.p[k] > '~' || label.p[k] == '.') {
                return false;
            }
        }
    }
    return true;
}
