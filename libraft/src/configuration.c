#include "configuration.h"

#include <assert.h>
#include <string.h>

#define VERSION 1

bool raft__is_id(const char *id)
{
    size_t len = 0;
    while (id && len <= RAFT_ID_MAX && id[len]) {
        len++;
    }
    return len >= 1 && len <= RAFT_ID_MAX;
}

/* Fills the rest with zeros, so that equal ids are equal bytes. */
static void copy_string(char *to, const char *from, size_t max)
{
    size_t len = strlen(from);
    assert(len <= max);
    if (to != from) {
        memset(to, 0, max + 1);
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the zeros above end it. */
        memcpy(to, from, len);
    }
}

void raft__copy_id(char *to, const char *id)
{
    copy_string(to, id, RAFT_ID_MAX);
}

void raft__copy_address(char *to, const char *address)
{
    copy_string(to, address, RAFT_ADDRESS_MAX);
}

void raft__configuration_sort(struct raft_configuration *c)
{
    for (size_t i = 1; i < c->n; i++) {
        struct raft_server s = c->servers[i];
        size_t at = i;
        for (; at > 0 && strcmp(c->servers[at - 1].id, s.id) > 0; at--) {
            c->servers[at] = c->servers[at - 1];
        }
        c->servers[at] = s;
    }
}

static bool is_server(const struct raft_server *s)
{
    return s->id[0] && memchr(s->id, 0, sizeof s->id) && memchr(s->address, 0, sizeof s->address) &&
           (s->kind == RAFT_VOTER || s->kind == RAFT_NONVOTER);
}

bool raft__configuration_is_valid(const struct raft_configuration *c)
{
    if (c->n > RAFT_SERVERS_MAX) {
        return false;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (!is_server(&c->servers[i]) ||
            (i > 0 && strcmp(c->servers[i - 1].id, c->servers[i].id) >= 0)) {
            return false;
        }
    }
    return raft__configuration_voters(c) > 0;
}

const struct raft_server *raft__configuration_find(const struct raft_configuration *c,
                                                   const char *id)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->servers[i].id, id) == 0) {
            return &c->servers[i];
        }
    }
    return NULL;
}

size_t raft__configuration_voters(const struct raft_configuration *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        n += c->servers[i].kind == RAFT_VOTER;
    }
    return n;
}

static void write_string(struct mu__writer *w, const char *s)
{
    mu__write_u8(w, (uint8_t)strlen(s));
    mu__write_cstr(w, s);
}

void raft__configuration_encode(const struct raft_configuration *c, struct mu__writer *w)
{
    mu__write_u8(w, VERSION);
    mu__write_u16be(w, (uint16_t)c->n);
    for (size_t i = 0; i < c->n; i++) {
        mu__write_u8(w, (uint8_t)c->servers[i].kind);
        write_string(w, c->servers[i].id);
        write_string(w, c->servers[i].address);
    }
}

static void read_string(struct mu__reader *r, char *to, size_t max)
{
    size_t len = mu__read_u8(r);
    const uint8_t *p = mu__read_bytes(r, len);
    if (!p || len > max || memchr(p, 0, len)) {
        mu__reader_fail(r);
        return;
    }
    memcpy(to, p, len);
}

int raft_configuration_decode(const void *data, size_t len, raft_index index,
                              struct raft_configuration *out)
{
    struct mu__reader r = mu__reader(data, len);
    if (mu__read_u8(&r) != VERSION) {
        return RAFT_EPROTO;
    }
    size_t n = mu__read_u16be(&r);
    if (n > RAFT_SERVERS_MAX) {
        return RAFT_EPROTO;
    }
    struct raft_configuration c = {.index = index, .n = n};
    for (size_t i = 0; i < n; i++) {
        c.servers[i].kind = (enum raft_server_kind)mu__read_u8(&r);
        read_string(&r, c.servers[i].id, RAFT_ID_MAX);
        read_string(&r, c.servers[i].address, RAFT_ADDRESS_MAX);
    }
    if (r.failed || mu__reader_left(&r) != 0 || !raft__configuration_is_valid(&c)) {
        return RAFT_EPROTO;
    }
    *out = c;
    return RAFT_OK;
}

bool raft__configs_push(struct raft__configs *h, const struct raft_configuration *c)
{
    assert(h->n == 0 || h->items[h->n - 1]->index < c->index);
    void *items = h->items;
    if (!mu__reserve(&h->allocator, &items, &h->cap, h->n + 1,
                     sizeof(struct raft_configuration *))) {
        return false;
    }
    h->items = items;
    struct raft_configuration *copy = mu__memdup(&h->allocator, c, sizeof *c);
    if (!copy) {
        return false;
    }
    h->items[h->n++] = copy;
    return true;
}

bool raft__configs_init(struct raft__configs *h, const struct mu_allocator *allocator)
{
    const struct raft_configuration none = {.n = 0};
    *h = (struct raft__configs){.allocator = *allocator};
    return raft__configs_push(h, &none);
}

static void drop_from(struct raft__configs *h, size_t at)
{
    while (h->n > at) {
        mu__free(&h->allocator, h->items[--h->n]);
    }
}

void raft__configs_fini(struct raft__configs *h)
{
    drop_from(h, 0);
    mu__free(&h->allocator, h->items);
    *h = (struct raft__configs){.allocator = h->allocator};
}

const struct raft_configuration *raft__configs_last(const struct raft__configs *h)
{
    return h->items[h->n - 1];
}

static size_t find(const struct raft__configs *h, raft_index index)
{
    size_t at = h->n - 1;
    while (at > 0 && h->items[at]->index > index) {
        at--;
    }
    return at;
}

const struct raft_configuration *raft__configs_at(const struct raft__configs *h, raft_index index)
{
    return h->items[find(h, index)];
}

bool raft__configs_truncate(struct raft__configs *h, raft_index from)
{
    size_t n = h->n;
    while (h->n > 1 && h->items[h->n - 1]->index >= from) {
        drop_from(h, h->n - 1);
    }
    return h->n != n;
}

void raft__configs_compact(struct raft__configs *h, raft_index index)
{
    size_t drop = find(h, index);
    for (size_t i = 0; i < drop; i++) {
        mu__free(&h->allocator, h->items[i]);
    }
    memmove(h->items, h->items + drop, (h->n - drop) * sizeof(struct raft_configuration *));
    h->n -= drop;
}

void raft__configs_reset(struct raft__configs *h, const struct raft_configuration *c)
{
    struct raft_configuration copy = *c;
    drop_from(h, 1);
    *h->items[0] = copy;
}
