/* yamux_stream.c - one stream: windows, half-close and the data that waits for either side. */
#include "yamux_internal.h"

#include <assert.h>

struct yamux_stream *yamux__find(const struct yamux *y, uint32_t id)
{
    return mu__map_get(&y->streams, &id, sizeof id);
}

struct yamux_stream *yamux__stream_create(struct yamux *y, uint32_t id, void *user)
{
    struct yamux_stream *s = mu__calloc(&mu__malloc_allocator, 1, sizeof *s);
    if (!s) {
        return NULL;
    }
    *s = (struct yamux_stream){.session = y,
                               .user = user,
                               .id = id,
                               .send_window = YAMUX_WINDOW,
                               .receive_window = YAMUX_WINDOW};
    if (!mu__map_set(&y->streams, &s->id, sizeof s->id, s, NULL)) {
        mu__free(&mu__malloc_allocator, s);
        return NULL;
    }
    return s;
}

static void enqueue(struct yamux_stream *s)
{
    struct yamux *y = s->session;
    if (s->is_waiting) {
        return;
    }
    s->is_waiting = true;
    s->next_waiting = NULL;
    s->previous_waiting = y->waiting_last;
    if (y->waiting_last) {
        y->waiting_last->next_waiting = s;
    } else {
        y->waiting = s;
    }
    y->waiting_last = s;
}

void yamux__unwait(struct yamux_stream *s)
{
    struct yamux *y = s->session;
    if (!s->is_waiting) {
        return;
    }
    s->is_waiting = false;
    if (s->previous_waiting) {
        s->previous_waiting->next_waiting = s->next_waiting;
    } else {
        y->waiting = s->next_waiting;
    }
    if (s->next_waiting) {
        s->next_waiting->previous_waiting = s->previous_waiting;
    } else {
        y->waiting_last = s->previous_waiting;
    }
}

/* So much less waits to be sent. */
static void release(struct yamux *y, size_t n)
{
    y->held -= n;
    if (y->config.budget) {
        y->config.budget->held -= n;
    }
}

/* Room for so much more? What waits for others than this session may cost it its life, too: who
 * comes late finds others that were first. */
static bool reserve(struct yamux *y, size_t n)
{
    struct yamux_budget *b = y->config.budget;
    if (y->held && (n > y->config.held_max || y->held > y->config.held_max - n ||
                    (b && (n > b->max || b->held > b->max - n)))) {
        y->overfull = true;
        return false;
    }
    y->held += n;
    if (b) {
        b->held += n;
    }
    return true;
}

static void destroy(struct yamux_stream *s)
{
    struct yamux *y = s->session;
    yamux__unwait(s);
    y->unacked -= s->is_ours && !s->is_acked;
    y->buffered -= s->in_counted;
    mu__map_remove(&y->streams, &s->id, sizeof s->id);
    if (s->in) {
        evbuffer_free(s->in);
    }
    if (s->out) {
        release(y, evbuffer_get_length(s->out));
        evbuffer_free(s->out);
    }
    mu__free(&mu__malloc_allocator, s);
}

void yamux__stream_die(struct yamux_stream *s)
{
    if (!s->close_requested) {
        s->close_requested = true; /* the owner must not close it once more */
        s->session->config.callbacks->died(s->session->config.user, s);
    }
    destroy(s);
}

static size_t left(const struct evbuffer *b)
{
    return b ? evbuffer_get_length(b) : 0;
}

/* Both sides have finished and nothing is left to send. */
static bool is_over(const struct yamux_stream *s)
{
    return s->fin_sent && s->fin_received && s->close_requested;
}

void yamux__stream_receive_fin(struct yamux_stream *s)
{
    s->fin_received = true;
    if (is_over(s)) {
        destroy(s);
    } else if (!s->close_requested) {
        s->session->config.callbacks->readable(s->session->config.user, s);
    }
}

/* Counts what the input holds as buffered by the session. */
static void recount(struct yamux_stream *s)
{
    size_t now = left(s->in);
    s->session->buffered = s->session->buffered - s->in_counted + now;
    s->in_counted = now;
}

bool yamux__stream_take(struct yamux_stream *s, struct evbuffer *in, size_t n)
{
    if (!s->in && !(s->in = evbuffer_new())) {
        return false;
    }
    if (evbuffer_remove_buffer(in, s->in, n) != (int)n) {
        return false;
    }
    recount(s);
    s->session->config.callbacks->readable(s->session->config.user, s);
    return true;
}

