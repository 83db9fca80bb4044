#include "hcl_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct level {
    json_t *container; /* borrowed: the tree owns it */
    bool is_list;
    bool opaque; /* of other people's keys */
    bool filled; /* a list: an element stands before what comes */
};

struct parser {
    struct hcl h;
    struct level levels[HCL_DEPTH_MAX];
    size_t depth;
};

static struct level *top(struct parser *p)
{
    return &p->levels[p->depth - 1];
}

static bool is_one_of(const char *key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcasecmp(key, names[i])) {
            return true;
        }
    }
    return false;
}

/* Keys of Consul's files that hold lists of maps, so that one block is a list, too. */
static bool is_list_of_maps(const char *key)
{
    static const char *const names[] = {"services",  "checks", "watches", "upstreams", "paths",
                                        "bootstrap", "routes", "splits",  "listeners"};
    return is_one_of(key, names, sizeof names / sizeof *names);
}

static bool is_opaque(const char *key)
{
    static const char *const names[] = {"config", "ca_config", "meta", "node_meta"};
    return is_one_of(key, names, sizeof names / sizeof *names);
}

/* A map under a key that is there already: both become elements of a list. */
static int add_map(json_t *parent, const char *key, json_t *map, bool as_list)
{
    json_t *old = json_object_get(parent, key);
    if (json_is_array(old)) {
        return json_array_append_new(old, map);
    }
    if (!json_is_object(old) && !as_list) {
        return json_object_set_new(parent, key, map);
    }
    json_t *list = json_array();
    if (json_is_object(old)) {
        json_array_append(list, old);
    }
    return json_array_append_new(list, map) || json_object_set_new(parent, key, list);
}

/* Puts a value into the innermost container, under a key unless that is a list. */
static bool place(struct parser *p, const char *key, json_t *v)
{
    struct level *l = top(p);
    int failed;
    if (!v) {
        return false; /* has been said */
    }
    if (l->is_list) {
        failed = json_array_append_new(l->container, v);
        l->filled = true;
    } else if (json_is_object(v)) {
        failed = add_map(l->container, key, v, !l->opaque && is_list_of_maps(key));
    } else {
        failed = json_object_set_new(l->container, key, v);
    }
    return !failed || hcl__fail(&p->h, p->h.at, "text in UTF-8");
}

static bool open_container(struct parser *p, const char *key, json_t *container)
{
    bool opaque = top(p)->opaque || (key && is_opaque(key));
    if (p->depth == HCL_DEPTH_MAX) {
        json_decref(container);
        return hcl__fail(&p->h, p->h.at, "no more than 64 levels of nesting");
    }
    if (!place(p, key, container)) {
        return false;
    }
    p->levels[p->depth++] = (struct level){
        .container = container, .is_list = json_is_array(container), .opaque = opaque};
    return true;
}

/* A value; maps and lists are opened, and their insides are read by the loop. */
static bool value(struct parser *p, const char *key)
{
    struct hcl *h = &p->h;
    if (!hcl__skip(h)) {
        return false;
    }
    if (h->at < h->end && (*h->at == '{' || *h->at == '[')) {
        json_t *container = *h->at++ == '{' ? json_object() : json_array();
        return open_container(p, key, container);
    }
    return place(p, key, hcl__scalar(h));
}

/* Behind the first key: `= value`, or labels and a block. Each label but the last is a map around
 * the next, which its own brace closes: so they are closed together. */
static bool rest_of_item(struct parser *p, char *key)
{
    struct hcl *h = &p->h;
    json_t *outer = NULL, *inner = NULL;
    char *first = NULL;
    bool ok = hcl__skip(h);
    if (ok && h->at < h->end && *h->at == '=') {
        h->at++;
        ok = value(p, key);
        free(key);
        return ok;
    }
    first = key;
    for (size_t labels = 0; ok && hcl__is_key(h); labels++) {
        char *label = hcl__key(h);
        ok = label && hcl__skip(h) && (labels < 8 || hcl__fail(h, h->at, "no more than 8 labels"));
        json_t *next = ok ? json_object() : NULL;
        if (ok && !outer) {
            outer = json_object();
            inner = outer;
        }
        if (ok && json_object_set_new(inner, label, next)) {
            ok = hcl__fail(h, h->at, "text in UTF-8");
        }
        inner = next;
        free(label);
    }
    ok = ok && ((h->at < h->end && *h->at == '{') || hcl__fail(h, h->at, "= or { behind a key"));
    if (!ok) {
        json_decref(outer);
    } else {
        h->at++;
        ok = open_container(p, first, outer ? outer : json_object());
    }
    if (ok && inner) {
        top(p)->container = inner;
    }
    free(first);
    return ok;
}

static bool item_of_map(struct parser *p)
{
    struct hcl *h = &p->h;
    if (h->at == h->end) {
        return p->depth > 1 ? hcl__fail(h, h->at, "} before the end") : (p->depth--, true);
    }
    if (*h->at == ',') {
        h->at++;
        return true;
    }
    if (*h->at == '}' && p->depth > 1) {
        h->at++;
        p->depth--;
        return true;
    }
    char *key = hcl__key(h);
    return key && rest_of_item(p, key);
}

static bool item_of_list(struct parser *p)
{
    struct hcl *h = &p->h;
    if (h->at == h->end) {
        return hcl__fail(h, h->at, "] before the end");
    }
    if (*h->at == ']') {
        h->at++;
        p->depth--;
        return true;
    }
    if (!top(p)->filled) {
        return value(p, NULL);
    }
    if (*h->at != ',') {
        return hcl__fail(h, h->at, ", or ] behind an element of a list");
    }
    h->at++;
    top(p)->filled = false;
    return true;
}

static json_t *parse_json(const char *text, size_t len, char *err, size_t errlen)
{
    json_error_t e;
    json_t *root = json_loadb(text, len, 0, &e);
    if (!root) {
        snprintf(err, errlen, "line %d, column %d: %s", e.line, e.column, e.text);
    }
    return root;
}

json_t *hcl_parse(const char *text, size_t len, char *err, size_t errlen)
{
    struct parser p = {.h = {.text = text, .end = text + len, .at = text, .errlen = errlen}};
    p.h.err = err;
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\n", text[blank]) && text[blank]) {
        blank++;
    }
    if (blank < len && text[blank] == '{') {
        return parse_json(text, len, err, errlen);
    }
    json_t *root = json_object();
    p.levels[p.depth++] = (struct level){.container = root};
    while (p.depth && hcl__skip(&p.h) && (top(&p)->is_list ? item_of_list(&p) : item_of_map(&p))) {
    }
    if (p.h.failed) {
        json_decref(root);
        return NULL;
    }
    return root;
}
