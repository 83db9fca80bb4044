#include "certificate.h"

#include "pem.h"

#define LABEL "CERTIFICATE"

static void fill_info(struct ca_certificate *c)
{
    const struct ca__cert *x = &c->cert;
    c->info = (struct ca_certificate_info){
        .serial = x->serial,
        .not_before_unix_s = x->not_before_unix_s,
        .not_after_unix_s = x->not_after_unix_s,
        .subject_key_id = x->ext.subject_key_id,
        .authority_key_id = x->ext.authority_key_id,
        .subject = x->subject,
        .issuer = x->issuer,
        .uri = x->ext.uri_count == 1 ? x->ext.uri : (struct mu_str){NULL, 0},
        .is_ca = x->ext.is_ca,
        .path_length = x->ext.path_length,
        .key_algorithm = x->key.algorithm,
        .key_bits = x->key.bits,
    };
    ca__sha1(x->der, c->info.sha1);
}

static int judge(enum ca_verdict v, struct ca_diag *diag)
{
    int code = v == CA_V_MALFORMED                                   ? CA_EMALFORMED
               : v == CA_V_SIGNATURE_ALGORITHM || v == CA_V_WEAK_KEY ? CA_EUNSUPPORTED
                                                                     : CA_EREFUSED;
    return v == CA_V_TRUSTED ? CA_OK : ca__fail(diag, code, "%s", ca_verdict_text(v));
}

static size_t pem_size(size_t der_len)
{
    size_t base64 = (der_len + 2) / 3 * 4, lines = (base64 + 63) / 64;
    return base64 + lines + 2 * (sizeof "-----BEGIN -----\n" + sizeof LABEL);
}

int ca__certificate_make(struct mu_str der, const struct mu_allocator *a,
                         struct ca_certificate **out, struct ca_diag *diag)
{
    size_t room = pem_size(der.len);
    if (der.len > CA_CERTIFICATE_MAX) {
        return ca__fail(diag, CA_EMALFORMED, "a certificate is longer than %d bytes",
                        CA_CERTIFICATE_MAX);
    }
    struct ca_certificate *c = mu__alloc(a, sizeof *c + der.len + room);
    if (!c) {
        return CA_ENOMEM;
    }
    c->allocator = *a;
    c->der_len = der.len;
    memcpy(c->der, der.p, der.len);
    int rc = judge(ca__cert_read(ca__str(c->der, der.len), &c->cert), diag);
    if (rc != CA_OK) {
        mu__free(a, c);
        return rc;
    }
    struct mu__writer w = mu__writer_fixed(c->der + der.len, room);
    ca__pem_write(&w, LABEL, c->cert.der);
    c->pem = ca__str(w.data, w.len);
    fill_info(c);
    *out = c;
    return CA_OK;
}

int ca_certificate_parse(struct mu_str bytes, const struct mu_allocator *allocator,
                         struct ca_certificate **out, struct ca_diag *diag)
{
    static const char *const labels[] = {LABEL, NULL};
    struct mu_allocator a = mu__allocator_or_default(allocator);
    struct mu_str der;
    *out = NULL;
    int rc = ca__pem_or_der(bytes, labels, &a, &der);
    if (rc != CA_OK) {
        return ca__fail(diag, rc, "no certificate, neither PEM nor DER");
    }
    rc = ca__certificate_make(der, &a, out, diag);
    mu__free(&a, ca__unconst(der.p));
    return rc;
}

static int parse_bundle(struct mu_str pem, const struct mu_allocator *a,
                        struct ca_certificate **out, size_t cap, size_t *count,
                        struct ca_diag *diag)
{
    for (size_t n = 0;; n++) {
        struct mu_str der;
        int rc = ca__pem_next(&pem, LABEL, a, &der);
        if (rc == CA_EMALFORMED && pem.p == NULL && n > 0) {
            return n > cap ? CA_ENOBUFS : CA_OK; /* the end */
        }
        if (rc != CA_OK) {
            return ca__fail(diag, rc, "certificate %zu of the bundle is no PEM", n + 1);
        }
        rc = n < cap ? ca__certificate_make(der, a, &out[n], diag) : CA_OK;
        mu__free(a, ca__unconst(der.p));
        if (rc != CA_OK) {
            return rc;
        }
        *count = n + 1;
    }
}

int ca_bundle_parse(struct mu_str pem, const struct mu_allocator *allocator,
                    struct ca_certificate **out, size_t cap, size_t *count, struct ca_diag *diag)
{
    struct mu_allocator a = mu__allocator_or_default(allocator);
    *count = 0;
    int rc = parse_bundle(pem, &a, out, cap, count, diag);
    if (rc != CA_OK) {
        for (size_t i = 0; i < mu__min(*count, cap); i++) {
            ca_certificate_destroy(out[i]);
            out[i] = NULL;
        }
        *count = rc == CA_ENOBUFS ? *count : 0;
    }
    return rc;
}

int ca_bundle_write(const struct ca_certificate *const *certificates, size_t count, char *buf,
                    size_t cap, size_t *len)
{
    size_t need = 0;
    for (size_t i = 0; i < count; i++) {
        struct mu_str pem = certificates[i]->pem;
        if (pem.len < cap && need < cap - pem.len) { /* leaves room for the zero */
            memcpy(buf + need, pem.p, pem.len);
        }
        need += pem.len;
    }
    *len = need;
    if (need >= cap) {
        return CA_ENOBUFS;
    }
    buf[need] = '\0';
    return CA_OK;
}

struct mu_str ca_certificate_der(const struct ca_certificate *c)
{
    return c->cert.der;
}

struct mu_str ca_certificate_pem(const struct ca_certificate *c)
{
    return c->pem;
}

const struct ca_certificate_info *ca_certificate_info(const struct ca_certificate *c)
{
    return &c->info;
}

void ca_certificate_destroy(struct ca_certificate *c)
{
    if (c) {
        struct mu_allocator a = c->allocator;
        mu__free(&a, c);
    }
}
