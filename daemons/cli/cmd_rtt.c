/* cmd_rtt.c - `muster rtt node1 [node2]`: the time that the network coordinates of two nodes lie
 * apart. */
#include "cli.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: muster rtt [options] node1 [node2]\n\n"
    "  Estimates the round trip time between two nodes by the network coordinates that all\n"
    "  agents keep. The second node is this agent's own if it is not given. With -wan, names\n"
    "  are those of servers, followed by a dot and their datacenter.";

/* The body of a GET as JSON; NULL after a message. */
static json_t *get(const struct cli_client *client, const char *path, const char *what)
{
    struct cli_response r;
    cli_request(client, "GET", path, NULL, 0, &r);
    json_t *reply = cli_response_ok(&r, what) ? json_loadb(r.body, r.len, 0, NULL) : NULL;
    cli_response_free(&r);
    return reply;
}

static double number(json_t *coord, const char *key)
{
    return json_number_value(json_object_get(coord, key));
}

/* Estimated round-trip time in seconds (Vivaldi with heights and adjustments). */
static double distance_s(json_t *a, json_t *b)
{
    json_t *from = json_object_get(a, "Vec"), *to = json_object_get(b, "Vec");
    double sum = 0;
    for (size_t i = 0; i < json_array_size(from); i++) {
        double diff =
            json_number_value(json_array_get(from, i)) - json_number_value(json_array_get(to, i));
        sum += diff * diff;
    }
    double raw = sqrt(sum) + number(a, "Height") + number(b, "Height");
    double adjusted = raw + number(a, "Adjustment") + number(b, "Adjustment");
    return adjusted > 0 ? adjusted : raw;
}

static json_t *in_list(json_t *list, const char *node, size_t len, const char *segment)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "Node"));
        const char *in = json_string_value(json_object_get(item, "Segment"));
        if (name && strlen(name) == len && memcmp(name, node, len) == 0 &&
            (!segment || (in && strcmp(in, segment) == 0))) {
            return item;
        }
    }
    return NULL;
}

static int print(const char *a, const char *b, json_t *from, json_t *to, const char *what)
{
    if (!from || !to) {
        fprintf(stderr, "Could not find a coordinate for node \"%s\"\n", !from ? a : b);
        return 1;
    }
    double ms = distance_s(json_object_get(from, "Coord"), json_object_get(to, "Coord")) * 1e3;
    printf("Estimated %s <-> %s rtt: %.3f ms (using %s coordinates)\n", a, b, ms, what);
    return 0;
}

/* ---- Within a datacenter ---- */

/* Two nodes may be in different segments of the pool; a server is in all. */
static int lan(const struct cli_client *client, const char *a, const char *b)
{
    json_t *list = get(client, "/v1/coordinate/nodes", "Error getting coordinates");
    if (!list) {
        return 1;
    }
    json_t *from = in_list(list, a, strlen(a), NULL), *to = NULL;
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "Node"));
        const char *segment = json_string_value(json_object_get(item, "Segment"));
        json_t *other =
            name && segment && strcmp(name, a) == 0 ? in_list(list, b, strlen(b), segment) : NULL;
        if (other) {
            from = item;
            to = other;
            break;
        }
    }
    if (from && !to && in_list(list, b, strlen(b), NULL)) {
        fprintf(stderr, "Could not find a common segment of \"%s\" and \"%s\"\n", a, b);
        json_decref(list);
        return 1;
    }
    int rc = print(a, b, from, to, "LAN");
    json_decref(list);
    return rc;
}

/* ---- Between datacenters ---- */

static json_t *in_area(json_t *maps, const char *name, const char **area)
{
    const char *dot = strrchr(name, '.');
    size_t i;
    json_t *map;
    json_array_foreach(maps, i, map)
    {
        const char *dc = json_string_value(json_object_get(map, "Datacenter"));
        json_t *found =
            dc && strcmp(dc, dot + 1) == 0
                ? in_list(json_object_get(map, "Coordinates"), name, (size_t)(dot - name), NULL)
                : NULL;
        if (found) {
            *area = json_string_value(json_object_get(map, "AreaID"));
            return found;
        }
    }
    return NULL;
}

static int wan(const struct cli_client *client, const char *a, const char *b)
{
    json_t *maps = get(client, "/v1/coordinate/datacenters", "Error getting coordinates");
    if (!maps) {
        return 1;
    }
    const char *area_a = "", *area_b = "";
    json_t *from = in_area(maps, a, &area_a), *to = in_area(maps, b, &area_b);
    int rc = 1;
    if (from && to && strcmp(area_a ? area_a : "", area_b ? area_b : "") != 0) {
        fprintf(stderr, "Could not find a common area of \"%s\" and \"%s\"\n", a, b);
    } else {
        rc = print(a, b, from, to, "WAN");
    }
    json_decref(maps);
    return rc;
}

/* The agent's own name, with its datacenter for -wan; false after a message. */
static bool own_name(const struct cli_client *client, bool with_dc, char *out, size_t cap)
{
    json_t *self = get(client, "/v1/agent/self", "Unable to look up agent info");
    json_t *config = json_object_get(self, "Config");
    const char *node = json_string_value(json_object_get(config, "NodeName"));
    const char *dc = json_string_value(json_object_get(config, "Datacenter"));
    bool known = node && (dc || !with_dc);
    if (known) {
        snprintf(out, cap, with_dc ? "%s.%s" : "%s", node, dc);
    } else if (self) {
        fprintf(stderr, "Agent info has no node name\n");
    }
    json_decref(self);
    return known;
}

int cmd_rtt(int argc, char **argv)
{
    bool is_wan = false;
    char own[512];
    struct cli_client client;
    struct cli_common common = {0};
    const struct cli_flag flags[] = {
        {"wan", &is_wan, NULL, "Use the coordinates of servers in all datacenters."}, {0}};
    int at = cli_parse(argc, argv, usage, flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (argc - at < 1 || argc - at > 2) {
        fprintf(stderr, "One or two node names must be specified\n\n%s\n", usage);
        return 1;
    }
    const char *a = argv[at], *b = argc - at == 2 ? argv[at + 1] : own;
    if (!cli_connect(&common, &client) ||
        (b == own && !own_name(&client, is_wan, own, sizeof own))) {
        return 1;
    }
    if (is_wan && (!strchr(a, '.') || !strchr(b, '.'))) {
        fprintf(stderr, "Node names must be specified as <node name>.<datacenter> with -wan\n");
        return 1;
    }
    return is_wan ? wan(&client, a, b) : lan(&client, a, b);
}
