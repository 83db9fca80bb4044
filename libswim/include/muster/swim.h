/* swim.h - who is in the cluster, and who is alive: SWIM with Lifeguard, and Serf's layer above it.
 *
 * Speaks the wire format of hashicorp/memberlist (protocol 1 to 5, speaks 2) and serf (2 to 5,
 * speaks 4), so that a swim joins a pool of Consul or Serf nodes. The core does no I/O. It is fed
 * with packets, streams and the time, asked for one deadline, and drained of packets, streams and
 * events:
 *
 *     for (;;) {
 *         size_t n = wait_packet(fd, swim_next_deadline(s), buf, sizeof buf, &from);
 *         uint64_t now = clock_ns();
 *         int rc = n ? swim_receive(s, now, &from, buf, n) : 0;
 *         swim_advance(s, now);
 *         while (swim_next_send(s, &packet)) send_packet(fd, &packet);
 *         while (swim_next_stream(s, &stream)) open_stream(&stream);
 *         while (swim_next_event(s, &event)) on_event(&event);
 *     }
 *
 * Drain after every call that takes now_ns. swim_node.h does all of this on a libevent loop.
 *
 * Time:    now_ns is nanoseconds on one monotonic clock of the caller's; it never goes back.
 * Threads: one thread at a time per swim; distinct swims share nothing.
 * Memory:  what is lent stays readable until the next non-const call on the same swim, unless said
 *          otherwise. Callbacks (log, entropy, admit, store_keys) must not call into the swim. */
#ifndef MUSTER_SWIM_H
#define MUSTER_SWIM_H

#include <muster/mu.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWIM_VERSION 0x000100u /* major << 16 | minor << 8 | patch */

#define SWIM_NAME_MAX     255u   /* bytes of a member name */
#define SWIM_META_MAX     512u   /* bytes of all tags, encoded */
#define SWIM_DATAGRAM_MAX 65535u /* bytes of a datagram that swim_receive accepts */
#define SWIM_DIMENSIONS   8u     /* of a network coordinate */

enum swim_err {
    SWIM_OK = 0,
    SWIM_ENOMEM = -1001, /* out of memory; what arrived counts as lost on the way (RETRY) */
    SWIM_EINVAL = -1002, /* an argument or a config field is out of its range (CALLER) */
    SWIM_EPROTO = -1003, /* the peer sent what no peer should send (PEER) */
    /* Not decryptable with any of our keys, or plain where it must be encrypted (PEER) */
    SWIM_ECRYPT = -1004,
    SWIM_ENOENT = -1005, /* no such member, stream, key or query (CALLER) */
    SWIM_ESIZE = -1006,  /* tags, event, query or answer exceed their limit (CALLER) */
    SWIM_EFULL = -1007,  /* a limit of the config is reached (RETRY) */
    SWIM_ELEFT = -1008,  /* the swim is leaving or has left (CALLER) */
    /* The admit callback, or the versions of the pool, refused the merge (PEER) */
    SWIM_EREFUSED = -1009,
    SWIM_ECLOSED = -1010, /* the stream ended before the exchange was complete (RETRY) */
    SWIM_EREMOTE = -1011, /* the peer answered with an error message, or refused (PEER) */
    SWIM_ETIMEOUT = -1012 /* not everybody who was asked answered in time (RETRY) */
};

/* A sentence in lower case without a full stop; never NULL. */
MU_API const char *swim_strerror(int code);
/* What to do about it; FATAL for codes that are not of this library. */
MU_API enum mu_err_class swim_err_class(int code);
MU_API unsigned swim_version(void); /* SWIM_VERSION of the library that runs */

struct swim; /* opaque */

/* An address as the wire has it. IPv4-mapped IPv6 addresses are brought to their 4-byte form on
 * receipt. */
