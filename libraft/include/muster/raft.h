/* raft.h - Raft consensus as a pure core: facts in, updates out.
 *
 * The host (raft_node.h, a simulator, or a program of your own) feeds the core with what happened
 * and drains what must be done:
 *
 *     raft_create, raft_restore_* (what the disk holds), raft_start
 *     for (;;) {
 *         wait for a packet, a finished write, a request, or raft_next_deadline(r)
 *         raft_step | raft_advance | raft_propose | raft_persisted | raft_applied | raft_read | ...
 *         while (raft_next_update(r, &u) == RAFT_OK && u) {
 *             1. queue u->persist on the disk; when it is durable, call raft_persisted(r, now,
 * u->persist->id)
 *             2. send u->messages, now
 *             3. apply u->apply in order; then call raft_applied
 *             4. answer u->reads, start u->loads, write u->snapshot
 *         }
 *     }
 *
 * The order of effects. The core itself holds back what depends on durability: vote requests, votes
 * and acknowledgements come out in an update only after raft_persisted has confirmed the write that
 * they rest on. So every message of an update may be sent at once, whether or not the update's own
 * persist is done, and the leader's entries travel while its own write is under way (Raft
 * dissertation, 10.2.1). What remains for the host:
 *   - persists reach the disk in the order of their ids, and raft_persisted(id) says that all up to
 * id are durable;
 *   - inside one persist, the hard state and the entries may become durable in any order, before
 * raft_persisted;
 *   - a failed write or fsync is final: stop feeding the core and destroy it (raft_set_electable
 * serves a full disk that the host can see coming).
 *
 * Memory:  every pointer in an update is lent: readable until the next non-const call on the same
 *          object. So the host serialises entries to write and messages to send
 *          (raft_message_encode) before it feeds the core again. What is passed in is borrowed, and
 *          copied where it must be kept. The core keeps recent entries in memory, at most
 *          cache_bytes_max once they are durable and applied, and asks for older ones (struct
 *          raft_load).
 * Time:    now_ns is nanoseconds on one monotonic clock of the caller's; it never goes back.
 * Random:  election timeouts come from a generator seeded in the config; same seed, same inputs,
 *          same outputs.
 * Threads: one thread at a time per raft; distinct objects share nothing.
 * Errors:  0 or a negative enum raft_err. After a failure the object is as it was, unless the class
 *          is MU_CLASS_FATAL or the function says otherwise. */
#ifndef MUSTER_RAFT_H
#define MUSTER_RAFT_H

#include <muster/mu.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RAFT_VERSION 0x000100u /* 0.1.0, as 0xMMmmpp */

#define RAFT_ID_MAX              63u         /* bytes of a server id */
#define RAFT_ADDRESS_MAX         127u        /* bytes of a server address */
#define RAFT_SERVERS_MAX         31u         /* servers in a configuration, voters and non-voters */
#define RAFT_MESSAGE_ENTRIES_MAX 1024u       /* entries in one message */
#define RAFT_ENTRY_BYTES_MAX     (64u << 20) /* what entry_bytes_max may be set to */
#define RAFT_CHUNK_BYTES_MAX     (16u << 20) /* what snapshot_chunk_bytes may be set to */

typedef uint64_t raft_index; /* position in the log; the first entry is 1, and 0 is "none" */
typedef uint64_t raft_term;  /* the first term is 1 */

enum raft_err {
    RAFT_OK = 0,
    RAFT_ENOMEM = -2001, /* RETRY: out of memory */
    RAFT_EINVAL = -2002, /* CALLER: an argument or config field is out of its documented range */
    RAFT_ENOTLEADER = -2003, /* RETRY: ask the leader (raft_leader) */
    /* RETRY: a limit is reached: backlog, waiting reads, or another change is under way */
    RAFT_EBUSY = -2004,
    RAFT_ETRANSFER = -2005, /* RETRY: leadership is being handed over; there is a new leader soon */
    RAFT_ETOOBIG = -2006,   /* CALLER: an entry exceeds entry_bytes_max */
    RAFT_EEXIST = -2007,    /* CALLER: the server is already so, or there is state already */
    RAFT_ENOENT = -2008,    /* CALLER: no such server, or no such index any more */
    RAFT_EPROTO = -2009,    /* PEER: a message that no correct peer sends */
    RAFT_ENOBUFS = -2010,   /* CALLER: the buffer is too small; the size needed was stored */
    RAFT_ELOST = -2011,     /* RETRY: leadership was lost before the read was confirmed */
    RAFT_ECORRUPT = -2012,  /* FATAL: restored state contradicts itself */
    RAFT_EVERSION = -2013   /* PEER: a message of a version that this library does not speak */
};
MU_API const char *raft_strerror(int code);        /* a static sentence; never NULL */
MU_API enum mu_err_class raft_err_class(int code); /* what to do about it */
MU_API unsigned raft_version(void);                /* RAFT_VERSION of the library that runs */

