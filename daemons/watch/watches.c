#include "watches.h"

#include "base/log.h"
#include "handler.h"
#include "payload.h"
#include "schema.h"

#include <errno.h>
#include <event2/dns.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MODULE     "agent.watch"
#define ANSWER_MAX ((size_t)64 << 20)
#define READ_STEP  ((size_t)64 << 10)

struct watch {
    struct watches *all;
    struct watch_plan *plan;
    struct watch_place place;
    struct event *timer; /* the next request */
    struct event *read;  /* an answer is under way */
    char *in;
    size_t in_len, in_cap;
    struct watch_handler *handler; /* NULL: none is running */
};

struct watches {
    struct watches_config config;
    struct evdns_base *dns; /* NULL until a handler needs it */
    struct watch *items;
    size_t len;
    struct watch_handler *orphans; /* of watches that are no more */
};

static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

/* ---- Asking ---- */

static void ask_after(struct watch *w, uint64_t ns)
{
    struct timeval tv = {.tv_sec = (time_t)(ns / MU_SEC),
                         .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC)};
    evtimer_add(w->timer, &tv);
}

static void hang_up(struct watch *w)
{
    if (w->read) {
        evutil_socket_t fd = event_get_fd(w->read);
        event_free(w->read);
        close(fd);
        w->read = NULL;
    }
    free(w->in);
    w->in = NULL;
    w->in_len = w->in_cap = 0;
}

static void fail(struct watch *w, const char *why)
{
    char retry[32];
    uint64_t ns = watch_failed(&w->place);
    mu__duration_format((int64_t)ns, retry);
    log_error(MODULE, "Watch errored: type=%s error=\"%s\" retry=%s", w->plan->type_name.p, why,
              retry);
    ask_after(w, ns);
}

/* ---- Answers ---- */

struct head {
    int status;
    uint64_t index;
    size_t len, body_len;
};

/* Our own server's: a status line, headers, a body whose length is told. */
static bool parse_head(const char *in, size_t len, struct head *h)
{
    static const char index[] = "X-Consul-Index:", length[] = "Content-Length:";
    const char *end = memmem(in, len, "\r\n\r\n", 4);
    /* NOLINTNEXTLINE(cert-err34-c): three digits are always a number. */
    if (!end || sscanf(in, "HTTP/1.1 %3d", &h->status) != 1) {
        return false;
    }
    h->len = (size_t)(end - in) + 4;
    h->body_len = len - h->len;
    for (const char *line = in; line < end;) {
        if (!strncasecmp(line, index, sizeof index - 1)) {
            h->index = strtoull(line + sizeof index - 1, NULL, 10);
        } else if (!strncasecmp(line, length, sizeof length - 1) &&
                   strtoull(line + sizeof length - 1, NULL, 10) != h->body_len) {
            return false;
        }
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
        line = next ? next + 2 : end;
    }
    return true;
}

static void on_handled(void *arg, struct watch_handler *h)
{
    struct watch *w = arg;
    w->handler = NULL;
    watch_handler_free(h);
    ask_after(w, 0);
}

static void tell(struct watch *w, uint64_t index)
{
    struct watches *all = w->all;
    const struct watch_change change = {index, w->place.last};
    if (w->plan->kind == WATCH_HANDLER_HTTP && !all->dns) {
        all->dns = must(evdns_base_new(all->config.base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                             EVDNS_BASE_DISABLE_WHEN_INACTIVE));
    }
    w->handler = watch_handler_start(all->config.base, all->dns, w->plan, &change, on_handled, w);
    if (!w->handler) {
        ask_after(w, 0);
    }
}

static void on_whole(struct watch *w)
{
    char err[WATCH_ERROR_MAX] = "the answer is not whole", hash[65] = "";
    struct head h = {.status = 0};
    char *payload = NULL;
    if (!parse_head(w->in, w->in_len, &h) ||
        !watch_payload(w->plan, &w->place, h.status, w->in + h.len, h.body_len, false, &payload,
                       hash, err, sizeof err)) {
        hang_up(w);
        fail(w, err);
        return;
    }
    hang_up(w);
    /* Without an index there is nothing to wait at: the first one is 1 */
    bool changed = watch_answered(&w->place, h.index ? h.index : 1, hash, payload);
    free(payload);
    if (changed) {
        tell(w, hash[0] ? 0 : h.index);
    } else {
        ask_after(w, 0);
    }
}

static bool make_room(struct watch *w)
{
    if (w->in_cap - w->in_len >= READ_STEP) {
        return true;
    }
    size_t cap = w->in_cap ? 2 * w->in_cap : 2 * READ_STEP;
    if (cap > 2 * ANSWER_MAX) {
        return false;
    }
    w->in = must(realloc(w->in, cap + 1));
    w->in_cap = cap;
    return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct watch *w = arg;
    (void)what;
    if (!make_room(w)) {
        hang_up(w);
        fail(w, "the answer is too long");
        return;
    }
    ssize_t n = recv(fd, w->in + w->in_len, w->in_cap - w->in_len, 0);
    if (n > 0) {
        w->in_len += (size_t)n;
        w->in[w->in_len] = '\0';
    } else if (n == 0 && w->in_len) {
        on_whole(w);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        hang_up(w);
        fail(w, "EOF");
    }
}

