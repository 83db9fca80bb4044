#include "trust.h"

#include "certificate.h"
#include "id.h"

enum { ROOTS_DEFAULT = 64, ROOTS_MAX = 256 };

void ca_trust_config_init_sized(struct ca_trust_config *cfg, size_t size)
{
    struct ca_trust_config d = {.size = size, .roots_max = ROOTS_DEFAULT};
    memset(cfg, 0, size);
    memcpy(cfg, &d, mu__min(size, sizeof d));
    cfg->size = size;
}

int ca_trust_create(const struct ca_trust_config *cfg, struct ca_trust **out)
{
    struct ca_trust_config full;
    *out = NULL;
    ca_trust_config_init(&full);
    if (!ca__widen(cfg, cfg->size, &full, sizeof full)) {
        return CA_EINVAL;
    }
    if (!ca__is_trust_domain(full.trust_domain)) {
        return CA_EID;
    }
    if (full.roots_max < 1 || full.roots_max > ROOTS_MAX) {
        return CA_EINVAL;
    }
    struct mu_allocator a = mu__allocator_or_default(full.allocator);
    struct ca_trust *t = mu__calloc(&a, 1, sizeof *t);
    if (!t) {
        return CA_ENOMEM;
    }
    t->allocator = a;
    t->max = full.roots_max;
    t->trust_domain_len = full.trust_domain.len;
    memcpy(t->trust_domain, full.trust_domain.p, full.trust_domain.len);
    *out = t;
    return CA_OK;
}

static void free_root(struct ca_trust *t, struct ca__root *root)
{
    if (root) {
        mbedtls_pk_free(&root->pk);
        mu__free(&t->allocator, root->der);
        mu__free(&t->allocator, root);
    }
}

void ca_trust_destroy(struct ca_trust *t)
{
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        free_root(t, t->roots[i]);
    }
    mu__free(&t->allocator, t->roots);
    struct mu_allocator a = t->allocator;
    mu__free(&a, t);
}

size_t ca_trust_count(const struct ca_trust *t)
{
    return t->count;
}

static bool is_known(const struct ca_trust *t, struct mu_str der)
{
    for (size_t i = 0; i < t->count; i++) {
        if (ca__same(t->roots[i]->cert.der, der)) {
            return true;
        }
    }
    return false;
}

static int make_root(struct ca_trust *t, struct mu_str der, struct ca__root **out)
{
    struct ca__root *root = mu__calloc(&t->allocator, 1, sizeof *root);
    if (!root) {
        return CA_ENOMEM;
    }
    mbedtls_pk_init(&root->pk);
    *out = root;
    root->der = mu__memdup(&t->allocator, der.p, der.len);
    if (!root->der) {
        return CA_ENOMEM;
    }
    /* It was read before: a struct ca_certificate holds no other */
    enum ca_verdict v = ca__cert_read(ca__str(root->der, der.len), &root->cert);
    int rc = v == CA_V_TRUSTED ? ca__load_public_key(&root->cert.key, &root->pk) : CA_EUNSUPPORTED;
    root->loaded = rc == CA_OK;
    return rc == CA_ENOMEM ? rc : CA_OK;
}

int ca_trust_add(struct ca_trust *t, const struct ca_certificate *root)
{
    struct mu_str der = ca_certificate_der(root);
    struct ca__root *made = NULL;
    if (is_known(t, der)) {
        return CA_OK;
    }
    if (t->count == t->max) {
        return CA_EREFUSED;
    }
    void *items = t->roots;
    bool room = mu__reserve(&t->allocator, &items, &t->cap, t->count + 1, sizeof(void *));
    t->roots = items;
    int rc = room ? make_root(t, der, &made) : CA_ENOMEM;
    if (rc != CA_OK) {
        free_root(t, made);
        return rc;
    }
    t->roots[t->count++] = made;
    return CA_OK;
}
