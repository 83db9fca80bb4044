#include "interop_pool.h"

enum { WAIT_TRIES = 600, WAIT_MS = 100, FIRST_AGENT = 2, FIRST_NODE = 5 };

struct world world;
struct agent agents[AGENTS];
struct node nodes[NODES];
const char *const member_names[MEMBERS] = {"srv1", "cli1", "cli2", "a", "b", "c"};

/* ---- our nodes ---- */

static void on_event(void *user, const struct swim_event *ev)
{
    struct node *n = user;
    n->key_changes += ev->type == SWIM_EVENT_KEYS;
    if (ev->type == SWIM_EVENT_USER) {
        snprintf(n->last_event, sizeof n->last_event, "%.*s", (int)ev->name.len, ev->name.p);
    }
}

static void log_line(void *user, enum mu_level level, const char *line)
{
    fprintf(stderr, "%s [%d] %s\n", ((struct node *)user)->name, (int)level, line);
}

static struct swim_tag tag(const char *key, const char *value)
{
    return (struct swim_tag){{key, strlen(key)}, {value, strlen(value)}};
}

/* A member as a Consul client agent would be. Not a server: the leader would make a Raft peer of
 * it. */
void node_start(size_t i, const char *key)
{
    struct node *n = &nodes[i];
    uint16_t port = n->port;
    memset(n, 0, sizeof *n);
    n->host = (uint8_t)(FIRST_NODE + i);
    snprintf(n->name, sizeof n->name, "%s", member_names[AGENTS + i]);
    snprintf(n->id, sizeof n->id, "00000000-0000-0000-0000-0000000000%02x", n->host);
    const struct swim_tag tags[] = {
        tag("role", "node"), tag("dc", "dc1"),       tag("segment", ""),
        tag("id", n->id),    tag("vsn", "2"),        tag("vsn_min", "2"),
        tag("vsn_max", "3"), tag("build", "1.8.7:"), tag("acls", "0")};
    struct swim_node_config cfg;
    char why[256];
    swim_node_config_init(&cfg);
    cfg.base = world.base;
    cfg.bind = (struct swim_addr){.ip = {127, 0, 0, n->host}, .len = 4, .port = port};
    cfg.swim.name = n->name;
    cfg.swim.tags = tags;
    cfg.swim.ntags = sizeof tags / sizeof *tags;
    cfg.swim.probe_interval_ns = 200 * MU_MSEC;
    cfg.swim.probe_timeout_ns = 150 * MU_MSEC;
    cfg.swim.gossip_interval_ns = 100 * MU_MSEC;
    cfg.swim.suspicion_mult = 3;
    cfg.swim.leave_propagate_ns = 500 * MU_MSEC;
    cfg.swim.query_timeout_mult = 100; /* nobody is late on a busy machine */
    cfg.swim.log = getenv("MUSTER_TEST_LOG") ? log_line : NULL;
    cfg.swim.log_level = MU_DEBUG;
    cfg.swim.log_user = n;
    cfg.keys_base64 = &key;
    cfg.nkeys_base64 = key ? 1 : 0;
    cfg.on_event = on_event;
    cfg.user = n;
    if (swim_node_create(&cfg, why, sizeof why, &n->swim) != SWIM_OK) {
        fail_msg("%s: %s", n->name, why);
    }
    n->port = swim_node_addr(n->swim)->port;
}

void node_stop(struct node *n)
{
    swim_node_destroy(n->swim);
    n->swim = NULL;
}

static void on_joined(void *user, size_t count, const char *error)
{
    struct joined *j = user;
    (void)count;
    j->done = true;
    snprintf(j->error, sizeof j->error, "%s", error ? error : "");
}

static bool is_done(const void *arg)
{
    return ((const struct joined *)arg)->done;
}

void node_try_join(struct node *n, const struct agent *to, struct joined *out)
{
    char addr[64];
    const char *list[] = {addr};
    memset(out, 0, sizeof *out);
    snprintf(addr, sizeof addr, "%s:%u", to->ip, to->serf);
    assert_int_equal(swim_node_join(n->swim, list, 1, on_joined, out), SWIM_OK);
    wait_for("the join is over", is_done, out);
}