struct swim_addr {
    uint8_t ip[16]; /* network order; the first len bytes count */
    uint8_t len;    /* 4 or 16; 0: no address */
    uint16_t port;  /* host order */
};
MU_API bool swim_addr_equal(const struct swim_addr *a, const struct swim_addr *b);
#define SWIM_ADDR_TEXT 54u /* "[....]:65535" and a zero */
/* Writes "10.0.0.1:8301" or "[fe80::1]:8301" and returns out. */
MU_API const char *swim_addr_text(const struct swim_addr *a, char out[SWIM_ADDR_TEXT]);

struct swim_tag {
    struct mu_str key, value;
};

/* What SWIM believes. NONE: dropped from the failure detector, still on record (failed or left). */
enum swim_state { SWIM_ALIVE = 0, SWIM_SUSPECT = 1, SWIM_DEAD = 2, SWIM_GONE = 3, SWIM_NONE = 4 };
/* What Serf and Consul show; numbers as on the wire and in Consul's API. */
enum swim_status {
    SWIM_STATUS_NONE = 0,
    SWIM_STATUS_ALIVE = 1,
    SWIM_STATUS_LEAVING = 2,
    SWIM_STATUS_LEFT = 3,
    SWIM_STATUS_FAILED = 4
};

/* One member, lent. */
struct swim_member {
    struct mu_str name; /* followed by a zero byte */
    struct swim_addr addr;
    enum swim_status status;
    enum swim_state state;
    uint32_t incarnation;
    uint64_t state_since_ns; /* when `state` last changed */
    uint64_t status_ltime;   /* Lamport time of the last intent about it */
    uint8_t protocol_min, protocol_max, protocol_cur;
    uint8_t delegate_min, delegate_max, delegate_cur;
    struct mu_str meta; /* encoded tags; read them with swim_tag and swim_next_tag */
    bool is_self;
};
/* Finds a tag; false if the member has none of that key. *value is lent as long as the member
 * is. */
MU_API bool swim_tag(const struct swim_member *m, const char *key, struct mu_str *value);
/* Walks the tags in the order of the wire: start with *at = 0; false at the end. Tags of members
 * were checked when they arrived; a meta that is not in Consul's form is one tag `role`, as in
 * Serf. */
MU_API bool swim_next_tag(const struct swim_member *m, size_t *at, struct swim_tag *out);

enum swim_profile {
    SWIM_LAN,  /* memberlist's LAN defaults as Consul uses them */
    SWIM_WAN,  /* slower and more patient, for links between sites */
    SWIM_LOCAL /* one host; tests and development */
};

/* Decides whether members may enter: a pure function of what it is given. Called with one candidate
 * for each announcement of another member, and with all members of the other side when a join
 * merges two pools. May write a sentence (zero-terminated, at most cap bytes) to why. True admits
 * all of them; false refuses all. Candidates are lent for the call; their status says whether the
 * announcement is of a member that left. */
typedef bool (*swim_admit_fn)(void *user, const struct swim_member *candidates, size_t n, char *why,
                              size_t cap);

