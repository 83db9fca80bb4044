#include "ca_plan.h"

#include "alloc.h"
#include "msgpack.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define PROVIDER  "consul"
#define ROOT_NAME "Consul CA Root Cert"
#define NO_PEM    "no PEM-encoded data found"
#define NO_CROSS                                                                                   \
    "The current CA Provider does not support cross-signing. You can try again with "              \
    "ForceWithoutCrossSigningSet but this may cause disruption - see documentation for more."

/* ---- Small things ---- */

static int fill(void *user, unsigned char *out, size_t len)
{
    (void)user;
    for (size_t got = 0; got < len;) {
        ssize_t n = getrandom(out + got, len - got, 0);
        if (n <= 0) {
            return -1;
        }
        got += (size_t)n;
    }
    return 0;
}
const struct ca_random ca_entropy = {fill, NULL};

const char *ca_trust_domain(struct mu_str cluster_id, struct mu__arena *a)
{
    char *text = mu__arena_alloc(a, cluster_id.len + sizeof ".consul");
    if (text) {
        snprintf(text, cluster_id.len + sizeof ".consul", "%.*s.consul", (int)cluster_id.len,
                 cluster_id.p);
    }
    return text;
}

struct mu_str ca_hex(const uint8_t *bytes, size_t len, struct mu__arena *a)
{
    char *text = mu__arena_alloc(a, 3 * len + 1);
    for (size_t i = 0; text && i < len; i++) {
        snprintf(text + 3 * i, 4, i + 1 < len ? "%02x:" : "%02x", bytes[i]);
    }
    return (struct mu_str){text, text && len ? 3 * len - 1 : 0};
}

struct mu_time ca_time(int64_t unix_s)
{
    return (struct mu_time){unix_s + MU_YEAR1_TO_UNIX_S, 0};
}

static const uint8_t *bytes_of(struct mu_str s)
{
    return (const uint8_t *)s.p;
}

static struct mu_str trim(struct mu_str s)
{
    while (s.len && strchr(" \t\r\n", s.p[s.len - 1])) {
        s.len--;
    }
    while (s.len && strchr(" \t\r\n", *s.p)) {
        s.p++;
        s.len--;
    }
    return s;
}

static bool copy(struct mu__arena *a, struct mu_str s, struct mu_str *out)
{
    const char *text = mu__arena_strndup(a, s.p, s.len);
    *out = (struct mu_str){text, text ? s.len : 0};
    return text != NULL;
}

void ca_plan_wipe(struct ca_plan *plan)
{
    mu__wipe(plan->key_pem, sizeof plan->key_pem);
}

/* ---- Issuers ---- */

static struct ca_issuer *make_issuer(struct ca_key *key, const struct ca_certificate *root,
                                     const char *trust_domain, int64_t now_unix_s, char *err,
                                     size_t errlen)
{
    struct ca_issuer *issuer = NULL;
    struct ca_issuer_config cfg;
    struct ca_diag why = {""};
    ca_issuer_config_init(&cfg);
    cfg.trust_domain = mu__cstr(trust_domain);
    cfg.key = key;
    cfg.certificate = root;
    cfg.now_unix_s = now_unix_s;
    cfg.random = ca_entropy;
    int rc = ca_issuer_create(&cfg, &issuer, &why);
    if (rc != CA_OK) {
        snprintf(err, errlen, "%s", why.text[0] ? why.text : ca_strerror(rc));
        ca_key_destroy(key);
        return NULL;
    }
    return issuer;
}

struct ca_issuer *ca_issuer_of(const struct catalog_ca_provider_state *state,
                               const char *trust_domain, int64_t now_unix_s, char *err,
                               size_t errlen)
{
    struct ca_key *key;
    struct ca_certificate *root;
    int rc = ca_certificate_parse(state->root_cert, NULL, &root, NULL);
    if (rc == CA_OK) {
        rc = ca_key_import(state->private_key, &ca_entropy, NULL, &key);
        if (rc == CA_OK) {
            struct ca_issuer *issuer =
                make_issuer(key, root, trust_domain, now_unix_s, err, errlen);
            ca_certificate_destroy(root);
            return issuer;
        }
        ca_certificate_destroy(root);
    }
    snprintf(err, errlen, "%s", ca_strerror(rc));
    return NULL;
}

