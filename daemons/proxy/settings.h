/* settings.h - what a proxy is to do, as flags or the agent's registration of it say. */
#pragma once

#include "proxy/proxy.h"

#define SETTINGS_WHY_MAX 512u

struct proxy_settings {
    char service[256]; /* whom it speaks for */
    bool has_inbound;
    struct proxy_address listen, local;
    uint64_t local_timeout_ns, handshake_timeout_ns;
    struct settings_upstream {
        char service[256], datacenter[256];
        struct proxy_address listen;
        uint64_t connect_timeout_ns;
    } upstreams[PROXY_UPSTREAMS_MAX];
    size_t upstream_count;
};

void settings_init(struct proxy_settings *s);
/* -listen and -service-addr. A local service is "host:port", where the host may be a name: it is
 * looked up once, now. */
bool settings_inbound(struct proxy_settings *s, const char *listen, const char *local,
                      char why[SETTINGS_WHY_MAX]);
/* -upstream: "name:port". */
bool settings_upstream(struct proxy_settings *s, const char *text, char why[SETTINGS_WHY_MAX]);
/* An answer of /v1/agent/service/:id, which must be that of a proxy. */
bool settings_read(struct proxy_settings *s, const char *body, size_t len,
                   char why[SETTINGS_WHY_MAX]);
/* The ID of the one proxy in an answer of /v1/agent/services that is the sidecar of that service
 * ID; given, to be freed. */
char *settings_sidecar_id(const char *body, size_t len, const char *sidecar_for,
                          char why[SETTINGS_WHY_MAX]);
