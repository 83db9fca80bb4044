/* Mirrors daemons/server/config.c and coordinates.c: config entries, chains and coordinates as the
 * calls of agents bring them and ask for them. */
#include "mu_test.h"

#include "server_kit.h"

#include "msgpack.h"

#include <muster/catalog.h>
#include <muster/catalog_config.h>

static struct server_kit k;

static int setup(void **state)
{
    (void)state;
    kit_open(&k, "");
    kit_elect(&k);
    k.server->coordinates_period_ns = MU_MSEC;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&k);
    return 0;
}

/* What became of a call; the reply is looked at while it is lent. */
static struct {
    int done;
    char error[512];
    bool flag;
    size_t len;
    uint64_t index;
    double x; /* of the last coordinate */
    char text[256];
} got;

static void keep(struct mu_str s)
{
    snprintf(got.text, sizeof got.text, "%.*s", (int)s.len, s.p ? s.p : "");
}

static void note_coordinates(const struct mu_list *l)
{
    got.len = l->len;
    if (l->len) {
        const struct catalog_coordinate *c = l->items[l->len - 1];
        got.x = c->coord->vec.items[0];
        keep(c->node);
    }
}

static void note(struct call *c, void *arg)
{
    (void)arg;
    got.done = 1;
    if (c->error) {
        snprintf(got.error, sizeof got.error, "%s", c->error);
    } else if (c->endpoint == &endpoints[ENDPOINT_CONFIG_ENTRY_APPLY]) {
        got.flag = *(const bool *)c->reply;
    } else if (c->endpoint == &endpoints[ENDPOINT_CONFIG_ENTRY_GET]) {
        const struct catalog_config_reply *r = c->reply;
        got.len = r->entry != NULL;
        got.index = r->meta.index;
        keep(r->entry ? ((struct catalog_service_defaults *)r->entry)->protocol : mu__cstr(""));
    } else if (c->endpoint == &endpoints[ENDPOINT_CONFIG_ENTRY_LIST]) {
        got.len = ((const struct catalog_indexed_config_entries *)c->reply)->entries.len;
    } else if (c->endpoint == &endpoints[ENDPOINT_DISCOVERY_CHAIN_GET]) {
        keep(((const struct catalog_chain_reply *)c->reply)->chain->start_node);
    } else if (c->endpoint == &endpoints[ENDPOINT_CONFIG_ENTRY_RESOLVE_SERVICE_CONFIG]) {
        keep(((const struct catalog_service_config *)c->reply)->proxy_config);
    } else if (c->endpoint == &endpoints[ENDPOINT_COORDINATE_NODE]) {
        note_coordinates(&((const struct catalog_indexed_coordinates *)c->reply)->coordinates);
    } else if (c->endpoint == &endpoints[ENDPOINT_COORDINATE_LIST_DATACENTERS]) {
        const struct mu_list *maps = c->reply;
        assert_int_equal(maps->len, 1);
        note_coordinates(&((const struct catalog_datacenter_map *)maps->items[0])->coordinates);
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

/* ---- Config entries ---- */

static void write_defaults(enum endpoint_id id, const char *kind, const char *protocol)
{
    struct call *c;
    struct catalog_config_request *q = call(id, &c);
    struct catalog_service_defaults e = {.head = {.name = mu__cstr("web")},
                                         .protocol = mu__cstr(protocol)};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(catalog_config_schema(mu__cstr("service-defaults")), &e, &w);
    q->kind = mu__cstr(kind);
    q->entry = (struct mu_str){mu__arena_memdup(&c->arena, w.data, w.len), w.len};
    mu__writer_fini(&w);
    run(c);
}

static void read_entry(enum endpoint_id id, const char *kind)
{
    struct call *c;
    struct catalog_config_query *q = call(id, &c);
    q->kind = mu__cstr(kind);
    q->name = mu__cstr("web");
    run(c);
}

static void test_an_entry_is_normalised_before_it_is_written(void **state)
{
    (void)state;
    write_defaults(ENDPOINT_CONFIG_ENTRY_APPLY, "service-defaults", "HTTP");
    assert_string_equal(got.error, "");
    assert_true(got.flag);
    read_entry(ENDPOINT_CONFIG_ENTRY_GET, "service-defaults");
    assert_string_equal(got.text, "http");
    assert_true(got.index > 1);
    read_entry(ENDPOINT_CONFIG_ENTRY_LIST, "service-defaults");
    assert_int_equal(got.len, 1);
    read_entry(ENDPOINT_CONFIG_ENTRY_LIST, "");
    assert_int_equal(got.len, 1);
    write_defaults(ENDPOINT_CONFIG_ENTRY_DELETE, "service-defaults", "");
    assert_string_equal(got.error, "");
    read_entry(ENDPOINT_CONFIG_ENTRY_GET, "service-defaults");
    assert_int_equal(got.len, 0);
}

static void test_kinds_that_do_not_exist_are_refused_by_all(void **state)
{
    (void)state;
    write_defaults(ENDPOINT_CONFIG_ENTRY_APPLY, "nosuch", "");
    assert_string_equal(got.error, "invalid config entry kind: nosuch");
    write_defaults(ENDPOINT_CONFIG_ENTRY_DELETE, "nosuch", "");
    assert_string_equal(got.error, "invalid config entry kind: nosuch");
    read_entry(ENDPOINT_CONFIG_ENTRY_GET, "nosuch");
    assert_string_equal(got.error, "invalid config entry kind: nosuch");
    read_entry(ENDPOINT_CONFIG_ENTRY_GET, "");
    assert_string_equal(got.error, "invalid config entry kind: ");
    read_entry(ENDPOINT_CONFIG_ENTRY_LIST, "nosuch");
    assert_string_equal(got.error, "invalid config entry kind: nosuch");
}

static void test_what_can_only_be_refused_costs_no_entry_of_the_log(void **state)
{
    (void)state;
    struct raft_node_status before, after;
    raft_node_status(k.server->raft, &before);
    write_defaults(ENDPOINT_CONFIG_ENTRY_APPLY, "service-splitter", "");
    assert_string_equal(got.error, "no splits configured");
    raft_node_status(k.server->raft, &after);
    assert_int_equal(after.last_log_index, before.last_log_index);
}

static void test_a_service_without_entries_has_a_chain(void **state)
{
    (void)state;
    struct call *c;
    struct catalog_chain_request *q = call(ENDPOINT_DISCOVERY_CHAIN_GET, &c);
    q->name = mu__cstr("web");
    run(c);
    assert_string_equal(got.text, "resolver:web.default.dc1");
    q = call(ENDPOINT_DISCOVERY_CHAIN_GET, &c);
    run(c);
    assert_string_equal(got.error, "serviceName is required");
}

static void test_a_proxy_is_told_the_protocol_of_its_service(void **state)
{
    (void)state;
    struct call *c;
    write_defaults(ENDPOINT_CONFIG_ENTRY_APPLY, "service-defaults", "grpc");
    struct catalog_service_config_request *q =
        call(ENDPOINT_CONFIG_ENTRY_RESOLVE_SERVICE_CONFIG, &c);
    q->name = mu__cstr("web");
    run(c);
    assert_string_equal(got.text, "\x81\xa8protocol\xa4grpc");
}

/* ---- Coordinates ---- */

static void tell(const char *node, double x, size_t dimensions)
{
    struct call *c;
    struct catalog_coordinate_update_request *q = call(ENDPOINT_COORDINATE_UPDATE, &c);
    struct catalog_vivaldi *v = mu__arena_calloc(&c->arena, 1, sizeof *v);
    v->vec.items = mu__arena_calloc(&c->arena, 8, sizeof *v->vec.items);
    v->vec.items[0] = x;
    v->vec.len = dimensions;
    q->node = mu__cstr(node);
    q->coord = v;
    run(c);
}

static void read_coordinate(const char *node)
{
    struct call *c;
    struct catalog_node_request *q = call(ENDPOINT_COORDINATE_NODE, &c);
    q->node = mu__cstr(node);
    run(c);
}

static void register_node(const char *node, const char *service)
{
    struct call *c;
    struct catalog_register_request *q = call(ENDPOINT_CATALOG_REGISTER, &c);
    q->node = mu__cstr(node);
    q->address = mu__cstr("10.0.0.1");
    q->service = mu__arena_calloc(&c->arena, 1, sizeof *q->service);
    q->service->service = mu__cstr(service);
    run(c);
    assert_string_equal(got.error, "");
}

static void test_the_newest_coordinate_of_a_period_is_written(void **state)
{
    (void)state;
    register_node("n1", "consul");
    tell("n1", 1, 8);
    assert_string_equal(got.error, "");
    tell("n1", 2, 8);
    KIT_UNTIL(&k, (read_coordinate("n1"), got.len == 1));
    assert_true(got.x == 2.0);
}

static void test_more_than_fits_into_a_period_is_written_in_the_next(void **state)
{
    (void)state;
    char name[16];
    register_node("last", "web");
    k.server->coordinates_period_ns = 20 * MU_MSEC; /* all are told before it ends, or soon after */
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof name, "n%d", i);
        tell(name, i, 8);
    }
    tell("last", 7, 8);
    KIT_UNTIL(&k, (read_coordinate("last"), got.len == 1));
    assert_true(got.x == 7.0);
}

