/* Who is told of a change: a program, a line for the shell, or a web server. */
#include "plan.h"

#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_TIMEOUT_NS ((int64_t)(10 * MU_SEC))
#define ARGS_MAX        1024u
#define HEADERS_MAX     64u

static void *room(struct watch_plan *p, size_t n, size_t size)
{
    void *items = mu__arena_calloc(&p->arena, n ? n : 1, size);
    if (!items) {
        abort();
    }
    return items;
}

/* A text counts as a list of one. */
static bool strings(struct watch_plan *p, const json_t *v, struct mu_strs *out)
{
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n > ARGS_MAX || (!json_is_array(v) && !json_is_string(v))) {
        return false;
    }
    out->items = room(p, n, sizeof *out->items);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_string(item)) {
            return false;
        }
        out->items[out->len++] = watch__copy(p, json_string_value(item));
    }
    return true;
}

/* ---- HTTP ---- */

static bool is_clean(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s <= 0x20 || *s == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool read_url(struct watch_plan *p, const json_t *v, char *err, size_t errlen)
{
    const char *url = json_string_value(v);
    if (!url || !*url) {
        return watch__refuse(err, errlen, "Requires 'path' to be set");
    }
    if (strncmp(url, "http://", 7) != 0 || !is_clean(url)) {
        return watch__refuse(err, errlen,
                             "path: expected a URL that begins with http://, got \"%.200s\"", url);
    }
    p->http.url = watch__copy(p, url);
    return true;
}

static bool read_timeout(struct watch_plan *p, const json_t *v, char *err, size_t errlen)
{
    const char *text = json_string_value(v);
    p->http.timeout_ns = HTTP_TIMEOUT_NS;
    if (!v) {
        return true;
    }
    if (!text || !mu__duration_parse(text, strlen(text), &p->http.timeout_ns) ||
        p->http.timeout_ns <= 0) {
        return watch__refuse(err, errlen, "timeout: expected a duration such as \"10s\", got %.64s",
                             text ? text : "no text");
    }
    return true;
}

static bool read_headers(struct watch_plan *p, const json_t *v, char *err, size_t errlen)
{
    struct mu_strsmap *m = &p->http.headers;
    const char *name;
    json_t *values;
    if (v && (!json_is_object(v) || json_object_size(v) > HEADERS_MAX)) {
        return watch__refuse(err, errlen, "header: expected a map of at most %u lists",
                             HEADERS_MAX);
    }
    m->items = room(p, json_object_size(v), sizeof *m->items);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): it is only walked. */
    json_object_foreach((json_t *)(uintptr_t)v, name, values)
    {
        m->items[m->len].key = watch__copy(p, name);
        if (!strings(p, values, &m->items[m->len].value)) {
            return watch__refuse(err, errlen, "header.%.64s: expected a list of strings", name);
        }
        m->len++;
    }
    return true;
}

static bool read_method(struct watch_plan *p, const json_t *v, char *err, size_t errlen)
{
    const char *method = v ? json_string_value(v) : "POST";
    static const char *const known[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"};
    for (size_t i = 0; method && i < sizeof known / sizeof *known; i++) {
        if (!strcmp(method, known[i])) {
            p->http.method = mu__cstr(known[i]);
            return true;
        }
    }
    return watch__refuse(err, errlen, "method: expected a method of HTTP, got \"%.32s\"",
                         method ? method : "");
}

static bool read_http(struct watch_plan *p, const json_t *v, char *err, size_t errlen)
{
    char why[WATCH_ERROR_MAX] = "expected a map";
    if (!v) {
        return watch__refuse(err, errlen,
                             "Handler type 'http' requires 'http_handler_config' to be set");
    }
    if (json_is_array(v) && json_array_size(v) == 1) {
        v = json_array_get(v, 0); /* what HCL makes of a block */
    }
    if (!json_is_object(v) || !read_url(p, json_object_get(v, "path"), why, sizeof why) ||
        !read_method(p, json_object_get(v, "method"), why, sizeof why) ||
        !read_timeout(p, json_object_get(v, "timeout"), why, sizeof why) ||
        !read_headers(p, json_object_get(v, "header"), why, sizeof why)) {
        return watch__refuse(err, errlen, "Failed to parse 'http_handler_config': %s", why);
    }
    p->kind = WATCH_HANDLER_HTTP;
    return true;
}

/* ---- Programs ---- */

static bool read_script(struct watch_plan *p, const json_t *handler, const json_t *args, char *err,
                        size_t errlen)
{
    if (handler && !json_is_string(handler)) {
        return watch__refuse(err, errlen, "Watch handler must be a string");
    }
    if (args && !strings(p, args, &p->args)) {
        return watch__refuse(err, errlen, "Watch args must be a list of strings");
    }
    if (handler && args) {
        return watch__refuse(err, errlen, "Only one watch handler allowed");
    }
    if (!handler && !p->args.len) {
        return watch__refuse(err, errlen, "Must define a watch handler");
    }
    p->kind = handler ? WATCH_HANDLER_SHELL : WATCH_HANDLER_ARGS;
    p->shell = handler ? watch__copy(p, json_string_value(handler)) : mu__cstr("");
    return true;
}

bool watch__read_handler(struct watch_plan *p, struct watch__params *params, enum watch_from from,
                         char *err, size_t errlen)
{
    struct mu_str type;
    if (from == WATCH_FROM_CLI) {
        return true;
    }
    if (!watch__text(p, params, "handler_type", &type, err, errlen)) {
        return false;
    }
    if (type.len && strcmp(type.p, "script") != 0 && strcmp(type.p, "http") != 0) {
        return watch__refuse(err, errlen, "Handler type '%.64s' not recognized", type.p);
    }
    if (!strcmp(type.p, "http")) {
        return read_http(p, watch__take(params, "http_handler_config"), err, errlen);
    }
    const json_t *handler = watch__take(params, "handler");
    return read_script(p, handler, watch__take(params, "args"), err, errlen);
}
