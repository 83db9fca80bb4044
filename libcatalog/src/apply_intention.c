/* apply_intention.c - intentions are made, changed and deleted, and what they may say. */
#include <string.h>

#include "apply.h"
#include "blake2b.h"
#include "key.h"
#include "msgpack.h"
#include "tables_intention.h"

#define NAMESPACE    "default"
#define SOURCE_TYPE  "consul"
#define VALUE_MAX    512u /* bytes of the description, or of a value of meta */
#define META_KEY_MAX 128u
#define META_MAX     64u

/* ---- What can be said about one alone ---- */

/* Reasons, one below the other. */
struct reasons {
    struct catalog__text text;
    unsigned n;
};

static void begin_reason(struct reasons *all)
{
    catalog__say(&all->text, "\t* ");
    all->n++;
}

static void give(struct reasons *all, const char *a, const char *b)
{
    begin_reason(all);
    catalog__say(&all->text, a);
    catalog__say(&all->text, b);
    catalog__say(&all->text, "\n");
}

static bool has_star(struct mu_str s)
{
    return s.len > 0 && memchr(s.p, '*', s.len);
}

static void check_wildcards(struct reasons *all, struct mu_str ns, struct mu_str name,
                            const char *ns_is, const char *name_is)
{
    if (has_star(ns) && !mu__str_is(ns, "*")) {
        give(all, ns_is, ": wildcard character '*' cannot be used with partial values");
    }
    if (mu__str_is(name, "*")) {
        return;
    }
    if (has_star(name)) {
        give(all, name_is, ": wildcard character '*' cannot be used with partial values");
    }
    if (mu__str_is(ns, "*")) {
        give(all, name_is, ": exact value cannot follow wildcard namespace");
    }
}

static void check_names(struct reasons *all, const struct catalog_intention *x)
{
    if (x->source_name.len == 0) {
        give(all, "SourceName", " must be set");
    }
    if (x->destination_name.len == 0) {
        give(all, "DestinationName", " must be set");
    }
    check_wildcards(all, x->source_ns, x->source_name, "SourceNS", "SourceName");
    check_wildcards(all, x->destination_ns, x->destination_name, "DestinationNS",
                    "DestinationName");
    if (all->n == 0 && !catalog__intention_has_names(x)) {
        give(all, "Names", " must not contain a zero byte or be longer than 512 bytes");
    }
}

static void give_pair(struct reasons *all, const char *what, struct mu_str key, const char *limit)
{
    begin_reason(all);
    catalog__say(&all->text, what);
    catalog__say_quoted(&all->text, key);
    catalog__say(&all->text, limit);
    catalog__say(&all->text, "\n");
}

static void check_meta(struct reasons *all, const struct mu_strmap *meta)
{
    if (meta->len > META_MAX) {
        give(all, "Meta exceeds maximum element count 64", "");
        return;
    }
    for (size_t i = 0; i < meta->len; i++) {
        struct mu_str key = meta->items[i].key;
        if (key.len > META_KEY_MAX) {
            give_pair(all, "Meta key ", key, " exceeds maximum length 128");
        }
        if (meta->items[i].value.len > VALUE_MAX) {
            give_pair(all, "Meta value for key ", key, " exceeds maximum length 512");
        }
    }
}

static void check(struct reasons *all, const struct catalog_intention *x)
{
    check_names(all, x);
    if (x->description.len > VALUE_MAX) {
        give(all, "Description exceeds maximum length 512", "");
    }
    check_meta(all, &x->meta);
    if (!mu__str_is(x->action, "allow") && !mu__str_is(x->action, "deny")) {
        give(all, "Action must be set to 'allow' or 'deny'", "");
    }
    if (!mu__str_is(x->source_type, SOURCE_TYPE)) {
        give(all, "SourceType must be set to 'consul'", "");
    }
}

static struct mu_str or_default(struct mu_str s, const char *otherwise)
{
    return s.len ? s : mu__cstr(otherwise);
}

/* As the original hashes: of numbers there is nothing in it. */
static void hash(const struct catalog_intention *x, uint8_t out[CATALOG_INTENTION_HASH])
{
    const struct mu_str parts[] = {x->id,          x->description,    x->source_ns,
                                   x->source_name, x->destination_ns, x->destination_name,
                                   x->source_type, x->action,         x->default_addr};
    struct mu__blake2b b;
    mu__blake2b_init(&b, CATALOG_INTENTION_HASH);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        mu__blake2b_add(&b, parts[i].p, parts[i].len);
    }
    for (size_t i = 0; i < x->meta.len; i++) { /* sorted by key */
        mu__blake2b_add(&b, x->meta.items[i].key.p, x->meta.items[i].key.len);
        mu__blake2b_add(&b, x->meta.items[i].value.p, x->meta.items[i].value.len);
    }
    mu__blake2b_end(&b, out);
}

static const char *list_reasons(const struct reasons *all, char *text, size_t size)
{
    struct catalog__text t = catalog__text(text, size);
    catalog__say_uint(&t, all->n);
    catalog__say(&t, all->n == 1 ? " error occurred:\n" : " errors occurred:\n");
    catalog__say(&t, all->text.p);
    catalog__say(&t, "\n");
    return text;
}