struct raft;

/* --- Entries, configurations, messages --- */

enum raft_entry_type {
    RAFT_ENTRY_NORMAL = 0, /* data is the host's */
    RAFT_ENTRY_CONFIG = 1, /* data is an encoded configuration; the host only stores it */
    RAFT_ENTRY_NOOP = 2    /* no data: what a new leader commits first (Raft 8) */
};

struct raft_entry {
    raft_index index;
    raft_term term;
    enum raft_entry_type type;
    const void *data; /* may be NULL when len is 0 */
    size_t len;
};

enum raft_server_kind {
    RAFT_VOTER = 0,
    RAFT_NONVOTER = 1 /* receives the log, is not counted and does not campaign */
};

struct raft_server {
    char id[RAFT_ID_MAX + 1];           /* 1 to RAFT_ID_MAX bytes, ends with a zero; unique */
    char address[RAFT_ADDRESS_MAX + 1]; /* the host's: "ip:port" in muster; may be empty */
    enum raft_server_kind kind;
};

struct raft_configuration {
    raft_index index; /* of the entry (or snapshot) it comes from; 0: none known */
    size_t n;         /* 0 to RAFT_SERVERS_MAX */
    struct raft_server servers[RAFT_SERVERS_MAX]; /* ordered by id */
};

/* Durable before anything that depends on it; zero and "" at first. */
struct raft_hard_state {
    raft_term term;
    char vote[RAFT_ID_MAX + 1]; /* whom this server voted for in term; "": nobody */
};

/* What a snapshot stands for. The host stores it with the snapshot and gives it back to
 * raft_restore_snapshot; configuration is opaque to it. */
struct raft_snapshot_meta {
    raft_index index; /* the last entry that the snapshot includes; > 0 */
    raft_term term;   /* of that entry */
    raft_index configuration_index;
    const void *configuration; /* encoded */
    size_t configuration_len;
};

enum raft_message_type {
    RAFT_MSG_PREVOTE = 1, /* would you vote for me? (Raft dissertation, 9.6) */
    RAFT_MSG_PREVOTE_REPLY,
    RAFT_MSG_VOTE, /* Raft figure 2, RequestVote */
    RAFT_MSG_VOTE_REPLY,
    RAFT_MSG_APPEND, /* Raft figure 2, AppendEntries */
    RAFT_MSG_APPEND_REPLY,
    /* Never waits for a disk: keeps elections away, renews the lease, confirms reads */
    RAFT_MSG_HEARTBEAT,
    RAFT_MSG_HEARTBEAT_REPLY,
    RAFT_MSG_SNAPSHOT, /* one chunk (Raft figure 13, InstallSnapshot) */
    RAFT_MSG_SNAPSHOT_REPLY,
    RAFT_MSG_TIMEOUT_NOW /* campaign at once (Raft dissertation, 3.10) */
};

/* One struct for all messages; a field that its type does not use is zero. Ids and addresses end
 * with a zero. A host that has its own wire format carries every field but to_address; most use
 * raft_message_encode. */
struct raft_message {
    enum raft_message_type type;
    const char *from, *to;    /* server ids; never NULL */
    const char *from_address; /* where replies go: a new server does not know its leader yet */
    const char *to_address;   /* where to send it; not on the wire. "" when unknown */
    raft_term term;           /* of the sender; of the election asked about in a pre-vote */
    uint64_t stamp;           /* leader's messages: a time of the leader's clock; replies echo it */
    /* Vote: the last entry. Append: the entry before. Append reply: durable up to here, or the
     * entry that was refused. Heartbeat reply: the log matches the leader's up to here, durable or
     * not. */
    raft_index log_index;
    raft_term log_term; /* vote: of the last entry. append: of the entry before */
    raft_index commit;  /* append, heartbeat: committed, as far as the receiver may believe it */
    /* Append reply, refused: where to try next, and the term there, to skip a whole term at a time
     * (Raft 5.3). Heartbeat reply: the index up to which the matching log is durable. */
    raft_index hint_index;
    raft_term hint_term;
    uint64_t transfer; /* vote: stamp of the transfer that asked for it; 0: an ordinary election */
    bool reject;       /* replies: refused */
    bool transferring; /* append, heartbeat: a transfer is under way */

