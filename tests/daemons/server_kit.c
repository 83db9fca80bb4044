#include "server_kit.h"

#include "mu_test.h"

#include <muster/catalog_intention.h>
#include <sched.h>
#include <unistd.h>

static void on_agent_start(struct call_backend *b, struct call *c)
{
    struct server_kit *k = (struct server_kit *)((char *)b - offsetof(struct server_kit, agent));
    k->agent_calls++;
    call_finish(c);
}

static void on_agent_cancel(struct call_backend *b, struct call *c)
{
    (void)b;
    (void)c;
    fail();
}

static void on_fatal(void *user, const char *sentence)
{
    assert_non_null(sentence);
    ((struct server_kit *)user)->fatal++;
}

static void on_leader(void *user)
{
    ((struct server_kit *)user)->led++;
}

static void on_dead_server(void *user, struct mu_str name)
{
    struct server_kit *k = user;
    snprintf(k->dead, sizeof k->dead, "%.*s", (int)name.len, name.p);
}

void kit_open(struct server_kit *k, const char *settings)
{
    char text[8192], err[CONFIG_ERROR_MAX];
    memset(k, 0, sizeof *k);
    snprintf(k->dir, sizeof k->dir, "/tmp/muster-server-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    int len = snprintf(text, sizeof text,
                       "{\"server\": true, \"node_name\": \"s1\", \"bind_addr\": \"127.0.0.1\", "
                       "\"data_dir\": \"%s\"%s}",
                       k->dir, settings);
    k->config = config_from_text("kit.json", text, (size_t)len, err, sizeof err);
    if (!k->config) {
        fail_msg("%s", err);
    }
    k->core = loop_create("core");
    k->loop = loop_create("front");
    members_init(&k->members, 1);
    struct server_config cfg = {.config = k->config,
                                .core = k->core,
                                .members = &k->members,
                                .node_id = mu__cstr(KIT_ID),
                                .data_dir = k->dir,
                                .on_fatal = on_fatal,
                                .on_leader = on_leader,
                                .on_dead_server = on_dead_server,
                                .user = k};
    k->server = server_create(&cfg, err, sizeof err);
    if (!k->server) {
        fail_msg("%s", err);
    }
    assert_true(server_add_fronts(k->server, 1));
    k->agent = (struct call_backend){on_agent_start, on_agent_cancel};
    k->client = rpc_client_create(&(struct rpc_client_config){
        .base = loop_base(k->loop), .bind_host = "127.0.0.1", .forwards = true});
    assert_non_null(k->client);
    k->backend = server_front_init(k->server, 0, k->loop, &k->agent, k->client);
    k->front = &k->server->fronts[0];
}

/* What a new leader proposes by itself has been applied. */
static bool is_settled(struct server_kit *k)
{
    struct raft_node_status st;
    raft_node_status(k->server->raft, &st);
    catalog_read_begin(k->server->reader);
    bool is_set = catalog_find_autopilot(k->server->reader) != NULL;
    catalog_read_end(k->server->reader);
    return is_set && st.applied_index == st.last_log_index;
}

void kit_elect(struct server_kit *k)
{
    struct raft_server self = {.kind = RAFT_VOTER, .id = KIT_ID, .address = "127.0.0.1:8300"};
    assert_int_equal(raft_node_bootstrap(k->server->raft, &self, 1), RAFT_OK);
    KIT_UNTIL(k, k->front->view->is_leader &&
                     raft_node_lease_until(k->server->raft) > loop_now_ns() && is_settled(k));
}

void kit_close_front(struct server_kit *k)
{
    if (!k->closed) {
        rpc_client_destroy(k->client);
        server_front_fini(k->server, 0);
        k->closed = true;
    }
}

static void drain(struct server_kit *k)
{
    bool more = true;
    while (more) {
        more = loop_drain(k->core);
        more = loop_drain(k->loop) || more;
    }
}

void kit_close(struct server_kit *k)
{
    char command[128];
    kit_close_front(k);
    drain(k);
    server_stop(k->server);
    drain(k);
    server_destroy(k->server);
    loop_destroy(k->loop);
    loop_destroy(k->core);
    members_fini(&k->members);
    config_destroy(k->config);
    snprintf(command, sizeof command, "rm -r %s", k->dir);
    assert_int_equal(system(command), 0);
}

void kit_turn_core(struct server_kit *k)
{
    event_base_loop(loop_base(k->core), EVLOOP_NONBLOCK);
    sched_yield();
}

void kit_turn_front(struct server_kit *k)
{
    event_base_loop(loop_base(k->loop), EVLOOP_NONBLOCK);
}

