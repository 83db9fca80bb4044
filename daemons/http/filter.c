/* filter.c - the text of a filter to its compiled form: a descent over the grammar of
 * http-semantics 9. */
#include "filter.h"

#include "base/json.h"
#include "base/json_text.h"
#include "filter_internal.h"
#include "strconv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEST_MAX 50u
#define TEXT_MAX 8192u /* bytes of an expression, which also bounds its number of tests */

struct parser {
    const struct mu__schema *schema;
    struct mu_str s;
    size_t pos, farthest; /* where reading stopped that came farthest */
    unsigned depth;
    struct mu__arena *arena;
    char *err; /* "" until something better than "no match found" is known */
    size_t errlen;
};

static struct http_filter *disjunction(struct parser *p);

static struct http_filter *node(struct parser *p)
{
    struct http_filter *f = mu__arena_calloc(p->arena, 1, sizeof *f);
    if (!f) {
        snprintf(p->err, p->errlen, "out of memory");
    }
    return f;
}

/* ---- Words ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static char peek(const struct parser *p)
{
    return (char)(p->pos < p->s.len ? p->s.p[p->pos] : 0);
}

static size_t blanks(struct parser *p)
{
    size_t start = p->pos;
    while (p->pos < p->s.len && is_blank(p->s.p[p->pos])) {
        p->pos++;
    }
    p->farthest = mu__max(p->farthest, p->pos);
    return p->pos - start;
}

/* A word with blanks before it, and after it too if an operand follows. Reads nothing when it is
 * not there. */
static bool word(struct parser *p, const char *text, bool operand)
{
    size_t start = p->pos, len = strlen(text);
    bool ok = blanks(p) > 0 && p->s.len - p->pos >= len && memcmp(p->s.p + p->pos, text, len) == 0;
    if (ok) {
        p->pos += len;
        ok = operand ? blanks(p) > 0 : !is_name(peek(p));
    }
    if (!ok) {
        p->pos = start;
    }
    return ok;
}

static bool two_words(struct parser *p, const char *first, const char *second, bool operand)
{
    size_t start = p->pos;
    if (word(p, first, false) && word(p, second, operand)) {
        return true;
    }
    p->pos = start;
    return false;
}

static bool symbol(struct parser *p, const char *text) /* with blanks around it, or not */
{
    size_t start = p->pos;
    blanks(p);
    if (p->s.len - p->pos >= 2 && memcmp(p->s.p + p->pos, text, 2) == 0) {
        p->pos += 2;
        blanks(p);
        return true;
    }
    p->pos = start;
    return false;
}

/* ---- Operands ---- */

static bool quoted(struct parser *p, struct mu_str *out)
{
    char quote = peek(p);
    const char *start = p->s.p + p->pos + 1;
    const char *end = memchr(start, quote, p->s.len - p->pos - 1);
    if (!end) {
        return false;
    }
    struct mu_str raw = {start, (size_t)(end - start)};
    p->pos += raw.len + 2;
    *out = raw;
    size_t scanned;
    char ignored[64];
    if (quote == '`' || !memchr(raw.p, '\\', raw.len)) {
        return true;
    }
    /* The escapes of Go that JSON has, too; the others are refused. */
    return json_scan(start - 1, raw.len + 2, &scanned, ignored, sizeof ignored) &&
           scanned == raw.len + 2 && json_unquote(raw.p, raw.len, p->arena, out);
}

/* name ("." name | '["' key '"]')*, as it stands. */
static bool selector_text(struct parser *p, struct mu_str *out)
{
    size_t start = p->pos;
    if (!is_letter(peek(p))) {
        return false;
    }
    for (;;) {
        while (is_name(peek(p))) {
            p->pos++;
        }
        struct mu_str key;
        size_t before = p->pos;
        if (peek(p) == '.' && p->pos + 1 < p->s.len && is_letter(p->s.p[p->pos + 1])) {
            p->pos++;
            continue;
        }
        if (peek(p) != '[') {
            break;
        }
        p->pos++;
        blanks(p);
        bool ok = (peek(p) == '"' || peek(p) == '`') && quoted(p, &key);
        blanks(p);
        if (!ok || peek(p) != ']') {
            p->pos = before;
            break;
        }
        p->pos++;
    }
    *out = (struct mu_str){p->s.p + start, p->pos - start};
    p->farthest = mu__max(p->farthest, p->pos);
    return true;
}

