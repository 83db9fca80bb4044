#include "template.h"

#include "alloc.h"
#include "msgpack.h"
#include "regexp.h"

#include <string.h>

#define ERROR_MAX  256u
#define FILLED_MAX 65536u /* bytes of a text */

struct filler {
    struct mu__arena *arena;
    struct mu_str full, prefix, suffix, segment;
    struct mu_str groups[MU_REGEXP_GROUPS_MAX];
    size_t ngroups;
    struct catalog__text *why;
    const char *field; /* that is being filled, for errors: Service.Tags */
    struct mu_str at;  /* "[0]" behind it, or empty */
};

/* One text: where in it we are, and what has been made of it. */
struct piece {
    struct filler *f;
    struct mu_str text;
    size_t pos;
    bool evaluates; /* or only looks whether it can be parsed */
    char *to;       /* NULL: only counts */
    size_t len;
};

/* ---- Errors ---- */

static void say_place(struct piece *p, const char *what)
{
    catalog__say(p->f->why, what);
    catalog__say(p->f->why, " '");
    catalog__say_str(p->f->why, p->text);
    catalog__say(p->f->why, "' in ");
    catalog__say(p->f->why, p->f->field);
    catalog__say_str(p->f->why, p->f->at);
    catalog__say(p->f->why, ": ");
}

static bool no_syntax(struct piece *p)
{
    say_place(p, "Bad format");
    catalog__say(p->f->why, "parse error: syntax error");
    return false;
}

/* <column>: <what><name> */
static bool no_value(struct piece *p, size_t from, const char *what, struct mu_str name)
{
    say_place(p, "Bad evaluation for");
    catalog__say(p->f->why, "1:");
    catalog__say_uint(p->f->why, from + 1);
    catalog__say(p->f->why, what);
    catalog__say_str(p->f->why, name);
    return false;
}

static bool no_number(struct piece *p, struct mu_str text)
{
    say_place(p, "Bad evaluation for");
    catalog__say(p->f->why, "__builtin_StringToInt: strconv.ParseInt: parsing ");
    catalog__say_quoted(p->f->why, text);
    catalog__say(p->f->why, ": invalid syntax");
    return false;
}

/* ---- Expressions ---- */

struct value {
    enum { VALUE_TEXT, VALUE_NUMBER } kind;
    struct mu_str text; /* of a number: as it is written */
};

static char peek(const struct piece *p)
{
    return (char)(p->pos < p->text.len ? p->text.p[p->pos] : '\0');
}

static void skip_blanks(struct piece *p)
{
    while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r') {
        p->pos++;
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct mu_str word(struct piece *p, bool number)
{
    size_t from = p->pos++; /* the first character has been looked at */
    for (;; p->pos++) {
        char c = peek(p);
        bool goes_on = is_digit(c) || c == '.' || (!number && (is_letter(c) || c == '-'));
        if (!goes_on) {
            return (struct mu_str){p->text.p + from, p->pos - from};
        }
    }
}

static bool variable(struct piece *p, size_t from, struct mu_str name, struct value *out)
{
    const struct filler *f = p->f;
    const struct {
        const char *name;
        struct mu_str value;
    } known[] = {{"name.full", f->full},
                 {"name.prefix", f->prefix},
                 {"name.suffix", f->suffix},
                 {"agent.segment", f->segment}};
    out->kind = VALUE_TEXT;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (mu__str_is(name, known[i].name)) {
            out->text = known[i].value;
            return true;
        }
    }
    return !p->evaluates || no_value(p, from, ": unknown variable accessed: ", name);
}

/* A number as a whole one, and no further than any group: false if it is none. */
static bool whole(struct mu_str s, size_t *out)
{
    size_t i = s.len > 0 && (s.p[0] == '-' || s.p[0] == '+');
    bool negative = i && s.p[0] == '-', any = false;
    *out = 0;
    for (; i < s.len && is_digit(s.p[i]); i++) {
        *out = mu__min(*out * 10 + (size_t)(s.p[i] - '0'), MU_REGEXP_GROUPS_MAX);
        any = true;
    }
    *out = negative ? MU_REGEXP_GROUPS_MAX : *out;
    return any && (i == s.len || s.p[i] == '.');
}

static bool match(struct piece *p, const struct value *which, struct value *out)
{
    size_t n;
    if (!whole(which->text, &n) ||
        (which->kind == VALUE_TEXT && memchr(which->text.p, '.', which->text.len))) {
        return !p->evaluates || no_number(p, which->text);
    }
    out->kind = VALUE_TEXT;
    out->text = n < p->f->ngroups ? p->f->groups[n] : (struct mu_str){NULL, 0};
    return true;
}

