/* Whole nodes on loopback: three real ones in one process, on one loop, with real files. Nothing
 * here sleeps or asserts on elapsed time: the loop runs until something holds, and a run that never
 * gets there fails by its limit. */
#include "node_kit.h"

#include "node.h"

#include <arpa/inet.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define NODES    3
#define PREAMBLE 1

/* The state machine: a running checksum of all entries and how many there were; a snapshot carries
 * both, and enough padding to take several chunks. */
struct machine {
    uint64_t count, sum;
    raft_index last;
    unsigned restores, saves, batches;
    bool in_batch;
    size_t padding;
};

struct view {
    uint64_t count, sum;
    size_t padding;
};

struct world;
struct server {
    struct world *world;
    struct raft_node *node;
    struct evconnlistener *listener;
    struct machine machine;
    struct kit_disk disk;
    struct file_ops ops;
    pthread_mutex_t gate; /* the disk's */
    bool is_hung;         /* we hold the gate */
    char id[16], address[64], dir[PATH_BYTES];
    int fatal_code;
    char fatal[256];
    unsigned leaderships;
    bool is_told_leader;
};

struct world {
    struct event_base *base;
    char dir[64];
    struct server servers[NODES];
    uint64_t threshold, trailing;
    uint64_t acknowledged, failed, in_flight;
};

/* --- machine --- */

static void machine_begin(void *user)
{
    struct machine *m = user;
    assert_false(m->in_batch);
    m->in_batch = true;
    m->batches++;
}

static void machine_apply(void *user, raft_index index, raft_term term, const void *data,
                          size_t len, void **result)
{
    (void)term;
    struct machine *m = user;
    assert_true(m->in_batch && index > m->last && len > 0);
    m->last = index;
    m->count++;
    for (size_t i = 0; i < len; i++) {
        m->sum = (m->sum ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    }
    if (result) {
        uint64_t *sum = malloc(sizeof *sum);
        *sum = m->sum;
        *result = sum;
    }
}

static void machine_end(void *user)
{
    struct machine *m = user;
    assert_true(m->in_batch);
    m->in_batch = false;
}

static void *machine_snapshot_begin(void *user)
{
    struct machine *m = user;
    struct view *v = malloc(sizeof *v);
    *v = (struct view){.count = m->count, .sum = m->sum, .padding = m->padding};
    m->saves++;
    return v;
}

static int machine_snapshot_save(void *user, void *view, struct raft_node_writer *w)
{
    (void)user;
    const struct view *v = view;
    char line[64];
    int n = snprintf(line, sizeof line, "%020llu %020llu\n", (unsigned long long)v->count,
                     (unsigned long long)v->sum);
    int rc = raft_node_snapshot_write(w, line, (size_t)n);
    for (size_t left = v->padding; rc == 0 && left > 0;) {
        char block[1000];
        memset(block, (int)(left & 0x7f), sizeof block);
        size_t len = left < sizeof block ? left : sizeof block;
        rc = raft_node_snapshot_write(w, block, len);
        left -= len;
    }
    return rc;
}

static void machine_snapshot_end(void *user, void *view)
{
    (void)user;
    free(view);
}

static int machine_restore(void *user, struct raft_node_reader *r)
{
    struct machine *m = user;
    char line[43];
    size_t len = sizeof line - 1;
    unsigned long long count, sum;
    if (raft_node_snapshot_read(r, line, &len) != 0 || len != sizeof line - 1) {
        return -1;
    }
    line[len] = 0;
    if (sscanf(line, "%llu %llu", &count, &sum) != 2) {
        return -1;
    }
    m->count = count;
    m->sum = sum;
    m->restores++;
    do {
        char rest[4096];
        len = sizeof rest;
        if (raft_node_snapshot_read(r, rest, &len) != 0) {
            return -1;
        }
    } while (len > 0);
    return 0;
}

/* --- servers --- */

static void on_fatal(void *user, int code, const char *sentence)
{
    struct server *s = user;
    s->fatal_code = code;
    snprintf(s->fatal, sizeof s->fatal, "%.255s", sentence);
}

static void on_leadership(void *user, bool is_leader, raft_term term)
{
    struct server *s = user;
    assert_true(term > 0 && is_leader != s->is_told_leader);
    s->is_told_leader = is_leader;
    s->leaderships += is_leader;
}

static void on_log(void *user, enum mu_level level, const char *line)
{
    struct server *s = user;
    if (getenv("MUSTER_TEST_LOG")) {
        fprintf(stderr, "%s [%d] %s\n", s->id, (int)level, line);
    }
}

/* The daemon's part: the first byte says whose connection it is. */
static void on_first_byte(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    char byte = 0;
    if (!(what & EV_READ) || !s->node || recv(fd, &byte, 1, 0) != 1 || byte != PREAMBLE ||
        raft_node_adopt(s->node, fd) != 0) {
        evutil_closesocket(fd);
    }
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *arg)
{
    (void)l;
    (void)from;
    (void)len;
    struct server *s = arg;
    struct timeval patience = {.tv_sec = 5};
    evutil_make_socket_nonblocking(fd);
    event_base_once(s->world->base, fd, EV_READ, on_first_byte, s, &patience);
}

static void listen_on(struct server *s, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (address) {
        struct sockaddr_storage to;
        int len = sizeof to;
        assert_int_equal(evutil_parse_sockaddr_port(address, (struct sockaddr *)&to, &len), 0);
        memcpy(&in, &to, sizeof in);
    }
    s->listener = evconnlistener_new_bind(s->world->base, on_accept, s,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 16,
                                          (struct sockaddr *)&in, sizeof in);
    assert_non_null(s->listener);
    socklen_t len = sizeof in;
    assert_int_equal(getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&in, &len),
                     0);
    snprintf(s->address, sizeof s->address, "127.0.0.1:%u", (unsigned)ntohs(in.sin_port));
}

