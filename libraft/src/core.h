/* core.h - the state of one server, and what the files of the core offer each other.
 *
 * A call from the host changes state and queues messages; raft_next_update then hands out all that
 * is to be done. Appends are made there, too, so that whatever was proposed between two updates
 * travels in one message. */
#pragma once

#include "configuration.h"
#include "hash.h"
#include "log.h"
#include "planted.h"
#include "prng.h"
#include "quorum.h"

#define RAFT__CHUNKS_MAX   64 /* what snapshot_inflight_max may be set to */
#define RAFT__PERSISTS_MAX 64 /* writes on their way to the disk; more wait and are merged */
#define RAFT__OUTBOX_MAX                                                                           \
    4096 /* messages that wait to be taken out; more are lost, as on a network */

/* --- Peers: how leader and candidate see the others (progress.c) --- */

enum raft__peer_state {
    RAFT__PROBE = 0, /* where its log matches ours is not known: one append at a time */
    RAFT__REPLICATE, /* appends are sent ahead of their acknowledgements */
    RAFT__SNAPSHOT   /* it needs entries that are gone */
};

/* An append that is not acknowledged. */
struct raft__sent {
    raft_index last; /* of its entries, or the entry before when it had none */
    size_t bytes;
    uint64_t stamp;
};

/* Of those, oldest first: a ring. */
struct raft__window {
    struct raft__sent *items; /* inflight_max of them, allocated at the first use */
    size_t head, len, bytes;
};

enum raft__chunk_state {
    RAFT__CHUNK_LOADING = 0,
    RAFT__CHUNK_GONE, /* the host could not load it */
    RAFT__CHUNK_READY,
    RAFT__CHUNK_SENT
};

struct raft__chunk { /* of a snapshot on its way to a peer */
    enum raft__chunk_state state;
    uint64_t offset;
    size_t len; /* while it is loading: what was asked for */
    bool last;
    uint64_t load_id;
    bool is_hashed;
    uint64_t prefix_hash, hash;
    bool was_sent;  /* perhaps it is to be sent again */
    uint64_t stamp; /* of the last time */
    uint64_t sent_ns;
    void *data; /* room for snapshot_chunk_bytes; kept for the chunks after it */
};

/* A snapshot on its way to a peer (snapshot_send.c). */
struct raft__sending {
    struct raft_snapshot_meta meta; /* owns its configuration */
    struct raft__chunk *chunks;     /* ring of snapshot_inflight_max, the oldest first */
    size_t head, n;
    uint64_t next;          /* where the next chunk begins */
    bool at_end;            /* there is none */
    struct raft__hash hash; /* of the first `hashed` bytes */
    uint64_t hashed;
    uint64_t skip_to;  /* bytes before it are read for the hash only: the peer has them */
    bool is_open;      /* the peer has answered: more than one chunk may be on the way */
    uint64_t answered; /* newest stamp that an answer has echoed */
    bool is_gone;      /* the host could not load it: start again after a while */
    uint64_t gone_ns;
};

struct raft__loaded { /* entries that came back from the disk; they own one block of data */
    struct raft_entry *entries;
    size_t n, cap;
    uint8_t *data;
    size_t data_cap;
};

enum raft__ballot { RAFT__NO_BALLOT = 0, RAFT__GRANTED, RAFT__REFUSED };

struct raft__peer {
    struct raft_server server;
    bool is_self;
    enum raft__ballot ballot;

    enum raft__peer_state state;
    raft_index match;       /* durable there */
    uint64_t matched_stamp; /* newest stamp of ours when match last grew */
    raft_index next;        /* > match */
    raft_index commit_sent; /* the commit index it was told */
    uint64_t stamp;         /* newest stamp of ours that it answered; 0: none in this term */
    uint64_t heard_ns;      /* when; 0: never in this term */
    struct raft__window window;
    uint64_t load_id; /* entries asked for; 0: none */
    struct raft__loaded loaded;
    struct raft__sending sending; /* meta.index 0: none */
};

/* --- The server --- */

