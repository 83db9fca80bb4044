/* Mirrors daemons/server/ca.c and ca_sign.c on a server of one: its first root, leafs at their
 * pace, the trust domain of chains; and that nothing that can be read has a private key in it. */
#include "mu_test.h"

#include "server_kit.h"

#include "msgpack.h"
#include "server/ca_plan.h"

#include <muster/catalog.h>
#include <muster/catalog_config.h>

/* Made for this test alone. */
#define KEY_LINE "MHcCAQEEIKByccoyGHKmmM2Q4blikR2uU5iEqWNqwGbORDDL4FV4oAoGCCqGSM49"
#define KEY                                                                                        \
    "-----BEGIN EC PRIVATE KEY-----\\n" KEY_LINE "\\n"                                             \
    "AwEHoUQDQgAEzGl1F4/kxL8qPxkrVb4MTyQN+q4LA8FcdzzYQw2EcmZH2gaPnjnE\\n"                          \
    "BdDdHnekNlAfpl0Ka/TIa5ExvyJfZweG3Q==\\n-----END EC PRIVATE KEY-----\\n"

static struct server_kit k;

static struct {
    int done;
    char error[512];
    char trust_domain[64], sni[256], cert[8192];
    size_t roots;
} got;

static void keep(char *to, size_t size, struct mu_str s)
{
    snprintf(to, size, "%.*s", (int)s.len, s.p ? s.p : "");
}

static bool has(struct mu_str s, const char *text)
{
    return s.len && memmem(s.p, s.len, text, strlen(text)) != NULL;
}

/* The whole answer, as it goes over the wire. */
static void assert_no_key(const struct mu__schema *schema, const void *reply)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(schema, reply, &w);
    struct mu_str text = {(const char *)w.data, w.len};
    assert_false(w.failed);
    assert_false(has(text, "PRIVATE KEY"));
    assert_false(has(text, KEY_LINE));
    mu__writer_fini(&w);
}

static void note(struct call *c, void *arg)
{
    (void)arg;
    got.done = 1;
    if (c->error) {
        snprintf(got.error, sizeof got.error, "%s", c->error);
        assert_false(has(mu__cstr(c->error), KEY_LINE));
        return;
    }
    if (c->endpoint->reply) {
        assert_no_key(c->endpoint->reply, c->reply);
    }
    if (c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_ROOTS]) {
        const struct catalog_indexed_ca_roots *r = c->reply;
        keep(got.trust_domain, sizeof got.trust_domain, r->trust_domain);
        got.roots = r->roots.len;
    } else if (c->endpoint == &endpoints[ENDPOINT_DISCOVERY_CHAIN_GET]) {
        const struct catalog_chain *chain = ((const struct catalog_chain_reply *)c->reply)->chain;
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        mu__schema_encode(c->endpoint->reply, c->reply, &w);
        assert_non_null(chain);
        const char *sni = memmem(w.data, w.len, "web.default.dc1.internal.", 25);
        assert_non_null(sni);
        keep(got.sni, sizeof got.sni, (struct mu_str){sni, 25 + 36 + 7});
        mu__writer_fini(&w);
    } else if (c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_SIGN]) {
        keep(got.cert, sizeof got.cert, ((const struct catalog_issued_cert *)c->reply)->cert_pem);
    }
}

static void *call(enum endpoint_id id, struct call **out)
{
    memset(&got, 0, sizeof got);
    *out = call_create(&endpoints[id], 0, note, NULL);
    struct mu_str *datacenter = endpoint_datacenter(&endpoints[id], (*out)->request);
    if (datacenter) {
        *datacenter = mu__cstr("dc1");
    }
    return (*out)->request;
}

static void run(struct call *c)
{
    call_start(k.backend, c);
    kit_until(&k, &got.done);
}

static void ask(enum endpoint_id id)
{
    struct call *c;
    call(id, &c);
    run(c);
    assert_string_equal(got.error, "");
}

static bool is_there(void)
{
    catalog_read_begin(k.server->reader);
    bool found = catalog_find_ca_active_root(k.server->reader) != NULL;
    catalog_read_end(k.server->reader);
    return found;
}

