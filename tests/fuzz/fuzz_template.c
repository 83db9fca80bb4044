/* Templates of prepared queries: a line with a regular expression, one with a name, and the text
 * that is filled in for it. Held against it: the same comes out twice, also when expressions are
 * remembered, what is wrong has a reason, and a match that is found is one that exists, with its
 * groups inside the name. */
#include <assert.h>
#include <string.h>

#include "regexp.h"
#include "schema.h"
#include "template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mu_str line(struct mu_str *rest)
{
    const char *end = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
    struct mu_str s = {rest->p, end ? (size_t)(end - rest->p) : rest->len};
    size_t used = s.len + (end != NULL);
    *rest = (struct mu_str){rest->p + used, rest->len - used};
    return s;
}

static bool fill(struct mu_str regexp, struct mu_str name, struct mu_str text,
                 struct catalog__patterns *patterns, struct mu__arena *a, struct mu_str *out,
                 struct catalog__text *why)
{
    struct mu_str tags[] = {text, {"", 0}};
    struct catalog_prepared_query q = {
        .name = {name.p, name.len / 2},
        .template_ = {.type = mu__cstr("name_prefix_match"), .regexp = regexp},
        .service = {.service = text, .tags = {tags, 2}},
    };
    bool ok = catalog__template_fill(&q, name, (struct mu_str){NULL, 0}, patterns, a, why);
    *out = q.service.service;
    return ok;
}

static void check_groups(struct mu_str regexp, struct mu_str name, struct mu__arena *a)
{
    char err[256];
    size_t n;
    struct mu_str groups[MU_REGEXP_GROUPS_MAX];
    struct mu__regexp *re = mu__regexp_compile(regexp, a, err, sizeof err);
    if (!re) {
        return;
    }
    bool found = mu__regexp_find(re, name, a, groups, &n);
    assert(found == mu__regexp_matches(re, name));
    for (size_t i = 0; found && i < n; i++) {
        assert(!groups[i].p ||
               (groups[i].p >= name.p && groups[i].p + groups[i].len <= name.p + name.len));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu_str text = {(const char *)data, size > 4096 ? 4096 : size};
    struct mu_str regexp = line(&text), name = line(&text), once, twice;
    struct mu__arena a;
    char buf[512], buf2[512];
    struct catalog__text why = catalog__text(buf, sizeof buf), why2 = catalog__text(buf2, 512);
    mu__arena_init(&a, NULL, 0);
    static struct catalog__patterns patterns; /* as a reader keeps them: from input to input */
    bool ok = fill(regexp, name, text, NULL, &a, &once, &why);
    assert(fill(regexp, name, text, &patterns, &a, &twice, &why2) == ok);
    if (ok) {
        assert(mu__str_eq(once, twice));
    } else {
        assert(why.len > 0 && strcmp(why.p, why2.p) == 0);
    }
    check_groups(regexp, name, &a);
    mu__arena_fini(&a);
    return 0;
}