struct raft__persist_record { /* a write that is not confirmed */
    uint64_t id;
    raft_index last; /* newest entry in it; lowered when entries are truncated meanwhile. 0: none */
    uint64_t given_ns;
};

/* Messages and, beside each, where it goes and when. */
struct raft__envelope {
    uint64_t gate; /* leaves when this persist is durable; 0: at once */
    char to[RAFT_ID_MAX + 1];
    char to_address[RAFT_ADDRESS_MAX + 1];
};

struct raft__outbox {
    struct raft_message *messages; /* to and to_address are set when they are handed out */
    struct raft__envelope *envelopes;
    size_t n, cap, cap_envelopes;
};

struct raft__read {
    uint64_t id;
    raft_index index; /* must be applied */
    uint64_t stamp;   /* a quorum must answer this one or a later one */
};

struct raft__arrived { /* a chunk that waits for the disk */
    uint8_t *data;
    size_t len, cap;
    bool last;
};

struct raft__receiving {            /* a snapshot on its way to us (snapshot_receive.c) */
    struct raft_snapshot_meta meta; /* index 0: none. Owns its configuration */
    struct raft_configuration configuration;
    uint64_t received;            /* bytes written by the host */
    uint64_t accepted;            /* with those in the queue */
    struct raft__hash hash;       /* of the accepted ones */
    uint64_t write_id;            /* the oldest chunk is with the host; 0: it is not */
    struct raft__arrived *chunks; /* ring of snapshot_inflight_max, the oldest first */
    size_t head, n, bytes;
};

struct raft {
    struct raft_config cfg; /* id and address point to the arrays below */
    struct mu_allocator allocator;
    char id[RAFT_ID_MAX + 1];
    char address[RAFT_ADDRESS_MAX + 1];
    struct mu__prng prng;
    uint64_t now;
    bool is_started, is_electable;
    struct raft_stats stats;

    /* Raft figure 2: persistent state. */
    struct raft_hard_state hard;
    struct raft__log log;
    struct raft__configs configs;

    /* What the disk has of it (storage.c). */
    bool hard_dirty;  /* hard was not handed out since it changed */
    uint64_t hard_id; /* the persist that carries the current hard state; 0: it is durable */
    uint64_t next_persist_id; /* > 0 */
    uint64_t persisted_id;    /* all up to here are durable */
    raft_index persist_next;  /* next entry to hand out for writing */
    raft_index durable;       /* entries up to here are durable */
    raft_index reset_to;      /* the next persist resets the disk's log; 0: no */
    struct raft__persist_record records[RAFT__PERSISTS_MAX]; /* ring */
    size_t records_head, records_len;
    struct raft_persist persist; /* lent to the host */
    struct raft_hard_state persist_hard;

    /* Raft figure 2: volatile state. */
    enum raft_role role;
    raft_index commit;
    raft_index handed;  /* given to the host to apply */
    raft_index applied; /* handed >= applied */
    char leader[RAFT_ID_MAX + 1];
    char leader_address[RAFT_ADDRESS_MAX + 1];
    uint64_t heard_ns;      /* when the leader was last heard; 0: never */
    uint64_t promise_until; /* no votes before this time, so that the leader may trust its lease */
    /* Newest stamp of this term's leader at which it was not handing over */
    uint64_t settled_stamp;
    uint64_t election_deadline; /* when not leader */
    raft_index matched;         /* the log is known to match this term's leader up to here */

    struct raft__peer peers[RAFT_SERVERS_MAX]; /* as in the configuration in force */
    size_t n_peers;

    /* Leader. */
    uint64_t leader_since;
    uint64_t heartbeat_deadline;
    raft_index term_start; /* the no-op that began the term */
    uint64_t stamp;        /* of the newest message; grows with the clock, or faster when it must */
    bool stamp_used;
    bool round_due;                        /* heartbeats at once, for reads */
    uint64_t lease_floor;                  /* answers to older stamps do not count for the lease */
    char transfer_target[RAFT_ID_MAX + 1]; /* "": no transfer */
    uint64_t transfer_deadline;
    uint64_t transfer_stamp;  /* of the request to campaign; 0: not sent yet */
    struct raft__read *reads; /* oldest first */
    size_t n_reads, cap_reads;

