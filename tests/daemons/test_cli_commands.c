/* Mirrors daemons/cli: commands against an agent that answers from a script, on a port that the
 * system chose. */
#include "cli_kit.h"

#include "cli/cli.h"
#include "cli/http_reader.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* The next answer, and what the last request was. Set before a command runs and read when it has
 * ended. */
static struct {
    int status;
    const char *body;
    char request[512], sent[256], token[64], length[16];
} script;

static void on_request(struct evhttp_request *req, void *arg)
{
    (void)arg;
    static const char *const methods[] = {[EVHTTP_REQ_GET] = "GET",
                                          [EVHTTP_REQ_PUT] = "PUT",
                                          [EVHTTP_REQ_POST] = "POST",
                                          [EVHTTP_REQ_DELETE] = "DELETE"};
    struct evbuffer *in = evhttp_request_get_input_buffer(req), *out = evbuffer_new();
    const char *token = evhttp_find_header(evhttp_request_get_input_headers(req), "X-Consul-Token");
    snprintf(script.request, sizeof script.request, "%s %s",
             methods[evhttp_request_get_command(req)], evhttp_request_get_uri(req));
    const char *length =
        evhttp_find_header(evhttp_request_get_input_headers(req), "Content-Length");
    snprintf(script.length, sizeof script.length, "%s", length ? length : "");
    snprintf(script.token, sizeof script.token, "%s", token ? token : "");
    int n = evbuffer_remove(in, script.sent, sizeof script.sent - 1);
    script.sent[n > 0 ? n : 0] = '\0';
    evbuffer_add(out, script.body, strlen(script.body));
    evhttp_send_reply(req, script.status, "x", out);
    evbuffer_free(out);
}

static int setup(void **state)
{
    (void)state;
    return cli_kit_listen(on_request);
}

static void will_answer(int status, const char *body)
{
    script.status = status;
    script.body = body;
    script.request[0] = script.sent[0] = script.token[0] = '\0';
}

/* ---- Flags ---- */

static struct {
    bool on;
    const char *name;
    struct cli_common common;
    int at;
} got;

static int parse(int argc, char **argv)
{
    const struct cli_flag flags[] = {
        {"on", &got.on, NULL, "A switch."}, {"name", NULL, &got.name, "A name."}, {0}};
    memset(&got, 0, sizeof got);
    got.at = cli_parse(argc, argv, "Usage: test", flags, &got.common);
    return got.at;
}

static void flags_are_read_in_all_their_forms(void **state)
{
    (void)state;
    assert_int_equal(RUN(parse, "-on", "--name", "n", "-token=t", "rest"), 4);
    assert_true(got.on);
    assert_int_equal(RUN(parse, "-on=false", "--name=n", "--", "-on"), 3);
    assert_false(got.on);
    assert_int_equal(RUN(parse, "-"), 0); /* standard input, not a flag */
}

static void wrong_flags_show_the_usage(void **state)
{
    (void)state;
    assert_int_equal(RUN(parse, "-nonsense"), -1);
    assert_non_null(strstr(cli_complaint, "flag provided but not defined: -nonsense"));
    assert_non_null(strstr(cli_complaint, "Usage: test"));
    assert_int_equal(RUN(parse, "-name"), -1);
    assert_non_null(strstr(cli_complaint, "flag needs an argument: -name"));
    assert_int_equal(RUN(parse, "-on=maybe"), -1);
    assert_non_null(strstr(cli_complaint, "invalid boolean value"));
    assert_int_equal(RUN(parse, "-h"), -2);
    assert_non_null(strstr(cli_output, "-http-addr"));
}