static void configure(const struct server *s, struct raft_node_config *cfg)
{
    raft_node_config_init(cfg);
    cfg->base = s->world->base;
    cfg->dir = s->dir;
    cfg->id = s->id;
    cfg->address = s->address;
    cfg->cluster = "test";
    cfg->heartbeat_ns = 40 * MU_MSEC;
    cfg->election_timeout_ns = 250 * MU_MSEC;
    cfg->preamble = PREAMBLE;
    cfg->segment_bytes = 64 * 1024;
    cfg->snapshot_threshold = s->world->threshold;
    cfg->snapshot_trailing = s->world->trailing;
    cfg->reconnect_max_ns = 100 * MU_MSEC;
    cfg->machine = (struct raft_node_machine){
        .user = (void *)(uintptr_t)&s->machine,
        .apply_begin = machine_begin,
        .apply = machine_apply,
        .apply_end = machine_end,
        .snapshot_begin = machine_snapshot_begin,
        .snapshot_save = machine_snapshot_save,
        .snapshot_end = machine_snapshot_end,
        .restore = machine_restore,
    };
    cfg->events = (struct raft_node_events){
        .user = (void *)(uintptr_t)s,
        .leadership = on_leadership,
        .fatal = on_fatal,
        .log = on_log,
    };
}

static int try_start(struct server *s, struct raft_node_diag *diag)
{
    struct raft_node_config cfg;
    size_t padding = s->machine.padding;
    s->machine = (struct machine){.padding = padding};
    s->is_told_leader = false;
    s->fatal_code = 0;
    configure(s, &cfg);
    return raft_node__create(&cfg, &s->ops, &s->node, diag);
}

static void start(struct server *s)
{
    struct raft_node_diag diag = {""};
    int rc = try_start(s, &diag);
    if (rc != 0) {
        print_message("%s: %s\n", s->id, diag.text);
    }
    assert_int_equal(rc, 0);
}

static void stop(struct server *s)
{
    raft_node_destroy(s->node);
    s->node = NULL;
}

static void hang_disk(struct server *s, bool is_hung)
{
    if (is_hung != s->is_hung) {
        s->is_hung = is_hung;
        (void)(is_hung ? pthread_mutex_lock(&s->gate) : pthread_mutex_unlock(&s->gate));
    }
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    kit_make_dir(w->dir);
    w->base = event_base_new();
    w->threshold = 0;
    w->trailing = 100;
    for (int i = 0; i < NODES; i++) {
        struct server *s = &w->servers[i];
        s->world = w;
        s->ops = kit_ops(&s->disk);
        pthread_mutex_init(&s->gate, NULL);
        s->disk.gate = &s->gate;
        snprintf(s->id, sizeof s->id, "server-%d", i);
        snprintf(s->dir, sizeof s->dir, "%s/server-%d", w->dir, i);
        listen_on(s, NULL);
    }
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < NODES; i++) {
        struct server *s = &w->servers[i];
        hang_disk(s, false);
        stop(s);
        pthread_mutex_destroy(&s->gate);
        evconnlistener_free(s->listener);
        if (access(s->dir, F_OK) == 0) {
            kit_remove_dir(s->dir);
        }
    }
    event_base_free(w->base);
    kit_remove_dir(w->dir);
    free(w);
    return 0;
}

