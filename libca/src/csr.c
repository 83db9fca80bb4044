#include "csr.h"

#include "key.h"
#include "oid.h"
#include "pem.h"
#include "utf8.h"

enum { NAMES_MAX = 64, DNS_MAX = 253 };

#define LABEL "CERTIFICATE REQUEST"

/* ---- Reading ---- */

/* Attribute ::= SEQUENCE { type OID, values SET OF ANY }; of these only the extension request
 * counts, which stands there once and has one value. */
static bool read_attributes(struct mu__reader *in, struct ca_csr *csr)
{
    bool seen = false;
    while (ca__der_more(in)) {
        struct mu_str oid;
        struct mu__reader attribute = ca__der_enter(in, DER_SEQUENCE);
        bool good = ca__der_oid(&attribute, &oid);
        struct mu__reader values = ca__der_enter(&attribute, DER_SET);
        if (!good || !ca__der_done(&attribute) || values.failed) {
            return false;
        }
        if (!OID_IS(oid, OID_EXTENSION_REQUEST)) {
            continue;
        }
        struct mu__reader list = ca__der_enter(&values, DER_SEQUENCE);
        if (seen || !ca__der_done(&values) || !ca__extensions_read(&list, &csr->ext)) {
            return false;
        }
        seen = true;
    }
    return ca__der_done(in);
}

static bool read_info(struct mu__reader *in, struct ca_csr *csr)
{
    unsigned version;
    struct mu_str subject;
    if (!ca__der_small(in, 0, &version) || !ca__name_read(in, &subject) ||
        !ca__read_public_key(in, &csr->key)) {
        return false;
    }
    if (!ca__der_more(in)) {
        return true; /* some leave the attributes out when there are none */
    }
    struct mu__reader attributes = ca__der_enter(in, DER_CONTEXT_CONSTRUCTED | 0);
    return read_attributes(&attributes, csr) && ca__der_done(in);
}

static bool read_csr(struct ca_csr *csr)
{
    struct mu_str algorithm;
    struct mu__reader r = ca__der(csr->der), in = ca__der_enter(&r, DER_SEQUENCE);
    if (csr->der.len > CA_CERTIFICATE_MAX || !ca__der_done(&r) ||
        !ca__der_raw(&in, DER_SEQUENCE, &csr->info) ||
        !ca__read_signature_algorithm(&in, &csr->signature_algorithm, &algorithm) ||
        !ca__der_bits(&in, &csr->signature) || !ca__der_done(&in)) {
        return false;
    }
    struct mu__reader outer = ca__der(csr->info), info = ca__der_enter(&outer, DER_SEQUENCE);
    return read_info(&info, csr);
}

static int check(struct ca_csr *csr, struct ca_diag *diag)
{
    if (!read_csr(csr)) {
        return ca__fail(diag, CA_EMALFORMED, "the CSR is malformed");
    }
    if (!csr->key.accepted) {
        return ca__fail(diag, CA_EUNSUPPORTED,
                        "the CSR's key is none of P-256, P-384, P-521, RSA from 2048 bits");
    }
    if (csr->signature_algorithm == CA__SIGNATURE_OTHER) {
        return ca__fail(diag, CA_EUNSUPPORTED, "the CSR's signature algorithm is not accepted");
    }
    if (csr->ext.uri_count != 1) {
        return ca__fail(diag, CA_EREFUSED, "the CSR asks for %u URIs instead of one",
                        csr->ext.uri_count);
    }
    int rc = ca__verify_with(&csr->key, csr->signature_algorithm, csr->info, csr->signature);
    return rc ? ca__fail(diag, rc, "the CSR's signature is wrong") : CA_OK;
}

int ca_csr_parse(struct mu_str bytes, const struct mu_allocator *allocator, struct ca_csr **out,
                 struct ca_diag *diag)
{
    static const char *const labels[] = {LABEL, "NEW " LABEL, NULL};
    struct mu_allocator a = mu__allocator_or_default(allocator);
    *out = NULL;
    struct ca_csr *csr = mu__calloc(&a, 1, sizeof *csr);
    if (!csr) {
        return CA_ENOMEM;
    }
    csr->allocator = a;
    int rc = ca__pem_or_der(bytes, labels, &a, &csr->der);
    rc = rc == CA_OK ? check(csr, diag) : ca__fail(diag, rc, "no CSR, neither PEM nor DER");
    if (rc != CA_OK) {
        ca_csr_destroy(csr);
        return rc;
    }
    *out = csr;
    return CA_OK;
}

struct mu_str ca_csr_uri(const struct ca_csr *csr)
{
    return csr->ext.uri;
}

