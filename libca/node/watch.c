/* watch.c - keeps leaf, roots and intentions fresh by blocking queries (http-semantics: index,
 * wait).
 *
 * Leaf and roots have an index of their own. What matches a service has none in Consul 1.8.7, so
 * the list of intentions is watched, with a filter that nothing passes; after each change, and
 * after each wait, come the matches and the agent's default. */
#include "identity.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PATH_MAX_LEN = 1200 };

static void ask(struct identity__watch *w);

static uint64_t monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * MU_SEC + (uint64_t)ts.tv_nsec;
}

static bool blocks(const struct identity__watch *w)
{
    return w->step <= STEP_RULES && w->index > 0;
}

static void write_path(const struct identity__watch *w, char path[PATH_MAX_LEN])
{
    const struct ca_identity *i = w->identity;
    int n = 0;
    switch (w->step) {
    case STEP_LEAF:
        n = snprintf(path, PATH_MAX_LEN, "/v1/agent/connect/ca/leaf/%s?", i->service_escaped);
        break;
    case STEP_ROOTS:
        n = snprintf(path, PATH_MAX_LEN, "/v1/agent/connect/ca/roots?");
        break;
    case STEP_RULES:
        n = snprintf(path, PATH_MAX_LEN,
                     "/v1/connect/intentions?filter=SourceName%%20%%3D%%3D%%20%%22%%22&");
        break;
    case STEP_MATCH:
        n = snprintf(path, PATH_MAX_LEN, "/v1/connect/intentions/match?by=destination&name=%s",
                     i->service_escaped);
        break;
    case STEP_DEFAULT:
        n = snprintf(path, PATH_MAX_LEN, "/v1/agent/self");
        break;
    }
    if (blocks(w)) {
        snprintf(path + n, PATH_MAX_LEN - (size_t)n, "index=%llu&wait=%llus",
                 (unsigned long long)w->index, (unsigned long long)(i->cfg.wait_ns / MU_SEC));
    }
}

static void later(struct identity__watch *w, uint64_t ns)
{
    struct timeval tv = {.tv_sec = (time_t)(ns / MU_SEC),
                         .tv_usec = (suseconds_t)(ns % MU_SEC / 1000)};
    event_add(w->timer, &tv);
}

/* The first step of what w keeps. */
static enum identity__step beginning(const struct identity__watch *w)
{
    return (enum identity__step)(w - w->identity->watches);
}

static void drop_matches(struct identity__watch *w)
{
    if (beginning(w) == STEP_RULES) {
        ca_intentions_destroy(w->identity->matched);
        w->identity->matched = NULL;
    }
}

/* Doubled with each failure, and somewhere in its upper half, so that many do not come at once. */
static uint64_t backoff(struct identity__watch *w)
{
    const struct ca_identity_config *cfg = &w->identity->cfg;
    uint64_t delay = cfg->retry_min_ns;
    for (unsigned n = 1; n < w->failures && delay < cfg->retry_max_ns; n++) {
        delay = delay > UINT64_MAX / 2 ? UINT64_MAX : delay * 2;
    }
    delay = delay < cfg->retry_max_ns ? delay : cfg->retry_max_ns;
    return delay / 2 + mu__prng_below(&w->identity->prng, delay / 2 + 1);
}

static void failed(struct identity__watch *w, const char *why)
{
    struct ca_identity *i = w->identity;
    static const char *const names[] = {"leaf", "roots", "intentions", "intentions", "self"};
    snprintf(w->why, sizeof w->why, "%s: %.150s", names[w->step], why);
    w->failures++;
    w->index = 0; /* what is known is asked for anew: the agent may be another one */
    identity__log(i, MU_WARN, "agent: %s", w->why);
    pthread_mutex_lock(&i->lock);
    i->failures++;
    pthread_mutex_unlock(&i->lock);
    drop_matches(w);
    w->step = beginning(w);
    later(w, backoff(w));
    identity__look(i);
}

/* All that w keeps is there. An agent that answers again and again at once is not asked in a
 * circle. */
static void succeeded(struct identity__watch *w)
{
    w->failures = 0;
    w->known = true;
    w->step = beginning(w);
    w->hasty = monotonic_ns() - w->asked_ns < 100 * MU_MSEC ? w->hasty + (w->hasty < 20) : 0;
    later(w, w->hasty < 4 ? 0 : w->hasty * 50 * MU_MSEC);
    identity__look(w->identity);
}

static const char *got_leaf(struct identity__watch *w, struct identity__reply *reply,
                            struct ca_diag *diag)
{
    struct ca_identity *i = w->identity;
    struct identity__leaf leaf;
    const char *why = identity__read_leaf(&i->allocator, reply, i->service, &leaf, diag);
    return why ? why : identity__use_leaf(i, &leaf, diag);
}

static const char *got_roots(struct identity__watch *w, struct identity__reply *reply,
                             struct ca_diag *diag)
{
    struct identity__trust *trust;
    const char *why = identity__read_roots(&w->identity->allocator, reply, &trust, diag);
    return why ? why : identity__use_roots(w->identity, trust, diag);
}