/* Fields stand by theme. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct swim_config {
    size_t size; /* set by swim_config_init; later fields are added at the end only */

    /* Who we are. Borrowed during swim_create. */
    const char *name;           /* unique in the pool; 1 to SWIM_NAME_MAX bytes. Required */
    struct swim_addr advertise; /* where others reach us, packets and streams. Required, port > 0 */
    const struct swim_tag *tags;
    size_t ntags; /* encoded at most SWIM_META_MAX bytes */

    /* Encryption: AES-GCM keys of 16, 24 or 32 bytes, the first one encrypts. Copied; wiped in
     * swim_destroy. */
    const struct mu_str *keys;
    size_t nkeys;         /* 0 (default): no encryption */
    bool verify_incoming; /* default true: with keys, refuse what is not encrypted */
    bool verify_outgoing; /* default true: with keys, encrypt what we send */

    /* Failure detector (SWIM 3.1, 4; Lifeguard). LAN / WAN / LOCAL defaults in parentheses. */
    uint64_t probe_interval_ns; /* > 0 (1 s / 5 s / 1 s). Shorter: faster detection, more traffic */
    /* > 0, <= probe_interval (500 ms / 3 s / 200 ms). About the 99th centile of the RTT */
    uint64_t probe_timeout_ns;
    uint32_t indirect_checks; /* helpers asked when a probe stays unanswered (3 / 3 / 1) */
    uint32_t suspicion_mult;  /* > 0 (4 / 6 / 3). min = mult * max(1, log10 n) * probe_interval */
    /* > 0 (6). max = max_mult * min: how long an unconfirmed suspicion lasts */
    uint32_t suspicion_max_mult;
    uint32_t awareness_max; /* > 0 (8). Our own bad health scales probe intervals by up to this */
    bool tcp_fallback_ping; /* default true: probe over a stream as well before suspecting */

    /* Dissemination (SWIM 4.1). */
    uint64_t gossip_interval_ns; /* > 0 (200 ms / 500 ms / 100 ms) */
    uint32_t gossip_nodes;       /* targets per interval (3 / 3 / 3) */
    /* How long the dead are gossiped to and stay in full syncs (30 s / 60 s / 15 s) */
    uint64_t gossip_to_the_dead_ns;
    /* > 0 (4 / 4 / 2). An update is sent mult * ceil(log10(n + 1)) times */
    uint32_t retransmit_mult;
    /* Full state exchange (30 s / 60 s / 15 s), longer above 32 nodes. 0: never */
    uint64_t push_pull_interval_ns;
    uint32_t packet_bytes_max; /* 1200 to 65000 (1400) */
    /* A dead name may come back at another address after this (30 s). 0: never */
    uint64_t dead_reclaim_ns;
    uint64_t stream_timeout_ns; /* > 0 (10 s / 30 s / 1 s). Time for a whole stream exchange */

    /* Serf layer. */
    uint64_t reconnect_interval_ns; /* > 0 (30 s). How often a failed member may be tried again */
    /* A failed member is reaped after this (MU_NEVER). Consul: 72 h */
    uint64_t reconnect_timeout_ns;
    uint64_t tombstone_timeout_ns; /* a member that left is reaped after this (24 h) */
    uint64_t reap_interval_ns;     /* > 0 (15 s) */
    uint64_t intent_timeout_ns;    /* how long intents about unknown members are kept (5 min) */
    uint64_t broadcast_timeout_ns; /* longest wait for a broadcast to be sent while leaving (5 s) */
    uint64_t leave_propagate_ns;   /* pause between the leave broadcast and SWIM_EVENT_LEFT (3 s) */
    uint64_t member_clock, event_clock,
        query_clock; /* Lamport times of an earlier life; default 0 */

    /* Limits: each bounds memory that strangers could make us use. */
    size_t members_max; /* 100000. Announcements beyond it are dropped */
    /* 40 MiB. A stream message, also when unpacked; all streams together hold up to 4 times it */
    size_t state_bytes_max;
    size_t streams_max; /* 128. Exchanges that others opened, at a time */
    size_t sends_max;   /* 4096. Packets waiting for swim_next_send; beyond it they are lost */
    size_t events_max;  /* 65536. Queued user events and queries; member events are never dropped */
    /* 4096. Queued intents, events and queries each, oldest dropped; at least 2 * members */
    size_t broadcasts_max;

    /* Called for finished lines, one at a time; level at or above log_level. NULL (default): no
     * log. */
    void (*log)(void *user, enum mu_level level, const char *line);
    enum mu_level log_level; /* default MU_INFO */
    void *log_user;
    /* Fills buf with len bytes that nobody can predict (getrandom, or a seeded stream in a
     * simulation). Returns 0 or negative when there are none. Seeds our choices and gives the
     * nonces of encryption. Required. */
    int (*entropy)(void *user, void *buf, size_t len);
    void *entropy_user;
    swim_admit_fn admit; /* NULL (default): everybody */
    void *admit_user;
    const struct mu_allocator *allocator; /* copied; default NULL: malloc and free */

    /* Default true, as in memberlist: pack (LZW) what we send where that makes it shorter.
     * Datagrams under 256 bytes are left alone. Without: less work, more bytes. */
    bool compress;
    /* Default true, as in Serf: when another node uses our name, ask the pool whose it is, and stop
     * if it is not ours (SWIM_EVENT_NAME_LOST). False: only SWIM_EVENT_CONFLICT. */
    bool resolve_conflicts;
    /* > 0 (16). A query waits gossip_interval * mult * ceil(log10(alive + 1)) for answers */
    uint32_t query_timeout_mult;
    size_t queries_max; /* 256. Queries of ours under way at a time */
    /* 4096. Members whose coordinates are kept (about 150 bytes each), the last probed ones */
    size_t coordinates_max;
    /* Coalescing, as in Serf: events are held until `coalesce` after the first of them, or until
     * `quiescent` after the last one, whichever is sooner; of each member only the latest is told
     * then, and only if it says something new. 0 (default): off. quiescent 0: as coalesce. */
    uint64_t member_coalesce_ns, member_quiescent_ns;
    /* Likewise for user events that were sent with the hint to coalesce: of each name only those of
     * the latest Lamport time are told. */
    uint64_t user_coalesce_ns, user_quiescent_ns;
    /* Copied; at most 255 bytes. Sets pools apart that share a network: each datagram and stream
     * carries it in plain text, and what carries another is refused. memberlist from 0.3 on knows
     * it, Consul 1.8 does not. Default: none. */
    struct mu_str label;
    /* Called when a query has changed our keys, before it is answered: stores keys[0..n), the
     * primary first, which are lent for the call. Returns 0 once they are safe; otherwise negative,
     * and the answer says that this node failed to store them (its keys are changed all the same,
     * as in Consul, so that asking again is the remedy). NULL (default): SWIM_EVENT_KEYS alone
     * tells, which comes in any case, after the answer. */
    int (*store_keys)(void *user, const struct mu_str *keys, size_t n);
    void *store_keys_user;
};
/* Fills in the defaults of SWIM_LAN. */
#define swim_config_init(cfg) swim_config_init_sized((cfg), sizeof *(cfg))
MU_API void swim_config_init_sized(struct swim_config *cfg, size_t size);
/* Sets the timing fields, and no others, to those of a profile. */
MU_API void swim_config_profile(struct swim_config *cfg, enum swim_profile profile);
/* 0, or SWIM_EINVAL and a sentence that names the first field that is wrong in why (cap bytes; may
 * be NULL). */