/* "text" without anything to be filled in. */
static bool quoted(struct piece *p, struct value *out)
{
    size_t from = ++p->pos;
    while (p->pos < p->text.len && peek(p) != '"') {
        if (peek(p) == '\\' || peek(p) == '$') {
            return no_syntax(p);
        }
        p->pos++;
    }
    if (p->pos == p->text.len) {
        return no_syntax(p);
    }
    *out = (struct value){VALUE_TEXT, {p->text.p + from, p->pos - from}};
    p->pos++;
    return true;
}

/* A number, text, or variable; with *called set the name of a function instead. */
static bool operand(struct piece *p, struct value *out, struct mu_str *called)
{
    skip_blanks(p);
    size_t from = p->pos;
    char c = peek(p);
    *called = (struct mu_str){NULL, 0};
    if (c == '"') {
        return quoted(p, out);
    }
    if (is_digit(c) || (c == '-' && p->pos + 1 < p->text.len && is_digit(p->text.p[p->pos + 1]))) {
        *out = (struct value){VALUE_NUMBER, word(p, true)};
        return true;
    }
    if (!is_letter(c)) {
        return no_syntax(p);
    }
    struct mu_str name = word(p, false);
    if (peek(p) == '(') {
        *called = name;
        return true;
    }
    return variable(p, from, name, out);
}

static bool arguments(struct piece *p, struct value *first, size_t *n)
{
    struct mu_str called;
    *n = 0;
    p->pos++; /* ( */
    skip_blanks(p);
    while (peek(p) != ')') {
        struct value v = {VALUE_TEXT, {NULL, 0}};
        if (!operand(p, &v, &called)) {
            return false;
        }
        if (called.p) { /* nothing that a function gives is a number */
            return no_syntax(p);
        }
        *first = *n ? *first : v;
        ++*n;
        skip_blanks(p);
        if (peek(p) != ',' && peek(p) != ')') {
            return no_syntax(p);
        }
        p->pos += peek(p) == ',';
    }
    p->pos++;
    return true;
}

static bool call(struct piece *p, size_t from, struct mu_str name, struct value *out)
{
    struct value which = {VALUE_TEXT, {NULL, 0}};
    size_t n;
    if (!arguments(p, &which, &n)) {
        return false;
    }
    if (!p->evaluates) {
        return true;
    }
    if (!mu__str_is(name, "match")) {
        return no_value(p, from, ": unknown function called: ", name);
    }
    if (n != 1) {
        char got[21];
        struct catalog__text t = catalog__text(got, sizeof got);
        catalog__say_uint(&t, n);
        return no_value(p, from, ": match: expected 1 arguments, got ",
                        (struct mu_str){t.p, t.len});
    }
    return match(p, &which, out);
}

static void put(struct piece *p, struct mu_str s)
{
    if (p->to && s.len) {
        memcpy(p->to + p->len, s.p, s.len);
    }
    p->len += s.len;
}

/* What stands between ${ and }, both of which are consumed. */
static bool expression(struct piece *p)
{
    struct value v = {VALUE_TEXT, {NULL, 0}};
    struct mu_str called;
    p->pos += 2;
    skip_blanks(p);
    size_t from = p->pos;
    if (!operand(p, &v, &called) || (called.p && !call(p, from, called, &v))) {
        return false;
    }
    skip_blanks(p);
    if (peek(p) != '}') {
        return no_syntax(p);
    }
    p->pos++;
    put(p, v.text);
    return true;
}

static bool looking_at(const struct piece *p, const char *s, size_t n)
{
    return p->text.len - p->pos >= n && memcmp(p->text.p + p->pos, s, n) == 0;
}

/* $${ stands for ${. */
static bool walk(struct piece *p)
{
    p->pos = p->len = 0;
    while (p->pos < p->text.len) {
        size_t plain = looking_at(p, "$${", 3) ? 3 : 1;
        if (plain == 1 && looking_at(p, "${", 2)) {
            if (!expression(p)) {
                return false;
            }
            continue;
        }
        size_t escape = plain == 3; /* the first of the two */
        put(p, (struct mu_str){p->text.p + p->pos + escape, plain - escape});
        p->pos += plain;
    }
    return true;
}

/* ---- Queries ---- */

/* All of a text is parsed before anything in it is evaluated, as in the original. */
static bool fill(struct filler *f, struct mu_str *text)
{
    if (!text->len || !memchr(text->p, '$', text->len)) {
        return true;
    }
    struct piece p = {.f = f, .text = *text};
    if (!walk(&p)) {
        return false;
    }
    p.evaluates = true;
    if (!walk(&p)) {
        return false;
    }
    if (p.len > FILLED_MAX) {
        say_place(&p, "Bad evaluation for");
        catalog__say(f->why, "longer than 65536 bytes");
        return false;
    }
    p.to = mu__arena_alloc(f->arena, p.len + 1);
    *text = (struct mu_str){p.to, p.len};
    return p.to && walk(&p);
}