    const struct raft_entry *entries; /* append */
    size_t n_entries;

    struct raft_snapshot_meta snapshot; /* snapshot; in its reply only index and term */
    uint64_t offset;                    /* snapshot: of this chunk. reply: the offset wanted next */
    const void *data;                   /* snapshot: the chunk */
    size_t len;
    bool last; /* snapshot: the final chunk. reply: installed */
    /* Snapshot: hashes of its meta and of all its bytes before this chunk, and up to its end. Two
     * servers' snapshots of one index may differ, and no mixture of them is ever installed. */
    uint64_t prefix_hash, hash;
};

/* Writes the wire form of m (version 2, at most a few hundred bytes beside entries and chunk) into
 * buf and its size into *len. Errors: RAFT_ENOBUFS (cap is too small: *len is what is needed; cap 0
 * asks for the size), RAFT_EINVAL (a field is out of range). */
MU_API MU_MUST_USE int raft_message_encode(const struct raft_message *m, void *buf, size_t cap,
                                           size_t *len);
/* Reads one message that fills data exactly. What *out points at is lent by data and by entries,
 * which has room for cap entries (RAFT_MESSAGE_ENTRIES_MAX is always enough). Nothing is allocated.
 * to_address is "". Errors: RAFT_EVERSION (another version than raft_message_encode writes),
 * RAFT_EPROTO (malformed, unknown type), RAFT_ENOBUFS (more than cap entries). */
MU_API MU_MUST_USE int raft_message_decode(const void *data, size_t len, struct raft_entry *entries,
                                           size_t cap, struct raft_message *out);
/* Reads the data of a RAFT_ENTRY_CONFIG entry or of a snapshot's meta; sets out->index to index.
 * Errors: RAFT_EPROTO. */
MU_API MU_MUST_USE int raft_configuration_decode(const void *data, size_t len, raft_index index,
                                                 struct raft_configuration *out);

/* --- Config --- */

enum raft_role { RAFT_FOLLOWER = 0, RAFT_PRECANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

enum raft_trace_type {
    RAFT_TRACE_ROLE = 1,      /* a: new enum raft_role, b: why (static text in text) */
    RAFT_TRACE_TERM,          /* a: new term */
    RAFT_TRACE_VOTE,          /* peer: candidate, a: 1 granted or 0 refused, b: 1 for a pre-vote */
    RAFT_TRACE_LEADER,        /* peer: the leader now known, "" for none */
    RAFT_TRACE_APPEND,        /* a: first, b: last entry appended to the own log */
    RAFT_TRACE_TRUNCATE,      /* a: first entry dropped because it conflicts */
    RAFT_TRACE_REFUSE,        /* peer: leader, a: entry before that did not match, b: hint */
    RAFT_TRACE_COMMIT,        /* a: new commit index */
    RAFT_TRACE_CONFIG,        /* a: index of the configuration now in force, b: number of servers */
    RAFT_TRACE_SNAPSHOT_SEND, /* peer, a: snapshot index, b: offset */
    RAFT_TRACE_SNAPSHOT_INSTALL, /* a: snapshot index */
    RAFT_TRACE_TRANSFER,         /* peer: target, a: 1 started, 2 asked, 0 given up */
    RAFT_TRACE_PEER,             /* peer, a: 0 probe, 1 replicate, 2 snapshot; b: next index */
    /* A chunk was not taken. peer: leader, a: snapshot index, b: its offset, text: why */
    RAFT_TRACE_SNAPSHOT_REFUSE
};

struct raft_trace {
    enum raft_trace_type type;
    uint64_t now_ns;
    raft_term term;
    const char *peer; /* "" when there is none */
    const char *text; /* "" when there is none */
    uint64_t a, b;
};

struct raft_config {
    size_t size; /* set by raft_config_init; later fields are added at the end only */

