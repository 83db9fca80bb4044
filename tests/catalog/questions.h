/* questions.h - between questions.c and questions_config.c: the questions, and how answers are
 * written down. */
#pragma once

#include "model.h"
#include "random_entries.h"

enum kind {
    INSTANCES, /* with node and checks */
    CONNECT,
    SERVICE_NODES,
    SERVICE_CHECKS,
    IN_STATE,
    NODE_SERVICES,
    NODE_CHECKS,
    KEY,
    TREE,
    NAMES,
    NODES,
    SERVICES,
    SESSIONS,
    SESSION,
    NODE_SESSIONS,
    COORDINATES,
    COORDINATE,
    AUTOPILOT,
    CONFIG,   /* kind/name */
    CONFIGS,  /* of a kind, or all */
    GATEWAY,  /* what is behind it */
    INGRESS,  /* gateways of a service, with node and checks */
    DUMP,     /* what is behind a gateway, with instances */
    PREPARED, /* a query by its id */
    PREPARED_ALL,
    EXPLAIN, /* what a query asks for */
    NODES_AT,
    INSTANCES_AT,
    VIRTUAL, /* the virtual address of a service */
    INTENTIONS,
    VERDICT
};

struct question {
    enum kind kind;
    const char *about;
};

/* What order a record has in its list: up to three names, letters folded. */
struct sorted {
    struct mu_str a, b;
    const void *record;
    const struct model_instance *instance;
};

int question_by_names(const void *x, const void *y); /* of two struct sorted */

/* The instances of a service in their order; with connect, what speaks mTLS for it. */
size_t question_instances(const struct model *m, const char *name, bool connect,
                          struct sorted all[MODEL_MAX]);

void question_put(struct mu__writer *w, enum catalog_type t, const void *record);
void question_put_str(struct mu__writer *w, struct mu_str s);
void question_put_all(struct mu__writer *w, enum catalog_type t, const struct mu_list *l);
/* With its node and checks. */
void question_put_instance(const struct model *m, const struct model_instance *x,
                           struct mu__writer *w);

/* model_intention.c: INTENTIONS and VERDICT */
void question_put_intentions(const struct model *m, const struct question *q, struct mu__writer *w);
uint64_t question_of_intentions(struct catalog_reader *r, const struct question *q,
                                struct mu__writer *w, struct catalog_watch_keys *keys);

/* questions_config.c: the instances of the gateways of a kind that a service is behind; and the
 * questions from CONFIG on. */
void question_put_gateways(const struct model *m, const char *service, struct mu_str kind,
                           struct mu__writer *w);
void question_of_model(const struct model *m, const struct question *q, struct mu__writer *w);
uint64_t question_of_catalog(struct catalog_reader *r, const struct question *q,
                             struct mu__writer *w, struct catalog_watch_keys *keys);