/* Runs the loop until `condition` holds; gives up (and fails) after half a minute, far beyond
 * anything expected. */
#define RUN_UNTIL(w, condition)                                                                    \
    do {                                                                                           \
        uint64_t give_up = raft_node__now() + 30 * MU_SEC;                                         \
        while (!(condition)) {                                                                     \
            if (raft_node__now() > give_up) {                                                      \
                show(w);                                                                           \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
            turn(w);                                                                               \
        }                                                                                          \
    } while (0)

static void show(const struct world *w)
{
    for (int i = 0; i < NODES; i++) {
        const struct server *s = &w->servers[i];
        struct raft_node_status st;
        if (!s->node) {
            continue;
        }
        raft_node_status(s->node, &st);
        print_message("%s: state %d term %llu commit %llu applied %llu log %llu..%llu snapshot "
                      "%llu count %llu leader %s "
                      "%s\n",
                      s->id, (int)st.state, (unsigned long long)st.term,
                      (unsigned long long)st.commit_index, (unsigned long long)st.applied_index,
                      (unsigned long long)st.first_log_index, (unsigned long long)st.last_log_index,
                      (unsigned long long)st.last_snapshot_index,
                      (unsigned long long)s->machine.count, st.leader_id, s->fatal);
    }
    print_message("acknowledged %llu failed %llu in flight %llu\n",
                  (unsigned long long)w->acknowledged, (unsigned long long)w->failed,
                  (unsigned long long)w->in_flight);
}

static void wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static void turn(struct world *w)
{
    struct timeval tv = {.tv_usec = 5000};
    event_base_once(w->base, -1, EV_TIMEOUT, wake, NULL, &tv);
    event_base_loop(w->base, EVLOOP_ONCE);
}

static struct server *leader_of(struct world *w)
{
    for (int i = 0; i < NODES; i++) {
        if (w->servers[i].node && w->servers[i].is_told_leader) {
            return &w->servers[i];
        }
    }
    return NULL;
}

static void bootstrap(struct world *w, int count)
{
    struct raft_server servers[NODES];
    memset(servers, 0, sizeof servers);
    for (int i = 0; i < count; i++) {
        snprintf(servers[i].id, sizeof servers[i].id, "%s", w->servers[i].id);
        snprintf(servers[i].address, sizeof servers[i].address, "%s", w->servers[i].address);
    }
    for (int i = 0; i < count; i++) {
        if (!w->servers[i].node) {
            start(&w->servers[i]);
        }
        assert_int_equal(raft_node_bootstrap(w->servers[i].node, servers, (size_t)count), 0);
    }
    RUN_UNTIL(w, leader_of(w));
}

static void on_done(void *arg, int status, raft_index index, void *result)
{
    struct world *w = arg;
    w->in_flight--;
    if (status == RAFT_OK) {
        assert_true(index > 0 && result);
        w->acknowledged++;
        free(result);
    } else {
        assert_null(result);
        w->failed++;
    }
}

static int propose(struct world *w, struct server *s, uint64_t number)
{
    char data[64];
    int len =
        snprintf(data, sizeof data, "entry number %llu with some text", (unsigned long long)number);
    int rc = raft_node_propose(s->node, data, (size_t)len, on_done, w);
    w->in_flight += rc == 0;
    return rc;
}

/* Proposes until so many more are acknowledged. A busy machine may cost an election on the way, and
 * proposals with it: those that failed may have been applied or not. */
static void replicate(struct world *w, uint64_t count)
{
    uint64_t target = w->acknowledged + count;
    while (w->acknowledged < target) {
        struct server *s;
        RUN_UNTIL(w, (s = leader_of(w)) != NULL);
        uint64_t left = target - w->acknowledged;
        for (uint64_t i = 0; i < left && i < 100 && propose(w, s, i) == 0; i++) {
        }
        RUN_UNTIL(w, w->in_flight == 0);
    }
}

/* All that was acknowledged was applied on s, and nothing that nobody proposed. */
static bool has_all(const struct world *w, const struct server *s)
{
    assert_true(s->machine.count <= w->acknowledged + w->failed);
    return s->machine.count >= w->acknowledged;
}

static bool agree(const struct world *w)
{
    const struct server *first = NULL;
    for (int i = 0; i < NODES; i++) {
        const struct server *s = &w->servers[i];
        if (!s->node) {
            continue;
        }
        first = first ? first : s;
        if (s->machine.count != first->machine.count || s->machine.sum != first->machine.sum) {
            return false;
        }
    }
    return true;
}

/* --- one node --- */

static void test_single_node_elects_itself_and_applies(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    replicate(w, 500);
    assert_int_equal(w->acknowledged, 500);
    assert_int_equal(w->servers[0].machine.count, 500);
    assert_true(w->servers[0].machine.batches < 500); /* proposals of one turn share a batch */
    struct raft_node_status st;
    raft_node_status(w->servers[0].node, &st);
    assert_int_equal(st.state, RAFT_NODE_LEADER);
    assert_int_equal(st.peer_count, 0);
    assert_int_equal(st.pending_proposals, 0);
    assert_string_equal(st.leader_id, "server-0");
    assert_string_equal(st.leader_address, w->servers[0].address);
}

static void test_everything_acknowledged_is_there_after_a_restart(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    replicate(w, 700);
    uint64_t sum = w->servers[0].machine.sum;
    stop(&w->servers[0]);
    start(&w->servers[0]);
    assert_true(raft_node_is_bootstrapped(w->servers[0].node));
    RUN_UNTIL(w, leader_of(w));
    assert_int_equal(w->servers[0].machine.count, 700);
    assert_true(w->servers[0].machine.sum == sum);
}

static void test_restart_from_snapshot_and_tail(void **state)
{
    struct world *w = *state;
    w->threshold = 300;
    w->trailing = 50;
    w->servers[0].machine.padding = 300000;
    bootstrap(w, 1);
    struct raft_node_status st;
    /* However slow the disk is: on past the second snapshot. */
    RUN_UNTIL(w, (replicate(w, 400), kit_count_files(w->servers[0].dir, ".snap") == 2));
    replicate(w, 10);
    RUN_UNTIL(w, (raft_node_status(w->servers[0].node, &st), !st.snapshot_under_way));
    assert_true(st.last_snapshot_index >= 300);
    assert_int_equal(kit_count_files(w->servers[0].dir, ".snap"), 2);
    uint64_t sum = w->servers[0].machine.sum;
    stop(&w->servers[0]);
    start(&w->servers[0]);
    assert_int_equal(w->servers[0].machine.restores, 1);
    RUN_UNTIL(w, leader_of(w));
    assert_true(has_all(w, &w->servers[0]));
    assert_true(w->servers[0].machine.sum == sum);
}

static void test_damaged_newest_snapshot_gives_way_to_the_one_before(void **state)
{
    struct world *w = *state;
    struct server *s = &w->servers[0];
    bootstrap(w, 1);
    struct raft_node_status st;
    for (int i = 0; i < 2; i++) {
        replicate(w, 500);
        assert_int_equal(raft_node_snapshot(s->node, NULL, NULL), 0);
        RUN_UNTIL(w, (raft_node_status(s->node, &st), !st.snapshot_under_way));
    }
    replicate(w, 10);
    uint64_t sum = s->machine.sum;
    stop(s);
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, s->dir, st.last_snapshot_index);
    struct kit_file file = kit_read(path);
    file.data[file.len / 2] ^= 4;
    kit_write(path, file.data, file.len);
    free(file.data);
    start(s);
    RUN_UNTIL(w, leader_of(w));
    assert_int_equal(s->machine.count, 1010);
    assert_true(s->machine.sum == sum);
}