    /* Own id, 1 to RAFT_ID_MAX bytes; copied. Must be in the configuration to take part */
    const char *id;
    const char *address; /* own address, at most RAFT_ADDRESS_MAX bytes; copied. Default "" */
    uint64_t seed;       /* of the election timeouts; differs between servers. Default 0 */

    /* > 0; default 100 ms. Between heartbeats of the leader. Shorter: sooner noticed losses and a
     * steadier lease; longer: fewer packets. At most election_timeout_ns / 2. */
    uint64_t heartbeat_ns;
    /* Default 500 ms. A follower that heard nothing for this long, times a random factor in [1, 2),
     * campaigns; a leader that no quorum answered for this long steps down. Shorter: faster
     * failover; longer: fewer false elections. Should exceed heartbeat + round trip + pauses of
     * process and disk, and be the same on all servers. */
    uint64_t election_timeout_ns;
    /* Default 0: three quarters of election_timeout_ns. How long after it was sent a heartbeat that
     * a quorum answered lets the leader read locally. Safe when lease_ns * (1 + d) <=
     * election_timeout_ns of every server, d being the largest ratio by which two clocks drift
     * apart. Must be < election_timeout_ns. */
    uint64_t lease_ns;
    /* Default 0: election_timeout_ns. A leader whose oldest write is pending for this long hands
     * leadership over to a server that keeps up, or else steps down. MU_NEVER: never. */
    uint64_t persist_stall_ns;

    /* Default 1 MiB, up to RAFT_ENTRY_BYTES_MAX. Data of one entry; same on all servers */
    size_t entry_bytes_max;
    /* Default 512 KiB. Entry data in one message; one entry is always sent */
    size_t message_bytes_max;
    /* 1 to 4096; default 64. Appends on the way to one peer and not acknowledged */
    size_t inflight_max;
    size_t inflight_bytes_max; /* default 8 MiB. Their entry data; one message is always allowed */
    /* Default 64 MiB. Entries not yet durable, committed and applied here: beyond it proposals get
     * RAFT_EBUSY, and a follower lets its leader wait */
    size_t backlog_bytes_max;
    /* Default 16 MiB. Entries kept in memory for followers though durable and applied */
    size_t cache_bytes_max;
    size_t snapshot_chunk_bytes; /* default 256 KiB, up to RAFT_CHUNK_BYTES_MAX */
    size_t reads_max;            /* default 65536. Reads waiting for their quorum */
    /* Default 10000. Entries kept before a snapshot for followers that lag a little */
    uint64_t tail_entries;

    const struct mu_allocator *allocator; /* copied; default NULL: malloc and free */
    void *user;                           /* passed to log and trace */
    /* Default NULL: none. No newline */
    void (*log)(void *user, enum mu_level level, const char *line);
    /* Default NULL. Must not call the object */
    void (*trace)(void *user, const struct raft_trace *ev);

