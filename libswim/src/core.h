/* core.h - what a swim is made of, and what its parts ask of each other.
 *
 * Each part is one .c file; the functions that others may call stand here under its name. Time
 * reaches every part as s->now, which swim_receive, swim_advance and their like set on entry. */
#pragma once

#include "coord.h"
#include "envelope.h"
#include "heap.h"
#include "member.h"
#include "planted.h"
#include "wire_serf.h"
#include "wire_stream.h"

/* ---- timers ---- */

struct swim__timer {
    struct mu__heap_item item; /* first: the heap hands this back */
    void (*fire)(struct swim *s, struct swim__timer *t);
};
bool swim__timer_set(struct swim *s, struct swim__timer *t, uint64_t at); /* false: out of memory */
/* For timers with a reserved place. */
void swim__timer_reset(struct swim *s, struct swim__timer *t, uint64_t at);
void swim__timer_stop(struct swim *s, struct swim__timer *t);

/* Every call that brings the time starts with this: time must not go back. */
void swim__enter(struct swim *s, uint64_t now_ns);

/* ---- state of the parts ---- */

struct swim__suspicion {
    struct swim__timer timer;
    struct swim__member *member;
    uint64_t start_ns, min_ns, max_ns;
    uint32_t k, confirmations; /* wanted, had */
    uint32_t held;             /* intervals for which it was held, since we heard nobody */
    uint64_t from[]; /* hashed names of those who said so: the accuser, then k confirmers */
};

/* One probe at a time (SWIM 3.1). */
struct swim__probe {
    struct swim__timer tick;     /* every probe interval */
    struct swim__timer stage;    /* end of the current stage of the probe under way */
    struct swim__member *target; /* NULL: none under way, or its record is gone */
    size_t at;                   /* where in the list the round stands */
    uint64_t sent_ns, deadline_ns;
    uint32_t seq, stream; /* stream: the fallback ping; 0: none */
    uint32_t nacks_expected, nacks;
    bool active, indirect, answered_by_stream;
    bool tick_missed; /* a tick came while the last probe was under way */
};

/* A ping that we do for somebody else (SWIM 3.1, ping-req). */
struct swim__relay {
    struct swim__timer timer;
    uint32_t seq;       /* ours; key of the map */
    uint32_t their_seq; /* the requester's */
    struct swim_addr requester;
    bool nack;
};

enum swim__stream_kind { SWIM__STREAM_IN, SWIM__STREAM_SYNC, SWIM__STREAM_PING };
struct swim__stream {
    uint32_t id;
    enum swim__stream_kind kind;
    struct swim_addr peer;
    uint64_t deadline_ns;
    bool join;   /* sync: with the join flag */
    bool opened; /* out: given to the host */
    bool done;
    bool peer_closed;                /* in: the other side waits for nothing any more */
    uint32_t seq;                    /* ping */
    int err;                         /* why it failed, if it did */
    struct swim__stream *next_out;   /* queue of those to open */
    struct swim__event_body *result; /* of a swim_join; kept here so that it can not fail later */
    struct swim__framer framer;
    struct mu__writer in, out;
    size_t counted; /* bytes of both, as they are in stream_bytes */
};

/* What a queued event carries besides a member. */
struct swim__event_body {
    uint64_t ltime, deadline_ns;
    uint32_t query, stream;
    uint32_t answers, acks;
    int err;
    struct swim_addr addr;
    struct swim__tally *tally; /* owned; may be NULL */
    uint32_t name_len, payload_len;
    char bytes[]; /* name, payload */
};
struct swim__event {
    struct swim__member *member;   /* held; may be NULL */
    struct swim__event_body *body; /* owned; may be NULL */
    uint8_t type, status;
    bool stale; /* while it is decided which of the held ones are told */
};
struct swim__held { /* events that wait for others of their kind: coalesce.c */
    struct swim__timer timer;
    struct swim__event *items;
    size_t cap, len;
    uint64_t first_ns; /* when the first of them came */
};
struct swim__events { /* a ring */
    struct swim__event *items;
    size_t cap, head, len;
    struct swim__event lent; /* the one given last */
    size_t droppable;        /* queued events that events_max counts */
};