static bool number_text(struct parser *p, struct mu_str *out)
{
    size_t start = p->pos;
    p->pos += peek(p) == '-';
    while ((peek(p) >= '0' && peek(p) <= '9') || peek(p) == '.') {
        p->pos++;
    }
    *out = (struct mu_str){p->s.p + start, p->pos - start};
    return out->len > 0 && (p->pos == p->s.len || is_blank(peek(p)) || peek(p) == ')');
}

static bool operand(struct parser *p, struct mu_str *out)
{
    char c = peek(p);
    if (c == '"' || c == '`') {
        return quoted(p, out);
    }
    return is_letter(c) ? selector_text(p, out) : number_text(p, out);
}

/* ---- What a selector means ---- */

/* Fields that a record has and filters have not. */
static bool is_hidden(const struct mu__field *f)
{
    static const char *const names[] = {
        "CreateIndex", "ModifyIndex",    "Definition", "Config",    "Expose", "IngressHosts",
        "ContentHash", "SidecarService", "CreatedAt",  "UpdatedAt", "Hash"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(f->name, names[i]) == 0) {
            return true;
        }
    }
    return f->flags & MU_F_NO_JSON;
}

static const struct mu__field *find_field(const struct mu__schema *s, struct mu_str name)
{
    for (size_t i = 0; i < s->nfields; i++) {
        const struct mu__field *f = &s->fields[i];
        if (mu__str_eq(name, mu__cstr(f->json ? f->json : f->name)) && !is_hidden(f)) {
            return f;
        }
    }
    return NULL;
}

static struct mu_str next_part(struct mu_str *rest)
{
    struct mu_str part = {rest->p, 0};
    if (rest->len &&
        rest->p[0] ==
            '[') { /* ["key"], perhaps with blanks; selector_text has seen that it is whole */
        const char *open = rest->p + 1;
        while (is_blank(*open)) {
            open++;
        }
        const char *close = memchr(open + 1, *open, (size_t)(rest->p + rest->len - open - 1));
        const char *end = memchr(close, ']', (size_t)(rest->p + rest->len - close));
        part = (struct mu_str){open + 1, (size_t)(close - open) - 1};
        rest->len -= (size_t)(end - rest->p) + 1;
        rest->p = end + 1;
    } else {
        while (part.len < rest->len && rest->p[part.len] != '.' && rest->p[part.len] != '[') {
            part.len++;
        }
        rest->len -= part.len;
        rest->p += part.len;
    }
    if (rest->len && rest->p[0] == '.') {
        rest->p++;
        rest->len--;
    }
    return part;
}

/* Fills in the steps; *kind is what the last one reaches. Otherwise the length of the part that is
 * no selector. */
static size_t resolve(struct parser *p, struct mu_str text, struct filter_test *t,
                      enum mu__kind *kind)
{
    const struct mu__schema *s = p->schema;
    const char *start = text.p;
    while (text.len) {
        struct mu_str part = next_part(&text);
        const struct mu__field *f = s ? find_field(s, part) : NULL;
        if (!f || t->nsteps + 2 > FILTER_STEPS_MAX) {
            size_t read = (size_t)(text.p - start);
            return read - (text.len > 0 && start[read - 1] == '.');
        }
        struct filter_step *step = &t->steps[t->nsteps++];
        step->field = f;
        *kind = f->kind;
        s = f->sub;
        if (f->kind == MU_PTR && !(step->zero = mu__arena_calloc(p->arena, 1, s->size))) {
            return text.p ? (size_t)(text.p - start) : 1;
        }
        if (text.len && (f->kind == MU_STRMAP || f->kind == MU_STRUCTMAP)) {
            t->steps[t->nsteps++].key = next_part(&text);
            *kind = f->kind == MU_STRMAP ? MU_STR : MU_STRUCT;
        }
    }
    return *kind != MU_STRUCT ? 0 : (size_t)(text.p - start);
}

