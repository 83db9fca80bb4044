/* server.h - the server's parts: Raft and the catalog on the core loop, and a backend for calls on
 * each front.
 *
 * What belongs to the core loop stands in struct server, what belongs to a front in struct
 * server_front. Fronts learn of the cluster through a view that the core posts to them, and of new
 * versions through touched sets. */
#pragma once

#include "autopilot.h"
#include "base/config.h"
#include "base/loop.h"
#include "node/gossip.h"
#include "node/members.h"
#include "rpc/call.h"
#include "rpc/rpc_client.h"

#include <muster/catalog.h>
#include <muster/raft_node.h>
#include <stdatomic.h>

struct server;
struct server_coordinates; /* coordinates.c */
struct server_sessions;    /* sessions.c */
struct operator_job;       /* core_job.h */
struct route;
struct ca_signer; /* ca_sign.c */

/* What a front knows of the cluster; made by the core, replaced whole. */
struct server_view {
    bool is_leader;
    char leader_id[RAFT_ID_MAX + 1]; /* "": none known */
    char leader_address[64];         /* "ip:port" of its RPC and Raft port; "" when none is known */
    char leader_host[48];            /* the same in parts */
    uint16_t leader_port;
    char leader_name[256]; /* of the node; "" if gossip does not know it */
    struct mu_strs peers;  /* addresses of all servers in the configuration */
};

struct server_front {
    struct call_backend backend; /* first: what call_start is given */
    struct server *server;
    struct loop *loop;
    struct call_backend *agent; /* answers Agent.* */
    struct rpc_client *client;  /* to the leader */
    struct catalog_watches *watches;
    /* A read inside the answer to a read needs one of its own */
    struct catalog_reader **idle_readers;
    size_t idle_reader_count, idle_reader_cap;
    struct server_view *view;
    struct route *held;         /* calls that wait for a leader */
    struct route *blocked;      /* reads that wait for a newer index */
    struct route *woken;        /* those for which there may be one */
    struct route *resumed;      /* woken before them, and looked at first */
    struct event *resume_timer; /* goes on with them when others have had their turn */
    uint64_t committed_ns;      /* while a touched set wakes: when it was committed */
    bool restored;              /* likewise: it is all of a restored snapshot */
    struct route *unconfirmed;  /* that a majority must be asked for */
    bool is_asking;             /* the core knows of them, or is about to */
    struct event *ask_event;    /* tells it */
    uint64_t confirmed_round;   /* the core's answer: the question that grants those before it */
    int confirm_status;         /* likewise: how it went */
    struct server_front *next_asking;   /* the core's own: fronts that wait for a question */
    struct route *forwarded;            /* calls that a leader has */
    struct route *taken;                /* of one of them, while it is gone through */
    char forwarded_to[RAFT_ID_MAX + 1]; /* the last leader that was known */
    struct route *paced;                /* leafs to be signed when it is their turn */
    struct ca_signer *signer;           /* NULL: none was asked for yet */
    struct event *held_timer;
    uint64_t unsure;        /* versions that were told without any to be sure of */
    uint64_t random;        /* state of the jitter */
    _Atomic size_t waiters; /* the core posts touched sets only to fronts that have some */
};

/* What a server does in the gossip pool; on the core loop, as in node/gossip.h. All NULL: it is in
 * none. */
struct server_pool {
    void (*fire)(void *user, struct mu_str name, struct mu_str payload, gossip_done_fn done,
                 void *arg);
    void (*change_keys)(void *user, enum swim_key_change what, struct mu_str key,
                        uint8_t relay_factor, gossip_keys_fn done, void *arg);
};

