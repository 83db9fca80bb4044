/* Mirrors daemons/rpc/intention_order.c, against a model that goes through all of them. */
#include "mu_test.h"

#include "prng.h"
#include "rpc/intention_order.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

#define NAMES  6u
#define MANY   10000u
#define ROUNDS 4000u

static struct mu_str any_or(struct mu__prng *p, const char *const *from, unsigned n)
{
    return mu__cstr(from[mu__prng_below(p, n)]);
}

static int exactness(struct mu_str ns, struct mu_str name)
{
    bool any_ns = mu__str_eq(ns, mu__cstr("*")), any = mu__str_eq(name, mu__cstr("*"));
    return any_ns ? 0 : any ? 1 : 2;
}

/* One list with holes, for one destination, in any order. */
static size_t make(struct mu__prng *p, struct catalog_intention *all, void **items)
{
    static const char *const ns[] = {"*", "default", "a"};
    static const char *const names[NAMES] = {"*", "a", "ab", "b", "web", "Web"};
    size_t n = mu__prng_below(p, 24);
    for (size_t i = 0; i < n; i++) {
        struct catalog_intention *x = &all[i];
        memset(x, 0, sizeof *x);
        x->source_ns = any_or(p, ns, 3);
        x->source_name = any_or(p, names, NAMES);
        x->destination_name = mu__cstr(mu__prng_below(p, 2) ? "db" : "*");
        int to = mu__str_eq(x->destination_name, mu__cstr("db")) ? 2 : 1;
        x->precedence = 3 * to + exactness(x->source_ns, x->source_name) + 1;
        items[i] = x;
    }
    return n;
}

static bool matches(struct mu_str said, struct mu_str name)
{
    return mu__str_eq(said, mu__cstr("*")) || mu__str_eq(said, name);
}

/* The highest precedence that any intention for the source has; 0: none. */
static int64_t model(const struct mu_list *l, struct mu_str ns, struct mu_str name)
{
    int64_t best = 0;
    for (size_t i = 0; i < l->len; i++) {
        const struct catalog_intention *x = l->items[i];
        bool hit = matches(x->source_ns, ns) && matches(x->source_name, name);
        best = hit && x->precedence > best ? x->precedence : best;
    }
    return best;
}

/* Of a list in order, what going through it finds. */
static const struct catalog_intention *first(const struct mu_list *l, struct mu_str ns,
                                             struct mu_str name)
{
    for (size_t i = 0; i < l->len; i++) {
        const struct catalog_intention *x = l->items[i];
        if (matches(x->source_ns, ns) && matches(x->source_name, name)) {
            return x;
        }
    }
    return NULL;
}

static void test_it_decides_as_going_through_all_does(void **state)
{
    static const char *const names[] = {"a", "ab", "b", "web", "Web", "we", "c", "", "*", "zz"};
    struct catalog_intention all[24];
    void *items[24];
    struct mu__prng p;
    (void)state;
    mu__prng_seed(&p, 7);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct mu_list l = {items, make(&p, all, items)};
        intention_order(&l);
        for (size_t i = 0; i < 20; i++) {
            struct mu_str ns = mu__cstr(i % 2 ? "default" : "a"), name = mu__cstr(names[i / 2]);
            const struct catalog_intention *x = intention_deciding(&l, ns, name);
            assert_ptr_equal(x, first(&l, ns, name));
            assert_int_equal(x ? x->precedence : 0, model(&l, ns, name));
        }
    }
}

static struct catalog_intention many[MANY];
static char names[MANY][12];
static void *slots[MANY];

static struct mu_list make_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "s%05zu", i);
        many[i] = (struct catalog_intention){.source_ns = mu__cstr("default"),
                                             .source_name = mu__cstr(names[i]),
                                             .destination_ns = mu__cstr("default"),
                                             .destination_name = mu__cstr("db"),
                                             .precedence = 9};
        slots[MANY - 1 - i] = &many[i];
    }
    many[MANY - 1].source_name = mu__cstr("*");
    many[MANY - 1].precedence = 8;
    return (struct mu_list){slots, MANY};
}

static void test_among_ten_thousand_each_is_found(void **state)
{
    struct mu_list l = make_many();
    (void)state;
    intention_order(&l);
    for (size_t i = 0; i < MANY; i++) {
        assert_ptr_equal(intention_deciding(&l, mu__cstr("default"), mu__cstr(names[i])), &many[i]);
    }
    assert_ptr_equal(intention_deciding(&l, mu__cstr("default"), mu__cstr("other")),
                     &many[MANY - 1]);
    assert_null(intention_deciding(&l, mu__cstr("else"), mu__cstr("s00001")));
}

/* Another name in a place leads astray a search that comes there, and no other. */
static void test_few_of_ten_thousand_are_looked_at(void **state)
{
    struct mu_list l = make_many();
    size_t looked_at = 0;
    (void)state;
    intention_order(&l);
    for (size_t i = 0; i < MANY; i++) {
        struct catalog_intention *kept = l.items[i];
        struct catalog_intention other = *kept;
        other.source_name = mu__cstr("s04321");
        l.items[i] = &other;
        looked_at += intention_deciding(&l, mu__cstr("default"), mu__cstr("s04321")) != &many[4321];
        l.items[i] = kept;
    }
    assert_true(looked_at < 100);
}

static void test_what_is_in_order_stays_as_it_is(void **state)
{
    struct mu_list l = make_many(), none = {NULL, 0};
    void *before[8];
    (void)state;
    intention_order(&l);
    memcpy(before, l.items, sizeof before);
    intention_order(&l);
    assert_memory_equal(before, l.items, sizeof before);
    intention_order(&none);
    assert_null(intention_deciding(&none, mu__cstr("default"), mu__cstr("web")));
}

static void test_extreme_precedences_of_a_hostile_server_do_no_harm(void **state)
{
    struct catalog_intention x[2] = {
        {.source_ns = mu__cstr("default"), .source_name = mu__cstr("a"), .precedence = INT64_MIN},
        {.source_ns = mu__cstr("default"), .source_name = mu__cstr("b"), .precedence = INT64_MAX}};
    void *items[] = {&x[0], &x[1]};
    struct mu_list l = {items, 2};
    (void)state;
    intention_order(&l);
    assert_ptr_equal(l.items[0], &x[1]);
    assert_ptr_equal(intention_deciding(&l, mu__cstr("default"), mu__cstr("a")), &x[0]);
    assert_null(intention_deciding(&l, mu__cstr("default"), mu__cstr("c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_decides_as_going_through_all_does),
        cmocka_unit_test(test_among_ten_thousand_each_is_found),
        cmocka_unit_test(test_few_of_ten_thousand_are_looked_at),
        cmocka_unit_test(test_what_is_in_order_stays_as_it_is),
        cmocka_unit_test(test_extreme_precedences_of_a_hostile_server_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