static void test_no_readable_snapshot_is_refused_with_a_sentence(void **state)
{
    struct world *w = *state;
    struct server *s = &w->servers[0];
    w->threshold = 200;
    w->trailing = 10;
    bootstrap(w, 1);
    struct raft_node_status st;
    char first[PATH_BYTES];
    assert_true(raft_node__path(first, s->dir, "log-0000000000000001.seg"));
    RUN_UNTIL(w, (replicate(w, 300), access(first, F_OK) != 0)); /* the log was shortened */
    RUN_UNTIL(w, (raft_node_status(s->node, &st), !st.snapshot_under_way));
    stop(s);
    raft_index found[4];
    int count = raft_node__snapshot_list(s->dir, found, 4, NULL);
    assert_int_equal(count, 2);
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        raft_node__snapshot_path(path, s->dir, found[i]);
        kit_write(path, "nothing", 7);
    }
    struct raft_node_diag diag;
    assert_int_equal(try_start(s, &diag), RAFT_NODE_ECORRUPT);
    assert_null(s->node);
    assert_non_null(strstr(diag.text, "put the missing snapshot back"));
}

static void test_second_node_in_a_folder_is_turned_away(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    struct raft_node_config cfg;
    struct raft_node *other;
    struct raft_node_diag diag;
    configure(&w->servers[0], &cfg);
    assert_int_equal(raft_node_create(&cfg, &other, &diag), RAFT_NODE_ELOCKED);
    assert_null(other);
    replicate(w, 10);
}