/* What probing taught us about one member. */
struct swim__peer {
    struct swim__peer *older, *newer; /* by when it was probed last */
    struct swim__member *member;
    struct swim__latency latency;
    struct swim_coordinate coordinate;
    bool known; /* coordinate is one */
};
struct swim__peers {
    struct swim__peer *oldest, *newest;
    size_t count;
};

struct swim__datagram {
    struct swim_addr to;
    struct mu__writer bytes;
};
struct swim__outbox { /* datagrams waiting to be drained: a ring, whose buffers are used again */
    struct swim__datagram *items;
    size_t cap, head, len;
};

enum { SWIM__BUFFER_SLOTS = 512 }; /* Lamport times that are remembered for duplicates */
struct swim__ring;

struct swim__clock {
    uint64_t time;
};
static inline void swim__clock_witness(struct swim__clock *c, uint64_t seen)
{
    if (seen >= c->time && seen < UINT64_MAX) {
        c->time = seen + 1;
    }
}

/* A query of ours, until it is over. */
enum swim__purpose { SWIM__ASK_HOST, SWIM__ASK_KEYS, SWIM__ASK_NAME };
struct swim__tally;
struct swim__asked {
    struct swim__timer timer; /* its end */
    uint64_t ltime;
    uint32_t id; /* key of the map */
    enum swim__purpose purpose;
    uint32_t answers, acks;
    uint32_t wanted;           /* over after that many answers; 0: not before its time */
    uint64_t end_ns, again_ns; /* its end at the latest; how often the silent are asked again */
    char *raw;                 /* ASK_KEYS: the query itself; wiped, since it may hold a key */
    size_t raw_len;
    struct mu__map seen;       /* who answered */
    struct swim__tally *tally; /* ASK_KEYS */
    uint32_t matching;         /* ASK_NAME: how many know us by our name */
    struct swim_addr other;    /* and the other one, */
    uint32_t ping_seq;         /* which was pinged */
    bool other_lives;          /* and answered */
};

struct swim__stranger { /* whom we could not read */
    uint8_t ip[16], len;
    uint64_t told_ns; /* when the log last said so */
};

enum swim__leave_stage {
    SWIM__STAYING,
    SWIM__LEAVE_INTENT,
    SWIM__LEAVE_DEAD,
    SWIM__LEAVE_SPREAD,
    SWIM__HAS_LEFT
};

struct swim {
    struct mu_allocator allocator;
    struct swim_config cfg; /* what it borrowed is cleared */
    uint64_t now;
    struct mu__prng prng;
    uint64_t hash_seed[2];
    struct mu__heap timers;
    struct swim__keyring *keyring;
    struct swim__envelope envelope;
    char label[SWIM__LABEL_MAX]; /* envelope.label */
    struct mu__arena scratch;    /* of the packet or stream message being read */
    struct mu__writer build;     /* of the message being written; reset for each */

    struct swim__table members;
    struct swim__member *self;
    uint32_t incarnation;
    uint32_t score;      /* Lifeguard's local health, 0 is healthy */
    uint64_t heard_ns;   /* when we last read a datagram */
    uint64_t hearing_ns; /* when the last silence ended; 0: there was none */
    uint32_t seq;
    uint64_t gossip_phase;
    struct swim_addr from; /* of the datagram being read; no address otherwise */
    uint64_t answered_ns;  /* when we last answered an accuser */
    uint64_t told_ns;      /* when we last told somebody of its own death */
    struct swim__stranger strangers[32];
    uint64_t stranger_ns; /* when the log last told of one */

    struct swim__probe probe;
    struct mu__map relays;
    struct swim__timer gossip, push_pull, reap, reconnect, leave;
    enum swim__leave_stage leave_stage;
    uint64_t leave_until_ns; /* end of the stage at the latest */
    struct swim__broadcast *leave_intent;
    bool left_event; /* SWIM_EVENT_LEFT is still to be given */

    struct swim__queue updates, intents, queries, user_events;
    struct swim__clock member_clock, event_clock, query_clock;
    uint64_t event_min, query_min;                     /* older ones are ignored */
    struct swim__ring *recent_events, *recent_queries; /* NULL until the first */
    struct mu__map early_intents;                      /* about members that we do not know yet */
    struct mu__map open_queries;                       /* that the host may answer */
    uint32_t next_query;
    struct mu__map asked;     /* queries of ours */
    uint64_t contested_ns;    /* when we last asked whose our name is */
    size_t reconnect_at;      /* where in the table the turn of the failed stands */
    struct swim_addr lost[8]; /* where reaped members were that never said goodbye */
    uint32_t lost_len, lost_at;

