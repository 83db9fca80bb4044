/* Mirrors daemons/agent/user_event.c: Consul's user events in gossip and in the API. */
#include "mu_test.h"

#include "agent/user_event.h"

#include <stdlib.h>
#include <string.h>

/* What a real agent sent: gossip-vectors.json, captured_packets. */
static const char captured[] = "\x87\xa2ID\xd9\x24"
                               "21767377-5a77-361c-3282-d627885c8437"
                               "\xa1n\xa4"
                               "dep2"
                               "\xa2nf\xa5"
                               "cli.*"
                               "\xa1p\xc4\x02p2"
                               "\xa2sf\xa3web"
                               "\xa2tf\xa1"
                               "c"
                               "\xa1v\x01";

static struct user_event captured_event(void)
{
    return (struct user_event){.id = mu__cstr("21767377-5a77-361c-3282-d627885c8437"),
                               .name = mu__cstr("dep2"),
                               .payload = mu__cstr("p2"),
                               .node_filter = mu__cstr("cli.*"),
                               .service_filter = mu__cstr("web"),
                               .tag_filter = mu__cstr("c"),
                               .version = 1};
}

static bool alike(const struct user_event *a, const struct user_event *b)
{
    return mu__str_eq(a->id, b->id) && mu__str_eq(a->name, b->name) &&
           mu__str_eq(a->payload, b->payload) && mu__str_eq(a->node_filter, b->node_filter) &&
           mu__str_eq(a->service_filter, b->service_filter) &&
           mu__str_eq(a->tag_filter, b->tag_filter) && a->version == b->version;
}

static void an_event_is_encoded_as_consul_does(void **state)
{
    struct user_event ev = captured_event();
    uint8_t buf[256];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    (void)state;
    user_event_encode(&w, &ev);
    assert_false(w.failed);
    assert_int_equal(w.len, sizeof captured - 1);
    assert_memory_equal(buf, captured, w.len);
}

static void what_is_empty_is_left_out(void **state)
{
    static const char want[] = "\x83\xa2ID\xa1i\xa1n\xa1x\xa1v\x01";
    struct user_event ev = {.id = mu__cstr("i"), .name = mu__cstr("x"), .version = 1}, back;
    uint8_t buf[64];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    (void)state;
    user_event_encode(&w, &ev);
    assert_int_equal(w.len, sizeof want - 1);
    assert_memory_equal(buf, want, w.len);
    assert_true(user_event_decode(buf, w.len, &back));
    assert_true(alike(&ev, &back));
}

static void all_lengths_come_back(void **state)
{
    static const size_t lengths[] = {1, 31, 32, 255, 256, 3000};
    char text[3000];
    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct mu_str s = {text, lengths[i]};
        struct user_event ev = {s, s, s, s, s, s, 1, 0}, back;
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        user_event_encode(&w, &ev);
        assert_false(w.failed);
        assert_true(user_event_decode(w.data, w.len, &back));
        assert_true(alike(&ev, &back));
        mu__writer_fini(&w);
    }
}

static void what_is_cut_off_or_of_another_type_is_refused(void **state)
{
    struct user_event ev;
    (void)state;
    for (size_t len = 0; len + 1 < sizeof captured; len++) {
        char *exact = malloc(len + 1); /* so that a read behind the end is seen */
        memcpy(exact, captured, len);
        assert_false(user_event_decode(exact, len, &ev));
        free(exact);
    }
    assert_false(user_event_decode("\x80", 1, &ev)); /* no name */
    assert_false(user_event_decode("\x90", 1, &ev));
    assert_false(user_event_decode("\x81\xa1n\xda\xff\xff", 6, &ev));
    assert_false(user_event_decode("\xdf\xff\xff\xff\xff", 5, &ev));
    assert_false(user_event_decode("\x82\xa1n\xa1x\xa1v\xff", 8, &ev)); /* version -1 */
}

static void unknown_members_are_passed_over(void **state)
{
    static const char with_more[] = "\x83\xa1zz\xa1n\xa1x"; /* a text where a map's value stands */
    static const char fine[] = "\x82\xa1z\x92\x01\x81\xa1"
                               "a\xc0\xa1n\xa1x";
    struct user_event ev;
    (void)state;
    assert_false(user_event_decode(with_more, sizeof with_more - 1, &ev));
    assert_true(user_event_decode(fine, sizeof fine - 1, &ev));
    assert_true(mu__str_eq(ev.name, mu__cstr("x")));
}

static void filters_must_be_regular_expressions(void **state)
{
    struct user_event ev = captured_event();
    char err[512];
    (void)state;
    assert_true(user_event_check(&ev, err, sizeof err));
    ev.node_filter = mu__cstr("(");
    assert_false(user_event_check(&ev, err, sizeof err));
    assert_string_equal(err, "Invalid node filter: error parsing regexp: missing closing ): `(`");
    ev.node_filter = mu__cstr("");
    ev.tag_filter = mu__cstr("*");
    assert_false(user_event_check(&ev, err, sizeof err));
    assert_string_equal(err, "Invalid tag filter: error parsing regexp: missing argument to "
                             "repetition operator: `*`");
    ev.service_filter = mu__cstr("");
    assert_false(user_event_check(&ev, err, sizeof err));
    assert_string_equal(err, "Cannot provide tag filter without service filter");
}

static void the_index_is_that_of_consul(void **state)
{
    (void)state;
    /* As a real agent answered. */
    assert_true(user_event_index(
                    &(struct user_event){.id = mu__cstr("0e33faba-fcba-b976-07d1-57ebe11803a2")}) ==
                712322254979119828u);
    assert_true(user_event_index(
                    &(struct user_event){.id = mu__cstr("acc57e44-3cc0-83c4-5177-b6a06ebd12ee")}) ==
                18280894720412324138u);
    /* What is no UUID has an index all the same. */
    assert_true(user_event_index(&(struct user_event){.id = mu__cstr("zz")}) == 1);
    assert_true(user_event_index(&(struct user_event){.id = mu__cstr("")}) == 1);
}

static void the_api_prints_all_members(void **state)
{
    char text[512] = "";
    struct mu__writer w = mu__writer_fixed(text, sizeof text - 1);
    struct mu__json j = mu__json(&w, false);
    struct user_event ev = {.id = mu__cstr("i"), .name = mu__cstr("n"), .version = 1, .ltime = 7};
    (void)state;
    mu__json_value(&j, &user_event_schema, &ev);
    assert_string_equal(text, "{\"ID\":\"i\",\"Name\":\"n\",\"Payload\":null,\"NodeFilter\":\"\","
                              "\"ServiceFilter\":\"\",\"TagFilter\":\"\",\"Version\":1,"
                              "\"LTime\":7}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_encoded_as_consul_does),
        cmocka_unit_test(what_is_empty_is_left_out),
        cmocka_unit_test(all_lengths_come_back),
        cmocka_unit_test(what_is_cut_off_or_of_another_type_is_refused),
        cmocka_unit_test(unknown_members_are_passed_over),
        cmocka_unit_test(filters_must_be_regular_expressions),
        cmocka_unit_test(the_index_is_that_of_consul),
        cmocka_unit_test(the_api_prints_all_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