static void test_bad_configs_are_named(void **state)
{
    struct world *w = *state;
    struct raft_node_config cfg;
    struct raft_node *n;
    struct raft_node_diag diag;
    configure(&w->servers[0], &cfg);
    cfg.address = "localhost:8300";
    assert_int_equal(raft_node_create(&cfg, &n, &diag), RAFT_EINVAL);
    assert_non_null(strstr(diag.text, "address"));
    configure(&w->servers[0], &cfg);
    cfg.machine.restore = NULL;
    assert_int_equal(raft_node_create(&cfg, &n, &diag), RAFT_EINVAL);
    assert_non_null(strstr(diag.text, "machine"));
    configure(&w->servers[0], &cfg);
    cfg.segment_bytes = 1;
    assert_int_equal(raft_node_create(&cfg, &n, NULL), RAFT_EINVAL);
}

/* --- three nodes --- */

static void test_three_nodes_elect_and_replicate(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 1000);
    RUN_UNTIL(w, agree(w) && has_all(w, &w->servers[0]));
    struct server *l = leader_of(w);
    for (int i = 0; i < NODES; i++) {
        struct server *s = &w->servers[i];
        const char *address;
        RUN_UNTIL(w, strcmp(raft_node_leader(s->node, &address), l->id) == 0);
        assert_string_equal(address, l->address);
        assert_int_equal(raft_node_is_leader(s->node), s == l);
        if (s != l) {
            assert_int_equal(propose(w, s, 0), RAFT_ENOTLEADER);
            assert_true(raft_node_lease_until(s->node) == 0);
        }
    }
    RUN_UNTIL(w, raft_node_lease_until(l->node) > raft_node__now());
}

static void test_leader_dies_and_nothing_acknowledged_is_lost(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 300);
    for (int round = 0; round < 3; round++) {
        struct server *old = leader_of(w);
        for (uint64_t i = 0; i < 50; i++) { /* in flight when it dies */
            (void)!propose(w, old, i);
        }
        stop(old);
        assert_int_equal(w->in_flight, 0);
        struct server *l;
        RUN_UNTIL(w, (l = leader_of(w)) != NULL);
        assert_true(l != old);
        replicate(w, 100);
        start(old);
        RUN_UNTIL(w, agree(w) && has_all(w, old));
    }
    assert_int_equal(w->acknowledged, 300 + 3 * 100);
}

static void test_all_restart_from_disk(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 500);
    RUN_UNTIL(w, agree(w));
    uint64_t sum = w->servers[0].machine.sum;
    for (int i = 0; i < NODES; i++) {
        stop(&w->servers[i]);
    }
    for (int i = 0; i < NODES; i++) {
        start(&w->servers[i]);
    }
    RUN_UNTIL(w, leader_of(w) && agree(w) && has_all(w, &w->servers[0]));
    assert_true(w->servers[0].machine.sum == sum);
    replicate(w, 10);
    RUN_UNTIL(w, agree(w));
}

static void test_lagging_follower_gets_the_snapshot(void **state)
{
    struct world *w = *state;
    w->threshold = 400;
    w->trailing = 20;
    for (int i = 0; i < NODES; i++) {
        w->servers[i].machine.padding = 900000; /* several chunks */
    }
    bootstrap(w, 3);
    replicate(w, 50);
    RUN_UNTIL(w, agree(w));
    struct server *lagging = leader_of(w) == &w->servers[0] ? &w->servers[1] : &w->servers[0];
    stop(lagging);
    replicate(w, 2500);
    struct raft_node_status st;
    RUN_UNTIL(w, leader_of(w) &&
                     (raft_node_status(leader_of(w)->node, &st), !st.snapshot_under_way) &&
                     st.first_log_index > 100);
    start(lagging);
    assert_int_equal(lagging->machine.count, 0);
    RUN_UNTIL(w, agree(w) && has_all(w, lagging));
    assert_true(lagging->machine.restores > 0);
    replicate(w, 10);
    RUN_UNTIL(w, agree(w));
    stop(lagging); /* and what it installed carries it through a restart */
    start(lagging);
    RUN_UNTIL(w, leader_of(w) && agree(w) && has_all(w, lagging));
}

struct read_seen {
    int status;
    raft_index index;
    unsigned calls;
};

