#include "classify.h"

#include "msgpack.h"
#include "reverse.h"

#include <string.h>

/* What the keyword of a name in the domain says. */
struct form {
    const char *keyword;
    enum name_kind kind;
    enum dnsfront_lookup_kind lookup;
};
static const struct form forms[] = {
    {"service", NAME_SERVICE, DNSFRONT_SERVICE}, {"connect", NAME_SERVICE, DNSFRONT_CONNECT},
    {"ingress", NAME_SERVICE, DNSFRONT_INGRESS}, {"query", NAME_SERVICE, DNSFRONT_QUERY},
    {"node", NAME_NODE, DNSFRONT_NODE},          {"virtual", NAME_VIRTUAL, DNSFRONT_VIRTUAL},
    {"addr", NAME_ADDRESS, DNSFRONT_NODE},
};

static const struct form *form_of(struct mu_str label)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (mu__str_is(label, forms[i].keyword)) {
            return &forms[i];
        }
    }
    return NULL;
}

static bool has_underscore(const struct name *n, size_t label)
{
    return dnsfront__name_label(n, label).p[0] == '_';
}

static struct mu_str without_first(struct mu_str s)
{
    return (struct mu_str){s.p + 1, s.len - 1};
}

/* `[tag.]<service>`, or RFC 2782's `_<service>._<tag>` where `_tcp` means no tag. Labels 0..n-1. */
static void read_service(const struct name *name, size_t n, struct name_meaning *m)
{
    if (n == 2 && has_underscore(name, 0) && has_underscore(name, 1)) {
        m->lookup.name = without_first(dnsfront__name_join(name, 0, 1, m->text[0]));
        m->lookup.tag = without_first(dnsfront__name_join(name, 1, 2, m->text[1]));
        m->kind = m->lookup.name.len ? NAME_SERVICE : NAME_INVALID;
        if (mu__str_is(m->lookup.tag, "tcp")) {
            m->lookup.tag.len = 0;
        }
        return;
    }
    m->lookup.name = dnsfront__name_join(name, n - 1, n, m->text[0]);
    m->lookup.tag = dnsfront__name_join(name, 0, n - 1, m->text[1]);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 8 hex digits are an IPv4 address, 32 an IPv6 one; another length has no records, other characters
 * (and one digit too many, as Consul counts pairs) no meaning. */
static void read_address(const struct name *name, size_t n, struct name_meaning *m)
{
    struct mu_str hex = dnsfront__name_label(name, 0);
    if (n != 1 || hex.len == 9 || hex.len == 33) {
        m->kind = NAME_INVALID;
        return;
    }
    if (hex.len != 8 && hex.len != 32) {
        return;
    }
    for (size_t i = 0; i < hex.len; i += 2) {
        int hi = hex_digit(hex.p[i]), lo = hex_digit(hex.p[i + 1]);
        if (hi < 0 || lo < 0) {
            m->kind = NAME_INVALID;
            return;
        }
        m->address[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    m->address_len = hex.len / 2;
}

/* Labels 0..n-1 stand in front of the keyword. */
static void read_parts(const struct name *name, size_t n, const struct form *form,
                       struct name_meaning *m)
{
    m->kind = form->kind;
    m->lookup.kind = form->lookup;
    if (form->kind == NAME_ADDRESS) {
        read_address(name, n, m);
    } else if (form->lookup == DNSFRONT_SERVICE) {
        read_service(name, n, m);
    } else if (form->lookup == DNSFRONT_NODE || form->lookup == DNSFRONT_QUERY) {
        m->lookup.name = dnsfront__name_join(name, 0, n, m->text[0]);
    } else { /* labels further to the left mean nothing */
        m->lookup.name = dnsfront__name_join(name, n - 1, n, m->text[0]);
    }
}

/* Labels 0..n-1 stand in front of the domain. They are scanned from the right; the first keyword
 * ends the scan, and at most the datacenter may follow it (anything, if an address is spelled). An
 * SRV question may leave out "service" (RFC 2782): then the first label with an underscore ends the
 * scan, and belongs to the name. */
static void read_form(const struct name *name, uint16_t type, size_t n, struct name_meaning *m)
{
    for (size_t i = n; i > 0; i--) {
        const struct form *form = form_of(dnsfront__name_label(name, i - 1));
        size_t parts = i - 1;
        if (!form && type == DNS_TYPE_SRV && has_underscore(name, i - 1)) {
            form = &forms[0];
            parts = i;
        }
        if (!form) {
            continue;
        }
        if ((n - i > 1 && form->kind != NAME_ADDRESS) || parts == 0) {
            return; /* more than a datacenter follows, or nothing stands in front */
        }
        if (n - i == 1) {
            m->lookup.datacenter = dnsfront__name_join(name, i, n, m->text[2]);
        }
        read_parts(name, parts, form, m);
        return;
    }
}

static void read_reverse(const struct name *name, struct name_meaning *m)
{
    _Static_assert(REVERSE_TEXT_MAX <= NAME_WIRE_MAX, "an address fits where names do");
    m->kind = NAME_REVERSE;
    m->lookup.kind = DNSFRONT_REVERSE;
    if (dnsfront__reverse_read(name, m->text[0])) {
        m->lookup.name = (struct mu_str){m->text[0], strlen(m->text[0])};
    }
}

void dnsfront__classify(const struct name *name, uint16_t type, const struct name *domain,
                        const struct name *alt, struct mu_str datacenter, struct name_meaning *out)
{
    memset(out, 0, offsetof(struct name_meaning, text));
    out->kind = NAME_FOREIGN;
    out->lookup.datacenter = datacenter;
    const struct name *in = dnsfront__name_ends_in(name, domain)       ? domain
                            : alt && dnsfront__name_ends_in(name, alt) ? alt
                                                                       : NULL;
    if (!in) {
        if (dnsfront__is_reverse(name)) {
            read_reverse(name, out);
        }
        return;
    }
    size_t n = name->labels - in->labels;
    out->kind = n == 0 ? NAME_APEX : NAME_INVALID;
    if (n > 0 && dnsfront__name_is_printable(name)) {
        read_form(name, type, n, out);
    }
}
