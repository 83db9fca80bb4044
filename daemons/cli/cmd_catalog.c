/* cmd_catalog.c - `muster catalog datacenters|nodes|services` */
#include "cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *get(const struct cli_common *common, const char *path, const char *what)
{
    struct cli_client client;
    struct cli_response r;
    char full[1024];
    json_t *reply = NULL;
    if (!cli_connect(common, &client)) {
        return NULL;
    }
    snprintf(full, sizeof full, "%s%s", path, common->stale ? "?stale" : "");
    if (common->datacenter) {
        strncat(full, common->stale ? "&dc=" : "?dc=", sizeof full - strlen(full) - 1);
        cli_escape(common->datacenter, full, sizeof full);
    }
    cli_request(&client, "GET", full, NULL, 0, &r);
    if (cli_response_ok(&r, what)) {
        reply = json_loadb(r.body, r.len, 0, NULL);
    }
    cli_response_free(&r);
    return reply;
}

static int datacenters(const struct cli_common *common)
{
    json_t *list = get(common, "/v1/catalog/datacenters", "Error listing datacenters"), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        printf("%s\n", json_is_string(v) ? json_string_value(v) : "");
    }
    json_decref(list);
    return list ? 0 : 1;
}

static int services(const struct cli_common *common)
{
    json_t *map = get(common, "/v1/catalog/services", "Error listing services"), *v;
    const char *key;
    json_object_foreach(map, key, v)
    {
        printf("%s\n", key);
    }
    json_decref(map);
    return map ? 0 : 1;
}

static const char *text(json_t *object, const char *key)
{
    const char *v = json_string_value(json_object_get(object, key));
    return v ? v : "";
}

static int nodes(const struct cli_common *common)
{
    json_t *list = get(common, "/v1/catalog/nodes", "Error listing nodes"), *n;
    size_t i, rows = json_array_size(list) + 1;
    const char **cells = calloc(rows * 4, sizeof *cells);
    char(*ids)[9] = calloc(rows, sizeof *ids);
    if (!cells || !ids) {
        abort();
    }
    memcpy(cells, (const char *const[]){"Node", "ID", "Address", "DC"}, 4 * sizeof *cells);
    json_array_foreach(list, i, n)
    {
        const char *id = json_string_value(json_object_get(n, "ID"));
        snprintf(ids[i], sizeof ids[i], "%.8s", id && *id ? id : "<none>");
        cells[4 * i + 4] = text(n, "Node");
        cells[4 * i + 5] = ids[i];
        cells[4 * i + 6] = text(n, "Address");
        cells[4 * i + 7] = text(n, "Datacenter");
    }
    if (list) {
        cli_table(cells, rows, 4);
    }
    free(cells);
    free(ids);
    json_decref(list);
    return list ? 0 : 1;
}

int cmd_catalog(int argc, char **argv)
{
    static const char usage[] = "Usage: muster catalog <datacenters|nodes|services> [options]";
    struct cli_common common = {0};
    const char *what = argc > 0 ? argv[0] : "";
    int at = argc > 0 ? cli_parse(argc - 1, argv + 1, usage, NULL, &common) : -1;
    if (at < 0 || at != argc - 1) {
        return at == -2 ? 0 : (fprintf(stderr, "%s\n", usage), 1);
    }
    if (strcmp(what, "datacenters") == 0) {
        return datacenters(&common);
    }
    if (strcmp(what, "nodes") == 0) {
        return nodes(&common);
    }
    if (strcmp(what, "services") == 0) {
        return services(&common);
    }
    fprintf(stderr, "%s\n", usage);
    return 1;
}
