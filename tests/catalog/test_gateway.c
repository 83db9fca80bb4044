/* Mirrors src/tables_gateway.c and src/query_gateway.c: what is behind gateways, from entries and
 * registrations in either order. */
#include "bytes.h"
#include "fixture.h"
#include "snapshot.h"

#include <muster/catalog_gateway.h>

static void config(struct fixture *f, const char *op, const struct catalog_config_entry *e)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(catalog_config_schema(e->kind), e, &w);
    struct catalog_config_request r = {
        .kind = e->kind, .op = mu__cstr(op), .entry = {(const char *)w.data, w.len}};
    apply(f, CATALOG_ENTRY_CONFIG, CATALOG_CONFIG_REQUEST, &r);
    mu__writer_fini(&w);
    assert_string_equal(f->error, "");
}

static void terminating(struct fixture *f, const char *op, const char *name, const char *one,
                        const char *other)
{
    struct catalog_linked_service a = {.name = mu__cstr(one), .sni = S("named")};
    struct catalog_linked_service b = {.name = mu__cstr(other), .ca_file = S("all")};
    void *items[] = {&a, &b};
    struct catalog_terminating_gateway e = {
        .head = {.kind = S("terminating-gateway"), .name = mu__cstr(name)}, .services = {items, 2}};
    config(f, op, &e.head);
}

/* All services, by http on two ports. */
static void ingress(struct fixture *f, const char *op, const char *name)
{
    struct catalog_ingress_service s = {.name = S("*")};
    void *services[] = {&s};
    struct catalog_ingress_listener l[2] = {
        {.port = 7070, .protocol = S("http"), .services = {services, 1}},
        {.port = 8080, .protocol = S("http"), .services = {services, 1}}};
    void *listeners[] = {&l[0], &l[1]};
    struct catalog_ingress_gateway e = {
        .head = {.kind = S("ingress-gateway"), .name = mu__cstr(name)},
        .listeners = {listeners, 2}};
    config(f, op, &e.head);
}

static void protocol(struct fixture *f, const char *name, const char *protocol)
{
    struct catalog_service_defaults e = {
        .head = {.kind = S("service-defaults"), .name = mu__cstr(name)},
        .protocol = mu__cstr(protocol)};
    config(f, "upsert", &e.head);
}

static void add_gateway(struct fixture *f, const char *node, const char *name)
{
    struct catalog_node_service s = {
        .id = mu__cstr(name), .service = mu__cstr(name), .kind = S("ingress-gateway"), .port = 1};
    apply_register(f, (struct catalog_register_request){
                          .node = mu__cstr(node), .service = &s, .skip_node_update = true});
}

/* "web:sni/ca* db", in order, with a star for what came of a "*"; and its index. */
static uint64_t behind(struct fixture *f, const char *gateway, char *out, size_t size,
                       struct catalog_watch_keys *keys)
{
    struct catalog_service_request q = {.service_name = mu__cstr(gateway)};
    struct catalog_indexed_gateway_services reply;
    assert_int_equal(catalog_query_gateway_services(f->r, &q, &reply, keys), 0);
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < reply.services.len; i++) {
        const struct catalog_gateway_service *s = reply.services.items[i];
        n += (size_t)snprintf(out + n, size - n, "%s%.*s:%.*s%.*s%s", i ? " " : "",
                              (int)s->service.name.len, s->service.name.p, (int)s->sni.len,
                              s->sni.p ? s->sni.p : "", (int)s->ca_file.len,
                              s->ca_file.p ? s->ca_file.p : "", s->from_wildcard ? "*" : "");
        if (s->port) {
            n += (size_t)snprintf(out + n, size - n, "%u", (unsigned)s->port);
        }
    }
    return reply.meta.index;
}

#define assert_behind(f, gateway, expected)                                                        \
    do {                                                                                           \
        char got_[512];                                                                            \
        catalog_read_begin((f)->r);                                                                \
        behind((f), (gateway), got_, sizeof got_, NULL);                                           \
        catalog_read_end((f)->r);                                                                  \
        assert_string_equal(got_, (expected));                                                     \
    } while (0)

static void test_what_an_entry_names_is_linked_registered_or_not(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    terminating(f, "upsert", "tgw", "web", "db");
    assert_behind(f, "tgw", "db:all web:named");
    assert_behind(f, "TGW", "db:all web:named");
    assert_behind(f, "other", "");
    add_service(f, "n1", "web", "web");
    assert_behind(f, "tgw", "db:all web:named");
}