MU_API MU_MUST_USE int swim_config_check(const struct swim_config *cfg, char *why, size_t cap);

/* Copies cfg and starts as a pool of one. On success gives *out, to be freed with swim_destroy; on
 * failure *out is NULL. Errors: SWIM_EINVAL (see swim_config_check), SWIM_ESIZE (tags),
 * SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_create(const struct swim_config *cfg, uint64_t now_ns,
                                   struct swim **out);
/* NULL is allowed. Says nothing to the pool: swim_leave does. */
MU_API void swim_destroy(struct swim *s);

/* ---- feeding ---- */

/* Takes in one datagram (borrowed). Errors concern this datagram alone and are counted in the
 * stats: SWIM_EPROTO, SWIM_ECRYPT, SWIM_ENOMEM. Whatever was well formed before the fault has been
 * applied. */
MU_API MU_MUST_USE int swim_receive(struct swim *s, uint64_t now_ns, const struct swim_addr *from,
                                    const void *data, size_t len);
/* Does what is due at now_ns. */
MU_API void swim_advance(struct swim *s, uint64_t now_ns);
/* When swim_advance wants to be called next; in the past when it is late. */
MU_API uint64_t swim_next_deadline(const struct swim *s);

/* ---- draining ---- */

struct swim_packet {
    struct swim_addr to;
    const uint8_t *data; /* lent */
    size_t len;
};
/* The next datagram to send, in order; false when there is none. */
MU_API bool swim_next_send(struct swim *s, struct swim_packet *out);