static void on_read_done(void *arg, int status, raft_index index, void *result)
{
    struct read_seen *r = arg;
    assert_null(result);
    r->status = status;
    r->index = index;
    r->calls++;
}

static void test_read_index_answers_with_what_was_committed(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 10);
    struct server *l = leader_of(w);
    struct raft_node_status st;
    raft_node_status(l->node, &st);
    struct read_seen seen[3] = {{0}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(raft_node_read(l->node, on_read_done, &seen[i]), 0);
        assert_int_equal(seen[i].calls, 0); /* never from within the call */
    }
    RUN_UNTIL(w, seen[0].calls && seen[1].calls && seen[2].calls);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen[i].status, RAFT_OK);
        assert_true(seen[i].index >= st.commit_index);
        assert_true(raft_node_applied_index(l->node) >= seen[i].index);
    }
    struct server *follower = l == &w->servers[0] ? &w->servers[1] : &w->servers[0];
    assert_int_equal(raft_node_read(follower->node, on_read_done, &seen[0]), RAFT_ENOTLEADER);
}

static void test_cut_off_leader_loses_its_reads_and_proposals(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 10);
    struct server *l = leader_of(w);
    for (int i = 0; i < NODES; i++) {
        if (&w->servers[i] != l) {
            stop(&w->servers[i]);
        }
    }
    struct read_seen seen = {0};
    assert_int_equal(raft_node_read(l->node, on_read_done, &seen), 0);
    assert_int_equal(propose(w, l, 1), 0);
    RUN_UNTIL(w, seen.calls == 1 && w->in_flight == 0);
    assert_int_equal(seen.status, RAFT_ELOST);
    assert_int_equal(w->failed, 1);
    assert_false(raft_node_is_leader(l->node));
    assert_false(l->is_told_leader);
    assert_true(raft_node_lease_until(l->node) == 0);
}

/* --- configuration --- */

static void test_servers_are_added_and_removed(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    replicate(w, 100);
    for (int i = 1; i < NODES; i++) {
        start(&w->servers[i]);
        assert_false(raft_node_is_bootstrapped(w->servers[i].node));
        struct raft_server s = {.kind = RAFT_VOTER};
        snprintf(s.id, sizeof s.id, "%s", w->servers[i].id);
        snprintf(s.address, sizeof s.address, "%s", w->servers[i].address);
        struct read_seen seen = {0};
        assert_int_equal(raft_node_add_server(leader_of(w)->node, &s, on_read_done, &seen), 0);
        RUN_UNTIL(w, seen.calls == 1);
        assert_int_equal(seen.status, RAFT_OK);
        RUN_UNTIL(w, agree(w));
        assert_true(raft_node_is_bootstrapped(w->servers[i].node));
    }
    replicate(w, 100);
    RUN_UNTIL(w, agree(w));
    struct raft_node_status st;
    raft_node_status(leader_of(w)->node, &st);
    assert_int_equal(st.configuration->n, 3);
    assert_int_equal(st.peer_count, 2);

    struct server *l = leader_of(w), *gone = l == &w->servers[2] ? &w->servers[1] : &w->servers[2];
    struct read_seen seen = {0};
    assert_int_equal(raft_node_remove_server(l->node, gone->id, on_read_done, &seen), 0);
    RUN_UNTIL(w, seen.calls == 1);
    assert_int_equal(seen.status, RAFT_OK);
    stop(gone);
    replicate(w, 100);
    raft_node_status(leader_of(w)->node, &st);
    assert_int_equal(st.configuration->n, 2);
    assert_int_equal(raft_node_remove_server(leader_of(w)->node, "nobody", NULL, NULL),
                     RAFT_ENOENT);
    struct raft_server bad = {.id = "x", .address = "not an address"};
    assert_int_equal(raft_node_add_server(leader_of(w)->node, &bad, NULL, NULL), RAFT_EINVAL);
}

static void test_leadership_is_handed_over(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 50);
    struct server *old = leader_of(w),
                  *target = old == &w->servers[0] ? &w->servers[1] : &w->servers[0];
    assert_int_equal(raft_node_transfer(old->node, "nobody"), RAFT_ENOENT);
    assert_int_equal(raft_node_transfer(old->node, target->id), 0);
    RUN_UNTIL(w, leader_of(w) == target);
    replicate(w, 50);
    raft_node_step_down(target->node);
    RUN_UNTIL(w, !target->is_told_leader);
    RUN_UNTIL(w, leader_of(w));
    replicate(w, 50);
    RUN_UNTIL(w, agree(w));
}

