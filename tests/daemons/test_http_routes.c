/* Every route: which call it makes of a request, which options it refuses, and how the answer
 * looks. */
#include "http_kit.h"

#include "agent/agent_endpoints.h"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k);
    kit_start(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_stop(&k);
    return 0;
}

static void ask(const char *line, const char *headers, const char *body, int status,
                const char *expected)
{
    struct reply r = kit_ask(&k, line, headers, body);
    if (r.status != status || (expected && strcmp(r.body, expected) != 0)) {
        fail_msg("%s: %d %s", line, r.status, r.body);
    }
    reply_free(&r);
}

static void asked(const char *method, const char *fragment)
{
    assert_string_equal(k.method, method);
    if (!strstr(k.request, fragment)) {
        fail_msg("%s is not in %s", fragment, k.request);
    }
}

static void test_each_route_makes_its_call(void **state)
{
    (void)state;
    static const struct {
        const char *line, *body, *method;
        int status;
        const char *answer;
    } cases[] = {
        {"GET /v1/status/leader", NULL, "Status.Leader", 200, "\"\""},
        {"GET /v1/status/peers", NULL, "Status.Peers", 200, "[]"},
        {"GET /v1/catalog/datacenters", NULL, "Catalog.ListDatacenters", 200, "[]"},
        {"GET /v1/catalog/nodes", NULL, "Catalog.ListNodes", 200, "[]"},
        {"GET /v1/catalog/services", NULL, "Catalog.ListServices", 200, "{}"},
        {"GET /v1/catalog/service/web", NULL, "Catalog.ServiceNodes", 200, "[]"},
        {"GET /v1/catalog/connect/web", NULL, "Catalog.ServiceNodes", 200, "[]"},
        {"GET /v1/catalog/gateway-services/a", NULL, "Catalog.GatewayServices", 200, "null"},
        {"GET /v1/health/ingress/a", NULL, "Health.ServiceNodes", 200, "[]"},
        {"GET /v1/internal/ui/gateway-services-nodes/a", NULL, "Internal.GatewayServiceDump", 200,
         "[]"},
        {"GET /v1/internal/federation-states", NULL, "FederationState.List", 200, "[]"},
        {"GET /v1/internal/federation-states/mesh-gateways", NULL,
         "FederationState.ListMeshGateways", 200, "{}"},
        {"GET /v1/internal/federation-state/a", NULL, "FederationState.Get", 404, ""},
        {"GET /v1/catalog/node/a", NULL, "Catalog.NodeServices", 200, "null"},
        {"GET /v1/catalog/node-services/a", NULL, "Catalog.NodeServiceList", 200,
         "{\"Node\":null,\"Services\":null}"},
        {"PUT /v1/catalog/register", "{\"Node\":\"a\",\"Address\":\"b\"}", "Catalog.Register", 200,
         "true"},
        {"PUT /v1/catalog/deregister", "{\"Node\":\"a\"}", "Catalog.Deregister", 200, "true"},
        {"GET /v1/health/node/a", NULL, "Health.NodeChecks", 200, "[]"},
        {"GET /v1/health/checks/web", NULL, "Health.ServiceChecks", 200, "[]"},
        {"GET /v1/health/state/any", NULL, "Health.ChecksInState", 200, "[]"},
        {"GET /v1/health/service/web", NULL, "Health.ServiceNodes", 200, "[]"},
        {"GET /v1/health/connect/web", NULL, "Health.ServiceNodes", 200, "[]"},
        {"GET /v1/event/list", NULL, "Agent.Events", 200, "[]"},
        {"PUT /v1/event/fire/a", NULL, "Internal.EventFire", 200, NULL},
        {"GET /v1/operator/keyring", NULL, "Internal.KeyringOperation", 200, "[]"},
        {"POST /v1/operator/keyring", "{\"Key\":\"a\"}", "Internal.KeyringOperation", 200, ""},
        {"PUT /v1/operator/keyring", "{\"Key\":\"a\"}", "Internal.KeyringOperation", 200, ""},
        {"DELETE /v1/operator/keyring", "{\"Key\":\"a\"}", "Internal.KeyringOperation", 200, ""},
        {"GET /v1/kv/a", NULL, "KVS.Get", 404, ""},
        {"GET /v1/kv/a?recurse", NULL, "KVS.List", 404, ""},
        {"GET /v1/kv/?keys", NULL, "KVS.ListKeys", 200, "[]"},
        {"GET /v1/kv/a?keys", NULL, "KVS.ListKeys", 404, ""},
        {"PUT /v1/kv/a", "v", "KVS.Apply", 200, "true"},
        {"DELETE /v1/kv/a", NULL, "KVS.Apply", 200, "true"},
        {"GET /v1/agent/self", NULL, "Agent.Self", 200, NULL},
        {"GET /v1/agent/members", NULL, "Agent.Members", 200, "null"},
        {"GET /v1/agent/services", NULL, "Agent.Services", 200, "{}"},
        {"GET /v1/agent/checks", NULL, "Agent.Checks", 200, "{}"},
        {"GET /v1/agent/service/a", NULL, "Agent.Service", 404, "unknown service ID: a"},
        {"PUT /v1/agent/service/register", "{\"Name\":\"a\"}", "Agent.RegisterService", 200, ""},
        {"PUT /v1/agent/service/deregister/a", NULL, "Agent.DeregisterService", 200, ""},
        {"PUT /v1/agent/service/maintenance/a?enable=true", NULL, "Agent.Maintenance", 200, ""},
        {"PUT /v1/agent/maintenance?enable=0", NULL, "Agent.Maintenance", 200, ""},
        {"PUT /v1/agent/check/register", "{\"Name\":\"a\",\"TTL\":\"10s\"}", "Agent.RegisterCheck",
         200, ""},
        {"PUT /v1/agent/check/deregister/a", NULL, "Agent.DeregisterCheck", 200, ""},
        {"PUT /v1/agent/check/pass/a", NULL, "Agent.UpdateCheck", 200, ""},
        {"PUT /v1/agent/check/warn/a", NULL, "Agent.UpdateCheck", 200, ""},
        {"PUT /v1/agent/check/fail/a?note=x", NULL, "Agent.UpdateCheck", 200, ""},
        {"PUT /v1/agent/check/update/a", "{\"Status\":\"passing\"}", "Agent.UpdateCheck", 200, ""},
        {"PUT /v1/agent/join/1.2.3.4", NULL, "Agent.Join", 200, ""},
        {"PUT /v1/agent/leave", NULL, "Agent.Leave", 200, ""},
        {"PUT /v1/agent/force-leave/a", NULL, "Agent.ForceLeave", 200, ""},
        {"PUT /v1/agent/reload", NULL, "Agent.Reload", 200, ""},
        {"GET /v1/agent/health/service/id/a", NULL, "Agent.ServiceHealth", 404,
         "{\"AggregatedStatus\":\"critical\",\"Service\":null,\"Checks\":null}"},
        {"GET /v1/agent/health/service/name/a", NULL, "Agent.ServiceHealth", 404, "[]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(cases[i].line, "", cases[i].body, cases[i].status, cases[i].answer);
        assert_string_equal(k.method, cases[i].method);
    }
    assert_int_equal(k.calls, sizeof cases / sizeof *cases);
}

static void test_wrong_methods_are_told_the_right_ones(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"POST /v1/kv/a", "OPTIONS,GET,PUT,DELETE", "method POST not allowed"},
        {"PUT /v1/status/leader", "OPTIONS,GET", "method PUT not allowed"},
        {"GET /v1/agent/service/register", "OPTIONS,PUT", "method GET not allowed"},
        {"BREW /v1/agent/self", "OPTIONS,GET", "method BREW not allowed"},
        {"GET /v1/agent/check/pass/x", "OPTIONS,PUT", "method GET not allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r = kit_ask(&k, cases[i][0], "", NULL);
        assert_int_equal(r.status, 405);
        assert_string_equal(reply_header(&r, "Allow"), cases[i][1]);
        assert_string_equal(reply_header(&r, "Content-Type"), "text/plain; charset=utf-8");
        assert_string_equal(r.body, cases[i][2]);
        reply_free(&r);
    }
    struct reply r = kit_ask(&k, "HEAD /v1/agent/self", "", NULL);
    assert_int_equal(r.status, 405);
    assert_string_equal(r.body, "");
    reply_free(&r);
    r = kit_ask(&k, "OPTIONS /v1/kv/a", "", NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "Allow"), "OPTIONS,GET,PUT,DELETE");
    assert_null(reply_header(&r, "Content-Type"));
    reply_free(&r);
    assert_int_equal(k.calls, 0);
}

