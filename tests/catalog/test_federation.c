/* Mirrors src/query_federation.c: what follows from mesh gateways. */
#include "fixture.h"

#include <muster/catalog_federation.h>

static const struct mu_time now = {100, 5};

static void add_gateway(struct fixture *f, const char *node)
{
    struct catalog_node_service s = {.id = S("mg"), .service = S("mg"), .kind = S("mesh-gateway")};
    add_node(f, node);
    apply_register(f, (struct catalog_register_request){
                          .node = mu__cstr(node), .service = &s, .skip_node_update = true});
}

static void test_the_state_has_the_gateways_of_its_datacenter(void **state)
{
    struct fixture *f = *state;
    const struct catalog_dc_request q = {.datacenter = S("dc1")};
    struct catalog_indexed_federation_states out;
    add_gateway(f, "n1");
    add_service(f, "n1", "web", "web");
    add_check(f, "n1", "c", "mg", "critical");
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_federation_states(f->r, &q, now, &out, NULL), 0);
    assert_int_equal(out.states.len, 1);
    const struct catalog_federation_state *s = out.states.items[0];
    assert_str(s->datacenter, "dc1");
    assert_int_equal(s->updated_at.since_year1_s, 100);
    assert_int_equal(s->modify_index, f->index);
    assert_int_equal(out.meta.index, f->index);
    assert_int_equal(s->mesh_gateways.len, 1);
    const struct catalog_check_service_node *n = s->mesh_gateways.items[0];
    assert_str(n->service->id, "mg");
    assert_int_equal(n->checks.len, 1);
    catalog_read_end(f->r);
}

static void test_another_datacenter_has_none(void **state)
{
    struct fixture *f = *state;
    struct catalog_federation_query q = {.datacenter = S("dc1"), .target_datacenter = S("dc2")};
    struct catalog_federation_reply out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_federation_state(f->r, &q, now, &out, NULL), 0);
    assert_null(out.state);
    q.target_datacenter = S("DC1");
    assert_int_equal(catalog_query_federation_state(f->r, &q, now, &out, NULL), 0);
    assert_non_null(out.state);
    assert_null(out.state->mesh_gateways.items);
    catalog_read_end(f->r);
}

static void test_a_datacenter_without_gateways_is_not_listed(void **state)
{
    struct fixture *f = *state;
    const struct catalog_dc_request q = {.datacenter = S("dc1")};
    struct catalog_datacenter_nodes out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_mesh_gateways(f->r, &q, &out, NULL), 0);
    assert_int_equal(out.datacenters.len, 0);
    catalog_read_end(f->r);
    add_gateway(f, "n1");
    add_gateway(f, "n2");
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_mesh_gateways(f->r, &q, &out, NULL), 0);
    assert_int_equal(out.datacenters.len, 1);
    assert_str(out.datacenters.items[0].key, "dc1");
    assert_int_equal(((const struct mu_list *)out.datacenters.items[0].value)->len, 2);
    catalog_read_end(f->r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(test_the_state_has_the_gateways_of_its_datacenter),
        TEST(test_another_datacenter_has_none),
        TEST(test_a_datacenter_without_gateways_is_not_listed),
    };
    return cmocka_run_group_tests_name("federation", tests, NULL, NULL);
}
