/* cmd_operator.c - `muster operator raft list-peers|remove-peer` and `muster operator autopilot
 * get-config|set-config`. */
#include "cli.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUTOPILOT_PATH "/v1/operator/autopilot/configuration"

static const char usage[] =
    "Usage: muster operator <subcommand> [options]\n\n"
    "  Tools for those who run the cluster. Use them with care: a wrong change of Raft's servers "
    "can stop it.\n\n"
    "    raft list-peers         Prints Raft's servers, and which of them vote\n"
    "    raft remove-peer        Removes a server from Raft\n"
    "    autopilot get-config    Prints how the leader looks after the servers\n"
    "    autopilot set-config    Changes that";

/* ---- Requests ---- */

/* Appends "?key=value" or "&key=value"; value NULL: the key alone. */
static void add_param(char *path, size_t cap, const char *key, const char *value)
{
    size_t len = strlen(path);
    snprintf(path + len, cap - len, "%c%s%s", strchr(path, '?') ? '&' : '?', key, value ? "=" : "");
    if (value) {
        cli_escape(value, path, cap);
    }
}

static bool request(const struct cli_common *common, const char *method, char *path, size_t cap,
                    const char *body, const char *what, struct cli_response *r)
{
    struct cli_client client;
    if (!cli_connect(common, &client)) {
        return false;
    }
    if (common->datacenter) {
        add_param(path, cap, "dc", common->datacenter);
    }
    if (common->stale && strcmp(method, "GET") == 0) {
        add_param(path, cap, "stale", NULL);
    }
    cli_request(&client, method, path, body, body ? strlen(body) : 0, r);
    if (!cli_response_ok(r, what)) {
        cli_response_free(r);
        return false;
    }
    return true;
}

/* A JSON object, to be given up with json_decref; NULL after a message. */
static json_t *get(const struct cli_common *common, const char *from, const char *what)
{
    char path[1024];
    struct cli_response r;
    snprintf(path, sizeof path, "%s", from);
    if (!request(common, "GET", path, sizeof path, NULL, what, &r)) {
        return NULL;
    }
    json_t *reply = json_loadb(r.body, r.len, 0, NULL);
    cli_response_free(&r);
    if (!json_is_object(reply)) {
        fprintf(stderr, "%s: the answer is no JSON object\n", what);
        json_decref(reply);
        return NULL;
    }
    return reply;
}

/* ---- Raft ---- */

static const char *text(json_t *object, const char *key)
{
    const char *v = json_string_value(json_object_get(object, key));
    return v ? v : "";
}

