#include "script.h"

#include "mu_test.h"
#include "raft_host.h"

#include <inttypes.h>

struct script {
    struct world w;
    struct checks checks;
    struct host_options options;
    struct host hosts[WORLD_NODES_MAX];
    unsigned n_hosts;
    uint64_t next_read;
    bool quiet;
    char *out; /* the file as it should be */
    size_t len, cap;
};

_Noreturn void sim_fail(struct world *w, const char *what)
{
    world_dump(w, stdout);
    fail_msg("check failed: %s", what);
    abort();
}

void sim_voted(struct host *h)
{
    (void)h;
}

void sim_elected(struct host *h)
{
    (void)h;
}

struct host *host_of(struct world *w, unsigned i)
{
    return &((struct script *)w->user)->hosts[i];
}

static void emit(struct script *s, const char *line)
{
    size_t n = strlen(line);
    while (s->len + n + 2 > s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4096;
        s->out = realloc(s->out, s->cap);
        assert_non_null(s->out);
    }
    memcpy(s->out + s->len, line, n);
    s->len += n;
    s->out[s->len++] = '\n';
    s->out[s->len] = 0;
}

static void on_line(void *user, const char *line)
{
    struct script *s = user;
    if (!s->quiet) {
        emit(s, line);
    }
}

/* 0 for what is missing or no number. */
static unsigned number(const char *text)
{
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static struct host *host(struct script *s, const char *name)
{
    unsigned i = name && name[0] == 's' ? number(name + 1) : WORLD_NODES_MAX;
    if (i >= s->n_hosts) {
        fail_msg("no such server: %s", name ? name : "(none)");
    }
    return &s->hosts[i];
}

static void run_for(struct script *s, uint64_t ns)
{
    uint64_t until = s->w.now + ns;
    while (world_step(&s->w, until)) {
    }
}

static void on_compare(struct world *w, struct world_event *e)
{
    struct script *s = w->user;
    for (unsigned a = 0; a < s->n_hosts; a++) {
        for (unsigned b = 0; b < a; b++) {
            if (s->hosts[a].r && s->hosts[b].r) {
                checks_log_matching(w, &s->hosts[a], &s->hosts[b]);
            }
        }
    }
    world_again(w, e, 50 * MU_MSEC);
}

static void cluster(struct script *s, unsigned n, unsigned spare)
{
    s->n_hosts = s->checks.n_hosts = n + spare;
    bool quiet = s->quiet;
    s->quiet = true;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        host_init(&s->hosts[i], &s->w, &s->checks, &s->options, i);
        s->hosts[i].clock_base = 0;
        host_start(&s->hosts[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        host_bootstrap(&s->hosts[i], n);
    }
    world_after(&s->w, 0, on_compare, 0);
    s->quiet = quiet;
}

/* Others' election timers are pushed back, so that a scenario decides who leads. */
static void run_to_role(struct script *s, struct host *h, enum raft_role role)
{
    for (unsigned k = 0; k < 10000 && !(h->r && raft_role(h->r) == role); k++) {
        for (unsigned i = 0; i < s->n_hosts; i++) {
            struct host *other = &s->hosts[i];
            if (other != h && other->r && raft_role(other->r) != RAFT_LEADER) {
                other->r->election_deadline = host_now(other) + 400 * MU_MSEC;
            }
        }
        run_for(s, MU_MSEC);
    }
}

static void status(struct script *s)
{
    static const char *const roles[] = {"follower", "pre-candidate", "candidate", "leader"};
    for (unsigned i = 0; i < s->n_hosts; i++) {
        char line[200];
        const struct host *h = &s->hosts[i];
        if (!h->r) {
            snprintf(line, sizeof line, "%s: down", h->id);
            emit(s, line);
            continue;
        }
        const struct raft__log *l = &h->r->log;
        int n =
            snprintf(line, sizeof line, "%s: %s, term %" PRIu64 ", commit %" PRIu64 ", log", h->id,
                     roles[raft_role(h->r)], raft_current_term(h->r), raft_commit_index(h->r));
        for (size_t k = 0; k < l->n_runs && n < 160; k++) {
            n += snprintf(line + n, sizeof line - (size_t)n, " %" PRIu64 "@%" PRIu64,
                          l->runs[k].first, l->runs[k].term);
        }
        snprintf(line + n, sizeof line - (size_t)n, " to %" PRIu64 "%s", l->last,
                 host_now(h) < raft_lease_until(h->r) ? ", lease" : "");
        emit(s, line);
    }
}

static void result(struct script *s, int rc)
{
    char line[100];
    if (rc != RAFT_OK) {
        snprintf(line, sizeof line, "error: %s", raft_strerror(rc));
        emit(s, line);
    }
}

static void change(struct script *s, struct host *h, const char *verb, const char *target)
{
    struct raft_server server = {.kind = strcmp(verb, "nonvoter") ? RAFT_VOTER : RAFT_NONVOTER};
    const char *id = host(s, target)->id;
    memcpy(server.id, id, strlen(id));
    memcpy(server.address, id, strlen(id));
    raft_index index;
    result(s, raft_change(h->r, host_now(h),
                          strcmp(verb, "remove") ? RAFT_CHANGE_SET : RAFT_CHANGE_REMOVE, &server,
                          &index));
    host_drain(h);
}

static void cut(struct script *s, const struct host *a, const struct host *b, bool one_way)
{
    s->w.net.cut[a->i][b->i] = true;
    s->w.net.cut[b->i][a->i] = s->w.net.cut[b->i][a->i] || !one_way;
}

static bool do_network(struct script *s, char *const *arg)
{
    if (strcmp(arg[0], "cut") == 0) {
        cut(s, host(s, arg[1]), host(s, arg[2]), arg[3] && strcmp(arg[3], "oneway") == 0);
    } else if (strcmp(arg[0], "isolate") == 0) {
        for (unsigned i = 0; i < s->n_hosts; i++) {
            cut(s, host(s, arg[1]), &s->hosts[i], false);
        }
    } else if (strcmp(arg[0], "heal") == 0) {
        memset(s->w.net.cut, 0, sizeof s->w.net.cut);
    } else {
        return false;
    }
    return true;
}

static bool do_option(struct script *s, char *const *arg)
{
    uint64_t value = number(arg[1]);
    if (strcmp(arg[0], "snapshots") == 0) {
        s->options.snapshot_every = value;
        s->options.raft.tail_entries = number(arg[2]);
    } else if (strcmp(arg[0], "chunk") == 0) {
        s->options.raft.snapshot_chunk_bytes = value;
        s->options.raft.snapshot_inflight_max = arg[2] ? number(arg[2]) : 4;
    } else if (strcmp(arg[0], "cache") == 0) {
        s->options.raft.cache_bytes_max = value;
    } else if (strcmp(arg[0], "batch") == 0) {
        s->options.raft.message_bytes_max = value;
    } else if (strcmp(arg[0], "quiet") == 0) {
        s->quiet = true;
    } else if (strcmp(arg[0], "loud") == 0) {
        s->quiet = false;
    } else {
        return false;
    }
    return true;
}

static bool do_host(struct script *s, char *const *arg)
{
    struct host *h = arg[1] ? host(s, arg[1]) : NULL;
    if (!h) {
        return false;
    }
    if (strcmp(arg[0], "elect") == 0) {
        run_to_role(s, h, RAFT_LEADER);
    } else if (strcmp(arg[0], "campaign") == 0) {
        run_to_role(s, h, RAFT_CANDIDATE);
    } else if (strcmp(arg[0], "propose") == 0) {
        raft_index before = raft_last_index(h->r);
        host_propose(h, number(arg[2]), 8);
        if (raft_last_index(h->r) == before) {
            emit(s, "refused");
        }
    } else if (strcmp(arg[0], "read") == 0) {
        host_read(h, ++s->next_read);
    } else if (strcmp(arg[0], "crash") == 0) {
        host_crash(h);
    } else if (strcmp(arg[0], "start") == 0) {
        host_start(h);
    } else if (strcmp(arg[0], "disk") == 0) {
        host_hold_disk(h, arg[2] && strcmp(arg[2], "hold") == 0);
    } else if (strcmp(arg[0], "transfer") == 0) {
        result(s, raft_transfer(h->r, host_now(h), arg[2] ? host(s, arg[2])->id : NULL));
        host_drain(h);
    } else if (strcmp(arg[0], "damage") == 0) {
        h->damage = number(arg[2]);
    } else if (strcmp(arg[0], "full") == 0) {
        raft_set_electable(h->r, host_now(h), false);
        host_drain(h);
    } else if (strcmp(arg[0], "voter") == 0 || strcmp(arg[0], "nonvoter") == 0 ||
               strcmp(arg[0], "remove") == 0) {
        change(s, h, arg[0], arg[2]);
    } else {
        return false;
    }
    return true;
}

static void perform(struct script *s, char *line)
{
    char *arg[6] = {NULL};
    size_t n = 0;
    for (char *p = strtok(line, " "); p && n < 5; p = strtok(NULL, " ")) {
        arg[n++] = p;
    }
    if (n == 0 || do_network(s, arg) || do_option(s, arg)) {
        return;
    }
    if (strcmp(arg[0], "cluster") == 0) {
        cluster(s, number(arg[1]), number(arg[2]));
    } else if (strcmp(arg[0], "run") == 0) {
        run_for(s, number(arg[1]) * MU_MSEC);
    } else if (strcmp(arg[0], "status") == 0) {
        status(s);
    } else if (strcmp(arg[0], "reads") == 0) {
        char text[100];
        snprintf(text, sizeof text, "reads: %" PRIu64 " answered, %" PRIu64 " lost",
                 s->checks.reads, s->checks.lost_reads);
        emit(s, text);
    } else if (!do_host(s, arg)) {
        fail_msg("unknown command: %s", arg[0]);
    }
}

static void init(struct script *s)
{
    world_init(&s->w, 1);
    s->w.user = s;
    s->w.on_line = on_line;
    world_heal(&s->w);
    s->w.net.delay_min_ns = s->w.net.delay_max_ns = MU_MSEC;
    raft_config_init(&s->options.raft);
    s->options.sync_min_ns = s->options.sync_max_ns = 2 * MU_MSEC;
    s->options.snapshot_every = UINT64_MAX / 2;
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        fail_msg("cannot open %s", path);
    }
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    text[n] = 0;
    fclose(f);
    return text;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) < 0, 0);
    fclose(f);
}

/* Comments, empty lines and commands are copied; other lines are what was expected, and are made
 * anew. */
static void perform_all(struct script *s, const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t n = end ? (size_t)(end - text) : strlen(text);
        char line[300];
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        if (line[0] == '#' || line[0] == 0) {
            emit(s, line);
        } else if (strncmp(line, "> ", 2) == 0) {
            emit(s, line);
            perform(s, line + 2);
        }
        text += n + (end != NULL);
    }
}

void script_run(const char *path)
{
    struct script *s = calloc(1, sizeof *s);
    assert_non_null(s);
    char *text = read_file(path);
    init(s);
    perform_all(s, text);
    if (getenv("MUSTER_REWRITE")) {
        write_file(path, s->out);
    } else if (strcmp(text, s->out) != 0) {
        printf("--- %s gave:\n%s", path, s->out);
        fail_msg("%s: not what was expected (MUSTER_REWRITE=1 rewrites)", path);
    }
    for (unsigned i = 0; i < s->n_hosts; i++) {
        host_fini(&s->hosts[i]);
    }
    checks_fini(&s->checks);
    world_fini(&s->w);
    free(s->out);
    free(s);
    free(text);
}
