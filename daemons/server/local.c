/* local.c - what any server answers for itself. */
#include "route.h"

#include "rpc/endpoints.h"

static struct mu_str *str_reply(struct call *c)
{
    return c->reply = mu__arena_calloc(&c->arena, 1, sizeof(struct mu_str));
}

static struct mu_strs *strs_reply(struct call *c, size_t n)
{
    struct mu_strs *list = c->reply = mu__arena_calloc(&c->arena, 1, sizeof *list);
    if (list) {
        list->items = mu__arena_calloc(&c->arena, n + 1, sizeof *list->items);
        list->len = list->items ? n : 0;
    }
    return list;
}

static void fill(struct call *c, const struct server_front *f)
{
    if (c->endpoint == &endpoints[ENDPOINT_STATUS_LEADER]) {
        struct mu_str *leader = str_reply(c);
        if (leader && f->view) {
            *leader = mu__cstr(f->view->leader_address);
        }
    } else if (c->endpoint == &endpoints[ENDPOINT_STATUS_PEERS]) {
        struct mu_strs *peers = strs_reply(c, f->view ? f->view->peers.len : 0);
        for (size_t i = 0; peers && i < peers->len; i++) {
            peers->items[i] = f->view->peers.items[i];
        }
    } else if (c->endpoint == &endpoints[ENDPOINT_CATALOG_LIST_DATACENTERS]) {
        struct mu_strs *list = strs_reply(c, 1);
        if (list && list->len) {
            list->items[0] = f->server->config->datacenter;
        }
    }
}

void route__local(struct route *r)
{
    struct call *c = r->call;
    const struct server_front *f = r->front;
    if (c->endpoint == &endpoints[ENDPOINT_COORDINATE_LIST_DATACENTERS]) {
        route__list_datacenters(r);
        return;
    }
    route__free(r);
    fill(c, f);
    if (c->endpoint->reply_kind != REPLY_EMPTY && !c->reply) {
        call_fail(c, "rpc: can't find method %s", c->endpoint->method);
        return;
    }
    call_finish(c);
}
