/* Mirrors daemons/agent/agent.c, front.c and handlers.c: calls go from a front (this thread) to a
 * core loop on a thread of its own and come back, while a third one writes files. */
#include "mu_test.h"

#include "agent/agent.h"
#include "agent/definitions.h"
#include "agent/user_event.h"
#include "base/json.h"
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

struct fixture {
    struct loop *core, *front;
    struct config *config;
    struct agent *agent;
    struct agent_front *agent_front;
    struct call_backend catalog; /* that is not there */
    char folder[64];
    int log;
    /* Of the last call. */
    bool done;
    char error[1024];
    char json[8192]; /* the reply, printed; of events the last one */
    uint64_t index, first_ltime;
    size_t events;
};

static char err[1024];

/* ---- A node ---- */

static struct agent_member member = {
    .name = {"n1", 2}, .addr = {"127.0.0.1", 9}, .port = 8301, .status = MEMBER_ALIVE};

static struct mu_list node_members(void *user, bool wan, struct mu__arena *a)
{
    struct mu_list list = {NULL, 0};
    (void)user;
    if (!wan) {
        list.items = mu__arena_calloc(a, 1, sizeof *list.items);
        list.items[list.len++] = &member;
    }
    return list;
}

static void node_join(void *user, struct mu_str address, bool wan, agent_done_fn done, void *arg)
{
    (void)user, (void)wan;
    done(arg, address.len == 4 ? NULL : "1 error occurred:\n\t* Failed to join\n\n");
}

static void node_self(void *user, struct agent_self *out, struct mu__arena *a)
{
    (void)user, (void)a;
    out->member = &member;
}

/* ---- The agent ---- */

static void no_server(struct call_backend *b, struct call *c)
{
    (void)b;
    call_fail(c, "No known Consul servers");
}

static void on_core_start(void *arg)
{
    struct fixture *f = arg;
    agent_start(f->agent, f->front, &f->catalog);
}

static void open_agent(struct fixture *f)
{
    char text[512];
    f->core = loop_create("core");
    f->front = loop_create("front");
    snprintf(text, sizeof text,
             "{\"data_dir\":\"%s\",\"bind_addr\":\"127.0.0.1\",\"node_name\":\"n1\",\"node_meta\":{"
             "\"a\":\"b\"},\"service\":"
             "{\"name\":\"file\",\"check\":{\"ttl\":\"1h\"}}}",
             f->folder);
    f->config = config_from_text("x.json", text, strlen(text), err, sizeof err);
    assert_non_null(f->config);
    const struct agent_config c = {
        .config = f->config,
        .core = f->core,
        .node = {.members = node_members, .self = node_self, .join = node_join},
        .seed = 1};
    if (agent_create(&c, &f->agent, err, sizeof err)) {
        fail_msg("%s", err);
    }
    f->catalog.start = no_server;
    f->agent_front = agent_front_create(f->agent, f->front);
    loop_post(f->core, on_core_start, f);
    assert_int_equal(loop_start(f->core), 0);
}

static void on_core_stop(void *arg)
{
    struct fixture *f = arg;
    agent_stop(f->agent);
    loop_stop(f->core);
}

