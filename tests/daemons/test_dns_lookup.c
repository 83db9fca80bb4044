/* Mirrors daemons/dns/lookup.c and dns.c: catalog records in DNS's words, and lookups through a
 * scripted backend. */
#include "mu_test.h"

#include "base/loop.h"
#include "dns/dns.h"
#include "dns/lookup.h"
#include "rpc/endpoints.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Records ---- */

static struct mu_pair node_addresses[] = {{{"lan_ipv4", 8}, {"10.0.0.1", 8}},
                                          {{"lan_ipv6", 8}, {"fd::1", 5}}};
static struct mu_pair node_meta[] = {{{"rack", 4}, {"7", 1}}};
static struct catalog_node node = {.node = {"n1", 2},
                                   .address = {"10.0.0.1", 8},
                                   .datacenter = {"dc1", 3},
                                   .tagged_addresses = {node_addresses, 2},
                                   .meta = {node_meta, 1}};
static struct catalog_service_address service_v6 = {{"fd::2", 5}, 81};
static struct mu_named service_addresses[] = {{{"lan_ipv6", 8}, &service_v6}};
static struct catalog_weights weights = {70000, -1};
static struct catalog_node_service service = {.id = {"web", 3},
                                              .service = {"web", 3},
                                              .address = {"10.9.9.9", 8},
                                              .port = 70000,
                                              .tagged_addresses = {service_addresses, 1},
                                              .weights = &weights};
static struct catalog_check check;
static void *checks[] = {&check};
static struct catalog_check_service_node instance = {&node, &service, {checks, 1}};
static void *instances[] = {&instance, &instance, &instance, &instance, &instance};
static struct catalog_indexed_check_service_nodes reply = {.nodes = {instances, 5}};

static bool is(struct mu_str s, const char *text)
{
    return mu__str_eq(s, mu__cstr(text));
}

static void an_instance_carries_its_addresses_and_weights(void **state)
{
    (void)state;
    struct mu__arena a;
    size_t n;
    mu__arena_init(&a, NULL, 0);
    check.status = mu__cstr("passing");
    struct dnsfront_instance *found = lookup_service(&reply, &a, &n);
    assert_int_equal(n, 5);
    assert_true(is(found->node, "n1") && is(found->node_ipv4, "10.0.0.1") &&
                is(found->node_ipv6, "fd::1"));
    assert_true(is(found->service_address, "10.9.9.9") && is(found->service_ipv6, "fd::2") &&
                !found->service_ipv4.len);
    assert_int_equal(found->port, UINT16_MAX); /* no port has more */
    assert_int_equal(found->weight_passing, UINT16_MAX);
    assert_int_equal(found->weight_warning, 0);
    assert_int_equal(found->meta_count, 1);
    assert_true(is(found->meta[0], "rack") && is(found->meta[1], "7"));
    mu__arena_fini(&a);
}

static void the_worst_check_counts(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        enum dnsfront_health health;
    } cases[] = {{"passing", DNSFRONT_PASSING},
                 {"warning", DNSFRONT_WARNING},
                 {"critical", DNSFRONT_CRITICAL},
                 {"maintenance", DNSFRONT_CRITICAL},
                 {"", DNSFRONT_CRITICAL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mu__arena a;
        size_t n;
        mu__arena_init(&a, NULL, 0);
        check.status = mu__cstr(cases[i].status);
        assert_int_equal(lookup_service(&reply, &a, &n)->health, cases[i].health);
        mu__arena_fini(&a);
    }
}

static void name_servers_are_few_and_healthy(void **state)
{
    (void)state;
    struct mu__arena a;
    size_t n;
    mu__arena_init(&a, NULL, 0);
    check.status = mu__cstr("passing");
    assert_non_null(lookup_servers(&reply, 3, 1, &a, &n));
    assert_int_equal(n, 3);
    check.status = mu__cstr("critical");
    assert_non_null(lookup_servers(&reply, 3, 1, &a, &n));
    assert_int_equal(n, 0);
    mu__arena_fini(&a);
}

static void records_without_a_node_or_memory_are_survived(void **state)
{
    (void)state;
    struct catalog_check_service_node empty = {0};
    void *one[] = {&empty};
    struct catalog_indexed_check_service_nodes r = {.nodes = {one, 1}};
    struct mu__arena a;
    size_t n;
    mu__arena_init(&a, NULL, 0);
    assert_non_null(lookup_service(&r, &a, &n));
    assert_int_equal(n, 0);
    mu__arena_fini(&a);
    mu__arena_init(&a, NULL, 16);
    assert_null(lookup_service(&reply, &a, &n));
    assert_int_equal(n, 0);
    assert_null(lookup_servers(&reply, 3, 1, &a, &n));
    assert_int_equal(n, 0);
    assert_null(lookup_node(&node, &a));
    mu__arena_fini(&a);
}

/* ---- On a socket ---- */

struct front {
    struct call_backend backend; /* first */
    struct event_base *base;
    struct config *config;
    struct dns *dns;
    int fd;            /* asks */
    const char *error; /* what the backend says; NULL: an answer */
    bool holds;
    struct call *held;
    int cancelled;
    struct catalog_query_options options; /* of the last call */
};

