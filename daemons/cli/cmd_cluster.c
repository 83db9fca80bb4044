/* cmd_cluster.c - `muster join`, `leave`, `force-leave`, `reload`, `keygen`, `version`: one request
 * each, or none. */
#include "cli.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#ifndef MUSTER_VERSION
#error "the build names the version"
#endif

static void append(char *path, size_t size, const char *query)
{
    size_t len = strlen(path);
    snprintf(path + len, size - len, "%s", query);
}

static int put(const struct cli_common *common, const char *path, const char *what)
{
    struct cli_client client;
    struct cli_response r;
    if (!cli_connect(common, &client)) {
        return 1;
    }
    cli_request(&client, "PUT", path, NULL, 0, &r);
    bool ok = cli_response_ok(&r, what);
    cli_response_free(&r);
    return ok ? 0 : 1;
}

int cmd_join(int argc, char **argv)
{
    bool wan = false;
    struct cli_common common = {0};
    const struct cli_flag flags[] = {
        {"wan", &wan, NULL, "Join the pool of servers of all datacenters."}, {0}};
    int at = cli_parse(argc, argv, "Usage: muster join [options] ADDRESS ...", flags, &common),
        joined = 0;
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (at == argc) {
        fprintf(stderr, "At least one address to join must be specified.\n");
        return 1;
    }
    for (int i = at; i < argc; i++) {
        char path[1024] = "/v1/agent/join/", what[512];
        cli_escape(argv[i], path, sizeof path - 8);
        append(path, sizeof path, wan ? "?wan=1" : "");
        snprintf(what, sizeof what, "Error joining address '%s'", argv[i]);
        joined += put(&common, path, what) == 0;
    }
    if (joined == 0) {
        fprintf(stderr, "Failed to join any nodes.\n");
        return 1;
    }
    printf("Successfully joined cluster by contacting %d nodes.\n", joined);
    return 0;
}

int cmd_leave(int argc, char **argv)
{
    struct cli_common common = {0};
    int at = cli_parse(argc, argv, "Usage: muster leave [options]", NULL, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    int rc = put(&common, "/v1/agent/leave", "Error leaving");
    if (rc == 0) {
        printf("Graceful leave complete\n");
    }
    return rc;
}

int cmd_force_leave(int argc, char **argv)
{
    bool prune = false;
    struct cli_common common = {0};
    const struct cli_flag flags[] = {
        {"prune", &prune, NULL, "Remove the member from the list as well."}, {0}};
    int at = cli_parse(argc, argv, "Usage: muster force-leave [options] NODE", flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (at != argc - 1) {
        fprintf(stderr, "A single node name must be specified to force leave.\n");
        return 1;
    }
    char path[1024] = "/v1/agent/force-leave/";
    cli_escape(argv[at], path, sizeof path - 8);
    append(path, sizeof path, prune ? "?prune" : "");
    return put(&common, path, "Error force leaving");
}

int cmd_reload(int argc, char **argv)
{
    struct cli_common common = {0};
    int at = cli_parse(argc, argv, "Usage: muster reload [options]", NULL, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    int rc = put(&common, "/v1/agent/reload", "Error reloading");
    if (rc == 0) {
        printf("Configuration reload triggered\n");
    }
    return rc;
}

int cmd_keygen(int argc, char **argv)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t key[33] = {0}; /* 32 random bytes, and one of padding for the last group */
    char text[45];
    int at = cli_parse(argc, argv, "Usage: muster keygen", NULL, NULL);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (getrandom(key, 32, 0) != 32) {
        fprintf(stderr, "Error reading random data\n");
        return 1;
    }
    for (size_t i = 0; i < 11; i++) {
        uint32_t v = (uint32_t)key[3 * i] << 16 | (uint32_t)key[3 * i + 1] << 8 | key[3 * i + 2];
        for (size_t k = 0; k < 4; k++) {
            text[4 * i + k] = digits[v >> (18 - 6 * k) & 63];
        }
    }
    text[43] = '=';
    text[44] = '\0';
    printf("%s\n", text);
    return 0;
}

int cmd_version(int argc, char **argv)
{
    const char *format = "pretty";
    const struct cli_flag flags[] = {{"format", NULL, &format, "pretty or json."}, {0}};
    int at = cli_parse(argc, argv, "Usage: muster version [options]", flags, NULL);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (strcmp(format, "json") == 0) {
        printf("{\n   \"Version\": \"%s\",\n   \"Revision\": \"\",\n   \"Prerelease\": \"\",\n"
               "   \"RPC\": {\n      \"Default\": 2,\n      \"Min\": 2,\n      \"Max\": 3\n   }\n"
               "}\n",
               MUSTER_VERSION);
        return 0;
    }
    if (strcmp(format, "pretty") != 0) {
        fprintf(stderr, "Unknown format: %s\n", format);
        return 1;
    }
    printf("muster v%s\nCompatible with Consul v1.8.7\nProtocol 2 spoken by default, understands 2 "
           "to 3\n",
           MUSTER_VERSION);
    return 0;
}
