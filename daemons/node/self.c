/* self.c - what GET /v1/agent/self and `muster info` tell of this process. */
#include "process_internal.h"
#include "stats.h"

#include "msgpack.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void add_common(struct process *p, struct stats *s)
{
    struct utsname u = {.machine = ""};
    uname(&u);
    stats_add(s, "build", "prerelease", "%s", "");
    stats_add(s, "build", "revision", "%s", strchr(MUSTER_BUILD, ':') + 1);
    stats_add(s, "build", "version", "%.*s", (int)strcspn(MUSTER_BUILD, ":"), MUSTER_BUILD);
    stats_add(s, "runtime", "arch", "%s", u.machine);
    stats_add(s, "runtime", "cpu_count", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    stats_add(s, "runtime", "os", "%s", "linux");
    stats_add(s, "runtime", "threads", "%zu", p->nfronts + 2 + (p->role->server ? 1 : 0));
}

static void add_agent(const struct process *p, struct stats *s)
{
    struct agent_counts n = agent_counts(p->agent);
    stats_add(s, "agent", "check_monitors", "%zu", n.check_monitors);
    stats_add(s, "agent", "check_ttls", "%zu", n.check_ttls);
    stats_add(s, "agent", "checks", "%zu", n.checks);
    stats_add(s, "agent", "services", "%zu", n.services);
}

static void add_gossip(struct process *p, struct stats *s)
{
    const struct swim_stats *g = &gossip_report(p->gossip)->stats;
    stats_add(s, "serf_lan", "coordinate_resets", "0");
    stats_add(s, "serf_lan", "encrypted", "%s", g->encrypted ? "true" : "false");
    stats_add(s, "serf_lan", "event_queue", "%zu", g->event_queue);
    stats_add(s, "serf_lan", "event_time", "%llu", (unsigned long long)g->event_clock);
    stats_add(s, "serf_lan", "failed", "%zu", g->failed);
    stats_add(s, "serf_lan", "health_score", "%u", g->health_score);
    stats_add(s, "serf_lan", "intent_queue", "%zu", g->intent_queue);
    stats_add(s, "serf_lan", "left", "%zu", g->left);
    stats_add(s, "serf_lan", "member_time", "%llu", (unsigned long long)g->member_clock);
    stats_add(s, "serf_lan", "members", "%zu", members_count(&p->members));
    stats_add(s, "serf_lan", "query_queue", "%zu", g->query_queue);
    stats_add(s, "serf_lan", "query_time", "%llu", (unsigned long long)g->query_clock);
}

/* The settings that tools read most, by Consul's names. */
static struct mu_str debug_config(const struct process *p, struct mu__arena *a)
{
    const struct config *c = p->config, *newest = p->reloaded ? p->reloaded : c;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    const struct {
        const char *key;
        struct mu_str value;
    } texts[] = {
        {"ACLDefaultPolicy", mu__cstr("allow")}, /* who decides about connections goes by it */
        {"AdvertiseAddrLAN", c->advertise_addr},
        {"BindAddr", c->bind_addr},
        {"DNSDomain", c->domain},
        {"DataDir", c->data_dir},
        {"Datacenter", c->datacenter},
        {"NodeName", c->node_name},
        {"PrimaryDatacenter", c->primary_datacenter},
    };
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"BootstrapExpect", c->bootstrap_expect},
        {"DNSPort", c->ports.dns},
        {"HTTPPort", c->ports.http},
        {"SerfPortLAN", c->ports.serf_lan},
        {"ServerPort", c->ports.server},
    };
    const size_t ntexts = sizeof texts / sizeof *texts, nnumbers = sizeof numbers / sizeof *numbers;
    mu__mp_write_map(&w, ntexts + nnumbers + 4 + SELF_DNS_KEYS);
    for (size_t i = 0; i < ntexts; i++) {
        mu__mp_write_cstr(&w, texts[i].key);
        mu__mp_write_raw(&w, texts[i].value.p, texts[i].value.len);
    }
    for (size_t i = 0; i < nnumbers; i++) {
        mu__mp_write_cstr(&w, numbers[i].key);
        mu__mp_write_int(&w, numbers[i].value);
    }
    mu__mp_write_cstr(&w, "ACLsEnabled");
    mu__mp_write_bool(&w, false);
    mu__mp_write_cstr(&w, "DevMode");
    mu__mp_write_bool(&w, c->dev);
    mu__mp_write_cstr(&w, "EnableDebug"); /* asked for or not: there are no Go profiles to be had */
    mu__mp_write_bool(&w, false);
    mu__mp_write_cstr(&w, "ServerMode");
    mu__mp_write_bool(&w, c->server);
    process__self_dns(&w, newest);
    struct mu_str out = {w.failed ? NULL : mu__arena_memdup(a, w.data, w.len), w.len};
    mu__writer_fini(&w);
    return out;
}

struct catalog_vivaldi *process_coordinate(void *user, struct mu__arena *a)
{
    const struct process *p = user;
    const struct swim_coordinate *c = &gossip_report(p->gossip)->coordinate;
    struct catalog_vivaldi *out =
        p->config->disable_coordinates ? NULL : mu__arena_calloc(a, 1, sizeof *out);
    if (out) {
        out->vec.items = mu__arena_memdup(a, c->vec, sizeof c->vec);
        out->vec.len = out->vec.items ? SWIM_DIMENSIONS : 0;
        out->error = c->error;
        out->adjustment = c->adjustment;
        out->height = c->height;
    }
    return out;
}

void process_self(void *user, struct agent_self *out, struct mu__arena *a)
{
    struct process *p = user;
    struct stats s = {.arena = a};
    add_agent(p, &s);
    add_common(p, &s);
    p->role->describe(p, &s);
    add_gossip(p, &s);
    out->stats = stats_encode(&s);
    out->debug_config = debug_config(p, a);
    out->coord = process_coordinate(p, a);
    const struct agent_member *m = members_find(&p->members, p->config->node_name);
    out->member = m ? mu__arena_memdup(a, m, sizeof *m) : NULL;
}
