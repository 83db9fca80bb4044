/* stream.c - exchanges over streams: full state, the fallback ping, and user messages.
 *
 *     they open   ping -> ack          push/pull -> push/pull        user message
 *     we open     ping -> ack          push/pull -> push/pull
 *
 * A stream's bytes are gathered until the framer finds the end of the one message that each side
 * sends. */
#include "core.h"

#include <assert.h>
#include <string.h>

static struct swim__stream *stream_create(struct swim *s, enum swim__stream_kind kind,
                                          const struct swim_addr *peer)
{
    struct swim__stream *st = mu__alloc(&s->allocator, sizeof *st);
    if (!st) {
        return NULL;
    }
    do {
        s->next_stream++;
    } while (s->next_stream == 0 ||
             mu__map_get(&s->streams, &s->next_stream, sizeof s->next_stream));
    *st = (struct swim__stream){.id = s->next_stream,
                                .kind = kind,
                                .peer = *peer,
                                .deadline_ns = s->now + s->cfg.stream_timeout_ns,
                                .in = mu__writer_growing(&s->allocator),
                                .out = mu__writer_growing(&s->allocator)};
    swim__framer_init(&st->framer);
    if (!mu__map_set(&s->streams, &st->id, sizeof st->id, st, NULL)) {
        mu__free(&s->allocator, st);
        return NULL;
    }
    s->streams_in += kind == SWIM__STREAM_IN ? 1 : 0;
    return st;
}

/* ---- what all of them hold: others decide how many streams there are, and how much is in each */

static bool has_room(const struct swim *s, size_t more)
{
    size_t most = 4 * s->cfg.state_bytes_max;
    return more <= most - mu__min(most, s->stream_bytes);
}

/* Counts anew what this one holds. */
static void recount(struct swim *s, struct swim__stream *st)
{
    size_t holds = st->in.len + st->out.len;
    s->stream_bytes += holds - st->counted;
    st->counted = holds;
}

static void drop_input(struct swim *s, struct swim__stream *st)
{
    mu__writer_fini(&st->in);
    recount(s, st);
}

static void stream_free(struct swim *s, struct swim__stream *st)
{
    mu__map_remove(&s->streams, &st->id, sizeof st->id);
    s->streams_in -= st->kind == SWIM__STREAM_IN ? 1 : 0;
    mu__writer_fini(&st->in);
    mu__writer_fini(&st->out);
    s->stream_bytes -= st->counted;
    mu__free(&s->allocator, st->result);
    mu__free(&s->allocator, st);
}

static bool seal(struct swim *s, struct swim__stream *st, struct mu_str plain)
{
    uint8_t nonce[SWIM__NONCE_LEN] = {0};
    if (swim__envelope_encrypts(&s->envelope) && !swim__nonce(s, nonce)) {
        return false;
    }
    bool first = st->kind != SWIM__STREAM_IN;
    return swim__stream_seal(&s->envelope, first, nonce, plain, &s->allocator, &st->out) &&
           !st->out.failed;
}

static bool seal_msg(struct swim *s, struct swim__stream *st, const struct swim__msg *msg)
{
    struct mu__writer *w = swim__build(s);
    swim__msg_encode(w, msg);
    return !w->failed && seal(s, st, (struct mu_str){(const char *)w->data, w->len});
}

static bool seal_state(struct swim *s, struct swim__stream *st, bool join)
{
    struct mu__writer w = mu__writer_growing(&s->allocator);
    bool ok =
        swim__sync_write(s, join, &w) && seal(s, st, (struct mu_str){(const char *)w.data, w.len});
    mu__writer_fini(&w);
    return ok;
}

/* ---- streams that we open ---- */

static struct swim__stream *enqueue(struct swim *s, struct swim__stream *st, bool sealed)
{
    if (!sealed) {
        stream_free(s, st);
        return NULL;
    }
    *s->out_last = st;
    s->out_last = &st->next_out;
    s->stats.streams_out++;
    s->stats.stream_bytes_out += st->out.len;
    return st;
}

