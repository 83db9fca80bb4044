/* client.h - the CLI's way to an agent's HTTP API: one request at a time, waited for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Where and how; from flags and the environment: HTTP_ADDR, HTTP_TOKEN, HTTP_TOKEN_FILE, HTTP_AUTH,
 * each behind MUSTER_ or else CONSUL_. */
struct cli_client {
    char host[256];         /* or the path of a socket, */
    int port;               /* and then 0 */
    char authority[300];    /* "127.0.0.1:8500", for messages */
    char token[256];        /* "": none */
    char auth[512];         /* of HTTP's Basic scheme, encoded; "": none */
    const char *datacenter; /* "" : the agent's own */
    bool stale;
};

struct cli_response {
    int status; /* of HTTP; 0: there was no answer, and error says why */
    char *body; /* with a zero behind it */
    size_t len;
    unsigned long long index; /* X-Consul-Index; 0: none */
    char error[1024];
};

/* Reads addr ("host:port", "http://host:port", "unix:///path"; NULL: the environment or
 * 127.0.0.1:8500); what stands in a file of a token counts more than the token. False with a
 * message on stderr. */
bool cli_client_init(struct cli_client *c, const char *addr, const char *token,
                     const char *token_file);
/* method GET, PUT, POST or DELETE; path with its query, already escaped. Free with
 * cli_response_free. */
void cli_request(const struct cli_client *c, const char *method, const char *path, const void *body,
                 size_t len, struct cli_response *out);
/* GETs what does not end by itself: piece is given the body as it comes, but for that of an error.
 */
typedef void (*cli_piece_fn)(void *user, const void *data, size_t len);
void cli_follow(const struct cli_client *c, const char *path, cli_piece_fn piece, void *user,
                struct cli_response *out);
void cli_response_free(struct cli_response *r);
/* True if the status is 200. Otherwise prints "<what>: <why>" to stderr. */
bool cli_response_ok(const struct cli_response *r, const char *what);
/* Appends text percent-encoded for a path (slashes stay) to buf of cap bytes. */
void cli_escape(const char *text, char *buf, size_t cap);
