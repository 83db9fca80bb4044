/* raft_node.h - libraft with batteries: a durable log, snapshots and TCP on a libevent loop.
 *
 * A raft_node puts the core of raft.h on an event_base of the caller's (the core loop), keeps its
 * log, vote and snapshots in one folder, and talks to its peers over TCP. What the caller brings is
 * a state machine.
 *
 * Time: CLOCK_MONOTONIC in nanoseconds; durations are uint64_t ..._ns.
 *
 * Threads: all functions belong to the thread of the core loop, except those marked "any thread".
 * Callbacks run on the core loop and never inside raft_node_propose, raft_node_read or another call
 * that registers them; only machine.snapshot_save (a thread of the node's own) and log (any of its
 * threads) run elsewhere. The node starts a disk thread (log writes and fsync) and, while a
 * snapshot is saved, one more.
 *
 * Signals: the process must ignore SIGPIPE, as with anything that writes through libevent.
 *
 * Memory: through config.allocator, which must be safe to use from several threads (NULL: malloc).
 *
 * Durability: whatever is acknowledged was written and synced by a majority. A failed fsync is
 * final: `fatal` is called and the node does nothing any more. A full disk is not: writes wait, a
 * leader steps down, and the node goes on by itself once there is room. */
#ifndef MUSTER_RAFT_NODE_H
#define MUSTER_RAFT_NODE_H

#include <muster/mu.h>
#include <muster/raft.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Errors of the node, beside those of raft.h, which its functions return too. raft_node_strerror
 * and raft_node_err_class know both kinds. */
enum raft_node_err {
    /* FATAL: the folder cannot be read or written; the diag says which file and why */
    RAFT_NODE_EIO = -2101,
    /* FATAL: a file is damaged; the diag names file, offset and what to do */
    RAFT_NODE_ECORRUPT = -2102,
    RAFT_NODE_ENOSPC = -2103, /* RETRY: the disk is full */
    /* FATAL: the node was destroyed, or failed, before there was an answer */
    RAFT_NODE_ESTOPPED = -2104,
    RAFT_NODE_ELOCKED = -2105 /* CALLER: another process (or node) uses the folder */
};
MU_API const char *raft_node_strerror(int code);
MU_API enum mu_err_class raft_node_err_class(int code);

/* A sentence for a person: file, offset, what to do. */
struct raft_node_diag {
    char text[512];
};

struct event_base;  /* libevent's ... */
struct bufferevent; /* ... both */
struct raft_node;
struct raft_node_writer; /* what snapshot_save writes to */
struct raft_node_reader; /* what restore reads from */

/* The replicated state machine. Every function is required, except the two marked. */
struct raft_node_machine {
    void *user;
    /* Committed entries come in batches, in log order, each once in the life of the process (and
     * again after a restart, from the last snapshot on). What the batch changed should become
     * visible in apply_end. */
    void (*apply_begin)(void *user); /* may be NULL */
    /* Must not call the node. data is lent for the call. result is where to leave what the
     * proposal's callback gets; NULL when nobody on this node waits for it, and then nothing must
     * be left. */
    void (*apply)(void *user, raft_index index, raft_term term, const void *data, size_t len,
                  void **result);
    /* May be NULL; the callbacks of the batch's proposals run right after it */
    void (*apply_end)(void *user);

    /* Opens a consistent view of the state as it is now, in O(1). NULL: not now, and the node tries
     * again later. */
    void *(*snapshot_begin)(void *user);
    /* Streams the view with raft_node_snapshot_write, on a thread of the node's own, while apply
     * goes on. Returns 0, or what raft_node_snapshot_write returned, or any other non-zero value to
     * give the snapshot up. */
    int (*snapshot_save)(void *user, void *view, struct raft_node_writer *w);
    /* Closes the view; once after every snapshot_begin */
    void (*snapshot_end)(void *user, void *view);
    /* Replaces the whole state by what raft_node_snapshot_read gives. On failure (non-zero) the
     * node stops for good: the state is no longer known. Also called by raft_node_create, if the
     * folder holds a snapshot. A view of the old state may still be open and being saved. */
    int (*restore)(void *user, struct raft_node_reader *r);
};