static void close_agent(struct fixture *f)
{
    loop_post(f->core, on_core_stop, f);
    loop_join(f->core);
    loop_destroy(f->core);
    loop_destroy(f->front);
    agent_front_destroy(f->agent_front);
    agent_destroy(f->agent);
    config_destroy(f->config);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/muster-test-agent-XXXXXX");
    if (!mkdtemp(f->folder)) {
        return -1;
    }
    f->log = log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    open_agent(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[100];
    close_agent(f);
    close(log_set_fd(f->log));
    snprintf(command, sizeof command, "rm -r %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

/* ---- Calls ---- */

static void print_list(struct mu__json *j, const struct mu__schema *s, const struct mu_list *list)
{
    mu__json_list(j);
    for (size_t i = 0; i < list->len; i++) {
        mu__json_item(j);
        mu__json_value(j, s, list->items[i]);
    }
    mu__json_list_end(j);
}

static void print_map(struct mu__json *j, const struct mu__schema *s,
                      const struct mu_structmap *map)
{
    mu__json_object(j);
    for (size_t i = 0; i < map->len; i++) {
        mu__json_key(j, map->items[i].key);
        mu__json_value(j, s, map->items[i].value);
    }
    mu__json_object_end(j);
}

static void print_reply(struct fixture *f, const struct call *c)
{
    struct mu__writer w = mu__writer_fixed(f->json, sizeof f->json - 1);
    struct mu__json j = mu__json(&w, false);
    const struct endpoint *e = c->endpoint;
    if (e == &endpoint_agent_services) {
        print_map(&j, &agent_service_schema,
                  &((const struct agent_services_reply *)c->reply)->services);
    } else if (e == &endpoint_agent_checks) {
        print_map(&j, catalog_schema(CATALOG_CHECK),
                  &((const struct agent_checks_reply *)c->reply)->checks);
    } else if (e == &endpoint_agent_service) {
        mu__json_value(&j, &agent_service_schema,
                       ((const struct agent_service_reply *)c->reply)->service);
    } else if (e == &endpoint_agent_members) {
        print_list(&j, &agent_member_schema,
                   &((const struct agent_members_reply *)c->reply)->members);
    } else if (e == &endpoint_agent_service_health) {
        print_list(&j, &agent_service_health_schema,
                   &((const struct agent_service_health_reply *)c->reply)->instances);
    } else if (e == &endpoint_agent_self) {
        mu__json_value(&j, &agent_self_schema, c->reply);
    } else if (e == &endpoint_agent_events) {
        const struct agent_events_reply *r = c->reply;
        f->index = r->index;
        f->events = r->events.len;
        if (r->events.len) {
            f->first_ltime = ((const struct user_event *)r->events.items[0])->ltime;
            mu__json_value(&j, &user_event_schema, r->events.items[r->events.len - 1]);
        }
    }
    assert_false(w.failed);
    f->json[w.len] = 0;
}

static void on_done(struct call *c, void *arg)
{
    struct fixture *f = arg;
    f->done = true;
    snprintf(f->error, sizeof f->error, "%s", c->error ? c->error : "");
    f->json[0] = 0;
    if (!c->error && c->reply) {
        print_reply(f, c);
    }
}

static struct call *make(struct fixture *f, const struct endpoint *e)
{
    f->done = false;
    struct call *c = call_create(e, 0, on_done, f);
    assert_non_null(c);
    return c;
}

static void finish(struct fixture *f)
{
    while (!f->done) {
        event_base_loop(loop_base(f->front), EVLOOP_ONCE);
    }
}

static void run(struct fixture *f, struct call *c)
{
    call_start(agent_front_backend(f->agent_front), c);
    finish(f);
}

static void ask(struct fixture *f, const struct endpoint *e)
{
    run(f, make(f, e));
    assert_string_equal(f->error, "");
}

static void register_service(struct fixture *f, const char *json)
{
    struct call *c = make(f, &endpoint_agent_register_service);
    struct agent_register_service_request *q = c->request;
    assert_true(json_decode(catalog_schema(CATALOG_SERVICE_DEFINITION), json, strlen(json),
                            &c->arena, &q->service, err, sizeof err));
    run(f, c);
}

static void register_check(struct fixture *f, const char *json)
{
    struct call *c = make(f, &endpoint_agent_register_check);
    struct agent_register_check_request *q = c->request;
    assert_true(json_decode(&definition_check_schema, json, strlen(json), &c->arena, &q->check, err,
                            sizeof err));
    run(f, c);
}

static void update_check(struct fixture *f, const char *id, const char *status, const char *output)
{
    struct call *c = make(f, &endpoint_agent_update_check);
    struct agent_update_check_request *q = c->request;
    *q = (struct agent_update_check_request){
        .id = mu__cstr(id), .status = mu__cstr(status), .output = mu__cstr(output)};
    run(f, c);
}

static void ask_service(struct fixture *f, const char *id, const char *hash)
{
    struct call *c = make(f, &endpoint_agent_service);
    *(struct agent_service_request *)c->request =
        (struct agent_service_request){.id = mu__cstr(id), .hash = mu__cstr(hash)};
    run(f, c);
}

static size_t files_in(const struct fixture *f, const char *folder)
{
    char path[128];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", f->folder, folder);
    DIR *d = opendir(path);
    for (const struct dirent *e; (e = readdir(d));) {
        n += strlen(e->d_name) == 32;
    }
    closedir(d);
    return n;
}

/* ---- Tests ---- */

static void test_a_registration_is_on_disk_when_it_is_answered(void **state)
{
    struct fixture *f = *state;
    register_service(f, "{\"Name\":\"web\",\"Port\":80,\"Check\":{\"TTL\":\"10s\"}}");
    assert_string_equal(f->error, "");
    assert_int_equal(files_in(f, "services"), 1);
    assert_int_equal(files_in(f, "checks"), 1);
    struct call *c = make(f, &endpoint_agent_deregister_service);
    ((struct agent_deregister_service_request *)c->request)->id = mu__cstr("web");
    run(f, c);
    assert_string_equal(f->error, "");
    assert_int_equal(files_in(f, "services"), 0);
    assert_int_equal(files_in(f, "checks"), 0);
}

static void test_services_print_as_consuls_do(void **state)
{
    struct fixture *f = *state;
    register_service(f, "{\"Name\":\"a\",\"Port\":5,\"Address\":\"1.2.3.4\"}");
    ask(f, &endpoint_agent_services);
    assert_string_equal(f->json, "{\"a\":{\"ID\":\"a\",\"Service\":\"a\",\"Tags\":[],\"Meta\":{},"
                                 "\"Port\":5,\"Address\":\"1.2.3.4\",\"TaggedAddresses\":{"
                                 "\"lan_ipv4\":{\"Address\":\"1.2.3.4\",\"Port\":5},\"wan_ipv4\":{"
                                 "\"Address\":\"1.2.3.4\",\"Port\":5}},\"Weights\":{"
                                 "\"Passing\":1,\"Warning\":1},\"EnableTagOverride\":false},"
                                 "\"file\":{\"ID\":\"file\",\"Service\":\"file\",\"Tags\":[],"
                                 "\"Meta\":{},\"Port\":0,\"Address\":\"\",\"Weights\":{\"Passing\":"
                                 "1,\"Warning\":1},\"EnableTagOverride\":false}}");
}

static void test_checks_print_as_consuls_do(void **state)
{
    struct fixture *f = *state;
    ask(f, &endpoint_agent_checks);
    assert_string_equal(f->json, "{\"service:file\":{\"Node\":\"n1\",\"CheckID\":\"service:file\","
                                 "\"Name\":\"Service 'file' check\","
                                 "\"Status\":\"critical\",\"Notes\":\"\",\"Output\":\"\","
                                 "\"ServiceID\":\"file\",\"ServiceName\":"
                                 "\"file\",\"ServiceTags\":[],\"Type\":\"ttl\",\"Definition\":{},"
                                 "\"CreateIndex\":0,\"ModifyIndex\":0}}");
}

static void test_a_report_shows_in_the_health_of_the_service(void **state)
{
    struct fixture *f = *state;
    update_check(f, "service:file", "warning", "so so");
    assert_string_equal(f->error, "");
    struct call *c = make(f, &endpoint_agent_service_health);
    ((struct agent_service_health_request *)c->request)->name = mu__cstr("file");
    run(f, c);
    assert_non_null(
        strstr(f->json, "[{\"AggregatedStatus\":\"warning\",\"Service\":{\"ID\":\"file\""));
    assert_non_null(strstr(f->json, "\"Output\":\"so so\""));
    assert_non_null(strstr(f->json,
                           "\"Type\":\"\",\"Definition\":{\"Interval\":\"0s\",\"Timeout\":\"0s\","
                           "\"DeregisterCriticalServiceAfter\":\"0s\",\"HTTP\":\"\",\"Header\":"
                           "null,\"Method\":\"\",\"Body\":"
                           "\"\",\"TLSSkipVerify\":false,\"TCP\":\"\"}"));

    c = make(f, &endpoint_agent_maintenance);
    *(struct agent_maintenance_request *)c->request =
        (struct agent_maintenance_request){.enable = true};
    run(f, c);
    c = make(f, &endpoint_agent_service_health);
    ((struct agent_service_health_request *)c->request)->id = mu__cstr("file");
    run(f, c);
    assert_non_null(strstr(f->json, "[{\"AggregatedStatus\":\"maintenance\""));
}

static void test_errors_come_back_in_consuls_words(void **state)
{
    struct fixture *f = *state;
    update_check(f, "nope", "passing", "");
    assert_string_equal(f->error, "CheckID \"nope\" does not have associated TTL");
    update_check(f, "service:file", "good", "");
    assert_string_equal(f->error, "Invalid check status: 'good'");
    register_service(f, "{}");
    assert_string_equal(f->error, "Missing service name");
    register_check(f, "{\"Name\":\"c\",\"TTL\":\"1s\",\"ServiceID\":\"nope\"}");
    assert_string_equal(f->error, "ServiceID \"nope\" does not exist");
    run(f, make(f, &endpoint_agent_deregister_service));
    assert_string_equal(f->error, "ServiceID missing");
    run(f, make(f, &endpoint_agent_deregister_check));
    assert_string_equal(f->error, "CheckID missing");
    ask_service(f, "nope", "");
    assert_string_equal(f->error, "");
    assert_string_equal(f->json, "null");
}

static void hash_of(const struct fixture *f, char out[17])
{
    const char *at = strstr(f->json, "\"ContentHash\":\"");
    assert_non_null(at);
    memcpy(out, at + 15, 16);
    out[16] = 0;
}

static void keep_port(struct call *c, void *arg)
{
    *(int64_t *)arg = ((const struct agent_service_reply *)c->reply)->service->port;
}

static void test_a_service_is_waited_for_until_its_hash_changes(void **state)
{
    struct fixture *f = *state;
    char hash[17];
    register_service(f, "{\"Name\":\"a\",\"Port\":1}");
    ask_service(f, "a", "");
    hash_of(f, hash);
    ask_service(f, "a", "0123456789abcdef"); /* not what it is: answered at once */

    int64_t port = 0;
    struct call *waiting = call_create(&endpoint_agent_service, 0, keep_port, &port);
    *(struct agent_service_request *)waiting->request =
        (struct agent_service_request){.id = mu__cstr("a"), .hash = mu__cstr(hash)};
    call_start(agent_front_backend(f->agent_front), waiting);
    register_service(f, "{\"Name\":\"a\",\"Port\":2}");
    while (!port) {
        event_base_loop(loop_base(f->front), EVLOOP_ONCE);
    }
    assert_int_equal(port, 2);
}

static void test_a_cancelled_wait_is_freed(void **state)
{
    struct fixture *f = *state;
    char hash[17];
    register_service(f, "{\"Name\":\"a\"}");
    ask_service(f, "a", "");
    hash_of(f, hash);
    struct call *c = make(f, &endpoint_agent_service);
    *(struct agent_service_request *)c->request =
        (struct agent_service_request){.id = mu__cstr("a"), .hash = mu__cstr(hash)};
    call_start(agent_front_backend(f->agent_front), c);
    call_cancel(c);
    ask(f, &endpoint_agent_services); /* what was posted before has been handled when this is */
    event_base_loop(loop_base(f->front), EVLOOP_NONBLOCK);
}

static void test_calls_that_wait_fail_when_the_agent_stops(void **state)
{
    struct fixture *f = *state;
    char hash[17];
    register_service(f, "{\"Name\":\"a\"}");
    ask_service(f, "a", "");
    hash_of(f, hash);
    struct call *c = make(f, &endpoint_agent_service);
    *(struct agent_service_request *)c->request =
        (struct agent_service_request){.id = mu__cstr("a"), .hash = mu__cstr(hash)};
    call_start(agent_front_backend(f->agent_front), c);
    loop_post(f->core, on_core_stop, f);
    finish(f);
    assert_string_equal(f->error, "agent is shutting down");
    loop_join(f->core);
}

static void test_the_node_answers_for_members_and_itself(void **state)
{
    struct fixture *f = *state;
    ask(f, &endpoint_agent_members);
    assert_string_equal(f->json, "[{\"Name\":\"n1\",\"Addr\":\"127.0.0.1\",\"Port\":8301,\"Tags\":"
                                 "null,\"Status\":1,\"ProtocolMin\":0,"
                                 "\"ProtocolMax\":0,\"ProtocolCur\":0,\"DelegateMin\":0,"
                                 "\"DelegateMax\":0,\"DelegateCur\":0}]");
    ask(f, &endpoint_agent_self);
    assert_non_null(
        strstr(f->json, "{\"Config\":{\"Datacenter\":\"dc1\",\"NodeName\":\"n1\",\"NodeID\":\""));
    assert_non_null(strstr(f->json, "\"Member\":{\"Name\":\"n1\""));
    assert_non_null(strstr(f->json, "\"Meta\":{\"a\":\"b\",\"consul-network-segment\":\"\"}"));

    struct call *c = make(f, &endpoint_agent_join);
    ((struct agent_join_request *)c->request)->address = mu__cstr("good");
    run(f, c);
    assert_string_equal(f->error, "");
    c = make(f, &endpoint_agent_join);
    ((struct agent_join_request *)c->request)->address = mu__cstr("bad");
    run(f, c);
    assert_string_equal(f->error, "1 error occurred:\n\t* Failed to join\n\n");
    run(f, make(f, &endpoint_agent_leave));
    assert_string_equal(f->error, "leave is not supported");
}

static void test_an_agent_comes_back_as_itself(void **state)
{
    struct fixture *f = *state;
    char id[37] = "";
    memcpy(id, agent_node_id(f->agent).p, 36);
    register_service(f, "{\"Name\":\"web\"}");
    close_agent(f);
    open_agent(f);
    assert_memory_equal(agent_node_id(f->agent).p, id, 36);
    ask(f, &endpoint_agent_services);
    assert_non_null(strstr(f->json, "\"web\":{"));
    assert_non_null(strstr(f->json, "\"file\":{"));
}

struct reload {
    struct fixture *f;
    struct config *config;
    int rc;
};

static void on_core_reload(void *arg)
{
    struct reload *r = arg;
    r->rc = agent_reload(r->f->agent, r->config, err, sizeof err);
}

/* Reloads with other definitions; the configuration before must outlive what is under way. */
static int reload_with(struct fixture *f, const char *definitions)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"data_dir\":\"%s\",\"bind_addr\":\"127.0.0.1\",\"node_name\":\"n1\",%s}", f->folder,
             definitions);
    struct reload r = {.f = f,
                       .config = config_from_text("y.json", text, strlen(text), err, sizeof err)};
    assert_non_null(r.config);
    loop_post(f->core, on_core_reload, &r);
    ask(f, &endpoint_agent_services); /* answered after it */
    struct config *old = r.rc ? r.config : f->config;
    f->config = r.rc ? f->config : r.config;
    config_destroy(old);
    return r.rc;
}

static void test_a_reload_replaces_what_files_define_or_changes_nothing(void **state)
{
    struct fixture *f = *state;
    register_service(f, "{\"Name\":\"api\"}");
    assert_int_equal(reload_with(f, "\"service\":{\"name\":\"new\"}"), 0);
    assert_non_null(strstr(f->json, "\"api\":{"));
    assert_non_null(strstr(f->json, "\"new\":{"));
    assert_null(strstr(f->json, "\"file\":{"));
    assert_int_not_equal(reload_with(f, "\"services\":[{\"name\":\"other\"},{\"prot\":1}]"), 0);
    assert_string_equal(err, "failed to parse y.json: 1 error occurred:\n\t* invalid config key "
                             "services.prot\n\n");
    assert_non_null(strstr(f->json, "\"new\":{"));
    assert_null(strstr(f->json, "\"other\":{"));
}

static void expect_refused(const char *definition, const char *expected)
{
    char text[512];
    struct loop *core = loop_create("core");
    struct agent *a;
    snprintf(text, sizeof text, "{\"data_dir\":\"/tmp\",\"bind_addr\":\"127.0.0.1\",%s}",
             definition);
    struct config *config = config_from_text("x.json", text, strlen(text), err, sizeof err);
    assert_non_null(config);
    config->data_dir = mu__cstr(""); /* nothing is kept */
    const struct agent_config c = {.config = config, .core = core};
    assert_int_not_equal(agent_create(&c, &a, err, sizeof err), 0);
    assert_null(a);
    assert_string_equal(err, expected);
    loop_destroy(core);
    config_destroy(config);
}

static void test_wrong_definitions_in_files_end_the_start(void **state)
{
    (void)state;
    expect_refused(
        "\"service\":{\"name\":\"a\",\"foo\":1}",
        "failed to parse x.json: 1 error occurred:\n\t* invalid config key service.foo\n\n");
    expect_refused("\"service\":{\"port\":1}",
                   "Failed to register service \"\": Missing service name");
    expect_refused("\"checks\":[{\"name\":\"c\",\"args\":[\"true\"],\"interval\":\"1s\"}]",
                   "Failed to register check \"c\": Scripts are disabled on this agent; to enable, "
                   "configure 'enable_script_checks' "
                   "or 'enable_local_script_checks' to true");
}

/* ---- User events ---- */

struct heard {
    struct fixture *f;
    uint64_t ltime;
    size_t len;
    uint8_t payload[600];
};

static void on_core_heard(void *arg)
{
    struct heard *h = arg;
    agent_user_event(h->f->agent, (struct mu_str){(const char *)h->payload, h->len}, h->ltime);
    free(h);
}

/* As gossip tells it; the ID is made of ltime. */
static void hear(struct fixture *f, uint64_t ltime, struct user_event ev)
{
    struct heard *h = calloc(1, sizeof *h);
    char id[40];
    struct mu__writer w = mu__writer_fixed(h->payload, sizeof h->payload);
    snprintf(id, sizeof id, "00000000-0000-0000-0000-%012llx", (unsigned long long)ltime);
    ev.id = mu__cstr(id);
    user_event_encode(&w, &ev);
    assert_false(w.failed);
    h->f = f;
    h->ltime = ltime;
    h->len = w.len;
    loop_post(f->core, on_core_heard, h);
}

static void list_events(struct fixture *f, const char *name)
{
    struct call *c = make(f, &endpoint_agent_events);
    ((struct agent_events_request *)c->request)->name = mu__cstr(name);
    run(f, c);
}

static void test_events_are_listed_by_name(void **state)
{
    struct fixture *f = *state;
    list_events(f, "");
    assert_int_equal(f->events, 0);
    assert_true(f->index == 1);
    hear(f, 5, (struct user_event){.name = mu__cstr("a"), .payload = mu__cstr("x"), .version = 1});
    hear(f, 6, (struct user_event){.name = mu__cstr("b"), .version = 1});
    list_events(f, "");
    assert_int_equal(f->events, 2);
    assert_true(f->index == 6);
    list_events(f, "a");
    assert_int_equal(f->events, 1);
    assert_true(f->index == 5);
    assert_string_equal(f->json, "{\"ID\":\"00000000-0000-0000-0000-000000000005\",\"Name\":\"a\","
                                 "\"Payload\":\"eA==\",\"NodeFilter\":\"\",\"ServiceFilter\":"
                                 "\"\",\"TagFilter\":\"\",\"Version\":1,\"LTime\":5}");
    list_events(f, "c");
    assert_true(f->index == 1);
}

static void test_the_last_256_events_are_kept(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 1; i <= 300; i++) {
        hear(f, i, (struct user_event){.name = mu__cstr("a"), .version = 1});
    }
    list_events(f, "");
    assert_int_equal(f->events, 256);
    assert_true(f->first_ltime == 45 && f->index == 300);
}

