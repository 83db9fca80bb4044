/* Mirrors libcatalog/src/types*.c: every table is sound, and values captured from Consul survive
 * byte for byte. */
#include "mu_test.h"

#include <muster/catalog_types.h>

#include "msgpack.h"
#include "schema.h"

/* Size of the member that a field of this kind fills. */
static size_t kind_size(const struct mu__field *f)
{
    switch (f->kind) {
    case MU_BOOL:
        return sizeof(bool);
    case MU_INT:
    case MU_UINT:
    case MU_DURATION:
    case MU_FLOAT:
        return 8;
    case MU_TIME:
        return sizeof(struct mu_time);
    case MU_STRUCT:
        return f->sub->size;
    case MU_PTR:
        return sizeof(void *);
    default:
        return sizeof(struct mu_str); /* text and all containers: a pointer and a length */
    }
}

static bool wants_sub(enum mu__kind kind)
{
    return kind == MU_STRUCT || kind == MU_PTR || kind == MU_LIST || kind == MU_STRUCTMAP;
}

static void print_right_order(const struct mu__schema *s)
{
    const char *last = "";
    print_message("%s: the wire order is {", s->name);
    for (size_t n = 0; n < s->nfields; n++) {
        size_t best = s->nfields;
        for (size_t i = 0; i < s->nfields; i++) {
            const char *name = s->fields[i].name;
            bool on_wire = !(s->fields[i].flags & MU_F_NO_MSGPACK);
            if (on_wire && strcmp(name, last) > 0 &&
                (best == s->nfields || strcmp(name, s->fields[best].name) < 0)) {
                best = i;
            }
        }
        if (best == s->nfields) {
            break;
        }
        last = s->fields[best].name;
        print_message("%zu, ", best);
    }
    print_message("}\n");
}

static bool wire_order_is_right(const struct mu__schema *s)
{
    size_t on_wire = 0;
    for (size_t i = 0; i < s->nfields; i++) {
        on_wire += !(s->fields[i].flags & MU_F_NO_MSGPACK);
    }
    bool right = s->nwire == on_wire;
    for (size_t i = 0; right && i < s->nwire; i++) {
        right = s->wire[i] < s->nfields && !(s->fields[s->wire[i]].flags & MU_F_NO_MSGPACK) &&
                (i == 0 || strcmp(s->fields[s->wire[i - 1]].name, s->fields[s->wire[i]].name) < 0);
    }
    return right;
}

static void test_wire_order_of_every_table_is_byte_order(void **state)
{
    (void)state;
    bool all = true;
    for (int t = 0; t < CATALOG_TYPE_COUNT; t++) {
        const struct mu__schema *s = catalog_schema((enum catalog_type)t);
        if (!wire_order_is_right(s)) {
            print_right_order(s);
            all = false;
        }
    }
    assert_true(all);
}

static void test_fields_fill_their_structs_without_overlap(void **state)
{
    (void)state;
    for (int t = 0; t < CATALOG_TYPE_COUNT; t++) {
        const struct mu__schema *s = catalog_schema((enum catalog_type)t);
        unsigned char *taken = calloc(s->size, 1);
        for (size_t i = 0; i < s->nfields; i++) {
            const struct mu__field *f = &s->fields[i];
            size_t size = kind_size(f);
            assert_int_equal(f->sub != NULL, wants_sub(f->kind));
            assert_true(f->offset + size <= s->size);
            for (size_t k = 0; k < size; k++) {
                assert_int_equal(taken[f->offset + k]++, 0);
            }
        }
        free(taken);
    }
}

/* There are fewer than 8 bytes between neighbours in memory: only what alignment needs, no member
 * without a field. */
static void test_no_member_is_without_a_field(void **state)
{
    (void)state;
    for (int t = 0; t < CATALOG_TYPE_COUNT; t++) {
        const struct mu__schema *s = catalog_schema((enum catalog_type)t);
        for (size_t at = 0; at < s->size;) {
            size_t next = s->size;
            size_t end = s->size;
            for (size_t i = 0; i < s->nfields; i++) {
                if (s->fields[i].offset >= at && s->fields[i].offset < next) {
                    next = s->fields[i].offset;
                    end = next + kind_size(&s->fields[i]);
                }
            }
            if (next - at >= 8) {
                fail_msg("%s: nothing describes bytes %zu to %zu", s->name, at, next);
            }
            at = end;
        }
    }
}

static const struct mu__schema *schema_named(const char *name)
{
    for (int t = 0; t < CATALOG_TYPE_COUNT; t++) {
        const struct mu__schema *s = catalog_schema((enum catalog_type)t);
        if (strcmp(s->name, name) == 0) {
            return s;
        }
    }
    fail_msg("no type %s", name);
    return NULL;
}

