/* cmd_keyring.c - `muster keyring -list|-list-primary|-install|-use|-remove` */
#include "cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELAY_FACTOR_MAX 5

static const char usage[] =
    "Usage: muster keyring [options]\n\n"
    "  Manages the keys that encrypt gossip: asks every member of the cluster, through a server.\n"
    "  To change the key: install the new one, use it, remove the old one.";

struct action {
    const char *method, *key, *doing; /* key NULL: none */
    bool primary;                     /* of a list */
};

/* ---- Listing ---- */

static void print_pool(json_t *pool, bool primary)
{
    const char *datacenter = json_string_value(json_object_get(pool, "Datacenter"));
    json_t *keys = json_object_get(pool, primary ? "PrimaryKeys" : "Keys"), *n;
    const char *key;
    if (json_is_true(json_object_get(pool, "WAN"))) {
        printf("\nWAN:\n");
    } else {
        printf("\n%s (LAN):\n", datacenter ? datacenter : "");
    }
    json_object_foreach(keys, key, n)
    {
        printf("  %s [%lld/%lld]\n", key, (long long)json_integer_value(n),
               (long long)json_integer_value(json_object_get(pool, "NumNodes")));
    }
}

static void print_list(const struct cli_response *r, bool primary)
{
    json_t *pools = json_loadb(r->body, r->len, 0, NULL), *pool;
    size_t i;
    json_array_foreach(pools, i, pool)
    {
        print_pool(pool, primary);
    }
    json_decref(pools);
}

/* ---- The request ---- */

static int run(const struct cli_common *common, const struct action *a, const char *path)
{
    struct cli_client client;
    struct cli_response r;
    if (!cli_connect(common, &client)) {
        return 1;
    }
    json_t *body = a->key ? json_pack("{s:s}", "Key", a->key) : NULL;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (a->key && !text) {
        fprintf(stderr, "error: the key is no text\n");
        return 1;
    }
    printf("==> %s...\n", a->doing);
    fflush(stdout);
    cli_request(&client, a->method, path, text, text ? strlen(text) : 0, &r);
    free(text);
    bool ok = cli_response_ok(&r, "error");
    if (ok && !a->key) {
        print_list(&r, a->primary);
    }
    cli_response_free(&r);
    return ok ? 0 : 1;
}

static bool make_path(char *path, size_t cap, const char *relay, bool local_only, bool lists)
{
    char *end;
    long factor = strtol(relay, &end, 10);
    if (!*relay || *end || factor < 0 || factor > RELAY_FACTOR_MAX) {
        fprintf(stderr, "Error parsing relay factor: Relay factor must be in range: [0, %d]\n",
                RELAY_FACTOR_MAX);
        return false;
    }
    if (local_only && !lists) {
        fprintf(stderr, "Error validating local-only: local-only can only be set for list "
                        "requests\n");
        return false;
    }
    snprintf(path, cap, "/v1/operator/keyring?relay-factor=%ld%s", factor,
             local_only ? "&local-only=true" : "");
    return true;
}

int cmd_keyring(int argc, char **argv)
{
    bool list = false, primary = false, local_only = false;
    const char *install = NULL, *use = NULL, *remove_key = NULL, *relay = "0";
    struct cli_common common = {0};
    const struct cli_flag flags[] = {
        {"install", NULL, &install, "Installs a new key at all members, beside the others."},
        {"list", &list, NULL, "Lists the keys that are installed, and at how many members."},
        {"list-primary", &primary, NULL, "Lists the keys that members encrypt with."},
        {"local-only", &local_only, NULL, "Only this datacenter; for lists alone."},
        {"relay-factor", NULL, &relay, "Through how many others members answer, too: 0 to 5."},
        {"remove", NULL, &remove_key, "Removes a key from all members; never the primary."},
        {"use", NULL, &use, "Makes an installed key the one that all encrypt with."},
        {0}};
    int at = cli_parse(argc, argv, usage, flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    int actions = list + primary + !!install + !!use + !!remove_key;
    if (actions != 1) {
        fprintf(stderr, "%s\n", actions ? "Only a single action is allowed" : usage);
        return 1;
    }
    const struct action a =
        install ? (struct action){"POST", install, "Installing new gossip encryption key", false}
        : use   ? (struct action){"PUT", use, "Changing primary gossip encryption key", false}
        : remove_key
            ? (struct action){"DELETE", remove_key, "Removing gossip encryption key", false}
        : primary
            ? (struct action){"GET", NULL, "Gathering installed primary encryption keys", true}
            : (struct action){"GET", NULL, "Gathering installed encryption keys", false};
    char path[128];
    return make_path(path, sizeof path, relay, local_only, list || primary) ? run(&common, &a, path)
                                                                            : 1;
}