    /* Snapshots. */
    struct mu__writer meta_configuration; /* lent by raft_snapshot_meta */
    struct raft__receiving receiving;
    struct raft_snapshot_write snapshot_write; /* lent */

    /* Entries that left memory but are to be applied (restart). */
    uint64_t apply_load_id;
    struct raft__loaded apply_loaded;

    raft_index backlog_floor; /* entries above it count as backlog */
    size_t backlog_bytes;

    /* Update. */
    uint64_t next_load_id;
    struct raft_load *loads;
    size_t n_loads, cap_loads, given_loads;
    struct raft__outbox outbox;   /* they wait */
    struct raft__outbox released; /* lent to the host */
    struct raft_read_result *results;
    size_t n_results, cap_results, given_results;
    raft_index log_first_told;
    bool status_changed, configuration_changed;
    struct raft_update update;
};

/* trace.c */
void raft__trace(const struct raft *r, enum raft_trace_type type, const char *peer,
                 const char *text, uint64_t a, uint64_t b);
void raft__log_line(const struct raft *r, enum mu_level level, const char *line);
/* Takes note of the time of a call. */
void raft__set_now(struct raft *r, uint64_t now_ns);

/* outbox.c: messages that wait for their time. */
bool raft__send(struct raft *r, struct raft_message *m, const char *to, const char *address,
                uint64_t gate); /* false: lost */
bool raft__send_peer(struct raft *r, struct raft_message *m, const struct raft__peer *p,
                     uint64_t gate);
void raft__reply(struct raft *r, const struct raft_message *request, struct raft_message *reply,
                 uint64_t gate);
void raft__outbox_drop_replies(struct raft *r); /* those that wait and belong to an older term */
void raft__outbox_release(struct raft *r);      /* moves what may leave to r->released */
void raft__outbox_fini(struct raft *r);

/* storage.c: what the disk has. */
void raft__set_hard(struct raft *r, raft_term term, const char *vote);
bool raft__hard_is_durable(const struct raft *r);
uint64_t raft__gate_hard(const struct raft *r); /* the persist that makes hard durable */
/* ... and the entries up to last */
uint64_t raft__gate_entry(const struct raft *r, raft_index last);
/* ENOMEM; EPROTO for a bad configuration. */
int raft__append(struct raft *r, const struct raft_entry *e);
void raft__truncate(struct raft *r, raft_index from);
void raft__reset_log(struct raft *r, raft_index index, raft_term term);
/* NULL: nothing to write, or too much under way. */
const struct raft_persist *raft__next_persist(struct raft *r);
bool raft__is_stalled(const struct raft *r);
void raft__trim(struct raft *r); /* cache and backlog, after progress */
bool raft__has_backlog_room(const struct raft *r, size_t bytes);

/* role.c: who leads. */
void raft__become_follower(struct raft *r, raft_term term, const char *why);
void raft__become_leader(struct raft *r);
void raft__set_leader(struct raft *r, const char *id, const char *address);
void raft__configuration_changed(struct raft *r);
bool raft__is_voter(const struct raft *r); /* in the configuration in force */
bool raft__may_lead(const struct raft *r);
size_t raft__voters(const struct raft *r);

/* election.c */
void raft__reset_election_timer(struct raft *r);
bool raft__can_campaign(const struct raft *r);
void raft__election_timeout(struct raft *r);
void raft__campaign(struct raft *r, uint64_t transfer);
void raft__own_vote_is_durable(struct raft *r);
void raft__recv_prevote(struct raft *r, const struct raft_message *m);
void raft__recv_vote(struct raft *r, const struct raft_message *m);
void raft__recv_ballot(struct raft *r, const struct raft_message *m); /* both replies */

