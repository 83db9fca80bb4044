/* snapshot.c - the snapshot: text, one record a line, appended to and now and then written anew.
 *
 *     alive: NAME ADDR:PORT      clock: N           leave
 *     not-alive: NAME            event-clock: N     # comment
 *                                query-clock: N
 *
 * A name may hold spaces: the address is what follows the last one. It may not hold a line break,
 * and such a node is simply not recorded. Lines that make no sense are passed over, as Serf does:
 * an old or torn file must not keep a node from starting. */
#include "node.h"

#include "cursor.h"
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 1024,
    FILE_FLOOR = 128 * 1024, /* compaction waits for this, and for twice what the nodes need */
    BYTES_PER_NODE = 128,
    NODES_MAX = 1 << 20
};

struct known {
    char *name; /* and its zero */
    size_t len;
    char addr[SWIM_ADDR_TEXT];
};

struct snapshot {
    struct mu_allocator allocator;
    char *path;
    int fd;
    uint64_t size;
    struct mu__map alive; /* name -> struct known */
    struct snapshot_clocks clocks;
    struct mu__writer pending; /* lines not written yet */
    bool rejoin_after_leave, left, failed;
};

static void free_known(struct snapshot *s, struct known *k)
{
    if (k) {
        mu__free(&s->allocator, k->name);
        mu__free(&s->allocator, k);
    }
}

static void forget_all(struct snapshot *s)
{
    size_t at = 0;
    for (struct known *k; (k = mu__map_next(&s->alive, &at)) != NULL;) {
        mu__map_remove(&s->alive, k->name, k->len);
        free_known(s, k);
    }
    s->clocks = (struct snapshot_clocks){0};
}

/* Records name as alive at addr. False when nothing changed, or there is no memory for it. */
static bool remember(struct snapshot *s, const char *name, size_t len, const char *addr)
{
    struct known *k = mu__map_get(&s->alive, name, len);
    if (k) {
        bool same = strcmp(k->addr, addr) == 0;
        snprintf(k->addr, sizeof k->addr, "%s", addr);
        return !same;
    }
    k = s->alive.count < NODES_MAX ? mu__calloc(&s->allocator, 1, sizeof *k) : NULL;
    if (!k) {
        return false;
    }
    k->name = mu__strndup(&s->allocator, name, len);
    k->len = len;
    snprintf(k->addr, sizeof k->addr, "%s", addr);
    if (!k->name || !mu__map_set(&s->alive, k->name, len, k, NULL)) {
        free_known(s, k);
        return false;
    }
    return true;
}

static bool forget(struct snapshot *s, const char *name, size_t len)
{
    struct known *k = mu__map_remove(&s->alive, name, len);
    free_known(s, k);
    return k != NULL;
}

/* ---- replay ---- */

/* What follows the prefix, or NULL. */
static const char *after(const char *line, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(line, prefix, n) == 0 ? line + n : NULL;
}

static void replay_alive(struct snapshot *s, const char *rest)
{
    struct swim_addr addr;
    const char *space = strrchr(rest, ' ');
    if (space && space > rest && strlen(space + 1) < SWIM_ADDR_TEXT &&
        swim_node_parse_addr(space + 1, 0, &addr)) {
        remember(s, rest, (size_t)(space - rest), space + 1);
    }
}

static void replay_clock(const char *digits, uint64_t *clock)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(digits, &end, 10);
    if (errno == 0 && end != digits && *end == 0) {
        *clock = v;
    }
}

static void replay_line(struct snapshot *s, const char *line)
{
    const char *rest;
    if ((rest = after(line, "alive: "))) {
        replay_alive(s, rest);
    } else if ((rest = after(line, "not-alive: "))) {
        forget(s, rest, strlen(rest));
    } else if ((rest = after(line, "clock: "))) {
        replay_clock(rest, &s->clocks.member);
    } else if ((rest = after(line, "event-clock: "))) {
        replay_clock(rest, &s->clocks.event);
    } else if ((rest = after(line, "query-clock: "))) {
        replay_clock(rest, &s->clocks.query);
    } else if (strcmp(line, "leave") == 0 && !s->rejoin_after_leave) {
        forget_all(s);
    }
}

static void replay(struct snapshot *s, FILE *f)
{
    char line[LINE_MAX_BYTES];
    bool too_long = false; /* the rest of a line that did not fit */
    while (fgets(line, sizeof line, f)) {
        size_t len = strcspn(line, "\n");
        bool whole = line[len] == '\n';
        s->size += len + 1;
        line[len] = 0;
        if (whole && !too_long) { /* a line without its end was torn off by a crash */
            replay_line(s, line);
        }
        too_long = !whole;
    }
}

