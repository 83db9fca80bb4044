/* replies.c - the agent's JSON, read strictly: what is not as the API says is refused as a whole.
 */
#include "identity.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *said(struct ca_diag *diag, const char *what)
{
    char copy[sizeof diag->text];
    snprintf(copy, sizeof copy, "%s", diag->text);
    snprintf(diag->text, sizeof diag->text, "%s: %.150s", what, copy);
    return diag->text;
}

/* No number is read here, and a root's serial number may be above what jansson takes for an
 * integer. */
static json_t *parse(struct identity__reply *reply)
{
    return json_loadb(reply->body, reply->len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
                      NULL);
}

/* The text of a member; p NULL if it is not there or no text. */
static struct mu_str text(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_string(v) ? (struct mu_str){json_string_value(v), json_string_length(v)}
                             : (struct mu_str){NULL, 0};
}

/* ---- The leaf ---- */

void identity__leaf_fini(const struct mu_allocator *a, struct identity__leaf *l)
{
    for (size_t i = 0; i < l->count; i++) {
        ca_certificate_destroy(l->chain[i]);
    }
    if (l->key_pem) {
        mu__wipe(l->key_pem, l->key_cap);
        mu__free(a, l->key_pem);
    }
    *l = (struct identity__leaf){.count = 0};
}

/* Moves the private key out of the JSON before a general parser copies it here and there: from
 * `at`, behind its opening quote, to key; spaces stay. The place behind, or NULL. */
static char *lift_text(char *at, char *end, char *key, size_t *len)
{
    while (at < end && *at != '"') {
        char c = *at;
        *at++ = ' ';
        if (c == '\\') {
            if (at == end || (*at != 'n' && *at != 'r' && *at != '/')) {
                return NULL; /* nothing else is escaped in PEM */
            }
            c = *at == 'n' ? '\n' : *at == 'r' ? '\r' : '/';
            *at++ = ' ';
        }
        key[(*len)++] = c;
    }
    return at < end ? at : NULL;
}

static const char *lift_key(const struct mu_allocator *a, struct identity__reply *reply,
                            struct identity__leaf *out)
{
    static const char name[] = "\"PrivateKeyPEM\"";
    char *end = reply->body + reply->len;
    char *at = memmem(reply->body, reply->len, name, sizeof name - 1);
    if (!at) {
        return "a leaf without a private key";
    }
    for (at += sizeof name - 1; at < end && strchr(" \t\r\n:", *at); at++) {
    }
    size_t len = 0;
    out->key_cap = (size_t)(end - at) + 1;
    out->key_pem = mu__calloc(a, out->key_cap, 1);
    if (!out->key_pem) {
        return "out of memory";
    }
    if (at == end || *at != '"') {
        return "a leaf whose private key is no text";
    }
    at = lift_text(at + 1, end, out->key_pem, &len);
    if (!at || memmem(at, (size_t)(end - at), name, sizeof name - 1)) {
        return "a leaf whose private key is malformed";
    }
    return NULL;
}

static const char *read_chain(const struct mu_allocator *a, const json_t *json, const char *service,
                              struct identity__leaf *out, struct ca_diag *diag)
{
    struct mu_str pem = text(json, "CertPEM"), name = text(json, "Service");
    if (!pem.p) {
        return "a leaf without a certificate";
    }
    if (name.len != strlen(service) || memcmp(name.p, service, name.len) != 0) {
        return "a leaf of another service";
    }
    size_t count;
    if (ca_bundle_parse(pem, a, out->chain, IDENTITY_CHAIN_MAX, &count, diag) != CA_OK) {
        return said(diag, "the leaf");
    }
    out->count = count;
    return NULL;
}

const char *identity__read_leaf(const struct mu_allocator *a, struct identity__reply *reply,
                                const char *service, struct identity__leaf *out,
                                struct ca_diag *diag)
{
    *out = (struct identity__leaf){.count = 0};
    const char *why = lift_key(a, reply, out);
    json_t *json = why ? NULL : parse(reply);
    if (!why) {
        why = json_is_object(json) ? read_chain(a, json, service, out, diag)
                                   : "the leaf is not the JSON of one";
    }
    json_decref(json);
    if (why) {
        identity__leaf_fini(a, out);
    }
    return why;
}

/* ---- Roots ---- */

