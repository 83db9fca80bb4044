/* cmd_info.c - `muster info`: the agent's own numbers, sorted. */
#include "cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 256

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t sorted_keys(json_t *object, const char **keys)
{
    size_t n = 0;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (n < KEYS_MAX) {
            keys[n++] = key;
        }
    }
    qsort(keys, n, sizeof *keys, by_text);
    return n;
}

static void print(json_t *stats)
{
    const char *groups[KEYS_MAX], *keys[KEYS_MAX];
    size_t n = sorted_keys(stats, groups);
    for (size_t i = 0; i < n; i++) {
        json_t *group = json_object_get(stats, groups[i]);
        size_t k = sorted_keys(group, keys);
        printf("%s:\n", groups[i]);
        for (size_t j = 0; j < k; j++) {
            const char *v = json_string_value(json_object_get(group, keys[j]));
            printf("\t%s = %s\n", keys[j], v ? v : "");
        }
    }
}

int cmd_info(int argc, char **argv)
{
    struct cli_common common = {0};
    struct cli_client client;
    struct cli_response r;
    int at = cli_parse(argc, argv, "Usage: muster info [options]", NULL, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (!cli_connect(&common, &client)) {
        return 1;
    }
    cli_request(&client, "GET", "/v1/agent/self", NULL, 0, &r);
    bool ok = cli_response_ok(&r, "Error querying agent");
    if (ok) {
        json_t *self = json_loadb(r.body, r.len, 0, NULL);
        print(json_object_get(self, "Stats"));
        json_decref(self);
    }
    cli_response_free(&r);
    return ok ? 0 : 1;
}
