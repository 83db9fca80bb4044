/* Mirrors daemons/agent/sync*.c and core_call.c: an agent's local state against a catalog that a
 * table of this test plays. Core and front are one loop here, which the test turns until what it
 * waits for is true. */
#include "mu_test.h"

#include "agent/definitions.h"
#include "agent/sync_diff.h"
#include "agent/sync_internal.h"
#include "base/json.h"
#include "base/log.h"
#include "rpc/endpoints.h"

#include <fcntl.h>
#include <unistd.h>

#define MAX 64

struct catalog {
    struct call_backend backend; /* first */
    struct catalog_node *node;
    struct catalog_node_service *services[MAX];
    struct catalog_check *checks[MAX];
    size_t nservices, nchecks;
    unsigned reads, registers, deregisters, nodes_written, in_flight, most_in_flight;
    const char *error; /* what every write is answered with; NULL: it is done */
    struct mu__arena arena;
};

struct fixture {
    struct loop *loop;
    struct config *config;
    struct local local;
    struct sync *sync;
    struct catalog catalog;
    int log;
};

static char err[LOCAL_ERROR_MAX];

/* ---- The catalog ---- */

static void drop_service(struct catalog *k, struct mu_str id)
{
    for (size_t i = 0; i < k->nservices; i++) {
        if (mu__str_eq(k->services[i]->id, id)) {
            free(k->services[i]);
            k->services[i] = k->services[--k->nservices];
        }
    }
}

static void drop_check(struct catalog *k, struct mu_str id)
{
    for (size_t i = 0; i < k->nchecks; i++) {
        if (mu__str_eq(k->checks[i]->check_id, id)) {
            free(k->checks[i]);
            k->checks[i] = k->checks[--k->nchecks];
        }
    }
}

static void put_check(struct catalog *k, const struct catalog_check *c)
{
    drop_check(k, c->check_id);
    assert_true(k->nchecks < MAX);
    k->checks[k->nchecks++] =
        mu__schema_clone(catalog_schema(CATALOG_CHECK), c, &mu__malloc_allocator);
}

static void put_service(struct catalog *k, const struct catalog_node_service *s)
{
    drop_service(k, s->id);
    assert_true(k->nservices < MAX);
    k->services[k->nservices++] =
        mu__schema_clone(catalog_schema(CATALOG_NODE_SERVICE), s, &mu__malloc_allocator);
    k->services[k->nservices - 1]->create_index = 7; /* the catalog's own: no difference */
}

static void answer_register(struct catalog *k, const struct catalog_register_request *r)
{
    k->registers++;
    if (!r->skip_node_update) {
        const struct catalog_node n = {.id = r->id,
                                       .node = r->node,
                                       .address = r->address,
                                       .tagged_addresses = r->tagged_addresses,
                                       .meta = r->node_meta};
        free(k->node);
        k->node = mu__schema_clone(catalog_schema(CATALOG_NODE), &n, &mu__malloc_allocator);
        k->nodes_written++;
    }
    if (r->service) {
        put_service(k, r->service);
    }
    if (r->check) {
        put_check(k, r->check);
    }
    for (size_t i = 0; i < r->checks.len; i++) {
        put_check(k, r->checks.items[i]);
    }
}

static void answer_deregister(struct catalog *k, const struct catalog_deregister_request *r)
{
    k->deregisters++;
    if (r->service_id.len) {
        drop_service(k, r->service_id);
    }
    if (r->check_id.len) {
        drop_check(k, r->check_id);
    }
}

static void answer_read(struct catalog *k, struct call *c)
{
    k->reads++;
    c->reply = mu__arena_calloc(&c->arena, 1, c->endpoint->reply->size);
    if (c->endpoint == &endpoints[ENDPOINT_HEALTH_NODE_CHECKS]) {
        struct catalog_indexed_checks *r = c->reply;
        r->health_checks = (struct mu_list){(void **)k->checks, k->nchecks};
    } else {
        struct catalog_indexed_node_service_list *r = c->reply;
        r->node_services.node = k->node;
        r->node_services.services = (struct mu_list){(void **)k->services, k->nservices};
    }
}

static void start(struct call_backend *b, struct call *c)
{
    struct catalog *k = (struct catalog *)b;
    bool read = c->endpoint->kind == ENDPOINT_READ;
    if (k->error && !read) {
        call_fail(c, "%s", k->error);
        return;
    }
    if (read) {
        answer_read(k, c);
    } else if (c->endpoint == &endpoints[ENDPOINT_CATALOG_REGISTER]) {
        answer_register(k, c->request);
    } else {
        assert_ptr_equal(c->endpoint, &endpoints[ENDPOINT_CATALOG_DEREGISTER]);
        answer_deregister(k, c->request);
    }
    call_finish(c);
}

