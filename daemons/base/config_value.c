/* From a tree of values, or a default's or flag's text, to the members of struct config, by the
 * table of keys. */
#include "config_internal.h"

#include "schema.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 256

/* ---- One value ---- */

static void *member(const struct config__loader *l, const struct config__key *key)
{
    return (char *)l->config + key->offset;
}

static void set_int(struct config__loader *l, const struct config__key *key, int64_t v)
{
    if (key->min < key->max && (v < key->min || v > key->max)) {
        if (key->max == INT64_MAX && key->min == 0) {
            config__note(l->config, &l->invalid,
                         "%s cannot be %" PRId64 ". Must be greater than or equal to zero",
                         key->path, v);
        } else {
            config__note(l->config, &l->invalid,
                         "%s cannot be %" PRId64 ". Must be between %" PRId64 " and %" PRId64,
                         key->path, v, key->min, key->max);
        }
        return;
    }
    *(int64_t *)member(l, key) = v;
}

static void set_port(struct config__loader *l, const struct config__key *key, int64_t v)
{
    if (v > UINT16_MAX) {
        config__note(l->config, &l->invalid, "%s: invalid port: %" PRId64, key->path, v);
        return;
    }
    *(int64_t *)member(l, key) = v <= 0 ? CONFIG_PORT_DISABLED : v;
}

static bool parse_duration(struct config__loader *l, const char *name, struct mu_str text,
                           int64_t *ns)
{
    if (mu__duration_parse(text.p, text.len, ns)) {
        return true;
    }
    bool bare = text.len && strspn(text.p, "+-.0123456789") == text.len;
    config__note(l->config, &l->invalid,
                 "%s: invalid duration: \"%.64s\": time: %s duration \"%.64s\"", name, text.p,
                 bare ? "missing unit in" : "invalid", text.p);
    return false;
}

static void set_duration(struct config__loader *l, const struct config__key *key, const char *text)
{
    int64_t ns;
    if (!parse_duration(l, key->path, mu__cstr(text), &ns)) {
        return;
    }
    if (ns < key->min) {
        char least[32];
        mu__duration_format(key->min, least);
        config__note(l->config, &l->invalid, "%s cannot be %.64s. Must be at least %s", key->path,
                     text, least);
        return;
    }
    *(uint64_t *)member(l, key) = (uint64_t)ns;
}

static void set_str(struct config__loader *l, const struct config__key *key, const char *text)
{
    *(struct mu_str *)member(l, key) = config__text(l->config, text, strlen(text));
}

/* ---- From text ---- */

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *out = !strcmp(text, yes[i]);
            return true;
        }
    }
    return false;
}

static bool parse_int(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    *out = v;
    return !errno && end != text && !*end && !isspace((unsigned char)*text);
}

static void add_pair(struct config__loader *l, const struct config__key *key, const char *text)
{
    const char *colon = strchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    const char *value = colon ? colon + 1 : "";
    config__map_set(l->config, member(l, key), config__text(l->config, text, len),
                    config__text(l->config, value, strlen(value)));
}

void config__set_text(struct config__loader *l, const struct config__key *key, const char *text)
{
    int64_t v = 0;
    bool b = false;
    switch (key->kind) {
    case CONFIG_BOOL:
        if (!parse_bool(text, &b)) {
            config__fail(l, "invalid boolean value \"%s\" for %s", text, key->path);
        }
        *(bool *)member(l, key) = b;
        break;
    case CONFIG_TRISTATE:
        *(int *)member(l, key) = parse_bool(text, &b) ? b : -1;
        break;
    case CONFIG_INT:
    case CONFIG_PORT:
        if (!parse_int(text, &v)) {
            config__fail(l, "invalid value \"%s\" for %s: not a number", text, key->path);
        } else if (key->kind == CONFIG_PORT) {
            set_port(l, key, v);
        } else {
            set_int(l, key, v);
        }
        break;
    case CONFIG_FLOAT:
        *(double *)member(l, key) = strtod(text, NULL);
        break;
    case CONFIG_DURATION:
        set_duration(l, key, text);
        break;
    case CONFIG_STR:
        set_str(l, key, text);
        break;
    case CONFIG_STRS:
        config__append(l->config, member(l, key), config__text(l->config, text, strlen(text)));
        break;
    case CONFIG_STRMAP:
        add_pair(l, key, text);
        break;
    case CONFIG_IGNORED:
        config__warn(l->config, "%s has no effect in muster", key->path);
        break;
    case CONFIG_REFUSED:
        config__fail(l, "%s is not supported by muster", key->path);
        break;
    case CONFIG_QUIET:
    case CONFIG_DEFINITION:
    case CONFIG_DEFINITIONS:
    case CONFIG_OBJECTS:
        break; /* not settable by text */
    }
}

