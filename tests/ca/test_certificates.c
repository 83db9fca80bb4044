/* The kit: each chain of certificates/ gets the verdict that its manifest says. */
#include "mu_test.h"

#include <jansson.h>
#include <muster/ca_verify.h>

static char *read_file(const char *name, size_t *len)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", CA_KIT, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = malloc(65536);
    assert_non_null(text);
    *len = fread(text, 1, 65536, f);
    fclose(f);
    return text;
}

static int value_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The bytes of a PEM block, whatever they are; not by the library's own hand. */
static struct mu_str decode(const char *name)
{
    size_t len, n = 0;
    char *text = read_file(name, &len), *out = malloc(len ? len : 1);
    assert_non_null(out);
    text[len - 1] = '\0';
    unsigned bits = 0, have = 0;
    for (const char *p = strchr(text, '\n') + 1; *p != '-'; p++) {
        int v = value_of(*p);
        if (v < 0) {
            continue;
        }
        bits = bits << 6 | (unsigned)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have);
        }
    }
    free(text);
    char *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */
    assert_non_null(exact);
    memcpy(exact, out, n);
    free(out);
    return (struct mu_str){exact, n};
}

static void free_str(struct mu_str s)
{
    union {
        const char *lent;
        void *owned;
    } p = {.lent = s.p};
    free(p.owned);
}

static const char *text_of(const json_t *c, const char *field)
{
    const char *s = json_string_value(json_object_get(c, field));
    assert_non_null(s);
    return s;
}

static struct ca_trust *make_trust(const json_t *c)
{
    struct ca_trust_config cfg;
    struct ca_trust *t;
    size_t i;
    json_t *file;
    ca_trust_config_init(&cfg);
    cfg.trust_domain.p = text_of(c, "trust_domain");
    cfg.trust_domain.len = strlen(cfg.trust_domain.p);
    assert_int_equal(ca_trust_create(&cfg, &t), CA_OK);
    json_array_foreach(json_object_get(c, "roots"), i, file)
    {
        struct mu_str der = decode(json_string_value(file));
        struct ca_certificate *root;
        if (ca_certificate_parse(der, NULL, &root, NULL) == CA_OK) {
            assert_int_equal(ca_trust_add(t, root), CA_OK);
            ca_certificate_destroy(root);
        }
        free_str(der);
    }
    return t;
}

/* Prints what is not as it should be. */
static bool holds(const json_t *c)
{
    struct mu_str intermediates[16];
    struct ca_verified out;
    size_t count = 0, i;
    json_t *file;
    struct ca_trust *trust = make_trust(c);
    json_array_foreach(json_object_get(c, "intermediates"), i, file)
    {
        intermediates[count++] = decode(json_string_value(file));
    }
    struct mu_str leaf = decode(text_of(c, "leaf"));
    struct ca_verify_request r = {
        .leaf = leaf,
        .intermediates = intermediates,
        .intermediate_count = count,
        .now_unix_s = json_integer_value(json_object_get(c, "time")),
        .purpose = strcmp(text_of(c, "purpose"), "client") ? CA_PURPOSE_SERVER : CA_PURPOSE_CLIENT,
    };
    const char *want = text_of(c, "verdict");
    int depth = (int)json_integer_value(json_object_get(c, "depth"));
    int rc = ca_verify(trust, &r, &out);
    bool good = (rc == CA_OK) == !strcmp(want, "trusted") &&
                !strcmp(ca_verdict_name(out.verdict), want) && (int)out.depth == depth &&
                (rc == CA_OK || (rc == CA_EUNTRUSTED && out.id.name.len == 0));
    if (!good) {
        printf("%s (%s): want %s at %d, have %s at %u (%d)\n", text_of(c, "name"),
               text_of(c, "why"), want, depth, ca_verdict_name(out.verdict), out.depth, rc);
    }
    for (i = 0; i < count; i++) {
        free_str(intermediates[i]);
    }
    free_str(leaf);
    ca_trust_destroy(trust);
    return good;
}

static void test_each_chain_of_the_kit_gets_its_verdict(void **state)
{
    json_error_t error;
    size_t i, wrong = 0, bad = 0;
    json_t *c, *all = json_load_file(CA_KIT "/manifest.json", 0, &error);
    (void)state;
    assert_non_null(all);
    json_array_foreach(all, i, c)
    {
        wrong += holds(c) ? 0 : 1;
        bad += strcmp(text_of(c, "verdict"), "trusted") ? 1 : 0;
    }
    assert_int_equal(wrong, 0);
    assert_true(bad >= 100);
    json_decref(all);
}

/* A verdict that no certificate of the kit has would be one that nobody has seen. */
static void test_each_verdict_is_in_the_kit(void **state)
{
    json_error_t error;
    json_t *all = json_load_file(CA_KIT "/manifest.json", 0, &error);
    (void)state;
    assert_non_null(all);
    for (int v = 0; v < CA_VERDICT_COUNT; v++) {
        size_t i, seen = 0;
        json_t *c;
        json_array_foreach(all, i, c)
        {
            seen += !strcmp(text_of(c, "verdict"), ca_verdict_name((enum ca_verdict)v));
        }
        assert_true(seen > 0);
        assert_true(strlen(ca_verdict_text((enum ca_verdict)v)) > 10);
    }
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_chain_of_the_kit_gets_its_verdict),
        cmocka_unit_test(test_each_verdict_is_in_the_kit),
    };
    return cmocka_run_group_tests_name("ca certificates", tests, NULL, NULL);
}
