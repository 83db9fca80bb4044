/* A TCP check passes when a connection comes about; not a byte is sent. */
#include "agent/check_internal.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <stdlib.h>

struct tcp {
    struct check *check;
    struct bufferevent *bev; /* NULL: nothing is under way */
    char host[256];
    uint16_t port;
};

static void *tcp_create(struct check *c)
{
    struct tcp *t = calloc(1, sizeof *t);
    if (t) {
        t->check = c;
    }
    return t;
}

static void tcp_abort(void *kind)
{
    struct tcp *t = kind;
    if (t->bev) {
        bufferevent_free(t->bev);
        t->bev = NULL;
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct tcp *t = arg;
    struct check *c = t->check;
    char why[512];
    if (what & BEV_EVENT_CONNECTED) {
        tcp_abort(t);
        check__done(c, CHECK_PASSING, "TCP connect %.*s: Success", (int)c->type->tcp.len,
                    c->type->tcp.p);
        return;
    }
    check__dial_error(t->host, t->port, bufferevent_socket_get_dns_error(bev),
                      EVUTIL_SOCKET_ERROR(), why, sizeof why);
    tcp_abort(t);
    check__done(c, CHECK_CRITICAL, "%s", why);
}

static void tcp_run(void *kind)
{
    struct tcp *t = kind;
    struct check *c = t->check;
    char why[512];
    if (!check__split_host_port(c->type->tcp, t->host, sizeof t->host, &t->port)) {
        check__address_fault(c->type->tcp, why, sizeof why);
        check__done(c, CHECK_CRITICAL, "%s", why);
        return;
    }
    t->bev =
        bufferevent_socket_new(c->world->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!t->bev) {
        check__done(c, CHECK_CRITICAL, "out of memory");
        return;
    }
    bufferevent_setcb(t->bev, NULL, NULL, on_event, t);
    errno = t->port ? 0 : ECONNREFUSED; /* nobody can listen on port 0 */
    if (!t->port || bufferevent_socket_connect_hostname(t->bev, check__dns(c->world), AF_UNSPEC,
                                                        t->host, t->port)) {
        check__dial_error(t->host, t->port, 0, errno ? errno : ENOMEM, why, sizeof why);
        tcp_abort(t);
        check__done(c, CHECK_CRITICAL, "%s", why);
    }
}

static void tcp_expired(void *kind)
{
    struct tcp *t = kind;
    char why[512];
    check__dial_error(t->host, t->port, 0, 0, why, sizeof why);
    tcp_abort(t);
    check__done(t->check, CHECK_CRITICAL, "%s", why);
}

const struct check_kind check__tcp = {tcp_create, tcp_run, tcp_abort, free, tcp_expired};
