/* cmd_intention.c - `muster intention get|match|check|delete`: which services may talk to which.
 * cmd_intention_create.c has `create`. */
#include "cli.h"
#include "intention.h"
#include "schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ONE_MAX ((size_t)16 << 20) /* one intention, decoded */

static const char usage[] =
    "Usage: muster intention <subcommand> [options] [args]\n\n"
    "  Intentions say which services may connect to which.\n\n"
    "    check     Says whether a connection between two services is allowed\n"
    "    create    Creates intentions\n"
    "    delete    Deletes an intention\n"
    "    get       Shows an intention\n"
    "    match     Lists the intentions that count for a source or a destination";

static int bad(const char *why)
{
    fprintf(stderr, "%s\n", why);
    return 1;
}

static bool says(const struct cli_response *r, const char *what)
{
    char why[4096];
    if (r->status == 200) {
        return true;
    }
    intention_complaint(r, why, sizeof why);
    fprintf(stderr, "%s: %s\n", what, why);
    return false;
}

/* Names are never cut on their way into a request: the answer would be that to another question. */
static bool fit(int n, char **names)
{
    for (int i = 0; i < n; i++) {
        if (strlen(names[i]) > INTENTION_TEXT_MAX) {
            fprintf(stderr, "Error: a name has more than %u bytes\n", INTENTION_TEXT_MAX);
            return false;
        }
    }
    return true;
}

/* ---- get, delete: by pair or by id ---- */

/* The id that is meant by the one or two arguments; NULL after a message. */
static const char *resolve(const struct cli_client *c, int n, char **args, char id[64])
{
    char why[4096];
    if (n == 1) {
        return args[0];
    }
    switch (intention_find(c, args[0], args[1], id, why, sizeof why)) {
    case INTENTION_FOUND:
        return id;
    case INTENTION_NONE:
        fprintf(stderr, "Error: Intention with source \"%s\" and destination \"%s\" not found.\n",
                args[0], args[1]);
        return NULL;
    case INTENTION_FAILED:
        break;
    }
    fprintf(stderr, "Error: %s\n", why);
    return NULL;
}

