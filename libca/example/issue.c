/* issue.c - a root, a leaf for service `web`, and what a peer makes of it.
 *
 *     ca-issue [folder]      writes root.pem and leaf.pem there, if one is named */
#include <muster/ca_verify.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TRUST_DOMAIN "11111111-2222-3333-4444-555555555555.consul"

static int fill(void *user, unsigned char *out, size_t len)
{
    FILE *f = fopen("/dev/urandom", "rb");
    size_t got = f ? fread(out, 1, len, f) : 0;
    (void)user;
    if (f) {
        fclose(f);
    }
    return got == len ? 0 : -1;
}

static const struct ca_random entropy = {fill, NULL};

static struct mu_str text(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

/* The server's side: a key, a root of it, an issuer. */
static struct ca_issuer *make_issuer(int64_t now, struct ca_certificate **root)
{
    struct ca_key *key;
    struct ca_issuer_config cfg;
    struct ca_issuer *issuer = NULL;
    struct ca_terms terms = {.now_unix_s = now, .path_length = CA_PATH_UNLIMITED};
    if (ca_key_create(CA_EC, 256, &entropy, NULL, &key) != CA_OK) {
        return NULL;
    }
    if (ca_root_create(key, text(TRUST_DOMAIN), &terms, &entropy, NULL, root) == CA_OK) {
        ca_issuer_config_init(&cfg);
        cfg.trust_domain = text(TRUST_DOMAIN);
        cfg.key = key; /* taken */
        cfg.certificate = *root;
        cfg.now_unix_s = now;
        cfg.random = entropy;
        if (ca_issuer_create(&cfg, &issuer, NULL) == CA_OK) {
            return issuer;
        }
        ca_certificate_destroy(*root);
    }
    ca_key_destroy(key);
    return NULL;
}

/* The agent's side: a key of its own, and a request to have it certified. */
static int make_request(const char *uri, char *pem, size_t cap)
{
    struct ca_key *key;
    size_t len;
    struct ca_csr_request request = {.uri = text(uri)};
    int rc = ca_key_create(CA_EC, 256, &entropy, NULL, &key);
    if (rc == CA_OK) {
        rc = ca_csr_write(key, &request, &entropy, pem, cap, &len);
        ca_key_destroy(key);
    }
    return rc;
}

/* The server again: is the request one, may its sender have that id, and sign. */
static int sign(struct ca_issuer *issuer, const char *pem, const char *authorized, int64_t now,
                struct ca_certificate **leaf)
{
    struct ca_diag why = {""};
    struct ca_csr *csr;
    struct ca_leaf_request request = {.uri = text(authorized), .terms = {.now_unix_s = now}};
    int rc = ca_csr_parse(text(pem), NULL, &csr, &why);
    if (rc == CA_OK) {
        rc = ca_issuer_sign_leaf(issuer, csr, &request, leaf, &why);
        ca_csr_destroy(csr);
    }
    if (rc != CA_OK) {
        printf("refused: %s\n", why.text);
    }
    return rc;
}

/* A peer: whose certificate is it? */
static int verify(const struct ca_certificate *root, const struct ca_certificate *leaf, int64_t now)
{
    struct ca_trust *trust;
    struct ca_trust_config cfg;
    struct ca_verified who;
    struct ca_verify_request request = {
        .leaf = ca_certificate_der(leaf), .now_unix_s = now, .purpose = CA_PURPOSE_CLIENT};
    ca_trust_config_init(&cfg);
    cfg.trust_domain = text(TRUST_DOMAIN);
    int rc = ca_trust_create(&cfg, &trust);
    if (rc != CA_OK) {
        return rc;
    }
    rc = ca_trust_add(trust, root);
    if (rc == CA_OK) {
        rc = ca_verify(trust, &request, &who);
        printf("%s: %.*s\n", ca_verdict_text(who.verdict), (int)who.id.name.len,
               who.id.name.len ? who.id.name.p : "");
    }
    ca_trust_destroy(trust);
    return rc;
}

static int save(const char *folder, const char *name, const struct ca_certificate *c)
{
    char path[4096];
    struct mu_str pem = ca_certificate_pem(c);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        return -1;
    }
    size_t wrote = fwrite(pem.p, 1, pem.len, f);
    return fclose(f) == 0 && wrote == pem.len ? 0 : -1;
}

int main(int argc, char **argv)
{
    static const char uri[] = "spiffe://" TRUST_DOMAIN "/ns/default/dc/dc1/svc/web";
    char csr[4096];
    struct ca_certificate *root, *leaf, *none;
    int64_t now = (int64_t)time(NULL);
    struct ca_issuer *issuer = make_issuer(now, &root);
    if (!issuer || make_request(uri, csr, sizeof csr) != CA_OK ||
        sign(issuer, csr, uri, now, &leaf) != CA_OK) {
        return 1;
    }
    int rc = verify(root, leaf, now);
    rc = rc == CA_OK && verify(root, leaf, now + (int64_t)4 * 86400) == CA_EUNTRUSTED ? 0 : 1;

    /* What was not authorized is not signed, whatever the request says */
    static const char other[] = "spiffe://" TRUST_DOMAIN "/ns/default/dc/dc1/svc/db";
    if (sign(issuer, csr, other, now, &none) != CA_EREFUSED) {
        rc = 1;
    }
    if (argc > 1 && (save(argv[1], "root.pem", root) || save(argv[1], "leaf.pem", leaf))) {
        rc = 1;
    }
    ca_certificate_destroy(leaf);
    ca_certificate_destroy(root);
    ca_issuer_destroy(issuer);
    return rc;
}
