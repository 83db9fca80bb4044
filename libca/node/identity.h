/* identity.h - what the files of the identity share.
 *
 * Three immutable things are counted by those who use them: material (certificate, key, mbedTLS
 * configurations), trust (roots), rules (intentions). The loop's thread makes new ones and puts
 * them in the place of the old ones; everybody else takes a reference under `lock`.
 *
 * Locks: `calls` before `lock`. calls (recursive) is held around callbacks of connections, and by
 * ca_connection_destroy; lock for moments only, and around no callback. */
#pragma once

#include "alloc.h"
#include "http.h"
#include "prng.h"

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>
#include <muster/ca_identity.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    IDENTITY_ROOTS_MAX = 64,
    IDENTITY_CHAIN_MAX = CA_INTERMEDIATES_MAX + 1, /* certificates of a leaf's bundle */
    IDENTITY_NAME_MAX = 255
};

/* ---- What counts its users ---- */

/* Roots, as of one answer of the agent, with the key of the tickets that were given under them. */
struct identity__trust {
    struct mu_allocator allocator;
    atomic_uint users;
    uint64_t epoch; /* never the same for different roots */
    char trust_domain[256];
    struct ca_certificate *roots[IDENTITY_ROOTS_MAX];
    size_t count;
    /* Cross-signed ones, which the agent gives along with the roots */
    struct ca_certificate *between[CA_INTERMEDIATES_MAX];
    size_t between_count;
    pthread_mutex_t lock; /* of ca: one thread at a time */
    struct ca_trust *ca;
    mbedtls_ssl_ticket_context tickets; /* locks for itself */
};

/* The own leaf with its key, ready for use. */
struct identity__material {
    struct mu_allocator allocator;
    atomic_uint users;
    char uri[CA_URI_MAX + 1];
    int64_t not_after_unix_s;
    bool vouched;           /* the roots of then vouch for it */
    mbedtls_x509_crt chain; /* the leaf, and what stands between it and a root */
    mbedtls_pk_context key;
    struct identity__trust *trust; /* the tickets' */
    mbedtls_ssl_config server, client;
};

/* Intentions as of one answer, and what decides without one. */
struct identity__rules {
    struct mu_allocator allocator;
    atomic_uint users;
    struct ca_intentions *table;
    size_t count;
    enum ca_action otherwise;
};

/* ---- What the agent says ---- */

struct identity__leaf { /* read, and not yet believed */
    struct ca_certificate *chain[IDENTITY_CHAIN_MAX];
    size_t count;
    char *key_pem; /* zero-terminated, wiped by identity__leaf_fini */
    size_t key_cap;
};
void identity__leaf_fini(const struct mu_allocator *a, struct identity__leaf *l);

/* Each reads one answer (whose bytes it may change), strictly. NULL, or why it is refused: a
 * sentence, in diag or static. */
const char *identity__read_leaf(const struct mu_allocator *a, struct identity__reply *reply,
                                const char *service, struct identity__leaf *out,
                                struct ca_diag *diag);
const char *identity__read_roots(const struct mu_allocator *a, struct identity__reply *reply,
                                 struct identity__trust **out, struct ca_diag *diag);
const char *identity__read_match(const struct mu_allocator *a, struct identity__reply *reply,
                                 const char *service, struct ca_intentions **out, size_t *count,
                                 struct ca_diag *diag);
const char *identity__read_default(struct identity__reply *reply, enum ca_action *out);

/* ---- Watches ---- */

enum identity__step { STEP_LEAF, STEP_ROOTS, STEP_RULES, STEP_MATCH, STEP_DEFAULT };

/* One thing that is kept fresh: a query stands, or a delay runs until the next one. */
struct identity__watch {
    struct ca_identity *identity;
    enum identity__step step;
    struct identity__http *http;
    struct event *timer;
    uint64_t index;    /* of the blocking query; 0: the next one does not block */
    uint64_t asked_ns; /* when it was sent */
    unsigned failures; /* in a row */
    unsigned hasty;    /* answers in a row that came at once */
    bool known;        /* it has succeeded */
    char why[200];     /* failures > 0: the last reason */
};
enum { WATCH_LEAF, WATCH_ROOTS, WATCH_RULES, WATCH_COUNT };

bool identity__watches_start(struct ca_identity *i);
void identity__watches_stop(struct ca_identity *i);

/* ---- The identity ---- */

