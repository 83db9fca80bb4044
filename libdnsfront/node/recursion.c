#include "recursion.h"

#include "forward.h"

#include <stdio.h>
#include <string.h>

static void warn_of_selves(const struct dnsfront_node *n, size_t selves)
{
    char line[128];
    if (n->log && selves) {
        snprintf(line, sizeof line,
                 "recursors: %zu of them are this very DNS server, and are not asked", selves);
        n->log(n->log_user, MU_WARN, line);
    }
}

int dnsfront__recursion_set(struct dnsfront_node *n, const struct dnsfront_recursors *from)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof bound;
    struct recursors *r;
    size_t selves;
    getsockname(n->udp, (struct sockaddr *)&bound, &len);
    int rc = dnsfront__recursors_create(from, &bound, &r, &selves);
    if (rc != DNSFRONT_OK) {
        return rc;
    }
    if (n->forwarder) {
        dnsfront__forwarder_set(n->forwarder, r);
    } else if (from->count) {
        n->forwarder = dnsfront__forwarder_create(n->base, r, &n->stats);
        rc = n->forwarder ? DNSFRONT_OK : DNSFRONT_ENOMEM;
    }
    if (rc == DNSFRONT_OK) {
        n->has_recursors = from->count > 0;
        warn_of_selves(n, selves);
    }
    dnsfront__recursors_release(r);
    return rc;
}

int dnsfront_node_set_recursors(struct dnsfront_node *n, const struct dnsfront_recursors *from)
{
    return dnsfront__recursion_set(n, from);
}

void dnsfront__recursion_close(struct dnsfront_node *n)
{
    struct forwarder *f = n->forwarder;
    n->forwarder = NULL;
    n->pending++; /* what fails now may be the last pending, and must not free the node yet */
    dnsfront__forwarder_destroy(f);
    n->pending--;
}

static void on_reply(void *arg, const uint8_t *reply, size_t len)
{
    struct dnsfront_found found = {.size = sizeof found,
                                   .status = reply ? DNSFRONT_FOUND : DNSFRONT_FAILED,
                                   .message = reply,
                                   .message_len = len};
    dnsfront_node_supply(arg, &found);
}

bool dnsfront__recursion_find(struct dnsfront_pending *p, const struct dnsfront_lookup *lookup)
{
    struct dnsfront_node *n = p->node;
    bool resolve = lookup->kind == DNSFRONT_RESOLVE;
    if (!n->has_recursors || (!resolve && lookup->kind != DNSFRONT_FORWARD)) {
        return false;
    }
    p->relayed = !resolve && !p->reverse;
    enum forward_mode mode = lookup->tcp ? FORWARD_TCP : FORWARD_UDP;
    dnsfront__forward(n->forwarder, resolve ? FORWARD_RESOLVE : mode, lookup->message,
                      lookup->message_len, on_reply, p);
    return true;
}