/* What the node tells. Each may be NULL; `user` comes first. */
struct raft_node_events {
    void *user;
    /* This node became leader (it has applied all that was committed before) or ceased to be. */
    void (*leadership)(void *user, bool is_leader, raft_term term);
    /* Another leader is known, or none (id "", address ""). */
    void (*leader)(void *user, const char *id, const char *address);
    /* servers were added, removed or promoted: see raft_node_status */
    void (*configuration)(void *user);
    /* The disk failed, a file is damaged or the state machine could not be restored. All that
     * waited has been told RAFT_NODE_ESTOPPED. The process should end; the only calls left are
     * raft_node_status and raft_node_destroy. */
    void (*fatal)(void *user, int code, const char *sentence);
    void (*log)(void *user, enum mu_level level, const char *line); /* any thread */
};

/* How connections are secured. The node knows bytes and who says to be whom; TLS, its certificates
 * and its names are the caller's. Without `wrap` outgoing connections are plain TCP.
 *
 * A stream that the caller makes (by wrap, or for raft_node_adopt_stream) is any bufferevent on the
 * node's event_base, such as a bufferevent_filter on a socket. Three things are asked of it:
 * - What is written before its handshake is over waits in it. The node bounds how much it gives by
 *   what is in the output buffers of the stream and of those below it (bufferevent_get_underlying),
 *   and ends the connection when the handshake is not over within connect_timeout_ns.
 * - A failed handshake shows as BEV_EVENT_ERROR or BEV_EVENT_EOF, and counts like a refused
 *   connection: it is logged with what `explain` says, and the next attempt backs off.
 * - Events and reads are told from the loop (BEV_TRIG_DEFER_CALLBACKS), not from within
 *   bufferevent_write. */
struct raft_node_tls {
    void *user;
    /* Makes the stream to the server id at address. tcp is a connected socket bufferevent without
     * callbacks; config.preamble is on its way already, and everything else, from
     * config.inner_preamble on, will go through what is returned. The stream owns tcp from then on
     * (BEV_OPT_CLOSE_ON_FREE), and the node owns the stream. NULL: it cannot be made, tcp stays the
     * node's, and the attempt has failed. */
    struct bufferevent *(*wrap)(void *user, struct bufferevent *tcp, const char *id,
                                const char *address);
    /* Whether the other end of stream may be the server id: asked once for each connection, when
     * its hello is there (and the handshake therefore over). Of an incoming one, id is what the
     * other side says it is, and nothing but this holds it against the certificate; so it is here
     * that a certificate of the right authority, but not of a server, must be turned away. NULL:
     * it may; otherwise why not, lent for the log. Not asked of plain sockets that came through
     * raft_node_adopt. May be NULL: whoever completes the handshake is believed. */
    const char *(*verify)(void *user, struct bufferevent *stream, const char *id, bool incoming);
    /* What went wrong with stream, lent for the log; NULL: nothing is known. May be NULL. */
    const char *(*explain)(void *user, struct bufferevent *stream);
};

struct raft_node_config {
    size_t size; /* set by raft_node_config_init; later fields are added at the end only */
    struct event_base *base; /* required; the core loop. Must outlive the node */
    const char *dir; /* required; made if its parent exists. One process at a time (locked) */
    /* Required, 1 to RAFT_ID_MAX bytes; unique for ever: a lost folder needs a new id */
    const char *id;
    /* Required, where peers connect to: "127.0.0.1:8300" or "[::1]:8300", numeric */
    const char *address;
    /* Peers of another cluster are turned away; at most 63 bytes, default "" */
    const char *cluster;
    uint64_t seed; /* of the election timer; default 0: from the system's entropy */

