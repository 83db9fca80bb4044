#include "x509.h"

#include "oid.h"

/* Name ::= SEQUENCE OF SET OF SEQUENCE { type OID, value ANY } */
bool ca__name_read(struct mu__reader *r, struct mu_str *whole)
{
    if (!ca__der_raw(r, DER_SEQUENCE, whole)) {
        return false;
    }
    struct mu__reader outer = ca__der(*whole), names = ca__der_enter(&outer, DER_SEQUENCE);
    while (ca__der_more(&names)) {
        struct mu__reader set = ca__der_enter(&names, DER_SET);
        do {
            struct mu_str oid, value;
            uint8_t tag;
            struct mu__reader pair = ca__der_enter(&set, DER_SEQUENCE);
            if (!ca__der_oid(&pair, &oid) || !ca__der_any(&pair, &tag, &value, NULL) ||
                !ca__der_done(&pair)) {
                return false;
            }
        } while (ca__der_more(&set));
    }
    return ca__der_done(&names);
}

bool ca__is_self_issued(const struct ca__cert *c)
{
    return ca__same(c->issuer, c->subject);
}

static bool read_validity(struct mu__reader *r, struct ca__cert *c)
{
    struct mu__reader in = ca__der_enter(r, DER_SEQUENCE);
    return ca__der_time(&in, &c->not_before_unix_s) && ca__der_time(&in, &c->not_after_unix_s) &&
           ca__der_done(&in);
}

/* [0] INTEGER: absent is version 1, and 2 is version 3. */
static bool read_version(struct mu__reader *r, unsigned *version)
{
    *version = 0;
    if (!ca__der_peek(r, DER_CONTEXT_CONSTRUCTED | 0)) {
        return true;
    }
    struct mu__reader in = ca__der_enter(r, DER_CONTEXT_CONSTRUCTED | 0);
    return ca__der_small(&in, 127, version) && ca__der_done(&in) && *version != 0;
}

static bool read_tbs(struct mu__reader *r, struct ca__cert *c, unsigned *version,
                     struct mu_str *algorithm)
{
    enum ca__signature inner;
    c->ext = (struct ca__extensions){.path_length = -1};
    if (!read_version(r, version) || !ca__der_unsigned(r, &c->serial) || c->serial.len > 20 ||
        !ca__read_signature_algorithm(r, &inner, algorithm) || !ca__name_read(r, &c->issuer) ||
        ca__name_is_empty(c->issuer) || !read_validity(r, c) || !ca__name_read(r, &c->subject) ||
        !ca__read_public_key(r, &c->key)) {
        return false;
    }
    if (!ca__der_more(r)) {
        return true; /* no extensions */
    }
    /* Unique ids, [1] and [2], are nobody's any more: RFC 5280 4.1.2.8 */
    struct mu__reader in = ca__der_enter(r, DER_CONTEXT_CONSTRUCTED | 3);
    struct mu__reader list = ca__der_enter(&in, DER_SEQUENCE);
    return ca__extensions_read(&list, &c->ext) && ca__der_done(&in);
}

enum ca_verdict ca__cert_read(struct mu_str der, struct ca__cert *out)
{
    struct mu_str inner, outer;
    unsigned version = 0;
    struct mu__reader r = ca__der(der), in = ca__der_enter(&r, DER_SEQUENCE);
    out->der = der;
    if (der.len > CA_CERTIFICATE_MAX || !ca__der_done(&r) ||
        !ca__der_raw(&in, DER_SEQUENCE, &out->tbs) ||
        !ca__read_signature_algorithm(&in, &out->signature_algorithm, &outer) ||
        !ca__der_bits(&in, &out->signature) || !ca__der_done(&in)) {
        return CA_V_MALFORMED;
    }
    struct mu__reader tbs = ca__der(out->tbs), fields = ca__der_enter(&tbs, DER_SEQUENCE);
    if (!read_tbs(&fields, out, &version, &inner) || !ca__der_done(&fields) ||
        !ca__same(inner, outer)) {
        return CA_V_MALFORMED;
    }
    if (version != 2) {
        return CA_V_VERSION;
    }
    if (out->ext.unknown_critical) {
        return CA_V_CRITICAL_EXTENSION;
    }
    if (out->signature_algorithm == CA__SIGNATURE_OTHER) {
        return CA_V_SIGNATURE_ALGORITHM;
    }
    return out->key.accepted ? CA_V_TRUSTED : CA_V_WEAK_KEY;
}
