/* ca_kit.h - what tests of libca need again and again: a random source with a seed, keys, roots,
 * issuers, CSRs. */
#pragma once

#include "mu_test.h"

#include "prng.h"

#include <muster/ca_verify.h>

#define TD  "11111111-2222-3333-4444-555555555555.consul"
#define NOW INT64_C(1906502400) /* 2030-06-01 */
#define WEB "spiffe://" TD "/ns/default/dc/dc1/svc/web"
#define DB  "spiffe://" TD "/ns/default/dc/dc1/svc/db"

static inline struct mu_str str(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

static inline bool same_str(struct mu_str a, struct mu_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Bytes of a seed, and none after `left` calls. */
struct dice {
    struct mu__prng prng;
    size_t left;
};

static inline int dice_fill(void *user, unsigned char *out, size_t len)
{
    struct dice *d = user;
    if (d->left == 0) {
        return -1;
    }
    d->left--;
    for (size_t i = 0; i < len; i++) {
        out[i] = (unsigned char)mu__prng_next(&d->prng);
    }
    return 0;
}

static inline struct ca_random dice_random(struct dice *d, uint64_t seed)
{
    mu__prng_seed(&d->prng, seed);
    d->left = SIZE_MAX;
    return (struct ca_random){dice_fill, d};
}

/* One world: random bytes, and what was made with them. */
struct kit {
    struct dice dice;
    struct ca_random random;
};

static inline void kit_init(struct kit *k, uint64_t seed)
{
    k->random = dice_random(&k->dice, seed);
}

static inline struct ca_key *kit_key_of(struct kit *k, enum ca_key_algorithm algorithm,
                                        unsigned bits)
{
    struct ca_key *key;
    assert_int_equal(ca_key_create(algorithm, bits, &k->random, NULL, &key), CA_OK);
    return key;
}

static inline struct ca_key *kit_key(struct kit *k)
{
    return kit_key_of(k, CA_EC, 256);
}

static inline struct ca_certificate *kit_root(struct kit *k, const struct ca_key *key,
                                              int path_length)
{
    struct ca_certificate *root;
    struct ca_terms terms = {.now_unix_s = NOW, .path_length = path_length};
    assert_int_equal(ca_root_create(key, str(TD), &terms, &k->random, NULL, &root), CA_OK);
    return root;
}

static inline struct ca_issuer_config kit_config(struct kit *k, struct ca_key *key,
                                                 const struct ca_certificate *certificate)
{
    struct ca_issuer_config cfg;
    ca_issuer_config_init(&cfg);
    cfg.trust_domain = str(TD);
    cfg.key = key;
    cfg.certificate = certificate;
    cfg.now_unix_s = NOW;
    cfg.random = k->random;
    return cfg;
}

/* An issuer with a root of its own. */
static inline struct ca_issuer *kit_issuer_of(struct kit *k, struct ca_key *key, int path_length)
{
    struct ca_issuer *i;
    struct ca_certificate *root = kit_root(k, key, path_length);
    struct ca_issuer_config cfg = kit_config(k, key, root);
    assert_int_equal(ca_issuer_create(&cfg, &i, NULL), CA_OK);
    ca_certificate_destroy(root);
    return i;
}

static inline struct ca_issuer *kit_issuer(struct kit *k)
{
    return kit_issuer_of(k, kit_key(k), CA_PATH_UNLIMITED);
}

static inline struct ca_csr *kit_csr_of(struct kit *k, const struct ca_key *key, const char *uri)
{
    char pem[8192];
    size_t len;
    struct ca_csr *csr;
    struct ca_csr_request request = {.uri = str(uri)};
    assert_int_equal(ca_csr_write(key, &request, &k->random, pem, sizeof pem, &len), CA_OK);
    assert_int_equal(ca_csr_parse((struct mu_str){pem, len}, NULL, &csr, NULL), CA_OK);
    return csr;
}

static inline struct ca_csr *kit_csr(struct kit *k, const char *uri)
{
    struct ca_key *key = kit_key(k);
    struct ca_csr *csr = kit_csr_of(k, key, uri);
    ca_key_destroy(key);
    return csr;
}

static inline struct ca_certificate *kit_leaf(struct kit *k, struct ca_issuer *i, const char *uri)
{
    struct ca_certificate *leaf;
    struct ca_csr *csr = kit_csr(k, uri);
    struct ca_leaf_request request = {.uri = str(uri), .terms = {.now_unix_s = NOW}};
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_OK);
    ca_csr_destroy(csr);
    return leaf;
}

static inline struct ca_trust *kit_trust(const struct ca_certificate *root)
{
    struct ca_trust *t;
    struct ca_trust_config cfg;
    ca_trust_config_init(&cfg);
    cfg.trust_domain = str(TD);
    assert_int_equal(ca_trust_create(&cfg, &t), CA_OK);
    if (root) {
        assert_int_equal(ca_trust_add(t, root), CA_OK);
    }
    return t;
}

/* The verdict on a leaf with at most one certificate between it and a root. */
static inline enum ca_verdict kit_verdict(struct ca_trust *t, const struct ca_certificate *leaf,
                                          const struct ca_certificate *between, int64_t now)
{
    struct ca_verified out;
    struct mu_str der = between ? ca_certificate_der(between) : (struct mu_str){NULL, 0};
    struct ca_verify_request r = {.leaf = ca_certificate_der(leaf),
                                  .intermediates = &der,
                                  .intermediate_count = between ? 1 : 0,
                                  .now_unix_s = now};
    int rc = ca_verify(t, &r, &out);
    assert_int_equal(rc, out.verdict == CA_V_TRUSTED ? CA_OK : CA_EUNTRUSTED);
    return out.verdict;
}
