/* cmd_connect_proxy.c - `muster connect proxy`: the built-in proxy, by flags or as the agent knows
 * it. */
#include "base/log.h"
#include "cli.h"
#include "proxy/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MAX_NS (10 * MU_SEC)

struct options {
    const char *sidecar_for, *proxy_id, *service, *service_addr, *listen, *log_level;
    struct cli_list upstreams;
    bool log_json;
    struct cli_common common;
};

static bool fail(const char *why)
{
    fprintf(stdout, "==> Error preparing configuration: %s\n", why);
    return false;
}

/* ---- By flags ---- */

static bool from_flags(const struct options *o, struct proxy_settings *s)
{
    char why[SETTINGS_WHY_MAX];
    if (!o->service || !*o->service) {
        return fail("-service or -proxy-id must be specified so that proxy can configure itself.");
    }
    printf("    Configuration mode: Flags\n               Service: %s\n", o->service);
    if (strlen(o->service) >= sizeof s->service) {
        return fail("-service is too long");
    }
    strcpy(s->service, o->service);
    for (size_t i = 0; i < o->upstreams.len; i++) {
        if (!settings_upstream(s, o->upstreams.items[i], why)) {
            return fail(why);
        }
        printf("              Upstream: %s => %s\n", s->upstreams[i].service,
               strrchr(o->upstreams.items[i], ':'));
    }
    if (!o->listen || !*o->listen) {
        printf("       Public listener: Disabled\n");
        return true;
    }
    if (!o->service_addr || !*o->service_addr) {
        return fail("-service-addr must be specified with -listen so the proxy knows the backend "
                    "service address.");
    }
    printf("       Public listener: %s => %s\n", o->listen, o->service_addr);
    return settings_inbound(s, o->listen, o->service_addr, why) || fail(why);
}

/* ---- As the agent knows it ---- */

static char *find_sidecar(const struct cli_client *client, const char *sidecar_for)
{
    struct cli_response r;
    char why[SETTINGS_WHY_MAX];
    char *id = NULL;
    cli_request(client, "GET", "/v1/agent/services", NULL, 0, &r);
    if (cli_response_ok(&r, "Error preparing configuration")) {
        id = settings_sidecar_id(r.body, r.len, sidecar_for, why);
        if (!id) {
            fail(why);
        }
    }
    cli_response_free(&r);
    return id;
}

static bool from_agent(const struct cli_client *client, const char *id, struct proxy_settings *s)
{
    struct cli_response r;
    char why[SETTINGS_WHY_MAX], path[1024] = "/v1/agent/service/";
    printf("    Configuration mode: Agent API\n              Proxy ID: %s\n", id);
    cli_escape(id, path, sizeof path);
    cli_request(client, "GET", path, NULL, 0, &r);
    bool ok = cli_response_ok(&r, "Error preparing configuration") &&
              (settings_read(s, r.body, r.len, why) || fail(why));
    cli_response_free(&r);
    return ok;
}

static bool from_sidecar(const struct cli_client *client, const char *sidecar_for,
                         struct proxy_settings *s)
{
    char *id = find_sidecar(client, sidecar_for);
    bool ok = id && from_agent(client, id, s);
    free(id);
    return ok;
}

/* ---- The command ---- */

static bool set_log(const struct options *o)
{
    enum mu_level level = MU_INFO;
    if (o->log_level && !log_parse_level(o->log_level, &level)) {
        fprintf(stderr, "Invalid log level: %s\n", o->log_level);
        return false;
    }
    log_set_level(level);
    log_set_json(o->log_json);
    return true;
}

static int run(const struct options *o)
{
    struct cli_client client;
    struct proxy_settings *s = calloc(1, sizeof *s);
    if (!s) {
        abort();
    }
    settings_init(s);
    bool ok = cli_connect(&o->common, &client);
    if (ok && client.port == 0) {
        fprintf(stderr, "Error: -http-addr: the proxy needs ip:port, not a socket\n");
        ok = false;
    }
    printf("==> Consul Connect proxy starting...\n");
    ok = ok && (o->proxy_id      ? from_agent(&client, o->proxy_id, s)
                : o->sidecar_for ? from_sidecar(&client, o->sidecar_for, s)
                                 : from_flags(o, s));
    int code = 1;
    if (ok) {
        printf("\n==> Log data will now stream in as it occurs:\n\n");
        fflush(stdout);
        const struct proxy_agent agent = {client.host, (uint16_t)client.port, client.token};
        code = proxy_run(s, &agent, DRAIN_MAX_NS);
        printf("==> Consul Connect proxy shutdown\n");
    }
    free(s);
    return code;
}

int cmd_connect_proxy(int argc, char **argv)
{
    struct options o = {0};
    const struct cli_flag flags[] = {
        {"listen", NULL, &o.listen,
         "Address for inbound connections; with -service and -service-addr."},
        {"log-json", &o.log_json, NULL, "Log lines as JSON."},
        {"log-level", NULL, &o.log_level, "TRACE, DEBUG, INFO, WARN or ERR; default INFO."},
        {"proxy-id", NULL, &o.proxy_id, "The proxy's ID on the local agent."},
        {"service", NULL, &o.service, "The service that this proxy represents."},
        {"service-addr", NULL, &o.service_addr, "Address of the local service; with -listen."},
        {"sidecar-for", NULL, &o.sidecar_for,
         "The ID of a local service whose registered sidecar this proxy is."},
        {0},
    };
    const struct cli_list_flag lists[] = {
        {"upstream", &o.upstreams, "\"name:port\": this service, at that port of 127.0.0.1."},
        {0},
    };
    o.common.lists = lists;
    int n = cli_parse(argc, argv, "Usage: muster connect proxy [options]", flags, &o.common);
    if (n < 0) {
        return n == -2 ? 0 : 1;
    }
    if (n < argc) {
        fprintf(stderr, "Too many arguments (expected 0, got %d)\n", argc - n);
        return 1;
    }
    return set_log(&o) ? run(&o) : 1;
}