    /* As in struct raft_config, with the same defaults unless named here. */
    uint64_t heartbeat_ns;
    uint64_t election_timeout_ns;
    uint64_t lease_ns;
    uint64_t persist_stall_ns;
    /* Of one proposal; default 4 MiB, at most RAFT_ENTRY_BYTES_MAX; same on all servers */
    size_t entry_bytes_max;
    size_t backlog_bytes_max;
    size_t cache_bytes_max;

    size_t proposals_max; /* waiting for their result; default 65536 */
    /* Not yet sent to one peer; beyond it messages to it are dropped, and the core sends them
     * again. Default 32 MiB; at least 1 MiB more than entry_bytes_max */
    size_t peer_queue_bytes_max;

    uint32_t segment_bytes; /* one log file, preallocated; default 8 MiB, from 64 KiB to 1 GiB */
    /* A snapshot is taken when so many entries were applied since the last one; 0: only by
     * raft_node_snapshot. */
    uint64_t snapshot_threshold; /* default 16384. Smaller: quicker restart, more disk writes */
    uint64_t snapshot_trailing;  /* entries kept in front of it for slow followers; default 10240 */

    /* Transport. Outgoing connections are made by the node; incoming ones come through
     * raft_node_adopt or raft_node_adopt_stream. */
    int preamble; /* first byte sent on an outgoing connection, 0 to 255; -1 (default): none */
    uint64_t connect_timeout_ns; /* default 2 s */
    uint64_t reconnect_min_ns;   /* default 20 ms; doubles with each failure, with jitter ... */
    uint64_t reconnect_max_ns;   /* ... up to this; default 2 s */

    struct raft_node_machine machine;     /* copied */
    struct raft_node_events events;       /* copied */
    const struct mu_allocator *allocator; /* copied */

    struct raft_node_tls tls; /* copied; default: none */
    /* First byte sent through the stream that tls.wrap made, 0 to 255; -1 (default): none. Consul's
     * port, for example, wants 3 (TLS follows) before the handshake and 1 (Raft) inside. */
    int inner_preamble;
    /* From the beginning of one snapshot that snapshot_threshold asks for to that of the next, at
     * least; default 0. Longer: less is written where the state is large and writes are many, and a
     * restart has more entries to go through. */
    uint64_t snapshot_interval_ns;
};
#define raft_node_config_init(cfg) raft_node_config_init_sized((cfg), sizeof *(cfg))
MU_API void raft_node_config_init_sized(struct raft_node_config *cfg, size_t size);

/* Opens the folder, restores snapshot and log (blocking, a second per some 100 MiB), starts the
 * disk thread and takes part from then on. Copies cfg. On success gives *out, to be freed with
 * raft_node_destroy. A node that was never bootstrapped or added waits in silence. diag may be
 * NULL. Errors: RAFT_EINVAL, RAFT_ENOMEM, RAFT_NODE_EIO (also when the machine's restore fails),
 * RAFT_NODE_ECORRUPT, RAFT_NODE_ENOSPC, RAFT_NODE_ELOCKED. */
MU_API MU_MUST_USE int raft_node_create(const struct raft_node_config *cfg, struct raft_node **out,
                                        struct raft_node_diag *diag);
/* Stops: waits for the write under way, tells all that wait RAFT_NODE_ESTOPPED, joins the threads,
 * closes the connections. Must not be called from within a callback of the node. NULL is
 * allowed. */
MU_API void raft_node_destroy(struct raft_node *n);

/* Takes a connected, non-blocking socket whose preamble the caller has read. On failure it stays
 * the caller's. Errors: RAFT_ENOMEM, RAFT_EBUSY (too many connections that said no hello yet),
 * RAFT_NODE_ESTOPPED. */
MU_API MU_MUST_USE int raft_node_adopt(struct raft_node *n, int fd);
/* Takes an incoming connection that the caller has secured (struct raft_node_tls), in any state of
 * its handshake and with whatever it has read already, but for preambles. The hello must come
 * within connect_timeout_ns. On failure it stays the caller's. Errors: as raft_node_adopt, and
 * RAFT_EINVAL (it is on another event_base). */
