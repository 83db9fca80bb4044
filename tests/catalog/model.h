/* model.h - the catalog as a child would write it: plain lists of records, searched from one end to
 * the other. No index, no version, no watch, and nothing of libcatalog's stores. */
#pragma once

#include "fixture.h"

#define MODEL_MAX 64u

struct model_list {
    void *items[MODEL_MAX]; /* clones, each its own */
    size_t n;
};

struct model_instance {
    char node[32]; /* as it was spelled with the service */
    struct catalog_node_service *service;
};

struct model {
    struct model_list nodes, checks, keys, sessions, coordinates;
    struct model_instance instances[MODEL_MAX];
    size_t ninstances;
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

/* ---- Questions: the same to the model and to a catalog, answered record by record ---- */

#define QUESTIONS 45
void model_answer(const struct model *m, int q, struct mu__writer *out);
/* *index: the one that is reported, 0 for a question without; keys: what to wait for. */
void catalog_answer(struct catalog_reader *r, int q, struct mu__writer *out, uint64_t *index,
                    struct catalog_watch_keys *keys);
/* What the question asks, for messages. */
void question_text(int q, char *out, size_t size);
