/* Mirrors src/config_*.c, apply_config.c and graph.c: config entries, written and refused. */
#include "fixture.h"

#include <math.h>

#include "arena.h"
#include "config_entry.h"

/* Applies an entry of any kind. */
static void put_op(struct fixture *f, const char *op, const struct catalog_config_entry *e)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(catalog_config_schema(e->kind), e, &w);
    struct catalog_config_request r = {
        .kind = e->kind, .op = mu__cstr(op), .entry = {(const char *)w.data, w.len}};
    apply(f, CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    mu__writer_fini(&w);
}

static void put(struct fixture *f, const struct catalog_config_entry *e)
{
    put_op(f, "upsert", e);
}

static void defaults(struct fixture *f, const char *name, const char *protocol)
{
    struct catalog_service_defaults e = {
        .head = {.kind = S("service-defaults"), .name = mu__cstr(name)},
        .protocol = mu__cstr(protocol)};
    put(f, &e.head);
}

static void delete_entry(struct fixture *f, const char *kind, const char *name)
{
    struct catalog_service_defaults any = {
        .head = {.kind = mu__cstr(kind), .name = mu__cstr(name)}};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(catalog_config_schema(mu__cstr("service-defaults")), &any, &w);
    struct catalog_config_request r = {
        .kind = mu__cstr(kind), .op = S("delete"), .entry = {(const char *)w.data, w.len}};
    apply(f, CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    mu__writer_fini(&w);
}

#define assert_put(f)                                                                              \
    do {                                                                                           \
        assert_string_equal((f)->error, "");                                                       \
        assert_int_equal((f)->result.kind, CATALOG_RESULT_BOOL);                                   \
        assert_true((f)->result.value);                                                            \
    } while (0)

static void splitter(struct fixture *f, const char *name, const char *to, double weight)
{
    struct catalog_service_split rest = {.weight = 100 - weight};
    struct catalog_service_split split = {.weight = weight, .service = mu__cstr(to)};
    void *items[] = {&rest, &split};
    struct catalog_service_splitter e = {
        .head = {.kind = S("service-splitter"), .name = mu__cstr(name)}, .splits = {items, 2}};
    put(f, &e.head);
}

static void redirect(struct fixture *f, const char *name, const char *to, const char *subset)
{
    struct catalog_resolver_redirect r = {.service = mu__cstr(to),
                                          .service_subset = mu__cstr(subset)};
    struct catalog_service_resolver e = {
        .head = {.kind = S("service-resolver"), .name = mu__cstr(name)}, .redirect = &r};
    put(f, &e.head);
}

static void subset(struct fixture *f, const char *name, const char *of)
{
    struct catalog_resolver_subset any = {.only_passing = true};
    struct mu_named items[] = {{mu__cstr(of), &any}};
    struct catalog_service_resolver e = {
        .head = {.kind = S("service-resolver"), .name = mu__cstr(name)}, .subsets = {items, 1}};
    put(f, &e.head);
}

static void ingress(struct fixture *f, const char *name, const char *service, const char *protocol)
{
    struct catalog_ingress_service s = {.name = mu__cstr(service)};
    void *services[] = {&s};
    struct catalog_ingress_listener l = {
        .port = 80, .protocol = mu__cstr(protocol), .services = {services, 1}};
    void *listeners[] = {&l};
    struct catalog_ingress_gateway e = {
        .head = {.kind = S("ingress-gateway"), .name = mu__cstr(name)},
        .listeners = {listeners, 1}};
    put(f, &e.head);
}

/* ---- Reading ---- */

/* "kind/name@create-modify ..." */
static const char *list(struct fixture *f, const char *kind)
{
    static char text[512];
    struct catalog_indexed_config_entries out;
    const struct catalog_config_query q = {.kind = mu__cstr(kind)};
    text[0] = '\0';
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_config_entries(f->r, &q, &out, NULL), 0);
    for (size_t i = 0; i < out.entries.len; i++) {
        const struct catalog_config_entry *e = out.entries.items[i];
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%.*s/%.*s@%d-%d ", (int)e->kind.len, e->kind.p,
                 (int)e->name.len, e->name.p, (int)e->create_index, (int)e->modify_index);
    }
    catalog_read_end(f->r);
    return text;
}

