#include "agent/check_grpc_call.h"

#include <inttypes.h>
#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX      5u /* flag and length of a message */
#define SERVICE_MAX 1024u
#define OUTPUT_MAX  (64u << 10) /* of a call: a peer may ask for answers without end (PING) */

struct grpc_call {
    nghttp2_session *session;
    int32_t stream;
    enum grpc_outcome outcome;
    char error[GRPC_TEXT_MAX + 64];
    uint8_t request[PREFIX + 3 + SERVICE_MAX];
    size_t request_len, request_sent;
    size_t output_len; /* given out so far */
    /* What came. */
    int http_status; /* 0: not yet */
    int grpc_status; /* -1: not yet */
    bool has_type;   /* application/grpc */
    char type[64];   /* another one */
    char message[GRPC_TEXT_MAX];
    uint8_t body[GRPC_MESSAGE_MAX];
    size_t body_len;
    bool too_long;
};

/* ---- Words, as grpc-go has them ---- */

static const char *code_name(int code)
{
    static const char *const names[] = {
        "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
        "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
        "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
        "DataLoss", "Unauthenticated"};
    return code >= 0 && (size_t)code < sizeof names / sizeof *names ? names[code] : NULL;
}

static void settle(struct grpc_call *c, enum grpc_outcome outcome, const char *code,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void settle(struct grpc_call *c, enum grpc_outcome outcome, const char *code,
                   const char *fmt, ...)
{
    va_list args;
    if (c->outcome != GRPC_PENDING) {
        return;
    }
    c->outcome = outcome;
    size_t n = (size_t)snprintf(c->error, sizeof c->error, "rpc error: code = %s desc = ", code);
    va_start(args, fmt);
    vsnprintf(c->error + n, sizeof c->error - n, fmt, args);
    va_end(args);
}

/* ---- The response ---- */

static bool read_varint(const uint8_t *p, size_t len, size_t *at, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && *at < len; shift += 7) {
        uint8_t b = p[(*at)++];
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

/* Skips a field of the wire type; false when it cannot be one. */
static bool skip_field(unsigned type, const uint8_t *p, size_t len, size_t *at)
{
    uint64_t n = type == 1 ? 8 : 4;
    if ((type != 1 && type != 2 && type != 5) || (type == 2 && !read_varint(p, len, at, &n)) ||
        n > len - *at) {
        return false;
    }
    *at += (size_t)n;
    return true;
}

/* The status of a HealthCheckResponse, whose last word counts; false when it is none. */
static bool read_status(const uint8_t *p, size_t len, uint64_t *status)
{
    *status = 0;
    for (size_t at = 0; at < len;) {
        uint64_t key, value;
        if (!read_varint(p, len, &at, &key)) {
            return false;
        }
        if ((key & 7) != 0) {
            if (!skip_field(key & 7, p, len, &at)) {
                return false;
            }
        } else if (!read_varint(p, len, &at, &value)) {
            return false;
        } else if (key >> 3 == 1) {
            *status = value;
        }
    }
    return true;
}

static void judge_message(struct grpc_call *c)
{
    const uint8_t *b = c->body;
    uint64_t status, len = 0;
    if (c->body_len >= PREFIX) {
        len = (uint64_t)b[1] << 24 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 8 | b[4];
    }
    if (c->too_long || len > GRPC_MESSAGE_MAX - PREFIX) {
        settle(c, GRPC_FAILED, "ResourceExhausted",
               "grpc: received message larger than max (%" PRIu64 " vs. %u)", len,
               GRPC_MESSAGE_MAX - PREFIX);
    } else if (!c->body_len) {
        settle(c, GRPC_FAILED, "Internal", "EOF");
    } else if (c->body_len < PREFIX || c->body_len - PREFIX < len) {
        settle(c, GRPC_FAILED, "Internal", "unexpected EOF");
    } else if (b[0]) {
        settle(c, GRPC_FAILED, "Internal",
               "grpc: compressed flag set with identity or empty encoding");
    } else if (!read_status(b + PREFIX, (size_t)len, &status)) {
        settle(c, GRPC_FAILED, "Internal",
               "grpc: failed to unmarshal the received message unexpected EOF");
    } else {
        settle(c, status == 1 ? GRPC_SERVING : GRPC_NOT_SERVING, "OK", " ");
    }
}

static const char *http_text(int status)
{
    static const struct {
        int status;
        const char *code, *text;
    } known[] = {{400, "Internal", "Bad Request"},
                 {401, "Unauthenticated", "Unauthorized"},
                 {403, "PermissionDenied", "Forbidden"},
                 {404, "Unimplemented", "Not Found"},
                 {429, "Unavailable", "Too Many Requests"},
                 {502, "Unavailable", "Bad Gateway"},
                 {503, "Unavailable", "Service Unavailable"},
                 {504, "Unavailable", "Gateway Timeout"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].status == (status < 0 ? -status : status)) {
            return status < 0 ? known[i].code : known[i].text;
        }
    }
    return status < 0 ? "Unknown" : status == 200 ? "OK" : "";
}

static void judge_http(struct grpc_call *c)
{
    if (!c->http_status) {
        settle(c, GRPC_FAILED, "Internal", "malformed header: missing HTTP status");
    } else if (c->type[0]) {
        settle(c, GRPC_FAILED, http_text(-c->http_status),
               "%s: HTTP status code %d; transport: received the unexpected content-type \"%s\"",
               http_text(c->http_status), c->http_status, c->type);
    } else {
        settle(c, GRPC_FAILED, http_text(-c->http_status),
               "%s: HTTP status code %d; transport: missing content-type field",
               http_text(c->http_status), c->http_status);
    }
}

/* All of the response has come. */
static void judge(struct grpc_call *c)
{
    if (!c->has_type) {
        judge_http(c);
    } else if (c->grpc_status > 0 && code_name(c->grpc_status)) {
        settle(c, GRPC_FAILED, code_name(c->grpc_status), "%s", c->message);
    } else if (c->grpc_status > 0) {
        char number[32];
        snprintf(number, sizeof number, "Code(%d)", c->grpc_status);
        settle(c, GRPC_FAILED, number, "%s", c->message);
    } else if (c->grpc_status < 0) {
        settle(c, GRPC_FAILED, "Unknown", "server closed the stream without sending trailers");
    } else {
        judge_message(c);
    }
}

/* ---- What nghttp2 tells ---- */

static int from_hex(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* grpc-message is percent-encoded; what is wrongly so is taken as it stands. */
static void decode_message(const uint8_t *p, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < cap; i++) {
        uint8_t c = p[i];
        if (c == '%' && len - i > 2 && from_hex(p[i + 1]) >= 0 && from_hex(p[i + 2]) >= 0) {
            c = (uint8_t)(from_hex(p[i + 1]) << 4 | from_hex(p[i + 2]));
            i += 2;
        }
        out[n++] = (char)(c ? c : '?');
    }
    out[n] = '\0';
}

/* Up to nine digits; -1 for what is no number. */
static int parse_number(const uint8_t *p, size_t len)
{
    int v = 0;
    for (size_t i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9' || i >= 9) {
            return -1;
        }
        v = v * 10 + (p[i] - '0');
    }
    return len ? v : -1;
}