MU_API MU_MUST_USE int raft_node_adopt_stream(struct raft_node *n, struct bufferevent *stream);

/* The answer to a request; called once, unless the request returned an error. index is that of the
 * entry, or what the read may rely on; 0 unless status is RAFT_OK. result is what apply left (NULL
 * if nothing); its meaning and owner are between the caller's apply and done. */
typedef void (*raft_node_done_fn)(void *arg, int status, raft_index index, void *result);

/* Proposes an entry; data (at least 1 byte) is copied. done is called when the entry was applied
 * here (RAFT_OK), was replaced or cannot be known to be (RAFT_ELOST: it may or may not take
 * effect), or the node ended (RAFT_NODE_ESTOPPED: likewise). Errors: RAFT_ENOTLEADER, RAFT_ETOOBIG,
 * RAFT_EBUSY (proposals_max, backlog_bytes_max), RAFT_ETRANSFER, RAFT_EINVAL, RAFT_ENOMEM,
 * RAFT_NODE_ESTOPPED; then done is not called and nothing was proposed. */
MU_API MU_MUST_USE int raft_node_propose(struct raft_node *n, const void *data, size_t len,
                                         raft_node_done_fn done, void *arg);

/* Linearizable read (Raft 6.4): done is called with RAFT_OK once the state machine has applied all
 * that was committed when this was called. Costs one round of heartbeats, shared by all reads that
 * wait. Errors: as raft_node_propose. */
MU_API MU_MUST_USE int raft_node_read(struct raft_node *n, raft_node_done_fn done, void *arg);

/* Any thread. Until when (CLOCK_MONOTONIC) this node is certain to be the leader, and its applied
 * state therefore the newest there is; 0 when it is not, MU_NEVER when it is the only voter. Read
 * the clock after it: if (raft_node_lease_until(n) > clock()) the state read next is the newest. */
MU_API uint64_t raft_node_lease_until(const struct raft_node *n);
MU_API bool raft_node_is_leader(const struct raft_node *n); /* any thread */
/* Any thread; published after apply_end. */
MU_API raft_index raft_node_applied_index(const struct raft_node *n);

/* The leader's id, "" when none is known. *address (may be NULL) is "" when unknown. Both are lent
 * until the loop runs again. */
MU_API const char *raft_node_leader(const struct raft_node *n, const char **address);
MU_API const char *raft_node_id(const struct raft_node *n);

/* Whether the node has a configuration: it was bootstrapped or was reached by a leader, now or in
 * an earlier life. */
MU_API bool raft_node_is_bootstrapped(const struct raft_node *n);
/* Gives a new cluster its first configuration. Either one node does it, or all named nodes do, with
 * the same servers. servers should hold this node. Returns once it has begun. Errors: RAFT_EEXIST
 * (there is a configuration), RAFT_EINVAL (no voter, double ids, bad address), RAFT_ENOMEM,
 * RAFT_NODE_ESTOPPED. */
MU_API MU_MUST_USE int raft_node_bootstrap(struct raft_node *n, const struct raft_server *servers,
                                           size_t count);

/* Change the configuration, one change at a time (Raft dissertation, 4.1); on the leader only.
 * add_server adds, moves to another address, promotes or demotes (server->kind). done as in
 * raft_node_propose; it may be NULL. Errors: RAFT_ENOTLEADER, RAFT_EBUSY (another change is under
 * way, or the leader has not committed an entry of its term yet), RAFT_ETRANSFER, RAFT_EINVAL,
 * RAFT_EEXIST (it is so already), RAFT_ENOENT (remove), RAFT_ENOMEM, RAFT_NODE_ESTOPPED. */
MU_API MU_MUST_USE int raft_node_add_server(struct raft_node *n, const struct raft_server *server,
                                            raft_node_done_fn done, void *arg);
MU_API MU_MUST_USE int raft_node_remove_server(struct raft_node *n, const char *id,
                                               raft_node_done_fn done, void *arg);