static void answer(struct front *f, struct call *c)
{
    if (f->error) {
        call_fail(c, "%s", f->error);
        return;
    }
    if (c->endpoint == &endpoints[ENDPOINT_HEALTH_SERVICE_NODES]) {
        c->reply = &reply;
    } else {
        static struct catalog_node_services services;
        static struct catalog_indexed_node_services of_node;
        services.node = &node;
        of_node.node_services = &services;
        c->reply = &of_node;
    }
    call_finish(c);
}

static void start(struct call_backend *b, struct call *c)
{
    struct front *f = (struct front *)b;
    f->options = *endpoint_options(c->endpoint, c->request);
    if (f->holds) {
        f->held = c;
    } else {
        answer(f, c);
    }
}

static void cancel(struct call_backend *b, struct call *c)
{
    ((struct front *)b)->cancelled++;
    call_free(c);
}

/* A port that is free for UDP and TCP; the system chose it a moment ago. */
static void choose_port(struct config_address *a)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    getsockname(fd, (struct sockaddr *)&in, &len);
    close(fd);
    memcpy(&a->addr, &in, sizeof in);
    a->len = sizeof in;
}

static int open_front(void **state)
{
    static const char text[] =
        "{\"bind_addr\": \"127.0.0.1\", \"data_dir\": \"/nonexistent\", \"node_name\": \"n\", "
        "\"dns_config\": {\"allow_stale\": true, \"max_stale\": \"5s\"}}";
    char err[CONFIG_ERROR_MAX];
    struct front *f = calloc(1, sizeof *f);
    f->backend = (struct call_backend){start, cancel};
    f->base = event_base_new();
    f->config = config_from_text("t.json", text, sizeof text - 1, err, sizeof err);
    if (!f->config) {
        fail_msg("%s", err);
    }
    f->config->dns_listen.len = 1;
    for (int i = 0; i < 20 && !f->dns; i++) {
        choose_port(&f->config->dns_listen.items[0]);
        f->dns =
            dns_create(&(struct dns_config){f->config, f->base, &f->backend, 1}, err, sizeof err);
    }
    assert_non_null(f->dns);
    f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(f->fd, (struct sockaddr *)&f->config->dns_listen.items[0].addr,
                             sizeof(struct sockaddr_in)),
                     0);
    check.status = mu__cstr("passing");
    *state = f;
    return 0;
}

static int close_front(void **state)
{
    struct front *f = *state;
    dns_destroy(f->dns);
    close(f->fd);
    event_base_free(f->base);
    config_destroy(f->config);
    free(f);
    return 0;
}

static void ask(struct front *f, const char *name)
{
    uint8_t q[256] = {0, 7, 1, 0, 0, 1};
    size_t at = 12;
    while (*name) {
        size_t len = strcspn(name, ".");
        q[at++] = (uint8_t)len;
        memcpy(q + at, name, len);
        at += len;
        name += len + (name[len] == '.');
    }
    q[at++] = 0;
    q[at + 1] = 1; /* A */
    q[at + 3] = 1; /* IN */
    assert_int_equal(write(f->fd, q, at + 4), at + 4);
}

/* The response code of the next answer; *answers: how many records. */
static int hear(struct front *f, int *answers)
{
    uint8_t a[4096];
    ssize_t n = -1;
    for (uint64_t end = loop_now_ns() + 20 * MU_SEC; (n = read(f->fd, a, sizeof a)) < 0;) {
        event_base_loop(f->base, EVLOOP_NONBLOCK);
        assert_true(loop_now_ns() < end);
    }
    assert_true(n >= 12);
    *answers = a[6] << 8 | a[7];
    return a[3] & 15;
}

static void a_question_is_a_lookup_and_becomes_an_answer(void **state)
{
    struct front *f = *state;
    int n;
    ask(f, "web.service.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_true(n > 0);
    assert_true(f->options.allow_stale);
    assert_int_equal(f->options.max_stale_duration_ns, 5 * MU_SEC);
    ask(f, "N1.node.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_int_equal(n, 1);
}

static void a_node_found_by_the_start_of_its_id_is_none(void **state)
{
    struct front *f = *state;
    int n;
    ask(f, "1234.node.consul");
    assert_int_equal(hear(f, &n), 3);
}

static void errors_are_failures_and_unknown_datacenters_are_not_there(void **state)
{
    struct front *f = *state;
    int n;
    f->error = "rpc error getting client: failed to get conn";
    ask(f, "web.service.consul");
    assert_int_equal(hear(f, &n), 2);
    f->error = "No path to datacenter";
    ask(f, "web.service.dc9.consul");
    assert_int_equal(hear(f, &n), 3);
}

static void lookups_under_way_are_cancelled_at_the_end(void **state)
{
    struct front *f = *state;
    f->holds = true;
    ask(f, "web.service.consul");
    for (uint64_t end = loop_now_ns() + 20 * MU_SEC; !f->held;) {
        event_base_loop(f->base, EVLOOP_NONBLOCK);
        assert_true(loop_now_ns() < end);
    }
    dns_destroy(f->dns);
    f->dns = NULL;
    assert_int_equal(f->cancelled, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_front, close_front)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instance_carries_its_addresses_and_weights),
        cmocka_unit_test(the_worst_check_counts),
        cmocka_unit_test(name_servers_are_few_and_healthy),
        cmocka_unit_test(records_without_a_node_or_memory_are_survived),
        T(a_question_is_a_lookup_and_becomes_an_answer),
        T(a_node_found_by_the_start_of_its_id_is_none),
        T(errors_are_failures_and_unknown_datacenters_are_not_there),
        T(lookups_under_way_are_cancelled_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