static bool flag(json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static int list_peers(int argc, char **argv)
{
    static const char *const head[] = {"Node", "ID", "Address", "State", "Voter", "RaftProtocol"};
    struct cli_common common = {0};
    int at =
        cli_parse(argc, argv, "Usage: muster operator raft list-peers [options]", NULL, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    json_t *reply = get(&common, "/v1/operator/raft/configuration",
                        "Error getting peers: Failed to retrieve raft configuration");
    if (!reply) {
        return 1;
    }
    json_t *servers = json_object_get(reply, "Servers"), *s;
    size_t i, rows = json_array_size(servers) + 1;
    const char **cells = calloc(rows * 6, sizeof *cells);
    if (!cells) {
        abort();
    }
    memcpy(cells, head, sizeof head);
    json_array_foreach(servers, i, s)
    {
        const char *const row[] = {text(s, "Node"),
                                   text(s, "ID"),
                                   text(s, "Address"),
                                   flag(s, "Leader") ? "leader" : "follower",
                                   flag(s, "Voter") ? "true" : "false",
                                   text(s, "ProtocolVersion")};
        memcpy(cells + 6 * (i + 1), row, sizeof row);
    }
    cli_table(cells, rows, 6);
    free(cells);
    json_decref(reply);
    return 0;
}

static int remove_peer(int argc, char **argv)
{
    static const char what[] = "Error removing peer";
    struct cli_common common = {0};
    const char *id = NULL, *address = NULL;
    const struct cli_flag flags[] = {{"id", NULL, &id, "ID of the server to remove."},
                                     {"address", NULL, &address, "Its address, as IP:port."},
                                     {0}};
    int at =
        cli_parse(argc, argv, "Usage: muster operator raft remove-peer [options]", flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (!id == !address) {
        fprintf(stderr, "%s: %s\n", what,
                id ? "cannot give both an address and id"
                   : "an address or id is required for the peer to remove");
        return 1;
    }
    char path[1024] = "/v1/operator/raft/peer";
    struct cli_response r;
    add_param(path, sizeof path, id ? "id" : "address", id ? id : address);
    if (!request(&common, "DELETE", path, sizeof path, NULL, what, &r)) {
        return 1;
    }
    cli_response_free(&r);
    printf("Removed peer with %s \"%s\"\n", id ? "id" : "address", id ? id : address);
    return 0;
}

/* ---- Autopilot ---- */

static int get_config(int argc, char **argv)
{
    static const char *const keys[] = {"CleanupDeadServers", "LastContactThreshold",
                                       "MaxTrailingLogs", "MinQuorum", "ServerStabilizationTime"};
    struct cli_common common = {0};
    int at = cli_parse(argc, argv, "Usage: muster operator autopilot get-config [options]", NULL,
                       &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    json_t *c = get(&common, AUTOPILOT_PATH, "Error querying Autopilot configuration");
    if (!c) {
        return 1;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *v = json_object_get(c, keys[i]);
        char *shown = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY);
        printf("%s = %s\n", keys[i], shown ? shown : text(c, keys[i]));
        free(shown);
    }
    printf("RedundancyZoneTag = \"%s\"\nDisableUpgradeMigration = %s\nUpgradeVersionTag = \"%s\"\n",
           text(c, "RedundancyZoneTag"), flag(c, "DisableUpgradeMigration") ? "true" : "false",
           text(c, "UpgradeVersionTag"));
    json_decref(c);
    return 0;
}

enum setting_kind { SETTING_BOOL, SETTING_NUMBER, SETTING_TEXT };

/* The value of a flag as JSON; NULL after a message. Durations are text, which the server reads. */
static json_t *setting(const char *name, enum setting_kind kind, const char *value)
{
    if (kind == SETTING_TEXT) {
        return json_string(value);
    }
    if (kind == SETTING_BOOL) {
        bool yes = strcmp(value, "true") == 0;
        if (yes || strcmp(value, "false") == 0) {
            return json_boolean(yes);
        }
        fprintf(stderr, "invalid boolean value \"%s\" for -%s\n", value, name);
        return NULL;
    }
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno == 0 && end != value && !*end && n >= 0) {
        return json_integer(n);
    }
    fprintf(stderr, "invalid value \"%s\" for flag -%s\n", value, name);
    return NULL;
}

static int put_config(const struct cli_common *common, json_t *config)
{
    static const char what[] = "Error setting Autopilot configuration";
    struct cli_response r;
    char path[1024] = AUTOPILOT_PATH, index[32];
    /* What another operator sets meanwhile must not be undone. */
    snprintf(index, sizeof index, "%lld",
             (long long)json_integer_value(json_object_get(config, "ModifyIndex")));
    add_param(path, sizeof path, "cas", index);
    char *body = json_dumps(config, JSON_COMPACT);
    if (!body) {
        abort();
    }
    bool ok = request(common, "PUT", path, sizeof path, body, what, &r);
    free(body);
    if (!ok) {
        return 1;
    }
    ok = strncmp(r.body, "true", 4) == 0;
    cli_response_free(&r);
    if (ok) {
        printf("Configuration updated!\n");
    } else {
        printf("Configuration could not be atomically updated, please try again\n");
    }
    return ok ? 0 : 1;
}

static int set_config(int argc, char **argv)
{
    struct {
        const char *flag, *key;
        enum setting_kind kind;
        const char *help, *value;
    } settings[] = {
        {"cleanup-dead-servers", "CleanupDeadServers", SETTING_BOOL,
         "Whether failed servers are removed: true or false.", NULL},
        {"last-contact-threshold", "LastContactThreshold", SETTING_TEXT,
         "How long a healthy server may be silent, such as 200ms.", NULL},
        {"max-trailing-logs", "MaxTrailingLogs", SETTING_NUMBER,
         "How many entries a healthy server may be behind.", NULL},
        {"min-quorum", "MinQuorum", SETTING_NUMBER,
         "How many voters are left at least when failed ones are removed.", NULL},
        {"server-stabilization-time", "ServerStabilizationTime", SETTING_TEXT,
         "How long a new server must be healthy before it votes, such as 10s.", NULL},
        {"disable-upgrade-migration", "DisableUpgradeMigration", SETTING_BOOL,
         "Kept, without effect.", NULL},
        {"redundancy-zone-tag", "RedundancyZoneTag", SETTING_TEXT, "Kept, without effect.", NULL},
        {"upgrade-version-tag", "UpgradeVersionTag", SETTING_TEXT, "Kept, without effect.", NULL},
    };
    enum { COUNT = sizeof settings / sizeof *settings };
    struct cli_flag flags[COUNT + 1] = {{0}};
    struct cli_common common = {0};
    for (size_t i = 0; i < COUNT; i++) {
        flags[i] = (struct cli_flag){settings[i].flag, NULL, &settings[i].value, settings[i].help};
    }
    int at = cli_parse(argc, argv, "Usage: muster operator autopilot set-config [options]", flags,
                       &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    json_t *changes = json_object();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < COUNT; i++) {
        json_t *v = settings[i].value
                        ? setting(settings[i].flag, settings[i].kind, settings[i].value)
                        : NULL;
        rc = settings[i].value && (!v || json_object_set_new(changes, settings[i].key, v) != 0);
    }
    json_t *config =
        rc == 0 ? get(&common, AUTOPILOT_PATH, "Error querying Autopilot configuration") : NULL;
    rc = config && json_object_update(config, changes) == 0 ? put_config(&common, config) : 1;
    json_decref(config);
    json_decref(changes);
    return rc;
}

/* ---- The command ---- */

int cmd_operator(int argc, char **argv)
{
    static const struct {
        const char *group, *name;
        int (*run)(int argc, char **argv);
    } subcommands[] = {
        {"raft", "list-peers", list_peers},
        {"raft", "remove-peer", remove_peer},
        {"autopilot", "get-config", get_config},
        {"autopilot", "set-config", set_config},
    };
    for (size_t i = 0; argc > 1 && i < sizeof subcommands / sizeof *subcommands; i++) {
        if (strcmp(argv[0], subcommands[i].group) == 0 &&
            strcmp(argv[1], subcommands[i].name) == 0) {
            return subcommands[i].run(argc - 2, argv + 2);
        }
    }
    bool asked =
        argc > 0 && (strcmp(argv[argc - 1], "-h") == 0 || strcmp(argv[argc - 1], "--help") == 0 ||
                     strcmp(argv[argc - 1], "-help") == 0);
    fprintf(asked ? stdout : stderr, "%s\n", usage);
    return asked ? 0 : 1;
}