struct server {
    const struct config *config;
    struct loop *core;
    struct catalog *catalog;
    struct raft_node *raft;
    struct members *members;
    struct catalog_reader *reader; /* the core's own */
    struct server_front *fronts;
    size_t nfronts;
    struct mu_str node_id; /* UUID of this node, which is its name in Raft; ends with a zero */
    struct event *reconcile_timer, *contact_timer, *bootstrap_timer, *upkeep_timer;
    uint64_t leader_since_ns; /* 0: not the leader */
    raft_index leader_from;   /* an entry of this leader's term; entries behind it are of it, too */
    struct autopilot autopilot;   /* the last look at Raft's servers; of leaders only */
    bool autopilot_is_set;        /* there is a configuration for it, or one is on its way */
    enum autopilot_denial denial; /* as it was logged last */
    bool change_waits;            /* of Raft's configuration, for another one that is under way */
    bool bootstrap_asked;         /* peers are being asked whether they have a cluster already */
    struct server_coordinates *coordinates; /* that wait to be written */
    uint64_t coordinates_period_ns;         /* how often they are */
    struct server_sessions *sessions;
    bool ca_bootstraps;          /* the first root is being made */
    unsigned ca_warned;          /* of its life, in percent, that the root was said to have used */
    _Atomic uint64_t ca_next_ns; /* when the next leaf may be signed */
    struct server_front *asking; /* fronts that wait for a majority to be asked (confirm.c) */
    struct server_front *asked;  /* those for which it is being asked */
    _Atomic uint64_t rounds;     /* questions that were begun; fronts read it */
    raft_index log_began;        /* the end of the log when this server was started */
    bool caught_up;        /* and what came after it, so that it may answer without the leader */
    bool is_cut_off;       /* it has not heard of a leader in a long time (view.c) */
    bool broken;           /* an entry could not be applied: the catalog stays as it was before */
    uint64_t committed_ns; /* when the batch that is being applied was committed */
    size_t batch_entries;  /* applied of it */
    uint64_t snapshot_began_ns;    /* of the log's own snapshot that was begun last */
    struct raft_stats raft_before; /* what Raft had counted at the last interval */
    /* Published for the fronts. */
    /* When the leader was last heard of; 0: never, or what it said has not all arrived */
    _Atomic uint64_t last_contact_at_ns;
    _Atomic bool known_leader;
    void (*on_fatal)(void *user, const char *sentence); /* the process must end */
    void (*on_leader)(void *user);                      /* this server has become the leader */
    /* Gossip is to be told that a failed server has left for good */
    void (*on_dead_server)(void *user, struct mu_str name);
    struct server_pool pool;
    void *user;
    struct staging *staging;     /* an archive on its way through the log (staging.h) */
    struct snapshots *snapshots; /* threads that save and restore (snapshot.h) */
};

/* server.c */
struct server_config {
    const struct config *config;
    struct loop *core;
    struct members *members;
    struct mu_str node_id;
    const char *data_dir; /* Raft's files are in the folder raft in it */
    void (*on_fatal)(void *user, const char *sentence);
    void (*on_leader)(void *user);
    void (*on_dead_server)(void *user, struct mu_str name);
    struct server_pool pool;
    void *user;
};
/* Opens the store: reads snapshot and log. Before the loops run. NULL with a sentence in err on
 * failure. */
struct server *server_create(const struct server_config *c, char *err, size_t errlen);
/* The backend of front `number` on its loop, before the loops run. agent answers Agent.*; the
 * client reaches the leader. */
bool server_add_fronts(struct server *s, size_t n);
struct call_backend *server_front_init(struct server *s, size_t number, struct loop *loop,
                                       struct call_backend *agent, struct rpc_client *client);
/* By what the answers of that front's backend can be kept, on its loop (fresh.c). */
struct call_fresh server_front_fresh(struct server *s, size_t number);
void server_front_fini(struct server *s, size_t number); /* on a stopped loop: cancels what waits */
/* All loops have stopped: closes the log; what waited is told. */
void server_stop(struct server *s);
void server_destroy(struct server *s); /* when no message is left */
/* On the core loop: what gossip tells. */
void server_member_changed(struct server *s, enum member_change change,
                           const struct agent_member *m);
/* On the core loop: gives leadership away; the process is about to leave. */
void server_leave(struct server *s);
/* On the core loop: an incoming connection, its first byte read. */
void server_adopt_raft(struct server *s, int fd);

/* Any thread: takes a snapshot connection, its first byte read (snapshot.c). */
void server_adopt_snapshot(struct server *s, int fd);

/* restored.c (core): another state is here; what hangs on it begins anew. */
void server__restored(struct server *s);
/* A leadership begins: a restore that another leader has left half done is given up. */
void server__restore_give_up(struct server *s);

/* machine.c: the catalog as Raft's state machine */
struct raft_node_machine server__machine(struct server *s);
/* What a waiting proposal gets; to be freed with server__free_result. */
struct write_result {
    enum catalog_result_kind kind;
    bool value;
    void *reply;  /* when kind is REPLY: a copy of what the catalog lent */
    char error[]; /* when kind is ERROR */
};

void server__free_result(struct write_result *r); /* NULL is allowed */

