/* check.h - what finds out whether something is healthy: HTTP, TCP, gRPC, Docker, script and TTL
 * checks on one loop.
 *
 * A check runs by itself once created: first after a random part of its interval, then once each
 * interval, counted from when a run was due and not from when it ended, so that it keeps its beat;
 * a run that takes longer costs the beats that it misses. It reports changes and repetitions alike;
 * success_before_passing and failures_before_critical are applied here, from the first run on.
 * Nothing blocks the loop: sockets are non-blocking, names are resolved by evdns, a script is a
 * process of its own, TLS is spoken by another thread. No wall clock is looked at.
 *
 * HTTP checks do not follow redirects (a check must not be led to other hosts, as in
 * CVE-2022-29153), unlike Consul's. */
#pragma once

#include "agent/check_tls.h"

#include <event2/event.h>
#include <muster/catalog_types.h>

#include "prng.h"

#define CHECK_INTERVAL_MIN_NS ((int64_t)MU_SEC) /* shorter intervals are raised to it */

enum check_status { CHECK_PASSING, CHECK_WARNING, CHECK_CRITICAL };
struct mu_str check_status_name(enum check_status s);
/* CHECK_CRITICAL for what is no status. */
enum check_status check_status_parse(struct mu_str s);

struct check;
/* output is lent. The check may be destroyed from within. */
typedef void (*check_report_fn)(void *arg, enum check_status status, struct mu_str output);

struct evdns_base;
struct check_world { /* what all checks of an agent share; borrowed by each for its life */
    struct event_base *base;
    struct mu__prng *prng;
    size_t output_max;                     /* check_output_max_size: no check keeps more */
    const char *docker_host;               /* $DOCKER_HOST; NULL or "": Docker's own default */
    struct evdns_base *dns;                /* made at the first name that needs it */
    struct check__tls_options tls_options; /* of what TLS is made of; text is borrowed */
    struct check__tls *tls;                /* made at the first check that needs it */
};
void check_world_fini(struct check_world *w);

/* Starts a check of a valid type (definitions.h), which is copied. Alias types are not run here.
 * status: what is believed so far, which it takes the thresholds' number of results to change. NULL
 * when out of memory. */
struct check *check_create(struct check_world *w, const struct catalog_check_type *type,
                           enum check_status status, check_report_fn report, void *arg);
void check_destroy(struct check *c); /* kills what is under way; NULL is allowed */

bool check_is_ttl(const struct check *c);
/* TTL checks: someone has reported; the time starts again. Does not call report. */
void check_ttl_reset(struct check *c, struct mu_str output);
/* When a TTL check expires, by CLOCK_MONOTONIC. */
uint64_t check_ttl_deadline(const struct check *c);
/* Lets a TTL check expire at an earlier time than a full TTL from now: it was restored. */
void check_ttl_set_deadline(struct check *c, uint64_t at_ns);

/* "script", "http", "tcp", "grpc", "docker", "ttl", "alias": what HealthCheck.Type says. */
struct mu_str check_type_name(const struct catalog_check_type *type);
