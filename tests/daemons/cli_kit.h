/* cli_kit.h - commands in this process, with what they print, against an agent that follows a
 * script: one answer for each request, in order. */
#pragma once

#include "mu_test.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* most steps need only the first */

struct cli_step {
    const char *request; /* "PUT /v1/kv/x?acquire": what the request must begin with */
    const char *sent;    /* what its body must be; NULL: anything */
    int status;
    const char *body;
    size_t len;     /* of the body; 0: up to its zero */
    unsigned index; /* X-Consul-Index; 0: none */
};

extern char cli_address[64]; /* -http-addr=... */
extern char cli_output[8192], cli_complaint[8192];

struct evhttp_request;

int cli_kit_setup(void **state);
/* Instead of it: requests go to answer, on a thread of their own, and not to a script. */
int cli_kit_listen(void (*answer)(struct evhttp_request *req, void *arg));
int cli_kit_teardown(void **state);

/* Until the next script; steps ends with one whose request is NULL, and is borrowed. */
void cli_script(const struct cli_step *steps);
#define SCRIPT(...) cli_script((const struct cli_step[]){__VA_ARGS__, {.request = NULL}})
void cli_script_done(void); /* fails unless all was asked, and as expected */

#define RUN(command, ...) cli_run(command, (const char *const[]){__VA_ARGS__, NULL})
int cli_run(int (*command)(int argc, char **argv), const char *const *words);

/* What a stream prints from cli_capture to cli_release, as text. */
struct cli_capture {
    int saved, fd;
    FILE *file;
};
void cli_capture(struct cli_capture *c, FILE *stream);
void cli_release(struct cli_capture *c, FILE *stream, char *text, size_t cap);