/* view.c (core): how the cluster stands; and tells it to all fronts. */
struct server_view *server__make_view(const struct server *s);
void server__publish_view(struct server *s);
void server__view_free(struct server_view *v);
void server__watch_contact(struct server *s); /* keeps last_contact and known_leader up to date */

/* reads.c (front): a new version, committed at that time, has touched these keys. */
void server__front_wake(struct server_front *f, const struct catalog_touched *touched,
                        uint64_t committed_ns);

/* backend.c (front): takes the view and goes on with what waited for it. */
void server__front_take_view(struct server_front *f, struct server_view *v);
/* No leader is heard of: stale reads that wait for news get what there is. */
void server__front_cut_off(struct server_front *f);

/* leader.c (core): turns gossip into catalog and Raft membership */
void server__leadership(struct server *s, bool is_leader);
void server__reconcile_member(struct server *s, const struct agent_member *m);
void server__forget_member(struct server *s, const struct agent_member *m); /* gossip has */
void server__reconcile_start(struct server *s);
void server__reconcile_soon(struct server *s); /* something could not be done now */
void server__configuration_changed(struct server *s);

/* peers.c (core, on the leader): who gets the log */
void server__join_raft(struct server *s, const struct member_server *server); /* is alive */
/* Has left, or is forgotten. */
void server__part_raft(struct server *s, const struct agent_member *m);

/* upkeep.c (core, on the leader): who votes, and who is gone for good (autopilot.h) */
void server__upkeep_start(struct server *s);
void server__upkeep_begin(struct server *s); /* a leadership begins */
void server__upkeep(struct server *s);       /* looks, and makes one change at most */
/* The member that is the server with this Raft id; of several the one that lives. NULL: unknown. */
const struct agent_member *server__member_of(const struct server *s, const char *id);
struct mu_str server__version_of(const struct agent_member *m); /* "1.8.7" */

uint64_t server__heartbeat_ns(const struct config *c); /* of Raft */
/* What Raft calls that server: its node ID and "ip:port". False if it has none that Raft could
 * use. */
bool server__as_raft_server(const struct member_server *m, struct raft_server *out);

/* raft_id.c: before Raft is opened; false with a sentence: what the server knew is lost, and it
 * must not go on under its ID. */
bool server__raft_id_check(const struct server_config *c, char *err, size_t errlen) MU_MUST_USE;
/* Once it is open, before the loop runs: the data directory remembers the ID. False with a
 * sentence. */
bool server__raft_id_keep(const struct server_config *c, char *err, size_t errlen) MU_MUST_USE;
/* A sentence about how to come back with another ID. */
void server__advise_new_id(const struct server_config *c, char *out, size_t outlen);

/* bootstrap.c (core): the first configuration of a new cluster */
void server__bootstrap_check(struct server *s);

/* coordinates.c (core): what nodes tell of their place in the network */
void server__coordinates_start(struct server *s);
void server__coordinates_stop(struct server *s);

/* sessions.c */
void server__sessions_start(struct server *s);
void server__sessions_stop(struct server *s);
void server__sessions_applied(struct server *s);              /* an entry was, just now */
void server__sessions_tick(struct server *s);                 /* ends what is due */
void server__sessions_lead(struct server *s, bool is_leader); /* leadership begins or ends */
void server__sessions_restored(struct server *s);             /* there is another catalog */
size_t server__sessions_with_ttl(const struct server *s);     /* of a leader; others keep none */
bool server__lock_is_delayed(const struct server *s, struct mu_str key);
void server__session_renew(struct server *s, struct operator_job *job); /* fills in the job */
/* On a front: gives a new session its id, and says why a request is refused (in err, or static). */
const char *server__session_prepare(const struct server *s, struct call *c, char *err,
                                    size_t errlen);

/* lock_delay.c (core): does the entry, of keys or a transaction, take a lock that is delayed? Then
 * gives what it answers, or NULL for false. */
bool server__refuse_delayed(const struct server *s, const uint8_t *entry, size_t len,
                            struct write_result **result);

/* propose.c (core) */
/* Encodes type byte and request into a new buffer from malloc; NULL when out of memory. */
uint8_t *server__encode_entry(enum catalog_entry_type type, const struct mu__schema *schema,
                              const void *request, size_t *len);
/* Proposes without anybody waiting; failures are logged at debug level: a later reconcile repeats
 * what matters. False: it was not even taken. */
bool server__propose(struct server *s, enum catalog_entry_type type, enum catalog_type schema,
                     const void *request);
