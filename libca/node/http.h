/* http.h - one GET to the agent, on a connection of its own. The whole answer is bounded, and wiped
 * when it is freed: it may hold a private key. */
#pragma once

#include "alloc.h"

#include <sys/socket.h>
#include <sys/un.h>

struct event_base;
struct identity__http;

struct identity__agent { /* where it is, and what is said to it */
    struct sockaddr_storage address;
    socklen_t address_len;
    char host[256]; /* for the Host header */
    char token[256];
};

/* "ip:port", "[ip]:port", "localhost:port", "unix:///path"; false if it is none of them. */
bool identity__agent_parse(struct identity__agent *agent, const char *text);

struct identity__reply {
    int status;
    uint64_t index; /* X-Consul-Index; 0: there is none */
    char *body;     /* zero-terminated; the callee may write to it */
    size_t len;
};

struct identity__get {
    const struct mu_allocator *allocator;
    struct event_base *base;
    const struct identity__agent *agent;
    const char *path; /* with its query; borrowed during the call */
    uint64_t timeout_ns;
    size_t bytes_max;
    /* Once, from the loop, unless it is cancelled before; the request ends with it. why NULL: reply
     * is there, lent for the call. */
    void (*done)(void *user, const char *why, struct identity__reply *reply);
    void *user;
};

/* NULL when out of memory, of sockets, or when the agent is plainly not there; errno says which. */
struct identity__http *identity__http_get(const struct identity__get *get);
void identity__http_cancel(struct identity__http *h); /* NULL is allowed */

/* Reads an answer that is all there: head, then a body by length, in chunks (joined in place), or
 * up to the end. NULL, or what is wrong with it. text[len] is room for a zero. */
const char *identity__http_read(char *text, size_t len, struct identity__reply *out);
