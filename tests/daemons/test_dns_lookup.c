/* Mirrors daemons/dns/lookup.c and dns.c: catalog records in DNS's words, and lookups through a
 * scripted backend. */
#include "mu_test.h"

#include "base/loop.h"
#include "dns/ask.h"
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

static const struct lookup_place here = {{"dc1", 3}, false}, far = {{"dc2", 3}, true};

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
    struct dnsfront_instance *found = lookup_service(&reply.nodes, &here, &a, &n);
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
        assert_int_equal(lookup_service(&reply.nodes, &here, &a, &n)->health, cases[i].health);
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
    assert_non_null(lookup_servers(&reply.nodes, &here, 3, 1, &a, &n));
    assert_int_equal(n, 5); /* of whom the first three are drawn */
    check.status = mu__cstr("critical");
    assert_non_null(lookup_servers(&reply.nodes, &here, 3, 1, &a, &n));
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
    assert_non_null(lookup_service(&r.nodes, &here, &a, &n));
    assert_int_equal(n, 0);
    mu__arena_fini(&a);
    mu__arena_init(&a, NULL, 16);
    assert_null(lookup_service(&reply.nodes, &here, &a, &n));
    assert_int_equal(n, 0);
    assert_null(lookup_servers(&reply.nodes, &here, 3, 1, &a, &n));
    assert_int_equal(n, 0);
    assert_null(lookup_node(&node, &here, &a));
    mu__arena_fini(&a);
}

static struct mu_pair wan_pairs[] = {{{"wan", 3}, {"198.51.100.1", 12}},
                                     {{"wan_ipv6", 8}, {"fd:9::1", 7}}};
static struct catalog_service_address wan_service = {{"203.0.113.7", 11}, 8443};
static struct mu_named wan_named[] = {{{"wan", 3}, &wan_service}};

static void elsewhere_the_wan_addresses_count(void **state)
{
    (void)state;
    struct catalog_node n = node;
    struct catalog_node_service s = service;
    struct catalog_check_service_node i = {&n, &s, {NULL, 0}};
    void *one[] = {&i};
    struct mu_list list = {one, 1};
    struct mu__arena a;
    size_t count;
    mu__arena_init(&a, NULL, 0);
    n.tagged_addresses = (struct mu_strmap){wan_pairs, 2};
    s.tagged_addresses = (struct mu_structmap){wan_named, 1};
    s.port = 80;
    struct dnsfront_instance *found = lookup_service(&list, &far, &a, &count);
    assert_true(is(found->node_address, "198.51.100.1") && is(found->node_ipv6, "fd:9::1"));
    assert_true(is(found->service_address, "203.0.113.7"));
    assert_int_equal(found->port, 8443);
    found = lookup_service(&list, &here, &a, &count);
    assert_true(is(found->node_address, "10.0.0.1") && is(found->service_address, "10.9.9.9"));
    assert_int_equal(found->port, 80);
    /* Without an address of its own the service is where the node is from here: its name would lead
     * to where it is at home. */
    s.address = (struct mu_str){NULL, 0};
    s.tagged_addresses = (struct mu_structmap){NULL, 0};
    found = lookup_service(&list, &far, &a, &count);
    assert_true(is(found->service_address, "198.51.100.1") && is(found->service_ipv6, "fd:9::1"));
    found = lookup_service(&list, &here, &a, &count);
    assert_int_equal(found->service_address.len, 0);
    mu__arena_fini(&a);
}

static void a_record_that_names_no_datacenter_is_of_the_one_that_was_asked(void **state)
{
    (void)state;
    struct catalog_node n = node;
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    assert_true(is(lookup_node(&n, &far, &a)->datacenter, "dc1"));
    n.datacenter.len = 0;
    assert_true(is(lookup_node(&n, &far, &a)->datacenter, "dc2"));
    mu__arena_fini(&a);
}

