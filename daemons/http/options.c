#include "options.h"

#include "internal.h"
#include "strconv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX INT64_C(1000000000) /* of Cache-Control: 31 years */

static const char conflict[] = "Cannot specify ?%s with ?consistent, conflicting semantics.";

bool options_check_namespace(struct http_request *r)
{
    static const char feature[] = "Namespaces are a Consul Enterprise feature";
    if (http_field(&r->head, "X-Consul-Namespace").len) {
        http_reply_text(r, 400, "Bad request: Invalid header: \"X-Consul-Namespace\" - %s",
                        feature);
        return false;
    }
    if (http_param(r, "ns").len) {
        http_reply_text(r, 400, "Bad request: Invalid query parameter: \"ns\" - %s", feature);
        return false;
    }
    return true;
}

/* ?token, then X-Consul-Token, then Authorization: Bearer x (any case; other schemes do not
 * count). */
struct mu_str options_token(const struct http_request *r)
{
    struct mu_str token = http_param(r, "token");
    if (token.len) {
        return token;
    }
    token = http_field(&r->head, "X-Consul-Token");
    struct mu_str auth = http_field(&r->head, "Authorization");
    if (!token.len && auth.len > 7 &&
        mu__str_ieq((struct mu_str){auth.p, 7}, mu__cstr("bearer "))) {
        token = (struct mu_str){auth.p + 7, auth.len - 7};
        while (token.len && token.p[0] == ' ') {
            token.p++;
            token.len--;
        }
    }
    return token;
}

struct mu_str options_datacenter(const struct http_request *r)
{
    struct mu_str dc = http_param(r, "dc");
    return dc.len ? dc : mu__cstr(r->server->datacenter);
}

bool options_is_here(const struct http_request *r)
{
    return mu__str_eq(options_datacenter(r), mu__cstr(r->server->datacenter));
}

void options_source(const struct http_request *r, struct catalog_query_source *out)
{
    struct mu_str near = http_param(r, "near");
    if (near.len) {
        out->datacenter = mu__cstr(r->server->datacenter);
        out->segment = mu__cstr(r->server->segment);
        out->node = mu__str_eq(near, mu__cstr("_agent")) ? mu__cstr(r->server->node) : near;
    }
}

static int pair_by_key(const void *a, const void *b)
{
    return mu__str_cmp(((const struct mu_pair *)a)->key, ((const struct mu_pair *)b)->key);
}

bool options_node_meta(struct http_request *r, struct mu_strmap *out)
{
    struct mu_pair *items = mu__arena_calloc(&r->arena, r->query.len + 1, sizeof *items);
    size_t n = 0;
    if (!items) {
        http_reply_empty(r, 500);
        return false;
    }
    for (size_t i = 0; i < r->query.len; i++) {
        const struct http_param *p = &r->query.items[i];
        if (!mu__str_eq(p->key, mu__cstr("node-meta"))) {
            continue;
        }
        const char *colon = memchr(p->value.p, ':', p->value.len);
        size_t key_len = colon ? (size_t)(colon - p->value.p) : p->value.len;
        struct mu_pair pair = {{p->value.p, key_len}, {"", 0}};
        if (colon) {
            pair.value = (struct mu_str){colon + 1, p->value.len - key_len - 1};
        }
        size_t k = 0;
        while (k < n && !mu__str_eq(items[k].key, pair.key)) {
            k++;
        }
        items[k] = pair; /* of equal keys the last counts */
        n += k == n;
    }
    qsort(items, n, sizeof *items, pair_by_key);
    *out = (struct mu_strmap){n ? items : NULL, n};
    return true;
}

const char *options_parse_uint(struct http_request *r, struct mu_str s, uint64_t *out)
{
    char err[256];
    return strconv_uint(s, out, err, sizeof err) ? NULL : http_cstr(r, mu__cstr(err));
}

static bool max_stale(struct http_request *r, struct catalog_query_options *o)
{
    struct mu_str text = http_param(r, "max_stale");
    if (!text.len) {
        return true;
    }
    if (!mu__duration_parse(text.p, text.len, &o->max_stale_duration_ns)) {
        http_reply_text(r, 400, "Invalid max_stale value \"%.*s\"", (int)mu__min(text.len, 256),
                        text.p);
        return false;
    }
    o->allow_stale = o->allow_stale || o->max_stale_duration_ns > 0;
    r->max_stale_ns = o->max_stale_duration_ns;
    return true;
}