static int open_to_append(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static bool open_file(struct snapshot *s)
{
    FILE *f = fopen(s->path, "rbe");
    if (f) {
        replay(s, f);
        fclose(f);
    } else if (errno != ENOENT) {
        return false;
    }
    s->fd = open_to_append(s->path);
    return s->fd >= 0;
}

struct snapshot *swim_node__snapshot_open(const struct mu_allocator *a, const char *path,
                                          bool rejoin_after_leave, uint64_t seed, char *why,
                                          size_t cap)
{
    struct snapshot *s = mu__calloc(a, 1, sizeof *s);
    if (!s) {
        swim_node__why(why, cap, "out of memory");
        return NULL;
    }
    s->allocator = *a;
    s->rejoin_after_leave = rejoin_after_leave;
    s->path = mu__strndup(a, path, strlen(path));
    s->pending = mu__writer_growing(&s->allocator);
    mu__map_init(&s->alive, a, seed);
    s->fd = -1;
    if (!s->path || strlen(path) + sizeof ".compact" > PATH_BYTES || !open_file(s)) {
        swim_node__why(why, cap, "cannot open snapshot %s: %s", path, strerror(errno));
        swim_node__snapshot_close(s);
        return NULL;
    }
    return s;
}

void swim_node__snapshot_close(struct snapshot *s)
{
    if (!s) {
        return;
    }
    if (s->fd >= 0) {
        swim_node__snapshot_flush(s);
        close(s->fd);
    }
    forget_all(s);
    mu__map_fini(&s->alive);
    mu__writer_fini(&s->pending);
    mu__free(&s->allocator, s->path);
    mu__free(&s->allocator, s);
}

struct snapshot_clocks swim_node__snapshot_clocks(const struct snapshot *s)
{
    return s->clocks;
}

const char *swim_node__snapshot_next(const struct snapshot *s, size_t *at, const char *except)
{
    for (struct known *k; (k = mu__map_next(&s->alive, at)) != NULL;) {
        if (strcmp(k->name, except) != 0) {
            return k->addr;
        }
    }
    return NULL;
}

/* ---- recording ---- */

static void put_alive(struct mu__writer *w, const struct known *k)
{
    mu__write_cstr(w, "alive: ");
    mu__write_bytes(w, k->name, k->len);
    mu__write_cstr(w, " ");
    mu__write_cstr(w, k->addr);
    mu__write_cstr(w, "\n");
}

static void put_clock(struct mu__writer *w, const char *name, uint64_t value)
{
    char line[64];
    snprintf(line, sizeof line, "%s: %llu\n", name, (unsigned long long)value);
    mu__write_cstr(w, line);
}

static bool is_recordable(const struct snapshot *s, struct mu_str name)
{
    return !s->left && name.len > 0 && name.len < LINE_MAX_BYTES / 2 &&
           !memchr(name.p, '\n', name.len) && !memchr(name.p, 0, name.len);
}

void swim_node__snapshot_alive(struct snapshot *s, struct mu_str name, const struct swim_addr *addr)
{
    char text[SWIM_ADDR_TEXT];
    if (is_recordable(s, name) && remember(s, name.p, name.len, swim_addr_text(addr, text))) {
        put_alive(&s->pending, mu__map_get(&s->alive, name.p, name.len));
    }
}

void swim_node__snapshot_not_alive(struct snapshot *s, struct mu_str name)
{
    if (is_recordable(s, name) && forget(s, name.p, name.len)) {
        mu__write_cstr(&s->pending, "not-alive: ");
        mu__write_bytes(&s->pending, name.p, name.len);
        mu__write_cstr(&s->pending, "\n");
    }
}

void swim_node__snapshot_left(struct snapshot *s)
{
    if (s->left) {
        return;
    }
    s->left = true;
    if (!s->rejoin_after_leave) {
        forget_all(s);
    }
    mu__write_cstr(&s->pending, "leave\n");
}

bool swim_node__snapshot_set_clocks(struct snapshot *s, struct snapshot_clocks now)
{
    size_t before = s->pending.len;
    if (s->left) {
        return false;
    }
    if (now.member > s->clocks.member) {
        put_clock(&s->pending, "clock", now.member);
    }
    if (now.event > s->clocks.event) {
        put_clock(&s->pending, "event-clock", now.event);
    }
    if (now.query > s->clocks.query) {
        put_clock(&s->pending, "query-clock", now.query);
    }
    s->clocks = (struct snapshot_clocks){
        .member = now.member > s->clocks.member ? now.member : s->clocks.member,
        .event = now.event > s->clocks.event ? now.event : s->clocks.event,
        .query = now.query > s->clocks.query ? now.query : s->clocks.query};
    return s->pending.len > before;
}

/* ---- writing ---- */

static void put_everything(const struct snapshot *s, struct mu__writer *w)
{
    size_t at = 0;
    for (const struct known *k; (k = mu__map_next(&s->alive, &at)) != NULL;) {
        put_alive(w, k);
    }
    put_clock(w, "clock", s->clocks.member);
    put_clock(w, "event-clock", s->clocks.event);
    put_clock(w, "query-clock", s->clocks.query);
    if (s->left) {
        mu__write_cstr(w, "leave\n");
    }
}

/* Puts a file with nothing but the state in the place of the old one, which stays as it is on
 * failure. */
static bool compact(struct snapshot *s)
{
    struct mu__writer w = mu__writer_growing(&s->allocator);
    put_everything(s, &w);
    bool ok = !w.failed && swim_node__replace_file(s->path, ".compact", w.data, w.len, 0644);
    int fd = ok ? open_to_append(s->path) : -1;
    if (fd >= 0) {
        close(s->fd);
        s->fd = fd;
        s->size = w.len;
    }
    mu__writer_fini(&w);
    return fd >= 0;
}

static bool is_too_long(const struct snapshot *s)
{
    return s->size > FILE_FLOOR && s->size > (uint64_t)2 * BYTES_PER_NODE * s->alive.count;
}

bool swim_node__snapshot_flush(struct snapshot *s)
{
    bool ok = true;
    if (s->failed ||
        s->pending.failed) { /* lines are missing in the file: only a new one is right */
        ok = compact(s);
    } else if (s->pending.len > 0) {
        ok = swim_node__write_all(s->fd, s->pending.data, s->pending.len);
        s->size += s->pending.len;
    }
    s->pending.len = 0;
    s->pending.failed = !ok && s->pending.failed;
    bool news = !ok && !s->failed;
    s->failed = !ok;
    if (ok && is_too_long(s)) {
        compact(s);
    }
    return !news;
}
