#include "members.h"

#include <stdlib.h>
#include <string.h>

void members_init(struct members *m, uint64_t seed)
{
    mu__map_init(&m->by_name, NULL, seed);
    mu__map_init(&m->servers, NULL, seed);
}

void members_fini(struct members *m)
{
    size_t at = 0;
    for (void *member; (member = mu__map_next(&m->by_name, &at)) != NULL;) {
        free(member);
    }
    mu__map_fini(&m->servers);
    mu__map_fini(&m->by_name);
}

static bool has_server_role(const struct agent_member *m)
{
    return mu__str_eq(member_tag(m, "role"), mu__cstr("consul"));
}

static void put(struct mu__map *map, struct agent_member *member, void **old)
{
    if (!mu__map_set(map, member->name.p, member->name.len, member, old)) {
        abort(); /* out of memory: a member that is not known cannot be served */
    }
}

void members_apply(struct members *m, enum member_change change, struct agent_member *member)
{
    if (change == MEMBER_REAPED) {
        mu__map_remove(&m->servers, member->name.p, member->name.len);
        free(mu__map_remove(&m->by_name, member->name.p, member->name.len));
        free(member);
        return;
    }
    void *old = NULL;
    if (has_server_role(member)) {
        put(&m->servers, member, NULL);
    } else {
        mu__map_remove(&m->servers, member->name.p, member->name.len);
    }
    put(&m->by_name, member, &old);
    free(old);
}

const struct agent_member *members_next_server(const struct members *m, size_t *at)
{
    return mu__map_next(&m->servers, at);
}

const struct agent_member *members_find(const struct members *m, struct mu_str name)
{
    return mu__map_get(&m->by_name, name.p, name.len);
}

size_t members_count(const struct members *m)
{
    return m->by_name.count;
}

static int by_name(const void *x, const void *y)
{
    const struct agent_member *const *a = x, *const *b = y;
    return mu__str_cmp((*a)->name, (*b)->name);
}

struct mu_list members_sorted(const struct members *m, struct mu__arena *a)
{
    struct mu_list list = {mu__arena_alloc(a, (m->by_name.count + 1) * sizeof(void *)), 0};
    if (!list.items) {
        return list;
    }
    size_t at = 0;
    for (void *member; (member = mu__map_next(&m->by_name, &at)) != NULL;) {
        list.items[list.len++] = member;
    }
    qsort(list.items, list.len, sizeof *list.items, by_name);
    return list;
}

struct mu_str member_tag(const struct agent_member *m, const char *key)
{
    return mu__strmap_get(&m->tags, key);
}

/* A decimal number up to max; false when it is not one. */
static bool parse_number(struct mu_str s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 19) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return v <= max;
}

bool member_as_server(const struct agent_member *m, struct mu_str datacenter,
                      struct member_server *out)
{
    uint64_t port, expect = 0;
    if (!has_server_role(m) || !mu__str_eq(member_tag(m, "dc"), datacenter) ||
        !parse_number(member_tag(m, "port"), UINT16_MAX, &port) || port == 0) {
        return false;
    }
    struct mu_str tag = member_tag(m, "expect");
    if (tag.p && !parse_number(tag, 1000, &expect)) {
        return false;
    }
    *out = (struct member_server){
        .name = m->name,
        .id = member_tag(m, "id"),
        .address = m->addr,
        .port = (uint16_t)port,
        .expect = member_tag(m, "bootstrap").p ? 1 : expect,
        .is_muster = member_tag(m, "muster").p != NULL,
    };
    return true;
}
