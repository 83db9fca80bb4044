/* http_kit.h - an HTTP server on an ephemeral port with a backend that the test plays, all on the
 * test's thread. */
#pragma once

#include "mu_test.h"

#include "http/server.h"
#include "rpc/endpoints.h"

struct kit {
    struct event_base *base;
    struct http_server *server;
    struct client_limit *clients;
    struct http_server_config config;
    struct http_address at;
    struct call_backend backend;
    /* What the backend was asked last. */
    struct call *held; /* under way, if hold is set */
    char method[64];
    unsigned calls, cancelled;
    bool hold;
    const char *error;                             /* answer this */
    void (*answer)(struct kit *k, struct call *c); /* or fill c->reply; NULL: a cleared reply */
    char request[4096]; /* the last request as JSON, when its schema has fields */
};

void kit_start(struct kit *k); /* with k->config as kit_init left it, or changed since */
void kit_init(struct kit *k);
void kit_stop(struct kit *k);
void kit_release(struct kit *k); /* answers the held call */

int kit_connect(struct kit *k);
void kit_turn(struct kit *k); /* lets the server do what it can at once */
void kit_send(struct kit *k, int fd, const char *bytes, size_t len);

struct reply {
    int status;
    char head[4096];
    char *body; /* with a zero behind it */
    size_t len;
};
/* One reply from fd, waiting for it as long as it takes. status 0: the server has closed the
 * connection without one. */
struct reply kit_receive(struct kit *k, int fd);
/* Waits for the server's end of the connection: nothing more, then EOF. */
bool kit_closed(struct kit *k, int fd);
void reply_free(struct reply *r);
/* A header's value, or NULL; valid until the next call. */
const char *reply_header(const struct reply *r, const char *name);

/* A request on a connection of its own: "GET /path", more header lines ("X: y\r\n"), and a body or
 * NULL. */
struct reply kit_ask(struct kit *k, const char *line, const char *headers, const char *body);