/* A stream that the swim wants opened: connect to `to`, write data, feed what comes back to
 * swim_stream_receive, and whatever happens call swim_stream_end in the end. The whole exchange
 * must end by deadline_ns. */
struct swim_stream {
    uint32_t id;
    struct swim_addr to;
    uint64_t deadline_ns;
    const uint8_t *data; /* lent until swim_stream_end of this stream */
    size_t len;
};
/* The next stream to open; false when there is none. A stream may turn out to be of no more use
 * before it is complete (a probe that was answered); it ends in the usual way. */
MU_API bool swim_next_stream(struct swim *s, struct swim_stream *out);

/* ---- streams ---- */

struct swim_reply {
    /* To be written to the stream; lent until swim_stream_end of this stream */
    const uint8_t *data;
    size_t len; /* 0: nothing to write */
    bool done;  /* close it, once data is written */
};
/* A stream that another node opened. Gives its id; call swim_stream_end in the end whatever
 * happens, and close it at *deadline_ns at the latest. Errors: SWIM_EFULL (streams_max are open:
 * close it without a word), SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_stream_accept(struct swim *s, uint64_t now_ns,
                                          const struct swim_addr *from, uint32_t *id,
                                          uint64_t *deadline_ns);
/* Takes in bytes of a stream, of either kind, in pieces as they come (borrowed). On success *out
 * says what to write and whether the exchange is complete. On failure *out is filled too (an error
 * message for the other side, perhaps) with done set. Bytes after done are ignored. Errors:
 * SWIM_EPROTO, SWIM_ECRYPT, SWIM_EREFUSED, SWIM_EREMOTE, SWIM_EFULL (all streams together hold too
 * much), SWIM_ENOMEM, SWIM_ENOENT (no such stream), SWIM_ECLOSED (see swim_stream_peer_closed). */
MU_API MU_MUST_USE int swim_stream_receive(struct swim *s, uint64_t now_ns, uint32_t id,
                                           const void *data, size_t len, struct swim_reply *out);
/* The other node has closed its side of a stream that it opened. Who asks something closes only
 * after the answer, or when it has given up: what it sends is then not worked on (SWIM_ECLOSED of
 * swim_stream_receive), but for messages that want no answer. A queue of callers who have long gone
 * would cost as much as the callers who wait behind them. To be called before the bytes that were
 * read are given to swim_stream_receive; does nothing for other streams. */
MU_API void swim_stream_peer_closed(struct swim *s, uint64_t now_ns, uint32_t id);
/* The stream is closed, for whatever reason: complete, refused, broken, timed out. Its id is free
 * from here on. */
MU_API void swim_stream_end(struct swim *s, uint64_t now_ns, uint32_t id);

/* ---- doing ---- */

/* Starts to join the pool of the node at addr, by a full exchange of state. The result comes as
 * SWIM_EVENT_JOIN_RESULT with the same stream id; *id may be NULL. Errors: SWIM_EINVAL (addr),
 * SWIM_ELEFT, SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_join(struct swim *s, uint64_t now_ns, const struct swim_addr *addr,
                                 uint32_t *id);
/* Starts to leave: says so, waits until it was sent and has spread, then SWIM_EVENT_LEFT comes, and
 * no more packets are accepted. Doing it again has no effect. */