/* The matches are there; the default follows, if the agent is asked for it. */
static const char *use_match(struct identity__watch *w, enum ca_action otherwise)
{
    struct ca_identity *i = w->identity;
    struct ca_intentions *table = i->matched;
    i->matched = NULL;
    return identity__use_rules(i, table, i->matched_count, otherwise);
}

static const char *got_match(struct identity__watch *w, struct identity__reply *reply,
                             struct ca_diag *diag)
{
    struct ca_identity *i = w->identity;
    drop_matches(w);
    const char *why = identity__read_match(&i->allocator, reply, i->service, &i->matched,
                                           &i->matched_count, diag);
    if (why) {
        return why;
    }
    if (i->cfg.default_action == CA_IDENTITY_DEFAULT_AGENT) {
        w->step = STEP_DEFAULT;
        return NULL;
    }
    return use_match(w, i->cfg.default_action == CA_IDENTITY_DEFAULT_ALLOW ? CA_ALLOW : CA_DENY);
}

static const char *got_default(struct identity__watch *w, struct identity__reply *reply)
{
    enum ca_action otherwise;
    if (reply->status == 403) {
        otherwise = CA_DENY; /* there are ACLs, and we may not know their default */
    } else {
        const char *why = identity__read_default(reply, &otherwise);
        if (why) {
            return why;
        }
    }
    return use_match(w, otherwise);
}

/* An index that goes back belongs to another history. */
static void follow_index(struct identity__watch *w, uint64_t index)
{
    w->index = index < w->index ? 0 : index;
}

static const char *status_text(const struct identity__reply *reply, struct ca_diag *diag)
{
    int n = snprintf(diag->text, sizeof diag->text, "the agent answers %d: ", reply->status);
    for (size_t at = 0; at < reply->len && at < 100; at++) {
        char c = reply->body[at];
        diag->text[n++] = c >= ' ' && c < 127 ? c : ' ';
    }
    diag->text[n] = '\0';
    return diag->text;
}

static const char *take(struct identity__watch *w, struct identity__reply *reply,
                        struct ca_diag *diag)
{
    if (reply->status != 200 && !(w->step == STEP_DEFAULT && reply->status == 403)) {
        return status_text(reply, diag);
    }
    switch (w->step) {
    case STEP_LEAF:
        follow_index(w, reply->index);
        return got_leaf(w, reply, diag);
    case STEP_ROOTS:
        follow_index(w, reply->index);
        return got_roots(w, reply, diag);
    case STEP_RULES:
        follow_index(w, reply->index);
        w->step = STEP_MATCH;
        return NULL;
    case STEP_MATCH:
        return got_match(w, reply, diag);
    case STEP_DEFAULT:
        return got_default(w, reply);
    }
    return NULL;
}

/* A step that leads to another one within the same watch. */
static bool goes_on(const struct identity__watch *w, enum identity__step before)
{
    return w->step != before;
}

static void on_reply(void *user, const char *why, struct identity__reply *reply)
{
    struct identity__watch *w = user;
    struct ca_diag diag = {{0}};
    enum identity__step before = w->step;
    w->http = NULL;
    why = why ? why : take(w, reply, &diag);
    if (why) {
        failed(w, why);
    } else if (goes_on(w, before)) {
        ask(w);
    } else {
        succeeded(w);
    }
}

static void ask(struct identity__watch *w)
{
    struct ca_identity *i = w->identity;
    char path[PATH_MAX_LEN];
    write_path(w, path);
    struct identity__get get = {.allocator = &i->allocator,
                                .base = i->base,
                                .agent = &i->agent,
                                .path = path,
                                .timeout_ns = i->cfg.timeout_ns,
                                .bytes_max = i->cfg.reply_bytes_max,
                                .done = on_reply,
                                .user = w};
    if (blocks(w)) { /* Consul waits up to a sixteenth longer */
        get.timeout_ns += i->cfg.wait_ns + i->cfg.wait_ns / 16;
    }
    if (w->step <= STEP_RULES) {
        w->asked_ns = monotonic_ns();
    }
    pthread_mutex_lock(&i->lock);
    i->requests++;
    pthread_mutex_unlock(&i->lock);
    w->http = identity__http_get(&get);
    if (!w->http) {
        failed(w, strerror(errno));
    }
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
    (void)fd, (void)what;
    ask(user);
}

bool identity__watches_start(struct ca_identity *i)
{
    for (size_t n = 0; n < WATCH_COUNT; n++) {
        struct identity__watch *w = &i->watches[n];
        *w = (struct identity__watch){.identity = i, .step = (enum identity__step)n};
        w->timer = event_new(i->base, -1, 0, on_timer, w);
        if (!w->timer) {
            return false;
        }
        later(w, 0);
    }
    return true;
}

void identity__watches_stop(struct ca_identity *i)
{
    for (size_t n = 0; n < WATCH_COUNT; n++) {
        struct identity__watch *w = &i->watches[n];
        identity__http_cancel(w->http);
        if (w->timer) {
            event_free(w->timer);
        }
    }
    ca_intentions_destroy(i->matched);
}