/* Hands leadership to the voter id, or to the follower that is furthest (NULL). Returns once it has
 * begun; the leadership event tells the end. Errors: RAFT_ENOTLEADER, RAFT_ENOENT (no such voter),
 * RAFT_EEXIST (id leads already), RAFT_EBUSY, RAFT_NODE_ESTOPPED. */
MU_API MU_MUST_USE int raft_node_transfer(struct raft_node *n, const char *id);
/* Hands leadership over if somebody keeps up, and gives it up otherwise. Not a leader: nothing. */
MU_API void raft_node_step_down(struct raft_node *n);

/* Takes a snapshot now, whatever the threshold; done (may be NULL) tells the index that it covers.
 * Errors: RAFT_EBUSY (one is under way, snapshot_begin gave NULL, or nothing new was applied),
 * RAFT_ENOMEM, RAFT_NODE_ESTOPPED. */
MU_API MU_MUST_USE int raft_node_snapshot(struct raft_node *n, raft_node_done_fn done, void *arg);

/* For machine.snapshot_save: appends to the snapshot. 0, or RAFT_NODE_EIO or RAFT_NODE_ENOSPC,
 * which snapshot_save returns. */
MU_API MU_MUST_USE int raft_node_snapshot_write(struct raft_node_writer *w, const void *data,
                                                size_t len);
/* For machine.restore: fills buf with the next bytes; *len is what it holds and what was read. 0
 * bytes: the end. Every byte given has passed its checksum. Errors: RAFT_NODE_EIO,
 * RAFT_NODE_ECORRUPT. */
MU_API MU_MUST_USE int raft_node_snapshot_read(struct raft_node_reader *r, void *buf, size_t *len);

enum raft_node_state {
    RAFT_NODE_FOLLOWER = 0,
    RAFT_NODE_CANDIDATE, /* also while it asks for pre-votes */
    RAFT_NODE_LEADER,
    RAFT_NODE_SHUTDOWN /* after a fatal error */
};

struct raft_node_status {
    enum raft_node_state state;
    raft_term term;
    raft_index commit_index, applied_index;
    raft_index last_log_index;
    raft_term last_log_term;
    raft_index first_log_index; /* the oldest entry kept; last_log_index + 1 when none is */
    raft_index last_snapshot_index;
    raft_term last_snapshot_term;
    /* Since the leader was heard from; 0 on the leader, MU_NEVER: not in this life */
    uint64_t last_contact_ns;
    /* "" when unknown; lent, as all pointers here, until the loop runs again */
    const char *leader_id;
    const char *leader_address;                     /* "" when unknown */
    const struct raft_configuration *configuration; /* the one in force, committed or not */
    size_t peer_count;                              /* voters besides this node */
    size_t pending_proposals;
    bool disk_full;          /* a write waits for room */
    bool snapshot_under_way; /* one is being saved */
    /* How long the oldest write has been waiting for the disk; 0: none waits */
    uint64_t oldest_write_ns;
};
MU_API void raft_node_status(const struct raft_node *n, struct raft_node_status *out);
/* What the core has counted in this life; out->size is set by the caller. */
MU_API void raft_node_stats(const struct raft_node *n, struct raft_stats *out);

/* How this leader sees a server of its configuration, itself included; silent_ns is how long that
 * server has said nothing, MU_NEVER: not since this one leads. Errors: RAFT_ENOTLEADER, RAFT_ENOENT
 * (not in the configuration), RAFT_NODE_ESTOPPED. */
struct raft_node_peer_status {
    raft_index match; /* durable there */
    uint64_t silent_ns;
    bool is_snapshotting;
};
MU_API MU_MUST_USE int raft_node_peer(const struct raft_node *n, const char *id,
                                      struct raft_node_peer_status *out);

/* --- Looking into a folder ---
 *
 * These open files for reading only, take no lock and repair nothing, so they may be used beside a
 * running node; what it wrote last may then be missing. Any thread; no node is needed. Memory comes
 * from the allocator (NULL: malloc), at most a log file and 32 bytes an entry at once. */

