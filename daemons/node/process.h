/* process.h - what an agent and a server process have in common: configuration, loops, gossip,
 * fronts, signals, the end.
 *
 * The role says what differs. Everything here belongs to the core loop, which runs on the main
 * thread; fronts and gossip have threads of their own. */
#pragma once

#include "agent/agent.h"
#include "base/config.h"
#include "base/loop.h"
#include "node/gossip.h"
#include "node/members.h"
#include "rpc/call_cache.h"
#include "rpc/rpc_client.h"

struct process;
struct dns;
struct http_server;
struct telemetry;
struct watches;
struct config_writer;

struct front { /* one thread that serves clients */
    struct process *process;
    char name[16];
    struct loop *loop;
    struct agent_front *agent;    /* answers Agent.* */
    struct rpc_client *client;    /* to servers */
    struct call_backend *backend; /* answers everything; the role's */
    struct call_cache_port *port; /* for clients: the same, and from the cache what may be */
    struct http_server *http;
    struct dns *dns;
    struct event *drain_timer; /* while it finishes what is under way */
    uint64_t drain_until_ns;
    void (*drained)(void *process);
};

struct stats; /* stats.h */

struct process_role {
    bool server;
    size_t (*front_count)(void);
    /* Opens what the role needs, before there are fronts and gossip. False with a sentence in
     * err. */
    bool (*create)(struct process *p, char *err, size_t errlen);
    /* Makes the backend of front i and whatever else listens on it; its loop, agent and client
     * stand. */
    bool (*open_front)(struct process *p, size_t i, char *err, size_t errlen);
    /* By what the answers of front i's backend can be kept; NULL: by what the cache knows */
    struct call_fresh (*fresh)(struct process *p, size_t i);
    void (*member)(struct process *p, enum member_change change, const struct agent_member *m);
    /* The limits of its own that may change while it runs; NULL: none */
    void (*reload)(struct process *p, const struct config *next);
    void (*leave)(struct process *p); /* the process is about to leave the pool */
    void (*describe)(struct process *p, struct stats *s); /* for Agent.Self */
    /* On front f: a snapshot connection, as http_server_config.snapshot_connect */
    int (*snapshot)(struct process *p, struct front *f, bool *preamble, char *err, size_t errlen);
    /* Its loop has stopped, HTTP and DNS are closed: ends the calls that are left, and the
     * client. */
    void (*close_front)(struct process *p, size_t i);
    /* All loops have stopped; messages may still be posted and are run */
    void (*stop)(struct process *p);
    void (*destroy)(struct process *p); /* no message is left */
};

struct process {
    const struct process_role *role;
    struct config *config;
    /* The newest, of which only services, checks and the log level count; or NULL */
    struct config *reloaded;
    int argc; /* flags, also for a reload; the array is ours */
    char **argv;
    char *data_dir; /* also in dev mode, where it is a temporary one */
    bool data_dir_is_temporary;
    struct loop *core, *gossip_loop;
    struct front *fronts;
    size_t nfronts;
    struct agent *agent;
    struct call_cache *cache; /* of front 0 */
    struct gossip *gossip;
    struct members members;
    struct mu_str node_id;
    struct client_limit *http_clients;
    struct telemetry *telemetry;
    struct watches *watches;
    struct config_writer *config_writer; /* NULL: nothing has been written yet */
    void *state;                         /* the role's */
    /* Joining and ending. */
    struct event *join_timer, *end_timer, *alive_timer, *signals[3];
    int64_t join_attempts;
    bool joining, leaving;
    bool has_left;
    bool ending;        /* answers under way are finished, then the core loop stops */
    bool running;       /* all loops turn */
    size_t draining;    /* fronts that still answer */
    bool closing;       /* the core loop has stopped; what still arrives changes nothing */
    agent_done_fn left; /* to be told when we have left; or NULL */
    void *left_arg;
    int exit_code;
};

/* Runs an agent process to its end; the exit code. argv as main has it. */
int process_main(int argc, char **argv, const struct process_role *role);

/* Core loop: ends the process. Answers under way are finished first, for a second at most; a second
 * call does not wait for them. */
void process_end(struct process *p, int exit_code);
/* Ends at once, and says why. */
void process_fatal(struct process *p, const char *sentence);
/* Core loop: leaves the pool, then ends; done (may be NULL) is called before the end. */
void process_leave(struct process *p, agent_done_fn done, void *arg);

/* Core loop: this server leads; it writes the entries of config_entries.bootstrap that are not
 * there. */
void process_write_config_entries(struct process *p);

/* A fresh random number from the system. */
uint64_t process_random(void);

/* front.c */
bool front_open(struct process *p, size_t i, char *err, size_t errlen);
void front_close(struct process *p, size_t i); /* its loop has stopped */
/* Core loop: lets nobody in any more, and posts done(p) there when nobody is being answered, or
 * after a second. */
void front_drain(struct process *p, size_t i, void (*done)(void *process));
void fronts_reload(struct process *p, const struct config *next); /* what may change in them */
void front_free(struct process *p, size_t i);                     /* no message is left */
/* Fails if another process listens there: the fronts share their ports among themselves only. */
bool front_address_is_free(const struct config_address *a, int type, char *err, size_t errlen);

/* self.c: what Agent.Self tells. */
void process_self(void *user, struct agent_self *out, struct mu__arena *a);
struct catalog_vivaldi *process_coordinate(void *user, struct mu__arena *a);
