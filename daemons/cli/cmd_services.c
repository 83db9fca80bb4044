/* cmd_services.c - `muster services register|deregister`: services of the local agent, from flags
 * or from files in the form of the configuration's. */
#include "base/config.h"
#include "cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char usage[] = "Usage: muster services <subcommand> [options] [args]\n\n"
                            "  Subcommands: deregister, register";

/* ---- What is meant ---- */

struct arguments {
    const char *id, *name, *kind, *address, *port;
    struct cli_list tags, metas, tagged;
    struct cli_common common;
};

/* The services of a file; NULL after a message. */
static struct config *read_file(char *path)
{
    static char file[] = "-config-file", data[] = "-data-dir=/", bind[] = "-bind=127.0.0.1";
    char err[CONFIG_ERROR_MAX];
    bool help;
    char *flags[] = {data, bind, file, path};
    struct config *c = config_load(4, flags, &help, err, sizeof err);
    if (!c) {
        fprintf(stderr, "Error: %s\n", err);
    }
    return c;
}

/* Adds each service of the files to list; false after a message. */
static bool read_files(char **paths, json_t *list)
{
    for (; *paths; paths++) {
        struct config *c = read_file(*paths);
        if (!c) {
            return false;
        }
        for (size_t i = 0; i < c->definitions.len; i++) {
            const struct config_definition *d = &c->definitions.items[i];
            if (!d->is_check) {
                json_array_append_new(list, json_loadb(d->json.p, d->json.len, 0, NULL));
            }
        }
        config_destroy(c);
    }
    return true;
}

static void set(json_t *object, const char *key, const char *value)
{
    if (value) {
        json_object_set_new(object, key, json_string(value));
    }
}

static bool split(const char *flag, const char *pair, char *key, size_t cap, const char **value)
{
    const char *equals = strchr(pair, '=');
    if (!equals || (size_t)(equals - pair) >= cap) {
        fprintf(stderr, "invalid value \"%s\" for flag -%s: Missing \"=\" value in argument: %s\n",
                pair, flag, pair);
        return false;
    }
    snprintf(key, cap, "%.*s", (int)(equals - pair), pair);
    *value = equals + 1;
    return true;
}

/* "host:port", "host" */
static json_t *address_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *close = strrchr(text, ']');
    bool has_port = colon && (!close || colon > close) && colon[1] &&
                    strspn(colon + 1, "0123456789") == strlen(colon + 1);
    size_t len = has_port ? (size_t)(colon - text) : strlen(text);
    const char *host = text;
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    json_t *address = json_object();
    json_object_set_new(address, "Address", json_stringn(host, len));
    json_object_set_new(address, "Port", json_integer(has_port ? strtol(colon + 1, NULL, 10) : 0));
    return address;
}

static bool set_maps(json_t *service, const struct arguments *a)
{
    char key[256];
    const char *value;
    json_t *meta = json_object(), *tagged = json_object();
    bool ok = true;
    for (size_t i = 0; i < a->metas.len && ok; i++) {
        ok = split("meta", a->metas.items[i], key, sizeof key, &value);
        if (ok) {
            set(meta, key, value);
        }
    }
    for (size_t i = 0; i < a->tagged.len && ok; i++) {
        ok = split("tagged-address", a->tagged.items[i], key, sizeof key, &value);
        if (ok) {
            json_object_set_new(tagged, key, address_of(value));
        }
    }
    if (ok && json_object_size(meta)) {
        json_object_set(service, "Meta", meta);
    }
    if (ok && json_object_size(tagged)) {
        json_object_set(service, "TaggedAddresses", tagged);
    }
    json_decref(meta);
    json_decref(tagged);
    return ok;
}

/* A service of flags into list; false after a message. */
static bool read_flags(const struct arguments *a, json_t *list)
{
    json_t *service = json_object();
    json_array_append_new(list, service);
    set(service, "ID", a->id);
    set(service, "Name", a->name);
    set(service, "Kind", a->kind);
    set(service, "Address", a->address);
    if (a->port) {
        char *end;
        long port = strtol(a->port, &end, 10);
        if (!*a->port || *end) {
            fprintf(stderr, "invalid value \"%s\" for flag -port: parse error\n", a->port);
            return false;
        }
        json_object_set_new(service, "Port", json_integer(port));
    }
    json_t *tags = json_array();
    for (size_t i = 0; i < a->tags.len; i++) {
        json_array_append_new(tags, json_string(a->tags.items[i]));
    }
    if (a->tags.len) {
        json_object_set(service, "Tags", tags);
    }
    json_decref(tags);
    return set_maps(service, a);
}