enum raft_node_record_kind {
    RAFT_NODE_RECORD_ENTRY = 1,
    RAFT_NODE_RECORD_HARD_STATE = 2, /* data is the id of whom the vote went to, or empty */
    RAFT_NODE_RECORD_CUT = 3,        /* all entries after index, whose term this is, are void */
    /* All entries are void; the log goes on after index, whose term this is (0: unknown), because
     * of a snapshot */
    RAFT_NODE_RECORD_RESET = 4
};

/* One record of the log, in the order of writing; all pointers are lent for the call. */
struct raft_node_record {
    const char *path; /* of its file */
    uint64_t offset;  /* in it */
    enum raft_node_record_kind kind;
    enum raft_entry_type type; /* entry; as it stands in the file, perhaps none that is known */
    raft_index index;          /* 0: hard state */
    raft_term term;
    const void *data;
    size_t len;
};

/* How the log stands after all its records. */
struct raft_node_log_info {
    size_t files;
    raft_index first_index; /* last_index + 1 when there is no entry */
    raft_index last_index;
    struct raft_hard_state hard;
    char last_file[32];  /* its name in the folder; "" when there is none */
    uint64_t end_offset; /* where its records end */
    /* Of an unfinished write behind them, which the next start drops; 0: none */
    uint64_t torn_bytes;
};

/* Reads the whole log of dir and checks it as raft_node_create does: each record's checksums, that
 * entries and terms follow each other, that no file is missing, that nothing durable is lost. Calls
 * fn (may be NULL) for each record before *info (may be NULL) is set; a non-zero result ends the
 * scan and is returned. Errors: RAFT_NODE_ECORRUPT (diag, which may be NULL, names file, offset and
 * what to do; fn has had all records before it), RAFT_NODE_EIO (also when a running node deletes a
 * file that is about to be read), RAFT_ENOMEM, RAFT_EINVAL (the path is too long). */
typedef int (*raft_node_record_fn)(void *user, const struct raft_node_record *r);
MU_API MU_MUST_USE int raft_node_log_scan(const char *dir, const struct mu_allocator *allocator,
                                          raft_node_record_fn fn, void *user,
                                          struct raft_node_log_info *info,
                                          struct raft_node_diag *diag);

/* One snapshot file; all pointers are lent for the call. */
struct raft_node_snapshot_info {
    const char *path;
    raft_index index; /* by its name */
    int status;       /* RAFT_OK: every byte passed its checksum; otherwise RAFT_NODE_ECORRUPT */
    const char *sentence; /* what is wrong, where, and what to do; "" when nothing is */
    /* These are set when status is RAFT_OK. */
    raft_term term;
    raft_index configuration_index;
    const void *configuration; /* for raft_configuration_decode */
    size_t configuration_len;
    uint64_t bytes;                  /* of what the state machine saved */
    struct raft_node_reader *reader; /* gives them, from the first on: raft_node_snapshot_read */
};

/* Checks every snapshot of dir, newest first, and calls fn for each, good or bad; a non-zero result
 * of fn ends the scan and is returned. Errors, after all were visited: RAFT_NODE_ECORRUPT (some are
 * damaged; diag, which may be NULL, tells of the newest of them); at once: RAFT_NODE_EIO,
 * RAFT_ENOMEM, RAFT_EINVAL (the path is too long). */
typedef int (*raft_node_snapshot_fn)(void *user, const struct raft_node_snapshot_info *s);
MU_API MU_MUST_USE int raft_node_snapshot_scan(const char *dir,
                                               const struct mu_allocator *allocator,
                                               raft_node_snapshot_fn fn, void *user,
                                               struct raft_node_diag *diag);

/* Whether a node has dir open, as far as the system tells (Linux: the locks in /proc; processes of
 * other containers do not show there). */
MU_API bool raft_node_is_in_use(const char *dir);

#ifdef __cplusplus
}
#endif
#endif
