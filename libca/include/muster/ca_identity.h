/* ca_identity.h - a service's identity inside its own process: mTLS that rotates by itself, and the
 * decision who may connect, from memory.
 *
 * From a Consul-compatible agent an identity keeps the service's leaf certificate and key, the
 * roots, and the intentions with this service as destination, by blocking queries in the
 * background. On top of mbedTLS it gives connections:
 *
 *     ca_identity_create(&cfg, &identity, &diag);
 *     ca_identity_wait(identity, 10 * MU_SEC);              (or: config.state says FRESH)
 *
 *     mbedtls_ssl_init(&ssl);
 *     ca_identity_accept(identity, &ssl, &connection);      (a server; ca_identity_connect: a
 * client) mbedtls_ssl_set_bio(&ssl, ...); mbedtls_ssl_handshake(&ssl);
 *     ca_connection_established(connection);                (who is it, is it to be believed?)
 *     if (!ca_connection_watch(connection, changed, user)) ... denied: close ...
 *     ... mbedtls_ssl_read, mbedtls_ssl_write ...
 *     mbedtls_ssl_free(&ssl); ca_connection_destroy(connection);
 *
 * Rotation: what a connection began with (certificate, key, mbedTLS configuration) is immutable and
 *   lives until its last connection is destroyed; new connections get the newest. A new leaf takes
 *   effect once it verifies against the roots; roots and intentions take effect at once.
 * Trust: ca_verify alone judges a peer, against the newest roots. Sessions are resumed (tickets),
 *   but never across a change of the roots, and never after the peer's certificate has expired.
 * Agent away: it goes on with what it has, tries again with a growing, jittered delay, and says
 *   STALE. When its own leaf has expired it says EXPIRED, and no connection can be made.
 *
 * Threads: with config.base everything in the background runs in that loop; without it the identity
 *   starts a thread of its own. All functions but create and destroy may be called on any thread;
 *   one thread at a time per connection, as with its mbedtls_ssl_context. Callbacks come on the
 *   loop's thread (or the own one). While one runs, ca_connection_destroy on another thread waits:
 *   so a callback must not wait for a lock that is held there. Once it returns, no callback of that
 *   connection comes any more; a callback may itself destroy connections.
 * Signals: the process ignores SIGPIPE, as with all sockets.
 * Secrets: the private key and the replies that bring it are wiped when freed; the token as well.
 * Memory: through config.allocator, from several threads (NULL: malloc); JSON and TLS allocate
 *   through jansson and mbedTLS. */
#ifndef MUSTER_CA_IDENTITY_H
#define MUSTER_CA_IDENTITY_H

#include <muster/ca_authorize.h>
#include <muster/ca_verify.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;          /* libevent's */
struct mbedtls_ssl_context; /* mbedTLS's; 2.28 and 3.6 */
struct ca_identity;
struct ca_connection;

/* Beside those of ca.h; ca_identity_strerror and ca_identity_err_class know both. */
enum ca_identity_err {
    CA_IDENTITY_ENOTREADY = -4101, /* RETRY: the agent has not given everything yet */
    CA_IDENTITY_EEXPIRED = -4102,  /* RETRY: the own leaf has expired, and no other has come */
    CA_IDENTITY_ETLS = -4103,      /* RETRY: mbedTLS failed, mostly for want of memory */
    CA_IDENTITY_ESERVICE = -4104,  /* PEER: the other side is another service than expected */
    CA_IDENTITY_ETIMEOUT = -4105   /* RETRY: it did not become ready in that time */
};
MU_API const char *ca_identity_strerror(int code); /* static */
MU_API enum mu_err_class ca_identity_err_class(int code);

enum ca_identity_state {
    CA_IDENTITY_STARTING = 0, /* not everything is there yet */
    CA_IDENTITY_FRESH,        /* all queries stand */
    CA_IDENTITY_STALE,        /* something cannot be renewed at the moment; what is there serves */
    CA_IDENTITY_EXPIRED       /* the own leaf has expired */
};
MU_API const char *ca_identity_state_name(enum ca_identity_state s); /* "fresh", ...; static */

/* What decides when no intention matches. */
enum ca_identity_default {
    /* As the agent says (GET /v1/agent/self: allow if ACLs are off, otherwise its default policy).
     * An agent that does not tell, because the token may not read it, means deny. */
    CA_IDENTITY_DEFAULT_AGENT = 0,
    CA_IDENTITY_DEFAULT_ALLOW,
    CA_IDENTITY_DEFAULT_DENY
};

struct ca_identity_config {
    size_t size;             /* set by ca_identity_config_init */
    struct event_base *base; /* borrowed until destroy; default NULL: a thread of its own */
    /* "ip:port", "[ip]:port", "localhost:port", or a socket, "unix:///path". Copied; default
     * "127.0.0.1:8500" */
    const char *agent;
    const char *service; /* required, copied: 1 to 255 bytes */
    const char *token;   /* copied; default NULL: none; at most 255 bytes */
    enum ca_identity_default default_action;
    uint64_t wait_ns; /* 1 s to 600 s, whole seconds count; of one blocking query; default 300 s */
    uint64_t timeout_ns;    /* > 0; for an answer, beyond what was waited; default 10 s */
    uint64_t retry_min_ns;  /* > 0; the first delay after a failure, doubled on; default 250 ms */
    uint64_t retry_max_ns;  /* >= retry_min_ns; default 30 s */
    uint64_t check_ns;      /* > 0; how often the clock is looked at for expiry; default 1 s */
    size_t reply_bytes_max; /* 4096 to 2^30; of one answer of the agent; default 16 MiB */
    size_t sessions_max;    /* kept for resumption as a client, oldest dropped; default 256 */
    uint32_t session_lifetime_s; /* 1 to 86400; for how long one can be resumed; default 3600 */
    int64_t (*now_unix_s)(void *user); /* any thread; default NULL: time() */
    /* May be NULL. why: a sentence, lent; "" for FRESH */
    void (*state)(void *user, enum ca_identity_state state, const char *why);
    void (*log)(void *user, enum mu_level level, const char *line); /* may be NULL */
    void *user;                                                     /* of the three above */
    const struct mu_allocator *allocator; /* copied; default NULL: malloc and free */
};
#define ca_identity_config_init(cfg) ca_identity_config_init_sized((cfg), sizeof *(cfg))
MU_API void ca_identity_config_init_sized(struct ca_identity_config *cfg, size_t size);