static void addresses_are_read_in_all_their_forms(void **state)
{
    (void)state;
    struct cli_client c = {0};
    assert_true(cli_client_init(&c, "http://[::1]:85/", NULL, NULL));
    assert_string_equal(c.host, "::1");
    assert_int_equal(c.port, 85);
    assert_true(cli_client_init(&c, "agent.example", "t", NULL));
    assert_string_equal(c.host, "agent.example");
    assert_int_equal(c.port, 80);
    assert_string_equal(c.token, "t");
    assert_true(cli_client_init(&c, NULL, NULL, NULL));
    assert_string_equal(c.authority, "127.0.0.1:8500");
    assert_true(cli_client_init(&c, "unix:///run/x.sock", NULL, NULL));
    assert_string_equal(c.host, "/run/x.sock");
    assert_int_equal(c.port, 0);
    setenv("CONSUL_HTTP_ADDR", "a:1", 1);
    setenv("CONSUL_HTTP_AUTH", "user:pass", 1);
    assert_true(cli_client_init(&c, NULL, NULL, NULL));
    assert_string_equal(c.authority, "a:1");
    assert_string_equal(c.auth, "dXNlcjpwYXNz");
    setenv("MUSTER_HTTP_ADDR", "b:2", 1);
    assert_true(cli_client_init(&c, NULL, NULL, NULL));
    assert_string_equal(c.authority, "b:2");
    unsetenv("CONSUL_HTTP_ADDR");
    unsetenv("CONSUL_HTTP_AUTH");
    unsetenv("MUSTER_HTTP_ADDR");
    struct cli_capture err;
    cli_capture(&err, stderr);
    assert_false(cli_client_init(&c, "https://a:1", NULL, NULL));
    assert_false(cli_client_init(&c, "a:70000", NULL, NULL));
    assert_false(cli_client_init(&c, ":8500", NULL, NULL));
    cli_release(&err, stderr, cli_complaint, sizeof cli_complaint);
}

static void a_token_of_a_file_counts_more(void **state)
{
    (void)state;
    struct cli_client c = {0};
    struct cli_capture err;
    char path[] = "/tmp/test-cli-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, " from-file\n", 11), 11);
    assert_true(cli_client_init(&c, NULL, "from-flag", path));
    assert_string_equal(c.token, "from-file");
    setenv("CONSUL_HTTP_TOKEN_FILE", path, 1);
    assert_true(cli_client_init(&c, NULL, "from-flag", NULL));
    assert_string_equal(c.token, "from-file");
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(cli_client_init(&c, NULL, "from-flag", NULL));
    assert_string_equal(c.token, "from-flag");
    unsetenv("CONSUL_HTTP_TOKEN_FILE");
    close(fd);
    unlink(path);
    cli_capture(&err, stderr);
    assert_false(cli_client_init(&c, NULL, NULL, path));
    cli_release(&err, stderr, cli_complaint, sizeof cli_complaint);
    assert_non_null(strstr(cli_complaint, "Error loading token file: open /tmp/test-cli-"));
}

static void keep_piece(void *user, const struct http_reader *r, const char *data, size_t len)
{
    struct cli_response *kept = user;
    (void)r;
    kept->body = realloc(kept->body, kept->len + len + 1);
    assert_non_null(kept->body);
    memcpy(kept->body + kept->len, data, len);
    kept->len += len;
    kept->body[kept->len] = '\0';
}

/* Writes an answer to a socket and reads it back in pieces. */
static void expect_read(const char *answer, int status, const char *body)
{
    int fds[2];
    struct cli_response kept = {.status = 0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(write(fds[0], answer, strlen(answer)), (ssize_t)strlen(answer));
    close(fds[0]);
    struct http_reader r = {.fd = fds[1]};
    bool ok = http_read(&r, keep_piece, &kept);
    assert_int_equal(ok, body != NULL);
    assert_int_equal(r.status, status);
    if (body) {
        assert_string_equal(kept.body ? kept.body : "", body);
    }
    free(kept.body);
    close(fds[1]);
}

static void answers_are_read_in_all_their_forms(void **state)
{
    (void)state;
    expect_read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabXX", 200, "ab");
    expect_read("HTTP/1.1 200 OK\r\n\r\nab", 200, "ab");
    expect_read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\ncontent-length:0\r\n\r\n", 404,
                "");
    expect_read(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200,
        "abc");
    expect_read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 200, NULL);
    expect_read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab", 200, NULL);
    expect_read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 200, NULL);
    expect_read("rubbish\r\n\r\n", 0, NULL);
    expect_read("", 0, NULL);
}

