/* call.h - one call of an endpoint, wherever it comes from and wherever it is answered.
 *
 * HTTP routes, DNS and RPC connections make calls; a backend answers them: on a server from the
 * store, the raft log or the leader; on an agent over RPC; for Agent.* from the core loop. Nobody
 * who makes a call knows which.
 *
 * A call lives on one front loop: made, started, finished and freed there. */
#pragma once

#include "arena.h"
#include "schema.h"

enum endpoint_kind {
    ENDPOINT_READ,  /* forwarded to the leader unless stale; may block */
    ENDPOINT_WRITE, /* forwarded to the leader */
    ENDPOINT_LOCAL, /* any server answers for itself: Status.*, Catalog.ListDatacenters */
    ENDPOINT_AGENT  /* never leaves the process: the agent's own state, on the core loop */
};

enum reply_kind {
    REPLY_EMPTY,  /* msgpack: empty map; c->reply is NULL */
    REPLY_STRUCT, /* by endpoint->reply */
    REPLY_BOOL,   /* bool */
    REPLY_STR,    /* struct mu_str */
    REPLY_STRS,   /* struct mu_strs */
    REPLY_LIST    /* struct mu_list, of endpoint->reply */
};

/* What an ACL must grant; which name is meant is the handler's to say. Without
 * ACLs, authorize() grants all. */
enum permission {
    PERMIT_NONE, /* open to all */
    PERMIT_NODE_READ,
    PERMIT_NODE_WRITE,
    PERMIT_SERVICE_READ,
    PERMIT_SERVICE_WRITE,
    PERMIT_KEY_READ,
    PERMIT_KEY_WRITE,
    PERMIT_AGENT_READ,
    PERMIT_AGENT_WRITE,
    PERMIT_OPERATOR_READ,
    PERMIT_OPERATOR_WRITE,
    PERMIT_INTENTION_READ,
    PERMIT_INTENTION_WRITE,
    PERMIT_EVENT_READ,
    PERMIT_EVENT_WRITE,
    PERMIT_SESSION_READ,
    PERMIT_SESSION_WRITE,
    PERMIT_QUERY_READ,
    PERMIT_QUERY_WRITE,
    PERMIT_KEYRING /* read for list, else write */
};

#define NO_OFFSET SIZE_MAX
struct wire_codec; /* config_codec.h */
struct endpoint {
    const char *method; /* "Health.ServiceNodes" */
    enum endpoint_kind kind;
    enum permission permission;
    const struct mu__schema *request; /* NULL: an empty request */
    enum reply_kind reply_kind;
    const struct mu__schema *reply; /* for REPLY_STRUCT and REPLY_LIST */
    /* How they stand on the wire, if not by their tables; NULL: by them */
    const struct wire_codec *request_codec, *reply_codec;
    size_t options_at;    /* of struct catalog_query_options in the request, or NO_OFFSET */
    size_t meta_at;       /* of struct catalog_query_meta in the reply, or NO_OFFSET */
    size_t datacenter_at; /* of struct mu_str in the request, or NO_OFFSET */
    size_t token_at;      /* likewise */
};

struct call;
struct call_backend;
typedef void (*call_done_fn)(struct call *c, void *arg);

struct call {
    const struct endpoint *endpoint;
    /* Another server has sent it, because it believes that this one leads: it goes no further */
    bool forwarded;
    struct mu__arena arena;
    /* endpoint->request->size bytes, cleared by call_create; NULL for an empty one */
    void *request;
    void *reply; /* on success, unless empty: it and all it points at is lent until done returns */
    char *error; /* NULL: success. Otherwise Consul's text, in the arena */
    call_done_fn done;
    void *arg;
    /* An answer that this agent keeps will do (call_cache.h) */
    bool may_cache;
    bool may_be_made_up; /* likewise, but whoever asked may have invented the name (call_cache.h) */
    /* Where the answer is from, and for a hit how old it may be */
    enum { CALL_DIRECT, CALL_MISS, CALL_HIT } cached;
    uint64_t cached_age_ns;
    /* Whoever answers is to say by what it can be told that the answer still stands: a number that
     * is another one as soon as the answer may be, 0 if there is none. On a server of what its own
     * store has, on an agent of what its cache has */
    bool wants_stamp;
    uint64_t stamp;
    /* When this server committed the change that this query had waited for, on loop_now_ns's clock;
     * 0: it is not known, or there was none */
    uint64_t committed_ns;
    struct call_backend *backend; /* set by call_start */
    void *state;                  /* the backend's own */
};

/* One per front. */
struct call_backend {
    /* Answers the call: calls call_finish once, now or later, on the same loop. */
    void (*start)(struct call_backend *b, struct call *c);
    /* The caller lost interest: done must not be called any more; the backend frees the call when
     * it can. */
    void (*cancel)(struct call_backend *b, struct call *c);
};

/* For who keeps answers, by what it can be told that they still stand. On the loop of the backend
 * that it belongs to. */
struct call_fresh {
    void *user;
    /* Moves whenever an answer may have changed; cheap. NULL: nothing can be told. contact_max_ns:
     * an answer from a server that heard of its leader longer ago does not stand */
    uint64_t (*version)(void *user, uint64_t contact_max_ns);
    /* What call.stamp would be for that request, which is borrowed; 0: it cannot be said, or would
     * come from such a server. What is asked about is in use */
    uint64_t (*stamp)(void *user, const struct endpoint *e, const void *request,
                      uint64_t contact_max_ns);
};

/* Makes a call with a cleared request in its arena (at most `limit` bytes of arena; 0: none). NULL
 * when out of memory. */
struct call *call_create(const struct endpoint *e, size_t limit, call_done_fn done, void *arg);
void call_start(struct call_backend *b, struct call *c); /* takes the call */
/* For a backend that hands a call on: b answers it, and is the one to be told when it is given
 * up. */
void call_delegate(struct call_backend *b, struct call *c);
void call_cancel(struct call *c); /* gives it up; after call_start only */

/* For backends. call_finish runs done, then frees the call. The text is copied into the arena. */
void call_finish(struct call *c);
/* Sets error, finishes. */
void call_fail(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void call_free(struct call *c); /* without done: a call never started, or a cancelled one */