    /* 1 to 64; default 4. Chunks of a snapshot that are loaded or on the way to one peer at a time,
     * and chunks that wait here for the disk. More: faster over long distances; memory of
     * snapshot_inflight_max * snapshot_chunk_bytes for each peer that needs a snapshot. Should be
     * the same on all servers. */
    size_t snapshot_inflight_max;
};
#define raft_config_init(cfg) raft_config_init_sized((cfg), sizeof *(cfg))
MU_API void raft_config_init_sized(struct raft_config *cfg, size_t size);

/* --- Life --- */

/* Copies cfg. On success gives *out, to be freed with raft_destroy; on failure *out is NULL, and
 * cfg->log (if any) is told which field is wrong. Errors: RAFT_EINVAL, RAFT_ENOMEM. */
MU_API MU_MUST_USE int raft_create(const struct raft_config *cfg, struct raft **out);
MU_API void raft_destroy(struct raft *r); /* NULL is allowed */

/* What the disk holds, told between raft_create and raft_start, in this order; leave out what there
 * is not. Entries come in ascending order in as many calls as you like, starting anywhere up to
 * snapshot index + 1; only a tail of them stays in memory. When log and snapshot contradict each
 * other, as they may after a crash during an install, the snapshot wins and the first update says
 * reset_to. Entries of a later term than the hard state's raise it: a crash may have kept them
 * alone. Errors: RAFT_EINVAL (hard state: bad id; snapshot: bad configuration), RAFT_ECORRUPT (a
 * gap or a falling term in the entries, a configuration that cannot be read), RAFT_ENOMEM. */
MU_API MU_MUST_USE int raft_restore_hard_state(struct raft *r, const struct raft_hard_state *hs);
MU_API MU_MUST_USE int raft_restore_snapshot(struct raft *r, const struct raft_snapshot_meta *meta);
MU_API MU_MUST_USE int raft_restore_entries(struct raft *r, const struct raft_entry *entries,
                                            size_t n);

/* Ends the restoring; from here on the object lives. A server that ran before grants no votes
 * during its first election timeout, because it may have promised a leader so. The state machine of
 * the host holds the snapshot, and later entries are given to it again. */
MU_API void raft_start(struct raft *r, uint64_t now_ns);

/* Gives a server without any state its first configuration, as entry 1 of term 1. Each server of a
 * new cluster may be told so, if all are told the same servers (in any order); or one is, and adds
 * the others. Errors: RAFT_EINVAL (ids, no voter, too many), RAFT_EEXIST (there is state),
 * RAFT_ENOMEM. */
MU_API MU_MUST_USE int raft_bootstrap(struct raft *r, uint64_t now_ns,
                                      const struct raft_server *servers, size_t n);

/* --- Facts in --- */

/* A message arrived. Errors: RAFT_EPROTO (drop the peer's connection; the object is as it was),
 * RAFT_ENOMEM (counts as a lost message). A message that is merely late, or meant for another
 * server, is ignored with RAFT_OK. */
MU_API MU_MUST_USE int raft_step(struct raft *r, uint64_t now_ns, const struct raft_message *m);

/* Time has passed. Call it when raft_next_deadline is due; more often does no harm. */
MU_API void raft_advance(struct raft *r, uint64_t now_ns);
/* When raft_advance must be called; MU_NEVER only while the server has nothing to wait for. */
MU_API uint64_t raft_next_deadline(const struct raft *r);

/* All persists up to id are durable. */
MU_API void raft_persisted(struct raft *r, uint64_t now_ns, uint64_t id);
/* The state machine has applied all entries up to index (as given in updates). */
MU_API void raft_applied(struct raft *r, uint64_t now_ns, raft_index index);

/* Appends n entries of the host's (copied) at this leader; stores the index of the first, and the
 * rest follow. They carry raft_current_term(r). They are replicated from the next update on:
 * propose all that is at hand, then drain. An entry is done when it comes out in an update's apply
 * with that term; if another term comes out at its index it is lost; if leadership changes
 * meanwhile, either may happen. All or none is appended. Errors: RAFT_ENOTLEADER, RAFT_EBUSY
 * (backlog_bytes_max), RAFT_ETRANSFER, RAFT_ETOOBIG, RAFT_ENOMEM. */
MU_API MU_MUST_USE int raft_propose(struct raft *r, uint64_t now_ns, const struct mu_str *data,
                                    size_t n, raft_index *first);

/* Asks for a linearizable read (ReadIndex, Raft dissertation 6.4); any number share one round of
 * heartbeats. It comes back in an update's reads with the same id, after which the host reads its
 * state machine. Errors: RAFT_ENOTLEADER, RAFT_EBUSY (reads_max), RAFT_ENOMEM. */
MU_API MU_MUST_USE int raft_read(struct raft *r, uint64_t now_ns, uint64_t id);

enum raft_change_type {
    RAFT_CHANGE_SET = 0, /* add the server, or give it this kind and address */
    RAFT_CHANGE_REMOVE   /* only id is looked at */
};
/* Changes the configuration by one server (Raft dissertation, 4.1): one at a time, and only once
 * this leader has committed an entry of its own term. In force as soon as it is appended; done when
 * the entry at *index is applied. A leader that removes itself steps down then. Errors:
 * RAFT_ENOTLEADER, RAFT_EBUSY (a change is under way, or the term's first entry is),
 * RAFT_ETRANSFER, RAFT_EINVAL (id, too many, or no voter would be left), RAFT_EEXIST (it is so
 * already), RAFT_ENOENT (remove: no such id), RAFT_ENOMEM. */
MU_API MU_MUST_USE int raft_change(struct raft *r, uint64_t now_ns, enum raft_change_type type,
                                   const struct raft_server *server, raft_index *index);

/* Hands leadership to the voter target (NULL: the most up to date). Proposals get RAFT_ETRANSFER
 * until it is over: in success the role changes, else it is given up after an election timeout.
 * Errors: RAFT_ENOTLEADER, RAFT_EBUSY (a transfer is under way), RAFT_ENOENT (not a voter, or there
 * is no other), RAFT_EEXIST (target leads already). */
MU_API MU_MUST_USE int raft_transfer(struct raft *r, uint64_t now_ns, const char *target);

/* false: the host cannot write at the moment. A leader hands over or steps down, and the server
 * does not campaign. */
MU_API void raft_set_electable(struct raft *r, uint64_t now_ns, bool electable);

/* --- Snapshots --- */

/* The meta for a snapshot of the state machine as of index (at most the applied index); *out lends.
 * Errors: RAFT_ENOENT (index is 0, not applied, or before the newest snapshot). */
MU_API MU_MUST_USE int raft_snapshot_meta(struct raft *r, raft_index index,
                                          struct raft_snapshot_meta *out);
/* A snapshot of the host's own as of index, with the meta given above, is durable. The log before
 * it can go, but for a tail: see log_first in the next update. Keep the snapshot before it until
 * the next one: it may be on its way to a follower. Ignored if an install has overtaken it. */
MU_API void raft_snapshot_done(struct raft *r, uint64_t now_ns, raft_index index);

/* Answers a raft_load of kind RAFT_LOAD_ENTRIES: entries from load->first on, ascending without a
 * gap, as many as fit (at least one); n 0: they are gone. Copies. An id that is not waited for any
 * more is ignored. Errors: RAFT_EINVAL (other entries than asked for), RAFT_ENOMEM. */
MU_API MU_MUST_USE int raft_loaded_entries(struct raft *r, uint64_t now_ns, uint64_t id,
                                           const struct raft_entry *entries, size_t n);
/* Answers a raft_load of kind RAFT_LOAD_SNAPSHOT: len (at most bytes_max) bytes at the offset;
 * last: the snapshot ends here. Chunks are asked for ahead of one another, so that an offset may
 * lie beyond the end: len 0 and last. data NULL: that snapshot is gone or cannot be read. Copies.
 * Errors: RAFT_EINVAL (len), RAFT_ENOMEM. */
MU_API MU_MUST_USE int raft_loaded_snapshot(struct raft *r, uint64_t now_ns, uint64_t id,
                                            const void *data, size_t len, bool last);
/* Answers u->snapshot: ok, the chunk is written (for the last chunk: the snapshot was checked, is
 * durable, and the state machine holds it, so that applied == its index), or not ok, and the
 * transfer starts again. */
MU_API void raft_snapshot_written(struct raft *r, uint64_t now_ns, uint64_t id, bool ok);

/* --- Updates out --- */

struct raft_persist {
    uint64_t id;                        /* 1, 2, 3 ... */
    const struct raft_hard_state *hard; /* NULL: unchanged */
    /* Not 0: drop the whole log first; the next entry that comes is reset_to + 1 */
    raft_index reset_to;
    /* Entries to append, ascending. If the log holds entries[0].index or later ones, those conflict
     * and are dropped. */
    const struct raft_entry *entries;
    size_t n;
};

struct raft_read_result {
    uint64_t id; /* of raft_read */
    /* RAFT_OK: the state machine as it is now (it has applied at least index) may be read; or
     * RAFT_ELOST */
    int rc;
    raft_index index;
};

enum raft_load_kind { RAFT_LOAD_ENTRIES = 1, RAFT_LOAD_SNAPSHOT };

struct raft_load { /* something from the disk is needed; answer when it is there, in any order */
    uint64_t id;
    enum raft_load_kind kind;
    raft_index first, last; /* entries: this range, or as much of its beginning as ... */
    /* ... has this many bytes of data, but at least one entry. snapshot: size of the chunk */
    size_t bytes_max;
    raft_index snapshot; /* snapshot: which one, by its index ... */
    uint64_t offset;     /* ... and from where */
};

/* A chunk of a snapshot that the leader sends, complete and in its place; answer with
 * raft_snapshot_written. The next one comes after that. */
struct raft_snapshot_write {
    uint64_t id;
    struct raft_snapshot_meta meta;
    uint64_t offset; /* 0: a new file. Otherwise exactly where the chunk before ended */
    const void *data;
    size_t len;
    bool last;
};

struct raft_update {
    const struct raft_persist *persist; /* NULL: nothing to write */

