/* Mirrors src/schema.c, schema_msgpack.c and schema_clone.c, with a record that has a field of each
 * kind. */
#include "mu_test.h"

#include "msgpack.h"
#include "schema.h"

struct all {
    bool flag;
    int64_t number;
    uint64_t count;
    double ratio;
    int64_t span;
    struct mu_time when;
    struct mu_str text, bytes;
    struct mu_strs list;
    struct mu_floats floats;
    struct mu_strmap map;
    struct mu_strsmap lists;
    struct all *next;
    struct mu_list children;
    struct mu_structmap named;
    struct mu_str any;
    int64_t secret; /* not on the wire */
};

extern const struct mu__schema all_schema;
#define AT(member) offsetof(struct all, member)
static const struct mu__field all_fields[] = {
    {.name = "bool", .kind = MU_BOOL, .offset = AT(flag)},
    {.name = "int", .kind = MU_INT, .offset = AT(number), .alias = "Num|whole_number"},
    {.name = "uint", .kind = MU_UINT, .offset = AT(count)},
    {.name = "float", .kind = MU_FLOAT, .offset = AT(ratio)},
    {.name = "duration", .kind = MU_DURATION, .offset = AT(span)},
    {.name = "time", .kind = MU_TIME, .offset = AT(when)},
    {.name = "str", .kind = MU_STR, .offset = AT(text)},
    {.name = "bytes", .kind = MU_BYTES, .offset = AT(bytes)},
    {.name = "strs", .kind = MU_STRS, .offset = AT(list)},
    {.name = "floats", .kind = MU_FLOATS, .offset = AT(floats)},
    {.name = "strmap", .kind = MU_STRMAP, .offset = AT(map)},
    {.name = "strsmap", .kind = MU_STRSMAP, .offset = AT(lists)},
    {.name = "ptr",
     .kind = MU_PTR,
     .offset = AT(next),
     .sub = &all_schema,
     .flags = MU_F_OMIT_MSGPACK},
    {.name = "list", .kind = MU_LIST, .offset = AT(children), .sub = &all_schema},
    {.name = "structmap", .kind = MU_STRUCTMAP, .offset = AT(named), .sub = &all_schema},
    {.name = "any", .kind = MU_ANY, .offset = AT(any)},
    {.name = "secret",
     .kind = MU_INT,
     .offset = AT(secret),
     .flags = MU_F_NO_MSGPACK | MU_F_NO_JSON},
};
static const uint8_t all_wire[] = {15, 0, 7, 4, 3, 9, 1, 13, 12, 6, 10, 8, 11, 14, 5, 2};
const struct mu__schema all_schema = {
    "All",    all_fields,      sizeof all_fields / sizeof *all_fields,
    all_wire, sizeof all_wire, sizeof(struct all)};

static size_t unhex(const char *hex, uint8_t *out, size_t max)
{
    size_t n = 0;
    for (unsigned v; n < max && sscanf(hex + 2 * n, "%2x", &v) == 1; n++) {
        out[n] = (uint8_t)v;
    }
    return n;
}

static bool decode_hex(const char *hex, struct mu__arena *a, struct all *out)
{
    static uint8_t bytes[4096]; /* static: lent text outlives the call */
    struct mu__reader r = mu__reader(bytes, unhex(hex, bytes, sizeof bytes));
    bool ok = mu__schema_decode(&all_schema, &r, a, true, out);
    assert_int_equal(ok, !r.failed);
    assert_true(!ok || mu__reader_left(&r) == 0);
    return ok;
}

/* Builds {kind: value} for one row of the matrix and decodes it. */
static bool accepts(const char *kind, const char *hex)
{
    char map[256];
    int n = snprintf(map, sizeof map, "81%02zx", 0xa0 | strlen(kind));
    for (const char *p = kind; *p; p++) {
        n += snprintf(map + n, sizeof map - (size_t)n, "%02x", (unsigned)*p);
    }
    snprintf(map + n, sizeof map - (size_t)n, "%s", hex);
    struct mu__arena a;
    struct all obj;
    mu__arena_init(&a, NULL, 0);
    bool ok = decode_hex(map, &a, &obj);
    mu__arena_fini(&a);
    return ok;
}

