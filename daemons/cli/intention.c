#include "intention.h"

#include "base/json.h"

#include <muster/catalog_types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)256 << 20) /* decoded, of one answer */

/* ---- Names ---- */

void intention_end(struct mu_str ns, struct mu_str name, char text[INTENTION_NAME_MAX])
{
    bool plain = ns.len == 0 || mu__str_eq(ns, mu__cstr("default"));
    size_t max = INTENTION_NAME_MAX / 2 - 2;
    snprintf(text, INTENTION_NAME_MAX, "%.*s%s%.*s", plain ? 0 : (int)mu__min(ns.len, max),
             ns.p ? ns.p : "", plain ? "" : "/", (int)mu__min(name.len, max), name.p ? name.p : "");
}

void intention_text(const struct catalog_intention *x, char text[3 * INTENTION_NAME_MAX])
{
    char source[INTENTION_NAME_MAX], destination[INTENTION_NAME_MAX];
    intention_end(x->source_ns, x->source_name, source);
    intention_end(x->destination_ns, x->destination_name, destination);
    snprintf(text, 3 * INTENTION_NAME_MAX, "%s => %s (%.*s)", source, destination,
             (int)mu__min(x->action.len, 64), x->action.p ? x->action.p : "");
}

bool intention_target(const char *text, struct mu_str *ns, struct mu_str *name)
{
    const char *slash = strchr(text, '/');
    *ns = (struct mu_str){text, slash ? (size_t)(slash - text) : 0};
    *name = mu__cstr(slash ? slash + 1 : text);
    return !slash || !strchr(slash + 1, '/');
}

/* ---- As JSON ---- */

/* The record of the servers, by the name that the API's clients have for it. */
static const struct mu__schema *schema(void)
{
    static struct mu__schema s;
    s = *catalog_schema(CATALOG_INTENTION);
    s.name = "api.Intention";
    return &s;
}

bool intention_decode(struct mu__arena *a, const char *text, size_t len,
                      struct catalog_intention *out, char *why, size_t cap)
{
    *out = (struct catalog_intention){0};
    return json_decode_known(schema(), text, len, a, out, why, cap);
}

bool intention_decode_list(struct mu__arena *a, const char *text, size_t len, struct mu_list *out,
                           char *why, size_t cap)
{
    *out = (struct mu_list){0};
    return json_decode_known_list(schema(), text, len, a, out, why, cap);
}

char *intention_encode(const struct catalog_intention *x)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    mu__json_value(&j, schema(), x);
    mu__write_bytes(&w, "", 1);
    char *text = w.failed ? NULL : strdup((const char *)w.data);
    mu__writer_fini(&w);
    if (!text) {
        abort();
    }
    return text;
}

/* ---- Requests ---- */

void intention_ask(const struct cli_client *c, const char *method, const char *path,
                   const char *body, struct cli_response *r)
{
    char whole[INTENTION_PATH_MAX + 1024];
    snprintf(whole, INTENTION_PATH_MAX, "%s", path);
    if (*c->datacenter) {
        size_t len = strlen(whole);
        snprintf(whole + len, sizeof whole - len, "%cdc=", strchr(whole, '?') ? '&' : '?');
        cli_escape(c->datacenter, whole, sizeof whole);
    }
    cli_request(c, method, whole, body, body ? strlen(body) : 0, r);
}

void intention_path(const char *id, char path[INTENTION_PATH_MAX])
{
    snprintf(path, INTENTION_PATH_MAX, "/v1/connect/intentions/");
    cli_escape(id, path, INTENTION_PATH_MAX);
}

void intention_complaint(const struct cli_response *r, char *why, size_t cap)
{
    if (r->status == 0) {
        snprintf(why, cap, "%s", r->error);
    } else {
        snprintf(why, cap, "Unexpected response code: %d (%s)", r->status, r->body);
    }
}

/* "default/web" is "web". */
static const char *without_default(const char *text)
{
    static const char prefix[] = "default/";
    return strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : text;
}

static bool is_between(const struct catalog_intention *x, const char *source,
                       const char *destination)
{
    char end[INTENTION_NAME_MAX];
    if (x->source_name.len > INTENTION_TEXT_MAX || x->destination_name.len > INTENTION_TEXT_MAX) {
        return false; /* what is shown of it may be what is shown of another */
    }
    intention_end(x->source_ns, x->source_name, end);
    if (strcmp(end, source) != 0) {
        return false;
    }
    intention_end(x->destination_ns, x->destination_name, end);
    return strcmp(end, destination) == 0;
}

static enum intention_found among(const struct cli_response *r, const char *source,
                                  const char *destination, char id[64], char *why, size_t cap)
{
    enum intention_found found = INTENTION_NONE;
    struct mu__arena a;
    struct mu_list all;
    mu__arena_init(&a, NULL, ANSWER_MAX);
    if (!intention_decode_list(&a, r->body, r->len, &all, why, cap)) {
        found = INTENTION_FAILED;
        all.len = 0;
    }
    for (size_t i = 0; i < all.len && found == INTENTION_NONE; i++) {
        const struct catalog_intention *x = all.items[i];
        if (is_between(x, source, destination)) {
            snprintf(id, 64, "%.*s", (int)mu__min(x->id.len, 63), x->id.p ? x->id.p : "");
            found = INTENTION_FOUND;
        }
    }
    mu__arena_fini(&a);
    return found;
}

enum intention_found intention_find(const struct cli_client *c, const char *source,
                                    const char *destination, char id[64], char *why, size_t cap)
{
    struct cli_response r;
    enum intention_found found = INTENTION_FAILED;
    intention_ask(c, "GET", "/v1/connect/intentions", NULL, &r);
    if (r.status == 200) {
        found = among(&r, without_default(source), without_default(destination), id, why, cap);
    } else {
        intention_complaint(&r, why, cap);
    }
    cli_response_free(&r);
    return found;
}