static void test_paths_are_cleaned_by_a_redirect(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"GET /v1//kv/a", "/v1/kv/a"},
        {"GET /v1/kv/a//b?x=1&y", "/v1/kv/a/b?x=1&y"},
        {"PUT /v1/./kv/a", "/v1/kv/a"},
        {"GET /v1/agent/../kv/a/", "/v1/kv/a/"},
        {"GET /../..", "/"},
        {"GET /v1/kv/a%2F%2Fb", "/v1/kv/a/b"},
        {"GET /v1/kv/%2e%2e/x", "/v1/x"},
        {"DELETE /v1/kv/a%20//b", "/v1/kv/a%20/b"},
        {"GET /v1/kv?x=y", "/v1/kv/?x=y"},
        {"GET /v1/health/service", "/v1/health/service/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r = kit_ask(&k, cases[i][0], "", NULL);
        assert_int_equal(r.status, 301);
        assert_string_equal(reply_header(&r, "Location"), cases[i][1]);
        reply_free(&r);
    }
}

static void test_unknown_paths_and_odd_ones(void **state)
{
    (void)state;
    ask("GET /", "", NULL, 200, "Consul Agent");
    static const char *const unknown[] = {"GET /v1",
                                          "GET /v1/",
                                          "GET /v1/agent/selfish",
                                          "GET /v1/kvs",
                                          "GET /v1/agent/self/",
                                          "PUT /v1/event/nothing",
                                          "GET /ui"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        ask(unknown[i], "", NULL, 404, "");
    }
    ask("GET /v1/kv/a%00b", "", NULL, 400, "");
    ask("GET /v1/kv/a%0ab", "", NULL, 400, "");
    ask("GET /v1/kv/a%E2%80%8Bb", "", NULL, 400, ""); /* zero width space */
    ask("GET /v1/kv/a?x=%zz", "", NULL, 500, "");
    ask("GET /v1/kv/%E2%82%AC", "", NULL, 404, "");
    asked("KVS.Get", "\"Key\":\"\xe2\x82\xac\"");
}