/* ---- Does the root change? ---- */

static bool is_other_key(struct mu_str given, const struct catalog_ca_provider_state *state)
{
    struct ca_key *a, *b;
    uint8_t x[32], y[32];
    bool is_other = true;
    if (ca_key_import(given, &ca_entropy, NULL, &a) != CA_OK) {
        return true; /* which the making of the root says */
    }
    if (ca_key_import(state->private_key, &ca_entropy, NULL, &b) == CA_OK) {
        ca_key_id(a, x);
        ca_key_id(b, y);
        is_other = memcmp(x, y, sizeof x) != 0;
        ca_key_destroy(b);
    }
    ca_key_destroy(a);
    return is_other;
}

/* What is not said stays: the key is never shown, so that a configuration that was read, changed
 * and written back has none. */
static bool rotates(const struct ca_present *now, const struct ca_settings *s)
{
    if (!now->active || !now->state) {
        return true;
    }
    const struct catalog_ca_root *root = now->active;
    bool other_root =
        s->root_cert.len && !mu__str_eq(trim(s->root_cert), trim(now->state->root_cert));
    bool other_kind =
        s->names_key && !s->root_cert.len && !s->private_key.len &&
        (!mu__str_eq(s->key_type, root->private_key_type) || s->key_bits != root->private_key_bits);
    return other_root || other_kind ||
           (s->private_key.len && is_other_key(s->private_key, now->state));
}

/* ---- How old a root is ---- */

bool ca_root_is_needed(const struct catalog_ca_root *root, int64_t leaf_ttl_s, int64_t now_unix_s)
{
    int64_t since = root->rotated_out_at.since_year1_s;
    return root->active || since == 0 ||
           ca_time(now_unix_s).since_year1_s - since <= 2 * leaf_ttl_s;
}

unsigned ca_root_used_percent(const struct catalog_ca_root *root, int64_t now_unix_s)
{
    static const unsigned marks[] = {90, 75, 50};
    int64_t from = root->not_before.since_year1_s, to = root->not_after.since_year1_s;
    int64_t gone = ca_time(now_unix_s).since_year1_s - from;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (to > from && gone >= (to - from) * marks[i] / 100) {
            return marks[i];
        }
    }
    return 0;
}

/* ---- A new root ---- */

static const char *make_key(const struct ca_settings *s, struct ca_key **out, char *err,
                            size_t errlen)
{
    int rc;
    if (s->private_key.len) {
        rc = ca_key_import(s->private_key, &ca_entropy, NULL, out);
        snprintf(err, errlen,
                 "error generating CA root certificate: error generating CA: error parsing private "
                 "key: %s",
                 rc == CA_EMALFORMED ? NO_PEM : ca_strerror(rc));
    } else {
        rc = ca_key_create(mu__str_is(s->key_type, "rsa") ? CA_RSA : CA_EC, (unsigned)s->key_bits,
                           &ca_entropy, NULL, out);
        snprintf(err, errlen,
                 "error generating CA root certificate: error generating private key: %s",
                 ca_strerror(rc));
    }
    return rc == CA_OK ? NULL : err;
}

static const char *make_root(const struct ca_present *now, const struct ca_settings *s,
                             const struct ca_key *key, const char *trust_domain, int64_t now_unix_s,
                             struct ca_certificate **out, char *err, size_t errlen)
{
    struct ca_terms terms = {
        .now_unix_s = now_unix_s, .serial = now->next_index, .path_length = CA_PATH_UNLIMITED};
    int rc;
    if (s->root_cert.len) {
        rc = ca_certificate_parse(s->root_cert, NULL, out, NULL);
        snprintf(err, errlen, "error parsing root fingerprint: %s",
                 rc == CA_EMALFORMED ? NO_PEM : ca_strerror(rc));
    } else {
        rc = ca_root_create(key, mu__cstr(trust_domain), &terms, &ca_entropy, NULL, out);
        snprintf(err, errlen, "error generating CA root certificate: error generating CA: %s",
                 ca_strerror(rc));
    }
    return rc == CA_OK ? NULL : err;
}

