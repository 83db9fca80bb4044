#include "node.h"

#include <assert.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t raft_node__now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * MU_SEC + (uint64_t)ts.tv_nsec;
}

void raft_node__kick(struct raft_node *n)
{
    if (!n->is_kicked && !n->is_turning) {
        event_active(n->kick, EV_TIMEOUT, 0); /* behind the sockets that are ready now */
    }
    n->is_kicked = true;
}

void raft_node__fail_node(struct raft_node *n, int code, const char *fmt, ...)
{
    if (n->failure != 0) {
        return;
    }
    n->failure = code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(n->failure_text.text, sizeof n->failure_text.text, fmt, ap);
    va_end(ap);
    atomic_store(&n->is_leader, false);
    atomic_store(&n->lease_until, 0);
    raft_node__kick(n); /* the rest happens where no caller stands in the middle of something */
}

static void give_up_all(struct raft_node *n)
{
    raft_node__answer_all(n, &n->proposals, RAFT_NODE_ESTOPPED);
    raft_node__answer_all(n, &n->reads, RAFT_NODE_ESTOPPED);
    raft_node__run_answers(n);
}

/* The node is dead: nothing is said to anybody any more, and the host is told why. */
static void die(struct raft_node *n)
{
    n->is_failed = true;
    event_del(n->timer);
    raft_node__transport_destroy(n->transport);
    n->transport = NULL;
    give_up_all(n);
    const struct raft_node_events *e = &n->cfg.events;
    raft_node__logf(&n->log, MU_ERROR, "raft: stopped: %s", n->failure_text.text);
    if (n->told_leadership && e->leadership) {
        e->leadership(e->user, false, raft_current_term(n->core));
    }
    n->told_leadership = false;
    if (e->fatal) {
        e->fatal(e->user, n->failure, n->failure_text.text);
    }
}

/* From the loop, and nobody in between. Whoever got an answer often asks for the next thing at
 * once: that goes out in the same turn. What is asked then waits for the next turn, so that the
 * loop gets to its sockets. */