/* ---- From a tree ---- */

static const char *go_type(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "map[string]interface {}";
    case JSON_ARRAY:
        return "[]interface {}";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "float64";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    default:
        return "nil";
    }
}

/* What Go calls the kind of it, where a map is needed. */
static const char *go_kind(const json_t *v)
{
    return json_is_object(v) ? "map" : json_is_array(v) ? "slice" : go_type(v);
}

static void mistyped(struct config__loader *l, const char *name, const char *expected,
                     const json_t *v)
{
    config__note(l->config, &l->mistyped, "'%s' expected type '%s', got unconvertible type '%s'",
                 name, expected, l->is_hcl && json_is_integer(v) ? "int" : go_type(v));
}

static void add_strs(struct config__loader *l, const struct config__key *key, json_t *v)
{
    char name[PATH_MAX_BYTES];
    size_t i;
    json_t *item;
    if (!json_is_array(v)) {
        config__note(l->config, &l->mistyped, "'%s': source data must be an array or slice, got %s",
                     key->path, go_type(v));
        return;
    }
    json_array_foreach(v, i, item)
    {
        if (!json_is_string(item)) {
            snprintf(name, sizeof name, "%s[%zu]", key->path, i);
            mistyped(l, name, "string", item);
            continue;
        }
        config__append(l->config, member(l, key),
                       config__text(l->config, json_string_value(item), json_string_length(item)));
    }
}

static void merge_map(struct config__loader *l, const struct config__key *key, json_t *v)
{
    char full[PATH_MAX_BYTES];
    const char *name;
    json_t *item;
    if (!json_is_object(v)) {
        config__note(l->config, &l->mistyped, "'%s' expected a map, got '%s'", key->path,
                     go_kind(v));
        return;
    }
    json_object_foreach(v, name, item)
    {
        if (!json_is_string(item)) {
            snprintf(full, sizeof full, "%s[%s]", key->path, name);
            mistyped(l, full, "string", item);
            continue;
        }
        config__map_set(l->config, member(l, key), config__text(l->config, name, strlen(name)),
                        config__text(l->config, json_string_value(item), json_string_length(item)));
    }
}

static void add_definition(struct config__loader *l, const struct config__key *key, json_t *v)
{
    struct config *c = l->config;
    struct config_definitions *d = key->kind == CONFIG_OBJECTS ? member(l, key) : &c->definitions;
    if (!json_is_object(v)) {
        config__note(c, &l->mistyped, "'%s' expected a map, got '%s'", key->path, go_kind(v));
        return;
    }
    char *text = json_dumps(v, JSON_COMPACT);
    if (!text) {
        abort();
    }
    d->items = config__grow(c, d->items, d->len, sizeof *d->items);
    d->items[d->len++] = (struct config_definition){
        .key = mu__cstr(key->path),
        .source = config__text(c, l->source ? l->source : "", l->source ? strlen(l->source) : 0),
        .json = config__text(c, text, strlen(text)),
        .is_check = key->path[0] == 'c',
    };
    free(text);
}

static void add_definitions(struct config__loader *l, const struct config__key *key, json_t *v)
{
    size_t i;
    json_t *item;
    if (!json_is_array(v)) {
        config__note(l->config, &l->mistyped, "'%s': source data must be an array or slice, got %s",
                     key->path, go_type(v));
        return;
    }
    json_array_foreach(v, i, item)
    {
        add_definition(l, key, item);
    }
}

/* Is the value what the key means when it is off, so that refusing it would only be pedantic? */
static bool is_off(const json_t *v)
{
    return json_is_false(v) ||
           (json_is_string(v) &&
            (!json_string_length(v) || !strcmp(json_string_value(v), "allow"))) ||
           (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v));
}

