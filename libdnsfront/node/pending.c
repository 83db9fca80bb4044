/* Queries that wait for what was looked up, and their share of the room. */
#include "recursion.h"

#include "map.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IDLE_MAX 256u

bool dnsfront__asks_reverse(const uint8_t *bytes, size_t len)
{
    const uint8_t *last = NULL;
    size_t at = 12; /* behind the header (RFC 1035 4.1.1) */
    while (at < len && bytes[at] > 0 && bytes[at] < 64 && at + 1 + bytes[at] <= len) {
        last = bytes + at;
        at += 1u + bytes[at];
    }
    return last && last[0] == 4 && strncasecmp((const char *)last + 1, "arpa", 4) == 0;
}

static void fill_request(struct dnsfront_node *n, const uint8_t *bytes, size_t len, bool tcp,
                         struct dnsfront_request *r)
{
    *r = (struct dnsfront_request){.bytes = bytes,
                                   .len = len,
                                   .tcp = tcp,
                                   .now_unix_s = n->now_unix_s,
                                   .random = mu__prng_next(&n->prng),
                                   .version =
                                       n->source.version ? n->source.version(n->source.user) : 0};
}

bool dnsfront__node_kept(struct dnsfront_node *n, const uint8_t *bytes, size_t len, bool tcp,
                         uint8_t *out, size_t cap, size_t *out_len)
{
    struct dnsfront_request r;
    if (!n->source.version) {
        return false;
    }
    fill_request(n, bytes, len, tcp, &r);
    if (!dnsfront_answer_kept(n->front->d, &r, out, cap, out_len)) {
        return false;
    }
    n->stats.kept_hits++;
    n->stats.answers++;
    *(tcp ? &n->stats.tcp_queries : &n->stats.udp_queries) += 1;
    return true;
}

/* ---- Shares ---- */