struct swim__stream *swim__stream_open_sync(struct swim *s, const struct swim_addr *to, bool join)
{
    struct swim__stream *st = stream_create(s, SWIM__STREAM_SYNC, to);
    if (!st) {
        return NULL;
    }
    st->join = join;
    return enqueue(s, st, seal_state(s, st, join));
}

struct swim__stream *swim__stream_open_ping(struct swim *s, const struct swim_addr *to,
                                            const struct swim__ping *ping)
{
    struct swim__stream *st = stream_create(s, SWIM__STREAM_PING, to);
    if (!st) {
        return NULL;
    }
    st->seq = ping->seq_no;
    struct swim__msg msg = {.type = SWIM__MSG_PING, .ping = *ping};
    return enqueue(s, st, seal_msg(s, st, &msg));
}

bool swim_next_stream(struct swim *s, struct swim_stream *out)
{
    struct swim__stream *st = s->out_first;
    if (!st) {
        return false;
    }
    s->out_first = st->next_out;
    if (!s->out_first) {
        s->out_last = &s->out_first;
    }
    st->opened = true;
    *out = (struct swim_stream){.id = st->id,
                                .to = st->peer,
                                .deadline_ns = st->deadline_ns,
                                .data = st->out.data,
                                .len = st->out.len};
    return true;
}

int swim_join(struct swim *s, uint64_t now_ns, const struct swim_addr *addr, uint32_t *id)
{
    swim__enter(s, now_ns);
    if (s->leave_stage != SWIM__STAYING) {
        return SWIM_ELEFT;
    }
    if ((addr->len != 4 && addr->len != 16) || addr->port == 0) {
        return SWIM_EINVAL;
    }
    struct swim__event_body *result = swim__event_body(s, (struct mu_str){0}, (struct mu_str){0});
    struct swim__stream *st = result ? swim__stream_open_sync(s, addr, true) : NULL;
    if (!st) {
        mu__free(&s->allocator, result);
        return SWIM_ENOMEM;
    }
    result->addr = *addr;
    result->stream = st->id;
    st->result = result;
    if (id) {
        *id = st->id;
    }
    return SWIM_OK;
}

/* ---- what comes in ---- */

static int answer_ping(struct swim *s, struct swim__stream *st, const struct swim__ping *ping)
{
    if (ping->node.len > 0 && !swim__is_self_name(s, ping->node)) {
        return SWIM_OK; /* closed without a word: it looks for another node */
    }
    struct swim__msg ack = {.type = SWIM__MSG_ACK, .ack = {.seq_no = ping->seq_no}};
    return seal_msg(s, st, &ack) ? SWIM_OK : SWIM_ENOMEM;
}

static int answer_sync(struct swim *s, struct swim__stream *st, struct mu_str plain)
{
    struct swim__pushpull p;
    if (!swim__pushpull_begin(&p, plain.p, plain.len)) {
        return SWIM_EPROTO;
    }
    if (!has_room(s, 1)) {
        return SWIM_EFULL;
    }
    /* Our state goes out as it was before the merge; the other side learns of refusals by
     * itself. */
    if (!seal_state(s, st, p.header.join)) {
        return SWIM_ENOMEM;
    }
    return swim__sync_merge(s, plain.p, plain.len, false);
}

static int handle_request(struct swim *s, struct swim__stream *st, struct mu_str plain)
{
    struct swim__msg msg;
    struct mu_str user;
    uint8_t type = (uint8_t)plain.p[0];
    if (st->peer_closed && (type == SWIM__MSG_PING || type == SWIM__MSG_PUSH_PULL)) {
        return SWIM_ECLOSED; /* nobody waits for the answer */
    }
    switch (type) {
    case SWIM__MSG_PING:
        return swim__msg_decode(plain.p, plain.len, &msg) ? answer_ping(s, st, &msg.ping)
                                                          : SWIM_EPROTO;
    case SWIM__MSG_PUSH_PULL:
        return answer_sync(s, st, plain);
    case SWIM__MSG_USER:
        if (!swim__user_stream_decode(plain.p, plain.len, &user)) {
            return SWIM_EPROTO;
        }
        return swim__serf_receive(s, &st->peer, user);
    default:
        return SWIM_EPROTO;
    }
}

