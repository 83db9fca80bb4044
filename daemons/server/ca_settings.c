#include "ca_settings.h"

#include "msgpack.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS    (3600 * (int64_t)MU_SEC)
#define ERRORS_MAX 16u
#define LINE_MAX_  160u
#define NUMBER_MAX 64u

enum kind { TEXT, DURATION, FLOAT, INTEGER, BOOLEAN };

static const struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
} settings[] = {
#define AT(member) offsetof(struct ca_settings, member)
    {"CSRMaxConcurrent", INTEGER, AT(csr_concurrent)},
    {"CSRMaxPerSecond", FLOAT, AT(csr_per_second)},
    {"DisableCrossSigning", BOOLEAN, AT(disable_cross_signing)},
    {"IntermediateCertTTL", DURATION, AT(intermediate_ttl_ns)},
    {"LeafCertTTL", DURATION, AT(leaf_ttl_ns)},
    {"PrivateKey", TEXT, AT(private_key)},
    {"PrivateKeyBits", INTEGER, AT(key_bits)},
    {"PrivateKeyType", TEXT, AT(key_type)},
    {"RootCert", TEXT, AT(root_cert)},
    {"SkipValidate", BOOLEAN, AT(skip_validate)},
};
#define SETTING_COUNT (sizeof settings / sizeof *settings)

struct errors {
    char lines[ERRORS_MAX][LINE_MAX_];
    size_t n;
};

static const struct setting *find(struct mu_str key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (mu__str_ieq(key, mu__cstr(settings[i].name))) {
            return &settings[i];
        }
    }
    return NULL;
}

/* What Go calls the type. */
static const char *wanted(enum kind k)
{
    static const char *const names[] = {"string", "time.Duration", "float32", "int", "bool"};
    return names[k];
}

static const char *given(enum mu__mp_type t)
{
    return t == MU_MP_MAP     ? "map[string]interface {}"
           : t == MU_MP_ARRAY ? "[]interface {}"
           : t == MU_MP_BOOL  ? "bool"
           : t == MU_MP_RAW   ? "string"
                              : "float64";
}

static char *line(struct errors *e)
{
    return e->lines[e->n < ERRORS_MAX ? e->n++ : ERRORS_MAX - 1];
}

static void unconvertible(struct errors *e, const struct setting *s, enum mu__mp_type t)
{
    snprintf(line(e), LINE_MAX_, "'%s' expected type '%s', got unconvertible type '%s'", s->name,
             wanted(s->kind), given(t));
}

/* Values are not repeated beyond what a line holds; that of a key never gets here. */
static void unparsable(struct errors *e, const struct setting *s, struct mu_str text)
{
    static const char *const as[] = {"", "", "float", "int", "bool"};
    static const char *const by[] = {"", "", "ParseFloat", "ParseInt", "ParseBool"};
    snprintf(line(e), LINE_MAX_,
             "cannot parse '%s' as %s: strconv.%s: parsing \"%.*s\": invalid syntax", s->name,
             as[s->kind], by[s->kind], (int)mu__min(text.len, 40), text.p);
}

static bool parse_number(struct mu_str text, double *out)
{
    char buf[NUMBER_MAX], *end;
    if (text.len == 0 || text.len >= sizeof buf) {
        return false;
    }
    memcpy(buf, text.p, text.len);
    buf[text.len] = '\0';
    errno = 0;
    *out = strtod(buf, &end);
    return *end == '\0' && errno == 0 && isfinite(*out);
}

static bool parse_bool(struct mu_str text, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False", ""};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        *out = mu__str_is(text, yes[i]);
        if (*out) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (mu__str_is(text, no[i])) {
            return true;
        }
    }
    return false;
}

static int64_t whole(double v)
{
    return v >= 9e18 ? INT64_MAX : v <= -9e18 ? INT64_MIN : (int64_t)v;
}

static void take_duration(const struct setting *s, struct mu_str text, int64_t *out,
                          struct errors *e)
{
    char why[128];
    if (!mu__duration_parse(text.p, text.len, out)) {
        mu__duration_error(text, why, sizeof why);
        snprintf(line(e), LINE_MAX_, "error decoding '%s': %s", s->name, why);
    }
}

static void take_text(const struct setting *s, struct mu_str text, char *at, struct errors *e)
{
    double v = 0;
    if (s->kind == TEXT) {
        *(struct mu_str *)(void *)at = text;
    } else if (s->kind == DURATION) {
        take_duration(s, text, (int64_t *)(void *)at, e);
    } else if (s->kind == BOOLEAN ? !parse_bool(text, (bool *)at) : !parse_number(text, &v)) {
        unparsable(e, s, text);
    } else if (s->kind == FLOAT) {
        *(double *)(void *)at = v;
    } else if (s->kind == INTEGER) {
        *(int64_t *)(void *)at = whole(v);
    }
}

static bool take_value(const struct setting *s, double v, char *at)
{
    switch (s->kind) {
    case BOOLEAN:
        *(bool *)at = v != 0;
        return true;
    case FLOAT:
        *(double *)(void *)at = v;
        return true;
    case INTEGER:
    case DURATION:
        *(int64_t *)(void *)at = whole(v);
        return true;
    default:
        return false;
    }
}