static const char *add_root(struct identity__trust *t, const json_t *json, struct ca_diag *diag)
{
    struct mu_str pem = text(json, "RootCert");
    if (!pem.p) {
        return "a root without a certificate";
    }
    if (ca_certificate_parse(pem, &t->allocator, &t->roots[t->count], diag) != CA_OK) {
        return said(diag, "a root");
    }
    t->count++;
    size_t at;
    const json_t *between;
    json_array_foreach(json_object_get(json, "IntermediateCerts"), at, between)
    {
        struct mu_str one = {json_string_value(between), json_string_length(between)};
        if (!one.p || t->between_count == CA_INTERMEDIATES_MAX) {
            break;
        }
        if (ca_certificate_parse(one, &t->allocator, &t->between[t->between_count], diag) ==
            CA_OK) {
            t->between_count++;
        }
    }
    return NULL;
}

static const char *read_roots(const struct mu_allocator *a, const json_t *json,
                              struct identity__trust **out, struct ca_diag *diag)
{
    struct mu_str domain = text(json, "TrustDomain");
    const json_t *roots = json_object_get(json, "Roots"), *root;
    char name[256];
    size_t at;
    if (domain.len == 0 || domain.len >= sizeof name || strlen(domain.p) != domain.len) {
        return "roots without a trust domain";
    }
    if (!json_is_array(roots) || json_array_size(roots) == 0) {
        return "no roots";
    }
    if (json_array_size(roots) > IDENTITY_ROOTS_MAX) {
        return "too many roots";
    }
    memcpy(name, domain.p, domain.len + 1);
    struct identity__trust *t = identity__trust_create(a, name);
    if (!t) {
        return "the roots' trust domain is none";
    }
    const char *why = NULL;
    json_array_foreach(roots, at, root)
    {
        why = why ? why : add_root(t, root, diag);
    }
    if (why) {
        identity__trust_release(t);
        return why;
    }
    *out = t;
    return NULL;
}

const char *identity__read_roots(const struct mu_allocator *a, struct identity__reply *reply,
                                 struct identity__trust **out, struct ca_diag *diag)
{
    json_t *json = parse(reply);
    *out = NULL;
    const char *why = json_is_object(json) ? read_roots(a, json, out, diag)
                                           : "the roots are not the JSON of some";
    json_decref(json);
    return why;
}

/* ---- Intentions ---- */

static bool read_intention(const json_t *json, struct ca_intention *out)
{
    struct mu_str action = text(json, "Action");
    *out = (struct ca_intention){.source_ns = text(json, "SourceNS"),
                                 .source = text(json, "SourceName"),
                                 .destination_ns = text(json, "DestinationNS"),
                                 .destination = text(json, "DestinationName")};
    if (!out->source.len || !out->destination.len || !action.p) {
        return false;
    }
    out->action = strcmp(action.p, "allow") == 0 ? CA_ALLOW : CA_DENY;
    return out->action == CA_ALLOW || strcmp(action.p, "deny") == 0;
}

static const char *compile(const struct mu_allocator *a, const json_t *list,
                           struct ca_intentions **out, size_t *count)
{
    size_t n = json_array_size(list), at; /* 0 for null */
    struct ca_intention *all = mu__calloc(a, n ? n : 1, sizeof *all);
    const json_t *one;
    const char *why = all ? NULL : "out of memory";
    uint64_t seed = 0;
    if (!why && identity__random(NULL, (unsigned char *)&seed, sizeof seed) != 0) {
        why = "no random bytes";
    }
    json_array_foreach(list, at, one)
    {
        if (!why && !read_intention(one, &all[at])) {
            why = "an intention is malformed";
        }
    }
    if (!why && ca_intentions_create(all, n, seed, a, out) != CA_OK) {
        why = "the intentions are refused";
    }
    *count = n;
    mu__free(a, all);
    return why;
}

const char *identity__read_match(const struct mu_allocator *a, struct identity__reply *reply,
                                 const char *service, struct ca_intentions **out, size_t *count,
                                 struct ca_diag *diag)
{
    (void)diag;
    json_t *json = parse(reply);
    const json_t *list = json_object_get(json, service);
    const char *why = "the intentions are not the JSON of some";
    *out = NULL;
    if (json_is_array(list) || json_is_null(list)) {
        why = compile(a, list, out, count);
    }
    json_decref(json);
    return why;
}

/* Consul asks intentions even where ACLs are off, and then allows what none of them matches. */
const char *identity__read_default(struct identity__reply *reply, enum ca_action *out)
{
    json_t *json = parse(reply);
    const json_t *config = json_object_get(json, "DebugConfig");
    const json_t *enabled = json_object_get(config, "ACLsEnabled");
    struct mu_str policy = text(config, "ACLDefaultPolicy");
    const char *why = NULL;
    if (json_is_false(enabled)) {
        *out = CA_ALLOW;
    } else if (json_is_true(enabled) && policy.p) {
        *out = strcmp(policy.p, "allow") == 0 ? CA_ALLOW : CA_DENY;
    } else {
        why = "the agent does not say what its default is";
    }
    json_decref(json);
    return why;
}