/* Heard, with one service `file` on the node `n1`? */
static bool is_for_us(struct fixture *f, const char *node, const char *service, const char *tag)
{
    static uint64_t ltime = 1000;
    char name[32];
    snprintf(name, sizeof name, "e%llu", (unsigned long long)++ltime);
    hear(f, ltime,
         (struct user_event){.name = mu__cstr(name),
                             .node_filter = mu__cstr(node),
                             .service_filter = mu__cstr(service),
                             .tag_filter = mu__cstr(tag),
                             .version = 1});
    list_events(f, name);
    return f->events == 1;
}

static void test_filters_are_asked_of_this_node_and_its_services(void **state)
{
    struct fixture *f = *state;
    assert_true(is_for_us(f, "", "", ""));
    assert_true(is_for_us(f, "n", "", ""));
    assert_false(is_for_us(f, "^1", "", ""));
    assert_true(is_for_us(f, "n1", "^fi.e$", ""));
    assert_false(is_for_us(f, "", "web", ""));
    assert_false(is_for_us(f, "", "file", "x"));
    assert_false(is_for_us(f, "(", "", ""));
    assert_false(is_for_us(f, "", "(", ""));
    assert_false(is_for_us(f, "", "file", "("));
    hear(f, 1, (struct user_event){.name = mu__cstr("later"), .version = 2});
    list_events(f, "later");
    assert_int_equal(f->events, 0);
}

