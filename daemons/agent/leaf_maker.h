/* leaf_maker.h - keys and signing requests for services, made on a thread of their own.
 *
 * A key pair and its signature are a millisecond or two of public-key work, which the core loop has
 * no time for. An order goes to the thread and comes back to the core loop; the key is wiped when
 * the order is freed. */
#pragma once

#include "base/loop.h"

#include <muster/ca.h>

#define LEAF_KEY_MAX 512u
#define LEAF_CSR_MAX 6144u

struct leaf_order {
    char uri[CA_URI_MAX + 1]; /* whose certificate it is to be */
    void (*done)(struct leaf_order *o);
    void *arg;
    struct leaf_maker *maker;
    int error;                                 /* CA_OK, or why there is nothing below */
    char key[LEAF_KEY_MAX], csr[LEAF_CSR_MAX]; /* PEM */
    size_t key_len, csr_len;
};

struct leaf_maker;
/* Starts the thread. NULL: no memory or no thread. */
struct leaf_maker *leaf_maker_create(struct loop *core);
/* Core loop. Ends the thread; orders under way come back to the core loop or have done so, unless
 * it has ended too: then loop_destroy brings them. NULL is allowed. */
void leaf_maker_destroy(struct leaf_maker *m);
/* Core loop. Takes the order until done runs there, which frees it. */
void leaf_maker_order(struct leaf_maker *m, struct leaf_order *o);
void leaf_order_free(struct leaf_order *o); /* wipes it; NULL is allowed */
