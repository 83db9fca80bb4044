/* json_error.c - what is wrong with a value, in the words of Go's encoding/json and time. */
#include "json_internal.h"

#include "msgpack.h"
#include <stdio.h>
#include <string.h>

bool json__fail(struct json_decoder *d, const char *text)
{
    snprintf(d->err, d->errlen, "%s", text);
    return false;
}

bool json__out_of_memory(struct json_decoder *d)
{
    return json__fail(d, "request body too large");
}
/* Records whose Go types decode themselves: inside them the decoder has lost its path. */
bool json__decodes_itself(const struct mu__schema *s)
{
    static const char *const names[] = {"ServiceDefinition",
                                        "CheckType",
                                        "CheckDefinition",
                                        "HealthCheckDefinition",
                                        "ConnectProxyConfig",
                                        "ServiceConnect",
                                        "Upstream",
                                        "ExposeConfig",
                                        "api.HealthCheckDefinition",
                                        "Session",
                                        "DeregisterRequest",
                                        "Intention",
                                        "CAConfiguration"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(s->name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool json__takes_anything(const struct mu__schema *s)
{
    return strcmp(json__type_name(s), "HealthCheckDefinition") == 0 ||
           strcmp(s->name, "ServiceConnect") == 0 || strcmp(s->name, "Session") == 0 ||
           strcmp(s->name, "ServiceCheck") == 0;
}

bool json__was_text_once(const struct mu__schema *s, struct mu_str key)
{
    return strcmp(s->name, "DeregisterRequest") == 0 && mu__str_ieq(key, mu__cstr("Address"));
}

const char *json__text_type(const struct mu__schema *s, const struct mu__field *f)
{
    bool node = strcmp(s->name, "RegisterRequest") == 0 || strcmp(s->name, "Node") == 0;
    bool service = strcmp(s->name, "NodeService") == 0 || strcmp(s->name, "ServiceDefinition") == 0;
    bool intention = strcmp(s->name, "Intention") == 0;
    return strcmp(f->name, "CheckID") == 0                   ? "types.CheckID"
           : intention && strcmp(f->name, "Action") == 0     ? "structs.IntentionAction"
           : intention && strcmp(f->name, "SourceType") == 0 ? "structs.IntentionSourceType"
           : service && strcmp(f->name, "Kind") == 0         ? "structs.ServiceKind"
           : node && strcmp(f->name, "ID") == 0              ? "types.NodeID"
                                                             : "string";
}

const char *json__type_name(const struct mu__schema *s)
{
    const char *dot = strchr(s->name, '.');
    return dot ? dot + 1 : s->name;
}

static void append(struct json_decoder *d, size_t *at, struct mu_str s)
{
    size_t left = *at < d->errlen ? d->errlen - *at : 0;
    if (left > 0) {
        int n = snprintf(d->err + *at, left, "%.*s", (int)mu__min(s.len, 256), s.p ? s.p : "");
        *at += n > 0 ? (size_t)n : 0;
    }
}

/* "json: cannot unmarshal string into Go struct field .Port of type int" */
bool json__mismatch(struct json_decoder *d, const char *go_type)
{
    char c = json__next(d);
    struct mu_str scalar = {NULL, 0};
    const char *kind = c == '"'               ? "string"
                       : c == '{'             ? "object"
                       : c == '['             ? "array"
                       : c == 't' || c == 'f' ? "bool"
                                              : "number";
    bool integer = strncmp(go_type, "int", 3) == 0 || strncmp(go_type, "uint", 4) == 0 ||
                   strcmp(go_type, "float64") == 0;
    size_t at = 0;
    append(d, &at, mu__cstr("json: cannot unmarshal "));
    append(d, &at, mu__cstr(kind));
    if (integer && *kind == 'n') { /* a number that does not fit is shown */
        scalar = json__raw_scalar(d);
        append(d, &at, mu__cstr(" "));
        append(d, &at, scalar);
    }
    append(d, &at, mu__cstr(d->npath ? " into Go struct field " : " into Go value of type "));
    if (d->npath) {
        append(d, &at, mu__cstr(d->type));
        for (size_t i = 0; i < d->npath && i < JSON_PATH_MAX; i++) {
            append(d, &at, mu__cstr("."));
            append(d, &at, d->path[i]);
        }
        append(d, &at, mu__cstr(" of type "));
    }
    append(d, &at, mu__cstr(go_type));
    return false;
}

bool json__mismatch_sub(struct json_decoder *d, const char *before, const struct mu__schema *s,
                        const char *after)
{
    char type[128];
    const char *package = strchr(s->name, '.') ? "" : "structs.";
    if (strcmp(s->name, "Session") == 0) { /* it decodes itself by way of a type without a name */
        return json__mismatch(d, "struct { LockDelay interface {}; *structs.Alias }");
    }
    if (strcmp(s->name, "Intention") == 0) { /* likewise */
        return json__mismatch(d, "struct { CreatedAt string; UpdatedAt string; *structs.Alias }");
    }
    if (strcmp(s->name, "CAConfiguration") == 0) {
        return json__mismatch(d, "struct { ForceWithoutCrossSigningSnake bool "
                                 "\"json:\\\"force_without_cross_signing\\\"\"; *structs.Alias }");
    }
    snprintf(type, sizeof type, "%s%s%s%s", before, package, s->name, after);
    return json__mismatch(d, type);
}

/* As strconv.Quote does it for what valid JSON may hold outside of its texts' escapes. */
static void append_quoted(struct json_decoder *d, size_t *at, struct mu_str s)
{
    append(d, at, mu__cstr("\""));
    for (size_t i = 0; i < s.len && *at < d->errlen; i++) {
        const char *escape = s.p[i] == '"'    ? "\\\""
                             : s.p[i] == '\\' ? "\\\\"
                             : s.p[i] == '\n' ? "\\n"
                             : s.p[i] == '\r' ? "\\r"
                             : s.p[i] == '\t' ? "\\t"
                                              : NULL;
        append(d, at, escape ? mu__cstr(escape) : (struct mu_str){s.p + i, 1});
    }
    append(d, at, mu__cstr("\""));
}

/* "strconv.ParseFloat: parsing "true": invalid syntax" */
bool json__not_a_number(struct json_decoder *d, struct mu_str raw, const char *reason)
{
    size_t at = 0;
    append(d, &at, mu__cstr("strconv.ParseFloat: parsing "));
    append_quoted(d, &at, raw);
    append(d, &at, mu__cstr(": "));
    append(d, &at, mu__cstr(reason));
    return false;
}

bool json__unknown_field(struct json_decoder *d, const struct mu__schema *s, struct mu_str key)
{
    bool checked = d->type[0] != '\0' || strcmp(s->name, "DeregisterRequest") == 0;
    size_t at = 0;
    append(d, &at, mu__cstr("json: unknown field \""));
    append(d, &at, key);
    append(d, &at, mu__cstr("\""));
    if (checked && mu__str_is(key, "Namespace")) {
        append(d, &at, mu__cstr(" - Namespaces are a Consul Enterprise feature"));
    }
    return false;
}

void json_duration_error(struct mu_str text, char *err, size_t errlen)
{
    mu__duration_error(text, err, errlen);
}