static void text_is_escaped_for_a_path(void **state)
{
    (void)state;
    char path[16] = "/";
    cli_escape("a b/%\xff", path, sizeof path);
    assert_string_equal(path, "/a%20b/%25%FF");
    char small[8] = "";
    cli_escape("          ", small, sizeof small); /* cut between letters, never within one */
    assert_string_equal(small, "%20%20");
}

/* ---- Commands ---- */

static void an_agent_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    char nobody[64];
    /* Bound and not listening: the port is nobody else's */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    getsockname(fd, (struct sockaddr *)&in, &len);
    snprintf(nobody, sizeof nobody, "-http-addr=127.0.0.1:%u", ntohs(in.sin_port));
    assert_int_equal(RUN(cmd_leave, nobody), 1);
    assert_non_null(strstr(cli_complaint, "Error leaving: Put \"http://127.0.0.1:"));
    close(fd);
}

static void members_are_a_table(void **state)
{
    (void)state;
    static const char two[] =
        "[{\"Name\":\"c\",\"Addr\":\"10.0.0.2\",\"Port\":8301,\"Status\":4,\"Tags\":{\"role\":"
        "\"node\",\"build\":\"1.8.7:x\","
        "\"vsn\":\"2\",\"dc\":\"dc1\"}},{\"Name\":\"s\",\"Addr\":\"::1\",\"Port\":8301,\"Status\":"
        "1,\"Tags\":"
        "{\"role\":\"consul\",\"build\":\"1.8.7:x\",\"vsn\":\"2\",\"dc\":\"dc1\"}}]";
    will_answer(200, two);
    assert_int_equal(RUN(cmd_members, cli_address, "-token", "secret"), 0);
    assert_string_equal(script.token, "secret");
    assert_string_equal(cli_output,
                        "Node  Address        Status  Type    Build  Protocol  DC   Segment\n"
                        "s     [::1]:8301     alive   server  1.8.7  2         dc1  <all>\n"
                        "c     10.0.0.2:8301  failed  client  1.8.7  2         dc1  <default>\n");
    assert_int_equal(RUN(cmd_members, cli_address, "-status", "left"), 2);
    assert_int_equal(RUN(cmd_members, cli_address, "-detailed", "-status=alive"), 0);
    assert_non_null(strstr(cli_output, "build=1.8.7:x,dc=dc1,role=consul,vsn=2"));
    will_answer(200, "nonsense");
    assert_int_equal(RUN(cmd_members, cli_address), 2);
    will_answer(500, "No cluster leader");
    assert_int_equal(RUN(cmd_members, cli_address), 1);
    assert_string_equal(
        cli_complaint,
        "Error retrieving members: Unexpected response code: 500 (No cluster leader)\n");
}

static void a_key_is_put_and_read_and_deleted(void **state)
{
    (void)state;
    will_answer(200, "true");
    assert_int_equal(RUN(cmd_kv, "put", cli_address, "-flags=7", "/a b", "value"), 0);
    assert_string_equal(script.request, "PUT /v1/kv/a%20b?flags=7");
    assert_string_equal(script.sent, "value");
    assert_int_equal(RUN(cmd_kv, "put", cli_address, "-base64", "k", "dmFsdWU="), 0);
    assert_string_equal(script.sent, "value");
    assert_int_equal(RUN(cmd_kv, "delete", cli_address, "-recurse", "a"), 0);
    assert_string_equal(script.request, "DELETE /v1/kv/a?recurse");
    will_answer(200, "[{\"Key\":\"a\",\"Value\":\"dmFsdWU=\"},{\"Key\":\"b\",\"Value\":null}]");
    assert_int_equal(RUN(cmd_kv, "get", cli_address, "-recurse"), 0);
    assert_string_equal(cli_output, "a:value\nb:\n");
    will_answer(404, "");
    assert_int_equal(RUN(cmd_kv, "get", cli_address, "gone"), 1);
    assert_string_equal(cli_complaint, "Error! No key exists at: gone\n");
}

