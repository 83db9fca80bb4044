#include "proxy/relay.h"

#include <mbedtls/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROUNDS_MAX 16 /* records each way before others have their turn: 256 KiB */

enum step { STEP_IDLE, STEP_MOVED, STEP_BROKEN };

void relay_init(struct relay *r, struct stream *plain, struct stream *tls,
                struct mbedtls_ssl_context *ssl, struct relay_bytes *bytes)
{
    *r = (struct relay){.plain = plain, .tls = tls, .ssl = ssl, .bytes = bytes};
}

void relay_fini(struct relay *r)
{
    free(r->waiting);
    r->waiting = NULL;
}

static bool wants(int code)
{
    return code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* ---- Plain to TLS ---- */

static enum step tell_tls(struct relay *r)
{
    int code = mbedtls_ssl_close_notify(r->ssl);
    if (wants(code)) {
        return STEP_IDLE;
    }
    r->tls_told = true;
    return code ? STEP_BROKEN : STEP_MOVED;
}

/* A record that did not go out whole lies sealed in mbedTLS, which looks at nothing but the length
 * when it is asked again: so the bytes need not be kept. */
static enum step send_sealed(struct relay *r, const uint8_t *scratch)
{
    int code = mbedtls_ssl_write(r->ssl, scratch, r->sealed);
    if (wants(code)) {
        return STEP_IDLE;
    }
    if (code < 0 || (size_t)code != r->sealed) {
        return STEP_BROKEN;
    }
    r->bytes->to_tls += r->sealed;
    r->sealed = 0;
    return STEP_MOVED;
}

static enum step plain_to_tls(struct relay *r, uint8_t *scratch)
{
    if (r->tls_told || !r->tls->writable) {
        return STEP_IDLE;
    }
    if (r->sealed) {
        return send_sealed(r, scratch);
    }
    if (r->plain_ended) {
        return tell_tls(r);
    }
    int room = mbedtls_ssl_get_max_out_record_payload(r->ssl);
    if (!r->plain->readable || room <= 0) {
        return room <= 0 ? STEP_BROKEN : STEP_IDLE;
    }
    size_t most = (size_t)room < RELAY_SCRATCH ? (size_t)room : RELAY_SCRATCH;
    ssize_t n = stream_read(r->plain, scratch, most);
    if (n < 0) {
        return stream_would_block() ? STEP_IDLE : STEP_BROKEN;
    }
    r->plain_ended = n == 0;
    r->sealed = (size_t)n;
    return n ? send_sealed(r, scratch) : tell_tls(r);
}

/* ---- TLS to plain ---- */

/* Writes what the socket takes, and keeps the rest. */
static enum step deliver(struct relay *r, const uint8_t *p, size_t len)
{
    ssize_t n = stream_write(r->plain, p, len);
    if (n < 0 && !stream_would_block()) {
        return STEP_BROKEN;
    }
    size_t done = n > 0 ? (size_t)n : 0;
    r->bytes->to_plain += done;
    if (done < len) {
        r->waiting = malloc(len - done);
        if (!r->waiting) {
            return STEP_BROKEN;
        }
        memcpy(r->waiting, p + done, len - done);
        r->at = 0;
        r->len = len - done;
    }
    return STEP_MOVED;
}

static enum step deliver_waiting(struct relay *r)
{
    if (!r->plain->writable) {
        return STEP_IDLE;
    }
    ssize_t n = stream_write(r->plain, r->waiting + r->at, r->len - r->at);
    if (n < 0) {
        return stream_would_block() ? STEP_IDLE : STEP_BROKEN;
    }
    r->bytes->to_plain += (uint64_t)n;
    r->at += (size_t)n;
    if (r->at == r->len) {
        free(r->waiting);
        r->waiting = NULL;
    }
    return STEP_MOVED;
}

static enum step tell_plain(struct relay *r)
{
    r->plain_told = true;
    return shutdown(r->plain->fd, SHUT_WR) ? STEP_BROKEN : STEP_MOVED;
}

/* Behind its close_notify nothing counts any more; but if it has closed altogether, as Go's TLS
 * does at once, then nobody is left whom the plain side could tell anything. */
static enum step look_for_end(struct relay *r, uint8_t *scratch)
{
    if (!r->tls->readable) {
        return STEP_IDLE;
    }
    ssize_t n = stream_read(r->tls, scratch, RELAY_SCRATCH);
    if (n < 0) {
        return stream_would_block() ? STEP_IDLE : STEP_BROKEN;
    }
    r->tls_told = r->tls_told || n == 0;
    return STEP_MOVED;
}

#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET /* 3.6, TLS 1.3 */
#define TICKET MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
#else
#define TICKET MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY
#endif

static enum step tls_to_plain(struct relay *r, uint8_t *scratch)
{
    if (r->waiting) {
        return deliver_waiting(r);
    }
    if (r->plain_told) {
        return look_for_end(r, scratch);
    }
    if (r->tls_ended) {
        return tell_plain(r);
    }
    if (!r->tls->readable && !mbedtls_ssl_check_pending(r->ssl)) {
        return STEP_IDLE;
    }
    int n = mbedtls_ssl_read(r->ssl, scratch, RELAY_SCRATCH);
    if (n > 0) {
        return deliver(r, scratch, (size_t)n);
    }
    r->tls_ended = n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
    if (r->tls_ended || n == TICKET) {
        return STEP_MOVED;
    }
    return wants(n) ? STEP_IDLE : STEP_BROKEN;
}

enum relay_result relay_pump(struct relay *r, uint8_t *scratch)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        enum step out = plain_to_tls(r, scratch);
        enum step in = out == STEP_BROKEN ? STEP_BROKEN : tls_to_plain(r, scratch);
        if (in == STEP_BROKEN) {
            return RELAY_BROKEN;
        }
        if (r->plain_told && r->tls_told) {
            return RELAY_OVER;
        }
        if (out == STEP_IDLE && in == STEP_IDLE) {
            return RELAY_WAITS;
        }
    }
    return RELAY_AGAIN;
}
