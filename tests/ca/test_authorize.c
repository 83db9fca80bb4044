/* Mirrors src/authorize.c. */
#include "ca_kit.h"
#include "intentions_model.h"

#include "scarce.h"

static struct ca_intention intention(const char *source, const char *destination,
                                     enum ca_action action)
{
    return (struct ca_intention){
        .source = str(source), .destination = str(destination), .action = action};
}

static struct ca_intentions *compile(const struct ca_intention *list, size_t count)
{
    struct ca_intentions *t;
    assert_int_equal(ca_intentions_create(list, count, 7, NULL, &t), CA_OK);
    return t;
}

static struct ca_id service(const char *name)
{
    return (struct ca_id){CA_ID_SERVICE, str(TD), str("default"), str("dc1"), str(name)};
}

static bool ask(const struct ca_intentions *t, const char *source, const char *destination,
                enum ca_action otherwise, struct ca_authorization *out)
{
    struct ca_id id = service(source);
    return ca_authorize(t, &id, str(""), str(destination), otherwise, out);
}

/* http-api 7.4 */
static void test_precedence_is_consuls(void **state)
{
    (void)state;
    struct ca_intention i = intention("web", "db", CA_ALLOW);
    assert_int_equal(ca_intention_precedence(&i), 9);
    i.source = str("*");
    assert_int_equal(ca_intention_precedence(&i), 8);
    i.destination = str("*");
    assert_int_equal(ca_intention_precedence(&i), 5);
    i.source = str("web");
    assert_int_equal(ca_intention_precedence(&i), 6);
    i.destination_ns = str("*");
    assert_int_equal(ca_intention_precedence(&i), 3);
}

static void test_the_most_exact_intention_decides(void **state)
{
    (void)state;
    const struct ca_intention list[] = {
        intention("*", "*", CA_DENY),    intention("web", "*", CA_ALLOW),
        intention("*", "db", CA_DENY),   intention("web", "db", CA_ALLOW),
        intention("evil", "*", CA_DENY), intention("*", "public", CA_ALLOW),
    };
    struct ca_intentions *t = compile(list, 6);
    struct ca_authorization why;
    assert_true(ask(t, "web", "db", CA_DENY, &why));
    assert_true(why.matched && why.intention == 3 && why.precedence == 9);
    assert_false(ask(t, "api", "db", CA_ALLOW, &why));
    assert_true(why.matched && why.intention == 2 && why.precedence == 8);
    assert_true(ask(t, "web", "cache", CA_DENY, &why));
    assert_true(why.intention == 1 && why.precedence == 6);
    assert_false(ask(t, "api", "cache", CA_ALLOW, &why));
    assert_true(why.intention == 0 && why.precedence == 5);
    assert_true(ask(t, "evil", "public", CA_DENY, &why)); /* the destination comes first */
    assert_int_equal(why.precedence, 8);
    ca_intentions_destroy(t);
}

/* A service may be called "*"; nothing that is meant for it alone can be said. */
static void test_a_service_called_star_is_one_of_many(void **state)
{
    (void)state;
    const struct ca_intention list[] = {
        intention("a", "b", CA_ALLOW), intention("*", "x", CA_ALLOW), intention("*", "*", CA_ALLOW),
        intention("web", "*", CA_DENY)};
    struct ca_intentions *t = compile(list, 4);
    struct ca_authorization why;
    assert_false(ask(t, "web", "*", CA_ALLOW, &why));
    assert_true(why.matched && why.precedence == 6);
    assert_true(ask(t, "*", "b", CA_DENY, &why));
    assert_true(why.matched && why.precedence == 5);
    ca_intentions_destroy(t);
}

static void test_without_a_match_the_default_decides(void **state)
{
    (void)state;
    const struct ca_intention one = intention("web", "db", CA_DENY);
    struct ca_intentions *t = compile(&one, 1), *none = compile(NULL, 0);
    struct ca_authorization why;
    assert_true(ask(t, "Web", "db", CA_ALLOW, &why)); /* another name */
    assert_false(why.matched);
    assert_false(ask(t, "api", "db", CA_DENY, &why));
    assert_true(ask(none, "api", "db", CA_ALLOW, NULL));
    assert_false(ask(none, "api", "db", CA_DENY, NULL));
    ca_intentions_destroy(t);
    ca_intentions_destroy(none);
}

static void test_who_is_no_service_reaches_nothing(void **state)
{
    (void)state;
    const struct ca_intention all = intention("*", "*", CA_ALLOW);
    struct ca_intentions *t = compile(&all, 1);
    struct ca_authorization why;
    struct ca_id agent = {CA_ID_AGENT, str(TD), str(""), str("dc1"), str("web")};
    struct ca_id signer = {.kind = CA_ID_TRUST_DOMAIN, .trust_domain = str(TD)};
    assert_false(ca_authorize(t, &agent, str(""), str("db"), CA_ALLOW, &why));
    assert_false(why.matched || why.allowed);
    assert_false(ca_authorize(t, &signer, str(""), str("db"), CA_ALLOW, NULL));
    ca_intentions_destroy(t);
}