/* The part of the client's address that one customer of a network has: /24 or /64. */
static size_t network_of(const struct sockaddr_storage *peer, uint8_t out[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (peer->ss_family == AF_INET) {
        memcpy(&v4, peer, sizeof v4);
        memcpy(out, &v4.sin_addr, 3);
        return 3;
    }
    memcpy(&v6, peer, sizeof v6);
    bool is_v4 = memcmp(&v6.sin6_addr, mapped, sizeof mapped) == 0;
    memcpy(out, (const uint8_t *)&v6.sin6_addr + (is_v4 ? 12 : 0), is_v4 ? 3 : 8);
    return is_v4 ? 3 : 8;
}

static size_t share_of(const struct dnsfront_node *n, const struct sockaddr_storage *peer)
{
    uint8_t network[16];
    size_t len = network_of(peer, network);
    return (size_t)(mu__siphash(n->share_seed, network, len) % SHARES);
}

static bool has_room(const struct dnsfront_node *n, bool tcp, size_t share)
{
    size_t max = n->pending_max;
    if (n->pending >= max || (!tcp && n->pending_udp >= mu__max(1, max - max / 4))) {
        return false;
    }
    return n->pending < max / 2 || n->shares[share] < mu__max(1, max / 8);
}

/* ---- Pendings ---- */

static struct dnsfront_pending *take(struct dnsfront_node *n)
{
    struct dnsfront_pending *p = n->idle;
    if (p) {
        n->idle = p->next;
        n->idle_count--;
    } else if (!(p = malloc(sizeof *p))) {
        return NULL;
    }
    p->node = n;
    p->query = NULL;
    p->relayed = false;
    p->prev = p->next = NULL;
    return p;
}

static void give_back(struct dnsfront_pending *p)
{
    struct dnsfront_node *n = p->node;
    if (n->idle_count >= IDLE_MAX) {
        free(p);
        return;
    }
    p->next = n->idle;
    n->idle = p;
    n->idle_count++;
}

void dnsfront__pendings_free(struct dnsfront_node *n)
{
    while (n->idle) {
        struct dnsfront_pending *p = n->idle;
        n->idle = p->next;
        free(p);
    }
}

static void count_in(struct dnsfront_pending *p, bool in)
{
    struct dnsfront_node *n = p->node;
    size_t one = in ? 1 : SIZE_MAX; /* adds or takes one */
    n->pending += one;
    n->pending_udp += p->origin.tcp ? 0 : one;
    n->shares[p->share] += (uint32_t)one;
}

static void send_answer(struct dnsfront_pending *p)
{
    struct dnsfront_node *n = p->node;
    size_t len;
    bool gone = n->closing || (p->origin.tcp && !p->origin.conn);
    if (gone ||
        dnsfront_query_answer(p->query, n->answer + 2, sizeof n->answer - 2, &len) != DNSFRONT_OK) {
        n->stats.dropped++;
        return;
    }
    n->stats.answers++;
    if (n->answered && !p->relayed) {
        n->answered(n->answered_user, p->reverse, n->now_ns - p->began_ns);
    }
    if (p->origin.tcp) {
        n->answer[0] = (uint8_t)(len >> 8);
        n->answer[1] = (uint8_t)len;
        dnsfront__tcp_send(p->origin.conn, n->answer, len + 2);
    } else {
        dnsfront__udp_send(n, &p->origin, n->answer + 2, len);
    }
}

static void end_pending(struct dnsfront_pending *p)
{
    struct dnsfront_node *n = p->node;
    send_answer(p);
    dnsfront_query_end(p->query);
    dnsfront__front_release(p->front);
    if (p->origin.conn) {
        dnsfront__tcp_detach(p->origin.conn, p);
    }
    count_in(p, false);
    give_back(p);
    if (!n->closing) {
        dnsfront__tcp_resume(n);
    }
    dnsfront__node_free_when_done(n);
}

/* What the query asks for next, or its answer. Once the node is destroyed nobody is asked, and
 * nobody waits. */
static void go_on(struct dnsfront_pending *p)
{
    const struct dnsfront_lookup *lookup = dnsfront_query_lookup(p->query);
    if (!lookup || p->node->closing) {
        end_pending(p);
    } else if (!dnsfront__recursion_find(p, lookup)) {
        p->node->source.find(p->node->source.user, p, lookup);
    }
}

void dnsfront_node_supply(struct dnsfront_pending *p, const struct dnsfront_found *found)
{
    struct dnsfront_node *n = p->node;
    dnsfront_query_supply(p->query, found);
    if (!n->in_batch) {
        dnsfront__node_read_clock(n);
    }
    go_on(p);
}

/* The client as text; IPv4 in its own form on a socket that takes both. */
static void client_text(const struct sockaddr_storage *peer, char out[CLIENT_TEXT_MAX])
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    out[0] = '\0';
    if (peer->ss_family == AF_INET) {
        memcpy(&v4, peer, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, out, CLIENT_TEXT_MAX);
    } else if (peer->ss_family == AF_INET6) {
        memcpy(&v6, peer, sizeof v6);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            inet_ntop(AF_INET, (const uint8_t *)&v6.sin6_addr + 12, out, CLIENT_TEXT_MAX);
        } else {
            inet_ntop(AF_INET6, &v6.sin6_addr, out, CLIENT_TEXT_MAX);
        }
    }
}

static bool begin(struct dnsfront_pending *p, const uint8_t *bytes, size_t len)
{
    struct dnsfront_node *n = p->node;
    struct dnsfront_request r;
    client_text(&p->origin.peer, p->client);
    fill_request(n, bytes, len, p->origin.tcp, &r);
    r.client = (struct mu_str){p->client, strlen(p->client)};
    return dnsfront_query_begin(n->front->d, &r, &p->query) == DNSFRONT_OK;
}

bool dnsfront__node_query(struct dnsfront_node *n, const uint8_t *bytes, size_t len,
                          const struct origin *from)
{
    size_t share = share_of(n, &from->peer);
    if (!has_room(n, from->tcp, share)) {
        return false;
    }
    struct dnsfront_pending *p = take(n);
    if (!p) {
        n->stats.dropped++;
        return true;
    }
    p->origin = *from;
    if (!begin(p, bytes, len)) {
        give_back(p);
        n->stats.ignored++;
        return true;
    }
    p->front = n->front;
    p->front->open++;
    p->share = share;
    p->began_ns = n->now_ns;
    p->reverse = n->answered && dnsfront__asks_reverse(bytes, len);
    n->stats.kept_misses++;
    *(from->tcp ? &n->stats.tcp_queries : &n->stats.udp_queries) += 1;
    count_in(p, true);
    if (from->conn) {
        dnsfront__tcp_attach(from->conn, p);
    }
    go_on(p);
    return true;
}