struct rows {
    const char **cells;
    size_t len;
    struct mu__arena *arena;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Blanks around a value are not shown. */
static void add(struct rows *rows, const char *label, struct mu_str value)
{
    while (value.len && is_blank(*value.p)) {
        value.p++;
        value.len--;
    }
    while (value.len && is_blank(value.p[value.len - 1])) {
        value.len--;
    }
    const char *text = value.len ? mu__arena_strndup(rows->arena, value.p, value.len) : "";
    if (!label || !text) {
        abort();
    }
    rows->cells[rows->len++] = label;
    rows->cells[rows->len++] = text;
}

static char *meta_label(struct mu__arena *a, struct mu_str key)
{
    size_t cap = key.len + sizeof "Meta[]:";
    char *label = mu__arena_alloc(a, cap);
    if (label) {
        snprintf(label, cap, "Meta[%.*s]:", (int)key.len, key.p ? key.p : "");
    }
    return label;
}

/* RFC 850, as Go's time has it */
static struct mu_str created_at(struct mu_time t, char text[64])
{
    struct tm tm = {0};
    time_t at = (time_t)(t.since_year1_s - MU_YEAR1_TO_UNIX_S);
    (void)gmtime_r(&at, &tm);
    size_t len = strftime(text, 64, "%A, %d-%b-", &tm);
    snprintf(text + len, 64 - len, "%02d %02d:%02d:%02d UTC", tm.tm_year % 100, tm.tm_hour,
             tm.tm_min, tm.tm_sec);
    return mu__cstr(text);
}

static void print_details(struct mu__arena *a, const struct catalog_intention *x)
{
    char end[INTENTION_NAME_MAX], when[64];
    struct rows rows = {mu__arena_calloc(a, 2 * (x->meta.len + 6), sizeof(char *)), 0, a};
    if (!rows.cells) {
        abort();
    }
    intention_end(x->source_ns, x->source_name, end);
    add(&rows, "Source:", mu__cstr(end));
    intention_end(x->destination_ns, x->destination_name, end);
    add(&rows, "Destination:", mu__cstr(end));
    add(&rows, "Action:", x->action);
    add(&rows, "ID:", x->id);
    if (x->description.len) {
        add(&rows, "Description:", x->description);
    }
    for (size_t i = 0; i < x->meta.len; i++) {
        add(&rows, meta_label(a, x->meta.items[i].key), x->meta.items[i].value);
    }
    add(&rows, "Created At:", created_at(x->created_at, when));
    cli_table(rows.cells, rows.len / 2, 2);
}

static int show(const struct cli_response *r)
{
    static const char what[] = "Error reading the intention";
    char why[512];
    struct catalog_intention x;
    struct mu__arena a;
    if (r->status == 0) {
        fprintf(stderr, "%s: %s\n", what, r->error);
        return 1;
    }
    if (r->status != 200) {
        fprintf(stderr, "%s: Unexpected response %d: %s\n", what, r->status, r->body);
        return 1;
    }
    mu__arena_init(&a, NULL, ONE_MAX);
    bool ok = intention_decode(&a, r->body, r->len, &x, why, sizeof why);
    if (ok) {
        print_details(&a, &x);
    } else {
        fprintf(stderr, "%s: %s\n", what, why);
    }
    mu__arena_fini(&a);
    return ok ? 0 : 1;
}

static int get_or_delete(int argc, char **argv, bool is_get)
{
    struct cli_common common = {0};
    struct cli_client client;
    struct cli_response r;
    char id[64], path[INTENTION_PATH_MAX];
    int at = cli_parse(argc, argv,
                       is_get ? "Usage: muster intention get [options] SRC DST\n"
                                "       muster intention get [options] ID"
                              : "Usage: muster intention delete [options] SRC DST\n"
                                "       muster intention delete [options] ID",
                       NULL, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    if (argc - at != 1 && argc - at != 2) {
        return bad("Error: command requires exactly 1 or 2 arguments");
    }
    if (!fit(argc - at, argv + at) || !cli_connect(&common, &client)) {
        return 1;
    }
    const char *one = resolve(&client, argc - at, argv + at, id);
    if (!one) {
        return 1;
    }
    intention_path(one, path);
    intention_ask(&client, is_get ? "GET" : "DELETE", path, NULL, &r);
    int rc = is_get ? show(&r) : !says(&r, "Error reading the intention");
    if (!is_get && rc == 0) {
        puts("Intention deleted.");
    }
    cli_response_free(&r);
    return rc;
}

/* ---- match ---- */

/* Appends a value of a query, in which nothing of a path is left. */
static void add_value(char *path, const char *text)
{
    char *slash, *start = path + strlen(path);
    cli_escape(text, path, INTENTION_PATH_MAX);
    while ((slash = strchr(start, '/')) && strlen(path) + 3 < INTENTION_PATH_MAX) {
        memmove(slash + 3, slash + 1, strlen(slash));
        memcpy(slash, "%2F", 3);
    }
}

static int print_matches(const struct cli_response *r, const char *name)
{
    char why[512] = "there is no list of them", text[3 * INTENTION_NAME_MAX];
    struct mu_list all = {0};
    struct mu__arena a;
    json_t *answer = json_loadb(r->body, r->len, 0, NULL);
    char *list =
        json_is_object(answer) ? json_dumps(json_object_get(answer, name), JSON_ENCODE_ANY) : NULL;
    mu__arena_init(&a, NULL, 0);
    bool ok = !list || intention_decode_list(&a, list, strlen(list), &all, why, sizeof why);
    ok = ok && json_is_object(answer);
    for (size_t i = 0; i < all.len && ok; i++) {
        intention_text(all.items[i], text);
        puts(text);
    }
    if (!ok) {
        fprintf(stderr, "Error matching the connection: %s\n", why);
    }
    mu__arena_fini(&a);
    free(list);
    json_decref(answer);
    return ok ? 0 : 1;
}

static int match(int argc, char **argv)
{
    bool source = false, destination = false;
    struct cli_common common = {0};
    struct cli_client client;
    struct cli_response r;
    char path[INTENTION_PATH_MAX];
    const struct cli_flag flags[] = {
        {"source", &source, NULL, "List those with this source."},
        {"destination", &destination, NULL, "List those with this destination (the default)."},
        {0}};
    int at =
        cli_parse(argc, argv, "Usage: muster intention match [options] SRC|DST", flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 2;
    }
    if (argc - at != 1) {
        return bad("Error: command requires exactly one argument: src or dst");
    }
    if (source && destination) {
        return bad("Error: only one of -source or -destination may be specified");
    }
    if (!fit(argc - at, argv + at) || !cli_connect(&common, &client)) {
        return 1;
    }
    snprintf(path, sizeof path,
             "/v1/connect/intentions/match?by=%s&name=", source ? "source" : "destination");
    add_value(path, argv[at]);
    intention_ask(&client, "GET", path, NULL, &r);
    int rc = says(&r, "Error matching the connection") ? print_matches(&r, argv[at]) : 1;
    cli_response_free(&r);
    return rc;
}

/* ---- check: ends with 0 if it is allowed, with 1 if it is not, with 2 if that is not known ----
 */

static int verdict(const struct cli_response *r)
{
    json_t *answer = json_loadb(r->body, r->len, 0, NULL);
    const json_t *allowed = json_object_get(answer, "Allowed");
    int rc = json_is_boolean(allowed) ? !json_is_true(allowed) : 2;
    json_decref(answer);
    if (rc == 2) {
        fprintf(stderr, "Error checking the connection: the answer is none\n");
    } else {
        puts(rc == 0 ? "Allowed" : "Denied");
    }
    return rc;
}

static int check(int argc, char **argv)
{
    struct cli_common common = {0};
    struct cli_client client;
    struct cli_response r;
    char path[INTENTION_PATH_MAX] = "/v1/connect/intentions/check?destination=";
    int at =
        cli_parse(argc, argv, "Usage: muster intention check [options] SRC DST", NULL, &common);
    if (at < 0) {
        return at == -2 ? 0 : 2;
    }
    if (argc - at != 2) {
        bad("Error: command requires exactly two arguments: src and dst");
        return 2;
    }
    if (!fit(argc - at, argv + at) || !cli_connect(&common, &client)) {
        return 2;
    }
    add_value(path, argv[at + 1]);
    size_t len = strlen(path);
    snprintf(path + len, sizeof path - len, "&source=");
    add_value(path, argv[at]);
    len = strlen(path);
    snprintf(path + len, sizeof path - len, "&source-type=consul");
    intention_ask(&client, "GET", path, NULL, &r);
    int rc = says(&r, "Error checking the connection") ? verdict(&r) : 2;
    cli_response_free(&r);
    return rc;
}

int cmd_intention(int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : "";
    if (strcmp(name, "create") == 0) {
        return cmd_intention_create(argc - 1, argv + 1);
    }
    if (strcmp(name, "get") == 0 || strcmp(name, "delete") == 0) {
        return get_or_delete(argc - 1, argv + 1, name[0] == 'g');
    }
    if (strcmp(name, "match") == 0) {
        return match(argc - 1, argv + 1);
    }
    if (strcmp(name, "check") == 0) {
        return check(argc - 1, argv + 1);
    }
    bool help =
        strcmp(name, "-h") == 0 || strcmp(name, "-help") == 0 || strcmp(name, "--help") == 0;
    fprintf(help ? stdout : stderr, "%s\n", usage);
    return help ? 0 : 1;
}