static bool describe(const struct ca_certificate *c, struct mu_str cluster_id, struct mu__arena *a,
                     struct catalog_ca_root *out)
{
    const struct ca_certificate_info *info = ca_certificate_info(c);
    *out = (struct catalog_ca_root){
        .id = ca_hex(info->sha1, sizeof info->sha1, a),
        .name = mu__cstr(ROOT_NAME),
        .signing_key_id = ca_hex(bytes_of(info->subject_key_id), info->subject_key_id.len, a),
        .external_trust_domain = cluster_id,
        .not_before = ca_time(info->not_before_unix_s),
        .not_after = ca_time(info->not_after_unix_s),
        .active = true,
        .private_key_type = mu__cstr(info->key_algorithm == CA_RSA ? "rsa" : "ec"),
        .private_key_bits = info->key_bits};
    for (size_t i = 0; i < info->serial.len; i++) { /* the low 64 bits of it */
        out->serial_number = out->serial_number << 8 | bytes_of(info->serial)[i];
    }
    return out->id.p && out->signing_key_id.p && copy(a, ca_certificate_pem(c), &out->root_cert);
}

/* The root before signs the new one, so that who knows only the old one trusts new leafs. */
static const char *cross_sign(const struct ca_present *now, const struct ca_certificate *root,
                              const char *trust_domain, int64_t now_unix_s, struct mu__arena *a,
                              struct ca_plan *p, char *err, size_t errlen)
{
    struct ca_certificate *crossed = NULL;
    struct ca_diag why = {""};
    struct ca_terms terms = {.now_unix_s = now_unix_s};
    struct ca_issuer *old = ca_issuer_of(now->state, trust_domain, now_unix_s, err, errlen);
    int rc = old ? ca_issuer_cross_sign(old, root, &terms, &crossed, &why) : CA_EREFUSED;
    ca_issuer_destroy(old);
    if (rc != CA_OK) {
        if (old) {
            snprintf(err, errlen, "%s", why.text[0] ? why.text : ca_strerror(rc));
        }
        return err;
    }
    struct mu_str *pem = mu__arena_alloc(a, sizeof *pem);
    bool ok = pem && copy(a, ca_certificate_pem(crossed), pem);
    ca_certificate_destroy(crossed);
    p->root.intermediate_certs = (struct mu_strs){pem, 1};
    return ok ? NULL : "out of memory";
}

static const char *may_cross(const struct ca_present *now, const struct ca_certificate *root,
                             const char *trust_domain, int64_t now_unix_s, struct mu__arena *a,
                             struct ca_plan *p, char *err, size_t errlen)
{
    struct ca_settings before;
    char ignored[CA_SETTINGS_ERROR_MAX];
    if (!now->state || !now->config) {
        return NULL;
    }
    bool can = !ca_settings_read(now->config->config, &before, ignored, sizeof ignored) ||
               !before.disable_cross_signing;
    const char *refused =
        can ? cross_sign(now, root, trust_domain, now_unix_s, a, p, err, errlen) : NO_CROSS;
    if (refused && p->config.force_without_cross_signing) {
        p->root.intermediate_certs = (struct mu_strs){NULL, 0};
        return NULL;
    }
    return refused;
}

/* The others stay, until their leafs have expired. */
static bool list_roots(const struct ca_present *now, int64_t now_unix_s, struct mu__arena *a,
                       struct ca_plan *p)
{
    struct mu_list *l = &p->request.roots;
    struct catalog_ca_root *copies = mu__arena_calloc(a, now->roots.len + 1, sizeof *copies);
    l->items = mu__arena_alloc(a, (now->roots.len + 1) * sizeof *l->items);
    if (!copies || !l->items) {
        return false;
    }
    for (size_t i = 0; i < now->roots.len; i++) {
        copies[i] = *(const struct catalog_ca_root *)now->roots.items[i];
        if (copies[i].active) {
            copies[i].active = false;
            copies[i].rotated_out_at = ca_time(now_unix_s);
        }
        if (!mu__str_ieq(copies[i].id, p->root.id)) { /* one may come back */
            l->items[l->len++] = &copies[i];
        }
    }
    l->items[l->len++] = &p->root;
    return true;
}

