/* snapshot.h - archives are saved and restored by threads of their own, one for each connection,
 * that may wait: for disk, network and Raft.
 *
 *   snapshot.c         the connection: its request, the way to the leader, the answer
 *   snapshot_core.c    what such a thread asks of the core loop
 *   snapshot_save.c    a version of the store becomes an archive, by way of a file
 *   snapshot_restore.c an archive is checked whole, then goes through the log (staging.h) */
#pragma once

#include "server.h"

#include "rpc/snapshot_wire.h"

#include <pthread.h>

#define SNAPSHOT_THREADS_MAX 8
#define SNAPSHOT_ERROR_MAX   512

/* In struct server. */
struct snapshots {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Of the connections that threads are at, and of those to a leader; -1: none */
    int fds[SNAPSHOT_THREADS_MAX], leaders[SNAPSHOT_THREADS_MAX];
    size_t running;
    bool stopping, restoring;
    char dir[4096]; /* for files without a name */
};

struct snapshot_job {
    struct server *server;
    int fd; /* the connection */
    size_t slot;
    uint8_t head[SNAPSHOT_MESSAGE_MAX];
    size_t head_len, head_used; /* what was read of the connection so far */
    struct snapshot_request request;
    char error[SNAPSHOT_ERROR_MAX];
};

void server__snapshots_init(struct server *s, const char *dir);
/* server_stop: no more threads, and those that run fail soon; then, when Raft is gone, waits for
 * them, and runs what they have posted to the core meanwhile. */
void server__snapshots_stop(struct server *s);
void server__snapshots_join(struct server *s);
void server__snapshots_fini(struct server *s);

/* snapshot.c */
/* All of it, or false: the connection is lost or too slow. */
bool snapshot__send(int fd, const void *data, size_t len) MU_MUST_USE;
/* Bytes of the request's archive: > 0, 0 at its end, -1 when the connection is lost. */
ssize_t snapshot__receive(struct snapshot_job *j, void *buf, size_t len);
bool snapshot__respond(struct snapshot_job *j, const struct catalog_query_meta *meta) MU_MUST_USE;
bool snapshot__fail(struct snapshot_job *j, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));       /* sets error; false */
int snapshot__temporary(struct snapshot_job *j); /* a file without a name; -1 with an error */

/* snapshot_core.c: each waits for the core. */
struct snapshot_view {
    bool is_leader, known_leader;
    char leader_host[64]; /* "": none known */
    uint16_t leader_port;
    uint64_t term, last_contact_ns;
    struct raft_configuration configuration;
};
void snapshot__ask_view(struct snapshot_job *j, struct snapshot_view *out);
/* All that was committed until now is applied here, and this server leads: RAFT_OK or an error. */
int snapshot__ask_read(struct snapshot_job *j);
/* Proposes an entry; RAFT_OK: applied, and *result is what that gave (to be freed). */
int snapshot__ask_propose(struct snapshot_job *j, const void *data, size_t len,
                          struct write_result **result);

/* snapshot_save.c and snapshot_restore.c: answer the connection; false with an error if nothing was
 * sent yet. */
bool snapshot__save(struct snapshot_job *j, const struct snapshot_view *view);
bool snapshot__restore(struct snapshot_job *j);