static const struct catalog_node_service *held(const struct catalog *k, const char *id)
{
    for (size_t i = 0; i < k->nservices; i++) {
        if (mu__str_eq(k->services[i]->id, mu__cstr(id))) {
            return k->services[i];
        }
    }
    return NULL;
}

static const struct catalog_check *held_check(const struct catalog *k, const char *id)
{
    for (size_t i = 0; i < k->nchecks; i++) {
        if (mu__str_eq(k->checks[i]->check_id, mu__cstr(id))) {
            return k->checks[i];
        }
    }
    return NULL;
}

/* ---- The agent ---- */

static void on_change(void *arg)
{
    struct fixture *f = arg;
    if (f->sync) {
        sync_changed(f->sync);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    static const char text[] =
        "{\"data_dir\":\"/"
        "tmp\",\"bind_addr\":\"127.0.0.1\",\"node_name\":\"n1\",\"node_meta\":{\"k\":\"v\"}}";
    f->log = log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    f->loop = loop_create("both");
    f->config = config_from_text("x.json", text, strlen(text), err, sizeof err);
    f->catalog.backend.start = start;
    if (!f->config || !local_init(&f->local, f->config, loop_base(f->loop), 1)) {
        return -1;
    }
    f->local.changed = on_change;
    f->local.arg = f;
    const struct sync_config c = {.local = &f->local,
                                  .config = f->config,
                                  .node_id = mu__cstr("12345678-1234-1234-1234-123456789abc"),
                                  .core = f->loop,
                                  .front = f->loop,
                                  .backend = &f->catalog.backend,
                                  .seed = 1};
    f->sync = sync_create(&c);
    local_start(&f->local);
    *state = f;
    return f->sync ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sync_destroy(f->sync);
    local_stop(&f->local);
    loop_destroy(f->loop);
    local_fini(&f->local);
    config_destroy(f->config);
    for (size_t i = 0; i < f->catalog.nservices; i++) {
        free(f->catalog.services[i]);
    }
    for (size_t i = 0; i < f->catalog.nchecks; i++) {
        free(f->catalog.checks[i]);
    }
    free(f->catalog.node);
    close(log_set_fd(f->log));
    free(f);
    return 0;
}

static void add_service(struct fixture *f, const char *json)
{
    struct catalog_service_definition d = {.port = 0};
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    assert_true(json_decode(catalog_schema(CATALOG_SERVICE_DEFINITION), json, strlen(json), &a, &d,
                            err, sizeof err));
    assert_true(definition_check_service(&d, &a, err, sizeof err));
    assert_true(
        local_add_service(&f->local, &d, mu__cstr(""), false, SOURCE_REMOTE, err, sizeof err));
    mu__arena_fini(&a);
}

static bool all_in_sync(const struct fixture *f)
{
    size_t at = 0;
    for (const struct local_entry *e; (e = mu__map_next(&f->local.services, &at));) {
        if (!e->in_sync) {
            return false;
        }
    }
    at = 0;
    for (const struct local_entry *e; (e = mu__map_next(&f->local.checks, &at));) {
        if (!e->in_sync) {
            return false;
        }
    }
    return true;
}

/* Turns the loop until local state and catalog agree, and the catalog has been read at least
 * `reads` times. */
static void settle(struct fixture *f, unsigned reads)
{
    while (!sync_is_idle(f->sync) || !all_in_sync(f) || f->catalog.reads < reads ||
           !f->catalog.node) {
        event_base_loop(loop_base(f->loop), EVLOOP_ONCE);
    }
}

static void assert_text(struct mu_str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    if (s.len) {
        assert_memory_equal(s.p, expected, s.len);
    }
}

/* ---- Tests ---- */

static void test_an_agent_without_services_registers_its_node(void **state)
{
    struct fixture *f = *state;
    sync_start(f->sync);
    settle(f, 2);
    assert_int_equal(f->catalog.registers, 1);
    assert_text(f->catalog.node->node, "n1");
    assert_text(f->catalog.node->address, "127.0.0.1");
    assert_text(mu__strmap_get(&f->catalog.node->meta, "k"), "v");
    assert_text(mu__strmap_get(&f->catalog.node->tagged_addresses, "lan"), "127.0.0.1");
}

static void test_a_service_travels_with_its_checks_in_one_call(void **state)
{
    struct fixture *f = *state;
    sync_start(f->sync);
    settle(f, 2);
    unsigned before = f->catalog.registers;
    add_service(f,
                "{\"Name\":\"web\",\"Port\":80,\"Checks\":[{\"TTL\":\"10s\"},{\"TTL\":\"10s\"}]}");
    settle(f, 2);
    assert_int_equal(f->catalog.registers, before + 1);
    assert_int_equal(f->catalog.reads, 2); /* a change needs no comparison */
    assert_int_equal(held(&f->catalog, "web")->port, 80);
    assert_non_null(held_check(&f->catalog, "service:web:1"));
    assert_non_null(held_check(&f->catalog, "service:web:2"));
    assert_int_equal(f->catalog.nodes_written, 1); /* the node is not written again */
}

/* The loop only turns: nothing here waits for a timer. */
static void test_the_first_change_waits_for_no_timer_and_later_ones_go_together(void **state)
{
    struct fixture *f = *state;
    sync_start(f->sync);
    settle(f, 2);
    unsigned before = f->catalog.registers;
    f->sync->began_ns = 0; /* long ago */
    add_service(f, "{\"Name\":\"first\",\"Port\":80}");
    for (int i = 0; i < 8; i++) {
        event_base_loop(loop_base(f->loop), EVLOOP_NONBLOCK);
    }
    assert_int_equal(f->catalog.registers, before + 1);
    assert_non_null(held(&f->catalog, "first"));

    uint64_t later = f->sync->began_ns = loop_now_ns() + MU_SEC; /* a pass of right now */
    add_service(f, "{\"Name\":\"second\",\"Port\":80}");
    add_service(f, "{\"Name\":\"third\",\"Port\":80}");
    event_base_loop(loop_base(f->loop), EVLOOP_NONBLOCK);
    assert_int_equal(f->catalog.registers, before + 1);
    assert_true(f->sync->began_ns == later && !sync_is_idle(f->sync)); /* a timer runs */
}

static void test_a_status_is_told_at_once_and_alone(void **state)
{
    struct fixture *f = *state;
    add_service(f, "{\"Name\":\"web\",\"Check\":{\"TTL\":\"10s\"}}");
    sync_start(f->sync);
    settle(f, 2);
    unsigned before = f->catalog.registers;
    assert_true(local_update_check(&f->local, mu__cstr("service:web"), CHECK_PASSING,
                                   mu__cstr("good"), err, sizeof err));
    settle(f, 2);
    assert_int_equal(f->catalog.registers, before + 1);
    assert_text(held_check(&f->catalog, "service:web")->status, "passing");
    assert_text(held_check(&f->catalog, "service:web")->output, "good");
}

static void test_a_removal_reaches_the_catalog_and_is_forgotten(void **state)
{
    struct fixture *f = *state;
    add_service(f, "{\"Name\":\"web\",\"Check\":{\"TTL\":\"10s\"}}");
    sync_start(f->sync);
    settle(f, 2);
    local_remove_service(&f->local, mu__cstr("web"));
    settle(f, 2);
    assert_null(held(&f->catalog, "web"));
    assert_null(held_check(&f->catalog, "service:web"));
    assert_int_equal(f->local.services.count, 0);
    assert_int_equal(f->local.checks.count, 0);
}

static void test_what_the_agent_does_not_know_is_removed(void **state)
{
    struct fixture *f = *state;
    put_service(&f->catalog, &(struct catalog_node_service){.id = mu__cstr("stranger"),
                                                            .service = mu__cstr("stranger")});
    put_service(&f->catalog, &(struct catalog_node_service){.id = mu__cstr("consul"),
                                                            .service = mu__cstr("consul")});
    put_check(&f->catalog,
              &(struct catalog_check){.check_id = mu__cstr("strange"), .node = mu__cstr("n1")});
    put_check(&f->catalog,
              &(struct catalog_check){.check_id = mu__cstr("serfHealth"), .node = mu__cstr("n1")});
    sync_start(f->sync);
    settle(f, 2);
    assert_null(held(&f->catalog, "stranger"));
    assert_null(held_check(&f->catalog, "strange"));
    assert_non_null(held(&f->catalog, "consul")); /* the leader's */
    assert_non_null(held_check(&f->catalog, "serfHealth"));
    assert_int_equal(f->local.services.count, 0);
}

static void test_what_was_changed_in_the_catalog_is_put_right(void **state)
{
    struct fixture *f = *state;
    add_service(f, "{\"Name\":\"web\",\"Port\":80,\"Tags\":[\"a\"]}");
    add_service(f, "{\"Name\":\"db\",\"Tags\":[\"a\"],\"EnableTagOverride\":true}");
    sync_start(f->sync);
    settle(f, 2);
    struct mu_str tag = mu__cstr("theirs");
    struct catalog_node_service s = *held(&f->catalog, "web"), d = *held(&f->catalog, "db");
    s.tags = d.tags = (struct mu_strs){&tag, 1};
    s.id = mu__cstr("web");
    d.id = mu__cstr("db");
    s.service = s.id;
    d.service = d.id;
    s.weights = d.weights = &(struct catalog_weights){1, 1};
    put_service(&f->catalog, &s);
    put_service(&f->catalog, &d);
    unsigned before = f->catalog.registers;
    sync_set_config(f->sync, f->config); /* compares */
    settle(f, 4);
    assert_text(held(&f->catalog, "web")->tags.items[0], "a");
    assert_text(held(&f->catalog, "db")->tags.items[0], "theirs"); /* tags of the catalog count */
    assert_text(local_service(&f->local, mu__cstr("db"))->service->tags.items[0], "theirs");
    assert_int_equal(f->catalog.registers, before + 1);
}

/* What has been logged since the last time. */
static bool is_logged(int fd, const char *text)
{
    static char all[65536];
    ssize_t n = pread(fd, all, sizeof all - 1, 0);
    all[n > 0 ? n : 0] = 0;
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return strstr(all, text) != NULL;
}

static void test_who_writes_over_an_agent_is_told_in_its_log(void **state)
{
    struct fixture *f = *state;
    FILE *file = tmpfile();
    assert_non_null(file);
    int log = fileno(file), before = log_set_fd(log);
    add_service(f, "{\"Name\":\"web\",\"Port\":80,\"Check\":{\"CheckID\":\"c\",\"TTL\":\"9s\"}}");
    sync_start(f->sync);
    settle(f, 2);
    struct mu_list services = {(void **)f->catalog.services, 1}, none = {NULL, 0};
    struct mu_list checks = {(void **)f->catalog.checks, 1};
    uint64_t soon = loop_now_ns(), later = soon + SYNC_SETTLED_NS;
    sync_diff_services(&f->local, &services, soon);
    sync_diff_checks(&f->local, &checks, soon);
    assert_true(all_in_sync(f));
    is_logged(log, "");
    /* A server that does not know it yet is nobody's doing. */
    sync_diff_services(&f->local, &none, soon + 1);
    assert_false(all_in_sync(f));
    assert_false(is_logged(log, "service=web"));
    sync_diff_services(&f->local, &services, soon);
    f->catalog.services[0]->port = 81;
    sync_diff_services(&f->local, &services, later);
    assert_true(
        is_logged(log, "Service was changed in the catalog; putting it right: service=web"));
    assert_false(all_in_sync(f));
    f->catalog.services[0]->port = 80;
    sync_diff_services(&f->local, &services, later);
    sync_diff_services(&f->local, &none, later + SYNC_SETTLED_NS);
    assert_true(is_logged(log, "Service is gone from the catalog; registering it again."));
    sync_diff_checks(&f->local, &none, later);
    assert_true(is_logged(log, "Check is gone from the catalog; registering it again."));
    log_set_fd(before);
    fclose(file);
}

static void test_nothing_is_written_when_all_agrees(void **state)
{
    struct fixture *f = *state;
    add_service(f, "{\"Name\":\"web\",\"Port\":80,\"Tags\":[\"a\"],\"Address\":\"1.2.3.4\","
                   "\"Meta\":{\"m\":\"1\"},\"Check\":"
                   "{\"HTTP\":\"http://127.0.0.1:1/\",\"Interval\":\"3600s\",\"Notes\":\"n\"}}");
    sync_start(f->sync);
    settle(f, 2);
    unsigned before = f->catalog.registers;
    sync_set_config(f->sync, f->config);
    settle(f, 4);
    assert_int_equal(f->catalog.registers, before);
    assert_int_equal(f->catalog.deregisters, 0);
}

static void test_a_refused_entry_waits_for_its_next_change(void **state)
{
    struct fixture *f = *state;
    sync_start(f->sync);
    settle(f, 2);
    f->catalog.error = "rpc error making call: Permission denied";
    add_service(f, "{\"Name\":\"web\"}");
    settle(f, 2); /* as good as in sync */
    assert_null(held(&f->catalog, "web"));
    f->catalog.error = NULL;
    add_service(f, "{\"Name\":\"web\",\"Port\":1}");
    settle(f, 2);
    assert_non_null(held(&f->catalog, "web"));
}

static void test_a_failure_is_tried_again_and_not_in_a_circle(void **state)
{
    struct fixture *f = *state;
    sync_start(f->sync);
    settle(f, 2);
    f->catalog.error = "No cluster leader";
    add_service(f, "{\"Name\":\"web\"}");
    while (!sync_is_idle(f->sync)) {
        event_base_loop(loop_base(f->loop), EVLOOP_ONCE);
    }
    assert_false(all_in_sync(f));
    assert_int_equal(f->catalog.reads, 2);
    f->catalog.error = NULL;
    sync_set_config(f->sync, f->config);
    settle(f, 4);
    assert_non_null(held(&f->catalog, "web"));
}

static void test_many_changes_are_sent_within_one_pass(void **state)
{
    struct fixture *f = *state;
    sync_start(f->sync);
    settle(f, 2);
    for (int i = 0; i < 50; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"Name\":\"s%d\",\"Check\":{\"TTL\":\"10s\"}}", i);
        add_service(f, json);
    }
    settle(f, 2);
    assert_int_equal(f->catalog.nservices, 50);
    assert_int_equal(f->catalog.nchecks, 50);
    assert_int_equal(f->catalog.registers, 51);
}

