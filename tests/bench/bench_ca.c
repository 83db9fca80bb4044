/* bench_ca.c - leafs signed and verified a second, beside what mbedTLS alone does, on one thread.
 *
 *     bench_ca [rounds]        default 8, of 50 operations each
 *
 * The rows take turns, round by round, so that a machine that slows down slows all of them; the
 * ratio is the median of the rounds' ratios. "sign" is the signature by itself: no issuer can be
 * faster. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <muster/ca_authorize.h>
#include <muster/ca_verify.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if MBEDTLS_VERSION_MAJOR < 3
#define MBEDTLS_PRIVATE(member) member
#endif

#define DOMAIN "11111111-2222-3333-4444-555555555555.consul"
#define URI    "spiffe://" DOMAIN "/ns/default/dc/dc1/svc/web"
enum { NOW = 1906502400, BATCH = 50, ROUNDS_MAX = 1000, AUTHORIZE = 1000, INTENTIONS = 10000 };

struct bench {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
    mbedtls_pk_context key; /* the issuer's */
    struct ca_random random;
    struct ca_issuer *issuer;
    struct ca_trust *trust;
    struct ca_csr *csr;
    struct ca_certificate *leaf;
    struct ca_intentions *intentions;
    struct ca_id peers[64];
    size_t asked, allowed;
    char csr_pem[4096];
    size_t csr_len;
};

static void must(int rc, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "bench_ca: %s: %d\n", what, rc);
        exit(1);
    }
}

static struct mu_str text(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * MU_SEC + (uint64_t)t.tv_nsec;
}

/* ---- What is measured ---- */

static void sign_alone(struct bench *b)
{
    unsigned char hash[32] = {1}, sig[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t len;
#if MBEDTLS_VERSION_MAJOR < 3
    must(mbedtls_pk_sign(&b->key, MBEDTLS_MD_SHA256, hash, 32, sig, &len, mbedtls_ctr_drbg_random,
                         &b->drbg),
         "sign");
#else
    must(mbedtls_pk_sign(&b->key, MBEDTLS_MD_SHA256, hash, 32, sig, sizeof sig, &len,
                         mbedtls_ctr_drbg_random, &b->drbg),
         "sign");
#endif
}

static void write_leaf(struct bench *b, mbedtls_pk_context *subject)
{
    unsigned char buf[4096], serial[] = {0x11, 0x22};
    mbedtls_x509write_cert w;
    mbedtls_mpi number;
    mbedtls_x509write_crt_init(&w);
    mbedtls_mpi_init(&number);
    mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&w, subject);
    mbedtls_x509write_crt_set_issuer_key(&w, &b->key);
    must(mbedtls_mpi_read_binary(&number, serial, sizeof serial), "serial");
    must(mbedtls_x509write_crt_set_serial(&w, &number), "serial");
    must(mbedtls_x509write_crt_set_subject_name(&w, "CN=web"), "subject");
    must(mbedtls_x509write_crt_set_issuer_name(&w, "CN=root"), "issuer");
    must(mbedtls_x509write_crt_set_validity(&w, "20300531000000", "20300603000000"), "validity");
    must(mbedtls_x509write_crt_set_basic_constraints(&w, 0, -1), "constraints");
    must(mbedtls_x509write_crt_set_key_usage(&w, MBEDTLS_X509_KU_DIGITAL_SIGNATURE), "usage");
    must(mbedtls_x509write_crt_set_subject_key_identifier(&w), "key id");
    must(mbedtls_x509write_crt_set_authority_key_identifier(&w), "key id");
    int n = mbedtls_x509write_crt_der(&w, buf, sizeof buf, mbedtls_ctr_drbg_random, &b->drbg);
    must(n > 0 ? 0 : n, "write");
    mbedtls_mpi_free(&number);
    mbedtls_x509write_crt_free(&w);
}

/* As one would with mbedTLS: read the CSR, verify its signature, write a certificate. */
static void mbedtls_issue(struct bench *b)
{
    unsigned char hash[32];
    mbedtls_x509_csr csr;
    mbedtls_x509_csr_init(&csr);
    must(mbedtls_x509_csr_parse(&csr, (const unsigned char *)b->csr_pem, b->csr_len + 1), "csr");
    must(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), csr.cri.p, csr.cri.len, hash),
         "hash");
    const mbedtls_x509_buf *sig = &csr.MBEDTLS_PRIVATE(sig);
    must(mbedtls_pk_verify(&csr.pk, MBEDTLS_MD_SHA256, hash, 32, sig->p, sig->len), "verify");
    write_leaf(b, &csr.pk);
    mbedtls_x509_csr_free(&csr);
}

