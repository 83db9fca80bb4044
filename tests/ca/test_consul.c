/* Certificates that Consul 1.8.7 issued: ours are like them to the byte, and we trust them. */
#include "ca_kit.h"
#include "certificate.h"

static struct mu_str read_file(const char *name, char *buf, size_t cap)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/consul/%s", MUSTER_TEST_DATA, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t len = fread(buf, 1, cap, f);
    fclose(f);
    return (struct mu_str){buf, len};
}

static size_t read_certificates(const char *file, struct ca_certificate **out, size_t cap)
{
    char buf[16384];
    size_t count;
    struct ca_diag why = {""};
    int rc = ca_bundle_parse(read_file(file, buf, sizeof buf), NULL, out, cap, &count, &why);
    if (rc != CA_OK) {
        print_message("%s: %s\n", file, why.text);
    }
    assert_int_equal(rc, CA_OK);
    return count;
}

static struct ca_certificate *read_certificate(const char *file)
{
    struct ca_certificate *c;
    assert_int_equal(read_certificates(file, &c, 1), 1);
    return c;
}

static struct ca_trust *consuls_trust(const char *root)
{
    char buf[256];
    struct ca_trust_config cfg;
    struct ca_trust *t;
    struct ca_certificate *c = read_certificate(root);
    ca_trust_config_init(&cfg);
    cfg.trust_domain = read_file("trust-domain", buf, sizeof buf);
    cfg.trust_domain.len--; /* the line's end */
    assert_int_equal(ca_trust_create(&cfg, &t), CA_OK);
    assert_int_equal(ca_trust_add(t, c), CA_OK);
    ca_certificate_destroy(c);
    return t;
}

static void test_consuls_leafs_are_trusted(void **state)
{
    (void)state;
    static const char *const files[] = {"web.pem", "escaped.pem", "long.pem", "agent.pem"};
    struct ca_trust *t = consuls_trust("root.pem");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct ca_certificate *leaf = read_certificate(files[i]);
        int64_t begin = ca_certificate_info(leaf)->not_before_unix_s;
        int64_t end = ca_certificate_info(leaf)->not_after_unix_s;
        assert_int_equal(kit_verdict(t, leaf, NULL, begin + 120), CA_V_TRUSTED);
        assert_int_equal(kit_verdict(t, leaf, NULL, end + 1), CA_V_EXPIRED);
        ca_certificate_destroy(leaf);
    }
    ca_trust_destroy(t);
}

static void test_consuls_rotation_is_followed(void **state)
{
    (void)state;
    struct ca_certificate *chain[2];
    struct ca_trust *knows_old = consuls_trust("root.pem"),
                    *knows_new = consuls_trust("root-ec.pem");
    assert_int_equal(read_certificates("chain-ec.pem", chain, 2), 2);
    int64_t now = ca_certificate_info(chain[0])->not_before_unix_s + 120;
    assert_int_equal(kit_verdict(knows_old, chain[0], chain[1], now), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(knows_new, chain[0], chain[1], now), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(knows_old, chain[0], NULL, now), CA_V_UNKNOWN_ISSUER);
    ca_certificate_destroy(chain[0]);
    ca_certificate_destroy(chain[1]);
    ca_trust_destroy(knows_old);
    ca_trust_destroy(knows_new);
}

static size_t names_of(const struct ca__cert *c, struct ca_name *out)
{
    size_t n = 0;
    struct mu__reader r = ca__der(c->ext.names);
    while (ca__der_more(&r)) {
        uint8_t tag;
        struct mu_str value;
        assert_true(ca__der_any(&r, &tag, &value, NULL));
        if (tag != CA__NAME_URI) {
            out[n++] = (struct ca_name){tag == CA__NAME_DNS ? CA_NAME_DNS : CA_NAME_IP, value};
        }
    }
    return n;
}

/* The parts of Consul's certificate, put together by us, are its bytes again. */
static void expect_same_bytes(const char *file)
{
    struct ca_certificate *certificate = read_certificate(file);
    const struct ca__cert *c = &certificate->cert;
    struct ca_name names[8];
    struct ca__tbs t = {
        .serial_len = c->serial.len,
        .not_before_unix_s = c->not_before_unix_s,
        .not_after_unix_s = c->not_after_unix_s,
        .issuer = c->issuer,
        .subject = c->subject,
        .spki = c->key.spki,
        .is_ca = c->ext.is_ca,
        .path_length = c->ext.path_length,
        .authority_key_id = c->ext.authority_key_id,
        .uri = c->ext.uri,
        .names = names,
        .name_count = names_of(c, names),
    };
    uint8_t key_id[32];
    ca__sha256(c->key.spki, key_id);
    t.subject_key_id = (struct mu_str){(const char *)key_id, sizeof key_id};
    memcpy(t.serial, c->serial.p, c->serial.len);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    ca__tbs_write(&w, &t, c->signature_algorithm);
    assert_int_equal(w.len, c->tbs.len);
    assert_memory_equal(w.data, c->tbs.p, w.len);
    mu__writer_fini(&w);
    ca_certificate_destroy(certificate);
}

static void test_ours_are_consuls_to_the_byte(void **state)
{
    (void)state;
    static const char *const files[] = {"root.pem",  "web.pem",     "escaped.pem", "long.pem",
                                        "agent.pem", "root-ec.pem", "cross-ec.pem"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        expect_same_bytes(files[i]);
    }
}

static void test_subjects_are_consuls(void **state)
{
    (void)state;
    static const char *const files[] = {"web.pem", "escaped.pem", "long.pem", "agent.pem"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct ca_certificate *c = read_certificate(files[i]);
        char text[CA_URI_MAX], cn[CA_CN_MAX + 1], back[CA_URI_MAX + 1];
        struct ca_id id;
        assert_int_equal(ca_id_parse(ca_certificate_info(c)->uri, text, &id), CA_OK);
        assert_int_equal(ca_id_write(&id, back, sizeof back, NULL), CA_OK);
        ca_id_common_name(&id, cn);
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        ca__name_write(&w, str(cn));
        assert_true(same_str(ca_certificate_info(c)->subject,
                             (struct mu_str){(const char *)w.data, w.len}));
        mu__writer_fini(&w);
        ca_certificate_destroy(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_consuls_leafs_are_trusted),
        cmocka_unit_test(test_consuls_rotation_is_followed),
        cmocka_unit_test(test_ours_are_consuls_to_the_byte),
        cmocka_unit_test(test_subjects_are_consuls),
    };
    return cmocka_run_group_tests_name("ca consul", tests, NULL, NULL);
}