static void test_an_entry_is_found_by_kind_and_by_name(void **state)
{
    struct fixture *f = *state;
    defaults(f, "web", "HTTP");
    assert_put(f);
    defaults(f, "db", "tcp");
    redirect(f, "old", "db", "");
    assert_string_equal(list(f, "service-defaults"),
                        "service-defaults/db@2-2 service-defaults/web@1-1 ");
    assert_string_equal(list(f, ""), "service-defaults/db@2-2 service-defaults/web@1-1 "
                                     "service-resolver/old@3-3 ");
    assert_string_equal(list(f, "service"), ""); /* a kind, not a prefix of one */
    const struct catalog_config_query q = {.kind = S("service-defaults"), .name = S("WEB")};
    struct catalog_config_reply one;
    struct catalog_watch_keys keys;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_config_entry(f->r, &q, &one, &keys), 0);
    assert_int_equal(keys.len, 1);
    assert_str(((struct catalog_service_defaults *)one.entry)->protocol, "http");
    assert_int_equal(one.meta.index, 3);
    catalog_read_end(f->r);
}

static void test_an_entry_that_is_written_again_keeps_when_it_was_made(void **state)
{
    struct fixture *f = *state;
    defaults(f, "web", "http");
    defaults(f, "Web", "tcp");
    assert_string_equal(list(f, ""), "service-defaults/Web@1-2 ");
    delete_entry(f, "service-defaults", "web");
    assert_done(f);
    assert_string_equal(list(f, ""), "");
    delete_entry(f, "service-defaults", "web"); /* as often as one likes */
    assert_done(f);
}

static void cas(struct fixture *f, uint64_t index)
{
    struct catalog_service_defaults e = {
        .head = {.kind = S("service-defaults"), .name = S("web"), .modify_index = index}};
    put_op(f, "upsert-cas", &e.head);
    assert_int_equal(f->result.kind, CATALOG_RESULT_BOOL);
}

static void test_cas_writes_what_is_as_it_was_seen(void **state)
{
    struct fixture *f = *state;
    cas(f, 7);
    assert_false(f->result.value); /* there is none */
    cas(f, 0);
    assert_true(f->result.value);
    cas(f, 0);
    assert_false(f->result.value); /* there is one */
    cas(f, 1);
    assert_false(f->result.value);
    cas(f, 2);
    assert_true(f->result.value);
    assert_string_equal(list(f, ""), "service-defaults/web@2-5 ");
}