static const char *text_of(const json_t *service, const char *key)
{
    const char *name;
    json_t *v;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): it is only walked. */
    json_object_foreach((json_t *)(uintptr_t)service, name, v)
    {
        if (strcasecmp(name, key) == 0 && json_is_string(v)) {
            return json_string_value(v);
        }
    }
    return "";
}

/* ---- Doing it ---- */

static bool send_one(const struct cli_client *client, const json_t *service, bool add)
{
    char path[1024] = "/v1/agent/service/register", what[512];
    const char *name = text_of(service, "Name"), *id = text_of(service, "ID");
    char *text = add ? json_dumps(service, JSON_COMPACT) : NULL;
    struct cli_response r;
    id = *id ? id : name;
    if (!add) {
        snprintf(path, sizeof path, "/v1/agent/service/deregister/");
        cli_escape(id, path, sizeof path);
    }
    snprintf(what, sizeof what, "Error registering service \"%.200s\"", name);
    cli_request(client, "PUT", path, text, text ? strlen(text) : 0, &r);
    bool ok = cli_response_ok(&r, what);
    if (ok) {
        printf("%s service: %s\n", add ? "Registered" : "Deregistered", add ? name : id);
    }
    cli_response_free(&r);
    free(text);
    return ok;
}

static int send_all(const struct cli_common *common, const json_t *list, bool add)
{
    struct cli_client client;
    bool ok = cli_connect(common, &client);
    for (size_t i = 0; ok && i < json_array_size(list); i++) {
        ok = send_one(&client, json_array_get(list, i), add);
    }
    return ok ? 0 : 1;
}

static int complain(const char *why)
{
    fprintf(stderr, "%s\n", why);
    return 1;
}

static int add_services(int argc, char **argv)
{
    struct arguments a = {.id = NULL};
    const struct cli_flag flags[] = {{"id", NULL, &a.id, "ID of the service; default its name."},
                                     {"name", NULL, &a.name, "Name of the service."},
                                     {"address", NULL, &a.address, "Address of the service."},
                                     {"port", NULL, &a.port, "Port of the service."},
                                     {"kind", NULL, &a.kind, "Kind of the service."},
                                     {0}};
    const struct cli_list_flag lists[] = {
        {"tag", &a.tags, "A tag; may be repeated."},
        {"meta", &a.metas, "Metadata, as key=value; may be repeated."},
        {"tagged-address", &a.tagged, "A further address, as name=address:port; may be repeated."},
        {0}};
    a.common.lists = lists;
    int at = cli_parse(argc, argv, "Usage: muster services register [options] [FILE...]", flags,
                       &a.common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    bool has_files = at < argc, has_flags = a.id || a.name;
    if (has_files && has_flags) {
        return complain("Service registration requires arguments or -id, not both.");
    }
    if (!has_files && !a.name) {
        return complain("Service registration requires at least one argument or flags.");
    }
    json_t *list = json_array();
    bool ok = has_files ? read_files(argv + at, list) : read_flags(&a, list);
    int rc = ok ? send_all(&a.common, list, true) : 1;
    json_decref(list);
    return rc;
}

static int remove_services(int argc, char **argv)
{
    struct arguments a = {.id = NULL};
    const struct cli_flag flags[] = {{"id", NULL, &a.id, "ID of the service."}, {0}};
    int at = cli_parse(argc, argv, "Usage: muster services deregister [options] [FILE...]", flags,
                       &a.common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (at < argc && a.id) {
        return complain("Service deregistration requires arguments or -id, not both.");
    }
    if (at == argc && !a.id) {
        return complain("Service deregistration requires at least one argument or -id.");
    }
    json_t *list = json_array();
    bool ok = at < argc ? read_files(argv + at, list) : read_flags(&a, list);
    int rc = ok ? send_all(&a.common, list, false) : 1;
    json_decref(list);
    return rc;
}

int cmd_services(int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : "";
    if (strcmp(name, "register") == 0) {
        return add_services(argc - 1, argv + 1);
    }
    if (strcmp(name, "deregister") == 0) {
        return remove_services(argc - 1, argv + 1);
    }
    bool help =
        strcmp(name, "-h") == 0 || strcmp(name, "-help") == 0 || strcmp(name, "--help") == 0;
    fprintf(help ? stdout : stderr, "%s\n", usage);
    return help ? 0 : 1;
}