static bool begins_with(struct mu_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && !memcmp(s.p, prefix, n);
}

/* The configuration's choice for discovery, where the request makes none. */
static void default_consistency(struct http_request *r, struct catalog_query_options *o)
{
    int64_t limit = (int64_t)r->server->config.discovery_max_stale_ns;
    bool chosen = o->allow_stale || o->require_consistent || http_has_param(r, "leader") ||
                  http_has_param(r, "cached");
    if (limit > 0 && !chosen &&
        (begins_with(r->path, "/v1/catalog") || begins_with(r->path, "/v1/health"))) {
        o->allow_stale = true;
        o->max_stale_duration_ns = r->max_stale_ns = limit;
    }
}

static bool consistency(struct http_request *r, struct catalog_query_options *o)
{
    o->allow_stale = http_has_param(r, "stale");
    o->require_consistent = http_has_param(r, "consistent");
    o->use_cache = http_has_param(r, "cached") && !r->server->config.no_cache;
    if (!max_stale(r, o)) {
        return false;
    }
    if (o->require_consistent && (o->allow_stale || http_has_param(r, "cached"))) {
        http_reply_text(r, 400, conflict, o->allow_stale ? "stale" : "cached");
        return false;
    }
    default_consistency(r, o);
    r->consistency = o->require_consistent ? "consistent" : o->allow_stale ? "stale" : "leader";
    return true;
}

/* "max-age=5": the number behind the name, if that is the name. False: no number, answered. */
static bool seconds(struct http_request *r, struct mu_str part, const char *name, bool *is_it,
                    int64_t *ns)
{
    size_t n = strlen(name);
    int64_t s;
    char err[256];
    *is_it = part.len >= n && mu__str_ieq((struct mu_str){part.p, n}, mu__cstr(name));
    if (!*is_it) {
        return true;
    }
    if (!strconv_int((struct mu_str){part.p + n, part.len - n}, &s, err, sizeof err)) {
        http_reply_text(r, 400, "Invalid Cache-Control header.");
        return false;
    }
    s = s < SECONDS_MAX ? s : SECONDS_MAX;
    *ns = s > 0 ? s * (int64_t)MU_SEC : s; /* below 0: as if it were not there */
    return true;
}

/* For the agent's cache alone; it is checked even when that is not asked. */
static bool cache_control(struct http_request *r, struct catalog_query_options *o)
{
    struct mu_str list = http_field(&r->head, "Cache-Control");
    for (size_t i = 0; i < list.len;) {
        const char *comma = memchr(list.p + i, ',', list.len - i);
        size_t end = comma ? (size_t)(comma - list.p) : list.len;
        while (i < end && (list.p[i] == ' ' || list.p[i] == '\t')) {
            i++;
        }
        struct mu_str part = {list.p + i, end - i};
        while (part.len && (part.p[part.len - 1] == ' ' || part.p[part.len - 1] == '\t')) {
            part.len--;
        }
        bool is_age, is_stale;
        if (!seconds(r, part, "max-age=", &is_age, &o->max_age_ns) ||
            !seconds(r, part, "stale-if-error=", &is_stale, &o->stale_if_error_ns)) {
            return false;
        }
        bool now = (is_age && o->max_age_ns == 0) || mu__str_ieq(part, mu__cstr("must-revalidate"));
        o->must_revalidate = o->must_revalidate || now;
        i = end + 1;
    }
    return true;
}

static bool waiting(struct http_request *r, struct catalog_query_options *o)
{
    struct mu_str wait = http_param(r, "wait"), index = http_param(r, "index");
    if (wait.len && !mu__duration_parse(wait.p, wait.len, &o->max_query_time_ns)) {
        http_reply_text(r, 400, "Invalid wait time");
        return false;
    }
    if (index.len && options_parse_uint(r, index, &o->min_query_index)) {
        http_reply_text(r, 400, "Invalid index");
        return false;
    }
    r->blocking = o->min_query_index > 0;
    return true;
}

bool options_read_now(struct http_request *r, struct mu_str *datacenter,
                      struct catalog_query_options *o)
{
    o->token = options_token(r);
    o->filter = http_param(r, "filter");
    *datacenter = options_datacenter(r);
    return consistency(r, o) && cache_control(r, o);
}

bool options_read(struct http_request *r, struct mu_str *datacenter,
                  struct catalog_query_options *o)
{
    return options_read_now(r, datacenter, o) && waiting(r, o);
}
