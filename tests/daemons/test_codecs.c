/* Mirrors daemons/rpc/config_codec.c, federation_codec.c and intention_codec.c: what is said there
 * survives the wire, and what is cut or lies is refused. */
#include "mu_test.h"

#include "rpc/config_codec.h"
#include "rpc/federation_codec.h"
#include "rpc/intention_codec.h"

#include "msgpack.h"

#include <muster/catalog_federation.h>
#include <muster/catalog_intention.h>

#define S(text) ((struct mu_str){(text), sizeof(text) - 1})

static void is_str(struct mu_str got, const char *expected)
{
    assert_true(mu__str_eq(got, mu__cstr(expected)));
}

/* Every beginning of what was written is refused, or read without harm. */
static void cut(const struct wire_codec *codec, const struct mu__writer *w, size_t size)
{
    for (size_t n = 0; n < w->len; n++) {
        uint8_t *part = malloc(n + 1); /* so that a sanitizer sees the end */
        struct mu__arena a;
        memcpy(part, w->data, n);
        mu__arena_init(&a, NULL, 1 << 20);
        void *obj = mu__arena_calloc(&a, 1, size);
        struct mu__reader r = mu__reader(part, n);
        assert_false(codec->read(&r, &a, true, obj));
        mu__arena_fini(&a);
        free(part);
    }
}

static void test_entries_of_all_kinds_each_follow_their_kind(void **state)
{
    (void)state;
    struct catalog_proxy_defaults proxies = {
        .head = {.kind = S("proxy-defaults"), .name = S("global"), .modify_index = 7}};
    struct catalog_service_defaults web = {
        .head = {.kind = S("service-defaults"), .name = S("web")}, .protocol = S("http")};
    void *items[] = {&proxies, &web};
    const struct catalog_indexed_config_entries given = {
        .entries = {items, 2}, .meta = {.index = 9, .known_leader = true}};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    config_all_codec.write(&w, &given);

    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    struct catalog_indexed_config_entries got = {.meta.index = 0};
    struct mu__reader r = mu__reader(w.data, w.len);
    assert_true(config_all_codec.read(&r, &a, false, &got));
    assert_int_equal(mu__reader_left(&r), 0);
    assert_int_equal(got.entries.len, 2);
    assert_int_equal(got.meta.index, 9);
    assert_true(got.meta.known_leader);
    const struct catalog_config_entry *first = got.entries.items[0];
    const struct catalog_service_defaults *second = got.entries.items[1];
    is_str(first->kind, "proxy-defaults");
    assert_int_equal(first->modify_index, 7);
    is_str(second->protocol, "http");
    mu__arena_fini(&a);
    cut(&config_all_codec, &w, sizeof got);
    mu__writer_fini(&w);
}

static void test_no_entries_tell_the_index_too(void **state)
{
    (void)state;
    const struct catalog_indexed_config_entries given = {.meta.index = 9};
    struct catalog_indexed_config_entries got = {.meta.index = 0};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    config_all_codec.write(&w, &given);
    struct mu__reader r = mu__reader(w.data, w.len);
    assert_true(config_all_codec.read(&r, &a, true, &got));
    assert_int_equal(got.entries.len, 0);
    assert_int_equal(got.meta.index, 9);
    mu__arena_fini(&a);
    mu__writer_fini(&w);
}

static void test_gateways_of_datacenters_survive_the_wire(void **state)
{
    (void)state;
    struct catalog_node node = {.node = S("n1")};
    struct catalog_node_service service = {.id = S("mg")};
    struct catalog_check_service_node whole = {.node = &node, .service = &service};
    void *items[] = {&whole, &whole};
    struct mu_list two = {items, 2}, none = {NULL, 0};
    struct mu_named named[] = {{S("dc1"), &two}, {S("dc2"), &none}};
    const struct catalog_datacenter_nodes given = {.datacenters = {named, 2}, .meta.index = 4};
    struct catalog_datacenter_nodes got = {.meta.index = 0};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    datacenter_nodes_codec.write(&w, &given);
    struct mu__reader r = mu__reader(w.data, w.len);
    assert_true(datacenter_nodes_codec.read(&r, &a, false, &got));
    assert_int_equal(mu__reader_left(&r), 0);
    assert_int_equal(got.meta.index, 4);
    assert_int_equal(got.datacenters.len, 2);
    is_str(got.datacenters.items[0].key, "dc1");
    const struct mu_list *first = got.datacenters.items[0].value;
    const struct mu_list *second = got.datacenters.items[1].value;
    assert_int_equal(first->len, 2);
    is_str(((const struct catalog_check_service_node *)first->items[1])->service->id, "mg");
    assert_int_equal(second->len, 0);
    mu__arena_fini(&a);
    cut(&datacenter_nodes_codec, &w, sizeof got);
    mu__writer_fini(&w);
}

