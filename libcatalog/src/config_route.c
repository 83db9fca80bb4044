/* config_route.c - routers and splitters: what they may say, in Consul's words (http-api 8.1). */
#include "config_entry.h"

#include <math.h>
#include <stdio.h>

#define SCALED_SUM 10000 /* of the weights, in hundredths of a per cent */
#define WEIGHT_MAX                                                                                 \
    INT64_C(1000000000000) /* scaled; a list is too short for the sum to overflow                  \
                            */

/* "Route[3] <what>" */
static bool refuse_route(struct catalog__preparation *p, size_t route, const char *what)
{
    p->text.len = 0;
    catalog__say(&p->text, "Route[");
    catalog__say_uint(&p->text, route);
    catalog__say(&p->text, "] ");
    catalog__say(&p->text, what);
    return false;
}

/* "Route[3] Header[1] <what>" */
static bool refuse_part(struct catalog__preparation *p, size_t route, const char *part, size_t at,
                        const char *what)
{
    refuse_route(p, route, part);
    catalog__say(&p->text, "[");
    catalog__say_uint(&p->text, at);
    catalog__say(&p->text, "] ");
    catalog__say(&p->text, what);
    return false;
}

static bool check_path(struct catalog__preparation *p, size_t route, const char *what,
                       struct mu_str path)
{
    if (path.len == 0 || path.p[0] == '/') {
        return true;
    }
    refuse_route(p, route, what);
    catalog__say(&p->text, " doesn't start with '/': ");
    catalog__say_quoted(&p->text, path);
    return false;
}

static bool check_header(struct catalog__preparation *p, size_t route, size_t at,
                         const struct catalog_route_header *h)
{
    int parts = (int)h->present + (h->exact.len > 0) + (h->prefix.len > 0) + (h->suffix.len > 0) +
                (h->regex.len > 0);
    if (h->name.len == 0) {
        return refuse_part(p, route, "Header", at, "missing required Name field");
    }
    return parts == 1 ||
           refuse_part(p, route, "Header", at,
                       "should only contain one of Present, Exact, Prefix, Suffix, or Regex");
}

static bool check_query_param(struct catalog__preparation *p, size_t route, size_t at,
                              const struct catalog_route_query_param *q)
{
    int parts = (int)q->present + (q->exact.len > 0) + (q->regex.len > 0);
    if (q->name.len == 0) {
        return refuse_part(p, route, "QueryParam", at, "missing required Name field");
    }
    return parts == 1 || refuse_part(p, route, "QueryParam", at,
                                     "should only contain one of Present, Exact, or Regex");
}

static int by_text(const void *a, const void *b)
{
    return mu__str_cmp(*(const struct mu_str *)a, *(const struct mu_str *)b);
}

static bool check_methods(struct catalog__preparation *p, size_t route, const struct mu_strs *m)
{
    size_t at = catalog__first_repeat(p, m->items, m->len, sizeof *m->items, by_text);
    if (at == m->len) {
        return true;
    }
    if (at < m->len) {
        refuse_route(p, route, "Methods contains ");
        catalog__say_quoted(&p->text, m->items[at]);
        catalog__say(&p->text, " more than once");
    }
    return false;
}

