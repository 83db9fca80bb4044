#include "patterns.h"

#include "schema.h"

static struct catalog__pattern *find(const struct catalog__patterns *p, struct mu_str text)
{
    for (size_t i = 0; p->items && i < CATALOG__PATTERNS_MAX; i++) {
        if (p->items[i].text.p && mu__str_eq(p->items[i].text, text)) {
            return &p->items[i];
        }
    }
    return NULL;
}

static struct catalog__pattern *oldest(const struct catalog__patterns *p)
{
    struct catalog__pattern *found = &p->items[0];
    for (size_t i = 1; i < CATALOG__PATTERNS_MAX; i++) {
        if (p->items[i].used < found->used) {
            found = &p->items[i];
        }
    }
    return found;
}

static void forget(struct catalog__pattern *x)
{
    mu__arena_fini(&x->arena);
    x->text = (struct mu_str){NULL, 0};
    x->used = 0;
}

static bool compile(struct catalog__pattern *x, struct mu_str text, char *err, size_t errlen)
{
    struct mu_str copy = {mu__arena_strndup(&x->arena, text.p, text.len), text.len};
    x->compiled = copy.p ? mu__regexp_compile(copy, &x->arena, err, errlen) : NULL;
    if (!x->compiled) {
        forget(x);
        return false;
    }
    x->text = copy;
    return true;
}

struct mu__regexp *catalog__pattern(struct catalog__patterns *p,
                                    const struct mu_allocator *allocator, struct mu_str text,
                                    struct mu__arena *a, char *err, size_t errlen)
{
    err[0] = '\0';
    if (p && !p->items && text.len <= CATALOG__PATTERN_LEN_MAX) {
        p->items = mu__calloc(allocator, CATALOG__PATTERNS_MAX, sizeof *p->items);
    }
    if (!p || !p->items || text.len > CATALOG__PATTERN_LEN_MAX) {
        return mu__regexp_compile(text, a, err, errlen);
    }
    struct catalog__pattern *x = find(p, text);
    if (!x) {
        x = oldest(p);
        forget(x);
        mu__arena_init(&x->arena, allocator, 0);
        p->compiled++;
        if (!compile(x, text, err, errlen)) {
            return NULL;
        }
    }
    x->used = ++p->uses;
    return x->compiled;
}

void catalog__patterns_fini(struct catalog__patterns *p, const struct mu_allocator *allocator)
{
    for (size_t i = 0; p->items && i < CATALOG__PATTERNS_MAX; i++) {
        forget(&p->items[i]);
    }
    mu__free(allocator, p->items);
    *p = (struct catalog__patterns){.items = NULL};
}
