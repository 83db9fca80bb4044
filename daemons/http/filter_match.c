#include "filter_internal.h"

#include <string.h>

static bool walk(const struct filter_test *t, size_t step, const void *record);

static bool contains(struct mu_str text, struct mu_str part)
{
    return part.len == 0 || (text.len >= part.len && memmem(text.p, text.len, part.p, part.len));
}

static bool text_passes(const struct filter_test *t, struct mu_str text)
{
    switch (t->op) {
    case FILTER_EQUAL:
        return mu__str_eq(text, t->text);
    case FILTER_IN:
        return contains(text, t->text);
    case FILTER_MATCHES:
        return mu__regexp_matches(t->regex, text);
    case FILTER_EMPTY:
        break;
    }
    return text.len == 0;
}

static bool strs_pass(const struct filter_test *t, const struct mu_strs *s)
{
    if (t->op == FILTER_EMPTY) {
        return s->len == 0;
    }
    for (size_t i = 0; i < s->len; i++) {
        if (mu__str_eq(s->items[i], t->text)) {
            return true;
        }
    }
    return false;
}

static const struct mu_pair *find_pair(const struct mu_strmap *m, struct mu_str key)
{
    for (size_t i = 0; i < m->len; i++) {
        if (mu__str_eq(m->items[i].key, key)) {
            return &m->items[i];
        }
    }
    return NULL;
}

static const struct mu_named *find_named(const struct mu_structmap *m, struct mu_str key)
{
    for (size_t i = 0; i < m->len; i++) {
        if (mu__str_eq(m->items[i].key, key)) {
            return &m->items[i];
        }
    }
    return NULL;
}

/* A key that is not there equals nothing and contains nothing, but matches anything, as in the
 * original; and all negated tests hold. */
static bool passes_missing(const struct filter_test *t)
{
    return t->negated || t->op == FILTER_MATCHES;
}

static bool strmap_passes(const struct filter_test *t, size_t step, const struct mu_strmap *m)
{
    if (step + 1 < t->nsteps) {
        const struct mu_pair *pair = find_pair(m, t->steps[step + 1].key);
        return pair ? text_passes(t, pair->value) != t->negated : passes_missing(t);
    }
    return (t->op == FILTER_EMPTY ? m->len == 0 : find_pair(m, t->text) != NULL) != t->negated;
}

static bool structmap_passes(const struct filter_test *t, size_t step, const struct mu_structmap *m)
{
    if (step + 1 < t->nsteps) {
        const struct mu_named *named = find_named(m, t->steps[step + 1].key);
        return named ? walk(t, step + 2, named->value) : passes_missing(t);
    }
    return (t->op == FILTER_EMPTY ? m->len == 0 : find_named(m, t->text) != NULL) != t->negated;
}

/* Any element that passes is enough, also for the negated tests. */
static bool list_passes(const struct filter_test *t, size_t step, const struct mu_list *l)
{
    if (step + 1 == t->nsteps) {
        return (l->len == 0) != t->negated;
    }
    for (size_t i = 0; i < l->len; i++) {
        if (walk(t, step + 1, l->items[i])) {
            return true;
        }
    }
    return false;
}

static bool walk(const struct filter_test *t, size_t step, const void *record)
{
    const struct filter_step *s = &t->steps[step];
    const void *at = (const char *)record + s->field->offset;
    switch (s->field->kind) {
    case MU_BOOL:
        return (*(const bool *)at == t->boolean) != t->negated;
    case MU_INT:
    case MU_UINT:
        return (*(const int64_t *)at == t->number) != t->negated;
    case MU_STR:
        return text_passes(t, *(const struct mu_str *)at) != t->negated;
    case MU_STRS:
        return strs_pass(t, at) != t->negated;
    case MU_STRMAP:
        return strmap_passes(t, step, at);
    case MU_STRUCTMAP:
        return structmap_passes(t, step, at);
    case MU_LIST:
        return list_passes(t, step, at);
    case MU_STRUCT:
        return walk(t, step + 1, at);
    case MU_PTR: {
        const void *to = *(void *const *)at;
        return walk(t, step + 1, to ? to : s->zero);
    }
    default:
        return false; /* the compiler of filters lets no other kind through */
    }
}

bool filter_match(const struct http_filter *f, const void *record)
{
    if (!f) {
        return true;
    }
    switch (f->kind) {
    case FILTER_AND:
        return filter_match(f->left, record) && filter_match(f->right, record);
    case FILTER_OR:
        return filter_match(f->left, record) || filter_match(f->right, record);
    case FILTER_NOT:
        return !filter_match(f->left, record);
    case FILTER_TEST:
        return walk(&f->test, 0, record);
    }
    return false;
}

bool filter_is_equal(const struct http_filter *f, const char *field, struct mu_str *value)
{
    const struct filter_test *t = &f->test;
    if (f->kind != FILTER_TEST || t->op != FILTER_EQUAL || t->negated || t->nsteps != 1 ||
        t->steps[0].field->kind != MU_STR || strcmp(t->steps[0].field->name, field) != 0) {
        return false;
    }
    *value = t->text;
    return true;
}