static bool send_request(const struct watch *w, int fd)
{
    char target[8192], text[16384];
    if (!watch_target(w->plan, &w->place, target, sizeof target)) {
        return false;
    }
    const char *token = w->plan->token.p;
    int n = snprintf(text, sizeof text,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s%s\r\n",
                     target, *token ? "X-Consul-Token: " : "", token, *token ? "\r\n" : "");
    /* A fresh socket takes so much at once */
    return n > 0 && (size_t)n < sizeof text &&
           send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n;
}

static void ask(evutil_socket_t unused, short what, void *arg)
{
    struct watch *w = arg;
    (void)unused, (void)what;
    int fd = w->all->config.connect(w->all->config.user);
    if (fd < 0 || !send_request(w, fd)) {
        if (fd >= 0) {
            close(fd);
        }
        fail(w, "cannot ask the agent");
        return;
    }
    w->read = must(event_new(w->all->config.base, fd, EV_READ | EV_PERSIST, on_readable, w));
    if (event_add(w->read, NULL)) {
        abort();
    }
}

/* ---- The set of them ---- */

static struct watch_plan *read_plan(const struct config_definition *d, size_t nth, char *err,
                                    size_t errlen)
{
    char why[WATCH_ERROR_MAX];
    json_t *params = json_loadb(d->json.p, d->json.len, 0, NULL);
    struct watch_plan *p =
        params ? watch_plan_create(params, WATCH_FROM_FILE, why, sizeof why) : NULL;
    json_decref(params);
    if (!p) {
        snprintf(err, errlen, "Failed to parse watch (%s: watches[%zu]): %s", d->source.p, nth,
                 params ? why : "malformed");
    }
    return p;
}

/* Which one of its file it is, for messages. */
static size_t place_in_file(const struct config_definitions *all, size_t i)
{
    size_t n = 0;
    while (n < i && mu__str_eq(all->items[i - 1 - n].source, all->items[i].source)) {
        n++;
    }
    return n;
}

/* Plans for all, or NULL: one is wrong, and none is left. To be freed with free. */
static struct watch_plan **read_plans(const struct config *c, char *err, size_t errlen)
{
    size_t n = c->watches.len;
    struct watch_plan **plans = must(calloc(n + 1, sizeof(struct watch_plan *)));
    for (size_t i = 0; i < n; i++) {
        plans[i] = read_plan(&c->watches.items[i], place_in_file(&c->watches, i), err, errlen);
        if (!plans[i]) {
            while (i) {
                watch_plan_destroy(plans[--i]);
            }
            free(plans);
            return NULL;
        }
    }
    return plans;
}

bool watches_check(const struct config *c, char *err, size_t errlen)
{
    struct watch_plan **plans = read_plans(c, err, errlen);
    for (size_t i = 0; plans && i < c->watches.len; i++) {
        watch_plan_destroy(plans[i]);
    }
    free(plans);
    return plans != NULL;
}

static void on_orphan_done(void *arg, struct watch_handler *h)
{
    struct watches *w = arg;
    struct watch_handler **at = &w->orphans;
    while (*at != h) {
        at = &(*at)->next;
    }
    *at = h->next;
    watch_handler_free(h);
}

static void stop(struct watch *w)
{
    struct watches *all = w->all;
    hang_up(w);
    event_free(w->timer);
    if (w->handler) {
        w->handler->done = on_orphan_done;
        w->handler->arg = all;
        w->handler->next = all->orphans;
        all->orphans = w->handler;
    }
    watch_place_fini(&w->place);
    watch_plan_destroy(w->plan);
}

static void stop_all(struct watches *w)
{
    for (size_t i = 0; i < w->len; i++) {
        stop(&w->items[i]);
    }
    free(w->items);
    w->items = NULL;
    w->len = 0;
}

struct watches *watches_create(const struct watches_config *c)
{
    struct watches *w = calloc(1, sizeof *w);
    if (w) {
        w->config = *c;
    }
    return w;
}

bool watches_set(struct watches *w, const struct config *c, char *err, size_t errlen)
{
    struct watch_plan **plans = read_plans(c, err, errlen);
    if (!plans) {
        return false;
    }
    stop_all(w);
    w->items = must(calloc(c->watches.len + 1, sizeof *w->items));
    w->len = c->watches.len;
    for (size_t i = 0; i < w->len; i++) {
        struct watch *one = &w->items[i];
        *one = (struct watch){.all = w, .plan = plans[i]};
        one->timer = must(evtimer_new(w->config.base, ask, one));
        if (plans[i]->kind == WATCH_HANDLER_SHELL) {
            log_warn("agent", "The 'handler' field in watches has been deprecated and replaced "
                              "with the 'args' field. See "
                              "https://www.consul.io/docs/agent/watches.html");
        }
        ask_after(one, 0);
    }
    free(plans);
    return true;
}

void watches_destroy(struct watches *w)
{
    if (!w) {
        return;
    }
    stop_all(w);
    while (w->orphans) {
        struct watch_handler *h = w->orphans;
        w->orphans = h->next;
        watch_handler_free(h);
    }
    if (w->dns) {
        evdns_base_free(w->dns, 0);
    }
    free(w);
}