static void test_hostile_requests_are_refused_and_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct catalog_config_request r = {.kind = S("nosuch"), .op = S("upsert"), .entry = S("\x80")};
    apply(f, CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    assert_refused(f, "invalid config entry kind: nosuch");
    r.kind = S("service-router");
    r.entry = S("");
    apply(f, CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    assert_refused(f, "failed to decode request");
    r.entry = S("\x93\x01\x02\x03");
    apply(f, CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    assert_int_equal(f->result.kind, CATALOG_RESULT_ERROR);
    r.entry = S("\x80");
    apply(f, CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    assert_refused(f, "Name is required");
    char long_name[600];
    memset(long_name, 'x', sizeof long_name);
    struct catalog_service_defaults e = {
        .head = {.kind = S("service-defaults"), .name = {long_name, sizeof long_name}}};
    put(f, &e.head);
    assert_refused(f, "Names must not contain a zero byte or be longer than 512 bytes");
    redirect(f, "a", "b\0c", ""); /* cstr: b */
    assert_put(f);
    assert_string_equal(list(f, "service-defaults"), "");
}

/* ---- The graph ---- */

static void test_all_of_a_chain_speaks_one_protocol(void **state)
{
    struct fixture *f = *state;
    defaults(f, "a", "http");
    splitter(f, "a", "b", 10);
    assert_refused(f, "discovery chain \"a\" uses inconsistent protocols; service \"b\" has "
                      "\"tcp\" which is not \"http\"");
    defaults(f, "b", "http");
    splitter(f, "a", "b", 10);
    assert_put(f);
    defaults(f, "b", "grpc"); /* would break the chain that leads there */
    assert_refused(f, "discovery chain \"a\" uses inconsistent protocols; service \"b\" has "
                      "\"grpc\" which is not \"http\"");
    delete_entry(f, "service-defaults", "b");
    assert_int_equal(f->result.kind, CATALOG_RESULT_ERROR);
    delete_entry(f, "service-splitter", "a");
    assert_done(f);
    delete_entry(f, "service-defaults", "b"); /* nothing refers to it any more */
    assert_done(f);
}

static void test_splitting_needs_a_protocol_with_requests(void **state)
{
    struct fixture *f = *state;
    defaults(f, "a", "tcp");
    splitter(f, "a", "a2", 10);
    assert_refused(f, "discovery chain \"a\" uses a protocol \"tcp\" that does not permit advanced "
                      "routing or splitting behavior");
    struct catalog_proxy_defaults all = {.head = {.kind = S("proxy-defaults"), .name = S("x")},
                                         .config = S("\x81\xa8protocol\xa5http2")};
    put(f, &all.head);
    assert_put(f);
    assert_string_equal(list(f, "proxy-defaults"), "proxy-defaults/global@3-3 ");
    splitter(f, "b", "c", 10);
    assert_put(f);
    delete_entry(f, "proxy-defaults", "global"); /* all chains are looked at */
    assert_refused(f, "discovery chain \"b\" uses a protocol \"tcp\" that does not permit advanced "
                      "routing or splitting behavior");
}

static void test_circles_are_refused(void **state)
{
    struct fixture *f = *state;
    redirect(f, "c1", "c2", "");
    redirect(f, "c2", "c3", "");
    redirect(f, "c3", "c1", "");
    assert_refused(f, "detected circular resolver redirect: [c3.default.dc1 -> c1.default.dc1 -> "
                      "c2.default.dc1 -> c3.default.dc1]");
    defaults(f, "ka", "http");
    defaults(f, "kb", "http");
    splitter(f, "ka", "kb", 50);
    assert_put(f);
    splitter(f, "kb", "ka", 50);
    assert_refused(f, "detected circular reference: [splitter:kb.default -> splitter:ka.default -> "
                      "splitter:kb.default]");
}

static void test_subsets_that_are_referred_to_stay(void **state)
{
    struct fixture *f = *state;
    redirect(f, "old", "web", "v1");
    assert_refused(f, "service \"web\" does not have a subset named \"v1\"");
    subset(f, "web", "v1");
    redirect(f, "old", "web", "v1");
    assert_put(f);
    subset(f, "web", "v2");
    assert_refused(f, "service \"web\" does not have a subset named \"v1\"");
    delete_entry(f, "service-resolver", "web");
    assert_int_equal(f->result.kind, CATALOG_RESULT_ERROR);
}

static void test_an_ingress_gateway_speaks_as_its_services_do(void **state)
{
    struct fixture *f = *state;
    ingress(f, "ig", "web", "http");
    assert_refused(f, "service \"web\" has protocol \"tcp\", which does not match defined listener "
                      "protocol \"http\"");
    defaults(f, "web", "http");
    ingress(f, "ig", "web", "http");
    assert_put(f);
    defaults(f, "web", "tcp");
    assert_refused(f, "service \"web\" has protocol \"tcp\", which does not match defined listener "
                      "protocol \"http\"");
    struct catalog_terminating_gateway t = {
        .head = {.kind = S("terminating-gateway"), .name = S("ig")}};
    put(f, &t.head);
    assert_refused(f, "cannot create a \"terminating-gateway\" config entry with name \"ig\", a "
                      "\"ingress-gateway\" config entry with that name already exists");
}

/* Each splitter leads to two of the next level, which lead on to the same two: the splits of the
 * first would be two to the power of the levels. */
static void test_splitters_that_multiply_are_refused_in_time(void **state)
{
    struct fixture *f = *state;
    char name[8], left[8], right[8];
    bool refused = false;
    for (int level = 30; level > 0 && !refused; level--) {
        for (char side = 'a'; side <= 'b'; side++) {
            snprintf(name, sizeof name, "%c%d", side, level);
            snprintf(left, sizeof left, "a%d", level + 1);
            snprintf(right, sizeof right, "b%d", level + 1);
            defaults(f, name, "http");
            defaults(f, left, "http");
            defaults(f, right, "http");
            struct catalog_service_split s[] = {{.weight = 50, .service = mu__cstr(left)},
                                                {.weight = 50, .service = mu__cstr(right)}};
            void *items[] = {&s[0], &s[1]};
            struct catalog_service_splitter e = {
                .head = {.kind = S("service-splitter"), .name = mu__cstr(name)},
                .splits = {items, 2}};
            put(f, &e.head);
            refused = refused || f->result.kind == CATALOG_RESULT_ERROR;
        }
    }
    assert_true(refused);
    assert_non_null(strstr(f->error, "has too many splits"));
}

/* ---- Chains ---- */

/* "key(next=weight ...)[failover ...] ..." of a chain, and its hash. */
static const char *chain(struct fixture *f, const char *service, const char *protocol,
                         int64_t timeout_ns, size_t *watched)
{
    static char out[1024];
    char why[256];
    struct catalog_chain_reply reply;
    struct catalog_watch_keys keys;
    const struct catalog_chain_request q = {.name = mu__cstr(service),
                                            .datacenter = S("dc1"),
                                            .override_protocol = mu__cstr(protocol),
                                            .override_connect_timeout_ns = timeout_ns};
    size_t at = 0;
    out[0] = '\0';
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_chain(f->r, &q, S("x.consul"), &reply, &keys, why, sizeof why),
                     0);
    *watched = keys.len;
    for (size_t i = 0; i < reply.chain->nodes.len; i++) {
        const struct catalog_chain_node *n = reply.chain->nodes.items[i].value;
        at += (size_t)snprintf(out + at, sizeof out - at, "%.*s(",
                               (int)reply.chain->nodes.items[i].key.len,
                               reply.chain->nodes.items[i].key.p);
        for (size_t k = 0; k < n->splits.len; k++) {
            const struct catalog_chain_split *s = n->splits.items[k];
            at += (size_t)snprintf(out + at, sizeof out - at, "%.*s=%g ", (int)s->next_node.len,
                                   s->next_node.p, s->weight);
        }
        const struct catalog_chain_failover *to = n->resolver ? n->resolver->failover : NULL;
        for (size_t k = 0; to && k < to->targets.len; k++) {
            at += (size_t)snprintf(out + at, sizeof out - at, "%.*s ",
                                   (int)to->targets.items[k].len, to->targets.items[k].p);
        }
        at += (size_t)snprintf(out + at, sizeof out - at, ") ");
    }
    snprintf(out + at, sizeof out - at, "%.*s", (int)reply.chain->customization_hash.len,
             reply.chain->customization_hash.p ? reply.chain->customization_hash.p : "");
    catalog_read_end(f->r);
    return out;
}

static void test_splitters_of_splitters_are_flat(void **state)
{
    struct fixture *f = *state;
    size_t watched;
    defaults(f, "ka", "http");
    defaults(f, "kb", "http");
    defaults(f, "kc", "http");
    splitter(f, "kb", "kc", 66.67);
    splitter(f, "ka", "kb", 25);
    assert_put(f);
    assert_string_equal(
        chain(f, "ka", "", 0, &watched),
        "resolver:ka.default.dc1() resolver:kb.default.dc1() resolver:kc.default.dc1() "
        "splitter:ka.default(resolver:ka.default.dc1=75 resolver:kb.default.dc1=8.33 "
        "resolver:kc.default.dc1=16.67 ) ");
    assert_string_equal(chain(f, "ka", "tcp", 3 * (int64_t)MU_SEC, &watched),
                        "resolver:ka.default.dc1() 553bb28f"); /* as the original hashes it */
}

static void test_failover_leads_elsewhere_and_not_back(void **state)
{
    struct fixture *f = *state;
    size_t watched;
    struct mu_str dcs[] = {S("dc2"), S("dc1"), S("dc3")};
    struct catalog_resolver_failover any = {.datacenters = {dcs, 3}};
    struct mu_named failover[] = {{S("*"), &any}};
    struct catalog_resolver_subset v1 = {.only_passing = true};
    struct mu_named subsets[] = {{S("v1"), &v1}};
    struct catalog_service_resolver e = {.head = {.kind = S("service-resolver"), .name = S("web")},
                                         .default_subset = S("v1"),
                                         .subsets = {subsets, 1},
                                         .failover = {failover, 1}};
    put(f, &e.head);
    assert_put(f);
    redirect(f, "old", "web", "");
    assert_put(f);
    assert_string_equal(chain(f, "old", "", 0, &watched),
                        "resolver:v1.web.default.dc1(v1.web.default.dc2 v1.web.default.dc3 ) ");
    assert_true(watched < 16); /* what was asked for, each once */
}

static void test_a_service_that_nobody_wrote_about_resolves_to_itself(void **state)
{
    struct fixture *f = *state;
    size_t watched;
    assert_string_equal(chain(f, "web", "", 0, &watched), "resolver:web.default.dc1() ");
    assert_string_equal(chain(f, "web", "http", 0, &watched),
                        "resolver:web.default.dc1() 1a47f6e1");
}

/* ---- What can be said about one entry ---- */

static void *room_alloc(void *user, size_t size)
{
    return mu__arena_alloc(user, size);
}

static void room_free(void *user, void *p)
{
    (void)user;
    (void)p;
}

static char said[1024];

static const char *prepare(struct catalog_config_entry *e)
{
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    const struct mu_allocator room = {&a, room_alloc, NULL, room_free};
    const char *why = catalog_config_prepare(e->kind, e, &room, said, sizeof said);
    mu__arena_fini(&a);
    return why ? why : "";
}

static const char *prepare_route(struct catalog_route_http *http,
                                 struct catalog_route_destination *d)
{
    struct catalog_route_match match = {.http = http};
    struct catalog_service_route route = {&match, d};
    void *items[] = {&route};
    struct catalog_service_router e = {.head = {.kind = S("service-router"), .name = S("web")},
                                       .routes = {items, 1}};
    return prepare(&e.head);
}

static void test_routes_are_checked_in_the_original_s_words(void **state)
{
    (void)state;
    struct catalog_route_http http = {.path_exact = S("x")};
    assert_string_equal(prepare_route(&http, NULL),
                        "Route[0] PathExact doesn't start with '/': \"x\"");
    http = (struct catalog_route_http){.path_exact = S("/x"), .path_regex = S("y")};
    assert_string_equal(
        prepare_route(&http, NULL),
        "Route[0] should only contain at most one of PathExact, PathPrefix, or PathRegex");
    struct mu_str methods[] = {S("get"), S("put"), S("GET")};
    http = (struct catalog_route_http){.methods = {methods, 3}};
    assert_string_equal(prepare_route(&http, NULL),
                        "Route[0] Methods contains \"GET\" more than once");
    struct catalog_route_destination d = {.prefix_rewrite = S("/")};
    http = (struct catalog_route_http){.path_regex = S("/x")};
    assert_string_equal(prepare_route(&http, &d),
                        "Route[0] cannot make use of PrefixRewrite without configuring either "
                        "PathExact or PathPrefix");
    struct catalog_route_header header = {.name = S("a"), .present = true, .exact = S("b")};
    void *headers[] = {&header};
    http = (struct catalog_route_http){.header = {headers, 1}};
    assert_string_equal(
        prepare_route(&http, NULL),
        "Route[0] Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex");
}

static const char *prepare_splits(double a, double b)
{
    struct catalog_service_split s[] = {{.weight = a}, {.weight = b, .service = S("other")}};
    void *items[] = {&s[0], &s[1]};
    struct catalog_service_splitter e = {.head = {.kind = S("service-splitter"), .name = S("web")},
                                         .splits = {items, 2}};
    return prepare(&e.head);
}

static void test_weights_add_up_to_a_hundred(void **state)
{
    (void)state;
    assert_string_equal(prepare_splits(33.333, 66.667), "");
    assert_string_equal(prepare_splits(-1, 101), "");
    assert_string_equal(prepare_splits(90, 1),
                        "the sum of all split weights must be 100, not 91.000000");
    assert_string_not_equal(prepare_splits(1e300, -1e300), "out of memory");
    assert_string_not_equal(prepare_splits(NAN, 100), "");
    assert_string_not_equal(prepare_splits(INFINITY, 100), "");
}

static void test_hosts_are_names_of_dns(void **state)
{
    (void)state;
    static const struct {
        const char *host, *why;
    } table[] = {
        {"a.com", ""},
        {"*.a.com", ""},
        {"*", ""},
        {"a.com.", ""},
        {"", "Host \"\" must be a valid DNS hostname"},
        {"a..b", "Host \"a..b\" must be a valid DNS hostname"},
        {"a.*.com", "Host \"a.*.com\" is not valid, a wildcard specifier is only allowed as the "
                    "leftmost label"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mu_str host = mu__cstr(table[i].host);
        struct catalog_ingress_service s = {.name = S("web"), .hosts = {&host, 1}};
        void *services[] = {&s};
        struct catalog_ingress_listener l = {
            .port = 80, .protocol = S("HTTP"), .services = {services, 1}};
        void *listeners[] = {&l};
        struct catalog_ingress_gateway e = {.head = {.kind = S("ingress-gateway"), .name = S("g")},
                                            .listeners = {listeners, 1}};
        assert_string_equal(prepare(&e.head), table[i].why);
    }
}

static void test_metadata_has_limits(void **state)
{
    (void)state;
    static char long_text[600];
    memset(long_text, 'k', sizeof long_text);
    struct mu_pair pair = {{long_text, 129}, S("v")};
    struct catalog_service_defaults e = {
        .head = {.kind = S("service-defaults"), .name = S("a"), .meta = {&pair, 1}}};
    assert_non_null(strstr(prepare(&e.head), "1 error occurred:\n\t* Meta key \"kkk"));
    pair = (struct mu_pair){S("k"), {long_text, 513}};
    assert_string_equal(
        prepare(&e.head),
        "1 error occurred:\n\t* Meta value for key \"k\" exceeds maximum length 512\n\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_entry_is_found_by_kind_and_by_name),
        TEST(test_an_entry_that_is_written_again_keeps_when_it_was_made),
        TEST(test_cas_writes_what_is_as_it_was_seen),
        TEST(test_hostile_requests_are_refused_and_change_nothing),
        TEST(test_all_of_a_chain_speaks_one_protocol),
        TEST(test_splitting_needs_a_protocol_with_requests),
        TEST(test_circles_are_refused),
        TEST(test_subsets_that_are_referred_to_stay),
        TEST(test_an_ingress_gateway_speaks_as_its_services_do),
        TEST(test_splitters_that_multiply_are_refused_in_time),
        TEST(test_splitters_of_splitters_are_flat),
        TEST(test_failover_leads_elsewhere_and_not_back),
        TEST(test_a_service_that_nobody_wrote_about_resolves_to_itself),
        cmocka_unit_test(test_routes_are_checked_in_the_original_s_words),
        cmocka_unit_test(test_weights_add_up_to_a_hundred),
        cmocka_unit_test(test_hosts_are_names_of_dns),
        cmocka_unit_test(test_metadata_has_limits),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
