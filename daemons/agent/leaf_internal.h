/* leaf_internal.h - between leaf.c (leafs: found, renewed, dropped), leaf_sign.c (how one is made),
 * leaf_roots.c (which roots are trusted) and leaf_age.c (who grows old). */
#pragma once

#include "agent/core_call.h"
#include "agent/leaf.h"
#include "agent/leaf_maker.h"
#include "heap.h"
#include "map.h"

#include <event2/event.h>

enum leaf_state {
    LEAF_RESTS, /* until it is due */
    LEAF_ROOTS, /* the trust domain is not known yet */
    LEAF_MADE,  /* its key is being made */
    LEAF_SIGNED /* by the servers */
};

struct leaf {
    struct leaves *all;
    enum leaf_state state;
    struct catalog_issued_cert *cert; /* one block; NULL: none */
    size_t cert_size;                 /* of that block, which holds the key */
    int64_t not_before_s, not_after_s;
    char *issuer;     /* key id of who signed it, "aa:bb"; "": it does not say */
    char *active;     /* the active root then */
    bool was_trusted; /* its issuer was seen among the roots */
    bool is_removed;  /* and is not any more */
    bool is_rotating; /* it is to be replaced, since another root signs now */
    uint64_t signed_ns, used_ns;
    int64_t renew_unix_s;        /* when it is to be replaced */
    unsigned failures, refusals; /* in a row; refusals: since servers sign enough already */
    char *error;                 /* of the last attempt, if that failed */
    unsigned told_mark;          /* in percent of its life: the log has been told that it is over */
    uint64_t attempts;
    bool pinned, is_named;
    bool is_wanted;           /* somebody waits for the next attempt */
    struct leaf_order *order; /* on the thread, or waiting for its signature */
    char *token;
    struct mu__heap_item due;
    size_t name_len;
    char name[];
};

struct leaf_roots {
    struct catalog_indexed_ca_roots *reply; /* one block; NULL: not known */
    bool asked;                             /* a question is under way */
    char *told_id;                          /* of the root that told_mark is about; NULL: none */
    unsigned told_mark;                     /* as a leaf's */
    uint64_t looked_ns;                     /* at its age; 0: not yet */
    unsigned failures;
    struct event *again;
};

struct leaves {
    struct leaves_config config;
    struct core_caller *caller;
    struct leaf_maker *maker; /* NULL: nothing was made yet */
    struct mu__map leafs;
    struct mu__heap due;
    struct event *timer, *tell;
    struct mu__prng prng;
    struct leaf_roots roots;
    size_t under_way;
    uint64_t signed_count, failed_count;
    char error[512]; /* what a view lends */
};

/* leaf.c */
void leaf__schedule(struct leaf *x, uint64_t in_ns);
void leaf__run(struct leaves *l); /* those that are due, as many at a time as may be */
void leaf__tell(struct leaves *l);
/* The attempt is over; error NULL: there is a new certificate. */
void leaf__ended(struct leaf *x, const char *error);
/* Roots are known, or are not to be had (error). */
void leaf__roots_known(struct leaves *l, const char *error);
/* They have changed: which leafs are to be replaced? */
void leaf__judge(struct leaf *x);
void leaf__wiped_free(struct leaf *x); /* the certificate with its key */

/* leaf_sign.c */
void leaf__make(struct leaf *x); /* roots are known */

/* leaf_age.c */
void leaf__age_failed(struct leaf *x, int64_t now_s); /* it could not be replaced, once more */
void leaf__age_roots(struct leaves *l, uint64_t now_ns, int64_t now_s); /* often; cheap */

/* leaf_roots.c */
void leaf__roots_want(struct leaves *l); /* asks, unless a question is under way */
void leaf__roots_fini(struct leaves *l);
const struct catalog_ca_root *leaf__active_root(const struct leaves *l); /* NULL: none */
bool leaf__is_issuer(const struct leaves *l, const char *key_id);        /* of any root */
