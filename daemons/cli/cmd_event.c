/* cmd_event.c - `muster event -name x [payload]` */
#include "cli.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: muster event [options] [payload]\n\n"
    "  Fires a custom event, which reaches every agent of the datacenter that the filters let it.";

static void add_param(char *path, size_t cap, const char *key, const char *value)
{
    size_t len = strlen(path);
    if (!value || !*value) {
        return;
    }
    snprintf(path + len, cap - len, "%c%s=", strchr(path, '?') ? '&' : '?', key);
    cli_escape(value, path, cap);
}

static int fire(const struct cli_common *common, const char *path, const char *payload)
{
    struct cli_client client;
    struct cli_response r;
    if (!cli_connect(common, &client)) {
        return 1;
    }
    cli_request(&client, "PUT", path, payload, strlen(payload), &r);
    bool ok = cli_response_ok(&r, "Error firing event");
    if (ok) {
        json_t *reply = json_loadb(r.body, r.len, 0, NULL);
        const char *id = json_string_value(json_object_get(reply, "ID"));
        printf("Event ID: %s\n", id ? id : "");
        json_decref(reply);
    }
    cli_response_free(&r);
    return ok ? 0 : 1;
}

int cmd_event(int argc, char **argv)
{
    const char *name = "", *node = NULL, *service = NULL, *tag = NULL;
    struct cli_common common = {0};
    const struct cli_flag flags[] = {
        {"name", NULL, &name, "Name of the event."},
        {"node", NULL, &node, "Regular expression that names of nodes must match."},
        {"service", NULL, &service, "Regular expression that a service of the node must match."},
        {"tag", NULL, &tag, "Regular expression that a tag of that service must match."},
        {0}};
    int at = cli_parse(argc, argv, usage, flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (!*name || argc - at > 1 || (tag && *tag && !(service && *service))) {
        fprintf(stderr, "%s\n",
                !*name          ? "Event name must be specified"
                : argc - at > 1 ? "Too many command line arguments."
                                : "Cannot provide tag filter without service filter.");
        return 1;
    }
    char path[4096] = "/v1/event/fire/";
    cli_escape(name, path, sizeof path);
    add_param(path, sizeof path, "dc", common.datacenter);
    add_param(path, sizeof path, "node", node);
    add_param(path, sizeof path, "service", service);
    add_param(path, sizeof path, "tag", tag);
    return fire(&common, path, at < argc ? argv[at] : "");
}