    struct mu__map streams;
    struct swim__stream *out_first, **out_last;
    uint32_t next_stream;
    size_t streams_in;
    size_t stream_bytes; /* held by all streams */

    struct swim__events events;
    struct swim__outbox outbox;
    struct swim__held held_members, held_users;
    struct swim__coords coords;
    struct swim__peers peers;
    struct swim_stats stats; /* the counters; the rest is filled in when asked */
};

/* ---- config.c, tags.c ---- */
/* From an older or newer caller. */
bool swim__config_widen(const struct swim_config *cfg, struct swim_config *out);
int swim__set_own_meta(struct swim *s, const struct swim_tag *tags, size_t n);

/* ---- log.c ---- */
void swim__log(struct swim *s, enum mu_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- strangers.c: who cannot be understood ---- */
void swim__note_unreadable(struct swim *s, const struct swim_addr *from,
                           enum swim__open_result why);

/* ---- event.c: what the host is told ---- */
/* Room, so that the next n pushes cannot fail. */
bool swim__events_reserve(struct swim *s, size_t n);
void swim__event_push(struct swim *s, enum swim_event_type type, struct swim__member *m,
                      struct swim__event_body *body);
struct swim__event_body *swim__event_body(struct swim *s, struct mu_str name,
                                          struct mu_str payload);
/* A user event whose sender allows to coalesce it. */
void swim__event_push_user(struct swim *s, struct swim__event_body *body);
void swim__events_fini(struct swim *s);
/* For coalesce.c: what was held is given to the host after all, or is not. */
void swim__event_give(struct swim *s, struct swim__event e);
void swim__event_drop(struct swim *s, struct swim__event *e);

/* ---- coalesce.c: events that wait for others ---- */
bool swim__coalesces_members(const struct swim *s);
bool swim__coalesces_users(const struct swim *s);
bool swim__held_reserve(struct swim *s, struct swim__held *h, size_t n);
void swim__hold_member(struct swim *s, struct swim__event e); /* takes; room is reserved */
void swim__hold_user(struct swim *s, struct swim__event e);
void swim__flush_members(struct swim *s, struct swim__timer *t);
void swim__flush_users(struct swim *s, struct swim__timer *t);
void swim__held_flush(struct swim *s); /* at once */

/* ---- peers.c: coordinates of others ---- */
/* An answer of m took rtt_ns and told its coordinate. */
void swim__peer_measured(struct swim *s, struct swim__member *m,
                         const struct swim_coordinate *theirs, uint64_t rtt_ns);
void swim__peer_forget(struct swim *s, struct swim__member *m);
void swim__peers_fini(struct swim *s);

/* ---- send.c: datagrams out ---- */
/* Queues a datagram of the given messages. m: the receiver's record if known. Losing it is counted,
 * never an error. */
void swim__send_parts(struct swim *s, const struct swim_addr *to, const struct swim__member *m,
                      const struct mu_str *parts, size_t n);
void swim__send_msg(struct swim *s, const struct swim_addr *to, const struct swim__msg *msg);
/* Sends msg and, in the same datagram, what waits to be gossiped. */
void swim__send_piggyback(struct swim *s, const struct swim_addr *to, const struct swim__member *m,
                          const struct swim__msg *msg);
/* A serf message. */
void swim__send_user(struct swim *s, const struct swim_addr *to, struct mu_str serf);
bool swim__nonce(struct swim *s, uint8_t out[SWIM__NONCE_LEN]);
void swim__outbox_fini(struct swim *s);
struct mu__writer *swim__build(struct swim *s); /* the shared writer, emptied */

/* ---- gossip.c: spreading what is new (SWIM 4.1) ---- */
struct swim__parts {
    struct mu_str items[SWIM__COMPOUND_MAX];
    size_t n;
};
/* Adds what waits to be sent, within room bytes; swim__gossip_settle must follow once the parts are
 * used. */
void swim__gossip_fill(struct swim *s, struct swim__parts *parts, size_t room);
void swim__gossip_settle(struct swim *s);
size_t swim__gossip_room(const struct swim *s); /* bytes of a datagram that parts may use */
void swim__gossip_fire(struct swim *s, struct swim__timer *t);
bool swim__gossip_update(struct swim *s, struct swim__member *m, const struct swim__msg *msg);
/* Queues a serf message; watch as for swim__queue_add. */
bool swim__gossip_serf(struct swim *s, struct swim__queue *q, struct mu_str serf,
                       struct swim__broadcast **watch);

/* ---- state.c: alive, suspect, dead, refute (SWIM 4.2) ---- */
enum swim__source {
    SWIM__FROM_GOSSIP,
    SWIM__FROM_SYNC /* candidates were admitted already */
};
int swim__alive(struct swim *s, const struct swim__alive *raw, enum swim__source source);
int swim__suspect(struct swim *s, const struct swim__accusation *a);
int swim__dead(struct swim *s, const struct swim__accusation *a);
bool swim__announce(struct swim *s); /* our own alive message with the next incarnation */
void swim__refute(struct swim *s, uint32_t accused);
void swim__tell_dead(struct swim *s, const struct swim__member *m, const struct swim_addr *to);
void swim__alive_of(const struct swim__member *m, struct swim__alive *out);
void swim__forget(struct swim *s, struct swim__member *m); /* erases it if neither layer holds it */
bool swim__is_self_name(const struct swim *s, struct mu_str name);

/* ---- suspicion.c (Lifeguard: dogpile) ---- */
bool swim__suspicion_start(struct swim *s, struct swim__member *m, struct mu_str from);
/* True: news. */
bool swim__suspicion_confirm(struct swim *s, struct swim__member *m, struct mu_str from);
void swim__suspicion_clear(struct swim *s, struct swim__member *m);

/* ---- health.c (Lifeguard: local health multiplier; are we the ones cut off?) ---- */
void swim__health_add(struct swim *s, int delta);
bool swim__overslept(const struct swim *s, const struct swim__timer *t); /* while t fires */
void swim__heard(struct swim *s);
bool swim__hears_nobody(const struct swim *s);

/* ---- probe.c, relay.c: the failure detector (SWIM 3.1) ---- */
void swim__probe_init(struct swim *s);
void swim__probe_forget(struct swim *s, const struct swim__member *m);
void swim__probe_tick(struct swim *s, struct swim__timer *t);
/* False: not of the probe under way. */
bool swim__probe_ack(struct swim *s, const struct swim__ack *ack);
bool swim__probe_nack(struct swim *s, uint32_t seq);
void swim__probe_stream_ack(struct swim *s, uint32_t stream, uint32_t seq);
void swim__ping(struct swim *s, const struct swim_addr *from, const struct swim__ping *ping);
void swim__indirect_ping(struct swim *s, const struct swim_addr *from,
                         const struct swim__indirect_ping *ping);
bool swim__relay_ack(struct swim *s, uint32_t seq);
void swim__relays_fini(struct swim *s);
void swim__source_fields(const struct swim *s, struct mu_str *addr, struct mu_str *node,
                         uint16_t *port);
bool swim__reply_addr(struct mu_str addr, uint16_t port, const struct swim_addr *from,
                      struct swim_addr *out);

/* ---- sync.c: full state exchange ---- */
/* Our whole state, a plain stream message. */
bool swim__sync_write(struct swim *s, bool join, struct mu__writer *w);
/* skip_old: events of before this exchange are not for us (we join). */
int swim__sync_merge(struct swim *s, const void *data, size_t len, bool skip_old);
void swim__sync_fire(struct swim *s, struct swim__timer *t);

/* ---- stream.c ---- */
struct swim__stream *swim__stream_open_sync(struct swim *s, const struct swim_addr *to, bool join);
struct swim__stream *swim__stream_open_ping(struct swim *s, const struct swim_addr *to,
                                            const struct swim__ping *ping);
void swim__streams_fini(struct swim *s);

/* ---- status.c: Serf's view of members; intents ---- */
void swim__status_up(struct swim *s, struct swim__member *m, bool was_up, bool changed);
void swim__status_down(struct swim *s, struct swim__member *m);
void swim__status_erase(struct swim *s, struct swim__member *m);
int swim__intent_receive(struct swim *s, const struct swim__serf_msg *msg, struct mu_str raw);
/* True: re-broadcast it. */
bool swim__intent_apply(struct swim *s, const struct swim__serf_msg *msg);
void swim__intent_overtaken(struct swim *s, uint64_t ltime);
bool swim__intent_send(struct swim *s, const struct swim__serf_msg *msg,
                       struct swim__broadcast **watch);
bool swim__join_intent(struct swim *s);
bool swim__join_announce(struct swim *s);
void swim__early_intents_expire(struct swim *s);
void swim__early_intents_fini(struct swim *s);

/* ---- reap.c ---- */
void swim__reap_fire(struct swim *s, struct swim__timer *t);
void swim__reconnect_fire(struct swim *s, struct swim__timer *t);

/* ---- leave.c ---- */
void swim__leave_fire(struct swim *s, struct swim__timer *t);

/* ---- recent.c: what was seen at which Lamport time ---- */
struct swim__seen {
    struct swim__seen *next;
    uint32_t id;                    /* queries */
    uint32_t name_len, payload_len; /* events */
    bool nil_payload;
    char bytes[];
};
struct swim__slot {
    uint64_t ltime;
    struct swim__seen *first;
};
struct swim__ring {
    size_t bytes; /* of all that is noted */
    struct swim__slot slots[SWIM__BUFFER_SLOTS];
};
enum swim__recent { SWIM__RECENT_NEW, SWIM__RECENT_OLD, SWIM__RECENT_NOMEM };
/* Is it news at its Lamport time? If so it is noted. clock: the current time; older than 512 below
 * it counts as old. */
enum swim__recent swim__recent_note(struct swim *s, struct swim__ring **ring, uint64_t clock,
                                    uint64_t ltime, uint32_t id, struct mu_str name,
                                    struct mu_str payload);
void swim__recent_fini(struct swim *s, struct swim__ring **ring);

/* ---- ask.c: our own queries ---- */
/* tally (ASK_KEYS) is taken on success. *id may be over already when this returns. */
int swim__ask(struct swim *s, const struct swim_question *q, enum swim__purpose purpose,
              struct swim__tally *tally, uint32_t *id);
bool swim__has_answered(const struct swim__asked *a, struct mu_str name);
int swim__answer_receive(struct swim *s, const struct swim__serf_response *r);
void swim__asked_fini(struct swim *s);

/* ---- ask_again.c: for queries that all must answer ---- */
void swim__ask_the_silent(struct swim *s, const struct swim__asked *a);

/* ---- conflict.c: two nodes of one name ---- */
void swim__name_contested(struct swim *s, const struct swim_addr *other);
void swim__name_count(const struct swim *s, struct swim__asked *a, struct mu_str payload);
bool swim__name_ack(struct swim *s, uint32_t seq); /* false: of no such ping */
bool swim__name_decide(struct swim *s, const struct swim__asked *a);

/* ---- tally.c: answers to key queries ---- */
struct swim__tally *swim__tally_create(struct swim *s, enum swim_key_change change, size_t nodes);
void swim__tally_destroy(struct swim *s, struct swim__tally *t);
void swim__tally_add(struct swim__tally *t, struct mu_str from, struct mu_str payload);
int swim__tally_result(const struct swim__tally *t); /* 0, SWIM_EREMOTE or SWIM_ETIMEOUT */
const struct swim_key_result *swim__tally_view(struct swim__tally *t);

/* ---- user_event.c, query.c, keys.c ---- */
/* raw empty: no re-broadcast. */
int swim__user_event_receive(struct swim *s, const struct swim__serf_event *e, struct mu_str raw);
int swim__query_receive(struct swim *s, const struct swim__serf_query *q, struct mu_str raw);
void swim__queries_fini(struct swim *s);
void swim__queries_expire(struct swim *s);
/* Handles a `_serf_` key query; false if name is none. *payload: the encoded answer, in w. */
bool swim__key_query(struct swim *s, struct mu_str name, struct mu_str request,
                     struct mu__writer *w);
int swim__keys_load(struct swim *s, const struct mu_str *keys, size_t n);

/* ---- serf.c: dispatch of serf messages; user state of a sync ---- */
int swim__serf_receive(struct swim *s, const struct swim_addr *from, struct mu_str raw);
void swim__serf_state_write(struct swim *s, struct mu__writer *w);
int swim__serf_state_merge(struct swim *s, struct mu_str raw, bool skip_old);

/* ---- check.c ---- */
void swim__check(const struct swim *s); /* asserts every invariant; for tests and simulator */
