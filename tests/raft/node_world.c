#include "node_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct view {
    uint64_t count, sum;
    size_t padding;
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
    m->first_applied = m->first_applied ? m->first_applied : index;
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
    const struct machine *m = user;
    const struct view *v = view;
    if (m->saving) {
        pthread_mutex_lock(m->saving);
        pthread_mutex_unlock(m->saving);
    }
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
    pthread_mutex_lock(&s->log_lock);
    size_t used = strlen(s->lines);
    snprintf(s->lines + used, sizeof s->lines - used, "%s\n", line);
    pthread_mutex_unlock(&s->log_lock);
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
    if (s->world->accept) {
        s->world->accept(s, fd);
        return;
    }
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

void configure(const struct server *s, struct raft_node_config *cfg)
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
    cfg->snapshot_interval_ns = s->world->interval_ns;
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
    if (s->world->adjust) {
        s->world->adjust((void *)(uintptr_t)s, cfg);
    }
}

int try_start(struct server *s, struct raft_node_diag *diag)
{
    struct raft_node_config cfg;
    s->machine = (struct machine){.padding = s->machine.padding, .saving = s->machine.saving};
    s->is_told_leader = false;
    s->fatal_code = 0;
    configure(s, &cfg);
    return raft_node__create(&cfg, &s->ops, &s->node, diag);
}

void start(struct server *s)
{
    struct raft_node_diag diag = {""};
    int rc = try_start(s, &diag);
    if (rc != 0) {
        print_message("%s: %s\n", s->id, diag.text);
    }
    assert_int_equal(rc, 0);
}

void stop(struct server *s)
{
    raft_node_destroy(s->node);
    s->node = NULL;
}

bool has_logged(struct server *s, const char *text)
{
    pthread_mutex_lock(&s->log_lock);
    bool found = strstr(s->lines, text) != NULL;
    pthread_mutex_unlock(&s->log_lock);
    return found;
}

void hang_disk(struct server *s, bool is_hung)
{
    if (is_hung != s->is_hung) {
        s->is_hung = is_hung;
        (void)(is_hung ? pthread_mutex_lock(&s->gate) : pthread_mutex_unlock(&s->gate));
    }
}

int setup(void **state)
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
        pthread_mutex_init(&s->log_lock, NULL);
        s->disk.gate = &s->gate;
        snprintf(s->id, sizeof s->id, "server-%d", i);
        snprintf(s->dir, sizeof s->dir, "%s/server-%d", w->dir, i);
        listen_on(s, NULL);
    }
    *state = w;
    return 0;
}

int teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < NODES; i++) {
        struct server *s = &w->servers[i];
        hang_disk(s, false);
        stop(s);
        pthread_mutex_destroy(&s->gate);
        pthread_mutex_destroy(&s->log_lock);
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

void show(const struct world *w)
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

void turn(struct world *w)
{
    struct timeval tv = {.tv_usec = 5000};
    event_base_once(w->base, -1, EV_TIMEOUT, wake, NULL, &tv);
    event_base_loop(w->base, EVLOOP_ONCE);
}

struct server *leader_of(struct world *w)
{
    for (int i = 0; i < NODES; i++) {
        if (w->servers[i].node && w->servers[i].is_told_leader) {
            return &w->servers[i];
        }
    }
    return NULL;
}

void bootstrap(struct world *w, int count)
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

int propose(struct world *w, struct server *s, uint64_t number)
{
    char data[64];
    int len =
        snprintf(data, sizeof data, "entry number %llu with some text", (unsigned long long)number);
    int rc = raft_node_propose(s->node, data, (size_t)len, on_done, w);
    w->in_flight += rc == 0;
    return rc;
}

void replicate(struct world *w, uint64_t count)
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

bool has_all(const struct world *w, const struct server *s)
{
    assert_true(s->machine.count <= w->acknowledged + w->failed);
    return s->machine.count >= w->acknowledged;
}

bool agree(const struct world *w)
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

void on_read_done(void *arg, int status, raft_index index, void *result)
{
    struct read_seen *r = arg;
    assert_null(result);
    r->status = status;
    r->index = index;
    r->calls++;
}
