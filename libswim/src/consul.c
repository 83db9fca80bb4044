/* consul.c - who may enter a Consul pool: pure decisions on the tags of candidates. */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool refuse(char *why, size_t cap, const struct swim_member *m, const char *what,
                   struct mu_str value)
{
    if (cap > 0) {
        (void)snprintf(why, cap, "member '%.*s' %s '%.*s'", (int)m->name.len, m->name.p, what,
                       (int)value.len, value.p ? value.p : "");
    }
    return false;
}

static struct mu_str tag_of(const struct swim_member *m, const char *key)
{
    struct mu_str v = {0};
    (void)swim_tag(m, key, &v);
    return v;
}

/* The numbers in front of the build, "major.minor.patch": is it at least the given version? */
static bool build_at_least(struct mu_str build, const unsigned want[3])
{
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        unsigned have = 0;
        for (; at < build.len && build.p[at] >= '0' && build.p[at] <= '9'; at++) {
            have = have < 100000 ? have * 10 + (unsigned)(build.p[at] - '0') : have;
        }
        if (have != want[i]) {
            return have > want[i];
        }
        at += at < build.len && build.p[at] == '.' ? 1 : 0;
    }
    return true;
}

/* Nodes have ids of their own since 0.8.5; those that left do not matter. */
static bool has_unique_id(const struct swim_member *m)
{
    static const unsigned since[3] = {0, 8, 5};
    return m->status != SWIM_STATUS_LEFT && tag_of(m, "id").len > 0 &&
           build_at_least(tag_of(m, "build"), since);
}

static bool admit_one(const struct swim_consul_lan *own, const struct swim_member *m, char *why,
                      size_t cap)
{
    struct mu_str role = tag_of(m, "role"), dc = tag_of(m, "dc"), segment = tag_of(m, "segment");
    struct mu_str id = tag_of(m, "id");
    if (own->id && has_unique_id(m) && mu__str_is(id, own->id) && !mu__str_is(m->name, own->name)) {
        return refuse(why, cap, m, "has our own node id", id);
    }
    if (!mu__str_is(role, "node") && !mu__str_is(role, "consul")) {
        return refuse(why, cap, m, "has the unknown role", role);
    }
    if (!mu__str_is(dc, own->datacenter)) {
        return refuse(why, cap, m, "is of the wrong datacenter", dc);
    }
    if (!mu__str_is(segment, own->segment ? own->segment : "")) {
        return refuse(why, cap, m, "is of the wrong segment", segment);
    }
    return true;
}

bool swim_consul_lan_admit(void *user, const struct swim_member *candidates, size_t n, char *why,
                           size_t cap)
{
    const struct swim_consul_lan *own = user;
    struct mu__map ids;
    bool ok = true;
    mu__map_init(&ids, NULL, 0);
    for (size_t i = 0; i < n && ok; i++) {
        union {
            const struct swim_member *in;
            void *out;
        } m = {.in = &candidates[i]};
        ok = admit_one(own, m.in, why, cap);
        if (ok && n > 1 && has_unique_id(m.in)) {
            struct mu_str id = tag_of(m.in, "id");
            void *twin = NULL;
            ok = mu__map_set(&ids, id.p, id.len, m.out, &twin) && !twin;
            if (!ok) {
                (void)refuse(why, cap, m.in, "shares its node id with another member:", id);
            }
        }
    }
    mu__map_fini(&ids);
    return ok;
}

static bool is_number(struct mu_str s)
{
    bool sign = s.len > 1 && (s.p[0] == '-' || s.p[0] == '+');
    size_t digits = 0;
    for (size_t i = sign ? 1 : 0; i < s.len; i++, digits++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
    }
    return digits > 0 && digits < 10;
}

static size_t digits_at(struct mu_str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.len && s.p[at + n] >= '0' && s.p[at + n] <= '9') {
        n++;
    }
    return n;
}

/* Does it contain three numbers with dots between them? */
static bool has_version(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        size_t at = i, parts = 0;
        for (size_t n; parts < 3 && (n = digits_at(s, at)) > 0; parts++) {
            at += n;
            if (parts < 2) {
                if (at >= s.len || s.p[at] != '.') {
                    break;
                }
                at++;
            }
        }
        if (parts == 3) {
            return true;
        }
    }
    return false;
}

bool swim_consul_wan_admit(void *user, const struct swim_member *candidates, size_t n, char *why,
                           size_t cap)
{
    static const char *const optional[] = {"expect", "wan_join_port", "vsn_min", "vsn_max",
                                           "raft_vsn"};
    (void)user;
    for (size_t i = 0; i < n; i++) {
        const struct swim_member *m = &candidates[i];
        bool ok = mu__str_is(tag_of(m, "role"), "consul") && is_number(tag_of(m, "port")) &&
                  is_number(tag_of(m, "vsn")) && has_version(tag_of(m, "build"));
        for (size_t k = 0; ok && k < sizeof optional / sizeof optional[0]; k++) {
            struct mu_str v;
            ok = !swim_tag(m, optional[k], &v) || is_number(v);
        }
        if (!ok) {
            return refuse(why, cap, m, "is not a server; its role is", tag_of(m, "role"));
        }
    }
    return true;
}