static void test_keys_are_decoded_paths(void **state)
{
    (void)state;
    ask("GET /v1/kv/a%2Fb%20c+d", "", NULL, 404, "");
    asked("KVS.Get", "\"Key\":\"a/b c+d\"");
    ask("GET /v1/kv/", "", NULL, 400, "Missing key name");
    ask("PUT /v1/kv/", "", "x", 400, "Missing key name");
    ask("DELETE /v1/kv/", "", NULL, 400, "Missing key name");
    ask("DELETE /v1/kv/?recurse", "", NULL, 200, "true");
    asked("KVS.Apply", "\"Op\":\"delete-tree\"");
    ask("GET /v1/kv/a?keys&separator=%2F", "", NULL, 404, "");
    assert_string_equal(k.method, "KVS.ListKeys");
}

static void answer_false(struct kit *kit, struct call *c)
{
    (void)kit;
    *(bool *)c->reply = false;
}

static void test_writes_of_keys_carry_their_conditions(void **state)
{
    (void)state;
    k.answer = answer_false;
    ask("PUT /v1/kv/a?flags=42", "", "v", 200, "true"); /* a plain put cannot fail */
    asked("KVS.Apply", "\"Op\":\"set\"");
    asked("KVS.Apply", "\"Flags\":42");
    ask("PUT /v1/kv/a?cas=7", "", "v", 200, "false");
    asked("KVS.Apply", "\"Op\":\"cas\"");
    asked("KVS.Apply", "\"ModifyIndex\":7");
    ask("PUT /v1/kv/a?acquire=s1", "", "v", 200, "false");
    asked("KVS.Apply", "\"Op\":\"lock\"");
    asked("KVS.Apply", "\"Session\":\"s1\"");
    ask("PUT /v1/kv/a?release=s1", "", "v", 200, "false");
    asked("KVS.Apply", "\"Op\":\"unlock\"");
    ask("DELETE /v1/kv/a?cas=9", "", NULL, 200, "false");
    asked("KVS.Apply", "\"Op\":\"delete-cas\"");
    ask("DELETE /v1/kv/a", "", NULL, 200, "true");
    asked("KVS.Apply", "\"Op\":\"delete\"");
    ask("PUT /v1/kv/a", "X-Consul-Token: t\r\n", "", 200, "true");
    asked("KVS.Apply", "\"Value\":null");

    ask("PUT /v1/kv/a?cas=1&acquire=abc", "", "v", 400, "Conflicting flags: acquire=abc&cas=1");
    ask("DELETE /v1/kv/a?recurse&cas=0", "", NULL, 400, "Conflicting flags: cas=0&recurse=");
    ask("PUT /v1/kv/a?flags=x", "", "v", 500, "strconv.ParseUint: parsing \"x\": invalid syntax");
    ask("PUT /v1/kv/a?cas=", "", "v", 500, "strconv.ParseUint: parsing \"\": invalid syntax");
    ask("PUT /v1/kv/a?flags=18446744073709551616", "", "v", 500,
        "strconv.ParseUint: parsing \"18446744073709551616\": value out of range");
    ask("PUT /v1/kv/a?flags=18446744073709551615", "", "v", 200, "true");
}

