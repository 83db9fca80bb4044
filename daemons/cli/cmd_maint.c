/* cmd_maint.c - `muster maint`: a node or a service goes into maintenance, and comes back. */
#include "cli.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define NODE_CHECK    "_node_maintenance"
#define SERVICE_CHECK "_service_maintenance:"

static const char usage[] =
    "Usage: muster maint [options]\n\n"
    "  Puts this node, or a service on it, into maintenance, or takes it out. Without options: "
    "what is in maintenance.";

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void list_checks(const char *node, json_t *checks)
{
    const char *id;
    json_t *check;
    json_object_foreach(checks, id, check)
    {
        if (strcmp(id, NODE_CHECK) == 0) {
            printf("Node:\n  Name:   %s\n  Reason: %s\n\n", node, text(check, "Notes"));
        } else if (strncmp(id, SERVICE_CHECK, strlen(SERVICE_CHECK)) == 0) {
            printf("Service:\n  ID:     %s\n  Reason: %s\n\n", text(check, "ServiceID"),
                   text(check, "Notes"));
        }
    }
}

static int list(const struct cli_client *client)
{
    struct cli_response self, checks;
    cli_request(client, "GET", "/v1/agent/self", NULL, 0, &self);
    cli_request(client, "GET", "/v1/agent/checks", NULL, 0, &checks);
    bool ok = cli_response_ok(&self, "Error getting node name") &&
              cli_response_ok(&checks, "Error getting checks");
    if (ok) {
        json_t *s = json_loadb(self.body, self.len, 0, NULL);
        json_t *c = json_loadb(checks.body, checks.len, 0, NULL);
        list_checks(text(json_object_get(s, "Config"), "NodeName"), c);
        json_decref(s);
        json_decref(c);
    }
    cli_response_free(&self);
    cli_response_free(&checks);
    return ok ? 0 : 1;
}

static int set(const struct cli_client *client, bool enable, const char *service,
               const char *reason)
{
    struct cli_response r;
    char path[2048] = "/v1/agent/maintenance", what[96];
    if (*service) {
        snprintf(path, sizeof path, "/v1/agent/service/maintenance/");
        cli_escape(service, path, sizeof path);
    }
    size_t len = strlen(path);
    snprintf(path + len, sizeof path - len, "?enable=%s%s", enable ? "true" : "false",
             *reason ? "&reason=" : "");
    cli_escape(reason, path, sizeof path);
    cli_request(client, "PUT", path, NULL, 0, &r);
    snprintf(what, sizeof what, "Error %s %s maintenance", enable ? "enabling" : "disabling",
             *service ? "service" : "node");
    bool ok = cli_response_ok(&r, what);
    const char *now = enable ? "enabled" : "disabled";
    if (ok && *service) {
        printf("Service maintenance is now %s for \"%s\"\n", now, service);
    } else if (ok) {
        printf("Node maintenance is now %s\n", now);
    }
    cli_response_free(&r);
    return ok ? 0 : 1;
}

int cmd_maint(int argc, char **argv)
{
    bool enable = false, disable = false;
    const char *reason = "", *service = "", *wrong = NULL;
    struct cli_common common = {0};
    struct cli_client client;
    const struct cli_flag flags[] = {
        {"enable", &enable, NULL, "Puts into maintenance."},
        {"disable", &disable, NULL, "Takes out of maintenance."},
        {"reason", NULL, &reason, "Why; shown by whoever asks for the checks."},
        {"service", NULL, &service, "ID of the service; without it, the node."},
        {0}};
    int at = cli_parse(argc, argv, usage, flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (enable && disable) {
        wrong = "Only one of -enable or -disable may be provided";
    } else if (!enable && *reason) {
        wrong = "Reason may only be provided with -enable";
    } else if (!enable && !disable && *service) {
        wrong = "Service requires either -enable or -disable";
    }
    if (wrong) {
        fprintf(stderr, "%s\n", wrong);
        return 1;
    }
    if (!cli_connect(&common, &client)) {
        return 1;
    }
    return enable || disable ? set(&client, enable, service, reason) : list(&client);
}
