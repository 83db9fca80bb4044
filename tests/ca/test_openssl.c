/* A second implementation: openssl verifies chains of ours, and issues what we verify and import.
 */
#include "ca_kit.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/muster-ca-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') {
            unlink(path);
        }
    }
    closedir(d);
    return rmdir(folder);
}

static void save(const char *name, struct mu_str text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.len, f), text.len);
    fclose(f);
}

static struct mu_str load(const char *name, char *buf, size_t cap)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t len = fread(buf, 1, cap, f);
    fclose(f);
    return (struct mu_str){buf, len};
}

/* Runs openssl in the folder; true if it succeeds. */
static bool openssl(const char *arguments)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && %s %s >/dev/null 2>&1", folder, OPENSSL_PROGRAM,
             arguments);
    return system(command) == 0; /* NOLINT(cert-env33-c): a fixed program, words of our own */
}

static bool openssl_trusts(const char *intermediates)
{
    char words[512];
    snprintf(words, sizeof words,
             "verify -x509_strict -attime %lld -purpose sslserver -no-CApath -no-CAstore "
             "-CAfile root.pem %s leaf.pem",
             (long long)NOW, intermediates);
    return openssl(words);
}

static void test_openssl_trusts_our_leafs(void **state)
{
    (void)state;
    static const struct {
        enum ca_key_algorithm algorithm;
        unsigned bits;
    } kinds[] = {{CA_EC, 256}, {CA_EC, 384}, {CA_RSA, 2048}};
    struct kit k;
    kit_init(&k, 1);
    for (size_t n = 0; n < 3; n++) {
        struct ca_key *key = kit_key_of(&k, kinds[n].algorithm, kinds[n].bits);
        struct ca_issuer *i = kit_issuer_of(&k, key, 0);
        struct ca_certificate *leaf = kit_leaf(&k, i, WEB);
        save("root.pem", ca_certificate_pem(ca_issuer_certificate(i)));
        save("leaf.pem", ca_certificate_pem(leaf));
        assert_true(openssl_trusts(""));
        ca_certificate_destroy(leaf);
        ca_issuer_destroy(i);
    }
}

static void test_openssl_follows_our_intermediates_and_rotations(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 2);
    struct ca_issuer *old = kit_issuer(&k), *new = kit_issuer(&k), *middle;
    struct ca_certificate *cross, *between, *leaf = kit_leaf(&k, new, WEB);
    struct ca_terms terms = {.now_unix_s = NOW};
    assert_int_equal(ca_issuer_cross_sign(old, ca_issuer_certificate(new), &terms, &cross, NULL),
                     CA_OK);
    save("root.pem", ca_certificate_pem(ca_issuer_certificate(old)));
    save("leaf.pem", ca_certificate_pem(leaf));
    save("cross.pem", ca_certificate_pem(cross));
    assert_true(openssl_trusts("-untrusted cross.pem"));
    assert_false(openssl_trusts(""));

    struct ca_key *key = kit_key(&k);
    struct ca_csr *csr = kit_csr_of(&k, key, "spiffe://" TD);
    assert_int_equal(ca_issuer_sign_intermediate(old, csr, &terms, &between, NULL), CA_OK);
    const struct ca_certificate *chain = ca_issuer_certificate(old);
    struct ca_issuer_config cfg = kit_config(&k, key, between);
    cfg.chain = &chain;
    cfg.chain_length = 1;
    assert_int_equal(ca_issuer_create(&cfg, &middle, NULL), CA_OK);
    ca_certificate_destroy(leaf);
    leaf = kit_leaf(&k, middle, WEB);
    save("leaf.pem", ca_certificate_pem(leaf));
    save("between.pem", ca_certificate_pem(between));
    assert_true(openssl_trusts("-untrusted between.pem"));
    ca_csr_destroy(csr);
    ca_certificate_destroy(leaf);
    ca_certificate_destroy(between);
    ca_certificate_destroy(cross);
    ca_issuer_destroy(middle);
    ca_issuer_destroy(old);
    ca_issuer_destroy(new);
}