MU_API void swim_leave(struct swim *s, uint64_t now_ns);
/* Moves a failed member to left; an alive one will contradict. prune also erases it from the
 * record. Errors: SWIM_ENOENT, SWIM_EINVAL (ourselves), SWIM_ELEFT, SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_force_leave(struct swim *s, uint64_t now_ns, const char *name,
                                        bool prune);
/* Replaces our tags (copied) and announces them. Errors: SWIM_ESIZE, SWIM_ELEFT, SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_set_tags(struct swim *s, uint64_t now_ns, const struct swim_tag *tags,
                                     size_t ntags);
/* Sends an event to all members; it comes back as SWIM_EVENT_USER here too. name and payload
 * together, and the encoded message, at most 512 bytes. coalesce is a hint for receivers (see
 * user_coalesce_ns). Errors:
 * SWIM_ESIZE, SWIM_ELEFT, SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_user_event(struct swim *s, uint64_t now_ns, struct mu_str name,
                                       struct mu_str payload, bool coalesce);
/* Answers a query of SWIM_EVENT_QUERY, once, before its deadline; payload at most about 900 bytes
 * (copied). Errors: SWIM_ENOENT (unknown, answered or too late), SWIM_ESIZE, SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_respond(struct swim *s, uint64_t now_ns, uint32_t query,
                                    struct mu_str payload);

/* ---- asking everybody ---- */

/* The value of tag `key` (empty where it is missing) must match the expression: Go's RE2 syntax,
 * anywhere in the value unless anchored. */
struct swim_tag_filter {
    struct mu_str key, expression;
};
/* A query. Everything it points at is borrowed for the call. */
struct swim_question {
    size_t size; /* set by swim_question_init; later fields are added at the end only */
    struct mu_str name, payload;
    const struct mu_str *nodes; /* only these members; nnodes 0 (default): all */
    size_t nnodes;
    const struct swim_tag_filter *tags; /* only members that match all of these */
    size_t ntags;
    bool want_acks;       /* everybody whom it reaches and who matches says so (SWIM_EVENT_ACK) */
    uint8_t relay_factor; /* 0 (default) to 16: answers come through this many others as well */
    uint64_t timeout_ns;  /* 0 (default): see query_timeout_mult */
};
#define swim_question_init(q) swim_question_init_sized((q), sizeof *(q))
MU_API void swim_question_init_sized(struct swim_question *q, size_t size);

/* Asks all members, ourselves too. Answers come as SWIM_EVENT_ANSWER, at most one from each member,
 * and in the end SWIM_EVENT_QUERY_DONE, all with *query. The encoded query may have 1024 bytes.
 * Errors: SWIM_EINVAL (a field is out of its range), SWIM_ESIZE, SWIM_EFULL (queries_max are under
 * way), SWIM_ELEFT, SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_ask(struct swim *s, uint64_t now_ns, const struct swim_question *q,
                                uint32_t *query);
/* Wants no more answers: SWIM_EVENT_QUERY_DONE comes now. Without effect when it is over. */
MU_API void swim_ask_end(struct swim *s, uint64_t now_ns, uint32_t query);

/* Changes to the keys of all members. The usual order: install the new key, use it, remove the old
 * one, each after the one before has reached everybody. */
enum swim_key_change {
    SWIM_KEY_LIST = 0,    /* no change: tells which keys are in use */
    SWIM_KEY_INSTALL = 1, /* adds it, so that everybody can read what it encrypts */
    SWIM_KEY_USE = 2,     /* makes it the primary, which encrypts */
    SWIM_KEY_REMOVE = 3   /* drops it; the primary is refused */
};
/* Asks all members, ourselves too, for the change; the result comes as SWIM_EVENT_KEY_RESULT with
 * *query. key: 16, 24 or 32 bytes, empty for SWIM_KEY_LIST. relay_factor as in swim_question.
 * Errors: SWIM_EINVAL (length of the key, relay_factor), SWIM_EFULL, SWIM_ELEFT, SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_change_keys(struct swim *s, uint64_t now_ns,
                                        enum swim_key_change change, struct mu_str key,
                                        uint8_t relay_factor, uint32_t *query);
struct swim_key_count {
    struct mu_str key; /* base64 */
    size_t nodes;      /* how many have it */
    size_t primary;    /* and how many encrypt with it (members before Serf 0.9.3 do not say) */
};
struct swim_key_message {
    struct mu_str node, text;
};
struct swim_key_result {
    enum swim_key_change change;
    size_t nodes, answers, faults; /* asked; answered; of those, refused */
    const struct swim_key_count *keys;
    size_t nkeys;
    const struct swim_key_message *messages; /* what is wrong at each node that said so */
    size_t nmessages;
};

