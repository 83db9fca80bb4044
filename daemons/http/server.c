#include "internal.h"

#include "alloc.h"
#include "base/log.h"
#include "base/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE         "agent.http"
#define LISTEN_BACKLOG 1024
#define KV_VALUE_MAX   ((size_t)512 * 1024)

static const struct mu_allocator *heap(void)
{
    return &mu__malloc_allocator;
}

void http_server_config_init(struct http_server_config *c)
{
    *c = (struct http_server_config){
        .segment = "",
        .ui_path = "/ui/",
        .ui_dir = "",
        .kv_value_max = KV_VALUE_MAX,
        .txn_body_max = KV_VALUE_MAX,
        .body_max = (size_t)1024 * 1024,
        .header_max = 65536,
        .header_timeout_ns = 10 * MU_SEC,
        .body_timeout_ns = 10 * MU_SEC,
        .body_bytes_min = 4096,
        .idle_timeout_ns = 120 * MU_SEC,
        .wait_default_ns = 300 * MU_SEC,
        .wait_max_ns = 600 * MU_SEC,
        .slice_ns = MU_MSEC / 2,
    };
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int len,
                      void *arg)
{
    (void)l;
    http__connection_accept(arg, fd, peer, (socklen_t)len);
}

static size_t count_listeners(const struct http_server *s)
{
    return s->config.naddresses + s->config.nsockets;
}

static void listen_all(struct http_server *s, bool on)
{
    for (size_t i = 0; i < count_listeners(s); i++) {
        if (s->listeners[i]) {
            on ? evconnlistener_enable(s->listeners[i]) : evconnlistener_disable(s->listeners[i]);
        }
    }
    s->paused = !on;
}

/* Out of file descriptors, most likely: rest until the next sweep, or the loop would spin. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    (void)l;
    log_warn(MODULE, "cannot accept a connection: %s", strerror(errno));
    listen_all(arg, false);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *s = arg;
    if (s->paused && !s->draining) {
        listen_all(s, true);
    }
    http__server_sweep(s, loop_now_ns());
}

static bool is_safe_header(const struct http_header *h)
{
    return h->name[0] && !strpbrk(h->name, "\r\n:") && !strpbrk(h->value, "\r\n");
}

static bool copy_headers(struct http_server *s)
{
    struct mu__writer w = mu__writer_growing(heap());
    for (size_t i = 0; i < s->config.nheaders; i++) {
        const struct http_header *h = &s->config.headers[i];
        if (is_safe_header(h)) {
            mu__write_cstr(&w, h->name);
            mu__write_cstr(&w, ": ");
            mu__write_cstr(&w, h->value);
            mu__write_cstr(&w, "\r\n");
        }
    }
    mu__write_u8(&w, 0);
    s->extra_headers = (char *)w.data;
    s->config.headers = NULL; /* borrowed during the call alone */
    return !w.failed;
}

static bool copy_text(const char *from, char **to, const char **in_config)
{
    *to = mu__strndup(heap(), from ? from : "", from ? strlen(from) : 0);
    *in_config = *to;
    return *to != NULL;
}