struct evbuffer *yamux_stream_input(struct yamux_stream *s)
{
    if (!s->in) {
        s->in = evbuffer_new();
    }
    return s->in;
}

/* The window is given back once half of it can be: what was consumed since the last update. */
void yamux_stream_consumed(struct yamux_stream *s)
{
    struct yamux *y = s->session;
    recount(s);
    size_t in_flight = s->receive_window + s->in_counted;
    if (y->payload_left && y->payload_frame.id == s->id) {
        in_flight += y->payload_left; /* taken off the window already, still to come */
    }
    assert(in_flight <= YAMUX_WINDOW);
    uint32_t delta = (uint32_t)(YAMUX_WINDOW - in_flight);
    if (delta < YAMUX_WINDOW / 2 || s->fin_received || s->close_requested) {
        return;
    }
    s->receive_window += delta;
    yamux__send_header(y, YAMUX_WINDOW_UPDATE, s->is_ours && !s->syn_sent ? YAMUX_SYN : 0, s->id,
                       delta);
    s->syn_sent = true;
}

static void send_data(struct yamux_stream *s, size_t n)
{
    struct yamux *y = s->session;
    if (s->is_ours && !s->syn_sent) {
        /* Like Go: an empty window update opens the stream, and data follows without waiting. */
        yamux__send_header(y, YAMUX_WINDOW_UPDATE, YAMUX_SYN, s->id, 0);
        s->syn_sent = true;
    }
    yamux__send_header(y, YAMUX_DATA, 0, s->id, (uint32_t)n);
    int sent = evbuffer_remove_buffer(s->out, y->config.out, n);
    y->no_memory = y->no_memory || sent != (int)n;
    s->send_window -= (uint32_t)n;
    release(y, sent > 0 ? (size_t)sent : 0);
    y->stalled = 0;
}

static void send_fin(struct yamux_stream *s)
{
    if (s->fin_sent) {
        return;
    }
    s->fin_sent = true;
    if (!s->is_ours || s->syn_sent) {
        yamux__send_header(s->session, YAMUX_WINDOW_UPDATE, YAMUX_FIN, s->id, 0);
    } else {
        s->fin_received = true; /* it was never announced: the peer knows nothing of it */
    }
}

/* Sends one frame's worth, and queues for another turn if there is more and window for it. */
void yamux__stream_flush(struct yamux_stream *s)
{
    struct yamux *y = s->session;
    size_t n = mu__min(mu__min(left(s->out), s->send_window), YAMUX_FRAME);
    if (n && evbuffer_get_length(y->config.out) >= YAMUX_OUT_MAX) {
        enqueue(s);
        return;
    }
    if (n) {
        send_data(s, n);
    }
    if (left(s->out)) {
        if (s->send_window) {
            enqueue(s);
        }
        return;
    }
    if (s->close_requested) {
        send_fin(s);
        if (is_over(s)) {
            destroy(s);
        }
    }
}

void yamux_stream_write(struct yamux_stream *s, struct evbuffer *data)
{
    struct yamux *y = s->session;
    assert(!s->close_requested);
    size_t n = evbuffer_get_length(data);
    if (!reserve(y, n)) {
        evbuffer_drain(data, n);
        return;
    }
    if ((!s->out && !(s->out = evbuffer_new())) || evbuffer_add_buffer(s->out, data) != 0) {
        release(y, n);
        y->no_memory = true;
        return;
    }
    if (!s->is_waiting) {
        yamux__stream_flush(s);
    }
    yamux_pump(y);
}

void yamux_stream_close(struct yamux_stream *s)
{
    assert(!s->close_requested);
    s->close_requested = true;
    if (s->in) { /* what was not read is of no use any more */
        evbuffer_drain(s->in, evbuffer_get_length(s->in));
        recount(s);
    }
    if (!s->is_waiting) {
        yamux__stream_flush(s);
    }
}

void yamux_stream_reset(struct yamux_stream *s)
{
    assert(!s->close_requested);
    s->close_requested = true;
    if (!s->is_ours || s->syn_sent) {
        yamux__send_header(s->session, YAMUX_WINDOW_UPDATE, YAMUX_RST, s->id, 0);
    }
    destroy(s);
}

void yamux_stream_set_user(struct yamux_stream *s, void *user)
{
    s->user = user;
}

void *yamux_stream_user(const struct yamux_stream *s)
{
    return s->user;
}

uint32_t yamux_stream_id(const struct yamux_stream *s)
{
    return s->id;
}

bool yamux_stream_is_ended(const struct yamux_stream *s)
{
    return s->fin_received;
}
