/* cmd_intention_create.c - `muster intention create`: of a pair, or of what stands in files. */
#include "cli.h"
#include "file.h"
#include "intention.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: muster intention create [options] SRC DST\n"
    "       muster intention create [options] -file FILE...\n\n"
    "  Allows connections from one service to another, or denies them with -deny. A file holds one "
    "intention as\n"
    "  JSON; \"-\" is standard input. Without -replace an intention that is there already is an "
    "error.";

struct create {
    bool allow, deny, file, replace;
    struct cli_list metas;
    struct mu__arena arena;
    struct catalog_intention *wanted;
    size_t len;
};

static int bad(const char *what, const char *why)
{
    fprintf(stderr, "%s%s\n", what, why);
    return 1;
}

/* ---- What is to be created ---- */

static int by_key(const void *a, const void *b)
{
    return mu__str_cmp(((const struct mu_pair *)a)->key, ((const struct mu_pair *)b)->key);
}

/* Reads -meta key=value; of equal keys the last counts. False after a message. */
static bool read_meta(struct create *c, struct mu_strmap *out)
{
    struct mu_pair *pairs = mu__arena_calloc(&c->arena, c->metas.len + 1, sizeof *pairs);
    if (!pairs) {
        abort();
    }
    *out = (struct mu_strmap){pairs, 0};
    for (size_t i = 0; i < c->metas.len; i++) {
        const char *text = c->metas.items[i], *equals = strchr(text, '=');
        if (!equals) {
            fprintf(
                stderr,
                "invalid value \"%s\" for flag -meta: Missing \"=\" value in argument: %s\n%s\n",
                text, text, usage);
            return false;
        }
        struct mu_pair pair = {{text, (size_t)(equals - text)}, mu__cstr(equals + 1)};
        size_t at = 0;
        while (at < out->len && !mu__str_eq(pairs[at].key, pair.key)) {
            at++;
        }
        pairs[at] = pair;
        out->len += at == out->len;
    }
    qsort(pairs, out->len, sizeof *pairs, by_key);
    out->items = out->len ? pairs : NULL;
    return true;
}

static int from_pair(struct create *c, struct mu_strmap meta, int n, char **args)
{
    static const char many[] = "target can contain at most one '/'";
    struct catalog_intention *x = c->wanted;
    if (n != 2) {
        return bad("Error: Must specify two arguments: ", "source and destination");
    }
    if (!intention_target(args[0], &x->source_ns, &x->source_name)) {
        return bad("Error: Invalid intention source: ", many);
    }
    if (!intention_target(args[1], &x->destination_ns, &x->destination_name)) {
        return bad("Error: Invalid intention destination: ", many);
    }
    x->source_type = mu__cstr("consul");
    x->action = mu__cstr(c->deny ? "deny" : "allow");
    x->meta = meta;
    c->len = 1;
    return 0;
}

static int from_files(struct create *c, int n, char **paths)
{
    for (int i = 0; i < n; i++) {
        char why[1024];
        size_t len = 0;
        char *text = cli_read_file(paths[i], &len, why, sizeof why);
        const char *kept = text ? mu__arena_strndup(&c->arena, text, len) : NULL;
        free(text);
        if (!kept || !intention_decode(&c->arena, kept, len, &c->wanted[c->len], why, sizeof why)) {
            return bad("Error: ", text && !kept ? "out of memory" : why);
        }
        c->len++;
    }
    return 0;
}

/* ---- Sending it ---- */

/* Puts x in the place of the one that is there already, if there is one. Below 0: there is none. */
static int replace(const struct cli_client *client, struct catalog_intention *x)
{
    char id[64], why[4096], path[INTENTION_PATH_MAX];
    char source[INTENTION_NAME_MAX], destination[INTENTION_NAME_MAX];
    struct cli_response r;
    intention_end(x->source_ns, x->source_name, source);
    intention_end(x->destination_ns, x->destination_name, destination);
    enum intention_found found = intention_find(client, source, destination, id, why, sizeof why);
    if (found == INTENTION_NONE) {
        return -1;
    }
    const char *what = "looking up intention for replacement";
    if (found == INTENTION_FOUND) {
        x->id = mu__cstr(id);
        char *body = intention_encode(x);
        intention_path(id, path);
        intention_ask(client, "PUT", path, body, &r);
        free(body);
        bool ok = r.status == 200;
        intention_complaint(&r, why, sizeof why);
        cli_response_free(&r);
        if (ok) {
            return 0;
        }
        what = "replacing intention";
    }
    fprintf(stderr, "Error %s with source \"%s\" and destination \"%s\": %s\n", what, source,
            destination, why);
    return 1;
}

static int create_one(const struct cli_client *client, const struct catalog_intention *x)
{
    char text[3 * INTENTION_NAME_MAX], why[4096];
    struct cli_response r;
    char *body = intention_encode(x);
    intention_text(x, text);
    intention_ask(client, "POST", "/v1/connect/intentions", body, &r);
    free(body);
    bool ok = r.status == 200;
    if (ok) {
        printf("Created: %s\n", text);
    } else {
        intention_complaint(&r, why, sizeof why);
        fprintf(stderr, "Error creating intention \"%s\": %s\n", text, why);
    }
    cli_response_free(&r);
    return ok ? 0 : 1;
}

static int send_all(const struct create *c, const struct cli_common *common)
{
    struct cli_client client;
    if (!cli_connect(common, &client)) {
        return 1;
    }
    int rc = 0;
    for (size_t i = 0; i < c->len && rc == 0; i++) {
        rc = c->replace ? replace(&client, &c->wanted[i]) : -1;
        rc = rc < 0 ? create_one(&client, &c->wanted[i]) : rc;
    }
    return rc;
}

static int run(struct create *c, const struct cli_common *common, int n, char **args)
{
    struct mu_strmap meta;
    c->wanted = mu__arena_calloc(&c->arena, (size_t)n + 1, sizeof *c->wanted);
    if (!c->wanted) {
        abort();
    }
    if (!read_meta(c, &meta)) {
        return 1;
    }
    if (c->allow && c->deny) {
        return bad("", "Only one of -allow or -deny may be specified.");
    }
    int rc = c->file ? from_files(c, n, args) : from_pair(c, meta, n, args);
    return rc ? rc : send_all(c, common);
}

int cmd_intention_create(int argc, char **argv)
{
    struct create c = {0};
    const struct cli_list_flag lists[] = {
        {"meta", &c.metas, "Metadata, as key=value; may be repeated."}, {0}};
    struct cli_common common = {.lists = lists};
    const struct cli_flag flags[] = {
        {"allow", &c.allow, NULL, "Allow what matches (the default)."},
        {"deny", &c.deny, NULL, "Deny what matches."},
        {"file", &c.file, NULL, "Read intentions from files."},
        {"replace", &c.replace, NULL, "Replace an intention that is there already."},
        {0}};
    int at = cli_parse(argc, argv, usage, flags, &common);
    if (at < 0) {
        return at == -2 ? 0 : 1;
    }
    mu__arena_init(&c.arena, NULL, 0);
    int rc = run(&c, &common, argc - at, argv + at);
    mu__arena_fini(&c.arena);
    return rc;
}
