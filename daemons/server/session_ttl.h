/* session_ttl.h - when sessions with a TTL end: what the leader alone keeps.
 *
 * A session ends when it has not been renewed for a quarter longer than its TTL: never before the
 * TTL, and well before one and a half of it, whatever the log needs (issue: consul#1172). A new
 * leader cannot know of renewals, so it gives every session its full time anew (consul PR#912).
 * Once its end is decided a session is not renewed any more: what is told is what will be. Time is
 * a number that the caller reads. */
#pragma once

#include "server/deadlines.h"

#define SESSION_TTL_MAX_NS   (24 * 3600 * MU_SEC)
#define SESSION_END_RETRY_NS (5 * MU_SEC) /* for the end of a session to be in the log */

struct session_ttl {
    struct deadlines deadlines;
};

static inline uint64_t session_ttl_grace_ns(uint64_t ttl_ns)
{
    return ttl_ns / 4;
}

/* In ns; 0: none, also when the text is none. */
uint64_t session_ttl_parse(struct mu_str text);
/* What a session may ask for: NULL, or the refusal in Consul's words, in err. */
const char *session_ttl_check(struct mu_str text, uint64_t min_ns, char *err, size_t errlen);

/* A session was made, or is there when a leadership begins; ttl_ns 0: it does not end by itself. */
void session_ttl_start(struct session_ttl *t, struct mu_str id, uint64_t ttl_ns, uint64_t now_ns);
/* False: it is about to end. */
bool session_ttl_renew(struct session_ttl *t, struct mu_str id, uint64_t ttl_ns, uint64_t now_ns);
/* A session that is due at now_ns, lent until the next change; p NULL: none is. It is given again
 * after SESSION_END_RETRY_NS, should it still be there. */
struct mu_str session_ttl_next_due(struct session_ttl *t, uint64_t now_ns);
uint64_t session_ttl_deadline(const struct session_ttl *t); /* MU_NEVER: none */