/* The subject's key is there already, as the CSR is in ours_sign. */
static void mbedtls_sign(struct bench *b)
{
    write_leaf(b, &b->key);
}

static void ours_sign(struct bench *b)
{
    struct ca_certificate *leaf;
    struct ca_leaf_request r = {.uri = text(URI), .terms = {.now_unix_s = NOW}};
    must(ca_issuer_sign_leaf(b->issuer, b->csr, &r, &leaf, NULL), "leaf");
    ca_certificate_destroy(leaf);
}

static void ours_issue(struct bench *b)
{
    struct ca_csr *csr;
    struct ca_certificate *leaf;
    struct ca_leaf_request r = {.uri = text(URI), .terms = {.now_unix_s = NOW}};
    struct mu_str pem = {b->csr_pem, b->csr_len};
    must(ca_csr_parse(pem, NULL, &csr, NULL), "csr");
    must(ca_issuer_sign_leaf(b->issuer, csr, &r, &leaf, NULL), "leaf");
    ca_certificate_destroy(leaf);
    ca_csr_destroy(csr);
}

static void ours_verify(struct bench *b)
{
    struct ca_verified out;
    struct ca_verify_request r = {.leaf = ca_certificate_der(b->leaf), .now_unix_s = NOW};
    must(ca_verify(b->trust, &r, &out), "verify");
}

static void ours_read(struct bench *b)
{
    char buf[CA_URI_MAX];
    struct ca_id id;
    (void)b;
    must(ca_id_parse(text(URI), buf, &id), "id");
}

/* Peers of all kinds by turns: an exact intention, a wildcard, none. */
static void ours_authorize(struct bench *b)
{
    for (int n = 0; n < AUTHORIZE; n++) {
        const struct ca_id *peer = &b->peers[b->asked++ % 64];
        b->allowed +=
            ca_authorize(b->intentions, peer, text(""), text("db-17"), CA_DENY, NULL) ? 1 : 0;
    }
}

static const struct row {
    const char *name;
    void (*run)(struct bench *b);
    int against; /* the row that it is compared with; -1: none */
} ROWS[] = {
    {"mbedtls: one signature alone", sign_alone, -1},
    {"mbedtls: certificate for a key", mbedtls_sign, -1},
    {"mbedtls: CSR read, verified, signed", mbedtls_issue, -1},
    {"libca: leaf for a CSR that was read", ours_sign, 0},
    {"libca: the same, beside a certificate", ours_sign, 1},
    {"libca: CSR read, verified, signed", ours_issue, 2},
    {"libca: leaf verified up to its root", ours_verify, -1},
    {"libca: SPIFFE id read", ours_read, -1},
    {"libca: 1000 x authorize, 10,000 rules", ours_authorize, -1},
};
enum { ROW_COUNT = sizeof ROWS / sizeof *ROWS };

/* ---- Setting up ---- */

static void make_issuer(struct bench *b)
{
    struct ca_key *key;
    struct ca_certificate *root;
    struct ca_issuer_config cfg;
    struct ca_terms terms = {.now_unix_s = NOW};
    must(ca_key_create(CA_EC, 256, &b->random, NULL, &key), "key");
    must(ca_root_create(key, text(DOMAIN), &terms, &b->random, NULL, &root), "root");
    ca_issuer_config_init(&cfg);
    cfg.trust_domain = text(DOMAIN);
    cfg.key = key;
    cfg.certificate = root;
    cfg.now_unix_s = NOW;
    cfg.random = b->random;
    must(ca_issuer_create(&cfg, &b->issuer, NULL), "issuer");
    struct ca_trust_config tcfg;
    ca_trust_config_init(&tcfg);
    tcfg.trust_domain = text(DOMAIN);
    must(ca_trust_create(&tcfg, &b->trust), "trust");
    must(ca_trust_add(b->trust, root), "trust");
    ca_certificate_destroy(root);
}