static void test_bad_options_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *headers, *text;
    } cases[] = {
        {"GET /v1/catalog/nodes?index=x", "", "Invalid index"},
        {"GET /v1/catalog/nodes?index=-1", "", "Invalid index"},
        {"GET /v1/catalog/nodes?wait=10", "", "Invalid wait time"},
        {"GET /v1/catalog/nodes?stale&consistent", "",
         "Cannot specify ?stale with ?consistent, conflicting semantics."},
        {"GET /v1/catalog/nodes?cached&consistent", "",
         "Cannot specify ?cached with ?consistent, conflicting semantics."},
        {"GET /v1/catalog/nodes?max_stale=abc", "", "Invalid max_stale value \"abc\""},
        {"GET /v1/catalog/services?ns=x", "",
         "Bad request: Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise "
         "feature"},
        {"PUT /v1/kv/a?ns=x", "",
         "Bad request: Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise "
         "feature"},
        {"GET /v1/health/state/any", "X-Consul-Namespace: x\r\n",
         "Bad request: Invalid header: \"X-Consul-Namespace\" - Namespaces are a Consul Enterprise "
         "feature"},
        {"GET /v1/catalog/nodes", "Cache-Control: max-age=x\r\n", "Invalid Cache-Control header."},
        {"GET /v1/catalog/service/", "", "Missing service name"},
        {"GET /v1/catalog/node/", "", "Missing node name"},
        {"GET /v1/catalog/node-services/", "", "Missing node name"},
        {"GET /v1/health/service/", "", "Missing service name"},
        {"GET /v1/health/checks/", "", "Missing service name"},
        {"GET /v1/health/node/", "", "Missing node name"},
        {"GET /v1/health/state/", "", "Missing check state"},
        {"GET /v1/health/service/web?passing=maybe", "", "Invalid value for ?passing"},
        {"PUT /v1/agent/maintenance", "", "Missing value for enable"},
        {"PUT /v1/agent/maintenance?enable=foo", "", "Invalid value for enable: \"foo\""},
        {"PUT /v1/agent/service/maintenance/", "", "Missing service ID"},
        {"GET /v1/agent/members?wan=1&segment=a", "", "Cannot provide a segment with wan=true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(cases[i].line, cases[i].headers, NULL, 400, cases[i].text);
    }
    ask("GET /v1/agent/members?segment=a", "", NULL, 500,
        "Network segments are not supported in this version of Consul");
}

