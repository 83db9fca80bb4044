/* YAML into the tree that JSON makes, so that everything after it is the same for both. */
#include "config_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 64

struct builder {
    yaml_parser_t parser;
    /* Borrowed: the containers around what comes next, each owned by the one before */
    json_t *open[DEPTH_MAX];
    char *keys[DEPTH_MAX]; /* in an object: the key whose value comes next */
    size_t depth;
    json_t *root;
    char *err;
    size_t errlen;
    bool failed, ended;
};

static void fail(struct builder *b, const char *what, const yaml_mark_t *at)
{
    if (!b->failed) {
        snprintf(b->err, b->errlen, "yaml: line %zu: %s", at->line + 1, what);
        b->failed = true;
    }
}

/* YAML 1.2's core schema, for scalars without quotes. */
static json_t *plain(const char *s, size_t len)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    char *end;
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
        if (!strcmp(s, nulls[i])) {
            return json_null();
        }
    }
    for (size_t i = 0; i < sizeof bools / sizeof *bools; i++) {
        if (!strcmp(s, bools[i])) {
            return json_boolean(i < 3);
        }
    }
    if (strspn(s, "+-0123456789") == len) {
        errno = 0;
        long long v = strtoll(s, &end, 10);
        if (!errno && end == s + len) {
            return json_integer(v);
        }
    }
    if (strspn(s, "+-.eE0123456789") == len && strpbrk(s, "0123456789")) {
        double v = strtod(s, &end);
        if (end == s + len) {
            return json_real(v);
        }
    }
    return json_stringn(s, len);
}

/* Puts a value where it belongs; the tree owns it from here on. */
static void place(struct builder *b, json_t *v, const yaml_mark_t *at)
{
    if (!v) {
        fail(b, "invalid text", at);
        return;
    }
    if (!b->depth) {
        json_decref(b->root);
        b->root = v;
        return;
    }
    json_t *parent = b->open[b->depth - 1];
    int failed;
    if (json_is_array(parent)) {
        failed = json_array_append_new(parent, v);
    } else {
        failed = json_object_set_new(parent, b->keys[b->depth - 1], v);
        free(b->keys[b->depth - 1]);
        b->keys[b->depth - 1] = NULL;
    }
    if (failed) {
        fail(b, "invalid text", at);
    }
}

static bool wants_key(const struct builder *b)
{
    return b->depth && json_is_object(b->open[b->depth - 1]) && !b->keys[b->depth - 1];
}

static void on_scalar(struct builder *b, const yaml_event_t *e)
{
    const char *s = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    if (e->data.scalar.anchor) {
        fail(b, "anchors are not supported", &e->start_mark);
    } else if (strlen(s) != len) {
        fail(b, "a zero byte in text", &e->start_mark);
    } else if (wants_key(b)) {
        b->keys[b->depth - 1] = strdup(s);
        if (!b->keys[b->depth - 1]) {
            abort();
        }
    } else {
        place(b, e->data.scalar.plain_implicit ? plain(s, len) : json_stringn(s, len),
              &e->start_mark);
    }
}

static void on_open(struct builder *b, json_t *container, const yaml_char_t *anchor,
                    const yaml_mark_t *at)
{
    if (anchor) {
        fail(b, "anchors are not supported", at);
    } else if (b->depth == DEPTH_MAX) {
        fail(b, "nested too deeply", at);
    } else if (wants_key(b)) {
        fail(b, "a key must be text", at);
    }
    if (b->failed) {
        json_decref(container);
        return;
    }
    place(b, container, at);
    b->open[b->depth++] = container;
}

static void on_event(struct builder *b, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        on_scalar(b, e);
        break;
    case YAML_MAPPING_START_EVENT:
        on_open(b, json_object(), e->data.mapping_start.anchor, &e->start_mark);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_open(b, json_array(), e->data.sequence_start.anchor, &e->start_mark);
        break;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        break;
    case YAML_ALIAS_EVENT:
        fail(b, "anchors are not supported", &e->start_mark);
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (b->root) {
            fail(b, "more than one document", &e->start_mark);
        }
        break;
    case YAML_STREAM_END_EVENT:
        b->ended = true;
        break;
    default:
        break;
    }
}

static void build(struct builder *b)
{
    yaml_event_t e;
    while (!b->ended && !b->failed) {
        if (!yaml_parser_parse(&b->parser, &e)) {
            fail(b, b->parser.problem ? b->parser.problem : "malformed", &b->parser.problem_mark);
            return;
        }
        on_event(b, &e);
        yaml_event_delete(&e);
    }
}

json_t *config__yaml(const char *text, size_t len, char *err, size_t errlen)
{
    struct builder b = {.errlen = errlen};
    b.err = err;
    if (!yaml_parser_initialize(&b.parser)) {
        abort();
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
    build(&b);
    yaml_parser_delete(&b.parser);
    for (size_t i = 0; i < DEPTH_MAX; i++) {
        free(b.keys[i]);
    }
    if (b.failed) {
        json_decref(b.root);
        return NULL;
    }
    return b.root ? b.root : json_object(); /* an empty file says nothing */
}