/* ---- events ---- */

enum swim_event_type {
    SWIM_EVENT_JOIN = 1,    /* a member is alive: new, or back from failed or left */
    SWIM_EVENT_UPDATE,      /* its tags or address changed, or it stays after all */
    SWIM_EVENT_LEAVE,       /* it left on purpose, or was made to */
    SWIM_EVENT_FAILED,      /* it failed */
    SWIM_EVENT_REAP,        /* it was erased from the record */
    SWIM_EVENT_USER,        /* user event: name, payload, ltime */
    SWIM_EVENT_QUERY,       /* query: name, payload, ltime, query, deadline_ns; see swim_respond */
    SWIM_EVENT_JOIN_RESULT, /* a swim_join is over: stream, err */
    /* Another node uses the name of member, from other_addr; it was not taken in */
    SWIM_EVENT_CONFLICT,
    SWIM_EVENT_KEYS, /* our keys were changed by a query; see swim_config.store_keys */
    SWIM_EVENT_LEFT, /* swim_leave is complete */
    /* An answer to our query: query, name (whose), payload. */
    SWIM_EVENT_ANSWER,
    SWIM_EVENT_ACK,        /* a member got our query and matches it: query, name (whose) */
    SWIM_EVENT_QUERY_DONE, /* no more answers come: query, answers, acks */
    /* A swim_change_keys is over: query, keys. err: 0 when all did it, SWIM_EREMOTE when some
     * refused, SWIM_ETIMEOUT when some did not answer. */
    SWIM_EVENT_KEY_RESULT,
    /* The pool has decided that our name is another node's, which lives at other_addr. We are
     * silent from here on, as after SWIM_EVENT_LEFT but without a word: only swim_destroy remains.
     */
    SWIM_EVENT_NAME_LOST
};
struct swim_event {
    enum swim_event_type type;
    /* member events and CONFLICT: as it stands now (REAP: as it last stood) */
    struct swim_member member;
    enum swim_status status; /* member events: its status when it happened */
    struct mu_str name, payload;
    uint64_t ltime;
    uint64_t deadline_ns;
    uint32_t query;
    uint32_t stream;
    int err; /* JOIN_RESULT: 0 or an error code; SWIM_ECLOSED when the host could not connect */
    struct swim_addr other_addr;        /* CONFLICT, NAME_LOST; JOIN_RESULT: whom we asked */
    uint32_t answers, acks;             /* QUERY_DONE */
    const struct swim_key_result *keys; /* KEY_RESULT; lent */
};
/* The next event, in order; false when there is none. What it points at is lent. */
MU_API bool swim_next_event(struct swim *s, struct swim_event *out);

/* ---- looking ---- */

/* Walks all members, ourselves too, in no particular order: start with *at = 0; false at the end.
 * Lends. */
MU_API bool swim_next_member(const struct swim *s, size_t *at, struct swim_member *out);
/* False if unknown. */
MU_API bool swim_find_member(const struct swim *s, const char *name, struct swim_member *out);
MU_API void swim_self(const struct swim *s, struct swim_member *out);
/* Number of members that are alive, ourselves too. */
MU_API size_t swim_alive(const struct swim *s);
MU_API bool swim_is_leaving(const struct swim *s); /* swim_leave was called */
MU_API bool swim_has_left(const struct swim *s);   /* SWIM_EVENT_LEFT has been queued */