static void test_openssl_verifies_our_requests(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k, 3);
    struct ca_key *key = kit_key(&k);
    struct ca_csr_request request = {.uri = str(WEB)};
    char pem[4096];
    size_t len;
    assert_int_equal(ca_csr_write(key, &request, &k.random, pem, sizeof pem, &len), CA_OK);
    save("csr.pem", (struct mu_str){pem, len});
    assert_true(openssl("req -in csr.pem -verify -noout"));
    assert_int_equal(ca_key_write_pem(key, pem, sizeof pem, &len), CA_OK);
    save("key.pem", (struct mu_str){pem, len});
    assert_true(openssl("pkey -in key.pem -check -noout"));
    ca_key_destroy(key);
}

static struct ca_certificate *load_certificate(const char *name)
{
    char pem[8192];
    struct ca_certificate *c;
    assert_int_equal(ca_certificate_parse(load(name, pem, sizeof pem), NULL, &c, NULL), CA_OK);
    return c;
}

/* A root of an operator's own, of openssl's making: imported, it signs what openssl verifies. */
static void operators_root(const char *key_words)
{
    struct kit k;
    char pem[8192], words[1024];
    struct ca_key *key;
    struct ca_issuer *i;
    kit_init(&k, 4);
    snprintf(words, sizeof words, "genpkey %s -out own.key", key_words);
    assert_true(openssl(words));
    assert_true(openssl("req -x509 -new -key own.key -days 30 -subj '/O=Example/CN=Example Root' "
                        "-addext basicConstraints=critical,CA:TRUE "
                        "-addext keyUsage=critical,keyCertSign,cRLSign -out own.pem"));
    assert_int_equal(ca_key_import(load("own.key", pem, sizeof pem), &k.random, NULL, &key), CA_OK);
    struct ca_certificate *root = load_certificate("own.pem"), *leaf;
    int64_t now = ca_certificate_info(root)->not_before_unix_s; /* by openssl's clock */
    struct ca_issuer_config cfg = kit_config(&k, key, root);
    cfg.now_unix_s = now;
    assert_int_equal(ca_issuer_create(&cfg, &i, NULL), CA_OK);
    struct ca_csr *csr = kit_csr(&k, WEB);
    struct ca_leaf_request request = {.uri = str(WEB), .terms = {.now_unix_s = now}};
    assert_int_equal(ca_issuer_sign_leaf(i, csr, &request, &leaf, NULL), CA_OK);
    save("leaf.pem", ca_certificate_pem(leaf));
    assert_true(openssl("verify -x509_strict -purpose sslclient -CAfile own.pem leaf.pem"));
    struct ca_trust *t = kit_trust(root);
    assert_int_equal(kit_verdict(t, leaf, NULL, now), CA_V_TRUSTED);
    ca_trust_destroy(t);
    ca_csr_destroy(csr);
    ca_certificate_destroy(leaf);
    ca_certificate_destroy(root);
    ca_issuer_destroy(i);
}

