/* tls_stream.h - TLS by mbedTLS as a bufferevent on top of another one: a bufferevent_filter that
 * decrypts what comes and encrypts what goes. What is written before the handshake is over waits in
 * it; a failure is told from the loop, as BEV_EVENT_ERROR. */
#pragma once

#include "certificates.h"

#include <event2/bufferevent.h>
#include <mbedtls/ssl.h>
#include <stdbool.h>

struct tls_stream;

/* One party: whom it trusts, who it is, and its streams. One thread. */
struct tls_party {
    mbedtls_ssl_config client, server;
    struct tls_stream *streams;
};

/* own NULL: it has no certificate to show. Both outlive the party. Each side demands a certificate
 * of the other. */
void tls_party_init(struct tls_party *p, struct certificate *authority, struct certificate *own);
/* After all its streams are gone: libevent frees them in a later turn of the loop, or with it. */
void tls_party_fini(struct tls_party *p);

/* Takes `below` and gives what stands on it; NULL on failure, and then below stays the caller's. */
struct bufferevent *tls_stream_new(struct tls_party *p, struct bufferevent *below, bool is_client);

struct bufferevent *tls_stream_of(const struct tls_stream *s);
/* The other side's subject, "CN=server-1, OU=server"; false: there is no certificate (yet). */
bool tls_stream_subject(const struct tls_party *p, const struct bufferevent *stream, char *out,
                        size_t size);
/* Why it broke; NULL: it did not, or TCP did. Lent. */
const char *tls_stream_why(const struct tls_party *p, const struct bufferevent *stream);