static void test_bootstrap_twice_is_refused(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    struct raft_server s = {.kind = RAFT_VOTER, .id = "server-0"};
    snprintf(s.address, sizeof s.address, "%s", w->servers[0].address);
    assert_int_equal(raft_node_bootstrap(w->servers[0].node, &s, 1), RAFT_EEXIST);
}

/* --- failing disks --- */

static void test_failed_sync_stops_the_node_for_good(void **state)
{
    struct world *w = *state;
    struct server *s = &w->servers[0];
    bootstrap(w, 1);
    replicate(w, 10);
    kit_break(&s->disk.sync, 1, EIO, true);
    assert_int_equal(propose(w, s, 0), 0);
    RUN_UNTIL(w, s->fatal_code != 0);
    assert_int_equal(s->fatal_code, RAFT_NODE_EIO);
    assert_non_null(strstr(s->fatal, "cannot sync"));
    assert_int_equal(w->in_flight, 0);
    assert_int_equal(w->failed, 1);
    assert_false(s->is_told_leader);
    assert_int_equal(propose(w, s, 0), RAFT_NODE_ESTOPPED);
    struct raft_node_status st;
    raft_node_status(s->node, &st);
    assert_int_equal(st.state, RAFT_NODE_SHUTDOWN);
}

static void test_full_disk_moves_leadership_and_heals_by_itself(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 50);
    struct server *full = leader_of(w);
    kit_break(&full->disk.write, 1, ENOSPC, true);
    assert_int_equal(propose(w, full, 0), 0);
    RUN_UNTIL(w, leader_of(w) && leader_of(w) != full);
    RUN_UNTIL(w, w->in_flight == 0);
    replicate(w, 100);
    struct raft_node_status st;
    raft_node_status(full->node, &st);
    assert_true(st.disk_full);
    assert_int_equal(full->fatal_code, 0);
    kit_mend(&full->disk.write);
    RUN_UNTIL(w, (raft_node_status(full->node, &st), !st.disk_full) && agree(w));
}

static void ask_to_lead(struct world *w, const struct server *s)
{
    if (leader_of(w) && leader_of(w) != s) {
        (void)!raft_node_transfer(leader_of(w)->node, s->id); /* perhaps one is under way */
    }
}

/* hashicorp/raft issue 503: a leader whose disk hangs keeps its heartbeats, and with them a cluster
 * in which nothing can be written. */
static void test_leader_whose_disk_hangs_hands_over_and_comes_back(void **state)
{
    struct world *w = *state;
    struct raft_node_status st;
    bootstrap(w, 3);
    replicate(w, 50);
    struct server *hung = leader_of(w);
    hang_disk(hung, true);
    (void)!propose(w, hung, 0);
    RUN_UNTIL(w, leader_of(w) && leader_of(w) != hung);
    RUN_UNTIL(w, w->in_flight == 0); /* the others committed it, or it is known to be lost */
    replicate(w, 100);
    raft_node_status(hung->node, &st);
    assert_int_not_equal(st.state, RAFT_NODE_LEADER);
    assert_true(st.oldest_write_ns > 0);
    assert_int_equal(hung->fatal_code, 0);
    hang_disk(hung, false);
    RUN_UNTIL(w, agree(w));
    replicate(w, 10);
    RUN_UNTIL(w, (raft_node_status(hung->node, &st), st.oldest_write_ns == 0));
    RUN_UNTIL(w, (ask_to_lead(w, hung), leader_of(w) == hung));
    replicate(w, 10);
}

/* Nobody could take over: a leader of one hangs with its disk, and goes on with it. */
static void test_single_leader_waits_for_its_hung_disk(void **state)
{
    struct world *w = *state;
    struct raft_node_status st;
    bootstrap(w, 1);
    replicate(w, 10);
    struct server *s = &w->servers[0];
    hang_disk(s, true);
    assert_int_equal(propose(w, s, 0), 0);
    RUN_UNTIL(w, (raft_node_status(s->node, &st), st.oldest_write_ns > 500 * MU_MSEC));
    assert_int_equal(s->machine.count, 10); /* nothing is applied that is not durable */
    hang_disk(s, false);
    RUN_UNTIL(w, w->in_flight == 0);
    replicate(w, 10);
}

/* --- strangers --- */