static void test_bad_bodies_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"PUT /v1/catalog/register", "", "Request decode failed: EOF"},
        {"PUT /v1/catalog/register", "{\"Bad\":1}",
         "Request decode failed: json: unknown field \"Bad\""},
        {"PUT /v1/catalog/deregister", "{", "Request decode failed: unexpected EOF"},
        {"PUT /v1/agent/service/register", "x",
         "Request decode failed: invalid character 'x' looking for beginning of value"},
        {"PUT /v1/agent/service/register", "{}", "Missing service name"},
        {"PUT /v1/agent/check/register", "{\"TTL\":\"10s\"}", "Missing check name"},
        {"PUT /v1/agent/check/update/x", "{\"Status\":\"foo\"}", "Invalid check status: 'foo'"},
        {"PUT /v1/agent/check/update/x", "{\"Status\":1}",
         "Request decode failed: json: cannot unmarshal number into Go struct field "
         "checkUpdate.Status of type string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(cases[i][0], "", cases[i][1], 400, cases[i][2]);
    }
    assert_int_equal(k.calls, 0);
}

/* ---- What a read carries along ---- */

static struct catalog_query_options options;
static struct catalog_query_source source;
static char names[4][64];

static void look_at_nodes(struct kit *kit, struct call *c)
{
    (void)kit;
    const struct catalog_dc_request *q = c->request;
    struct catalog_indexed_nodes *reply = c->reply;
    options = q->options;
    source = q->source;
    snprintf(names[0], 64, "%.*s", (int)q->datacenter.len, q->datacenter.p);
    snprintf(names[1], 64, "%.*s", (int)q->options.token.len,
             q->options.token.p ? q->options.token.p : "");
    snprintf(names[2], 64, "%.*s", (int)q->source.node.len,
             q->source.node.p ? q->source.node.p : "");
    snprintf(names[3], 64, "%zu", q->node_meta_filters.len);
    reply->meta = (struct catalog_query_meta){
        .index = 77, .known_leader = true, .last_contact_ns = 1500 * 1000000};
}

static void test_reads_carry_their_options(void **state)
{
    (void)state;
    k.answer = look_at_nodes;
    struct reply r =
        kit_ask(&k,
                "GET "
                "/v1/catalog/"
                "nodes?index=12&wait=1m30s&stale&dc=dc2&near=_agent&node-meta=a:b&node-meta=c:d:e",
                "X-Consul-Token: secret\r\n", NULL);
    assert_int_equal(r.status, 200);
    assert_true(options.min_query_index == 12 && options.max_query_time_ns == 600000000000 &&
                options.allow_stale);
    assert_string_equal(names[0], "dc2");
    assert_string_equal(names[1], "secret");
    assert_string_equal(names[2], "n1");
    assert_string_equal(names[3], "2");
    assert_string_equal(reply_header(&r, "X-Consul-Index"), "77");
    assert_string_equal(reply_header(&r, "X-Consul-Knownleader"), "true");
    assert_string_equal(reply_header(&r, "X-Consul-Lastcontact"), "1500");
    assert_string_equal(reply_header(&r, "X-Consul-Effective-Consistency"), "stale");
    assert_string_equal(reply_header(&r, "Content-Type"), "application/json");
    reply_free(&r);
    r = kit_ask(&k, "GET /v1/catalog/nodes?token=first&consistent", "X-Consul-Token: second\r\n",
                NULL);
    assert_string_equal(names[0], "dc1");
    assert_string_equal(names[1], "first");
    assert_true(options.require_consistent);
    assert_string_equal(reply_header(&r, "X-Consul-Effective-Consistency"), "consistent");
    reply_free(&r);
    ask("GET /v1/catalog/nodes", "Authorization: bEARER tok\r\n", NULL, 200, "[]");
    assert_string_equal(names[1], "tok");
    ask("GET /v1/catalog/nodes", "Authorization: Basic tok\r\n", NULL, 200, "[]");
    assert_string_equal(names[1], "");
}

static void test_an_answer_older_than_max_stale_is_asked_of_the_leader(void **state)
{
    (void)state;
    k.answer = look_at_nodes;
    ask("GET /v1/catalog/nodes?max_stale=2s", "", NULL, 200, "[]");
    assert_int_equal(k.calls, 1);
    assert_true(options.allow_stale);
    ask("GET /v1/catalog/nodes?max_stale=1s", "", NULL, 200, "[]");
    assert_int_equal(k.calls, 3);
    assert_false(options.allow_stale);
}

