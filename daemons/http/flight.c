/* flight.c - identical queries travel together: one call, one evaluation, one encoded body.
 *
 * What is asked for and the index that it must pass make a flight's key, so all aboard wait for the
 * same change and get the same bytes. The first of them leaves its request and its call to the
 * flight; of the others there is nothing left but their connections and the bytes of their heads.
 *
 * The call of a flight waits as long as a query may. How long each client wants to wait, and the
 * jitter that keeps clients from coming back in step, is seen to here: whose time is over leaves,
 * and asks anew without waiting.
 *
 * Reads that do not wait travel together, too, where a call is a question to another process: but
 * who comes while one is under way may know of a change that it was too early to see. So it takes
 * the next one, with all who have come by then, which leaves when the first has landed.
 *
 * An answer for thousands is told in slices, between which others have their turn. */
#include "internal.h"

#include "alloc.h"
#include "base/loop.h"
#include "rpc/endpoints.h"
#include <assert.h>
#include <string.h>

#define WAIT_JITTER 16 /* a wait grows by up to a 16th */
#define SLICE_MIN   8u /* answers between two looks at the clock */

struct http_flight {
    struct http_server *server;
    struct http_request *request;         /* under way, or the next; NULL: landed */
    struct http_flight *next;             /* of reads: leaves when this one has landed */
    struct http_flight *before;           /* not NULL: this is such a next one */
    struct http_connection *first, *last; /* the oldest first */
    size_t count;
    uint64_t index, wait_ns, started_ns; /* of its call */
    uint64_t committed_ns;               /* of the change that it brings */
    struct http_flight *next_landed;
    struct http_answer answer; /* once landed; extra is the flight's own */
    struct http_body *body;
    size_t key_len;
    char key[];
};

static const struct mu_allocator *heap(void)
{
    return &mu__malloc_allocator;
}

static struct catalog_query_options *options_of(const struct http_request *r)
{
    return endpoint_options(r->call->endpoint, r->call->request);
}

/* ---- The key ---- */

static void write_part(struct mu__writer *w, struct mu_str s)
{
    mu__write_u32be(w, (uint32_t)s.len);
    mu__write_bytes(w, s.p, s.len);
}

static bool is_about_time(struct mu_str key)
{
    return mu__str_eq(key, mu__cstr("index")) || mu__str_eq(key, mu__cstr("wait"));
}

/* All that can make two answers differ. Answers are made of nothing but the path, the parameters
 * and these headers; the index stands for the change that is waited for. */
static struct mu_str key_of(struct http_request *r)
{
    static const char *const headers[] = {"X-Consul-Token", "Authorization", "Cache-Control"};
    struct mu__writer *w = &r->server->key;
    w->len = 0;
    w->failed = false;
    mu__write_u64be(w, options_of(r)->min_query_index);
    mu__write_u8(w, (uint8_t)r->method);
    mu__write_u8(w, r->gzip);
    write_part(w, r->path);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        write_part(w, http_field(&r->head, headers[i]));
    }
    for (size_t i = 0; i < r->query.len; i++) {
        const struct http_param *p = &r->query.items[i];
        if (!is_about_time(p->key)) {
            write_part(w, p->key);
            write_part(w, p->value);
        }
    }
    return (struct mu_str){w->failed ? NULL : (const char *)w->data, w->len};
}

/* ---- Who is aboard ---- */

static void arm(struct http_server *s)
{
    const struct mu__heap_item *first = mu__heap_min(&s->wait_ends);
    if (!first) {
        event_del(s->wait_timer);
        return;
    }
    uint64_t now = loop_now_ns(), left = first->at > now ? first->at - now : 0;
    struct timeval tv = {.tv_sec = (time_t)(left / MU_SEC),
                         .tv_usec = (suseconds_t)(left % MU_SEC / MU_USEC + 1)};
    event_add(s->wait_timer, &tv);
}

static uint64_t wait_of(struct http_server *s, const struct catalog_query_options *o)
{
    const struct http_server_config *c = &s->config;
    uint64_t wait = o->max_query_time_ns > 0 ? (uint64_t)o->max_query_time_ns : c->wait_default_ns;
    wait = wait < c->wait_max_ns ? wait : c->wait_max_ns;
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return wait + (s->random >> 33) % (wait / WAIT_JITTER + 1);
}

/* Keeps what is needed when the connection's time is over. */
static bool set_wait_end(struct http_server *s, struct http_request *r)
{
    struct http_connection *c = r->connection;
    char *kept = mu__memdup(heap(), r->raw.p, r->raw.len);
    uint64_t end = loop_now_ns() + wait_of(s, options_of(r));
    if (!kept || !mu__heap_set(&s->wait_ends, &c->wait_end, end)) {
        mu__free(heap(), kept);
        return false;
    }
    if (mu__heap_min(&s->wait_ends) == &c->wait_end) {
        arm(s);
    }
    c->kept = (struct mu_str){kept, r->raw.len};
    return true;
}

