/* user_event.h - Consul's user events, as the API prints them and as they travel in gossip (gossip
 * wire, 12.2). */
#pragma once

#include "schema.h"

#define USER_EVENT_VERSION 1

struct user_event {
    struct mu_str id; /* a UUID */
    struct mu_str name, payload;
    struct mu_str node_filter, service_filter, tag_filter; /* regular expressions; empty: all */
    uint64_t version;
    uint64_t ltime; /* when it was received; not part of the payload */
};
extern const struct mu__schema user_event_schema; /* what the API prints */

/* The payload of the gossip event "consul:event:<name>". */
void user_event_encode(struct mu__writer *w, const struct user_event *ev);
/* Lends from p; ltime is left 0. False: it is malformed. */
bool user_event_decode(const void *p, size_t len, struct user_event *out);

/* Can it be fired? Otherwise err says in Consul's words why not. */
bool user_event_check(const struct user_event *ev, char *err, size_t errlen);

/* The halves of the UUID, each of the other's bits: the index at which a list that ends with this
 * event is. Never 0. */
uint64_t user_event_index(const struct user_event *ev);
