/* internal.h - what the files of this folder share.
 *
 *   dns.c       sockets
 *   settings.c  the configuration in libdnsfront's words
 *   find.c      lookups under way: from a question to the catalog's answer
 *   ask.c       what is asked of the catalog
 *   lookup.c    what it answers, in libdnsfront's words */
#pragma once

#include "arena.h"
#include "ask.h"
#include "dns.h"
#include "prng.h"

#include <muster/dnsfront_node.h>

struct dns_settings {
    struct mu__arena arena; /* what they point at */
    struct dns_terms terms;
    struct dnsfront_config front;
    struct dnsfront_recursors recursors;
};

struct dns_find;
struct dns {
    struct dns_settings *settings; /* since the last reload, of these the terms */
    struct call_backend *backend;
    struct call_fresh fresh;
    bool copies; /* the backend keeps some */
    struct dnsfront_node **nodes;
    size_t node_count;
    struct dns_find *oldest, *newest; /* lookups under way, all with the same patience */
    struct event *deadline;           /* of one of them */
    bool is_armed;
    struct mu__prng prng;
};

/* find.c: the functions of a struct dnsfront_source */
void dns__find(void *user, struct dnsfront_pending *pending, const struct dnsfront_lookup *lookup);
uint64_t dns__version(void *user);
bool dns__unchanged(void *user, const struct dnsfront_lookup *lookup, uint64_t stamp);
void dns__on_deadline(evutil_socket_t fd, short what, void *arg); /* of a struct dns */
void dns__find_end(struct dns *d);                                /* cancels what is under way */
