/* cmd_catalog.c - `muster catalog datacenters|nodes|services` */
#include "cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_DETAILED 6
#define TAGS_GAP         6 /* blanks between a service's name and its tags */

struct options {
    const char *near, *filter, *service, *node;
    struct cli_list metas;
    bool detailed, tags;
    struct cli_common common;
};

/* ---- Asking ---- */

static void add(char *path, size_t cap, const char *name, const char *value)
{
    size_t len = strlen(path);
    snprintf(path + len, cap - len, "%s%s%s", strchr(path, '?') ? "&" : "?", name,
             value ? "=" : "");
    if (value) {
        cli_escape(value, path, cap);
    }
}

static json_t *get(const struct options *o, const char *base, const char *name, const char *what)
{
    struct cli_client client;
    struct cli_response r;
    char path[4096];
    json_t *reply = NULL;
    if (!cli_connect(&o->common, &client)) {
        return NULL;
    }
    snprintf(path, sizeof path, "%s", base);
    cli_escape(name, path, sizeof path);
    if (o->common.stale) {
        add(path, sizeof path, "stale", NULL);
    }
    if (o->common.datacenter) {
        add(path, sizeof path, "dc", o->common.datacenter);
    }
    if (o->near) {
        add(path, sizeof path, "near", o->near);
    }
    if (o->filter) {
        add(path, sizeof path, "filter", o->filter);
    }
    for (size_t i = 0; i < o->metas.len; i++) {
        char pair[512];
        snprintf(pair, sizeof pair, "%s", o->metas.items[i]);
        pair[strcspn(pair, "=")] = ':';
        add(path, sizeof path, "node-meta", pair);
    }
    cli_request(&client, "GET", path, NULL, 0, &r);
    if (cli_response_ok(&r, what)) {
        reply = json_loadb(r.body, r.len, JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY, NULL);
    }
    cli_response_free(&r);
    return reply;
}

/* ---- Datacenters ---- */

static int datacenters(const struct options *o)
{
    json_t *list = get(o, "/v1/catalog/datacenters", "", "Error listing datacenters"), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        printf("%s\n", json_is_string(v) ? json_string_value(v) : "");
    }
    json_decref(list);
    return list ? 0 : 1;
}

/* ---- Services ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of the services of one node, what the list of all looks like. */
static json_t *by_name(json_t *node)
{
    json_t *services = json_object_get(node, "Services"), *service, *out = json_object();
    const char *id;
    json_object_foreach(services, id, service)
    {
        const char *name = json_string_value(json_object_get(service, "Service"));
        json_t *tags = name ? json_object_get(out, name) : NULL;
        if (name && !tags) {
            tags = json_array();
            json_object_set_new(out, name, tags);
        }
        if (tags && json_is_array(json_object_get(service, "Tags"))) {
            json_array_extend(tags, json_object_get(service, "Tags"));
        }
    }
    json_decref(node);
    return out;
}

static void print_tags(json_t *tags)
{
    size_t n = json_array_size(tags);
    const char **sorted = calloc(n + 1, sizeof *sorted);
    if (!sorted) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        const char *tag = json_string_value(json_array_get(tags, i));
        sorted[i] = tag ? tag : "";
    }
    qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 0; i < n; i++) {
        printf("%s%s", i ? "," : "", sorted[i]);
    }
    free(sorted);
}

static void print_services(json_t *map, bool with_tags)
{
    size_t n = json_object_size(map), at = 0, width = 0;
    const char **names = calloc(n + 1, sizeof *names), *name;
    json_t *tags;
    if (!names) {
        abort();
    }
    json_object_foreach(map, name, tags)
    {
        names[at++] = name;
        width = strlen(name) > width ? strlen(name) : width;
    }
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++) {
        printf("%s", names[i]);
        if (with_tags) {
            printf("%*s", (int)(width - strlen(names[i]) + TAGS_GAP), "");
            print_tags(json_object_get(map, names[i]));
        }
        printf("\n");
    }
    free(names);
}

static int services(const struct options *o)
{
    json_t *map = o->node ? get(o, "/v1/catalog/node/", o->node, "Error listing services for node")
                          : get(o, "/v1/catalog/services", "", "Error listing services");
    if (!map) {
        return 1;
    }
    if (o->node) {
        map = by_name(map);
    }
    if (json_object_size(map)) {
        print_services(map, o->tags);
    } else {
        fprintf(stderr, "No services match the given query - try expanding your search.\n");
    }
    json_decref(map);
    return 0;
}

/* ---- Nodes ---- */

static const char *text(json_t *object, const char *key)
{
    const char *v = json_string_value(json_object_get(object, key));
    return v ? v : "";
}