static void take(const struct setting *s, struct mu__reader *r, struct ca_settings *out,
                 struct errors *e)
{
    char *at = (char *)out + s->offset;
    enum mu__mp_type t = mu__mp_peek(r);
    if (t == MU_MP_RAW) {
        take_text(s, mu__mp_read_str(r), at, e);
    } else if (t == MU_MP_INT || t == MU_MP_FLOAT) {
        if (!take_value(s, mu__mp_read_float(r), at)) {
            unconvertible(e, s, t);
        }
    } else if (t == MU_MP_BOOL && s->kind != TEXT && s->kind != DURATION) {
        take_value(s, mu__mp_read_bool(r), at);
    } else if (t == MU_MP_NIL) {
        mu__mp_skip(r);
    } else {
        mu__mp_skip(r);
        unconvertible(e, s, t);
    }
    out->names_key = out->names_key || s->offset == AT(key_type) || s->offset == AT(key_bits);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool report(struct errors *e, char *err, size_t errlen)
{
    if (e->n == 0) {
        return true;
    }
    qsort(e->lines, e->n, sizeof *e->lines, by_text);
    size_t at =
        (size_t)snprintf(err, errlen, "error decoding config: %zu error(s) decoding:\n", e->n);
    for (size_t i = 0; i < e->n && at < errlen; i++) {
        at += (size_t)snprintf(err + at, errlen - at, "\n* %s", e->lines[i]);
    }
    return false;
}

bool ca_settings_read(struct mu_str config, struct ca_settings *out, char *err, size_t errlen)
{
    struct mu__reader r = mu__reader(config.p, config.len);
    struct errors e = {.n = 0};
    *out = (struct ca_settings){.leaf_ttl_ns = 72 * HOUR_NS,
                                .intermediate_ttl_ns = 8760 * HOUR_NS,
                                .csr_per_second = 50,
                                .key_type = mu__cstr("ec"),
                                .key_bits = 256};
    for (size_t n = config.len ? mu__mp_read_map(&r) : 0; n > 0 && !r.failed; n--) {
        const struct setting *s = find(mu__mp_read_str(&r));
        if (s) {
            take(s, &r, out, &e);
        } else {
            mu__mp_skip(&r);
        }
    }
    if (r.failed) {
        snprintf(err, errlen, "error decoding config: malformed");
        return false;
    }
    return report(&e, err, errlen);
}

const char *ca_settings_check(const struct ca_settings *s, char *err, size_t errlen)
{
    bool is_ec = mu__str_is(s->key_type, "ec"), is_rsa = mu__str_is(s->key_type, "rsa");
    char ttl[32];
    if (s->skip_validate) {
        return NULL;
    }
    if (s->leaf_ttl_ns < HOUR_NS) {
        return "leaf cert TTL must be greater or equal than 1h0m0s";
    }
    if (s->leaf_ttl_ns > 8760 * HOUR_NS) {
        return "leaf cert TTL must be less than 8760h0m0s";
    }
    if (s->intermediate_ttl_ns < 3 * s->leaf_ttl_ns) {
        ttl[mu__duration_format(3 * s->leaf_ttl_ns, ttl)] = '\0';
        snprintf(err, errlen,
                 "Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL (>=%s).",
                 ttl);
        return err;
    }
    if (!is_ec && !is_rsa) {
        return "private key type must be either 'ec' or 'rsa'";
    }
    if (is_rsa && s->key_bits != 2048 && s->key_bits != 4096) {
        return "RSA key length must be 2048 or 4096 bits";
    }
    if (is_ec && s->key_bits != 224 && s->key_bits != 256 && s->key_bits != 384 &&
        s->key_bits != 521) {
        return "EC key length must be one of (224, 256, 384, 521) bits";
    }
    return NULL;
}

bool ca_settings_public(struct mu_str config, struct mu__arena *a, struct mu_str *out)
{
    struct mu__reader r = mu__reader(config.p, config.len), pairs;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    *out = config;
    if (config.len == 0 || mu__mp_peek(&r) != MU_MP_MAP) {
        return true;
    }
    size_t n = mu__mp_read_map(&r), kept = 0;
    pairs = r;
    for (size_t i = 0; i < n; i++) {
        kept += !mu__str_ieq(mu__mp_read_str(&r), mu__cstr("PrivateKey"));
        mu__mp_skip(&r);
    }
    mu__mp_write_map(&w, kept);
    for (size_t i = 0; i < n; i++) {
        struct mu_str key = mu__mp_read_str(&pairs);
        size_t left = mu__reader_left(&pairs);
        const char *from = config.p + config.len - left;
        mu__mp_skip(&pairs);
        if (!mu__str_ieq(key, mu__cstr("PrivateKey"))) {
            mu__mp_write_raw(&w, key.p, key.len);
            mu__write_bytes(&w, from, left - mu__reader_left(&pairs));
        }
    }
    const char *copy = w.failed || r.failed ? NULL : mu__arena_memdup(a, w.data, w.len);
    *out = (struct mu_str){copy, copy ? w.len : 0};
    mu__writer_fini(&w);
    return copy != NULL;
}
