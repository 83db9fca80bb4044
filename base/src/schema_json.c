/* schema_json.c - records as JSON: field order, omission and null as the tables say. */
#include "schema.h"

#include <string.h>

void mu__json_strs(struct mu__json *j, struct mu_strs v)
{
    if (!v.items) {
        mu__json_null(j);
        return;
    }
    mu__json_list(j);
    for (size_t i = 0; i < v.len; i++) {
        mu__json_item(j);
        mu__json_str(j, v.items[i]);
    }
    mu__json_list_end(j);
}

static void put_floats(struct mu__json *j, struct mu_floats v)
{
    if (!v.items) {
        mu__json_null(j);
        return;
    }
    mu__json_list(j);
    for (size_t i = 0; i < v.len; i++) {
        mu__json_item(j);
        mu__json_float(j, v.items[i]);
    }
    mu__json_list_end(j);
}

static void put_uints(struct mu__json *j, struct mu_uints v)
{
    mu__json_list(j);
    for (size_t i = 0; i < v.len; i++) {
        mu__json_item(j);
        mu__json_uint(j, v.items[i]);
    }
    mu__json_list_end(j);
}

void mu__json_strmap(struct mu__json *j, struct mu_strmap v)
{
    if (!v.items) {
        mu__json_null(j);
        return;
    }
    mu__json_object(j);
    for (size_t i = 0; i < v.len; i++) {
        mu__json_key(j, v.items[i].key);
        mu__json_str(j, v.items[i].value);
    }
    mu__json_object_end(j);
}

/* Below, items is not NULL. */
static void put_strsmap(struct mu__json *j, struct mu_strsmap v)
{
    mu__json_object(j);
    for (size_t i = 0; i < v.len; i++) {
        mu__json_key(j, v.items[i].key);
        mu__json_strs(j, v.items[i].value);
    }
    mu__json_object_end(j);
}

static void put_list(struct mu__json *j, const struct mu__schema *s, struct mu_list v)
{
    mu__json_list(j);
    for (size_t i = 0; i < v.len; i++) {
        mu__json_item(j);
        mu__json_value(j, s, v.items[i]);
    }
    mu__json_list_end(j);
}

static void put_structmap(struct mu__json *j, const struct mu__schema *s, struct mu_structmap v)
{
    mu__json_object(j);
    for (size_t i = 0; i < v.len; i++) {
        mu__json_key(j, v.items[i].key);
        mu__json_value(j, s, v.items[i].value);
    }
    mu__json_object_end(j);
}

static void put_duration(struct mu__json *j, const struct mu__field *f, int64_t ns)
{
    if (!(f->flags & MU_F_DURATION_STRING)) {
        mu__json_int(j, ns);
        return;
    }
    char text[32];
    size_t len = mu__duration_format(ns, text);
    mu__json_str(j, (struct mu_str){text, len});
}

static void put_any(struct mu__json *j, struct mu_str value)
{
    if (value.len) {
        mu__json_any(j, value);
    } else {
        mu__json_null(j);
    }
}

/* A list or map; nil prints as null unless the table says otherwise. */
static void put_container(struct mu__json *j, const struct mu__field *f, const void *m)
{
    const void *items; /* all containers begin with it */
    memcpy(&items, m, sizeof items);
    bool is_list =
        f->kind == MU_STRS || f->kind == MU_LIST || f->kind == MU_FLOATS || f->kind == MU_UINTS;
    if (!items) {
        mu__write_cstr(j->w, !(f->flags & MU_F_EMPTY_NOT_NULL) ? "null" : is_list ? "[]" : "{}");
        return;
    }
    switch (f->kind) {
    case MU_STRS:
        mu__json_strs(j, *(const struct mu_strs *)m);
        break;
    case MU_FLOATS:
        put_floats(j, *(const struct mu_floats *)m);
        break;
    case MU_UINTS:
        put_uints(j, *(const struct mu_uints *)m);
        break;
    case MU_STRMAP:
        mu__json_strmap(j, *(const struct mu_strmap *)m);
        break;
    case MU_STRSMAP:
        put_strsmap(j, *(const struct mu_strsmap *)m);
        break;
    case MU_LIST:
        put_list(j, f->sub, *(const struct mu_list *)m);
        break;
    default:
        put_structmap(j, f->sub, *(const struct mu_structmap *)m);
        break;
    }
}

void mu__json_field(struct mu__json *j, const struct mu__field *f, const void *m)
{
    switch (f->kind) {
    case MU_BOOL:
        mu__json_bool(j, *(const bool *)m);
        break;
    case MU_INT:
        mu__json_int(j, *(const int64_t *)m);
        break;
    case MU_UINT:
        mu__json_uint(j, *(const uint64_t *)m);
        break;
    case MU_FLOAT:
        mu__json_float(j, *(const double *)m);
        break;
    case MU_DURATION:
        put_duration(j, f, *(const int64_t *)m);
        break;
    case MU_TIME:
        mu__json_time(j, *(const struct mu_time *)m);
        break;
    case MU_STR:
        mu__json_str(j, *(const struct mu_str *)m);
        break;
    case MU_BYTES: {
        const struct mu_str *s = m;
        if (s->len) {
            mu__json_base64(j, s->p, s->len);
        } else {
            mu__json_null(j);
        }
        break;
    }
    case MU_STRUCT:
        mu__json_value(j, f->sub, m);
        break;
    case MU_PTR:
        mu__json_value(j, f->sub, *(void *const *)m);
        break;
    case MU_ANY:
        put_any(j, *(const struct mu_str *)m);
        break;
    default:
        put_container(j, f, m);
        break;
    }
}

void mu__json_value(struct mu__json *j, const struct mu__schema *s, const void *obj)
{
    if (!obj) {
        mu__json_null(j);
        return;
    }
    mu__json_object(j);
    for (size_t i = 0; i < s->nfields; i++) {
        const struct mu__field *f = &s->fields[i];
        const void *m = (const char *)obj + f->offset;
        if (f->flags & MU_F_NO_JSON || (f->flags & MU_F_OMIT_EMPTY && mu__field_is_empty(f, m))) {
            continue;
        }
        mu__json_ckey(j, f->json ? f->json : f->name);
        mu__json_field(j, f, m);
    }
    mu__json_object_end(j);
}
