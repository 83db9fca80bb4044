/* core_job.h - a call that the core answers, between operator.c, which takes it there and back, and
 * pool.c. */
#pragma once

#include "route.h"

#include "rpc/endpoints.h"

#define OPERATOR_TEXT_MAX                                                                          \
    256u /* of an ID or address that is asked for; none that is longer exists */

struct operator_job {
    struct route *route;
    enum endpoint_id what;
    char wanted[OPERATOR_TEXT_MAX]; /* the server to remove: ID or address; the session to renew */
    int status;                     /* RAFT_OK, or why it could not be done */
    char error[OPERATOR_TEXT_MAX + 64];
    struct mu__arena arena;
    const void *request; /* a copy, for pool.c */
    void *reply;
};

/* operator.c */
void operator__finish(struct operator_job *job); /* back to the front with it */
void *operator__room(struct operator_job *job, size_t n, size_t size); /* cleared */

/* pool.c: what a server does in the gossip pool for others. */
bool pool__answers(enum endpoint_id what);
/* A copy of the request in the job's arena. False: out of memory. */
bool pool__take_request(struct operator_job *job, const struct call *c);
void pool__answer(struct server *s, struct operator_job *job); /* finishes it, later */