static void test_each_kind_accepts_what_consul_accepts(void **state)
{
    (void)state;
    FILE *f = fopen(MUSTER_TEST_DATA "/decode_matrix.txt", "r");
    assert_non_null(f);
    char line[256];
    int rows = 0;
    while (fgets(line, sizeof line, f)) {
        char kind[32];
        char hex[64];
        char verdict[16];
        if (line[0] == '#') {
            continue;
        }
        assert_int_equal(sscanf(line, "%31s %63s %15s", kind, hex, verdict), 3);
        bool want = strcmp(verdict, "ok") == 0;
        if (accepts(kind, hex) != want) {
            fail_msg("%s %s: expected %s", kind, hex, verdict);
        }
        rows++;
    }
    fclose(f);
    assert_int_equal(rows, 253);
}

static struct mu_str str(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

static void fill(struct all *o, struct all *child)
{
    static struct mu_str items[2];
    static double floats[2] = {0.5, -3};
    static struct mu_pair pairs[2];
    static struct mu_strs_named lists[1];
    static void *children[2];
    static struct mu_named named[1];
    items[0] = str("x");
    items[1] = str("y");
    pairs[0] = (struct mu_pair){str("a"), str("1")};
    pairs[1] = (struct mu_pair){str("b"), str("")};
    lists[0] = (struct mu_strs_named){str("k"), {items, 2}};
    children[0] = children[1] = child;
    named[0] = (struct mu_named){str("only"), child};
    *o = (struct all){
        .flag = true,
        .number = -5,
        .count = UINT64_MAX,
        .ratio = 0.25,
        .span = 90000000000,
        .when = {63741637872, 345678901},
        .text = str("hello"),
        .bytes = {"\0\1\2", 3},
        .list = {items, 2},
        .floats = {floats, 2},
        .map = {pairs, 2},
        .lists = {lists, 1},
        .next = child,
        .children = {children, 2},
        .named = {named, 1},
        .any = {"\x81\xa1k\x01", 4},
        .secret = 7,
    };
    *child = (struct all){.text = str("child"), .number = 1};
}

static void test_record_survives_encoding_and_decoding(void **state)
{
    (void)state;
    for (int lend = 0; lend < 2; lend++) {
        struct all child;
        struct all obj;
        struct all back;
        struct mu__arena a;
        fill(&obj, &child);
        mu__arena_init(&a, NULL, 0);
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        mu__schema_encode(&all_schema, &obj, &w);
        assert_false(w.failed);
        struct mu__reader r = mu__reader(w.data, w.len);
        assert_true(mu__schema_decode(&all_schema, &r, &a, lend, &back));
        assert_int_equal(mu__reader_left(&r), 0);
        if (!lend) {
            memset(w.data, 0xee, w.len); /* nothing may point here */
        }
        assert_int_equal(back.secret, 0);
        back.secret = obj.secret;
        assert_true(mu__schema_equal(&all_schema, &obj, &back));
        mu__writer_fini(&w);
        mu__arena_fini(&a);
    }
}

static void test_every_truncation_and_every_changed_byte_is_survived(void **state)
{
    (void)state;
    struct all child;
    struct all obj;
    struct all back;
    struct mu__arena a;
    fill(&obj, &child);
    mu__arena_init(&a, NULL, 1 << 20);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(&all_schema, &obj, &w);
    for (size_t cut = 0; cut < w.len; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1); /* exact size, so that ASan sees an overread */
        memcpy(copy, w.data, cut);
        struct mu__reader r = mu__reader(copy, cut);
        assert_false(mu__schema_decode(&all_schema, &r, &a, true, &back));
        free(copy);
        mu__arena_reset(&a);
    }
    for (size_t i = 0; i < w.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            w.data[i] ^= (uint8_t)(1 << bit);
            struct mu__reader r = mu__reader(w.data, w.len);
            (void)mu__schema_decode(&all_schema, &r, &a, true, &back);
            w.data[i] ^= (uint8_t)(1 << bit);
            mu__arena_reset(&a);
        }
    }
    mu__writer_fini(&w);
    mu__arena_fini(&a);
}

static void test_records_that_nest_without_end_are_refused(void **state)
{
    (void)state;
    char hex[4096];
    size_t n = 0;
    for (unsigned i = 0; i < MU_MSGPACK_DEPTH_MAX + 1; i++) {
        n += (size_t)snprintf(hex + n, sizeof hex - n, "81a3707472"); /* {"ptr": ... */
    }
    snprintf(hex + n, sizeof hex - n, "c0");
    struct mu__arena a;
    struct all obj;
    mu__arena_init(&a, NULL, 0);
    assert_false(decode_hex(hex, &a, &obj));
    assert_true(decode_hex(hex + 10, &a, &obj)); /* one level less */
    mu__arena_fini(&a);
}

