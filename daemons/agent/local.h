/* local.h - what is registered on this agent: the source of truth for its services and checks.
 *
 * Core loop only. Entries carry what anti-entropy (sync.h) needs: whether the catalog is believed
 * to hold the same, and a version that moves with every change, so that an answer about an older
 * state is told apart. An entry that was removed stays, marked deleted, until the catalog has
 * forgotten it too. */
#pragma once

#include "agent/agent_endpoints.h"
#include "agent/check.h"
#include "agent/core_call.h"
#include "agent/persist.h"
#include "base/config.h"
#include "map.h"

enum local_source { SOURCE_REMOTE, SOURCE_FILE }; /* the API, or a configuration file */

/* The beginning of a service and of a check. */
struct local_entry {
    struct mu_str id;    /* own copy; the key */
    struct mu_str token; /* own copy; of the registration, or empty */
    enum local_source source;
    bool deleted, in_sync;
    bool marked; /* reload: still in the files */
    bool seen;   /* comparison: the catalog holds it */
    uint64_t version;
    uint64_t tried;     /* number of the last pass of sync.c that sent something about it */
    uint64_t synced_ns; /* when the catalog was last known to hold the same */
};

struct local_service {
    struct local_entry entry;
    struct catalog_node_service *service; /* one block; NULL when deleted */
    struct local_check *sync_checks;      /* sync_group_checks: of this service, out of sync */
};

struct local_check {
    struct local_entry entry;
    struct local *local;
    struct local_check *sync_next;
    /* One block, but for status (static) and output (own); NULL when deleted */
    struct catalog_check *check;
    struct catalog_check_type *type; /* one block; NULL: maintenance, or deleted */
    struct check *runner;            /* NULL: nothing runs (alias, maintenance, not started) */
    struct alias_watch *alias;       /* of another node; NULL: it is none, or not started */
    struct mu_str output;            /* own copy: what check->output shows */
    struct event *defer;             /* pending: a change of the output alone, to be told later */
    uint64_t critical_since_ns;      /* 0: it is not */
    uint64_t ttl_deadline_ns;        /* before the start: what was restored, or 0 */
    /* Among the checks whose state file is not what it should be; link NULL: it is */
    struct local_check *unsaved_next, **unsaved_link;
};

struct local {
    const struct config *config;
    struct mu_str node;      /* lent for its life */
    struct persist *persist; /* NULL: nothing is kept */
    struct check_world world;
    struct loop *core, *front;    /* for what is asked of the servers */
    struct call_backend *backend; /* NULL: they cannot be asked */
    struct mu__prng prng;
    struct mu__map services, checks; /* of struct local_service and local_check */
    size_t naliases;
    uint64_t services_version;   /* moves when a service is registered, or goes */
    struct event *realias;       /* alias checks are to be looked at again */
    struct event *reap;          /* looks for services that have been critical for too long */
    struct local_check *unsaved; /* TTL checks whose state is to be written */
    struct event *save;          /* pending while there are any */
    uint64_t saved_ns;           /* when states were last written */
    bool running;
    void (*changed)(void *arg); /* something is out of sync, or a service looks different */
    void *arg;
};

#define LOCAL_ERROR_MAX 1024u

/* False when out of memory. */
bool local_init(struct local *l, const struct config *config, struct event_base *base,
                uint64_t seed);
/* Another configuration, borrowed in place of the one before. Definitions are another matter. */
void local_set_config(struct local *l, const struct config *config);
/* Before local_start: alias checks of other nodes ask the servers through `backend`, on `front`.
 * All are borrowed until the loops have ended. */
void local_set_backend(struct local *l, struct loop *core, struct loop *front,
                       struct call_backend *backend);
void local_start(struct local *l); /* checks begin to run */
void local_stop(struct local *l);  /* no event of it is left on the loop */
void local_fini(struct local *l);

/* Registers or replaces a service with the checks of its definition, which definition_check_service
 * has accepted. replace_checks: other checks of the service go. A sidecar within the definition is
 * made a service of its own; it goes with the service, but stays when that is registered without
 * it. false with Consul's text in err; a sidecar's fault may leave the service itself in place. */
MU_MUST_USE bool local_add_service(struct local *l, const struct catalog_service_definition *d,
                                   struct mu_str token, bool replace_checks,
                                   enum local_source source, char *err, size_t errlen);
/* A check of its own, which definition_check_check has accepted. */
MU_MUST_USE bool local_add_check(struct local *l, const struct agent_check_definition *d,
                                 struct mu_str token, enum local_source source, char *err,
                                 size_t errlen);
/* Unknown IDs are fine. A service takes its checks and its sidecar with it. */
void local_remove_service(struct local *l, struct mu_str id);
void local_remove_check(struct local *l, struct mu_str id);

/* Reports for a TTL check. */
MU_MUST_USE bool local_update_check(struct local *l, struct mu_str id, enum check_status status,
                                    struct mu_str output, char *err, size_t errlen);
/* service empty: the node. */
MU_MUST_USE bool local_set_maintenance(struct local *l, struct mu_str service, bool enable,
                                       struct mu_str reason, struct mu_str token, char *err,
                                       size_t errlen);

/* NULL when unknown or deleted. */
struct local_service *local_service(const struct local *l, struct mu_str id);
struct local_check *local_check(const struct local *l, struct mu_str id);

/* Reload: entries of files are unmarked; what registrations do not mark again is removed by
 * local_sweep. */
void local_unmark_files(struct local *l);
void local_sweep_files(struct local *l);

/* Earlier runs, from the data folder; before local_start. What files define wins. */
void local_restore(struct local *l);

/* For sync.c: an entry to be deregistered that the catalog holds and we do not know; and to forget
 * one. NULL: no memory. */
struct local_service *local_ghost_service(struct local *l, struct mu_str id);
struct local_check *local_ghost_check(struct local *l, struct mu_str id);
void local_forget_service(struct local *l, struct local_service *s);
void local_forget_check(struct local *l, struct local_check *c);