static void test_a_server_that_comes_in_the_middle_is_not_missed(void **state)
{
    struct fixture *f = *state;
    struct timeval due, now;
    sync_start(f->sync);
    sync_server_joined(f->sync);
    settle(f, 2);
    assert_true(evtimer_pending(f->sync->timer, &due));
    event_base_gettimeofday_cached(loop_base(f->loop), &now);
    assert_true(due.tv_sec - now.tv_sec <= 3); /* and not in a minute */
}

static void test_anti_entropy_slows_down_with_the_cluster(void **state)
{
    (void)state;
    assert_int_equal(sync_scale(0), 1);
    assert_int_equal(sync_scale(128), 1);
    assert_int_equal(sync_scale(129), 2);
    assert_int_equal(sync_scale(256), 2);
    assert_int_equal(sync_scale(257), 3);
    assert_int_equal(sync_scale(100000), 11);
}

static void test_a_destroyed_sync_is_not_called_back(void **state)
{
    struct fixture *f = *state;
    sync_start(f->sync); /* two calls are on their way to the front */
    sync_destroy(f->sync);
    f->sync = NULL;
    event_base_loop(loop_base(f->loop), EVLOOP_NONBLOCK);
    assert_int_equal(f->catalog.reads, 0);
}

static void test_a_sync_may_be_destroyed_in_the_middle_of_a_write(void **state)
{
    struct fixture *f = *state;
    sync_start(f->sync);
    settle(f, 2);
    add_service(f, "{\"Name\":\"web\",\"Check\":{\"TTL\":\"10s\"}}");
    while (!f->sync->in_flight) {
        event_base_loop(loop_base(f->loop), EVLOOP_ONCE);
    }
    sync_destroy(f->sync);
    f->sync = NULL;
    event_base_loop(loop_base(f->loop), EVLOOP_NONBLOCK);
    assert_null(held(&f->catalog, "web"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_agent_without_services_registers_its_node),
        TEST(test_a_service_travels_with_its_checks_in_one_call),
        TEST(test_the_first_change_waits_for_no_timer_and_later_ones_go_together),
        TEST(test_a_status_is_told_at_once_and_alone),
        TEST(test_a_removal_reaches_the_catalog_and_is_forgotten),
        TEST(test_what_the_agent_does_not_know_is_removed),
        TEST(test_what_was_changed_in_the_catalog_is_put_right),
        TEST(test_who_writes_over_an_agent_is_told_in_its_log),
        TEST(test_nothing_is_written_when_all_agrees),
        TEST(test_a_refused_entry_waits_for_its_next_change),
        TEST(test_a_failure_is_tried_again_and_not_in_a_circle),
        TEST(test_many_changes_are_sent_within_one_pass),
        TEST(test_a_server_that_comes_in_the_middle_is_not_missed),
        TEST(test_anti_entropy_slows_down_with_the_cluster),
        TEST(test_a_destroyed_sync_is_not_called_back),
        TEST(test_a_sync_may_be_destroyed_in_the_middle_of_a_write),
    };
    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