struct identity__session {
    struct identity__session *next; /* newest first */
    uint64_t epoch;
    int64_t own_not_after_unix_s; /* of the leaf that was shown: another one shows itself anew */
    int64_t not_after_unix_s;
    mbedtls_ssl_session session;
    char service[IDENTITY_NAME_MAX + 1], name[IDENTITY_NAME_MAX + 1];
};

struct ca_identity {
    struct mu_allocator allocator;
    struct ca_identity_config cfg; /* its texts are the copies below */
    struct identity__agent agent;
    char service[IDENTITY_NAME_MAX + 1];
    char service_escaped[3 * IDENTITY_NAME_MAX + 1];

    pthread_mutex_t calls, lock;
    pthread_cond_t changed; /* of state; monotonic clock */
    /* Under lock: */
    struct identity__material *material;
    struct identity__trust *trust;
    struct identity__rules *rules;
    enum ca_identity_state state;
    uint64_t generation, requests, failures;
    struct ca_connection *connections, *cursor; /* cursor: the next one that is looked at */
    size_t connection_count;
    struct identity__session *sessions;
    size_t session_count;

    /* The loop's alone: */
    struct event_base *base;
    bool owns_base;
    struct event *check;
    struct identity__watch watches[WATCH_COUNT];
    struct identity__leaf leaf; /* material's */
    struct identity__leaf
        pending; /* a leaf that does not verify yet: its roots are still to come */
    struct ca_intentions *matched; /* while the default is asked for */
    size_t matched_count;
    uint64_t epoch;
    struct mu__prng prng;
    char told[256]; /* why, as last told */

    pthread_t thread;
    bool has_thread;
    int wake[2]; /* a byte ends the thread; -1 without one */
};

static inline struct mu_str identity__str(const char *s)
{
    size_t n = 0;
    while (s[n]) {
        n++;
    }
    return (struct mu_str){s, n};
}

int64_t identity__now(const struct ca_identity *i);
void identity__log(const struct ca_identity *i, enum mu_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int identity__random(void *user, unsigned char *out, size_t len); /* 0, as mbedTLS wants it */

struct identity__trust *identity__trust_create(const struct mu_allocator *a,
                                               const char *trust_domain);
const char *identity__trust_ready(struct identity__trust *t, uint32_t ticket_lifetime_s);
void identity__trust_release(struct identity__trust *t);
bool identity__trust_same(const struct identity__trust *a, const struct identity__trust *b);
/* Serialised; as ca_verify. */
int identity__verify(struct identity__trust *t, const struct ca_verify_request *request,
                     struct ca_verified *out);

void identity__material_release(struct identity__material *m);
/* NULL, with a sentence in diag. Checks the key, and unless it serves already (keep) its id and the
 * way to a root. */
struct identity__material *identity__material_create(struct ca_identity *i,
                                                     const struct identity__leaf *leaf,
                                                     struct identity__trust *trust, bool keep,
                                                     struct ca_diag *diag);

void identity__rules_release(struct identity__rules *r);

/* Under lock; each gives a reference, or NULL. */
struct identity__material *identity__material_get(struct ca_identity *i);
struct identity__trust *identity__trust_get(struct ca_identity *i);
struct identity__rules *identity__rules_get(struct ca_identity *i);

/* What an answer means; take what they are given. NULL, or why it could not be used. */
const char *identity__use_leaf(struct ca_identity *i, struct identity__leaf *leaf,
                               struct ca_diag *diag);
const char *identity__use_roots(struct ca_identity *i, struct identity__trust *trust,
                                struct ca_diag *diag);
const char *identity__use_rules(struct ca_identity *i, struct ca_intentions *table, size_t count,
                                enum ca_action otherwise);
/* The state as it is now; tells whom it concerns. */
void identity__look(struct ca_identity *i);

/* ---- Connections ---- */

/* Asks every watched connection's decision again, and tells those for whom it has changed. */
void identity__decide_again(struct ca_identity *i);
void identity__sessions_fini(struct ca_identity *i);
/* Puts a kept session into ssl, if there is one with that end of these roots and this leaf. */
void identity__session_resume(struct ca_identity *i, const char *service, const char *name,
                              const struct identity__material *m, mbedtls_ssl_context *ssl);
void identity__session_keep(struct ca_identity *i, const char *service, const char *name,
                            const struct identity__material *m, int64_t not_after_unix_s,
                            const mbedtls_ssl_context *ssl);