static void test_a_star_links_what_is_there_and_what_comes(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "w1", "web");
    add_service(f, "n1", "c", "consul");
    terminating(f, "upsert", "tgw", "db", "*");
    assert_behind(f, "tgw", "db:named web:all*");
    add_service(f, "n1", "a1", "api");
    assert_behind(f, "tgw", "api:all* db:named web:all*");
    add_service(f, "n1", "d1", "db");
    assert_behind(f, "tgw", "api:all* db:named web:all*");
}

static void test_a_star_lets_go_of_what_has_no_instance_any_more(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_node(f, "n2");
    terminating(f, "upsert", "tgw", "db", "*");
    add_service(f, "n1", "w1", "web");
    add_service(f, "n2", "w2", "web");
    add_service(f, "n1", "d1", "db");
    apply_deregister(f,
                     (struct catalog_deregister_request){.node = S("n1"), .service_id = S("w1")});
    assert_behind(f, "tgw", "db:named web:all*");
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n2")});
    assert_behind(f, "tgw", "db:named");
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1")});
    assert_behind(f, "tgw", "db:named");
}

static void test_an_instance_that_turns_into_a_gateway_is_let_go(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    terminating(f, "upsert", "tgw", "db", "*");
    add_service(f, "n1", "x", "x");
    assert_behind(f, "tgw", "db:named x:all*");
    add_gateway(f, "n1", "x");
    assert_behind(f, "tgw", "db:named");
    add_service(f, "n1", "x", "y");
    assert_behind(f, "tgw", "db:named y:all*");
}

static void test_what_was_behind_goes_with_the_entry(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "w1", "web");
    terminating(f, "upsert", "tgw", "db", "*");
    terminating(f, "upsert", "tgw", "api", "db");
    assert_behind(f, "tgw", "api:named db:all");
    terminating(f, "delete", "tgw", "", "");
    assert_behind(f, "tgw", "");
    add_service(f, "n1", "w2", "web2");
    assert_behind(f, "tgw", "");
}

static void test_an_ingress_gateway_passes_what_speaks_its_protocol(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "w1", "web");
    add_service(f, "n1", "d1", "db");
    ingress(f, "upsert", "ing");
    assert_behind(f, "ing", "");
    protocol(f, "web", "http");
    assert_behind(f, "ing", "web:*8080 web:*7070"); /* in the order of the original's keys */
    protocol(f, "db", "http");
    protocol(f, "web", "tcp");
    assert_behind(f, "ing", "db:*8080 db:*7070");
}

static void test_pairs_that_stay_keep_their_indexes(void **state)
{
    struct fixture *f = *state;
    char text[256];
    add_node(f, "n1");
    terminating(f, "upsert", "tgw", "web", "db");
    uint64_t first = f->index;
    terminating(f, "upsert", "tgw", "web", "db");
    add_service(f, "n1", "w1", "web");
    catalog_read_begin(f->r);
    assert_int_equal(behind(f, "tgw", text, sizeof text, NULL), first);
    catalog_read_end(f->r);
    terminating(f, "upsert", "tgw", "web", "api");
    catalog_read_begin(f->r);
    struct catalog_service_request q = {.service_name = S("tgw")};
    struct catalog_indexed_gateway_services reply;
    assert_int_equal(catalog_query_gateway_services(f->r, &q, &reply, NULL), 0);
    const struct catalog_gateway_service *api = reply.services.items[0],
                                         *web = reply.services.items[1];
    assert_str(api->service.name, "api");
    assert_int_equal(api->create_index, f->index);
    assert_int_equal(web->create_index, first);
    assert_int_equal(web->modify_index, first);
    assert_int_equal(reply.meta.index, f->index);
    catalog_read_end(f->r);
}

/* ---- The gateways of a service ---- */

static size_t gateways(struct fixture *f, const char *service, bool ingress_)
{
    struct catalog_service_request q = {
        .service_name = mu__cstr(service), .ingress = ingress_, .connect = !ingress_};
    struct catalog_indexed_check_service_nodes out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_check_service_nodes(f->r, &q, &out, NULL), 0);
    catalog_read_end(f->r);
    return out.nodes.len;
}

