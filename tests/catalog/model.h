/* model.h - the catalog as a child would write it: plain lists of records, searched from one end to
 * the other. No index, no version, no watch, and nothing of libcatalog's stores. */
#pragma once

#include "fixture.h"

#include <muster/catalog_gateway.h>
#include <muster/catalog_intention.h>

#define MODEL_MAX 128u

struct model_list {
    void *items[MODEL_MAX]; /* clones, each its own */
    size_t n;
};

struct model_instance {
    char node[32]; /* as it was spelled with the service */
    struct catalog_node_service *service;
};

struct model {
    struct model_list nodes, checks, keys, sessions, coordinates, config, queries, intentions;
    struct model_list gateways; /* what follows from config and instances */
    struct model_instance instances[MODEL_MAX];
    size_t ninstances;
    char virtual[MODEL_MAX][32]; /* 240.0.0.1 and so on: for which service; "": it is free */
    struct catalog_autopilot_config autopilot;
    bool has_autopilot;
    char zone[16]; /* of autopilot */
};

/* What the catalog said about an entry: refused entries leave nothing behind, so the model need not
 * know why they are. A condition is the model's own to judge. */
struct model_verdict {
    bool is_refused;
};

/* Applies an entry. False: it has another opinion than `answer` about a condition. */
bool model_apply(struct model *m, uint64_t index, const void *entry, size_t len,
                 struct model_verdict verdict, const bool *answer);
void model_fini(struct model *m);

/* ---- Between model.c and model_config.c ---- */

void model_append(struct model_list *l, void *record);
void model_drop(struct model_list *l, size_t i);

/* model_config.c: a config entry, a prepared query; those that are bound to a session go. */
void model_config(struct model *m, uint64_t index, const struct catalog_config_request *r);
void model_query(struct model *m, uint64_t index, const struct catalog_prepared_query_request *r);
/* model_intention.c */
void model_intention(struct model *m, uint64_t index, const struct catalog_intention_request *r);
void model_end_queries(struct model *m, struct mu_str session);
/* Makes the list of what is behind gateways anew; pairs that stay keep their indexes. */
void model_follow_gateways(struct model *m, uint64_t index);
/* Gives out virtual addresses, then takes back those that stand for nothing any more. */
void model_follow_virtual(struct model *m);
int model_virtual(const struct model *m, struct mu_str service); /* 0: the first; -1: none */
/* The entry, or NULL. */
const struct catalog_config_entry *model_find_config(const struct model *m, struct mu_str kind,
                                                     struct mu_str name);

/* ---- Questions: the same to the model and to a catalog, answered record by record ---- */

#define QUESTIONS 78
void model_answer(const struct model *m, int q, struct mu__writer *out);
/* *index: the one that is reported, 0 for a question without; keys: what to wait for. */
void catalog_answer(struct catalog_reader *r, int q, struct mu__writer *out, uint64_t *index,
                    struct catalog_watch_keys *keys);
/* What the question asks, for messages. */
void question_text(int q, char *out, size_t size);
