/* swim_node.h - a swim on real sockets: one UDP socket, one TCP listener and one timer on a
 * libevent loop.
 *
 *     struct swim_node_config cfg;
 *     swim_node_config_init(&cfg);
 *     cfg.base = base;                        // runs on one thread, which makes all calls below
 *     cfg.bind.len = 4;                       // 0.0.0.0
 *     cfg.bind.port = 8301;
 *     cfg.swim.name = "web-1";
 *     cfg.swim.advertise = ...;               // len 0: the bind address
 *     cfg.on_event = on_event;
 *     int rc = swim_node_create(&cfg, why, sizeof why, &node);
 *     rc = swim_node_join(node, (const char *[]){"10.0.0.1"}, 1, on_joined, NULL);
 *     event_base_dispatch(base);
 *
 * The node reads the clock and the entropy that the core (swim.h) must not, moves its bytes, and
 * keeps two files where the config names them: the snapshot, from which a restarted node finds back
 * to its pool, and the keyring.
 *
 * Threads:   every call on the thread that runs the event_base. Nodes share nothing.
 * Callbacks: come from that loop, never from inside a call of this header except swim_node_destroy.
 *            They may call anything on the node except swim_node_destroy.
 * Files:     written with plain write and rename on that loop; they are small and seldom. */
#ifndef MUSTER_SWIM_NODE_H
#define MUSTER_SWIM_NODE_H

#include <muster/swim.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base; /* libevent's */
struct swim_node;  /* opaque */

/* Besides the codes of swim.h. */
enum swim_node_err {
    SWIM_NODE_ESOCKET = -1101, /* a socket could not be made or bound (CALLER) */
    SWIM_NODE_EFILE = -1102    /* snapshot or keyring file cannot be read or written (CALLER) */
};
/* Like swim_strerror and swim_err_class, for the codes of both headers. */
MU_API const char *swim_node_strerror(int code);
MU_API enum mu_err_class swim_node_err_class(int code);

struct swim_node_config {
    size_t size; /* set by swim_node_config_init; later fields are added at the end only */

    struct event_base *base; /* borrowed for the node's life. Required */

    /* Where packets and streams are received. len 0 (default): 0.0.0.0. Port 0 (default): the
     * system chooses one that is free for both; swim_node_addr tells. */
    struct swim_addr bind;

    /* The core's config; borrowed as swim.h says. Filled in here when left out: `entropy`
     * (getrandom), `advertise` (the bound address; required when that is a wildcard), a zero
     * advertise.port (the bound port), and the Lamport clocks when there is a snapshot. */
    struct swim_config swim;

    /* Gossip keys in base64 (standard alphabet, padded) of 16, 24 or 32 bytes, the first encrypts.
     * Used when swim.keys is empty. Borrowed during swim_node_create. */
    const char *const *keys_base64;
    size_t nkeys_base64;
    /* Keyring file (Consul's format: a JSON array of base64 keys, the primary first). If it exists
     * its keys are taken and those above are not; otherwise it is written with those above, if
     * there are any. Rewritten, whole or not at all, when a query changes the keys and before it is
     * answered (swim.store_keys is ours then). NULL (default): none. */
    const char *keyring_path;

    /* Snapshot file (Serf's format). Read at the start to join the nodes known there, one after the
     * other in random order until one answers; then kept up to date. NULL (default): none. */
    const char *snapshot_path;
    /* Default false: a pool that was left on purpose is not joined again */
    bool rejoin_after_leave;

    /* What the kernel is asked to hold for us; default 2 MiB, halved until it agrees */
    size_t receive_buffer_bytes;

    /* Every event of the core, in order. ev is lent until the next call on the node or its core.
     * NULL: not wanted. */
    void (*on_event)(void *user, const struct swim_event *ev);
    void *user;
};
#define swim_node_config_init(cfg) swim_node_config_init_sized((cfg), sizeof *(cfg))
MU_API void swim_node_config_init_sized(struct swim_node_config *cfg, size_t size);

/* Binds the sockets, starts the core and rejoins from the snapshot. On success gives *out, to be
 * freed with swim_node_destroy; on failure *out is NULL and why (cap bytes; may be NULL) holds a
 * sentence. Errors: SWIM_EINVAL, SWIM_ESIZE, SWIM_ENOMEM, SWIM_NODE_ESOCKET, SWIM_NODE_EFILE. */
MU_API MU_MUST_USE int swim_node_create(const struct swim_node_config *cfg, char *why, size_t cap,
                                        struct swim_node **out);
