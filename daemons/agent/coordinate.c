#include "agent/coordinate.h"

#include "base/log.h"
#include "prng.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define MODULE          "agent"
#define CLUSTER_RATE    64u /* a second, of all members together */
#define INTERVAL_MIN_NS (15 * MU_SEC)

struct coordinate_sender {
    struct coordinate_config config;
    struct core_caller *caller;
    struct event *timer;
    struct mu__prng prng;
    size_t members;
};

uint64_t coordinate_interval_ns(size_t members)
{
    uint64_t interval = members * (MU_SEC / CLUSTER_RATE);
    return interval > INTERVAL_MIN_NS ? interval : INTERVAL_MIN_NS;
}

static void arm(struct coordinate_sender *s)
{
    uint64_t interval = coordinate_interval_ns(s->members);
    uint64_t after = interval + mu__prng_below(&s->prng, interval);
    struct timeval tv = {.tv_sec = (time_t)(after / MU_SEC),
                         .tv_usec = (suseconds_t)(after % MU_SEC / MU_USEC)};
    event_add(s->timer, &tv);
}

static void on_sent(void *arg, const char *error, const void *reply)
{
    (void)arg;
    (void)reply;
    if (error) {
        log_debug(MODULE, "Coordinate update failed: error=\"%s\"", error);
    }
}

static void send_ours(struct coordinate_sender *s)
{
    struct call *call =
        core_call_create(s->caller, &endpoints[ENDPOINT_COORDINATE_UPDATE], on_sent, s);
    if (!call) {
        return; /* the next one is as good */
    }
    struct catalog_coordinate_update_request *q = call->request;
    q->datacenter = s->config.datacenter;
    q->node = s->config.node;
    q->coord = s->config.coordinate(s->config.user, &call->arena);
    if (!q->coord) {
        core_call_drop(call);
        return;
    }
    core_call_start(call);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct coordinate_sender *s = arg;
    (void)fd;
    (void)what;
    send_ours(s);
    arm(s);
}

struct coordinate_sender *coordinate_sender_create(const struct coordinate_config *c)
{
    struct coordinate_sender *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->config = *c;
    mu__prng_seed(&s->prng, c->seed);
    s->caller = core_caller_create(c->core, c->front, c->backend);
    s->timer = evtimer_new(loop_base(c->core), on_timer, s);
    if (!s->caller || !s->timer) {
        coordinate_sender_destroy(s);
        return NULL;
    }
    arm(s);
    return s;
}

void coordinate_sender_set_cluster_size(struct coordinate_sender *s, size_t members)
{
    s->members = members;
}

void coordinate_sender_destroy(struct coordinate_sender *s)
{
    if (!s) {
        return;
    }
    core_caller_close(s->caller);
    if (s->timer) {
        event_free(s->timer);
    }
    free(s);
}