static bool fill_list(struct filler *f, const char *field, struct mu_strs *list)
{
    if (!list->len) {
        return true;
    }
    struct mu_str *items = mu__arena_memdup(f->arena, list->items, list->len * sizeof *items);
    if (!items) {
        return false;
    }
    f->field = field;
    for (size_t i = 0; i < list->len; i++) {
        char number[24];
        struct catalog__text t = catalog__text(number, sizeof number);
        catalog__say(&t, "[");
        catalog__say_uint(&t, i);
        catalog__say(&t, "]");
        f->at = (struct mu_str){t.p, t.len};
        if (!fill(f, &items[i])) {
            return false;
        }
    }
    f->at = (struct mu_str){NULL, 0};
    list->items = items;
    return true;
}

static bool fill_map(struct filler *f, const char *field, struct mu_strmap *map)
{
    if (!map->len) {
        return true;
    }
    struct mu_pair *items = mu__arena_memdup(f->arena, map->items, map->len * sizeof *items);
    if (!items) {
        return false;
    }
    f->field = field;
    for (size_t i = 0; i < map->len; i++) {
        char key[ERROR_MAX];
        struct catalog__text t = catalog__text(key, sizeof key);
        catalog__say(&t, "[");
        catalog__say_str(&t, items[i].key);
        catalog__say(&t, "]");
        f->at = (struct mu_str){t.p, t.len};
        if (!fill(f, &items[i].value)) {
            return false;
        }
    }
    f->at = (struct mu_str){NULL, 0};
    map->items = items;
    return true;
}

static void remove_empty_tags(struct mu_strs *tags)
{
    size_t kept = 0;
    for (size_t i = 0; i < tags->len; i++) {
        if (tags->items[i].len) {
            tags->items[kept++] = tags->items[i];
        }
    }
    tags->len = kept;
}

static bool fill_service(struct filler *f, struct catalog_service_query *s, bool drop_empty)
{
    f->field = "Service.Service";
    if (!fill(f, &s->service) ||
        !fill_list(f, "Service.Failover.Datacenters", &s->failover.datacenters) ||
        !fill_list(f, "Service.IgnoreCheckIDs", &s->ignore_check_ids)) {
        return false;
    }
    f->field = "Service.Near";
    if (!fill(f, &s->near) || !fill_list(f, "Service.Tags", &s->tags) ||
        !fill_map(f, "Service.NodeMeta", &s->node_meta) ||
        !fill_map(f, "Service.ServiceMeta", &s->service_meta)) {
        return false;
    }
    if (drop_empty) {
        remove_empty_tags(&s->tags);
    }
    return true;
}

static bool find_groups(struct filler *f, struct catalog__patterns *patterns, struct mu_str pattern)
{
    if (!pattern.len) {
        return true;
    }
    char err[ERROR_MAX];
    struct mu__regexp *re =
        catalog__pattern(patterns, &f->arena->allocator, pattern, f->arena, err, sizeof err);
    if (!re && !err[0]) {
        return false; /* no memory */
    }
    if (!re) {
        catalog__say(f->why, "Bad Regexp: error parsing regexp: ");
        catalog__say(f->why, err);
        return false;
    }
    if (!mu__regexp_find(re, f->full, f->arena, f->groups, &f->ngroups)) {
        f->ngroups = 0;
    }
    return true;
}

bool catalog__template_fill(struct catalog_prepared_query *q, struct mu_str name,
                            struct mu_str segment, struct catalog__patterns *patterns,
                            struct mu__arena *a, struct catalog__text *why)
{
    if (!mu__str_is(q->template_.type, "name_prefix_match")) {
        catalog__say(why, "Bad Template.Type '");
        catalog__say_str(why, q->template_.type);
        catalog__say(why, "'");
        return false;
    }
    struct filler f = {.arena = a,
                       .full = name,
                       .prefix = q->name,
                       .suffix = name,
                       .segment = segment,
                       .why = why};
    /* Names are compared without regard to case, but only what stands there as it is is cut off */
    if (name.len >= q->name.len &&
        (q->name.len == 0 || memcmp(name.p, q->name.p, q->name.len) == 0)) {
        f.suffix = (struct mu_str){name.p + q->name.len, name.len - q->name.len};
    }
    return find_groups(&f, patterns, q->template_.regexp) &&
           fill_service(&f, &q->service, q->template_.remove_empty_tags);
}