static void a_key_that_did_not_match_is_not_written(void **state)
{
    (void)state;
    will_answer(200, "false");
    assert_int_equal(RUN(cmd_kv, "put", cli_address, "-cas", "-modify-index", "5", "k", "v"), 1);
    assert_string_equal(script.request, "PUT /v1/kv/k?cas=5");
    assert_string_equal(cli_complaint, "Error! Did not write to k: CAS failed\n");
    assert_int_equal(RUN(cmd_kv, "put", cli_address, "-cas", "k", "v"), 1);
    assert_string_equal(cli_complaint, "Must specify -modify-index with -cas!\n");
}

static void bad_values_and_answers_are_errors(void **state)
{
    (void)state;
    will_answer(200, "true");
    static const char *const bad[] = {"dmFsdWU", "dmFs!WU=", "dm=sdWU=", "===="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(RUN(cmd_kv, "put", cli_address, "-base64", "k", bad[i]), 1);
        assert_string_equal(script.request, "");
    }
    assert_int_equal(RUN(cmd_kv, "put", cli_address, "k", "@/nonexistent"), 1);
    will_answer(200, "nonsense");
    assert_int_equal(RUN(cmd_kv, "get", cli_address, "k"), 1);
    will_answer(200, "[{}]");
    assert_int_equal(RUN(cmd_catalog, "nodes", cli_address), 0);
    assert_int_equal(RUN(cmd_kv, "get", cli_address, "-detailed", "k"), 0);
    assert_int_equal(RUN(cmd_kv, "get", cli_address), 1);
    assert_int_equal(RUN(cmd_kv, "get", cli_address, "a", "b"), 1);
    assert_int_equal(RUN(cmd_kv, "nonsense", cli_address), 1);
}

static void the_catalog_is_listed(void **state)
{
    (void)state;
    will_answer(200, "[{\"Node\":\"n\",\"ID\":\"12345678-90\",\"Address\":\"10.0.0.1\","
                     "\"Datacenter\":\"dc1\"}]");
    assert_int_equal(RUN(cmd_catalog, "nodes", cli_address, "-stale", "-datacenter", "d c"), 0);
    assert_string_equal(script.request, "GET /v1/catalog/nodes?stale&dc=d%20c");
    assert_string_equal(cli_output,
                        "Node  ID        Address   DC\nn     12345678  10.0.0.1  dc1\n");
    will_answer(200, "{\"consul\":[],\"web\":[\"v1\"]}");
    assert_int_equal(RUN(cmd_catalog, "services", cli_address), 0);
    assert_string_equal(cli_output, "consul\nweb\n");
    will_answer(200, "[\"dc1\"]");
    assert_int_equal(RUN(cmd_catalog, "datacenters", cli_address), 0);
    assert_string_equal(cli_output, "dc1\n");
    assert_int_equal(RUN(cmd_catalog, "nonsense", cli_address), 1);
}

static void the_cluster_is_told(void **state)
{
    (void)state;
    will_answer(200, "");
    assert_int_equal(RUN(cmd_join, cli_address, "10.0.0.1", "10.0.0.2"), 0);
    assert_string_equal(script.request, "PUT /v1/agent/join/10.0.0.2");
    assert_string_equal(cli_output, "Successfully joined cluster by contacting 2 nodes.\n");
    assert_int_equal(RUN(cmd_join, cli_address), 1);
    assert_int_equal(RUN(cmd_force_leave, cli_address, "-prune", "n 1"), 0);
    assert_string_equal(script.request, "PUT /v1/agent/force-leave/n%201?prune");
    assert_int_equal(RUN(cmd_leave, cli_address), 0);
    assert_string_equal(cli_output, "Graceful leave complete\n");
    assert_int_equal(RUN(cmd_reload, cli_address), 0);
    assert_string_equal(script.request, "PUT /v1/agent/reload");
    will_answer(500, "no");
    assert_int_equal(RUN(cmd_join, cli_address, "10.0.0.1"), 1);
    assert_non_null(strstr(cli_complaint, "Failed to join any nodes."));
}

