#include "schema.h"

#include "msgpack.h"

#include <string.h>

int mu__str_cmp(struct mu_str a, struct mu_str b)
{
    size_t n = mu__min(a.len, b.len);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool mu__str_eq(struct mu_str a, struct mu_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

bool mu__str_ieq(struct mu_str a, struct mu_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

struct mu_str mu__strmap_get(const struct mu_strmap *m, const char *key)
{
    struct mu_str want = mu__cstr(key);
    size_t lo = 0;
    size_t hi = m->len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = mu__str_cmp(m->items[mid].key, want);
        if (c == 0) {
            return m->items[mid].value;
        }
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return (struct mu_str){NULL, 0};
}

const struct mu__field *mu__schema_field(const struct mu__schema *s, struct mu_str name)
{
    for (size_t i = 0; i < s->nfields; i++) {
        if (mu__str_is(name, s->fields[i].name)) {
            return &s->fields[i];
        }
    }
    return NULL;
}

static bool is_alias(const char *aliases, struct mu_str key)
{
    while (aliases && *aliases) {
        size_t len = strcspn(aliases, "|");
        if (mu__str_ieq((struct mu_str){aliases, len}, key)) {
            return true;
        }
        aliases += len + (aliases[len] == '|');
    }
    return false;
}

const struct mu__field *mu__schema_json_field(const struct mu__schema *s, struct mu_str key)
{
    for (size_t i = 0; i < s->nfields; i++) {
        const struct mu__field *f = &s->fields[i];
        if (f->flags & MU_F_NO_JSON) {
            continue;
        }
        if (mu__str_ieq(mu__cstr(f->json ? f->json : f->name), key) || is_alias(f->alias, key)) {
            return f;
        }
    }
    return NULL;
}

bool mu__field_is_empty(const struct mu__field *f, const void *member)
{
    switch (f->kind) {
    case MU_BOOL:
        return !*(const bool *)member;
    case MU_INT:
    case MU_DURATION:
        return *(const int64_t *)member == 0;
    case MU_UINT:
        return *(const uint64_t *)member == 0;
    case MU_FLOAT: {
        double v = *(const double *)member;
        return !(v < 0 || v > 0);
    }
    case MU_TIME: /* a struct in Go, never empty */
    case MU_STRUCT:
        return false;
    case MU_STR:
    case MU_BYTES:
        return ((const struct mu_str *)member)->len == 0;
    case MU_STRS:
        return ((const struct mu_strs *)member)->len == 0;
    case MU_FLOATS:
        return ((const struct mu_floats *)member)->len == 0;
    case MU_UINTS:
        return ((const struct mu_uints *)member)->len == 0;
    case MU_STRMAP:
        return ((const struct mu_strmap *)member)->len == 0;
    case MU_STRSMAP:
        return ((const struct mu_strsmap *)member)->len == 0;
    case MU_PTR:
        return *(void *const *)member == NULL;
    case MU_LIST:
        return ((const struct mu_list *)member)->len == 0;
    case MU_STRUCTMAP:
        return ((const struct mu_structmap *)member)->len == 0;
    case MU_ANY: {
        const struct mu_str *s = member;
        /* Nil, {}, [] */
        return s->len == 0 || (s->len == 1 && strchr("\xc0\x80\x90", s->p[0]) != NULL);
    }
    }
    return true;
}

static struct mu_str key_of(const char *items, size_t i, size_t size)
{
    struct mu_str key;
    memcpy(&key, items + i * size, sizeof key);
    return key;
}

/* One pass of a bottom-up merge sort: runs of `run` items from src to dst. Stable, so that the last
 * of equal keys stays last. */
static void merge_runs(const char *src, char *dst, size_t n, size_t size, size_t run)
{
    for (size_t at = 0; at < n; at += 2 * run) {
        size_t i = at;
        size_t mid = mu__min(at + run, n);
        size_t j = mid;
        size_t end = mu__min(at + 2 * run, n);
        for (size_t k = at; k < end; k++) {
            bool left = i < mid &&
                        (j == end || mu__str_cmp(key_of(src, i, size), key_of(src, j, size)) <= 0);
            memcpy(dst + k * size, src + (left ? i++ : j++) * size, size);
        }
    }
}

/* Keeps the last of equal neighbours; returns how many are left. */
static size_t drop_doubles(char *items, size_t n, size_t size)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && mu__str_eq(key_of(items, i, size), key_of(items, i + 1, size))) {
            continue;
        }
        memmove(items + kept++ * size, items + i * size, size);
    }
    return kept;
}

bool mu__sort_by_key(struct mu__arena *a, void *items, size_t *len, size_t item_size)
{
    char *src = items;
    size_t n = *len;
    size_t i = 1;
    while (i < n && mu__str_cmp(key_of(src, i - 1, item_size), key_of(src, i, item_size)) < 0) {
        i++;
    }
    if (i >= n) {
        return true; /* what our own encoder and every sorted sender give */
    }
    char *scratch = mu__arena_alloc(a, n * item_size);
    if (!scratch) {
        return false;
    }
    char *dst = scratch;
    for (size_t run = 1; run < n; run *= 2) {
        merge_runs(src, dst, n, item_size, run);
        char *swap = src;
        src = dst;
        dst = swap;
    }
    if (src != items) {
        memcpy(items, src, n * item_size);
    }
    *len = drop_doubles(items, n, item_size);
    return true;
}
