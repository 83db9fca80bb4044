#include "id.h"

#include "cursor.h"
#include "utf8.h"

static const char SCHEME[] = "spiffe://";

/* Lower case, digits, '.', '-' and '_' (SPIFFE-ID 2.1); we want each label to be there as well. */
bool ca__is_trust_domain(struct mu_str s)
{
    char before = '.';
    if (s.len == 0 || s.len > CA__TRUST_DOMAIN_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!letter && (c != '.' || before == '.')) {
            return false;
        }
        before = c;
    }
    return before != '.';
}

/* ---- One segment of a path ---- */

/* What Consul leaves as it is in a path (RFC 3986 3.3 without what it escapes all the same). */
static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-_.~$&+,:;=@", c) != NULL);
}

/* A name that nobody between here and a peer could read as something else. */
static bool is_name(struct mu_str s)
{
    if (s.len == 0 || s.len > CA_URI_MAX || ca__is(s, ".") || ca__is(s, "..")) {
        return false;
    }
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0, n; i < s.len; i += n) {
        n = mu__utf8_length(p + i, s.len - i);
        bool control = p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && n == 2 && p[i + 1] < 0xa0);
        if (n == 0 || control || p[i] == '/') {
            return false;
        }
    }
    return true;
}

static void write_segment(struct mu__writer *w, struct mu_str name)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (is_plain(c)) {
            mu__write_u8(w, c);
        } else {
            mu__write_u8(w, '%');
            mu__write_u8(w, (uint8_t)hex[c >> 4]);
            mu__write_u8(w, (uint8_t)hex[c & 15]);
        }
    }
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes one segment to *text, which moves on; segments without escapes stay where they are. A
 * byte that needs no escape must not have one, so that no id has two spellings. */
static bool read_segment(struct mu_str s, char **text, struct mu_str *out)
{
    char *to = *text;
    if (s.len == 0) {
        return false; /* and nothing to look into */
    }
    if (!memchr(s.p, '%', s.len)) {
        for (size_t i = 0; i < s.len; i++) {
            if (!is_plain((unsigned char)s.p[i])) {
                return false;
            }
        }
        *out = s;
        return is_name(s);
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '%') {
            int high = s.len - i > 2 ? hex_value(s.p[i + 1]) : -1;
            int low = s.len - i > 2 ? hex_value(s.p[i + 2]) : -1;
            c = (unsigned char)(high * 16 + low);
            if (high < 0 || low < 0 || is_plain(c)) {
                return false;
            }
            i += 2;
        } else if (!is_plain(c)) {
            return false;
        }
        *to++ = (char)c;
    }
    *out = ca__str(*text, (size_t)(to - *text));
    *text = to;
    return is_name(*out);
}

/* ---- Paths ---- */

/* What stands before, between and after the names of each kind. */
struct shape {
    const char *literal[3];
    size_t names; /* how many names: one follows each literal */
};
static const struct shape SERVICE = {{"/ns/", "/dc/", "/svc/"}, 3};
static const struct shape AGENT = {{"/agent/client/dc/", "/id/"}, 2};

/* The names that id has, in the order of its path. */
static size_t names_of(const struct ca_id *id, struct mu_str out[3])
{
    size_t n = 0;
    if (id->kind == CA_ID_SERVICE) {
        out[n++] = id->ns;
    }
    if (id->kind != CA_ID_TRUST_DOMAIN) {
        out[n++] = id->datacenter;
        out[n++] = id->name;
    }
    return n;
}

static bool read_path(struct mu_str path, const struct shape *shape, char *text,
                      struct mu_str out[3])
{
    struct mu__reader r = mu__reader(path.p, path.len);
    for (size_t i = 0; i < shape->names; i++) {
        size_t n = strlen(shape->literal[i]);
        const uint8_t *literal = mu__read_bytes(&r, n);
        if (!literal || memcmp(literal, shape->literal[i], n) != 0) {
            return false;
        }
        const char *name = path.p + r.pos;
        size_t left = mu__reader_left(&r);
        const char *slash = left ? memchr(name, '/', left) : NULL;
        size_t len = slash ? (size_t)(slash - name) : left;
        mu__read_bytes(&r, len);
        if (!read_segment(ca__str(name, len), &text, &out[i])) {
            return false;
        }
    }
    return mu__reader_left(&r) == 0;
}