static bool prepare(struct http_server *s)
{
    s->head = s->extra = s->body = s->packed = s->key = mu__writer_growing(heap());
    s->gzip_ready =
        deflateInit2(&s->gzip, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    s->inbox = mu__alloc(heap(), HTTP_INBOX_SIZE);
    s->timers = http__route_timers();
    s->marks = http__route_marks();
    return s->timers && s->marks && s->inbox && s->gzip_ready && http__flights_init(s) &&
           copy_headers(s) &&
           copy_text(s->config.datacenter, &s->datacenter, &s->config.datacenter) &&
           copy_text(s->config.node, &s->node, &s->config.node) &&
           copy_text(s->config.dns_domain, &s->dns_domain, &s->config.dns_domain) &&
           copy_text(s->config.ui_path, &s->ui_path, &s->config.ui_path) &&
           copy_text(s->config.ui_dir, &s->ui_dir, &s->config.ui_dir) &&
           copy_text(s->config.segment, &s->segment, &s->config.segment);
}

static bool listen_on(struct http_server *s, size_t i, char *err, size_t errlen)
{
    const struct http_address *a = &s->config.addresses[i];
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    flags |= s->config.reuse_port ? LEV_OPT_REUSEABLE_PORT : 0;
    struct sockaddr_storage at = a->addr;
    s->listeners[i] = evconnlistener_new_bind(s->config.base, on_accept, s, flags, LISTEN_BACKLOG,
                                              (struct sockaddr *)&at, (int)a->len);
    if (!s->listeners[i]) {
        snprintf(err, errlen, "cannot listen for HTTP on address %zu: %s", i, strerror(errno));
        return false;
    }
    evconnlistener_set_error_cb(s->listeners[i], on_accept_error);
    return true;
}

/* Takes the socket that listens already. */
static bool adopt_listener(struct http_server *s, size_t i)
{
    int fd = s->config.sockets[i];
    struct evconnlistener *l = evconnlistener_new(
        s->config.base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    s->listeners[s->config.naddresses + i] = l;
    if (!l) {
        close(fd);
        return false;
    }
    evconnlistener_set_error_cb(l, on_accept_error);
    return true;
}

static bool adopt_listeners(struct http_server *s)
{
    bool ok = true;
    for (size_t i = 0; i < s->config.nsockets; i++) {
        ok = adopt_listener(s, i) && ok;
    }
    return ok;
}

static bool start(struct http_server *s, char *err, size_t errlen)
{
    static const struct timeval sweep_every = {.tv_usec = 500000};
    s->listeners = mu__calloc(heap(), count_listeners(s) + 1, sizeof(struct evconnlistener *));
    s->sweep = event_new(s->config.base, -1, EV_PERSIST, on_sweep, s);
    if (!s->listeners || !adopt_listeners(s) || !s->sweep || !prepare(s) ||
        event_add(s->sweep, &sweep_every) != 0) {
        snprintf(err, errlen, "out of memory");
        return false;
    }
    for (size_t i = 0; i < s->config.naddresses; i++) {
        if (!listen_on(s, i, err, errlen)) {
            return false;
        }
    }
    return true;
}

int http_server_create(const struct http_server_config *c, struct http_server **out, char *err,
                       size_t errlen)
{
    *out = NULL;
    struct http_server *s = mu__calloc(heap(), 1, sizeof *s);
    if (!s) {
        snprintf(err, errlen, "out of memory");
        return -1;
    }
    s->config = *c;
    if (!start(s, err, errlen)) {
        http_server_destroy(s);
        return -1;
    }
    s->config.addresses = NULL; /* borrowed during the call alone */
    s->config.sockets = NULL;
    *out = s;
    return 0;
}

bool http_server_address(const struct http_server *s, size_t i, struct http_address *out)
{
    if (i >= s->config.naddresses || !s->listeners[i]) {
        return false;
    }
    out->len = sizeof out->addr;
    return getsockname(evconnlistener_get_fd(s->listeners[i]), (struct sockaddr *)&out->addr,
                       &out->len) == 0;
}

void http_server_adopt(struct http_server *s, int fd)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    http__connection_accept(s, fd, &nobody, sizeof nobody.sa_family);
}

struct http_server_stats http_server_stats(const struct http_server *s)
{
    return s->stats;
}

static bool is_busy(const struct http_connection *c)
{
    bool waits = c->flight || (c->request && c->request->blocking);
    return http__has_output(c) || c->state == CONN_HEAD || c->state == CONN_BODY ||
           (c->state == CONN_HANDLED && !waits);
}

bool http_server_is_busy(const struct http_server *s)
{
    bool busy = s->landed != NULL;
    for (size_t i = 0; i < DEADLINE_CLASSES; i++) {
        for (const struct http_connection *c = s->queues[i].first; c && !busy; c = c->next) {
            busy = is_busy(c);
        }
    }
    return busy;
}

void http_server_drain(struct http_server *s)
{
    s->draining = true;
    for (size_t i = 0; i < count_listeners(s); i++) {
        if (s->listeners[i]) {
            evconnlistener_free(s->listeners[i]);
            s->listeners[i] = NULL;
        }
    }
    http__server_sweep(s, loop_now_ns());
}

void http_server_destroy(struct http_server *s)
{
    if (!s) {
        return;
    }
    for (size_t i = 0; s->listeners && i < count_listeners(s); i++) {
        if (s->listeners[i]) {
            evconnlistener_free(s->listeners[i]);
        }
    }
    for (size_t i = 0; i < DEADLINE_CLASSES; i++) {
        while (s->queues[i].first) {
            http__connection_close(s->queues[i].first);
        }
    }
    http__flights_fini(s);
    if (s->sweep) {
        event_free(s->sweep);
    }
    if (s->gzip_ready) {
        deflateEnd(&s->gzip);
    }
    mu__writer_fini(&s->head);
    mu__writer_fini(&s->extra);
    mu__writer_fini(&s->body);
    mu__writer_fini(&s->packed);
    mu__writer_fini(&s->key);
    free(s->timers);
    free(s->marks);
    mu__free(heap(), s->inbox);
    mu__free(heap(), s->listeners);
    mu__free(heap(), s->extra_headers);
    mu__free(heap(), s->datacenter);
    mu__free(heap(), s->node);
    mu__free(heap(), s->dns_domain);
    mu__free(heap(), s->ui_path);
    mu__free(heap(), s->ui_dir);
    mu__free(heap(), s->segment);
    mu__free(heap(), s);
}
