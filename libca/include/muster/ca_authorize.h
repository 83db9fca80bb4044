/* ca_authorize.h - may this service talk to that one? Intentions, compiled into a table.
 *
 * An intention allows or denies a source to reach a destination; both are services, or "*" for all.
 * Of those that match the one of the highest precedence decides, as in Consul: an exact destination
 * comes before "*", and among equal destinations an exact source before "*". When none matches, the
 * caller's default decides.
 *
 * Time:    a decision costs a few hashes and at most nine probes, whatever the number of
 * intentions. Threads: a table never changes; any number of threads may ask at the same time. To
 * change rules, make another table and put it in the place of this one. Memory:  all of it is
 * allocated when the table is made; asking allocates nothing. */
#ifndef MUSTER_CA_AUTHORIZE_H
#define MUSTER_CA_AUTHORIZE_H

#include <muster/ca.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ca_action { CA_DENY = 0, CA_ALLOW };

struct ca_intention {
    /* Namespace and name; either is exact or "*". A name cannot be exact if its namespace is "*".
     * An empty namespace is "default". */
    struct mu_str source_ns, source;
    struct mu_str destination_ns, destination;
    enum ca_action action;
};

/* 9 for exact to exact, 8 for "*" to exact, 6 for exact to "*", 5 for "*" to "*", and what
 * namespaces add between and below; 0 if it is none. */
MU_API unsigned ca_intention_precedence(const struct ca_intention *i);

struct ca_intentions;
/* Compiles a list, whose texts are copied. Of two for one pair, a denial counts. seed: random bits
 * of the caller's, so that nobody can choose names that collide. Gives *out, to be freed with
 * ca_intentions_destroy. allocator NULL: malloc and free.
 * Errors: CA_EINVAL (a name is empty or holds a "*" among other letters, or the namespace rule
 * above; an action is none; more than 2^24 intentions), CA_ENOMEM. */
MU_API MU_MUST_USE int ca_intentions_create(const struct ca_intention *list, size_t count,
                                            uint64_t seed, const struct mu_allocator *allocator,
                                            struct ca_intentions **out);
MU_API void ca_intentions_destroy(struct ca_intentions *t); /* NULL is allowed */

struct ca_authorization {
    bool allowed;
    bool matched;        /* an intention decided, not the default */
    size_t intention;    /* if matched: its place in the list that the table was made of */
    unsigned precedence; /* if matched */
};
/* True if the service of that id may reach the destination; an id of another kind may reach
 * nothing. As in Consul the id's trust domain and datacenter are not looked at: ca_verify has done
 * that. An empty destination_ns is "default". out (may be NULL) says why. */
MU_API MU_MUST_USE bool ca_authorize(const struct ca_intentions *t, const struct ca_id *source,
                                     struct mu_str destination_ns, struct mu_str destination,
                                     enum ca_action default_action, struct ca_authorization *out);

#ifdef __cplusplus
}
#endif
#endif