void node_join(struct node *n, const struct agent *to)
{
    struct joined joined;
    node_try_join(n, to, &joined);
    assert_string_equal(joined.error, "");
}

/* ---- waiting ---- */

void wait_for(const char *what, bool (*cond)(const void *arg), const void *arg)
{
    for (int i = 0; i < WAIT_TRIES; i++) {
        if (cond(arg)) {
            return;
        }
        world_pause(&world, WAIT_MS);
    }
    for (size_t i = 0; i < AGENTS; i++) {
        agent_show_log(&agents[i]);
    }
    fail_msg("did not come to pass: %s", what);
}

static int status_at_node(const struct node *n, const char *name)
{
    struct swim_member m;
    return swim_find_member(swim_node_core(n->swim), name, &m) ? (int)m.status : -1;
}

/* The agent's entry of that member; a new reference, or NULL. */
static json_t *member_at_agent(const struct agent *agent, const char *name)
{
    json_t *members = agent_http(agent, "GET", "/v1/agent/members", NULL, NULL), *m;
    json_t *found = NULL;
    size_t i;
    json_array_foreach(members, i, m)
    {
        const char *this = json_string_value(json_object_get(m, "Name"));
        if (this && strcmp(this, name) == 0) {
            found = json_incref(m);
        }
    }
    json_decref(members);
    return found;
}

int status_at_agent(const struct agent *agent, const char *name)
{
    json_t *m = member_at_agent(agent, name);
    int status = m ? (int)json_integer_value(json_object_get(m, "Status")) : -1;
    json_decref(m);
    return status;
}

struct view {
    const char *name;
    int status;
};

static bool is_seen_by_all(const void *arg)
{
    const struct view *v = arg;
    for (size_t i = 0; i < NODES; i++) {
        if (nodes[i].swim && status_at_node(&nodes[i], v->name) != v->status) {
            return false;
        }
    }
    for (size_t i = 0; i < AGENTS; i++) {
        if (agents[i].pid > 0 && status_at_agent(&agents[i], v->name) != v->status) {
            return false;
        }
    }
    return true;
}

void wait_for_status(const char *name, int status)
{
    char what[128];
    struct view v = {name, status};
    snprintf(what, sizeof what, "all see %s with status %d", name, status);
    wait_for(what, is_seen_by_all, &v);
}

void wait_until_all_see_all(void)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        wait_for_status(member_names[i], SWIM_STATUS_ALIVE);
    }
}

/* ---- tags ---- */

json_t *tags_at_node(const struct node *n, const char *name)
{
    json_t *out = json_object();
    struct swim_member m;
    struct swim_tag t;
    size_t at = 0;
    assert_true(swim_find_member(swim_node_core(n->swim), name, &m));
    while (swim_next_tag(&m, &at, &t)) {
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)t.key.len, t.key.p);
        json_object_set_new(out, key, json_stringn(t.value.p ? t.value.p : "", t.value.len));
    }
    return out;
}

json_t *tags_at_agent(const struct agent *agent, const char *name)
{
    json_t *m = member_at_agent(agent, name);
    json_t *tags = json_incref(json_object_get(m, "Tags"));
    json_decref(m);
    return tags;
}

/* ---- the pool ---- */

void pool_start(const char *key)
{
    static const char *const ips[AGENTS] = {"127.0.0.2", "127.0.0.3", "127.0.0.4"};
    char addr[64] = "";
    for (size_t i = 0; i < AGENTS; i++) {
        assert_true(agent_start(&world, &agents[i], member_names[i], ips[i], i == 0, key,
                                i == 0 ? NULL : addr));
        snprintf(addr, sizeof addr, "%s:%u", agents[0].ip, agents[0].serf);
    }
    for (size_t i = 0; i < NODES; i++) {
        node_start(i, key);
        node_join(&nodes[i], &agents[i]);
    }
    wait_until_all_see_all();
}

int pool_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < NODES; i++) {
        node_stop(&nodes[i]);
        nodes[i].port = 0;
    }
    for (size_t i = 0; i < AGENTS; i++) {
        agent_kill(&agents[i]);
    }
    return 0;
}
