/* yamux.c - the session: frames in and out, keepalive. Streams are in yamux_stream.c. */
#include "yamux_internal.h"

#include <assert.h>
#include <string.h>

#define STREAMS_MAX  16384u
#define BUFFERED_MAX ((size_t)64 << 20)
#define HELD_MAX     ((size_t)512 << 20)
#define STALLED_MAX  2u /* pings that find the same held */
#define CONTROL_MAX                                                                                \
    ((size_t)8 << 20) /* output beyond this is control frames that the peer does not take */

const char *yamux_strerror(int code)
{
    switch (code) {
    case YAMUX_OK:
        return "no error";
    case YAMUX_EPROTOCOL:
        return "the peer broke the protocol";
    case YAMUX_EGOAWAY:
        return "the peer went away with an error";
    case YAMUX_ETIMEOUT:
        return "keepalive timeout";
    case YAMUX_EBUFFER:
        return "too much is buffered";
    case YAMUX_ENOMEM:
        return "out of memory";
    default:
        return "unknown error";
    }
}

struct yamux *yamux_create(const struct yamux_config *cfg, uint64_t now_ns)
{
    struct yamux *y = mu__calloc(&mu__malloc_allocator, 1, sizeof *y);
    if (!y) {
        return NULL;
    }
    y->config = *cfg;
    if (!y->config.streams_max) {
        y->config.streams_max = STREAMS_MAX;
    }
    if (!y->config.buffered_max) {
        y->config.buffered_max = BUFFERED_MAX;
    }
    if (!y->config.held_max) {
        y->config.held_max = HELD_MAX;
    }
    y->next_id = cfg->is_client ? 1 : 2;
    y->ping_at_ns = now_ns + YAMUX_PING_NS;
    /* Ids are the peer's to choose, but a collision costs it only its own session's time. */
    mu__map_init(&y->streams, NULL, now_ns);
    return y;
}

void yamux_destroy(struct yamux *y)
{
    if (!y) {
        return;
    }
    y->dead = true;
    size_t at = 0;
    for (struct yamux_stream *s; (s = mu__map_next(&y->streams, &at)) != NULL;) {
        yamux__stream_die(s);
    }
    mu__map_fini(&y->streams);
    mu__free(&mu__malloc_allocator, y);
}

void yamux__send_header(struct yamux *y, enum yamux_type type, unsigned flags, uint32_t id,
                        uint32_t length)
{
    uint8_t header[YAMUX_HEADER];
    struct mu__writer w = mu__writer_fixed(header, sizeof header);
    mu__write_u8(&w, YAMUX_VERSION);
    mu__write_u8(&w, (uint8_t)type);
    mu__write_u16be(&w, (uint16_t)flags);
    mu__write_u32be(&w, id);
    mu__write_u32be(&w, length);
    if (evbuffer_add(y->config.out, header, sizeof header) != 0) {
        y->no_memory = true;
    }
}

/* Ends the session for what the peer did; others should hear why. */
static int protocol_error(struct yamux *y)
{
    yamux__send_header(y, YAMUX_GO_AWAY, 0, 0, GO_AWAY_PROTOCOL);
    y->dead = true;
    return YAMUX_EPROTOCOL;
}

static int receive_ping(struct yamux *y, const struct frame *f, uint64_t now_ns)
{
    if (f->flags & YAMUX_SYN) {
        yamux__send_header(y, YAMUX_PING, YAMUX_ACK, 0, f->length);
    } else if (y->ping_is_out && f->length == y->ping_id) {
        y->ping_is_out = y->expects = false;
        y->ping_id++;
        y->ping_at_ns = now_ns + YAMUX_PING_NS;
    }
    return YAMUX_OK;
}

static int receive_go_away(struct yamux *y, const struct frame *f)
{
    y->peer_goes_away = true;
    if (f->length == GO_AWAY_NORMAL) {
        return YAMUX_OK; /* the streams there are go on */
    }
    y->dead = true;
    return YAMUX_EGOAWAY;
}