static bool is(const uint8_t *name, size_t len, const char *expected)
{
    return strlen(expected) == len && !memcmp(name, expected, len);
}

static void take_type(struct grpc_call *c, const uint8_t *value, size_t len)
{
    static const char grpc[] = "application/grpc";
    size_t n = sizeof grpc - 1;
    c->has_type =
        len >= n && !memcmp(value, grpc, n) && (len == n || value[n] == '+' || value[n] == ';');
    if (!c->has_type) {
        decode_message(value, len, c->type, sizeof c->type);
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
    struct grpc_call *c = arg;
    (void)session, (void)flags;
    if (frame->hd.stream_id != c->stream) {
        return 0;
    }
    if (is(name, name_len, ":status")) {
        c->http_status = parse_number(value, len);
    } else if (is(name, name_len, "content-type")) {
        take_type(c, value, len);
    } else if (is(name, name_len, "grpc-status")) {
        int n = parse_number(value, len);
        c->grpc_status = n < 0 ? 2 : n; /* Unknown */
    } else if (is(name, name_len, "grpc-message")) {
        decode_message(value, len, c->message, sizeof c->message);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *arg)
{
    struct grpc_call *c = arg;
    (void)session, (void)flags;
    if (stream != c->stream) {
        return 0;
    }
    size_t room = sizeof c->body - c->body_len;
    c->too_long = c->too_long || len > room;
    len = len < room ? len : room;
    memcpy(c->body + c->body_len, data, len);
    c->body_len += len;
    return 0;
}

static int on_stream_closed(nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
    struct grpc_call *c = arg;
    (void)session;
    if (stream != c->stream) {
        return 0;
    }
    if (code == NGHTTP2_NO_ERROR || c->grpc_status >= 0) {
        judge(c);
    } else {
        settle(c, GRPC_FAILED, code == NGHTTP2_REFUSED_STREAM ? "Unavailable" : "Internal",
               "stream terminated by RST_STREAM with error code: %s", nghttp2_http2_strerror(code));
    }
    return 0;
}

static ssize_t on_request(nghttp2_session *session, int32_t stream, uint8_t *out, size_t cap,
                          uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct grpc_call *c = arg;
    (void)session, (void)stream, (void)source;
    size_t n = c->request_len - c->request_sent;
    n = n < cap ? n : cap;
    memcpy(out, c->request + c->request_sent, n);
    c->request_sent += n;
    if (c->request_sent == c->request_len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

/* ---- The request ---- */

static bool write_message(struct grpc_call *c, const char *service)
{
    size_t len = strlen(service), n = PREFIX;
    if (len > SERVICE_MAX) {
        return false;
    }
    if (len) { /* field 1, of bytes */
        c->request[n++] = 1 << 3 | 2;
        if (len >= 0x80) {
            c->request[n++] = (uint8_t)(len & 0x7f) | 0x80;
        }
        c->request[n++] = (uint8_t)(len >= 0x80 ? len >> 7 : len);
        memcpy(c->request + n, service, len);
        n += len;
    }
    size_t body = n - PREFIX;
    c->request[3] = (uint8_t)(body >> 8);
    c->request[4] = (uint8_t)body;
    c->request_len = n;
    return true;
}

static nghttp2_nv header(const char *name, const char *value)
{
    union {
        const char *lent;
        uint8_t *bytes; /* nghttp2 copies, and does not write */
    } n = {.lent = name}, v = {.lent = value};
    return (nghttp2_nv){n.bytes, v.bytes, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static bool submit(struct grpc_call *c, const char *authority, bool tls, uint64_t timeout_ns)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16u << 10}};
    const nghttp2_data_provider body = {.read_callback = on_request};
    char timeout[32];
    snprintf(timeout, sizeof timeout, "%" PRIu64 "m", timeout_ns / 1000000 + 1);
    const nghttp2_nv headers[] = {header(":method", "POST"),
                                  header(":scheme", tls ? "https" : "http"),
                                  header(":path", "/grpc.health.v1.Health/Check"),
                                  header(":authority", authority),
                                  header("content-type", "application/grpc"),
                                  header("user-agent", "Consul Health Check"),
                                  header("te", "trailers"),
                                  header("grpc-timeout", timeout)};
    c->stream = nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2) == 0
                    ? nghttp2_submit_request(c->session, NULL, headers,
                                             sizeof headers / sizeof *headers, &body, NULL)
                    : -1;
    return c->stream > 0;
}

/* ---- Life ---- */

static bool make_session(struct grpc_call *c)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks)) {
        return false;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
    int error = nghttp2_session_client_new(&c->session, callbacks, c);
    nghttp2_session_callbacks_del(callbacks);
    return error == 0;
}