/* Its request is not the connection's any more. False: out of memory, and nothing has happened. */
static bool join(struct http_flight *f, struct http_request *r)
{
    struct http_connection *c = r->connection;
    if (f->index > 0 && !set_wait_end(f->server, r)) {
        return false;
    }
    c->request = NULL;
    c->flight = f;
    c->flight_prev = f->last;
    c->flight_next = NULL;
    *(f->last ? &f->last->flight_next : &f->first) = c;
    f->last = c;
    f->count++;
    return true;
}

/* The caller owns what was kept of its request. */
static struct mu_str part(struct http_connection *c)
{
    struct http_flight *f = c->flight;
    struct mu_str kept = c->kept;
    *(c->flight_prev ? &c->flight_prev->flight_next : &f->first) = c->flight_next;
    *(c->flight_next ? &c->flight_next->flight_prev : &f->last) = c->flight_prev;
    f->count--;
    mu__heap_remove(&f->server->wait_ends, &c->wait_end);
    c->flight = NULL;
    c->kept = (struct mu_str){NULL, 0};
    return kept;
}

static void drop_kept(struct mu_str kept)
{
    mu__free(heap(), (void *)(uintptr_t)kept.p);
}

static void free_flight(struct http_flight *f)
{
    assert(!f->first);
    mu__free(heap(), (void *)(uintptr_t)f->answer.extra.p);
    http__body_unref(f->body);
    mu__free(heap(), f);
}

/* Out of memory: their clients ask again. */
static void close_all(struct http_flight *f)
{
    while (f->first) {
        struct http_connection *c = f->first;
        drop_kept(part(c));
        http__connection_close(c);
    }
    free_flight(f);
}

/* The one before has landed, or is given up: the next takes its place, and is to leave. NULL: there
 * is none (any more). */
static struct http_flight *seat(struct http_flight *next)
{
    if (!next) {
        return NULL;
    }
    next->before = NULL;
    if (mu__map_set(&next->server->flights, next->key, next->key_len, next, NULL)) {
        return next;
    }
    http__request_free(next->request);
    next->request = NULL;
    close_all(next);
    return NULL;
}

static void leave(struct http_flight *next)
{
    if (next) {
        http__call_start(next->request);
    }
}

/* Nobody waits for it any more. One that has landed is freed by who tells its answer. */
static void give_up_if_empty(struct http_flight *f)
{
    if (f->count > 0 || !f->request) {
        return;
    }
    struct http_flight *next = f->next;
    if (f->before) {
        f->before->next = NULL;
    } else {
        mu__map_remove(&f->server->flights, f->key, f->key_len);
    }
    http__request_free(f->request);
    free_flight(f);
    leave(seat(next));
}

bool http__flight_may_last(const struct http_flight *f)
{
    return f->index > 0;
}

void http__flight_leave(struct http_connection *c)
{
    struct http_flight *f = c->flight;
    drop_kept(part(c));
    give_up_if_empty(f);
}

static void on_wait_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *s = arg;
    uint64_t now = loop_now_ns();
    for (struct mu__heap_item *i; (i = mu__heap_min(&s->wait_ends)) != NULL && i->at <= now;) {
        struct http_connection *c =
            (void *)((char *)i - offsetof(struct http_connection, wait_end));
        struct http_flight *f = c->flight;
        struct mu_str kept = part(c);
        give_up_if_empty(f);
        http__request_repeat(c, kept);
        drop_kept(kept);
    }
    arm(s);
}

/* ---- Taking off ---- */

/* A flight with that request's connection alone aboard; NULL: out of memory. */
static struct http_flight *make(struct http_request *r, struct mu_str key)
{
    struct http_server *s = r->server;
    struct http_flight *f = mu__calloc(heap(), 1, sizeof *f + key.len);
    if (!f) {
        return NULL;
    }
    uint64_t index = options_of(r)->min_query_index;
    *f = (struct http_flight){.server = s,
                              .request = r,
                              .index = index,
                              .wait_ns = index ? s->config.wait_max_ns : MU_NEVER,
                              .started_ns = loop_now_ns(),
                              .key_len = key.len};
    memcpy(f->key, key.p, key.len);
    if (!join(f, r)) {
        mu__free(heap(), f);
        return NULL;
    }
    return f;
}

/* The first of its kind. False: out of memory, and the request is as it was. */
static bool take_off(struct http_request *r, struct mu_str key)
{
    struct http_connection *c = r->connection;
    struct http_flight *f = make(r, key);
    if (f && !mu__map_set(&r->server->flights, f->key, f->key_len, f, NULL)) {
        drop_kept(part(c));
        c->request = r;
        free_flight(f);
        f = NULL;
    }
    if (!f) {
        return false;
    }
    r->flight = f;
    r->connection = NULL;
    if (f->index > 0) {
        options_of(r)->max_query_time_ns = (int64_t)f->wait_ns;
    }
    http__call_start(r);
    return true;
}

/* One that waits for news, or has not left: there is still room. */
static bool join_others(struct http_flight *f, struct http_request *r)
{
    if (!join(f, r)) {
        return false;
    }
    http__request_free(r);
    return true;
}

static bool board_next(struct http_flight *f, struct http_request *r, struct mu_str key)
{
    if (f->next) {
        return join_others(f->next, r);
    }
    f->next = make(r, key);
    if (!f->next) {
        return false;
    }
    f->next->before = f;
    r->flight = f->next;
    r->connection = NULL;
    return true;
}