static void test_a_list_waits_for_the_next_event(void **state)
{
    struct fixture *f = *state;
    struct call *c = make(f, &endpoint_agent_events);
    ((struct agent_events_request *)c->request)->min_index = 1;
    call_start(agent_front_backend(f->agent_front), c);
    hear(f, 9, (struct user_event){.name = mu__cstr("a"), .version = 1});
    finish(f);
    assert_true(f->index == 9);
    /* One that has no patience gets what there is. */
    c = make(f, &endpoint_agent_events);
    ((struct agent_events_request *)c->request)->min_index = 9;
    ((struct agent_events_request *)c->request)->wait_ns = 1;
    run(f, c);
    assert_true(f->index == 9 && f->events == 1);
}

static void test_a_list_that_waits_can_be_given_up(void **state)
{
    struct fixture *f = *state;
    struct call *c = make(f, &endpoint_agent_events);
    ((struct agent_events_request *)c->request)->min_index = 1;
    call_start(agent_front_backend(f->agent_front), c);
    call_cancel(c);
    list_events(f, "");
    assert_int_equal(f->events, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_registration_is_on_disk_when_it_is_answered),
        TEST(test_services_print_as_consuls_do),
        TEST(test_checks_print_as_consuls_do),
        TEST(test_a_report_shows_in_the_health_of_the_service),
        TEST(test_errors_come_back_in_consuls_words),
        TEST(test_a_service_is_waited_for_until_its_hash_changes),
        TEST(test_a_cancelled_wait_is_freed),
        TEST(test_calls_that_wait_fail_when_the_agent_stops),
        TEST(test_the_node_answers_for_members_and_itself),
        TEST(test_an_agent_comes_back_as_itself),
        TEST(test_a_reload_replaces_what_files_define_or_changes_nothing),
        TEST(test_events_are_listed_by_name),
        TEST(test_the_last_256_events_are_kept),
        TEST(test_filters_are_asked_of_this_node_and_its_services),
        TEST(test_a_list_waits_for_the_next_event),
        TEST(test_a_list_that_waits_can_be_given_up),
        cmocka_unit_test(test_wrong_definitions_in_files_end_the_start),
    };
    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