static void test_an_operators_own_root_is_imported(void **state)
{
    (void)state;
    operators_root("-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    operators_root("-algorithm EC -pkeyopt ec_paramgen_curve:P-521");
    operators_root("-algorithm RSA -pkeyopt rsa_keygen_bits:3072");
}

/* An operator's root that could not sign what is wanted of it is found out when it is given. */
static int try_root(const char *extensions)
{
    struct kit k;
    char pem[8192], words[1024];
    struct ca_key *key;
    struct ca_issuer *i;
    kit_init(&k, 5);
    snprintf(words, sizeof words,
             "req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout try.key "
             "-days 30 -subj /CN=try -out try.pem %s",
             extensions);
    assert_true(openssl(words));
    assert_int_equal(ca_key_import(load("try.key", pem, sizeof pem), &k.random, NULL, &key), CA_OK);
    struct ca_certificate *root = load_certificate("try.pem");
    struct ca_issuer_config cfg = kit_config(&k, key, root);
    cfg.now_unix_s = ca_certificate_info(root)->not_before_unix_s;
    int rc = ca_issuer_create(&cfg, &i, NULL);
    if (rc != CA_OK) {
        ca_key_destroy(key);
    }
    ca_issuer_destroy(i);
    ca_certificate_destroy(root);
    return rc;
}

static void test_unfit_roots_of_an_operator_are_refused(void **state)
{
    (void)state;
    const char *const usage = "-addext keyUsage=critical,keyCertSign ";
    char words[256];
    assert_int_equal(try_root(usage), CA_OK);
    assert_int_equal(try_root("-addext keyUsage=critical,digitalSignature"), CA_EREFUSED);
    assert_int_equal(try_root(""), CA_EREFUSED);
    static const char *const limits[][2] = {{"permitted;URI:example.com", "no"},
                                            {"excluded;URI:.consul", "no"},
                                            {"permitted;URI:.consul", "yes"},
                                            {"permitted;DNS:example.com", "yes"}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        snprintf(words, sizeof words, "%s -addext 'nameConstraints=critical,%s'", usage,
                 limits[i][0]);
        assert_int_equal(try_root(words), limits[i][1][0] == 'y' ? CA_OK : CA_EREFUSED);
    }
    snprintf(words, sizeof words, "%s -addext extendedKeyUsage=serverAuth", usage);
    assert_int_equal(try_root(words), CA_EREFUSED);
}

/* Root, intermediate and leaf by openssl alone. */
static void test_we_trust_chains_of_openssl(void **state)
{
    (void)state;
    save("leaf.cnf", str("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                         "extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=URI:" WEB "\n"
                         "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"));
    save("middle.cnf",
         str("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"
             "nameConstraints=critical,permitted;URI:.consul\n"
             "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"));
    assert_true(
        openssl("req -x509 -newkey rsa:2048 -nodes -keyout root.key -days 30 -subj /CN=root "
                "-addext keyUsage=critical,keyCertSign -out root.pem"));
    assert_true(openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout m.key "
                        "-subj /CN=middle -out m.csr"));
    assert_true(openssl("x509 -req -in m.csr -CA root.pem -CAkey root.key -days 20 -sha384 "
                        "-extfile middle.cnf -out middle.pem"));
    assert_true(openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout l.key "
                        "-subj /CN=web -out l.csr"));
    assert_true(openssl("x509 -req -in l.csr -CA middle.pem -CAkey m.key -days 10 -sha512 "
                        "-extfile leaf.cnf -out leaf.pem"));
    struct ca_certificate *root = load_certificate("root.pem"),
                          *middle = load_certificate("middle.pem"),
                          *leaf = load_certificate("leaf.pem");
    int64_t now = ca_certificate_info(leaf)->not_before_unix_s;
    struct ca_trust *t = kit_trust(root);
    assert_int_equal(kit_verdict(t, leaf, middle, now), CA_V_TRUSTED);
    assert_int_equal(kit_verdict(t, leaf, NULL, now), CA_V_UNKNOWN_ISSUER);
    ca_trust_destroy(t);
    ca_certificate_destroy(leaf);
    ca_certificate_destroy(middle);
    ca_certificate_destroy(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openssl_trusts_our_leafs),
        cmocka_unit_test(test_openssl_follows_our_intermediates_and_rotations),
        cmocka_unit_test(test_openssl_verifies_our_requests),
        cmocka_unit_test(test_an_operators_own_root_is_imported),
        cmocka_unit_test(test_unfit_roots_of_an_operator_are_refused),
        cmocka_unit_test(test_we_trust_chains_of_openssl),
    };
    return cmocka_run_group_tests_name("ca openssl", tests, make_folder, remove_folder);
}