/* Begins to ask the agent, who need not be there yet. Gives *out, to be freed with
 * ca_identity_destroy. Errors: CA_EINVAL (a config field; diag names it), CA_ERANDOM, CA_ENOMEM
 * (also: no thread to be had). */
MU_API MU_MUST_USE int ca_identity_create(const struct ca_identity_config *cfg,
                                          struct ca_identity **out, struct ca_diag *diag);
/* On the loop's thread, or any with a thread of its own (which it ends), and not from within a
 * callback. All connections must have been destroyed. NULL is allowed. */
MU_API void ca_identity_destroy(struct ca_identity *i);

/* Waits until connections can be made. Not on the loop's own thread. Errors: CA_IDENTITY_ETIMEOUT.
 */
MU_API MU_MUST_USE int ca_identity_wait(struct ca_identity *i, uint64_t timeout_ns);

struct ca_identity_info {
    enum ca_identity_state state;
    char uri[CA_URI_MAX + 1];    /* of the own leaf; "" if there is none */
    int64_t not_after_unix_s;    /* of the own leaf */
    uint64_t generation;         /* counts the certificates and roots that took effect */
    size_t roots, intentions;    /* how many are known */
    enum ca_action otherwise;    /* what decides when no intention matches */
    uint64_t requests, failures; /* to the agent, and those that failed */
    size_t connections;          /* that exist */
};
MU_API void ca_identity_info(struct ca_identity *i, struct ca_identity_info *out);

/* May the service of that verified id connect to this one? False as long as the intentions are not
 * known. out (may be NULL) says why. Allocates nothing; a fraction of a microsecond. */
MU_API MU_MUST_USE bool ca_identity_authorize(struct ca_identity *i, const struct ca_id *source,
                                              struct ca_authorization *out);

/* ---- Connections ---- */

/* Sets ssl up, which is initialised, as a server, with the newest certificate; the client must show
 * a certificate. ssl is borrowed until ca_connection_destroy, and mbedtls_ssl_free comes first;
 * what belongs to it (bio, timeouts) is the caller's. Gives *out.
 * Errors: CA_IDENTITY_ENOTREADY, CA_IDENTITY_EEXPIRED, CA_IDENTITY_ETLS, CA_ENOMEM. */
MU_API MU_MUST_USE int ca_identity_accept(struct ca_identity *i, struct mbedtls_ssl_context *ssl,
                                          struct ca_connection **out);
/* The same as a client. service: whom it must be, in our trust domain; empty: any service, and then
 * looking at ca_connection_peer is the caller's. session: names the other end, e.g. its address;
 * a session with that end and service is resumed if one was kept. Empty: none is kept. At most 255
 * bytes each; longer: CA_EINVAL. */
MU_API MU_MUST_USE int ca_identity_connect(struct ca_identity *i, struct mbedtls_ssl_context *ssl,
                                           struct mu_str service, struct mu_str session,
                                           struct ca_connection **out);

/* Once, after mbedtls_ssl_handshake has succeeded, and before anything is believed. Errors:
 * CA_EUNTRUSTED (ca_connection_verdict says why), CA_IDENTITY_ESERVICE, CA_ENOMEM; the connection
 * is then to be closed. (A handshake whose certificate was refused has failed by itself.) */
MU_API MU_MUST_USE int ca_connection_established(struct ca_connection *c);

struct ca_peer { /* lent by the connection */
    struct ca_id id;
    struct mu_str uri;
    int64_t not_after_unix_s; /* until then its certificates hold */
    bool resumed;
};
/* NULL before ca_connection_established has returned CA_OK. */
MU_API const struct ca_peer *ca_connection_peer(const struct ca_connection *c);
/* Of the certificate that was shown last, also when the handshake failed for it. */
MU_API enum ca_verdict ca_connection_verdict(const struct ca_connection *c);

/* May the connection be (now)? Of a client: the roots that vouch for the server are still trusted.
 * Of a server as well, and the intentions allow the client to reach this service; out (may be NULL)
 * says how. False before ca_connection_established. */
MU_API MU_MUST_USE bool ca_connection_authorize(struct ca_connection *c,
                                                struct ca_authorization *out);
/* Like ca_connection_authorize, and changed is called whenever the answer becomes another one after
 * that: an intention, the default or a root has changed. At most once for each connection. */
typedef void (*ca_connection_changed_fn)(void *user, struct ca_connection *c, bool allowed);
MU_API MU_MUST_USE bool ca_connection_watch(struct ca_connection *c,
                                            ca_connection_changed_fn changed, void *user);
MU_API void ca_connection_destroy(struct ca_connection *c); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