static void test_errors_have_their_status_and_headers(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        int status;
        const char *body;
    } cases[] = {
        {"No cluster leader", 500, "No cluster leader"},
        {"rpc error making call: Permission denied", 403,
         "rpc error making call: Permission denied"},
        {"ACL not found", 403, "ACL not found"},
        {"rpc error making call: RPC rate limit exceeded", 429, ""},
        {"No path to datacenter", 500, "No path to datacenter"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        k.error = cases[i].error;
        struct reply r = kit_ask(&k, "GET /v1/catalog/nodes", "", NULL);
        assert_int_equal(r.status, cases[i].status);
        assert_string_equal(r.body, cases[i].body);
        assert_string_equal(reply_header(&r, "X-Consul-Index"), "1");
        assert_string_equal(reply_header(&r, "X-Consul-Knownleader"), "false");
        assert_string_equal(reply_header(&r, "X-Consul-Lastcontact"), "0");
        assert_null(reply_header(&r, "X-Consul-Effective-Consistency"));
        reply_free(&r);
    }
    k.error = "No service registered with ID \"x\"";
    ask("PUT /v1/agent/service/maintenance/x?enable=true", "", NULL, 404,
        "No service registered with ID \"x\"");
}

static struct catalog_check passing = {.status = {"passing", 7}, .check_id = {"c1", 2}},
                            critical = {.status = {"critical", 8}, .check_id = {"c2", 2}};
static struct catalog_node node = {.node = {"a<b>&", 5}};
static struct catalog_node_service service = {.id = {"s", 1}, .service = {"s", 1}};

static void answer_instances(struct kit *kit, struct call *c)
{
    (void)kit;
    static void *good[] = {&passing}, *bad[] = {&passing, &critical};
    static struct catalog_check_service_node healthy = {&node, &service, {good, 1}},
                                             sick = {&node, &service, {bad, 2}};
    static void *all[] = {&sick, &healthy};
    *(struct catalog_indexed_check_service_nodes *)c->reply =
        (struct catalog_indexed_check_service_nodes){.nodes = {all, 2}};
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        n++;
    }
    return n;
}