/* Walks our keys, the primary first; false at the end. Lends: the bytes are secret. */
MU_API bool swim_next_key(const struct swim *s, size_t *at, struct mu_str *key);
/* Errors: SWIM_EINVAL (length is not 16, 24 or 32), SWIM_ENOENT (use: absent), SWIM_EFULL (remove:
 * it is the primary), SWIM_ENOMEM. Adding the first key turns encryption on. */
MU_API MU_MUST_USE int swim_add_key(struct swim *s, struct mu_str key);
MU_API MU_MUST_USE int swim_use_key(struct swim *s, struct mu_str key);
MU_API MU_MUST_USE int swim_remove_key(struct swim *s, struct mu_str key);

/* A network coordinate (Vivaldi, in seconds; Dabek et al. 2004, and Consul's refinements). */
struct swim_coordinate {
    double vec[SWIM_DIMENSIONS];
    double error, adjustment, height;
};
MU_API void swim_coordinate(const struct swim *s, struct swim_coordinate *out); /* ours */
/* Estimated round-trip time between two coordinates. */
MU_API uint64_t swim_distance_ns(const struct swim_coordinate *a, const struct swim_coordinate *b);
/* The last coordinate that a member told us; our own for our own name. False when there is none:
 * it was not probed yet, is gone, or gave way to another (coordinates_max). */
MU_API bool swim_member_coordinate(const struct swim *s, const char *name,
                                   struct swim_coordinate *out);
/* Estimated round-trip time between two members, of whom either may be ourselves. Errors:
 * SWIM_ENOENT (no coordinate of one of them). */
MU_API MU_MUST_USE int swim_rtt(const struct swim *s, const char *a, const char *b,
                                uint64_t *rtt_ns);

struct swim_stats {
    size_t size; /* set by swim_stats */
    size_t members, alive, failed, left;
    uint32_t health_score; /* Lifeguard: 0 is healthy, up to awareness_max - 1 */
    uint32_t incarnation;
    uint64_t member_clock, event_clock, query_clock;
    size_t member_queue, intent_queue, event_queue, query_queue; /* broadcasts waiting */
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
    uint64_t packets_malformed, packets_undecryptable,
        packets_dropped; /* dropped: sends_max, memory */
    uint64_t probes, probes_failed, acks_late,
        tcp_fallbacks; /* tcp_fallbacks: answered by stream, not by packet */
    uint64_t suspicions, refutes, deaths;
    uint64_t streams_in, streams_out, streams_failed, push_pulls;
    uint64_t events_dropped, members_refused, queries_in;
    bool encrypted;
    uint64_t queries_out, answers_in,
        answers_ignored; /* ignored: late, repeated, never asked for */
    uint64_t conflicts;  /* announcements of a known name from another address */
    uint64_t coordinates_rejected, coordinates_reset;
    uint64_t announcements; /* news of a living member that were taken over */
    /* degraded: begun while health_score was not 0; answered, and what that took in all, count
     * those that a packet answered */
    uint64_t probes_degraded, probes_answered, probes_answered_ns;
    uint64_t stream_bytes_out; /* of streams that were begun here */
};
#define swim_stats(s, out) swim_stats_sized((s), (out), sizeof *(out))
MU_API void swim_stats_sized(const struct swim *s, struct swim_stats *out, size_t size);

/* ---- Consul's rules of admission, ready for swim_config.admit ---- */

struct swim_consul_lan {
    const char *name, *id, *datacenter, *segment; /* ours; segment may be NULL (none) */
};
/* user is a struct swim_consul_lan: refuses another datacenter or segment, a node with our id under
 * another name, and two candidates with one id. */
MU_API bool swim_consul_lan_admit(void *user, const struct swim_member *candidates, size_t n,
                                  char *why, size_t cap);
/* user is ignored: admits servers only (role=consul with a valid port, vsn and build). */
MU_API bool swim_consul_wan_admit(void *user, const struct swim_member *candidates, size_t n,
                                  char *why, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