static void apply_number(struct config__loader *l, const struct config__key *key, const json_t *v)
{
    if (key->kind == CONFIG_FLOAT && json_is_number(v)) {
        *(double *)member(l, key) = json_number_value(v);
    } else if (!json_is_integer(v)) {
        mistyped(l, key->path, "int", v);
    } else if (key->kind == CONFIG_PORT) {
        set_port(l, key, json_integer_value(v));
    } else {
        set_int(l, key, json_integer_value(v));
    }
}

static void apply_text(struct config__loader *l, const struct config__key *key, const json_t *v)
{
    if (!json_is_string(v)) {
        mistyped(l, key->path, "string", v);
    } else if (key->kind == CONFIG_DURATION) {
        set_duration(l, key, json_string_value(v));
    } else {
        set_str(l, key, json_string_value(v));
    }
}

static void apply_bool(struct config__loader *l, const struct config__key *key, const json_t *v)
{
    if (!json_is_boolean(v)) {
        mistyped(l, key->path, "bool", v);
    } else if (key->kind == CONFIG_TRISTATE) {
        *(int *)member(l, key) = json_is_true(v);
    } else {
        *(bool *)member(l, key) = json_is_true(v);
    }
}

static void apply_key(struct config__loader *l, const struct config__key *key, json_t *v)
{
    switch (key->kind) {
    case CONFIG_BOOL:
    case CONFIG_TRISTATE:
        apply_bool(l, key, v);
        break;
    case CONFIG_INT:
    case CONFIG_PORT:
    case CONFIG_FLOAT:
        apply_number(l, key, v);
        break;
    case CONFIG_STR:
    case CONFIG_DURATION:
        apply_text(l, key, v);
        break;
    case CONFIG_STRS:
        add_strs(l, key, v);
        break;
    case CONFIG_STRMAP:
        merge_map(l, key, v);
        break;
    case CONFIG_DEFINITION:
        add_definition(l, key, v);
        break;
    case CONFIG_DEFINITIONS:
    case CONFIG_OBJECTS:
        add_definitions(l, key, v);
        break;
    case CONFIG_IGNORED:
        config__warn(l->config, "%s: %s has no effect in muster", l->source, key->path);
        break;
    case CONFIG_REFUSED:
        if (!is_off(v)) {
            config__note(l->config, &l->invalid, "%s is not supported by muster", key->path);
        }
        break;
    case CONFIG_QUIET:
        break;
    }
}

/* Two names for every key: as the user wrote it, for messages, and in lower case, for the table. */
struct path {
    char given[PATH_MAX_BYTES], lower[PATH_MAX_BYTES];
};

static bool path_push(struct path *p, const struct path *parent, const char *name)
{
    const char *dot = parent->given[0] ? "." : "";
    int n = snprintf(p->given, sizeof p->given, "%s%s%s", parent->given, dot, name);
    for (size_t i = 0; i < sizeof p->lower; i++) {
        p->lower[i] = (char)tolower((unsigned char)p->given[i]);
    }
    return n >= 0 && (size_t)n < sizeof p->given;
}

static void apply_section(struct config__loader *l, const struct path *parent, json_t *object);

static void apply_named(struct config__loader *l, const struct path *parent, const char *name,
                        json_t *v)
{
    struct path p = {"", ""};
    bool fits = path_push(&p, parent, name);
    const struct config__key *key = fits ? config__find(p.lower) : NULL;
    if (key) {
        if (!json_is_null(v)) {
            apply_key(l, key, v);
        }
        return;
    }
    if (!fits || !config__is_section(p.lower)) {
        config__note(l->config, &l->unknown, "invalid config key %s", p.given);
        return;
    }
    if (json_is_array(v) && json_array_size(v) == 1) {
        v = json_array_get(v, 0); /* {"ports": [{...}]}: what HCL makes of a block */
    }
    if (json_is_object(v)) {
        apply_section(l, &p, v);
    } else if (!json_is_null(v)) {
        config__note(l->config, &l->mistyped, "'%s' expected a map, got '%s'", p.given, go_kind(v));
    }
}

/* As deep as the table: a path that is neither key nor section ends the walk. */
static void apply_section(struct config__loader *l, const struct path *parent, json_t *object)
{
    const char *name;
    json_t *v;
    json_object_foreach(object, name, v)
    {
        apply_named(l, parent, name, v);
    }
}

void config__apply(struct config__loader *l, json_t *root)
{
    const struct path top = {"", ""};
    apply_section(l, &top, root);
}