static size_t unhex(char *hex)
{
    size_t n = 0;
    for (unsigned v; sscanf(hex + 2 * n, "%2x", &v) == 1; n++) {
        hex[n] = (char)v; /* in place: the read position is always ahead */
    }
    return n;
}

/* A Go map travels in random order and ours sorted; then the bytes differ, and the value must
 * not. */
static void check_round_trip(const struct mu__schema *s, const uint8_t *bytes, size_t len,
                             int *exact)
{
    struct mu__arena a;
    struct mu__reader r = mu__reader(bytes, len);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    void *obj = calloc(1, s->size);
    void *again = calloc(1, s->size);
    mu__arena_init(&a, NULL, 0);
    assert_true(mu__schema_decode(s, &r, &a, false, obj));
    assert_int_equal(mu__reader_left(&r), 0);
    mu__schema_encode(s, obj, &w);
    assert_int_equal(w.len, len);
    *exact += memcmp(w.data, bytes, len) == 0;
    r = mu__reader(w.data, w.len);
    assert_true(mu__schema_decode(s, &r, &a, false, again));
    assert_true(mu__schema_equal(s, obj, again));

    void *copy = mu__schema_clone(s, obj, NULL);
    w.len = 0;
    mu__schema_encode(s, copy, &w);
    r = mu__reader(w.data, w.len);
    assert_true(mu__schema_equal(s, obj, copy));
    mu__free(&mu__malloc_allocator, copy);
    mu__writer_fini(&w);
    mu__arena_fini(&a);
    free(again);
    free(obj);
}

static void test_values_captured_from_consul_survive_byte_for_byte(void **state)
{
    (void)state;
    FILE *f = fopen(MUSTER_TEST_DATA "/wire_values.txt", "r");
    assert_non_null(f);
    static char line[16384];
    int rows = 0;
    int exact = 0;
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') {
            continue;
        }
        char *hex = strchr(line, ' ');
        *hex++ = '\0';
        check_round_trip(schema_named(line), (const uint8_t *)hex, unhex(hex), &exact);
        rows++;
    }
    fclose(f);
    assert_int_equal(rows, 61);
    /* Eleven others hold a Go map of several keys that is not in order, and one a time zone */
    assert_int_equal(exact, 49);
}

static struct mu_str text(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

static void test_service_prints_as_consul_prints_it(void **state)
{
    (void)state;
    struct catalog_weights weights = {1, 1};
    struct catalog_node_service service = {.id = text("web"),
                                           .service = text("web"),
                                           .weights = &weights,
                                           .create_index = 13,
                                           .modify_index = 13,
                                           .locally_registered_as_sidecar = true};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    mu__json_value(&j, catalog_schema(CATALOG_NODE_SERVICE), &service);
    mu__write_u8(&w, 0);
    assert_string_equal(
        (const char *)w.data,
        "{\"ID\":\"web\",\"Service\":\"web\",\"Tags\":[],\"Address\":\"\",\"Meta\":null,\"Port\":0,"
        "\"Weights\":{\"Passing\":1,\"Warning\":1},\"EnableTagOverride\":false,"
        "\"Proxy\":{\"MeshGateway\":{},\"Expose\":{}},\"Connect\":{},"
        "\"CreateIndex\":13,\"ModifyIndex\":13}");
    mu__writer_fini(&w);
}

static void test_check_prints_only_what_its_definition_sets(void **state)
{
    (void)state;
    struct catalog_check check = {.node = text("n1"),
                                  .check_id = text("c1"),
                                  .name = text("c1"),
                                  .status = text("critical"),
                                  .type = text("http"),
                                  .definition = {.interval_ns = 10000000000,
                                                 .ttl_ns = 3000000000,
                                                 .output_max_size = 33,
                                                 .http = text("http://x")}};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    mu__json_value(&j, catalog_schema(CATALOG_CHECK), &check);
    mu__write_u8(&w, 0);
    assert_string_equal(
        (const char *)w.data,
        "{\"Node\":\"n1\",\"CheckID\":\"c1\",\"Name\":\"c1\",\"Status\":\"critical\",\"Notes\":"
        "\"\","
        "\"Output\":\"\",\"ServiceID\":\"\",\"ServiceName\":\"\",\"ServiceTags\":[],\"Type\":"
        "\"http\","
        "\"Definition\":{\"Interval\":\"10s\",\"OutputMaxSize\":33,\"HTTP\":\"http://x\","
        "\"TTL\":3000000000},\"CreateIndex\":0,\"ModifyIndex\":0}");
    mu__writer_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_order_of_every_table_is_byte_order),
        cmocka_unit_test(test_fields_fill_their_structs_without_overlap),
        cmocka_unit_test(test_no_member_is_without_a_field),
        cmocka_unit_test(test_values_captured_from_consul_survive_byte_for_byte),
        cmocka_unit_test(test_service_prints_as_consul_prints_it),
        cmocka_unit_test(test_check_prints_only_what_its_definition_sets),
    };
    return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
