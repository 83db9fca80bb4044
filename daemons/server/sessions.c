/* sessions.c - the time that sessions need and the catalog does not know: TTLs, which the leader
 * keeps, and lock delays, which every server keeps from what it applies, so that a new leader knows
 * of those that began before it. All on the core loop, but for what checks a request. */
#include "core_job.h"

#include "base/log.h"
#include "base/metrics.h"
#include "server/session_ttl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define MODULE       "agent.server"
#define AT_ONCE      512u /* sessions that are ended before others have a turn on the loop */
#define UUID_LEN     36u
#define ID_ERROR_MAX CATALOG_SESSION_ID_TEXT_MAX

struct server_sessions {
    struct session_ttl ttl; /* first, for its tests; empty, but for the leader's */
    struct deadlines delays;
    bool is_leading;
    struct event *timer;
    uint64_t armed_ns; /* MU_NEVER: not */
};

/* ---- Requests, on a front ---- */

/* Of version 4, as RFC 9562 has it. */
static bool make_id(struct mu__arena *arena, struct mu_str *out)
{
    uint8_t b[16];
    char *text = mu__arena_alloc(arena, UUID_LEN + 1);
    if (!text || getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        return false;
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    size_t at = 0;
    for (size_t i = 0; i < sizeof b; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += (size_t)snprintf(text + at, UUID_LEN + 1 - at, dash ? "-%02x" : "%02x", b[i]);
    }
    *out = (struct mu_str){text, at};
    return true;
}

const char *server__session_prepare(const struct server *s, struct call *c, char *err,
                                    size_t errlen)
{
    struct catalog_session_request *q = c->request;
    const char *why = catalog_session_prepare(q, err, errlen);
    if (!why) {
        why = session_ttl_check(q->session.ttl, s->config->session_ttl_min_ns, err, errlen);
    }
    if (!why && mu__str_eq(q->op, mu__cstr("create"))) {
        why = make_id(&c->arena, &q->session.id) ? NULL : "no ID can be made";
    } else if (!why) {
        why = catalog_session_id_check(q->session.id, err, errlen);
    }
    return why;
}

/* ---- The timer ---- */

/* Renewals put deadlines off, so the timer may be early; then it looks again. */
static void arm(struct server_sessions *x)
{
    uint64_t at = session_ttl_deadline(&x->ttl), now = loop_now_ns();
    if (at >= x->armed_ns) {
        return;
    }
    uint64_t left = at > now ? at - now : 0;
    struct timeval tv = {.tv_sec = (time_t)(left / MU_SEC),
                         .tv_usec = (suseconds_t)(left % MU_SEC / MU_USEC) + 1};
    x->armed_ns = at;
    if (event_add(x->timer, &tv) != 0) {
        abort();
    }
}

void server__sessions_tick(struct server *s)
{
    struct server_sessions *x = s->sessions;
    uint64_t now = loop_now_ns();
    x->armed_ns = MU_NEVER;
    for (size_t i = 0; i < AT_ONCE && x->is_leading; i++) {
        struct mu_str id = session_ttl_next_due(&x->ttl, now);
        if (!id.p) {
            break;
        }
        log_debug(MODULE, "session TTL expired: session=%.*s", (int)id.len, id.p);
        struct catalog_session_request destroy = {
            .datacenter = s->config->datacenter, .op = mu__cstr("destroy"), .session = {.id = id}};
        server__propose(s, CATALOG_ENTRY_SESSION, CATALOG_SESSION_REQUEST, &destroy);
    }
    arm(x);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    server__sessions_tick(arg);
}

/* ---- What is applied ---- */

static void start_delay(struct server_sessions *x, struct mu_str key, uint64_t delay_ns)
{
    uint64_t now = loop_now_ns();
    for (struct deadline *old; (old = deadlines_first(&x->delays)) != NULL && old->at.at <= now;) {
        deadlines_remove(&x->delays, old->name);
    }
    deadlines_set(&x->delays, key, now + delay_ns);
}

/* One that ended because of its TTL was marked then, and given another look a while later. */
static void measure_end(const struct deadline *ended)
{
    if (ended && ended->is_marked) {
        metric_since(METRIC_SESSION_TTL_INVALIDATE, ended->at.at - SESSION_END_RETRY_NS);
    }
}

void server__sessions_applied(struct server *s)
{
    struct server_sessions *x = s->sessions;
    size_t n;
    const struct catalog_notice *notices = catalog_notices(s->catalog, &n);
    for (size_t i = 0; i < n; i++) {
        const struct catalog_notice *notice = &notices[i];
        switch (notice->kind) {
        case CATALOG_NOTICE_SESSION_MADE:
            if (x->is_leading) {
                session_ttl_start(&x->ttl, notice->name, notice->ns, loop_now_ns());
                arm(x);
            }
            break;
        case CATALOG_NOTICE_SESSION_ENDED:
            measure_end(deadlines_find(&x->ttl.deadlines, notice->name));
            deadlines_remove(&x->ttl.deadlines, notice->name);
            break;
        case CATALOG_NOTICE_LOCK_LOST:
            start_delay(x, notice->name, notice->ns);
            break;
        }
    }
}

size_t server__sessions_with_ttl(const struct server *s)
{
    return s->sessions ? deadlines_count(&s->sessions->ttl.deadlines) : 0;
}

bool server__lock_is_delayed(const struct server *s, struct mu_str key)
{
    const struct server_sessions *all = s->sessions; /* NULL: about to end */
    const struct deadline *x = all ? deadlines_find(&all->delays, key) : NULL;
    return x && x->at.at > loop_now_ns();
}

/* ---- Leadership ---- */

static void start_all(struct server *s)
{
    struct catalog_session_get_request all = {.datacenter = s->config->datacenter};
    struct catalog_indexed_sessions found;
    uint64_t now = loop_now_ns();
    catalog_read_begin(s->reader);
    if (catalog_query_sessions(s->reader, &all, &found, NULL) != CATALOG_OK) {
        abort();
    }
    for (size_t i = 0; i < found.sessions.len; i++) {
        const struct catalog_session *session = found.sessions.items[i];
        session_ttl_start(&s->sessions->ttl, session->id, session_ttl_parse(session->ttl), now);
    }
    catalog_read_end(s->reader);
}

void server__sessions_lead(struct server *s, bool is_leader)
{
    struct server_sessions *x = s->sessions;
    deadlines_clear(&x->ttl.deadlines);
    x->is_leading = is_leader;
    if (is_leader) {
        start_all(s);
        arm(x);
    }
}

void server__sessions_restored(struct server *s)
{
    if (s->sessions->is_leading) {
        server__sessions_lead(s, true);
    }
}

/* ---- Session.Renew ---- */

/* A copy of the record in the job's arena: what the catalog lends ends with the read. */
static void reply_with(struct operator_job *job, const struct catalog_session *session)
{
    const struct mu__schema *schema = catalog_schema(CATALOG_SESSION);
    struct catalog_indexed_sessions *reply = job->reply;
    struct catalog_session *copy = operator__room(job, 1, sizeof *copy);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(schema, session, &w);
    struct mu__reader r = mu__reader(w.data, w.len);
    if (w.failed || !mu__schema_decode(schema, &r, &job->arena, false, copy)) {
        abort();
    }
    mu__writer_fini(&w);
    reply->sessions = (struct mu_list){operator__room(job, 1, sizeof(void *)), 1};
    reply->sessions.items[0] = copy;
}

static void renew(struct server *s, struct operator_job *job, struct mu_str id)
{
    struct server_sessions *x = s->sessions;
    struct catalog_session_get_request q = {.session_id = id};
    struct catalog_indexed_sessions found, *reply = job->reply;
    if (catalog_query_session(s->reader, &q, &found, NULL) != CATALOG_OK) {
        abort();
    }
    reply->meta.index = found.meta.index;
    reply->meta.known_leader = true;
    if (found.sessions.len == 0) {
        return;
    }
    const struct catalog_session *session = found.sessions.items[0];
    uint64_t ttl = session_ttl_parse(session->ttl);
    if (session_ttl_renew(&x->ttl, session->id, ttl, loop_now_ns())) {
        reply_with(job, session);
        arm(x);
    }
}

/* Only a leader that is sure to be one: another would not know of the renewal. */
void server__session_renew(struct server *s, struct operator_job *job)
{
    struct mu_str id = mu__cstr(job->wanted);
    char why[ID_ERROR_MAX];
    if (!s->sessions->is_leading || raft_node_lease_until(s->raft) <= loop_now_ns()) {
        job->status = RAFT_ENOTLEADER;
        return;
    }
    if (catalog_session_id_check(id, why, sizeof why)) {
        snprintf(job->error, sizeof job->error, "%s", why);
        return;
    }
    job->reply = operator__room(job, 1, sizeof(struct catalog_indexed_sessions));
    catalog_read_begin(s->reader);
    renew(s, job, id);
    catalog_read_end(s->reader);
}

/* ---- Life ---- */

static uint64_t random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        abort();
    }
    return seed;
}

void server__sessions_start(struct server *s)
{
    struct server_sessions *x = calloc(1, sizeof *x);
    struct event *timer = x ? evtimer_new(loop_base(s->core), on_timer, s) : NULL;
    if (!timer) {
        abort();
    }
    deadlines_init(&x->ttl.deadlines, random_seed());
    deadlines_init(&x->delays, random_seed());
    x->timer = timer;
    x->armed_ns = MU_NEVER;
    s->sessions = x;
}

void server__sessions_stop(struct server *s)
{
    struct server_sessions *x = s->sessions;
    if (x) {
        event_free(x->timer);
        deadlines_fini(&x->ttl.deadlines);
        deadlines_fini(&x->delays);
        free(x);
        s->sessions = NULL;
    }
}
