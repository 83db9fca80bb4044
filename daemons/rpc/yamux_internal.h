/* yamux_internal.h - what yamux.c and yamux_stream.c share. */
#pragma once

#include "yamux.h"

#include "cursor.h"
#include "map.h"

#define YAMUX_VERSION 0u
#define YAMUX_HEADER  12u
#define YAMUX_OUT_MAX ((size_t)1 << 20) /* data waits in its stream while out is longer */
#define YAMUX_FRAME   65536u            /* largest data frame of ours, so that streams take turns */

enum yamux_type { YAMUX_DATA, YAMUX_WINDOW_UPDATE, YAMUX_PING, YAMUX_GO_AWAY };
enum yamux_flag { YAMUX_SYN = 1, YAMUX_ACK = 2, YAMUX_FIN = 4, YAMUX_RST = 8 };
enum { GO_AWAY_NORMAL, GO_AWAY_PROTOCOL, GO_AWAY_INTERNAL };

struct frame {
    uint8_t version, type;
    uint16_t flags;
    uint32_t id, length;
};

struct yamux {
    struct yamux_config config;
    struct mu__map streams;                      /* by id */
    struct yamux_stream *waiting, *waiting_last; /* streams that have data and window, in turn */
    uint32_t next_id;
    uint32_t payload_left; /* of payload_frame */
    struct frame payload_frame;
    size_t buffered;     /* received and not consumed, over all streams */
    size_t held;         /* written to streams and not sent */
    size_t unacked;      /* our streams without ACK */
    uint64_t ping_at_ns; /* when to ping, or when to give up while one is out */
    uint32_t ping_id;
    bool expects;     /* the ping stands where it does because the peer owes an answer */
    unsigned stalled; /* pings since the peer took something of what is held */
    bool ping_is_out, peer_goes_away, dead, no_memory, overfull;
};

struct yamux_stream {
    struct yamux *session;
    void *user;
    struct evbuffer *in,
        *out; /* made when first needed; out: written, waiting for window or turn */
    struct yamux_stream *next_waiting, *previous_waiting;
    size_t in_counted; /* share of session->buffered */
    uint32_t id, send_window, receive_window;
    bool is_ours, syn_sent, is_acked, is_waiting;
    bool fin_received, fin_sent, close_requested;
};

void yamux__send_header(struct yamux *y, enum yamux_type type, unsigned flags, uint32_t id,
                        uint32_t length);
struct yamux_stream *yamux__find(const struct yamux *y, uint32_t id);
struct yamux_stream *yamux__stream_create(struct yamux *y, uint32_t id, void *user);
/* Ends it for reasons beyond its owner, who is told unless it had closed the stream already; frees
 * it. */
void yamux__stream_die(struct yamux_stream *s);
void yamux__stream_receive_fin(struct yamux_stream *s); /* may free it */
/* False: no memory. */
bool yamux__stream_take(struct yamux_stream *s, struct evbuffer *in, size_t n);
void yamux__stream_flush(struct yamux_stream *s); /* may free it */
void yamux__unwait(struct yamux_stream *s);