static void test_of_two_for_one_pair_the_denial_counts(void **state)
{
    (void)state;
    const struct ca_intention list[] = {intention("a", "b", CA_ALLOW), intention("a", "b", CA_DENY),
                                        intention("a", "b", CA_ALLOW)};
    struct ca_intentions *t = compile(list, 3);
    struct ca_authorization why;
    assert_false(ask(t, "a", "b", CA_ALLOW, &why));
    assert_int_equal(why.intention, 1);
    ca_intentions_destroy(t);
}

static void test_bad_intentions_make_no_table(void **state)
{
    (void)state;
    struct ca_intention bad[] = {
        intention("", "db", CA_ALLOW),
        intention("web", "", CA_ALLOW),
        intention("we*", "db", CA_ALLOW),
        intention("web", "*db", CA_ALLOW),
        intention("web", "db", (enum ca_action)7),
        intention("web", "db", CA_ALLOW),
        intention("web", "db", CA_ALLOW),
    };
    bad[5].source_ns = str("*");
    bad[6].destination_ns = str("a*");
    struct ca_intentions *t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ca_intentions_create(&bad[i], 1, 0, NULL, &t), CA_EINVAL);
        assert_null(t);
    }
}

/* Any rules and any question: the table says what looking at each rule says. */
static void test_the_table_agrees_with_a_naive_model(void **state)
{
    (void)state;
    static const char *const names[] = {"*", "a", "b", "c", "web", "db", "a-longer-name"};
    static const char *const spaces[] = {"", "default", "*", "team"};
    struct mu__prng p;
    mu__prng_seed(&p, 1);
    for (int round = 0; round < 2000; round++) {
        struct ca_intention list[24];
        size_t count = 0, want = mu__prng_below(&p, 24);
        while (count < want) {
            struct ca_intention *i = &list[count];
            *i = intention(names[mu__prng_below(&p, 7)], names[mu__prng_below(&p, 7)],
                           mu__prng_below(&p, 2) ? CA_ALLOW : CA_DENY);
            i->source_ns = str(spaces[round % 2 ? 0 : mu__prng_below(&p, 4)]);
            i->destination_ns = str(spaces[round % 2 ? 0 : mu__prng_below(&p, 4)]);
            count += ca_intention_precedence(i) > 0;
        }
        struct ca_intentions *t = compile(list, count);
        for (int question = 0; question < 20; question++) {
            struct ca_id id = service(names[1 + mu__prng_below(&p, 6)]);
            id.ns = str(mu__prng_below(&p, 2) ? "default" : "team");
            struct mu_str ns = str(mu__prng_below(&p, 2) ? "" : "team"),
                          to = str(names[1 + mu__prng_below(&p, 6)]);
            struct ca_authorization why;
            bool allowed = ca_authorize(t, &id, ns, to, CA_ALLOW, &why);
            const struct ca_intention *i = model_decide(list, count, id.ns, id.name, ns, to);
            assert_int_equal(why.matched, i != NULL);
            assert_int_equal(allowed, !i || i->action == CA_ALLOW);
            assert_true(!i || (why.precedence == ca_intention_precedence(i) &&
                               list[why.intention].action == i->action));
        }
        ca_intentions_destroy(t);
    }
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    const struct ca_intention one = intention("web", "db", CA_DENY);
    struct ca_intentions *t;
    size_t n = 0;
    for (;; n++) {
        struct scarce s = {.left = n};
        struct mu_allocator a = scarce_allocator(&s);
        int rc = ca_intentions_create(&one, 1, 0, &a, &t);
        if (!s.ran_out) {
            assert_int_equal(rc, CA_OK);
            ca_intentions_destroy(t);
            break;
        }
        assert_int_equal(rc, CA_ENOMEM);
        assert_null(t);
    }
    assert_int_equal(n, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence_is_consuls),
        cmocka_unit_test(test_the_most_exact_intention_decides),
        cmocka_unit_test(test_a_service_called_star_is_one_of_many),
        cmocka_unit_test(test_without_a_match_the_default_decides),
        cmocka_unit_test(test_who_is_no_service_reaches_nothing),
        cmocka_unit_test(test_of_two_for_one_pair_the_denial_counts),
        cmocka_unit_test(test_bad_intentions_make_no_table),
        cmocka_unit_test(test_the_table_agrees_with_a_naive_model),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("ca authorize", tests, NULL, NULL);
}