static void test_gateways_of_a_service_are_found_each_once(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "w1", "web");
    ingress(f, "upsert", "ing");
    assert_int_equal(gateways(f, "web", true), 0);
    add_gateway(f, "n1", "ing");
    assert_int_equal(gateways(f, "web", true), 1); /* two ports, one gateway */
    assert_int_equal(gateways(f, "web", false), 0);
    terminating(f, "upsert", "tgw", "web", "db");
    add_gateway(f, "n1", "tgw");
    assert_int_equal(gateways(f, "web", false), 1);
    assert_int_equal(gateways(f, "db", false), 1);
    ingress(f, "delete", "ing");
    assert_int_equal(gateways(f, "web", true), 0);
}

static void test_a_dump_has_pairs_without_instances_too(void **state)
{
    struct fixture *f = *state;
    struct catalog_service_request q = {.service_name = S("tgw")};
    struct catalog_indexed_service_dump out;
    add_node(f, "n1");
    add_node(f, "n2");
    terminating(f, "upsert", "tgw", "web", "db");
    add_service(f, "n1", "w1", "web");
    add_service(f, "n2", "w1", "web");
    add_check(f, "n2", "c", "w1", "passing");
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_gateway_service_dump(f->r, &q, &out, NULL), 0);
    assert_int_equal(out.dump.len, 3);
    const struct catalog_service_info *db = out.dump.items[0], *web = out.dump.items[2];
    assert_null(db->node);
    assert_str(db->gateway_service->service.name, "db");
    assert_str(web->node->node, "n2");
    assert_int_equal(web->checks.len, 1);
    assert_int_equal(out.meta.index, f->index);
    catalog_read_end(f->r);
}

/* ---- Waiting ---- */

static void wake(void *arg)
{
    ++*(int *)arg;
}

/* Waits for what is behind a gateway; the count of wake-ups of one round. */
static int woken_by(struct fixture *f, const char *gateway, void (*change)(struct fixture *f))
{
    struct catalog_watches *w;
    struct catalog_watch_keys keys;
    char text[512];
    int woken = 0;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    catalog_read_begin(f->r);
    behind(f, gateway, text, sizeof text, &keys);
    assert_int_equal(catalog_watches_add(w, &keys, wake, &woken, NULL), 0);
    catalog_read_end(f->r);
    change(f);
    catalog_watches_notify(w, f->touched);
    catalog_watches_destroy(w);
    return woken;
}

static void another_service(struct fixture *f)
{
    add_service(f, "n1", "new", "new");
}

static void the_same_service(struct fixture *f)
{
    add_service(f, "n1", "w2", "web");
}

static void another_protocol(struct fixture *f)
{
    protocol(f, "web", "http");
}

static void no_entry(struct fixture *f)
{
    terminating(f, "delete", "tgw", "", "");
}

static void test_waiters_are_woken_by_what_bears_on_their_gateway_alone(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "w1", "web");
    terminating(f, "upsert", "tgw", "db", "*");
    terminating(f, "upsert", "own", "db", "api");
    ingress(f, "upsert", "ing");
    assert_int_equal(woken_by(f, "tgw", the_same_service), 0);
    assert_int_equal(woken_by(f, "own", another_service), 0);
    apply_deregister(f,
                     (struct catalog_deregister_request){.node = S("n1"), .service_id = S("new")});
    assert_int_equal(woken_by(f, "tgw", another_service), 1);
    assert_int_equal(woken_by(f, "ing", another_protocol), 1);
    assert_int_equal(woken_by(f, "tgw", another_protocol), 0);
    assert_int_equal(woken_by(f, "own", no_entry), 0);
    terminating(f, "upsert", "tgw", "db", "*");
    assert_int_equal(woken_by(f, "tgw", no_entry), 1);
}

/* ---- Input ---- */

static void test_names_that_cannot_stand_in_a_key_are_refused(void **state)
{
    struct fixture *f = *state;
    char text[256], longest[600];
    memset(longest, 'x', sizeof longest);
    struct mu_str bad[] = {{"a\0b", 3}, {longest, sizeof longest}};
    for (size_t i = 0; i < 2; i++) {
        struct catalog_linked_service s = {.name = bad[i]};
        void *items[] = {&s};
        struct catalog_terminating_gateway e = {
            .head = {.kind = S("terminating-gateway"), .name = S("tgw")}, .services = {items, 1}};
        assert_string_equal(
            catalog_config_prepare(e.head.kind, &e.head, &mu__malloc_allocator, text, sizeof text),
            "Names must not contain a zero byte or be longer than 512 bytes");
    }
    assert_behind(f, "tgw", "");
}