/* progress.c */
struct raft__peer *raft__find_peer(struct raft *r, const char *id);
void raft__peer_fini(struct raft *r, struct raft__peer *p);
void raft__peer_reset(struct raft *r, struct raft__peer *p); /* a new term of ours begins */
void raft__peer_probe(struct raft *r, struct raft__peer *p, raft_index next);
void raft__peer_snapshot(struct raft *r, struct raft__peer *p);
void raft__peer_replicate(struct raft *r, struct raft__peer *p, raft_index next);
bool raft__window_init(struct raft *r, struct raft__peer *p);
bool raft__window_has_room(const struct raft *r, const struct raft__window *w);
void raft__window_add(const struct raft *r, struct raft__window *w, const struct raft__sent *sent);
void raft__window_ack(const struct raft *r, struct raft__window *w, raft_index match);
/* Oldest item beyond accepted; NULL if all are accepted. */
const struct raft__sent *
raft__window_first_beyond(const struct raft *r, const struct raft__window *w, raft_index accepted);
void raft__window_clear(struct raft__window *w);

/* replicate.c: the leader's side of AppendEntries. */
void raft__replicate(struct raft *r, struct raft__peer *p);
void raft__recv_append_reply(struct raft *r, const struct raft_message *m);
void raft__peer_matches(struct raft *r, struct raft__peer *p, raft_index match);
void raft__maybe_commit(struct raft *r);
void raft__set_commit(struct raft *r, raft_index index);

/* heartbeat.c: the leader's clockwork. */
uint64_t raft__stamp(struct raft *r);     /* for a message of the leader's */
uint64_t raft__new_stamp(struct raft *r); /* larger than any used so far */
void raft__heartbeat_all(struct raft *r);
void raft__leader_tick(struct raft *r);
void raft__recv_heartbeat_reply(struct raft *r, const struct raft_message *m);
void raft__peer_heard(struct raft *r, struct raft__peer *p, const struct raft_message *m);
uint64_t raft__quorum_stamp(const struct raft *r); /* UINT64_MAX: nobody else has a vote */

/* read.c */
void raft__confirm_reads(struct raft *r);
void raft__lose_reads(struct raft *r);

/* follow.c: the follower's side. */
int raft__check_leader(const struct raft *r, const struct raft_message *m);
void raft__follow(struct raft *r, const struct raft_message *m);
int raft__recv_append(struct raft *r, const struct raft_message *m);
void raft__recv_heartbeat(struct raft *r, const struct raft_message *m);
void raft__refuse_old_leader(struct raft *r, const struct raft_message *m);

/* transfer.c */
void raft__transfer_progress(struct raft *r, const struct raft__peer *p);
void raft__transfer_tick(struct raft *r);
void raft__transfer_end(struct raft *r);
void raft__hand_over_for_good(struct raft *r, const char *why); /* transfer, else step down */
/* Removed from the configuration: name a successor and step down. */
void raft__leave(struct raft *r);
void raft__recv_timeout_now(struct raft *r, const struct raft_message *m);

/* load.c */
uint64_t raft__ask_load(struct raft *r, const struct raft_load *load); /* 0: no memory, ask again */
void raft__loaded_fini(struct raft *r, struct raft__loaded *l);
void raft__apply_ask(struct raft *r); /* asks for committed entries that left memory */

/* snapshot_send.c, snapshot_receive.c, snapshot.c */
void raft__snapshot_begin(struct raft *r, struct raft__peer *p);
void raft__snapshot_end(struct raft *r, struct raft__peer *p);
void raft__snapshot_flush(struct raft *r, struct raft__peer *p);
void raft__snapshot_heard(const struct raft *r, struct raft__peer *p, uint64_t stamp);
void raft__recv_snapshot_reply(struct raft *r, const struct raft_message *m);
int raft__recv_snapshot(struct raft *r, const struct raft_message *m);
bool raft__is_installing(const struct raft *r);
void raft__receiving_fini(struct raft *r);
bool raft__snapshot_write_next(struct raft *r); /* fills r->snapshot_write */
void raft__set_snapshot(struct raft *r, raft_index index, raft_term term);
void raft__compact(struct raft *r);

/* restore.c */
void raft__start_timer(struct raft *r);

/* check.c: asserts what must hold between two calls; linear in the cached log, or of constant
 * time. */
void raft__check(const struct raft *r);
void raft__check_state(const struct raft *r);