bool http__flight_board(struct http_request *r)
{
    struct mu_str key = r->body.len == 0 && !r->flight ? key_of(r) : (struct mu_str){NULL, 0};
    if (!key.p) {
        return false;
    }
    struct http_flight *f = mu__map_get(&r->server->flights, key.p, key.len);
    if (!f) {
        return take_off(r, key);
    }
    return f->index > 0 ? join_others(f, r) : board_next(f, r, key);
}

bool http__flight_timed_out(const struct http_request *r, const struct catalog_query_meta *m)
{
    struct http_flight *f = r->flight;
    uint64_t now = loop_now_ns();
    bool is_over = m->index <= f->index && now - f->started_ns >= f->wait_ns;
    f->started_ns = is_over ? now : f->started_ns;
    return is_over;
}

/* ---- Landing ---- */

static void tell(struct http_flight *f, struct http_connection *c)
{
    drop_kept(part(c));
    c->committed_ns = f->committed_ns;
    f->server->stats.requests++;
    http__connection_answer_shared(c, http__write_head(c, &f->answer), f->body);
}

/* Tells some of those who wait for an answer that is there, then lets others have a turn. */
static void slice(struct http_server *s)
{
    static const struct timeval next_turn = {0, 0};
    uint64_t until = loop_now_ns() + s->config.slice_ns;
    s->slicing = true;
    for (unsigned n = 0; s->landed && (n == 0 || n % SLICE_MIN || loop_now_ns() < until); n++) {
        struct http_flight *f = s->landed;
        if (f->first) {
            tell(f, f->first);
        }
        if (!f->first) {
            s->landed = f->next_landed;
            s->landed_last = s->landed ? s->landed_last : &s->landed;
            free_flight(f);
        }
    }
    s->slicing = false;
    if (s->landed) {
        event_add(s->slice_timer, &next_turn);
    }
}

static void on_slice(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    slice(arg);
}

/* One alone needs no copy of its own. */
static void tell_the_only_one(struct http_flight *f, const struct http_answer *a,
                              struct mu__writer *body)
{
    struct http_connection *c = f->first;
    drop_kept(part(c));
    c->committed_ns = f->committed_ns;
    f->server->stats.requests++;
    const struct mu__writer *head = http__write_head(c, a);
    http__forget_extra(f->server);
    free_flight(f);
    http__connection_answer(c, head, body);
}

static bool keep_answer(struct http_flight *f, const struct http_answer *a,
                        const struct mu__writer *body)
{
    f->answer = *a;
    f->answer.extra.p = mu__memdup(heap(), a->extra.p, a->extra.len);
    f->body = mu__alloc(heap(), sizeof *f->body + body->len);
    if (f->body) {
        f->body->refs = 1;
        f->body->len = body->len;
        f->body->is_secret = f->server->tells_secret;
        memcpy(f->body->data, body->len ? body->data : (const uint8_t *)"", body->len);
    }
    return f->answer.extra.p && f->body;
}

static void put_into_line(struct http_flight *f)
{
    struct http_server *s = f->server;
    *s->landed_last = f;
    s->landed_last = &f->next_landed;
}

void http__flight_land(struct http_request *r, const struct http_answer *a, struct mu__writer *body)
{
    struct http_flight *f = r->flight, *next = f->next;
    struct http_server *s = f->server;
    mu__map_remove(&s->flights, f->key, f->key_len);
    f->request = NULL;
    f->next = NULL;
    f->committed_ns = r->committed_ns;
    http__request_free(r);
    next = seat(next); /* before anybody who is told asks the same again */
    if (f->count == 1) {
        tell_the_only_one(f, a, body);
        leave(next);
        return;
    }
    bool kept = keep_answer(f, a, body);
    http__forget_extra(s);
    if (kept) {
        put_into_line(f);
    } else {
        close_all(f);
    }
    leave(next); /* it is on its way while the answer is told */
    if (s->landed && !s->slicing) {
        slice(s);
    }
}

/* ---- The server's life ---- */

bool http__flights_init(struct http_server *s)
{
    s->landed_last = &s->landed;
    s->random = (uint64_t)loop_now_unix_ns() ^ (uint64_t)(uintptr_t)s;
    mu__map_init(&s->flights, NULL, s->random * UINT64_C(0x9e3779b97f4a7c15));
    mu__heap_init(&s->wait_ends, NULL);
    s->wait_timer = event_new(s->config.base, -1, 0, on_wait_end, s);
    s->slice_timer = event_new(s->config.base, -1, 0, on_slice, s);
    return s->wait_timer && s->slice_timer;
}

void http__flights_fini(struct http_server *s)
{
    while (s->landed) {
        struct http_flight *f = s->landed;
        s->landed = f->next_landed;
        free_flight(f);
    }
    mu__map_fini(&s->flights);
    mu__heap_fini(&s->wait_ends);
    if (s->wait_timer) {
        event_free(s->wait_timer);
    }
    if (s->slice_timer) {
        event_free(s->slice_timer);
    }
}