static void test_what_bears_on_several_names_survives_the_wire(void **state)
{
    (void)state;
    struct catalog_intention x = {.id = S("1"), .action = S("deny"), .precedence = 9},
                             y = {.id = S("2"), .hash = S("12345678")};
    void *both[] = {&x, &y};
    struct mu_list of_web = {both, 2}, of_db = {NULL, 0};
    void *lists[] = {&of_web, &of_db};
    const struct catalog_indexed_intention_matches given = {.matches = {lists, 2},
                                                            .meta = {.index = 9}};
    struct catalog_indexed_intention_matches got = {.meta.index = 0};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    intention_matches_codec.write(&w, &given);
    struct mu__reader r = mu__reader(w.data, w.len);
    assert_true(intention_matches_codec.read(&r, &a, false, &got));
    assert_int_equal(mu__reader_left(&r), 0);
    assert_int_equal(got.meta.index, 9);
    assert_int_equal(got.matches.len, 2);
    const struct mu_list *web = got.matches.items[0], *db = got.matches.items[1];
    assert_int_equal(web->len, 2);
    is_str(((struct catalog_intention *)web->items[0])->action, "deny");
    is_str(((struct catalog_intention *)web->items[1])->hash, "12345678");
    assert_int_equal(db->len, 0);
    assert_null(db->items); /* null to those who ask */
    mu__arena_fini(&a);
    cut(&intention_matches_codec, &w, sizeof got);
    mu__writer_fini(&w);
}

/* Numbers of things that cannot be there allocate nothing for them. */
static void test_counts_that_lie_are_refused(void **state)
{
    (void)state;
    struct mu__arena a;
    struct catalog_datacenter_nodes nodes = {.meta.index = 0};
    struct catalog_indexed_config_entries entries = {.meta.index = 0};
    static const uint8_t many[] = "\x81\xafXatacenterNodes\xdf\xff\xff\xff\xff";
    struct catalog_indexed_intention_matches matches = {.meta.index = 0};
    static const uint8_t lists[] = "\x81\xa7Matches\xdd\xff\xff\xff\xff";
    static const uint8_t inner[] = "\x81\xa7Matches\x91\xdd\xff\xff\xff\xff";
    static const uint8_t wide[] = "\xa5\xce\xff\xff\xff\xff";
    uint8_t lie[sizeof many];
    memcpy(lie, many, sizeof many);
    lie[2] = 'D';
    mu__arena_init(&a, NULL, 1 << 16);
    struct mu__reader r = mu__reader(lie, sizeof lie - 1);
    assert_false(datacenter_nodes_codec.read(&r, &a, true, &nodes));
    r = mu__reader(wide, sizeof wide - 1);
    assert_false(config_all_codec.read(&r, &a, true, &entries));
    r = mu__reader(lists, sizeof lists - 1);
    assert_false(intention_matches_codec.read(&r, &a, true, &matches));
    r = mu__reader(inner, sizeof inner - 1);
    assert_false(intention_matches_codec.read(&r, &a, true, &matches));
    mu__arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_of_all_kinds_each_follow_their_kind),
        cmocka_unit_test(test_no_entries_tell_the_index_too),
        cmocka_unit_test(test_gateways_of_datacenters_survive_the_wire),
        cmocka_unit_test(test_what_bears_on_several_names_survives_the_wire),
        cmocka_unit_test(test_counts_that_lie_are_refused),
    };
    return cmocka_run_group_tests_name("codecs", tests, NULL, NULL);
}