static bool allows(enum mu__kind kind, enum filter_op op)
{
    switch (kind) {
    case MU_STR:
        return op != FILTER_EMPTY;
    case MU_BOOL:
    case MU_INT:
    case MU_UINT:
        return op == FILTER_EQUAL;
    case MU_STRS:
    case MU_STRMAP:
    case MU_STRUCTMAP:
        return op == FILTER_IN || op == FILTER_EMPTY;
    case MU_LIST:
        return op == FILTER_EMPTY;
    default:
        return false;
    }
}

/* The value in the shape that the field wants. */
static bool coerce(struct parser *p, struct filter_test *t, enum mu__kind kind,
                   struct mu_str selector)
{
    const char *how = kind == MU_BOOL ? "ParseBool" : "ParseInt";
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)mu__min(t->text.len, sizeof text - 1),
             t->text.p ? t->text.p : "");
    char *end = text;
    errno = 0;
    if (kind == MU_INT || kind == MU_UINT) {
        t->number = strtoll(text, &end, 10);
    }
    bool integer =
        t->text.len && t->text.len < sizeof text && !is_blank(text[0]) && *end == 0 && errno == 0;
    if ((kind != MU_INT && kind != MU_UINT && kind != MU_BOOL) ||
        (kind == MU_BOOL ? strconv_bool(t->text, &t->boolean) : integer)) {
        return true;
    }
    snprintf(p->err, p->errlen,
             "Failed to coerce value \"%s\" for selector \"%.*s\": strconv.%s: parsing \"%s\": %s",
             text, (int)mu__min(selector.len, 128), selector.p, how, text,
             errno == ERANGE ? "value out of range" : "invalid syntax");
    return false;
}

static bool compile_regex(struct parser *p, struct filter_test *t)
{
    char why[256];
    t->regex = mu__regexp_compile(t->text, p->arena, why, sizeof why);
    if (!t->regex) {
        snprintf(p->err, p->errlen,
                 "Failed to compile regular expression \"%.*s\": error parsing regexp: %s",
                 (int)mu__min(t->text.len, 128), t->text.p, why);
    }
    return t->regex != NULL;
}

static struct http_filter *test(struct parser *p, struct mu_str selector, enum filter_op op,
                                bool negated, struct mu_str value)
{
    static const char *const names[] = {"Equal", "In", "Is Empty", "Matches"};
    static const char *const opposites[] = {"Not Equal", "Not In", "Is Not Empty", "Not Matches"};
    struct http_filter *f = node(p);
    if (!f) {
        return NULL;
    }
    f->kind = FILTER_TEST;
    struct filter_test *t = &f->test;
    t->op = op;
    t->negated = negated;
    t->text = value;
    enum mu__kind kind = MU_STRUCT;
    size_t wrong = resolve(p, selector, t, &kind);
    if (wrong) {
        snprintf(p->err, p->errlen, "Selector \"%.*s\" is not valid", (int)mu__min(wrong, 128),
                 selector.p);
        return NULL;
    }
    if (!allows(kind, op)) {
        snprintf(p->err, p->errlen, "Invalid match operator \"%s\" for selector \"%.*s\"",
                 (negated ? opposites : names)[op], (int)mu__min(selector.len, 128), selector.p);
        return NULL;
    }
    return coerce(p, t, kind, selector) && (op != FILTER_MATCHES || compile_regex(p, t)) ? f : NULL;
}

/* ---- Expressions ---- */

/* What stands between a selector and its value. False: none of these. */
static bool operator_before_value(struct parser *p, enum filter_op *op, bool *negated)
{
    *negated = false;
    *op = FILTER_EQUAL;
    if (symbol(p, "==")) {
        return true;
    }
    if (symbol(p, "!=")) {
        return *negated = true;
    }
    *op = FILTER_IN;
    if (word(p, "contains", true)) {
        return true;
    }
    if (two_words(p, "not", "contains", true)) {
        return *negated = true;
    }
    *op = FILTER_MATCHES;
    if (word(p, "matches", true)) {
        return true;
    }
    return *negated = two_words(p, "not", "matches", true);
}