/* Closes everything at once, without a word to the pool (swim_node_leave does that). Joins that are
 * under way are reported as failed from inside this call; the done of a leave is not called. Not
 * from a callback. NULL is allowed. */
MU_API void swim_node_destroy(struct swim_node *n);

/* The address the sockets are bound to, with the port that was chosen. */
MU_API const struct swim_addr *swim_node_addr(const struct swim_node *n);

/* The core, lent for the node's life: for looking, and for swim_set_tags, swim_user_event,
 * swim_force_leave, swim_respond and the key functions with swim_node_now as the time. After those
 * call swim_node_flush. Do not call swim_next_event, swim_next_send, swim_next_stream, the stream
 * functions or swim_destroy on it. */
MU_API struct swim *swim_node_core(struct swim_node *n);
MU_API uint64_t swim_node_now(const struct swim_node *n); /* CLOCK_MONOTONIC */
/* Sends what a call on the core caused, and sees to its timer. Events come later, from the loop. */
MU_API void swim_node_flush(struct swim_node *n);

/* joined: how many of the addresses answered. error: NULL if that is not 0, else what went wrong
 * with each, in Consul's words: "1 error occurred:\n\t* Failed to join 10.0.0.9: dial
 * tcp 10.0.0.9:8301: connect: connection refused\n\n". */
typedef void (*swim_node_join_fn)(void *user, size_t joined, const char *error);
/* Joins the pools of all the given nodes (copied): "[name/]host[:port]", where host is an address
 * (IPv6 with a port in brackets) or a name, all of whose addresses are joined; without a port, our
 * own bound port is meant. fn (may be NULL) is called exactly once. Errors: SWIM_EINVAL (no
 * address), SWIM_ELEFT, SWIM_ENOMEM. */
MU_API MU_MUST_USE int swim_node_join(struct swim_node *n, const char *const *addrs, size_t naddrs,
                                      swim_node_join_fn fn, void *user);

/* Leaves the pool; done is called when that has spread and only swim_node_destroy remains. Doing it
 * again replaces done; once the node has left, done is called from the loop at once. */
MU_API void swim_node_leave(struct swim_node *n, void (*done)(void *user), void *user);

/* ---- asking everybody ---- */

/* What an answer to swim_node_ask is. */
enum swim_node_answer_kind { SWIM_NODE_ACK, SWIM_NODE_ANSWER, SWIM_NODE_DONE };
struct swim_node_answer {
    enum swim_node_answer_kind kind;
    uint32_t query;
    struct mu_str from, payload; /* lent for the call; payload: ANSWER */
    uint32_t answers, acks;      /* DONE: how many there were */
};
/* Called for each acknowledgement and answer, and once with SWIM_NODE_DONE, the last time. */
typedef void (*swim_node_answer_fn)(void *user, const struct swim_node_answer *answer);
/* Asks all members (see swim_ask). Answers go to fn, not to on_event; *query may be NULL.
 * swim_node_destroy ends it with SWIM_NODE_DONE. Errors: those of swim_ask. */
MU_API MU_MUST_USE int swim_node_ask(struct swim_node *n, const struct swim_question *q,
                                     swim_node_answer_fn fn, void *user, uint32_t *query);

/* err: 0, SWIM_EREMOTE (some refused: result says who and why), SWIM_ETIMEOUT (some did not
 * answer), SWIM_ECLOSED (the node was destroyed; result is NULL then). */
typedef void (*swim_node_keys_fn)(void *user, int err, const struct swim_key_result *result);
/* Changes the keys of all members (see swim_change_keys); our own keyring file follows. key_base64:
 * NULL for SWIM_KEY_LIST. fn (may be NULL) is called exactly once. Errors: SWIM_EINVAL (no key of
 * 16, 24 or 32 bytes in base64), and those of swim_change_keys. */
MU_API MU_MUST_USE int swim_node_change_keys(struct swim_node *n, enum swim_key_change change,
                                             const char *key_base64, uint8_t relay_factor,
                                             swim_node_keys_fn fn, void *user);

/* Parses "10.0.0.1:8301", "10.0.0.1", "fe80::1" or "[fe80::1]:8301"; names are not looked up. A
 * port that is missing becomes default_port. False when malformed. */
MU_API bool swim_node_parse_addr(const char *text, uint16_t default_port, struct swim_addr *out);

#ifdef __cplusplus
}
#endif
#endif