/* A stream that the peer opens. NULL: *err, or it was reset and the session goes on. */
static struct yamux_stream *receive_syn(struct yamux *y, const struct frame *f, int *err)
{
    if (f->id == 0 || yamux__find(y, f->id)) {
        *err = protocol_error(y);
        return NULL;
    }
    struct yamux_stream *s = NULL;
    if (y->config.callbacks->opened && y->streams.count < y->config.streams_max) {
        s = yamux__stream_create(y, f->id, NULL);
    }
    if (!s) {
        yamux__send_header(y, YAMUX_WINDOW_UPDATE, YAMUX_RST, f->id, 0);
        return NULL;
    }
    s->is_acked = true;
    if (!(f->flags & YAMUX_FIN)) {
        yamux__send_header(y, YAMUX_WINDOW_UPDATE, YAMUX_ACK, f->id, 0);
    }
    y->config.callbacks->opened(y->config.user, s);
    return yamux__find(y, f->id); /* its owner may have ended it at once */
}

/* What the flags of a data frame or window update say. *out: the stream, NULL if it does not exist
 * (any more). */
static int receive_flags(struct yamux *y, const struct frame *f, struct yamux_stream **out)
{
    int err = YAMUX_OK;
    struct yamux_stream *s = f->flags & YAMUX_SYN ? receive_syn(y, f, &err) : yamux__find(y, f->id);
    *out = s;
    if (!s) {
        return err; /* frames of streams that ended may still be under way: not an error */
    }
    if (f->flags & YAMUX_ACK && !s->is_acked) {
        s->is_acked = true;
        y->unacked--;
    }
    if (f->flags & YAMUX_RST) {
        yamux__stream_die(s);
        *out = NULL;
    }
    return YAMUX_OK;
}

/* After the payload: FIN comes behind the data of its own frame. */
static int receive_fin(struct yamux *y, const struct frame *f, struct yamux_stream *s)
{
    if (!s || !(f->flags & YAMUX_FIN)) {
        return YAMUX_OK;
    }
    if (s->fin_received) {
        return protocol_error(y);
    }
    yamux__stream_receive_fin(s);
    return YAMUX_OK;
}

static int receive_window_update(struct yamux *y, const struct frame *f)
{
    struct yamux_stream *s;
    int err = receive_flags(y, f, &s);
    if (err || !s) {
        return err;
    }
    if (f->length > UINT32_MAX - s->send_window) {
        return protocol_error(y);
    }
    s->send_window += f->length;
    yamux__stream_flush(s);
    return receive_fin(y, f, yamux__find(y, f->id)); /* the flush may have sent the last of it */
}

/* The head of a data frame; its bytes follow in receive_payload, as they arrive. */
static int receive_data(struct yamux *y, const struct frame *f)
{
    struct yamux_stream *s;
    int err = receive_flags(y, f, &s);
    if (err) {
        return err;
    }
    if (s && f->length > s->receive_window) {
        return protocol_error(y);
    }
    if (s) {
        s->receive_window -= f->length;
    }
    y->payload_left = f->length;
    y->payload_frame = *f;
    return f->length ? YAMUX_OK : receive_fin(y, f, s);
}

/* Moves what has arrived of a frame's payload to its stream, or drops it when there is none. */
static int receive_payload(struct yamux *y, struct evbuffer *in)
{
    size_t n = mu__min(evbuffer_get_length(in), y->payload_left);
    /* It may end between two pieces */
    struct yamux_stream *s = yamux__find(y, y->payload_frame.id);
    y->payload_left -= (uint32_t)n;
    if (!s || s->close_requested) {
        evbuffer_drain(in, n);
    } else if (y->buffered + n > y->config.buffered_max) {
        y->dead = true;
        return YAMUX_EBUFFER;
    } else if (!yamux__stream_take(s, in, n)) {
        y->dead = true;
        return YAMUX_ENOMEM;
    }
    /* The callback may have ended the stream. */
    return y->payload_left ? YAMUX_OK
                           : receive_fin(y, &y->payload_frame, yamux__find(y, y->payload_frame.id));
}

static struct frame read_header(struct evbuffer *in)
{
    uint8_t header[YAMUX_HEADER];
    evbuffer_remove(in, header, sizeof header);
    struct mu__reader r = mu__reader(header, sizeof header);
    struct frame f = {.version = mu__read_u8(&r)};
    f.type = mu__read_u8(&r);
    f.flags = mu__read_u16be(&r);
    f.id = mu__read_u32be(&r);
    f.length = mu__read_u32be(&r);
    return f;
}