static bool is_empty(struct parser *p, bool *negated)
{
    size_t start = p->pos;
    *negated = false;
    if (word(p, "is", false)) {
        *negated = word(p, "not", false);
        if (word(p, "empty", false)) {
            return true;
        }
    }
    p->pos = start;
    return false;
}

static struct http_filter *match(struct parser *p)
{
    struct mu_str first, second;
    enum filter_op op;
    bool negated = false, selector = is_letter(peek(p));
    if (!operand(p, &first)) {
        return NULL;
    }
    if (selector && operator_before_value(p, &op, &negated)) {
        return operand(p, &second) ? test(p, first, op, negated, second) : NULL;
    }
    if (selector && is_empty(p, &negated)) {
        return test(p, first, FILTER_EMPTY, negated, (struct mu_str){NULL, 0});
    }
    bool in = word(p, "in", true);
    negated = !in && two_words(p, "not", "in", true);
    return (in || negated) && selector_text(p, &second) ? test(p, second, FILTER_IN, negated, first)
                                                        : NULL;
}

static struct http_filter *parenthesized(struct parser *p)
{
    if (peek(p) != '(') {
        return match(p);
    }
    p->pos++;
    blanks(p);
    struct http_filter *f = disjunction(p);
    blanks(p);
    if (!f || peek(p) != ')') {
        return NULL;
    }
    p->pos++;
    p->farthest = mu__max(p->farthest, p->pos);
    return f;
}

static struct http_filter *negation(struct parser *p)
{
    size_t nots = 0;
    while (p->s.len - p->pos > 3 && memcmp(p->s.p + p->pos, "not", 3) == 0 &&
           is_blank(p->s.p[p->pos + 3])) {
        p->pos += 3;
        blanks(p);
        nots++;
    }
    struct http_filter *f = parenthesized(p), *not ;
    if (f && nots % 2 == 1) {
        if (!(not = node(p))) {
            return NULL;
        }
        *not = (struct http_filter){.kind = FILTER_NOT, .left = f};
        return not ;
    }
    return f;
}

static struct http_filter *join(struct parser *p, struct http_filter *left,
                                struct http_filter *right, bool and)
{
    struct http_filter *f = left && right ? node(p) : NULL;
    if (f) {
        *f =
            (struct http_filter){.kind = and? FILTER_AND : FILTER_OR, .left = left, .right = right};
    }
    return f;
}

static struct http_filter *conjunction(struct parser *p)
{
    struct http_filter *f = negation(p);
    while (f && word(p, "and", true)) {
        f = join(p, f, negation(p), true);
    }
    return f;
}

static struct http_filter *disjunction(struct parser *p)
{
    if (++p->depth > NEST_MAX) {
        snprintf(p->err, p->errlen, "expression nests too deeply");
        return NULL;
    }
    struct http_filter *f = conjunction(p);
    while (f && word(p, "or", true)) {
        f = join(p, f, conjunction(p), false);
    }
    p->depth--;
    return f;
}

bool filter_parse(const struct mu__schema *s, struct mu_str text, struct mu__arena *a,
                  const struct http_filter **out, char *err, size_t errlen)
{
    struct parser p = {.schema = s, .s = text, .arena = a, .err = err, .errlen = errlen};
    err[0] = 0;
    if (text.len > TEXT_MAX) {
        snprintf(err, errlen, "expression too large");
        return false;
    }
    blanks(&p);
    struct http_filter *f = disjunction(&p);
    blanks(&p);
    if (f && p.pos == text.len) {
        *out = f;
        return true;
    }
    if (!err[0]) {
        size_t at = mu__max(p.farthest, p.pos);
        snprintf(err, errlen, "1:%zu (%zu): no match found", at + 1, at);
    }
    return false;
}
