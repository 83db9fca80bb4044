/* cmd_config.c - `muster config list|read|write|delete`: central configuration. Files are HCL or
 * JSON. */
#include "base/hcl.h"
#include "cli.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 20) /* what a server takes */

static const char usage[] = "Usage: muster config <subcommand> [options] [args]\n\n"
                            "  Subcommands: delete, list, read, write";

static int bad(const char *why)
{
    fprintf(stderr, "%s\n", why);
    return 1;
}

/* "/v1/config/kind/name" */
static void path_of(char *path, size_t cap, const char *kind, const char *name)
{
    snprintf(path, cap, "/v1/config/");
    cli_escape(kind, path, cap);
    if (name) {
        size_t len = strlen(path);
        snprintf(path + len, cap - len, "/");
        cli_escape(name, path, cap);
    }
}

/* The flags that say which entry is meant. Below 0: the exit code is -1 - that. */
static int read_which(int argc, char **argv, const char *text, const char **kind, const char **name,
                      struct cli_common *common)
{
    const struct cli_flag flags[] = {{"kind", NULL, kind, "Kind of the config entry."},
                                     {name ? "name" : NULL, NULL, name, "Its name."},
                                     {0}};
    int at = cli_parse(argc, argv, text, flags, common);
    if (at < 0) {
        return at == -2 ? -1 : -2;
    }
    if (!*kind) {
        bad("Must specify the -kind parameter");
        return -2;
    }
    if (name && !*name) {
        bad("Must specify the -name parameter");
        return -2;
    }
    return at;
}

static int list(int argc, char **argv)
{
    const char *kind = NULL;
    struct cli_common common = {0};
    struct cli_client client;
    struct cli_response r;
    char path[2048], what[512];
    int at = read_which(argc, argv, "Usage: muster config list [options] -kind <kind>", &kind, NULL,
                        &common);
    if (at < 0) {
        return -1 - at;
    }
    if (!cli_connect(&common, &client)) {
        return 1;
    }
    path_of(path, sizeof path, kind, NULL);
    snprintf(what, sizeof what, "Error listing config entries for kind \"%.200s\"", kind);
    cli_request(&client, "GET", path, NULL, 0, &r);
    bool ok = cli_response_ok(&r, what);
    json_t *entries = ok ? json_loadb(r.body, r.len, 0, NULL) : NULL, *entry;
    size_t i;
    json_array_foreach(entries, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "Name"));
        printf("%s\n", name ? name : "");
    }
    json_decref(entries);
    cli_response_free(&r);
    return ok ? 0 : 1;
}

/* A JSON text as the original prints it: four blanks, keys as they come. */
static void print_pretty(const struct cli_response *r)
{
    json_t *entry = json_loadb(r->body, r->len, 0, NULL);
    char *text = entry ? json_dumps(entry, JSON_INDENT(4) | JSON_PRESERVE_ORDER) : NULL;
    printf("%s\n", text ? text : r->body);
    free(text);
    json_decref(entry);
}

static int read_or_delete(int argc, char **argv, bool is_read)
{
    const char *kind = NULL, *name = NULL;
    struct cli_common common = {0};
    struct cli_client client;
    struct cli_response r;
    char path[4096], what[1024];
    int at = read_which(argc, argv,
                        is_read ? "Usage: muster config read [options] -kind <kind> -name <name>"
                                : "Usage: muster config delete [options] -kind <kind> -name <name>",
                        &kind, &name, &common);
    if (at < 0) {
        return -1 - at;
    }
    if (!cli_connect(&common, &client)) {
        return 1;
    }
    path_of(path, sizeof path, kind, name);
    snprintf(what, sizeof what, "Error %s config entry %.200s/%.500s",
             is_read ? "reading" : "deleting", kind, name);
    cli_request(&client, is_read ? "GET" : "DELETE", path, NULL, 0, &r);
    bool ok = cli_response_ok(&r, what);
    if (ok && is_read) {
        print_pretty(&r);
    } else if (ok) {
        printf("Config entry deleted: %s/%s\n", kind, name);
    }
    cli_response_free(&r);
    return ok ? 0 : 1;
}

