/* relay.h - carries bytes between a plain stream and one under TLS, both ways, until both have
 * ended.
 *
 * It owns no buffer while nothing waits: what is read goes through the caller's scratch. Towards
 * TLS, one record at most waits, sealed, in mbedTLS's own buffer; towards the plain side, what its
 * socket did not take of one record waits in a block of its size. Neither side is read while bytes
 * of it wait: that is the back-pressure.
 * Each direction ends by itself: the plain side's end becomes a close_notify, a close_notify the
 * plain side's end. A TLS stream that ends without one was cut off (RFC 8446 6.1), and so is the
 * plain side then. */
#pragma once

#include "proxy/stream.h"

#define RELAY_SCRATCH 16384u /* the most that one record carries (RFC 8446 5.1) */

struct relay_bytes {
    uint64_t to_tls, to_plain;
};

struct relay {
    struct stream *plain, *tls;
    struct mbedtls_ssl_context *ssl;
    struct relay_bytes *bytes; /* counts what was moved */
    size_t sealed;             /* bytes of the record that mbedTLS has yet to send */
    uint8_t *waiting;          /* for the plain side: [at, len); NULL: nothing */
    size_t at, len;
    bool plain_ended, tls_ended; /* nothing more comes from there */
    bool plain_told, tls_told;   /* the end of the other side was passed on */
};

enum relay_result {
    RELAY_WAITS,  /* until a stream is ready */
    RELAY_AGAIN,  /* there is more to do, but others want their turn */
    RELAY_OVER,   /* both ways have ended in order */
    RELAY_BROKEN, /* cut off, or an error */
};

/* Borrows all three until relay_fini. ssl has shaken hands over tls. */
void relay_init(struct relay *r, struct stream *plain, struct stream *tls,
                struct mbedtls_ssl_context *ssl, struct relay_bytes *bytes);
void relay_fini(struct relay *r);
/* Moves what can be moved. scratch: always the same one, of RELAY_SCRATCH bytes. */
enum relay_result relay_pump(struct relay *r, uint8_t *scratch);