static void info_is_sorted(void **state)
{
    (void)state;
    will_answer(200, "{\"Stats\":{\"raft\":{\"term\":\"2\",\"state\":\"Leader\"},\"build\":{}}}");
    assert_int_equal(RUN(cmd_info, cli_address), 0);
    assert_string_equal(cli_output, "build:\nraft:\n\tstate = Leader\n\tterm = 2\n");
    will_answer(200, "nonsense");
    assert_int_equal(RUN(cmd_info, cli_address), 0);
}

static void a_key_of_gossip_has_32_bytes(void **state)
{
    (void)state;
    assert_int_equal(cli_run(cmd_keygen, (const char *const[]){NULL}), 0);
    assert_int_equal(strlen(cli_output), 45);
    assert_int_equal(cli_output[43], '=');
}

/* ---- muster keyring, muster event ---- */

static void keys_are_listed_by_pool(void **state)
{
    (void)state;
    will_answer(200, "[{\"WAN\":true,\"Datacenter\":\"dc1\",\"Segment\":\"\",\"Keys\":{\"k1\":1},"
                     "\"PrimaryKeys\":{\"k1\":1},\"NumNodes\":1},{\"WAN\":false,\"Datacenter\":"
                     "\"dc1\",\"Segment\":\"\",\"Keys\":{\"k1\":2,\"k2\":1},\"PrimaryKeys\":"
                     "{\"k2\":1},\"NumNodes\":2}]");
    assert_int_equal(RUN(cmd_keyring, cli_address, "-list"), 0);
    assert_string_equal(script.request, "GET /v1/operator/keyring?relay-factor=0");
    assert_string_equal(cli_output,
                        "==> Gathering installed encryption keys...\n\nWAN:\n  k1 [1/1]\n\n"
                        "dc1 (LAN):\n  k1 [2/2]\n  k2 [1/2]\n");
    assert_int_equal(
        RUN(cmd_keyring, cli_address, "-list-primary", "-local-only", "-relay-factor=3"), 0);
    assert_string_equal(script.request, "GET /v1/operator/keyring?relay-factor=3&local-only=true");
    assert_non_null(strstr(cli_output, "primary encryption keys...\n\nWAN:\n  k1 [1/1]\n\n"
                                       "dc1 (LAN):\n  k2 [1/2]\n"));
}

static void keys_are_changed_by_one_action_at_a_time(void **state)
{
    (void)state;
    will_answer(200, "");
    assert_int_equal(RUN(cmd_keyring, cli_address, "-install", "a\"b"), 0);
    assert_string_equal(script.request, "POST /v1/operator/keyring?relay-factor=0");
    assert_string_equal(script.sent, "{\"Key\":\"a\\\"b\"}");
    assert_int_equal(RUN(cmd_keyring, cli_address, "-use=k"), 0);
    assert_string_equal(script.request, "PUT /v1/operator/keyring?relay-factor=0");
    assert_int_equal(RUN(cmd_keyring, cli_address, "-remove=k"), 0);
    assert_string_equal(script.request, "DELETE /v1/operator/keyring?relay-factor=0");
    assert_string_equal(script.length, "11"); /* {"Key":"k"}: whoever reads it must know */
    assert_int_equal(RUN(cmd_keyring, cli_address), 1);
    assert_int_equal(RUN(cmd_keyring, cli_address, "-list", "-use=k"), 1);
    assert_string_equal(cli_complaint, "Only a single action is allowed\n");
    assert_int_equal(RUN(cmd_keyring, cli_address, "-list", "-relay-factor=6"), 1);
    assert_int_equal(RUN(cmd_keyring, cli_address, "-list", "-relay-factor=x"), 1);
    assert_int_equal(RUN(cmd_keyring, cli_address, "-use=k", "-local-only"), 1);
    will_answer(500, "no");
    assert_int_equal(RUN(cmd_keyring, cli_address, "-use=k"), 1);
    assert_string_equal(cli_complaint, "error: Unexpected response code: 500 (no)\n");
}

