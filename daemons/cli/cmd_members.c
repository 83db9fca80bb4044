/* cmd_members.c - `muster members` */
#include "cli.h"

#include <jansson.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *status_name(json_int_t status)
{
    static const char *const names[] = {"none", "alive", "leaving", "left", "failed"};
    return status >= 0 && status < 5 ? names[status] : "unknown";
}

static const char *tag(json_t *member, const char *key)
{
    const char *v = json_string_value(json_object_get(json_object_get(member, "Tags"), key));
    return v ? v : "";
}

static const char *text(json_t *member, const char *key)
{
    const char *v = json_string_value(json_object_get(member, key));
    return v ? v : "";
}

static bool is_server(json_t *m)
{
    return strcmp(tag(m, "role"), "consul") == 0;
}

/* Cells are kept until the table is printed. */
struct cells {
    const char **items;
    size_t len;
};

static void add(struct cells *c, const char *s)
{
    c->items[c->len] = strdup(s);
    if (!c->items[c->len++]) {
        abort();
    }
}

static void add_address(struct cells *c, json_t *m)
{
    char address[128];
    const char *host = text(m, "Addr");
    snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
             (int)json_integer_value(json_object_get(m, "Port")));
    add(c, address);
}

/* "1.8.7:revision" prints as its version alone. */
static void add_build(struct cells *c, json_t *m)
{
    char build[64];
    const char *full = tag(m, "build");
    snprintf(build, sizeof build, "%.*s", (int)strcspn(full, ":"), full);
    add(c, build);
}

static void add_short(struct cells *c, json_t *m)
{
    bool server = is_server(m);
    add(c, text(m, "Name"));
    add_address(c, m);
    add(c, status_name(json_integer_value(json_object_get(m, "Status"))));
    add(c, server ? "server" : "client");
    add_build(c, m);
    add(c, tag(m, "vsn"));
    add(c, tag(m, "dc"));
    add(c, server ? "<all>" : *tag(m, "segment") ? tag(m, "segment") : "<default>");
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_detailed(struct cells *c, json_t *m)
{
    char all[2048] = "";
    const char *keys[64];
    size_t n = 0;
    const char *key;
    json_t *value;
    add(c, text(m, "Name"));
    add_address(c, m);
    add(c, status_name(json_integer_value(json_object_get(m, "Status"))));
    json_object_foreach(json_object_get(m, "Tags"), key, value)
    {
        if (n < 64) {
            keys[n++] = key;
        }
    }
    qsort(keys, n, sizeof *keys, by_key);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(all);
        snprintf(all + len, sizeof all - len, "%s%s=%s", i ? "," : "", keys[i], tag(m, keys[i]));
    }
    add(c, all);
}

/* Servers first, then by name. */
static int by_rank(const void *x, const void *y)
{
    json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
    return is_server(a) != is_server(b) ? (is_server(a) ? -1 : 1)
                                        : strcmp(text(a, "Name"), text(b, "Name"));
}

/* The members in order; free. */
static json_t **sorted(json_t *members)
{
    json_t **list = calloc(json_array_size(members) + 1, sizeof(json_t *)), *m;
    size_t i;
    if (!list) {
        abort();
    }
    json_array_foreach(members, i, m)
    {
        list[i] = m;
    }
    qsort(list, i, sizeof(json_t *), by_rank);
    return list;
}

static int print(json_t *members, bool detailed, regex_t *filter)
{
    static const char *const short_head[] = {"Node",  "Address",  "Status", "Type",
                                             "Build", "Protocol", "DC",     "Segment"};
    static const char *const detailed_head[] = {"Node", "Address", "Status", "Tags"};
    const char *const *head = detailed ? detailed_head : short_head;
    size_t columns = detailed ? 4 : 8;
    struct cells c = {calloc((json_array_size(members) + 1) * columns, sizeof *c.items), 0};
    json_t **list = sorted(members);
    if (!c.items) {
        abort();
    }
    for (size_t k = 0; k < columns; k++) {
        add(&c, head[k]);
    }
    for (json_t **m = list; *m; m++) {
        const char *status = status_name(json_integer_value(json_object_get(*m, "Status")));
        if (regexec(filter, status, 0, NULL, 0) != 0) {
            continue;
        }
        if (detailed) {
            add_detailed(&c, *m);
        } else {
            add_short(&c, *m);
        }
    }
    free(list);
    int rc = c.len > columns ? 0 : 2; /* 2: nothing matched */
    if (rc == 0) {
        cli_table(c.items, c.len / columns, columns);
    }
    for (size_t k = 0; k < c.len; k++) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): ours, though the table sees it as const. */
        free((void *)(uintptr_t)c.items[k]);
    }
    free(c.items);
    return rc;
}

int cmd_members(int argc, char **argv)
{
    bool detailed = false, wan = false;
    const char *status = ".*", *segment = NULL;
    struct cli_common common = {0};
    struct cli_client client;
    struct cli_response r;
    regex_t filter;
    const struct cli_flag flags[] = {
        {"detailed", &detailed, NULL, "Show all tags of each member."},
        {"status", NULL, &status, "Show members whose status matches this regular expression."},
        {"segment", NULL, &segment, "Accepted for compatibility."},
        {"wan", &wan, NULL, "Show the pool of servers of all datacenters."},
        {0},
    };
    int at = cli_parse(argc, argv, "Usage: muster members [options]", flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (regcomp(&filter, status, REG_EXTENDED | REG_NOSUB) != 0) {
        fprintf(stderr, "Failed to compile status regexp: %s\n", status);
        return 1;
    }
    int rc = 1;
    if (cli_connect(&common, &client)) {
        cli_request(&client, "GET",
                    wan ? "/v1/agent/members?wan=1" : "/v1/agent/members?segment=_all", NULL, 0,
                    &r);
        if (cli_response_ok(&r, "Error retrieving members")) {
            json_t *members = json_loadb(r.body, r.len, 0, NULL);
            rc = print(members, detailed, &filter);
            json_decref(members);
        }
        cli_response_free(&r);
    }
    regfree(&filter);
    return rc;
}