const char *catalog_intention_prepare(struct catalog_intention *x,
                                      uint8_t digest[CATALOG_INTENTION_HASH], char *text,
                                      size_t size)
{
    static struct mu_pair none[1];
    char buf[CATALOG__TEXT_MAX];
    struct reasons all = {.text = catalog__text(buf, sizeof buf)};
    x->source_ns = or_default(x->source_ns, NAMESPACE);
    x->destination_ns = or_default(x->destination_ns, NAMESPACE);
    x->source_type = or_default(x->source_type, SOURCE_TYPE);
    if (!x->meta.items) {
        x->meta.items = none; /* empty, never nil */
    }
    check(&all, x);
    if (all.n) {
        return list_reasons(&all, text, size);
    }
    hash(x, digest);
    x->hash = (struct mu_str){(const char *)digest, CATALOG_INTENTION_HASH};
    x->precedence = catalog__intention_precedence(x);
    return NULL;
}

/* ---- The entry ---- */

static bool by_pair(const struct catalog_intention_request *r)
{
    const struct catalog_intention *x = r->intention;
    bool is_named = x->source_name.len > 0 && x->destination_name.len > 0;
    return mu__str_is(r->op, "upsert") || (mu__str_is(r->op, "delete") && !x->id.len && is_named);
}

static const struct catalog_intention *find_pair(struct catalog *c,
                                                 const struct catalog_intention *x)
{
    return catalog__get_intention_for(c->draft, x->source_ns, x->source_name, x->destination_ns,
                                      x->destination_name);
}

static bool find(struct catalog *c, struct mu_str id, const char *to_do, struct catalog__text *why)
{
    char text[CATALOG_SESSION_ID_TEXT_MAX];
    const char *bad = catalog_session_id_check(id, text, sizeof text);
    if (bad) {
        catalog__say(why, "Intention lookup failed: failed intention lookup: ");
        catalog__say(why, bad + sizeof "failed session lookup: " - 1);
        return false;
    }
    if (!catalog__get_intention(c->draft, id)) {
        catalog__say(why, "Cannot ");
        catalog__say(why, to_do);
        catalog__say(why, " non-existent intention: '");
        catalog__say_str(why, id);
        catalog__say(why, "'");
        return false;
    }
    return true;
}

/* "ALLOW default/web => default/db (ID: ..., Precedence: 9)" */
static void say_intention(struct catalog__text *t, const struct catalog_intention *x)
{
    catalog__say(t, mu__str_is(x->action, "allow") ? "ALLOW " : "DENY ");
    catalog__say_str(t, x->source_ns);
    catalog__say(t, "/");
    catalog__say_str(t, x->source_name);
    catalog__say(t, " => ");
    catalog__say_str(t, x->destination_ns);
    catalog__say(t, "/");
    catalog__say_str(t, x->destination_name);
    catalog__say(t, " (ID: ");
    catalog__say_str(t, x->id);
    catalog__say(t, ", Precedence: ");
    catalog__say_uint(t, (uint64_t)x->precedence);
    catalog__say(t, ")");
}

/* Only what has an id: one that is new, or the other spelling of one that is there. */
static bool set(struct catalog *c, struct catalog_intention *x, struct catalog__text *why)
{
    uint8_t digest[CATALOG_INTENTION_HASH];
    char text[CATALOG__TEXT_MAX];
    const char *bad = catalog_intention_prepare(x, digest, text, sizeof text);
    if (bad) {
        catalog__say(why, bad);
        return false;
    }
    const struct catalog_intention *before = catalog__get_intention(c->draft, x->id);
    const struct catalog_intention *same = find_pair(c, x);
    if (same && same != before) {
        catalog__say(why, "duplicate intention found: ");
        say_intention(why, same);
        return false;
    }
    x->create_index = before ? before->create_index : c->index;
    x->created_at = before ? before->created_at : x->created_at;
    x->modify_index = c->index;
    catalog__put_intention(c, x);
    return true;
}

static bool create(struct catalog *c, struct catalog_intention *x, struct catalog__text *why)
{
    if (!catalog__is_session_id(x->id) || catalog__get_intention(c->draft, x->id)) {
        catalog__say(why, "Missing Intention ID"); /* which the leader gives */
        return false;
    }
    return set(c, x, why);
}

static bool apply_pair(struct catalog *c, const struct catalog_intention_request *r,
                       struct catalog__text *why)
{
    struct catalog_intention *x = r->intention;
    x->source_ns = or_default(x->source_ns, NAMESPACE);
    x->destination_ns = or_default(x->destination_ns, NAMESPACE);
    const struct catalog_intention *before = find_pair(c, x);
    if (mu__str_is(r->op, "delete")) {
        if (before) {
            catalog__remove_intention(c, before->id);
        }
        return true;
    }
    if (!before) {
        return create(c, x, why);
    }
    x->id = before->id;
    return set(c, x, why);
}

static bool apply(struct catalog *c, const struct catalog_intention_request *r,
                  struct catalog__text *why)
{
    struct catalog_intention *x = r->intention;
    if (by_pair(r)) {
        return apply_pair(c, r, why);
    }
    if (mu__str_is(r->op, "create")) {
        return create(c, x, why);
    }
    if (mu__str_is(r->op, "update")) {
        return find(c, x->id, "modify", why) && set(c, x, why);
    }
    if (!find(c, x->id, "delete", why)) {
        return false;
    }
    catalog__remove_intention(c, x->id);
    return true;
}

static bool is_operation(struct mu_str op)
{
    return mu__str_is(op, "create") || mu__str_is(op, "update") || mu__str_is(op, "delete") ||
           mu__str_is(op, "upsert");
}

void catalog__apply_intention(struct catalog *c, struct catalog_intention_request *r,
                              struct catalog_result *result)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    if (!r->intention) {
        catalog__refuse_cstr(c, result, "Must provide an intention");
    } else if (!is_operation(r->op)) {
        catalog__refuse_operation(c, "Intention", r->op, result);
    } else if (!apply(c, r, &why)) {
        catalog__refuse(c, result, &why);
    }
}
