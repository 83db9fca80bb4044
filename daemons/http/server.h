/* server.h - the HTTP API on one front loop: listeners, connections, routes.
 *
 * Each front has a server of its own on the same addresses (SO_REUSEPORT); a connection lives and
 * dies on one front. All functions run on the thread of the server's event_base. */
#pragma once

#include "base/client_limit.h"
#include "base/config.h"
#include "base/loop.h"
#include "rpc/call.h"
#include <event2/event.h>
#include <sys/socket.h>

struct http_header {
    const char *name, *value;
};

struct http_address {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct http_server_config {
    struct event_base *base;      /* borrowed for the server's life */
    struct loop *loop;            /* likewise; that of base. NULL: no /v1/agent/monitor */
    struct call_backend *backend; /* likewise; answers the calls that routes make */
    struct client_limit *clients; /* likewise; shared by all fronts. NULL: no cap on connections */
    /* A snapshot connection (rpc-wire 9) to a server: a socket that does not block, on which a
     * preamble comes first or not; -1 with a sentence in err. NULL: there are none. */
    int (*snapshot_connect)(void *user, bool *preamble, char *err, size_t errlen);
    void *snapshot_user;
    const struct http_address *addresses;
    size_t naddresses;
    /* Sockets that listen already, whoever they belong to: taken, whether or not the server comes
     * to be */
    const int *sockets;
    size_t nsockets;
    bool reuse_port;        /* SO_REUSEPORT: several fronts listen on the same address */
    const char *datacenter; /* copied; an empty ?dc= means this one */
    const char *node;       /* copied; the node that near=_agent names */
    const char *dns_domain; /* copied; where DNS names of services end, without a dot behind it */
    const char *segment;    /* copied; the node's network segment, normally "" */
    bool asks_servers;      /* the backend of an agent that is no server itself */
    bool no_cache;          /* http_config.use_cache is off: ?cached is as if it were not there */
    bool pretty;            /* dev mode: every JSON reply is indented */
    bool no_coordinates;    /* they are off: who asks for them is told so */
    bool prometheus;        /* telemetry.prometheus_retention_time is above 0 */
    bool ui;                /* false: GET / answers "Consul Agent" */
    const char *ui_path;    /* copied; with a slash at both ends, default "/ui/" */
    const char *ui_dir; /* copied; serve the files of this folder; default "": what is built in */
    bool takes_unprintable; /* disable_http_unprintable_char_filter */
    /* discovery_max_stale: the catalog and health may be read from any server that lags by no more
     * than this, unless a request says how it wants to read; 0: not so */
    uint64_t discovery_max_stale_ns;
    /* Borrowed for the server's life: beginnings of paths that are refused, and who may write;
     * none: everybody */
    const struct mu_strs *blocked;
    const struct config_networks *writers;
    /* Copied; http_config.response_headers, sent with every reply */
    const struct http_header *headers;
    size_t nheaders;
    size_t kv_value_max;      /* limits.kv_max_value_size, bytes; default 524288 */
    size_t txn_body_max;      /* limits.txn_max_req_len, bytes; default 524288 */
    size_t body_max;          /* other bodies, bytes; default 1 MiB */
    size_t header_max;        /* request line and headers together, bytes; default 64 KiB */
    unsigned connections_max; /* of this server, further ones are closed at once; default 0: any */
    /* From the first byte of a request to the end of its headers; default 10 s */
    uint64_t header_timeout_ns;
    /* Within each such time a body must grow by body_bytes_min or end; default 10 s, 4 KiB */
    uint64_t body_timeout_ns;
    size_t body_bytes_min;
    /* Between requests, and for a reply that is not read; default 120 s */
    uint64_t idle_timeout_ns;
    /* Of blocking queries: when the client does not say, and at most; default 300 s and 600 s */
    uint64_t wait_default_ns, wait_max_ns;
    /* For so long waiting clients are told an answer before others have a turn; default 0.5 ms */
    uint64_t slice_ns;
};
/* The defaults; base, backend, names stay unset. */
void http_server_config_init(struct http_server_config *c);

struct http_server_stats {
    uint64_t requests, connections_accepted, connections_refused, connections_open, calls_cancelled;
};

struct http_server;
/* Starts to listen. 0, or -1 with a sentence in err. */
int http_server_create(const struct http_server_config *c, struct http_server **out, char *err,
                       size_t errlen) MU_MUST_USE;
/* Where listener i really listens (an ephemeral port was asked for). */
bool http_server_address(const struct http_server *s, size_t i, struct http_address *out);
struct http_server_stats http_server_stats(const struct http_server *s);
/* Serves a connection that was made inside the process; takes fd, which must not block. */
void http_server_adopt(struct http_server *s, int fd);
/* Is a client being answered, or sending a request? Those who wait for news do not count. */
bool http_server_is_busy(const struct http_server *s);
/* No new connections; each open one ends after the reply under way. */
void http_server_drain(struct http_server *s);
/* Cancels all calls, closes everything. NULL is allowed. */
void http_server_destroy(struct http_server *s);