static int receive_frame(struct yamux *y, struct evbuffer *in, uint64_t now_ns)
{
    struct frame f = read_header(in);
    if (f.version != YAMUX_VERSION) {
        return protocol_error(y);
    }
    switch (f.type) {
    case YAMUX_DATA:
        return receive_data(y, &f);
    case YAMUX_WINDOW_UPDATE:
        return receive_window_update(y, &f);
    case YAMUX_PING:
        return receive_ping(y, &f, now_ns);
    case YAMUX_GO_AWAY:
        return receive_go_away(y, &f);
    default:
        return protocol_error(y);
    }
}

static int health(const struct yamux *y)
{
    if (y->no_memory) {
        return YAMUX_ENOMEM;
    }
    bool too_much = y->overfull || evbuffer_get_length(y->config.out) > CONTROL_MAX;
    return too_much ? YAMUX_EBUFFER : YAMUX_OK;
}

/* Whatever has come, the peer is there: a ping that was due for its silence is not, and one that is
 * out has its time from now. */
static void heard(struct yamux *y, uint64_t now_ns)
{
    if (!y->expects) {
        return;
    }
    if (y->ping_is_out) {
        y->ping_at_ns = now_ns + YAMUX_ANSWER_NS;
    } else {
        y->expects = false;
        y->ping_at_ns = now_ns + YAMUX_PING_NS;
    }
}

int yamux_receive(struct yamux *y, struct evbuffer *in, uint64_t now_ns)
{
    assert(!y->dead);
    heard(y, now_ns);
    int err = health(y);
    while (!err) {
        if (y->payload_left) {
            if (evbuffer_get_length(in) == 0) {
                break;
            }
            err = receive_payload(y, in);
        } else {
            if (evbuffer_get_length(in) < YAMUX_HEADER) {
                break;
            }
            err = receive_frame(y, in, now_ns);
        }
        err = err ? err : health(y);
    }
    y->dead = err != YAMUX_OK;
    return err;
}

int yamux_advance(struct yamux *y, uint64_t now_ns)
{
    if (now_ns < y->ping_at_ns) {
        return YAMUX_OK;
    }
    if (y->ping_is_out) {
        y->dead = true;
        return YAMUX_ETIMEOUT;
    }
    if (y->held && !y->config.is_client && ++y->stalled > STALLED_MAX) {
        y->overfull = true; /* it is there, and will not take what it asked for */
    }
    y->ping_is_out = true;
    y->ping_at_ns = now_ns + (y->expects ? YAMUX_ANSWER_NS : YAMUX_PING_WAIT_NS);
    yamux__send_header(y, YAMUX_PING, YAMUX_SYN, 0, y->ping_id);
    return health(y);
}

void yamux_expect(struct yamux *y, bool doubtful, uint64_t now_ns)
{
    uint64_t quiet = y->ping_is_out ? YAMUX_ANSWER_NS : doubtful ? 0 : YAMUX_QUIET_NS;
    if (now_ns + quiet < y->ping_at_ns) {
        y->ping_at_ns = now_ns + quiet;
        y->expects = true;
    }
}

uint64_t yamux_deadline(const struct yamux *y)
{
    return y->ping_at_ns;
}

int yamux_pump(struct yamux *y)
{
    while (y->waiting && evbuffer_get_length(y->config.out) < YAMUX_OUT_MAX) {
        struct yamux_stream *s = y->waiting;
        yamux__unwait(s);
        yamux__stream_flush(s); /* goes to the end of the queue if it has more */
    }
    return health(y);
}

bool yamux_is_retiring(const struct yamux *y)
{
    return y->dead || y->peer_goes_away || y->next_id > UINT32_MAX - 2;
}

bool yamux_can_open(const struct yamux *y)
{
    return !yamux_is_retiring(y) && y->unacked < YAMUX_BACKLOG_MAX &&
           y->streams.count < y->config.streams_max;
}

struct yamux_stream *yamux_open(struct yamux *y, void *stream_user)
{
    if (!yamux_can_open(y)) {
        return NULL;
    }
    struct yamux_stream *s = yamux__stream_create(y, y->next_id, stream_user);
    if (s) {
        s->is_ours = true;
        y->next_id += 2;
        y->unacked++;
    }
    return s;
}

size_t yamux_stream_count(const struct yamux *y)
{
    return y->streams.count;
}
