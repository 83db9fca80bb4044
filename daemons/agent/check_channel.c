#include "agent/check_channel.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WHY_MAX 512u
#define OPTIONS (BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS) /* no callback from within */

void check__channel_close(struct check__channel *ch)
{
    if (ch->bev) {
        bufferevent_free(ch->bev);
        ch->bev = NULL;
    }
}

void check__channel_write(struct check__channel *ch, const void *data, size_t len)
{
    if (ch->bev) {
        bufferevent_write(ch->bev, data, len);
    }
}

static void end(struct check__channel *ch, enum check__end how, const char *why)
{
    check__channel_close(ch);
    ch->events->ended(ch->arg, how, why);
}

/* ---- TLS: the thread's end of a pair of sockets says first how the handshake went ---- */

static void on_event(struct bufferevent *bev, short what, void *arg);
static void on_read(struct bufferevent *bev, void *arg);

static void opened(struct check__channel *ch)
{
    ch->state = CHECK__IS_OPEN;
    ch->events->opened(ch->arg);
}

/* Hands the connection to the thread, and goes on with a pair of sockets. */
static bool begin_tls(struct check__channel *ch)
{
    struct check__tls *tls = check__world_tls(ch->world);
    int pair[2];
    if (!tls || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)) {
        return false;
    }
    struct bufferevent *clear = bufferevent_socket_new(ch->world->base, pair[0], OPTIONS);
    int fd = bufferevent_getfd(ch->bev);
    if (!clear || !check__tls_begin(tls, fd, pair[1], ch->route.host, ch->route.tls)) {
        close(pair[1]);
        if (clear) {
            bufferevent_free(clear);
        } else {
            close(pair[0]);
        }
        return false;
    }
    bufferevent_setfd(ch->bev, -1);
    bufferevent_free(ch->bev);
    ch->bev = clear;
    ch->state = CHECK__SHAKES_HANDS;
    bufferevent_setcb(clear, on_read, NULL, on_event, ch);
    bufferevent_enable(clear, EV_READ | EV_WRITE);
    return true;
}

/* False when there is nothing to be read yet, or nothing any more. */
static bool read_verdict(struct check__channel *ch)
{
    struct evbuffer *in = bufferevent_get_input(ch->bev);
    char line[WHY_MAX];
    struct evbuffer_ptr eol = evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF);
    if (eol.pos < 0) {
        return false;
    }
    size_t len = mu__min((size_t)eol.pos, sizeof line - 1);
    evbuffer_copyout(in, line, len);
    evbuffer_drain(in, (size_t)eol.pos + 1);
    line[len] = '\0';
    if (len) {
        end(ch, CHECK__END_HANDSHAKE, line);
        return false;
    }
    opened(ch);
    return ch->bev != NULL;
}

/* ---- What happens to the connection ---- */

static void on_read(struct bufferevent *bev, void *arg)
{
    struct check__channel *ch = arg;
    if (ch->state == CHECK__SHAKES_HANDS && !read_verdict(ch)) {
        return;
    }
    /* An `opened` that closed and opened again would have another one */
    if (ch->bev == bev && evbuffer_get_length(bufferevent_get_input(bev))) {
        ch->events->received(ch->arg, bufferevent_get_input(bev));
    }
}

static void connected(struct check__channel *ch)
{
    if (!ch->route.tls) {
        opened(ch);
    } else if (!begin_tls(ch)) {
        end(ch, CHECK__END_HANDSHAKE, "out of memory");
    }
}

/* "read tcp 127.0.0.1:40724->127.0.0.1:80: read: connection reset by peer" */
static void describe_break(const struct check__channel *ch, int error, char *out, size_t cap)
{
    const struct check__route *r = &ch->route;
    char local[CHECK__ADDRESS_MAX];
    check__address_of(bufferevent_getfd(ch->bev), local);
    if (r->path) {
        snprintf(out, cap, "read unix @->%s: read: %s", r->path, check__go_error(error));
    } else {
        bool v6 = strchr(r->host, ':') != NULL;
        snprintf(out, cap, "read tcp %s->%s%s%s:%u: read: %s", local, v6 ? "[" : "", r->host,
                 v6 ? "]" : "", r->port, check__go_error(error));
    }
}

static void describe_dial(const struct check__route *r, int dns_error, int error, char *out,
                          size_t cap)
{
    if (r->path) {
        snprintf(out, cap, "dial unix %s: connect: %s", r->path, check__go_error(error));
    } else {
        check__dial_error(r->host, r->port, dns_error, error, out, cap);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct check__channel *ch = arg;
    const struct check__route *r = &ch->route;
    int error = EVUTIL_SOCKET_ERROR(), dns_error = bufferevent_socket_get_dns_error(bev);
    char why[WHY_MAX];
    if (what & BEV_EVENT_CONNECTED) {
        connected(ch);
    } else if (ch->state == CHECK__SHAKES_HANDS) {
        end(ch, CHECK__END_HANDSHAKE, "EOF");
    } else if (ch->state == CHECK__IS_OPEN && (what & BEV_EVENT_EOF)) {
        end(ch, CHECK__END_CLOSED, "EOF");
    } else if (ch->state == CHECK__IS_OPEN) {
        describe_break(ch, error, why, sizeof why);
        end(ch, CHECK__END_BROKEN, why);
    } else {
        describe_dial(r, dns_error, error, why, sizeof why);
        end(ch, CHECK__END_DIAL, why);
    }
}

/* 0 or errno */
static int dial(struct check__channel *ch)
{
    const struct check__route *r = &ch->route;
    errno = 0;
    if (!r->path && !r->port) {
        return ECONNREFUSED; /* where nobody can listen */
    }
    if (!r->path) {
        int failed = bufferevent_socket_connect_hostname(ch->bev, check__dns(ch->world), AF_UNSPEC,
                                                         r->host, r->port);
        return !failed ? 0 : errno ? errno : ENOMEM;
    }
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(r->path) >= sizeof un.sun_path) {
        return ENAMETOOLONG;
    }
    memcpy(un.sun_path, r->path, strlen(r->path));
    int failed = bufferevent_socket_connect(ch->bev, (struct sockaddr *)&un, sizeof un);
    return !failed ? 0 : errno ? errno : ENOMEM;
}

bool check__channel_open(struct check__channel *ch, struct check_world *world,
                         const struct check__route *route,
                         const struct check__channel_events *events, void *arg, char *why,
                         size_t cap)
{
    *ch = (struct check__channel){.world = world, .events = events, .arg = arg, .route = *route};
    ch->bev = bufferevent_socket_new(world->base, -1, OPTIONS);
    int error = ENOMEM;
    if (ch->bev) {
        bufferevent_setcb(ch->bev, on_read, NULL, on_event, ch);
        /* What a peer says is TLS's to read, if there is any */
        bufferevent_enable(ch->bev, route->tls ? EV_WRITE : EV_READ | EV_WRITE);
        error = dial(ch);
    }
    if (error) {
        check__channel_close(ch);
        describe_dial(route, 0, error, why, cap);
    }
    return !error;
}