static void begin(const char *settings)
{
    kit_open(&k, settings);
    kit_elect(&k);
    KIT_UNTIL(&k, is_there());
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

static void ask_chain(void)
{
    struct call *c;
    struct catalog_chain_request *q = call(ENDPOINT_DISCOVERY_CHAIN_GET, &c);
    q->name = mu__cstr("web");
    q->evaluate_in_datacenter = mu__cstr("dc1");
    run(c);
    assert_string_equal(got.error, "");
}

static void test_chains_are_in_the_domain_of_the_roots(void **state)
{
    char domain[64];
    (void)state;
    begin(", \"connect\": {\"enabled\": true}");
    ask(ENDPOINT_CONNECT_CA_ROOTS);
    assert_int_equal(got.roots, 1);
    assert_int_equal(strlen(got.trust_domain), 43);
    snprintf(domain, sizeof domain, "%s", got.trust_domain);
    ask_chain();
    assert_string_equal(got.sni + 25, domain);
}

/* ---- Leafs ---- */

static void sign(void)
{
    static char csr[4096];
    char uri[256];
    struct ca_key *key;
    struct call *c;
    size_t len;
    ask(ENDPOINT_CONNECT_CA_ROOTS);
    snprintf(uri, sizeof uri, "spiffe://%s/ns/default/dc/dc1/svc/web", got.trust_domain);
    struct ca_csr_request wanted = {.uri = mu__cstr(uri)};
    assert_int_equal(ca_key_create(CA_EC, 256, &ca_entropy, NULL, &key), 0);
    assert_int_equal(ca_csr_write(key, &wanted, &ca_entropy, csr, sizeof csr, &len), 0);
    ca_key_destroy(key);
    struct catalog_ca_sign_request *q = call(ENDPOINT_CONNECT_CA_SIGN, &c);
    q->csr = (struct mu_str){csr, len};
    run(c);
}

static void test_who_comes_too_early_waits_or_is_told(void **state)
{
    (void)state;
    begin(", \"connect\": {\"enabled\": true, \"ca_config\": {\"csr_max_per_second\": 1}}");
    sign();
    assert_string_equal(got.error, "");
    assert_true(has(mu__cstr(got.cert), "BEGIN CERTIFICATE"));
    assert_true(atomic_load(&k.server->ca_next_ns) > 0);
    uint64_t full = loop_now_ns() + 3600 * MU_SEC;
    atomic_store(&k.server->ca_next_ns, full); /* many have been here */
    sign();
    assert_string_equal(got.error, "Rate limit reached, try again later");
    assert_int_equal(atomic_load(&k.server->ca_next_ns), full); /* who was refused takes no turn */
    atomic_store(&k.server->ca_next_ns, loop_now_ns() + 20 * MU_MSEC);
    sign(); /* it is its turn soon */
    assert_string_equal(got.error, "");
    assert_true(has(mu__cstr(got.cert), "BEGIN CERTIFICATE"));
}

/* ---- An operator's own ---- */

/* A root of that key, its lines as JSON has them. */
static void make_root(char *json, size_t size)
{
    char pem[1024];
    size_t n = 0;
    struct ca_key *key;
    struct ca_certificate *root;
    struct ca_terms terms = {.now_unix_s = loop_now_unix_ns() / (int64_t)MU_SEC,
                             .serial = 4242,
                             .path_length = CA_PATH_UNLIMITED};
    for (const char *p = KEY; *p; p++) {
        bool is_end = p[0] == '\\' && p[1] == 'n';
        pem[n++] = is_end ? '\n' : *p;
        p += is_end;
    }
    assert_int_equal(ca_key_import((struct mu_str){pem, n}, &ca_entropy, NULL, &key), 0);
    assert_int_equal(
        ca_root_create(key, mu__cstr(KIT_ID ".consul"), &terms, &ca_entropy, NULL, &root), 0);
    struct mu_str text = ca_certificate_pem(root);
    n = 0;
    for (size_t i = 0; i < text.len && n + 3 < size; i++) {
        bool is_end = text.p[i] == '\n';
        json[n++] = is_end ? '\\' : text.p[i];
        if (is_end) {
            json[n++] = 'n';
        }
    }
    json[n] = 0;
    ca_certificate_destroy(root);
    ca_key_destroy(key);
}

static void configure(const char *key, const char *value)
{
    struct call *c;
    struct catalog_ca_request *q = call(ENDPOINT_CONNECT_CA_CONFIGURATION_SET, &c);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__mp_write_map(&w, 1);
    mu__mp_write_cstr(&w, key);
    mu__mp_write_cstr(&w, value);
    q->config = mu__arena_calloc(&c->arena, 1, sizeof *q->config);
    q->config->provider = mu__cstr("consul");
    q->config->config = (struct mu_str){mu__arena_memdup(&c->arena, w.data, w.len), w.len};
    mu__writer_fini(&w);
    run(c);
}

static void test_an_operators_root_is_the_first_and_its_key_is_in_no_answer(void **state)
{
    char settings[6000], root[4096];
    (void)state;
    make_root(root, sizeof root);
    snprintf(settings, sizeof settings,
             ", \"connect\": {\"enabled\": true, \"ca_config\": {\"private_key\": \"%s\", "
             "\"root_cert\": \"%s\"}}",
             KEY, root);
    begin(settings);
    catalog_read_begin(k.server->reader);
    const struct catalog_ca_root *active = catalog_find_ca_active_root(k.server->reader);
    assert_int_equal(active->serial_number, 4242);
    assert_true(has(catalog_find_ca_state(k.server->reader, active->id)->private_key, KEY_LINE));
    catalog_read_end(k.server->reader);
    ask(ENDPOINT_CONNECT_CA_ROOTS);
    assert_int_equal(got.roots, 1);
    ask(ENDPOINT_CONNECT_CA_CONFIGURATION_GET);
    sign();
    assert_string_equal(got.error, "");
    configure("PrivateKey", "-----BEGIN EC PRIVATE KEY-----\n" KEY_LINE "\n");
    assert_non_null(strstr(got.error, "private key")); /* half of one */
    configure("PrivateKeyBits", "384");
    assert_string_equal(got.error, "");
    ask(ENDPOINT_CONNECT_CA_ROOTS);
    assert_int_equal(got.roots, 2);
    ask(ENDPOINT_CONNECT_CA_CONFIGURATION_GET);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_teardown(f, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_chains_are_in_the_domain_of_the_roots),
        CASE(test_who_comes_too_early_waits_or_is_told),
        CASE(test_an_operators_root_is_the_first_and_its_key_is_in_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
