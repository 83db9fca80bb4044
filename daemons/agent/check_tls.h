/* check_tls.h - TLS for checks, on a thread of its own.
 *
 * A handshake is milliseconds of public-key work, which the core loop has no time for. The core
 * loop connects, then gives the connection and one end of a pair of sockets to the thread. What
 * comes through the pair is first one line, empty if the handshake succeeded or else why it did
 * not, and then clear text. Closing the pair ends the connection; nothing else is shared, so
 * neither side has to wait for the other. */
#pragma once

#include <stdbool.h>

struct check__tls;

/* What certificates to trust and to show; text is borrowed, "" or NULL where nothing is given. */
struct check__tls_options {
    const char *ca_file, *ca_path; /* PEM; neither: those of the system */
    const char *cert_file, *key_file;
    const char *server_name; /* expected in certificates and sent as SNI instead of the host */
};

struct check__tls_wish {
    bool skip_verify;
    bool h2; /* say that HTTP/2 will be spoken (ALPN, RFC 7301) */
};

/* Starts the thread; certificates are read at the first handshake that needs them. NULL: no memory
 * or no thread. */
struct check__tls *check__tls_create(const struct check__tls_options *options);
/* Ends all connections. NULL is allowed. */
void check__tls_destroy(struct check__tls *tls);

/* Any thread. Takes both descriptors, non-blocking, unless it fails; text is copied. */
bool check__tls_begin(struct check__tls *tls, int net, int clear, const char *host,
                      const struct check__tls_wish *wish);