static void test_passing_drops_instances_with_any_other_check(void **state)
{
    (void)state;
    k.answer = answer_instances;
    static const struct {
        const char *line;
        size_t instances;
    } cases[] = {{"GET /v1/health/service/s", 2},
                 {"GET /v1/health/service/s?passing", 1},
                 {"GET /v1/health/service/s?passing=1", 1},
                 {"GET /v1/health/service/s?passing=false", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r = kit_ask(&k, cases[i].line, "", NULL);
        assert_int_equal(r.status, 200);
        assert_int_equal(count(r.body, "\"Service\":{"), cases[i].instances);
        assert_non_null(strstr(r.body, "a\\u003cb\\u003e\\u0026"));
        reply_free(&r);
    }
}

static void test_pretty_answers_are_indented_and_end_their_line(void **state)
{
    (void)state;
    k.answer = answer_instances;
    struct reply r = kit_ask(&k, "GET /v1/health/service/s?pretty", "", NULL);
    assert_non_null(strstr(r.body, "[\n    {\n        \"Node\": {\n"));
    assert_int_equal(r.body[r.len - 1], '\n');
    reply_free(&r);
}

static void answer_entry(struct kit *kit, struct call *c)
{
    (void)kit;
    static struct catalog_dir_entry e = {
        .key = {"a", 1}, .value = {"x<y", 3}, .flags = 1, .create_index = 2, .modify_index = 3};
    static void *items[] = {&e};
    *(struct catalog_indexed_dir_entries *)c->reply =
        (struct catalog_indexed_dir_entries){.entries = {items, 1}};
}

static void test_values_come_as_json_or_raw(void **state)
{
    (void)state;
    k.answer = answer_entry;
    ask("GET /v1/kv/a", "", NULL, 200,
        "[{\"LockIndex\":0,\"Key\":\"a\",\"Flags\":1,\"Value\":\"eDx5\",\"CreateIndex\":2,"
        "\"ModifyIndex\":3}]");
    struct reply r = kit_ask(&k, "GET /v1/kv/a?raw", "", NULL);
    assert_string_equal(r.body, "x<y");
    assert_string_equal(reply_header(&r, "Content-Type"), "text/plain");
    assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(reply_header(&r, "Content-Security-Policy"), "sandbox");
    assert_string_equal(reply_header(&r, "X-Consul-Index"), "1");
    reply_free(&r);
}

static void answer_health(struct kit *kit, struct call *c)
{
    (void)kit;
    static struct agent_service s = {.id = {"s", 1}};
    static struct agent_service_health ok = {{"passing", 7}, &s, {NULL, 0}},
                                       warn = {{"warning", 7}, &s, {NULL, 0}};
    static void *all[] = {&ok, &warn};
    const struct agent_service_health_request *q = c->request;
    *(struct agent_service_health_reply *)c->reply =
        (struct agent_service_health_reply){.instances = {all, q->id.len ? 1 : 2}};
}

static void test_health_of_a_local_service_is_the_status(void **state)
{
    (void)state;
    k.answer = answer_health;
    struct reply r = kit_ask(&k, "GET /v1/agent/health/service/id/s", "", NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "X-Consul-Reason"), "passing");
    reply_free(&r);
    ask("GET /v1/agent/health/service/id/s?format=text", "", NULL, 200, "passing");
    ask("GET /v1/agent/health/service/name/s?format=text", "", NULL, 429, "warning");
    r = kit_ask(&k, "GET /v1/agent/health/service/name/s", "", NULL);
    assert_int_equal(r.status, 429);
    assert_int_equal(count(r.body, "AggregatedStatus"), 2);
    reply_free(&r);
    ask("GET /v1/agent/health/service/id/", "", NULL, 500, "Bad request: Missing serviceID");
    ask("GET /v1/agent/health/service/name/", "", NULL, 500, "Bad request: Missing service Name");
}

/* ---- Keys of gossip ---- */

static void answer_keys(struct kit *kit, struct call *c)
{
    static struct mu_pair told[] = {{{"a", 1}, {"no", 2}}, {{"b", 1}, {"never", 5}}};
    static struct catalog_keyring_response wan = {.wan = true, .datacenter = {"dc1", 3}},
                                           lan = {.datacenter = {"dc1", 3}, .num_nodes = 2};
    static void *pools[] = {&wan, &lan};
    wan.keys = wan.primary_keys = lan.keys = mu__cstr("\x81\xa1k\x02");
    lan.primary_keys = mu__cstr("\x80");
    lan.messages = (struct mu_strmap){told, 2};
    lan.error = mu__cstr(strstr(kit->request, "remove") ? "2/2 nodes reported failure" : "");
    ((struct catalog_keyring_responses *)c->reply)->responses = (struct mu_list){pools, 2};
}

static void test_keys_are_listed_and_refusals_named(void **state)
{
    (void)state;
    k.answer = answer_keys;
    ask("GET /v1/operator/keyring?relay-factor=5&local-only=1", "", NULL, 200,
        "[{\"WAN\":true,\"Datacenter\":\"dc1\",\"Segment\":\"\",\"Keys\":{\"k\":2},"
        "\"PrimaryKeys\":{\"k\":2},\"NumNodes\":0},{\"WAN\":false,\"Datacenter\":\"dc1\","
        "\"Segment\":\"\",\"Messages\":{\"a\":\"no\",\"b\":\"never\"},\"Keys\":{\"k\":2},"
        "\"PrimaryKeys\":{},\"NumNodes\":2}]");
    asked("Internal.KeyringOperation", "\"Operation\":\"list\"");
    asked("Internal.KeyringOperation", "\"RelayFactor\":5");
    asked("Internal.KeyringOperation", "\"LocalOnly\":true");
    ask("POST /v1/operator/keyring", "", "{\"Key\":\"x\"}", 200, "");
    asked("Internal.KeyringOperation", "\"Operation\":\"install\",\"Key\":\"x\"");
    ask("DELETE /v1/operator/keyring", "", "{\"Key\":\"x\"}", 500,
        "3 errors occurred:\n\t* dc1 (LAN) error: 2/2 nodes reported failure\n\t* a: no\n\t* b: "
        "never\n\n");
    k.answer = NULL;
}