static void the_first_that_has_the_address_is_found(void **state)
{
    (void)state;
    struct catalog_service_node flat = {.node = {"n1", 2}, .service_name = {"web", 3}};
    void *nodes[] = {&node}, *services[] = {&flat};
    struct mu_list no = {NULL, 0}, some = {nodes, 1}, instance_list = {services, 1};
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    assert_null(lookup_reverse_node(&no, &here, &a));
    assert_null(lookup_reverse_service(&no, &here, &a));
    assert_true(is(lookup_reverse_node(&some, &here, &a)->node, "n1"));
    struct dnsfront_instance *found = lookup_reverse_service(&instance_list, &here, &a);
    assert_true(is(found->service_name, "web") && is(found->datacenter, "dc1"));
    mu__arena_fini(&a);
}

/* ---- Requests ---- */

static const struct dns_terms terms = {.datacenter = {"dc1", 3},
                                       .node = {"n9", 2},
                                       .allow_stale = true,
                                       .max_stale_ns = 7,
                                       .cache_max_age_ns = 9};

static struct dns_ask asked(enum dnsfront_lookup_kind kind, unsigned step)
{
    static struct dns_ask out;
    struct dnsfront_lookup l = {
        .kind = kind, .name = {"web", 3}, .datacenter = {"dc2", 3}, .client = {"192.0.2.1", 9}};
    if (kind == DNSFRONT_REVERSE) {
        l.name = mu__cstr("10.0.0.1");
    }
    if (kind == DNSFRONT_SERVICE) {
        l.tag = mu__cstr("v1");
    }
    assert_true(dns_ask(&terms, &l, step, &out));
    const struct catalog_query_options *o = endpoint_options(out.endpoint, &out.request);
    assert_true(o->allow_stale);
    assert_int_equal(o->max_stale_duration_ns, 7);
    return out;
}

