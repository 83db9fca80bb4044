/* cmd_connect.c - `muster connect`: how certificates of services are made (ca
 * get-config|set-config); the proxy is cmd_connect_proxy.c's. */
#include "base/json.h"
#include "cli.h"
#include "file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CA_PATH    "/v1/connect/ca/configuration"
#define DECODE_MAX ((size_t)16 << 20)

static const char usage[] =
    "Usage: muster connect <subcommand> [options]\n\n"
    "    ca get-config    Prints the configuration of the certificate authority\n"
    "    ca set-config    Changes that\n"
    "    proxy            Runs the built-in proxy";

struct ca_config {
    struct mu_str provider, config;
    struct mu_strmap state;
    uint64_t create_index, modify_index;
};

#define FIELD(kind_, name_, member)                                                                \
    {                                                                                              \
        .name = (name_), .kind = (kind_), .offset = offsetof(struct ca_config, member)             \
    }
static const struct mu__field fields[] = {
    FIELD(MU_STR, "Provider", provider),
    FIELD(MU_ANY, "Config", config),
    FIELD(MU_STRMAP, "State", state),
    FIELD(MU_UINT, "CreateIndex", create_index),
    FIELD(MU_UINT, "ModifyIndex", modify_index),
};
static const struct mu__schema schema = {.name = "api.CAConfig",
                                         .fields = fields,
                                         .nfields = sizeof fields / sizeof *fields,
                                         .size = sizeof(struct ca_config)};

/* As JSON with a zero behind it, to be given up with free. */
static char *encode(const struct ca_config *x, bool pretty)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, pretty);
    mu__json_value(&j, &schema, x);
    mu__write_bytes(&w, "", 1);
    char *text = w.failed ? NULL : strdup((const char *)w.data);
    mu__writer_fini(&w);
    if (!text) {
        abort();
    }
    return text;
}

/* A request whose answer is for the caller to look at; false after a message. */
static bool request(const struct cli_common *common, const char *method, const char *body,
                    const char *what, struct cli_response *r)
{
    struct cli_client client;
    char path[1024] = CA_PATH;
    if (!cli_connect(common, &client)) {
        return false;
    }
    if (*client.datacenter) {
        snprintf(path, sizeof path, CA_PATH "?dc=");
        cli_escape(client.datacenter, path, sizeof path);
    }
    cli_request(&client, method, path, body, body ? strlen(body) : 0, r);
    bool ok = cli_response_ok(r, what);
    if (!ok) {
        cli_response_free(r);
    }
    return ok;
}

/* ---- get-config ---- */

/* Prints with a tab for each four blanks that a line begins with. */
static void print_with_tabs(const char *text)
{
    for (const char *line = text; *line;) {
        size_t blanks = strspn(line, " "), len = strcspn(line, "\n");
        for (size_t i = 0; i < blanks / 4; i++) {
            putchar('\t');
        }
        printf("%.*s\n", (int)(len - blanks), line + blanks);
        line += len + (line[len] == '\n');
    }
}

static int get_config(int argc, char **argv)
{
    static const char what[] = "Error querying CA configuration";
    struct cli_common common = {0};
    struct cli_response r;
    struct mu__arena a;
    struct ca_config x = {0};
    char why[512];
    int at = cli_parse(argc, argv, "Usage: muster connect ca get-config [options]", NULL, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (!request(&common, "GET", NULL, what, &r)) {
        return 1;
    }
    mu__arena_init(&a, NULL, DECODE_MAX);
    bool ok = json_decode_known(&schema, r.body, r.len, &a, &x, why, sizeof why);
    if (ok) {
        char *text = encode(&x, true);
        print_with_tabs(text);
        free(text);
    } else {
        fprintf(stderr, "%s: %s\n", what, why);
    }
    mu__arena_fini(&a);
    cli_response_free(&r);
    return ok ? 0 : 1;
}

/* ---- set-config ---- */

/* The file must hold one value and nothing else, as Go's Unmarshal wants it. */
static bool decode(const char *text, size_t len, struct mu__arena *a, struct ca_config *out,
                   char *why, size_t cap)
{
    size_t end = 0;
    if (!json_scan(text, len, &end, why, cap)) {
        if (strcmp(why, "EOF") == 0 || strcmp(why, "unexpected EOF") == 0) {
            snprintf(why, cap, "unexpected end of JSON input");
        }
        return false;
    }
    end += strspn(text + end, " \t\r\n");
    if (end < len) {
        snprintf(why, cap, "invalid character '%c' after top-level value", text[end]);
        return false;
    }
    return json_decode_known(&schema, text, len, a, out, why, cap);
}

static int send_config(const struct cli_common *common, const struct ca_config *x)
{
    struct cli_response r;
    char *body = encode(x, false);
    bool ok = request(common, "PUT", body, "Error setting CA configuration", &r);
    free(body);
    if (!ok) {
        return 1;
    }
    puts("Configuration updated!");
    cli_response_free(&r);
    return 0;
}

static int set_config(int argc, char **argv)
{
    const char *path = "";
    struct cli_common common = {0};
    struct ca_config x = {0};
    struct mu__arena a;
    char why[1024];
    size_t len = 0;
    const struct cli_flag flags[] = {
        {"config-file", NULL, &path, "File with the configuration, as JSON."}, {0}};
    int at = cli_parse(argc, argv, "Usage: muster connect ca set-config [options]", flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (!*path) {
        fprintf(stderr, "The -config-file flag is required\n");
        return 1;
    }
    char *text = cli_read_file(path, &len, why, sizeof why);
    if (!text) {
        fprintf(stderr, "Error reading config file: %s\n", why);
        return 1;
    }
    int rc = 1;
    mu__arena_init(&a, NULL, DECODE_MAX);
    if (decode(text, len, &a, &x, why, sizeof why)) {
        rc = send_config(&common, &x);
    } else {
        fprintf(stderr, "Error parsing config file: %s\n", why);
    }
    mu__arena_fini(&a);
    free(text);
    return rc;
}

int cmd_connect(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "proxy") == 0) {
        return cmd_connect_proxy(argc - 1, argv + 1);
    }
    bool is_ca = argc > 1 && strcmp(argv[0], "ca") == 0;
    if (is_ca && strcmp(argv[1], "get-config") == 0) {
        return get_config(argc - 2, argv + 2);
    }
    if (is_ca && strcmp(argv[1], "set-config") == 0) {
        return set_config(argc - 2, argv + 2);
    }
    const char *last = argc > 0 ? argv[argc > 1 && is_ca ? 1 : 0] : "";
    bool help =
        strcmp(last, "-h") == 0 || strcmp(last, "-help") == 0 || strcmp(last, "--help") == 0;
    fprintf(help ? stdout : stderr, "%s\n", usage);
    return help ? 0 : 1;
}