static void test_wrong_keyring_requests_are_refused(void **state)
{
    (void)state;
    static const char factor[] =
        "Bad request: Invalid relay-factor: Relay factor must be in range: [0, 5]";
    ask("GET /v1/operator/keyring?relay-factor=6", "", NULL, 400, factor);
    ask("GET /v1/operator/keyring?relay-factor=-1", "", NULL, 400, factor);
    ask("GET /v1/operator/keyring?relay-factor=x", "", NULL, 400,
        "Bad request: Error parsing relay factor: strconv.Atoi: parsing \"x\": invalid syntax");
    ask("GET /v1/operator/keyring?relay-factor=99999999999999999999", "", NULL, 400,
        "Bad request: Error parsing relay factor: strconv.Atoi: parsing "
        "\"99999999999999999999\": value out of range");
    ask("GET /v1/operator/keyring?local-only=x", "", NULL, 400,
        "Bad request: Error parsing local-only: strconv.ParseBool: parsing \"x\": invalid syntax");
    ask("PUT /v1/operator/keyring?local-only=true", "", "{}", 400,
        "Bad request: Invalid use of local-only: local-only can only be set for list requests");
    ask("PUT /v1/operator/keyring", "", "", 400, "Bad request: Request decode failed: EOF");
}

/* ---- User events ---- */

static void test_an_event_is_fired_as_it_is_answered(void **state)
{
    (void)state;
    struct reply r =
        kit_ask(&k, "PUT /v1/event/fire/a%2Fb?node=n&service=s&tag=t&dc=dc2", "", "pay");
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "\"Name\":\"a/b\",\"Payload\":\"cGF5\",\"NodeFilter\":\"n\","
                                   "\"ServiceFilter\":\"s\",\"TagFilter\":\"t\",\"Version\":1,"
                                   "\"LTime\":0}"));
    reply_free(&r);
    asked("Internal.EventFire", "\"Datacenter\":\"dc2\",\"Name\":\"a/b\"");
    asked("Internal.EventFire", "\"AllowStale\":true");
    k.error = "1 error occurred:\n\t* too long\n\n";
    ask("PUT /v1/event/fire/a", "", NULL, 500, k.error);
    k.error = NULL;
}

static void test_wrong_events_are_refused(void **state)
{
    (void)state;
    unsigned before = k.calls;
    ask("PUT /v1/event/fire/", "", NULL, 400, "Missing name");
    ask("PUT /v1/event/fire/a?tag=x", "", NULL, 500,
        "Cannot provide tag filter without service filter");
    ask("PUT /v1/event/fire/a?node=a**", "", NULL, 500,
        "Invalid node filter: error parsing regexp: invalid nested repetition operator: `**`");
    ask("GET /v1/event/list?index=x", "", NULL, 400, "Invalid index");
    ask("GET /v1/event/list?wait=x", "", NULL, 400, "Invalid wait time");
    assert_int_equal(k.calls, before);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_each_route_makes_its_call),
        T(test_keys_are_listed_and_refusals_named),
        T(test_wrong_keyring_requests_are_refused),
        T(test_an_event_is_fired_as_it_is_answered),
        T(test_wrong_events_are_refused),
        T(test_wrong_methods_are_told_the_right_ones),
        T(test_paths_are_cleaned_by_a_redirect),
        T(test_unknown_paths_and_odd_ones),
        T(test_keys_are_decoded_paths),
        T(test_writes_of_keys_carry_their_conditions),
        T(test_bad_options_are_refused),
        T(test_bad_bodies_are_refused),
        T(test_reads_carry_their_options),
        T(test_an_answer_older_than_max_stale_is_asked_of_the_leader),
        T(test_errors_have_their_status_and_headers),
        T(test_passing_drops_instances_with_any_other_check),
        T(test_pretty_answers_are_indented_and_end_their_line),
        T(test_values_come_as_json_or_raw),
        T(test_health_of_a_local_service_is_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