int ca_id_parse(struct mu_str uri, char *text, struct ca_id *out)
{
    size_t scheme = sizeof SCHEME - 1;
    struct mu_str names[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (uri.len <= scheme || uri.len > CA_URI_MAX || memcmp(uri.p, SCHEME, scheme) != 0) {
        return CA_EID;
    }
    const char *host = uri.p + scheme, *slash = memchr(host, '/', uri.len - scheme);
    struct ca_id id = {.trust_domain = {host, slash ? (size_t)(slash - host) : uri.len - scheme}};
    struct mu_str path = {slash, slash ? uri.len - scheme - id.trust_domain.len : 0};
    if (!ca__is_trust_domain(id.trust_domain)) {
        return CA_EID;
    }
    if (path.len == 0) {
        id.kind = CA_ID_TRUST_DOMAIN;
    } else if (read_path(path, &SERVICE, text, names)) {
        id.kind = CA_ID_SERVICE;
        id.ns = names[0];
        id.datacenter = names[1];
        id.name = names[2];
    } else if (read_path(path, &AGENT, text, names)) {
        id.kind = CA_ID_AGENT;
        id.datacenter = names[0];
        id.name = names[1];
    } else {
        return CA_EID;
    }
    *out = id;
    return CA_OK;
}

int ca_id_write(const struct ca_id *id, char *buf, size_t cap, size_t *len)
{
    char uri[CA_URI_MAX];
    struct mu_str names[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    const struct shape *shape = id->kind == CA_ID_SERVICE ? &SERVICE : &AGENT;
    size_t count = names_of(id, names);
    struct mu__writer w = mu__writer_fixed(uri, sizeof uri);
    if (!ca__is_trust_domain(id->trust_domain)) {
        return CA_EID;
    }
    mu__write_cstr(&w, SCHEME);
    mu__write_bytes(&w, id->trust_domain.p, id->trust_domain.len);
    for (size_t i = 0; i < count; i++) {
        if (!is_name(names[i])) {
            return CA_EID;
        }
        mu__write_cstr(&w, shape->literal[i]);
        write_segment(&w, names[i]);
    }
    if (w.failed) {
        return CA_EID;
    }
    if (len) {
        *len = w.len;
    }
    if (cap <= w.len) {
        return CA_ENOBUFS;
    }
    memcpy(buf, uri, w.len);
    buf[w.len] = '\0';
    return CA_OK;
}

/* ---- Common names ---- */

/* At most max of the letters and digits in s, in lower case. */
static void write_letters(struct mu__writer *w, struct mu_str s, size_t max)
{
    for (size_t i = 0; i < s.len && max > 0; i++) {
        char c = s.p[i];
        c = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            mu__write_u8(w, (uint8_t)c);
            max--;
        }
    }
}

void ca_id_common_name(const struct ca_id *id, char buf[CA_CN_MAX + 1])
{
    enum { NS_MAX = 20 }; /* leaves room for a name */
    char tail[CA_CN_MAX];
    struct mu__writer t = mu__writer_fixed(tail, sizeof tail);
    struct mu__writer w = mu__writer_fixed(buf, CA_CN_MAX);
    if (id->kind == CA_ID_SERVICE) {
        mu__write_cstr(&t, ".svc.");
        write_letters(&t, id->ns, NS_MAX);
        mu__write_cstr(&t, ".");
    } else if (id->kind == CA_ID_AGENT) {
        mu__write_cstr(&t, ".agnt.");
    }
    mu__write_bytes(&t, id->trust_domain.p, mu__min(id->trust_domain.len, 8));
    mu__write_cstr(&t, ".consul");
    write_letters(&w, id->name, CA_CN_MAX - t.len);
    mu__write_bytes(&w, tail, t.len);
    buf[w.len] = '\0';
}
