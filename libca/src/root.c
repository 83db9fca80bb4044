#include "csr.h"
#include "id.h"
#include "issuer.h"

#include <stdio.h>

enum { PATH_LENGTH_MAX = 8 };

/* Times whose year has four digits, so that they can be written (RFC 5280 4.1.2.5). */
#define TIME_MAX INT64_C(253402300799)

int ca__terms_apply(const struct ca_terms *terms, uint32_t default_ttl_s,
                    const struct ca_random *random, struct ca__tbs *t)
{
    uint32_t ttl_s = terms->ttl_s ? terms->ttl_s : default_ttl_s;
    uint32_t back_s = terms->backdate_s == UINT32_MAX ? 0
                      : terms->backdate_s             ? terms->backdate_s
                                                      : CA_BACKDATE_S;
    if (terms->now_unix_s < (int64_t)back_s || terms->now_unix_s > TIME_MAX - ttl_s ||
        terms->path_length < CA_PATH_UNLIMITED || terms->path_length > PATH_LENGTH_MAX ||
        !ca__is_common_name(terms->common_name)) {
        return CA_EINVAL;
    }
    t->not_before_unix_s = terms->now_unix_s - back_s;
    t->not_after_unix_s = t->not_before_unix_s + ttl_s;
    if (terms->serial == 0) {
        t->serial_len = 16;
        if (random->fill(random->user, t->serial, t->serial_len) != 0) {
            return CA_ERANDOM;
        }
        t->serial[0] = (uint8_t)((t->serial[0] & 0x7f) | 0x40); /* positive, and never short */
        return CA_OK;
    }
    t->serial_len = 8;
    for (size_t i = 0; i < 8; i++) {
        t->serial[i] = (uint8_t)(terms->serial >> (56 - 8 * i));
    }
    return CA_OK;
}

int ca__tbs_sign(const struct ca__tbs *t, const struct ca_key *key, const struct ca_random *random,
                 const struct mu_allocator *a, struct ca_certificate **out)
{
    struct mu__writer tbs = mu__writer_growing(a), whole = mu__writer_growing(a);
    ca__tbs_write(&tbs, t, ca__key_signature(key));
    int rc = tbs.failed
                 ? CA_ENOMEM
                 : ca__signed_write(&whole, ca__unconst(key), random, ca__str(tbs.data, tbs.len));
    if (rc == CA_OK) {
        rc = ca__certificate_make(ca__str(whole.data, whole.len), a, out, NULL);
    }
    mu__writer_fini(&whole);
    mu__writer_fini(&tbs);
    return rc;
}

int ca__random_name(const char *prefix, struct mu_str trust_domain, const struct ca_random *random,
                    char buf[CA_CN_MAX + 1])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuv"; /* 32, so none is likelier */
    unsigned char bytes[8];
    if (random->fill(random->user, bytes, sizeof bytes) != 0) {
        return CA_ERANDOM;
    }
    char name[sizeof bytes + 1] = "";
    for (size_t i = 0; i < sizeof bytes; i++) {
        name[i] = letters[bytes[i] % 32];
    }
    snprintf(buf, CA_CN_MAX + 1, "%s-%s.consul.ca.%.*s.consul", prefix, name,
             (int)mu__min(trust_domain.len, 8), trust_domain.p);
    return CA_OK;
}

int ca_root_create(const struct ca_key *key, struct mu_str trust_domain,
                   const struct ca_terms *terms, const struct ca_random *random,
                   const struct mu_allocator *allocator, struct ca_certificate **out)
{
    struct mu_allocator a = mu__allocator_or_default(allocator);
    struct ca__tbs t = {.is_ca = true, .path_length = terms->path_length};
    char uri[CA_URI_MAX], name[CA_CN_MAX + 1];
    size_t uri_len;
    uint8_t key_id[32];
    const struct ca_id id = {.kind = CA_ID_TRUST_DOMAIN, .trust_domain = trust_domain};
    struct mu_str cn = terms->common_name;
    *out = NULL;
    if (ca_id_write(&id, uri, sizeof uri, &uri_len) != CA_OK) {
        return CA_EID;
    }
    if (!random || !random->fill) {
        return CA_EINVAL;
    }
    int rc = ca__terms_apply(terms, CA_TTL_ROOT_S, random, &t);
    if (rc == CA_OK && cn.len == 0) {
        rc = ca__random_name("pri", trust_domain, random, name);
        cn = ca__str(name, rc == CA_OK ? strlen(name) : 0);
    }
    struct mu__writer subject = mu__writer_growing(&a);
    ca__name_write(&subject, cn);
    ca_key_id(key, key_id);
    t.issuer = t.subject = ca__str(subject.data, subject.len);
    t.spki = key->public_key.spki;
    t.uri = ca__str(uri, uri_len);
    t.subject_key_id = t.authority_key_id = ca__str(key_id, sizeof key_id);
    if (rc == CA_OK) {
        rc = subject.failed ? CA_ENOMEM : ca__tbs_sign(&t, key, random, &a, out);
    }
    mu__writer_fini(&subject);
    return rc;
}