static void take_turn(void *user)
{
    static const struct timeval at_once = {0};
    struct raft_node *n = user;
    n->is_turning = true;
    event_del(n->kick);
    for (int i = 0; i < 2 && n->is_kicked; i++) {
        n->is_kicked = false;
        raft_node__drive(n);
        raft_node__run_answers(n);
    }
    n->is_turning = false;
    if (n->is_kicked) {
        event_add(n->kick, &at_once);
    }
    if (n->failure != 0 && !n->is_failed) {
        die(n);
    }
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    take_turn(arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct raft_node *n = arg;
    n->timer_at_ns = MU_NEVER;
    if (n->failure == 0) {
        raft_advance(n->core, raft_node__now());
        raft_node__kick(n);
    }
}

static bool receive(void *user, const uint8_t *body, size_t len)
{
    struct raft_node *n = user;
    struct raft_message m;
    if (n->failure != 0) {
        return true;
    }
    int rc = raft_message_decode(body, len, n->decode_room, RAFT_MESSAGE_ENTRIES_MAX, &m);
    if (rc == RAFT_OK) {
        rc = raft_step(n->core, raft_node__now(), &m);
    }
    if (raft_err_class(rc) == MU_CLASS_PEER) { /* its version, for one, is told apart */
        raft_node__logf(&n->log, MU_WARN, "raft: a peer's message is refused: %s",
                        raft_strerror(rc));
        return false;
    }
    raft_node__kick(n);
    return true;
}

static void on_disk_full(void *user, bool is_full, const char *sentence)
{
    struct raft_node *n = user;
    n->is_disk_full = is_full;
    if (is_full) {
        raft_node__logf(&n->log, MU_ERROR, "raft: writes wait for room: %s", sentence);
    } else {
        raft_node__logf(&n->log, MU_WARN, "raft: there is room again, writes go on");
    }
    if (n->failure == 0) {
        raft_set_electable(n->core, raft_node__now(), !is_full);
        raft_node__kick(n);
    }
}

static void on_disk_failed(void *user, int code, const char *sentence)
{
    raft_node__fail_node(user, code, "%s", sentence);
}

static int start_transport(struct raft_node *n)
{
    size_t message =
        mu__max(n->cfg.entry_bytes_max, RAFT_NODE__MESSAGE_BYTES) + RAFT_NODE__CHUNK_BYTES;
    struct transport_config cfg = {
        .base = n->cfg.base,
        .id = n->id,
        .cluster = n->cluster,
        .preamble = n->cfg.preamble,
        .inner_preamble = n->cfg.inner_preamble,
        .tls = n->cfg.tls,
        .connect_timeout_ns = n->cfg.connect_timeout_ns,
        .reconnect_min_ns = n->cfg.reconnect_min_ns,
        .reconnect_max_ns = n->cfg.reconnect_max_ns,
        .silence_ns =
            n->cfg.election_timeout_ns * 2 > MU_SEC ? n->cfg.election_timeout_ns * 2 : MU_SEC,
        .queue_bytes_max = n->cfg.peer_queue_bytes_max,
        .frame_bytes_max = message + RAFT_NODE__MESSAGE_OVERHEAD,
        .seed = n->cfg.seed,
        .allocator = n->allocator,
        .log = n->log,
        .user = n,
        .receive = receive,
    };
    return raft_node__transport_create(&cfg, &n->transport);
}

static int start_disk(struct raft_node *n, struct raft_node_diag *diag)
{
    if (!raft_node__mailbox_init(&n->mailbox, n->cfg.base, take_turn, n)) {
        return raft_node__fail(diag, RAFT_NODE_EIO,
                               "cannot make a socket pair for the disk thread");
    }
    n->has_mailbox = true;
    struct disk_config cfg = {
        .mailbox = &n->mailbox,
        .log = n->disk_log,
        .retry_ns = RAFT_NODE__DISK_RETRY_NS,
        .allocator = n->allocator,
        .user = n,
        .full = on_disk_full,
        .failed = on_disk_failed,
    };
    int rc = raft_node__disk_start(&cfg, &n->disk);
    return rc == 0 ? 0 : raft_node__fail(diag, rc, "cannot start the disk thread");
}

static int start(struct raft_node *n, struct raft_node_diag *diag)
{
    n->timer = event_new(n->cfg.base, -1, 0, on_timer, n);
    n->kick = event_new(n->cfg.base, -1, 0, on_kick, n);
    n->decode_room = mu__calloc(&n->allocator, RAFT_MESSAGE_ENTRIES_MAX, sizeof *n->decode_room);
    if (!n->timer || !n->kick || !n->decode_room) {
        return raft_node__fail(diag, RAFT_ENOMEM, "out of memory");
    }
    int rc = raft_node__open(n, diag);
    if (rc == 0 && start_transport(n) != 0) {
        rc = raft_node__fail(diag, RAFT_ENOMEM, "out of memory");
    }
    if (rc == 0) {
        rc = start_disk(n, diag);
    }
    if (rc == 0) {
        raft_start(n->core, raft_node__now());
        raft_node__publish(n);
        raft_node__kick(n);
    }
    return rc;
}

int raft_node__create(const struct raft_node_config *cfg, const struct file_ops *ops,
                      struct raft_node **out, struct raft_node_diag *diag)
{
    *out = NULL;
    struct raft_node_config full;
    int rc = raft_node__config_check(cfg, &full, diag);
    if (rc != 0) {
        return rc;
    }
    struct mu_allocator a = mu__allocator_or_default(full.allocator);
    struct raft_node *n = mu__calloc(&a, 1, sizeof *n);
    if (!n) {
        return raft_node__fail(diag, RAFT_ENOMEM, "out of memory");
    }
    n->allocator = a;
    n->ops = ops;
    n->lock_fd = -1;
    n->install = INSTALL_NONE;
    n->timer_at_ns = MU_NEVER;
    n->persist_last = &n->persist_first;
    n->log = (struct node_log){.user = full.events.user, .log = full.events.log};
    raft_node__requests_init(&n->proposals);
    raft_node__requests_init(&n->reads);
    raft_node__requests_init(&n->answers);
    raft_node__config_copy(n, &full);
    rc = start(n, diag);
    if (rc != 0) {
        raft_node_destroy(n);
        return rc;
    }
    *out = n;
    return 0;
}

int raft_node_create(const struct raft_node_config *cfg, struct raft_node **out,
                     struct raft_node_diag *diag)
{
    return raft_node__create(cfg, &raft_node__posix_ops, out, diag);
}

/* Ends the threads; what they had in hand comes back through the mailbox and frees itself. */
static void stop_threads(struct raft_node *n)
{
    if (n->failure == 0) {
        n->failure = RAFT_NODE_ESTOPPED;
    }
    raft_node__stop_saving(n);
    if (n->disk) {
        raft_node__disk_stop(n->disk);
    }
    if (n->has_mailbox) {
        raft_node__mailbox_open_all(&n->mailbox);
        raft_node__mailbox_fini(&n->mailbox);
    }
    raft_node__disk_free(n->disk);
}

void raft_node_destroy(struct raft_node *n)
{
    if (!n) {
        return;
    }
    assert(!n->is_driving);
    stop_threads(n);
    raft_node__transport_destroy(n->transport);
    give_up_all(n);
    if (n->install.fd >= 0) {
        raft_node__install_abort(&n->install, n->dir);
    }
    raft_node__log_close(n->disk_log);
    raft_destroy(n->core);
    if (n->timer) {
        event_free(n->timer);
    }
    if (n->kick) {
        event_free(n->kick);
    }
    if (n->lock_fd >= 0) {
        close(n->lock_fd);
    }
    struct mu_allocator a = n->allocator;
    mu__free(&a, n->decode_room);
    mu__free(&a, n);
}

int raft_node_adopt(struct raft_node *n, int fd)
{
    return n->failure != 0 ? RAFT_NODE_ESTOPPED : raft_node__transport_adopt(n->transport, fd);
}

int raft_node_adopt_stream(struct raft_node *n, struct bufferevent *stream)
{
    return n->failure != 0 ? RAFT_NODE_ESTOPPED
                           : raft_node__transport_adopt_stream(n->transport, stream);
}