static void an_event_is_fired_with_its_filters(void **state)
{
    (void)state;
    will_answer(200, "{\"ID\":\"u-1\"}");
    assert_int_equal(RUN(cmd_event, cli_address, "-name=de ploy", "-node=^a", "-service=w+",
                         "-tag=x", "pay load"),
                     0);
    assert_string_equal(script.request,
                        "PUT /v1/event/fire/de%20ploy?node=%5Ea&service=w%2B&tag=x");
    assert_string_equal(script.sent, "pay load");
    assert_string_equal(cli_output, "Event ID: u-1\n");
    assert_int_equal(RUN(cmd_event, cli_address), 1);
    assert_string_equal(cli_complaint, "Event name must be specified\n");
    assert_int_equal(RUN(cmd_event, cli_address, "-name=a", "-tag=x"), 1);
    assert_int_equal(RUN(cmd_event, cli_address, "-name=a", "x", "y"), 1);
    will_answer(500, "no");
    assert_int_equal(RUN(cmd_event, cli_address, "-name=a"), 1);
}

/* ---- muster operator ---- */

static void raft_servers_are_a_table(void **state)
{
    (void)state;
    will_answer(200, "{\"Servers\":[{\"ID\":\"i1\",\"Node\":\"s1\",\"Address\":\"a:1\","
                     "\"Leader\":true,\"ProtocolVersion\":\"3\",\"Voter\":true},{\"ID\":\"i2\","
                     "\"Node\":\"s2\",\"Address\":\"b:1\",\"Leader\":false,"
                     "\"ProtocolVersion\":\"3\",\"Voter\":false}],\"Index\":0}");
    assert_int_equal(RUN(cmd_operator, "raft", "list-peers", cli_address, "-stale"), 0);
    assert_string_equal(script.request, "GET /v1/operator/raft/configuration?stale");
    assert_string_equal(cli_output, "Node  ID  Address  State     Voter  RaftProtocol\n"
                                    "s1    i1  a:1      leader    true   3\n"
                                    "s2    i2  b:1      follower  false  3\n");
    will_answer(200, "[]");
    assert_int_equal(RUN(cmd_operator, "raft", "list-peers", cli_address), 1);
    will_answer(200, "{}");
    assert_int_equal(RUN(cmd_operator, "raft", "list-peers", cli_address), 0);
}

static void a_raft_server_is_removed_by_one_of_its_names(void **state)
{
    (void)state;
    will_answer(200, "");
    assert_int_equal(RUN(cmd_operator, "raft", "remove-peer", cli_address, "-id=a b"), 0);
    assert_string_equal(script.request, "DELETE /v1/operator/raft/peer?id=a%20b");
    assert_string_equal(cli_output, "Removed peer with id \"a b\"\n");
    assert_int_equal(RUN(cmd_operator, "raft", "remove-peer", cli_address, "-address=1:2"), 0);
    assert_string_equal(cli_output, "Removed peer with address \"1:2\"\n");
    assert_int_equal(RUN(cmd_operator, "raft", "remove-peer", cli_address), 1);
    assert_string_equal(cli_complaint, "Error removing peer: an address or id is required for the "
                                       "peer to remove\n");
    assert_int_equal(RUN(cmd_operator, "raft", "remove-peer", "-id=a", "-address=b"), 1);
    assert_string_equal(cli_complaint, "Error removing peer: cannot give both an address and id\n");
    will_answer(500, "no such");
    assert_int_equal(RUN(cmd_operator, "raft", "remove-peer", cli_address, "-id=a"), 1);
    assert_non_null(strstr(cli_complaint, "Unexpected response code: 500 (no such)"));
}

