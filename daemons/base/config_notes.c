/* Memory and messages while a configuration is read: text in its arena, lists that grow, notes of
 * what is wrong. */
#include "config_internal.h"

#include "schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
    if (!p) {
        abort(); /* out of memory while starting */
    }
    return p;
}

struct mu_str config__text(struct config *c, const char *s, size_t len)
{
    return (struct mu_str){must(mu__arena_strndup(&c->arena, s, len)), len};
}

/* Room for one more in a list of the arena, which doubles: a list of n has room for the next power
 * of two. */
void *config__grow(struct config *c, void *items, size_t len, size_t size)
{
    size_t bytes;
    if (len & (len - 1)) {
        return items;
    }
    if (!mu__mul(len ? 2 * len : 1, size, &bytes)) {
        abort();
    }
    void *larger = must(mu__arena_alloc(&c->arena, bytes));
    if (len) {
        memcpy(larger, items, len * size);
    }
    return larger;
}

void config__append(struct config *c, struct mu_strs *list, struct mu_str s)
{
    list->items = config__grow(c, list->items, list->len, sizeof s);
    list->items[list->len++] = s;
}

void config__map_set(struct config *c, struct mu_strmap *map, struct mu_str key,
                     struct mu_str value)
{
    size_t at = 0;
    while (at < map->len && mu__str_cmp(map->items[at].key, key) < 0) {
        at++;
    }
    if (at < map->len && mu__str_eq(map->items[at].key, key)) {
        map->items[at].value = value;
        return;
    }
    map->items = config__grow(c, map->items, map->len, sizeof *map->items);
    memmove(&map->items[at + 1], &map->items[at], (map->len - at) * sizeof *map->items);
    map->items[at] = (struct mu_pair){key, value};
    map->len++;
}

__attribute__((format(printf, 2, 0))) static struct mu_str format(struct config *c, const char *fmt,
                                                                  va_list args)
{
    char line[CONFIG_ERROR_MAX];
    vsnprintf(line, sizeof line, fmt, args);
    return config__text(c, line, strlen(line));
}

void config__note(struct config *c, struct mu_strs *list, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct mu_str line = format(c, fmt, args);
    va_end(args);
    if (!list->len || !mu__str_eq(list->items[list->len - 1],
                                  line)) { /* client_addr is read for HTTP and for DNS */
        config__append(c, list, line);
    }
}

void config__warn(struct config *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    config__append(c, &c->warnings, format(c, fmt, args));
    va_end(args);
}

void config__fail(struct config__loader *l, const char *fmt, ...)
{
    va_list args;
    if (l->failed) {
        return; /* the first reason is the one to read */
    }
    l->failed = true;
    va_start(args, fmt);
    vsnprintf(l->err, l->errlen, fmt, args);
    va_end(args);
}