static int handle_reply(struct swim *s, struct swim__stream *st, struct mu_str plain)
{
    struct swim__msg msg;
    uint8_t type = (uint8_t)plain.p[0];
    if (type == SWIM__MSG_PUSH_PULL && st->kind == SWIM__STREAM_SYNC) {
        int rc = swim__sync_merge(s, plain.p, plain.len, st->result != NULL);
        if (rc == SWIM_OK && st->result && !swim__join_announce(s)) {
            rc = SWIM_ENOMEM;
        }
        return rc;
    }
    if (!swim__msg_decode(plain.p, plain.len, &msg)) {
        return SWIM_EPROTO;
    }
    if (type == SWIM__MSG_ACK && st->kind == SWIM__STREAM_PING) {
        if (msg.ack.seq_no != st->seq) {
            return SWIM_EPROTO;
        }
        swim__probe_stream_ack(s, st->id, msg.ack.seq_no);
        return SWIM_OK;
    }
    if (type == SWIM__MSG_ERR) {
        swim__log(s, MU_WARN, "the peer answered with an error: %.*s",
                  (int)mu__min(msg.err.text.len, 200), msg.err.text.p);
        return SWIM_EREMOTE;
    }
    return SWIM_EPROTO;
}

static int open_error(enum swim__open_result r)
{
    switch (r) {
    case SWIM__OPEN_OK:
        return SWIM_OK;
    case SWIM__OPEN_NOMEM:
        return SWIM_ENOMEM;
    case SWIM__OPEN_UNDECRYPTED:
    case SWIM__OPEN_PLAIN:
    case SWIM__OPEN_ENCRYPTED:
        return SWIM_ECRYPT;
    default:
        return SWIM_EPROTO;
    }
}

static void answer_error(struct swim *s, struct swim__stream *st, enum swim__open_result why)
{
    const char *text = swim__open_text(why);
    struct swim__msg msg = {.type = SWIM__MSG_ERR, .err = {.text = {text, strlen(text)}}};
    if (st->kind == SWIM__STREAM_IN && !st->peer_closed && !seal_msg(s, st, &msg)) {
        st->out.len = 0;
    }
}

/* The message is complete: open it and act on it. */
static int handle_whole(struct swim *s, struct swim__stream *st)
{
    struct mu__arena scratch;
    struct mu_str plain;
    bool theirs = st->kind == SWIM__STREAM_IN;
    mu__arena_init(&scratch, &s->allocator, 2 * s->cfg.state_bytes_max + (1u << 16));
    enum swim__open_result opened =
        swim__stream_open(&s->envelope, theirs, &scratch, st->in.data, st->framer.pos, &plain);
    int rc = open_error(opened);
    if (opened != SWIM__OPEN_OK) {
        answer_error(s, st, opened);
        if (opened != SWIM__OPEN_NOMEM) {
            swim__note_unreadable(s, &st->peer, opened);
        }
    } else if (plain.len > s->cfg.state_bytes_max) {
        rc = SWIM_EPROTO;
    } else {
        rc = theirs ? handle_request(s, st, plain) : handle_reply(s, st, plain);
    }
    mu__arena_fini(&scratch);
    return rc;
}

static struct swim__stream *find(const struct swim *s, uint32_t id)
{
    return mu__map_get(&s->streams, &id, sizeof id);
}

int swim_stream_accept(struct swim *s, uint64_t now_ns, const struct swim_addr *from, uint32_t *id,
                       uint64_t *deadline_ns)
{
    swim__enter(s, now_ns);
    if (s->streams_in >= s->cfg.streams_max || s->leave_stage == SWIM__HAS_LEFT) {
        return SWIM_EFULL;
    }
    struct swim__stream *st = stream_create(s, SWIM__STREAM_IN, from);
    if (!st) {
        return SWIM_ENOMEM;
    }
    s->stats.streams_in++;
    *id = st->id;
    *deadline_ns = st->deadline_ns;
    return SWIM_OK;
}