struct grpc_call *grpc_call_create(const char *authority, const char *service, bool tls,
                                   uint64_t timeout_ns)
{
    struct grpc_call *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    c->grpc_status = -1;
    if (!write_message(c, service) || !make_session(c) || !submit(c, authority, tls, timeout_ns)) {
        grpc_call_destroy(c);
        return NULL;
    }
    return c;
}

void grpc_call_destroy(struct grpc_call *c)
{
    if (c) {
        nghttp2_session_del(c->session);
        free(c);
    }
}

void grpc_call_feed(struct grpc_call *c, const uint8_t *data, size_t len)
{
    if (c->outcome == GRPC_PENDING && nghttp2_session_mem_recv(c->session, data, len) < 0) {
        settle(c, GRPC_FAILED, "Unavailable", "connection closed"); /* it is not HTTP/2 */
    }
    if (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session)) {
        settle(c, GRPC_FAILED, "Unavailable", "connection closed"); /* GOAWAY */
    }
}

size_t grpc_call_output(struct grpc_call *c, const uint8_t **data)
{
    ssize_t n = c->output_len < OUTPUT_MAX ? nghttp2_session_mem_send(c->session, data) : -1;
    if (n < 0) {
        settle(c, GRPC_FAILED, "Unavailable", "connection closed");
        return 0;
    }
    c->output_len += (size_t)n;
    return (size_t)n;
}

void grpc_call_end(struct grpc_call *c)
{
    settle(c, GRPC_FAILED, "Unavailable", "connection closed");
}

enum grpc_outcome grpc_call_outcome(const struct grpc_call *c)
{
    return c->outcome;
}

const char *grpc_call_error(const struct grpc_call *c)
{
    return c->error;
}
