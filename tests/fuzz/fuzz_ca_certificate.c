/* Any bytes as a certificate: as a leaf, as a root, as an intermediate, they are trusted by nobody
 * whose key did not sign them; what is read can be written as PEM and read again. */
#include "ca_leaf.h"

#include <assert.h>
#include <muster/ca_verify.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(const struct ca_certificate *c)
{
    struct ca_certificate *back;
    assert(ca_certificate_parse(ca_certificate_pem(c), NULL, &back, NULL) == CA_OK);
    struct mu_str a = ca_certificate_der(c), b = ca_certificate_der(back);
    assert(a.len == b.len && memcmp(a.p, b.p, a.len) == 0);
    ca_certificate_destroy(back);
}

/* The leaf of ca_leaf.h names its issuer, but no root of the corpus has signed it. */
static void verify(struct ca_trust *t, struct mu_str bytes)
{
    struct ca_verified out;
    struct ca_verify_request r = {
        .leaf = bytes, .intermediates = &bytes, .intermediate_count = 1, .now_unix_s = 1906502400};
    assert(ca_verify(t, &r, &out) == CA_EUNTRUSTED && out.verdict != CA_V_TRUSTED);
    r.leaf = (struct mu_str){(const char *)CA_LEAF, sizeof CA_LEAF};
    assert(ca_verify(t, &r, &out) == CA_EUNTRUSTED && out.verdict != CA_V_TRUSTED);
    r.intermediate_count = 0;
    assert(ca_verify(t, &r, &out) == CA_EUNTRUSTED && out.id.name.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char domain[] = "11111111-2222-3333-4444-555555555555.consul";
    struct mu_str bytes = {(const char *)data, size};
    struct ca_trust_config cfg;
    struct ca_trust *t;
    struct ca_certificate *c;
    ca_trust_config_init(&cfg);
    cfg.trust_domain = (struct mu_str){domain, sizeof domain - 1};
    if (ca_trust_create(&cfg, &t) != CA_OK) {
        return 0;
    }
    if (ca_certificate_parse(bytes, NULL, &c, NULL) == CA_OK) {
        read_again(c);
        assert(ca_trust_add(t, c) == CA_OK && ca_trust_count(t) == 1);
        ca_certificate_destroy(c);
    }
    verify(t, bytes);
    ca_trust_destroy(t);
    return 0;
}