static void autopilot_is_shown_and_changed_on_the_condition_of_what_was_shown(void **state)
{
    (void)state;
    will_answer(200, "{\"CleanupDeadServers\":true,\"LastContactThreshold\":\"200ms\","
                     "\"MaxTrailingLogs\":250,\"MinQuorum\":0,\"ServerStabilizationTime\":\"10s\","
                     "\"RedundancyZoneTag\":\"z\",\"DisableUpgradeMigration\":false,"
                     "\"UpgradeVersionTag\":\"\",\"CreateIndex\":4,\"ModifyIndex\":7}");
    assert_int_equal(RUN(cmd_operator, "autopilot", "get-config", cli_address), 0);
    assert_string_equal(cli_output,
                        "CleanupDeadServers = true\nLastContactThreshold = 200ms\n"
                        "MaxTrailingLogs = 250\nMinQuorum = 0\nServerStabilizationTime = 10s\n"
                        "RedundancyZoneTag = \"z\"\nDisableUpgradeMigration = false\n"
                        "UpgradeVersionTag = \"\"\n");
    /* The script answers the change with the same text, which is not `true`. */
    assert_int_equal(RUN(cmd_operator, "autopilot", "set-config", cli_address,
                         "-max-trailing-logs=5", "-cleanup-dead-servers=false",
                         "-server-stabilization-time", "3s"),
                     1);
    assert_string_equal(script.request, "PUT /v1/operator/autopilot/configuration?cas=7");
    assert_non_null(strstr(script.sent, "\"CleanupDeadServers\":false"));
    assert_non_null(strstr(script.sent, "\"LastContactThreshold\":\"200ms\""));
    assert_non_null(strstr(script.sent, "\"MaxTrailingLogs\":5"));
    assert_string_equal(cli_output,
                        "Configuration could not be atomically updated, please try again\n");
    static const char *const wrong[] = {"-max-trailing-logs=-1", "-max-trailing-logs=x",
                                        "-min-quorum=", "-cleanup-dead-servers=maybe"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        script.request[0] = '\0';
        assert_int_equal(RUN(cmd_operator, "autopilot", "set-config", cli_address, wrong[i]), 1);
        assert_string_equal(script.request, "");
    }
}

static void an_operator_who_says_nothing_is_shown_the_usage(void **state)
{
    (void)state;
    assert_int_equal(RUN(cmd_operator, "raft"), 1);
    assert_non_null(strstr(cli_complaint, "Usage: muster operator"));
    assert_int_equal(RUN(cmd_operator, "raft", "nonsense"), 1);
    assert_int_equal(RUN(cmd_operator, "-h"), 0);
    assert_non_null(strstr(cli_output, "list-peers"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_read_in_all_their_forms),
        cmocka_unit_test(wrong_flags_show_the_usage),
        cmocka_unit_test(addresses_are_read_in_all_their_forms),
        cmocka_unit_test(text_is_escaped_for_a_path),
        cmocka_unit_test(a_token_of_a_file_counts_more),
        cmocka_unit_test(answers_are_read_in_all_their_forms),
        cmocka_unit_test(an_agent_that_is_not_there_is_named),
        cmocka_unit_test(keys_are_listed_by_pool),
        cmocka_unit_test(keys_are_changed_by_one_action_at_a_time),
        cmocka_unit_test(an_event_is_fired_with_its_filters),
        cmocka_unit_test(members_are_a_table),
        cmocka_unit_test(a_key_is_put_and_read_and_deleted),
        cmocka_unit_test(a_key_that_did_not_match_is_not_written),
        cmocka_unit_test(bad_values_and_answers_are_errors),
        cmocka_unit_test(the_catalog_is_listed),
        cmocka_unit_test(the_cluster_is_told),
        cmocka_unit_test(info_is_sorted),
        cmocka_unit_test(a_key_of_gossip_has_32_bytes),
        cmocka_unit_test(raft_servers_are_a_table),
        cmocka_unit_test(a_raft_server_is_removed_by_one_of_its_names),
        cmocka_unit_test(autopilot_is_shown_and_changed_on_the_condition_of_what_was_shown),
        cmocka_unit_test(an_operator_who_says_nothing_is_shown_the_usage),
    };
    return cmocka_run_group_tests(tests, setup, cli_kit_teardown);
}