static void make_leaf(struct bench *b)
{
    struct ca_key *key;
    struct ca_csr_request ask = {.uri = text(URI)};
    struct ca_leaf_request grant = {.uri = text(URI), .terms = {.now_unix_s = NOW}};
    must(ca_key_create(CA_EC, 256, &b->random, NULL, &key), "key");
    must(ca_csr_write(key, &ask, &b->random, b->csr_pem, sizeof b->csr_pem, &b->csr_len), "csr");
    struct mu_str pem = {b->csr_pem, b->csr_len};
    must(ca_csr_parse(pem, NULL, &b->csr, NULL), "csr");
    must(ca_issuer_sign_leaf(b->issuer, b->csr, &grant, &b->leaf, NULL), "leaf");
    ca_key_destroy(key);
}

/* 100 sources to 100 destinations, and a few for all. */
static void make_intentions(struct bench *b)
{
    static char names[200][16];
    static struct ca_intention list[INTENTIONS];
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof *names, "web-%d", i);
        snprintf(names[100 + i], sizeof *names, "db-%d", i);
    }
    for (int i = 0; i < INTENTIONS; i++) {
        list[i] = (struct ca_intention){.source = text(names[i % 100]),
                                        .destination = text(names[100 + i / 100]),
                                        .action = i % 3 ? CA_ALLOW : CA_DENY};
    }
    list[0].source = list[0].destination = list[1].destination = list[101].source = text("*");
    must(ca_intentions_create(list, INTENTIONS, 1, NULL, &b->intentions), "intentions");
    for (int i = 0; i < 64; i++) {
        b->peers[i] = (struct ca_id){.kind = CA_ID_SERVICE,
                                     .ns = text("default"),
                                     .name = text(i % 2 ? names[i] : "somebody-else")};
    }
}

static void setup(struct bench *b)
{
    mbedtls_entropy_init(&b->entropy);
    mbedtls_ctr_drbg_init(&b->drbg);
    mbedtls_pk_init(&b->key);
    must(mbedtls_ctr_drbg_seed(&b->drbg, mbedtls_entropy_func, &b->entropy, NULL, 0), "seed");
    b->random = (struct ca_random){mbedtls_ctr_drbg_random, &b->drbg};
    must(mbedtls_pk_setup(&b->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), "key");
    must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(b->key),
                             mbedtls_ctr_drbg_random, &b->drbg),
         "key");
    make_issuer(b);
    make_leaf(b);
    make_intentions(b);
}

static void teardown(struct bench *b)
{
    ca_intentions_destroy(b->intentions);
    ca_certificate_destroy(b->leaf);
    ca_csr_destroy(b->csr);
    ca_trust_destroy(b->trust);
    ca_issuer_destroy(b->issuer);
    mbedtls_pk_free(&b->key);
    mbedtls_ctr_drbg_free(&b->drbg);
    mbedtls_entropy_free(&b->entropy);
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

int main(int argc, char **argv)
{
    static double us[ROW_COUNT][ROUNDS_MAX], ratio[ROUNDS_MAX], share[ROW_COUNT];
    static struct bench b;
    long asked = argc > 1 ? strtol(argv[1], NULL, 10) : 20;
    size_t rounds = asked > 0 && asked <= ROUNDS_MAX ? (size_t)asked : 8;
    setup(&b);
    for (size_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < ROW_COUNT; i++) {
            uint64_t from = now_ns();
            for (int n = 0; n < BATCH; n++) {
                ROWS[i].run(&b);
            }
            us[i][r] = (double)(now_ns() - from) / 1000 / BATCH;
        }
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        for (size_t r = 0; ROWS[i].against >= 0 && r < rounds; r++) {
            ratio[r] = us[ROWS[i].against][r] / us[i][r];
        }
        share[i] = ROWS[i].against >= 0 ? median(ratio, rounds) : 0;
    }
    for (size_t i = 0; i < ROW_COUNT; i++) { /* sorts, so the ratios come first */
        double typical = median(us[i], rounds);
        printf("%-40s %9.2f us %10.0f /s", ROWS[i].name, typical, 1e6 / typical);
        if (ROWS[i].against >= 0) {
            printf("   %.2fx of \"%s\"", share[i], ROWS[ROWS[i].against].name);
        }
        printf("\n");
    }
    teardown(&b);
    return 0;
}