/* ---- Snapshots from before there was the table ---- */

static struct bytes save(struct fixture *f)
{
    struct bytes b = {.p = NULL};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_snapshot_write(f->r, write_bytes, &b), 0);
    catalog_read_end(f->r);
    return b;
}

static void put_record(struct mu__writer *w, uint8_t type, const struct mu__schema *s,
                       const void *obj)
{
    mu__write_u8(w, type);
    size_t at = w->len;
    mu__write_u32be(w, 0);
    mu__schema_encode(s, obj, w);
    struct mu__writer len = mu__writer_fixed(w->data + at, 4);
    mu__write_u32be(&len, (uint32_t)(w->len - at - 4));
}

/* The same without pairs and without their index. */
static struct mu__writer as_before(const struct bytes *b)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__reader r = mu__reader(b->p, b->len);
    struct catalog__tail tail = {0};
    mu__write_bytes(&w, mu__read_bytes(&r, CATALOG__SNAPSHOT_MAGIC_LEN + 1),
                    CATALOG__SNAPSHOT_MAGIC_LEN + 1);
    for (uint8_t type; (type = mu__read_u8(&r)) != CATALOG__SNAPSHOT_END;) {
        size_t len = mu__read_u32be(&r);
        struct mu__reader body = mu__reader(mu__read_bytes(&r, len), len);
        assert_false(r.failed);
        tail.records += type != CATALOG__SNAPSHOT_GATEWAY;
        if (type == CATALOG__SNAPSHOT_TOTALS) {
            struct catalog__totals totals;
            assert_true(mu__schema_decode(&catalog__totals_schema, &body, NULL, true, &totals));
            assert_true(totals.table[CATALOG__TABLE_GATEWAYS] > 0);
            totals.table[CATALOG__TABLE_GATEWAYS] = 0;
            put_record(&w, type, &catalog__totals_schema, &totals);
        } else if (type != CATALOG__SNAPSHOT_GATEWAY) {
            mu__write_u8(&w, type);
            mu__write_u32be(&w, (uint32_t)len);
            mu__write_bytes(&w, mu__read_bytes(&body, len), len);
        }
    }
    put_record(&w, CATALOG__SNAPSHOT_END, &catalog__tail_schema, &tail);
    return w;
}

static void test_a_snapshot_without_the_table_links_what_its_entries_say(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "web", "web");
    terminating(f, "upsert", "tgw", "db", "*");
    ingress(f, "upsert", "igw");
    protocol(f, "web", "http");
    struct bytes now = save(f);
    struct mu__writer old = as_before(&now);
    struct bytes b = {.p = old.data, .len = old.len};
    assert_int_equal(catalog_restore(f->c, read_bytes, &b, NULL), 0);
    catalog__check(f->c);
    assert_behind(f, "tgw", "db:named web:all*");
    assert_behind(f, "igw", "web:*8080 web:*7070");
    add_service(f, "n1", "a1", "api");
    assert_behind(f, "tgw", "api:all* db:named web:all*");
    mu__writer_fini(&old);
    free(now.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(test_what_an_entry_names_is_linked_registered_or_not),
        TEST(test_a_star_links_what_is_there_and_what_comes),
        TEST(test_a_star_lets_go_of_what_has_no_instance_any_more),
        TEST(test_an_instance_that_turns_into_a_gateway_is_let_go),
        TEST(test_what_was_behind_goes_with_the_entry),
        TEST(test_an_ingress_gateway_passes_what_speaks_its_protocol),
        TEST(test_pairs_that_stay_keep_their_indexes),
        TEST(test_gateways_of_a_service_are_found_each_once),
        TEST(test_a_dump_has_pairs_without_instances_too),
        TEST(test_waiters_are_woken_by_what_bears_on_their_gateway_alone),
        TEST(test_names_that_cannot_stand_in_a_key_are_refused),
        TEST(test_a_snapshot_without_the_table_links_what_its_entries_say),
    };
    return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