static void test_what_is_no_coordinate_is_refused(void **state)
{
    (void)state;
    tell("n1", 1, 3);
    assert_string_equal(got.error, "incompatible coordinate");
    tell("n1", __builtin_inf(), 8);
    assert_string_equal(got.error, "invalid coordinate");
}

static void test_servers_are_where_they_say_and_else_at_the_origin(void **state)
{
    (void)state;
    struct call *c;
    call(ENDPOINT_COORDINATE_LIST_DATACENTERS, &c);
    run(c);
    assert_int_equal(got.len, 1);
    assert_string_equal(got.text, "s1");
    assert_true(got.x == 0.0);
    register_node("n1", "consul");
    tell("n1", 3, 8);
    KIT_UNTIL(&k, (read_coordinate("n1"), got.len == 1));
    call(ENDPOINT_COORDINATE_LIST_DATACENTERS, &c);
    run(c);
    assert_string_equal(got.text, "n1");
    assert_true(got.x == 3.0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_entry_is_normalised_before_it_is_written),
        TEST(test_kinds_that_do_not_exist_are_refused_by_all),
        TEST(test_what_can_only_be_refused_costs_no_entry_of_the_log),
        TEST(test_a_service_without_entries_has_a_chain),
        TEST(test_a_proxy_is_told_the_protocol_of_its_service),
        TEST(test_the_newest_coordinate_of_a_period_is_written),
        TEST(test_more_than_fits_into_a_period_is_written_in_the_next),
        TEST(test_what_is_no_coordinate_is_refused),
        TEST(test_servers_are_where_they_say_and_else_at_the_origin),
    };
    return cmocka_run_group_tests_name("server_config", tests, NULL, NULL);
}
