#include "oid.h"
#include "x509.h"

/* Each reads the inside of one extension's OCTET STRING (RFC 5280 4.2.1); false: malformed. */

static bool read_basic_constraints(struct mu__reader *r, struct ca__extensions *e)
{
    unsigned length;
    struct mu__reader in = ca__der_enter(r, DER_SEQUENCE);
    e->has_basic_constraints = true;
    if (ca__der_peek(&in, DER_BOOLEAN)) {
        ca__der_bool(&in, &e->is_ca);
        if (!e->is_ca) {
            return false; /* DER leaves defaults out */
        }
    }
    if (ca__der_more(&in)) {
        if (!e->is_ca || !ca__der_small(&in, 255, &length)) {
            return false; /* a length is a CA's alone */
        }
        e->path_length = (int)length;
    }
    return ca__der_done(&in);
}

static bool read_key_usage(struct mu__reader *r, struct ca__extensions *e)
{
    struct mu_str v;
    if (!ca__der_get(r, DER_BIT_STRING, &v) || v.len < 2 || v.len > 3) {
        return false;
    }
    const uint8_t *b = (const uint8_t *)v.p;
    unsigned unused = b[0], bits = (unsigned)b[1] << 8 | (v.len == 3 ? b[2] : 0);
    unsigned last = b[v.len - 1];
    e->has_key_usage = true;
    e->key_usage = bits;
    /* A named bit list ends in a one (X.690 11.2.2), and at least one is set */
    return unused < 8 && bits != 0 && (last >> unused & 1) && (last & ((1u << unused) - 1)) == 0;
}

static bool read_ext_key_usage(struct mu__reader *r, struct ca__extensions *e)
{
    struct mu__reader in = ca__der_enter(r, DER_SEQUENCE);
    e->has_ext_key_usage = true;
    do {
        struct mu_str oid;
        if (!ca__der_oid(&in, &oid)) {
            return false;
        }
        e->server_auth = e->server_auth || OID_IS(oid, OID_SERVER_AUTH);
        e->client_auth = e->client_auth || OID_IS(oid, OID_CLIENT_AUTH);
    } while (ca__der_more(&in));
    return ca__der_done(&in);
}

static bool read_subject_key_id(struct mu__reader *r, struct ca__extensions *e)
{
    return ca__der_get(r, DER_OCTET_STRING, &e->subject_key_id) && e->subject_key_id.len > 0;
}

/* [0] keyIdentifier, [1] authorityCertIssuer, [2] authorityCertSerialNumber; the last two are not
 * needed. */
static bool read_authority_key_id(struct mu__reader *r, struct ca__extensions *e)
{
    struct mu__reader in = ca__der_enter(r, DER_SEQUENCE);
    struct mu_str other;
    if (ca__der_peek(&in, DER_CONTEXT | 0)) {
        ca__der_get(&in, DER_CONTEXT | 0, &e->authority_key_id);
    }
    if (ca__der_peek(&in, DER_CONTEXT_CONSTRUCTED | 1)) {
        ca__der_get(&in, DER_CONTEXT_CONSTRUCTED | 1, &other);
    }
    if (ca__der_peek(&in, DER_CONTEXT | 2)) {
        ca__der_get(&in, DER_CONTEXT | 2, &other);
    }
    return ca__der_done(&in);
}

