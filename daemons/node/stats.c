#include "stats.h"

#include "msgpack.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void stats_add(struct stats *s, const char *group, const char *key, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    if (s->len == STATS_MAX) {
        return;
    }
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : mu__min((size_t)n, sizeof text - 1);
    char *value = mu__arena_strndup(s->arena, text, len);
    if (value) {
        s->items[s->len].group = group;
        s->items[s->len].key = key;
        s->items[s->len++].value = (struct mu_str){value, len};
    }
}

static size_t group_size(const struct stats *s, size_t from)
{
    size_t n = 0;
    while (from + n < s->len && strcmp(s->items[from + n].group, s->items[from].group) == 0) {
        n++;
    }
    return n;
}

struct mu_str stats_encode(const struct stats *s)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    size_t groups = 0;
    for (size_t i = 0; i < s->len; i += group_size(s, i)) {
        groups++;
    }
    mu__mp_write_map(&w, groups);
    for (size_t i = 0; i < s->len;) {
        size_t n = group_size(s, i);
        mu__mp_write_cstr(&w, s->items[i].group);
        mu__mp_write_map(&w, n);
        for (size_t end = i + n; i < end; i++) {
            mu__mp_write_cstr(&w, s->items[i].key);
            mu__mp_write_raw(&w, s->items[i].value.p, s->items[i].value.len);
        }
    }
    struct mu_str out = {w.failed ? NULL : mu__arena_memdup(s->arena, w.data, w.len), w.len};
    mu__writer_fini(&w);
    return out;
}
