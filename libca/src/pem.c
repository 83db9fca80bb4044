#include "pem.h"

#include "cursor.h"
#include "der.h"

#include <mbedtls/base64.h>

#define BEGIN "-----BEGIN "
#define END   "-----END "
#define DASH  "-----"

static const char *find(struct mu_str text, const char *what)
{
    size_t n = strlen(what);
    for (size_t i = 0; n <= text.len && i <= text.len - n; i++) {
        const char *dash = memchr(text.p + i, what[0], text.len - n - i + 1);
        if (!dash) {
            return NULL;
        }
        i = (size_t)(dash - text.p);
        if (memcmp(dash, what, n) == 0) {
            return dash;
        }
    }
    return NULL;
}

static struct mu_str after(struct mu_str text, const char *p)
{
    return ca__str(p, text.len - (size_t)(p - text.p));
}

/* Is label followed by dashes at p? */
static bool is_label(struct mu_str at, const char *label)
{
    size_t n = strlen(label), d = sizeof DASH - 1;
    return at.len >= n + d && memcmp(at.p, label, n) == 0 && memcmp(at.p + n, DASH, d) == 0;
}

static int decode(struct mu_str body, const struct mu_allocator *a, struct mu_str *der)
{
    size_t cap = body.len / 4 * 3 + 3, len;
    if (cap > (size_t)2 * CA_CERTIFICATE_MAX) {
        return CA_EMALFORMED;
    }
    uint8_t *p = mu__alloc(a, cap);
    if (!p) {
        return CA_ENOMEM;
    }
    if (mbedtls_base64_decode(p, cap, &len, (const uint8_t *)body.p, body.len) || len == 0) {
        mu__free(a, p);
        return CA_EMALFORMED;
    }
    *der = ca__str(p, len);
    return CA_OK;
}

int ca__pem_next(struct mu_str *text, const char *label, const struct mu_allocator *a,
                 struct mu_str *der)
{
    const char *begin;
    while ((begin = find(*text, BEGIN)) != NULL) {
        *text = after(*text, begin + sizeof BEGIN - 1);
        if (!is_label(*text, label)) {
            continue;
        }
        *text = after(*text, text->p + strlen(label) + sizeof DASH - 1);
        const char *end = find(*text, DASH);
        if (!end) {
            return CA_EMALFORMED;
        }
        struct mu_str body = {text->p, (size_t)(end - text->p)};
        *text = after(*text, end);
        if (text->len < sizeof END || memcmp(text->p, END, sizeof END - 1) != 0) {
            return CA_EMALFORMED;
        }
        *text = after(*text, text->p + sizeof END - 1);
        if (!is_label(*text, label)) {
            return CA_EMALFORMED;
        }
        return decode(body, a, der);
    }
    *text = (struct mu_str){NULL, 0};
    return CA_EMALFORMED;
}

int ca__pem_or_der(struct mu_str bytes, const char *const *labels, const struct mu_allocator *a,
                   struct mu_str *der)
{
    if (bytes.len > 0 && bytes.p[0] == DER_SEQUENCE) {
        void *copy = bytes.len > CA_CERTIFICATE_MAX ? NULL : mu__memdup(a, bytes.p, bytes.len);
        *der = ca__str(copy, bytes.len);
        return copy ? CA_OK : bytes.len > CA_CERTIFICATE_MAX ? CA_EMALFORMED : CA_ENOMEM;
    }
    int rc = CA_EMALFORMED;
    for (; *labels && rc == CA_EMALFORMED; labels++) {
        struct mu_str rest = bytes;
        rc = ca__pem_next(&rest, *labels, a, der);
    }
    return rc;
}

void ca__pem_write(struct mu__writer *w, const char *label, struct mu_str der)
{
    enum { LINE = 48 }; /* bytes, which make 64 characters */
    mu__write_cstr(w, BEGIN);
    mu__write_cstr(w, label);
    mu__write_cstr(w, DASH "\n");
    for (size_t i = 0; i < der.len; i += LINE) {
        unsigned char line[LINE / 3 * 4 + 1];
        size_t len = 0;
        int rc = mbedtls_base64_encode(line, sizeof line, &len, (const uint8_t *)der.p + i,
                                       mu__min(LINE, der.len - i));
        if (rc) {
            w->failed = true;
        }
        mu__write_bytes(w, line, len);
        mu__write_u8(w, '\n');
    }
    mu__write_cstr(w, END);
    mu__write_cstr(w, label);
    mu__write_cstr(w, DASH "\n");
}