bool ca_csr_next_name(const struct ca_csr *csr, size_t *at, struct ca_name *out)
{
    struct mu__reader r = ca__der(csr->ext.names);
    r.pos = mu__min(*at, r.len);
    while (ca__der_more(&r)) {
        uint8_t tag;
        struct mu_str value;
        bool read = ca__der_any(&r, &tag, &value, NULL);
        *at = r.pos;
        if (read && (tag == CA__NAME_DNS || tag == CA__NAME_IP)) {
            *out = (struct ca_name){tag == CA__NAME_DNS ? CA_NAME_DNS : CA_NAME_IP, value};
            return true;
        }
    }
    return false;
}

void ca_csr_destroy(struct ca_csr *csr)
{
    if (csr) {
        struct mu_allocator a = csr->allocator;
        mu__free(&a, ca__unconst(csr->der.p));
        mu__free(&a, csr);
    }
}

/* ---- Writing ---- */

static bool is_dns(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr("-_.*", c))) {
            return false;
        }
    }
    return s.len > 0 && s.len <= DNS_MAX;
}

bool ca__names_are_good(const struct ca_name *names, size_t count)
{
    if (count > NAMES_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct mu_str v = names[i].value;
        bool good = names[i].kind == CA_NAME_DNS
                        ? is_dns(v)
                        : names[i].kind == CA_NAME_IP && (v.len == 4 || v.len == 16);
        if (!good) {
            return false;
        }
    }
    return true;
}

bool ca__is_common_name(struct mu_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0, n; i < s.len; i += n) {
        n = mu__utf8_length(p + i, s.len - i);
        if (n == 0 || p[i] < 0x20 || p[i] == 0x7f) {
            return false;
        }
    }
    return s.len <= CA_CN_MAX;
}

static void write_info(struct mu__writer *w, const struct ca_key *key,
                       const struct ca_csr_request *request, struct mu_str common_name)
{
    size_t info = ca__der_begin(w, DER_SEQUENCE);
    ca__der_put_small(w, 0);
    ca__name_write(w, common_name);
    mu__write_bytes(w, key->public_key.spki.p, key->public_key.spki.len);
    size_t attributes = ca__der_begin(w, DER_CONTEXT_CONSTRUCTED | 0),
           attribute = ca__der_begin(w, DER_SEQUENCE);
    ca__der_put(w, DER_OID, OID_STR(OID_EXTENSION_REQUEST));
    size_t values = ca__der_begin(w, DER_SET), list = ca__der_begin(w, DER_SEQUENCE);
    ca__alt_names_write(w, request->uri, request->names, request->name_count);
    ca__der_end(w, list);
    ca__der_end(w, values);
    ca__der_end(w, attribute);
    ca__der_end(w, attributes);
    ca__der_end(w, info);
}

static int write_pem(struct mu_str der, const struct mu_allocator *a, char *buf, size_t cap,
                     size_t *len)
{
    struct mu__writer text = mu__writer_growing(a);
    ca__pem_write(&text, LABEL, der);
    int rc = text.failed ? CA_ENOMEM : text.len >= cap ? CA_ENOBUFS : CA_OK;
    *len = text.len;
    if (rc == CA_OK) {
        memcpy(buf, text.data, text.len);
        buf[text.len] = '\0';
    }
    mu__writer_fini(&text);
    return rc;
}

int ca_csr_write(const struct ca_key *key, const struct ca_csr_request *request,
                 const struct ca_random *random, char *buf, size_t cap, size_t *len)
{
    struct ca_id id;
    char text[CA_URI_MAX], common_name[CA_CN_MAX + 1];
    struct mu_str cn = request->common_name;
    if (request->uri.len > sizeof text || ca_id_parse(request->uri, text, &id) != CA_OK) {
        return CA_EID;
    }
    if (!random || !random->fill || !ca__is_common_name(cn) ||
        !ca__names_are_good(request->names, request->name_count)) {
        return CA_EINVAL;
    }
    if (cn.len == 0) {
        ca_id_common_name(&id, common_name);
        cn = ca__str(common_name, strlen(common_name));
    }
    struct mu__writer info = mu__writer_growing(&key->allocator),
                      csr = mu__writer_growing(&key->allocator);
    write_info(&info, key, request, cn);
    int rc = info.failed
                 ? CA_ENOMEM
                 : ca__signed_write(&csr, ca__unconst(key), random, ca__str(info.data, info.len));
    if (rc == CA_OK) {
        rc = write_pem(ca__str(csr.data, csr.len), &key->allocator, buf, cap, len);
    }
    mu__writer_fini(&csr);
    mu__writer_fini(&info);
    return rc;
}