/* All of a file, or of standard input for "-"; NULL after a message. To be freed with free. */
static char *load(const char *path, size_t *len)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "r");
    char *text = malloc(FILE_MAX + 1);
    if (!f || !text) {
        fprintf(stderr, "Failed to load data: Failed to read file: open %s: %s\n", path,
                f ? "out of memory" : strerror(errno));
        free(text);
        text = NULL;
    } else {
        *len = fread(text, 1, FILE_MAX + 1, f);
        if (*len > FILE_MAX) {
            fprintf(stderr, "Failed to load data: %s is longer than %u bytes\n", path, FILE_MAX);
            free(text);
            text = NULL;
        }
    }
    if (f && !is_stdin) {
        fclose(f);
    }
    return text;
}

static const char *text_of(json_t *entry, const char *key, const char *other)
{
    const char *text = json_string_value(json_object_get(entry, key));
    text = text ? text : json_string_value(json_object_get(entry, other));
    return text ? text : "";
}

static int send_entry(const struct cli_client *client, json_t *entry, const char *text, size_t len,
                      const char *cas)
{
    struct cli_response r;
    char path[256] = "/v1/config", what[1024];
    const char *kind = text_of(entry, "Kind", "kind"), *name = text_of(entry, "Name", "name");
    if (cas) {
        snprintf(path, sizeof path, "/v1/config?cas=");
        cli_escape(cas, path, sizeof path);
    }
    snprintf(what, sizeof what, "Error writing config entry %.200s/%.500s", kind, name);
    cli_request(client, "PUT", path, text, len, &r);
    bool ok = cli_response_ok(&r, what);
    bool written = ok && r.body && strncmp(r.body, "true", 4) == 0;
    if (written) {
        printf("Config entry written: %s/%s\n", kind, name);
    } else if (ok) {
        fprintf(stderr, "Config entry not updated: %s/%s\n", kind, name);
    }
    cli_response_free(&r);
    return written ? 0 : 1;
}

static int write_entry(int argc, char **argv)
{
    bool cas = false;
    const char *index = "0";
    struct cli_common common = {0};
    struct cli_client client;
    const struct cli_flag flags[] = {
        {"cas", &cas, NULL, "Write only if the entry is as it was at -modify-index."},
        {"modify-index", NULL, &index, "Index of the entry as it was read; 0: there is none."},
        {0}};
    int at = cli_parse(argc, argv, "Usage: muster config write [options] <file>", flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (argc - at != 1) {
        return bad("Must provide exactly one positional argument to specify the config entry to "
                   "write");
    }
    size_t len = 0;
    char *text = cli_connect(&common, &client) ? load(argv[at], &len) : NULL;
    if (!text) {
        return 1;
    }
    char error[256] = "it must be a map";
    json_t *entry = hcl_parse(text, len, error, sizeof error);
    char *json = json_is_object(entry) ? json_dumps(entry, JSON_COMPACT) : NULL;
    int rc = 1;
    if (!json) {
        fprintf(stderr, "Failed to decode config entry input: %s\n", error);
    } else {
        rc = send_entry(&client, entry, json, strlen(json), cas ? index : NULL);
    }
    free(json);
    json_decref(entry);
    free(text);
    return rc;
}

int cmd_config(int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : "";
    if (strcmp(name, "list") == 0) {
        return list(argc - 1, argv + 1);
    }
    if (strcmp(name, "read") == 0 || strcmp(name, "delete") == 0) {
        return read_or_delete(argc - 1, argv + 1, name[0] == 'r');
    }
    if (strcmp(name, "write") == 0) {
        return write_entry(argc - 1, argv + 1);
    }
    bool help =
        strcmp(name, "-h") == 0 || strcmp(name, "-help") == 0 || strcmp(name, "--help") == 0;
    fprintf(help ? stdout : stderr, "%s\n", usage);
    return help ? 0 : 1;
}