void swim_stream_peer_closed(struct swim *s, uint64_t now_ns, uint32_t id)
{
    swim__enter(s, now_ns);
    struct swim__stream *st = find(s, id);
    if (st && st->kind == SWIM__STREAM_IN) {
        st->peer_closed = true;
    }
}

/* Adds bytes; SWIM_OK with *whole when the message is complete. */
static int gather(struct swim *s, struct swim__stream *st, const void *data, size_t len,
                  bool *whole)
{
    /* Packing, sealing and headers add a little to a message that just fits. */
    size_t most = s->cfg.state_bytes_max + s->cfg.state_bytes_max / 8 + (1u << 16);
    *whole = false;
    if (len > most - mu__min(most, st->in.len)) {
        return SWIM_EPROTO;
    }
    if (!has_room(s, len)) {
        return SWIM_EFULL;
    }
    mu__write_bytes(&st->in, data, len);
    if (st->in.failed) {
        return SWIM_ENOMEM;
    }
    recount(s, st);
    switch (swim__framer_feed(&st->framer, st->in.data, st->in.len)) {
    case SWIM__FRAME_BAD:
        return SWIM_EPROTO;
    case SWIM__FRAME_WHOLE:
        *whole = true;
        return SWIM_OK;
    default:
        return SWIM_OK;
    }
}

int swim_stream_receive(struct swim *s, uint64_t now_ns, uint32_t id, const void *data, size_t len,
                        struct swim_reply *out)
{
    swim__enter(s, now_ns);
    struct swim__stream *st = find(s, id);
    *out = (struct swim_reply){.done = true};
    if (!st) {
        return SWIM_ENOENT;
    }
    if (st->done || len == 0) {
        out->done = st->done;
        return SWIM_OK;
    }
    bool whole, theirs = st->kind == SWIM__STREAM_IN;
    int rc = gather(s, st, data, len, &whole);
    if (rc == SWIM_OK && whole) {
        rc = handle_whole(s, st);
    }
    st->done = whole || rc != SWIM_OK;
    out->done = st->done;
    if (rc != SWIM_OK) {
        st->err = rc;
        s->stats.streams_failed++;
    }
    if (st->done) {
        drop_input(s, st);
        if (theirs && st->out.len > 0) {
            out->data = st->out.data;
            out->len = st->out.len;
        }
    }
    return rc;
}

/* Tells the host how its join went. Without room for the event the stream would have to stay: try
 * to make some. */
static void report_join(struct swim *s, struct swim__stream *st)
{
    if (!st->result) {
        return;
    }
    if (!swim__events_reserve(s, 1)) {
        swim__log(s, MU_ERROR, "out of memory: the result of a join is lost");
        return;
    }
    st->result->err = st->err != SWIM_OK ? st->err : st->done ? SWIM_OK : SWIM_ECLOSED;
    swim__event_push(s, SWIM_EVENT_JOIN_RESULT, NULL, st->result);
    st->result = NULL;
}

void swim_stream_end(struct swim *s, uint64_t now_ns, uint32_t id)
{
    swim__enter(s, now_ns);
    struct swim__stream *st = find(s, id);
    if (!st || (st->kind != SWIM__STREAM_IN && !st->opened)) {
        return;
    }
    if (!st->done && st->err == SWIM_OK) {
        s->stats.streams_failed++;
    }
    report_join(s, st);
    stream_free(s, st);
}

void swim__streams_fini(struct swim *s)
{
    size_t at = 0;
    for (struct swim__stream *st; (st = mu__map_next(&s->streams, &at)) != NULL;) {
        stream_free(s, st);
    }
    mu__map_fini(&s->streams);
}