static bool check_http(struct catalog__preparation *p, size_t route,
                       const struct catalog_route_http *http)
{
    int paths =
        (http->path_exact.len > 0) + (http->path_prefix.len > 0) + (http->path_regex.len > 0);
    if (!check_path(p, route, "PathExact", http->path_exact) ||
        !check_path(p, route, "PathPrefix", http->path_prefix)) {
        return false;
    }
    if (paths > 1) {
        return refuse_route(
            p, route, "should only contain at most one of PathExact, PathPrefix, or PathRegex");
    }
    for (size_t i = 0; i < http->header.len; i++) {
        if (!check_header(p, route, i, http->header.items[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < http->query_param.len; i++) {
        if (!check_query_param(p, route, i, http->query_param.items[i])) {
            return false;
        }
    }
    return check_methods(p, route, &http->methods);
}

/* Methods are upper case; and, as it happens, only a route with methods says which namespace it
 * means. */
static bool normalise_route(struct catalog__preparation *p, struct catalog_service_route *route)
{
    struct catalog_route_http *http = route->match ? route->match->http : NULL;
    for (size_t i = 0; http && i < http->methods.len; i++) {
        if (!catalog__fold(p, &http->methods.items[i], true)) {
            return false;
        }
    }
    if (http && http->methods.len && route->destination &&
        route->destination->name_space.len == 0) {
        route->destination->name_space = mu__cstr("default");
    }
    return true;
}

bool catalog__prepare_router(struct catalog__preparation *p, struct catalog_service_router *e)
{
    for (size_t i = 0; i < e->routes.len; i++) {
        struct catalog_service_route *route = e->routes.items[i];
        const struct catalog_route_http *http = route->match ? route->match->http : NULL;
        if (!normalise_route(p, route) || (http && !check_http(p, i, http))) {
            return false;
        }
        if (route->destination && route->destination->prefix_rewrite.len &&
            !(http && (http->path_exact.len || http->path_prefix.len))) {
            return refuse_route(p, i,
                                "cannot make use of PrefixRewrite without configuring either "
                                "PathExact or PathPrefix");
        }
    }
    return true;
}

/* ---- Splitters ---- */

/* In hundredths; what is no sensible weight is cut, and then the sum is wrong. */
static int64_t scaled(double weight)
{
    double hundredths = round(weight * 100.0);
    if (!(hundredths > -1e12)) {
        return -WEIGHT_MAX;
    }
    return hundredths < 1e12 ? (int64_t)hundredths : WEIGHT_MAX;
}

double catalog__split_weight(double weight)
{
    return (double)scaled(weight) / 100.0;
}

static int by_destination(const void *a, const void *b)
{
    const struct catalog_service_split *x = *(void *const *)a, *y = *(void *const *)b;
    int c = mu__str_cmp(x->service, y->service);
    c = c ? c : mu__str_cmp(x->service_subset, y->service_subset);
    return c ? c : mu__str_cmp(x->name_space, y->name_space);
}

static bool refuse_split(struct catalog__preparation *p, const struct catalog_service_split *s)
{
    catalog__refused_quoting(p, "split destination occurs more than once: service=", s->service,
                             ", subset=");
    catalog__say_quoted(&p->text, s->service_subset);
    catalog__say(&p->text, ", namespace=");
    catalog__say_quoted(&p->text, s->name_space);
    return false;
}

/* No service means that of the splitter, so that is what counts as a repetition. */
static bool check_destinations(struct catalog__preparation *p,
                               const struct catalog_service_splitter *e)
{
    size_t n = e->splits.len;
    struct catalog_service_split *named = mu__calloc(p->room, n, sizeof *named);
    void **items = mu__calloc(p->room, n, sizeof *items);
    if (!named || !items) {
        return catalog__refused(p, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        named[i] = *(const struct catalog_service_split *)e->splits.items[i];
        named[i].service = named[i].service.len ? named[i].service : e->head.name;
        items[i] = &named[i];
    }
    size_t at = catalog__first_repeat(p, items, n, sizeof *items, by_destination);
    return at == n || (at < n && refuse_split(p, &named[at]));
}

bool catalog__prepare_splitter(struct catalog__preparation *p, struct catalog_service_splitter *e)
{
    int64_t sum = 0;
    if (e->splits.len == 0) {
        return catalog__refused(p, "no splits configured");
    }
    for (size_t i = 0; i < e->splits.len; i++) {
        struct catalog_service_split *split = e->splits.items[i];
        int64_t weight = scaled(split->weight);
        split->weight = (double)weight / 100.0;
        sum += weight;
    }
    if (!check_destinations(p, e)) {
        return false;
    }
    if (sum != SCALED_SUM) {
        char text[96];
        snprintf(text, sizeof text, "the sum of all split weights must be 100, not %f",
                 (double)((float)sum / 100.0F));
        return catalog__refused(p, text);
    }
    return true;
}
