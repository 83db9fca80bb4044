/* yamux.h - yamux sessions: many byte streams on one connection, each with its own flow control.
 *
 * A session does no I/O and reads no clock: it is fed what arrived (yamux_receive) and the time
 * (yamux_advance), and appends what is to be sent to an evbuffer of the owner's. Callbacks run
 * within yamux_receive and yamux_advance; they may write to and close streams and open new ones,
 * but must not free the session.
 *
 * Frame: version 0, type, flags u16, stream id u32, length u32, all big endian; data frames are
 * followed by `length` bytes. A stream is opened by SYN, acknowledged by ACK, half-closed by FIN
 * and killed by RST. */
#pragma once

#include <muster/mu.h>

#include <event2/buffer.h>
#include <stdbool.h>

#define YAMUX_WINDOW       262144u /* per stream and direction */
#define YAMUX_BACKLOG_MAX  256u    /* streams of ours that the peer has not acknowledged */
#define YAMUX_PING_NS      (30 * MU_SEC)
#define YAMUX_PING_WAIT_NS (10 * MU_SEC)
/* While the peer owes an answer: so long it may say nothing, and so long it has for the ping that
 * then asks whether it is there */
#define YAMUX_QUIET_NS  (1 * MU_SEC)
#define YAMUX_ANSWER_NS (4 * MU_SEC)

enum yamux_err {
    YAMUX_OK = 0,
    /* The peer broke a rule; a go-away was appended to the output, which should still be sent */
    YAMUX_EPROTOCOL = -1,
    YAMUX_EGOAWAY = -2,  /* the peer said that it hit an error */
    YAMUX_ETIMEOUT = -3, /* no answer to a ping */
    /* The peer makes us keep more than buffered_max, or takes nothing from us */
    YAMUX_EBUFFER = -4,
    YAMUX_ENOMEM = -5
};
const char *yamux_strerror(int code);

struct yamux;
struct yamux_stream;

/* What all sessions that share it have written and not sent yet. */
struct yamux_budget {
    size_t held, max;
};

struct yamux_callbacks {
    /* The peer opened a stream; it is acknowledged already. NULL: such streams are reset. */
    void (*opened)(void *user, struct yamux_stream *s);
    /* Bytes or the peer's FIN arrived (yamux_stream_input, yamux_stream_is_ended). */
    void (*readable)(void *user, struct yamux_stream *s);
    /* The peer reset the stream, or the session ended: s is freed right after. Not called for
     * streams that we closed. */
    void (*died)(void *user, struct yamux_stream *s);
};

struct yamux_config {
    bool is_client; /* our streams get odd ids */
    const struct yamux_callbacks *callbacks;
    void *user;
    struct evbuffer *out; /* borrowed; what is to be sent */
    size_t streams_max;   /* live at a time; further ones are reset. 0: 16384 */
    size_t buffered_max;  /* bytes received and not yet consumed, over all streams. 0: 64 MiB */
    /* Bytes written to streams for which the peer gives no window. A session that would hold more
     * ends (YAMUX_EBUFFER), and so does one of a server's whose peer takes nothing of them between
     * three pings. 0: 512 MiB. One write is always taken. */
    size_t held_max;
    struct yamux_budget *budget; /* borrowed; NULL: none */
};

/* NULL when out of memory. */
struct yamux *yamux_create(const struct yamux_config *cfg, uint64_t now_ns);
void yamux_destroy(struct yamux *y); /* ends all streams: died is called for each */

/* Takes all it can from `in`. After an error the session is dead: the owner sends what is in out,
 * and destroys it. */
int yamux_receive(struct yamux *y, struct evbuffer *in, uint64_t now_ns);
/* Keepalive: to be called at or after yamux_deadline. Errors: YAMUX_ETIMEOUT. */
int yamux_advance(struct yamux *y, uint64_t now_ns);
uint64_t yamux_deadline(const struct yamux *y);
/* Something was sent that the peer answers soon if it can; or, doubtful, others say that it is
 * gone. The deadline may become earlier. */
void yamux_expect(struct yamux *y, bool doubtful, uint64_t now_ns);
/* Moves what streams hold back to out, fairly, as long as out is short; to be called when out has
 * drained. */
int yamux_pump(struct yamux *y);

/* Opens a stream; nothing is sent before its first write. NULL: too many are unacknowledged, the
 * peer goes away, or no memory. */
struct yamux_stream *yamux_open(struct yamux *y, void *stream_user);
bool yamux_can_open(const struct yamux *y);
/* No more streams can ever be opened: the peer goes away, or the ids are used up. Those there are
 * go on. */
bool yamux_is_retiring(const struct yamux *y);
size_t yamux_stream_count(const struct yamux *y);

void yamux_stream_set_user(struct yamux_stream *s, void *user);
void *yamux_stream_user(const struct yamux_stream *s);
uint32_t yamux_stream_id(const struct yamux_stream *s);
/* What arrived and was not taken yet. The owner drains it, then calls yamux_stream_consumed, which
 * lets the peer send more. */
struct evbuffer *yamux_stream_input(struct yamux_stream *s);
void yamux_stream_consumed(struct yamux_stream *s);
bool yamux_stream_is_ended(const struct yamux_stream *s); /* the peer will send no more */
/* Takes all bytes of data. */
void yamux_stream_write(struct yamux_stream *s, struct evbuffer *data);
/* Sends FIN after what was written. The stream must not be used any more; it lingers until the peer
 * has finished too. */
void yamux_stream_close(struct yamux_stream *s);
void yamux_stream_reset(struct yamux_stream *s); /* likewise, with RST and at once */