void kit_until(struct server_kit *k, const int *flag)
{
    KIT_UNTIL(k, *flag);
}

static void note_text(struct outcome *o, struct mu_str s)
{
    snprintf(o->text, sizeof o->text, "%.*s", (int)s.len, s.p ? s.p : "");
}

static void note_struct(struct call *c, struct outcome *o)
{
    const struct catalog_query_meta *m = endpoint_meta(c->endpoint, c->reply);
    if (!m) {
        o->flag = ((const struct catalog_intention_verdict *)c->reply)->allowed;
        return;
    }
    o->index = m->index;
    o->known_leader = m->known_leader;
    if (c->endpoint == &endpoints[ENDPOINT_KVS_GET]) {
        const struct catalog_indexed_dir_entries *r = c->reply;
        o->len = r->entries.len;
        note_text(o, r->entries.len ? ((const struct catalog_dir_entry *)r->entries.items[0])->value
                                    : mu__cstr(""));
    } else if (c->endpoint == &endpoints[ENDPOINT_CATALOG_NODE_SERVICES]) {
        const struct catalog_indexed_node_services *r = c->reply;
        o->len = r->node_services ? r->node_services->services.len : 0;
    } else { /* all others begin with their list */
        o->len = ((const struct mu_list *)c->reply)->len;
    }
}

void kit_note(struct call *c, void *arg)
{
    struct outcome *o = arg;
    assert_int_equal(o->done, 0);
    o->done = 1;
    o->call = NULL;
    o->committed_ns = c->committed_ns;
    if (c->error) {
        snprintf(o->error, sizeof o->error, "%s", c->error);
        return;
    }
    switch (c->endpoint->reply_kind) {
    case REPLY_STRUCT:
        note_struct(c, o);
        break;
    case REPLY_BOOL:
        o->flag = *(const bool *)c->reply;
        break;
    case REPLY_STR:
        note_text(o, *(const struct mu_str *)c->reply);
        break;
    case REPLY_STRS:
        o->len = ((const struct mu_strs *)c->reply)->len;
        note_text(o, o->len ? ((const struct mu_strs *)c->reply)->items[0] : mu__cstr(""));
        break;
    default:
        break;
    }
}

struct call *kit_call(struct server_kit *k, enum endpoint_id id, struct outcome *o)
{
    (void)k;
    *o = (struct outcome){.call = call_create(&endpoints[id], 0, kit_note, o)};
    assert_non_null(o->call);
    struct mu_str *datacenter = endpoint_datacenter(&endpoints[id], o->call->request);
    if (datacenter) {
        *datacenter = mu__cstr("dc1");
    }
    return o->call;
}

void kit_start(struct server_kit *k, struct outcome *o)
{
    call_start(k->backend, o->call);
}

void kit_put(struct server_kit *k, const char *key, const char *value, struct outcome *o)
{
    struct catalog_kvs_request *q = kit_call(k, ENDPOINT_KVS_APPLY, o)->request;
    q->op = mu__cstr("set");
    q->dir_ent.key = mu__cstr(key);
    q->dir_ent.value = mu__cstr(value);
    kit_start(k, o);
}

void kit_get(struct server_kit *k, const char *key, uint64_t min_index, struct outcome *o)
{
    struct catalog_key_request *q = kit_call(k, ENDPOINT_KVS_GET, o)->request;
    q->key = mu__cstr(key);
    q->options.min_query_index = min_index;
    kit_start(k, o);
}

static int by_key(const void *x, const void *y)
{
    const struct mu_pair *a = x, *b = y;
    return mu__str_cmp(a->key, b->key);
}

struct agent_member *kit_member(const char *name, const char *address, uint64_t status,
                                const char *tags)
{
    struct mu_pair pairs[16];
    struct agent_member m = {.name = mu__cstr(name),
                             .addr = mu__cstr(address),
                             .port = 8301,
                             .status = status,
                             .protocol_cur = 2,
                             .protocol_min = 1,
                             .protocol_max = 5,
                             .tags = {pairs, 0}};
    while (*tags) {
        size_t key = strcspn(tags, "="), all = strcspn(tags, " ");
        pairs[m.tags.len++] = (struct mu_pair){{tags, key}, {tags + key + 1, all - key - 1}};
        tags += all + strspn(tags + all, " ");
    }
    qsort(pairs, m.tags.len, sizeof *pairs, by_key);
    struct agent_member *copy = mu__schema_clone(&agent_member_schema, &m, NULL);
    assert_non_null(copy);
    return copy;
}
