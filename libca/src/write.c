/* Certificates and requests, written. */
#include "oid.h"
#include "x509.h"

/* PrintableString where all of it fits, UTF8String otherwise (RFC 5280 4.1.2.4). */
static bool is_printable(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr(" '()+,-./:=?", c))) {
            return false;
        }
    }
    return true;
}

void ca__name_write(struct mu__writer *w, struct mu_str common_name)
{
    size_t name = ca__der_begin(w, DER_SEQUENCE), set = ca__der_begin(w, DER_SET),
           pair = ca__der_begin(w, DER_SEQUENCE);
    ca__der_put(w, DER_OID, OID_STR(OID_COMMON_NAME));
    ca__der_put(w, is_printable(common_name) ? DER_PRINTABLE : DER_UTF8, common_name);
    ca__der_end(w, pair);
    ca__der_end(w, set);
    ca__der_end(w, name);
}

/* ---- Extensions ---- */

struct open { /* an extension that is being written */
    size_t extension, value;
};

static struct open begin_extension(struct mu__writer *w, struct mu_str oid, bool critical)
{
    struct open o = {.extension = ca__der_begin(w, DER_SEQUENCE)};
    ca__der_put(w, DER_OID, oid);
    if (critical) {
        ca__der_put_true(w);
    }
    o.value = ca__der_begin(w, DER_OCTET_STRING);
    return o;
}

static void end_extension(struct mu__writer *w, struct open o)
{
    ca__der_end(w, o.value);
    ca__der_end(w, o.extension);
}

static void write_key_usage(struct mu__writer *w, bool is_ca)
{
    unsigned usage =
        CA__KU_DIGITAL_SIGNATURE |
        (is_ca ? CA__KU_CERT_SIGN | CA__KU_CRL_SIGN
               : CA__KU_KEY_ENCIPHERMENT | CA__KU_DATA_ENCIPHERMENT | CA__KU_KEY_AGREEMENT);
    unsigned unused = 0, bits = usage >> 8; /* both fit into the first byte */
    while (!(bits >> unused & 1)) {
        unused++;
    }
    char value[2] = {(char)unused, (char)bits};
    struct open o = begin_extension(w, OID_STR(OID_KEY_USAGE), true);
    ca__der_put(w, DER_BIT_STRING, ca__str(value, 2));
    end_extension(w, o);
}

static void write_ext_key_usage(struct mu__writer *w)
{
    struct open o = begin_extension(w, OID_STR(OID_EXT_KEY_USAGE), false);
    size_t list = ca__der_begin(w, DER_SEQUENCE);
    ca__der_put(w, DER_OID, OID_STR(OID_CLIENT_AUTH));
    ca__der_put(w, DER_OID, OID_STR(OID_SERVER_AUTH));
    ca__der_end(w, list);
    end_extension(w, o);
}

static void write_basic_constraints(struct mu__writer *w, bool is_ca, int path_length)
{
    struct open o = begin_extension(w, OID_STR(OID_BASIC_CONSTRAINTS), true);
    size_t list = ca__der_begin(w, DER_SEQUENCE);
    if (is_ca) {
        ca__der_put_true(w);
    }
    if (is_ca && path_length >= 0) {
        char length = (char)path_length;
        ca__der_put_unsigned(w, ca__str(&length, 1));
    }
    ca__der_end(w, list);
    end_extension(w, o);
}

static void write_key_ids(struct mu__writer *w, const struct ca__tbs *t)
{
    struct open o = begin_extension(w, OID_STR(OID_SUBJECT_KEY_ID), false);
    ca__der_put(w, DER_OCTET_STRING, t->subject_key_id);
    end_extension(w, o);
    if (t->authority_key_id.len > 0) {
        o = begin_extension(w, OID_STR(OID_AUTHORITY_KEY_ID), false);
        size_t list = ca__der_begin(w, DER_SEQUENCE);
        ca__der_put(w, DER_CONTEXT | 0, t->authority_key_id);
        ca__der_end(w, list);
        end_extension(w, o);
    }
}

void ca__alt_names_write(struct mu__writer *w, struct mu_str uri, const struct ca_name *names,
                         size_t count)
{
    if (uri.len == 0 && count == 0) {
        return;
    }
    struct open o = begin_extension(w, OID_STR(OID_SUBJECT_ALT_NAME), false);
    size_t list = ca__der_begin(w, DER_SEQUENCE);
    for (size_t i = 0; i < count; i++) {
        ca__der_put(w, names[i].kind == CA_NAME_DNS ? CA__NAME_DNS : CA__NAME_IP, names[i].value);
    }
    if (uri.len > 0) {
        ca__der_put(w, CA__NAME_URI, uri);
    }
    ca__der_end(w, list);
    end_extension(w, o);
}

/* In Consul's order. */
static void write_extensions(struct mu__writer *w, const struct ca__tbs *t)
{
    size_t outer = ca__der_begin(w, DER_CONTEXT_CONSTRUCTED | 3),
           list = ca__der_begin(w, DER_SEQUENCE);
    write_key_usage(w, t->is_ca);
    if (!t->is_ca) {
        write_ext_key_usage(w);
    }
    write_basic_constraints(w, t->is_ca, t->path_length);
    write_key_ids(w, t);
    ca__alt_names_write(w, t->uri, t->names, t->name_count);
    ca__der_end(w, list);
    ca__der_end(w, outer);
}

void ca__tbs_write(struct mu__writer *w, const struct ca__tbs *t, enum ca__signature s)
{
    size_t tbs = ca__der_begin(w, DER_SEQUENCE);
    size_t version = ca__der_begin(w, DER_CONTEXT_CONSTRUCTED | 0);
    ca__der_put_small(w, 2);
    ca__der_end(w, version);
    ca__der_put_unsigned(w, ca__str(t->serial, t->serial_len));
    ca__write_signature_algorithm(w, s);
    mu__write_bytes(w, t->issuer.p, t->issuer.len);
    size_t validity = ca__der_begin(w, DER_SEQUENCE);
    ca__der_put_time(w, t->not_before_unix_s);
    ca__der_put_time(w, t->not_after_unix_s);
    ca__der_end(w, validity);
    mu__write_bytes(w, t->subject.p, t->subject.len);
    mu__write_bytes(w, t->spki.p, t->spki.len);
    write_extensions(w, t);
    ca__der_end(w, tbs);
}
