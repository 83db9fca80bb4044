#include "snapshot.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MODULE     "agent.server.snapshot"
#define PATIENCE_S 60 /* for a peer that neither sends nor takes anything */
#define STACK_BYTES                                                                                \
    ((size_t)2 << 20) /* windows and records; a sanitizer puts much of its own there */
#define LEADER_POLL_US 50000

/* ---- The connection ---- */

bool snapshot__fail(struct snapshot_job *j, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(j->error, sizeof j->error, fmt, args);
    va_end(args);
    return false;
}

bool snapshot__send(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static ssize_t receive(int fd, void *buf, size_t len)
{
    ssize_t n;
    do {
        n = recv(fd, buf, len, 0);
    } while (n < 0 && errno == EINTR);
    return n;
}

ssize_t snapshot__receive(struct snapshot_job *j, void *buf, size_t len)
{
    size_t left = j->head_len - j->head_used;
    if (left > 0) {
        size_t n = left < len ? left : len;
        memcpy(buf, j->head + j->head_used, n);
        j->head_used += n;
        return (ssize_t)n;
    }
    return receive(j->fd, buf, len);
}

static bool respond(struct snapshot_job *j, const struct snapshot_response *p)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    snapshot_write_response(&w, p);
    bool ok = !w.failed && snapshot__send(j->fd, w.data, w.len);
    mu__writer_fini(&w);
    return ok;
}

bool snapshot__respond(struct snapshot_job *j, const struct catalog_query_meta *meta)
{
    return respond(j, &(struct snapshot_response){.error = mu__cstr(""), .meta = *meta});
}

static bool read_request(struct snapshot_job *j)
{
    for (;;) {
        switch (snapshot_read_request(j->head, j->head_len, &j->request, &j->head_used)) {
        case SNAPSHOT_READ:
            return true;
        case SNAPSHOT_BAD:
            return snapshot__fail(j, "failed to decode request");
        case SNAPSHOT_MORE:
            break;
        }
        ssize_t n = receive(j->fd, j->head + j->head_len, sizeof j->head - j->head_len);
        if (n <= 0) {
            return snapshot__fail(j, "failed to decode request");
        }
        j->head_len += (size_t)n;
    }
}

int snapshot__temporary(struct snapshot_job *j)
{
    const char *dir = j->server->snapshots->dir;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        char path[4200];
        snprintf(path, sizeof path, "%s/snapshot-XXXXXX", dir);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0) {
            unlink(path);
        }
    }
    if (fd < 0) {
        snapshot__fail(j, "cannot make a temporary file in %.200s: %s", dir, strerror(errno));
    }
    return fd;
}

static void set_patience(int fd)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

/* ---- To the leader: what comes from one goes to the other ---- */

static int connect_to(const struct snapshot_view *v)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found;
    snprintf(port, sizeof port, "%u", v->leader_port);
    if (getaddrinfo(v->leader_host, port, &hints, &found) != 0) {
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        set_patience(fd);
        if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static bool send_request(const struct snapshot_job *j, int fd)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct snapshot_request q = j->request;
    q.forwarded = true;
    mu__write_u8(&w, SNAPSHOT_PREAMBLE);
    snapshot_write_request(&w, &q);
    bool ok = !w.failed && snapshot__send(fd, w.data, w.len);
    mu__writer_fini(&w);
    return ok;
}

/* A leader that has refused already takes no more: then its answer is what counts. */
static void copy_archive(struct snapshot_job *j, int leader)
{
    char buf[65536];
    ssize_t n;
    while ((n = snapshot__receive(j, buf, sizeof buf)) > 0 &&
           snapshot__send(leader, buf, (size_t)n)) {
    }
}

static bool copy_answer(struct snapshot_job *j, int leader)
{
    char buf[65536];
    ssize_t n;
    bool any = false;
    while ((n = receive(leader, buf, sizeof buf)) > 0) {
        any = true;
        if (!snapshot__send(j->fd, buf, (size_t)n)) {
            break;
        }
    }
    return any;
}