    /* Send at once; a message that cannot be sent is dropped */
    const struct raft_message *messages;
    size_t n_messages;

    /* Committed entries of all types, each given once, in order without a gap. They are durable on
     * a quorum, though perhaps not yet here. Only RAFT_ENTRY_NORMAL concerns the state machine. */
    const struct raft_entry *apply;
    size_t n_apply;

    const struct raft_read_result *reads;
    size_t n_reads;

    const struct raft_load *loads;
    size_t n_loads;

    const struct raft_snapshot_write *snapshot; /* NULL: none */

    /* entries before it are never asked for again: the host may delete them from disk */
    raft_index log_first;
    bool status_changed;        /* raft_role, raft_current_term or raft_leader have changed */
    bool configuration_changed; /* raft_configuration has changed */
};

/* Stores all that is to be done now in *out, or NULL when there is nothing. What an update said is
 * not repeated. Errors: RAFT_ENOMEM (nothing was taken out; call again later). */
MU_API MU_MUST_USE int raft_next_update(struct raft *r, const struct raft_update **out);

/* --- Questions --- */

MU_API enum raft_role raft_role(const struct raft *r);
MU_API raft_term raft_current_term(const struct raft *r);
MU_API const char *raft_id(const struct raft *r);             /* own id */
MU_API const char *raft_leader(const struct raft *r);         /* id, or "" when unknown; lends */
MU_API const char *raft_leader_address(const struct raft *r); /* "" when unknown; lends */
MU_API raft_index raft_commit_index(const struct raft *r);
MU_API raft_index raft_applied_index(const struct raft *r);
MU_API raft_index raft_last_index(const struct raft *r); /* of the log, durable or not */
/* Of the log; last + 1 when it is empty. */
MU_API raft_index raft_first_index(const struct raft *r);
MU_API raft_index raft_snapshot_index(const struct raft *r); /* of the newest snapshot; 0: none */
MU_API raft_term raft_last_term(const struct raft *r);
/* The one in force; lends. */
MU_API const struct raft_configuration *raft_configuration(const struct raft *r);
/* The server with this id in the configuration in force, or NULL; lends. */
MU_API const struct raft_server *raft_server(const struct raft *r, const char *id);

/* Until when (a time of now_ns's clock, exclusive) this leader may answer reads from its state
 * machine without asking anybody, linearizably; 0 when it may not: it does not lead, has not
 * applied an entry of its term, hands leadership over, or no quorum answered lately. Compare with
 * the clock at the time of the read: if (clock() < raft_lease_until(r)) read. The margin for clocks
 * that drift apart is in lease_ns. */
MU_API uint64_t raft_lease_until(const struct raft *r);

/* When this follower last heard from a leader, 0: never. A leader: the newest time at which a
 * quorum still followed it. */
MU_API uint64_t raft_last_contact(const struct raft *r);

struct raft_peer_status {
    raft_index match;       /* durable on the peer */
    raft_index next;        /* sent next */
    uint64_t last_heard_ns; /* 0: never since this server leads */
    bool is_snapshotting;
};
/* How the leader sees a peer. Errors: RAFT_ENOTLEADER, RAFT_ENOENT. */
MU_API MU_MUST_USE int raft_peer(const struct raft *r, const char *id,
                                 struct raft_peer_status *out);

/* Counters since raft_create. */
struct raft_stats {
    size_t size; /* set by the caller to sizeof: fields are added at the end only */
    uint64_t elections_started, elections_won, step_downs;
    uint64_t entries_appended, entries_committed, entries_truncated;
    uint64_t messages_out, messages_in, messages_dropped; /* dropped: no memory or queue full */
    uint64_t appends_refused, appends_resent, snapshots_sent, snapshots_installed, loads;
    uint64_t cache_bytes, backlog_bytes; /* now */
    /* Of snapshots: sent again; and refused here, because they were damaged on the way or belong to
     * another file than the one begun */
    uint64_t chunks_resent, chunks_refused;
};
MU_API void raft_get_stats(const struct raft *r, struct raft_stats *out);

#ifdef __cplusplus
}
#endif
#endif
