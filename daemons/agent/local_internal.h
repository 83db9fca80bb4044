/* local_internal.h - between the files that make up local.h. */
#pragma once

#include "agent/local.h"

/* Text in the arena, with a zero behind it. Ends the program when out of memory. */
struct mu_str local__print(struct mu__arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Files of what is registered through the API. */
void local__save_service(struct local *l, const struct local_service *s);
void local__save_check(struct local *l, const struct local_check *c);
/* Of a TTL check: soon, however often it is asked for until then, or when the agent stops. */
void local__save_state(struct local *l, struct local_check *c);
void local__write_states(struct local *l, size_t max); /* of up to max checks that wait for it */
void local__on_save(evutil_socket_t fd, short what, void *arg);
void local__leave_unsaved(struct local_check *c); /* it is about to go */

/* Put an entry in place of one of the same ID, or next to the others. Arguments are copied; never
 * NULL. The state that a check of the same ID had stays, so that registering again does not flap; a
 * runner of the same type goes on with its counters. */
struct local_service *local__put_service(struct local *l,
                                         const struct catalog_node_service *service,
                                         struct mu_str token, enum local_source source);
struct local_check *local__put_check(struct local *l, const struct catalog_check *check,
                                     const struct catalog_check_type *type, struct mu_str token,
                                     enum local_source source);
void local__delete_check(struct local *l, struct local_check *c);
/* Removes the checks of a service but for those in keep. */
void local__remove_checks_of(struct local *l, struct mu_str service, const struct mu_str *keep,
                             size_t nkeep);

/* Changed: out of sync, a new version, tell. */
void local__touch(struct local *l, struct local_entry *e);
/* A new state; output is copied. Tells the catalog at once if the status is another, later if only
 * the output is. */
void local__set_status(struct local_check *c, enum check_status status, struct mu_str output);
void local__start_check(struct local_check *c); /* its runner, if the agent runs */
void local__stop_check(struct local_check *c);
void local__look_at_aliases(struct local *l); /* soon */
void local__update_aliases(struct local *l);

/* What an alias makes of the checks that it looks at, one after the other. */
struct alias_verdict {
    enum check_status status;            /* CHECK_PASSING at first */
    const struct catalog_check *because; /* lent; NULL: nothing fails */
    bool any, found;                     /* found: some are of the service itself */
};
/* The first critical check decides; of warnings the last one is named, as in Consul. */
void local__judge_alias(struct alias_verdict *v, const struct catalog_check *c,
                        struct mu_str service);
/* To be freed with text_free. */
struct mu_str local__alias_output(const struct local_check *alias, const struct alias_verdict *v);
void local__lose_alias(struct local_check *alias); /* there is no such service */
void local__start_alias(struct local_check *c);    /* of another node, if the agent runs */
void local__stop_alias(struct local_check *c);