/* So that the end of the server ends the exchange. */
static void keep_leader(struct snapshot_job *j, int fd)
{
    struct snapshots *all = j->server->snapshots;
    pthread_mutex_lock(&all->lock);
    all->leaders[j->slot] = fd;
    if (fd >= 0 && all->stopping) {
        shutdown(fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&all->lock);
}

static bool forward(struct snapshot_job *j, const struct snapshot_view *v)
{
    int leader = connect_to(v);
    if (leader < 0) {
        return snapshot__fail(j, "failed to connect to the leader: %s", strerror(errno));
    }
    keep_leader(j, leader);
    bool ok = send_request(j, leader);
    if (ok && j->request.op == SNAPSHOT_RESTORE) {
        copy_archive(j, leader);
    }
    shutdown(leader, SHUT_WR);
    ok = copy_answer(j, leader);
    keep_leader(j, -1);
    close(leader);
    return ok || snapshot__fail(j, "the leader has not answered");
}

/* ---- The request ---- */

static bool is_stopping(struct snapshots *all)
{
    pthread_mutex_lock(&all->lock);
    bool stopping = all->stopping;
    pthread_mutex_unlock(&all->lock);
    return stopping;
}

/* Waits for a leader, as calls do. */
static bool find_leader(struct snapshot_job *j, struct snapshot_view *v)
{
    uint64_t end = loop_now_ns() + j->server->config->performance.rpc_hold_timeout_ns;
    for (;;) {
        snapshot__ask_view(j, v);
        if (v->is_leader || (v->leader_host[0] && v->known_leader && !j->request.forwarded)) {
            return true;
        }
        if (loop_now_ns() >= end || is_stopping(j->server->snapshots)) {
            return snapshot__fail(j, "No cluster leader");
        }
        usleep(LEADER_POLL_US);
    }
}

static bool serve(struct snapshot_job *j)
{
    struct snapshot_view v;
    const struct snapshot_request *q = &j->request;
    if (q->datacenter.len && !mu__str_ieq(q->datacenter, j->server->config->datacenter)) {
        return snapshot__fail(j, "No path to datacenter");
    }
    if (q->op != SNAPSHOT_SAVE && q->op != SNAPSHOT_RESTORE) {
        return snapshot__fail(j, "unrecognized snapshot op '\\a'");
    }
    if (q->op == SNAPSHOT_RESTORE && q->allow_stale) {
        return snapshot__fail(j, "stale not allowed for restore");
    }
    if (q->allow_stale) {
        snapshot__ask_view(j, &v);
        return snapshot__save(j, &v);
    }
    if (!find_leader(j, &v)) {
        return false;
    }
    if (!v.is_leader) {
        return forward(j, &v);
    }
    int rc = snapshot__ask_read(j);
    if (rc != RAFT_OK) {
        return snapshot__fail(j, "%s",
                              rc == RAFT_ENOTLEADER ? "No cluster leader" : raft_node_strerror(rc));
    }
    return q->op == SNAPSHOT_SAVE ? snapshot__save(j, &v) : snapshot__restore(j);
}

/* What the client still sends is read and dropped, so that it gets to read why. */
static void drain(struct snapshot_job *j)
{
    char buf[65536];
    uint64_t n = 0;
    ssize_t got;
    shutdown(j->fd, SHUT_WR);
    while (n < (64u << 20) && (got = receive(j->fd, buf, sizeof buf)) > 0) {
        n += (uint64_t)got;
    }
}

/* ---- Threads ---- */

static void *run(void *arg)
{
    struct snapshot_job *j = arg;
    struct snapshots *all = j->server->snapshots;
    set_patience(j->fd);
    if (!(read_request(j) && serve(j))) {
        struct snapshot_response p = {.error = mu__cstr(j->error)};
        (void)!respond(j, &p);
    }
    drain(j);
    pthread_mutex_lock(&all->lock);
    all->fds[j->slot] = -1;
    close(j->fd);
    all->running--;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    free(j);
    return NULL;
}

static bool start(struct snapshot_job *j)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int rc = pthread_create(&thread, &attr, run, j);
    pthread_attr_destroy(&attr);
    return rc == 0;
}

void server_adopt_snapshot(struct server *s, int fd)
{
    struct snapshots *all = s->snapshots;
    struct snapshot_job *j = calloc(1, sizeof *j);
    size_t slot = 0;
    pthread_mutex_lock(&all->lock);
    while (slot < SNAPSHOT_THREADS_MAX && all->fds[slot] >= 0) {
        slot++;
    }
    bool ok = j && slot < SNAPSHOT_THREADS_MAX && !all->stopping;
    if (ok) {
        *j = (struct snapshot_job){.server = s, .fd = fd, .slot = slot};
        ok = start(j); /* it cannot end before the lock is given back */
    }
    if (ok) {
        all->fds[slot] = fd;
        all->running++;
    }
    pthread_mutex_unlock(&all->lock);
    if (!ok) {
        log_warn(MODULE, "a snapshot connection was turned away: too many are under way");
        free(j);
        close(fd);
    }
}

void server__snapshots_init(struct server *s, const char *dir)
{
    s->snapshots = calloc(1, sizeof *s->snapshots);
    if (!s->snapshots) {
        abort();
    }
    struct snapshots *all = s->snapshots;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->changed, NULL);
    snprintf(all->dir, sizeof all->dir, "%s", dir);
    for (size_t i = 0; i < SNAPSHOT_THREADS_MAX; i++) {
        all->fds[i] = all->leaders[i] = -1;
    }
}

void server__snapshots_stop(struct server *s)
{
    struct snapshots *all = s->snapshots;
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    for (size_t i = 0; i < SNAPSHOT_THREADS_MAX; i++) {
        if (all->fds[i] >= 0) {
            shutdown(all->fds[i], SHUT_RDWR);
        }
        if (all->leaders[i] >= 0) {
            shutdown(all->leaders[i], SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&all->lock);
}

void server__snapshots_join(struct server *s)
{
    struct snapshots *all = s->snapshots;
    bool more = true;
    while (more) {
        struct timespec soon;
        loop_drain(s->core);
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 5000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        pthread_mutex_lock(&all->lock);
        if (all->running > 0) {
            pthread_cond_timedwait(&all->changed, &all->lock, &soon);
        }
        more = all->running > 0;
        pthread_mutex_unlock(&all->lock);
    }
}

void server__snapshots_fini(struct server *s)
{
    if (s->snapshots) {
        pthread_cond_destroy(&s->snapshots->changed);
        pthread_mutex_destroy(&s->snapshots->lock);
        free(s->snapshots);
        s->snapshots = NULL;
    }
}