static void test_unknown_keys_are_skipped_and_nil_means_an_empty_record(void **state)
{
    (void)state;
    struct mu__arena a;
    struct all obj;
    mu__arena_init(&a, NULL, 0);
    assert_true(decode_hex("83a27a7a9201c0a3696e7407a161c3", &a, &obj));
    assert_int_equal(obj.number, 7);
    assert_true(decode_hex("c0", &a, &obj));
    assert_int_equal(obj.number, 0);
    assert_false(decode_hex("a0", &a, &obj));
    mu__arena_fini(&a);
}

static void test_array_form_follows_the_order_of_declaration(void **state)
{
    (void)state;
    struct mu__arena a;
    struct all obj;
    mu__arena_init(&a, NULL, 0);
    assert_true(decode_hex("93c30509", &a, &obj));
    assert_true(obj.flag);
    assert_int_equal(obj.number, 5);
    assert_int_equal(obj.count, 9);
    mu__arena_fini(&a);
}

static void test_maps_are_sorted_and_the_last_of_equal_keys_wins(void **state)
{
    (void)state;
    struct mu__arena a;
    struct all obj;
    mu__arena_init(&a, NULL, 0);
    /* strmap: {b:1, a:2, b:3, c:4, a:5} */
    assert_true(decode_hex("81a67374726d617085a162a131a161a132a162a133a163a134a161a135", &a, &obj));
    assert_int_equal(obj.map.len, 3);
    assert_memory_equal(mu__strmap_get(&obj.map, "a").p, "5", 1);
    assert_memory_equal(mu__strmap_get(&obj.map, "b").p, "3", 1);
    assert_memory_equal(mu__strmap_get(&obj.map, "c").p, "4", 1);
    assert_null(mu__strmap_get(&obj.map, "d").p);
    mu__arena_fini(&a);
}

static void test_nil_elements_become_cleared_records(void **state)
{
    (void)state;
    struct mu__arena a;
    struct all obj;
    mu__arena_init(&a, NULL, 0);
    assert_true(decode_hex("82a46c69737492c080a97374727563746d617081a16bc0", &a, &obj));
    assert_int_equal(obj.children.len, 2);
    assert_non_null(obj.children.items[0]);
    assert_int_equal(((struct all *)obj.children.items[0])->number, 0);
    assert_non_null(obj.named.items[0].value);
    mu__arena_fini(&a);
}

static void test_nil_and_empty_stay_apart_and_are_equal(void **state)
{
    (void)state;
    struct mu__arena a;
    struct all nil;
    struct all empty;
    mu__arena_init(&a, NULL, 0);
    assert_true(decode_hex("82a473747273c0a67374726d6170c0", &a, &nil));
    assert_true(decode_hex("82a47374727390a67374726d617080", &a, &empty));
    assert_null(nil.list.items);
    assert_non_null(empty.list.items);
    assert_null(nil.map.items);
    assert_non_null(empty.map.items);
    assert_true(mu__schema_equal(&all_schema, &nil, &empty));
    mu__arena_fini(&a);
}

static void test_decoding_stays_within_the_arena_limit(void **state)
{
    (void)state;
    uint8_t bytes[5000] = {0x81, 0xa4, 'l', 'i', 's', 't', 0xdc, 0x13, 0x00};
    memset(bytes + 9, 0xc0, sizeof bytes - 9); /* 4864 nil records of over 200 bytes each */
    struct mu__arena a;
    struct all obj;
    mu__arena_init(&a, NULL, 100000);
    struct mu__reader r = mu__reader(bytes, sizeof bytes);
    assert_false(mu__schema_decode(&all_schema, &r, &a, true, &obj));
    assert_true(a.used <= 100000);
    mu__arena_fini(&a);
}

static void test_clone_is_equal_and_lives_in_one_block(void **state)
{
    (void)state;
    struct all child;
    struct all obj;
    fill(&obj, &child);
    size_t size = mu__schema_clone_size(&all_schema, &obj);
    struct all *copy = mu__schema_clone(&all_schema, &obj, NULL);
    assert_non_null(copy);
    assert_true(mu__schema_equal(&all_schema, &obj, copy));
    const char *block = (const char *)copy;
    const char *inside[] = {
        copy->text.p,       (const char *)copy->list.items,        (const char *)copy->next,
        copy->next->text.p, (const char *)copy->children.items[1], copy->any.p};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        assert_true(inside[i] >= block && inside[i] < block + size);
    }
    child.number = 2; /* the copy does not follow */
    assert_false(mu__schema_equal(&all_schema, &obj, copy));
    mu__free(&mu__malloc_allocator, copy);
}

