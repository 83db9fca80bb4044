/* Any bytes as a CSR: one that is taken has a single URI and names that can be walked; signed, if
 * its URI is an id of ours, the leaf says that id and is trusted. */
#include <assert.h>
#include <muster/ca_verify.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char DOMAIN[] = "11111111-2222-3333-4444-555555555555.consul";
enum { NOW = 1906502400 };

static int fill(void *user, unsigned char *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (unsigned char)(++*(unsigned *)user * 151u >> 3);
    }
    return 0;
}

static struct ca_issuer *make_issuer(const struct ca_random *random)
{
    struct ca_key *key;
    struct ca_certificate *root;
    struct ca_issuer *i;
    struct ca_issuer_config cfg;
    struct ca_terms terms = {.now_unix_s = NOW};
    struct mu_str domain = {DOMAIN, sizeof DOMAIN - 1};
    assert(ca_key_create(CA_EC, 256, random, NULL, &key) == CA_OK);
    assert(ca_root_create(key, domain, &terms, random, NULL, &root) == CA_OK);
    ca_issuer_config_init(&cfg);
    cfg.trust_domain = domain;
    cfg.key = key;
    cfg.certificate = root;
    cfg.now_unix_s = NOW;
    cfg.random = *random;
    assert(ca_issuer_create(&cfg, &i, NULL) == CA_OK);
    ca_certificate_destroy(root);
    return i;
}

static void verify(const struct ca_issuer *i, const struct ca_certificate *leaf, struct mu_str uri)
{
    struct ca_trust_config cfg;
    struct ca_trust *t;
    struct ca_verified out;
    struct ca_verify_request r = {.leaf = ca_certificate_der(leaf), .now_unix_s = NOW};
    ca_trust_config_init(&cfg);
    cfg.trust_domain = (struct mu_str){DOMAIN, sizeof DOMAIN - 1};
    assert(ca_trust_create(&cfg, &t) == CA_OK);
    assert(ca_trust_add(t, ca_issuer_certificate(i)) == CA_OK);
    assert(ca_verify(t, &r, &out) == CA_OK);
    assert(out.uri.len == uri.len && memcmp(out.uri.p, uri.p, uri.len) == 0);
    ca_trust_destroy(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ca_issuer *issuer; /* made once: a key takes longer than a CSR */
    static unsigned state;
    struct ca_random random = {fill, &state};
    struct mu_str bytes = {(const char *)data, size};
    struct ca_csr *csr;
    struct ca_certificate *leaf;
    struct ca_name name;
    if (ca_csr_parse(bytes, NULL, &csr, NULL) != CA_OK) {
        return 0;
    }
    issuer = issuer ? issuer : make_issuer(&random);
    for (size_t at = 0, before = 0; ca_csr_next_name(csr, &at, &name); before = at) {
        assert(at > before && at <= size);
    }
    struct ca_leaf_request request = {.uri = ca_csr_uri(csr), .terms = {.now_unix_s = NOW}};
    assert(request.uri.len > 0);
    if (ca_issuer_sign_leaf(issuer, csr, &request, &leaf, NULL) == CA_OK) {
        verify(issuer, leaf, request.uri);
        ca_certificate_destroy(leaf);
    }
    ca_csr_destroy(csr);
    return 0;
}
