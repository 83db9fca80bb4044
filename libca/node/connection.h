/* connection.h - one TLS connection: what it began with, what the peer has shown, what was decided.
 */
#pragma once

#include "identity.h"

struct ca_connection {
    struct ca_identity *identity;
    struct ca_connection *prev, *next; /* under the identity's lock */
    struct identity__material *material;
    mbedtls_ssl_context *ssl;
    bool is_client;
    char service[IDENTITY_NAME_MAX + 1], session[IDENTITY_NAME_MAX + 1];

    /* What was shown, copied: one block of DER after DER, the leaf first, then room for the id's
     * unescaped text. */
    unsigned char *shown;
    size_t shown_len;
    struct mu_str certificates[IDENTITY_CHAIN_MAX];
    size_t count;
    enum ca_verdict verdict;
    struct ca_peer peer;

    bool established; /* under the identity's lock; all above is settled then */
    /* By whoever establishes it, and later by the loop's thread alone: */
    uint64_t epoch;   /* of the trust that was asked last */
    bool has_root;    /* false: a resumed session, which does not say */
    uint8_t root[20]; /* SHA-1 of the root that vouches, Consul's id of it */
    atomic_bool trusted;

    ca_connection_changed_fn changed; /* under calls, as the two below */
    void *user;
    bool told;
};

/* Asks trust about what was shown; writes verdict, epoch, root, and *not_after. */
enum ca_verdict identity__judge_shown(struct ca_connection *c, struct identity__trust *trust,
                                      int64_t *not_after_unix_s);