struct budget {
    int left; /* allocations that still succeed */
};

static void *limited_alloc(void *user, size_t size)
{
    struct budget *b = user;
    return b->left-- > 0 ? malloc(size) : NULL;
}

static void *limited_realloc(void *user, void *p, size_t size)
{
    struct budget *b = user;
    return b->left-- > 0 ? realloc(p, size) : NULL;
}

static void limited_free(void *user, void *p)
{
    (void)user;
    free(p);
}

static void test_running_out_of_memory_fails_cleanly_wherever_it_happens(void **state)
{
    (void)state;
    struct budget budget = {0};
    const struct mu_allocator limited = {&budget, limited_alloc, limited_realloc, limited_free};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    char text[3000] = {'x'}; /* so that the arena needs several blocks */
    struct all child;
    struct all obj;
    struct all back;
    fill(&obj, &child);
    child.text = (struct mu_str){text, sizeof text};
    mu__schema_encode(&all_schema, &obj, &w);
    bool ok = false;
    for (int allocations = 0; !ok; allocations++) {
        struct mu__arena a;
        assert_true(allocations < 100);
        mu__arena_init(&a, &limited, 0);
        budget.left = allocations;
        struct mu__reader r = mu__reader(w.data, w.len);
        ok = mu__schema_decode(&all_schema, &r, &a, false, &back);
        assert_int_equal(ok, !r.failed);
        mu__arena_fini(&a);
    }
    budget.left = 0;
    assert_null(mu__schema_clone(&all_schema, &obj, &limited));
    struct mu__writer none = mu__writer_growing(&limited);
    mu__schema_encode(&all_schema, &obj, &none);
    assert_true(none.failed);
    mu__writer_fini(&none);
    mu__writer_fini(&w);
}

static void test_equal_sees_a_change_in_any_field(void **state)
{
    (void)state;
    struct all child;
    struct all obj;
    fill(&obj, &child);
    for (size_t i = 0; i < all_schema.nfields; i++) {
        struct all other = obj;
        memset((char *)&other + all_fields[i].offset, 0, sizeof(bool));
        if (all_fields[i].kind != MU_BOOL) {
            memset((char *)&other + all_fields[i].offset, 0, 8);
            if (all_fields[i].kind >= MU_STR && all_fields[i].kind != MU_PTR) {
                memset((char *)&other + all_fields[i].offset, 0, sizeof(struct mu_str));
            }
        }
        assert_false(mu__schema_equal(&all_schema, &obj, &other));
    }
}

static void test_json_keys_match_in_any_case_and_by_alias(void **state)
{
    (void)state;
    assert_ptr_equal(mu__schema_json_field(&all_schema, str("INT")), &all_fields[1]);
    assert_ptr_equal(mu__schema_json_field(&all_schema, str("num")), &all_fields[1]);
    assert_ptr_equal(mu__schema_json_field(&all_schema, str("Whole_Number")), &all_fields[1]);
    assert_null(mu__schema_json_field(&all_schema, str("whole")));
    assert_null(mu__schema_json_field(&all_schema, str("secret")));
    assert_ptr_equal(mu__schema_field(&all_schema, str("int")), &all_fields[1]);
    assert_null(mu__schema_field(&all_schema, str("INT")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_accepts_what_consul_accepts),
        cmocka_unit_test(test_record_survives_encoding_and_decoding),
        cmocka_unit_test(test_every_truncation_and_every_changed_byte_is_survived),
        cmocka_unit_test(test_records_that_nest_without_end_are_refused),
        cmocka_unit_test(test_unknown_keys_are_skipped_and_nil_means_an_empty_record),
        cmocka_unit_test(test_array_form_follows_the_order_of_declaration),
        cmocka_unit_test(test_maps_are_sorted_and_the_last_of_equal_keys_wins),
        cmocka_unit_test(test_nil_elements_become_cleared_records),
        cmocka_unit_test(test_nil_and_empty_stay_apart_and_are_equal),
        cmocka_unit_test(test_decoding_stays_within_the_arena_limit),
        cmocka_unit_test(test_clone_is_equal_and_lives_in_one_block),
        cmocka_unit_test(test_running_out_of_memory_fails_cleanly_wherever_it_happens),
        cmocka_unit_test(test_equal_sees_a_change_in_any_field),
        cmocka_unit_test(test_json_keys_match_in_any_case_and_by_alias),
    };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
