/* Name constraints, RFC 5280 4.2.1.10. mbedTLS knows none; here URIs, DNS names, addresses and
 * directory names are compared, and a constraint of a kind we cannot compare refuses every
 * certificate that has a name of that kind. */
#include "oid.h"
#include "x509.h"

static bool same_letter(char a, char b)
{
    a = (char)(a >= 'A' && a <= 'Z' ? a + 32 : a);
    b = (char)(b >= 'A' && b <= 'Z' ? b + 32 : b);
    return a == b;
}

static bool ends_in(struct mu_str s, struct mu_str tail)
{
    if (s.len < tail.len) {
        return false;
    }
    for (size_t i = 0; i < tail.len; i++) {
        if (!same_letter(s.p[s.len - tail.len + i], tail.p[i])) {
            return false;
        }
    }
    return true;
}

/* "example.com" is itself and all below it; ".example.com" only what is below. */
static bool dns_in(struct mu_str name, struct mu_str base)
{
    if (base.len == 0) {
        return true;
    }
    if (base.p[0] == '.') {
        return name.len > base.len && ends_in(name, base);
    }
    return ends_in(name, base) && (name.len == base.len || name.p[name.len - base.len - 1] == '.');
}

/* The host of scheme://[user@]host[:port]...; empty if there is none. */
static struct mu_str host_of(struct mu_str uri)
{
    struct mu_str none = {NULL, 0};
    const char *p = uri.p, *end = uri.p + uri.len;
    while (p < end && *p != ':' && *p != '/') {
        p++;
    }
    if (end - p < 3 || memcmp(p, "://", 3) != 0) {
        return none;
    }
    const char *host = p + 3;
    for (p = host; p < end && !strchr("/?#", *p); p++) {
        if (*p == '@') {
            host = p + 1;
        }
    }
    for (end = p, p = host; p < end && *p != ':'; p++) {
    }
    return ca__str(host, (size_t)(p - host));
}

/* "example.com" is that host alone; ".example.com" all below it. */
static bool uri_in(struct mu_str uri, struct mu_str base)
{
    struct mu_str host = host_of(uri);
    if (base.len > 0 && base.p[0] == '.') {
        return host.len > base.len && ends_in(host, base);
    }
    return host.len == base.len && ends_in(host, base);
}

static bool ip_in(struct mu_str ip, struct mu_str base)
{
    if (base.len != 2 * ip.len) {
        return false; /* the other kind of address */
    }
    for (size_t i = 0; i < ip.len; i++) {
        if ((ip.p[i] ^ base.p[i]) & base.p[ip.len + i]) {
            return false;
        }
    }
    return true;
}

/* Byte for byte, which is narrower than RFC 5280 7.1: a name in another spelling is not permitted.
 * For an exclusion see directory_excluded. Both are whole DER. */
static bool directory_in(struct mu_str name, struct mu_str base)
{
    struct mu_str n, b;
    struct mu__reader rn = ca__der(name), rb = ca__der(base);
    return ca__der_get(&rn, DER_SEQUENCE, &n) && ca__der_get(&rb, DER_SEQUENCE, &b) &&
           n.len >= b.len && (b.len == 0 || memcmp(n.p, b.p, b.len) == 0);
}

static bool name_in(uint8_t tag, struct mu_str name, struct mu_str base)
{
    switch (tag) {
    case CA__NAME_DNS:
        return dns_in(name, base);
    case CA__NAME_URI:
        return uri_in(name, base);
    case CA__NAME_IP:
        return ip_in(name, base);
    case CA__NAME_DIRECTORY:
        return directory_in(name, base);
    default:
        return false;
    }
}

/* Can names of that kind be compared, so that "not within" is an answer? Two spellings of one
 * directory name differ in bytes, so nothing can be said to be outside of an excluded one. */
static bool is_comparable(uint8_t tag, bool excluded)
{
    return tag == CA__NAME_DNS || tag == CA__NAME_URI || tag == CA__NAME_IP ||
           (tag == CA__NAME_DIRECTORY && !excluded);
}

enum answer { NOT_NAMED, OUTSIDE, WITHIN, UNCLEAR };

/* Where name stands in a list of subtrees: NOT_NAMED if none is of its kind. A minimum other than
 * 0, or a maximum, is UNCLEAR: RFC 5280 has neither. */
static enum answer look(struct mu_str subtrees, uint8_t tag, struct mu_str name, bool excluded)
{
    struct mu__reader r = ca__der(subtrees);
    enum answer answer = NOT_NAMED;
    while (ca__der_more(&r)) {
        uint8_t is;
        struct mu_str base;
        struct mu__reader in = ca__der_enter(&r, DER_SEQUENCE);
        if (!ca__der_any(&in, &is, &base, NULL) || !ca__der_done(&in)) {
            return UNCLEAR;
        }
        if (is != tag) {
            continue;
        }
        if (!is_comparable(tag, excluded) || (tag == CA__NAME_URI && host_of(name).len == 0)) {
            return UNCLEAR;
        }
        if (name_in(tag, name, base)) {
            return WITHIN;
        }
        answer = OUTSIDE;
    }
    return r.failed ? UNCLEAR : answer;
}

static bool allows(const struct ca__extensions *issuer, uint8_t tag, struct mu_str name)
{
    enum answer in = look(issuer->permitted, tag, name, false);
    enum answer out = look(issuer->excluded, tag, name, true);
    return (in == NOT_NAMED || in == WITHIN) && (out == NOT_NAMED || out == OUTSIDE);
}

/* An address in the subject is a name as well, where no SAN says it (RFC 5280 4.2.1.10). */
static bool has_email(struct mu_str subject)
{
    struct mu_str oid = OID_STR(OID_EMAIL_ADDRESS);
    for (size_t i = 0; i + oid.len <= subject.len; i++) {
        if (memcmp(subject.p + i, oid.p, oid.len) == 0) {
            return true;
        }
    }
    return false;
}

bool ca__constraints_allow(const struct ca__extensions *issuer, const struct ca__cert *cert)
{
    if (!issuer->has_name_constraints) {
        return true;
    }
    struct mu__reader r = ca__der(cert->ext.names);
    while (ca__der_more(&r)) {
        uint8_t tag;
        struct mu_str name, whole;
        if (!ca__der_any(&r, &tag, &name, &whole) || !allows(issuer, tag, name)) {
            return false;
        }
    }
    if (!ca__name_is_empty(cert->subject) && !allows(issuer, CA__NAME_DIRECTORY, cert->subject)) {
        return false;
    }
    return !has_email(cert->subject) || allows(issuer, CA__NAME_EMAIL, ca__str("", 0));
}
