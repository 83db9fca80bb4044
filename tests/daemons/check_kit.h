/* check_kit.h - checks on one loop, and what they look at: a server of ready-made answers. */
#pragma once

#include "mu_test.h"

#include "agent/check_internal.h"

#include <event2/listener.h>

struct world {
    struct event_base *base;
    struct check_world checks;
    struct mu__prng prng;
    enum check_status status;
    char output[8192];
    int reports, wanted;
};

/* For cmocka: *state is a struct world. */
int kit_setup(void **state);
int kit_teardown(void **state);

void kit_on_report(void *arg, enum check_status status, struct mu_str output);
/* Makes a check whose first run comes at once. */
struct check *kit_begin(struct world *w, const struct catalog_check_type *t);
void kit_wait_for(struct world *w, int reports);
void kit_run_once(struct world *w, const struct catalog_check_type *t);

struct server {
    struct evconnlistener *listener;
    const char *answer;
    size_t answer_len; /* 0: it is text */
    char request[4096];
    uint16_t port;
    bool silent; /* accepts and says nothing */
    bool stays;  /* does not close after its answer */
};

void kit_listen(struct world *w, struct server *s);
/* A port that nothing listens on: one that was just ours. */
uint16_t kit_closed_port(struct world *w);
