#include "check_kit.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>

int kit_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->base = event_base_new();
    mu__prng_seed(&w->prng, 1);
    w->checks = (struct check_world){.base = w->base, .prng = &w->prng, .output_max = 4096};
    *state = w;
    return 0;
}

int kit_teardown(void **state)
{
    struct world *w = *state;
    check_world_fini(&w->checks);
    event_base_free(w->base);
    free(w);
    return 0;
}

void kit_on_report(void *arg, enum check_status status, struct mu_str output)
{
    struct world *w = arg;
    assert_true(output.len < sizeof w->output);
    w->status = status;
    memcpy(w->output, output.p ? output.p : "", output.len);
    w->output[output.len] = 0;
    if (++w->reports == w->wanted) {
        event_base_loopbreak(w->base);
    }
}

struct check *kit_begin(struct world *w, const struct catalog_check_type *t)
{
    struct check *c = check_create(&w->checks, t, CHECK_CRITICAL, kit_on_report, w);
    assert_non_null(c);
    if (!check_is_ttl(c)) {
        const struct timeval now = {0, 0};
        event_add(c->timer, &now);
    }
    return c;
}

void kit_wait_for(struct world *w, int reports)
{
    w->wanted = w->reports + reports;
    event_base_dispatch(w->base);
    assert_true(w->reports >= w->wanted);
}

void kit_run_once(struct world *w, const struct catalog_check_type *t)
{
    struct check *c = kit_begin(w, t);
    kit_wait_for(w, 1);
    check_destroy(c);
    for (int i = 0; i < 3; i++) { /* the peer sees that it is gone */
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
}

/* ---- A server of ready-made answers ---- */

static void on_request(struct bufferevent *bev, void *arg)
{
    struct server *s = arg;
    size_t n = bufferevent_read(bev, s->request, sizeof s->request - 1);
    s->request[n] = 0;
    if (!s->silent) {
        bufferevent_write(bev, s->answer, s->answer_len ? s->answer_len : strlen(s->answer));
    }
}

static void on_sent(struct bufferevent *bev, void *arg)
{
    struct server *s = arg;
    if (s->request[0] && !s->silent && !s->stays) {
        bufferevent_free(bev); /* closes: the answer is complete */
    }
}

static void on_gone(struct bufferevent *bev, short what, void *arg)
{
    (void)what, (void)arg;
    bufferevent_free(bev);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int len,
                      void *arg)
{
    struct bufferevent *bev =
        bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
    (void)a, (void)len;
    bufferevent_setcb(bev, on_request, on_sent, on_gone, arg);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

void kit_listen(struct world *w, struct server *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    s->listener =
        evconnlistener_new_bind(w->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
                                16, (struct sockaddr *)&in, sizeof in);
    assert_non_null(s->listener);
    getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&in, &len);
    s->port = ntohs(in.sin_port);
}

uint16_t kit_closed_port(struct world *w)
{
    struct server s = {.answer = ""};
    kit_listen(w, &s);
    evconnlistener_free(s.listener);
    return s.port;
}
