#include "proxy/settings.h"

#include <jansson.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
/* As in Consul. */
#define LOCAL_TIMEOUT_MS     1000
#define HANDSHAKE_TIMEOUT_MS 10000
#define CONNECT_TIMEOUT_MS   10000
#define TIMEOUT_MS_MAX       3600000

static bool refuse(char why[SETTINGS_WHY_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(char why[SETTINGS_WHY_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, SETTINGS_WHY_MAX, format, args);
    va_end(args);
    return false;
}

void settings_init(struct proxy_settings *s)
{
    *s = (struct proxy_settings){.local_timeout_ns = LOCAL_TIMEOUT_MS * MS,
                                 .handshake_timeout_ns = HANDSHAKE_TIMEOUT_MS * MS};
}

static bool look_up(const char *text, struct proxy_address *out, char why[SETTINGS_WHY_MAX])
{
    const char *colon = strrchr(text, ':');
    char host[256];
    if (!colon || colon == text || (size_t)(colon - text) >= sizeof host) {
        return refuse(why, "%s is not host:port", text);
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int code = getaddrinfo(host, colon + 1, &hints, &found);
    if (code) {
        return refuse(why, "%s: %s", text, gai_strerror(code));
    }
    *out = (struct proxy_address){.len = found->ai_addrlen};
    memcpy(&out->at, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

bool settings_inbound(struct proxy_settings *s, const char *listen, const char *local,
                      char why[SETTINGS_WHY_MAX])
{
    if (!proxy_address_parse(listen, &s->listen)) {
        return refuse(why, "invalid listen address %s", listen);
    }
    s->has_inbound = proxy_address_parse(local, &s->local) || look_up(local, &s->local, why);
    return s->has_inbound;
}

/* ---- Upstreams ---- */

/* The next one; NULL with a sentence. */
static struct settings_upstream *add_upstream(struct proxy_settings *s, const char *service,
                                              const char *ip, uint16_t port,
                                              char why[SETTINGS_WHY_MAX])
{
    struct settings_upstream *u = &s->upstreams[s->upstream_count];
    if (s->upstream_count == PROXY_UPSTREAMS_MAX) {
        refuse(why, "there are more than %u upstreams", PROXY_UPSTREAMS_MAX);
        return NULL;
    }
    if (!*service || strlen(service) >= sizeof u->service ||
        !proxy_address_make(ip, port, &u->listen)) {
        refuse(why, "upstream \"%s\" with local address %s is not valid", service, ip);
        return NULL;
    }
    strcpy(u->service, service);
    u->datacenter[0] = '\0';
    u->connect_timeout_ns = CONNECT_TIMEOUT_MS * MS;
    s->upstream_count++;
    return u;
}

bool settings_upstream(struct proxy_settings *s, const char *text, char why[SETTINGS_WHY_MAX])
{
    const char *colon = strrchr(text, ':');
    char name[256];
    char *end = NULL;
    if (!colon || (size_t)(colon - text) >= sizeof name) {
        return refuse(why, "Upstream value should be name:addr in \"%s\"", text);
    }
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port == 0 || port > 65535) {
        return refuse(why, "\"%s\" is no port", colon + 1);
    }
    memcpy(name, text, (size_t)(colon - text));
    name[colon - text] = '\0';
    return add_upstream(s, name, "127.0.0.1", (uint16_t)port, why) != NULL;
}

/* ---- The agent's registration ---- */

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s && *s ? s : otherwise;
}

/* 0: none that is valid. */
static uint16_t port_of(const json_t *object, const char *key)
{
    json_int_t n = (json_int_t)json_number_value(json_object_get(object, key));
    return n > 0 && n <= 65535 ? (uint16_t)n : 0;
}

static uint64_t timeout_of(const json_t *config, const char *key, uint64_t otherwise_ms)
{
    double ms = json_number_value(json_object_get(config, key));
    return (ms >= 1 && ms <= TIMEOUT_MS_MAX ? (uint64_t)ms : otherwise_ms) * MS;
}

static bool read_upstream(struct proxy_settings *s, const json_t *entry, char why[SETTINGS_WHY_MAX])
{
    const char *name = text_of(entry, "DestinationName", "");
    const char *datacenter = text_of(entry, "Datacenter", "");
    if (strcmp(text_of(entry, "DestinationType", "service"), "service") != 0) {
        return refuse(why, "upstream %s: only services can be upstreams, not prepared queries",
                      name);
    }
    struct settings_upstream *u =
        add_upstream(s, name, text_of(entry, "LocalBindAddress", "127.0.0.1"),
                     port_of(entry, "LocalBindPort"), why);
    if (!u) {
        return false;
    }
    snprintf(u->datacenter, sizeof u->datacenter, "%s", datacenter);
    u->connect_timeout_ns =
        timeout_of(json_object_get(entry, "Config"), "connect_timeout_ms", CONNECT_TIMEOUT_MS);
    return true;
}

static bool read_inbound(struct proxy_settings *s, const json_t *root, const json_t *proxy,
                         char why[SETTINGS_WHY_MAX])
{
    const json_t *config = json_object_get(proxy, "Config");
    char listen[300], local[300];
    uint16_t port = port_of(config, "bind_port");
    const char *ip = text_of(config, "bind_address", "0.0.0.0");
    snprintf(listen, sizeof listen, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip,
             port ? port : port_of(root, "Port"));
    snprintf(local, sizeof local, "%s:%u", text_of(proxy, "LocalServiceAddress", "127.0.0.1"),
             port_of(proxy, "LocalServicePort"));
    s->local_timeout_ns = timeout_of(config, "local_connect_timeout_ms", LOCAL_TIMEOUT_MS);
    s->handshake_timeout_ns = timeout_of(config, "handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS);
    return settings_inbound(s, listen, text_of(config, "local_service_address", local), why);
}

static bool read_proxy(struct proxy_settings *s, const json_t *root, char why[SETTINGS_WHY_MAX])
{
    const json_t *proxy = json_object_get(root, "Proxy");
    const json_t *upstreams = json_object_get(proxy, "Upstreams");
    const char *service = text_of(proxy, "DestinationServiceName", "");
    if (strcmp(text_of(root, "Kind", ""), "connect-proxy") != 0 || !*service ||
        strlen(service) >= sizeof s->service) {
        return refuse(why, "service %s is not a connect-proxy", text_of(root, "ID", ""));
    }
    strcpy(s->service, service);
    for (size_t i = 0; i < json_array_size(upstreams); i++) {
        if (!read_upstream(s, json_array_get(upstreams, i), why)) {
            return false;
        }
    }
    return read_inbound(s, root, proxy, why);
}

bool settings_read(struct proxy_settings *s, const char *body, size_t len,
                   char why[SETTINGS_WHY_MAX])
{
    json_t *root = json_loadb(body, len, 0, NULL);
    bool ok = json_is_object(root) ? read_proxy(s, root, why)
                                   : refuse(why, "the agent's answer is no service");
    json_decref(root);
    return ok;
}

char *settings_sidecar_id(const char *body, size_t len, const char *sidecar_for,
                          char why[SETTINGS_WHY_MAX])
{
    json_t *root = json_loadb(body, len, 0, NULL), *service = NULL;
    const char *key = NULL, *found = NULL;
    bool several = false;
    json_object_foreach(root, key, service)
    {
        const json_t *proxy = json_object_get(service, "Proxy");
        if (strcmp(text_of(service, "Kind", ""), "connect-proxy") == 0 &&
            strcmp(text_of(proxy, "DestinationServiceID", ""), sidecar_for) == 0) {
            several = found != NULL;
            found = text_of(service, "ID", key);
        }
        if (several) {
            break;
        }
    }
    char *id = found && !several ? strdup(found) : NULL;
    if (several) {
        refuse(why, "More than one sidecar proxy registered for %s; start the proxy with -proxy-id",
               sidecar_for);
    } else if (!id) {
        refuse(why, "No sidecar proxy registered for %s", sidecar_for);
    }
    json_decref(root);
    return id;
}