static bool is_ia5(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] >= 0x80 || s.p[i] == '\0') {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_general_name(uint8_t tag, struct mu_str value)
{
    struct mu__reader r = ca__der(value);
    struct mu_str whole;
    switch (tag) {
    case CA__NAME_EMAIL:
    case CA__NAME_DNS:
    case CA__NAME_URI:
        return is_ia5(value);
    case CA__NAME_IP:
        return value.len == 4 || value.len == 16;
    case CA__NAME_DIRECTORY:
        return ca__name_read(&r, &whole) && ca__der_done(&r);
    case 0xa0: /* otherName, x400Address, ediPartyName, registeredID */
    case 0xa3:
    case 0xa5:
    case 0x88:
        return true;
    default:
        return false;
    }
}

static bool read_alt_names(struct mu__reader *r, struct ca__extensions *e)
{
    uint8_t tag;
    struct mu_str value;
    struct mu__reader in = ca__der_enter(r, DER_SEQUENCE);
    e->names = ca__str(in.data, in.len);
    do {
        if (!ca__der_any(&in, &tag, &value, NULL) || !is_general_name(tag, value)) {
            return false;
        }
        if (tag == CA__NAME_URI && e->uri_count++ == 0) {
            e->uri = value;
        }
    } while (ca__der_more(&in));
    return ca__der_done(&in);
}

/* The subtrees are read when they are applied. */
static bool read_name_constraints(struct mu__reader *r, struct ca__extensions *e)
{
    struct mu__reader in = ca__der_enter(r, DER_SEQUENCE);
    e->has_name_constraints = true;
    if (ca__der_peek(&in, DER_CONTEXT_CONSTRUCTED | 0)) {
        ca__der_get(&in, DER_CONTEXT_CONSTRUCTED | 0, &e->permitted);
    }
    if (ca__der_peek(&in, DER_CONTEXT_CONSTRUCTED | 1)) {
        ca__der_get(&in, DER_CONTEXT_CONSTRUCTED | 1, &e->excluded);
    }
    return ca__der_done(&in) && (e->permitted.len > 0 || e->excluded.len > 0);
}

static const struct {
    struct mu_str oid;
    bool (*read)(struct mu__reader *r, struct ca__extensions *e);
} KNOWN[] = {
    {OID_INIT(OID_BASIC_CONSTRAINTS), read_basic_constraints},
    {OID_INIT(OID_KEY_USAGE), read_key_usage},
    {OID_INIT(OID_EXT_KEY_USAGE), read_ext_key_usage},
    {OID_INIT(OID_SUBJECT_KEY_ID), read_subject_key_id},
    {OID_INIT(OID_AUTHORITY_KEY_ID), read_authority_key_id},
    {OID_INIT(OID_SUBJECT_ALT_NAME), read_alt_names},
    {OID_INIT(OID_NAME_CONSTRAINTS), read_name_constraints},
};
enum { KNOWN_COUNT = sizeof KNOWN / sizeof *KNOWN, EXTENSIONS_MAX = 32 };

static bool read_value(struct mu_str oid, bool critical, struct mu_str value,
                       struct ca__extensions *e)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (ca__same(oid, KNOWN[i].oid)) {
            struct mu__reader r = ca__der(value);
            return KNOWN[i].read(&r, e) && ca__der_done(&r);
        }
    }
    e->unknown_critical = e->unknown_critical || critical;
    return true;
}

bool ca__extensions_read(struct mu__reader *list, struct ca__extensions *out)
{
    struct mu_str seen[EXTENSIONS_MAX];
    size_t count = 0;
    *out = (struct ca__extensions){.path_length = -1};
    do {
        struct mu_str oid, value;
        bool critical = false;
        struct mu__reader in = ca__der_enter(list, DER_SEQUENCE);
        ca__der_oid(&in, &oid);
        if (ca__der_peek(&in, DER_BOOLEAN) && (!ca__der_bool(&in, &critical) || !critical)) {
            return false; /* DER leaves defaults out */
        }
        if (!ca__der_get(&in, DER_OCTET_STRING, &value) || !ca__der_done(&in) ||
            count == EXTENSIONS_MAX) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (ca__same(seen[i], oid)) {
                return false; /* none twice, RFC 5280 4.2 */
            }
        }
        seen[count++] = oid;
        if (!read_value(oid, critical, value, out)) {
            return false;
        }
    } while (ca__der_more(list));
    return ca__der_done(list);
}