static void test_rubbish_on_a_connection_ends_it_and_nothing_else(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    static const uint8_t rubbish[][16] = {
        {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1},         /* a lying length */
        {4, 0, 0, 0, 1, 2, 3, 4, 1, 'M', 'R', 'F', 'T'}, /* a wrong checksum */
        {0, 0, 0, 0, 0, 0, 0, 0, 9},                     /* an unknown kind */
    };
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        evutil_socket_t pair[2];
        assert_int_equal(evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        evutil_make_socket_nonblocking(pair[0]);
        evutil_make_socket_nonblocking(pair[1]);
        assert_int_equal(raft_node_adopt(w->servers[0].node, pair[0]), 0);
        assert_true(send(pair[1], rubbish[i], sizeof rubbish[i], MSG_NOSIGNAL) ==
                    (ssize_t)sizeof rubbish[i]);
        char byte;
        ssize_t got = -1;
        RUN_UNTIL(w, (got = recv(pair[1], &byte, 1, 0)) == 0 || (got < 0 && errno != EAGAIN));
        evutil_closesocket(pair[1]);
    }
    replicate(w, 20);
}

static void test_server_of_another_cluster_is_turned_away(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    evutil_socket_t pair[2];
    assert_int_equal(evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    evutil_make_socket_nonblocking(pair[0]);
    evutil_make_socket_nonblocking(pair[1]);
    assert_int_equal(raft_node_adopt(w->servers[0].node, pair[0]), 0);
    struct hello h = {.cluster = "other", .from = "stranger", .to = "server-0"};
    uint8_t frame[FRAME_HEAD_BYTES + HELLO_BYTES_MAX];
    size_t len = raft_node__hello_encode(frame + FRAME_HEAD_BYTES, &h);
    raft_node__frame_encode_head(frame, FRAME_HELLO, frame + FRAME_HEAD_BYTES, len);
    assert_true(send(pair[1], frame, FRAME_HEAD_BYTES + len, MSG_NOSIGNAL) > 0);
    uint8_t answer[512];
    size_t have = 0;
    ssize_t got = -1;
    RUN_UNTIL(w, ((got = recv(pair[1], answer + have, sizeof answer - have, 0)) > 0 &&
                  (have += (size_t)got) == 0) ||
                     got == 0);
    struct frame_head head = raft_node__frame_decode_head(answer);
    assert_true(have == FRAME_HEAD_BYTES + head.len &&
                raft_node__frame_check(&head, answer + FRAME_HEAD_BYTES));
    assert_true(raft_node__hello_decode(answer + FRAME_HEAD_BYTES, head.len, &h));
    assert_string_equal(h.cluster, "test");
    assert_string_equal(h.from, "server-0");
    evutil_closesocket(pair[1]);
}

static void test_every_error_has_a_sentence_and_a_class(void **state)
{
    (void)state;
    for (int code = RAFT_NODE_ELOCKED; code <= RAFT_NODE_EIO; code++) {
        assert_true(strlen(raft_node_strerror(code)) > 5);
        assert_true(raft_node_err_class(code) != MU_CLASS_OK);
    }
    assert_string_equal(raft_node_strerror(RAFT_ENOTLEADER), raft_strerror(RAFT_ENOTLEADER));
    assert_int_equal(raft_node_err_class(RAFT_EBUSY), MU_CLASS_RETRY);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_test_filter(getenv("MUSTER_TEST_ONLY"));
    const struct CMUnitTest tests[] = {
        T(test_single_node_elects_itself_and_applies),
        T(test_everything_acknowledged_is_there_after_a_restart),
        T(test_restart_from_snapshot_and_tail),
        T(test_damaged_newest_snapshot_gives_way_to_the_one_before),
        T(test_no_readable_snapshot_is_refused_with_a_sentence),
        T(test_second_node_in_a_folder_is_turned_away),
        T(test_bad_configs_are_named),
        T(test_three_nodes_elect_and_replicate),
        T(test_leader_dies_and_nothing_acknowledged_is_lost),
        T(test_all_restart_from_disk),
        T(test_lagging_follower_gets_the_snapshot),
        T(test_read_index_answers_with_what_was_committed),
        T(test_cut_off_leader_loses_its_reads_and_proposals),
        T(test_servers_are_added_and_removed),
        T(test_leadership_is_handed_over),
        T(test_bootstrap_twice_is_refused),
        T(test_failed_sync_stops_the_node_for_good),
        T(test_full_disk_moves_leadership_and_heals_by_itself),
        T(test_leader_whose_disk_hangs_hands_over_and_comes_back),
        T(test_single_leader_waits_for_its_hung_disk),
        T(test_rubbish_on_a_connection_ends_it_and_nothing_else),
        T(test_server_of_another_cluster_is_turned_away),
        cmocka_unit_test(test_every_error_has_a_sentence_and_a_class),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