/* "a=b, c=d", in the order of their keys; to be freed with free. */
static char *pairs(json_t *map)
{
    size_t n = json_object_size(map), at = 0, room = 1;
    const char **keys = calloc(n + 1, sizeof *keys), *key;
    json_t *v;
    json_object_foreach(map, key, v)
    {
        if (keys) {
            keys[at++] = key;
        }
        room += strlen(key) + strlen(text(map, key)) + 4;
    }
    char *out = calloc(1, room);
    if (!keys || !out) {
        abort();
    }
    qsort(keys, n, sizeof *keys, by_text);
    for (size_t i = 0, len = 0; i < n; i++) {
        len += (size_t)snprintf(out + len, room - len, "%s%s=%s", i ? ", " : "", keys[i],
                                text(map, keys[i]));
    }
    free(keys);
    return out;
}

static char *short_id(const char *id, bool whole)
{
    char *out = strndup(*id ? id : "<none>", whole ? 64 : 8);
    if (!out) {
        abort();
    }
    return out;
}

static void print_nodes(json_t *list, bool detailed, const char *meta)
{
    static const char *const titles[] = {"Node", "ID", "Address", "DC", "TaggedAddresses", "Meta"};
    size_t columns = detailed ? COLUMNS_DETAILED : 4, rows = json_array_size(list) + 1, i;
    const char **cells = calloc(rows * columns, sizeof *cells);
    char **made = calloc(rows * 3, sizeof *made);
    json_t *n;
    if (!cells || !made) {
        abort();
    }
    memcpy(cells, titles, columns * sizeof *cells);
    json_array_foreach(list, i, n)
    {
        const char **row = cells + (i + 1) * columns;
        char **own = made + 3 * i;
        own[0] = short_id(text(n, "ID"), detailed);
        row[0] = text(n, "Node");
        row[1] = own[0];
        row[2] = text(n, "Address");
        row[3] = text(n, "Datacenter");
        if (detailed) {
            row[4] = own[1] = pairs(json_object_get(n, "TaggedAddresses"));
            row[5] = own[2] = pairs(json_object_get(n, meta));
        }
    }
    cli_table(cells, rows, columns);
    for (i = 0; i < rows * 3; i++) {
        free(made[i]);
    }
    free(made);
    free(cells);
}

static int nodes(const struct options *o)
{
    json_t *list = o->service ? get(o, "/v1/catalog/service/", o->service, "Error listing nodes")
                              : get(o, "/v1/catalog/nodes", "", "Error listing nodes");
    if (!list) {
        return 1;
    }
    if (json_array_size(list)) {
        print_nodes(list, o->detailed, o->service ? "NodeMeta" : "Meta");
    } else {
        fprintf(stderr, "No nodes match the given query - try expanding your search.\n");
    }
    json_decref(list);
    return 0;
}

/* ---- Which ---- */

static bool are_pairs(const struct cli_list *metas)
{
    for (size_t i = 0; i < metas->len; i++) {
        if (!strchr(metas->items[i], '=')) {
            fprintf(stderr,
                    "invalid value \"%s\" for flag -node-meta: Missing \"=\" value in argument: "
                    "%s\n",
                    metas->items[i], metas->items[i]);
            return false;
        }
    }
    return true;
}

int cmd_catalog(int argc, char **argv)
{
    static const char usage[] = "Usage: muster catalog <datacenters|nodes|services> [options]";
    struct options o = {.near = NULL};
    const struct cli_flag none[] = {{0}};
    const struct cli_flag of_nodes[] = {
        {"detailed", &o.detailed, NULL, "Print addresses and metadata, too."},
        {"filter", NULL, &o.filter, "Expression that the nodes must match."},
        {"near", NULL, &o.near, "Node to sort by the distance from; _agent: this one."},
        {"service", NULL, &o.service, "Only nodes that provide this service."},
        {0}};
    const struct cli_flag of_services[] = {
        {"node", NULL, &o.node, "Only services of this node (name or ID)."},
        {"tags", &o.tags, NULL, "Print each service's tags."},
        {0}};
    const struct cli_list_flag lists[] = {
        {"node-meta", &o.metas, "key=value that nodes must have; may be repeated."}, {0}};
    const struct {
        const char *name;
        int (*run)(const struct options *o);
        const struct cli_flag *flags;
        bool takes_meta;
    } all[] = {{"datacenters", datacenters, none, false},
               {"nodes", nodes, of_nodes, true},
               {"services", services, of_services, true}};
    for (size_t i = 0; argc > 0 && i < sizeof all / sizeof *all; i++) {
        if (strcmp(argv[0], all[i].name) != 0) {
            continue;
        }
        o.common.lists = all[i].takes_meta ? lists : NULL;
        int at = cli_parse(argc - 1, argv + 1, usage, all[i].flags, &o.common);
        if (at < 0) {
            return at == -2 ? 0 : 1;
        }
        if (at == argc - 1) {
            return are_pairs(&o.metas) ? all[i].run(&o) : 1;
        }
    }
    fprintf(stderr, "%s\n", usage);
    return 1;
}