static void instances_are_asked_for_by_kind(void **state)
{
    (void)state;
    static const struct {
        enum dnsfront_lookup_kind kind;
        const char *name;
        bool tagged, connect, ingress;
    } cases[] = {{DNSFRONT_SERVICE, "web", true, false, false},
                 {DNSFRONT_CONNECT, "web", false, true, false},
                 {DNSFRONT_INGRESS, "web", false, false, true},
                 {DNSFRONT_SERVERS, "consul", false, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dns_ask a = asked(cases[i].kind, 0);
        const struct catalog_service_request *r = &a.request.service;
        assert_ptr_equal(a.endpoint, &endpoints[ENDPOINT_HEALTH_SERVICE_NODES]);
        assert_true(is(r->service_name, cases[i].name) && is(r->datacenter, "dc2"));
        assert_int_equal(r->tag_filter, cases[i].tagged);
        assert_int_equal(r->service_tags.len, cases[i].tagged);
        assert_int_equal(r->connect, cases[i].connect);
        assert_int_equal(r->ingress, cases[i].ingress);
    }
}

static void a_query_is_carried_out_for_the_client_and_this_agent(void **state)
{
    (void)state;
    struct dns_ask a = asked(DNSFRONT_QUERY, 0);
    const struct catalog_query_execute_request *r = &a.request.query;
    assert_ptr_equal(a.endpoint, &endpoints[ENDPOINT_PREPARED_QUERY_EXECUTE]);
    assert_true(is(r->query_id_or_name, "web") && is(r->datacenter, "dc2"));
    assert_true(is(r->source.ip, "192.0.2.1") && !r->source.node.len);
    assert_true(is(r->agent.node, "n9") && is(r->agent.datacenter, "dc1"));
    assert_int_equal(r->limit, 0);
    assert_int_equal(r->options.max_age_ns, 9);
}

static void an_address_is_asked_for_twice_in_the_own_datacenter(void **state)
{
    (void)state;
    struct dns_ask a = asked(DNSFRONT_REVERSE, 0);
    assert_ptr_equal(a.endpoint, &endpoints[ENDPOINT_CATALOG_LIST_NODES]);
    assert_true(is(a.request.nodes.options.filter, "Address == \"10.0.0.1\"") &&
                is(a.request.nodes.datacenter, "dc1"));
    a = asked(DNSFRONT_REVERSE, 1);
    assert_ptr_equal(a.endpoint, &endpoints[ENDPOINT_CATALOG_SERVICE_NODES]);
    assert_true(is(a.request.service.service_address, "10.0.0.1") &&
                !a.request.service.service_name.len && is(a.request.service.datacenter, "dc1"));
}

static void what_is_no_catalogs_business_is_not_asked(void **state)
{
    (void)state;
    static const enum dnsfront_lookup_kind kinds[] = {DNSFRONT_RESOLVE, DNSFRONT_FORWARD};
    struct dns_ask out;
    for (size_t i = 0; i < 2; i++) {
        assert_false(dns_ask(&terms, &(struct dnsfront_lookup){.kind = kinds[i]}, 0, &out));
    }
    static char name[DNS_FILTER_MAX];
    memset(name, '1', sizeof name);
    struct dnsfront_lookup l = {.kind = DNSFRONT_REVERSE, .name = {name, sizeof name}};
    assert_false(dns_ask(&terms, &l, 0, &out)); /* longer than any address */
    l = (struct dnsfront_lookup){.kind = DNSFRONT_SERVICE};
    assert_false(dns_ask(&terms, &l, 1, &out));
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
    bool may_cache;                       /* likewise */
    int asked;
    uint64_t age_ns;                      /* of what may be cached */
    int64_t last_contact_ns;              /* of what need not be the leader's */
    struct catalog_query_dns dns_options; /* of a prepared query */
    bool nobody;                          /* has an address */
    uint32_t ttl;                         /* of the first record of the last answer */
};

static void answer(struct front *f, struct call *c)
{
    if (f->error) {
        call_fail(c, "%s", f->error);
        return;
    }
    if (c->endpoint == &endpoints[ENDPOINT_PREPARED_QUERY_EXECUTE]) {
        static struct catalog_query_execute_response found;
        found = (struct catalog_query_execute_response){
            .service = {"web", 3}, .nodes = {instances, 1}, .dns = f->dns_options};
        c->reply = &found;
        call_finish(c);
        return;
    }
    if (c->endpoint == &endpoints[ENDPOINT_CATALOG_LIST_NODES]) {
        static struct catalog_indexed_nodes none;
        c->reply = &none;
        call_finish(c);
        return;
    }
    if (c->endpoint == &endpoints[ENDPOINT_CATALOG_SERVICE_NODES]) {
        static struct catalog_service_node flat = {.node = {"n1", 2}, .service_name = {"web", 3}};
        static void *one[] = {&flat};
        static struct catalog_indexed_service_nodes found;
        found.service_nodes = (struct mu_list){one, f->nobody ? 0 : 1};
        c->reply = &found;
        call_finish(c);
        return;
    }
    c->cached = c->may_cache ? CALL_HIT : CALL_DIRECT;
    c->cached_age_ns = c->may_cache ? f->age_ns : 0;
    if (c->endpoint == &endpoints[ENDPOINT_HEALTH_SERVICE_NODES]) {
        reply.meta.last_contact_ns = f->options.allow_stale ? f->last_contact_ns : 0;
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
    f->may_cache = c->may_cache;
    f->asked++;
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

static int open_with(void **state, const char *settings, bool copies)
{
    char text[512];
    int len = snprintf(text, sizeof text,
                       "{\"bind_addr\": \"127.0.0.1\", \"data_dir\": \"/nonexistent\", "
                       "\"node_name\": \"n\", \"dns_config\": {%s}}",
                       settings);
    char err[CONFIG_ERROR_MAX];
    struct front *f = calloc(1, sizeof *f);
    f->backend = (struct call_backend){start, cancel};
    f->base = event_base_new();
    f->config = config_from_text("t.json", text, (size_t)len, err, sizeof err);
    if (!f->config) {
        fail_msg("%s", err);
    }
    f->config->dns_listen.len = 1;
    for (int i = 0; i < 20 && !f->dns; i++) {
        choose_port(&f->config->dns_listen.items[0]);
        f->dns = dns_create(&(struct dns_config){.config = f->config,
                                                 .base = f->base,
                                                 .backend = &f->backend,
                                                 .copies = copies,
                                                 .seed = 1},
                            err, sizeof err);
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

static int open_front(void **state)
{
    return open_with(state, "\"allow_stale\": true, \"max_stale\": \"5s\"", false);
}

static int open_agent(void **state)
{
    return open_with(state, "\"serve_stale\": \"1m\"", true);
}

static int open_strict(void **state)
{
    return open_with(state, "\"allow_stale\": false", true);
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

static void ask_type(struct front *f, const char *name, uint8_t type)
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
    q[at + 1] = type;
    q[at + 3] = 1; /* IN */
    assert_int_equal(write(f->fd, q, at + 4), at + 4);
}

static void ask(struct front *f, const char *name)
{
    ask_type(f, name, 1); /* A */
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
    size_t at = 12;
    while (at < (size_t)n && a[at]) {
        at += 1u + a[at];
    }
    at += 5 + 2 + 4; /* its end, type and class; a pointer, type and class */
    f->ttl = *answers && at + 4 <= (size_t)n
                 ? (uint32_t)(a[at] << 24 | a[at + 1] << 16 | a[at + 2] << 8 | a[at + 3])
                 : 0;
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

static void an_answer_that_is_too_old_is_asked_of_the_leader(void **state)
{
    struct front *f = *state;
    int n;
    f->last_contact_ns = 4 * (int64_t)MU_SEC;
    ask(f, "web.service.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_int_equal(f->asked, 1);
    f->last_contact_ns = 6 * (int64_t)MU_SEC;
    ask(f, "web.service.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_int_equal(f->asked, 3);
    assert_false(f->options.allow_stale);
}

static void an_agent_answers_from_its_copy(void **state)
{
    struct front *f = *state;
    int n;
    ask(f, "web.service.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_true(f->may_cache);
    ask(f, "n1.node.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_true(f->may_cache);
}

static void a_copy_serves_for_a_while_when_servers_are_gone(void **state)
{
    struct front *f = *state;
    int n;
    f->age_ns = 59 * MU_SEC;
    ask(f, "web.service.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_int_equal(f->asked, 1);
    f->age_ns = 61 * MU_SEC; /* then only who can be asked counts */
    ask(f, "web.service.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_int_equal(f->asked, 3);
    assert_false(f->may_cache);
}

static void a_prepared_query_is_carried_out_unless_older_answers_will_do(void **state)
{
    struct front *f = *state;
    int n;
    ask(f, "near.query.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_true(f->may_cache && f->options.must_revalidate); /* kept for when servers are gone */
    assert_int_equal(f->options.stale_if_error_ns, 60 * MU_SEC);
    void *other;
    open_with(&other, "\"use_cache\": true, \"cache_max_age\": \"3s\"", true);
    struct front *g = other;
    ask(g, "near.query.consul");
    assert_int_equal(hear(g, &n), 0);
    assert_true(g->may_cache && !g->options.must_revalidate);
    assert_int_equal(g->options.max_age_ns, 3 * MU_SEC);
    close_front(&other);
}

static void in_strict_mode_the_leader_is_asked_each_time(void **state)
{
    struct front *f = *state;
    int n;
    for (int i = 1; i < 4; i++) {
        ask(f, "web.service.consul");
        assert_int_equal(hear(f, &n), 0);
        assert_int_equal(f->asked, i);
        assert_false(f->may_cache || f->options.allow_stale);
    }
}

static void a_prepared_query_brings_its_own_ttl(void **state)
{
    struct front *f = *state;
    int n;
    f->dns_options.ttl = mu__cstr("17s");
    ask(f, "near.query.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(f->ttl, 17);
    f->dns_options.ttl = (struct mu_str){NULL, 0};
    ask(f, "near.query.consul");
    assert_int_equal(hear(f, &n), 0);
    assert_int_equal(f->ttl, 0);
}

static void only_a_query_that_is_not_there_does_not_exist(void **state)
{
    struct front *f = *state;
    int n;
    f->error = "rpc error making call: Query not found";
    ask(f, "near.query.consul");
    assert_int_equal(hear(f, &n), 3);
    f->error = "rpc error making call: EOF";
    ask(f, "near.query.consul");
    assert_int_equal(hear(f, &n), 2);
    f->error = "Query not found";
    ask(f, "web.service.consul");
    assert_int_equal(hear(f, &n), 2);
}

static void the_own_datacenter_is_never_unknown(void **state)
{
    struct front *f = *state;
    int n;
    f->error = "No path to datacenter";
    ask(f, "web.service.dc1.consul");
    assert_int_equal(hear(f, &n), 2);
}

static void an_address_that_no_node_has_may_be_an_instances(void **state)
{
    struct front *f = *state;
    int n;
    ask_type(f, "1.0.0.10.in-addr.arpa", 12);
    assert_int_equal(hear(f, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(f->asked, 2);
    f->nobody = true; /* and there is nobody else to ask */
    ask_type(f, "1.0.0.10.in-addr.arpa", 12);
    assert_int_equal(hear(f, &n), 2);
    assert_int_equal(n, 0);
    assert_int_equal(f->asked, 4);
}

static void virtual_addresses_that_servers_know_nothing_of_are_not_there(void **state)
{
    struct front *f = *state;
    int n;
    f->error = "rpc: can't find method Catalog.VirtualIPForService";
    ask(f, "web.virtual.consul");
    assert_int_equal(hear(f, &n), 3);
    f->error = "rpc error making call: EOF";
    ask(f, "web.virtual.consul");
    assert_int_equal(hear(f, &n), 2);
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
#define T(f)     cmocka_unit_test_setup_teardown(f, open_front, close_front)
#define AGENT(f) cmocka_unit_test_setup_teardown(f, open_agent, close_front)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instance_carries_its_addresses_and_weights),
        cmocka_unit_test(the_worst_check_counts),
        cmocka_unit_test(name_servers_are_few_and_healthy),
        cmocka_unit_test(records_without_a_node_or_memory_are_survived),
        cmocka_unit_test(elsewhere_the_wan_addresses_count),
        cmocka_unit_test(a_record_that_names_no_datacenter_is_of_the_one_that_was_asked),
        cmocka_unit_test(the_first_that_has_the_address_is_found),
        cmocka_unit_test(instances_are_asked_for_by_kind),
        cmocka_unit_test(a_query_is_carried_out_for_the_client_and_this_agent),
        cmocka_unit_test(an_address_is_asked_for_twice_in_the_own_datacenter),
        cmocka_unit_test(what_is_no_catalogs_business_is_not_asked),
        T(a_question_is_a_lookup_and_becomes_an_answer),
        T(a_node_found_by_the_start_of_its_id_is_none),
        T(errors_are_failures_and_unknown_datacenters_are_not_there),
        T(an_answer_that_is_too_old_is_asked_of_the_leader),
        T(a_prepared_query_brings_its_own_ttl),
        T(only_a_query_that_is_not_there_does_not_exist),
        T(the_own_datacenter_is_never_unknown),
        T(an_address_that_no_node_has_may_be_an_instances),
        T(virtual_addresses_that_servers_know_nothing_of_are_not_there),
        T(lookups_under_way_are_cancelled_at_the_end),
        AGENT(an_agent_answers_from_its_copy),
        AGENT(a_prepared_query_is_carried_out_unless_older_answers_will_do),
        AGENT(a_copy_serves_for_a_while_when_servers_are_gone),
        cmocka_unit_test_setup_teardown(in_strict_mode_the_leader_is_asked_each_time, open_strict,
                                        close_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