static const char *plan_root(const struct ca_present *now, const struct ca_settings *s,
                             struct ca_key *key, int64_t now_unix_s, struct mu__arena *a,
                             struct ca_plan *p, char *err, size_t errlen)
{
    size_t len;
    struct ca_certificate *root = NULL;
    const char *trust_domain = ca_trust_domain(p->config.cluster_id, a);
    const char *refused =
        !trust_domain ? "out of memory"
                      : make_root(now, s, key, trust_domain, now_unix_s, &root, err, errlen);
    if (!refused && (ca_key_write_pem(key, p->key_pem, sizeof p->key_pem, &len) != CA_OK ||
                     !describe(root, p->config.cluster_id, a, &p->root))) {
        refused = "out of memory";
    }
    if (!refused) {
        p->state = (struct catalog_ca_provider_state){
            .id = p->root.id, .private_key = {p->key_pem, len}, .root_cert = p->root.root_cert};
        refused = may_cross(now, root, trust_domain, now_unix_s, a, p, err, errlen);
    }
    if (!refused) { /* would it sign? It takes the key */
        char why[256];
        struct ca_issuer *issuer =
            ca_issuer_of(&p->state, trust_domain, now_unix_s, why, sizeof why);
        if (!issuer) {
            snprintf(err, errlen, "error generating CA root certificate: %s", why);
            refused = err;
        }
        ca_issuer_destroy(issuer);
    }
    ca_certificate_destroy(root);
    return refused;
}

static const char *rotate(const struct ca_present *now, const struct ca_settings *s,
                          int64_t now_unix_s, struct mu__arena *a, struct ca_plan *p, char *err,
                          size_t errlen)
{
    struct ca_key *key = NULL;
    const char *refused = make_key(s, &key, err, errlen);
    if (!refused) {
        refused = plan_root(now, s, key, now_unix_s, a, p, err, errlen);
        ca_key_destroy(key);
    }
    if (refused || !list_roots(now, now_unix_s, a, p)) {
        return refused ? refused : "out of memory";
    }
    p->rotates = true;
    p->request.op = mu__cstr("set-roots-config");
    p->request.index = now->roots_index;
    p->request.provider_state = &p->state;
    p->config.modify_index = now->config ? now->config->modify_index : 0;
    return NULL;
}

/* ---- The plan ---- */

static const char *look_at(const struct ca_present *now, const struct catalog_ca_config *wanted,
                           struct ca_settings *s, char *err, size_t errlen)
{
    char why[CA_SETTINGS_ERROR_MAX];
    if (!mu__str_is(wanted->provider, PROVIDER)) {
        snprintf(err, errlen, "could not initialize provider: unknown CA provider \"%.*s\"",
                 (int)mu__min(wanted->provider.len, 64), wanted->provider.p);
        return err;
    }
    bool ok = ca_settings_read(wanted->config, s, why, sizeof why);
    const char *refused = ok ? NULL : why;
    bool same_root =
        ok && now->state && mu__str_eq(trim(s->root_cert), trim(now->state->root_cert));
    if (ok && s->root_cert.len && !s->private_key.len && !same_root) {
        refused = "must provide a private key when providing a root cert";
    } else if (ok) {
        refused = ca_settings_check(s, why, sizeof why);
    }
    if (!refused) {
        return NULL;
    }
    snprintf(err, errlen, "error configuring provider: %s", refused);
    return err;
}

const char *ca_plan_make(const struct ca_present *now, const struct catalog_ca_config *wanted,
                         int64_t now_unix_s, struct mu__arena *a, struct ca_plan *out, char *err,
                         size_t errlen)
{
    struct ca_settings s;
    memset(out, 0, sizeof *out);
    const char *refused = look_at(now, wanted, &s, err, errlen);
    if (refused) {
        return refused;
    }
    out->config = *wanted;
    out->config.state = (struct mu_strmap){NULL, 0};
    out->request =
        (struct catalog_ca_request){.op = mu__cstr("set-config"), .config = &out->config};
    if (now->config) {
        out->config.cluster_id = now->config->cluster_id;
    }
    if (!ca_settings_public(wanted->config, a, &out->config.config)) {
        return "out of memory";
    }
    return rotates(now, &s) ? rotate(now, &s, now_unix_s, a, out, err, errlen) : NULL;
}
